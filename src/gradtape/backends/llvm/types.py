"""LLVM's types and constants for NumPy's dtypes."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from gradtape.backends.llvm import ir
from gradtape.errors import DTypeError, three_part

BOOL = ir.IntType(1)


@cache
def scalar(dtype: Any) -> Any:
    """Return the type of a value of this dtype (a truth value in a register is an i1)."""
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return BOOL
    if dtype.kind in "iu":
        return ir.IntType(8 * dtype.itemsize)
    if dtype.kind == "f" and dtype.itemsize in (4, 8):
        return ir.FloatType() if dtype.itemsize == 4 else ir.DoubleType()
    raise DTypeError(
        three_part(
            f"The LLVM backend has no type for {dtype}.",
            "It computes with truth values, integers, float32 and float64.",
            'Leave the operation without a lowering, or use gt.function(..., backend="numpy").',
        )
    )


def whole(dtype: Any) -> np.dtype[Any]:
    """Return the integer dtype of the same size."""
    return np.dtype(f"i{np.dtype(dtype).itemsize}")


def vector(kind: Any, lanes: int) -> Any:
    """Return the type of so many values of a kind; of one value with 0."""
    return ir.VectorType(kind, lanes) if lanes else kind


def constant(dtype: Any, value: Any, lanes: int = 0) -> ir.Constant:
    """Return a constant of this dtype, rounded to it, in each of the lanes."""
    if lanes:
        return ir.Constant(vector(scalar(dtype), lanes), [constant(dtype, value)] * lanes)
    dtype = np.dtype(dtype)
    if dtype.kind != "f":
        return ir.Constant(scalar(dtype), int(value))
    if dtype.itemsize == 8:
        return ir.Constant(scalar(dtype), float(value))
    with np.errstate(all="ignore"):
        return ir.Constant(scalar(dtype), float(dtype.type(value)))


def intrinsic(module: Any, name: str, kind: Any, count: int) -> ir.Function:
    """Return the declaration of `llvm.name` for operands of one type."""
    full = f"llvm.{name}.{kind.suffix}"
    found: ir.Function | None = module.globals.get(full)
    return found or ir.Function(module, ir.FunctionType(kind, [kind] * count), full)
