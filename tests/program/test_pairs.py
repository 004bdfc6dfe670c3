"""A program under a tape: the forward program leaves residuals, the backward one reads them."""

import weakref

import numpy as np
import pytest

import gradtape as gt
from gradtape.core.aval import Aval
from gradtape.graph.check import verify
from gradtape.graph.evaluate import evaluate
from gradtape.graph.pullback import value_and_pull_back
from gradtape.graph.trace import trace
from gradtape.passes.pipeline import optimise
from gradtape.passes.split import split
from gradtape.program.derivative import _closed

RNG = np.random.default_rng(7)
X, W = RNG.normal(size=(4, 100)), RNG.normal(size=(100, 100)) / 10


def parts(f, *avals):
    """(forward, backward, split) of the scalar function `f`, verified."""
    n = len(avals)
    traced, _ = trace(f, avals, "f")
    outs = [v.aval for v in traced.graph.outputs]

    def run(*flat):
        results, found = value_and_pull_back(traced, flat[:n], flat[n:])
        return [results, found]

    both, _ = trace(run, [*avals, *outs], "f")
    found = split(optimise(_closed(both, n + len(outs))), n, len(outs), len(traced.graph.results))
    verify(found.forward, "split")
    verify(found.backward, "split")
    return found


def names(graph):
    return [node.op.name for node in graph.nodes]


def taped(f, *args):
    tensors = [gt.array(a) for a in args]
    with gt.GradientTape() as tape:
        for t in tensors:
            tape.watch(t)
        y = f(*tensors)
    return [g.numpy() for g in tape.gradient(y, tensors)]


def close(found, expected):
    """Equal but for rounding, on the scale of the whole."""
    expected = np.asarray(expected)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13 * np.abs(expected).max())


def net(x, w):
    h = np.tanh(x @ w)
    return np.sum(np.exp(np.sin(h) @ w))


def test_the_gradient_is_eagers():
    for compiled, eager in zip(taped(gt.function(net), X, W), taped(net, X, W), strict=True):
        close(compiled, eager)


def test_the_backward_program_repeats_no_product_and_no_exponential():
    found = parts(net, Aval(X.shape, float), Aval(W.shape, float))
    assert names(found.forward).count("matmul") == 2
    assert "tanh" in names(found.forward)
    assert names(found.backward).count("matmul") == 4  # one for each operand of the two
    assert {"tanh", "exp", "sin"}.isdisjoint(names(found.backward))


def test_what_no_result_needs_is_computed_backward_where_that_keeps_no_more():
    found = parts(lambda x: np.sum(np.sin(x) * 3.0), Aval((1000,), float))
    assert names(found.forward) == ["sin", "multiply", "sum"]
    assert "cos" in names(found.backward)
    assert (found.reads, found.saved) == ([0], [])


def test_a_truth_value_is_kept_and_not_the_numbers_it_is_of():
    """`where(x @ w > 0, ...)`: the mask has an eighth of the bytes."""

    def f(x, w):
        h = x @ w
        return np.sum(np.where(h > 0, h * 2.0, 0.0))

    found = parts(f, Aval(X.shape, float), Aval(W.shape, float))
    kept = [found.forward.outputs[i].aval.dtype for i in found.saved]
    assert kept == [bool]


def test_cheap_chains_of_what_is_kept_anyway_are_computed_again():
    """Of ten values in between, the exponential alone is kept."""

    def f(x):
        e = np.exp(x)
        y = e
        for c in (1.0, 2.0, 3.0):
            y = (y + c) * y
        return np.sum(y)

    found = parts(f, Aval((1000,), float))
    assert len(found.saved) == 1
    (node,) = [found.forward.outputs[i].node for i in found.saved]
    assert node.op.name == "exp"


def test_a_long_chain_is_not_computed_again_from_its_start():
    """Every ninth value or so is kept: what is computed again is bounded."""

    def f(x):
        for _ in range(40):
            x = x * x + 0.1
        return np.sum(x)

    found = parts(f, Aval((1000,), float))
    assert 5 <= len(found.saved) <= 12


def test_few_elements_are_computed_again_whatever_they_are():
    def f(x):
        for _ in range(30):
            x = np.sin(x) * 1.001
        return x

    found = parts(f, Aval((), float))
    assert found.saved == []
    assert names(found.backward).count("sin") == 29


def test_both_parts_together_are_the_whole():
    found = parts(net, Aval(X.shape, float), Aval(W.shape, float))
    results, _ = evaluate(found.forward, [X, W])
    residuals = [results[i] for i in found.saved]
    back, _ = evaluate(found.backward, [*([X, W][i] for i in found.reads), *residuals, 1.0])
    for g, eager in zip(back, taped(net, X, W), strict=True):
        close(g, eager)


# ------------------------------------------------------------------------- when a tape records


def pairs(f):
    (program,) = f.programs.values()
    return program.pairs


def test_a_call_that_nothing_records_makes_no_pair():
    f = gt.function(net)
    f(X, W)
    with gt.GradientTape():
        f(X, W)
    assert pairs(f) == {}


def test_what_is_not_followed_gets_no_cotangent():
    """The gradient of the data would cost one more product."""
    f, w = gt.function(net), gt.Variable(W)
    with gt.GradientTape() as tape:
        y = f(X, w)
    tape.gradient(y, w)
    (pair,) = pairs(f).values()
    assert pair.places == [1]


def test_residuals_are_freed_with_the_gradient():
    f, w = gt.function(net), gt.Variable(W)
    with gt.GradientTape() as tape:
        y = f(X, w)
    rec = next(r for r in tape._recorder.ops if r[1].name == "net")
    kept = weakref.ref(max(rec[10].values, key=np.size))
    assert kept() is not None
    del rec
    tape.gradient(y, w)
    assert kept() is None


def test_a_persistent_tape_plays_a_program_again():
    f, x = gt.function(lambda x: (np.sum(np.exp(x)), np.sin(x))), gt.array(X)
    with gt.GradientTape(persistent=True) as tape:
        tape.watch(x)
        a, b = f(x)
    np.testing.assert_allclose(tape.gradient(a, x).numpy(), np.exp(X))
    np.testing.assert_allclose(tape.gradient(b, x).numpy(), np.cos(X))
    np.testing.assert_allclose(tape.gradient([a, b], x).numpy(), np.exp(X) + np.cos(X))


def test_a_variable_that_is_assigned_later_has_the_gradient_of_what_was_read():
    w = gt.Variable(W)
    f = gt.function(lambda x: np.sum((x @ w) ** 2))
    with gt.GradientTape() as tape:
        y = f(X)
    w.assign(W * 0.0)
    np.testing.assert_allclose(tape.gradient(y, w).numpy(), 2 * X.T @ (X @ W), atol=1e-12)


def test_results_written_into_leave_the_residuals_alone():
    f, x = gt.function(lambda x: np.exp(x)), gt.array(X)
    with gt.GradientTape() as tape:
        tape.watch(x)
        y = f(x)
        z = np.sum(y)
        y *= 0.0
    np.testing.assert_allclose(tape.gradient(z, x).numpy(), np.exp(X))


def test_a_cotangent_of_another_dtype_is_taken():
    f, x = gt.function(lambda x: np.sin(x)), gt.array(X.astype(np.float32))
    with gt.GradientTape() as tape:
        tape.watch(x)
        y = np.sum(f(x) * X)
    np.testing.assert_allclose(tape.gradient(y, x).numpy(), np.cos(X) * X, atol=1e-6)
    with gt.GradientTape() as tape:
        tape.watch(x)
        y = np.sum(np.real(f(x) * (1.0 + 1j)))
    np.testing.assert_allclose(tape.gradient(y, x).numpy(), np.cos(X), atol=1e-6)


@pytest.mark.parametrize("backend", ["llvm", "numpy"])
def test_two_tapes_that_follow_different_inputs(backend):
    f = gt.function(net, backend=backend)
    x, w = gt.array(X), gt.array(W)
    with gt.GradientTape() as one, gt.GradientTape() as two:
        one.watch(x)
        two.watch(w)
        y = f(x, w)
    dx, dw = taped(net, X, W)
    close(one.gradient(y, x).numpy(), dx)
    close(two.gradient(y, w).numpy(), dw)


@pytest.mark.parametrize(
    "f", [lambda x, y: np.sum(x * 2), lambda x, y: np.sum(x * 2) + np.sum(gt.stop_gradient(y))]
)
def test_what_does_not_lead_to_the_result_is_silent_as_in_eager_mode(f):
    x, y = np.ones(2), np.ones(2)
    for run in (f, gt.function(f)):
        g = gt.grad(run, argnums=(0, 1))
        assert g(x, y)[1].tolist() == [0, 0]
        assert gt.vmap(g)(x[None], y[None])[1].tolist() == [[0, 0]]


def test_why_a_program_gives_no_gradient():
    v = gt.Variable(1.0, name="v")

    def found(f):
        with gt.GradientTape() as tape:
            z = gt.function(f)(gt.array(3.0), v)
        return tape.explain(z, v)

    assert found(lambda x, y: x * 2).kind == "no dependence"
    stopped = found(lambda x, y: x * gt.stop_gradient(y))
    assert stopped.kind == "stop_gradient"
    assert "cuts the path by gt.stop_gradient" in stopped.cause
    rounded = gt.function(lambda x, y: x * np.floor(y))
    with pytest.warns(gt.errors.GradientWarning, match="in a comparison, as an index, rounded"):
        gt.grad(rounded, argnums=1)(1.0, 2.5)
