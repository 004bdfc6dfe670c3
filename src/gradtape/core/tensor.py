"""Tensor: a wrapper around a NumPy value, with a key that tapes can follow.

This file is the only place that knows Tensor is a wrapper. The array methods (`x.sum()`, ...) are
in `methods.py`; the operators (`x + y`, `x[i]`) are bound by the op files, because they take the
direct path to their cards.

Writing. `x[i] = v` and `x += v` make a new version of `x`: a new key. The buffer is written in
place only when nothing else refers to it (no record, view or array of the user's), which the
reference count tells; otherwise it is copied first. So what a record keeps never changes. Whatever
is written, the Tensor keeps its strides, as NumPy's buffer does: they decide whether a later
`ravel` or `reshape` is a view.
"""

from __future__ import annotations

import operator
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DTypeError, StaleViewError, three_part
from .aval import Aval
from .buffers import Buffer, owns
from .exits import note_exit
from .lift import Lift
from .methods import ArrayMethods, fixed
from .positions import decode, here, reshaped_at
from .pythons import Numbers
from .refusals import LOWER, name_of, refuse
from .registry import FUNCTIONS, HOOKS, UFUNC_METHODS, UFUNCS, later
from .state import state
from .symbol import Symbol

_getrefcount = sys.getrefcount


class Tensor(ArrayMethods):
    """A NumPy value that a tape can follow; made by `gt.array`, `tape.watch` and every op on one.

    It has ndarray's attributes and methods and takes part in NumPy functions and operators.
    Reading the value out (`float(t)`, `np.asarray(t)`, `t.numpy()`) leaves the tape.

    Attributes
    ----------
    value : numpy.ndarray or numpy.generic
        The raw value; 0-d values are NumPy scalars and immutable.
    key : int
        Which version of which tensor this is; 0 when no tape has taken notice of it.

    Examples
    --------
    >>> import gradtape as gt
    >>> gt.array([1.0, 2.0])
    Tensor([1., 2.], shape=(2,), dtype=float64)
    """

    __slots__ = ("__weakref__", "key", "value", "why")

    __array_priority__ = 1000.0
    __pandas_priority__ = 10000

    value: Any
    key: int
    why: Any

    if TYPE_CHECKING:  # bound by the op files

        def __add__(self, other: Any) -> Tensor: ...
        def __radd__(self, other: Any) -> Tensor: ...
        def __sub__(self, other: Any) -> Tensor: ...
        def __rsub__(self, other: Any) -> Tensor: ...
        def __mul__(self, other: Any) -> Tensor: ...
        def __rmul__(self, other: Any) -> Tensor: ...
        def __truediv__(self, other: Any) -> Tensor: ...
        def __rtruediv__(self, other: Any) -> Tensor: ...
        def __floordiv__(self, other: Any) -> Tensor: ...
        def __rfloordiv__(self, other: Any) -> Tensor: ...
        def __mod__(self, other: Any) -> Tensor: ...
        def __rmod__(self, other: Any) -> Tensor: ...
        def __pow__(self, other: Any) -> Tensor: ...
        def __rpow__(self, other: Any) -> Tensor: ...
        def __matmul__(self, other: Any) -> Tensor: ...
        def __rmatmul__(self, other: Any) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __pos__(self) -> Tensor: ...
        def __abs__(self) -> Tensor: ...
        def __lt__(self, other: Any) -> Tensor: ...
        def __le__(self, other: Any) -> Tensor: ...
        def __gt__(self, other: Any) -> Tensor: ...
        def __ge__(self, other: Any) -> Tensor: ...
        def __getitem__(self, index: Any) -> Tensor: ...
        def __setitem__(self, index: Any, value: Any) -> None: ...

    def __init__(self, value: Any, dtype: Any = None) -> None:
        if isinstance(value, list | tuple):
            value = HOOKS["from_sequence"](value)
        if isinstance(value, Tensor):  # a copy that is followed
            made = value.copy() if dtype is None else value.astype(dtype)
            self.value, self.key, self.why = made.value, made.key, made.why
            return
        self.value = settled(np.array(value, dtype=dtype))
        self.key = 0
        self.why = None

    # ------------------------------------------------------------------ reading

    def read(self) -> Any:
        """The raw value at this moment; a view looks at its base first."""
        return self.value

    @property
    def aval(self) -> Aval:
        """Shape and dtype."""
        value = self.read()
        return Aval(value.shape, value.dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        shape: tuple[int, ...] = self.read().shape
        return shape

    @shape.setter
    def shape(self, shape: Any) -> None:
        if type(self) is not Tensor:  # a view or a Variable
            raise fixed("shape", "x = x.reshape(...)")
        self._take_over(self.reshape(shape))

    @property
    def dtype(self) -> np.dtype[Any]:
        dtype: np.dtype[Any] = self.read().dtype
        return dtype

    @dtype.setter
    def dtype(self, dtype: Any) -> None:
        if np.dtype(dtype) != self.dtype:
            raise fixed("dtype", "x = x.astype(...)")

    @property
    def ndim(self) -> int:
        ndim: int = self.read().ndim
        return ndim

    @property
    def size(self) -> int:
        size: int = self.read().size
        return size

    @property
    def is_watched(self) -> bool:
        """Whether a tape that records now follows this value."""
        return any(self.key in tape.tracked for tape in state.tapes)

    def __len__(self) -> int:
        try:
            return len(self.read())
        except LOWER as error:
            refuse(error, "len", (self,))

    def __bool__(self) -> bool:
        try:
            return bool(self.read())
        except LOWER as error:
            refuse(error, "bool", (self,))

    def __iter__(self) -> Any:
        if self.ndim == 0:
            raise DTypeError(
                three_part(
                    "Iteration over a 0-d Tensor.",
                    "It holds one number.",
                    "Use the value itself, or np.atleast_1d(x).",
                )
            )
        return (self[i] for i in range(len(self)))

    def __hash__(self) -> int:
        if type(self.value) is Symbol:
            self.value.refuse_hash()
        return id(self)

    # ------------------------------------------------------------------ leaving the tape

    def numpy(self) -> Any:
        """The value as a read-only array (a copy for 0-d); the tape cannot follow it."""
        note_exit(self, "numpy()")
        return self._readonly()

    def _readonly(self) -> Any:
        value = self.read()
        if type(value) is not np.ndarray:
            return value
        view = value.view()
        view.flags.writeable = False
        return view

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        note_exit(self, "numpy.asarray")
        value = np.asarray(self._readonly())
        if dtype is not None and value.dtype != np.dtype(dtype):
            if copy is False:
                raise ValueError(
                    three_part(
                        f"Unable to avoid copy: {value.dtype} is asked as {np.dtype(dtype)}.",
                        "copy=False forbids the copy that another dtype needs.",
                        "Leave copy out.",
                    )
                )
            return value.astype(dtype)
        return value.copy() if copy else value

    def __float__(self) -> float:
        try:
            value = float(self.read())
        except LOWER as error:
            refuse(error, "float", (self,))
        note_exit(self, "float", value)
        return value

    def __int__(self) -> int:
        try:
            value = int(self.read())
        except LOWER as error:
            refuse(error, "int", (self,))
        note_exit(self, "int", value)
        return value

    def __complex__(self) -> complex:
        try:
            value = complex(self.read())
        except LOWER as error:
            refuse(error, "complex", (self,))
        note_exit(self, "complex", value)
        return value

    def __index__(self) -> int:
        try:
            return operator.index(self.read())
        except LOWER as error:
            refuse(error, "operator.index", (self,))

    def __dlpack__(self, **options: Any) -> Any:
        note_exit(self, "__dlpack__")
        return np.asarray(self.read()).copy().__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return np.asarray(self.read()).__dlpack_device__()

    # ------------------------------------------------------------------ showing (never an exit)

    def __repr__(self) -> str:
        value = self.read()
        if type(value) is Symbol:
            return f"Tensor({value!r})"
        text = np.array2string(np.asarray(value), separator=", ", prefix="Tensor(")
        watched = ", watched" if self.is_watched else ""
        return f"Tensor({text}, shape={value.shape}, dtype={value.dtype}{watched})"

    def _repr_html_(self) -> str | None:
        value = self.read()
        if not isinstance(value, np.ndarray | np.generic):
            return None
        from .display import as_html

        return as_html("Tensor, watched" if self.is_watched else "Tensor", value)

    def __str__(self) -> str:
        return str(self.read())

    def __format__(self, spec: str) -> str:
        return self._formatted(self.read(), spec)

    def _formatted(self, value: Any, spec: str) -> str:
        try:
            return format(value, spec) if spec else str(value)
        except LOWER as error:
            refuse(error, "format", (self, spec))

    # ------------------------------------------------------------------ copying

    def __copy__(self) -> Tensor:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        return self.copy()

    def __bytes__(self) -> bytes:
        return self.tobytes()

    def __reduce__(self) -> Any:
        return _rebuild, (np.array(self.read()),)

    # ------------------------------------------------------------------ NumPy's protocols

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        try:
            if method == "__call__" and not kwargs:
                operation = UFUNCS.get(ufunc)
                if operation is not None:
                    return operation(*inputs)
            operation = UFUNC_METHODS.get((ufunc, method))
            if operation is None:
                operation = later(UFUNC_METHODS, (ufunc, method))
            if operation is None:
                return HOOKS["uncarded_ufunc"](ufunc, method, inputs, kwargs)
            return operation(*inputs, **kwargs)
        except LOWER as error:
            name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
            refuse(error, name, inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        tapes: Any = state.tapes
        if tapes and tapes[0].is_trace:
            tapes[0].look(args, kwargs)
        try:
            operation = FUNCTIONS.get(func)
            if operation is None:
                operation = later(FUNCTIONS, func)
            if operation is None:
                return HOOKS["uncarded"](func, args, kwargs)
            return operation(*args, **kwargs)
        except LOWER as error:
            refuse(error, name_of(func), args, kwargs)

    def __array_namespace__(self, api_version: str | None = None) -> Any:
        return HOOKS["namespace"](api_version)

    # ------------------------------------------------------------------ becoming a new version

    def become(self, other: Tensor) -> None:
        """Take over the value, key and history of `other`: the result of an in-place write."""
        old, new = self.value, other.value
        if type(old) is np.ndarray is type(new):
            if old.strides != new.strides:
                new = laid_out(new, old)
        elif isinstance(new, Lift) and type(self) is Tensor:
            self.__class__ = Lifted
        self.value, self.key, self.why = new, other.key, other.why


class Traced(Numbers, Tensor):
    """A Tensor that holds a Symbol; a class of its own, which the fast path leaves to `apply`."""

    __slots__ = ()

Symbol.tensor = Tensor
class Lifted(Tensor):
    """A Tensor that holds a lift; a class of its own, which the fast path leaves to `apply`."""

    __slots__ = ()

    def numpy(self) -> Any:
        """The value, taken out of the transform: refused by `vmap`, warned of by `jvp`."""
        return np.asarray(self.read())

    def __repr__(self) -> str:
        return f"Tensor({self.read()!r})"


Lift.tensor = Tensor


class View(Tensor):
    """A Tensor over part of another one's buffer; writes go through in both directions.

    `base_key` is the version of the base it was derived from. When the base has moved on, the
    view applies its card to the base again at the next read. After a write through the view,
    `base_key` is negative: the numbers and the key are right, but the memory is not yet a view.
    """

    __slots__ = ("base_key", "base_shape", "base_tensor", "card", "params")

    base_tensor: Tensor
    base_key: int
    base_shape: tuple[int, ...]
    card: Any
    params: dict[str, Any]

    def read(self) -> Any:
        base = self.base_tensor
        base.read()  # a chain of views settles from its root outwards
        if base.key != self.base_key:
            if base.key == -self.base_key:
                self.base_key = base.key
                if isinstance(self.value, Symbol | Lift):  # no memory to look at again
                    return self.value
                self.value = self.card.impl(base.value, **self.params)
                return self.value
            if base.value.shape != self.base_shape:
                raise stale(self)
            HOOKS["rederive"](self)
        return self.value

    def become(self, other: Tensor) -> None:
        self.check_writable()
        self.value, self.key, self.why = other.value, other.key, other.why
        HOOKS["write_base"](self)

    def check_writable(self) -> None:
        """Raise NumPy's ValueError if NumPy's view is read-only (`np.broadcast_to`)."""
        base = self.base_tensor
        if self.card.unview is read_only:
            read_only(base, self, **self.params)
        if isinstance(base, View):
            base.check_writable()


def stale(view: View) -> StaleViewError:
    """The error for a view of an array whose shape was changed in place, with both lines."""
    changed = reshaped_at(view.base_tensor)
    after = f", at {changed}" if changed else ""
    return StaleViewError(
        three_part(
            f"{view.card.name}: this view was made of an array of shape {view.base_shape}, whose "
            f"shape is {view.base_tensor.value.shape} now.",
            f"Read at {decode(*here())}, after x.shape = ... or x.resize(...) on the array{after}.",
            "Make the view again after that, or keep a copy: v = x.T.copy().",
        )
    )


def read_only(base: Any, _new: Any, **_params: Any) -> Any:
    """The `unview` of cards whose result is a view that cannot be written through."""
    raise ValueError(
        three_part(
            "assignment destination is read-only.",
            f"It is a view of a {base.aval!r} Tensor in which elements can appear twice; "
            f"written at {decode(*here())}.",
            "Make a copy that can be written: y = y.copy().",
        )
    )


_new = Tensor.__new__


def new_tensor(value: Any, key: int = 0, why: Any = None) -> Tensor:
    """A Tensor around `value`, without a copy and without a look at it."""
    out = _new(Tensor)
    out.value = value
    out.key = key
    out.why = why
    return out


def new_traced(value: Any, key: int = 0, why: Any = None) -> Tensor:
    """A Tensor around `value`, which may be a Symbol or a lift."""
    kind = Traced if type(value) is Symbol else Lifted if isinstance(value, Lift) else Tensor
    out = _new(kind)
    out.value, out.key, out.why = value, key, why
    return out


def another(x: Any) -> Any:
    """Another Tensor of the same value and history: what is written into one is not in the other.

    `np.positive`, which NumPy does not have of masks.
    """
    value = x.read()
    if value.dtype.kind in "iufc":
        return np.positive(x)
    return new_traced(value, x.key, x.why)


def twin(x: Tensor) -> Tensor:
    """The same version of `x` in other hands: what these write into it makes a version of theirs.

    The value is shared, which a write sees by its reference count, and copies.
    """
    return new_traced(x.read(), x.key, x.why)


def firm(value: Any) -> Any:
    """`value` with a dtype of its own: a Python number of a trace, once a derivative follows it."""
    return value.astype(value.dtype) if getattr(value, "weak", False) else value


def _rebuild(value: Any) -> Tensor:
    return new_tensor(settled(value))


def settled(array: Any) -> Any:
    """`array` as a Tensor holds it: a NumPy scalar where it is 0-d, itself (no view) elsewhere."""
    return array if array.ndim or isinstance(array, Symbol | Lift) else array[()]


def raw(value: Any) -> Any:
    """The raw value of a Tensor, anything else as it is; no exit is noted."""
    return value.read() if isinstance(value, Tensor) else value


def _owned(tensor: Tensor) -> bool:
    return _getrefcount(tensor.value) == _SOLE


_SOLE = 0


def _calibrate() -> int:
    probe = new_tensor(np.zeros(2))
    return _getrefcount(probe.value)


_SOLE = _calibrate()


def laid_out(value: Any, like: Any) -> Any:
    """`value` in the memory layout of `like`, if it has that shape and dtype; else itself."""
    if value.shape != like.shape or value.dtype != like.dtype:
        return value
    if value.flags.c_contiguous and like.flags.c_contiguous:  # other strides at axes of length 1
        return value
    new = np.empty_like(like)
    if new.strides != like.strides:
        new = _with_strides(like)
    new[...] = value
    return new


def _with_strides(like: Any) -> Any:
    """An array of the shape, dtype and strides of `like`; C order where its elements overlap."""
    spans = sorted((abs(s), s, n) for s, n in zip(like.strides, like.shape, strict=True) if n > 1)
    extent, start = like.itemsize, 0
    for step, stride, n in spans:
        if step < extent:
            return np.empty(like.shape, like.dtype)
        extent += step * (n - 1)
        start += step * (n - 1) if stride < 0 else 0
    buffer = Buffer((extent if like.size else 0,), np.uint8)
    return np.ndarray(like.shape, like.dtype, buffer, start, like.strides)


def writable_value(tensor: Tensor) -> Any:
    """The buffer of `tensor`, copied first if anything else refers to it."""
    if isinstance(tensor, View):
        tensor.check_writable()
    value = tensor.value
    if owns(value) and value.flags.writeable:
        del value
        if _owned(tensor):
            return tensor.value
        value = tensor.value
    new = np.empty_like(value)
    if new.strides != value.strides and not isinstance(tensor, View):
        new = _with_strides(value)
    new[...] = value
    tensor.value = new
    return new
