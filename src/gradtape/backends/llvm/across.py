"""Groups of rows whose rows lie side by side in vectors, because the axes behind them are short.

The innermost axis of a loop is what becomes vectors. Where points have five coordinates that is
five elements: no vector, or one and a rest. A group of rows has another axis, which is long: the
rows of a block. And what only the group reads lies in a room of its own, in any order. So it is
laid out in *columns*: the first coordinate of all rows, then the second of all, each column of a
block `pitch` elements behind the one before it. Loops go over the axes behind the rows first, and
over the rows innermost::

    row after row:  for row: for mean: for k in 0..4: apart[row, mean, k] = x[row, k] - m[mean, k]
    across rows:    for mean: for k: for rows, eight at a time: apart[mean, k, rows] = ...

What is read from outside row by row, and more than once, is copied into columns first (`x` above);
sums that go back to such a place have columns too, which are copied there at the end of a block.
What is joined over the rows is joined in a vector, and goes on from block to block in memory.

Whether a group runs like this follows from shapes, so results are the same on any number of
threads. It is published on `events` as the pass "lay out rows".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...graph.ir import Value
from . import ir
from .counting import counted
from .lanes import FREE
from .memory import get, memory, put
from .views import Count, View, strides_of

if TYPE_CHECKING:
    from .accumulators import Sum
    from .emit import Emitter

__all__ = ["Across", "Packed", "is_gain"]

MOST = 1 << 16  # bytes of columns that a loop makes for itself, on the stack
LANES = 8  # elements of a vector, by an estimate
SHORT = 64  # elements that are added one after the other in less than double precision
STRIDED = 2.5  # a number read or written away from its neighbours, in words of the vocabulary
GAIN = 0.6  # of the time before, from which on it is worth it

_I64 = ir.IntType(64)


def _int(n: int) -> Any:
    return ir.Constant(_I64, n)


@dataclass
class Packed:
    """What a loop reads in columns that it has made: which elements, in C order behind the rows."""

    sizes: list[int]
    source: list[int]  # the strides behind the rows, of what is read
    row: int  # and along them
    offset: int
    bytes: int = 0


@dataclass
class Across:
    """How the rows of a block lie: `brief` are the values that have columns in a room."""

    pitch: int
    brief: set[Value]

    def columns(self, strides: Sequence[int]) -> list[int]:
        """The strides of what lies in columns, by those of C order."""
        return [1, *(step * self.pitch for step in strides[1:])]

    def view(self, view: View) -> View:
        """Where the elements of a value lie, of which rows are those of its base."""
        if view.source not in self.brief:
            return view
        return View(view.source, tuple(self.columns(view.strides)), view.offset * self.pitch)

    def pack(
        self, value: Value, view: View, space: Sequence[int], others: Iterable[Packed]
    ) -> Packed | None:
        """How to copy what is read from outside, if it is read many times and not in line."""
        shape, strides = value.aval.shape, view.strides
        if view.source in self.brief or isinstance(view.source, Count) or len(shape) != len(space):
            return None
        if shape[0] != space[0] or strides[0] in (0, 1):
            return None
        own = [(n, step) for n, step in zip(shape[1:], strides[1:], strict=True) if n > 1 and step]
        sizes, steps = [n for n, _ in own], [step for _, step in own]
        bytes_ = math.prod(sizes) * self.pitch * value.aval.dtype.itemsize
        if math.prod(sizes) == math.prod(space[1:]) or bytes_ + sum(p.bytes for p in others) > MOST:
            return None
        return Packed(sizes, steps, strides[0], view.offset, bytes_)

    def strides(self, value: Value, view: View) -> list[int]:
        """Where a loop finds what it has copied."""
        missing = [
            axis for axis, (n, step) in enumerate(zip(value.aval.shape, view.strides, strict=True))
            if axis and (n == 1 or not step)
        ]  # fmt: skip
        return self.columns(strides_of(value.aval.shape, missing))

    def turn(
        self, strides: dict[Any, list[int]], stored: Iterable[Value], sums: Iterable[Sum]
    ) -> None:
        """Let what a loop writes for each row have the strides of columns."""
        for out in stored:
            own = strides[None]
            strides[out] = self.columns(own) if out in self.brief else own
        for one in sums:
            if strides[one.node][0]:
                strides[one.node] = self.columns(strides[one.node])

    def has_room(self, one: Sum) -> bool:
        """Whether what a reduction gives of each row may be written where it is read."""
        out = one.node.outputs[0]
        return out in self.brief or one.size == out.aval.shape[0]

    # ------------------------------------------------------------------ code around a loop

    def begin(self, e: Emitter, low: Any, high: Any) -> None:
        """Copy into columns what the loop reads, and give its sums some."""
        self.sums: list[tuple[Sum, Any]] = []
        for value, p in e.packed.items():  # beside its own place, which other views may read
            e.at["packed", value] = self._columns(e, value, low, p.sizes)
        for one in e.sums:
            if one.is_by_row and not self.has_room(one):
                self.sums.append((one, e.at[one.node]))
                rest = one.node.outputs[0].aval.shape[1:]
                e.at[one.node] = self._columns(e, one.node.outputs[0], low, rest)
        for value, p in e.packed.items():
            dtype, source = value.aval.dtype, e.plan.base(value)
            self._copy(e, p, dtype, (e.at[source], p.source, p.row, p.offset),
                       (e.at["packed", value], None, 1, 0), low, high)  # fmt: skip

    def end(self, e: Emitter, low: Any, high: Any) -> None:
        """Write the sums of each row where they belong."""
        for one, at in self.sums:
            shape = one.node.outputs[0].aval.shape
            row, *steps = strides_of(shape)
            p = Packed(list(shape[1:]), steps, row, 0)
            own = e.at[one.node]
            self._copy(e, p, one.dtype, (own, None, 1, 0), (at, steps, row, 0), low, high)

    def clear(self, e: Emitter, one: Sum, low: Any, high: Any) -> None:
        """Set what is joined for each row to what changes nothing."""
        shape = one.node.outputs[0].aval.shape
        kind = memory(one.dtype)

        def each(indices: Sequence[Any]) -> None:
            first = self._offset(e, indices, self.columns(strides_of(shape))[1:])
            with counted(e, low, high, FREE) as i:
                at = e.b.gep(e.at[one.node], [e.b.add(first, i)], source_etype=kind)
                put(e.b, one.how.neutral(one.dtype), at, one.dtype)

        _each(e, shape[1:], each)

    def _columns(self, e: Emitter, value: Value, low: Any, sizes: Sequence[int]) -> Any:
        """Room for columns, as if all rows were there."""
        kind = memory(value.aval.dtype)
        found = e.b.alloca(kind, _int(self.pitch * math.prod(sizes)), align=64)
        return e.b.gep(found, [e.b.sub(_int(0), low)], source_etype=kind)

    def _copy(
        self, e: Emitter, p: Packed, dtype: Any, source: tuple[Any, Any, int, int],
        target: tuple[Any, Any, int, int], low: Any, high: Any,
    ) -> None:  # fmt: skip
        """Copy from pointer, strides (None: of columns), step of the rows and offset to another."""
        columns = [step * self.pitch for step in strides_of(tuple(p.sizes))]
        kind = memory(dtype)

        def each(indices: Sequence[Any]) -> None:
            starts = [
                self._offset(e, indices, columns if steps is None else steps, offset)
                for _, steps, _, offset in (source, target)
            ]
            with counted(e, low, high, FREE) as i:
                places = []
                for (at, _, row, _), start in zip((source, target), starts, strict=True):
                    step = i if row == 1 else e.b.mul(i, _int(row))
                    places.append(e.b.gep(at, [e.b.add(start, step)], source_etype=kind))
                put(e.b, get(e.b, places[0], dtype), places[1], dtype)

        _each(e, p.sizes, each)

    def _offset(
        self, e: Emitter, indices: Sequence[Any], steps: Sequence[int], start: int = 0
    ) -> Any:
        found: Any = _int(start)
        for index, step in zip(indices, steps, strict=True):
            found = e.b.add(found, e.b.mul(index, _int(step)))
        return found


def _each(e: Emitter, sizes: Sequence[int], then: Callable[[Sequence[Any]], None]) -> None:
    """Loops over the axes of a row."""

    def inside(axis: int, indices: list[Any]) -> None:
        if axis == len(sizes):
            then(indices)
        elif sizes[axis] == 1:
            inside(axis + 1, [*indices, _int(0)])
        else:
            with counted(e, _int(0), _int(sizes[axis])) as i:
                inside(axis + 1, [*indices, i])

    inside(0, [])


def is_gain(emitters: Sequence[Emitter], brief: set[Value], pitch: int) -> bool:
    """Whether a group takes much less time across its rows, by an estimate."""
    before = after = 0.0
    for e in emitters:
        if not _may(e, brief, pitch):
            return False
        words = e.loop.size * (len(e.loop.nodes) + len(e.loop.sums))
        before += words * _vectors(e)
        after += words / LANES + STRIDED * sum(_strided(e, brief))
    return after < GAIN * before


def _may(e: Emitter, brief: set[Value], pitch: int) -> bool:
    """Whether a loop can run across its rows."""
    if e.rolled is not None or e.tells or e.turns != FREE or not e.loop.size:
        return False
    if any(hasattr(how, "emit") for how in e.loop.nodes.values()):
        return False
    by_row = [one for one in e.sums if one.is_by_row]
    if any(one.how.total != one.dtype and e.loop.size > SHORT * one.size for one in by_row):
        return False
    outside = [one for one in by_row if one.node.outputs[0] not in brief]
    width = sum(one.size // e.loop.space[0] * one.dtype.itemsize for one in outside)
    return width * pitch <= MOST


def _vectors(e: Emitter) -> float:
    """How many vectors there are for each element, where rows come one after the other."""
    size = e.nest.sizes[-1]
    if len(e.nest.sizes) > 1 and size <= e.copies:
        return 1.0
    return (size // LANES + (size % LANES).bit_count()) / size


def _strided(e: Emitter, brief: set[Value]) -> list[int]:
    """Of what lies outside and not in columns: how many elements are read and written."""
    rows, found = e.loop.space[0], []
    for value in e.reads:
        view = e.plan.view(value)
        if view.source in brief or isinstance(view.source, Count):
            continue
        is_by_row = len(value.aval.shape) == len(e.loop.space) and value.aval.shape[0] == rows
        if is_by_row and view.strides[0] not in (0, 1):
            found.append(value.aval.size)
    outs = [v for v in e.inside if v in e.stored]
    outs += [one.node.outputs[0] for one in e.sums if 0 not in one.how.axes]
    return found + [v.aval.size for v in outs if v not in brief and v.aval.size > rows]
