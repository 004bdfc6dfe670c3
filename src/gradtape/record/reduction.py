"""Fewer points of a series for a screen: what is lowest and highest in each bucket stays.

A line drawn through the points that are left covers the same pixels as one through all of them.
Nothing is averaged: each point that is left is a point of the series.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["extremes"]

Array = NDArray[np.float64]


def extremes(values: Array, buckets: int) -> NDArray[np.intp]:
    """Return the positions, ascending, of the points to draw.

    values : (n,). Of each of about `buckets` runs of neighbours stay the lowest and the highest
    finite value and the first NaN, the first inf and the first -inf; of the series the first and
    the last point. All of them, if there are no more than two per bucket.

    >>> extremes(np.array([0.0, 5, 1, 2, 3, -4, 7, np.nan, 8, 9]), 2).tolist()
    [0, 1, 5, 7, 9]
    """
    n = len(values)
    if n <= 2 * buckets:
        return np.arange(n)
    size = -(-n // buckets)
    whole = n // size
    body = values[: whole * size].reshape(whole, size)
    starts = np.arange(whole) * size
    with np.errstate(invalid="ignore"):
        low, high = body.min(axis=1), body.max(axis=1)
    usual = np.isfinite(low) & np.isfinite(high)
    kept = [np.array([0, n - 1])]
    kept += [starts[usual] + body[usual].argmin(axis=1), starts[usual] + body[usual].argmax(axis=1)]
    kept += _of_any(body[~usual], starts[~usual])
    if whole * size < n:
        kept += _of_any(values[np.newaxis, whole * size :], np.array([whole * size]))
    return np.unique(np.concatenate(kept))


def _of_any(rows: Array, starts: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """The positions to keep of buckets, one a row, whatever they hold."""
    finite = np.isfinite(rows)
    some = finite.any(axis=1)
    low = np.where(finite, rows, np.inf)[some].argmin(axis=1)
    high = np.where(finite, rows, -np.inf)[some].argmax(axis=1)
    found = [starts[some] + low, starts[some] + high]
    for special in (np.isnan(rows), np.isposinf(rows), np.isneginf(rows)):
        has = special.any(axis=1)
        found.append(starts[has] + special[has].argmax(axis=1))
    return found
