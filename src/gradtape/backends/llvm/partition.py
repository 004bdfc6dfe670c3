"""Into how many parts the work of a unit is cut, for workers to take: the pass "partition".

A unit is a loop, a product, or a group of them over the same rows. It is cut along one axis, into
parts that take about as long as a hand-off is worth, by an estimate of the work::

    before: loop over 1000000 elements, tanh and a sum       1.0 ms by the estimate
    after:  33 parts of 8 blocks of 4096 elements, a sum for each, added in the parts' order

    before: loop over 200 elements
    after:  1 part, which the caller runs itself

The number of parts follows from shapes and operations alone, never from the number of threads or
from who is free: so a program has the same bits on one thread and on many. Which thread takes a
part is decided while it runs (`pool.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

from ... import events
from .fuse import Loop
from .library import ARITIES

__all__ = ["MOST_PARTS", "PART_NS", "announce", "cost_of", "parts_of"]

PART_NS = 30_000.0  # what a part should take at least, in nanoseconds
MOST_PARTS = 64
_CHEAP, _COSTLY = 0.1, 0.8  # nanoseconds of a word of the vocabulary, by an estimate


def cost_of(loop: Loop) -> float:
    """The nanoseconds that a loop takes, by an estimate."""
    cost = sum(
        _COSTLY if node.op.name in ARITIES or node.op.name == "power_of_number" else _CHEAP
        for node in loop.nodes
    ) + _CHEAP * (1 + len(loop.sums))
    return loop.size * cost


def parts_of(cost: float, length: int) -> int:
    """The parts into which work of so many nanoseconds along an axis of a length is cut.

    >>> parts_of(900_000.0, 1_000_000), parts_of(900_000.0, 8), parts_of(100.0, 200)
    (30, 8, 1)
    """
    return max(1, min(int(cost / PART_NS), length, MOST_PARTS))


def announce(names: Sequence[str], parts: Sequence[int]) -> None:
    """Tell listeners what was decided for the units of one native part."""
    if events.listeners:
        before = ", ".join(names)
        after = ", ".join(f"{name}: {n}" for name, n in zip(names, parts, strict=True))
        events.publish("pass", run="partition", before=before, after=after)
