"""Compute once what is computed twice.

before::

    v0: float64[3] = sin(x0)
    v1: float64[3] = sin(x0)
    v2: float64[3] = multiply(v0, v1)

after::

    v0: float64[3] = sin(x0)
    v1: float64[3] = multiply(v0, v0)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..graph.ir import Constant, Graph, Hole, Node, Value
from .rewriting import Rewriter, rewrite


def merge_common(graph: Graph) -> Graph:
    """`graph` with one node for each operation on the same operands and parameters."""
    known: dict[Any, tuple[Value, ...]] = {}
    kept: list[Any] = []  # what keys name by identity lives as long as they

    def rule(rewriter: Rewriter, node: Node, inputs: tuple[Value, ...]) -> Sequence[Value] | None:
        params = _key(node.params, kept) if node.params else ()
        key = (node.op, node.operands, *map(_value, inputs), params)
        found = known.setdefault(key, node.outputs)
        return None if found is node.outputs else [rewriter.new(v) for v in found]

    return rewrite(graph, rule)


def _value(value: Value) -> Any:
    if not isinstance(value, Constant):
        return id(value)
    data = np.asarray(value.data)
    if data.nbytes > 64:
        return id(value.data)
    return value.aval.weak, data.dtype.char, data.shape, data.tobytes()


def _key(x: Any, kept: list[Any]) -> Any:
    """A hashable stand-in for a parameter: equal where it means the same."""
    if isinstance(x, dict):
        return tuple(sorted((name, _key(v, kept)) for name, v in x.items()))
    if isinstance(x, tuple | list):
        return type(x).__name__, tuple(_key(v, kept) for v in x)
    if isinstance(x, slice):
        return "slice", _key(x.start, kept), _key(x.stop, kept), _key(x.step, kept)
    if isinstance(x, np.ndarray):
        return "array", x.dtype.str, x.shape, x.tobytes()
    if isinstance(x, int | float | complex | str | bytes | np.generic | type(None)):
        return type(x).__name__, repr(x)
    if isinstance(x, Hole | np.dtype):
        return type(x).__name__, repr(x)
    kept.append(x)
    return "object", id(x)
