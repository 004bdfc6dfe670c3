"""The README's picture: cars.csv fitted through the tape, and the cost of each epoch beside it.

    python examples/readme_picture.py        # writes docs/pictures/fit.png

The same descent as `gradtape fit examples/data/cars.csv "mpg ~ horsepower"`.
"""

import argparse
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from gradtape.fit.descent import descend
from gradtape.fit.options import Options
from gradtape.fit.plot_cost import draw_cost
from gradtape.fit.plot_fit import draw_fit
from gradtape.fit.result import Result
from gradtape.fit.sources import read_table
from gradtape.fit.specify import specify
from gradtape.fit.style import png, styled

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs" / "pictures" / "fit.png")
    out = parser.parse_args().out

    cars = HERE / "data" / "cars.csv"
    problem, plan = specify(read_table(cars), Options(str(cars), "mpg ~ horsepower"))
    result = Result(problem, plan, descend(problem, plan))
    with styled():
        layout = ConstrainedLayoutEngine(wspace=0.05)
        figure = Figure(figsize=(11.0, 4.6), layout=layout)
        left, right = figure.subplots(1, 2, width_ratios=(1.55, 1))
        draw_fit(left, result)
        draw_cost(right, result)
        left.set(title="392 cars, fitted through the tape", ylabel="miles per gallon")
        right.set(title="The cost of each epoch")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(png(figure))


if __name__ == "__main__":
    main()
