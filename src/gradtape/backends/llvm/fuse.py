"""Which nodes of a graph run in one loop.

A *loop* has a space, the shape over whose elements it goes. Into it go the nodes with a lowering
whose result has that shape, and the sums over values of that shape. What a loop computes and only
itself needs is never stored.

The nodes are taken in their order. Each joins the first loop of its space that comes late enough:
not before what it reads has been computed, where an element of the same loop is there at once, and
a sum only when its loop has ended. So `sum((y - (a + b * x)) ** 2)` and its gradient with respect
to `a` and `b` are one loop over the data, whatever stands between them in the program. A node
without a lowering is a part of its own: a product, or a step that NumPy runs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...graph.ir import Constant, Graph, Node, Value
from . import lowerings, product
from .lowerings import Lowering
from .product import Product

__all__ = ["Loop", "Plan", "Step", "plan", "reduced_axes", "uniform"]

Shape = tuple[int, ...]


@dataclass
class Loop:
    """Nodes that run in one pass over the elements of `space`."""

    space: Shape
    nodes: dict[Node, Lowering] = field(default_factory=dict)
    sums: list[Node] = field(default_factory=list)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.space)


@dataclass
class Step:
    """A node that NumPy runs, and why: no lowering."""

    node: Node


@dataclass
class Plan:
    """The parts of a program in their order, and which value is another one seen differently."""

    graph: Graph
    parts: list[Loop | Product | Step]
    alias: dict[Value, Value]

    def base(self, value: Value) -> Value:
        """The value whose elements, in their order, are those of `value`."""
        while value in self.alias:
            value = self.alias[value]
        return value


def reduced_axes(node: Node) -> tuple[int, ...] | None:
    """The axes over which a sum goes, if that is all that it says; None otherwise.

    They are the first or the last ones.
    """
    if node.op.name not in ("sum", "sum_all") or node.operands != len(node.inputs):
        return None
    source, result = node.inputs[0].aval, node.outputs[0].aval
    if len(node.inputs) != 1 or not lowerings.held(node.inputs[0]) or source.dtype.kind != "f":
        return None
    params = dict(node.params)
    axis, keepdims = params.pop("axis", None), params.pop("keepdims", False)
    if params.pop("dtype", None) not in (None, result.dtype) or result.dtype != source.dtype:
        return None
    if params or keepdims not in (True, False) or not source.shape:
        return None
    if axis is None:
        return tuple(range(source.ndim))
    axes = (axis,) if isinstance(axis, int) else axis
    found = tuple(sorted(a % source.ndim for a in axes))
    count = len(found)
    leading, trailing = tuple(range(count)), tuple(range(source.ndim - count, source.ndim))
    return found if found and found in (leading, trailing) else None


def _is_reshape(node: Node) -> bool:
    """Whether the elements stay in their order in memory."""
    name, params = node.op.name, node.params
    if name == "reshape":
        return params.get("order", "C") == "C" and node.operands == len(node.inputs) == 1
    return name in ("ravel", "squeeze", "expand_dims") and params.get("order", "C") == "C"


def _fits(loop: Loop, axes: tuple[int, ...] | None) -> bool:
    """Whether a loop can take a sum over `axes` too: rows of one length at a time."""
    if axes is None or axes[0] == 0:
        return True
    return all(reduced_axes(node) in (axes, None) or _leads(node) for node in loop.sums)


def _leads(node: Node) -> bool:
    axes = reduced_axes(node)
    return axes is not None and axes[0] == 0


def uniform(value: Value) -> Any:
    """The number that a constant holds in every element, or None."""
    if not isinstance(value, Constant):
        return None
    data = np.asarray(value.data)
    if data.size == 0 or data.dtype.kind not in "biuf":
        return None
    if data.size > 1 and any(data.strides):
        if (data != data.flat[0]).any():
            return None
        if data.dtype.kind == "f" and np.signbit(data).any() != np.signbit(data).all():
            return None  # 0.0 and -0.0 are equal
    return data.flat[0]


def plan(graph: Graph) -> Plan:
    """The loops and steps of a graph."""
    parts: list[Loop | Product | Step] = []
    alias: dict[Value, Value] = {}
    place: dict[Value, tuple[int, bool]] = {}  # the part, and whether it is there at once

    def base(value: Value) -> Value:
        while value in alias:
            value = alias[value]
        return value

    for node in graph.nodes:
        if _is_reshape(node) and lowerings.held(node.inputs[0]):
            alias[node.outputs[0]] = node.inputs[0]
            continue
        axes = reduced_axes(node)
        lowering = None if axes is not None else lowerings.find(node)
        if lowering is None and axes is None:
            parts.append(product.find(node) or Step(node))
            for value in node.outputs:
                place[value] = (len(parts) - 1, False)
            continue
        space = node.inputs[0].aval.shape if axes is not None else node.outputs[0].aval.shape
        first = 0
        for value in node.inputs:
            source = base(value)
            if isinstance(source, Constant) or source not in place:
                continue
            part, at_once = place[source]
            same = parts[part].space == space if isinstance(parts[part], Loop) else False  # type: ignore[union-attr]
            ready = at_once and same and source.aval.shape == space and value.aval.shape == space
            first = max(first, part if ready else part + 1)
        found = None
        for i in range(first, len(parts)):
            candidate = parts[i]
            if isinstance(candidate, Loop) and candidate.space == space and _fits(candidate, axes):
                found = i
                break
        if found is None:
            parts.append(Loop(space))
            found = len(parts) - 1
        loop: Any = parts[found]
        if lowering is None:
            loop.sums.append(node)
        else:
            loop.nodes[node] = lowering
        place[node.outputs[0]] = (found, axes is None)
    return Plan(graph, parts, alias)
