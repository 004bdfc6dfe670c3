"""What a recorded fit replays: the cost as a function of its coefficients, each by its name.

The descent has one vector in units of its own; a reader of the run wants the formula's names and
the data's units. So the cost is written down once more, in these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .problem import Problem

__all__ = ["MOST_ROWS", "named_cost"]

MOST_ROWS = 200_000  # beyond, the data are not written into the run


def named_cost(problem: Problem) -> Callable[[Sequence[Any]], Any] | None:
    """The cost of coefficients in the data's units, one Variable each; None of too many rows.

    The order is that of `problem.names`.
    """
    if problem.design.rows.n > MOST_ROWS:
        return None
    block = problem.design.block
    model, loss = problem.model, problem.loss
    own = len(model.names)
    divisor = problem.objective.divisor
    columns = [np.ascontiguousarray(block.X[:, j]) for j in range(block.X.shape[1])]

    def prediction(parameters: Sequence[Any]) -> Any:
        if not model.is_linear:
            return model(list(parameters), block.X)
        total: Any = None
        for coefficient, column in zip(parameters, columns, strict=True):
            term = coefficient if (column == 1.0).all() else coefficient * column
            total = term if total is None else total + term
        return total

    def cost(parameters: Sequence[Any]) -> Any:
        losses = loss.value(block.y, prediction(parameters[:own]), *parameters[own:])
        if np.shape(losses) != block.y.shape:
            losses = np.broadcast_to(losses, block.y.shape)
        if block.weights is not None:
            losses = block.weights * losses
        return np.sum(losses) / divisor

    # what a reader of the run sees at the axes
    labels = [(block.y, problem.design.response)]
    if model.is_linear:
        labels += list(zip(columns, problem.design.names, strict=True))
    cost.labels = labels  # type: ignore[attr-defined]
    return cost
