"""Labels that a combination of the predictors tells apart without an error.

Then no finite coefficients have the lowest cost: they grow without end, and a fit that stops
somewhere on the way reports numbers that mean nothing (Albert and Anderson, 1984).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import three_part
from .formula import weighted_sum
from .optimizers import OPTIMIZERS, Memory, Point
from .problem import Problem
from .problems import FitError, require
from .rows import MemoryRows

__all__ = ["check_separation", "is_asked_afterwards"]

Array = NDArray[np.float64]

SUSPICIOUS = 20.0
"""Log-odds beyond this, and a separating direction is looked for."""
LARGEST = 2_000_000
"""Rows times columns, beyond which the linear programme takes too long."""
MOST_STEPS = 60
"""Of Newton's method; one makes coefficients that run away some 1.5 times as large."""
ROUNDING = 1e-8
"""What counts as 0 along a direction, as a part of how far it reaches."""


def is_asked_afterwards(problem: Problem, optimizer: str) -> bool:
    """Whether the descent comes first: where it is what would be asked, or the rows are many."""
    return optimizer == "newton" or _is_large(problem)


def _is_large(problem: Problem) -> bool:
    rows = problem.objective.rows
    return not isinstance(rows, MemoryRows) or rows.block.X.size > LARGEST


def check_separation(problem: Problem, reached: Point | None = None) -> None:
    """Refuse a logistic fit of a linear model that has no finite minimum.

    A few steps of Newton's method either reach the minimum, and then there is one, or run away;
    then a linear programme (Konis, 2007) says whether there is a separating direction. Of many
    rows, the direction in which the steps run away is looked at. Where a descent has come to
    already may be given: then the steps go on from there.

    Raises
    ------
    FitError
        When the labels are separated; it names the combination of predictors.
    """
    if problem.loss.labels != "binary" or not problem.model.is_linear:
        return
    if not _runs_away(problem, reached):
        return
    is_large = _is_large(problem)
    direction = _seen_direction(problem) if is_large else _direction(problem)
    if direction is not None:
        raise _separated(problem, direction)


def _steps(problem: Problem, point: Point | None = None) -> Iterator[tuple[Array, Array]]:
    """Where Newton's method comes to, and its last step there, until the gradient vanishes."""
    step = OPTIMIZERS["newton"].step
    assert step is not None
    if point is None:
        u = np.zeros(len(problem.names))
        point = Point(u, *problem.objective.cost_and_gradient(u))
    before = point.u
    memory: Memory = {}
    for _ in range(MOST_STEPS):
        yield point.u, point.u - before
        if np.linalg.norm(point.gradient) < 1e-10:
            return
        before = point.u
        following, memory = step(problem.objective, point, memory)
        if following is None:
            return
        point = following


def _runs_away(problem: Problem, point: Point | None) -> bool:
    return any(_farthest(problem, u) > SUSPICIOUS for u, _ in _steps(problem, point))


def _farthest(problem: Problem, u: Array) -> float:
    return max(float(np.abs(block.X @ u).max()) for block in problem.objective.rows.blocks())


def _seen_direction(problem: Problem) -> Array | None:
    """A separating direction among where Newton's method runs to and its steps, if there is one.

    Where all rows are told apart, the place itself is one in the end; where some are left
    undecided, it has coefficients for these too, and only the step has none.
    """
    for u, step in _steps(problem):
        if _farthest(problem, u) > SUSPICIOUS:
            for direction, zero in ((u, 0.0), (step, ROUNDING)):
                if _separates(problem, direction, zero):
                    return direction
    return None


def _separates(problem: Problem, direction: Array, zero: float) -> bool:
    nearest = -zero * _farthest(problem, direction)
    for block in problem.objective.rows.blocks():
        reach = block.X @ direction
        right = np.where(block.y > 0.5, reach, -reach)
        is_share = (block.y != 0) & (block.y != 1)  # has no side: nothing may move it
        if np.where(is_share, -np.abs(reach), right).min() < nearest:
            return False
    return bool(direction.any())


def _direction(problem: Problem) -> Array | None:
    """Return w with `X w >= 0` where y is 1 and `<= 0` where it is 0, if there is one but 0.

    One predictor alone if that is enough, else one that leaves room between the labels, else any.
    """
    rows = problem.objective.rows
    assert isinstance(rows, MemoryRows)
    block = rows.block
    is_label = (block.y == 0) | (block.y == 1)
    sign = np.where(block.y > 0.5, 1.0, -1.0)[is_label]
    S = block.X[is_label] * sign[:, None]
    shares = block.X[~is_label]  # a label between 0 and 1 has no side: there X w is 0
    if not len(shares):
        alone = _one_predictor(block.X, sign, problem.design.intercept)
        if alone is not None:
            return alone
    n, p = S.shape
    zeros = np.zeros(len(shares))
    equal = {"A_eq": np.column_stack([shares, zeros]), "b_eq": zeros}
    apart: Any = require("scipy.optimize").linprog(
        np.append(np.zeros(p), -1.0),  # the smallest of the distances, as large as it can be
        A_ub=np.column_stack([-S, np.ones(n)]),
        b_ub=np.zeros(n),
        bounds=[(-1, 1)] * p + [(0, None)],
        method="highs",
        **(equal if len(shares) else {}),
    )
    enough = 1e-7 * np.abs(S).max()
    if apart.success and -apart.fun > enough:
        return np.asarray(apart.x[:p])
    solved: Any = require("scipy.optimize").linprog(
        -S.sum(axis=0),
        A_ub=-S,
        b_ub=np.zeros(n),
        bounds=(-1, 1),
        method="highs",
        **({"A_eq": shares, "b_eq": zeros} if len(shares) else {}),
    )
    return np.asarray(solved.x) if solved.success and -solved.fun > enough else None


def _one_predictor(X: Array, sign: Array, intercept: int | None) -> Array | None:
    for j in range(X.shape[1]):
        column = X[:, j]
        for way in (1.0, -1.0):
            low, high = (way * column[sign > 0]).min(), (way * column[sign < 0]).max()
            border = 0.5 * (low + high) if intercept is not None and j != intercept else 0.0
            if low > border > high or (border == 0.0 and low > 0.0 > high):
                direction = np.zeros(X.shape[1])
                direction[j] = way
                if intercept is not None:
                    direction[intercept] -= border
                return direction
    return None


def _separated(problem: Problem, direction: Array) -> FitError:
    design = problem.design
    farthest = _farthest(problem, direction)
    undecided = sum(
        int((np.abs(block.X @ direction) <= ROUNDING * farthest).sum())
        for block in problem.objective.rows.blocks()
    )
    weights = problem.to_data @ direction
    largest = np.maximum(np.abs(design.summary.low), np.abs(design.summary.high))[:-1]
    share = np.abs(weights) * largest
    kept = [j for j in range(len(weights)) if share[j] > 1e-6 * share.max()]
    slopes = [j for j in kept if j != design.intercept] or kept
    scale = float(np.abs(weights[slopes]).max())
    names = [design.names[j] for j in kept]
    combination = weighted_sum(names, [float(weights[j]) / scale for j in kept])
    one = "1" if design.labels is None else repr(design.labels.one)
    zero = "0" if design.labels is None else repr(design.labels.zero)
    if undecided:
        fact = f"is never below 0 where the label is {one} and never above 0 where it is {zero}"
    else:
        fact = f"is above 0 where the label is {one} and below 0 where it is {zero}"
    predictors = [design.names[j] for j in kept if j != design.intercept]
    predictors.sort(key=lambda name: -share[design.names.index(name)])
    return FitError(
        three_part(
            f"The labels of {design.response} are separated: {combination} {fact}"
            + (f"; in {undecided} of {design.n} rows it is 0." if undecided else ", in every row."),
            "So the cost has no minimum: the coefficients of "
            f"{', '.join(predictors) or 'the intercept'} would grow without end.",
            f"Take {predictors[0] if predictors else 'a predictor'} out of the formula, put rare "
            "categories together, or add rows in which the labels overlap.",
        )
    )
