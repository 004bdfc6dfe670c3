"""What NumPy copies is a copy and what it views is a view, where there is no memory to look at."""

import numpy as np
import pytest

import gradtape as gt

X = np.arange(12.0).reshape(3, 4) + 1.0

TAKEN = {
    "number": lambda x: x[0, 0],
    "row": lambda x: x[0],
    "reversed": lambda x: x[::-1],
    "reshape": lambda x: x.reshape(-1),
    "reshape of a transpose": lambda x: x.T.reshape(-1),
    "reshape of a transpose of a transpose": lambda x: x.T.T.reshape(-1),
    "reshape of a slice": lambda x: x[:, 1:].reshape(-1),
    "reshape of rows": lambda x: x[1:].reshape(-1),
    "reshape of reversed rows": lambda x: x[::-1].reshape(-1),
    "reshape in Fortran's order": lambda x: x.reshape(-1, order="F"),
    "reshape of a transpose in Fortran's order": lambda x: x.T.reshape(-1, order="F"),
    "ravel": lambda x: x.ravel(),
    "ravel of a column": lambda x: x[:, 1].ravel(),
    "one column": lambda x: x[:, :1].reshape(-1),
    "einsum of one": lambda x: np.einsum("ij->j", x),
    "einsum of two": lambda x: np.einsum("ij,ij->i", x, x),
    "einsum that transposes": lambda x: np.einsum("ij->ji", x),
    "einsum of a diagonal": lambda x: np.einsum("ii->i", x[:, :3]),
}
BASES = {
    "own": lambda x: x * 1.0,
    "transposed": lambda x: (x * 1.0).reshape(4, 3).T,
    "every second": lambda x: np.stack([x, x], axis=-1)[..., 0],
}


def write_base(x, y):
    x[0] = 100.0
    x += 10.0


def write_taken(x, y):
    if np.ndim(y):
        y[...] = 7.0


def first(found):
    return [part[0] for part in found]


WAYS = {
    "eager": lambda f: f(gt.array(X)),
    "compiled": lambda f: gt.function(f, backend="numpy")(X),
    "jvp": lambda f: gt.jvp(f, (X,), (X,))[0],
    "vmap": lambda f: first(gt.vmap(f)(np.stack([X, X]))),
    "compiled vmap": lambda f: first(gt.function(gt.vmap(f), backend="numpy")(np.stack([X, X]))),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("write", [write_base, write_taken])
@pytest.mark.parametrize("taken", TAKEN)
def test_a_write_is_seen_where_numpy_sees_it(taken, write, base, way):
    def f(x):
        x = BASES[base](x)
        y = TAKEN[taken](x)
        write(x, y)
        return x * 1.0, y * 1.0

    for found, expected in zip(WAYS[way](f), f(X), strict=True):
        np.testing.assert_array_equal(gt.value(found), expected)


def test_two_numbers_change_places():
    @gt.function
    def swapped(x):
        x = x * 1.0
        first = x[0]
        x[0] = x[1]
        x[1] = first
        return x

    assert swapped(np.array([1.0, 2.0, 3.0])).tolist() == [2.0, 1.0, 3.0]
    assert gt.grad(lambda x: swapped(x)[0] * 5.0)(np.array([1.0, 2.0, 3.0])).tolist() == [0, 5, 0]


def test_a_sum_of_einsum_keeps_its_value():
    @gt.function
    def f(x):
        x = x * 1.0
        total = np.einsum("ij->", x)
        x += 1.0
        return total

    assert float(f(X)) == X.sum()
