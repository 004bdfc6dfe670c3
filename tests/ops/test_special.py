"""Special functions: the error functions, and the gamma function's family."""

import math

import mpmath
import numpy as np
import pytest

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
    op_case(named("erf"), nin=1, name="erf"),
    op_case(named("erfc"), nin=1, name="erfc"),
    op_case(named("digamma"), nin=1, name="digamma", domain=(0.3, 4.0)),
    op_case(named("lgamma"), nin=1, name="lgamma", domain=(0.3, 4.0)),
    op_case(
        lambda x: HOOKS["op:polygamma"](2, x), nin=1, name="polygamma", domain=(0.3, 4.0)
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_op(case):
    case.check()


@pytest.mark.parametrize("n", [1, 2, 3, 5])
@pytest.mark.parametrize("x", [-3.3, -0.75, -0.01, 0.02, 0.5, 1.0, 7.5, 120.0])
def test_polygamma_agrees_with_many_digits(n, x):
    found = float(raw(HOOKS["op:polygamma"](n, np.float64(x))))
    assert math.isclose(found, float(mpmath.polygamma(n, x)), rel_tol=1e-11)


def test_polygamma_has_no_value_at_the_poles():
    with np.errstate(all="ignore"):
        found = raw(HOOKS["op:polygamma"](1, np.array([-1.0, -2.0])))
    assert np.isnan(found).all()


@pytest.mark.parametrize("name", ["erf", "erfc"])
@pytest.mark.parametrize("x", [-4.0, -0.3, 0.0, 1e-9, 0.7, 5.0])
def test_error_functions_agree_with_many_digits(name, x):
    found = float(raw(HOOKS[f"op:{name}"](np.float64(x))))
    assert math.isclose(found, float(getattr(mpmath, name)(x)), rel_tol=1e-15, abs_tol=1e-300)
