"""Code that is made with care while the program runs already.

A first call waits for LLVM, which takes a third of the time where it takes little care of the code
(`pieces.py` says of which it may). What is called again is worth the rest: a thread makes those
modules once more, and the builtin of the segment calls them from then on. Both have the same bits.

The thread ends when nothing waits for it. Before a fork and at the end of the process LLVM is
waited for, at most for one module.
"""

from __future__ import annotations

import _thread
import atexit
import contextlib
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from . import making

__all__ = ["ask", "do", "finish"]

PATIENCE = 1.0  # seconds that it waits for programs that are being made


class Improvable(Protocol):
    """What is made in haste at first."""

    @property
    def is_hasty(self) -> bool: ...

    def improve(self, is_wanted: Callable[[], bool], /) -> None: ...


_waiting: deque[weakref.ref[Any]] = deque()
_state = threading.Lock()  # around `_is_running`
_making = threading.Lock()  # while code is made
_is_running = False
_is_closed = False


def ask(one: Improvable) -> None:
    """Have the code of `one` made with care soon, if it is still there then."""
    _waiting.append(weakref.ref(one))
    _start()


def do(one: Improvable) -> None:
    """Have the code of `one` made with care now, unless it has been."""
    with _making:
        _improve(one)


def _improve(one: Improvable | None) -> None:
    """What LLVM cannot make with care stays as it is: it is right as well."""
    with contextlib.suppress(Exception):
        if one is not None and one.is_hasty:
            one.improve(lambda: not _is_closed)


def finish() -> None:
    """Wait until nothing waits any more; for tests and measurements."""
    while _waiting or _is_running:
        _start()
        time.sleep(0.001)


def _start() -> None:
    global _is_running
    with _state:
        if _is_running or _is_closed:
            return
        _is_running = True
    try:
        _thread.start_new_thread(_work, ())
    except RuntimeError:  # no threads here: the code stays as it is
        _is_running = False
        _waiting.clear()


def _work() -> None:
    global _is_running
    while True:
        making.give_way(PATIENCE)
        with _making:  # a fork finds each one either here or there
            if _waiting:
                _improve(_waiting.popleft()())
        with _state:
            if not _waiting or _is_closed:
                _is_running = False
                return


def _close() -> None:
    global _is_closed
    _is_closed = True
    with _making:  # LLVM is not there any more when the process has ended
        pass


def _in_child() -> None:
    global _state, _making, _is_running
    _state, _making, _is_running = threading.Lock(), threading.Lock(), False
    if _waiting:
        _start()


atexit.register(_close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=lambda: _making.acquire(), after_in_parent=lambda: _making.release(),
        after_in_child=_in_child,
    )  # fmt: skip
