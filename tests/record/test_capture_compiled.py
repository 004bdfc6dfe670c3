"""Compiled functions are recorded too; without a recording nothing of it is there."""

import numpy as np
import pytest

import gradtape as gt

RNG = np.random.default_rng(0)
X = RNG.uniform(size=40)
Y = 0.3 + 0.5 * X


def training(wrap):
    """A loop of 6 steps, its step compiled or not."""
    a, w = gt.Variable(0.0, name="a"), gt.Variable(np.zeros(2), name="w")

    @wrap
    def step(x, y, rate):
        with gt.GradientTape() as tape:
            loss = np.sum((y - (a + w[0] * x + w[1] * x**2)) ** 2)
        da, dw = tape.gradient(loss, [a, w])
        a.assign_sub(rate * da)
        w.assign_sub(rate * dw)
        return loss

    def loop():
        return [float(step(X, Y, 0.01)) for _ in range(6)]

    return loop, step


NAMES = ["cost", "value/a", "grad/a", "norm/w", "gradnorm/w", "updatenorm/w", "gradzeros/w"]


def test_a_compiled_step_is_recorded_as_the_eager_one(tmp_path):
    tables = []
    for kind, wrap in (("eager", lambda f: f), ("compiled", gt.function)):
        loop, _ = training(wrap)
        with gt.Recording(tmp_path / kind, progress=False) as run:
            costs = loop()
        assert run.reader.steps().tolist() == [0, 1, 2, 3, 4, 5]
        table = run.reader.table(NAMES)[1]
        np.testing.assert_array_equal(table[:, 0], costs)
        tables.append(table)
        assert run.reader.arrays("value/w") == [0, 1, 2, 3, 4, 5]
        np.testing.assert_allclose(np.linalg.norm(run.array("grad/w", 3)), table[3, 4], rtol=1e-12)
    np.testing.assert_allclose(tables[0], tables[1], rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("backend", ["numpy", "llvm"])
def test_results_are_those_without_a_recording(tmp_path, backend):
    found = []
    for record in (False, True):
        loop, step = training(gt.function(backend=backend))
        if record:
            with gt.Recording(tmp_path / "run", progress=False):
                found.append(loop())
        else:
            found.append(loop())
    assert found[0] == found[1]


def test_nothing_asked_nothing_paid(tmp_path):
    loop, step = training(gt.function)
    loop()
    programs, text = dict(step.programs), step.graph(X, Y, 0.01)
    assert not step._twins
    with gt.Recording(tmp_path / "run", progress=False):
        loop()
    assert step.programs == programs  # what a recording runs is another function's
    loop()
    assert step.graph(X, Y, 0.01) == text


def test_the_short_way_of_a_program_comes_back(tmp_path):
    pytest.importorskip("llvmlite")
    x = gt.Variable(np.ones(3))

    @gt.function
    def double(v):
        return v * 2.0

    double(np.ones(3)), double(np.ones(3))
    assert double._direct is not None
    with gt.Recording(tmp_path / "run", progress=False):
        assert double._direct is None
        np.testing.assert_array_equal(double(np.ones(3)), 2.0)
        assert double._direct is None
    double(np.ones(3))
    assert double._direct is not None
    del x


def test_a_tape_around_a_compiled_model(tmp_path):
    w = gt.Variable(np.ones(3), name="w")

    @gt.function
    def cost(x):
        return np.sum((w * x - 1.0) ** 2)

    with gt.Recording(tmp_path / "run", progress=False) as run:
        for _ in range(4):
            with gt.GradientTape() as tape:
                loss = cost(np.arange(3.0))
            w.assign_sub(0.1 * tape.gradient(loss, w))
    assert run.reader.steps().tolist() == [0, 1, 2, 3]
    assert "value/w" in run.graph()["sources"]


def test_two_networks_in_one_compiled_step_and_a_missing_gradient(tmp_path):
    d, g, unused = (gt.Variable(v, name=n) for v, n in ((1.0, "d"), (2.0, "g"), (0.0, "u")))

    @gt.function
    def step():
        with gt.GradientTape() as one:
            cost = (d - g) ** 2
        gd, gu = one.gradient(cost, [d, unused], unconnected_gradients="none")
        assert gu is None
        d.assign_sub(0.1 * gd)
        with gt.GradientTape() as two:
            other = (d + g) ** 2
        g.assign_sub(0.1 * two.gradient(other, [g])[0])

    with gt.Recording(tmp_path / "run", progress=False) as run:
        for _ in range(4):
            step()
    table = run.reader.table(["cost", "cost/other", "value/d", "value/g", "grad/u"])[1]
    assert len(table) == 4
    np.testing.assert_allclose(table[:, 0], (table[:, 2] - table[:, 3]) ** 2)
    after = table[1:, 2]  # d has been assigned before the second cost
    np.testing.assert_allclose(table[:-1, 1], (after + table[:-1, 3]) ** 2)
    assert np.isnan(table[:, 4]).all()


def test_a_nan_in_a_compiled_function_is_an_alarm(tmp_path):
    w = gt.Variable(1.0, name="w")

    @gt.function
    def step():
        with gt.GradientTape() as tape:
            loss = np.log(w)
        w.assign_sub(0.4 * tape.gradient(loss, w))

    with gt.Recording(tmp_path / "run", progress=False) as run, np.errstate(all="ignore"):
        for _ in range(6):
            step()
    (event,) = run.reader.events("nonfinite")
    costs = run.reader.series("cost")[1]
    assert event["step"] == int(np.flatnonzero(~np.isfinite(costs))[0])
    assert event["data"]["op"] == "log" and event["data"]["file"] == __file__


@pytest.mark.parametrize("inside", ["model", "cost", "several"])
def test_the_prediction_of_a_compiled_model_is_found_under_a_tape(tmp_path, inside):
    w = gt.Variable(np.array([0.5, -0.25]), name="w")
    x = np.stack([X, X**2], axis=1)

    def model(x):
        return np.tanh(x @ w)

    compiled = gt.function(model)
    several = gt.function(lambda x: (np.sum(w**2), model(x)))
    cost = gt.function(lambda x: np.mean((model(x) - Y) ** 2))
    expected = []
    with gt.Recording(tmp_path / "run", progress=False) as run:
        for _ in range(4):
            expected.append(np.tanh(x @ w.value))
            with gt.GradientTape() as tape:
                if inside == "cost":
                    loss = cost(x)
                elif inside == "several":
                    size, prediction = several(x)
                    loss = np.mean((prediction - Y) ** 2) + 0.01 * size
                else:
                    loss = np.mean((compiled(x) - Y) ** 2)
            w.assign_sub(0.1 * tape.gradient(loss, w))
    for step in range(4):
        np.testing.assert_allclose(run.array("prediction", step), expected[step], rtol=1e-12)
    np.testing.assert_array_equal(run.array(run.reader.meta()["roles"]["x"]), x)


def test_a_draw_in_a_compiled_cost_is_the_one_that_the_step_saw(tmp_path):
    w, random = gt.Variable(0.5, name="w"), gt.random.default_rng(3)

    @gt.function
    def cost(x):
        return np.mean((w * x + 0.1 * random.normal(size=40) - Y) ** 2)

    costs = []
    with gt.Recording(tmp_path / "run", progress=False) as run:
        for _ in range(3):
            with gt.GradientTape() as tape:
                loss = cost(X)
            costs.append(float(loss))
            w.assign_sub(0.1 * tape.gradient(loss, w))
    for step in range(3):
        prediction = run.array("prediction", step)
        np.testing.assert_allclose(np.mean((prediction - Y) ** 2), costs[step], rtol=1e-12)


def test_gradients_that_a_compiled_step_accumulates_are_of_one_step(tmp_path):
    w = gt.Variable(1.0, name="w")

    @gt.function
    def step():
        total = 0.0
        for part in (X[:20], X[20:]):
            with gt.GradientTape() as tape:
                loss = np.sum((w * part - 0.5) ** 2)
            total = total + tape.gradient(loss, w)
        w.assign_sub(0.01 * total)

    with gt.Recording(tmp_path / "run", progress=False) as run:
        for _ in range(5):
            step()
    assert run.reader.steps().tolist() == [0, 1, 2, 3, 4]
