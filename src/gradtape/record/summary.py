"""The verdict of `gradtape fit` for any recorded run: four facts from its costs and gradients."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from ..errors import RunError, three_part
from ..verdict import Verdict, is_noisy, judge
from .evidence import Evidence
from .minimum import minimum

__all__ = ["learning_rate", "verdict"]

_NAMES = ("learning_rate", "lr", "rate", "step_size", "eta", "alpha")


def learning_rate(reader: Any) -> float | None:
    """The learning rate: as it was configured or logged, else as the updates tell it.

    A run of gradient descent moves each scalar variable by `-rate * gradient`: where that ratio is
    one number over all steps it is the rate. None where it is not known.
    """
    config = reader.meta().get("config")
    if isinstance(config, dict):
        for name in _NAMES:
            value = config.get(name)
            if isinstance(value, int | float) and math.isfinite(value) and value > 0:
                return float(value)
    known = {c.name for c in reader.columns()}
    for name in _NAMES:
        if f"log/{name}" in known:
            values = reader.series(f"log/{name}")[1]
            if len(values) and math.isfinite(values[-1]) and values[-1] > 0:
                return float(values[-1])
    for name in sorted(n.removeprefix("grad/") for n in known if n.startswith("grad/")):
        if f"value/{name}" not in known:
            continue
        _, both = reader.table([f"value/{name}", f"grad/{name}"])
        found = _ratio(-np.diff(both[:, 0]), both[:-1, 1])
        if found is not None:
            return found
    for name in sorted(n.removeprefix("gradnorm/") for n in known if n.startswith("gradnorm/")):
        if f"updatenorm/{name}" in known:
            _, both = reader.table([f"updatenorm/{name}", f"gradnorm/{name}"])
            found = _ratio(both[:, 0], both[:, 1])
            if found is not None:
                return found
    return None


def _ratio(update: Any, gradient: Any) -> float | None:
    with np.errstate(all="ignore"):
        ratio = update / gradient
    usable = np.isfinite(ratio) & (np.abs(gradient) > 0) & (np.abs(update) > 0)
    ratio = ratio[usable]
    if len(ratio) < 2:
        return None
    middle = float(np.median(ratio))
    # a difference of two values has lost the digits that they share
    close = np.abs(ratio - middle) <= 1e-3 * abs(middle)
    return middle if middle > 0 and close.mean() > 0.9 else None


def verdict(reader: Any) -> Verdict:
    """Return the four facts of a recorded run: fast phase, printed cost, lowest cost, convergence.

    Raises RunError where the run has no cost or no gradients, or none that is finite at its first
    step.

    Examples
    --------
    See `tests/record/test_summary.py`.
    """
    names = [c.name for c in reader.columns()]
    slopes = [n for n in names if n.startswith("gradnorm/")]
    slopes += [n for n in names if n.startswith("grad/") and f"value/{n[5:]}" in names]
    lost = reader.lost()
    if "cost" not in names or not slopes or (lost is not None and not reader.count()):
        why, remedy = "Costs and gradients are recorded at each call of tape.gradient.", (
            "Record the training loop: with gt.Recording('runs/name'): ..."
        )
        if lost is not None:
            why, remedy = f"The run is incomplete: {lost}.", "Make room, and record it again."
        raise RunError(three_part("verdict: the run holds no cost with gradients.", why, remedy))
    steps, matrix = reader.table(["cost", *slopes])
    known = ~np.isnan(matrix).all(axis=1)
    steps, matrix = steps[known], matrix[known]
    costs = matrix[:, 0]
    with np.errstate(all="ignore"):
        found = np.where(np.isnan(matrix[:, 1:]) & ~np.isnan(costs)[:, None], 0.0, matrix[:, 1:])
        norms = np.hypot.reduce(found, axis=1)  # the square of a large one is infinite
    if not len(costs) or not (math.isfinite(costs[0]) and math.isfinite(norms[0])):
        raise RunError(
            three_part(
                "verdict: the cost is not finite at the first step.",
                "Nothing can be said about a run that has no finite beginning.",
                "Look for nan or inf in the data: run.diagnose() names the operation.",
            )
        )
    rate = learning_rate(reader) or math.nan
    # of two costs, as of two networks, the first has no say over all variables
    others = [name.removeprefix("cost/") for name in names if name.startswith("cost/")]
    lowest = None if others else minimum(reader)
    known_minimum: dict[str, Any] = {}
    if lowest is not None and np.isin(steps, lowest.steps).all():
        known_minimum = {
            "coefficients": lowest.series[np.isin(lowest.steps, steps)],
            "closed_form": lowest.at,
            "reference": "the minimum of the recorded cost",
            "names": lowest.names,
        }
    evidence = Evidence(reader)
    judged = judge(
        costs, norms, learning_rate=rate, decimals=None, steps=steps, unit="step",
        rises=evidence.ascends, is_noisy=not evidence.is_steady and is_noisy(costs),
        **known_minimum,
    )  # fmt: skip
    missing = "" if lost is None else f"{lost}. These are the facts of what is there."
    note = (
        f"each step has {len(others) + 1} costs. These are the facts of the first, and the gradient"
        f" is that of all variables; the series of the others: {', '.join(others)}."
    )
    return dataclasses.replace(judged, missing=missing, note=note if others else "")
