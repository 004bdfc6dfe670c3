"""What stands for a function (a rule, a stopped value) under transforms inside transforms.

The reference is the same nest of transforms around the function written plainly, or mathematics.
"""

import numpy as np
import pytest

import gradtape as gt

X, V, W = np.array([0.3, 0.7, -0.4]), np.array([1.0, 2.0, -0.5]), np.array([0.5, -1.0, 2.0])


def jvp(f):
    return lambda x: gt.jvp(f, (x,), (V,))[1]


def grad(f):
    return gt.grad(lambda x: np.sum(f(x) * W))


def each(f):
    return lambda x: np.sum(gt.vmap(f)(gt.stack([x, 2.0 * x])), axis=0)


def pushed(f):
    def of(x):
        x = x if isinstance(x, gt.Tensor) else gt.array(x)
        with gt.ForwardAccumulator(x, V) as acc:
            y = f(x)
        return acc.jvp(y)

    return of


def linear(f):
    return lambda x: gt.linearize(f, x)[1](x * V)


def columns(f):
    return lambda x: gt.jacobian(f, mode="forward", chunk_size=2)(x) @ V


def compiled(f):
    return gt.function(lambda x: f(x))


OUTER = [jvp, grad, each, pushed, linear, columns, compiled]


def close(actual, desired):
    np.testing.assert_allclose(gt.value(actual), gt.value(desired), rtol=1e-10, atol=1e-12)


@gt.custom_gradient
def by_rule(x, y):
    return np.sin(x) * y, lambda ct: (ct * np.cos(x) * y, ct * np.sin(x))


@gt.custom_gradient
def by_residual(x, y):
    """Its rule reads what was computed before the cotangent came."""
    sine, slope = np.sin(x), np.cos(x) * y
    return sine * y, lambda ct: (ct * slope, ct * sine)


@pytest.mark.parametrize("rule", [by_rule, by_residual])
@pytest.mark.parametrize("first", OUTER)
@pytest.mark.parametrize("second", OUTER)
def test_a_rule_of_cotangents_in_two_transforms(first, second, rule):
    close(
        second(first(lambda x: rule(x, x[::-1]) * x))(X),
        second(first(lambda x: np.sin(x) * x[::-1] * x))(X),
    )


THREE = [
    (each, jvp, jvp), (jvp, jvp, each), (jvp, each, grad), (grad, jvp, each), (columns, each, jvp),
    (jvp, each, each), (grad, each, grad), (grad, each, pushed), (grad, grad, each),
]  # fmt: skip


@pytest.mark.parametrize("outer", THREE)
@pytest.mark.parametrize("rule", [by_rule, by_residual])
def test_a_rule_of_cotangents_in_three_transforms(outer, rule):
    f, plain = lambda x: rule(x, W) * x, lambda x: np.sin(x) * W * x
    for transform in outer:
        f, plain = transform(f), transform(plain)
    close(f(X), plain(X))


STOPPED = [
    *((f,) for f in OUTER[:-1]), (jvp, each), (each, jvp), (compiled, jvp), (compiled, each, jvp),
    (jvp, compiled), (jvp, jvp), (grad, jvp),
]  # fmt: skip


@pytest.mark.parametrize("outer", STOPPED)
def test_a_stopped_value_does_not_move(outer):
    """The derivative of `constant * x` where it was stopped, in every mode."""
    stopped, fixed = lambda x: gt.stop_gradient(np.exp(x)) * x**2, lambda x: np.exp(X) * x**2
    twice = np.stack([X, 2 * X])
    if each in outer:
        want = sum(np.exp(z) * 2 * z * V * k for z, k in zip(twice, (1, 2), strict=True))
        if outer[-1] is jvp:
            want = sum(np.exp(z) * 2 * z * V for z in twice)
    else:
        want = fixed
        for transform in reversed(outer):
            want = transform(want)
        want = want(X)
    if outer == (each,):
        want = sum(np.exp(z) * z**2 for z in twice)
    f = stopped
    for transform in reversed(outer):
        f = transform(f)
    close(f(X), want)


def test_a_stopped_value_in_second_derivatives():
    def f(x):
        return np.sum(gt.stop_gradient(x) * x**2)

    close(gt.hvp(f, (X,), (V,)), 2 * X * V)
    close(gt.hessian(f)(X), np.diag(2 * X))
    close(gt.jacobian(lambda x: gt.stop_gradient(x) * x, mode="forward")(X), np.diag(X))


READ = [
    np.exp, np.tanh, np.sqrt, lambda x: np.linalg.inv(np.diag(x)),
    lambda x: np.split(np.exp(x), 3)[1] * x,
    lambda x: gt.function(lambda a: (np.exp(a), np.tanh(a)))(x)[1],
]  # fmt: skip


@pytest.mark.parametrize("f", READ)
@pytest.mark.parametrize("around", [grad, jvp, pushed])
def test_an_accumulator_whose_rule_reads_the_result(f, around):
    """A tape around sees that the tangent depends on it."""
    x, w = np.abs(X), 3.0

    def loss(derivative):
        return lambda x: np.sum(derivative(f)(x) * w) * W

    close(around(loss(pushed))(x), around(loss(jvp))(x))


def test_compiled_an_accumulator_whose_rule_reads_the_result():
    close(compiled(grad(pushed(np.exp)))(X), np.exp(X) * V * W)


def replaced(x):
    y = x * 1.0
    y[np.argmax(x)] = x[0] * x[1]
    return y * x


PICKED = {
    "replaced": replaced,
    "sort": np.sort,
    "largest": lambda x: x[np.argmax(x)] * x,
    "along": lambda x: np.take_along_axis(x, np.argsort(x), axis=0) * W,
    "running": lambda x: np.maximum.accumulate(x) * W,
}


@pytest.mark.parametrize("f", PICKED.values(), ids=PICKED)
@pytest.mark.parametrize("inner", [jvp, grad, columns, lambda f: gt.jacobian(f, mode="reverse")])
def test_an_index_of_each_example_in_derivatives(f, inner):
    """Elements are picked by another index in each example, and their tangents with them."""
    xs = np.stack([X, X[::-1] * 1.5])
    close(gt.vmap(inner(f))(xs), np.stack([gt.value(inner(f)(x)) for x in xs]))
    close(compiled(gt.vmap(inner(f)))(xs), np.stack([gt.value(inner(f)(x)) for x in xs]))


@pytest.mark.parametrize("outer", [columns, each, lambda f: gt.jacobian(f, mode="reverse")])
def test_a_scan_in_segments_in_a_batch_of_cotangents(outer):
    def f(x, **options):
        def body(c, r):
            return np.tanh(c * r + x), c[0]

        carry, ys = gt.scan(body, x, gt.stack([x, x * 2.0, x, x]), **options)
        return carry + np.sum(ys)

    of = outer(lambda x: gt.grad(lambda z: np.sum(f(z, checkpoint=2) * W))(x))
    plain = outer(lambda x: gt.grad(lambda z: np.sum(f(z) * W))(x))
    close(of(X), plain(X))
    close(outer(lambda x: f(x, checkpoint=2))(X), outer(f)(X))


CHOSEN = {
    "branch": lambda f: lambda x: gt.cond(x[0] > -9.0, lambda: f(x, W), lambda: x),
    "loop": lambda f: (
        lambda x: gt.while_loop(
            lambda c: c[1] < 2.0 + 0.0 * c[0][0], lambda c: (f(c[0], x), c[1] + 1.0), (x, 0.0)
        )[0]
    ),
}


@pytest.mark.parametrize(
    "outer", [(jvp, each), (each, each, grad), (each, grad, each), (grad, each)]
)
@pytest.mark.parametrize("way", CHOSEN.values(), ids=CHOSEN)
def test_a_checkpoint_in_a_branch_in_two_transforms(way, outer):
    again, plain = way(gt.checkpoint(lambda x, y: np.sin(x) * y)), way(lambda x, y: np.sin(x) * y)
    for transform in reversed(outer):
        again, plain = transform(again), transform(plain)
    close(again(X), plain(X))


@pytest.mark.parametrize("backend", ["llvm", "numpy"])
def test_a_number_of_pythons_alone_is_computed_with(backend):
    """Rules look at the shape and dtype of what they are given."""

    def f(x):
        return np.var(x), np.mean(x), np.linalg.norm(x), np.flip(x), np.interp(x, [0.0, 3.0], W[:2])

    found = gt.function(f, backend=backend)(2.5)
    np.testing.assert_allclose(found, f(2.5), rtol=1e-15)


def test_compiled_second_derivatives_of_a_determinant():
    def f(x):
        return np.linalg.det(np.outer(x, x) + np.eye(3)) ** 2

    close(compiled(lambda x: gt.hvp(f, (x,), (V,)))(X), gt.hvp(f, (X,), (V,)))


def test_compiled_a_sum_of_some_that_begins_with_a_number():
    mask = np.array([[True, False, True], [False, True, True]])
    x = np.stack([X, V])
    for f in (np.sum, np.prod):
        found = compiled(lambda x, f=f: f(x, axis=0, where=mask, initial=2.0))(x)
        close(found, f(x, axis=0, where=mask, initial=2.0))


def test_compiled_interpolation_between_known_points():
    knots, heights = np.array([-1.0, 0.0, 0.5, 1.0]), np.array([1.0, 0.0, 2.0, 3.0])
    f = compiled(lambda x: np.interp(x, knots, heights))
    close(f(X), np.interp(X, knots, heights))
    close(gt.grad(lambda x: np.sum(f(x)))(X), [4.0, 2.0, -1.0])
    close(gt.vmap(jvp(f))(np.stack([X, X])), np.array([[4.0, 2.0, -1.0]] * 2) * V)


@gt.custom_gradient
def shaken(x):
    """Its rule has the numbers that were drawn for the value."""
    numbers = gt.random.normal(size=3)
    return x * numbers, lambda ct: ct * numbers


@pytest.mark.parametrize("f", [shaken, gt.checkpoint(lambda x: x * gt.random.normal(size=3))])
def test_a_rule_draws_once(f):
    def both(x):
        return gt.value_and_grad(lambda z: np.sum(f(z)))(x)

    gt.random.seed(7)
    numbers = gt.random.normal(size=3)
    gt.random.seed(7)
    (value, slope), (tangent, _) = gt.jvp(both, (X,), (V,))
    close(value, np.sum(X * numbers))
    close(slope, numbers)
    close(tangent, np.sum(V * numbers))
    gt.random.seed(7)
    close(grad(each(lambda x: jvp(f)(x)))(X), np.zeros(3))
    gt.random.seed(7)
    value, inner = gt.jvp(lambda x: gt.jvp(f, (x,), (V,)), (X,), (V,))[0]
    close(value, X * numbers)
    close(inner, V * numbers)


@pytest.mark.parametrize("inner", [grad, lambda f: gt.jacobian(f, mode="reverse")])
def test_a_number_written_where_a_mask_holds_gets_its_gradient(inner):
    """How many are written is known to nobody while tracing, nor is it the same in a batch."""

    def f(x):
        y = x * 1.0
        y[x > 0.2] = x[0] * 2.0
        return y * x

    def plain(x):
        return np.where(x > 0.2, x[0] * 2.0, x) * x

    xs = np.stack([X, X[::-1], -X])
    want = np.stack([gt.value(inner(plain)(x)) for x in xs])
    close(np.stack([gt.value(inner(f)(x)) for x in xs]), want)
    close(gt.vmap(inner(f))(xs), want)
    close(np.stack([compiled(inner(f))(x) for x in xs]), want)
    close(np.stack([inner(compiled(f))(x) for x in xs]), want)
    close(compiled(gt.vmap(inner(f)))(xs), want)
