"""Move reshapes and transposes behind operations on single elements.

before::

    v0: float64[6] = reshape(x0) {order='C', shape=(6,)}
    v1: float64[6] = sin(v0)
    v2: float64[6] = exp(v1)

after::

    v0: float64[2,3] = sin(x0)
    v1: float64[2,3] = exp(v0)
    v2: float64[6] = reshape(v1) {order='C', shape=(6,)}

Then what works on elements stands together, for fusion; and two moves that meet undo each other.
Done where nothing else needs the moved value, and the operation has one operand that is no number.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..graph.ir import Constant, Graph, Node, Value, has_holes
from .rewriting import Rewriter, is_view_of_values, rewrite


def sink_views(graph: Graph) -> Graph:
    """`graph` with views of values behind elementwise operations."""
    if not any(map(is_view_of_values, graph.nodes)):
        return graph
    uses: dict[Value, int] = {}
    for value in (*(v for node in graph.nodes for v in node.inputs), *graph.results):
        uses[value] = uses.get(value, 0) + 1
    old: dict[Value, Value] = {}  # value of the new graph -> value of the old one that it is for

    def rule(rewriter: Rewriter, node: Node, inputs: tuple[Value, ...]) -> Sequence[Value] | None:
        for before, value in zip(node.inputs, inputs, strict=True):
            old[value] = before
        if node.op.kind != "elementwise" or has_holes(node) or len(node.outputs) != 1:
            return None
        arrays = [n for n, v in enumerate(inputs) if not _is_number(v)]
        if len(arrays) != 1:
            return None
        moved = inputs[arrays[0]]
        view = moved.node
        if view is None or not is_view_of_values(view) or uses.get(old[moved], 0) != 1:
            return None
        if moved.aval.shape != node.outputs[0].aval.shape:
            return None
        operands = [view.inputs[0] if n == arrays[0] else v for n, v in enumerate(inputs)]
        (inner,) = rewriter.emit(node.op, operands, node.params, node.position)
        found = rewriter.emit(view.op, [inner], view.params, view.position)
        uses[found[0]] = uses.get(node.outputs[0], 0)
        return found

    return rewrite(graph, rule)


def _is_number(value: Value) -> bool:
    return isinstance(value, Constant) and value.aval.ndim == 0
