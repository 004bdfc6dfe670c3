"""Reductions: `reduce_sum` and its like."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..base.making import NUMBER, allow, native, op


@op("reduce_sum", "math.reduce_sum")
def reduce_sum(input_tensor: Any, axis: Any = None, keepdims: Any = False, name: Any = None) -> Any:
    """The sum over `axis`, over all axes by default."""
    x = native(input_tensor)
    allow("reduce_sum", x, NUMBER)
    return np.sum(x, axis=axis, keepdims=bool(keepdims), dtype=x.dtype)
