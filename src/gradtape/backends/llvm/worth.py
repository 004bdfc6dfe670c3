"""How much of LLVM's time the bodies of loops are worth, by the share of the work that they do.

A program has a few bodies that do nearly all of its work, and many that do nearly nothing, and LLVM
takes as long for each. So bodies say in their text what they are worth: `most` of LLVM's time to
those that do much of the work, `little` to those of which together it costs next to nothing that
they stay as they are: a loop over vectors then takes about three times as long, and a tile, whose
sums do not stay in registers, ten times.

What is worth more is compiled without much care too, for the first calls, and again while they run
(`later.py`): that takes LLVM a third of the time. Bodies of which one such call would lose more
than that spares are told apart. A program that takes microseconds says so: its first calls run over
single elements, which is half of the code again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

__all__ = ["is_brief", "long_of", "says_brief", "with_worth", "worth_of"]

NOTHING = 0.02  # of the work: what it costs together that bodies are worth little
AT_LEAST_NS = 1000.0  # or this
LOST = {"loop": 2.0, "tile": 9.0}  # of a body's work, where it stays as it is
MUCH = 0.15  # of the work of a program that takes longer than this
LONG_NS = 5000.0
# What a call may lose by one body that LLVM took no care of: less than what LLVM takes for that.
SPARED_NS = 6_000_000.0
SINGLE = 15.0  # of a program's work, over single elements and without care
BRIEF_NS = 1_000_000.0  # what a call may lose by that: half of what is spared by six loops
_BRIEF = '"gt.run"="brief"'


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


def long_of(costs: Mapping[str, float], tiles: Collection[str] = ()) -> set[str]:
    """The bodies of which one call takes long where LLVM has taken no care of them.

    >>> sorted(long_of({"a": 4_000_000.0, "b": 900_000.0, "c": 900_000.0}, tiles=["b"]))
    ['a', 'b']
    """
    return {
        name for name, cost in costs.items()
        if cost * LOST["tile" if name in tiles else "loop"] > SPARED_NS
    }  # fmt: skip


def is_brief(costs: Mapping[str, float]) -> bool:
    """Whether a program is worth no vectors at first.

    >>> is_brief({"a": 8_000.0, "b": 900.0}), is_brief({"a": 60_000.0, "b": 9_000.0})
    (True, False)
    """
    return sum(costs.values()) * SINGLE < BRIEF_NS


def says_brief(text: str) -> bool:
    """Whether a module's text says that of its kernel."""
    return _BRIEF in text


def with_worth(
    lines: Sequence[str], worth: Mapping[str, str], long: Collection[str] = (),
    is_brief: bool = False,
) -> list[str]:  # fmt: skip
    """The lines of a module whose functions say what they are worth, and whether they are long.

    Of a brief program the kernel says so.
    """
    found = list(lines)
    for i, line in enumerate(lines):
        if not line.startswith("define ") or '"' not in line:
            continue
        name = line.split('"', 2)[1]
        words = [f'"gt.work"="{worth[name]}"'] if name in worth else []
        if name in long:
            words.append('"gt.run"="long"')
        if is_brief and name == "kernel":
            words.append(_BRIEF)
        found[i] = " ".join([line, *words])
    return found
