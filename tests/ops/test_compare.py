"""Functions that change in jumps: NumPy's values, no gradient, and a reason that names them."""

import operator

import numpy as np
import pytest

import gradtape as gt
from gradtape.core.tensor import Tensor
from gradtape.errors import GradientWarning

X = np.array([1.25, -2.5, 0.0, 3.0])
Y = np.array([1.25, 2.0, -1.0, 4.0])
LEFT, RIGHT = np.array([6, 5, -4, 12]), np.array([3, 1, 2, 8])

FLOATS = [
    (np.equal, (X, Y)), (np.not_equal, (X, Y)), (np.less, (X, Y)), (np.less_equal, (X, Y)),
    (np.greater, (X, Y)), (np.greater_equal, (X, Y)), (np.isfinite, (X,)), (np.isnan, (X,)),
    (np.isinf, (X,)), (np.signbit, (X,)), (np.logical_and, (X, Y)), (np.logical_or, (X, Y)),
    (np.logical_xor, (X, Y)), (np.logical_not, (X,)), (np.all, (X,)), (np.any, (X,)),
    (np.isclose, (X, Y)), (np.isposinf, (X,)), (np.isneginf, (X,)), (np.isreal, (X,)),
    (np.iscomplex, (X,)), (np.floor, (X,)), (np.ceil, (X,)), (np.trunc, (X,)), (np.rint, (X,)),
    (np.fix, (X,)), (np.round, (X,)), (np.around, (X,)), (np.floor_divide, (X, Y)),
    (np.nextafter, (X, Y)), (np.spacing, (X,)),
]  # fmt: skip
INTEGERS = [
    *((function, (LEFT, RIGHT)) for function in (
        np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.left_shift, np.right_shift, np.gcd, np.lcm
    )),
    (np.invert, (LEFT,)), (np.bitwise_count, (LEFT,)),
]  # fmt: skip
NONDIFFERENTIABLE = FLOATS + INTEGERS
GOING = pytest.mark.filterwarnings("ignore:numpy.fix is deprecated")  # since NumPy 2.5


def name(value):
    return getattr(value, "__name__", "")


@GOING
@pytest.mark.parametrize(("function", "args"), NONDIFFERENTIABLE, ids=name)
def test_value_is_numpys(function, args):
    expected = function(*args)
    result = function(gt.array(args[0]), *args[1:])
    assert isinstance(result, Tensor) and result.dtype == expected.dtype
    np.testing.assert_array_equal(result.numpy(), expected)
    if len(args) == 2:
        np.testing.assert_array_equal(function(args[0], gt.array(args[1])).numpy(), expected)


@GOING
@pytest.mark.parametrize(("function", "args"), FLOATS, ids=name)
def test_there_is_no_gradient_and_a_reason(function, args):
    x = gt.array(args[0])
    with gt.GradientTape() as tape:
        x = tape.watch(x)
        y = function(x, *args[1:])
        z = y * 2.0
    assert y.key == 0 and y.why[0] == "nondifferentiable" and y.why[4] == function.__name__
    assert z.key == 0 and z.why is y.why
    with pytest.warns(GradientWarning, match=f"{function.__name__} has no derivative"):
        assert tape.gradient(z, x) is None


def test_isnat_knows_times():
    times = np.array(["2020-01-01", "NaT"], "datetime64[D]")
    out = gt.array([True, True])
    assert np.isnat(times, out=out) is out
    assert out.numpy().tolist() == [False, True]


@pytest.mark.parametrize("name", ["lt", "le", "gt", "ge", "eq", "ne"])
def test_operators(name):
    compare = getattr(operator, name)
    for y in (Y, 1.25, gt.array(Y)):
        found = compare(gt.array(X), y)
        np.testing.assert_array_equal(found.numpy(), compare(X, np.asarray(y)))
    np.testing.assert_array_equal(compare(1.0, gt.array(X)).numpy(), compare(1.0, X))


def test_integer_operators():
    def results(i, j):
        return [i & j, i | 3, 3 ^ i, ~i, i << j, i >> 1, i // j, i % j, 7 // j, divmod(i, j)[0]]

    pairs = zip(results(gt.array(LEFT), gt.array(RIGHT)), results(LEFT, RIGHT), strict=True)
    for found, expected in pairs:
        np.testing.assert_array_equal(found.numpy(), expected)


def test_decimals_where_out_and_axis():
    x = gt.array([1.234, -5.678])
    assert np.round(x, 2).numpy().tolist() == [1.23, -5.68]
    assert np.around(x, decimals=1).numpy().tolist() == [1.2, -5.7]
    out = np.full(2, 9.0)
    np.floor(x, where=[True, False], out=out)
    assert out.tolist() == [1, 9]
    assert np.all(gt.array([[True, False]]), axis=0).numpy().tolist() == [True, False]
    ints = np.zeros(2, np.int8)
    np.floor(x, out=ints, casting="unsafe")
    assert ints.tolist() == [1, -6]


def test_writing_a_step_into_a_tensor_leaves_what_the_tape_keeps():
    x = gt.array([1.5, 2.5])
    with gt.GradientTape() as tape:
        x = tape.watch(x)
        buffer = x * 1.0
        y = buffer * buffer
        np.floor(x, out=buffer)
    assert buffer.numpy().tolist() == [1, 2]
    assert tape.gradient(y, x).numpy().tolist() == [3, 5]
