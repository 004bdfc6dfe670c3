"""Views: what is written through them, the memory layout afterwards, and views of a Variable."""

import numpy as np
import pytest

import gradtape as gt
from gradtape.core.tensor import laid_out
from gradtape.errors import DTypeError, ShapeError, StaleViewError

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


# -- views of a Variable: a write is an assignment, a read keeps its value ------------------------


def _for_rows(w):
    for row in w:
        row -= 0.25


def _unpacked(w):
    a, b = w
    a += 1.0
    b[...] = a * 2.0


def _named(w):
    v = w[0]
    v += 1.0
    v *= 2.0
    v[1] = 7.0


def _parts(w):
    for part in np.split(w, 2):
        part[...] = part * 3.0


def _columns(w):
    for column in w.T:
        column -= column[0]


def _chain(w):
    v = w.T[1:]
    u = v[:, ::-1]
    u[0] = 9.0
    v *= 2.0
    u += 1.0


THROUGH = {
    "T": lambda w: put(w.T, ..., 0.0),
    "part of part": lambda w: put(w[0], 1, 7.0),
    "named": _named,
    "for": _for_rows,
    "columns": _columns,
    "unpacked": _unpacked,
    "split": _parts,
    "chain": _chain,
    "reshape": lambda w: put(w.reshape(-1), 0, 9.0),
    "ravel": lambda w: put(w.ravel(), 4, 5.0),
    "real": lambda w: put(w.real, ..., 0.0),
    "imag": lambda w: put(w.imag, 0, 1.5) if np.iscomplexobj(w) else None,
    "squeeze": lambda w: put(np.squeeze(w), 0, 4.0),
    "fill": lambda w: w.T.fill(3.0),
    "out=": lambda w: np.sin(w[1], out=w[1]),
    "sort": lambda w: w[::-1].sort(),
    "swapaxes": lambda w: put(np.swapaxes(w, 0, 1), (0, 1), 8.0),
    "moveaxis": lambda w: np.moveaxis(w, 0, 1).__iadd__(1.0),
    "expand_dims": lambda w: put(np.expand_dims(w, 0), (0, 1), 8.0),
    "atleast_3d": lambda w: put(np.atleast_3d(w), 0, 4.0),
    "flip": lambda w: np.flip(w).__imul__(np.arange(3.0)),
    "view()": lambda w: put(w.view(), ..., 3.0),
    "[...]": lambda w: put(w[...], (1, 1), 3.0),
    "einsum": lambda w: put(np.einsum("ij->ji", w), 0, 3.0),
    "copyto": lambda w: np.copyto(w[0], w[1]),
    "add.at": lambda w: np.add.at(w[0], [0, 0], 1.0),
    "copy": lambda w: put(w[[0, 1]], ..., 0.0),
    "mask": lambda w: put(w[w > 2], ..., 0.0),
    "+= of a part": lambda w: put(w, slice(1, None), w[1:].__iadd__(2.0)),
}


@pytest.mark.parametrize("tape", [True, False])
@pytest.mark.parametrize("dtype", [np.float64, np.complex128, np.float32])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("write", THROUGH)
def test_a_write_through_a_view_of_a_variable_is_numpys(write, order, dtype, tape):
    start = np.array(C, dtype, order=order)
    n, w = start.copy(order="K"), gt.Variable(start)
    THROUGH[write](n)
    if tape:
        with gt.GradientTape() as t:
            before = np.sum(w * w)
            THROUGH[write](w)
        kept = t.gradient(before, w)
        np.testing.assert_allclose(kept.value, 2 * start)
    else:
        THROUGH[write](w)
    np.testing.assert_array_equal(gt.value(w), n)
    assert gt.value(w).strides == n.strides and gt.value(w).dtype == n.dtype


@pytest.mark.parametrize(
    "write",
    [lambda w: put(w.reshape(1), 0, 9.0), lambda w: put(w[None], 0, 9.0),
     lambda w: np.atleast_2d(w).fill(9.0)],
)  # fmt: skip
def test_a_write_through_a_view_of_a_variable_of_one_number(write):
    w = gt.Variable(2.0)
    write(w)
    assert w.shape == () and gt.value(w) == 9.0 and type(gt.value(w)) is np.float64


def test_what_is_read_of_a_variable_keeps_its_value():
    w = gt.Variable(C)
    parts = (w[0], w.T, w[1, 1:], w.reshape(-1))
    before = [p.numpy().copy() for p in parts]
    w.assign(C * 10)
    w -= 1.0
    w[0, 0] = 77.0
    w[1][0] = 55.0
    w[0].assign_add(1.0)
    for part, value in zip(parts, before, strict=True):
        np.testing.assert_array_equal(part.numpy(), value)


def test_the_view_and_its_views_show_the_write():
    w = gt.Variable(C)
    v = w[0]
    u = v[1:]
    v += 1.0
    np.testing.assert_array_equal(u.numpy(), [3, 4])
    u[0] = 8.0
    np.testing.assert_array_equal(v.numpy(), [2, 8, 4])
    np.testing.assert_array_equal(w.numpy(), [[2, 8, 4], [4, 5, 6]])


def test_a_gap_stays_a_gap_after_a_write():
    n, w = C.copy(), gt.Variable(C)
    for x in (n, w):
        v = x[:, 1:]
        v += 1.0
        v.reshape(-1)[0] = 99.0  # a copy: v has gaps
        v[0].reshape(-1)[1] = 11.0
    np.testing.assert_array_equal(w.numpy(), n)


@pytest.mark.parametrize(
    "write",
    [lambda v: v.__iadd__(1.0), lambda v: put(v, 1, 7.0), lambda v: put(v[1:], 0, 7.0),
     lambda v: np.sin(v, out=v)],
)  # fmt: skip
@pytest.mark.parametrize("change", [lambda w: w.assign(C * 2), lambda w: put(w, (0, 1), -1.0)])
def test_a_write_that_would_undo_an_assignment_raises_and_changes_nothing(write, change):
    w = gt.Variable(C, name="w")
    v = w[0]
    change(w)
    now = w.numpy().copy()
    with pytest.raises(StaleViewError, match=r"(?s)'w'.*test_views\.py:\d+.*w\[0\]\.assign_add"):
        write(v)
    np.testing.assert_array_equal(w.numpy(), now)
    np.testing.assert_array_equal(v.numpy(), C[0])
    v = w[0]
    v += 1.0  # what the message says
    np.testing.assert_array_equal(w.numpy()[0], now[0] + 1)
    mine = w[0].copy()
    mine += 1.0
    np.testing.assert_array_equal(w.numpy()[0], now[0] + 1)


def test_an_assignment_elsewhere_does_not_stop_a_write():
    w = gt.Variable([[np.nan, 1.0], [2.0, 3.0]])
    v = w[0]
    w[1] = 0.0
    v[1] = 5.0
    np.testing.assert_array_equal(w.numpy(), [[np.nan, 5], [0, 0]])


def test_read_only_views_of_a_variable_are_read_only():
    w = gt.Variable(C)
    with pytest.raises(ValueError, match=r"(?s)read-only.*copy"):
        np.broadcast_to(w, (2, 2, 3))[0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        np.broadcast_to(w, (2, 2, 3))[0][0] = 1.0
    np.testing.assert_array_equal(w.numpy(), C)


def test_values_that_are_no_numbers_of_the_variable_raise():
    w = gt.Variable(C)
    with pytest.raises(DTypeError):
        w[0][1] = 1j
    with pytest.raises(ShapeError):
        w.T[0] = [1.0, 2.0, 3.0]
    np.testing.assert_array_equal(w.numpy(), C)


def test_the_gradient_passes_through_the_view_and_not_through_the_variable():
    w, a = gt.Variable(C, name="w"), gt.Variable(2.0, name="a")
    with gt.GradientTape(persistent=True) as tape:
        v = w[0]
        v[1] = a * 3.0
        through, after = np.sum(v * v), np.sum(w * w)
    np.testing.assert_array_equal(tape.gradient(through, w).value, [[2, 0, 6], [0, 0, 0]])
    assert tape.gradient(through, a).value == 2 * 6 * 3
    now = np.array([[1, 6, 3], [4, 5, 6]])
    np.testing.assert_array_equal(tape.gradient(after, w).value, 2.0 * now)
    with pytest.warns(gt.errors.GradientWarning, match="(?s)a write through a view.*'w'"):
        assert tape.gradient(after, a) is None


def test_a_view_that_was_read_before_the_tape_is_no_read_by_it():
    w = gt.Variable(C)
    v, t = w[0], w.T
    with gt.GradientTape() as tape:
        v += 1.0
        np.sum(t)
    assert tape.watched_variables() == ()


def test_assigning_any_view():
    w = gt.Variable(C)
    assert w.T.assign(C.T * 2) is w
    w.T[0].fill(0.0)
    assert w.reshape(-1).assign_add(1.0) is w
    w.real.assign_sub(np.ones(3))
    np.testing.assert_array_equal(w.numpy(), [[0, 4, 6], [0, 10, 12]])
    with pytest.raises(ValueError, match="read-only"):
        np.broadcast_to(w, (2, 2, 3)).assign(0.0)
    with pytest.raises(ShapeError, match="a view of"):
        w.T.assign(C)


def test_rows_in_a_loop_are_written_where_they_stand():
    w = gt.Variable(np.zeros((300, 40)))
    where = gt.value(w).ctypes.data
    for row in w:
        row += 1.0
    del row
    w[3:5] -= 1.0
    assert gt.value(w).ctypes.data == where
    assert gt.value(w).sum() == 298 * 40


OPERATIONS = {
    "sin": np.sin,
    "times a number": lambda v: v * 2.0,
    "from a number": lambda v: 3.0 - v,
    "times itself": lambda v: v * v,
    "squared": lambda v: v**2,
    "its root": lambda v: v**0.5,
    "by an array": lambda v: v / np.arange(1.0, 4.0),
    "a kink": lambda v: np.maximum(v, 1.5),
}


@pytest.mark.parametrize("f", OPERATIONS.values(), ids=OPERATIONS)
def test_an_operation_reads_a_view_as_its_base_stands(f) -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0])
    x = gt.array(values)
    with gt.GradientTape() as tape:
        x = tape.watch(x)
        y = x * 1.0
        view = y[1:]
        before = f(view)
        y[1] = x[0] * 10.0
        after = f(view)
        total = np.sum(before) + np.sum(after)
    changed = np.array([10.0, 3.0, 4.0])
    np.testing.assert_allclose(gt.value(before), f(values[1:]))
    np.testing.assert_allclose(gt.value(after), f(changed))
    h = 1e-6
    slope_before, slope_after = (
        (f(v + h) - f(v - h)) / (2 * h) for v in (values[1:], changed)
    )
    expected = np.array([10 * slope_after[0], slope_before[0], *(slope_before + slope_after)[1:]])
    np.testing.assert_allclose(np.asarray(tape.gradient(total, x)), expected, rtol=1e-8)


def test_a_view_that_no_tape_follows_says_so_later() -> None:
    with gt.GradientTape() as tape:
        x = gt.array([1.0, 2.0, 3.0])
        total = np.sum(x[1:] * 2.0)
        x = tape.watch(x)
    with pytest.warns(gt.errors.GradientWarning, match="watch"):
        assert tape.gradient(total, x) is None
