"""Large steps: what is done in blocks, by BLAS or into reused memory is what NumPy gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gradtape as gt
from gradtape.core.squares import square_sum
from gradtape.errors import ShapeError


@pytest.mark.parametrize("n", [1, 100, 8192, 8193, 16384, 40_000])
@pytest.mark.parametrize("dtype", ["f", "d"])
def test_one_element_that_is_not_finite_is_in_the_sum_of_squares(n: int, dtype: str) -> None:
    x = np.random.default_rng(0).standard_normal(n).astype(dtype)
    assert square_sum(x) == pytest.approx(float(np.sum(x.astype(float) ** 2)), rel=1e-4)
    for place in {0, n // 2, n - 1}:
        for value in (np.nan, np.inf, -np.inf):
            spoiled = x.copy()
            spoiled[place] = value
            assert not np.isfinite(square_sum(spoiled))
            assert np.isnan(square_sum(spoiled)) == np.isnan(value)


@pytest.mark.parametrize("shape", [(1000, 10), (50, 100, 3), (70, 64), (8193, 2), (5000, 1)])
@pytest.mark.parametrize("dtype", ["f", "d"])
@pytest.mark.parametrize("keepdims", [False, True])
def test_sums_and_means_over_a_short_last_axis(
    shape: tuple[int, ...], dtype: str, keepdims: bool
) -> None:
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    variable = gt.Variable(x)
    for axis in (-1, len(shape) - 1, (-1,)):
        for f in (np.sum, np.mean):
            with gt.GradientTape() as tape:
                total = f(variable, axis=axis, keepdims=keepdims)
            expected = f(x, axis=axis, keepdims=keepdims)
            assert total.dtype == x.dtype
            assert total.shape == expected.shape
            bound = shape[-1] * np.finfo(dtype).eps * np.abs(x).sum(axis, keepdims=keepdims)
            assert np.all(np.abs(gt.value(total) - expected) <= bound)
            share = 1 if f is np.sum else 1 / shape[-1]
            gradient = tape.gradient(total, variable)
            np.testing.assert_allclose(np.asarray(gradient), np.full(shape, share), rtol=1e-6)


def test_what_is_not_finite_stays_in_its_own_sum() -> None:
    x = np.ones((1000, 10))
    x[3, 4], x[500, 0], x[999, 9] = np.nan, np.inf, -np.inf
    x[700, 1:3] = np.inf, -np.inf
    with np.errstate(invalid="ignore"):
        expected = x.sum(axis=1)
        found = np.asarray(gt.value(np.sum(gt.array(x), axis=1)))
    np.testing.assert_array_equal(found, expected)


def test_integers_and_other_layouts_are_summed_by_numpy() -> None:
    x = np.arange(10_000).reshape(1000, 10)
    np.testing.assert_array_equal(gt.value(np.sum(gt.array(x), axis=1)), x.sum(axis=1))
    y = np.asfortranarray(x.astype(float))
    np.testing.assert_array_equal(gt.value(np.sum(gt.array(y), axis=1)), y.sum(axis=1))


SHAPES: list[Any] = [((900, 1, 12), (8, 12)), ((8, 12), (900, 8, 12)), ((600, 1), (1, 200)),
                     ((300, 300), (300, 1)), ((40_000,), (1,)), ((), (40_000,))]  # fmt: skip


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("ufunc", [np.add, np.subtract, np.multiply, np.true_divide, np.hypot])
def test_results_that_broadcasting_makes_large(shapes: Any, ufunc: Any) -> None:
    rng = np.random.default_rng(0)
    x, y = (rng.uniform(1, 2, s) for s in shapes)
    vx, vy = gt.Variable(x), gt.Variable(y)
    with gt.GradientTape() as tape:
        out = ufunc(vx, vy)
        total = np.sum(out**2)
    np.testing.assert_array_equal(gt.value(out), ufunc(x, y))
    gx, gy = tape.gradient(total, (vx, vy))
    partials = {
        "add": (1, 1),
        "subtract": (1, -1),
        "multiply": (y, x),
        "divide": (1 / y, -x / y**2),
        "hypot": (x / np.hypot(x, y), y / np.hypot(x, y)),
    }[ufunc.__name__]
    for found, p, v in zip((gx, gy), partials, (x, y), strict=True):
        full = 2 * ufunc(x, y) * p
        axes = tuple(range(full.ndim - v.ndim))
        full = full.sum(axis=axes)
        axes = tuple(i for i, n in enumerate(v.shape) if n == 1 and full.shape[i] != 1)
        np.testing.assert_allclose(np.asarray(found), full.sum(axis=axes, keepdims=True).reshape(
            v.shape), rtol=1e-12)  # fmt: skip


def test_shapes_that_do_not_broadcast_are_refused_when_large() -> None:
    x = gt.Variable(np.ones((300, 300)))
    with gt.GradientTape(), pytest.raises(ShapeError, match="300"):
        x * np.ones((200, 2))


def test_a_cotangent_of_0_beats_an_infinite_factor_that_broadcasts() -> None:
    factor, x = np.ones((8, 12)), np.random.default_rng(0).uniform(1, 2, (900, 8, 12))
    factor[2, 3], factor[5, 5] = np.inf, np.nan
    mask = np.isfinite(factor)
    variable = gt.Variable(x)
    with gt.GradientTape() as tape:
        total = np.sum(np.where(mask, np.exp(variable) * factor, 0.0))
    np.testing.assert_allclose(
        np.asarray(tape.gradient(total, variable)), np.where(mask, np.exp(x), 0), rtol=1e-12
    )


@pytest.mark.parametrize("axis", [0, 1, 2, (0, 2)])
def test_the_cotangent_of_a_sum_over_an_axis_meets_large_partials(axis: Any) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((700, 5, 12))
    weights = rng.standard_normal(np.sum(x, axis=axis, keepdims=True).shape)
    for f, slope in ((np.square, 2 * x), (np.exp, np.exp(x)), (np.abs, np.sign(x))):
        variable = gt.Variable(x)
        with gt.GradientTape() as tape:
            total = np.sum(np.sum(f(variable), axis=axis, keepdims=True) * weights)
        np.testing.assert_allclose(
            np.asarray(tape.gradient(total, variable)), weights * slope, rtol=1e-12
        )


def test_a_sum_over_an_axis_that_is_left_out_hides_an_infinite_slope() -> None:
    x = np.random.default_rng(0).uniform(1, 2, (4000, 10))
    x[::7] = 0.0
    variable = gt.Variable(x)
    with gt.GradientTape() as tape:
        rows = np.sum(np.sqrt(variable), axis=1)
        total = np.sum(np.where(x[:, 0] > 0, rows, 0.0))
    with np.errstate(divide="ignore"):
        expected = np.where(x > 0, 0.5 / np.sqrt(x), 0.0)
    np.testing.assert_allclose(np.asarray(tape.gradient(total, variable)), expected, rtol=1e-12)
