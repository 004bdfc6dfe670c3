"""arcsin, arccos, arctan, arctan2, hypot and cbrt."""

from __future__ import annotations

import math

import numpy as np

from gradtape.backends.llvm.kernel import Kernel, Num

TAN_PI_8 = math.sqrt(2) - 1


def arcsine_parts(k: Kernel, x: Num) -> tuple[Num, Num, Num, Num, Num]:
    """Return |x|, whether it is above 1/2, and s, its low part and s z P(z) of the reduced one.

    arcsin a = pi/2 - 2 arcsin(sqrt((1 - a) / 2)).
    """
    a = k.abs(x)
    big = a > 0.5
    half = k.fma(-0.5, a, 0.5)
    root = k.sqrt(half)
    z = k.select(big, half, a * a)
    s = k.select(big, root, a)
    # The digits that the root has not; 0 where there is no root.
    low = k.fma(-root, root, half) * (0.5 / k.at_least(root, 1e-30))
    return a, big, s, k.select(big, low, 0.0), s * z * k.poly("arcsin", z)


def arcsin(k: Kernel, x: Num) -> Num:
    _, big, s, low, tail = arcsine_parts(k, x)
    high, pi_low = k.constant("pi_2", 0), k.constant("pi_2", 1)
    first, cut = k.quick_two_sum(high, -2.0 * s)
    large = first + (cut + (pi_low - 2.0 * (tail + low)))
    return k.copysign(k.select(big, large, s + tail), x)


def arccos(k: Kernel, x: Num) -> Num:
    """By the sign of x: 2 arcsin(s), pi - 2 arcsin(s), or pi/2 - arcsin(x) near 0."""
    _, big, s, low, tail = arcsine_parts(k, x)
    high, pi_low = k.constant("pi_2", 0), k.constant("pi_2", 1)
    minus = x < 0.0
    near = 2.0 * (s + (tail + low))
    first, cut = k.quick_two_sum(2.0 * high, -2.0 * s)
    far = first + (cut + (2.0 * pi_low - 2.0 * (tail + low)))
    signed = k.copysign(s, x)
    first, cut = k.quick_two_sum(high, -signed)
    small = first + (cut + (pi_low - k.copysign(tail, x)))
    return k.select(big, k.select(minus, far, near), small)


def angle(k: Kernel, over: Num, under: Num, swapped: Num, minus: Num) -> Num:
    """Return the angle of (under, over), 0 <= over <= under, in one of four octants.

    With t reduced by arctan((a - b) / (a + b)) = arctan(a / b) - pi/4, the angle is a multiple of
    pi/4 plus or minus arctan t.
    """
    turned = over > under * TAN_PI_8
    a = k.select(turned, over - under, over)
    b = k.select(turned, over + under, under)
    t = a / b
    t = k.select(over.equals(0.0), 0.0, t)
    z = t * t
    tail = (t * z) * k.poly("arctan", z)
    # Octants: 0 or 1 quarter of pi, counted down from 2 where swapped, from 4 where minus.
    quarter = k.select(turned, 1.0, 0.0)
    quarter = k.select(swapped, 2.0 - quarter, quarter)
    quarter = k.select(minus, 4.0 - quarter, quarter)
    negative = swapped ^ minus
    sign = k.select(negative, -1.0, 1.0)
    first, error = k.two_product(quarter, 0.5 * k.constant("pi_2", 0))
    error = k.fma(quarter, 0.5 * k.constant("pi_2", 1), error)
    total, cut = k.two_sum(first, sign * t)
    return total + (cut + k.fma(sign, tail, error))


def arctan(k: Kernel, x: Num) -> Num:
    a = k.abs(x)
    swapped = a > 1.0
    over, under = k.select(swapped, 1.0, a), k.select(swapped, a, 1.0)
    never = swapped & ~swapped
    return k.copysign(angle(k, over, under, swapped, never), x)


def arctan2(k: Kernel, y: Num, x: Num) -> Num:
    a, b = k.abs(y), k.abs(x)
    swapped = a > b
    over, under = k.select(swapped, b, a), k.select(swapped, a, b)
    # Two infinities are like two ones; their sum must not overflow, a subnormal not vanish.
    infinite = over.equals(np.inf)
    over, under = k.select(infinite, 1.0, over), k.select(infinite, 1.0, under)
    factor = k.select(under > 2.0 ** (k.format.bias - 2), 0.25, 1.0)
    minus = Num(k.f, k.f.signbit(x.v))
    result = k.copysign(angle(k, over * factor, under * factor, swapped, minus), y)
    return k.select(k.isnan(x) | k.isnan(y), x + y, result)


def hypot(k: Kernel, x: Num, y: Num) -> Num:
    """The root of a sum of squares, scaled by a power of two so that none of them overflows.

    One step of Newton's method on the exact sum corrects the root (C. F. Borges, An improved
    algorithm for hypot(a, b), 2019).
    """
    a, b = k.abs(x), k.abs(y)
    swap = a < b
    a, b = k.select(swap, b, a), k.select(swap, a, b)
    # A float32's square is a normal float64. A small b beside a larger a needs no care.
    big, small = a > 2.0**510, a < 2.0**-400
    factor = k.select(big, 2.0**-600, k.select(small, 2.0**600, 1.0))
    back = k.select(big, 2.0**600, k.select(small, 2.0**-600, 1.0))
    u, v = a * factor, b * factor
    h = k.sqrt(k.fma(u, u, v * v))
    if k.exact:
        square, lost = k.two_product(h, h)
        first, first_low = k.two_product(u, u)
        rest = (first - square) + (k.fma(v, v, first_low) - lost)
        h = h + k.select(h > 0.0, rest / (2.0 * h), 0.0)
    result = h * back
    infinite = a.equals(np.inf) | b.equals(np.inf)
    return k.select(infinite, np.inf, result)


def cbrt(k: Kernel, x: Num) -> Num:
    """A polynomial for 1 / cbrt(m), Newton's iteration without a division, one exact residual."""
    a = k.abs(x)
    mantissa = k.format.mantissa
    small = a < k.format.least_normal
    scaled = k.select(small, a * 2.0 ** (3 * 18), a)
    above = k.bits(scaled)
    m = k.from_bits((above & ((1 << mantissa) - 1)) | (k.format.bias << mantissa))
    exponent = k.to_float((above >> mantissa) - k.format.bias)
    # exponent = 3 third + left with left 0, 1 or 2
    third, count = k.nearest(k.fma(exponent, 1.0 / 3.0, -1.0 / 3.0))
    left = k.fma(-3.0, third, exponent)
    one, two = left.equals(1.0), left.equals(2.0)
    y = k.poly("rcbrt", m)
    y = y * k.select(two, 0.6299605249474366, k.select(one, 0.7937005259840998, 1.0))
    m = m * k.select(two, 4.0, k.select(one, 2.0, 1.0))
    for _ in range(1 if k.single else 2):
        y = k.fma(y * (1.0 / 3.0), k.fma(-(m * y), y * y, 1.0), y)
    t = m * (y * y)
    square, low = k.two_product(t, t)
    cube, cube_low = k.two_product(square, t)
    rest = (m - cube) - k.fma(low, t, cube_low)
    t = k.fma(rest * (1.0 / 3.0), y * y, t)
    result = t * k.power_of_two(count) * k.select(small, 2.0**-18, 1.0)
    usual = (a > 0.0) & (a < np.inf)
    return k.select(usual, k.copysign(result, x), x)
