"""In-place writes: errors of versions elsewhere, wrong numbers elsewhere; here plain NumPy."""

import warnings

import numpy as np
import pytest

import gradtape as gt


@pytest.fixture(autouse=True)
def _nothing_is_said():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_writing_after_use_neither_raises_nor_changes_the_gradient():
    with gt.GradientTape() as tape:
        x = tape.watch(np.array([1.0, 2.0, 3.0]))
        h = x * 1.0
        y = h * h  # keeps the old h
        h += 10.0
        h[0] = 0.0
        loss = np.sum(y) + np.sum(h)
    np.testing.assert_array_equal(tape.gradient(loss, x), [2.0, 5.0, 7.0])


def test_writing_through_a_view_reaches_its_base():
    with gt.GradientTape() as tape:
        x = tape.watch(np.array([1.0, 2.0, 3.0]))
        h = x * 1.0
        tail = h[1:]
        tail *= 10.0
        loss = np.sum(h * h)
    np.testing.assert_array_equal(h, [1.0, 20.0, 30.0])
    np.testing.assert_array_equal(tape.gradient(loss, x), [2.0, 400.0, 600.0])


def test_a_view_sees_what_is_written_to_its_base():
    with gt.GradientTape() as tape:
        x = tape.watch(np.array([1.0, 2.0, 3.0]))
        h = x * 1.0
        tail = h[1:]
        h[2] = x[0] * 5.0
        loss = np.sum(tail)
    np.testing.assert_array_equal(tail, [2.0, 5.0])
    np.testing.assert_array_equal(tape.gradient(loss, x), [5.0, 1.0, 0.0])


def test_a_recurrence_written_element_by_element():
    n = 6
    a = gt.Variable(0.5)
    with gt.GradientTape() as tape:
        y = gt.zeros(n)
        y[0] = a
        for i in range(1, n):
            y[i] = y[i - 1] * a + 1.0
        last = y[n - 1]
    h = 1e-6

    def plain(a):
        v = a
        for _ in range(1, n):
            v = v * a + 1.0
        return v

    assert float(last) == plain(0.5)
    expected = (plain(0.5 + h) - plain(0.5 - h)) / (2 * h)
    assert float(tape.gradient(last, a)) == pytest.approx(expected, rel=1e-8)


def test_what_was_overwritten_has_no_gradient_and_what_overwrote_it_has():
    with gt.GradientTape() as tape:
        x = tape.watch(np.array([1.0, 2.0, 3.0]))
        h = x * 1.0
        h[0] = x[2] * 4.0
        loss = np.sum(h)
    np.testing.assert_array_equal(tape.gradient(loss, x), [0.0, 1.0, 5.0])


def test_writing_into_a_watched_tensor_keeps_the_source_that_was_watched():
    x = gt.array([1.0, 2.0])
    with gt.GradientTape() as tape:
        tape.watch(x)
        x *= 3.0
        loss = np.sum(x * x)
    np.testing.assert_array_equal(tape.gradient(loss, x), [18.0, 36.0])


def test_out_into_a_tensor_is_followed():
    with gt.GradientTape() as tape:
        x = tape.watch(np.array([1.0, 2.0]))
        out = gt.empty(2)
        np.multiply(x, x, out=out)
        loss = np.sum(out)
    np.testing.assert_array_equal(tape.gradient(loss, x), [2.0, 4.0])


def test_the_gradient_of_a_real_loss_of_complex_values_is_the_direction_of_ascent():
    z = gt.Variable(1.0 + 2.0j)
    with gt.GradientTape() as tape:
        loss = np.real(z * np.conj(z))
    assert complex(tape.gradient(loss, z)) == 2.0 + 4.0j  # and not its conjugate


def overwritten(a):
    a[0] = 3.0
    a *= 2.0
    return np.sin(a) * a


GIVEN = np.array([0.5, 0.7, 0.9])
MOVED = [0.0, *(2 * np.cos(2 * GIVEN[1:]) * 2 * GIVEN[1:] + 2 * np.sin(2 * GIVEN[1:]))]
BLOCKS = {
    "as it is": lambda f: f,
    "checkpoint": gt.checkpoint,
    "compiled": gt.function,
    "a checkpoint in a program": lambda f: gt.function(gt.checkpoint(f)),
    "a program in a checkpoint": lambda f: gt.checkpoint(gt.function(f)),
}
DERIVATIVES = {
    "grad": lambda f: gt.grad(lambda a: np.sum(f(a)))(GIVEN),
    "vjp": lambda f: gt.vjp(f, GIVEN)[1](np.ones(3))[0],
    "jvp": lambda f: gt.jvp(f, (GIVEN,), (np.ones(3),))[1],
    "reverse": lambda f: gt.jacobian(f, mode="reverse")(GIVEN).diagonal(),
    "forward": lambda f: gt.jacobian(f, mode="forward")(GIVEN).diagonal(),
    "compiled": lambda f: gt.function(gt.grad(lambda a: np.sum(f(a))))(GIVEN),
    "mapped": lambda f: gt.vmap(gt.grad(lambda a: np.sum(f(a))))(GIVEN[None])[0],
}


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
@pytest.mark.parametrize("derivative", DERIVATIVES.values(), ids=DERIVATIVES)
def test_a_derivative_is_at_what_was_given_and_not_at_what_was_written(derivative, block):
    """Wrong numbers otherwise: `gt.grad` gave the slope with respect to the last version."""
    np.testing.assert_allclose(derivative(block(overwritten)), MOVED, atol=1e-14)
    assert GIVEN.tolist() == [0.5, 0.7, 0.9]


def test_what_a_rule_or_a_checkpoint_writes_stays_inside():
    """As in a program; the caller's Tensor would else be a value that no tape has seen made."""

    @gt.custom_gradient
    def squares(a):
        given = a * 1.0
        a[0] = 5.0
        return np.sum(a * a), lambda ct: ct * 2 * given

    def loss(a):
        return squares(a) + a[0] + np.sum(gt.checkpoint(overwritten)(a)) * a[1]

    a = gt.array(GIVEN)
    value = loss(a)
    assert a.numpy().tolist() == GIVEN.tolist()
    assert value == gt.function(loss)(GIVEN) == gt.value_and_grad(loss)(GIVEN)[0]
    np.testing.assert_allclose(gt.function(gt.grad(loss))(GIVEN), gt.grad(loss)(GIVEN), rtol=1e-14)
