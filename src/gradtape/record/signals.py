"""SIGTERM: a process that is asked to end commits what it has recorded, and ends.

Only where nobody handles the signal already, and only from the main thread, the one that can.
"""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .writer import Writer

__all__ = ["forget", "watch"]

_writers: list[Writer] = []


def watch(writer: Writer) -> None:
    """Have a writer closed as stopped when SIGTERM comes."""
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _end)
    _writers.append(writer)


def forget(writer: Writer) -> None:
    """Stop watching for a writer; with the last one the signal is as it was."""
    if writer in _writers:
        _writers.remove(writer)
    is_main = threading.current_thread() is threading.main_thread()
    if not _writers and is_main and signal.getsignal(signal.SIGTERM) is _end:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _end(number: int, frame: FrameType | None) -> None:
    for writer in list(_writers):
        writer.close("stopped")
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
