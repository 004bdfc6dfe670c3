"""Rows: one row of numbers a step, gathered in a list, handed to the writer a block at a time.

The training thread puts the numbers of a row at the end of one flat list, as it holds them; the
writer's thread takes what is there at each of its ticks, so that a slow loop is seen at once, and
makes float64 of it. Both are single operations of the list, so that no row is seen in part.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["Rows"]

# Rows that may be there: more than a fast loop makes between two ticks of the writer's thread, so
# that it commits at its ticks. With so many the training thread hands over itself, and is blocked
# where the writer's queue is full.
MOST = 4096
_PERIOD, _PAUSE = 0.015, 0.2  # seconds between rounds of the writer; where its disk is slow


class Rows:
    """The rows that are not yet handed over.

    Attributes
    ----------
    layout, width : int
        Of the rows that are there; -1 before there is one.
    numbers : list
        Of all of them, one after the other. It is the same list for ever.

    Examples
    --------
    >>> class Printing:
    ...     def rows(self, layout, block): print(layout, block.tolist())
    >>> rows = Rows(Printing())
    >>> rows.add(7, 3, [0.0, 4.0, 0.5]); rows.add(7, 3, [1.0, 1.0, 0.25]); rows.flush()
    7 [[0.0, 4.0, 0.5], [1.0, 1.0, 0.25]]
    """

    def __init__(self, writer: Any) -> None:
        self._writer = writer
        self._each = getattr(writer, "durability", "group") != "group"
        self._give_way = getattr(writer, "give_way", None)
        self._soon = 0.0  # when that is due
        self._lock = threading.Lock()  # not held while a row is added
        self.layout = -1
        self.width = 0
        self.numbers: list[Any] = []

    def add(self, layout: int, width: int, row: Sequence[Any]) -> None:
        """Add a row of `width` numbers of a layout, the step first."""
        if layout != self.layout:
            self.begin(layout, width)
        self.numbers.extend([float(number) for number in row])
        if self._each:
            self.flush()
        else:
            self.bound()

    def begin(self, layout: int, width: int) -> None:
        """Hand over what is there; rows of another layout follow."""
        with self._lock:
            self._hand_over()
            self.layout, self.width = layout, width

    def bound(self) -> None:
        """Hand over what is there if it is much, and give way to the writer every 20 ms."""
        if len(self.numbers) >= MOST * self.width:
            self.flush()
        now = time.monotonic()
        if now > self._soon and self._give_way is not None:
            self._soon = now + (_PERIOD if self._give_way() else _PAUSE)

    def flush(self) -> None:
        """Hand over every row that is there."""
        with self._lock:
            self._hand_over()

    def collect(self) -> None:
        """`flush` on the writer's thread, which never waits for the training thread."""
        if self._lock.acquire(blocking=False):
            try:
                self._hand_over()
            finally:
                self._lock.release()

    def _hand_over(self) -> None:
        end = len(self.numbers)
        if not end:
            return
        numbers = self.numbers[:end]
        del self.numbers[:end]
        block = np.array(numbers, np.float64)
        self._writer.rows(self.layout, block.reshape(-1, self.width))
