"""A first call by its stages, as `events.stage` publishes them: what each thread did, how long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.report import markdown_table

REST = "what is between: signature, imports, programs built"
RUN = "the program's first run"


@dataclass(frozen=True)
class Stage:
    """A stage that has ended: seconds from the call's beginning, and in which thread.

    `thread` is 0 for the calling thread.
    """

    name: str
    start: float
    end: float
    thread: int = 0


@dataclass
class Watched:
    """What was seen of a first call; `passes` are (name, when it ended), of the calling thread."""

    wall: float = 0.0
    stages: list[Stage] = field(default_factory=list)
    passes: list[tuple[str, float]] = field(default_factory=list)


def watched(call: Callable[[], Any]) -> Watched:
    """Make a first call, and return its stages."""
    from gradtape import events

    found, mine = Watched(), threading.get_ident()

    def listen(name: str, data: dict[str, Any]) -> None:
        thread = threading.get_ident()
        thread = 0 if thread == mine else thread
        if name == "stage":
            start, end = data["start"] - begin, data["end"] - begin
            found.stages.append(Stage(data["run"], start, end, thread))
        elif name == "pass" and not thread:
            found.passes.append((data["run"], time.perf_counter() - begin))

    stop = events.subscribe(listen)
    begin = time.perf_counter()
    try:
        call()
    finally:
        found.wall = time.perf_counter() - begin
        stop()
    return found


def own_times(stages: Sequence[Stage]) -> dict[str, float]:
    """Return the seconds of each stage of one thread, less those of the stages within it."""
    spent: dict[str, float] = {}
    around: list[Stage] = []
    for stage in sorted(stages, key=lambda s: (s.start, -s.end)):
        while around and around[-1].end <= stage.start:
            around.pop()
        spent[stage.name] = spent.get(stage.name, 0.0) + stage.end - stage.start
        if around:
            spent[around[-1].name] -= stage.end - stage.start
        around.append(stage)
    return spent


def pass_times(seen: Watched) -> dict[str, float]:
    """Return the seconds of each pass: from the one before it, or the beginning of the stage."""
    spent: dict[str, float] = {}
    for stage in seen.stages:
        if not stage.thread and stage.name == "passes":
            at = stage.start
            for name, end in seen.passes:
                if stage.start <= end <= stage.end:
                    spent[name] = spent.get(name, 0.0) + end - at
                    at = end
    return spent


def lines(seen: Watched) -> list[str]:
    """Return the table, and the longest passes."""
    mine: dict[str, float] = {}
    others: dict[str, float] = {}
    for thread in {s.thread for s in seen.stages}:
        into = others if thread else mine
        for name, spent in own_times([s for s in seen.stages if s.thread == thread]).items():
            into[name] = into.get(name, 0.0) + spent
    last = max((s.end for s in seen.stages if not s.thread), default=0.0)
    first_run = max(seen.wall - last, 0.0)
    rest = max(seen.wall - first_run - sum(mine.values()), 0.0)
    order = dict.fromkeys(s.name for s in sorted(seen.stages, key=lambda s: s.start))
    body = [_row(name, mine.get(name), others.get(name), seen.wall) for name in order]
    body += [_row(REST, rest, None, seen.wall), _row(RUN, first_run, None, seen.wall)]
    body.append(_row("the whole call", seen.wall, None, seen.wall))
    header = ["stage", "calling thread (ms)", "of the call", "other threads (ms)"]
    longest = sorted(pass_times(seen).items(), key=lambda item: -item[1])[:5]
    said = ", ".join(f"{name} {seconds * 1e3:.2f} ms" for name, seconds in longest)
    return [*markdown_table(header, body), "", f"The longest passes: {said or 'none was run'}."]


def _row(name: str, mine: float | None, others: float | None, wall: float) -> list[str]:
    return [
        name,
        "" if mine is None else f"{mine * 1e3:.2f}",
        "" if mine is None or not wall else f"{mine / wall:.0%}",
        "" if not others else f"{others * 1e3:.2f}",
    ]
