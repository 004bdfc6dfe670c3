"""`t[...]` as TensorFlow reads it: ints, slices, Ellipsis, newaxis, scalar tensors; no arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core import tensor as core
from ...core.positions import decode, here
from ...errors import three_part
from .errors import LOWER, RefusedType, RefusedValue, invalid, refuse
from .promotion import bare
from .tensors import Tensor, adopt
from .variables import Variable, _unread

_WORDS = (
    "Only integers, slices (`:`), ellipsis (`...`), tf.newaxis (`None`) and scalar tf.int32/"
    "tf.int64 tensors are valid indices"
)


def take(x: Any, index: Any) -> Any:
    """`x[index]` of a tf.Tensor."""
    if _is_mask(index):
        return adopt(bare(x)[np.asarray(_plain(index))])
    items = tuple(map(_item, index)) if isinstance(index, tuple | list) else (_item(index),)
    used = sum(i is not None and i is not Ellipsis for i in items)
    if used > x.value.ndim:
        raise invalid(
            f"Index out of range using input dim {x.value.ndim}; input has only {x.value.ndim} "
            "dims.",
            f"Indexed at {decode(*here())} with {index!r:.100}.",
            "Give no more indices than the tensor has axes; tf.gather takes elements by a list.",
        )
    try:
        return adopt(bare(x)[items])
    except LOWER as error:
        refuse(error, "indexing", (x, index))


def _plain(x: Any) -> Any:
    return x.value if isinstance(x, core.Tensor) else x.held.value if type(x) is Variable else x


def _is_mask(index: Any) -> bool:
    value = _plain(index)
    return isinstance(value, np.ndarray) and value.dtype == bool and value.ndim > 0


def _item(i: Any) -> Any:
    if i is None or i is Ellipsis or type(i) is int:
        return i
    if type(i) is slice:
        return slice(*(None if e is None else _whole(e) for e in (i.start, i.stop, i.step)))
    return _whole(i)


def _whole(i: Any) -> int:
    value = _plain(i)
    if isinstance(value, bool | np.bool_):
        raise RefusedValue(
            three_part(
                "mask cannot be scalar.",
                f"Indexed at {decode(*here())} with {i!r:.60}.",
                "Use tf.boolean_mask(x, mask) with a mask of the shape of x.",
            )
        )
    if not hasattr(value, "__index__"):
        raise _invalid(i)
    try:
        return int(value.__index__())
    except TypeError:
        raise _invalid(i) from None


def _invalid(i: Any) -> RefusedType:
    return RefusedType(
        three_part(
            f"{_WORDS}, got {i!r:.100}.",
            f"Indexed at {decode(*here())}.",
            "Take elements by a list with tf.gather(x, indices), by a mask with "
            "tf.boolean_mask(x, mask).",
        )
    )


class Part(Tensor):
    """What is read of a Variable, `v[index]`: a Tensor that can be assigned."""

    __slots__ = ("_index", "_variable")

    _variable: Variable
    _index: Any

    @staticmethod
    def of(variable: Variable, index: Any) -> Any:
        """`variable[index]`."""
        t = take(variable.value(), index)
        out = Part.__new__(Part)
        out.value, out.key, out.why = t.value, t.key, t.why
        out._variable, out._index = variable, index
        return out

    def assign(self, value: Any, use_locking: bool = False, name: Any = None) -> Variable:
        """Assign this part of the Variable."""
        variable, index = self._variable, self._index
        new = bare(variable._operand(value))
        if _is_mask(index):
            where: Any = np.asarray(_plain(index))
        else:
            where = tuple(map(_item, index if isinstance(index, tuple | list) else (index,)))
        try:
            variable.held.assign_at(where, new)
        except LOWER as error:
            refuse(error, "assign", (self, value))
        return _unread(variable)


def _getitem(self: Any, index: Any) -> Any:
    return take(self, index)


Tensor.__getitem__ = _getitem  # type: ignore[method-assign]
