"""SciPy's optimizers with our derivatives against SciPy's own finite differences.

Both sides are SciPy in one process (a child of the run, with the environment of every measured
one): the solver, the function and the machine are the same, the derivatives are not. Turns go
ours, SciPy's, ours, ...; a turn is one run, or as many as fill its time, of which the fastest
counts.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bench import environments
from bench.client import WorkerFailure
from bench.environments import ROOT
from bench.measure import Calm, Pair, Settings, row_of
from bench.peers import OURS
from bench.results import Row

PEER = "scipy 2-point"
# A run with finite differences takes seconds.
MOST_ROUNDS = 5

Solve = Callable[[], Any]


@dataclass(frozen=True)
class Contest:
    """What is solved, and how close to `answer` both sides must come."""

    title: str
    sides: Callable[[], tuple[Solve, Solve, Any]]  # ours, SciPy's, the answer
    tolerance: float


def rosenbrock(x: Any) -> Any:
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def _bfgs() -> tuple[Solve, Solve, Any]:
    import scipy.optimize

    import gradtape as gt

    start = np.tile([-1.2, 1.0], 100)
    options = {"maxiter": 5000}
    return (
        lambda: gt.minimize(rosenbrock, start, method="BFGS", options=options).x,
        lambda: scipy.optimize.minimize(rosenbrock, start, method="BFGS", options=options).x,
        np.ones(200),
    )


def _fit(rows: int, polish: bool = False) -> tuple[Solve, Solve, Any]:
    """A decay and a peak on a background: six parameters.

    Without `polish` the solver is all that runs on both sides; with it, ours goes on to the last
    digits.
    """
    import scipy.optimize

    import gradtape as gt

    t = np.linspace(0.0, 10.0, rows)
    truth = np.array([5.0, 0.7, 3.0, 6.0, 0.8, 1.0])

    def curve(b: Any) -> Any:
        return b[0] * np.exp(-b[1] * t) + b[2] * np.exp(-(((t - b[3]) / b[4]) ** 2)) + b[5]

    y = curve(truth) + np.random.default_rng(0).normal(0.0, 0.1, rows)

    def residuals(b: Any) -> Any:
        return curve(b) - y

    def jacobian(b: Any) -> Any:  # by hand, for the answer
        decay, z = np.exp(-b[1] * t), (t - b[3]) / b[4]
        peak = b[2] * np.exp(-(z**2)) * 2 * z / b[4]
        columns = [decay, -b[0] * t * decay, np.exp(-(z**2)), peak, peak * z, np.ones(rows)]
        return np.stack(columns, axis=1)

    tight = {"ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-15}
    answer = scipy.optimize.least_squares(residuals, truth, jac=jacobian, **tight).x
    start = 1.15 * truth
    return (
        lambda: gt.least_squares(residuals, start, polish=polish).x,
        lambda: scipy.optimize.least_squares(residuals, start).x,
        answer,
    )


_FIT = "least_squares of 6 parameters at {} points"
CONTESTS = {
    "bfgs-200": Contest("BFGS on the Rosenbrock function of 200 variables", _bfgs, 1e-3),
    "least-squares-1000": Contest(_FIT.format("1,000"), lambda: _fit(1_000), 1e-5),
    "least-squares-1000-refined": Contest(
        _FIT.format("1,000") + ", ours refined to the last digits", lambda: _fit(1_000, True), 1e-5
    ),
    "least-squares-100000": Contest(_FIT.format("100,000"), lambda: _fit(100_000), 1e-5),
}


def fastest(solve: Solve, seconds: float) -> float:
    """Return the seconds of the fastest run in a turn, which holds one at least."""
    best, end = float("inf"), time.perf_counter() + seconds
    while best == float("inf") or time.perf_counter() < end:
        start = time.perf_counter()
        solve()
        best = min(best, time.perf_counter() - start)
    return best


def measure(name: str, rounds: int, seconds: float, patience: float) -> dict[str, Any]:
    """Return the samples (us), the errors and how busy the machine was, measured here."""
    ours, theirs, answer = CONTESTS[name].sides()
    errors = [float(np.max(np.abs(solve() / answer - 1))) for solve in (ours, theirs)]
    samples: tuple[list[float], list[float]] = ([], [])
    calm = Calm(patience)
    for _ in range(rounds):
        calm.wait()
        for solve, kept in zip((ours, theirs), samples, strict=True):
            kept.append(fastest(solve, seconds) * 1e6)
    return {"ours": samples[0], "theirs": samples[1], "errors": errors, "busy": calm.busiest}


def rows(names: Sequence[str], settings: Settings) -> list[Row]:
    """Return a row per contest that is asked for."""
    found = []
    for name in names:
        contest = CONTESTS[name]
        base = Row(name, contest.title, PEER, "eager", "us", tolerance=contest.tolerance)
        try:
            said = _child(name, settings)
        except WorkerFailure as failure:
            found.append(row_of(base, Pair(), our_failure=str(failure)))
            continue
        base = replace(
            base, our_error=said["errors"][0], peer_error=said["errors"][1], busy=said["busy"]
        )
        found.append(row_of(base, Pair(said["ours"], said["theirs"])))
    return found


def _child(name: str, settings: Settings) -> dict[str, Any]:
    rounds = min(settings.rounds, MOST_ROUNDS)
    arguments = [name, str(rounds), str(settings.seconds), str(settings.patience)]
    done = subprocess.run(
        [sys.executable, "-m", "bench.optimizing", *arguments],
        cwd=ROOT,
        env=environments.measured_environment(settings.threads, OURS),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise WorkerFailure(environments.without_folders(last))
    said: dict[str, Any] = json.loads(done.stdout)
    return said


if __name__ == "__main__":
    case, count, turn, wait = sys.argv[1:]
    print(json.dumps(measure(case, int(count), float(turn), float(wait))))
