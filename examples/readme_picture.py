"""The README's picture: cars.csv fitted through the tape, and the cost of each epoch beside it.

    python examples/readme_picture.py        # writes docs/pictures/fit.png

The same descent as `gradtape fit examples/data/cars.csv "mpg ~ horsepower"`.
"""

import argparse
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from gradtape.fit.descent import descend, pose
from gradtape.fit.design import build_design
from gradtape.fit.plots import STYLE, draw_cost, draw_fit, png
from gradtape.fit.sources import read_table

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs" / "pictures" / "fit.png")
    out = parser.parse_args().out

    design = build_design(read_table(HERE / "data" / "cars.csv"), "mpg ~ horsepower")
    run = descend(pose(design, standardize=True))
    with rc_context(STYLE):
        layout = ConstrainedLayoutEngine(wspace=0.05)
        figure = Figure(figsize=(11.0, 4.6), layout=layout)
        left, right = figure.subplots(1, 2, width_ratios=(1.55, 1))
        draw_fit(left, run)
        draw_cost(right, run)
        left.set(title="392 cars, fitted through the tape", ylabel="miles per gallon")
        right.set(title="The cost of each epoch")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(png(figure))


if __name__ == "__main__":
    main()
