"""Special functions that SciPy computes: the error functions and the gamma function's family.

SciPy is imported when one of them is first called. Its ufuncs are not registered here.
"""

from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np

from ..core.cards import elementwise
from ..core.registry import HOOKS
from ..core.symbol import may_hold
from ..core.tensor import Tensor, raw

_SLOPE = 2 / math.sqrt(math.pi)


def _scipy(name: str) -> Any:
    """`scipy.special.<name>`, in the dtype of the operand."""

    def impl(*operands: Any) -> Any:
        function = getattr(importlib.import_module("scipy.special"), name)
        out = function(*operands)
        dtype = getattr(operands[-1], "dtype", None)
        return out.astype(dtype) if dtype is not None and dtype.kind == "f" else out

    return impl


def _gaussian(x: Any) -> Any:
    return _SLOPE * np.exp(-np.square(x))


erf = elementwise(None, lambda _out, x: _gaussian(x), name="erf", impl=_scipy("erf"))
erfc = elementwise(None, lambda _out, x: -_gaussian(x), name="erfc", impl=_scipy("erfc"))


def _polygamma(n: Any, x: Any) -> Any:
    """The `n`-th derivative of digamma, `n >= 1`: (-1)^(n+1) n! zeta(n + 1, x)."""
    special = importlib.import_module("scipy.special")
    out = (-1.0) ** (n + 1) * special.gamma(n + 1.0) * special.zeta(n + 1, x)
    # zeta has no values left of 0: there by psi(1 - x) - psi(x) = pi cot(pi x), derived n times
    left = np.less(x, 0)
    if may_hold(left):
        out = np.where(left, _reflected(n, np.where(left, x, -0.5)), out)
    dtype = getattr(x, "dtype", None)
    return out.astype(dtype)[()] if dtype is not None and dtype.kind == "f" else out


def _reflected(n: Any, x: Any) -> Any:
    """Values of polygamma left of 0, from its values right of 1; nan at the poles."""
    special = importlib.import_module("scipy.special")
    n, x = np.broadcast_arrays(n, np.asarray(x, np.float64))
    out = np.empty(x.shape)
    for k in np.unique(n):
        here = n == k
        z = x[here]
        mirrored = (-1.0) ** (k + 1) * special.gamma(k + 1.0) * special.zeta(k + 1, 1 - z)
        out[here] = (-1.0) ** k * mirrored - np.pi * _cotangent_slope(int(k), z)
    return np.where(x == np.floor(x), np.nan, out)


def _cotangent_slope(n: int, x: Any) -> Any:
    """The `n`-th derivative of cot(pi x), as pi^n times a polynomial in c = cot(pi x)."""
    # d/dx c = -pi (1 + c^2)
    coefficients = np.polynomial.Polynomial([0.0, 1.0])
    factor = np.polynomial.Polynomial([-1.0, 0.0, -1.0])
    for _ in range(n):
        coefficients = coefficients.deriv() * factor
    return np.pi**n * coefficients(1 / np.tan(np.pi * x))


def _op(name: str, *operands: Any) -> Any:
    """The op on Tensors; on raw values its raw value, for a cotangent is no Tensor there."""
    out = HOOKS[f"op:{name}"](*operands)
    return out if any(isinstance(x, Tensor) for x in operands) else raw(out)


polygamma = elementwise(
    None,
    None,  # the order is a whole number
    lambda _out, n, x: _op("polygamma", n + 1, x),
    name="polygamma",
    impl=_polygamma,
)
digamma = elementwise(
    None,
    lambda _out, x: _op("polygamma", 1, x),
    name="digamma",
    impl=_scipy("digamma"),
)
lgamma = elementwise(
    None,
    lambda _out, x: _op("digamma", x),
    name="lgamma",
    impl=_scipy("gammaln"),
)
