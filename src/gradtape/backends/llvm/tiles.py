"""A product as native code: `void <name>(ptr table, i64 part)`, as a loop is.

See `product.py` for the three ways. A product of two numbers and the sum that it goes into may be
one instruction (fma), here and in BLAS; nothing else of fast mathematics is allowed. Sums of more
than some thousand terms are sums of sums.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from ...graph.ir import Constant, Value
from . import dots, ir, panels, types
from .accumulators import Sum, join_rows
from .caller import Direct
from .epilogue import Finish
from .fuse import Plan
from .machine import host
from .memory import memory
from .product import KEPT, Axis, Cut, Product
from .reductions import Reduction

__all__ = ["CALL_GEMM", "ProductEmitter"]

_I64, _I32, _PTR, _I1 = ir.IntType(64), ir.IntType(32), ir.PointerType(), ir.IntType(1)
# `ir.py` calls no function by its pointer.
CALL_GEMM = """
define internal void @call_gemm(ptr %f, ptr %ta, ptr %tb, ptr %m, ptr %n, ptr %k, ptr %alpha, ptr %a, ptr %lda, ptr %b, ptr %ldb, ptr %beta, ptr %c, ptr %ldc) alwaysinline cold {
  call void %f(ptr %ta, ptr %tb, ptr %m, ptr %n, ptr %k, ptr %alpha, ptr %a, ptr %lda, ptr %b, ptr %ldb, ptr %beta, ptr %c, ptr %ldc)
  ret void
}
"""  # noqa: E501

LONG = 32  # terms from which on a small tile keeps several sums, none of which waits for the last
MANY = 12  # sums at a time that keep the processor busy


@lru_cache(maxsize=1024)
def _int(n: int) -> Any:
    return ir.Constant(_I64, n)


@dataclass
class ProductEmitter:
    """Writes the functions of one product into a module.

    `slot(value)` is the place of a value's buffer in the table, `routine_slot` that of the address
    of BLAS's routine, where it needs one.
    """

    module: ir.Module
    name: str
    product: Product
    plan: Plan
    slot: Callable[[Value], int]
    stored: set[Value] = field(default_factory=set)  # results of nodes that are needed outside
    sums: list[Sum] = field(default_factory=list)
    routine_slot: int = -1
    is_chained: bool = False  # whether others work on a block of rows before the next is begun
    bodies: dict[Any, Any] = field(default_factory=dict)  # those of the module, by what they do
    direct: Direct | None = None  # set where the kernel calls the body itself

    def __post_init__(self) -> None:
        node = self.product.node
        self.dtype: np.dtype[Any] = node.outputs[0].aval.dtype
        self.ending: Finish | None = None
        self.same: dict[Any, Any] = {}
        self.type = types.scalar(self.dtype)
        self.cuts = self.product.split()
        if self.axis.kind == "inner" and self.parts() > 1:
            self.sums.append(Sum(node, Reduction("add", (), self.dtype), [0], 1))
        machine = host()
        self.lanes = machine.width // (8 * self.dtype.itemsize)
        self.registers = 24 if machine.has_avx512 or not machine.triple.startswith("x86") else 12

    def chain(self, axis: Axis, unit: int) -> None:
        """Go over `axis` in blocks of `unit`, adding to what is there if it is summed."""
        self.cuts, self.is_chained = [Cut(axis, unit)], True
        self.sums = []
        if axis.kind == "inner":
            node = self.product.node
            self.sums.append(Sum(node, Reduction("add", (), self.dtype), [0], 1))

    @property
    def axis(self) -> Axis:
        """The axis that is cut; the first of two."""
        return self.cuts[0].axis

    @property
    def routine(self) -> str | None:
        """The name of the routine of BLAS that is called."""
        letter = "s" if self.dtype.char == "f" else "d"
        return f"{letter}gemm" if self.product.way == "blas" else None

    @property
    def cost(self) -> float:
        """The nanoseconds that it takes, by an estimate."""
        return self.product.cost

    def parts(self) -> int:
        """How many parts there are, by shapes alone."""
        return math.prod(cut.count for cut in self.cuts)

    # ------------------------------------------------------------------ the functions

    def emit(self, parts: int, constants: dict[Value, int], is_direct: bool = False) -> None:
        """Add `void <name>(ptr table, i64 part)`; none where the kernel calls the body itself."""
        node = self.product.node
        body, pointers = self.body(constants)
        if is_direct:
            self.direct = Direct(body, list(pointers.values()), self.axis.size)
            return
        kind = ir.FunctionType(ir.VoidType(), [_PTR, _I64])
        function = ir.Function(self.module, kind, self.name)
        function.attributes.add("nounwind")
        function.attributes.add("cold")
        table, part = function.args
        b = ir.IRBuilder(function.append_basic_block("entry"))

        def at(slot: int) -> Any:
            return b.load(b.gep(table, [_int(slot)], source_etype=_PTR), typ=_PTR)

        arguments = [at(slot) for slot in pointers.values()]
        if self.sums:
            place = list(pointers).index(node)
            moved = b.mul(part, _int(self.sums[0].step))
            arguments[place] = b.gep(arguments[place], [moved], source_etype=self.type)
        for n, cut in enumerate(self.cuts):
            index: Any = part
            behind = math.prod(c.count for c in self.cuts[n + 1 :])
            if behind > 1:
                index = b.udiv(index, _int(behind))
            if n:
                index = b.urem(index, _int(cut.count))
            low = b.mul(index, _int(cut.step))
            high = b.add(low, _int(cut.step))
            end = _int(cut.axis.size)
            arguments += [low, b.select(b.icmp_signed("<", high, end), high, end)]
        b.call(body, arguments)
        b.ret_void()

    def finish(self, b: Any, at: Callable[[int], Any], parts: int) -> None:
        """In the kernel: add what the parts have summed; `at` gives pointers."""
        for one in self.sums:
            if parts > 1:
                target, partial = at(self.slot(one.node.outputs[0])), at(one.partial)
                join_rows(self.module, self.name, b, target, partial, one, parts)

    def body(self, constants: dict[Value, int]) -> tuple[Any, dict[Any, int]]:
        """A function of pointers and a range of each axis that is cut; the slots of the pointers.

        A pointer is named by the value that lies there, by the node where sums of parts lie there,
        or by the name of a routine.
        """
        node = self.product.node
        pointers: dict[Any, int] = {}
        self.ending = None
        touched = [self.plan.base(value) for value in node.inputs]
        if self.product.after is not None:
            self.ending = Finish(self.product, self.plan, self.stored)
            touched += map(self.ending.source, self.ending.values)
        elif not self.sums:
            touched.append(node.outputs[0])
        for source in touched:
            known = isinstance(source, Constant)
            pointers[source] = constants[source] if known else self.slot(source)
        if self.sums:
            pointers[node] = self.sums[0].partial
        if self.routine:
            pointers[self.routine] = self.routine_slot
        first: dict[int, Any] = {}  # what is written over has one pointer, so that LLVM knows it
        self.same = {
            key: first[slot] for key, slot in pointers.items() if first.setdefault(slot, key) != key
        }
        pointers = {key: slot for key, slot in pointers.items() if key not in self.same}
        key = self._key(pointers)
        found = self.bodies.get(key)
        if found is None:
            found = self.bodies[key] = self._body(pointers)
        else:
            found.attributes.add("noinline")
            self.function = found
        return found, pointers

    def _key(self, pointers: dict[Any, int]) -> Any:
        """What the code depends on: products that have it in common have one body."""
        product, names = self.product, list(pointers)
        axes = (product.row, product.column, product.inner, *product.outer)
        views = [self.plan.view(value) for value in product.node.inputs]
        touched = [(v.source, v.offset) for v in views]
        if self.ending is not None:
            touched += [(self.ending.source(v), self.ending.offset(v)) for v in self.ending.values]
        places = tuple((names.index(self.same.get(v, v)), offset) for v, offset in touched)
        cut = [any(axis is cut.axis for cut in self.cuts) for axis in axes]
        kept = bool(self.sums), self.is_chained, self.ending and self.ending.key
        return product.way, product.is_swapped, self.dtype.char, axes, places, *cut, *kept

    def _body(self, pointers: dict[Any, int]) -> Any:
        ends = [_I64] * (2 * len(self.cuts))
        kind = ir.FunctionType(ir.VoidType(), [*([_PTR] * len(pointers)), *ends])
        function = ir.Function(self.module, kind, f"{self.name}.body")
        function.attributes.add("nounwind")
        if self.routine:
            function.attributes.add("cold")
        function.linkage = "internal"
        for argument in function.args[: len(pointers)]:
            argument.add_attribute("noalias")
        self.function = function
        self.b = ir.IRBuilder(function.append_basic_block("entry"))
        product = self.product
        node = product.node
        given = dict(zip(pointers, function.args, strict=False))
        given.update((key, given[other]) for key, other in self.same.items())
        self.gemm = given.get(self.routine)
        views = [self.plan.view(value) for value in node.inputs]
        x, y = (
            self.b.gep(given[v.source], [_int(v.offset)], source_etype=self.type) for v in views
        )
        if product.is_swapped:
            x, y = y, x
        at = [x, y, given[node] if self.sums else given.get(node.outputs[0])]
        if self.ending is not None:
            finish = self.ending
            more = [self.moved(given[finish.source(v)], _int(finish.offset(v)), 1, v)
                    for v in finish.values]  # fmt: skip
            if finish.partial is not None:
                at[2] = more[finish.values.index(finish.partial)]
            at += more
        first = ir.Constant(_I1, int(not (self.is_chained and self.sums)))
        ranges: dict[Axis, Any] = {
            axis: (_int(0), _int(axis.size))
            for axis in (product.row, product.column, product.inner, *product.outer)
        }
        limits = iter(function.args[len(pointers) :])
        ranges.update((cut.axis, (next(limits), next(limits))) for cut in self.cuts)
        self._around(list(product.outer), at, first, ranges)
        self.b.ret_void()
        return function

    def _around(self, axes: list[Axis], at: list[Any], first: Any, ranges: Any) -> None:
        """The loops over the axes that are no part of the matrices."""
        if axes:
            axis = axes[0]
            with self.loop(*ranges[axis]) as i:
                if axis.kind == "inner":
                    first = self.b.and_(first, self.b.icmp_signed("==", i, _int(0)))
                moved = [self.moved(p, i, s) for p, s in zip(at, axis.steps, strict=False)]
                self._around(axes[1:], [*moved, *self.beyond(at, i, axis)], first, ranges)
            return
        product = self.product
        over = [ranges[axis] for axis in (product.row, product.column, product.inner)]
        if product.way == "panel":
            panels.emit(self, at, first, *over)
            return
        if product.way == "dot":
            dots.emit(self, at, first, rows=over[0])
            return
        cores = {"blas": self._blas, "tile": self._tiled}
        cores[product.way](at, first, *over)

    def moved(self, pointer: Any, index: Any, step: int, value: Value | None = None) -> Any:
        """`pointer + index * step`, in elements, those of `value` if one is given."""
        if not step or pointer is None:
            return pointer
        if isinstance(index, ir.Constant):
            offset: Any = _int(index.constant * step)
        else:
            offset = index if step == 1 else self.b.mul(index, _int(step))
        kind = self.type if value is None else memory(value.aval.dtype)
        return self.b.gep(pointer, [offset], source_etype=kind)

    def beyond(self, at: Sequence[Any], index: Any, axis: Axis) -> list[Any]:
        """Of pointers those of the epilogue, at an index of an axis."""
        finish = self.ending
        values = [] if finish is None else finish.values
        return [
            self.moved(p, index, finish.step(v, axis), v)  # type: ignore[union-attr]
            for p, v in zip(at[3:], values, strict=True)
        ]

    def lines(self, pointer: Any, step: int, count: int) -> list[Any]:
        """`pointer`, and those behind it at every `step` elements."""
        return [self.moved(pointer, _int(n), step) if n else pointer for n in range(count)]

    @contextmanager
    def loop(self, low: Any, high: Any, step: int = 1) -> Iterator[Any]:
        """A loop over low, low + step, ... below high; of one turn, that turn alone."""
        b, before = self.b, self.b.block
        is_known = isinstance(low, ir.Constant) and isinstance(high, ir.Constant)
        if is_known and 0 < high.constant - low.constant <= step:
            yield low
            return
        head, done = (self.function.append_basic_block(n) for n in ("loop", "done"))
        b.cbranch(b.icmp_signed("<", low, high), head, done)
        b.position_at_end(head)
        i = b.phi(_I64)
        i.add_incoming(low, before)
        yield i
        following = b.add(i, _int(step), flags=["nuw", "nsw"])
        i.add_incoming(following, b.block)
        b.cbranch(b.icmp_signed("<", following, high), head, done, self._rolled())
        b.position_at_end(done)

    def _rolled(self) -> str:
        """Keep a loop around tiles as it is: copies of them only take time to compile."""
        name = f"!{len(self.module.notes)}"
        said = f'{name} = distinct !{{ {name}, !{{ !"llvm.loop.unroll.disable" }} }}'
        self.module.notes.append(said)
        return f", !llvm.loop {name}"

    def is_even(self, axis: Axis, size: int) -> bool:
        """Whether each part of an axis is whole blocks of `size`, so that nothing is left over."""
        steps = [
            cut.step for cut in self.cuts if cut.axis is axis and (self.is_chained or cut.count > 1)
        ]
        return all(length % size == 0 for length in (axis.size, *steps))

    def blocks(self, low: Any, high: Any, size: int) -> Any:
        """`high` cut to whole blocks of `size` from `low` on."""
        length = self.b.sub(high, low)
        length = self.b.select(self.b.icmp_signed("<", length, _int(0)), _int(0), length)
        return self.b.add(low, self.b.mul(self.b.sdiv(length, _int(size)), _int(size)))

    # ------------------------------------------------------------------ BLAS

    def _blas(self, at: list[Any], first: Any, rows: Any, columns: Any, inner: Any) -> None:
        """One call: BLAS's matrices lie column after column, so they are all transposed."""
        b, product = self.b, self.product
        row, column, k = product.row, product.column, product.inner
        x = self.moved(at[0], rows[0], row.x)
        y = self.moved(at[1], columns[0], column.y)
        out = self.moved(self.moved(at[2], rows[0], row.out), columns[0], column.out)
        m = self._number(b.sub(rows[1], rows[0]))
        n = self._number(b.sub(columns[1], columns[0]))
        y_flag, ldy = ("N", k.y) if column.y == 1 else ("T", column.y)
        x_flag, ldx = ("N", row.x) if k.x == 1 or k.size == 1 else ("T", k.x)
        if column.y == 1:
            ldy = max(ldy, column.size)
        else:
            ldy = max(ldy, k.size)
        ldx = max(ldx, k.size if x_flag == "N" else row.size)
        one, zero = self._constant(self.type, 1.0), self._constant(self.type, 0.0)
        beta = b.select(first, zero, one)
        depth = self._size(k.size)
        if k is self.axis:
            x, y = self.moved(x, inner[0], k.x), self.moved(y, inner[0], k.y)
            depth = self._number(b.sub(inner[1], inner[0]))
        signature = ir.FunctionType(ir.VoidType(), [_PTR] * 14)
        call = self.module.globals.get("call_gemm")
        if call is None:
            call = ir.Function(self.module, signature, "call_gemm")
        b.call(call, [
            self.gemm, self._flag(y_flag), self._flag(x_flag), n, m, depth, one,
            y, self._size(ldy), x, self._size(ldx), beta,
            out, self._size(max(row.out, column.size)),
        ])  # fmt: skip

    def _number(self, value: Any) -> Any:
        """The address of a number as BLAS reads it."""
        with self.b.goto_entry_block():
            place = self.b.alloca(_I32)
        self.b.store(self.b.trunc(value, _I32), place)
        return place

    def _size(self, value: int) -> Any:
        return self._constant(_I32, value)

    def _flag(self, letter: str) -> Any:
        return self._constant(ir.IntType(8), ord(letter))

    def _constant(self, kind: Any, value: Any) -> Any:
        """The address of a constant."""
        name = f"number.{kind}.{value}"
        found = self.module.globals.get(name)
        if found is None:
            found = ir.GlobalVariable(self.module, kind, name)
            found.linkage, found.global_constant = "internal", True
            found.initializer = ir.Constant(kind, value)
        return found

    # ------------------------------------------------------------------ tiles

    def _tiled(self, at: list[Any], first: Any, rows: Any, columns: Any, inner: Any) -> None:
        column = self.product.column
        lanes = self.lanes
        vectors = min(-(-column.size // lanes), 4)
        row, most = self.product.row, min(self.registers // vectors, 12)
        height = row.size if row.size <= most else self._height(min(most, 8), vectors)
        if self.is_chained and row is self.axis:  # no rows of a block are left over
            height = max(n for n in (1, 2, 4, 8) if n <= most)
        wide = vectors * lanes
        self.beside = self.product.inner.y  # from a line of the second operand to the next
        if self.product.is_packed:
            at = [at[0], self._packed(at[1]), at[2]]
        if self.product.inner.size > KEPT:
            with self.loop(inner[0], inner[1], KEPT) as start:
                end = self.b.add(start, _int(KEPT))
                end = self.b.select(self.b.icmp_signed("<", end, inner[1]), end, inner[1])
                first = self.b.and_(first, self.b.icmp_signed("==", start, inner[0]))
                self._rows(at, first, rows, (start, end), height, wide)
        else:
            self._rows(at, first, rows, inner, height, wide)

    def _height(self, most: int, vectors: int) -> int:
        """The rows of a tile: so many that none is left over, if their sums are enough."""
        counts = range(most, MANY // vectors - 1, -1)
        return next((n for n in counts if self.is_even(self.product.row, n)), most)

    def _packed(self, y: Any) -> Any:
        """A copy of the second operand whose columns lie side by side."""
        column, k = self.product.column, self.product.inner
        with self.b.goto_entry_block():
            copy = self.b.alloca(self.type, _int(column.size * k.size), align=64)
        with self.loop(_int(0), _int(k.size)) as i:
            source, target = self.moved(y, i, k.y), self.moved(copy, i, column.size)
            with self.loop(_int(0), _int(column.size)) as j:
                number = self.b.load(self.moved(source, j, column.y), typ=self.type)
                self.b.store(number, self.moved(target, j, 1))
        self.beside = column.size
        return copy

    def _rows(self, at: Any, first: Any, rows: Any, inner: Any, height: int, wide: int) -> None:
        row = self.product.row
        whole = rows[0]
        if row.size >= height and height > 1:
            is_even = self.is_even(row, height)
            whole = rows[1] if is_even else self.blocks(rows[0], rows[1], height)
            with self.loop(rows[0], whole, height) as m:
                self._columns(at, first, m, inner, height, wide)
            if is_even:
                return
        with self.loop(whole, rows[1]) as m:
            self._columns(at, first, m, inner, 1, wide)

    def _columns(self, at: Any, first: Any, m: Any, inner: Any, height: int, wide: int) -> None:
        size = self.product.column.size
        whole = size // wide * wide
        if whole == wide:
            self._tile(at, first, m, _int(0), inner, height, wide)
        elif whole:
            with self.loop(_int(0), _int(whole), wide) as n:
                self._tile(at, first, m, n, inner, height, wide)
        if size > whole:
            self._tile(at, first, m, _int(whole), inner, height, size - whole)

    def _tile(
        self, at: Any, first: Any, m: Any, n: Any, inner: Any, height: int, width: int
    ) -> None:
        """`height` rows of the result from m on, `width` columns from n on."""
        b, product = self.b, self.product
        row, k = product.row, product.inner
        pieces = [(i, min(self.lanes, width - i)) for i in range(0, width, self.lanes)]
        xs = self.lines(self.moved(at[0], m, row.x), row.x, height)
        y = self.moved(at[1], n, 1)
        outs = self.lines(self.moved(self.moved(at[2], m, row.out), n, 1), row.out, height)
        zeros = [types.constant(self.dtype, 0, w) for _, w in pieces]

        def step(i: Any, totals: list[list[Any]]) -> list[list[Any]]:
            line = self.moved(y, i, self.beside)
            found = []
            vectors = [self.load(line, j, w) for j, w in pieces]
            for r in range(height):
                numbers = self.splats(b.load(self.moved(xs[r], i, k.x), typ=self.type), pieces)
                found.append(list(map(self.fma, numbers, vectors, totals[r])))
            return found

        if k.size <= 4 and k is not self.axis:
            totals = [list(zeros) for _ in range(height)]
            for i in range(k.size):
                totals = step(_int(i), totals)
        else:
            start = [list(zeros) for _ in range(height)]
            totals = self.summed_apart(inner, start, step, 1 if k.size < LONG else 0, k)
        for r in range(height):
            for (j, w), total in zip(pieces, totals[r], strict=True):
                self.store(total, outs[r], j, w, first)

    def summed_apart(
        self, inner: Any, start: list[list[Any]], step: Any, sums: int = 0, axis: Axis | None = None
    ) -> list[list[Any]]:
        """A loop with so many sums at a time, or as a small tile needs, that none waits long.

        `inner` is what a part, or `KEPT` of it, goes over of `axis`, if one is known.
        """
        count = len(start) * len(start[0])
        sums = sums or (1 if count > 4 else 4 if count <= 2 else 2)
        if sums == 1:
            return self.summed(inner, start, step)
        b, height = self.b, len(start)
        is_even = axis is not None and self.is_even(axis, sums)
        whole = inner[1] if is_even else self.blocks(inner[0], inner[1], sums)

        def all_steps(i: Any, totals: list[list[Any]]) -> list[list[Any]]:
            found = []
            for n in range(sums):
                own = totals[n * height : (n + 1) * height]
                found += step(b.add(i, _int(n)) if n else i, own)
            return found

        lines = self.summed((inner[0], whole), start * sums, all_steps, sums)
        while len(lines) > height:
            half = len(lines) // 2
            lines = [
                [b.fadd(x, y) for x, y in zip(lines[n], lines[n + half], strict=True)]
                for n in range(half)
            ]
        return lines if is_even else self.summed((whole, inner[1]), lines, step)

    def summed(
        self, inner: Any, start: list[list[Any]], step: Any, stride: int = 1
    ) -> list[list[Any]]:
        """A loop that carries totals in registers."""
        b, before = self.b, self.b.block
        head, done = (self.function.append_basic_block(n) for n in ("sum", "summed"))
        b.cbranch(b.icmp_signed("<", *inner), head, done)
        b.position_at_end(head)
        i = b.phi(_I64)
        i.add_incoming(inner[0], before)
        carried = [[b.phi(t.type) for t in line] for line in start]
        for phis, line in zip(carried, start, strict=True):
            for phi, t in zip(phis, line, strict=True):
                phi.add_incoming(t, before)
        found = step(i, carried)
        following = b.add(i, _int(stride), flags=["nuw", "nsw"])
        i.add_incoming(following, b.block)
        last = b.block
        for phis, line in zip(carried, found, strict=True):
            for phi, t in zip(phis, line, strict=True):
                phi.add_incoming(t, last)
        b.cbranch(b.icmp_signed("<", following, inner[1]), head, done)
        b.position_at_end(done)
        out: list[list[Any]] = []
        for line, zero in zip(found, start, strict=True):
            out.append([])
            for t, z in zip(line, zero, strict=True):
                phi = b.phi(t.type)
                phi.add_incoming(z, before)
                phi.add_incoming(t, last)
                out[-1].append(phi)
        return out

    def fma(self, x: Any, y: Any, total: Any) -> Any:
        """Return x * y + total, rounded once, whatever passes a function takes."""
        return self.b.call(types.intrinsic(self.module, "fma", total.type, 3), [x, y, total])

    def splats(self, number: Any, pieces: Sequence[tuple[int, int]]) -> list[Any]:
        """A number in each lane of the vectors of a row."""
        made = {lanes: self.splat(number, lanes) for lanes in dict.fromkeys(w for _, w in pieces)}
        return [made[lanes] for _, lanes in pieces]

    def splat(self, number: Any, lanes: int) -> Any:
        if lanes == 1:
            kind = ir.VectorType(self.type, 1)
            return self.b.insert_element(ir.Constant(kind, ir.Undefined), number, _i32(0))
        kind = ir.VectorType(self.type, lanes)
        one = self.b.insert_element(ir.Constant(kind, ir.Undefined), number, _i32(0))
        mask = ir.Constant(ir.VectorType(_I32, lanes), [_i32(0)] * lanes)
        return self.b.shuffle_vector(one, ir.Constant(kind, ir.Undefined), mask)

    def load(self, pointer: Any, offset: int, lanes: int) -> Any:
        place = self.b.gep(pointer, [_int(offset)], source_etype=self.type)
        kind = ir.VectorType(self.type, lanes)
        return self.b.load(place, typ=kind, align=self.dtype.itemsize)

    def store(self, total: Any, pointer: Any, offset: int, lanes: int, first: Any) -> None:
        place = self.b.gep(pointer, [_int(offset)], source_etype=self.type)
        if not ir.is_true(first):
            before = self.b.load(place, typ=total.type, align=self.dtype.itemsize)
            total = self.b.select(first, total, self.b.fadd(before, total))
        self.b.store(total, place, align=self.dtype.itemsize)


def _i32(n: int) -> Any:
    return ir.Constant(_I32, n)
