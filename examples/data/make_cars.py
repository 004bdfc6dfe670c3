"""Convert the Auto MPG table, as the PyPI package ISLP ships it, to `cars.csv` beside this file.

Run it once, in an environment that has pandas:

    pip download --no-deps ISLP && unzip ISLP-*.whl "ISLP/data/Auto.data"
    python examples/data/make_cars.py ISLP/data/Auto.data
"""

import sys
from pathlib import Path

import pandas as pd

ORIGINS = {1: "usa", 2: "europe", 3: "japan"}


def main(source: str) -> None:
    # The table marks a missing horsepower with "?"; a CSV says it with an empty cell.
    cars = pd.read_csv(source, sep=r"\s+", na_values="?")
    cars = cars.rename(columns={"year": "model_year"})
    cars["origin"] = cars["origin"].map(ORIGINS)
    for column in ("horsepower", "weight"):  # whole numbers, written in the source as 130. or 130.0
        cars[column] = cars[column].astype("Int64")
    target = Path(__file__).with_name("cars.csv")
    cars.to_csv(target, index=False, lineterminator="\n")
    print(f"{len(cars)} rows, {int(cars.isna().any(axis=1).sum())} incomplete, to {target.name}")


if __name__ == "__main__":
    main(*sys.argv[1:])
