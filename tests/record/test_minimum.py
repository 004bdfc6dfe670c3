"""The minimum of a recorded cost is that of the closed form; elsewhere nothing is said of one."""

import numpy as np

import gradtape as gt
from gradtape.record.minimum import minimum
from gradtape.record.reader import Reader

RNG = np.random.default_rng(5)
X = RNG.uniform(0.0, 1.0, 100)


def run(folder, cost, variables, steps=20, rate=0.001):
    with gt.Recording(folder, progress=False), np.errstate(all="ignore"):
        for _ in range(steps):
            with gt.GradientTape() as tape:
                loss = cost()
            for v, g in zip(variables, tape.gradient(loss, variables), strict=True):
                v.assign_sub(rate * g)
    return minimum(Reader(folder))


def numbers(*values):
    return [gt.Variable(value, name=f"v{i}") for i, value in enumerate(values)]


def test_of_least_squares_it_is_the_closed_form(tmp_path):
    y = 0.3 + 0.5 * X + RNG.normal(0.0, 0.3, 100)
    a, b = numbers(0.0, 0.0)
    found = run(tmp_path / "run", lambda: np.sum((y - (a + b * X)) ** 2), [a, b])
    closed = dict(zip(["v1", "v0"], np.polyfit(X, y, 1), strict=True))
    np.testing.assert_allclose(found.at, [closed[name] for name in found.names], rtol=1e-8)
    assert found.series.shape == (20, 2)


def test_of_a_curved_valley_it_is_found_too(tmp_path):
    y = 2.0 * np.exp(-1.5 * X)
    a, b = numbers(1.0, 1.0)
    found = run(tmp_path / "run", lambda: np.mean((a * np.exp(-b * X) - y) ** 2), [a, b], 300, 0.2)
    at = dict(zip(found.names, found.at, strict=True))
    np.testing.assert_allclose([at["v0"], at["v1"]], [2.0, 1.5], rtol=1e-6)


def test_where_the_minimum_is_no_single_point_it_says_nothing(tmp_path):
    a, b = numbers(0.0, 0.0)
    assert run(tmp_path / "valley", lambda: np.mean((a + b - X) ** 2), [a, b]) is None
    (c,) = numbers(0.5)
    assert run(tmp_path / "falling", lambda: -c * 1.0, [c]) is None
    (d,) = numbers(0.0)
    assert run(tmp_path / "top", lambda: -((d - 1.0) ** 2), [d]) is None


def test_of_a_run_that_diverged_and_of_changing_data_it_says_nothing(tmp_path):
    (a,) = numbers(1.0)
    assert run(tmp_path / "nan", lambda: np.sum(a**4 * X), [a], 60, 10.0) is None
    (b,) = numbers(0.0)
    batches = iter(RNG.normal(size=(20, 8)))
    assert run(tmp_path / "batches", lambda: np.mean((b - next(batches)) ** 2), [b]) is None
