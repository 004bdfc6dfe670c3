"""Which nodes of a graph are the inputs x, the targets y and the prediction: a guess.

The cost compares the prediction with a constant array, the target. So the guess looks, from the
cost backwards, for the last operation between an array that entered as it is and a node of the
same shape that depends on the parameters: a difference first (`y - p`), then what cross-entropy
does (`y * log(p)`, or `log(p)` at the index y). Behind a logarithm, clipping and the normalisation
of a log-softmax stand the probabilities or the logits, which are the prediction.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["guess"]

_DIFFERENCES = frozenset(("subtract",))
_PRODUCTS = frozenset(("multiply", "multiply_no_nan", "divide", "where", "power", "maximum",
                       "einsum", "tensordot", "logaddexp"))  # fmt: skip
_PICKS = frozenset(("getitem", "order_statistics"))
# What stands between a prediction and the logarithm that a cross-entropy takes of it.
_SAFE = frozenset(("clip", "maximum", "minimum", "add", "copy", "astype"))
_LOGS = frozenset(("log", "log1p", "log2", "log10"))


def guess(graph: Mapping[str, Any]) -> dict[str, Any]:
    """The roles in a graph: tags of x and y, the node of the prediction; None where unknown.

    Examples
    --------
    >>> import numpy as np, gradtape as gt
    >>> from gradtape.record.graphs import graph_of
    >>> a, b = gt.Variable(0.0, name="a"), gt.Variable(1.0, name="b")
    >>> x = np.array([1.0, 2.0, 4.0])
    >>> with gt.GradientTape() as tape:
    ...     line = a + b * x
    ...     cost = np.sum((3 * x - line) ** 2)
    >>> graph = graph_of(tape._recorder, cost, [a, b], ["a", "b"])
    >>> roles = guess(graph)
    >>> roles["x"], roles["y"], graph["nodes"][roles["prediction"]]["text"]
    ('input/0', 'input/1', 'line = a + b * x')
    """
    return _Guess(graph).roles()


class _Guess:
    def __init__(self, graph: Mapping[str, Any]) -> None:
        self.graph = graph
        self.nodes = graph["nodes"]
        self.moves = _moving(self.nodes)  # whether a node depends on a source

    def roles(self) -> dict[str, Any]:
        found = self._compared()
        if found is None:
            return {"x": self._first_array(None, None), "y": None, "prediction": None}
        y, prediction = found
        return {
            "x": self._first_array(prediction, y),
            "y": self.nodes[y]["tag"],
            "prediction": prediction,
        }

    def _compared(self) -> tuple[int, int] | None:
        other: tuple[int, int] | None = None  # (1 - y) * log(1 - p): the first half tells y
        for operations in (_DIFFERENCES, _PRODUCTS, _PICKS):
            for node in reversed(self.nodes):
                if node["op"] not in operations or not self.moves[node["id"]]:
                    continue
                pair = self._pick(node) if operations is _PICKS else self._pair(node)
                if pair is None or not self._is_loss_after(node["id"]):
                    continue
                if not self._is_complement(pair[1]):
                    return pair[0], self._behind(pair[1])
                other = other or (pair[0], self._behind(pair[1]))
        return other

    def _pair(self, node: Mapping[str, Any]) -> tuple[int, int] | None:
        """(constant array, what it is compared with) in one operation."""
        constants = [i for i in node["in"] if self._is_array(i)]
        for y in constants:
            shape = self.nodes[y]["shape"]
            for p in node["in"]:
                same = self.nodes[p]["shape"] == shape
                if not self.moves[p] or not same or self.nodes[p]["kind"] != "op":
                    continue
                if node["op"] != "where" or self.nodes[p]["op"] in _LOGS:
                    return y, p
        return None

    def _pick(self, node: Mapping[str, Any]) -> tuple[int, int] | None:
        """(labels, what is picked from) of `p[rows, labels]`."""
        p = node["in"][0]
        shape = self.nodes[p]["shape"]
        if len(shape) != 2 or not self.moves[p] or self.nodes[p]["kind"] != "op":
            return None
        held = [i for i in node.get("held", ()) if math.prod(self.nodes[i]["shape"]) == shape[0]]
        return (held[-1], p) if held else None

    def _is_array(self, i: int) -> bool:
        node = self.nodes[i]
        return bool(node["kind"] == "input") and math.prod(node["shape"]) > 1

    def _is_loss_after(self, i: int) -> bool:
        """Whether no parameter enters between a node and the cost, but in sums of numbers."""
        after = {i}
        for node in self.nodes[i + 1 :]:
            if after.isdisjoint(node["in"]):
                continue
            after.add(node["id"])
            enters = any(self.nodes[k]["kind"] in ("variable", "source") for k in node["in"])
            if enters and node["shape"]:
                return False
        return True

    def _is_complement(self, i: int) -> bool:
        """Whether a node is the logarithm of 1 - p."""
        node = self.nodes[i]
        if node["op"] not in _LOGS:
            return False
        inner = self.nodes[self._through(node["in"][0])]
        return inner["op"] == "subtract" and not self.moves[inner["in"][0]]

    def _behind(self, i: int) -> int:
        """The prediction behind the logarithm of a cross-entropy, where there is one."""
        node = self.nodes[i]
        if node["op"] in _LOGS:
            inner = self._through(node["in"][0])
            if self._is_complement(i):
                return self._through(self.nodes[inner]["in"][1])
            return inner
        while node["op"] == "subtract":  # z - log(sum(exp(z))), and before it z - max(z)
            first, second = node["in"]
            smaller = math.prod(self.nodes[second]["shape"]) < math.prod(node["shape"])
            if not self.moves[first] or not smaller or self.nodes[first]["kind"] != "op":
                break
            i = first
            node = self.nodes[i]
        return i

    def _through(self, i: int) -> int:
        """The node behind clipping and small sums that keep a logarithm finite."""
        node = self.nodes[i]
        while node["op"] in _SAFE:
            moving = [k for k in node["in"] if self.moves[k]]
            if len(moving) != 1 or self.nodes[moving[0]]["kind"] != "op":
                break
            if any(math.prod(self.nodes[k]["shape"]) > 1 for k in node["in"] if k != moving[0]):
                break
            i = moving[0]
            node = self.nodes[i]
        return i

    def _first_array(self, prediction: int | None, y: int | None) -> str | None:
        """The tag of the first array that feeds the prediction."""
        end = prediction if prediction is not None else self.graph.get("target")
        if end is None:
            return None
        feeds = _upstream(self.nodes, end)
        rows = self.nodes[prediction]["shape"][:1] if prediction is not None else None
        candidates = [
            n for n in self.nodes
            if n["id"] in feeds and n["id"] != y and self._is_array(n["id"])
            and not self._is_choice(n["id"])
        ]  # fmt: skip
        fitting = [n for n in candidates if n["shape"][:1] == rows and n["dtype"] != "bool"]
        chosen = fitting or [n for n in candidates if n["dtype"] != "bool"]
        return chosen[0]["tag"] if chosen else None


    def _is_choice(self, i: int) -> bool:
        """Whether an array only says which rows of a result are read, and is no input."""
        if self.nodes[i]["dtype"][:3] not in ("int", "uin"):
            return False
        users = [n for n in self.nodes if i in n["in"] or i in n.get("held", ())]
        return bool(users) and all(
            user["op"] == "getitem" and self.nodes[user["in"][0]]["kind"] == "op"
            and self.moves[user["in"][0]] for user in users
        )  # fmt: skip


def _moving(nodes: Any) -> list[bool]:
    moves: list[bool] = []
    for node in nodes:
        moves.append(node["kind"] in ("variable", "source") or any(moves[i] for i in node["in"]))
    return moves


def _upstream(nodes: Any, end: int) -> set[int]:
    """The nodes that one depends on, and it itself."""
    found = {end}
    for node in reversed(nodes[: end + 1]):
        if node["id"] in found:
            found.update(node["in"])
            found.update(node.get("held", ()))
    return found
