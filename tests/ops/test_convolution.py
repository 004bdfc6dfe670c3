"""`convolve` and `correlate` in every mode, longer and shorter second operands, complex ones."""

from __future__ import annotations

import numpy as np
import pytest

import gradtape as gt
from gradtape.testing import op_case

PAIRS = [((5,), (2,)), ((5,), (3,)), ((2,), (5,)), ((4,), (7,)), ((3,), (3,)), ((1,), (1,))]
MODES = [{}, *({"mode": mode} for mode in ("full", "same", "valid"))]
CASES = [
    op_case(np.convolve, nin=2, calls=PAIRS, kwargs=MODES, complex=True),
    op_case(np.convolve, nin=2, calls=[((), (3,)), ((3,), ())]),
    op_case(np.correlate, nin=2, calls=PAIRS, kwargs=MODES, complex=True),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_op(case):
    case.check()


@pytest.mark.parametrize(
    ("function", "expected"), [(np.convolve, [2, 3, 3, 3, 1]), (np.correlate, [1, 3, 3, 3, 2])]
)
def test_the_gradient_of_one_vector_needs_and_keeps_only_the_other(function, expected):
    v = np.array([1.0, 2.0])
    with gt.GradientTape() as tape:
        a = tape.watch(np.linspace(0, 1, 5))
        y = function(a, v, "valid")
        kept = tape._recorder.ops[-1][9]
    assert not isinstance(kept[0], np.ndarray)
    np.testing.assert_array_equal(kept[1], v)
    np.testing.assert_allclose(tape.gradient(y, a).value, expected)


def test_a_polynomial_product_differentiates_to_the_other_factor():
    with gt.GradientTape() as tape:
        p = tape.watch(np.array([1.0, -2.0, 3.0]))
        constant = np.convolve(p, [4.0, 5.0])[-1]
    np.testing.assert_allclose(tape.gradient(constant, p).value, [0, 0, 5])


@pytest.mark.parametrize("function", [np.convolve, np.correlate])
def test_bad_operands_and_modes_are_refused(function):
    x = gt.array([1.0, 2.0])
    with pytest.raises(ValueError, match="mode is 'middle'"):
        function(x, x, "middle")
    with pytest.raises(gt.errors.ShapeError, match=r"shape \(2, 1\)"):
        function(np.reshape(x, (2, 1)), x)
    with pytest.raises(gt.errors.ShapeError, match=r"shape \(0,\)"):
        function(x, np.zeros(0))
