"""A loop over a known number of elements, cut into vectors of several lengths.

A mask costs much where rows are short. A row of 10 numbers is a vector of 8 and one of 2, where
LLVM would write two vectors of 8, the second with 6 lanes that do nothing and a store through a
mask, which takes as long as many others. Behind a loop over whole vectors the rest of a long row is
written in the same way. Where the turns are few they are no loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from .reading import named, own, renamed

__all__ = ["Cut", "cuts_of", "with_suffix", "written_out"]

COPIED = 120  # lines of turns that are written out, together


class Cut(NamedTuple):
    """A piece of a loop: from one element to another, in vectors of so many."""

    low: int
    high: int
    lanes: int
    is_loop: bool  # or its turns are written out


def cuts_of(low: int, size: int, lanes: int, lines: int) -> list[Cut]:
    """The pieces of a loop over `size` elements in vectors of `lanes`, with `lines` in a turn.

    None where the code would be long.

    >>> [(c.low, c.high, c.lanes) for c in cuts_of(0, 10, 8, 20)]
    [(0, 8, 8), (8, 10, 2)]
    >>> [(c.high, c.lanes, c.is_loop) for c in cuts_of(0, 250, 16, 20)]
    [(240, 16, True), (248, 8, False), (250, 2, False)]
    """
    found: list[Cut] = []
    copies = 0
    while size:
        turns = size // lanes
        if turns:
            is_loop = turns * lines > COPIED
            copies += 1 if is_loop else turns
            found.append(Cut(low, low + turns * lanes, lanes, is_loop))
            low, size = low + turns * lanes, size - turns * lanes
        lanes //= 2
    return found if lines * copies <= COPIED else []


def with_suffix(lines: Sequence[str], suffix: str) -> list[str]:
    """The lines with other names for what they define."""
    names = {name: named(name, suffix) for name in map(own, lines) if name}
    return [renamed(line, names) for line in lines]


def written_out(
    cut: Cut, index: str, turn: Callable[[int], Sequence[str]], carried: Mapping[str, str],
    after: Mapping[str, str],
) -> tuple[list[str], dict[str, str]]:  # fmt: skip
    """The turns of a cut one after the other, and what stands for names behind them.

    `turn(first)` has the lines of the turn from an element on; `index` stands for that in them.
    `carried` is what names of the turn before stand for at first, `after` by which name of a turn
    the next one knows them.
    """
    lines: list[str] = []
    known = dict(carried)
    names: dict[str, str] = {}
    for first in range(cut.low, cut.high, cut.lanes):
        here = turn(first)
        names = {name: named(name, f"at{first}") for name in map(own, here) if name}
        known[index] = str(first)
        lines += [renamed(line, {**known, **names}) for line in here]
        known.update((x, names[y]) for x, y in after.items())
    return lines, {**known, **names}
