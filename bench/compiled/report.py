"""The compiled contest as JSON, and as a section of `results.md`."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.compiled import table
from bench.compiled.measuring import JAX, OURS, Entry, Result
from bench.report import anchor, linked, markdown_table, quantity

TITLE = "Compiled programs"


@dataclass(frozen=True)
class Document:
    """What a run of the contest found; `graphs` are first calls by the size of the graph."""

    steady: Sequence[Result]
    first: Sequence[Result] = ()
    cached: Sequence[Result] = ()
    sizes: Sequence[Result] = ()
    graphs: Sequence[Result] = ()
    machine: dict[str, Any] = field(default_factory=dict)
    libraries: dict[str, dict[str, Any]] = field(default_factory=dict)


def as_json(document: Document) -> str:
    """Return the document as JSON text; the samples are in it."""
    return json.dumps(plain(asdict(document)), indent=1, allow_nan=False) + "\n"


def plain(x: Any) -> Any:
    """Return `x` with four digits of each number, and without what JSON cannot say."""
    if isinstance(x, dict):
        return {key: plain(value) for key, value in x.items()}
    if isinstance(x, list | tuple):
        return [plain(value) for value in x]
    if isinstance(x, float):
        return float(f"{x:.4g}") if math.isfinite(x) else None
    return x


# --- cells ----------------------------------------------------------------------------------------


def time_cell(entry: Entry | None, unit: str) -> str:
    """Return minimum and median, or why there is none."""
    if entry is None:
        return "-"
    if entry.spread is None:
        return entry.failure or "not measured"
    found = entry.spread
    return f"{quantity(found.minimum, unit)} ({quantity(found.median, unit)})"


def verdict(result: Result) -> str:
    """Return "met", "met by the minima only", "missed", "not measured", or "" without a bar."""
    if result.bar is None:
        return ""
    ours = result.entry(OURS)
    if ours is not None and (ours.failure or not ours.samples):
        return "missed"
    if result.ratio is None:
        return "not measured"
    return _against(result.ratio.of_minima, result.ratio.median, result.bar)


def _against(minimum: float, median: float, bar: float) -> str:
    if minimum > bar:
        return "missed"
    return "met" if median <= bar else "met by the minima only"


def _ratio(result: Result) -> str:
    if result.ratio is None:
        return "-"
    return f"{result.ratio.of_minima:.3f} ({result.ratio.median:.3f})"


def _bar(result: Result) -> str:
    return "-" if result.bar is None else f"<= {result.bar:g}"


def _linked(met: str, result: Result, what: str = "") -> str:
    return linked(met, anchor("compiled", result.case, result.threads, what))


def accuracy(entry: Entry) -> str:
    if entry.error is None:
        return "-"
    return f"{entry.error:.1e} ({entry.ulps:.2g})" if entry.ulps is not None else "-"


# --- tables ---------------------------------------------------------------------------------------


def _bars_table(results: Sequence[Result]) -> list[str]:
    body = []
    for r in results:
        if r.bar is None:
            continue
        body.append(
            [r.case, str(r.threads), r.best or "-", time_cell(r.entry(OURS), r.unit),
             time_cell(r.entry(r.best), r.unit), _ratio(r), _bar(r), _linked(verdict(r), r),
             f"{r.busy:.0%}"]
        )  # fmt: skip
    header = ["case", "threads", "best peer", "ours", "the best peer's", "ratio", "bar", "met",
              "others' load"]  # fmt: skip
    return markdown_table(header, body)


def _value_table(results: Sequence[Result]) -> list[str]:
    body = []
    for r in results:
        if r.over_value is None:
            continue
        met = _against(r.over_value.of_minima, r.over_value.median, table.VALUE_BAR)
        body.append(
            [r.case, str(r.threads), f"{r.over_value.of_minima:.2f} ({r.over_value.median:.2f})",
             f"<= {table.VALUE_BAR:g}", _linked(met, r, "value")]
        )  # fmt: skip
    return markdown_table(["case", "threads", "gradient / value", "bar", "met"], body)


def _first_table(results: Sequence[Result]) -> list[str]:
    body = [
        [r.case, str(r.threads), time_cell(r.entry(OURS), r.unit),
         time_cell(r.entry(JAX.name), r.unit), _ratio(r), _bar(r), _linked(verdict(r), r, "first")]
        for r in results
    ]  # fmt: skip
    return markdown_table(["case", "threads", "ours", "jax.jit", "ratio", "bar", "met"], body)


def _absolute_rows(document: Document) -> list[list[str]]:
    """Return the rows whose bar is a time."""
    rows = []
    for r in document.cached:
        what = f"first call of {r.case} from the disk"
        rows.append([what, str(r.threads), *_absolute(r, table.CACHED_BAR, "ms", "disk")])
    for r in document.steady:
        if r.case == table.OVERHEAD.name:
            rows.append([r.title, str(r.threads), *_absolute(r, table.OVERHEAD_BAR, "us", "time")])
    return rows


def _absolute(result: Result, bar: float, unit: str, what: str) -> list[str]:
    ours = result.entry(OURS)
    limit = f"<= {bar:g} {unit}"
    if ours is None:
        return [result.note or "-", limit, "not measured"]
    if ours.spread is None:
        return [ours.failure, limit, _linked("missed", result, what)]
    met = _against(ours.spread.minimum, ours.spread.median, bar)
    return [time_cell(ours, result.unit), limit, _linked(met, result, what)]


def _every_side(results: Sequence[Result]) -> list[str]:
    body = []
    for r in results:
        ours = r.entry(OURS)
        for entry in r.entries:
            over = "-"
            if entry.side != OURS and ours is not None and ours.spread and entry.spread:
                over = f"{ours.spread.minimum / entry.spread.minimum:.3f}"
            first = "-" if entry.first is None else quantity(entry.first, "ms")
            body.append(
                [r.case, str(r.threads), entry.side, time_cell(entry, r.unit), over,
                 accuracy(entry), first]
            )  # fmt: skip
    header = ["case", "threads", "side", "min (median)", "ours / it", "error (ulp)", "first run"]
    return markdown_table(header, body)


def _sizes_table(results: Sequence[Result]) -> list[str]:
    body = []
    for r in results:
        if r.note:
            body.append([r.case, str(r.threads), r.note, *["-"] * 5])
            continue
        ours, other = r.entry(OURS), r.entry(JAX.name)
        each = "-"
        if ours is not None and ours.spread is not None:
            n = int(r.case.partition("-")[2])
            each = f"{ours.spread.minimum * 1e3 / n:.3g} ns"
        body.append(
            [r.case, str(r.threads), time_cell(ours, r.unit), each, time_cell(other, r.unit),
             _ratio(r), *(accuracy(x) if x is not None else "-" for x in (ours, other))]
        )  # fmt: skip
    header = ["case", "threads", "ours", "ours, each row or number", "jax.jit", "ratio",
              "our error (ulp)", "jax.jit's"]  # fmt: skip
    return markdown_table(header, body)


def growth(smaller: Result, larger: Result) -> float | None:
    """Return how much faster than n log n the first call of ours grew; at most 1 is not faster."""
    times, sizes = [], []
    for r in (smaller, larger):
        ours = r.entry(OURS)
        if ours is None or ours.spread is None:
            return None
        times.append(ours.spread.minimum)
        sizes.append(int(r.case.partition("-")[2]))
    expected = (sizes[1] * math.log(sizes[1])) / (sizes[0] * math.log(sizes[0]))
    return times[1] / times[0] / expected


def _graphs_table(results: Sequence[Result]) -> list[str]:
    body = []
    for before, r in zip([None, *results], results, strict=False):
        is_next = before is not None and before.threads == r.threads
        grown = growth(before, r) if before is not None and is_next else None
        met = "" if grown is None else "met" if grown <= 1 else "missed"
        body.append(
            [r.case, str(r.threads), time_cell(r.entry(OURS), r.unit),
             time_cell(r.entry(JAX.name), r.unit), _ratio(r),
             "-" if grown is None else f"{grown:.2f}", "" if grown is None else "<= 1",
             _linked(met, r, "growth")]
        )  # fmt: skip
    header = ["case", "threads", "ours", "jax.jit", "ratio", "growth over n log n", "bar", "met"]
    return markdown_table(header, body)


def as_markdown(document: Document) -> str:
    """Return the section."""
    about = document.machine
    titles = dict.fromkeys((r.case, r.title) for r in document.steady)
    columns = ("version", "python", "numpy", "pools")
    lines = [
        f"## {TITLE}",
        "",
        "Written by `python -m bench --only compiled`; the samples are in `compiled.json`. Times"
        " are minima, medians in brackets; all sides of a row took turns, round by round. A ratio"
        " is ours over the best peer's whose answer is right: of the minima, and in brackets the"
        " median of the rounds. Errors are the largest of any output, relative to that output's"
        " largest entry, against float64 for float32 and `longdouble` for float64; in brackets in"
        " units of the dtype's spacing at 1. Losing rows stay in.",
        "",
        f"{about.get('cpu')}, {about.get('system')}, {about.get('rounds')} rounds, load"
        f" {about.get('load_before')} at the start.",
        "",
        "A row that is missed leads to its profile; what was tried:"
        " [README.md](README.md#rows-that-are-missed-and-why).",
        "",
        "### Ours over the best compiled peer",
        "",
        *_bars_table(document.steady),
        "",
        "### The first call: trace and compile",
        "",
        "Each in a fresh process after the import of the library and the making of data; what a"
        " library imports later counts.",
        "",
        *_first_table(document.first),
        "",
        "### Times that are bars themselves",
        "",
        *markdown_table(["what", "threads", "ours", "bar", "met"], _absolute_rows(document)),
        "",
        "### The gradient over the value",
        "",
        *_value_table(document.steady),
        "",
        "### Every side",
        "",
        "The first run is that of a worker which has run other cases before.",
        "",
        *_every_side(document.steady),
        "",
        "### Sizes",
        "",
        *_sizes_table(document.sizes),
        "",
        "### The first call by the size of the graph",
        "",
        "Growth is the time over that of the size before, over what n log n grows by: at most 1, or"
        " it grows faster. Of 10,000 nodes ours alone is asked, once.",
        "",
        *_graphs_table(document.graphs),
        "",
        "### The compiled cases",
        "",
        *(f"- `{case}`: {title}" for case, title in titles),
        "",
        *markdown_table(
            ["library", "version", "Python", "NumPy", "thread pools and kernels"],
            [
                [
                    name,
                    *(str(info.get(key, "-")) for key in columns),
                ]
                for name, info in document.libraries.items()
            ],
        ),
    ]
    return "\n".join(lines) + "\n"
