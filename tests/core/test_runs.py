"""Short runs in longer loops: what is laid out otherwise is what NumPy gives."""

from __future__ import annotations

import itertools
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import gradtape as gt
from gradtape.core import runs
from gradtape.core.axes import expand
from gradtape.core.cotangents import product_sum, sum_to
from gradtape.core.runs import add_reduce, broadcast, extremum

# ------------------------------------------------------------------------------ broadcasts

LAID_OUT: list[Any] = [
    ((1000, 1, 10), (25, 10)),  # points and means
    ((1000, 1, 10), (1000, 25, 10)),
    ((300, 1, 3), (200, 3)),
    ((7, 1, 2), (30_000, 2)),  # one row meets so many that it is worth a tile of its own
    ((5, 1, 24), (5, 2000, 24)),
    ((40, 30, 1, 3), (20, 3)),
    ((1, 10), (25_000, 10)),
    ((3,), (50_001, 3)),
    ((1000,), (400, 1000)),
]  # fmt: skip
LEFT_ALONE: list[Any] = [
    ((1000, 1, 30), (25, 30)),  # the run is long
    ((1000, 25, 1), (1000, 25, 10)),
    ((50, 1, 40, 1, 3), (8, 1, 9, 3)),
    ((1000,), (100, 1000)),  # a small result
    ((400, 400), (400, 400)),
]


@pytest.mark.parametrize("dtype", ["f", "d"])
@pytest.mark.parametrize("shapes", LAID_OUT + LEFT_ALONE, ids=str)
def test_broadcasts_have_the_bits_of_numpy(shapes: Any, dtype: str) -> None:
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal(s).astype(dtype) for s in shapes)
    for a in (x, y):
        flat = a.reshape(-1)
        flat[::7], flat[1::11], flat[2::13] = np.inf, np.nan, -0.0
    with np.errstate(invalid="ignore", over="ignore"):
        for ufunc, (a, b) in itertools.product((np.subtract, np.multiply), ((x, y), (y, x))):
            expected = ufunc(a, b)
            out = np.full_like(expected, 7)
            assert broadcast(ufunc, a, b, out) is out
            np.testing.assert_array_equal(out, expected)
            np.testing.assert_array_equal(np.signbit(out), np.signbit(expected))


@pytest.mark.parametrize("shapes", LAID_OUT, ids=str)
def test_their_loops_are_long(shapes: Any) -> None:
    """NumPy's own would start anew for each run of the last axis that both have."""
    seen: list[tuple[int, int]] = []

    def spy(a: Any, b: Any, out: Any) -> None:
        np.subtract(a, b, out=out)
        run, smaller = 1, min((a, b), key=np.size)
        for n in range(1, smaller.ndim + 1):
            run *= smaller.shape[-n] if smaller.shape[-n] == out.shape[-n] else 1
        seen.append((out.size, run))

    x, y = (np.ones(s) for s in shapes)
    broadcast(spy, x, y, np.empty(np.broadcast_shapes(*shapes)))
    long = sum(size for size, run in seen if run >= runs._TILE // 4)
    assert long > 0.9 * sum(size for size, _ in seen)


def test_operands_that_are_no_runs_in_memory_are_right() -> None:
    x = np.random.default_rng(0).standard_normal((10, 1, 1000)).T[:, :, ::2]
    y = np.random.default_rng(1).standard_normal((5, 25)).T
    out = np.empty((1000, 25, 5))
    np.testing.assert_array_equal(broadcast(np.subtract, x, y, out), x - y)


@pytest.mark.parametrize("shape", [(900, 1, 10), (10,), (30, 10), (1, 1, 10)])
def test_the_result_may_be_the_operand_that_has_its_shape(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((900, 30, 10)), rng.standard_normal(shape)
    for ufunc in (np.subtract, np.multiply):
        for is_first in (True, False):
            out = x.copy()
            broadcast(ufunc, *((out, y) if is_first else (y, out)), out)
            np.testing.assert_array_equal(out, ufunc(x, y) if is_first else ufunc(y, x))


def test_a_pairwise_difference_and_its_gradient() -> None:
    rng = np.random.default_rng(0)
    points, centers = rng.standard_normal((900, 3)), rng.standard_normal((40, 3))
    p, c = gt.Variable(points), gt.Variable(centers)
    with gt.GradientTape() as tape:
        difference = p[:, None] - c
        total = np.sum(np.sum(difference**2, axis=2))
    expected = points[:, None] - centers
    np.testing.assert_array_equal(np.asarray(gt.value(difference)), expected)
    gp, gc = tape.gradient(total, (p, c))
    np.testing.assert_allclose(np.asarray(gp), 2 * expected.sum(1), rtol=1e-12, atol=1e-11)
    np.testing.assert_allclose(np.asarray(gc), -2 * expected.sum(0), rtol=1e-12, atol=1e-11)


# ------------------------------------------------------------------------------ reductions


@pytest.mark.parametrize("dtype", ["f", "d"])
@pytest.mark.parametrize(
    "shape", [(1000, 250), (1000, 5, 5), (64, 64), (83_333, 3), (8192, 1), (129, 100), (40, 90, 3)]
)
def test_sums_of_short_rows_are_as_exact_as_numpys(shape: tuple[int, ...], dtype: str) -> None:
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    for axis in (0, (0,), *(tuple(range(n)) for n in range(1, len(shape)))):
        for keepdims in (False, True):
            expected = np.add.reduce(x.astype(np.longdouble), axis=axis, keepdims=keepdims)
            found = add_reduce(x, axis, keepdims)
            assert found.shape == expected.shape
            assert found.dtype == x.dtype
            plain = np.add.reduce(x, axis=axis, keepdims=keepdims)
            worst = np.abs(plain - expected).max()
            bound = np.finfo(dtype).eps * np.abs(x).sum(axis).max()
            assert np.abs(found - expected).max() <= max(worst, bound)


def test_many_short_rows_are_summed_more_exactly() -> None:
    x = np.random.default_rng(0).uniform(0, 1, (100_000, 3)).astype("f")
    exact = x.astype(float).sum(0)
    off = np.abs(np.asarray(gt.value(np.sum(gt.array(x), axis=0))) - exact).max()
    assert off < 0.2 * np.abs(x.sum(0) - exact).max()


def test_what_is_not_finite_stays_in_its_own_column() -> None:
    x = np.ones((9000, 4))
    x[3, 0], x[5000, 1], x[8999, 2] = np.nan, np.inf, -np.inf
    np.testing.assert_array_equal(add_reduce(x, 0), x.sum(0))
    np.testing.assert_array_equal(add_reduce(x.reshape(90, 100, 4), (0, 1)), x.sum(0))


@pytest.mark.parametrize("dtype", ["f", "d"])
@pytest.mark.parametrize("shape", [(1000, 25), (50_000, 2), (2048, 2), (30, 70, 3), (200, 48)])
def test_extrema_over_a_short_last_axis(shape: tuple[int, ...], dtype: str) -> None:
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    x.reshape(-1)[::101], x.reshape(-1)[::1009] = -np.inf, np.nan
    for f in (np.maximum, np.minimum):
        for axis in (-1, len(shape) - 1, (-1,)):
            for keepdims in (False, True):
                found = extremum(f.reduce)(x, axis=axis, keepdims=keepdims)
                assert found.dtype == x.dtype
                np.testing.assert_array_equal(found, f.reduce(x, axis=axis, keepdims=keepdims))


@pytest.mark.parametrize("axis", [0, 1, 2, (0, 2), (1, 2), None])
@pytest.mark.parametrize("keepdims", [False, True])
def test_the_cotangent_of_a_sum_is_seen_through_strides(axis: Any, keepdims: bool) -> None:
    shape = (3, 4, 5)
    ct = np.random.default_rng(0).standard_normal(
        np.add.reduce(np.ones(shape), axis=axis, keepdims=keepdims).shape
    )
    full = np.add.reduce(np.ones(shape), axis=axis, keepdims=True).shape
    for given in (ct, np.asfortranarray(ct), ct.astype("F"), ct.astype(np.float16)):
        found = expand(given, shape, axis, keepdims)
        assert not found.flags.writeable
        np.testing.assert_array_equal(found, np.broadcast_to(given.reshape(full), shape))


# ---------------------------------------------------------------------------- products summed


@pytest.mark.parametrize("dtype", ["f", "d"])
@pytest.mark.parametrize("shape", [(40, 50), (1, 40, 50), (1, 1, 50), (50,)])
def test_products_are_summed_without_being_in_memory(shape: Any, dtype: str) -> None:
    rng = np.random.default_rng(0)
    g, p = (rng.standard_normal((30, 40, 50)).astype(dtype) for _ in range(2))
    if shape == (1, 1, 50):  # its second axis is summed too, and kept
        assert product_sum(g, p, (1, 40, 1)) is None
    found = product_sum(g, p, shape)
    expected = sum_to((g * p).astype(np.longdouble), shape)
    assert found.shape == shape
    assert found.dtype == g.dtype
    assert np.abs(found - expected).max() <= 40 * np.finfo(dtype).eps * np.abs(expected).max()
    for place in (0, g.size - 1):
        spoiled = p.copy()
        spoiled.reshape(-1)[place] = np.nan
        assert product_sum(g, spoiled, shape) is None
    assert product_sum(g, p[0], shape) is None
    assert product_sum(g, np.asfortranarray(p), shape) is None


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_a_cotangent_of_0_beats_what_is_not_finite_in_a_factor_that_is_summed(bad: float) -> None:
    rng = np.random.default_rng(0)
    data, weights = rng.uniform(1, 2, (600, 8, 12)), gt.Variable(rng.uniform(1, 2, (8, 12)))
    data[3], data[77, 2, 5] = bad, bad
    seen = np.isfinite(data)
    with gt.GradientTape() as tape:
        total = np.sum(np.where(seen, weights * data, 0.0))
    np.testing.assert_allclose(
        np.asarray(tape.gradient(total, weights)), np.where(seen, data, 0).sum(0), rtol=1e-12
    )


@pytest.mark.parametrize("axis", [1, 2, (1, 2)])
def test_the_2_of_a_square_goes_to_the_few_numbers_of_a_cotangent(axis: Any) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((700, 6, 12))
    weights = rng.standard_normal(np.sum(x, axis=axis, keepdims=True).shape)
    variable = gt.Variable(x)
    for scale in (1.0, 1e308, 0.0):  # twice 1e308 is infinite
        x[:5] = 0.0
        variable.assign(x)
        with np.errstate(all="ignore"):
            with gt.GradientTape() as tape:
                squares = np.sum(variable**2, axis=axis, keepdims=True)
                total = np.sum(squares * (weights * scale))
            expected = weights * scale * (x + x)
        np.testing.assert_array_equal(np.asarray(tape.gradient(total, variable)), expected)


def test_squares_of_complex_numbers_too() -> None:
    x = np.random.default_rng(0).standard_normal((900, 20)) * (1 + 2j)
    variable = gt.Variable(x)
    with gt.GradientTape() as tape:
        total = np.real(np.sum(np.sum(variable**2, axis=1)))
    np.testing.assert_allclose(np.asarray(tape.gradient(total, variable)), np.conj(2 * x))


# ------------------------------------------------------------------------------ memory

_COUNT = """
import resource, numpy as np
from gradtape.core import buffers
if {teach}:
    buffers.take((1 << 18,), np.dtype(float), 1 << 21)
def step():
    x = np.ones(1 << 15)  # the blocks of a rule are as large
    y = x + x
    return y * x
for _ in range(10):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    step()
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 20)
"""


@pytest.mark.skipif("glibc" not in "".join(__import__("platform").libc_ver()), reason="of glibc")
def test_temporaries_of_blocks_are_not_faulted_in_anew() -> None:
    counts = []
    for teach in (False, True):
        done = subprocess.run(
            [sys.executable, "-c", _COUNT.format(teach=teach)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        counts.append(float(done.stdout))
    assert counts[1] < 5
    assert counts[0] > counts[1] or counts[0] < 5  # elsewhere malloc may need no lesson
