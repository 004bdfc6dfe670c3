"""Evenly spaced numbers between tracked ends: linspace, logspace, geomspace; and vander."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..core.aval import Aval, weak_result_type
from ..core.batched import as_operand, batch_first
from ..core.cards import composite, linear, unbroadcast
from ..core.dispatch import apply
from ..core.symbol import is_known_to_hold
from ..core.tensor import Tensor, raw
from ..errors import ShapeError, three_part

_np: Any = np  # NumPy's functions as they are for Tensors, which its stubs do not know


def _weights(num: int, endpoint: bool) -> Any:
    """How much of `stop` each element has."""
    return np.linspace(0.0, 1.0, num, endpoint)


def _linspace_shape(start: Any, stop: Any, num: int, endpoint: bool, axis: int) -> Aval:
    shape = list(np.broadcast_shapes(start.shape, stop.shape))
    shape.insert(axis, num)
    return Aval(tuple(shape), np.result_type(weak_result_type(start, stop), 1.0))


def _linspace_transpose(i: int) -> Any:
    def transpose(ct: Any, *operands: Any, num: int, endpoint: bool, axis: int) -> Any:
        weight = _weights(num, endpoint)
        weight = weight if i else 1 - weight
        weight = weight.reshape((-1,) + (1,) * (np.ndim(ct) - axis - 1))
        total = np.sum(ct * weight.astype(np.finfo(ct.dtype).dtype), axis=axis)
        x = operands[i]
        total = np.real(total) if ct.dtype.kind == "c" and x.dtype.kind != "c" else total
        return unbroadcast(total, x.shape)

    return transpose


def _linspace_batch(
    size: int, operands: Any, axes: Any, num: int, endpoint: bool, axis: int
) -> Any:
    ndim = max(np.ndim(x) - (b is not None) for x, b in zip(operands, axes, strict=True))
    ends: Any = [
        x if b is None
        else np.reshape(
            batch_first(x, b, size), (size,) + (1,) * (ndim + 1 - np.ndim(x)) + _logical(x, b)
        )
        for x, b in zip(operands, axes, strict=True)
    ]  # fmt: skip
    return np.linspace(ends[0], ends[1], num, endpoint, axis=axis + 1), 0


def _logical(x: Any, b: int) -> tuple[int, ...]:
    shape = np.shape(x)
    return (*shape[:b], *shape[b + 1 :])


linspace_card = linear(
    None,
    name="linspace_card",
    arity=2,
    impl=lambda start, stop, num, endpoint, axis: np.linspace(
        start, stop, num, endpoint, axis=axis
    ),
    shape=_linspace_shape,
    transpose=(_linspace_transpose(0), _linspace_transpose(1)),
    batch=_linspace_batch,
)


@composite(np.linspace)
def linspace(
    start: Any, stop: Any, num: Any = 50, endpoint: bool = True, retstep: bool = False,
    dtype: Any = None, axis: int = 0, *, device: Any = None,
) -> Any:  # fmt: skip
    """Evenly spaced numbers from `start` to `stop`, linear in both."""
    num = operator.index(raw(num))
    if num < 0:
        raise ValueError(
            three_part(
                f"linspace: Number of samples, {num}, must be non-negative.",
                "A range has 0 elements or more.",
                "Pass num=50, or leave it out.",
            )
        )
    start, stop = as_operand(start), as_operand(stop)
    ndim = len(np.broadcast_shapes(np.shape(start), np.shape(stop))) + 1
    (place,) = np.lib.array_utils.normalize_axis_tuple(axis, ndim)
    params = {"num": num, "endpoint": bool(endpoint), "axis": place}
    out = apply(linspace_card, (start, stop), params)
    if dtype is not None and np.dtype(dtype) != out.dtype:
        whole = np.issubdtype(dtype, np.integer)
        out = (np.floor(out) if whole else out).astype(dtype)
    if not retstep:
        return out
    parts = num - 1 if endpoint else num
    return out, ((stop - start) / parts if parts > 0 else np.nan)


@composite(np.logspace)
def logspace(
    start: Any, stop: Any, num: Any = 50, endpoint: bool = True, base: Any = 10.0,
    dtype: Any = None, axis: int = 0,
) -> Any:  # fmt: skip
    """`base ** linspace(start, stop)`; `base` may be tracked and an array too."""
    start, stop, base = map(as_operand, (start, stop, base))
    if np.ndim(base):
        shape = np.broadcast_shapes(np.shape(start), np.shape(stop), np.shape(base))
        start, stop, base = (np.broadcast_to(x, shape) for x in (start, stop, base))
        base = np.expand_dims(base, axis)
    out = np.power(base, _spaced(start, stop, num, endpoint, axis))
    return out if dtype is None else out.astype(dtype)


def _spaced(start: Any, stop: Any, num: Any, endpoint: bool, axis: int) -> Any:
    return np.linspace(start, stop, num, endpoint, axis=axis)


@composite(np.geomspace)
def geomspace(
    start: Any, stop: Any, num: Any = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0
) -> Any:
    """Numbers with a constant ratio from `start` to `stop`, both of one sign, or complex.

    `start * exp(w * log(stop / start))` with w from 0 to 1; the ends are exact.
    """
    num = operator.index(raw(num))
    start, stop = as_operand(start), as_operand(stop)
    if is_known_to_hold(np.equal(raw(start), 0)) or is_known_to_hold(np.equal(raw(stop), 0)):
        raise ValueError(
            three_part(
                "geomspace: Geometric sequence cannot include zero.",
                f"start is {raw(start)!r:.60}, stop is {raw(stop)!r:.60}.",
                "Start at a small number such as 1e-6, or use np.linspace.",
            )
        )
    shape = np.broadcast_shapes(np.shape(start), np.shape(stop))
    (axis,) = np.lib.array_utils.normalize_axis_tuple(axis, len(shape) + 1)
    kinds = [x.dtype if isinstance(x, Tensor) else np.asarray(x).dtype for x in (start, stop)]
    kind = np.result_type(*kinds, float(num), np.dtype(dtype))  # float64 at least, or what is asked
    start, stop = (
        x.astype(kind) if isinstance(x, Tensor) else np.asarray(x, kind) for x in (start, stop)
    )
    # on the unit circle's principal branch for both ends, as NumPy: start is turned to 1
    weight = _weights(num, endpoint).reshape((-1,) + (1,) * (len(shape) - axis))
    start, stop = (np.broadcast_to(x, shape) for x in (start, stop))
    first, last = np.expand_dims(start, axis), np.expand_dims(stop, axis)
    out = first * np.exp(np.log(last / first) * weight.astype(np.finfo(kind).dtype))
    if num > 0:
        middle = (slice(None),) * axis
        parts = [first, out[(*middle, slice(1, -1 if endpoint and num > 1 else None))]]
        out = np.concatenate([*parts, last] if endpoint and num > 1 else parts, axis)
    return out if dtype is None else out.astype(dtype)


@composite(np.vander)
def vander(x: Any, N: Any = None, increasing: bool = False) -> Any:
    """The matrix of powers of `x`, by repeated products: exact at 0, where 0 ** 0 is 1."""
    x = as_operand(x)
    if np.ndim(x) != 1:
        raise ShapeError(
            three_part(
                "vander: x must be a one-dimensional array or sequence.",
                f"It has shape {np.shape(x)}.",
                "Pass np.ravel(x).",
            )
        )
    count = np.shape(x)[0] if N is None else operator.index(raw(N))
    kind = np.promote_types(x.dtype, int)
    x = x.astype(kind) if x.dtype != kind else x
    if count == 0:
        return x[:, None][:, :0]
    columns = [np.ones(np.shape(x), kind)]
    for _ in range(count - 1):
        columns.append(x if len(columns) == 1 else columns[-1] * x)
    return np.stack(columns if increasing else columns[::-1], axis=1)
