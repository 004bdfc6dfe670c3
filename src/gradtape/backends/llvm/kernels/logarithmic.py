"""log and its kin: x = 2**n m with m near 1, and log m = 2 artanh s with s = (m - 1) / (m + 1).

log1p(f) = f - (f**2/2 - s (f**2/2 + R)) with R a polynomial in s**2 loses nothing to the rounding
of s, as in P. T. P. Tang, Table-driven implementation of the logarithm function, ACM TOMS 16
(1990), section 2.
"""

from __future__ import annotations

import numpy as np

from gradtape.backends.llvm.kernel import Kernel, Num
from gradtape.backends.llvm.kernels.exponential import exp_of_minus_abs

SQRT_HALF = {"d": 0x3FE6A09E667F3BCD, "w": 0x3FE6A09E667F3BCD, "s": 0x3F3504F3}


def split(k: Kernel, x: Num) -> tuple[Num, Num]:
    """Return the integer n and m in [sqrt(1/2), sqrt(2)) of a positive normal x = 2**n m."""
    least = SQRT_HALF[k.precision]
    above = k.bits(x) - least
    n = above >> k.format.mantissa
    return n, k.from_bits((above & ((1 << k.format.mantissa) - 1)) + least)


def split_any(k: Kernel, x: Num) -> tuple[Num, Num]:
    """Return n as a float and m for any positive x, subnormal too."""
    if k.precision == "w":  # a subnormal float32 is a normal float64
        n, m = split(k, x)
        return k.to_float(n), m
    places = k.format.mantissa + 2
    small = x < k.format.least_normal
    n, m = split(k, k.select(small, x * 2.0**places, x))
    return k.to_float(n) - k.select(small, float(places), 0.0), m


def terms(k: Kernel, f: Num, precision: str = "") -> tuple[Num, Num]:
    """Return f**2/2 and s (f**2/2 + R)."""
    s = f / (2.0 + f)
    z = s * s
    half = 0.5 * f * f
    return half, s * k.fma(z, k.poly("log", z, precision), half)


def log_of(k: Kernel, n: Num, f: Num, precision: str = "") -> Num:
    """Return n ln 2 + log(1 + f)."""
    half, rest = terms(k, f, precision)
    inner = k.fma(n, k.constant("ln2", 1), rest)
    return k.fma(n, k.constant("ln2", 0), f - (half - inner))


def special(k: Kernel, x: Num, result: Num) -> Num:
    """Return the result where 0 < x < inf, else what a logarithm has there."""
    usual = (x > 0.0) & (x < np.inf)
    other = k.select(x.equals(0.0), -np.inf, k.select(x > 0.0, x, np.nan))
    return k.select(usual, result, other)


def log(k: Kernel, x: Num) -> Num:
    n, m = split_any(k, x)
    return special(k, x, log_of(k, n, m - 1.0))


def log_pair(k: Kernel, m: Num) -> tuple[Num, Num]:
    """Return log m as a pair, to a few more bits than one number holds."""
    f = m - 1.0
    half, rest = terms(k, f)
    high = f - half
    return high, ((f - high) - half) + rest


def log_base(k: Kernel, x: Num, factor: str, of_two: tuple[float, float] | None) -> Num:
    """Return log x times a constant of two parts; of_two is that times ln 2 (None for 1)."""
    n, m = split_any(k, x)
    high, low = log_pair(k, m)
    c, c_low = k.constant(factor, 0), k.constant(factor, 1)
    product, error = k.two_product(high, c)
    error = error + k.fma(low, c, high * c_low)
    if of_two is None:
        whole = n
    else:
        whole = n * of_two[0]
        error = k.fma(n, of_two[1], error)
    total, rest = k.quick_two_sum(whole, product)
    return special(k, x, total + (rest + error))


def log2(k: Kernel, x: Num) -> Num:
    return log_base(k, x, "log2e", None)


def log10(k: Kernel, x: Num) -> Num:
    return log_base(k, x, "log10e", (k.constant("log10_2", 0), k.constant("log10_2", 1)))


def log1p_of(k: Kernel, x: Num, low: Num | None = None) -> Num:
    """Return log(1 + x + low) for 1 + x > 0, finite."""
    u, error = k.two_sum(1.0, x)
    if low is not None:
        error = error + low
    n, m = split(k, u)
    f = (m - 1.0) + (0.5 * error) * k.power_of_two(1 - n)
    return log_of(k, k.to_float(n), f)


def log1p(k: Kernel, x: Num) -> Num:
    return k.keep_tiny(x, special(k, 1.0 + x, log1p_of(k, x)))


def softplus(k: Kernel, x: Num) -> Num:
    """log(1 + e**x) = max(x, 0) + log1p(e**-|x|)."""
    return k.at_least(x, 0.0) + log1p_of(k, *exp_of_minus_abs(k, x))


def logaddexp(k: Kernel, x: Num, y: Num) -> Num:
    """log(e**x + e**y) = max + log1p(e**-|x - y|); of two equal infinities that infinity."""
    difference = k.select(x.equals(y), 0.0, x - y)
    larger = k.select(x > y, x, y)
    result = larger + log1p_of(k, *exp_of_minus_abs(k, difference))
    return k.select(k.isnan(x) | k.isnan(y), x + y, result)


def arcsinh(k: Kernel, x: Num) -> Num:
    """Return log1p(a + a**2 / (1 + sqrt(1 + a**2))), a = |x|; log(2 a) where a is large."""
    a = k.abs(x)
    large = 2.0 ** (k.format.mantissa // 2 + 2)
    b = k.at_most(a, large)
    square = b * b
    w = square / (1.0 + k.sqrt(1.0 + square))
    u, error = k.quick_two_sum(b, w)
    # The large ones take the same logarithm: 1 + u is 2 a there, up to its rounding.
    result = select_large(k, a, large, u, error)
    return k.keep_tiny(x, k.copysign(k.select(a < np.inf, result, a), x))


def select_large(k: Kernel, a: Num, large: float, u: Num, error: Num) -> Num:
    """Return log1p(u + error), or log(2 a) where a > large."""
    is_large = a > large
    one, low = k.two_sum(1.0, u)
    total = k.select(is_large, a, one)
    low = k.select(is_large, 0.0, low + error)
    n, m = split(k, total)
    f = (m - 1.0) + (0.5 * low) * k.power_of_two(1 - n)
    count = k.to_float(n) + k.select(is_large, 1.0, 0.0)
    return log_of(k, count, f)


def arccosh(k: Kernel, x: Num) -> Num:
    """Return log1p(t + sqrt(t (2 + t))), t = x - 1; log(2 x) where x is large."""
    large = 2.0 ** (k.format.mantissa // 2 + 2)
    t = k.at_most(x, large) - 1.0
    square, error = k.two_product(t, t)
    total, rest = k.two_sum(2.0 * t, square)
    root = k.sqrt(total)
    # One step of Newton's method gives the digits of the root that it has not.
    low = (k.fma(-root, root, total) + (rest + error)) * (0.5 / k.at_least(root, 1e-30))
    u, cut = k.two_sum(t, root)
    result = select_large(k, x, large, u, cut + low)
    result = k.select(x < np.inf, result, x)
    return k.select(x >= 1.0, k.select(x.equals(1.0), 0.0, result), np.nan)


def arctanh(k: Kernel, x: Num) -> Num:
    """Half of log1p(2 a / (1 - a)), a = |x|, with the quotient as a pair."""
    a = k.abs(x)
    below = 1.0 - a
    below_low = (1.0 - below) - a
    inverse = 1.0 / below
    q = 2.0 * a * inverse
    rest = k.fma(-q, below, 2.0 * a) - q * below_low
    result = 0.5 * log1p_of(k, q, rest * inverse)
    result = k.select(a < 1.0, result, k.select(a.equals(1.0), np.inf, np.nan))
    return k.keep_zero(x, k.copysign(result, x))
