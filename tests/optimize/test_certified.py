"""Certified digits: NIST's 27 nonlinear problems, from both published starting points.

The data enter in float64, with one exception that no program can avoid: the residuals of Lanczos1
are 4e-14 of its y, so that rounding y to float64 changes the standard errors in the fourth digit.
There the data enter as they are printed, in longdouble.
"""

import warnings

import numpy as np
import pytest

import gradtape as gt
from tests.optimize.nist import FOLDER, MODELS, digits, read

NAMES = sorted(MODELS)
HAS_LONG = np.finfo(np.longdouble).eps < 1e-18


def by_curve_fit(problem, start):
    popt, pcov = gt.curve_fit(problem.model, problem.x, problem.y, problem.starts[start - 1])
    return popt, np.sqrt(np.diag(pcov))


def by_least_squares(problem, start):
    def residuals(b):
        return problem.model(problem.x, *b) - problem.y

    result = gt.least_squares(residuals, problem.starts[start - 1])
    assert result.success, result.message
    assert 2 * result.cost == pytest.approx(float(problem.sum_of_squares), rel=1e-2)
    # the covariance from the triangle of the Jacobian, which does not square its condition
    scale = np.linalg.norm(result.jac, axis=0)
    inverse = np.linalg.inv(np.linalg.qr(result.jac / scale)[1])
    rows, n = result.jac.shape
    return result.x, np.linalg.norm(inverse, axis=1) / scale * np.sqrt(2 * result.cost / (rows - n))


def test_all_sets_are_here():
    assert sorted(path.stem for path in FOLDER.glob("*.dat")) == NAMES
    assert len(NAMES) == 27


def test_a_file_is_read_as_it_is_printed():
    problem = read("MGH10", np.longdouble)
    assert problem.y.dtype == np.longdouble
    assert (len(problem.x), problem.x[0], problem.y[-1]) == (16, 50.0, 2872.0)
    assert problem.starts == ([2.0, 400000.0, 25000.0], [0.02, 4000.0, 250.0])
    assert problem.parameters[0] == "5.6096364710E-03"
    assert problem.deviations[2] == "7.8486103508E-01"
    assert read("Nelson").x.shape == (2, 128)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "Lanczos1"])
def test_the_certified_parameters_give_the_certified_sum_of_squares(name):
    """So the models are NIST's. (Lanczos1's parameters are printed to fewer digits than it has.)"""
    problem = read(name, np.longdouble)
    b = [np.longdouble(text) for text in problem.parameters]
    total = np.sum((problem.model(problem.x, *b) - problem.y) ** 2)
    assert float(total) == pytest.approx(float(problem.sum_of_squares), rel=1e-7)


@pytest.mark.parametrize("fit", [by_curve_fit, by_least_squares])
@pytest.mark.parametrize("start", [1, 2])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")  # exp far from the solution
def test_certified(name, start, fit):
    number = np.longdouble if name == "Lanczos1" else np.float64
    problem = read(name, number)
    found, deviations = fit(problem, start)
    assert digits(found, problem.parameters) >= 8
    if name == "Lanczos1" and (not HAS_LONG or fit is by_least_squares):
        return  # result.fun and result.jac are float64
    assert digits(deviations, problem.deviations) >= 6


@pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")
def test_lanczos1_in_float64_has_the_digits_that_its_data_have():
    problem = read("Lanczos1")
    found, deviations = by_curve_fit(problem, 2)
    assert digits(found, problem.parameters) >= 8
    assert 3 <= digits(deviations, problem.deviations) < 6


def test_what_scipy_alone_does_with_its_defaults():
    """The digits above are the refinement's: SciPy stops at half of them."""
    from scipy.optimize import curve_fit

    worst = 11.0
    for name in ("Bennett5", "MGH10", "Lanczos2", "Misra1a"):
        problem = read(name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            popt, _ = curve_fit(problem.model, problem.x, problem.y, problem.starts[1])
        worst = min(worst, digits(popt, problem.parameters))
    assert worst < 8


def test_a_plain_is_declared():
    """Eckerle4 from a center far off the peak: exp is 0 at every point, SciPy says success."""
    problem = read("Eckerle4")
    start = [1.0, 1.0, 5000.0]

    def residuals(b):
        return problem.model(problem.x, *b) - problem.y

    from scipy.optimize import least_squares

    assert least_squares(residuals, start).success
    result = gt.least_squares(residuals, start)
    assert not result.success
    assert result.status == -3
    assert "no residual depends on x[0], x[1], x[2]" in result.message
    with pytest.raises(gt.errors.ConvergenceError, match=r"no residual depends[\s\S]*plain"):
        gt.curve_fit(problem.model, problem.x, problem.y, start)
