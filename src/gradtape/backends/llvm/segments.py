"""A graph as a program: native segments, and NumPy for the steps between them.

`compile_graph` is what `backends/numpy.py` has under the same name: a function from the values of
the inputs to those of `graph.results`. Loops that follow each other make one segment, a native
function called by one builtin; a step without a lowering ends it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir

from ...graph.ir import Constant, Graph, Value
from ...passes.pipeline import prepare
from ..schedule import Schedule, Scheduler
from .compile import compile_text
from .emit import Emitter
from .entry import Argument, entry_text
from .fuse import Loop, Plan, Step, plan, uniform
from .product import Product
from .rows import Rows, grouped
from .segment import POOL, TELLS, Segment, Word
from .share import share
from .tiles import CALL_GEMM, ProductEmitter, with_rolled_loops
from .turns import Turns, emit_turns, leaves, stretches, turns_of
from .views import Count

__all__ = ["Part", "compile_graph", "segments"]

SMALL = 1 << 14  # bytes of buffers that lie on the stack
# The parts of a loop, by the pool or one after another: the same parts, so the same bits.
# (llvmlite's builder calls no function by its pointer.)
_HAND_OUT = """
define internal void @hand_out(ptr %extra, ptr %loop, ptr %table, i64 %n) {
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


def compile_graph(graph: Graph, threads: int = 0) -> Schedule:
    """A function from the values of the inputs to those of `graph.results`.

    It uses at most `threads` threads, and no more than `core.parallel.available` says.
    """
    made = plan(prepare(graph))
    schedule = Scheduler(made.graph, made.same())
    for part in segments(made):
        if isinstance(part, Step):
            schedule.by_numpy(part.node)
            continue
        native = part.native
        native.threads = threads
        schedule.native(native, native.direct, part.reads, part.gives)
        schedule.keeps = schedule.keeps or TELLS in native.words
    return schedule.done(made.results)


def segments(made: Plan) -> list[Part | Step]:
    """The native parts of a plan, compiled, and the steps between them."""
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
            out.append(_compile(made, run, start, n, needed))
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


def _compile(
    made: Plan, items: list[Loop | Product | Turns], start: int, end: int, needed: dict[Value, int]
) -> Part:
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
                if isinstance(loop, Product) or uniform(source) is None:
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
    inner = [v for v in own if v not in gives and (v in stored or _is_sum(v, loops))]
    inner = [v for v in inner if v not in moving]
    inner += [carry.spare for flow in turns for carry in flow.carries]
    # ---- places: arguments, results, then pointers that the kernel makes or is given
    arguments = [_argument(v) for v in reads]
    results = [Argument(v.aval.dtype, v.aval.shape) for v in gives]
    module = ir.Module("program")
    slots: dict[Value, int] = {}
    for v in reads:
        slots[v] = len(slots)

    def slot(value: Value) -> int:
        return slots[made.base(value)]

    emitters: list[Emitter | ProductEmitter] = [
        ProductEmitter(module, f"product{i}", part, made, slot)
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
            together.brief = {
                v for v in inner if v in group.by_row and read_in.get(v, set()) <= set(numbers)
            }
            brief.update(dict.fromkeys(together.brief, together))
        units_of[id(stretch[0])] = here
        units += here
        first += len(stretch)
    parts = [e.parts() for e in units]
    counts = dict(zip(map(id, units), parts, strict=True))
    buffers: list[int] = []  # sizes in bytes, of inner values and accumulators
    for v in inner:
        size = v.aval.size * v.aval.dtype.itemsize
        if v in brief:
            size = brief[v].buffer(v, counts[id(brief[v])])
        buffers.append(max(size, 8))
    for e, count in zip(units, parts, strict=True):
        for one in e.sums:
            if one.apart(count):
                buffers.append(one.apart(count))
    offsets, total = [], 0
    for size in buffers:
        offsets.append(total)
        total += -(-size // 64) * 64
    arena = 0
    if total > SMALL:
        arena = total + 64
        arguments.append(Argument(np.dtype(np.uint8), (arena,), is_written=True))
    n_in = len(arguments)
    for j, v in enumerate(gives):
        slots[v] = n_in + j
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
    for e in telling:
        e.flag = first_buffer
    if telling:
        words.append(TELLS)
        first_buffer += 1
    for j, v in enumerate(inner):
        slots[v] = first_buffer + j
    place = first_buffer + len(inner)
    for e, count in zip(units, parts, strict=True):
        for one in e.sums:
            if one.apart(count):
                one.partial = place
                place += 1
            else:
                one.partial = slots[one.node.outputs[0]]
    for v in moving:
        slots[v] = place
        place += 1
    for e, count in zip(units, parts, strict=True):
        e.emit(count, at_constant)

    def where(value: Value) -> int:
        source = made.base(value)
        return at_constant[source] if isinstance(source, Constant) else slots[source]

    def run(items: Sequence[Any]) -> None:
        for item in items:
            for e in units_of.get(id(item), ()):
                kernel.call(e, counts[id(e)])
            if isinstance(item, Turns):
                flag = telling[0].flag if telling else -1
                emit_turns(kernel.b, kernel.table, item, where, made.view, run, flag)

    kernel = _Kernel(
        module, max(parts) > 1, offsets, total, n_in, arena, first_buffer, place, at_pool
    )
    run(items)
    kernel.b.ret_void()
    written = {"hand_out": _HAND_OUT * is_parallel, "call_gemm": CALL_GEMM * bool(routines)}
    lines = [
        line
        for line in with_rolled_loops(str(module)).splitlines()
        if not any(line.startswith(f'declare void @"{name}"') for name in written)
    ]
    release = bool(turns) or _is_long(loops)
    door = entry_text(arguments, results, extra=extra, release=release, tells=bool(telling))
    text = "\n".join([*share(lines), *written.values(), door])
    native = Segment(compile_text(text), arguments, results, words, arena)
    return Part(loops, list(reads), gives, native)


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


class _Kernel:
    """`void kernel(ptr table)` in the making: the table grows by the buffers; then come calls."""

    def __init__(
        self, module: ir.Module, is_parallel: bool, offsets: list[int], total: int, n_in: int,
        arena: int, first_buffer: int, count: int, at_pool: int,
    ) -> None:  # fmt: skip
        self.module, self.at_pool = module, at_pool
        function = ir.Function(module, ir.FunctionType(ir.VoidType(), [_PTR]), "kernel")
        function.attributes.add("nounwind")
        function.linkage = "internal"  # or LLVM keeps what it has inlined a second time
        b = self.b = ir.IRBuilder(function.append_basic_block("entry"))
        given = self.given = self.table = function.args[0]
        signature = ir.FunctionType(ir.VoidType(), [_PTR, _PTR, _PTR, _I64])
        self.hand_out = ir.Function(module, signature, "hand_out") if is_parallel else None
        if count == first_buffer:
            return
        table = self.table = b.alloca(_PTR, ir.Constant(_I64, count))
        for i in range(first_buffer):
            b.store(b.load(self.at(given, i), typ=_PTR), self.at(table, i))
        if arena:
            start = b.ptrtoint(b.load(self.at(given, n_in - 1), typ=_PTR), _I64)
            start = b.and_(b.add(start, ir.Constant(_I64, 63)), ir.Constant(_I64, -64))
            memory = b.inttoptr(start, _PTR)
        else:
            memory = b.alloca(ir.ArrayType(_BYTE, total))
            memory.align = 64
        for j, offset in enumerate(offsets):
            place = b.gep(memory, [ir.Constant(_I64, offset)], source_etype=_BYTE)
            b.store(place, self.at(table, first_buffer + j))

    def at(self, table: Any, i: int) -> Any:
        """Where the pointer number i stands."""
        return self.b.gep(table, [ir.Constant(_I64, i)], source_etype=_PTR)

    def call(self, e: Emitter | ProductEmitter | Rows, parts: int) -> None:
        """Run a loop or a product."""
        loop = self.module.globals[e.name]
        if parts > 1:
            pool = self.at(self.given, self.at_pool)
            self.b.call(self.hand_out, [pool, loop, self.table, ir.Constant(_I64, parts)])
        else:
            self.b.call(loop, [self.table, ir.Constant(_I64, 0)])
        e.finish(self.b, self.table, parts)
