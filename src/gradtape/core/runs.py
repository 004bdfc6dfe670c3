"""Short runs in longer loops: sums, extrema and broadcasts over a last axis of a few elements.

NumPy starts its inner loop anew for each run of elements that lie in line, some 10 ns each time: a
sum over an axis of 3, or `x[:, None] - means` of points in the plane, spends nearly all of its
time so. The same work laid out otherwise, in blocks that stay in the cache, has long loops.
"""

from __future__ import annotations

import functools
from math import prod
from typing import Any

import numpy as np

from . import short

ndarray = np.ndarray
_MANY = 4096  # elements from which it pays to lay the work out
_BLOCK = 1 << 18  # bytes of a block that stays in the cache
# Stacks of matrices small enough that BLAS keeps to this thread: handing a part to another costs a
# time slice where that one's core is busy.
_ALONE = 8192

# ------------------------------------------------------------------------------ reductions

_SUMMED = 64  # the longest run that a product with ones sums faster, in a fifth of the time
_ADDED = 256  # the longest run that it adds faster to others like it
_FEW = 64  # rows up to which it does not
_COMPARED = 48  # the longest run whose extremum is found faster after a transposition


def add_reduce(x: Any, axis: Any = None, keepdims: bool = False, **params: Any) -> Any:
    """`np.add.reduce`; sums over a short last axis, or over all axes but that, by BLAS.

    They differ from NumPy's within rounding: those over the first axes, which NumPy adds one by
    one, are more exact.
    """
    if params or not _has_short_runs(x, axis, _SUMMED):
        if not params and _has_short_rows(x, axis):
            return _added(x, axis, keepdims)
        return np.add.reduce(x, axis=axis, keepdims=keepdims, **params)
    n = x.shape[-1]
    rows = x.reshape(-1, n)
    count, height = len(rows), _ALONE // n
    whole = count - count % height
    ones, out = _ones(n, x.dtype.char), np.empty(count, x.dtype)
    blocks = rows[:whole].reshape(-1, height, n)
    np.matmul(blocks, ones, out[:whole].reshape(-1, height, 1))
    if whole < count:
        np.matmul(rows[whole:], ones, out[whole:, None])
    return out.reshape(*x.shape[:-1], 1) if keepdims else out.reshape(x.shape[:-1])


def _has_short_rows(x: Any, axis: Any) -> bool:
    """Whether `axis` is the first ones of an array of many rows, of up to 256 elements each."""
    if type(axis) is int:
        axis = (axis,)
    return (
        type(x) is ndarray
        and type(axis) is tuple
        and 0 < len(axis) < x.ndim
        and axis == _FIRST[: len(axis)]
        and x.size >= _MANY
        and 1 < prod(x.shape[len(axis) :]) <= min(_ADDED, x.size // _FEW)
        and x.dtype.char in "fd"
        and x.flags.c_contiguous
    )


_FIRST = tuple(range(64))


def _added(x: Any, axis: Any, keepdims: bool) -> Any:
    """The sum of the rows of `x`, which has short ones."""
    summed = 1 if type(axis) is int else len(axis)
    shape = x.shape[summed:]
    rows = x.reshape(-1, prod(shape))
    height = _ALONE // rows.shape[1]
    blocks, whole = len(rows) // height, len(rows) - len(rows) % height
    ones = _ones(height, x.dtype.char).T
    out = ones[0, : len(rows) - whole] @ rows[whole:]
    if blocks:
        out += np.add.reduce(np.matmul(ones, rows[:whole].reshape(blocks, height, -1)), axis=(0, 1))
    return out.reshape((1,) * summed + shape if keepdims else shape)


@functools.lru_cache(maxsize=2 * _SUMMED)
def _ones(n: int, char: str) -> Any:
    return np.ones((n, 1), char)


def extremum(reduce: Any) -> Any:
    """`np.maximum.reduce` or `np.minimum.reduce`, faster over a short last axis."""

    def reduced(x: Any, axis: Any = None, keepdims: bool = False, **params: Any) -> Any:
        if params or not _has_short_runs(x, axis, _COMPARED):
            return reduce(x, axis=axis, keepdims=keepdims, **params)
        n = x.shape[-1]
        rows = x.reshape(-1, n)
        out, height = np.empty(len(rows), x.dtype), _BLOCK // (n * x.itemsize)
        for start in range(0, len(rows), height):
            columns = np.ascontiguousarray(rows[start : start + height].T)
            reduce(columns, axis=0, out=out[start : start + height])
        return out.reshape(*x.shape[:-1], 1) if keepdims else out.reshape(x.shape[:-1])

    return reduced


def _has_short_runs(x: Any, axis: Any, longest: int) -> bool:
    """Whether `axis` is the last one of an array of many rows of 2 to `longest` elements."""
    return (
        type(x) is ndarray
        and x.ndim > 1
        and 1 < x.shape[-1] <= longest
        and x.size >= _MANY
        and axis in (-1, x.ndim - 1, (-1,), (x.ndim - 1,))
        and x.dtype.char in "fd"
        and x.flags.c_contiguous
    )


# ------------------------------------------------------------------------------ broadcasts

_SHARED = 24  # the longest run that it always pays to repeat
_TILE = 8192  # elements of a row that has been repeated; NumPy's loop is then at its full speed
_LONG = 1 << 17  # elements of a result from which a tile pays for longer runs, up to its quarter


def broadcast(ufunc: Any, x: Any, y: Any, out: Any) -> Any:
    """`ufunc(x, y)` into `out`, contiguous, of the dtype of `x` and `y` and the shape of both.

    An operand that broadcasting repeats beside a short run is repeated in memory first, where no
    native loop does it. `out` may be the other one.
    """
    if out is not x and out is not y and short.binary(ufunc, x, y, out):
        return out
    found = _layout(x.shape, y.shape)
    if found is None:
        return ufunc(x, y, out=out)
    is_x, outer, times, run = found
    few, many = (x, y) if is_x else (y, x)
    few, into, room = few.reshape(outer, run), out.reshape(outer, times, run), None
    if many is out:
        room = np.empty(max(_BLOCK // out.itemsize, 2 * _TILE), out.dtype)

    def call(few: Any, many: Any, out: Any) -> None:
        ufunc(*((few, many) if is_x else (many, few)), out=out)

    shared = many.size < out.size  # each row of `few` meets the same
    many = many.reshape(1 if shared else outer, times, run)
    if outer > 1 and times * run * out.itemsize <= _BLOCK:
        _repeat(call, few, many, into, room)
        return out
    for n in range(outer):
        _tile(call, few[n], many[0 if shared else n], into[n])
    return out


def _tile(call: Any, row: Any, many: Any, out: Any) -> None:
    """`call(row, many, out)` where one short row meets all of `many`."""
    times, run = out.shape
    each = max(1, min(_TILE // run, times))
    tile, whole = _tiled(row, each), times - times % each
    call(tile, many[:whole].reshape(-1, tile.size), out[:whole].reshape(-1, tile.size))
    if whole < times:
        rest = out[whole:].reshape(-1)
        call(tile[: rest.size], many[whole:].reshape(-1), rest)


def _tiled(row: Any, times: int) -> Any:
    """`np.tile(row, times)`, for a third of what it costs."""
    tile = np.empty((times, row.size), row.dtype)
    tile[...] = row
    return tile.reshape(-1)


def _repeat(call: Any, few: Any, many: Any, out: Any, room: Any) -> None:
    """`call(few[:, None], many, out)` where a row of `few` meets some rows of `many`.

    The rows are first repeated in `room` for a block, or where the results will be.
    """
    outer, times, run = out.shape
    width = times * run
    each = max(1, _TILE // width)  # rows of the result to one of a tile
    height = each * max(1, _BLOCK // (each * width * out.itemsize))
    index = _repeated(height, times)
    tile = _tiled(many.reshape(-1), each) if len(many) == 1 else None
    for start in range(0, outer, height):
        block = out[start : start + height]
        n = len(block)
        repeated = block if room is None else room[: block.size].reshape(block.shape)
        few[start : start + n].take(index[:n], 0, repeated, "clip")
        if tile is None:
            call(repeated, many[start : start + n], block)
            continue
        whole = n - n % each
        tiled, rest = block[:whole].reshape(-1, tile.size), block[whole:].reshape(-1)
        call(tiled, tile, tiled)
        call(rest, tile[: rest.size], rest)


@functools.lru_cache(maxsize=16)
def _repeated(rows: int, times: int) -> Any:
    return np.repeat(np.arange(rows), times).reshape(rows, times)


@functools.lru_cache(maxsize=256)
def _layout(x: tuple[int, ...], y: tuple[int, ...]) -> tuple[bool, int, int, int] | None:
    """(whether it is x that has rows to repeat, how many, how often, of what length), or None.

    That is so where both operands have the last axes, a short run; one alone those before; and
    the one without these all that are before them, or there are none.
    """
    groups = short.grouped(x, y)
    if not 2 <= len(groups) <= 3 or groups[-1][:2] != (True, True):
        return None
    has_x, _, times = groups[-2]
    run, outer = groups[-1][2], prod(n for *_, n in groups[:-2])
    size = prod(n for *_, n in groups)
    if run > (_SHARED if outer > 1 or size < _LONG else _TILE // 4):
        return None
    is_x = not has_x
    return (is_x, outer, times, run) if len(groups) == 2 or groups[0][not is_x] else None
