"""Arrays of another byte order (FITS, old binary files): what is computed of them is native.

NumPy's arithmetic on `>f8` gives `float64`, and so do gradients, eagerly and compiled: SciPy and
pandas refuse the other order, and every operation on it is several times slower.
"""

import numpy as np
import pytest

import gradtape as gt

OTHER = np.dtype(float).newbyteorder()
X = np.array([1.0, 2.0, 3.0]).astype(OTHER)
V = np.array([0.5, -1.0, 2.0]).astype(OTHER)
FUNCTIONS = {
    "a sum": lambda x: np.sum(x),
    "a product": lambda x: np.sum(x * x),
    "an element": lambda x: x[0] * 2.0,
    "rows joined": lambda x: np.sum(np.concatenate([x, x]) ** 2),
    "a loop": lambda x: np.sum(gt.fori_loop(0, 2, lambda _, c: c * 2.0, x)),
    "a scan": lambda x: np.sum(gt.scan(lambda c, v: (c + v, c * v), x[0], x)[1]),
    "a branch": lambda x: np.sum(gt.cond(x[0] > 0, lambda: x, lambda: x * 2.0)),
}
WAYS = {
    "eager": lambda f: f,
    "compiled": gt.function,
    "by NumPy": lambda f: gt.function(f, backend="numpy"),
}


def taken(find):
    """What a tape gives of a function of a watched array, and of one of a Variable."""

    def run(f):
        def both(x):
            with gt.GradientTape(persistent=True) as tape:
                x = tape.watch(x)
                y = f(x) * x[1:]
            return find(tape, y, x)

        return both

    return run


def pushed(f):
    def run(x):
        with gt.ForwardAccumulator([x := gt.array(x)], [V]) as acc:
            y = f(x)
        return acc.jvp(y)

    return run


def cut(f):
    return lambda x: gt.stop_gradient(f(x))


DERIVATIVES = {
    "grad": gt.grad,
    "vjp": lambda f: lambda x: gt.vjp(f, x)[1](1.0),
    "vjp of a vector": lambda f: lambda x: gt.vjp(lambda x: x[1:] * f(x), x)[1](V[1:]),
    "jvp": lambda f: lambda x: gt.jvp(f, (x,), (V,))[1],
    "jvp of a view": lambda f: lambda x: gt.jvp(lambda x: x[1:], (x,), (V,))[1],
    "linearize": lambda f: lambda x: gt.linearize(f, x)[1](V),
    "jacobian": lambda f: gt.jacobian(lambda x: x[1:] * f(x)),
    "jacobian of views": lambda f: gt.jacobian(lambda x: x[1:]),
    "jacobian forwards": lambda f: gt.jacobian(lambda x: np.concatenate([x, x]) * f(x)),
    "hessian": gt.hessian,
    "hvp": lambda f: lambda x: gt.hvp(f, (x,), (V,)),
    "hessian_diag": gt.hessian_diag,
    "tape.gradient": taken(lambda tape, y, x: tape.gradient(y, x)),
    "tape.jacobian": taken(lambda tape, y, x: tape.jacobian(y, x)),
    "accumulator": pushed,
    "nothing": lambda f: taken(
        lambda tape, y, x: tape.gradient(y, x, unconnected_gradients="zero"))(cut(f)),
    "vmap of grad": lambda f: lambda x: gt.vmap(gt.grad(f))(np.stack([x, x])),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("derivative", DERIVATIVES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_are_native(name, derivative, way):
    f = FUNCTIONS[name]
    take = DERIVATIVES[derivative]
    found = np.asarray(WAYS[way](take(f))(X))
    expected = np.asarray(take(f)(X.astype(float)))
    assert found.dtype.isnative
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_so_are_those_of_programs(name, way):
    found = gt.grad(WAYS[way](FUNCTIONS[name]))(X)
    assert found.dtype.isnative
    np.testing.assert_array_equal(found, gt.grad(FUNCTIONS[name])(X.astype(float)))


@pytest.mark.parametrize("way", WAYS)
def test_so_is_the_jacobian_of_each_example(way):
    def rows(x):
        with gt.GradientTape() as tape:
            x = tape.watch(x)
            y = x[:, 1:] * x[:, :-1]
        return tape.batch_jacobian(y, x)

    x = np.stack([X, V, X, V])
    found = np.asarray(WAYS[way](rows)(x))
    assert found.dtype.isnative
    np.testing.assert_array_equal(found, np.asarray(rows(x.astype(float))))


def test_a_variable_keeps_its_order_and_has_native_gradients():
    v = gt.Variable(X)
    with gt.GradientTape() as tape:
        y = np.sum(v * v)
    g = tape.gradient(y, v)
    assert g.dtype.isnative
    v.assign_sub(0.5 * g)
    np.testing.assert_array_equal(np.asarray(v), 0.0)
    gt.optimize.minimize(lambda x: np.sum((x - 1.0) ** 2), X)
