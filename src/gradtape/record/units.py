"""What the nodes of a recorded graph do: units that are flat, and comparisons of all with all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .evidence import Evidence

__all__ = ["Flat", "flat_units", "is_moving", "kinks", "sigmoids", "widened"]

Node = dict[str, Any]
_KINKS = frozenset(("maximum", "relu", "fmax", "where", "clip", "relu6"))
_LIMITS = {"tanh": (-1.0, 1.0), "expit": (0.0, 1.0), "sigmoid": (0.0, 1.0)}
_FLAT_SHARE = 0.5
_SATURATED_SHARE = 0.9
_LATER_SHARE = 0.9  # of units that were alive at the first step


def _looked_at(run: Evidence) -> list[float]:
    """The first, a middle and the last step."""
    steps = run.steps[np.isfinite(run.cost)]
    if not len(steps):
        return []
    return list(dict.fromkeys(map(float, (steps[0], steps[len(steps) // 2], steps[-1]))))


@dataclass(frozen=True)
class Flat:
    """Units through which no gradient passes.

    Attributes
    ----------
    node : dict
    share : float
        Of the units (a kink), of all results (a sigmoid).
    count, units : int
    step : int
        From where on they are flat.
    """

    node: Node
    share: float
    count: int
    units: int
    step: int


def flat_units(run: Evidence, kind: str) -> Flat | None:
    """The worst node of this kind, if any is flat.

    `kind` is "kink" (units at 0 for all examples) or "sigmoid" (results at their limits). The
    last axis of a result counts the units, the others the examples.
    """
    candidates = kinks(run) if kind == "kink" else sigmoids(run)
    steps = _looked_at(run)
    played = [(step, values) for step in steps if (values := run.values(step))]
    found: list[Flat] = []
    for node, limits in candidates if played else ():
        if kind == "kink" and not _is_hidden(run, node) and not _stays(run):
            continue  # a hinge, of which no example is left to be learnt
        masks = [_flat(values.get(node["id"]), kind, limits) for _, values in played]
        if any(mask is None or mask.shape != masks[0].shape for mask in masks):
            continue
        always, later = np.all(masks, axis=0), np.all(masks[1:] or masks, axis=0)
        share = float(np.mean(always))
        if kind == "sigmoid":
            if share >= _SATURATED_SHARE and (_is_hidden(run, node) or _is_wrong(run, node)):
                found.append(Flat(node, share, int(always.sum()), always.size, int(played[0][0])))
        elif share >= _FLAT_SHARE:
            found.append(Flat(node, share, int(always.sum()), always.size, int(played[0][0])))
        elif np.mean(later) >= _LATER_SHARE and len(played) > 2:
            share, at = float(np.mean(later)), int(played[1][0])
            found.append(Flat(node, share, int(later.sum()), later.size, at))
    return max(found, key=lambda flat: flat.share, default=None)


def _flat(value: Any, kind: str, limits: tuple[float, float]) -> Any:
    """Which units (of a kink) or results (of a sigmoid) are flat; None of too few results."""
    if value is None or np.size(value) < 8:
        return None
    array = np.asarray(value, float)
    if kind == "sigmoid":
        return _near(array, *limits)
    if array.ndim == 1:
        return np.array([np.all(array == 0)])
    return np.all(array == 0, axis=tuple(range(array.ndim - 1)))


def _is_hidden(run: Evidence, node: Node) -> bool:
    """Whether a parameter is multiplied with what comes of a node: it is no output."""
    after = {node["id"]}
    for other in run.nodes.values():
        if other["id"] <= node["id"] or after.isdisjoint(other["in"]):
            continue
        after.add(other["id"])
        rest = [run.nodes[i] for i in other["in"] if i not in after]
        if other["op"] in ("matmul", "einsum", "tensordot") and any(
            one["kind"] in ("variable", "source") or is_moving(run, one) for one in rest
        ):
            return True
    return False


def _near(array: Any, low: float, high: float) -> Any:
    margin = 0.01 * (high - low) / 2
    return (array < low + margin) | (array > high - margin)


def _stays(run: Evidence) -> bool:
    """Whether the cost has not come down by half."""
    cost = run.cost[np.isfinite(run.cost)]
    return bool(len(cost) and cost[-1] > 0.5 * cost[0])


def _is_wrong(run: Evidence, node: Node) -> bool:
    """Whether an output is no better for it: at its limits belongs what is certain and right."""
    if not _stays(run):
        return False
    y, value = run.input("y"), run.last_values.get(node["id"])
    if y is None or value is None or np.shape(y) != np.shape(value):
        return True
    return bool(np.mean(np.abs(np.asarray(value, float) - y)) > 0.1)


def kinks(run: Evidence) -> list[tuple[Node, tuple[float, float]]]:
    """Nodes that are 0 on one side: maximum(x, 0), where(x > 0, x, 0), x * (x > 0), x + |x|."""
    found = []
    for node in run.nodes.values():
        if node["op"] in ("relu", "relu6") or _is_gated(run, node) or _is_folded(run, node):
            found.append((node, (0.0, 0.0)))
        elif node["op"] in _KINKS:
            operands = [run.nodes.get(i, {}) for i in node.get("in", ())]
            if any(_is_number(operand, 0.0) for operand in operands):
                found.append((node, (0.0, 0.0)))
    return [(node, limits) for node, limits in found if is_moving(run, node)]


def _is_gated(run: Evidence, node: Node) -> bool:
    """Whether a node is z * (z > 0), whose mask was computed outside of the tape."""
    if node["op"] != "multiply" or len(node["in"]) != 2:
        return False
    for z, mask in (node["in"], node["in"][::-1]):
        given = run.nodes.get(mask, {})
        if given.get("kind") == "input" and given.get("shape") == node["shape"]:
            both = run.last_values.get(z), run.last_values.get(mask)
            if both[0] is not None and both[1] is not None:
                return bool(np.array_equal(both[1], both[0] > 0))
    return False


def _is_folded(run: Evidence, node: Node) -> bool:
    """Whether a node is z + |z|, twice what is above 0."""
    if node["op"] != "add" or len(node["in"]) != 2:
        return False
    for z, other in (node["in"], node["in"][::-1]):
        if run.nodes[other]["op"] in ("absolute", "fabs") and run.nodes[other]["in"] == [z]:
            return True
    return False


def _is_number(node: Node, number: float) -> bool:
    return (
        node.get("kind") == "constant"
        and np.size(node.get("value", np.nan)) == 1
        and node.get("value") == number
    )


def sigmoids(run: Evidence) -> list[tuple[Node, tuple[float, float]]]:
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
    return [(node, limits) for node, limits in found if is_moving(run, node)]


def is_moving(run: Evidence, node: Node) -> bool:
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
            operand.get("kind") == "op" and is_moving(run, operand) for operand in operands
        ):
            return node, (first, second), tuple(node.get("shape") or ())
    return None
