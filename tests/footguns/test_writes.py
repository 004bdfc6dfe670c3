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
