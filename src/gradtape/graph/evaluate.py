"""The oracle: runs a graph with NumPy, node by node. Every backend has to give what this gives."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ..core.refusals import LOWER, refuse
from .ir import Constant, Graph, Node, Value, fill, has_holes

_PYTHON = {"f": float, "i": int, "c": complex, "b": bool}


def run_node(node: Node, values: Sequence[Any]) -> tuple[Any, ...]:
    """The results of one node; 0-d ones are NumPy scalars, weak ones Python numbers."""
    params = fill(node.params, values) if has_holes(node) else node.params
    operands = values[: node.operands]
    try:
        found = implementation(node)(*operands, **params)
    except LOWER as error:
        refuse(error, node.op.name, operands, params)
    parts = found if isinstance(found, tuple | list) else (found,)  # named tuples too
    return tuple(
        settle(part, value.aval.weak) for part, value in zip(parts, node.outputs, strict=True)
    )


def implementation(node: Node) -> Callable[..., Any]:
    """What computes a node: of Python's numbers alone it gets NumPy's, at whose shape rules look.

    Among others they stay as they are, for their dtype is that of what they meet.
    """
    impl: Callable[..., Any] = node.op.impl
    given = node.inputs[: node.operands]
    if node.op.kind == "elementwise" or not given or not all(v.aval.weak for v in given):
        return impl
    return lambda *operands, **params: impl(*(np.asarray(x)[()] for x in operands), **params)


def settle(x: Any, weak: bool = False) -> Any:
    """`x` as eager mode holds it."""
    if weak:
        return x.item() if isinstance(x, np.generic | np.ndarray) else x
    if type(x) is np.ndarray:
        return x[()] if x.ndim == 0 else x
    if type(x) in (bool, int, float, complex):
        return np.asarray(x)[()]
    return x


class _Watched(threading.local):
    look: Callable[[Node, list[Any], Any], object] | None = None


_watched = _Watched()


@contextlib.contextmanager
def watching(look: Callable[[Node, list[Any], Any], object]) -> Iterator[None]:
    """Call `look(node, operands, results)` after every node that this thread evaluates inside.

    Nodes in loops and branches come in each turn, before the node that holds them. `results` is
    None where the node raised.
    """
    before, _watched.look = _watched.look, look
    try:
        yield
    finally:
        _watched.look = before


def evaluate(
    graph: Graph, arguments: Sequence[Any], known: dict[Value, Any] | None = None
) -> tuple[list[Any], list[Any]]:
    """(outputs, what each effect assigns) for one value per input of `graph`.

    `known`, if given, is filled with the value of everything that was computed, also where a node
    raises.
    """
    known = {} if known is None else known
    known.update(zip(graph.inputs, arguments, strict=True))
    look = _watched.look

    def read(value: Value) -> Any:
        return value.data if isinstance(value, Constant) else known[value]

    with np.errstate(all="ignore"):
        for node in graph.nodes:
            operands = [read(v) for v in node.inputs]
            if look is None:
                results = run_node(node, operands)
            else:
                results = _looked_at(look, node, operands)
            known.update(zip(node.outputs, results, strict=True))
    return [read(v) for v in graph.outputs], [read(v) for _, v in graph.effects]


def _looked_at(look: Callable[..., object], node: Node, operands: list[Any]) -> tuple[Any, ...]:
    try:
        results = run_node(node, operands)
    except Exception:
        look(node, operands, None)
        raise
    look(node, operands, results)
    return results
