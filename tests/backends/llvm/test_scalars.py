"""The vocabulary of lowerings, word by word, against NumPy's ufuncs."""

import numpy as np
import pytest

from gradtape.backends.llvm import ir
from gradtape.backends.llvm.loops import MapFunction, function_of
from gradtape.backends.llvm.scalars import FUNCTIONS, VOCABULARY, Scalars
from tests.backends.llvm.truth import EDGES, same, sweep

FLOATS = [np.float32, np.float64]
INTS = [np.int32, np.int64]

UFUNCS = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "neg": np.negative,
    "abs": np.abs, "sqrt": np.sqrt, "maximum": np.maximum, "minimum": np.minimum,
    "fmax": np.fmax, "fmin": np.fmin, "eq": np.equal, "ne": np.not_equal, "lt": np.less,
    "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal, "isnan": np.isnan,
    "isinf": np.isinf, "isfinite": np.isfinite, "signbit": np.signbit, "select": np.where,
    "floor": np.floor, "ceil": np.ceil, "trunc": np.trunc, "rint": np.rint, "sign": np.sign,
    "copysign": np.copysign, "remainder": np.remainder, "fmod": np.fmod,
    "floor_divide": np.floor_divide, "and_": np.bitwise_and, "or_": np.bitwise_or,
    "xor": np.bitwise_xor, "not_": np.invert, "shl": np.left_shift, "shr": np.right_shift,
}  # fmt: skip
OF_INTS = {"and_", "or_", "xor", "not_", "shl", "shr"}
OF_FLOATS = {"div", "sqrt", "copysign", "isnan", "isinf", "isfinite", "signbit", "floor", "ceil",
             "trunc", "rint"}  # fmt: skip


@pytest.fixture(autouse=True)
def quiet():
    with np.errstate(all="ignore"):
        yield


def pairs(dtype):
    """All pairs of edge values, and random ones."""
    if np.dtype(dtype).kind == "f":
        edges = EDGES.astype(dtype)
        x, y = (c.astype(dtype) for c in sweep("", 2000, operands=2))
    else:
        info = np.iinfo(dtype)
        edges = np.array([0, 1, -1, 2, -2, 3, 7, -7, 31, 32, 63, 64, 100, info.min, info.max,
                          info.min + 1], dtype)  # fmt: skip
        x, y = np.random.default_rng(1).integers(info.min, info.max, (2, 5000), dtype)
        y[::2] %= 17
    x = np.concatenate([x, np.repeat(edges, len(edges))])
    return x, np.concatenate([y, np.tile(edges, len(edges))])


def test_the_vocabulary_is_tested_whole():
    assert set(VOCABULARY) == set(UFUNCS) | set(FUNCTIONS) | {"fma"}
    assert len(set(VOCABULARY) - set(FUNCTIONS)) < 40


CASES = [
    (word, dtype)
    for word in UFUNCS
    for dtype in FLOATS + INTS
    if not (word in OF_INTS and dtype in FLOATS) and not (word in OF_FLOATS and dtype in INTS)
]


@pytest.mark.parametrize(("word", "dtype"), CASES)
def test_word(word, dtype):
    x, y = pairs(dtype)
    operands = [x, y][: VOCABULARY[word]]
    if word == "select":
        operands = [np.arange(len(x)) % 3 == 0, x, y]
    got = function_of(word, dtype)(*operands)
    want = UFUNCS[word](*operands)
    assert got.dtype == want.dtype
    if want.dtype.kind == "f" and word not in ("maximum", "minimum", "fmax", "fmin"):
        right = same(got, want)
    elif want.dtype.kind == "f":  # of 0.0 and -0.0 NumPy takes now one, now the other
        right = same(got, want) | ((got == 0) & (want == 0))
    else:
        right = got == want
    wrong = np.flatnonzero(~right)[:5]
    assert [([o[i] for o in operands], got[i], want[i]) for i in wrong] == []


def test_a_product_and_a_sum_are_rounded_twice():
    """As eagerly: x * y + z is never contracted; `fma` is what kernels ask for by name."""

    def build(builder, x, y, z):
        s = Scalars(builder, np.float64)
        return [s.add(s.mul(x, y), z), s.fma(x, y, z)]

    x = np.float64(1 + 2.0**-30)
    plain, fused = MapFunction(build, [np.float64] * 3, [np.float64] * 2)(x, x, -x * x)
    assert plain == 0
    assert fused == 2.0**-60


def test_truth_values():
    x, y = np.array([0, 0, 1, 1], bool), np.array([0, 1, 0, 1], bool)
    for word, want in (("add", x | y), ("mul", x & y), ("xor", x ^ y), ("maximum", x | y),
                       ("eq", x == y), ("lt", x < y)):  # fmt: skip
        assert np.array_equal(function_of(word, np.bool_)(x, y), want), word
    assert np.array_equal(function_of("not_", np.bool_)(x), ~x)


@pytest.mark.parametrize("to", [*FLOATS, *INTS, np.bool_])
@pytest.mark.parametrize("dtype", [*FLOATS, *INTS, np.bool_])
def test_cast(dtype, to):
    x = np.arange(-3, 4).astype(dtype) if dtype is np.bool_ else pairs(dtype)[0]
    cast = MapFunction(lambda b, v: [Scalars(b, dtype).cast(v, to)], [dtype], [to])
    got, want = cast(x), x.astype(to)
    if np.dtype(dtype).kind == "f" and np.dtype(to).kind == "i":
        least = np.iinfo(to).min
        inside = (x >= least) & (x < -float(least))
        # Outside, C and NumPy leave the result open.
        assert np.all(got[~inside] == least)
        got, want = got[inside], want[inside]
        assert len(got) > 50
    assert np.array_equal(got, want, equal_nan=np.dtype(to).kind == "f")


def test_constants_are_rounded_to_the_dtype():
    for dtype in FLOATS:
        for value in (0.1, -0.0, 1e39, np.inf, -np.inf, np.nan, 5e-324, 2**53 + 1):
            function = MapFunction(lambda b, _, v=value, d=dtype: [Scalars(b, d).const(v)],
                                   [dtype], [dtype])  # fmt: skip
            (got,) = function(np.zeros(1))
            with np.errstate(all="ignore"):
                assert same(np.array(got), np.array(dtype(value))), (dtype, value)


def test_a_word_that_is_not_there():
    builder = ir.IRBuilder(ir.Function(ir.Module(), ir.FunctionType(ir.VoidType(), []), "f")
                           .append_basic_block("entry"))  # fmt: skip
    with pytest.raises(AttributeError, match="'sine' is not in the vocabulary"):
        _ = Scalars(builder, np.float64).sine
    with pytest.raises(TypeError, match="has no sin of int32"):
        Scalars(builder, np.int32).sin(ir.Constant(ir.IntType(32), 1))
    with pytest.raises(TypeError, match="has no type for complex128"):
        Scalars(builder, np.complex128)
