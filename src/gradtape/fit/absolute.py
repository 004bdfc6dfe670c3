"""The least absolute errors of a linear model, exactly: as a linear programme.

Absolute errors have a kink at their minimum, where no gradient vanishes; so whether a descent has
reached it cannot be read off the descent. The linear programme (Wagner, 1959) can tell.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .problem import Problem
from .problems import require
from .rows import MemoryRows

__all__ = ["least_absolute"]

Array = NDArray[np.float64]

LARGEST = 400_000
"""Rows times columns: beyond it the programme takes longer than the descent."""


def least_absolute(problem: Problem) -> Array | None:
    """Return the coefficients of the lowest cost, (p,), in the data's units, or None.

    None where the programme is too large, where it is not solved, and for a model that is not
    linear. The dual is solved: maximise `y @ d` with `X.T @ d = 0` and each `d` between minus and
    plus its weight; the coefficients are the multipliers of its equations.
    """
    rows = problem.objective.rows
    if not problem.model.is_linear or not isinstance(rows, MemoryRows):
        return None
    X, y = rows.block.X, rows.block.y
    if X.size > LARGEST:
        return None
    weights = np.ones(len(y)) if rows.block.weights is None else rows.block.weights
    scale = float(np.abs(y).max())
    solved = require("scipy.optimize").linprog(
        -y / scale,
        A_eq=X.T,
        b_eq=np.zeros(X.shape[1]),
        bounds=np.column_stack([-weights, weights]),
        method="highs",
    )
    if not solved.success:
        return None
    return problem.to_data @ (-scale * np.asarray(solved.eqlin.marginals))
