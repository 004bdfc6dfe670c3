"""The code of a loop whose nodes repeat: loops over iterations, inside blocks of elements.

Elements go in blocks, each block through all iterations: an iteration is a loop over the elements
of a block, which LLVM makes vector code of, and what is carried or kept from one iteration to the
next lies in a buffer on the stack that stays in the cache. Where there is one number only, there
is no block; then the part of an iteration that does not wait for the one before is a loop of its
own, and that is vector code over the iterations (the cosines of three hundred numbers, in the
gradient of a chain of sines).

It is published on `events` as the pass "roll": of a chain of sines and its sum's end, before and
after are::

    201 operations in a row
    100 times (sin, multiply); add
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ... import events
from ...graph.ir import Node, Value
from . import ir, types
from .between import Between, between, carried, closed, stored
from .counting import counted
from .fuse import uniform
from .lanes import BOUND, FREE, WHOLE
from .memory import get, memory, put
from .roll import Carried, Fixed, Kept, Moved, Numbers, Part, Same, Section, roll
from .views import Count

__all__ = ["Rolled", "find"]

LONG, PIECE = 1200, 500  # nodes of one loop: what vectorising takes grows faster than the loop
MEMORY = 1 << 15  # bytes of the stack for what is carried and kept, in the cache
MEMORY_OF_NUMBERS = 1 << 20  # the same where there is one number, and no worker's stack
WIDEST, LEAST = 128, 16  # elements of a block, a multiple of the least
MOST_NAMES = 12  # of a part, in what is published
MOST_USES = 16  # results of iterations other than the last that are read or stored outside
_I64 = ir.IntType(64)


@dataclass
class Buffer:
    """Where a result lies: `[count][block]` elements; `offset` 1 has the initial value first."""

    dtype: Any
    at: Any  # alloca
    count: int
    offset: int


def find(emitter: Any) -> Rolled | None:
    """The loop's rolled form, if its nodes repeat and what they keep fits into the cache."""
    loop = emitter.loop
    nodes = list(loop.nodes)
    if not nodes or loop.along is not None or loop.in_order or any(
        hasattr(how, "emit") for how in loop.nodes.values()
    ):
        return None
    plan = emitter.plan
    known: dict[Any, Value] = {}

    def lies(value: Value) -> tuple[Any, int]:
        view = plan.view(value)
        if view.source in emitter.targets or isinstance(view.source, Count):
            return value, 0
        return (view.source, view.strides, value.aval.shape), view.offset

    def one(value: Value) -> Value:
        source: Value = plan.base(value)
        if emitter.is_inside(value) or uniform(source) is not None:
            return source
        found: Value = known.setdefault(lies(value), value)
        return found

    if emitter.nest.sizes:
        nodes = beside(nodes, one)
    parts = roll(nodes, one, uniform, lies)
    if emitter.nest.sizes:
        parts = _cut(parts or [nodes])
    if parts is None or (len(parts) == 1 and isinstance(parts[0], list)):
        return None
    made = Rolled(emitter, parts)
    if not made.fits:
        return None
    if events.listeners:
        before = f"{len(nodes)} operations in a row"
        events.publish("pass", run="roll", before=before, after="; ".join(map(_told, parts)))
    return made


def _told(part: Part) -> str:
    """A section by what it repeats, straight code by what it computes."""
    names = [node.op.name for node in (part.nodes if isinstance(part, Section) else part)]
    listed = ", ".join(names if len(names) <= MOST_NAMES else [*names[:MOST_NAMES], "..."])
    return f"{part.times} times ({listed})" if isinstance(part, Section) else listed


def beside(nodes: list[Node], base: Callable[[Value], Value]) -> list[Node]:
    """The nodes with each cos behind the sin of the same value, and each sin behind the cos.

    A gradient asks for one where the value asked for the other, long before; side by side LLVM
    computes once what they share, which is nearly all.
    """
    first: dict[Value, Node] = {}  # by operand
    behind: dict[Node, list[Node]] = {}
    moved: set[Node] = set()
    for node in nodes:
        if node.op.name not in ("sin", "cos"):
            continue
        other = first.setdefault(base(node.inputs[0]), node)
        if other is not node:
            behind.setdefault(other, []).append(node)
            moved.add(node)
    return [x for node in nodes if node not in moved for x in (node, *behind.get(node, ()))]


def _cut(parts: list[Part]) -> list[Part]:
    """The parts with straight code in pieces that LLVM takes one at a time."""
    found: list[Part] = []
    for part in parts:
        if isinstance(part, Section):
            found.append(part)
        else:
            count = -(-len(part) // PIECE) if len(part) > LONG else 1
            size = -(-len(part) // count)
            found += [part[i : i + size] for i in range(0, len(part), size)]
    return found


class Rolled:
    """Sections and straight code of one loop."""

    def __init__(self, emitter: Any, parts: list[Part]) -> None:
        self.e, self.parts = emitter, parts
        self.order = between(parts)
        self.sections = [p for p in parts if isinstance(p, Section)]
        self.home: dict[Value, tuple[Section, int, int]] = {
            value: (section, q, k)
            for section in self.sections
            for q, column in enumerate(section.values)
            for k, value in enumerate(column)
        }
        self.part_of = {
            node.outputs[0]: n
            for n, part in enumerate(parts)
            if isinstance(part, list)
            for node in part
        }
        self.held: set[tuple[Section, int]] = set()  # of which the last result is read outside
        self.crossing: dict[Value, None] = {}  # of straight code, read in another part
        self.fits = self._look()
        self.closed = closed(self)

    # ------------------------------------------------------------------ what needs a buffer

    def _look(self) -> bool:
        if any(v in self.e.placed for v in self.home):
            return False
        uses: set[Value] = {v for v in self.home if v in self.e.stored}
        for n, part in enumerate(self.parts):
            read: list[Value] = []
            if isinstance(part, Section):
                for operands in part.operands:
                    for one in operands:
                        if isinstance(one, Fixed):
                            read.append(one.value)
                        elif isinstance(one, Carried):
                            self.held.add((part, one.at))
                            self._note([one.initial], n - 1, uses)  # in the loop before
            else:
                read = [v for node in part for v in node.inputs]
            self._note(read, n, uses)
        self._note([v for node in self.e.loop.sums for v in node.inputs], len(self.parts) - 1, uses)
        self.is_number = not self.e.nest.sizes
        if self.is_number:
            for section in self.sections:  # what runs ahead is there for all iterations
                section.kept |= {q for s, q in self.held if s is section} & self._ahead(section)
        early = 0
        for value in uses:
            section, q, k = self.home[value]
            if k == section.times - 1:
                self.held.add((section, q))
            else:
                section.kept.add(q)
                early += 1
        size = sum(
            (s.times + 1) * s.nodes[q].outputs[0].aval.dtype.itemsize
            for s in self.sections
            for q in s.kept
        )
        size += 8 * (len(self.held) + len(self.crossing))
        self.block = 1
        if not self.is_number:
            self.block = min(WIDEST, 1 << (max(MEMORY // max(size, 1), 1).bit_length() - 1))
            if self.block < LEAST and size * LEAST <= 8 * MEMORY:
                self.block = LEAST  # out of the first cache, in the second
            if self.block > LEAST:
                least = -(-max(self.e.nest.sizes[-1], 1) // LEAST) * LEAST
                self.block = min(self.block, least)
        return early <= MOST_USES and (
            size <= MEMORY_OF_NUMBERS if self.is_number else self.block >= LEAST
        )

    def _note(self, read: list[Value], n: int, uses: set[Value]) -> None:
        for value in read:
            if not self.e.is_inside(value):
                continue
            source = self.e.plan.base(value)
            if source in self.home:
                uses.add(source)
            elif self.part_of[source] != n:
                self.crossing[source] = None

    # ------------------------------------------------------------------ the code

    def emit(self, indices: list[Any], low: Any, high: Any) -> None:
        """The elements from `low` to `high` of the innermost axis; None where there is none."""
        self.known: dict[Value, Any] = {}
        self._allocate()
        if self.is_number:
            self._turns(lambda _i: [], _I64(1), _I64(1))
            return
        self._fill()
        e = self.e
        count = e.b.sub(high, low)
        blocks = e.b.sdiv(e.b.add(count, _I64(self.block - 1)), _I64(self.block))
        with counted(e, _I64(0), blocks) as n:
            start = e.b.add(low, e.b.mul(n, _I64(self.block)))
            left = e.b.sub(high, start)
            short = e.b.icmp_signed("<", left, _I64(self.block))
            length = e.b.select(short, left, _I64(self.block))
            sizes = [max(buffer.dtype.itemsize, 4) for buffer in self.buffers.values()]
            unit = 64 // min(sizes, default=4)  # the elements of a vector, or a multiple
            whole = e.b.and_(e.b.add(length, _I64(unit - 1)), _I64(-unit))
            self._turns(lambda i: [*indices, e.b.add(start, i)], length, whole)

    def _fill(self) -> None:
        """Zeros where loops with an end write, and closed ones read behind that end."""
        places = [self.buffers[value] for value in self.crossing]
        places += [self.buffers[s, q] for s in self.sections for q in carried(s)]
        if self.closed and places:
            with counted(self.e, _I64(0), _I64(self.block), FREE) as i:
                for buffer in places:
                    self._put(buffer, _I64(0), i, _constant(buffer.dtype, 0))

    def _turns(self, indices: Callable[[Any], list[Any]], length: Any, whole: Any) -> None:
        for turn in self.order:
            high = whole if turn in self.closed else length
            if isinstance(turn, Section):
                self._section(turn, indices, high)
            else:
                self._loop_between(turn, indices, high)

    def _loop_between(
        self, turn: Between, indices: Callable[[Any], list[Any]], high: Any
    ) -> None:
        left = [] if turn.before is None else stored(self.e, turn.before)
        first = {} if turn.behind is None else carried(turn.behind)
        if not (left or first or turn.nodes or (turn.is_last and self.e.sums)):
            return
        with self._each(high, turn) as i:
            for value in left:
                self.e.keep(value, self._value(value, [], i), indices(i))
            self._straight(turn.nodes, indices(i), i)
            for q, value in first.items():
                assert turn.behind is not None
                buffer = self.buffers[turn.behind, q]
                x = self._outside(value, buffer.dtype, indices(i), i)
                self._put(buffer, _I64(0), i, x)
            if turn.is_last:
                self._sums(indices(i), i)

    @contextlib.contextmanager
    def _each(self, high: Any, turn: Section | Between) -> Iterator[Any]:
        """A loop over the elements of a block; of one number, none."""
        self.known = {}
        if self.is_number:
            yield _I64(0)
            return
        with counted(self.e, _I64(0), high, WHOLE if turn in self.closed else self.e.turns) as i:
            yield i

    def _allocate(self) -> None:
        """The buffers, in the first block of the function."""
        e = self.e
        self.buffers: dict[Any, Buffer] = {}
        with e.b.goto_entry_block():
            for section in self.sections:
                for q, node in enumerate(section.nodes):
                    if q in section.kept:
                        count, offset = section.times + 1, 1
                    elif (section, q) in self.held:
                        count, offset = 1, 0
                    else:
                        continue
                    self._buffer((section, q), node.outputs[0].aval.dtype, count, offset)
            for value in self.crossing:
                self._buffer(value, value.aval.dtype, 1, 0)
        self.tables: dict[Any, Any] = {}

    def _buffer(self, key: Any, dtype: Any, count: int, offset: int) -> None:
        at = self.e.b.alloca(memory(dtype), _I64(count * self.block), align=64)
        self.buffers[key] = Buffer(dtype, at, count, offset)

    def _place(self, buffer: Buffer, k: Any, i: Any) -> Any:
        b = self.e.b
        index = i
        if buffer.count > 1:
            index = k if self.is_number else b.add(b.mul(k, _I64(self.block)), i)
        elif self.is_number:
            index = _I64(0)
        return b.gep(buffer.at, [index], source_etype=memory(buffer.dtype))

    def _get(self, buffer: Buffer, k: Any, i: Any) -> Any:
        return get(self.e.b, self._place(buffer, k, i), buffer.dtype)

    def _put(self, buffer: Buffer, k: Any, i: Any, x: Any) -> None:
        put(self.e.b, x, self._place(buffer, k, i), buffer.dtype)

    # ------------------------------------------------------------------ straight code

    def _value(self, value: Value, indices: list[Any], i: Any) -> Any:
        """A value from outside a section, in its own dtype, for element `i` of the block."""
        e = self.e
        if not e.is_inside(value):
            if value in self.known:
                return self.known[value]
            found = e.load(value, indices)
            if e.plan.base(value) not in e.targets:  # which may be written before it is read again
                self.known[value] = found
            return found
        source = e.plan.base(value)
        if source in self.known:
            return self.known[source]
        if source in self.home:
            section, q, k = self.home[source]
            buffer = self.buffers[section, q]
            found = self._get(buffer, _I64(k + buffer.offset), i)
        else:
            found = self._get(self.buffers[source], _I64(0), i)
        self.known[source] = found
        return found

    def _straight(self, nodes: list[Node], indices: list[Any], i: Any) -> None:
        for node in nodes:
            values = {v: self._value(v, indices, i) for v in node.inputs if self.is_read(v)}
            result = self.e.apply(node, lambda _, v, values=values: values.get(v))
            out = node.outputs[0]
            self.known[out] = result
            if out in self.crossing:
                self._put(self.buffers[out], _I64(0), i, result)
            self.e.keep(out, result, indices)

    def is_read(self, value: Value) -> bool:
        return self.e.is_inside(value) or uniform(self.e.plan.base(value)) is None

    def _sums(self, indices: list[Any], i: Any) -> None:
        for one in self.e.sums:
            source = one.node.inputs[0]
            x = self._value(source, indices, i) if self.is_read(source) else None
            self.e.join(one, x, indices)

    # ------------------------------------------------------------------ a section

    def _section(self, section: Section, indices: Callable[[Any], list[Any]], high: Any) -> None:
        places = list(range(len(section.nodes)))
        if self.is_number:
            ahead = self._ahead(section)
            if ahead and len(ahead) < len(places):
                self._make_ahead(section, ahead, indices)
                places = [q for q in places if q not in ahead]
        e = self.e
        with (
            counted(e, _I64(0), _I64(section.times), BOUND) as k,
            self._each(high, section) as i,
        ):
            self._iteration(section, places, k, indices(i), i, keeps_all=False)

    def _outside(self, value: Value, dtype: Any, indices: list[Any], i: Any) -> Any:
        if not self.is_read(value):
            return self.e.cast(None, value, dtype)
        return self.e.cast(self._value(value, indices, i), value, dtype)

    def _ahead(self, section: Section) -> set[int]:
        """The places that no carried value reaches: they can be computed first, all at once."""
        waiting: set[int] = set()
        for q, operands in enumerate(section.operands):
            for one in operands:
                if isinstance(one, Carried) or (isinstance(one, Same) and one.at in waiting):
                    waiting.add(q)
        return set(range(len(section.nodes))) - waiting

    def _make_ahead(
        self, section: Section, ahead: set[int], indices: Callable[[Any], list[Any]]
    ) -> None:
        e = self.e
        read = {
            one.at
            for q, operands in enumerate(section.operands)
            if q not in ahead
            for one in operands
            if isinstance(one, Same) and one.at in ahead
        }
        with e.b.goto_entry_block():
            for q in read:
                dtype = section.nodes[q].outputs[0].aval.dtype
                if (section, q) not in self.buffers or self.buffers[section, q].count == 1:
                    self._buffer(("ahead", section, q), dtype, section.times, 0)
        self.known = {}
        e.has_branches = False
        with counted(e, _I64(0), _I64(section.times), e.turns) as k:
            self._iteration(section, sorted(ahead), k, indices(_I64(0)), _I64(0), keeps_all=True)
        e.has_branches = True

    def _iteration(
        self, section: Section, places: list[int], k: Any, indices: list[Any], i: Any,
        keeps_all: bool,
    ) -> None:  # fmt: skip
        """One iteration for one element: the nodes at `places`."""
        e, b = self.e, self.e.b
        here: dict[int, Any] = {}
        self.known = {}
        carried = {  # read before anything is written in its place
            one.at: self._get(self.buffers[section, one.at], k, i)
            for q in places
            for one in section.operands[q]
            if isinstance(one, Carried)
        }

        def operand(one: Any, value: Value) -> Any:
            if isinstance(one, Same):
                if one.at in here:
                    return here[one.at]
                ahead = self.buffers.get(("ahead", section, one.at))
                if ahead is not None:
                    return self._get(ahead, k, i)
                buffer = self.buffers[section, one.at]
                return self._get(buffer, b.add(k, _I64(buffer.offset)), i)
            if isinstance(one, Carried):
                return carried[one.at]
            if isinstance(one, Kept):
                buffer = self.buffers[one.section, one.at]
                step = b.mul(k, _I64(one.step)) if one.step != 1 else k
                return self._get(buffer, b.add(step, _I64(one.start + buffer.offset)), i)
            if isinstance(one, Numbers):
                return self._number(one, value.aval.dtype, k)
            if isinstance(one, Moved):
                return e.load(one.value, indices, b.mul(k, _I64(one.step)))
            return self._value(one.value, indices, i) if self.is_read(one.value) else None

        for q in places:
            node = section.nodes[q]
            given = [
                operand(one, v) for one, v in zip(section.operands[q], node.inputs, strict=True)
            ]
            result = e.apply(node, lambda o, _v, given=given: given[o])
            here[q] = result
            ahead = self.buffers.get(("ahead", section, q)) if keeps_all else None
            if ahead is not None:
                self._put(ahead, k, i, result)
            buffer = self.buffers.get((section, q))
            if buffer is not None:
                self._put(buffer, b.add(k, _I64(1)), i, result)

    def _number(self, one: Numbers, dtype: Any, k: Any) -> Any:
        """Element `k` of a table of constants."""
        e = self.e
        table = self.tables.get(one)
        if table is None:
            kind = ir.ArrayType(memory(dtype), len(one.numbers))
            name = e.module.get_unique_name(f"{e.name}.numbers")
            table = ir.GlobalVariable(e.module, kind, name)
            table.initializer = ir.Constant(
                kind, [_constant(dtype, number) for number in one.numbers]
            )
            table.global_constant, table.linkage = True, "internal"
            self.tables[one] = table
        at = e.b.gep(table, [k], source_etype=memory(dtype))
        return get(e.b, at, dtype)


def _constant(dtype: Any, number: Any) -> Any:
    if np.dtype(dtype).kind == "b":
        return ir.Constant(ir.IntType(8), int(bool(number)))
    return types.constant(np.dtype(dtype), number)
