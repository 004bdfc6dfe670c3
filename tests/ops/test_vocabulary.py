"""Elementwise functions that NumPy has no name for."""

import numpy as np
import pytest

import gradtape as gt
from gradtape.core.registry import HOOKS
from gradtape.core.tensor import raw
from gradtape.testing import op_case


def named(name):
    """The operation of a card that no NumPy function stands for."""
    operation = HOOKS[f"op:{name}"]

    def function(*operands):
        return operation(*operands)

    return function


CASES = [
    op_case(named("sigmoid"), nin=1, name="sigmoid", complex=True),
    op_case(named("rsqrt"), nin=1, name="rsqrt", domain=(0.2, 3.0)),
    op_case(named("relu"), nin=1, name="relu"),
    op_case(named("relu6"), nin=1, name="relu6", domain=(-3, 9)),
    op_case(
        named("multiply_no_nan"),
        nin=2,
        name="multiply_no_nan",
        calls=[((3,), (3,)), ((2, 1), (3,)), ((), (2,)), ((0,), (0,))],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_op(case):
    case.check()


@pytest.mark.parametrize("x", [-800.0, -3.0, 0.0, 2.0, 800.0])
def test_sigmoid_is_exact_far_out(x):
    with np.errstate(over="ignore"):
        found = raw(HOOKS["op:sigmoid"](x))
    # 1 / (1 + e^-x) = e^x / (1 + e^x), of which one form is exact on each side
    expected = np.exp(x) / (1 + np.exp(x)) if x < 0 else 1 / (1 + np.exp(-x))
    np.testing.assert_allclose(found, expected, rtol=1e-15)


def test_multiply_no_nan_is_zero_where_the_second_is():
    x, y = np.array([np.inf, np.nan, 2.0]), np.array([0.0, 0.0, 3.0])
    with np.errstate(invalid="ignore"):
        assert raw(HOOKS["op:multiply_no_nan"](x, y)).tolist() == [0.0, 0.0, 6.0]


def test_the_kinks_of_relu_and_relu6_have_derivative_zero():
    for name, x in (("relu", [-1.0, 0.0, 2.0]), ("relu6", [0.0, 3.0, 6.0])):
        slope = gt.grad(lambda x, name=name: np.sum(HOOKS[f"op:{name}"](x)))(np.array(x))
        assert slope.tolist() == ([0.0, 0.0, 1.0] if name == "relu" else [0.0, 1.0, 0.0])


def test_what_multiply_no_nan_multiplies_by_zero_has_no_say_in_the_gradient():
    x, y = np.array([0.0, 4.0]), np.array([0.0, 3.0])
    with np.errstate(all="ignore"):
        found = gt.grad(lambda x: np.sum(HOOKS["op:multiply_no_nan"](x * np.log(x), y)))(x)
        missing = gt.grad(
            lambda x: np.sum(HOOKS["op:multiply_no_nan"]((x * [np.nan, 1.0]) ** 2, y))
        )(x)
    np.testing.assert_allclose(found, [0.0, 3 * (np.log(4.0) + 1)])
    assert missing.tolist() == [0.0, 24.0]
