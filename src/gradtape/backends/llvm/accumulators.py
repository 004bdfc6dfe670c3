"""What a reduction leaves in memory: where it runs in a nest, and how its parts are joined."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...graph.ir import Node
from . import ir
from .counting import counted
from .lanes import FREE
from .memory import get, memory, put
from .reductions import Reduction

__all__ = ["Sum", "join_rows"]

APART = 128  # bytes: two threads that write to one line of the cache wait for each other
FEW = 20_000  # elements that are joined in less time than it takes to optimise how
_I64, _PTR = ir.IntType(64), ir.PointerType()


@dataclass
class Sum:
    """A reduction of a loop, and where in the nest it runs."""

    node: Node
    how: Reduction
    strides: list[int] = field(default_factory=list)  # of its result, over the nest
    level: int = 0  # from which axis on it runs in registers; the number of axes: nowhere
    partial: int = -1  # the slot of its accumulators, one for each part

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
        return any(s == 0 for s in self.strides[: self.level])

    def apart(self, parts: int) -> int:
        """The bytes of the accumulators that the parts have, 0 where they write the result."""
        if self.is_all:
            return 8 * parts
        if parts > 1 and self.strides[0] == 0:
            return parts * self.step * self.dtype.itemsize
        return 0

    @property
    def step(self) -> int:
        """The elements from the accumulators of a part to those of the next."""
        unit = APART // self.dtype.itemsize
        return -(-self.size // unit) * unit


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
        with counted(code, ir.Constant(_I64, 0), ir.Constant(_I64, size), FREE) as i:
            total: Any = one.how.neutral(dtype)
            for part in range(parts):
                offset = code.b.add(i, ir.Constant(_I64, part * one.step))
                place = code.b.gep(function.args[1], [offset], source_etype=kind)
                total = one.how.join(code.b, dtype, total, get(code.b, place, dtype))
            put(code.b, total, code.b.gep(function.args[0], [i], source_etype=kind), dtype)
        code.b.ret_void()
    b.call(function, [target, partial])


@dataclass
class _Code:
    b: Any
    function: Any
