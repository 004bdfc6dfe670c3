"""Read shifted windows instead of adding into them.

before::

    v0: float64[6] = add_at(x0, x1) {index=slice(None, -2, None)}
    v1: float64[6] = add_at(v0, x1) {index=slice(2, None, None)}

after::

    v0: float64[8] = pad_constant(x1) {constants=-0.0, widths=((2, 2),)}
    v1: float64[6] = getitem(v0) {index=(slice(2, 8, None),)}
    v2: float64[6] = add(x0, v1)
    v3: float64[6] = getitem(v0) {index=(slice(0, 6, None),)}
    v4: float64[6] = add(v2, v3)

The gradient of a stencil adds one cotangent at every place where its operand was read: each
addition reads and writes all of the sum. With a border around the cotangent the sum is elementwise,
so that one loop reads every window and writes once. The border is -0.0, which changes no number it
is added to, -0.0 included; so the bits stay. It pays where a window is most of the array.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..core.indexing import is_basic, spelled_out
from ..core.registry import CARDS
from ..graph.ir import Constant, Graph, Node, Value, has_holes
from .rewriting import Rewriter, rewrite

SMALL = 2048  # elements of an array for which a border pays only where two windows share it

Shape = tuple[int, ...]


class _Border(NamedTuple):
    """How far the windows of one value lie from the ends of the arrays to which it is added."""

    before: Shape
    behind: Shape
    uses: int = 1


def read_windows(graph: Graph) -> Graph:
    """`graph` with additions at large windows as sums of views."""
    borders: dict[tuple[Value, Shape], _Border] = {}
    for node in graph.nodes:
        starts = _starts(node)
        if starts is not None:
            _widen(borders, node, starts)
    if not borders:
        return graph
    padded: dict[tuple[Value, Shape], Value] = {}

    def rule(rewriter: Rewriter, node: Node, inputs: tuple[Value, ...]) -> Sequence[Value] | None:
        starts = _starts(node)
        if starts is None:
            return None
        shape = node.outputs[0].aval.shape
        key = node.inputs[-1], shape
        border = borders[key]
        if border.uses < 2 and node.outputs[0].aval.size < SMALL:
            return None
        if key not in padded:
            widths = tuple(zip(border.before, border.behind, strict=True))
            params = {"widths": widths, "constants": -0.0}
            (padded[key],) = rewriter.emit(
                CARDS["pad_constant"], inputs[-1:], params, node.position
            )
        index = tuple(
            slice(b - s, b - s + n) for b, s, n in zip(border.before, starts, shape, strict=True)
        )
        (window,) = rewriter.emit(CARDS["getitem"], [padded[key]], {"index": index}, node.position)
        aval = node.outputs[0].aval
        base = inputs[0]
        if node.op.name == "scatter_add":
            base = Constant(aval, np.broadcast_to(np.zeros((), aval.dtype), shape))
        return rewriter.emit(CARDS["add"], [base, window], {}, node.position)

    return rewrite(graph, rule)


def _widen(borders: dict[tuple[Value, Shape], _Border], node: Node, starts: Shape) -> None:
    """Make room for one more window."""
    value, shape = node.inputs[-1], node.outputs[0].aval.shape
    behind = tuple(n - s - m for n, s, m in zip(shape, starts, value.aval.shape, strict=True))
    border = _Border(starts, behind)
    if (value, shape) in borders:
        old = borders[value, shape]
        before = tuple(map(max, old.before, starts))
        border = _Border(before, tuple(map(max, old.behind, behind)), old.uses + 1)
    borders[value, shape] = border


def _starts(node: Node) -> Shape | None:
    """Where the window of an addition begins, if it is more than half of the array; or None."""
    if node.op.name not in ("add_at", "scatter_add") or has_holes(node):
        return None
    value, out, index = node.inputs[-1].aval, node.outputs[0].aval, node.params["index"]
    if len(node.inputs) != (2 if node.op.name == "add_at" else 1) or out.dtype.kind != "f":
        return None
    if value.dtype != out.dtype or value.weak or out.weak or node.inputs[0].aval.weak:
        return None
    if value.ndim != out.ndim or 2 * value.size <= out.size or value.size == out.size:
        return None
    if not is_basic(index):
        return None
    parts = spelled_out(index, out.ndim)
    if len(parts) != out.ndim or not all(isinstance(part, slice) for part in parts):
        return None
    found = [part.indices(n) for part, n in zip(parts, out.shape, strict=True)]
    counts = tuple(len(range(*one)) for one in found)
    if counts != value.shape or any(step != 1 for _, _, step in found):
        return None
    return tuple(start for start, _, _ in found)
