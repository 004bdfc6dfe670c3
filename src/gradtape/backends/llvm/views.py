"""Which values are another one seen differently: an offset and a step for each axis, no copy.

NumPy itself says what a slice, a transpose or a reshape is as strides: the operation is done on a
*ground*, an array of bytes of the value's shape, whose strides therefore count elements. Nothing
reads a ground, so it costs no memory.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ...core.indexing import is_basic
from ...graph.ir import Node, Value, has_holes

__all__ = ["Count", "View", "is_dense", "is_plain", "seen", "strides_of", "whole"]

_HAS_COPY = np.lib.NumpyVersion(np.__version__) >= "2.1.0"  # `np.reshape(copy=False)`


class Count(Value):
    """The numbers 0, 1, 2, ...: a value that loops know without memory."""

    __slots__ = ()


class View(NamedTuple):
    """Elements of `source`, which lies in C order: from `offset` on, by `strides` (in elements)."""

    source: Value
    strides: tuple[int, ...]
    offset: int = 0


def strides_of(shape: tuple[int, ...], missing: Any = ()) -> list[int]:
    """The strides, in elements, of an array that has no extent along the `missing` axes."""
    found, step = [], 1
    for axis in reversed(range(len(shape))):
        found.append(0 if axis in missing else step)
        step *= 1 if axis in missing else shape[axis]
    return found[::-1]


def whole(value: Value) -> View:
    """A value as it lies."""
    return View(value, tuple(strides_of(value.aval.shape)))


def is_plain(shape: tuple[int, ...], view: View) -> bool:
    """Whether a view of that shape has the elements of its source in their order."""
    if math.prod(shape) != view.source.aval.size or view.offset:
        return False
    return is_dense(shape, view)


def is_dense(shape: tuple[int, ...], view: View) -> bool:
    """Whether the elements of a view of that shape lie one behind another, in C order."""
    pairs = zip(shape, view.strides, strides_of(shape), strict=True)
    return all(n <= 1 or a == b for n, a, b in pairs) or not math.prod(shape)


def seen(node: Node, view: View) -> View | None:
    """The result of `node` as a view, where it is one of its operand, which is `view`; or None."""
    look = _LOOKS.get(node.op.name)
    if look is None or has_holes(node) or len(node.inputs) != 1 or len(node.outputs) != 1:
        return None
    source, result = node.inputs[0].aval, node.outputs[0].aval
    if source.dtype != result.dtype:
        return None
    ground = _ground(source.shape, view)
    start = _address(ground)
    try:
        found = look(ground, node)
    except (AttributeError, TypeError, ValueError, IndexError):
        return None  # a reshape that has to copy, or a call that is not what is known here
    if found is None or found.shape != result.shape:
        return None
    offset = view.offset + _address(found) - start if found.size else 0
    return View(view.source, found.strides, offset)


def _ground(shape: tuple[int, ...], view: View) -> Any:
    if is_plain(shape, view):
        return np.empty(shape, np.uint8)
    # somewhere inside the memory of the source
    memory = np.empty(max(view.source.aval.size, 1), np.uint8)
    start = view.offset if math.prod(shape) else 0
    return np.ndarray(shape, np.uint8, memory, start, view.strides)


def _address(x: Any) -> int:
    return int(x.__array_interface__["data"][0])


# ------------------------------------------------------------------- how NumPy looks at a ground


def _reshape(x: Any, node: Node) -> Any:
    shape, order = node.outputs[0].aval.shape, node.params.get("order", "C")
    if order == "F":
        x, shape = x.T, shape[::-1]
    elif order != "C":
        return None
    if _HAS_COPY:
        x = np.reshape(x, shape, copy=False)  # refused where it would have to copy
    else:
        x = x.view()
        x.shape = shape
    return x.T if order == "F" else x


def _index(x: Any, node: Node) -> Any:
    index = node.params.get("index")
    if node.op.kind == "plain":
        rest = node.params.get("rest", ())
        if len(node.params) != 1 or len(rest) != 1:
            return None
        index = rest[0]
    parts = index if type(index) is tuple else (index,)
    if not is_basic(parts):
        return None
    return x[parts if Ellipsis in parts else (*parts, Ellipsis)]  # 0-d: a view, not a number


def _called(x: Any, node: Node) -> Any:
    found = node.op.impl(x, **node.params)
    if not isinstance(found, np.ndarray):
        return None
    return found if not x.size or np.may_share_memory(found, x) else None


def _itself(x: Any, node: Node) -> Any:
    return x


def _broadcast(x: Any, node: Node) -> Any:
    return np.broadcast_to(x, node.outputs[0].aval.shape)


_LOOKS: dict[str, Any] = {
    "reshape": _reshape, "squeeze": _reshape, "expand_dims": _reshape, "getitem": _index,
    "broadcast_to": _broadcast, "copy": _itself, "stop": _itself, "positive": _itself,
    "ravel": _reshape, "atleast_1d": _reshape, "atleast_2d": _reshape,
    **dict.fromkeys(
        ("transpose", "swapaxes", "moveaxis", "matrix_transpose", "T", "mT", "diagonal",
         "sliding_window_view"),
        _called,
    ),
}  # fmt: skip
