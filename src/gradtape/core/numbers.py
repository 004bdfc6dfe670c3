"""Python floats as 0-d arrays, made once: NumPy takes 140 ns to convert a number at each call.

A float beside a float32 or float64 array is weak: it takes the array's dtype. So its 0-d array of
that dtype stands for it exactly, and NumPy's result is the same to the last bit. The fast path
reads the two tables itself and calls `number` for what is not in them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

DOUBLE, SINGLE = np.dtype(np.float64), np.dtype(np.float32)
doubles: dict[float, Any] = {}
singles: dict[float, Any] = {}
_MOST = 1024  # numbers in each table: those of a program's text, not of its data


def number(x: float, dtype: Any) -> Any:
    """`x` as a 0-d array of `dtype` if that is float32 or float64 and holds it; else `x`."""
    if dtype is DOUBLE:
        table = doubles
    elif dtype is SINGLE and abs(x) < 3e38:  # beyond it NumPy has to warn
        table = singles
    else:
        return x
    found = table.get(x)
    if found is None:
        found = np.array(x, dtype)
        found.flags.writeable = False
        if x == x and x:  # a NaN equals no key, and 0.0 equals -0.0
            if len(table) >= _MOST:
                table.clear()
            table[x] = found
    return found
