"""power: e**(y log x) with the logarithm as a pair of about 64 good bits."""

from __future__ import annotations

import numpy as np

from gradtape.backends.llvm.kernel import Kernel, Num
from gradtape.backends.llvm.kernels.exponential import exp_pair
from gradtape.backends.llvm.kernels.logarithmic import split_any


def log_pair(k: Kernel, n: Num, m: Num) -> tuple[Num, Num]:
    """Return n ln 2 + log m as a pair: 2 s + s z (2/3 + z P(z)), where only P is a plain number."""
    f = m - 1.0
    below = m + 1.0
    below_low = m - (below - 1.0)
    inverse = 1.0 / below
    s = f * inverse
    s_low = (k.fma(-s, below, f) - s * below_low) * inverse
    z, z_low = k.two_product(s, s)
    z_low = k.fma(2.0 * s, s_low, z_low)
    v, v_low = k.quick_two_sum(k.constant("two_thirds", 0), z * k.poly("log_tail", z))
    v_low = v_low + k.constant("two_thirds", 1)
    w, w_low = k.two_product(z, v)
    w_low = w_low + k.fma(z, v_low, z_low * v)
    e, e_low = k.two_product(s, w)
    e_low = e_low + k.fma(s, w_low, s_low * w)
    high, low = k.quick_two_sum(2.0 * s, e)
    low = low + k.fma(2.0, s_low, e_low)
    total, cut = k.quick_two_sum(n * k.constant("ln2", 0), high)
    return total, cut + k.fma(n, k.constant("ln2", 1), low)


def power(k: Kernel, x: Num, y: Num) -> Num:
    a = k.abs(x)
    n, m = split_any(k, a)
    # Beyond 2**70 every power of a number that is not 1 overflows or vanishes.
    exponent = k.at_least(k.at_most(y, 2.0**70), -(2.0**70))
    log, log_low = log_pair(k, n, m)
    p, low = k.two_product(exponent, log)
    low = k.fma(exponent, log_low, low)
    low = k.select(k.abs(p) < -k.format.exp_low, low, 0.0)
    size = exp_pair(k, p, low)
    # What the logarithm of 0 and of infinity would have given.
    ends = a.equals(0.0) | a.equals(np.inf)
    vanishes = a.equals(0.0) ^ (y < 0.0)
    size = k.select(ends, k.select(vanishes, 0.0, np.inf), size)
    whole = k.rint(y).equals(y)
    half = 0.5 * y
    odd = whole & k.rint(half).differs(half)
    negative = Num(k.f, k.f.signbit(x.v))
    result = k.select(negative & odd, -size, size)
    undefined = (negative & ~ends & ~whole) | k.isnan(x) | k.isnan(y)
    result = k.select(undefined, np.nan, result)
    return k.select(y.equals(0.0) | x.equals(1.0), 1.0, result)
