"""The sum of squares of an array: finite if every element is, NaN if one is, in one pass."""

from __future__ import annotations

from typing import Any

import numpy as np

# BLAS splits a longer dot product over threads. That gains microseconds where the other cores are
# idle, and loses a time slice, milliseconds, where another process has one of them.
_ALONE = 8192


def square_sum(flat: Any) -> Any:
    """The sum of the squares of a vector, each block by one call of BLAS on this thread."""
    n = flat.size
    if n <= _ALONE:
        return flat.dot(flat)
    whole = n - n % _ALONE
    blocks = flat[:whole].reshape(-1, _ALONE)
    total = np.add.reduce(np.vecdot(blocks, blocks))
    if whole < n:
        rest = flat[whole:]
        total += rest.dot(rest)
    return total
