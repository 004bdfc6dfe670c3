"""A graph as text: the grammar of `ir.py`, the same at every run, for eyes and goldens."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.positions import decode
from .ir import Constant, Graph, Value

_PREFIX = {"argument": "x", "captured": "c", "variable": "w"}
_FEW = 8  # elements up to which a constant is written out


def show(graph: Graph, positions: bool = False) -> str:
    """The text of `graph`; with `positions`, the user's file and line behind each node.

    >>> from .ir import Plain
    >>> g = Graph("f")
    >>> x = g.add_input(Aval((3,), np.float64), "argument")
    >>> y = g.add_node(Plain("sin", np.sin), (x,), {}, (Aval((3,), np.float64),))
    >>> g.outputs = list(y.outputs)
    >>> print(show(g))
    graph f(x0: float64[3] argument) {
      v0: float64[3] = sin(x0)
      return v0
    }
    """
    names: dict[Value, str] = {}
    inputs = []
    counts = dict.fromkeys(_PREFIX, 0)
    for value, kind in zip(graph.inputs, graph.kinds, strict=True):
        names[value] = f"{_PREFIX[kind]}{counts[kind]}"
        counts[kind] += 1
        inputs.append(f"{names[value]}: {of_type(value.aval)} {kind}")
    lines = [f"graph {graph.name}({', '.join(inputs)}) {{"]
    for constant in graph.constants():
        if np.ndim(constant.data):
            names[constant] = f"k{sum(name[0] == 'k' for name in names.values())}"
            lines.append(f"  {names[constant]}: {of_type(constant.aval)} = {_array(constant)}")
    count = 0
    for node in graph.nodes:
        for value in node.outputs:
            names[value] = f"v{count}"
            count += 1
        left = ", ".join(f"{names[v]}: {of_type(v.aval)}" for v in node.outputs)
        operands = ", ".join(_operand(v, names) for v in node.inputs)
        params = ", ".join(f"{name}={_static(p)}" for name, p in sorted(node.params.items()))
        line = f"  {left} = {node.op.name}({operands})" + (f" {{{params}}}" if params else "")
        if positions and node.position:
            line += f"  # {decode(*node.position)}"
        lines.append(line)
    for variable, value in graph.effects:
        lines.append(f"  assign {names[variable]} <- {_operand(value, names)}")
    lines.append(f"  return {', '.join(_operand(v, names) for v in graph.outputs)}".rstrip())
    return "\n".join([*lines, "}"])


def of_type(aval: Aval) -> str:
    """`float64[2,3]`; `weak float64` for a Python number."""
    return f"weak {aval.dtype}" if aval.weak else repr(aval)


def _operand(value: Value, names: dict[Value, str]) -> str:
    if isinstance(value, Constant) and value not in names:
        data = value.data
        return repr(data) if value.aval.weak else f"{value.aval.dtype}({data})"
    return names[value]


def _array(constant: Constant) -> str:
    data = np.asarray(constant.data)
    if data.size > _FEW:
        return f"<{data.size} numbers>"
    return np.array2string(data, separator=", ").replace("\n", "")


def _static(p: Any) -> str:
    if isinstance(p, np.ndarray):
        return f"array({np.array2string(p, separator=', ', threshold=_FEW)})".replace("\n", "")
    if isinstance(p, tuple):
        return f"({', '.join(map(_static, p))}{',' if len(p) == 1 else ''})"
    if isinstance(p, np.dtype):
        return str(p)
    if callable(p):
        return getattr(p, "__name__", "function")
    return repr(p)
