"""Reads a run and names what is wrong with it, with the line: one function for each thing.

A rule takes the `Evidence` of a run and returns a `Finding` or None. It speaks only where the
numbers leave little doubt: a healthy run must not be told that it is ill.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .depth import exploding_gradient, vanishing_gradient
from .evidence import Evidence
from .findings import Diagnosis, Finding
from .halts import incomplete, never_updated, no_gradient, stopped, uphill
from .rates import too_high, too_low
from .relations import is_unrelated
from .units import flat_units, widened
from .unread import unread

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
    found = [rule(evidence) for rule in RULES.values()]
    findings = [finding for finding in found if finding is not None]
    kinds = {finding.kind for finding in findings}
    hidden = {kind for finding in findings for kind in _EXPLAINED.get(finding.kind, ())}
    return Diagnosis(
        [finding for finding in findings if finding.kind not in hidden & kinds],
        list(RULES),
        _unseen(evidence),
    )


def _unseen(run: Evidence) -> str:
    """What of a run could not be looked at, in a sentence."""
    if not len(run.cost):
        return "But no cost was recorded, so that hardly anything could be looked at."
    if not run.nodes:
        return 'The operations were not recorded (level="standard" does): only numbers were seen.'
    return ""


# What a finding explains by itself, so that it is not told a second time.
_EXPLAINED = {
    "not finite": ("learning rate too low", "unscaled inputs", "vanishing gradient"),
    "learning rate too high": ("not finite", "unscaled inputs", "labels unrelated", "dead units",
                               "saturated units", "vanishing gradient"),
    "exploding gradient": ("not finite", "learning rate too high", "unscaled inputs",
                           "learning rate too low", "labels unrelated"),
    "update uphill": ("learning rate too high", "not finite", "unscaled inputs"),
    "dead units": ("no gradient", "learning rate too low", "labels unrelated", "unscaled inputs",
                   "vanishing gradient", "output ignored"),
    "saturated units": ("no gradient", "learning rate too low", "labels unrelated",
                        "unscaled inputs", "vanishing gradient"),
    "vanishing gradient": ("learning rate too low", "labels unrelated", "no gradient"),
    "broadcast": ("labels unrelated", "learning rate too low", "unscaled inputs"),
    "value left the tape": ("no gradient", "learning rate too low"),
    "never watched": ("no gradient", "learning rate too low"),
    "unscaled inputs": ("learning rate too low",),
    "labels unrelated": ("learning rate too low",),
}  # fmt: skip


# --------------------------------------------------------------------------------- the units


def dead_units(run: Evidence) -> Finding | None:
    """Units behind a kink (ReLU) that let nothing through for any example, all along."""
    found = flat_units(run, "kink")
    if found is None:
        return None
    node, first = found.node, int(run.steps[0])
    what = f"{found.count} of {found.units} units" if found.units > 1 else "The unit"
    since = "" if found.step == first else f" from step {found.step} on at the latest"
    return Finding(
        "dead units",
        f"{what} of {node['op']} {'are' if found.units > 1 else 'is'} 0 for every example{since},"
        " at every step that was looked at: no gradient passes.",
        "Their operand is negative everywhere; a unit that is there never comes back by gradient"
        " descent.",
        "Start with smaller weights and biases at 0, use a smaller learning rate, or a function"
        " with a slope on both sides: np.where(z > 0, z, 0.01 * z).",
        **run.place(node),
        step=found.step,
        evidence={"share": found.share, "dead": found.count, "units": found.units},
    )


def saturated_units(run: Evidence) -> Finding | None:
    """A sigmoid or tanh that stands at its limits for nearly all examples from the start."""
    found = flat_units(run, "sigmoid")
    if found is None:
        return None
    node = found.node
    return Finding(
        "saturated units",
        f"{found.share:.0%} of the results of {node['op']} are within 1 % of their limits from the"
        " first step on.",
        "There the slope is nearly 0, so that almost nothing of the gradient passes.",
        "Scale the inputs to a standard deviation of 1, and draw the weights smaller: rng.normal(0,"
        " 1 / np.sqrt(number of inputs)).",
        **run.place(node),
        step=int(run.steps[0]),
        evidence={"share": found.share, "units": found.units, "saturated": found.count},
    )


def ignored_output(run: Evidence) -> Finding | None:
    """A part of the prediction that the cost never looks at: columns of it, rows of the data."""
    found = unread(run)
    if found is None:
        return None
    node = found.node
    shape = f"(shape {tuple(node['shape'])})"
    place = run.place(found.reader) or run.place(node)
    if found.what == "rows":
        name = node.get("name") or node["tag"]
        fact = f"{found.count} of {found.of} rows of {name} {shape} have no part in the cost."
        cause = (
            f"This {found.reader['op']} leaves out what the model computed for them; their targets"
            " teach it nothing."
        )
        remedy = (
            "Compare all rows: np.mean((prediction - y) ** 2), with the same slice on neither side."
        )
    else:
        fact = (
            f"{found.count} of {found.of} columns of {node['op']} {shape} never reach the cost."
        )
        cause = (
            "Only a part of it is read here, and nothing else reads the rest: what computes the"
            " rest is never trained."
        )
        remedy = (
            "Compare the whole output with the targets, or make the output as small as what is"
            " used."
        )
    return Finding(
        "output ignored", fact, cause, remedy, **place,
        step=int(run.steps[0]) if len(run.steps) else None,
        evidence={"unused": found.count, "of": found.of, "what": found.what},
    )  # fmt: skip


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
    return _without_records(run)


def _without_records(run: Evidence) -> Finding | None:
    """What a tape said that recorded nothing at all: none of its operands was watched."""
    for event in run.reader.events("warning"):
        data = event.get("data") or {}
        message = str(data.get("message", ""))
        if data.get("category") == "GradientWarning" and "was never watched" in message:
            fact, *cause, remedy = message.split("\n")
            return Finding(
                "never watched", fact, " ".join(cause), remedy, **_told(run, data, message),
                step=event.get("step"),
            )  # fmt: skip
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
    x = run.pairs[0]
    if x is None or x.dtype.kind not in "fiu" or x.ndim > 2 or len(x) < 8:
        return None
    if len(run.cost) < 10 or not np.isfinite(run.cost).all():
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
    if not wide or not _moves(run) or run.is_settled:
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
    n = len(run.cost)
    width = 1 if run.batches == 1 else max(1, n // 8)  # of noisy costs, means
    first, middle, last = (
        float(np.mean(run.cost[at : at + width])) for at in (0, n // 2, n - width)
    )
    fell = last - first if run.ascends else first - last
    return fell <= 0 or abs(middle - last) < 0.05 * fell


def labels_unrelated(run: Evidence) -> Finding | None:
    """Targets that have nothing to do with the inputs, as after shuffling one of them."""
    x, y = run.pairs
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


RULES: dict[str, Rule] = {  # in the order in which findings are told: the gravest first
    "an exception": stopped,
    "parts that are missing": incomplete,
    "values that are not finite": not_finite,
    "updates uphill": uphill,
    "a learning rate that is too high": too_high,
    "exploding gradients": exploding_gradient,
    "values that left the tape": left_the_tape,
    "variables never watched": never_watched,
    "variables never updated": never_updated,
    "targets compared as a table": broadcast,
    "outputs and rows that the cost ignores": ignored_output,
    "labels unrelated to the inputs": labels_unrelated,
    "dead units": dead_units,
    "saturated units": saturated_units,
    "vanishing gradients": vanishing_gradient,
    "no gradient at all": no_gradient,
    "unscaled inputs": unscaled_inputs,
    "a learning rate that is too low": too_low,
}
