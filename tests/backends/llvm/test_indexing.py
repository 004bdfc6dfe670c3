"""Views, joins, reductions, indices and running sums in native code: NumPy's results, no steps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gradtape as gt

pytest.importorskip("llvmlite")
from gradtape.backends import numpy as oracle
from gradtape.backends.llvm import segments
from gradtape.backends.llvm.fuse import MOST_TOUCHED, plan
from tests.backends.llvm.test_segments import check, graph_of, loops, steps

pytestmark = pytest.mark.slow  # as a file

R = np.random.default_rng(0)
A, M, V = R.normal(size=(4, 5, 6)), R.normal(size=(5, 6)), R.normal(size=7)
WHOLE = R.integers(-9, 10, size=(4, 5, 6))
ROWS, MANY = np.array([0, 2, -1, 2]), np.array([[0, 2], [-1, 4]])
HOLES = np.array([[1, np.nan, 2.0], [0, 1, -np.inf], [3, 2, np.nan]])


def native(f, *args, **kwargs):
    """`f` compiled gives NumPy's result, and NumPy runs none of it."""
    made = check(f, *args, **kwargs)
    assert steps(made) == []
    return made


def exact(f, *args):
    """The same, to the last bit."""
    graph, inputs = graph_of(f, *args)
    expected = oracle.compile_graph(graph)(inputs)
    for x, y in zip(segments.compile_graph(graph)(inputs), expected, strict=True):
        assert x.dtype == y.dtype and x.shape == y.shape
        np.testing.assert_array_equal(x, y)
        if y.dtype.kind == "f":
            np.testing.assert_array_equal(np.signbit(x)[y == 0], np.signbit(y)[y == 0])
    assert steps(plan(graph)) == []


# ------------------------------------------------------------------------------ views

VIEWS = {
    "numbers of a vector": (lambda x: x[2] * x[0] + x[-1], V),
    "slices": (lambda x: x[1:] * x[:-1] + x[::-1][1:], V),
    "slices of axes": (lambda x: (x[1:3, ::2] * 2.0, x[:, None, 1] + 1.0, x[..., 0]), M),
    "transposes": (lambda x: x.T * 2.0 + np.moveaxis(x * 3.0, 0, 1), M),
    "views as results": (lambda x: (x.T, np.swapaxes(x, 0, 1), np.negative(x)[1:]), M),
    "broadcast": (lambda x: np.broadcast_to(x, (3, 7)) * 2.0 + np.expand_dims(x, 0), V),
    "diagonal": (lambda x: np.diagonal(x) * 2.0 + np.diagonal(x, 1), M),
    "flip": (lambda x: (np.flip(x) * 2.0, np.flip(x, 1)), M),
    "reshape of a transpose": (lambda x: np.reshape((-x).T, (3, 10)) * 2.0, M),
    "reshape in Fortran's order": (lambda x: np.reshape(-x, (3, 10), order="F") * 2.0, M),
    "windows": (lambda x: np.lib.stride_tricks.sliding_window_view(x, 3) * 2.0, V),
    "no elements": (lambda x: (x.T, x[::-1] * 2.0, x[:, :0], np.reshape(x, (4, 0))),
                    np.zeros((0, 4))),
    "views of views": (lambda x: x[1:, :, ::-1].transpose(2, 0, 1)[2:, 1] * 2.0, A),
}  # fmt: skip
JOINS = {
    "concatenate": (lambda x: np.concatenate([x, -x, x[:2]]), V),
    "concatenate columns": (lambda x: np.concatenate([x, -x, x[:, :2]], axis=1) * 2.0, M),
    "concatenate dtypes": (lambda x, i: np.concatenate([x, i]), V, np.arange(3)),
    "stack": (lambda x: np.stack([x, -x], axis=1), V),
    "stack numbers": (lambda x: np.stack([x[0], x[1] * 2.0, x[2]]), V),
    "stack rows": (lambda x: (np.hstack([x, x]), np.vstack([x, x]), np.column_stack([x, x])), M),
    "split": (lambda x: [p * 2.0 for p in np.split(x, [2, 4])], V),
    "pad": (lambda x: (np.pad(x, 2), np.pad(x, ((1, 2),), constant_values=3.0)), V),
    "roll": (lambda x: (np.roll(x, 2), np.roll(x, -3), np.roll(x, 0)), V),
    "roll columns": (lambda x: np.roll(x, 2, axis=1), M),
    "repeat": (lambda x: (np.repeat(x, 3), np.tile(x, 2)), V),
    "differences": (lambda x: (np.diff(x, axis=0), np.diff(x, 2, axis=1)), M),
    "triangles": (lambda x: (np.tril(x), np.triu(x, 1) * 2.0), M),
    "nothing joined": (lambda x: np.concatenate([x[:, :0], x[:, 3:], x[:, :0]], axis=1), M),
}


@pytest.mark.parametrize("case", [*VIEWS, *JOINS])
def test_views_and_joins_are_exact_and_native(case):
    f, *args = {**VIEWS, **JOINS}[case]
    exact(f, *args)


@pytest.mark.parametrize("case", [*VIEWS, *JOINS])
def test_their_gradients_are_native_too(case):
    f, x, *rest = {**VIEWS, **JOINS}[case]

    def loss(x):
        found = f(x, *rest)
        found = found if isinstance(found, tuple | list) else [found]
        return sum(np.sum(y * y * (n + 1.0)) for n, y in enumerate(found))

    native(gt.grad(loss), x)


def test_a_slice_is_read_in_the_loop_and_not_copied():
    made = native(lambda x: np.sum((x[1:] - x[:-1] ** 2) ** 2), R.normal(size=1000))
    assert len(loops(made)) == 1


def test_what_is_joined_is_computed_where_it_is_put():
    graph, inputs = graph_of(lambda x: np.concatenate([np.sin(x), np.cos(x)]), np.ones(100_000))
    (step,) = segments.compile_graph(graph).steps
    assert step.call.arena == 0
    assert inputs[0].nbytes == 800_000


def test_a_result_in_another_shape_is_computed_in_place():
    """before: two loops, the second a copy of 12 x 5. after: one."""
    def f(x):
        return np.reshape(np.concatenate([x * 2.0, x + 1.0]), (12, 5)), np.sum(x)

    made = native(f, M)
    assert [loop.space for loop in loops(made)] == [(5, 6)]
    donated = gt.function(lambda x: np.reshape(x * 2.0, (6, 5)), donate="x")
    np.testing.assert_array_equal(donated(M.copy()), np.reshape(M * 2.0, (6, 5)))
    numbers = gt.function(lambda x: (np.reshape(np.sum(x), (1,)), np.reshape(x[:1], ()) * 2.0))
    a, b = numbers(V)
    assert a.shape == (1,) and isinstance(b, np.float64)
    np.testing.assert_array_equal(np.append(a, b), [V.sum(), V[0] * 2])
    twice = gt.function(lambda x: (np.reshape(x * 2, (6, 5)), np.reshape(x * 2, (3, 10)), x * 2))
    for found, shape in zip(twice(M), ((6, 5), (3, 10), (5, 6)), strict=True):
        np.testing.assert_array_equal(found, np.reshape(M * 2, shape))
        found[...] = 0.0  # each has memory of its own


def test_reads_of_single_numbers_and_their_gradient_are_two_loops():
    def f(x):
        return sum(x[i] * x[i + 1] for i in range(15)) + np.sin(x[3])

    made = native(gt.grad(f), R.normal(size=40))
    assert len(loops(made)) <= 3


def test_code_of_many_single_numbers_comes_in_pieces():
    def f(x):
        return sum(x[i] * x[i + 1] for i in range(300))

    made = native(gt.grad(f), R.normal(size=301))
    numbers = [loop for loop in loops(made) if not loop.space]
    assert max(loop.touched for loop in numbers) <= MOST_TOUCHED
    assert len(numbers) < 20


# ------------------------------------------------------------------------------ reductions

AXES = [None, 0, 1, 2, -1, (0, 1), (0, 2), (1, 2), (0, 1, 2)]


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("shape", [(4, 5, 6), (1, 5, 6), (4, 1, 6), (4, 5, 1), (3, 200, 70)])
def test_reductions_over_any_axes(axis, shape):
    def f(x):
        return (np.sum(x, axis=axis), np.mean(x, axis=axis), np.var(x, axis=axis),
                np.std(x, axis=axis, keepdims=True), np.prod(x, axis=axis))  # fmt: skip

    native(f, R.uniform(0.99, 1.01, size=shape), rtol=1e-11)


@pytest.mark.parametrize("axis", AXES)
def test_exact_reductions_over_any_axes(axis):
    def f(x, i):
        return (np.max(x, axis=axis), np.min(x, axis=axis), np.any(x > 2, axis=axis),
                np.all(x < 2, axis=axis, keepdims=True), np.count_nonzero(x > 0, axis=axis),
                np.sum(i, axis=axis), np.prod(i, axis=axis), np.max(i, axis=axis),
                np.sum(x > 0, axis=axis), np.ptp(i, axis=axis))  # fmt: skip

    exact(f, A, WHOLE)
    # of 0.0 and -0.0, NumPy itself gives now one, now the other
    exact(f, np.round(R.normal(size=(3, 100, 90)) * 20) + 0.0, R.integers(-9, 9, size=(3, 100, 90)))


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_extrema_with_nan_and_ties(axis):
    def f(x):
        return (np.max(x, axis=axis), np.min(x, axis=axis), np.argmax(x, axis=axis),
                np.argmin(x, axis=axis), np.argmax(x > 1, axis=axis))  # fmt: skip

    exact(f, HOLES)
    exact(f, np.round(R.normal(size=(40, 30))))
    exact(lambda x: (np.argmax(x), np.argmin(x)), np.round(R.normal(size=90_000)))


@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.filterwarnings("ignore:All-NaN slice encountered")
def test_extrema_of_all_but_nan_are_exact_and_native(axis, dtype):
    x = np.concatenate([HOLES, np.full((1, 3), -np.inf), [[np.nan, -np.inf, np.nan]]]).astype(dtype)
    nothing = np.full((2, 3), np.nan, dtype)
    for f in (np.nanmax, np.nanmin):
        exact(lambda x, f=f: (f(x, axis=axis), f(x, axis=axis, keepdims=True)), x)
        exact(lambda x, f=f: f(x, axis=axis), nothing)
        native(gt.grad(lambda x, f=f: np.sum(f(x, axis=axis) ** 2)), M)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_numbers_in_place_of_nan_and_infinity_are_exact_and_native(dtype):
    x = np.array([1.5, np.nan, np.inf, -np.inf, -0.0, 1e-40], dtype)
    exact(np.nan_to_num, x)
    exact(lambda x: np.nan_to_num(x, nan=-1.0, posinf=3.0, neginf=0.5), x)
    exact(lambda x: np.nan_to_num(x, nan=np.inf, posinf=-np.inf), x)
    exact(gt.grad(lambda x: np.sum(np.nan_to_num(x) * 2.0)), x)


def test_means_of_all_but_nan_are_native():
    """Before: a step for `np.sum(..., where=<no value>)`, which is no argument."""
    x = np.abs(HOLES[:2])
    native(lambda x: (np.nanmean(x), np.nanmean(x, axis=1), np.nansum(x, axis=0)), x)
    native(gt.grad(lambda x: np.sum(np.nanmean(x, axis=1) ** 2)), M)


@pytest.mark.parametrize("initial", [1.25, 2, np.float64(-0.5)])
def test_what_a_sum_of_some_begins_with_is_added(initial):
    """It was a node that nobody could run."""
    some = np.arange(A.shape[-1]) % 3 > 0
    for axis in (None, 0, 1, ()):
        native(lambda x, axis=axis: np.sum(x, axis=axis, where=some, initial=initial), A)
        native(lambda x, axis=axis: np.add.reduce(x, axis=axis, where=some, initial=initial), A)


def test_gradients_of_reductions_are_native():
    for f in (np.max, np.min, np.prod, np.var, np.mean, np.std):
        for axis in (None, 0, 1):
            native(gt.grad(lambda x, f=f, axis=axis: np.sum(f(x, axis=axis) ** 2)), A, rtol=1e-11)


def test_a_log_sum_exp_and_its_gradient_are_native():
    def loss(x):
        top = np.max(x, axis=1, keepdims=True)
        return np.sum(np.log(np.sum(np.exp(x - top), axis=1)) + top[:, 0])

    native(gt.value_and_grad(loss), M)


def test_norms_and_their_gradients_are_native():
    for order in (None, 1, np.inf, -np.inf):
        def f(x, order=order):
            return np.linalg.norm(x, axis=1, ord=order)

        native(f, M)
        native(gt.grad(lambda x, f=f: np.sum(f(x) ** 2)), M)
    native(gt.grad(lambda x: np.linalg.norm(x)), M)


def test_known_numbers_at_even_distances_are_a_view():
    made = native(lambda x: np.sum(x[np.arange(5), np.arange(5)] * x[[4, 3, 2, 1, 0], 0]), M)
    assert len(loops(made)) == 1
    made = native(gt.grad(lambda x: np.sum(x[[1, 1, 1], [0, 1, 0]] ** 2)), M)  # one place twice


def test_reductions_of_nothing():
    x = np.zeros((3, 0, 2))
    exact(lambda x: (np.sum(x, axis=(0, 2)), np.prod(x, axis=1), np.sum(x), np.any(x, axis=0),
                     np.max(x, axis=0), np.sum(x, axis=1)), x)  # fmt: skip


@pytest.mark.parametrize("axis", [None, 0, 1, 2])
def test_running_sums_and_products_are_exact(axis):
    exact(lambda x: (np.cumsum(x, axis=axis), np.cumprod(x, axis=axis)), A)
    exact(lambda x: (np.cumsum(x, axis=axis), np.cumprod(x, axis=axis)), WHOLE)
    exact(lambda x: np.cumsum(x, axis=axis), np.array([[[-0.0, 0.0], [np.nan, 1.0]]]))
    native(gt.grad(lambda x: np.sum(np.cumsum(x, axis=axis) ** 2)), A)
    native(gt.grad(lambda x: np.sum(np.cumprod(x, axis=axis) ** 2)), A, rtol=1e-9)


# ------------------------------------------------------------------------------ gather, scatter


def _put(x, i, v):
    y = gt.array(x)
    y[i] = v
    return y


def _steps_of_writes(x):
    y = gt.zeros(7)
    y[0] = x[0]
    y[1:3] = x[2:4] * 2.0
    y[4] += x[1]
    y[::-2] = 1.5
    return y * 1.0


GATHERS = {
    "rows": (lambda x, i: (x[i], np.take(x, i, axis=0)), M, ROWS),
    "columns": (lambda x, i: (x[:, i], np.take(x, i, axis=1), x[i, i]), M, MANY),
    "apart": (lambda x, i: (x[i, :, i], x[:, i, i], x[i, 1:3, 0], x[None, i, ..., 1]), A,
              np.array([0, 2, -1])),
    "known": (lambda x: (x[np.array([0, 2])], x[[1, 1, -1]], x[:, [0, -1]]), M),
    "known places in rows": (lambda x, i: x[np.arange(5), i], M, np.array([0, 2, -1, 2, 5])),
    "a known diagonal": (lambda x: (x[np.arange(5), np.arange(5)], x[[4, 2, 0], 1:]), M),
    "a known mask": (lambda x: x[np.array([True, False, True, False, True])], M),
    "an ellipsis for no axis": (lambda x, i: (x[:, i, ..., 0], x[:, i, ..., 0:1]), A,
                                np.array([0, 2, -1])),
    "one number": (lambda x, i: (x[i] * 2.0, x[i, 0], x[1, i]), M, np.int64(-1)),
    "along an axis": (lambda x, i: np.take_along_axis(x, i, axis=1), M, np.argsort(M, axis=1)),
    "small integers": (lambda x, i: x[i], M, np.array([0, 200, 4], "u1") % 5),
    "clipped": (lambda x, i: np.take(x, i, mode="clip"), V, np.array([-5, 3, 99])),
}  # fmt: skip
WRITES = {
    "parts": (_steps_of_writes, V),
    "a row": (lambda x: _put(x, 1, x[0]), M),
    "rows": (lambda x, i: _put(x, i, x[:4] * 2.0), M, ROWS),
    "a slice": (lambda x: _put(x, (slice(None), slice(1, 4)), 0.0), M),
    "a mask": (lambda x: _put(x, x > 0, 0.0), M),
    "known places": (lambda x: _put(x, np.array([3, 3, -1]), x[:3]), V),
}


@pytest.mark.parametrize("case", [*GATHERS, *WRITES])
def test_gathers_and_writes_are_exact_and_native(case):
    f, *args = {**GATHERS, **WRITES}[case]
    exact(f, *args)


@pytest.mark.parametrize("case", GATHERS)
def test_gradients_of_gathers_add_in_numpys_order(case):
    f, x, *rest = GATHERS[case]

    def loss(x, *rest):
        found = f(x, *rest)
        found = found if isinstance(found, tuple | list) else [found]
        return sum(np.sum(y * y * (n + 1.0)) for n, y in enumerate(found))

    native(gt.grad(loss), x, *rest)


@pytest.mark.parametrize("case", [*GATHERS, *WRITES])
def test_a_batch_of_gathers_and_writes_is_native(case):
    """Before: a step that NumPy runs for each adjoint of an index under `vmap`."""
    f, x, *rest = {**GATHERS, **WRITES}[case]

    def loss(x, *rest):
        found = f(x, *rest)
        found = found if isinstance(found, tuple | list) else [found]
        return sum(np.sum(y * y * (n + 1.0)) for n, y in enumerate(found))

    axes = (0, *[None] * len(rest))
    native(gt.vmap(gt.grad(loss), in_axes=axes), np.stack([x, -x, x * 2.0]), *rest)


@pytest.mark.parametrize("index", [slice(1, 3), np.array([0, 3, 3])])
def test_a_hessian_for_each_example_is_native(index):
    def loss(x):
        return np.sum(np.sin(x[index]) ** 2) + np.sum(x[1:] * x[:-1] ** 2)

    native(gt.vmap(gt.hessian(loss)), np.stack([V, -V, V * 2.0]))


@pytest.mark.parametrize("bad", [[0, 5], [-6, 0], [99, -99]])
def test_an_index_out_of_range_raises_as_numpy_and_changes_nothing(bad):
    w = gt.Variable(np.arange(5.0))

    @gt.function
    def f(x, i):
        w.assign(w * 2.0)
        return x[i] * 2.0

    x = np.arange(5.0)
    np.testing.assert_array_equal(f(x, np.array([4, -5])), [8.0, 0.0])
    before = np.array(gt.value(w))
    for _ in range(2):
        with pytest.raises(IndexError, match="out of bounds for axis 0 with size 5"):
            f(x, np.array(bad))
    np.testing.assert_array_equal(gt.value(w), before)
    np.testing.assert_array_equal(f(x, np.array([4, -5])), [8.0, 0.0])


def test_a_gather_of_equal_numbers_that_are_known_has_no_memory_to_read():
    f = gt.function(lambda x, i: np.take(gt.array(np.full(3, 2.0)), i) * x)  # fails with a warning
    np.testing.assert_array_equal(f(3.0, np.array([2, 0, -3])), np.full(3, 6.0))
    with pytest.raises(IndexError, match="out of bounds"):
        f(3.0, np.array([0, 3, 1]))


def test_a_large_gather_in_parts_tells_too():
    @gt.function
    def f(x, i):
        return np.sum(np.exp(x[i]))

    x, i = R.normal(size=1000), R.integers(-1000, 1000, size=200_000)
    np.testing.assert_allclose(f(x, i), np.sum(np.exp(x[i])))
    i[123_456] = 1000
    with pytest.raises(IndexError, match="1000 is out of bounds"):
        f(x, i)


def test_scatters_are_the_same_with_any_number_of_threads():
    x, i = R.normal(size=100).astype("f4"), R.integers(0, 100, size=200_000)
    g = gt.grad(lambda x, i: np.sum(np.sin(x[i])))
    found = []
    for threads in (1, 2):
        graph, inputs = graph_of(g, x, i)
        found.append(segments.compile_graph(graph, threads)(inputs)[0])
    np.testing.assert_array_equal(*found)


def test_an_empty_axis_is_numpys_to_refuse():
    f = gt.function(lambda x, i: x[i])
    assert f(np.zeros(0), np.zeros(0, int)).shape == (0,)
    with pytest.raises(IndexError):
        f(np.zeros(0), np.array([0]))


# ------------------------------------------------------------------------------ dtypes


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
def test_integers_of_every_size_wrap_around(dtype):
    top = min(np.iinfo(dtype).max, 2**62)
    x = R.integers(np.iinfo(dtype).min // 2, top, size=40).astype(dtype)
    y = R.integers(1, 100, size=40).astype(dtype)

    def f(x, y):
        return (x + y, x - y, x * y, x // y, x % y, -x, x & y, x | y, x ^ y, ~x, x**3, abs(x),
                x * 3, np.maximum(x, y), np.sign(x), np.square(x), np.clip(x, 3, 90))  # fmt: skip

    exact(f, x, y)
    exact(lambda x, y: (x << y % 7, x >> y % 7, x > y, x == y, np.where(x > y, x, y)), x, y)
    exact(lambda x: (np.sum(x), np.max(x), np.cumsum(x), np.argmax(x), np.any(x), np.prod(x)), x)


@pytest.mark.parametrize("to", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8", "?"])
@pytest.mark.parametrize("dtype", ["?", "i1", "u2", "i4", "u4", "i8", "f4", "f8"])
def test_casts(dtype, to):
    x = (R.random(20) * 100).astype(dtype) - (0 if dtype[0] in "u?" else np.dtype(dtype).type(9))
    if dtype[0] == "f" and to[0] == "u":
        x = abs(x)  # what a negative number becomes depends on the machine
    exact(lambda x: x.astype(to), x)


def test_truth_values():
    x, y = R.random(9) > 0.5, R.random(9) > 0.5

    def f(x, y):
        return (x & y, x | y, x ^ y, ~x, np.logical_and(x, y), np.logical_not(x), x == y, x > y,
                np.where(x, y, ~y), x + y, x * y, np.maximum(x, y), np.sum(x))  # fmt: skip

    exact(f, x, y)


def test_comparisons_of_signed_and_unsigned_are_numpys():
    x, y = np.array([1, 2**63 - 1, -1]), np.array([1, 2**63, 2**64 - 1], "u8")
    check(lambda x, y: (x < y, x == y), x, y)


# ------------------------------------------------------------------------------ random programs

OPERATIONS = [
    lambda x, n: x[..., ::-1], lambda x, n: x.T, lambda x, n: np.reshape(x, (-1,)),
    lambda x, n: x[n % len(x) :], lambda x, n: x[n % len(x)], lambda x, n: x[None],
    lambda x, n: np.concatenate([x, -x], axis=n % x.ndim),
    lambda x, n: np.stack([x, x * 2], axis=n % x.ndim),
    lambda x, n: np.cumsum(x, axis=n % x.ndim), lambda x, n: np.max(x, axis=n % x.ndim),
    lambda x, n: np.sum(x, axis=n % x.ndim, keepdims=True) + x,
    lambda x, n: np.roll(x, n, axis=n % x.ndim), lambda x, n: x[np.array([n % len(x), -1])],
    lambda x, n: np.take(x, np.array([0, n % x.shape[-1]]), axis=-1),
    lambda x, n: x * (np.argmax(x, axis=-1)[..., None] + 1), lambda x, n: np.where(x > n, n, x),
    lambda x, n: _put(x, n % len(x), x[0] * 2), lambda x, n: np.diff(x, axis=n % x.ndim),
    lambda x, n: np.repeat(x, 2, axis=n % x.ndim), lambda x, n: x + x[:1], lambda x, n: np.sort(x),
    lambda x, n: np.broadcast_to(x, (2, *x.shape)), lambda x, n: np.flip(x, n % x.ndim) - x,
]  # fmt: skip


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.integers(0, len(OPERATIONS) - 1), st.integers(0, 5)), max_size=7),
    st.lists(st.integers(1, 4), min_size=1, max_size=3),
    st.sampled_from(["i2", "i8", "f8"]),
)
def test_random_programs_of_views_and_indices(operations, shape, dtype):
    x = np.random.default_rng(len(operations)).integers(-3, 4, size=shape).astype(dtype)

    def f(x):
        found = [x]
        for which, n in operations:
            x = OPERATIONS[which](x, n)
            if not x.ndim:
                x = x[None]
            if not 0 < x.size < 2000:
                break
            found.append(x)
        return found

    graph, inputs = graph_of(f, x)
    expected = oracle.compile_graph(graph)(inputs)
    for a, b in zip(segments.compile_graph(graph)(inputs), expected, strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        np.testing.assert_array_equal(a, b)
    if dtype == "f8":
        check(gt.grad(lambda x: np.sum(f(x)[-1] ** 2)), x, rtol=1e-10)


def test_a_value_that_a_repeated_index_overwrites_has_no_gradient():
    def loss(x, v, i):
        y = gt.array(x)
        y[i] = v
        return np.sum(y * np.arange(1.0, 8.0))

    i = np.array([3, 3, -1, 3])
    grad = gt.grad(loss, argnums=(0, 1))
    for v in (np.arange(4.0), np.float64(2.0)):
        expected = grad(V, v, i)
        for compiled in (gt.function(grad), gt.function(grad, backend="numpy")):
            for a, b in zip(compiled(V, v, i), expected, strict=True):
                np.testing.assert_array_equal(a, b)
