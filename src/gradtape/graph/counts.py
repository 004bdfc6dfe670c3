"""Who holds an array when a trace ends: the trace alone, or somebody outside too.

An array that the user still holds is read at each call of the program; one that was made while the
function was traced is a constant. References tell. Those of an array are also its views': an array
of ones of which a gradient reads two slices is held by both, and by nobody else.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.tensor import new_tensor

__all__ = ["TENSOR", "held_here"]


def held_here(arrays: list[Any]) -> list[bool]:
    """For each of `arrays` whether that list alone holds it, and the array whose memory it has.

    Then it holds all other views of that array as well, and is the only one to.
    """
    roots = list(map(_root, arrays))
    own, of_roots = _references(arrays, roots)
    lent = {id(root) for root, count in zip(roots, of_roots, strict=True) if count != _ROOT}
    for array, root, count in zip(arrays, roots, own, strict=True):
        if array is not root and count != _VIEW:
            lent.add(id(root))
    return [root is not None and id(root) not in lent for root in roots]


def _references(arrays: list[Any], roots: Sequence[Any]) -> tuple[list[int], list[int]]:
    """The references to each array and each root, of these without those that are known.

    Each place has two to its root: of `roots`, and of the view, or of `arrays` if it is the root.
    """
    known = Counter(map(id, roots))
    of_roots = [sys.getrefcount(root) - 2 * known[id(root)] for root in roots]
    return [sys.getrefcount(array) for array in arrays], of_roots


def _root(array: Any) -> Any:
    """The array whose memory `array` has; None where that is not known."""
    while type(array) is np.ndarray and type(array.base) is np.ndarray:
        array = array.base
    return array if type(array) is np.ndarray and array.base is None else None


def _calibrate() -> tuple[int, int, int]:
    """The references to what nobody else holds: a Tensor, a view, the array whose memory it has."""
    captured: dict[int, Any] = {0: (None, new_tensor(None))}
    for key in list(captured):
        _value, held = captured.pop(key)
        tensor = sys.getrefcount(held)
    arrays = [np.zeros(2)[:1]]
    own, of_roots = _references(arrays, list(map(_root, arrays)))
    return tensor, own[0], of_roots[0]


TENSOR, _VIEW, _ROOT = _calibrate()
