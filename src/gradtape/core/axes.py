"""Axes of reductions: which ones, what shape is left, and the way back for a cotangent.

Every function works on plain shapes or through NumPy functions, so on arrays and Tensors alike.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from .state import kept_array
from .tensor import Tensor


def normalized(axis: Any, ndim: int) -> tuple[int, ...]:
    """`axis` (None: all) as a sorted tuple of non-negative ints."""
    if axis is None:
        return tuple(range(ndim))
    if ndim == 0 and type(axis) is int and axis in (0, -1):  # NumPy reduces 0-d arrays over these
        return ()
    return tuple(sorted(normalize_axis_tuple(axis, ndim)))


def reduced_shape(shape: tuple[int, ...], axis: Any, keepdims: bool) -> tuple[int, ...]:
    """The shape after reducing over `axis` (None: all)."""
    axes = normalized(axis, len(shape))
    if keepdims:
        return tuple(1 if i in axes else n for i, n in enumerate(shape))
    return tuple(n for i, n in enumerate(shape) if i not in axes)


def kept(reduced: Any, shape: tuple[int, ...], axis: Any) -> Any:
    """A result of a reduction of an array of `shape`, as `keepdims=True` would give it."""
    return np.reshape(reduced, reduced_shape(shape, axis, True))


def expand(ct: Any, shape: tuple[int, ...], axis: Any, keepdims: bool) -> Any:
    """A cotangent of a reduction, broadcast back to the operand's shape."""
    if type(ct) is not np.ndarray or ct.dtype.char not in "fdFD" or not ct.flags.c_contiguous:
        return np.broadcast_to(ct if keepdims else kept(ct, shape, axis), shape)
    strides, step = [], ct.itemsize  # the same, for a fifth of what it costs
    reduced = normalized(axis, len(shape))
    for n in reversed(range(len(shape))):
        strides.append(0 if n in reduced else step)
        step *= 1 if n in reduced else shape[n]
    seen = np.ndarray(shape, ct.dtype, ct, 0, tuple(reversed(strides)))
    seen.flags.writeable = False
    return seen


def shifted(axis: Any, ndim: int, batch_axis: int) -> Any:
    """`axis` of a logical array, as axes of the batched array whose batch is at `batch_axis`."""
    return tuple(a + (a >= batch_axis) for a in normalized(axis, ndim))


def mask(where: Any) -> Any:
    """What `where=` was given, as a record may keep it: the user may write to his array later.

    As in NumPy, the truth of a list or a number is taken; an array that is not bool stays as it
    is, and is refused.
    """
    if isinstance(where, Tensor):
        return where
    if isinstance(where, np.ndarray):
        return kept_array(where, np.array(where))
    return np.array(where, dtype=bool)


def count(shape: tuple[int, ...], axis: Any, where: Any = None) -> Any:
    """How many elements a reduction takes: an int, or with `where` an array that keeps the axes."""
    if where is None:
        return math.prod(shape[i] for i in normalized(axis, len(shape)))
    chosen = np.broadcast_to(where, shape)
    return np.add.reduce(chosen, normalized(axis, len(shape)), np.intp, keepdims=True)


def rows(x: Any, axis: Any) -> tuple[Any, tuple[int, ...]]:
    """`x` with the reduced axes flattened into the last one, and the normalised axes."""
    shape = np.shape(x)
    axes = normalized(axis, len(shape))
    if len(shape) != 1 or not axes:
        n = math.prod(shape[i] for i in axes)
        rest = tuple(m for i, m in enumerate(shape) if i not in axes)
        places = tuple(range(len(shape) - len(axes), len(shape)))
        x = np.moveaxis(x, axes, places) if axes != places else x
        x = np.reshape(x, (*rest, n))
    return x, axes


def from_rows(x: Any, shape: tuple[int, ...], axes: tuple[int, ...]) -> Any:
    """The way back of `rows`, to an array of `shape`."""
    rest = tuple(m for i, m in enumerate(shape) if i not in axes)
    places = tuple(range(len(rest), len(shape)))
    x = np.reshape(x, (*rest, *(shape[i] for i in axes)))
    return np.moveaxis(x, places, axes) if axes != places else x


def in_dtype(ct: Any, dtype: np.dtype[Any]) -> Any:
    """A cotangent in the dtype of its operand, where the op was asked to compute in another."""
    if ct.dtype == dtype:
        return ct
    if ct.dtype.kind == "c" and dtype.kind != "c":
        ct = np.real(ct)
    return ct.astype(dtype)
