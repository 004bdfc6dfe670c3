"""`tf.function`: the engine's compiled functions with TensorFlow's rules.

A function is traced once for each signature: shapes and dtypes of tensors, values of Python
arguments. What cannot be traced (an `if` on a tensor, a value that is read out) does not break a
script: the function then runs eagerly, as Python, and says so once.
"""

from __future__ import annotations

import functools
import inspect
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ...core import tensor as core
from ...core.positions import decode, here
from ...core.refusals import by_name
from ...core.state import state
from ...core.symbol import asked_for
from ...core.tree import flatten, tree_map
from ...errors import DTypeError, ShapeError, TracingWarning, three_part
from ...program.function import function as compiled
from ...program.signature import Static
from ..base.errors import LOWER, RefusedType, RefusedValue, invalid
from ..base.graphs import CreatesVariable, is_tracing, switches
from ..base.making import bare, convert, export, natural
from ..base.tensors import Bfloat16InProgram, Tensor, make
from ..base.variables import Variable
from ..base.wording import worded


@export("function")
def function(
    func: Any = None,
    input_signature: Any = None,
    autograph: Any = True,
    jit_compile: Any = None,
    reduce_retracing: Any = False,
    experimental_implements: Any = None,
    experimental_autograph_options: Any = None,
    experimental_attributes: Any = None,
    experimental_relax_shapes: Any = None,
    experimental_compile: Any = None,
    experimental_follow_type_hints: Any = None,
) -> Any:
    """`func` as a compiled function: arrays arrive as tensors, and numbers leave as tensors.

    With `input_signature`, arguments are converted to its dtypes and must fit its shapes. Native
    code is made whether `jit_compile` is asked for or not. Python's `if`, `while` and `for` over
    tensors are not translated: a function that has them runs eagerly, and says so once.
    """
    relaxed = bool(reduce_retracing or experimental_relax_shapes)
    if func is None:
        return lambda f: Function(f, input_signature, relaxed)
    return Function(func, input_signature, relaxed)


class _Fixed:
    """A Python argument, part of the signature: numbers and texts by value, others by identity."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def _by_value(self) -> bool:
        return isinstance(self.value, int | float | complex | str | bytes | None)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Fixed) or type(self.value) is not type(other.value):
            return False
        if not self._by_value():
            return self.value is other.value
        return bool(self.value == other.value)

    def __hash__(self) -> int:
        return hash(self.value) if self._by_value() else id(self.value)

    def __repr__(self) -> str:
        return repr(self.value)


class _Untraceable(Exception):
    """Carries what was raised while the body was traced."""


class Function:
    """What `tf.function` returns."""

    def __init__(
        self, python_function: Any, input_signature: Any = None, relaxed: bool = False
    ) -> None:
        functools.update_wrapper(self, python_function)
        self.python_function = python_function
        self.input_signature = (
            None if input_signature is None else tuple(_flat_specs(input_signature))
        )
        self._relaxed = relaxed
        self._bound_to: Any = weakref.WeakKeyDictionary()
        self._seen: list[_Signature] = []
        self._is_eager = False  # it cannot be traced
        self._has_run = False
        self._program = self._compiled()

    __reduce__ = by_name

    def __copy__(self) -> Function:
        return self

    def __deepcopy__(self, memo: Any) -> Function:
        return self  # as a function of Python's

    @property
    def _name(self) -> str:
        return getattr(self.python_function, "__name__", "function")

    def _compiled(self) -> Any:
        python_function = self.python_function  # where draws of np.random are looked for

        def run(*args: Any, **kwargs: Any) -> Any:
            try:
                args, kwargs = tree_map(_arriving, (args, kwargs))
                return tree_map(_leaving, _outward(python_function(*args, **kwargs)))
            except Exception as error:
                raise _Untraceable from asked_for(error)

        run.__name__ = self._name
        program = compiled(run)
        program.label, program.changing = "tf.function", "a tensor (tf.constant(n))"
        program.drawing = "tf.random, which draws at each call: tf.random.normal([n])"
        return program

    # ------------------------------------------------------------------ calling

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        args, kwargs = self._arguments(args, kwargs)
        if is_tracing() or state.levels or switches["eagerly"]:
            return self._eagerly(args, kwargs)
        self._count(args, kwargs)
        if self._is_eager:
            return self._eagerly(args, kwargs)
        given = tree_map(_given, (args, kwargs))
        try:
            found = self._program(*given[0], **given[1])
        except _Untraceable as failure:
            return self._untraced(failure.__cause__, args, kwargs, given)
        except LOWER:  # what NumPy refused in the program, eager mode says with TensorFlow's class
            return self._eagerly(args, kwargs)
        self._has_run = True
        return tree_map(_shown, found)

    def _eagerly(self, args: Any, kwargs: Any) -> Any:
        return _outward(self.python_function(*args, **kwargs))

    def _untraced(self, error: Any, args: Any, kwargs: Any, given: Any) -> Any:
        """The result of a call whose trace has failed: that of eager mode, where there is one."""
        if isinstance(error, CreatesVariable) and self._has_run:
            raise _only_at_first(error) from None
        found = self._eagerly(args, kwargs)  # what the user raises comes from here
        if isinstance(error, CreatesVariable):
            self._has_run = True
            try:
                self._program._program(*given)
                return found
            except _Untraceable as failure:
                error = failure.__cause__
                if isinstance(error, CreatesVariable):
                    raise _only_at_first(error) from None
        self._is_eager = True
        fact, *rest = worded(str(error)).splitlines() or [type(error).__name__]
        remedy = (
            "Use tf.cond, tf.while_loop and tf.where in place of `if`, `while` and `for` over "
            "tensors, and read values outside of the function"
        )
        if isinstance(error, ShapeError | DTypeError) and len(rest) == 2:  # it has one of its own
            remedy = rest[1].removesuffix(".")
        if isinstance(error, Bfloat16InProgram):
            remedy = "Compute in float32 inside of it, tf.cast(x, tf.float32), and cast the result"
        warnings.warn(
            three_part(
                f"tf.function: {self._name} runs eagerly: {fact}",
                rest[0] if rest else f"Raised while {self._name} was traced.",
                f"{remedy}; or leave tf.function out.",
            ),
            TracingWarning,
            stacklevel=4,
        )
        return found

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        try:
            bound = self._bound_to.get(instance)
            if bound is None:
                bound = self._bound_to[instance] = self._made_for(weakref.ref(instance), instance)
        except TypeError:  # it has no hash, or cannot be referred to weakly
            bound = self._made_for(lambda: instance, instance)
        return Method(bound, instance)

    def _made_for(self, get: Callable[[], Any], instance: Any) -> Function:
        python_function = self.python_function

        def method(*args: Any, **kwargs: Any) -> Any:
            return python_function(get(), *args, **kwargs)

        method.__name__ = method.__qualname__ = self._name
        method.__doc__ = python_function.__doc__
        bound = python_function.__get__(instance)
        method.__signature__ = inspect.signature(bound)  # type: ignore[attr-defined]
        made = Function(method, None, self._relaxed)
        made.input_signature = self.input_signature
        return made

    # ------------------------------------------------------------------ questions

    def experimental_get_tracing_count(self) -> int:
        """How many signatures there were."""
        return len(self._seen)

    def get_concrete_function(self, *args: Any, **kwargs: Any) -> ConcreteFunction:
        """The function for one signature: of tensors, Python values and tf.TensorSpecs."""
        if not args and not kwargs and self.input_signature is not None:
            args = self.input_signature
        return ConcreteFunction(self, args, kwargs)

    def pretty_printed_concrete_signatures(self, verbose: bool = True) -> str:
        """The signatures, or the one that was given."""
        shown = map(repr, self.input_signature or self._seen)
        return f"{self._name}({', '.join(shown)})"

    def _count(self, args: Any, kwargs: Any) -> None:
        new = _Signature(args, kwargs)
        if any(known.covers(new) for known in self._seen):
            return
        if self.input_signature is not None and self._seen:
            return
        if self._relaxed:
            for known in self._seen:
                merged = known.relaxed(new)
                if merged is not None:
                    new = merged
                    break
        self._seen.append(new)

    # ------------------------------------------------------------------ arguments

    def _arguments(self, args: Any, kwargs: Any) -> tuple[Any, Any]:
        if self.input_signature is not None:
            return self._bound(args, kwargs), {}
        if kwargs:
            try:  # f(x, n=3) is f(x, 3)
                found = inspect.signature(self.python_function).bind(*args, **kwargs)
                args, kwargs = found.args, found.kwargs
            except (TypeError, ValueError):
                pass
        return tuple(map(_inward, args)), {name: _inward(x) for name, x in kwargs.items()}

    def _bound(self, args: Any, kwargs: Any) -> tuple[Any, ...]:
        assert self.input_signature is not None
        try:
            found = inspect.signature(self.python_function).bind(*args, **kwargs)
        except TypeError as error:
            raise self._refused(f"{error}", args, kwargs) from None
        values = (*found.args, *found.kwargs.values())
        if len(values) != len(self.input_signature):
            raise self._refused(
                f"{len(values)} arguments for an input_signature of {len(self.input_signature)}",
                args, kwargs,
            )  # fmt: skip
        return tuple(
            self._fitted(value, spec, args, kwargs)
            for value, spec in zip(values, self.input_signature, strict=True)
        )

    def _fitted(self, value: Any, spec: Any, args: Any, kwargs: Any) -> Any:
        if not hasattr(spec, "shape"):
            return value
        is_tensor = isinstance(value, Tensor | Variable)
        try:
            t = natural(value) if is_tensor else convert(value, spec.dtype)
        except (TypeError, ValueError) as error:
            raise self._refused(str(error).splitlines()[0], args, kwargs) from None
        if t.dtype != spec.dtype or not spec.shape.is_compatible_with(t.shape):
            raise self._refused(
                f"Can not cast a tensor of shape {t.shape} and dtype {t.dtype.name} to {spec}",
                args, kwargs,
            )  # fmt: skip
        return t

    def _refused(self, fact: str, args: Any, kwargs: Any) -> RefusedType:
        return RefusedType(
            three_part(
                f"Binding inputs to tf.function failed due to `{fact}`.",
                f"Called at {decode(*here())} with {len(args) + len(kwargs)} arguments.",
                f"The input_signature is {self.input_signature}; cast or reshape what is passed.",
            )
        )


class Method:
    """A `Function` bound to an object, which it keeps alive."""

    def __init__(self, function: Function, instance: Any) -> None:
        self._function, self._instance = function, instance

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._function(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._function, name)

    @property
    def __doc__(self) -> Any:  # type: ignore[override]
        return self._function.__doc__


class ConcreteFunction:
    """A `tf.function` for one signature: called with tensors, in their order."""

    def __init__(self, of: Function, args: Any, kwargs: Any) -> None:
        self._of = of
        self.structured_input_signature = (args, kwargs)
        args, kwargs = tree_map(_inward, (args, kwargs))
        self._leaves, self._rebuild = flatten((args, kwargs))
        self._open = [n for n, x in enumerate(self._leaves) if isinstance(x, Tensor | _spec())]
        self._check()

    def _check(self) -> None:
        """Trace, where the signature has all lengths."""
        filled = list(self._leaves)
        for n in self._open:
            x = filled[n]
            if not isinstance(x, Tensor):
                if not x.shape.is_fully_defined():
                    return
                filled[n] = make(np.zeros(x.shape.as_list(), x.dtype.held())[()])
        args, kwargs = self._rebuild(filled)
        self._of._count(args, kwargs)
        if self._of._is_eager or is_tracing():
            return
        given = tree_map(_given, (args, kwargs))
        try:
            self._of._program._program(*given)
        except _Untraceable as failure:
            # a Variable that is still to be made, or a body that runs eagerly: the call will say
            if not isinstance(failure.__cause__, TypeError):
                raise failure.__cause__ or failure from None

    @property
    def name(self) -> str:
        """A name, as TensorFlow makes one."""
        return f"__inference_{self._of._name}"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        given = [*args, *kwargs.values()]
        if len(given) != len(self._open):
            raise self._refused(f"it takes {len(self._open)} tensors, {len(given)} were given")
        filled = list(self._leaves)
        for n, x in zip(self._open, given, strict=True):
            known = filled[n]
            x = natural(x)
            if x.dtype != known.dtype:
                raise invalid(
                    f"cannot compute {self.name} as input #{n}(zero-based) was expected to be a "
                    f"{known.dtype.name} tensor but is a {x.dtype.name} tensor.",
                    f"Called at {decode(*here())}.",
                    f"Cast it: tf.cast(x, tf.{known.dtype.name}).",
                )
            if not known.shape.is_compatible_with(x.shape):
                raise self._refused(
                    f"a tensor of shape {x.shape} does not fit {known.shape}"
                )
            filled[n] = x
        args, kwargs = self._rebuild(filled)
        return self._of(*args, **kwargs)

    def _refused(self, fact: str) -> RefusedType:
        return RefusedType(
            three_part(
                f"{self.name}: {fact}.",
                f"Called at {decode(*here())}; a concrete function has one signature.",
                "Call the tf.function itself, which is traced for each.",
            )
        )


class _Signature:
    """Structure, types of tensors, and Python values of a call; a length of None is any."""

    def __init__(self, args: Any, kwargs: Any) -> None:
        leaves, rebuild = flatten((args, kwargs))
        self.structure = repr(rebuild(["*"] * len(leaves)))
        self.leaves: list[Any] = [
            (x.dtype.name, tuple(x.shape.as_list())) if isinstance(x, Tensor) else _Fixed(x)
            for x in leaves
        ]

    def covers(self, other: _Signature) -> bool:
        """Whether a call of `other` needs no further trace."""
        return self.structure == other.structure and all(
            a == b or (_is_type(a) and _is_type(b) and a[0] == b[0] and _fits(a[1], b[1]))
            for a, b in zip(self.leaves, other.leaves, strict=True)
        )

    def relaxed(self, other: _Signature) -> _Signature | None:
        """The signature with None for lengths that differ; None where more differs."""
        if self.structure != other.structure:
            return None
        leaves: list[Any] = []
        for a, b in zip(self.leaves, other.leaves, strict=True):
            if a == b:
                leaves.append(a)
            elif _is_type(a) and _is_type(b) and a[0] == b[0] and len(a[1]) == len(b[1]):
                lengths = (m if m == n else None for m, n in zip(a[1], b[1], strict=True))
                leaves.append((a[0], tuple(lengths)))
            else:
                return None
        out = _Signature((), {})
        out.structure, out.leaves = self.structure, leaves
        return out

    def __repr__(self) -> str:
        return ", ".join(map(repr, self.leaves))


def _is_type(x: Any) -> bool:
    return isinstance(x, tuple)


def _fits(known: Any, lengths: Any) -> bool:
    return len(known) == len(lengths) and all(
        m is None or m == n for m, n in zip(known, lengths, strict=True)
    )


def _only_at_first(error: Exception) -> RefusedValue:
    _, cause, remedy = str(error).splitlines()
    return RefusedValue(
        three_part(
            "tf.function only supports singleton tf.Variables created on the first call.",
            cause,
            remedy,
        )
    )


def _spec() -> Any:
    from ..base.specs import TensorSpec

    return TensorSpec


def _flat_specs(signature: Any) -> Iterator[Any]:
    for item in signature:
        if isinstance(item, list | tuple) and not hasattr(item, "dtype"):
            yield from _flat_specs(item)
        else:
            yield item


# ------------------------------------------------------------------------------ from and to tf


def _given(leaf: Any) -> Any:
    """An argument as the engine takes it: tensors are inputs, everything else is static."""
    return bare(leaf) if isinstance(leaf, core.Tensor) else Static(_Fixed(leaf))


def _arriving(leaf: Any) -> Any:
    """An argument as the body takes it."""
    if isinstance(leaf, core.Tensor):
        return natural(leaf)
    return leaf.value if isinstance(leaf, _Fixed) else leaf


def _leaving(leaf: Any) -> Any:
    """A result as the engine takes it."""
    return bare(leaf) if isinstance(leaf, core.Tensor) else leaf


def _shown(leaf: Any) -> Any:
    """A result as a script takes it."""
    return natural(leaf) if isinstance(leaf, core.Tensor | np.ndarray | np.generic) else leaf


def _inward(x: Any) -> Any:
    """Arguments with tensors in place of arrays; numbers stay Python's, as TensorFlow has it."""
    if isinstance(x, np.ndarray | np.generic):
        return natural(x)
    return _through(x, _inward)


def _outward(x: Any) -> Any:
    """Results with tensors in place of numbers and arrays."""
    if isinstance(x, np.ndarray | np.generic | bool | int | float | complex | str | bytes):
        return natural(x)
    if isinstance(x, Variable):
        return x.value()
    return _through(x, _outward)


def _through(x: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return type(x)(*(change(item) for item in x))
    if type(x) in (list, tuple):
        return type(x)(change(item) for item in x)
    if type(x) is dict:
        return {key: change(item) for key, item in x.items()}
    return x
