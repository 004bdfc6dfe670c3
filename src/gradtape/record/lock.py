"""The lock of a run: held by the one process that writes it, released by its death.

The system holds it (flock, or a locked byte on Windows), so a run whose writer was killed is free
at once, and no file has to be cleaned away before. An flock belongs to the open file: a reader in
the same process that looks at it takes nothing away, and a forked child gives up its copy.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import sys
import time
from pathlib import Path

from ..errors import RecordError, three_part
from .schema import DATABASE, LOCK

__all__ = ["Lock", "free_folder", "is_held"]

_TRIES, _PAUSE = 20, 0.01  # whoever asks whether it is held holds it for a moment


if sys.platform == "win32":
    import msvcrt

    def _take(file: int) -> bool | None:
        """Lock an open file: True if it is ours, False if another's, None if it cannot be."""
        try:
            os.lseek(file, 1 << 20, os.SEEK_SET)  # beyond the text, which stays readable
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _take(file: int) -> bool | None:
        """Lock an open file: True if it is ours, False if another's, None if it cannot be."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a filesystem without locks
            return None
        return True


class Lock:
    """The lock of a run's folder, taken when it is made.

    Raises RecordError if another process holds it, or another writer of this one. On a filesystem
    without locks the file itself has to do: it must not be there, and after a kill it stays.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOCK
        was_there = self.path.exists()
        self._file: int | None = os.open(self.path, os.O_RDWR | os.O_CREAT | _CLOSED, 0o644)
        for _ in range(_TRIES):
            taken = _take(self._file)
            if taken or (taken is None and not was_there):
                break
            time.sleep(_PAUSE)
        else:
            holder = _holder(self.path)
            self.forget()
            raise RecordError(
                three_part(
                    f"Recording: {folder} is being written already.",
                    f"{holder} holds its lock; a run has one writer.",
                    "Give this run a folder of its own, or end the other process.",
                )
            )
        os.ftruncate(self._file, 0)
        os.write(
            self._file, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode()
        )

    def forget(self) -> None:
        """Close this process's copy; in a forked child, the parent's lock stays."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def release(self) -> None:
        """Give the lock up and remove its file."""
        if self._file is not None:
            if sys.platform != "win32":
                self.path.unlink(missing_ok=True)
                self.forget()
            else:
                self.forget()
                with contextlib.suppress(OSError):
                    self.path.unlink(missing_ok=True)


_CLOSED = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def _holder(path: Path) -> str:
    try:
        known = json.loads(path.read_text()[:1000])
        return f"Process {int(known['pid'])} on {str(known['host'])[:80]}"
    except (OSError, ValueError, KeyError, TypeError):
        return "Another process"


def is_held(folder: Path) -> bool:
    """Whether a process writes the run in a folder just now."""
    try:
        file = os.open(folder / LOCK, os.O_RDONLY | _CLOSED)
    except OSError:
        return False
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            return False
        return not _take(file)  # closing it gives it up again; where there are no locks, it is held
    finally:
        os.close(file)


def free_folder(folder: str | os.PathLike[str]) -> Path:
    """Return the folder, or, if it holds a run, the first of folder-2, folder-3, ... that does not.

    >>> free_folder("no such folder").name
    'no such folder'
    """
    path, number = Path(folder), 2
    while (path / DATABASE).exists():
        path = Path(folder).with_name(f"{Path(folder).name}-{number}")
        number += 1
    return path
