"""What `python -m bench --only profiles` runs: a profile of every row that is missed, as a page."""

from __future__ import annotations

import argparse
import pstats
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from bench import environments, fitting, measure, report
from bench.client import WorkerFailure, WorkerProcess
from bench.compiled.measuring import cache_folder
from bench.environments import ROOT
from bench.measure import Settings
from bench.peers import OURS, OURS_COMPILED
from bench.profiles import functions
from bench.profiles.missed import Missed, missed

PATIENCE = 60.0  # seconds for one profile
FIRST_CALLS = 3  # fresh processes, of which the fastest is shown
LIBRARIES = {"report": OURS_COMPILED, "value": OURS_COMPILED, "stages": OURS_COMPILED,
             "stages from disk": replace(OURS_COMPILED, library="gradtape_cached")}  # fmt: skip
PROCESSES = ("script", fitting.PROCESS)  # which are profiled as whole processes

ABOUT = (
    "Written by `python -m bench --only profiles` after the other parts, from their JSON files: one"
    " profile for every row that misses its bar, taken in a process as that of the row, with its"
    " number of threads. Of a call it is `f.report(*args)`: parts and pieces, what was fused and"
    " what ended it, operations, bytes, estimated and measured time. Of a first call it is the time"
    " of each stage in the calling thread, less that of the stages within it, and in the threads"
    " that compile beside it. Of an eager row it is each operation, forwards and backwards; of what"
    " has no operations, functions, imports or lines."
)


def run(settings: Settings, options: argparse.Namespace, folder: Path) -> str:
    """Return the page of what is missed in the JSON files of `folder`."""
    before = report.load()
    rows = [one for one in missed(folder) if not options.case or one.case in options.case]
    return page(rows, report.machine(settings.threads, 1, None, before), taker(settings))


def page(
    rows: Sequence[Missed], about: dict[str, object], take: Callable[[Missed], list[str]]
) -> str:
    """Return the Markdown: which rows, then each with its profile."""
    lines = ["# Why rows are missed", "", ABOUT, "",
             f"{about.get('cpu')}, {about.get('system')}, load {about.get('load_before')} at the"
             " start.", ""]  # fmt: skip
    if not rows:
        return "\n".join([*lines, "No row is missed."]) + "\n"
    lines += [f"- [{_title(row)}](#{row.anchor})" for row in rows]
    for row in rows:
        print(f"{row.anchor:40} {row.kind}", flush=True)
        lines += ["", f'<a id="{row.anchor}"></a>', "", f"## {_title(row)}", "",
                  f"{row.says[:1].upper()}{row.says[1:]}.", ""]  # fmt: skip
        try:
            lines += take(row)
        except (WorkerFailure, environments.EnvironmentFailure) as failure:
            lines.append(f"There is no profile: {failure}")
    return "\n".join(lines) + "\n"


def _title(row: Missed) -> str:
    return f"{row.title}, {row.threads} thread{'s' * (row.threads != 1)}"


def taker(settings: Settings) -> Callable[[Missed], list[str]]:
    """Return what takes the profile of a row in fresh processes."""

    def take(row: Missed) -> list[str]:
        own = replace(settings, threads=row.threads)
        if row.kind == "imports":
            return _imports(row.case, own)
        if row.case in PROCESSES:
            return _process(row.case, own)
        from_disk = row.kind == "stages from disk"
        times = FIRST_CALLS if row.kind.startswith("stages") else 1
        with cache_folder() if from_disk else nullcontext():
            if from_disk:
                _asked(row, own)  # the first process fills the folder
            found = [_asked(row, own) for _ in range(times)]
        return min(found, key=lambda reply: float(reply[1]))[0]

    return take


def _asked(row: Missed, settings: Settings) -> tuple[list[str], float]:
    """Return the lines of a profile, and how long what was profiled took."""
    peer = LIBRARIES.get(row.kind, OURS)
    log = settings.venvs / "logs" / "profiles.log"
    worker = WorkerProcess(
        peer, Path(sys.executable), threads=settings.threads, log=log, timeout=PATIENCE
    )
    try:
        reply = worker.ask("profile", kind=row.kind, case=row.case)
        return reply["lines"], reply["seconds"]
    finally:
        worker.close()


def _imports(case: str, settings: Settings) -> list[str]:
    code = measure.dialect_code("gradtape.tf") if case == "import-dialect" else (
        measure.import_code(OURS)
    )  # fmt: skip
    command = [sys.executable, "-X", "importtime", "-c", code]
    texts = [_ran(command, settings).stderr for _ in range(FIRST_CALLS)]
    return functions.of_imports(min(texts, key=functions.import_seconds))


def _process(case: str, settings: Settings) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "profile")
        words = ["run", "--tensorflow", str(measure.SCRIPT), "--no-plots"]
        if case == fitting.PROCESS:
            words = ["fit", str(fitting.CARS), fitting.FORMULA, "--out", folder]
        _ran([sys.executable, "-m", "cProfile", "-o", out, "-m", "gradtape", *words], settings)
        return functions.table(pstats.Stats(out))


def _ran(command: list[str], settings: Settings) -> subprocess.CompletedProcess[str]:
    env = environments.measured_environment(settings.threads, OURS)
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise WorkerFailure(environments.without_folders(last))
    return done
