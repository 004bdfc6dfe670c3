"""Constants of a graph that the script computed from its values: masks, shifts.

`np.where(z > 0, z, 0.1 * z)` compares outside of the tape, since a comparison has no derivative:
the mask enters as a constant array. At other parameters it would be another one. So such an input
is looked for among simple functions of the nodes before it, `z > 0` or the maximum along an axis;
where one gives exactly what was recorded, the node is computed in place of being read.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ...errors import RunError
from ..replay import Replay

__all__ = ["recomputed"]

_COMPARISONS = {
    "greater": np.greater, "greater_equal": np.greater_equal, "less": np.less,
    "less_equal": np.less_equal,
}  # fmt: skip
_FEWEST = 8  # entries of an array that say enough
_MOST = 6  # nodes before an input that are tried
_LOOKS = 3  # moments at which it is looked


def recomputed(
    replay: Replay, value: Callable[[str], Any], graph: dict[str, Any], known: dict[Any, Any]
) -> dict[str, Any]:
    """The graph with its derived inputs as operations; the same object where there are none.

    `value` gives what a tag held. `known` holds what was found for this graph at other moments:
    node of the input, and what it becomes, or None. It is looked at again at the first moments.
    """
    found = known.setdefault("derived", {})
    if known.get("looks", 0) < _LOOKS:
        known["looks"] = known.get("looks", 0) + 1
        inputs = {tag: value(tag) for tag in replay.tags}
        candidates = [
            (inputs[tag], node)
            for tag, node in replay.tags.items()
            if tag.startswith("input/") and _may_be(inputs[tag], replay.nodes, node)
        ]
        if candidates:
            given = {tag: array for tag, array in inputs.items() if array is not None}
            _look(replay, given, candidates, found)
    changed = {node: rule for node, rule in found.items() if rule is not None}
    if not changed:
        return graph
    graph = copy.copy(graph)
    graph["nodes"] = [
        {**n, **changed[n["id"]], "kind": "op", "plain": True} if n["id"] in changed else n
        for n in replay.nodes
    ]
    return graph


def _look(
    replay: Replay, given: Mapping[str, Any], candidates: list[Any], known: dict[Any, Any]
) -> None:
    """Find of which node before it each input is a function; all nodes are computed in one go."""
    wanted = {node: _fitting(replay, np.asarray(array), node) for array, node in candidates}
    every = sorted({i for fitting in wanted.values() for i in fitting})
    try:
        found = replay.run(given, every)
    except RunError:
        found = {}
    for array, node in candidates:
        if node in known and known[node] is None:
            continue  # at another moment it was no function
        rule = None
        for i in wanted[node]:
            rule = _rule(np.asarray(array), np.asarray(found[i])) if i in found else None
            if rule is not None:
                rule = {"in": [i], **rule}
                break
        known[node] = rule


def _fitting(replay: Replay, recorded: Any, node: int) -> list[int]:
    """The nodes before an input that it may be a function of, the nearest first."""
    is_mask = recorded.dtype.kind == "b"
    found: list[int] = []
    for n in reversed(replay.nodes[:node]):
        if n["kind"] != "op" or not (
            n["shape"] == list(recorded.shape) or (not is_mask and _is_wider(n, recorded))
        ):
            continue
        found.append(n["id"])
        if len(found) == _MOST:
            break
    return found


def _is_wider(node: Mapping[str, Any], recorded: Any) -> bool:
    return bool(node["shape"][:-1] == list(recorded.shape[:-1]))


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
