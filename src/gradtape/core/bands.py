"""Cotangents of a whole Jacobian while they are diagonals: n numbers in place of n * n.

The sweep of a Jacobian starts with the identity. What works element by element keeps it a
diagonal, a slice shifts it, a sum of shifted ones is a band. Only what mixes elements makes a full
matrix of it, and then one whose zeros were never multiplied.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from .buffers import SMALLEST, take
from .card import Card
from .registry import HOOKS

ndarray = np.ndarray
_MOST = 8  # diagonals in a band; beyond, a matrix is as cheap


class Bands:
    """Cotangents of the elements of an array of `shape`, counted in C order, for `rows` results.

    The cotangent of element j for result j + k is entry j of `diagonals[k]`, an array of `shape`;
    all others are 0. Entries whose result does not exist mean nothing.
    """

    __slots__ = ("diagonals", "rows", "shape")

    def __init__(self, rows: int, shape: tuple[int, ...], diagonals: dict[int, Any]) -> None:
        self.rows = rows
        self.shape = shape
        self.diagonals = diagonals

    def mapped(self, function: Callable[[Any], Any]) -> Bands:
        """Bands with `function`, which keeps the shape, applied to the numbers."""
        return Bands(self.rows, self.shape, {k: function(v) for k, v in self.diagonals.items()})

    def plus(self, other: Bands) -> Bands:
        """The sum of two."""
        total = dict(self.diagonals)
        for k, v in other.diagonals.items():
            total[k] = total[k] + v if k in total else v
        return Bands(self.rows, self.shape, total)

    def is_thin(self) -> bool:
        """Whether it is less to work with than the matrix."""
        return len(self.diagonals) <= _MOST

    def dense(self) -> Any:
        """The cotangents as an array of shape `(rows, *shape)`."""
        size = prod(self.shape)
        dtypes = {v.dtype for v in self.diagonals.values()}
        dtype = dtypes.pop() if len(dtypes) == 1 else np.result_type(*dtypes)
        shape = (self.rows, *self.shape)
        nbytes = self.rows * size * dtype.itemsize
        if nbytes >= SMALLEST:  # writing zeros costs less than faulting them in
            out = take(shape, dtype, nbytes)
            out.fill(0)
        else:
            out = np.zeros(shape, dtype)
        flat = out.reshape(-1)
        for k, v in self.diagonals.items():
            first, last = max(0, -k), min(size, self.rows - k)
            if first < last:
                start, step = (first + k) * size + first, size + 1
                flat[start : start + (last - first - 1) * step + 1 : step] = v.reshape(-1)[
                    first:last
                ]
        return out


def full(g: Any) -> Any:
    """Cotangents as an array."""
    return g.dense() if type(g) is Bands else g


def identity(shape: tuple[int, ...], dtype: Any, start: int = 0, stop: int | None = None) -> Any:
    """A cotangent of 1 for each element from `start` to `stop`, by itself."""
    size = prod(shape)
    stop = size if stop is None else stop
    if size < 2:
        return np.ones((stop - start, *shape), dtype)
    return Bands(stop - start, shape, {-start: np.ones(shape, dtype)})


# card -> function(record, bands): the cotangents of its operands by key, or None where the
# record cannot have them as bands. What has no entry gets the matrix.
BANDED: dict[Card, Callable[[list[Any], Bands], dict[int, Any] | None]] = {}
# card -> function(record, cotangents with the batch in front), for `batched_sweep.py`: the same of
# a stack; None where the card's own rule has to run.
STACKED: dict[Card, Any] = {}


def sliced(index: Any, shape: tuple[int, ...]) -> tuple[int, int] | None:
    """Where a read of consecutive rows by `index` starts and stops; None for any other read."""
    if type(index) is tuple and len(index) == 1:
        index = index[0]
    if type(index) is not slice or not shape:
        return None
    start, stop, step = index.indices(shape[0])
    return (start, max(start, stop)) if step == 1 else None


def read_rows(bands: Bands, start: int, stop: int) -> Bands:
    """The cotangents of rows `start` to `stop` by themselves."""
    shift = start * prod(bands.shape[1:])
    return Bands(
        bands.rows,
        (stop - start, *bands.shape[1:]),
        {k + shift: v[start:stop] for k, v in bands.diagonals.items()},
    )


def put_rows(bands: Bands, start: int, shape: tuple[int, ...]) -> Bands:
    """The cotangents of an array of `shape` of which `bands` are those of the rows from `start`."""
    shift = start * prod(shape[1:])
    found = {}
    for k, v in bands.diagonals.items():
        if type(v) is ndarray:
            found[k - shift] = whole = np.zeros(shape, v.dtype)
            whole[start : start + len(v)] = v
        else:
            rows = slice(start, start + len(v))
            found[k - shift] = HOOKS["scatter_add"](v, shape=shape, index=rows)
    return Bands(bands.rows, shape, found)
