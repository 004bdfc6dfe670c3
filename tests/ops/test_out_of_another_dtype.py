"""`out=` of a dtype that does not hold the result: NumPy's answer, or its refusal in our words."""

import numpy as np
import pytest

import gradtape as gt
from gradtape.errors import DTypeError, GradientWarning

A = np.array([[1.5, 2.7], [3.2, 4.9]])


def ints(*shape):
    return np.zeros(shape, int)


# What NumPy computes in floats and then casts, whatever the dtype of `out`.
CAST = {
    "sum": lambda x: np.sum(x, out=ints()),
    "sum of rows": lambda x: np.sum(x, axis=0, out=ints(2)),
    "prod": lambda x: np.prod(x, axis=0, out=ints(2)),
    "max": lambda x: np.max(x, axis=0, out=ints(2)),
    "min": lambda x: np.min(x, axis=0, out=ints(2)),
    "mean": lambda x: np.mean(x, axis=0, out=ints(2)),
    "var": lambda x: np.var(x, axis=0, out=ints(2)),
    "median": lambda x: np.median(x, axis=0, out=ints(2)),
    "nansum": lambda x: np.nansum(x, axis=0, out=ints(2)),
    "nanprod": lambda x: np.nanprod(x, axis=0, out=ints(2)),
    "nanmax": lambda x: np.nanmax(x, axis=0, out=ints(2)),
    "nanmin": lambda x: np.nanmin(x, axis=0, out=ints(2)),
    "nanmedian": lambda x: np.nanmedian(x, axis=0, out=ints(2)),
    "nanquantile": lambda x: np.nanquantile(x, 0.3, axis=0, out=ints(2)),
    "cumsum": lambda x: np.cumsum(x, axis=0, out=ints(2, 2)),
    "cumprod": lambda x: np.cumprod(x, axis=0, out=ints(2, 2)),
    "nancumsum": lambda x: np.nancumsum(x, axis=0, out=ints(2, 2)),
    "trace": lambda x: np.trace(x, out=ints()),
    "take": lambda x: np.take(x, [0], axis=0, out=ints(1, 2)),
    "compress": lambda x: np.compress([1, 0], x, axis=0, out=ints(1, 2)),
    "choose": lambda x: np.choose([0, 1], [x[0], x[1]], out=ints(2)),
    "add.reduce": lambda x: np.add.reduce(x, axis=0, out=ints(2)),
    "add.accumulate": lambda x: np.add.accumulate(x, axis=0, out=ints(2, 2)),
    "add.reduceat": lambda x: np.add.reduceat(x[0], [0, 1], out=ints(2)),
    "maximum.reduce": lambda x: np.maximum.reduce(x, axis=0, out=ints(2)),
    "method sum": lambda x: x.sum(axis=0, out=ints(2)),
    "method mean": lambda x: x.mean(axis=0, out=ints(2)),
    "method cumsum": lambda x: x.cumsum(axis=0, out=ints(2, 2)),
    "method take": lambda x: x.take([0], axis=0, out=ints(1, 2)),
}

REFUSED = {
    "add": lambda x: np.add(x, 1, out=ints(2, 2)),
    "std": lambda x: np.std(x, axis=0, out=ints(2)),
    "nanstd": lambda x: np.nanstd(x, axis=0, out=ints(2)),
    "quantile": lambda x: np.quantile(x, 0.3, axis=0, out=ints(2)),
    "matmul": lambda x: np.matmul(x, x, out=ints(2, 2)),
    "einsum": lambda x: np.einsum("ij->i", x, out=ints(2)),
    "concatenate": lambda x: np.concatenate([x, x], out=ints(4, 2)),
    "stack": lambda x: np.stack([x, x], out=ints(2, 2, 2)),
    "clip": lambda x: np.clip(x, 0, 2, out=ints(2, 2)),
    "outer": lambda x: np.outer(x[0], x[1], out=ints(2, 2)),
}


@pytest.mark.filterwarnings("ignore:Implicit casting of output:DeprecationWarning")  # NumPy 2.5
@pytest.mark.parametrize("name", CAST)
def test_what_numpy_casts_is_cast(name):
    expected = CAST[name](A)
    x = gt.Variable(A, name="x")
    with gt.GradientTape() as tape:
        found = CAST[name](x)
        loss = np.sum(found * 2.0)
    assert isinstance(found, gt.Tensor) and found.dtype == expected.dtype == int
    assert np.array_equal(gt.value(found), expected)
    with pytest.warns(GradientWarning, match="no path from Variable 'x'"):
        assert tape.gradient(loss, x) is None


@pytest.mark.parametrize("name", REFUSED)
def test_what_numpy_refuses_is_refused(name):
    with pytest.raises(TypeError):
        REFUSED[name](A)
    x = gt.Variable(A, name="x")
    with gt.GradientTape(), pytest.raises(DTypeError, match="float64") as told:
        REFUSED[name](x)
    assert str(told.value).count("\n") == 2
    assert "Give out= an array of float64" in str(told.value)


def test_the_array_itself_gets_the_numbers():
    held = ints(2)
    with gt.GradientTape():
        np.sum(gt.Variable(A), axis=0, out=held)
    assert held.tolist() == np.sum(A, axis=0, out=ints(2)).tolist()


def test_complex_numbers_lose_their_imaginary_part_with_numpys_warning_once():
    z, held = gt.Variable(A + 1j), np.zeros(2)
    with pytest.warns(np.exceptions.ComplexWarning) as told:
        np.sum(z, axis=0, out=held)
    assert len(told) == 1
    assert held.tolist() == A.sum(axis=0).tolist()
