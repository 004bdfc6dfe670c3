"""What is known of columns does not depend on the blocks in which they came."""

import numpy as np
import pytest

from gradtape.fit.columns import check_columns, gather
from gradtape.fit.problems import FitError
from gradtape.fit.rows import Block

NAMES = ("Intercept", "u", "v")


def made(n=5000, weights=True, offset=1e6):
    rng = np.random.default_rng(0)
    u = rng.normal(offset, 1, n)
    X = np.column_stack([np.ones(n), u, rng.uniform(-1, 1, n)])
    w = rng.integers(1, 5, n).astype(float) if weights else None
    return Block(X, u - offset + rng.normal(size=n), w)


def gathered(whole, cuts, intercept=0):
    summary = None
    for part in np.array_split(np.arange(len(whole)), cuts):
        summary = gather(summary, whole.take(part), intercept=intercept)
    return summary


@pytest.mark.parametrize("weights", [True, False])
@pytest.mark.parametrize("cuts", [1, 2, 9, 2000])
def test_sums(weights, cuts):
    whole = made(weights=weights)
    summary = gathered(whole, cuts)
    table = np.column_stack([whole.X, whole.y])
    w = np.ones(len(whole)) if whole.weights is None else whole.weights
    mean = np.average(table, axis=0, weights=w)
    assert summary.n == len(whole)
    assert summary.weight == pytest.approx(w.sum())
    np.testing.assert_allclose(summary.mean, mean, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(summary.square, w @ (table - mean) ** 2, rtol=1e-8)
    np.testing.assert_array_equal(summary.low, table.min(axis=0))
    np.testing.assert_array_equal(summary.high, table.max(axis=0))
    shifted = (table - summary.shift) * np.sqrt(w)[:, None]
    np.testing.assert_allclose(
        summary.factor.T @ summary.factor, shifted.T @ shifted, rtol=1e-9, atol=1e-7
    )
    assert np.allclose(summary.factor, np.triu(summary.factor))


@pytest.mark.parametrize("cuts", [1, 40])
def test_collinear_columns_are_found_whatever_the_offset(cuts):
    whole = made()
    X = np.column_stack([whole.X, 3 + 2 * whole.X[:, 1] - whole.X[:, 2]])
    summary = gathered(Block(X, whole.y, whole.weights), cuts)
    match = r"Columns z and u and v are collinear.\nIn every row z = 3 \+ 2 \* u - 1 \* v,"
    with pytest.raises(FitError, match=match):
        check_columns(summary, (*NAMES, "z"), "y ~ u + v + z")
    check_columns(gathered(whole, cuts), NAMES, "y ~ u + v")


def test_nearly_collinear_with_a_large_mean_is_not_collinear():
    whole = made()
    X = np.column_stack([whole.X, whole.X[:, 1] + 1e-6 * whole.X[:, 2] ** 2])
    check_columns(gathered(Block(X, whole.y), 3), (*NAMES, "z"), "y ~ u + v + z")


def test_constant_columns_of_blocks():
    whole = made(offset=3.0)
    X = whole.X.copy()
    X[:, 1] = 7.0
    with pytest.raises(FitError, match="Column u is constant: it is 7 in every row"):
        check_columns(gathered(Block(X, whole.y), 4), NAMES, "y ~ u + v")
    X[-1, 1] = 7.5
    check_columns(gathered(Block(X, whole.y), 4), NAMES, "y ~ u + v")
