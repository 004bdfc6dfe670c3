"""One loop of a plan as native code.

`void loop(ptr table, i64 part)` goes over a part of the first axis of the loop's space; the table
holds a pointer for each buffer. Axes along which every operand runs in the same way are one axis;
the last one is what LLVM vectorises. Where an array is large, its last axis is cut into blocks.

Sums. Within a block, or a run of the last axis, elements are added in the dtype of the sum, in an
order that LLVM chooses (the only place where it may); blocks are added in float64. Each part has
accumulators of its own, which `finish` adds in the order of the parts. The number of parts depends
on shapes alone, so neither the number of threads nor their timing changes a bit of the result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from llvmlite import ir

from ...graph.ir import Constant, Node, Value
from . import lowerings, types
from .fuse import Loop, Shape, reduced_axes, uniform
from .library import ARITIES
from .scalars import Scalars

__all__ = ["Emitter", "Sum", "parts_of"]

BLOCK = 4096  # elements of a block
PART_NS = 30_000.0  # what a part should take at least, in nanoseconds
_CHEAP, _COSTLY = 0.1, 0.8  # nanoseconds of a word of the vocabulary, by an estimate
MOST_PARTS = 64

_I64, _PTR, _F64 = ir.IntType(64), ir.PointerType(), ir.DoubleType()
DOUBLE = np.dtype(np.float64)


def _zero() -> Any:
    return ir.Constant(_I64, 0)


@dataclass
class Sum:
    """A sum of a loop: over `all` axes, over the `inner` (trailing) or the `outer` (leading)."""

    node: Node
    kind: str
    size: int  # of its result
    partial: int = -1  # the slot of its accumulators, one for each part


@dataclass
class Nest:
    """The axes of a loop after those that run alike are joined."""

    sizes: list[int]
    strides: dict[Any, list[int]]  # by operand: in elements, 0 where it is broadcast
    kept: int  # how many axes lie outside the inner sums
    is_blocked: bool = False  # whether the first axis counts blocks of the second
    last: int = 0  # if so, the number of elements that they cut


@dataclass
class Emitter:
    """Writes the functions of one loop into a module.

    `slot(value)` is the place of a value's buffer in the table.
    """

    module: ir.Module
    name: str
    loop: Loop
    base: Callable[[Value], Value]
    slot: Callable[[Value], int]
    stored: set[Value]  # results of nodes that are needed outside
    sums: list[Sum] = field(default_factory=list)

    # ------------------------------------------------------------------ the nest

    def __post_init__(self) -> None:
        ndim = len(self.loop.space)
        for node in self.loop.sums:
            axes = reduced_axes(node)
            assert axes is not None
            kind = "all" if len(axes) == ndim else "inner" if axes[-1] == ndim - 1 else "outer"
            size = node.outputs[0].aval.size
            self.sums.append(Sum(node, kind, size))
        self.inside = {v for node in self.loop.nodes for v in node.outputs}
        self.reads = self._reads()
        self.nest = self._nest()

    def _reads(self) -> list[Value]:
        """The values that are loaded from memory."""
        found: dict[Value, None] = {}
        for node in (*self.loop.nodes, *self.loop.sums):
            for value in node.inputs:
                if not self._is_inside(value) and uniform(self.base(value)) is None:
                    found[value] = None
        return list(found)

    def _is_inside(self, value: Value) -> bool:
        source = self.base(value)
        return source in self.inside and value.aval.shape == source.aval.shape

    def _nest(self) -> Nest:
        space = self.loop.space
        ndim = len(space)
        strides: dict[Any, list[int]] = {None: strides_of(space)}  # None: what is stored
        for value in self.reads:
            padded = (1,) * (ndim - value.aval.ndim) + value.aval.shape
            broadcast = {axis for axis, size in enumerate(padded) if size == 1}
            strides[value] = strides_of(padded, broadcast)
        kept = ndim
        for one in self.sums:
            axes = reduced_axes(one.node)
            assert axes is not None
            strides[one.node] = strides_of(space, set(axes))
            if one.kind == "inner":
                kept = axes[0]
        nest = self._joined(space, strides, kept)
        if len(nest.sizes) == nest.kept == 1 and nest.sizes[0] > 2 * BLOCK:
            nest.last, nest.is_blocked = nest.sizes[0], True
            nest.sizes = [-(-nest.last // BLOCK), BLOCK]
            nest.strides = {key: [s[0] * BLOCK, s[0]] for key, s in nest.strides.items()}
            nest.kept = 2
        return nest

    def _joined(self, space: Shape, strides: dict[Any, list[int]], kept: int) -> Nest:
        """The nest, with one axis for neighbours along which everything runs alike."""
        nest = Nest([], {key: [] for key in strides}, 0)
        for axis, size in enumerate(space):
            if size == 1 and len(space) > 1 and self.loop.size:
                continue
            alike = axis != kept and all(
                nest.strides[key][-1:] == [own[axis] * size] for key, own in strides.items()
            )
            if alike and nest.sizes:
                nest.sizes[-1] *= size
                for key, own in strides.items():
                    nest.strides[key][-1] = own[axis]
                continue
            nest.sizes.append(size)
            for key, own in strides.items():
                nest.strides[key].append(own[axis])
            nest.kept += axis < kept
        if kept < len(space) and nest.kept == len(nest.sizes):  # sums over axes of length 1
            nest.sizes.append(1)
            for steps in nest.strides.values():
                steps.append(0)
        return nest

    def parts(self) -> int:
        """How many parts of the first axis are worth a hand-off, on any number of threads."""
        if not self.nest.sizes:
            return 1
        return parts_of(self.loop, self.nest.sizes[0])

    # ------------------------------------------------------------------ the function

    def emit(self, parts: int, constants: dict[Value, int]) -> None:
        """Add `void <name>(ptr table, i64 part)`."""
        pointers: list[tuple[Any, int]] = []
        for value in self.reads:
            source = self.base(value)
            at = constants[source] if isinstance(source, Constant) else self.slot(source)
            pointers.append((value, at))
        for node in self.loop.nodes:
            if node.outputs[0] in self.stored:
                pointers.append((node.outputs[0], self.slot(node.outputs[0])))
        for one in self.sums:
            pointers.append((one.node, one.partial))
        body = self._body(pointers)
        kind = ir.FunctionType(ir.VoidType(), [_PTR, _I64])
        function = ir.Function(self.module, kind, self.name)
        function.attributes.add("nounwind")
        function.linkage = "internal"
        table, part = function.args
        b = ir.IRBuilder(function.append_basic_block("entry"))
        arguments = []
        for key, slot in pointers:
            at = b.load(b.gep(table, [ir.Constant(_I64, slot)], source_etype=_PTR), typ=_PTR)
            if isinstance(key, Node):  # the accumulators of this part
                one = next(s for s in self.sums if s.node is key)
                if one.kind != "inner":
                    width = (
                        8 if one.kind == "all" else key.outputs[0].aval.dtype.itemsize * one.size
                    )
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

    def _body(self, pointers: list[tuple[Any, int]]) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [*([_PTR] * len(pointers)), _I64, _I64])
        function = ir.Function(self.module, kind, f"{self.name}.body")
        function.attributes.add("nounwind")
        function.linkage = "internal"
        for argument in function.args[:-2]:
            argument.add_attribute("noalias")
        self.at: dict[Any, Any] = {
            key: argument for (key, _), argument in zip(pointers, function.args, strict=False)
        }
        b = self.b = ir.IRBuilder(function.append_basic_block("entry"))
        self.function = function
        self.totals: dict[Node, Any] = {}  # float64 accumulators of sums over all, or over a row
        self.runs: dict[Node, Any] = {}  # those of the innermost run, in the sum's dtype
        for one in self.sums:
            dtype = one.node.outputs[0].aval.dtype
            if one.kind == "outer":
                self._clear(one, dtype)
                continue
            self.totals[one.node] = b.alloca(_F64)
            self.runs[one.node] = b.alloca(types.scalar(dtype))
            b.store(ir.Constant(_F64, 0.0), self.totals[one.node])
        self._axis(0, [], function.args[-2], function.args[-1])
        for one in self.sums:
            if one.kind == "all":
                self.b.store(self.b.load(self.totals[one.node], typ=_F64), self.at[one.node])
        self.b.ret_void()
        return function

    def _clear(self, one: Sum, dtype: Any) -> None:
        kind = types.scalar(dtype)
        with self._counted(ir.Constant(_I64, 0), ir.Constant(_I64, one.size)) as i:
            at = self.b.gep(self.at[one.node], [i], source_etype=kind)
            self.b.store(types.constant(dtype, 0), at)

    def _counted(self, low: Any, high: Any) -> _Counted:
        return _Counted(self, low, high)

    def _axis(self, axis: int, indices: list[Any], low: Any, high: Any) -> None:
        """The loops from `axis` on."""
        sizes = self.nest.sizes
        is_row = axis == self.nest.kept and any(s.kind == "inner" for s in self.sums)
        if is_row:
            for one in self.sums:
                if one.kind == "inner":
                    self.b.store(ir.Constant(_F64, 0.0), self.totals[one.node])
        if axis == len(sizes):
            self._open_runs()
            self._element(indices)
            self._close_runs()
        else:
            innermost = axis == len(sizes) - 1
            if innermost:
                self._open_runs()
            if axis > 0:
                low, high = _zero(), ir.Constant(_I64, sizes[axis])
                if self.nest.is_blocked and axis == 1:
                    start = self.b.mul(indices[0], ir.Constant(_I64, BLOCK))
                    left = self.b.sub(ir.Constant(_I64, self.nest.last), start)
                    short = self.b.icmp_signed("<", left, high)
                    high = self.b.select(short, left, high)
            with self._counted(low, high) as i:
                if innermost:
                    self._element([*indices, i])
                else:
                    self._axis(axis + 1, [*indices, i], None, None)
            if innermost:
                self._close_runs()
        if is_row:
            for one in self.sums:
                if one.kind == "inner":
                    dtype = one.node.outputs[0].aval.dtype
                    total = self.b.load(self.totals[one.node], typ=_F64)
                    number = Scalars(self.b, DOUBLE).cast(total, dtype)
                    self.b.store(number, self._address(one.node, dtype, indices))

    def _open_runs(self) -> None:
        for one in self.sums:
            if one.kind != "outer":
                dtype = one.node.outputs[0].aval.dtype
                self.b.store(types.constant(dtype, 0), self.runs[one.node])

    def _close_runs(self) -> None:
        for one in self.sums:
            if one.kind != "outer":
                dtype = one.node.outputs[0].aval.dtype
                run = self.b.load(self.runs[one.node], typ=types.scalar(dtype))
                wide = Scalars(self.b, dtype).cast(run, DOUBLE)
                total = self.b.load(self.totals[one.node], typ=_F64)
                self.b.store(self.b.fadd(total, wide), self.totals[one.node])

    # ------------------------------------------------------------------ one element

    def _address(self, key: Any, dtype: Any, indices: list[Any], stored: bool = False) -> Any:
        strides = self.nest.strides[None if stored else key]
        offset: Any = None
        for index, stride in zip(indices, strides, strict=False):
            if not stride:
                continue
            step = index if stride == 1 else self.b.mul(index, ir.Constant(_I64, stride))
            offset = step if offset is None else self.b.add(offset, step)
        kind = memory(dtype)
        return self.b.gep(self.at[key], [offset if offset is not None else _zero()],
                          source_etype=kind)  # fmt: skip

    def _load(self, value: Value, indices: list[Any]) -> Any:
        dtype = value.aval.dtype
        loaded = self.b.load(self._address(value, dtype, indices), typ=memory(dtype))
        return self.b.trunc(loaded, types.BOOL) if dtype.kind == "b" else loaded

    def _element(self, indices: list[Any]) -> None:
        known: dict[Value, Any] = {value: self._load(value, indices) for value in self.reads}

        def operand(value: Value, dtype: np.dtype[Any]) -> Any:
            source = self.base(value)
            if self._is_inside(value):
                return Scalars(self.b, source.aval.dtype).cast(known[source], dtype)
            number = uniform(source)
            if number is not None:
                return types.constant(dtype, number)
            return Scalars(self.b, value.aval.dtype).cast(known[value], dtype)

        # Numbers are no loop: nothing is gained by copies of the same code, but time to compile.
        inline = bool(self.nest.sizes) or sum(n.op.name in ARITIES for n in self.loop.nodes) < 4
        for node, lowering in self.loop.nodes.items():
            dtype = lowerings.compute_dtype(node)
            truths = lowerings.TRUTHS.get(node.op.name, ())
            operands = [
                operand(v, np.dtype(bool) if i in truths else dtype)
                for i, v in enumerate(node.inputs)
            ]
            scalars = Scalars(self.b, dtype)
            scalars.inline = inline
            result = known[node.outputs[0]] = lowering(scalars, *operands)
            if node.outputs[0] in self.stored:
                out = node.outputs[0]
                kind = memory(out.aval.dtype)
                if out.aval.dtype.kind == "b":
                    result = self.b.zext(result, kind)
                self.b.store(result, self._address(out, out.aval.dtype, indices, stored=True))
        for one in self.sums:
            dtype = one.node.outputs[0].aval.dtype
            x = operand(one.node.inputs[0], dtype)
            kind = types.scalar(dtype)
            flags: tuple[str, ...] = ("reassoc",)
            if one.kind == "outer":
                at, flags = self._address(one.node, dtype, indices), ()
            else:
                at = self.runs[one.node]
            self.b.store(self.b.fadd(self.b.load(at, typ=kind), x, flags=flags), at)

    # ------------------------------------------------------------------ after the parts

    def finish(self, b: Any, table: Any, parts: int) -> None:
        """In the kernel: add what the parts have summed, and store it."""
        for one in self.sums:
            if one.kind == "inner":
                continue
            dtype = one.node.outputs[0].aval.dtype

            def at(slot: int) -> Any:
                return b.load(b.gep(table, [ir.Constant(_I64, slot)], source_etype=_PTR), typ=_PTR)

            target, partial = at(self.slot(one.node.outputs[0])), at(one.partial)
            if one.kind == "all":
                total: Any = ir.Constant(_F64, 0.0)
                for part in range(parts):
                    place = b.gep(partial, [ir.Constant(_I64, part)], source_etype=_F64)
                    total = b.fadd(total, b.load(place, typ=_F64))
                b.store(Scalars(b, DOUBLE).cast(total, dtype), target)
            elif parts > 1:
                add_rows(self.module, self.name, b, target, partial, dtype, one.size, parts)


def add_rows(
    module: ir.Module, name: str, b: Any, target: Any, partial: Any, dtype: Any, size: int,
    parts: int,
) -> None:  # fmt: skip
    """Write the sum of `parts` rows of `size` elements, in their order, by a function `name`."""
    kind = types.scalar(dtype)
    name = f"{name}.rows{size}.{dtype}"
    function = module.globals.get(name)
    if function is None:
        signature = ir.FunctionType(ir.VoidType(), [_PTR, _PTR])
        function = ir.Function(module, signature, name)
        function.linkage = "internal"
        for argument in function.args:
            argument.add_attribute("noalias")
        code = _Code(ir.IRBuilder(function.append_basic_block("entry")), function)
        with _Counted(code, _zero(), ir.Constant(_I64, size)) as i:
            total: Any = types.constant(dtype, 0)
            for part in range(parts):
                offset = code.b.add(i, ir.Constant(_I64, part * size))
                place = code.b.gep(function.args[1], [offset], source_etype=kind)
                total = code.b.fadd(total, code.b.load(place, typ=kind))
            code.b.store(total, code.b.gep(function.args[0], [i], source_etype=kind))
        code.b.ret_void()
    b.call(function, [target, partial])


@dataclass
class _Code:
    b: Any
    function: Any


class _Counted:
    """`with emitter._counted(low, high) as i:` writes a loop from low to high - 1."""

    def __init__(self, emitter: Emitter | _Code, low: Any, high: Any) -> None:
        self.emitter, self.low, self.high = emitter, low, high

    def __enter__(self) -> Any:
        e = self.emitter
        before = e.b.block
        self.head = e.function.append_basic_block("loop")
        self.done = e.function.append_basic_block("done")
        e.b.cbranch(e.b.icmp_signed("<", self.low, self.high), self.head, self.done)
        e.b.position_at_end(self.head)
        self.i = e.b.phi(_I64)
        self.i.add_incoming(self.low, before)
        return self.i

    def __exit__(self, *_: object) -> None:
        b = self.emitter.b
        following = b.add(self.i, ir.Constant(_I64, 1), flags=["nuw", "nsw"])
        self.i.add_incoming(following, b.block)
        b.cbranch(b.icmp_signed("<", following, self.high), self.head, self.done)
        b.position_at_end(self.done)


def strides_of(shape: Shape, missing: set[int] | frozenset[int] = frozenset()) -> list[int]:
    """The strides, in elements, of an array that has no extent along the `missing` axes."""
    found, step = [], 1
    for axis in reversed(range(len(shape))):
        found.append(0 if axis in missing else step)
        step *= 1 if axis in missing else shape[axis]
    return found[::-1]


def memory(dtype: Any) -> Any:
    """The type of an element in memory: a truth value is a byte."""
    return ir.IntType(8) if np.dtype(dtype).kind == "b" else types.scalar(dtype)


def parts_of(loop: Loop, first: int) -> int:
    """The parts into which a loop's first axis is cut, from its shape and its work alone."""
    cost = sum(
        _COSTLY if node.op.name in ARITIES or node.op.name == "power_of_number" else _CHEAP
        for node in loop.nodes
    ) + _CHEAP * (1 + len(loop.sums))
    parts = int(loop.size * cost / PART_NS)
    return max(1, min(parts, first, MOST_PARTS))
