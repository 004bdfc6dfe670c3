"""Which results are views where there is no memory to look at: while tracing, in `jvp` and `vmap`.

NumPy gives a view of an array where it can, which depends on how the array lies in memory. Here
one lies in C order, and a view of it as NumPy would lay it out, so that what is written into the
one is seen in the other exactly where it is with plain arrays.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .card import Card
from .tensor import View


def is_view(z: Any, base: Any, card: Card, params: dict[str, Any]) -> bool:
    """Whether `z`, what `card` gives of `base`, is a view; a number never is, nor is what it makes.

    `card.looks(laid, shape, **params)` tells it of an operation that makes a copy where it must.
    """
    if not z.ndim:
        return False
    return card.looks is None or bool(card.looks(layout(base), z.shape, **params))


def layout(x: Any) -> Any:
    """An array without numbers that lies in memory as `x` does."""
    if isinstance(x, View):
        return x.card.impl(layout(x.base_tensor), **x.params)
    return np.empty(x.shape, np.bool_)


def stays(laid: Any, shape: tuple[int, ...], order: str) -> bool:
    """Whether NumPy reshapes an array that lies like `laid` without a copy."""
    if order == "F":
        laid, shape = laid.T, shape[::-1]
    return laid.flags.c_contiguous or np.may_share_memory(laid.reshape(shape), laid)
