"""The graph: values and nodes, in the order in which they are computed.

Grammar, as `printing.py` writes it::

    graph    ::= "graph" NAME "(" input* ")" "{" constant* node* effect* "return" value* "}"
    input    ::= value ": " type " " KIND         KIND: argument | captured | variable
    constant ::= value ": " type " = " array
    node     ::= value ": " type ", ... = " OP "(" operand* ") " params
    effect   ::= "assign " value " <- " value     the left one is an input of kind variable
    operand  ::= value | NUMBER                   a NUMBER is a weak Python number, or 0-d
    type     ::= DTYPE "[" dims "]"  |  "weak " DTYPE
    params   ::= "{" NAME "=" static "}"          static: what Python can compare, or a hole
    hole     ::= "?" POSITION                     stands for the operand of that position

Every value is defined once, before its first use (SSA). A node has no effect: what a program does
to Variables is the list of effects, committed in their order when everything has been computed.
A draw of random numbers takes the state of its generator and gives the state after, which is
assigned; a print takes and gives the number of prints in the same way, and prints when it is run.

OP is a card, whose implementation, shape rule and derivatives are those of eager mode, or a
`Plain`: a call of NumPy on raw values (a mask, an order, a comparison), through which no
derivative leads. Parameters are static. Where a parameter holds a traced value (the index `i` in
`x[i]`), a hole stands for it, and the value is one more operand.

>>> from gradtape.core.aval import Aval
>>> import numpy as np
>>> g = Graph("f")
>>> x = g.add_input(Aval((3,), np.float64), "argument")
>>> y = g.add_node(Plain("sin", np.sin), (x,), {}, (Aval((3,), np.float64),))
>>> g.outputs = list(y.outputs)
>>> [node.op.name for node in g.nodes]
['sin']
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.symbol import without_repeats

KINDS = ("argument", "captured", "variable")


class Value:
    """Something computed once: an aval, and the node it comes from (None: an input, a constant)."""

    __slots__ = ("aval", "node")

    def __init__(self, aval: Aval, node: Node | None = None) -> None:
        self.aval = aval
        self.node = node

    def __repr__(self) -> str:
        return f"<value {self.aval!r}>"


class Constant(Value):
    """A value that is known: a Python number, a NumPy scalar, or an array that nobody writes."""

    __slots__ = ("_uniform", "data")
    _uniform: Any

    def __init__(self, aval: Aval, data: Any) -> None:
        super().__init__(aval)
        self.data = data

    @property
    def uniform(self) -> Any:
        """The real number that it holds in every element, or None. Asked for again and again."""
        try:
            return self._uniform
        except AttributeError:
            self._uniform = _number_of(self.data)
            return self._uniform


def _number_of(x: Any) -> Any:
    """The number in every element of `x`; 0.0 and -0.0 are two."""
    data = without_repeats(np.asarray(x))
    if data.size == 0 or data.dtype.kind not in "biuf":
        return None
    number = data.flat[0]
    if data.size > 1:
        if (data != number).any():
            return None
        if data.dtype.kind == "f" and np.signbit(data).any() != np.signbit(data).all():
            return None
    return number


class Plain:
    """An operation on raw values: a function of NumPy's, with no derivative.

    Its parameter `rest` holds the positional arguments behind the operands.
    """

    __slots__ = ("function", "name")
    kind = "plain"
    shape_rule = None

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self.name, self.function = name, function

    def impl(self, *operands: Any, rest: tuple[Any, ...] = (), **params: Any) -> Any:
        """The result for raw values."""
        return self.function(*operands, *rest, **params)

    def __repr__(self) -> str:
        return f"<plain {self.name}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plain) and (other.function, other.name) == (
            self.function,
            self.name,
        )

    def __hash__(self) -> int:
        return hash((self.name, id(self.function)))


@dataclass(frozen=True)
class Hole:
    """Where in the parameters of a node the value of operand `position` stands."""

    position: int

    def __repr__(self) -> str:
        return f"?{self.position}"


class Node:
    """One operation: `outputs = op(*operands, **params)`.

    `operands` counts the first inputs, which are the operation's own; those behind them fill the
    holes in the parameters. `position` is the user's code and instruction.
    """

    __slots__ = ("inputs", "op", "operands", "outputs", "params", "position")

    def __init__(
        self,
        op: Any,
        inputs: tuple[Value, ...],
        params: dict[str, Any],
        avals: tuple[Aval, ...],
        position: Any = None,
        operands: int | None = None,
    ) -> None:
        self.op = op
        self.inputs = inputs
        self.params = params
        self.outputs = tuple(Value(aval, self) for aval in avals)
        self.position = position
        self.operands = len(inputs) if operands is None else operands

    def __repr__(self) -> str:
        return f"<node {self.op.name}({', '.join(repr(v.aval) for v in self.inputs)})>"


class Graph:
    """A program: inputs, nodes in order, effects on Variables, outputs."""

    __slots__ = ("effects", "inputs", "kinds", "name", "nodes", "outputs")

    def __init__(self, name: str) -> None:
        self.name = name
        self.inputs: list[Value] = []
        self.kinds: list[str] = []
        self.nodes: list[Node] = []
        self.effects: list[tuple[Value, Value]] = []
        self.outputs: list[Value] = []

    def add_input(self, aval: Aval, kind: str) -> Value:
        """A new input of that kind, behind those that there are."""
        assert kind in KINDS
        value = Value(aval)
        self.inputs.append(value)
        self.kinds.append(kind)
        return value

    def add_node(
        self,
        op: Any,
        inputs: tuple[Value, ...],
        params: dict[str, Any],
        avals: tuple[Aval, ...],
        position: Any = None,
        operands: int | None = None,
    ) -> Node:
        """A new node at the end."""
        node = Node(op, inputs, params, avals, position, operands)
        self.nodes.append(node)
        return node

    @property
    def results(self) -> list[Value]:
        """What has to be computed: the outputs, then what Variables are assigned."""
        return [*self.outputs, *(value for _, value in self.effects)]

    def constants(self) -> Iterator[Constant]:
        """Each constant that a node or a result uses, once, in the order of first use."""
        seen: set[int] = set()
        for value in (*(v for node in self.nodes for v in node.inputs), *self.results):
            if isinstance(value, Constant) and id(value) not in seen:
                seen.add(id(value))
                yield value

    def rebuilt(self, nodes: list[Node], new: Callable[[Value], Value]) -> Graph:
        """A graph with other nodes, and `new(value)` for each result."""
        graph = Graph(self.name)
        graph.inputs, graph.kinds = list(self.inputs), list(self.kinds)
        graph.nodes = nodes
        graph.outputs = [new(v) for v in self.outputs]
        graph.effects = [(variable, new(v)) for variable, v in self.effects]
        return graph


# ------------------------------------------------------------------------- holes in parameters


def lift(params: Any, lifts: Callable[[Any], Any]) -> Any:
    """`params` with `lifts(leaf)` in place of each leaf of dicts, tuples, lists and slices."""
    kind = type(params)
    if kind is dict:
        return {name: lift(value, lifts) for name, value in params.items()}
    if kind is tuple or kind is list:
        return kind(lift(value, lifts) for value in params)
    if kind is slice:
        return slice(*(lift(p, lifts) for p in (params.start, params.stop, params.step)))
    return lifts(params)


def fill(params: Any, values: Any) -> Any:
    """`params` with the values in place of the holes."""
    return lift(params, lambda leaf: values[leaf.position] if type(leaf) is Hole else leaf)


def has_holes(node: Node) -> bool:
    """Whether a parameter of `node` is computed."""
    return node.operands < len(node.inputs)
