"""sinh, cosh, tanh, on the reduction of exp."""

from __future__ import annotations

from gradtape.backends.llvm.kernel import Kernel, Num
from gradtape.backends.llvm.kernels.exponential import expm1_of, reduce


def halves(k: Kernel, a: Num) -> tuple[Num, Num, Num, Num, Num]:
    """Return what sinh and cosh of a >= 0 are made of.

    With a = n ln 2 + r: 2**(n-2) + 2**(-n-2), 2**(n-2) - 2**(-n-2), and sinh r, cosh r - 1 and its
    rounding error. e**a / 2 may be finite where e**a is not, hence the quarters.
    """
    r, n, _ = reduce(k, k.at_most(a, k.format.exp_high + 0.6))
    up = k.power_of_two(n - 2)
    # Beyond n = 100 the other half is below the last place.
    down = k.power_of_two(-2 - k.select(n > 100, 100, n))
    z = r * r
    sinh = k.fma(r * z, k.poly("sinh", z), r)
    cosh = k.fma(z * z, k.poly("cosh", z), 0.5 * z)
    return up + down, up - down, sinh, cosh, r


def sinh(k: Kernel, x: Num) -> Num:
    """(2**n - 2**-n)/2 cosh r + (2**n + 2**-n)/2 sinh r."""
    total, difference, sinh_r, cosh_r, _ = halves(k, k.abs(x))
    result = 2.0 * (difference + k.fma(difference, cosh_r, total * sinh_r))
    return k.keep_tiny(x, k.copysign(result, x))


def cosh(k: Kernel, x: Num) -> Num:
    """(2**n + 2**-n)/2 cosh r + (2**n - 2**-n)/2 sinh r."""
    total, difference, sinh_r, cosh_r, _ = halves(k, k.abs(x))
    return 2.0 * (total + k.fma(total, cosh_r, difference * sinh_r))


def tanh(k: Kernel, x: Num) -> Num:
    """E / (E + 2) with E = e**(2 |x|) - 1 as a pair; in single it is cheaper in two pieces.

    1 - 2 / (E + 2) loses no digits where it is above 3/4, and below a polynomial is short.
    """
    a = k.at_most(k.abs(x), 10.0 if k.single else 22.0)
    r, n, _ = reduce(k, a + a)
    up = k.power_of_two(n)
    if k.single:
        far = 1.0 - 2.0 / k.fma(up, expm1_of(k, r), up + 1.0)
        z = a * a
        near = k.fma(a * z, k.poly("tanh", z), a)
        return k.copysign(k.select(a < 1.0, near, far), x)
    rest = (r * r) * k.poly("exp", r)
    first, cut = k.two_sum(up - 1.0, up * r)
    e, low = k.quick_two_sum(first, up * rest)
    low = low + cut
    below, below_low = k.two_sum(e, 2.0)
    return k.copysign(k.divide_pairs(e, low, below, below_low + low), x)
