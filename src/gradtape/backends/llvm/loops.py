"""The plainest loop: the same expression for each element of contiguous arrays, and sums of it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradtape.backends.llvm import ir, types
from gradtape.backends.llvm.compile import Program, compile_text
from gradtape.backends.llvm.lanes import FREE
from gradtape.backends.llvm.machine import Machine
from gradtape.backends.llvm.scalars import Scalars

Build = Callable[..., Sequence[ir.Value]]


def map_loop(
    module: ir.Module,
    name: str,
    build: Build,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    sums: Sequence[Any] = (),
) -> None:
    """Add `void name(inputs..., outputs..., sums..., i64 first, i64 end)` to a module.

    `build(builder, *elements)` returns an element of each output and a term of each sum. The
    arrays are contiguous and what is written overlaps no other array. Truth values are bytes in
    memory. A sum is taken in as many parts as the loop has lanes: the same bits for the same
    `first` and `end`, and no error beyond n eps of the sum of sizes.
    """
    pointer, index = ir.PointerType(), ir.IntType(64)
    count = len(inputs) + len(outputs)
    kind = ir.FunctionType(ir.VoidType(), [*([pointer] * (count + len(sums))), index, index])
    function = ir.Function(module, kind, name)
    function.attributes.add("nounwind")
    *pointers, first, end = function.args
    for argument in pointers:
        argument.add_attribute("noalias")
    entry = function.append_basic_block("entry")
    loop = function.append_basic_block("loop" if sums else FREE)
    done = function.append_basic_block("done")
    builder = ir.IRBuilder(entry)
    builder.cbranch(builder.icmp_signed("<", first, end), loop, done)
    builder.position_at_end(loop)
    i = builder.phi(index)
    i.add_incoming(first, entry)
    totals = [builder.phi(types.scalar(dtype)) for dtype in sums]
    elements = []
    for argument, dtype in zip(pointers, inputs, strict=False):
        stored = _stored(dtype)
        value = builder.load(builder.gep(argument, [i], source_etype=stored), typ=stored)
        if np.dtype(dtype).kind == "b":
            value = builder.trunc(value, types.BOOL)
        elements.append(value)
    results = list(build(builder, *elements))
    for argument, dtype, value in zip(
        pointers[len(inputs) : count], outputs, results[: len(outputs)], strict=True
    ):
        stored = _stored(dtype)
        if np.dtype(dtype).kind == "b":
            value = builder.zext(value, stored)
        builder.store(value, builder.gep(argument, [i], source_etype=stored))
    # The one place where the order of a sum is LLVM's to choose.
    grown = [
        builder.fadd(total, term, flags=["reassoc"])
        for total, term in zip(totals, results[len(outputs) :], strict=True)
    ]
    following = builder.add(i, ir.Constant(index, 1), flags=["nuw", "nsw"])
    i.add_incoming(following, builder.block)
    for total, value, dtype in zip(totals, grown, sums, strict=True):
        total.add_incoming(types.constant(dtype, 0), entry)
        total.add_incoming(value, builder.block)
    last = builder.block
    builder.cbranch(builder.icmp_signed("<", following, end), loop, done)
    builder.position_at_end(done)
    for argument, value, dtype in zip(pointers[count:], grown, sums, strict=True):
        sum_ = builder.phi(types.scalar(dtype))
        sum_.add_incoming(types.constant(dtype, 0), entry)
        sum_.add_incoming(value, last)
        builder.store(sum_, argument)
    builder.ret_void()


def _stored(dtype: Any) -> Any:
    dtype = np.dtype(dtype)
    return ir.IntType(8) if dtype.kind == "b" else types.scalar(dtype)


class MapFunction:
    """A compiled `map_loop` as a function of NumPy arrays: for tests and measurements."""

    def __init__(
        self,
        build: Build,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        machine: Machine | None = None,
        sums: Sequence[Any] = (),
    ) -> None:
        module = ir.Module("map")
        map_loop(module, "loop", build, inputs, outputs, sums)
        self.sums = [np.dtype(d) for d in sums]
        self.outputs = [np.dtype(d) for d in outputs]
        self.inputs = [np.dtype(d) for d in inputs]
        self.program: Program = compile_text(str(module), machine)
        if machine is None:
            count = len(inputs) + len(outputs) + len(sums)
            self.part = self.program.function(
                "loop", None, *([ctypes.c_void_p] * count), ctypes.c_int64, ctypes.c_int64
            )

    def run(self, *pointers_and_size: int) -> None:
        """Run over whole arrays: their addresses and the number of elements."""
        *pointers, n = pointers_and_size
        self.part(*pointers, 0, n)

    def __call__(self, *arrays: Any) -> Any:
        """Return outputs and sums for arrays of one shape, a tuple if there are several."""
        taken = [
            np.ascontiguousarray(a, dtype) for a, dtype in zip(arrays, self.inputs, strict=True)
        ]
        shape = taken[0].shape
        results = [np.empty(shape, dtype) for dtype in self.outputs]
        results += [np.empty((), dtype) for dtype in self.sums]
        self.run(*(a.ctypes.data for a in (*taken, *results)), taken[0].size)
        return results[0] if len(results) == 1 else tuple(results)


def function_of(name: str, dtype: Any, machine: Machine | None = None) -> MapFunction:
    """Return one word of the vocabulary, on arrays of one dtype."""
    from gradtape.backends.llvm.scalars import COMPARISONS, VOCABULARY

    truth = name in COMPARISONS or name in ("isnan", "isinf", "isfinite", "signbit")

    def build(builder: ir.IRBuilder, *elements: ir.Value) -> list[ir.Value]:
        return [getattr(Scalars(builder, dtype), name)(*elements)]

    count = VOCABULARY[name]
    inputs = [dtype] * count
    if name == "select":
        inputs = [np.bool_, dtype, dtype]
    return MapFunction(build, inputs, [np.bool_ if truth else dtype], machine)
