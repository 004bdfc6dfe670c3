"""The plainest loop: the same expression for each element of contiguous arrays."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from gradtape.backends.llvm import types
from gradtape.backends.llvm.compile import Machine, Program, compile_text
from gradtape.backends.llvm.scalars import Scalars

Build = Callable[..., Sequence[ir.Value]]


def map_loop(
    module: ir.Module, name: str, build: Build, inputs: Sequence[Any], outputs: Sequence[Any]
) -> None:
    """Add `void name(inputs..., outputs..., i64 n)` to a module.

    `build(builder, *elements)` returns an element of each output. The arrays are contiguous and
    an output overlaps no other array. Truth values are bytes in memory.
    """
    pointer, index = ir.PointerType(), ir.IntType(64)
    count = len(inputs) + len(outputs)
    kind = ir.FunctionType(ir.VoidType(), [*([pointer] * count), index])
    function = ir.Function(module, kind, name)
    function.attributes.add("nounwind")
    for argument in function.args[:-1]:
        argument.add_attribute("noalias")
    entry = function.append_basic_block("entry")
    loop = function.append_basic_block("loop")
    done = function.append_basic_block("done")
    n = function.args[-1]
    builder = ir.IRBuilder(entry)
    zero = ir.Constant(index, 0)
    builder.cbranch(builder.icmp_signed(">", n, zero), loop, done)
    builder.position_at_end(loop)
    i = builder.phi(index)
    i.add_incoming(zero, entry)
    elements = []
    for argument, dtype in zip(function.args, inputs, strict=False):
        stored = _stored(dtype)
        value = builder.load(builder.gep(argument, [i], source_etype=stored), typ=stored)
        if np.dtype(dtype).kind == "b":
            value = builder.trunc(value, types.BOOL)
        elements.append(value)
    results = build(builder, *elements)
    for argument, dtype, value in zip(
        function.args[len(inputs) : count], outputs, results, strict=True
    ):
        stored = _stored(dtype)
        if np.dtype(dtype).kind == "b":
            value = builder.zext(value, stored)
        builder.store(value, builder.gep(argument, [i], source_etype=stored))
    following = builder.add(i, ir.Constant(index, 1), flags=["nuw", "nsw"])
    i.add_incoming(following, builder.block)
    builder.cbranch(builder.icmp_signed("<", following, n), loop, done)
    builder.position_at_end(done)
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
    ) -> None:
        module = ir.Module("map")
        map_loop(module, "loop", build, inputs, outputs)
        self.outputs = [np.dtype(d) for d in outputs]
        self.inputs = [np.dtype(d) for d in inputs]
        self.program: Program = compile_text(str(module), machine)
        if machine is None:
            count = len(inputs) + len(outputs)
            self.run = self.program.function(
                "loop", None, *([ctypes.c_void_p] * count), ctypes.c_int64
            )

    def __call__(self, *arrays: Any) -> Any:
        """Return the outputs for arrays of one shape, a tuple if there are several."""
        taken = [
            np.ascontiguousarray(a, dtype) for a, dtype in zip(arrays, self.inputs, strict=True)
        ]
        shape = taken[0].shape
        results = [np.empty(shape, dtype) for dtype in self.outputs]
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
