"""What a reduction leaves in memory: where it runs in a nest, and how its parts are joined."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...graph.ir import Node
from . import ir
from .counting import counted
from .lanes import BOUND, FREE
from .memory import get, memory, put
from .reductions import Reduction

__all__ = ["Sum", "join", "join_rows"]

# Bytes: two threads that write to one line of the cache, or of which one fetches what lies behind
# its own, wait for each other. The second matters where there are MANY.
LINES, APART, MANY = 128, 4096, 1024
FEW = 20_000  # elements that are joined in less time than it takes to optimise how
WRITTEN = 8  # parts beyond which joining them is a loop
_I64, _PTR = ir.IntType(64), ir.PointerType()


@dataclass
class Sum:
    """A reduction of a loop, and where in the nest it runs."""

    node: Node
    how: Reduction
    strides: list[int] = field(default_factory=list)  # of its result, over the nest
    level: int = 0  # from which axis on it runs in registers; the number of axes: nowhere
    partial: int = -1  # the slot of its accumulators, one for each part
    row: int = 0  # which axis of the nest is the first of the loop's space
    goes_on: bool = False  # whether block after block of rows is joined with what is there

    @property
    def size(self) -> int:
        """Of its result."""
        return self.node.outputs[0].aval.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of its elements and result."""
        return self.how.dtype

    @property
    def is_all(self) -> bool:
        """Whether it is one number, joined in registers alone."""
        return self.level == 0

    @property
    def in_registers(self) -> bool:
        """Whether a row is joined before anything is stored."""
        return self.level < len(self.strides) or self.level == 0

    @property
    def in_memory(self) -> bool:
        """Whether what is stored is joined with what is there."""
        return self.goes_on or any(s == 0 for s in self.strides[: self.level])

    @property
    def is_by_row(self) -> bool:
        """Whether each row of the space has results of its own."""
        return self.strides[self.row] != 0

    def apart(self, parts: int) -> int:
        """The bytes of the accumulators that the parts have, 0 where they write the result."""
        if self.is_all:
            return 8 * parts
        if parts > 1 and not self.is_by_row:
            return parts * self.step * self.dtype.itemsize
        return 0

    @property
    def step(self) -> int:
        """The elements from the accumulators of a part to those of the next."""
        bytes_ = self.size * self.dtype.itemsize
        bytes_ = -(-bytes_ // LINES) * LINES + APART * (bytes_ >= MANY)
        return int(bytes_ // self.dtype.itemsize)


@contextlib.contextmanager
def _steps(code: Any, low: int, high: int) -> Iterator[tuple[Any, Any]]:
    """A loop from low to high - 1, of which there is one turn at least, and the block before it."""
    b, before = code.b, code.b.block
    head, done = (code.function.append_basic_block(word) for word in (BOUND, "done"))
    b.branch(head)
    b.position_at_end(head)
    i = b.phi(_I64)
    i.add_incoming(ir.Constant(_I64, low), before)
    yield i, before
    following = b.add(i, ir.Constant(_I64, 1), flags=["nuw", "nsw"])
    i.add_incoming(following, b.block)
    b.cbranch(b.icmp_signed("<", following, ir.Constant(_I64, high)), head, done)
    b.position_at_end(done)


def join(b: Any, one: Sum, partial: Any, parts: int) -> Any:
    """What the `parts` have of a number, joined in their order."""
    how, dtype = one.how, one.how.total
    total: Any = how.neutral(dtype)

    def at(part: Any) -> Any:
        return get(b, b.gep(partial, [part], source_etype=memory(np.dtype(np.float64))), dtype)

    if parts <= WRITTEN:
        for part in range(parts):
            total = how.join(b, dtype, total, at(ir.Constant(_I64, part)))
        return total
    with _steps(_Code(b, b.block.function), 0, parts) as (part, before):
        so_far = b.phi(total.type)
        so_far.add_incoming(total, before)
        total = how.join(b, dtype, so_far, at(part))
        so_far.add_incoming(total, b.block)
    return total


def join_rows(
    module: ir.Module, name: str, b: Any, target: Any, partial: Any, one: Sum, parts: int
) -> None:
    """Write what the `parts` have of each element of a result, joined in their order."""
    dtype, size = one.dtype, one.size
    kind, name = memory(dtype), f"{name}.{one.how.word}{size}.{dtype}"
    function = module.globals.get(name)
    if function is None:
        function = ir.Function(module, ir.FunctionType(ir.VoidType(), [_PTR, _PTR]), name)
        function.linkage = "internal"
        if size * parts < FEW:
            function.attributes.add("cold")
        for argument in function.args:
            argument.add_attribute("noalias")
        code = _Code(ir.IRBuilder(function.append_basic_block("entry")), function)
        written = parts if parts <= WRITTEN or size * parts >= FEW else 1
        place = function.args

        def joined(start: Any, count: int, is_first: bool) -> None:
            """Join so many parts of each element, behind `start`, with what is there."""
            b = code.b
            with counted(code, ir.Constant(_I64, 0), ir.Constant(_I64, size), FREE) as i:
                at = b.gep(place[0], [i], source_etype=kind)
                total: Any = one.how.neutral(dtype) if is_first else get(b, at, dtype)
                for part in range(count):
                    offset = b.add(i, ir.Constant(_I64, part * one.step))
                    found = get(b, b.gep(start, [offset], source_etype=kind), dtype)
                    total = one.how.join(b, dtype, total, found)
                put(b, total, at, dtype)

        joined(place[1], written, True)
        if written < parts:
            with _steps(code, written, parts) as (part, _):
                moved = code.b.mul(part, ir.Constant(_I64, one.step))
                joined(code.b.gep(place[1], [moved], source_etype=kind), 1, False)
        code.b.ret_void()
    b.call(function, [target, partial])


@dataclass
class _Code:
    b: Any
    function: Any
