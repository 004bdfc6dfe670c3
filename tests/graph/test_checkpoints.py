"""The memory of a scan's gradient: segments of sqrt(n) turns."""

import tracemalloc

import numpy as np
import pytest

import gradtape as gt
from gradtape.graph.segments import LONG, segment_length

X = np.linspace(0.1, 0.9, 5)


def walk(n, reverse=False, checkpoint=None):
    """A function whose scan has n turns, takes arrays apart, stacks results, captures, counts."""
    along = np.cos(np.arange(float(n)))

    def f(x):
        def step(carry, t):
            c, i = carry
            c = np.sin(c) * t + x * 0.5
            return (c, i + 1), c[0] * t

        (c, i), ys = gt.scan(step, (x, 0), along, reverse=reverse, checkpoint=checkpoint)
        return np.sum(c * i) + np.sum(ys**2)

    return f


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("checkpoint", [True, False, 4, 7, None])
@pytest.mark.parametrize("n", [1, 2, 16, 19])
def test_the_gradient_is_the_same_however_it_is_cut(n, checkpoint, reverse):
    plain, cut = walk(n, reverse), walk(n, reverse, checkpoint)
    for order in (1, 2):
        expected, found = plain, gt.function(cut, backend="numpy")
        for _ in range(order):
            expected = gt.grad(lambda x, f=expected: np.sum(f(x)))
            found = gt.grad(lambda x, f=found: np.sum(f(x)))
        inside = gt.function(
            gt.grad(cut) if order == 1 else gt.grad(lambda x: np.sum(gt.grad(cut)(x))),
            backend="numpy",
        )
        np.testing.assert_allclose(found(X), expected(X), rtol=1e-11)
        np.testing.assert_allclose(inside(X), expected(X), rtol=1e-11)


@pytest.mark.parametrize("checkpoint", [True, 5])
def test_an_eager_tape_takes_segments_too(checkpoint):
    f = walk(23, checkpoint=checkpoint)
    np.testing.assert_allclose(gt.grad(f)(X), gt.grad(walk(23))(X), rtol=1e-12)
    with gt.GradientTape() as tape:
        x = tape.watch(X)
        y = f(x)
    records = len(tape._recorder.ops)
    assert records < 40  # two scans and what is done to their results, not 23 turns
    np.testing.assert_allclose(tape.gradient(y, x).numpy(), gt.grad(walk(23))(X), rtol=1e-12)


def test_what_is_around_a_scan_with_segments_has_gradients():
    w, k = gt.Variable(X), gt.array(2.0)

    def f(checkpoint):
        with gt.GradientTape() as tape:
            tape.watch(k)
            c, _ = gt.scan(
                lambda c, _: (np.tanh(c * w) + k, None), X * 1.0, length=30, checkpoint=checkpoint
            )
            y = np.sum(c)
        return [g.numpy() for g in tape.gradient(y, [w, k])]

    for a, b in zip(f(True), f(None), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_transforms_of_a_scan_with_segments():
    f, plain = walk(20, checkpoint=True), walk(20)
    g = gt.function(f, backend="numpy")
    np.testing.assert_allclose(gt.hessian(g)(X), gt.hessian(plain)(X), rtol=1e-10)
    np.testing.assert_allclose(
        gt.jvp(gt.grad(g), (X,), (X,))[1], gt.jvp(gt.grad(plain), (X,), (X,))[1], rtol=1e-10
    )
    xs = np.stack([X, X * 2])
    np.testing.assert_allclose(
        gt.function(gt.vmap(gt.grad(f)), backend="numpy")(xs),
        np.stack([gt.grad(plain)(x) for x in xs]),
        rtol=1e-10,
    )


def test_the_length_of_segments():
    assert segment_length(LONG - 1, None) == 1
    assert segment_length(LONG, None) == 16
    assert segment_length(10_000, True) == 100
    assert segment_length(10_000, False) == 1
    assert segment_length(10_000, 8) == 8


def peak(n, checkpoint, size=4000):
    """Bytes at the peak of a gradient of n turns on `size` numbers."""
    x = np.linspace(0.1, 0.9, size)
    f = gt.function(
        lambda x: np.sum(
            gt.scan(lambda c, _: (np.sin(c) * x, None), x, length=n, checkpoint=checkpoint)[0]
        ),
        backend="numpy",
    )
    g = gt.grad(f)
    g(x)
    tracemalloc.start()
    try:
        g(x)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_grows_as_the_root_of_the_number_of_turns():
    few, many = peak(100, True), peak(1600, True)
    assert many < 6 * few  # sixteen times the turns: four times the carries
    assert many < peak(1600, False) / 8
    assert peak(1600, None) < 1.1 * many  # by itself, where there are many
    assert many < 2.5 * 40 * 2 * 8 * 4000  # about 2 sqrt(n) carries of 4000 numbers, and one turn
