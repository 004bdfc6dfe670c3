"""Views: what is written through them, the memory layout afterwards, and views of a Variable."""

import numpy as np
import pytest

import gradtape as gt
from gradtape.core.tensor import laid_out

C = np.arange(1.0, 7.0).reshape(2, 3)

LAYOUTS = {
    "C": lambda a: a * 1.0,
    "F": lambda a: np.asfortranarray(a.T.copy().T) if type(a) is np.ndarray else a.T.copy().T,
    "gaps": lambda a: np.concatenate([a, a], axis=1)[:, :3],
    "backwards": lambda a: np.flip(a * 1.0),
    "turned": lambda a: (a * 1.0)[:, ::-1].T,
}
VIEWS = {
    "x": lambda x: x,
    "T": lambda x: x.T,
    "part": lambda x: x[:, 1:],
    "flip": lambda x: x[::-1],
    "part of T": lambda x: x.T[1:],
}
WRITES = {
    "v[...] =": lambda v: v.__setitem__(..., v * v),
    "[0] =": lambda v: put(v, 0, 5.0),
    "+=": lambda v: v.__iadd__(0.5),
    "*= F": lambda v: v.__imul__(np.asfortranarray(np.full(v.shape, 1.5))),
    "out=": lambda v: np.sin(v, out=v),
    "out= of F": lambda v: (
        np.multiply(np.asfortranarray(np.full(v.shape, 1.5)), 2.0, out=v)
        if type(v) is np.ndarray
        else np.multiply(gt.array(np.asfortranarray(np.full(v.shape, 1.5))), 2.0, out=v)
    ),
    "sort": lambda v: v.sort(axis=0),
    "copyto": lambda v: np.copyto(v, np.asfortranarray(np.full(v.shape, 4.0))),
}
FLATTEN = {
    "np.ravel": np.ravel,
    "reshape": lambda v: v.reshape(-1),
    "reshape F": lambda v: np.reshape(v, -1, order="F"),
    "ravel K": lambda v: v.ravel("K"),
}


def put(v, index, value):
    v[index] = value


def changed(x, layout, view, write, flatten):
    """Write through a view, then through a flat one: both arrays and what is flat, plain."""
    y = LAYOUTS[layout](x)
    v = VIEWS[view](y)
    if write == "v[...] =":
        v[...] = v * v
    else:
        WRITES[write](v)
    flat = FLATTEN[flatten](v)
    flat[1] = 99.0
    whole = FLATTEN[flatten](y)
    whole[2] = 77.0
    return [np.array(gt.value(a)) for a in (y, v, flat, whole)]


@pytest.mark.parametrize("flatten", FLATTEN)
@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_written_array_keeps_its_layout(layout, view, write, flatten):
    expected = changed(C.copy(), layout, view, write, flatten)
    plain = changed(gt.array(C), layout, view, write, flatten)
    x = gt.array(C)
    with gt.GradientTape() as tape:
        tape.watch(x)
        taped = changed(x, layout, view, write, flatten)
    for ours in (plain, taped):
        for a, b in zip(ours, expected, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_strides_stay(layout, write):
    n, x = LAYOUTS[layout](C.copy()), LAYOUTS[layout](gt.array(C))
    for _ in range(2):
        for a in (n, x):
            if write == "v[...] =":
                a[...] = a * a
            else:
                WRITES[write](a)
        assert gt.value(x).strides == n.strides


def test_assigning_keeps_the_layout_of_a_variable():
    for order in "CF":
        w = gt.Variable(np.array(C, order=order))
        for value in (np.asfortranarray(C), C, 1.0):
            held = w.numpy()  # so that assign_add cannot write in place
            w.assign(value)
            assert gt.value(w).strides == held.strides
            held = w.numpy()
            w.assign_add(np.asfortranarray(C))
            assert gt.value(w).strides == held.strides


def test_the_gradient_through_a_write_that_was_laid_out_anew():
    x = gt.array(C)
    with gt.GradientTape() as tape:
        tape.watch(x)
        y = x * 1.0
        v = y.T
        v[...] = v * v
        flat = np.ravel(y)
        flat[0] = 9.0
        loss = np.sum(y * C)
    expected = 2 * C * C
    expected[0, 0] = 0
    np.testing.assert_allclose(tape.gradient(loss, x).value, expected, rtol=1e-15)


def test_what_overlaps_gets_memory_in_which_each_element_is_its_own():
    once = np.lib.stride_tricks.sliding_window_view(np.arange(4.0), 2)
    np.testing.assert_array_equal(laid_out(C[:, :2][[0, 1, 0]], once), C[:, :2][[0, 1, 0]])
    twice = np.broadcast_to(np.arange(3.0), (2, 3))
    np.testing.assert_array_equal(laid_out(np.asfortranarray(C), twice), C)
