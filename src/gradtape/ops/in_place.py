"""Writing without an index: `x += v`, `out=`, and sequences of Tensors."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..core.positions import decode, user_frame
from ..core.registry import HOOKS
from ..core.state import next_key
from ..core.tensor import Tensor, new_tensor, raw
from ..core.variable import Variable
from ..errors import DTypeError, ShapeError, three_part


def _here() -> Any:
    frame = user_frame()
    return decode(frame.f_code, frame.f_lasti)


def in_place(x: Tensor, other: Any, operation: Any) -> Any:
    """`x += v` and its kin: a new version of `x`; a 0-d Tensor rebinds."""
    result = operation(x, other)
    if result is NotImplemented or (type(x.value) is not np.ndarray and not x.value.ndim):
        return result
    write_tensor(x, result)
    return x


def write_tensor(x: Tensor, result: Any) -> None:
    """`x` takes over the history of `result`, as `out=x` and `x += v` do."""
    if not isinstance(result, Tensor):  # computed from plain operands
        result = new_tensor(result)
    if isinstance(x, Variable):
        x.assign(result)
        return
    old = x.aval
    value = result.value
    if np.shape(value) != old.shape:
        raise ShapeError(
            three_part(
                f"In-place operation: a result of shape {np.shape(value)} does not fit {old!r}.",
                f"Written at {_here()}.",
                "Rebind the name instead: x = x + y.",
            )
        )
    if value.dtype != old.dtype:
        if not np.can_cast(value.dtype, old.dtype, "same_kind"):
            raise DTypeError(
                three_part(
                    f"In-place operation: {value.dtype} cannot be written into {old!r}.",
                    f"Written at {_here()}.",
                    "Rebind the name instead: x = x + y.",
                )
            )
        result = result.astype(old.dtype)
    elif result is not x and result.value is x.value:
        result = np.positive(result)
    x.become(result)
    if not x.key:
        x.key = next_key()


def write_plain(out: Any, result: Any, casting: Any = "same_kind") -> Any:
    """Write the value of `result` into the user's array; noted, for it may come back.

    Returns the result in the dtype of the array, as NumPy returns the array.
    """
    value = raw(result)
    if np.shape(value) != np.shape(out):  # copyto would broadcast, which only ufuncs do
        raise ShapeError(
            three_part(
                f"A result of shape {np.shape(value)} does not fit out= of shape {np.shape(out)}.",
                f"Written at {_here()}.",
                f"Give out= an array of shape {np.shape(value)}, or leave it out.",
            )
        )
    np.copyto(out, value, casting=casting)
    if isinstance(result, Tensor):
        if value.dtype != out.dtype:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", np.exceptions.ComplexWarning)  # said by copyto
                result = result.astype(out.dtype)
        HOOKS["plain_store"](out, result)
    return result


def from_sequence(items: Any) -> Any:
    """A list or tuple as an operand: an array, or a stacked Tensor if it holds Tensors."""
    stacked = HOOKS["stack"](items)
    return stacked if isinstance(stacked, Tensor) else np.asarray(items)


def from_objects(array: Any) -> Any:
    """An object array that holds Tensors, as one Tensor."""
    if any(isinstance(i, Tensor) for i in array.flat):
        return np.reshape(HOOKS["stack"](list(array.flat)), array.shape)
    return array.astype(float)


HOOKS["in_place"] = in_place
HOOKS["write_tensor"] = write_tensor
HOOKS["write_plain"] = write_plain
HOOKS["from_sequence"] = from_sequence
HOOKS["from_objects"] = from_objects
