"""What passes share: a walk that builds new nodes around replaced values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.symbol import without_repeats
from ..graph.ir import Constant, Graph, Node, Value, has_holes
from ..graph.shapes import avals_of


class Rewriter:
    """A graph in the making, beside the one that is read.

    `new(value)` is what stands for a value of the old graph, `emit` adds a node.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes: list[Node] = []
        self._instead: dict[Value, Value] = {}

    def new(self, value: Value) -> Value:
        """What stands for `value`."""
        return self._instead.get(value, value)

    def replace(self, node: Node, values: Sequence[Value]) -> None:
        """Let `values` stand for the results of `node`."""
        self._instead.update(zip(node.outputs, values, strict=True))

    def emit(
        self, op: Any, inputs: Sequence[Value], params: dict[str, Any], position: Any
    ) -> tuple[Value, ...]:
        """The results of a new node, whose types its rule says."""
        taken = tuple(inputs)
        avals = avals_of(op, taken, params, len(taken))
        node = Node(op, taken, params, avals, position)
        self.nodes.append(node)
        return node.outputs

    def inputs(self, node: Node) -> tuple[Value, ...]:
        """What stands for the inputs of `node`."""
        instead, old = self._instead, node.inputs
        for value in old:
            if value in instead:
                return tuple([instead.get(v, v) for v in old])
        return old

    def keep(self, node: Node, inputs: tuple[Value, ...]) -> None:
        """Take `node` over, with what stands for its inputs."""
        if inputs is node.inputs:
            self.nodes.append(node)
            return
        avals = tuple([v.aval for v in node.outputs])
        made = Node(node.op, inputs, node.params, avals, node.position, node.operands)
        self.nodes.append(made)
        self.replace(node, made.outputs)

    def done(self) -> Graph:
        """The new graph; the old one where nothing stands for anything else."""
        return self.graph.rebuilt(self.nodes, self.new) if self._instead else self.graph


Rule = Callable[[Rewriter, Node, tuple[Value, ...]], Sequence[Value] | None]


def rewrite(graph: Graph, rule: Rule) -> Graph:
    """`graph` with each node replaced by what `rule(rewriter, node, inputs)` gives.

    None keeps the node. The values given must have the types of the node's results.
    """
    rewriter = Rewriter(graph)
    for node in graph.nodes:
        inputs = rewriter.inputs(node)
        found = rule(rewriter, node, inputs)
        if found is None:
            rewriter.keep(node, inputs)
            continue
        for old, value in zip(node.outputs, found, strict=True):
            assert (value.aval, value.aval.weak) == (old.aval, old.aval.weak), node
        rewriter.replace(node, found)
    return rewriter.done()


def is_all(value: Value, number: float) -> bool:
    """Whether `value` is a constant, every element of which is `number` (0.0 is not -0.0)."""
    if not isinstance(value, Constant):
        return False
    if value.aval.dtype.kind == "c":
        return bool(value.aval.size) and bool(np.all(without_repeats(value.data) == number))
    found = value.uniform
    if found is None or found != number:
        return False
    return number != 0 or value.aval.dtype.kind != "f" or np.signbit(found) == np.signbit(number)


def is_view_of_values(node: Node) -> bool:
    """Whether `node` only moves the elements of its one operand, each to one place."""
    return (
        node.op.name in ("reshape", "transpose") and len(node.inputs) == 1 and not has_holes(node)
    )
