"""The store by itself: rows handed over, committed and read, without a tape."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.recording.measures import Measure, measured

COLUMNS = 10


def measures(rounds: int, quick: bool) -> list[Measure]:
    """Measure the store `rounds` times; `quick` takes a tenth of the steps."""
    steps = 100_000 if quick else 1_000_000
    figures = {
        "block": Measure("hand over a row, in blocks of 256", "ns", bar=1000.0),
        "sustained": Measure(
            "scalars a second until they are on the disk, blocks of 256 rows of 10",
            "1/s",
            bar=1e5,
            is_rate=True,
        ),
        "single": Measure(
            "the same, handed over row by row", "1/s", bar=1e5, is_rate=True
        ),
        "series": Measure(f"open {steps:,} steps of 10 scalars and read one series", "ms", bar=1e3),
        "history": Measure(f"open {steps:,} steps of 10 scalars as a frame", "ms", bar=1e3),
        "busy": Measure("processor time of the writer's thread for a row handed over alone", "us"),
        "idle": Measure("processor time of the writer's thread while no row comes", "%"),
        "late": Measure("from handing over to the commit, the 99th percentile, beside a thread "
                        "that computes", "ms", bar=50.0),
    }  # fmt: skip
    return measured(figures, rounds, steps, _round)


def _round(folder: Path, steps: int) -> dict[str, float]:
    data = np.random.default_rng(0).random((steps, COLUMNS + 1))
    data[:, 0] = np.arange(steps)
    found = {}
    inside, whole = _write(folder / "blocks", data, 256)
    found["block"] = inside / steps * 1e9
    found["sustained"] = steps * COLUMNS / whole
    part = data[: steps // 5]
    found["single"] = len(part) * COLUMNS / _write(folder / "rows", part, 1)[1]
    found["series"] = 1e3 * _seconds(lambda reader: reader.series("value/3"), folder / "blocks")
    found["history"] = 1e3 * _seconds(lambda reader: reader.history(), folder / "blocks")
    return found | _beside(folder / "beside")


def _writer(folder: Path) -> tuple[Any, int]:
    from gradtape.record.writer import Writer

    writer = Writer(folder)
    names = ["cost", *(f"value/{i}" for i in range(1, COLUMNS))]
    return writer, writer.layout([writer.column(name, "value") for name in names])


def _write(folder: Path, data: np.ndarray[Any, Any], height: int) -> tuple[float, float]:
    """Return the seconds inside `rows`, and until the run was closed."""
    writer, layout = _writer(folder)
    blocks = [data[start : start + height].copy() for start in range(0, len(data), height)]
    begin = time.perf_counter()
    for block in blocks:
        writer.rows(layout, block)
    inside = time.perf_counter() - begin
    writer.close()
    return inside, time.perf_counter() - begin


def _seconds(ask: Callable[[Any], object], folder: Path) -> float:
    import pandas  # noqa: F401 - its import is not what is measured

    from gradtape.record.reader import Reader

    begin = time.perf_counter()
    ask(Reader(folder))
    return time.perf_counter() - begin


def _spin(seconds: float, every: float = np.inf, do: Callable[[], None] = lambda: None) -> None:
    """Compute in Python for a while, calling `do` from time to time."""
    now = time.perf_counter()
    end, due = now + seconds, now + every
    while now < end:
        sum(range(50))
        now = time.perf_counter()
        if now >= due:
            do()
            due = now + every


def _beside(folder: Path) -> dict[str, float]:
    """What the writer's thread takes beside a thread that computes, and how late it commits.

    Processor time, which other processes do not change: an upper bound of the time for which the
    computing thread can be kept from the GIL.
    """
    from gradtape.record import transactions

    handed: list[float] = []
    late: list[float] = []
    clock = [0.0]
    commit = transactions.Transactions.commit

    def timed(self: Any, items: Any) -> None:
        commit(self, items)
        now = time.perf_counter()
        for item in items:
            if item.table == "chunk":
                late.append(now - handed[int(item.values[1][0, 0])])

    def tick() -> None:
        clock[0] = time.thread_time()

    row = np.ones((1, COLUMNS + 1))
    transactions.Transactions.commit = timed  # type: ignore[method-assign]
    try:
        writer, layout = _writer(folder)
        writer.collect = tick
        writer.flush()

        def hand_over() -> None:
            block = row.copy()
            block[0, 0] = len(handed)
            handed.append(time.perf_counter())
            writer.rows(layout, block)

        before = clock[0]
        _spin(1.0, 1e-4, hand_over)
        writer.flush()
        busy = clock[0] - before
        before = clock[0]
        _spin(1.0)
        writer.flush()
        idle = clock[0] - before
        writer.close()
    finally:
        transactions.Transactions.commit = commit  # type: ignore[method-assign]
    return {
        "busy": busy / len(handed) * 1e6,
        "idle": idle * 100,
        "late": float(np.percentile(late, 99)) * 1e3,
    }
