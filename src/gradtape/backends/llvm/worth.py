"""How much of LLVM's time the bodies of loops are worth, by the share of the work that they do.

A program has a few bodies that do nearly all of its work, and many that do nearly nothing, and LLVM
takes as long for each. So bodies say in their text what they are worth: `most` of LLVM's time to
those that do much of the work, `little` to those that together do next to nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["with_worth", "worth_of"]

NOTHING = 0.03  # of the work: what the bodies that are worth little do together
AT_LEAST_NS = 500.0  # or this
MUCH = 0.15  # of the work of a program that takes longer than this
LONG_NS = 5000.0


def worth_of(costs: Mapping[str, float]) -> dict[str, str]:
    """By name "most" and "little", for bodies that take so many nanoseconds; others are neither.

    >>> worth_of({"a": 900_000.0, "b": 80_000.0, "c": 300.0, "d": 100.0})
    {'d': 'little', 'c': 'little', 'a': 'most'}
    """
    total = sum(costs.values())
    worth: dict[str, str] = {}
    done = 0.0
    for name in sorted(costs, key=lambda name: costs[name]):
        done += costs[name]
        if done <= max(NOTHING * total, AT_LEAST_NS):
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
