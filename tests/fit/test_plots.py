"""The pictures: what is drawn are the data and the run; every kind of run can be drawn."""

import io

import matplotlib.image
import numpy as np
import pytest
from matplotlib.contour import ContourSet

from gradtape.fit import style
from gradtape.fit.plot_cost import cost_figure
from gradtape.fit.plot_fit import fit_figure
from gradtape.fit.plot_path import path_figure
from gradtape.fit.style import png
from tests.fit.helpers import asked, fitted

pytestmark = pytest.mark.slow  # as a file


def line(axes, label):
    (found,) = [line for line in axes.lines if line.get_label().startswith(label)]
    return np.asarray(found.get_xdata(), float), np.asarray(found.get_ydata(), float)


def test_the_line_and_the_points():
    result = fitted("mpg ~ horsepower", epochs=3)
    (axes,) = fit_figure(result).axes
    points = np.asarray(axes.collections[0].get_offsets())
    np.testing.assert_array_equal(
        points, np.column_stack([result.problem.design.X[:, 1], result.problem.y])
    )
    for label, (a, b) in (
        ("gradient descent, epoch 3", result.coefficients[-1]),
        ("closed form", result.problem.closed_form),
    ):
        x, y = line(axes, label)
        np.testing.assert_allclose(y, a + b * x, rtol=1e-12)
    assert (x.min(), x.max()) == (46, 230)


def test_a_curve_over_one_variable():
    result = fitted("np.log(mpg) ~ horsepower + I(horsepower**2)")
    (axes,) = fit_figure(result).axes
    x, y = line(axes, "gradient descent")
    a, b, c = result.coefficients[-1]
    np.testing.assert_allclose(y, a + b * x + c * x**2, rtol=1e-9)
    assert axes.get_ylabel() == "np.log(mpg)"


@pytest.mark.parametrize(
    "formula", ["mpg ~ horsepower + weight", "mpg ~ origin", "mpg ~ C(cylinders)", "mpg ~ 1"]
)
def test_predicted_against_true_and_residuals(formula):
    result = fitted(formula)
    figure = fit_figure(result)
    left, right = figure.axes
    fitted_values = result.problem.design.X @ result.coefficients[-1]
    points = np.asarray(left.collections[0].get_offsets())
    np.testing.assert_allclose(points[:, 0], fitted_values, rtol=1e-12)
    np.testing.assert_array_equal(points[:, 1], result.problem.y)
    points = np.asarray(right.collections[0].get_offsets())
    np.testing.assert_allclose(points[:, 0], fitted_values, rtol=1e-12)
    np.testing.assert_allclose(points[:, 1], result.problem.y - fitted_values, atol=1e-11)
    r2 = 1 - np.sum((result.problem.y - fitted_values) ** 2) / np.sum(
        (result.problem.y - result.problem.y.mean()) ** 2
    )
    assert f"{r2:.3f}" in figure.get_suptitle().replace("-0.000", "0.000")


def test_the_means_of_neighbouring_residuals_are_theirs():
    result = fitted("mpg ~ horsepower + weight")
    _, right = fit_figure(result).axes
    x, y = line(right, "mean of neighbours")
    fitted_values = result.problem.design.X @ result.final
    order = np.argsort(fitted_values, kind="stable")
    residual = (result.problem.y - fitted_values)[order]
    np.testing.assert_allclose(y, [group.mean() for group in np.array_split(residual, 12)])
    assert np.all(np.diff(x) > 0)


def test_the_band_is_that_of_the_mean():
    result = fitted("mpg ~ horsepower")
    (axes,) = fit_figure(result).axes
    (band,) = [c for c in axes.collections if type(c).__name__ == "FillBetweenPolyCollection"]
    corners = band.get_paths()[0].vertices
    at = corners[np.isclose(corners[:, 0], 46.0), 1]
    row = np.array([1.0, 46.0])
    reach = result.uncertainty.quantile * np.sqrt(row @ result.uncertainty.covariance @ row)
    middle = row @ result.final
    np.testing.assert_allclose([at.min(), at.max()], [middle - reach, middle + reach], rtol=1e-12)


def binary(n=300):
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(2, n))
    y = np.where(rng.random(n) < 1 / (1 + np.exp(-(x - z))), "yes", "no")
    return {"y": y, "x": x, "z": z, "count": rng.poisson(np.exp(0.5 * x))}


def test_the_curve_of_a_probability():
    result = asked(binary(), "y ~ x", loss="logistic")
    (axes,) = fit_figure(result).axes
    x, y = line(axes, "Newton's method")
    a, b = result.final
    np.testing.assert_allclose(y, 1 / (1 + np.exp(-(a + b * x))), rtol=1e-12)
    assert axes.get_ylabel() == "y = yes"


def test_probabilities_and_how_they_came_true():
    result = asked(binary(), "y ~ x + z", loss="logistic")
    left, right = fit_figure(result).axes
    counted = sum(patch.get_height() for patch in left.patches)
    assert counted == 300
    probability = 1 / (1 + np.exp(-(result.problem.design.X @ result.final)))
    points = np.asarray(right.containers[0].lines[0].get_xydata())
    order = np.argsort(probability, kind="stable")
    groups = np.array_split(order, 10)
    np.testing.assert_allclose(points[:, 0], [probability[g].mean() for g in groups])
    np.testing.assert_allclose(points[:, 1], [result.problem.y[g].mean() for g in groups])


def test_only_so_many_rows_are_drawn():
    rng = np.random.default_rng(0)
    x = rng.normal(size=7000)
    result = asked({"x": x, "y": x + rng.normal(size=7000)}, "y ~ x")
    (axes,) = fit_figure(result).axes
    assert len(axes.collections[0].get_offsets()) == 5000
    assert "data (5,000 of 7,000 rows)" in [t.get_text() for t in axes.get_legend().get_texts()]


# ------------------------------------------------------------------ the cost and the path


def test_the_cost_with_its_marks():
    result = fitted("mpg ~ horsepower")
    cost, distance = cost_figure(result).axes
    np.testing.assert_array_equal(cost.lines[0].get_ydata(), result.costs)
    np.testing.assert_array_equal(distance.lines[0].get_ydata(), result.distances)
    words = " ".join(text.get_text() for text in cost.texts)
    assert f"fast phase ends\nat epoch {result.verdict.fast_phase.end}" in words
    assert f"printed cost stands still\nat epoch {result.verdict.standstill.start}" in words
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
    result = fitted(formula, **how)
    for make in (fit_figure, cost_figure, path_figure):
        picture = png(make(result))
        pixels = matplotlib.image.imread(io.BytesIO(picture), format="png")
        assert min(pixels.shape[:2]) > 600
        assert pixels.std() > 0.01
        assert png(make(result)) == picture


def markers(axes, label):
    (found,) = [c for c in axes.collections if c.get_label() == label]
    return np.asarray(found.get_offsets())[0]


def test_the_path_goes_from_the_start_to_the_end_and_its_contours_are_the_cost():
    result = fitted("mpg ~ horsepower", epochs=5)
    (axes,) = path_figure(result).axes
    np.testing.assert_array_equal(markers(axes, "epoch 0"), [0, 0])
    np.testing.assert_array_equal(markers(axes, "epoch 5"), result.final)
    (closed,) = [line for line in axes.lines if line.get_label() == "closed form"]
    np.testing.assert_array_equal(closed.get_xydata()[0], result.problem.closed_form)
    (contours,) = [c for c in axes.collections if isinstance(c, ContourSet) and not c.filled]
    design = result.problem.design
    checked = 0
    for level, path in zip(contours.levels, contours.get_paths(), strict=True):
        for point in path.vertices[:: max(1, len(path.vertices) // 5)]:
            cost = np.mean((design.y - design.X @ point) ** 2)
            assert cost == pytest.approx(level, rel=0.05, abs=2.0)
            checked += 1
    assert checked > 30


def test_the_path_of_the_two_that_went_farthest():
    result = fitted("mpg ~ horsepower + weight + acceleration")
    u = result.coefficients @ result.problem.from_data.T
    far = np.argsort(-np.abs(np.diff(u, axis=0)).sum(axis=0))[:2]
    (axes,) = path_figure(result).axes
    assert {axes.get_xlabel(), axes.get_ylabel()} == {result.problem.names[i] for i in far}
    words = [text.get_text() for text in axes.texts]
    assert words == ["the other coefficients as they are at the end"]


def test_the_contours_of_a_cost_that_is_not_quadratic():
    result = asked(binary(), "y ~ x", loss="logistic", optimizer="gd", epochs=40)
    (axes,) = path_figure(result).axes
    (contours,) = [c for c in axes.collections if isinstance(c, ContourSet) and not c.filled]
    X, y = result.problem.design.X, result.problem.y
    for level, path in list(zip(contours.levels, contours.get_paths(), strict=True))[4:9]:
        for point in path.vertices[::40]:
            z = X @ point
            assert np.mean(np.logaddexp(0, z) - y * z) == pytest.approx(level, rel=0.03)


def test_the_path_of_one_coefficient():
    result = fitted("mpg ~ 0 + weight", epochs=8)
    (axes,) = path_figure(result).axes
    points = np.asarray(axes.collections[0].get_offsets())
    np.testing.assert_array_equal(points[:, 0], result.coefficients[:, 0])
    np.testing.assert_allclose(points[:, 1], result.costs, rtol=1e-10)


@pytest.mark.parametrize("loss", ["mae", "huber", "poisson", "nll:normal"])
def test_every_loss_can_be_drawn(loss):
    result = asked(binary(), "count ~ x + z", loss=loss, epochs=30)
    for make in (fit_figure, cost_figure, path_figure):
        assert len(png(make(result))) > 1000


def test_an_exact_fit_and_names_with_dollars(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('"$a_b$","c$"\n0,0\n1,2\n2,4\n3,6\n')
    result = fitted("`c$` ~ `$a_b$`", path)
    assert len(png(fit_figure(result))) > 1000
    assert len(png(cost_figure(result))) > 1000
    assert result.verdict.convergence.converged


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (1e-10, 1.0, ["10⁻¹⁰", "10⁰"]),
        (1.0, 1e12, ["10⁰", "10¹²"]),
        (2e-3, 8e-3, ["2×10⁻³", "6×10⁻³"]),
    ],
)
def test_powers_of_ten_need_no_parser_of_mathematics(low, high, said, monkeypatch):
    made, (axes,) = style.figure(4, 3, 1)
    with style.styled():
        style.logarithmic(axes)
        axes.plot([0, 1], [low, high])
        axes.set_ylim(low, high)
    monkeypatch.setattr("matplotlib.mathtext.MathTextParser.parse", None)
    style.png(made)
    labels = [text.get_text() for text in axes.get_yticklabels(which="both")]
    assert set(said) <= set(labels)


def test_a_font_that_somebody_chose_gets_no_raised_digits():
    """It may have none, and the parser of mathematics makes them of any."""
    import matplotlib

    with matplotlib.rc_context({"font.family": ["DejaVu Serif"]}):
        made, (axes,) = style.figure(4, 3, 1)
        style.logarithmic(axes)
        axes.plot([0, 1], [1e-6, 1.0])
        style.png(made)
        labels = [text.get_text() for text in axes.get_yticklabels()]
    assert r"$\mathdefault{10^{-2}}$" in labels
