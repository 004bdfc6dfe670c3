"""How a `contract` node is computed: which axes are rows, columns and inner ones, and by what.

Axes along which all three arrays run alike are one. Of what remains one row, one column and one
inner axis make a product of matrices; the others are loops around it. `BLAS` computes a large one.
A *tile* keeps a few rows of the result in registers and reads the second operand as it lies: a
small one needs neither a call nor the copies that a large one is worth. Between the two, tiles go
over *panels*, copies of pieces of the second operand (`panels.py`), where vectors have 512 bits. A
*dot* is a matrix by a vector, where the matrix lies row after row.

A large product is cut into parts along one axis, by shapes alone; where that is the inner axis,
each part has a sum of its own, and they are added in their order. Over panels it is cut into pieces
of rows and columns: the nearer to a square, the less is copied and fetched for what is computed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ...graph.contraction import CONTRACT, split_labels
from ...graph.ir import Node
from . import blas, lowerings, partition
from .machine import host

if TYPE_CHECKING:
    from .epilogue import Epilogue

__all__ = ["Axis", "Cut", "Product", "find", "tile_rows"]

LARGEST = 2**31 - 1  # of BLAS's integers
PART = 1.2e7  # products of numbers in a part of a BLAS call, at least
SMALL_PART = 1e6  # in a part of tiles and of sums of rows
PANEL_PART = 3.4e6  # over the bytes of a number, in one over panels: 16 microseconds
MOST_PARTS = 16
# Nanoseconds of one product of numbers, by an estimate; and of a byte of an operand, whose numbers
# may be needed once.
NS = {"blas": 0.012, "panel": 0.012, "tile": 0.05, "dot": 0.08}
FETCH_NS = 0.018
PACKED = 8192  # bytes of a second operand that is copied, so that its columns lie side by side
PANEL = 32768  # bytes of the second operand that a tile reads again and again
KEPT = 1024  # terms that are added up in registers
MET = 1 << 20  # bytes of the first operand that go over a panel
# Rows of the result that are kept in registers, by the vectors of a row, where panels are copied.
PANEL_ROWS = {1: 12, 2: 12, 3: 8, 4: 6}
ROW_BYTES = 2048  # bytes of a row of the result that is worth a tile


@dataclass(frozen=True)
class Axis:
    """An index: its length, and the step in elements along it in x, in y and in the result."""

    kind: str  # batch, row, column or inner
    size: int
    x: int = 0
    y: int = 0
    out: int = 0

    def swapped(self) -> Axis:
        """The same index where the operands change places."""
        kind = {"row": "column", "column": "row"}.get(self.kind, self.kind)
        return Axis(kind, self.size, self.y, self.x, self.out)

    @property
    def steps(self) -> tuple[int, int, int]:
        return self.x, self.y, self.out


_ONE = Axis("row", 1)


@dataclass(frozen=True)
class Cut:
    """An axis in parts of `step`; the last one may be shorter."""

    axis: Axis
    step: int

    @property
    def count(self) -> int:
        """How many parts there are."""
        return -(-self.axis.size // self.step)


def _length(axis: Axis) -> int:
    return axis.size


@dataclass
class Product:
    """One product as a part of a program.

    `nodes` and `sums` are what a loop has under these names: what it computes.
    """

    node: Node
    way: str  # blas, panel, tile or dot
    is_swapped: bool  # whether the operands have changed places
    row: Axis
    column: Axis
    inner: Axis
    outer: list[Axis]  # the loops around
    space: tuple[int, ...] | None = None  # that of no loop
    nodes: dict[Node, Any] = field(default_factory=dict)
    sums: list[Node] = field(default_factory=list)
    after: Epilogue | None = None  # what is computed of each element before it is stored

    def __post_init__(self) -> None:
        self.nodes = {self.node: None}

    def join(self, after: Epilogue) -> None:
        """Compute this too of each element."""
        self.after = after
        self.nodes.update(after.nodes)

    @property
    def takes_turns(self) -> bool:
        """Whether tiles lay sums down before they are done."""
        return self.inner.size > PANEL // (len(PANEL_ROWS) * host().width // 8)

    @property
    def size(self) -> int:
        """How many products of numbers it takes."""
        return math.prod(a.size for a in (self.row, self.column, self.inner, *self.outer))

    @property
    def cost(self) -> float:
        """The nanoseconds that it takes, by an estimate."""
        fetched = max(v.aval.size * v.aval.dtype.itemsize for v in self.node.inputs)
        return float(max(self.size * NS[self.way], fetched * FETCH_NS))

    @property
    def is_packed(self) -> bool:
        """Whether a tile needs a copy of the second operand."""
        return self.column.y != 1 and self.column.size > 1

    def split(self) -> list[Cut]:
        """The axis that is cut into parts; two where parts are pieces of both."""
        small = self.way not in ("blas", "panel")
        itemsize = self.node.outputs[0].aval.dtype.itemsize
        least = {"blas": PART, "panel": PANEL_PART / itemsize}.get(self.way, SMALL_PART)
        parts = min(int(self.size / least), MOST_PARTS)
        around = max((a for a in self.outer if a.kind != "inner"), key=_length, default=_ONE)
        free = [self.row] if small else [self.row, self.column]
        longest = max(free, key=_length)
        if small and not self.outer and self.inner.size > 64 * longest.size:
            axis, unit = self.inner, KEPT
        elif around.size >= parts:
            axis, unit = around, 1
        elif self.way == "panel":
            return self._grid(parts, host().width // (8 * itemsize))
        else:
            axis, unit = longest, 16
        step = -(-axis.size // max(parts, 1))
        return [Cut(axis, -(-step // unit) * unit)]  # the last part may be shorter

    def _grid(self, parts: int, lanes: int) -> list[Cut]:
        """Parts of rows and of columns, of whole tiles and panels."""
        rows, columns, wide = self.row.size, self.column.size, len(PANEL_ROWS) * lanes
        widths = {min(columns, wide), columns % wide or wide}
        unit = math.lcm(*(tile_rows(rows, -(-width // lanes)) for width in widths))
        steps = partition.grid((rows, unit), (columns, wide), parts)
        return [Cut(self.column, steps[1]), Cut(self.row, steps[0])]


def tile_rows(rows: int, vectors: int) -> int:
    """The rows of a tile over a panel: less than fit, where then none of so many are left over."""
    most = PANEL_ROWS[vectors]
    less = {12: 8, 8: 6, 6: 4}[most]
    return less if rows % most and not rows % less else most


def find(node: Node) -> Product | None:
    """How a node is computed by native code; None where it is not."""
    if node.op is not CONTRACT or not all(map(lowerings.held, (*node.inputs, *node.outputs))):
        return None
    dtype = node.outputs[0].aval.dtype
    if dtype.char not in "fd" or any(v.aval.dtype != dtype for v in node.inputs):
        return None
    axes = _axes(node)
    if not all(a.size for a in axes):
        return None
    last = next((a for a in axes if a.out == 1), None)
    if last is None or last.kind == "batch":
        return None
    swapped = last.kind == "row"
    if swapped:
        axes, last = [a.swapped() for a in axes], last.swapped()
    if not any(a.kind == "row" for a in axes) and last.y != 1:
        return _dot(node, axes, last, not swapped)
    return _matrices(node, axes, last, swapped)


def _axes(node: Node) -> list[Axis]:
    """The axes of a product, from the longest step in the result to the shortest."""
    terms = split_labels(node.params["labels"])
    values = (*node.inputs, node.outputs[0])
    steps: list[dict[str, int]] = []
    sizes: dict[str, int] = {}
    for labels, value in zip(terms, values, strict=True):
        step, found = 1, {}
        for label, size in zip(reversed(labels), reversed(value.aval.shape), strict=True):
            found[label] = step
            sizes[label] = size
            step *= size
        steps.append(found)
    x, y, out = steps
    axes = []
    for label, size in sizes.items():
        if label in out:
            kind = "batch" if label in x and label in y else "row" if label in x else "column"
        else:
            kind = "inner"
        axes.append(Axis(kind, size, x.get(label, 0), y.get(label, 0), out.get(label, 0)))
    return _joined(axes)


def _joined(axes: list[Axis]) -> list[Axis]:
    """The axes, with one for two along which all arrays run alike."""
    axes = sorted(axes, key=lambda a: (-a.out, -a.x))
    for a in axes:
        for b in axes:
            if a is b or a.kind != b.kind:
                continue
            if all(s == b.size * t for s, t in zip(a.steps, b.steps, strict=True)):
                rest = [c for c in axes if c is not a and c is not b]
                return _joined([*rest, replace(b, size=a.size * b.size)])
    return axes


def _dot(node: Node, axes: list[Axis], column: Axis, swapped: bool) -> Product | None:
    """A matrix by a vector, where the matrix lies row after row; as x it is always the first."""
    row = column.swapped()
    inner = next((a.swapped() for a in axes if a.kind == "inner" and a.x == a.y == 1), None)
    if inner is None:
        return None
    outer = [a.swapped() for a in axes if a.out != 1 and (a.x, a.y) != (1, 1)]
    return Product(node, "dot", swapped, row, replace(_ONE, kind="column"), inner, outer)


def _matrices(node: Node, axes: list[Axis], column: Axis, swapped: bool) -> Product | None:
    rows = sorted((a for a in axes if a.kind == "row"), key=lambda a: -a.size) or [_ONE]
    inners = sorted((a for a in axes if a.kind == "inner"), key=lambda a: -a.size)
    if not inners:
        inners = [Axis("inner", 1)]
    itemsize = node.outputs[0].aval.dtype.itemsize
    for row in rows:
        for inner in inners:
            outer = [a for a in axes if a not in (row, column, inner)]
            product = Product(node, "tile", swapped, row, column, inner, outer)
            if _is_small(product, itemsize):
                return product
            if _is_for_panels(product, itemsize):
                product.way = "panel"
                return product
            if not blas.is_available():
                continue
            fits = max(row.size, column.size, inner.size, *row.steps, *column.steps, *inner.steps)
            if fits <= LARGEST and _is_laid_out(row, column, inner):
                product.way = "blas"
                return product
            if column.y == 1:
                return product
    return None


def _is_small(product: Product, itemsize: int) -> bool:
    """Whether a tile is at least as fast as BLAS."""
    row, column, inner = product.row, product.column, product.inner
    panel = inner.size * column.size * itemsize
    if product.is_packed:
        return panel <= PACKED and row.size >= 8
    if row.size == 1:
        return True
    long = inner.size > 64 * row.size  # a long sum into a few rows
    return column.size * itemsize <= ROW_BYTES and (panel <= PANEL or long)


def _is_for_panels(product: Product, itemsize: int) -> bool:
    """Whether tiles over panels are faster than BLAS, as far as it was measured.

    A short sum too: BLAS needs twice the time for (512, 10) @ (10, 512).
    """
    row, column, inner = product.row, product.column, product.inner
    wide = len(PANEL_ROWS) * host().width // 8
    met = row.size * min(inner.size, PANEL // wide) * itemsize  # bytes that a panel meets
    fits = met <= MET or column.size * itemsize <= wide
    return host().width == 512 and row.size >= 32 and inner.size >= 8 and fits


def _is_laid_out(row: Axis, column: Axis, inner: Axis) -> bool:
    """Whether BLAS can read the matrices: one step of each is 1."""
    return (1 in (row.x, inner.x) or row.size == 1) and 1 in (column.y, inner.y)
