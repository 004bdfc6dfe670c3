"""Details: every value and cotangent of one step, and the first of them that is not finite.

They are read from the residuals of the step's records. Cotangents come from playing the records
backwards once more, which changes nothing that the records hold.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from ..core.positions import Position
from ..core.state import OUT
from ..core.sweep import quiet
from ..core.tensor import raw
from ..tape.nonfinite import operand_facts
from ..tape.sweeping import seeds_of
from . import graphs, inside
from .schema import FIELDS
from .structures import Snapshot

__all__ = ["alarm", "cotangents", "range_of", "statistics", "write", "write_nodes"]

MOST_BYTES = 4 << 20  # of one array; of larger ones only the statistics are kept
NAN = float("nan")


class Made(Protocol):
    """What knows the graph of a step."""

    @property
    def number(self) -> int: ...
    @property
    def graph(self) -> dict[str, Any]: ...


def statistics(x: Any) -> list[float]:
    """Minimum, maximum, mean, norm, how many are not finite, and the fraction of zeros.

    The first four are those of the finite elements; where there is none, of all, so that a number
    that is infinite is told from a NaN.

    >>> statistics(np.array([3.0, -4.0, np.inf, 0.0]))
    [-4.0, 3.0, -0.3333333333333333, 5.0, 1.0, 0.25]
    >>> statistics(np.array(-np.inf))
    [-inf, -inf, -inf, inf, 1.0, 0.0]
    """
    if x is None:
        return [NAN] * 6
    array = np.asarray(x)
    if array.dtype.kind not in "fciub" or not array.size:
        return [NAN] * 6
    if array.dtype.kind == "c":
        array = np.abs(array)
    array = array.astype(np.float64, copy=False).reshape(-1)
    finite = np.isfinite(array)
    bad = array.size - int(np.count_nonzero(finite))
    zeros = float(1.0 - np.count_nonzero(array) / array.size)
    seen = array[finite] if 0 < bad < array.size else array
    with np.errstate(all="ignore"):
        return [
            float(seen.min()), float(seen.max()), float(seen.mean()),
            float(np.sqrt(seen.dot(seen))), float(bad), zeros,
        ]  # fmt: skip


def cotangents(held: Any, targets: Any) -> tuple[dict[int, Any], dict[int, Any]]:
    """(cotangent of each record's result, by its index; of each leaf, by its key)."""
    grads: dict[int, Any] = seeds_of(targets, None, False)
    found: dict[int, Any] = {}
    with quiet():
        for index in range(len(held.ops) - 1, -1, -1):
            rec = held.ops[index]
            g = grads.pop(rec[OUT], None)
            if g is None:
                continue
            found[index] = g
            rec[0](rec, g, grads)
    return found, grads


def write(
    capture: Any, step: int, structure: Made, held: Snapshot, targets: Any, sources: Any
) -> None:
    """Write the values and cotangents of all nodes of a step.

    `structure` says what its graph is, and which number that has. `sources` are name, key and
    value of each.
    """
    graph = structure.graph
    given = {f"value/{name}": value for name, _, value in sources}
    recorder: Any = held
    values = graphs.values_of(recorder, graph, given)
    try:
        by_record, by_key = cotangents(held, targets)
    except Exception:  # a rule of the user's own: what it needs may be gone
        by_record, by_key = {}, {}
    leaves = {name: key for name, key, _ in sources}
    found = []
    within = inside.sides_of(held, graph, by_record)
    for node, value in zip(graph["nodes"], values, strict=True):
        ct = None
        if "within" in node:
            value, ct = within.get(tuple(node["within"]), (value, None))
        elif "record" in node:
            ct = by_record.get(node["record"])
        elif node["kind"] in ("variable", "source"):
            ct = by_key.get(leaves.get(node.get("name"), -1))
        found.append((value, None if ct is None or type(ct) is list else raw(ct)))
    write_nodes(capture.writer, step, structure.number, found)


def write_nodes(writer: Any, step: int, graph: int, nodes: list[tuple[Any, Any]]) -> None:
    """Write value and cotangent of each node of a graph, None where one is not known."""
    matrix = np.full((len(nodes), len(FIELDS)), NAN)
    for n, sides in enumerate(nodes):
        matrix[n] = [*statistics(sides[0]), *statistics(sides[1])]
        for side, value in enumerate(sides):
            if value is None:
                continue
            array = np.asarray(value)
            if array.dtype.kind in "fciub" and array.nbytes <= MOST_BYTES:
                writer.node_array(step, graph, n, side, np.array(array))
    writer.node_values(step, graph, matrix)


def range_of(name: str, value: Any) -> dict[str, Any]:
    """Name, range and shape of an operand, as an event has them."""
    return operand_facts(name, value).facts()


def alarm(
    capture: Any, structure: Made | None, recorder: Any, targets: Any, sources: Any,
    results: Any, step: int, asked: Position | None = None,
) -> bool:  # fmt: skip
    """Write the event that names the first value of a step that is not finite, if there is one."""
    found, within = inside.first_of(recorder, targets, sources, results)
    if found is None:
        return False
    data = found.facts()
    if found.op == "gradient" and asked is not None:  # the records are used up
        data |= {"file": asked.filename, "line": asked.line}
    data["graph"] = structure.number if structure is not None else None
    data["node"] = None
    if structure is not None and found.index is not None:
        for node in structure.graph["nodes"]:
            if node.get("within", node.get("record")) == (within or found.index):
                data["node"] = node["id"]
                break
    capture.notices.event("nonfinite", step, data)
    return True
