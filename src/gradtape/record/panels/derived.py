"""Constants of a graph that the script computed from its values: masks, shifts.

`np.where(z > 0, z, 0.1 * z)` compares outside of the tape, since a comparison has no derivative:
the mask enters as a constant array. At other parameters it would be another one. So such an input
is looked for among simple functions of the nodes before it, `z > 0` or the maximum along an axis;
where one gives exactly what was recorded, the node is computed in place of being read.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..replay import Replay

__all__ = ["recomputed"]

_COMPARISONS = {
    "greater": np.greater, "greater_equal": np.greater_equal, "less": np.less,
    "less_equal": np.less_equal,
}  # fmt: skip
_FEWEST = 8  # entries of an array that say enough


def recomputed(replay: Replay, values: Mapping[str, Any], graph: dict[str, Any]) -> dict[str, Any]:
    """The graph with its derived inputs as operations; the same object where there are none."""
    candidates = [
        (tag, node)
        for tag, node in replay.tags.items()
        if tag.startswith("input/") and _may_be(values.get(tag), replay.nodes, node)
    ]
    if not candidates:
        return graph
    before = max(node for _, node in candidates)
    nodes = [n["id"] for n in replay.nodes[:before] if n["kind"] == "op"]
    computable = [i for i in nodes if not replay.reason([i])]
    known = {t: v for t, v in values.items() if v is not None}
    computable = [i for i in computable if replay.needs([i]) <= known.keys()]
    if not computable:
        return graph
    found = replay.run(known, computable)
    changed: dict[int, dict[str, Any]] = {}
    for tag, node in candidates:
        for i in reversed([i for i in computable if i < node]):
            rule = _rule(np.asarray(values[tag]), np.asarray(found[i]))
            if rule is not None:
                changed[node] = {"in": [i], **rule}
                break
    if not changed:
        return graph
    graph = copy.copy(graph)
    graph["nodes"] = [
        {**n, **changed[n["id"]], "kind": "op", "plain": True} if n["id"] in changed else n
        for n in replay.nodes
    ]
    return graph


def _may_be(value: Any, nodes: Any, node: int) -> bool:
    """Whether an input can be a function of what was computed before it entered."""
    if value is None or np.size(value) < _FEWEST:
        return False
    array = np.asarray(value)
    if array.dtype.kind not in "bf" or not any(n["kind"] == "op" for n in nodes[:node]):
        return False
    return array.dtype.kind == "b" or (array.ndim >= 2 and array.shape[-1] == 1)


def _rule(recorded: Any, node: Any) -> dict[str, Any] | None:
    if recorded.dtype.kind == "b":
        if node.shape != recorded.shape or node.dtype.kind != "f":
            return None
        if recorded.all() or not recorded.any():
            return None
        for name, compare in _COMPARISONS.items():
            if np.array_equal(compare(node, 0), recorded):
                return {"op": name, "params": ["d", ["rest", ["t", 0]]]}
        return None
    if node.ndim != recorded.ndim or node.shape[:-1] != recorded.shape[:-1]:
        return None
    if np.array_equal(node.max(axis=-1, keepdims=True), recorded):
        return {"op": "max", "params": ["d", ["axis", -1], ["keepdims", True]]}
    return None
