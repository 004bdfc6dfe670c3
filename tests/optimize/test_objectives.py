"""Objectives written for SciPy run unedited: their gradients, Hessians and minima are right."""

import inspect

import numpy as np
import pytest

import gradtape as gt
from tests.optimize import objectives
from tests.optimize.objectives import CASES

IDS = [str(case) for case in CASES]


def central(function, x, h=1e-6):
    """Central differences of a function of a vector, column by column."""
    columns = []
    for i in range(x.size):
        step = np.zeros_like(x)
        step[i] = h * (1 + abs(x[i]))
        change = np.asarray(function(x + step)) - np.asarray(function(x - step))
        columns.append(change / (2 * step[i]))
    return np.stack(columns, axis=-1)


def test_there_are_many_and_each_is_a_case():
    defined = [f for f in vars(objectives).values() if inspect.isfunction(f)
               and f.__module__ == objectives.__name__]  # fmt: skip
    assert {case.fun for case in CASES} == set(defined)
    assert len(CASES) >= 50


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_gradient(case):
    x = np.array(case.start)
    found = gt.grad(case.fun)(x)
    np.testing.assert_allclose(found, central(case.fun, x), rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_hessian(case):
    """The Hessian that trust-exact is given, against differences of the gradient."""
    x = np.array(case.start)
    seen = {}

    def method(fun, x0, jac, hess, hessp, **_):
        seen["hessian"] = np.stack([hessp(x0, row) for row in np.eye(x0.size)])
        from scipy.optimize import OptimizeResult

        return OptimizeResult(x=x0, fun=fun(x0), success=True, message="")

    gt.minimize(case.fun, x, method=method)
    expected = central(gt.grad(case.fun), x)
    scale = 1 + np.abs(expected).max()
    np.testing.assert_allclose(seen["hessian"], expected, rtol=1e-5, atol=1e-6 * scale)
    np.testing.assert_allclose(seen["hessian"], seen["hessian"].T, atol=1e-9 * scale)


@pytest.mark.parametrize("case", [c for c in CASES if c.lowest is not None], ids=str)
@pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")  # a line search oversteps
def test_minimum(case):
    method = "BFGS" if case.is_smooth else "Nelder-Mead"
    options = {"BFGS": {"gtol": 1e-8}, "Nelder-Mead": {"xatol": 1e-9, "fatol": 1e-12,
                                                       "maxiter": 5000}}  # fmt: skip
    result = gt.minimize(case.fun, case.start, method=method, options=options[method])
    assert result.fun == pytest.approx(case.lowest, rel=1e-8, abs=1e-7)
    if case.at is not None:
        np.testing.assert_allclose(result.x, case.at, atol=case.near)


@pytest.mark.parametrize("case", [c for c in CASES if c.lowest is not None and c.is_smooth],
                         ids=str)  # fmt: skip
@pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")
def test_minimum_by_curvature(case):
    """The trust-region method that takes the whole Hessian gets there too."""
    # with a smaller gtol, SciPy's trust radius can shrink to 0 in the rounding of the objective
    result = gt.minimize(case.fun, case.start, method="trust-exact", options={"gtol": 1e-6})
    assert result.fun == pytest.approx(case.lowest, rel=1e-8, abs=1e-7)
