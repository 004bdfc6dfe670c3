"""The pictures: what is drawn are the data and the run; every kind of run can be drawn."""

import io
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from gradtape.fit.descent import descend, pose
from gradtape.fit.design import build_design
from gradtape.fit.plots import cost_figure, fit_figure, png
from gradtape.fit.sources import read_table

CARS = Path(__file__).parents[2] / "examples" / "data" / "cars.csv"


def fitted(formula, path=CARS, standardize=True, **how):
    return descend(pose(build_design(read_table(path), formula), standardize=standardize), **how)


def line(axes, label):
    (found,) = [line for line in axes.lines if line.get_label().startswith(label)]
    return np.asarray(found.get_xdata(), float), np.asarray(found.get_ydata(), float)


def test_the_line_and_the_points():
    run = fitted("mpg ~ horsepower", epochs=3)
    (axes,) = fit_figure(run).axes
    points = np.asarray(axes.collections[0].get_offsets())
    np.testing.assert_array_equal(
        points, np.column_stack([run.problem.design.X[:, 1], run.problem.y])
    )
    for label, (a, b) in (
        ("gradient descent, epoch 3", run.coefficients[-1]),
        ("closed form", run.problem.closed_form),
    ):
        x, y = line(axes, label)
        np.testing.assert_allclose(y, a + b * x, rtol=1e-12)
    assert (x.min(), x.max()) == (46, 230)


def test_a_curve_over_one_variable():
    run = fitted("np.log(mpg) ~ horsepower + I(horsepower**2)")
    (axes,) = fit_figure(run).axes
    x, y = line(axes, "gradient descent")
    a, b, c = run.coefficients[-1]
    np.testing.assert_allclose(y, a + b * x + c * x**2, rtol=1e-9)
    assert axes.get_ylabel() == "np.log(mpg)"


@pytest.mark.parametrize(
    "formula", ["mpg ~ horsepower + weight", "mpg ~ origin", "mpg ~ C(cylinders)", "mpg ~ 1"]
)
def test_observed_over_fitted(formula):
    run = fitted(formula)
    (axes,) = fit_figure(run).axes
    points = np.asarray(axes.collections[0].get_offsets())
    fitted_values = run.problem.design.X @ run.coefficients[-1]
    np.testing.assert_allclose(points[:, 0], fitted_values, rtol=1e-12)
    np.testing.assert_array_equal(points[:, 1], run.problem.y)
    r2 = 1 - np.sum((run.problem.y - fitted_values) ** 2) / np.sum(
        (run.problem.y - run.problem.y.mean()) ** 2
    )
    assert f"{r2:.3f}" in axes.get_title(loc="left").replace("-0.000", "0.000")


def test_the_cost_with_its_marks():
    run = fitted("mpg ~ horsepower")
    cost, distance = cost_figure(run).axes
    np.testing.assert_array_equal(cost.lines[0].get_ydata(), run.costs)
    np.testing.assert_array_equal(distance.lines[0].get_ydata(), run.distances)
    words = " ".join(text.get_text() for text in cost.texts)
    assert f"fast phase ends\nat epoch {run.verdict.fast_phase.end}" in words
    assert f"printed cost stands still\nat epoch {run.verdict.standstill.start}" in words
    assert "three digits right: converged" in [text.get_text() for text in distance.texts]


@pytest.mark.parametrize(
    ("formula", "how"),
    [
        ("mpg ~ horsepower", {"epochs": 1}),
        ("mpg ~ horsepower", {"epochs": 3000}),
        ("mpg ~ horsepower", {"standardize": False, "epochs": 300}),
        ("mpg ~ horsepower", {"learning_rate": 0.99, "epochs": 40}),
        ("mpg ~ horsepower", {"init": np.array([1e6, 0.0]), "epochs": 5}),
        ("mpg ~ cylinders + displacement + horsepower + weight + C(origin)", {"epochs": 2}),
    ],
)
def test_every_run_can_be_drawn(formula, how):
    run = fitted(formula, **how)
    for make in (fit_figure, cost_figure):
        picture = png(make(run))
        pixels = matplotlib.image.imread(io.BytesIO(picture), format="png")
        assert min(pixels.shape[:2]) > 600
        assert pixels.std() > 0.01
        assert png(make(run)) == picture


def test_an_exact_fit_and_names_with_dollars(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('"$a_b$","c$"\n0,0\n1,2\n2,4\n3,6\n')
    run = fitted("`c$` ~ `$a_b$`", path)
    assert len(png(fit_figure(run))) > 1000
    assert len(png(cost_figure(run))) > 1000
    assert run.verdict.convergence.converged
