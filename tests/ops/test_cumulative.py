"""Running sums and products, differences, slopes and areas."""

from __future__ import annotations

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

import gradtape as gt
from gradtape.testing import op_case

AXES = ({}, {"axis": 0}, {"axis": -1}, {"axis": 1})
SHAPES = ((2, 3), (3, 1, 2), (0, 3))
ENDS = (
    {"prepend": 1.5}, {"append": 0.25}, {"n": 2, "prepend": 1.0, "append": 2.0},
)  # fmt: skip


def nan_on_the_way(function):
    """`function` of a clean array whose first column is replaced by NaN on the way."""

    def f(x, **kwargs):
        bad = np.zeros(np.shape(x), bool)
        bad[..., :1] = True
        return function(np.where(bad, np.nan, x), **kwargs)

    return f



CASES = [
    op_case(np.cumsum, complex=True, calls=((), (4,))),
    op_case(np.cumsum, complex=True, calls=SHAPES, kwargs=(*AXES, {"dtype": np.complex128})),
    op_case(np.cumprod, complex=True, calls=((), (1,), (4,), (7,))),
    op_case(np.cumprod, complex=True, calls=SHAPES, kwargs=(*AXES, {"dtype": np.complex128})),
    op_case(nan_on_the_way(np.nancumsum), name="nancumsum", calls=((2, 3),), kwargs=AXES),
    op_case(nan_on_the_way(np.nancumprod), name="nancumprod", calls=((2, 3),), kwargs=AXES),
    op_case(np.diff, complex=True, calls=((4,), (2, 3), (3, 2)),
            kwargs=({}, {"n": 2}, {"n": 0}, {"n": 5}, {"axis": 0}, *ENDS, {"axis": 0, **ENDS[2]})),
    op_case(lambda a, p, q: np.diff(a, 2, prepend=p, append=q), name="diff-ends", nin=3,
            calls=[((2, 3), (2, 1), (2, 2)), ((2, 3), (), (2, 1)), ((3,), (), ())]),
    op_case(np.ediff1d, complex=True, calls=((4,), (2, 3), (1,))),
    op_case(np.ediff1d, nin=2, calls=[((4,), (2,)), ((2, 2), ())]),
    op_case(np.ediff1d, nin=3, calls=[((4,), (2,), (1,)), ((2, 2), (), (2,))]),
    op_case(np.gradient, complex=True, calls=((4,), (2,)), kwargs=({}, {"axis": 0})),
    op_case(np.gradient, calls=((3, 4),), kwargs=({}, {"axis": 1}, {"axis": (1, 0)},
            {"edge_order": 2}, {"axis": -1, "edge_order": 2})),
    op_case(np.gradient, name="gradient of given places", nin=2,
            calls=[((4,), np.array([0.0, 1.0, 2.0, 3.0])), ((4,), np.array([0.0, 1.0, 2.0, 4.0])),
                   ((3, 2), np.array([0.0, 1.0, 1.5])), ((4,), np.array([1, 2, 4, 5]))],
            wrt=[0], kwargs=({"axis": 0}, {"axis": 0, "edge_order": 2})),
    op_case(np.trapezoid, complex=True, calls=((5,), (3, 2), (1,)),
            kwargs=({}, {"dx": 0.5}, {"axis": 0})),
    op_case(lambda y, x: np.trapezoid(y, x), name="trapezoid-x", nin=2, complex=True,
            calls=[((4,), (4,)), ((3, 4), (4,)), ((3, 4), (3, 4)), ((2, 3, 4), (3, 4))]),
    op_case(lambda y, x: np.trapezoid(y, x, axis=0), name="trapezoid-x0", nin=2,
            calls=[((4, 2), (4,)), ((4, 2, 3), (4,)), ((4, 2), (4, 2))]),
]  # fmt: skip


def rising(rng, shape):
    """Coordinates that rise in uneven steps, or one spacing."""
    return np.cumsum(rng.uniform(0.5, 1.5, shape)) if shape else np.float64(0.7)


ANY = [lambda rng, shape: rng.normal(size=shape), rising, rising]
_SKIP = {f"variants: operand {i} of zeros": "spacings of 0: an infinity here is a NaN there"
         for i in (1, 2)}  # fmt: skip
for _edge in (1, 2):
    CASES += [
        op_case(lambda f, h, e=_edge: np.gradient(f, h, edge_order=e), name=f"gradient-h{_edge}",
                nin=2, domain=ANY, calls=[((4,), ()), ((4,), (4,)), ((5,), (5,))], skip=_SKIP),
        op_case(lambda f, h, k, e=_edge: np.gradient(f, h, k, edge_order=e),
                name=f"gradient-hk{_edge}", nin=3, domain=ANY,
                calls=[((3, 4), (), (4,)), ((3, 4), (3,), ())], skip=_SKIP),
        op_case(lambda f, h, e=_edge: np.gradient(f, h, axis=1, edge_order=e), nin=2, domain=ANY,
                name=f"gradient-axis{_edge}", calls=[((2, 4), (4,)), ((2, 3, 2), ())], skip=_SKIP),
        op_case(lambda f, h, e=_edge: np.gradient(f, h, axis=0, edge_order=e), nin=2, domain=ANY,
                name=f"gradient-axis{_edge} first", calls=[((4, 2), (4,)), ((4, 1, 2), (4,))],
                skip=_SKIP),
    ]  # fmt: skip

if hasattr(np, "cumulative_sum"):
    for _function in (np.cumulative_sum, np.cumulative_prod):
        CASES += [
            op_case(_function, complex=True, calls=((4,), (1,)),
                    kwargs=({}, {"include_initial": True}, {"dtype": np.complex128})),
            op_case(_function, calls=SHAPES,
                    kwargs=({"axis": 0}, {"axis": -1, "include_initial": True})),
        ]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_op(case):
    case.check()


def jacobian(function, x):
    """Rows are outputs."""
    rows = []
    for i in range(function(x).size):
        with gt.GradientTape() as tape:
            t = tape.watch(x)
            y = function(t)[i]
        rows.append(tape.gradient(y, t).value)
    return np.array(rows)


@pytest.mark.parametrize("zeros", [(), (0,), (4,), (1, 3), (0, 1, 2, 3, 4)])
def test_cumprod_has_the_right_derivative_with_zeros_in_the_data(zeros):
    x = np.array([2.0, -3.0, 0.5, 4.0, 1.5])
    x[list(zeros)] = 0
    expected = [
        [np.prod(np.delete(x[: k + 1], i)) if i <= k else 0 for i in range(5)] for k in range(5)
    ]
    np.testing.assert_allclose(jacobian(np.cumprod, x), expected, atol=1e-13)
    np.testing.assert_allclose(jacobian(np.nancumprod, x), expected, atol=1e-13)


@pytest.mark.parametrize("zeros", [(), (1,), (0, 2)])
def test_cumprod_has_the_right_second_derivative_with_zeros_in_the_data(zeros):
    x = np.array([2.0, -3.0, 0.5])
    x[list(zeros)] = 0
    hessian = np.zeros((3, 3))  # of x0 + x0 x1 + x0 x1 x2
    hessian[0, 1] = hessian[1, 0] = 1 + x[2]
    hessian[0, 2] = hessian[2, 0] = x[1]
    hessian[1, 2] = hessian[2, 1] = x[0]
    for i in range(3):
        with gt.GradientTape() as outer:
            t = outer.watch(x)
            with gt.GradientTape() as inner:
                inner.watch(t)
                y = np.sum(np.cumprod(t))
            g = inner.gradient(y, t)[i]
        np.testing.assert_allclose(outer.gradient(g, t).value, hessian[i], atol=1e-13)


def test_a_nan_in_a_running_sum_or_product_has_gradient_zero():
    x = np.array([2.0, np.nan, 3.0])
    for function, expected in [(np.nancumsum, [3, 0, 1]), (np.nancumprod, [5, 0, 2])]:
        with gt.GradientTape() as tape:
            t = tape.watch(x)
            y = function(t)
        np.testing.assert_array_equal(y.value, function(x))
        np.testing.assert_allclose(tape.gradient(y, t).value, expected)


@hypothesis.given(
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    n=st.integers(1, 5),
    seed=st.integers(0, 99),
    data=st.data(),
)
def test_the_gradient_of_diff_is_its_transpose(shape, n, seed, data):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    x = np.random.default_rng(seed).normal(size=shape)
    with gt.GradientTape() as tape:
        t = tape.watch(x)
        y = np.diff(t, n, axis)
    ct = np.random.default_rng(seed + 1).normal(size=y.shape)
    g = tape.gradient(y, t, output_gradients=ct).value
    assert np.vdot(g, x) == pytest.approx(np.vdot(ct, np.diff(x, n, axis)), abs=1e-12)


def test_coordinates_in_even_steps_still_have_their_gradient():
    f, x = np.array([1.0, 3.0, 2.0, 5.0]), np.arange(4.0)
    with gt.GradientTape() as tape:
        t = tape.watch(x)
        y = np.gradient(f, t)
    np.testing.assert_allclose(y.value, np.gradient(f, x))
    ct = np.array([1.0, -2.0, 0.5, 3.0])
    g = tape.gradient(y, t, output_gradients=ct).value
    h = 1e-6
    for i, e in enumerate(np.eye(4)):
        slope = (np.gradient(f, x + h * e) - np.gradient(f, x - h * e)) / (2 * h)
        assert g[i] == pytest.approx(ct @ slope, abs=1e-8)


def test_gradient_of_float32_samples_stays_float32_with_float64_coordinates():
    f, x = np.array([1, 3, 2, 5], np.float32), np.array([0, 1, 3, 4.0])
    with gt.GradientTape() as tape:
        t = tape.watch(f)
        y = np.gradient(t, x)
    assert y.dtype == np.gradient(f, x).dtype
    assert tape.gradient(y, t).dtype == np.float32


@pytest.mark.parametrize("edge_order", [1, 2])
def test_the_slope_of_a_line_is_exact_and_of_integers_a_float(edge_order):
    with gt.GradientTape() as tape:
        a = tape.watch(np.float64(3.0))
        x = np.array([0.0, 1.0, 2.5, 3.0])
        slope = np.gradient(a * x, x, edge_order=edge_order)
    np.testing.assert_allclose(slope.value, np.full(4, 3.0))
    np.testing.assert_allclose(tape.gradient(slope, a).value, 4.0)
    whole = np.gradient(gt.array([1, 4, 9]))
    assert whole.dtype == np.float64


def test_out_is_written_and_the_result_stays_tracked():
    x = np.array([1.0, 2.0, 3.0])
    for function in (np.cumsum, np.cumprod, np.nancumsum):
        plain = np.zeros(3)
        with gt.GradientTape() as tape:
            t = tape.watch(x)
            y = function(t, None, None, plain)
        np.testing.assert_allclose(plain, function(x))
        assert tape.gradient(y, t) is not None


@pytest.mark.parametrize("function", [np.cumsum, np.cumprod, np.diff, np.gradient, np.ediff1d])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.longdouble, np.complex64])
def test_gradients_have_the_operands_dtype(function, dtype):
    with gt.GradientTape() as tape:
        t = tape.watch(np.array([1, 2, 4, 3, 5], dtype))
        y = function(t)
    assert y.dtype == dtype
    assert tape.gradient(y, t).dtype == dtype


def test_bad_arguments_are_refused_with_what_to_do():
    x, m = gt.array([1.0, 2.0, 3.0]), gt.array(np.ones((2, 3)))
    with pytest.raises(ValueError, match="n is -1"):
        np.diff(x, -1)
    with pytest.raises(ValueError, match="no dimension"):
        np.diff(gt.array(1.0))
    with pytest.raises(TypeError, match="to_end has dtype complex128"):
        np.ediff1d(x, to_end=np.array(1j))
    with pytest.raises(ValueError, match="edge_order is 3"):
        np.gradient(x, edge_order=3)
    with pytest.raises(ValueError, match="axis 0 has 2 samples"):
        np.gradient(m, edge_order=2)
    with pytest.raises(TypeError, match="3 spacings are given for 2 axes"):
        np.gradient(m, 1.0, 1.0, 1.0)
    with pytest.raises(gt.errors.ShapeError, match="coordinates of axis 1"):
        np.gradient(m, 1.0, np.arange(4.0))
    if hasattr(np, "cumulative_sum"):
        with pytest.raises(ValueError, match="axis is not given"):
            np.cumulative_sum(m)
