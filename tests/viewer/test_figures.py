"""`run.figure(kind)`: what is drawn is what the run holds, and what cannot be drawn is said."""

import numpy as np
import pytest

from gradtape.errors import RunError
from gradtape.fit.style import png
from gradtape.record.writer import Writer
from gradtape.viewer import figures
from tests.viewer import demo


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    return {make.__name__: demo.write(make(), root / make.__name__) for make in demo.ALL}


def drawn(run, kind, **options):
    return figures.draw(run, kind, **options)


def words(axes):
    return " | ".join(text.get_text() for text in axes.texts)


@pytest.mark.parametrize("kind", figures.KINDS)
@pytest.mark.parametrize("name", ["line", "diverging", "classes"])
def test_every_figure_of_every_demo_becomes_a_picture(runs, name, kind):
    assert png(drawn(runs[name], kind)).startswith(b"\x89PNG")


def test_cost_is_the_recorded_one_with_its_marks(runs):
    (axes,) = drawn(runs["line"], "cost").axes
    steps, costs = axes.lines[0].get_data()
    np.testing.assert_array_equal(steps, range(70))
    np.testing.assert_array_equal(costs, demo.line().columns["cost"][3])
    assert "fast phase ends at step 4" in words(axes)
    assert "lowest, 295.5, at step 69" in words(axes)


def test_a_cost_that_is_not_finite_has_crosses_where_it_is_not(runs):
    (axes,) = drawn(runs["diverging"], "cost").axes
    costs = demo.diverging().columns["cost"][3]
    bad = np.flatnonzero(~np.isfinite(costs))
    (crosses,) = [line for line in axes.lines if line.get_marker() == "x"]
    assert crosses.get_xdata()[0] == bad[0]
    assert f"infinite from step {bad[0]}" in words(axes)
    line = axes.lines[0].get_ydata()
    np.testing.assert_array_equal(np.isfinite(line), np.isfinite(costs))


@pytest.mark.parametrize("name", ["val_cost", "validation_cost", "val_loss", "validation_loss"])
def test_validation_is_drawn_with_the_cost(tmp_path, name):
    writer = Writer(tmp_path / "run")
    names = ["cost", f"log/{name}", "grad/a"]
    layout = writer.layout([writer.column(name, "log") for name in names])
    writer.rows(layout, np.array([[i, 4.0 - i, 5.0 - i, 1.0] for i in range(4)]))
    writer.close("finished")

    (axes,) = figures.draw(tmp_path / "run", "cost").axes
    validation = {line.get_label(): line.get_ydata() for line in axes.lines}["validation"]
    np.testing.assert_array_equal(validation, [5, 4, 3, 2])


@pytest.mark.parametrize("step", [None, 3])
def test_fit_is_the_model_at_the_step_with_the_data(runs, step):
    (axes,) = drawn(runs["line"], "fit", step=step).axes
    at = 69 if step is None else step
    line = demo.line()
    slope, intercept = (line.columns[f"value/{name}"][3][at] for name in ("slope", "intercept"))
    (model,) = [each for each in axes.lines if each.get_label() == f"model at step {at}"]
    x, y = model.get_data()
    np.testing.assert_allclose(y, slope * x + intercept)
    points = np.asarray(axes.collections[1].get_offsets())
    np.testing.assert_array_equal(points[:, 0], line.arrays["input/0"][0])
    np.testing.assert_array_equal(points[:, 1], line.arrays["input/1"][0])


def test_a_model_far_away_is_said_and_the_data_stay_in_the_picture(runs):
    (axes,) = drawn(runs["diverging"], "fit").axes
    assert "outside of the picture" in words(axes)
    y = demo.line().arrays["input/1"][0]
    low, high = axes.get_ylim()
    assert y.min() - 50 < low < y.min() and y.max() < high < y.max() + 50


def test_classes_with_what_is_wrong_circled(runs):
    (axes,) = drawn(runs["classes"], "fit").axes
    classes = demo.classes()
    right = (classes.arrays["prediction"][149] > 0.5) == classes.arrays["input/1"][0]
    assert axes.get_title(loc="left") == f"Classes at step 149: {100 * right.mean():.4g} % right"
    wrong = [each for each in axes.collections if each.get_label() == "wrong"][0]
    assert len(wrong.get_offsets()) == (~right).sum()


def test_path_goes_where_the_parameters_went(runs):
    (axes,) = drawn(runs["line"], "path").axes
    line = demo.line()
    way = np.stack([line.columns[f"value/{name}"][3] for name in ("slope", "intercept")], axis=1)
    (segments,) = [each for each in axes.collections if type(each).__name__ == "LineCollection"]
    np.testing.assert_array_equal(np.array(segments.get_segments())[:, 0], way[:-1])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("slope", "intercept")
    (axes,) = drawn(runs["classes"], "path").axes
    assert "95.2 % of the way" in axes.get_xlabel() and "3.72 %" in axes.get_ylabel()
    assert "A slice of the cost" in axes.get_title(loc="left")


def test_flow_has_a_row_for_each_variable(runs):
    left, right, *_ = drawn(runs["classes"], "flow").axes
    assert [text.get_text() for text in left.get_yticklabels()] == ["b2", "w1", "b1", "w2"]
    columns = demo.classes().columns
    norms = [np.abs(columns["grad/b2"][3])]
    norms += [columns[f"gradnorm/{name}"][3] for name in ("w1", "b1", "w2")]
    np.testing.assert_allclose(left.collections[0].get_array().reshape(4, -1), np.log10(norms))


def test_without_matplotlib_it_says_what_to_install(runs, monkeypatch):
    monkeypatch.setattr(figures, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"needs matplotlib(.|\n)*gradtape\[fit\]"):
        drawn(runs["line"], "cost")


def test_what_cannot_be_drawn_is_said(runs, tmp_path):
    words = "(?s)kind='costs' is not known.*'cost', 'fit', 'path', 'flow'"
    with pytest.raises(ValueError, match=words):
        drawn(runs["line"], "costs")
    with pytest.raises(RunError, match="holds no recorded run"):
        drawn(tmp_path, "cost")
    Writer(tmp_path / "run").close("finished")
    with pytest.raises(RunError, match="(?s)no cost to draw.*No cost was recorded.*Recording"):
        drawn(tmp_path / "run", "cost")


def test_names_of_the_data_are_text_and_no_formulas(tmp_path):
    line = demo.line(5, name="line")

    named = {"input/0": r"$\frac{", "input/1": "a$b"}
    for tag, name in named.items():
        line.tags[tag]["label"] = name
    run = demo.write(line, tmp_path / "run")
    assert png(figures.draw(run, "fit")).startswith(b"\x89PNG")
