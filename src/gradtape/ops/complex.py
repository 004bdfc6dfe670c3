"""Cards of functions that are not holomorphic: `absolute`, `sign`, `conjugate`, `real`, `imag`.

Their derivative is no complex number times the tangent; the vjp is the adjoint under
Re<a, b> = Re(sum(conj(a) b)). On real operands `absolute` and `sign` are ordinary elementwise
cards; abs'(0) = 0 and the slope of `sign` is 0 everywhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.batched import as_array
from ..core.cards import composite, elementwise, linear, primitive
from ..core.lift import bottom, is_batched
from ..core.positions import decode, here
from ..core.registry import HOOKS, UFUNC_METHODS, UFUNCS
from ..core.rows import pointwise
from ..core.symbol import is_traced
from ..core.tensor import Tensor, raw
from ..core.ufunc_call import make_general
from ..errors import TracingError, three_part


def _real(ct: Any) -> Any:
    """The cotangent of a real result, even where complex numbers handed it on."""
    return np.real(ct) if ct.dtype.kind == "c" else ct


def _as(ct: Any, x: Any) -> Any:
    """`ct` in the kind of `x`: the cotangent of a complex operand is complex."""
    ct = _real(ct)
    return ct.astype(np.result_type(ct.dtype, np.complex64)) if x.dtype.kind == "c" else ct


def _part_shape(x: Aval) -> Aval:
    return Aval(x.shape, np.zeros(0, x.dtype).real.dtype)


def _same_axis(card_impl: Any) -> Any:
    """The batching rule of a function of one operand that looks at each element alone."""
    return lambda _size, operands, axes, **params: (card_impl(operands[0], **params), axes[0])


conjugate = primitive(
    np.conjugate,
    vjp=lambda ct, _out, _x, **_: np.conjugate(ct),
    jvp=lambda t, _out, _x, **_: np.conjugate(t),
    shape=lambda x: Aval(x.shape, np.int8 if x.dtype == bool else x.dtype),  # NumPy's has no mask
    batch=_same_axis(np.conjugate),
    keep=(),
    keep_out=False,
)

def _join(re: Any, im: Any) -> Any:
    """`re + 1j * im` without the product: `1j * inf` is `nan + inf j`."""
    z = np.empty(np.shape(re), np.result_type(re.dtype, im.dtype, np.complex64))
    z.real, z.imag = re, im
    return z[()]


def _join_batch(size: int, operands: Any, axes: Any) -> Any:
    parts = [
        np.broadcast_to(x, (size, *np.shape(x))) if axis is None else np.moveaxis(x, axis, 0)
        for x, axis in zip(operands, axes, strict=True)
    ]
    return _join(*parts), 0


# A complex array of its parts: what a write to x.real or x.imag makes of x.
from_parts = linear(
    None,
    name="from_parts",
    impl=_join,
    arity=2,
    shape=lambda re, im: Aval(re.shape, np.result_type(re.dtype, im.dtype, np.complex64)),
    transpose=(lambda ct, _re, _im: np.real(ct), lambda ct, _re, _im: np.imag(ct)),
    jvp=(
        lambda t, _out, _re, _im: t.astype(np.result_type(t.dtype, np.complex64)),
        lambda t, _out, _re, _im: t * 1j,
    ),
    batch=_join_batch,
)
_from_parts = HOOKS["op:from_parts"]


def _write_real(base: Any, new: Any) -> Any:
    return _from_parts(new, np.imag(base)) if base.dtype.kind == "c" else new


real = primitive(
    np.real,
    impl=lambda x: np.real(x)[...],  # a view, also of a real array: NumPy gives that itself
    vjp=lambda ct, _out, x: _as(ct, x),
    jvp=lambda t, _out, _x: np.real(t),
    shape=_part_shape,
    batch=_same_axis(np.real),
    keep=(),
    keep_out=False,
    drops=True,
)
imag = primitive(
    np.imag,
    vjp=lambda ct, _out, x: _real(ct) * 1j if x.dtype.kind == "c" else np.zeros_like(ct),
    jvp=lambda t, _out, _x: np.imag(t),
    shape=_part_shape,
    batch=_same_axis(np.imag),
    keep=(),
    keep_out=False,
    drops=True,
)
# As by NumPy, both are views; the imaginary part of a real array is an array of its own.
real.unview, imag.unview = _write_real, lambda base, new: _from_parts(np.real(base), new)

# ------------------------------------------------- absolute and sign: a card for each kind

absolute = elementwise(np.absolute, lambda _out, x: np.sign(x))
fabs = elementwise(np.fabs, lambda _out, x: np.sign(x))
sign = elementwise(np.sign, 0)

absolute_complex = primitive(
    None,
    name="absolute_complex",
    impl=np.absolute,
    vjp=lambda ct, _out, x: _real(ct) * np.sign(x),
    jvp=lambda t, _out, x: np.real(np.conjugate(np.sign(x)) * t),
    shape=_part_shape,
    batch=_same_axis(np.absolute),
    keep_out=False,
    rows=pointwise,
)


def _around_circle(t: Any, out: Any, x: Any) -> Any:
    """The part of `t` along the unit circle at `out` = x / |x|, over |x|; it is its own adjoint."""
    size = np.absolute(x)
    radial = out * np.real(np.conjugate(out) * t)
    return np.where(size == 0, 0, (t - radial) / np.where(size == 0, 1, size))


sign_complex = primitive(
    None,
    name="sign_complex",
    impl=np.sign,
    vjp=_around_circle,
    jvp=_around_circle,
    shape=lambda x: Aval(x.shape, x.dtype),
    batch=_same_axis(np.sign),
    rows=pointwise,
)


def _by_kind(ufunc: Any, complex_operation: Any) -> None:
    """Register `ufunc` with its elementwise card for real operands, another for complex ones."""
    real_operation = UFUNCS[ufunc]

    def operation(x: Any, name: Any = None, depth: int = 1) -> Any:
        if x.dtype.kind == "c":
            return complex_operation(x)
        return real_operation(x, None, depth + 1)

    def plain(x: Any) -> Any:
        return operation(x) if isinstance(x, Tensor) else real_operation(x)

    operation.takes_depth = True  # type: ignore[attr-defined]
    UFUNCS[ufunc] = operation
    UFUNC_METHODS[ufunc, "__call__"] = make_general(ufunc, plain, 1)


_by_kind(np.absolute, HOOKS["op:absolute_complex"])
_by_kind(np.sign, HOOKS["op:sign_complex"])


@composite(np.angle)
def angle(z: Any, deg: bool = False) -> Any:
    """The argument of `z`; the gradient at 0 is not finite, and 0 under a cotangent of 0."""
    z = as_array(z)
    is_mask = z.dtype == bool  # of which NumPy's is no imaginary part, but the number 0
    phase = np.arctan2(0 if is_mask else np.imag(z), np.real(z))
    return np.rad2deg(phase) if deg else phase


@composite(np.real_if_close)
def real_if_close(a: Any, tol: float = 100) -> Any:
    """The real part of `a` where NumPy finds the imaginary part negligible, else `a`."""
    if a.dtype.kind == "c" and (is_traced(bottom(a)) or is_batched(a)):
        raise TracingError(
            three_part(
                f"real_if_close: whether the result of {a.dtype} is real depends on values that "
                "are not known while tracing, or differ between examples.",
                f"Called at {decode(*here())}; a program has one dtype for its result.",
                "Use np.real(x) where it is to be real, else leave it out.",
            )
        )
    if np.real_if_close(raw(a), tol).dtype.kind == "c" or a.dtype.kind != "c":
        return a[...]
    return np.real(a)
