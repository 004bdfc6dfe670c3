"""Runs whose steps have several tapes or several gradients: which cost is which."""

import numpy as np
import pytest

import gradtape as gt

RNG = np.random.default_rng(0)
X, Z = RNG.normal(1.5, 0.3, size=30), RNG.normal(size=30)
ONES, ZEROS = np.ones(30), np.zeros(30)


def adversarial(run, steps=5, wrap=lambda f: f):
    """Two costs a step, with two tapes, and two sets of Variables that have no names.

    The second cost is computed with what the first gradient has made of its Variables.
    """
    d0, d1 = gt.Variable(0.1), gt.Variable(0.2)
    g0, g1 = gt.Variable(1.0), gt.Variable(0.0)

    @wrap
    def step():
        with gt.GradientTape() as tape:
            fake = g0 * Z + g1
            score = d0 * X + d1
            loss_d = np.mean((score - ONES) ** 2) + np.mean((d0 * fake + d1 - ZEROS) ** 2)
        for v, g in zip([d0, d1], tape.gradient(loss_d, [d0, d1]), strict=True):
            v.assign_sub(0.1 * g)
        with gt.GradientTape() as tape:
            judged = d0 * (g0 * Z + g1) + d1
            loss_g = np.mean((judged - ONES) ** 2)
        for v, g in zip([g0, g1], tape.gradient(loss_g, [g0, g1]), strict=True):
            v.assign_sub(0.1 * g)
        return loss_d, loss_g, judged

    seen = []
    for _ in range(steps):
        before = [float(v.value) for v in (d0, d1, g0, g1)]
        loss_d, loss_g, judged = step()
        seen.append([float(loss_d), float(loss_g), *before, np.array(judged.value)])
    return seen


@pytest.mark.parametrize("wrap", [lambda f: f, gt.function], ids=["eager", "compiled"])
def test_two_costs_of_a_step_have_a_graph_inputs_and_a_prediction_each(tmp_path, wrap):
    with gt.Recording(tmp_path / "run", progress=False) as run:
        seen = adversarial(run, wrap=wrap)
    reader = run.reader
    frame = run.history()
    np.testing.assert_array_equal(frame["cost"], [row[0] for row in seen])
    np.testing.assert_array_equal(frame["cost/loss_g"], [row[1] for row in seen])
    first, second = reader.costs()
    assert (first.name, first.sources) == ("loss_d", ("d0", "d1"))
    assert (second.name, second.sources) == ("loss_g", ("g0", "g1"))
    assert first.file == second.file == __file__ and first.line < second.line
    one, two = reader.graph(2), reader.graph(2, cost=1)
    assert set(one["sources"]) == {"value/d0", "value/d1", "held/g0", "held/g1"}
    assert set(two["sources"]) == {"value/g0", "value/g1", "held/loss_g/d0", "held/loss_g/d1"}
    assert "judged" in two["nodes"][two["prediction"]]["text"]
    for step in range(5):
        d0, d1, g0, g1 = seen[step][2:6]
        scored = d0 * (g0 * Z + g1) + d1  # what is compared last
        np.testing.assert_allclose(run.array("prediction", step), scored, rtol=1e-12)
        np.testing.assert_array_equal(run.array("prediction/loss_g", step), seen[step][6])
    tags = two["roles"]
    np.testing.assert_array_equal(run.array(tags["x"]), Z)
    np.testing.assert_array_equal(run.array(tags["y"]), ONES)


@pytest.mark.parametrize("wrap", [lambda f: f, gt.function], ids=["eager", "compiled"])
def test_each_cost_is_computed_again_from_what_its_graph_holds(tmp_path, wrap):
    from gradtape.record.panels.moment import Moment

    with gt.Recording(tmp_path / "run", progress=False) as run:
        seen = adversarial(run, wrap=wrap)
    for cost in (0, 1):
        for step in (0, 3, 4):
            moment = Moment(run.reader.of_cost(cost), step)
            replay = moment.replay
            found = replay.cost(moment.values(replay.needs(replay.targets)))
            np.testing.assert_allclose(found, seen[step][cost], rtol=1e-13)


def test_every_panel_draws_the_cost_that_is_asked_for(tmp_path):
    from gradtape.record import panels

    with gt.Recording(tmp_path / "run", progress=False) as run:
        seen = adversarial(run)
    for number, (name, x) in enumerate((("loss_d", Z), ("loss_g", Z))):
        reader = run.reader.of_cost(name)
        header, arrays = panels.nodes(reader, 3)
        graph = run.graph(3, cost=name)
        assert header["count"] == len(graph["nodes"]) and header["computed"]
        np.testing.assert_allclose(arrays[0][graph["target"], 3], seen[3][number], rtol=1e-13)
        assert panels.node(reader, 3, graph["target"], 0) == pytest.approx(seen[3][number])
        _, (fitted, target, *_) = panels.fit(reader, 3)
        assert sorted(fitted) == sorted(x) and target[0] in (0.0, 1.0)
        header, _ = panels.path(reader)
        assert header["axes"] == (["d0", "d1"], ["g0", "g1"])[number]
        assert header["kind"] == "exact"
        assert panels.landscape(reader, 9)[0]["n"] == 9
        assert panels.flow(reader)[0]["names"] == header["axes"]
        assert panels.cost(reader)[0]["best"] == int(np.argmin([row[number] for row in seen]))


def test_the_server_and_figures_take_a_cost(tmp_path):
    import json

    from gradtape.viewer.answers import Answers
    from gradtape.viewer.library import Library
    from gradtape.viewer.shelf import Shelf

    with gt.Recording(tmp_path / "run", progress=False) as run:
        seen = adversarial(run)
    library = Library(Shelf(run.path))
    try:
        answers = Answers(library)
        (line,) = json.loads(answers.answer("/api/runs").body)
        base = f"/api/run/{line['id']}"
        costs = json.loads(answers.answer(base).body)["costs"]
        assert [(c["name"], c["column"]) for c in costs] == [
            ("loss_d", "cost"), ("loss_g", "cost/loss_g"),
        ]  # fmt: skip
        graph = json.loads(answers.answer(f"{base}/graph", "step=3&cost=1").body)
        assert graph == run.graph(3, cost=1)
        assert costs[1]["structures"][0] == [0, 2]
        assert json.loads(answers.answer(f"{base}/graph", "id=2").body) == graph
        assert answers.answer(f"{base}/nodes", "step=3&cost=1").status == 200
        assert answers.answer(f"{base}/graph", "cost=2").status == 404
    finally:
        library.close()
    drawn = run.figure("cost")
    assert [t.get_text() for t in drawn.axes[0].get_legend().get_texts()] == ["loss_d", "loss_g"]
    line = drawn.axes[0].lines[1]
    np.testing.assert_array_equal(line.get_ydata(), [row[1] for row in seen])
    assert run.figure("path", cost="loss_g").axes[0].get_xlabel() == "g0"
    with pytest.raises(gt.errors.RunError, match=r"no cost loss_x.(.|\n)*loss_d, loss_g"):
        run.figure("fit", cost="loss_x")


def test_a_persistent_tape_that_is_asked_twice_has_one_cost(tmp_path):
    a, b = gt.Variable(1.0, name="a"), gt.Variable(2.0, name="b")
    costs = []
    with gt.Recording(tmp_path / "run", progress=False) as run:
        for _ in range(4):
            with gt.GradientTape(persistent=True) as tape:
                loss = np.sum((a * X + b - ONES) ** 2)
            costs.append(float(loss))
            ga, gb = tape.gradient(loss, a), tape.gradient(loss, b)
            a.assign_sub(0.001 * ga)
            b.assign_sub(0.001 * gb)
    assert [c.name for c in run.reader.columns() if c.kind == "cost"] == ["cost"]
    assert len(run.reader.costs()) == 1 and run.reader.costs()[0].sources == ("a", "b")
    assert {"a", "b", "grad/a", "grad/b"} <= set(run.history().columns)
    np.testing.assert_array_equal(run.history()["cost"], costs)
    assert not run.history().isna().any().any()
    for step in range(4):
        assert set(run.graph(step)["sources"]) == {"value/a", "value/b"}


def test_a_compiled_step_that_asks_twice_has_one_cost(tmp_path):
    a, b = gt.Variable(1.0, name="a"), gt.Variable(2.0, name="b")

    @gt.function
    def step():
        with gt.GradientTape(persistent=True) as tape:
            loss = np.sum((a * X + b - ONES) ** 2)
        ga, gb = tape.gradient(loss, a), tape.gradient(loss, b)
        a.assign_sub(0.001 * ga)
        b.assign_sub(0.001 * gb)
        return loss

    with gt.Recording(tmp_path / "run", progress=False) as run:
        costs = [float(step()) for _ in range(4)]
    assert [c.name for c in run.reader.columns() if c.kind == "cost"] == ["cost"]
    np.testing.assert_array_equal(run.history()["cost"], costs)
    assert set(run.graph()["sources"]) == {"value/a", "value/b"}


def test_two_costs_of_one_name_are_told_apart_by_their_lines(tmp_path):
    a, b = gt.Variable(1.0, name="a"), gt.Variable(2.0, name="b")
    with gt.Recording(tmp_path / "run", progress=False) as run:
        for _ in range(3):
            with gt.GradientTape() as tape:
                loss = (a - b) ** 2
            ga = tape.gradient(loss, a)
            with gt.GradientTape() as tape:
                loss = (a + b) ** 2
            gb = tape.gradient(loss, b)
            a.assign_sub(0.1 * ga)
            b.assign_sub(0.1 * gb)
    first, second = run.reader.costs()
    assert first.name == "loss" and second.name == f"loss:{second.line}"
    assert f"cost/loss:{second.line}" in run.history()


def test_a_cost_that_is_left_out_at_some_steps_keeps_its_column(tmp_path):
    d, g = gt.Variable(1.0, name="d"), gt.Variable(2.0, name="g")
    with gt.Recording(tmp_path / "run", progress=False) as run:
        for step in run.steps(6):
            if step % 3 != 1:  # the first one is left out, too
                with gt.GradientTape() as tape:
                    loss_d = (d - g) ** 2
                d.assign_sub(0.1 * tape.gradient(loss_d, d))
            with gt.GradientTape() as tape:
                loss_g = (g + d) ** 2
            g.assign_sub(0.1 * tape.gradient(loss_g, g))
    assert run.reader.series("cost")[0].tolist() == [0, 2, 3, 5]
    assert run.reader.series("cost/loss_g")[0].tolist() == [0, 1, 2, 3, 4, 5]
    assert run.reader.of_cost("loss_d").count() == 4


def test_two_loops_one_after_the_other_have_one_column(tmp_path):
    a, b = gt.Variable(1.0, name="a"), gt.Variable(2.0, name="b")
    with gt.Recording(tmp_path / "run", progress=False) as run:
        for v in (a, b):
            for _ in range(3):
                with gt.GradientTape() as tape:
                    loss = (a - b) ** 2
                v.assign_sub(0.1 * tape.gradient(loss, v))
    assert run.reader.series("cost")[0].tolist() == [0, 1, 2, 3, 4, 5]
    assert len(run.reader.costs()) == 1


# -- a derivative of a gradient -----------------------------------------------------------------


def newton(w):
    with gt.GradientTape() as outer:
        with gt.GradientTape() as inner:
            loss = np.sum((w - 3.0) ** 4)
        slope = inner.gradient(loss, w)
    return loss, slope, outer.gradient(slope, w)


def newton_on_one_tape(w):
    with gt.GradientTape(persistent=True) as tape:
        loss = np.sum((w - 3.0) ** 4)
        slope = tape.gradient(loss, w)
    return loss, slope, tape.gradient(slope, w)


def newton_by_functions(w):
    def cost(w):
        return np.sum((w - 3.0) ** 4)

    value = w.value
    slope = gt.grad(cost)
    return cost(value), slope(value), gt.grad(lambda v: np.sum(slope(v)))(value)


def newton_compiled(w):
    return _compiled_newton(w)


_compiled_newton = gt.function(newton)


@pytest.mark.parametrize("derive", [newton, newton_on_one_tape, newton_compiled])
def test_a_newton_loop_descends_its_loss(tmp_path, derive):
    w = gt.Variable(1.0, name="w")
    seen = []
    with gt.Recording(tmp_path / "run", progress=False) as run:
        for _ in range(5):
            loss, slope, curvature = derive(w)
            seen.append([float(loss), float(w), float(slope)])
            w.assign_sub(slope / curvature)
    found = run.reader.table(["cost", "value/w", "grad/w"])[1]
    np.testing.assert_array_equal(found, seen)
    assert [c.name for c in run.reader.costs()] == ["loss"]
    graph = run.graph()
    assert graph["nodes"][graph["target"]]["op"] == "sum"


def test_a_newton_loop_by_a_jacobian_descends_its_loss(tmp_path):
    w = gt.Variable(np.array([1.0, 2.0]), name="w")
    costs = []
    with gt.Recording(tmp_path / "run", progress=False) as run:
        for _ in range(5):
            with gt.GradientTape() as outer:
                with gt.GradientTape() as inner:
                    loss = np.sum(np.cosh(w - 0.5)) + 0.1 * w[0] * w[1]
                slope = inner.gradient(loss, w)
            matrix = outer.jacobian(slope, w)
            costs.append(float(loss))
            w.assign_sub(np.linalg.solve(matrix.numpy(), slope.numpy()))
    np.testing.assert_array_equal(run.history()["cost"], costs)
    assert run.array("grad/w", 0).shape == (2,)


def test_a_product_with_the_hessian_descends_the_loss(tmp_path):
    w, direction = gt.Variable(np.array([1.0, 2.0]), name="w"), np.array([0.5, -1.0])
    costs = []
    with gt.Recording(tmp_path / "run", progress=False) as run:
        for _ in range(3):
            with gt.GradientTape() as outer:
                with gt.GradientTape() as inner:
                    loss = np.sum(w**4)
                slope = inner.gradient(loss, w)
                along = np.sum(slope * direction)
            outer.gradient(along, w)
            costs.append(float(loss))
            w.assign_sub(0.01 * slope)
    np.testing.assert_array_equal(run.history()["cost"], costs)


def test_a_penalty_on_a_slope_is_a_cost_of_its_own(tmp_path):
    w = gt.Variable(1.0, name="w")
    costs = []
    with gt.Recording(tmp_path / "run", progress=False) as run:
        for _ in range(3):
            with gt.GradientTape() as outer:
                with gt.GradientTape() as inner:
                    loss = w**3
                slope = inner.gradient(loss, w)
                penalty = slope**2
            costs.append(float(penalty))
            w.assign_sub(0.001 * outer.gradient(penalty, w))
    np.testing.assert_array_equal(run.history()["cost"], costs)


def test_one_gradient_and_no_assignment_is_one_step(tmp_path):
    w = gt.Variable(2.0, name="w")
    with gt.Recording(tmp_path / "run", progress=False) as run:
        with gt.GradientTape() as tape:
            loss = w**2
        tape.gradient(loss, w)
    assert run.reader.table(["cost", "value/w", "grad/w"])[1].tolist() == [[4.0, 2.0, 4.0]]
