"""An eager case by its operations: how long each takes forwards, and its rule backwards.

A tape's recorder is one that looks at the clock whenever something is recorded, and whose records
are timed when the sweep plays them. So an operation's time forwards is that since the operation
before it: its computation, its way through dispatch, and Python between the two.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from bench.report import markdown_table

RUNS = 30
SECONDS = 1.5
SHOWN = 16


class Clocked:
    """The times of the records of one run: seconds by the number of the record."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.forwards: list[float] = []
        self.backwards: dict[int, float] = {}
        self.last = time.perf_counter()


def recorder_class(runs: list[Clocked]) -> Any:
    """Return a Recorder class that leaves a `Clocked` in `runs` for every tape."""
    from gradtape.core.positions import decode
    from gradtape.core.state import CODE, LASTI, RUN, Recorder
    from gradtape.core.sweep import run_item, run_sum_all, run_unsupported
    from gradtape.tape.reach import name_of

    known = (run_item, run_unsupported, run_sum_all)  # a sweep asks for these by identity
    where: dict[Any, str] = {}

    def place(rec: list[Any]) -> str:
        key = (rec[CODE], rec[LASTI])
        if key not in where:
            where[key] = decode(*key).source.strip()
        return where[key]

    class Timed(Recorder):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            clocked = Clocked()
            runs.append(clocked)
            append = self.ops.append

            def record(rec: list[Any]) -> None:
                now = time.perf_counter()
                clocked.forwards.append(now - clocked.last)
                number = len(self.ops)
                clocked.names.append(f"{name_of(rec)} | {place(rec)}")
                run = rec[RUN]
                if not any(run is one for one in known):
                    rec[RUN] = _timed(run, clocked, number)
                append(rec)
                clocked.last = time.perf_counter()

            self.record = record  # type: ignore[assignment]

    return Timed


def _timed(run: Callable[..., Any], clocked: Clocked, number: int) -> Callable[..., Any]:
    def timed(*given: Any) -> Any:
        start = time.perf_counter()
        try:
            return run(*given)
        finally:
            spent = time.perf_counter() - start
            clocked.backwards[number] = clocked.backwards.get(number, 0.0) + spent

    return timed


def clocked(run: Callable[[], Any]) -> tuple[list[Clocked], float]:
    """Return the times of the tapes of some runs, and the seconds of the fastest run."""
    import gradtape as gt

    runs: list[Clocked] = []
    before = gt.GradientTape._recorder_class
    gt.GradientTape._recorder_class = recorder_class(runs)
    best, end = float("inf"), time.perf_counter() + SECONDS
    try:
        for _ in range(RUNS):
            start = time.perf_counter()
            run()
            best = min(best, time.perf_counter() - start)
            if time.perf_counter() > end:
                break
    finally:
        gt.GradientTape._recorder_class = before
    return runs, best


def lines(run: Callable[[], Any]) -> list[str]:
    """Return the table of a case that records on one tape; empty where it does not."""
    runs, whole = clocked(run)
    if not runs or not runs[0].names or any(one.names != runs[0].names for one in runs):
        return []
    count = range(len(runs[0].names))
    forwards = [min(one.forwards[i] for one in runs) for i in count]
    backwards = [min(one.backwards.get(i, 0.0) for one in runs) for i in count]
    rows: dict[str, list[float]] = {}
    for name, forth, back in zip(runs[0].names, forwards, backwards, strict=True):
        row = rows.setdefault(name, [0, 0.0, 0.0])
        row[0], row[1], row[2] = row[0] + 1, row[1] + forth, row[2] + back
    order = sorted(rows.items(), key=lambda item: -(item[1][1] + item[1][2]))
    body = [_row(name, *row) for name, row in order[:SHOWN]]
    left = [row for _, row in order[SHOWN:]]
    if left:
        body.append(_row(f"{len(left)} others | ", *map(sum, zip(*left, strict=True))))
    body.append(_row("all | ", len(forwards), sum(forwards), sum(backwards)))
    header = ["operation", "line", "times", "forwards (us)", "backwards (us)"]
    rest = whole - sum(forwards) - sum(backwards)
    return [
        *markdown_table(header, body),
        "",
        f"The fastest run under these clocks took {whole * 1e6:.0f} us; {rest * 1e6:.0f} of them"
        " are not in an operation: the sweep's own, what follows the tape, and the clocks.",
    ]


def _row(name: str, times: float, forth: float, back: float) -> list[str]:
    operation, _, line = name.partition(" | ")
    source = f"`{line}`" if line else ""
    return [operation, source, f"{times:.0f}", f"{forth * 1e6:.1f}", f"{back * 1e6:.1f}"]
