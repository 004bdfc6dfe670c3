"""When the products of a sweep have to be looked at, so that a cotangent of 0 makes no NaN."""

from __future__ import annotations

from _thread import get_ident
from typing import Any

import numpy as np

from .squares import square_sum

__all__ = ["alerts", "beware", "calm", "note_invalid", "settled"]

# Why a product may be NaN where its cotangent is 0; while this is empty, none is looked at.
# A thread's number: an invalid operation (0 * inf, inf - inf) happened there since it was last
# looked at. The processor notices them for nothing; NumPy hands the news to `note_invalid` (see
# `sweep.hush`). It notices no NaN that was there before. But where no rule drops an entry, such a
# NaN is in the result too; so the number negated says that the thread's sweep has passed a rule
# that does (`where`, an index), and looks at every product until its end.
alerts: set[int] = set()


def note_invalid(_kind: str, _flag: int) -> None:
    """Called by NumPy after a computation in which an invalid operation happened."""
    alerts.add(get_ident())


def beware() -> None:
    """Look at every product of this thread's sweep from here on: an entry was dropped."""
    alerts.add(-get_ident())


def calm() -> None:
    """At the end of a sweep: in the next one nothing was dropped yet, and nothing was invalid."""
    if alerts:
        alerts.difference_update((get_ident(), -get_ident()))


def settled(gi: Any, g: Any) -> Any:
    """The product `gi`, with 0 where the cotangent `g` is exactly 0, if there is a NaN in it.

    0 times an infinite partial is NaN; a branch that is not taken must not say so. Called where
    there is an alert, and where a block of a large partial is not finite.
    """
    alerts.discard(get_ident())
    if type(gi) is np.ndarray:
        if gi.flags.c_contiguous:
            total = square_sum(gi.reshape(-1))
        else:
            total = np.add.reduce(gi, None)
        if total == total:
            return gi
        return np.where(np.equal(g, 0), gi.dtype.type(0), gi)
    if gi == gi or g != 0:
        return gi
    return type(gi)(0)
