"""Rules of a diagnosis: runs that went uphill, nowhere, without a variable, or to no end."""

from __future__ import annotations

from typing import Any

import numpy as np

from .evidence import Evidence
from .findings import Finding
from .panels.nodes import nodes
from .units import is_moving

__all__ = ["incomplete", "never_updated", "no_gradient", "stopped", "uphill"]


def stopped(run: Evidence) -> Finding | None:
    """The exception that ended the run."""
    for event in run.reader.events("exception"):
        data = event.get("data") or {}
        kind = str(data.get("type", "exception"))
        if kind in ("KeyboardInterrupt", "SystemExit"):
            continue
        fact, *rest = str(data.get("message", "")).strip().split("\n")
        return Finding(
            "stopped by an exception",
            f"{kind} at step {event.get('step')}{f': {fact}' if fact else ''}"
            + ("" if fact.endswith((".", "!", "?")) else "."),
            " ".join(rest[:-1]) or "The loop was left at this line.",
            rest[-1] if rest else "Mend that line; the run holds the steps before it.",
            **(run.line(str(data.get("file") or ""), data["line"]) if data.get("line") else {}),
            step=event.get("step"),
            evidence={"type": kind},
        )
    return None


def incomplete(run: Evidence) -> Finding | None:
    """Part of the run could not be written."""
    lost = run.reader.lost()
    if lost is None:
        return None
    return Finding(
        "incomplete",
        f"Of this run {lost}.",
        "The disk was full, or took no more of this user or file; training went on without it.",
        "Make room and record again: everything that is said here is about what was written.",
        evidence={"count": lost.count, "error": lost.error},
    )


def uphill(run: Evidence) -> Finding | None:
    """The cost grows because the updates are added to the variables, not taken off."""
    cost = run.cost[np.isfinite(run.cost)]
    if len(cost) < 4 or not cost[-1] > cost[0] or np.mean(np.diff(cost) > 0) < 0.8:
        return None
    if not run.ascends or cost.min() < 0:  # a gain that is made larger is no cost
        return None
    slopes = run.gradient_norms[np.isfinite(run.cost)]
    if slopes[-1] < 0.9 * slopes[0]:  # it comes to rest at a maximum: that is meant
        return None
    return Finding(
        "update uphill",
        f"The cost grows, {cost[0]:.4g} to {cost[-1]:.4g}, and every update goes along the"
        " gradient.",
        "The gradient points to where the cost grows; descent subtracts it.",
        "Subtract: w -= rate * gradient. If this is a gain to be made larger, nothing is wrong.",
        **run.update,
        step=int(run.steps[0]),
        evidence={"first": float(cost[0]), "last": float(cost[-1])},
    )


def no_gradient(run: Evidence) -> Finding | None:
    """The gradient of every source is exactly 0 from the first step on, so that nothing moves."""
    if len(run.cost) < 3 or not run.sources or not np.isfinite(run.cost).all():
        return None
    norms = np.array([run.gradient_norm(name) for name in run.sources])
    if not np.all(norms == 0) or np.ptp(run.cost) or run.cost[0] == 0:
        return None
    place = _where_it_ends(run) or run.update
    return Finding(
        "no gradient",
        f"Every gradient is exactly 0 at all {len(run.cost)} steps, and the cost stays at"
        f" {run.cost[0]:.4g}.",
        "Something on the way passes nothing on: an operation without a slope (sign, round, a"
        " flat side), or layers that all start at 0 and multiply each other's gradient by it.",
        "Draw the initial weights at random; tape.explain(cost, variable) shows the way there.",
        **place,
        step=int(run.steps[0]),
    )


def _where_it_ends(run: Evidence) -> dict[str, Any]:
    """The line of the operation that gets a gradient and passes nothing on."""
    drawn = nodes(run.reader, int(run.steps[0]))
    if isinstance(drawn, str):
        return {}
    header, (matrix,) = drawn
    norms = matrix[:, header["fields"].index("ct_norm")]
    for i, node in run.nodes.items():
        gets = node["kind"] == "op" and is_moving(run, node) and norms[i] > 0
        if gets and not any(norms[k] > 0 for k in node["in"]):
            return run.place(node)
    return {}


def never_updated(run: Evidence) -> Finding | None:
    """A Variable whose gradient is asked for and not 0, and to which nothing is ever assigned."""
    assigned = {str((e.get("data") or {}).get("variable")) for e in run.reader.events("assign")}
    if len(run.cost) < 5 or not assigned & set(run.sources):
        return None
    made = {node.get("name"): node for node in run.nodes.values() if node["kind"] == "variable"}
    for name in run.sources:
        norms, moves = run.gradient_norm(name), run.update_norm(name)[:-1]
        if name in assigned or name not in made or np.any(moves[np.isfinite(moves)] != 0):
            continue
        if np.isfinite(norms).all() and np.all(norms > 0):
            return Finding(
                "never updated",
                f"Variable {name!r} never changes, though its gradient is not 0 at any step"
                f" ({norms[-1]:.4g} at the last).",
                f"Nothing is assigned to it; to {', '.join(sorted(assigned))} something is.",
                f"Update it too: {name} -= rate * gradient. If it is to stay, do not ask for its"
                " gradient.",
                **run.place(made[name]),
                step=int(run.steps[0]),
                evidence={"source": name},
            )
    return None
