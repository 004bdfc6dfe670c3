"""gammaln and digamma.

In the middle a polynomial with the roots taken out; up to 8 the recurrences downwards, which add
terms of one sign; beyond, Stirling's series. Negative arguments are rare: scalar code reflects.
"""

from __future__ import annotations

import math

import numpy as np

from gradtape.backends.llvm.kernel import Kernel, Num
from gradtape.backends.llvm.kernels.logarithmic import log_of, log_pair, split, split_any

LOW, MIDDLE, HIGH = 0.85, 3.0, 8.0
PSI_LOW, PSI_MIDDLE = 0.75, 2.5


def _log(k: Kernel, x: Num) -> tuple[Num, Num]:
    """Return log x as a pair."""
    n, m = split_any(k, x)
    if not k.exact:
        return log_of(k, n, m - 1.0), k.num(0.0)
    high, low = log_pair(k, m)
    total, cut = k.quick_two_sum(n * k.constant("ln2", 0), high)
    return k.quick_two_sum(total, cut + k.fma(n, k.constant("ln2", 1), low))


def gammaln_positive(k: Kernel, x: Num) -> Num:
    """Return log gamma(x) for x > 0."""
    far, near = x > HIGH, x < LOW
    product, y = k.num(1.0), x
    for _ in range(5):
        high = y > MIDDLE
        below = y - 1.0
        product = k.select(high, product * below, product)
        y = k.select(high, below, y)
    t = k.at_most(k.select(near, x - 1.0, y - 2.0), 1.0)
    middle = t * k.select(near, x, y - 1.0) * k.poly("gammaln", t)
    log, log_low = _log(k, k.select(far | near, x, product))
    middle = k.select(near, middle - log, middle + log)
    z = 1.0 / k.at_least(x, HIGH)
    tail = z * k.poly("stirling", z * z)
    factor = x - 0.5
    p, p_low = k.two_product(factor, log)
    p_low = k.fma(factor, log_low, p_low)
    first, cut = k.two_sum(p, -x)
    last = (k.constant("half_log_2pi", 1) + tail) + (p_low + cut)
    series = (first + k.constant("half_log_2pi", 0)) + last
    result = k.select(far, series, middle)
    return k.select(x < 2.55e305, result, k.select(k.isnan(x), x, np.inf))


def _sine_of_pi(k: Kernel, x: Num) -> tuple[Num, Num]:
    """Return |sin(pi x)| and cos(pi x) up to its sign, of x's distance to the integers."""
    d = x - k.rint(x)
    # |d| <= 1/2; the polynomials go to pi/4, beyond it the two change places.
    a = k.abs(d)
    swap = a > 0.25
    r = k.select(swap, 0.5 - a, a) * math.pi
    z = r * r
    s = k.fma(r * z, k.poly("sin", z), r)
    c = k.fma(z * z, k.poly("cos", z), k.fma(-0.5, z, 1.0))
    return k.select(swap, c, s), k.copysign(k.select(swap, s, c), d)


def gammaln(k: Kernel, x: Num) -> Num:
    fast = gammaln_positive(k, k.abs(x))
    fast = k.select(x.equals(0.0), np.inf, fast)
    return k.rare("gammaln_negative", -x, 0.0, [x], fast)


def gammaln_negative(k: Kernel, x: Num) -> Num:
    """log(pi / (|x| |sin pi x|)) - log gamma(|x|); infinite at the integers."""
    a = k.abs(x)
    s, _ = _sine_of_pi(k, a)
    # In two logarithms, since |x| sin may underflow.
    log = _log(k, a)[0]
    result = (math.log(math.pi) - (log + _log(k, s)[0])) - gammaln_positive(k, a)
    result = k.select(a < 2.0**-60, -log, result)  # pi a may be subnormal
    return k.select(a < np.inf, k.select(s.equals(0.0), np.inf, result), x)


def digamma_positive(k: Kernel, x: Num) -> Num:
    """Return digamma(x) for x > 0."""
    far, near = x > HIGH, x < PSI_LOW
    over, under, y = k.num(0.0), k.num(1.0), x
    for _ in range(6):
        high = y > PSI_MIDDLE
        below = y - 1.0
        over = k.select(high, k.fma(over, below, under), over)
        under = k.select(high, under * below, under)
        y = k.select(high, below, y)
    y = k.at_most(k.select(near, x + 1.0, y), PSI_MIDDLE)
    over, under = k.select(near, -1.0, over), k.select(near, x, under)
    root = (y - k.constant("digamma_root", 0)) - k.constant("digamma_root", 1)
    middle = k.fma(root, k.poly("digamma", y - 1.625), over / under)
    z = 1.0 / k.at_least(x, HIGH)
    square = z * z
    n, m = split(k, k.at_least(x, HIGH))
    log = log_of(k, k.to_float(n), m - 1.0)
    series = log - k.fma(square, -k.poly("psi_tail", square), 0.5 * z)
    result = k.select(far, series, middle)
    return k.select(x < np.inf, result, x)


def digamma(k: Kernel, x: Num) -> Num:
    fast = digamma_positive(k, k.abs(x))
    fast = k.select(x.equals(0.0), k.copysign(np.inf, -x), fast)
    return k.rare("digamma_negative", -x, 0.0, [x], fast)


def digamma_negative(k: Kernel, x: Num) -> Num:
    """digamma(1 - x) = digamma(x) + pi / tan(pi x), and digamma(1 + a) = digamma(a) + 1 / a."""
    a = k.abs(x)
    s, c = _sine_of_pi(k, a)
    result = (digamma_positive(k, a) + 1.0 / a) + math.pi * c / s
    result = k.select(a < 2.0**-60, 1.0 / a, result)
    return k.select(s.equals(0.0) | a.equals(np.inf), np.nan, result)
