"""Threads: states of generators, and the number of prints, on their way through a graph.

An effect takes a state and gives the state after (`core/examples.py`); loops and branches carry it.
All examples of a batch go through one state, one after the other: so no batch leads to it, however
much the operands of an effect differ between examples.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..core.examples import Effect
from .ir import Graph, Node, Value
from .marks import ASSIGNED


def threads(graph: Graph) -> dict[Value, Value]:
    """For each value that is an input, or its state after effects: that input."""
    known = {v: v for v in graph.inputs}
    for node in graph.nodes:
        for after, before in handed_on(node):
            if before in known:
                known[after] = known[before]
    return known


def ends(graph: Graph) -> list[int | None]:
    """For each result: the number of the input whose state it is, None where it is none."""
    known, at = threads(graph), {v: n for n, v in enumerate(graph.inputs)}
    return [at[known[v]] if v in known else None for v in graph.results]


def carried(graph: Graph, count: int) -> list[bool]:
    """Which of the first `count` inputs, the carries of a loop, are states."""
    return [n == end for n, end in enumerate(ends(graph)[:count])]


def shared(graphs: list[Graph], places: list[list[int]]) -> list[int | None]:
    """For each result of branches: the source whose state it is in all of them, None else."""
    found = [
        [None if end is None else place[end] for end in ends(graph)]
        for graph, place in zip(graphs, places, strict=True)
    ]
    return [a if a == b else None for a, b in zip(*found, strict=True)]


def handed_on(node: Node) -> Iterator[tuple[Value, Value]]:
    """(state after, state before) of a node."""
    op = node.op
    if isinstance(op, Effect):
        yield node.outputs[-1], node.inputs[0]
    elif op is ASSIGNED:
        yield node.outputs[0], node.inputs[1]
    else:
        regions = getattr(op, "regions", None)
        if regions is not None:
            for after, n in zip(node.outputs, _through(regions), strict=False):
                if n is not None:
                    yield after, node.inputs[n]


def _through(regions: tuple[Any, ...]) -> list[int | None]:
    """For each result of a node with graphs inside: the operand whose state it is."""
    kind, *rest = regions
    if kind == "cond":
        graphs, places = rest
        return [None if n is None else n + 1 for n in shared(graphs, places)]
    if kind == "scan":
        graph, count = rest[:2]
    elif kind == "while":
        _, graph, count = rest[:3]
    elif kind == "call":
        graph, places = rest
        first = len(graph.inputs) - len(places)
        at = [*range(first), *(first + n for n in places)]
        return [None if n is None else at[n] for n in ends(graph)]
    else:
        return []
    return [n if mark else None for n, mark in enumerate(carried(graph, count))]
