"""Which runs there are below a folder, and by which id a browser may ask for each.

A run is a folder, or the file that `gradtape pack` has made of one. A browser never names a path:
it names an id, the digest of a run's real path, and only ids that a scan of the folder has found
mean anything. What a symbolic link leads to outside the folder is not found, neither as a run nor
as one of the files of a run.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..record.pack import SUFFIX
from ..record.schema import DATABASE

__all__ = ["Shelf", "Shelved", "run_id"]

ID = re.compile(r"[0-9a-f]{12}")
MEMBER = re.compile(r"run\.db(-wal|-shm|-journal)?|arrays-\d{1,9}\.bin")

DEPTH = 6
MOST_RUNS, MOST_ENTRIES = 2_000, 100_000
"""A folder is searched this deep, for so many runs, over so many entries."""

FRESH = 1.0
"""Seconds for which a scan is good."""


@dataclass(frozen=True)
class Shelved:
    """A run that was found.

    Attributes
    ----------
    id : str
        What a browser calls it: 12 hexadecimal digits, those of its Reader.
    path : Path
        The folder, or the file that it was packed into.
    name : str
        Its name.
    folder : str
        The folder in which it lies, relative to the one that is looked at; "" for that itself.
    parent : str or None
        The id of the run in whose folder it lies: what a forked process has recorded.
    """

    id: str
    path: Path
    name: str
    folder: str
    parent: str | None = None


def run_id(path: str | os.PathLike[str]) -> str:
    """Return the id of the run in a folder: the same wherever the server was started."""
    real = os.path.realpath(path).encode("utf-8", "surrogateescape")
    return hashlib.blake2b(real, digest_size=6).hexdigest()


class Shelf:
    """The runs in or below a folder, found again when the last look is a second old.

    Parameters
    ----------
    root : path
        A run, packed or not, or a folder with runs in it.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(os.path.realpath(root))
        self._lock = threading.Lock()
        self._found: dict[str, Shelved] = {}
        self._until = 0.0

    def runs(self) -> list[Shelved]:
        """Return the runs there are, by path."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._found = {run.id: run for run in self._scan()}
                self._until = time.monotonic() + FRESH
            return list(self._found.values())

    def find(self, id: str) -> Shelved | None:
        """Return the run of this id, if there is one and its files lie where they should."""
        if not ID.fullmatch(id):
            return None
        found = self._found.get(id) or {run.id: run for run in self.runs()}.get(id)
        return found if found is not None and self._is_run(found.path) else None

    def _scan(self) -> Iterator[Shelved]:
        entries = runs = 0
        folders: list[tuple[Path, int, str | None]] = []
        if self._is_run(self.root):
            yield Shelved(run_id(self.root), self.root, self.root.name, "")
            folders.append((self.root, DEPTH - 1, run_id(self.root)))
        else:
            folders.append((self.root, 0, None))
        while folders:
            folder, depth, parent = folders.pop()
            try:
                below = sorted(os.scandir(folder), key=lambda entry: entry.name, reverse=True)
            except OSError:
                continue
            for entry in below:
                entries += 1
                if entries > MOST_ENTRIES or runs >= MOST_RUNS:
                    return
                path = Path(entry.path)
                if entry.name.startswith(".") or not self._is_inside(path):
                    continue
                if self._is_run(path):
                    runs += 1
                    where = os.path.relpath(folder, self.root)
                    name = path.name.removesuffix(SUFFIX)
                    found = Shelved(run_id(path), path, name, "" if where == "." else where, parent)
                    yield found
                    if parent is None and entry.is_dir() and not entry.is_symlink():
                        folders.append((path, DEPTH - 1, found.id))
                elif not entry.is_dir():
                    continue
                elif depth + 1 < DEPTH and not entry.is_symlink():
                    folders.append((path, depth + 1, None))

    def _is_run(self, path: Path) -> bool:
        try:
            if path.suffix == SUFFIX and path.is_file():
                return self._is_inside(path)
            if not (path / DATABASE).is_file():
                return False
            names = [entry.name for entry in os.scandir(path) if MEMBER.fullmatch(entry.name)]
        except OSError:
            return False
        return all(self._is_inside(path / name) for name in names)

    def _is_inside(self, path: Path) -> bool:
        real = os.path.realpath(path)
        return real == str(self.root) or real.startswith(os.path.join(str(self.root), ""))
