"""The first names that a script asks for: dtypes, constants, conversion, casts."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core import tensor as core
from ...core.positions import decode, here
from ...errors import three_part
from ...ops import binding as _cards  # and with it all
from . import errors, indexing, scopes, tapes, tensors, variables
from .dtypes import BFLOAT16, DTYPES, DType, as_dtype, kind_of
from .errors import RefusedType
from .graphs import is_tracing
from .making import op
from .names import NAMES, export
from .promotion import bare, convert, natural
from .shapes import TensorShape
from .tensors import Tensor, make
from .variables import Variable

_ = _cards, indexing, scopes, tapes, tensors, variables

VERSION = "2.21.0"  # TensorFlow's, whose answers the tests compare with
NAMES["__version__"] = NAMES["version.VERSION"] = VERSION
NAMES["newaxis"] = None
export("DType", "dtypes.DType")(DType)
export("as_dtype", "dtypes.as_dtype")(as_dtype)
export("TensorShape")(TensorShape)
for _name, _dtype in DTYPES.items():
    export(_name, f"dtypes.{_name}")(_dtype)
export("half", "dtypes.half")(DTYPES["float16"])
export("double", "dtypes.double")(DTYPES["float64"])
export("errors.OpError")(errors.OpError)
for _name, _kind in errors.KINDS.items():
    export(f"errors.{_name}")(_kind)
for _name, _code in errors.CODES.items():
    NAMES[f"errors.{_name}"] = _code
export("errors.OperatorNotAllowedInGraphError")(errors.OperatorNotAllowedInGraphError)


@export("constant")
def constant(value: Any, dtype: Any = None, shape: Any = None, name: Any = None) -> Tensor:
    """A tensor with the value of a number, a list or an array, which may be repeated to `shape`."""
    if dtype is not None and isinstance(value, core.Tensor):
        dtype = as_dtype(dtype)
        if natural(value).dtype != dtype:
            raise RefusedType(
                three_part(
                    f"Expected tensor {natural(value)} with dtype {dtype!r}, but got dtype "
                    f"{natural(value).dtype!r}.",
                    f"tf.constant was called at {decode(*here())}.",
                    f"Cast it: tf.cast(x, {dtype!r}).",
                )
            )
    t = convert(value, dtype)
    if shape is None:
        return t
    lengths = tuple(TensorShape(shape).as_list())
    if t.value.shape == lengths:
        return t
    if t.value.size == 1:
        return make(core.settled(np.full(lengths, t.value.reshape(())[()], t.value.dtype)))
    if t.value.size != np.prod(lengths, dtype=int):
        raise RefusedType(
            three_part(
                f"tf.constant: a value of {t.value.size} elements does not fill the shape "
                f"{lengths}.",
                f"Called at {decode(*here())}.",
                "Give a shape of as many elements, or one number to repeat.",
            )
        )
    return tensors.adopt(np.reshape(bare(t), lengths))  # type: ignore[no-any-return]


@export("convert_to_tensor")
def convert_to_tensor(
    value: Any, dtype: Any = None, dtype_hint: Any = None, name: Any = None
) -> Tensor:
    """`value` as a tensor; a tensor of another dtype is a ValueError, not a cast."""
    return convert(value, dtype, dtype_hint)


@export("cast", "dtypes.cast")
def cast(x: Any, dtype: Any, name: Any = None) -> Any:
    """The values in another dtype: towards 0 for integers, the real part of complex numbers."""
    dtype = as_dtype(dtype)
    target = dtype.held()
    kind = type(x)
    if kind is np.ndarray and x.dtype.kind in "biufc" and target.kind in "biufc":
        with np.errstate(all="ignore"):
            return make(core.settled(_to(x, target)))
    t = natural(x)
    if t.value.dtype == target:
        return t
    if object in (target.type, t.value.dtype.type) or "O" in (target.char, t.value.dtype.char):
        raise errors.KINDS["UnimplementedError"](
            None,
            None,
            three_part(
                f"Cast {t.dtype.name} to {dtype.name} is not supported.",
                f"tf.cast was called at {decode(*here())}.",
                "Convert text before it becomes a tensor: float(text).",
            ),
        )
    return _cast(t, target)


def _to(value: Any, target: np.dtype[Any]) -> Any:
    if value.dtype.kind == "c" and target.kind not in "cb":
        value = value.real
    return value.astype(target)


@op()
def _cast(t: Any, target: Any) -> Any:
    x = bare(t)
    if t.value.dtype.kind == "c" and target.kind not in "cb":
        x = np.real(x)
    if BFLOAT16 in (t.value.dtype.char, target.char) and x.dtype != np.float32:
        x = x.astype(np.float32)  # through which TensorFlow goes
    return x.astype(target) if x.dtype != target else x


@export("identity")
def identity(input: Any, name: Any = None) -> Any:
    """A tensor of the same value and history."""
    return tensors.adopt(np.positive(bare(input))) if _is_number(input) else natural(input)


def _is_number(x: Any) -> bool:
    return kind_of(natural(x).value.dtype) in "iufc"


@export("is_tensor")
def is_tensor(x: Any) -> bool:
    """Whether `x` is a tensor or a Variable."""
    return isinstance(x, Tensor | Variable)


@export("executing_eagerly")
def executing_eagerly() -> bool:
    """Whether functions compute at once: not while a `tf.function` is traced."""
    return not is_tracing()


@export("inside_function")
def inside_function() -> bool:
    """Whether a `tf.function` is traced."""
    return is_tracing()
