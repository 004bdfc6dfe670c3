"""Variance, deviation, averages and covariances, with every keyword."""

from __future__ import annotations

import numpy as np
import pytest

import gradtape as gt
from gradtape.testing import op_case
from tests.ops.versions import older

AXES = ({}, {"axis": 0}, {"axis": -1, "keepdims": True}, {"axis": (0, -1)})
SHAPES = ((2, 3), (2, 2, 3))
COLUMNS = np.array([True, False, True])
ONE = np.array([False, True, False])
SPREAD = (
    *AXES, {"axis": -1, "ddof": 1}, {"correction": 1, "axis": 1}, {"ddof": 0.5},
    {"axis": -1, "where": COLUMNS}, {"axis": -1, "where": ONE},
    {"where": COLUMNS, "ddof": 1, "keepdims": True},
)  # fmt: skip


def nan_on_the_way(function):
    """`function` of a clean array whose first column is replaced by NaN on the way."""

    def f(x, **kwargs):
        bad = np.zeros(np.shape(x), bool)
        bad[..., 0] = True
        return function(np.where(bad, np.nan, x), **kwargs)

    f.__name__ = function.__name__
    return f


def with_mean(function, **options):
    return lambda x, m: function(x, mean=m, **options)


def returned(a, w, **options):
    return np.average(a, weights=w, returned=True, **options)


POSITIVE = [(-2, 2), (0.5, 1.5)]
LARGER_MEAN = {
    f"variants: operand 0 {what}": "no mean of it has that shape"
    for what in ("0-d", "with one element along the first axis")
}
MISTAKEN = {f"variants: operand 1 {what}": "NumPy stumbles over it; we say what is wrong"
            for what in ("0-d", "without its first axis")}  # fmt: skip
FREQUENCIES = np.array([1, 3, 2, 1])
CASES = [
    *(op_case(f, complex=True, calls=((3,), *SHAPES), kwargs=({}, {"ddof": 1}))
      for f in (np.var, np.std)),
    *(op_case(f, complex=True, calls=SHAPES, kwargs=SPREAD) for f in (np.var, np.std)),
    *(op_case(f, calls=((2, 3),), kwargs=({"dtype": np.complex128, "axis": 1},))
      for f in (np.var, np.std)),
    *(op_case(with_mean(f, **options), name=f"{f.__name__}-mean", nin=2, complex=True,
              calls=[((2, 3), shape)], skip=LARGER_MEAN)
      for f in (np.var, np.std, np.nanvar, np.nanstd) for shape, options in (
          ((2, 1), {"axis": 1}), ((1, 3), {"axis": 0, "ddof": 1}), ((1, 1), {"keepdims": True}),
          ((2, 1), {"axis": 1, "where": COLUMNS}))),
    *(op_case(nan_on_the_way(f), complex=True, calls=((2, 4), (2, 2, 3)),
              kwargs=(*AXES[:1], *AXES[2:], {"axis": -1, "ddof": 1}, {"correction": 1}))
      for f in (np.nanvar, np.nanstd)),
    *(op_case(f, name=f"{f.__name__}-clean", calls=((2, 3),), kwargs=SPREAD)
      for f in (np.nanvar, np.nanstd)),
    op_case(np.average, complex=True, calls=((4,), *SHAPES), kwargs=AXES[:3]),
    op_case(np.average, calls=((3,),), kwargs=({"returned": True},)),
    op_case(np.average, name="average of listed axes", calls=((2, 3), (2, 3, 2)),
            kwargs=({"axis": [0, 1]}, {"axis": [1]}, {"axis": np.array([-1])})),
    *(op_case(lambda a, w, k=kwargs: np.average(a, weights=w, **k), name="average-weights", nin=2,
              domain=POSITIVE, calls=[shapes], complex=True)
      for shapes, kwargs in (
          (((4,), (4,)), {}), (((2, 3), (2, 3)), {}), (((2, 3), (2, 3)), {"axis": 0}),
          (((2, 3), (3,)), {"axis": 1}), (((2, 3), (2,)), {"axis": 0, "keepdims": True}),
          (((2, 3, 4), (4, 2)), {"axis": (2, 0)}))),
    op_case(returned, name="average returned", nin=2, domain=POSITIVE, calls=[((2, 3), (3,))],
            kwargs=({"axis": 1},)),
    op_case(returned, name="average returned", nin=2, domain=POSITIVE, calls=[((4,), (4,))]),
    op_case(np.cov, complex=True, calls=((5,), (2, 4)), kwargs=(
        {}, {"bias": True}, {"ddof": 0}, {"fweights": None})),
    op_case(np.cov, calls=((4, 2),), kwargs=({"rowvar": False}, {"rowvar": False, "ddof": 2}),
            skip=older("variants: operand 0 with one element along the first axis")),
    op_case(np.cov, complex=True, calls=((3, 4),), kwargs=(
        {"fweights": FREQUENCIES}, {"fweights": FREQUENCIES, "ddof": 0},
        {"fweights": FREQUENCIES, "ddof": 2})),
    op_case(np.cov, nin=2, complex=True, calls=[((4,), (4,)), ((2, 4), (4,)), ((2, 4), (3, 4))]),
    op_case(np.cov, nin=2, calls=[((4, 2), (4, 3)), ((4,), (4,))], kwargs=({"rowvar": False},)),
    *(op_case(lambda x, w, k=kwargs: np.cov(x, aweights=w, **k), name="cov-aweights", nin=2,
              domain=POSITIVE, calls=[((2, 4), (4,)), ((4,), (4,))], skip=MISTAKEN)
      for kwargs in ({}, {"ddof": 0}, {"ddof": 2}, {"fweights": FREQUENCIES})),
    op_case(np.corrcoef, complex=True, calls=((2, 5), (3, 4))),
    op_case(np.corrcoef, nin=2, calls=[((5,), (5,)), ((2, 5), (5,))]),
    op_case(np.corrcoef, calls=((4, 2),), kwargs=({"rowvar": False},),
            skip=older("variants: operand 0 with one element along the first axis")),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_op(case):
    case.check()


def gradient(function, *arrays):
    """Gradients of the sum of `function(*arrays)`."""
    with gt.GradientTape() as tape:
        watched = [tape.watch(a) for a in arrays]
        loss = np.sum(function(*watched))
    return [g.value for g in tape.gradient(loss, watched)]


@pytest.mark.parametrize("function", [np.std, np.nanstd])
def test_the_deviation_of_equal_numbers_has_gradient_zero(function):
    x = np.array([[2.0, 2.0, 2.0], [1.0, 2.0, 3.0]])
    (g,) = gradient(lambda x: function(x, axis=1), x)
    np.testing.assert_array_equal(g[0], [0, 0, 0])
    np.testing.assert_allclose(g[1], np.array([-1, 0, 1]) / (3 * np.std(x[1])))


@pytest.mark.parametrize("function", [np.std, np.nanstd])
def test_the_second_derivative_of_the_deviation_is_finite_at_equal_numbers(function):
    with gt.GradientTape() as outer:
        x = outer.watch(np.array([2.0, 2.0]))
        with gt.GradientTape() as inner:
            inner.watch(x)
            y = function(x)
        g = inner.gradient(y, x)
    assert np.all(np.isfinite(outer.gradient(g, x).value))


@pytest.mark.parametrize("function", [np.nanvar, np.nanstd])
def test_a_nan_has_gradient_zero_and_the_rest_as_without_it(function):
    x = np.array([1.0, np.nan, 2.0, 4.0])
    clean = {np.nanvar: np.var, np.nanstd: np.std}[function]
    (g,) = gradient(function, x)
    (expected,) = gradient(clean, x[[0, 2, 3]])
    np.testing.assert_allclose(g, np.insert(expected, 1, 0))


@pytest.mark.parametrize("function", [np.nanvar, np.nanstd])
def test_slices_without_freedom_warn_as_numpys_do_and_have_gradient_zero(function):
    x = np.array([[np.nan, 1.0], [2.0, 3.0]])
    with gt.GradientTape() as tape:
        t = tape.watch(x)
        with pytest.warns(RuntimeWarning, match="Degrees of freedom <= 0 for slice.") as found:
            y = function(t, axis=1, ddof=1)
    assert found[0].filename == __file__
    with pytest.warns(RuntimeWarning):
        np.testing.assert_allclose(y.value, function(x, axis=1, ddof=1))
    g = tape.gradient(y, t).value
    np.testing.assert_array_equal(g[0], [0, 0])
    np.testing.assert_allclose(g[1], gradient(lambda x: function(x, ddof=1), x[1])[0])


@pytest.mark.parametrize("function", [np.var, np.std, np.nanvar, np.nanstd, np.average])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.complex64])
def test_dtypes_are_kept(function, dtype):
    x = np.array([[1, 2, 4], [3, 5, 7]], dtype)
    with gt.GradientTape() as tape:
        t = tape.watch(x)
        y = function(t, axis=1)
    assert y.dtype == function(x, axis=1).dtype
    assert tape.gradient(y, t).dtype == dtype


def test_weights_whose_sum_is_zero_are_refused():
    x = gt.array([1.0, 2.0])
    with pytest.raises(ZeroDivisionError, match="weights sum to zero"):
        np.average(x, weights=[1.0, -1.0])
    with pytest.raises(TypeError, match="one weight for each element"):
        np.average(gt.array(np.ones((2, 3))), weights=np.ones(3))
    with pytest.raises(gt.errors.ShapeError, match=r"weights have shape \(2,\)"):
        np.average(gt.array(np.ones((2, 3))), axis=1, weights=np.ones(2))


def test_the_gradient_of_a_weighted_mean_in_closed_form():
    a, w = np.array([1.0, 5.0, 2.0]), np.array([1.0, 2.0, 1.0])
    ga, gw = gradient(lambda a, w: np.average(a, weights=w), a, w)
    np.testing.assert_allclose(ga, w / 4)
    np.testing.assert_allclose(gw, (a - np.average(a, weights=w)) / 4)


def test_lists_of_numbers_are_taken_where_another_argument_is_a_tensor():
    w = gt.array([1.0, 3.0])
    assert np.average([2.0, 4.0], weights=w).value == 3.5


def test_perfectly_correlated_data_have_a_correlation_of_exactly_one_and_gradient_zero():
    x = np.array([[0.1, 0.7, 0.3, 0.9], [0.2, 1.4, 0.6, 1.8]])
    with gt.GradientTape() as tape:
        t = tape.watch(x)
        r = np.corrcoef(t)
        one = r[0, 1]
    assert np.max(r.value) <= 1
    np.testing.assert_allclose(tape.gradient(one, t).value, np.zeros((2, 4)), atol=1e-14)


def test_correlation_of_one_variable_is_one():
    assert np.corrcoef(gt.array([1.0, 2.0, 4.0])).value == 1


def test_covariance_refuses_what_numpy_refuses():
    x = gt.array(np.arange(6.0).reshape(2, 3))
    with pytest.raises(ValueError, match="more than 2 dimensions"):
        np.cov(np.reshape(x, (1, 2, 3)))
    with pytest.raises(ValueError, match="ddof must be integer"):
        np.cov(x, ddof=0.5)
    with pytest.raises(TypeError, match="fweights must be integer"):
        np.cov(x, fweights=[0.5, 1, 2])
    with pytest.raises(ValueError, match="aweights cannot be negative"):
        np.cov(x, aweights=[-1, 1, 2])
    with pytest.raises(RuntimeError, match=r"fweights has shape \(2,\)"):
        np.cov(x, fweights=[1, 2])
    with pytest.warns(RuntimeWarning) as found:
        np.cov(gt.array([[1.0], [2.0]]))
    assert "Degrees of freedom" in str(found[0].message)
    assert found[0].filename == __file__


@pytest.mark.parametrize("function", [np.var, np.std, np.nanvar, np.nanstd])
def test_dtype_computes_in_that_dtype_and_gives_the_gradient_in_the_operands(function):
    x = np.array([1.5, 2.5, 9.0], np.float32)
    with gt.GradientTape() as tape:
        t = tape.watch(x)
        y = function(t, dtype=np.float64)
    assert y.dtype == np.float64
    assert y.value == function(x.astype(np.float64))
    assert tape.gradient(y, t).dtype == np.float32


@pytest.mark.parametrize("function", [np.var, np.std, np.nanvar, np.nanstd])
def test_ddof_and_correction_together_are_refused(function):
    with pytest.raises(ValueError, match="ddof=1 and correction=1 are both given"):
        function(gt.array([1.0, 2.0]), ddof=1, correction=1)


def test_out_and_positional_arguments():
    x = np.array([[1.0, 2.0, 4.0], [3.0, 5.0, 7.0]])
    for function in (np.var, np.std, np.nanvar, np.nanstd):
        plain = np.zeros(2)
        with gt.GradientTape() as tape:
            t = tape.watch(x)
            y = function(t, 1, None, plain, 1)
        np.testing.assert_allclose(plain, function(x, 1, ddof=1))
        assert tape.gradient(y, t) is not None


@pytest.mark.parametrize("function", [np.nanvar, np.nanstd])
def test_nanvar_warns_of_infinities_as_numpy_does(function):
    x = np.array([1.0, np.nan, np.inf, 3.0])
    with pytest.warns(RuntimeWarning, match="invalid value encountered in subtract"):
        function(x)
    with pytest.warns(RuntimeWarning, match="invalid value encountered in subtract"):
        assert np.isnan(function(gt.Variable(x)).numpy())
