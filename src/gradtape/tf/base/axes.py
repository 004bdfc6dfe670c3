"""Axes as TensorFlow takes them: None, a number, a list, a tensor."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core import tensor as core
from ...core.positions import decode, here
from ...errors import three_part
from .errors import RefusedType, invalid
from .promotion import natural


def _refused(*parts: str) -> RefusedType:
    return RefusedType(three_part(*parts))


def axes_of(name: str, axis: Any, ndim: int) -> Any:
    """`axis` as NumPy takes it: None, or a tuple of ints; -1 is the last."""
    if axis is None:
        return None
    found = natural(axis).value
    if found.dtype.kind not in "iu":
        if not np.size(found):  # [] is an empty list of axes
            return ()
        raise (invalid if isinstance(axis, core.Tensor) else _refused)(
            f"{name}: axis {axis!r} is no int32 or int64.",
            f"Called at {decode(*here())}.",
            "Give the axis as an int or a list of ints.",
        )
    axes = tuple(int(a) for a in np.reshape(found, -1))
    for a in axes:
        if not -ndim <= a < max(ndim, 0):
            raise invalid(
                f"{name}: Invalid reduction dimension ({a} for input with {ndim} dimension(s)).",
                f"Called at {decode(*here())}.",
                f"Axes are -{ndim} to {ndim - 1} here.",
            )
    positive = tuple(a % ndim for a in axes)
    if len(set(positive)) != len(positive):
        raise invalid(
            f"{name}: Invalid reduction arguments: Axes contains duplicate dimension: {axes}.",
            f"Called at {decode(*here())}.",
            "Name each axis once.",
        )
    return positive
