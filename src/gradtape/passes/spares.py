"""Remove the nodes that look for a NaN beside a cotangent of 0.

before::

    v0: float64[3] = matmul(x0, x1)
    v1: float64[3] = spare(v0, x1, x0) {rule=matmul 1}

after::

    v0: float64[3] = matmul(x0, x1)

A program runs so; where a result is NaN it runs again, as it was before this pass.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..graph.ir import Graph, Node, Value
from ..graph.spare import SPARE
from .rewriting import Rewriter, rewrite


def remove_spares(graph: Graph) -> Graph:
    """`graph` with what they look at in place of the nodes that look."""
    return rewrite(graph, _rule) if has_spares(graph) else graph


def has_spares(graph: Graph) -> bool:
    """Whether a NaN in a result may be one that is not eager mode's."""
    return any(node.op is SPARE for node in graph.nodes)


def _rule(_: Rewriter, node: Node, inputs: tuple[Value, ...]) -> Sequence[Value] | None:
    return inputs[:1] if node.op is SPARE else None
