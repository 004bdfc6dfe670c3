"""Variable: a value with a name that stays the same while its contents are assigned.

A Variable has one key for life. Each read gives its value of that moment to the tape, so the
gradient with respect to a Variable is the sum over its reads, and an assignment never changes
what a tape has already read.

What is read of it (`w[0]`, `w.T`) is a value: later assignments do not show in it. A write to it,
where NumPy's is a view, is an assignment of that part of the Variable too.
"""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np

from ..errors import DTypeError, GradientWarning, ShapeError, StaleViewError, three_part
from .aval import INEXACT, Aval, is_differentiable
from .buffers import owns
from .observing import store, tell_assigned
from .positions import decode, here, user_frame
from .refusals import LOWER, door, refuse
from .registry import HOOKS
from .state import Recorder, next_key, state, traces
from .tensor import (
    Tensor,
    View,
    _getrefcount,
    new_tensor,
    raw,
    read_only,
    settled,
    writable_value,
)

_counter = itertools.count().__next__


class Variable(Tensor):
    """A trainable value: read inside a tape it is watched, and it can be assigned.

    What is read of it (`w[0]`, `w.T`, `for row in w`) is a `VariableSlice`: later assignments do
    not show in it, and a write to it assigns that part of the Variable where NumPy's is a view.

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
        with door("Variable", initial_value, dtype):
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
        if isinstance(initial_value, Tensor) and initial_value.key:
            self.why = ("assigned", *self.position, initial_value.key, "gt.Variable")
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
        tapes = state.tapes
        if tapes:
            for tape in tapes:
                self.read_by(tape)
            if tapes[0].is_trace:
                return tapes[0].variable(self)  # type: ignore[attr-defined]
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
                if not traces:
                    self.value = new
                    return self
                if store(self, new):
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
                if not traces:
                    self.value = new
                    return self
                if store(self, new):
                    return self
        del old  # so that _store sees whether anything else refers to it
        self._store("assign_sub", delta, np.subtract)
        return self

    def _store(self, operation: str, value: Any, ufunc: Any) -> None:
        # state.tapes are not told: an assigned value is not connected to what it came from,
        # as in TensorFlow; `why` lets an explanation say so.
        if hasattr(value, "dense_shape"):  # IndexedSlices
            if ufunc is not None and self._store_rows(operation, value, ufunc):
                return
            value = value.dense()
        if traces and state.tapes and state.tapes[0].is_trace:
            state.tapes[0].assign(  # type: ignore[attr-defined]
                self, operation, value, ufunc
            )
            return
        if isinstance(value, Tensor):
            if value.key:
                self.why = ("assigned", *here(3), value.key, operation)
            value = value.value if type(value) is Tensor else value.read()
        old = self.value
        if type(old) is not np.ndarray:
            try:
                new = value if ufunc is None else ufunc(old, value)
            except LOWER as error:
                self._fit(operation, value)  # knows more of what does not fit
                refuse(error, operation, (self, value))
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
        if traces:
            tell_assigned(self)

    def _store_rows(self, operation: str, rows: Any, ufunc: Any) -> bool:
        """Change the rows that are named and no others; False where that is not all to be done."""
        values, index = rows.values, rows.indices
        if ufunc not in (np.add, np.subtract) or (traces and state.tapes):
            return False
        if isinstance(values, Tensor) and values.key:
            self.why = ("assigned", *here(4), values.key, operation)
        values, index = np.asarray(raw(values)), np.asarray(raw(index))
        current = self.value
        if type(current) is not np.ndarray or rows.lengths() != current.shape:
            return False
        if not np.can_cast(values.dtype, current.dtype, "same_kind"):
            return False
        if not (owns(current) and _getrefcount(current) == _SOLE_LOCAL):
            current = current.copy()
        ufunc.at(current, index, values)
        self.value = current
        if traces:
            tell_assigned(self)
        return True

    def check_fit(self, operation: str, value: Any) -> None:
        """Raise if `value` cannot be assigned."""
        self._fit(operation, value)

    def _fit(self, operation: str, value: Any, slot: Any = None) -> Any:
        """`value` in the dtype of the Variable, if it fits its shape (or that of `slot`)."""
        shape, dtype = (self.value if slot is None else slot).shape, self.value.dtype
        if state.levels and hasattr(value, "leave"):  # a batch does not fit, a tangent is told
            value = value.leave(operation)
        with door(operation, value):
            array = np.asarray(value)
        if (array.dtype.kind not in "fciub" and array.dtype.char not in INEXACT) or not (
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
        if state.tapes and state.tapes[0].is_trace:
            now = new_tensor(self.read())
            value = value if ufunc is None else ufunc(now[index], value)
            HOOKS["store"](now, index, value)
            self._store(f"assignment to {self.name}[{index!r}]", now, None)
            return self
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
        if traces:
            tell_assigned(self)
        return self

    # ------------------------------------------------------------------ showing and copying

    def __repr__(self) -> str:
        value = self.value
        head = f"Variable({self.name!r}, "
        text = np.array2string(np.asarray(value), separator=", ", prefix=head)
        trainable = "" if self.trainable else ", trainable=False"
        return f"{head}{text}, shape={value.shape}, dtype={value.dtype}{trainable})"

    def _repr_html_(self) -> str:
        from .display import as_html

        return as_html(f"Variable {self.name!r}", self.value)

    def __str__(self) -> str:
        return str(self.value)

    def __format__(self, spec: str) -> str:
        return self._formatted(self.value, spec)

    def __deepcopy__(self, memo: dict[int, Any]) -> Variable:
        return self.__copy__()

    def __copy__(self) -> Variable:
        copied = Variable(self.value, self.trainable, self.name)
        from .places import frame_of_user

        frame, _ = frame_of_user(user_frame())  # not the line of copy.copy
        copied.position = (frame.f_code, frame.f_lasti)
        copied.why = ("assigned", *copied.position, self.key, "copying")
        return copied

    def __reduce__(self) -> Any:
        return Variable, (np.array(self.value), self.trainable, self.name)


class VariableSlice(View):
    """What is read of a Variable (`w[index]`, `w.T`, ...), and the way to assign that part.

    It shows the value that was read: later assignments of the Variable do not change it. Where
    NumPy gives a view, a write to it (`w[0][1] = 7`, `w.T[...] = 0`, `v = w[0]; v += 1`) assigns
    that part of the Variable as well. As with every assignment, what tapes have read before stays
    as it was read, and the Variable is not connected to what the value came from.

    Raises
    ------
    StaleViewError
        At a write, if that part of the Variable has been assigned since it was read.

    Examples
    --------
    >>> import gradtape as gt
    >>> w = gt.Variable([1.0, 2.0, 3.0], name="w")
    >>> w[1:].assign_sub([1.0, 1.0])
    Variable('w', [1., 1., 2.], shape=(3,), dtype=float64)
    >>> part = w[1:]
    >>> part *= 10.0
    >>> w
    Variable('w', [ 1., 10., 20.], shape=(3,), dtype=float64)
    """

    # `card` is None where NumPy copies (`w[[0, 1]]`) or gives a number (`w[0]`): no view.
    __slots__ = ()

    @property
    def variable(self) -> Variable:
        """The Variable that was read."""
        variable: Variable = self.base_tensor  # type: ignore[assignment]
        return variable

    def read(self) -> Any:
        return self.value

    def assign(self, value: Any) -> Variable:
        """Assign this part of the Variable, which is returned."""
        return self._assign(value, None)

    def assign_add(self, delta: Any) -> Variable:
        """Add to this part of the Variable, which is returned."""
        return self._assign(delta, np.add)

    def assign_sub(self, delta: Any) -> Variable:
        """Subtract from this part of the Variable, which is returned."""
        return self._assign(delta, np.subtract)

    def _assign(self, value: Any, ufunc: Any) -> Variable:
        variable = self.variable
        if "index" in self.params:
            return variable.assign_at(self.params["index"], value, ufunc)
        if self.card.unview is read_only:
            read_only(variable, self, **self.params)
        part = np.array(self._present())
        if isinstance(value, Tensor) and value.key:
            variable.why = ("assigned", *here(), value.key, "assignment to a view")
        value = variable._fit(f"assignment to a view of {variable.name}", raw(value), part)
        part[...] = value if ufunc is None else ufunc(part, value)
        self._put(part)
        return variable

    def _present(self) -> Any:
        """The part of the Variable that is shown, as it is now."""
        return self.card.impl(self.base_tensor.value, **self.params)

    def _put(self, part: Any) -> None:
        """Assign `part`, of the right shape and dtype, to this part of the Variable."""
        variable = self.variable
        old = variable.value
        if type(old) is not np.ndarray:  # every view of one number has one element
            variable.assign(part.reshape(()))
        elif "index" in self.params:
            del old  # so that assign_at sees whether anything else refers to it
            variable.assign_at(self.params["index"], part)
        else:
            base = new_tensor(old)
            updated = self.card.unview(base, new_tensor(part), **self.params)
            variable.assign(base.value if updated is None else updated.value)

    # ------------------------------------------------------------------ writing through

    def become(self, other: Tensor) -> None:
        if self.card is None:
            Tensor.become(self, other)
        else:
            super().become(other)

    def check_writable(self) -> None:
        """Raise if NumPy's view is read-only, or if this part has been assigned since."""
        if self.card is None:
            return
        variable = self.variable
        if self.card.unview is read_only:
            read_only(variable, self, **self.params)
        if self.value.base is variable.value or np.array_equal(
            self.value, self._present(), equal_nan=True
        ):
            return
        raise StaleViewError(
            three_part(
                f"A view of shape {self.value.shape} of Variable {variable.name!r} is written, "
                "but that part of the Variable has been assigned since it was read.",
                f"Written at {decode(*here())}; a view of a Variable shows what was read, so the "
                "write would undo the assignment.",
                "Read it again for the write (v = w[0]; v += 1), or assign the part: "
                "w[0].assign_add(1.0), w[0, 1] = 7.0; for a value of your own: v = w[0].copy().",
            )
        )

    def write_through(self) -> None:
        """Assign this part of the Variable, after a write to this view of it."""
        if self.card is None:
            return
        if self.key:
            self.variable.why = ("assigned", *here(), self.key, "a write through a view")
        self._put(self.value)
        self.value = self._present()  # in the memory layout of a view again


def slice_of(
    variable: Variable, value: Any, key: int, why: Any, card: Any, params: dict[str, Any]
) -> VariableSlice:
    """`value`, which was read from `variable`; `card` is None where it is no view of it."""
    out = VariableSlice.__new__(VariableSlice)
    out.value, out.key, out.why = value, key, why
    out.base_tensor, out.card, out.params = variable, card, params
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
