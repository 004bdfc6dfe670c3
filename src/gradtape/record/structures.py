"""Structures: the graph of a step, made once, and what of each later step is read by it.

`Structure.fits` tells at the price of a comparison per record whether a tape has recorded the
same operations at the same places as before. Where it has, constant arrays, numbers and the
prediction are read from where the graph says that they stand.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.state import CARD, CODE, LASTI, OUT
from ..core.tensor import raw
from ..graph.evaluate import run_node
from ..graph.ir import Constant

__all__ = ["Snapshot", "Structure", "bytes_of"]


class Snapshot:
    """What a recorder holds at a gradient, beyond the life of its residuals."""

    __slots__ = ("leaves", "ops", "spans")

    def __init__(self, recorder: Any) -> None:
        self.ops = [rec[:] for rec in recorder.ops]
        self.leaves = recorder.leaves
        self.spans = recorder.spans if recorder._spans is not None else ()


class Structure:
    """The records of a step, without their values, and the graph that they make.

    Attributes
    ----------
    graph : dict
        What `graphs.graph_of` says.
    number : int
        Of the graph in the run.
    inputs : list of (tag, slots)
        The constant arrays that enter; a slot is (record, operand).
    held : list of (tag, Variable)
        The Variables that feed the target and are no sources.
    numbers : list of (record, operand, value)
        The numbers that stand in the graph.
    prediction : int or None
        The record whose result is the prediction; None where there is none, or a compiled
        function has computed it.
    nbytes : int
        About how much memory the values of one step take.
    """

    def __init__(self, recorder: Any, targets: list[Any], graph: dict[str, Any], number: int):
        self.graph, self.number = graph, number
        self.varying: frozenset[int] = frozenset()
        self._rows = [_signature(rec) for rec in recorder.ops]
        self._target = _place_of(recorder, targets)
        nodes = graph["nodes"]
        self.inputs: list[tuple[str, list[tuple[int, int]]]] = []
        self.needs_parameters = False  # an input stands among the parameters of a record
        for tag, node in graph["inputs"].items():
            slots = [(index, i) for index, i in nodes[node].get("slots", ())]
            self.needs_parameters = self.needs_parameters or any(i < 0 for _, i in slots)
            self.inputs.append((tag, slots))
        self.held: list[tuple[str, Any]] = []
        self.shared = [slots for _, slots in self.inputs if len(slots) > 1]
        self.numbers: list[tuple[int, int, Any]] = []
        for node in nodes:
            if node["kind"] == "constant":
                for index, i in node.get("slots", ())[:1]:
                    value = value_at(recorder.ops, index, i) if i >= 0 else None
                    if value is not None:
                        self.numbers.append((index, i, value))
        chosen = graph.get("prediction")
        record = nodes[chosen].get("record") if chosen is not None else None
        self.prediction: int | None = record
        self._slot, self._within = None, None
        if chosen is not None and record is None:
            self._slot = next(
                ((n["record"], n["in"].index(chosen)) for n in nodes
                 if "record" in n and chosen in n["in"]), None,
            )  # fmt: skip
            self._within = nodes[chosen].get("within")
        self.has_prediction = chosen is not None
        self.nbytes = sum(bytes_of(rec) for rec in recorder.ops)

    def predicted(self, ops: list[list[Any]]) -> Any:
        """The prediction of a step: its record's result, or an operand, or computed again."""
        if self.prediction is not None:
            return result_of(ops[self.prediction])
        found = value_at(ops, *self._slot) if self._slot is not None else None
        if found is None and self._within is not None:
            try:
                found = _computed(ops, *self._within)
            except Exception:  # a function of the user's own, which may not be run once more
                self._within = None
        return None if found is None else np.asarray(raw(found))

    def fits(self, ops: list[list[Any]], targets: list[Any]) -> bool:
        """Whether these records have the structure."""
        if len(ops) != len(self._rows):
            return False
        for rec, (card, code, lasti, kx, dx, ky, dy, shapes, params) in zip(
            ops, self._rows, strict=True
        ):
            if rec[1] is not card or rec[4] != lasti or rec[3] is not code or rec[7] != shapes:
                return False
            k, out = rec[5], rec[2]
            if type(k) is tuple:
                if len(k) != len(kx):
                    return False
                for key, known, distance in zip(k, kx, dx, strict=True):
                    if key != known and out - key != distance and (key > 0 or known > 0):
                        return False
                if params is not None and not _equal(rec[8], params):
                    return False
            else:
                if k != kx and out - k != dx and (k > 0 or kx > 0):
                    return False
                k = rec[6]
                if k != ky and out - k != dy and (k > 0 or ky > 0):
                    return False
        index = self._target
        return index is None or ops[index][2] == targets[0].key

    def numbers_hold(self, ops: list[list[Any]]) -> bool:
        """Whether the numbers that stand in the graph are those of this step."""
        for index, i, value in self.numbers:
            rec = ops[index]
            found = rec[9 + i] if type(rec[5]) is not tuple else rec[9][i]
            if found is not value and found != value and found == found:
                return False
        return True

    def is_shared(self, ops: list[list[Any]]) -> bool:
        """Whether an array that entered at several places when the graph was made does so now."""
        for slots in self.shared:
            first = value_at(ops, *slots[0]) if slots[0][1] >= 0 else None
            for index, i in slots[1:]:
                other = value_at(ops, index, i) if i >= 0 else None
                if first is other or first is None or other is None:
                    continue
                a, b = np.asarray(raw(first)), np.asarray(raw(other))
                if a.shape != b.shape or a.tobytes() != b.tobytes():
                    return False
        return True


def _signature(rec: list[Any]) -> tuple[Any, ...]:
    out, k = rec[OUT], rec[5]
    if type(k) is tuple:
        params = rec[8] if _is_plain(rec[8]) else None
        return (rec[CARD], rec[CODE], rec[LASTI], k, tuple([out - key for key in k]), 0, 0,
                rec[7], params)  # fmt: skip
    return (rec[CARD], rec[CODE], rec[LASTI], k, out - k, rec[6], out - rec[6], rec[7], None)


def _is_plain(params: Any) -> bool:
    """Whether parameters can be compared by ==."""
    if type(params) is dict:
        return all(map(_is_plain, params.values()))
    if type(params) is tuple or type(params) is list:
        return all(map(_is_plain, params))
    if type(params) is slice:
        return all(map(_is_plain, (params.start, params.stop, params.step)))
    return params is None or type(params) in (int, float, bool, str, complex)


def _equal(a: Any, b: Any) -> bool:
    try:
        return bool(a == b)
    except (ValueError, TypeError):  # an array where there was a number
        return False


def _place_of(recorder: Any, targets: list[Any]) -> int | None:
    """The record that made the first target."""
    for index in range(len(recorder.ops) - 1, -1, -1):
        if recorder.ops[index][OUT] == targets[0].key:
            return index
    return None


def value_at(ops: list[list[Any]], index: int, i: int) -> Any:
    """Operand `i` of a record; None where it was not kept."""
    rec = ops[index]
    if len(rec) <= 9:
        return None
    if type(rec[5]) is not tuple:
        return rec[9 + i]
    kept = rec[9]
    value = kept[i] if i < len(kept) else None
    return None if isinstance(value, Aval) else value


def result_of(rec: list[Any]) -> Any:
    """The result that a record kept; None where it did not."""
    if len(rec) <= 9:
        return None
    return rec[10] if type(rec[5]) is tuple else rec[11]


def _computed(ops: list[list[Any]], index: int, n: int, output: int) -> Any:
    """What a node of a compiled function gave, from the operands that its call has kept."""
    rec = ops[index]
    graph, operands = rec[CARD].regions[1], rec[9]
    wanted = graph.nodes[n].outputs[output]
    needed, nodes = {wanted}, []
    for node in reversed(graph.nodes[: n + 1]):
        if not needed.isdisjoint(node.outputs):
            needed.update(node.inputs)
            nodes.append(node)
    known: dict[Any, Any] = {
        value: raw(x) for value, x in zip(graph.inputs, operands, strict=True) if value in needed
    }
    with np.errstate(all="ignore"):
        for node in reversed(nodes):
            given = [v.data if isinstance(v, Constant) else known[v] for v in node.inputs]
            known.update(zip(node.outputs, run_node(node, given), strict=True))
    return known[wanted]


def bytes_of(rec: list[Any]) -> int:
    """About how much memory the result of a record takes."""
    out = result_of(rec)
    return out.nbytes if isinstance(out, np.ndarray) else 32
