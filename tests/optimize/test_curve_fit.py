"""gt.curve_fit returns SciPy's objects, equal to those that SciPy's own finds with patience."""

import warnings

import numpy as np
import pytest
import scipy.optimize as so

import gradtape as gt

X = np.linspace(0.0, 4.0, 30)
Y = 2.5 * np.exp(-1.3 * X) + 0.5 + 0.05 * np.cos(9 * X)
TIGHT = {"ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-15}


def model(x, a, b, c):
    return a * np.exp(-b * x) + c


def jacobian(x, a, b, c):
    e = np.exp(-b * x)
    return np.stack([e, -a * x * e, np.ones_like(x)], axis=1)


def correlated():
    distance = np.abs(X[:, None] - X)
    return 0.01 * np.exp(-distance) + 0.001 * np.eye(len(X))


CALLS = [
    {},
    {"p0": [2.0, 1.0, 0.3]},
    {"sigma": 0.1 + 0.05 * X},
    {"sigma": 0.1 + 0.05 * X, "absolute_sigma": True},
    {"sigma": 0.2, "absolute_sigma": True},
    {"sigma": correlated()},
    {"sigma": correlated(), "absolute_sigma": True},
    {"method": "trf"},
    {"method": "dogbox", "p0": [2.0, 1.0, 0.3]},
    {"method": "lm"},
    {"bounds": (0, [3.0, 2.0, 0.7])},
    {"bounds": so.Bounds([0, 0, 0], [3.0, 2.0, 0.7])},
    {"bounds": (0, [2.0, 2.0, 0.7])},  # one at its bound
    {"check_finite": False},
]


@pytest.mark.parametrize("given", CALLS, ids=lambda given: ", ".join(given) or "defaults")
def test_the_same_objects_as_scipys(given):
    ours = gt.curve_fit(model, X, Y, full_output=True, **given)
    more = TIGHT if given.get("method") not in (None, "lm") or "bounds" in given else {
        "ftol": 1e-14, "xtol": 1e-14, "gtol": 1e-14
    }  # fmt: skip
    if np.ndim(given.get("sigma")) == 0 and "sigma" in given:  # SciPy's fails, with a Jacobian
        given = {**given, "sigma": np.full(len(Y), given["sigma"])}
    theirs = so.curve_fit(model, X, Y, full_output=True, jac=jacobian, **given, **more)
    at_bound = isinstance(given.get("bounds"), tuple) and given["bounds"][1][0] == 2.0
    limit = 1e-4 if at_bound else 1e-7
    np.testing.assert_allclose(ours[0], theirs[0], rtol=limit)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=10 * limit)
    assert [type(part) for part in ours[:2]] == [np.ndarray, np.ndarray]
    assert ours[0].dtype == ours[1].dtype == np.float64
    assert ours[2].keys() == theirs[2].keys()
    np.testing.assert_allclose(np.abs(ours[2]["fvec"]), np.abs(theirs[2]["fvec"]), atol=limit)
    assert isinstance(ours[3], str)
    assert ours[4] in (1, 2, 3, 4)
    short = gt.curve_fit(model, X, Y, **given)
    assert len(short) == 2
    np.testing.assert_array_equal(short[0], ours[0])


def test_it_asks_for_no_differences():
    calls = []

    def counted(x, a, b, c):
        calls.append(1)
        return model(x, a, b, c)

    gt.curve_fit(counted, X, Y)
    ours = len(calls)
    calls.clear()
    so.curve_fit(counted, X, Y)
    assert ours < 0.8 * len(calls)


def test_data_of_every_kind():
    expected = gt.curve_fit(model, X, Y)[0]
    for x, y in [
        (X.tolist(), Y.tolist()),
        (tuple(X), tuple(Y)),
        (gt.array(X), gt.Variable(Y)),
        (X.astype(np.longdouble), Y.astype(np.longdouble)),
    ]:
        np.testing.assert_allclose(gt.curve_fit(model, x, y)[0], expected, rtol=1e-10)
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"x": X, "y": Y})
    found = gt.curve_fit(model, frame["x"].to_numpy(), frame["y"])[0]
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    # two predictors, as rows of one array
    both = np.stack([X, np.cos(X)])
    found, _ = gt.curve_fit(lambda x, a, b: a * x[0] + b * x[1], both, 2 * X - 3 * np.cos(X))
    np.testing.assert_allclose(found, [2, -3], rtol=1e-12)
    # integers
    found, _ = gt.curve_fit(lambda x, a, b: a * x + b, [0, 1, 2, 3], [1, 3, 5, 8])
    np.testing.assert_allclose(found, np.polyfit([0, 1, 2, 3], [1, 3, 5, 8], 1), rtol=1e-12)


def test_missing_values():
    x, y = X.copy(), Y.copy()
    x[3], y[7] = np.nan, np.nan
    keep = np.isfinite(x) & np.isfinite(y)
    for sigma in (None, 0.1 + 0.05 * X, correlated()):
        kept = sigma if sigma is None else sigma[keep] if sigma.ndim == 1 else sigma[keep][:, keep]
        found = gt.curve_fit(model, x, y, sigma=sigma, nan_policy="omit")
        expected = gt.curve_fit(model, x[keep], y[keep], sigma=kept)
        np.testing.assert_allclose(found[0], expected[0], rtol=1e-12)
        np.testing.assert_allclose(found[1], expected[1], rtol=1e-12)
    with pytest.raises(ValueError, match=r"curve_fit: array must not contain infs or NaNs"):
        gt.curve_fit(model, x, y)


def test_a_constant_model_and_a_callable_object():
    found, covariance = gt.curve_fit(lambda x, c: c, X, Y)
    assert found[0] == pytest.approx(Y.mean(), rel=1e-14)
    assert covariance[0, 0] == pytest.approx(Y.var(ddof=1) / len(Y), rel=1e-12)

    class Line:
        def __call__(self, x, a, b):
            return a * x + b

    np.testing.assert_allclose(gt.curve_fit(Line(), X, Y)[0], np.polyfit(X, Y, 1), rtol=1e-10)


def test_a_jacobian_of_the_users_own_is_scipys_affair():
    seen = []

    def mine(x, *parameters):
        seen.append(1)
        return jacobian(x, *parameters)

    ours = gt.curve_fit(model, X, Y, jac=mine)
    theirs = so.curve_fit(model, X, Y, jac=jacobian)
    np.testing.assert_array_equal(ours[0], theirs[0])
    assert seen


def test_without_refinement_it_is_scipys():
    ours = gt.curve_fit(model, X, Y, polish=False)
    theirs = so.curve_fit(model, X, Y, jac=jacobian)
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-12)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-9)


def test_robust_loss():
    y = Y.copy()
    y[3] += 5
    given = {"method": "trf", "loss": "soft_l1", "f_scale": 0.1}
    ours, theirs = (fit(model, X, y, **given) for fit in (gt.curve_fit, so.curve_fit))
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-4)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-2)


def test_a_covariance_that_the_data_do_not_determine():
    for f, x, y in [
        (lambda x, a, b: a * x, X, Y),  # b is in no way used
        (lambda x, a, b: a * x + b, X[:2], Y[:2]),  # nothing is left to estimate a variance with
    ]:
        with pytest.warns(so.OptimizeWarning, match="Covariance") as caught:
            _, covariance = gt.curve_fit(f, x, y)
        assert np.isinf(covariance).all()
        assert caught[0].filename == __file__
        with pytest.warns(so.OptimizeWarning):
            _, theirs = so.curve_fit(f, x, y)
        np.testing.assert_array_equal(covariance, theirs)


def test_evaluations_that_the_user_limits():
    with pytest.raises(RuntimeError, match=r"Optimal parameters not found[\s\S]*maxfev"):
        gt.curve_fit(model, X, Y, p0=[100.0, 30.0, -50.0], maxfev=3)


def test_a_first_solver_that_gives_up(monkeypatch):
    """With nothing limited, another one goes on from where SciPy's began."""
    def gives_up(f, xdata, ydata, *, jac, **_):
        f(np.asarray(xdata), 2.0, 1.0, 0.3)
        raise RuntimeError("Optimal parameters not found: Number of calls has reached maxfev.")

    gives_up.__globals__["__name__"], before = "scipy.optimize.fake", __name__
    try:
        monkeypatch.setattr(so, "curve_fit", gives_up)
        found, covariance, info, _, status = gt.curve_fit(model, X, Y, full_output=True)
    finally:
        gives_up.__globals__["__name__"] = before
    monkeypatch.undo()
    expected = gt.curve_fit(model, X, Y)
    np.testing.assert_allclose(found, expected[0], rtol=1e-12)
    np.testing.assert_allclose(covariance, expected[1], rtol=1e-12)
    assert status in (1, 2, 3, 4)
    assert info["nfev"] > 3


def test_nothing_is_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gt.curve_fit(model, X, Y)
