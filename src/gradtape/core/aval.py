"""Aval: the shape and dtype of a value, without the value."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

# ml_dtypes' bfloat16, a dtype of kind V, in which the TensorFlow dialect holds values.
BFLOAT16 = "E"
# Characters of the dtypes whose values can have a gradient.
INEXACT = "efdgFDG" + BFLOAT16


class Aval:
    """Shape, dtype and weakness of a value; rules read `.shape`, `.ndim`, `.size`, `.dtype` of it.

    `weak` marks a Python scalar, which takes the dtype of what it meets.

    >>> Aval((2, 3), np.dtype("float32"))
    float32[2,3]
    """

    __slots__ = ("dtype", "shape", "weak")

    def __init__(self, shape: tuple[int, ...], dtype: Any, weak: bool = False) -> None:
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self.weak = weak

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Aval):
            return NotImplemented
        return self.shape == other.shape and self.dtype == other.dtype

    def __hash__(self) -> int:
        return hash((self.shape, self.dtype))

    def __repr__(self) -> str:
        return f"{self.dtype}[{','.join(map(str, self.shape))}]"


_new = Aval.__new__


def make_aval(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Aval:
    """An Aval of a dtype object, without the conversions of the constructor."""
    aval = _new(Aval)
    aval.shape = shape
    aval.dtype = dtype
    aval.weak = False
    return aval


def aval_of(value: Any) -> Aval:
    """The aval of an array, a NumPy scalar, a Tensor, an Aval, a Python scalar or a sequence."""
    if isinstance(value, Aval):
        return value
    if type(value) is np.ndarray:
        return make_aval(value.shape, value.dtype)
    if type(value) in (float, int, complex, bool):
        return Aval((), np.result_type(value), weak=True)
    shape = getattr(value, "shape", None)
    dtype = getattr(value, "dtype", None)
    if type(shape) is tuple and isinstance(dtype, np.dtype):
        aval = make_aval(shape, dtype)
        aval.weak = getattr(value, "weak", False)  # of a symbol
        return aval
    if shape is None or dtype is None:
        array = np.asarray(value)
        shape, dtype = array.shape, array.dtype
    return Aval(shape, dtype)


def is_differentiable(dtype: Any) -> bool:
    """Whether values of this dtype can have a gradient: the floating and complex ones."""
    return np.dtype(dtype).char in INEXACT


def native(dtype: Any) -> Any:
    """`dtype` in the byte order of the machine, which everything has that is computed."""
    return dtype if dtype.isnative else dtype.newbyteorder("=")


def weak_result_type(*avals: Aval) -> np.dtype[Any]:
    """The dtype NumPy gives to an operation on these avals, weak scalars counted as weak."""
    examples = {"i": 1, "f": 1.0, "c": 1j}
    return np.result_type(
        *(examples.get(a.dtype.kind, a.dtype) if a.weak else a.dtype for a in avals)
    )


def broadcast_shapes(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """`np.broadcast_shapes`, without asking where all that are not () are the same."""
    distinct = {*shapes}
    distinct.discard(())
    if len(distinct) > 1:
        return np.broadcast_shapes(*shapes)
    return distinct.pop() if distinct else ()
