"""What goes wrong in an objective is said in three parts, with the user's line, not handed on."""

import math
import re
import warnings

import numpy as np
import pytest
import scipy.optimize as so

import gradtape as gt
from gradtape.errors import (
    ConvergenceError,
    DTypeError,
    ExitError,
    ExitWarning,
    GradientWarning,
    NonFiniteError,
    ShapeError,
    UnsupportedOperationError,
)

HERE = r"test_faults\.py:\d+"
T = np.linspace(0.0, 1.0, 5)


def through_float(x):
    return 2 * float(x[0]) + x[0] ** 2 + x[1] ** 2


def through_math(x):
    return math.sin(x[0]) + x[0] ** 2 + x[1] ** 2


def through_a_plain_array(x):
    y = np.zeros(2)
    y[0] = x[0]
    y[1] = x[1] ** 2
    return np.sum(y * x)


def through_array(x):
    return np.array([10 * (x[1] - x[0] ** 2), 1 - x[0]])


def part_of_a_list(x):
    return [x[0] - 1, float(x[1]) * 2]


def returns_a_float(x):
    return float(np.sum(x**2))


def without_a_rule(x):
    from scipy.special import mathieu_a

    return np.sum(mathieu_a(1.0, x))


def minimize(fun, x0=(1.0, 2.0), **given):
    return lambda: gt.minimize(fun, list(x0), **given)


def squares(fun, x0=(1.0, 2.0), **given):
    return lambda: gt.least_squares(fun, list(x0), **given)


def root(fun, x0=(1.0, 2.0), **given):
    return lambda: gt.root(fun, list(x0), **given)


def constrained(constraint, method="SLSQP"):
    return minimize(lambda x: np.sum(x**2), method=method, constraints=constraint)


TREE = {"a": 1.0, "b": np.zeros(2)}


# what is done; the class; fact, cause and remedy, found in this order
SAID = {
    # values that leave
    "float": (minimize(through_float), ExitError, "only a part.*difference", rf"{HERE}: float\(x",
              r"leave out float[\s\S]*gt\.value"),
    "math": (minimize(through_math), ExitError, "only a part", rf"{HERE}: math\.sin", r"np\.sin"),
    "store": (minimize(through_a_plain_array), ExitError, "only a part", rf"{HERE}: y\[",
              "gt.zeros"),
    "all": (minimize(returns_a_float), ExitError, "no path from x", rf"{HERE}: float", "leave out"),
    "array": (squares(through_array), ExitError, "no path", rf"{HERE}: np\.array", r"gt\.array"),
    "list": (root(part_of_a_list), ExitError, "no path", rf"{HERE}: float", "leave out"),
    "no rule": (minimize(without_a_rule), UnsupportedOperationError, "mathieu_a", HERE,
                "custom_gradient"),
    "a constraint": (constrained({"type": "ineq", "fun": lambda x: 1 - float(x[0]) ** 2}),
                     ExitError, "constraint 0|the constraint", HERE, "leave out"),
    # what is no number
    "None": (minimize(lambda x: None), DTypeError, "objective returned None", HERE, "return"),
    "complex": (minimize(lambda x: np.sum(x) * 1j), DTypeError, "complex128", HERE, "abs|real"),
    "text": (squares(lambda x: "text"), DTypeError, "str", HERE, "numbers"),
    "no pair": (minimize(lambda x: np.sum(x), has_aux=True), DTypeError, "has_aux=True", HERE,
                "return"),
    # shapes
    "a vector": (minimize(lambda x: x**2), ShapeError, r"shape \(2,\), not a number", HERE,
                 r"np\.sum[\s\S]*least_squares"),
    "a list": (minimize(lambda x: [x[0], x[1]]), ShapeError, r"shape \(2,\)", HERE, r"np\.sum"),
    "a matrix": (squares(lambda x: np.outer(x, x)), ShapeError, r"\(2, 2\), not one vector", HERE,
                 r"np\.ravel"),
    "too few": (root(lambda x: [x[0]]), ShapeError, r"\(1,\), not \(2,\)", HERE, "least_squares"),
    "a new length": (squares(lambda x: (T * x[0] + x[1])[: int(5 - (gt.value(x[0]) != 1.0))]),
                     ShapeError, r"\(4,\), not \(5,\)", HERE, "every x"),
    "jac of a tree": (lambda: gt.minimize(lambda p: p["a"] ** 2, TREE, jac=lambda p: {"a": 1.0}),
                      ShapeError, "jac has not the structure", HERE, "like x0"),
    "jac of other shapes": (
        lambda: gt.minimize(lambda p: p["a"] ** 2, TREE, jac=lambda p: {"a": 1.0, "b": 0.0}),
        ShapeError, r"jac returned shapes", "structure", "each leaf"),
    "bounds of a tree": (lambda: gt.minimize(lambda p: p["a"] ** 2, TREE, bounds={"a": (0, 1)}),
                         ShapeError, "bounds has not the structure", HERE, "bounds="),
    "bounds of a leaf": (
        lambda: gt.minimize(lambda p: p["a"], TREE, bounds={"a": (0, 1), "b": ([1, 2, 3], None)}),
        ShapeError, r"shape \(2,\) expected", HERE, "bounds="),
    "no bounds": (lambda: gt.minimize(lambda p: p["a"], TREE, bounds={"a": 3, "b": (0, 1)}),
                  ShapeError, r"pair \(low, high\)", HERE, "bounds="),
    # x0
    "empty": (minimize(lambda x: np.sum(x), []), ShapeError, "x0 is empty", HERE, "np.zeros"),
    "nan": (minimize(lambda x: np.sum(x), [np.nan]), NonFiniteError, "x0 is not finite", HERE,
            "finite"),
    "complex x0": (minimize(lambda x: np.sum(x), [1j]), DTypeError, "x0.*complex", HERE, "real"),
    "text x0": (lambda: gt.minimize(lambda p: p["a"], {"a": "b"}), DTypeError, r"x0\['a'\]", HERE,
                "numbers"),
    # NaN and infinity
    "log": (minimize(lambda x: np.sum(np.log(-x))), NonFiniteError, "objective is nan",
            HERE + ".*log", "bounds="),
    "overflow": (minimize(lambda x: np.sum(np.exp(1000 * x))), NonFiniteError, "is inf",
                 HERE + ".*overflow", "bounds="),
    "data": (squares(lambda x: x[0] * np.array([1.0, np.nan])), NonFiniteError,
             "nan in 1 of 2 places", "in the data", "finite"),
    "slope": (minimize(lambda x: np.sum(np.sqrt(x)), (0.0, 1.0)), NonFiniteError,
              "gradient of the objective is inf in 1 of 2", rf"sqrt at {HERE}", "bounds="),
    "slopes": (squares(lambda x: np.sqrt(x), (0.0, 1.0)), NonFiniteError,
               "Jacobian of the residual is inf", rf"sqrt at {HERE}", "bounds="),
    "curvature": (minimize(lambda x: np.sum(x**1.5), (0.0, 1.0), method="trust-exact"),
                  NonFiniteError, "Hessian of the objective is inf", HERE, "bounds="),
    "below all": (minimize(lambda x: -np.inf if x[0] < 0.9 else x[0] ** 2), NonFiniteError,
                  "objective is -inf", HERE, "bounds="),
    # what SciPy refuses
    "method": (minimize(lambda x: np.sum(x**2), method="L-BFGS"), ValueError,
               "no method 'L-BFGS'", HERE, "L-BFGS-B"),
    "solver": (squares(lambda x: x, method="lmm"), ValueError, "method", HERE, "help"),
    "limits": (squares(lambda x: x, bounds=(2, 1)), ValueError, "bound", HERE, "help"),
    "no count": (lambda: gt.curve_fit(lambda x, *p: x, T, T), ValueError, "number of fit", HERE,
                 "help"),
    "rows": (lambda: gt.curve_fit(lambda x, a: a * np.ones(3), T, T), ValueError,
             "curve_fit", HERE, "help"),
}  # fmt: skip


@pytest.mark.parametrize("name", SAID)
@pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")
@pytest.mark.filterwarnings("ignore::gradtape.errors.ExitWarning")
def test_said(name):
    mistake, cls, fact, cause, remedy = SAID[name]
    with pytest.raises(cls) as raised:
        mistake()
    assert isinstance(raised.value, gt.errors.GradtapeError)
    said = str(raised.value)
    first, *rest = said.splitlines()
    assert len(rest) == 2, said
    assert re.search(fact, first), said
    assert re.search(cause, rest[0]), said
    assert re.search(remedy, rest[1]), said


@pytest.mark.parametrize("solve", [minimize, squares, root])
@pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")
def test_scipy_is_never_handed_what_is_not_finite(solve, monkeypatch):
    def fun(x):
        y = np.log(x - 3.0) - 1.0
        return np.sum(y**2) if solve is minimize else y

    for name in ("minimize", "least_squares", "root"):
        monkeypatch.setattr(so, name, checked(getattr(so, name)))
    for start in ((3.1, 3.01), (4.0, 50.0)):
        result = solve(fun, start)()
        np.testing.assert_allclose(result.x, 3 + np.e, rtol=1e-4)


def checked(scipys):
    """SciPy's function, with an eye on all that it is given."""
    def function(fun, x0, **given):
        def look(wrapped):
            def call(*args):
                out = wrapped(*args)
                assert np.isfinite(out).all()
                return out

            return call

        if callable(given.get("jac")):
            given["jac"] = look(given["jac"])
        return scipys(look(fun), x0, **given)

    return function


GRADIENT_METHODS = ["CG", "BFGS", "L-BFGS-B", "TNC", "SLSQP", "Newton-CG", "trust-ncg",
                    "trust-krylov", "trust-exact"]  # fmt: skip


@pytest.mark.parametrize("method", GRADIENT_METHODS)
@pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")
def test_steps_off_the_domain_are_turned_back(method):
    """A barrier: -log is NaN beyond it, and every method oversteps once."""
    def barrier(x):
        return np.sum(x - 0.1 * np.log(x))

    start = [1.0, 5.0]
    result = gt.minimize(barrier, start, method=method, tol=1e-8)
    np.testing.assert_allclose(result.x, 0.1, rtol=2e-2)


@pytest.mark.parametrize("method", ["Nelder-Mead", "BFGS", "L-BFGS-B", "trust-ncg"])
def test_infinity_that_is_returned_means_no(method):
    def fun(x):
        if x[0] < 0.5:
            return np.inf
        return (x[0] - 1) ** 2 + 1.0 / x[0] + x[1] ** 2

    result = gt.minimize(fun, [5.0, 1.0], method=method)
    assert result.success
    assert result.fun == pytest.approx(so.minimize(fun, [2.0, 1.0], method="Nelder-Mead").fun)


@pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")
def test_turned_back_steps_are_told_with_their_line():
    result = gt.minimize(lambda x: np.sum(x - np.log(x)), [10.0, 200.0])
    assert re.search(rf"\d+ steps were turned back.*nan.*{HERE}", result.message)


@pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")
def test_no_result_off_the_domain_is_a_success():
    """The objective falls towards a cliff beyond which it is NaN."""
    result = gt.minimize(lambda x: np.sum(-x - np.sqrt(1.0 - x)), [0.0], tol=1e-12)
    assert np.isfinite(result.fun)
    assert result.x <= 1.0


# ------------------------------------------------------------------------------ warnings


def test_possible_parts_are_warned_of_at_the_users_line():
    def fun(x):
        scale = float(x[0])  # equal to a number below, and perhaps the same
        assert scale < 10
        return x[0] ** 2 + np.float64(5.0) / 2 * x[1] ** 2

    with pytest.warns(ExitWarning, match=rf"may be only a part[\s\S]*{HERE}") as caught:
        gt.minimize(fun, [2.5, 1.0])
    assert {w.filename for w in caught} == {__file__}


def test_a_place_that_is_new_is_looked_at_when_it_comes():
    """The first points take another branch."""
    def fun(x):
        if x[0] > 2.0:
            return (x[0] - 1) ** 2 + x[1] ** 2
        return (x[0] - 1) ** 2 + x[1] ** 2 + 3.0 * abs(float(x[1]) - 0.5)

    with pytest.raises(ExitError, match=rf"a difference says otherwise[\s\S]*{HERE}: float"):
        gt.minimize(fun, [4.0, 1.0])


def test_values_that_are_taken_on_purpose_are_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = gt.minimize(lambda x: (x[0] - gt.value(x[0]) - 1) ** 2 + x[0] ** 2, [0.5])
        assert result is not None
        gt.minimize(lambda x: np.sum((x - 1) ** 2) + 0 * gt.stop_gradient(x[0]), [0.5])
        # a look at a value decides, and is no part of the result
        gt.minimize(lambda x: x[0] ** 2 if float(x[0]) > 100 else (x[0] - 1) ** 2, [0.5])
        gt.minimize(lambda x: print(end="" if x[0] else "") or (x[0] - 1) ** 2, [0.5])


@pytest.mark.parametrize(
    ("fun", "fact"),
    [
        (lambda x: 3.0, "does not depend on x"),
        (lambda x: np.sum(np.ones(3)), "does not depend on x"),
        (lambda x: np.sum(np.floor(x)), "is zero wherever it exists"),
    ],
)
def test_flat_objectives_are_warned_of(fun, fact):
    with pytest.warns(GradientWarning, match=rf"{fact}[\s\S]*{HERE}") as caught:
        gt.minimize(fun, [1.5, 2.5])
    assert {w.filename for w in caught} == {__file__}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gt.minimize(fun, [1.5, 2.5], method="Nelder-Mead")


@pytest.mark.parametrize(
    ("what", "given", "method"),
    [
        ("bounds", {"bounds": [(0, 1), (0, 1)]}, "BFGS"),
        ("constraints", {"constraints": {"type": "eq", "fun": lambda x: x[0]}}, "L-BFGS-B"),
        ("constraints", {"constraints": so.LinearConstraint([[1, 0]], 0, 0)}, "CG"),
        ("hess", {"hess": lambda x: np.eye(2)}, "BFGS"),
        ("hessp", {"hessp": lambda x, p: p}, "trust-exact"),
        ("jac", {"jac": lambda x: x}, "Powell"),
    ],
)
def test_what_a_method_makes_no_use_of_is_warned_of(what, given, method):
    fact = rf"method {method} makes no use of {what}="
    with pytest.warns(RuntimeWarning, match=rf"{fact}[\s\S]*{HERE}[\s\S]*choose one") as caught:
        result = gt.minimize(lambda x: np.sum((x - 2) ** 2), [0.5, 0.5], method=method, **given)
    np.testing.assert_allclose(result.x, [2, 2], atol=1e-4)
    assert [w.filename for w in caught] == [__file__]


def test_a_leaf_that_is_not_used_is_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = gt.minimize(lambda p: (p["a"] - 1) ** 2, {"a": 0.0, "b": 7.0})
    assert result.x["b"] == 7.0


# ---------------------------------------------------------------------- the user's own


def test_an_error_of_the_users_own_is_left_alone():
    class Mine(Exception):
        pass

    def fun(x):
        raise Mine("of my own")

    for call in (minimize(fun), squares(fun), root(fun), minimize(fun, method="Powell")):
        with pytest.raises(Mine, match="of my own"):
            call()
    with pytest.raises(ValueError, match="^not gradtape's$"):
        gt.minimize(lambda x: (_ for _ in ()).throw(ValueError("not gradtape's")), [1.0])


@pytest.mark.parametrize("solve", [squares, root])
@pytest.mark.parametrize("method", ["lm"])
def test_an_error_in_the_midst_of_minpack_is_raised_as_it_is(solve, method, capfd):
    calls = []

    def fun(x):
        calls.append(1)
        if len(calls) > 4:
            raise KeyError("later")
        return [x[0] ** 2 - 3, x[1] ** 3 - 2]

    with pytest.raises(KeyError, match="later"):
        solve(fun, method=method)()
    assert "Traceback" not in capfd.readouterr().err


def test_no_tape_is_left_when_an_objective_fails():
    from gradtape.core.state import state

    with pytest.raises(ZeroDivisionError):
        gt.minimize(lambda x: x[0] / 0 if False else 1 // 0, [1.0])
    assert state.tapes == ()


def test_a_method_that_steps_to_nowhere():
    def method(fun, x0, jac=None, **_):
        fun(x0)
        return so.OptimizeResult(x=x0, fun=fun(x0 * np.nan), success=True, message="")

    said = rf"asks for the objective at x = \[nan\][\s\S]*{HERE}"
    with pytest.raises(ConvergenceError, match=said):
        gt.minimize(lambda x: np.sum(x**2), [1.0], method=method)
