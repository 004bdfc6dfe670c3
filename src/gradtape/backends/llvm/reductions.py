"""Which nodes are reductions, over which axes, and with which word elements are joined."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ...core.axes import normalized
from ...graph.ir import Node
from . import lowerings, types
from .scalars import Scalars

__all__ = ["Reduction", "Running", "find"]

_WORDS = {
    "sum": "add", "sum_all": "add", "prod": "mul", "max": "max", "min": "min", "amax": "max",
    "amin": "min", "any": "or", "all": "and",
    "add.reduce": "add", "multiply.reduce": "mul", "maximum.reduce": "max",
    "minimum.reduce": "min", "logical_or.reduce": "or", "logical_and.reduce": "and",
}  # fmt: skip
_PARAMS = frozenset(["axis", "keepdims", "dtype", "rest"])


class Reduction(NamedTuple):
    """Elements joined by `word` over `axes`; they are taken in the dtype of the result."""

    word: str
    axes: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def total(self) -> np.dtype[Any]:
        """The dtype in which what the parts give is joined: sums of floats in double."""
        is_sum = self.word == "add" and self.dtype.kind == "f"
        return np.dtype(np.float64) if is_sum else self.dtype

    def neutral(self, dtype: np.dtype[Any]) -> Any:
        """What changes no element."""
        if self.word in ("max", "min"):
            if dtype.kind == "f":
                return types.constant(dtype, -np.inf if self.word == "max" else np.inf)
            if dtype.kind == "b":
                return types.constant(dtype, self.word == "min")
            info = np.iinfo(dtype)
            return types.constant(dtype, info.min if self.word == "max" else info.max)
        return types.constant(dtype, int(self.word in ("mul", "and")))

    def join(self, b: Any, dtype: np.dtype[Any], x: Any, y: Any, is_free: bool = False) -> Any:
        """`x` and `y` in one; `is_free` lets LLVM choose the order."""
        flags = ("reassoc",) if is_free else ()
        is_float = dtype.kind == "f"
        if self.word == "or" or (dtype.kind == "b" and self.word in ("add", "max")):
            return b.or_(x, y)
        if self.word == "and" or (dtype.kind == "b" and self.word in ("mul", "min")):
            return b.and_(x, y)
        if self.word == "add":
            return b.fadd(x, y, flags=flags) if is_float else b.add(x, y)
        if self.word == "mul":
            return b.fmul(x, y, flags=flags) if is_float else b.mul(x, y)
        scalars = Scalars(b, dtype)
        if is_float:  # LLVM's maximum has NumPy's NaN, and is one that its vectoriser knows
            return scalars.intrinsic(f"{self.word}imum", x, y)
        keep = scalars.gt(x, y) if self.word == "max" else scalars.lt(x, y)
        return scalars.select(keep, x, y)


class Running:
    """A lowering: what a reduction gives of the elements of its row so far."""

    def __init__(self, word: str) -> None:
        self.word = word

    def reduction(self, dtype: np.dtype[Any]) -> Reduction:
        """How elements are joined."""
        return Reduction(self.word, (), dtype)

    def neutral(self, dtype: np.dtype[Any]) -> Any:
        """What the row begins with: -0.0 changes no number, 0.0 would one."""
        if self.word == "add" and dtype.kind == "f":
            return types.constant(dtype, -0.0)
        return self.reduction(dtype).neutral(dtype)

    def emit(self, e: Any, node: Node, operand: Any, _indices: Any) -> Any:
        """The next one."""
        dtype = node.outputs[0].aval.dtype
        kind, at = types.scalar(dtype), e.rows[node]
        x = operand(node.inputs[0], dtype)
        x = self.reduction(dtype).join(e.b, dtype, e.b.load(at, typ=kind), x)
        e.b.store(x, at)
        return x


def find(node: Node) -> Reduction | None:
    """What a node reduces, if that is all that it does; None otherwise."""
    word = _WORDS.get(node.op.name)
    if word is None or len(node.inputs) != 1 or node.operands != 1 or len(node.outputs) != 1:
        return None
    source, result = node.inputs[0].aval, node.outputs[0].aval
    params = dict(node.params)
    if set(params) - _PARAMS or not lowerings.held(node.inputs[0]):
        return None
    if not lowerings.held(node.outputs[0]):
        return None
    axis = params.get("axis")
    rest = params.get("rest", ())
    if rest:
        if len(rest) != 1 or "axis" in params:
            return None
        axis = rest[0]
    elif "axis" not in params and "." in node.op.name:
        axis = 0  # that of the methods of ufuncs
    if axis is not None and not isinstance(axis, int | tuple):
        return None
    axes = normalized(axis, source.ndim)
    if not _is_as_numpy(word, source, result, params.get("dtype")):
        return None
    if word in ("max", "min") and not math.prod(source.shape[i] for i in axes):
        return None
    return Reduction(word, axes, result.dtype)


def _is_as_numpy(word: str, source: Any, result: Any, asked: Any) -> bool:
    """Whether elements cast to the result's dtype are what NumPy joins."""
    if word in ("or", "and"):
        return bool(result.dtype == bool)
    if word in ("max", "min"):
        return bool(source.dtype == result.dtype)
    if asked is not None and np.dtype(asked) != result.dtype:
        return False
    return bool(result.dtype.kind != "b")
