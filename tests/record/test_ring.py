"""The last steps in full detail: when they are written, at every level, and with which cause."""

from pathlib import Path

import numpy as np
import pytest

import gradtape as gt

X, Y = np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 7.0])


def text_of(event):
    return Path(event["data"]["file"]).read_text().splitlines()[event["data"]["line"] - 1]


def falling(run, steps=9):
    """A loop whose parameter runs below 0, of which the logarithm is taken."""
    w = gt.Variable(0.55, name="w")
    costs = []
    with np.errstate(all="ignore"):
        for _ in range(steps):
            with gt.GradientTape() as tape:
                root = np.log(w)  # here
                loss = root * 2.0 + w
            costs.append(float(loss))
            tape.gradient(loss, w)
            w.assign_sub(0.1)
    return np.array(costs)


def operations(run, step):
    """Operation and value of each node that the run holds of a step."""
    number, matrix = run.reader.node_values(step)
    nodes = run.reader.graph_by_id(number)["nodes"]
    return {node["op"]: matrix[node["id"]] for node in nodes}


@pytest.mark.parametrize("every", [1, 4, 7])
@pytest.mark.parametrize("level", ["scalars", "standard", "full"])
def test_the_first_step_that_is_not_finite_is_recorded_with_its_cause(tmp_path, level, every):
    with gt.Recording(
        tmp_path / "run", level=level, every=every, ring=3, progress=False
    ) as run:  # fmt: skip
        costs = falling(run)
    first = int(np.flatnonzero(~np.isfinite(costs))[0])
    steps, found = run.reader.series("cost")
    assert steps.tolist() == sorted({*range(0, 9, every), first})
    np.testing.assert_array_equal(found, costs[steps.astype(int)])
    (event,) = run.reader.events("nonfinite")
    assert (event["step"], event["data"]["op"]) == (first, "log")
    assert text_of(event).endswith("# here")
    assert run.reader.graph_by_id(event["data"]["graph"])["nodes"][event["data"]["node"]][
        "op"
    ] == "log"  # fmt: skip
    for step in range(first - 2, first + 1):
        with np.errstate(all="ignore"):
            expected = np.log(0.55 - 0.1 * step)
        np.testing.assert_allclose(operations(run, step)["log"][0], expected, rtol=1e-9)
        assert run.graph(step)["nodes"]
    if level != "full" and every == 1:
        assert run.reader.node_values(first - 3) is None


def test_scalars_without_a_ring_keep_no_records(tmp_path):
    from gradtape.core import observing

    with gt.Recording(tmp_path / "run", level="scalars", progress=False) as run:
        assert not observing.Keeping.everything
        falling(run)
    assert run.reader.structures() == []


def test_a_gradient_alone_that_is_not_finite_between_the_steps_that_are_recorded(tmp_path):
    w = gt.Variable(3.0, name="w")
    with gt.Recording(tmp_path / "run", every=5, progress=False) as run, np.errstate(all="ignore"):
        for _ in range(5):
            with gt.GradientTape() as tape:
                loss = np.sqrt(w) + 1.0
            tape.gradient(loss, w)
            w.assign_sub(1.0) if float(w) > 0 else w.assign(1.0)
    (event,) = run.reader.events("nonfinite")
    assert event["step"] == 3 and event["data"]["direction"] == "backward"
    assert run.reader.table(["cost", "value/w"])[1].tolist() == [[1 + 3**0.5, 3.0], [1.0, 0.0]]


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("level", ["scalars", "standard"])
def test_a_gradient_alone_that_is_not_finite_is_told_at_its_step(tmp_path, level, explicit):
    a, w = gt.Variable(1.0, name="a"), gt.Variable(9.0, name="w")
    with gt.Recording(tmp_path / "run", level=level, progress=False) as run, np.errstate(
        all="ignore"
    ):  # fmt: skip
        for _ in run.steps(12) if explicit else range(12):
            with gt.GradientTape() as tape:
                loss = np.sqrt(w) + a  # here
            tape.gradient(loss, [a, w])  # asked
            a.assign_sub(0.1)
            w.assign(float(w) - 1.0 if float(w) > 0 else 4.0)
    (event,) = run.reader.events("nonfinite")
    assert (event["step"], event["data"]["direction"]) == (9, "backward")
    # without a ring the records are used up by then: the operation is not known any more
    op, line = {"scalars": ("gradient", "# asked"), "standard": ("sqrt", "# here")}[level]
    assert event["data"]["op"] == op and text_of(event).endswith(line)
    steps, found = run.reader.series("grad/w")
    assert steps[~np.isfinite(found)].tolist() == [9]


def test_arrays_between_the_steps_that_are_recorded(tmp_path):
    w = gt.Variable(np.array([1.0, 2.0]), name="w")
    with gt.Recording(tmp_path / "run", every=6, progress=False) as run, np.errstate(all="ignore"):
        for _ in range(12):
            with gt.GradientTape() as tape:
                loss = np.sum(np.log(w))
            tape.gradient(loss, w)
            w.assign_sub([0.3, 0.1])
    (event,) = run.reader.events("nonfinite")
    assert (event["step"], event["data"]["op"]) == (4, "log")
    np.testing.assert_allclose(run.array("value/w", 4), [-0.2, 1.6])
    assert run.reader.steps().tolist() == [0, 4, 6]


def test_a_compiled_step_between_those_that_are_recorded(tmp_path):
    w = gt.Variable(0.5, name="w")

    @gt.function
    def step():
        with gt.GradientTape() as tape:
            loss = np.log(w)
        tape.gradient(loss, w)
        w.assign_sub(0.1)
        return loss

    with gt.Recording(tmp_path / "run", every=4, progress=False) as run, np.errstate(all="ignore"):
        costs = np.array([float(step()) for _ in range(9)])
    first = int(np.flatnonzero(~np.isfinite(costs))[0])
    (event,) = run.reader.events("nonfinite")
    assert event["step"] == first
    assert run.reader.steps().tolist() == sorted({0, 4, 8, first})


# -- exceptions ---------------------------------------------------------------------------------


def test_the_step_that_an_exception_ends_is_written_as_far_as_it_came(tmp_path):
    w = gt.Variable(np.array([0.5, 1.0, 1.5]), name="w")
    with (
        pytest.raises(ValueError, match="broadcast"),
        gt.Recording(tmp_path / "run", progress=False) as run,
    ):
        for step in range(6):
            with gt.GradientTape() as tape:
                hidden = np.tanh(w * X)
                loss = np.sum((hidden - (Y if step < 4 else Y[:2])) ** 2)  # this line
            w.assign_sub(0.01 * tape.gradient(loss, w))
    value = w.value
    assert run.reader.steps().tolist() == [0, 1, 2, 3]
    (event,) = run.reader.events("exception")
    data = event["data"]
    assert event["step"] == 4 and text_of(event).endswith("# this line")
    assert data["op"] == "subtract"
    assert [operand["shape"] for operand in data["operands"]] == [[3], [2]]
    nodes = run.reader.graph_by_id(data["graph"])["nodes"]
    assert nodes[data["node"]]["op"] == "tanh"
    np.testing.assert_array_equal(
        run.reader.node_array(4, data["node"]), np.tanh(value * X)
    )
    assert run.reader.node_values(4)[0] == data["graph"]
    assert run.reader.node_values(3) is not None and run.reader.node_values(1) is not None
    assert run.reader.node_values(0) is None


def test_an_exception_in_the_first_step(tmp_path):
    w = gt.Variable(2.0, name="w")
    with pytest.raises(KeyError), gt.Recording(tmp_path / "run", progress=False) as run:
        for _ in run.steps(3):
            with gt.GradientTape() as tape:
                loss = np.sin(w) * {}["rate"]
            tape.gradient(loss, w)
    (event,) = run.reader.events("exception")
    assert event["step"] == 0 and "op" not in event["data"]
    np.testing.assert_allclose(operations(run, 0)["sin"][0], np.sin(2.0))


def test_an_exception_between_gradient_and_update_is_of_that_step(tmp_path):
    w = gt.Variable(2.0, name="w")
    with pytest.raises(KeyError), gt.Recording(tmp_path / "run", progress=False) as run:
        for step in range(5):
            with gt.GradientTape() as tape:
                loss = w**2
            g = tape.gradient(loss, w)
            w.assign_sub(0.1 * g if step < 3 else {}["rate"])
    assert run.reader.steps().tolist() == [0, 1, 2, 3]
    assert run.reader.events("exception")[0]["step"] == 3
    assert run.reader.node_values(3) is not None


def test_an_exception_after_the_tape_was_left(tmp_path):
    w = gt.Variable(2.0, name="w")
    with pytest.raises(KeyError), gt.Recording(tmp_path / "run", progress=False) as run:
        for step in range(5):
            with gt.GradientTape() as tape:
                loss = np.exp(w)
            rate = {0: 0.1, 1: 0.1}[step]
            w.assign_sub(rate * tape.gradient(loss, w))
    assert run.reader.events("exception")[0]["step"] == 2
    np.testing.assert_allclose(operations(run, 2)["exp"][0], np.exp(w.value))


def test_an_exception_in_the_second_network_of_a_step(tmp_path):
    d, g = gt.Variable(1.0, name="d"), gt.Variable(2.0, name="g")
    with pytest.raises(KeyError), gt.Recording(tmp_path / "run", progress=False) as run:
        for step in range(5):
            with gt.GradientTape() as tape:
                loss_d = (d - g) ** 2
            d.assign_sub(0.1 * tape.gradient(loss_d, d))
            with gt.GradientTape() as tape:
                loss_g = np.cosh(d + g) * (1.0 if step < 3 else {}["g"])
            g.assign_sub(0.01 * tape.gradient(loss_g, g))
    assert run.reader.events("exception")[0]["step"] == 3
    assert run.reader.series("cost")[0].tolist() == [0, 1, 2, 3]
    number = run.reader.events("exception")[0]["data"]["graph"]
    assert [n["op"] for n in run.reader.graph_by_id(number)["nodes"]][-1] == "cosh"


def test_an_exception_in_a_function_that_is_differentiated(tmp_path):
    def cost(w):
        return np.sum(np.sinh(w)) * {}["scale"]

    with pytest.raises(KeyError), gt.Recording(tmp_path / "run", progress=False) as run:
        gt.grad(cost)(np.ones(3))
    np.testing.assert_allclose(operations(run, 0)["sinh"][0], np.sinh(1.0))


def test_two_costs_of_a_step_are_held_for_as_many_steps_as_one(tmp_path):
    d, g = gt.Variable(1.0, name="d"), gt.Variable(2.0, name="g")
    with pytest.raises(KeyError), gt.Recording(tmp_path / "run", progress=False) as run:
        for step in range(6):
            with gt.GradientTape() as tape:
                loss_d = (d - g) ** 2
            gd = tape.gradient(loss_d, d)
            with gt.GradientTape() as tape:
                loss_g = (d + g) ** 2
            gg = tape.gradient(loss_g, g)
            d.assign_sub(0.1 * gd)
            g.assign_sub((0.1 if step < 5 else {}["rate"]) * gg)
    for step in (3, 4, 5):
        for cost in (0, 1):
            assert run.reader.node_values(step, cost) is not None
    assert run.reader.node_values(2) is None


def test_what_is_logged_at_a_step_that_is_left_out_is_kept(tmp_path):
    w = gt.Variable(1.0, name="w")
    with gt.Recording(tmp_path / "run", every=3, progress=False) as run:
        for step in run.steps(7):
            with gt.GradientTape() as tape:
                loss = w**2
            w.assign_sub(0.1 * tape.gradient(loss, w))
            if step in (2, 3):
                run.log(accuracy=step)
    assert run.reader.series("cost")[0].tolist() == [0, 3, 6]
    assert [list(x) for x in run.reader.series("log/accuracy")] == [[2, 3], [2, 3]]
