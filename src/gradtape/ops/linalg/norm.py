"""`np.linalg.norm`, `vector_norm` and `matrix_norm`, of every order.

Gradients at kinks: 0 at a zero vector or matrix; equal shares where several entries (columns,
rows, singular values) are the largest or the smallest; `ord=0` counts, so its gradient is 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.aval import Aval
from ...core.batched import as_array, stand_in
from ...core.cards import composite, primitive
from ...core.dispatch import apply

_INF = (np.inf, -np.inf)


def _dims(shape: tuple[int, ...], axis: tuple[int, ...], keepdims: bool) -> tuple[int, ...]:
    if keepdims:
        return tuple(1 if i in axis else n for i, n in enumerate(shape))
    return tuple(n for i, n in enumerate(shape) if i not in axis)


def _ratio(x: Any, y: Any) -> Any:
    """The quotient, and 0 where y is 0."""
    zero = np.equal(y, 0)
    one = np.ones((), y.dtype)
    return np.where(zero, np.zeros((), x.dtype), x / np.where(zero, one, y))


def _weights(x: Any, out: Any, axis: tuple[int, ...], keepdims: bool, order: float) -> Any:
    """W, shaped like x, for which the derivative of the norm along t is sum(Re(conj(W) t))."""
    out = np.reshape(out, _dims(x.shape, axis, True))
    if order == 2:
        return _ratio(x, out)
    if order == 0:
        return np.zeros_like(x)
    size = np.absolute(x)
    unit = _ratio(x, size)
    if order == 1:
        return unit
    if order in _INF:
        largest = np.equal(size, out)
        count = np.sum(largest, axis=axis, keepdims=True, dtype=size.dtype)
        return unit * (np.where(largest, np.ones((), size.dtype), np.zeros((), size.dtype)) / count)
    # at 0 `unit` is 0, whatever the power; 1 keeps a negative one finite. Where a negative order
    # makes the norm 0, other elements do not move it
    still = np.equal(size, 0) | np.equal(out, 0)
    share = np.where(still, np.ones((), size.dtype), _ratio(size, out)) ** (order - 1)
    return np.where(still, np.zeros((), unit.dtype), unit * share)


def _vector_vjp(ct: Any, out: Any, x: Any, axis: Any, keepdims: bool, order: float) -> Any:
    return np.reshape(ct, _dims(x.shape, axis, True)) * _weights(x, out, axis, keepdims, order)


def _vector_jvp(t: Any, out: Any, x: Any, axis: Any, keepdims: bool, order: float) -> Any:
    w = _weights(x, out, axis, keepdims, order)
    product = np.real(np.conjugate(w) * t) if x.dtype.kind == "c" else w * t
    return np.sum(product, axis=axis, keepdims=keepdims)


def _vector_impl(x: Any, axis: tuple[int, ...], keepdims: bool, order: float) -> Any:
    if axis == ():  # of each number alone
        return np.absolute(x).astype(_real(x.dtype)) if order else (x != 0).astype(_real(x.dtype))
    result = np.linalg.vector_norm(x, axis=axis, keepdims=keepdims, ord=order)
    return np.asarray(result).astype(_real(x.dtype), copy=False)[()]


def _vector_batch(
    _size: int, operands: Any, axes: Any, axis: tuple[int, ...], keepdims: bool, order: float
) -> Any:
    x = np.moveaxis(operands[0], axes[0], 0)
    return _vector_impl(x, tuple(i + 1 for i in axis), keepdims, order), 0


def _real(dtype: Any) -> Any:
    return np.zeros(0, dtype if dtype.kind in "fc" else np.float64).real.dtype


_vector_norm = primitive(
    None,
    name="norm of vectors",
    impl=_vector_impl,
    signature=lambda x, axis, keepdims, order: (
        (x,), {"axis": axis, "keepdims": keepdims, "order": order}
    ),
    vjp=_vector_vjp,
    jvp=_vector_jvp,
    shape=lambda x, axis, keepdims, order: Aval(_dims(x.shape, axis, keepdims), _real(x.dtype)),
    batch=_vector_batch,
    drops=lambda _ct, _avals, order, **_: order == 0,
)  # fmt: skip


def _of_vectors(x: Any, axis: Any, keepdims: bool, order: Any) -> Any:
    axis = tuple(range(x.ndim)) if axis is None else axis
    axis = np.lib.array_utils.normalize_axis_tuple(axis, x.ndim)
    params = {"axis": axis, "keepdims": keepdims, "order": 2.0 if order is None else float(order)}
    return apply(_vector_norm, (x,), params)


def _of_matrices(x: Any, axis: tuple[int, int], keepdims: bool, order: Any) -> Any:
    row, column = np.lib.array_utils.normalize_axis_tuple(axis, x.ndim)
    if order in (None, "fro", "f"):
        return _of_vectors(x, (row, column), keepdims, 2)
    if order in (1, -1, *_INF):
        inner, outer = (row, column) if order in (1, -1) else (column, row)
        extreme: Any = _largest if order > 0 else np.min
        result = extreme(_of_vectors(x, (inner,), True, 1), axis=outer)
    else:
        values = np.linalg.svdvals(np.moveaxis(x, (row, column), (-2, -1)))
        reduce: Any = {"nuc": np.sum, 2: _largest, -2: np.min}[order]
        result = reduce(values, axis=-1)
    return np.reshape(result, _dims(x.shape, (row, column), keepdims))


def _largest(x: Any, axis: int) -> Any:
    """The maximum; of nothing 0, where NumPy has let it pass."""
    return np.max(x, axis=axis) if x.shape[axis] else np.max(x, axis=axis, initial=0)


@composite(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """`np.linalg.norm`: of a vector, of matrices, or of all elements."""
    x = as_array(x)
    np.linalg.norm(_ones_like(x), ord, axis)  # NumPy's refusals
    if axis is None and (ord is None or x.ndim == 1):
        return _of_vectors(x, None, keepdims, ord)
    places = tuple(range(x.ndim)) if axis is None else np.atleast_1d(axis).tolist()
    if len(places) == 1:
        return _of_vectors(x, tuple(places), keepdims, ord)
    return _of_matrices(x, tuple(places), keepdims, ord)


def _ones_like(x: Any) -> Any:
    """A small array that has no more than the number of axes of `x`, for checks of arguments."""
    shape = tuple(min(n, 1) for n in x.shape)
    return np.ones_like(stand_in(x), shape=shape, dtype=np.float64)


@composite(np.linalg.vector_norm)
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """`np.linalg.vector_norm`: over the named axes taken together."""
    x = as_array(x)
    np.linalg.vector_norm(_ones_like(x), axis=axis, ord=ord)
    return _of_vectors(x, axis, keepdims, ord)


@composite(np.linalg.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """`np.linalg.matrix_norm`: of a stack of matrices."""
    x = as_array(x)
    np.linalg.matrix_norm(_ones_like(x), ord=ord)
    return _of_matrices(x, (-2, -1), keepdims, ord)
