"""The README's picture of the page: the tutorial, recorded, as one HTML file in a browser.

    python examples/page_picture.py        # writes docs/pictures/page.png

Needs Chromium: the program of that name on the path, or the one that --browser names.
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from tutorial import EPOCHS, LEARNING_RATE, Line, make_data, sum_of_squares

import gradtape as gt

HERE = Path(__file__).parent


def record(folder: Path) -> gt.Run:
    x, y = make_data()
    model = Line()
    with gt.Recording(folder, progress=False) as run:
        run.config({"learning_rate": LEARNING_RATE})
        for _ in run.steps(EPOCHS):
            with gt.GradientTape() as tape:
                loss = sum_of_squares(y, model(x))
            d_a, d_b = tape.gradient(loss, [model.a, model.b])
            model.a -= LEARNING_RATE * d_a
            model.b -= LEARNING_RATE * d_b
    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs" / "pictures" / "page.png")
    parser.add_argument("--browser", default="chromium")
    parser.add_argument("--step", type=int, default=30)
    parser.add_argument("--size", type=int, nargs=2, default=(1440, 1180))
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        page = record(Path(folder) / "tutorial").to_html(Path(folder) / "run.html")
        width, height = arguments.size
        subprocess.run(
            [arguments.browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             "--no-first-run", "--disable-background-networking", "--disable-component-update",
             "--disable-sync", f"--user-data-dir={folder}/browser", "--virtual-time-budget=6000",
             f"--window-size={width},{height}", f"--screenshot={arguments.out.resolve()}",
             f"file://{page.resolve()}#step={arguments.step}"],
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip
    print(arguments.out)


if __name__ == "__main__":
    np.seterr(all="raise")
    main()
