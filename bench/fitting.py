"""Fits to tables: a logistic regression against its peers, and `gradtape fit` as a whole process.

The peers of the regression are libraries of the same process (a child of the run, with the
environment of every measured one). Against statsmodels, both sides read a formula on a DataFrame
and say standard errors; against scikit-learn, both take arrays and predict. Turns go ours, peer,
ours, peer ...; a turn is one run, or as many as fill its time, of which the fastest counts.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bench.client import WorkerFailure
from bench.contests import Contest, Solve, main, row, run
from bench.environments import ROOT
from bench.measure import Calm, Pair, Settings, row_of
from bench.results import Row

CARS = ROOT / "examples" / "data" / "cars.csv"
FORMULA = "mpg ~ horsepower"


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


def rows(names: Sequence[str], settings: Settings) -> list[Row]:
    """Return a row per fit that is asked for."""
    return [
        _process(settings)
        if name == PROCESS
        else row("bench.fitting", name, CONTESTS[name], settings)
        for name in names
    ]


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
                    run([sys.executable, *words], settings)
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


if __name__ == "__main__":
    main(CONTESTS)
