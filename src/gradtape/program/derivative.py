"""A program as one operation that tapes record, with a backward program of its own.

The backward program is a compiled function too: traced from the graph, replayed under a recorder
and swept, once. So its own derivative is made in the same way when it is asked for, and there are
derivatives of every order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..core.card import Card
from ..graph.pullback import cotangents, hand_out, opaque, operands_of, pull_back, unregistered
from ..graph.trace import Traced


def make_card(name: str, traced: Traced, run: Callable[..., Any], compiled: Any) -> Card:
    """The card of one program: `run(*values)` gives the outputs and what Variables are assigned.

    `compiled(function, name)` makes a compiled function; the backward program is one.
    """
    card = unregistered(name, run)
    graph = traced.graph
    avals = [value.aval for value in graph.outputs]
    held: list[Any] = []

    def pull(*flat: Any) -> list[Any]:
        return pull_back(traced, flat[: len(graph.inputs)], flat[len(graph.inputs) :])

    def run_backward(rec: list[Any], g: Any, grads: dict[int, Any]) -> None:
        if traced.is_opaque is not None:
            raise opaque(name, traced.is_opaque)
        if not held:
            held.append(compiled(pull, f"{name}_backward"))
        hand_out(rec, held[0](*operands_of(rec), *cotangents(rec, g, avals)), grads)

    card.run = run_backward
    return card
