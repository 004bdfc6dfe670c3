"""The graph of a gradient in a compiled function, made while the function is traced.

The tape in the function records as any other, on symbols in place of numbers. So its graph is that
of `graphs.py`; which arrays enter is known only at each call: the program gives them back, and the
prediction with them (`program/recorded.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.observing import Keeping
from ..core.state import KEYS
from ..core.symbol import Symbol
from ..core.tensor import raw
from ..core.variable import Variable
from .costs import Cost
from .graphs import graph_of
from .kept import slot
from .structures import Snapshot, result_of

__all__ = ["Traced", "look"]

_MOST = 1 << 20  # entries of an array that is given back at each call


class Traced:
    """What the records of one gradient in a compiled function say.

    Attributes
    ----------
    tags : list of str
        Of the values that are told at each call: inputs, and `prediction`.
    constants : dict
        Arrays that are the same at each call, by tag.
    records : Snapshot
        The records themselves, with symbols in place of numbers.
    targets, sources : list of (key, value)
        As they were when the gradient was asked.
    """

    def __init__(self, recorder: Any, targets: Any, sources: Any) -> None:
        self.records = Snapshot(recorder)
        self.targets = [(t.key, raw(t)) for t in targets]
        self.sources = [(s.key, raw(s)) for s in sources]
        self._graph: dict[str, Any] = {}
        self._names: list[str] = []
        self._held: dict[str, Variable] = {}
        self.tags: list[str] = []
        self.constants: dict[str, Any] = {}

    @property
    def has_graph(self) -> bool:
        """Whether a graph was asked for, and could be made."""
        return bool(self._graph)

    def takes(self, graph: dict[str, Any], names: list[str], held: dict[str, Variable]) -> None:
        """The graph of the records, with sources and Variables named for now."""
        self._graph, self._names, self._held = graph, names, held

    def graph(
        self, names: list[str], name_of: Callable[[Variable], str], cost: Cost, asked: list[int]
    ) -> dict[str, Any]:
        """The graph, with what the run calls sources, other Variables, and inputs.

        `asked` are the keys of Variables of which a gradient is asked, here or by another call.
        """
        known = dict(zip(self._names, names, strict=True))

        def tagged(tag: str) -> str:
            kind, _, old = tag.partition("/")
            if kind == "value":
                return f"value/{known[old]}"
            return self.renamed(tag, name_of, cost, asked)

        nodes = []
        for node in self._graph["nodes"]:
            if "tag" in node:
                node = {**node, "tag": tagged(node["tag"])}
                if node["kind"] != "input":
                    node["name"] = node["tag"].rpartition("/")[2]
            nodes.append(node)
        roles = dict(self._graph["roles"])
        roles |= {role: tagged(roles[role]) for role in ("x", "y") if roles[role] is not None}
        ends = {
            which: {tagged(tag): i for tag, i in self._graph[which].items()}
            for which in ("sources", "inputs")
        }
        return {**self._graph, **ends, "nodes": nodes, "roles": roles}

    def renamed(
        self, tag: str, name_of: Callable[[Variable], str], cost: Cost, asked: list[int]
    ) -> str:
        """The tag of an input, or of a Variable beside the sources, in the run of a cost."""
        stem, _, rest = tag.partition("/")
        variable = self._held.get(tag)
        if variable is None:
            return f"{cost.tag(stem)}/{rest}"
        stem = "value" if variable.key in asked else cost.tag(stem)
        return f"{stem}/{name_of(variable)}"


def look(recorder: Any, targets: Any, sources: Any) -> tuple[Any, list[Any]]:
    """(a Traced, the values that are to be told at each call)."""
    found, values = Traced(recorder, targets, sources), []
    if not Keeping.everything:
        return found, []
    names = [f"source {i}" for i in range(len(sources))]
    asked = {s.key for s in sources}
    leaves = [leaf for leaf in recorder.leaves.values() if isinstance(leaf, Variable)]
    held = {f"held/{n}": leaf for n, leaf in enumerate(leaves) if leaf.key not in asked}
    known = {leaf.key: tag.removeprefix("held/") for tag, leaf in held.items()}
    try:
        graph = graph_of(recorder, targets, sources, names, known=known, others="held")
    except Exception:  # a graph less is no reason to end the user's call
        return found, []
    found.takes(graph, names, held)
    for tag in graph["sources"]:
        value = _as_read(recorder, held[tag].key) if tag in held else None
        if isinstance(value, Symbol) and math.prod(value.shape) <= _MOST:
            found.tags.append(tag)
            values.append(value)
    for tag, node in graph["inputs"].items():
        slots = graph["nodes"][node]["slots"]
        value = raw(slot(recorder, *slots[0])) if slots else None
        if isinstance(value, Symbol):
            if math.prod(value.shape) <= _MOST:
                found.tags.append(tag)
                values.append(value)
        elif value is not None:
            found.constants[tag] = np.array(value)
    chosen = graph["prediction"]
    record = graph["nodes"][chosen].get("record") if chosen is not None else None
    out = raw(result_of(recorder.ops[record])) if record is not None else None
    if isinstance(out, Symbol) and not isinstance(out, Aval):
        found.tags.append("prediction")
        values.append(out)
    return found, values


def _as_read(recorder: Any, key: int) -> Any:
    """The value of a leaf, from a record that read it."""
    for index, rec in enumerate(recorder.ops):
        keys = rec[KEYS] if type(rec[KEYS]) is tuple else rec[5:7]
        for i, k in enumerate(keys):
            value = raw(slot(recorder, index, i)) if k == key else None
            if value is not None:
                return value
    return None
