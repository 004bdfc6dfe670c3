"""A Python float beside an array: the short way gives what NumPy gives, to the last bit."""

import operator
import warnings

import numpy as np
import pytest

import gradtape as gt
from gradtape.core import numbers

OPERATIONS = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "truediv": operator.truediv,
    "pow": operator.pow, "mod": operator.mod, "maximum": np.maximum, "arctan2": np.arctan2,
}  # fmt: skip
NUMBERS = [0.0, -0.0, 1.0, 0.1, -2.5, 1e-300, 1e38, float("inf"), float("nan")]


REAL_ONLY = ("mod", "arctan2", "maximum")
CASES = [
    (name, dtype)
    for name in OPERATIONS
    for dtype in (np.float16, np.float32, np.float64, np.complex64)
    if not (dtype is np.complex64 and name in REAL_ONLY)
]


@pytest.mark.parametrize("number", NUMBERS, ids=repr)
@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_value_dtype_and_sign_of_zero_are_numpys(name, number, dtype):
    f = OPERATIONS[name]
    x = np.array([-1.5, -0.0, 0.0, 2.0, 3e-5], dtype)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        want = f(x, number)
        for _ in range(2):  # made, then found in the table
            with gt.GradientTape() as tape:
                got = f(tape.watch(x), number)
            assert got.dtype == want.dtype
            np.testing.assert_array_equal(got.read(), want)
            np.testing.assert_array_equal(np.signbit(got.read().real), np.signbit(want.real))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradients_of_products_and_sums_with_a_number(dtype):
    x = np.array([-1.5, 0.0, 2.0], dtype)
    with gt.GradientTape(persistent=True) as tape:
        v = tape.watch(x)
        y = (v * 0.1 + 2.0 - 1.0) / 4.0
        z = (v[0] * 0.1 + v[1] * -0.0) * 3.0
    for target, want in ((y, np.full(3, 0.1) / 4), (z, np.array([0.3, -0.0, 0.0]))):
        gradient = tape.gradient(target, v)
        assert gradient.dtype == dtype
        np.testing.assert_allclose(gradient.read(), want, rtol=2 * np.finfo(dtype).eps)


def test_a_number_too_large_for_float32_warns_as_in_numpy():
    x = np.ones(3, np.float32)
    with pytest.warns(RuntimeWarning, match="overflow"):
        x * 1e300
    with gt.GradientTape() as tape, pytest.warns(RuntimeWarning, match="overflow"):
        tape.watch(x) * 1e300


def test_the_tables_are_bounded_and_their_arrays_cannot_be_written():
    x = np.ones(3)
    with gt.GradientTape() as tape:
        v = tape.watch(x)
        for i in range(3000):
            v * (i + 0.5)
    assert len(numbers.doubles) <= 1024
    assert not any(array.flags.writeable for array in numbers.doubles.values())
    numbers.number(0.0, numbers.DOUBLE)
    assert 0.0 not in numbers.doubles
