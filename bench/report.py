"""The run's results as `results.json` and as a table in Markdown."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from bench.results import Row, Verdict


@dataclass(frozen=True)
class Run:
    """A whole run: what was measured, on what, and what it says about the bars."""

    rows: Sequence[Row]
    verdicts: Sequence[Verdict]
    machine: dict[str, Any] = field(default_factory=dict)
    libraries: dict[str, dict[str, Any]] = field(default_factory=dict)


def load() -> float:
    """Return how many processes wanted a core in the last minute, 0 where that is not known."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def machine(
    threads: int, rounds: int, ufunc_seconds: float | None, load_before: float
) -> dict[str, Any]:
    """Return what a reader needs to place the figures; nothing that names the machine."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return {
        "cpu": model,
        "system": f"{platform.system()} {platform.machine()}",
        "threads": threads,
        "rounds": rounds,
        "load_before": round(load_before, 2),
        "numpy_ufunc_call_us": None if ufunc_seconds is None else ufunc_seconds * 1e6,
    }


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row without infinite errors, which JSON cannot say; its status says them."""
    return {
        key: None if isinstance(value, float) and not isfinite(value) else value
        for key, value in row.items()
    }


def as_json(run: Run) -> str:
    """Return the results as JSON text."""
    document = {
        "machine": run.machine,
        "libraries": run.libraries,
        "rows": [_finite(asdict(row)) for row in run.rows],
        "bars": [
            {**asdict(verdict.bar), **asdict(verdict), "bar": verdict.bar.text}
            for verdict in run.verdicts
        ],
    }
    return json.dumps(document, indent=1, allow_nan=False) + "\n"


_SCALES = {"us": (("us", 1.0), ("ms", 1e3), ("s", 1e6)), "ms": (("ms", 1.0), ("s", 1e3))}


def quantity(value: float, unit: str) -> str:
    """Return three or more significant digits in the unit that reads best: `1.24 ms`."""
    name, scale = unit, 1.0
    for bigger, step in _SCALES.get(unit, ()):
        if abs(value) >= step:
            name, scale = bigger, step
    value /= scale
    digits = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{value:.{digits}f} {name}"


def _optional(value: float | None, pattern: str) -> str:
    return "-" if value is None else format(value, pattern)


def _met(verdict: Verdict) -> str:
    return linked(verdict.met, anchor("eager", verdict.bar.case, verdict.threads))


def _verdict_cells(row: Row, verdicts: Sequence[Verdict]) -> tuple[str, str]:
    """Return the bar and whether it is met, on the row that decided it."""
    for v in verdicts:
        if (v.bar.case, v.peer, v.threads) == (row.case, row.peer, row.threads):
            return v.bar.text, _met(v)
    return "", ""


def cells(row: Row, verdicts: Sequence[Verdict]) -> list[str]:
    """Return the table's cells of one row."""
    bar, met = _verdict_cells(row, verdicts)
    return [
        row.case,
        row.peer,
        str(row.threads),
        *(
            "-" if side is None else quantity(value, row.unit)
            for side in (row.ours, row.theirs)
            for value in ((side.minimum, side.median) if side else (0.0, 0.0))
        ),
        "-" if row.ratio is None else f"{row.ratio.of_minima:.3f}",
        "-" if row.ratio is None else f"{row.ratio.median:.3f}",
        _optional(row.our_error, ".0e"),
        _optional(row.peer_error, ".0e"),
        "-" if row.busy is None else f"{row.busy:.0%}",
        bar,
        met,
        row.status if row.status == "ok" else f"{row.status}: {row.reason}",
    ]


HEADER = [
    "case",
    "peer",
    "threads",
    "ours min",
    "ours median",
    "peer min",
    "peer median",
    "ours/peer (min)",
    "ours/peer (median)",
    "our error",
    "peer's error",
    "others' load",
    "bar",
    "met",
    "status",
]


def _line(parts: Sequence[str]) -> str:
    return "| " + " | ".join(part.replace("|", "\\|") for part in parts) + " |"


def markdown_table(header: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    return [_line(header), _line(["---"] * len(header)), *(_line(parts) for parts in body)]


def _bar_cells(verdict: Verdict) -> list[str]:
    pattern = ".1f" if verdict.bar.is_difference or verdict.bar.is_time else ".3f"
    return [
        verdict.bar.case,
        str(verdict.threads),
        verdict.bar.text,
        verdict.peer or "-",
        _optional(verdict.reached, pattern),
        _optional(verdict.reached_by_median, pattern),
        _met(verdict),
    ]


# Where README.md says what else is known of a bar that is missed.
WHY = {
    "gmm": "the-mixtures-gradient-eagerly",
    "mlp": "other-eager-rows-that-are-missed",
    "import-dialect": "other-eager-rows-that-are-missed",
}


def _why(verdicts: Sequence[Verdict]) -> list[str]:
    """Return a line that leads to what README.md says of the bars that are missed."""
    missed = dict.fromkeys(v.bar.case for v in verdicts if v.met != "met" and v.bar.case in WHY)
    links = [f"[{case}](README.md#{WHY[case]})" for case in missed]
    return [f"What is known of them besides: {', '.join(links)}.", ""] if links else []


def as_markdown(run: Run) -> str:
    """Return the results as Markdown: the bars, every row, what each case is, the machine."""
    titles = dict.fromkeys((row.case, row.title) for row in run.rows)
    about = run.machine
    ufunc = about.get("numpy_ufunc_call_us")
    lines = [
        "# gradtape beside its peers",
        "",
        "Written by `python -m bench`; the same figures are in `results.json`. A ratio is ours over"
        " the peer's, so less than 1 is faster or smaller; losing rows stay in. Errors are relative"
        " to a float64 reference written out by hand, and a wrong answer meets no bar. Others' load"
        " is the largest share of the machine that other processes held before a round: above a few"
        " percent, two-thread timings of either side are not to be trusted.",
        "",
        f"{about.get('cpu')}, {about.get('system')}, {about.get('threads')} threads,"
        f" {about.get('rounds')} rounds, load {about.get('load_before')} at the start"
        + (f"; one NumPy ufunc call on ten numbers: {ufunc:.2f} us." if ufunc else "."),
        "",
        "## Bars",
        "",
        "A row that is missed leads to its profile.",
        "",
        *markdown_table(
            ["case", "threads", "bar", "against", "reached (min)", "reached (median)", "met"],
            [_bar_cells(verdict) for verdict in run.verdicts],
        ),
        "",
        *_why(run.verdicts),
        "## Every case and peer",
        "",
        *markdown_table(HEADER, [cells(row, run.verdicts) for row in run.rows]),
        "",
        "## The cases",
        "",
        *(f"- `{case}`: {title}" for case, title in titles),
        "",
        "## The libraries",
        "",
        *markdown_table(
            ["library", "version", "Python", "NumPy", "threads", "thread pools and kernels"],
            [
                [name, *(str(info.get(key, "-")) for key in
                         ("version", "python", "numpy", "threads", "pools"))]
                for name, info in run.libraries.items()
            ],
        ),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def anchor(section: str, case: str, threads: int, what: str = "") -> str:
    """Return where in `profiles.md` the profile of a missed row is."""
    return "-".join(filter(None, (section, what, case, str(threads))))


def linked(met: str, place: str) -> str:
    """Return what a table says of a bar: "missed" leads to the profile at that anchor."""
    return f"[missed](profiles.md#{place})" if met == "missed" else met


# --- sections ------------------------------------------------------------------------------------

# Parts of the bench that are run by themselves have a section each in `results.md`, between these.
SECTIONS = ("compiled", "npbench", "gradbench", "recording")


def _marks(name: str) -> tuple[str, str]:
    return f"<!-- section {name} -->", f"<!-- end of section {name} -->"


def section(text: str, name: str) -> str:
    """Return the section of that name in a page, without its marks; "" where there is none."""
    begin, end = _marks(name)
    _, found, rest = text.partition(begin)
    return rest.partition(end)[0].strip() + "\n" if found else ""


def with_section(text: str, name: str, body: str) -> str:
    """Return a page with that section in the place of the one it had, or at the end."""
    parts = {known: section(text, known) for known in SECTIONS}
    parts[name] = body
    page = text
    for known in SECTIONS:
        page = page.partition(_marks(known)[0])[0]
    whole = [page.rstrip("\n")]
    for known, part in parts.items():
        if part:
            begin, end = _marks(known)
            whole.append(f"{begin}\n\n{part.strip()}\n\n{end}")
    return "\n\n".join(whole).lstrip() + "\n"


def _page(folder: Path) -> str:
    path = folder / "results.md"
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def write(run: Run, folder: Path) -> None:
    """Write `results.json` and `results.md`, whose sections stay."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(as_json(run), encoding="utf-8")
    before, page = _page(folder), as_markdown(run)
    for name in SECTIONS:
        if kept := section(before, name):
            page = with_section(page, name, kept)
    (folder / "results.md").write_text(page, encoding="utf-8")


def write_section(name: str, body: str, data: str, folder: Path) -> None:
    """Write `<name>.json`, and the section of that name into `results.md`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(data, encoding="utf-8")
    page = with_section(_page(folder), name, body)
    (folder / "results.md").write_text(page, encoding="utf-8")
