"""gt.Run and gt.open_run: what a recorded run gives back."""

import numpy as np
import pytest

import gradtape as gt
from gradtape.errors import RunError


@pytest.fixture
def recorded(tmp_path):
    """A run of a number and an array, and what they were at each step."""
    a, w = gt.Variable(1.0, name="a"), gt.Variable(np.array([1.0, 2.0]), name="w")
    seen = []
    with gt.Recording(tmp_path / "run", progress=False) as run:
        for _ in run.steps(5):
            with gt.GradientTape() as tape:
                loss = np.sum((a * w) ** 2)
            seen.append((float(loss), float(a), w.numpy().copy()))
            da, dw = tape.gradient(loss, [a, w])
            a.assign_sub(0.01 * da)
            w.assign_sub(0.01 * dw)
            run.log(rate=0.01)
    return run, seen


def test_history_is_a_frame_with_one_row_a_step(recorded):
    pytest.importorskip("pandas")
    run, seen = recorded
    frame = gt.open_run(run.path).history()
    assert frame.index.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(frame["cost"], [s[0] for s in seen])
    np.testing.assert_array_equal(frame["a"], [s[1] for s in seen])
    np.testing.assert_allclose(frame["norm/w"], [np.linalg.norm(s[2]) for s in seen])
    assert (frame["rate"] == 0.01).all()
    assert {"grad/a", "gradnorm/w", "updatenorm/w", "gradzeros/w", "seconds"} <= set(frame.columns)


def test_arrays_and_the_graph_at_a_step(recorded):
    run, seen = recorded
    opened = gt.open_run(run.path)
    np.testing.assert_array_equal(opened.array("value/w", 2), seen[2][2])
    np.testing.assert_array_equal(opened.array("value/w"), seen[4][2])
    assert [n["op"] for n in opened.graph(3)["nodes"] if n["kind"] == "op"] == [
        "multiply", "square", "sum_all",
    ]  # fmt: skip
    assert len(opened) == 5
    assert opened.status == "finished"
    assert "5 steps" in repr(opened)


@pytest.mark.parametrize("step", [0, 3, None])
def test_restore_puts_back_what_a_variable_was(recorded, step):
    run, seen = recorded
    expected = seen[4 if step is None else step]
    a, w = gt.Variable(9.0, name="a"), gt.Variable(np.zeros(2), name="w")
    assert run.restore(a, step) is a
    run.restore(w, step)
    assert float(a) == expected[1]
    np.testing.assert_array_equal(w.numpy(), expected[2])


@pytest.mark.parametrize(
    ("name", "step", "match"),
    [("b", 0, "variable 'b'"), ("a", 9, "'a' at step 9"), ("w", 9, "'w' at step 9")],
)
def test_restore_says_what_there_is(recorded, name, step, match):
    run, _ = recorded
    with pytest.raises(RunError, match=match):
        run.restore(gt.Variable(np.zeros(2) if name == "w" else 0.0, name=name), step)


def test_restore_refuses_a_variable_of_another_shape(recorded):
    run, _ = recorded
    a = gt.Variable([7.0, 8.0], name="a")
    with pytest.raises(RunError, match=r"'a' had shape \(\) in the run"):
        run.restore(a, 0)
    assert a.numpy().tolist() == [7.0, 8.0]


@pytest.mark.parametrize("step", [0, 3, None])
def test_a_scalar_variable_is_an_array_of_a_step_too(recorded, step):
    run, seen = recorded
    at = 4 if step is None else step
    assert run.array("value/a", step).shape == ()
    assert run.array("value/a", step) == seen[at][1]
    assert run.array("grad/a", step) == run.history()["grad/a"][at]
    with pytest.raises(RunError, match="no array of value/a at step 99"):
        run.array("value/a", 99)


def test_no_run_is_an_error(tmp_path):
    with pytest.raises(RunError):
        gt.open_run(tmp_path / "nothing")


def test_a_recording_can_be_asked_while_it_runs(tmp_path):
    w = gt.Variable(1.0, name="w")
    with gt.Recording(tmp_path / "run", progress=False) as run:
        for step in run.steps(4):
            with gt.GradientTape() as tape:
                loss = w**2
            w.assign_sub(0.25 * tape.gradient(loss, w))
            if step == 2:
                run._settle()
                assert run.status == "running"
                assert run.reader.series("value/w")[1].tolist()[:2] == [1.0, 0.5]


ENDS = {
    "interrupted": (KeyboardInterrupt(), "stopped"),
    "left by sys.exit()": (SystemExit(), "finished"),
    "left by sys.exit(1)": (SystemExit(1), "stopped"),
    "failed": (ValueError("no"), "failed"),
}


@pytest.mark.parametrize("end", ENDS)
def test_how_a_run_ends(tmp_path, end):
    error, status = ENDS[end]
    with (
        pytest.raises(type(error)),
        gt.Recording(tmp_path / "run", progress=False) as run,
    ):
        raise error
    assert run.status == status


def test_a_loop_over_steps_that_is_left_keeps_what_was_computed(tmp_path):
    w = gt.Variable(4.0, name="w")
    with gt.Recording(tmp_path / "run", progress=False) as run:
        for step in run.steps(100):
            with gt.GradientTape() as tape:
                loss = w**2
            g = tape.gradient(loss, w)
            if step == 3:
                break
            w.assign_sub(0.1 * g)
        for _ in run.steps(2):  # counts on
            with gt.GradientTape() as tape:
                loss = w**2
            w.assign_sub(0.1 * tape.gradient(loss, w))
    assert run.reader.steps().tolist() == [0, 1, 2, 3, 4, 5]


def test_two_recordings_at_once(tmp_path):
    w = gt.Variable(1.0, name="w")
    with (
        gt.Recording(tmp_path / "one", progress=False) as one,
        gt.Recording(tmp_path / "two", level="scalars", progress=False) as two,
    ):
        for _ in range(5):
            with gt.GradientTape() as tape:
                loss = w**2
            w.assign_sub(0.1 * tape.gradient(loss, w))
    for run in (one, two):
        assert len(run) == 5
    np.testing.assert_array_equal(one.reader.series("cost")[1], two.reader.series("cost")[1])
    assert one.reader.structures()
    assert not two.reader.structures()


def test_what_recording_costs_is_recorded(tmp_path):
    w = gt.Variable(1.0, name="w")
    with gt.Recording(tmp_path / "run", progress=False) as run:
        for _ in range(500):
            with gt.GradientTape() as tape:
                loss = w**2
            w.assign_sub(1e-3 * tape.gradient(loss, w))
    overhead = run.reader.meta()["overhead"]
    assert 0 < overhead["seconds"] < overhead["run_seconds"]
    assert overhead["bytes"] > 1000
