"""The short ways of a training step give what the general ways give: value, dtype, gradient, place.

The general way is forced by a persistent tape, or by an operand that the short way leaves alone.
"""

import inspect

import numpy as np
import pytest

import gradtape.tf as tf
from gradtape.core import fast
from gradtape.core.positions import decode
from gradtape.core.state import CODE, LASTI
from gradtape.errors import GradientWarning


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "maximum"])
@pytest.mark.parametrize("dtype", [tf.float32, tf.float64], ids=lambda d: d.name)
@pytest.mark.parametrize("number", [0.1, 3])
@pytest.mark.parametrize("shape", [(), (3,)], ids=str)
def test_a_python_number_is_the_number_in_the_tensors_dtype(name, dtype, number, shape):
    function = getattr(tf, name)
    x = tf.constant(np.full(shape, 1.7), dtype)
    y = tf.constant(np.asarray(number, dtype.as_numpy_dtype))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        short, general = function(x, number), function(x, y)
    assert short.dtype == general.dtype == dtype
    np.testing.assert_array_equal(short, general)
    np.testing.assert_array_equal(tape.gradient(short, x), tape.gradient(general, x))


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64], ids=lambda d: d.name)
@pytest.mark.parametrize("array", [np.float32([1.5, 0.1]), np.float64([1.5, 0.1])], ids=str)
def test_a_plain_array_takes_the_dtype_of_the_tensor_beside_it(array, dtype):
    x = tf.Variable([2.0, 3.0], dtype=dtype)
    with tf.GradientTape() as tape:
        cost = tf.reduce_sum(tf.multiply(tf.subtract(array, x + 0.0), array))
    gradient = tape.gradient(cost, [x])[0]
    assert cost.dtype == gradient.dtype == dtype
    np.testing.assert_array_equal(gradient, -array.astype(dtype.as_numpy_dtype))


def test_a_plain_array_may_be_written_after_it_was_used():
    array = np.array([1.0, 2.0])
    x = tf.Variable([3.0, 4.0], dtype=tf.float64)
    with tf.GradientTape() as tape:
        cost = tf.reduce_sum(tf.multiply(x, array))
    array[:] = 100.0
    np.testing.assert_array_equal(tape.gradient(cost, [x])[0], [1.0, 2.0])


def test_an_overflow_in_a_conversion_is_silent_and_infinite():
    assert np.isinf(tf.multiply(tf.constant([1.0]), np.array([1e300])).numpy()).all()
    assert np.isinf(tf.convert_to_tensor(np.array([1e300]), tf.float32).numpy()).all()


def test_numbers_that_do_not_fit_are_refused_as_ever():
    with pytest.raises(TypeError, match="Cannot convert 0.5"):
        _ = tf.constant([1, 2]) * 0.5
    with pytest.raises(tf.errors.InvalidArgumentError, match="double"):
        tf.add(np.array([1.0, 2.0]), tf.constant([1.0, 2.0]))


@pytest.mark.parametrize("sources", [1, 2])
def test_the_gradient_of_a_step_is_that_of_a_persistent_tape(sources):
    a, b = tf.Variable(0.5), tf.Variable([1.0, 2.0])
    wanted = [a, b][:sources]
    found = []
    for persistent in (False, True):
        with tf.GradientTape(persistent) as tape:
            cost = tf.reduce_sum(tf.square(tf.subtract([1.0, 5.0], a * b)))
        found.append(tape.gradient(cost, wanted))
    for short, general in zip(*found, strict=True):
        assert type(short) is type(general) is tf.Tensor
        assert short.dtype == general.dtype and short.shape == general.shape
        np.testing.assert_array_equal(short, general)


def test_a_missing_gradient_of_a_step_has_its_reason():
    a, b = tf.Variable(0.5), tf.Variable(1.5)
    with tf.GradientTape() as tape:
        cost = tf.reduce_sum(a * [1.0, 2.0])
    with pytest.warns(GradientWarning, match="no path from Variable"):
        found = tape.gradient(cost, [a, b])
    assert found[1] is None and found[0].numpy() == 3.0
    with pytest.raises(RuntimeError, match="[Pp]ersistent|non-persistent"):
        tape.gradient(cost, [a, b])


def test_the_sum_of_a_step_knows_its_line():
    x = tf.Variable([1.0, 2.0])
    with tf.GradientTape(persistent=True) as tape:
        y = x * 2.0
        line = inspect.currentframe().f_lineno + 1
        tf.reduce_sum(y)
    record = tape._recorder.ops[-1]
    assert record[CODE] is inspect.currentframe().f_code
    assert str(decode(record[CODE], record[LASTI])).endswith(f":{line}")


def test_the_step_takes_no_general_way(monkeypatch):
    """Of the tutorial's step, no operation converts its operands by the general way."""
    from gradtape.tf.base import making

    def refused(*_):
        raise AssertionError("the general way was taken")

    a, b = tf.Variable(0, dtype=tf.float32), tf.Variable(0, dtype=tf.float32)
    x, y = np.linspace(0, 1, 20), np.linspace(1, 2, 20)
    monkeypatch.setattr(making, "unify", refused)
    monkeypatch.setattr(fast, "apply", refused)
    with tf.GradientTape() as tape:
        line = tf.add(a, tf.multiply(b, tf.convert_to_tensor(x, dtype=tf.float32)))
        cost = tf.reduce_sum(tf.square(tf.subtract(y, line)))
    for variable, d in zip([a, b], tape.gradient(cost, [a, b]), strict=True):
        variable.assign_sub(d * 0.001)
    assert a.numpy() == pytest.approx(0.001 * 2 * y.sum(), rel=1e-6)
