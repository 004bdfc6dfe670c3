"""What control flow refuses is said of the function that the user called."""

import re

import numpy as np
import pytest

import gradtape as gt
from gradtape.errors import DTypeError, ShapeError

X = np.array([1.0, 2.0])
ONE = np.int64(1)  # an argument: a bound that is not known while tracing


def fori(body, init, way):
    """`fori_loop` in a program, with a known bound or an open one."""
    if way == "known":
        return gt.function(lambda x: gt.fori_loop(0, 3, body, init(x)))(X)
    if way == "open":
        return gt.function(lambda x, n: gt.fori_loop(0, n, body, init(x)))(X, np.int64(3))
    xs, ns = X[None] + X[:, None], np.array([1, 2])
    return gt.vmap(lambda x, n: gt.fori_loop(0, n, body, init(x)))(xs, ns)


def while_(body, init, way):
    """`while_loop` with the same body: it counts in front of what is carried."""
    turn = lambda c: (body(c[1], c[0]), c[1] + 1)  # noqa: E731
    return gt.function(lambda x: gt.while_loop(lambda c: c[1] < 3, turn, (init(x), 0))[0])(X)


def scan_(body, init, way):
    turn = lambda c, i: (body(i, c), None)  # noqa: E731
    return gt.function(lambda x: gt.scan(turn, init(x), np.arange(3))[0])(X)


LOOPS = {
    "fori_loop": (fori, "known"),
    "fori_loop to an open bound": (fori, "open"),
    "fori_loop in vmap": (fori, "vmap"),
    "while_loop": (while_, ""),
    "scan": (scan_, ""),
}


@pytest.mark.parametrize("called", LOOPS)
@pytest.mark.parametrize(
    ("body", "init", "error", "fact"),
    [
        (lambda i, c: np.concatenate([c, c]), lambda x: x, ShapeError,
         r"part 0 of the carry is float64\[2\] before and float64\[4\] after a turn\."),
        (lambda i, c: (c[0], c[1] * 1.5), lambda x: (x, np.int64(1)), DTypeError,
         r"part 1 of the carry is int64\[\] before and float64\[\] after a turn\."),
        (lambda i, c: {"a": c}, lambda x: x, ShapeError,
         r"the carry is float64\[2\] before and \{'a': float64\[2\]\} after a turn\."),
    ],
    ids=["shape", "dtype", "structure"],
)  # fmt: skip
def test_a_carry_that_changes_is_said_of_what_was_called(called, body, init, error, fact):
    loop, way = LOOPS[called]
    if called == "while_loop" and "the carry is" in fact[:12]:
        fact = re.escape("the carry is (float64[2], int64[]) before and "
                         "({'a': float64[2]}, int64[]) after a turn.")  # fmt: skip
    with pytest.raises(error) as caught:
        loop(body, init, way)
    said = str(caught.value).splitlines()
    assert re.fullmatch(f"{called.split()[0]}: {fact}", said[0])
    assert re.match(r"Called at test_control_errors\.py:\d+; what is carried keeps its", said[1])
    assert re.match(r"(Start with|Return) ", said[2])
    assert len(said) == 3


@pytest.mark.parametrize(
    ("bounds", "error", "fact"),
    [
        ((0, np.arange(2)), ShapeError, r"its bounds have the shapes \(\) and \(2,\)"),
        ((0, 2.7), DTypeError, r"its bounds are int(64)? and float(64)?"),
        ((np.float64(1), 3), DTypeError, r"its bounds are float64 and int(64)?"),
        ((0, "3"), DTypeError, r"its bounds are int and str"),
        ((None, 3), DTypeError, r"its bounds are NoneType and int"),
    ],
    ids=str,
)
@pytest.mark.parametrize("way", [lambda f: f, gt.function], ids=["eager", "compiled"])
def test_bounds_are_integers(way, bounds, error, fact):
    with pytest.raises(error) as caught:
        way(lambda low, high: gt.fori_loop(low, high, lambda i, c: c + i, 0))(*bounds)
    said = str(caught.value)
    assert re.match(f"fori_loop: {fact}\\.\nCalled at test_control_errors", said)
    assert "fori_loop(0, len(x), body, init)" in said


def test_a_bound_may_be_a_bool():
    count = lambda low: gt.fori_loop(low, 3, lambda i, c: c + 1, 0)  # noqa: E731
    assert count(True) == count(np.bool_(True)) == gt.function(count)(np.array(True)) == 2


CONDITIONS = {
    "a vector": (lambda c: c < 3.0, ShapeError, r"while_loop: its condition has shape \(2,\)\."),
    "nothing": (lambda c: None, DTypeError, r"while_loop: its condition is NoneType\."),
}


@pytest.mark.parametrize(("asks", "error", "fact"), CONDITIONS.values(), ids=CONDITIONS)
@pytest.mark.parametrize("way", [lambda f: f, gt.function, gt.vmap], ids=["e", "compiled", "vmap"])
def test_a_condition_is_one_truth_value(way, asks, error, fact):
    x = X[None] if way is gt.vmap else X
    with pytest.raises(error) as caught:
        way(lambda x: gt.while_loop(asks, lambda c: c + 1.0, x))(x)
    said = str(caught.value)
    assert re.match(f"{fact}\nCalled at test_control_errors", said)
    assert len(said.splitlines()) == 3


@pytest.mark.parametrize("way", [lambda f: f, gt.function], ids=["eager", "compiled"])
def test_the_predicate_of_cond_is_one_truth_value(way):
    with pytest.raises(ShapeError, match=r"cond: pred has shape \(2,\)(.|\n)*np\.where\(pred"):
        way(lambda x: gt.cond(x > 1.0, lambda: 1.0, lambda: 2.0))(X)
    with pytest.raises(DTypeError, match=r"cond: pred is NoneType\."):
        way(lambda x: gt.cond(None, lambda: x, lambda: 2.0 * x))(X)


@pytest.mark.parametrize("backend", ["numpy", None])
def test_numbers_are_truth_values_as_in_python(backend):
    """`while 3.0 - x:` and `if x:` of a number that is not 0; NaN is true."""
    loop = lambda x: gt.while_loop(lambda c: 3.0 - c[0], lambda c: c + 1.0, x)  # noqa: E731
    choice = lambda x: gt.cond(x[0], lambda: x, lambda: -x)  # noqa: E731
    options = {} if backend is None else {"backend": backend}
    np.testing.assert_array_equal(gt.function(loop, **options)(X), loop(X))
    for first in (0.0, 0.5, np.nan):
        x = np.array([first, 2.0])
        np.testing.assert_array_equal(gt.function(choice, **options)(x), choice(x))


def test_what_is_asked_inside_vmap_counts_for_each_example():
    x = np.array([[1.0], [2.0], [3.0]])
    loop = lambda x: gt.while_loop(lambda c: 3.0 - c[0], lambda c: c + 1.0, x)  # noqa: E731
    np.testing.assert_array_equal(gt.vmap(loop)(x), np.full((3, 1), 3.0))
