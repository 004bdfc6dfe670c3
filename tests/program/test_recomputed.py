"""`gt.checkpoint` inside programs: what is computed again is not kept, in bytes."""

import numpy as np
import pytest

import gradtape as gt
import gradtape.tf as tf
from gradtape.core.aval import Aval
from gradtape.graph.trace import trace
from gradtape.passes.pipeline import optimise, prepare
from gradtape.program.derivative import Residuals

R = np.random.default_rng(0)
W = R.normal(size=(50, 50)) / 7
X = R.normal(size=(120, 50))
BLOCKS, LAYERS = 4, 8


def block(h, w):
    for _ in range(LAYERS):
        h = np.tanh(h @ w)
    return h


def net(made, blocks=BLOCKS):
    """A chain of blocks, each `made` of `block`."""
    one = made(block)

    def f(x, w=W):
        h = x
        for _ in range(blocks):
            h = one(h, w)
        return np.sum(h * h)

    return f


def plain(f):
    return f


MADE = {"checkpoint": gt.checkpoint, "recompute_grad": gt.recompute_grad}


def kept(f):
    """The bytes that one call of a compiled function leaves for its gradient."""
    x = gt.array(X)
    with gt.GradientTape() as tape:
        tape.watch(x)
        f(x)
    (found,) = (r[10] for r in tape._recorder.ops if type(r[10]) is Residuals)
    return sum(np.asarray(v).nbytes for v in found.values)


@pytest.mark.parametrize("backend", ["numpy", "llvm"])
@pytest.mark.parametrize("made", MADE)
def test_a_forward_program_keeps_what_blocks_begin_with(made, backend):
    if backend == "llvm":
        pytest.importorskip("llvmlite")
    f = gt.function(net(MADE[made]), backend=backend)
    assert kept(gt.function(net(plain), backend=backend)) >= BLOCKS * (LAYERS - 1) * X.nbytes
    assert kept(f) <= BLOCKS * X.nbytes
    np.testing.assert_allclose(gt.grad(f)(X), gt.grad(net(plain))(X), rtol=1e-11, atol=1e-13)


def test_a_native_program_with_its_gradient_needs_less_memory():
    pytest.importorskip("llvmlite")
    blocks = 6
    ways = [gt.function(gt.grad(net(made, blocks=blocks))) for made in (plain, gt.checkpoint)]
    all_kept, again = (f.report(X).arena for f in ways)
    assert all_kept > blocks * (LAYERS - 1) * X.nbytes
    assert again < all_kept / 2
    np.testing.assert_allclose(ways[1](X), ways[0](X), rtol=1e-12, atol=1e-14)


def test_it_is_computed_again_and_not_merged():
    def operations(made):
        traced, _ = trace(gt.grad(net(made)), [Aval(X.shape, np.float64)], "f")
        return [node.op.name for node in prepare(optimise(traced.graph)).nodes]

    assert operations(plain).count("tanh") == BLOCKS * LAYERS
    found = operations(gt.checkpoint)
    assert found.count("tanh") == 2 * BLOCKS * LAYERS
    assert found.count("behind") == 2 * BLOCKS  # the rows and the weights of each block


@pytest.mark.parametrize("backend", ["numpy", "llvm"])
def test_derivatives_of_every_kind(backend):
    if backend == "llvm":
        pytest.importorskip("llvmlite")

    def f(made):
        one = made(lambda x, y: (np.sin(x * y), np.sum(x * x)))

        def g(x):
            a, b = one(x, np.cos(x))
            return np.sum(a * b + x)

        return g

    x, t = X[0, :4], R.normal(size=4)
    rows = X[:3, :4]
    eager = f(plain)

    def close(found, expected):
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)

    g = gt.function(f(gt.checkpoint), backend=backend)
    inside = lambda make: gt.function(make(f(gt.checkpoint)), backend=backend)  # noqa: E731
    for make, args in (
        (gt.grad, (x,)),
        (gt.hessian, (x,)),
        (lambda f: lambda x: gt.jvp(gt.grad(f), (x,), (t,))[1], (x,)),
        (lambda f: gt.grad(lambda x: gt.jvp(f, (x,), (t,))[1]), (x,)),
        (lambda f: gt.vmap(gt.grad(f)), (rows,)),
        (lambda f: gt.grad(lambda x: np.sum(gt.vmap(f)(x))), (rows,)),
    ):
        close(make(g)(*args), make(eager)(*args))
        close(inside(make)(*args), make(eager)(*args))


def test_variables_and_random_numbers():
    w = gt.Variable(W)

    def step(made):
        gt.random.seed(3)

        @gt.function
        def f():
            with gt.GradientTape() as tape:
                h = made(lambda h: np.tanh(h @ w) * gt.random.uniform(size=50))(gt.array(X))
                loss = np.sum(h * h)
            return loss, tape.gradient(loss, w)

        return f()

    for a, b in zip(step(gt.checkpoint), step(plain), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


def test_the_dialects_recompute_grad_saves_as_much():
    x, w = tf.constant(X), tf.constant(W)

    def layers(h):
        for _ in range(LAYERS):
            h = tf.tanh(h @ w)
        return h

    def residuals(made):
        one = made(layers)

        @tf.function
        def f(x):
            return tf.reduce_sum(one(one(x)))

        with tf.GradientTape() as tape:
            tape.watch(x)
            y = f(x)
        (found,) = (r[10] for r in tape._recorder.ops if type(r[10]) is Residuals)
        return sum(np.asarray(v).nbytes for v in found.values), tape.gradient(y, x).numpy()

    many, expected = residuals(plain)
    few, found = residuals(tf.recompute_grad)
    assert few <= 2 * X.nbytes < many / 4
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-13)


RESULTS = {
    "a number": lambda x: 3.0,
    "a NumPy number": lambda x: np.float64(3.0),
    "an integer": lambda x: 3,
    "a plain array": lambda x: (np.sin(x).sum(), np.ones(2))[1].sum(),
}


@pytest.mark.parametrize("f", RESULTS.values(), ids=RESULTS)
def test_a_block_whose_result_is_a_constant(f):
    x, block = np.ones(3), gt.checkpoint(f)

    def loss(x):
        return block(x) * 2.0 * x[0]

    for gradient in (gt.grad(loss), gt.function(gt.grad(loss)), gt.grad(gt.function(loss))):
        assert gradient(x).tolist() == [2.0 * f(x), 0, 0]
    assert gt.vmap(gt.grad(loss))(np.ones((2, 3))).tolist() == [[2.0 * f(x), 0, 0]] * 2


def test_a_block_with_a_constant_among_its_results():
    block = gt.checkpoint(lambda x: (x * 2.0, np.ones(2), 4.0))

    def loss(x):
        return sum(np.sum(y) for y in block(x))

    assert gt.grad(loss)(np.ones(3)).tolist() == [2, 2, 2]
    assert gt.function(gt.grad(loss))(np.ones(3)).tolist() == [2, 2, 2]


def test_a_block_that_a_value_leaves_says_where():
    block = gt.checkpoint(lambda x: float(x.sum()))
    with pytest.warns(gt.errors.GradientWarning, match=r"float\(x\.sum\(\)\) took the value out"):
        assert gt.grad(block)(np.ones(3)).tolist() == [0, 0, 0]


def test_a_rule_whose_function_returns_numbers():
    @gt.custom_gradient
    def f(x):
        return (x * 2.0, 3.0, True, 4), lambda ct, *_: ct * 5.0

    def g(x):
        doubled, three, _, four = f(x)
        return np.sum(doubled) * three + four

    x = np.ones(3)
    assert gt.function(g)(x) == g(x) == 22
    for gradient in (gt.grad(g), gt.function(gt.grad(g)), gt.grad(gt.function(g))):
        assert gradient(x).tolist() == [15, 15, 15]
    plain = [np.asarray(gt.value(y)).dtype for y in f(x)]
    assert [y.dtype for y in gt.function(lambda x: f(x))(x)] == plain


def test_what_a_comparison_in_a_branch_reads_has_a_gradient_all_the_same():
    """A silent 0 otherwise: the comparison was the first to read it, as a bare value."""

    def loss(x, s):
        def block(v):
            chosen = gt.cond(v[0] > 0, lambda: v * 1.0, lambda: np.where(v > s, 1.0, 0.0))
            return s * np.ones(2) + 0.0 * chosen[0]

        return np.sum(gt.checkpoint(block)(x))

    x = np.array([0.5, 0.7, 0.9])
    assert gt.grad(loss, 1)(x, 0.3) == 2
    assert gt.grad(gt.function(loss), 1)(x, 0.3) == 2
    assert gt.jvp(gt.function(loss), (x, 0.3), (x, 1.0))[1] == 2


def test_a_block_of_a_python_float_has_the_types_that_it_has_by_itself():
    single = np.ones(3, np.float32)
    rule = gt.custom_gradient(lambda s: (single * s, lambda ct: np.sum(ct * single)))
    for block in (gt.checkpoint(lambda s: single * s), rule):
        for backend in ("llvm", "numpy"):
            assert gt.function(block, backend=backend)(0.1).dtype == np.float32
