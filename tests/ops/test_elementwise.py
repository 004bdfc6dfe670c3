"""Elementwise functions: cards against NumPy and mathematics, kinks, dtypes, keywords."""

import warnings

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gradtape as gt
from gradtape.core.positions import record_position
from gradtape.core.registry import CARDS, UFUNCS
from gradtape.core.sweep import backward
from gradtape.errors import DTypeError, ShapeError, TracingError
from gradtape.testing import op_case
from tests.ops.untraced import CHOICE, untraced

MIXED = [((3,), 2.0), (1.5, (3,)), ((2, 3), (3,)), ((), ()), ((0,), ())]
POSITIVE = (0.3, 2.5)
# `min=`, `max=` and a clip without bounds came with NumPy 2.1
CLIP_BY_KEYWORD = np.lib.NumpyVersion(np.__version__) >= "2.1.0"


def of_parts(x, y):
    """`x + 1j * y`, written part by part into an array."""
    z = np.zeros_like(x, dtype=np.result_type(x.dtype, np.complex64))
    z.real = x
    z.imag[...] = y
    return z


HOLES = np.array([np.nan, 0, complex(0, np.nan), np.nan])
CASES = [
    op_case(np.add, complex=True),
    op_case(np.subtract, complex=True),
    op_case(np.multiply, complex=True),
    op_case(np.divide, domain=(0.5, 2), complex=True),
    op_case(np.negative, complex=True),
    op_case(np.positive, complex=True),
    op_case(np.reciprocal, domain=(0.5, 2), complex=True),
    op_case(np.square, complex=True),
    op_case(np.sqrt, domain=POSITIVE, complex=True),
    op_case(np.cbrt, domain=POSITIVE),
    op_case(np.deg2rad),
    op_case(np.radians),
    op_case(np.rad2deg),
    op_case(np.degrees),
    op_case(np.hypot, domain=POSITIVE),
    op_case(np.exp, complex=True),
    op_case(np.exp2, complex=True),
    op_case(np.expm1, complex=True),
    op_case(np.log, domain=POSITIVE, complex=True),
    op_case(np.log2, domain=POSITIVE, complex=True),
    op_case(np.log10, domain=POSITIVE, complex=True),
    op_case(np.log1p, domain=(-0.6, 2), complex=True),
    op_case(np.logaddexp),
    op_case(np.logaddexp, name="logaddexp of large arrays", calls=[((9, 9), (9,)), ((70,), 0.5)]),
    op_case(np.logaddexp2),
    op_case(np.logaddexp2, name="logaddexp2 of large arrays", calls=[((9, 9), (9, 1))]),
    op_case(np.sin, domain=(-3, 3), complex=True),
    op_case(np.cos, domain=(-3, 3), complex=True),
    op_case(np.tan, domain=(-1, 1), complex=True),
    op_case(np.arcsin, domain=(-0.9, 0.9), complex=True),
    op_case(np.arccos, domain=(-0.9, 0.9), complex=True),
    op_case(np.arctan, complex=True),
    op_case(np.sinh, complex=True),
    op_case(np.cosh, complex=True),
    op_case(np.tanh, complex=True),
    op_case(np.arcsinh, complex=True),
    op_case(np.arccosh, domain=(1.2, 3)),
    op_case(np.arccosh, name="arccosh of the complex plane", domain=(1.2, 3), complex=True),
    op_case(np.arctanh, domain=(-0.9, 0.9), complex=True),
    op_case(np.arctan2, domain=POSITIVE),
    op_case(np.arctan2, name="arctan2 in another quadrant", domain=[(-2, -0.4), (-1, -0.2)]),
    op_case(
        np.ldexp,
        calls=[
            ((3,), np.array([1, -2, 0])),
            ((2, 3), np.array([[1], [2]])),
            ((2, 1), np.array([1, 0, 2])),
            ((), np.array([[1, -1]])),
            ((), 3),
            ((2,), np.int64(-1)),
            ((0,), 1),
        ],
    ),  # fmt: skip
    op_case(np.power, domain=POSITIVE, complex=True),
    op_case(np.power, name="power of 0 and 1", domain=[(0, 2), (1, 3)]),
    op_case(np.power, name="power of numbers at 0", domain=(-1, 2),
            calls=[((3,), n) for n in (0, 1, 2, 3, 0.0, 1.0, 2.0)]),
    op_case(np.power, name="power of numbers", domain=POSITIVE,
            calls=[*MIXED, (0.0, (3,)), (0.5, (3,))]),
    op_case(
        np.power,
        name="power, negative base",
        calls=[((3,), 3), ((2, 3), 2), ((3,), np.array([2, 3, 4])), ((4,), -2.0)],
    ),  # fmt: skip
    op_case(np.power, name="power of numbers, complex", domain=POSITIVE, complex=True,
            calls=[(2.0, (3,)), (1.5 + 0.5j, (2,)), ((3,), 2), ((3,), 2.5),
                   ((2,), np.array([2, 3]))]),
    op_case(lambda x, y: np.power(x, y + 0.5j), name="power of negative numbers, complex", nin=2,
            domain=[(-2, -0.5), (-2, 2)], calls=[((3,), (3,)), ((2, 1), (2,))]),
    op_case(lambda x: x**2, name="square by x ** 2", reference=lambda x: x**2, complex=True),
    op_case(lambda x: x**3, name="power_of_number by x ** 3", complex=True),
    op_case(lambda x: x**0.5, name="sqrt by x ** 0.5", domain=POSITIVE),
    op_case(lambda x: x**-1, name="reciprocal by x ** -1", domain=POSITIVE),
    op_case(lambda x: x**1.7, name="power_of_number by x ** 1.7", domain=POSITIVE),
    op_case(lambda x: 2**x, name="power by 2 ** x"),
    op_case(lambda x, y: x**y, name="power by x ** y", domain=POSITIVE, nin=2),
    op_case(
        np.float_power,
        domain=POSITIVE,
        skip={"float32": "float_power returns float64 whatever it is given"},
    ),  # fmt: skip
    op_case(
        np.float_power,
        name="float_power of numbers",
        domain=POSITIVE,
        calls=[((3,), 2), ((3,), 2.0), ((2, 2), 3), ((2,), 0), (2.0, (3,)), (2, (2,))],
        skip={"float32": "float_power returns float64 whatever it is given"},
    ),  # fmt: skip
    op_case(np.absolute, domain=(-2, 2), complex=True),
    op_case(abs, name="absolute by abs()"),
    op_case(np.fabs),
    op_case(np.sign, complex=True),
    op_case(np.conjugate, complex=True),
    op_case(np.real, complex=True),
    op_case(np.imag, complex=True),
    *(op_case(lambda z, f=f: f(z) * (1 + 2j), name=f"{f.__name__}, made complex again",
              complex=True, calls=[(3,)])
      for f in (np.real, np.imag, np.absolute)),
    op_case(of_parts, nin=2, calls=[((3,), (3,)), ((2, 3), (3,)), ((0,), (0,))],
            skip={f"variants: operand 0 {what}": "a Tensor of no axes cannot be written"
                  for what in ("0-d", "without its first axis")}),
    op_case(np.angle, domain=POSITIVE, complex=True, kwargs=[{}, {"deg": True}]),
    op_case(np.real_if_close, complex=True),
    op_case(
        np.real_if_close,
        name="real_if_close of nearly real numbers",
        calls=[(np.array([1 + 1e-17j, 2]),)],
        wrt=[0],
        skip={
            "vjp": "differences leave the nearly real numbers",
            "second": "differences leave the nearly real numbers",
        },
    ),  # fmt: skip
    op_case(np.maximum, calls=MIXED + [((3,), (3,)), ((2, 1), (1, 3))]),
    op_case(np.minimum, calls=MIXED + [((3,), (3,)), ((2, 1), (1, 3))]),
    op_case(np.fmax),
    op_case(np.fmin),
    op_case(
        np.clip,
        nin=3,
        domain=[(-2, 2), (-1.3, -0.9), (0.8, 1.2)],
        calls=[
            ((5,), -1.0, 1.0),
            ((2, 3), (3,), ()),
            ((4,), None, 0.5),
            ((4,), 0.5, None),
            ((), (), (2,)),
            ((0,), -1.0, 1.0),
            *([((3,), None, None)] if CLIP_BY_KEYWORD else []),
        ],
        skip={"kinks": "an element at a bound gets the gradient, at both bounds too"},
    ),  # fmt: skip
    *([op_case(np.clip, name="clip by keyword", calls=[(4,)],
               kwargs=[{"min": -0.5}, {"max": 0.5}, {"min": -0.5, "max": 0.5}])]
      if CLIP_BY_KEYWORD else []),
    op_case(np.copysign),
    op_case(np.heaviside),
    op_case(np.heaviside, name="heaviside at 0", wrt=[1],
            calls=[(np.array([0.0, 1.0, -1.0, 0.0]), (4,)), (np.array([[0.0], [2.0]]), (3,))]),
    op_case(np.remainder, domain=[(-4, 4), (0.9, 1.1)], calls=[((3,), (3,)), ((2, 3), 1.0)]),
    op_case(np.fmod, domain=[(-4, 4), (0.9, 1.1)], calls=[((3,), (3,)), ((2, 3), 1.0)]),
    *(op_case(f, name=f"{f.__name__} with broadcasting", domain=[(-9, 9), (2.4, 2.6)],
              calls=[((2, 1), (3,)), ((), (2,)), ((3,), ())])
      for f in (np.remainder, np.fmod)),
    op_case(np.divmod, domain=[(-4, 4), (0.9, 1.1)], calls=[((3,), (3,)), ((2, 3), ())]),
    op_case(np.modf, domain=(-2.9, 2.9)),
    op_case(np.frexp, domain=POSITIVE),
    op_case(np.sinc, domain=(-3.1, 3.2), tolerance={"value": 1e-13}),
    op_case(np.sinc, name="sinc near 0", domain=(-0.2, 0.3)),
    op_case(np.sinc, name="sinc of complex numbers", domain=(-3, 3), complex=True,
            tolerance={"value": 1e-13}),
    op_case(np.i0, domain=(-3, 3)),
    op_case(lambda x: np.nan_to_num(x + HOLES), name="nan_to_num of holes", complex=True,
            calls=[(4,)]),
    op_case(np.nan_to_num, complex=True, kwargs=[{}, {"nan": 1.0}]),
    op_case(
        np.unwrap,
        domain=(-6, 6),
        calls=[(4,), (2, 3), (3, 0)],
        kwargs=[{}, {"axis": 0}, {"period": 3.0}, {"discont": 2.0}],
    ),  # fmt: skip
    op_case(np.unwrap, name="unwrap axis 1", domain=(-6, 6), calls=[(2, 3, 2)],
            kwargs=[{"axis": 1}]),
    op_case(
        np.interp,
        nin=3,
        domain=[(-0.7, 3.6), (0, 3), (-1, 1)],
        calls=[
            ((5,), np.array([0.0, 1.1, 1.9, 3.0]), (4,)),
            ((), np.array([0.0, 2.0]), (2,)),
            ((2, 3), np.array([0.5]), (1,)),
            ((0,), np.array([0.0, 2.0]), (2,)),
        ],
        kwargs=[{}, {"left": 2.0, "right": -2.0}],
        skip={"float32": "interp returns float64 whatever it is given"},
    ),  # fmt: skip
    op_case(
        np.interp,
        name="interp with a period",
        nin=3,
        domain=[(-3.9, 6.6), (0, 3), (-1, 1)],
        calls=[((6,), np.array([0.1, 1.1, 1.9, 2.5]), (4,))],
        kwargs=[{"period": 3.0}, {"period": -3.0}],
        skip={"float32": "interp returns float64 whatever it is given",
              "variants: operand 1 with a NaN": "there is no order of knots with a NaN"},
    ),  # fmt: skip
    op_case(
        lambda x: np.piecewise(x, [x < 0, x >= 0], [np.sin, lambda v: v * v]), name="piecewise"
    ),  # fmt: skip
    op_case(lambda x: np.piecewise(x, [x < 0], [np.sin, np.cos]), name="piecewise of one"),
    op_case(
        lambda x: (
            np.piecewise(x, [x < -1, x > 1], [-1.0, np.multiply, np.power], 3.0)
            if np.ndim(x)
            else np.piecewise(x, x > 0, [np.sin, np.cos])
        ),
        name="piecewise with constants, arguments, otherwise",
    ),  # fmt: skip
]
untraced(CASES, CHOICE, "real_if_close.*", "piecewise.*")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_op(case):
    case.check()


def gradients(function, *values):
    """The value of `function` and the gradients of its sum, on watched Tensors."""
    tensors = [gt.array(v) for v in values]
    with gt.GradientTape() as tape:
        tensors = [tape.watch(t) for t in tensors]
        out = function(*tensors)
    grads = tape.gradient(out, tensors, unconnected_gradients="none")
    return out.numpy(), [None if g is None else g.numpy() for g in grads]


def twice(function, value):
    """The first and second derivative of an elementwise function of one operand."""
    x = gt.array(value)
    with gt.GradientTape() as outer:
        x = outer.watch(x)
        with gt.GradientTape() as inner:
            x = inner.watch(x)
            y = function(x)
        first = inner.gradient(y, x)
    second = outer.gradient(first, x, unconnected_gradients="zero")
    return first.numpy(), second.numpy()


# -------------------------------------------------------------------------- kinks and ties


@pytest.mark.parametrize("ufunc", [np.maximum, np.minimum, np.fmax, np.fmin])
def test_a_tie_goes_to_the_first_operand(ufunc):
    _, (gx, gy) = gradients(ufunc, [1.0, 2.0], [1.0, 2.0])
    assert gx.tolist() == [1, 1] and gy.tolist() == [0, 0]


@pytest.mark.parametrize("ufunc", [np.fmax, np.fmin])
def test_nan_takes_no_gradient_in_fmax_and_fmin(ufunc):
    _, (gx, gy) = gradients(ufunc, [np.nan, 2.0], [1.0, np.nan])
    assert gx.tolist() == [0, 1] and gy.tolist() == [1, 0]


def test_a_choice_lets_nothing_of_the_other_side_through():
    # the slope of the root is infinite at the clipped element, where the choice selects 0
    _, (g,) = gradients(lambda x: np.sqrt(np.maximum(x, 0)), [-1.0, 4.0])
    assert g.tolist() == [0, 0.25]


def test_absolute_has_slope_0_at_0():
    assert gradients(np.abs, [-2.0, 0.0, 3.0])[1][0].tolist() == [-1, 0, 1]
    assert gradients(np.fabs, [-2.0, 0.0, 3.0])[1][0].tolist() == [-1, 0, 1]
    assert gradients(np.abs, [0j, 3 + 4j])[1][0].tolist() == [0, 0.6 + 0.8j]


def test_sign_has_a_gradient_of_zeros():
    assert gradients(np.sign, [-2.0, 0.0, 3.0])[1][0].tolist() == [0, 0, 0]
    assert gradients(np.sign, [0j, 2 + 0j])[1][0][0] == 0


def test_sign_of_an_infinite_cotangent_is_still_zero():
    _, (g,) = gradients(lambda x: np.sqrt(np.sign(x)), [0.0])
    assert g.tolist() == [0]


def test_hypot_at_the_origin_has_gradient_0():
    _, (gx, gy) = gradients(np.hypot, [0.0, 3.0], [0.0, 4.0])
    np.testing.assert_allclose([gx, gy], [[0, 0.6], [0, 0.8]])


def test_clip_gives_the_bound_to_the_clipped_operand():
    _, (g,) = gradients(lambda x: np.clip(x, 0.0, 1.0), [-1.0, 0.0, 0.5, 1.0, 2.0])
    assert g.tolist() == [0, 1, 1, 1, 0]


def test_clip_with_crossed_bounds_is_the_upper_one():
    value, (gx, low, high) = gradients(np.clip, [0.0, 5.0], 3.0, 1.0)
    assert value.tolist() == [1, 1]
    assert gx.tolist() == [0, 0] and low == 0 and high == 2


def test_clip_refuses_two_spellings_of_a_bound():
    with pytest.raises(ValueError, match="given as a_min, a_max and as min, max"):
        np.clip(gt.array([1.0]), 0, 1, min=0)


def test_copysign_and_heaviside():
    _, (gx, gy) = gradients(np.copysign, [2.0, -2.0, 0.0], [-1.0, 1.0, 1.0])
    assert gx.tolist() == [-1, -1, 0] and gy.tolist() == [0, 0, 0]
    _, (gx, gh) = gradients(np.heaviside, [-1.0, 0.0, 1.0], [0.5, 0.5, 0.5])
    assert gx.tolist() == [0, 0, 0] and gh.tolist() == [0, 1, 0]


def test_arctan2_keeps_small_and_large_operands():
    tiny, huge = np.float32(1e-25), np.float32(1e25)
    _, (gy, gx) = gradients(np.arctan2, np.array([tiny, huge]), np.array([tiny, huge]))
    np.testing.assert_allclose(gy, [5e24, 5e-26], rtol=1e-5)
    np.testing.assert_allclose(gx, [-5e24, -5e-26], rtol=1e-5)


def test_logaddexp_of_infinities():
    inf = np.inf
    x, y = np.array([inf, -inf, inf, 1.0, -inf]), np.array([inf, -inf, 1.0, -inf, inf])
    value, (gx, gy) = gradients(np.logaddexp, x, y)
    assert value.tolist() == [inf, -inf, inf, 1, inf]
    assert gx.tolist() == [0.5, 0.5, 1, 1, 0] and gy.tolist() == [0.5, 0.5, 0, 0, 1]
    big = gt.array(np.tile(x, 30))  # the vectorised formula
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.logaddexp(big, np.tile(y, 30)).numpy().tolist() == np.tile(value, 30).tolist()


@pytest.mark.parametrize("ufunc", [np.logaddexp, np.logaddexp2])
@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
def test_one_special_number_changes_no_other_sum(ufunc, special):
    """Where operands are equal the sum is their own only if they are infinite."""
    x = np.linspace(-2, 2, 100)
    x[3] = special
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        expected = ufunc(x, x)
    np.testing.assert_allclose(ufunc(gt.Variable(x), x).numpy(), expected, rtol=1e-15)


@pytest.mark.parametrize("ufunc", [np.logaddexp, np.logaddexp2])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fast_logaddexp_is_numpys_to_two_ulp(ufunc, dtype):
    rng = np.random.default_rng(0)
    x, y = (rng.uniform(0, 30, 20000).astype(dtype) for _ in range(2))
    expected = ufunc(x, y)
    found = ufunc(gt.array(x), y).numpy()
    assert found.dtype == dtype
    assert np.max(np.abs(found - expected) / np.spacing(expected)) <= 2


def test_arcsin_next_to_1_keeps_its_digits():
    x = 1 - 2.0**-40
    _, (g,) = gradients(np.arcsin, x)
    with mpmath.workdps(40):
        expected = float(1 / mpmath.sqrt(1 - mpmath.mpf(x) ** 2))
    assert float(g) == pytest.approx(expected, rel=1e-15)


def test_expm1_keeps_its_slope_far_left():
    _, (g,) = gradients(np.expm1, -50.0)
    assert float(g) == pytest.approx(float(mpmath.exp(-50)), rel=1e-14)


@pytest.mark.parametrize("x", [0.0, 1e-9, 0.01, 0.3, 0.9, 1.7, 6.5])
def test_derivatives_of_sinc(x):
    with mpmath.workdps(40):

        def f(z):
            return mpmath.sincpi(z)

        expected = [float(mpmath.diff(f, mpmath.mpf(x), n)) for n in (1, 2)]
    np.testing.assert_allclose(twice(np.sinc, x), expected, rtol=1e-12, atol=1e-13)


def test_derivatives_of_i0():
    expected = [float(mpmath.besseli(0, 1.3, derivative=n)) for n in (1, 2)]
    np.testing.assert_allclose(twice(np.i0, 1.3), expected, rtol=1e-13)


def test_nan_to_num_takes_the_gradient_of_what_it_replaces():
    x = [1.0, np.nan, np.inf, -np.inf]
    value, (g,) = gradients(lambda t: np.nan_to_num(t, nan=7.0), x)
    np.testing.assert_array_equal(value, np.nan_to_num(x, nan=7.0))
    assert g.tolist() == [1, 0, 0, 0]


def test_nan_to_num_in_place_writes_the_tensor():
    x = gt.array([1.0, np.nan])
    assert np.nan_to_num(x, copy=False) is x
    assert x.numpy().tolist() == [1, 0]


def test_interp_outside_and_at_knots():
    xp, fp = np.array([0.0, 1.0, 2.0]), np.array([0.0, 2.0, 3.0])
    x = np.array([-1.0, 0.0, 1.0, 2.0, 3.0])
    value, (g,) = gradients(lambda t: np.interp(t, xp, fp), x)
    np.testing.assert_array_equal(value, np.interp(x, xp, fp))
    assert g.tolist() == [0, 2, 1, 1, 0]


def test_interp_refuses_what_numpy_refuses():
    with pytest.raises(ValueError, match="same length"):
        np.interp(gt.array([1.0]), [0.0, 1.0], [1.0])


def test_piecewise_counts_functions_and_conditions():
    x = gt.array([-1.0, 1.0])
    with pytest.raises(ValueError, match="3 functions for 1 conditions"):
        np.piecewise(x, [x < 0], [np.sin, np.cos, np.tan])


def test_every_ufunc_has_a_case_or_no_derivative():
    cased = {case.function for case in CASES}
    cards = {ufunc: CARDS[ufunc.__name__] for ufunc in UFUNCS if ufunc.signature is None}
    assert {u for n in dir(np) if isinstance(u := getattr(np, n), np.ufunc)} == set(UFUNCS)
    missing = {u for u, card in cards.items() if card.kind != "nondifferentiable"} - cased
    assert missing == set()


# ---------------------------------------------------------------------------------- power


def test_power_at_base_0():
    _, (gx, gy) = gradients(np.power, [0.0, 0.0, 0.0, 0.0], [0.0, 1.0, 2.0, 3.5])
    assert gx.tolist() == [0, 1, 0, 0] and gy.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("n", [0, 1, 2, 3, 0.0, 2.0])
def test_power_by_a_number_at_base_0(n):
    slope = {0: 0, 1: 1}.get(n, 0)
    curvature = {2: 2}.get(n, 0)
    assert twice(lambda x: x**n, 0.0) == (slope, curvature)
    assert twice(lambda x: np.power(x, n), 0.0) == (slope, curvature)


def test_power_at_base_0_lets_a_cotangent_of_0_win():
    with np.errstate(divide="ignore"):
        _, (gx, gy) = gradients(lambda x, y: np.where(x > 0, x**y, 0.0), [0.0, 4.0], [-0.5, 0.5])
    assert gx.tolist() == [0, 0.25] and gy[0] == 0


def test_power_of_a_negative_base():
    value, (g,) = gradients(lambda x: x ** np.array([2, 3]), [-2.0, -2.0])
    assert value.tolist() == [4, -8] and g.tolist() == [-4, 12]
    _, (gx, gy) = gradients(np.power, -2.0, 3.0)
    assert gx == 12 and np.isnan(gy)  # x**y is defined at single points of y


def test_mixed_derivative_of_power_at_exponent_0():
    x, y = gt.array(2.0), gt.array(0.0)
    with gt.GradientTape() as outer:
        y = outer.watch(y)
        with gt.GradientTape() as inner:
            x = inner.watch(x)
            z = x**y
        dx = inner.gradient(z, x)
    assert float(dx) == 0
    assert float(outer.gradient(dx, y)) == 0.5  # d/dy (y x**(y-1)) = x**(y-1) at y = 0


def test_power_with_unsigned_and_boolean_exponents():
    for y in (np.array([0, 1, 2], np.uint8), np.array([False, True, True])):
        _, (g,) = gradients(lambda x, y=y: x**y, [3.0, 3.0, 3.0])
        np.testing.assert_allclose(g, y * 3.0 ** (y.astype(float) - 1))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cotangents_keep_the_dtype_beside_python_numbers(dtype):
    operations = [
        lambda x: 2.0**x, lambda x: x**2, lambda x: x**3, lambda x: x**1.5, lambda x: 2 / x,
        lambda x: np.maximum(x, 0), lambda x: np.logaddexp(x, 0), lambda x: np.arctan2(x, 1.0),
        lambda x: np.arctan2(1.0, x), lambda x: np.hypot(3.0, x), lambda x: np.copysign(x, -1.0),
        lambda x: np.remainder(x, 0.7), lambda x: np.fmod(x, 0.7), lambda x: np.heaviside(0.0, x),
        lambda x: np.clip(x, 0.0, 1.0), lambda x: np.sinc(x), np.log2, np.deg2rad, np.i0,
        lambda x: 7.0 % x, lambda x: np.ldexp(x, 2), np.sign, np.abs, np.nan_to_num,
    ]  # fmt: skip
    for operation in operations:
        x = gt.array(np.array([0.3, 0.6], dtype))
        with gt.GradientTape() as tape:
            x = tape.watch(x)
            middle = x * 1.0
            y = operation(middle)
        assert y.dtype == dtype
        # the raw cotangent of an intermediate value, before the door casts it
        grads = {y.key: np.ones(2, dtype)}
        found = backward(tape._recorder, grads, {middle.key}, False) or grads
        assert found[middle.key].dtype == dtype


def test_integers_are_raised_as_numpy_raises_them():
    x = gt.array([1, 2, 3])
    for y in (2, 2.0, 0.5, -1.0):
        assert (x**y).dtype == (np.array([1, 2, 3]) ** y).dtype
        np.testing.assert_array_equal((x**y).numpy(), np.array([1, 2, 3]) ** y)
    with pytest.raises(ValueError, match="cannot be raised to a negative power"):
        x**-1


# ---------------------------------------------------------------- where=, dtype=, out=, casting=


def test_where_computes_only_what_it_selects():
    x, y = np.array([1.0, 2.0, 3.0]), np.array([2.0, 0.0, 4.0])
    expected = np.divide(x, y, where=y != 0, out=np.zeros(3))
    value, (gx, gy) = gradients(
        lambda a, b: np.divide(a, b, where=y != 0, out=np.zeros(3)), x, y
    )  # a division by 0 would warn, and warnings are errors here
    np.testing.assert_array_equal(value, expected)
    np.testing.assert_allclose(gx, [0.5, 0, 0.25])
    np.testing.assert_allclose(gy, [-0.25, 0, -3 / 16])


def test_second_derivative_under_where_is_finite():
    mask = np.array([True, False])
    first, second = twice(lambda x: np.log(x, where=mask, out=np.ones(2)), np.array([2.0, 0.0]))
    assert first.tolist() == [0.5, 0] and second.tolist() == [-0.25, 0]


def test_where_keeps_the_history_of_out():
    base = gt.array([10.0, 20.0])
    x = gt.array([1.0, 2.0])
    with gt.GradientTape() as tape:
        base, x = tape.watch(base), tape.watch(x)
        out = base * 3.0
        result = np.exp(x, where=[True, False], out=out)
    assert result is out
    g_base, g_x = tape.gradient(out, [base, x])
    np.testing.assert_allclose(g_base.numpy(), [0, 3])
    np.testing.assert_allclose(g_x.numpy(), [np.e, 0])


def test_where_must_be_boolean():
    with pytest.raises(DTypeError, match="where= is int64, not bool"):
        np.exp(gt.array([1.0]), where=np.array([1]))


@pytest.mark.parametrize("where", [1, [1, 0], (2.5, 0.0), np.int64(0), None])
def test_where_that_is_no_array_is_taken_by_its_truth(where):
    x, held = np.array([1.0, 2.0]), np.full(2, 9.0)
    expected = np.exp(x, where=where, out=held.copy())
    np.testing.assert_array_equal(np.exp(gt.array(x), where=where, out=held.copy()), expected)


@pytest.mark.parametrize("options", [{"dtype": np.float32}, {"signature": "ff->f"}])
def test_dtype_chooses_the_loop(options):
    x, y = np.array([1.1, 2.2]), np.array([0.3, 0.7])
    value, (gx, gy) = gradients(lambda a, b: np.multiply(a, b, **options), x, y)
    np.testing.assert_array_equal(value, np.multiply(x, y, **options))
    assert value.dtype == np.float32 and gx.dtype == gy.dtype == np.float64
    np.testing.assert_allclose(gx, y, rtol=1e-6)


def test_dtype_complex_of_a_negative_real():
    value, (g,) = gradients(lambda x: np.real(np.sqrt(x, dtype=complex) ** 2), [-4.0, 9.0])
    np.testing.assert_allclose(value, [-4, 9])
    np.testing.assert_allclose(g, [1, 1])


def test_dtype_that_cannot_be_cast_to_is_refused():
    with pytest.raises(DTypeError, match="casting='same_kind'"):
        np.add(gt.array([1.0]), 1.0, dtype=int)


def test_out_array_takes_the_value_in_its_own_dtype():
    out = np.zeros(2, np.float32)
    x = gt.array([1.0, 2.0])
    with gt.GradientTape() as tape:
        x = tape.watch(x)
        y = np.exp(x, out=out)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(out, np.exp([1.0, 2.0]).astype(np.float32))
    np.testing.assert_allclose(tape.gradient(y, x).numpy(), out, rtol=1e-6)


def test_out_may_be_wider_but_not_narrower():
    x = gt.array([1.0, 2.0])
    out = np.zeros((2, 2))
    assert np.exp(x, out=out).shape == (2, 2)
    np.testing.assert_array_equal(out, np.exp([[1.0, 2.0]] * 2))
    with pytest.raises(ShapeError, match=r"shape \(2,\) does not fit out= of shape \(1,\)"):
        np.exp(x, out=np.zeros(1))


def test_out_of_another_kind_needs_unsafe_casting():
    out = np.zeros(2, int)
    with pytest.raises(DTypeError, match="float64 cannot be written into out= of int64"):
        np.add(gt.array([1.5, 2.5]), 1.0, out=out)
    np.add(gt.array([1.5, 2.5]), 1.0, out=out, casting="unsafe")
    assert out.tolist() == [2, 3]


@pytest.mark.parametrize("ufunc", [np.modf, np.frexp])
def test_two_outputs_into_two_outs(ufunc):
    first, second = (np.zeros(2, d) for d in (float, float if ufunc is np.modf else np.int32))
    x = gt.array([1.25, -2.5])
    with gt.GradientTape() as tape:
        x = tape.watch(x)
        y, _ = ufunc(x, out=(first, second))
    expected = ufunc([1.25, -2.5])
    np.testing.assert_array_equal(first, expected[0])
    np.testing.assert_array_equal(second, expected[1])
    slope = [1, 1] if ufunc is np.modf else [0.5, 0.25]
    assert tape.gradient(y, x).numpy().tolist() == slope


def test_two_outputs_with_one_out_and_where():
    x = np.array([5.5, 7.5])
    remainder = np.full(2, -1.0)
    quotient, found = np.divmod(gt.array(x), 2.0, out=(None, remainder), where=[True, False])
    assert quotient.numpy().tolist() == [2, 0]
    assert found.numpy().tolist() == remainder.tolist() == [1.5, -1]


def test_whole_parts_have_no_gradient_and_say_why():
    x = gt.array([1.25, -2.5])
    with gt.GradientTape() as tape:
        x = tape.watch(x)
        parts = [np.modf(x)[1], np.divmod(x, 2.0)[0], np.frexp(x)[1]]
    assert all(part.key == 0 and part.why[0] == "nondifferentiable" for part in parts)
    assert [part.why[4] for part in parts] == ["trunc", "floor_divide", "exponent"]


# ------------------------------------------------------------------------------- positions


def test_positions_are_the_users_lines():
    x = gt.array([1.0, 2.0])
    with gt.GradientTape() as tape:
        x = tape.watch(x)
        first = test_positions_are_the_users_lines.__code__.co_firstlineno + 5
        x**2
        2.0**x
        x**1.5
        2.0 - x
        np.abs(x)
        abs(x)
        np.clip(x, 0.0, 1.5)
        np.divmod(x, 2.0)
        np.exp(x, where=[True, False])
        np.sinc(x)
        np.logaddexp.reduce(x)
        np.add.outer(x, x)
        np.maximum.at(x, [0], 1.5)
        x **= 2
    recorder = tape._recorder
    lines = {record_position(recorder, i).line - first for i in range(len(recorder.ops))}
    assert lines == set(range(14))


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=5), st.sampled_from([0.5, 1.0, 2.0]))
def test_maximum_and_minimum_share_the_cotangent(values, bound):
    _, (high,) = gradients(lambda x: np.maximum(x, bound), values)
    _, (low,) = gradients(lambda x: np.minimum(x, bound), values)
    ties = np.equal(values, bound)
    np.testing.assert_array_equal(high + low, 1 + ties)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.sqrt(np.maximum(x, 0)), lambda x: np.clip(x, -0.5, 0.5), lambda x: x**2,
        lambda x: np.abs(x) ** 1.5, lambda x: np.logaddexp(x, 0), lambda x: np.fmin(x, 0.2) * 3,
        lambda x: np.log1p(np.maximum(x, -0.5)), lambda x: np.copysign(x, -1.0), np.sign,
        lambda x: np.remainder(x, 0.7), np.sinc, lambda x: 2**x,
    ],
)  # fmt: skip
def test_large_arrays_have_the_gradient_of_their_parts(function, dtype):
    x = np.linspace(-1.5, 1.5, 200_000).astype(dtype)  # large enough for blocks; not 0
    whole = gradients(function, x)[1][0]
    parts = np.concatenate([gradients(function, part)[1][0] for part in np.array_split(x, 200)])
    assert whole.dtype == dtype and np.isfinite(whole).all()
    np.testing.assert_allclose(whole, parts, rtol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("mask", [np.array([True, False]), np.True_, np.ones(9000, bool)])
@pytest.mark.parametrize("f", [lambda x: x**2, np.square, lambda x: x**3, lambda x: x * x])
def test_powers_of_masks_are_numpys(f, mask):
    """The square of a mask was a mask eagerly, and of int64 in a program: NumPy's is of int8."""
    expected = np.asarray(f(mask))
    for found in (f(gt.Tensor(mask)), gt.function(f, backend="numpy")(mask)):
        assert np.asarray(found).dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("backend", ["numpy", "llvm", None])
def test_the_conjugate_of_a_mask(backend):
    """NumPy's function makes int8 of it, its method gives it back."""
    mask = np.array([True, False])
    for f in (np.conj, lambda m: m.conj(), lambda m: m.conjugate(), lambda m: np.conj(np.conj(m))):
        expected = f(mask)
        found = f(gt.array(mask)) if backend is None else gt.function(f, backend=backend)(mask)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


def test_complex_places_of_an_interpolation_are_refused_as_by_numpy():
    z, x = np.array([1j, 2.0]), np.array([1.0, 2.0])
    assert gt.function(lambda x: np.interp(x, x, z))(x).dtype == complex
    for at, knots in ((z, x), (x, z)):
        with pytest.raises(TypeError):
            np.interp(at, knots, x)
        for f in (lambda a: np.interp(a, knots, x), gt.function(lambda a: np.interp(a, knots, x))):  # noqa: B023
            with pytest.raises(DTypeError, match=r"interp: x is (.|\n)*complex numbers have no"):
                f(gt.array(at))


@pytest.mark.parametrize("compiled", [False, True])
def test_what_numpy_makes_of_masks_and_of_parts_that_may_be_real(compiled):
    def way(f):
        return gt.function(f) if compiled else lambda x: f(gt.array(x))

    mask = np.array([True, False, True])
    found = way(np.angle)(mask)
    assert found.dtype == np.angle(mask).dtype
    np.testing.assert_array_equal(found, np.angle(mask))
    for f in (np.ediff1d, np.gradient):
        with pytest.raises(TypeError):
            f(mask)
        with pytest.raises(TypeError, match="not defined for bool"):
            way(f)(mask)
    z = np.array([1.0 + 2j, 3.0])
    if compiled:  # the imaginary part was dropped
        with pytest.raises(TracingError, match=r"real_if_close: (.|\n)*np\.real\(x\)"):
            gt.function(np.real_if_close)(z)
    else:
        np.testing.assert_array_equal(way(np.real_if_close)(z), z)
    np.testing.assert_array_equal(way(np.real_if_close)(z.imag), z.imag)
