"""gt.least_squares: SciPy's solvers with the exact Jacobian; refinement; results that are none."""

import inspect

import numpy as np
import pytest
import scipy.optimize as so

import gradtape as gt
from gradtape.optimize import refine as refinement
from tests.optimize.nist import digits, read

T = np.linspace(0.0, 3.0, 25)
NOISE = 0.05 * np.cos(7 * T)
Y = 2.5 * np.exp(-1.3 * T) + 0.4 + NOISE


def residuals(x):
    return x[0] * np.exp(-x[1] * T) + x[2] - Y


def jacobian(x):
    """By hand."""
    e = np.exp(-x[1] * T)
    return np.stack([e, -x[0] * T * e, np.ones_like(T)], axis=1)


START = [1.0, 1.0, 0.0]


@pytest.mark.parametrize("method", ["trf", "dogbox", "lm", None])
def test_methods(method):
    result = gt.least_squares(residuals, START, method=method)
    assert result.success
    truth = so.least_squares(residuals, START, jac=jacobian, ftol=1e-15, xtol=1e-15, gtol=1e-15)
    np.testing.assert_allclose(result.x, truth.x, rtol=1e-7)
    assert result.relative_offset < 1e-13
    np.testing.assert_allclose(result.jac, jacobian(result.x), rtol=1e-12)
    np.testing.assert_allclose(result.fun, residuals(result.x), rtol=1e-12)
    assert result.cost == pytest.approx(0.5 * np.sum(residuals(result.x) ** 2), rel=1e-14)
    np.testing.assert_allclose(result.grad, result.jac.T @ result.fun, atol=1e-12)
    assert result.optimality < 1e-12
    assert result.keys() >= so.least_squares(residuals, START).keys()


def test_without_refinement_it_is_scipys():
    for method in ("trf", "dogbox", "lm"):
        ours = gt.least_squares(residuals, START, method=method, polish=False)
        theirs = so.least_squares(residuals, START, jac=jacobian, method=method)
        np.testing.assert_allclose(ours.x, theirs.x, rtol=1e-12)
        assert (ours.nfev, ours.status, ours.message) == (
            theirs.nfev, theirs.status, theirs.message
        )  # fmt: skip
        assert np.isnan(ours.relative_offset)


@pytest.mark.parametrize("loss", ["soft_l1", "huber", "cauchy", "arctan"])
def test_robust_losses(loss):
    y = Y.copy()
    y[3] += 5.0

    def outlier(x):
        return x[0] * np.exp(-x[1] * T) + x[2] - y

    ours = gt.least_squares(outlier, START, loss=loss, f_scale=0.1)
    theirs = so.least_squares(outlier, START, jac=jacobian, loss=loss, f_scale=0.1)
    np.testing.assert_allclose(ours.x, theirs.x, rtol=1e-9)
    assert np.isnan(ours.relative_offset)


def test_bounds():
    """A parameter at its bound stays there, and the others are refined beside it."""
    for bounds in (([0, 0, 0.5], [2, 5, 1]), so.Bounds([0, 0, 0.5], [2, 5, 1])):
        result = gt.least_squares(residuals, [1.0, 1.0, 0.7], bounds=bounds)
        assert result.success
        assert (result.x >= [0, 0, 0.5]).all()
        assert (result.x <= [2, 5, 1]).all()
        free = (result.x > [1e-9, 1e-9, 0.5 + 1e-9]) & (result.x < [2 - 1e-9, 5, 1])
        assert not free.all()
        np.testing.assert_allclose(result.grad[free], 0, atol=1e-6)
        theirs = so.least_squares(residuals, [1.0, 1.0, 0.7], jac=jacobian,
                                  bounds=([0, 0, 0.5], [2, 5, 1]), xtol=1e-15, ftol=1e-15,
                                  gtol=1e-15)  # fmt: skip
        assert result.cost <= theirs.cost * (1 + 1e-6)


def test_lists_trees_args_and_kwargs():
    def rosenbrock(x):
        return [10 * (x[1] - x[0] ** 2), 1 - x[0]]

    np.testing.assert_allclose(gt.least_squares(rosenbrock, [-1.2, 1]).x, [1, 1], rtol=1e-12)

    def tree(p, t, y, *, power):
        return {"data": p["a"] * np.exp(-p["rates"][0] * t) + p["rates"][1] - y,
                "prior": [0.0 * p["a"] ** power]}  # fmt: skip

    x0 = {"a": 1.0, "rates": np.array([1.0, 0.0])}
    result = gt.least_squares(tree, x0, args=(T, Y), kwargs={"power": 2})
    expected = gt.least_squares(residuals, START).x
    np.testing.assert_allclose(result.x_flat, expected, rtol=1e-9)
    np.testing.assert_allclose(result.x["rates"], expected[1:], rtol=1e-9)
    bounds = ({"a": 0, "rates": -9}, {"a": 2, "rates": [9, 9]})
    limited = gt.least_squares(tree, x0, args=(T, Y), kwargs={"power": 2}, bounds=bounds)
    assert limited.x["a"] == pytest.approx(2.0)


def test_a_jacobian_of_the_users_own():
    seen = []

    def mine(x):
        seen.append(type(x))
        return jacobian(x)

    def plain(x):
        assert type(x) is np.ndarray
        return residuals(x)

    for jac in (mine, "2-point", "3-point", "cs"):
        result = gt.least_squares(plain if jac != "cs" else residuals, START, jac=jac)
        np.testing.assert_allclose(result.x, gt.least_squares(residuals, START).x, rtol=1e-5)
        assert np.isnan(result.relative_offset)
    assert set(seen) == {np.ndarray}


def test_callback_and_limits_are_scipys():
    if "callback" in inspect.signature(so.least_squares).parameters:
        seen = []
        gt.least_squares(residuals, START, callback=lambda intermediate_result: seen.append(1))
        assert seen
    result = gt.least_squares(residuals, START, max_nfev=2)
    assert (result.status, result.success) == (0, False)
    assert gt.least_squares(residuals, START, x_scale="jac", ftol=None).success


def test_an_argument_that_this_scipy_lacks(monkeypatch):
    def older(fun, x0, jac="2-point", bounds=(-np.inf, np.inf), method="trf"):
        raise AssertionError

    monkeypatch.setattr(so, "least_squares", older)
    with pytest.raises(TypeError, match=r"callback= is not known to SciPy \d[\s\S]*pip install"):
        gt.least_squares(residuals, START, callback=print)


def test_fewer_residuals_than_parameters():
    result = gt.least_squares(lambda x: [x[0] + x[1] - 3], [0.0, 0.0])
    assert result.success
    assert np.sum(result.x) == pytest.approx(3.0)


# ------------------------------------------------------------------------- the refinement


def test_a_solver_that_stops_early_is_carried_to_the_end():
    x = gt.least_squares(residuals, START).x
    for tolerance in (1e-2, 1e-4):
        rough = so.least_squares(residuals, START, jac=jacobian, ftol=tolerance)
        fine = gt.least_squares(residuals, START, ftol=tolerance)
        assert np.abs(rough.x / x - 1).max() > 1e-8
        np.testing.assert_allclose(fine.x, x, rtol=1e-14)


def test_large_residuals_converge_too():
    """Gauss-Newton's rate is poor where residuals are large; second derivatives are used."""
    def steep(x):
        return np.array([1.0, 2.0, 4.0]) * np.exp(x[0] * np.array([1.0, 2.0, 3.0])) - 5.0

    result = gt.least_squares(steep, [0.3])
    assert result.success
    assert result.nfev < 30
    from scipy.optimize import brentq

    def slope(x):
        a, k = np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.0, 3.0])
        e = a * np.exp(k * x)
        return np.sum((e - 5.0) * k * e)

    assert result.x[0] == pytest.approx(brentq(slope, -1, 1, xtol=1e-15), abs=1e-14)


def test_more_residuals_than_longdouble_is_used_for():
    t = np.linspace(0, 3, refinement.LONG_ROWS + 1)
    y = 2.5 * np.exp(-1.3 * t) + 0.05 * np.cos(7 * t)
    seen = set()

    def many(x):
        seen.add(x.dtype.char)
        return x[0] * np.exp(-x[1] * t) - y

    result = gt.least_squares(many, [1.0, 1.0])
    assert seen == {"d"}
    assert result.success
    assert result.relative_offset < 1e-12


def test_a_function_that_casts_is_refined_in_float64():
    result = gt.least_squares(lambda x: residuals(x.astype(np.float64)), START)
    assert result.success
    assert result.relative_offset < 1e-12


def test_covariance_of_the_refined_point():
    x = gt.least_squares(residuals, START).x
    found = refinement.Refined(x, residuals(x), jacobian(x))
    expected = np.linalg.inv(jacobian(x).T @ jacobian(x))
    np.testing.assert_allclose(found.covariance(), expected, rtol=1e-10)


@pytest.mark.parametrize("kind", [np.float64, np.longdouble])
def test_qr(kind):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(7, 4)).astype(kind), rng.normal(size=7).astype(kind)
    reflectors, triangle = refinement._qr(a)
    q = np.stack([refinement._rotate(reflectors, column) for column in a.T], axis=1)
    np.testing.assert_allclose((q[:4]).astype(float), triangle.astype(float), atol=1e-14)
    np.testing.assert_allclose(q[4:].astype(float), 0, atol=1e-14)
    x = refinement._back(triangle, refinement._rotate(reflectors, b)[:4])
    assert x.dtype == kind
    expected = np.linalg.lstsq(a.astype(float), b.astype(float), rcond=None)[0]
    np.testing.assert_allclose(x.astype(float), expected, rtol=1e-12)


# ---------------------------------------------------------------- results that are none


def test_a_saddle_is_declared():
    """x = 0 is stationary and no minimum: SciPy, which starts there, calls it a success."""
    def fun(x):
        return [x[0] ** 2 - 1.0, 0.1 * x[0]]

    assert so.least_squares(fun, [0.0]).success
    result = gt.least_squares(fun, [0.0])
    assert not result.success
    assert result.status == -3
    assert "no minimum" in result.message


def test_an_early_stop_is_declared():
    """A kink: the solver stops at it, and the slope to its left is not that to its right."""
    result = gt.least_squares(lambda x: [1.0 + np.abs(x[0]), 0.5 * x[0] - 1.0], [3.0])
    if result.x[0] == pytest.approx(0.0, abs=1e-6):
        assert not result.success
        assert "still falls" in result.message
    else:
        raise AssertionError(result)


def test_one_solver_that_is_asked_for_is_the_only_one():
    """From MGH17's first start, "dogbox" ends nowhere; that is said, and the default gets there."""
    problem = read("MGH17")

    def fun(b):
        return problem.model(problem.x, *b) - problem.y

    with np.errstate(all="ignore"):
        alone = gt.least_squares(fun, problem.starts[0], method="dogbox")
        left = gt.least_squares(fun, problem.starts[0])
    assert not alone.success
    assert "onto a plain" in alone.message
    assert left.success
    assert digits(left.x, problem.parameters) > 8


@pytest.mark.parametrize("works", ["lm", "dogbox", "none"])
def test_other_solvers_are_tried_where_the_first_ends_in_no_minimum(monkeypatch, works):
    scipys, asked = so.least_squares, []

    def only(fun, x0, method, **options):
        asked.append(method)
        if method != works:  # runs onto a plain, where exp is 0, and is content with it
            fun, x0, method = (lambda x: np.ones(len(T))), [1.0, 1e5, 0.3], "trf"
            options["jac"] = "2-point"
        return scipys(fun, x0, method=method, **options)

    monkeypatch.setattr(so, "least_squares", only)

    result = gt.least_squares(residuals, START)
    assert asked[:3] == ["trf", "trf", "trf"]
    if works == "none":
        assert asked[3:] == ["lm", "dogbox"]
        assert not result.success
        assert "no residual depends on x[1]" in result.message
    else:
        assert asked[-1] == works
        assert result.success
        assert result.cost < 0.1


def test_a_parameter_that_is_never_used_is_scipys_affair():
    result = gt.least_squares(lambda x: x[0] * T - Y, [1.0, 1.0])
    assert result.success
    assert "do not determine all parameters" in result.message
    result = gt.least_squares(lambda x: (x[0] + x[1]) * T - Y, [1.0, 1.0])
    assert result.success
    assert "do not determine all parameters" in result.message


def test_exact_fits():
    """No residual is left: there is nothing to divide by."""
    result = gt.least_squares(lambda x: x[0] * T - 2 * T, [1.0])
    assert result.success
    assert result.x == pytest.approx([2.0], rel=1e-15)
    result = gt.least_squares(lambda x: x[0] * np.exp(-x[1] * T) - 3 * np.exp(-0.7 * T), [1.0, 1.0])
    assert result.success
    np.testing.assert_allclose(result.x, [3, 0.7], rtol=1e-14)


def test_steps_to_where_the_residuals_are_no_numbers_are_turned_back():
    def fun(x):
        return np.log(x[0]) * T + x[1] - np.log(0.01) * T - 1.0

    for method in ("trf", "dogbox", "lm"):
        with np.errstate(all="ignore"):
            result = gt.least_squares(fun, [50.0, 0.0], method=method)
        assert result.success
        assert result.x == pytest.approx([0.01, 1.0])
        assert "turned back" in result.message
        assert "test_least_squares.py:" in result.message
