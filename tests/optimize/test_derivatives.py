"""The sweeps of optimize/derivatives.py: every way to a Jacobian gives the same; Hessians."""

import numpy as np
import pytest

import gradtape as gt
from gradtape.core.state import paused
from gradtape.optimize.derivatives import Run

X = np.linspace(0.1, 2.0, 7)


def central(function, leaves, h=1e-6):
    flat = np.concatenate([np.ravel(leaf) for leaf in leaves])

    def at(v):
        parts, start = [], 0
        for leaf in leaves:
            size = np.size(leaf)
            parts.append(v[start : start + size].reshape(np.shape(leaf))[()])
            start += size
        out = function(parts)
        outs = out if isinstance(out, list) else [out]
        return np.concatenate([np.ravel(np.asarray(o)) for o in outs])

    rows = [(at(flat + h * e) - at(flat - h * e)) / (2 * h) for e in np.eye(flat.size)]
    return np.stack(rows, axis=1)


def pointwise(p):
    a, b, c = p
    return a * np.exp(-b * X) + np.maximum(X, c) - np.sqrt(a * a + X) / b


def chosen(p):
    a, b, c = p
    return a * np.where(c < X, c**2 * X, X / c) - b


def by_elements(p):
    x = p[0]
    a, b = x[0], x[-1]
    return x[1] * np.sin(a * X) + b**2 + x[1]


def mixing(p):
    y = pointwise(p)
    return y - np.mean(y)


def stacked(p):
    x = p[0]
    return [x[0] * x[1], np.sum(x**3), 2.0]


def matrices(p):
    return np.ravel(p[0] @ p[1]) * p[2]


CASES = [
    (pointwise, [1.5, 0.7, 0.9], True),
    (by_elements, [np.array([0.5, 1.5, 2.5])], True),
    (lambda p: p[0] * np.ones(4), [2.0], True),
    (chosen, [1.5, 0.7, 0.9], False),
    (mixing, [1.5, 0.7, 0.9], False),
    (lambda p: np.cumsum(p[0] * X + p[1]), [1.5, 0.7], False),
    (lambda p: p[0], [np.array([1.0, 2.0])], False),
    (lambda p: p[0][1:] * p[0][0], [np.array([1.0, 2.0, 3.0])], False),
    (lambda p: p[0][::-1][0] * X, [np.array([1.0, 2.0, 3.0])], False),
    (stacked, [np.array([1.5, -0.7])], False),
    (matrices, [np.arange(6.0).reshape(2, 3), np.arange(3.0), 0.5], False),
    (lambda p: np.stack([p[0], p[0] ** 2, p[1]]), [2.0, 3.0], False),
    (lambda p: np.sum(p[0] ** 2), [np.array([1.0, 2.0])], False),
]


@pytest.mark.parametrize(("function", "leaves", "apart"), CASES)
def test_jacobian(function, leaves, apart):
    expected = central(function, leaves)
    leaves = [np.asarray(leaf, dtype=float)[()] for leaf in leaves]
    run = Run(function, leaves, keep_all=True)
    np.testing.assert_allclose(run.jacobian(), expected, atol=1e-7)
    np.testing.assert_allclose(run._forward(), expected, atol=1e-7)
    np.testing.assert_allclose(run._backward(), expected, atol=1e-7)
    found = run._rows_apart(expected.shape[0])
    assert (found is not None) is apart
    if apart:
        np.testing.assert_allclose(found, expected, atol=1e-7)


def test_rows_apart_costs_one_sweep():
    """As many products for one parameter as for six, whatever their number."""
    def polynomial(p):
        total = 0.0
        for k, c in enumerate(p):
            total = total + c * X**k
        return total

    run = Run(polynomial, [1.0] * 6, keep_all=True)
    np.testing.assert_allclose(run._rows_apart(7), np.vander(X, 6, increasing=True))


def test_long_numbers_stay_long():
    leaves = [np.longdouble("1.5"), np.longdouble("0.7"), np.longdouble("0.9")]
    run = Run(pointwise, leaves, keep_all=True)
    assert run.outs[0].dtype == np.longdouble
    for found in (run.jacobian(), run._forward()):
        assert found.dtype == np.longdouble


def test_a_rule_of_the_users_own_has_no_forward_sweep():
    @gt.custom_gradient
    def clipped(x):
        return np.minimum(x, 1.0), lambda ct: ct

    run = Run(lambda p: clipped(p[0]) * X, [2.0], keep_all=True)
    np.testing.assert_allclose(run.jacobian(), X[:, None])


def scalar(p):
    return np.sum(np.exp(p[0] * p[1]) * p[1]) + p[2] ** 3 * np.sum(p[0])


def test_hessian():
    leaves = [np.array([0.3, -0.2]), np.array([1.1, 0.4]), 0.7]
    with paused():
        run = Run(scalar, leaves)
        gradient = run.flat(run.record_gradient())
        hessian = run.hessian()
    np.testing.assert_allclose(gradient, central(scalar, leaves)[0], atol=1e-8)

    def slope(parts):
        inner = Run(scalar, [np.array(part)[()] for part in parts])
        return inner.flat(inner.gradient())

    np.testing.assert_allclose(hessian, central(slope, leaves), atol=1e-7)
    p = np.array([1.0, -2.0, 0.5, 3.0, -1.0])
    np.testing.assert_allclose(run.hessian_product(p), hessian @ p, rtol=1e-12)


def test_hessian_of_a_weighted_sum_and_of_what_is_linear():
    run = Run(lambda p: [p[0] ** 2, p[0] * p[1], 3 * p[1]], [2.0, 5.0])
    run.record_gradient([1.0, 10.0, 100.0])
    np.testing.assert_allclose(run.hessian(), [[2, 10], [10, 0]])
    run = Run(lambda p: np.sum(p[0]) + p[0][0], [np.array([1.0, 2.0])])
    run.record_gradient()
    np.testing.assert_allclose(run.hessian(), np.zeros((2, 2)))
    run = Run(lambda p: np.sum(p[0]) * p[0][0], [np.array([1.0, 2.0])])
    run.record_gradient()
    np.testing.assert_allclose(run.hessian(), [[2, 1], [1, 0]])


def test_the_first_operation_whose_derivative_is_infinite():
    run = Run(lambda p: np.sum(np.exp(np.sqrt(p[0]))), [np.array([0.0, 1.0])])
    assert "sqrt at test_derivatives.py:" in run.first_fault()
    run = Run(lambda p: np.sum(np.exp(p[0])), [np.array([0.0, 1.0])])
    assert run.first_fault() == ""
