"""Shapes and places: against NumPy and by op_case; views; writes in place."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gradtape as gt
from gradtape.testing import op_case
from tests.ops.untraced import MEMORY, SHAPE, untraced
from tests.ops.versions import older

NUMPY = np.lib.NumpyVersion(np.__version__)
windows = np.lib.stride_tricks.sliding_window_view
CASES = [
    op_case(np.reshape, complex=True, kwargs=[{}, {"order": "F"}],
            calls=[((2, 3), [3, 2]), ((2, 3), -1), ((), [1, 1]), ((4,), [2, -1]), ((0, 2), [2, 0]),
                   ((1,), [])]),
    op_case(np.ravel, complex=True, kwargs=[{}, {"order": "F"}]),
    op_case(lambda x: np.ravel(np.transpose(x, (2, 0, 1)), "K"), name="ravel in order K",
            calls=[(2, 3, 2)], skip={"strides": "the order that is read is that of the memory"}),
    op_case(np.transpose, complex=True, kwargs=[{}]),
    op_case(np.transpose, name="transpose axes",
            calls=[((2, 3, 1), [1, 0, 2]), ((2, 3, 1), [-1, 0, 1])]),
    op_case(np.permute_dims, calls=[((2, 3), [1, 0])]),
    op_case(np.matrix_transpose, calls=[(2, 3), (2, 1, 3), (0, 2)]),
    op_case(np.linalg.matrix_transpose, calls=[(2, 1, 3)]),
    op_case(np.swapaxes, calls=[((2, 3, 1), 0, -1), ((2, 2), 1, 1)]),
    op_case(np.moveaxis, calls=[((2, 3, 1), 0, -1), ((2, 3, 1), [0, 1], [-1, 0])]),
    op_case(np.rollaxis, calls=[((2, 3, 1), 2), ((2, 3, 1), 0, 3), ((2, 3, 1), -1, -2),
                                ((2, 3, 1), 0, 2), ((2, 3, 1), 1, 1)]),
    op_case(np.squeeze, calls=[(2, 1, 3), (1, 1), (3,), ((1, 2, 1), 0)], complex=True),
    op_case(np.squeeze, name="squeeze axes", calls=[(1, 2, 1)],
            kwargs=[{"axis": (0, 2)}, {"axis": -1}]),
    op_case(np.expand_dims, calls=[((2, 3), 0), ((2, 3), -1), ((), 0)], complex=True),
    op_case(np.expand_dims, name="expand_dims axes", calls=[(2, 3)], kwargs=[{"axis": (0, -1)}]),
    op_case(np.atleast_1d), op_case(np.atleast_2d), op_case(np.atleast_3d, complex=True),
    op_case(np.atleast_2d, name="atleast_2d of two", nin=2, calls=[((), (3,))]),
    op_case(np.broadcast_to, complex=True,
            calls=[((), [2, 3]), ((3,), [2, 3]), ((2, 1), [2, 3]), ((3,), [0, 3]), ((3,), 3),
                   ((2, 1, 2), [3, 2, 2, 2])]),
    op_case(np.broadcast_arrays, nin=2, calls=[((), ()), ((3,), (2, 1)), ((2, 3), (3,))]),
    op_case(np.copy, complex=True, kwargs=[{}, {"order": "F"}]),
    op_case(np.meshgrid, name="meshgrid", nin=3,
            calls=[((2,), (3,)), ((2,), (3,), (2,)), ((2,), ())],
            kwargs=[{}, {"sparse": True}, {"copy": False}, {"indexing": "ij"},
                    {"indexing": "ij", "sparse": True}]),
    op_case(np.meshgrid, name="meshgrid one", calls=[(3,)]),
    op_case(windows, complex=True, calls=[((5,), 3), ((3, 4), [2, 2])]),
    op_case(windows, name="windows axis", calls=[(3, 4)],
            kwargs=[{"window_shape": 2, "axis": 1}, {"window_shape": (2, 2), "axis": (0, 0)},
                    {"window_shape": (1, 3), "axis": (-1, 0)}]),
    # ------------------------------------------------------------ rearrange.py
    op_case(np.roll, complex=True, kwargs=[{"shift": 1}, {"shift": -2}, {"shift": 7}]),
    op_case(np.roll, name="roll axes", calls=[(2, 3)],
            kwargs=[{"shift": 1, "axis": 1}, {"shift": (1, 2), "axis": (0, 1)},
                    {"shift": 1, "axis": (0, -1)}, {"shift": (1, 1), "axis": 1}]),
    op_case(np.flip, complex=True),
    op_case(np.flip, name="flip axes", calls=[(2, 3, 2)],
            kwargs=[{"axis": 0}, {"axis": (0, -1)}, {"axis": ()}]),
    op_case(np.fliplr, calls=[(2, 3)]), op_case(np.flipud, calls=[(3,), (2, 3)]),
    op_case(np.rot90, calls=[(2, 3), (2, 3, 2)],
            kwargs=[{}, {"k": 2}, {"k": 3}, {"k": -1}, {"k": 4}, {"axes": (1, 0)}]),
    op_case(np.rot90, name="rot90 axes", calls=[(2, 3, 2)],
            kwargs=[{"axes": (0, 2)}, {"axes": (-1, 1)}]),
    op_case(np.tile, complex=True,
            calls=[((), 3), ((3,), 2), ((3,), [2, 2]), ((2, 3), [2, 1]), ((2, 3), 1),
                   ((2, 1), [0, 2]), ((2, 2), [3, 1, 2])]),
    op_case(np.repeat, complex=True,
            calls=[((), 3), ((3,), 2), ((2, 3), 2), ((3,), [1, 0, 2]), ((2, 3), 2, 1),
                   ((2, 3), [0, 3], 0), ((2, 3), [2], -1), ((2, 3), 0, 1), ((2, 3), [0, 3, 1], 1),
                   ((2, 1, 3), 2, 0)]),
    op_case(np.resize, calls=[((2, 3), [2, 2]), ((3,), [1]), ((3,), [2, 4]), ((3,), 7),
                              ((2,), [0]), ((), 2)]),
    op_case(np.diag, complex=True,
            calls=[((3,), 0), ((3,), 1), ((2,), -2), ((3, 2), 0), ((2, 3), 1), ((3, 3), -1),
                   ((2, 2), 5), ((0,), 0)]),
    op_case(np.diagflat, calls=[((2, 2), 0), ((3,), -1), ((), 1)]),
    op_case(np.diagonal, complex=True, calls=[(3, 3), (2, 3), (2, 3, 2)],
            kwargs=[{}, {"offset": 1}, {"offset": -1, "axis1": 1, "axis2": 0}]),
    op_case(np.diagonal, name="diagonal axes", calls=[(2, 3, 2)],
            kwargs=[{"axis1": -1, "axis2": 0}]),
    op_case(np.linalg.diagonal, name="linalg.diagonal", calls=[(2, 3), (2, 3, 2)],
            kwargs=[{}, {"offset": 1}]),
    op_case(np.trace, complex=True, calls=[(3, 3), (2, 3), (2, 3, 2)],
            kwargs=[{}, {"offset": -1}, {"axis1": 1, "axis2": 0}]),
    op_case(np.linalg.trace, name="linalg.trace", calls=[(2, 3), (2, 3, 2)],
            kwargs=[{}, {"offset": 1}]),
    op_case(np.tril, complex=True, calls=[(3, 3), (2, 3), (2, 2, 3), (3,)],
            kwargs=[{}, {"k": 1}, {"k": -1}]),
    op_case(np.triu, complex=True, calls=[(3, 3), (2, 3), (2, 2, 3), (3,)],
            kwargs=[{}, {"k": 1}, {"k": -1}]),
    op_case(lambda x, **k: np.apply_along_axis(lambda v: v * np.sum(v), arr=x, **k),
            name="apply_along_axis", calls=[(2, 3), (3,), (2, 3, 2)],
            kwargs=[{"axis": 0}, {"axis": -1}]),
    op_case(lambda x: np.apply_along_axis(lambda v: v[:2, None] * v, 1, x),
            name="apply_along_axis to matrices", calls=[(2, 3, 2)]),
    op_case(lambda x: np.apply_along_axis(np.sum, 0, x), name="apply_along_axis to scalars",
            calls=[(3, 2)]),
    op_case(lambda x: np.apply_over_axes(np.sum, x, [0, -1]), name="apply_over_axes",
            calls=[(2, 3, 2)]),
    op_case(lambda x, **k: np.trim_zeros(x * np.array([0.0, 1, 0, 1, 0, 0]), **k),
            name="trim_zeros", calls=[(6,)], kwargs=[{}, {"trim": "b"}, {"trim": "f"}],
            skip=older("variants: operand 0 with one more axis")),
]  # fmt: skip
untraced(CASES, SHAPE, "trim_zeros")
untraced(CASES, MEMORY, "ravel in order K")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_op(case):
    case.check()


# ------------------------------------------------------------------------ memory order


@pytest.mark.parametrize("order", ["C", "F", "A", "K"])
@pytest.mark.parametrize("layout", ["C", "F", "reversed", "transposed"])
def test_ravel_and_reshape_read_in_the_order_numpy_reads(order, layout):
    plain = np.arange(24.0).reshape(2, 3, 4)
    plain = {
        "C": plain, "F": np.asfortranarray(plain), "reversed": plain[:, ::-1],
        "transposed": plain.transpose(1, 2, 0),
    }[layout]  # fmt: skip
    for function in (np.ravel, np.reshape):
        if (function, order) == (np.reshape, "K"):
            continue
        args = (24,) if function is np.reshape else ()
        weight = np.arange(24.0)
        x = gt.Tensor(0.0)
        x.value = plain  # the very layout
        with gt.GradientTape() as tape:
            x = tape.watch(x)
            y = function(x, *args, order=order)
            loss = np.sum(y * weight)
        expected = function(plain, *args, order=order)
        np.testing.assert_array_equal(y.numpy(), expected)
        # the derivative by x[i] is the weight at the place where x[i] went
        g = tape.gradient(loss, x).numpy()
        at = np.argsort(expected)[plain.ravel().astype(int)]
        np.testing.assert_array_equal(g.ravel(), weight[at])


# ------------------------------------------------------------------------ any shape, any axis


@given(hnp.array_shapes(max_dims=4, max_side=3), st.data())
def test_moves_of_axes_are_inverted_by_their_gradient(shape, data):
    ndim = len(shape)
    axis = st.integers(-ndim, ndim - 1)
    names = ["moveaxis", "swapaxes", "rollaxis", "transpose", "flip", "roll"]
    call = data.draw(st.sampled_from(names))
    if call == "transpose":
        args = (data.draw(st.permutations(range(ndim))),)
    elif call == "flip":
        args = (data.draw(axis),)
    elif call == "roll":
        args = (data.draw(st.integers(-4, 4)), data.draw(st.none() | axis))
    elif call == "rollaxis":
        args = (data.draw(axis), data.draw(st.integers(-ndim, ndim)))
    else:
        args = (data.draw(axis), data.draw(axis))
    function = getattr(np, call)
    value = np.arange(float(np.prod(shape))).reshape(shape)
    x = gt.Variable(value)
    with gt.GradientTape() as tape:
        y = function(x, *args)
        loss = np.sum(y * y) / 2
    np.testing.assert_array_equal(y.numpy(), function(value, *args))
    np.testing.assert_array_equal(tape.gradient(loss, x).numpy(), value)


@given(hnp.mutually_broadcastable_shapes(num_shapes=1, max_dims=4, max_side=3))
def test_the_gradient_of_broadcast_to_counts_the_copies(shapes):
    (shape,), target = shapes.input_shapes, shapes.result_shape
    x = gt.Variable(np.ones(shape))
    with gt.GradientTape() as tape:
        loss = np.sum(np.broadcast_to(x, target))
    copies = np.prod(target) / max(np.prod(shape), 1)
    np.testing.assert_array_equal(tape.gradient(loss, x).numpy(), np.full(shape, copies))


# ------------------------------------------------------------------------ views

VIEWS = [
    (lambda x: np.reshape(x, (3, 2)), (2, 3)),
    (lambda x: x.ravel(), (2, 3)),
    (lambda x: x.T, (2, 3)),
    (lambda x: x.mT, (2, 3)),
    (lambda x: np.moveaxis(x, 0, -1), (2, 3, 2)),
    (lambda x: np.swapaxes(x, 0, 1), (2, 3)),
    (lambda x: np.rollaxis(x, 1), (2, 3)),
    (lambda x: np.squeeze(x), (2, 1, 3)),
    (lambda x: np.expand_dims(x, 1), (2, 3)),
    (lambda x: np.atleast_3d(x), (2, 3)),
    (lambda x: np.flip(x), (2, 3)),
    (lambda x: np.rot90(x), (2, 3)),
    (lambda x: np.rot90(x, 3), (2, 3)),
    (lambda x: x.view(), (2, 3)),
    (lambda x: x.T.reshape(-1, order="F")[::-1], (2, 3)),
    (lambda x: np.trim_zeros(np.ravel(x), "f"), (2, 3)),
]  # fmt: skip


@pytest.mark.parametrize(("view", "shape"), VIEWS)
def test_writes_go_through_views_both_ways_as_in_numpy(view, shape):
    plain = np.arange(float(np.prod(shape))).reshape(shape) + 1
    x = gt.array(plain)
    v, w = view(x), view(plain)
    assert np.shares_memory(w, plain), "NumPy gives a view here"
    first = (0,) * v.ndim
    v[first], w[first] = 50.0, 50.0
    np.testing.assert_array_equal(x.numpy(), plain)
    x[(0,) * x.ndim], plain[(0,) * x.ndim] = 70.0, 70.0
    np.testing.assert_array_equal(v.numpy(), w)
    v *= 2.0
    w *= 2.0
    np.testing.assert_array_equal(x.numpy(), plain)


@pytest.mark.parametrize(("view", "shape"), VIEWS)
def test_a_write_through_a_view_is_in_the_gradient(view, shape):
    value = np.arange(float(np.prod(shape))).reshape(shape) + 1
    x, w = gt.Variable(value), gt.Variable(3.0)
    with gt.GradientTape() as tape:
        y = x * 2.0
        v = view(y)
        v[(0,) * v.ndim] = w * w
        loss = np.sum(y * y)
    marked = value.copy()
    view(marked)[(0,) * v.ndim] = np.nan
    hidden = np.isnan(marked)
    gx, gw = tape.gradient(loss, [x, w])
    np.testing.assert_allclose(gx.numpy(), np.where(hidden, 0.0, 8 * value))
    assert float(gw) == 2 * 9.0 * 2 * 3.0


@pytest.mark.parametrize(
    "view",
    [lambda x: np.broadcast_to(x, (2, 2, 2)), np.diagonal, np.diag, lambda x: windows(x, (2, 2))],
)
def test_read_only_views_follow_their_base_and_refuse_writes(view):
    x = gt.array([[1.0, 2.0], [3.0, 4.0]])
    v = view(x)
    x[0, 0] = 9.0
    np.testing.assert_array_equal(v.numpy(), view(x.numpy()))
    before = v.tolist()
    with pytest.raises(ValueError, match="read-only.*\n.*\n.*copy"):
        v[(0,) * v.ndim] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        v += 1.0
    assert v.tolist() == before
    c = v.copy()
    c[(0,) * c.ndim] = 1.0
    assert x[0, 0] == 9.0


def test_a_copy_is_no_view():
    x = gt.array([[1.0, 2.0]])
    for y in (np.copy(x), x.copy(), x.flatten(), np.tile(x, 1), x.reshape(-1, copy=True)):
        y[...] = 0.0
    assert x.tolist() == [[1.0, 2.0]]


# ------------------------------------------------------------------------ written in place


@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (5, 2), (3, 3, 3)])
@pytest.mark.parametrize("wrap", [False, True])
@pytest.mark.parametrize("val", [7.0, [1.0, 2.0]])
def test_fill_diagonal(shape, wrap, val):
    value = np.arange(float(np.prod(shape))).reshape(shape)
    expected = value.copy()
    np.fill_diagonal(expected, val, wrap)
    x, s = gt.Variable(value), gt.Variable(val)
    with gt.GradientTape() as tape:
        y = x * 1.0
        assert np.fill_diagonal(y, s * s, wrap) is None
        loss = np.sum(y)
    plain = value.copy()
    np.fill_diagonal(plain, np.square(val), wrap)
    np.testing.assert_array_equal(y.numpy(), plain)
    marks = np.ones(shape)
    np.fill_diagonal(marks, 0.0, wrap)
    gx, gs = tape.gradient(loss, [x, s])
    np.testing.assert_array_equal(gx.numpy(), marks)
    counts = np.zeros(shape)
    np.fill_diagonal(counts, np.arange(np.size(val)) + 1.0, wrap)
    times = [np.sum(counts == i + 1) for i in range(np.size(val))]
    np.testing.assert_array_equal(gs.numpy(), np.reshape(times, np.shape(val)) * 2 * np.array(val))


def test_fill_diagonal_refuses_what_numpy_refuses():
    with pytest.raises(ValueError, match="at least 2-d"):
        np.fill_diagonal(gt.zeros(3), 1.0)
    with pytest.raises(ValueError, match="equal length"):
        np.fill_diagonal(gt.zeros((2, 2, 3)), 1.0)


def test_copyto_a_tensor():
    x = gt.Variable([1.0, 2.0, 3.0])
    with gt.GradientTape() as tape:
        y = gt.zeros((2, 3))
        np.copyto(y, x)
        z = x * 1.0
        np.copyto(z, 2 * x, where=np.array([True, False, True]))
        loss = np.sum(y * y) + np.sum(z)
    np.testing.assert_array_equal(y.numpy(), [[1, 2, 3], [1, 2, 3]])
    np.testing.assert_array_equal(z.numpy(), [2, 2, 6])
    np.testing.assert_array_equal(tape.gradient(loss, x).numpy(), [4 + 2, 8 + 1, 12 + 2])
    with pytest.raises(gt.errors.DTypeError, match="cannot cast float64 to int64"):
        np.copyto(gt.zeros(3, int), x)
    np.copyto(gt.zeros(3, int), 2)
    with pytest.raises(gt.errors.DTypeError, match="cannot cast"):
        np.copyto(gt.zeros(3, int), 2.5)


def test_copyto_a_plain_array_is_an_exit():
    x, plain = gt.Variable([1.0, 2.0]), np.zeros(2)
    with gt.GradientTape(strict=True), pytest.raises(gt.errors.ExitError, match="copyto"):
        np.copyto(plain, x * 1.0)
    np.copyto(plain, x)
    assert plain.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("trim", ["fb", "f", "b", "BF"])
@pytest.mark.parametrize(
    "value",
    [[0.0, 0.0, 1.0, 0.0, 2.0, 0.0], [0.0, 0.0], [1.0], [],
     np.pad(np.ones((2, 1)), ((1, 2), (0, 1)))],
    ids=str,
)
def test_trim_zeros(value, trim):
    value = np.array(value)
    if value.ndim > 1 and NUMPY < "2.2.0":
        pytest.skip("only vectors before NumPy 2.2")
    expected = np.trim_zeros(value, trim)
    x = gt.Variable(value)
    with gt.GradientTape() as tape:
        y = np.trim_zeros(x, trim)
        loss = np.sum(y * (y + 3.0))
    np.testing.assert_array_equal(y.numpy(), expected)
    # elements that were cut off have no part in the loss; those left that are 0 have 3
    marks = np.where(value == 0, np.nan, value)
    kept = np.trim_zeros(np.nan_to_num(marks, nan=0.0), trim)
    assert float(np.sum(tape.gradient(loss, x))) == np.sum(2 * kept + 3.0)


def test_trim_zeros_refuses_a_side_that_is_none():
    with pytest.raises(ValueError, match="trim"):  # NumPy 2.0 let it pass
        np.trim_zeros(gt.ones(2), "x")


@pytest.mark.skipif(NUMPY < "2.2.0", reason="only vectors before NumPy 2.2")
def test_trim_zeros_along_an_axis():
    value = np.array([[0.0, 1.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 0.0]])
    for axis in (0, 1, -1, (0, 1)):
        expected = np.trim_zeros(value, axis=axis)
        assert np.trim_zeros(gt.array(value), axis=axis).tolist() == expected.tolist()


def test_trace_into_out_and_with_dtype():
    x, out = gt.Variable(np.ones((2, 2), np.float32)), gt.zeros(2)
    with gt.GradientTape() as tape:
        a = np.trace(x, dtype=np.float64)
        np.trace(np.stack([x, x], axis=-1), out=out)
        loss = a * 3.0 + np.sum(out)
    assert a.dtype == np.float64
    np.testing.assert_array_equal(tape.gradient(loss, x).numpy(), 5 * np.eye(2))


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda x: np.reshape(x, (4, 2)), ValueError),
        (lambda x: np.transpose(x, (0, 0)), ValueError),
        (lambda x: np.transpose(x, (0,)), ValueError),
        (lambda x: np.moveaxis(x, [0, 1], 0), ValueError),
        (lambda x: np.swapaxes(x, 0, 7), np.exceptions.AxisError),
        (lambda x: np.rollaxis(x, 0, 9), np.exceptions.AxisError),
        (lambda x: np.squeeze(x, 0), ValueError),
        (lambda x: np.expand_dims(x, 5), np.exceptions.AxisError),
        (lambda x: np.matrix_transpose(x[0]), ValueError),
        (lambda x: x[0].mT, ValueError),
        (lambda x: np.broadcast_to(x, (2, 2)), ValueError),
        (lambda x: np.meshgrid(x[0], indexing="?"), ValueError),
        (lambda x: np.roll(x, (1, 2, 3), (0, 1)), ValueError),
        (lambda x: np.flip(x, 2), np.exceptions.AxisError),
        (lambda x: np.fliplr(x[0]), ValueError),
        (lambda x: np.flipud(x[0, 0]), ValueError),
        (lambda x: np.rot90(x, axes=(0, 0)), ValueError),
        (lambda x: np.repeat(x, -1), ValueError),
        (lambda x: np.repeat(x, [1, 2, 3], 0), ValueError),
        (lambda x: np.resize(x, -1), ValueError),
        (lambda x: np.diag(x[None]), ValueError),
        (lambda x: np.diagonal(x[0]), ValueError),
        (lambda x: np.diagonal(x, 0, 1, 1), ValueError),
        (lambda x: np.tril(x[0, 0]), TypeError),
        (lambda x: windows(x, 9, 0), ValueError),
        (lambda x: windows(x, 1), ValueError),
        (lambda x: np.apply_along_axis(np.sum, 0, x[:, :0]), ValueError),
    ],
)
def test_what_numpy_refuses_is_refused_in_the_same_class(call, error):
    plain = np.arange(6.0).reshape(2, 3) + 1
    with pytest.raises(error):
        call(plain)
    with pytest.raises(error):
        call(gt.array(plain))


@pytest.mark.parametrize("reps", [1.5, (2.0, 1), [1.5]])
def test_tile_refuses_fractions(reps):
    for x in (np.ones(2), gt.array(np.ones(2))):
        with pytest.raises(TypeError, match="integer|is no index"):
            np.tile(x, reps)
