"""Compiled steps in full detail: computed again, node by node, when something is wrong."""

import gc
import weakref
from pathlib import Path

import numpy as np
import pytest

import gradtape as gt
import gradtape.tf as tf

X, Y = np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 7.0])


def line_of(data):
    return Path(data["file"]).read_text().splitlines()[data["line"] - 1]


def made_by(run, step, cost=0):
    """What the run holds of a step: (operation, value, cotangent) of each node, in order."""
    number, matrix = run.reader.node_values(step, cost)
    nodes = run.reader.graph_by_id(number)["nodes"]
    assert len(matrix) == len(nodes)
    return [
        (node, *(run.reader.node_array(step, node["id"], side, cost) for side in (0, 1)))
        for node in nodes
    ]


def value_of(run, step, op):
    """The value of the one node of that operation."""
    (found,) = [value for node, value, _ in made_by(run, step) if node["op"] == op]
    return found


def falling(wrap, level, every=1, ring=3, folder=None):
    """A loop whose parameter runs below 0, of which the logarithm is taken."""
    w = gt.Variable(0.55, name="w")

    @wrap
    def step(x):
        with gt.GradientTape() as tape:
            root = np.log(w)  # here
            loss = np.sum(root * 2.0 + w * x)
        tape.gradient(loss, w)
        w.assign_sub(0.1)
        return loss

    with (
        gt.Recording(folder, level=level, every=every, ring=ring, progress=False) as run,
        np.errstate(all="ignore"),
    ):
        costs = [float(step(X)) for _ in range(9)]
    return run, np.array(costs)


@pytest.mark.parametrize("every", [1, 4])
@pytest.mark.parametrize("level", ["scalars", "standard", "full"])
def test_a_compiled_run_has_the_steps_before_a_nan_as_the_eager_one(tmp_path, level, every):
    runs = {}
    for kind, wrap in (("eager", lambda f: f), ("compiled", gt.function)):
        runs[kind], costs = falling(wrap, level, every, folder=tmp_path / kind)
    first = int(np.flatnonzero(~np.isfinite(costs))[0])
    for step in range(first - 2, first + 1):
        ours, theirs = (made_by(runs[kind], step) for kind in ("compiled", "eager"))
        assert [n["op"] for n, *_ in ours] == [n["op"].removesuffix("_all") for n, *_ in theirs]
        assert [n.get("line") and line_of(n) for n, *_ in ours] == [
            n.get("line") and line_of(n) for n, *_ in theirs
        ]
        for (_, *mine), (_, *its) in zip(ours, theirs, strict=True):
            for a, b in zip(mine, its, strict=True):
                assert (a is None) == (b is None)
                if a is not None:
                    np.testing.assert_allclose(a, b, rtol=1e-13)
    if level != "full" and every == 1:
        assert runs["compiled"].reader.node_values(first - 3) is None
    events = [runs[kind].reader.events("nonfinite") for kind in ("compiled", "eager")]
    (ours,), (theirs,) = events
    assert ours["step"] == theirs["step"] == first
    for one in (ours["data"], theirs["data"]):
        assert one["op"] == "log" and line_of(one).endswith("# here")
        assert one["operands"][0]["name"] == "w"
    assert runs["compiled"].reader.graph_by_id(ours["data"]["graph"])["nodes"][
        ours["data"]["node"]
    ]["op"] == "log"  # fmt: skip
    assert ours["data"]["chain"][-1]["op"] == "log"


def test_the_diagnosis_leads_to_the_line_in_the_compiled_function(tmp_path):
    run, _ = falling(gt.function, "standard", folder=tmp_path / "run")
    found = next(one for one in run.diagnose() if "log" in one.fact)
    assert Path(found.file).read_text().splitlines()[found.line - 1].endswith("# here")


def test_a_full_recording_holds_every_compiled_step(tmp_path):
    run, costs = falling(gt.function, "full", ring=0, folder=tmp_path / "run")
    for step in range(9):
        with np.errstate(all="ignore"):
            np.testing.assert_allclose(value_of(run, step, "log"), np.log(0.55 - 0.1 * step))


@pytest.mark.parametrize("ring", [0, 3])
@pytest.mark.parametrize("level", ["scalars", "standard"])
def test_the_operation_is_named_without_a_ring(tmp_path, level, ring):
    run, _ = falling(gt.function, level, ring=ring, folder=tmp_path / "run")
    (event,) = run.reader.events("nonfinite")
    assert event["data"]["op"] == "log" and line_of(event["data"]).endswith("# here")


def test_a_derivative_that_is_not_finite(tmp_path):
    w = gt.Variable(2.0, name="w")

    @gt.function
    def step():
        with gt.GradientTape() as tape:
            loss = np.sqrt(w) + 1.0  # here
        tape.gradient(loss, w)
        w.assign_sub(1.0)

    with gt.Recording(tmp_path / "run", progress=False) as run, np.errstate(all="ignore"):
        for _ in range(3):
            step()
    (event,) = run.reader.events("nonfinite")
    data = event["data"]
    assert (event["step"], data["op"], data["direction"]) == (2, "sqrt", "backward")
    assert line_of(data).endswith("# here")


def test_what_is_written_in_place_after_the_call_is_held_as_the_step_saw_it(tmp_path):
    w = gt.Variable(np.ones(3), name="w")
    outside, batch = np.zeros(3), np.zeros(3)

    @gt.function
    def step(x):
        with gt.GradientTape() as tape:
            loss = np.sum(np.square(w * x) + np.cos(outside * w))
        w.assign_sub(0.1 * tape.gradient(loss, w))

    seen = []
    with pytest.raises(KeyError), gt.Recording(tmp_path / "run", progress=False) as run:
        for n in range(5):
            batch[:] = n
            outside[:] = 10 + n
            seen.append(w.value.copy())
            step(batch)
            batch[:] = np.nan
            outside[:] = np.nan
        {}["end"]
    for n in (2, 3, 4):
        np.testing.assert_allclose(value_of(run, n, "square"), (seen[n] * n) ** 2, rtol=1e-14)
        np.testing.assert_allclose(value_of(run, n, "cos"), np.cos((10 + n) * seen[n]), rtol=1e-12)


def test_a_large_array_that_was_written_since_is_said_and_not_taken(tmp_path):
    w = gt.Variable(0.5, name="w")
    batch = np.ones(20_000)

    @gt.function
    def step(x):
        with gt.GradientTape() as tape:
            loss = np.mean(np.exp(w * x))
        w.assign_sub(0.1 * tape.gradient(loss, w))

    with pytest.raises(KeyError), gt.Recording(tmp_path / "run", progress=False) as run:
        for n in range(4):
            batch[:] = n
            step(batch)
        {}["end"]
    np.testing.assert_allclose(value_of(run, 3, "exp")[0], np.exp(run.array("value/w", 3) * 3))
    assert run.reader.node_values(2) is None
    said = [e["text"] if "text" in e else str(e) for e in run.reader.events("note")]
    assert any("written" in one for one in said), run.reader.events()


def test_a_donated_argument(tmp_path):
    w = gt.Variable(0.5, name="w")

    @gt.function(donate="state")
    def step(state, x):
        with gt.GradientTape() as tape:
            loss = np.sum(np.sin(w * state * x))
        w.assign_sub(0.1 * tape.gradient(loss, w))
        return state + 1.0

    seen = []
    with pytest.raises(KeyError), gt.Recording(tmp_path / "run", progress=False) as run:
        state = np.zeros(3)
        for _ in range(4):
            seen.append(np.sin(float(w) * state * X))
            state = step(state, X)
        {}["end"]
    for n in (1, 2, 3):
        np.testing.assert_allclose(value_of(run, n, "sin"), seen[n], rtol=1e-13)


def test_random_numbers_are_those_of_the_step(tmp_path):
    w, rng = gt.Variable(0.5, name="w"), gt.random.default_rng(3)

    @gt.function
    def step():
        noise = rng.normal(size=3)
        with gt.GradientTape() as tape:
            loss = np.sum(np.tanh(w + noise))
        w.assign_sub(0.1 * tape.gradient(loss, w))
        return noise

    seen = []
    with pytest.raises(KeyError), gt.Recording(tmp_path / "run", progress=False) as run:
        for _ in range(4):
            before = float(w)
            seen.append(np.tanh(before + np.asarray(step())))
        {}["end"]
    for n in (1, 2, 3):
        np.testing.assert_allclose(value_of(run, n, "tanh"), seen[n], rtol=1e-13)
    again = np.asarray(step())  # nothing was drawn by the writing
    fresh = gt.random.default_rng(3)
    np.testing.assert_array_equal(again, [fresh.normal(size=3) for _ in range(5)][-1])


def test_a_print_in_a_step_is_not_made_again(tmp_path, capfd):
    w = gt.Variable(0.5, name="w")

    @gt.function
    def step():
        with gt.GradientTape() as tape:
            loss = np.square(w)
        gt.print("once", loss)
        w.assign_sub(0.1 * tape.gradient(loss, w))

    with pytest.raises(KeyError), gt.Recording(tmp_path / "run", progress=False):
        for _ in range(4):
            step()
        {}["end"]
    assert capfd.readouterr().out.count("once") == 4


def test_the_function_itself_is_not_called_again(tmp_path):
    w, calls = gt.Variable(0.5, name="w"), []

    @gt.function
    def step():
        calls.append(1)
        with gt.GradientTape() as tape:
            loss = np.square(w)
        w.assign_sub(0.1 * tape.gradient(loss, w))

    with pytest.raises(KeyError), gt.Recording(tmp_path / "run", progress=False):
        for _ in range(4):
            step()
        {}["end"]
    assert len(calls) == 1


# -- exceptions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["llvm", "numpy"])
def test_the_compiled_step_that_raises_is_written_as_far_as_it_came(tmp_path, backend):
    w = gt.Variable(np.array([0.5, 1.0, 1.5]), name="w")

    @gt.function(backend=backend)
    def step(i):
        with gt.GradientTape() as tape:
            hidden = np.tanh(w * X)
            loss = np.sum(hidden[i] ** 2)  # this line
        w.assign_sub(0.01 * tape.gradient(loss, w))

    with pytest.raises(IndexError), gt.Recording(tmp_path / "run", progress=False) as run:
        for n in range(6):
            step(np.array([0, 1 if n < 4 else 7]))
    (event,) = run.reader.events("exception")
    data = event["data"]
    assert event["step"] == 4 and line_of(data).endswith("# this line")
    assert data["op"] == "getitem"
    assert data["operands"][0]["shape"] == [3]
    nodes = run.reader.graph_by_id(data["graph"])["nodes"]
    assert nodes[data["node"]]["op"] == "tanh"
    np.testing.assert_allclose(run.reader.node_array(4, data["node"]), np.tanh(w.value * X))
    for n in (1, 2, 3):
        assert run.reader.node_values(n) is not None
    assert run.reader.node_values(0) is None


def test_a_matrix_that_cannot_be_factored(tmp_path):
    w = gt.Variable(1.0, name="w")

    @gt.function
    def step():
        with gt.GradientTape() as tape:
            a = np.eye(2) * w
            loss = np.sum(np.linalg.cholesky(a))  # this line
        tape.gradient(loss, w)
        w.assign_sub(0.4)

    with (
        pytest.raises(np.linalg.LinAlgError),
        gt.Recording(tmp_path / "run", progress=False) as run,
    ):
        for _ in range(6):
            step()
    (event,) = run.reader.events("exception")
    assert event["step"] == 3 and event["data"]["op"] == "cholesky"
    assert line_of(event["data"]).endswith("# this line")


def test_an_exception_in_a_compiled_function_without_a_tape(tmp_path):
    w = gt.Variable(0.5, name="w")

    @gt.function
    def measure(i):
        return gt.array(X)[i] * 2.0  # this line

    with pytest.raises(IndexError), gt.Recording(tmp_path / "run", progress=False) as run:
        for _ in range(3):
            with gt.GradientTape() as tape:
                loss = w**2
            w.assign_sub(0.1 * tape.gradient(loss, w))
        measure(np.array([9]))
    (event,) = run.reader.events("exception")
    assert event["data"]["op"] == "getitem" and line_of(event["data"]).endswith("# this line")


def test_an_exception_in_a_compiled_model_under_a_tape(tmp_path):
    w = gt.Variable(np.array([0.5, 1.0, 1.5]), name="w")

    @gt.function
    def model(i):
        return np.tanh(w * X)[i]  # this line

    with pytest.raises(IndexError), gt.Recording(tmp_path / "run", progress=False) as run:
        for n in range(4):
            with gt.GradientTape() as tape:
                loss = np.sum(model(np.array([0, n])) ** 2)
            w.assign_sub(0.1 * tape.gradient(loss, w))
    (event,) = run.reader.events("exception")
    assert event["data"]["op"] == "getitem" and line_of(event["data"]).endswith("# this line")


# -- where the compiled function stands ----------------------------------------------------------


def test_a_compiled_model_under_an_eager_tape_is_held_node_by_node(tmp_path):
    w = gt.Variable(np.array([1.5, 2.0, 2.5]), name="w")

    def model(x):
        return np.log(w * x)  # here

    def run_of(name, model):
        w.assign([1.5, 2.0, 2.5])
        with gt.Recording(tmp_path / name, progress=False) as run, np.errstate(all="ignore"):
            for _ in range(6):
                with gt.GradientTape() as tape:
                    loss = np.mean((model(X) - Y) ** 2)
                tape.gradient(loss, w)
                w.assign_sub([0.4, 0.1, 0.1])
        return run

    runs = [run_of("eager", model), run_of("compiled", gt.function(model))]
    first = 4
    for step in range(first - 2, first + 1):
        found = []
        for run in runs:
            nodes = [one for one in made_by(run, step) if one[0]["op"] in ("log", "multiply")][:2]
            assert len(nodes) == 2
            found.append(nodes)
        for (_, *a), (_, *b) in zip(*found, strict=True):
            for x, y in zip(a, b, strict=True):
                np.testing.assert_allclose(x, y, rtol=1e-12)
    for run in runs:
        (event,) = run.reader.events("nonfinite")
        data = event["data"]
        assert (event["step"], data["op"]) == (first, "log") and line_of(data).endswith("# here")
        assert run.reader.graph_by_id(data["graph"])["nodes"][data["node"]]["op"] == "log"
        assert data["operands"][0]["shape"] == [3]


def test_a_derivative_in_a_compiled_model_under_an_eager_tape(tmp_path):
    w = gt.Variable(np.array([1.0, 2.0]), name="w")

    @gt.function
    def model():
        return np.sqrt(w)  # here

    with gt.Recording(tmp_path / "run", progress=False) as run, np.errstate(all="ignore"):
        for _ in range(3):
            with gt.GradientTape() as tape:
                loss = np.sum(model())
            tape.gradient(loss, w)
            w.assign_sub([0.5, 0.5])
    (event,) = run.reader.events("nonfinite")
    data = event["data"]
    assert (event["step"], data["op"], data["direction"]) == (2, "sqrt", "backward")
    assert line_of(data).endswith("# here")


LOOPS = {
    "scan": lambda w: gt.scan(lambda c, x: (np.log(c * x), c), w, X)[0],  # scan here
    "fori": lambda w: gt.fori_loop(0, 3, lambda i, c: np.log(c), w),  # fori here
    "while": lambda w: gt.while_loop(
        lambda c: c[1] < 3, lambda c: (np.log(c[0]), c[1] + 1), (w, 0)  # while here
    )[0],
    "cond": lambda w: gt.cond(w > 0.0, lambda: w, lambda: np.log(w)),  # cond here
}  # fmt: skip


@pytest.mark.parametrize("kind", list(LOOPS))
def test_inside_of_loops_and_branches(tmp_path, kind):
    start = {"scan": 16.0, "fori": 20.0, "while": 20.0, "cond": 3.5}[kind]
    w = gt.Variable(start, name="w")
    inside = LOOPS[kind]

    @gt.function
    def step():
        with gt.GradientTape() as tape:
            loss = inside(w * 1.0) + w
        tape.gradient(loss, w)
        w.assign_sub(2.0)
        return loss

    seen = []
    with gt.Recording(tmp_path / "run", progress=False) as run, np.errstate(all="ignore"):
        for _ in range(10):
            before = float(w)
            seen.append((float(step()), before))
    (event,) = run.reader.events("nonfinite")
    first = next(n for n, (cost, _) in enumerate(seen) if not np.isfinite(cost))
    data = event["data"]
    assert (event["step"], data["op"]) == (first, "log")
    assert line_of(data).rstrip().endswith(f"# {kind} here")
    assert run.reader.graph_by_id(data["graph"])["nodes"][data["node"]]["op"] in (
        "scan", "while_loop", "cond", "item",
    )  # fmt: skip
    assert data["operands"] and data["operands"][0]["shape"] == []
    for n in range(max(0, first - 2), first + 1):
        nodes = made_by(run, n)
        np.testing.assert_allclose(nodes[-1][1], seen[n][0], rtol=1e-12)
        with np.errstate(all="ignore"):
            expected = float(inside(np.float64(seen[n][1])))
        items = [v for node, v, _ in nodes if node["op"] == "item"]
        assert any(v is not None and np.allclose(v, expected, equal_nan=True) for v in items)


def test_two_costs_of_one_compiled_step(tmp_path):
    d, g = gt.Variable(1.0, name="d"), gt.Variable(2.0, name="g")

    @gt.function
    def step():
        with gt.GradientTape() as one:
            cost = np.cosh(d - g)
        d.assign_sub(0.1 * one.gradient(cost, d))
        with gt.GradientTape() as two:
            other = np.exp(d + g)
        g.assign_sub(0.01 * two.gradient(other, g))

    seen = []
    with pytest.raises(KeyError), gt.Recording(tmp_path / "run", progress=False) as run:
        for _ in range(5):
            before = float(d), float(g)
            step()
            seen.append((np.cosh(before[0] - before[1]), np.exp(float(d) + before[1])))
        {}["end"]
    for n in (2, 3, 4):
        for cost, op in enumerate(("cosh", "exp")):
            (found,) = [v for node, v, _ in made_by(run, n, cost) if node["op"] == op]
            np.testing.assert_allclose(found, seen[n][cost], rtol=1e-13)
    assert run.reader.node_values(1) is None


def test_the_dialects_function(tmp_path):
    w = tf.Variable([1.5, 2.0], name="w")

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            cost = tf.reduce_sum(tf.math.log(w))  # here
        tape.gradient(cost, w)
        w.assign_sub([0.5, 0.25])

    with gt.Recording(tmp_path / "run", progress=False) as run, np.errstate(all="ignore"):
        for _ in range(5):
            step()
    (event,) = run.reader.events("nonfinite")
    assert (event["step"], event["data"]["op"]) == (3, "log")
    assert line_of(event["data"]).endswith("# here")
    expected = np.log(np.array([1.5 - 1.0, 2.0 - 0.5], np.float32))
    np.testing.assert_allclose(value_of(run, 2, "log"), expected, rtol=1e-6)
    assert value_of(run, 2, "log").dtype == np.float32


def test_a_gradient_function_in_a_compiled_step(tmp_path):
    w = gt.Variable(np.ones(2), name="w")

    @gt.function
    def step(v):
        value, g = gt.value_and_grad(lambda v: np.sum(np.sqrt(v)))(v)
        return value, v - 0.25 * g * g

    v, seen = np.array([0.9, 0.5]), []
    with gt.Recording(tmp_path / "run", progress=False) as run, np.errstate(all="ignore"):
        for _ in range(12):
            seen.append(v)
            v = np.asarray(step(v)[1])
    (event,) = run.reader.events("nonfinite")
    assert event["data"]["op"] == "sqrt"
    n = event["step"]
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(value_of(run, n - 1, "sqrt"), np.sqrt(seen[n - 1]), rtol=1e-13)
    del w


def test_a_level_after_another_has_its_graph(tmp_path):
    w = gt.Variable(1.0, name="w")

    @gt.function
    def step():
        with gt.GradientTape() as tape:
            loss = np.square(w)
        w.assign_sub(0.1 * tape.gradient(loss, w))

    with gt.Recording(tmp_path / "one", level="scalars", ring=2, progress=False):
        step()
    with gt.Recording(tmp_path / "two", progress=False) as run:
        step()
    assert run.graph()["nodes"]


def test_arrays_too_large_are_not_held(tmp_path, monkeypatch):
    from gradtape.record import ring

    monkeypatch.setattr(ring, "MOST_BYTES", 1000)
    w = gt.Variable(np.ones(100), name="w")

    @gt.function
    def step():
        with gt.GradientTape() as tape:
            loss = np.sum(np.square(w))
        w.assign_sub(0.1 * tape.gradient(loss, w))

    with pytest.raises(KeyError), gt.Recording(tmp_path / "run", progress=False) as run:
        for _ in range(4):
            step()
        {}["end"]
    assert run.reader.node_values(3) is None


def test_nothing_is_held_where_nothing_is_asked(tmp_path):
    w = gt.Variable(0.5, name="w")

    @gt.function
    def step(x):
        with gt.GradientTape() as tape:
            loss = np.sum(np.square(w * x))
        w.assign_sub(0.01 * tape.gradient(loss, w))

    with gt.Recording(tmp_path / "run", level="scalars", progress=False):
        for _ in range(3):
            x = np.ones(5)
            step(x)
        gone = weakref.ref(x)
        del x
        gc.collect()
        assert gone() is None
