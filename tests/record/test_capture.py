"""What is recorded of a training loop: numbers, arrays, graph, notices; and what the user says."""

import runpy
import shutil
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest

import gradtape as gt
from gradtape.errors import ExitWarning, GradientWarning, RecordError

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(0)
X = RNG.uniform(size=40)
Y = 0.3 + 0.5 * X


def line(run, steps=5, x=X, y=Y):
    """Gradient descent on y = a + b x; returns what the loop itself saw."""
    a, b = gt.Variable(0.0, name="a"), gt.Variable(0.0, name="b")
    seen = []
    for _ in range(steps):
        with gt.GradientTape() as tape:
            prediction = a + b * x
            loss = np.sum((y - prediction) ** 2)
        da, db = tape.gradient(loss, [a, b])
        seen.append([loss.value, a.value, b.value, da.value, db.value])
        a.assign_sub(0.01 * da)
        b.assign_sub(0.01 * db)
    return np.array(seen)


def table(run, *names):
    return run.reader.table(names)[1]


@pytest.mark.parametrize("level", ["scalars", "standard", "full"])
def test_the_numbers_are_those_that_the_loop_saw(tmp_path, level):
    with gt.Recording(tmp_path / "run", level=level, progress=False) as run:
        seen = line(run, 600)
    found = table(run, "cost", "value/a", "value/b", "grad/a", "grad/b")
    np.testing.assert_array_equal(found, seen)
    assert run.status == "finished"
    seconds = table(run, "seconds")
    assert (seconds > 0).all() and seconds.sum() < 60


def test_constant_arrays_and_the_prediction_are_found(tmp_path):
    with gt.Recording(tmp_path / "run", progress=False) as run:
        seen = line(run)
    reader = run.reader
    assert reader.meta()["roles"] == {"x": "input/0", "y": "input/1", "prediction": "prediction"}
    np.testing.assert_array_equal(reader.array("input/0")[0], X)
    np.testing.assert_array_equal(reader.array("input/1")[0], Y)
    assert reader.arrays("input/0") == reader.arrays("input/1") == [0]  # once
    for step in range(5):
        prediction = seen[step, 1] + seen[step, 2] * X
        np.testing.assert_array_equal(reader.array("prediction", step)[0], prediction)


def test_an_array_is_stored_again_where_its_content_changes(tmp_path):
    w, batch = gt.Variable(1.0, name="w"), np.zeros(6)
    with gt.Recording(tmp_path / "run", progress=False) as run:
        for step in range(6):
            batch[:] = step // 2  # the same memory, filled anew
            with gt.GradientTape() as tape:
                loss = np.sum((w * 2.0 - batch) ** 2)
            w.assign_sub(0.01 * tape.gradient(loss, w))
    assert run.reader.arrays("input/0") == [0, 2, 4]
    assert [run.reader.array("input/0", step)[0][0] for step in range(6)] == [0, 0, 1, 1, 2, 2]


def test_of_a_long_run_the_arrays_of_the_last_step_are_there(tmp_path):
    first = gt.Variable(np.ones((100, 500)), name="first")  # as large as is stored now and then
    second = gt.Variable(np.ones(500), name="second")
    other = gt.Variable(np.ones(2), name="other")
    with gt.Recording(tmp_path / "run", progress=False) as run:
        for _ in range(30):
            before = first.numpy().copy(), second.numpy().copy(), other.numpy().copy()
            with gt.GradientTape() as tape:
                loss = np.mean((first * second) ** 2)
            for v, g in zip((first, second), tape.gradient(loss, [first, second]), strict=True):
                v.assign_sub(0.5 * g)
            with gt.GradientTape() as tape:  # another network, of the same step
                loss = np.sum(other**2)
            other.assign_sub(0.1 * tape.gradient(loss, other))
    stored = run.reader.arrays("value/first")
    assert len(stored) < 15 and stored[-1] == 29
    for variable, value in zip((first, second, other), before, strict=True):
        np.testing.assert_array_equal(run.restore(variable).numpy(), value)


def test_a_large_array_that_stays_is_stored_once(tmp_path):
    w, large = gt.Variable(1.0), np.ones(100_000)
    with gt.Recording(tmp_path / "run", progress=False) as run:
        for _ in range(3):
            with gt.GradientTape() as tape:
                loss = np.mean((w * large - 2.0) ** 2)
            w.assign_sub(0.1 * tape.gradient(loss, w))
    assert run.reader.arrays("input/0") == [0]


def test_a_number_that_changes_is_an_input(tmp_path):
    w = gt.Variable(1.0, name="w")
    with gt.Recording(tmp_path / "run", progress=False) as run:
        for step in range(4):
            with gt.GradientTape() as tape:
                loss = (w * 3.0 - float(step)) ** 2
            w.assign_sub(0.01 * tape.gradient(loss, w))
    graph = run.graph()
    values = [float(run.reader.array(tag, 3)[0]) for tag in graph["inputs"]]
    assert 3.0 in values
    constants = [n["value"] for n in graph["nodes"] if n["kind"] == "constant"]
    assert 3.0 in constants  # the factor, which stays


def test_two_arrays_that_were_equal_and_are_no_longer(tmp_path):
    w, one, two = gt.Variable(1.0), np.zeros(5), np.zeros(5)
    with gt.Recording(tmp_path / "run", progress=False) as run:
        for step in range(3):
            two[:] = step
            with gt.GradientTape() as tape:
                loss = np.sum((w * one - two) ** 2 + one)
            w.assign_sub(0.01 * tape.gradient(loss, w))
    assert len(run.graph(0)["inputs"]) == 1
    assert len(run.graph(2)["inputs"]) == 2
    assert {run.array(tag, 2)[0] for tag in run.graph(2)["inputs"]} == {0.0, 2.0}


def test_norms_of_sources_that_are_arrays(tmp_path):
    w = gt.Variable(np.array([[3.0, 0.0], [0.0, 4.0]]), name="w")
    with gt.Recording(tmp_path / "run", progress=False) as run:
        for _ in range(3):
            with gt.GradientTape() as tape:
                loss = np.sum(w**2)
            w.assign_sub(0.25 * tape.gradient(loss, w))
    found = table(run, "norm/w", "gradnorm/w", "updatenorm/w", "gradzeros/w")
    halves = 0.5 ** np.arange(3)
    np.testing.assert_allclose(found[:, 0], 5 * halves)
    np.testing.assert_allclose(found[:, 1], 10 * halves)
    np.testing.assert_allclose(found[:, 2], 2.5 * halves)
    np.testing.assert_array_equal(found[:, 3], 0.5)
    for step in range(3):
        expected = np.diag([3.0, 4.0]) * 0.5**step
        np.testing.assert_array_equal(run.array("value/w", step), expected)
        np.testing.assert_array_equal(run.array("grad/w", step), 2 * expected)


@pytest.mark.parametrize("every", [1, 2])
def test_the_update_of_a_plain_array_is_what_the_next_call_sees(every, tmp_path):
    w, slope = np.array([3.0, 4.0]), gt.grad(lambda w: np.sum(w**2))
    with gt.Recording(tmp_path / "run", progress=False, every=every) as run:
        for _ in range(5):
            w = w - 0.25 * slope(w)
    updates = table(run, "updatenorm/w")[:, 0]
    np.testing.assert_allclose(updates[:-1], (2.5 * 0.5 ** np.arange(5))[::every][:-1])
    assert np.isnan(updates[-1])  # what came of the last nobody has seen


def test_the_graph_is_stored_once_per_structure_with_file_and_line(tmp_path):
    w = gt.Variable(1.0, name="w")
    with gt.Recording(tmp_path / "run", progress=False) as run:
        for step in range(6):
            with gt.GradientTape() as tape:
                loss = w**2 if step < 3 else np.exp(w)
            w.assign_sub(0.01 * tape.gradient(loss, w))
    assert [step for step, _ in run.reader.structures()] == [0, 3]
    node = run.graph(5)["nodes"][-1]
    assert node["op"] == "exp" and node["file"] == __file__
    assert "np.exp(w)" in Path(__file__).read_text().splitlines()[node["line"] - 1]
    assert "np.exp(w)" in run.reader.source(__file__)


def test_batches_stay_within_bounds_on_disk_and_the_run_says_so(tmp_path, monkeypatch):
    from gradtape.record import capture_records

    monkeypatch.setattr(capture_records, "INPUT_BYTES", 1 << 16)
    w, batch = gt.Variable(1.0, name="w"), np.zeros(1000)
    with gt.Recording(tmp_path / "run", progress=False) as run:
        for step in range(200):
            batch[:] = step
            with gt.GradientTape() as tape:
                loss = np.sum((w - batch) ** 2)
            w.assign_sub(1e-6 * tape.gradient(loss, w))
    stored = run.reader.arrays("input/0")
    assert stored[:8] == [0, 1, 2, 3, 4, 5, 6, 7]
    assert len(stored) <= 8 * 6
    for step in stored:
        assert (run.array("input/0", step) == step).all()
    assert run.reader.meta()["thinned"] == {"input/0": 9}
    assert any("no longer stored" in e["data"]["text"] for e in run.reader.events("note"))


def test_memory_does_not_grow_with_the_steps(tmp_path):
    import tracemalloc

    w = gt.Variable(np.ones(50), name="w")

    def loop(steps):
        for _ in range(steps):
            with gt.GradientTape() as tape:
                loss = np.sum((w * X[:1] - 1.0) ** 2)
            w.assign_sub(1e-3 * tape.gradient(loss, w))

    with gt.Recording(tmp_path / "run", progress=False) as run:
        loop(600)
        run._asking.join(30)  # it reads the versions of packages meanwhile, which is no step's
        tracemalloc.start()
        try:
            loop(3000)  # blocks, and what is remembered, come to their size
            run._writer.flush()
            before = tracemalloc.get_traced_memory()[0]
            loop(6000)
            run._writer.flush()
            grown = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
    # A row with its two arrays is 850 bytes a step. What is remembered of each content, so that it
    # is stored once, is 250 of two, up to a limit.
    assert grown < 400 * 6000


def test_the_tensorflow_dialect_is_recorded(tmp_path):
    from gradtape import tf

    x, y = tf.constant(X, tf.float32), tf.constant(Y, tf.float32)
    a, b = tf.Variable(0.0, name="a"), tf.Variable(0.0, name="b")

    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((y - (a + b * x)) ** 2)
        da, db = tape.gradient(loss, [a, b])
        seen.append([float(loss), float(a), float(b), float(da), float(db)])
        a.assign_sub(0.1 * da)
        b.assign_sub(0.1 * db)

    seen = []
    with gt.Recording(tmp_path / "run", progress=False) as run:
        for _ in range(5):
            step()
    names = ["cost", "value/a:0", "value/b:0", "grad/a:0", "grad/b:0"]
    np.testing.assert_array_equal(table(run, *names), seen)
    roles = run.reader.meta()["roles"]
    np.testing.assert_array_equal(run.array(roles["x"]), X.astype("f"))
    np.testing.assert_array_equal(run.array(roles["y"]), Y.astype("f"))
    prediction = seen[3][1] + np.float32(seen[3][2]) * X.astype("f")
    np.testing.assert_allclose(run.array("prediction", 3), prediction, rtol=1e-6)


def test_two_variables_of_one_name(tmp_path):
    a, b = gt.Variable(1.0, name="w"), gt.Variable(2.0, name="w")
    with gt.Recording(tmp_path / "run", progress=False) as run, gt.GradientTape() as tape:
        loss = a * b
        with tape.stop_recording():
            grads = tape.gradient(loss, [a, b])
            a.assign_sub(grads[0])
    np.testing.assert_array_equal(table(run, "value/w", "value/w_2"), [[1.0, 2.0]])


def test_a_gradient_that_is_none_is_an_event_with_its_reason(tmp_path):
    a, b = gt.Variable(1.0, name="a"), gt.Variable(2.0, name="b")
    with gt.Recording(tmp_path / "run", progress=False) as run, warnings.catch_warnings():
        warnings.simplefilter("ignore", GradientWarning)
        for _ in range(3):
            with gt.GradientTape() as tape:
                loss = a * 2.0
            g, none = tape.gradient(loss, [a, b])
            assert none is None
            a.assign_sub(0.1 * g)
    assert np.isnan(table(run, "grad/b")).all()
    (event,) = run.reader.events("none")
    assert event["data"]["source"] == "value/b" and "b" in event["data"]["reason"]
    (warning,) = run.reader.events("warning")
    assert warning["data"]["file"] == __file__


def test_warnings_of_numpy_are_noted_once_per_place(tmp_path):
    w = gt.Variable(1e200, name="w")
    with pytest.warns(RuntimeWarning, match="overflow") as told:
        before = warnings.showwarning
        with gt.Recording(tmp_path / "run", progress=False) as run:
            for _ in range(3):
                np.float64(1e300) * np.float64(1e300)  # this place
                with gt.GradientTape() as tape:
                    loss = w * 2.0 + 1 / np.square(w)  # and this: not the file that multiplies
                w.assign_sub(1e190 * tape.gradient(loss, w))
        assert warnings.showwarning is before
    assert told
    events = [event["data"] for event in run.reader.events("warning")]
    assert {event["category"] for event in events} == {"RuntimeWarning"}
    assert {event["file"] for event in events} == {__file__}
    lines = Path(__file__).read_text().splitlines()
    places = [lines[event["line"] - 1].partition("  # ")[2] for event in events[:2]]
    assert places == ["this place", "and this: not the file that multiplies"]


def test_values_that_leave_and_come_back(tmp_path):
    a = gt.Variable(1.5, name="a")
    with gt.Recording(tmp_path / "run", progress=False) as run, warnings.catch_warnings():
        warnings.simplefilter("ignore", ExitWarning)
        for _ in range(3):
            with gt.GradientTape() as tape:
                loss = a * float(a)
            a.assign_sub(0.1 * tape.gradient(loss, a))
    (left,) = run.reader.events("exit")
    (back,) = run.reader.events("returned")
    assert left["data"]["what"] == "float(a)" and left["data"]["file"] == __file__
    assert back["data"]["line"] == left["data"]["line"]


def test_assignments_are_noted_once_with_their_place(tmp_path):
    with gt.Recording(tmp_path / "run", progress=False) as run:
        line(run)
    events = [e["data"] for e in run.reader.events("assign")]
    assert [(e["variable"], e["how"]) for e in events] == [
        ("a", "a.assign_sub(0.01 * da)"), ("b", "b.assign_sub(0.01 * db)"),
    ]  # fmt: skip


def test_an_exception_is_recorded_and_raised(tmp_path):
    w = gt.Variable(1.0, name="w")
    with (
        pytest.raises(ZeroDivisionError, match="stop here"),
        gt.Recording(tmp_path / "run", progress=False) as run,
    ):
        for step in range(5):
            with gt.GradientTape() as tape:
                loss = w**2
            g = tape.gradient(loss, w)
            if step == 3:
                raise ZeroDivisionError("stop here")
            w.assign_sub(0.1 * g)
    assert run.status == "failed"
    (event,) = run.reader.events("exception")
    assert event["data"]["type"] == "ZeroDivisionError"
    assert "raise ZeroDivisionError" in event["data"]["traceback"]
    assert run.reader.steps().tolist() == [0, 1, 2, 3]  # the step that it ended, too
    assert run.reader.node_values(3) is not None  # of the last steps every detail
    assert run.reader.node_values(1) is not None and run.reader.node_values(0) is None


def test_the_ring_is_written_when_a_value_is_not_finite(tmp_path):
    w = gt.Variable(1.0, name="w")
    with gt.Recording(tmp_path / "run", progress=False) as run, np.errstate(all="ignore"):
        for _ in range(8):
            with gt.GradientTape() as tape:
                inner = w - 0.5
                loss = np.sum(np.log(inner) * np.ones(3))
            g = tape.gradient(loss, w)
            w.assign_sub(0.02 * g)
    events = run.reader.events("nonfinite")
    assert len(events) == 1
    event = events[0]
    step, data = event["step"], event["data"]
    costs = table(run, "cost")[:, 0]
    assert step == int(np.flatnonzero(~np.isfinite(costs))[0])
    assert (data["op"], data["direction"], data["file"]) == ("log", "forward", __file__)
    assert "np.log(inner)" in Path(__file__).read_text().splitlines()[data["line"] - 1]
    (operand,) = data["operands"]
    assert operand["max"] <= 0 and operand["shape"] == []
    assert [link["op"] for link in data["chain"]] == ["subtract", "log"]
    assert run.graph(step)["nodes"][data["node"]]["op"] == "log"
    for s in range(step - 2, step + 1):
        graph, matrix = run.reader.node_values(s)
        nodes = run.reader.graph_by_id(graph)["nodes"]
        (log,) = [n["id"] for n in nodes if n["op"] == "log"]
        value = table(run, "value/w")[s, 0] - 0.5
        with np.errstate(invalid="ignore"):
            np.testing.assert_array_equal(run.reader.node_array(s, log), np.log(value))
        np.testing.assert_array_equal(run.reader.node_array(s, log, 1), 3.0)
        assert matrix[log, 4] == (s == step)  # count of what is not finite


def test_full_has_every_value_and_cotangent_of_every_step(tmp_path):
    with gt.Recording(tmp_path / "run", level="full", progress=False) as run:
        seen = line(run, 4)
    for step in range(4):
        graph, matrix = run.reader.node_values(step)
        nodes = run.reader.graph_by_id(graph)["nodes"]
        at = {n["op"]: n["id"] for n in nodes}
        residual = Y - (seen[step, 1] + seen[step, 2] * X)
        np.testing.assert_array_equal(run.reader.node_array(step, at["subtract"]), residual)
        np.testing.assert_allclose(run.reader.node_array(step, at["add"], 1), -2 * residual)
        leaf = next(n["id"] for n in nodes if n.get("tag") == "value/a")
        assert run.reader.node_array(step, leaf, 1) == seen[step, 3]
        np.testing.assert_allclose(matrix[at["subtract"], 3], np.linalg.norm(residual))


def test_an_error_of_our_own_is_told_and_training_goes_on(tmp_path, monkeypatch):
    from gradtape.errors import RecordWarning
    from gradtape.record import graphs

    def broken(*args, **kwargs):
        raise KeyError("broken")

    monkeypatch.setattr(graphs, "graph_of", broken)
    with gt.Recording(tmp_path / "run", progress=False) as run:
        with pytest.warns(RecordWarning, match="KeyError") as told:
            seen = line(run, 20)
        assert len(told) == 1
    np.testing.assert_array_equal(table(run, "cost")[:, 0], seen[:, 0])
    assert run.status == "finished"
    assert "KeyError" in run.reader.events("lost")[0]["data"]["error"]


@pytest.mark.parametrize("dtype", ["float32", "float16", "longdouble", "complex128"])
def test_values_of_other_dtypes(tmp_path, dtype):
    w = gt.Variable(np.arange(1, 4), name="w", dtype=dtype)
    one = gt.Variable(2, name="one", dtype=dtype)
    with gt.Recording(tmp_path / "run", progress=False) as run:
        for _ in range(3):
            with gt.GradientTape() as tape:
                loss = np.sum(np.abs(w * one * np.ones(3, dtype)) ** 2)
            gw, g1 = tape.gradient(loss, [w, one])
            w.assign_sub(0.125 * gw)
            one.assign_sub(0.0 * g1)
    np.testing.assert_allclose(table(run, "norm/w")[:, 0], np.sqrt(14) * np.array([1, 0, 0]))
    np.testing.assert_array_equal(run.array("value/w", 0), [1, 2, 3])
    assert not run.reader.events("lost")


def test_scalars_keep_no_arrays(tmp_path):
    with gt.Recording(tmp_path / "run", level="scalars", progress=False) as run:
        line(run)
    assert not run.reader.structures()
    assert all(not run.reader.arrays(tag.name) for tag in run.reader.tags())


# -- what the user says ------------------------------------------------------------------------


def test_log_note_config(tmp_path):
    w = gt.Variable(1.0, name="w")
    with gt.Recording(tmp_path / "run", progress=False) as run:
        run.config({"rate": 0.1, "sizes": (1, 2), "start": np.float32(0.5)})
        run.config({"more": None})
        for step in run.steps(4):
            with gt.GradientTape() as tape:
                loss = w**2
            w.assign_sub(0.1 * tape.gradient(loss, w))
            if step % 2:
                run.log(accuracy=step / 4, val_cost=loss, words="of a kind")
        run.note("well done")
    steps, values = run.reader.series("log/accuracy")
    assert steps.tolist() == [1, 3] and values.tolist() == [0.25, 0.75]
    np.testing.assert_array_equal(
        run.reader.series("log/val_cost")[1], run.reader.series("cost")[1][1::2]
    )
    assert run.reader.events("log")[0]["data"] == {"words": "of a kind"}
    assert run.reader.events("note")[0]["data"]["text"] == "well done"
    assert run.reader.meta()["config"] == {
        "rate": 0.1, "sizes": [1, 2], "start": 0.5, "more": None,
    }  # fmt: skip


@pytest.mark.parametrize("is_counted", [False, True])
@pytest.mark.parametrize("every", [1, 3])
def test_what_is_logged_at_the_beginning_of_a_turn_belongs_to_it(tmp_path, every, is_counted):
    w = gt.Variable(1.0, name="w")
    with gt.Recording(tmp_path / "run", every=every, progress=False) as run:
        for turn in run.steps(7) if is_counted else range(7):
            run.log(rate=turn)
            with gt.GradientTape() as tape:
                loss = w**2
            g = tape.gradient(loss, w)
            run.log(slope=g)
            w.assign_sub(0.1 * g)
            run.log(accuracy=0)
            run.log(accuracy=turn)  # the last one counts
    assert run.reader.steps().tolist() == list(range(7))
    found = run.reader.table(["log/rate", "log/accuracy"])[1]
    assert found.tolist() == [[turn, turn] for turn in range(7)]
    np.testing.assert_allclose(run.reader.series("log/slope")[1], 2 * 0.8 ** np.arange(7))
    assert run.reader.series("cost")[0].tolist() == list(range(0, 7, every))


def test_a_turn_that_is_counted_is_a_step_with_or_without_a_gradient(tmp_path):
    w = gt.Variable(1.0, name="w")
    with gt.Recording(tmp_path / "run", progress=False) as run:
        for turn in run.steps(6):
            run.note(f"turn {turn}")
            run.log(rate=turn)
            if turn % 3 == 1:
                with gt.GradientTape() as tape:
                    loss = w**2
                w.assign_sub(0.1 * tape.gradient(loss, w))
        run.log(accuracy=1.0)
    steps, rates = run.reader.series("log/rate")
    assert steps.tolist() == rates.tolist() == list(range(6))
    assert run.reader.series("cost")[0].tolist() == [1, 4]
    assert run.reader.series("log/accuracy")[0].tolist() == [6]
    told = [(note["step"], note["data"]["text"]) for note in run.reader.events("note")]
    assert told == [(turn, f"turn {turn}") for turn in range(6)]


def test_what_is_logged_without_any_gradient_is_kept(tmp_path):
    with gt.Recording(tmp_path / "run", progress=False) as run:
        run.log(accuracy=0.5)
    assert run.reader.table(["log/accuracy"])[1].tolist() == [[0.5]]


def test_roles_override_the_guess(tmp_path):
    x, weight, y = X, np.ones(40), Y
    a = gt.Variable(0.0, name="a")
    with gt.Recording(tmp_path / "run", progress=False) as run:
        for step in range(3):
            with gt.GradientTape() as tape:
                hidden = a * x
                prediction = np.tanh(hidden)
                loss = np.sum(weight * (prediction - y) ** 2)
            if step == 0:
                run.roles(x=x, y=y, prediction=hidden)
                run.roles(classes=np.array(["cat", "dog"]))
            a.assign_sub(0.01 * tape.gradient(loss, a))
    assert run.reader.meta()["classes"] == ["cat", "dog"]
    roles = run.reader.meta()["roles"]
    np.testing.assert_array_equal(run.array(roles["x"]), x)
    np.testing.assert_array_equal(run.array(roles["y"]), y)
    value = run.reader.series("value/a")[1][2]
    np.testing.assert_array_equal(run.array(roles["prediction"], 2), value * x)


def test_what_a_run_was_made_with(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train.py", "--rate", "0.1"])
    with gt.Recording(tmp_path / "run", name="cars again", progress=False) as run:
        line(run)
    meta = run.reader.meta()
    assert meta["argv"] == ["train.py", "--rate", "0.1"]
    assert meta["packages"]["numpy"] == np.__version__
    assert meta["packages"]["gradtape"] == gt.__version__
    assert run.name == "cars again"
    assert meta["python"].split()[1] == sys.version.split()[0]
    assert meta["overhead"]["seconds"] > 0


def test_a_script_may_change_its_directory(tmp_path, monkeypatch):
    (tmp_path / "else").mkdir()
    monkeypatch.chdir(tmp_path)
    w = gt.Variable(np.zeros(5000), name="w")  # as large as lies in a file of its own
    with gt.Recording("run", progress=False) as run:
        for step in range(3):
            monkeypatch.chdir(tmp_path / "else")
            with gt.GradientTape() as tape:
                loss = np.sum((w - step) ** 2)
            w.assign_sub(0.5 * tape.gradient(loss, w))
    assert run.status == "finished" and run.restore(w, 2).numpy()[0] == 1.0
    assert run.to_html("run.html").resolve() == tmp_path / "else" / "run.html"
    monkeypatch.chdir(tmp_path)
    again = gt.open_run("run")
    monkeypatch.chdir(tmp_path / "else")
    assert again.array("value/w", 2)[0] == 1.0


def test_the_repr_of_a_run_that_was_removed_raises_nothing(tmp_path):
    with gt.Recording(tmp_path / "run", progress=False) as run:
        assert repr(run).startswith("<run 'run': running, 0 steps")
        shutil.rmtree(tmp_path / "run")
        assert "holds no recorded run" in repr(run)


def test_git_says_commit_and_difference(tmp_path):
    import subprocess

    from gradtape.record.environment import git_of

    if shutil.which("git") is None:
        pytest.skip("Git is not installed")
    assert git_of(tmp_path) is None

    def git(*words):
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-C", str(tmp_path), *words],
            check=True, capture_output=True,
        )  # fmt: skip

    git("init", "-q")
    (tmp_path / "train.py").write_text("rate = 1\n")
    git("add", "train.py")
    git("commit", "-qm", "first")
    found = git_of(tmp_path)
    assert len(found["commit"]) == 40 and not found["dirty"] and not found["diff"]
    (tmp_path / "train.py").write_text("rate = 2\n")
    found = git_of(tmp_path)
    assert found["dirty"] and "+rate = 2" in found["diff"]


def test_the_unedited_tutorial_fills_every_panel(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["tutorial.py", "--no-plots"])
    with gt.Recording(tmp_path / "run", progress=False) as run:
        runpy.run_path(str(ROOT / "examples" / "tutorial.py"), run_name="__main__")
    reader = run.reader
    assert len(run) == 70
    names = {column.name for column in reader.columns()}
    assert {"cost", "seconds", "value/a", "value/b", "grad/a", "grad/b"} <= names
    assert reader.meta()["roles"] == {"x": "input/0", "y": "input/1", "prediction": "prediction"}
    assert reader.array("prediction")[0].shape == (200,)
    printed = capsys.readouterr().out
    last = table(run, "cost")[-1, 0]
    assert f"Epoch: 69, Loss: {last:0.2f}" in printed
    file = str(ROOT / "examples" / "tutorial.py")
    assert {node["file"] for node in run.graph()["nodes"] if node["kind"] == "op"} == {file}
    assert "LEARNING_RATE = 0.001" in reader.source(file)


# -- the folder --------------------------------------------------------------------------------


def test_a_folder_with_a_run_gets_the_next_free_name(tmp_path, capsys):
    paths = []
    for _ in range(3):
        with gt.Recording(tmp_path / "cars", progress=False) as run:
            line(run, 2)
        paths.append(run.path.name)
    assert paths == ["cars", "cars-2", "cars-3"]
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 2 and "cars holds a run" in said[0] and "cars-2" in said[0]


def test_a_run_that_is_being_written_is_refused(tmp_path):
    with (
        gt.Recording(tmp_path / "cars", progress=False),
        pytest.raises(RecordError, match=r"is being written\.(.|\n)*Record into another folder"),
        gt.Recording(tmp_path / "cars", progress=False),
    ):
        pass


def test_outside_of_the_block_nothing_is_said(tmp_path):
    run = gt.Recording(tmp_path / "run", progress=False)
    with pytest.raises(RecordError, match="outside of the `with` block"):
        run.log(accuracy=1.0)
    with run:
        line(run, 2)
    with pytest.raises(RecordError, match="outside"):
        run.note("late")
    with pytest.raises(RecordError, match="twice"), run:
        pass


def test_without_a_recording_nothing_is_kept():
    from gradtape import events
    from gradtape.core import observing
    from gradtape.core.state import traces

    assert not events.watchers and not events.listeners
    assert not observing.observers and not observing.Keeping.everything and not traces


def test_what_a_run_was_made_with_is_asked_before_it_trains(tmp_path, monkeypatch):
    """Beside a loop that computes, a thread that asks costs it 10 us a step for 100 ms."""
    from gradtape.record import environment

    environment.packages()
    monkeypatch.setattr(environment, "git_of", lambda folder: None)
    with gt.Recording(tmp_path / "quick", progress=False) as run:
        assert not run._asking.is_alive()
    answered = threading.Event()
    monkeypatch.setattr(environment, "git_of", lambda folder: answered.wait(30) and None)
    with gt.Recording(tmp_path / "slow", progress=False) as run:
        assert run._asking.is_alive()  # and holds nobody up
        answered.set()
