"""Models that are typed: what they fit, which name is what, and the starts that lead nowhere."""

import numpy as np
import pytest

from gradtape.fit.problems import FitError
from tests.fit.helpers import CARS, asked

X = np.linspace(0.5, 8, 40)
DECAY = {"y": 5 * np.exp(-0.7 * X) + 1 + 0.01 * np.sin(40 * X), "x": X}
MODEL = "a * exp(-b * x) + c"
START = "a=3,b=1,c=0.5"


# ------------------------------------------------------------------ what is typed


@pytest.mark.parametrize(
    ("formula", "model"),
    [
        (None, f"y ~ {MODEL}"),
        (None, f"y = {MODEL}"),
        ("y", MODEL),
        (None, MODEL),  # the one column of numbers that is left
        ("y", f"y ~ {MODEL}"),
    ],
)
def test_the_label_may_stand_before_the_model(formula, model):
    result = asked(DECAY, formula, model=model, init=START)
    np.testing.assert_allclose(result.final, [5, 0.7, 1], rtol=0.01)
    assert result.problem.names == ("a", "b", "c")
    assert result.problem.design.formula == f"y ~ {MODEL}"
    assert result.problem.design.curve_variable == "x"


def test_the_label_may_be_computed_and_names_quoted():
    data = {"the y": DECAY["y"], "the x": X}
    result = asked(data, model="log(`the y`) ~ a - b * `the x`", init="a=1,b=0")
    slope, level = np.polyfit(X, np.log(DECAY["y"]), 1)
    np.testing.assert_allclose(result.final, [level, -slope], rtol=1e-9)


def test_several_columns_and_a_comparison():
    rng = np.random.default_rng(0)
    x, z = rng.uniform(0, 4, size=(2, 200))
    y = np.where(x > 2, 1.5 + z, 0.5 * z) + 0.01 * rng.normal(size=200)
    result = asked({"y": y, "x": x, "z": z}, model="y ~ where(x > 2, a + z, b * z)", init="a=0,b=0")
    np.testing.assert_allclose(result.final, [1.5, 0.5], atol=0.01)
    assert result.problem.design.curve_variable is None


@pytest.mark.parametrize("optimizer", ["gd", "momentum", "adam", "lbfgs", "newton", "lm"])
def test_every_optimizer_fits_a_model(optimizer):
    epochs = {"gd": 3000, "momentum": 3000, "adam": 3000}.get(optimizer)
    result = asked(DECAY, model=f"y ~ {MODEL}", init=START, optimizer=optimizer, epochs=epochs)
    np.testing.assert_allclose(result.final, [5, 0.7, 1], rtol=0.02)


@pytest.mark.parametrize("loss", ["mae", "huber:0.05", "nll:normal"])
def test_other_losses_fit_a_model(loss):
    y = DECAY["y"].copy()
    y[3] += 40 if loss != "nll:normal" else 0
    result = asked({"y": y, "x": X}, model=f"y ~ {MODEL}", init=START, loss=loss)
    np.testing.assert_allclose(result.final[:3], [5, 0.7, 1], rtol=0.02)


def test_counts_and_labels_fit_a_model():
    rng = np.random.default_rng(1)
    x = rng.uniform(0, 5, 2000)
    data = {"y": rng.poisson(np.exp(1 + np.sin(1.3 * x))), "x": x}
    result = asked(data, model="y ~ a + sin(b * x)", init="a=0.5,b=1.2", loss="poisson")
    np.testing.assert_allclose(result.final, [1, 1.3], atol=0.05)
    data = {"y": rng.random(2000) < 1 / (1 + np.exp(-2 * (x - 3))), "x": x}
    result = asked(data, model="y ~ k * (x - m)", init="k=1,m=2", loss="logistic")
    np.testing.assert_allclose(result.final, [2, 3], atol=0.25)


def test_standardising_measures_parameters_by_their_start():
    result = asked(DECAY, model=f"y ~ {MODEL}", init="a=3,b=1,c=0.5")
    np.testing.assert_array_equal(np.diag(result.problem.to_data), [3, 1, 0.5])
    plain = asked(DECAY, model=f"y ~ {MODEL}", init="a=3,b=1,c=0.5", standardize=False)
    np.testing.assert_array_equal(plain.problem.to_data, np.eye(3))
    np.testing.assert_allclose(plain.final, result.final, rtol=1e-8)


# ------------------------------------------------------------------ names


@pytest.mark.parametrize(
    ("model", "init", "match"),
    [
        ("y ~ a * exp(-b * x)", "a=1", r"'b' is neither .*\n.*\nA parameter needs.*--init a=1,b=1"),
        ("y ~ a * xx", "a=1", r"'xx' is neither .*\n.*\nDid you mean x"),
        ("y ~ a * x", "a=1,k=2", r"the model has no parameter 'k'.\nIts parameters are a"),
        ("y ~ a * x", "x=1", r"'x' is a column of the data, not a parameter.\n.*\n.*x_0"),
        ("y ~ x * 2", "", r"'x \* 2' has no parameters.\n.*\n.*--init b=1"),
        ("yy ~ a * x", "a=1", r"no column 'yy'.\n.*\nDid you mean y"),
        ("y ~ a * foo(x)", "a=1", "the function foo is not on its list"),
        ("y ~ a * __import__('os').getpid()", "a=1", "is not allowed here"),
        ("y ~ a * x", "a", "'a' is not of the form name=number"),
        ("log(y ~ a * x", "a=1", "cannot be read"),
    ],
)
def test_names_that_are_nothing(model, init, match):
    with pytest.raises(FitError, match=match):
        asked(DECAY, model=model, init=init)


def test_which_label():
    data = {**DECAY, "z": X, "w": X}
    with pytest.raises(FitError, match=r"is not named.*\nColumns .*: y, z, w.\n.*y ~ a \* x"):
        asked(data, model="a * x", init="a=1")
    with pytest.raises(FitError, match=r"Both a formula, 'y ~ x', and --model.*\n.*\n.*alone, .y"):
        asked(data, "y ~ x", model="a * x", init="a=1")
    with pytest.raises(FitError, match="label is 'y' by FORMULA and 'z' by --model"):
        asked(data, "y", model="z ~ a * x", init="a=1")
    with pytest.raises(FitError, match="There is no FORMULA and no --model"):
        asked(data)
    with pytest.raises(FitError, match="'s' is in the model and in the loss"):
        asked(data, model="y ~ s * x", init="s=1", loss="nll:log(s) + abs(y - mu)/s")
    with pytest.raises(FitError, match="huber needs its DELTA with --model"):
        asked(data, model="y ~ a * x", init="a=1", loss="huber")


def test_coefficients_and_own_parameters_start_where_they_are_told():
    rng = np.random.default_rng(0)
    data = {"x": X, "y": X + rng.normal(size=40)}
    result = asked(data, "y ~ x", loss="nll:normal", init="b=0.5,log_sigma=1", epochs=1)
    np.testing.assert_allclose(result.coefficients[0], [0, 0.5, 1])
    result = asked(data, "y ~ x", loss="nll:normal", epochs=1)
    np.testing.assert_allclose(result.coefficients[0], [0, 0, np.log(np.std(data["y"]))])
    with pytest.raises(FitError, match=r"no coefficient 'q'.\n.*Intercept, x, log_sigma"):
        asked(data, "y ~ x", loss="nll:normal", init="q=1")


# ------------------------------------------------------------------ starts


@pytest.mark.parametrize(
    ("model", "init", "match"),
    [
        (
            "y ~ a * log(b * x)",
            "a=1,b=-1",
            r"cannot start there: log\(b \* x\) is nan in row 1, with b=-1.\nThere b \* x is -0.5"
            r".\nStart b elsewhere: --init b=",
        ),
        (
            "y ~ a / (b - b * 1) + x",
            "a=1,b=2",
            r"a / \(b - b \* 1\) is inf in row 1, with a=1, b=2.\nThere a is 1; b - b \* 1 is 0",
        ),
        (
            "y ~ a * exp(-b * x)",
            "a=0,b=1",
            r"cannot descend from b=1: there b has no effect on any prediction.\n"
            r"a \* exp\(-b \* x\) does not change with b, because a is 0.\n"
            r"Start a elsewhere than at 0: --init a=1",
        ),
        (
            "y ~ a + c * exp(-b * x)",
            "a=1,b=5000,c=1",
            r"cannot descend from b=5000: there b has no effect.*\nexp\(-b \* x\) does not change "
            r"with b there: -b \* x is between -4e\+04 and -2500, where exp\(-b \* x\) is flat",
        ),
        (
            "y ~ a * x + floor(b * x)",
            "a=1,b=0.5",
            r"cannot descend from b=0.5: there b has no effect",
        ),
        (
            "y ~ a * sqrt(b) * x",
            "a=1,b=0",
            r"cannot descend from b=0: the derivative of sqrt\(b\) by b is inf",
        ),
        (
            "y ~ a * b * x",
            "a=1,b=2",
            r"cannot tell a and b apart at the start a=1, b=2.\n.*same way.*\n.*a \* b \* x",
        ),
        (
            "y ~ a * exp(-b * x) + c * exp(-d * x)",
            "a=1,b=1,c=1,d=1",
            r"cannot tell .* apart at the start",
        ),
        (
            "y ~ exp(a * x) * c",
            "a=80,c=1",
            "The cost is inf at the start|cannot descend|cannot start",
        ),
    ],
)
def test_a_start_from_which_there_is_no_way_down(model, init, match):
    with pytest.raises(FitError, match=match):
        asked(DECAY, model=model, init=init)


def test_a_plateau_is_not_called_a_minimum():
    # NIST's BoxBOD from its first start: Levenberg and Marquardt's first step goes too far.
    data = {"y": [109.0, 149, 149, 191, 213, 224], "x": [1.0, 2, 3, 5, 7, 10]}
    result = asked(data, model="y ~ b1*(1-exp(-b2*x))", init="b1=1,b2=1")
    good = asked(data, model="y ~ b1*(1-exp(-b2*x))", init="b1=100,b2=0.75")
    assert good.verdict.convergence.converged
    np.testing.assert_allclose(good.final, [2.1380940889e02, 5.4723748542e-01], rtol=1e-8)
    if result.costs[-1] > 1.01 * good.costs[-1]:
        assert not result.verdict.convergence.converged
        assert "b2 no longer moves any prediction" in result.verdict.text
        assert result.uncertainty.covariance is None
        assert "b2 does not move the predictions" in result.uncertainty.why


def test_a_long_way_that_is_not_over_is_not_called_a_minimum():
    # NIST's MGH10 from its first start creeps along a valley for thousands of steps.
    y = [34780.0, 28610, 23650, 19630, 16370, 13720, 11540, 9744, 8261, 7030, 6005, 5147, 4427,
         3820, 3307, 2872]  # fmt: skip
    data = {"y": y, "x": np.arange(50.0, 126, 5)}
    result = asked(data, model="y ~ b1*exp(b2/(x+b3))", init="b1=2,b2=400000,b3=25000")
    assert not result.verdict.convergence.converged
    assert "the coefficients still move" in result.verdict.text
    result = asked(data, model="y ~ b1*exp(b2/(x+b3))", init="b1=0.02,b2=4000,b3=250")
    assert result.verdict.convergence.converged
    np.testing.assert_allclose(
        result.final, [5.6096364710e-03, 6.1813463463e03, 3.4522363462e02], rtol=1e-8
    )


# ------------------------------------------------------------------ separation


def rows(n=200, seed=0):
    rng = np.random.default_rng(seed)
    return rng, rng.normal(size=n), rng.normal(size=n)


def test_labels_told_apart_by_one_predictor():
    rng, x, z = rows()
    data = {"y": (x > 0.3).astype(int), "x": x, "z": z}
    with pytest.raises(
        FitError,
        match=r"labels of y are separated: -0.28\d* \+ 1 \* x is above 0 where the label is 1 and "
        r"below 0 where it is 0, in every row.\nSo .* no minimum: the coefficients of x would.*\n"
        r"Take x out of the formula, put rare categories together",
    ):
        asked(data, "y ~ x + z", loss="logistic")


@pytest.mark.parametrize("optimizer", ["newton", "lbfgs", "gd"])
@pytest.mark.parametrize("early", [{"epochs": 2}, {"tolerance": 0.1}])
def test_separation_is_found_however_early_the_descent_ends(optimizer, early):
    rng, x, z = rows()
    data = {"y": (x > 0.3).astype(int), "x": x, "z": z}
    with pytest.raises(FitError, match="labels of y are separated"):
        asked(data, "y ~ x + z", loss="logistic", optimizer=optimizer, **early)


def test_labels_told_apart_by_a_combination():
    rng, x, z = rows()
    data = {"y": np.where(x - 2 * z > 0.1, "yes", "no"), "x": x, "z": z}
    with pytest.raises(FitError, match="above 0 where the .* 'yes' and below 0 where .* 'no'"):
        asked(data, "y ~ x + z", loss="logistic")


def test_a_category_without_a_zero_is_separated_in_part():
    rng, x, z = rows()
    kind = np.array(list("abcd" * 50))
    y = (rng.random(200) < 0.5).astype(int)
    y[kind == "c"] = 1
    data = {"y": y, "x": x, "kind": kind}
    with pytest.raises(FitError, match=r"separated: .*kind\[T.c\] is never below 0 .* never"):
        asked(data, "y ~ x + kind", loss="logistic")


@pytest.mark.parametrize("seed", range(5))
def test_nearly_separated_is_not_separated(seed):
    rng, x, z = rows(seed=seed)
    y = (x > 0).astype(int)
    y[np.argmax(x)] = 0
    result = asked({"y": y, "x": x, "z": z}, "y ~ x + z", loss="logistic")
    assert result.verdict.convergence.converged


def test_shares_are_never_separated():
    _, x, z = rows()
    y = 1 / (1 + np.exp(-30 * x))
    result = asked({"y": y, "x": x}, "y ~ x", loss="logistic")
    np.testing.assert_allclose(result.final, [0, 30], atol=1e-6)


def test_large_but_finite_coefficients_are_found():
    # Log-odds beyond 20 without separation: the linear programme is asked, and says no.
    _, x, _ = rows()
    x = 100 * x
    y = (x > 0).astype(float)
    y[np.argsort(np.abs(x))[:20:2]] = 1 - y[np.argsort(np.abs(x))[:20:2]]
    result = asked({"y": y, "x": x}, "y ~ x", loss="logistic")
    assert np.abs(result.problem.design.X @ result.final).max() > 20
    assert result.verdict.convergence.converged


# ------------------------------------------------------------------ the default optimizer


@pytest.mark.parametrize(
    ("options", "optimizer"),
    [
        ({}, "gd"),
        ({"loss": "sse"}, "gd"),
        ({"loss": "huber"}, "newton"),
        ({"loss": "mae"}, "lbfgs"),
        ({"loss": "poisson"}, "newton"),
        ({"loss": "nll:normal"}, "newton"),
    ],
)
def test_the_optimizer_suits_the_loss(options, optimizer):
    assert asked(CARS, "mpg ~ horsepower", **options).plan.optimizer.name == optimizer
