"""tf.Tensor: the core's Tensor with TensorFlow's face.

A subclass without fields of its own, so that a result of the core becomes one by taking its class:
no copy. It is immutable. NumPy does not find its two protocols on it: `np.sin(t)` therefore reads
the value out through `__array__` and gives an ndarray, as with TensorFlow, and `ndarray * t` asks
`t.__rmul__` first. The operators are bound by `families/elementwise.py`.
"""

from __future__ import annotations

import operator
from typing import Any, NoReturn

import numpy as np

from ...core import tensor as core
from ...core.exits import note_exit
from ...core.lift import Batch, Dual
from ...core.methods import ArrayMethods
from ...core.symbol import Symbol
from ...errors import DTypeError, TracingError, three_part
from .dtypes import BFLOAT16, BY_CHAR, DType
from .errors import RefusedType, RefusedValue
from .names import export
from .shapes import TensorShape, shape_of

ndarray = np.ndarray
DEVICE = "/job:localhost/replica:0/task:0/device:CPU:0"


class _Hidden:
    """An attribute of the core's Tensor that TensorFlow's has not."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, owner: Any, cls: Any = None) -> NoReturn:
        if owner is None:  # NumPy asks the class for its protocols; this says there are none
            raise AttributeError(self.name)
        raise AttributeError(
            three_part(
                f"tf.Tensor object has no attribute {self.name!r}.",
                "TensorFlow's tensors do not have ndarray's methods.",
                _INSTEAD.get(self.name, f"Use the function, tf.{self.name}(x), or x.numpy()."),
            )
        )


_INSTEAD = {
    "T": "Use tf.transpose(x).", "mT": "Use tf.linalg.matrix_transpose(x).",
    "size": "Use tf.size(x).", "astype": "Use tf.cast(x, tf.float32).",
    "item": "Use x.numpy().item(), or float(x).", "tolist": "Use x.numpy().tolist().",
    "copy": "Use tf.identity(x).", "ravel": "Use tf.reshape(x, [-1]).",
    "flatten": "Use tf.reshape(x, [-1]).", "dot": "Use tf.tensordot(x, y, 1).",
    **{name: f"Use tf.reduce_{name}(x)." for name in ("sum", "mean", "max", "min", "prod", "any",
                                                      "all")},
    "std": "Use tf.math.reduce_std(x).", "var": "Use tf.math.reduce_variance(x).",
    "name": "An eager tensor has no name; name the Variable that it is read from.",
    "graph": "An eager tensor belongs to no graph.", "op": "An eager tensor comes from no graph.",
    "assign": "A tensor is immutable; make a tf.Variable.",
}  # fmt: skip


@export("Tensor")
class Tensor(core.Tensor):
    """An immutable array that tapes can follow; made by `tf.constant` and every function of tf.

    Examples
    --------
    >>> import gradtape.tf as tf
    >>> tf.constant([1.0, 2.0]) * 2
    <tf.Tensor: shape=(2,), dtype=float32, numpy=array([2., 4.], dtype=float32)>
    """

    __slots__ = ()
    __array_priority__ = 100

    def __init__(self, *_: Any, **__: Any) -> None:
        raise DTypeError(
            three_part(
                "tf.Tensor cannot be made by calling the class.",
                "TensorFlow's cannot either.",
                "Use tf.constant([1.0, 2.0]) or tf.convert_to_tensor(x).",
            )
        )

    # ------------------------------------------------------------------ what it is

    @property  # type: ignore[misc]
    def dtype(self) -> DType:  # type: ignore[override]
        return BY_CHAR[self.value.dtype.char]

    @property  # type: ignore[misc]
    def shape(self) -> TensorShape:  # type: ignore[override]
        return shape_of(self.value.shape)

    @property
    def ndim(self) -> int:
        ndim: int = self.value.ndim
        return ndim

    def get_shape(self) -> TensorShape:
        return shape_of(self.value.shape)

    def set_shape(self, shape: Any) -> None:
        """Check that this tensor has `shape`."""
        if not self.shape.is_compatible_with(shape):
            raise RefusedValue(
                three_part(
                    f"Tensor's shape {self.shape} is not compatible with supplied shape "
                    f"{TensorShape(shape)}.",
                    "An eager tensor has its shape; set_shape cannot change it.",
                    "Use tf.reshape(x, shape).",
                )
            )

    @property
    def device(self) -> str:
        return DEVICE

    backing_device = device

    def cpu(self) -> Tensor:
        return self

    def ref(self) -> Reference:
        """A hashable stand-in that compares by identity, for use as a dictionary key."""
        return Reference(self)

    experimental_ref = ref

    def __tf_tensor__(self, dtype: Any = None, name: Any = None) -> Tensor:
        from .promotion import convert

        return convert(self, dtype)

    # ------------------------------------------------------------------ reading out

    def numpy(self) -> Any:
        """The value as an array of one's own (a NumPy scalar for 0-d); the tape ends here."""
        note_exit(self, "numpy()")
        value = self.value
        if type(value) is not ndarray:
            return value
        return value.copy() if value.ndim else value[()]

    def _numpy(self) -> Any:
        return self.value

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        note_exit(self, "numpy.asarray")
        array = np.array(self.value, dtype=dtype)
        if dtype is None and not copy:  # a write would not reach the tensor
            array.flags.writeable = False
        return array

    def __float__(self) -> float:
        return float(self._number(float))

    def __int__(self) -> int:
        return int(self._number(int))

    def __complex__(self) -> complex:
        return complex(self._number(complex))

    def _number(self, kind: Any) -> Any:
        value = self.value
        if value.ndim:
            raise RefusedType(
                three_part(
                    "only 0-dimensional arrays can be converted to Python scalars.",
                    f"This tensor has shape {self.shape}.",
                    "Choose an element, x[0], or reduce it: tf.reduce_sum(x).",
                )
            )
        result = kind(value)
        note_exit(self, kind.__name__, result)
        return result

    def __index__(self) -> int:
        if self.value.dtype.kind not in "iu" or self.value.ndim:
            raise RefusedType(
                three_part(
                    f"a tensor of dtype {self.dtype.name} and shape {self.shape} is no index.",
                    "An index is one integer.",
                    "Cast it: int(x).",
                )
            )
        return operator.index(self.value)

    def __bool__(self) -> bool:
        value = self.value
        if value.size > 1:
            raise RefusedValue(
                three_part(
                    "The truth value of an array with more than one element is ambiguous.",
                    f"This tensor has shape {self.shape}.",
                    "Use tf.reduce_any(x) or tf.reduce_all(x).",
                )
            )
        return bool(value) if value.size else False

    def __len__(self) -> int:
        if not self.value.ndim:
            raise RefusedType(
                three_part(
                    "Scalar tensor has no `len()`.", "It holds one number.", "Use tf.size(x)."
                )
            )
        return len(self.value)

    def __iter__(self) -> Any:
        if not self.value.ndim:
            raise RefusedType(
                three_part(
                    "Cannot iterate over a scalar tensor.",
                    "It holds one number.",
                    "Use the tensor itself, or tf.reshape(x, [-1]).",
                )
            )
        return (self[i] for i in range(len(self.value)))

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise RefusedType(
            three_part(
                "'tf.Tensor' object does not support item assignment.",
                "Tensors are immutable.",
                "Use tf.tensor_scatter_nd_update(x, indices, updates), or a tf.Variable: "
                "v[i].assign(value).",
            )
        )

    def __delitem__(self, index: Any) -> NoReturn:
        raise RefusedType(
            three_part(
                "'tf.Tensor' object does not support item deletion.",
                "Tensors are immutable.",
                "Take what is left: tf.concat([x[:i], x[i + 1:]], 0).",
            )
        )

    def __hash__(self) -> int:
        raise RefusedType(
            three_part(
                "Tensor is unhashable. Instead, use tensor.ref() as the key.",
                "== compares elements, so a tensor cannot be looked up.",
                "Write d[x.ref()], and k.deref() for the tensor.",
            )
        )

    # ------------------------------------------------------------------ showing

    _repr_html_: Any = None  # a notebook shows the text, as with TensorFlow

    def __repr__(self) -> str:
        value = self.value
        shown = repr(value[()] if value.ndim == 0 and type(value) is ndarray else value)
        if value.ndim == 0:
            shown = _scalar_repr(value)
        newline = "\n" if "\n" in shown else ""
        return f"<tf.Tensor: shape={self.shape}, dtype={self.dtype.name}, numpy={newline}{shown}>"

    def __str__(self) -> str:
        value = self.value
        newline = "\n" if "\n" in str(value) else ""
        text = _scalar_text(value) if value.ndim == 0 else str(value)
        return f"tf.Tensor({newline}{text}, shape={self.shape}, dtype={self.dtype.name})"

    def __format__(self, spec: str) -> str:
        value = self.value
        return format(value[()] if type(value) is ndarray and not value.ndim else value, spec)

    # ------------------------------------------------------------------ copying

    def __copy__(self) -> Tensor:
        return make(self.value, self.key, self.why)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        return make(core.settled(np.array(self.value)))

    def __reduce__(self) -> Any:
        return _rebuild, (np.array(self.value),)

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name not in _HIDDEN]


def _rebuild(value: Any) -> Tensor:
    return make(core.settled(value))


def _scalar_repr(value: Any) -> str:
    """A number with all the digits of its value, as TensorFlow's repr shows it."""
    return format(value[()]) if value.dtype.kind != "O" else repr(value[()])


def _scalar_text(value: Any) -> str:
    return str(value) if value.dtype.kind != "O" else repr(value[()])


_HIDDEN = frozenset(
    {name for name in vars(ArrayMethods) if not name.startswith("_")}
    | {"is_watched", "size", "name", "graph", "op"}
    | {"__array_ufunc__", "__array_function__", "__array_namespace__", "__pandas_priority__"}
    | {f"__{r}{name}__" for r in ("", "r", "i") for name in ("lshift", "rshift")}
    | {"__divmod__", "__rdivmod__"}
    | {"__pos__", "__round__"}
) - {"device"}  # fmt: skip
for _name in _HIDDEN:
    if _name.startswith("__"):
        # None is Python's way to say that there is no such operator
        _has_no = _Hidden(_name) if "array" in _name or "pandas" in _name else None
        setattr(Tensor, _name, _has_no)
    else:
        setattr(Tensor, _name, _Hidden(_name))

Tensor.__name__ = Tensor.__qualname__ = "EagerTensor"  # what scripts see of type(x)
_new = Tensor.__new__
_UNKNOWN = frozenset([Symbol, Dual, Batch])  # what stands for numbers in a trace or a transform


class Traced(Tensor):
    """A tensor inside a compiled function or a transform: the fast path does not know its class."""

    __slots__ = ()

    def numpy(self) -> Any:
        """No numbers: TracingError."""
        return np.asarray(self.value)

    _numpy = numpy

    def __repr__(self) -> str:
        return f"<tf.Tensor {self.value!r} shape={self.shape} dtype={self.dtype.name}>"

    def __str__(self) -> str:
        return repr(self)

    def __format__(self, spec: str) -> str:
        return format(self.value.item(), spec) if spec else repr(self)  # no number: TracingError

    def __hash__(self) -> int:
        return Tensor.__hash__(self)


Traced.__name__ = Traced.__qualname__ = "SymbolicTensor"


class Bfloat16InProgram(TracingError):
    """A compiled function meets bfloat16: it runs eagerly."""


def _unknown(value: Any) -> type[Tensor]:
    if type(value) is Symbol and value.dtype.char == BFLOAT16:
        raise Bfloat16InProgram(
            three_part(
                "bfloat16 is not compiled.",
                "Its operations are rounded step by step, as TensorFlow rounds them.",
                "Cast it: tf.cast(x, tf.float32).",
            )
        )
    return Traced


def make(value: Any, key: int = 0, why: Any = None) -> Tensor:
    """A tf.Tensor around `value`, without a copy and without a look at it."""
    out = _new(Tensor if type(value) not in _UNKNOWN else _unknown(value))
    out.value = value
    out.key = key
    out.why = why
    return out


def adopt(result: Any) -> Any:
    """A result of the core as the dialect's: every Tensor in it becomes a tf.Tensor."""
    kind = type(result)
    if kind is core.Tensor:
        result.__class__ = Tensor
        return result
    if isinstance(result, core.Tensor):
        known = kind is Tensor or kind is Traced
        return result if known else make(result.read(), result.key, result.why)
    if kind is tuple or kind is list:
        return kind(map(adopt, result))
    if isinstance(result, tuple) and hasattr(result, "_fields"):
        return kind(*map(adopt, result))
    if kind is dict:
        return {name: adopt(value) for name, value in result.items()}
    return result


class Reference:
    """Identity of a Tensor or Variable, hashable."""

    __slots__ = ("_object",)

    def __init__(self, object: Any) -> None:
        self._object = object

    def deref(self) -> Any:
        """The Tensor or Variable."""
        return self._object

    def _identity(self) -> int:
        return id(getattr(self._object, "held", self._object))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Reference):
            raise RefusedType(
                three_part(
                    f"Cannot compare a reference to a tensor with {other!r:.60}.",
                    "It tells one tensor from another.",
                    "Compare with another reference: x.ref() == y.ref().",
                )
            )
        return self._identity() == other._identity()

    def __hash__(self) -> int:
        return self._identity()

    def __repr__(self) -> str:
        return f"<Reference wrapping {self._object!r}>"
