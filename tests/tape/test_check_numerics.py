"""gt.check_numerics stops at the first result that is not finite, and names what made it."""

import re
import threading
from pathlib import Path

import numpy as np
import pytest

import gradtape as gt
from gradtape.errors import NumericsError


@pytest.fixture(autouse=True)
def quiet():
    with np.errstate(all="ignore"):
        yield
    gt.check_numerics(False)


def line_of(text):
    """The number of the line of this file that holds `text` (and not in quotes)."""
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    (found,) = [n for n, line in enumerate(lines, 1) if text in line and "line_of" not in line]
    return found


def test_forward_names_operation_line_ranges_and_the_way_there():
    a = gt.Variable(2.0, name="a")
    x = np.array([1.0, -3.0, 2.0])
    with gt.check_numerics(), gt.GradientTape(), pytest.raises(NumericsError) as told:
        inner = a * x
        inner = inner + 1.0
        np.log(inner)  # the first one
    text = str(told.value)
    assert "log gave 1 nan among 3 elements" in text
    assert f"test_check_numerics.py:{line_of('# the first one')}" in text
    assert "[3] in [-5, 5]" in text
    assert f"multiply (test_check_numerics.py:{line_of('inner = a * x')}) -> add" in text
    assert "np.maximum" in text  # what to do
    assert isinstance(told.value, FloatingPointError)


OPERATIONS = {
    "divide": lambda a: (a - 2.0) / (a - 2.0),
    "exp": lambda a: np.exp(a * 1000.0),
    "sqrt": lambda a: np.sqrt(a - 3.0),
    "power": lambda a: (a - 3.0) ** 0.7,
    "matmul": lambda a: (a * np.full((2, 2), 1e200)) @ np.full((2, 2), 1e200),
    "sum": lambda a: np.sum(a * np.full(40, 1e307)),
    "max": lambda a: np.max(a * np.array([1.0, 2.0]) + np.array([0.0, np.nan])),
}


@pytest.mark.parametrize("op", [n for n in OPERATIONS if n != "max"])
@pytest.mark.parametrize("recorded", [False, True])
def test_each_operation_is_named(op, recorded):
    import contextlib

    a = gt.Variable(2.0, name="a")
    tape = gt.GradientTape() if recorded else contextlib.nullcontext()
    with gt.check_numerics(), tape, pytest.raises(NumericsError, match=rf"{op}\w* gave"):
        OPERATIONS[op](a)


def test_data_that_holds_a_nan_is_seen_in_the_operands():
    a = gt.Variable(2.0, name="a")
    with (
        gt.check_numerics(),
        pytest.raises(NumericsError, match=r"add gave 1 nan(.|\n)*1 nan among 2"),
    ):
        OPERATIONS["max"](a)


def test_backward_names_the_operation_whose_rule_it_is():
    a = gt.Variable(0.0, name="a")
    with gt.GradientTape() as tape, gt.check_numerics():
        root = np.sqrt(a)  # slope infinite
        loss = root * 3.0
    with gt.check_numerics(), pytest.raises(NumericsError) as told:
        tape.gradient(loss, a)
    text = str(told.value)
    assert "sqrt gave inf, in its backward rule" in text
    assert f"test_check_numerics.py:{line_of('# slope infinite')}" in text
    assert "a = 0" in text and "cotangent = 3" in text


def test_backward_of_several_sources_and_of_gt_grad():
    a, b = gt.Variable(np.zeros(3), name="a"), gt.Variable(1.0, name="b")
    with gt.check_numerics():
        with gt.GradientTape() as tape:
            loss = np.sum(b * np.sqrt(a))
        with pytest.raises(NumericsError, match="sqrt gave 3 inf among 3 elements, in its backw"):
            tape.gradient(loss, {"a": a, "b": b})
        with pytest.raises(NumericsError, match="sqrt gave inf, in its backward rule"):
            gt.grad(np.sqrt)(0.0)


def test_what_is_finite_is_as_without_it():
    def run():
        w = gt.Variable(np.array([1.0, 2.0]))
        seen = []
        for _ in range(3):
            with gt.GradientTape(persistent=True) as tape:
                with gt.GradientTape() as inner:
                    loss = np.sum(np.sin(w) * w**2)
                slope = inner.gradient(loss, w)
            seen.append(tape.gradient(slope, w).numpy())
            w -= 0.1 * slope
        return np.array([*seen, w.numpy()])

    plain = run()
    with gt.check_numerics():
        np.testing.assert_array_equal(run(), plain)


def test_transforms_run_under_it():
    x = np.array([0.5, 1.5])
    with gt.check_numerics():
        np.testing.assert_allclose(gt.jacobian(np.sin)(x), np.diag(np.cos(x)))
        np.testing.assert_allclose(gt.vmap(gt.grad(np.sin))(x), np.cos(x))
        value, tangent = gt.jvp(np.exp, (x,), (np.ones(2),))
        np.testing.assert_allclose(value, tangent)


X = gt.Variable([1.0, 0.0], name="x")


def pushed():
    return gt.jvp(np.sqrt, (X.numpy(),), (np.ones(2),))


def batched():
    return gt.vmap(lambda x: np.log(x) * 2.0)(X.numpy())


def batched_gradient():
    return gt.vmap(gt.grad(np.sqrt))(X.numpy())


def matrix():
    return gt.jacobian(np.sqrt)(X.numpy())


def matrix_of_a_tape():
    with gt.GradientTape() as tape:
        y = np.sqrt(X)
    return tape.jacobian(y, X)


def accumulated():
    with gt.ForwardAccumulator(X, np.ones(2)) as forward:
        y = np.sqrt(X)
    return forward.jvp(y)


@pytest.mark.parametrize(
    "call, said",
    [
        (pushed, "sqrt gave 1 inf among 2 elements, in its tangent rule"),
        (batched, "log gave 1 inf among 2 elements"),
        (batched_gradient, "divide gave 1 inf among 2 elements"),
        (matrix, "sqrt gave 1 inf among 2 elements, in its backward rule"),
        (matrix_of_a_tape, "gradient gave 1 inf among 4 elements, in its backward rule"),
        (accumulated, "a result gave 1 inf among 2 elements"),
    ],
)
def test_what_transforms_compute_inside_is_looked_at(call, said):
    with gt.check_numerics(), pytest.raises(NumericsError, match=said) as told:
        call()
    first = call.__code__.co_firstlineno
    line = int(re.search(r"test_check_numerics\.py:(\d+)", str(told.value))[1])
    assert first < line <= first + 4


def test_an_update_that_overflows():
    w = gt.Variable(1e308, name="w")
    with gt.check_numerics(), pytest.raises(NumericsError, match="Variable 'w' gave -?inf"):
        w.assign_add(1e308)


def test_a_compiled_function_runs_as_python_and_names_its_line():
    w = gt.Variable(1.0, name="w")

    @gt.function
    def step(x):
        with gt.GradientTape() as tape:
            loss = np.log(x - w)  # inside
        return tape.gradient(loss, w)

    step(np.array(3.0)), step(np.array(3.0))
    with gt.check_numerics():
        assert float(step(np.array(3.0))) == -0.5
        with pytest.raises(NumericsError) as told:
            step(np.array(0.5))
    assert f"test_check_numerics.py:{line_of('# inside')}" in str(told.value)
    assert np.isfinite(step(np.array(3.0)))


def test_it_is_a_switch_and_a_context_that_puts_back_what_was():
    a = gt.Variable(0.0)
    gt.check_numerics()
    with pytest.raises(NumericsError):
        np.log(a)
    with gt.check_numerics(False):
        assert np.log(a).value == -np.inf
        with gt.check_numerics(), pytest.raises(NumericsError):
            np.log(a)
        np.log(a)
    with pytest.raises(NumericsError):
        np.log(a)
    gt.check_numerics(False)
    np.log(a)


def test_afterwards_nothing_of_it_is_left():
    from gradtape import events
    from gradtape.core import observing
    from gradtape.core.tensor import Tensor

    with gt.check_numerics():
        assert isinstance(vars(Tensor)["value"], property)
    assert type(vars(Tensor)["value"]).__name__ == "member_descriptor"
    assert not events.watchers and not observing.Keeping.everything
    assert observing.eager.asked is None


def test_other_threads_do_not_ask():
    a, found = gt.Variable(0.0), []

    def work():
        with np.errstate(all="ignore"):
            found.append(np.log(a).value)

    with gt.check_numerics():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert found == [-np.inf]


def test_an_error_inside_a_step_is_recorded_with_the_steps_before(tmp_path):
    w = gt.Variable(1.0, name="w")
    with (
        pytest.raises(NumericsError),
        gt.check_numerics(),
        gt.Recording(tmp_path / "run", progress=False) as run,
    ):
        for _ in range(9):
            with gt.GradientTape() as tape:
                loss = np.log(w - 0.5)
            w.assign_sub(0.02 * tape.gradient(loss, w) + 0.1)
    (event,) = run.reader.events("exception")
    assert event["data"]["type"] == "NumericsError" and "log gave nan" in event["data"]["message"]
    last = run.reader.last
    assert run.reader.node_values(last) is not None


def test_the_tensorflow_dialect_has_its_own_switch_and_both_may_be_on():
    from gradtape import tf

    v = tf.Variable(0.0)
    with gt.check_numerics(), pytest.raises(NumericsError, match="log gave"):
        tf.math.log(v)
    tf.debugging.enable_check_numerics()
    try:
        with pytest.raises(tf.errors.InvalidArgumentError):
            tf.math.log(v)
        with gt.check_numerics(), pytest.raises((NumericsError, tf.errors.InvalidArgumentError)):
            tf.math.log(v)
    finally:
        tf.debugging.disable_check_numerics()
    tf.math.log(v)


@pytest.mark.parametrize("first_off", ["native", "dialect"])
def test_both_checks_look_by_one_mechanism_and_leave_nothing_behind(first_off):
    from gradtape import tf
    from gradtape.core.tensor import Tensor

    slot = vars(Tensor)["value"]
    gt.check_numerics()
    tf.debugging.enable_check_numerics()
    try:
        assert vars(Tensor)["value"] is not slot and "value" not in vars(tf.Tensor)
        with pytest.raises(tf.errors.InvalidArgumentError, match="Detected Infinity or NaN"):
            tf.math.log(tf.constant(0.0))
        with pytest.raises(NumericsError, match="log gave -inf"):
            np.log(gt.Variable(0.0))
        if first_off == "native":
            gt.check_numerics(False)
            with pytest.raises(tf.errors.InvalidArgumentError):
                tf.math.log(tf.constant(0.0))
            assert np.log(gt.Variable(0.0)).value == -np.inf
        else:
            tf.debugging.disable_check_numerics()
            with pytest.raises(NumericsError):
                tf.math.log(tf.constant(0.0))
    finally:
        gt.check_numerics(False)
        tf.debugging.disable_check_numerics()
    assert vars(Tensor)["value"] is slot
    assert tf.math.log(tf.constant(0.0)).numpy() == -np.inf


PLAIN = {
    "scan": (lambda x: gt.scan(lambda c, v: (np.log(c * v), c), x, np.ones(3))[0], 1.5),  # here
    "cond": (lambda x: gt.cond(x > 0, lambda: x, lambda: np.log(x)), -1.0),  # here
    "array": (lambda x: np.sum(np.log(x)), np.array([1.0, -1.0])),  # here
    "tree": (lambda x: {"a": 1, "b": [np.log(x)]}, np.zeros(2)),  # here
}


@pytest.mark.parametrize("kind", list(PLAIN))
def test_plain_arguments_of_a_compiled_function(kind):
    function, x = PLAIN[kind]
    compiled = gt.function(function)
    with np.errstate(all="ignore"):
        compiled(x)
        with gt.check_numerics():
            with pytest.raises(NumericsError, match="log gave") as caught:
                compiled(x)
            compiled(np.abs(x) + 20.0)
        compiled(x)
    line = int(str(caught.value).split("test_check_numerics.py:")[1].split(",")[0].split(".")[0])
    assert Path(__file__).read_text().splitlines()[line - 1].endswith("# here")
