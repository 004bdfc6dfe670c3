"""Each optimizer: its rule, where it ends, and what it refuses; and the schedules."""

import json

import numpy as np
import pytest

from gradtape.fit.document import decoded, encoded
from gradtape.fit.linesearch import search
from gradtape.fit.optimizers import OPTIMIZERS, Point, choose_optimizer
from gradtape.fit.problems import FitError
from gradtape.fit.schedules import choose_schedule
from tests.fit.helpers import CARS, asked

pytestmark = pytest.mark.slow  # as a file

FORMULA = "mpg ~ horsepower + weight + acceleration"


def plain(problem):
    """Cost and gradient written by hand, in the units of the descent."""
    X, y = problem.X, problem.y
    return lambda u: (np.mean((y - X @ u) ** 2), 2 / len(y) * X.T @ (X @ u - y))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_reaches_the_closed_form(name):
    epochs = 4000 if name == "adam" else None
    result = asked(CARS, FORMULA, optimizer=name, epochs=epochs)
    assert result.distances[-1] < (1e-4 if name == "adam" else 1e-7)
    assert result.verdict.convergence.converged
    assert np.all(np.diff(result.costs) <= 1e-9) or name in ("momentum", "adam")


def test_momentum_is_the_heavy_ball():
    result = asked(CARS, FORMULA, optimizer="momentum", learning_rate=0.05, epochs=30)
    slope = plain(result.problem)
    u, v = np.zeros(4), np.zeros(4)
    for epoch in range(31):
        np.testing.assert_allclose(result.coefficients[epoch], result.problem.to_data @ u)
        v = 0.9 * v + slope(u)[1]
        u = u - 0.05 * v


def test_adam_is_algorithm_1():
    result = asked(CARS, FORMULA, optimizer="adam", learning_rate=0.3, epochs=30)
    slope = plain(result.problem)
    u, m, v = np.zeros(4), np.zeros(4), np.zeros(4)
    for t in range(1, 32):
        np.testing.assert_allclose(
            result.coefficients[t - 1], result.problem.to_data @ u, rtol=1e-9, atol=1e-12
        )
        g = slope(u)[1]
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        u = u - 0.3 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)


def test_newton_needs_one_step_where_the_cost_is_quadratic():
    result = asked(CARS, FORMULA, optimizer="newton")
    assert result.epochs <= 2
    np.testing.assert_allclose(result.coefficients[1], result.problem.closed_form, rtol=1e-9)


def test_newton_leaves_a_saddle_downwards():
    # cos has a maximum at 0: near it, Newton's step would go up.
    x = np.linspace(1, 2, 20)
    result = asked(
        {"x": x, "y": np.cos(1.2 * x)}, model="y = cos(b * x)", init="b=0.05", optimizer="newton"
    )
    assert result.verdict.convergence.converged
    assert abs(result.final[0]) == pytest.approx(1.2, rel=1e-6)


def test_lbfgs_crosses_kinks():
    rng = np.random.default_rng(0)
    x = rng.normal(size=101)
    y = 1 + 2 * x + rng.standard_cauchy(101)
    result = asked({"x": x, "y": y}, "y ~ x", loss="mae")
    best = np.inf
    for i in range(101):  # a line of least absolute errors goes through two of the points
        b = (y - y[i]) / np.where(x == x[i], np.nan, x - x[i])
        errors = np.abs((y - y[i])[None, :] - b[:, None] * (x - x[i])[None, :]).mean(axis=1)
        best = min(best, np.nanmin(errors))
    assert result.costs[-1] == pytest.approx(best, rel=1e-9)
    assert result.verdict.convergence.converged


@pytest.mark.parametrize("loss", ["mse", "huber:1.0"])
def test_lbfgs_of_many_parameters_remembers_pairs(loss):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 130))
    names = [f"x{j}" for j in range(130)]
    data = {
        "y": X @ rng.normal(size=130) + rng.normal(size=400),
        **dict(zip(names, X.T, strict=True)),
    }
    formula = f"y ~ {' + '.join(names)}"
    result = asked(data, formula, loss=loss, optimizer="lbfgs")
    assert result.state.memory.keys() == {"steps", "changes"}
    assert len(result.state.memory["steps"]) <= 20
    exact = asked(data, formula, loss=loss, optimizer="newton")
    np.testing.assert_allclose(result.final, exact.final, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_lbfgs_reaches_a_minimum_of_many_kinks(seed):
    from sklearn.datasets import load_diabetes

    frame = load_diabetes(as_frame=True, scaled=False).frame.sample(frac=1, random_state=seed)
    names = [name for name in frame.columns if name != "target"]
    result = asked(frame, f"target ~ {' + '.join(names)}", loss="mae")
    np.testing.assert_allclose(result.final, result.reference.coefficients, rtol=1e-8)


def test_lm_is_not_led_astray_by_scale():
    x = np.linspace(0, 10, 60)
    y = 1e6 * np.exp(-x / 3) + 1e-3 * np.sin(50 * x)
    result = asked({"x": x, "y": y}, model="y = a * exp(-b * x)", init="a=1,b=1")
    assert result.plan.optimizer.name == "lm"
    np.testing.assert_allclose(result.final, [1e6, 1 / 3], rtol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_is_remembered_survives_a_file(name):
    result = asked(CARS, FORMULA, optimizer=name, epochs=3)
    memory = result.state.memory
    again = decoded(json.loads(json.dumps(encoded(memory))))
    assert again.keys() == memory.keys()
    for key, value in memory.items():
        np.testing.assert_array_equal(np.asarray(again[key]), np.asarray(value))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (
            {"optimizer": "newtn"},
            r"no optimizer 'newtn'.\nThe optimizers are .*\nDid you mean ne",
        ),
        ({"optimizer": "lm", "loss": "huber"}, r"lm does not go with --loss huber.\n.*\n.* newton"),
        ({"optimizer": "lm", "loss": "mae"}, r"lm does not go with --loss mae.\n.*\n.*lbfgs"),
        ({"optimizer": "newton", "loss": "mae"}, "newton does not go with --loss mae"),
        ({"optimizer": "newton", "learning_rate": 0.1}, "--learning-rate does not go with --opt"),
        ({"optimizer": "lbfgs", "schedule": "cosine"}, "--schedule does not go with --optimizer"),
        ({"optimizer": "lm", "batch_size": 10}, "--batch-size does not go with --optimizer lm"),
        ({"schedule": "cosin"}, r"no schedule 'cosin'.\nThe schedules are .*\nDid you mean cosine"),
        ({"schedule": "step:1,2,3"}, r"'1,2,3' does not fit step.\nIt is typed as step:EVERY,FACT"),
        ({"schedule": "exponential:-1"}, "'-1' does not fit exponential"),
        ({"schedule": "inverse:x"}, "'x' does not fit inverse"),
    ],
)
def test_what_does_not_go_together(options, match):
    with pytest.raises(FitError, match=match):
        asked(CARS, "mpg ~ horsepower", **options)


def test_choosing_by_name():
    assert choose_optimizer("gd") is OPTIMIZERS["gd"]


# ------------------------------------------------------------------ line search


def along(f, slope):
    return lambda step: (Point(np.array([step]), f(step), np.array([slope(step)])), slope(step))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_a_step_that_is_found_lowers_the_cost_and_eases_the_slope(scale):
    at = along(lambda t: (t / scale - 1) ** 2, lambda t: 2 * (t / scale - 1) / scale)
    start, slope = at(0.0)
    found = search(at, start, slope)
    assert found.cost < start.cost
    assert found.gradient[0] >= 0.9 * slope


def test_no_step_where_there_is_no_way_down():
    at = along(lambda t: 1.0 + abs(t), lambda t: 1.0 if t > 0 else -1.0)
    assert search(at, at(0.0)[0], -1.0) is None
    assert search(at, at(0.0)[0], 0.0) is None


def test_a_wall_of_nan_is_stepped_back_from():
    at = along(lambda t: -np.log(0.01 - t) - 600 * t if t < 0.01 else np.nan,
               lambda t: 1 / (0.01 - t) - 600 if t < 0.01 else np.nan)  # fmt: skip
    start, slope = at(0.0)
    assert search(at, start, slope).cost < start.cost


# ------------------------------------------------------------------ schedules


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("constant", [1, 1, 1]),
        ("linear", [1, 0.5, 0]),
        ("cosine", [1, 0.5, 0]),
        ("exponential:0.9", [1, 0.9**50, 0.9**100]),
        ("inverse:25", [1, 1 / 3, 1 / 5]),
        ("step:40,0.1", [1, 0.1, 0.01]),
        ("step", [1, 1, 0.5]),
    ],
)
def test_schedules(typed, expected):
    schedule = choose_schedule(typed)
    shares = [schedule.rate(2.0, epoch, 100) / 2.0 for epoch in (0, 50, 100)]
    np.testing.assert_allclose(shares, expected, atol=1e-15)


def test_the_rate_of_an_epoch_is_the_schedule_s():
    result = asked(CARS, FORMULA, learning_rate=0.1, schedule="step:3,0.5", epochs=8)
    slope = plain(result.problem)
    u = np.zeros(4)
    for epoch in range(9):
        np.testing.assert_allclose(result.coefficients[epoch], result.problem.to_data @ u)
        u = u - 0.1 * 0.5 ** (epoch // 3) * slope(u)[1]


# ------------------------------------------------------------------ mini-batches


def test_batches_update_after_each():
    result = asked(CARS, FORMULA, learning_rate=0.02, batch_size=50, epochs=3, seed=7)
    problem = result.problem
    from gradtape.fit.rows import batches

    u = np.zeros(4)
    for epoch in range(4):
        np.testing.assert_allclose(result.coefficients[epoch], problem.to_data @ u)
        cost, gradient = plain(problem)(u)
        assert result.costs[epoch] == pytest.approx(cost)  # of all rows
        for batch in batches(problem.design.rows, 50, seed=7, epoch=epoch):
            X, y = problem.in_units(batch).X, batch.y
            u = u - 0.02 * 2 / len(y) * X.T @ (X @ u - y)


def test_the_seed_decides_the_batches():
    def final(seed):
        return asked(CARS, FORMULA, batch_size=50, epochs=3, seed=seed).final

    np.testing.assert_array_equal(final(1), final(1))
    assert not np.array_equal(final(1), final(2))


@pytest.mark.parametrize("loss", ["mse", "huber", "mae"])
def test_batches_get_near(loss):
    how = {"batch_size": 40, "epochs": 120, "schedule": "cosine", "learning_rate": 0.05}
    result = asked(CARS, FORMULA, loss=loss, optimizer="momentum", **how)
    whole = asked(CARS, FORMULA, loss=loss)
    assert result.costs[-1] < whole.costs[-1] * 1.02
