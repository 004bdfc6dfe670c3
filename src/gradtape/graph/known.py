"""What is known while tracing is computed, and once where it is the same number over and over.

The cotangent of a mean is one number seen through zero strides as a million.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.aval import broadcast_shapes
from ..core.symbol import without_repeats

__all__ = ["computed"]

# Of one number as of many: these are exact to the last bit.
_EXACT = frozenset(["add", "subtract", "multiply", "divide", "negative", "positive"])
_LARGE = 1 << 12


def computed(card: Any, values: Sequence[Any], params: dict[str, Any]) -> Any:
    """What a card gives for values that are known."""
    if params or card.name not in _EXACT:
        return card.impl(*values, **params)
    arrays = [x for x in values if type(x) is np.ndarray]
    if not any(x.size >= _LARGE and 0 in x.strides for x in arrays):
        return card.impl(*values)
    found = card.impl(*map(without_repeats, values))
    return np.broadcast_to(found, broadcast_shapes(*[x.shape for x in arrays]))
