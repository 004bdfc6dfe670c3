"""The reductions, against NumPy, central differences and closed forms."""

from __future__ import annotations

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

import gradtape as gt
from gradtape.errors import DTypeError, ShapeError
from gradtape.testing import op_case

AXES = ({}, {"axis": 0}, {"axis": -1, "keepdims": True}, {"axis": (0, -1)}, {"axis": ()})
SHAPES = ((2, 3), (2, 1, 3))
ONE = np.array([False, True, False])
COLUMNS = np.array([True, False, True])


def masks(**more):
    """Every axis, and `where=`."""
    return (*AXES, {"where": COLUMNS, **more}, {"axis": -1, "where": COLUMNS, **more},
            {"axis": -1, "where": ONE, **more})  # fmt: skip


CASES = [
    op_case(np.sum, complex=True),
    op_case(np.sum, complex=True, calls=SHAPES,
            kwargs=(*masks(), {"initial": 2.5}, {"dtype": np.complex128})),
    op_case(np.sum, calls=((0, 3), (2, 0)), kwargs=({}, {"axis": 0}, {"axis": 1})),
    op_case(np.mean, complex=True, calls=((), *SHAPES), kwargs=({},)),
    op_case(np.mean, complex=True, calls=SHAPES,
            kwargs=(*masks(keepdims=True), {"dtype": np.complex128})),
    op_case(np.prod, complex=True),
    op_case(np.prod, complex=True, calls=SHAPES,
            kwargs=(*masks(), {"initial": 2.5}, {"dtype": np.complex128})),
    op_case(np.prod, calls=((5,), (7, 2), (2, 9), (0, 3), (3, 0)), kwargs=({}, {"axis": -1})),
    op_case(np.max, complex=True, calls=SHAPES, kwargs=(*masks(initial=-3.0), {"initial": 0.1})),
    op_case(np.min, complex=True, calls=SHAPES, kwargs=(*masks(initial=3.0), {"initial": 0.1})),
    op_case(np.max, calls=((), (2,))),
    op_case(np.amax, calls=SHAPES, kwargs=AXES),
    op_case(np.amin, calls=SHAPES, kwargs=AXES),
    op_case(np.ptp, calls=SHAPES, kwargs=AXES[:4]),
]  # fmt: skip


MOVED = (np.nansum, np.nanprod, np.nanmean, np.nanmax, np.nanmin)
OPTIONS = {"nansum": {}, "nanprod": {}, "nanmean": {}, "nanmax": {"initial": -3.0},
           "nanmin": {"initial": 3.0}}  # fmt: skip


def through_nan(function):
    """`function` of a clean array, some elements of which are replaced by NaN on the way."""

    def f(x, **kwargs):
        bad = np.zeros(np.shape(x), bool)
        bad[..., 0] = True
        return function(np.where(bad, np.nan, x), **kwargs)

    f.__name__ = function.__name__
    return f


CASES += [
    op_case(
        through_nan(function), name=function.__name__, complex=True, calls=SHAPES,
        kwargs=({}, {"axis": -1}, {"axis": -1, "keepdims": True}, {"axis": (0, -1)},
                {"where": np.array([True, True, False]), **OPTIONS[function.__name__]}),
    )
    for function in MOVED
] + [op_case(function, name=f"{function.__name__}-clean", calls=SHAPES, kwargs=AXES[:4])
     for function in MOVED]  # fmt: skip

# Of two elements that tie, the central difference is the mean of their slopes: an even split.
TIES = np.array([[1.0, 1.0, 3.0, 3.0], [0.0, 2.0, 2.0, 0.0]])
CASES += [
    op_case(function, name=f"{function.__name__} of ties", calls=[(TIES,)], kwargs=[{"axis": 1}],
            nin=1, skip={"second": "the gradient jumps at a tie"})
    for function in (np.max, np.min, np.nanmax, np.nanmin)
] + [
    op_case(ufunc.reduce, name=f"{ufunc.__name__}.reduce of ties", calls=[(TIES,)],
            kwargs=[{"axis": 1}], nin=1, skip={"second": "the gradient jumps at a tie"})
    for ufunc in (np.fmax, np.fmin)
]  # fmt: skip

X = np.array([[3.0, 1.0, 2.0], [0.0, 5.0, 4.0]])
NONDIFFERENTIABLE = [
    (np.argmax, {}), (np.argmax, {"axis": 1, "keepdims": True}), (np.argmin, {"axis": 0}),
    (np.nanargmax, {"axis": 1}), (np.nanargmin, {}), (np.count_nonzero, {"axis": 1}),
    (np.all, {"axis": 0}), (np.any, {}),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_op(case):
    case.check()


@pytest.mark.parametrize(("function", "kwargs"), NONDIFFERENTIABLE)
def test_what_has_no_derivative_gives_numpys_value_and_says_so(function, kwargs):
    with gt.GradientTape() as tape:
        x = tape.watch(X)
        found = function(x, **kwargs)
    assert found.key == 0
    assert found.why is not None
    assert "nondifferentiable" in found.why
    np.testing.assert_array_equal(found.value, function(X, **kwargs))
    with pytest.warns(gt.errors.GradientWarning):
        assert tape.gradient(found.astype(float), x) is None


def gradient(function, *arrays):
    """Gradients of the sum of `function(*arrays)`, as arrays."""
    with gt.GradientTape() as tape:
        watched = [tape.watch(np.asarray(a)) for a in arrays]
        loss = np.sum(function(*watched))
    found = [g.value for g in tape.gradient(loss, watched)]
    return found[0] if len(found) == 1 else found


def hessian_row(function, x, i):
    """Row `i` of the Hessian of a scalar function."""
    with gt.GradientTape() as outer:
        x = outer.watch(x)
        with gt.GradientTape() as inner:
            inner.watch(x)
            y = function(x)
        g = inner.gradient(y, x)[i]
    return outer.gradient(g, x).value


@pytest.mark.parametrize("zeros", [(), (1,), (0, 3), (0, 1, 2)])
@pytest.mark.parametrize("function", [np.prod, np.nanprod])
def test_prod_has_the_right_first_and_second_derivative_with_zeros_in_the_data(function, zeros):
    x = np.array([2.0, -3.0, 0.5, 4.0, 1.5])
    x[list(zeros)] = 0
    first = [np.prod(np.delete(x, i)) for i in range(5)]
    np.testing.assert_allclose(gradient(function, x), first, atol=1e-13)
    for i in range(5):
        row = [0 if i == j else np.prod(np.delete(x, [i, j])) for j in range(5)]
        np.testing.assert_allclose(hessian_row(function, x, i), row, atol=1e-13)


def test_prod_of_small_numbers_does_not_lose_its_gradient_to_underflow():
    x = np.array([1e-200, 1e-200, 2.0])
    np.testing.assert_allclose(gradient(np.prod, x), [2e-200, 2e-200, 0.0])


@pytest.mark.parametrize("function", [np.max, np.nanmax, np.amax])
def test_ties_of_max_share_the_gradient_evenly(function):
    x = np.array([[1.0, 4.0, 4.0], [2.0, 2.0, 2.0]])
    share = gradient(lambda x: function(x, axis=1), x)
    np.testing.assert_allclose(share, [[0, 0.5, 0.5], [1 / 3, 1 / 3, 1 / 3]])
    np.testing.assert_allclose(gradient(function, x), [[0, 0.5, 0.5], [0, 0, 0]])


@pytest.mark.parametrize("function", [np.min, np.nanmin, np.amin])
def test_ties_of_min_share_the_gradient_evenly(function):
    x = np.array([3.0, -1.0, -1.0, 0.0])
    np.testing.assert_allclose(gradient(function, x), [0, 0.5, 0.5, 0])


def test_an_initial_that_ties_takes_no_share_and_one_that_wins_leaves_none():
    x = np.array([1.0, 4.0])
    np.testing.assert_allclose(gradient(lambda x: np.max(x, initial=4.0), x), [0, 1])
    np.testing.assert_allclose(gradient(lambda x: np.max(x, initial=5.0), x), [0, 0])


def test_a_tensor_as_initial_has_a_gradient():
    x, start = np.array([1.0, 4.0]), np.float64(3.0)
    for function, gx, gs in [
        (np.sum, [1, 1], 1), (np.prod, [12, 3], 4), (np.max, [0, 1], 0), (np.min, [1, 0], 0),
        (np.nanmin, [1, 0], 0), (np.nansum, [1, 1], 1),
    ]:  # fmt: skip
        found = gradient(lambda x, s, f=function: f(x, initial=s), x, start)
        np.testing.assert_allclose(found[0], gx)
        np.testing.assert_allclose(found[1], gs)
    found = gradient(lambda x, s: np.max(x, initial=s), x, np.float64(7.0))
    np.testing.assert_allclose(found[0], [0, 0])
    np.testing.assert_allclose(found[1], 1)


@pytest.mark.parametrize("function", [np.max, np.min])
def test_nan_propagates_and_the_nan_elements_get_the_gradient(function):
    x = np.array([1.0, np.nan, 3.0, np.nan])
    with gt.GradientTape() as tape:
        t = tape.watch(x)
        y = function(t)
    assert np.isnan(y.value)
    np.testing.assert_allclose(tape.gradient(y, t).value, [0, 0.5, 0, 0.5])


def test_the_nan_versions_never_give_a_gradient_to_a_nan():
    x = np.array([-np.inf, np.nan, -np.inf])
    np.testing.assert_allclose(gradient(np.nanmax, x), [0.5, 0, 0.5])
    x = np.array([2.0, np.nan, 3.0])
    np.testing.assert_allclose(gradient(np.nansum, x), [1, 0, 1])
    np.testing.assert_allclose(gradient(np.nanmean, x), [0.5, 0, 0.5])
    np.testing.assert_allclose(gradient(np.nanprod, x), [3, 0, 2])


def test_all_nan_slices_warn_as_numpy_does_and_have_gradient_zero():
    x = np.array([[np.nan, np.nan], [1.0, 3.0]])
    for function, expected in [(np.nanmean, 0.5), (np.nanmax, None)]:
        with gt.GradientTape() as tape:
            t = tape.watch(x)
            with pytest.warns(RuntimeWarning) as ours:
                y = function(t, axis=1)
        with pytest.warns(RuntimeWarning) as numpys:
            np.testing.assert_array_equal(y.value, function(x, axis=1))
        assert str(ours[0].message) == str(numpys[0].message)
        row = [0, 1] if expected is None else [expected, expected]
        np.testing.assert_allclose(tape.gradient(y, t).value, [[0, 0], row])


@pytest.mark.parametrize("function", [np.nanmean, np.nanmax, np.nanmin])
def test_a_warning_is_placed_at_the_users_line(function):
    x = gt.array([np.nan])
    with pytest.warns(RuntimeWarning) as found:
        function(x)
    assert found[0].filename == __file__


@hypothesis.given(data=st.data())
@pytest.mark.parametrize("function", [np.sum, np.mean, np.prod, np.max, np.nanmin, np.var, np.std])
def test_any_shape_and_axes_give_the_slope_of_central_differences(function, data):
    shape = data.draw(st.lists(st.integers(1, 3), max_size=4).map(tuple))
    some = st.lists(st.sampled_from(range(len(shape))), unique=True) if shape else st.just([])
    axis = data.draw(st.one_of(st.none(), some.map(tuple)))
    keepdims = data.draw(st.booleans())
    if axis is not None and data.draw(st.booleans()):
        axis = tuple(i - len(shape) for i in axis)
    rng = np.random.default_rng(len(shape))
    x = rng.permutation(np.linspace(0.5, 2, max(int(np.prod(shape)), 2)))[: int(np.prod(shape))]
    x, d = x.reshape(shape), rng.normal(size=shape)
    with gt.GradientTape() as tape:
        t = tape.watch(x)
        y = function(t, axis=axis, keepdims=keepdims)
    expected = function(x, axis=axis, keepdims=keepdims)
    assert y.shape == np.shape(expected)
    ct = rng.normal(size=np.shape(expected))
    found = np.vdot(tape.gradient(y, t, output_gradients=ct).value, d)
    if function is np.std and np.any(expected == 0):
        return  # the kink of std
    moved = [function(x + h * d, axis=axis, keepdims=keepdims) for h in (1e-6, -1e-6)]
    assert found == pytest.approx(np.vdot(ct, (moved[0] - moved[1]) / 2e-6), rel=1e-6, abs=1e-6)


def test_mean_of_nothing_warns_as_numpy_does():
    with pytest.warns(RuntimeWarning) as found:
        assert np.isnan(np.mean(gt.array(np.zeros(0))).value)
    assert any("Mean of empty slice" in str(w.message) for w in found)


def test_max_of_nothing_raises_as_numpy_does():
    with pytest.raises(ValueError, match="nothing to choose from"):
        np.max(gt.array(np.zeros(0)))


def test_max_keeps_its_operand_and_result_alone():
    with gt.GradientTape() as tape:
        x = tape.watch(np.linspace(0, 1, 100_000))
        y = np.max(x)
        kept = tape._recorder.ops[-1][9]
    assert kept[0] is x.value
    np.testing.assert_array_equal(np.flatnonzero(tape.gradient(y, x).value), [99_999])


@pytest.mark.parametrize("function", [np.sum, np.mean, np.prod, np.max, np.nanmean, np.ptp])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.longdouble, np.complex64])
def test_gradients_have_the_operands_dtype(function, dtype):
    x = np.array([[1, 2, 3], [6, 5, 4]], dtype)
    assert gradient(lambda x: function(x, axis=1), x).dtype == dtype


@pytest.mark.parametrize("function", [np.sum, np.mean, np.prod])
def test_dtype_computes_in_that_dtype_and_gives_the_gradient_in_the_operands(function):
    x = np.array([1.5, 2.5], np.float32)
    with gt.GradientTape() as tape:
        t = tape.watch(x)
        y = function(t, dtype=np.float64)
    assert y.dtype == np.float64
    assert tape.gradient(y, t).dtype == np.float32


def test_out_receives_the_value_and_the_result_stays_tracked():
    x = np.array([[1.0, 2.0], [3.0, 5.0]])
    for function in (np.sum, np.mean, np.prod, np.max, np.ptp, np.nansum, np.nanmean, np.nanmax):
        plain = np.zeros(2)
        with gt.GradientTape() as tape:
            t = tape.watch(x)
            y = function(t, axis=0, out=plain)
        np.testing.assert_allclose(plain, function(x, axis=0))
        assert tape.gradient(y, t) is not None
        written = gt.array(np.zeros(2))
        with gt.GradientTape() as tape:
            t = tape.watch(x)
            assert function(t, axis=0, out=written) is written
        assert tape.gradient(written, t) is not None


def test_positional_arguments_are_taken_in_numpys_order():
    x = np.array([[1.0, 2.0], [3.0, 5.0]])
    out = np.zeros((1, 2))
    for function in (np.sum, np.mean, np.prod):
        y = function(gt.array(x), 0, None, None, True)
        np.testing.assert_allclose(y.value, function(x, 0, None, None, True))
        function(gt.array(x), 0, None, out, True)
        np.testing.assert_allclose(out, function(x, 0, None, None, True))
    y = np.max(gt.array(x), 0, None, True)
    np.testing.assert_allclose(y.value, np.max(x, 0, None, True))


def test_a_mask_that_is_written_to_later_does_not_change_the_gradient():
    mask = np.array([True, False, True])
    for function in (np.sum, np.mean, np.prod):
        with gt.GradientTape() as tape:
            x = tape.watch(np.array([1.0, 2.0, 3.0]))
            y = function(x, where=mask)
        mask[:] = [False, True, False]
        assert tape.gradient(y, x).value[1] == 0
        mask[:] = [True, False, True]


@pytest.mark.parametrize("function", [np.sum, np.mean, np.prod, np.max, np.var, np.any, np.nansum])
def test_where_that_is_an_array_of_integers_is_refused(function):
    options = {"initial": 0.0} if function is np.max else {}
    mask = np.array([1, 0])
    with pytest.raises(TypeError, match="Cannot cast array data|Could not convert"):
        function(np.ones(2), where=mask, **options)
    with pytest.raises(TypeError, match=r"(?s)where= is an array of int64.*where=mask != 0"):
        function(gt.array(np.ones(2)), where=mask, **options)


OUT = [np.sum, np.prod, np.mean, np.std, np.max, np.median, np.nansum, np.nanmean, np.cumsum,
       np.logaddexp.reduce, np.argmax, np.any]  # fmt: skip


@pytest.mark.parametrize("function", OUT)
def test_out_of_another_shape_is_refused(function):
    """NumPy refuses it too; copying would repeat the result."""
    x = gt.array([1.0, 2.0, 3.0])
    dtype = function(x.numpy()).dtype
    with pytest.raises(ShapeError, match=r"does not fit out= of shape \(2, 3\)"):
        function(x, axis=0, out=np.zeros((2, 3), dtype))


@pytest.mark.parametrize("function", OUT[:-2])
def test_a_result_has_the_dtype_of_out(function):
    x, out = np.array([[1.25, 2.5], [0.75, 1.5]]), np.zeros(2, np.float32)
    if function is np.cumsum:
        out = np.zeros((2, 2), np.float32)
    with gt.GradientTape() as tape:
        watched = tape.watch(x)
        y = function(watched, axis=0, out=out)
        z = function(watched, axis=0)
    assert y.dtype == function(x, axis=0, out=out.copy()).dtype == np.float32
    np.testing.assert_array_equal(y.numpy(), out)
    np.testing.assert_allclose(out, z.numpy(), rtol=1e-6)
    assert tape.gradient(y, watched).dtype == np.float64


@pytest.mark.parametrize("axis", [0, 1, 2, (0, 2), (1, 2), (0, 1), None, -1])
@pytest.mark.parametrize("keepdims", [False, True])
def test_an_extremum_of_one_element_and_of_several(axis, keepdims):
    """Ties share; a NaN that hides a tie elsewhere is not taken for one element in each row."""
    x = np.random.default_rng(0).standard_normal((4, 5, 6))
    weights = np.random.default_rng(1).standard_normal(np.max(x, axis=axis, keepdims=True).shape)
    tied, spoiled = x.copy(), x.copy()
    tied[1, 2, :4] = tied[1, :3, 2] = tied[:, 2, 2] = 7.0
    spoiled[0, 0, 0], spoiled[3, 4, :2], spoiled[3, 3:, 5] = np.nan, 9.0, 9.0
    for data in (x, tied, spoiled, np.asfortranarray(x), x[:, ::-1]):
        for function in (np.max, np.min):
            with gt.GradientTape() as tape:
                watched = tape.watch(gt.array(data))
                y = function(watched, axis=axis, keepdims=keepdims)
                total = np.sum(y * weights.reshape(np.shape(gt.value(y))))
            out = function(data, axis=axis, keepdims=True)
            chosen = (data == out) | (np.isnan(data) & np.isnan(out))
            share = np.where(chosen, weights / chosen.sum(axis=axis, keepdims=True), 0)
            np.testing.assert_allclose(tape.gradient(total, watched).numpy(), share, rtol=1e-13)


@pytest.mark.parametrize("reduce", [np.sum, np.prod, np.max, np.min, np.nanmax])
@pytest.mark.parametrize("initial", [2.5, 2, np.float64(2.5), np.float32(2.5), np.int64(3)])
@pytest.mark.parametrize("dtype", [np.float32, np.int32, bool, np.complex64])
def test_initial_takes_the_dtype_of_the_result(reduce, initial, dtype):
    """As in NumPy: float64 made float64 of float32, and a float made a float of integers."""
    x = np.array([1.5, 0.0]).astype(dtype)
    expected = reduce(x, initial=initial)
    for found in (
        reduce(gt.array(x), initial=gt.array(initial)),
        gt.function(lambda x, s: reduce(x, initial=s))(x, initial),
    ):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


def test_a_complex_initial_of_real_numbers_is_refused():
    with pytest.raises(DTypeError, match=r"sum: initial is complex128(.|\n)*initial.real"):
        np.sum(gt.array([1.0]), initial=gt.array(2j))
