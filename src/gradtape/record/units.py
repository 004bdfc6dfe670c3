"""What the nodes of a recorded graph do: units that are flat, parts nobody reads, wide products."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from .evidence import Evidence

__all__ = ["flat_units", "ignored_parts", "widened"]

Node = dict[str, Any]
_KINKS = frozenset(("maximum", "relu", "fmax", "where", "clip", "relu6"))
_LIMITS = {"tanh": (-1.0, 1.0), "expit": (0.0, 1.0), "sigmoid": (0.0, 1.0)}
_FLAT_SHARE = 0.5
_SATURATED_SHARE = 0.9
_SELECTING = frozenset(("getitem",))


def _looked_at(run: Evidence) -> list[float]:
    """The first, a middle and the last step."""
    steps = [s for s, c in zip(run.steps, run.cost, strict=True) if np.isfinite(c)]
    if not steps:
        return []
    return list(dict.fromkeys([steps[0], steps[len(steps) // 2], steps[-1]]))


def flat_units(run: Evidence, kind: str) -> tuple[Node, float, int, int] | None:
    """(node, share of flat results, flat units, units) of the worst node of this kind, if any.

    `kind` is "kink" (units at 0 for all examples) or "sigmoid" (results at their limits). The
    last axis of a result counts the units, the others the examples.
    """
    candidates = _kinks(run) if kind == "kink" else _sigmoids(run)
    if not candidates:
        return None
    steps = _looked_at(run)
    played = [values for values in map(run.values, steps) if values]
    if not played or (kind == "sigmoid" and not _stuck(run)):
        return None
    worst: tuple[Node, float, int, int] | None = None
    for node, limits in candidates:
        flat = None
        for values in played:
            value = values.get(node["id"])
            if value is None or np.size(value) < 8:
                flat = None
                break
            array = np.asarray(value, float)
            here = array == 0 if kind == "kink" else _near(array, *limits)
            examples = tuple(range(array.ndim - 1)) if array.ndim > 1 else ()
            now = here.all(axis=examples) if kind == "kink" and examples else here
            if kind == "kink" and array.ndim == 1:
                now = np.array([here.all()])
            flat = now if flat is None or flat.shape != now.shape else flat & now
        if flat is None:
            continue
        share = float(np.mean(flat))
        bar = _FLAT_SHARE if kind == "kink" else _SATURATED_SHARE
        if share >= bar and (worst is None or share > worst[1]):
            worst = node, share, int(np.sum(flat)), int(np.size(flat))
    return worst


def _near(array: Any, low: float, high: float) -> Any:
    margin = 0.01 * (high - low) / 2
    return (array < low + margin) | (array > high - margin)


def _stuck(run: Evidence) -> bool:
    """Whether the cost has not come down by half: saturation is no fault where it has."""
    cost = run.cost[np.isfinite(run.cost)]
    return bool(len(cost) and cost[-1] > 0.5 * cost[0])


def _kinks(run: Evidence) -> list[tuple[Node, tuple[float, float]]]:
    """Nodes that are 0 on one side: maximum(x, 0), relu, where(x > 0, x, 0)."""
    found = []
    for node in run.nodes.values():
        if node["op"] in ("relu", "relu6"):
            found.append((node, (0.0, 0.0)))
        elif node["op"] in _KINKS:
            operands = [run.nodes.get(i, {}) for i in node.get("in", ())]
            if any(_is_number(operand, 0.0) for operand in operands):
                found.append((node, (0.0, 0.0)))
    return [(node, limits) for node, limits in found if _depends(run, node)]


def _is_number(node: Node, number: float) -> bool:
    return (
        node.get("kind") == "constant"
        and np.size(node.get("value", np.nan)) == 1
        and node.get("value") == number
    )


def _sigmoids(run: Evidence) -> list[tuple[Node, tuple[float, float]]]:
    """tanh, sigmoid, and 1 / (1 + exp(...)) written out."""
    found = []
    for node in run.nodes.values():
        if node["op"] in _LIMITS:
            found.append((node, _LIMITS[node["op"]]))
        elif node["op"] in ("divide", "true_divide", "reciprocal"):
            operands = [run.nodes.get(i, {}) for i in node.get("in", ())]
            below = operands[-1] if operands else {}
            parts = [run.nodes.get(i, {}) for i in below.get("in", ())]
            if below.get("op") == "add" and any(part.get("op") == "exp" for part in parts):
                found.append((node, (0.0, 1.0)))
    return [(node, limits) for node, limits in found if _depends(run, node)]


def _depends(run: Evidence, node: Node) -> bool:
    """Whether a node is computed from a Variable or a watched Tensor."""
    stack, seen = list(node.get("in", ())), set()
    while stack:
        i = stack.pop()
        if i in seen:
            continue
        seen.add(i)
        other = run.nodes.get(i, {})
        if other.get("kind") in ("variable", "source"):
            return True
        stack += other.get("in", ())
    return False


def _users(run: Evidence) -> dict[int, list[Node]]:
    users: dict[int, list[Node]] = {i: [] for i in run.nodes}
    for node in run.nodes.values():
        for i in dict.fromkeys(node.get("in", ())):
            if i in users:
                users[i].append(node)
    return users


def _index(node: Node) -> Any:
    """The index of a reading node, where it is made of numbers and slices alone."""
    params = node.get("params") or ["d"]
    (said,) = [value for name, value in params[1:] if name == "index"]
    return _plain(said)


class _NotPlain(Exception):
    """An index that holds an array."""


def _plain(said: Any) -> Any:
    """An index from its form in the file (`graph/coding.py`)."""
    if said is None or type(said) is int:
        return said
    form, *parts = said
    if form == "t":
        return tuple(map(_plain, parts))
    if form == "s":
        return slice(*map(_plain, parts))
    if form == "e":
        return Ellipsis
    raise _NotPlain(form)


def ignored_parts(run: Evidence) -> tuple[Node, Node, int, int] | None:
    """(node, who reads a part of it, entries never read, entries) of a result read in part."""
    users = _users(run)
    for node in run.nodes.values():
        shape = tuple(node.get("shape") or ())
        readers = users[node["id"]]
        if node.get("kind") != "op" or not shape or not readers or prod(shape) > 1_000_000:
            continue
        if node["op"] in _SELECTING or not _depends(run, node):
            continue
        if any(reader["op"] not in _SELECTING for reader in readers):
            continue
        read = np.zeros(shape, bool)
        try:
            for reader in readers:
                read[_index(reader)] = True
        except (_NotPlain, ValueError, IndexError, KeyError, TypeError):
            continue
        unused = int(read.size - read.sum())
        if unused and len(shape) > 1 and not read.reshape(-1, shape[-1]).any(axis=0).all():
            return node, readers[0], unused, read.size
    return None


def widened(run: Evidence) -> tuple[Node, tuple[Any, Any], tuple[int, ...]] | None:
    """(node, shapes of its operands, its shape) of an (n, 1) that met an (n,) as (n, n)."""
    for node in run.nodes.values():
        if node["op"] not in ("subtract", "multiply", "add", "square", "power", "divide"):
            continue
        operands = [run.nodes.get(i, {}) for i in node.get("in", ())]
        if len(operands) != 2:
            continue
        first, second = (tuple(operand.get("shape") or ()) for operand in operands)
        n = max((*first, *second), default=0)
        if n < 4 or {first, second} != {(n, 1), (n,)}:
            continue
        mixed = {operand.get("kind") for operand in operands}
        if "input" in mixed and any(
            operand.get("kind") == "op" and _depends(run, operand) for operand in operands
        ):
            return node, (first, second), tuple(node.get("shape") or ())
    return None
