"""Assigning parts of a Variable: `w[i] = v`, `w[i] -= v`, `w[i].assign_sub(v)`."""

import numpy as np
import pytest

import gradtape as gt
from gradtape.errors import DTypeError, ShapeError


def make():
    return gt.Variable([1.0, 2.0, 3.0, 4.0], name="w")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda w: w[1:].assign([9.0, 8.0, 7.0]), [1, 9, 8, 7]),
        (lambda w: w[::2].assign_add(1.0), [2, 2, 4, 4]),
        (lambda w: w[[0, 3]].assign_sub([1.0, 2.0]), [0, 2, 3, 2]),
        (lambda w: w[w.value > 2].assign(0.0), [1, 2, 0, 0]),
        (lambda w: w[0].assign_sub(gt.array(0.5)), [0.5, 2, 3, 4]),
    ],
)
def test_methods(change, expected):
    w = make()
    assert change(w) is w
    np.testing.assert_array_equal(w.value, expected)


def test_operators():
    w = make()
    w[0] = 7.0
    w[1:3] -= 1.0
    w[-1] *= 2.0
    np.testing.assert_array_equal(w.value, [7, 1, 2, 8])


def test_what_a_tape_has_read_stays():
    w = make()
    with gt.GradientTape() as tape:
        y = np.sum(w * w)
        w[1:].assign(0.0)
        z = y + np.sum(w[1:] * 3.0)
    np.testing.assert_array_equal(tape.gradient(z, w).value, [2, 7, 9, 11])


def test_a_part_is_read_as_fast_as_a_tensor_and_followed():
    w = make()
    with gt.GradientTape() as tape:
        y = np.sin(w[0]) * w[1] - w[2] / w[3]
    np.testing.assert_allclose(
        tape.gradient(y, w).value, [np.cos(1) * 2, np.sin(1), -1 / 4, 3 / 16], rtol=1e-15
    )


def test_assignment_is_in_place_when_nobody_else_holds_the_value():
    w = gt.Variable(np.zeros(1000))
    where = w.value.ctypes.data
    for i in range(10):
        w[i].assign(float(i))
    assert w.value.ctypes.data == where
    kept = w.numpy()
    w[0].assign(5.0)
    assert kept[0] == 0.0


@pytest.mark.parametrize(
    ("change", "kind", "match"),
    [
        (
            lambda w: w[1:].assign([1.0, 2.0]),
            ShapeError,
            r"(?s)w\[slice.*does not fit \(3,\).*made at",
        ),
        (lambda w: w[0].assign(1j), DTypeError, r"(?s)complex128.*'w'.*made at"),
    ],
)
def test_what_does_not_fit(change, kind, match):
    w = make()
    with pytest.raises(kind, match=match):
        change(w)
    np.testing.assert_array_equal(w.value, [1, 2, 3, 4])
