"""fmod and floor_divide: exact, as C's and NumPy's."""

from __future__ import annotations

import numpy as np

from gradtape.backends.llvm import ir
from gradtape.backends.llvm.kernel import Kernel, Num


def fmod(k: Kernel, x: Num, y: Num) -> Num:
    """The rest x - trunc(x / y) y, exact by fma while the quotient fits into the mantissa."""
    a, b = k.abs(x), k.abs(y)
    quotient = a / b
    rest = k.fma(-k.trunc(quotient), b, a)
    # The rounded quotient may be one too large.
    rest = k.select(rest < 0.0, rest + b, rest)
    rest = k.select(a < b, a, rest)
    fast = k.copysign(k.select(k.isnan(y), y, rest), x)
    return k.rare("fmod_large", quotient, 2.0**k.format.mantissa, [x, y], fast)


def fmod_large(k: Kernel, x: Num, y: Num) -> Num:
    """Long division in binary, 11 places (8 in single) a step: a loop, in scalar code."""
    b = k.f.builder
    word = k.i.type
    mantissa, bias = k.format.mantissa, k.format.bias
    step = 62 - mantissa - 1 if mantissa == 52 else 31 - mantissa - 1

    def at(n: int) -> ir.Constant:
        return ir.Constant(word, n)

    scaled = []
    for v in (k.abs(x), k.abs(y)):
        bits = k.bits(v).v
        exponent = b.lshr(bits, at(mantissa))
        subnormal = b.icmp_unsigned("==", exponent, at(0))
        stored = b.and_(bits, at((1 << mantissa) - 1))
        whole = b.select(subnormal, stored, b.or_(stored, at(1 << mantissa)))
        scaled.append((whole, b.select(subnormal, at(1), exponent)))
    (big, big_exponent), (small, small_exponent) = scaled
    small = b.select(b.icmp_unsigned("==", small, at(0)), at(1), small)
    places = b.sub(big_exponent, small_exponent)

    entry = b.block
    loop = b.append_basic_block("divide")
    done = b.append_basic_block("divided")
    first = b.urem(big, small)
    b.branch(loop)
    b.position_at_end(loop)
    rest = b.phi(word)
    left = b.phi(word)
    now = b.select(b.icmp_signed("<", left, at(step)), left, at(step))
    now = b.select(b.icmp_signed("<", now, at(0)), at(0), now)
    following = b.urem(b.shl(rest, now), small)
    remaining = b.sub(left, now)
    rest.add_incoming(first, entry)
    rest.add_incoming(following, loop)
    left.add_incoming(places, entry)
    left.add_incoming(remaining, loop)
    b.cbranch(b.icmp_signed(">", remaining, at(0)), loop, done)
    b.position_at_end(done)
    # The rest in units of y's last place, which is normal or the least subnormal.
    value = Num(k.f, b.uitofp(following, k.f.type))
    half = b.lshr(small_exponent, at(1))
    other = b.sub(small_exponent, half)
    unit = k.power_of_two(Num(k.i, b.sub(half, at(bias // 2))))
    unit_2 = k.power_of_two(Num(k.i, b.sub(other, at(bias - bias // 2 + mantissa))))
    result = k.copysign(value * unit * unit_2, x)
    valid = (k.abs(x) < np.inf) & k.abs(y).differs(0.0)
    return k.select(valid, result, np.nan)


def floor_divide(k: Kernel, x: Num, y: Num) -> Num:
    """NumPy's: the quotient of what fmod leaves, rounded to the integer that it is near."""
    rest = fmod(k, x, y)
    quotient = (x - rest) / y
    wrong = rest.differs(0.0) & ((y < 0.0) ^ (rest < 0.0))
    quotient = k.select(wrong, quotient - 1.0, quotient)
    down = k.floor(quotient)
    down = k.select(quotient - down > 0.5, down + 1.0, down)
    plain = x / y
    result = k.select(quotient.equals(0.0), k.copysign(0.0, plain), down)
    return k.select(y.equals(0.0), plain, result)
