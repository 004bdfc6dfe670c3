"""Looking at values as they are put into Tensors: one mechanism for all that stop at NaN.

While no thread asks, nothing of this runs: `Tensor.value` is a slot. While one does, it is a
property that shows what is put there, and the frame that puts it, to those who asked in this
thread.
"""

from __future__ import annotations

import contextlib
import sys
from _thread import _local, allocate_lock
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from .tensor import Tensor

__all__ = ["Looker"]

_slot: Any = vars(Tensor)["value"]
_lock = allocate_lock()
_lookers: tuple[Looker, ...] = ()  # that some thread asks, those of subclasses first


class Looker:
    """Somebody who looks at results, for the threads that ask.

    Parameters
    ----------
    kind : type
        The class of Tensors that are looked at, with its subclasses.
    look : callable
        `look(tensor, value, frame)`; it may raise.
    switch : callable, optional
        Called with True when the first thread asks, with False when the last has ended.

    Examples
    --------
    >>> import numpy as np, gradtape as gt
    >>> seen = []
    >>> looker = Looker(Tensor, lambda tensor, value, frame: seen.append(float(value)))
    >>> looker.ask(True); y = np.exp(gt.Tensor(0.0)); looker.ask(False); seen
    [0.0, 1.0]
    """

    def __init__(
        self,
        kind: type[Tensor],
        look: Callable[[Any, Any, FrameType], None],
        switch: Callable[[bool], object] = lambda on: None,
    ) -> None:
        self.kind, self.look, self._switch = kind, look, switch
        self._thread = _Thread()
        self._asking = 0

    @property
    def is_asked(self) -> bool:
        """Whether this thread asks."""
        return self._thread.asks

    @property
    def is_wanted(self) -> bool:
        """Whether this thread asks, and no message is being written."""
        return self._asking > 0 and self._thread.asks and not self._thread.inside

    @contextlib.contextmanager
    def apart(self) -> Iterator[None]:
        """Look at nothing in this thread meanwhile: a message is written."""
        self._thread.inside = True
        try:
            yield
        finally:
            self._thread.inside = False

    def ask(self, on: bool) -> None:
        """Start or stop looking, for this thread."""
        if self._thread.asks is on:
            return
        with _lock:
            self._thread.asks = on
            self._asking += 1 if on else -1
            if self._asking == on:  # the first, or none any more
                _attend(self, on)
                self._switch(on)


class _Thread(_local):
    asks = False
    inside = False


def _attend(looker: Looker, on: bool) -> None:
    """Have a looker see what is put into Tensors, or no longer."""
    global _lookers
    others = [one for one in _lookers if one is not looker] + [looker] * on
    _lookers = tuple(sorted(others, key=lambda one: -len(one.kind.__mro__)))
    setattr(Tensor, "value", property(_slot.__get__, _put) if _lookers else _slot)  # noqa: B010


def _put(tensor: Any, value: Any) -> None:
    _slot.__set__(tensor, value)
    for looker in _lookers:
        if looker.is_wanted and isinstance(tensor, looker.kind):
            looker.look(tensor, value, sys._getframe(1))
