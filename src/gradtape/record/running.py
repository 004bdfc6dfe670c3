"""Running: the step that is running, as a capture knows it, and who holds it.

In the usual loop it is held by the one function that serves all steps (`quick.py`). Whoever asks
for it here takes it back, and sees it as it is; the next gradient then goes the long way, at the
end of which it is handed over again.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np

from .calls import Call
from .quick import Quick
from .steps import Steps

__all__ = ["Part", "Running"]


class Part:
    """What one gradient call adds to the row of a step."""

    __slots__ = ("call", "cost", "entries", "keys", "owns", "updates", "values")

    def __init__(self, call: Call, cost: Any, entries: list[Any], values: Any, updates: Any):
        self.call, self.cost, self.entries = call, cost, entries
        self.values, self.updates = values, updates
        self.keys: tuple[int, ...] = ()  # of the targets
        self.owns = True  # the cost, which no other call of this step has asked before


class Running:
    """The step of the loop of one thread."""

    def __init__(self, thread: int) -> None:
        self.thread = thread
        self._holder: Quick | None = None  # what holds the step
        self._ready: Quick | None = None  # what may hold it when this gradient has been looked at
        self._watcher: Quick | None = None  # what is told of gradients first
        self._steps = Steps()
        self._parts: list[Part] = []
        self._logged: dict[str, float] = {}
        self._moment = time.perf_counter()
        self._took = 0.0
        # what Variables held before a compiled function that has assigned them since
        self.committed: dict[int, Any] = {}

    @property
    def steps(self) -> Steps:
        """Which step it is. Asking for this or the next four takes it from `quick`."""
        if self._holder is not None:
            self._take_back()
        return self._steps

    @property
    def parts(self) -> list[Part]:
        """Its gradient calls."""
        if self._holder is not None:
            self._take_back()
        return self._parts

    @property
    def logged(self) -> dict[str, float]:
        """What the user has logged in it."""
        if self._holder is not None:
            self._take_back()
        return self._logged

    @property
    def took(self) -> float:
        """Seconds from the gradient of the step before to that of this one."""
        if self._holder is not None:
            self._take_back()
        return self._took

    @took.setter
    def took(self, seconds: float) -> None:
        self._took = seconds

    @property
    def moment(self) -> float:
        """When its gradient was asked for."""
        if self._holder is not None:
            self._take_back()
        return self._moment

    @moment.setter
    def moment(self, moment: float) -> None:
        self._moment = moment

    def _hand_over(self, call: Call) -> None:
        """Have `quick` hold the step from now on, if it is nothing but one call, of numbers."""
        ready, parts = self._ready, self._parts
        if ready is None or self._watcher is not ready or self._logged or len(parts) != 1:
            return
        part, is_known = parts[0], call.quick.get(self._steps.is_explicit) is ready
        if part.call is call and is_known and isinstance(part.cost, np.floating):
            ready.hold(self._steps.number, self._took, part, self._moment, self._steps.last)
            self._holder = ready

    def _take_back(self) -> None:
        """Have `quick` hold it no longer."""
        held = self._holder
        if held is None:
            return
        row, moment, last = held.give()
        self._steps.number = row[0]
        if threading.get_ident() != self.thread:  # the loop's own thread does it at its next step
            return
        self._holder = None
        self._steps.last = last
        self._took, self._moment = row[2], moment
        part = self._parts[0]
        part.cost, part.entries = row[1], list(row[3:])
        self._steps.changed.clear()  # of all the steps that were held
        self._see_changes()

    def _see_changes(self) -> None:
        """Find what has been assigned since its gradient: a new object is a new value."""
        for part in self._parts:
            variables = part.call.sources or ()
            for variable, value in zip(variables, part.entries, strict=False):
                if variable.value is not value and not self._held(variable, value):
                    self._steps.changed.add(variable.key)

    def _held(self, variable: Any, value: Any) -> bool:
        """Whether a Variable that a compiled call has assigned held a value before it."""
        known = variable.key in self.committed
        return known and np.array_equal(self.committed[variable.key], value, equal_nan=True)
