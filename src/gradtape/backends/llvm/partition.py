"""Into how many parts the work of a unit is cut, for workers to take: the pass "partition".

A unit is a loop, a product, or a group of them over the same rows. It is cut along one axis, into
parts that take about as long as a hand-off is worth, by an estimate of the work::

    before: loop over 1000000 elements, tanh and a sum       1.0 ms by the estimate
    after:  33 parts of 8 blocks of 4096 elements, a sum for each, added in the parts' order

    before: loop over 200 elements
    after:  1 part, which the caller runs itself

A product over panels is cut along its rows and its columns (`grid`). The number of parts follows
from shapes and operations alone, never from the number of threads or from who is free: so a program
has the same bits on one thread and on many. Which thread takes a part is decided while it runs
(`pool.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from itertools import product
from typing import TYPE_CHECKING

from ... import events
from .library import ARITIES

if TYPE_CHECKING:
    from .fuse import Loop

__all__ = ["MOST_PARTS", "PART_NS", "announce", "cost_of", "grid", "parts_of"]

PART_NS = 30_000.0  # what a part should take at least, in nanoseconds
MOST_PARTS = 64
COPY = 10  # rows of a product that take as long as to copy what they are multiplied by
UNEVEN = 1.03  # a piece of the rows but the last, as against an equal one
LONG = 16  # parts from which on it matters less who had a piece before
PIECES = (1, 2, 4, 8)  # of an axis of a product
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


@cache
def grid(rows: tuple[int, int], columns: tuple[int, int], most: int) -> tuple[int, int]:
    """The steps, in rows and in columns, of at most so many parts of a matrix.

    Each axis is given as its length and a unit of which steps are multiples. A part copies what its
    rows are multiplied by, and fetches its rows, so the best are nearly square; and what two
    threads and four wait for at the end should be short.

    Parts go down the rows first, and the last rows are fewer: of four parts the thread that took
    the second is ready before the other, and takes the third. So each part is written by the same
    core as in the call before, where otherwise it would be in the cache of another one.

    >>> grid((200, 4), (220, 32), 12)
    (104, 128)
    """
    best = 0.0, rows[0], columns[0]
    for down, across in product(PIECES, PIECES):
        if down * across > most or (most < LONG and across > 2 * down):
            continue
        high = _step(rows, down / UNEVEN if down > 1 else 1)
        wide = _step(columns, across)
        heights, widths = _lengths(rows[0], high), _lengths(columns[0], wide)
        costs = [(r + COPY) * (c + COPY) for c, r in product(widths, heights)]
        time = 2 * _time(costs, 2) + _time(costs, 4)
        if not best[0] or time < best[0]:
            best = time, high, wide
    return best[1:]


def _step(axis: tuple[int, int], parts: float) -> int:
    length, unit = axis
    return math.ceil(length / (parts * unit)) * unit


def _lengths(length: int, step: int) -> list[int]:
    return [min(step, length - low) for low in range(0, length, step)]


def _time(costs: Sequence[int], threads: int) -> int:
    """When all are done, where each thread takes the next that nobody has taken."""
    busy = [0] * threads
    for cost in costs:
        busy[busy.index(min(busy))] += cost
    return max(busy)


def announce(names: Sequence[str], parts: Sequence[int]) -> None:
    """Tell listeners what was decided for the units of one native part."""
    if events.listeners:
        before = ", ".join(names)
        after = ", ".join(f"{name}: {n}" for name, n in zip(names, parts, strict=True))
        events.publish("pass", run="partition", before=before, after=after)
