"""Reads a run and names what is wrong with it, with the line: one function for each thing.

A rule takes the `Evidence` of a run and returns a `Finding` or None. It speaks only where the
numbers leave little doubt: a healthy run must not be told that it is ill.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .evidence import Evidence
from .findings import Diagnosis, Finding
from .halts import incomplete, never_updated, no_gradient, stopped, uphill
from .relations import is_unrelated
from .units import flat_units, ignored_parts, widened

__all__ = ["RULES", "diagnose"]

Rule = Callable[[Evidence], Finding | None]


def diagnose(reader: Any) -> Diagnosis:
    """The findings of a run.

    Parameters
    ----------
    reader : record.reader.Reader

    Returns
    -------
    Diagnosis
    """
    evidence = Evidence(reader)
    found = [rule(evidence) for rule in RULES]
    findings = [finding for finding in found if finding is not None]
    kinds = {finding.kind for finding in findings}
    hidden = {kind for finding in findings for kind in _EXPLAINED.get(finding.kind, ())}
    return Diagnosis(
        [finding for finding in findings if finding.kind not in hidden & kinds],
        [name.replace("_", " ") for name in (rule.__name__ for rule in RULES)],
    )


# What a finding explains by itself, so that it is not told a second time.
_EXPLAINED = {
    "not finite": ("learning rate too low", "unscaled inputs"),
    "learning rate too high": ("not finite", "unscaled inputs", "labels unrelated"),
    "update uphill": ("learning rate too high", "not finite", "unscaled inputs"),
    "dead units": ("no gradient", "learning rate too low", "labels unrelated", "unscaled inputs"),
    "saturated units": ("no gradient", "learning rate too low", "labels unrelated"),
    "broadcast": ("labels unrelated", "learning rate too low"),
    "value left the tape": ("no gradient",),
    "never watched": ("no gradient", "learning rate too low"),
    "unscaled inputs": ("learning rate too low",),
    "labels unrelated": ("learning rate too low",),
}


# ------------------------------------------------------------------------------ learning rate


def too_high(run: Evidence) -> Finding | None:
    """The cost grows from step to step, because each step overshoots."""
    cost = run.cost
    if len(cost) < 4:
        return None
    finite = np.isfinite(cost)
    last = len(cost) if finite.all() else int(np.argmin(finite))
    series = cost[:last]
    if last < 3:
        return None
    lowest = int(np.argmin(series))
    tail = series[lowest:]
    grew = np.mean(np.diff(tail) > 0) if len(tail) > 3 else 0.0
    scale = abs(series[lowest]) + 1e-12
    diverged = grew > 0.8 and tail[-1] > max(4 * scale, 2 * abs(series[0]))
    curvature = run.curvature[: last - 1]
    known = curvature[np.isfinite(curvature)]
    unstable = len(known) > 8 and np.mean(known > 2.0) > 0.3 and _end(series) > 1.2 * scale
    if not diverged and not unstable:
        return None
    top = float(np.median(known[known > 2.0])) if np.any(known > 2.0) else None
    start = float(series[0])
    fact = (
        f"The cost grows: {series[lowest]:.4g} at step {run.steps[lowest]:g},"
        f" {series[-1]:.4g} at step {run.steps[last - 1]:g}"
    )
    fact += ", and is not finite after that." if last < len(cost) else "."
    rate = f" {run.rate:.4g}" if run.rate else ""
    cause = f"Each update overshoots: the learning rate{rate} is too large."
    remedy = "Divide the learning rate by 10 and run again."
    if top is not None and run.rate:
        cause = (
            f"Learning rate {run.rate:.4g} x curvature along the step is {top:.3g}; above 2 each"
            " step lands higher than it started."
        )
        remedy = f"Use a learning rate below {_rounded(1.8 * run.rate / top)}."
    return Finding(
        "learning rate too high", fact, cause, remedy, **run.update,
        step=int(run.steps[lowest]),
        evidence={"rate": run.rate, "curvature": top, "first": start, "last": float(series[-1])},
    )  # fmt: skip


def too_low(run: Evidence) -> Finding | None:
    """The cost is still on its way down as steeply as at the start, in very small steps."""
    cost, norms = run.cost, run.gradient_norms
    if len(cost) < 10 or not np.isfinite(cost).all() or run.rate is None or run.batches > 1:
        return None
    known = run.curvature[np.isfinite(run.curvature)]
    if len(known) < 5:
        return None
    middle = float(np.median(known))
    share = norms[-1] / norms.max() if norms.max() > 0 else 0.0
    fell = (cost[0] - cost[-1]) / (abs(cost[0]) + 1e-300)
    if not (share > 0.4 and abs(middle) < 0.02 and fell < 0.6 and cost[-1] < cost[0]):
        return None
    factor = min(1e4, 0.5 / max(abs(middle), 5e-5))
    better = _rounded(run.rate * factor)
    return Finding(
        "learning rate too low",
        f"After {len(cost)} steps the gradient norm is still {share:.0%} of its largest, and the"
        f" cost fell by {fell:.1%} in all.",
        f"Learning rate {run.rate:.4g} x curvature along the step is about {abs(middle):.2g}; a"
        " step can be some hundred times longer before it overshoots (2).",
        f"Try a learning rate of {better}.",
        **run.update,
        step=int(run.steps[-1]),
        evidence={"rate": run.rate, "curvature": middle, "gradient_share": float(share)},
    )


def _end(series: Any) -> float:
    return float(np.median(series[-max(3, len(series) // 10) :]))


def _rounded(x: float) -> str:
    return f"{x:.1g}"


# --------------------------------------------------------------------------------- the units


def dead_units(run: Evidence) -> Finding | None:
    """Units behind a kink (ReLU) that let nothing through for any example, all along."""
    found = flat_units(run, "kink")
    if found is None:
        return None
    node, share, count, width = found
    what = f"{count} of {width} units" if width > 1 else "the unit"
    return Finding(
        "dead units",
        f"{what[0].upper()}{what[1:]} of {node['op']} are 0 for every example, at every step that"
        " was looked at: no gradient passes through them.",
        "Their operand is negative everywhere; a unit that is there never comes back by gradient"
        " descent.",
        "Start with smaller weights and biases at 0, use a smaller learning rate, or a function"
        " with a slope on both sides: np.where(z > 0, z, 0.01 * z).",
        **run.place(node),
        step=int(run.steps[0]),
        evidence={"share": share, "dead": count, "units": width},
    )


def saturated_units(run: Evidence) -> Finding | None:
    """A sigmoid or tanh that stands at its limits for nearly all examples from the start."""
    found = flat_units(run, "sigmoid")
    if found is None:
        return None
    node, share, count, width = found
    return Finding(
        "saturated units",
        f"{share:.0%} of the results of {node['op']} are within 1 % of their limits from the first"
        " step on.",
        "There the slope is nearly 0, so that almost nothing of the gradient passes.",
        "Scale the inputs to a standard deviation of 1, and draw the weights smaller: rng.normal(0,"
        " 1 / np.sqrt(number of inputs)).",
        **run.place(node),
        step=int(run.steps[0]),
        evidence={"share": share, "units": width, "saturated": count},
    )


def ignored_output(run: Evidence) -> Finding | None:
    """A part of the prediction that the cost never looks at."""
    found = ignored_parts(run)
    if found is None:
        return None
    node, reader_node, unused, size = found
    place = run.place(reader_node) or run.place(node)
    return Finding(
        "output ignored",
        f"{unused} of {size} entries of {node['op']} (shape {tuple(node['shape'])}) never reach"
        " the cost.",
        "Only a part of it is read here, and nothing else reads the rest: what computes the rest"
        " is never trained.",
        "Compare the whole output with the targets, or make the output as small as what is used.",
        **place,
        step=int(run.steps[0]) if len(run.steps) else None,
        evidence={"unused": unused, "of": size},
    )


def broadcast(run: Evidence) -> Finding | None:
    """Prediction (n, 1) and targets (n,) that were compared as an (n, n) table."""
    found = widened(run)
    if found is None:
        return None
    node, shapes, result = found
    return Finding(
        "broadcast",
        f"{node['op']} of shapes {shapes[0]} and {shapes[1]} gives {result}: every prediction is"
        " compared with every target.",
        "NumPy stretches the axes of length 1; the cost is then an average over all pairs.",
        "Give both the same shape: prediction[:, 0], or y.reshape(-1, 1).",
        **run.place(node),
        step=int(run.steps[0]) if len(run.steps) else None,
        evidence={"shapes": [list(shapes[0]), list(shapes[1])], "result": list(result)},
    )


# ------------------------------------------------------------------------- what the tape said


def left_the_tape(run: Evidence) -> Finding | None:
    """A value that left the tape and came back, so that the gradient misses a path."""
    for event in run.reader.events("warning"):
        data = event.get("data") or {}
        message = str(data.get("message", ""))
        category = str(data.get("category", ""))
        if category == "ExitWarning" or "only a part of the whole" in message:
            parts = message.split("\n")
            return Finding(
                "value left the tape",
                parts[0],
                " ".join(parts[1:-1]),
                parts[-1],
                **_told(run, data, message),
                step=event.get("step"),
            )
    return None


def never_watched(run: Evidence) -> Finding | None:
    """A source whose gradient is None."""
    for event in run.reader.events("none"):
        data = event.get("data") or {}
        name = data.get("source", "")
        reason = str(data.get("reason") or f"The gradient with respect to {name} is None.")
        fact, _, cause = reason.partition(". ")
        kind = str(data.get("kind", ""))
        if kind in ("stop_gradient", "meant"):
            continue
        return Finding(
            "value left the tape" if kind in ("exit", "rebound") else "never watched",
            f"{fact.rstrip('.')}.",
            cause or "No path leads from it to the cost.",
            str(data.get("remedy") or "Watch it before it is used: x = tape.watch(x)."),
            **_told(run, data, f"{fact}\n{cause}"),
            step=event.get("step"),
            evidence={"source": name, "reason": kind},
        )
    return None


def _told(run: Evidence, data: dict[str, Any], message: str) -> dict[str, Any]:
    """The line that a message is about: the one it names as the break, or where it was said."""
    import re

    file = str(data.get("file") or "")
    base = file.replace("\\", "/").rsplit("/", 1)[-1]
    named = re.findall(rf"{re.escape(base)}:(\d+)", message) if base else []
    cause = message.split("\n")[1] if "\n" in message else ""
    in_cause = re.findall(rf"{re.escape(base)}:(\d+)", cause) if base else []
    number = (in_cause or named or [data.get("line")])[0]
    return run.line(file, int(number)) if number else {}


def not_finite(run: Evidence) -> Finding | None:
    """The first value that is NaN or infinite, and what made it."""
    for event in run.reader.events("nonfinite"):
        data = event.get("data") or {}
        if data.get("graph") is None:  # told by a compiled function: its operations one by one
            data = _played(run, event.get("step")) or data
        op = data.get("op", "an operation")
        operands = ", ".join(
            f"{item.get('name') or ''} {_range(item)}".strip()
            for item in data.get("operands") or ()
        )
        way = "The slope of" if data.get("direction") == "backward" else "The result of"
        remedy = _REMEDIES.get(str(op), "Keep the operands in the domain of the operation.")
        cause, first = f"Its operands hold {operands}.", "of the run"
        if not operands:  # of that step the operations were not kept, or were all in order
            first, remedy = "that was recorded", _RECORD_MORE
            cause = "What made it was not recorded: an operation before it, or an earlier step."
        return Finding(
            "not finite",
            f"{way} {op} is not finite at step {event.get('step')}: the first such value {first}.",
            cause,
            remedy,
            **(run.line(data.get("file", ""), data["line"]) if data.get("line") else {}),
            step=event.get("step"),
            evidence={"op": op, "operands": data.get("operands")},
        )
    return None


def _played(run: Evidence, step: Any) -> dict[str, Any] | None:
    """What made the first value that is not finite, by playing the graph of a step again."""
    values = run.values(step) if step is not None else {}
    for node in run.graph_at(step)["nodes"] if values else ():
        operands = [values[i] for i in node.get("in", ()) if values.get(i) is not None]
        whole = len(operands) == len(node.get("in", ())) > 0
        if whole and _is_finite(*operands) and not _is_finite(values[node["id"]]):
            given = [run.nodes.get(i, {}).get("name", "") for i in node["in"]]
            ranges = [
                {"name": name, "min": np.min(x), "max": np.max(x)}
                for name, x in zip(given, operands, strict=True)
            ]
            return {"op": node["op"], "operands": ranges,
                    "file": node.get("file", ""), "line": node.get("line")}  # fmt: skip
    return None


def _is_finite(*values: Any) -> bool:
    return all(bool(np.isfinite(value).all()) for value in values)


def _range(operand: dict[str, Any]) -> str:
    ends = (operand.get("min"), operand.get("max"))
    return " to ".join(f"{x:.4g}" if isinstance(x, int | float) else str(x) for x in ends)


_RECORD_MORE = (
    'Record with level="standard" and every=1, which names it, or stop there: gt.check_numerics().'
)
_INSIDE = "Keep the operand above 0: np.log(np.maximum(x, 1e-12))."
_DIVISOR = "Keep the divisor away from 0, or choose after it: np.where(d != 0, n / np.where(d != 0, d, 1), 0)."  # noqa: E501
_REMEDIES = {
    **dict.fromkeys(("log", "log2", "log10", "log1p"), _INSIDE),
    **dict.fromkeys(("divide", "true_divide", "reciprocal"), _DIVISOR),
    "sqrt": "Keep the operand above 0: np.sqrt(np.maximum(x, 0) + 1e-12).",
    "exp": "Take the maximum off before: np.exp(x - np.max(x)), or use a log-sum-exp.",
}


# ------------------------------------------------------------------------------------ the data


def unscaled_inputs(run: Evidence) -> Finding | None:
    """Columns of the input of very different size, and a run that has not converged for it."""
    x = run.input("x")
    if x is None or x.dtype.kind not in "fiu" or x.ndim > 2 or len(x) < 8:
        return None
    norms = run.gradient_norms
    if len(norms) < 10 or not np.isfinite(run.cost[-1]) or run.batches > 1:
        return None
    columns = np.asarray(x, float).reshape(len(x), -1)
    if not np.isfinite(columns).all() or columns.shape[1] > 1000:
        return None
    rms = np.sqrt(np.mean(columns**2, axis=0))
    if not np.any(rms > 0):
        return None
    largest, smallest = float(rms.max()), float(rms[rms > 0].min())
    off = np.abs(columns.mean(axis=0)) / np.maximum(columns.std(axis=0), 1e-300)
    far = float(off[columns.std(axis=0) > 0].max(initial=0.0))
    wide = largest / min(smallest, 1.0) > 50 and (columns.shape[1] > 1 or largest > 50)
    share = norms[-1] / norms.max() if norms.max() > 0 else 0.0
    slow = _moves(run)
    if not wide or share < 1e-5 or not slow:
        return None
    return Finding(
        "unscaled inputs",
        f"The columns of the input are of sizes {smallest:.3g} to {largest:.3g} (root mean"
        " square); a constant column counts as 1.",
        "The cost is then far steeper along some parameters than along others: the learning rate"
        " that the steep ones allow moves the flat ones hardly at all.",
        "Scale the inputs before the run: x = (x - x.mean(axis=0)) / x.std(axis=0).",
        **_where_enters(run, "x"),
        step=int(run.steps[0]),
        evidence={"largest": largest, "smallest": smallest, "mean_over_std": far},
    )


def _moves(run: Evidence) -> bool:
    """Whether the cost had nearly stopped falling though the gradient has not vanished."""
    cost = run.cost
    fell = cost[0] - cost[-1]
    late = cost[len(cost) // 2] - cost[-1]
    return bool(fell > 0 and abs(late) < 0.05 * fell) or bool(fell <= 0)


def labels_unrelated(run: Evidence) -> Finding | None:
    """Targets that have nothing to do with the inputs, as after shuffling one of them."""
    x, y = run.input("x"), run.input("y")
    if x is None or y is None or not is_unrelated(x, y):
        return None
    return Finding(
        "labels unrelated",
        "Inputs that are alike have targets that are no more alike than any others.",
        "The rows of x and y no longer belong together, as after shuffling or sorting one of them"
        " alone; or x says nothing about y.",
        "Shuffle both with one permutation: order = rng.permutation(len(x)); x, y = x[order],"
        " y[order].",
        **_where_enters(run, "y"),
        step=int(run.steps[0]) if len(run.steps) else None,
    )


def _where_enters(run: Evidence, role: str) -> dict[str, Any]:
    """The line at which an input enters the tape."""
    tag = run.roles.get(role)
    for node in run.nodes.values():
        if node.get("tag") == tag and node.get("kind") == "input":
            users = [n for n in run.nodes.values() if node["id"] in n.get("in", ())]
            for place in (run.place(node), *(run.place(user) for user in users)):
                if place:
                    return place
    return {}


RULES: tuple[Rule, ...] = (
    stopped,
    incomplete,
    not_finite,
    uphill,
    too_high,
    left_the_tape,
    never_watched,
    never_updated,
    dead_units,
    saturated_units,
    broadcast,
    ignored_output,
    unscaled_inputs,
    labels_unrelated,
    no_gradient,
    too_low,
)
