"""Cards of the elementwise ufuncs: one local partial per operand.

An argument that a partial does not read starts with an underscore, and the tape does not keep
it. Complex functions are holomorphic here; the others (`absolute`, `conjugate`) are primitives.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.cards import elementwise, linear, primitive

add = elementwise(np.add, 1, 1)
subtract = elementwise(np.subtract, 1, -1)
multiply = elementwise(np.multiply, "y", "x")
divide = elementwise(
    np.divide, lambda _out, _x, y: 1 / y, lambda out, _x, y: -out / y, singular=True
)
negative = elementwise(np.negative, -1)
positive = elementwise(np.positive, 1)
sin = elementwise(np.sin, lambda _out, x: np.cos(x))
cos = elementwise(np.cos, lambda _out, x: -np.sin(x))
exp = elementwise(np.exp, "out")
log = elementwise(np.log, lambda _out, x: 1 / x, singular=True)
sqrt = elementwise(np.sqrt, lambda out, _x: 0.5 / out, singular=True)
tanh = elementwise(np.tanh, lambda out, _x: 1 - out * out)
square = elementwise(np.square, lambda _out, x: x + x)


# ---------------------------------------------------------------- not holomorphic: adjoints
# Their derivative is no complex number times the tangent; the vjp is the adjoint under Re<a, b>.


def _as(ct: Any, x: Any) -> Any:
    """`ct` in the kind of `x`: a real cotangent of a complex operand becomes complex."""
    return np.astype(ct, np.result_type(ct.dtype, np.complex64)) if x.dtype.kind == "c" else ct


def _part_shape(x: Aval) -> Aval:
    return Aval(x.shape, np.zeros(0, x.dtype).real.dtype)


def _same_axis(card_impl: Any) -> Any:
    """The batching rule of a function of one operand that looks at each element alone."""
    return lambda _size, operands, axes, **params: (card_impl(operands[0], **params), axes[0])


conjugate = primitive(
    np.conjugate,
    vjp=lambda ct, _out, _x, **_: np.conjugate(ct),
    jvp=lambda t, _out, _x, **_: np.conjugate(t),
    shape=lambda x: Aval(x.shape, x.dtype),
    batch=_same_axis(np.conjugate),
    keep=(),
    keep_out=False,
)
real = primitive(
    np.real,
    impl=lambda x: np.real(x).copy()[()],
    vjp=lambda ct, _out, x: _as(ct, x),
    jvp=lambda t, _out, _x: np.real(t),
    shape=_part_shape,
    batch=_same_axis(np.real),
    keep=(),
    keep_out=False,
)
imag = primitive(
    np.imag,
    impl=lambda x: np.imag(x).copy()[()],
    vjp=lambda ct, _out, x: ct * 1j if x.dtype.kind == "c" else np.zeros_like(ct),
    jvp=lambda t, _out, _x: np.imag(t),
    shape=_part_shape,
    batch=_same_axis(np.imag),
    keep=(),
    keep_out=False,
)


def _cast_back(ct: Any, x: Any, **_: Any) -> Any:
    if x.dtype.kind != "c" and ct.dtype.kind == "c":
        ct = np.real(ct)
    return np.astype(ct, np.result_type(x.dtype, np.complex64) if ct.dtype.kind == "c" else x.dtype)


astype = linear(
    np.astype,
    signature=lambda x, dtype, /, *, copy=True, device=None: ((x,), {"dtype": np.dtype(dtype)}),
    impl=lambda x, dtype: x.astype(dtype),
    shape=lambda x, dtype: Aval(x.shape, dtype),
    transpose=_cast_back,
    batch=lambda _size, operands, axes, dtype: (operands[0].astype(dtype), axes[0]),
)
