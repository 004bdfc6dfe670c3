"""exp and its kin: the argument is n ln 2 + r with |r| <= ln 2 / 2, a polynomial in r, 2**n.

The split of ln 2 is Cody and Waite's (Software Manual for the Elementary Functions, 1980, ch. 6).
"""

from __future__ import annotations

from gradtape.backends.llvm.kernel import Kernel, Num


def reduce(k: Kernel, x: Num) -> tuple[Num, Num, Num]:
    """Return r and n of x = n ln 2 + r; n as an integer and as a float."""
    whole, n = k.nearest(x, k.constant("log2e"))
    r = k.fma(-whole, k.constant("ln2", 0), x)
    return k.fma(-whole, k.constant("ln2", 1), r), n, whole


def reduce_pair(k: Kernel, x: Num) -> tuple[Num, Num, Num, Num]:
    """Return r as a pair, and n twice."""
    whole, n = k.nearest(x, k.constant("log2e"))
    first = k.fma(-whole, k.constant("ln2", 0), x)
    r = k.fma(-whole, k.constant("ln2", 1), first)
    return r, k.fma(-whole, k.constant("ln2", 1), first - r), n, whole


def expm1_of(k: Kernel, r: Num) -> Num:
    """Return e**r - 1 of a reduced r."""
    return k.fma(r * r, k.poly("exp", r), r)


def clamp(k: Kernel, x: Num) -> Num:
    """Return x, or where exp overflows or vanishes a number that does so too."""
    return k.at_least(k.at_most(x, k.format.exp_high), k.format.exp_low)


def exp_pair(k: Kernel, x: Num, low: Num | None = None) -> Num:
    """Return e**(x + low), low a correction of x."""
    r, n, whole = reduce(k, clamp(k, x))
    if low is not None:
        r = r + low
    return k.scale(1.0 + expm1_of(k, r), n, whole)


def exp(k: Kernel, x: Num) -> Num:
    return exp_pair(k, x)


def exp2(k: Kernel, x: Num) -> Num:
    top = float(k.format.bias + 2)
    bottom = -float(k.format.bias + k.format.mantissa + 1)
    x = k.at_least(k.at_most(x, top), bottom)
    whole, n = k.nearest(x)
    r = x - whole
    return k.scale(k.fma(r, k.poly("exp2", r), 1.0), n, whole)


def expm1(k: Kernel, x: Num) -> Num:
    """e**x - 1 = 2**n (e**r - 1) + (2**n - 1), by half of it since 2**n may overflow."""
    low = -20.0 if k.precision == "s" else -40.0
    r, n, _ = reduce(k, k.at_least(k.at_most(x, k.format.exp_high), low))
    half = k.power_of_two(n - 1)
    return k.keep_tiny(x, 2.0 * k.fma(half, expm1_of(k, r), half - 0.5))


def exp_of_minus_abs(k: Kernel, x: Num) -> tuple[Num, Num]:
    """Return e**-|x| as a pair."""
    r, low, n, whole = reduce_pair(k, k.at_least(-k.abs(x), k.format.exp_low))
    e, e_low = k.quick_two_sum(1.0, expm1_of(k, r) + low)
    return k.scale(e, n, whole), k.scale(e_low, n, whole)


def sigmoid(k: Kernel, x: Num) -> Num:
    """1 / (1 + e**-x), by e**-|x| alone so that nothing overflows."""
    e, low = exp_of_minus_abs(k, x)
    minus = x < 0.0
    over, over_low = k.select(minus, e, 1.0), k.select(minus, low, 0.0)
    under, under_low = k.quick_two_sum(1.0, e)
    return k.divide_pairs(over, over_low, under, under_low + low)
