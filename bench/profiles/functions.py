"""What is neither a program nor on a tape: functions by cProfile, imports, and memory by line."""

from __future__ import annotations

import cProfile
import pstats
import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.report import markdown_table

SHOWN = 18
_IMPORT = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \| (\s*)(\S+)")


def of_call(call: Callable[[], Any], times: int = 1) -> list[str]:
    """Return the functions in which a call spends its time, the longest first."""
    profile = cProfile.Profile()
    call()  # what happens once is no part of it
    profile.enable()
    try:
        for _ in range(times):
            call()
    finally:
        profile.disable()
    return table(pstats.Stats(profile), times)


def table(stats: Any, times: int = 1) -> list[str]:
    """Return a table of pstats, per call of what was profiled."""
    entries = sorted(stats.stats.items(), key=lambda item: -item[1][2])
    whole = sum(entry[2] for _, entry in entries) or 1.0
    body = [
        [_name(key), f"{entry[1] / times:,.4g}", f"{entry[2] / times * 1e3:.3f}",
         f"{entry[3] / times * 1e3:.3f}", f"{entry[2] / whole:.0%}"]
        for key, entry in entries[:SHOWN]
    ]  # fmt: skip
    body.append(["all", "", f"{whole / times * 1e3:.3f}", "", "100%"])
    header = ["function", "calls", "own (ms)", "with what it calls (ms)", "of all"]
    said = "By cProfile, which makes calls of Python's dearer than they are."
    return [*markdown_table(header, body), "", said]


def _name(key: tuple[str, int, str]) -> str:
    path, _, name = key
    place = "/".join(Path(path).parts[-2:]) if path not in ("~", "") else ""
    return f"`{place}: {name}`" if place else f"`{name.strip('<>')}`"


def _imported(text: str) -> list[tuple[int, int, str]]:
    """Return (own us, us with what it imports, module) of what `python -X importtime` says."""
    return [(int(m[1]), int(m[2]), m[4]) for m in map(_IMPORT.search, text.splitlines()) if m]


def import_seconds(text: str) -> float:
    """Return what all imports took."""
    return sum(own for own, _, _ in _imported(text)) * 1e-6


def of_imports(text: str) -> list[str]:
    """Return the packages and the modules that took longest."""
    found = _imported(text)
    packages: dict[str, int] = {}
    for own, _, name in found:
        packages[name.partition(".")[0]] = packages.get(name.partition(".")[0], 0) + own
    whole = sum(packages.values()) or 1
    longest = sorted(packages.items(), key=lambda item: -item[1])[:SHOWN]
    by_package = [[f"`{name}`", f"{us / 1e3:.1f}", f"{us / whole:.0%}"] for name, us in longest]
    by_module = [[f"`{name}`", f"{own / 1e3:.1f}", f"{all_ / 1e3:.1f}"]
                 for own, all_, name in sorted(found, reverse=True)[:SHOWN]]  # fmt: skip
    return [
        *markdown_table(["package", "own (ms)", "of all"], by_package),
        "",
        *markdown_table(["module", "own (ms)", "with what it imports (ms)"], by_module),
        "",
        f"By `-X importtime`, which makes imports dearer: {whole / 1e3:.0f} ms in all.",
    ]


def of_memory(run: Callable[[], Any], steps: int) -> list[str]:
    """Return the lines whose memory is there after some steps, and the peak that Python saw."""
    tracemalloc.start()
    try:
        for _ in range(steps):
            run()
        peak = tracemalloc.get_traced_memory()[1]
        snapshot = tracemalloc.take_snapshot()
    finally:
        tracemalloc.stop()
    body = []
    for one in snapshot.statistics("lineno")[:SHOWN]:
        frame = one.traceback[0]
        place = "/".join(Path(frame.filename).parts[-2:])
        body.append([f"`{place}:{frame.lineno}`", f"{one.size / 2**20:.2f}", str(one.count)])
    return [
        *markdown_table(["line", "MiB", "blocks"], body),
        "",
        f"The peak of what Python and NumPy allocate is {peak / 2**20:.2f} MiB.",
    ]
