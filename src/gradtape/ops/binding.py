"""Binds the operators of Tensor to the cards, so that they take the direct path."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..core.dispatch import nondifferentiable_call
from ..core.fast import make_fast_sum, make_step
from ..core.registry import CARDS, FUNCTIONS, HOOKS, UFUNCS
from ..core.tensor import Tensor

_BINARY = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.true_divide,
    "floordiv": np.floor_divide, "mod": np.remainder, "divmod": np.divmod, "matmul": np.matmul,
    "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor,
    "lshift": np.left_shift, "rshift": np.right_shift,
}  # fmt: skip
_COMPARE = {
    "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
    "eq": np.equal, "ne": np.not_equal,
}  # fmt: skip
_UNARY = {"neg": np.negative, "pos": np.positive, "abs": np.absolute, "invert": np.invert}


def _bind(name: str, function: Any) -> None:
    setattr(Tensor, f"__{name}__", function)


def _reflected(operation: Any) -> Any:
    if hasattr(operation, "takes_depth"):
        return lambda self, other: operation(other, self, None, 2)

    def reflected(self: Any, other: Any) -> Any:
        return operation(other, self)

    return reflected


def _in_place(operation: Any) -> Any:
    deep = operation
    if hasattr(operation, "takes_depth"):  # below: this lambda, the hook and in_place itself

        def deep(x: Any, y: Any) -> Any:
            return operation(x, y, None, 4)

    def in_place(self: Any, other: Any) -> Any:
        return HOOKS["in_place"](self, other, deep)

    return in_place


def _equality(name: str, same: Any) -> Any:
    """`==` and `!=`, which answer for what is no number too, where the ufuncs refuse."""

    def compare(x: Any, y: Any) -> Any:
        found = same(x, y)
        return np.bool_(found) if isinstance(found, bool) else found  # a NumPy scalar's answer

    return nondifferentiable_call(name, compare)


FUNCTIONS[np.sum] = make_fast_sum(CARDS["sum_all"], FUNCTIONS[np.sum])
for _name, _ufunc in _BINARY.items():
    if _ufunc in UFUNCS:
        _bind(_name, UFUNCS[_ufunc])
        swaps = _name in ("add", "mul")  # commutative: no wrapper in between
        _bind(f"r{_name}", UFUNCS[_ufunc] if swaps else _reflected(UFUNCS[_ufunc]))
        if _name != "divmod":
            _bind(f"i{_name}", _in_place(UFUNCS[_ufunc]))
_bind("pow", HOOKS["operator_pow"])
_bind("rpow", _reflected(HOOKS["operator_pow"]))
_bind("ipow", _in_place(HOOKS["operator_pow"]))
for _name, _ufunc in {**_COMPARE, **_UNARY}.items():
    if _ufunc in UFUNCS:
        _bind(_name, UFUNCS[_ufunc])
for _name, _ufunc, _same in (("eq", np.equal, operator.eq), ("ne", np.not_equal, operator.ne)):
    _bind(_name, make_step(_ufunc.__name__, _ufunc, _equality(_ufunc.__name__, _same)))
