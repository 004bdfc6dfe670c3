"""Runs for the browser to show, written by the recorder's writer; gradients in plain NumPy.

`python -m tests.viewer.browser.runs FOLDER --steps N --pause SECONDS` is a training process.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from gradtape.record.writer import Writer

NAMES = ("cost", "seconds", "value/slope", "grad/slope", "value/intercept", "grad/intercept",
         "log/val_cost", "norm/w", "gradnorm/w", "updatenorm/w", "gradzeros/w")  # fmt: skip
SCRIPT = """\
import numpy as np
import gradtape as gt

for step in range(70):
    with gt.GradientTape() as tape:
        residual = slope * x + intercept - y
        cost = np.mean(np.square(residual))
    d_slope, d_intercept = tape.gradient(cost, [slope, intercept])
    slope.assign_sub(RATE * d_slope)
    intercept.assign_sub(RATE * d_intercept)
"""


def line(folder: Path, *, steps: int, rate: float, pause: float = 0.0) -> None:
    """Fit a line by gradient descent and record it; with too high a rate it ends in NaN."""
    rng = np.random.default_rng(3)
    x = rng.uniform(4, 25, 50)
    y = 3.9 * x - 17 + rng.normal(0, 12, 50)
    slope = intercept = np.float64(0.0)
    writer = Writer(folder)
    for key, value in (
        ("name", folder.name), ("level", "standard"), ("every", 1), ("config", {"rate": rate}),
        ("overhead", {"seconds": 0.001, "bytes": 4096}), ("script", "cars.py"), ("seed", 3),
    ):  # fmt: skip
        writer.set(key, value)
    kinds = {"cost": "cost", "seconds": "time", "log": "log", "value": "value"}
    columns = [writer.column(name, kinds.get(name.split("/")[0], "norm")) for name in NAMES]
    layout = writer.layout(columns)
    writer.source("cars.py", SCRIPT.replace("RATE", repr(rate)))
    broken = False
    with np.errstate(all="ignore"):
        for step in range(steps):
            residual = slope * x + intercept - y
            cost = np.mean(np.square(residual))
            slopes = 2 * np.mean(residual * x), 2 * np.mean(residual)
            w = np.exp(-step / 20)
            row = [step, cost, 1e-4, slope, slopes[0], intercept, slopes[1], 1.1 * cost,
                   2.0, w, rate * w, min(1.0, step / 100)]  # fmt: skip
            writer.rows(layout, np.array([row]))
            if not np.isfinite(cost) and not broken:
                broken = True
                operands = [{"name": "residual", "min": float(residual.min()),
                             "max": float(residual.max()), "shape": [50]}]  # fmt: skip
                writer.event(step, "nonfinite", {
                    "op": "square", "file": "cars.py", "line": 7, "node": 4, "graph": 1,
                    "direction": "forward", "operands": operands,
                    "chain": [{"op": "subtract", "file": "cars.py", "line": 6},
                              {"op": "square", "file": "cars.py", "line": 7}],
                })  # fmt: skip
                writer.event(step, "warning", {"message": "overflow encountered in square",
                                               "file": "cars.py", "line": 7})  # fmt: skip
            slope, intercept = slope - rate * slopes[0], intercept - rate * slopes[1]
            if pause:
                time.sleep(pause)
    writer.event(2, "none", {"source": "scale", "file": "cars.py", "line": 6,
                             "reason": "float() took the value out."})  # fmt: skip
    writer.close("finished")


def long(folder: Path, steps: int, variables: int = 4) -> None:
    """Record as many steps as are asked for: cost, time, and so many variables and gradients."""
    rng = np.random.default_rng(5)
    writer = Writer(folder)
    writer.set("name", folder.name)
    kinds = {"cost": "cost", "seconds": "time"}
    for k in range(variables):
        kinds |= {f"value/w{k}": "value", f"grad/w{k}": "gradient"}
    made = [writer.column(*each) for each in kinds.items()]
    layout = writer.layout(made)
    for start in range(0, steps, 10_000):
        block = np.empty((min(10_000, steps - start), 1 + len(kinds)))
        block[:, 0] = np.arange(start, start + len(block))
        noise = 1 + 0.05 * rng.normal(size=(len(block), len(kinds)))
        block[:, 1:] = np.exp(-3 * block[:, :1] / steps) * noise
        writer.rows(layout, block)
    writer.close("finished")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--pause", type=float, default=0.01)
    arguments = parser.parse_args()
    line(arguments.folder, steps=arguments.steps, rate=1e-3, pause=arguments.pause)
