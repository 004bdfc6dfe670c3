"""What a measured process does for a profile: `profile(kind, case)` gives the lines of the page."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bench.profiles import functions, operations, stages

PIECES = 14  # of a program, that are shown
SOURCES = 4  # lines of the source, of each
STEPS = 10


Make = Callable[..., Callable[[], Any]]


def taken(kind: str, case: str, make: Make) -> tuple[list[str], float]:
    """Return a profile, and of a first call its seconds; `make` gives what the case runs."""
    if kind.startswith("stages"):
        seen = stages.watched(make(case))
        return stages.lines(seen), seen.wall
    return TAKERS[kind](case, make), 0.0


def last_call(run: Callable[[], Any]) -> tuple[Any, tuple[Any, ...]]:
    """Return the compiled function that a run calls last, and the arguments.

    It is seen from outside: a function around it would stand in the report as a line of the user's.
    """
    from gradtape.program.function import CompiledFunction

    code = CompiledFunction.__call__.__code__
    seen: list[tuple[Any, tuple[Any, ...]]] = []

    def look(frame: Any, event: str, _: Any) -> None:
        if event == "call" and frame.f_code is code:
            seen.append((frame.f_locals["self"], frame.f_locals["args"]))

    sys.setprofile(look)
    try:
        run()
    finally:
        sys.setprofile(None)
    return seen[-1]


def report_of(case: str, make: Make, **options: Any) -> list[str]:
    """Return `f.report(*args)` of the case's program."""
    run = make(case, **options)
    for _ in range(3):
        run()
    program, args = last_call(run)
    return ["```", *str(shortened(program.report(*args))).splitlines(), "```"]


def shortened(report: Any) -> Any:
    """Return a report with the pieces that take longest, and the first lines of each."""
    pieces = sorted(
        (row for row in report.rows if row.is_piece), key=lambda row: -(row.estimated or 0.0)
    )
    dropped = pieces[PIECES:]
    rows = []
    for row in report.rows:
        if any(row is one for one in dropped):
            continue
        more = len(row.lines) - SOURCES
        why = row.why
        if more > 0:
            why = f"{why}; {more} more lines" if why else f"{more} more lines"
        rows.append(replace(row, lines=row.lines[:SOURCES], why=why))
    if dropped:
        last = replace(
            dropped[0],
            title=f"{len(dropped)} further pieces, each shorter",
            why="", lines=[],
            **{name: sum(getattr(row, name) or 0 for row in dropped)
               for name in ("flops", "reads", "writes", "estimated")},
        )  # fmt: skip
        rows.append(last)
    return replace(report, rows=rows)


def _value(case: str, make: Make) -> list[str]:
    return [
        "The value with its gradient:", "", *report_of(case, make),
        "", "The value alone:", "", *report_of(case, make, is_value=True),
    ]  # fmt: skip


def _operations(case: str, make: Make) -> list[str]:
    run = make(case)
    for _ in range(3):
        run()
    found = operations.lines(run)
    # a Jacobian's sweeps are not those of one tape
    return found or functions.of_call(lambda: [run() for _ in range(20)], times=1)


def _memory(case: str, make: Make) -> list[str]:
    return functions.of_memory(make("mlp"), STEPS)


def _functions(case: str, make: Make) -> list[str]:
    if case.startswith("recording-"):
        return _recorded(case.partition("-")[2])
    from bench.fitting import CONTESTS as FITS
    from bench.optimizing import CONTESTS

    return functions.of_call({**CONTESTS, **FITS}[case].sides()[0])


def _recorded(level: str) -> list[str]:
    import tempfile
    from pathlib import Path

    import gradtape as gt
    from bench.recording.capture import tutorial

    loop = tutorial()
    loop(200)
    with (
        tempfile.TemporaryDirectory() as folder,
        gt.Recording(Path(folder) / "run", level=level, progress=False),
    ):
        return functions.of_call(lambda: loop(300))


TAKERS: dict[str, Callable[[str, Make], list[str]]] = {
    "report": report_of,
    "value": _value,
    "operations": _operations,
    "memory": _memory,
    "functions": _functions,
}
