"""The closed scalar vocabulary: what a lowering may say, over an `ir.IRBuilder`.

A lowering gets a `Scalars` and values that belong to it, and combines them. Everything that comes
out is straight-line, without a branch, so that LLVM's loop vectoriser turns a loop over it into
vector code. The functions of mathematics (exp, sin, ...) are calls of functions of `library`,
which `compile.link` adds to the module and LLVM inlines.

No flag of fast mathematics is ever set: NaN and infinity go through, + - * / and sqrt are bitwise
NumPy's, and a contraction (fma) stands only where a kernel writes it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gradtape.backends.llvm import ir, library, types
from gradtape.errors import DTypeError, three_part

__all__ = ["FUNCTIONS", "VOCABULARY", "Scalars"]

# The functions of mathematics and how many operands they have.
FUNCTIONS: dict[str, int] = library.ARITIES

# All that a lowering may call on values of one dtype, with the number of operands. A comparison
# gives truth values; `select` takes a truth value first.
VOCABULARY: dict[str, int] = {
    "add": 2, "sub": 2, "mul": 2, "div": 2, "neg": 1, "abs": 1, "fma": 3, "sqrt": 1,
    "maximum": 2, "minimum": 2, "fmax": 2, "fmin": 2,
    "eq": 2, "ne": 2, "lt": 2, "le": 2, "gt": 2, "ge": 2, "isnan": 1, "isinf": 1, "isfinite": 1,
    "signbit": 1,
    "select": 3, "and_": 2, "or_": 2, "xor": 2, "not_": 1, "shl": 2, "shr": 2,
    "floor": 1, "ceil": 1, "trunc": 1, "rint": 1, "sign": 1, "copysign": 2,
    "floor_divide": 2, "remainder": 2, "fmod": 2,
    **FUNCTIONS,
}  # fmt: skip

COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


class Scalars:
    """The vocabulary for one dtype: float32, float64, int32, int64 or bool.

    Parameters
    ----------
    builder : ir.IRBuilder
        Where instructions go; its block must lie in a function of a module.
    dtype : numpy dtype
        Of the operands. A value is an `ir.Value` of `type`; a truth value is an `i1`.
    lanes : int
        Where a kernel is rendered over vectors, how long they are; 0 is a scalar.
    """

    def __init__(self, builder: ir.IRBuilder, dtype: Any, lanes: int = 0) -> None:
        self.builder = builder
        self.dtype = np.dtype(dtype)
        self.lanes = lanes
        self.type = types.vector(types.scalar(self.dtype), lanes)
        self.is_float = self.dtype.kind == "f"
        self.is_signed = self.dtype.kind == "i"
        self.branches = False  # whether the code is not to be vectorised, and may jump
        self.inline = True  # whether functions of mathematics become part of the code around

    # --- constants and conversions ----------------------------------------------------------

    def const(self, value: Any) -> ir.Value:
        """Return a constant of this dtype, rounded to it."""
        return types.constant(self.dtype, value, self.lanes)

    def true(self, value: bool = True) -> ir.Value:
        """Return a constant truth value."""
        return types.constant(bool, value, self.lanes)

    def cast(self, x: ir.Value, dtype: Any) -> ir.Value:
        """Return `x` converted as `ndarray.astype` does.

        A float out of the range of an integer (NaN too) gives the least integer, which is what
        x86 gives; C and NumPy leave it open.
        """
        b, to = self.builder, np.dtype(dtype)
        if to == self.dtype:
            return x
        kind = types.vector(types.scalar(to), self.lanes)
        if to.kind == "b":
            return self.ne(x, self.const(0))
        if self.is_float and to.kind == "f":
            wider = to.itemsize > self.dtype.itemsize
            return b.fpext(x, kind) if wider else b.fptrunc(x, kind)
        if self.is_float and to.kind in "iu" and (to.itemsize < 4 or to == np.uint32):
            wide = np.dtype(np.int32 if to.itemsize < 4 else np.int64)
            return b.trunc(self.cast(x, wide), kind)  # the lower bits, as C compilers have it
        if self.is_float:
            # The bounds are powers of two, so exact in any float format.
            info = np.iinfo(to)
            fits = b.and_(
                b.fcmp_ordered(">=", x, self.const(float(info.min))),
                b.fcmp_ordered("<", x, self.const(-float(info.min) or float(info.max) + 1)),
            )
            inside = b.select(fits, x, self.const(0))
            whole = b.fptosi(inside, kind) if to.kind == "i" else b.fptoui(inside, kind)
            return b.select(fits, whole, types.constant(to, info.min, self.lanes))
        if to.kind == "f":
            return b.sitofp(x, kind) if self.is_signed else b.uitofp(x, kind)
        if to.itemsize < self.dtype.itemsize:
            return b.trunc(x, kind)
        if to.itemsize == self.dtype.itemsize and self.dtype.kind != "b":
            return x
        return b.sext(x, kind) if self.is_signed else b.zext(x, kind)

    # --- arithmetic -------------------------------------------------------------------------

    def add(self, x: ir.Value, y: ir.Value) -> ir.Value:
        """Return x + y; integers wrap around, truth values are or-ed, as NumPy's."""
        if self.dtype.kind == "b":
            return self.builder.or_(x, y)
        return self.builder.fadd(x, y) if self.is_float else self.builder.add(x, y)

    def sub(self, x: ir.Value, y: ir.Value) -> ir.Value:
        return self.builder.fsub(x, y) if self.is_float else self.builder.sub(x, y)

    def mul(self, x: ir.Value, y: ir.Value) -> ir.Value:
        if self.dtype.kind == "b":
            return self.builder.and_(x, y)
        return self.builder.fmul(x, y) if self.is_float else self.builder.mul(x, y)

    def div(self, x: ir.Value, y: ir.Value) -> ir.Value:
        """Return x / y of floats; integers are cast to float64 before, as NumPy does."""
        if not self.is_float:
            wide = Scalars(self.builder, np.float64)
            return wide.div(self.cast(x, np.float64), self.cast(y, np.float64))
        return self.builder.fdiv(x, y)

    def neg(self, x: ir.Value) -> ir.Value:
        return self.builder.fneg(x) if self.is_float else self.builder.neg(x)

    def abs(self, x: ir.Value) -> ir.Value:
        if self.is_float:
            return self.intrinsic("fabs", x)
        if not self.is_signed:
            return x
        return self.select(self.lt(x, self.const(0)), self.neg(x), x)

    def fma(self, x: ir.Value, y: ir.Value, z: ir.Value) -> ir.Value:
        """Return x * y + z rounded once: for kernels alone, a user's x * y + z is rounded twice."""
        return self.intrinsic("fma", x, y, z)

    def sqrt(self, x: ir.Value) -> ir.Value:
        return self.intrinsic("sqrt", x)

    # --- order ------------------------------------------------------------------------------

    def eq(self, x: ir.Value, y: ir.Value) -> ir.Value:
        return self.compare("eq", x, y)

    def ne(self, x: ir.Value, y: ir.Value) -> ir.Value:
        return self.compare("ne", x, y)

    def lt(self, x: ir.Value, y: ir.Value) -> ir.Value:
        return self.compare("lt", x, y)

    def le(self, x: ir.Value, y: ir.Value) -> ir.Value:
        return self.compare("le", x, y)

    def gt(self, x: ir.Value, y: ir.Value) -> ir.Value:
        return self.compare("gt", x, y)

    def ge(self, x: ir.Value, y: ir.Value) -> ir.Value:
        return self.compare("ge", x, y)

    def compare(self, how: str, x: ir.Value, y: ir.Value) -> ir.Value:
        """Return the truth value of `x how y`; with a NaN only `ne` is true."""
        symbol = COMPARISONS[how]
        if self.is_float:
            if how == "ne":
                return self.builder.fcmp_unordered(symbol, x, y)
            return self.builder.fcmp_ordered(symbol, x, y)
        if self.is_signed:
            return self.builder.icmp_signed(symbol, x, y)
        return self.builder.icmp_unsigned(symbol, x, y)

    def isnan(self, x: ir.Value) -> ir.Value:
        return self.builder.fcmp_unordered("uno", x, x) if self.is_float else self.true(False)

    def isinf(self, x: ir.Value) -> ir.Value:
        return self.eq(self.abs(x), self.const(np.inf)) if self.is_float else self.true(False)

    def isfinite(self, x: ir.Value) -> ir.Value:
        return self.lt(self.abs(x), self.const(np.inf)) if self.is_float else self.true()

    def signbit(self, x: ir.Value) -> ir.Value:
        """Return whether the sign bit is set, that of a zero or a NaN too."""
        if self.is_float:
            whole = types.whole(self.dtype)
            bits = self.builder.bitcast(x, types.vector(types.scalar(whole), self.lanes))
            return self.builder.icmp_signed("<", bits, types.constant(whole, 0, self.lanes))
        return self.lt(x, self.const(0))

    def maximum(self, x: ir.Value, y: ir.Value) -> ir.Value:
        """Return the larger; a NaN if either is one. Of equal ones the first, as NumPy's."""
        keep = self.or_(self.ge(x, y), self.isnan(x)) if self.is_float else self.ge(x, y)
        return self.select(keep, x, y)

    def minimum(self, x: ir.Value, y: ir.Value) -> ir.Value:
        """Return the smaller; a NaN if either is one."""
        keep = self.or_(self.le(x, y), self.isnan(x)) if self.is_float else self.le(x, y)
        return self.select(keep, x, y)

    def fmax(self, x: ir.Value, y: ir.Value) -> ir.Value:
        """Return the larger; of a NaN and a number the number."""
        keep = self.or_(self.ge(x, y), self.isnan(y)) if self.is_float else self.ge(x, y)
        return self.select(keep, x, y)

    def fmin(self, x: ir.Value, y: ir.Value) -> ir.Value:
        """Return the smaller; of a NaN and a number the number."""
        keep = self.or_(self.le(x, y), self.isnan(y)) if self.is_float else self.le(x, y)
        return self.select(keep, x, y)

    # --- choice and bits --------------------------------------------------------------------

    def select(self, condition: ir.Value, x: ir.Value, y: ir.Value) -> ir.Value:
        """Return x where the truth value holds, else y; both are computed."""
        return self.builder.select(condition, x, y)

    def and_(self, x: ir.Value, y: ir.Value) -> ir.Value:
        return self.builder.and_(x, y)

    def or_(self, x: ir.Value, y: ir.Value) -> ir.Value:
        return self.builder.or_(x, y)

    def xor(self, x: ir.Value, y: ir.Value) -> ir.Value:
        return self.builder.xor(x, y)

    def not_(self, x: ir.Value) -> ir.Value:
        return self.builder.not_(x)

    def shl(self, x: ir.Value, y: ir.Value) -> ir.Value:
        """Return x << y; 0 where y is no valid number of places, as NumPy's."""
        valid = self.builder.icmp_unsigned("<", y, self.const(8 * self.dtype.itemsize))
        shifted = self.builder.shl(x, self.select(valid, y, self.const(0)))
        return self.select(valid, shifted, self.const(0))

    def shr(self, x: ir.Value, y: ir.Value) -> ir.Value:
        """Return x >> y, the sign kept; where y is no valid number of places, as by all of them."""
        last = self.const(8 * self.dtype.itemsize - 1)
        places = self.select(self.builder.icmp_unsigned("<=", y, last), y, last)
        return self.builder.ashr(x, places) if self.is_signed else self.builder.lshr(x, places)

    # --- rounding and sign ------------------------------------------------------------------

    def floor(self, x: ir.Value) -> ir.Value:
        return self.intrinsic("floor", x) if self.is_float else x

    def ceil(self, x: ir.Value) -> ir.Value:
        return self.intrinsic("ceil", x) if self.is_float else x

    def trunc(self, x: ir.Value) -> ir.Value:
        return self.intrinsic("trunc", x) if self.is_float else x

    def rint(self, x: ir.Value) -> ir.Value:
        """Return the nearest integer, of two the even one."""
        return self.intrinsic("rint", x) if self.is_float else x

    def sign(self, x: ir.Value) -> ir.Value:
        """Return -1, 0 or 1; NaN of a NaN, and 0.0 of -0.0, as NumPy's."""
        zero, one = self.const(0), self.const(1)
        low = self.select(self.lt(x, zero), self.const(-1), zero) if self.signed_kind() else zero
        result = self.select(self.gt(x, zero), one, low)
        return self.select(self.isnan(x), x, result) if self.is_float else result

    def signed_kind(self) -> bool:
        """Return whether values of this dtype can be negative."""
        return bool(self.is_float or self.is_signed)

    def copysign(self, x: ir.Value, y: ir.Value) -> ir.Value:
        return self.intrinsic("copysign", x, y)

    # --- division with a remainder ----------------------------------------------------------

    def fmod(self, x: ir.Value, y: ir.Value) -> ir.Value:
        """Return the remainder with the sign of x (of integers by 0: 0, as NumPy's)."""
        if self.is_float:
            return self.call("fmod", x, y)
        zero = self.const(0)
        bad = self.eq(y, zero)
        if not self.is_signed:
            return self.select(bad, zero, self.builder.urem(x, self._safe(y, bad)))
        # The least integer by -1 traps in hardware; the remainder by +-1 is 0.
        bad = self.or_(bad, self.eq(y, self.const(-1)))
        return self.select(bad, zero, self.builder.srem(x, self._safe(y, bad)))

    def remainder(self, x: ir.Value, y: ir.Value) -> ir.Value:
        """Return the remainder with the sign of y, as Python's %."""
        rest = self.fmod(x, y)
        if not self.signed_kind():
            return rest
        zero = self.const(0)
        wrong = self.and_(
            self.ne(rest, zero), self.xor(self.lt(rest, zero), self.lt(y, zero))
        )
        moved = self.select(wrong, self.add(rest, y), rest)
        if not self.is_float:
            return moved
        return self.select(self.eq(rest, zero), self.copysign(zero, y), moved)

    def floor_divide(self, x: ir.Value, y: ir.Value) -> ir.Value:
        """Return the quotient rounded down, as Python's //; of integers by 0: 0."""
        if self.is_float:
            return self.call("floor_divide", x, y)
        zero = self.const(0)
        bad = self.eq(y, zero)
        if not self.is_signed:
            return self.select(bad, zero, self.builder.udiv(x, self._safe(y, bad)))
        minus = self.eq(y, self.const(-1))
        odd = self.or_(bad, minus)
        divisor = self._safe(y, odd)
        quotient = self.builder.sdiv(x, divisor)
        rest = self.sub(x, self.mul(quotient, divisor))
        down = self.and_(
            self.ne(rest, zero), self.xor(self.lt(rest, zero), self.lt(y, zero))
        )
        result = self.select(down, self.sub(quotient, self.const(1)), quotient)
        return self.select(bad, zero, self.select(minus, self.neg(x), result))

    def _safe(self, y: ir.Value, bad: ir.Value) -> ir.Value:
        return self.select(bad, self.const(1), y)

    # --- functions --------------------------------------------------------------------------

    def call(self, name: str, *operands: ir.Value) -> ir.Value:
        """Return a function of mathematics of the operands; its bound is in accuracy.md."""
        if not self.is_float:
            raise DTypeError(
                three_part(
                    f"The scalar vocabulary has no {name} of {self.dtype}.",
                    "The functions of mathematics are there for float32 and float64.",
                    "Cast before: s.cast(x, np.float64).",
                )
            )
        module, dtype = self.builder.module, self.dtype
        function = library.declare(module, name, dtype, self.branches, self.lanes)
        return self.builder.call(function, operands, attrs=() if self.inline else ("noinline",))

    def __getattr__(self, name: str) -> Any:
        if name in FUNCTIONS:
            return lambda *operands: self.call(name, *operands)
        raise AttributeError(f"{name!r} is not in the vocabulary of lowerings")

    def intrinsic(self, name: str, *operands: ir.Value) -> ir.Value:
        """Return an intrinsic of LLVM's, all of whose operands are of this dtype."""
        function = types.intrinsic(self.builder.module, name, self.type, len(operands))
        return self.builder.call(function, operands)
