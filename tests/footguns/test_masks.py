"""Masks and truth values compute as in NumPy, compiled and in batches too."""

import operator

import numpy as np
import pytest

import gradtape as gt
import gradtape.tf as tf

OPERATORS = ["add", "sub", "mul", "floordiv", "truediv", "mod", "pow"]
UFUNCS = [np.add, np.multiply, np.floor_divide, np.true_divide, np.remainder, np.fmod, np.power,
          np.float_power, np.maximum, np.left_shift]  # fmt: skip
FUNCTIONS = {**{name: getattr(operator, name) for name in OPERATORS},
             **{f"np.{ufunc.__name__}": ufunc for ufunc in UFUNCS}}  # fmt: skip
VALUES = {
    "True": True, "False": False, "1": 1, "2": 2, "np.True": np.True_, "np.False": np.False_,
    "int8": np.int8(3), "uint8": np.uint8(3), "mask": np.array([True, False, True]),
    "ints": np.array([2, 1, 3]), "int8s": np.array([1, 2, 3], np.int8), "float": 1.5,
    "float32": np.float32(1.5), "floats": np.array([0.5, 1.0, 2.0]),
}  # fmt: skip
MASK = np.array([True, False])


def told(f, *args):
    """The result, or that there is none."""
    with np.errstate(all="ignore"):
        try:
            return np.asarray(f(*args))
        except (TypeError, ZeroDivisionError):
            return None


def agree(found, expected, what):
    if expected is None:
        assert found is None or found.dtype.kind == "f", what  # a float argument: NumPy's inf
        return
    assert found is not None, what
    assert found.dtype == expected.dtype, what
    eps = np.finfo(expected.dtype).eps if expected.dtype.kind == "f" else 0
    np.testing.assert_allclose(found, expected, rtol=4 * eps, err_msg=str(what))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::gradtape.errors.TracingWarning")
@pytest.mark.parametrize("backend", ["numpy", "llvm"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_arithmetic_is_that_of_numpy(name, backend):
    """With both operands as arguments, with one captured, and with one argument twice."""
    f = FUNCTIONS[name]
    made = gt.function(lambda x, y: f(x, y), backend=backend)
    twice = gt.function(lambda x: f(x, x), backend=backend)
    for a in VALUES:
        x = VALUES[a]
        agree(told(twice, x), told(f, x, x), a)
        for b in VALUES:
            y = VALUES[b]
            expected = told(f, x, y)
            agree(told(made, x, y), expected, (a, b))
    for y in (True, np.True_, 2, VALUES["mask"]):
        for a in ("mask", "int8s", "np.True", "True"):
            x = VALUES[a]
            agree(told(gt.function(lambda x, y=y: f(x, y), backend=backend), x), told(f, x, y), a)
            agree(told(gt.function(lambda x, y=y: f(y, x), backend=backend), x), told(f, y, x), a)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_tensors_of_numbers_count_as_numpys_scalars(name):
    f = FUNCTIONS[name]
    for x in VALUES.values():
        expected = told(f, np.asarray(x)[()], np.asarray(x)[()])
        agree(told(lambda x: f(gt.array(x), gt.array(x)), x), expected, x)
        agree(told(gt.function(lambda x: f(gt.array(x), gt.array(x))), x), expected, x)


@pytest.mark.parametrize("way", [lambda f: f, gt.function], ids=["eager", "compiled"])
def test_masks_in_batches(way):
    x = np.array([1.0, 2.0])
    np.testing.assert_array_equal(way(gt.vmap(lambda m: ~m))(MASK), ~MASK)
    found = way(gt.vmap(gt.vmap(lambda m: m ^ True)))(MASK[None])
    np.testing.assert_array_equal(found, ~MASK[None])
    chosen = gt.vmap(gt.grad(lambda x, m: np.where(m, x * x, 3.0 * x)))
    np.testing.assert_array_equal(way(chosen)(x, MASK), [2.0, 3.0])
    total = gt.grad(lambda x, m: np.sum(gt.vmap(lambda x, m: np.where(m, x * x, 3.0 * x))(x, m)))
    np.testing.assert_array_equal(way(total)(x, gt.array(MASK)), [2.0, 3.0])


def test_what_is_written_into_a_batch_of_masks_is_not_written_outside():
    mask = gt.array(np.array([[True, False], [False, False]]))

    def f(m):
        m |= True
        return m

    with gt.GradientTape():
        assert np.all(gt.vmap(f)(mask))
    assert np.sum(mask) == 1


@pytest.mark.parametrize("way", [lambda f: f, gt.function], ids=["eager", "compiled"])
@pytest.mark.parametrize("ufunc", [np.maximum, np.minimum, np.fmax, np.logical_or])
def test_one_truth_value_accumulates(ufunc, way):
    found = np.asarray(way(lambda x: ufunc.accumulate(x))(gt.array(MASK[:1])))
    np.testing.assert_array_equal(found, ufunc.accumulate(MASK[:1]), strict=True)


def test_the_diagonal_of_masks_in_the_dialect():
    found = tf.linalg.diag_part(tf.constant([[True, False], [True, False]]))
    np.testing.assert_array_equal(found.numpy(), MASK)
