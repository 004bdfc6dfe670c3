"""How operations run on lifts: by the card's jvp at a level of `jvp`, by its batching at `vmap`'s.

`dispatch.apply` comes here where an operand, or an index among the parameters, is a lift. The
innermost level plays the operation on the values inside, with the tapes that are older than it
recording; the tapes that were entered inside the level record the operation on the lifts, as
`apply` records it on arrays.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..errors import GradientWarning, TracingError, UnsupportedOperationError, three_part
from . import dispatch
from .aval import INEXACT, aval_of
from .batched_card import batched_card, traced_batch
from .card import Card
from .console import silent
from .lift import Batch, Dual, Level, Lift
from .operands import ended
from .positions import decode, user_frame
from .refusals import LOWER, refuse
from .registry import HOOKS
from .rows import rows_of, stilled
from .state import Recorder, below, next_key, state, taking_part
from .symbol import Symbol, is_traced
from .tensor import Tensor, new_tensor, new_traced, raw, settled
from .variable import Variable

ndarray = np.ndarray


def lifts_in(tree: Any) -> Iterator[Lift]:
    """The lifts among values, Tensors, and tuples, lists, dicts and slices of them."""
    if isinstance(tree, Lift):
        yield tree
    elif isinstance(tree, Tensor):
        value = tree.read()
        if isinstance(value, Lift):
            yield value
    elif type(tree) is tuple or type(tree) is list:
        for item in tree:
            yield from lifts_in(item)
    elif type(tree) is dict:
        yield from lifts_in(list(tree.values()))
    elif type(tree) is slice:
        yield from lifts_in((tree.start, tree.stop, tree.step))


def innermost(tree: Any) -> Level | None:
    """The innermost level that a lift in `tree` belongs to, if there is one."""
    found: Level | None = None
    for lift in lifts_in(tree):
        if found is None or lift.level.stamp > found.stamp:
            found = lift.level
    if found is not None and not found.active:
        raise TracingError(
            three_part(
                f"A value of {found.name} is used after that call has ended.",
                f"It was used at {decode(*_here())}; it left the function other than by its "
                "result (a global, an attribute, a list of the caller's).",
                "Return it from the function: with has_aux=True beside the result.",
            )
        )
    return found


def _here() -> Any:
    frame = user_frame()
    return frame.f_code, frame.f_lasti


def run(
    card: Card, values: list[Any], operands: Any, params: dict[str, Any]
) -> tuple[Any, tuple[Recorder, ...]]:
    """(the raw result, the tapes that may record it) of `card` on values with lifts among them."""
    level = innermost([values, params])
    assert level is not None
    trace = _younger_trace(level)
    if trace is not None:  # the function that is traced uses values of the call around it
        values[:] = [
            trace.taken(v, x) if isinstance(v, Lift) else v
            for v, x in zip(values, operands, strict=True)
        ]
        return trace.call(card, values, operands, _taken(params)), state.tapes
    newer = tuple(t for t in state.tapes if t.level > level.stamp)
    play = _run_dual if level.size is None else _run_batch
    if newer:
        with below(level.stamp):
            return play(level, card, values, operands, params), newer
    return play(level, card, values, operands, params), ()


def _running_trace() -> Any:
    return state.tapes[0] if state.tapes and state.tapes[0].is_trace else None


def _younger_trace(level: Level) -> Any:
    """The trace that runs now, if it began inside `level`."""
    trace = _running_trace()
    return trace if trace is not None and trace.level > level.stamp else None


def _taken(tree: Any) -> Any:
    """`tree` with inputs of the trace in place of lifts of the levels that it began in."""
    trace = _running_trace()
    if trace is None:
        return tree
    if isinstance(tree, Lift):
        return trace.taken(tree, tree) if trace.level > tree.level.stamp else tree
    if isinstance(tree, Tensor):
        value = tree.read()
        if isinstance(value, Lift) and trace.level > value.level.stamp:
            return new_traced(trace.taken(value, tree), tree.key, tree.why)
        return tree
    if type(tree) is tuple or type(tree) is list:
        return type(tree)(map(_taken, tree))
    if type(tree) is dict:
        return {name: _taken(item) for name, item in tree.items()}
    if type(tree) is slice:
        return slice(*map(_taken, (tree.start, tree.stop, tree.step)))
    return tree


def _inner(value: Any, operand: Any) -> Any:
    """An operand of outer levels as they shall see it: with its history where one is kept."""
    if isinstance(value, Lift | Symbol):
        return operand if isinstance(operand, Tensor) else new_traced(value)
    if state.tapes and isinstance(operand, Tensor):
        return operand
    return value


def _opened(x: Any) -> Any:
    """What a lift holds, as an operand: a raw lift, or what is traced, becomes a Tensor."""
    return new_traced(x) if isinstance(x, Lift | Symbol) else x


def _version(x: Any) -> Any:
    """A Variable as what is read of it now: to a program it would be the object."""
    return new_traced(x.read(), x.key) if isinstance(x, Variable) else x


def _is_unknown(tree: Any) -> bool:
    """Whether a parameter, or a part of one (of an index), is a value that is not known."""
    if type(tree) is dict:
        return any(map(_is_unknown, tree.values()))
    return any(map(_is_unknown, tree)) if type(tree) is tuple else is_traced(tree)


def _evaluate(card: Card, operands: Any, params: dict[str, Any]) -> Any:
    if (
        any(isinstance(x, Tensor) for x in operands)
        or (state.levels > 1 and next(lifts_in(params), None) is not None)
        or (_running_trace() is not None and _is_unknown(params))
    ):
        return dispatch.apply(card, tuple(operands), params)
    try:
        z = card.impl(*operands, **params)
    except LOWER as error:
        refuse(error, card.name, operands, params)
    if type(z) is tuple or type(z) is list:
        return tuple(settled(np.asarray(part)) for part in z)
    return z[()] if type(z) is ndarray and z.ndim == 0 else z


# ----------------------------------------------------------------------------- forward mode


def _run_dual(level: Level, card: Card, values: Any, operands: Any, params: Any) -> Any:
    primals, tangents = [], []
    for value, operand in zip(values, operands, strict=True):
        if type(value) is Dual and value.level is level:
            primals.append(_opened(value.primal))
            tangents.append(_opened(value.tangent))
        else:
            primals.append(_inner(value, operand))
            tangents.append(None)
    if card.push is not None:
        with silent(params.get("quiet", False)):
            results, moves = card.push([_version(x) for x in primals], tangents)
        return tuple(_dual(level, x, t) for x, t in zip(results, moves, strict=True))
    params = _map(params, level, lambda lift: lift.primal)
    out = _evaluate(card, primals, params)
    if card.jvps is None:
        raise _no_rule(level, card, values)
    many = type(out) is tuple
    parts = out if many else (out,)
    if not any(part.dtype.char in INEXACT for part in parts):
        return tuple(map(raw, out)) if many else raw(out)
    with np.errstate(all="ignore"):
        t = card.jvp(tangents, out, primals, params)
        rows = rows_of(card, params)
        if rows is not None and t is not None:
            t = stilled(rows, tangents, [aval_of(raw(x)) for x in primals], params, t)
    if not many:
        return _dual(level, out, t)
    return tuple(_dual(level, x, None if t is None else t[i]) for i, x in enumerate(out))


def _dual(level: Level, out: Any, t: Any) -> Any:
    if out.dtype.char not in INEXACT:
        return raw(out)
    if t is None:
        t = settled(np.zeros(out.shape, out.dtype))
    else:
        if t.dtype.kind == "c" and out.dtype.kind != "c":
            t = np.real(t)
        if t.shape != out.shape:
            t = np.broadcast_to(t, out.shape)
    return Dual(level, out, t)


def _no_rule(level: Level, card: Card, values: Any) -> UnsupportedOperationError:
    shapes = ", ".join(repr(aval_of(v)) for v in values)
    return UnsupportedOperationError(
        three_part(
            f"{level.name}: {card.name}({shapes}) has no derivative rule.",
            f"It was called at {decode(*_here())}, on the way from the primals.",
            "Write it with NumPy functions that have one, give it a rule with "
            "@gt.custom_jvp, or cut the path with gt.stop_gradient(...).",
        )
    )


def _map(tree: Any, level: Level, function: Callable[[Any], Any]) -> Any:
    """`tree` with `function` applied to the lifts of `level` in it."""
    if isinstance(tree, Lift):
        return function(tree) if tree.level is level else tree
    if isinstance(tree, Tensor):
        value = tree.read()
        return function(value) if isinstance(value, Lift) and value.level is level else tree
    if type(tree) is tuple or type(tree) is list:
        return type(tree)(_map(item, level, function) for item in tree)
    if type(tree) is dict:
        return {name: _map(item, level, function) for name, item in tree.items()}
    if type(tree) is slice:
        return slice(*(_map(p, level, function) for p in (tree.start, tree.stop, tree.step)))
    return tree


# ---------------------------------------------------------------------------------- batches


def _run_batch(level: Level, card: Card, values: Any, operands: Any, params: Any) -> Any:
    assert level.size is not None
    if card.spread is None and any(lift.level is level for lift in lifts_in(params)):
        inner = [_of_level(v, x, level) for v, x in zip(values, operands, strict=True)]
        return _looped(level, card.name, lambda xs, ps: _evaluate(card, xs, ps), inner, params)
    if card.batch_rule is None and card.spread is None:
        _say_once(card.name)
        inner = [_of_level(v, x, level) for v, x in zip(values, operands, strict=True)]
        return _looped(level, card.name, lambda xs, ps: _evaluate(card, xs, ps), inner, params)
    xs: list[Any] = []
    axes: list[int | None] = []
    has_tensor = False
    places: Any
    for value, operand in zip(values, operands, strict=True):
        if type(value) is Batch and value.level is level:
            x, axis = _opened(value.inner), 0
        else:
            x, axis = _inner(value, operand), None
        has_tensor = has_tensor or isinstance(x, Tensor)
        xs.append(x)
        axes.append(axis)
    try:
        if card.spread is not None:
            with silent(params.get("quiet", False)), taking_part(level.part):
                out, places = card.spread(level.size, [_version(x) for x in xs], axes)
            out, places = tuple(out), tuple(places)
        elif has_tensor and card.kind == "elementwise" and "where" not in params:
            out = _evaluate(card, HOOKS["align_batch"](xs, axes), params)
            places = 0 if card.outputs == 1 else (0,) * card.outputs
        elif has_tensor:
            found = None
            if _running_trace() is not None:
                found = traced_batch(card, tuple(axes), level.size, xs, params)
            if found is not None:
                out, places = found
            else:
                out = _evaluate(batched_card(card, tuple(axes), level.size), xs, params)
                places = (0,) * len(out) if type(out) is tuple else 0
        else:
            out, places = card.batch(level.size, xs, axes, params)
    except LOWER as error:
        refuse(error, card.name, operands, params)
    if type(places) is tuple:
        return tuple(_batch(level, x, a) for x, a in zip(out, places, strict=True))
    return _batch(level, out, places)


def _batch(level: Level, out: Any, axis: int | None) -> Any:
    if axis is None:
        return raw(out)
    if axis:
        out = np.moveaxis(out, axis, 0)
    return Batch(level, out if isinstance(out, Tensor | Lift | Symbol) else np.asarray(out))


def _of_level(value: Any, operand: Any, level: Level) -> Any:
    if isinstance(value, Lift) and value.level is level:
        return value
    return _inner(value, operand)


_said: set[str] = set()


def _say_once(name: str) -> None:
    if name in _said:
        return
    _said.add(name)
    warnings.warn(
        three_part(
            f"vmap: {name} has no batching rule.",
            f"It was called at {decode(*_here())}; it runs once for each example.",
            "Write it with NumPy functions that have one, where that is too slow.",
        ),
        GradientWarning,
        stacklevel=2,
    )


def _looped(level: Level, name: str, function: Any, *trees: Any, open: Any = None) -> Any:
    """`function(*trees)` for each example, and the results stacked.

    `open` says how the function takes lifts of outer levels: as Tensors, if it is not given.
    """
    open = open or _opened
    size = level.size
    assert size is not None
    if size == 0:
        raise UnsupportedOperationError(
            three_part(
                f"vmap: {name} has no batching rule for these arguments, and there is no example.",
                f"It was called at {decode(*_here())}; the shape of its result is not known.",
                "Call the function where there is at least one example.",
            )
        )

    def example(i: int) -> Any:
        return function(*(_map(t, level, lambda lift: open(open(lift.inner)[i])) for t in trees))

    results = [example(i) for i in range(size)]
    return _stacked(level, results)


def _stacked(level: Level, results: list[Any]) -> Any:
    first = results[0]
    if first is None or isinstance(first, str | np.dtype):
        return first
    if isinstance(first, tuple | list):
        parts = [_stacked(level, list(part)) for part in zip(*results, strict=True)]
        return type(first)(parts) if not hasattr(first, "_fields") else type(first)(*parts)
    if len({np.shape(result) for result in results}) > 1:
        shapes = ", ".join(sorted({str(np.shape(result)) for result in results}))
        raise TracingError(
            three_part(
                f"vmap: the examples' results have different shapes: {shapes}.",
                f"Called at {decode(*_here())}; all examples must have results of one shape.",
                "Keep the shape and mark what counts, np.where(mask, x, 0); or loop over the "
                "examples: [f(x) for x in xs].",
            )
        )
    return Batch(level, np.stack(results))


# --------------------------------------------------------- functions that have no derivative


_SHIFTED = {name: getattr(np, name) for name in (
    "argmax", "argmin", "nanargmax", "nanargmin", "argsort", "count_nonzero", "all", "any",
)}  # fmt: skip


def nondifferentiable(name: str, function: Any, operation: Any, args: Any, kwargs: Any) -> Any:
    """A function without derivative: of the values at a level of `jvp`, of each example else."""
    args, kwargs = _taken(args), _taken(kwargs)
    level = innermost([args, kwargs])
    if level is None:
        return operation(*args, **kwargs)
    with below(level.stamp):
        if level.size is None:
            found = operation(
                *_map(args, level, lambda lift: _tensor(lift.primal)),
                **_map(kwargs, level, lambda lift: _tensor(lift.primal)),
            )
            return _without(found, args, name)
        found = _batched_call(level, name, function, operation, args, kwargs)
    return _without(found, args, name)


def _batched_call(
    level: Level, name: str, function: Any, operation: Any, args: Any, kwargs: Any
) -> Any:
    is_ufunc = isinstance(function, np.ufunc) and function.signature is None
    if (is_ufunc or name in ("equal", "not_equal")) and not kwargs:
        xs, axes = [], []
        for x in args:
            value = x.read() if isinstance(x, Tensor) else x
            mine = isinstance(value, Batch) and value.level is level
            xs.append(_tensor(value.inner) if mine else x)
            axes.append(0 if mine else None)
        found = operation(*HOOKS["align_batch"](xs, axes))
        if type(found) is tuple:
            return tuple(Batch(level, raw(part)) for part in found)
        return Batch(level, raw(found))
    if name in _SHIFTED and len(args) == 1 and isinstance(kwargs.get("axis", 0), int):
        x = args[0].read() if isinstance(args[0], Tensor) else args[0]
        axis = kwargs.get("axis", -1 if name == "argsort" else None)
        if not kwargs.get("keepdims") and set(kwargs) <= {"axis", "keepdims"} and x.ndim:
            inner = _tensor(x.inner)
            if axis is None:
                inner, axis = np.reshape(inner, (level.size, x.size)), 0
            found = operation(inner, axis=axis + 1 if axis >= 0 else axis)
            return Batch(level, raw(found))
    return _looped(level, name, lambda a, k: operation(*a, **k), args, kwargs)


def _tensor(x: Any) -> Any:
    return x if isinstance(x, Tensor) else new_traced(x)


def _without(found: Any, args: Any, name: str) -> Any:
    """`found` as Tensors that no tape follows, and that say why."""
    if type(found) is tuple or type(found) is list:
        parts = [_without(part, args, name) for part in found]
        return type(found)(parts) if not hasattr(found, "_fields") else type(found)(*parts)
    if isinstance(found, Lift | ndarray | np.generic):
        keys = [x.key for x in args if isinstance(x, Tensor)]
        return new_traced(found, 0, ended(None, "nondifferentiable", keys, name))
    return found


def uncarded(name: str, function: Any, args: Any, kwargs: Any) -> Any:
    """A NumPy function without a card on lifts: looped over examples, refused to derivatives."""
    args, kwargs = _taken(args), _taken(kwargs)
    level = innermost([args, kwargs])
    if level is None:
        return function(*args, **kwargs)
    if level.size is None:
        plain = [aval_of(lift) for lift in lifts_in([args, kwargs]) if lift.level is level]
        raise UnsupportedOperationError(
            three_part(
                f"{level.name}: {name}({', '.join(map(repr, plain))}) has no derivative rule.",
                f"It was called at {decode(*_here())}, on the way from the primals.",
                "Write it with NumPy functions that have one, give it a rule with "
                "@gt.custom_jvp, or cut the path with gt.stop_gradient(...).",
            )
        )
    with below(level.stamp):
        _say_once(name)

        def call(a: Any, k: Any) -> Any:
            found = function(*a, **k)
            return found if isinstance(found, Tensor | tuple | list) else new_tensor(found)

        found = _looped(level, name, call, args, kwargs)
    return _without(found, args, name)


def composite(name: str, body: Any, args: Any, kwargs: Any) -> Any:
    """A composite on lifts: its body; looped over examples where that asks for their numbers."""
    args, kwargs = _taken(args), _taken(kwargs)
    level = innermost([args, kwargs])
    if level is None:
        return body(*args, **kwargs)
    if level.size is None:
        return body(*args, **kwargs)
    try:
        return body(*args, **kwargs)
    except (TracingError, RecursionError):
        if any(t.level > level.stamp for t in state.tapes):  # they would not see the examples
            raise
    _say_once(name)

    def call(a: Any, k: Any) -> Any:
        outer = next(lifts_in((a, k)), None) is not None
        found = composite(name, body, a, k) if outer else body(*a, **k)
        return found if isinstance(found, Tensor | tuple | list) else new_tensor(found)

    found = _looped(level, name, call, args, kwargs)
    return _wrapped_all(found)


def _wrapped_all(found: Any) -> Any:
    if type(found) is tuple or type(found) is list or hasattr(found, "_fields"):
        parts = list(map(_wrapped_all, found))
        return type(found)(*parts) if hasattr(found, "_fields") else type(found)(parts)
    return new_traced(found, next_key()) if isinstance(found, Lift) else found


def raw_call(function: Any, args: Any, kwargs: Any) -> Any:
    """`function` on raw values with lifts among them: of a Dual the value, of a Batch each."""
    args, kwargs = _taken(_plain(args)), _taken(_plain(kwargs))
    level = innermost([args, kwargs])
    if level is None:
        return function(*args, **kwargs)
    name = getattr(function, "__name__", "operation")
    if isinstance(function, np.ufunc) and function.signature is None and not kwargs:
        mine = [isinstance(x, Batch) and x.level is level for x in args]
        xs = [x.inner if m else x for x, m in zip(args, mine, strict=True)]
        if not any(isinstance(x, Lift) for x in xs):
            found = function(*HOOKS["align_batch"](xs, [0 if m else None for m in mine]))
            if type(found) is tuple:
                return tuple(Batch(level, part) for part in found)
            return Batch(level, found)
    return _looped(level, name, lambda a, k: function(*a, **k), args, kwargs, open=lambda x: x)


def _plain(tree: Any) -> Any:
    if isinstance(tree, Lift):
        return tree.plain()
    if type(tree) is tuple or type(tree) is list:
        return type(tree)(map(_plain, tree))
    if type(tree) is dict:
        return {name: _plain(item) for name, item in tree.items()}
    return tree


HOOKS["lifted_raw"] = raw_call
HOOKS["holds_lift"] = lambda tree: next(lifts_in(tree), None) is not None
HOOKS["innermost"] = innermost
HOOKS["lift"] = run
HOOKS["lift_nondifferentiable"] = nondifferentiable
HOOKS["lift_uncarded"] = uncarded
HOOKS["lift_composite"] = composite
