"""Medians, quantiles and percentiles: every method, NaN, ties, weights, and the gradient in q."""

from __future__ import annotations

import warnings

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

import gradtape as gt
from gradtape.testing import op_case

INTERPOLATING = ("linear", "interpolated_inverted_cdf", "hazen", "weibull", "median_unbiased",
                 "normal_unbiased")  # fmt: skip
ROUNDING = ("inverted_cdf", "averaged_inverted_cdf", "closest_observation", "lower", "higher",
            "midpoint", "nearest")  # fmt: skip
AXES = ({}, {"axis": 0}, {"axis": -1, "keepdims": True}, {"axis": (0, -1)}, {"axis": 1})
SHAPES = ((2, 3), (2, 4, 3))
LEVELS = np.array([[0.0, 0.35], [0.8, 1.0]])


def nan_on_the_way(function, *args):
    """`function` of a clean array, some elements of which are replaced by NaN on the way."""

    def f(x, **kwargs):
        bad = np.zeros(np.shape(x), bool)
        bad[..., 0] = True
        bad[:1, ..., -1:] = np.shape(x)[-1] > 2
        return function(np.where(bad, np.nan, x), *args, **kwargs)

    f.__name__ = function.__name__
    return f


def level(function):
    """`function` as one of q alone, next to data that are operands too."""
    return lambda x, q, **kwargs: function(x, q, **kwargs)


TIES = "elements that tie share the gradient, which no single one of them moves"


def case(*args, skip=None, **options):
    return op_case(*args, skip={"kinks": TIES, **(skip or {})}, **options)


CASES = [
    case(np.median, complex=True, calls=((), (4,), (5,))),
    case(np.median, complex=True, calls=SHAPES, kwargs=AXES),
    case(nan_on_the_way(np.nanmedian), complex=True, calls=((2, 4), (2, 3, 5)), kwargs=AXES[:1]),
    case(nan_on_the_way(np.nanmedian), calls=((2, 4), (2, 3, 5)), kwargs=AXES[2:4]),
    case(np.nanmedian, name="nanmedian-clean", calls=SHAPES, kwargs=AXES),
    *(case(lambda x, f=f, q=q, **k: f(x, q, **k), name=f"{f.__name__}-{q}",
              calls=((), (5,), (2, 3)))
      for f in (np.quantile, np.nanquantile) for q in (0, 0.3, 1.0)),
    *(case(lambda x, f=f, m=m, **k: f(x, LEVELS, method=m, **k), name=f"{f.__name__}-{m}",
              calls=((7,), (2, 3)), kwargs=({}, {"axis": -1, "keepdims": True}))
      for f in (np.quantile, np.nanquantile) for m in (*INTERPOLATING, *ROUNDING)),
    case(lambda x, **k: np.quantile(x, LEVELS[1], **k), name="quantile-axes",
            calls=SHAPES, kwargs=AXES),
    case(lambda x, **k: np.percentile(x, [15.0, 60.0], **k), name="percentile",
            calls=SHAPES, kwargs=AXES),
    case(nan_on_the_way(np.nanquantile, LEVELS), calls=((2, 4), (2, 3, 5)),
            kwargs=(*AXES[:1], AXES[2], {"axis": -1, "method": "hazen"},
                    {"axis": -1, "method": "midpoint"}, {"axis": -1, "method": "nearest"})),
    case(nan_on_the_way(np.nanpercentile, 40.0), calls=((2, 4), (2, 3, 5)),
            kwargs=(*AXES[:1], *AXES[2:4])),
    # q as an operand, inside the pieces on which the quantile is linear in it
    *(case(lambda x, q, f=f, m=m, **k: f(x, q, method=m, **k), name=f"{f.__name__}-q-{m}", nin=2,
              domain=[(-2, 2), (0.31, 0.39)], calls=[((5,), (2,)), ((2, 4), ())],
              kwargs=({}, {"axis": -1}))
      for f in (np.quantile, np.nanquantile) for m in INTERPOLATING),
    # the methods that jump with q, and q at its ends and at an element
    *(case(lambda x, q, f=f, m=m, **k: f(x, q, method=m, **k), name=f"{f.__name__}-q-{m}", nin=2,
           domain=[(-2, 2), (0.31, 0.39)], calls=[((5,), (2,)), ((2, 4), ())],
           kwargs=({}, {"axis": -1}))
      for f in (np.quantile, np.nanquantile) for m in ROUNDING),
    op_case(lambda x, q: np.quantile(x, q), name="quantile at the ends of q", nin=2, wrt=[1],
            domain=(0, 1), calls=[(np.array([3.0, 0.0, 1.0, 7.0, -2.0]), (3,)),
                                  (np.array([3.0, 0.0]), (3,)), (np.array([3.0]), (2,))],
            skip={"variants": "the array stays"}),
    case(np.percentile, nin=2, domain=[(-2, 2), (31, 39)], calls=[((5,), (2,)), ((5,), ())]),
]  # fmt: skip

WEIGHTS = np.array([0.5, 2.0, 1.0])
CASES += [
    case(lambda x, q: np.quantile(x, q, weights=WEIGHTS, method="inverted_cdf"), nin=2,
         name="quantile-weights q", domain=[(-2, 2), (0.31, 0.39)], calls=[((3,), (2,))],
         skip={"variants": "the weights are for three elements"}),
]  # fmt: skip
# NumPy 2.0 itself pairs weights and elements wrongly over two axes; the test below holds there too.
OF_TWO_AXES = np.array([[1.0, 2], [3, 2], [0.5, 3]])
if np.lib.NumpyVersion(np.__version__) >= "2.2.0":
    CASES.append(
        case(lambda x: np.quantile(x, 0.4, weights=OF_TWO_AXES, axis=(2, 0), method="inverted_cdf"),
             name="quantile-weights of two axes", calls=[(2, 2, 3)],
             skip={"variants": "the weights are for these axes"}),
    )  # fmt: skip
CASES += [
    case(lambda x, f=f, s=s, w=w, **k: f(x, s * LEVELS, weights=w, method="inverted_cdf", **k),
            name=f"{f.__name__}-weights", calls=(shape,), kwargs=(kwargs,))
    for f, s in ((np.quantile, 1), (np.percentile, 100), (np.nanquantile, 1),
                 (np.nanpercentile, 100))
    for shape, w, kwargs in (
        ((3,), WEIGHTS, {}), ((2, 3), WEIGHTS, {"axis": 1, "keepdims": True}),
        ((3, 2), WEIGHTS, {"axis": 0}), ((2, 3), WEIGHTS * [[1], [3]], {}),
        ((2, 3), WEIGHTS * [[1], [3]], {"axis": -1}),
    )
    if "nan" not in f.__name__ or w.shape == shape  # NumPy 2.4 fails on the others
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_op(case):
    case.check()


def gradient(function, *arrays):
    """Gradients of the sum of `function(*arrays)`."""
    with gt.GradientTape() as tape:
        watched = [tape.watch(a) for a in arrays]
        loss = np.sum(function(*watched))
    found = [g.value for g in tape.gradient(loss, watched)]
    return found[0] if len(found) == 1 else found


@hypothesis.given(
    n=st.integers(1, 9),
    q=st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])),
    method=st.sampled_from([*INTERPOLATING, *ROUNDING]),
    seed=st.integers(0, 99),
)
def test_every_method_gives_numpys_value_at_every_level(n, q, method, seed):
    x = np.random.default_rng(seed).normal(size=n)
    found = np.quantile(gt.array(x), q, method=method)
    np.testing.assert_allclose(found.value, np.quantile(x, q, method=method), rtol=0, atol=1e-13)
    found = np.nanquantile(gt.array(np.append(x, np.nan)), q, method=method)
    np.testing.assert_allclose(found.value, np.quantile(x, q, method=method), rtol=0, atol=1e-13)


@pytest.mark.parametrize("method", [*INTERPOLATING, *ROUNDING])
def test_the_gradients_of_every_method_sum_to_one(method):
    x = np.array([3.0, 1.0, 4.0, 1.5, 9.0])
    g = gradient(lambda x: np.quantile(x, 0.37, method=method), x)
    assert np.sum(g) == pytest.approx(1)


def test_ties_at_an_order_statistic_share_its_gradient_evenly():
    x = np.array([2.0, 1.0, 2.0, 2.0, 5.0])
    np.testing.assert_allclose(gradient(np.median, x), [1 / 3, 0, 1 / 3, 1 / 3, 0])
    x = np.array([7.0, 7.0, 1.0])
    np.testing.assert_allclose(gradient(lambda x: np.quantile(x, 1.0), x), [0.5, 0.5, 0])
    np.testing.assert_allclose(gradient(np.max, x), [0.5, 0.5, 0])
    x = np.array([1.0, 1.0, 3.0, 3.0])  # the two middle ones tie with one other each
    np.testing.assert_allclose(gradient(np.median, x), [0.25] * 4)


@pytest.mark.parametrize("function", [np.median, lambda x: np.quantile(x, 0.3)])
def test_a_nan_makes_the_result_nan_and_gets_the_gradient(function):
    x = np.array([1.0, np.nan, 2.0, 3.0])
    with gt.GradientTape() as tape:
        t = tape.watch(x)
        y = function(t)
    assert np.isnan(y.value)
    np.testing.assert_allclose(tape.gradient(y, t).value, [0, 1, 0, 0])


def test_only_the_slices_with_a_nan_are_nan():
    x = np.array([[1.0, np.nan, 2.0], [5.0, 3.0, 4.0]])
    with gt.GradientTape() as tape:
        t = tape.watch(x)
        y = np.median(t, axis=1)
    np.testing.assert_array_equal(y.value, np.median(x, axis=1))
    np.testing.assert_allclose(tape.gradient(y, t).value, [[0, 1, 0], [0, 0, 1]])


@pytest.mark.parametrize("function", [np.nanmedian, lambda x, **k: np.nanquantile(x, 0.5, **k)])
def test_nan_versions_ignore_nan_and_warn_of_slices_that_are_nan_throughout(function):
    x = np.array([[np.nan, 4.0, 1.0], [np.nan, np.nan, np.nan]])
    with gt.GradientTape() as tape:
        t = tape.watch(x)
        with pytest.warns(RuntimeWarning, match="All-NaN slice encountered") as found:
            y = function(t, axis=1)
    assert found[0].filename == __file__
    np.testing.assert_array_equal(y.value, [2.5, np.nan])
    np.testing.assert_allclose(tape.gradient(y, t).value, [[0, 0.5, 0.5], [0, 0, 0]])


def test_the_slope_in_q_is_the_distance_of_neighbours_times_their_number():
    x = np.array([5.0, 1.0, 2.0])
    for q, slope in [(0.25, 2), (0.75, 6), (0.0, 2), (1.0, 6)]:  # at the ends from inside
        gx, gq = gradient(np.quantile, x, np.float64(q))
        assert gq == pytest.approx(slope)
        assert np.sum(gx) == pytest.approx(1)


@pytest.mark.parametrize("method", ROUNDING)
def test_a_level_has_no_gradient_where_the_method_jumps_and_the_result_says_so(method):
    with gt.GradientTape(persistent=True) as tape:
        q, x = tape.watch(np.float64(0.4)), tape.watch(np.array([5.0, 1.0, 2.0]))
        y = np.quantile(x, q, method=method)
        z = np.quantile(x.value, q, method=method)
    assert y.value == np.quantile(x.value, 0.4, method=method)
    assert tape.gradient(y, x) is not None
    assert z.key == 0
    assert z.why[0] == "nondifferentiable"
    with pytest.warns(gt.errors.GradientWarning):
        assert tape.gradient(z, q) is None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gt.errors.GradientWarning)
        assert tape.gradient(y, q) is None


def test_weights_have_no_gradient_and_the_result_says_so():
    with gt.GradientTape() as tape:
        w = tape.watch(WEIGHTS)
        y = np.quantile(np.array([5.0, 1.0, 2.0]), 0.4, weights=w, method="inverted_cdf")
    assert y.value == np.quantile([5.0, 1.0, 2.0], 0.4, weights=WEIGHTS, method="inverted_cdf")
    assert y.key == 0
    assert y.why[0] == "nondifferentiable"
    with pytest.warns(gt.errors.GradientWarning):
        assert tape.gradient(y, w) is None


def test_the_axes_of_q_come_first_with_several_axes_too():
    x = np.random.default_rng(0).normal(size=(2, 3, 5))
    x[0, :, 0] = np.nan
    found = np.nanquantile(gt.array(x), LEVELS, axis=(0, -1))
    assert found.shape == (2, 2, 3)
    for i, q in np.ndenumerate(LEVELS):
        np.testing.assert_allclose(found.value[i], np.nanquantile(x, q, axis=(0, -1)))


def test_a_weighted_nan_version_leaves_nan_out():
    x = np.array([[5.0, np.nan, 1.0, 2.0], [np.nan] * 4])
    w = np.array([0.5, 9.0, 2.0, 1.0])
    with gt.GradientTape() as tape:
        t = tape.watch(x)
        with pytest.warns(RuntimeWarning, match="All-NaN"):
            y = np.nanquantile(t, 0.8, axis=1, weights=w, method="inverted_cdf")
    assert np.isnan(y.value[1])
    assert y.value[0] == np.quantile([5.0, 1, 2], 0.8, weights=w[[0, 2, 3]], method="inverted_cdf")
    np.testing.assert_allclose(tape.gradient(y, t).value[0], [0, 0, 0, 1])


@pytest.mark.parametrize("q", [0.3, np.float64(0.3), np.float32(0.3), np.array([0.3]), 0, 1])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64])
@pytest.mark.parametrize("function", [np.quantile, np.nanquantile, np.percentile])
def test_the_result_has_numpys_dtype(q, dtype, function):
    x = np.array([3, 1, 2, 7], dtype)
    for method in ("linear", "nearest", "hazen", "midpoint"):
        found, expected = function(gt.array(x), q, method=method), function(x, q, method=method)
        assert found.dtype == expected.dtype
        rtol = 2e-3 if dtype == np.float16 else 1e-6
        np.testing.assert_allclose(found.value, expected, rtol=rtol)


def test_out_is_written_and_the_result_stays_tracked():
    x = np.array([[1.0, 2.0, 4.0], [3.0, 5.0, 7.0]])
    for function in (np.median, np.nanmedian, lambda x, axis, out: np.quantile(x, 0.3, axis, out)):
        plain = np.zeros(2)
        with gt.GradientTape() as tape:
            t = tape.watch(x)
            y = function(t, 1, plain)
        np.testing.assert_allclose(plain, function(x, 1, None))
        assert tape.gradient(y, t) is not None


def test_bad_arguments_are_refused_with_what_to_do():
    x = gt.array([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=r"Quantiles must be in the range \[0, 1\]"):
        np.quantile(x, 1.5)
    with pytest.raises(ValueError, match=r"(?s)q is 150.*must be in the range \[0, 100\]"):
        np.percentile(x, 150)
    with pytest.raises(ValueError, match="'bisect' is not a valid method"):
        np.quantile(x, 0.5, method="bisect")
    with pytest.raises(TypeError, match="array of real numbers"):
        np.quantile(gt.array([1j]), 0.5)
    with pytest.raises(ValueError, match="'inverted_cdf' supports weights"):
        np.quantile(x, 0.5, weights=np.ones(3))
    with pytest.raises(ValueError, match="non-negative"):
        np.quantile(x, 0.5, weights=-np.ones(3), method="inverted_cdf")
    with pytest.raises(TypeError, match="one weight for each element"):
        np.quantile(x, 0.5, weights=np.ones(2), method="inverted_cdf")
    with pytest.raises(gt.errors.ShapeError, match=r"weights have shape \(2,\)"):
        np.quantile(x, 0.5, axis=0, weights=np.ones(2), method="inverted_cdf")
    with pytest.raises(IndexError, match="nothing along axis"):
        np.quantile(gt.array(np.zeros(0)), 0.5)


def test_the_median_of_nothing_is_nan_with_numpys_warning():
    with pytest.warns(RuntimeWarning) as found:
        assert np.isnan(np.median(gt.array(np.zeros(0))).value)
    assert any("Mean of empty slice" in str(w.message) for w in found)


def test_weights_of_two_axes_go_with_their_elements():
    x = np.random.default_rng(0).normal(size=(2, 2, 3))
    with gt.GradientTape() as tape:
        v = tape.watch(x)
        found = np.quantile(v, 0.4, weights=OF_TWO_AXES, axis=(2, 0), method="inverted_cdf")
    slope = tape.gradient(found, v).read()
    for i in range(2):
        flat, weights = x[:, i].T.ravel(), OF_TWO_AXES.ravel()
        alone = np.quantile(flat, 0.4, weights=weights, method="inverted_cdf")
        assert found.read()[i] == alone
        np.testing.assert_array_equal(slope[:, i], x[:, i] == alone)
