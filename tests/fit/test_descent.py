"""The loop on the tape: against closed forms, published numbers, and the algebra of descent."""

import numpy as np
import pytest

import gradtape as gt
from gradtape.fit.design import build_design
from gradtape.fit.optimizers import OPTIMIZERS
from gradtape.fit.problem import pose
from gradtape.fit.problems import DivergedError
from gradtape.fit.sources import read_table
from tests.fit.helpers import CARS, run


@pytest.fixture(scope="module")
def cars():
    return read_table(CARS)


def plain_descent(X, y, rate, epochs):
    """Gradient descent on the mean squared error with the gradient written by hand."""
    w, states = np.zeros(X.shape[1]), []
    for _ in range(epochs + 1):
        states.append(w)
        w = w + rate * 2 / len(y) * X.T @ (y - X @ w)
    return np.array(states)


def test_the_published_fit_of_the_cars(cars):
    # James, Witten, Hastie, Tibshirani, An Introduction to Statistical Learning, section 3.7,
    # exercise 8: lm(mpg ~ horsepower) gives 39.935861 and -0.157845.
    result = run(pose(build_design(cars, "mpg ~ horsepower"), standardize=True))
    np.testing.assert_allclose(result.coefficients[-1], [39.935861, -0.157845], atol=5e-7)
    np.testing.assert_allclose(result.problem.closed_form, [39.935861, -0.157845], atol=5e-7)
    assert result.verdict.convergence.converged
    assert result.epochs < 100


@pytest.mark.parametrize(
    "formula",
    [
        "mpg ~ horsepower",
        "mpg ~ weight + acceleration + C(origin)",
        "mpg ~ horsepower + I(horsepower**2)",
        "mpg ~ 0 + weight + model_year",
        "np.log(mpg) ~ np.log(weight)",
        "mpg ~ 1",
    ],
)
def test_converges_to_least_squares(cars, formula):
    design = build_design(cars, formula)
    result = run(pose(design, standardize=True))
    truth = np.linalg.lstsq(design.X, design.y)[0]
    np.testing.assert_allclose(result.problem.closed_form, truth, rtol=1e-8)
    np.testing.assert_allclose(result.coefficients[-1], truth, rtol=1e-4)
    assert result.verdict.convergence.converged
    assert result.epochs < OPTIMIZERS["gd"].max_epochs


def test_every_epoch_is_plain_gradient_descent(cars):
    design = build_design(cars, "mpg ~ horsepower + weight")
    result = run(pose(design, standardize=False), learning_rate=1e-8, epochs=20)
    states = plain_descent(design.X, design.y, 1e-8, 20)
    np.testing.assert_allclose(result.coefficients, states, rtol=1e-12)
    residual = design.y - states @ design.X.T
    np.testing.assert_allclose(result.costs, np.mean(residual**2, axis=1), rtol=1e-12)
    gradients = -2 / len(design.y) * residual @ design.X
    np.testing.assert_allclose(result.gradient_norms, np.linalg.norm(gradients, axis=1), rtol=1e-9)


def test_standardised_descent_is_plain_descent_on_standardised_columns(cars):
    design = build_design(cars, "mpg ~ horsepower + weight")
    result = run(pose(design, standardize=True), learning_rate=0.1, epochs=15)
    raw = design.X[:, 1:]
    mean, deviation = raw.mean(axis=0), raw.std(axis=0)
    Z = np.column_stack([np.ones(len(raw)), (raw - mean) / deviation])
    states = plain_descent(Z, design.y, 0.1, 15)
    slopes = states[:, 1:] / deviation
    intercept = states[:, 0] - slopes @ mean
    np.testing.assert_allclose(
        result.coefficients, np.column_stack([intercept, slopes]), rtol=1e-10
    )


def test_the_gradient_comes_from_the_tape(cars, monkeypatch):
    problem = pose(build_design(cars, "mpg ~ horsepower"), standardize=True)
    calls = []
    original = gt.GradientTape.gradient

    def gradient(self, *arguments, **options):
        calls.append(arguments)
        return original(self, *arguments, **options)

    monkeypatch.setattr(gt.GradientTape, "gradient", gradient)
    run(problem, epochs=5)
    assert len(calls) == 6


def test_epochs_are_exactly_those_asked_for(cars):
    problem = pose(build_design(cars, "mpg ~ horsepower"), standardize=True)
    assert run(problem, epochs=1).epochs == 1
    assert run(problem, epochs=500).epochs == 500  # long after it has converged
    assert len(run(problem, epochs=7).costs) == 8


@pytest.mark.parametrize("standardize", [True, False])
def test_init_is_in_the_units_of_the_data(cars, standardize):
    problem = pose(build_design(cars, "mpg ~ horsepower"), standardize=standardize)
    result = run(problem, init=np.array([40.0, -0.1]), epochs=1)
    np.testing.assert_allclose(result.coefficients[0], [40.0, -0.1], rtol=1e-12)


def test_a_start_at_the_closed_form_stays_there(cars):
    problem = pose(build_design(cars, "mpg ~ horsepower"), standardize=True)
    result = run(problem, init=problem.closed_form)
    assert result.epochs <= 1
    assert result.verdict.convergence.converged


def test_auto_rate_is_a_quarter_of_the_largest_stable_one(cars):
    problem = pose(build_design(cars, "mpg ~ horsepower + weight"), standardize=True)
    hessian = 2 / len(problem.y) * problem.X.T @ problem.X
    largest = np.linalg.norm(hessian, 2)
    result = run(problem, epochs=1)
    assert result.learning_rate == pytest.approx(0.5 / largest, rel=1e-12)
    assert result.verdict.convergence.stability == pytest.approx(0.5)


def test_a_rate_just_below_the_largest_stable_one_converges(cars):
    problem = pose(build_design(cars, "mpg ~ horsepower"), standardize=True)
    result = run(problem, learning_rate=0.98 * 2 / problem.largest_eigenvalue, epochs=600)
    assert result.verdict.convergence.converged
    assert np.all(np.diff(result.costs) <= 1e-9)


def test_divergence_says_epoch_rate_and_remedy(cars):
    problem = pose(build_design(cars, "mpg ~ horsepower"), standardize=True)
    with pytest.raises(
        DivergedError,
        match=r"diverges at epoch 1: it rises from 610.5 to .*\n"
        r"The learning rate 1.5 is 1.5 times the largest stable one, 1 .*\n"
        r"Type --learning-rate auto, which is 0.25 here, or a number below 1\.",
    ):
        run(problem, learning_rate=1.5, epochs=50)


def test_divergence_that_begins_late(cars):
    # The slow, stable modes lower the cost at first; the unstable one takes over. Which epoch
    # that is follows from the eigenvalues.
    problem = pose(build_design(cars, "mpg ~ horsepower + weight"), standardize=True)
    rate = 1.02 * 2 / problem.largest_eigenvalue
    values, vectors = problem.spectrum
    error = vectors.T @ np.linalg.solve(problem.to_data, problem.closed_form)
    k = np.arange(200)[:, None]
    costs = (values / 2 * (error * (1 - rate * values) ** k) ** 2).sum(axis=1)
    rises = 1 + int(np.argmax(np.diff(costs) > 0))
    assert rises > 1
    with pytest.raises(DivergedError, match=f"at epoch {rises}: .*, after the lowest, "):
        run(problem, learning_rate=rate, epochs=200)


def test_a_rate_that_overflows_at_once(cars):
    problem = pose(build_design(cars, "mpg ~ horsepower"), standardize=False)
    with pytest.raises(DivergedError, match="at epoch 1: it rises from 610.5 to inf"):
        run(problem, learning_rate=1e300, epochs=50)


def test_a_cost_that_is_infinite_from_the_start(cars):
    problem = pose(build_design(cars, "mpg ~ horsepower"), standardize=True)
    with pytest.raises(DivergedError, match="The cost is inf at epoch 0"):
        run(problem, init=np.array([1e300, 0.0]), epochs=50)


def test_epochs_to_go_is_exact(cars):
    problem = pose(build_design(cars, "mpg ~ horsepower + weight + displacement"), standardize=True)
    first = run(problem, epochs=50)
    to_go = first.verdict.convergence.epochs_to_go
    assert not first.verdict.convergence.converged
    assert run(problem, epochs=50 + to_go).verdict.convergence.converged
    assert not run(problem, epochs=50 + to_go - 1).verdict.convergence.converged


def test_ctrl_c_keeps_what_was_fitted(cars):
    problem = pose(build_design(cars, "mpg ~ horsepower"), standardize=True)

    def interrupt(epochs, _cost):
        for epoch in epochs:
            if epoch == 4:
                raise KeyboardInterrupt
            yield epoch

    whole = run(problem, epochs=10)
    result = run(problem, epochs=10, progress=interrupt)
    assert result.was_interrupted
    assert not whole.was_interrupted
    assert result.epochs == 3
    np.testing.assert_array_equal(result.costs, whole.costs[:4])
    np.testing.assert_array_equal(result.coefficients, whole.coefficients[:4])


def test_ctrl_c_before_the_first_epoch_has_nothing_to_keep(cars):
    problem = pose(build_design(cars, "mpg ~ horsepower"), standardize=True)

    def interrupt(_epochs, _cost):
        raise KeyboardInterrupt
        yield

    with pytest.raises(KeyboardInterrupt):
        run(problem, epochs=10, progress=interrupt)


@pytest.mark.parametrize("inside", ["variable", "norm"])
def test_ctrl_c_in_the_middle_of_an_epoch(cars, monkeypatch, inside):
    # The series stay of one length wherever in an epoch the interruption falls.
    problem = pose(build_design(cars, "mpg ~ horsepower"), standardize=True)
    calls = []

    def third(original):
        def call(*arguments):
            calls.append(1)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return original(*arguments)

        return call

    if inside == "variable":
        monkeypatch.setattr(gt.Variable, "assign", third(gt.Variable.assign))
    else:
        monkeypatch.setattr("gradtape.fit.descent._has_diverged", third(lambda *_: False))
    result = run(problem, epochs=10)
    assert result.was_interrupted
    assert len(result.costs) == len(result.gradient_norms) == len(result.coefficients)
    assert result.epochs == 1
    assert result.verdict.lowest.epoch == result.epochs
