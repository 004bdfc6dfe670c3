"""erf and erfc.

erfc x = e**(-x**2) P(t) / (x + 4) with t = (x - 4) / (x + 4), after the map of J. L. Schonfelder
(Chebyshev expansions for the error and related functions, Math. Comp. 32, 1978).
"""

from __future__ import annotations

from gradtape.backends.llvm.kernel import Kernel, Num
from gradtape.backends.llvm.kernels.exponential import expm1_of, reduce

NEAR = 1.0  # erfc is 1 - erf below


def erf_near(k: Kernel, x: Num) -> tuple[Num, Num]:
    """Return erf x as x and the rest, |x| <= 1."""
    return x, x * k.poly("erf", x * x)


def erfc_far(k: Kernel, a: Num) -> Num:
    """Return erfc a for a >= 1; every rounding but that of the polynomial is made good."""
    a = k.at_most(a, 11.0 if k.single else 28.0)
    below = a + 4.0
    inverse = 1.0 / below
    over = a - 4.0
    t = over * inverse
    square = a * a
    r, n, whole = reduce(k, -square)
    if not k.exact:
        return k.scale((1.0 + expm1_of(k, r)) * (k.poly("erfc", t) * inverse), n, whole)
    r = r - k.fma(a, a, -square)
    e, e_low = k.quick_two_sum(1.0, expm1_of(k, r))
    below_low = a - (below - 4.0)
    t_low = (k.fma(-t, below, over) - t * below_low) * inverse
    g, g_low = k.poly_pair("erfc", t, t_low)
    off = k.fma(-below, inverse, 1.0) - below_low * inverse
    product, low = k.two_product(e, g)
    low = low + k.fma(e_low, g, e * g_low)
    result, cut = k.two_product(product, inverse)
    cut = cut + k.fma(low, inverse, result * off)
    return k.scale(result + cut, n, whole)


def erf(k: Kernel, x: Num) -> Num:
    a = k.abs(x)
    near, rest = erf_near(k, k.at_most(a, 1.0))
    far = 1.0 - erfc_far(k, k.at_least(k.at_most(a, 6.5), NEAR))
    return k.copysign(k.select(a < NEAR, near + rest, far), x)


def erfc(k: Kernel, x: Num) -> Num:
    a = k.abs(x)
    near, rest = erf_near(k, k.at_least(k.at_most(x, 1.0), -1.0))
    first, cut = k.quick_two_sum(1.0, -near)
    close = first + (cut - rest)
    far = erfc_far(k, k.at_least(a, NEAR))
    return k.select(a < NEAR, close, k.select(x < 0.0, 2.0 - far, far))
