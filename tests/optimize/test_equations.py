"""gt.root and gt.fixed_point: equations with the exact Jacobian."""

import numpy as np
import pytest
import scipy.optimize as so

import gradtape as gt


def broyden(x):
    """The tridiagonal function of Broyden, written with stores."""
    y = np.zeros_like(x)
    y[:] = (3 - 2 * x) * x + 1
    y[1:] -= x[:-1]
    y[:-1] -= 2 * x[1:]
    return y


@pytest.mark.parametrize("method", ["hybr", "lm", "krylov", "df-sane"])
def test_methods(method):
    result = gt.root(broyden, -np.ones(9), method=method)
    assert result.success
    np.testing.assert_allclose(broyden(result.x), 0, atol=2e-5)
    np.testing.assert_array_equal(result.x, result.x_flat)


@pytest.mark.parametrize("method", ["hybr", "lm"])
def test_the_jacobian_is_exact(method, monkeypatch):
    seen = {}
    scipys = so.root

    def spy(fun, x0, **given):
        seen.update(given)
        return scipys(fun, x0, **given)

    monkeypatch.setattr(so, "root", spy)
    x = -np.ones(5)
    result = gt.root(broyden, x, method=method)
    expected = np.diag(3 - 4 * x) - np.eye(5, k=-1) - 2 * np.eye(5, k=1)
    np.testing.assert_allclose(seen["jac"](x), expected)
    assert result.nfev < scipys(broyden, x, method=method).nfev


def test_lists_args_trees_and_shapes():
    def fun(x, a):
        return [x[0] * np.cos(x[1]) - a, x[1] * x[0] - x[1] - 5]

    np.testing.assert_allclose(gt.root(fun, [1, 1], args=(4.0,)).x, [6.50409711, 0.90841421])

    def tree(p):
        return {"a": p["a"] ** 2 - p["b"][0], "b": p["b"] - np.array([4.0, 9.0]) * p["a"] / 4.0}

    result = gt.root(tree, {"a": 3.0, "b": np.array([1.0, 1.0])})
    assert result.x["a"] == pytest.approx(1.0)
    np.testing.assert_allclose(result.x["b"], [1.0, 2.25])
    square = np.array([[4.0, 1.0], [1.0, 3.0]])
    result = gt.root(lambda m: m @ m - square, np.eye(2) * 2)
    np.testing.assert_allclose(result.x @ result.x, square, atol=1e-10)
    seen = []
    gt.root(tree, {"a": 3.0, "b": np.array([1.0, 1.0])}, method="krylov",
            callback=lambda p, f: seen.append(set(p)))  # fmt: skip
    assert seen
    assert all(names == {"a", "b"} for names in seen)


def test_a_jacobian_of_the_users_own():
    def plain(x):
        assert type(x) is np.ndarray
        return broyden(x)

    def jacobian(x):
        n = len(x)
        return np.diag(3 - 4 * x) - np.eye(n, k=-1) - 2 * np.eye(n, k=1)

    for fun, jac in [(plain, jacobian), (lambda x: (plain(x), jacobian(x)), True), (plain, False)]:
        result = gt.root(fun, -np.ones(5), jac=jac)
        np.testing.assert_allclose(broyden(result.x), 0, atol=1e-8)


def test_tolerance_and_options():
    assert gt.root(broyden, -np.ones(5), options={"maxfev": 3}).success is False
    assert gt.root(broyden, -np.ones(5), tol=1e-14).success


@pytest.mark.parametrize("method", ["newton", "del2", "iteration"])
def test_fixed_points(method):
    def fun(x, c1, c2):
        return np.sqrt(c1 / (x + c2))

    c1, c2 = np.array([10.0, 12.0]), np.array([3.0, 5.0])
    x = gt.fixed_point(fun, [1.2, 1.3], args=(c1, c2), method=method)
    np.testing.assert_allclose(x, fun(x, c1, c2), rtol=1e-7)
    number = gt.fixed_point(np.cos, 1.0, method=method)
    assert np.ndim(number) == 0
    assert number == pytest.approx(0.7390851332151607)


def test_a_fixed_point_that_repels():
    """x = 4 x (1 - x) at 3/4, where the slope is -2: iterating leaves it."""
    x = gt.fixed_point(lambda x: 4 * x * (1 - x), 0.7)
    assert x == pytest.approx(0.75, abs=1e-12)


def test_a_fixed_point_of_a_tree():
    def fun(p):
        return {"u": np.cos(p["v"][0]) * np.ones(()), "v": np.stack([p["u"] / 2, p["v"][0]])}

    p = gt.fixed_point(fun, {"u": 0.5, "v": np.array([0.1, 0.2])})
    assert p["u"] == pytest.approx(np.cos(p["v"][0]))
    np.testing.assert_allclose(p["v"], [p["u"] / 2, p["u"] / 2])


@pytest.mark.parametrize("method", ["newton", "iteration"])
def test_no_fixed_point(method):
    with pytest.raises(gt.errors.ConvergenceError, match=r"fixed_point[\s\S]*test_equations\.py"):
        gt.fixed_point(lambda x: x + 1, 1.0, method=method, maxiter=30)
