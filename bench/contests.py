"""A contest: two ways to one answer, both in one process, which is a child of the run.

The child has the environment of every measured process, so solver, function and machine are the
same. Turns go ours, the peer's, ours, ...; a turn is one run, or as many as fill its time, of
which the fastest counts.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bench import environments
from bench.client import WorkerFailure
from bench.environments import ROOT
from bench.measure import Calm, Pair, Settings, row_of
from bench.peers import OURS
from bench.results import Row

MOST_ROUNDS = 5  # a run with finite differences takes seconds

Solve = Callable[[], Any]


@dataclass(frozen=True)
class Contest:
    """What is solved, and how close to `answer` both sides must come."""

    title: str
    peer: str
    sides: Callable[[], tuple[Solve, Solve, Any]]  # ours, the peer's, the answer
    tolerance: float = 1e-5


def fastest(solve: Solve, seconds: float) -> float:
    """Return the seconds of the fastest run in a turn, which holds one at least."""
    best, end = float("inf"), time.perf_counter() + seconds
    while best == float("inf") or time.perf_counter() < end:
        start = time.perf_counter()
        solve()
        best = min(best, time.perf_counter() - start)
    return best


def measure(contest: Contest, rounds: int, seconds: float, patience: float) -> dict[str, Any]:
    """Return the samples (us), the errors and how busy the machine was, measured here."""
    ours, theirs, answer = contest.sides()
    errors = [float(np.max(np.abs(solve() / answer - 1))) for solve in (ours, theirs)]
    samples: tuple[list[float], list[float]] = ([], [])
    calm = Calm(patience)
    for _ in range(rounds):
        calm.wait()
        for solve, kept in zip((ours, theirs), samples, strict=True):
            kept.append(fastest(solve, seconds) * 1e6)
    return {"ours": samples[0], "theirs": samples[1], "errors": errors, "busy": calm.busiest}


def main(contests: Mapping[str, Contest]) -> None:
    """Measure the contest that the command line names, and print what `row` reads."""
    name, rounds, seconds, patience = sys.argv[1:]
    print(json.dumps(measure(contests[name], int(rounds), float(seconds), float(patience))))


def row(module: str, name: str, contest: Contest, settings: Settings) -> Row:
    """Return the row of a contest, measured by `python -m <module>`."""
    base = Row(name, contest.title, contest.peer, "eager", "us", tolerance=contest.tolerance)
    rounds = min(settings.rounds, MOST_ROUNDS)
    words = [name, str(rounds), str(settings.seconds), str(settings.patience)]
    try:
        said = json.loads(run([sys.executable, "-m", module, *words], settings))
    except WorkerFailure as failure:
        return row_of(base, Pair(), our_failure=str(failure))
    ours, theirs = said["errors"]
    base = replace(base, our_error=ours, peer_error=theirs, busy=said["busy"])
    return row_of(base, Pair(said["ours"], said["theirs"]))


def run(command: list[str], settings: Settings) -> str:
    """Return what a child prints; WorkerFailure with its last line if it fails."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environments.measured_environment(settings.threads, OURS),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise WorkerFailure(environments.without_folders(last))
    return done.stdout
