"""`verify`: refuses a graph that is wrong, so that a pass fails where it errs and not later.

A failure here is a bug of gradtape and never a user's mistake, so it is an AssertionError.
"""

from __future__ import annotations

from typing import Any

from .ir import KINDS, Constant, Graph, Hole, Node, Value, lift
from .shapes import avals_of


def verify(graph: Graph, after: str = "tracing") -> Graph:
    """`graph` itself, if it is well formed; AssertionError, which names the pass, if not.

    Each value is defined once and before its use; each type is what the shape rule says; effects
    fit their Variables; holes stand for operands that there are.
    """
    say = f"{graph.name}, after {after}"
    assert len(graph.inputs) == len(graph.kinds), f"{say}: inputs and kinds differ in number"
    assert set(graph.kinds) <= set(KINDS), f"{say}: unknown kind of input"
    defined: set[Value] = set()
    for value in graph.inputs:
        assert value not in defined, f"{say}: an input is there twice"
        defined.add(value)
    for n, node in enumerate(graph.nodes):
        where = f"{say}: node {n}, {node.op.name}"
        for value in node.inputs:
            known = isinstance(value, Constant) or value in defined
            assert known, f"{where}: an operand is used before it is defined"
        _check_holes(where, node)
        ruled = avals_of(node.op, node.inputs, node.params, node.operands)
        found = tuple(value.aval for value in node.outputs)
        assert ruled == found, f"{where}: the rule gives {ruled}, the graph says {found}"
        for value in node.outputs:
            assert value not in defined, f"{where}: a result is defined twice"
            defined.add(value)
    for value in graph.results:
        known = isinstance(value, Constant) or value in defined
        assert known, f"{say}: a result is not defined"
    for variable, value in graph.effects:
        assert variable in graph.inputs, f"{say}: what is assigned is no input"
        assert graph.kinds[graph.inputs.index(variable)] == "variable", f"{say}: no Variable"
        assert value.aval == variable.aval, (
            f"{say}: {value.aval!r} is assigned to a Variable of {variable.aval!r}"
        )
    return graph


def _check_holes(where: str, node: Node) -> None:
    used: set[int] = set()

    def note(leaf: Any) -> Any:
        if type(leaf) is Hole:
            used.add(leaf.position)
        return leaf

    lift(node.params, note)
    expected = set(range(node.operands, len(node.inputs)))
    assert used == expected, f"{where}: holes {sorted(used)}, operands for {sorted(expected)}"
