"""A program as one operation that tapes record, with a backward program of its own.

The backward program is a compiled function too: traced from the graph, replayed under a recorder
and swept, once. So its own derivative is made in the same way when it is asked for, and there are
derivatives of every order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.aval import is_differentiable
from ..core.card import Card
from ..core.cotangents import accumulate
from ..core.positions import decode
from ..core.products import beware
from ..core.registry import CARDS
from ..core.state import AVALS, KEYS, Recorder, next_key, pop, push, state
from ..core.sweep import backward
from ..core.tensor import Tensor, new_traced, raw
from ..errors import UnsupportedOperationError, three_part
from ..graph.trace import Traced, replay


def make_card(name: str, traced: Traced, run: Callable[..., Any], compiled: Any) -> Card:
    """The card of one program: `run(*values)` gives the outputs and what Variables are assigned.

    `compiled(function, name)` makes a compiled function; the backward program is one.
    """
    card = Card(name, "custom", run, -1)
    if CARDS.get(name) is card:
        del CARDS[name]  # no operation of NumPy's
    graph = traced.graph
    count = len(graph.outputs)
    held: list[Any] = []

    def pull(*flat: Any) -> list[Any]:
        return pull_back(traced, flat[: len(graph.inputs)], flat[len(graph.inputs) :])

    def run_backward(rec: list[Any], g: Any, grads: dict[int, Any]) -> None:
        if traced.is_opaque is not None:
            raise _opaque(name, traced.is_opaque)
        if not held:
            held.append(compiled(pull, f"{name}_backward"))
        keys, avals, operands = rec[KEYS], rec[AVALS], rec[9]
        parts = (g if type(g) in (list, tuple) else [g])[:count]
        cts = [
            np.zeros(v.aval.shape, v.aval.dtype)[()] if ct is None else ct
            for v, ct in zip(graph.outputs, parts, strict=True)
            if is_differentiable(v.aval.dtype)
        ]
        recorded = bool(state.tapes)
        if recorded:
            operands = [
                new_traced(v, abs(k)) if k else v for v, k in zip(operands, keys, strict=True)
            ]
        found = held[0](*operands, *cts)
        for k, gi, aval in zip(keys, found, avals, strict=True):
            if k <= 0 or gi is None:
                continue
            if gi.dtype.kind == "c" and aval.dtype.kind != "c":
                gi = np.real(gi)
            if recorded:
                grads[k] = gi if grads.get(k) is None else grads[k] + gi
            else:
                accumulate(grads, k, raw(gi))
        beware()  # the program may have dropped entries

    card.run = run_backward
    return card


def pull_back(traced: Traced, primals: Sequence[Any], cts: Sequence[Any]) -> list[Any]:
    """The cotangents of `primals`, None where there is none, by replaying the graph and a sweep."""
    recorder = Recorder(auto_watch=False)
    sources = []
    for x in primals:
        source = new_traced(raw(x) if isinstance(x, Tensor) else np.asarray(x)[()], next_key())
        if is_differentiable(source.value.dtype):
            recorder.tracked.add(source.key)
            recorder.leaves[source.key] = None
        sources.append(source)
    push(recorder)
    try:
        outs = replay(traced.graph, sources)
    finally:
        pop(recorder)
    seeds: dict[int, Any] = {}
    given = iter(cts)
    for value, out in zip(traced.graph.outputs, outs, strict=True):
        if not is_differentiable(value.aval.dtype):
            continue
        ct = next(given)
        ct = ct if isinstance(ct, Tensor) else new_traced(np.asarray(ct)[()])
        if isinstance(out, Tensor) and out.key in recorder.tracked:
            seeds[out.key] = ct if out.key not in seeds else seeds[out.key] + ct
    backward(recorder, seeds, {s.key for s in sources}, True)
    return [seeds.get(s.key) if s.key in recorder.tracked else None for s in sources]


def _opaque(name: str, position: Any) -> UnsupportedOperationError:
    return UnsupportedOperationError(
        three_part(
            f"gradient: the compiled function {name} holds a rule of gt.custom_gradient.",
            f"It was called at {decode(*position)}; a program knows what a rule computed while a "
            "tape inside it recorded, and not the rule itself.",
            "Take the gradient inside the compiled function, or leave @gt.function out.",
        )
    )
