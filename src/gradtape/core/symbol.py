"""Symbol: what a Tensor holds while a function is traced: shape and dtype, and no numbers.

A Symbol takes part in NumPy's protocols as an array does, so rules that look at raw values
(`np.isnan(raw(x))`, a mask, an order) are traced too. What needs a number (`if`, `float`, a loop
over a range) raises `TracingError`, which names the place, where the value comes from, and what to
write instead.

The graph is the business of `Symbol.trace`, a recorder at the head of `state.tapes`
(`graph/trace.py`); nothing else here knows what a graph is.
"""

from __future__ import annotations

import math
import operator
from typing import Any, ClassVar, NoReturn

import numpy as np

from ..errors import TracingError, three_part
from .positions import decode, here, user_frame
from .state import state

# Queries about shape and dtype, answered from a stand-in.
_QUERIES = frozenset([np.shape, np.ndim, np.size, np.result_type, np.can_cast, np.iscomplexobj,
                      np.isrealobj, np.min_scalar_type, np.common_type])  # fmt: skip
# What these give is known too; where it is large, it is better made anew than kept.
_FILLED = frozenset([np.zeros_like, np.ones_like])
_FEW = 8192
_NUMBERS = frozenset(["float", "int", "complex", "item()"])  # the sentences here say more
_LOOKS = frozenset(["numpy()", "tolist()", "numpy.array", "numpy.asarray"])
_REMEDIES = {
    "bool": "Choose inside the program: gt.cond(x > 0, lambda: a, lambda: b), or between values: "
    "np.where(x > 0, a, b).",
    "while": "Loop inside the program: gt.while_loop(lambda x: x < 3, lambda x: x + 1, x); or over "
    "a range, where the number of turns is known: for i in range(n).",
    "int": "Pass the number as a Python int, which is static: a new one traces anew.",
    "float": "Leave it a Tensor and use NumPy functions: np.sin(x) in place of math.sin(x).",
    "array": "Use gt.array, gt.stack or gt.zeros with x[i] = v in place of plain arrays, "
    "gt.array(x)[i] in place of x[i] of one, and look at values outside of the compiled "
    "function.",
}


class Symbol(np.lib.mixins.NDArrayOperatorsMixin):
    """A value that is not known yet: `shape`, `dtype`, whether it is a `weak` Python number.

    Attributes
    ----------
    node : object
        The graph's own name for it.
    trace : object
        The trace that made it.
    position : tuple
        Code and offset of the user's instruction that it comes from.
    """

    __slots__ = ("dtype", "node", "position", "shape", "trace", "weak")
    __array_priority__ = 2000.0

    def __init__(self, aval: Any, node: Any, trace: Any, position: Any) -> None:
        self.shape: tuple[int, ...] = aval.shape
        self.dtype: np.dtype[Any] = aval.dtype
        self.weak: bool = aval.weak
        self.node, self.trace, self.position = node, trace, position

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    def _now(self) -> Any:
        """The trace that runs: of a branch or a body, where the value is of one around it."""
        running: Any = state.tapes[0] if state.tapes else None
        if running is None or running is self.trace or not running.is_trace:
            return self.trace
        return running if running.is_part_of(self.trace) else self.trace

    # ------------------------------------------------------------------ NumPy's protocols

    tensor: ClassVar[Any] = ()  # the class Tensor, whose own protocols come first

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if any(isinstance(x, self.tensor) for x in inputs):
            return NotImplemented
        out = kwargs.get("out")
        if out is not None and out[0] is inputs[0]:  # m &= x, which rebinds
            del kwargs["out"]
        function = ufunc if method == "__call__" else getattr(ufunc, method)
        name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
        return self._now().plain(name, function, inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if any(issubclass(t, self.tensor) for t in types):
            return NotImplemented
        if func is np.shape:
            return self.shape
        if func is np.iscomplexobj:
            return self.dtype.kind == "c"
        if func is np.min_scalar_type and not self.shape:  # it looks at the number
            self._refuse("float")
        if func in _QUERIES or (func in _FILLED and self.size <= _FEW):
            return func(*map(_stand_in, args), **kwargs)
        return self._now().plain(func.__name__, func, args, kwargs)

    def __getitem__(self, index: Any) -> Any:
        return self._now().plain("getitem", operator.getitem, (self, index), {})

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(f"A traced value has no attribute {name!r}.")
        if name in ("flags", "strides", "base", "data", "ctypes", "flat"):
            raise AttributeError(f"A traced value has no memory, so it has no {name!r}.")
        if not callable(getattr(np.ndarray, name)):  # T, real, imag, mT
            return self._now().plain(name, operator.attrgetter(name), (self,), {})

        def method(*args: Any, **kwargs: Any) -> Any:
            return self._now().plain(name, _method(name), (self, *args), kwargs)

        return method

    def cut(self) -> Symbol:
        """The same value, to which no derivative leads."""
        cut: Symbol = self._now().cut(self)
        return cut

    # ------------------------------------------------------------------ no numbers here

    def _refuse(self, what: str) -> NoReturn:
        origin = decode(*self.position)
        made = f"made at {origin}: {origin.source}" if origin and origin.source else "an argument"
        asked = decode(*here(3))
        is_loop = what == "bool" and asked is not None and asked.source.startswith("while ")
        remedy = _REMEDIES["while" if is_loop else what if what in _REMEDIES else "array"]
        if what != "bool":
            from .places import frame_of_user, place_at

            kind = place_at(frame_of_user(user_frame())[0]).kind
            if what == "float" and kind == "operator":  # "%.3f" % x
                remedy += ' To print it: gt.print("x =", x).'
            else:
                remedy = _in_place_of(kind) or remedy
        raise TracingError(
            three_part(
                f"{what} of a value that is not known while tracing: "
                f"{self.dtype}[{','.join(map(str, self.shape))}].",
                f"Asked for at {asked}; the value is {made}.",
                remedy,
            )
        )

    def refuse_write(self, name: str, is_place: bool = False) -> NoReturn:
        """TracingError for a function that writes this, or at places that this says, into an array.

        The array is a plain one.
        """
        if is_place:
            raise TracingError(
                three_part(
                    f"np.{name}: where it writes is not known while tracing: "
                    f"{self.dtype}[{','.join(map(str, self.shape))}].",
                    f"Written at {decode(*here(3))}; a plain array holds numbers, and which "
                    "change is known when the program runs.",
                    "Make the array that is written a Tensor, y = gt.zeros(...); or choose between "
                    "values: y = np.where(mask, value, y).",
                )
            )
        from .phrases import HIDDEN_WRITERS, WRITERS, remedy_of
        from .places import frame_of_user, place_at

        place = place_at(frame_of_user(user_frame())[0])
        kind = place.kind
        if place.callee == "at" or name.endswith(".at"):
            how, kind = place.text.partition("(")[0] or name, "numpy.put"
        elif kind in WRITERS or kind in HIDDEN_WRITERS:
            how = f"np{kind[5:]}"
        else:  # np.add(x, y, out=a), a += x
            how = kind = "out="
        raise TracingError(
            three_part(
                f"{how}: a value that is not known while tracing, "
                f"{self.dtype}[{','.join(map(str, self.shape))}], cannot be written into a plain "
                "array.",
                f"Written at {decode(*here(3))}; a plain array holds numbers, and there are none "
                "yet.",
                remedy_of(kind),
            )
        )

    def refuse_hash(self) -> NoReturn:
        """TracingError for a set or a dict that would look for this, and not find it."""
        raise TracingError(
            three_part(
                "hash of a value that is not known while tracing: "
                f"{self.dtype}[{','.join(map(str, self.shape))}].",
                f"Asked for at {decode(*here(3))}; a set or a dict does not find a value that is "
                "not known, nor has a set an order in which a program could give its values.",
                "Compare the value, np.any(x == np.array([1.0, 2.0])), or choose by it, np.where. "
                "Return a list, a tuple or a dict.",
            )
        )

    def __bool__(self) -> bool:
        self._refuse("bool")

    def __int__(self) -> int:
        self._refuse("int")

    def __index__(self) -> int:
        self._refuse("int")

    def __float__(self) -> float:
        self._refuse("float")

    def __complex__(self) -> complex:
        self._refuse("float")

    def __array__(self, *_: Any, **__: Any) -> Any:
        self._refuse("array")

    def item(self, *_: Any) -> Any:
        """No number: TracingError."""
        self._refuse("float")

    def tolist(self) -> Any:
        """No numbers: TracingError."""
        self._refuse("array")

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError(
                three_part(
                    f"len of a 0-d value, {self!r}.",
                    f"Asked for at {decode(*here())}; it is one number.",
                    "Use np.atleast_1d(x).",
                )
            )
        return self.shape[0]

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"<traced {self.dtype}[{','.join(map(str, self.shape))}]>"

    def __format__(self, spec: str) -> str:
        if spec:
            raise TracingError(
                three_part(
                    f"format {spec!r} of a value that is not known while tracing: "
                    f"{self.dtype}[{','.join(map(str, self.shape))}].",
                    f"Asked for at {decode(*here(3))}; a text is made once, while tracing, and "
                    "there is no number yet.",
                    'Print it in each call: gt.print("x =", x). What it stands for is in '
                    "f\"{x}\", its dtype and shape.",
                )
            )
        return repr(self)


def _in_place_of(kind: str) -> str:
    """What to write in place of what takes a value out; nothing where that is not clear."""
    from .phrases import is_named, remedy_of

    if kind in _NUMBERS or not is_named(kind):
        return ""
    said = remedy_of(kind)
    return f"{said} Look at values outside of the compiled function." if kind in _LOOKS else said


def asked_for(error: BaseException) -> BaseException:
    """The TracingError behind what NumPy raised in its place (`y[0] = x` of a plain `y`)."""
    cause = error.__cause__
    return cause if type(error) is ValueError and isinstance(cause, TracingError) else error


def _stand_in(x: Any) -> Any:
    if isinstance(x, Symbol):
        value = np.zeros((), x.dtype)
        return value.item() if x.weak else np.broadcast_to(value, x.shape)
    return x


def _method(name: str) -> Any:
    def call(x: Any, *args: Any, **kwargs: Any) -> Any:
        x = np.asarray(x)[()] if type(x) is float or type(x) is complex else x  # a weak argument
        return getattr(x, name)(*args, **kwargs)

    call.__name__ = call.__qualname__ = name
    return call


def in_a_set(name: str, place: Any) -> TracingError:
    """The refusal of a set as the result of a function that is traced."""
    return TracingError(
        three_part(
            f"function: {name} returns a set of values that are not known while tracing.",
            f"Called at {place}; a set has no order in which a program could give them.",
            "Return a list, a tuple or a dict.",
        )
    )


def is_traced(x: Any) -> bool:
    """Whether `x` is a value that is not known, or a Tensor that holds one."""
    return type(x) is Symbol or type(getattr(x, "value", None)) is Symbol


def _known(x: Any) -> Any:
    """The array or number at the bottom of `x`; a Symbol where that is not known."""
    while True:
        inside = getattr(x, "value", None) if not isinstance(x, np.ndarray) else None
        if inside is None and type(x) is not Symbol:
            inside = getattr(x, "within", None)
        if inside is None:
            return x
        x = inside


def may_hold(condition: Any) -> bool:
    """Whether `condition` holds somewhere; True where that is not known."""
    value = getattr(condition, "value", condition)
    if type(value) is np.bool_:
        return bool(value)
    value = _known(value)
    return type(value) is Symbol or bool(np.any(value))


def is_known_to_hold(condition: Any) -> bool:
    """Whether `condition` holds somewhere; False where that is not known."""
    value = _known(condition)
    return type(value) is not Symbol and bool(np.any(value))


def is_finite_number(x: Any) -> bool:
    """Whether `x` is one number that is known and finite."""
    value = getattr(x, "value", x)
    return isinstance(value, float | int | complex | np.number) and bool(np.isfinite(value))


def is_nonzero(x: Any) -> bool:
    """Whether `x` is known and nowhere 0."""
    value = _known(x)
    return type(value) is not Symbol and bool(np.all(without_repeats(value) != 0))


def without_repeats(x: Any) -> Any:
    """The part of an array that has each element of its memory: axes without a stride are cut.

    A sum's cotangent is one number seen through zero strides as millions.
    """
    if type(x) is not np.ndarray or not x.size:
        return x
    return x[tuple([slice(None) if step else slice(1) for step in x.strides])]
