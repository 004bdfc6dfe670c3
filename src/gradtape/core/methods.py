"""ndarray's attributes and methods for Tensor.

A method that has a NumPy function of the same meaning calls what that function dispatches to.
In-place methods (`sort`, `fill`, `put`, ...) make a new version of the Tensor, which the tape
follows. `item` and `tolist` take values out; writing to a file does not. The file is long because
ndarray has that many methods, each a few lines here.
"""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..errors import DTypeError, ShapeError, UnsupportedOperationError, three_part
from .exits import note_exit
from .positions import decode, here, note_reshape
from .refusals import LOWER, door, name_of, refuse
from .registry import FUNCTIONS, HOOKS, later
from .state import next_key, state

if TYPE_CHECKING:
    from .flat import Flat
    from .tensor import Tensor

_NO: Any = np._NoValue


def _call(function: Any, *args: Any, **kwargs: Any) -> Tensor:
    """`function(*args, **kwargs)`, without the arguments that were not given, and directly."""
    kwargs = {
        k: v for k, v in kwargs.items() if v is not _NO and (v is not None or k == "axis")
    }
    operation = FUNCTIONS.get(function) or later(FUNCTIONS, function)
    tapes: Any = state.tapes
    if tapes and tapes[0].is_trace:
        tapes[0].look(args, kwargs)
    try:
        result: Tensor = (function if operation is None else operation)(*args, **kwargs)
    except LOWER as error:
        refuse(error, name_of(function), args, kwargs)
    return result


def _unsupported(fact: str, remedy: str) -> UnsupportedOperationError:
    return UnsupportedOperationError(three_part(fact, f"Called at {decode(*here(3))}.", remedy))


def _shape_arguments(shape: tuple[Any, ...]) -> Any:
    return shape[0] if len(shape) == 1 else shape


def fixed(name: str, remedy: str) -> UnsupportedOperationError:
    """The error for an attribute that ndarray lets one assign, and this Tensor does not."""
    return UnsupportedOperationError(
        three_part(
            f"{name}: this attribute cannot be assigned here.",
            f"Assigned at {decode(*here(3))}; it says how the memory of this array, which may be "
            "a Variable's or that of another array, is read.",
            f"Make a new array: {remedy}.",
        )
    )


class ArrayMethods:
    """The attribute and method surface of ndarray; see NumPy's documentation of each name."""

    __slots__ = ()

    if TYPE_CHECKING:
        value: Any
        key: int

        @property
        def shape(self) -> tuple[int, ...]: ...
        @property
        def ndim(self) -> int: ...
        @property
        def size(self) -> int: ...
        @property
        def dtype(self) -> np.dtype[Any]: ...
        def read(self) -> Any: ...
        def _readonly(self) -> Any: ...
        def become(self, other: Any) -> None: ...
        def __getitem__(self, index: Any) -> Tensor: ...
        def __setitem__(self, index: Any, value: Any) -> None: ...

    # ------------------------------------------------------------------ reductions

    def sum(
        self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = _NO,
        initial: Any = _NO, where: Any = _NO,
    ) -> Tensor:  # fmt: skip
        plain = axis is None and dtype is None and out is None
        if plain and keepdims is _NO and initial is _NO and where is _NO:
            return np.sum(self)  # type: ignore[call-overload, no-any-return]
        return _call(
            np.sum, self, axis=axis, dtype=dtype, out=out, keepdims=keepdims,
            initial=initial, where=where,
        )

    def prod(
        self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = _NO,
        initial: Any = _NO, where: Any = _NO,
    ) -> Tensor:  # fmt: skip
        return _call(
            np.prod, self, axis=axis, dtype=dtype, out=out, keepdims=keepdims,
            initial=initial, where=where,
        )

    def max(
        self, axis: Any = None, out: Any = None, keepdims: Any = _NO, initial: Any = _NO,
        where: Any = _NO,
    ) -> Tensor:  # fmt: skip
        return _call(
            np.max, self, axis=axis, out=out, keepdims=keepdims, initial=initial, where=where
        )

    def min(
        self, axis: Any = None, out: Any = None, keepdims: Any = _NO, initial: Any = _NO,
        where: Any = _NO,
    ) -> Tensor:  # fmt: skip
        return _call(
            np.min, self, axis=axis, out=out, keepdims=keepdims, initial=initial, where=where
        )

    def mean(
        self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = _NO, *,
        where: Any = _NO,
    ) -> Tensor:  # fmt: skip
        return _call(np.mean, self, axis=axis, dtype=dtype, out=out, keepdims=keepdims, where=where)

    def std(
        self, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0,
        keepdims: Any = _NO, *, where: Any = _NO, mean: Any = _NO, correction: Any = _NO,
    ) -> Tensor:  # fmt: skip
        return _call(
            np.std, self, axis=axis, dtype=dtype, out=out, keepdims=keepdims, where=where,
            mean=mean, **_degrees(ddof, correction),
        )

    def var(
        self, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0,
        keepdims: Any = _NO, *, where: Any = _NO, mean: Any = _NO, correction: Any = _NO,
    ) -> Tensor:  # fmt: skip
        return _call(
            np.var, self, axis=axis, dtype=dtype, out=out, keepdims=keepdims, where=where,
            mean=mean, **_degrees(ddof, correction),
        )

    def all(
        self, axis: Any = None, out: Any = None, keepdims: Any = _NO, *, where: Any = _NO
    ) -> Tensor:
        return _call(np.all, self, axis=axis, out=out, keepdims=keepdims, where=where)

    def any(
        self, axis: Any = None, out: Any = None, keepdims: Any = _NO, *, where: Any = _NO
    ) -> Tensor:
        return _call(np.any, self, axis=axis, out=out, keepdims=keepdims, where=where)

    def argmax(self, axis: Any = None, out: Any = None, *, keepdims: Any = _NO) -> Tensor:
        return _call(np.argmax, self, axis=axis, out=out, keepdims=keepdims)

    def argmin(self, axis: Any = None, out: Any = None, *, keepdims: Any = _NO) -> Tensor:
        return _call(np.argmin, self, axis=axis, out=out, keepdims=keepdims)

    def cumsum(self, axis: Any = None, dtype: Any = None, out: Any = None) -> Tensor:
        return _call(np.cumsum, self, axis=axis, dtype=dtype, out=out)

    def cumprod(self, axis: Any = None, dtype: Any = None, out: Any = None) -> Tensor:
        return _call(np.cumprod, self, axis=axis, dtype=dtype, out=out)

    def trace(
        self, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None
    ) -> Tensor:
        return _call(np.trace, self, offset, axis1, axis2, dtype=dtype, out=out)

    # ------------------------------------------------------------------ elementwise

    def clip(self, min: Any = None, max: Any = None, out: Any = None, **kwargs: Any) -> Tensor:
        return _call(np.clip, self, min, max, out=out, **kwargs)

    def round(self, decimals: int = 0, out: Any = None) -> Tensor:
        return _call(np.round, self, decimals, out=out)

    def conj(self) -> Tensor:
        return self.conjugate()

    def conjugate(self, *args: Any, **kwargs: Any) -> Tensor:
        if self.dtype == bool and not args and not kwargs:  # the ufunc makes int8 of it
            return cast("Tensor", self)
        return cast("Tensor", np.conjugate(cast(Any, self), *args, **kwargs))

    @property
    def real(self) -> Tensor:
        return _call(np.real, self)

    @real.setter
    def real(self, value: Any) -> None:
        if self.dtype.kind == "c":
            value = HOOKS["op:from_parts"](np.broadcast_to(value, self.shape), self.imag)
        self._write(value)

    @property
    def imag(self) -> Tensor:
        return _call(np.imag, self)

    @imag.setter
    def imag(self, value: Any) -> None:
        if self.dtype.kind != "c":
            raise DTypeError(
                three_part(
                    f"imag: {self.dtype} does not have imaginary part to set.",
                    f"Assigned at {decode(*here())}.",
                    "Make the array complex first: x = x.astype(complex).",
                )
            )
        self._write(HOOKS["op:from_parts"](self.real, np.broadcast_to(value, self.shape)))

    def astype(
        self, dtype: Any, order: Any = "K", casting: Any = "unsafe", subok: bool = True,
        copy: bool = True,
    ) -> Tensor:  # fmt: skip
        """The values in another dtype; a new Tensor unless `copy` is False and nothing changes."""
        with door("astype", self, dtype):
            dtype = np.dtype(dtype)
        if dtype == self.dtype and not copy:
            return cast("Tensor", self)
        if casting != "unsafe" and not np.can_cast(self.dtype, dtype, casting):
            raise DTypeError(
                three_part(
                    f"astype: cannot cast {self.dtype} to {dtype} by the rule {casting!r}.",
                    f"Called at {decode(*here())}.",
                    'Leave casting= away, or pass casting="unsafe".',
                )
            )
        result = _call(np.astype, self, dtype)
        return result if order not in ("C", "F") else _call(np.copy, result, order=order)

    def copy(self, order: Any = "C") -> Tensor:
        return _call(np.copy, self, order=order)

    # ------------------------------------------------------------------ shape

    def reshape(self, *shape: Any, order: Any = "C", copy: Any = None) -> Tensor:
        # none of the arguments is out of the ordinary: past _call, which looks at each
        try:
            result: Tensor = FUNCTIONS[np.reshape](self, _shape_arguments(shape), order, copy=copy)
        except LOWER as error:
            refuse(error, "reshape", (self, *shape))
        return result

    def ravel(self, order: Any = "C") -> Tensor:
        if order == "C" and getattr(self.value, "flags", None) and self.value.flags.c_contiguous:
            return self.reshape(-1)
        return _call(np.ravel, self, order=order)

    def flatten(self, order: Any = "C") -> Tensor:
        """A copy with one axis."""
        return _call(np.copy, _call(np.ravel, self, order=order))

    def transpose(self, *axes: Any) -> Tensor:
        if not axes or (len(axes) == 1 and axes[0] is None):
            return _call(np.transpose, self)
        return _call(np.transpose, self, _shape_arguments(axes))

    @property
    def T(self) -> Tensor:
        result: Tensor = FUNCTIONS[np.transpose](self)
        return result

    @property
    def mT(self) -> Tensor:
        return _call(np.matrix_transpose, self)

    def swapaxes(self, axis1: int, axis2: int) -> Tensor:
        return _call(np.swapaxes, self, axis1, axis2)

    def squeeze(self, axis: Any = None) -> Tensor:
        return _call(np.squeeze, self, axis=axis)

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
        return _call(np.diagonal, self, offset, axis1, axis2)

    def repeat(self, repeats: Any, axis: Any = None) -> Tensor:
        return _call(np.repeat, self, repeats, axis=axis)

    def view(self, dtype: Any = None, type: Any = None) -> Tensor:
        """A Tensor over the same buffer; another dtype would reinterpret the bytes."""
        wanted = self.dtype if dtype is None or _is_array_class(dtype) else np.dtype(dtype)
        if wanted != self.dtype:
            raise _unsupported(
                f"view: the bytes of {self.dtype} read as {wanted} have no derivative.",
                f"Convert the numbers: x.astype({wanted.name!r}); "
                "for the bytes take the value out: x.numpy().view(...).",
            )
        return self[...] if self.ndim else _call(np.copy, self)

    # ------------------------------------------------------------------ choosing

    def take(self, indices: Any, axis: Any = None, out: Any = None, mode: Any = "raise") -> Tensor:
        return _call(np.take, self, indices, axis=axis, out=out, mode=mode)

    def choose(self, choices: Any, out: Any = None, mode: Any = "raise") -> Tensor:
        return _call(np.choose, self, choices, out=out, mode=mode)

    def compress(self, condition: Any, axis: Any = None, out: Any = None) -> Tensor:
        return _call(np.compress, condition, self, axis=axis, out=out)

    def nonzero(self) -> tuple[Tensor, ...]:
        return cast("tuple[Tensor, ...]", _call(np.nonzero, self))

    def searchsorted(self, v: Any, side: Any = "left", sorter: Any = None) -> Tensor:
        return _call(np.searchsorted, self, v, side=side, sorter=sorter)

    def argsort(
        self, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None,
        **options: Any,
    ) -> Tensor:  # fmt: skip
        options |= {"kind": kind, "order": order, "stable": stable}  # and descending, since 2.5
        return _call(np.argsort, self, **_axis(axis), **options)

    def argpartition(
        self, kth: Any, axis: Any = -1, kind: Any = "introselect", order: Any = None
    ) -> Tensor:
        return _call(np.argpartition, self, kth, **_axis(axis), kind=kind, order=order)

    def dot(self, b: Any, out: Any = None) -> Tensor:
        return _call(np.dot, self, b, out=out)

    # ------------------------------------------------------------------ in place

    def _write(self, value: Any) -> None:
        """Put `value` into every element, cast to the dtype of this array."""
        if self.ndim == 0:
            raise _unsupported(
                "In-place write: this Tensor is 0-d, and 0-d Tensors are immutable.",
                "Rebind the name, or keep the number in an array of shape (1,).",
            )
        self[...] = value

    def fill(self, value: Any) -> None:
        """Set every element to one value."""
        if np.ndim(value) != 0:
            raise ShapeError(
                three_part(
                    f"fill: the value has shape {np.shape(value)}.",
                    f"Called at {decode(*here())}.",
                    "Pass one number, or assign an array: x[...] = values.",
                )
            )
        self._write(value)

    def _replace(self, result: Any) -> None:
        HOOKS["write_tensor"](self, result)

    def sort(
        self, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None,
        **options: Any,
    ) -> None:  # fmt: skip
        """Sort in place."""
        options |= {"kind": kind, "order": order, "stable": stable}  # and descending, since 2.5
        self._replace(_call(np.sort, self, **_axis(axis), **options))

    def partition(
        self, kth: Any, axis: Any = -1, kind: Any = "introselect", order: Any = None
    ) -> None:
        """Partition in place."""
        self._replace(_call(np.partition, self, kth, **_axis(axis), kind=kind, order=order))

    def put(self, indices: Any, values: Any, mode: Any = "raise") -> None:
        """Set elements of the flattened array."""
        from .flat import plain_index

        index = np.asarray(plain_index(indices)).ravel()
        if mode == "raise":
            if index.size and not (-self.size <= index.min() and index.max() < self.size):
                bad = index[(index < -self.size) | (index >= self.size)][0]
                raise IndexError(
                    three_part(
                        f"put: index {bad} is out of bounds for axis 0 with size {self.size}.",
                        "put counts in the flattened array.",
                        "Pass mode='wrap' or mode='clip', or mend the index.",
                    )
                )
            index = index % max(self.size, 1)
        else:
            index = index % self.size if mode == "wrap" else np.clip(index, 0, self.size - 1)
        if isinstance(values, list | tuple):
            values = HOOKS["from_sequence"](values)
        if np.ndim(values):
            values = np.ravel(values)
        if index.size and np.size(values):
            self._store_flat(index, values)

    def _store_flat(self, index: Any, values: Any) -> None:
        """Set the elements at the C-order positions `index`, repeating `values` as needed."""
        if self.ndim == 0:
            self._write(values)
        if np.ndim(values) and np.size(values) != np.size(index):
            values = values[np.arange(np.size(index)) % np.size(values)]
        if np.ndim(values):
            values = np.reshape(values, np.shape(index))
        self[np.unravel_index(index, self.shape)] = values

    def resize(self, *new_shape: Any, refcheck: bool = True) -> None:
        """Change shape and size in place; new elements are 0."""
        shape = _shape_arguments(new_shape)
        shape = (shape,) if np.ndim(shape) == 0 else tuple(int(n) for n in shape)
        if self._is_shared():
            raise ValueError(
                three_part(
                    "resize: cannot resize this array: it does not own its data.",
                    f"Called at {decode(*here())} on a view or a Variable.",
                    "Make a new array: np.resize(x, shape), or x.copy() first.",
                )
            )
        size = int(np.prod(shape))
        flat: Any = _call(np.ravel, self)
        if size > self.size:
            flat = np.concatenate([flat, np.zeros(size - self.size, self.dtype)])
        self._take_over(_call(np.reshape, flat[:size], shape))

    def _take_over(self, result: Tensor) -> None:
        """Become `result`, of whatever shape: a new version."""
        result.key = result.key or next_key()
        self.become(result)
        note_reshape(self)

    def _is_shared(self) -> bool:
        return type(self).__name__ != "Tensor"

    def setfield(self, val: Any, dtype: Any, offset: int = 0) -> None:
        """Writing to part of the bytes of each element: not supported."""
        raise _unsupported(
            f"setfield: writing bytes of {self.dtype} as {np.dtype(dtype)} has no derivative.",
            "Assign numbers: x[...] = values, x.real = ..., x.imag = ...",
        )

    def getfield(self, dtype: Any, offset: int = 0) -> Tensor:
        """Part of the bytes of each element; no gradient passes."""
        return cast("Tensor", HOOKS["uncarded"](_getfield, (self, dtype, offset), {}))

    def byteswap(self, inplace: bool = False) -> Tensor:
        """The bytes of each element reversed; no gradient passes."""
        result = cast("Tensor", HOOKS["uncarded"](_byteswap, (self,), {}))
        if not inplace:
            return result
        self._replace(result)
        return cast("Tensor", self)

    def setflags(self, write: Any = None, align: Any = None, uic: Any = None) -> None:
        """No-op where it asks for what is so; a Tensor cannot be made read-only."""
        if write is not None and not write and self.ndim:
            raise _unsupported(
                "setflags: a Tensor cannot be made read-only.",
                "Keep a copy instead: y = x.copy(); or use x.numpy(), which is read-only.",
            )

    # ------------------------------------------------------------------ memory, never recorded

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.size * self.itemsize

    @property
    def strides(self) -> tuple[int, ...]:
        return cast("tuple[int, ...]", self.read().strides)

    @strides.setter
    def strides(self, strides: Any) -> None:
        raise fixed("strides", "x = np.reshape(x, ...), np.transpose(x), x[::2]")

    @property
    def flags(self) -> Any:
        """Flags of the present buffer; changing them changes nothing."""
        value = self.read()
        return value.view().flags if isinstance(value, np.ndarray) else value.flags

    @property
    def base(self) -> Any:
        """The Tensor whose buffer this is a view of, or None."""
        return getattr(self, "base_tensor", None)

    @property
    def device(self) -> str:
        return "cpu"

    def to_device(self, device: str, /, *, stream: Any = None) -> Tensor:
        if device != "cpu":
            raise ValueError(
                three_part(
                    f"Device not understood: {device!r}.",
                    "NumPy arrays live in main memory.",
                    'Use device="cpu".',
                )
            )
        if stream is not None:
            raise ValueError(
                three_part(
                    "to_device: The stream argument is not supported.",
                    "NumPy arrays live in main memory.",
                    "Leave stream out.",
                )
            )
        return cast("Tensor", self)

    # ------------------------------------------------------------------ leaving the tape

    def item(self, *args: Any) -> Any:
        """One element as a Python number; the tape cannot follow it."""
        with door("item", self, *args):
            value = self.read().item(*args)
        note_exit(self, "item()", value)
        return value

    def tolist(self) -> Any:
        """The values as nested lists of Python numbers; the tape cannot follow them."""
        values = self.read().tolist()
        note_exit(self, "tolist()", values)
        return values

    def tobytes(self, order: Any = "C") -> bytes:
        """The bytes of the values; the tape cannot follow them."""
        note_exit(self, "tobytes()")
        return cast(bytes, self.read().tobytes(order))

    @property
    def data(self) -> Any:
        """A read-only memoryview; the tape cannot follow what is read from it."""
        view = np.asarray(self._readonly())
        note_exit(self, "data", view)
        return view.data

    @property
    def ctypes(self) -> Any:
        """NumPy's ctypes object of the buffer, for reading; the tape cannot follow it."""
        view = np.asarray(self._readonly())
        note_exit(self, "ctypes", view)
        return view.ctypes

    # ------------------------------------------------------------------ saving, never an exit

    def tofile(self, fid: Any, sep: str = "", format: str = "%s") -> None:
        np.asarray(self.read()).tofile(fid, sep, format)

    def dumps(self) -> bytes:
        """The pickle of this Tensor, as `pickle.dumps` gives it."""
        return pickle.dumps(self)

    def dump(self, file: Any) -> None:
        """Pickle this Tensor into a file or the file of a name."""
        if hasattr(file, "write"):
            file.write(self.dumps())
        else:
            with open(file, "wb") as handle:
                handle.write(self.dumps())

    # ------------------------------------------------------------------ element by element

    @property
    def flat(self) -> Flat:
        from .flat import Flat

        return Flat(cast("Tensor", self))

    @flat.setter
    def flat(self, value: Any) -> None:
        self.flat[:] = value

    def __contains__(self, item: Any) -> bool:
        from .flat import plain_index

        return bool(np.any(np.equal(self.read(), plain_index(item))))

    def __round__(self, ndigits: int | None = None) -> Any:
        if ndigits is not None:
            return self.round(ndigits)
        value = round(self.read().item())
        note_exit(self, "round", value)
        return value


def _axis(axis: Any) -> dict[str, Any]:
    """`axis` as a keyword, kept when it is None (which means: flatten)."""
    return {} if axis == -1 else {"axis": axis}


def _degrees(ddof: Any, correction: Any) -> dict[str, Any]:
    return {"ddof": ddof} if correction is _NO else {"correction": correction}


def _is_array_class(x: Any) -> bool:
    return isinstance(x, type) and issubclass(x, np.ndarray)


def _byteswap(x: Any) -> Any:
    return x.byteswap()


def _getfield(x: Any, dtype: Any, offset: int) -> Any:
    return np.asarray(x).getfield(dtype, offset)[()]
