"""Transforms of compiled functions, compiled transforms, both: equal to eager ones, in any nest."""

import itertools

import numpy as np
import pytest

import gradtape as gt
from gradtape.core.tree import flatten

RNG = np.random.default_rng(3)
W = RNG.normal(size=(4, 4)) / 2
X, T = RNG.normal(size=4), RNG.normal(size=4)
XS = RNG.normal(size=(3, 4))
PLACES = ("inside", "outside", "both")


def vector(x):
    return np.tanh(W @ x) * x + np.exp(-x)


def scalar(x):
    return np.sum(np.sin(W @ x) ** 3) * x[0]


def compiled(f):
    return gt.function(f, backend="numpy")


def close(found, expected):
    found, expected = flatten(found)[0], flatten(expected)[0]
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        b = np.asarray(b)
        np.testing.assert_allclose(np.asarray(a), b, rtol=0, atol=1e-12 * max(1, np.abs(b).max()))


TRANSFORMS = {
    "jvp": lambda f, s: lambda x: gt.jvp(f, (x,), (T,)),
    "linearize": lambda f, s: lambda x: gt.linearize(f, x)[1](T),
    "vjp": lambda f, s: lambda x: gt.vjp(f, x)[1](T)[0],
    "grad": lambda f, s: gt.grad(s),
    "value_and_grad": lambda f, s: gt.value_and_grad(s),
    "jacobian": lambda f, s: gt.jacobian(f),
    "jacobian forward": lambda f, s: gt.jacobian(f, mode="forward"),
    "jacobian reverse": lambda f, s: gt.jacobian(f, mode="reverse"),
    "jacobian in chunks": lambda f, s: gt.jacobian(f, chunk_size=3),
    "hessian": lambda f, s: gt.hessian(s),
    "hvp": lambda f, s: lambda x: gt.hvp(s, (x,), (T,)),
    "hessian_diag": lambda f, s: gt.hessian_diag(s),
    "vmap": lambda f, s: lambda x: gt.vmap(f)(x * XS),
    "vmap of grad": lambda f, s: lambda x: gt.vmap(gt.grad(s))(x * XS),
    "grad of vmap": lambda f, s: gt.grad(lambda x: np.sum(gt.vmap(s)(x * XS) ** 2)),
    "vmap of jvp": lambda f, s: lambda x: gt.vmap(lambda y: gt.jvp(f, (y,), (T,))[1])(x * XS),
    "jvp of vmap": lambda f, s: lambda x: gt.jvp(lambda y: gt.vmap(f)(y * XS), (x,), (T,)),
    "jvp of jvp": lambda f, s: lambda x: gt.jvp(
        lambda y: gt.jvp(f, (y,), (T,))[1], (x,), (x * 2.0,)
    ),
    "jvp of grad": lambda f, s: lambda x: gt.jvp(gt.grad(s), (x,), (T,)),
    "grad of jvp": lambda f, s: gt.grad(lambda x: np.sum(gt.jvp(f, (x,), (T,))[1] ** 2)),
    "vmap of vmap": lambda f, s: lambda x: gt.vmap(gt.vmap(f))(x * XS * np.ones((2, 1, 1))),
    "vmap of hessian": lambda f, s: lambda x: gt.vmap(gt.hessian(s))(x * XS),
    "third": lambda f, s: gt.jacobian(gt.hessian(s)),
    "third, in reverse": lambda f, s: gt.grad(
        lambda x: np.sum(gt.grad(lambda y: np.sum(gt.grad(s)(y) ** 2))(x) ** 2)
    ),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", TRANSFORMS)
def test_every_transform_is_the_same_compiled(name, place):
    make = TRANSFORMS[name]
    expected = make(vector, scalar)(X)
    if place == "outside":
        found = compiled(make(vector, scalar))(X)
    else:
        inner = make(compiled(vector), compiled(scalar))
        found = (inner if place == "inside" else compiled(inner))(X)
    close(found, expected)


@pytest.mark.parametrize("one", ["jvp", "grad", "vmap"])
@pytest.mark.parametrize("two", ["jvp", "grad", "vmap"])
@pytest.mark.parametrize("three", ["jvp", "grad", "vmap"])
def test_three_transforms_in_any_order_with_a_program_between_each(one, two, three):
    """Each takes `f(x)` of one vector to another such function."""
    make = {
        "jvp": lambda f: lambda x: gt.jvp(f, (x,), (x * T,))[1],
        "grad": lambda f: gt.grad(lambda x: np.sum(f(x) ** 2) / 100),
        "vmap": lambda f: lambda x: np.sum(gt.vmap(f)(x * XS), axis=0),
    }
    plain = programs = vector
    for name in (one, two, three):
        plain = make[name](plain)
        programs = make[name](compiled(programs))
    close(programs(X), plain(X))
    close(compiled(programs)(X), plain(X))


# -------------------------------------------------------------------- perturbation confusion


def derivative(f, mode):
    if mode == "jvp":
        return lambda x: gt.jvp(f, (x,), (1.0,))[1]
    return gt.grad(f)


@pytest.mark.parametrize(("outer", "inner"), list(itertools.product(["jvp", "grad"], repeat=2)))
@pytest.mark.parametrize("around", [lambda f: f, compiled])
@pytest.mark.parametrize("within", [lambda f: f, compiled])
def test_derivatives_with_respect_to_different_calls_are_not_confused(outer, inner, around, within):
    """Siskind and Pearlmutter's cases: d/dx (x d/dy (x + y)) is 1, and d/dx (x d/dy (x y)) 2 x."""

    def plus(x):
        return x * derivative(within(lambda y: x + y), inner)(1.0)

    def times(x):
        return x * derivative(within(lambda y: x * y), inner)(x)

    assert float(derivative(around(plus), outer)(3.0)) == 1.0
    assert float(derivative(around(times), outer)(3.0)) == 6.0


@pytest.mark.parametrize("around", [lambda f: f, compiled])
def test_a_program_that_is_handed_out_of_a_derivative_is_not_confused(around):
    """`f(x)` gives a function that still holds x, and is differentiated elsewhere."""

    def f(x):
        return lambda g: lambda y: g(x + y)

    def at(x):
        inner = f(x)(lambda z: z * z)
        return derivative(inner, "jvp")(2.0) + inner(2.0)

    assert float(derivative(around(at), "jvp")(3.0)) == 2.0 + 2 * 5.0
    assert float(derivative(around(at), "grad")(3.0)) == 2.0 + 2 * 5.0


def test_a_program_of_the_outer_number_alone_has_no_inner_tangent():
    f = compiled(lambda x: x * x)
    outer = gt.jvp(lambda x: gt.jvp(lambda y: f(x) * y, (2.0,), (1.0,))[1], (3.0,), (1.0,))
    assert [float(v) for v in outer] == [9.0, 6.0]


# ------------------------------------------------------------------------------- trees, tapes


def test_trees_go_through():
    def f(p):
        return {"a": np.sin(p["w"] @ p["x"]), "b": (p["x"] * 2.0, 3)}

    p = {"w": W, "x": X}
    t = {"w": W * 2.0, "x": None}
    for g in (compiled(f), lambda p: compiled(lambda p: compiled(f)(p))(p)):
        out, move = gt.jvp(g, (p,), (t,))
        expected, expected_move = gt.jvp(f, (p,), (t,))
        close([out["a"], move["a"]], [expected["a"], expected_move["a"]])
        close(move["b"][0], np.zeros(4))
        assert out["b"][1] == 3


def test_vmap_over_chosen_axes():
    f = compiled(lambda w, x: np.tanh(w @ x))
    plain = f.function
    ws = RNG.normal(size=(4, 3, 4))
    for axes in ((1, 0), (1, None), (None, 0)):
        args = (ws if axes[0] is not None else W, XS if axes[1] is not None else X)
        close(gt.vmap(f, in_axes=axes, out_axes=1)(*args),
              gt.vmap(plain, in_axes=axes, out_axes=1)(*args))  # fmt: skip


def test_a_tape_inside_vmap_of_a_program_gives_a_gradient_for_each_example():
    f = compiled(scalar)

    def one(x):
        with gt.GradientTape() as tape:
            tape.watch(x)
            y = f(x)
        return tape.gradient(y, x)

    close(gt.vmap(one)(XS), np.stack([gt.grad(scalar)(x) for x in XS]))


def test_variables_have_gradients_through_vmap_of_a_program():
    w = gt.Variable(W)
    f = compiled(lambda x: np.sum(np.sin(w @ x)))

    def gradient(f):
        with gt.GradientTape() as tape:
            y = np.sum(gt.vmap(f)(XS) ** 2)
        return tape.gradient(y, w).numpy()

    close(gradient(f), gradient(f.function))


def test_a_forward_accumulator_goes_through_a_program():
    w = gt.Variable(X)
    f = compiled(lambda x: (vector(w * x), np.argmax(x)))
    with gt.ForwardAccumulator(w, T) as acc:
        y, at = f(X)
        z = y[at] * y
    expected = gt.jvp(lambda v: vector(v * X)[np.argmax(X)] * vector(v * X), (X,), (T,))[1]
    close(acc.jvp(z), expected)


def test_a_product_with_the_hessian_by_an_accumulator_around_a_tape():
    x = np.arange(6.0).reshape(2, 3)
    w, b = gt.Variable([0.5, -0.25, 0.125]), gt.Variable(0.1)

    def product(x, v):
        with gt.ForwardAccumulator([w, b], [v, 1.0]) as acc:
            with gt.GradientTape() as tape:
                loss = np.mean(np.log1p(np.exp(x @ w + b)))
            gradients = tape.gradient(loss, [w, b])
        return acc.jvp(loss), acc.jvp(gradients)

    close(gt.function(product)(x, np.ones(3)), product(x, np.ones(3)))


def test_tape_jacobian_and_batch_jacobian_through_a_program():
    f, x = compiled(vector), gt.array(X)
    with gt.GradientTape() as tape:
        tape.watch(x)
        y = f(x)
    close(tape.jacobian(y, x), gt.jacobian(vector)(X))
    rows, g = gt.array(XS), compiled(lambda xs: np.sin(xs) * xs[:, ::-1])
    with gt.GradientTape() as tape:
        tape.watch(rows)
        ys = g(rows)
    close(tape.batch_jacobian(ys, rows), np.stack([gt.jacobian(lambda x: np.sin(x) * x[::-1])(x)
                                                   for x in XS]))  # fmt: skip


def test_a_variable_is_assigned_inside_jvp_of_a_program():
    w = gt.Variable(0.0)

    def f(x):
        w.assign_add(np.sum(x) * 0.0 + 1.0)
        return x * w

    out, move = gt.jvp(compiled(f), (X,), (T,))
    close([out, move], [X, T])
    assert float(w) == 1.0


def test_programs_are_traced_once_however_often_they_are_differentiated():
    traces = []

    @gt.function
    def f(x):
        traces.append(1)
        return np.sin(x) * x

    for _ in range(3):
        gt.jvp(f, (X,), (T,))
        gt.jacobian(f)(X)
        gt.vmap(f)(XS)
    assert len(traces) == 1


def test_operations_of_a_batch_are_the_operations_on_further_axes():
    """`vmap` of a program runs the sums and products that a backend knows."""
    f = compiled(gt.vmap(lambda x: np.sum(np.sin(x) @ W)))
    names = f.graph(XS)
    assert "matmul" in names
    assert "sum(" in names
    assert "of a batch" not in names


def _watched(f, s):
    with gt.GradientTape() as tape:
        s = tape.watch(s)
        y = f(s)
    return y, tape.gradient(y, s)


FLOATS = {
    "value_and_grad": lambda f, s: gt.value_and_grad(f)(s),
    "vjp": lambda f, s: gt.vjp(f, s)[0],
    "jvp": lambda f, s: gt.jvp(f, (s,), (1.0,)),
    "linearize": lambda f, s: (gt.linearize(f, s)[0], gt.linearize(f, s)[1](1.0)),
    "watch": _watched,
    "checkpoint": lambda f, s: gt.value_and_grad(gt.checkpoint(f))(s),
}


@pytest.mark.parametrize("derivative", FLOATS.values(), ids=FLOATS)
def test_a_python_float_that_a_derivative_follows_has_a_dtype_of_its_own(derivative):
    single = np.ones(3, np.float32)
    eager = derivative(lambda s: np.sum(single * s), 0.1)
    for backend in ("llvm", "numpy"):
        program = gt.function(
            lambda s: derivative(lambda s: np.sum(single * s), s), backend=backend
        )
        for got, want in zip(_flat(program(0.1)), _flat(eager), strict=True):
            assert got.dtype == want.dtype == np.float64
            assert got == pytest.approx(float(want), rel=1e-15)


def _flat(result):
    return result if isinstance(result, tuple) else (result,)
