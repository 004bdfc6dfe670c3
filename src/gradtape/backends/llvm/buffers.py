"""Where the values of a native part lie: the pass "plan buffers".

What only the part itself reads has its place in one arena, and so have the accumulators of sums.
Two decisions are made here, both by *liveness*: a value lives from the first unit that writes it to
the last that reads it (a unit is a loop, a product, or a group of them that runs in blocks of rows,
whose members are all alive at once).

**A dead value's place is given to another one**::

    before: y lives in 0..1, z in 1..2, u in 2..3     24 bytes: y at 0, z at 8, u at 16
    after:                                            16 bytes: y at 0, z at 8, u at 0

**A loop writes over what it reads for the last time**, where each element of the one is read for
the same element of the other, and by nobody else meanwhile. So `z = exp(y)` needs no second buffer;
and where the caller gives an array away (a donated argument), the result is that array::

    before: x (argument 0) -> x - 0.1 * g (result 0, a new array)
    after:  x (argument 0) -> x - 0.1 * g (argument 0)

**A large result gets memory that an earlier call had given it**, once nobody holds that any more
(`segment.py`), for new memory costs more in page faults than it costs to compute. So the values of
a Variable that each call assigns lie in two arrays in turn. They are not written in place: what
reads the Variable in another thread meanwhile, or an error afterwards, would find half of a value.

The decisions move numbers and change none; but LLVM may add up a block of a sum in another order
where what is read and what is written have one pointer.
"""

from __future__ import annotations

import bisect
import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ... import events
from ...graph.ir import Node, Value
from .fuse import Loop, Plan
from .product import Product
from .roll import LEAST_NODES

__all__ = ["Buffer", "Overwriting", "place", "spaced"]

LINE = 64  # bytes; each buffer begins on a line of the cache
# A processor takes two addresses for one while it knows only their place in a page. What a loop
# reads of one buffer waits for what it writes to another, where both lie at one place of a page.
PAGE, APART = 4096, 9 * LINE


@dataclass(frozen=True)
class Buffer:
    """Bytes that are needed from unit `first` to unit `last`."""

    size: int
    first: int
    last: int


def place(buffers: Sequence[Buffer], name: str = "part") -> tuple[list[int], int]:
    """The offset of each buffer, and the bytes of the arena.

    In the order of their lives, each takes the smallest gap that is large enough, or new bytes.

    >>> place([Buffer(8, 0, 1), Buffer(8, 1, 2), Buffer(8, 2, 3)])
    ([0, 64, 0], 128)
    """
    offsets = [0] * len(buffers)
    gaps: list[tuple[int, int]] = []  # start and end, in their order
    alive: list[tuple[int, int, int]] = []  # last unit, start and end
    total = 0
    for i in sorted(range(len(buffers)), key=lambda i: (buffers[i].first, -buffers[i].size)):
        one = buffers[i]
        while alive and alive[0][0] < one.first:
            _, start, end = heapq.heappop(alive)
            _open(gaps, start, end)
        size = spaced(one.size)
        fits = [gap for gap in gaps if gap[1] - gap[0] >= size]
        if fits:
            gap = min(fits, key=lambda gap: (gap[1] - gap[0], gap[0]))
        else:
            gap = gaps[-1] if gaps and gaps[-1][1] == total else (total, total)
            total = max(total, gap[0] + size)
        at = offsets[i] = gap[0]
        if gap in gaps:
            gaps.remove(gap)
        if gap[1] > at + size:
            bisect.insort(gaps, (at + size, gap[1]))
        heapq.heappush(alive, (one.last, at, at + size))
    if events.listeners and buffers:
        apart = sum(-(-b.size // LINE) * LINE for b in buffers)
        before = f"{len(buffers)} buffers of {apart} bytes"
        events.publish("pass", run="plan buffers", part=name, before=before,
                       after=f"one arena of {total} bytes")  # fmt: skip
    return offsets, total


def spaced(size: int) -> int:
    """The bytes from the beginning of a buffer to that of the next."""
    size = -(-size // LINE) * LINE
    return size + APART * (size % PAGE == 0)


def _open(gaps: list[tuple[int, int]], start: int, end: int) -> None:
    """Add a gap, joined with those that it touches."""
    at = bisect.bisect(gaps, (start, end))
    if at < len(gaps) and gaps[at][0] == end:
        end = gaps.pop(at)[1]
    if at and gaps[at - 1][1] == start:
        start = gaps.pop(at - 1)[0]
        at -= 1
    gaps.insert(at, (start, end))


class Overwriting:
    """Which value of a part may lie where another one lies."""

    def __init__(
        self, made: Plan, loops: Sequence[Loop | Product], unit_of: Callable[[int], int]
    ) -> None:
        self.made, self.loops, self.unit_of = made, loops, unit_of
        self.readers: dict[Value, set[int]] = {}
        self.writers: dict[Value, set[int]] = {}
        for i, loop in enumerate(loops):
            for node in (*loop.nodes, *loop.sums):
                for value in node.inputs:
                    self.readers.setdefault(made.base(value), set()).add(i)
                out = node.outputs[0]
                target = made.placed[out].source if out in made.placed else out
                self.writers.setdefault(target, set()).add(i)

    def life(self, value: Value) -> tuple[int, int]:
        """The units in which a value of the part lives, from the first to the last."""
        units = [self.unit_of(i) for i in self.writers.get(value, ())] or [0]
        reads = [self.unit_of(i) for i in self.readers.get(value, ())]
        return min(units), max(units + reads)

    def pairs(self, values: Sequence[Value]) -> Iterator[tuple[Value, Value]]:
        """Of values that only the part reads, which is written over which."""
        ending: dict[Any, list[Value]] = {}
        for value in values:
            kind = self.life(value)[1], value.aval.shape, value.aval.dtype
            ending.setdefault(kind, []).append(value)
        for new in values:
            first = self.life(new)[0]
            candidates = ending.get((first, new.aval.shape, new.aval.dtype), [])
            old = next((v for v in candidates if v is not new and self.may(new, v)), None)
            if old is not None:
                candidates.remove(old)
                yield new, old

    def may(self, new: Value, old: Value) -> bool:
        """Whether `new` may be written where `old` lies, whom nobody reads after the part."""
        shape = self.made.shapes.get(new, new.aval.shape)
        if (shape, new.aval.dtype) != (old.aval.shape, old.aval.dtype):
            return False
        made, writers = self.made, self.writers.get(new, set())
        if len(writers) != 1:
            return False
        (i,) = writers
        loop, unit = self.loops[i], self.unit_of(i)
        readers = self.readers.get(old, set())
        if any(self.unit_of(j) > unit for j in (*readers, *self.writers.get(old, ()))):
            return False
        if any(self.unit_of(j) == unit for j in self.writers.get(old, ())):
            return False
        if all(self.unit_of(j) < unit for j in readers):
            return True
        if any(self.unit_of(j) == unit and j != i for j in readers):
            return False
        return self._element_by_element(loop, new, old) and new not in made.views

    def _element_by_element(self, loop: Loop | Product, new: Value, old: Value) -> bool:
        """Whether a loop reads each element of `old` before it writes that of `new`.

        Not one number, which is read where it is used, nor a long loop, which may go over a block
        of elements in pieces.
        """
        if isinstance(loop, Product):
            return self._in_tiles(loop, new, old)
        if loop.in_order or loop.along is not None:
            return False
        if loop.size == 1 or len(loop.nodes) >= LEAST_NODES:
            return False
        if new.aval.shape != loop.space or new.node not in loop.nodes:
            return False
        if new in self.made.placed:
            return False
        return all(
            self._is_same(node, old, loop.space) and not hasattr(how, "emit")
            for node, how in (*loop.nodes.items(), *((n, None) for n in loop.sums))
            if old in map(self.made.base, node.inputs)
        )

    def _in_tiles(self, product: Product, new: Value, old: Value) -> bool:
        """Whether the epilogue of a product reads each element of `old` before that of `new`."""
        if product.after is None or product.takes_turns or new in self.made.placed:
            return False
        if old in map(self.made.base, product.node.inputs) or new is product.node.outputs[0]:
            return False
        shape = product.node.outputs[0].aval.shape
        return all(self._is_same(node, old, shape) for node in product.after.nodes)

    def _is_same(self, node: Node, old: Value, shape: tuple[int, ...]) -> bool:
        """Whether a node reads of `old`, if at all, the element that it computes."""
        return all(
            self.made.is_plain(value) and value.aval.shape == shape
            for value in node.inputs if self.made.base(value) is old
        )
