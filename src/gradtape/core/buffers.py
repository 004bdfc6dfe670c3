"""Reuse of large result buffers: what was freed is written again instead of faulted in anew.

Allocating a result of some megabytes costs more in page faults than computing it. `take` hands
out an array over a buffer that the pool remembers; when nothing refers to the array any more, the
reference count of its buffer says so, and the next `take` of that size gets it. So nothing is
ever given out twice, whoever keeps an array keeps its buffer, and nothing needs to be returned.
"""

from __future__ import annotations

import os
import sys
from _thread import allocate_lock
from typing import Any

import numpy as np

from .. import config
from . import parallel

_getrefcount = sys.getrefcount
SMALLEST = 1 << 17  # bytes; below it malloc mostly reuses memory by itself
_TAUGHT = 1 << 21  # bytes up to which it does so once it has been taught


class Buffer(np.ndarray[Any, Any]):
    """The memory under a reused array; arrays over it own it, though their `base` is set."""

    __slots__ = ()


_pool: dict[int, list[Buffer]] = {}
_held = 0
_lock = allocate_lock()


def _renew_lock() -> None:
    """A forked child may have copied the lock while another thread held it."""
    global _lock
    _lock = allocate_lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def take(shape: tuple[int, ...], dtype: Any, nbytes: int) -> Any:
    """An uninitialised array, over a buffer that nothing refers to any more if there is one."""
    with _lock:
        return _take(shape, dtype, nbytes)


def _take(shape: tuple[int, ...], dtype: Any, nbytes: int) -> Any:
    global _held
    for buffer in _pool.get(nbytes, ()):
        if _getrefcount(buffer) == _FREE:
            return np.ndarray(shape, dtype, buffer)
    if _held + nbytes > config.current.reuse_buffers:
        _release()
        if _held + nbytes > config.current.reuse_buffers:
            return np.empty(shape, dtype)
    if not _held:
        _teach()
    buffer = Buffer((nbytes,), np.uint8)
    _pool.setdefault(nbytes, []).append(buffer)
    _held += nbytes
    return np.ndarray(shape, dtype, buffer)


def _teach() -> None:
    """Let malloc keep what NumPy's temporaries of some 100 kB were, as blocks of a rule have them.

    glibc gives memory back to the system, page by page to be faulted in again, from a size on that
    it learns from large arrays that a program has freed. Those are in the pool here. So it gets to
    see one; nobody touches its pages. Elsewhere this does nothing.
    """
    np.empty(_TAUGHT, np.uint8)


def spread(
    ufunc: Any,
    operands: tuple[Any, ...],
    like: Any,
    out: Any = None,
    limit: int = parallel.SMALLEST,
) -> Any:
    """`ufunc(*operands)` into `out` or a reused buffer; over several threads if it is very large.

    Each operand is a scalar or a contiguous array of the shape and dtype of `like`.
    """
    if out is None:
        out = take(like.shape, like.dtype, like.nbytes)
    if like.nbytes < limit:
        return ufunc(*operands, out=out)  # by keyword: np.maximum deprecates it by position
    flat = [x.reshape(-1) if type(x) is np.ndarray else x for x in operands]
    into = out.reshape(-1)

    def part(start: int, stop: int) -> None:
        parts = (x[start:stop] if type(x) is np.ndarray else x for x in flat)
        ufunc(*parts, out=into[start:stop])

    parallel.split(part, like.size)
    return out


def matrix_product(x: Any, y: Any) -> Any:
    """`np.matmul(x, y)`; a large product of two matrices goes into a reused buffer."""
    if (
        type(x) is np.ndarray
        and type(y) is np.ndarray
        and x.ndim == 2 == y.ndim
        and x.dtype is y.dtype
        and x.dtype.char in "fd"
        and x.shape[1] == y.shape[0]
    ):
        nbytes = x.shape[0] * y.shape[1] * x.dtype.itemsize
        if nbytes >= SMALLEST:
            return np.matmul(x, y, take((x.shape[0], y.shape[1]), x.dtype, nbytes))
    return np.matmul(x, y)


def release() -> None:
    """Forget every buffer that nothing refers to; the system gets its memory back."""
    with _lock:
        _release()


def _release() -> None:
    global _held
    for nbytes, buffers in list(_pool.items()):
        free = [i for i in range(len(buffers)) if _getrefcount(buffers[i]) == _LISTED]
        for i in reversed(free):
            del buffers[i]
            _held -= nbytes
        if not buffers:
            del _pool[nbytes]


def _calibrate() -> tuple[int, int]:
    buffers = [Buffer((8,), np.uint8)]
    listed = _getrefcount(buffers[0])
    for buffer in buffers:
        free = _getrefcount(buffer)
    return free, listed


_FREE, _LISTED = _calibrate()


def owns(array: Any) -> bool:
    """Whether `array` has its memory for itself: its own, or a whole buffer of the pool."""
    base = array.base
    return base is None or type(base) is Buffer
