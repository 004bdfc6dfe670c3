"""The dispatch tables, filled by the op files and read by Tensor's protocol methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# ufunc -> operation for a plain call with no keyword arguments
UFUNCS: dict[Any, Callable[..., Any]] = {}
# (ufunc, method) -> operation; method is "__call__", "reduce", "accumulate", "outer", "at", ...
UFUNC_METHODS: dict[tuple[Any, str], Callable[..., Any]] = {}
# NumPy function that follows __array_function__ -> operation
FUNCTIONS: dict[Any, Callable[..., Any]] = {}
# name -> card, for completeness checks and documentation
CARDS: dict[str, Any] = {}
# hooks that the op files fill, so that core need not import them:
# "stack" builds a Tensor from nested sequences that hold Tensors, "pairwise" undoes views, ...
HOOKS: dict[str, Callable[..., Any]] = {}
