"""Parts of a program that go over the same rows, run together on block after block of them.

`z = x @ w`, what is computed of each `z`, and `x.T @ d` are three passes over the rows of `x`. A
block of rows goes through all three while it is in the cache, so `x` is read once, and `z` and `d`
are never as long as `x` is. In the same way a bias and a `tanh` run on the rows of a product that
have just been computed.

A part joins where each row of what it reads, of all that the group computes, is the row of the same
number; what it sums over the rows is there when the group has ended. Parts between that stay out
run after the group, or before it where a member needs them and they need none. How many rows make a
block, and how many blocks a part of the work, follows from shapes.

A group is published on `events` as the pass "group rows"; of `x.T @ (tanh(x @ w) - y)` for 10,000
rows, before and after are::

    product: contract; loop over 10000: tanh, subtract; product: contract
    rows of 10000, block by block: contract, then tanh, subtract, then contract
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import InitVar, dataclass, field
from functools import lru_cache
from typing import Any

from ... import events
from ...graph.ir import Value
from . import ir
from .accumulators import Sum
from .across import Across, is_gain
from .buffers import LINE, spaced
from .caller import Direct
from .emit import Emitter
from .fuse import Loop, Plan, told
from .memory import memory, put
from .partition import PART_NS, parts_of
from .product import Axis, Product
from .tiles import ProductEmitter
from .views import Count

__all__ = ["ROOMS", "Rows", "grouped"]

CACHE = 3 << 17  # bytes of a block of rows
WORTH = 1 << 17  # bytes of what a group computes and reads, from which on it is one
REACH = 40  # parts among which a group is looked for: compiling takes no time that grows faster
MOST_ROWS, FEWEST_ROWS = 512, 16
CALLED_ROWS = 512  # of a block, where BLAS is called for it: it copies its second operand each time
PANEL = 1 << 19  # bytes of that
BESIDE = 8  # elements between columns of a block: else each would lie in the same lines of a cache
WIDE = 32  # accumulators that are cleared at once
SUM_NS = 12.0  # of the work of a part, for each accumulator that it clears and that is joined

# Bytes between rooms, a quarter of a room within these bounds: a core fetches what lies behind what
# it works on. What is kept of a mixture's rows, 1 KB apart, took a sixth more time.
GAP, FAR = 1 << 10, 1 << 15
# A part takes the first room that is free: with two threads there are two rooms, each of them in
# the cache of the thread that had it before. With a room for each part all went from core to core.
ROOMS = """
declare i64 @llvm.cttz.i64(i64, i1 immarg)
define internal i64 @take_room(ptr %rooms) cold {
entry:
  br label %look
look:
  %taken = load atomic i64, ptr %rooms monotonic, align 8
  %free = xor i64 %taken, -1
  %room = call i64 @llvm.cttz.i64(i64 %free, i1 true)
  %bit = shl i64 1, %room
  %all = or i64 %taken, %bit
  %found = cmpxchg ptr %rooms, i64 %taken, i64 %all acquire monotonic
  %is_mine = extractvalue { i64, i1 } %found, 1
  br i1 %is_mine, label %done, label %look
done:
  ret i64 %room
}
define internal void @leave_room(ptr %rooms, i64 %room) cold {
  %bit = shl i64 1, %room
  %others = xor i64 %bit, -1
  %before = atomicrmw and ptr %rooms, i64 %others release
  ret void
}
"""

_I64, _PTR = ir.IntType(64), ir.PointerType()


@lru_cache(maxsize=1024)
def _int(n: int) -> Any:
    return ir.Constant(_I64, n)


def _width(value: Value, rows: int) -> int:
    """The elements of a row."""
    return int(value.aval.size) // rows


# By its number what a part computes, what it reads, and what it waits for besides: it is asked by
# each group anew.
Facts = dict[int, tuple[list[Value], set[Value], set[Value]]]


class Group:
    """Parts that go over `rows`, while they are gathered."""

    def __init__(self, plan: Plan, rows: int, facts: Facts) -> None:
        self.plan, self.rows, self.facts = plan, rows, facts
        self.members: list[tuple[int, Axis | None]] = []
        self.by_row: set[Value] = set()  # what the group computes row by row
        self.late: set[Value] = set()  # what is there when it has ended, or even later
        self.read: set[Value] = set()  # by any part so far
        self.free: dict[Value, list[int]] = {}  # what parts compute that need no member, and which
        self.parts: dict[int, Loop | Product] = {}
        self.early: list[int] = []  # those of them that members need

    def take(self, number: int, part: Loop | Product) -> None:
        """Let a part join, if it can; else what it computes comes later."""
        found = self._loop(part) if isinstance(part, Loop) else self._product(part)
        if number not in self.facts:
            nodes = (*part.nodes, *part.sums)
            inputs = [v for node in nodes for v in node.inputs]
            # what is computed again waits for its cotangents, or it would lie beside what they need
            waits = {ct for v in inputs for ct in self.plan.behind.get(v, ())}
            outs = [self._target(node.outputs[0]) for node in nodes]
            self.facts[number] = outs, {*map(self.plan.base, inputs)}, waits
        outs, reads, waits = self.facts[number]
        if waits:
            reads = reads | waits
            if not waits.isdisjoint(self.by_row) or not waits.isdisjoint(self.late):
                found = None
        is_first = all(s.isdisjoint(outs) for s in (self.read, self.by_row, self.late))
        self.read |= reads
        if found is None:
            if is_first and reads.isdisjoint(self.by_row) and reads.isdisjoint(self.late):
                self.parts[number] = part
                for out in outs:
                    self.free.setdefault(out, []).append(number)
            else:
                self.late.update(outs)
            return
        self._need(reads)
        axis, by_row = found
        self.members.append((number, axis))
        self.by_row.update(by_row)
        self.late.update(v for v in outs if v not in by_row)

    def _need(self, values: Iterable[Value]) -> None:
        """Let the parts that compute these, if they need no member, run before the group."""
        for number in sorted({n for v in values for n in self.free.get(v, ())}):
            part = self.parts.pop(number, None)
            if part is not None:
                nodes = (*part.nodes, *part.sums)
                self._need(self.plan.base(v) for node in nodes for v in node.inputs)
                self._need([self._target(node.outputs[0]) for node in nodes])
                self.early.append(number)

    def _target(self, out: Value) -> Value:
        placed = self.plan.placed.get(out)
        return out if placed is None else placed.source

    def _loop(self, loop: Loop) -> tuple[None, list[Value]] | None:
        if not loop.space or loop.space[0] != self.rows or loop.in_order or loop.along is not None:
            return None
        if any(v in self.plan.placed for node in loop.nodes for v in node.outputs):
            return None
        own = {node.outputs[0] for node in loop.nodes}
        for node in (*loop.nodes, *loop.sums):
            gathers = getattr(loop.nodes.get(node), "gathers", False)
            for n, value in enumerate(node.inputs):
                source = self.plan.base(value)
                if source in self.late:
                    return None
                if source in own and self.plan.is_plain(value):
                    continue
                if source in own or (gathers and not n and source in self.by_row):
                    return None
                if source in self.by_row and not self.is_aligned(value, len(loop.space)):
                    return None
        kept = [n.outputs[0] for n, how in loop.sums.items() if 0 not in how.axes]
        return None, [*own, *kept]

    def is_aligned(self, value: Value, ndim: int) -> bool:
        """Whether the rows of a value are those of its base."""
        view, shape = self.plan.view(value), value.aval.shape
        width = _width(view.source, self.rows)
        if len(shape) != ndim or shape[0] != self.rows or view.strides[0] != width:
            return False
        rest = list(zip(shape[1:], view.strides[1:], strict=True))
        reach = view.offset + sum((n - 1) * stride for n, stride in rest)
        return view.offset >= 0 and all(s >= 0 for _, s in rest) and reach < width

    def _product(self, product: Product) -> tuple[Axis, list[Value]] | None:
        node = product.node
        out = node.outputs[0]
        operands = list(node.inputs)
        if product.is_swapped:
            operands.reverse()
        sources = [self.plan.base(v) for v in operands]
        if any(s in self.late for s in sources):
            return None
        if product.way == "panel":
            return None  # it copies its second operand each time
        if product.way == "blas":
            line = product.column.size * product.inner.size * out.aval.dtype.itemsize
            if self.rows < 16 * CALLED_ROWS or line > PANEL:
                return None
        axis = self._axis(product, out, operands)
        if axis is None:
            return None
        for source, step in zip(sources, axis.steps, strict=False):
            if source in self.by_row and step != _width(source, self.rows):
                return None
        return axis, [] if axis.kind == "inner" else [out]

    def _axis(self, product: Product, out: Value, operands: list[Value]) -> Axis | None:
        """The axis of a product that are the rows."""
        free = [product.row, *product.outer]
        if product.way == "blas":
            free.append(product.column)
        for axis in free:
            is_it = axis.size == self.rows and axis.kind != "inner"
            if is_it and axis.out == _width(out, self.rows):
                return axis
        axis = product.inner
        if axis.size != self.rows or product.way == "dot" or product.is_packed:
            return None
        widths = [_width(v, self.rows) for v in operands]
        return axis if [axis.x, axis.y] == widths else None


@dataclass
class Rows:
    """Emitters whose bodies are called for each block of rows, in their order."""

    module: ir.Module
    name: str
    group: Group
    emitters: InitVar[Sequence[Emitter | ProductEmitter]]  # of all parts
    # what only the group reads, and where it lies in a room
    brief: dict[Value, int] = field(default_factory=dict)
    room: int = 0  # bytes from a room to the next
    across: Across | None = None  # if rows lie side by side in vectors
    rooms: int = -1  # the slot of the word that says which rooms for it are taken
    direct: Direct | None = None

    def __post_init__(self, emitters: Sequence[Emitter | ProductEmitter]) -> None:
        self.rows, self.plan = self.group.rows, self.group.plan
        self.members: list[Emitter | ProductEmitter] = []
        for number, axis in self.group.members:
            e = emitters[number]
            if isinstance(e, Emitter):
                e.chain()
            else:
                assert axis is not None
                e.chain(axis, FEWEST_ROWS)
            self.members.append(e)
        self.calls = any(isinstance(e, ProductEmitter) and e.routine for e in self.members)
        most = self._block()
        self.step = self._step(most)
        self.block = min(most, self.step)

    def keep(self, values: Sequence[Value]) -> None:
        """Have these in rooms of its own; they may then lie in any order."""
        loops = [e for e in self.members if isinstance(e, Emitter)]
        pitch, brief = self.block + BESIDE, set(values)
        if len(loops) == len(self.members) and is_gain(loops, brief, pitch):
            self.across = Across(pitch, brief)
            for e in loops:
                e.chain(self.across)
            before = f"{self.name}: {self.rows} rows, one after the other"
            after = f"{self.rows} rows side by side, in columns of {pitch}"
            events.publish("pass", run="lay out rows", before=before, after=after)
        self._furnish(values)

    @property
    def sums(self) -> list[Sum]:
        """Those of all members."""
        return [one for e in self.members for one in e.sums]

    def _block(self) -> int:
        """How many rows go through the cache together."""
        seen: set[Value] = set()
        for e in self.members:
            seen.update(self._by_rows(e))
        bytes_ = sum(_width(v, self.rows) * v.aval.dtype.itemsize for v in seen)
        least = CALLED_ROWS if self.calls else FEWEST_ROWS
        found = CACHE // max(bytes_, 1) // FEWEST_ROWS * FEWEST_ROWS
        return int(max(least, min(found, MOST_ROWS)))

    def _by_rows(self, e: Emitter | ProductEmitter) -> Iterator[Value]:
        """What a member reads and writes row by row."""
        if isinstance(e, ProductEmitter):
            axis, node = e.axis, e.product.node
            inputs = reversed(node.inputs) if e.product.is_swapped else node.inputs
            for value, step in zip((*inputs, node.outputs[0]), axis.steps, strict=True):
                if step:
                    yield self.plan.base(value)
            return
        for value in (*e.reads, *(v for v in e.inside if v in e.stored)):
            shape = value.aval.shape
            if len(shape) == len(e.loop.space) and shape[0] == self.rows:
                source = self.plan.base(value)
                if not isinstance(source, Count):
                    yield source

    def _step(self, block: int) -> int:
        """The rows of a part, if a block has at most so many."""
        cost = 0.0
        for e in self.members:
            cost += e.cost
        kept = sum(one.size for one in self.sums if not one.is_by_row)
        cost /= 1 + SUM_NS * kept / PART_NS
        # Rows that fit in the cache together are work for several threads all the same.
        least = block if self.calls else FEWEST_ROWS
        parts = parts_of(cost, max(self.rows // least, 1))
        step = -(-self.rows // parts)
        return -(-step // FEWEST_ROWS) * FEWEST_ROWS

    def parts(self) -> int:
        """How many parts there are, by shapes alone."""
        return -(-self.rows // self.step)

    def _furnish(self, values: Sequence[Value]) -> None:
        """Give each value its place in a room."""
        pitch = self.block if self.across is None else self.across.pitch
        for value in values:
            self.brief[value] = self.room
            size = pitch * _width(value, self.rows) * int(value.aval.dtype.itemsize)
            self.room += spaced(size)
        self.room += min(max(self.room // 4 // LINE * LINE, GAP), FAR)

    def buffer(self, value: Value, parts: int) -> int:
        """The bytes of a value that only the group reads: of all rooms for the first."""
        return 0 if self.brief[value] else parts * self.room

    def _from_row(self, value: Value) -> int:
        """The elements from what is kept of a row to what is kept of the next."""
        return _width(value, self.rows) if self.across is None else 1

    def emit(self, parts: int, constants: dict[Value, int]) -> None:
        """Add `void <name>(ptr table, i64 part)`."""
        bodies = [e.body(constants) for e in self.members]
        kind = ir.FunctionType(ir.VoidType(), [_PTR, _I64])
        function = ir.Function(self.module, kind, self.name)
        function.attributes.add("nounwind")
        function.attributes.add("cold")
        function.linkage = "internal"
        table, part = function.args
        b = ir.IRBuilder(function.append_basic_block("entry"))
        sums = {one.node: one for one in self.sums}
        at: dict[tuple[Any, int], Any] = {}
        room: Any = part
        if self.rooms >= 0:
            rooms = b.load(b.gep(table, [_int(self.rooms)], source_etype=_PTR), typ=_PTR)
            room = b.call(self._called("take_room", _I64, [_PTR]), [rooms])
        for _, pointers in bodies:
            for key, slot in pointers.items():
                if (key, slot) in at:
                    continue
                found = b.load(b.gep(table, [_int(slot)], source_etype=_PTR), typ=_PTR)
                brief = key.outputs[0] if key in sums else key
                if brief in self.brief:
                    found = b.gep(
                        found, [b.mul(room, _int(self.room))], source_etype=ir.IntType(8)
                    )
                elif key in sums:
                    found = b.gep(
                        found, [b.mul(part, _int(sums[key].apart(parts) // parts))],
                        source_etype=ir.IntType(8),
                    )  # fmt: skip
                at[key, slot] = found
        low = b.mul(part, _int(self.step))
        end = b.add(low, _int(self.step))
        end = b.select(b.icmp_signed("<", end, _int(self.rows)), end, _int(self.rows))
        for key, found in at.items():
            if key[0] in sums:
                self._clear(b, function, sums[key[0]], found)
        entry = b.block
        head, done = (function.append_basic_block(n) for n in ("rows", "done"))
        b.branch(head)
        b.position_at_end(head)
        first = b.phi(_I64)
        first.add_incoming(low, entry)
        last = b.add(first, _int(self.block))
        last = b.select(b.icmp_signed("<", last, end), last, end)
        for e, (body, pointers) in zip(self.members, bodies, strict=True):
            arguments = []
            for key, slot in pointers.items():
                found = at[key, slot]
                brief = key.outputs[0] if key in sums else key
                if brief in self.brief:  # as if all rows were there
                    back = b.mul(b.sub(_int(0), first), _int(self._from_row(brief)))
                    found = b.gep(found, [back], source_etype=memory(brief.aval.dtype))
                arguments.append(found)
            scale = 1
            if isinstance(e, Emitter) and self.across is None:
                scale = e.nest.sizes[0] // self.rows
            b.call(body, [*arguments, b.mul(first, _int(scale)), b.mul(last, _int(scale))])
        first.add_incoming(last, b.block)
        b.cbranch(b.icmp_signed("<", last, end), head, done)
        b.position_at_end(done)
        if self.rooms >= 0:
            b.call(self._called("leave_room", ir.VoidType(), [_PTR, _I64]), [rooms, room])
        b.ret_void()

    def _called(self, name: str, result: Any, arguments: list[Any]) -> Any:
        found = self.module.globals.get(name)
        return found or ir.Function(self.module, ir.FunctionType(result, arguments), name)

    def _clear(self, b: Any, function: Any, one: Sum, at: Any) -> None:
        """Set accumulators of a part to what changes nothing."""
        if one.is_all:
            put(b, one.how.neutral(one.how.total), at, one.how.total)
            return
        if one.is_by_row:
            return  # rows of their own, which the body clears
        neutral, kind, whole = one.how.neutral(one.dtype), memory(one.dtype), 0
        if one.size >= WIDE and one.dtype.kind != "b":  # nothing here is optimised
            whole = one.size // WIDE * WIDE
            several = ir.Constant(ir.VectorType(kind, WIDE), [neutral] * WIDE)
            with _each(b, function, 0, whole, WIDE) as i:
                place = b.gep(at, [i], source_etype=kind)
                b.store(several, place, align=one.dtype.itemsize)
        if whole < one.size:
            with _each(b, function, whole, one.size) as i:
                put(b, neutral, b.gep(at, [i], source_etype=kind), one.dtype)

    def finish(self, b: Any, at: Callable[[int], Any], parts: int) -> None:
        """In the kernel: join what the parts have given; `at` gives pointers."""
        for e in self.members:
            e.finish(b, at, parts)


@contextmanager
def _each(b: Any, function: Any, low: int, high: int, step: int = 1) -> Iterator[Any]:
    """A loop over low, low + step, ... below high, which is more."""
    before = b.block
    head, done = (function.append_basic_block(n) for n in ("clear", "cleared"))
    b.branch(head)
    b.position_at_end(head)
    i = b.phi(_I64)
    i.add_incoming(_int(low), before)
    yield i
    following = b.add(i, _int(step))
    i.add_incoming(following, head)
    b.cbranch(b.icmp_signed("<", following, _int(high)), head, done)
    b.position_at_end(done)


def grouped(loops: list[Loop | Product], plan: Plan) -> list[Group]:
    """The parts in the order in which they run: several together, or one alone."""
    found = _grouped(loops, plan, range(len(loops)), {})
    if events.listeners:
        for group in found:
            if len(group.members) > 1:
                parts = [told(loops[number]) for number, _ in group.members]
                each = ", then ".join(part.partition(": ")[2] for part in parts)
                after = f"rows of {group.rows}, block by block: {each}"
                events.publish("pass", run="group rows", before="; ".join(parts), after=after)
    return found


def _grouped(
    loops: list[Loop | Product], plan: Plan, numbers: Sequence[int], facts: Facts
) -> list[Group]:
    taken: set[int] = set()
    found: list[Group] = []
    for n, number in enumerate(numbers):
        if number in taken:
            continue
        near = [m for m in numbers[n : n + REACH] if m not in taken]
        group = _first(loops, plan, near, facts)
        found += _grouped(loops, plan, sorted(group.early), facts)
        found.append(group)
        taken.update(n for n, _ in group.members)
        taken.update(group.early)
    return found


def _first(loops: list[Loop | Product], plan: Plan, left: list[int], facts: Facts) -> Group:
    """The first of the parts that are left, with what can run together with it."""
    for rows in _candidates(loops[left[0]]) if len(left) > 1 else ():
        group = Group(plan, rows, facts)
        for number in left:
            group.take(number, loops[number])
            if not group.members:
                break
        if len(group.members) > 1 and _is_worth(group, loops):
            return group
    alone = Group(plan, 0, facts)
    alone.members.append((left[0], None))
    return alone


def _candidates(part: Loop | Product) -> list[int]:
    if isinstance(part, Loop):
        return [part.space[0]] if part.space and part.space[0] >= 2 * FEWEST_ROWS else []
    shape = part.node.outputs[0].aval.shape
    found = [shape[0], part.inner.size] if shape else [part.inner.size]
    return [n for n in found if n >= 2 * FEWEST_ROWS]


def _is_worth(group: Group, loops: list[Loop | Product]) -> bool:
    """Whether enough is read that a member has just computed, or read before."""
    bytes_ = 0
    near: set[Value] = set()
    for number, axis in group.members:
        own = {node.outputs[0] for node in loops[number].nodes}
        here = set(_read_by_row(loops[number], axis, group)) - own
        bytes_ += sum(
            v.aval.size * v.aval.dtype.itemsize for v in here if v in group.by_row or v in near
        )
        near |= here
    return bytes_ >= WORTH


def _read_by_row(part: Loop | Product, axis: Axis | None, group: Group) -> Iterator[Value]:
    """What a member reads of which each row lies where the row of the same number of others does.

    All that the group computes is, and of the rest what has as many rows.
    """
    for node in (*part.nodes, *part.sums):
        steps = [0] * len(node.inputs)
        if axis is not None and isinstance(part, Product):
            steps = [axis.y, axis.x] if part.is_swapped else [axis.x, axis.y]
        for value, step in zip(node.inputs, steps, strict=True):
            source = group.plan.base(value)
            if source in group.by_row:
                yield source
            elif not isinstance(source, Count) and source.aval.size % group.rows == 0:
                is_row = step and step == _width(source, group.rows)
                if is_row or (isinstance(part, Loop) and group.is_aligned(value, len(part.space))):
                    yield source
