"""Split a graph of values and cotangents in two: what is computed forward, and backward.

before::

    graph f_joint(x0: float64[3] argument, x1: float64[] argument) {
      v0: float64[3] = sin(x0)
      v1: float64[] = sum(v0)
      v2: float64[3] = cos(x0)
      v3: float64[3] = multiply(x1, v2)
      return v1, v3

after, with x1 for a cotangent::

    v0 = sin(x0), v1 = sum(v0)                                     forward
    v0 = cos(x0), v1 = multiply(x1, v0)                            backward

Values that backward nodes read are *residuals*, handed from one program to the other, but for those
that are had again for less than keeping them:

- what the results do not need, from its operands where these are not larger than it is (it is
  computed once, here or there);
- what moves elements (reshape, transpose, broadcast_to), and chains of up to 8 cheap elementwise
  operations, where all that they start from is an input, a constant or a residual anyway;
- elementwise operations on few elements, whatever they are: handing a value over costs more.

What stands `behind` a cotangent (`graph/marks.py`) is computed backward, like all that depends on
one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..graph.ir import Constant, Graph, Node, Value

_CHEAP = frozenset(
    ["add", "subtract", "multiply", "negative", "positive", "absolute", "maximum", "minimum",
     "square", "where", "guard", "greater", "greater_equal", "less", "less_equal", "equal",
     "not_equal", "logical_and", "logical_or", "logical_not", "sign", "astype", "zeros_like",
     "ones_like", "stop", "assigned", "conjugate", "real", "imag", "isnan", "isfinite"]
)  # fmt: skip
_MOVES = frozenset(["reshape", "transpose", "broadcast_to", "expand_dims", "squeeze", "getitem"])
_LONGEST = 8  # operations of a chain that is computed again
_FEW = 64  # elements up to which an elementwise operation costs less than handing a value over


@dataclass
class Split:
    """The two programs.

    `forward` gives the results and then the residuals. `backward` takes the inputs of the whole
    graph at the places `reads`, then what forward gave at the places `saved`, then the cotangents.
    """

    forward: Graph
    backward: Graph
    reads: list[int]
    saved: list[int]


def split(graph: Graph, primals: int, cotangents: int, results: int) -> Split:
    """The parts of `graph`: its outputs are `results` of the forward part, then gradients.

    Its inputs are the primals, then the cotangents, then what else it reads.
    """
    cts = graph.inputs[primals : primals + cotangents]
    inputs = [*graph.inputs[:primals], *graph.inputs[primals + cotangents :]]
    given, gradients = graph.outputs[:results], graph.outputs[results:]
    saved = _residuals(graph, cts, given, gradients)
    outputs = [*given, *(v for v in saved if v not in given)]
    forward = _part(f"{graph.name}_forward", graph, inputs, outputs)
    backward = _part(f"{graph.name}_backward", graph, [*inputs, *saved, *cts], gradients)
    used = {v for node in backward.nodes for v in node.inputs} | set(backward.outputs)
    reads = [n for n, v in enumerate(backward.inputs[: len(inputs)]) if v in used]
    backward.inputs = [
        *(backward.inputs[n] for n in reads), *backward.inputs[len(inputs) :]
    ]  # fmt: skip
    backward.kinds = ["argument"] * len(backward.inputs)
    return Split(forward, backward, reads, [outputs.index(v) for v in saved])


def _residuals(
    graph: Graph, cts: list[Value], given: list[Value], gradients: list[Value]
) -> list[Value]:
    """What the forward part hands to the backward part, in the order of the graph."""
    late: set[Value] = set(cts)  # what depends on a cotangent
    wanted: set[Value] = set(gradients)
    for node in graph.nodes:
        if not late.isdisjoint(node.inputs):
            late.update(node.outputs)
            wanted.update(node.inputs)
    essential = _needed(graph, given)
    # what the backward part can have, and the length of the chain that gives it
    had: dict[Value, int] = dict.fromkeys(graph.inputs, 0)
    saved: list[Value] = []

    def save(values: Iterable[Value]) -> None:
        for value in values:
            saved.append(value)
            had[value] = 0

    for node in graph.nodes:
        if not late.isdisjoint(node.outputs):
            continue
        is_extra = essential.isdisjoint(node.outputs)
        asked = [v for v in node.outputs if v in wanted]
        if is_extra and asked:
            missing = _frontier(node, had, essential)
            if _bytes(missing) <= _bytes(asked):
                save(missing)
                had.update(dict.fromkeys(node.outputs, 0))
                continue
        operands = [v for v in node.inputs if not isinstance(v, Constant)]
        cost = 0 if is_extra else _cost(node)
        if cost is not None and all(v in had for v in operands):
            length = cost + max((had[v] for v in operands), default=0)
            if length <= _LONGEST:
                had.update(dict.fromkeys(node.outputs, length))
                continue
        save(asked)
    return saved


def _frontier(node: Node, had: dict[Value, int], essential: set[Value]) -> list[Value]:
    """What has to be kept so that `node`, which no result needs, can be computed backward."""
    found: list[Value] = []
    stack = list(node.inputs)
    seen: set[Value] = set()
    while stack:
        value = stack.pop()
        if isinstance(value, Constant) or value in had or value in seen:
            continue
        seen.add(value)
        if value in essential or value.node is None:
            found.append(value)
        else:
            stack.extend(value.node.inputs)
    return found


def _cost(node: Node) -> int | None:
    """What computing `node` again adds to a chain; None where that is not done."""
    if node.op.name in _MOVES:
        return 0
    if node.op.kind == "elementwise" and all(v.aval.size <= _FEW for v in node.outputs):
        return 0
    return 1 if node.op.name in _CHEAP else None


def _bytes(values: Iterable[Value]) -> int:
    return sum(v.aval.size * v.aval.dtype.itemsize for v in values)


def _needed(graph: Graph, results: list[Value]) -> set[Value]:
    needed = set(results)
    for node in reversed(graph.nodes):
        if not needed.isdisjoint(node.outputs):
            needed.update(node.inputs)
            needed.update(node.outputs)
    return needed


def _part(name: str, graph: Graph, inputs: list[Value], outputs: list[Value]) -> Graph:
    """The nodes of `graph` between `inputs` and `outputs`, as a graph with values of its own."""
    stops = set(inputs)
    needed = set(outputs) - stops
    taken: list[Node] = []
    for node in reversed(graph.nodes):
        if not needed.isdisjoint(node.outputs):
            taken.append(node)
            needed.update(v for v in node.inputs if v not in stops)
    part = Graph(name)
    instead: dict[Value, Value] = {v: part.add_input(v.aval, "argument") for v in inputs}

    def new(value: Value) -> Value:
        return value if isinstance(value, Constant) else instead[value]

    for node in reversed(taken):
        avals = tuple(v.aval for v in node.outputs)
        made = part.add_node(
            node.op, tuple(map(new, node.inputs)), node.params, avals, node.position, node.operands
        )
        for old, value in zip(node.outputs, made.outputs, strict=True):
            instead.setdefault(old, value)
    part.outputs = [new(v) for v in outputs]
    return part
