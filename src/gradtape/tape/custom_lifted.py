"""Functions with a rule of the user's in `jvp` and `vmap`, with tapes inside of these or around.

`call` is how such a function is called one level further out (`custom.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np

from ..core.aval import aval_of, is_differentiable
from ..core.cards import Card
from ..core.console import silent
from ..core.exits import muted
from ..core.lift import Batch, Dual, is_lifted
from ..core.state import (
    below,
    next_key,
    state,
)
from ..core.streams import replayed
from ..core.tensor import Tensor, new_traced, raw
from ..core.tree import flatten
from .custom_rule import (
    Rule,
    called,
    checked,
    leaves_of,
    moved_around,
    record_of,
    transposed,
    zeros_of,
)
from .leaving import NUMBERS

__all__ = ["call_batch", "call_dual"]


def call_dual(level: Any, call: Any, f: Any, card: Card, args: Any, kwargs: Any) -> Any:
    """The call inside `jvp`: the rule of the cotangents, transposed, is that of the tangents."""
    leaves, rebuild = flatten(list(args))
    tangents: list[Any] = []
    for i, leaf in enumerate(leaves):
        if not isinstance(leaf, NUMBERS):
            continue
        held = raw(leaf)
        if isinstance(held, Dual) and held.level is level:
            inner = held.primal
            leaves[i] = inner if isinstance(inner, Tensor) else new_traced(inner)
            tangents.append(held.tangent)
        else:
            tangents.append(None)
    with below(level.stamp):
        kept: list[Any] = []

        def keeping(*xs: Any, **options: Any) -> Any:
            y, grad_fn = checked(card, f(*xs, **options))
            kept.append(grad_fn)
            return y, grad_fn

        draws = replayed()
        with draws:
            y = call(keeping, card, tuple(rebuild(leaves)), kwargs)
        outs, again = flatten(y)
        if any(isinstance(d := raw(o), Dual) and d.level is level for o in outs):
            raise moved_around("custom_gradient", card.name)
        avals = [aval_of(raw(o)) for o in outs]
        grad_fn = kept[-1]
        if any(is_lifted(x) for x in leaves):  # that one knows nothing of the levels around
            with muted(), draws, silent():
                grad_fn = checked(card, f(*rebuild(leaves), **kwargs))[1]
        moved = transposed(grad_fn, avals, tangents, ())
    duals = []
    for out, aval, t in zip(outs, avals, moved, strict=True):
        if not is_differentiable(aval.dtype):
            duals.append(out)
            continue
        held = out if state.tapes or is_lifted(out) else raw(out)
        t = zeros_of(aval) if t is None else t
        duals.append(new_traced(Dual(level, held, t), next_key()))
    return _recorded_inside(level, f, card, args, kwargs, again(duals), draws)


def _recorded_inside(
    level: Any, f: Any, card: Card, args: Any, kwargs: Any, y: Any, draws: Any
) -> Any:
    """`y` with a record on the tapes inside the level that follow an input.

    These play the rule on lifts, so that its own derivative is taken: of a second call, which
    draws the random numbers of the first again.
    """
    newer = [t for t in state.tapes if t.level > level.stamp]
    if not newer:
        return y
    inputs = [leaf for leaf in flatten(list(args))[0] if isinstance(leaf, NUMBERS)]
    starts = [(tape, len(tape.ops)) for tape in newer]
    stamp = next_key()
    with draws, silent():
        grad_fn, variables = called(f, card, args, kwargs, inputs)[1:]
    for v in variables:
        for tape in newer:
            v.read_by(tape)
    followed = [x.key for x in (*inputs, *variables) if isinstance(x, Tensor)]
    if not any(key in t.tracked for t in newer for key in followed):
        return y
    rule = Rule(grad_fn, len(inputs), variables)
    for tape in newer:
        tape.is_lifted = True
    return record_of(card, rule, inputs, y, starts, stamp)


def call_batch(level: Any, call: Any, f: Any, card: Card, args: Any, kwargs: Any) -> Any:
    """The call inside `vmap`, where something around follows the batch: one of all examples."""
    leaves, rebuild = flatten(list(args))
    moves = [i for i, leaf in enumerate(leaves) if isinstance(leaf, NUMBERS)]
    batched = [
        isinstance(held := raw(leaves[i]), Batch) and held.level is level for i in moves
    ]  # fmt: skip
    inner = [
        _inside(leaves[i]) if mark else leaves[i] for i, mark in zip(moves, batched, strict=True)
    ]
    build: Any = None

    def lift(x: Any) -> Any:
        return new_traced(Batch(level, x), next_key())

    def every(*xs: Any) -> Any:
        nonlocal build
        new = list(leaves)
        for i, x, mark in zip(moves, xs, batched, strict=True):
            new[i] = lift(x) if mark else x
        y, grad_fn = checked(card, f(*rebuild(new), **kwargs))
        outs, again = flatten(y)
        at = [i for i, out in enumerate(outs) if isinstance(out, NUMBERS)]

        def build(found: Any) -> Any:
            for i, out in zip(at, found, strict=True):
                outs[i] = new_traced(Batch(level, out), next_key())
            return again(outs)

        def rule(*cts: Any, variables: Any = ()) -> Any:
            options = {"variables": variables} if variables else {}
            with _within(level):
                result = grad_fn(*map(lift, cts), **options)
                if not variables:
                    return _gathered(level, leaves_of(result), batched)
                first, second = result
                of_variables = _gathered(level, leaves_of(second), [False] * len(variables))
                return _gathered(level, leaves_of(first), batched), of_variables

        return [_in_front(level, outs[i]) for i in at], rule

    draws = replayed()
    with below(level.stamp), draws:
        found = call(every, card, tuple(inner), {})
    return _recorded_inside(level, f, card, args, kwargs, build(found), draws)


@contextmanager
def _within(level: Any) -> Iterator[None]:
    """The level of a batch, for a rule that a sweep plays: during the call, or long after it.

    What records now is around the batch, though it may have begun after it.
    """
    stamp = level.stamp
    level.stamp = next_key()
    try:
        with nullcontext() if level.active else level:
            yield
    finally:
        level.stamp = stamp


def _inside(x: Any) -> Any:
    held = raw(x).inner
    return held if isinstance(held, Tensor) else new_traced(held)


def _in_front(level: Any, x: Any) -> Any:
    """A result of all examples, repeated where it is the same for each."""
    held = raw(x)
    if isinstance(held, Batch) and held.level is level:
        return _inside(x)
    function: Any = np.broadcast_to
    return function(x, (level.size, *np.shape(held)))


def _gathered(level: Any, gradients: Any, batched: Any) -> list[Any]:
    """The gradients of all examples; of an input that all share, their sum."""
    found: list[Any] = []
    for g, mark in zip(gradients, batched, strict=False):
        whole = None if g is None else _in_front(level, g)
        found.append(whole if mark or whole is None else np.sum(whole, axis=0))
    return [*found, *gradients[len(found) :]]  # one too many is told by the check of their number
