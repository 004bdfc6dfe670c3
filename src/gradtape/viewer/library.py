"""The runs of a shelf, open: readers that all threads share, and one line about each run.

A reader keeps the rows that it has read, so few are kept; the line about a run that is over is
made once and again when its file has changed.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import OrderedDict
from typing import Any

import numpy as np

from ..record.losses import LOST
from ..record.reader import Reader
from ..record.schema import DATABASE
from .shelf import Shelf, Shelved

__all__ = ["Library"]

MOST_READERS = 8
logger = logging.getLogger("gradtape.viewer")


class Library:
    """Readers of the runs that a shelf has. May be used from several threads at once."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self._lock = threading.Lock()
        self._readers: OrderedDict[str, Reader] = OrderedDict()
        self._lines: dict[str, tuple[object, dict[str, Any]]] = {}
        self._best: dict[str, tuple[int, float]] = {}

    def reader(self, run: Shelved) -> Reader:
        """Return the reader of a run, opened if it was not."""
        with self._lock:
            found = self._readers.get(run.id)
            if found is not None:
                self._readers.move_to_end(run.id)
                return found
        opened = Reader(run.path)
        with self._lock:
            found = self._readers.setdefault(run.id, opened)
            self._readers.move_to_end(run.id)
            gone = [] if found is opened else [opened]  # another thread was faster
            if len(self._readers) > MOST_READERS:
                gone.append(self._readers.popitem(last=False)[1])
        for reader in gone:
            reader.close()
        return found

    def forget(self, id: str) -> None:
        """Close the reader of a run: its files are not what they were."""
        with self._lock:
            reader = self._readers.pop(id, None)
        if reader is not None:
            reader.close()

    def close(self) -> None:
        """Close all readers; a question that comes later opens them again."""
        with self._lock:
            gone, self._readers = list(self._readers.values()), OrderedDict()
        for reader in gone:
            reader.close()

    def line(self, run: Shelved) -> dict[str, Any]:
        """Return what the list of runs says of one, with its `version` and `last` step."""
        kept = self._lines.get(run.id)
        seen = _signature(run)
        if kept is not None and kept[1]["status"] != "running" and kept[0] == seen:
            return kept[1]
        try:
            made = self._made(run, None if kept is None else kept[1])
        except Exception as error:  # whatever a damaged or hostile run makes of a reader
            logger.warning("a run could not be read: %s", type(error).__name__)
            self.forget(run.id)
            made = {"id": run.id, "name": run.name, "status": "unreadable", "steps": 0,
                    "created": None, "cost": None, "best": None, "version": -1,
                    "last": None}  # fmt: skip
        made |= {"parent": run.parent, "folder": run.folder}
        self._lines[run.id] = (seen, made)
        return made

    def _made(self, run: Shelved, before: dict[str, Any] | None) -> dict[str, Any]:
        reader = self._readers.get(run.id)
        own = reader is None
        if reader is None:
            reader = Reader(run.path)
        try:
            version, status = reader.version(), reader.status()
            if before is not None and (before["version"], before["status"]) == (version, status):
                return before
            if own and status == "running":  # it will be asked again soon
                with self._lock:
                    own = self._readers.setdefault(run.id, reader) is not reader
            meta = reader.meta()
            cost, best = self.costs(run.id, reader)
            return {
                "id": run.id,
                "name": str(meta.get("name") or run.name),
                "status": status,
                "steps": reader.count(),
                "created": meta.get("created"),
                "cost": cost,
                "best": best,
                "version": version,
                "last": reader.last,
            }
        finally:
            if own:
                reader.close()

    def costs(self, id: str, reader: Reader) -> tuple[float | None, float | None]:
        """Return the last cost and the lowest, None where that is no finite number."""
        if all(column.name != "cost" for column in reader.columns()):
            return None, None
        seen, best = self._best.get(id, (-1, np.inf))
        steps, values = reader.series("cost", seen + 1)
        if not len(steps) and seen < 0:
            return None, None
        finite = values[np.isfinite(values)]
        best = min(best, float(finite.min())) if finite.size else best
        if len(steps):
            self._best[id] = (int(steps[-1]), best)
        last = reader.series("cost", self._best[id][0])[1][-1:]
        cost = float(last[0]) if len(last) and np.isfinite(last[0]) else None
        return cost, best if np.isfinite(best) else None


def _signature(run: Shelved) -> object:
    """What changes when a run is written to again."""
    found = []
    database = run.path / DATABASE if run.path.is_dir() else run.path
    beside = [f"{database}{end}" for end in ("-wal", "-journal")]
    for place in (os.fspath(database), *beside, os.fspath(run.path / LOST)):
        try:
            file = os.stat(place)
            found.append((file.st_mtime_ns, file.st_size, file.st_ino))
        except OSError:
            found.append((0, 0, 0))
    return tuple(found)
