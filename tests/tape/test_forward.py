"""ForwardAccumulator, recompute_grad and checkpoint, grad_pass_through, custom rules forwards."""

import tracemalloc

import numpy as np
import pytest

import gradtape as gt
from gradtape.errors import DTypeError, ShapeError, TapeStateError

X, V = np.array([0.3, 1.2, 0.7]), np.array([1.0, -2.0, 0.5])


def value(x):
    return np.asarray(gt.value(x))


# ------------------------------------------------------------------------ ForwardAccumulator


def test_tangents_by_lookup_inside_and_after():
    x, w = gt.Variable(X), gt.array(2.0)
    with gt.ForwardAccumulator([x, {"w": w}], [V, {"w": 1.0}]) as acc:
        y = np.sin(x) * w
        inside = acc.jvp(y)
    expected = 2 * np.cos(X) * V + np.sin(X)
    np.testing.assert_allclose(value(inside), expected)
    np.testing.assert_allclose(value(acc.jvp({"y": y})["y"]), expected)
    np.testing.assert_allclose(value(acc.jvp(x)), V)
    assert acc.jvp(gt.array(1.0)) is None
    assert value(acc.jvp(gt.array(X), unconnected_gradients="zero")).tolist() == [0, 0, 0]
    never = gt.ForwardAccumulator(x, V)
    assert never.jvp(np.sin(x)) is None


def test_forward_over_reverse_is_a_product_with_the_hessian():
    x = gt.Variable(X)
    with gt.ForwardAccumulator(x, V) as acc:
        with gt.GradientTape() as tape:
            y = np.sum(x**3) * x[0]
        g = tape.gradient(y, x)
    hessian = gt.hessian(lambda x: np.sum(x**3) * x[0])(X)
    np.testing.assert_allclose(value(acc.jvp(g)), hessian @ V)


def test_reverse_over_forward_and_forward_over_forward():
    x = gt.Variable(X)
    with gt.GradientTape() as tape:
        with gt.ForwardAccumulator(x, V) as acc:
            y = np.sum(x**3)
        t = acc.jvp(y)
    np.testing.assert_allclose(value(tape.gradient(t, x)), 6 * X * V)
    with gt.ForwardAccumulator(x, V) as outer, gt.ForwardAccumulator(x, V) as inner:
        y = np.sum(x**3)
    np.testing.assert_allclose(value(outer.jvp(inner.jvp(y))), np.sum(6 * X * V * V))


def test_the_same_number_is_followed_twice_without_confusion():
    x = gt.Variable(1.0)
    with gt.ForwardAccumulator(x, 1.0) as outer:
        y = gt.array(1.0)
        with gt.ForwardAccumulator(y, 1.0) as inner:
            z = x + y
        product = x * inner.jvp(z)
    assert float(outer.jvp(product)) == 1.0


def test_operations_with_several_outputs_and_writes():
    x = gt.Variable(X)
    with gt.ForwardAccumulator(x, V) as acc:
        whole, part = np.divmod(x * 3, 1.0)
        y = np.zeros(3) * x
        y[1] = x[0] * x[2]
    np.testing.assert_allclose(value(acc.jvp(part)), 3 * V)
    np.testing.assert_allclose(value(acc.jvp(y)), [0, V[0] * X[2] + X[0] * V[2], 0])
    assert whole.shape == (3,)


@pytest.mark.parametrize(
    ("primals", "tangents", "error", "words"),
    [
        (gt.array(X), 1.0, ShapeError, r"shape \(3,\), its tangent \(\)"),
        (X, V, DTypeError, "a primal is 'ndarray'"),
        (gt.array([1, 2]), [1, 2], DTypeError, "int64"),
        ([gt.array(X)], V, ShapeError, "structure of the primals"),
    ],
)
def test_mistakes(primals, tangents, error, words):
    with pytest.raises(error, match=words):
        gt.ForwardAccumulator(primals, tangents)


def test_more_mistakes():
    x = gt.array(X)
    with pytest.raises(ValueError, match="passed twice"):
        gt.ForwardAccumulator([x, x], [V, V])
    acc = gt.ForwardAccumulator(x, V)
    with acc, pytest.raises(TapeStateError, match="active already"):
        acc.__enter__()
    with pytest.raises(DTypeError, match="no Tensor"):
        acc.jvp(3.0)


# ------------------------------------------------------------------- checkpoint, pass-through


def block(x):
    for _ in range(30):
        x = np.sin(x) * 1.01
    return x


def test_checkpoint_gives_all_derivatives():
    f = gt.checkpoint(block)
    np.testing.assert_allclose(gt.jacobian(f)(X), gt.jacobian(block)(X))
    total = lambda g: lambda x: np.sum(g(x) * V)  # noqa: E731
    np.testing.assert_allclose(gt.hessian(total(f))(X), gt.hessian(total(block))(X))
    np.testing.assert_allclose(gt.jvp(f, (X,), (V,))[1], gt.jvp(block, (X,), (V,))[1])


def test_checkpoint_with_variables_trees_and_keywords():
    w = gt.Variable(1.5)

    @gt.recompute_grad
    def f(p, scale=1.0):
        return {"y": np.sin(p["a"] * w) * scale}

    a = gt.Variable(X)
    with gt.GradientTape() as tape:
        y = f({"a": a, "n": "text"}, scale=2.0)["y"]
    da, dw = tape.gradient(y, [a, w])
    np.testing.assert_allclose(value(da), 2 * 1.5 * np.cos(1.5 * X))
    np.testing.assert_allclose(value(dw), np.sum(2 * X * np.cos(1.5 * X)))


def test_checkpoint_keeps_less():
    x = gt.Variable(np.ones(2_000))  # so short that nothing lies in a buffer that is used again
    peaks = []
    for f in (block, gt.checkpoint(block)):
        tracemalloc.start()
        with gt.GradientTape() as tape:
            y = np.sum(f(x))
        peaks.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        del tape, y
    assert peaks[1] < 0.2 * peaks[0]


def test_a_real_value_has_no_complex_tangent():
    x = gt.array([1.0, 2.0])
    for tangent in (np.array([1j, 2j]), gt.array([1j, 2j])):
        with pytest.raises(gt.errors.DTypeError, match="float64, its tangent is complex"):
            gt.ForwardAccumulator(x, tangent)


def test_what_is_passed_through_keeps_its_shape():
    f = gt.grad(lambda x: np.sum(gt.grad_pass_through(lambda a: a[:1])(x)))
    with pytest.raises(
        gt.errors.ShapeError,
        match=r"^grad_pass_through: the argument has shape \(2,\)(.|\n)*at test_forward\.py",
    ):
        f(np.ones(2))


def test_grad_pass_through():
    f = gt.grad_pass_through(np.round)
    x, w = gt.Variable(X), gt.Variable(2.0)
    with gt.GradientTape(persistent=True) as tape:
        y = f(x) * V
        z = gt.grad_pass_through(lambda x: np.round(x * w))(x)
    np.testing.assert_allclose(value(y), np.round(X) * V)
    np.testing.assert_allclose(value(tape.gradient(y, x)), V)
    assert tape.gradient(z, w, unconnected_gradients="none") is None
    np.testing.assert_allclose(gt.jvp(lambda x: f(x) * 2, (X,), (V,))[1], 2 * V)
    with pytest.raises(DTypeError, match="is no function"):
        gt.grad_pass_through(3.0)
    with pytest.raises(DTypeError, match="is no function"):
        gt.checkpoint(3.0)


def test_a_custom_gradient_holds_forwards_too():
    @gt.custom_gradient
    def clipped(x, y):
        return x * y, lambda ct: (ct * 10.0, ct * 100.0)

    def f(x):
        return np.sin(clipped(x, 2 * x))

    expected = np.cos(2 * X**2) * (10 + 200)
    np.testing.assert_allclose(gt.jacobian(f, mode="forward")(X), np.diag(expected))
    np.testing.assert_allclose(gt.jacobian(f, mode="reverse")(X), np.diag(expected))
    np.testing.assert_allclose(gt.vmap(gt.grad(f))(X), expected)
    x = gt.Variable(X)
    with gt.ForwardAccumulator(x, V) as acc:
        y = f(x)
    np.testing.assert_allclose(value(acc.jvp(y)), expected * V)


# -------------------------------------------------------------- custom_jvp, check_gradients


@gt.custom_jvp
def log1pexp(x):
    return np.log(1 + np.exp(x))


@log1pexp.defjvp
def _rule(primals, tangents):
    (x,), (t,) = primals, tangents
    return log1pexp(x), t * (1 - 1 / (1 + np.exp(x)))


def test_custom_jvp_in_both_modes_and_orders():
    s = 1 / (1 + np.exp(-X))
    np.testing.assert_allclose(gt.jacobian(log1pexp, mode="forward")(X), np.diag(s))
    np.testing.assert_allclose(gt.jacobian(log1pexp, mode="reverse")(X), np.diag(s))
    np.testing.assert_allclose(gt.vmap(gt.grad(gt.grad(log1pexp)))(X), s * (1 - s))
    np.testing.assert_allclose(gt.vmap(gt.vmap(log1pexp))(X[None]), [np.log1p(np.exp(X))])
    x = gt.Variable(100.0)
    with gt.GradientTape() as tape:
        y = log1pexp(x)
    assert float(tape.gradient(y, x)) == 1.0
    assert type(log1pexp(X)) is np.ndarray
    gt.check_gradients(log1pexp, (X,), order=2)


def test_custom_jvp_of_two_arguments_is_transposed_for_each():
    @gt.custom_jvp
    def f(x, a):
        return x @ a

    f.defjvp(lambda p, t: (f(*p), 3 * (t[0] @ p[1]) + p[0] @ t[1]))
    a = np.outer(X, V)
    gx, ga = gt.grad(lambda x, a: np.sum(f(x, a)), (0, 1))(X, a)
    np.testing.assert_allclose(gx, 3 * a.sum(1))
    np.testing.assert_allclose(ga, np.repeat(X[:, None], 3, 1))


def test_mistakes_of_rules():
    bare = gt.custom_jvp(lambda x: x * 2)
    with pytest.raises(DTypeError, match="(?s)has no rule.*defjvp"):
        bare(X)
    wrong = gt.custom_jvp(lambda x: x * 2)
    wrong.defjvp(lambda p, t: (p[0] * 2, 1.0))
    with pytest.raises(ShapeError, match="tangent of shape"):
        gt.jvp(wrong, (X,), (V,))
    no_pair = gt.custom_jvp(lambda x: x * 2)
    no_pair.defjvp(lambda p, t: p[0] * 2)
    with pytest.raises(DTypeError, match="no pair"):
        gt.jvp(no_pair, (X,), (V,))


def test_check_gradients_finds_a_wrong_rule():
    @gt.custom_gradient
    def square(x):
        return x * x, lambda ct: ct * 3 * x

    for mode in ("forward", "reverse"):
        with pytest.raises(AssertionError, match=f"(?s)derivative 1 in {mode} mode.*differences"):
            gt.check_gradients(square, (X,), modes=(mode,))
    gt.check_gradients(lambda p: {"y": np.sin(p["a"]) * p["b"]}, ({"a": X, "b": 2.0},), order=3)
    gt.check_gradients(lambda z: z**3, (X + 1j,))
    gt.check_gradients(np.sin, (X.astype("f4"),))
    with pytest.raises(DTypeError, match="no argument is floating"):
        gt.check_gradients(np.sin, (3,))
