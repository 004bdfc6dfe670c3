"""A program as a list of steps over numbered places: native calls, and NumPy between them.

It says nothing of the graph that it was made of but the nodes that NumPy runs, so that it can be
kept on disk. A value that nobody needs any more is let go of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..core.refusals import OutOfRangeError
from ..graph.evaluate import run_node
from ..graph.ir import Constant, Graph, Node, Value
from . import numpy

__all__ = ["ByNumpy", "Native", "Schedule", "Scheduler"]

FEW = 1  # calls after which native code that was made in haste is worth to be made with care


@dataclass
class Native:
    """A call of native code.

    `call(values)` gives the results in their order; `direct(*values)` does so too, alone if there
    is one, or answers NotImplemented. None where each call needs preparation.
    """

    call: Callable[[list[Any]], Sequence[Any]]
    direct: Any
    reads: list[int]
    gives: list[int]
    weak: list[bool]  # which results are Python numbers


@dataclass
class ByNumpy:
    """A node that NumPy runs."""

    node: Node
    reads: list[int]
    gives: list[int]


@dataclass
class Schedule:
    """Steps over places; the first `count` places are the inputs.

    Called with the values of the inputs, it gives those of the results.
    """

    count: int
    start: list[Any]  # what lies in each place at first: constants, else None
    steps: list[Native | ByNumpy]
    results: list[int]
    graph: Any = None  # the graph, or what makes it, for NumPy to say which index is out of range
    dead: list[list[int]] = field(init=False)  # places that nobody reads after each step

    def __post_init__(self) -> None:
        last: dict[int, int] = {}
        for n, step in enumerate(self.steps):
            for place in (*step.reads, *step.gives):
                last[place] = n
        kept = {*range(self.count), *self.results}
        self.dead = [[] for _ in self.steps]
        for place, n in last.items():
            if place not in kept and self.start[place] is None:
                self.dead[n].append(place)
        self.has_numpy = any(isinstance(step, ByNumpy) for step in self.steps)
        self.calls = 0  # while some of its code was made in haste
        natives: list[Any] = [step.call for step in self.steps if isinstance(step, Native)]
        self.hasty = [one for one in natives if getattr(one, "is_hasty", False)]

    def improve(self) -> None:
        """Have the code that was made in haste made with care, now."""
        for one in self.hasty:
            one.improve_now()
        self.hasty = []

    def __call__(self, arguments: Sequence[Any]) -> list[Any]:
        if self.hasty:
            self.calls += 1
            if self.calls > FEW:
                for one in self.hasty:
                    one.improve_later()
                self.hasty = []
        try:
            if not self.has_numpy:
                return self._run(arguments)
            with np.errstate(all="ignore"):
                return self._run(arguments)
        except OutOfRangeError:
            if self.graph is None:
                raise
            graph = self.graph if isinstance(self.graph, Graph) else self.graph()
            return numpy.compile_graph(graph)(arguments)

    def _run(self, arguments: Sequence[Any]) -> list[Any]:
        at = self.start.copy()
        at[: self.count] = arguments
        for step, dead in zip(self.steps, self.dead, strict=True):
            values = [at[i] for i in step.reads]
            if isinstance(step, Native):
                for place, weak, x in zip(step.gives, step.weak, step.call(values), strict=True):
                    at[place] = x.item() if weak else x
            else:
                for place, x in zip(step.gives, run_node(step.node, values), strict=True):
                    at[place] = x
            del values
            for place in dead:
                at[place] = None
        return [at[i] for i in self.results]

    @property
    def direct(self) -> Any:
        """Where one native call does everything, `(call, order, places)`; None elsewhere.

        What it is called with are the inputs numbered by `order`; result i is its output number
        `places[i]`.
        """
        if len(self.steps) != 1 or not isinstance(self.steps[0], Native):
            return None
        only = self.steps[0]
        if only.direct is None or any(only.weak) or any(i >= self.count for i in only.reads):
            return None
        if any(i not in only.gives for i in self.results):
            return None
        places = tuple(only.gives.index(i) for i in self.results)
        if len(set(places)) != len(places):
            return None
        return only.direct, tuple(only.reads), places


class Scheduler:
    """A schedule in the making. Each value of the graph gets a place when it is first computed."""

    def __init__(self, graph: Graph, same: dict[Value, Value] | None = None) -> None:
        self.graph = graph
        self.same = same or {}  # what has the elements of another value
        self.keeps = False  # whether the schedule needs the graph
        self.places: dict[Value, int] = {value: i for i, value in enumerate(graph.inputs)}
        self.start: list[Any] = [None] * len(graph.inputs)
        self.steps: list[Native | ByNumpy] = []

    def _new(self, value: Value, data: Any = None) -> int:
        self.places[value] = len(self.start)
        self.start.append(data)
        return self.places[value]

    def place(self, value: Value) -> int:
        """The place of a value; one that no step has computed yet is a view, made by NumPy here."""
        found = self.places.get(value)
        if found is not None:
            return found
        if isinstance(value, Constant):
            return self._new(value, value.data)
        if value in self.same:
            return self.place(self.same[value])
        assert value.node is not None
        self.by_numpy(value.node)
        return self.places[value]

    def by_numpy(self, node: Node) -> None:
        """A step that NumPy runs."""
        reads = [self.place(v) for v in node.inputs]
        self.steps.append(ByNumpy(node, reads, [self._new(v) for v in node.outputs]))

    def native(
        self, call: Any, direct: Any, reads: Sequence[Value], gives: Sequence[Value]
    ) -> None:
        """A native call."""
        places = [self.place(v) for v in reads]
        weak = [v.aval.weak for v in gives]
        self.steps.append(Native(call, direct, places, [self._new(v) for v in gives], weak))

    def done(self, values: Sequence[Value]) -> Schedule:
        """The schedule, with what stands for the results of the graph."""
        results = [self.place(v) for v in values]
        graph = self.graph if self.keeps else None
        return Schedule(len(self.graph.inputs), self.start, self.steps, results, graph)
