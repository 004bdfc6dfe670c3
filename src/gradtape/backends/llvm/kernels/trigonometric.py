"""sin, cos, tan: x = q pi/2 + r with |r| <= pi/4, then polynomials in r.

Up to `LIMITS` the reduction is Cody and Waite's with three parts of pi/2 and a pair for r. Beyond
them, which is rare, it is M. Payne and R. Hanek's (SIGNUM Newsletter 18, 1983): the argument's
mantissa times those 192 bits of 2/pi that matter.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir

from gradtape.backends.llvm import types
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


def sine(k: Kernel, r: Num, low: Num) -> tuple[Num, Num]:
    """Return sin(r + low) = r + tail: the two terms, to be added."""
    z = r * r
    cube = (r * z) * k.poly("sin", z)
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
    s, s_tail = sine(k, r, low)
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


def _moderate(name: str, k: Kernel, x: Num) -> Num:
    q, r, low = reduce(k, x)
    if name == "tan":
        return tangent(k, q, r, low)
    return circular(k, q + 1 if name == "cos" else q, r, low)


def _function(name: str, k: Kernel, x: Num) -> Num:
    fast = _moderate(name, k, x)
    if name != "cos":
        fast = k.keep_zero(x, fast)
    return k.rare(f"{name}_large", k.abs(x), LIMITS[k.precision], [x], fast)


def sin(k: Kernel, x: Num) -> Num:
    return _function("sin", k, x)


def cos(k: Kernel, x: Num) -> Num:
    return _function("cos", k, x)


def tan(k: Kernel, x: Num) -> Num:
    return _function("tan", k, x)


# --- large arguments: scalar code -----------------------------------------------------------


def reduce_large(k: Kernel, x: Num) -> tuple[Num, Num, Num]:
    """Return q and the pair r of a large x, in double, by integers of 192 bits."""
    b = k.f.builder
    wide, word = ir.IntType(192), ir.IntType(64)

    def at(n: int, kind: ir.Type = wide) -> ir.Constant:
        return ir.Constant(kind, n)

    bits = b.bitcast(k.abs(x).v, word)
    exponent = b.lshr(bits, at(52, word))
    mantissa = b.or_(b.and_(bits, at(2**52 - 1, word)), at(2**52, word))
    # x = mantissa 2**e with e = exponent - 1075. The bits of 2/pi before number e - 1 make
    # multiples of 4 and are left out; the table has 64 zeros in front, so e - 2 + 64 come before.
    # Infinity and NaN stay inside the table.
    start = b.sub(exponent, at(1075 + 2 - 64, word))
    start = b.select(b.icmp_unsigned("<", exponent, at(2047, word)), start, at(0, word))
    index, shift = b.lshr(start, at(6, word)), b.and_(start, at(63, word))
    table = _table(b.module)
    window = ir.Constant(ir.IntType(256), 0)
    for i in range(4):
        entry = b.add(index, at(i, word))
        place = b.gep(table, [at(0, word), entry], source_etype=table.value_type)
        loaded = b.zext(b.load(place, typ=word), ir.IntType(256))
        window = b.or_(window, b.shl(loaded, at(64 * (3 - i), ir.IntType(256))))
    window = b.shl(window, b.zext(shift, ir.IntType(256)))
    window = b.trunc(b.lshr(window, at(64, ir.IntType(256))), wide)
    # Two bits of the quotient, then the fraction, 190 bits of it.
    product = b.mul(window, b.zext(mantissa, wide))
    quotient = b.lshr(b.add(product, at(1 << 189)), at(190))
    q = b.and_(b.trunc(quotient, word), at(3, word))
    fraction = b.shl(product, at(2))
    minus = b.icmp_signed("<", fraction, at(0))
    size = b.select(minus, b.neg(fraction), fraction)
    zeros = b.call(
        b.module.declare_intrinsic(
            "llvm.ctlz", [wide], ir.FunctionType(wide, [wide, types.BOOL])
        ),
        [size, ir.Constant(types.BOOL, 0)],
    )
    zeros = b.select(b.icmp_unsigned("<", zeros, at(190)), zeros, at(190))
    size = b.shl(size, zeros)
    high = b.trunc(b.lshr(size, at(192 - 53)), word)
    low = b.and_(b.trunc(b.lshr(size, at(192 - 106)), word), at(2**53 - 1, word))
    exponent_of = b.sub(at(1023, word), b.trunc(zeros, word))
    unit = b.bitcast(b.shl(exponent_of, at(52, word)), k.f.type)
    first = Num(k.f, b.fmul(b.uitofp(high, k.f.type), unit)) * 2.0**-53
    second = Num(k.f, b.fmul(b.uitofp(low, k.f.type), unit)) * 2.0**-106
    r, error = k.two_product(first, k.constant("pi_2", 0))
    error = error + k.fma(first, k.constant("pi_2", 1), second * k.constant("pi_2", 0))
    r, error = k.quick_two_sum(r, error)
    # sin is odd and 4 - q is what -x has for q.
    flip = Num(k.f, minus) ^ (x < 0.0)
    turned = Num(k.i, q)
    turned = k.select(x < 0.0, 4 - turned, turned)
    return turned, k.select(flip, -r, r), k.select(flip, -error, error)


def _table(module: ir.Module) -> ir.GlobalVariable:
    name = "gt.two_over_pi"
    if name in module.globals:
        return module.globals[name]
    kind = ir.ArrayType(ir.IntType(64), len(TWO_OVER_PI))
    table = ir.GlobalVariable(module, kind, name)
    table.linkage = "internal"
    table.global_constant = True
    table.initializer = ir.Constant(kind, [ir.Constant(ir.IntType(64), w) for w in TWO_OVER_PI])
    return table


def _large(name: str, k: Kernel, x: Num) -> Num:
    q, r, low = reduce_large(k, x)
    if name == "tan":
        result = tangent(k, q, r, low)
    else:
        result = circular(k, q + 1 if name == "cos" else q, r, low)
    return k.select(k.abs(x) < np.inf, result, np.nan)


def sin_large(k: Kernel, x: Num) -> Num:
    return _large("sin", k, x)


def cos_large(k: Kernel, x: Num) -> Num:
    return _large("cos", k, x)


def tan_large(k: Kernel, x: Num) -> Num:
    return _large("tan", k, x)
