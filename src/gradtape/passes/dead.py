"""Remove nodes that no result needs.

before::

    v0: float64[3] = sin(x0)
    v1: float64[3] = cos(x0)
    return v1

after::

    v0: float64[3] = cos(x0)
    return v0
"""

from __future__ import annotations

from ..graph.ir import Graph, Value


def remove_dead(graph: Graph) -> Graph:
    """`graph` with the nodes that outputs and effects need. Inputs stay, used or not."""
    needed: set[Value] = set(graph.results)
    kept = []
    for node in reversed(graph.nodes):
        if not needed.isdisjoint(node.outputs):
            kept.append(node)
            needed.update(node.inputs)
    return graph.rebuilt(kept[::-1], lambda value: value)
