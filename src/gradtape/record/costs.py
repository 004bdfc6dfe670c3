"""Costs: the scalars that the steps of a run descend, and the run as that of one of them.

Most runs have one. A step of two networks has two, each with a tape, sources and a prediction of
its own. The first stands in the column `cost`, another in `cost/NAME`; NAME is what the user's line
calls it. Inputs and prediction are tagged in the same way: `input/0` and `prediction`, or
`input/NAME/0` and `prediction/NAME`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .schema import Column, Tag

if TYPE_CHECKING:
    from .reader import Reader

__all__ = ["Cost", "OfCost", "costs_of"]

_MOST = 64


@dataclass(frozen=True)
class Cost:
    """One cost of a run.

    Attributes
    ----------
    number : int
        From 0, in the order in which they appeared.
    name : str
        As the user's line calls it, made unique.
    file, line : str and int, or None
        Where its gradient is asked for.
    sources : tuple of str
        What the run calls the sources of which its gradient is asked.
    """

    number: int
    name: str
    file: str | None = None
    line: int | None = None
    sources: tuple[str, ...] = ()

    @property
    def column(self) -> str:
        """The series of its values."""
        return self.tag("cost")

    def tag(self, stem: str) -> str:
        """`stem` for the first cost, `stem/NAME` for another.

        >>> Cost(0, "loss").tag("prediction"), Cost(1, "loss_g").tag("input")
        ('prediction', 'input/loss_g')
        """
        return f"{stem}/{self.name}" if self.number else stem


def costs_of(meta: Any) -> list[Cost]:
    """The costs of which the meta keys of a run tell; what is no cost ends the list."""
    said = meta.get("costs") if isinstance(meta, dict) else None
    found: list[Cost] = []
    for number, one in enumerate(said[:_MOST] if isinstance(said, list) else []):
        if not isinstance(one, dict) or not isinstance(one.get("name"), str):
            break
        file, line, sources = one.get("file"), one.get("line"), one.get("sources")
        found.append(Cost(
            number, one["name"], file if isinstance(file, str) else None,
            line if type(line) is int else None,
            tuple(map(str, sources)) if isinstance(sources, list) else (),
        ))  # fmt: skip
    return found


class OfCost:
    """A run as a reader gives it, in which a step descends one of its costs alone.

    What is that cost's has the names that it has in a run of one cost; what is another's is not
    there. So every panel draws any cost. What is not said here is the reader's.
    """

    def __init__(self, reader: Reader, number: int) -> None:
        self._reader, self.number = reader, number

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    @property
    def cost(self) -> Cost:
        """Which one."""
        return self._reader.costs()[self.number]

    def costs(self) -> list[Cost]:
        """It alone."""
        return [self.cost]

    def _name(self, name: str) -> str:
        return self.cost.tag(name) if name in ("cost", "prediction") else name

    def _shown(self, name: str, source: str | None) -> str | None:
        """What a column or tag is called here; None where it is another cost's."""
        for stem in ("cost", "prediction"):
            if name == stem or name.startswith(f"{stem}/"):
                return stem if name == self.cost.tag(stem) else None
        kind, _, rest = (source or "").partition("/")
        return None if kind in ("value", "grad") and rest not in self.cost.sources else name

    # -- the run --------------------------------------------------------------------------------

    def meta(self) -> dict[str, Any]:
        """As the reader's; the roles of another cost than the first are those of its graph."""
        meta = self._reader.meta()
        if self.number:
            known = {tag.name for tag in self.tags()}
            meta["roles"] = {"prediction": "prediction"} if "prediction" in known else {}
        return meta

    def columns(self) -> list[Column]:
        """The series that are this cost's."""
        named = [(self._shown(c.name, c.tag), c) for c in self._reader.columns()]
        return [dataclasses.replace(c, name=name) for name, c in named if name is not None]

    def tags(self) -> list[Tag]:
        """What arrays were recorded of, where it is this cost's."""
        named = [(self._shown(t.name, t.name), t) for t in self._reader.tags()]
        return [dataclasses.replace(t, name=name) for name, t in named if name is not None]

    def steps(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """The steps at which this cost was descended."""
        return self._reader.series(self.cost.column)[0]

    def count(self) -> int:
        """How many these are."""
        return len(self.steps())

    @property
    def first(self) -> int | None:
        """The first of them."""
        return int(steps[0]) if len(steps := self.steps()) else None

    @property
    def last(self) -> int | None:
        """The last of them."""
        return int(steps[-1]) if len(steps := self.steps()) else None

    # -- numbers and arrays ---------------------------------------------------------------------

    def series(self, name: str, *span: Any) -> Any:
        """See `Reader.series`; of the steps of this cost."""
        steps, values = self._reader.series(self._name(name), *span)
        kept = np.isin(steps, self.steps())
        return steps[kept], values[kept]

    def table(self, names: Sequence[str], *span: Any) -> Any:
        """See `Reader.table`; of the steps of this cost."""
        steps, values = self._reader.table([self._name(name) for name in names], *span)
        kept = np.isin(steps, self.steps())
        return steps[kept], values[kept]

    def row(self, step: float) -> dict[str, float]:
        """See `Reader.row`."""
        shown = {self._name(c.name): c.name for c in self.columns()}
        found = self._reader.row(step)
        return {shown[name]: value for name, value in found.items() if name in shown}

    def arrays(self, tag: str) -> list[int]:
        """See `Reader.arrays`."""
        return self._reader.arrays(self._name(tag))

    def array(self, tag: str, step: float | None = None) -> Any:
        """See `Reader.array`."""
        return self._reader.array(self._name(tag), step)

    # -- the graph ------------------------------------------------------------------------------

    def structures(self) -> list[tuple[int, int]]:
        """The graphs of this cost: see `Reader.structures`."""
        return self._reader.structures(self.number)

    def graph(self, step: float | None = None) -> dict[str, Any]:
        """The graph of this cost: see `Reader.graph`."""
        return self._reader.graph(step, self.number)

    def node_values(self, step: int) -> Any:
        """See `Reader.node_values`."""
        return self._reader.node_values(step, self.number)

    def node_array(self, step: int, node: int, side: int = 0) -> Any:
        """See `Reader.node_array`."""
        return self._reader.node_array(step, node, side, self.number)
