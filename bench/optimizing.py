"""SciPy's optimizers with our derivatives against SciPy's own finite differences.

The solver is SciPy's on both sides; the derivatives are not the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.contests import Contest, Solve, main, row
from bench.measure import Settings
from bench.results import Row

PEER = "scipy 2-point"


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
    "bfgs-200": Contest("BFGS on the Rosenbrock function of 200 variables", PEER, _bfgs, 1e-3),
    "least-squares-1000": Contest(_FIT.format("1,000"), PEER, lambda: _fit(1_000)),
    "least-squares-1000-refined": Contest(
        _FIT.format("1,000") + ", ours refined to the last digits", PEER, lambda: _fit(1_000, True)
    ),
    "least-squares-100000": Contest(_FIT.format("100,000"), PEER, lambda: _fit(100_000)),
}


def rows(names: Sequence[str], settings: Settings) -> list[Row]:
    """Return a row per contest that is asked for."""
    return [row("bench.optimizing", name, CONTESTS[name], settings) for name in names]


if __name__ == "__main__":
    main(CONTESTS)
