"""How answers are written: binary tables of float64 behind a JSON header, and JSON without NaN.

A binary answer is the length of the header as four bytes (unsigned, little endian), the header as
JSON padded with spaces so that both together are a multiple of 8 bytes long, and the arrays as
little-endian float64, one after the other. A browser maps them without a copy, and NaN survives.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["as_json", "plain", "table", "untable"]

Array = NDArray[np.float64]


def table(header: dict[str, Any], arrays: Iterable[ArrayLike]) -> bytes:
    """Return a header and arrays of any shape as one binary answer.

    >>> header, numbers = untable(table({"count": 2}, [[1.0, float("nan")]]))
    >>> header, numbers
    ({'count': 2}, array([ 1., nan]))
    """
    head = as_json(header)
    head += b" " * (-(4 + len(head)) % 8)
    parts = [len(head).to_bytes(4, "little"), head]
    parts += [np.ascontiguousarray(each, "<f8").tobytes() for each in arrays]
    return b"".join(parts)


def untable(content: bytes) -> tuple[Any, Array]:
    """Return the header of a binary answer, and all its numbers in one array."""
    start = 4 + int.from_bytes(content[:4], "little")
    return json.loads(content[4:start]), np.frombuffer(content[start:], "<f8").astype(np.float64)


def as_json(value: Any) -> bytes:
    """Return JSON in ASCII; numbers that JSON lacks are the words nan, inf and -inf.

    >>> as_json({"cost": float("inf"), "steps": np.int64(3)})
    b'{"cost":"inf","steps":3}'
    """
    return json.dumps(plain(value), separators=(",", ":"), allow_nan=False).encode("ascii")


def plain(value: Any) -> Any:
    """Return `value` of what JSON has: NumPy's numbers and arrays become Python's."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return str(float(value))
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)
