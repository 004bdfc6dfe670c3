"""NumPy as a backend: the nodes of a graph as a list of steps over numbered places.

What `graph/evaluate.py` does by looking values up, prepared: each step knows the places of its
operands and results, and which values are needed no longer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..graph.evaluate import implementation, settle
from ..graph.ir import Constant, Graph, Value, fill, has_holes

Program = Callable[[Sequence[Any]], list[Any]]


def compile_graph(graph: Graph) -> Program:
    """A function from the values of the inputs to those of `graph.results`."""
    places: dict[Value, int] = {}
    start: list[Any] = []
    for value in graph.inputs:
        places[value] = len(start)
        start.append(None)
    for constant in graph.constants():
        places[constant] = len(start)
        start.append(constant.data)
    first = len(start)
    for node in graph.nodes:
        for value in node.outputs:
            places[value] = len(start)
            start.append(None)
    last = {v: n for n, node in enumerate(graph.nodes) for v in (*node.outputs, *node.inputs)}
    needed = {places[v] for v in graph.results}
    steps = []
    for n, node in enumerate(graph.nodes):
        dead = {
            places[v] for v in (*node.inputs, *node.outputs)
            if last[v] == n and not isinstance(v, Constant)
        }  # fmt: skip
        steps.append(
            (
                implementation(node),
                [places[v] for v in node.inputs],
                node.operands if has_holes(node) else -1,
                node.params,
                [(places[v], v.aval.weak) for v in node.outputs],
                [place for place in dead if place >= first and place not in needed],
            )
        )
    results = [places[v] for v in graph.results]
    count = len(graph.inputs)

    def run(arguments: Sequence[Any]) -> list[Any]:
        at = start.copy()
        at[:count] = arguments
        with np.errstate(all="ignore"):
            for impl, sources, operands, params, targets, dead in steps:
                values = [at[i] for i in sources]
                if operands >= 0:
                    params = fill(params, values)
                    values = values[:operands]
                found = impl(*values, **params)
                if len(targets) == 1 and type(found) is not tuple and type(found) is not list:
                    place, weak = targets[0]
                    at[place] = settle(found, weak)
                else:
                    for (place, weak), part in zip(targets, found, strict=True):
                        at[place] = settle(part, weak)
                for place in dead:
                    at[place] = None
        return [at[i] for i in results]

    return run
