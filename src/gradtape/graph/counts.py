"""How many references an array has: whether somebody beside a trace holds it.

What only the trace holds was made while tracing, and is a constant of the graph.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from ..core.tensor import new_tensor

ndarray = np.ndarray


def references(array: Any) -> tuple[int, int] | None:
    """The references to `array` and to the array whose memory it has; None where that is not known.

    A large array of the user's that is reached through a view has more of them than one that was
    made while tracing.
    """
    root = array
    while type(root.base) is ndarray:
        root = root.base
    if root.base is not None:
        return None
    return sys.getrefcount(array), 0 if root is array else sys.getrefcount(root)


def _probe(length: int) -> Any:
    array = np.zeros(2)
    return array if length == 2 else array[:1]


def _calibrate() -> list[Any]:
    """The references to what only the trace holds: a Tensor, an array, a view of one."""
    found: list[Any] = []
    for length in (2, 1):
        captured: dict[int, Any] = {0: (None, _probe(length), new_tensor(None))}
        for key in list(captured):
            _value, array, held = captured.pop(key)
            found.append(sys.getrefcount(held))
            held = None
            found.append(references(array))
    return [found[0], found[1], found[3]]


OURS = _calibrate()
