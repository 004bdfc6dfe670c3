"""The published set as JSON, and as a section of `results.md`."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.compiled.measuring import OURS, Entry, Result
from bench.compiled.report import accuracy, plain
from bench.report import anchor, linked, markdown_table, quantity

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


def row_met(result: Result) -> str:
    """Return whether a kernel is below the bar of rows."""
    if failing([result]):
        return "missed"
    if result.ratio is None:
        return "not measured"
    return "met" if result.ratio.of_minima <= ROW_BAR else "missed"


def mean_met(results: Sequence[Result]) -> str:
    """Return whether the geometric mean of one number of threads is below its bar."""
    mean = geometric_mean(results)
    if mean is None:
        return "not measured"
    return "met" if mean <= MEAN_BAR and not failing(results) else "missed"


def anchor_of(result: Result) -> str:
    """Return where the profile of a kernel is."""
    suite, _, name = result.case.partition("-")
    return anchor(suite, name, result.threads)


# --- cells: with the most threads, and in brackets with fewer ---


def _each(cells: Sequence[str]) -> str:
    """Return one figure for each number of threads, once where they are the same."""
    first, *rest = cells
    others = ", ".join(rest)
    return f"{first} ({others})" if rest and any(cell != first for cell in rest) else first


def _time(entry: Entry | None, unit: str) -> str:
    if entry is None:
        return "-"
    if entry.spread is None:
        return entry.failure or "not measured"
    return quantity(entry.spread.minimum, unit)


def _side(entries: Sequence[Entry | None], unit: str) -> str:
    """Return the times, and how far the answer is off in units of the dtype's spacing at 1."""
    cell = _each([_time(entry, unit) for entry in entries])
    ulps = [e.ulps for e in entries if e is not None and e.ulps is not None and e.spread]
    return f"{cell}, {max(ulps):.2g} ulp" if ulps else cell


def _worst(entries: Sequence[Entry | None]) -> str:
    known = [entry for entry in entries if entry is not None and entry.error is not None]
    return accuracy(max(known, key=lambda entry: entry.error or 0.0)) if known else "-"


def _first(entry: Entry | None) -> str:
    return "-" if entry is None or entry.first is None else quantity(entry.first, "ms")


def _ratio(result: Result) -> str:
    return "-" if result.ratio is None else f"{result.ratio.of_minima:.3f} {result.best}"


def _cells(each: Sequence[Result], peers: Sequence[str]) -> list[str]:
    """Return the row of a kernel, of its results with each number of threads."""
    ours, unit = [r.entry(OURS) for r in each], each[0].unit
    values = [None if r.over_value is None else r.over_value.of_minima for r in each]
    return [
        each[0].case.partition("-")[2],
        _each([_time(entry, unit) for entry in ours]),
        *(_side([r.entry(peer) for r in each], unit) for peer in peers),
        _each([_ratio(r) for r in each]),
        _each([linked(row_met(r), anchor_of(r)) for r in each]),
        _worst(ours),
        _each([_first(entry) for entry in ours]),
        _each(["-" if value is None else f"{value:.2f}" for value in values]),
    ]


def _bars(results: Sequence[Result], threads: int) -> list[list[str]]:
    """Return what the set as a whole must reach with a number of threads."""
    mean, failed = geometric_mean(results), failing(results)
    above = [r for r in results if r.ratio is not None and r.ratio.of_minima > ROW_BAR]
    names = ", ".join(f"[{r.case}](profiles.md#{anchor_of(r)})" for r in above)
    return [
        ["geometric mean of ours over the best peer", str(threads),
         "-" if mean is None else f"{mean:.3f}", f"<= {MEAN_BAR:g}", mean_met(results)],
        [f"kernels above {ROW_BAR:g}", str(threads), names or "none", "none",
         "missed" if above else "met"],
        ["kernels without an answer of ours", str(threads), ", ".join(failed) or "none", "none",
         "missed" if failed else "met"],
    ]  # fmt: skip


def as_markdown(document: SetDocument) -> str:
    """Return the section: the bars, then every kernel with every side."""
    about, results = document.machine, document.results
    counts = sorted({r.threads for r in results}, reverse=True)
    kernels: dict[str, list[Result]] = {}
    for r in sorted(results, key=lambda r: -r.threads):
        kernels.setdefault(r.case, []).append(r)
    sides = dict.fromkeys(entry.side for result in results for entry in result.entries)
    peers = [side for side in sides if side != OURS]
    header = ["kernel", "ours", *peers, "ours / best", f"bar <= {ROW_BAR:g}", "our error (ulp)",
              "our first run", "gradient / value"]  # fmt: skip
    order = dict.fromkeys(r.case for r in results)
    lines = [
        f"## {document.name}",
        "",
        document.about,
        "",
        f"{about.get('cpu')}, {about.get('system')}, threads: {_each(list(map(str, counts)))},"
        f" {about.get('rounds')} rounds, load {about.get('load_before')} at the start.",
        "",
        "A row that is missed leads to its profile; what else is known of it:"
        " [README.md](README.md#npbench-and-gradbench).",
        "",
        *markdown_table(
            ["what", "threads", "reached", "bar", "met"],
            [row for n in counts for row in _bars([r for r in results if r.threads == n], n)],
        ),
        "",
        *(f"- {line}" for line in document.absent),
        *([""] if document.absent else []),
        *markdown_table(header, [_cells(kernels[case], peers) for case in order]),
        "",
        *(f"- `{case.partition('-')[2]}`: {kernels[case][0].title}" for case in order),
    ]
    return "\n".join(lines) + "\n"
