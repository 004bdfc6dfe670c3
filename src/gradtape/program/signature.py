"""Signatures: which values of a call are inputs of the program, and for what it is made.

Arrays, Tensors, NumPy scalars and Python floats are inputs: the program is made for their shapes
and dtypes. Everything else is static: integers, truth values, text, None, enums by value, Variables
and other objects by identity. What the function takes from its surroundings (globals, variables of
the function around it, attributes of `self`) is part of the signature too: `surroundings.py`.
"""

from __future__ import annotations

import dis
import enum
import functools
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.aval import INEXACT, Aval, aval_of
from ..core.operands import refuse_own_arithmetic
from ..core.positions import decode, here
from ..core.tensor import Tensor
from ..core.tree import _children
from ..core.variable import Variable
from ..errors import DTypeError, three_part

_BY_VALUE = (int, bool, str, bytes, type(None), enum.Enum)
_WEAK = {float: Aval((), np.float64, True), complex: Aval((), np.complex128, True)}
SCALARS = (int, float, complex, bool, str, bytes, type(None), np.generic)
MISSING = object()


class Outside(int):
    """In a signature: the number of the state of what the function takes from outside."""


class Static:
    """Stands among the dynamic leaves for an argument named in `static_argnames`."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


def describe(
    tree: Any, key: list[Any], leaves: list[Any], objects: list[Any]
) -> Callable[[Any], Any]:
    """Append to `key` what the program is made for, to `leaves` its inputs.

    To `objects`, what is static by identity and may hold what the program is made for.

    Returns a function that takes an iterator over other inputs and builds `tree` around them.
    """
    kind = type(tree)
    if isinstance(tree, np.ndarray) and kind is not np.ndarray:
        refuse_own_arithmetic(tree, "function")
        tree, kind = tree.view(np.ndarray), np.ndarray
    if kind is np.ndarray or isinstance(tree, np.generic) or (
        isinstance(tree, Tensor) and not isinstance(tree, Variable)
    ):  # fmt: skip
        dtype = tree.dtype
        if not isinstance(dtype, np.dtype):
            raise _of_dialect(tree)
        if dtype.kind in "iub" or dtype.char in INEXACT:
            key.append((tree.shape, dtype))
            leaves.append(tree)
            return next
        if kind is not np.ndarray:
            key.append(tree)
            return lambda _: tree
    if kind is float or kind is complex:
        key.append(kind)
        leaves.append(tree)
        return next
    if isinstance(tree, _BY_VALUE):
        key.append((kind, tree))
        return lambda _: tree
    if kind is Static:
        key.append(exact(tree.value, lambda x: x))
        return lambda _: tree.value
    node = None if isinstance(tree, Tensor) else _children(tree)
    if node is None:
        key.append(("object", id(tree)))
        if not isinstance(tree, Tensor):
            objects.append(tree)
        return lambda _: tree
    children, make, labels = node
    key.append((kind, labels))
    parts = [describe(child, key, leaves, objects) for child in children]
    key.append(None)
    return lambda values: make([part(values) for part in parts])


def _of_dialect(x: Any) -> DTypeError:
    return DTypeError(
        three_part(
            f"function: an argument is a {type(x).__name__} of the TensorFlow dialect.",
            f"Called at {decode(*here(4))}; gt.function compiles for arrays and gt.Tensor.",
            "Compile it with tf.function, or pass x.numpy().",
        )
    )


def exact(x: Any, other: Callable[[Any], Any]) -> Any:
    """`x` as part of a key: numbers and texts by value and type, the rest as `other` says.

    -0.0 is not 0.0, True is not 1, and NaN is NaN, in tuples too.
    """
    if isinstance(x, float):
        return type(x), x.hex()
    if isinstance(x, complex):
        return type(x), x.real.hex(), x.imag.hex()
    if isinstance(x, np.generic):
        return type(x), x.dtype, x.tobytes()
    if type(x) in (tuple, frozenset):
        return type(x), type(x)(exact(item, other) for item in x)
    return (type(x), x if isinstance(x, SCALARS) else other(x))


def avals(leaves: list[Any]) -> list[Aval]:
    """The avals of the inputs; Python floats are weak."""
    return [_WEAK.get(type(x)) or _strong(x) for x in leaves]


def _strong(x: Any) -> Aval:
    aval = x.aval if isinstance(x, Tensor) else aval_of(x)
    return aval


def check_static(name: str, argument: str, value: Any) -> Static:
    """`value` of an argument that was declared static; DTypeError if it cannot be compared."""
    try:
        hash(value)
    except TypeError:
        raise DTypeError(
            three_part(
                f"{name}: the static argument {argument!r} is {type(value).__name__}, which has "
                "no hash.",
                "A program is looked up by the values of its static arguments.",
                f"Pass a tuple, or leave {argument!r} out of static_argnames.",
            )
        ) from None
    return Static(value)


# ------------------------------------------------------------------------- code and cells


_LOAD_GLOBAL = dis.opmap["LOAD_GLOBAL"]


@functools.lru_cache(maxsize=1024)
def global_names(code: types.CodeType) -> tuple[str, ...]:
    """The global names that a function reads, those of functions inside it too."""
    found: set[str] = set()
    words, more = code.co_code, 0
    for op, arg in zip(words[::2], words[1::2], strict=True):  # `dis` takes a millisecond
        arg |= more
        more = arg << 8 if op == dis.EXTENDED_ARG else 0
        if op == _LOAD_GLOBAL:
            found.add(code.co_names[arg >> 1])
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            found.update(global_names(const))
    return tuple(sorted(found))


def read_cell(cell: Any) -> Any:
    """What a cell of a closure holds; MISSING if it is not filled yet."""
    try:
        return cell.cell_contents
    except ValueError:
        return MISSING


def difference(old: tuple[Any, ...], new: tuple[Any, ...], outside: str) -> str:
    """What distinguishes two signatures, in words; `outside` is what changed there last."""
    for a, b in zip(old, new, strict=False):
        if a != b and isinstance(a, Outside):
            return f"{outside or 'a value'}, which it takes from outside, became another"
        if a != b:
            return f"{_say(a)} became {_say(b)}"
    return "the number of arguments changed"


def _say(part: Any) -> str:
    if isinstance(part, tuple) and len(part) == 2:
        first, second = part
        if isinstance(second, np.dtype):
            return f"{second}[{','.join(map(str, first))}]"
        if isinstance(first, type):
            return f"the static value {second!r}" if not isinstance(second, tuple) else str(second)
        if first == "object":
            return "one object"
    if isinstance(part, type):
        return f"a Python {part.__name__}"
    return "one structure" if part is None else repr(part)
