"""Cards that move elements without changing them; all are linear, many are views."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.cards import linear, unbroadcast


def _reshape_signature(
    a: Any, /, shape: Any = None, order: str = "C", *, copy: Any = None, newshape: Any = None
) -> Any:
    shape = newshape if shape is None else shape
    dims = np.broadcast_to(np.zeros(()), np.shape(a)).reshape(shape).shape
    if order == "A":
        order = "C"
    return (a,), {"shape": dims, "order": order}


def _reshape_batch(size: int, operands: Any, axes: Any, shape: Any, order: str) -> Any:
    if order == "F":  # the batch goes last, where Fortran order leaves it alone
        x = np.moveaxis(operands[0], axes[0], -1)
        return np.reshape(x, (*shape, size), order="F"), len(shape)
    return np.reshape(np.moveaxis(operands[0], axes[0], 0), (size, *shape)), 0


reshape = linear(
    np.reshape,
    signature=_reshape_signature,
    shape=lambda x, shape, order: Aval(shape, x.dtype),
    transpose=lambda ct, x, shape, order: np.reshape(ct, x.shape, order=order),
    batch=_reshape_batch,
    unview=lambda base, new, shape, order: np.reshape(new, base.shape, order=order),
)


def _transpose_signature(a: Any, axes: Any = None) -> Any:
    ndim = np.ndim(a)
    axes = tuple(range(ndim))[::-1] if axes is None else tuple(int(i) % ndim for i in axes)
    return (a,), {"axes": axes}


def _inverse(axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argsort(axes))


transpose = linear(
    np.transpose,
    signature=_transpose_signature,
    shape=lambda x, axes: Aval(tuple(x.shape[i] for i in axes), x.dtype),
    transpose=lambda ct, _x, axes: np.transpose(ct, _inverse(axes)),
    batch=lambda _size, operands, batch_axes, axes: (
        np.transpose(np.moveaxis(operands[0], batch_axes[0], 0), (0, *(i + 1 for i in axes))),
        0,
    ),
    unview=lambda _base, new, axes: np.transpose(new, _inverse(axes)),
)


def _moveaxis_signature(a: Any, source: Any, destination: Any) -> Any:
    src = np.lib.array_utils.normalize_axis_tuple(source, np.ndim(a), "source")
    dst = np.lib.array_utils.normalize_axis_tuple(destination, np.ndim(a), "destination")
    order = [n for n in range(np.ndim(a)) if n not in src]
    for d, s in sorted(zip(dst, src, strict=True)):
        order.insert(d, s)
    return (a,), {"axes": tuple(order)}


def _moveaxis(x: Any, axes: tuple[int, ...]) -> Any:
    return np.transpose(x, axes)


moveaxis = linear(
    np.moveaxis,
    impl=_moveaxis,
    signature=_moveaxis_signature,
    shape=lambda x, axes: Aval(tuple(x.shape[i] for i in axes), x.dtype),
    transpose=lambda ct, _x, axes: np.transpose(ct, _inverse(axes)),
    batch=lambda _size, operands, batch_axes, axes: (
        np.transpose(np.moveaxis(operands[0], batch_axes[0], 0), (0, *(i + 1 for i in axes))),
        0,
    ),
    unview=lambda _base, new, axes: np.transpose(new, _inverse(axes)),
)


def _broadcast_batch(size: int, operands: Any, axes: Any, shape: Any) -> Any:
    x = np.moveaxis(operands[0], axes[0], 0)
    x = np.reshape(x, (size,) + (1,) * (len(shape) + 1 - np.ndim(x)) + np.shape(x)[1:])
    return np.broadcast_to(x, (size, *shape)), 0


def _broadcast_signature(array: Any, shape: Any, subok: bool = False) -> Any:
    return (array,), {"shape": (shape,) if np.ndim(shape) == 0 else tuple(shape)}


broadcast_to = linear(
    np.broadcast_to,
    signature=_broadcast_signature,
    shape=lambda x, shape: Aval(shape, x.dtype),
    transpose=lambda ct, x, shape: unbroadcast(ct, x.shape),
    batch=_broadcast_batch,
)
