"""jacobian, hessian, hvp, hessian_diag: both modes against closed forms, trees, chunks, errors."""

import numpy as np
import pytest

import gradtape as gt
from gradtape.errors import DTypeError, ShapeError
from tests.words.differences import slope

RNG = np.random.default_rng(0)
A = RNG.normal(size=(4, 3))
X = np.array([0.3, 1.2, 0.7])
MODES = ("forward", "reverse", "auto")


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def rosenbrock_hessian(x):
    n = len(x)
    h = np.zeros((n, n))
    for i in range(n - 1):
        h[i, i] += 1200 * x[i] ** 2 - 400 * x[i + 1] + 2
        h[i + 1, i + 1] += 200
        h[i, i + 1] = h[i + 1, i] = -400 * x[i]
    return h


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("chunk", [None, 1, 2, 100])
def test_jacobian_of_a_network(mode, chunk):
    def net(x):
        return np.tanh(A @ np.sin(x))

    expected = (1 - np.tanh(A @ np.sin(X)) ** 2)[:, None] * A * np.cos(X)
    np.testing.assert_allclose(gt.jacobian(net, mode=mode, chunk_size=chunk)(X), expected)


CASES = {
    "broadcast": lambda x: x[:, None] * np.ones((3, 2)) + x[:2],
    "broadcast of a number": lambda x: np.ones((2, 3)) * x[0] - x,
    "where": lambda x: np.where(x > 0.5, x**2, np.sqrt(x - x)),
    "sums": lambda x: np.stack([np.sum(x**2), np.mean(x), np.prod(x)]),
    "sorted": lambda x: np.sort(-x) * x,
    "products": lambda x: np.einsum("i,j,jk->ik", x, x, np.outer(x, x)),
    "solve": lambda x: np.linalg.solve(np.diag(x) + 0.1 * np.outer(x, x), x),
    "several outputs": lambda x: np.linalg.slogdet(np.diag(x) + np.outer(x, x)).logabsdet,
    "written": lambda x: _written(x),
    "a constant": lambda x: np.ones(2) + 0 * x[:2],
    "itself": lambda x: x,
    "a number": lambda x: x[1] * 2,
    "frexp": lambda x: np.concatenate(np.modf(x * 3)),
}


def _written(x):
    y = np.zeros(4) * x[0]
    y[1:] = x
    y[0] = x[2] * y[1]
    return y * y


@pytest.mark.parametrize("name", CASES)
def test_both_modes_and_differences(name):
    f = CASES[name]
    if name != "sums":
        X0 = X + 0.6 * (name == "where")
    else:
        X0 = X
    with np.errstate(all="ignore"):
        back = gt.jacobian(lambda x: f(x) + 0.0, mode="reverse")(X0)
        ahead = gt.jacobian(lambda x: f(x) + 0.0, mode="forward")(X0)
    np.testing.assert_allclose(ahead, back, rtol=1e-12, atol=1e-12)
    h = 1e-6
    columns = []
    for i in range(3):
        e = np.zeros(3)
        e[i] = h
        plus, minus = (np.asarray(gt.value(f(gt.array(X0 + d)))) for d in (e, -e))
        columns.append((plus - minus) / (2 * h))
    if name != "where":
        np.testing.assert_allclose(back, np.stack(columns, -1), rtol=1e-6, atol=1e-6)
    assert slope is not None


@pytest.mark.parametrize("mode", MODES)
def test_trees_in_and_out(mode):
    def f(p, s):
        return {"u": p["a"] * p["b"], "v": [np.sum(p["a"]) * s]}

    j = gt.jacobian(f, (0, 1), mode=mode)({"a": X, "b": 3.0}, 2.0)
    np.testing.assert_allclose(j["u"][0]["a"], 3 * np.eye(3))
    np.testing.assert_allclose(j["u"][0]["b"], X)
    np.testing.assert_allclose(j["u"][1], 0 * X)
    np.testing.assert_allclose(j["v"][0][0]["a"], [2, 2, 2])
    np.testing.assert_allclose(j["v"][0][1], X.sum())
    assert type(j["u"][0]["a"]) is np.ndarray


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_complex_functions_have_the_complex_derivative(mode):
    z = np.array([1 + 2j, 0.5 - 1j])
    np.testing.assert_allclose(gt.jacobian(lambda z: z**3, mode=mode)(z), np.diag(3 * z**2))


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_float32_and_empty(mode):
    assert gt.jacobian(np.sin, mode=mode)(np.ones(2, np.float32)).dtype == np.float32
    assert gt.jacobian(lambda x: x[:0], mode=mode)(X).shape == (0, 3)
    assert gt.jacobian(lambda x: np.sum(x) * np.ones(2), mode=mode)(np.zeros(0)).shape == (2, 0)


def test_has_aux_and_argnums():
    j, aux = gt.jacobian(lambda x, y: (x * y, "note"), 1, has_aux=True)(X, X)
    np.testing.assert_allclose(j, np.diag(X))
    assert aux == "note"


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_hessian_of_rosenbrock(mode):
    x = np.linspace(-1, 1, 9)
    h = gt.hessian(rosenbrock, mode=mode)(x)
    np.testing.assert_allclose(h, rosenbrock_hessian(x), rtol=1e-13)
    np.testing.assert_allclose(gt.hessian(rosenbrock, chunk_size=4)(x), h)
    np.testing.assert_allclose(gt.hessian_diag(rosenbrock)(x), np.diag(h), rtol=1e-13)
    np.testing.assert_allclose(gt.hessian_diag(rosenbrock, chunk_size=2)(x), np.diag(h))
    v = np.cos(x)
    np.testing.assert_allclose(gt.hvp(rosenbrock, (x,), (v,)), h @ v, rtol=1e-12)


def test_hessian_over_trees():
    def f(p):
        return np.sum(p["a"] ** 2) * p["b"] ** 3

    h = gt.hessian(f)({"a": X, "b": 2.0})
    np.testing.assert_allclose(h["a"]["a"], 16 * np.eye(3))
    np.testing.assert_allclose(h["a"]["b"], 24 * X)
    np.testing.assert_allclose(h["b"]["a"], 24 * X)
    np.testing.assert_allclose(h["b"]["b"], 12 * np.sum(X**2))
    d = gt.hessian_diag(f)({"a": X, "b": 2.0})
    np.testing.assert_allclose(d["a"], [16] * 3)


def test_jacobians_nest_and_go_under_tapes_and_vmap():
    third = gt.jacobian(gt.jacobian(gt.jacobian(lambda x: np.sum(x**4))))(X)
    expected = np.zeros((3, 3, 3))
    expected[range(3), range(3), range(3)] = 24 * X
    np.testing.assert_allclose(third, expected)
    xs = np.stack([X, 2 * X])
    hs = gt.vmap(gt.hessian(rosenbrock))(xs)
    np.testing.assert_allclose(hs, [rosenbrock_hessian(x) for x in xs])
    w = gt.Variable(X)
    with gt.GradientTape() as tape:
        total = np.sum(gt.jacobian(lambda x: x * np.sum(w * x))(w) ** 2)
    g = tape.gradient(total, w)
    numeric = [
        (np.sum(gt.jacobian(lambda x, w=X + d: x * np.sum(w * x))(X + d) ** 2)
         - np.sum(gt.jacobian(lambda x, w=X - d: x * np.sum(w * x))(X - d) ** 2)) / 2e-6
        for d in 1e-6 * np.eye(3)
    ]  # fmt: skip
    np.testing.assert_allclose(gt.value(g), numeric, rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: gt.jacobian(np.sin, mode="fwd"), ShapeError, "mode='fwd'"),
        (lambda: gt.jacobian(np.sin, chunk_size=0), ShapeError, "positive integer"),
        (lambda: gt.jacobian(np.sin)(3), DTypeError, "int64"),
        (lambda: gt.jacobian(np.sin, mode="forward")(3), DTypeError, "int64"),
        (lambda: gt.jacobian(np.argsort)(X), DTypeError, "has no derivative"),
        (lambda: gt.jacobian(np.abs)(X + 1j), DTypeError, "no complex derivative"),
        (lambda: gt.hessian(np.sin)(X), ShapeError, "not a scalar"),
        (lambda: gt.jacobian(3.0), DTypeError, "is no function"),
    ],
)
def test_errors(call, error, words):
    with pytest.raises(error, match=f"(?s){words}"):
        call()


@pytest.mark.parametrize("mode", MODES)
def test_a_result_that_is_a_python_float(mode):
    found = gt.jacobian(lambda x: {"a": 1.0, "b": x}, mode=mode)(2.0)
    assert found == {"a": 0.0, "b": 1.0}


@pytest.mark.parametrize("mode", MODES)
def test_a_derivative_has_the_dtype_of_its_input(mode):
    jacobian = gt.jacobian(lambda a, b: np.sin(a) * b, argnums=(0, 1), mode=mode)
    found = jacobian(X.astype(np.float32), X)
    assert [part.dtype for part in found] == [np.float32, np.float64]
    np.testing.assert_allclose(found[0], np.diag(np.cos(X) * X), rtol=1e-6, atol=1e-7)
