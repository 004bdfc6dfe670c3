"""Cards of elementwise functions with kinks and steps: choices, clipping, remainders, roundings.

At a tie `maximum`, `minimum`, `fmax` and `fmin` give the cotangent to the first operand, and
`clip` to the clipped one, as TensorFlow does. Steps (`sign`, `copysign` in its second operand,
`heaviside` in its first) have slope 0; functions that are nothing but steps (`floor`) are in
`compare.py` and have no gradient.

A partial that is a boolean mask selects the cotangent: what stands on the other side, infinite or
NaN, does not come through.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.batched import as_array
from ..core.cards import composite, elementwise
from ..core.positions import decode, user_frame
from ..core.registry import FUNCTIONS, HOOKS, UFUNC_METHODS, UFUNCS
from ..core.ufunc_call import make_general
from ..errors import three_part

_NO = np._NoValue

# ------------------------------------------------------------------------------- choices


def _unless(wins: Any) -> Any:
    return lambda _out, x, y: np.logical_not(wins(_out, x, y))


def _first_fmax(_out: Any, x: Any, y: Any) -> Any:
    return np.logical_or(np.greater_equal(x, y), np.isnan(y))


def _first_fmin(_out: Any, x: Any, y: Any) -> Any:
    return np.logical_or(np.less_equal(x, y), np.isnan(y))


def _first_maximum(_out: Any, x: Any, y: Any) -> Any:
    return np.greater_equal(x, y)


def _first_minimum(_out: Any, x: Any, y: Any) -> Any:
    return np.less_equal(x, y)


maximum = elementwise(np.maximum, _first_maximum, _unless(_first_maximum))
minimum = elementwise(np.minimum, _first_minimum, _unless(_first_minimum))
fmax = elementwise(np.fmax, _first_fmax, _unless(_first_fmax), drops=True)
fmin = elementwise(np.fmin, _first_fmin, _unless(_first_fmin), drops=True)

# clip(x, low, high) is minimum(maximum(x, low), high): high wins over a low above it
clip = elementwise(
    np.clip,
    lambda _out, x, low, high: np.logical_and(x >= low, x <= high),
    lambda _out, x, low, high: np.logical_and(x < low, low <= high),
    lambda _out, x, low, high: np.maximum(x, low) > high,
)


def _clip(
    a: Any, a_min: Any = _NO, a_max: Any = _NO, out: Any = None, *, min: Any = _NO, max: Any = _NO,
    **kwargs: Any,
) -> Any:  # fmt: skip
    """`np.clip`; a bound that is None does not exist."""
    if (a_min is not _NO or a_max is not _NO) and (min is not _NO or max is not _NO):
        frame = user_frame()
        raise ValueError(
            three_part(
                "clip: the bounds are given as a_min, a_max and as min, max.",
                f"Called at {decode(frame.f_code, frame.f_lasti)}.",
                "Use one spelling: np.clip(x, 0.0, 1.0).",
            )
        )
    low = min if a_min is _NO else a_min
    high = max if a_max is _NO else a_max
    low, high = (None if bound is _NO else bound for bound in (low, high))
    if low is None and high is None:
        return UFUNC_METHODS[np.positive, "__call__"](a, out=out, **kwargs)
    if low is None:
        return UFUNC_METHODS[np.minimum, "__call__"](a, high, out=out, **kwargs)
    if high is None:
        return UFUNC_METHODS[np.maximum, "__call__"](a, low, out=out, **kwargs)
    return _clip_both(a, low, high, out=out, **kwargs)


_clip_both = FUNCTIONS[np.clip]
FUNCTIONS[np.clip] = _clip
# `plain.clip(low, high)` with a Tensor as a bound arrives as NumPy's own ufunc behind np.clip
UFUNC_METHODS[np._core.umath.clip, "__call__"] = _clip  # type: ignore[attr-defined]

# --------------------------------------------------------------------------------- signs

# x / |x| times the sign of y; the sign of the result carries that of y without asking its dtype
copysign = elementwise(
    np.copysign, lambda out, x, _y: np.sign(x) * np.sign(out), 0, drops=True
)
heaviside = elementwise(np.heaviside, 0, lambda _out, x, _h: np.equal(x, 0), drops=True)

# ---------------------------------------------------------------------------- remainders

# x - n * y with a whole n, which is constant between the steps
remainder = elementwise(np.remainder, 1, lambda _out, x, y: -np.floor_divide(x, y))
fmod = elementwise(np.fmod, 1, lambda out, x, y: np.rint((out - x) / y))
modf_fraction = elementwise(None, 1, name="modf_fraction", impl=lambda x: np.modf(x)[0])


@composite(np.divmod)
def divmod(x: Any, y: Any) -> Any:
    """Quotient, a step function without gradient, and remainder."""
    return np.floor_divide(x, y), np.remainder(x, y)


@composite(np.modf)
def modf(x: Any) -> Any:
    """Fraction, with slope 1, and whole part, a step function without gradient."""
    x = as_array(x)
    if x.dtype.kind in "biu":
        x = x.astype(np.modf(np.zeros((), x.dtype))[0].dtype)
    return HOOKS["op:modf_fraction"](x), np.trunc(x)


@composite(np.frexp)
def frexp(x: Any) -> Any:
    """Mantissa and exponent of x = mantissa * 2**exponent; the exponent has no gradient."""
    exponent = HOOKS["op:exponent"](x)
    return np.ldexp(x, np.negative(exponent)), exponent


for _ufunc in (np.divmod, np.modf, np.frexp):
    UFUNC_METHODS[_ufunc, "__call__"] = make_general(_ufunc, UFUNCS[_ufunc], 2)
