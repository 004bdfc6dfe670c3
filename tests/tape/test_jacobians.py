"""tape.jacobian and tape.batch_jacobian: every row of TensorFlow's semantics, and nesting."""

import numpy as np
import pytest

import gradtape as gt
from gradtape.errors import DTypeError, ShapeError, TapeStateError

X = np.array([[0.3, 1.2], [0.7, -0.4], [0.1, 0.9]])


def value(x):
    return np.asarray(gt.value(x))


@pytest.mark.parametrize("persistent", [False, True])
def test_jacobian_with_respect_to_a_tree(persistent):
    v, s = gt.Variable(X[:, 0]), gt.Variable(2.0)
    with gt.GradientTape(persistent) as tape:
        y = np.sin(v) * s
    j = tape.jacobian(y, {"v": v, "s": [s]})
    np.testing.assert_allclose(value(j["v"]), np.diag(2 * np.cos(X[:, 0])))
    np.testing.assert_allclose(value(j["s"][0]), np.sin(X[:, 0]))
    if persistent:
        np.testing.assert_allclose(value(tape.jacobian(y, s)), np.sin(X[:, 0]))
        assert value(tape.gradient(y, s)) == np.sum(np.sin(X[:, 0]))
    else:
        with pytest.raises(TapeStateError, match=r"set of gradients \(or jacobians\)"):
            tape.jacobian(y, s)


def test_scalar_targets_and_targets_that_are_sources():
    v = gt.Variable(X[0])
    with gt.GradientTape(persistent=True) as tape:
        y = np.sum(v**2)
    np.testing.assert_allclose(value(tape.jacobian(y, v)), 2 * X[0])
    np.testing.assert_array_equal(value(tape.jacobian(v, v)), np.eye(2))


def test_no_path_is_none_and_says_why_or_zeros():
    v, w = gt.Variable(X[0]), gt.Variable(X)
    with gt.GradientTape(persistent=True) as tape:
        y = v * 2
    with pytest.warns(gt.errors.GradientWarning, match="no path"):
        assert tape.jacobian(y, w) is None
    assert tape.jacobian(y, w, unconnected_gradients="none") is None
    assert tape.jacobian(y, w, unconnected_gradients="zero").shape == (2, 3, 2)


def test_inside_the_context_and_on_an_outer_tape():
    v = gt.Variable(X[0])
    with gt.GradientTape(persistent=True) as tape:
        y = v**3
        j = tape.jacobian(y, v)
        total = np.sum(j * j)
    np.testing.assert_allclose(value(tape.gradient(total, v)), 36 * X[0] ** 3)
    with gt.GradientTape() as outer:
        with gt.GradientTape() as inner:
            y = v**3
        j = inner.jacobian(y, v)
    hessians = outer.jacobian(j, v)
    expected = np.zeros((2, 2, 2))
    expected[[0, 1], [0, 1], [0, 1]] = 6 * X[0]
    np.testing.assert_allclose(value(hessians), expected)


def test_complex_targets_have_the_complex_derivative():
    z = gt.Variable(np.array([1 + 2j, 0.5j]))
    with gt.GradientTape() as tape:
        y = z**2
    np.testing.assert_allclose(value(tape.jacobian(y, z)), np.diag(2 * z.value))


def test_batch_jacobian():
    v = gt.Variable(X)
    a = np.arange(6.0).reshape(2, 3)
    with gt.GradientTape(persistent=True) as tape:
        y = np.sin(v) @ a
    found = tape.batch_jacobian(y, v)
    np.testing.assert_allclose(value(found), [a.T * np.cos(x) for x in X])
    full = value(tape.jacobian(y, v))
    np.testing.assert_allclose(value(found), full[range(3), :, range(3)])
    with gt.GradientTape() as tape:
        y = gt.array(X) * 2
        tape.watch(v)
    assert not value(tape.batch_jacobian(y, v)).any()


def test_mistakes():
    v, n = gt.Variable(X), gt.Variable(X[:2])
    with gt.GradientTape(persistent=True) as tape:
        y, z = v * 2, v[:, 0] * 1
        u = n * 3
    with pytest.raises(DTypeError, match="(?s)target is a list.*persistent"):
        tape.jacobian([y], v)
    with pytest.raises(DTypeError, match="target"):
        tape.jacobian(3.0, v)
    with pytest.raises(DTypeError, match="no derivative"):
        tape.jacobian(np.argmax(y), v)
    with pytest.raises(ShapeError, match=r"Shape \(3,\) must have rank at least 2"):
        tape.batch_jacobian(z, v)
    with pytest.raises(ShapeError, match="Need first dimension of target shape"):
        tape.batch_jacobian(y, n)
    with pytest.raises(ShapeError, match="Unknown value for unconnected_gradients"):
        tape.jacobian(y, v, unconnected_gradients="bogus")
    with pytest.raises(TapeStateError, match="never recorded"):
        gt.GradientTape().jacobian(u, n)
