"""The batching of a card as a card of its own, for batches that something around follows.

A batching rule computes with raw arrays. Where the values inside a batch are followed by an outer
tape, or are lifts of an outer level, the batched operation is one operation to those: its value is
that of the batching rule, its derivatives are the card's own rules under `vmap`, and its batching
merges both batches into one.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from .aval import Aval
from .card import Card
from .lift import Batch, Level
from .rows import OfBatch
from .state import next_key, state
from .tensor import Tensor, new_traced, settled

Axes = tuple[int | None, ...]


@functools.lru_cache(maxsize=512)
def batched_card(card: Card, axes: Axes, size: int) -> Card:
    """`card` on operands that have the batch in front where `axes` has a 0."""
    name = f"{card.name} of a batch"  # a pass knows an operation by its name
    made = Card(name, "primitive", functools.partial(_value, card, axes, size), card.arity, False)
    made.outputs, made.drops, made.rows = card.outputs, True, OfBatch(card, axes)
    made.vjps = functools.partial(_vjp, card, axes, size) if card.vjps is not None else None
    made.jvps = functools.partial(_jvp, card, axes, size) if card.jvps is not None else None
    made.shape_rule = functools.partial(_shape, card, axes, size)
    made.batch_rule = functools.partial(_batch, card, axes, size)
    return made


def traced_batch(card: Card, axes: Axes, size: int, operands: Any, params: Any) -> Any:
    """(out, places) by the batching rule on traced Tensors, where all that it does is the card.

    A sum of each example is a sum over other axes, which a backend knows. None where the rule does
    something else: its derivative might not be the card's.
    """
    trace = state.tapes[0]
    if card.batch_rule is None:
        return None
    return trace.attempt(  # type: ignore[attr-defined]
        lambda: card.batch(size, operands, list(axes), params), {card.name, *_MOVES}
    )


_MOVES = ("reshape", "transpose", "broadcast_to")


def _value(card: Card, axes: Axes, size: int, /, *operands: Any, **params: Any) -> Any:
    out, places = card.batch(size, operands, list(axes), params)
    if type(places) is tuple:
        return tuple(_front(x, a, size) for x, a in zip(out, places, strict=True))
    return _front(out, places, size)


def _front(x: Any, axis: int | None, size: int) -> Any:
    if axis is None:
        return np.broadcast_to(x, (size, *np.shape(x)))
    return np.moveaxis(x, axis, 0) if axis else x


def _lift(level: Level, x: Any, axis: int | None) -> Any:
    return x if axis is None or x is None else new_traced(Batch(level, x), next_key())


def _lifted(level: Level, out: Any) -> Any:
    if type(out) is tuple:
        return tuple(_lift(level, x, 0) for x in out)
    return _lift(level, out, 0)


def _inner(level: Level, x: Any) -> tuple[Any, bool]:
    """What a rule gave, and whether it has the batch in front."""
    held = x.read() if isinstance(x, Tensor) else x
    if isinstance(held, Batch) and held.level is level:
        return held.inner, True
    return x, False


def _vjp(
    card: Card, axes: Axes, size: int, i: int, ct: Any, out: Any, /, *operands: Any, **params: Any
) -> Any:
    if not card.has_vjp(i):
        return None
    level = Level("vmap", size)
    with level:
        xs = [_lift(level, x, a) for x, a in zip(operands, axes, strict=True)]
        g = card.vjp(i, _lifted(level, ct), _lifted(level, out), xs, params)
        if g is None:
            return None
        g, has_batch = _inner(level, g)
    if axes[i] is not None:
        return g if has_batch else np.broadcast_to(g, (size, *np.shape(g)))
    return np.sum(g, axis=0) if has_batch else g * size


def _jvp(
    card: Card, axes: Axes, size: int, i: int, t: Any, out: Any, /, *operands: Any, **params: Any
) -> Any:
    level = Level("vmap", size)
    with level:
        xs = [_lift(level, x, a) for x, a in zip(operands, axes, strict=True)]
        ts: list[Any] = [None] * len(xs)
        ts[i] = _lift(level, t, axes[i])
        found = card.jvp(ts, _lifted(level, out), xs, params)
        parts = found if type(found) is tuple else (found,)
        outs = out if type(out) is tuple else (out,)
        results = []
        for part, whole in zip(parts, outs, strict=True):
            if part is None:
                results.append(settled(np.zeros(whole.shape, whole.dtype)))
                continue
            inner, has_batch = _inner(level, part)
            results.append(inner if has_batch else np.broadcast_to(inner, whole.shape))
    return tuple(results) if type(found) is tuple else results[0]


def _shape(card: Card, axes: Axes, size: int, /, *avals: Any, **params: Any) -> Any:
    single = [
        a if axis is None else Aval(a.shape[1:], a.dtype)
        for a, axis in zip(avals, axes, strict=True)
    ]
    ruled = card.shape(single, params)
    many = type(ruled) is tuple
    found = tuple(Aval((size, *a.shape), a.dtype) for a in (ruled if many else (ruled,)))
    return found if many else found[0]


def _batch(
    card: Card, axes: Axes, size: int, outer: int, operands: Any, places: Any, /, **params: Any
) -> Any:
    """Both batches as one of `outer * size` examples."""
    merged: list[Any] = []
    at: list[int | None] = []
    for x, axis, place in zip(operands, axes, places, strict=True):
        if axis is None and place is None:
            merged.append(x)
            at.append(None)
            continue
        if place is not None:
            x = np.moveaxis(x, place, 0)
        if axis is None:
            x = np.reshape(x, (outer, 1, *np.shape(x)[1:]))
        elif place is None:
            x = np.reshape(x, (1, *np.shape(x)))
        rest = np.shape(x)[2:]
        x = np.broadcast_to(x, (outer, size, *rest))
        merged.append(np.reshape(x, (outer * size, *rest)))
        at.append(0)
    out = _value(card, tuple(at), outer * size, *merged, **params)

    def apart(x: Any) -> Any:
        return np.reshape(x, (outer, size, *np.shape(x)[1:]))

    if type(out) is tuple:
        return tuple(map(apart, out)), (0,) * len(out)
    return apart(out), 0
