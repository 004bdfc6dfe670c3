"""Arithmetic, comparison, logical and elementwise functions, and the operators of Tensor.

Each line is one function: TensorFlow's names for it, the NumPy function whose card does the work,
and the dtypes that TensorFlow takes.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from ...core.cards import unbroadcast
from ...core.positions import decode, here
from ...core.tensor import raw
from ...errors import three_part
from ..base import surface as _surface  # the names that every script asks for
from ..base.arguments import no_kernel
from ..base.dtypes import BY_CHAR, DTYPES
from ..base.errors import RefusedState, RefusedType, RefusedValue, invalid
from ..base.making import (
    BFLOAT16,
    BOOL,
    EVERY,
    FLOAT,
    FLOATS,
    INTEGER,
    NUMBER,
    REAL,
    SIGNED,
    allow,
    bare,
    binary,
    convert,
    export,
    native,
    natural,
    op,
    unary,
    unify,
    wants_float32,
)
from ..base.promotion import mismatch
from ..base.tensors import Tensor, make
from ..base.variables import Variable

_ = _surface

# ------------------------------------------------------------------------------ one operand

_absolute = unary("", np.absolute, FLOATS + "bhil")
unary("acos math.acos", np.arccos, FLOAT)
unary("acosh math.acosh", np.arccosh, FLOAT)
unary("asin math.asin", np.arcsin, FLOAT)
unary("asinh math.asinh", np.arcsinh, FLOAT)
unary("atan math.atan", np.arctan, FLOAT)
unary("atanh math.atanh", np.arctanh, FLOAT)
unary("math.ceil", np.ceil, FLOATS)
unary("cos math.cos", np.cos, FLOAT)
unary("cosh math.cosh", np.cosh, FLOAT)
unary("exp math.exp", np.exp, FLOAT)
unary("math.expm1", np.expm1, FLOAT)
unary("floor math.floor", np.floor, FLOATS)
unary("math.is_finite", np.isfinite, FLOATS)
unary("math.is_inf", np.isinf, FLOATS)
unary("math.is_nan", np.isnan, FLOATS)
unary("math.log", np.log, FLOAT)
unary("math.log1p", np.log1p, FLOAT)
logical_not = unary("logical_not math.logical_not", np.logical_not, BOOL)
negative = unary("negative math.negative", np.negative, SIGNED)
unary("math.reciprocal", np.reciprocal, FLOAT)
unary("math.rint", np.rint, FLOATS)
unary("sigmoid math.sigmoid nn.sigmoid", None, FLOAT, card="sigmoid")
unary("sign math.sign", np.sign, SIGNED)
unary("sin math.sin", np.sin, FLOAT)
unary("sinh math.sinh", np.sinh, FLOAT)
unary("sqrt math.sqrt", np.sqrt, FLOAT)
square = unary("square math.square", np.square, NUMBER)
unary("tan math.tan", np.tan, FLOAT)
unary("tanh math.tanh nn.tanh", np.tanh, FLOAT)
unary("math.rsqrt", None, FLOAT, card="rsqrt")

# ------------------------------------------------------------------------------ two operands

# What the divisions make of integers; others are refused.
WIDER = {**dict.fromkeys("bBhH", "f"), **dict.fromkeys("iIlL", "d")}

add = binary("add math.add", np.add, NUMBER, "by_first")
subtract = binary("subtract math.subtract", np.subtract, NUMBER)
multiply = binary("multiply math.multiply", np.multiply, NUMBER)
binary("maximum math.maximum", np.maximum, REAL)
binary("minimum math.minimum", np.minimum, REAL)
_atan2 = binary("", np.arctan2, FLOATS)
binary("math.multiply_no_nan", None, FLOAT, "by_force", card="multiply_no_nan")
truediv = binary("truediv math.truediv", np.true_divide, FLOAT, "by_division", widen=WIDER)
less = binary("less math.less", np.less, REAL)
less_equal = binary("less_equal math.less_equal", np.less_equal, REAL)
greater = binary("greater math.greater", np.greater, REAL)
greater_equal = binary("greater_equal math.greater_equal", np.greater_equal, REAL)
equal = binary("equal math.equal", np.equal, EVERY)
not_equal = binary("not_equal math.not_equal", np.not_equal, EVERY)
logical_and = binary("logical_and math.logical_and", np.logical_and, BOOL, "by_truth")
logical_or = binary("logical_or math.logical_or", np.logical_or, BOOL, "by_truth")
logical_xor = binary("math.logical_xor", np.logical_xor, BOOL, "by_truth")
_power = binary("", np.power, SIGNED)


@export("atan2", "math.atan2")
def atan2(y: Any, x: Any, name: Any = None) -> Any:
    """The angle of the point `(x, y)`."""
    return _atan2(y, x, None, 2)


@export("divide", "math.divide")
def divide(x: Any, y: Any, name: Any = None) -> Any:
    """`x / y`, with the rules of the operator."""
    if isinstance(x, Tensor | Variable) or not isinstance(y, Tensor | Variable):
        return truediv(x, y, None, 2)
    return _over(y, x)


def _whole_divisor(y: Any) -> None:
    if y.dtype.kind in "iu" and not np.all(y):
        raise invalid(
            "Integer division by zero.",
            f"Called at {decode(*here())}; an integer has no inf to answer with.",
            "Divide floats, x / y, or leave out the zeros: tf.where(y == 0, 1, y).",
        )


def _modulo(x: Any, y: Any) -> Any:
    _whole_divisor(y)
    return np.remainder(x, y)


@op("math.floordiv")
def floordiv(x: Any, y: Any, name: Any = None) -> Any:
    """`x / y`, rounded towards minus infinity."""
    both = isinstance(x, Tensor | Variable) and isinstance(y, Tensor | Variable)
    a, b = (natural(x), natural(y)) if both else unify("floordiv", (x, y))
    if a.value.dtype.kind == "c":
        raise no_kernel("floordiv", f"{a.dtype.name} is not rounded.", "Use tf.truediv.")
    a, b = unify("floordiv", (a, b))
    allow("floordiv", a, REAL + BFLOAT16)
    if a.value.dtype.char == BFLOAT16:
        return np.floor(np.true_divide(bare(a), bare(b)))
    _whole_divisor(b.value)
    return np.floor_divide(native(a), native(b))


floormod = binary("math.floormod math.mod", np.remainder, REAL, kernel=_modulo)


@export("math.pow", "pow")
def pow(x: Any, y: Any, name: Any = None) -> Any:
    """`x` to the power `y`."""
    if type(y) in (int, float) and y == 2 and type(x) is Tensor and x.value.dtype.kind in "fc":
        return square(x, None, 2)
    return _power(x, y, None, 2)


# ------------------------------------------------------------------------------ from several cards


@op("round", "math.round")
def round(x: Any, name: Any = None) -> Any:
    """The nearest whole number, the even one of two."""
    x = native(x)
    allow("round", x, REAL)
    return np.rint(x) if x.value.dtype.kind == "f" else x


@op("math.conj")
def conj(x: Any, name: Any = None) -> Any:
    """The complex conjugate."""
    x = native(x)
    _numeric("conj", x)
    return np.conjugate(x) if x.value.dtype.kind == "c" else x


@op("math.real")
def real(input: Any, name: Any = None) -> Any:
    """The real part."""
    x = native(input)
    _numeric("real", x)
    return np.real(x) if x.value.dtype.kind == "c" else x


@op("math.imag")
def imag(input: Any, name: Any = None) -> Any:
    """The imaginary part; 0 of real numbers."""
    x = native(input)
    return np.imag(x) if x.value.dtype.kind == "c" else np.zeros_like(x)


@op("math.angle")
def angle(input: Any, name: Any = None) -> Any:
    """The angle in radians."""
    x = native(input)
    if x.value.dtype.kind not in "fc":
        raise _not_numeric("angle", x)
    if x.value.dtype.kind == "f":  # no derivative, not even 0: as TensorFlow
        return np.where(np.less(x, 0), math.pi, 0.0).astype(x.dtype)
    return np.angle(x)


@export("abs", "math.abs")
def abs(x: Any, name: Any = None) -> Any:
    """The absolute value, a real number."""
    if isinstance(x, Tensor | Variable) and x.dtype.is_complex:
        return _modulus(x)
    return _absolute(x, None, 2)


@op()
def _modulus(x: Any) -> Any:
    return np.abs(native(x))


def _numeric(name: str, x: Any) -> None:
    if x.value.dtype.kind not in "iufc":
        raise _not_numeric(name, x)


def _not_numeric(name: str, x: Any) -> RefusedType:
    return RefusedType(
        three_part(
            f"{name}: Expected numeric tensor, got dtype {BY_CHAR[x.value.dtype.char]!r}.",
            f"Called at {decode(*here())}.",
            "Cast it first: tf.cast(x, tf.float32).",
        )
    )


@op("math.squared_difference")
def squared_difference(x: Any, y: Any, name: Any = None) -> Any:
    """`(x - y) ** 2`, of the conjugate for complex numbers."""
    x, y = unify("squared_difference", (x, y))
    allow("squared_difference", x, FLOAT + BFLOAT16 + "il")
    d: Any = np.subtract(bare(x), bare(y))
    return np.conjugate(d) * d if d.value.dtype.kind == "c" else np.square(d)


@op("math.divide_no_nan")
def divide_no_nan(x: Any, y: Any, name: Any = None) -> Any:
    """`x / y`, 0 where `y` is 0."""
    x, y = _wide("div_no_nan", x, y)
    safe = np.not_equal(y, 0)
    return np.where(safe, x / np.where(safe, y, np.ones_like(y)), np.zeros_like(x))


def _wide(name: str, x: Any, y: Any) -> tuple[Any, Any]:
    """Two operands of a division: integers become floating."""
    x, y = (natural(t) if isinstance(t, Variable) else t for t in (x, y))
    tensors = isinstance(x, Tensor) and isinstance(y, Tensor)
    x, y = unify(name, (x, y), "by_division" if tensors else "by_tensor")
    wants_float32(x)
    char = x.value.dtype.char
    if char in WIDER:
        x, y = (make(t.value.astype(WIDER[char])) for t in (x, y))
    if x.value.dtype.kind not in "fc":
        raise _not_numeric(name, x)
    return native(x), native(y)


@op("math.reciprocal_no_nan")
def reciprocal_no_nan(x: Any, name: Any = None) -> Any:
    """`1 / x`, 0 where `x` is 0."""
    x = native(x)
    allow("reciprocal_no_nan", x, FLOAT)
    safe = np.not_equal(x, 0)
    return np.where(safe, 1 / np.where(safe, x, np.ones_like(x)), np.zeros_like(x))


def _zero_first(name: str, function: Any) -> Any:
    """`x * function(y)`, 0 where `x` is 0."""

    @op(f"math.{name}")
    def run(x: Any, y: Any, name: Any = None) -> Any:
        x, y = unify(title, (x, y))
        allow(title, x, FLOAT)
        x, y = native(x), native(y)
        safe = np.not_equal(x, 0)
        return np.where(safe, x * function(np.where(safe, y, np.ones_like(y))), np.zeros_like(x))

    title = name
    run.__name__ = run.__qualname__ = name
    return run


xlogy = _zero_first("xlogy", np.log)
xlog1py = _zero_first("xlog1py", np.log1p)
xdivy = _zero_first("xdivy", np.reciprocal)


@op("math.softplus", "nn.softplus")
def softplus(features: Any, name: Any = None) -> Any:
    """`log(1 + exp(x))`."""
    x = native(features)
    allow("softplus", x, FLOATS)
    return np.logaddexp(x, 0)


@op("math.log_sigmoid")
def log_sigmoid(x: Any, name: Any = None) -> Any:
    """The logarithm of the sigmoid."""
    x = native(x)
    allow("log_sigmoid", x, FLOATS)
    return -np.logaddexp(-x, 0)


@op("math.softsign", "nn.softsign")
def softsign(features: Any, name: Any = None) -> Any:
    """`x / (1 + abs(x))`."""
    x = native(features)
    allow("softsign", x, FLOATS)
    return x / (1 + np.absolute(x))


@op("scalar_mul", "math.scalar_mul")
def scalar_mul(scalar: Any, x: Any, name: Any = None) -> Any:
    """A scalar times a tensor."""
    factor = convert(scalar, natural(x).dtype)
    if factor.value.ndim:
        raise RefusedValue(
            three_part(
                f"Only scalar multiply works, got shape {factor.shape}.",
                f"scalar_mul was called at {decode(*here())}.",
                "Use tf.multiply(a, x).",
            )
        )
    return multiply(factor, x)


@op("add_n", "math.add_n")
def add_n(inputs: Any, name: Any = None) -> Any:
    """The sum of a list of tensors of one shape."""
    inputs = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
    if not inputs:
        raise RefusedValue(
            three_part(
                "add_n: inputs must be an iterable of at least one Tensor with the same dtype and "
                "shape.",
                "The list is empty.",
                "Start it with tf.zeros(shape).",
            )
        )
    parts = unify("AddN", inputs)
    for part in parts:
        if part.value.shape != parts[0].value.shape:
            raise invalid(
                f"add_n: Inputs to operation AddN must have the same size and shape. Input 0: "
                f"{parts[0].shape} != input: {part.shape}.",
                f"Called at {decode(*here())}.",
                "Add what broadcasts with +.",
            )
    total = bare(parts[0])  # of bfloat16 too: TensorFlow rounds after each
    for part in parts[1:]:
        total = total + bare(part)
    return total if len(parts) > 1 else np.positive(total)


@op("math.polyval")
def polyval(coeffs: Any, x: Any, name: Any = None) -> Any:
    """The polynomial with a list of coefficients, the highest power first, at `x`."""
    if not isinstance(coeffs, list):
        raise RefusedValue(
            three_part(
                f"Argument coeffs must be list type. Received type {type(coeffs)}.",
                "Each coefficient is a tensor of its own.",
                "Pass tf.unstack(coeffs).",
            )
        )
    given = natural(x)
    for i, c in enumerate(coeffs if given.dtype == DTYPES["bfloat16"] else ()):
        if natural(c).dtype != given.dtype and len(coeffs) > 1:  # a plain number is float32
            raise mismatch("polyval", "c", given.value.dtype, natural(c).value.dtype, i)
    x = bare(given)
    if not coeffs:
        return np.zeros_like(x)
    parts = [bare(c, hint=x.dtype) for c in coeffs]
    total = parts[0]
    for part in parts[1:]:
        total = part + total * x
    return total


@op("math.nextafter")
def nextafter(x1: Any, x2: Any, name: Any = None) -> Any:
    """The next number from `x1` towards `x2`; it moves with `x1`."""
    x, y = unify("nextafter", (x1, x2))
    allow("nextafter", x, "fd")
    return _next()(native(x), native(y))


@functools.cache
def _next() -> Any:
    from ...tape.custom import custom_gradient

    @custom_gradient
    def _next(x: Any, y: Any) -> Any:
        def grad(ct: Any) -> Any:
            return unbroadcast(ct, np.shape(x)), np.zeros_like(y)

        return np.nextafter(raw(x), raw(y)), grad

    return _next


# ------------------------------------------------------------------------------ the operators


_add_to_tensor = binary("", np.add, NUMBER)
_times = binary("", np.multiply, EVERY, "by_product")  # of bools too, as only the operator is
_times_tensor = binary("", np.multiply, EVERY)
_and = binary("", np.bitwise_and, INTEGER)
_or = binary("", np.bitwise_or, INTEGER)
_xor = binary("", np.bitwise_xor, INTEGER)
_invert = unary("", np.invert, INTEGER)


def _swapped(function: Any) -> Any:
    def reflected(self: Any, other: Any) -> Any:
        if type(self) is Variable and type(other) is not float:
            self = self.value()  # as a tensor it decides the dtype
        return function(other, self, None, 2)

    return reflected


def _over(self: Any, other: Any) -> Any:
    """`other / self`: the plain operand takes the dtype of the tensor."""
    return truediv(convert(other, natural(self).dtype), self, None, 2)


def _equals(self: Any, other: Any) -> Any:
    return _compare(equal, self, other, False)


def _differs(self: Any, other: Any) -> Any:
    return _compare(not_equal, self, other, True)


def _compare(function: Any, x: Any, y: Any, otherwise: bool) -> Any:
    if y is None and not isinstance(x, Variable):
        return otherwise
    x, y = unify("Equal", (x, y))
    try:
        np.broadcast_shapes(x.value.shape, y.value.shape)
    except ValueError:
        return make(np.bool_(otherwise))
    return function(x, y)


def _logical(of_truth: Any, of_bits: Any) -> Any:
    def run(x: Any, y: Any) -> Any:
        first = x if isinstance(x, Tensor | Variable) else y
        return (of_truth if first.dtype.is_bool else of_bits)(x, y)

    return run


_conjunction = _logical(logical_and, _and)
_disjunction = _logical(logical_or, _or)
_exclusion = _logical(logical_xor, _xor)


def _matmul(x: Any, y: Any) -> Any:
    from ..base.names import lookup

    return lookup("matmul")(x, y)


def _no_rebinding(name: str) -> Any:
    method = {"add": "assign_add", "sub": "assign_sub"}.get(name, "assign")
    sign = {"add": "+", "sub": "-", "mul": "*", "truediv": "/", "pow": "**"}[name]

    def refused(self: Any, other: Any) -> Any:
        raise RefusedState(
            three_part(
                f"`variable {sign}= value` with `tf.Variable`s is not supported.",
                f"Written at {decode(*here())}; it would bind the name to a tensor.",
                f"Use v.{method}(...) to change the Variable, v = v {sign} x to get a new tensor.",
            )
        )

    return refused


_OPERATORS = {
    "add": add, "radd": _add_to_tensor, "sub": subtract, "rsub": _swapped(subtract),
    "mul": _times, "rmul": _times_tensor, "truediv": truediv, "rtruediv": _over,
    "floordiv": floordiv, "rfloordiv": lambda self, other: floordiv(other, natural(self)),
    "mod": floormod, "rmod": _swapped(floormod),
    "pow": pow, "rpow": lambda self, other: pow(other, natural(self)),
    "matmul": _matmul, "rmatmul": lambda self, other: _matmul(convert(other, self.dtype), self),
    "lt": less, "le": less_equal, "gt": greater, "ge": greater_equal,
    "eq": _equals, "ne": _differs,
    "and": _conjunction, "rand": _conjunction, "or": _disjunction, "ror": _disjunction,
    "xor": _exclusion, "rxor": _exclusion,
    "neg": negative, "abs": abs,
    "invert": lambda self: (logical_not if self.dtype.is_bool else _invert)(self),
}  # fmt: skip
for _name, _operation in _OPERATORS.items():
    for _kind in (Tensor, Variable):
        setattr(_kind, f"__{_name}__", _operation)
for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or",
              "xor"):  # fmt: skip
    setattr(Tensor, f"__i{_name}__", _OPERATORS[_name])  # x += 1 binds x to another tensor
for _name in ("add", "sub", "mul", "truediv", "pow"):
    setattr(Variable, f"__i{_name}__", _no_rebinding(_name))
