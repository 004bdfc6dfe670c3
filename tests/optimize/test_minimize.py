"""gt.minimize: every method of SciPy's with exact derivatives, trees, bounds, constraints."""

import os
import subprocess
import sys
import warnings
from collections import namedtuple
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.optimize as so

import gradtape as gt
from tests.optimize.objectives import rosenbrock

START = [1.3, 0.7, 0.8, 1.9, 1.2]
HAS_COBYQA = hasattr(so._minimize, "_minimize_cobyqa")
FREE = ["Nelder-Mead", "Powell", *["COBYQA"] * HAS_COBYQA]
GRADIENT = ["CG", "BFGS", "L-BFGS-B", "TNC", "SLSQP"]
PRODUCT = ["Newton-CG", "trust-ncg", "trust-krylov", "trust-constr"]


def rosenbrock_gradient(x):
    """By hand: the truth that exact gradients are compared with."""
    g = np.zeros_like(x)
    g[:-1] += -400.0 * x[:-1] * (x[1:] - x[:-1] ** 2) - 2 * (1 - x[:-1])
    g[1:] += 200.0 * (x[1:] - x[:-1] ** 2)
    return g


# ------------------------------------------------------------------------------- methods


@pytest.mark.parametrize("method", [*FREE, *GRADIENT, *PRODUCT, "trust-exact"])
def test_methods(method):
    options = {"Nelder-Mead": {"maxiter": 5000, "maxfev": 5000}, "TNC": {"maxfun": 1000}}
    result = gt.minimize(rosenbrock, START, method=method, options=options.get(method))
    assert result.success
    np.testing.assert_allclose(result.x, np.ones(5), atol=2e-2)
    np.testing.assert_array_equal(result.x_flat, result.x)


def test_dogleg():
    """It needs a Hessian that is positive definite everywhere."""
    result = gt.minimize(lambda x: np.sum(np.cosh(x - 1)), [3.0, -2.0], method="dogleg")
    np.testing.assert_allclose(result.x, [1, 1], atol=1e-5)


def test_cobyla():
    result = gt.minimize(lambda x: np.sum((x - 1) ** 2), [3.0, -2.0], method="COBYLA")
    np.testing.assert_allclose(result.x, [1, 1], atol=1e-3)


@pytest.mark.parametrize("method", [*GRADIENT, "Newton-CG", "trust-ncg", "trust-krylov"])
def test_the_same_steps_as_scipy_with_the_gradient_by_hand(method):
    """Nothing is lost on the way: x after five iterations agrees."""
    options = {"maxiter": 5} if method != "TNC" else {"maxfun": 10}
    more = {"hessp": so.rosen_hess_prod} if method in PRODUCT else {}
    ours = gt.minimize(rosenbrock, START, method=method, options=options)
    theirs = so.minimize(
        rosenbrock, START, method=method, jac=rosenbrock_gradient, options=options, **more
    )
    np.testing.assert_allclose(ours.x, theirs.x, rtol=1e-7)
    assert ours.nfev == theirs.nfev


def test_a_gradient_costs_no_evaluations():
    calls = []

    def counted(x):
        calls.append(1)
        return rosenbrock(x)

    result = gt.minimize(counted, START, method="BFGS")
    assert len(calls) == result.nfev == result.njev


def test_the_default_method_is_scipys():
    assert "hess_inv" in gt.minimize(rosenbrock, START)  # BFGS
    limited = gt.minimize(rosenbrock, START, bounds=[(0, 2)] * 5)
    assert "LbfgsInvHessProduct" in type(limited.hess_inv).__name__
    constraint = {"type": "ineq", "fun": lambda x: 10 - np.sum(x)}
    assert gt.minimize(rosenbrock, START, constraints=constraint).status == 0  # SLSQP


def test_args_tol_and_options():
    result = gt.minimize(lambda x, a, b: np.sum((x - a) ** 2) + b, [0.0, 0.0], (3.0, 1.0), tol=1e-9)
    np.testing.assert_allclose(result.x, [3, 3], atol=1e-8)
    assert result.fun == pytest.approx(1.0)
    assert gt.minimize(lambda x, a: np.sum((x - a) ** 2), [0.0], 3.0).success  # not a tuple
    assert gt.minimize(rosenbrock, START, options={"maxiter": 2}).nit == 2


def test_what_the_user_gives_is_used():
    seen = []

    def jac(x):
        seen.append("jac")
        assert type(x) is np.ndarray
        return rosenbrock_gradient(x)

    def hess(x):
        seen.append("hess")
        return so.rosen_hess(x)

    def hessp(x, p):
        seen.append("hessp")
        return so.rosen_hess_prod(x, p)

    for given in ({"jac": jac}, {"jac": jac, "hess": hess}, {"hessp": hessp}, {"hess": hess}):
        seen.clear()
        result = gt.minimize(rosenbrock, START, method="trust-ncg", **given)
        np.testing.assert_allclose(result.x, np.ones(5), atol=1e-4)
        assert set(seen) == set(given)


def test_differences_on_demand():
    calls = []

    def counted(x):
        assert type(x) is np.ndarray
        calls.append(1)
        return rosenbrock(x)

    result = gt.minimize(counted, START, method="BFGS", jac="2-point")
    assert len(calls) > 5 * result.njev
    result = gt.minimize(rosenbrock, START, method="trust-constr", jac="2-point",
                         hess=so.BFGS())  # fmt: skip
    np.testing.assert_allclose(result.x, np.ones(5), atol=1e-2)
    assert gt.minimize(counted, START, method="BFGS", jac=False).success  # SciPy's word for them
    result = gt.minimize(rosenbrock, START, method="L-BFGS-B", jac="cs")
    np.testing.assert_allclose(result.x, np.ones(5), atol=1e-4)


def test_value_and_gradient_in_one():
    def both(x):
        assert type(x) is np.ndarray
        return rosenbrock(x), rosenbrock_gradient(x)

    result = gt.minimize(both, START, jac=True)
    np.testing.assert_allclose(result.x, np.ones(5), atol=1e-4)


def test_a_method_of_the_users_own():
    def method(fun, x0, args=(), jac=None, hessp=None, **_: Any):
        x = x0
        for _i in range(20):
            hessian = np.stack([hessp(x, row) for row in np.eye(x.size)])
            x = x - np.linalg.solve(hessian, jac(x))
        return so.OptimizeResult(x=x, fun=fun(x), success=True, message="done")

    result = gt.minimize(lambda x: np.sum(np.cosh(x - 1)), [0.0, 0.5], method=method)
    np.testing.assert_allclose(result.x, [1, 1], atol=1e-12)


def test_auxiliary_results():
    def fun(x):
        residual = x - np.array([1.0, 2.0])
        return np.sum(residual**2), {"residual": residual}

    result = gt.minimize(fun, np.zeros(2), has_aux=True)
    np.testing.assert_allclose(result.x, [1, 2], atol=1e-6)
    np.testing.assert_allclose(result.aux["residual"], result.x - [1, 2])
    assert type(result.aux["residual"]) is np.ndarray
    hessian = gt.minimize(fun, np.zeros(2), has_aux=True, method="trust-exact").hess
    np.testing.assert_allclose(hessian, 2 * np.eye(2))


# --------------------------------------------------------------------------------- trees


@dataclass
class Params:
    w: Any
    b: Any


Pair = namedtuple("Pair", ["w", "b"])


TREES = [
    ({"w": np.zeros((2, 2)), "b": 0.5}, lambda p: (p["w"], p["b"])),
    (Params(np.zeros((2, 2)), 0.5), lambda p: (p.w, p.b)),
    (Pair(np.zeros((2, 2)), 0.5), lambda p: (p.w, p.b)),
    ([np.zeros((2, 2)), 0.5], lambda p: (p[0], p[1])),
    ((np.zeros((2, 2)), 0.5), lambda p: (p[0], p[1])),
    ({"deep": [{"w": np.zeros((2, 2))}], "b": 0.5}, lambda p: (p["deep"][0]["w"], p["b"])),
]
TARGET = np.array([[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize("method", ["BFGS", "trust-ncg", "trust-exact", "Powell"])
@pytest.mark.parametrize(("x0", "parts"), TREES)
def test_trees(x0, parts, method):
    def fun(p):
        assert type(p) is type(x0)
        w, b = parts(p)
        return np.sum((w - TARGET) ** 2) + (b - 5.0) ** 2

    result = gt.minimize(fun, x0, method=method)
    w, b = parts(result.x)
    assert type(result.x) is type(x0)
    np.testing.assert_allclose(w, TARGET, atol=1e-3)
    np.testing.assert_allclose(b, 5.0, atol=1e-3)
    assert result.x_flat.shape == (5,)
    w[0, 0] = 7.0  # the user's own: writable, and no part of x_flat
    assert 7.0 not in result.x_flat


def test_numbers_matrices_and_variables_as_x0():
    assert gt.minimize(lambda x: np.sum((x - 2) ** 2), 0.0).x == pytest.approx([2.0])
    result = gt.minimize(lambda m: np.sum((m - TARGET) ** 2), np.zeros((2, 2)))
    np.testing.assert_allclose(result.x, TARGET, atol=1e-6)
    result = gt.minimize(lambda x: np.sum((x - 2) ** 2), gt.Variable([0.0, 1.0]))
    assert type(result.x) is np.ndarray
    assert gt.minimize(lambda x: np.sum((x - 2) ** 2), [0, 1]).x == pytest.approx([2, 2])


def test_bounds_of_a_tree():
    def fun(p):
        return np.sum((p["w"] - TARGET) ** 2) + (p["b"] - 5.0) ** 2

    x0 = {"w": np.ones((2, 2)), "b": 0.5}
    result = gt.minimize(fun, x0, bounds={"w": (None, 3.5), "b": (0, 1.0)})
    np.testing.assert_allclose(result.x["w"], np.minimum(TARGET, 3.5), atol=1e-6)
    assert result.x["b"] == pytest.approx(1.0)
    flat = gt.minimize(fun, x0, bounds=[(None, 3.5)] * 4 + [(0, 1)])
    np.testing.assert_allclose(flat.x_flat, result.x_flat, atol=1e-6)
    flat = gt.minimize(fun, x0, bounds=so.Bounds([-np.inf] * 5, [3.5] * 4 + [1.0]))
    np.testing.assert_allclose(flat.x_flat, result.x_flat, atol=1e-6)
    listed = gt.minimize(lambda p: fun({"w": p[0], "b": p[1]}), [np.ones((2, 2)), 0.5],
                         bounds=[(None, 3.5), (0, 1)])  # fmt: skip
    np.testing.assert_allclose(listed.x_flat, result.x_flat, atol=1e-6)


def test_derivatives_of_a_tree_that_the_user_gives():
    def fun(p):
        return (p["a"] - 1) ** 2 + np.sum((p["b"] - 2) ** 2)

    x0 = {"a": 0.0, "b": np.zeros(2)}
    for jac in (
        lambda p: {"b": 2 * (p["b"] - 2), "a": 2 * (p["a"] - 1)},  # by key, not by order
        lambda p: np.concatenate([[2 * (p["a"] - 1)], 2 * (p["b"] - 2)]),
    ):
        result = gt.minimize(fun, x0, jac=jac)
        np.testing.assert_allclose(result.x_flat, [1, 2, 2], atol=1e-6)
    result = gt.minimize(lambda p: (fun(p), {"a": 2 * (p["a"] - 1), "b": 2 * (p["b"] - 2)}), x0,
                         jac=True)  # fmt: skip
    np.testing.assert_allclose(result.x_flat, [1, 2, 2], atol=1e-6)
    result = gt.minimize(
        fun, x0, method="trust-ncg",
        hessp=lambda p, q: {"a": 2 * q["a"], "b": 2 * q["b"]},
    )  # fmt: skip
    np.testing.assert_allclose(result.x_flat, [1, 2, 2], atol=1e-6)


# ----------------------------------------------------------------------------- callbacks


@pytest.mark.parametrize("method", ["BFGS", "L-BFGS-B", "Newton-CG", "trust-constr", "SLSQP"])
def test_callback(method):
    seen = []
    gt.minimize(rosenbrock, START, method=method, callback=lambda x, *_: seen.append(x))
    assert len(seen) > 3
    assert all(type(x) is np.ndarray and x.shape == (5,) for x in seen)


def test_callback_of_a_tree_in_both_of_scipys_ways():
    def fun(p):
        return (p["a"] - 1) ** 4 + np.sum((p["b"] - 2) ** 2)

    x0, seen = {"a": 0.0, "b": np.zeros(2)}, []
    gt.minimize(fun, x0, callback=lambda xk: seen.append(xk["b"]))
    assert seen
    assert all(b.shape == (2,) for b in seen)
    seen.clear()

    def newer(intermediate_result):
        seen.append((intermediate_result.x["a"], intermediate_result.x_flat))
        if len(seen) == 2:
            raise StopIteration

    result = gt.minimize(fun, x0, callback=newer, tol=1e-12)
    assert len(seen) == 2
    assert not result.success
    assert set(result.x) == {"a", "b"}


# --------------------------------------------------------------------------- constraints


@pytest.mark.parametrize("method", ["SLSQP", "trust-constr"])
def test_constraints_as_dictionaries(method):
    """The circle of radius 2 and a half plane; the minimum of -x - y is on both."""
    calls = []

    def circle(x, r):
        calls.append(type(x))
        return r**2 - x[0] ** 2 - x[1] ** 2

    result = gt.minimize(
        lambda x: -x[0] - x[1],
        [0.5, 0.1],
        method=method,
        constraints=[
            {"type": "ineq", "fun": circle, "args": (2.0,)},
            {"type": "eq", "fun": lambda x: [x[0] - 3 * x[1]]},
        ],
    )
    np.testing.assert_allclose(result.x, np.array([3, 1]) * np.sqrt(0.4), rtol=1e-3)
    assert gt.Tensor in calls


def test_nonlinear_and_linear_constraints():
    for method in ("SLSQP", "trust-constr"):
        result = gt.minimize(
            lambda x: np.sum((x - np.array([2.0, 2.0, 2.0])) ** 2),
            [0.1, 0.2, 0.3],
            method=method,
            constraints=[
                so.NonlinearConstraint(lambda x: np.sum(x**2), -np.inf, 3.0),
                so.LinearConstraint([[1.0, -1.0, 0.0]], 0.5, 0.5),
            ],
        )
        # on the sphere, x = (2 - m, 2 + m, 2) / (1 + l) with the difference 1/2
        x = result.x
        assert np.sum(x**2) == pytest.approx(3.0, abs=1e-4)
        assert x[0] - x[1] == pytest.approx(0.5, abs=1e-6)
        assert (x[0] + x[1]) / 2 == pytest.approx(x[2], abs=1e-3)


def test_a_constraint_gets_its_jacobian_and_hessian(monkeypatch):
    seen = {}
    scipys = so.minimize

    def spy(fun, x0, **given):
        seen.update(given)
        return scipys(fun, x0, **given)

    monkeypatch.setattr(so, "minimize", spy)
    constraint = so.NonlinearConstraint(lambda x: [x[0] * x[1], np.sum(x**3)], [1.0, -9], [1.0, 9])
    gt.minimize(lambda x: np.sum(x**2), [2.0, 1.0], method="trust-constr", constraints=constraint)
    given = seen["constraints"]
    x, v, p = np.array([2.0, 1.0]), np.array([3.0, 0.5]), np.array([1.0, -1.0])
    np.testing.assert_allclose(given.jac(x), [[1, 2], [12, 3]])
    hessian = np.array([[6 * 2 * 0.5, 3], [3, 6 * 1 * 0.5]])
    np.testing.assert_allclose(given.hess(x, v) @ p, hessian @ p)
    assert constraint.jac == "2-point"  # the user's own is as it was
    # what is asked for is left: differences, a quasi-Newton Hessian
    other = so.NonlinearConstraint(lambda x: x[0], 1, 2, jac="3-point", hess=so.SR1())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SciPy's, of a quasi-Newton Hessian for what is linear
        gt.minimize(lambda x: np.sum(x**2), [2.0, 1.0], method="trust-constr", constraints=other)
    assert seen["constraints"].jac == "3-point"
    assert type(seen["constraints"].hess) is so.SR1


def test_constraints_with_a_jacobian_of_the_users_own_and_trees():
    seen = []

    def jac(p):
        seen.append(set(p))
        return [1.0, 1.0, 1.0]

    x0 = {"a": 0.5, "b": np.array([0.1, 0.2])}
    for constraint in (
        {"type": "eq", "fun": lambda p: p["a"] + np.sum(p["b"]) - 3, "jac": jac},
        {"type": "eq", "fun": lambda p: p["a"] + np.sum(p["b"]) - 3},
        so.NonlinearConstraint(lambda p: p["a"] + np.sum(p["b"]), 3, 3),
        so.NonlinearConstraint(lambda p: p["a"] + np.sum(p["b"]), 3, 3, jac=jac),
    ):
        result = gt.minimize(lambda p: p["a"] ** 2 + np.sum(p["b"] ** 2), x0, method="SLSQP",
                             constraints=constraint)  # fmt: skip
        np.testing.assert_allclose(result.x_flat, [1, 1, 1], atol=1e-6)
    assert seen
    assert all(names == {"a", "b"} for names in seen)


@pytest.mark.parametrize("method", ["COBYLA", *["COBYQA"] * HAS_COBYQA])
def test_constraints_without_derivatives(method):
    result = gt.minimize(
        lambda x: np.sum(x**2), [2.0, 2.0], method=method,
        constraints={"type": "ineq", "fun": lambda x: x[0] + x[1] - 1},
    )  # fmt: skip
    np.testing.assert_allclose(result.x, [0.5, 0.5], atol=1e-3)


# ------------------------------------------------------------------------ many parameters


@pytest.mark.parametrize("n", [60, 200])
def test_bfgs_of_many_is_scipys(n):
    """The cheaper update takes the same steps; SciPy gets the same gradient here."""
    x0 = np.tile([-1.2, 1.0], n // 2)
    for options in ({"maxiter": 30}, {"maxiter": 20, "c2": 0.5, "norm": 2}):
        ours = gt.minimize(rosenbrock, x0, method="BFGS", options=options)
        theirs = so.minimize(
            rosenbrock, x0, method="BFGS", jac=rosenbrock_gradient, options=options
        )
        assert (ours.nit, ours.nfev, ours.njev) == (theirs.nit, theirs.nfev, theirs.njev)
        assert (ours.status, ours.success, ours.message) == (
            theirs.status, theirs.success, theirs.message
        )  # fmt: skip
        np.testing.assert_allclose(ours.x, theirs.x, rtol=1e-6)
        np.testing.assert_allclose(ours.hess_inv, theirs.hess_inv, rtol=1e-4, atol=1e-6)
    assert gt.minimize(rosenbrock, x0, method="BFGS", options={"maxiter": 5000}).success


def test_bfgs_of_many_with_callback_start_and_precision_loss():
    x0 = np.full(60, 2.0)
    start = np.eye(60) * 0.1
    ours = gt.minimize(rosenbrock, x0, options={"hess_inv0": start, "maxiter": 9})
    theirs = so.minimize(rosenbrock, x0, jac=rosenbrock_gradient, method="BFGS",
                         options={"hess_inv0": start, "maxiter": 9})  # fmt: skip
    np.testing.assert_allclose(ours.x, theirs.x, rtol=1e-8)
    seen = []

    def stop(intermediate_result):
        seen.append(intermediate_result.fun)
        if len(seen) == 3:
            raise StopIteration

    result = gt.minimize(rosenbrock, x0, callback=stop)
    assert (result.nit, result.status, result.success) == (3, 99, False)
    lost = gt.minimize(lambda x: 1e12 + rosenbrock(x), x0)
    assert lost.status == 2
    assert not lost.success


def test_bfgs_of_many_leaves_options_that_it_has_not_to_scipy():
    result = gt.minimize(rosenbrock, np.full(60, 2.0), options={"return_all": True, "maxiter": 4})
    assert len(result.allvecs) == 5


# ----------------------------------------------------------------------- in other company


def test_inside_a_tape_nothing_is_recorded():
    a = gt.Variable(3.0)
    with gt.GradientTape() as tape:
        result = gt.minimize(lambda x: np.sum((x - a) ** 2), [0.0])
        y = a * result.x[0]
    np.testing.assert_allclose(result.x, [3.0], atol=1e-6)
    assert float(tape.gradient(y, a)) == pytest.approx(3.0, abs=1e-6)


def test_an_optimization_inside_an_objective():
    """The inner one is a constant of the outer: what leaves through it is told."""
    def outer(x):
        inner = gt.minimize(lambda y: np.sum((y - 2.0) ** 2), [0.0]).x[0]
        return (x[0] - inner) ** 2

    assert gt.minimize(outer, [0.0]).x == pytest.approx([2.0], abs=1e-5)


def test_the_users_arrays_are_not_written():
    x0 = np.array([1.0, 2.0])

    def fun(x):
        x[0] = x[0] - 1.0  # in place, on what is given
        return np.sum(x**2)

    result = gt.minimize(fun, x0)
    np.testing.assert_allclose(result.x, [1.0, 0.0], atol=1e-6)
    np.testing.assert_array_equal(x0, [1.0, 2.0])


SCRIPT = """
import numpy as np, gradtape as gt
from scipy.optimize import rosen, rosen_der, rosen_hess
x0 = np.array([1.3, 0.7, 0.8, 1.9, 1.2])
assert np.allclose(gt.grad(rosen)(x0), rosen_der(x0), rtol=1e-13)
result = gt.minimize(rosen, x0, method="trust-exact")
assert result.success and np.allclose(result.x, 1, atol=1e-4), result
assert np.allclose(result.hess, rosen_hess(result.x))
"""


@pytest.mark.skipif(
    "array_namespace" not in so.rosen.__code__.co_names, reason="rosen calls np.asarray"
)
def test_scipys_rosen_runs_with_the_array_api():
    environment = {**os.environ, "SCIPY_ARRAY_API": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT], env=environment, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(bool(os.environ.get("SCIPY_ARRAY_API")), reason="rosen runs then")
def test_scipys_rosen_names_its_line_without():
    with pytest.raises(gt.errors.ExitError) as raised:
        gt.minimize(so.rosen, START)
    lines = Path(so.rosen.__code__.co_filename).read_text(encoding="utf-8").splitlines()
    first = so.rosen.__code__.co_firstlineno
    place = next(i for i, line in enumerate(lines[first:], first + 1)
                 if "xp_promote(x" in line or "asarray(x" in line)  # fmt: skip
    fact, cause, remedy = str(raised.value).splitlines()
    assert "no path from x to the result of the objective" in fact
    assert f"_optimize.py:{place}" in cause
    assert "test_minimize.py:" in cause
    assert "np.asarray" in remedy
