"""Variable: a value with a name that stays the same while its contents are assigned.

A Variable has one key for life. Each read gives its value of that moment to the tape, so the
gradient with respect to a Variable is the sum over its reads, and an assignment never changes
what a tape has already read.
"""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np

from ..errors import DTypeError, GradientWarning, ShapeError, three_part
from .aval import Aval, is_differentiable
from .buffers import owns
from .positions import decode, here
from .state import Recorder, next_key, state
from .tensor import Tensor, _getrefcount, new_tensor, raw, settled, writable_value

_counter = itertools.count().__next__


class Variable(Tensor):
    """A trainable value: read inside a tape it is watched, and it can be assigned.

    Parameters
    ----------
    initial_value : array_like
        Copied. Any shape; floating or complex for a gradient.
    trainable : bool
        Whether tapes watch it by themselves.
    name : str, optional
        Used in messages; `Variable:0`, `Variable:1`, ... otherwise.
    dtype : dtype, optional
        The dtype to hold; by default that of the initial value.

    Raises
    ------
    DTypeError
        If the value cannot be an array of numbers.

    Examples
    --------
    >>> import gradtape as gt
    >>> w = gt.Variable([1.0, 2.0], name="w")
    >>> with gt.GradientTape() as tape:
    ...     loss = (w * w).sum()
    >>> w -= 0.1 * tape.gradient(loss, w)
    >>> w
    Variable('w', [0.8, 1.6], shape=(2,), dtype=float64)
    """

    __slots__ = ("auto", "name", "order", "position", "trainable")

    def __init__(
        self,
        initial_value: Any,
        trainable: bool = True,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        value = np.array(raw(initial_value), dtype=dtype)
        if value.dtype.kind not in "fciub":
            raise DTypeError(
                three_part(
                    f"Variable: the initial value has dtype {value.dtype}.",
                    "A Variable holds numbers.",
                    "Pass a float, or an array with dtype=float: gt.Variable(0.0).",
                )
            )
        self.value = settled(value)
        self.key = next_key()
        self.why = None
        self.trainable = trainable
        self.auto = trainable and is_differentiable(value.dtype)  # watched when read
        self.order = _counter()
        self.name = name if name is not None else f"Variable:{self.order}"
        self.position = here()
        if trainable and not is_differentiable(value.dtype):
            warnings.warn(
                three_part(
                    f"Variable {self.name!r} holds {value.dtype}, which has no gradient.",
                    f"It was made from {initial_value!r} at {decode(*self.position)}.",
                    "Write 0.0 in place of 0, or pass dtype=float; "
                    "for a counter pass trainable=False.",
                ),
                GradientWarning,
                stacklevel=2,
            )

    # ------------------------------------------------------------------ reading

    def read(self) -> Any:
        for tape in state.tapes:
            self.read_by(tape)
        return self.value

    def read_by(self, tape: Recorder) -> None:
        """Let `tape` follow this Variable from now on, if it watches what is read."""
        key = self.key
        if key not in tape.leaves and tape.auto_watch:
            if self.auto:
                tape.leaves[key] = self
                tape.tracked.add(key)
            elif self.trainable:
                tape.late[key] = ("integer", None, None, key, str(self.value.dtype))

    def read_value(self) -> Tensor:
        """The present value as a Tensor; a tape sees it as a read."""
        if self.value.dtype == bool:
            return new_tensor(self.read(), self.key)
        result: Any = np.positive(self)
        return result  # type: ignore[no-any-return]

    def ref(self) -> Ref:
        """A hashable stand-in that compares by identity, for use as a dictionary key.

        >>> import gradtape as gt
        >>> w = gt.Variable(1.0)
        >>> {w.ref(): "slot"}[w.ref()]
        'slot'
        """
        return Ref(self)

    # ------------------------------------------------------------------ assigning

    def assign(self, value: Any) -> Variable:
        """Hold `value` from now on; what tapes have read stays as it was read.

        `value` broadcasts to the Variable's shape and is cast to its dtype when that loses no
        kind (a complex value into a real Variable raises).
        """
        self._store("assign", value, None)
        return self

    def assign_add(self, delta: Any) -> Variable:
        """Add `delta` to the value."""
        old = self.value
        if type(old) is not np.ndarray and type(delta) is Tensor and not delta.key:
            new = old + delta.value
            if type(new) is type(old):
                self.value = new
                return self
        del old  # so that _store sees whether anything else refers to it
        self._store("assign_add", delta, np.add)
        return self

    def assign_sub(self, delta: Any) -> Variable:
        """Subtract `delta` from the value."""
        old = self.value
        if type(old) is not np.ndarray and type(delta) is Tensor and not delta.key:
            new = old - delta.value  # the 0-d update of a training step, without detours
            if type(new) is type(old):
                self.value = new
                return self
        del old  # so that _store sees whether anything else refers to it
        self._store("assign_sub", delta, np.subtract)
        return self

    def _store(self, operation: str, value: Any, ufunc: Any) -> None:
        # state.tapes are not told: an assigned value is not connected to what it came from,
        # as in TensorFlow; `why` lets an explanation say so.
        if isinstance(value, Tensor):
            if value.key:
                self.why = ("assigned", *here(3), value.key, operation)
            value = value.value if type(value) is Tensor else value.read()
        old = self.value
        if type(old) is not np.ndarray:
            new = value if ufunc is None else ufunc(old, value)
            if type(new) is not type(old):
                new = self._fit(operation, new)
            self.value = new
        elif ufunc is None:
            fitted = self._fit(operation, value)
            self.value = new = np.empty_like(old)  # of its memory layout, whatever the value's is
            new[...] = fitted
        else:
            self._fit(operation, value)
            del old
            current = self.value
            if owns(current) and _getrefcount(current) == _SOLE_LOCAL:
                ufunc(current, value, out=current, casting="same_kind")
            else:
                self.value = ufunc(
                    current,
                    value,
                    out=np.empty_like(current),
                    dtype=current.dtype,
                    casting="same_kind",
                )

    def _fit(self, operation: str, value: Any, slot: Any = None) -> Any:
        """`value` in the dtype of the Variable, if it fits its shape (or that of `slot`)."""
        shape, dtype = (self.value if slot is None else slot).shape, self.value.dtype
        array = np.asarray(value)
        if array.dtype.kind not in "fciub" or not (
            np.can_cast(array.dtype, dtype, "same_kind") or array.dtype.kind in "iub"
        ):
            raise DTypeError(
                three_part(
                    f"{operation}: {array.dtype} does not fit Variable {self.name!r} of {dtype}.",
                    f"The Variable was made at {decode(*self.position)}.",
                    "Assign a real number, or make the Variable with dtype=complex.",
                )
            )
        try:
            fits = np.broadcast_shapes(array.shape, shape) == shape
        except ValueError:
            fits = False
        if not fits:
            raise ShapeError(
                three_part(
                    f"{operation}: shape {array.shape} does not fit {shape} of {self.name!r}.",
                    f"The Variable was made at {decode(*self.position)}.",
                    "Reshape the value, or make a new Variable of that shape.",
                )
            )
        array = array.astype(dtype, copy=False)
        return array[()] if not shape else array

    def __iadd__(self, other: Any) -> Variable:
        return self.assign_add(other)

    def __isub__(self, other: Any) -> Variable:
        return self.assign_sub(other)

    def __imul__(self, other: Any) -> Variable:
        self._store("assign (*=)", other, np.multiply)
        return self

    def __itruediv__(self, other: Any) -> Variable:
        self._store("assign (/=)", other, np.divide)
        return self

    def become(self, other: Tensor) -> None:
        self._store("assign", other, None)

    def assign_at(self, index: Any, value: Any, ufunc: Any = None) -> Variable:
        """Assign a slice: `w[index] = value`, or `ufunc(w[index], value)`."""
        if isinstance(value, Tensor) and value.key:
            self.why = ("assigned", *here(), value.key, "assignment to a slice")
        value = np.asarray(raw(value))
        whole = np.array(self.value) if type(self.value) is not np.ndarray else self.value
        slot = Aval(whole[index].shape, whole.dtype)
        value = self._fit(f"assignment to {self.name}[{index!r}]", value, slot)
        del whole
        if type(self.value) is np.ndarray:
            buffer = writable_value(self)
            buffer[index] = value if ufunc is None else ufunc(buffer[index], value)
        else:
            self.value = self.value.dtype.type(value if ufunc is None else ufunc(self.value, value))
        return self

    # ------------------------------------------------------------------ showing and copying

    def __repr__(self) -> str:
        value = self.value
        head = f"Variable({self.name!r}, "
        text = np.array2string(np.asarray(value), separator=", ", prefix=head)
        trainable = "" if self.trainable else ", trainable=False"
        return f"{head}{text}, shape={value.shape}, dtype={value.dtype}{trainable})"

    def __str__(self) -> str:
        return str(self.value)

    def __format__(self, spec: str) -> str:
        return format(self.value, spec) if spec else str(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Variable:
        return Variable(self.value, self.trainable, self.name)

    def __copy__(self) -> Variable:
        return Variable(self.value, self.trainable, self.name)

    def __reduce__(self) -> Any:
        return Variable, (np.array(self.value), self.trainable, self.name)


class VariableSlice(Tensor):
    """What `w[index]` gives of a Variable: its value, and the way to assign that part.

    Examples
    --------
    >>> import gradtape as gt
    >>> w = gt.Variable([1.0, 2.0, 3.0], name="w")
    >>> w[1:].assign_sub([1.0, 1.0])
    Variable('w', [1., 1., 2.], shape=(3,), dtype=float64)
    """

    __slots__ = ("index", "variable")

    variable: Variable
    index: Any

    def assign(self, value: Any) -> Variable:
        """Assign this part of the Variable, which is returned."""
        return self.variable.assign_at(self.index, value)

    def assign_add(self, delta: Any) -> Variable:
        """Add to this part of the Variable, which is returned."""
        return self.variable.assign_at(self.index, delta, np.add)

    def assign_sub(self, delta: Any) -> Variable:
        """Subtract from this part of the Variable, which is returned."""
        return self.variable.assign_at(self.index, delta, np.subtract)


def slice_of(variable: Variable, index: Any, part: Tensor) -> VariableSlice:
    """`part`, which was read at `index` of `variable`, as a VariableSlice."""
    out = VariableSlice.__new__(VariableSlice)
    out.value, out.key, out.why = part.value, part.key, part.why
    out.variable, out.index = variable, index
    return out


class Ref:
    """Identity of a Variable, hashable."""

    __slots__ = ("_variable",)

    def __init__(self, variable: Variable) -> None:
        self._variable = variable

    def deref(self) -> Variable:
        """The Variable."""
        return self._variable

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ref) and other._variable is self._variable

    def __hash__(self) -> int:
        return id(self._variable)

    def __repr__(self) -> str:
        return f"Ref({self._variable.name!r})"


def _calibrate() -> int:
    holder = new_tensor(np.zeros(2))
    current = holder.value
    return _getrefcount(current) if current is not None else 0


_SOLE_LOCAL = _calibrate()
