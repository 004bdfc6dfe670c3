"""A cotangent of exactly 0 wins in programs as it does eagerly, over missing data and infinity."""

import numpy as np
import pytest

import gradtape as gt

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 3))
X[1, 1], X[3] = np.nan, np.inf
W, V, Y = RNG.normal(size=3), RNG.normal(size=(3, 2)), RNG.normal(size=6)
SEEN = np.array([True, False, True, False, True, True])
ROWS = SEEN[:, None]


def seen(rows):
    return lambda w: np.sum(np.where(SEEN, rows(w), 0.0))


CASES = {
    "sqrt": (lambda a: np.sum(np.where(a > 0, np.sqrt(np.abs(a)), 0.0)), W - W[1]),
    "log": (lambda a: np.sum(np.where(a > 0, np.log(np.abs(a)), 0.0)), np.array([-1.0, 0.0, 4.0])),
    "division": (lambda a: np.sum(np.where(a != 0, 1 / a, 0.0)), np.array([-1.0, 0.0, 4.0])),
    "matrix times vector": (seen(lambda w: (X @ w - Y) ** 2), W),
    "rows that are picked": (lambda w: np.sum(((X @ w - Y) ** 2)[[0, 2, 4, 5]]), W),
    "where=": (lambda w: np.mean((X @ w - Y) ** 2, where=SEEN), W),
    "matrix times matrix": (lambda v: np.sum(np.where(ROWS, np.tanh(X @ v), 0.0)), V),
    "dot": (lambda v: np.sum(np.where(ROWS, np.dot(X, v), 0.0)), V),
    "tensordot": (lambda v: np.sum(np.where(ROWS, np.tensordot(X, v, 1), 0.0)), V),
    "einsum": (lambda v: np.sum(np.where(ROWS, np.einsum("ij,jk->ik", X, v), 0.0)), V),
    "nanmean": (lambda m: np.nanmean((X[:2] - m) ** 2), np.array(0.3)),
    "norm": (seen(lambda w: np.linalg.norm(X * w, axis=1)), W),
    "var": (seen(lambda w: np.var(X * w, axis=1)), W),
    "std": (seen(lambda w: np.std(X * w, axis=1)), W),
    "prod": (seen(lambda w: np.prod(X * w, axis=1)), W),
    "max": (seen(lambda w: np.max(X * w, axis=1)), W),
    "logaddexp": (seen(lambda w: np.logaddexp.reduce(X * w, axis=1)), W),
    "cumprod": (lambda w: np.sum(np.where(ROWS, np.cumprod(X * w, axis=1), 0.0)), W),
}  # fmt: skip


pytestmark = pytest.mark.filterwarnings("ignore:(invalid value|divide):RuntimeWarning")


@pytest.mark.parametrize("backend", ["llvm", "numpy"])
@pytest.mark.parametrize("name", CASES)
def test_the_compiled_gradient_is_eagers(name, backend):
    f, at = CASES[name]
    expected = gt.grad(f)(at)
    assert np.isfinite(expected).all()
    inside = gt.grad(gt.function(f, backend=backend))(at)
    outside = gt.function(gt.grad(f), backend=backend)(at)
    for found in (inside, outside):
        np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_a_training_step_on_data_with_gaps():
    """Variables are assigned once, by the run that looks for what is missing."""

    def make(w):
        def step(rate):
            with gt.GradientTape() as tape:
                loss = np.sum(np.where(SEEN, (X @ w - Y) ** 2, 0.0))
            w.assign_sub(rate * tape.gradient(loss, w))
            return loss

        return step

    w, v = gt.Variable(W), gt.Variable(W)
    eager, fast = make(w), gt.function(make(v))
    for _ in range(3):
        np.testing.assert_allclose(float(fast(0.01)), float(eager(0.01)), rtol=1e-12)
    np.testing.assert_allclose(v.numpy(), w.numpy(), rtol=1e-12)


def test_data_without_gaps_are_computed_once():
    x = np.nan_to_num(X, posinf=1.0)
    f = gt.function(gt.grad(lambda w: np.sum((x @ w - Y) ** 2)))
    f(W)
    (program,) = f.programs.values()
    assert program.looks
    assert "careful" not in vars(program)


def test_programs_without_products_look_at_nothing():
    f = gt.function(gt.grad(lambda w: np.sum(np.sin(w) ** 2)))
    f(W)
    (program,) = f.programs.values()
    assert not program.looks


def test_a_nan_that_is_there_stays():
    f = gt.function(gt.grad(lambda w: np.sum((X @ w - Y) ** 2)))
    assert np.isnan(f(W)).all()


def test_random_numbers_are_drawn_once_where_a_program_runs_again():
    gt.random.seed(3)
    f = gt.function(gt.grad(lambda w: np.sum(np.where(SEEN, X @ w, 0.0)) * gt.random.normal()))
    first, second = f(W), f(W)
    gt.random.seed(3)
    numbers = [float(gt.random.normal()) for _ in range(2)]
    clean = np.sum(X[SEEN], axis=0)
    np.testing.assert_allclose([first, second], [clean * n for n in numbers], rtol=1e-12)
