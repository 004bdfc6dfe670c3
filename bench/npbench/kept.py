"""What a run of a set leaves on the disk: its rows so far, and what the peers have compiled.

Some kernels take a peer minutes to compile. So before anything is timed every peer compiles all
kernels, each peer in a process of its own at the same time, and keeps the programs in a folder
beside its environment, from which the timed run takes them. What a peer has compiled for two
threads it compiles for one, in a further process, while the first goes on. A kernel that is not
there within `PATIENCE` seconds is a failure of that peer, at every number of threads, and is not
tried again. Every row is written as soon as it is measured: a run that was interrupted goes on with
`--resume`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue
from threading import BoundedSemaphore
from typing import Any

from bench import environments
from bench.cases import Case
from bench.client import WorkerFailure, WorkerProcess
from bench.compiled.measuring import Entry, Result
from bench.environments import EnvironmentFailure
from bench.measure import Settings
from bench.peers import COMPILED, Peer
from bench.stats import Ratio

__all__ = ["Failures", "Rows", "at", "compiled_ahead", "programs_kept", "result_of"]

Cases = SimpleQueue[Case | None]  # None: no more

PATIENCE = 100.0  # seconds that a peer has for one kernel
Failures = dict[str, dict[str, str]]  # by `at(case, threads)` and peer: why there is no program


def at(case: str, threads: int) -> str:
    """Return the name of a row: `npbench-gemm@2`."""
    return f"{case}@{threads}"


@contextmanager
def programs_kept(settings: Settings) -> Iterator[None]:
    """Let peers keep what they compile in a folder beside their environments."""
    before = os.environ.get(environments.PROGRAMS)
    os.environ[environments.PROGRAMS] = str(settings.venvs / "programs")
    try:
        yield
    finally:
        del os.environ[environments.PROGRAMS]
        if before is not None:
            os.environ[environments.PROGRAMS] = before


def compiled_ahead(
    cases: Sequence[Case], peers: Sequence[Peer], settings: Settings, counts: Sequence[int]
) -> Failures:
    """Let the compiling peers compile all cases for each number of threads, side by side.

    Return what none came of. Numbers of threads take a case one after the other, each in a process
    of its own; where one fails, those behind it are not tried. No more compile at a time than there
    are peers, so that more numbers of threads leave nobody less time.
    """
    failures: Failures = {}
    compiling = [peer for peer in peers if peer.mode == COMPILED]
    room = BoundedSemaphore(max(len(compiling), 1))

    def go(number: int, peer: Peer, before: Cases, after: Cases, threads: int) -> None:
        worker: WorkerProcess | None = None
        while (case := before.get()) is not None:
            try:
                if worker is None or not worker.is_alive:
                    python = environments.ensure(peer, settings.venvs)
                    log = settings.venvs / "logs" / f"{peer.library}.log"
                    worker = WorkerProcess(
                        peer, python, threads=threads, log=log, timeout=PATIENCE, core=number
                    )
                with room:
                    first = worker.ask("prepare", case=case.name)["first"]
                print(
                    f"{case.name:22} {threads} thr. {peer.name}: compiled, {first:.1f} s",
                    flush=True,
                )
                after.put(case)
            except (WorkerFailure, EnvironmentFailure) as failure:
                for count in counts[counts.index(threads) :]:
                    failures.setdefault(at(case.name, count), {})[peer.name] = str(failure)
                print(
                    f"{case.name:22} {threads} thr. {peer.name}: {failure}",
                    file=sys.stderr,
                    flush=True,
                )
        after.put(None)
        if worker is not None:
            worker.close()

    jobs = []
    for number, peer in enumerate(compiling):
        lines: list[Cases] = [SimpleQueue() for _ in (*counts, "done")]
        for case in (*cases, None):
            lines[0].put(case)
        for threads, before, after in zip(counts, lines, lines[1:], strict=False):
            jobs.append((number, peer, before, after, threads))
    with ThreadPoolExecutor(max(len(jobs), 1)) as pool:
        for done in [pool.submit(go, *job) for job in jobs]:
            done.result()
    return failures


class Rows:
    """The results of a run by `at(case, threads)`, in a file with one of them a line.

    `mark` is what a run must have in common with the one that it goes on with.
    """

    def __init__(self, path: Path, mark: dict[str, Any], *, resume: bool) -> None:
        self.path = path
        self.found: dict[str, Result] = {}
        self.failures: Failures | None = None  # of compiling ahead; None: it has not been done
        if resume and path.is_file():
            head, *lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
            if head != mark:
                raise SystemExit(
                    f"python -m bench --resume: {path.name} is of a run with {head}, this one has"
                    f" {mark}.\nLeave out --resume to begin anew."
                )
            for line in lines:
                if "failures" in line:
                    self.failures = line["failures"]
                else:
                    found = result_of(line)
                    self.found[at(found.case, found.threads)] = found
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(mark) + "\n", encoding="utf-8")

    def fail(self, failures: Failures) -> None:
        """Keep what came of compiling ahead."""
        self.failures = failures
        self._append({"failures": failures})

    def add(self, result: Result) -> None:
        """Keep a result."""
        self.found[at(result.case, result.threads)] = result
        self._append(asdict(result))

    def _append(self, line: dict[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def result_of(line: dict[str, Any]) -> Result:
    """Return the result that `asdict` made a dict of."""
    line = dict(line)
    entries = tuple(Entry(**{**e, "samples": tuple(e["samples"])}) for e in line.pop("entries"))
    ratios = {
        name: None if line[name] is None else Ratio(**line.pop(name))
        for name in ("ratio", "over_value")
    }
    return Result(**{**line, "entries": entries, **ratios})
