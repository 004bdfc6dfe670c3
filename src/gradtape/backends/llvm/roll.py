"""Repetitions in straight-line code, found again as loops.

A Python loop unrolls while it is traced: three hundred times `z = np.sin(z) * 1.001`, and its
gradient, are 1,800 nodes. LLVM would read, allocate registers for, and write out each of them.
`roll` finds the sections whose nodes repeat with a period, and how the operands of one iteration
follow from those of the one before:

========== ===================================================================================
Same       a node of the same iteration
Carried    a node of the iteration before; in the first one, `initial`
Fixed      the same value in every iteration
Kept       iteration `start + step * k` of a section that ran before, -1 being what was carried
           into its first one: the way in which a gradient walks back over what it has kept
Numbers    a number of each iteration's own
Moved      what lies in memory `step` elements further on in each iteration: `x[i]`
========== ===================================================================================

Nothing is reordered but across independent nodes, and every operation stays what it was: the
results are the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...graph.ir import Node, Value

__all__ = ["Carried", "Fixed", "Kept", "Moved", "Numbers", "Same", "Section", "roll"]

LEAST_NODES = 48  # what a section must save to be worth a loop
LEAST_TIMES = 4
LONGEST = 96  # nodes of one iteration


@dataclass(frozen=True)
class Same:
    """The node at place `at` of the same iteration."""

    at: int


@dataclass(frozen=True)
class Carried:
    """The node at place `at` of the iteration before."""

    at: int
    initial: Value


@dataclass(frozen=True)
class Fixed:
    """One value for all iterations."""

    value: Value


@dataclass(frozen=True)
class Kept:
    """The node at place `at` of another section, in iteration `start + step * k`."""

    section: Section
    at: int
    start: int
    step: int


@dataclass(frozen=True)
class Numbers:
    """A number for each iteration."""

    numbers: tuple[Any, ...]


@dataclass(frozen=True)
class Moved:
    """Elements in memory, `step` further on in each iteration."""

    value: Value
    step: int


Operand = Same | Carried | Fixed | Kept | Numbers | Moved


@dataclass(eq=False)
class Section:
    """Nodes that run `times` times: those of the first iteration, and where operands come from."""

    nodes: list[Node]
    times: int
    operands: list[tuple[Operand, ...]]
    values: list[list[Value]]  # by place and iteration
    kept: set[int] = field(default_factory=set)  # places whose results are read later

    def initial(self, at: int) -> Value | None:
        """What is carried into the first iteration in place of the node `at`."""
        for operands in self.operands:
            for one in operands:
                if isinstance(one, Carried) and one.at == at:
                    return one.initial
        return None


Part = Section | list[Node]


def roll(
    nodes: list[Node],
    base: Callable[[Value], Value],
    number: Callable[[Value], Any],
    lies: Callable[[Value], tuple[Any, int]] | None = None,
) -> list[Part] | None:
    """The nodes as sections and the straight code between them; None where nothing repeats.

    `base` gives one value for all that have the same elements, `number` the number of a constant
    or None, `lies` where something outside lies: anything to compare, and an offset.
    """
    if len(nodes) < LEAST_NODES:
        return None
    search = _Search(nodes, base, number, lies)
    return search.parts() if search.sections else None


class _Search:
    def __init__(
        self,
        nodes: list[Node],
        base: Callable[[Value], Value],
        number: Callable[[Value], Any],
        lies: Callable[[Value], tuple[Any, int]] | None,
    ) -> None:
        self.nodes, self.base, self.number, self.lies = nodes, base, number, lies
        self.place = {node.outputs[0]: i for i, node in enumerate(nodes)}
        self.home: dict[Value, tuple[Section, int, int]] = {}  # section, place, iteration
        self.starts: dict[int, Section] = {}
        self.sections: list[Section] = []
        self._kinds = self._signatures()
        at = 0
        while at < len(nodes):
            found = self._section(at)
            if found is None:
                at += 1
                continue
            start, section = found
            self.starts[start] = section
            self.sections.append(section)
            for q, column in enumerate(section.values):
                for k, value in enumerate(column):
                    self.home[value] = section, q, k
            at = start + len(section.nodes) * section.times

    # ------------------------------------------------------------------ what looks alike

    def _signatures(self) -> np.ndarray[Any, Any]:
        """One number for all nodes that differ in their operands alone."""
        known: dict[Any, int] = {}
        found = []
        for node in self.nodes:
            kinds: list[Any] = []
            for v in node.inputs:
                aval = v.aval
                is_number = not aval.shape and self.number(self.base(v)) is not None
                kinds += (aval.dtype, aval.weak, aval.shape, is_number)
            out = node.outputs[0].aval
            params = repr(node.params) if node.params else ""
            key = (node.op, params, out.shape, out.dtype, *kinds)
            found.append(known.setdefault(key, len(known)))
        numbers = np.array(found)
        self._runs = {}
        for period in range(1, min(LONGEST, len(numbers) // LEAST_TIMES) + 1):
            alike = numbers[:-period] == numbers[period:]
            if np.count_nonzero(alike) < LEAST_NODES // 2:
                continue
            # how many nodes from here on are like the one a period later
            breaks = np.flatnonzero(~alike)
            ends = np.append(breaks, len(alike))
            run = ends[np.searchsorted(ends, np.arange(len(alike)))] - np.arange(len(alike))
            self._runs[period] = run
        return numbers

    def _section(self, at: int) -> tuple[int, Section] | None:
        """The section that covers most, from `at` on; it may begin an iteration or two later."""
        best: list[tuple[int, int]] = []
        for period, run in self._runs.items():
            if at < len(run):
                times = int(run[at]) // period + 1
                if times >= LEAST_TIMES and times * period >= LEAST_NODES:
                    best.append((times * period, -period))
        for covered, negative in sorted(best, reverse=True)[:3]:
            period = -negative
            for start in (at, at + period):
                times = covered // period - (start - at) // period
                section = self._checked(start, period, times)
                if section is not None:
                    return start, section
        return None

    # ------------------------------------------------------------------ what follows from what

    def _checked(self, start: int, period: int, times: int) -> Section | None:
        """The section of as many iterations as are alike in their operands too."""
        columns = []
        for q in range(period):
            width = len(self.nodes[start + q].inputs)
            for o in range(width):
                rule, times = self._rule(start, period, times, q, o)
                if rule is None or times < LEAST_TIMES or times * period < LEAST_NODES:
                    return None
                columns.append((q, rule))
        operands: list[list[Operand]] = [[] for _ in range(period)]
        for q, rule in columns:
            if isinstance(rule, Numbers):
                rule = Numbers(rule.numbers[:times])
            operands[q].append(rule)
        nodes = self.nodes[start : start + period]
        values = [
            [self.nodes[start + k * period + q].outputs[0] for k in range(times)]
            for q in range(period)
        ]
        section = Section(nodes, times, [tuple(o) for o in operands], values)
        carried: dict[int, Value] = {}
        for row in section.operands:
            for one in row:
                if isinstance(one, Carried) and carried.setdefault(one.at, one.initial) is not (
                    one.initial
                ):
                    return None
        return section

    def _rule(
        self, start: int, period: int, times: int, q: int, o: int
    ) -> tuple[Operand | None, int]:
        """Where operand `o` of node `q` comes from, and for how many iterations that holds."""
        raw = [self.nodes[start + k * period + q].inputs[o] for k in range(times)]
        sources = [self.base(v) for v in raw]
        first = sources[1]
        if sources[0] is first and self.place.get(first, -1) >= start:
            return None, 0  # something of the first iteration's that the others read too
        numbers = [self.number(s) for s in sources]
        if numbers[1] is not None:
            count = next((k for k, n in enumerate(numbers) if n is None), times)
            own = numbers[:count]
            if all(_alike(n, own[0]) for n in own):
                return Fixed(raw[0]), count
            return Numbers(tuple(own)), count
        if sources[0] is first:
            count = next((k for k, s in enumerate(sources) if s is not first), times)
            return Fixed(raw[0]), count
        at = self.place.get(first)
        if at is None:
            return self._moved(sources)
        if at >= start:
            back, where = divmod(at - start, period)
            back = 1 - back
            expected = [start + (k - back) * period + where for k in range(times)]
            low = back
            if back not in (0, 1) or (back == 0 and where >= q):
                return None, 0
            count = next(
                (k for k in range(low, times) if self.place.get(sources[k]) != expected[k]), times
            )
            if back == 0:
                return Same(where), count
            if self.place.get(sources[0], -1) >= start:
                return None, 0
            return Carried(where, raw[0]), count
        return self._kept(sources, first)

    def _moved(self, sources: list[Value]) -> tuple[Operand | None, int]:
        """Where the sources lie in memory at equal distances."""
        if self.lies is None or sources[0] in self.place:
            return None, 0
        where, begin = self.lies(sources[0])
        step = self.lies(sources[1])[1] - begin
        count = 0
        for k, value in enumerate(sources):
            if value in self.place or self.lies(value) != (where, begin + step * k):
                break
            count = k + 1
        return Moved(sources[0], step), count

    def _kept(self, sources: list[Value], first: Value) -> tuple[Operand | None, int]:
        """Where the sources are the results of one place of a section, one after the other."""
        home = self.home.get(first)
        if home is None:
            return None, 0
        section, at, k1 = home
        initial = section.initial(at)

        def iteration(value: Value) -> int | None:
            found = self.home.get(value)
            if found is not None and found[:2] == (section, at):
                return found[2]
            return -1 if initial is not None and self.base(initial) is value else None

        second = iteration(sources[2]) if len(sources) > 2 else None
        if second is None or abs(second - k1) != 1:
            return None, 0
        step = second - k1
        begin = k1 - step
        count = 0
        for k, value in enumerate(sources):
            if iteration(value) != begin + step * k:
                break
            count = k + 1
        return Kept(section, at, begin, step), count

    # ------------------------------------------------------------------ the whole

    def parts(self) -> list[Part]:
        """Sections and straight code, in their order, and which results are kept."""
        found: list[Part] = []
        at = 0
        while at < len(self.nodes):
            section = self.starts.get(at)
            if section is None:
                if not found or isinstance(found[-1], Section):
                    found.append([])
                straight: Any = found[-1]
                straight.append(self.nodes[at])
                at += 1
                continue
            for operands in section.operands:
                for one in operands:
                    if isinstance(one, Kept):
                        one.section.kept.add(one.at)
            found.append(section)
            at += len(section.nodes) * section.times
        return found


def _alike(a: Any, b: Any) -> bool:
    return bool(np.asarray(a).tobytes() == np.asarray(b).tobytes() and type(a) is type(b))
