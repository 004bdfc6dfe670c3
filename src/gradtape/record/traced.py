"""The graph of a gradient in a compiled function, made while the function is traced.

The tape in the function records as any other, on symbols in place of numbers. So its graph is that
of `graphs.py`; which arrays enter is known only at each call: the program gives them back, and the
prediction with them (`program/recorded.py`).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.symbol import Symbol
from ..core.tensor import raw
from .graphs import graph_of
from .kept import slot
from .structures import result_of

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
    """

    def __init__(self, graph: dict[str, Any], names: list[str]) -> None:
        self._graph, self._names = graph, names
        self.tags: list[str] = []
        self.constants: dict[str, Any] = {}

    def graph(self, names: list[str]) -> dict[str, Any]:
        """The graph, with what the run calls the sources."""
        known = {
            f"value/{old}": (f"value/{new}", new)
            for old, new in zip(self._names, names, strict=True)
        }
        nodes = []
        for node in self._graph["nodes"]:
            if node.get("tag") in known:
                tag, name = known[node["tag"]]
                node = {**node, "tag": tag, "name": name}
            nodes.append(node)
        sources = {
            known[tag][0] if tag in known else tag: i for tag, i in self._graph["sources"].items()
        }
        return {**self._graph, "nodes": nodes, "sources": sources}


def look(recorder: Any, targets: Any, sources: Any) -> tuple[Any, list[Any]]:
    """(a Traced, the values that are to be told at each call), or (None, []) if it has no graph."""
    names = [f"source {i}" for i in range(len(sources))]
    try:
        graph = graph_of(recorder, targets, sources, names)
    except Exception:  # a graph less is no reason to end the user's call
        return None, []
    found, values = Traced(graph, names), []
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
