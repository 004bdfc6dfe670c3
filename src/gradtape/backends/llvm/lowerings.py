"""Which operations of a graph are one expression per element, and which expression.

A lowering is a function of a `Scalars` for the dtype in which it computes, the node, and the
elements of the operands in that dtype; it returns the element of the result. Most operations are a
word of the vocabulary. What is not in the table runs by NumPy between native segments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...graph.ir import Constant, Node, Value
from .scalars import VOCABULARY, Scalars

__all__ = ["Lowering", "compute_dtype", "find", "held"]

Lowering = Callable[..., Any]
HELD = frozenset("?bBhHiIlLqQfd")  # characters of the dtypes that native code computes with

_WORDS = {
    # name of the operation -> word of the vocabulary
    "add": "add", "subtract": "sub", "multiply": "mul", "true_divide": "div", "divide": "div",
    "negative": "neg", "absolute": "abs", "fabs": "abs", "maximum": "maximum",
    "minimum": "minimum", "floor_divide": "floor_divide",
    "remainder": "remainder", "sign": "sign",
    "bitwise_and": "and_", "bitwise_or": "or_", "bitwise_xor": "xor",
    "left_shift": "shl", "right_shift": "shr", "sigmoid": "sigmoid", "lgamma": "gammaln",
    **{name: name for name in VOCABULARY if name in (
        "sqrt", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan",
        "tanh", "sinh", "cosh", "arcsin", "arccos", "arctan", "arctan2", "arcsinh", "arccosh",
        "arctanh", "hypot", "cbrt", "logaddexp", "fmod", "fmax", "fmin", "copysign", "floor",
        "ceil", "trunc", "rint", "erf", "erfc", "gammaln", "digamma",
    )},
}  # fmt: skip
_FLOAT_ONLY = frozenset(
    word for word in _WORDS.values()
    if word in ("sqrt", "copysign", "floor", "ceil", "trunc", "rint") or word in (
        "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "tanh",
        "sinh", "cosh", "arcsin", "arccos", "arctan", "arctan2", "arcsinh", "arccosh", "arctanh",
        "hypot", "cbrt", "logaddexp", "erf", "erfc", "gammaln", "digamma", "power", "sigmoid",
        "div",
    )
)  # fmt: skip
_TESTS = {
    "greater": "gt", "greater_equal": "ge", "less": "lt", "less_equal": "le", "equal": "eq",
    "not_equal": "ne", "isnan": "isnan", "isinf": "isinf", "isfinite": "isfinite",
    "signbit": "signbit",
}  # fmt: skip
_ON_TRUTHS = frozenset(["and_", "or_", "xor", "add", "mul", "maximum", "minimum"])
# What gives its (first) operand, as it is or in the dtype of the result.
_SAME = frozenset(
    ["positive", "stop", "broadcast_to", "copy", "astype", "real", "conjugate", "conj", "array",
     "python_number"]
)


def compute_dtype(node: Node) -> Any:
    """The dtype in which a node computes: its result's, or that of what it compares.

    None where there is none: NumPy compares int64 with uint64 exactly.
    """
    out: np.dtype[Any] = node.outputs[0].aval.dtype
    if node.op.name not in _TESTS and node.op.name not in _LOGICAL:
        return out
    found = _common(node.inputs)
    whole = len(node.inputs) > 1 and all(v.aval.dtype.kind in "iu" for v in node.inputs)
    return None if whole and found.kind == "f" else found


def _common(values: Sequence[Value]) -> np.dtype[Any]:
    """NumPy's common dtype, where Python numbers take the dtype of what they meet."""
    kinds: list[Any] = []
    for value in values:
        aval = value.aval
        weak = aval.weak or (isinstance(value, Constant) and type(value.data) in _PYTHON)
        kinds.append({"b": True, "i": 0, "f": 0.0}.get(aval.dtype.kind, 0) if weak else aval.dtype)
    found: np.dtype[Any] = np.result_type(*kinds)
    return found


_PYTHON = (bool, int, float)


def held(value: Value) -> bool:
    """Whether native code has a type for the elements of a value."""
    dtype = value.aval.dtype
    return dtype.char in HELD and dtype.isnative


def find(node: Node) -> Lowering | None:
    """The lowering of a node, or None."""
    if len(node.outputs) != 1 or node.operands != len(node.inputs):
        return None
    if not all(map(held, (*node.inputs, *node.outputs))):
        return None
    dtype = compute_dtype(node)
    if dtype is None or not all(_fits(v, dtype) for v in node.inputs):
        return None
    return _find(node.op.name, node, dtype)


def _fits(value: Value, dtype: np.dtype[Any]) -> bool:
    """Whether a Python integer is a number of the dtype; NumPy has its own way where it is not."""
    if dtype.kind not in "iu" or value.aval.dtype.kind not in "iu":
        return True
    if not isinstance(value, Constant) or type(value.data) is not int:
        return not value.aval.weak or dtype == np.int64
    info = np.iinfo(dtype)
    return bool(info.min <= value.data <= info.max)


def _find(name: str, node: Node, dtype: np.dtype[Any]) -> Lowering | None:
    special = _SPECIAL.get(name)
    if special is not None:
        lowering: Lowering | None = special(node, dtype)
        return lowering
    if name in _SAME:
        if name != "broadcast_to" and node.inputs[0].aval.shape != node.outputs[0].aval.shape:
            return None
        if set(node.params) - {"shape", "dtype", "order", "copy", "casting", "subok", "rest"}:
            return None
        return lambda _s, x, *_: x
    if node.params:
        return None
    word = _WORDS.get(name)
    if word is not None:
        if dtype.kind == "b" and word not in _ON_TRUTHS:
            return None
        if word in _FLOAT_ONLY and dtype.kind != "f":
            return None
        if word in ("and_", "or_", "xor", "shl", "shr") and dtype.kind == "f":
            return None
        return lambda s, *x: getattr(s, word)(*x)
    test = _TESTS.get(name)
    if test is not None:
        if dtype.kind == "b" and test in ("isnan", "isinf", "isfinite", "signbit"):
            return None
        return lambda s, *x: getattr(s, test)(*x)
    return None


# ------------------------------------------------------------------------------ not one word


def _guard(_node: Node, dtype: np.dtype[Any]) -> Lowering | None:
    """0 where the cotangent is 0 and the product is no number."""
    if dtype.kind != "f":
        return None
    return lambda s, p, ct: s.select(
        s.isnan(p), s.select(s.eq(ct, s.const(0)), s.const(0), p), p
    )


def _square(_node: Node, dtype: np.dtype[Any]) -> Lowering | None:
    return None if dtype.kind == "b" else (lambda s, x: s.mul(x, x))


def _reciprocal(_node: Node, dtype: np.dtype[Any]) -> Lowering | None:
    return (lambda s, x: s.div(s.const(1), x)) if dtype.kind == "f" else None


def _number_power(node: Node, dtype: np.dtype[Any]) -> Lowering | None:
    """`x ** number`: NumPy squares, takes roots and reciprocals where the number says so."""
    exponent = node.inputs[1]
    if node.params:
        return None
    known = (
        float(exponent.data) if isinstance(exponent, Constant) and not exponent.aval.shape else None
    )
    if dtype.kind in "iu":
        return _whole_power(int(known)) if known is not None and 1 <= known <= 64 else None
    if dtype.kind != "f":
        return None
    if known == 2:
        return lambda s, x, _: s.mul(x, x)
    if known == 1:
        return lambda s, x, _: x
    if known == 0.5:
        return lambda s, x, _: s.sqrt(x)
    if known == -1:
        return lambda s, x, _: s.div(s.const(1), x)
    return lambda s, x, y: s.power(x, y)


def _whole_power(n: int) -> Lowering:
    """Squares and products: integers wrap around, so the order makes no difference."""

    def lowering(s: Scalars, x: Any, *_: Any) -> Any:
        result = None
        for bit in range(n.bit_length()):
            x = s.mul(x, x) if bit else x
            if n >> bit & 1:
                result = x if result is None else s.mul(result, x)
        return result

    return lowering


def _power(node: Node, dtype: np.dtype[Any]) -> Lowering | None:
    if dtype.kind == "f":
        return None if node.params else (lambda s, x, y: s.power(x, y))
    return _number_power(node, dtype)


def _invert(_node: Node, dtype: np.dtype[Any]) -> Lowering | None:
    if dtype.kind == "f":
        return None
    return lambda s, x: s.not_(x)


def _degrees(to: str) -> Callable[[Node, np.dtype[Any]], Lowering | None]:
    def lowering(_node: Node, dtype: np.dtype[Any]) -> Lowering | None:
        if dtype.kind != "f":
            return None
        pi, half = dtype.type(np.pi), dtype.type(180)
        factor = pi / half if to == "radians" else half / pi
        return lambda s, x: s.mul(x, s.const(factor))

    return lowering


def _relu(most: int | None) -> Callable[[Node, np.dtype[Any]], Lowering | None]:
    def lowering(_node: Node, dtype: np.dtype[Any]) -> Lowering | None:
        if dtype.kind not in "fi":
            return None
        if most is None:
            return lambda s, x: s.maximum(x, s.const(0))
        return lambda s, x: s.minimum(s.maximum(x, s.const(0)), s.const(most))

    return lowering


def _rsqrt(_node: Node, dtype: np.dtype[Any]) -> Lowering | None:
    return (lambda s, x: s.div(s.const(1), s.sqrt(x))) if dtype.kind == "f" else None


def _no_nan(_node: Node, dtype: np.dtype[Any]) -> Lowering | None:
    if dtype.kind != "f":
        return None
    return lambda s, x, y: s.select(s.eq(y, s.const(0)), s.const(0), s.mul(x, y))


def _heaviside(_node: Node, dtype: np.dtype[Any]) -> Lowering | None:
    if dtype.kind != "f":
        return None

    def lowering(s: Scalars, x: Any, h: Any) -> Any:
        zero = s.const(0)
        step = s.select(s.gt(x, zero), s.const(1), s.select(s.lt(x, zero), zero, x))
        return s.select(s.eq(x, zero), h, step)

    return lowering


def _where(node: Node, dtype: np.dtype[Any]) -> Lowering | None:
    if len(node.inputs) != 3 or node.params or node.inputs[0].aval.dtype.kind != "b":
        return None
    return lambda s, c, x, y: s.select(c, x, y)


def _clip(node: Node, dtype: np.dtype[Any]) -> Lowering | None:
    if len(node.inputs) != 3 or node.params or dtype.kind not in "fiu":
        return None
    return lambda s, x, low, high: s.minimum(s.maximum(x, low), high)


def _filled(number: int) -> Callable[[Node, np.dtype[Any]], Lowering | None]:
    def lowering(node: Node, _dtype: np.dtype[Any]) -> Lowering | None:
        if node.inputs[0].aval.shape != node.outputs[0].aval.shape:
            return None
        if node.params.get("shape") is not None:
            return None
        if node.outputs[0].aval.dtype.kind == "b":
            return lambda s, *_: s.true(bool(number))
        return lambda s, *_: s.const(number)

    return lowering


def _assigned(_node: Node, _dtype: np.dtype[Any]) -> Lowering | None:
    return lambda _s, _w, value: value


def _bare(node: Node, _dtype: np.dtype[Any]) -> Lowering | None:
    """`x[()]`, which is x."""
    rest = node.params.get("rest", node.params.get("index"))
    if len(node.params) == 1 and type(rest) is tuple and len(rest) == 1:
        rest = rest[0]
    return (lambda _s, x: x) if type(rest) is tuple and not rest else None


def _not(_node: Node, dtype: np.dtype[Any]) -> Lowering | None:
    if dtype.kind == "b":
        return lambda s, x: s.not_(x)
    return lambda s, x: s.eq(x, s.const(0))


def _logical(word: str) -> Callable[[Node, np.dtype[Any]], Lowering | None]:
    def truth(s: Scalars, x: Any) -> Any:
        return x if s.dtype.kind == "b" else s.ne(x, s.const(0))

    def lowering(_node: Node, _dtype: np.dtype[Any]) -> Lowering:
        return lambda s, x, y: getattr(s, word)(truth(s, x), truth(s, y))

    return lowering


_LOGICAL = frozenset(["logical_and", "logical_or", "logical_xor", "logical_not"])
_SPECIAL: dict[str, Any] = {
    "guard": _guard, "square": _square, "reciprocal": _reciprocal,
    "power_of_number": _number_power, "where": _where, "select": _where, "clip": _clip,
    "ones_like": _filled(1), "zeros_like": _filled(0), "assigned": _assigned, "getitem": _bare,
    "logical_not": _not, "logical_and": _logical("and_"), "logical_or": _logical("or_"),
    "logical_xor": _logical("xor"), "invert": _invert, "bitwise_not": _invert, "power": _power,
    "deg2rad": _degrees("radians"), "radians": _degrees("radians"),
    "rad2deg": _degrees("degrees"), "degrees": _degrees("degrees"), "relu": _relu(None),
    "relu6": _relu(6), "rsqrt": _rsqrt, "multiply_no_nan": _no_nan, "heaviside": _heaviside,
}  # fmt: skip
# The dtype in which an operand enters, where it is not the computing one: a truth value.
TRUTHS = {"where": (0,), "select": (0,)}
