"""Keeping: which arrays of a run are stored at which steps, so that disk space stays bounded.

A small array is stored at every step at first, one of megabytes at every eighth. Each time a number
of them lie on disk the stride doubles, so that a long run has that number times the logarithm of
its length, and its beginning, where most happens, has the most.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.operands import fingerprint

__all__ = ["Schedule", "Seen"]

MOST_BYTES = 4 << 20  # of one stride
INPUT_BYTES = 16 << 20  # the same, of a constant array that changes: it cannot be computed again
FEWEST, MOST = 2, 512  # snapshots of one stride
MANY = 8  # snapshots that the first strides have where they are not too large for that
SMALL = 64 << 10  # bytes up to which contents are compared, larger arrays by a sample


class Schedule:
    """At which steps something of a size is stored.

    Examples
    --------
    >>> schedule = Schedule(512 << 10)
    >>> [step for step in range(40) if schedule.takes(step)]
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 18, 20, 22, 24, 28, 32, 36]
    >>> schedule = Schedule(64 << 20)
    >>> [step for step in range(100) if schedule.takes(step)]
    [0, 8, 16, 32, 64, 96]
    """

    __slots__ = ("left", "most", "stride")

    def __init__(self, nbytes: int, fewest: int = FEWEST, budget: int = MOST_BYTES) -> None:
        some = budget // max(nbytes, 1)
        self.most = min(max(some, fewest), MOST)
        self.left, self.stride = self.most, 1
        while self.stride * max(some, 1) < MANY:  # large arrays: few of them from the start
            self.stride *= 2

    def takes(self, step: int) -> bool:
        """Whether it is stored at this step."""
        if step % self.stride:
            return False
        if not self.left:
            self.left = self.most
            self.stride *= 2
            if step % self.stride:
                return False
        self.left -= 1
        return True


class Seen:
    """What a tag holds now, to notice that another array came in its place.

    Arrays up to 64 KiB are compared as they are. Larger ones are taken for the same if they are
    the same object and a sample of 256 elements has not changed; that is documented as incomplete.
    """

    __slots__ = ("array", "content", "schedule")

    def __init__(self) -> None:
        self.array: Any = None
        self.content: bytes | None = None
        self.schedule: Schedule | None = None

    def changes(self, array: Any) -> bool:
        """Whether `array` has another content than the one before; remembers it."""
        if array.nbytes <= SMALL:
            content = array.tobytes()
            if content == self.content and self.array is None:
                return False
            self.array, self.content = None, content
            return True
        content = fingerprint(array)
        if array is self.array and content == self.content:
            return False
        self.array, self.content = array, content
        return True

    def holds(self, array: Any) -> bool:
        """Whether it is this array, by content."""
        if self.array is not None:
            return self.array is array or bool(np.array_equal(self.array, array))
        return bool(self.content == array.tobytes())


def storable(value: Any, copy: bool = False) -> Any:
    """A value as an array that a run can hold (bfloat16 becomes float32), a copy if asked."""
    array = np.asarray(value)
    if array.dtype.kind not in "fciub" or array.dtype.char in "gG":
        return array.astype(np.complex128 if array.dtype.char == "G" else
                            np.float64 if array.dtype.char == "g" else np.float32)  # fmt: skip
    return np.array(array, order="C") if copy else array
