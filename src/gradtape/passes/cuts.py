"""Remove what only derivatives ask for.

before::

    v0: float64[3] = stop(x0)
    v1: float64[3] = assigned(w0, v0)
    v2: float64[3] = sin(v1)

after::

    v0: float64[3] = sin(x0)

Derivatives are taken from the graph as it was traced, which has them still.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..graph.ir import Graph, Node, Value
from ..graph.marks import ASSIGNED, STOP
from .rewriting import Rewriter, rewrite


def remove_cuts(graph: Graph) -> Graph:
    """`graph` without `stop` and `assigned`: values stand for themselves."""
    return rewrite(graph, _rule)


def _rule(_: Rewriter, node: Node, inputs: tuple[Value, ...]) -> Sequence[Value] | None:
    if node.op is ASSIGNED:
        return inputs[1:]
    if node.op == STOP and inputs[0].aval.weak == node.outputs[0].aval.weak:
        return inputs
    return None
