"""A graph as a program: native segments, and NumPy for the steps between them.

`compile_graph` is what `backends/numpy.py` has under the same name: a function from the values of
the inputs to those of `graph.results`. Loops that follow each other make one segment, a native
function called by one builtin; a step without a lowering ends it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ... import events
from ...graph.ir import Constant, Graph, Value
from ...passes.pipeline import prepare
from ..schedule import Schedule, Scheduler
from . import ir
from .buffers import Buffer, Overwriting, place
from .caller import Caller
from .compile import compile_text
from .emit import Emitter
from .entry import Argument, entry_text
from .epilogue import turning
from .fuse import Loop, Plan, Step, plan, uniform
from .interrupts import INTERRUPTED
from .partition import announce
from .product import Product
from .rows import ROOMS, Rows, grouped
from .segment import POOL, TELLS, Segment, Word
from .share import share
from .tiles import CALL_GEMM, ProductEmitter
from .turns import Turns, emit_turns, leaves, stretches, turns_of
from .views import Count
from .worth import is_brief, long_of, with_worth, worth_of

__all__ = ["Part", "compile_graph", "segments"]

RECYCLED = 1 << 16  # bytes from which on a result gets memory that it had before
SMALL = 1 << 14  # bytes of buffers that lie on the stack
# The parts of a loop, by the pool or one after another: the same parts, so the same bits.
# (`ir.py` calls no function by its pointer.)
_HAND_OUT = """
define internal void @hand_out(ptr %extra, ptr %loop, ptr %table, i64 %n) cold {
entry:
  %threads_at = getelementptr ptr, ptr %extra, i64 2
  %threads = load i64, ptr %threads_at
  %several = icmp sgt i64 %threads, 1
  br i1 %several, label %pool, label %alone
pool:
  %block = load ptr, ptr %extra
  %run_at = getelementptr ptr, ptr %extra, i64 1
  %run = load ptr, ptr %run_at
  call void %run(ptr %block, ptr %loop, ptr %table, i64 %n, i64 %threads)
  ret void
alone:
  %i = phi i64 [ 0, %entry ], [ %next, %alone ]
  call void %loop(ptr %table, i64 %i)
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %n
  br i1 %more, label %alone, label %exit
exit:
  ret void
}
"""
_I64, _PTR, _BYTE = ir.IntType(64), ir.PointerType(), ir.IntType(8)


@dataclass
class Part:
    """Loops that one native call runs: the values that it reads, and those that it gives."""

    loops: list[Loop | Product]  # those inside of turns too
    reads: list[Value]
    gives: list[Value]
    native: Segment


def compile_graph(graph: Graph, threads: int = 0, given: Sequence[int] = ()) -> Schedule:
    """A function from the values of the inputs to those of `graph.results`.

    It uses at most `threads` threads, and no more than `core.parallel.available` says. `given` are
    the inputs that the caller gives away: a result may be the same array.
    """
    made = plan(prepare(graph))
    schedule = Scheduler(made.graph, made.same())
    for part in segments(made, given):
        if isinstance(part, Step):
            schedule.by_numpy(part.node)
            continue
        native = part.native
        native.threads = threads
        schedule.native(native, native.direct, part.reads, part.gives)
        schedule.keeps = schedule.keeps or TELLS in native.words
    return schedule.done(made.results)


def segments(made: Plan, given: Sequence[int] = ()) -> list[Part | Step]:
    """The native parts of a plan, compiled, and the steps between them."""
    inputs = made.graph.inputs
    stepped = {  # NumPy's result may be a view of what it reads
        source for part in made.parts if isinstance(part, Step)
        for value in part.node.inputs for source in made.by_numpy(value)
    }  # fmt: skip
    away = [inputs[i] for i in given if inputs[i] not in stepped]
    out: list[Part | Step] = []
    run: list[Loop | Product | Turns] = []
    parts = made.parts
    needed: dict[Value, int] = {}  # the last part that reads a value's memory
    for n, reader in enumerate(parts):
        for value in _read_by(reader):
            for source in made.by_numpy(value) if isinstance(reader, Step) else [made.base(value)]:
                needed[source] = n
    for value in made.results:
        needed.update(dict.fromkeys(made.by_numpy(value), len(parts)))
    start = 0
    each: list[Loop | Product | Turns | Step | None] = [*parts, None]
    for n, part in enumerate(each):
        if isinstance(part, Loop | Product | Turns):
            if not run:
                start = n
            run.append(part)
            continue
        if run:
            out.append(_compile(made, run, start, n, needed, away))
            run = []
        if part is not None:
            out.append(part)
    return out


def _read_by(part: Loop | Product | Turns | Step) -> list[Value]:
    if isinstance(part, Step):
        return list(part.node.inputs)
    if isinstance(part, Turns):
        own = [v for turns in turns_of([part]) for v in turns.reads]
        return [*(v for leaf in leaves([part]) for v in _read_by(leaf)), *own]
    return [v for node in (*part.nodes, *part.sums) for v in node.inputs]


@events.stage("write text")
def _compile(
    made: Plan, items: list[Loop | Product | Turns], start: int, end: int, needed: dict[Value, int],
    away: Sequence[Value] = (),
) -> Part:  # fmt: skip
    loops = list(leaves(items))
    turns = list(turns_of(items))
    moving = {v: None for flow in turns for v in flow.moving}
    own: dict[Value, int] = {}  # the last loop that computes it
    stored: set[Value] = set()
    for i, loop in enumerate(loops):
        for node in (*loop.nodes, *loop.sums):
            out = node.outputs[0]
            target = made.placed[out].source if out in made.placed else out
            own[target] = i
            if target is not out:
                stored.add(target)
    for flow in turns:
        for y, _ in flow.ys:
            own[y] = len(loops)
            stored.add(y)
    reads: dict[Value, None] = {}
    read_in: dict[Value, set[int]] = {}  # the loops that read a value of this part
    constants: dict[Constant, None] = {}
    for i, loop in enumerate(loops):
        for value in _read_by(loop):
            source = made.base(value)
            if isinstance(source, Constant):
                is_operand = isinstance(loop, Product) and value in loop.node.inputs
                if is_operand or uniform(source) is None:
                    constants[source] = None
            elif source in own:
                read_in.setdefault(source, set()).add(i)
                if own[source] != i or not made.is_plain(value):
                    stored.add(source)
            elif not isinstance(source, Count):
                reads[source] = None
    for flow in turns:
        for value in flow.reads:
            source = made.base(value)
            if isinstance(source, Constant):
                constants[source] = None
            elif source in own:
                read_in.setdefault(source, set()).add(len(loops))
                stored.add(source)
            elif source not in moving:
                reads[source] = None
    reads = {v: None for v in reads if v not in moving}
    gives = [v for v in own if needed.get(v, -1) >= end and v not in moving]
    stored.update(gives)
    for loop in loops:
        if isinstance(loop, Product) and loop.after is not None and loop.takes_turns:
            stored.add(turning(loop, made, stored))
    inner = [v for v in own if v not in gives and (v in stored or _is_sum(v, loops))]
    inner = [v for v in inner if v not in moving]
    inner += [carry.spare for flow in turns for carry in flow.carries]
    # ---- places: arguments, results, then pointers that the kernel makes or is given
    arguments = [_argument(v) for v in reads]
    results = [Argument(v.aval.dtype, made.shapes.get(v, v.aval.shape)) for v in gives]
    module = ir.Module("program")
    slots: dict[Value, int] = {}
    for v in reads:
        slots[v] = len(slots)

    def slot(value: Value) -> int:
        return slots[made.base(value)]

    bodies: dict[Any, Any] = {}
    emitters: list[Emitter | ProductEmitter] = [
        ProductEmitter(module, f"product{i}", part, made, slot, stored, bodies=bodies)
        if isinstance(part, Product)
        else Emitter(module, f"loop{i}", part, made, slot, stored)
        for i, part in enumerate(loops)
    ]
    units: list[Emitter | ProductEmitter | Rows] = []
    brief: dict[Value, Rows] = {}
    units_of: dict[int, list[Any]] = {}  # by the first of loops without turns between
    first = 0
    for stretch in stretches(items):
        here: list[Any] = []
        for group in grouped(stretch, made):
            numbers = [first + number for number, _ in group.members]
            if len(numbers) == 1:
                here.append(emitters[numbers[0]])
                continue
            together = Rows(module, f"rows{numbers[0]}", group, emitters[first:])
            here.append(together)
            together.keep([
                v for v in inner if v in group.by_row and read_in.get(v, set()) <= set(numbers)
            ])  # fmt: skip
            brief.update(dict.fromkeys(together.brief, together))
        units_of[id(stretch[0])] = here
        units += here
        first += len(stretch)
    parts = [e.parts() for e in units]
    announce([e.name for e in units], parts)
    counts = dict(zip(map(id, units), parts, strict=True))
    unit_of = _units(emitters, units)
    life = Overwriting(made, loops, unit_of)
    shares: dict[Value, Value] = {}  # what is written over which value
    tells = any(isinstance(e, Emitter) and e.tells for e in emitters)
    for old in () if tells or turns else away:  # else NumPy computes with it again
        if old in reads and old.aval.shape and needed.get(old, -1) < end:
            heir = next((v for v in gives if v not in shares and life.may(v, old)), None)
            if heir is not None:
                shares[heir] = old
    if not turns:
        summed = {node.outputs[0] for loop in loops for node in loop.sums}
        shares.update(life.pairs([v for v in inner if v not in brief and v not in summed]))
    heirs = {old: new for new, old in shares.items()}
    buffers: list[Buffer] = []  # of inner values that have a place of their own, and accumulators
    own_place = [v for v in inner if v not in shares]
    for v in own_place:
        size = v.aval.size * v.aval.dtype.itemsize
        if v in brief:
            size = brief[v].buffer(v, counts[id(brief[v])])
        first, last = life.life(v)
        for heir in _heirs(v, heirs):
            last = max(last, life.life(heir)[1])
        buffers.append(Buffer(max(size, 8), first, last))
    for n, (e, count) in enumerate(zip(units, parts, strict=True)):
        for one in e.sums:
            if one.apart(count):
                buffers.append(Buffer(one.apart(count), n, n))
    if turns:  # what a turn leaves is there in the next
        buffers = [Buffer(one.size, 0, len(units)) for one in buffers]
    offsets, total = place(buffers)
    rooms: dict[int, int] = {}  # where those of a group begin: with their first value
    for j, v in enumerate(own_place):
        if v in brief:
            offsets[j] = rooms.setdefault(id(brief[v]), offsets[j]) + brief[v].brief[v]
    recycled = [
        j for j, v in enumerate(gives) if v not in shares and v.aval.shape
        and v.aval.size * v.aval.dtype.itemsize >= RECYCLED
    ]  # fmt: skip
    for j in recycled:
        results[j] = replace(results[j], reuses=len(arguments))
        arguments.append(replace(results[j], reuses=-1, is_written=True))
    arena = 0
    if total > SMALL:
        arena = total + 64
        arguments.append(Argument(np.dtype(np.uint8), (arena,), is_written=True))
    n_in = len(arguments)
    for j, v in enumerate(gives):
        slots[v] = n_in + j
        if v in shares:
            i = slots[v] = slots[shares[v]]
            arguments[i] = replace(arguments[i], is_written=True)
            results[j] = replace(results[j], reuses=i)
    next_slot = n_in + len(gives)
    words: list[Word] = []
    at_constant: dict[Value, int] = {}
    for c in constants:
        at_constant[c] = next_slot + len(words)
        words.append(("constant", np.ascontiguousarray(c.data)))
    routines: dict[str, int] = {}
    for e in emitters:
        if isinstance(e, ProductEmitter) and e.routine is not None:
            if e.routine not in routines:
                routines[e.routine] = next_slot + len(words)
                words.append(("routine", e.routine))
            e.routine_slot = routines[e.routine]
    is_parallel = any(count > 1 for count in parts)
    at_pool = next_slot + len(words)
    first_buffer = at_pool
    if is_parallel:
        words.append(POOL)
        first_buffer += 3
    extra = first_buffer - next_slot
    telling = [e for e in emitters if isinstance(e, Emitter) and e.tells]
    flag = -1
    if telling or turns:
        flag = first_buffer
        for e in telling:
            e.flag = flag
        words.append(TELLS)
        first_buffer += 1
    for j, v in enumerate(own_place):
        slots[v] = first_buffer + j
    for v in inner:
        root = v
        while root in shares:
            root = shares[root]
        slots[v] = slots[root]
    at = first_buffer + len(own_place)
    for e, count in zip(units, parts, strict=True):
        for one in e.sums:
            if one.apart(count):
                one.partial = at
                at += 1
            else:
                one.partial = slots[one.node.outputs[0]]
    for v in moving:
        slots[v] = at
        at += 1
    sharing = [e for e, count in zip(units, parts, strict=True)
               if isinstance(e, Rows) and e.brief and count > 1]  # fmt: skip
    for e in sharing:
        e.rooms = at
        at += 1
    # Where a loop runs as one part the kernel calls its body itself, without a table; in turns
    # pointers change, and are looked up.
    direct = [not turns and count == 1 and not isinstance(e, Rows)
              for e, count in zip(units, parts, strict=True)]  # fmt: skip
    for e, count, is_direct in zip(units, parts, direct, strict=True):
        if isinstance(e, Rows):
            e.emit(count, at_constant)
        else:
            e.emit(count, at_constant, is_direct)

    def where(value: Value) -> int:
        source = made.base(value)
        return at_constant[source] if isinstance(source, Constant) else slots[source]

    def run(items: Sequence[Any]) -> None:
        for item in items:
            for e in units_of.get(id(item), ()):
                kernel.call(e, counts[id(e)])
            if isinstance(item, Turns):
                emit_turns(
                    kernel.b, kernel.table, item, where, made.view, run, flag, bool(telling)
                )

    kernel = Caller(
        module, max(parts) > 1, offsets, total, n_in, arena, first_buffer, at, at_pool,
        has_table=bool(turns) or not all(direct),
    )  # fmt: skip
    for e in sharing:
        kernel.word(e.rooms)
    run(items)
    kernel.b.ret_void()
    if turns:  # each is run many times
        for name in ("kernel", *(e.name for e in units)):
            module.globals[name].attributes.discard("cold")
    written = {
        "hand_out": _HAND_OUT * is_parallel,
        "call_gemm": CALL_GEMM * bool(routines),
        "interrupted": INTERRUPTED * ("interrupted" in module.globals),
        "take_room": ROOMS * bool(sharing),
    }
    for name in (*written, "leave_room"):
        module.globals.pop(name, None)  # was only declared
    lines = str(module).splitlines()
    release = bool(turns) or _is_long(loops)
    door = entry_text(arguments, results, extra=extra, release=release, tells=flag >= 0)
    instead: dict[str, str] = {}
    lines = share(lines, instead)
    if not turns:
        costs: dict[str, float] = {}
        tiles: set[str] = set()
        for e in emitters:
            name = e.function.name
            name = instead.get(name, name)
            costs[name] = costs.get(name, 0.0) + e.cost
            if isinstance(e, ProductEmitter) and not e.routine:
                tiles.add(name)
        worth, long = worth_of(costs, tiles), long_of(costs, tiles)
        lines = with_worth(lines, worth, long, is_brief(costs))
    text = "\n".join([*lines, *written.values(), door])
    native = Segment(compile_text(text), arguments, results, words, arena, len(recycled))
    return Part(loops, list(reads), gives, native)


def _units(
    emitters: Sequence[Emitter | ProductEmitter],
    units: Sequence[Emitter | ProductEmitter | Rows],
) -> Callable[[int], int]:
    """Which unit runs the part of a number."""
    found = {}
    for n, unit in enumerate(units):
        for e in unit.members if isinstance(unit, Rows) else [unit]:
            found[id(e)] = n
    return lambda i: found[id(emitters[i])]


def _heirs(value: Value, heirs: dict[Value, Value]) -> Iterator[Value]:
    """What lies at the place of a value, one after the other."""
    while value in heirs:
        value = heirs[value]
        yield value


def _is_sum(value: Value, loops: list[Loop | Product]) -> bool:
    return any(value is node.outputs[0] for loop in loops for node in loop.sums)


def _is_long(loops: list[Loop | Product]) -> bool:
    """Whether other threads should get the interpreter meanwhile."""
    return sum(loop.size * max(len(loop.nodes), 1) for loop in loops) > 20_000


def _argument(value: Value) -> Argument:
    aval = value.aval
    if aval.shape:
        return Argument(aval.dtype, aval.shape)
    if aval.weak and aval.dtype == np.float64:
        return Argument(aval.dtype, (), "float")
    return Argument(aval.dtype, (), "scalar")
