"""Elements in memory: a truth value is a byte there."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import ir, types

__all__ = ["get", "memory", "put"]


def memory(dtype: Any) -> Any:
    """The type of an element in memory."""
    return ir.IntType(8) if np.dtype(dtype).kind == "b" else types.scalar(dtype)


def get(b: Any, at: Any, dtype: Any) -> Any:
    """An element from memory: of a byte the truth."""
    loaded = b.load(at, typ=memory(dtype))
    return b.trunc(loaded, types.BOOL) if np.dtype(dtype).kind == "b" else loaded


def put(b: Any, x: Any, at: Any, dtype: Any) -> None:
    """Write an element to memory."""
    b.store(b.zext(x, memory(dtype)) if np.dtype(dtype).kind == "b" else x, at)
