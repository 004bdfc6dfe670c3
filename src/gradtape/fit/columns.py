"""What is known of the columns of a design: sizes, spreads, and which are no columns of their own.

Everything is gathered block by block, so that a table that does not fit into memory is looked at
with the same eyes: means and spreads (Chan, Golub and LeVeque, 1983), and the triangular factor
of a QR decomposition, which grows by one small decomposition per block (Demmel and others, 2012).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import three_part
from .formula import INTERCEPT, weighted_sum
from .problems import FitError
from .rows import Block

__all__ = ["Summary", "check_columns", "gather", "triangular"]

Array = NDArray[np.float64]

COLLINEAR = 1e-9
"""A unit column of which less than this is left after the others is a combination of them."""


@dataclass(frozen=True)
class Summary:
    """Sums over the rows.

    Attributes
    ----------
    n : int
        How many rows there are.
    weight : float
        What they count together; `n` without weights.
    low, high : ndarray, (p + 1,)
        The smallest and the largest value of each column, the label last.
    mean : ndarray, (p + 1,)
        Weighted means, the label last.
    square : ndarray, (p + 1,)
        Weighted sums of squared distances from the mean, the label last.
    shift : ndarray, (p + 1,)
        What was taken from each column before the decomposition.
    factor : ndarray, (p + 1, p + 1)
        R of the QR decomposition of the rows, each times the root of its weight.
    """

    n: int
    weight: float
    low: Array
    high: Array
    mean: Array
    square: Array
    shift: Array
    factor: Array


def gather(before: Summary | None, block: Block, *, intercept: int | None) -> Summary:
    """Return the summary of the rows so far and those of `block`."""
    table = np.column_stack([block.X, block.y])
    weights = np.ones(len(block)) if block.weights is None else block.weights
    weight = float(weights.sum())
    mean = weights @ table / weight if weight > 0 else table.mean(axis=0)
    square = weights @ (table - mean) ** 2
    low, high = table.min(axis=0), table.max(axis=0)
    if before is None:
        # Columns are shifted by the mean of the first block before they are decomposed: what is
        # left has the size of the spread, and no digits are lost to a large mean.
        shift = np.zeros_like(mean)
        if intercept is not None:
            shift = mean.copy()
            shift[intercept] = 0.0
        return Summary(
            len(block), weight, low, high, mean, square, shift, _weighted(table - shift, weights)
        )
    total = before.weight + weight
    step = mean - before.mean
    return Summary(
        before.n + len(block),
        total,
        np.minimum(before.low, low),
        np.maximum(before.high, high),
        before.mean + step * (weight / total),
        before.square + square + step**2 * (before.weight * weight / total),
        before.shift,
        _weighted(table - before.shift, weights, before.factor),
    )


def _weighted(table: Array, weights: Array, above: Array | None = None) -> Array:
    return triangular(table * np.sqrt(weights)[:, None], above)


def triangular(table: Array, above: Array | None = None) -> Array:
    """Return R of the QR decomposition of the rows, under those of `above` if there are any.

    Some thousand rows at a time, which stay in the cache: many times faster than all at once.
    """
    factor = np.zeros((0, table.shape[1])) if above is None else above
    for start in range(0, len(table), 4096):
        rows = table[start : start + 4096]
        made: Any = np.linalg.qr(np.concatenate([factor, rows]) if len(factor) else rows, mode="r")
        factor = made
    short = table.shape[1] - len(factor)
    return np.concatenate([factor, np.zeros((short, table.shape[1]))]) if short > 0 else factor


def check_columns(summary: Summary, names: tuple[str, ...], formula: str) -> None:
    """Refuse constant columns and combinations of earlier ones, naming both.

    Gram-Schmidt in the formula's order, twice for accuracy (Giraud and others, 2005, "twice is
    enough"): what is left of a unit column after the columns before it. The triangular factor has
    the lengths and angles of the columns themselves.
    """
    has_intercept = INTERCEPT in names
    X = summary.factor[:, :-1]
    basis: list[Array] = []
    kept: list[int] = []
    order = sorted(range(len(names)), key=lambda j: names[j] != INTERCEPT)
    for j in order:
        name, column = names[j], X[:, j]
        size = max(abs(summary.low[j]), abs(summary.high[j]))
        is_constant = summary.high[j] - summary.low[j] <= 1e-12 * size
        if name != INTERCEPT and is_constant and (has_intercept or size == 0):
            raise FitError(
                three_part(
                    f"Column {name} is constant: it is {summary.low[j]:g} in every row.",
                    "Its effect cannot be told from the intercept's." if size else "",
                    f"Take it out of the formula {formula!r}, or use rows in which it differs.",
                )
            )
        centred = column
        if has_intercept and name != INTERCEPT:
            centred = column - (basis[0] @ column) * basis[0]
        length = float(np.linalg.norm(centred))
        rest = centred / length if length > 0 else centred
        for _ in range(2):
            for direction in basis:
                rest = rest - (direction @ rest) * direction
        left_over = float(np.linalg.norm(rest))
        if left_over < COLLINEAR:
            raise _collinear(summary, names, j, kept, formula)
        basis.append(rest / left_over)
        kept.append(j)


def _collinear(
    summary: Summary, names: tuple[str, ...], j: int, kept: list[int], formula: str
) -> FitError:
    earlier = summary.factor[:, kept]
    weights = np.linalg.lstsq(earlier, summary.factor[:, j], rcond=None)[0]
    shift = summary.shift
    for position, k in enumerate(kept):  # the factor is that of the shifted columns
        if names[k] == INTERCEPT:
            others = [i for i in range(len(kept)) if i != position]
            weights[position] += shift[j] - sum(weights[i] * shift[kept[i]] for i in others)
    largest = np.maximum(np.abs(summary.low), np.abs(summary.high))
    share = np.abs(weights) * largest[kept] / largest[j]
    takes_part = [k for k, part in enumerate(share) if part > 1e-8]
    others_named = tuple(names[kept[k]] for k in takes_part)
    combination = weighted_sum(others_named, [float(weights[k]) for k in takes_part])
    named = " and ".join(name for name in others_named if name != INTERCEPT)
    return FitError(
        three_part(
            f"Columns {names[j]} and {named} are collinear.",
            f"In every row {names[j]} = {combination}, so that no fit can tell them apart.",
            f"Take one of them out of the formula {formula!r}.",
        )
    )
