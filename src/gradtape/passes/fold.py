"""Compute now what is known now.

before::

    v0: float64[] = multiply(2.0, float64(3.0))
    v1: float64[3] = multiply(x0, v0)

after::

    v0: float64[3] = multiply(x0, float64(6.0))

Only what is small: a large constant that is quick to compute is better computed than kept.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..graph.evaluate import run_node
from ..graph.ir import Constant, Graph, Node, Value
from .rewriting import Rewriter, rewrite

LARGEST = 65536  # bytes of a constant that is made here


def fold_constants(graph: Graph) -> Graph:
    """`graph` with the results of nodes on constants as constants."""
    return rewrite(graph, _rule)


def _rule(_: Rewriter, node: Node, inputs: tuple[Value, ...]) -> Sequence[Value] | None:
    if not inputs or not all(isinstance(v, Constant) for v in inputs):
        return None
    if sum(v.aval.size * v.aval.dtype.itemsize for v in node.outputs) > LARGEST:
        return None
    if node.op.kind == "custom":  # control flow: it may go on for long
        return None
    try:
        with np.errstate(all="ignore"):
            found = run_node(node, [v.data for v in inputs if isinstance(v, Constant)])
    except Exception:  # it fails at each call, and there it says so
        return None
    return [Constant(v.aval, data) for v, data in zip(node.outputs, found, strict=True)]
