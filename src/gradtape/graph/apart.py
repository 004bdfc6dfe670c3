"""Arrays that a function of control flow may write into, and nobody else sees it.

In a compiled function a carry is a value: what a turn writes into it is in that turn's result and
nowhere else. Eagerly it would be the caller's array, a row of `xs`, or a row that was stacked
before. So eager loops hand out Tensors of their own, over the same memory until one is written
into, and copies of plain arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.tensor import Lifted, Tensor, Traced, View, twin

__all__ = ["apart", "apart_from"]


def apart(x: Any) -> Any:
    """A value that can be written into without the one that was given.

    >>> import numpy as np
    >>> a = np.zeros(2)
    >>> b = apart(a)
    >>> b[0] = 1.0
    >>> a
    array([0., 0.])
    """
    if type(x) is np.ndarray:
        return x.copy()
    return twin(x) if type(x) in _WRITABLE else x


# Variables are written for everybody, and the dialect's tensors by nobody.
_WRITABLE = (Tensor, View, Traced, Lifted)


def apart_from(x: Any, others: Sequence[Any]) -> Any:
    """`x`, or its like where writing into one of `others` would write into it."""
    if type(x) is np.ndarray:
        if any(type(y) is np.ndarray and np.may_share_memory(x, y) for y in others):
            return x.copy()
        return x
    return apart(x) if type(x) is View or any(x is y for y in others) else x
