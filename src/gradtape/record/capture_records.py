"""What the records of a gradient tell: graph, constant arrays, prediction, arrays of sources.

The graph is made once for each structure (`graphs.py`); at later steps `structures.py` says from
where in the records the arrays are read. What is stored how often is `keeping.py`'s to say.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..core.state import CODE, LASTI, OUT
from ..core.variable import Variable
from . import details, graphs
from .calls import Call, value_of
from .keeping import INPUT_BYTES, Schedule, Seen, storable
from .structures import Snapshot, Structure, value_at

__all__ = ["Records"]

MOST_GRAPHS = 256


class _Meant:
    """An array or Tensor that the user named in a role."""

    def __init__(self, given: Any) -> None:
        self.value = np.asarray(value_of(given))
        self.key = getattr(given, "key", 0)
        self.at: Any = None  # where the prediction is computed


class Compiled(NamedTuple):
    """What is known of a gradient in a compiled function."""

    seen: Any  # (is kept, or its id would be another's)
    number: int  # of its graph
    graph: dict[str, Any]
    inputs: list[tuple[str | None, str]]  # tag and kind of what is told; None: not to be stored


class Records:
    """The part of a capture that looks at records."""

    def __init__(self, capture: Any) -> None:
        self.capture = capture
        self.current: dict[int, int] = {}  # the graph of each cost, by its number
        self.graphs = 0
        self.keeps_prediction = True
        self.seen: dict[str, Seen] = {}
        self.schedules: dict[str, Schedule] = {}
        self.whole: dict[str, int] = {}  # the last step at which arrays of sources were stored
        self.roles: dict[str, Any] = {}  # as they are guessed
        self.told: dict[str, Any] = {}  # as the user said
        self.written_roles: dict[str, Any] = {}
        # graphs of compiled functions, by what is seen and how many calls ask for more of it
        self.compiled: dict[tuple[int, int], Compiled] = {}
        self.labels: list[tuple[Any, str]] = []  # what arrays are called
        self.thinned: dict[str, int] = {}  # inputs that change more often than they are stored

    def look(
        self, call: Call, recorder: Any, targets: Any, sources: Any, results: Any, step: int,
        is_first: bool,
    ) -> None:  # fmt: skip
        """Graph, inputs, prediction and notices of a gradient call; an error ends only this."""
        try:
            self._look(call, recorder, targets, sources, results, step, is_first)
        except Exception as error:
            self.capture.fail(error)

    def _look(
        self, call: Call, recorder: Any, targets: Any, sources: Any, results: Any, step: int,
        is_first: bool,
    ) -> None:  # fmt: skip
        ops = recorder.ops
        if not is_first:
            for part in self.capture.parts:  # whose graph does not know yet that more is asked
                if part.call.structure is None and call in part.call.partners:
                    self._again(part.call, recorder, targets, step)
        structure = self.structure_of(call, recorder, targets, sources)
        if structure is not None and is_first:
            self.now(call, step, structure.number)
            if structure.needs_parameters:
                found = graphs.inputs_of(recorder, structure.graph) or {}
                for tag, array in found.items():
                    self._input(tag, array, step)
            else:
                for tag, slots in structure.inputs:
                    value = value_at(ops, *slots[0]) if slots else None
                    if value is not None:
                        self._input(tag, np.asarray(value_of(value)), step)
            for tag, variable in structure.held:
                self._input(tag, np.asarray(variable.value), step, "variable")
            if structure.has_prediction:
                self._prediction(call, lambda: structure.predicted(ops), step)
            if self.capture.ring_size:
                self.capture.ring.hold(call, recorder, targets, sources, step, structure)
        if self.capture.level == "full" and structure is not None:
            named = list(zip(call.names, sources, strict=True))
            now = [(name, source.key, source.value) for name, source in named]
            details.write(self.capture, step, structure, Snapshot(recorder), targets, now)
        self.capture.notices.look(call, recorder, targets, sources, results, step)

    def _again(self, call: Call, recorder: Any, targets: Any, step: int) -> None:
        """Make the graph of a call again, of whose target more sources are asked."""
        if call.sources is not None:
            made = self._structure(call, recorder, targets, call.sources)
            if made is not None:
                self.now(call, step, made.number)

    def structure_of(
        self, call: Call, recorder: Any, targets: Any, sources: Any
    ) -> Structure | None:
        """The structure of what a gradient call has recorded; None where there are too many."""
        ops = recorder.ops
        structure: Structure | None = call.structure
        if structure is None or not structure.fits(ops, targets):
            structure = self._structure(call, recorder, targets, sources)
        if structure is not None and not structure.numbers_hold(ops):
            structure = self._vary(call, structure, recorder, targets, sources)
        if structure is not None and structure.shared and not structure.is_shared(ops):
            structure = self._make(call, recorder, targets, sources, structure.varying)
            call.structure = structure
        return structure

    def now(self, call: Call, step: int, number: int) -> None:
        """The graph of a call's cost is this one from here on."""
        assert call.cost is not None
        cost = call.cost.number
        if self.current.get(cost) != number:
            self.current[cost] = number
            self.capture.writer.structure(step, number, cost)

    def _structure(self, call: Call, recorder: Any, targets: Any, sources: Any) -> Structure | None:
        """The structure of these records, made anew where it has not been met."""
        key = graphs.structure_of(recorder, targets)
        structure: Structure | None = call.structures.get(key)
        if structure is None or not structure.fits(recorder.ops, targets):
            structure = self._make(call, recorder, targets, sources, frozenset())
            if structure is not None:
                call.structures[key] = structure
        call.structure = structure
        return structure

    def _make(
        self, call: Call, recorder: Any, targets: Any, sources: Any, varying: frozenset[int]
    ) -> Structure | None:
        if self.graphs >= MOST_GRAPHS:
            return None
        assert call.cost is not None
        leaves = [leaf for leaf in recorder.leaves.values() if isinstance(leaf, Variable)]
        asked, names = zip(*call.asked(sources), strict=True)
        graph = graphs.graph_of(
            recorder, targets, asked, names, varying=varying, labels=self.labels,
            known={leaf.key: self.capture.name_of(leaf) for leaf in leaves},
            stem=call.cost.tag("input"), others=call.cost.tag("held"),
        )  # fmt: skip
        number = self._write_graph(call, graph)
        structure = Structure(recorder, targets, graph, number)
        held = {call.cost.tag("held") + "/" + self.capture.name_of(leaf): leaf for leaf in leaves}
        structure.held = [(tag, held[tag]) for tag in graph["sources"] if tag in held]
        structure.varying = varying
        meant = self.told.get("prediction")
        if isinstance(meant, _Meant):
            for index, rec in enumerate(recorder.ops):
                if rec[OUT] == meant.key:
                    meant.at = (rec[CODE], rec[LASTI])
                if (rec[CODE], rec[LASTI]) == meant.at:
                    structure.prediction, structure.has_prediction = index, True
        return structure

    def _write_graph(self, call: Call, graph: dict[str, Any]) -> int:
        """The number of a graph that is new, whose roles are taken where none are known."""
        self.graphs += 1
        number: int = self.capture.writer.graph(self.capture.steps.number, graph)
        if self.graphs == MOST_GRAPHS:
            self.capture.notices.say(
                f"There are more than {MOST_GRAPHS} different graphs; later ones are not recorded."
            )
        self.capture.notices.sources(graph)
        if not self.roles and call.cost is not None and call.cost.number == 0:
            roles = self.roles = dict(graph.get("roles") or {})
            if roles.get("prediction") is not None:
                roles["prediction"] = "prediction"
            self._write_roles()
        return number

    def graph_of(self, call: Call, seen: Any) -> Compiled | None:
        """What is known of a gradient in a compiled function; None where it has no graph."""
        known = self.compiled.get((id(seen), len(call.partners)))
        if known is None:
            if self.graphs >= MOST_GRAPHS or call.cost is None or not seen.has_graph:
                return None
            sources, name_of = call.sources, self.capture.name_of
            asked = [s.key for s, _ in call.asked(sources)] if sources is not None else []
            graph = seen.graph(call.names, name_of, call.cost, asked)
            inputs = []
            for tag in (*seen.constants, *seen.tags):
                kind = "input" if tag.startswith("input/") else "variable"
                name = tag if tag == "prediction" else seen.renamed(tag, name_of, call.cost, asked)
                # (a partner's value is stored anyway)
                inputs.append((None if name.startswith("value/") else name, kind))
            known = Compiled(seen, self._write_graph(call, graph), graph, inputs)
            self.compiled[id(seen), len(call.partners)] = known
        return known

    def traced(self, call: Call, seen: Any, values: list[Any], step: int, is_first: bool) -> None:
        """Graph, inputs and prediction of a gradient in a compiled function (`traced.py`)."""
        made = self.graph_of(call, seen)
        if made is None or not is_first:
            return
        self.now(call, step, made.number)
        given = (*seen.constants.values(), *values)
        for (tag, kind), value in zip(made.inputs, given, strict=True):
            if tag == "prediction":
                self._prediction(call, functools.partial(np.asarray, value), step)
            elif tag is not None:
                self._input(tag, np.asarray(value), step, kind)

    def _vary(
        self, call: Call, structure: Structure, recorder: Any, targets: Any, sources: Any
    ) -> Structure | None:
        """A graph in which numbers that are others at this step are inputs."""
        varying = structure.varying | set(graphs.numbers_of(recorder, structure.graph))
        made = self._make(call, recorder, targets, sources, frozenset(varying))
        if made is not None:
            key = graphs.structure_of(recorder, targets)
            call.structures[key] = call.structure = made
        return made

    def tell_roles(self, x: Any, y: Any, prediction: Any) -> None:
        """The user says which arrays are inputs and targets, and what the prediction is."""
        for role, given in (("x", x), ("y", y), ("prediction", prediction)):
            if given is not None:
                self.told[role] = given if isinstance(given, str) else _Meant(given)
        self.capture.forget()
        self._write_roles()

    def can_be_tag(self, tag: str) -> bool:
        """Whether the run has an array of this tag, or may have one when the loop goes on."""
        stem = tag.partition("/")[0]
        return tag in self.capture.tags or stem in ("input", "value", "held", "prediction")

    def _write_roles(self) -> None:
        roles = dict(self.roles)
        for role, given in self.told.items():
            if isinstance(given, str):
                roles[role] = given
            elif role == "prediction":
                roles[role] = "prediction"
            else:
                tag = next((t for t, s in self.seen.items() if s.holds(given.value)), None)
                if tag is not None:
                    roles[role] = tag
        if roles != self.written_roles:
            self.written_roles = roles
            self.capture.writer.set("roles", roles)

    def _input(self, tag: str, array: Any, step: int, kind: str = "input") -> None:
        seen = self.seen.get(tag)
        if seen is None:
            seen = self.seen[tag] = Seen()
            self.capture.tags[tag] = self.capture.writer.tag(tag, kind, array.shape, array.dtype)
        if seen.changes(array):
            if seen.schedule is None:
                seen.schedule = Schedule(array.nbytes, budget=INPUT_BYTES)
            if seen.schedule.takes(step):
                self.capture.writer.array(self.capture.tags[tag], step, storable(array, copy=True))
            elif tag not in self.thinned and kind == "input":
                self.thinned[tag] = step
                self.capture.writer.set("thinned", dict(self.thinned))
                self.capture.notices.say(
                    f"{tag} changes so often that it is no longer stored at each change."
                )
            if self.told:
                self._write_roles()

    def _prediction(self, call: Call, predicted: Callable[[], Any], step: int) -> None:
        if not self.keeps_prediction or call.cost is None:
            return
        tag = call.cost.tag("prediction")
        schedule = self.schedules.get(tag)
        if schedule is not None and not schedule.takes(step):
            return
        value = predicted()
        if value is None:
            return
        if schedule is None:
            schedule = self.schedules[tag] = Schedule(value.nbytes)
            self.capture.tags[tag] = self.capture.writer.tag(
                tag, "prediction", np.shape(value), value.dtype
            )
            if not schedule.takes(step):
                return
        self.capture.writer.array(self.capture.tags[tag], step, storable(value))

    def arrays(self, call: Call, step: int, values: list[Any], grads: list[Any]) -> None:
        """Arrays of the sources: whole, as often as their size allows."""
        schedule = self.schedules.get(call.names[call.arrays[0]])
        if schedule is None:
            total = 2 * sum(values[i].nbytes for i in call.arrays)
            schedule = self.schedules[call.names[call.arrays[0]]] = Schedule(total)
        if not schedule.takes(step):
            return
        self.whole[call.names[call.arrays[0]]] = step
        for i in call.arrays:
            for side, value in (("value", values[i]), ("grad", grads[i])):
                if value is not None:
                    self.capture.writer.array(
                        self.capture.tags[f"{side}/{call.names[i]}"], step, storable(value)
                    )

    def last(self, call: Call, step: int, values: list[Any]) -> None:
        """Arrays of Variables at the last step, at whichever their size allows them."""
        if not call.arrays or call.sources is None:  # a user's array may have been written to
            return
        if self.whole.get(call.names[call.arrays[0]]) == step:
            return
        for i in call.arrays:
            tag = self.capture.tags[f"value/{call.names[i]}"]
            self.capture.writer.array(tag, step, storable(values[i]))
