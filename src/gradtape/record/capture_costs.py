"""Which cost each gradient call of a step descends: the first, another beside it, or one again.

Calls that ask for gradients of one value (a persistent tape that is asked twice) have one cost. Of
two costs in one step each keeps its number for the rest of the run.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from ..core.places import arguments
from ..core.positions import decode
from .calls import Call
from .costs import Cost

__all__ = ["Costs"]


class Costs:
    """The costs that a capture has met."""

    def __init__(self, capture: Any) -> None:
        self._capture = capture
        self._known: list[Cost] = []

    def owns(self, call: Call, cost: Any, keys: tuple[int, ...]) -> bool:
        """Give a call its cost; whether it is the first of this step that asks for this value."""
        others = [part for part in self._capture.parts if part.call is not call]
        for part in others:
            if part.keys == keys or part.cost is cost:
                self._join(call, part.call.cost)
                if call not in part.call.partners:
                    part.call.partners.append(call)
                    part.call.forget()
                return False
        taken = {part.call.cost.number for part in others if part.owns}
        if call.cost is None or call.cost.number in taken:
            self._join(call, self._known[0] if self._known and 0 not in taken else self._new(call))
        return True

    def _new(self, call: Call) -> Cost:
        place = decode(call.code, call.lasti)
        line = place.line if place else None
        said = (arguments(call.code, call.lasti) or [""])[0]
        name = said if said.isidentifier() else f"line {line}" if line else "cost"
        taken = {cost.name for cost in self._known}
        if name in taken and said.isidentifier() and line:
            name = f"{said}:{line}"
        stem, n = name, 1
        while name in taken:
            n += 1
            name = f"{stem}_{n}"
        cost = Cost(len(self._known), name, place.filename if place else None, line)
        self._known.append(cost)
        return cost

    def _join(self, call: Call, cost: Cost) -> None:
        """A call descends a cost: from here on, if it was another before."""
        if call.cost is None or call.cost.number != cost.number:
            call.forget()
        sources = tuple(dict.fromkeys([*self._known[cost.number].sources, *call.names]))
        if call.cost is None or sources != self._known[cost.number].sources:
            self._known[cost.number] = dataclasses.replace(cost, sources=sources)
            self._capture.writer.set("costs", [
                {**dataclasses.asdict(one), "column": one.column} for one in self._known
            ])  # fmt: skip
        call.cost = self._known[cost.number]
