"""`gt.checkpoint` of functions that use values of the function around them, in every nest."""

import tracemalloc

import numpy as np
import pytest

import gradtape as gt
from gradtape.core.aval import Aval
from gradtape.errors import ExitWarning
from gradtape.graph.trace import trace
from gradtape.passes.pipeline import optimise, prepare

X = np.array([0.3, -0.7, 1.1])
T = np.array([0.5, 1.0, -2.0])
XS = np.array([[0.1, 0.2, 0.3], [-0.4, 0.5, -0.6]])


class Layer:
    def __init__(self, scale):
        self.scale = scale

    def __call__(self, y):
        return np.sin(y * self.scale) * self.scale


# A value from around: as an argument too, computed before, in a container, by an object, in a
# function within a function, alone, and with the result of another checkpoint.
CASES = {
    "argument too": lambda made, x: made(lambda y: np.sin(y * x) * x)(x),
    "computed": lambda made, x: (lambda h: made(lambda y: np.tanh(y * h) + h)(x))(x * x),
    "container": lambda made, x: (lambda d: made(lambda y: y * d["a"][0])(x))({"a": [np.exp(x)]}),
    "object": lambda made, x: made(Layer(x * 2.0))(x),
    "alone": lambda made, x: (lambda h: made(lambda: np.sin(h) * h)())(x * x),
    "nested": lambda made, x: made(lambda y: made(lambda z: np.sin(z * y) * x)(y * y))(x),
    "view": lambda made, x: (lambda h: made(lambda y: y * h)(x[:1]))(x[1:]),
}


EVERY = ("argument too", "nested")  # those that go through every transform


def scalar(name, made):
    return lambda x: np.sum(CASES[name](made, x) ** 2)


TRANSFORMS = {
    "grad": lambda s: gt.grad(s),
    "jvp": lambda s: lambda x: gt.jvp(s, (x,), (T,)),
    "hessian": lambda s: gt.hessian(s),
    "jvp of grad": lambda s: lambda x: gt.jvp(gt.grad(s), (x,), (T,))[1],
    "grad of jvp": lambda s: gt.grad(lambda x: gt.jvp(s, (x,), (T,))[1]),
    "vmap of grad": lambda s: lambda x: gt.vmap(gt.grad(s))(x * XS),
    "grad of vmap": lambda s: gt.grad(lambda x: np.sum(gt.vmap(s)(x * XS))),
}


def close(found, expected):
    for a, b in zip(np.atleast_1d(found), np.atleast_1d(expected), strict=True):
        assert type(a) is type(b)
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(
    ("name", "transform"),
    [(n, t) for n in CASES for t in TRANSFORMS if n in EVERY or t in ("grad", "jvp of grad")],
)
def test_what_a_function_takes_from_around_it_has_its_derivative(name, transform):
    make = TRANSFORMS[transform]
    expected = make(scalar(name, lambda f: f))(X)
    s = scalar(name, gt.checkpoint)
    close(make(s)(X), expected)
    close(make(gt.function(s, backend="numpy"))(X), expected)
    close(gt.function(make(s), backend="numpy")(X), expected)


def test_tapes_and_accumulators_around():
    x, w = gt.Variable(X), gt.Variable(T)
    with gt.ForwardAccumulator(x, T) as acc, gt.GradientTape() as tape:
        h = x * w
        y = np.sum(gt.checkpoint(lambda z: np.sin(z * h) * w)(x))
    a, b = X, T
    c = np.cos(a * a * b) * b
    np.testing.assert_allclose(acc.jvp(y), np.sum(c * 2 * a * b * T), rtol=1e-12)
    dx, dw = tape.gradient(y, [x, w])
    np.testing.assert_allclose(dx, c * 2 * a * b, rtol=1e-12)
    np.testing.assert_allclose(dw, c * a * a + np.sin(a * a * b), rtol=1e-12)


def test_a_value_that_no_tape_follows_stays_a_constant():
    h = gt.array(T)
    assert gt.grad(lambda x: np.sum(gt.checkpoint(lambda y: y * h)(x)))(X).tolist() == T.tolist()


@pytest.mark.parametrize("compiled", [False, True])
def test_integers_and_truth_values_decide_what_is_computed(compiled):
    @gt.checkpoint
    def block(n, y, turns):
        for _ in range(n):
            y = np.sin(y)
        return y[::-1] if turns else y

    f = gt.grad(lambda x: np.sum(block(3, x, True) * T))
    expected = gt.grad(lambda x: np.sum(np.sin(np.sin(np.sin(x)))[::-1] * T))(X)
    close((gt.function(f, backend="numpy") if compiled else f)(X), expected)


def test_indices_are_no_variables():
    index = gt.array([2, 0])
    f = gt.checkpoint(lambda x, i: x[i] * x[:2])
    found = gt.vmap(gt.grad(lambda x, i: np.sum(f(x, i))))(XS, np.array([[2, 0], [1, 1]]))
    np.testing.assert_allclose(found, [[0.5, 0.1, 0.1], [0.5, 0.6, 0.0]])
    assert gt.grad(lambda x: np.sum(f(x, index)))(X).tolist() == [X[2] + X[1], X[0], X[0]]


def test_a_value_that_leaves_inside_is_told():
    with pytest.warns(ExitWarning, match=r"float\(y\) took the value out"):
        assert float(gt.grad(gt.checkpoint(lambda y: y * float(y)))(2.0)) == 2.0


def chain(made):
    w = np.eye(50) / 2

    def block(h):
        for _ in range(8):
            h = np.tanh(h @ w)
        return h

    def f(x):
        h = x
        for _ in range(4):
            h = made(lambda h=h: block(h))()
        return np.sum(h * h)

    return f


def test_a_program_computes_again_what_comes_from_around():
    """Merged with what was computed before, it would save nothing."""
    for made, count in ((lambda f: f, 32), (gt.checkpoint, 64)):
        traced, _ = trace(gt.grad(chain(made)), [Aval((20, 50), np.float64)], "f")
        ops = [node.op.name for node in prepare(optimise(traced.graph)).nodes]
        assert ops.count("tanh") == count


def test_an_eager_tape_keeps_less_of_what_comes_from_around():
    x, sizes = gt.Variable(np.ones((200, 50))), []
    for made in (lambda f: f, gt.checkpoint):
        tracemalloc.start()
        with gt.GradientTape() as tape:
            y = chain(made)(x)
        sizes.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        del tape, y
    assert sizes[1] < 0.3 * sizes[0]


def test_random_numbers_of_a_checkpoint_within_a_checkpoint_are_drawn_once():
    inner = gt.checkpoint(lambda y: y * gt.random.uniform(size=3))

    def f(x):
        return inner(x) * gt.random.uniform(size=3) * x

    gt.random.seed(5)
    y, back = gt.vjp(gt.checkpoint(f), X)
    (found,) = back(np.ones(3))
    np.testing.assert_allclose(found, 2 * y / X, rtol=1e-12)


@pytest.mark.parametrize("made", [gt.checkpoint, lambda f: f])
def test_variables_within_jvp_and_vmap(made):
    w = gt.Variable(T)

    def gradient(x):
        with gt.GradientTape() as tape:
            y = np.sum(made(lambda y: np.sin(y * w))(x))
        return tape.gradient(y, w)

    found = gt.jvp(gradient, (X,), (np.ones(3),))[1]
    np.testing.assert_allclose(found, np.cos(X * T) - X * T * np.sin(X * T), rtol=1e-12)
    np.testing.assert_allclose(gt.vmap(gradient)(XS), np.cos(XS * T) * XS, rtol=1e-12)
