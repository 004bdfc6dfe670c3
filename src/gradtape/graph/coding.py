"""Nodes and what they hold as plain data, for files: JSON and arrays, nothing that could be code.

`Writer` says what stands for a value, `Reader` reads it again. What has no such form (an object of
the user's, a graph inside a node) raises `Uncodable`, and the program is not kept.

>>> writer = Writer()
>>> said = writer.static({"axis": (0, -1), "where": np.array([True, False])})
>>> said
['d', ['axis', ['t', 0, -1]], ['where', ['a', 0]]]
>>> Reader(writer.arrays).static(said)
{'axis': (0, -1), 'where': array([ True, False])}
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.registry import CARDS
from .ir import Constant, Graph, Hole, Node, Plain, Value
from .marks import ASSIGNED, BEHIND, NUMBER, STOP

__all__ = ["Reader", "Uncodable", "Writer"]

_PYTHON = {kind.__name__: kind for kind in (bool, int, float, complex)}
_SPECIAL: dict[str, Any] = {  # operations that are in no table
    "assigned": ASSIGNED, "behind": BEHIND, "stop": STOP,
    "python_number": NUMBER,
}  # fmt: skip


class Uncodable(Exception):
    """Something has no form in a file."""


class Writer:
    """Says values; arrays go into `arrays`, and a number stands for each."""

    def __init__(self) -> None:
        self.arrays: list[Any] = []

    def array(self, x: Any) -> int:
        """The number of an array."""
        if x.dtype.hasobject or x.dtype.fields:
            raise Uncodable(f"an array of {x.dtype}")
        self.arrays.append(x)
        return len(self.arrays) - 1

    def static(self, x: Any) -> Any:
        """What stands for a value."""
        kind = type(x)
        if x is None or kind in (bool, int, str):
            return x
        if kind is float:
            return ["f", x.hex()]
        if kind is complex:
            return ["c", x.real.hex(), x.imag.hex()]
        if kind is tuple or kind is list:
            return ["t" if kind is tuple else "l", *map(self.static, x)]
        if kind is dict:
            return ["d", *([self.static(name), self.static(value)] for name, value in x.items())]
        if kind is slice:
            return ["s", *map(self.static, (x.start, x.stop, x.step))]
        if x is Ellipsis:
            return ["e"]
        if kind is Hole:
            return ["h", x.position]
        if isinstance(x, np.dtype) and not x.hasobject and not x.fields:
            return ["y", x.str]
        if kind is np.ndarray or isinstance(x, np.generic):
            return ["a" if kind is np.ndarray else "n", self.array(x)]
        if x in _PYTHON.values():
            return ["p", x.__name__]
        return ["u", _path(x)]

    def op(self, op: Any) -> Any:
        """What stands for an operation."""
        special = [name for name, known in _SPECIAL.items() if op is known]
        if special:
            return ["special", special[0]]
        if isinstance(op, Plain):
            return ["plain", op.name, _path(op.function)]
        if op in (CARDS.get(op.name),):
            return ["card", op.name]
        raise Uncodable(f"the operation {op.name}")

    def aval(self, aval: Aval) -> Any:
        """What stands for a type."""
        return [list(aval.shape), aval.dtype.str, aval.weak]

    def node(self, node: Node) -> Any:
        """What stands for a node, of its inputs the types; its position is left behind."""
        return {
            "op": self.op(node.op), "operands": node.operands, "params": self.static(node.params),
            "inputs": [self.aval(v.aval) for v in node.inputs],
            "outputs": [self.aval(v.aval) for v in node.outputs],
        }  # fmt: skip

    def graph(self, graph: Graph) -> Any:
        """What stands for a graph."""
        numbers: dict[Value, int] = {}
        constants = []
        for value in graph.inputs:
            numbers[value] = len(numbers)
        for constant in graph.constants():
            numbers[constant] = len(numbers)
            constants.append([self.aval(constant.aval), self.static(constant.data)])
        nodes = []
        for node in graph.nodes:
            nodes.append([self.node(node), [numbers[v] for v in node.inputs]])
            for value in node.outputs:
                numbers[value] = len(numbers)
        return {
            "name": graph.name, "kinds": graph.kinds, "constants": constants, "nodes": nodes,
            "inputs": [self.aval(v.aval) for v in graph.inputs],
            "outputs": [numbers[v] for v in graph.outputs],
            "effects": [[numbers[w], numbers[v]] for w, v in graph.effects],
        }  # fmt: skip


class Reader:
    """Reads what a Writer said."""

    def __init__(self, arrays: list[Any]) -> None:
        self.arrays = arrays

    def static(self, said: Any) -> Any:
        """The value that something stands for."""
        if not isinstance(said, list):
            return said
        kind, *rest = said
        if kind == "f":
            return float.fromhex(rest[0])
        if kind == "c":
            return complex(*map(float.fromhex, rest))
        if kind in ("t", "l"):
            parts = [self.static(x) for x in rest]
            return tuple(parts) if kind == "t" else parts
        if kind == "d":
            return {self.static(name): self.static(value) for name, value in rest}
        if kind == "s":
            return slice(*map(self.static, rest))
        if kind == "e":
            return Ellipsis
        if kind == "h":
            return Hole(rest[0])
        if kind == "y":
            return np.dtype(rest[0])
        if kind in ("a", "n"):
            array = self.arrays[rest[0]]
            return array if kind == "a" else array[()]
        return _PYTHON[rest[0]] if kind == "p" else _found(rest[0])

    def op(self, said: Any) -> Any:
        """The operation."""
        kind, name, *path = said
        if kind == "special":
            return _SPECIAL[name]
        return Plain(name, _found(path[0])) if kind == "plain" else CARDS[name]

    def aval(self, said: Any) -> Aval:
        """The type."""
        shape, dtype, weak = said
        return Aval(tuple(shape), np.dtype(dtype), weak)

    def node(self, said: Any) -> Node:
        """The node, with inputs of its own."""
        inputs = tuple(Value(self.aval(aval)) for aval in said["inputs"])
        outputs = tuple(self.aval(aval) for aval in said["outputs"])
        params = self.static(said["params"])
        return Node(self.op(said["op"]), inputs, params, outputs, None, said["operands"])

    def graph(self, said: Any) -> Graph:
        """The graph."""
        graph = Graph(said["name"])
        values: list[Value] = []
        for aval, kind in zip(said["inputs"], said["kinds"], strict=True):
            values.append(graph.add_input(self.aval(aval), kind))
        for aval, data in said["constants"]:
            values.append(Constant(self.aval(aval), self.static(data)))
        for node, inputs in said["nodes"]:
            made = self.node(node)
            made.inputs = tuple(values[i] for i in inputs)
            graph.nodes.append(made)
            values.extend(made.outputs)
        graph.outputs = [values[i] for i in said["outputs"]]
        graph.effects = [(values[w], values[v]) for w, v in said["effects"]]
        return graph


def _path(x: Any) -> str:
    """The name under which NumPy has a function or a type; Uncodable where it has none."""
    name = getattr(x, "__name__", None)
    module = getattr(x, "__module__", None) or "numpy"
    for place in dict.fromkeys(("numpy", module)):
        path = f"{place}.{name}"
        if isinstance(name, str) and place.partition(".")[0] == "numpy" and _look_up(path) is x:
            return path
    raise Uncodable(f"{type(x).__name__} {name or ''}".strip())


def _look_up(path: str) -> Any:
    found: Any = np
    for part in path.split(".")[1:]:
        found = getattr(found, part, None)
    return found


def _found(path: str) -> Any:
    """What `_path` named: something of NumPy's, and nothing else."""
    found = _look_up(path) if path.partition(".")[0] == "numpy" else None
    if not callable(found):
        raise Uncodable(path)
    return found
