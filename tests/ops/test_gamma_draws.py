"""The slope of gamma numbers, against the definition in mpmath's arithmetic and TensorFlow."""

import mpmath
import numpy as np
import pytest

from gradtape.ops.gamma_draws import gamma_slope


def by_definition(a, x):
    with mpmath.workdps(40):
        a, x = mpmath.mpf(a), mpmath.mpf(x)
        rise = mpmath.diff(lambda b: mpmath.gammainc(b, 0, x, regularized=True), a)
        return float(-rise * mpmath.gamma(a) * mpmath.exp(x) / x ** (a - 1))


@pytest.mark.parametrize("a", [0.01, 0.3, 1.0, 2.5, 30.0, 150.0, 250.0, 1000.0])
def test_the_slope_is_that_of_the_quantile(a):
    spread = 4 * np.sqrt(a)
    xs = [max(a - spread, a / 20), max(a - spread / 2, a / 2), a, a + 0.5, a + spread + 5]
    found = gamma_slope(np.full(len(xs), a), np.array(xs))
    np.testing.assert_allclose(found, [by_definition(a, x) for x in xs], rtol=1e-12)


def test_tensorflows_values():
    """RandomGammaGrad of TensorFlow 2.21 at these points."""
    a = np.array([0.1, 0.5, 1.0, 2.5, 20.0, 500.0])
    x = np.array([0.003, 0.9, 0.2, 4.0, 17.0, 520.0])
    theirs = [0.16207743650089743, 1.7893854122658082, 0.4611264993996721, 1.3396081953658678,
              0.9286423159209717, 1.020078506630995]  # fmt: skip
    np.testing.assert_allclose(gamma_slope(a, x), theirs, rtol=1e-4)  # theirs is a fit
    np.testing.assert_allclose(gamma_slope(a[:4], x[:4]), theirs[:4], rtol=1e-8)


def test_shapes_dtypes_and_what_is_no_parameter():
    assert gamma_slope(np.float32(2.0), np.ones((3, 1), np.float32)).dtype == np.float32
    assert gamma_slope(np.float64(2.0), np.float64(1.0)).shape == ()
    assert gamma_slope(np.zeros(0), np.zeros(0)).shape == (0,)
    assert np.isnan(gamma_slope(np.array([-1.0, 0.0]), np.array([1.0, np.nan]))).all()
