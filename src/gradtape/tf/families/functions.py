"""`tf.function` and what calls Python: py_function, numpy_function, cond, while_loop, print.

`tf.function` is eager until functions are compiled: its body runs at every call.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import pprint
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ...core.positions import decode, here
from ...errors import three_part
from ..base.dtypes import as_dtype, is_bfloat16
from ..base.errors import RefusedType, RefusedValue, invalid
from ..base.making import convert, export, natural
from ..base.tensors import Tensor
from ..base.variables import Variable

# ------------------------------------------------------------------------------ tf.function


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
    """`func` as TensorFlow calls it: arrays arrive as tensors, and numbers leave as tensors.

    With `input_signature`, arguments are converted to its dtypes and must fit its shapes. The
    options that only concern compilation are accepted.
    """
    if func is None:
        return functools.partial(Function, input_signature=input_signature)
    return Function(func, input_signature)


class Function:
    """What `tf.function` returns."""

    def __init__(self, python_function: Any, input_signature: Any = None) -> None:
        functools.update_wrapper(self, python_function)
        self.python_function = python_function
        self.input_signature = (
            None if input_signature is None else tuple(_flat_specs(input_signature))
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.input_signature is not None:
            args, kwargs = self._bound(args, kwargs), {}
        else:
            args, kwargs = _inward(args), _inward(kwargs)
        return _outward(self.python_function(*args, **kwargs))

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        bound = Function(self.python_function.__get__(instance, owner))
        bound.input_signature = self.input_signature
        return bound

    def get_concrete_function(self, *args: Any, **kwargs: Any) -> Function:
        """The function itself: there is one for all signatures."""
        return self

    def pretty_printed_concrete_signatures(self, verbose: bool = True) -> str:
        """The signature, as far as it was given."""
        name = getattr(self.python_function, "__name__", "function")
        return f"{name}({', '.join(map(repr, self.input_signature or ()))})"

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


def _flat_specs(signature: Any) -> Iterator[Any]:
    for item in signature:
        if isinstance(item, list | tuple) and not hasattr(item, "dtype"):
            yield from _flat_specs(item)
        else:
            yield item


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


@export("init_scope")
@contextlib.contextmanager
def init_scope() -> Iterator[None]:
    """Nothing changes inside: everything is eager, and tapes do not record, as in TensorFlow."""
    from ...core.state import paused

    with paused():
        yield


# ------------------------------------------------------------------------------ control flow


@export("cond")
def cond(pred: Any, true_fn: Any = None, false_fn: Any = None, name: Any = None) -> Any:
    """The result of `true_fn()` where `pred` is true, else that of `false_fn()`."""
    for what, call in (("true_fn", true_fn), ("false_fn", false_fn)):
        if not callable(call):
            raise RefusedType(
                three_part(
                    f"'{what}' must be callable. Received {call!r:.60}.",
                    f"tf.cond was called at {decode(*here())}.",
                    "Pass a function without arguments: lambda: x + 1.",
                )
            )
    return true_fn() if bool(natural(pred)) else false_fn()


@export("while_loop")
def while_loop(
    cond: Any,
    body: Any,
    loop_vars: Any,
    shape_invariants: Any = None,
    parallel_iterations: Any = 10,
    back_prop: Any = True,
    swap_memory: Any = False,
    maximum_iterations: Any = None,
    name: Any = None,
) -> Any:
    """`loop_vars` after `body(*loop_vars)` was called as long as `cond(*loop_vars)` holds."""
    for what, call in (("cond", cond), ("body", body)):
        if not callable(call):
            raise RefusedType(
                three_part(
                    f"'{what}' must be callable. Received {call!r:.60}.",
                    f"tf.while_loop was called at {decode(*here())}.",
                    "Pass a function of the loop variables.",
                )
            )
    if not isinstance(loop_vars, list | tuple) or not loop_vars:
        raise RefusedValue(
            three_part(
                "'loop_vars' must be a list or tuple of at least one loop variable.",
                f"tf.while_loop was called at {decode(*here())}.",
                "Put it into a list: [x].",
            )
        )
    kind = type(loop_vars)
    state = [_outward(item) for item in loop_vars]
    count = 0
    most = None if maximum_iterations is None else int(natural(maximum_iterations).value)
    while (most is None or count < most) and bool(natural(cond(*state))):
        found = body(*state)
        kind = type(found) if isinstance(found, list | tuple) else kind
        found = list(found) if isinstance(found, list | tuple) else [found]
        if len(found) != len(state):
            raise RefusedValue(
                three_part(
                    f"The body returned {len(found)} values for {len(state)} loop variables.",
                    f"tf.while_loop was called at {decode(*here())}.",
                    "Return all of them, in their order.",
                )
            )
        state = [_outward(item) for item in found]
        count += 1
    return kind(state) if not hasattr(kind, "_fields") else kind(*state)


@export("switch_case")
def switch_case(branch_index: Any, branch_fns: Any, default: Any = None, name: Any = None) -> Any:
    """The result of the function that `branch_index` numbers; `default`, or the last, beyond."""
    if isinstance(branch_fns, Mapping):
        calls = dict(branch_fns)
    else:
        calls = dict(
            item if isinstance(item, tuple) else (i, item) for i, item in enumerate(branch_fns)
        )
    if sorted(calls) != list(range(len(calls))):
        raise RefusedValue(
            three_part(
                f"branch indices must form contiguous range of [0 to {len(calls)}) but found "
                f"{sorted(calls)}.",
                f"tf.switch_case was called at {decode(*here())}.",
                "Number the functions from 0.",
            )
        )
    if not isinstance(branch_index, Tensor | Variable):
        raise RefusedType(
            three_part(
                f"switch_case: branch_index must be a Tensor, got {type(branch_index)}.",
                f"Called at {decode(*here())}.",
                "Pass tf.constant(i); or call the function itself, functions[i]().",
            )
        )
    chosen = int(natural(branch_index).value)
    last = calls[max(calls)] if default is None else default
    return calls.get(chosen, last)()


@export("case")
def case(
    pred_fn_pairs: Any,
    default: Any = None,
    exclusive: Any = False,
    strict: Any = False,
    name: Any = "case",
) -> Any:
    """The result of the function beside the first predicate that holds."""
    pairs = [(bool(natural(pred)), call) for pred, call in pred_fn_pairs]
    if not pairs and default is None:
        raise RefusedValue(
            three_part(
                "case: there is no pair and no default.",
                f"Called at {decode(*here())}.",
                "Pass [(predicate, function), ...], or default=function.",
            )
        )
    true = [call for holds, call in pairs if holds]
    if exclusive and len(true) > 1:
        raise invalid(
            f"case: More than one condition evaluated as True: {len(true)} of {len(pairs)}.",
            f"Called at {decode(*here())} with exclusive=True.",
            "Make the conditions exclude each other, or leave exclusive out.",
        )
    if true:
        return true[0]()
    return default() if default is not None else pairs[-1][1]()


@export("group")
def group(*inputs: Any, **kwargs: Any) -> None:
    """Nothing: eagerly, what is grouped has run already."""


@export("no_op")
def no_op(name: Any = None) -> None:
    """Nothing."""


@export("control_dependencies")
@contextlib.contextmanager
def control_dependencies(control_inputs: Any) -> Iterator[None]:
    """What stands inside runs after `control_inputs`, as everything does that is eager."""
    if callable(control_inputs):
        control_inputs()
    yield


# ------------------------------------------------------------------------------ calling Python


def _many(Tout: Any) -> bool:
    return isinstance(Tout, list | tuple)


@export("py_function")
def py_function(func: Any = None, inp: Any = None, Tout: Any = None, name: Any = None) -> Any:
    """`func(*inp)` on tensors, which tapes follow; the results must have the dtypes `Tout`."""
    found = func(*(natural(x) for x in inp))
    wanted = list(Tout) if _many(Tout) else [Tout]
    results = [] if found is None else list(found) if isinstance(found, list | tuple) else [found]
    if len(results) != len(wanted):
        raise invalid(
            f"py_function: the function returned {len(results)} values, Tout names {len(wanted)}.",
            f"Called at {decode(*here())}.",
            "Give one dtype for each result.",
        )
    out = []
    for value, dtype in zip(results, wanted, strict=True):
        dtype = as_dtype(getattr(dtype, "dtype", dtype))
        try:
            out.append(convert(value, dtype))
        except (TypeError, ValueError) as error:
            raise invalid(
                f"py_function: {str(error).splitlines()[0]}",
                f"Called at {decode(*here())}.",
                f"Return tensors of dtype {dtype.name}, or change Tout.",
            ) from None
    return out if _many(Tout) else out[0]


@export("numpy_function")
def numpy_function(
    func: Any = None, inp: Any = None, Tout: Any = None, stateful: Any = True, name: Any = None
) -> Any:
    """`func(*inp)` on arrays: what it computes, no tape follows."""
    found = func(*(natural(x).numpy() for x in inp))
    if not _many(Tout):
        return natural(np.asarray(found))
    results = [] if found is None else list(found) if isinstance(found, list | tuple) else [found]
    return [natural(np.asarray(value)) for value in results]


# ------------------------------------------------------------------------------ tf.print


class _Text:
    """Stands in a nested structure for the text of a tensor."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


@export("print")
def print_tensors(*inputs: Any, **kwargs: Any) -> None:
    """Print tensors and other objects: to stderr, or to `output_stream=`.

    `summarize=` elements are shown at both ends of each axis (3), -1 shows all; `sep=` and `end=`
    are those of Python's print.
    """
    stream = kwargs.pop("output_stream", sys.stderr)
    summarize = kwargs.pop("summarize", 3)
    sep, end = kwargs.pop("sep", " "), kwargs.pop("end", "\n")
    kwargs.pop("name", None)
    if kwargs:
        raise RefusedValue(
            three_part(
                f"Unrecognized keyword arguments for tf.print: {sorted(kwargs)}.",
                f"Called at {decode(*here())}.",
                "It takes output_stream, summarize, sep, end and name.",
            )
        )
    most = 3 if summarize is None else int(summarize)
    text = sep.join(_shown(x, most) for x in inputs) + end
    if isinstance(stream, str):
        _to_file(stream, text)
        return
    stream = {"stdout": sys.stdout, "stderr": sys.stderr}.get(getattr(stream, "name", ""), stream)
    stream.write(text)
    stream.flush()


def _to_file(stream: str, text: str) -> None:
    if not stream.startswith("file://"):
        raise RefusedValue(
            three_part(
                f"Unsupported output stream {stream!r}.",
                f"tf.print was called at {decode(*here())}.",
                "Give sys.stdout, sys.stderr, or 'file:///path/of/file'.",
            )
        )
    with open(stream[len("file://") :], "a", encoding="utf-8") as file:
        file.write(text)


def _shown(x: Any, most: int) -> str:
    if isinstance(x, str):
        return x
    if isinstance(x, Tensor | Variable):
        return _of_tensor(natural(x).value, most)
    return pprint.pformat(_texts(x, most))


def _texts(x: Any, most: int) -> Any:
    if isinstance(x, Tensor | Variable):
        return _Text(_of_tensor(natural(x).value, most))
    if isinstance(x, Mapping):
        return {key: _texts(item, most) for key, item in x.items()}
    if isinstance(x, Sequence) and not isinstance(x, str | bytes):
        items = [_texts(item, most) for item in x]
        return tuple(items) if isinstance(x, tuple) else items
    return x


def _of_tensor(value: Any, most: int, depth: int = 1) -> str:
    if np.ndim(value) == 0:
        return _number(value[()] if isinstance(value, np.ndarray) else value)
    n = len(value)
    if most < 0 or n <= 2 * most:
        parts = [_of_tensor(item, most, depth + 1) for item in value]
    else:
        ends = [*value[:most], *(value[n - most :] if most else [])]
        parts = [_of_tensor(item, most, depth + 1) for item in ends]
        parts.insert(most, "...")
    gap = "\n" * (np.ndim(value) - 1) + " " * depth if np.ndim(value) > 1 else " "
    return f"[{gap.join(parts)}]"


def _number(x: Any) -> str:
    """A number as TensorFlow's C++ writes it: in few digits if they give the same number."""
    if isinstance(x, bytes):
        return f'"{x.decode(errors="backslashreplace")}"'
    if isinstance(x, np.bool_ | bool):
        return str(int(x))
    if isinstance(x, np.complexfloating):
        return f"({_number(x.real)},{_number(x.imag)})"
    if isinstance(x, np.floating) or is_bfloat16(np.asarray(x).dtype):
        kind = np.float64 if type(x) is np.float64 else np.float32  # what C++ writes
        few, many = (15, 17) if kind is np.float64 else (6, 9)
        short = f"{float(x):.{few}g}"
        return short if kind(short) == x or x != x else f"{float(x):.{many}g}"
    return str(x)
