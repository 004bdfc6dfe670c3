"""Runs for the browser to show: a training script with a recording, and a very long run."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

import gradtape as gt
from gradtape.record.writer import Writer

ROOT = Path(__file__).resolve().parents[3]

SCRIPT = """\
import sys
import time
import numpy as np
import gradtape as gt

rng = np.random.default_rng(3)
speed = rng.uniform(4, 25, 50)
distance = 3.9 * speed - 17 + rng.normal(0, 12, 50)
slope, intercept = gt.Variable(0.0, name="slope"), gt.Variable(0.0, name="intercept")

with gt.Recording(sys.argv[1], progress=False) as run:
    run.config({"rate": RATE})
    for step in run.steps(STEPS):
        with gt.GradientTape() as tape:
            residual = slope * speed + intercept - distance
            cost = np.mean(np.square(residual))
        d_slope, d_intercept = tape.gradient(cost, [slope, intercept])
        slope.assign_sub(RATE * d_slope)
        intercept.assign_sub(RATE * d_intercept)
        run.log(val_cost=1.1 * float(cost))
        time.sleep(PAUSE)
"""

LOST = ("cost = np.mean(np.square(residual))", "cost = np.mean(np.square(residual)) * float(scale)")
ASKED = ("d_slope, d_intercept = tape.gradient(cost, [slope, intercept])",
         "d_slope, d_intercept, _ = tape.gradient(cost, [slope, intercept, scale])")  # fmt: skip
MADE = ("\nwith gt.Recording", "scale = gt.Variable(1.0, name=\"scale\")\n\nwith gt.Recording")


def start(
    folder: Path, *, steps: int, rate: float, pause: float = 0.0, loses: bool = False
) -> subprocess.Popen[bytes]:
    """Begin to train a line by gradient descent, as a process of its own that records.

    With too high a rate it ends in NaN; if it `loses`, a Variable leaves the tape as a float.
    """
    script = folder.parent / f"{folder.name}-script" / "cars.py"
    script.parent.mkdir(parents=True, exist_ok=True)
    text = SCRIPT
    for old, new in (LOST, ASKED, MADE) if loses else ():
        text = text.replace(old, new)
    for name, value in (("RATE", rate), ("STEPS", steps), ("PAUSE", pause)):
        text = text.replace(name, repr(value))
    script.write_text(text, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", str(script), str(folder)], env=environment
    )


def train(folder: Path, *, steps: int, rate: float, loses: bool = False) -> None:
    """Train a line to the end."""
    assert start(folder, steps=steps, rate=rate, loses=loses).wait(120) == 0


def crashes(folder: Path) -> None:
    """Record two steps without any cost or gradient, and an error in the third."""
    with contextlib.suppress(KeyError), gt.Recording(folder, progress=False) as run:
        for step in run.steps(5):
            run.log(accuracy=step / 10)
            if step == 2:
                raise KeyError("the third batch")


def sparse(folder: Path) -> None:
    """Record 70 steps of a cost, and at every tenth a validation cost: its step plus a half."""
    writer = Writer(folder)
    cost, validation = writer.column("cost", "cost"), writer.column("log/val_loss", "log")
    both, alone = writer.layout([cost, validation]), writer.layout([cost])
    for step in range(70):
        row = [step, 100.0 - step]
        if step % 10:
            writer.rows(alone, np.array([row]))
        else:
            writer.rows(both, np.array([[*row, step + 0.5]]))
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

