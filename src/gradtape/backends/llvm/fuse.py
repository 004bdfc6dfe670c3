"""Which nodes of a graph run in one loop.

A *loop* has a space, the shape over whose elements it goes. Into it go the nodes with a lowering
whose result has that shape, and the reductions of values of that shape. What a loop computes and
only itself needs is never stored.

The nodes are taken in their order. Each joins the first loop of its space that comes late enough:
not before what it reads has been computed, where an element of the same loop is there at once, and
a sum only when its loop has ended. So `sum((y - (a + b * x)) ** 2)` and its gradient with respect
to `a` and `b` are one loop over the data, whatever stands between them in the program. A node
without a lowering is a part of its own: a product, or a step that NumPy runs.

What only looks at elements (a slice, a transpose) is no part of a plan but a `View`, and loops read
through it. What puts elements somewhere (concatenate, a slice's transpose) is a *target*: a value
without a node of its own, into whose parts loops write. `rewrites.py` says which operation is what.

It is published on `events` as the pass "fuse loops": for 1000 numbers, before and after are::

    sin, multiply, sum, argsort, getitem, add
    loop over 1000: sin, multiply, sum; numpy: argsort; loop over 1000: getitem, add
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ... import events
from ...core.aval import Aval
from ...graph.contraction import split_labels
from ...graph.ir import Constant, Graph, Node, Plain, Value
from ...graph.marks import BEHIND, STOP
from . import epilogue, lowerings, product, reductions, rewrites, turns
from .product import Product
from .reductions import Reduction
from .turns import Turns
from .views import View, is_dense, is_plain, seen, whole

__all__ = ["Loop", "Plan", "Planner", "Step", "plan", "uniform"]

Shape = tuple[int, ...]
MANY_ROWS = 64  # of a product, which may go through the cache in blocks
NEAR = 8  # parts back, to which what is known joins
MOST_TOUCHED = 128  # LLVM compares each of them with each other in straight-line code


@dataclass
class Loop:
    """Nodes that run in one pass over the elements of `space`.

    A node's lowering is a `Lowering`, or has a method `emit` that is given the emitter: an index, a
    running sum.
    """

    space: Shape
    nodes: dict[Node, Any] = field(default_factory=dict)
    sums: dict[Node, Reduction] = field(default_factory=dict)
    along: int | None = None  # the axis along which it has to run, element after element
    in_order: bool = False  # whether all of it has to run in order
    touched: int = 0  # where all is one number: places in memory that it reads and writes

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.space)

    @property
    def kind(self) -> tuple[Any, ...]:
        """What a node must ask for to join."""
        return self.space, self.along, self.in_order


@dataclass
class Step:
    """A node that NumPy runs, and why: no lowering."""

    node: Node


@dataclass
class Plan:
    """The parts of a program in their order, and which value is another one seen differently.

    Attributes
    ----------
    views : dict
        What is a view of another value.
    looks : dict
        The node by which NumPy makes it.
    placed : dict
        Results of nodes that are written into a part of a target, and into which.
    results : list
        What stands for the results of the graph.
    shapes : dict
        Of what stands for a result that has its elements in another shape: that shape.
    behind : dict
        Of a value that is not to be read before others are there: those.
    """

    graph: Graph
    parts: list[Loop | Product | Turns | Step]
    views: dict[Value, View]
    looks: dict[Value, Node]
    placed: dict[Value, View]
    results: list[Value]
    shapes: dict[Value, Shape] = field(default_factory=dict)
    behind: dict[Value, list[Value]] = field(default_factory=dict)

    def view(self, value: Value) -> View:
        """Where the elements of a value lie."""
        found = self.views.get(value)
        return whole(value) if found is None else found

    def base(self, value: Value) -> Value:
        """The value in whose memory the elements of `value` lie."""
        found = self.views.get(value)
        return value if found is None else found.source

    def same(self) -> dict[Value, Value]:
        """What has the elements of another value, for NumPy to read."""
        return {
            value: view.source for value, view in self.views.items()
            if not value.aval.weak and self.is_plain(value)
        }  # fmt: skip

    def by_numpy(self, value: Value) -> list[Value]:
        """The values that NumPy starts from to have `value`: it looks at them itself."""
        if value not in self.views:
            return [value]
        look = self.looks.get(value)
        if look is None or self.is_plain(value):
            return [self.views[value].source]
        return [source for v in look.inputs for source in self.by_numpy(v)]

    def is_dense(self, value: Value) -> bool:
        """Whether the elements of a value lie one behind another, in C order."""
        view = self.view(value)
        return is_dense(value.aval.shape, view)

    def is_plain(self, value: Value) -> bool:
        """Whether the elements of a value are those of its base, one by one."""
        found = self.views.get(value)
        if found is None:
            return True
        shape = value.aval.shape
        return shape == found.source.aval.shape and is_plain(shape, found)


def uniform(value: Value) -> Any:
    """The number that a constant holds in every element, or None."""
    return value.uniform if isinstance(value, Constant) else None


class Planner:
    """A plan in the making; `rewrites.py` makes nodes, views and targets with it."""

    def __init__(self, graph: Graph, around: Plan | None = None) -> None:
        self.graph = graph
        shared = ({}, {}, {}) if around is None else (around.views, around.looks, around.placed)
        self.made = Plan(graph, [], *shared, [])
        self.place: dict[Value, tuple[int, bool]] = {}  # the part, and whether it is there at once
        self.late: dict[Value, int] = {}  # the first part that may read what is there before
        self.uses: dict[Value, int] = {}
        for value in (*(v for node in graph.nodes for v in node.inputs), *graph.results):
            self.uses[value] = self.uses.get(value, 0) + 1
        self.targets: set[Value] = set()
        # what stands in a target that may be written again, and behind which step
        self.chains: dict[Value, tuple[Value, int]] = {}
        self.results = set(graph.results)
        self.floor = 0  # behind the last step: what is written in parts is written there

    def run(self) -> Plan:
        """The plan of the whole graph."""
        for node in self.graph.nodes:
            self.take(node)
        stands: dict[Value, Value] = {}
        for value in self.graph.results:
            # between steps NumPy looks at what it needs
            if value not in self.made.views or value in stands or self.floor:
                continue
            source = self.made.base(value)
            alone = source not in self.results and source not in stands.values()
            if is_plain(value.aval.shape, self.view(value)) and source in self.place and alone:
                stands[value] = source
                if value.aval.shape != source.aval.shape:
                    self.made.shapes[source] = value.aval.shape
            else:
                stands[value] = self.copied(value)
        self.made.results = [stands.get(v, v) for v in self.graph.results]
        epilogue.fuse_epilogues(self.made, self.late)
        return self.made

    def take(self, node: Node) -> None:
        """Give a node its place in the plan."""
        if self._is_behind(node) or self._is_view(node) or rewrites.rewrite(self, node):
            return
        reduction = reductions.find(node)
        if reduction is not None:
            self.join(node, node.inputs[0].aval.shape, reduction=reduction)
            return
        lowering = lowerings.find(node)
        if lowering is not None:
            self.join(node, node.outputs[0].aval.shape, lowering)
            return
        found = self._product(node) or turns.find(self, node)
        self.made.parts.append(found or Step(node))
        if found is None:
            self.floor = len(self.made.parts)
        for value in node.outputs:
            self.place[value] = (len(self.made.parts) - 1, False)

    def _product(self, node: Node) -> Product | None:
        """A product, whose operands lie in C order."""
        found = product.find(node)
        if found is None:
            return None
        if found.is_packed and found.way == "tile" and found.row.size >= MANY_ROWS:
            node = self._laid_out(node, 0 if found.is_swapped else 1)
            found = product.find(node)
            assert found is not None and not found.is_packed
        operands = tuple(v if self.made.is_dense(v) else self.copied(v) for v in node.inputs)
        if operands == node.inputs:
            return found
        made = Node(node.op, operands, node.params, tuple(v.aval for v in node.outputs))
        made.outputs = node.outputs
        return product.find(made)

    def _laid_out(self, node: Node, n: int) -> Node:
        """A product whose operand number n has been copied once, so that columns lie side by side.

        Or each block of rows would copy it for itself.
        """
        *own, out = split_labels(node.params["labels"])
        kept = [label for label in own[n] if label not in out or label in own[1 - n]]
        order = [own[n].index(label) for label in (*kept, *(m for m in out if m not in own[1 - n]))]
        value = node.inputs[n]
        shape, strides = value.aval.shape, self.view(value).strides
        turned = self.looked(value, tuple(shape[i] for i in order), [strides[i] for i in order])
        operands = list(node.inputs)
        operands[n] = self.copied(turned)
        own[n] = "".join(own[n][i] for i in order)
        params = {**node.params, "labels": f"{own[0]},{own[1]}->{out}"}
        made = Node(node.op, tuple(operands), params, tuple(v.aval for v in node.outputs))
        made.outputs = node.outputs
        return made

    def _is_view(self, node: Node) -> bool:
        if len(node.inputs) != 1 or not lowerings.held(node.inputs[0]):
            return False
        view = seen(node, self.view(node.inputs[0]))
        if view is not None:
            self.see(node.outputs[0], view, node)
            if node.inputs[0] in self.late:
                self._wait(node.outputs[0], node.inputs[0])
        return view is not None

    def _is_behind(self, node: Node) -> bool:
        """Whether it is what its first operand is, and is not read before the others are there."""
        x, *cts = node.inputs
        if node.op is not BEHIND or not all(map(lowerings.held, node.inputs)):
            return False
        (out,) = node.outputs
        look = Node(STOP, (x,), {}, (out.aval,))
        look.outputs = node.outputs
        self.see(out, self.view(x), look)
        self.late[out] = max(self._after(v, out.aval.shape, False) for v in (x, *cts))
        self.made.behind[out] = [self.made.base(v) for v in cts]
        return True

    def _wait(self, view: Value, value: Value) -> None:
        """Let a view of `value`, which has to wait, wait as long."""
        self.late[view], self.made.behind[view] = self.late[value], self.made.behind[value]

    # ------------------------------------------------------------------ what rewrites make

    def view(self, value: Value) -> View:
        """Where the elements of a value lie."""
        return self.made.view(value)

    def see(self, value: Value, view: View, node: Node | None = None) -> None:
        """Let `value` be a view; `node` is how NumPy makes it."""
        self.made.views[value] = view
        if node is not None:
            self.made.looks[value] = node

    def looked(self, value: Value, shape: Shape, strides: Sequence[int], offset: int = 0) -> Value:
        """A new value: the memory of `value` from its view's offset plus `offset` on."""
        view = self.view(value)
        found = Value(Aval(shape, value.aval.dtype))
        self.see(found, View(view.source, tuple(strides), view.offset + offset))
        if value in self.late:
            self._wait(found, value)
        return found

    def node(
        self, name: str, inputs: Sequence[Value], aval: Aval, stands: Node | None = None,
        **params: Any,
    ) -> Value:  # fmt: skip
        """The result of a new node, or of one that `stands` for another."""
        made = Node(Plain(name, _none), tuple(inputs), params, (aval,))
        if stands is not None:
            made.outputs = stands.outputs
        self.take(made)
        return made.outputs[0]

    def constant(self, data: Any) -> Constant:
        """A known array or number."""
        array = np.asarray(data)
        return Constant(Aval(array.shape, array.dtype), data)

    def target(self, value: Value) -> Value:
        """`value` as something into which loops write."""
        self.targets.add(value)
        return value

    def write(self, part: View, value: Value, name: str = "copy", *more: Value,
              apart: bool = False) -> None:  # fmt: skip
        """Write `name(value, *more)` into a part of a target.

        `apart` says that nothing else is written there, so that the order does not matter.
        """
        made = Node(
            Plain(name, _none), (value, *more), {},
            (Aval(value.aval.shape, part.source.aval.dtype),),
        )  # fmt: skip
        lowering = lowerings.find(made)
        assert lowering is not None, name
        self.made.placed[made.outputs[0]] = part
        self.join(made, value.aval.shape, lowering, into=part, apart=apart)

    def copied(self, value: Value) -> Value:
        """A value with the elements of `value` in C order in memory of its own."""
        found = self.target(Value(Aval(value.aval.shape, value.aval.dtype)))
        self.write(whole(found), value)
        return found

    def join(
        self, node: Node, space: Shape, lowering: Any = None, *,
        reduction: Reduction | None = None, into: View | None = None, apart: bool = False,
        gathered: int = 0, along: int | None = None, in_order: bool = False,
    ) -> None:  # fmt: skip
        """Put a node into the first loop that comes late enough.

        The first `gathered` operands are read at any place; `into` is what the node writes to.
        """
        parts = self.made.parts
        first = 0 if into is None else self.floor
        for n, value in enumerate(node.inputs):
            first = max(first, self._after(value, space, n < gathered))
        if into is not None and into.source in self.place and not apart:
            written = self.place[into.source][0]
            loop = parts[written]
            # one element: what stands later in the loop is done later
            alone = not space and isinstance(loop, Loop) and not loop.space
            first = max(first, written if alone else written + 1)
        kind = (space, along, in_order)
        places = range(first, len(parts))
        if into is not None and space and all(map(self._is_known, node.inputs)):
            places = places[-NEAR:]  # what fills a target, not long before the rest is written
        for found in places:
            candidate = parts[found]
            if isinstance(candidate, Loop) and candidate.kind == kind:
                touched = 0 if space else self._touched(node, found, into)
                if not touched or candidate.touched + touched <= MOST_TOUCHED:
                    break
        else:
            candidate = Loop(space, along=along, in_order=in_order)
            parts.append(candidate)
            found = len(parts) - 1
        if not space:
            candidate.touched += self._touched(node, found, into)
        if lowering is None:
            assert reduction is not None
            candidate.sums[node] = reduction
        else:
            candidate.nodes[node] = lowering
        self.place[node.outputs[0]] = (found, lowering is not None)
        if into is not None:
            before = self.place.get(into.source, (0, False))[0]
            self.place[into.source] = (max(before, found), False)

    def _is_known(self, value: Value) -> bool:
        return isinstance(self.made.base(value), Constant)

    def _touched(self, node: Node, part: int, into: View | None) -> int:
        """The places in memory that a node reads and writes in a part where all is one number."""
        count = int(into is not None)
        for value in node.inputs:
            source = self.made.base(value)
            inside = self.place.get(source) == (part, True)
            count += not inside and not isinstance(source, Constant)
        return count

    def _after(self, value: Value, space: Shape, anywhere: bool) -> int:
        """The first part in which a value can be read."""
        return max(self.late.get(value, 0), self._written(value, space, anywhere))

    def _written(self, value: Value, space: Shape, anywhere: bool) -> int:
        """The first part in which a loop over `space` finds the elements of a value."""
        source = self.made.base(value)
        if source not in self.place:
            return 0
        part, at_once = self.place[source]
        if at_once and not anywhere and value.aval.shape == space:
            loop = self.made.parts[part]
            if isinstance(loop, Loop) and loop.space == space and self.made.is_plain(value):
                return part
        elif not space and source in self.targets and not anywhere:
            loop = self.made.parts[part]
            if isinstance(loop, Loop) and not loop.space:
                return part  # written and read by single numbers, in their order
        return part + 1


def _none(*_: Any) -> Any:
    raise AssertionError("an operation that only native code has")


@events.stage("plan loops")
def plan(graph: Graph) -> Plan:
    """The loops and steps of a graph."""
    made = Planner(graph).run()
    if events.listeners:
        before = ", ".join(node.op.name for node in graph.nodes)
        after = "; ".join(map(told, made.parts))
        events.publish("pass", run="fuse loops", before=before, after=after)
    return made


def told(part: Any) -> str:
    """A part by what it is and the names of what it computes."""
    if isinstance(part, Loop | Product):
        what = f"loop over {' x '.join(map(str, part.space)) or 'one number'}" if isinstance(
            part, Loop) else "product"  # fmt: skip
        return f"{what}: {', '.join(node.op.name for node in (*part.nodes, *part.sums))}"
    kind = "numpy" if isinstance(part, Step) else type(part).__name__.lower()
    return f"{kind}: {part.node.op.name}"
