"""What a run of a set leaves on the disk: its rows so far, and what the peers have compiled.

Some kernels take a peer minutes to compile. So before anything is timed every peer compiles all
kernels, each peer in a process of its own at the same time, and keeps the programs in a folder
beside its environment, from which the timed run takes them. A kernel that is not there within
`PATIENCE` seconds is a failure of that peer, and is not tried again. Every row is written as soon
as it is measured: a run that was interrupted goes on with `--resume`.
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
from typing import Any

from bench import environments
from bench.cases import Case
from bench.client import WorkerFailure, WorkerProcess
from bench.compiled.measuring import Entry, Result
from bench.environments import EnvironmentFailure
from bench.measure import Settings
from bench.peers import COMPILED, Peer
from bench.stats import Ratio

__all__ = ["Failures", "Rows", "compiled_ahead", "programs_kept"]

PATIENCE = 100.0  # seconds that a peer has for one kernel
Failures = dict[str, dict[str, str]]  # by case and peer: why there is no program


@contextmanager
def programs_kept(settings: Settings) -> Iterator[None]:
    """Let peers keep what they compile in a folder beside their environments."""
    folder = settings.venvs / "programs"
    wanted = {
        "JAX_COMPILATION_CACHE_DIR": str(folder / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.5",
        "TORCHINDUCTOR_CACHE_DIR": str(folder / "torch"),
        "DACE_default_build_folder": str(folder / "dace"),
        "DACE_compiler_use_cache": "1",
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def compiled_ahead(cases: Sequence[Case], peers: Sequence[Peer], settings: Settings) -> Failures:
    """Let the compiling peers compile all cases, side by side; return what none came of."""
    failures: Failures = {}

    def go(peer: Peer) -> None:
        worker: WorkerProcess | None = None
        for case in cases:
            try:
                if worker is None or not worker.is_alive:
                    python = environments.ensure(peer, settings.venvs)
                    log = settings.venvs / "logs" / f"{peer.library}.log"
                    worker = WorkerProcess(
                        peer, python, threads=settings.threads, log=log, timeout=PATIENCE
                    )
                first = worker.ask("prepare", case=case.name)["first"]
                print(f"{case.name:22} {peer.name}: compiled, {first:.1f} s", flush=True)
            except (WorkerFailure, EnvironmentFailure) as failure:
                failures.setdefault(case.name, {})[peer.name] = str(failure)
                print(f"{case.name:22} {peer.name}: {failure}", file=sys.stderr, flush=True)
        if worker is not None:
            worker.close()

    compiling = [peer for peer in peers if peer.mode == COMPILED]
    with ThreadPoolExecutor(max(len(compiling), 1)) as pool:
        list(pool.map(go, compiling))
    return failures


class Rows:
    """The results of a run, in a file with one of them a line.

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
                    self.found[line["case"]] = _result(line)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(mark) + "\n", encoding="utf-8")

    def fail(self, failures: Failures) -> None:
        """Keep what came of compiling ahead."""
        self.failures = failures
        self._append({"failures": failures})

    def add(self, result: Result) -> None:
        """Keep a result."""
        self.found[result.case] = result
        self._append(asdict(result))

    def _append(self, line: dict[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def _result(line: dict[str, Any]) -> Result:
    entries = tuple(Entry(**{**e, "samples": tuple(e["samples"])}) for e in line.pop("entries"))
    ratios = {
        name: None if line[name] is None else Ratio(**line.pop(name))
        for name in ("ratio", "over_value")
    }
    return Result(**{**line, "entries": entries, **ratios})
