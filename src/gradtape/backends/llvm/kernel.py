"""What the kernels are written with: numbers with operators, and their floating-point format.

A `Num` is a value in a register with Python's operators; a `Kernel` is the context of one
function: where it emits, in which format it computes, and which coefficients it takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gradtape.backends.llvm.coefficients import CONSTANTS, POLYNOMIALS

if TYPE_CHECKING:
    from gradtape.backends.llvm.scalars import Scalars


class Num:
    """A value of one dtype with the operators of Python, each one instruction."""

    __slots__ = ("s", "v")

    def __init__(self, s: Scalars, v: Any) -> None:
        self.s = s
        self.v = v

    def _other(self, other: Any) -> Any:
        return other.v if isinstance(other, Num) else self.s.const(other)

    def _new(self, v: Any) -> Num:
        return Num(self.s, v)

    def __add__(self, other: Any) -> Num:
        return self._new(self.s.add(self.v, self._other(other)))

    def __radd__(self, other: Any) -> Num:
        return self._new(self.s.add(self._other(other), self.v))

    def __sub__(self, other: Any) -> Num:
        return self._new(self.s.sub(self.v, self._other(other)))

    def __rsub__(self, other: Any) -> Num:
        return self._new(self.s.sub(self._other(other), self.v))

    def __mul__(self, other: Any) -> Num:
        return self._new(self.s.mul(self.v, self._other(other)))

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Num:
        return self._new(self.s.div(self.v, self._other(other)))

    def __rtruediv__(self, other: Any) -> Num:
        return self._new(self.s.div(self._other(other), self.v))

    def __neg__(self) -> Num:
        return self._new(self.s.neg(self.v))

    def __lt__(self, other: Any) -> Num:
        return self._new(self.s.lt(self.v, self._other(other)))

    def __le__(self, other: Any) -> Num:
        return self._new(self.s.le(self.v, self._other(other)))

    def __gt__(self, other: Any) -> Num:
        return self._new(self.s.gt(self.v, self._other(other)))

    def __ge__(self, other: Any) -> Num:
        return self._new(self.s.ge(self.v, self._other(other)))

    def equals(self, other: Any) -> Num:
        return self._new(self.s.eq(self.v, self._other(other)))

    def differs(self, other: Any) -> Num:
        return self._new(self.s.ne(self.v, self._other(other)))

    def __and__(self, other: Any) -> Num:
        return self._new(self.s.and_(self.v, self._other(other)))

    def __or__(self, other: Any) -> Num:
        return self._new(self.s.or_(self.v, self._other(other)))

    def __xor__(self, other: Any) -> Num:
        return self._new(self.s.xor(self.v, self._other(other)))

    def __invert__(self) -> Num:
        return self._new(self.s.not_(self.v))

    def __lshift__(self, places: int) -> Num:
        return self._new(self.s.builder.shl(self.v, self.s.const(places)))

    def __rshift__(self, places: int) -> Num:
        return self._new(self.s.builder.ashr(self.v, self.s.const(places)))


@dataclass(frozen=True)
class Format:
    """A binary floating-point format, with the limits that the kernels need."""

    mantissa: int  # stored bits
    bias: int
    # exp: beyond these the result is infinity, or 0 even after rounding to a subnormal
    exp_high: float
    exp_low: float

    @property
    def shifter(self) -> float:
        """Adding it to a number rounds to an integer, which then stands in the lowest bits."""
        return 1.5 * 2.0**self.mantissa

    @property
    def least_normal(self) -> float:
        return 2.0 ** (1 - self.bias)


DOUBLE = Format(52, 1023, 710.0, -746.0)
SINGLE = Format(23, 127, 89.0, -104.0)


class Kernel:
    """The context of one kernel.

    `precision` is "d" (double), "s" (single) or "w" (double arithmetic for a single result, where
    corrections of the last bits are left out: `exact` is False).
    """

    has_branches = False  # whether the code is not to be vectorised, and may jump
    has_scale = False  # whether x * 2**n over vectors is an instruction

    def __init__(self, floats: Scalars, ints: Scalars, precision: str) -> None:
        self.f = floats
        self.i = ints
        self.precision = precision
        self.exact = precision != "w"
        self.single = precision != "d"  # of the result
        self.format = SINGLE if precision == "s" else DOUBLE
        self.shift_bits = int(np.array(self.format.shifter, floats.dtype).view(ints.dtype))

    # --- values -----------------------------------------------------------------------------

    def num(self, x: Any) -> Num:
        return x if isinstance(x, Num) else Num(self.f, self.f.const(x))

    def constant(self, name: str, part: int = 0) -> float:
        """Return one part of a split constant."""
        return CONSTANTS[self.precision][name][part]

    def poly(self, name: str, t: Num, precision: str = "") -> Num:
        """Return the polynomial of this name at t, by Horner's scheme."""
        coefficients = POLYNOMIALS[name][precision or self.precision]
        total = self.num(coefficients[-1])
        for c in reversed(coefficients[:-1]):
            total = self.fma(total, t, c)
        return total

    def poly_flat(self, name: str, t: Num, square: Num) -> Num:
        """Return a polynomial of four coefficients at t, in two steps instead of three."""
        a, b, c, d = POLYNOMIALS[name][self.precision]
        return self.fma(self.fma(d, t, c), square, self.fma(b, t, a))

    def poly_pair(self, name: str, t: Num, t_low: Num) -> tuple[Num, Num]:
        """Return the polynomial at t + t_low as a pair, to about half the error of `poly`.

        The last step keeps its roundings; the slope at t is that of the first three steps.
        """
        coefficients = POLYNOMIALS[name][self.precision]
        total = self.num(coefficients[-1])
        steps = []
        for c in reversed(coefficients[1:-1]):
            total = self.fma(total, t, c)
            steps.append(total)
        third, second, first = steps[-3:]
        slope = self.fma(self.fma(third, t, second), t, first)
        product, error = self.two_product(first, t)
        value, cut = self.two_sum(coefficients[0], product)
        return value, cut + self.fma(slope, t_low, error)

    # --- operations -------------------------------------------------------------------------

    def fma(self, x: Any, y: Any, z: Any) -> Num:
        return Num(self.f, self.f.fma(self.num(x).v, self.num(y).v, self.num(z).v))

    def select(self, condition: Num, x: Any, y: Any) -> Num:
        if not isinstance(x, Num) and not isinstance(y, Num):
            x = self.num(x)
        like = x if isinstance(x, Num) else y
        xv = x.v if isinstance(x, Num) else like.s.const(x)
        yv = y.v if isinstance(y, Num) else like.s.const(y)
        return Num(like.s, like.s.select(condition.v, xv, yv))

    def abs(self, x: Num) -> Num:
        return Num(self.f, self.f.abs(x.v))

    def sqrt(self, x: Num) -> Num:
        return Num(self.f, self.f.sqrt(x.v))

    def rint(self, x: Num) -> Num:
        return Num(self.f, self.f.rint(x.v))

    def trunc(self, x: Num) -> Num:
        return Num(self.f, self.f.trunc(x.v))

    def floor(self, x: Num) -> Num:
        return Num(self.f, self.f.floor(x.v))

    def copysign(self, x: Any, y: Num) -> Num:
        return Num(self.f, self.f.copysign(self.num(x).v, y.v))

    def isnan(self, x: Num) -> Num:
        return Num(self.f, self.f.isnan(x.v))

    def at_most(self, x: Num, high: Any) -> Num:
        """Return min(x, high), a NaN if x is one (one instruction of x86)."""
        high = self.num(high)
        return self.select(high < x, high, x)

    def at_least(self, x: Num, low: Any) -> Num:
        """Return max(x, low), a NaN if x is one."""
        low = self.num(low)
        return self.select(low > x, low, x)

    def bits(self, x: Num) -> Num:
        return Num(self.i, self.i.builder.bitcast(x.v, self.i.type))

    def from_bits(self, bits: Num) -> Num:
        return Num(self.f, self.f.builder.bitcast(bits.v, self.f.type))

    # --- integers held in floats ------------------------------------------------------------

    def nearest(self, x: Num, factor: float | None = None) -> tuple[Num, Num]:
        """Return the integer nearest to x (times a factor), as a float and as an integer.

        By adding a large number, not by a conversion: of a NaN that would be undefined in LLVM.
        """
        shifter = self.format.shifter
        moved = x + shifter if factor is None else self.fma(x, factor, shifter)
        return moved - shifter, self.bits(moved) - self.shift_bits

    def to_float(self, n: Num) -> Num:
        """Return a small integer as a float."""
        return self.from_bits(n + self.shift_bits) - self.format.shifter

    def power_of_two(self, n: Num) -> Num:
        """Return 2**n for an n whose power is a normal number."""
        return self.from_bits((n + self.format.bias) << self.format.mantissa)

    def scale(self, x: Num, n: Num, whole: Num) -> Num:
        """Return x * 2**n for x near 1, rounded once if the result is subnormal.

        `whole` is n as a float: machines with AVX-512 have an instruction for it (see library).
        """
        from gradtape.backends.llvm import library

        if self.f.lanes and not self.has_scale:
            half = n >> 1
            return x * self.power_of_two(half) * self.power_of_two(n - half)
        function = library.declare_scale(self.f.builder.module, self.f.dtype, self.f.lanes)
        return Num(self.f, self.f.builder.call(function, [x.v, whole.v, n.v]))

    # --- pairs: sums of two numbers that hold twice the digits (Dekker 1971, Knuth) ---------

    def quick_two_sum(self, a: Any, b: Any) -> tuple[Num, Num]:
        """Return a + b and its rounding error; |a| >= |b|, or a = 0."""
        a, b = self.num(a), self.num(b)
        total = a + b
        return total, b - (total - a)

    def two_sum(self, a: Any, b: Any) -> tuple[Num, Num]:
        """Return a + b and its rounding error."""
        a, b = self.num(a), self.num(b)
        total = a + b
        part = total - a
        return total, (a - (total - part)) + (b - part)

    def two_product(self, a: Any, b: Any) -> tuple[Num, Num]:
        """Return a * b and its rounding error."""
        a, b = self.num(a), self.num(b)
        product = a * b
        return product, self.fma(a, b, -product)

    def divide_pairs(self, a: Num, a_low: Num, b: Num, b_low: Num) -> Num:
        """Return (a + a_low) / (b + b_low), right to about 0.5 ulp, with one division."""
        inverse = 1.0 / b
        quotient = a * inverse
        rest = self.fma(-quotient, b, a) + (a_low - quotient * b_low)
        return self.fma(rest, inverse, quotient)

    def keep_tiny(self, x: Num, result: Num) -> Num:
        """Return x where it is so small that f(x) = x + O(x**2) rounds to it, else the result."""
        limit = 2.0 ** -(self.format.mantissa + 2)
        return self.select(self.abs(x) < limit, x, result)

    def keep_zero(self, x: Num, result: Num) -> Num:
        """Return x where it is a zero (with its sign), else the result."""
        return self.select(x.equals(0.0), x, result)

    def rare(self, name: str, watched: Num, limit: float, operands: list[Num], fast: Num) -> Num:
        """Return `fast`, but where watched > limit the kernel `name` of the operands.

        A call that the vectoriser replaces by a function over a vector, which looks whether any
        lane needs the kernel (see library).
        """
        from gradtape.backends.llvm import library

        function = library.declare_rare(
            self.f.builder.module, name, self.f.dtype, len(operands), limit, self.f.lanes,
            self.has_branches,
        )  # fmt: skip
        values = [watched.v, *(x.v for x in operands), fast.v]
        return Num(self.f, self.f.builder.call(function, values))
