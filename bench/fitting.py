"""Fits to tables: a logistic regression against its peers, and `gradtape fit` as a whole process.

The peers of the regression are libraries of the same process (a child of the run, with the
environment of every measured one). Against statsmodels, both sides read a formula on a DataFrame
and say standard errors; against scikit-learn, both take arrays and predict. Turns go ours, peer,
ours, peer ...; a turn is one run, or as many as fill its time, of which the fastest counts.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bench import environments
from bench.client import WorkerFailure
from bench.environments import ROOT
from bench.measure import Calm, Pair, Settings, row_of
from bench.optimizing import fastest
from bench.peers import OURS
from bench.results import Row

MOST_ROUNDS = 5
CARS = ROOT / "examples" / "data" / "cars.csv"
FORMULA = "mpg ~ horsepower"

Solve = Callable[[], Any]


@dataclass(frozen=True)
class Contest:
    """What is fitted, and how close to `answer` both sides must come."""

    title: str
    peer: str
    sides: Callable[[], tuple[Solve, Solve, Any]]  # ours, the peer's, the answer
    tolerance: float = 1e-5


def _randhie() -> tuple[Any, str, Any]:
    """Whether a person saw a doctor: 20,190 rows, nine predictors; and the coefficients."""
    import statsmodels.api as sm

    data = sm.datasets.randhie.load_pandas().data
    names = [name for name in data.columns if name != "mdvis"]
    data["any"] = (data["mdvis"] > 0).astype(float)
    exact = sm.Logit(data["any"], sm.add_constant(data[names]))
    answer = exact.fit(disp=0, method="newton", tol=1e-14).params.to_numpy()
    return data, f"any ~ {' + '.join(names)}", answer


def _with_formula() -> tuple[Solve, Solve, Any]:
    import statsmodels.formula.api as smf

    import gradtape as gt

    data, formula, answer = _randhie()

    def ours() -> Any:
        fit = gt.fit.regress(data, formula, loss="logistic")
        assert fit.standard_errors is not None
        return np.array(list(fit.coefficients.values()))

    def theirs() -> Any:
        fit = smf.logit(formula, data).fit(disp=0)
        assert fit.bse is not None
        return fit.params.to_numpy()

    return ours, theirs, answer


def _with_arrays() -> tuple[Solve, Solve, Any]:
    from sklearn.linear_model import LogisticRegression

    import gradtape as gt

    data, formula, answer = _randhie()
    X = data[formula.partition("~ ")[2].split(" + ")].to_numpy()
    y = data["any"].to_numpy()

    def coefficients(estimator: Any) -> Any:
        made = estimator.fit(X, y)
        return np.append(made.intercept_, made.coef_[0])

    return (
        lambda: coefficients(gt.fit.TapeClassifier(optimizer="newton")),
        # Newton's method is its fastest here, and the one that reaches the answer.
        lambda: coefficients(LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-8)),
        answer,
    )


_TITLE = "logistic regression of randhie, 20,190 rows and 9 predictors: {}"
CONTESTS = {
    "fit-randhie-formula": Contest(
        _TITLE.format("formula, fit, standard errors"), "statsmodels", _with_formula
    ),
    "fit-randhie-arrays": Contest(_TITLE.format("arrays, fit"), "scikit-learn", _with_arrays),
}

PROCESS = "fit-cars"
PROCESS_PEER = "statsmodels script"
PROCESS_TITLE = (
    "`gradtape fit cars.csv`, process start to end with all files, beside a script that fits the "
    "same with statsmodels and draws nothing"
)
NAMES = (*CONTESTS, PROCESS)

SCRIPT = """\
import sys, pandas, statsmodels.formula.api as smf
print(smf.ols(sys.argv[2], pandas.read_csv(sys.argv[1])).fit().summary())
"""


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
    """Return a row per fit that is asked for."""
    return [_process(settings) if name == PROCESS else _contest(name, settings) for name in names]


def _contest(name: str, settings: Settings) -> Row:
    contest = CONTESTS[name]
    base = Row(name, contest.title, contest.peer, "eager", "us", tolerance=contest.tolerance)
    rounds = min(settings.rounds, MOST_ROUNDS)
    words = [name, str(rounds), str(settings.seconds), str(settings.patience)]
    try:
        said = json.loads(_run([sys.executable, "-m", "bench.fitting", *words], settings))
    except WorkerFailure as failure:
        return row_of(base, Pair(), our_failure=str(failure))
    ours, theirs = said["errors"]
    base = replace(base, our_error=ours, peer_error=theirs, busy=said["busy"])
    return row_of(base, Pair(said["ours"], said["theirs"]))


def _process(settings: Settings) -> Row:
    """Whole processes, ours and the peer's in turns; the first of each, cold, does not count."""
    base = Row(PROCESS, PROCESS_TITLE, PROCESS_PEER, "eager", "ms")
    pair, calm, failures = Pair(), Calm(settings.patience), {"ours": "", "peer": ""}
    with tempfile.TemporaryDirectory() as folder:
        commands = {
            "ours": ["-m", "gradtape", "fit", str(CARS), FORMULA, "--out", folder],
            "peer": ["-c", SCRIPT, str(CARS), FORMULA],
        }
        for round_ in range(settings.rounds + 1):
            calm.wait()
            for side, words in commands.items():
                start = time.perf_counter()
                try:
                    _run([sys.executable, *words], settings)
                except WorkerFailure as failure:
                    failures[side] = str(failure)
                    continue
                spent = (time.perf_counter() - start) * 1e3
                if round_ > 0:
                    (pair.ours if side == "ours" else pair.theirs).append(spent)
    return row_of(
        replace(base, busy=calm.busiest),
        pair,
        our_failure=failures["ours"],
        peer_failure=failures["peer"],
    )


def _run(command: list[str], settings: Settings) -> str:
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


if __name__ == "__main__":
    case, count, turn, wait = sys.argv[1:]
    print(json.dumps(measure(case, int(count), float(turn), float(wait))))
