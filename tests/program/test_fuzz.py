"""Random programs: compiled against eager, and their gradients against differences.

A program is a sequence of steps, each of which takes values made before. Seeds of programs that
found a mistake stand in `FOUND`.
"""

import numpy as np
import pytest

import gradtape as gt

FOUND: tuple[int, ...] = ()
SHAPES = [(), (3,), (2, 3), (3, 2), (1, 3)]
UNARY = [
    np.sin, np.tanh, lambda x: np.exp(np.tanh(x)), np.negative, np.square, np.cos, np.arctan,
    np.abs, np.transpose,
    lambda x: x * 1.0, lambda x: x**2, lambda x: x**3, lambda x: np.sqrt(1.0 + x * x),
    lambda x: np.log1p(x * x), lambda x: np.where(x > 0.1, x, x * 0.3),
    lambda x: np.reshape(x, -1), lambda x: np.sum(x, axis=-1) if x.ndim else x,
    lambda x: np.mean(x), lambda x: np.max(x, axis=0) if x.ndim else x,
    lambda x: x[..., ::-1] if x.ndim else x, lambda x: x[0] if x.ndim else x,
    lambda x: np.cumsum(x, axis=-1) if x.ndim else x, lambda x: np.sort(x) if x.ndim else x,
    lambda x: np.concatenate([x, x * 2.0]) if x.ndim else x, lambda x: np.clip(x, -0.7, 0.8),
    lambda x: np.broadcast_to(x, (2, *x.shape)) if x.ndim < 2 else x,
    lambda x: gt.cond(np.sum(x) > 0.2, lambda: x * 2.0, lambda: np.sin(x)),
    lambda x: gt.fori_loop(0, 3, lambda i, c: np.sin(c) * 0.9 + x, x),
]  # fmt: skip
BINARY = [
    np.add, np.subtract, np.multiply, np.maximum, np.logaddexp,
    lambda x, y: np.hypot(x, 0.5 + np.abs(y)), lambda x, y: np.arctan2(x, 0.5 + y * y),
    lambda x, y: x / (1.5 + np.abs(y)), lambda x, y: np.where(x > y, x, y * y),
]  # fmt: skip


def program(seed):
    """A random function of two arrays, and the arrays."""
    rng = np.random.default_rng(seed)
    steps = []
    for _ in range(int(rng.integers(3, 14))):
        steps.append((bool(rng.random() < 0.55), rng.integers(1 << 30, size=3)))
    args = [rng.normal(size=SHAPES[rng.integers(len(SHAPES))]) for _ in range(2)]

    def run(x, y):
        values = [x, y]
        for is_unary, (op, a, b) in steps:
            a, b = values[-1 - a % min(3, len(values))], values[b % len(values)]
            if is_unary:
                values.append(UNARY[op % len(UNARY)](a))
                continue
            try:
                np.broadcast_shapes(a.shape, b.shape)
            except ValueError:
                b = np.sum(b)
            values.append(BINARY[op % len(BINARY)](a, b))
        return sum(np.sum(v * 0.1) for v in values)

    return run, args


def check(seed, backend):
    f, args = program(seed)
    tensors = [gt.array(x) for x in args]
    expected = float(gt.value(f(*tensors)))
    compiled = gt.function(f, backend=backend)
    assert float(compiled(*args)) == pytest.approx(expected, rel=1e-12, abs=1e-12)
    eager = gt.grad(f, argnums=(0, 1))(*args)
    outside = gt.grad(compiled, argnums=(0, 1))(*args)
    inside = gt.function(gt.grad(f, argnums=(0, 1)), backend=backend)(*args)
    for e, o, i in zip(eager, outside, inside, strict=True):
        np.testing.assert_allclose(o, e, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(i, e, rtol=1e-10, atol=1e-12)
    rng = np.random.default_rng(seed)
    along = [rng.normal(size=x.shape) for x in args]
    slopes = []
    for h in (1e-5, 2e-5):
        plus, minus = (
            float(compiled(*(x + s * h * d for x, d in zip(args, along, strict=True))))
            for s in (1, -1)
        )
        slopes.append((plus - minus) / (2 * h))
    exact = sum(float(np.sum(g * d)) for g, d in zip(eager, along, strict=True))
    if slopes[0] == pytest.approx(slopes[1], rel=1e-6, abs=1e-8):  # no kink in between
        assert exact == pytest.approx(slopes[0], rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("seed", [*FOUND, *range(40)])
def test_a_random_program_is_the_same_as_a_graph(seed):
    check(seed, "numpy")


@pytest.mark.slow
@pytest.mark.parametrize("seed", [*FOUND, *range(3)])
def test_a_random_program_is_the_same_in_native_code(seed):
    check(seed, "llvm")


@pytest.mark.exhaustive
def test_many_random_programs_are_the_same_compiled():
    for seed in range(60, 1500):
        check(seed, "numpy")
    for seed in range(60, 200):
        check(seed, "llvm")
