"""Endings: how a recorded block ended, from the exception that left it."""

from __future__ import annotations

import contextlib
import os
import traceback
from pathlib import Path
from typing import Any

__all__ = ["bytes_of", "exception_of", "status_of"]

_OURS = str(Path(__file__).parents[1])


def status_of(error: BaseException | None) -> str:
    """How a run ends that this ended.

    >>> status_of(None), status_of(KeyboardInterrupt()), status_of(ValueError("no"))
    ('finished', 'stopped', 'failed')
    """
    if error is None or (isinstance(error, SystemExit) and not error.code):
        return "finished"
    is_stop = isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit)
    return "stopped" if is_stop else "failed"


def exception_of(error: BaseException) -> dict[str, Any]:
    """The event of an exception: type, message, traceback, and the user's innermost line."""
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    theirs = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(_OURS)
    ]
    place = theirs[-1] if theirs else None
    return {
        "type": type(error).__name__, "message": str(error), "traceback": "".join(lines),
        "file": place.filename if place else None, "line": place.lineno if place else None,
    }  # fmt: skip


def bytes_of(folder: Path) -> int:
    """How large the files in a folder are together."""
    total = 0
    with contextlib.suppress(OSError):
        total = sum(entry.stat().st_size for entry in os.scandir(folder) if entry.is_file())
    return total
