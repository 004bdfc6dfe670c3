"""The columns of a run in memory, so that a pan or a zoom over a million steps reads no file.

A run is only ever appended to: what was read stays, and a new request reads the steps since.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Columns"]

Array = NDArray[np.float64]

MOST_NUMBERS = 48_000_000
"""Numbers of one run that are kept: 384 MB. Columns asked for longest ago make room."""


class Columns:
    """The columns of one run that have been asked for.

    Holds no reader: each call brings the reader of its own thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, tuple[Array, Array]] = {}

    def series(self, reader: Any, names: Sequence[str]) -> list[tuple[Array, Array]]:
        """Return steps and values, (n,) each, for every name, up to the last step there is.

        A name that the run does not have is a KeyError.
        """
        with self._lock:
            last = reader.last
            missing = [name for name in dict.fromkeys(names) if name not in self._held]
            if missing:
                self._read(reader, missing, None)
            old: dict[float, list[str]] = {}
            for name in dict.fromkeys(names):
                steps = self._held[name][0]
                if last is not None and (not len(steps) or steps[-1] < last):
                    old.setdefault(float(steps[-1]) if len(steps) else -1.0, []).append(name)
            for end, stale in old.items():
                self._read(reader, stale, int(end) + 1)
            for name in names:  # the last that was asked for is the last to go
                self._held[name] = self._held.pop(name)
            found = [self._held[name] for name in names]
            self._make_room()
            return found

    def _read(self, reader: Any, names: list[str], start: int | None) -> None:
        steps, matrix = reader.table(names, start, None)
        steps = np.asarray(steps, np.float64)
        order = None
        if len(steps) > 1 and not np.all(np.diff(steps) > 0):
            order = np.unique(steps, return_index=True)[1]
            steps = steps[order]
        for i, name in enumerate(names):
            values = np.array(matrix[:, i] if order is None else matrix[order, i], np.float64)
            if start is not None:
                before = self._held[name]
                self._held[name] = (
                    np.concatenate([before[0], steps]),
                    np.concatenate([before[1], values]),
                )
            else:
                self._held[name] = (steps, values)

    def _make_room(self) -> None:
        held = sum(len(values) for _, values in self._held.values())
        for name in list(self._held)[:-1]:
            if held <= MOST_NUMBERS:
                return
            held -= len(self._held.pop(name)[1])
