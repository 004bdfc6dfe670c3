"""Clipping values and gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...core.positions import decode, here
from ...core.symbol import may_hold
from ...errors import three_part
from ..base.axes import axes_of
from ..base.errors import RefusedType, RefusedValue, invalid
from ..base.making import (
    FLOAT,
    FLOATS,
    NUMBER,
    adopt,
    allow,
    convert,
    export,
    native,
    natural,
    op,
    unify,
)
from ..base.slices import IndexedSlices


@op("clip_by_value")
def clip_by_value(t: Any, clip_value_min: Any, clip_value_max: Any, name: Any = None) -> Any:
    """`t` limited to the interval; on its ends the gradient passes."""
    x, low, high = map(native, unify("clip_by_value", (t, clip_value_min, clip_value_max)))
    allow("clip_by_value", x, NUMBER)
    shape = x.value.shape
    try:
        wider = np.broadcast_shapes(shape, low.value.shape, high.value.shape)
    except ValueError:
        wider = ()
    if wider != shape:
        raise invalid(
            f"clip_by_value: Incompatible shapes: {list(shape)}, {list(low.value.shape)}, "
            f"{list(high.value.shape)}.",
            f"Called at {decode(*here())}.",
            "The limits are numbers, or broadcast to the shape of the tensor.",
        )
    below, above = np.less(x, low), np.greater(x, high)
    low, high = (np.broadcast_to(part, shape) for part in (low, high))
    return np.where(below, low, np.where(above, high, x))


@op("clip_by_norm")
def clip_by_norm(t: Any, clip_norm: Any, axes: Any = None, name: Any = None) -> Any:
    """`t`, made shorter so that its norm over `axes` is at most `clip_norm`."""
    x = native(t)
    allow("clip_by_norm", x, FLOAT)
    over = axes_of("clip_by_norm", axes, x.value.ndim)
    limit = native(clip_norm, x.value.dtype)
    if x.value.dtype.kind != "c":
        limit = np.maximum(limit, 0)
    squares = np.sum(x * x, axis=over, keepdims=True)
    positive = np.greater(squares.value.real, 0)
    norm = np.where(positive, np.sqrt(np.where(positive, squares, np.ones_like(squares))), squares)
    if x.value.dtype.kind == "c":
        over_limit = np.greater(np.abs(norm.value), np.abs(limit.value))
        return x * limit / np.where(over_limit, norm, limit * np.ones_like(norm))
    return x * limit / np.maximum(norm, limit)


def _listed(t_list: Any) -> list[Any]:
    if isinstance(t_list, str) or not isinstance(t_list, Sequence):
        raise RefusedType(
            three_part(
                f"`t_list` should be a sequence of tensors. Received {type(t_list)}.",
                f"Called at {decode(*here())}.",
                "Put it into a list: [gradient].",
            )
        )
    return list(t_list)


@op("linalg.global_norm")
def global_norm(t_list: Any, name: Any = None) -> Any:
    """The square root of the sum of the squares of all elements; None counts as nothing."""
    found = [native(_rows(t)) for t in _listed(t_list) if t is not None]
    for x in found:
        allow("global_norm", x, FLOATS)
    if not found:
        return native(np.float32(0))
    squares = [np.sum(np.square(x)) for x in found]
    total = squares[0]
    for square in squares[1:]:
        total = total + square
    return np.sqrt(total)


@export("clip_by_global_norm")
def clip_by_global_norm(
    t_list: Any, clip_norm: Any, use_norm: Any = None, name: Any = None
) -> Any:
    """All tensors of a list, scaled so that their global norm is at most `clip_norm`; the norm."""
    tensors = _listed(t_list)
    norm = global_norm(tensors) if use_norm is None else natural(use_norm)
    return _clipped(tensors, clip_norm, norm), norm


@op()
def _clipped(tensors: list[Any], clip_norm: Any, norm: Any) -> list[Any]:
    if norm.value.ndim:
        raise RefusedValue(
            three_part(
                f"use_norm has shape {norm.shape}.",
                f"tf.clip_by_global_norm was called at {decode(*here())}.",
                "It is one number: tf.linalg.global_norm(t_list).",
            )
        )
    n = native(norm)
    limit = native(convert(clip_norm, hint=n.value.dtype))
    scale = limit * np.minimum(1 / n, 1 / limit)
    if may_hold(~np.isfinite(n.value)):  # then all are nan, as TensorFlow gives them
        scale = np.where(np.isfinite(n.value), scale, n - n)

    def scaled(t: Any) -> Any:
        if isinstance(t, IndexedSlices):
            return t.with_values(scaled(t.values))
        return adopt(native(t) * scale.astype(natural(t).value.dtype))

    return [None if t is None else scaled(t) for t in tensors]


def _rows(t: Any) -> Any:
    """What is looked at of a gradient: of gathered rows these alone, as in TensorFlow."""
    return t.values if isinstance(t, IndexedSlices) else t
