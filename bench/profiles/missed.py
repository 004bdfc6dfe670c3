"""The rows that miss a bar, read from what the other parts of the bench have written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import report
from bench.compiled import table
from bench.compiled.measuring import OURS, Result
from bench.compiled.report import growth, verdict
from bench.npbench.kept import result_of
from bench.npbench.report import MEAN_BAR, anchor_of, geometric_mean, mean_met, row_met
from bench.recording.measures import Measure

SLOWEST = 3  # kernels that stand for a geometric mean that is missed


@dataclass(frozen=True)
class Missed:
    """A row that is missed, and what kind of profile shows why.

    `kind` names what is taken (`taking.py`); `says` is what was measured, and the bar.
    """

    anchor: str
    title: str
    kind: str
    case: str
    threads: int
    says: str


def missed(folder: Path) -> list[Missed]:
    """Return the rows that are missed in the JSON files of `folder`; a file may be absent."""
    found: dict[str, Missed] = {}
    for name, read in READERS.items():
        path = folder / f"{name}.json"
        if path.is_file():
            for one in read(json.loads(path.read_text(encoding="utf-8"))):
                found.setdefault(one.anchor, one)
    return list(found.values())


# --- eager ----------------------------------------------------------------------------------------

# By the beginning of a case's name; the others are timed on the tape, operation by operation.
KINDS = {
    "import": "imports",
    "script": "functions",
    "fit-": "functions",
    "bfgs": "functions",
    "least-squares": "functions",
    "mlp-memory": "memory",
}


def _eager(document: dict[str, Any]) -> Iterator[Missed]:
    for bar in document["bars"]:
        if bar["met"] != "missed":
            continue
        case, threads = bar["case"], bar.get("threads", document["machine"]["threads"])
        kind = next((k for start, k in KINDS.items() if case.startswith(start)), "operations")
        reached = "no answer" if bar["reached"] is None else f"{bar['reached']:.3f}"
        says = f"{reached} against {bar['peer'] or bar['against']}; the bar is {bar['bar']}"
        yield Missed(report.anchor("eager", case, threads), f"{case}, eagerly", kind, case,
                     threads, says)  # fmt: skip


# --- compiled -------------------------------------------------------------------------------------


def _results(document: dict[str, Any], part: str) -> list[Result]:
    return [result_of(line) for line in document[part]]


def _says(result: Result, bar: float) -> str:
    ours = result.entry(OURS)
    if ours is None or ours.spread is None:
        return f"no answer: {ours.failure if ours else 'not measured'}"
    best = result.entry(result.best)
    found = f"ours {report.quantity(ours.spread.minimum, result.unit)}"
    if best is not None and best.spread is not None and result.ratio is not None:
        theirs = report.quantity(best.spread.minimum, result.unit)
        found += f", {best.side} {theirs}: {result.ratio.of_minima:.3f}"
    return f"{found}; the bar is {bar:g}"


def _compiled(document: dict[str, Any]) -> Iterator[Missed]:
    def one(r: Result, what: str, title: str, kind: str, says: str) -> Missed:
        place = report.anchor("compiled", r.case, r.threads, what)
        return Missed(place, f"{r.case}: {title}", kind, r.case, r.threads, says)

    for r in _results(document, "steady"):
        if verdict(r) == "missed":
            yield one(r, "", "a call", "report", _says(r, r.bar or 0.0))
        if r.over_value is not None and r.over_value.of_minima > table.VALUE_BAR:
            says = f"{r.over_value.of_minima:.2f} times the value; the bar is {table.VALUE_BAR:g}"
            yield one(r, "value", "the gradient beside the value", "value", says)
        ours = r.entry(OURS)
        if r.case == table.OVERHEAD.name and _above(ours, table.OVERHEAD_BAR):
            yield one(r, "time", "a call", "report", _says(r, table.OVERHEAD_BAR))
    for r in _results(document, "first"):
        if verdict(r) == "missed":
            yield one(r, "first", "the first call", "stages", _says(r, r.bar or 0.0))
    for r in _results(document, "cached"):
        if _above(r.entry(OURS), table.CACHED_BAR):
            says = _says(r, table.CACHED_BAR)
            yield one(r, "disk", "the first call from the disk", "stages from disk", says)
    graphs = _results(document, "graphs")
    for threads in dict.fromkeys(r.threads for r in graphs):
        same = [r for r in graphs if r.threads == threads]
        for smaller, larger in zip(same, same[1:], strict=False):
            grown = growth(smaller, larger)
            if grown is not None and grown > 1:
                says = f"{grown:.2f} of n log n from {smaller.case} on; the bar is 1"
                yield one(larger, "growth", "the first call", "stages", says)


def _above(entry: Any, bar: float) -> bool:
    return entry is not None and (entry.spread is None or entry.spread.minimum > bar)


# --- sets -----------------------------------------------------------------------------------------


def _set(document: dict[str, Any]) -> Iterator[Missed]:
    results = [result_of(line) for line in document["results"]]
    for threads in dict.fromkeys(r.threads for r in results):
        same = [r for r in results if r.threads == threads]
        chosen = [r for r in same if row_met(r) == "missed"]
        if mean_met(same) == "missed":
            chosen += _slowest(same)
        for r in dict.fromkeys(chosen):
            says = _says(r, 1.5)
            if row_met(r) != "missed":
                says += f"; the set's mean is {geometric_mean(same) or 0.0:.3f} of {MEAN_BAR:g}"
            yield Missed(anchor_of(r), r.case, "report", r.case, r.threads, says)


def _slowest(results: Sequence[Result]) -> list[Result]:
    known = [r for r in results if r.ratio is not None]
    return sorted(known, key=lambda r: -r.ratio.of_minima if r.ratio else 0.0)[:SLOWEST]


# --- recording ------------------------------------------------------------------------------------


def _recording(document: dict[str, Any]) -> Iterator[Missed]:
    for number, line in enumerate(document["measures"]):
        measure = Measure(**line)
        if measure.met.lower() == "missed":
            case = "recording-full" if measure.name.startswith("full") else "recording-standard"
            says = f"{measure.best:.3g} {measure.unit}; the bar is {measure.bar:g}"
            threads = document["machine"]["threads"]
            place = report.anchor("recording", f"row{number}", threads)
            yield Missed(place, measure.name, "functions", case, threads, says)


READERS = {
    "results": _eager,
    "compiled": _compiled,
    "npbench": _set,
    "gradbench": _set,
    "recording": _recording,
}
