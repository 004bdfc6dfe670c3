"""Elementwise functions that are no ufuncs: sinc, i0, nan_to_num, unwrap, interp, piecewise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.batched import as_array
from ..core.cards import composite, primitive
from ..core.dispatch import apply, write_out
from ..core.lift import is_lifted
from ..core.positions import decode, here, user_frame
from ..core.registry import FUNCTIONS, HOOKS
from ..core.rows import pointwise
from ..core.symbol import is_traced
from ..core.tensor import Tensor, new_tensor, raw
from ..errors import DTypeError, three_part


def _float_of(x: Aval) -> Aval:
    return Aval(x.shape, x.dtype if x.dtype.kind in "fc" else np.float64)


# ---------------------------------------------------------------------------------- sinc


def _sinc(x: Any, order: int) -> Any:
    """The derivative of that order of sin(z)/z at z = pi x, with respect to x.

    Away from 0 by Leibniz's rule on z * (sin(z)/z) = sin(z): z f_n = sin(z + n pi/2) - n f_(n-1),
    which is stable for |z| >= n; nearer by the power series.
    """
    if order == 0:
        return np.sinc(x)
    z = math.pi * x
    near = np.abs(z) < order
    w = np.where(near, z, 0)
    first = (order + 1) // 2
    series = 0 * w
    for k in range(first + 24 + order, first - 1, -1):  # Horner in w**2
        coefficient = (-1) ** k / ((2 * k + 1) * math.factorial(2 * k - order))
        series = series * (w * w) + coefficient
    series = series * w ** (2 * first - order)
    far = np.where(near, 1, z)
    f = np.sin(far) / far
    for n in range(1, order + 1):
        f = (np.sin(far + n * math.pi / 2) - n * f) / far
    return (math.pi**order * np.where(near, series, f))[()]


def _sinc_derivative(x: Any, order: int) -> Any:
    if isinstance(x, Tensor):
        return apply(sinc, (x,), {"order": order})
    return _sinc(x, order)


sinc = primitive(
    np.sinc,
    impl=_sinc,
    signature=lambda x: ((x,), {"order": 0}),
    vjp=lambda ct, _out, x, order: ct * np.conjugate(_sinc_derivative(x, order + 1)),
    jvp=lambda t, _out, x, order: t * _sinc_derivative(x, order + 1),
    shape=lambda x, order: _float_of(x),
    batch=lambda _size, operands, axes, order: (_sinc(operands[0], order), axes[0]),
    keep_out=False,
    rows=pointwise,
)

# ------------------------------------------------------------------------- Bessel functions


def _bessel(x: Any, order: int) -> Any:
    if order == 0:
        return np.i0(x)[()]
    from scipy.special import iv

    return iv(order, x)


def _bessel_derivative(x: Any, order: int) -> Any:
    """I_n' = (I_(n-1) + I_(n+1)) / 2, and I_(-1) = I_1 (DLMF 10.29.1)."""

    def bessel(n: int) -> Any:
        return apply(i0, (x,), {"order": n}) if isinstance(x, Tensor) else _bessel(x, n)

    return bessel(1) if order == 0 else 0.5 * (bessel(order - 1) + bessel(order + 1))


i0 = primitive(
    np.i0,
    impl=_bessel,
    signature=lambda x: ((x,), {"order": 0}),
    vjp=lambda ct, _out, x, order: ct * _bessel_derivative(x, order),
    jvp=lambda t, _out, x, order: t * _bessel_derivative(x, order),
    shape=lambda x, order: _float_of(x),
    batch=lambda _size, operands, axes, order: (_bessel(operands[0], order), axes[0]),
    keep_out=False,
    rows=pointwise,
)

# ------------------------------------------------------------------------------ nan_to_num


def _finite_part(t: Any, _out: Any, x: Any, **_: Any) -> Any:
    """`t` where `x` is finite; the two parts of a complex number are replaced one by one."""
    if np.iscomplexobj(x):
        return _finite_part(np.real(t), None, np.real(x)) + 1j * _finite_part(
            np.imag(t), None, np.imag(x)
        )
    return np.where(np.isfinite(x), t, np.zeros((), t.dtype))


nan_to_num = primitive(
    np.nan_to_num,
    signature=lambda x, nan=0.0, posinf=None, neginf=None: (
        (x,),
        {"nan": raw(nan), "posinf": raw(posinf), "neginf": raw(neginf)},
    ),
    vjp=_finite_part,
    jvp=_finite_part,
    shape=lambda x, **_: Aval(x.shape, x.dtype),
    batch=lambda _size, operands, axes, **params: (np.nan_to_num(operands[0], **params), axes[0]),
    keep_out=False,
    drops=True,
)
_nan_to_num = FUNCTIONS[np.nan_to_num]


def _nan_to_num_operation(
    x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None
) -> Any:
    """`np.nan_to_num`; with `copy=False` a Tensor `x` is written in place, as NumPy writes `x`."""
    result = _nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)
    return result if copy or not isinstance(x, Tensor) else write_out(x, result)


FUNCTIONS[np.nan_to_num] = _nan_to_num_operation

# ---------------------------------------------------------------------------------- unwrap


def _unwrap_batch(size: int, operands: Any, axes: Any, axis: int, **params: Any) -> Any:
    x = np.moveaxis(operands[0], axes[0], 0)
    return np.unwrap(x, axis=axis if axis < 0 else axis + 1, **params), 0


# p plus whole periods, which change in jumps: the slope is 1
unwrap = primitive(
    np.unwrap,
    signature=lambda p, discont=None, axis=-1, *, period=2 * math.pi: (
        (p,),
        {"discont": discont, "axis": axis, "period": period},
    ),
    vjp=lambda ct, _out, _p, **_: ct,
    jvp=lambda t, _out, _p, **_: t,
    shape=lambda p, period, **_: Aval(p.shape, np.result_type(p.dtype, period)),
    batch=_unwrap_batch,
    keep=(),
    keep_out=False,
)

# ---------------------------------------------------------------------------------- interp


@composite(np.interp)
def interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Any:
    """`np.interp`, differentiable in `x`, `xp`, `fp`, `left` and `right`.

    At a knot the slope is that of the interval on its right (at the last, its left); outside the
    range it is 0. Results are double precision, as NumPy's.
    """
    x, xp, fp = (_double(a) for a in (x, xp, fp))
    if xp.ndim != 1 or fp.ndim != 1 or len(xp) != len(fp) or len(xp) == 0:
        np.interp(np.zeros(x.shape), np.zeros(xp.shape), np.zeros(fp.shape))  # raises NumPy's own
    if "c" in (x.dtype.kind, xp.dtype.kind):
        raise DTypeError(
            three_part(
                f"interp: x is {x.dtype}, xp is {xp.dtype}.",
                f"Called at {decode(*here())}; complex numbers have no order.",
                "Pass real x and xp; fp may be complex.",
            )
        )
    if period is not None:
        period = abs(period)
        x, xp = x % period, xp % period
        order = np.argsort(raw(xp))
        xp, fp = xp[order], fp[order]
        xp = np.concatenate((xp[-1:] - period, xp, xp[:1] + period))
        fp = np.concatenate((fp[-1:], fp, fp[:1]))
        left = right = None
    at, knots = raw(x), raw(xp)
    below, above = at < knots[0], at > knots[-1]
    if len(knots) == 1:
        inside = fp[np.zeros(np.shape(at), np.intp)]
    else:
        i = np.clip(np.searchsorted(knots, at, side="right") - 1, 0, len(knots) - 2)
        if is_traced(i) or is_lifted(i):  # a plain array cannot be read where that is not known
            xp, fp = (a if isinstance(a, Tensor) else new_tensor(a) for a in (xp, fp))
        # a point outside is moved to the first knot, so that no interval of width 0 divides
        start, low = xp[i], fp[i]
        slope = (fp[i + 1] - low) / np.where(below | above, 1.0, xp[i + 1] - start)
        inside = slope * (np.where(below | above, start, x) - start) + low
    out = np.where(below, fp[0] if left is None else left, inside)
    return np.where(above, fp[-1] if right is None else right, out)


def _double(x: Any) -> Any:
    x = as_array(x)
    return x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)


# ------------------------------------------------------------------------------- piecewise


@composite(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    """`np.piecewise`: each function sees the elements of `x` where its condition holds.

    The result has the dtype of `x`; where several conditions hold the last one counts.
    """
    x = as_array(x)
    conditions = _conditions(condlist, x.ndim)
    if len(funclist) == len(conditions) + 1:
        conditions.append(~np.any(conditions, axis=0))
    elif len(funclist) != len(conditions):
        frame = user_frame()
        raise ValueError(
            three_part(
                f"piecewise: {len(funclist)} functions for {len(conditions)} conditions.",
                f"Called at {decode(frame.f_code, frame.f_lasti)}.",
                "Give one function for each condition, and at most one more for where none holds: "
                "np.piecewise(x, [x < 0, x >= 0], [np.sin, np.cos]).",
            )
        )
    out = np.zeros(x.shape, x.dtype)
    for condition, function in zip(conditions, funclist, strict=True):
        if not callable(function):
            out = _put(out, function, condition)
            continue
        chosen = x[condition]
        if chosen.size > 0:
            out = _put(out, function(chosen, *args, **kw), condition)
    return out


def _conditions(condlist: Any, ndim: int) -> list[Any]:
    """The conditions as boolean arrays, one of which NumPy accepts without a list around it."""
    condlist = raw(condlist)
    first = condlist[0] if isinstance(condlist, list | tuple) else condlist
    if np.isscalar(condlist) or (not isinstance(first, list | tuple) and np.ndim(raw(first)) == 0
                                 and ndim != 0):  # fmt: skip
        condlist = [condlist]
    condlist = [raw(c) for c in condlist]
    return [
        c.astype(bool) if is_traced(c) or is_lifted(c) else np.asarray(c, bool) for c in condlist
    ]


def _put(out: Any, value: Any, condition: Any) -> Any:
    if out.ndim == 0:
        value = np.reshape(value, ()) if np.size(value) == 1 else value
        return as_array(value).astype(out.dtype) if condition else out
    return HOOKS["op:setitem"](out, value, index=condition)
