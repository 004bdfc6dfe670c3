"""Divisions that only their full names reach, and complex numbers of their parts."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.positions import decode, here
from ...core.registry import HOOKS
from ...errors import three_part
from ..base.arguments import no_kernel
from ..base.errors import KINDS, RefusedType
from ..base.making import FLOAT, REAL, allow, native, natural, op, unify, wants_float32

_from_parts = HOOKS["op:from_parts"]


@op("complex", "dtypes.complex")
def complex(real: Any, imag: Any, name: Any = None) -> Any:
    """`real + 1j * imag`, of two tensors of float32 or float64."""
    x, y = natural(real), natural(imag)
    if x.dtype != y.dtype or x.value.dtype.char not in "fd":
        raise RefusedType(
            three_part(
                f"complex: The `real` and `imag` components have incorrect types: {x.dtype.name} "
                f"{y.dtype.name}. They must be consistent, and one of [tf.float32, tf.float64].",
                f"Called at {decode(*here())}.",
                "Cast them: tf.cast(x, tf.float64).",
            )
        )
    shape = np.broadcast_shapes(x.value.shape, y.value.shape)
    re, im = (
        t if t.value.shape == shape else np.broadcast_to(t, shape) for t in (native(x), native(y))
    )
    return _from_parts(re, im)


@op("realdiv")
def realdiv(x: Any, y: Any, name: Any = None) -> Any:
    """`x / y` of floating or complex numbers."""
    a, b = unify("RealDiv", (x, y))
    wants_float32(a)
    if a.value.dtype.char not in FLOAT:
        raise no_kernel("realdiv", f"{a.dtype.name} is not divided so.", "Use tf.truediv.")
    return np.true_divide(native(a), native(b))


def _divisor(name: str, b: Any) -> None:
    if b.value.dtype.kind in "iu" and not np.all(b.value):
        raise KINDS["InternalError"](
            None,
            None,
            three_part(
                f"{name}: Integer division by zero.",
                f"Called at {decode(*here())}.",
                "Leave out the zeros: tf.where(y == 0, 1, y).",
            ),
        )


@op("truncatediv")
def truncatediv(x: Any, y: Any, name: Any = None) -> Any:
    """`x / y`, rounded towards 0."""
    a, b = unify("TruncateDiv", (x, y))
    if a.value.dtype.kind == "c":
        raise no_kernel("truncatediv", f"{a.dtype.name} is not rounded.", "Use tf.truediv.")
    allow("truncatediv", a, REAL)
    _divisor("truncatediv", b)
    if a.value.dtype.kind == "f":
        return np.trunc(native(a) / native(b))
    rest = np.fmod(a.value, b.value)
    return native(np.floor_divide(a.value - rest, b.value))


@op("truncatemod")
def truncatemod(x: Any, y: Any, name: Any = None) -> Any:
    """What `truncatediv` leaves: it has the sign of `x`."""
    a, b = unify("TruncateMod", (x, y))
    allow("truncatemod", a, "ilefd")
    if a.value.dtype.char == "e":
        raise no_kernel("truncatemod", "float16 has none.", "Cast it: tf.cast(x, tf.float32).")
    _divisor("truncatemod", b)
    return np.fmod(native(a), native(b))
