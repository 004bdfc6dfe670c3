"""Segments of a scan: how long, and how arrays are cut into them and put together again.

Griewank, *Achieving logarithmic growth of temporal and spatial complexity in reverse automatic
differentiation* (1992), with one level: of n turns the carries at the ends of sqrt(n) segments are
kept, and within a segment, while it is played backwards, those of its sqrt(n) turns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

_np: Any = np  # NumPy's functions as they are for Tensors, which its stubs do not know
LONG = 256  # turns from which on segments are made without being asked for


def segment_length(length: int, checkpoint: bool | int | None) -> int:
    """The turns of one segment; 1 where every carry is kept."""
    if checkpoint is None:
        checkpoint = length >= LONG
    if checkpoint is True:
        return max(1, math.isqrt(length))
    return max(1, int(checkpoint))


def parted(
    xs: Sequence[Any], length: int, every: int, reverse: bool
) -> tuple[list[Any], list[Any]]:
    """(whole segments along a first axis, what is left at the end) of arrays of `length` turns."""
    count = length // every
    left = length - count * every
    whole = [x[left:] if reverse else x[: length - left] for x in xs]
    rest = [x[:left] if reverse else x[length - left :] for x in xs]
    return [_np.reshape(x, (count, every, *np.shape(x)[1:])) for x in whole], rest


def joined(y: Any) -> Any:
    """Results of segments one after the other."""
    return _np.reshape(y, (np.shape(y)[0] * np.shape(y)[1], *np.shape(y)[2:]))


def behind(y: Any, rest: Any, reverse: bool) -> Any:
    """The results of whole segments and of the turns that are left, in the order of `xs`."""
    return _np.concatenate([rest, y] if reverse else [y, rest])
