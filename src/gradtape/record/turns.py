"""Turns: a training thread that computes lets the writer's thread have its turn.

A thread that computes with NumPy gives up the GIL with every call, and has it back before one that
waits for it is awake: the writer would wait for long, and each of these calls would wake it, at the
price of microseconds. While the training thread waits here, a round of the writer takes a fraction
of a millisecond. Where it takes longer the disk is slow, and the training thread goes on.
"""

from __future__ import annotations

import threading
import time

__all__ = ["Turns"]

_SECONDS = 0.005
_LATELY = 0.1


class Turns:
    """What a thread that gives way waits for; its methods but `wait` need the writer's lock."""

    def __init__(self) -> None:
        self._turn: threading.Lock | None = None
        self._given = -_LATELY  # when one was given last

    @property
    def is_given(self) -> bool:
        """Whether somebody waits."""
        return self._turn is not None

    def are_given(self, now: float) -> bool:
        """Whether somebody has given way lately, and so will again."""
        return now - self._given < _LATELY

    def give(self) -> threading.Lock:
        """A turn that has begun."""
        turn = self._turn = threading.Lock()
        turn.acquire()
        self._given = time.monotonic()
        return turn

    def end(self) -> None:
        """The writer has done its round."""
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.release()

    def wait(self, turn: threading.Lock) -> bool:
        """Wait for the end of a turn; whether it has come in time."""
        done = turn.acquire(timeout=_SECONDS)
        if not done and self._turn is turn:
            self._turn = None
        return done
