"""What calls functions: cond, while_loop, case, py_function, numpy_function; and print.

Where nothing is traced, control flow is Python's. While a `tf.function` is traced it is the
engine's, one node of the program.
"""

from __future__ import annotations

import contextlib
import functools
import pprint
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ...core import tensor as core
from ...core.console import print_when_run
from ...core.positions import decode, here
from ...core.symbol import is_traced
from ...core.tree import flatten, tree_map
from ...errors import three_part
from ...graph import control, loops
from ..base.dtypes import as_dtype, is_bfloat16
from ..base.errors import RefusedType, RefusedValue, invalid
from ..base.graphs import Claimed, is_tracing
from ..base.making import adopt, bare, convert, export, native, natural
from ..base.tensors import Tensor, make
from ..base.variables import Variable


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
    return _choose(natural(pred), true_fn, false_fn)


def _choose(pred: Any, true_fn: Any, false_fn: Any) -> Any:
    """`cond` for a tensor; in a program, whose results are tensors, by the engine."""
    if not is_traced(pred):
        return true_fn() if bool(pred) else false_fn()
    dtypes: list[list[Any]] = []

    def branch(f: Any) -> Any:
        found = tree_map(_native, _outward(f()))
        kinds = [x.read().dtype for x in flatten(found)[0] if isinstance(x, core.Tensor)]
        if dtypes and len(kinds) == len(dtypes[0]) and kinds != dtypes[0]:
            raise RefusedType(
                three_part(
                    f"tf.cond: true_fn and false_fn return {[str(k) for k in dtypes[0]]} and "
                    f"{[str(k) for k in kinds]}.",
                    f"Called at {decode(*here())}; a program has results of one dtype.",
                    "Cast one of them: tf.cast(x, tf.float32).",
                )
            )
        dtypes.append(kinds)
        return found

    calls = [functools.partial(branch, f) for f in (true_fn, false_fn)]
    return adopt(control.cond(native(pred), *calls))


def _native(leaf: Any) -> Any:
    return bare(leaf) if isinstance(leaf, core.Tensor) else leaf


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
    if is_tracing():
        return kind(_looped(cond, body, state, maximum_iterations))
    count = 0
    most = None if maximum_iterations is None else int(natural(maximum_iterations).value)
    while (most is None or count < most) and bool(natural(cond(*state))):
        found = body(*state)
        kind = type(found) if isinstance(found, list | tuple) else kind
        found = list(found) if isinstance(found, list | tuple) else [found]
        if len(found) != len(state):
            raise _wrong_number(found, state)
        state = [_outward(item) for item in found]
        count += 1
    return kind(state) if not hasattr(kind, "_fields") else kind(*state)


def _looped(cond: Any, body: Any, state: list[Any], most: Any) -> list[Any]:
    """The loop as one node of the program; what is carried keeps its shapes."""

    def holds(carry: Any) -> Any:
        turn, carried = carry
        found = native(natural(cond(*map(adopt, carried))))
        return found if most is None else np.logical_and(found, turn < native(most, np.int64))

    def turned(carry: Any) -> Any:
        turn, carried = carry
        found = body(*map(adopt, carried))
        found = list(found) if isinstance(found, list | tuple) else [found]
        if len(found) != len(state):
            raise _wrong_number(found, state)
        return turn + 1, [tree_map(_native, _outward(item)) for item in found]

    start = core.new_tensor(np.int64(0)), [tree_map(_native, item) for item in state]
    return [adopt(x) for x in loops.repeated(holds, turned, start, "tf.while_loop", own=1)[1]]


def _wrong_number(found: Any, state: Any) -> RefusedValue:
    return RefusedValue(
        three_part(
            f"The body returned {len(found)} values for {len(state)} loop variables.",
            f"tf.while_loop was called at {decode(*here())}.",
            "Return all of them, in their order.",
        )
    )


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
    last = calls[max(calls)] if default is None else default
    index = natural(branch_index)
    if index.read().dtype.kind not in "iu":
        raise RefusedType(
            three_part(
                f"switch_case: branch_index is {index.dtype.name}, no integer.",
                f"Called at {decode(*here())}.",
                "Cast it: tf.cast(index, tf.int32).",
            )
        )
    if is_traced(index):
        return _among(native(index), calls, last)
    return calls.get(int(index.value), last)()


def _among(index: Any, calls: dict[int, Any], last: Any) -> Any:
    rest = last
    for i in sorted(calls, reverse=True):
        rest = functools.partial(_choose, adopt(np.equal(index, i)), calls[i], rest)
    return rest()


@export("case")
def case(
    pred_fn_pairs: Any,
    default: Any = None,
    exclusive: Any = False,
    strict: Any = False,
    name: Any = "case",
) -> Any:
    """The result of the function beside the first predicate that holds.

    InvalidArgumentError where none does and there is no `default`, or several with `exclusive`.
    """
    least, most = int(default is None), 1 if exclusive else len(pred_fn_pairs)
    claim = Claimed("case", least, most, str(decode(*here())))
    if any(is_traced(natural(pred)) for pred, _ in pred_fn_pairs):
        return _first(list(pred_fn_pairs), default, claim)
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
    claim.look(len(true))
    return true[0]() if true else default()


def _first(pairs: list[tuple[Any, Any]], default: Any, claim: Claimed) -> Any:
    """The result of the first function whose predicate holds, in a program."""
    preds = [natural(pred) for pred, _ in pairs]
    count = functools.reduce(np.add, [np.where(native(pred), 1, 0) for pred in preds])
    preds[0] = adopt(core.new_traced(claim.impl(core.raw(native(preds[0])), core.raw(count))))
    rest = default if default is not None else pairs[-1][1]
    for pred, (_, call) in zip(reversed(preds), reversed(pairs), strict=True):
        rest = functools.partial(_choose, pred, call, rest)
    return rest()


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
    if isinstance(stream, str):
        _check_file(stream)
    leaves, rebuild = flatten(list(inputs))
    where = [n for n, x in enumerate(leaves) if isinstance(x, Tensor | Variable)]

    def show(*values: Any) -> None:
        filled = list(leaves)
        for n, value in zip(where, values, strict=True):
            filled[n] = make(value)
        text = sep.join(_shown(x, most) for x in rebuild(filled)) + end
        if isinstance(stream, str):
            with open(stream[len("file://") :], "a", encoding="utf-8") as file:
                file.write(text)
            return
        known = {"stdout": sys.stdout, "stderr": sys.stderr}
        found = known.get(getattr(stream, "name", ""), stream)
        found.write(text)
        found.flush()

    print_when_run(show, [bare(leaves[n]) for n in where])


def _check_file(stream: str) -> None:
    if not stream.startswith("file://"):
        raise RefusedValue(
            three_part(
                f"Unsupported output stream {stream!r}.",
                f"tf.print was called at {decode(*here())}.",
                "Give sys.stdout, sys.stderr, or 'file:///path/of/file'.",
            )
        )


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
