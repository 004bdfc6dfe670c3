"""`gt.IndexedSlices`: rows of an array that is zero elsewhere."""

import numpy as np
import pytest

import gradtape as gt

VALUES = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
ROWS = np.array([2, 0, 2])
DENSE = np.array([[3.0, 4.0], [0.0, 0.0], [6.0, 8.0]])


def slices(values=VALUES):
    return gt.IndexedSlices(values, ROWS, (3, 2))


def test_repeated_rows_add():
    np.testing.assert_array_equal(slices().dense(), DENSE)
    np.testing.assert_array_equal(np.asarray(slices()), DENSE)
    assert slices().shape == (3, 2)
    assert slices().dtype == np.float64


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (lambda s: -s, -DENSE),
        (lambda s: s * 2.0, DENSE * 2),
        (lambda s: 0.5 * s, DENSE / 2),
        (lambda s: np.float64(0.5) * s, DENSE / 2),
        (lambda s: s / 2, DENSE / 2),
        (lambda s: s + s, DENSE * 2),
        (lambda s: s - s * 3.0, DENSE * -2),
    ],
)
def test_what_stays_sparse(made, expected):
    found = made(slices())
    assert isinstance(found, gt.IndexedSlices) or type(found) is np.ndarray
    np.testing.assert_array_equal(np.asarray(found), expected)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (lambda s: s + 1.0, DENSE + 1),
        (lambda s: 1.0 - s, 1 - DENSE),
        (lambda s: s - np.ones((3, 2)), DENSE - 1),
        (lambda s: np.ones((3, 2)) + s, DENSE + 1),
        (lambda s: s * np.full((3, 2), 3.0), DENSE * 3),
        (lambda s: np.square(s), DENSE**2),
        (lambda s: np.sum(np.asarray(s)), DENSE.sum()),
    ],
)
def test_what_is_dense(made, expected):
    np.testing.assert_array_equal(made(slices()), expected)


def test_a_variable_takes_them():
    w = gt.Variable(np.ones((3, 2)))
    w.assign_sub(slices())
    np.testing.assert_array_equal(w.value, 1 - DENSE)
    w.assign_add(slices())
    np.testing.assert_array_equal(w.value, np.ones((3, 2)))
    w -= 0.5 * slices()
    np.testing.assert_array_equal(w.value, 1 - DENSE / 2)
    w.assign(slices())
    np.testing.assert_array_equal(w.value, DENSE)


@pytest.mark.parametrize("wrap", [lambda f: f, gt.function], ids=["eager", "compiled"])
def test_derivatives_lead_to_the_values(wrap):
    weights = np.arange(6.0).reshape(3, 2)

    def f(values):
        return np.sum(slices(values).dense() ** 2 * weights)

    np.testing.assert_allclose(wrap(gt.grad(f))(VALUES), (2 * DENSE * weights)[ROWS])


def test_a_compiled_step_assigns_them():
    w = gt.Variable(np.ones((3, 2)))
    step = gt.function(lambda values: w.assign_sub(slices(values)) * 1.0)
    step(VALUES)
    np.testing.assert_array_equal(w.value, 1 - DENSE)


def test_the_gradient_of_gathered_rows_is_dense_and_adds_repeated_ones():
    w = gt.Variable(VALUES)
    for gather in (lambda w: w[ROWS], lambda w: np.take(w, ROWS, axis=0)):
        with gt.GradientTape() as tape:
            loss = np.sum(gather(w) ** 2)
        found = tape.gradient(loss, w)
        assert type(found) is gt.Tensor
        np.testing.assert_array_equal(found, 2 * VALUES * [[1], [0], [2]])


def test_without_a_shape_the_whole_is_refused():
    with pytest.raises(ValueError, match="without dense_shape(.|\n)*dense_shape=x.shape"):
        gt.IndexedSlices(VALUES, ROWS).dense()
