"""Control flow in native code: loops and branches inside of one program."""

import numpy as np
import pytest

import gradtape as gt

pytest.importorskip("llvmlite")
from gradtape.backends.llvm import segments
from gradtape.core.tree import flatten
from tests.backends.llvm.test_segments import check, graph_of, steps

pytestmark = pytest.mark.slow  # as a file

R = np.random.default_rng(0)
V, M, W = R.normal(size=7), R.normal(size=(5, 6)), R.normal(size=(6, 6))


def _nested(x):
    def turn(c, v):
        return gt.cond(v > 0, lambda: c + v, lambda: gt.fori_loop(0, 3, lambda i, d: d * 0.9, c)), c

    return gt.scan(turn, 0.0, x)


SMOOTH = {
    "while": (lambda x: gt.while_loop(lambda c: c < 100, lambda c: c * 3.0, x), np.float64(2)),
    "no turn": (lambda x: gt.while_loop(lambda c: c < 1, lambda c: c * 3.0, x), np.float64(2)),
    "while of a vector": (
        lambda x: gt.while_loop(lambda c: np.sum(np.abs(c)) > 0.1, lambda c: c * 0.5, x), V),
    "while of an element": (
        lambda x: gt.while_loop(lambda c: c[0] * c[0] < 9.0, lambda c: c[::-1] * 1.5, x), V),
    "while of rows": (
        lambda x: gt.while_loop(lambda c: np.sum(c[0][1:].T[2] ** 2) < c[1],
                                lambda c: (c[0] * 1.5, c[1] + 1.0), (x, 9.0)), M),
    "Newton": (
        lambda a: gt.while_loop(lambda c: np.abs(c * c - a) > 1e-12, lambda c: (c + a / c) / 2, a),
        np.float64(7)),
    "fori of a bound that is not known": (
        lambda x: gt.fori_loop(
            0, np.where(x[0] < 9.0, 5, 4), lambda i, c: np.sin(c) * 0.9 + x * i, x), V),
    "fori of a vector": (lambda x: gt.fori_loop(0, 5, lambda i, c: np.sin(c) * 0.9 + x, x), V),
    "fori of a number": (lambda x: gt.fori_loop(0, 5, lambda i, c: c * 1.1 + i, x), np.float64(2)),
    "scan": (lambda x: gt.scan(lambda c, v: (c * 0.5 + v, c * v), 0.0, x), V),
    "an even number of turns": (lambda x: gt.scan(lambda c, v: (c + v, c * v), 0.0, x), V[:4]),
    "one turn": (lambda x: gt.scan(lambda c, v: (c * 0.5 + v, c * v), 0.0, x), V[:1]),
    "backwards": (
        lambda x: gt.scan(lambda c, v: (c * 0.5 + v, (c * v, v)), np.zeros(6), x, reverse=True), M),
    "carries that change places": (
        lambda x: gt.scan(lambda c, v: ((c[1], c[0] + v), c[0]), (0.0, 1.0), x), V),
    "products": (
        lambda x, w: gt.scan(lambda h, v: (np.tanh(h @ w + v), np.sum(h)), np.zeros(6), x), M, W),
    "views": (
        lambda x: gt.scan(lambda c, v: (c + v[1:] * v[:-1], np.max(v)), np.zeros(5),
                          x[::-1].T[:6].T), M),
    "nested": (_nested, V),
    "cond": (lambda x: gt.cond(np.sum(x) > 0, lambda: x * 2.0, lambda: np.sin(x)), V),
    "cond, the other way": (
        lambda x: gt.cond(np.sum(x) <= 0, lambda: (x * 2.0, x[0]), lambda: (np.sin(x), 1.5)), V),
    "a float decides": (lambda x: gt.cond(x[0], lambda: x * 2.0, lambda: x), V),
}  # fmt: skip
OTHERS = {
    "integers": (
        lambda n: gt.fori_loop(0, 10, lambda i, c: (c[1], c[0] + c[1]), (n, n)), np.int64(1)),
    "gather": (lambda x, i: gt.scan(lambda c, k: (c + x[k], c), 0.0, i), V, np.array([0, -1, 3])),
}  # fmt: skip


@pytest.mark.parametrize("case", [*SMOOTH, *OTHERS])
def test_control_flow_is_native(case):
    f, *args = {**SMOOTH, **OTHERS}[case]
    assert steps(check(f, *args)) == []


@pytest.mark.parametrize("case", SMOOTH)
def test_its_gradient_is_native(case):
    f, *args = SMOOTH[case]
    made = check(gt.grad(lambda *a: sum(np.sum(y * y) for y in flatten(f(*a))[0])), *args)
    assert steps(made) == []


@pytest.mark.parametrize("case", ["while", "no turn", "while of a vector", "scan", "nested"])
def test_its_second_derivative_is_native(case):
    f, *args = SMOOTH[case]

    def total(f):
        return lambda *a: sum(np.sum(y * y) for y in flatten(f(*a))[0])

    assert steps(check(gt.grad(total(gt.grad(total(f)))), *args)) == []


def test_a_program_of_turns_is_one_native_call():
    graph, inputs = graph_of(SMOOTH["products"][0], M, W)
    program = segments.compile_graph(graph)
    assert len(program.steps) == 1
    assert len(inputs) == 2


def test_a_function_that_numpy_has_to_run_stays_with_numpy():
    made = check(lambda x: gt.fori_loop(0, 3, lambda i, c: np.sort(c) * 1.1, x), V)
    assert steps(made) == ["scan"]


def test_one_function_in_two_places_of_a_program():
    def turn(c, v):
        return c * 0.5 + v, c

    def f(x):
        return gt.scan(turn, 0.0, x), gt.scan(turn, 1.0, x * 2.0)

    assert steps(check(f, V)) == []
    assert steps(check(gt.grad(lambda x: f(x)[0][0] * f(x)[1][0]), V)) == []


def test_large_loops_inside_of_turns_run_in_parts():
    x = R.normal(size=100_000)

    def f(x):
        return gt.fori_loop(0, 4, lambda i, c: np.sin(c) + c / (1.0 + np.sum(c * c)), x)

    assert steps(check(f, x)) == []


def test_an_index_out_of_range_ends_a_while_loop():
    @gt.function
    def f(x, i):
        return gt.while_loop(lambda c: c[0] < 10.0, lambda c: (c[0] + x[c[1]], c[1] + 1), (0.0, i))

    x = np.full(20, 1.0)
    assert f(x, np.int64(0))[0] == 10.0
    with pytest.raises(IndexError, match="20 is out of bounds"):
        f(np.zeros(20), np.int64(0))


def test_variables_assigned_in_turns():
    w = gt.Variable(np.zeros(3))

    @gt.function
    def f(x):
        def turn(i, c):
            w.assign_add(x * i)
            return c + w[0]

        return gt.fori_loop(0, 4, turn, 0.0)

    assert f(np.ones(3)) == 0 + 1 + 3 + 6
    np.testing.assert_array_equal(gt.value(w), [6.0] * 3)
