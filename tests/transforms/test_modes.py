"""jvp, linearize and vmap: values, nesting in any order, memory, writing, errors."""

import dataclasses
import tracemalloc
import warnings

import numpy as np
import pytest

import gradtape as gt
from gradtape.errors import (
    DTypeError,
    ExitWarning,
    ShapeError,
    TracingError,
    UnsupportedOperationError,
)

X = np.array([0.3, 1.2, 0.7])
V = np.array([1.0, -2.0, 0.5])


def f(x):
    return np.sin(x) * np.exp(-x) + x**3


def df(x):
    return (np.cos(x) - np.sin(x)) * np.exp(-x) + 3 * x**2


def ddf(x):
    return -2 * np.cos(x) * np.exp(-x) + 6 * x


def d_forward(g):
    return lambda x: gt.jvp(g, (x,), (1.0,))[1]


DERIVATIVES = [d_forward, gt.grad]


# ----------------------------------------------------------------- perturbation confusion


@pytest.mark.parametrize("outer", DERIVATIVES)
@pytest.mark.parametrize("inner", DERIVATIVES)
def test_the_classic_case_of_siskind_and_pearlmutter(outer, inner):
    """d/dx (x * d/dy (x + y)) is 1 at x = 1; confusing the perturbations gives 2."""
    assert outer(lambda x: x * inner(lambda y: x + y)(1.0))(1.0) == 1.0


@pytest.mark.parametrize("outer", DERIVATIVES)
@pytest.mark.parametrize("inner", DERIVATIVES)
def test_an_inner_derivative_of_a_product_with_the_outer_variable(outer, inner):
    assert outer(lambda x: x * inner(lambda y: x * y)(2.0))(3.0) == 6.0


@pytest.mark.parametrize("outer", DERIVATIVES)
@pytest.mark.parametrize("inner", DERIVATIVES)
def test_an_inner_derivative_at_the_outer_variable(outer, inner):
    np.testing.assert_allclose(outer(lambda x: inner(f)(x) * x)(0.7), ddf(0.7) * 0.7 + df(0.7))


@pytest.mark.parametrize("outer", DERIVATIVES)
@pytest.mark.parametrize("inner", DERIVATIVES)
def test_a_closure_that_leaves_the_derivative_of_a_curried_function(outer, inner):
    """Manzyuk et al., Perturbation confusion in forward automatic differentiation (2019): the
    derivative of s(u)(f)(x) = f(x + u), applied to itself."""

    def derivative_of_shift(g):
        return lambda x: outer(lambda u: g(x + u))(0.0)

    found = derivative_of_shift(derivative_of_shift(np.exp))(1.0)
    np.testing.assert_allclose(found, np.exp(1.0))
    assert inner is not None


def test_three_deep_in_every_order():
    third = lambda x: -np.cos(x)  # noqa: E731
    for a in DERIVATIVES:
        for b in DERIVATIVES:
            for c in DERIVATIVES:
                np.testing.assert_allclose(a(b(c(np.sin)))(0.4), third(0.4))


def test_a_tape_inside_and_outside_of_jvp():
    def inside(x):
        with gt.GradientTape() as tape:
            x = tape.watch(x)
            y = np.sum(x**3)
        return tape.gradient(y, x)

    value, tangent = gt.jvp(inside, (X,), (V,))
    np.testing.assert_allclose(value, 3 * X**2)
    np.testing.assert_allclose(tangent, 6 * X * V)
    w = gt.Variable(X)
    with gt.GradientTape() as tape:
        _, t = gt.jvp(lambda x: np.sum(x**3), (w,), (V,))
    np.testing.assert_allclose(gt.value(tape.gradient(t, w)), 6 * X * V)


def test_a_persistent_tape_inside_jvp_is_asked_twice():
    def inside(x):
        with gt.GradientTape(persistent=True) as tape:
            x = tape.watch(x)
            y = x**2
        return tape.gradient(y, x) + tape.gradient(y, x)

    np.testing.assert_allclose(gt.jvp(inside, (X,), (V,))[1], 4 * V)


# ------------------------------------------------------------------------------ forward mode


def test_jvp_over_trees_with_integers_and_none():
    @dataclasses.dataclass
    class P:
        a: object
        b: object

    def g(p, n, q):
        return {"y": p.a * p.b**n, "z": (q[0] * 2, p.b)}

    out, t = gt.jvp(g, (P(X, 2.0), 3, [V]), (P(V, 1.0), None, None))
    np.testing.assert_allclose(out["y"], X * 8)
    np.testing.assert_allclose(t["y"], V * 8 + X * 12)
    np.testing.assert_array_equal(t["z"][0], 0 * V)
    assert t["z"][1] == 1.0
    assert type(out["y"]) is np.ndarray and type(t["y"]) is np.ndarray


def test_jvp_keeps_the_dtype_and_returns_what_it_was_given():
    out, t = gt.jvp(np.sin, (np.float32(0.5),), (1.0,))
    assert out.dtype == t.dtype == np.float32
    assert isinstance(gt.jvp(np.sin, (gt.array(0.5),), (1.0,))[1], gt.Tensor)


def test_jvp_of_complex_numbers_is_the_differential():
    z, dz = np.array([1 + 2j, -0.5j]), np.array([0.3 - 1j, 2.0 + 0.1j])
    np.testing.assert_allclose(gt.jvp(lambda z: z * np.conj(z), (z,), (dz,))[1],
                               dz * np.conj(z) + z * np.conj(dz))  # fmt: skip
    np.testing.assert_allclose(gt.jvp(np.exp, (z,), (dz,))[1], np.exp(z) * dz)


def test_has_aux():
    out, t, aux = gt.jvp(lambda x: (x * x, {"x": x, "n": 3}), (2.0,), (1.0,), has_aux=True)
    assert (out, t, aux) == (4.0, 4.0, {"x": 2.0, "n": 3})


def test_forward_mode_holds_no_tape():
    def deep(n):
        def chain(x):
            for _ in range(n):
                x = np.sin(x) * 1.001
            return x

        return chain

    x = np.ones(10_000)
    peaks = []
    for n in (20, 400):
        gt.jvp(deep(n), (x,), (x,))
        tracemalloc.start()
        gt.jvp(deep(n), (x,), (x,))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_writes_and_views_carry_tangents():
    def g(x):
        y = np.zeros(3) * x
        y[0] = x[1] * x[2]
        part = y[1:]
        part += x[0]
        y *= 2.0
        return y

    out, t = gt.jvp(g, (X,), (V,))
    np.testing.assert_allclose(out, 2 * np.array([X[1] * X[2], X[0], X[0]]))
    np.testing.assert_allclose(t, 2 * np.array([V[1] * X[2] + X[1] * V[2], V[0], V[0]]))
    assert X[0] == 0.3


def test_a_plain_accumulator_is_rebound():
    def g(x):
        total = np.zeros(3)
        for _ in range(2):
            total += x * x
        return total

    np.testing.assert_allclose(gt.jvp(g, (X,), (V,))[1], 4 * X * V)


def test_a_number_taken_out_of_jvp_is_told():
    with pytest.warns(ExitWarning, match="(?s)jvp of .*float takes a value out.*gt.stop_gradient"):
        out, t = gt.jvp(lambda x: x * float(x), (3.0,), (1.0,))
    assert (out, t) == (9.0, 3.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gt.jvp(lambda x: x * (2.0 if x > 1 else float(gt.stop_gradient(x))), (3.0,), (1.0,))


def test_control_flow_goes_by_the_value():
    assert gt.jvp(lambda x: x * x if x > 0 else -x, (3.0,), (1.0,))[1] == 6.0


def test_linearize_is_called_again_without_the_function():
    calls = []

    def g(x, p):
        calls.append(1)
        return np.sin(x) * p["a"]

    out, push = gt.linearize(g, X, {"a": 2.0})
    np.testing.assert_allclose(out, 2 * np.sin(X))
    for scale in (1.0, 3.0):
        t = push(scale * V, {"a": scale})
        np.testing.assert_allclose(t, scale * (2 * np.cos(X) * V + np.sin(X)))
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: gt.jvp(np.sin, X, V), DTypeError, "not a tuple.*need the comma"),
        (lambda: gt.jvp(np.sin, (X,), (V, V)), ShapeError, "structure of the primals"),
        (lambda: gt.jvp(np.sin, (X,), (1.0,)), ShapeError, r"shape \(3,\), its tangent \(\)"),
        (lambda: gt.jvp(np.sin, (3,), (1.0,)), DTypeError, "int64 with a tangent"),
        (lambda: gt.jvp(np.sin, (X,), (V * 1j,)), DTypeError, "Pass t.real"),
        (lambda: gt.jvp(3.0, (X,), (V,)), DTypeError, "is no function"),
        (lambda: gt.jvp(lambda x: np.roots(x), (X,), (V,)),
         UnsupportedOperationError, "has no derivative rule.*custom_jvp"),
        (lambda: gt.vmap(np.sin)(3.0), ShapeError, "no axis 0 to map over"),
        (lambda: gt.vmap(np.add)(np.ones(2), np.ones(3)), ShapeError, "different lengths"),
        (lambda: gt.vmap(np.add, in_axes=(0,))(X, X), ShapeError, "1 entries for 2 arguments"),
        (lambda: gt.vmap(np.sin, in_axes=None)(X), ShapeError, "nothing is mapped"),
        (lambda: gt.vmap(np.sin, in_axes="0")(X), DTypeError, "does not go with"),
        (lambda: gt.vmap(np.sin, out_axes=None)(X), ShapeError, "out_axes=None"),
        (lambda: gt.vmap(lambda x: x if x > 0 else -x)(X), TracingError, "np.where"),
        (lambda: gt.vmap(lambda x: x * float(x))(X), TracingError, "float of a batched"),
        (lambda: gt.vmap(np.asarray)(X), TracingError, "numpy.asarray of a batched"),
        (lambda: gt.vmap(lambda x: gt.Variable(1.0).assign(x))(X), TracingError, "batched"),
    ],
)  # fmt: skip
def test_errors(call, error, words):
    with pytest.raises(error, match=f"(?s){words}"):
        call()


def test_a_value_that_outlives_its_call_is_refused():
    kept = []
    gt.jvp(lambda x: (kept.append(x), x)[1], (1.0,), (1.0,))
    with pytest.raises(TracingError, match="(?s)after that call has ended.*has_aux"):
        gt.jvp(lambda x: x * kept[0], (1.0,), (1.0,))
    with pytest.raises(TracingError, match="after that call has ended"):
        kept[0] * 2.0


# -------------------------------------------------------------------------------------- vmap


def test_axes_over_trees():
    xs = np.arange(6.0).reshape(3, 2)

    def g(p, s):
        assert p["a"].shape == (3,) and p["b"].shape == ()
        return {"sum": np.sum(p["a"]) * s, "row": p["a"] + p["b"]}

    out = gt.vmap(g, in_axes=({"a": 1, "b": 0}, None), out_axes={"sum": 0, "row": -1})(
        {"a": xs, "b": np.array([10.0, 20.0])}, 2.0
    )
    np.testing.assert_allclose(out["sum"], 2 * xs.sum(0))
    np.testing.assert_allclose(out["row"], xs + [10.0, 20.0])


def test_results_that_do_not_depend_on_the_example_are_repeated():
    out = gt.vmap(lambda x: (x, 3.0, np.ones(2)), out_axes=(0, 0, 1))(X)
    assert out[1].shape == (3,) and out[2].shape == (2, 3)
    assert gt.vmap(lambda x: (x, 3.0), out_axes=(0, None))(X)[1] == 3.0


def test_per_example_gradients_inside_and_their_sum_outside():
    xs, w = np.array([[1.0, 2.0], [3.0, 4.0]]), gt.Variable([0.5, -1.0])

    def per_example(x):
        with gt.GradientTape() as tape:
            loss = np.sum(np.sin(w * x))
        return tape.gradient(loss, w)

    each = gt.value(gt.vmap(per_example)(xs))
    expected = np.cos(w.value * xs) * xs
    np.testing.assert_allclose(each, expected)
    with gt.GradientTape() as tape:
        losses = gt.vmap(lambda x: np.sum(np.sin(w * x)))(xs)
    np.testing.assert_allclose(gt.value(tape.gradient(losses, w)), expected.sum(0))


@pytest.mark.parametrize("derivative", DERIVATIVES)
def test_vmap_and_derivatives_in_either_order(derivative):
    np.testing.assert_allclose(gt.vmap(derivative(f))(X), df(X))
    mapped = derivative(lambda s: np.sum(gt.vmap(lambda x: f(s * x))(X)))
    np.testing.assert_allclose(mapped(2.0), np.sum(df(2 * X) * X))
    np.testing.assert_allclose(gt.vmap(derivative(derivative(f)))(X), ddf(X))


def test_a_matrix_product_in_every_position_of_the_batch():
    a = np.arange(24.0).reshape(2, 3, 4)
    b = np.arange(40.0).reshape(4, 5, 2)
    out = gt.vmap(np.matmul, in_axes=(0, 2), out_axes=1)(a, b)
    np.testing.assert_allclose(out, np.stack([a[i] @ b[..., i] for i in range(2)], 1))
    twice = gt.vmap(gt.vmap(np.dot, in_axes=(None, 1)), in_axes=(0, None))(a[0], b[..., 0])
    np.testing.assert_allclose(twice, a[0] @ b[..., 0])


def test_an_index_that_differs_from_example_to_example():
    xs, index = np.arange(12.0).reshape(3, 4), np.array([3, 0, 2])
    np.testing.assert_array_equal(gt.vmap(lambda x, i: x[i])(xs, index), xs[range(3), index])
    np.testing.assert_array_equal(gt.vmap(lambda x: x[np.argmax(x)])(xs), xs.max(1))
    g = gt.vmap(gt.grad(lambda x, i: x[i] ** 2), in_axes=(0, 0))(xs, index)
    expected = np.zeros((3, 4))
    expected[range(3), index] = 2 * xs[range(3), index]
    np.testing.assert_array_equal(g, expected)


@pytest.mark.parametrize("place", ["eager", "inside", "outside"])
@pytest.mark.parametrize("operation", ["assign", "assign_sub"])
def test_a_batch_does_not_fit_a_variable(operation, place):
    for w in (gt.Variable(1.0), gt.Variable([1.0, 2.0])):
        f = lambda x, w=w: getattr(w, operation)(x * 2.0).read_value()  # noqa: E731
        f = gt.vmap(gt.function(f) if place == "inside" else f)
        f = gt.function(f) if place == "outside" else f
        with pytest.raises(TracingError, match=r"assign\w* of a batched(.|\n)*np.mean"):
            f(np.ones((3, *w.shape)))
        assert np.all(w.numpy() == np.arange(1.0, 1.0 + w.size).reshape(w.shape))


def test_writes_in_a_batch():
    def g(x):
        y = np.zeros_like(x)
        y[1] = x[0]
        y += 1.0
        return y

    np.testing.assert_array_equal(gt.vmap(g)(np.array([[1.0, 2.0], [3.0, 4.0]])), [[1, 2], [1, 4]])


@pytest.mark.parametrize("like", [np.zeros_like, np.ones_like])
def test_zeros_like_an_example_are_made_once(like):
    traced = gt.function(gt.vmap(lambda x: like(x) + like(a=x) + x)).graph(np.ones((5, 3)))
    assert "getitem" not in traced and "stack" not in traced
    assert np.shape(gt.vmap(like)(np.ones((0, 3)))) == (0, 3)


def test_an_operation_without_a_batching_rule_loops_and_says_so_once():
    from gradtape.core.lifting import _said

    _said.clear()
    xs = np.array([[1.0, 2.0, 4.0], [3.0, 1.0, 1.0]])
    with pytest.warns(gt.errors.GradientWarning, match="no batching rule"):
        out = gt.vmap(lambda x: np.polyfit(xs[0], x, 1))(xs)
    np.testing.assert_allclose(out, [np.polyfit(xs[0], x, 1) for x in xs])
    gt.vmap(lambda x: np.polyfit(xs[0], x, 1))(xs)


def test_no_examples():
    assert gt.vmap(lambda x: np.sum(np.sin(x)))(np.zeros((0, 3))).shape == (0,)


def test_keyword_arguments_and_constants_of_the_closure():
    c = np.array([1.0, 2.0])
    out = gt.vmap(lambda x, *, k: x * c + k)(X, k=X)
    np.testing.assert_allclose(out, X[:, None] * c + X[:, None])


def test_linearize_takes_none_for_what_does_not_move():
    _, push = gt.linearize(lambda p, x: p["a"] * p["b"][0] * x, {"a": 2.0, "b": [3.0]}, 5.0)
    assert push({"a": 1.0, "b": None}, None) == 15.0
    assert push({"a": None, "b": [1.0]}, 1.0) == 16.0
    assert push(None, None) == 0.0


def test_vmap_of_a_function_that_returns_none():
    found, nothing = gt.vmap(lambda x: (x * 2, None))(X)
    np.testing.assert_array_equal(found, X * 2)
    assert nothing is None


@pytest.mark.parametrize("function, axis", [(lambda x: x, 1), (lambda x: 1.0, -2)])
def test_an_axis_of_out_axes_that_a_result_has_not(function, axis):
    with pytest.raises(ShapeError, match=f"no place {axis} for an axis"):
        gt.vmap(function, out_axes=axis)(X)


def test_tangents_of_other_keys_are_named():
    with pytest.raises(ShapeError, match=r"counterpart: primals\[0\]\['a'\], tangents\[0\]\['b'\]"):
        gt.jvp(lambda d: d["a"], ({"a": 1.0},), ({"b": 1.0},))


def test_an_index_that_is_not_known_into_a_plain_array():
    plain = np.arange(3.0)
    with pytest.raises(TracingError, match=r"gt\.array\(x\)\[i\] in place"):
        gt.function(lambda i: plain[i], backend="numpy")(np.array(1))
    taken = gt.function(lambda i: gt.array(plain)[i], backend="numpy")
    assert float(taken(np.array(1))) == 1.0


@pytest.mark.parametrize(
    "given", [{"modes": ("bogus",)}, {"modes": ()}, {"modes": "reverse"}, {"order": 0}]
)
def test_a_check_of_nothing_is_refused(given):
    with pytest.raises(ValueError, match=r'check nothing[\s\S]*modes=\("forward", "reverse"\)'):
        gt.check_gradients(np.sin, (0.5,), **given)
