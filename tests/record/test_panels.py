"""What the panels draw of recorded runs: the numbers that NumPy gives for the same model."""

import copy
import threading
import time

import numpy as np
import pytest

import gradtape as gt
import gradtape.tf as tf
from gradtape.errors import RunError
from gradtape.record.panels import cost, fit, flow, landscape, path, regions
from gradtape.record.panels import features as panels_features
from gradtape.record.panels.features import Features
from gradtape.record.panels.moment import Moment
from gradtape.record.reader import Reader
from gradtape.record.writer import Writer
from tests.record.making import recorded

RNG = np.random.default_rng(3)
X = RNG.uniform(4, 25, 50).round()
Y = 3.9 * X - 17.6 + RNG.normal(0, 15, 50)
MOONS = RNG.normal(size=(60, 2))
SIDE = (MOONS[:, 0] * MOONS[:, 1] > 0).astype(float)


def by_row(found):
    """The header of a fit, and its arrays by name."""
    assert not isinstance(found, str), found
    header, arrays = found
    assert [len(a) for a in arrays] == [header["count"]] * 3 + [header["grid"]] * 2
    assert all(a.dtype == np.float64 and a.flags.c_contiguous for a in arrays)
    return header, dict(zip(["x", "y", "p", "cx", "cy"], arrays, strict=True))


# ------------------------------------------------------------------------------ the line


def make_line(folder, steps=70, rate=1e-3, **options):
    a, b = gt.Variable(0.0, name="intercept"), gt.Variable(0.0, name="slope")

    def loss(_):
        return np.sum((Y - (a + b * X)) ** 2) / (2 * len(X))

    return recorded(folder, loss, [a, b], steps, rate, **options)


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    return make_line(tmp_path_factory.mktemp("runs") / "line")


@pytest.mark.parametrize("step", [0, 1, 35, 69])
def test_the_fit_of_a_line_is_the_line_of_that_step(line, step):
    row = line.row(step)
    header, found = by_row(fit(line, step))
    assert (header["kind"], header["exact"], header["step"]) == ("curve", True, step)
    assert header["inputs"] == ["X"]
    assert header["names"] == {"x": "X", "y": "Y"}
    assert header["note"] == ""
    np.testing.assert_array_equal(found["x"], X)
    np.testing.assert_array_equal(found["y"], Y)
    np.testing.assert_array_equal(found["p"], row["value/intercept"] + row["value/slope"] * X)
    assert (found["cx"][0], found["cx"][-1]) == (X.min(), X.max())
    np.testing.assert_allclose(
        found["cy"], row["value/intercept"] + row["value/slope"] * found["cx"], rtol=1e-14
    )


def test_a_step_after_the_last_is_the_last(line):
    assert by_row(fit(line, 10**6))[0]["step"] == 69


def test_a_step_that_was_not_recorded_is_the_one_before(tmp_path):
    a = gt.Variable(0.5, name="a")
    writer = Writer(tmp_path / "run")
    reader = recorded(tmp_path / "other", lambda _: np.sum((Y - a * X) ** 2), [a], 4, 1e-6)
    layout = writer.layout([writer.column("cost", "cost"), writer.column("value/a", "value")])
    writer.structure(0, writer.graph(0, reader.graph()))
    for tag, array in (("input/0", X), ("input/1", Y)):
        writer.array(writer.tag(tag, "input", X.shape, X.dtype), 0, array.copy())
    writer.rows(layout, np.array([[0.0, 1.0, 1.5], [10.0, 0.5, 2.5], [20.0, 0.2, 3.5]]))
    writer.close("finished")
    header, found = by_row(fit(Reader(tmp_path / "run"), 17))
    assert header["step"] == 10
    np.testing.assert_allclose(found["p"], 2.5 * X)


def test_the_stored_prediction_of_the_step_is_shown_as_it_is(tmp_path):
    run = make_line(tmp_path / "run", 5, predictions=True)
    _, found = by_row(fit(run, 3))
    stored, since = run.array("prediction", 3)
    assert since == 3
    np.testing.assert_array_equal(found["p"], stored)


def test_the_path_of_two_numbers_is_themselves_and_the_landscape_is_the_cost(line):
    header, arrays = path(line)
    steps, u, v, gu, gv = arrays
    _, table = line.table(["value/intercept", "value/slope", "grad/intercept", "grad/slope"])
    assert header["kind"] == "exact"
    assert header["axes"] == ["intercept", "slope"]
    np.testing.assert_array_equal(np.array([u, v, gu, gv]).T, table)
    assert sum(header["explained"]) == pytest.approx(1)
    np.testing.assert_array_equal(steps, np.arange(70))

    header, (losses,) = landscape(line, 23)
    assert header["exact"] is True
    assert header["n"] == 23
    us, vs = np.linspace(*header["u"], 23), np.linspace(*header["v"], 23)
    expected = [np.sum((Y - (a + b * X)) ** 2) / 100 for b in vs for a in us]
    np.testing.assert_allclose(losses, expected, rtol=1e-12)
    assert header["u"][0] < u.min() and u.max() < header["u"][1]
    assert header["v"][0] < v.min() and v.max() < header["v"][1]


def test_the_landscape_is_wide_enough_to_show_a_valley_that_was_hardly_entered(line):
    """The intercept moves by a fiftieth of what is left; the minimum lies in the picture."""
    header, (losses,) = landscape(line, 41)
    slope, intercept = np.polyfit(X, Y, 1)
    assert abs(line.row(69)["value/intercept"]) < abs(intercept) / 50
    assert header["u"][0] < intercept < header["u"][1]
    assert header["v"][0] < slope < header["v"][1]
    fall = np.ptp(line.series("cost")[1])
    middle = losses.reshape(41, 41)[20]
    assert middle.max() - middle.min() > fall / 2


def test_the_arrows_are_the_gradient_of_the_landscape(line):
    _, (_, u, v, gu, gv) = path(line)
    at, h = 20, 1e-5

    def value(a, b):
        return np.sum((Y - (a + b * X)) ** 2) / 100

    slope = (value(u[at] + h, v[at]) - value(u[at] - h, v[at])) / (2 * h)
    assert gu[at] == pytest.approx(slope, rel=1e-5)
    slope = (value(u[at], v[at] + h) - value(u[at], v[at] - h)) / (2 * h)
    assert gv[at] == pytest.approx(slope, rel=1e-5)


def test_a_run_that_diverges_shows_its_beginning(tmp_path):
    run = make_line(tmp_path / "run", 400, 0.1)
    assert not np.isfinite(run.series("cost")[1]).all()
    header, (losses,) = landscape(run, 15)
    assert np.isfinite(header["u"] + header["v"]).all()
    assert max(map(abs, header["v"])) < 1e6
    assert np.isfinite(losses).all()
    header, arrays = path(run)
    assert header["count"] == 400
    assert not np.isfinite(arrays[1]).all()
    header, found = by_row(fit(run, 399))
    assert np.isnan(found["p"]).all()


def test_the_flow_of_numbers_has_their_gradients_updates_and_zeros(line):
    header, arrays = flow(line)
    assert header["names"] == ["intercept", "slope"]
    assert header["rows"] == ["gradnorm", "ratio", "zeros"]
    steps, *series = arrays
    values, slopes = (line.series(f"{k}/slope")[1] for k in ("value", "grad"))
    gradient, ratio, zeros = series[3:]
    np.testing.assert_array_equal(gradient, np.abs(slopes))
    np.testing.assert_allclose(ratio[1:-1], 1e-3 * np.abs(slopes[1:-1] / values[1:-1]), rtol=1e-9)
    assert np.isnan(ratio[-1])  # the last update is not known from the values
    assert not zeros.any()
    np.testing.assert_array_equal(steps, np.arange(70))


def test_the_cost_with_its_best_step(line):
    header, (steps, values) = cost(line)
    np.testing.assert_array_equal(values, line.series("cost")[1])
    np.testing.assert_array_equal(steps, np.arange(70))
    assert header["best"] == int(np.argmin(values))


# -------------------------------------------------------------------- curves of other models


def test_the_powers_of_x_that_enter_as_arrays_follow_x_along_the_curve(tmp_path):
    a, b, c = (gt.Variable(v, name=n) for n, v in [("a", 1.0), ("b", 0.5), ("c", 0.1)])
    x = np.linspace(-2, 3, 31)
    squares = x**2
    y = np.sin(x)
    run = recorded(tmp_path / "run", lambda _: np.mean((y - (a + b * x + c * squares)) ** 2),
                   [a, b, c], 5, 0.01)  # fmt: skip
    header, found = by_row(fit(run, 4))
    row = run.row(4)
    assert header["inputs"] == ["x"]
    assert header["exact"] is True
    g = found["cx"]
    np.testing.assert_allclose(
        found["cy"], row["value/a"] + row["value/b"] * g + row["value/c"] * g**2, rtol=1e-9
    )


def test_the_columns_of_a_design_matrix_follow_too(tmp_path):
    x = np.linspace(-2, 3, 31)
    design = np.column_stack([np.ones_like(x), x, x**2, np.exp(x)])
    w = gt.Variable(np.array([1.0, 2.0, 3.0, 0.5]), name="w")
    run = recorded(tmp_path / "run", lambda _: np.mean((design @ w - np.sin(x)) ** 2), [w], 3, 1e-4)
    header, found = by_row(fit(run, 2))
    g = found["cx"]
    grid = np.column_stack([np.ones_like(g), g, g**2, np.exp(g)])
    assert header["inputs"] == ["design[1]"]
    np.testing.assert_allclose(found["cy"], grid @ run.array("value/w", 2)[0], rtol=1e-8)


def test_a_product_of_two_columns_follows_them(tmp_path):
    rng = np.random.default_rng(8)
    x = rng.normal(size=(500, 3))
    x = np.column_stack([x, 2 - x[:, 0] * x[:, 2], x[:, 1]])
    w, y = gt.Variable(np.arange(1.0, 6), name="w"), np.sin(x[:, 0])
    run = recorded(tmp_path / "run", lambda _: np.mean((x @ w - y) ** 2), [w], 3, 0.01)
    features = Features(Moment(run, 1))
    assert features.names == ["x[0]", "x[1]", "x[2]"]
    rows = rng.normal(size=(3, 7))
    whole = np.column_stack([*rows, 2 - rows[0] * rows[2], rows[1]])
    expected = whole @ run.array("value/w", 1)[0]
    np.testing.assert_allclose(features.predict(list(rows)), expected, rtol=1e-9)


def test_of_many_columns_each_is_not_compared_with_each(tmp_path, monkeypatch):
    rng = np.random.default_rng(9)
    x = rng.integers(0, 17, size=(32, 64)) / 16  # as pixels are
    w = gt.Variable(np.ones(64), name="w")
    run = recorded(tmp_path / "run", lambda _: np.mean((x @ w - x[:, 0]) ** 2), [w], 2, 0.01)
    looks = []
    affine = panels_features._affine
    monkeypatch.setattr(panels_features, "_affine", lambda *a: looks.append(1) or affine(*a))
    assert len(Features(Moment(run, 1)).names) == 64
    assert len(looks) < 64


def test_two_variables_of_one_entry_are_the_axes_of_the_path(tmp_path):
    w, b = (gt.Variable(np.zeros(1), name=name) for name in "wb")
    run = recorded(tmp_path / "run", lambda _: np.mean((X / 25 * w + b - 1) ** 2), [w, b], 5, 0.1)
    assert path(run)[0]["axes"] == ["w", "b"]


def network(folder, y, last=lambda z: z, compare=None, units=6, steps=6, **options):
    rng = np.random.default_rng(5)
    u = gt.Variable(rng.normal(size=(2, units)), name="u")
    c = gt.Variable(np.zeros(units), name="c")
    v = gt.Variable(rng.normal(size=(units, np.shape(y)[1] if np.ndim(y) > 1 else 1)), name="v")

    def loss(_):
        p = last(np.tanh(MOONS @ u + c) @ v)
        return compare(p) if compare else np.mean((p - y.reshape(len(y), -1)) ** 2)

    return recorded(folder, loss, [u, c, v], steps, 0.1, **options)


def evaluated(run, step, inputs):
    u, c, v = (run.array(f"value/{name}", step)[0] for name in "ucv")
    return np.tanh(inputs @ u + c) @ v


def test_of_several_inputs_one_varies_and_the_others_are_held(tmp_path):
    target = np.sin(MOONS[:, 0]) + MOONS[:, 1]
    run = network(tmp_path / "run", target)
    header, found = by_row(fit(run, 5))
    assert header["inputs"] == ["MOONS[0]", "MOONS[1]"]
    assert header["at"] == pytest.approx(np.median(MOONS, axis=0))
    assert header["slice"] == 0
    np.testing.assert_allclose(found["p"], evaluated(run, 5, MOONS)[:, 0], rtol=1e-12)
    np.testing.assert_array_equal(found["x"], MOONS[:, 0])
    grid = np.column_stack([found["cx"], np.full(200, np.median(MOONS[:, 1]))])
    np.testing.assert_allclose(found["cy"], evaluated(run, 5, grid)[:, 0], rtol=1e-10)

    header, found = by_row(fit(run, 5, slice=1, at={0: 0.25}))
    assert header["slice"] == 1
    assert header["at"][0] == 0.25
    np.testing.assert_array_equal(found["x"], MOONS[:, 1])
    grid = np.column_stack([np.full(200, 0.25), found["cx"]])
    np.testing.assert_allclose(found["cy"], evaluated(run, 5, grid)[:, 0], rtol=1e-10)


def test_a_mask_of_the_script_is_computed_again_at_new_rows(tmp_path):
    """np.where(h > 0, ...): the comparison is in no record; at new rows the mask is another."""
    rng = np.random.default_rng(5)
    u = gt.Variable(rng.normal(size=(2, 6)), name="u")
    v = gt.Variable(rng.normal(size=6), name="v")
    y = MOONS[:, 0] ** 2

    def model(x, u, v):
        h = x @ u
        return np.where(np.greater(h, 0), h, 0.1 * h) @ v

    run = recorded(tmp_path / "run", lambda _: np.mean((model(MOONS, u, v) - y) ** 2),
                   [u, v], 4, 0.05)  # fmt: skip
    header, found = by_row(fit(run, 3))
    w = [run.array(f"value/{n}", 3)[0] for n in "uv"]
    grid = np.column_stack([found["cx"], np.full(200, np.median(MOONS[:, 1]))])
    assert header["exact"] is True
    np.testing.assert_allclose(found["cy"], model(grid, *w), rtol=1e-10)
    header, (losses,) = landscape(run, 9)
    assert "outside of the tape" not in header["note"]


def test_a_mask_that_nothing_explains_leaves_the_curve_out_and_says_so(tmp_path):
    rng = np.random.default_rng(5)
    u = gt.Variable(rng.normal(size=(2, 6)), name="u")
    v = gt.Variable(rng.normal(size=6), name="v")
    y = MOONS[:, 0] ** 2
    dropped = rng.random((60, 6)) > 0.5

    def loss(_):
        h = np.tanh(MOONS @ u)
        return np.mean((np.where(dropped, h, 0.0) @ v - y) ** 2)

    run = recorded(tmp_path / "run", loss, [u, v], 4, 0.05)
    header, found = by_row(fit(run, 3))
    assert header["kind"] == "scatter"
    assert header["exact"] is False
    assert "mask" in header["note"]
    w = [run.array(f"value/{n}", 3)[0] for n in "uv"]
    np.testing.assert_allclose(found["p"], np.where(dropped, np.tanh(MOONS @ w[0]), 0.0) @ w[1])


def test_a_model_that_looks_at_the_whole_batch_has_no_curve(tmp_path):
    a, b = gt.Variable(0.0, name="a"), gt.Variable(1.0, name="b")

    def loss(_):
        z = b * X
        z = (z - np.mean(z)) / np.std(z)
        return np.mean((Y - (a + z)) ** 2)

    header, _ = by_row(fit(recorded(tmp_path / "run", loss, [a, b], 3, 0.01), 2))
    assert header["exact"] is False
    assert "depends on the rows beside it" in header["note"]


def test_shapes_that_are_fixed_in_the_graph_are_computed_in_blocks(tmp_path):
    w = gt.Variable(np.array([1.0, 2.0]), name="w")
    design = np.column_stack([np.ones_like(X), X])

    def loss(_):
        return np.mean((np.reshape(np.matmul(design, w), (5, 10)).reshape(50) - Y) ** 2)

    header, found = by_row(fit(recorded(tmp_path / "run", loss, [w], 3, 1e-4), 0))
    assert header["exact"] is True
    np.testing.assert_allclose(found["cy"], 1 + 2 * found["cx"], rtol=1e-12)


def test_mini_batches_are_those_of_the_step(tmp_path):
    a, b = gt.Variable(0.0, name="a"), gt.Variable(0.0, name="b")

    def loss(step):
        rows = slice(10 * (step % 5), 10 * (step % 5) + 10)
        return np.mean((Y[rows] - (a + b * X[rows])) ** 2)

    run = recorded(tmp_path / "run", loss, [a, b], 7, 1e-3)
    header, found = by_row(fit(run, 3))
    np.testing.assert_array_equal(found["x"], X[30:40])
    np.testing.assert_array_equal(found["y"], Y[30:40])
    header, (losses,) = landscape(run, 9)
    assert header["exact"] is False
    assert "rows of step 6" in header["note"]
    us, vs = np.linspace(*header["u"], 9), np.linspace(*header["v"], 9)
    x, y = X[10:20], Y[10:20]
    expected = [np.mean((y - (a + b * x)) ** 2) for b in vs for a in us]
    np.testing.assert_allclose(losses, expected, rtol=1e-12)


def test_arrays_that_were_stored_at_some_steps_only_are_those_of_the_last_one(tmp_path):
    run = network(tmp_path / "run", MOONS[:, 0], every=4, steps=11)
    header, found = by_row(fit(run, 7))
    assert header["step"] == 7
    assert "step 4" in header["note"]
    np.testing.assert_allclose(found["p"], evaluated(run, 4, MOONS)[:, 0], rtol=1e-12)


def test_a_compiled_model_and_the_dialect_have_curves(tmp_path):
    w = gt.Variable(0.5, name="w")

    @gt.function
    def model(x, w):
        return np.sin(w * x)

    run = recorded(tmp_path / "one", lambda _: np.mean((model(X, w) - Y) ** 2), [w], 3, 1e-5)
    _, found = by_row(fit(run, 2))
    np.testing.assert_allclose(found["cy"], np.sin(run.row(2)["value/w"] * found["cx"]), rtol=1e-12)

    a = tf.Variable(0.25, name="a")
    x = tf.constant(X.astype(np.float32))

    def loss(_):
        return tf.reduce_mean(tf.square(tf.constant(Y.astype(np.float32)) - a * x))

    run = recorded(tmp_path / "two", loss, [a.held], 3, np.float32(1e-5))
    _, found = by_row(fit(run, 2))
    value = run.row(2)[f"value/{a.held.name}"]
    np.testing.assert_allclose(found["cy"], value * found["cx"], rtol=1e-6)


# ----------------------------------------------------------------------------- classes


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def binary(p):
    return -np.mean(SIDE[:, None] * np.log(p) + (1 - SIDE[:, None]) * np.log(1 - p))


def test_a_classifier_of_two_classes_gives_probabilities_and_regions(tmp_path):
    run = network(tmp_path / "run", SIDE, sigmoid, binary)
    header, found = by_row(fit(run, 5))
    assert header["kind"] == "classes"
    assert header["classes"] == [0.0, 1.0]
    assert header["inputs"] == ["MOONS[0]", "MOONS[1]"]
    p = sigmoid(evaluated(run, 5, MOONS))[:, 0]
    np.testing.assert_array_equal(found["y"], SIDE)
    np.testing.assert_allclose(found["p"], p, rtol=1e-12)
    np.testing.assert_array_equal(found["cx"], MOONS[:, 1])
    np.testing.assert_allclose(found["cy"], np.maximum(p, 1 - p), rtol=1e-12)

    header, (values, margins) = regions(run, 5, 17)
    u, v = np.meshgrid(np.linspace(*header["x"], 17), np.linspace(*header["y"], 17))
    grid = np.column_stack([u.ravel(), v.ravel()])
    np.testing.assert_allclose(values, sigmoid(evaluated(run, 5, grid))[:, 0], rtol=1e-9)
    np.testing.assert_allclose(margins, np.abs(2 * values - 1), atol=1e-12)
    assert header["x"][0] < MOONS[:, 0].min() and MOONS[:, 0].max() < header["x"][1]


def test_logits_of_two_classes_become_probabilities(tmp_path):
    def compare(z):
        y = SIDE[:, None]
        return np.mean(np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z))))

    run = network(tmp_path / "run", SIDE, compare=compare)
    header, found = by_row(fit(run, 5))
    assert header["kind"] == "classes"
    np.testing.assert_allclose(found["p"], sigmoid(evaluated(run, 5, MOONS))[:, 0], rtol=1e-12)


SIGNS = 2 * SIDE - 1
SIGNED = {
    "exp": lambda z: np.mean(np.log(1 + np.exp(-SIGNS * z[:, 0]))),
    "negated whole": lambda z: np.mean(np.log1p(np.exp(-SIGNS.astype(int) * z[:, 0]))),
    "product negated": lambda z: np.mean(np.log(1 + np.exp(-(SIGNS * z[:, 0])))),
    "hinge": lambda z: np.mean(np.maximum(0, 1 - SIGNS * z[:, 0])),
}


@pytest.mark.parametrize("kind", SIGNED)
def test_classes_minus_one_and_one_are_the_users_however_the_sign_entered(tmp_path, kind):
    run = network(tmp_path / "run", SIDE, compare=SIGNED[kind], steps=40)
    for step in (0, 39):
        header, found = by_row(fit(run, step))
        assert (header["classes"], header["called"]) == ([-1.0, 1.0], ["-1", "1"])
        np.testing.assert_array_equal(found["y"], SIGNS)
        p = sigmoid(evaluated(run, step, MOONS))[:, 0]
        np.testing.assert_allclose(found["p"], p, rtol=1e-12)


def test_classes_are_called_what_the_user_calls_them(tmp_path):
    last, compare = MULTI["logits"]
    run = network(tmp_path / "run", np.eye(3)[LABELS], last, compare)
    assert fit(run, 5)[0]["called"] == ["0", "1", "2"]
    spoiled = [["one", "two"], "abc", 3, None]
    for names, expected in [(["x", "y", 7], ["x", "y", "7"]), *[(n, list("012")) for n in spoiled]]:
        run.meta = lambda names=names: {"classes": names}
        assert fit(run, 5)[0]["called"] == expected


LABELS = (MOONS[:, 0] > 0).astype(int) + (MOONS[:, 1] > 0.5)


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def softmax_tape(z):
    e = np.exp(z - np.max(z, axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)


MULTI = {
    "one-hot": (softmax_tape, lambda p: -np.mean(np.sum(np.eye(3)[LABELS] * np.log(p), axis=1))),
    "labels": (softmax_tape, lambda p: -np.mean(np.log(p[np.arange(60), LABELS]))),
    "logits": (lambda z: z, lambda z: tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=LABELS, logits=z))),
}  # fmt: skip


@pytest.mark.parametrize("kind", MULTI)
def test_of_more_classes_the_likeliest_is_shown(tmp_path, kind):
    last, compare = MULTI[kind]
    run = network(tmp_path / "run", np.eye(3)[LABELS], last, compare)
    header, found = by_row(fit(run, 5))
    assert header["kind"] == "classes"
    assert header["classes"] == [0.0, 1.0, 2.0]
    np.testing.assert_array_equal(found["y"], LABELS)
    p = softmax(evaluated(run, 5, MOONS))
    np.testing.assert_array_equal(found["p"], p.argmax(axis=1))
    np.testing.assert_allclose(found["cy"], p.max(axis=1), rtol=1e-9)
    header, (values, margins) = regions(run, 5, 12)
    u, v = np.meshgrid(np.linspace(*header["x"], 12), np.linspace(*header["y"], 12))
    grid = np.column_stack([u.ravel(), v.ravel()])
    p = np.sort(softmax(evaluated(run, 5, grid)))
    np.testing.assert_array_equal(values, softmax(evaluated(run, 5, grid)).argmax(axis=1))
    np.testing.assert_allclose(margins, p[:, -1] - p[:, -2], rtol=1e-7, atol=1e-12)
    header, (losses,) = landscape(run, 9)
    assert np.isfinite(losses).all()
    assert "outside of the tape" not in header["note"]  # the shift by the maximum


def test_zeros_and_ones_that_a_line_is_fitted_to_are_numbers(tmp_path):
    a, b = gt.Variable(5.0, name="a"), gt.Variable(1.0, name="b")
    y = (X > 12).astype(float)
    run = recorded(tmp_path / "run", lambda _: np.mean((y - (a + b * X)) ** 2), [a, b], 3, 1e-5)
    assert by_row(fit(run, 0))[0]["kind"] == "curve"
    assert "predicts a number" in regions(run, 0)


def test_a_classifier_of_another_number_of_inputs_has_no_regions(tmp_path):
    x = RNG.normal(size=(60, 3))
    w = gt.Variable(np.zeros(3), name="w")

    def loss(_):
        p = 1 / (1 + np.exp(-(x @ w)))
        return -np.mean(SIDE * np.log(p) + (1 - SIDE) * np.log(1 - p))

    run = recorded(tmp_path / "run", loss, [w], 3, 0.1)
    assert by_row(fit(run, 2))[0]["kind"] == "classes"
    assert regions(run, 2) == "Decision regions need two inputs; this model has 3."


# ------------------------------------------------------------------- planes of more numbers


def test_a_vector_of_two_numbers_is_its_own_plane(tmp_path):
    w = gt.Variable(np.array([0.5, 1.0]), name="w")
    design = np.column_stack([np.ones_like(X), X])
    run = recorded(tmp_path / "run", lambda _: np.mean((design @ w - Y) ** 2), [w], 12, 1e-4)
    header, (steps, u, v, gu, gv) = path(run)
    assert header["kind"] == "exact"
    assert header["axes"] == ["w[0]", "w[1]"]
    for k in (0, 7, 11):
        np.testing.assert_array_equal([u[k], v[k]], run.array("value/w", k)[0])
        np.testing.assert_array_equal([gu[k], gv[k]], run.array("grad/w", k)[0])
    header, (losses,) = landscape(run, 11)
    assert header["exact"] is True
    us, vs = np.linspace(*header["u"], 11), np.linspace(*header["v"], 11)
    np.testing.assert_allclose(
        losses, [np.mean((p + q * X - Y) ** 2) for q in vs for p in us], rtol=1e-12
    )


def test_of_more_numbers_the_plane_is_that_of_the_principal_components(tmp_path):
    target = np.sin(MOONS[:, 0]) + MOONS[:, 1]
    run = network(tmp_path / "run", target, steps=15)
    header, (steps, u, v, gu, gv) = path(run)
    assert header["kind"] == "pca"
    points = np.array([
        np.concatenate([run.array(f"value/{n}", k)[0].ravel() for n in "ucv"]) for k in range(15)
    ])  # fmt: skip
    moved = points - points.mean(axis=0)
    left, sizes, axes = np.linalg.svd(moved, full_matrices=False)
    shares = sizes**2 / np.sum(sizes**2)
    assert header["explained"] == pytest.approx(shares[:2])
    assert 0.5 < sum(header["explained"]) <= 1
    for found, k in ((u, 0), (v, 1)):
        np.testing.assert_allclose(np.abs(found), np.abs(left[:, k] * sizes[k]), atol=1e-9)
    slopes = np.array([
        np.concatenate([run.array(f"grad/{n}", k)[0].ravel() for n in "ucv"]) for k in range(15)
    ])  # fmt: skip
    np.testing.assert_allclose(np.abs(gu), np.abs(slopes @ axes[0]), atol=1e-9)

    header, (losses,) = landscape(run, 13)
    assert header["exact"] is False
    assert "% of the movement" in header["note"]
    signs = np.sign([u @ (moved @ axes[0]), v @ (moved @ axes[1])])
    us, vs = np.linspace(*header["u"], 13), np.linspace(*header["v"], 13)
    expected = []
    for q in vs:
        for p in us:
            point = points.mean(axis=0) + p * signs[0] * axes[0] + q * signs[1] * axes[1]
            a, b, c = point[:12].reshape(2, 6), point[12:18], point[18:].reshape(6, 1)
            expected.append(np.mean(((np.tanh(MOONS @ a + b) @ c)[:, 0] - target) ** 2))
    np.testing.assert_allclose(losses, expected, rtol=1e-8)


@pytest.mark.parametrize("shape", [(50, 7), (700, 7), (400, 450), (201, 1500)])
def test_the_directions_are_those_of_the_singular_vectors(shape):
    from gradtape.record.panels.plane import _principal

    rng = np.random.default_rng(1)
    t = np.linspace(0, 1, shape[0])[:, None]
    moved = np.exp(-3 * t) * rng.normal(size=shape[1]) + 0.4 * np.sin(5 * t) * rng.normal(
        size=shape[1]
    )
    moved += 0.01 * rng.normal(size=shape)
    moved -= moved.mean(axis=0)
    directions, explained = _principal(moved)
    _, sizes, axes = np.linalg.svd(moved, full_matrices=False)
    np.testing.assert_allclose(explained, sizes[:2] ** 2 / np.sum(sizes**2), rtol=1e-6)
    np.testing.assert_allclose(np.abs(directions @ axes[:2].T), np.eye(2), atol=1e-4)
    np.testing.assert_allclose(directions @ directions.T, np.eye(2), atol=1e-12)


def test_numbers_and_arrays_together(tmp_path):
    w, b = gt.Variable(np.ones(2), name="w"), gt.Variable(0.5, name="b")
    run = recorded(tmp_path / "run", lambda _: np.mean((MOONS @ w + b - SIDE) ** 2), [w, b], 9, 0.1)
    header, (steps, u, v, gu, gv) = path(run)
    assert header["kind"] == "pca"
    points = np.array([[run.row(k)["value/b"], *run.array("value/w", k)[0]] for k in range(9)])
    moved = points - points.mean(axis=0)
    distances = np.linalg.norm(moved, axis=1) ** 2
    assert np.all(u**2 + v**2 <= distances + 1e-12)
    header, (losses,) = landscape(run, 9)
    assert np.isfinite(losses).all()


def test_parameters_that_do_not_move_have_a_plane_all_the_same(tmp_path):
    w = gt.Variable(np.ones(3), name="w")
    run = recorded(tmp_path / "run", lambda _: np.sum(w**2), [w], 5, 0.0)
    header, (steps, u, v, *_) = path(run)
    assert header["explained"] == [0.0, 0.0]
    np.testing.assert_allclose([u, v], 0.0, atol=1e-12)
    header, (losses,) = landscape(run, 9)
    assert np.isfinite(losses).all()


def test_parameters_on_a_line_have_a_plane_whose_second_axis_explains_nothing(tmp_path):
    w = gt.Variable(np.array([4.0, 2.0, 1.0]), name="w")
    run = recorded(tmp_path / "run", lambda _: np.sum(w**2), [w], 8, 0.1)
    header, (steps, u, v, *_) = path(run)
    assert header["explained"][0] == pytest.approx(1)
    np.testing.assert_allclose(v, 0.0, atol=1e-6)
    header, (losses,) = landscape(run, 9)
    assert np.isfinite(losses).all()


def test_one_number_has_a_line_and_no_plane(tmp_path):
    a = gt.Variable(1.0, name="a")
    run = recorded(tmp_path / "run", lambda _: a**2, [a], 3, 0.1)
    assert "one parameter" in path(run)
    assert "one parameter" in landscape(run)


def test_a_cost_that_cannot_be_computed_again_says_why(tmp_path):
    @gt.custom_gradient
    def mine(x):
        return np.sin(x), lambda ct: ct

    a, b = gt.Variable(1.0, name="a"), gt.Variable(2.0, name="b")
    run = recorded(tmp_path / "run", lambda _: np.sum((Y - mine(a * X) * b) ** 2), [a, b], 3, 1e-6)
    assert "mine" in landscape(run, 9)
    assert path(run)[0]["kind"] == "exact"


def test_a_data_mask_is_no_obstacle_and_a_mask_that_moved_is_told(tmp_path):
    a, b = gt.Variable(1.0, name="a"), gt.Variable(0.2, name="b")
    seen = X > 6

    def loss(_):
        return np.mean(np.where(seen, (Y - (a + b * X)) ** 2, 0.0))

    header, _ = landscape(recorded(tmp_path / "one", loss, [a, b], 6, 1e-3), 9)
    assert header["exact"] is True

    def moving(_):
        error = Y - (a + b * X)
        near = np.abs(error.value) < np.median(np.abs(error.value))
        return np.mean(np.where(near, error**2, 0.0))

    header, _ = landscape(recorded(tmp_path / "two", moving, [a, b], 40, 1e-2), 9)
    assert header["exact"] is False
    assert "outside of the tape" in header["note"]


# --------------------------------------------------------------------------- many steps


def long_run(folder, steps, columns=3):
    writer = Writer(folder)
    names = ["cost", *(f"{kind}/w{i}" for i in range(columns)
                       for kind in ("norm", "gradnorm", "updatenorm", "gradzeros"))]  # fmt: skip
    layout = writer.layout([writer.column(n, "cost" if n == "cost" else "norm") for n in names])
    rng = np.random.default_rng(0)
    matrix = np.abs(rng.normal(1.0, 0.1, (steps, 1 + len(names))))
    matrix[:, 0] = np.arange(steps)
    matrix[steps // 3, 3] = 50.0  # gradnorm/w0
    matrix[steps // 2, 3] = np.nan
    matrix[steps // 5, 3] = np.inf
    matrix[steps // 4, 1] = np.nan
    writer.rows(layout, matrix.copy())
    writer.close("finished")
    return Reader(folder), matrix


def test_flow_of_many_steps_keeps_what_stands_out(tmp_path):
    run, matrix = long_run(tmp_path / "run", 5000)
    header, arrays = flow(run, 100)
    assert header["of"] == 5000
    assert header["count"] == 100 == len(arrays[0])
    assert all(len(a) == 100 for a in arrays)
    assert arrays[0][-1] == 4999
    gradient = arrays[1]
    assert np.isnan(gradient).sum() == 1
    assert np.isposinf(gradient).sum() == 1
    assert (gradient == 50.0).sum() == 1
    buckets = matrix[:, 3].reshape(100, 50).max(axis=1)
    np.testing.assert_array_equal(gradient, buckets)


@pytest.mark.parametrize(("steps", "px"), [(1, 5), (7, 3), (10, 3), (99, 100), (101, 100)])
def test_flow_of_any_number_of_steps_fits(tmp_path, steps, px):
    writer = Writer(tmp_path / "run")
    layout = writer.layout([writer.column(n, "norm") for n in ("norm/w", "gradnorm/w")])
    rows = np.column_stack([np.arange(steps), np.ones(steps), np.arange(steps)])
    writer.rows(layout, rows.astype(float))
    writer.close("finished")
    header, arrays = flow(Reader(tmp_path / "run"), px)
    assert header["count"] == len(arrays[0]) <= px
    assert all(len(a) == len(arrays[0]) for a in arrays)
    assert arrays[0][-1] == steps - 1
    assert arrays[1][-1] == steps - 1


def test_the_cost_of_many_steps_keeps_its_ends_extremes_and_what_is_not_finite(tmp_path):
    run, matrix = long_run(tmp_path / "run", 20_000)
    header, (steps, values) = cost(run, 50)
    assert header["series"][0]["of"] == 20_000
    assert len(steps) < 300
    whole = matrix[:, 1]
    assert {0.0, 19_999.0, 5000.0} <= set(steps)
    assert np.isnan(values).sum() == 1
    assert np.nanmax(values) == np.nanmax(whole)
    assert np.nanmin(values) == np.nanmin(whole)


# ------------------------------------------------------------------- what is not there


def test_a_run_without_anything(tmp_path):
    Writer(tmp_path / "run").close("finished")
    run = Reader(tmp_path / "run")
    for found in (fit(run, 0), regions(run, 0), path(run), landscape(run), flow(run), cost(run)):
        assert isinstance(found, str)
        assert found.endswith(".")


def test_a_run_of_scalars_alone_says_what_is_missing(tmp_path):
    writer = Writer(tmp_path / "run")
    names = ["cost", "value/a", "grad/a", "value/b", "grad/b"]
    layout = writer.layout([writer.column(n, "value") for n in names])
    writer.rows(layout, np.arange(60.0).reshape(10, 6))
    writer.close("finished")
    run = Reader(tmp_path / "run")
    assert "run.roles" in fit(run, 3)
    assert path(run)[0]["axes"] == ["a", "b"]
    assert "level='standard'" in landscape(run)
    assert flow(run)[0]["names"] == ["a", "b"]


def test_without_a_graph_the_stored_prediction_is_shown(tmp_path):
    writer = Writer(tmp_path / "run")
    layout = writer.layout([writer.column("cost", "cost")])
    writer.rows(layout, np.arange(6.0).reshape(3, 2))
    for tag, kind, array in (("input/0", "input", X), ("input/1", "input", Y),
                             ("prediction", "prediction", 2 * X)):  # fmt: skip
        writer.array(writer.tag(tag, kind, X.shape, X.dtype), 0, array.copy())
    writer.set("roles", {"x": "input/0", "y": "input/1", "prediction": "prediction"})
    writer.close("finished")
    header, found = by_row(fit(Reader(tmp_path / "run"), 0))
    assert header["exact"] is False
    np.testing.assert_array_equal(found["p"], 2 * X)
    order = np.argsort(X, kind="stable")
    np.testing.assert_array_equal(found["cy"], 2 * X[order])


def test_the_users_roles_are_taken_over_the_guess(tmp_path):
    run = make_line(tmp_path / "run", 3, roles={"x": "input/0", "y": "input/0"})
    _, found = by_row(fit(run, 2))
    np.testing.assert_array_equal(found["y"], X)


def test_more_points_than_can_be_drawn_are_thinned_and_counted(tmp_path):
    n = 50_000
    x = np.linspace(0, 1, n)
    a = gt.Variable(1.0, name="a")
    run = recorded(tmp_path / "run", lambda _: np.mean((x**2 - a * x) ** 2), [a], 2, 0.1)
    header, found = by_row(fit(run, 1))
    assert header["of"] == n
    assert header["count"] == 20_000
    assert (found["x"][0], found["x"][-1]) == (0, 1)


def test_several_threads_ask_of_one_reader_while_the_run_is_written(tmp_path):
    u, v = gt.Variable(np.ones((2, 6)), name="u"), gt.Variable(np.ones(6), name="v")
    y = MOONS[:, 0] ** 2
    failed = []

    def ask(draw, reader, stop):
        while not stop.is_set():
            try:
                found = draw(reader)
                assert isinstance(found, str | tuple)
            except Exception as error:
                failed.append(error)

    with gt.Recording(tmp_path / "run", progress=False) as run:
        reader, stop = Reader(run.path), threading.Event()
        draws = [
            lambda r: fit(r, 10**6),
            path,
            lambda r: landscape(r, 9),
            lambda r: fit(r, 3),
            path,
        ]
        threads = [threading.Thread(target=ask, args=(draw, reader, stop)) for draw in draws]
        for thread in threads:
            thread.start()
        for step in range(150):
            with gt.GradientTape() as tape:
                h = MOONS[: 40 + step % 3] @ u
                p = np.where(np.greater(h, 0), h, 0.1 * h) @ v
                cost = np.mean((p - y[: 40 + step % 3]) ** 2)
            du, dv = tape.gradient(cost, [u, v])
            u.assign_sub(0.01 * du)
            v.assign_sub(0.01 * dv)
            time.sleep(0.002)
        stop.set()
        for thread in threads:
            thread.join()
    assert failed == []


# ------------------------------------------------------------------------ hostile runs


class Changed:
    """A reader whose graph was tampered with."""

    def __init__(self, reader, change):
        self._reader = reader
        self._graph = copy.deepcopy(reader.graph())
        change(self._graph)

    def __getattr__(self, name):
        return getattr(self._reader, name)

    def graph_by_id(self, number):
        return self._graph


TAMPERED = {
    "a name that is code": lambda g: g["nodes"][4].update(op="os.system"),
    "wires": lambda g: g["nodes"][4].update({"in": [99]}),
    "a shape": lambda g: g["nodes"][4].update(shape=[10**12]),
    "roles": lambda g: g.update(roles={"x": "../../etc/passwd", "y": 7}),
    "no roles": lambda g: g.update(roles=[]),
    "prediction": lambda g: g.update(prediction="x"),
    "target": lambda g: g.update(target=10**9, targets=[]),
    "sources": lambda g: g.update(sources={"value/none": 0}),
    "no nodes": lambda g: g.update(nodes={}),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_a_tampered_graph_gives_a_picture_or_a_sentence(line, name):
    run = Changed(line, TAMPERED[name])
    for draw in (lambda: fit(run, 5), lambda: regions(run, 5), lambda: landscape(run, 9)):
        found = draw()
        assert isinstance(found, str | tuple)


def test_a_model_that_is_too_slow_for_a_landscape_says_so(line, monkeypatch):
    from gradtape.record.panels import plane

    monkeypatch.setattr(plane, "_SECONDS", 1e-7)
    start = time.monotonic()
    assert "too long for a landscape" in landscape(Changed(line, lambda g: None), 64)
    assert time.monotonic() - start < 2


def test_a_damaged_run_is_a_sentence(line):
    class Broken(Changed):
        def structures(self):
            raise RunError("open_run: damaged.\nCause.\nRemedy.")

    run = Broken(line, lambda g: None)
    assert fit(run, 3) == "open_run: damaged. Cause. Remedy."
    assert landscape(run, 9) == "open_run: damaged. Cause. Remedy."


# ------------------------------------------------------------------------------ long runs


@pytest.mark.parametrize("names", [("a", "b"), ("a", "b", "c")])
def test_of_the_way_of_a_long_run_some_steps_are_taken(tmp_path, names):
    writer = Writer(tmp_path / "run")
    columns = [writer.column(f"value/{name}", "value") for name in names]
    steps = np.arange(9000.0)
    values = [np.cos((k + 1) * steps / 4000) for k in range(len(names))]
    writer.rows(writer.layout(columns), np.stack([steps, *values], axis=1))
    writer.close("finished")
    header, (at, u, v, _, _) = path(Reader(tmp_path / "run"))
    assert header["of"] == 9000 and header["count"] == len(at) <= 4000
    assert (at[0], at[-1]) == (0, 8999) and np.all(np.diff(at) > 0)
    if len(names) == 2:
        np.testing.assert_array_equal(u, values[0][at.astype(int)])
        np.testing.assert_array_equal(v, values[1][at.astype(int)])


def test_mini_batches_that_were_not_all_stored_belong_together(tmp_path, monkeypatch):
    """Of x every step was stored at first, then every second; of y less. Rows stay rows."""
    from gradtape.record import capture_records

    monkeypatch.setattr(capture_records, "INPUT_BYTES", 5000)
    x = RNG.normal(size=(200, 12))
    y = x[:, 0] * 2 + 1
    w, b = gt.Variable(np.zeros(12), name="w"), gt.Variable(0.0, name="b")
    with gt.Recording(tmp_path / "run", progress=False) as run:
        for step in range(90):
            rows = slice(step, step + 10)
            with gt.GradientTape() as tape:
                cost = np.mean((y[rows] - (x[rows] @ w + b)) ** 2)
            dw, db = tape.gradient(cost, [w, b])
            w.assign_sub(0.01 * dw)
            b.assign_sub(0.01 * db)
    stored = [run.reader.arrays(tag) for tag in ("input/0", "input/1", "value/w")]
    assert len({len(steps) for steps in stored}) > 1
    assert len(stored[0]) < len(stored[1]) < 90
    for step in (3, 40, 77, 89):
        header, found = by_row(fit(run.reader, step))
        np.testing.assert_allclose(found["y"], 2 * found["x"] + 1)
        at = max(k for k in stored[0] if k <= step and k in stored[1] and k in stored[2])
        np.testing.assert_array_equal(found["x"], x[at : at + 10, 0])
        expected = x[at : at + 10] @ run.array("value/w", at) + run.reader.row(at)["value/b"]
        np.testing.assert_allclose(found["p"], expected, rtol=1e-12)
        assert ("those of step" in header["note"]) == (at != step)
