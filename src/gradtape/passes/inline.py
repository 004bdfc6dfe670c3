"""Put the graph of a function that has a rule of its own in place of its node.

before::

    v0: float64[3] = log1pexp(x0)

after::

    v0: float64[3] = exp(x0)
    v1: float64[3] = add(v0, 1.0)
    v2: float64[3] = log(v1)

The rule is for derivatives alone, which are taken from the graph as it was traced.
"""

from __future__ import annotations

from ..graph.ir import Constant, Graph, Node, Value


def inline_calls(graph: Graph) -> Graph:
    """`graph` without nodes that hold a function and its rule."""
    if not any(_is_call(node) for node in graph.nodes):
        return graph
    nodes: list[Node] = []
    instead: dict[Value, Value] = {}
    _copy(graph, nodes, instead)
    return graph.rebuilt(nodes, lambda value: instead.get(value, value))


def _is_call(node: Node) -> bool:
    regions = getattr(node.op, "regions", None)
    return regions is not None and regions[0] == "call"


def _copy(graph: Graph, nodes: list[Node], instead: dict[Value, Value]) -> None:
    """Append the nodes of `graph`; `instead` has its inputs, and becomes all that it computes."""

    def new(value: Value) -> Value:
        return value if isinstance(value, Constant) else instead.get(value, value)

    for node in graph.nodes:
        inputs = tuple(map(new, node.inputs))
        if _is_call(node):
            _, inner, places = node.op.regions
            count = len(inner.inputs) - len(places)
            rest = inputs[count:]
            known = dict(
                zip(inner.inputs, [*inputs[:count], *(rest[n] for n in places)], strict=True)
            )
            _copy(inner, nodes, known)
            found = [
                v if isinstance(v, Constant) else known.get(v, v) for v in inner.outputs
            ]  # fmt: skip
            instead.update(zip(node.outputs, found, strict=True))
            continue
        avals = tuple(v.aval for v in node.outputs)
        made = Node(node.op, inputs, node.params, avals, node.position, node.operands)
        nodes.append(made)
        instead.update(zip(node.outputs, made.outputs, strict=True))
