"""What a trace gives: a graph without what no result needs, and where its inputs are read from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .ir import Constant, Graph, Value

__all__ = ["Traced", "pruned"]


@dataclass
class Traced:
    """A graph and the objects its inputs are read from, in the order of its inputs.

    `sources` holds None for an argument, the array or Tensor that was captured, or the Variable.
    `frozen` are arrays outside that are constants of the graph, with their contents, `constants`
    what stands in it for values that were inputs while it was made.
    """

    graph: Graph
    sources: list[Any]
    frozen: list[tuple[Any, Any]] = field(default_factory=list)
    constants: dict[Value, Constant] = field(default_factory=dict)


def pruned(
    graph: Graph, constants: dict[Value, Constant], objects: dict[Value, Any]
) -> Traced:
    """`graph` without nodes and inputs that no result needs, and with its constants."""
    needed: set[Value] = set(graph.results)
    kept = []
    for node in reversed(graph.nodes):
        if not needed.isdisjoint(node.outputs):
            kept.append(node)
            taken = node.inputs
            needed.update(taken)
            if not constants.keys().isdisjoint(taken):
                node.inputs = tuple([constants.get(v, v) for v in taken])
    graph.nodes = kept[::-1]
    graph.outputs = [constants.get(v, v) for v in graph.outputs]
    graph.effects = [(w, constants.get(v, v)) for w, v in graph.effects]
    needed.update(w for w, _ in graph.effects)
    inputs = [
        (value, kind)
        for value, kind in zip(graph.inputs, graph.kinds, strict=True)
        if kind == "argument" or (value in needed and value not in constants)
    ]
    graph.inputs = [value for value, _ in inputs]
    graph.kinds = [kind for _, kind in inputs]
    return Traced(graph, [objects.get(value) for value in graph.inputs], constants=constants)
