"""A rolled loop's parts in the order in which they run, and which of them have memory of their own.

Elements go in blocks through sections (`roll.py`), and between two sections one loop over the
block does what is to be done there. Where such a loop, or an iteration of a section, reads and
writes buffers alone, the elements behind the end of the last block may be computed too, from
numbers that mean nothing, and nobody reads them. So these loops run over whole vectors, need no
masks, and LLVM has half as much to do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...graph.ir import Node, Value
from .roll import Fixed, Kept, Moved, Part, Section

if TYPE_CHECKING:
    from .rolled import Rolled

__all__ = ["Between", "between", "carried", "closed", "stored"]


@dataclass(eq=False)
class Between:
    """What one loop over the elements of a block does between two sections.

    It stores what the section before it has left, runs straight code, and puts what the section
    behind it carries where that looks for it.
    """

    before: Section | None = None
    nodes: list[Node] = field(default_factory=list)
    behind: Section | None = None
    is_last: bool = False  # sums are joined in it


def between(parts: list[Part]) -> list[Section | Between]:
    """The parts in turns: sections, and the loops before, between and behind them."""
    found: list[Section | Between] = []
    for part in parts:
        last = found[-1] if found else None
        if isinstance(part, list):
            if isinstance(last, Between):
                found.append(Between(None, part))
            else:
                found.append(Between(last, part))
        else:
            if not isinstance(last, Between):
                found.append(Between(last))
            one = found[-1]
            assert isinstance(one, Between)
            one.behind = part
            found.append(part)
    if isinstance(found[-1], Section):
        found.append(Between(found[-1]))
    assert isinstance(found[-1], Between)
    found[-1].is_last = True
    return found


def stored(emitter: Any, section: Section) -> list[Value]:
    """The results of a section that a program needs in memory."""
    return [v for column in section.values for v in column if v in emitter.stored]


def carried(section: Section) -> dict[int, Value]:
    """By place, what is carried into the first iteration."""
    initial = {q: section.initial(q) for q in range(len(section.nodes))}
    return {q: v for q, v in initial.items() if v is not None}


def closed(rolled: Rolled) -> set[Section | Between]:
    """The turns that read and write buffers alone."""
    e = rolled.e
    found: set[Section | Between] = set()
    if rolled.is_number:
        return found

    def is_in(value: Value) -> bool:
        if not e.is_inside(value):
            return not rolled.is_read(value)
        home = rolled.home.get(e.plan.base(value))
        return home is None or home[0] in found

    def is_closed(turn: Section | Between) -> bool:
        if isinstance(turn, Section):
            return not any(
                isinstance(one, Moved)
                or (isinstance(one, Kept) and one.section not in found)
                or (isinstance(one, Fixed) and not is_in(one.value))
                for operands in turn.operands
                for one in operands
            )
        if turn.is_last or (turn.before is not None and stored(e, turn.before)):
            return False
        if any(x in e.stored or x in e.placed for node in turn.nodes for x in node.outputs):
            return False
        read = [v for node in turn.nodes for v in node.inputs]
        read += [] if turn.behind is None else carried(turn.behind).values()
        return all(is_in(value) for value in read)

    for turn in rolled.order:
        if is_closed(turn):
            found.add(turn)
    return found
