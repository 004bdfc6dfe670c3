"""What becomes of writers when the process forks: the child never touches what it inherited.

SQLite forbids carrying a connection across a fork, even to close it. So in the child the
connection is left alone for ever, the copy of the lock's file is closed (which leaves the parent's
lock), and the first write opens a run of the child's own, `RUN/fork-PID`: two processes cannot
write one run. While a thread is inside SQLite no fork happens, so that the child finds none of its
mutexes taken.
"""

from __future__ import annotations

import ctypes
import os
import sys
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .writer import Writer

__all__ = ["at_end_of_child", "register"]

_writers: weakref.WeakSet[Writer] = weakref.WeakSet()


def register(writer: Writer) -> None:
    """Have a writer told of forks."""
    _writers.add(writer)


def at_end_of_child(writer: Writer) -> None:
    """Close the run when a child of multiprocessing ends, which runs no atexit functions."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.Finalize(None, writer.close, args=("stopped",), exitpriority=10)


def _before() -> None:
    for writer in list(_writers):
        writer._working.acquire()


def _after_in_parent() -> None:
    for writer in list(_writers):
        if writer._working.locked():
            writer._working.release()


def _after_in_child() -> None:
    for writer in list(_writers):
        transactions, lock, closing = writer._transactions, writer._lock, writer._closing
        was_open = writer._thread is not None
        parent = str(writer.folder)
        writer._reset()
        writer._last = dict(writer._last)
        if transactions is not None and was_open:
            # One reference that nobody gives back: closing it would take the parent's journal away.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(transactions.connection))
            transactions.segments.close()
        if lock is not None and was_open:
            lock.forget()
        writer._closing = closing
        writer._forked_from = parent if was_open and closing is None else None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
    )
