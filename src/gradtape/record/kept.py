"""What the records of a step keep, read through the graph: arrays, numbers, forward values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.state import KEYS, PARAMS, RUN, Recorder
from ..core.sweep import run_item
from ..core.symbol import Symbol
from ..core.tensor import raw
from ..graph.coding import Writer

__all__ = ["ParamWriter", "inputs_of", "is_same", "numbers_of", "operands_of", "slot", "values_of"]


class ParamWriter(Writer):
    """A Writer for which NumPy's whole numbers are Python's, and symbols are arrays."""

    def static(self, x: Any) -> Any:
        x = raw(x)
        if isinstance(x, np.integer | np.bool_):
            return x.item()
        if type(x) is Symbol:  # while a compiled function is traced
            self.arrays.append(x)
            return ["a", len(self.arrays) - 1]
        return super().static(x)


def is_same(a: Any, b: Any) -> bool:
    """Whether two arrays have one shape, dtype and content."""
    if a is b:
        return True
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    return a.tobytes() == b.tobytes()  # type: ignore[no-any-return]


def operands_of(rec: list[Any]) -> Sequence[Any]:
    """The operands that a general record keeps; a rule of the user's own keeps none."""
    return rec[9] if len(rec) > 9 and type(rec[9]) in (tuple, list) else ()


def slot(recorder: Recorder, index: int, i: int) -> Any:
    """What entered at a slot; None where the record did not keep it."""
    rec = recorder.ops[index]
    if len(rec) <= 9:
        return None
    if type(rec[KEYS]) is not tuple:
        return rec[9 + i]
    if i >= 0:
        values = operands_of(rec)
        value = values[i] if i < len(values) else None
        return None if isinstance(value, Aval) else value
    writer = ParamWriter()
    writer.static(rec[PARAMS])
    return writer.arrays[-1 - i]


def inputs_of(
    recorder: Recorder,
    graph: Mapping[str, Any],
    kept: Mapping[tuple[int, int], Any] | None = None,
) -> dict[str, Any] | None:
    """The constant arrays of this step, by tag; those that no record kept are missing.

    None where one array entered at two places when the graph was made, and now two do: the step
    needs a graph of its own. The arrays are the records' own: copy what is to be kept longer.
    """
    found: dict[str, Any] = {}
    for tag, node in graph["inputs"].items():
        array: Any = None
        for index, i in graph["nodes"][node]["slots"]:
            value = kept.get((index, i)) if kept else None
            if value is None:
                value = slot(recorder, index, i)
            if value is None:
                continue
            value = np.asarray(raw(value))
            if array is None:
                array = value
            elif not is_same(array, value):
                return None
        if array is not None:
            found[tag] = array
    return found


def numbers_of(recorder: Recorder, graph: Mapping[str, Any]) -> dict[int, Any]:
    """The numbers of this step that are others than in the graph, by node."""
    found: dict[int, Any] = {}
    for node in graph["nodes"]:
        if node["kind"] != "constant":
            continue
        for index, i in node["slots"]:
            value = slot(recorder, index, i)
            if value is not None:
                said = node["value"]
                if type(said) is list:
                    said = complex(*said)
                if raw(value) != said:
                    found[node["id"]] = value
                break
    return found


def values_of(
    recorder: Recorder, graph: Mapping[str, Any], given: Mapping[str, Any] | None = None
) -> list[Any]:
    """The forward value of each node where it is still there: an array or a number, else None.

    A value is taken from the record that made it, or from one that reads it; those of variables,
    sources and inputs from `given`, by tag, or else from a record that reads them.
    """
    known: dict[int, Any] = {}  # by node
    by_record = {n["record"]: n["id"] for n in graph["nodes"] if "record" in n}
    reads: dict[tuple[int, int], int] = {}
    for node in graph["nodes"]:
        for index, i in node.get("slots", ()):
            reads[index, i] = node["id"]
        if "record" in node:
            for i, operand in enumerate(node["in"]):
                reads[node["record"], i] = operand
    for index, rec in enumerate(recorder.ops):
        if len(rec) <= 9 or rec[RUN] is run_item or index not in by_record:
            continue
        if type(rec[KEYS]) is tuple:
            values, out = operands_of(rec), rec[10] if rec[11] is None else None
        else:
            values, out = rec[9:11], rec[11]
        for i, value in enumerate(values):
            if value is not None and not isinstance(value, Aval) and (index, i) in reads:
                known.setdefault(reads[index, i], value)
        if out is not None and not isinstance(out, Aval):
            known[by_record[index]] = out
    found: list[Any] = []
    for node in graph["nodes"]:
        value = given.get(node.get("tag", "")) if given else None
        if node["kind"] == "constant":
            said = node["value"]
            value = complex(*said) if type(said) is list else said
        found.append(known.get(node["id"]) if value is None else value)
    return found
