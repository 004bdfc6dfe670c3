"""One loop of a plan as native code.

`void loop(ptr table, i64 part)` goes over a part of the first axis of the loop's space; the table
holds a pointer for each buffer. Axes along which every operand runs in the same way are one axis;
the last one is what LLVM vectorises. Where an array is large, its last axis is cut into blocks.

Reductions. Where the last axes are reduced, a row is joined in registers; where an axis before
those that stay is reduced, elements or rows are joined in memory. Within a block, or a run of the
last axis, a sum is in an order that LLVM chooses (the only place where it may); blocks are added in
float64. Each part has accumulators of its own where the first axis is reduced, which `finish` joins
in the order of the parts. The number of parts depends on shapes alone, so neither the number of
threads nor their timing changes a bit of the result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...graph.ir import Constant, Node, Value
from . import ir, lanes, lowerings, rolled, types
from .accumulators import Sum, join, join_rows
from .across import Across, Packed
from .caller import Direct, begins, bytes_of
from .counting import counted
from .fuse import Loop, Plan, uniform
from .library import ARITIES
from .memory import get, memory, put
from .partition import cost_of, parts_of
from .reductions import Running
from .scalars import Scalars
from .views import Count, strides_of

__all__ = ["Emitter"]

BLOCK = 4096  # elements of a block
ONE = 8  # how many times as long a number takes as an element of a vector

_I64, _PTR, _BYTE = ir.IntType(64), ir.PointerType(), ir.IntType(8)


def _zero() -> Any:
    return ir.Constant(_I64, 0)


@dataclass
class Nest:
    """The axes of a loop after those that run alike are joined."""

    sizes: list[int]
    strides: dict[Any, list[int]]  # by operand: in elements, 0 where it is broadcast
    is_blocked: bool = False  # whether the first axis counts blocks of the second
    last: int = 0  # if so, the number of elements that they cut
    row: int = 0  # which axis is the first of the space


@dataclass
class Emitter:
    """Writes the functions of one loop into a module.

    `slot(value)` is the place of a value's buffer in the table.
    """

    module: ir.Module
    name: str
    loop: Loop
    plan: Plan
    slot: Callable[[Value], int]
    stored: set[Value]  # results of nodes that are needed outside
    sums: list[Sum] = field(default_factory=list)
    flag: int = -1  # the slot of the word that says that an index was out of range
    is_chained: bool = False  # whether others work on a block of rows before the next is begun
    across: Across | None = None  # if rows lie side by side in vectors
    direct: Direct | None = None  # set where the kernel calls the body itself

    # ------------------------------------------------------------------ the nest

    def __post_init__(self) -> None:
        # Of one number: what stands in places of targets, and what is to be written there.
        self.cells: dict[tuple[Value, int], Any] | None = None
        self.written: dict[tuple[Value, int], Any] = {}
        self.inside = {v for node in self.loop.nodes for v in node.outputs}
        self.placed = {v: self.plan.placed[v] for v in self.inside if v in self.plan.placed}
        self.targets = {part.source for part in self.placed.values()}
        self.sums = [Sum(node, how) for node, how in self.loop.sums.items()]
        self.tells = any(getattr(how, "tells", False) for how in self.loop.nodes.values())
        self.begins: dict[Any, int] = {}
        self.reads = self._reads()
        self.nest = self._nest()
        self.rolled = rolled.find(self)
        self.has_branches = not self.nest.sizes  # numbers are not vectorised
        self.turns = self._turns()
        # Numbers are no loop: nothing is gained by copies of the same code, but time to compile.
        self.is_inline = bool(self.nest.sizes or self.rolled) or (
            sum(n.op.name in ARITIES for n in self.loop.nodes) < 4
        )

    def _reads(self) -> list[Value]:
        """The values that are loaded from memory, or counted."""
        found: dict[Value, None] = {}
        for node in (*self.loop.nodes, *self.loop.sums):
            for value in node.inputs:
                if not self.is_inside(value) and uniform(self.plan.base(value)) is None:
                    found[value] = None
        return list(found)

    def _turns(self) -> str:
        """Whether elements of the last axis can be computed side by side."""
        is_running = any(isinstance(how, Running) for how in self.loop.nodes.values())
        if self.loop.along is not None or self.loop.in_order or is_running:
            return lanes.BOUND
        writes = {part.source: (part.offset, self.nest.strides[v]) for v, part in
                  self.placed.items()}  # fmt: skip
        if len(writes) < len(self.placed):  # what comes last to a place has to be last
            return "loop"
        reads = [
            (self.plan.view(v).offset, self.nest.strides[v]) == writes[self.plan.base(v)]
            for v in self.reads if self.plan.base(v) in writes
        ]  # fmt: skip
        return lanes.FREE if all(reads) else "loop"

    def is_inside(self, value: Value) -> bool:
        return self.plan.base(value) in self.inside and self.plan.is_plain(value)

    def _nest(self) -> Nest:
        space, ndim = self.loop.space, len(self.loop.space)
        strides: dict[Any, list[int]] = {None: strides_of(space)}  # None: what is stored
        order = list(range(ndim))
        self.packed: dict[Value, Packed] = {}
        for value in self.reads:
            view = self.plan.view(value)
            if self.across is not None:
                found = self.across.pack(value, view, space, self.packed.values())
                if found is not None:
                    self.packed[value] = found
                    strides[value] = self.across.strides(value, view)
                    continue
                view = self.across.view(view)
            own = [0 if n == 1 else s for n, s in zip(value.aval.shape, view.strides, strict=True)]
            strides[value] = [0] * (ndim - len(own)) + own
        for value, part in self.placed.items():
            strides[value] = list(part.strides)
        for one in self.sums:
            strides[one.node] = strides_of(space, set(one.how.axes))
        if self.across is not None:
            self.across.turn(strides, self.inside & self.stored, self.sums)
            order = [*order[1:], 0]
        along = self.loop.along
        if along is not None:
            strides["along"] = [int(axis == along) for axis in order]
            order = [*order[:along], *order[along + 1 :], along]
        nest = self._joined(order, strides)
        is_long = len(nest.sizes) == 1 and nest.sizes[0] > 2 * BLOCK
        if is_long and along is None and not self.is_chained:
            nest.last, nest.is_blocked = nest.sizes[0], True
            nest.sizes = [-(-nest.last // BLOCK), BLOCK]
            nest.strides = {key: [s[0] * BLOCK, s[0]] for key, s in nest.strides.items()}
        nest.row = 0 if self.across is None else len(nest.sizes) - 1
        for one in self.sums:
            one.strides, one.row = nest.strides[one.node], nest.row
            one.level = len(one.strides)
            while one.level and one.strides[one.level - 1] == 0:
                one.level -= 1
            one.goes_on = self.across is not None and not one.is_all and not one.is_by_row
        return nest

    def _joined(self, order: list[int], strides: dict[Any, list[int]]) -> Nest:
        """The nest, with one axis for neighbours along which everything runs alike."""
        space = self.loop.space
        nest = Nest([], {key: [] for key in strides})
        for axis in order:
            size = space[axis]
            if size == 1 and self.loop.size and axis != self.loop.along:
                continue
            alike = all(
                nest.strides[key][-1:] == [own[axis] * size] for key, own in strides.items()
            )
            if alike and nest.sizes and (axis or self.across is None):
                nest.sizes[-1] *= size
                for key, own in strides.items():
                    nest.strides[key][-1] = own[axis]
                continue
            nest.sizes.append(size)
            for key, own in strides.items():
                nest.strides[key].append(own[axis])
        return nest

    @property
    def cost(self) -> float:
        """The nanoseconds that it takes, by an estimate."""
        return cost_of(self.loop) * (1 if self.nest.sizes else ONE)

    def parts(self) -> int:
        """How many parts of the first axis are worth a hand-off, on any number of threads."""
        if not self.nest.sizes or self.loop.in_order:
            return 1
        if self.loop.along is not None and len(self.nest.sizes) == 1:
            return 1
        return parts_of(cost_of(self.loop), self.nest.sizes[0])

    def chain(self, across: Across | None = None) -> None:
        """Have a body that goes on where it ended: `rows.py` calls it for block after block."""
        self.is_chained, self.across = True, across
        self.nest = self._nest()

    # ------------------------------------------------------------------ the function

    def emit(self, parts: int, constants: dict[Value, int], is_direct: bool = False) -> None:
        """Add `void <name>(ptr table, i64 part)`; none where the kernel calls the body itself."""
        if is_direct:
            self.begins = begins(self)
            body, pointers = self.body(constants)
            size = self.nest.sizes[0] if self.nest.sizes else 1
            self.direct = Direct(body, list(pointers.values()), size, bytes_of(self, pointers))
            return
        body, pointers = self.body(constants)
        kind = ir.FunctionType(ir.VoidType(), [_PTR, _I64])
        function = ir.Function(self.module, kind, self.name)
        function.attributes.add("nounwind")
        function.attributes.add("cold")
        function.linkage = "internal"
        table, part = function.args
        b = ir.IRBuilder(function.append_basic_block("entry"))
        sums = {one.node: one for one in self.sums}
        arguments = []
        for key, slot in pointers.items():
            at = b.load(b.gep(table, [ir.Constant(_I64, slot)], source_etype=_PTR), typ=_PTR)
            width = sums[key].apart(parts) // parts if key in sums else 0
            if width and parts > 1:  # the accumulators of this part
                offset = b.mul(part, ir.Constant(_I64, width))
                at = b.gep(at, [offset], source_etype=ir.IntType(8))
            arguments.append(at)
        first = self.nest.sizes[0] if self.nest.sizes else 1
        chunk = -(-first // parts) if first else 0
        low = b.mul(part, ir.Constant(_I64, chunk))
        high = b.add(low, ir.Constant(_I64, chunk))
        end = ir.Constant(_I64, first)
        over = b.icmp_signed(">", high, end)
        high = b.select(over, end, high)
        b.call(body, [*arguments, low, high])
        b.ret_void()

    def body(self, constants: dict[Value, int]) -> tuple[Any, dict[Any, int]]:
        """A function of pointers and a range of the first axis; the slots of the pointers.

        A pointer is named by the value that lies there, or by the node of a reduction.
        """
        pointers: dict[Any, int] = {}
        for value in self.reads:
            source = self.plan.base(value)
            if not isinstance(source, Count):
                known = isinstance(source, Constant)
                pointers[source] = constants[source] if known else self.slot(source)
        for node in self.loop.nodes:
            out = node.outputs[0]
            if out in self.placed:
                target = self.placed[out].source
                pointers[target] = self.slot(target)
            elif out in self.stored:
                pointers[out] = self.slot(out)
        for one in self.sums:
            pointers[one.node] = one.partial
        if self.tells:
            pointers["flag"] = self.flag
        first: dict[int, Any] = {}  # what is written over has one pointer, so that LLVM knows it
        self.same = {
            key: first[slot] for key, slot in pointers.items() if first.setdefault(slot, key) != key
        }
        for key in (*self.same, *self.same.values()):
            self.begins.pop(key, None)
        pointers = {key: slot for key, slot in pointers.items() if key not in self.same}
        return self._body(pointers), pointers

    def _body(self, pointers: dict[Any, int]) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [*([_PTR] * len(pointers)), _I64, _I64])
        function = ir.Function(self.module, kind, f"{self.name}.body")
        function.attributes.add("nounwind")
        function.linkage = "internal"
        for argument in function.args[:-2]:
            argument.add_attribute("noalias")
        self.at: dict[Any, Any] = dict(zip(pointers, function.args, strict=False))
        self.at.update((key, self.at[other]) for key, other in self.same.items())
        self.starts: dict[tuple[Any, int], Any] = {}
        b = self.b = ir.IRBuilder(function.append_basic_block("entry"))
        self.function = function
        self.totals: dict[Node, Any] = {}  # accumulators of a row, or of all
        self.runs: dict[Node, Any] = {}  # those of the innermost run, in the dtype of the elements
        self.rows: dict[Node, Any] = {}  # what runs along a row
        if self.tells:
            self.told = b.alloca(types.BOOL)
            b.store(ir.Constant(types.BOOL, 0), self.told)
        low, high = function.args[-2:]
        for one in self.sums:
            if one.in_registers:
                self.totals[one.node] = b.alloca(types.scalar(one.how.total))
                self.runs[one.node] = b.alloca(types.scalar(one.dtype))
        for node, how in self.loop.nodes.items():
            if isinstance(how, Running):
                self.rows[node] = b.alloca(types.scalar(node.outputs[0].aval.dtype))
        if self.across is not None:
            self.across.begin(self, low, high)
        for one in self.sums:  # behind all that is to become a register
            if one.in_memory and (one.is_by_row or not self.is_chained):
                self._clear(one, low, high)
        self.bounds: tuple[Any, Any] = low, high
        self._axis(0, [])
        if self.across is not None:
            self.across.end(self, low, high)
        if self.tells:
            self._tell_all()
        self.b.ret_void()
        return function

    def _clear(self, one: Sum, low: Any, high: Any) -> None:
        """Set what this part joins in memory to what changes nothing."""
        if self.across is not None:
            self.across.clear(self, one, low, high)
            return
        if one.is_by_row:
            step = ir.Constant(_I64, one.strides[0])
            low, high = self.b.mul(low, step), self.b.mul(high, step)
        else:
            low, high = _zero(), ir.Constant(_I64, one.size)
        with counted(self, low, high, lanes.FREE) as i:
            kind = memory(one.dtype)
            at = self.b.gep(self.at[one.node], [i], source_etype=kind)
            put(self.b, one.how.neutral(one.dtype), at, one.dtype)

    def _axis(self, axis: int, indices: list[Any]) -> None:
        """The loops from `axis` on."""
        sizes = self.nest.sizes
        rows = [one for one in self.sums if one.in_registers and one.level == axis]
        for one in rows:
            start = one.how.neutral(one.how.total)
            if one.is_all and self.is_chained:
                start = get(self.b, self.at[one.node], one.how.total)
            self.b.store(start, self.totals[one.node])
        if axis == len(sizes):
            self._open_runs()
            if self.rolled is None:
                self._element(indices)
            else:
                self.rolled.emit([], None, None)
            self._close_runs()
        else:
            innermost = axis == len(sizes) - 1
            if innermost:
                self._open_runs()
            low, high = self.bounds
            if axis != self.nest.row:
                low, high = _zero(), ir.Constant(_I64, sizes[axis])
                if self.nest.is_blocked and axis == 1:
                    start = self.b.mul(indices[0], ir.Constant(_I64, BLOCK))
                    left = self.b.sub(ir.Constant(_I64, self.nest.last), start)
                    short = self.b.icmp_signed("<", left, high)
                    high = self.b.select(short, left, high)
            if innermost and self.rolled is not None:
                self.rolled.emit(indices, low, high)
            elif innermost and axis and sizes[axis] <= self.copies:
                for n in range(sizes[axis]):
                    self._element([*indices, ir.Constant(_I64, n)])
            else:
                with counted(self, low, high, self.turns if innermost else "loop") as i:
                    if innermost:
                        self._element([*indices, i])
                    else:
                        self._axis(axis + 1, [*indices, i])
            if innermost:
                self._close_runs()
        for one in rows:
            total = self.b.load(self.totals[one.node], typ=types.scalar(one.how.total))
            if one.is_all:
                put(self.b, total, self.at[one.node], one.how.total)
            else:
                self._keep(one, Scalars(self.b, one.how.total).cast(total, one.dtype), indices)

    @property
    def copies(self) -> int:
        """The elements of an innermost axis for which the code is written out, no loop.

        LLVM is told to unroll nothing: it would do so for axes of 20, and compile twice as long.
        """
        if self.nest.is_blocked or any(n.op.name in ARITIES for n in self.loop.nodes):
            return 1
        return min(8, 40 // max(len(self.loop.nodes) + len(self.sums), 1))

    def _keep(self, one: Sum, x: Any, indices: list[Any]) -> None:
        """Store what a reduction gives, joined with what is there where it goes on."""
        at = self._address(one.node, one.node, one.dtype, indices)
        if one.in_memory:
            x = one.how.join(self.b, one.dtype, get(self.b, at, one.dtype), x)
        put(self.b, x, at, one.dtype)

    def _open_runs(self) -> None:
        for one in self.sums:
            if one.in_registers:
                self.b.store(one.how.neutral(one.dtype), self.runs[one.node])
        for node, at in self.rows.items():
            how = self.loop.nodes[node]
            assert isinstance(how, Running)
            self.b.store(how.neutral(node.outputs[0].aval.dtype), at)

    def _close_runs(self) -> None:
        for one in self.sums:
            if one.in_registers:
                run = self.b.load(self.runs[one.node], typ=types.scalar(one.dtype))
                wide = Scalars(self.b, one.dtype).cast(run, one.how.total)
                total = self.b.load(self.totals[one.node], typ=types.scalar(one.how.total))
                total = one.how.join(self.b, one.how.total, total, wide)
                self.b.store(total, self.totals[one.node])

    # ------------------------------------------------------------------ one element

    def _address(
        self, key: Any, by: Any, dtype: Any, indices: list[Any], start: int = 0, more: Any = None
    ) -> Any:
        """Where the element of pointer `key` is, that runs by the strides of `by`."""
        offset = self._offset(by, indices)
        if more is not None:
            offset = more if offset is None else self.b.add(offset, more)
        at, start = self.at[key], start - self.begins.get(key, 0)
        if start:
            at = self.b.gep(at, [ir.Constant(_I64, start)], source_etype=memory(dtype))
        if offset is None:
            return at
        return self.b.gep(at, [offset], source_etype=memory(dtype))

    def _offset(self, by: Any, indices: list[Any]) -> Any:
        offset: Any = None
        step: Any
        for index, stride in zip(indices, self.nest.strides[by], strict=False):
            if not stride:
                continue
            if isinstance(index, ir.Constant):
                step = ir.Constant(_I64, index.constant * stride)
            else:
                step = index if stride == 1 else self.b.mul(index, ir.Constant(_I64, stride))
            offset = step if offset is None else self.b.add(offset, step)
        return offset

    def load(self, value: Value, indices: list[Any], more: Any = None) -> Any:
        """The element of a value that is read, `more` elements further on."""
        view, dtype = self.plan.view(value), value.aval.dtype
        if self.across is not None:
            if value in self.packed:
                return get(self.b, self._address(("packed", value), value, dtype, indices), dtype)
            view = self.across.view(view)
        if isinstance(view.source, Count):
            offset = self._offset(value, indices)
            start = ir.Constant(_I64, view.offset)
            return start if offset is None else self.b.add(offset, start)
        known = self._cell(view.source, view.offset, more)
        if known is not None and self.cells is not None and known in self.cells:
            return self.cells[known]
        at = self._address(view.source, value, dtype, indices, view.offset, more)
        x = get(self.b, at, dtype)
        if known is not None and self.cells is not None:
            self.cells[known] = x
        return x

    def _cell(self, source: Value, offset: int, more: Any) -> tuple[Value, int] | None:
        """A place of a target where all is one number: read and written once, at the end.

        LLVM takes the square of their number to see through a thousand of them.
        """
        if self.cells is None or self.nest.sizes or more is not None:
            return None
        if source not in self.targets:
            return None
        return source, offset

    def load_placed(self, out: Value, indices: list[Any], more: Any = None) -> Any:
        """What stands where `out` is to be written."""
        return get(self.b, self._place(out, indices, more), out.aval.dtype)

    def store(self, out: Value, x: Any, indices: list[Any], more: Any = None) -> None:
        """Write the element of `out` into its part of a target."""
        part = self.placed[out]
        known = self._cell(part.source, part.offset, more)
        if known is not None and self.cells is not None:
            self.cells[known] = self.written[known] = x
            return
        put(self.b, x, self._place(out, indices, more), out.aval.dtype)

    def _place(self, out: Value, indices: list[Any], more: Any) -> Any:
        part, dtype = self.placed[out], out.aval.dtype
        return self._address(part.source, out, dtype, indices, part.offset, more)

    def tell(self, condition: Any) -> None:
        """Remember that an index was out of range."""
        before = self.b.load(self.told, typ=types.BOOL)
        self.b.store(self.b.or_(before, condition), self.told)

    def _tell_all(self) -> None:
        b = self.b
        yes, done = (self.function.append_basic_block(name) for name in ("told", "fine"))
        b.cbranch(b.load(self.told, typ=types.BOOL), yes, done)
        b.position_at_end(yes)
        b.store(ir.Constant(_I64, 1), self.at["flag"])
        b.branch(done)
        b.position_at_end(done)

    def _element(self, indices: list[Any]) -> None:
        known: dict[Value, Any] = {}
        self.cells, self.written = {}, {}
        gathered = {node.inputs[0] for node, how in self.loop.nodes.items()
                    if getattr(how, "gathers", False)}  # fmt: skip
        for value in self.reads if indices else ():  # numbers are read where they are used
            if self.plan.base(value) not in self.targets and value not in gathered:
                known[value] = self.load(value, indices)

        def given(value: Value) -> Any:
            if self.is_inside(value):
                return known[self.plan.base(value)]
            if uniform(self.plan.base(value)) is not None:
                return None
            if value in known:
                return known[value]
            x = self.load(value, indices)
            if not indices and self.plan.base(value) not in self.targets:
                known[value] = x
            return x

        def operand(value: Value, dtype: np.dtype[Any]) -> Any:
            return self.cast(given(value), value, dtype)

        for node, lowering in self.loop.nodes.items():
            out = node.outputs[0]
            emit: Any = getattr(lowering, "emit", None)
            if emit is None:
                known[out] = self.apply(node, lambda _, value: given(value))
            else:
                known[out] = emit(self, node, operand, indices)
                if getattr(lowering, "stores", False):
                    continue
            self.keep(out, known[out], indices)
        for (source, offset), x in self.written.items():
            kind = memory(source.aval.dtype)
            at = self.b.gep(self.at[source], [ir.Constant(_I64, offset)], source_etype=kind)
            put(self.b, x, at, source.aval.dtype)
        self.cells = None
        for one in self.sums:
            self.join(one, given(one.node.inputs[0]), indices)

    def cast(self, x: Any, value: Value, dtype: np.dtype[Any]) -> Any:
        """`x`, an element of `value`, in a dtype; None stands for one of a uniform constant."""
        if x is None:
            return types.constant(dtype, uniform(self.plan.base(value)))
        return Scalars(self.b, value.aval.dtype).cast(x, dtype)

    def apply(self, node: Node, given: Callable[[int, Value], Any]) -> Any:
        """An element of the result of `node`; `given(i, value)` is that of operand i."""
        dtype = lowerings.compute_dtype(node)
        truths = lowerings.TRUTHS.get(node.op.name, ())
        operands = [
            self.cast(given(i, v), v, np.dtype(bool) if i in truths else dtype)
            for i, v in enumerate(node.inputs)
        ]
        scalars = Scalars(self.b, dtype)
        scalars.inline, scalars.branches = self.is_inline, self.has_branches
        return self.loop.nodes[node](scalars, *operands)

    def keep(self, out: Value, x: Any, indices: list[Any]) -> None:
        """Write an element of a result that is needed outside."""
        if out in self.placed:
            self.store(out, x, indices)
        elif out in self.stored:
            dtype = out.aval.dtype
            by = out if out in self.nest.strides else None
            put(self.b, x, self._address(out, by, dtype, indices), dtype)

    def join(self, one: Sum, x: Any, indices: list[Any]) -> None:
        """Join an element with what a reduction has."""
        x = self.cast(x, one.node.inputs[0], one.dtype)
        if one.in_registers:
            at, kind = self.runs[one.node], types.scalar(one.dtype)
            joined = one.how.join(self.b, one.dtype, self.b.load(at, typ=kind), x, True)
            self.b.store(joined, at)
        else:
            self._keep(one, x, indices)

    # ------------------------------------------------------------------ after the parts

    def finish(self, b: Any, at: Callable[[int], Any], parts: int) -> None:
        """In the kernel: join what the parts have given, and store it; `at` gives pointers."""
        for one in self.sums:
            if not one.apart(parts):
                continue
            target, partial = at(self.slot(one.node.outputs[0])), at(one.partial)
            if not one.is_all:
                join_rows(self.module, self.name, b, target, partial, one, parts)
                continue
            total = join(b, one, partial, parts)
            put(b, Scalars(b, one.how.total).cast(total, one.dtype), target, one.dtype)
