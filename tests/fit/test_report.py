"""What is printed and written, read back: the numbers are those of the run."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from gradtape.fit.descent import descend, pose
from gradtape.fit.design import build_design
from gradtape.fit.options import Options
from gradtape.fit.report import data_lines, history_csv, report
from gradtape.fit.sources import read_table

CARS = Path(__file__).parents[2] / "examples" / "data" / "cars.csv"


def fitted(formula, options=None, **how):
    options = options or Options("cars.csv", formula)
    design = build_design(read_table(CARS), formula)
    return descend(pose(design, standardize=options.standardize), **how), options


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
            [float(number) for number in numbers], [value, closed, value - closed], rtol=0.05
        )
        np.testing.assert_allclose(float(numbers[0]), value, rtol=1e-6)


def test_the_equation_and_the_cost():
    run, options = fitted("mpg ~ horsepower")
    text = report(run, options)
    assert "\n  mpg = 39.9359 - 0.157845 * horsepower\n" in f"\n{text}"
    assert f"610.47 at epoch 0, 23.94 at epoch {run.epochs}; closed form: 23.94." in text
    assert "Learning rate: 0.25, in standardised units (auto: 0.25 of the largest" in text
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
    run, _ = fitted("mpg ~ horsepower", epochs=12)
    rows = list(csv.reader(io.StringIO(history_csv(run).decode())))
    assert rows[0] == ["epoch", "cost", "gradient_norm", "distance", "Intercept", "horsepower"]
    values = np.array(rows[1:], dtype=float)
    np.testing.assert_array_equal(values[:, 0], range(13))
    np.testing.assert_array_equal(values[:, 1], run.costs)
    np.testing.assert_array_equal(values[:, 2], run.gradient_norms)
    np.testing.assert_array_equal(values[:, 4:], run.coefficients)
    relative = np.abs(run.coefficients / run.problem.closed_form - 1).max(axis=1)
    np.testing.assert_allclose(values[:, 3], relative, rtol=1e-9)
