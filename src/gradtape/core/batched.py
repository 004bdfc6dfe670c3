"""Small helpers that several families of cards share: shapes without data, batches in front."""

from __future__ import annotations

from typing import Any

import numpy as np

from .aval import Aval
from .lift import Lift
from .pythons import strengthened
from .registry import HOOKS
from .symbol import Symbol
from .tensor import Tensor


def stand_in(x: Any) -> Any:
    """A read-only array with the shape and dtype of `x` and the data of one zero.

    NumPy functions run on it cheaply to find a shape, or to raise their own error.
    """
    aval = x if isinstance(x, Aval) else x.aval if isinstance(x, Tensor) else None
    if aval is None:
        return x
    return np.broadcast_to(np.zeros((), aval.dtype), aval.shape)


def dims(x: Any) -> tuple[int, ...]:
    """`np.shape(x)`, which for a Tensor costs as much as a small operation."""
    return x.shape if isinstance(x, Tensor | np.ndarray) else np.shape(x)


def as_operand(x: Any) -> Any:
    """`x`, with a list or tuple made into an array, or into a stacked Tensor if it holds one."""
    return HOOKS["from_sequence"](x) if isinstance(x, list | tuple) else x


def batch_first(x: Any, axis: int | None, size: int) -> Any:
    """`x` with its batch axis moved to the front; repeated without a copy where it has none."""
    if axis is None:
        return np.broadcast_to(x, (size, *np.shape(x)))
    return np.moveaxis(x, axis, 0)


def as_array(x: Any) -> Any:
    """`x` with `.shape`, `.ndim` and `.dtype`: sequences and Python scalars become arrays."""
    x = strengthened(as_operand(x))
    known = Tensor | Symbol | Lift | np.ndarray | np.generic
    return x if isinstance(x, known) else np.asarray(x)
