"""Rows: one row of float64 a step, gathered in blocks, handed to the writer a block at a time.

The training thread packs a row into the block and counts it; the writer's thread takes what has
been counted and not yet handed over at each of its ticks, so that a slow loop is seen at once.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["Rows"]

# Rows of a block: more than a fast loop makes between two ticks of the writer's thread, so that it
# commits at its ticks, and not whenever a block is full.
MOST = 4096


class Rows:
    """The rows that are not yet handed over.

    Attributes
    ----------
    layout, width : int
        Of the rows of the block; -1 before there is one.
    buffer, pack, count
        Where row `count` is packed to, and what packs it.

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
        self._lock = threading.Lock()  # not held while a row is packed
        self.layout = -1
        self.width = 0
        self.pack: Any = None
        self.buffer = bytearray()
        self.count = 0
        self.done = 0  # rows of the block that have been handed over

    def add(self, layout: int, width: int, row: Sequence[Any]) -> None:
        """Add a row of `width` numbers of a layout, the step first."""
        if layout != self.layout or self.count == MOST:
            self.begin(layout, width)
        self.pack(self.buffer, self.count * 8 * width, *row)
        self.count += 1
        if self._each:
            self.flush()

    def begin(self, layout: int, width: int) -> None:
        """Hand over what is there, and begin a block."""
        with self._lock:
            self._hand_over()
            if layout != self.layout:
                self.pack = struct.Struct(f"<{width}d").pack_into
            self.layout, self.width = layout, width
            self.buffer = bytearray(8 * width * MOST)
            self.count = self.done = 0

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
        first, end = self.done, self.count
        if first == end:
            return
        width = 8 * self.width
        if first == 0 and end == MOST:
            block = np.frombuffer(self.buffer, np.float64)
        else:
            view = memoryview(self.buffer)
            block = np.frombuffer(bytes(view[first * width : end * width]), np.float64)
        self.done = end
        self._writer.rows(self.layout, block.reshape(end - first, self.width))
