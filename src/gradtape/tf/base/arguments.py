"""Arguments that say how and not what: shapes, axes, counts; and how a mistake in one is told.

They may be Python ints, arrays, tensors or Variables. A plain value of the wrong kind is a
TypeError where TensorFlow converts it before the operation, and InvalidArgumentError where the
operation itself refuses it: `kind` says which. A Python float alone is a TypeError in both.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core import tensor as core
from ...core.positions import decode, here
from ...errors import three_part
from .errors import KINDS, InvalidArgumentError, RefusedType, RefusedValue
from .promotion import natural
from .shapes import TensorShape
from .tensors import Tensor
from .variables import Variable


def bad_type(name: str, fact: str, remedy: str) -> RefusedType:
    """The TypeError for a call of `name`."""
    return RefusedType(three_part(f"{name}: {fact}", f"Called at {decode(*here())}.", remedy))


def bad_value(name: str, fact: str, remedy: str) -> RefusedValue:
    """The ValueError for a call of `name`."""
    return RefusedValue(three_part(f"{name}: {fact}", f"Called at {decode(*here())}.", remedy))


def bad(name: str, fact: str, remedy: str) -> Any:
    """The InvalidArgumentError for a call of `name`."""
    place = f"Called at {decode(*here())}."
    return InvalidArgumentError(None, None, three_part(f"{name}: {fact}", place, remedy))


def no_kernel(name: str, fact: str, remedy: str) -> Any:
    """The NotFoundError for a dtype that TensorFlow's CPU has no code for."""
    place = f"Called at {decode(*here())}."
    return KINDS["NotFoundError"](None, None, three_part(f"{name}: {fact}", place, remedy))


def whole(name: str, x: Any, kind: Any = bad, what: str = "a shape", *, empty: bool = True) -> Any:
    """`x` as a NumPy value of integers: what NumPy takes for `what`.

    `empty` says that [] is taken, which is float32 to TensorFlow where an operand has no default.
    """
    plain = not isinstance(x, core.Tensor | Variable | np.ndarray | np.generic)
    value = natural(x).value
    if value.dtype.kind in "iu":
        return value
    if empty and not value.size and plain:
        return value.astype(np.int32)  # [] is no list of floats
    if type(x) is float:
        kind = bad_type
    raise (kind if plain else bad)(
        name,
        f"{what} is made of whole numbers, got {x!r:.60} of {natural(x).dtype.name}.",
        "Pass ints, as in [2, 3], or tf.cast(x, tf.int32).",
    )


def lengths(name: str, x: Any, kind: Any = bad) -> tuple[int, ...]:
    """`x` as a shape: a tuple of ints that are not negative."""
    if type(x) in (tuple, list) and all(type(n) is int for n in x):
        out = tuple(x)
    else:
        if isinstance(x, TensorShape) and not x.is_fully_defined():
            raise bad_value(
                name,
                f"cannot convert a partially known TensorShape {x} to a Tensor.",
                "Give every length a number.",
            )
        value = whole(name, x, kind)
        if value.ndim > 1:
            raise bad(
                name,
                f"a shape must be a vector of {{int32,int64}}, got shape {value.shape}.",
                "Pass a flat list of lengths: [2, 3].",
            )
        out = tuple(value.reshape(-1).tolist())
    if min(out, default=0) < 0:
        raise bad(
            name,
            f"dimension {min(out)} of shape {list(out)} must be >= 0.",
            "A shape is made of numbers from 0 on; only tf.reshape takes a -1.",
        )
    return out


def count(name: str, x: Any, kind: Any = bad_type, what: str = "a count") -> int:
    """`x` as one int."""
    if type(x) is int:
        return x
    value = whole(name, x, kind, what)
    if value.ndim:
        raise bad(name, f"{what} must be a scalar, got shape {value.shape}.", "Pass one int.")
    return int(value)


def attribute(name: str, x: Any, what: str) -> int:
    """`x` as an int where TensorFlow takes an attribute: a float is cut off, anything else is not.

    Axes of `tf.stack` and `tf.squeeze` are such, block sizes, and numbers of parts.
    """
    if type(x) is int:
        return x
    value = constant_value(x) if isinstance(x, core.Tensor | Variable) else x
    if isinstance(value, float | np.floating | int | np.integer | np.bool_):
        return int(value)
    raise bad_type(name, f"{what} must be an int, got {x!r:.60}.", "Pass a Python int.")


def axis_of(name: str, axis: Any, ndim: int, kind: Any = bad) -> int:
    """`axis` as an int from 0 on; `kind` is the error for one that does not exist."""
    if axis is None:
        raise bad_type(name, "the axis must be an int, got None.", "Pass a Python int.")
    found = count(name, axis, bad_type, "an axis")
    if not -ndim <= found < ndim:
        raise kind(
            name,
            f"axis {found} is not in the range [{-ndim}, {ndim}).",
            f"A tensor of {ndim} axes has those from {-ndim} to {ndim - 1}."
            if ndim
            else "A scalar has no axes: tf.expand_dims(x, 0) gives it one.",
        )
    return found % ndim


def constant_value(x: Any) -> Any:
    """The value of a tensor or of anything else that becomes one, with no history."""
    return x.value if type(x) is Tensor else natural(x).value


# ------------------------------------------------------------------------------ indices


def indices_of(name: str, x: Any, dtypes: str = "il", kind: Any = bad) -> Any:
    """`x` as a NumPy value of indices: of one of `dtypes`, int32 and int64 by default."""
    value = whole(name, x, kind, "an index", empty=False)
    if value.dtype.char not in dtypes:
        raise bad(
            name,
            f"indices of {natural(x).dtype.name} are not in the list of allowed values: int32, "
            "int64.",
            "Cast them: tf.cast(indices, tf.int32).",
        )
    return value


_POLICIES = ("", "DEFAULT", "ERROR", "IGNORE")


def policy(name: str, given: Any, kind: Any = bad) -> bool:
    """Whether indices that do not exist are left out, and not refused."""
    if given not in _POLICIES:
        raise kind(name, f"bad_indices_policy {given!r} is unknown.", "Pass '', ERROR or IGNORE.")
    return bool(given == "IGNORE")


def outside(index: Any, shape: tuple[int, ...]) -> Any:
    """Where the last axis of `index` names no element of `shape`; None if it does everywhere."""
    limits = np.array(shape[: index.shape[-1]], np.int64)
    wrong = ((index < 0) | (index >= limits)).any(axis=-1)
    return wrong if wrong.any() else None


def refused_index(name: str, index: Any, wrong: Any, shape: Any) -> Any:
    """The error for the first of the indices that are `wrong`."""
    where = tuple(int(i) for i in np.argwhere(wrong)[0]) if np.ndim(wrong) else ()
    return bad(
        name,
        f"indices[{', '.join(map(str, where))}] = {index[where].tolist()} does not index into "
        f"shape {list(shape)}.",
        "Each row of indices is one place, which counts from 0.",
    )
