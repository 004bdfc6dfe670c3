"""Replace an operation by a cheaper one with the same bits.

before::

    v0: float64[3] = multiply(x0, 1.0)
    v1: float64[3] = negative(v0)
    v2: float64[3] = negative(v1)
    v3: float64[3] = sin(v2)

after::

    v0: float64[3] = sin(x0)

Exact identities only; each is a row of the tables below. What is not there, and why: `x + 0.0` (it
makes 0.0 of -0.0), `x - x` and `0 * x` (NaN and infinity), `x / c` by `1 / c` (rounding),
`(x + a) + b` (rounding), `exp(log(x))` (rounding, and the domain), `x ** 2` by `square(x)` (not
the same bits in NumPy 2.0).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.symbol import without_repeats
from ..graph.ir import Constant, Graph, Node, Value, has_holes
from .rewriting import Rewriter, is_all, rewrite

# operation -> (which operand is neutral, its value): the result is the other operand
NEUTRAL: dict[str, tuple[tuple[int, float], ...]] = {
    "multiply": ((0, 1.0), (1, 1.0)),
    "divide": ((1, 1.0),),
    "add": ((0, -0.0), (1, -0.0)),
    "subtract": ((1, 0.0),),
}
# an operation that undoes itself
INVOLUTIONS = frozenset(["negative", "conjugate", "logical_not"])
# operations whose result is the operand where that has the result's type already
SAME = frozenset(["positive", "reshape", "broadcast_to", "astype", "copy", "ravel"])


def simplify(graph: Graph) -> Graph:
    """`graph` with the exact identities applied from the inputs on."""
    return rewrite(graph, _rule)


def _rule(rewriter: Rewriter, node: Node, inputs: tuple[Value, ...]) -> Sequence[Value] | None:
    if has_holes(node) or len(node.outputs) != 1:
        return None
    name, out = node.op.name, node.outputs[0]
    for at, number in NEUTRAL.get(name, ()):
        other = inputs[1 - at]
        if is_all(inputs[at], number) and _is_like(other, out):
            return [other]
    rule = _RULES.get(name)
    if rule is not None:
        found: Sequence[Value] | None = rule(rewriter, node, inputs)
        if found is not None:
            return found
    if name in INVOLUTIONS:
        before = inputs[0].node
        if before is not None and before.op.name == name and _is_like(before.inputs[0], out):
            return [before.inputs[0]]
    if name in SAME and node.op.kind != "plain" and _is_like(inputs[0], out):
        return [inputs[0]]
    return None


def _is_like(value: Value, other: Value) -> bool:
    return value.aval == other.aval and value.aval.weak == other.aval.weak


def _guard(_: Rewriter, node: Node, inputs: tuple[Value, ...]) -> Sequence[Value] | None:
    """Where the cotangent is known and nowhere 0, the product stands as it is."""
    product, ct = inputs
    known = isinstance(ct, Constant) and bool(np.all(without_repeats(ct.data) != 0))
    return [product] if known and _is_like(product, node.outputs[0]) else None


def _reshape(rewriter: Rewriter, node: Node, inputs: tuple[Value, ...]) -> Sequence[Value] | None:
    """Two reshapes, both in C order, are the second."""
    before = inputs[0].node
    if (
        before is not None
        and before.op.name == "reshape"
        and before.params.get("order") == node.params.get("order") == "C"
        and not has_holes(before)
    ):
        return rewriter.emit(node.op, before.inputs, node.params, node.position)
    return None


def _transpose(rewriter: Rewriter, node: Node, inputs: tuple[Value, ...]) -> Sequence[Value] | None:
    """Two permutations of axes are one, or none."""
    axes = node.params.get("axes")
    if axes is not None and tuple(axes) == tuple(range(len(axes))):
        return [inputs[0]]
    before = inputs[0].node
    if before is None or before.op.name != "transpose" or axes is None:
        return None
    first = before.params.get("axes")
    if first is None:
        return None
    both = tuple(first[i] for i in axes)
    if both == tuple(range(len(both))):
        return [before.inputs[0]]
    return rewriter.emit(node.op, before.inputs, {**node.params, "axes": both}, node.position)


_RULES: dict[str, Callable[..., Any]] = {
    "guard": _guard,
    "reshape": _reshape,
    "transpose": _transpose,
}
