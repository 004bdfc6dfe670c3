"""A run at one step: its graph, ready to be computed, and the values that the record holds.

Scalars are in the rows of every step. Arrays are stored at some steps only; where those of a step
are missing, a moment is that of the last step before at which all of them are there, and says so.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np

from ...errors import RunError
from ..replay import Replay
from .derived import recomputed

__all__ = ["Moment", "Nothing", "parameters", "said"]

# by reader, then by the number of the graph: the graph, and what is known of its derived inputs
_graphs: weakref.WeakKeyDictionary[Any, dict[int, Any]] = weakref.WeakKeyDictionary()
_MOST_GRAPHS = 16
_guard = threading.RLock()  # several threads of a server ask of one reader


class Nothing(Exception):
    """There is nothing to draw, with the sentence that says why."""


def said(error: Exception) -> str:
    """An error in three parts as sentences on one line."""
    return " ".join(str(error).split())


def _graph_at(reader: Any, step: float) -> tuple[dict[str, Any] | None, dict[Any, Any]]:
    """(the graph at a step, what is known of its derived inputs); None where there is no graph."""
    found = None
    for start, number in reader.structures():
        if start <= step or found is None:
            found = number
    if found is None:
        return None, {}
    with _guard:
        known = _graphs.setdefault(reader, {})
        if found not in known:
            while len(known) >= _MOST_GRAPHS:
                del known[next(iter(known))]
            known[found] = reader.graph_by_id(found), {}
        graph, derived = known[found]
    return graph, derived


def parameters(reader: Any) -> tuple[list[str], list[str]]:
    """(the scalar sources, those with arrays), by tag, in the order in which they appeared."""
    scalars = [c.name for c in reader.columns() if c.name.startswith("value/")]
    arrays = [
        t.name
        for t in reader.tags()
        if t.name.startswith("value/") and t.name not in scalars and reader.arrays(t.name)
    ]
    return scalars, arrays


class Moment:
    """What a run held at a step.

    Parameters
    ----------
    reader : Reader
    step : int
        A step that was recorded, or one after it.

    Attributes
    ----------
    step : int
        The step that was asked for, or the last one before it that was recorded.
    at : int
        The step whose values these are: an earlier one where arrays were not stored at `step`.
    known : dict
        What was found out about this graph, at this moment or another.
    notes : list of str
        What is not as it seems, in sentences.
    """

    def __init__(self, reader: Any, step: int) -> None:
        self.reader = reader
        steps = reader.steps()
        before = int(np.searchsorted(steps, step, "right"))
        if not len(steps):
            raise Nothing("No step has been recorded yet.")
        self.step = int(steps[max(before - 1, 0)])
        self.notes: list[str] = []
        self.graph, self.known = _graph_at(reader, self.step)
        self.columns = {c.name for c in reader.columns()}
        self.tags = {t.name: t for t in reader.tags()}
        self._values: dict[str, Any] = {}
        self.at = self._last_whole()

    def _last_whole(self) -> int:
        """The last step up to this one at which all arrays that change with it were stored."""
        if self.graph is None:
            return self.step
        common: np.ndarray[Any, Any] | None = None
        for tag in (*self._list("sources"), *self._thinned()):
            if tag in self.columns or tag not in self.tags:
                continue
            held = np.array(self.reader.arrays(tag))
            held = held[held <= self.step]
            common = held if common is None else np.intersect1d(common, held)
        if common is None or not len(common):
            return self.step
        at = int(common[-1])
        if at != self.step:
            self.notes.append(f"Arrays of step {at}: those of step {self.step} were not stored.")
        return at

    def _list(self, name: str) -> list[str]:
        """The tags of the graph's sources or inputs."""
        found = self.graph.get(name) if self.graph is not None else None
        return list(found) if isinstance(found, dict) else []

    def _thinned(self) -> list[str]:
        """The inputs that change more often than they are stored: mini-batches of a long run."""
        since = self.reader.meta().get("thinned")
        if not isinstance(since, dict):
            return []
        return [
            tag
            for tag in self._list("inputs")
            if isinstance(since.get(tag), int) and since[tag] <= self.step
        ]

    # ------------------------------------------------------------------------- values

    def value(self, tag: str) -> Any:
        """What a tag held; None where nothing is known of it."""
        if tag not in self._values:
            self._values[tag] = self._read(tag)
        return self._values[tag]

    def _read(self, tag: str) -> Any:
        if tag in self.columns:
            steps, values = self.reader.series(tag, None, self.at + 1)
            return values[-1] if len(steps) else None
        if tag not in self.tags:
            return None
        try:
            return self.reader.array(tag, self.at)[0]
        except RunError:
            return None

    def exactly(self, tag: str) -> Any:
        """What was stored of a tag at the step of the values; None where nothing was."""
        if tag not in self.tags:
            return None
        try:
            array, since = self.reader.array(tag, self.at)
        except RunError:
            return None
        return array if since == self.at else None

    def values(self, tags: Iterable[str]) -> dict[str, Any]:
        """Values by tag; Nothing where one is missing."""
        found = {tag: self.value(tag) for tag in tags}
        missing = sorted(tag for tag, value in found.items() if value is None)
        if missing:
            names = ", ".join(missing[:4])
            raise Nothing(
                f"The record does not hold {names} at step {self.step}, so the operations cannot "
                "be computed again. Record with level='standard' or 'full'."
            )
        return found

    def label(self, tag: str, otherwise: str) -> str:
        """What the user calls the array of a tag."""
        known = self.tags.get(tag)
        name = known.info.get("label") if known is not None else None
        if not name and self.graph is not None:
            nodes = self.graph.get("nodes")
            node = (self.graph.get("inputs") or {}).get(tag)
            if isinstance(nodes, list) and type(node) is int and 0 <= node < len(nodes):
                name = nodes[node].get("name")
        return str(name)[:80] if name else otherwise

    # ------------------------------------------------------------------------- roles

    @cached_property
    def roles(self) -> dict[str, Any]:
        """Tags of x, y and prediction: the user's word, or the guess."""
        guess = (self.graph or {}).get("roles") or {}
        meant = self.reader.meta().get("roles")
        meant = meant if isinstance(meant, dict) else {}
        return {
            role: meant.get(role) if isinstance(meant.get(role), str) else guess.get(role)
            for role in ("x", "y", "prediction")
        }

    @cached_property
    def replay(self) -> Replay:
        """The graph, with what the tape did not see computed again where that can be told."""
        if self.graph is None:
            raise Nothing(
                "The operations were not recorded. Record with level='standard' or 'full'."
            )
        with _guard:
            known = self.known
            if known.get("looks", 0) and "replay" in known:
                plain, derived = known["replay"]
            else:
                plain = derived = Replay(self.graph, seconds=6.0)
            graph = recomputed(plain, self.value, self.graph, known)
            if graph is self.graph:
                derived = plain
            elif derived is plain or known.get("rules") != known["derived"]:
                derived = Replay(graph, seconds=6.0)
                known["rules"] = dict(known["derived"])
            known["replay"] = plain, derived
            return derived  # type: ignore[no-any-return]

    def prediction(self) -> Any:
        """The prediction at the step: as it was stored, else computed again."""
        stored = self.exactly("prediction")
        if stored is not None:
            return stored
        node = self.replay.prediction if self.graph is not None else None
        if node is None:
            nearest = self.value("prediction")
            if nearest is None:
                raise Nothing(
                    "No prediction is known: the cost compares nothing with a constant array. Say "
                    "which it is with run.roles(x=..., y=..., prediction=...)."
                )
            self.notes.append("The prediction is of the last step at which it was stored.")
            return nearest
        return self.replay.run(self.values(self.replay.needs([node])), [node])[node]
