"""Following: a loop that computes its own gradients hands over the numbers of each step.

`gradtape fit` descends in units of its own; what its run shows are the coefficients by name. The
cost in these is run once on a tape, so that the run has graph and inputs, from which predictions
and costs are computed again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.variable import Variable
from ..tape.tape import GradientTape
from .capture import Capture

__all__ = ["Step", "follow"]

Step = Callable[[float, Sequence[float], Sequence[float]], None]


def follow(capture: Capture, start: dict[str, float], cost: Any = None) -> Step:
    """What records a step from its numbers; see `Recording.follow`."""
    variables = [Variable(value, name=name) for name, value in start.items()]
    capture.records.keeps_prediction = False  # of one step, it would stand for all
    capture.records.labels = list(getattr(cost, "labels", ()))
    if cost is None:
        capture.level, capture.looks = "scalars", False  # there is no graph
    if not capture.listens:
        capture.start()
    with np.errstate(all="ignore"), GradientTape() as tape:
        target = cost(variables) if cost is not None else _zero(variables)
    tape.gradient(target, variables, unconnected_gradients="zero")
    capture.deafen()
    call = capture.parts[0].call
    capture.parts.clear()
    number, width, order = capture.layout(((call, call.cost),), ())
    capture.moment = time.perf_counter()  # the first step begins, now that the graph is known

    def step(value: float, values: Sequence[float], gradients: Sequence[float]) -> None:
        now = time.perf_counter()
        gathered = [now - capture.moment, value, *values, *gradients]
        capture.moment = now
        row = [capture.steps.number, *[gathered[i] for i in order]]
        capture.rows.add(number, width, row)
        capture.steps.number += 1

    return step


def _zero(variables: list[Variable]) -> Any:
    """A cost of which only its Variables are known."""
    total: Any = 0.0
    for variable in variables:
        total = total + 0.0 * variable
    return total
