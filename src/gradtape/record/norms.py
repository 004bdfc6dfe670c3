"""Norms of values, gradients and updates, at the price of one look at the memory.

Large arrays go block by block through the cache: a temporary array of their size would cost more in
page faults than the arithmetic, and BLAS would wait for its other threads.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.squares import square_sum

__all__ = ["NAN", "difference_norm", "norm", "zero_fraction"]

BLOCK = 8192
NAN = math.nan


def norm(x: Any) -> float:
    """The Euclidean norm of all elements; nan for None.

    >>> norm(np.array([3.0, 4.0])), norm(None)
    (5.0, nan)
    """
    if x is None:
        return NAN
    flat = _flat(x)
    with np.errstate(all="ignore"):
        if flat.dtype.char == "d":
            return math.sqrt(square_sum(flat))
        return math.sqrt(sum(square_sum(_doubles(flat[i : i + BLOCK])) for i in _starts(flat)))


def difference_norm(now: Any, before: Any) -> float:
    """The norm of `now - before`, of one shape and dtype.

    >>> difference_norm(np.array([3.0, 4.0]), np.array([3.0, 1.0]))
    3.0
    """
    if now is before:
        return 0.0
    a, b = _flat(now), _flat(before)
    total = 0.0
    with np.errstate(all="ignore"):
        for i in _starts(a):
            part = _doubles(np.subtract(a[i : i + BLOCK], b[i : i + BLOCK]))
            total += float(part.dot(part))
    return math.sqrt(total)


def zero_fraction(x: Any) -> float:
    """Which part of the elements is exactly 0; nan for None and for none.

    >>> zero_fraction(np.array([0.0, 2.0, 0.0, 1.0]))
    0.5
    """
    if x is None or not np.size(x):
        return NAN
    flat = _flat(x)
    some = sum(int(np.count_nonzero(flat[i : i + BLOCK] != 0)) for i in _starts(flat))
    return 1.0 - some / int(flat.size)


def _flat(x: Any) -> Any:
    """All elements as a vector of real numbers."""
    flat = np.asarray(x).reshape(-1)
    return np.concatenate([flat.real, flat.imag]) if flat.dtype.kind == "c" else flat


def _starts(flat: Any) -> range:
    return range(0, flat.size, BLOCK)


def _doubles(flat: Any) -> Any:
    return flat if flat.dtype.char == "d" else flat.astype(np.float64)
