"""Cotangents by key: how they are summed, and when one may be written in place.

A cotangent is added to in place only when the dictionary of the sweep alone refers to it, which
the reference count tells; `add` hands one array to both operands, so no rule could declare it.
"""

from __future__ import annotations

import sys
from math import isfinite, prod
from typing import Any

import numpy as np

from . import parallel
from .buffers import owns
from .registry import HOOKS
from .runs import add_reduce
from .squares import square_sum

_getrefcount = sys.getrefcount
ndarray = np.ndarray
_add_reduce = np.add.reduce
_WIDE = 32  # elements of a row from which NumPy's loop over it is not mostly its start
# What is summed one after the other: so many elements, or rows where these are long.
_BLOCK = 1 << 15
_ROWS = 512


def sum_to(g: Any, shape: tuple[int, ...] | None) -> Any:
    """`g` summed over the axes that broadcasting added to reach it from `shape` (None: 0-d)."""
    if not shape:
        return _add_reduce(g, axis=None)
    extra = g.ndim - len(shape)
    if extra:
        g = add_reduce(g, tuple(range(extra)))
    axes = tuple(i for i, n in enumerate(shape) if n == 1 and g.shape[i] != 1)
    return add_reduce(g, axes, True) if axes else g


def product_sum(g: Any, p: Any, shape: tuple[int, ...]) -> Any:
    """`sum_to(g * p, shape)` of large arrays, with no product in memory; None where not so.

    That is where the leading axes are summed: a multiplication and an addition in one pass. It
    says None of a NaN as well, which may be none.
    """
    if not (
        type(p) is ndarray
        and p.shape == g.shape
        and p.dtype is g.dtype
        and g.dtype.char in "fd"
        and g.flags.c_contiguous
        and p.flags.c_contiguous
    ):
        return None
    first = 0
    while first < len(shape) and shape[first] == 1:
        first += 1
    width = prod(shape[first:])
    if width < _WIDE or shape[first:] != g.shape[g.ndim - len(shape) + first :]:
        return None
    g, p = g.reshape(-1, width), p.reshape(-1, width)
    total, height = np.zeros(width, g.dtype), max(-(-_BLOCK // width), _ROWS)
    for start in range(0, len(g), height):
        stop = start + height
        total += np.einsum("ij,ij->j", g[start:stop], p[start:stop])
    return None if np.isnan(total.dot(total)) else total.reshape(shape)


def seen_once(g: Any) -> Any:
    """`g` with axes of length 1 where it repeats its numbers, as the cotangent of a sum does."""
    return g[tuple(slice(None) if step else slice(1) for step in g.strides)]


def twice_few(g: Any) -> Any:
    """Twice `g` where few numbers are seen as many, as in the cotangent of a sum; else None."""
    if 0 not in g.strides or g.dtype.char not in "fd":
        return None
    few = seen_once(g)
    few = few + few
    return np.broadcast_to(few, g.shape) if isfinite(square_sum(few.reshape(-1))) else None


def accumulate(grads: dict[int, Any], key: int, gi: Any) -> None:
    """Add `gi` to the cotangent of `key`."""
    p = grads.get(key)
    if p is None:
        grads[key] = gi
    elif type(p) is ndarray:
        _add_array(grads, key, p, gi)
    else:
        grads[key] = p + gi


def can_add(p: Any, g: Any) -> bool:
    """Whether something of the shape and dtype of `g`, large and contiguous, may be added to `p`.

    To be called like `_add_array`, with a `p` that the caller and the sweep alone hold.
    """
    return bool(
        _getrefcount(p) == _OWNED
        and owns(p)
        and g.shape == p.shape
        and g.dtype is p.dtype
        and p.flags.writeable
        and p.flags.c_contiguous
        and g.flags.c_contiguous
    )


def _add_array(grads: dict[int, Any], key: int, p: Any, gi: Any) -> None:
    if (
        _getrefcount(p) == _OWNED
        and owns(p)
        and type(gi) is ndarray
        and gi.shape == p.shape
        and gi.dtype == p.dtype
        and p.flags.writeable
    ):
        if p.nbytes >= parallel.SMALLEST and p.flags.c_contiguous and gi.flags.c_contiguous:
            _add_spread(p.reshape(-1), gi.reshape(-1))
        else:
            p += gi
    else:
        grads[key] = p + gi


def _add_spread(p: Any, gi: Any) -> None:
    def part(start: int, stop: int) -> None:
        np.add(p[start:stop], gi[start:stop], p[start:stop])

    parallel.split(part, p.size)


_OWNED = 1 << 30


def _calibrate() -> int:
    """The reference count `_add_array` sees for an array that only `grads` holds."""
    seen: list[int] = []

    def probe(grads: dict[int, Any], key: int, p: Any, gi: Any) -> None:
        seen.append(_getrefcount(p))

    def caller(grads: dict[int, Any], key: int, gi: Any) -> None:
        p = grads.get(key)
        if p is None:
            grads[key] = gi
        elif type(p) is ndarray:
            probe(grads, key, p, gi)

    caller({1: np.zeros(3)}, 1, None)
    return seen[0]


_OWNED = _calibrate()

HOOKS["accumulate"] = accumulate
HOOKS["sum_to"] = sum_to
