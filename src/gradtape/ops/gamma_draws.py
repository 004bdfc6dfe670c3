"""How a gamma number moves with its shape parameter: the slope of the quantile it stands at.

A number x drawn for the parameter a stands at the quantile P(a, x), which its draw fixed. So
dx/da = -(dP/da) / (dP/dx): implicit reparametrization (Figurnov, Mohamed and Mnih, 2018, eq. 4).
With p the density, dP/dx = p(a, x), and dp/da = p * (log t - digamma(a)).
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

import numpy as np

from ..core.registry import HOOKS

_LARGE = 200.0  # from here on the series has too many terms


def gamma_slope(a: Any, x: Any) -> Any:
    """dx/da of gamma numbers `x` of scale 1, in the dtype of `x`; nan where `a` is not positive."""
    a, x = np.broadcast_arrays(a, x)
    shape, dtype = x.shape, x.dtype
    a, x = (np.array(z, np.float64, ndmin=1) for z in (a, x))
    with np.errstate(all="ignore"):
        upper = (x > a) | (a > _LARGE)
        out = np.full(a.shape, np.nan)
        out[upper] = _by_integral(a[upper], x[upper])
        out[~upper] = _by_series(a[~upper], x[~upper])
        out[~(a > 0)] = np.nan
    return out.reshape(shape).astype(dtype)[()]


@cache
def _nodes() -> Any:
    return np.polynomial.legendre.leggauss(120)


def _digamma(a: Any) -> Any:
    return importlib.import_module("scipy.special").digamma(a)


def _by_series(a: Any, x: Any) -> Any:
    """For x <= a: term by term of the series of P.

    P(a, x) / p(a, x) is the sum of x^(n+1) / (a (a+1) ... (a+n)) over n = 0, 1, ..., and each term
    of P changes with a by its log x - digamma(a + n + 1).
    """
    term, psi = x / a, _digamma(a) + 1 / a  # digamma(a + 1)
    out = term * (psi - np.log(x))
    n = 1.0
    while np.any(term > 1e-18 * np.abs(out)):
        term = term * x / (a + n)
        psi = psi + 1 / (a + n)
        out = out + term * (psi - np.log(x))
        n += 1
    return np.where(x > 0, out, 0.0)


def _by_integral(a: Any, x: Any) -> Any:
    """The integral of p(t) (log t - digamma(a)) / p(x): over t > x, or less that over t < x.

    With t = x + s it has the weight (1 + s/x)^(a-1) e^-s, which is nothing beyond `reach`.
    """
    reach = 45.0 + 9.5 * np.sqrt(a)
    above = x > a
    reach = np.where(above, reach, -np.minimum(reach, x * (1 - 1e-16)))
    nodes, weights = _nodes()
    s = reach[:, None] * (nodes + 1) / 2
    x, a = x[:, None], a[:, None]
    weight = np.exp((a - 1) * np.log1p(s / x) - s)
    values = weight * (np.log(x + s) - _digamma(a))
    return np.sum(values * weights, axis=1) * reach / 2


HOOKS["gamma_slope"] = gamma_slope
