"""sin, cos, tan: x = q pi/2 + r with |r| <= pi/4, then polynomials in r.

Up to `LIMITS` the reduction is Cody and Waite's with three parts of pi/2 and a pair for r. Beyond
them, which is rare, it is M. Payne and R. Hanek's (SIGNUM Newsletter 18, 1983): the argument's
mantissa times those 192 bits of 2/pi that matter.
"""

from __future__ import annotations

import numpy as np

from gradtape.backends.llvm import ir, types
from gradtape.backends.llvm.coefficients import TWO_OVER_PI
from gradtape.backends.llvm.kernel import Kernel, Num

# Up to here r has an error below 2**-60 of its size in double (2**-29 in single).
LIMITS = {"d": 2.0**30, "w": 2.0**30, "s": 2.0**15}


def reduce(k: Kernel, x: Num) -> tuple[Num, Num, Num]:
    """Return q and the pair r of a moderate x.

    q times the first part is subtracted without error (the difference is a multiple of the part's
    last place, and below 1), and what the second subtraction rounds is kept.
    """
    whole, q = k.nearest(x, k.constant("two_over_pi"))
    first = k.fma(-whole, k.constant("pi_2", 0), x)
    if not k.exact:
        r = k.fma(-whole, k.constant("pi_2", 1), first)
        return q, r, k.num(0.0)
    product = whole * k.constant("pi_2", 1)
    error = k.fma(whole, k.constant("pi_2", 1), -product)
    high, cut = k.two_sum(first, -product)
    low = k.fma(-whole, k.constant("pi_2", 2), cut - error)
    r, low = k.quick_two_sum(high, low)
    return q, r, low


def sine(k: Kernel, r: Num, low: Num, flat: bool = False) -> tuple[Num, Num]:
    """Return sin(r + low) = r + tail: the two terms, to be added.

    `flat`: sooner, by a step of the polynomial, and less exactly by a fiftieth of an ulp.
    """
    z = r * r
    p = k.poly_flat("sin", z, z * z) if flat else k.poly("sin", z)
    cube = (r * z) * p
    return r, k.fma(low, k.fma(-0.5, z, 1.0), cube) if k.exact else cube


def cosine(k: Kernel, r: Num, low: Num) -> tuple[Num, Num]:
    """Return cos(r + low) as two terms, the first of them 1 - r**2 / 2 rounded."""
    z = r * r
    half = 0.5 * z
    first = 1.0 - half
    tail = (z * z) * k.poly("cos", z)
    if k.exact:
        tail = ((1.0 - first) - half) + k.fma(-r, low, tail)
    return first, tail


def turn(k: Kernel, result: Num, q: Num) -> Num:
    """Return the result, negated where bit 1 of q is set."""
    top = k.format.mantissa + (8 if k.precision == "s" else 11)
    return k.from_bits(k.bits(result) ^ ((q >> 1) << top))


def circular(k: Kernel, q: Num, r: Num, low: Num) -> Num:
    """Return sin(q pi/2 + r + low)."""
    s, s_tail = sine(k, r, low, flat=k.precision == "s")
    c, c_tail = cosine(k, r, low)
    odd = (q & 1).differs(0)
    return turn(k, k.select(odd, c, s) + k.select(odd, c_tail, s_tail), q)


def tangent(k: Kernel, q: Num, r: Num, low: Num) -> Num:
    """Return tan(q pi/2 + r + low), a quotient of two pairs."""
    s, s_low = k.quick_two_sum(*sine(k, r, low))
    c, c_low = k.quick_two_sum(*cosine(k, r, low))
    odd = (q & 1).differs(0)
    over, under = k.select(odd, c, s), k.select(odd, s, c)
    if k.exact:
        over_low, under_low = k.select(odd, c_low, s_low), k.select(odd, s_low, c_low)
        quotient = k.divide_pairs(over, over_low, under, under_low)
    else:
        quotient = over / under
    return k.select(odd, -quotient, quotient)


def _circular(k: Kernel, x: Num, quarters: int) -> Num:
    """Return sin(x + quarters pi/2)."""
    q, r, low = reduce(k, x)
    fast = circular(k, q + quarters if quarters else q, r, low)
    if not quarters:
        fast = k.keep_zero(x, fast)
    operands = [x, k.num(float(quarters))]
    return k.rare("circular_large", k.abs(x), LIMITS[k.precision], operands, fast)


def sin(k: Kernel, x: Num) -> Num:
    return _circular(k, x, 0)


def cos(k: Kernel, x: Num) -> Num:
    return _circular(k, x, 1)


def tan(k: Kernel, x: Num) -> Num:
    fast = k.keep_zero(x, tangent(k, *reduce(k, x)))
    return k.rare("tan_large", k.abs(x), LIMITS[k.precision], [x], fast)


# --- large arguments: scalar code -----------------------------------------------------------


def reduce_large(k: Kernel, x: Num) -> tuple[Num, Num, Num]:
    """Return q and the pair r of a large x, in double, by integers of 64 and 128 bits."""
    b = k.f.builder
    word, wide = ir.IntType(64), ir.IntType(128)

    def at(n: int, kind: ir.Type = word) -> ir.Constant:
        return ir.Constant(kind, n)

    def joined(high: ir.Value, low: ir.Value, places: ir.Value) -> ir.Value:
        """The upper word of both, shifted to the left."""
        return b.call(types.intrinsic(b.module, "fshl", word, 3), [high, low, places])

    bits = b.bitcast(k.abs(x).v, word)
    exponent = b.lshr(bits, at(52))
    mantissa = b.or_(b.and_(bits, at(2**52 - 1)), at(2**52))
    # x = mantissa 2**e with e = exponent - 1075. The bits of 2/pi before number e - 1 make
    # multiples of 4 and are left out; the table has 64 zeros in front, so e - 2 + 64 come before.
    # Infinity and NaN stay inside the table.
    start = b.sub(exponent, at(1075 + 2 - 64))
    start = b.select(b.icmp_unsigned("<", exponent, at(2047)), start, at(0))
    index, shift = b.lshr(start, at(6)), b.and_(start, at(63))
    table = _table(b.module)
    words = []
    for i in range(4):
        entry = b.add(index, at(i))
        place = b.gep(table, [at(0), entry], source_etype=table.value_type)
        words.append(b.load(place, typ=word))
    window = [joined(words[i], words[i + 1], shift) for i in range(3)]
    # The product modulo 2**192: two bits of the quotient, then 190 bits of the fraction.
    factor = b.zext(mantissa, wide)
    last = b.mul(b.zext(window[2], wide), factor)
    carried = b.add(b.mul(b.zext(window[1], wide), factor), b.lshr(last, at(64, wide)))
    top = b.add(b.mul(window[0], mantissa), b.trunc(b.lshr(carried, at(64, wide)), word))
    middle, bottom = b.trunc(carried, word), b.trunc(last, word)
    q = b.lshr(b.add(top, at(1 << 61)), at(62))
    top, middle, bottom = (
        joined(top, middle, at(2)), joined(middle, bottom, at(2)), b.shl(bottom, at(2)),
    )  # fmt: skip

    def part(value: ir.Value, scale: int) -> Num:
        return Num(k.f, b.uitofp(value, k.f.type)) * 2.0**-scale

    # The fraction, signed, in pieces of 32 bits; up to 62 of its bits may be equal.
    first = Num(k.f, b.sitofp(b.ashr(top, at(32)), k.f.type)) * 2.0**-32
    high, low = k.two_sum(first, part(b.and_(top, at(2**32 - 1)), 64))
    following, rest = k.quick_two_sum(
        part(b.lshr(middle, at(32)), 96), part(b.and_(middle, at(2**32 - 1)), 128)
    )
    high, cut = k.two_sum(high, low + following)
    low = cut + (rest + part(b.lshr(bottom, at(32)), 160))
    r, error = k.two_product(high, k.constant("pi_2", 0))
    error = error + k.fma(high, k.constant("pi_2", 1), low * k.constant("pi_2", 0))
    r, error = k.quick_two_sum(r, error)
    minus = x < 0.0
    count = Num(k.i, q)
    return k.select(minus, -count, count), k.select(minus, -r, r), k.select(minus, -error, error)


def _table(module: ir.Module) -> ir.GlobalVariable:
    name = "gt.two_over_pi"
    if name in module.globals:
        found: ir.GlobalVariable = module.globals[name]
        return found
    kind = ir.ArrayType(ir.IntType(64), len(TWO_OVER_PI))
    table = ir.GlobalVariable(module, kind, name)
    table.linkage = "internal"
    table.global_constant = True
    table.initializer = ir.Constant(kind, [ir.Constant(ir.IntType(64), w) for w in TWO_OVER_PI])
    return table


def circular_large(k: Kernel, x: Num, quarters: Num) -> Num:
    """sin(x + quarters pi/2): sin and cos share it."""
    q, r, low = reduce_large(k, x)
    result = circular(k, q + k.nearest(quarters)[1], r, low)
    return k.select(k.abs(x) < np.inf, result, np.nan)


def tan_large(k: Kernel, x: Num) -> Num:
    return k.select(k.abs(x) < np.inf, tangent(k, *reduce_large(k, x)), np.nan)
