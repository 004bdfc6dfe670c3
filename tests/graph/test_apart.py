"""What a function of control flow writes into its carry is seen by nobody else, as compiled."""

import numpy as np
import pytest

import gradtape as gt
from gradtape.graph.apart import apart, apart_from

X = np.array([1.0, 2.0, 4.0])


def fori(x):
    def body(i, c):
        c[0] += c[1] * 2.0
        return c

    return gt.fori_loop(0, 3, body, x), x


def loop(x):
    def body(c):
        c[1] *= 2.0
        return c

    return gt.while_loop(lambda c: c[1] < 30.0, body, x), x


def stacked(x):
    def step(c, _):
        c[0] += c[1]
        return c, c

    return *gt.scan(step, x, None, length=3), x


def stacked_views(x):
    def step(c, _):
        c *= 2.0
        return c, (c[1:], c[::-1])

    return gt.scan(step, x, None, length=3), x


def rows(x):
    xs = np.stack([x, x * 2.0, x * 3.0])

    def step(c, row):
        row[0] += c[0]
        c += row
        return c, row

    return gt.scan(step, x, xs), xs, x


def branch(x):
    def write(c):
        c[2] = c[0] * 5.0
        return c

    return gt.cond(True, write, lambda c: c, x), x


def nested(x):
    def body(i, c):
        def inner(j, d):
            d[1] += c[0]
            return d

        found = gt.fori_loop(0, 2, inner, c)
        c[0] += found[1]
        return c

    return gt.fori_loop(0, 2, body, x), x


CASES = [fori, loop, stacked, stacked_views, rows, branch, nested]


def flat(tree):
    parts = tree if isinstance(tree, tuple) else (tree,)
    return [x for p in parts for x in (flat(p) if isinstance(p, tuple) else [np.asarray(p)])]


def total(f):
    def of(x):
        return sum(np.sum(p * (n + 1.0)) for n, p in enumerate(leaves(f(x))))

    return of


def leaves(tree):
    return [x for p in tree for x in (leaves(p) if isinstance(p, tuple) else [p])]


@pytest.mark.parametrize("f", CASES)
def test_eager_loops_are_compiled_ones(f):
    expected = flat(gt.function(f)(X.copy()))
    plain = X.copy()
    found = f(plain)
    for x, y in zip(flat(found), expected, strict=True):
        np.testing.assert_array_equal(x, y)
    np.testing.assert_array_equal(plain, X)


@pytest.mark.parametrize("f", CASES)
def test_so_are_their_derivatives(f):
    expected = gt.function(gt.grad(total(f)))(X)
    np.testing.assert_allclose(gt.grad(total(f))(X), expected, rtol=1e-14)
    v = gt.Variable(X)
    with gt.GradientTape() as tape:
        value = total(f)(v * 1.0)
    np.testing.assert_allclose(tape.gradient(value, v).numpy(), expected, rtol=1e-14)
    _, tangent = gt.jvp(total(f), (X,), (np.ones(3),))
    np.testing.assert_allclose(tangent, np.sum(expected), rtol=1e-14)


def test_a_tensor_of_the_users_stays_what_it_was():
    t = gt.array(X)
    fori(t)
    np.testing.assert_array_equal(t.numpy(), X)
    assert gt.fori_loop(0, 0, lambda i, c: c, t) is t


def test_nothing_is_copied_without_need():
    t = gt.array(X)
    assert apart(t).value is t.value
    assert apart(2.0) == 2.0 and apart(None) is None
    other = np.zeros(3)
    assert apart_from(other, [X]) is other
    assert apart_from(X[1:], [X]) is not X and not np.shares_memory(apart_from(X[1:], [X]), X)
