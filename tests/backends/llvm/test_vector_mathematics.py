"""The functions of mathematics against mpmath, NumPy and SciPy: error bounds and special values."""

import csv
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from gradtape.backends.llvm import bounds
from gradtape.backends.llvm.bounds import BOUNDS
from gradtape.backends.llvm.library import ARITIES
from gradtape.backends.llvm.loops import function_of
from tests.backends.llvm.truth import DOUBLE, EDGES, errors, exactly, same, sweep

UNARY = [name for name in BOUNDS if ARITIES[name] == 1]
BINARY = [name for name in BOUNDS if ARITIES[name] == 2]
# The zeros on the negative axis are no numbers of the format: the error is measured beside 1.
BESIDE_ONE = {"gammaln", "digamma"}
STRIDE = 9973  # a prime: 430 thousand of the 2**32 float32


@cache
def compiled(name, dtype):
    return function_of(name, dtype)


@pytest.fixture(autouse=True)
def quiet():
    with np.errstate(all="ignore"):
        yield


def worst(name, got, operands, high, low=0.0):
    """The largest error, in a sentence for the failure."""
    scale = None
    if name == "logaddexp":
        scale = np.maximum(*(np.abs(x) for x in operands))
    error = errors(got, high, low, scale)
    at = int(np.argmax(np.where(np.isnan(error), np.inf, error)))
    return error[at], f"{name}({[float(x[at]) for x in operands]}) = {got[at]!r}, not {high[at]!r}"


def test_every_function_has_a_bound():
    assert set(BOUNDS) | {"fmod", "floor_divide"} == set(ARITIES)
    for name in ("exp", "log", "sin", "cos", "tanh"):
        assert BOUNDS[name].single <= 1
        assert BOUNDS[name].double <= 1


def test_the_page_of_bounds():
    written = Path(bounds.__file__).with_name("accuracy.md").read_text(encoding="utf-8")
    assert written == bounds.page()


@pytest.mark.parametrize("name", UNARY)
def test_float32_sampled(name):
    """Every 9973rd float32; all of them in tests/exhaustive."""
    x = np.arange(0, 2**32, STRIDE, dtype=np.uint64).astype(np.uint32).view(np.float32)
    if name in BESIDE_ONE:
        x = x[~(x < 0)]
    got = compiled(name, np.float32)(x)
    want = DOUBLE[name](x.astype(np.float64))
    assert np.array_equal(np.isnan(got), np.isnan(want))
    error, sentence = worst(name, got, [x], want)
    assert error <= BOUNDS[name].single, sentence


@pytest.mark.parametrize("name", UNARY)
def test_float64_sweep(name):
    (x,) = sweep(name, 60)
    got = compiled(name, np.float64)(x)
    high, low = exactly(name, [x])
    error, sentence = worst(name, got, [x], high, low)
    assert error <= BOUNDS[name].double, sentence
    assert np.isfinite(high).sum() > 100


@pytest.mark.parametrize("name", BINARY)
def test_float64_sweep_of_two(name):
    x, y = sweep(name, 60, operands=2)
    got = compiled(name, np.float64)(x, y)
    high, low = exactly(name, [x, y])
    error, sentence = worst(name, got, [x, y], high, low)
    assert error <= BOUNDS[name].double, sentence
    assert np.isfinite(high).sum() > 100


@pytest.mark.parametrize("name", BINARY)
def test_float32_sweep_of_two(name):
    x, y = (column.astype(np.float32) for column in sweep(name, 40_000, operands=2))
    got = compiled(name, np.float32)(x, y)
    want = DOUBLE[name](x.astype(np.float64), y.astype(np.float64))
    error, sentence = worst(name, got, [x, y], want)
    assert error <= BOUNDS[name].single, sentence


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", BOUNDS)
def test_special_values(name, dtype):
    """NaN, infinity, zeros, subnormals, overflow and underflow, as NumPy and SciPy have them."""
    edges = EDGES.astype(dtype)
    if ARITIES[name] == 1:
        operands = [edges]
    else:
        operands = [np.repeat(edges, len(edges)), np.tile(edges, len(edges))]
    got = compiled(name, dtype)(*operands)
    with np.errstate(all="ignore"):
        want = DOUBLE[name](*(x.astype(np.float64) for x in operands)).astype(dtype)
    scale = np.abs(want)
    if name == "logaddexp":
        scale = np.maximum(scale, np.maximum(*(np.abs(x) for x in operands)))
        scale[np.isinf(scale)] = 1
    if name in BESIDE_ONE:
        if dtype is np.float64:  # SciPy's own digits are few next to the poles
            high, _ = exactly(name, operands)
            want = np.where(np.isfinite(high), high, want)
            scale = np.abs(want)
        scale = np.maximum(scale, dtype(1))
        # SciPy's log gamma is infinite below the least normal number, where it is about 713.
        if name == "gammaln":
            low = (np.abs(operands[0]) < 2.0**-1022) & (operands[0] != 0)
            assert np.all(np.abs(got[low] + np.log(np.abs(operands[0][low].astype(float)))) < 1e-3)
            got, want = got[~low], want[~low]
            operands, scale = [operands[0][~low]], scale[~low]
    numbers = np.isfinite(want) & (want != 0)
    close = np.abs(got - want) <= 20 * np.spacing(scale)
    # At the edge of overflow or underflow the reference may be a step off.
    largest, least = np.finfo(dtype).max, np.finfo(dtype).smallest_subnormal
    edge = ((np.abs(want) >= largest) & (np.abs(got) >= largest)) | (
        (np.abs(want) <= least) & (np.abs(got) <= least)
    )
    edge &= (np.signbit(got) == np.signbit(want)) & ~np.isnan(got) & ~np.isnan(want)
    edge &= np.logical_or.reduce([np.abs(x) > 20 for x in operands])
    right = np.where(numbers, close, same(got, want)) | edge
    if name == "logaddexp":  # -5e-324 + 5e-324
        right |= np.abs(got - want) <= least
    wrong = [
        ([float(x[i]) for x in operands], got[i], want[i]) for i in np.flatnonzero(~right)[:5]
    ]
    assert wrong == []


DATA = Path(np.__file__).parent / "_core" / "tests" / "data"
SETS = sorted(DATA.glob("umath-validation-set-*.csv"))
# NumPy's own sets: the hardest arguments known for each function, with the results rounded.
HARD = [
    (path.stem.rpartition("-")[2], path)
    for path in SETS
    if path.stem.rpartition("-")[2] in BOUNDS
]


@pytest.mark.skipif(not HARD, reason="this NumPy is installed without its tests' data")
@pytest.mark.parametrize(("name", "path"), HARD, ids=[name for name, _ in HARD])
def test_hard_cases_of_numpy(name, path):
    seen = 0
    with path.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(line for line in lines if not line.startswith(("#", "$"))))
    for dtype, bits in ((np.float32, np.uint32), (np.float64, np.uint64)):
        mine = [row for row in rows if row["dtype"] == f"np.float{8 * dtype().itemsize}"]
        if not mine:
            continue
        x = np.array([int(row["input"], 16) for row in mine], bits).view(dtype)
        want = np.array([int(row["output"], 16) for row in mine], bits).view(dtype)
        got = compiled(name, dtype)(x)
        bound = BOUNDS[name].single if dtype is np.float32 else BOUNDS[name].double
        number = np.isfinite(want) & (want != 0)
        with np.errstate(all="ignore"):
            # The stored result is itself rounded.
            close = np.abs(got - want) <= (bound + 0.5) * np.spacing(np.abs(want))
        right = np.where(number, close, same(got, want) | (want == 0) & (got == 0))
        wrong = [(float(x[i]), got[i], want[i]) for i in np.flatnonzero(~right)[:5]]
        assert wrong == []
        seen += len(x)
    assert seen > 100


@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_arguments_next_to_multiples_of_half_pi(name):
    """The numbers next to n pi/2, for n up to 2**1000: where a reduction has least left."""
    import mpmath as mp

    with mp.workprec(1300):
        half = mp.pi / 2
        near = [float(half * int(mp.nint(mp.mpf(2) ** (k / 3) * 1.1))) for k in range(0, 3000, 7)]
    x = np.array([*near, 6381956970095103.0 * 2.0**797, 1.6e308, 2.0**30, 2.0**30 + 1])
    high, low = np.zeros(len(x)), np.zeros(len(x))
    with mp.workprec(1300):
        for i, value in enumerate(x):
            result = getattr(mp, name)(mp.mpf(float(value)))
            high[i] = float(result)
            low[i] = float(result - mp.mpf(high[i]))
    for values in (x, -x):
        got = compiled(name, np.float64)(values)
        flip = -1 if name != "cos" and values is not x else 1
        error, sentence = worst(name, got, [values], flip * high, flip * low)
        assert error <= BOUNDS[name].double, sentence


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["sin", "gammaln", "digamma", "fmod"])
def test_a_rare_lane_among_usual_ones(name, dtype):
    """Each lane of a vector, and the loop's remainder, with one argument of the slow path."""
    usual = np.linspace(1.0, 2.0, 67).astype(dtype)
    rare = {"sin": 1e30, "fmod": 1e30}.get(name, -2.75)
    others = [np.full(67, 0.37, dtype)] if name == "fmod" else []
    function = compiled(name, dtype)
    plain, alone = function(usual, *others), function(np.full(67, rare, dtype), *others)[0]
    truth = np.fmod if name == "fmod" else DOUBLE[name]
    expected = truth(float(dtype(rare)), *(float(y[0]) for y in others))
    assert abs(alone - expected) <= 8 * np.spacing(dtype(max(abs(expected), 1)))
    for at in range(67):
        mixed = usual.copy()
        mixed[at] = rare
        want = plain.copy()
        want[at] = alone
        assert np.array_equal(function(mixed, *others), want)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["gammaln", "digamma"])
def test_negative_arguments(name, dtype):
    x = np.random.default_rng(3).uniform(-30, -1e-3, 400).astype(dtype)
    got = compiled(name, dtype)(x)
    high, low = exactly(name, [x.astype(np.float64)])
    slope = np.ones(len(x))
    if name == "digamma":  # beside a pole the argument's distance from it is what counts
        slope = np.maximum(1, np.abs(high))
    error = errors(got, high, low, np.maximum(slope, 1))
    assert np.max(error) <= 16


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["fmod", "floor_divide"])
def test_divisions_are_exact(name, dtype):
    edges = EDGES.astype(dtype)
    x, y = (column.astype(dtype) for column in sweep("", 20_000, operands=2))
    x = np.concatenate([x, np.repeat(edges, len(edges)), np.arange(-50, 51, dtype=dtype)])
    y = np.concatenate([y, np.tile(edges, len(edges)), np.full(101, 7, dtype)])
    got, want = compiled(name, dtype)(x, y), getattr(np, name)(x, y)
    right = same(got, want)
    assert [(x[i], y[i], got[i], want[i]) for i in np.flatnonzero(~right)[:5]] == []


@pytest.mark.parametrize("name", ["exp", "sin", "tanh", "log", "gammaln"])
def test_a_result_does_not_depend_on_the_place_in_the_array(name):
    """Vector body and remainder run the same arithmetic."""
    x = np.random.default_rng(5).uniform(0.1, 5, 131)
    for dtype in (np.float32, np.float64):
        values = x.astype(dtype)
        function = compiled(name, dtype)
        together = function(values)
        alone = np.array([function(values[i : i + 1])[0] for i in range(len(values))])
        assert np.array_equal(together, alone)


# Boost's tables, as SciPy's tests carry them: column of the argument, column of the result.
BOOST = [
    ("cbrt", "cbrt_data_ipp-cbrt_data", 1, 0),
    ("erf", "erf_data_ipp-erf_data", 0, 1),
    ("erfc", "erf_data_ipp-erf_data", 0, 2),
    ("erf", "erf_small_data_ipp-erf_small_data", 0, 1),
    ("erf", "erf_large_data_ipp-erf_large_data", 0, 1),
    ("erfc", "erf_large_data_ipp-erf_large_data", 0, 2),
    ("log1p", "log1p_expm1_data_ipp-log1p_expm1_data", 0, 1),
    ("expm1", "log1p_expm1_data_ipp-log1p_expm1_data", 0, 2),
    ("gammaln", "test_gamma_data_ipp-factorials", 0, 2),
    ("gammaln", "test_gamma_data_ipp-near_0", 0, 2),
    ("gammaln", "test_gamma_data_ipp-near_1", 0, 2),
    ("gammaln", "test_gamma_data_ipp-near_2", 0, 2),
    ("gammaln", "test_gamma_data_ipp-near_m10", 0, 2),
    ("gammaln", "test_gamma_data_ipp-near_m55", 0, 2),
    ("digamma", "digamma_data_ipp-digamma_data", 0, 1),
    ("digamma", "digamma_root_data_ipp-digamma_root_data", 0, 1),
    ("digamma", "digamma_small_data_ipp-digamma_small_data", 0, 1),
    ("digamma", "digamma_neg_data_ipp-digamma_neg_data", 0, 1),
]


@pytest.mark.parametrize(("name", "key", "column", "result"), BOOST,
                         ids=[f"{name}-{key}" for name, key, _, _ in BOOST])  # fmt: skip
def test_hard_cases_of_boost(name, key, column, result):
    import scipy.special

    path = Path(scipy.special.__file__).parent / "tests" / "data" / "boost.npz"
    if not path.exists():
        pytest.skip("this SciPy is installed without its tests' data")
    with np.load(path) as tables:
        table = tables[key]
    x, stored = table[:, column], table[:, result]
    got = compiled(name, np.float64)(x)
    # The tables hold decimals, rounded: the exact result is that of the argument as it is.
    high, low = exactly(name, [x])
    scale = np.ones(len(x)) * (x < 0) if name in BESIDE_ONE else np.zeros(len(x))
    if name == "digamma":  # beside a pole the argument's distance from it is what counts
        scale = np.maximum(scale, np.abs(high) * (x < 0))
    error = errors(got, high, low, scale)
    bound = np.where((x < 0) & (name in BESIDE_ONE), 16, BOUNDS[name].double)
    wrong = np.flatnonzero(~(error <= bound))
    assert [(x[i], got[i], high[i], error[i]) for i in wrong[:5]] == []
    finite = np.isfinite(stored) & np.isfinite(high)
    assert np.allclose(high[finite], stored[finite], rtol=1e-12, atol=1e-300)
    assert finite.sum() >= 30
