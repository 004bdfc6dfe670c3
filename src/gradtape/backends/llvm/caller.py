"""The function that runs the loops of a native part, one after another.

What runs in several parts, or by rows, is a function of a table of pointers and the number of a
part, which the workers of the pool can call; so is everything in turns, where pointers change.
The body of any other loop is called with its pointers at once: that is less code by far.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from . import ir
from .views import Count

__all__ = ["Caller", "Direct", "begins", "bytes_of"]

_I64, _PTR, _BYTE = ir.IntType(64), ir.PointerType(), ir.IntType(8)


@dataclass(frozen=True)
class Direct:
    """A body that is called without a table: the slots of its pointers, and its last element.

    `bytes` are added to the pointers, where there are any.
    """

    body: Any
    slots: Sequence[int]
    size: int
    bytes: Sequence[int] = ()


def begins(e: Any) -> dict[Any, int]:
    """By pointer of a loop the element at which all begins that it is used for; the kernel adds it.

    So bodies that do the same at other places (two diagonals of a matrix) are the same.
    """
    if not e.nest.sizes or e.loop.along is not None or e.rolled:
        return {}
    found: dict[Any, set[int]] = {}
    for value in e.reads:
        view = e.plan.view(value)
        if not isinstance(view.source, Count):
            found.setdefault(view.source, set()).add(view.offset)
    for node in e.loop.nodes:
        out = node.outputs[0]
        part = e.placed.get(out)
        at = (out, 0) if part is None else (part.source, part.offset)
        found.setdefault(at[0], set()).add(at[1])
    return {key: min(starts) for key, starts in found.items() if len(starts) == 1}


def bytes_of(e: Any, pointers: Iterable[Any]) -> list[int]:
    """What the kernel adds to the pointers of a loop."""
    found = e.begins
    return [found[key] * key.aval.dtype.itemsize if key in found else 0 for key in pointers]


class Unit(Protocol):
    """A loop, a product, or several by rows."""

    name: str
    direct: Direct | None

    def finish(self, b: Any, at: Callable[[int], Any], parts: int) -> None:
        """Join what the parts have given."""


class Caller:
    """`void kernel(ptr table)` in the making.

    The table that it is given ends with the words; `offsets` are those of the buffers in the arena,
    or on the stack, which follow in the slots from `first_buffer` on. With `has_table` a longer
    table, of `count` slots, holds them all.
    """

    def __init__(
        self, module: ir.Module, is_parallel: bool, offsets: list[int], total: int, n_in: int,
        arena: int, first_buffer: int, count: int, at_pool: int, has_table: bool,
    ) -> None:  # fmt: skip
        self.module, self.at_pool, self.first_buffer = module, at_pool, first_buffer
        function = ir.Function(module, ir.FunctionType(ir.VoidType(), [_PTR]), "kernel")
        function.attributes.add("nounwind")
        function.attributes.add("cold")
        function.linkage = "internal"  # or LLVM keeps what it has inlined a second time
        b = self.b = ir.IRBuilder(function.append_basic_block("entry"))
        self.table: ir.Value = function.args[0]
        given = self.given = self.table
        signature = ir.FunctionType(ir.VoidType(), [_PTR, _PTR, _PTR, _I64])
        self.hand_out: Any = ir.Function(module, signature, "hand_out") if is_parallel else None
        self.has_table = has_table
        self.known: dict[int, Any] = {}
        if count == first_buffer:
            return
        if has_table:
            self.table = b.alloca(_PTR, ir.Constant(_I64, count))
            for i in range(first_buffer):
                b.store(b.load(self.at(given, i), typ=_PTR), self.at(self.table, i))
        if not offsets:
            return
        if arena:
            start = b.ptrtoint(b.load(self.at(given, n_in - 1), typ=_PTR), _I64)
            start = b.and_(b.add(start, ir.Constant(_I64, 63)), ir.Constant(_I64, -64))
            memory = b.inttoptr(start, _PTR)
        else:
            memory = b.alloca(ir.ArrayType(_BYTE, total), align=64)
        for slot, offset in enumerate(offsets, first_buffer):
            place = b.gep(memory, [ir.Constant(_I64, offset)], source_etype=_BYTE)
            self.known[slot] = place
            if has_table:
                b.store(place, self.at(self.table, slot))

    def at(self, table: Any, i: int) -> Any:
        """Where the pointer number i stands."""
        return self.b.gep(table, [ir.Constant(_I64, i)], source_etype=_PTR)

    def word(self, slot: int) -> None:
        """Room for a number, which is 0, at a slot of the table."""
        place = self.b.alloca(_I64, align=64)
        self.b.store(ir.Constant(_I64, 0), place)
        self.b.store(place, self.at(self.table, slot))

    def pointer(self, slot: int) -> Any:
        """What stands at a slot, and does not change."""
        found = self.known.get(slot)
        if found is None:
            found = self.known[slot] = self.b.load(self.at(self.given, slot), typ=_PTR)
        return found

    def _moving(self, slot: int) -> Any:
        """What stands at a slot of the table now."""
        return self.b.load(self.at(self.table, slot), typ=_PTR)

    def call(self, e: Unit, parts: int) -> None:
        """Run a loop or a product."""
        if e.direct is not None:
            arguments = [self.pointer(slot) for slot in e.direct.slots]
            for i, more in enumerate(e.direct.bytes):
                if more:
                    step = ir.Constant(_I64, more)
                    arguments[i] = self.b.gep(arguments[i], [step], source_etype=_BYTE)
            ends = [ir.Constant(_I64, 0), ir.Constant(_I64, e.direct.size)]
            self.b.call(e.direct.body, [*arguments, *ends])
            e.finish(self.b, self.pointer, parts)
            return
        loop = self.module.globals[e.name]
        if parts > 1:
            pool = self.at(self.given, self.at_pool)
            self.b.call(self.hand_out, [pool, loop, self.table, ir.Constant(_I64, parts)])
        else:
            self.b.call(loop, [self.table, ir.Constant(_I64, 0)])
        e.finish(self.b, self._moving, parts)
