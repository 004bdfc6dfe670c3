"""Losses: what a run could not write, said in the run or, where nothing can be written, beside it.

A writer counts what it loses and says so in the database (`lost` in meta). On a disk that is full
from the first write on not even that can be committed. A file without content needs no room: so
`run.lost` stands beside the database for as long as the database does not have the count, and
holds what is known if there is room for that.
"""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import GradtapeError
from .schema import decode, encode, plain

__all__ = ["LOST", "Lost", "lost_of", "mark", "marked", "unmark"]

LOST = "run.lost"
_MOST = 4096


@dataclass(frozen=True)
class Lost:
    """What a run could not write; `str` of it is a sentence without its full stop.

    Attributes
    ----------
    count : int or None
        How many records; None where the run could not even write that.
    error : str
        What the last write failed with; "" where it is not known.

    Examples
    --------
    >>> print(Lost(3, "disk I/O error"))
    3 records could not be written (disk I/O error)
    """

    count: int | None
    error: str

    def __str__(self) -> str:
        many = (
            "some records"
            if self.count is None
            else f"{self.count} record{'s' * (self.count != 1)}"
        )
        return f"{many} could not be written{f' ({self.error})' if self.error else ''}"


def lost_of(value: Any) -> Lost:
    """What is said of losses in a run, which may hold anything there."""
    known = value if isinstance(value, dict) else {}
    count, error = known.get("count"), known.get("error")
    return Lost(
        count if type(count) is int and count > 0 else None,
        plain(error)[:200] if isinstance(error, str) else "",
    )


def mark(folder: Path, lost: dict[str, Any]) -> None:
    """Say beside the database of a run that something is lost, as much as there is room for."""
    with contextlib.suppress(OSError), open(folder / LOST, "wb", buffering=0) as file:
        file.write(encode(lost).encode()[:_MOST])


def unmark(folder: Path) -> None:
    """Take away what `mark` has left: the database has it now."""
    with contextlib.suppress(OSError):
        (folder / LOST).unlink(missing_ok=True)


def marked(folder: Path) -> Lost | None:
    """What stands beside the database of a run; None where nothing does."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        file = os.open(folder / LOST, flags)
    except OSError:
        return None
    with os.fdopen(file, "rb", buffering=0) as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            return None
        text = stream.read(_MOST) or b""
    try:
        return lost_of(decode(text.decode(), LOST))
    except (GradtapeError, ValueError):  # there was no room for it
        return lost_of(None)
