"""Rules of the user's inside a program: derivatives from outside, from inside and both use them."""

import numpy as np
import pytest

import gradtape as gt
from gradtape.core.tree import flatten
from gradtape.errors import DTypeError, GradientWarning, ShapeError, TracingError

X = np.array([0.3, -1.2, 0.7])
XS = np.stack([X, X * 2.0])


def compiled(f):
    return gt.function(f, backend="numpy")


@gt.custom_gradient
def scaled(x):
    """A rule that is not the derivative, and that uses what the function computed."""
    e = np.exp(x)
    return np.sin(x) * e, lambda ct: ct * x * e * 3.0


@gt.custom_jvp
def softplus(x):
    return np.log(1.0 + np.exp(x))


@softplus.defjvp
def _(primals, tangents):
    (x,), (t,) = primals, tangents
    return softplus(x), 2.0 * t * (1.0 - 1.0 / (1.0 + np.exp(x)))


@gt.custom_gradient
def two(x, y):
    return {"p": x * y, "q": (x + y,)}, lambda p, q: (p * 2.0 + q, q * 5.0)


def _two(x):
    out = two(x * 1.0, np.cos(x))
    return out["p"] * out["q"][0]


FUNCTIONS = {
    "custom_gradient": lambda x: scaled(x * 1.0) ** 2,
    "custom_jvp": lambda x: softplus(x * 2.0) ** 2,
    "several": _two,
    "pass_through": lambda x: gt.grad_pass_through(np.round)(x) * x,
    "stop_gradient": lambda x: gt.stop_gradient(np.sin(x)) * x + x**3,
    "checkpoint": lambda x: gt.checkpoint(lambda y: np.tanh(np.sin(y) * y))(x) * x,
    "inside a rule": lambda x: gt.custom_gradient(
        lambda y: (scaled(y) * 2.0, lambda ct: ct * scaled(y))
    )(x * 1.0),
    "in a loop": lambda x: gt.fori_loop(0, 2, lambda i, c: scaled(c) + x, x * 1.0),
    "in a branch": lambda x: gt.cond(np.sum(x) < 9.0, lambda: scaled(x * 1.0), lambda: x),
}
TRANSFORMS = {
    "value": lambda f: f,
    "grad": lambda f: gt.grad(lambda x: np.sum(f(x))),
    "grad of grad": lambda f: gt.grad(lambda x: np.sum(gt.grad(lambda y: np.sum(f(y)))(x) ** 2)),
    "jvp": lambda f: lambda x: gt.jvp(f, (x,), (X * 2.0,)),
    "jacobian": lambda f: gt.jacobian(f),
    "hessian": lambda f: gt.hessian(lambda x: np.sum(f(x))),
    "jvp of grad": lambda f: lambda x: gt.jvp(gt.grad(lambda y: np.sum(f(y))), (x,), (X,)),
    "grad of jvp": lambda f: gt.grad(lambda x: np.sum(gt.jvp(f, (x,), (X,))[1])),
    "vmap": lambda f: lambda x: gt.vmap(f)(x * np.array([[1.0], [2.0]])),
    "vmap of grad": lambda f: (
        lambda x: gt.vmap(gt.grad(lambda y: np.sum(f(y))))(x * np.array([[1.0], [2.0]]))
    ),
    "grad of vmap": lambda f: gt.grad(
        lambda x: np.sum(gt.vmap(f)(x * np.array([[1.0], [2.0]])) ** 2)
    ),
}


@pytest.mark.parametrize("rule", FUNCTIONS)
@pytest.mark.parametrize("name", TRANSFORMS)
def test_the_rule_is_used_wherever_the_derivative_is_taken(rule, name):
    f, make = FUNCTIONS[rule], TRANSFORMS[name]
    expected = flatten(make(f)(X))[0]
    for found in (make(compiled(f)), compiled(make(f)), compiled(make(compiled(f)))):
        for a, b in zip(flatten(found(X))[0], expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


def test_the_rule_and_not_the_derivative_of_what_is_computed():
    found = gt.grad(compiled(lambda x: np.sum(scaled(x))))(X)
    np.testing.assert_allclose(found, X * np.exp(X) * 3.0)
    np.testing.assert_allclose(gt.jvp(compiled(scaled), (X,), (X,))[1], X * X * np.exp(X) * 3.0)


def test_a_rule_may_use_what_the_function_around_it_knows():
    def by_jvp(x, k):
        @gt.custom_jvp
        def g(y):
            return y * k

        @g.defjvp
        def _(primals, tangents):
            return primals[0] * k, tangents[0] * k * 2.0

        return np.sum(g(x))

    def by_gradient(x, k):
        scale = gt.stop_gradient(k) * 2.0
        return np.sum(gt.custom_gradient(lambda y: (y * 3.0, lambda ct: ct * scale))(x))

    k = np.array(2.0)
    for f in (by_jvp, by_gradient):
        assert gt.grad(f)(X, k).tolist() == [4.0] * 3
        assert gt.grad(compiled(f))(X, k).tolist() == [4.0] * 3
        assert compiled(gt.grad(f))(X, k).tolist() == [4.0] * 3
        assert float(gt.jvp(compiled(f), (X, k), (np.ones(3), None))[1]) == 12.0


def test_variables_of_a_rule():
    w = gt.Variable([1.0, 2.0, 3.0])

    @gt.custom_gradient
    def f(x):
        return x * w, lambda ct, variables: (ct * 5.0, [ct * 7.0])

    def gradient(f, x):
        with gt.GradientTape() as tape:
            tape.watch(x)
            y = np.sum(f(x) * 2.0)
        return [g.numpy().tolist() for g in tape.gradient(y, [x, w])]

    for made in (f, compiled(f)):
        assert gradient(made, gt.array(X)) == [[10.0] * 3, [14.0] * 3]


def test_a_checkpoint_reads_variables():
    w = gt.Variable([1.0, 2.0, 3.0])
    block = gt.checkpoint(lambda x: np.sin(np.tanh(x * w) * x))

    def gradient(f):
        with gt.GradientTape() as tape:
            y = np.sum(f(X) ** 2)
        return tape.gradient(y, w).numpy()

    np.testing.assert_allclose(gradient(compiled(block)), gradient(block), rtol=1e-12)
    np.testing.assert_allclose(compiled(lambda: gradient_of(block, w))(), gradient(block))


def gradient_of(f, w):
    with gt.GradientTape() as tape:
        y = np.sum(f(X) ** 2)
    return tape.gradient(y, w)


def test_a_function_with_a_rule_is_no_obstacle_to_a_program():
    """In the program stands what the function computes, not a call of it."""
    f = gt.function(lambda x: np.sum(scaled(x)))
    (program,) = [f(X), *f.programs.values()][1:]
    assert "scaled" in f.graph(X)
    calls = []

    @gt.custom_gradient
    def g(x):
        calls.append(1)
        return x * 2.0, lambda ct: ct

    h = gt.function(g)
    h(X)
    count = len(calls)
    h(X)
    gt.grad(lambda x: np.sum(h(x)))(X)
    assert len(calls) == count
    assert program is not None


@pytest.mark.parametrize(
    ("rule", "error", "said"),
    [
        (lambda ct: (ct, ct), ShapeError, "expected to return 1 gradients, but returned 2"),
        (lambda ct: np.ones(7), ShapeError, r"shape \(7,\), its input \(3,\)"),
    ],
)
def test_a_wrong_rule_is_refused_when_the_gradient_is_taken(rule, error, said):
    f = compiled(gt.custom_gradient(lambda x: (x * 2.0, rule)))
    np.testing.assert_array_equal(f(X), X * 2.0)
    with pytest.raises(error, match=said):
        gt.grad(lambda x: np.sum(f(x)))(X)


def test_a_rule_that_takes_no_variables_is_refused():
    w = gt.Variable(2.0)
    f = compiled(gt.custom_gradient(lambda x: (x * w, lambda ct: ct)))
    with pytest.raises(DTypeError, match="must accept keyword argument 'variables'"):
        gt.grad(lambda x: np.sum(f(x)))(X)


def test_what_a_function_with_a_rule_takes_from_around_it_is_told():
    def f(x):
        k = x * 2.0
        return np.sum(gt.custom_gradient(lambda y: (y * k, lambda ct: ct * k))(x))

    for made in (gt.grad(f), compiled(gt.grad(f))):
        with pytest.warns(GradientWarning, match="custom_gradient"):
            made(X)


def test_what_moves_around_a_rule_is_refused_and_never_handed_out():
    """Its value was the tangent's own object, which the caller got as a result."""

    def by_gradient(x):
        return gt.custom_gradient(lambda y: (y * x, lambda ct: ct * x))(x)

    def by_jvp(x):
        g = gt.custom_jvp(lambda y: y * x)
        g.defjvp(lambda primals, tangents: (primals[0] * x, tangents[0] * x))
        return g(x)

    for f in (by_gradient, by_jvp):
        with pytest.raises(TracingError, match="without having it as argument"):
            gt.jvp(f, (X,), (X,))
    with pytest.raises(TracingError, match="without having it as argument"):
        gt.vmap(by_jvp)(X)
    assert gt.vmap(by_gradient)(X).tolist() == (X * X).tolist()


def test_a_rule_on_a_tape_inside_jvp():
    """Forward over reverse, eagerly: the rule's own derivative."""
    s = lambda x: np.sum(scaled(x * 1.0) ** 2)  # noqa: E731
    y, rule, slope = np.sin(X) * np.exp(X), 3 * X * np.exp(X), 3 * (1 + X) * np.exp(X)
    for made in (s, compiled(s)):
        along = gt.jvp(gt.grad(made), (X,), (np.ones(3),))[1]
        np.testing.assert_allclose(along, 2 * rule * rule + 2 * y * slope, rtol=1e-12)


# ------------------------------------------------- a rule that calls its own function


@gt.custom_jvp
def itself(x, y):
    CALLS.append(x)
    return np.exp(x) * y


@itself.defjvp
def _(primals, tangents):
    (x, _), (t, u) = primals, tangents
    out = itself(*primals)
    return out, 2.0 * t * out + np.exp(x) * u


CALLS: list = []
ORDERS = {
    "value": (lambda f: f, 0),
    "grad": (gt.grad, 1),
    "jvp": (lambda f: lambda x: gt.jvp(f, (x,), (1.0,))[1], 1),
    "hessian": (gt.hessian, 2),
    "grad of grad": (lambda f: gt.grad(gt.grad(f)), 2),
    "jvp of grad": (lambda f: lambda x: gt.jvp(gt.grad(f), (x,), (1.0,))[1], 2),
    "grad of jvp": (lambda f: gt.grad(lambda x: gt.jvp(f, (x,), (1.0,))[1]), 2),
    "third": (lambda f: gt.grad(gt.grad(gt.grad(f))), 3),
    "vmap": (lambda f: lambda x: gt.vmap(f)(x[None])[0], 0),
    "vmap of grad": (lambda f: lambda x: gt.vmap(gt.grad(f))(x[None])[0], 1),
    "vmap of the second": (lambda f: lambda x: gt.vmap(gt.grad(gt.grad(f)))(x[None])[0], 2),
    "grad of vmap": (lambda f: gt.grad(lambda x: np.sum(gt.vmap(f)(x[None]))), 1),
    "second of vmap": (lambda f: gt.hessian(lambda x: np.sum(gt.vmap(f)(x[None]))), 2),
}
PLACES = {
    "alone": lambda x: itself(x, 3.0),
    "in a branch": lambda x: gt.cond(x > 0, lambda: itself(x, 3.0), lambda: x),
    "in a loop": lambda x: gt.fori_loop(0, 1, lambda i, c: itself(c, 3.0), x),
    "in a scan": lambda x: gt.scan(lambda c, _: (itself(c, 3.0), None), x, None, length=1)[0],
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", ORDERS)
def test_a_rule_that_calls_its_own_function(name, place):
    """Its rule was traced inside itself: to the depth of the stack, twice as often at each."""
    (make, order), f = ORDERS[name], PLACES[place]
    expected = 3.0 * 2.0**order * np.exp(0.5)
    x = np.array(0.5)
    for found in (make(f), make(compiled(f)), compiled(make(f)), compiled(make(compiled(f)))):
        CALLS.clear()
        np.testing.assert_allclose(found(x), expected, rtol=1e-12)
        assert len(CALLS) < 40 * (order + 1)


def test_a_rule_that_calls_its_own_function_and_knows_what_is_around():
    """What the rule reads is read by the node inside it too, which is made before that is known."""

    def by_jvp(x, k, w):
        @gt.custom_jvp
        def g(y):
            return np.exp(y)

        @g.defjvp
        def _(primals, tangents):
            out = g(*primals)
            return out, tangents[0] * out * gt.stop_gradient(k) * w

        return g(x)

    def by_gradient(x, k, w):
        scale = gt.stop_gradient(k * w)

        @gt.custom_gradient
        def g(y):
            return np.exp(y), lambda ct: ct * g(y) * scale

        return g(x)

    for f in (by_jvp, by_gradient):
        for order, make in ((1, gt.grad), (2, ORDERS["grad of grad"][0]), (3, ORDERS["third"][0])):
            expected = 6.0**order * np.exp(0.5)
            for found in (make(f), make(compiled(f)), compiled(make(f))):
                np.testing.assert_allclose(found(0.5, 2.0, 3.0), expected, rtol=1e-12)
        rows = gt.vmap(compiled(gt.grad(gt.grad(f))), in_axes=(0, None, None))(X, 2.0, 3.0)
        np.testing.assert_allclose(rows, 36.0 * np.exp(X), rtol=1e-12)


def test_rules_that_call_each_other():
    sin, cos = gt.custom_jvp(lambda x: np.sin(x)), gt.custom_jvp(lambda x: np.cos(x))
    sin.defjvp(lambda p, t: (sin(*p), 2.0 * t[0] * cos(*p)))
    cos.defjvp(lambda p, t: (cos(*p), -2.0 * t[0] * sin(*p)))
    third = ORDERS["third"][0]
    for found in (third(sin), third(compiled(sin)), compiled(third(sin))):
        np.testing.assert_allclose(found(0.5), -8.0 * np.cos(0.5), rtol=1e-12)


def test_a_rule_that_calls_its_own_function_and_never_reads_the_same_array():
    kept = []

    @gt.custom_jvp
    def g(x):
        return np.exp(x)

    @g.defjvp
    def _(primals, tangents):
        kept.append(gt.Tensor(np.full(3, 2.0)))
        return g(*primals), tangents[0] * kept[-1]

    with pytest.raises(TracingError, match="(?s)other arrays at each call.*outside of the rule"):
        gt.jacobian(compiled(g))(X)
