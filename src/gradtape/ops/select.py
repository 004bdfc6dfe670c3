"""Choosing between arrays: `where` and its kin."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.aval import Aval, broadcast_shapes, weak_result_type
from ..core.cards import align_batch, primitive, unbroadcast


def _where_signature(condition: Any, x: Any, y: Any) -> Any:
    return (condition, x, y), {}


def _where_vjp(i: int, ct: Any, _out: Any, condition: Any, x: Any, y: Any) -> Any:
    if i == 0:
        return None
    zero = np.zeros((), ct.dtype)
    if i == 1:
        return unbroadcast(np.where(condition, ct, zero), x.shape)
    return unbroadcast(np.where(condition, zero, ct), y.shape)


def _where_jvp(i: int, t: Any, out: Any, condition: Any, _x: Any, _y: Any) -> Any:
    zero = np.zeros(np.shape(out), t.dtype)
    return None if i == 0 else np.where(condition, t, zero) if i == 1 else (
        np.where(condition, zero, t)
    )


where = primitive(
    np.where,
    arity=3,
    signature=_where_signature,
    vjp=_where_vjp,
    jvp=_where_jvp,
    shape=lambda c, x, y: Aval(
        broadcast_shapes(c.shape, x.shape, y.shape), weak_result_type(x, y)
    ),
    batch=lambda _size, operands, axes: (np.where(*align_batch(operands, axes)), 0),
    keep=(0,),
    keep_out=False,
)
