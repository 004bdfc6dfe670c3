"""How much of LLVM's time the bodies of loops are worth, by the share of the work that they do.

A program has a few bodies that do nearly all of its work, and many that do nearly nothing, and LLVM
takes as long for each. So bodies say in their text what they are worth: `most` of LLVM's time to
those that do much of the work, `little` to those of which together it costs next to nothing that
they stay as they are: a loop over vectors then takes about three times as long, and a tile, whose
sums do not stay in registers, ten times.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

__all__ = ["with_worth", "worth_of"]

NOTHING = 0.02  # of the work: what it costs together that bodies are worth little
AT_LEAST_NS = 1000.0  # or this
LOST = {"loop": 2.0, "tile": 9.0}  # of a body's work, where it stays as it is
MUCH = 0.15  # of the work of a program that takes longer than this
LONG_NS = 5000.0


def worth_of(costs: Mapping[str, float], tiles: Collection[str] = ()) -> dict[str, str]:
    """By name "most" and "little", for bodies that take so many nanoseconds; others are neither.

    `tiles` are the names of those that are no loops but products.

    >>> worth_of({"a": 900_000.0, "b": 80_000.0, "c": 300.0, "d": 100.0})
    {'d': 'little', 'c': 'little', 'a': 'most'}
    """
    total = sum(costs.values())
    loss = {name: cost * LOST["tile" if name in tiles else "loop"] for name, cost in costs.items()}
    worth: dict[str, str] = {}
    lost = 0.0
    for name in sorted(costs, key=lambda name: loss[name]):
        lost += loss[name]
        if lost <= max(NOTHING * total, AT_LEAST_NS):
            worth[name] = "little"
        elif total > LONG_NS and costs[name] > MUCH * total:
            worth[name] = "most"
    return worth


def with_worth(lines: Sequence[str], worth: Mapping[str, str]) -> list[str]:
    """The lines of a module whose functions say what they are worth."""
    found = []
    for line in lines:
        name = line.split('"', 2)[1] if line.startswith("define ") and '"' in line else ""
        found.append(f'{line} "gt.work"="{worth[name]}"' if name in worth else line)
    return found
