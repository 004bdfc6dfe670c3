"""tf.Variable: holds a Variable of the core, and has TensorFlow's face.

Composition and not inheritance, because TensorFlow's `v.value()` is a method where the core has
an attribute. The held one carries the key, so a tape follows it and never this object; several
objects can show the same one (`assign` returns another, as TensorFlow's does).
"""

from __future__ import annotations

import weakref
from typing import Any, NoReturn

import numpy as np

from ...core import tensor as core
from ...core import variable as core_variable
from ...core.aval import is_differentiable
from ...core.exits import note_exit
from ...core.positions import decode, here
from ...core.state import next_key
from ...errors import three_part
from .dtypes import BY_CHAR, DType
from .errors import RefusedState, RefusedType, RefusedValue, invalid
from .names import export
from .shapes import TensorShape, shape_of
from .tensors import DEVICE, Reference, Tensor, _scalar_repr, make

ndarray = np.ndarray


class Held(core_variable.Variable):
    """The core's Variable behind a tf.Variable."""

    __slots__ = ("owner",)

    owner: Any

    def __init__(self, value: Any, trainable: bool, name: str) -> None:
        self.value = value
        self.key = next_key()
        self.why = None
        self.trainable = trainable
        self.auto = trainable and is_differentiable(value.dtype)
        self.order = core_variable._counter()
        self.name = name
        self.position = here()

    def shown(self) -> Variable:
        """The tf.Variable that the user made; another one for it where that is gone."""
        owner: Variable | None = self.owner()
        return owner if owner is not None else _wrap(self)


@export("Variable")
class Variable:
    """A value that can be assigned, and that tapes watch when it is read.

    Parameters
    ----------
    initial_value : array_like or callable
        Called if it is a function.
    trainable : bool
        Whether tapes watch it by themselves.
    dtype : tf.DType, optional
        The dtype to convert the initial value to.
    shape : tf.TensorShape, optional
        What later values must fit; the shape of the initial value by default.

    Examples
    --------
    >>> import gradtape.tf as tf
    >>> tf.Variable(0, dtype=tf.float32)
    <tf.Variable 'Variable:0' shape=() dtype=float32, numpy=0.0>
    """

    __slots__ = ("__dict__", "__weakref__", "_label", "held")

    __array_priority__ = 100

    held: Held

    def __init__(
        self,
        initial_value: Any = None,
        trainable: bool | None = None,
        validate_shape: bool = True,
        caching_device: Any = None,
        name: str | None = None,
        variable_def: Any = None,
        dtype: Any = None,
        import_scope: Any = None,
        constraint: Any = None,
        synchronization: Any = None,
        aggregation: Any = None,
        shape: Any = None,
        experimental_enable_variable_lifting: bool = True,
    ) -> None:
        from .graphs import no_new_variable
        from .promotion import convert
        from .scopes import scoped

        no_new_variable(name)
        if initial_value is None:
            raise RefusedValue(
                three_part(
                    "The `initial_value` arg to `tf.Variable` must be specified.",
                    f"tf.Variable was called at {decode(*here())} without one.",
                    "Pass it: tf.Variable(0.0).",
                )
            )
        if callable(initial_value) and not isinstance(initial_value, core.Tensor | Variable):
            initial_value = initial_value()
        value = convert(initial_value, dtype).value
        if shape is not None:
            self._lengths = TensorShape(shape)
            if not self._lengths.is_compatible_with(value.shape):
                raise RefusedValue(
                    three_part(
                        f"The initial value's shape {tuple(value.shape)} is not compatible with "
                        f"the explicitly supplied `shape` argument ({self._lengths}).",
                        f"tf.Variable was called at {decode(*here())}.",
                        "Leave shape out, or reshape the value.",
                    )
                )
        label = scoped(name or "Variable") + ":0"
        if type(value) is ndarray:
            value = value.copy()
        self.held = Held(value, trainable is not False, label)
        self.held.owner = weakref.ref(self)
        self._label = label
        if constraint is not None:
            self.constraint = constraint

    # ------------------------------------------------------------------ what it is

    constraint: Any = None
    device = DEVICE

    @property
    def name(self) -> str:
        return self.held.name

    @property
    def dtype(self) -> DType:
        return BY_CHAR[self.held.value.dtype.char]

    @property
    def shape(self) -> TensorShape:
        known = self.__dict__.get("_lengths")
        return shape_of(self.held.value.shape) if known is None else known

    @property
    def trainable(self) -> bool:
        return self.held.trainable

    def get_shape(self) -> TensorShape:
        return self.shape

    def is_initialized(self, name: Any = None) -> Tensor:
        return make(np.True_)

    def ref(self) -> Reference:
        """A hashable stand-in that compares by identity, for use as a dictionary key."""
        return Reference(self)

    experimental_ref = ref

    @property
    def initial_value(self) -> NoReturn:
        raise RefusedState(
            three_part(
                "initial_value: This property is not supported when eager execution is enabled.",
                "A Variable does not keep the value that it was made from.",
                "Keep it yourself: start = v.numpy().",
            )
        )

    # ------------------------------------------------------------------ reading

    def value(self) -> Tensor:
        """The present value as a Tensor; tapes that record see it as a read."""
        held = self.held
        return make(held.read(), held.key)

    read_value = value

    def __tf_tensor__(self, dtype: Any = None, name: Any = None) -> Tensor:
        from .promotion import convert

        return convert(self.value(), dtype)

    def numpy(self) -> Any:
        """The present value as an array of one's own."""
        note_exit(self.held, "numpy()")
        value = self.held.value
        return value.copy() if type(value) is ndarray and value.ndim else value[()]

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        note_exit(self.held, "numpy.asarray")
        return np.array(self.held.value, dtype=dtype)

    def __float__(self) -> float:
        return float(self.value())

    def __int__(self) -> int:
        return int(self.value())

    def __complex__(self) -> complex:
        return complex(self.value())

    def __bool__(self) -> bool:
        return bool(self.value())

    def __iter__(self) -> Any:
        return iter(self.value())

    def __getitem__(self, index: Any) -> Tensor:
        from .indexing import Part

        part: Tensor = Part.of(self, index)
        return part

    # ------------------------------------------------------------------ assigning

    def assign(
        self, value: Any, use_locking: bool = False, name: Any = None, read_value: bool = True
    ) -> Any:
        """Hold `value` from now on; what tapes have read stays as it was read."""
        held = self.held
        new = self._operand(value)
        known = self.__dict__.get("_lengths")
        if new.value.shape != held.value.shape and (
            known is None or not known.is_compatible_with(new.value.shape)
        ):
            raise RefusedValue(
                three_part(
                    f"Cannot assign value to variable '{self.name}': Shape mismatch. The variable "
                    f"shape {self.shape}, and the assigned value shape {new.shape} are "
                    "incompatible.",
                    f"The Variable was made at {decode(*held.position)}.",
                    "Reshape the value, or make the Variable with shape=tf.TensorShape(None).",
                )
            )
        if new.value.shape != held.value.shape:
            held.value = new.value
        else:
            held.assign(core.new_traced(new.value, new.key, new.why))
        return _unread(self) if read_value else None

    def assign_add(
        self, delta: Any, use_locking: bool = False, name: Any = None, read_value: bool = True
    ) -> Any:
        """Add `delta`, which has the shape of the Variable."""
        self.held.assign_add(self._delta(delta))
        return _unread(self) if read_value else None

    def assign_sub(
        self, delta: Any, use_locking: bool = False, name: Any = None, read_value: bool = True
    ) -> Any:
        """Subtract `delta`, which has the shape of the Variable."""
        self.held.assign_sub(self._delta(delta))
        return _unread(self) if read_value else None

    def _delta(self, delta: Any) -> core.Tensor:
        held = self.held
        t = self._operand(delta)
        if t.value.shape != held.value.shape:
            raise invalid(
                f"Cannot update variable with shape {held.value.shape} using a Tensor with shape "
                f"{t.value.shape}, shapes must be equal.",
                f"The Variable {self.name!r} was made at {decode(*held.position)}.",
                f"Bring it to that shape: tf.broadcast_to(x, {list(held.value.shape)}), or "
                "tf.reshape.",
            )
        return core.new_traced(t.value, t.key, t.why)

    def _operand(self, value: Any) -> Tensor:
        if type(value) is Tensor and value.value.dtype is self.held.value.dtype:
            return value
        from .promotion import convert

        return convert(value, self.held.value.dtype)

    # ------------------------------------------------------------------ as an object

    def __hash__(self) -> int:
        raise RefusedType(
            three_part(
                "Variable is unhashable. Instead, use variable.ref() as the key.",
                f"== compares elements, so {self!r:.100} cannot be looked up.",
                "Write d[v.ref()], and k.deref() for the Variable.",
            )
        )

    def __repr__(self) -> str:
        value = self.held.value
        shown = repr(value) if value.ndim else _scalar_repr(value)
        newline = "\n" if "\n" in shown else ""
        return (
            f"<tf.Variable '{self._label}' shape={self.shape} dtype={self.dtype.name}, "
            f"numpy={newline}{shown}>"
        )

    def __format__(self, spec: str) -> str:
        if spec:
            raise RefusedType(
                three_part(
                    "unsupported format string passed to Variable.__format__.",
                    f"A Variable is shown as a whole; {spec!r} formats a number.",
                    "Format its value: f'{float(v):.2f}' or f'{v.numpy():.2f}'.",
                )
            )
        return repr(self)

    def __copy__(self) -> Variable:
        return self.__deepcopy__({})

    def __deepcopy__(self, memo: dict[int, Any]) -> Variable:
        copy = Variable(np.array(self.held.value), self.trainable)
        copy.held.name = copy._label = self.name
        memo[id(self)] = copy
        return copy

    def __reduce__(self) -> Any:
        return _rebuild, (np.array(self.held.value), self.trainable, self.name)


Variable.__name__ = Variable.__qualname__ = "ResourceVariable"  # what scripts see of type(v)


def _wrap(held: Held, label: str | None = None) -> Variable:
    out = Variable.__new__(Variable)
    out.held = held
    out._label = held.name if label is None else label
    return out


def _unread(variable: Variable) -> Variable:
    """What an assignment returns: another object that shows the same Variable."""
    out = _wrap(variable.held, "UnreadVariable")
    if "_lengths" in variable.__dict__:
        out._lengths = variable._lengths
    return out


def _rebuild(value: Any, trainable: bool, name: str) -> Variable:
    out = Variable(value, trainable)
    out.held.name = out._label = name
    return out
