"""Where the recorded cost is lowest: found by computing the recorded graph again, not by training.

Only for a few parameters and one set of data; then a verdict can say how far each parameter still
is from the value at which it would come to rest.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import RunError
from .panels.moment import Moment, Nothing

__all__ = ["Minimum", "minimum"]

_MOST = 12  # parameters
_ROUNDS = 30


class Minimum:
    """Parameters of a run over its steps, and the values at which the recorded cost is lowest.

    Attributes
    ----------
    names : list of str
    steps : (steps,) array
    series : (steps, parameters) array
        What each held at each step.
    at : (parameters,) array
    """

    def __init__(self, names: list[str], steps: Any, series: Any, at: Any) -> None:
        self.names, self.steps, self.series, self.at = names, steps, series, at


def minimum(reader: Any) -> Minimum | None:
    """The minimum that a run goes to; None where it cannot be found, or there is not one alone.

    Newton's method on differences of the cost, from the last parameters: for a cost of least
    squares one step. What it finds is believed if the cost is nowhere lower around it and the
    curvature is positive in every direction.
    """
    steps = reader.steps()
    if len(steps) < 2:
        return None
    try:
        moment = Moment(reader, int(steps[-1]))
        replay = moment.replay
        sources = [tag for tag in (moment.graph or {}).get("sources", {}) if tag in moment.columns]
        if not 0 < len(sources) <= _MOST or len(sources) < len((moment.graph or {})["sources"]):
            return None
        if any(len(reader.arrays(tag)) > 1 for tag in (moment.graph or {}).get("inputs", {})):
            return None  # another set of data at each step: there is no one cost
        values = moment.values(replay.tags)
    except (Nothing, RunError):
        return None
    start = np.array([float(values[tag]) for tag in sources])
    if not np.isfinite(start).all():
        return None
    rest = {tag: value for tag, value in values.items() if tag not in sources}

    def costs(points: Any) -> Any:
        found = replay.costs(rest, dict(zip(sources, points.T, strict=True)))
        return np.asarray(found, float)

    try:
        with np.errstate(all="ignore"):
            at = _newton(costs, start)
    except (RunError, np.linalg.LinAlgError):
        return None
    if at is None:
        return None
    steps, series = reader.table(sources)
    return Minimum([tag.removeprefix("value/") for tag in sources], steps, series, at)


def _newton(costs: Any, x: Any) -> Any:
    n = len(x)
    cost = float(costs(x[None])[0])
    for _ in range(_ROUNDS):
        gradient, hessian = _differences(costs, x)
        if not (np.isfinite(gradient).all() and np.isfinite(hessian).all()):
            return None
        eigenvalues = np.linalg.eigvalsh(hessian)
        if eigenvalues[0] <= 1e-9 * max(abs(eigenvalues[-1]), 1e-300):
            return None
        step = np.linalg.solve(hessian, gradient)
        for power in range(12):
            there = x - step * 0.5**power
            now = float(costs(there[None])[0])
            if now <= cost:
                break
        else:
            return x if np.all(np.abs(step) <= 1e-4 * (1 + np.abs(x))) else None
        moved = np.abs(there - x)
        x, cost = there, now
        if np.all(moved <= 1e-9 * (1.0 + np.abs(x))):
            return x
    return x if math.isfinite(cost) and n and np.all(moved <= 1e-5 * (1 + np.abs(x))) else None


def _differences(costs: Any, x: Any) -> tuple[Any, Any]:
    """Gradient and Hessian by central differences, exact for a quadratic cost but for rounding."""
    n = len(x)
    h = 1e-3 * np.maximum(1.0, np.abs(x))
    points = [x]
    for i in range(n):
        points += [x + h[i] * _unit(n, i), x - h[i] * _unit(n, i)]
    pairs = [(i, j) for i in range(n) for j in range(i)]
    for i, j in pairs:
        a, b = h[i] * _unit(n, i), h[j] * _unit(n, j)
        points += [x + a + b, x + a - b, x - a + b, x - a - b]
    found = costs(np.array(points))
    if not np.isfinite(found).all():
        return np.full(n, np.nan), np.full((n, n), np.nan)
    middle, up, down = found[0], found[1 : 2 * n + 1 : 2], found[2 : 2 * n + 1 : 2]
    gradient = (up - down) / (2 * h)
    hessian = np.diag((up - 2 * middle + down) / h**2)
    for (i, j), four in zip(pairs, found[2 * n + 1 :].reshape(-1, 4), strict=True):
        mixed = (four[0] - four[1] - four[2] + four[3]) / (4 * h[i] * h[j])
        hessian[i, j] = hessian[j, i] = mixed
    return gradient, hessian


def _unit(n: int, i: int) -> Any:
    out = np.zeros(n)
    out[i] = 1.0
    return out
