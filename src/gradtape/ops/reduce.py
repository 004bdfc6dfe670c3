"""Cards of the reductions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.cards import linear

_NO = np._NoValue


def reduced_shape(shape: tuple[int, ...], axis: Any, keepdims: bool) -> tuple[int, ...]:
    """The shape after reducing over `axis` (None: all)."""
    axes = normalized(axis, len(shape))
    if keepdims:
        return tuple(1 if i in axes else n for i, n in enumerate(shape))
    return tuple(n for i, n in enumerate(shape) if i not in axes)


def normalized(axis: Any, ndim: int) -> tuple[int, ...]:
    """`axis` as a tuple of non-negative ints."""
    if axis is None:
        return tuple(range(ndim))
    return tuple(sorted(np.lib.array_utils.normalize_axis_tuple(axis, ndim)))


def expand(ct: Any, shape: tuple[int, ...], axis: Any, keepdims: bool) -> Any:
    """A cotangent of a reduction, broadcast back to the operand's shape."""
    if not keepdims:
        ct = np.reshape(ct, reduced_shape(shape, axis, True))
    return np.broadcast_to(ct, shape)


def shifted(axis: Any, ndim: int, batch_axis: int) -> Any:
    """`axis` of a logical array, as axes of the batched array whose batch is at `batch_axis`."""
    return tuple(a + (a >= batch_axis) for a in normalized(axis, ndim))


def _sum_signature(
    a: Any, axis: Any = None, dtype: Any = None, keepdims: Any = _NO, initial: Any = _NO,
    where: Any = _NO,
) -> Any:  # fmt: skip
    params: dict[str, Any] = {"axis": axis, "keepdims": keepdims is not _NO and bool(keepdims)}
    if dtype is not None:
        params["dtype"] = dtype
    if initial is not _NO and initial is not None:
        params["initial"] = initial
    if where is not _NO and where is not True:
        params["where"] = where
    return (a,), params


def _sum_transpose(
    ct: Any, x: Any, axis: Any, keepdims: bool, dtype: Any = None, initial: Any = 0, where: Any = True
) -> Any:
    ct = expand(ct, x.shape, axis, keepdims)
    return ct if where is True else np.where(where, ct, np.zeros((), ct.dtype))


def _sum_batch(
    size: int, operands: Any, axes: Any, axis: Any, keepdims: bool, where: Any = True, **params: Any
) -> Any:
    (x,), (b,) = operands, axes
    x = np.moveaxis(x, b, 0)
    out = np.add.reduce(
        x, axis=shifted(axis, np.ndim(x) - 1, 0), keepdims=keepdims, where=where, **params
    )
    return out, 0


sum = linear(
    np.sum,
    impl=np.add.reduce,
    signature=_sum_signature,
    shape=lambda x, axis, keepdims, dtype=None, **_: Aval(
        reduced_shape(x.shape, axis, keepdims),
        np.add.reduce(np.zeros(1, x.dtype), dtype=dtype).dtype,
    ),
    transpose=_sum_transpose,
    jvp=(lambda t, _out, _x, initial=0, **params: np.sum(t, **params),),
    batch=_sum_batch,
    name="sum",
)
