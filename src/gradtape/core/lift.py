"""Lifts: what a Tensor holds inside `jvp` and `vmap`, in place of an array.

A `Dual` is a value and its tangent, a `Batch` one value for each example. Either belongs to a
`Level`, one call of a transform. Levels nest: an operation is first played at the innermost level
among its operands, whose rules then meet the values inside (arrays, Tensors that outer tapes
follow, lifts of outer levels), so derivatives with respect to different calls are never confused.

A lift takes part in NumPy's protocols, as an array does, so that a rule may look at raw values
(`np.isnan(raw(x))`); of a Dual that is the value alone. `lifting.py` plays the operations.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import numpy as np

from ..errors import DTypeError, ExitWarning, TracingError, three_part
from .aval import INEXACT
from .positions import decode, here
from .registry import HOOKS
from .state import next_key, state
from .symbol import is_traced, may_hold

_QUERIES = frozenset([np.shape, np.ndim, np.size, np.result_type, np.can_cast, np.iscomplexobj,
                      np.isrealobj, np.min_scalar_type, np.common_type])  # fmt: skip
# They read no values: what they give is the same for all examples.
_FILLED = frozenset([np.zeros_like, np.ones_like])
_MEMORY = frozenset(["flags", "strides", "base", "data", "ctypes", "flat"])


class Level:
    """One call of `jvp` (without a size) or `vmap` (with one); active inside its `with`."""

    __slots__ = ("active", "name", "part", "size", "stamp")

    def __init__(self, name: str, size: int | None = None) -> None:
        self.name = name
        self.size = size
        self.stamp = next_key()  # later than every tape and level around it
        self.active = False
        self.part: Any = None  # which examples take part in what has effects; None for all

    def __enter__(self) -> Level:
        state.levels += 1
        if self.size is not None:
            state.batches = (*state.batches, self)
        self.active = True
        return self

    def __exit__(self, *_: object) -> None:
        state.levels -= 1
        if self.size is not None:
            state.batches = state.batches[:-1]
        self.active = False


class Lift(np.lib.mixins.NDArrayOperatorsMixin):
    """A value of a level; `shape` and `dtype` are those that the user's function sees."""

    __slots__ = ("dtype", "level", "shape")
    __array_priority__ = 2000.0

    tensor: ClassVar[Any] = ()  # the class Tensor, whose own protocols come first
    level: Level
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    if TYPE_CHECKING:

        def plain(self) -> Any: ...  # what rules see that look at the raw value
        def leave(self, how: str) -> Any: ...  # the raw value, handed out of the transform

    # ------------------------------------------------------------------ NumPy's protocols

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if any(isinstance(x, self.tensor) for x in inputs):
            return NotImplemented
        out = kwargs.get("out")
        if out is not None and out[0] is inputs[0]:  # m &= x, which rebinds
            del kwargs["out"]
        function = ufunc if method == "__call__" else getattr(ufunc, method)
        return _raw_call(function, inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if any(issubclass(t, self.tensor) for t in types):
            return NotImplemented
        if func in _QUERIES or func in _FILLED:
            named = {name: _stand_in(x) for name, x in kwargs.items()}
            return func(*map(_stand_in, args), **named)
        if func in (np.any, np.all) and len(args) == 1 and not kwargs:
            return bool(func(bottom(args[0])))  # a rule's question, of all examples together
        return _raw_call(func, args, kwargs)

    def __getitem__(self, index: Any) -> Any:
        return _raw_call(lambda x, i: x[i], (self, index), {})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(name)
        if name in _MEMORY:  # it has no buffer of its own
            raise AttributeError(name)
        if name in ("any", "all"):
            return lambda *args, **kwargs: getattr(np, name)(self, *args, **kwargs)
        if not callable(getattr(np.ndarray, name)):  # T, real, imag, mT
            return _raw_call(lambda x: getattr(x, name), (self,), {})
        return lambda *args, **kwargs: _raw_call(
            lambda x, *rest, **more: getattr(x, name)(*rest, **more), (self, *args), kwargs
        )

    def __len__(self) -> int:
        if not self.shape:
            raise DTypeError(
                three_part(
                    f"len of a 0-d {self.dtype} value inside {self.level.name}.",
                    f"Asked for at {decode(*here(3))}; it holds one number.",
                    "Use the value itself, or np.atleast_1d(x).",
                )
            )
        return self.shape[0]

    def __hash__(self) -> int:
        return id(self)

    def __float__(self) -> float:
        return float(self.leave("float"))

    def __int__(self) -> int:
        return int(self.leave("int"))

    def __index__(self) -> int:
        return self.leave("operator.index").__index__()  # type: ignore[no-any-return]

    def __complex__(self) -> complex:
        return complex(self.leave("complex"))

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array(self.leave("numpy.asarray"), dtype=dtype)

    def item(self, *args: Any) -> Any:
        """The number, as `ndarray.item` gives it."""
        return self.leave("item()").item(*args)

    def tolist(self) -> Any:
        """The numbers as lists."""
        return self.leave("tolist()").tolist()

    def __repr__(self) -> str:
        dims = ",".join(map(str, self.shape))
        return f"<{type(self).__name__.lower()} of {self.level.name}: {self.dtype}[{dims}]>"

    def __format__(self, spec: str) -> str:
        return repr(self)


class Dual(Lift):
    """A value and its tangent."""

    __slots__ = ("primal", "tangent")

    def __init__(self, level: Level, primal: Any, tangent: Any) -> None:
        self.level = level
        self.primal = primal
        self.tangent = tangent
        self.shape = primal.shape
        self.dtype = primal.dtype

    @property
    def within(self) -> Any:
        return self.primal

    def plain(self) -> Any:
        return bare(self.primal)

    def __bool__(self) -> bool:
        return bool(self.plain())

    def leave(self, how: str) -> Any:
        if self.dtype.char in INEXACT and not np.all(bottom(self.tangent) == 0):
            warnings.warn(
                three_part(
                    f"{self.level.name}: {how} takes a value out whose tangent is not 0.",
                    f"It was taken at {decode(*here(3))}; what is computed from the number is a "
                    "constant to this derivative.",
                    "Keep it a Tensor (np.sin in place of math.sin, gt.stack in place of "
                    "np.array([...])); or, where a constant is meant, gt.stop_gradient(x).",
                ),
                ExitWarning,
                stacklevel=4,
            )
        value = self.plain()
        return value.leave(how) if isinstance(value, Lift) else value


class Batch(Lift):
    """One value for each example, along axis 0 of `inner`."""

    __slots__ = ("inner",)

    def __init__(self, level: Level, inner: Any) -> None:
        self.level = level
        self.inner = inner
        self.shape = inner.shape[1:]
        self.dtype = inner.dtype

    @property
    def within(self) -> Any:
        return self.inner

    def plain(self) -> Any:
        return Batch(self.level, bare(self.inner))

    def _refuse(self, what: str, remedy: str) -> NoReturn:
        raise TracingError(
            three_part(
                f"vmap: {what} of a batched {self.dtype}[{','.join(map(str, self.shape))}], "
                f"which has one value for each of {self.level.size} examples.",
                f"Asked for at {decode(*here(4))}.",
                remedy,
            )
        )

    def __bool__(self) -> bool:
        self._refuse("bool", "Choose element by element: np.where(x > 0, a, b).")

    def leave(self, how: str) -> Any:
        if how.startswith("assign"):
            self._refuse(
                how,
                "A Variable holds one value. Return this one from the function, and assign what is "
                "made of all examples outside of gt.vmap: w.assign(np.mean(ys, axis=0)).",
            )
        self._refuse(
            how,
            "Keep it a Tensor (np.sin in place of math.sin, gt.stack in place of np.array([...])); "
            "or loop over the examples: [f(x) for x in xs].",
        )


def bare(x: Any) -> Any:
    """`x` without what tapes or derivatives know of it: an array, a number, or a lift of those."""
    if isinstance(x, Lift.tensor):
        x = x.read()
    return x.plain() if isinstance(x, Lift) else x


def still(x: Any) -> Any:
    """`x` as a constant: without its tangents and what tapes know; of a batch, each example's."""
    if isinstance(x, Lift.tensor):
        return still(x.read())
    if isinstance(x, Dual):
        return still(x.primal)
    if isinstance(x, Batch):
        return Batch(x.level, still(x.inner))
    return x.cut() if is_traced(x) else x


def bottom(x: Any) -> Any:
    """The array at the bottom of nested lifts: the values of all examples."""
    x = bare(x)
    while isinstance(x, Batch):
        x = bare(x.inner)
    return x


def is_batched(x: Any) -> bool:
    """Whether `x` has one value for each example of some `vmap`."""
    x = bare(x)
    while isinstance(x, Dual):
        x = bare(x.primal)
    return isinstance(x, Batch)


def holds(condition: Any) -> bool:
    """Whether `condition` holds somewhere, of some example."""
    return may_hold(bottom(condition))


def _stand_in(x: Any) -> Any:
    if isinstance(x, Lift):
        return np.broadcast_to(np.zeros((), x.dtype), x.shape)
    return x


def _raw_call(function: Any, args: Any, kwargs: Any) -> Any:
    return HOOKS["lifted_raw"](function, args, kwargs)


def is_lifted(x: Any) -> bool:
    """Whether `x` is a lift, or a Tensor that holds one."""
    return isinstance(x, Lift) or isinstance(getattr(x, "value", None), Lift)
