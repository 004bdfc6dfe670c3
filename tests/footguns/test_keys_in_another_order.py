"""Dicts that were filled in another order: values belong to keys, not to places."""

import numpy as np
import pytest

import gradtape as gt
from gradtape.errors import ShapeError

P = {"a": 1.0, "b": 2.0}
ALONG_A = {"b": 0.0, "a": 1.0}
BACKENDS = ("numpy", "llvm")


def f(p):
    return p["a"] ** 2 * p["b"]


def doubled_and_counted(c):
    """A turn of a loop, which returns its carry the other way around."""
    return {"x": c["x"] * 2.0, "n": c["n"] + 1.0}


def test_tangents():
    assert gt.jvp(f, (P,), (ALONG_A,))[1] == 4.0
    assert gt.hvp(f, (P,), (ALONG_A,)) == {"a": 4.0, "b": 2.0}
    assert gt.linearize(f, P)[1](ALONG_A) == 4.0


def test_tangents_with_other_keys_are_refused():
    with pytest.raises(ShapeError, match="structure of the primals"):
        gt.jvp(f, (P,), ({"a": 1.0, "c": 0.0},))


@pytest.mark.parametrize("backend", BACKENDS)
def test_carries_of_compiled_loops(backend):
    def scanned(x):
        return gt.scan(lambda c, _: (doubled_and_counted(c), None), {"n": 0.0, "x": x}, length=3)[0]

    def counted(x):
        return gt.fori_loop(0, 3, lambda _, c: doubled_and_counted(c), {"n": 0.0, "x": x})

    def repeated(x):
        return gt.while_loop(lambda c: c["n"] < 3, doubled_and_counted, {"n": 0.0, "x": x})

    for loop in (scanned, counted, repeated):
        found = gt.function(loop, backend=backend)(1.5)
        assert found == loop(1.5) == {"x": 12.0, "n": 3.0}
        assert gt.function(gt.grad(lambda x, loop=loop: loop(x)["x"]), backend=backend)(1.5) == 8.0


@pytest.mark.parametrize("backend", BACKENDS)
def test_branches(backend):
    def chosen(x):
        return gt.cond(x > 0, lambda: {"a": x, "b": 2 * x}, lambda: {"b": -x, "a": x - 1})

    made = gt.function(chosen, backend=backend)
    assert made(1.0) == chosen(1.0) == {"a": 1.0, "b": 2.0}
    assert made(-1.0) == chosen(-1.0) == {"a": -2.0, "b": 1.0}


def test_results_that_are_stacked():
    def turn(c, x):
        return c + 1, ({"p": x, "q": c} if c < 1 else {"q": c, "p": x})

    _, ys = gt.scan(turn, 0.0, np.array([5.0, 6.0]))
    np.testing.assert_array_equal(ys["p"], [5.0, 6.0])
    np.testing.assert_array_equal(ys["q"], [0.0, 1.0])


@gt.custom_gradient
def times(p):
    return p["a"] * p["b"], lambda ct: {"b": ct * 100, "a": ct * 10}


@gt.custom_gradient
def scaled(p, factor):
    return p["a"] * factor, lambda ct: ({"b": ct * 0, "a": ct * 10}, ct * 7)


def test_gradients_of_a_rule():
    expected = {"a": 10.0, "b": 100.0}
    assert gt.grad(times)(P) == expected
    assert gt.function(gt.grad(times), backend="numpy")(P) == expected
    assert gt.jvp(times, (P,), (ALONG_A,))[1] == 10.0
    assert gt.grad(scaled, (0, 1))(P, 3.0) == ({"a": 10.0, "b": 0.0}, 7.0)
    found = gt.vmap(gt.grad(times))({"a": np.ones(2), "b": np.ones(2)})
    np.testing.assert_array_equal(found["a"], [10.0, 10.0])
