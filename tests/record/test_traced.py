"""Graph, inputs and prediction of a compiled step are recorded as those of an eager one."""

import numpy as np
import pytest

import gradtape as gt
import gradtape.tf as tf
from gradtape.record import traced
from gradtape.record.panels import fit, landscape

RNG = np.random.default_rng(0)
X = RNG.uniform(size=(40, 2))
Y = X @ [1.0, -2.0] + 0.5


def model(wrap):
    """Two Variables and a step of gradient descent on them, compiled or not."""
    w, b = gt.Variable(np.zeros(2), name="w"), gt.Variable(0.0, name="b")

    @wrap
    def step(x, y):
        with gt.GradientTape() as tape:
            fitted = np.tanh(x @ w) + b
            cost = np.mean(np.square(y - fitted))
        dw, db = tape.gradient(cost, [w, b])
        w.assign_sub(0.1 * dw)
        b.assign_sub(0.1 * db)
        return cost

    return step


def recorded(folder, wrap, batches, **options):
    step = model(wrap)
    with gt.Recording(folder, progress=False, **options) as run:
        for x, y in batches:
            step(x, y)
    return run.reader


def test_graph_inputs_prediction_and_roles_are_those_of_the_eager_step(tmp_path):
    batches = [(X, Y)] * 4
    eager = recorded(tmp_path / "eager", lambda f: f, batches)
    compiled = recorded(tmp_path / "compiled", gt.function, batches)
    first, second = eager.graph(), compiled.graph()
    assert [(n["op"], n["in"], n["shape"]) for n in first["nodes"] if n["kind"] == "op"] == [
        (n["op"], n["in"], n["shape"]) for n in second["nodes"] if n["kind"] == "op"
    ]
    assert first["sources"] == second["sources"]
    assert first["roles"] == second["roles"]
    assert [n.get("name") for n in first["nodes"]] == [n.get("name") for n in second["nodes"]]
    assert [n["text"] for n in first["nodes"]] == [n["text"] for n in second["nodes"]]
    assert eager.meta()["roles"] == compiled.meta()["roles"]
    assert [t.name for t in eager.tags()] == [t.name for t in compiled.tags()]
    for tag in ("input/0", "input/1"):
        assert compiled.arrays(tag) == [0]
        np.testing.assert_array_equal(compiled.array(tag, 3)[0], eager.array(tag, 3)[0])
    for step in range(4):
        np.testing.assert_allclose(
            compiled.array("prediction", step)[0], eager.array("prediction", step)[0], rtol=1e-12
        )


def test_the_panels_show_a_compiled_step(tmp_path):
    run = recorded(tmp_path / "run", gt.function, [(X, Y)] * 5)
    header, arrays = fit(run, 3)
    w, b = run.array("value/w", 3)[0], run.row(3)["value/b"]
    assert header["exact"] is True
    np.testing.assert_allclose(arrays[2], np.tanh(X @ w) + b, rtol=1e-12)
    held = np.median(X[:, 1])
    grid = np.column_stack([arrays[3], np.full(len(arrays[3]), held)])
    np.testing.assert_allclose(arrays[4], np.tanh(grid @ w) + b, rtol=1e-12)
    assert landscape(run, 9)[0]["n"] == 9


def test_arguments_of_each_call_are_those_of_its_step(tmp_path):
    batches = [(X[i : i + 10], Y[i : i + 10]) for i in (0, 10, 20, 30, 0)]
    run = recorded(tmp_path / "run", gt.function, batches)
    for step, (x, y) in enumerate(batches):
        np.testing.assert_array_equal(run.array("input/0", step)[0], x)
        np.testing.assert_array_equal(run.array("input/1", step)[0], y)


def test_another_signature_is_another_graph(tmp_path):
    run = recorded(tmp_path / "run", gt.function, [(X, Y), (X, Y), (X[:10], Y[:10]), (X, Y)])
    assert [step for step, _ in run.structures()] == [0, 2, 3]
    assert run.graph(2)["nodes"][run.graph(2)["inputs"]["input/0"]]["shape"] == [10, 2]
    assert run.graph(1) == run.graph(3)


def test_an_array_from_outside_is_read_at_each_call(tmp_path):
    data = X.copy()
    w = gt.Variable(np.zeros(2), name="w")

    @gt.function
    def step():
        with gt.GradientTape() as tape:
            cost = np.mean((Y - data @ w) ** 2)
        w.assign_sub(0.1 * tape.gradient(cost, w))

    with gt.Recording(tmp_path / "run", progress=False) as run:
        step()
        data *= 2
        step()
    np.testing.assert_array_equal(run.array("input/0", 0), X)
    np.testing.assert_array_equal(run.array("input/0", 1), 2 * X)


def test_scalars_alone_have_neither_graph_nor_arrays_and_a_later_run_has_both(tmp_path):
    step = model(gt.function)
    with gt.Recording(tmp_path / "scalars", progress=False, level="scalars") as first:
        step(X, Y)
    with gt.Recording(tmp_path / "standard", progress=False) as second:
        step(X, Y)
    with gt.Recording(tmp_path / "again", progress=False, level="scalars") as third:
        step(X, Y)
    assert first.reader.structures() == [] == third.reader.structures()
    assert second.reader.structures() == [(0, 1)]
    assert second.reader.arrays("input/0") == [0]


def test_two_runs_of_one_program_have_its_graph(tmp_path):
    step = model(gt.function)
    graphs = []
    for name in ("one", "two"):
        with gt.Recording(tmp_path / name, progress=False) as run:
            step(X, Y)
        graphs.append(run.reader.graph())
    assert graphs[0] == graphs[1]


def test_a_large_array_is_not_given_back_at_each_call(tmp_path, monkeypatch):
    monkeypatch.setattr(traced, "_MOST", 50)
    run = recorded(tmp_path / "run", gt.function, [(X, Y)] * 2)
    assert "input/0" not in [t.name for t in run.tags()]
    assert run.arrays("input/1") == [0]
    assert fit(run, 1)[0]["kind"] == "curve"  # from the prediction that was stored


def test_a_graph_that_cannot_be_made_ends_nothing(tmp_path, monkeypatch):
    def fails(*args):
        raise RuntimeError("no graph")

    monkeypatch.setattr(traced, "graph_of", fails)
    run = recorded(tmp_path / "run", gt.function, [(X, Y)] * 2)
    assert run.count() == 2
    assert run.structures() == []


def test_the_dialects_function(tmp_path):
    w = tf.Variable(np.zeros((2, 1), np.float32), name="w")
    x, y = tf.constant(X.astype(np.float32)), tf.constant(Y[:, None].astype(np.float32))

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            cost = tf.reduce_mean(tf.square(tf.matmul(x, w) - y))
        w.assign_sub(0.1 * tape.gradient(cost, w))

    with gt.Recording(tmp_path / "run", progress=False) as run:
        for _ in range(3):
            step()
    np.testing.assert_array_equal(run.array("input/0", 2), X.astype(np.float32))
    assert run.graph()["roles"]["y"] == "input/1"


def test_labels_by_which_a_loss_picks_are_an_input(tmp_path):
    w = tf.Variable(np.zeros((2, 3), np.float32), name="w")
    labels = (X[:, 0] * 3).astype(np.int32)

    @tf.function
    def step(x, labels):
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
                labels=labels, logits=tf.matmul(x, w)
            )
            cost = tf.reduce_mean(losses)
        w.assign_sub(0.1 * tape.gradient(cost, w))

    with gt.Recording(tmp_path / "run", progress=False) as run:
        for _ in range(3):
            step(tf.constant(X.astype(np.float32)), tf.constant(labels))
    y = run.graph()["roles"]["y"]
    np.testing.assert_array_equal(np.ravel(run.array(y, 2)), labels)
    header, arrays = fit(run.reader, 2)
    assert header["kind"] == "classes"
    np.testing.assert_array_equal(arrays[1], labels)


@pytest.mark.parametrize("level", ["standard", "full"])
def test_results_are_those_without_a_recording(tmp_path, level):
    plain = [float(c) for c in run_of(model(gt.function))]
    with gt.Recording(tmp_path / "run", progress=False, level=level):
        again = [float(c) for c in run_of(model(gt.function))]
    assert plain == again


def run_of(step):
    return [step(X, Y) for _ in range(5)]
