"""A graph played at a level of `jvp` or `vmap`: its tangents, or its results for a batch.

A replay of the graph on dual numbers, or on batches. Under a trace this makes the graph of the
derivative, or of the batch; so both are graphs like others, and may be played again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..core.aval import aval_of, is_differentiable
from ..core.lift import Batch, Dual, Level
from ..core.state import next_key, state
from ..core.tensor import Tensor, new_traced, raw
from .ir import Graph, Value
from .threads import handed_on
from .trace import np_scalar, replay

_np: Any = np  # NumPy's functions as they are for Tensors, which its stubs do not know


def push_forward(
    graph: Graph, primals: Sequence[Any], tangents: Sequence[Any], results: Sequence[Value] = ()
) -> tuple[list[Any], list[Any]]:
    """(the results of `graph`, their tangents), for primals and their tangents.

    A tangent is None where nothing moves. `results` are other values than outputs and effects.
    """
    level = Level("jvp")
    arguments = [
        x if t is None else new_traced(Dual(level, _held(x), _held(t)), next_key())
        for x, t in zip(primals, tangents, strict=True)
    ]
    values, moves = [], []
    with level:
        for found in replay(graph, arguments, results or graph.results):
            held = raw(found)
            if isinstance(held, Dual) and held.level is level:
                values.append(held.primal)
                moves.append(held.tangent)
            else:
                values.append(found)
                moves.append(None)
    return values, moves


def map_over(
    graph: Graph, size: int, arguments: Sequence[Any], axes: Sequence[int | None], part: Any = None
) -> tuple[list[Any], list[int | None]]:
    """(the results of `graph`, their batch axes: 0 or None), for arguments with the batch in front.

    `axes` has None for an argument that is the same for all examples. `part` says of each whether
    it draws and prints; all do, if it is not given.
    """
    level = Level("vmap", size)
    level.part = state.part if part is None else part
    if part is not None and state.part is not None:
        level.part = _np.logical_and(state.part, part)
    lifted = [
        x if a is None else new_traced(Batch(level, _held(x)), next_key())
        for x, a in zip(arguments, axes, strict=True)
    ]
    values: list[Any] = []
    places: list[int | None] = []
    with level:
        for found in replay(graph, lifted, graph.results):
            held = raw(found)
            if isinstance(held, Batch) and held.level is level:
                values.append(held.inner)
                places.append(0)
            else:
                values.append(found)
                places.append(None)
    return values, places


def _held(x: Any) -> Any:
    """What a lift may hold for `x`: a Tensor, or an array with a shape and a dtype."""
    return x if isinstance(x, Tensor) else np_scalar(x)


def in_front(x: Any, axis: int | None, size: int) -> Any:
    """`x` with the batch in front, repeated where it has none."""
    if axis is not None:
        return x
    function: Any = np.broadcast_to
    return function(x, (size, *np.shape(x)))


def zero_like(x: Any) -> Any:
    """A zero tangent of `x`, which may be a number of Python's."""
    aval = aval_of(raw(x))
    return np.zeros(aval.shape, aval.dtype)[()]


def filled(values: Iterable[Any], moves: Iterable[Any]) -> list[Any]:
    """The tangents of the differentiable values, with zeros where there is none."""
    return [
        zero_like(x) if t is None else t
        for x, t in zip(values, moves, strict=True)
        if is_differentiable(raw(x).dtype)
    ]


def reached(graph: Graph, inputs: Sequence[bool], smooth: bool) -> list[bool]:
    """Which outputs depend on the marked inputs; with `smooth`, through what can have a tangent."""
    found = {
        v for v, mark in zip(graph.inputs, inputs, strict=True) if mark and _passes(v, smooth)
    }
    for node in graph.nodes:
        if not found.isdisjoint(node.inputs):
            states = {after for after, before in handed_on(node) if before not in found}
            found.update(v for v in node.outputs if _passes(v, smooth) and v not in states)
    return [v in found for v in graph.outputs]


def _passes(value: Value, smooth: bool) -> bool:
    return not smooth or is_differentiable(value.aval.dtype)


def settled_marks(graph: Graph, marks: Sequence[bool], carries: int, smooth: bool) -> list[bool]:
    """`marks` of the inputs of a loop's body, with the carries that come to depend on marked ones.

    The first `carries` inputs and outputs of `graph` are the carry.
    """
    marks = list(marks)
    while True:
        found = reached(graph, marks, smooth)[:carries]
        joined = [a or b for a, b in zip(marks, found, strict=False)]
        if joined == marks[:carries]:
            return marks
        marks[:carries] = joined
