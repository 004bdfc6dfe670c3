"""What is printed and written, read back: the numbers are those of the run."""

import csv
import io

import numpy as np
import pytest

from gradtape.fit.checkpoint import Keeper
from gradtape.fit.design import Choice, build_design
from gradtape.fit.options import Options
from gradtape.fit.report import data_lines, report
from gradtape.fit.sources import read_table, table_of
from tests.fit.helpers import CARS, asked
from tests.fit.helpers import fitted as fit


def fitted(formula, options=None, **how):
    options = options or Options("cars.csv", formula)
    return fit(formula, standardize=options.standardize, **how), options


def test_data_lines_count_what_was_dropped():
    design = build_design(read_table(CARS), "mpg ~ horsepower")
    assert data_lines(design, Options("cars.csv", "mpg ~ horsepower")).splitlines() == [
        "mpg ~ horsepower, from cars.csv",
        "397 rows, 5 dropped (no value: horsepower in 5), 392 used.",
    ]
    design = build_design(read_table(CARS), "mpg ~ weight")
    assert "397 rows, all of them used." in data_lines(design, Options("cars.csv", ""))


def test_the_table_shows_descent_closed_form_and_difference():
    run, options = fitted("mpg ~ horsepower + weight", epochs=20)
    lines = report(run, options).splitlines()
    for i, name in enumerate(["Intercept", "horsepower", "weight"]):
        (line,) = [line for line in lines if line.split()[1:2] == [name]]
        letter, _, *numbers = line.split()
        value, closed = run.coefficients[-1, i], run.problem.closed_form[i]
        assert letter == "abc"[i]
        np.testing.assert_allclose(
            [float(number) for number in numbers],
            [
                value,
                run.uncertainty.errors[i],
                *run.uncertainty.intervals(run.final)[i],
                closed,
                value - closed,
            ],
            rtol=0.05,
        )
        np.testing.assert_allclose(float(numbers[0]), value, rtol=1e-6)


def test_the_equation_and_the_cost():
    run, options = fitted("mpg ~ horsepower")
    text = report(run, options)
    assert "\n  mpg = 39.9359 - 0.157845 * horsepower\n" in f"\n{text}"
    assert f"610.47 at epoch 0, 23.94 at epoch {run.epochs}; closed form: 23.94." in text
    assert "Learning rate: 0.25, in standardised units (auto: 0.25 of the largest" in text
    assert "R² 0.6059." in text
    assert "Student's t (390\n  degrees of freedom)" in text
    assert "Converged:    yes" in text
    assert "To get there" not in text


def test_a_long_equation_is_wrapped_and_a_very_long_one_left_out():
    run, options = fitted("mpg ~ weight + acceleration + horsepower + displacement + C(origin)")
    equation = report(run, options).split("\n\n")[0].splitlines()
    assert len(equation) > 1
    assert max(map(len, equation)) <= 96
    run, options = fitted("mpg ~ C(name)", epochs=1)
    assert " = " not in report(run, options).split("\n\n")[0]


@pytest.mark.parametrize(
    ("options", "how", "offered"),
    [
        (
            Options("cars.csv", "mpg ~ horsepower", epochs=3),
            {"epochs": 3},
            ['gradtape fit cars.csv "mpg ~ horsepower" --epochs 10'],
        ),
        (
            Options("cars.csv", "mpg ~ horsepower", learning_rate=0.3, epochs=5),
            {"learning_rate": 0.3, "epochs": 5},
            ['gradtape fit cars.csv "mpg ~ horsepower" --epochs 8 --learning-rate 0.3'],
        ),
        (
            Options("cars.csv", "mpg ~ horsepower", learning_rate=0.001, epochs=5),
            {"learning_rate": 0.001, "epochs": 5},
            [
                'gradtape fit cars.csv "mpg ~ horsepower"',
                'gradtape fit cars.csv "mpg ~ horsepower" --epochs 3500 --learning-rate 0.001',
            ],
        ),
    ],
)
def test_what_to_type_when_it_has_not_converged(options, how, offered):
    run, _ = fitted("mpg ~ horsepower", options, **how)
    text = report(run, options)
    assert "NO: " in text
    assert [line.strip() for line in text.splitlines() if "gradtape fit" in line] == offered
    again = offered[-1].split()
    epochs = int(again[again.index("--epochs") + 1])
    run, _ = fitted("mpg ~ horsepower", options, **{**how, "epochs": epochs})
    assert run.verdict.convergence.converged  # what is offered does what it says


def test_without_standardising_it_offers_to():
    options = Options("cars.csv", "mpg ~ horsepower", standardize=False, epochs=50)
    run, _ = fitted("mpg ~ horsepower", options, epochs=50)
    text = report(run, options)
    assert "in the data's units" in text
    assert 'one of\n  gradtape fit cars.csv "mpg ~ horsepower"\n  gradtape fit' in text


def test_an_interrupted_run_says_so():
    def interrupt(epochs, _cost):
        yield from list(epochs)[:3]
        raise KeyboardInterrupt

    run, options = fitted("mpg ~ horsepower", epochs=9, progress=interrupt)
    assert report(run, options).startswith("Ctrl-C ended the descent after 2 epochs;")


def test_history_is_the_run_to_the_last_bit():
    run, options = fitted("mpg ~ horsepower", epochs=12)
    text = Keeper(options.out, run.problem, run.plan, options).history(run.state).decode()
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0] == [
        *("epoch", "cost", "gradient_norm", "descent_gradient_norm", "Intercept", "horsepower"),
        *("gradient:Intercept", "gradient:horsepower"),
    ]
    values = np.array(rows[1:], dtype=float)
    np.testing.assert_array_equal(values[:, 0], range(13))
    np.testing.assert_array_equal(values[:, 1], run.costs)
    np.testing.assert_array_equal(values[:, 3], run.gradient_norms)
    np.testing.assert_array_equal(values[:, 4:6], run.coefficients)
    X, y = run.problem.design.X, run.problem.y
    gradients = np.array([2 / len(y) * X.T @ (X @ w - y) for w in run.coefficients])
    np.testing.assert_allclose(values[:, 6:], gradients, rtol=1e-9)
    np.testing.assert_allclose(values[:, 2], np.linalg.norm(gradients, axis=1), rtol=1e-9)


def test_data_lines_say_what_counts():
    table = table_of(
        {"y": ["a", "b", "a", "b", "b"], "x": [1.0, 2, 4, 3, 5], "w": [1.0, 2, 0, 1, 1]}
    )
    from gradtape.fit.losses import LOSSES

    design = build_design(table, "y ~ x", Choice(LOSSES["logistic"], weights="w"))
    lines = data_lines(design, Options("d.csv", "y ~ x", loss="logistic", weights="w"))
    assert lines.splitlines() == [
        "y ~ x, from d.csv, with the logistic loss",
        "5 rows, 1 of weight 0, 4 used.",
        "Each row counts w.",
        "y = b counts as 1, a as 0.",
    ]


def table_for(loss):
    rng = np.random.default_rng(1)
    x, z = rng.normal(size=(2, 200))
    y = {
        "logistic": (rng.random(200) < 1 / (1 + np.exp(-x))).astype(float),
        "poisson": rng.poisson(np.exp(0.3 * x)).astype(float),
    }.get(loss, x - z + rng.normal(size=200))
    return {"y": y, "x": x, "z": z}


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        ("logistic", ["log-odds(y) = ", "Deviance", "% of the labels are right", "inverse Hess"]),
        ("poisson", ["log(y) = ", "Deviance", "% explained", "by the normal distribution"]),
        ("mae", ["No standard errors: absolute errors have no curvature", "linear programme"]),
        ("huber", ["robust, from the inverse Hessian", "R² "]),
        ("nll:normal", ["log_sigma", "Log-likelihood", "AIC"]),
    ],
)
def test_every_loss_says_what_it_found(loss, said):
    result = asked(table_for(loss), "y ~ x + z", loss=loss)
    text = report(result, Options("d.csv", "y ~ x + z", loss=loss))
    assert [words for words in said if words not in text] == []
    assert max(map(len, text.splitlines())) <= 100
    assert result.verdict.convergence.converged


def test_the_test_rows_have_a_line_of_their_own():
    result = asked(table_for("mse"), "y ~ x + z", test_fraction=0.2)
    text = report(result, Options("d.csv", "y ~ x + z", test_fraction=0.2))
    (test,) = result.problem.design.test.blocks()
    error = test.y - test.X @ result.final
    r2 = 1 - np.sum(error**2) / np.sum((test.y - test.y.mean()) ** 2)
    assert f"Test, on 40 rows kept apart: R² {r2:.4f}; mean squared error" in text


def test_steps_are_named():
    result = asked(table_for("mse"), "y ~ x", optimizer="lbfgs")
    assert "Steps: L-BFGS, in standardised units." in report(result, Options("d.csv", "y ~ x"))
    how = {"optimizer": "momentum", "schedule": "cosine", "epochs": 50, "batch_size": 20}
    result = asked(table_for("mse"), "y ~ x", **how)
    assert "gradient descent with momentum. Learning rate" in report(result, Options("d", "y ~ x"))
