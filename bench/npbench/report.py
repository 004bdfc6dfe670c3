"""The published set as JSON, and as a section of `results.md`."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.compiled.measuring import OURS, Entry, Result
from bench.compiled.report import accuracy, plain, time_cell
from bench.report import markdown_table, quantity

MEAN_BAR = 0.7  # geometric mean of ours / the best peer
ROW_BAR = 1.5  # no kernel above


@dataclass(frozen=True)
class SetDocument:
    """What a run of a published set found."""

    name: str
    about: str
    results: Sequence[Result]
    machine: dict[str, Any] = field(default_factory=dict)
    libraries: dict[str, dict[str, Any]] = field(default_factory=dict)
    absent: Sequence[str] = ()  # peers that could not be had, and why


def geometric_mean(results: Sequence[Result]) -> float | None:
    """Return the geometric mean of the ratios that were measured."""
    ratios = [r.ratio.of_minima for r in results if r.ratio is not None]
    return math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else None


def failing(results: Sequence[Result]) -> list[str]:
    """Return the kernels in which ours has no answer, or none that is right."""
    found = []
    for r in results:
        ours = r.entry(OURS)
        if ours is None or ours.spread is None:
            found.append(r.case)
    return found


def as_json(document: SetDocument) -> str:
    """Return the document as JSON text; the samples are in it."""
    return json.dumps(plain(asdict(document)), indent=1, allow_nan=False) + "\n"


def _row_met(result: Result) -> str:
    if result.case in failing([result]):
        return "missed"
    if result.ratio is None:
        return "not measured"
    return "met" if result.ratio.of_minima <= ROW_BAR else "missed"


def _side(entry: Entry | None, unit: str) -> str:
    """Return the times, and how far the answer is off in units of the dtype's spacing at 1."""
    if entry is None:
        return "-"
    cell = time_cell(entry, unit)
    return cell if entry.ulps is None or entry.spread is None else f"{cell}, {entry.ulps:.2g} ulp"


def _first(entry: Entry | None) -> str:
    return "-" if entry is None or entry.first is None else quantity(entry.first, "ms")


def as_markdown(document: SetDocument) -> str:
    """Return the section: the bars, then every kernel with every side."""
    about, results = document.machine, document.results
    mean, failed = geometric_mean(results), failing(results)
    above = [r.case for r in results if r.ratio is not None and r.ratio.of_minima > ROW_BAR]
    sides = dict.fromkeys(entry.side for result in results for entry in result.entries)
    peers = [side for side in sides if side != OURS]
    header = ["kernel", "ours", *peers, "ours / best", f"bar <= {ROW_BAR:g}", "our error (ulp)",
              "our first run", "gradient / value"]  # fmt: skip
    body = []
    for r in results:
        ours = r.entry(OURS)
        body.append(
            [
                r.case.partition("-")[2],
                "-" if ours is None else time_cell(ours, r.unit),
                *(_side(r.entry(peer), r.unit) for peer in peers),
                "-" if r.ratio is None else f"{r.ratio.of_minima:.3f} ({r.best})",
                _row_met(r),
                "-" if ours is None else accuracy(ours),
                _first(ours),
                "-" if r.over_value is None else f"{r.over_value.of_minima:.2f}",
            ]
        )
    met = "not measured" if mean is None else "met" if mean <= MEAN_BAR and not failed else "missed"
    lines = [
        f"## {document.name}",
        "",
        document.about,
        "",
        f"{about.get('cpu')}, {about.get('system')}, {about.get('threads')} threads,"
        f" {about.get('rounds')} rounds, load {about.get('load_before')} at the start.",
        "",
        "Why rows are missed, by what profiles show: [README.md](README.md#npbench-and-gradbench).",
        "",
        *markdown_table(
            ["what", "reached", "bar", "met"],
            [
                ["geometric mean of ours over the best peer",
                 "-" if mean is None else f"{mean:.3f}", f"<= {MEAN_BAR:g}", met],
                [f"kernels above {ROW_BAR:g}", ", ".join(above) or "none", "none",
                 "missed" if above else "met"],
                ["kernels without an answer of ours", ", ".join(failed) or "none", "none",
                 "missed" if failed else "met"],
            ],
        ),
        "",
        *(f"- {line}" for line in document.absent),
        *([""] if document.absent else []),
        *markdown_table(header, body),
        "",
        *(f"- `{r.case.partition('-')[2]}`: {r.title}" for r in results),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"
