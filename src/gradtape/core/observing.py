"""What a recorder of runs asks of the core: that records keep all values, and word of assignments.

While nobody asks, nothing of this is paid. The short ways of `fast.py` are told to keep what no
rule needs (`on_keep` holds their switches), and `traces`, the list that every assignment looks at
anyway, gets an entry while somebody wants to hear of assignments.
"""

from __future__ import annotations

import weakref
from _thread import allocate_lock
from collections.abc import Callable
from typing import Any

from .state import state, traces

Told = Callable[[Any], None]

compiled: weakref.WeakSet[Any] = weakref.WeakSet()  # compiled functions, whose short way ends
on_keep: list[Callable[[bool], None]] = []  # switches of the closures that make records
recordings = 0  # how many runs are being recorded: compiled functions tell what they see
observers: tuple[Told, ...] = ()  # each is called with a Variable that has been assigned
_lock = allocate_lock()
_keepers = 0


class _Marker:
    """Stands in `traces` while assignments are observed: it is no trace."""

    is_trace = False


_MARKER = _Marker()


def record() -> Callable[[], None]:
    """Have compiled functions tell of their gradients, until the result is called."""
    global recordings
    with _lock:
        recordings += 1
    attend()

    def stop() -> None:
        global recordings
        with _lock:
            recordings -= 1

    return stop


def attend() -> None:
    """Have compiled functions look at their next call: somebody wants to hear of it."""
    for function in list(compiled):
        function.forget()


class _Eager:
    """Whether compiled functions shall run as Python in this thread, if somebody asks that."""

    asked: Callable[[], bool] | None = None
    # told(operation, results, operands, position) of plain results of one that are not finite
    told: Callable[[str, Any, Any, Any], None] | None = None


eager = _Eager()


class _Inspector:
    """What looks at the records of a gradient while a compiled function is traced.

    `look(recorder, targets, sources)` gives (what it says of them, values that are to be told at
    each call); None while nobody asks.
    """

    look: Callable[[Any, Any, Any], tuple[Any, list[Any]]] | None = None


inspector = _Inspector()


class Keeping:
    """Whether records keep operands and results beyond what their rules need."""

    everything = False


def keep_everything(asked: bool) -> None:
    """Ask that records keep every operand and result, or take the request back.

    Requests are counted: records go back to what their rules need when the last one is withdrawn.
    Plain arrays of the user's that no rule needs are kept as they are, not copied.
    """
    global _keepers
    with _lock:
        _keepers += 1 if asked else -1
        wanted = _keepers > 0
        if wanted is not Keeping.everything:
            Keeping.everything = wanted
            for switch in on_keep:
                switch(wanted)


def observe_assignments(told: Told) -> Callable[[], None]:
    """Call `told(variable)` after every assignment to a Variable, until the result is called.

    >>> from gradtape.core.variable import Variable
    >>> seen = []
    >>> stop = observe_assignments(lambda variable: seen.append(float(variable.value)))
    >>> v = Variable(1.0).assign(2.0); stop(); v = v.assign(3.0); seen
    [2.0]
    """
    global observers
    with _lock:
        observers = (*observers, told)
        if _MARKER not in traces:
            traces.append(_MARKER)

    def stop() -> None:
        global observers
        with _lock:
            observers = tuple(one for one in observers if one is not told)
            if not observers and _MARKER in traces:
                traces.remove(_MARKER)

    return stop


def store(variable: Any, value: Any) -> bool:
    """Assign a number and tell the observers; False, with nothing done, while this is traced."""
    tapes = state.tapes
    if tapes and tapes[0].is_trace:
        return False
    variable.value = value
    for told in observers:
        told(variable)
    return True


def tell_assigned(variable: Any) -> None:
    """Tell every observer that `variable` has been assigned."""
    for told in observers:
        told(variable)
