"""Control flow under every transform: eagerly, of compiled functions, compiled, and both."""

import numpy as np
import pytest

import gradtape as gt
from gradtape.core.tree import flatten

X = np.linspace(-1.0, 1.0, 4) + 0.1
T = X[::-1].copy()
W = np.random.default_rng(0).normal(size=(4, 4)) / 3
S = np.array([[1.0], [2.0], [-1.0]])


def choice(x):
    return gt.cond(x.sum() > 0, lambda: np.sin(x) * x[0], lambda: x**2 * 3.0)


def recurrence(x):
    def step(c, t):
        c = np.tanh(W @ c) + t * x
        return c, c * t

    c, ys = gt.scan(step, x, np.array([0.1, 0.2, 0.3]))
    return c + ys.sum(axis=0)


def backwards_with_a_count(x):
    def step(c, t):
        return (c[0] * t, c[1] + 1), np.sin(c[0])

    (c, _), ys = gt.scan(step, (x[0], 0), x, reverse=True)
    return ys * c


def counted(x):
    return gt.fori_loop(0, 3, lambda i, c: np.sin(c) * x + i, np.ones(4))


def until(x):
    return gt.while_loop(lambda c: np.sum(c * c) < 30.0, lambda c: c * 1.5 + x * x, x)


FUNCTIONS = [choice, recurrence, backwards_with_a_count, counted, until]


def compiled(f):
    return gt.function(f, backend="numpy")


def squared(f):
    return lambda x: np.sum(f(x) ** 2)


def rows(f):
    return np.stack([f(x) for x in X * S])


# name -> (the transform of f, what it gives at X by Python's control flow and without a batch)
TRANSFORMS = {
    "grad": (lambda f: gt.grad(squared(f)), None),
    "jvp": (lambda f: lambda x: gt.jvp(f, (x,), (T,)), None),
    "jacobian forward": (lambda f: gt.jacobian(f, mode="forward"), None),
    "jacobian reverse": (lambda f: gt.jacobian(f, mode="reverse"), None),
    "hessian": (lambda f: gt.hessian(squared(f)), None),
    "jvp of grad": (lambda f: lambda x: gt.jvp(gt.grad(squared(f)), (x,), (T,)), None),
    "grad of jvp": (lambda f: gt.grad(squared(lambda x: gt.jvp(f, (x,), (T,))[1])), None),
    "jvp of jvp": (
        lambda f: lambda x: gt.jvp(lambda y: gt.jvp(f, (y,), (T,))[1], (x,), (T,)),
        None,
    ),
    "vmap": (lambda f: lambda x: gt.vmap(f)(x * S), rows),
    "vmap of grad": (
        lambda f: lambda x: gt.vmap(gt.grad(squared(f)))(x * S),
        lambda f: rows(gt.grad(squared(f))),
    ),
    "grad of vmap": (
        lambda f: gt.grad(lambda x: np.sum(gt.vmap(f)(x * S) ** 2)),
        lambda f: sum(gt.grad(squared(f))(X * s) * s for s in S),
    ),
    "vmap of jvp": (
        lambda f: lambda x: gt.vmap(lambda y: gt.jvp(f, (y,), (T,))[1])(x * S),
        lambda f: rows(lambda x: gt.jvp(f, (x,), (T,))[1]),
    ),
    "jvp of vmap": (
        lambda f: lambda x: gt.jvp(lambda y: gt.vmap(f)(y * S), (x,), (T,))[1],
        lambda f: np.stack([gt.jvp(f, (X * s,), (T * s,))[1] for s in S]),
    ),
}  # fmt: skip


@pytest.mark.parametrize("f", FUNCTIONS)
@pytest.mark.parametrize("name", TRANSFORMS)
def test_control_flow_under_every_transform(f, name):
    make, reference = TRANSFORMS[name]
    expected = flatten(make(f)(X) if reference is None else reference(f))[0]
    ways = {
        "eager": lambda: make(f),
        "inside": lambda: make(compiled(f)),
        "outside": lambda: compiled(make(f)),
        "both": lambda: compiled(make(compiled(f))),
    }
    for way, build in ways.items():
        for a, b in zip(flatten(build()(X))[0], expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12, err_msg=way)


@pytest.mark.parametrize("around", [lambda f: f, compiled])
def test_examples_of_a_while_loop_end_each_at_its_turn(around):
    """Three examples need 0, 2 and 5 turns; those that have ended keep their carry."""

    def f(x):
        return gt.while_loop(lambda c: c[0] < 32.0, lambda c: (c[0] * 2.0, c[1] + 1), (x, 0))

    values, turns = around(gt.vmap(f))(np.array([40.0, 8.0, 1.0]))
    assert values.tolist() == [40.0, 32.0, 32.0]
    assert turns.tolist() == [0, 2, 5]


@pytest.mark.parametrize("around", [lambda f: f, compiled])
def test_a_branch_that_an_example_does_not_take_does_not_spoil_it(around):
    def f(x):
        return gt.cond(x > 0, lambda: np.sqrt(x), lambda: -x)

    xs = np.array([4.0, -1.0, 0.0])
    np.testing.assert_array_equal(around(gt.vmap(f))(xs), [2.0, 1.0, 0.0])
    np.testing.assert_array_equal(around(gt.vmap(gt.grad(f)))(xs), [0.25, -1.0, -1.0])


@pytest.mark.parametrize("around", [lambda f: f, compiled])
def test_a_loop_with_a_number_of_turns_for_each_example(around):
    f = lambda n, x: gt.fori_loop(0, n, lambda i, c: c * x, 1.0)  # noqa: E731
    found = around(gt.vmap(f, in_axes=(0, None)))(np.array([0, 1, 3]), np.array(2.0))
    assert found.tolist() == [1.0, 2.0, 8.0]


def test_only_what_moves_is_carried_forward():
    """The tangent of a carry that depends on nothing that moves is not computed."""

    def f(x):
        def step(c, _):
            return (c[0] * 2.0, c[1] * x), None

        return gt.scan(step, (np.ones(4), x), length=3)[0][1]

    inner = compiled(lambda x: gt.jvp(f, (x,), (T,))[1])
    assert "scan(" in inner.graph(X)
    (line,) = [line for line in inner.graph(X).splitlines() if "scan(" in line]
    assert line.count("float64[4], ") + line.count("float64[4] =") == 3  # two values, one tangent


def test_a_condition_of_what_is_around_and_of_what_is_carried():
    def f(x):
        is_large = x > 0.5
        return gt.fori_loop(
            0, 3, lambda i, c: np.where(np.logical_and(is_large, c < 2.0), c + 1.0, c), x
        )

    x = np.array([0.0, 1.0, 2.0])
    np.testing.assert_array_equal(compiled(f)(x), f(x))


def test_loops_without_a_turn_have_batches():
    def end(x):
        return np.sum(gt.fori_loop(0, 0, lambda i, c: c * np.sum(c), x) * x)

    def stacked(x):
        c, ys = gt.scan(lambda c, _: (c * 2, c * np.sum(c)), x, length=0)
        assert ys.shape == (0, *x.shape)
        return np.sum(ys * x) + np.sum(c)

    batch = X * S
    for f, expected in ((end, 2 * batch), (stacked, np.ones_like(batch))):
        for ours in (gt.vmap(gt.grad(f)), gt.function(gt.vmap(gt.grad(f))),
                     gt.vmap(gt.grad(gt.function(f)))):  # fmt: skip
            np.testing.assert_array_equal(ours(batch), expected)


COUNTED = {
    "while, an integer": lambda v: gt.while_loop(
        lambda c: c[1] < 3, lambda c: (np.sin(c[0]) * 1.5, c[1] + 1), (v, 0)
    )[0],
    "while, a float": lambda v: gt.while_loop(
        lambda c: c[1] < 3.0, lambda c: (np.sin(c[0]) * c[1], c[1] + 1.0), (v, 0.5)
    )[0],
    "fori": lambda v: gt.fori_loop(0, 3, lambda i, c: (np.sin(c[0]) * i, c[1] + 1), (v, 2))[0],
    "scan": lambda v: gt.scan(lambda c, r: ((c[0] * r, c[1] + 1), c[0] * c[1]), (v[0], 1), v)[1],
}
COUNTED_DERIVATIVES = {
    "jvp": lambda f, v: gt.jvp(f, (v,), (np.ones(3),))[1],
    "forward": lambda f, v: gt.jacobian(f, mode="forward")(v),
    "hvp": lambda f, v: gt.jvp(gt.grad(lambda v: np.sum(f(v))), (v,), (np.ones(3),))[1],
    "mapped jvp": lambda f, v: gt.vmap(lambda v: gt.jvp(f, (v,), (v,))[1])(v[None]),
    "jvp of a map": lambda f, v: gt.jvp(gt.vmap(f), (v[None],), (v[None],))[1],
    "gradient": lambda f, v: gt.grad(lambda v: np.sum(f(v)))(v),
}


@pytest.mark.parametrize("loop", COUNTED.values(), ids=COUNTED)
@pytest.mark.parametrize("derivative", COUNTED_DERIVATIVES.values(), ids=COUNTED_DERIVATIVES)
def test_loops_that_count_in_numbers_of_pythons_have_derivatives(derivative, loop):
    x = np.array([0.5, 0.7, 0.9])
    eager = derivative(loop, x)
    for backend in ("llvm", "numpy"):
        program = gt.function(lambda x: derivative(loop, x), backend=backend)
        np.testing.assert_allclose(program(x), eager, rtol=1e-12)


def test_a_branch_in_a_body_compares_values_of_two_levels_around_it():
    """The comparison went to the trace of its first operand, which does not know the row."""
    x = np.array([0.5, 0.7, 0.9])
    branches = {
        "where": lambda s, r: np.where(s > r, s, r),
        "product": lambda s, r: (s > r) * r,
        "other way": lambda s, r: np.where(r > s, s, r * s),
    }
    for branch in branches.values():

        def f(x, s, branch=branch):
            def body(c, r):
                return c * s, gt.cond(c > 0.4, lambda: s * 0.5, lambda: branch(s, r))

            return gt.scan(body, x[0] * 1.0, x)[1]

        for backend in ("llvm", "numpy"):
            np.testing.assert_allclose(gt.function(f, backend=backend)(x, 0.6), f(x, 0.6))
        slope = gt.grad(lambda x, s: np.sum(f(x, s)), (0, 1))
        for got, want in zip(gt.function(slope)(x, 0.6), slope(x, 0.6), strict=True):
            np.testing.assert_allclose(got, want)


def test_what_a_branch_reads_of_bare_values_is_read_in_that_branch():
    """An index of the branch that is not taken was looked up all the same."""

    def f(x, i):
        return gt.cond(i[0] < 3, lambda: x[i[0]] * 1.0, lambda: x[i[0] - 3] + (x > 0)[i[0] - 3])

    x = np.array([1.0, 2.0, 3.0])
    for backend in ("llvm", "numpy"):
        compiled = gt.function(f, backend=backend)
        for i in (0, 2, 4):
            assert compiled(x, np.array([i])) == f(x, np.array([i]))
