"""Tensor as a user of ndarray expects it: views, writes, dtypes, memory, other array classes."""

import copy
import math
import operator
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import gradtape as gt
from tests.words.differences import check, close, slope

FLOATS = [np.float16, np.float32, np.float64, np.longdouble]
INEXACT = [*FLOATS, np.complex64, np.complex128, np.clongdouble]


def gradient(function, x):
    """Value and gradient of the sum of `function(x)`, `x` a Tensor that a tape watches."""
    with gt.GradientTape() as tape:
        t = tape.watch(gt.array(x))
        y = function(t)
        loss = np.sum(y)
    return np.asarray(gt.value(y)), gt.value(tape.gradient(loss, t))


# -- random programs of views and writes -----------------------------------------------------

VIEWS = [
    lambda a: a.T,
    lambda a: a[::-1],
    lambda a: a[1:],
    lambda a: a[..., :1],
    lambda a: a[..., ::2],
    lambda a: a.reshape(-1),
    lambda a: a.reshape((1, *a.shape)),
    lambda a: a.ravel(),
    lambda a: a[None],
    lambda a: a[0] if a.ndim > 1 else a[0:1],
    lambda a: np.swapaxes(a, 0, -1),
    lambda a: np.moveaxis(a, -1, 0),
    lambda a: np.squeeze(a) if a.size > 1 else a[...],
    lambda a: np.expand_dims(a, -1),
    lambda a: np.rot90(a) if a.ndim == 2 else a[...],
    lambda a: np.flip(a),
    lambda a: a.view(),
]


def _put(a, b):
    a[...] = 0.5 * b.sum() + a


def _swap(a, _b):
    a[0], a[-1] = a[-1] * 1.0, a[0] * 1.0


def _overlap(a, _b):
    a[1:] = a[:-1]


def _reverse(a, _b):
    a[...] = a[::-1]


def _add(a, b):
    a += 0.1 * b.mean()


def _multiply(a, _b):
    a *= a * 0.5 + 0.25


def _out(a, b):
    np.subtract(a, b.max() * 0 + b.sum() * 0.1, out=a)


def _masked(a, b):
    a[np.arange(a.size).reshape(a.shape) % 2 == 0] = 0.3 * b.sum()


def _fancy(a, _b):
    a[[0, -1]] *= 0.7


def _corner(a, b):
    a[(0,) * a.ndim] = b[(-1,) * b.ndim] ** 2


def _fill(a, b):
    a.fill(0.2 * b.sum())


def _flat(a, b):
    a.flat[::2] = 0.4 * b.sum()


def _copyto(a, b):
    np.copyto(a, 0.3 * b.mean(), where=np.arange(a.size).reshape(a.shape) % 3 == 0)


def _where(a, b):
    np.multiply(a, 0.5, out=a, where=np.arange(a.size).reshape(a.shape) % 2 == 0)


def _put_along(a, b):
    np.put_along_axis(a, np.zeros((1,) * a.ndim, int), 0.1 * b.sum(), 0)


def _sorted(a, _b):
    a.sort(axis=0)


def _at(a, b):
    np.add.at(a, (0,), 0.2 * b.sum())


def _clip(a, _b):
    a.clip(-0.65, 0.65, out=a)  # no multiple of the data: kinks have no difference


WRITES = [
    _put, _swap, _overlap, _reverse, _add, _multiply, _out, _masked, _fancy, _corner, _fill, _flat,
    _copyto, _where, _put_along, _sorted, _at, _clip,
]  # fmt: skip


def run(program, x):
    arrays = [x * 1.0, x[0] * 2.0]
    for kind, i, j, which in program:
        a, b = arrays[i % len(arrays)], arrays[j % len(arrays)]
        if kind == 0:
            arrays.append(VIEWS[which % len(VIEWS)](a))
        elif kind == 1:
            if a.size and b.size and a.ndim:
                WRITES[which % len(WRITES)](a, b)
        else:
            arrays.append(a.copy() if which % 2 else np.tanh(a))
    return sum(np.sum(a * np.cos(np.arange(a.size).reshape(a.shape))) for a in arrays)


STEP = st.tuples(
    st.sampled_from([0, 0, 1, 1, 1, 2]),
    st.integers(0, 7),
    st.integers(0, 7),
    st.integers(0, 40),
)


@settings(max_examples=300)
@given(st.lists(STEP, min_size=2, max_size=9))
@example([(0, 0, 0, 5), (1, 2, 1, 4), (0, 0, 0, 0), (1, 3, 0, 3)])
def test_programs_of_views_and_writes_equal_numpys(program):
    x = np.array([[0.317, -0.713, 1.129], [0.941, 0.233, -0.419]])
    with np.errstate(all="ignore"):
        plain = run(program, x.copy())
        if not abs(plain) < 1e3:
            return
        value, found = gt.value_and_grad(lambda t: run(program, t))(x)
        np.testing.assert_allclose(float(value), plain, rtol=1e-12, atol=1e-12)
        close(found, slope(lambda v: run(program, v), (x,), 0), rtol=2e-5)


# -- dtypes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", INEXACT)
def test_gradient_has_the_dtype_and_shape_of_its_source(dtype):
    for value in (dtype(1.5), np.array([1, 2, 3], dtype), np.ones((2, 0), dtype)):
        x = gt.Variable(value)
        with gt.GradientTape() as tape:
            y = np.sum(np.abs(x * 2.0 + 1) ** 2)
        assert y.dtype == np.zeros(1, dtype).real.dtype
        g = tape.gradient(y, x)
        assert (g.dtype, g.shape) == (x.dtype, np.shape(value))
        np.testing.assert_allclose(gt.value(g), 8 * value + 4)


@pytest.mark.parametrize("dtype", INEXACT)
def test_results_have_numpys_dtypes(dtype):
    x, wide = np.array([0.5, 0.25], dtype), np.array([1.0, 2.0])
    t = gt.array(x)
    for f in (
        lambda v: v + 1, lambda v: v * 2.0, lambda v: v / 3, lambda v: 1 - v, lambda v: v**2,
        lambda v: v**0.5, lambda v: 2**v, lambda v: v + wide, lambda v: v * wide[0],
        lambda v: v + np.float32(1), lambda v: v + 1j, np.sin, np.mean, np.sum, np.var, np.abs,
        lambda v: v @ v, lambda v: np.where(True, v, 0), lambda v: np.where(v == 0, v, wide),
        lambda v: v + True, lambda v: v + np.int8(1), lambda v: v[0] + 1.0, lambda v: v[0] * wide,
        lambda v: np.concatenate([v, wide]), lambda v: v.astype(np.float32), np.linalg.norm,
        lambda v: np.sum(v, dtype=np.complex128), np.zeros_like, lambda v: np.cumsum(v),
        lambda v: np.stack([v, v]), lambda v: np.pad(v, 1), lambda v: v.real, lambda v: -v,
    ):  # fmt: skip
        try:
            expected = f(x)
        except (TypeError, np.exceptions.ComplexWarning) as error:
            with pytest.raises(type(error)):
                f(t)
            continue
        found = f(t)
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        tiny = np.finfo(expected.dtype).eps
        np.testing.assert_allclose(gt.value(found), expected, rtol=8 * float(tiny))


def test_float16_and_longdouble_sources_through_wider_and_narrower_values():
    for dtype in (np.float16, np.longdouble):
        x = np.array([1, 2], dtype)
        g = gt.grad(lambda v: np.sum(v.astype(np.float64) ** 3 + v.astype(np.float32)))(x)
        assert g.dtype == dtype
        np.testing.assert_array_equal(g, [4, 13])


def test_a_real_source_of_a_complex_path_has_a_real_gradient():
    g = gt.grad(lambda x: np.sum(np.abs(np.exp(1j * x) + x) ** 2))(np.array([0.3, 0.7]))
    assert g.dtype == np.float64
    check(lambda x: np.sum(np.abs(np.exp(1j * x) + x) ** 2), np.array([0.3, 0.7]))


def test_python_numbers_are_weak_and_numpys_scalars_are_strong():
    t = gt.array(np.array([1.0], np.float32))
    assert (t * 2.0).dtype == (t + 1).dtype == np.float32
    assert (t * np.float64(2)).dtype == np.float64
    assert (t[0] * 2.0).dtype == np.float32  # a 0-d float32 Tensor is no Python number
    assert (gt.array(2.0) * np.float32(1)).dtype == np.float64


def test_division_by_a_python_zero_is_infinite_as_in_numpy():
    x = gt.Variable([1.0, -2.0])
    with np.errstate(all="ignore"), gt.GradientTape() as tape:
        y = x / 0.0
        loss = np.sum(np.where(np.isfinite(y), y, x))
    np.testing.assert_array_equal(y.numpy(), [np.inf, -np.inf])
    np.testing.assert_array_equal(tape.gradient(loss, x).numpy(), [1.0, 1.0])


def test_integers_booleans_and_comparisons_compute_and_have_no_gradient():
    x = gt.Variable([1.5, -2.5])
    with gt.GradientTape(persistent=True) as tape:
        i = x.astype(int)
        b = (x > 0) & ~(x > 1)
        n = np.argmax(x)
    assert i.tolist() == [1, -2] and b.tolist() == [False, False] and int(n) == 0
    for result in (i, b, n):
        with pytest.warns(gt.errors.GradientWarning, match=r"test_tensor\.py:\d+"):
            assert tape.gradient(result, x) is None


# -- shapes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "a, b", [((), (3,)), ((3, 1), (1, 4)), ((2, 1, 3), (5, 1)), ((0, 3), (1, 3)), ((1,), (0,))]
)
def test_broadcasting_in_both_directions(a, b):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=a), rng.normal(size=b)
    check(lambda x, y: np.sum((x * y + x) / (2 + np.cos(y))), x, y)


def test_empty_arrays_have_empty_gradients():
    for f in (
        lambda x: x.sum() + 1.0,
        lambda x: np.prod(x),
        lambda x: (x @ np.ones((3, 2))).sum(),
        lambda x: np.concatenate([x, np.ones((1, 3))]).sum(),
        lambda x: np.linalg.norm(x),
        lambda x: np.sort(x, axis=0).sum() + np.cumsum(x).sum(),
        lambda x: np.max(x, initial=0.0),
        lambda x: np.sum(x[x > 0]),
    ):
        g = gt.grad(f)(np.zeros((0, 3)))
        assert g.shape == (0, 3) and g.dtype == np.float64


def test_zero_dimensional_in_all_its_forms():
    for x in (2.0, np.float64(2), np.array(2.0)):
        value, g = gt.value_and_grad(lambda x: x**3 + np.sum(x) * x.max() + x[()] + x[...])(x)
        assert (float(value), float(g)) == (8 + 4 + 4, 12 + 4 + 2)
        assert np.ndim(g) == 0 and isinstance(g, np.floating | np.ndarray)
    t = gt.array(2.0)
    assert t.shape == () and t.ndim == 0 and t.size == 1
    for f in (len, iter, lambda t: t[0]):
        with pytest.raises((TypeError, IndexError)):
            f(t)


def test_reading_one_element_each_way():
    x = np.arange(6.0).reshape(2, 3)
    for f in (
        lambda x: x[1, 2], lambda x: x[1][2], lambda x: x[-1, ..., -1], lambda x: x.take(5),
        lambda x: x.flat[5], lambda x: x.ravel()[5], lambda x: x[np.int64(1), np.array(2)],
        lambda x: list(x)[1][2], lambda x: next(iter(x[1, 2:])), lambda x: x[x == 5][0],
        lambda x: x[1:, 2:].squeeze(), lambda x: x.T[2, 1], lambda x: x[(1, 2)], lambda x: x.max(),
        lambda x: np.take_along_axis(x, np.array([[2], [2]]), 1)[1, 0],
    ):  # fmt: skip
        value, g = gradient(f, x)
        assert value == 5
        np.testing.assert_array_equal(g, [[0, 0, 0], [0, 0, 1]])


# -- memory -------------------------------------------------------------------------------------


def test_read_only_arrays_are_accepted_everywhere():
    x = np.arange(6.0).reshape(2, 3)
    x.flags.writeable = False
    g = gt.grad(lambda t: np.sum(t * x + x.T.T * t**2))(x)
    np.testing.assert_array_equal(g, x + 2 * x * x)
    t = gt.array(x)
    t[0] = 1.0
    t += x
    assert x[0, 1] == 1 and t[0, 2] == 3
    w = gt.Variable(x)
    w.assign_add(x)
    w[0, 0] = 5.0
    assert x[0, 0] == 0 and w[0, 0] == 5


def test_fortran_order_strides_and_negative_strides():
    base = np.random.default_rng(2).normal(size=(4, 6))
    for x in (np.asfortranarray(base), base[::2, ::-1], base.T[1:], np.moveaxis(base[None], 0, 2)):
        check(lambda x: np.sum(np.sin(x) ** 2 * np.arange(x.size).reshape(x.shape)), x)
    assert gt.array(np.asfortranarray(base)).flags.f_contiguous
    assert (gt.array(np.asfortranarray(base)) * 2).flags.f_contiguous
    assert gt.array(base).strides == base.strides


def test_memory_mapped_arrays_are_read_and_never_written(tmp_path):
    file = np.memmap(tmp_path / "x", dtype=float, mode="w+", shape=(3,))
    file[:] = [1, 2, 3]
    for x in (file, np.memmap(tmp_path / "x", dtype=float, mode="r", shape=(3,))):
        np.testing.assert_array_equal(gt.grad(lambda t, x=x: np.sum(t**2 * x))(x), [2, 8, 18])
        with gt.GradientTape() as tape:
            t = tape.watch(x)
            t[0] = 9.0
            loss = np.sum(t**2 + x)
        np.testing.assert_array_equal(tape.gradient(loss, t).numpy(), [0, 4, 6])
        np.testing.assert_array_equal(x, [1, 2, 3])
        assert type(gt.grad(lambda t: np.sum(t))(x)) is np.ndarray


def test_a_large_array_that_is_watched_is_never_written_through_the_tensor():
    x = np.ones(20_000)  # more than the 64 KiB that are copied
    with gt.GradientTape() as tape:
        t = tape.watch(x)
        t += 1.0
        t[0] = 7.0
        t[1:].fill(3.0)
        loss = np.sum(t * x)
    assert np.all(x == 1)
    np.testing.assert_array_equal(tape.gradient(loss, t).numpy(), np.zeros(20_000))


def test_arrays_that_come_out_share_no_memory_with_each_other_or_the_tape():
    x = np.arange(3.0)
    a, b = gt.grad(lambda a, b: np.sum(a + b), argnums=(0, 1))(x, x)
    assert not np.shares_memory(a, b)
    a += 1
    np.testing.assert_array_equal(b, [1, 1, 1])
    v, w = gt.Variable(x), gt.Variable(x)
    with gt.GradientTape(persistent=True) as tape:
        y = np.sum(v + w)
    for _ in range(2):
        gv, gw = tape.gradient(y, [v, w])
        gv += 5.0
        gw[0] = 7.0
        np.testing.assert_array_equal(gw.numpy(), [7, 1, 1])
    again = tape.gradient(y, v)
    np.testing.assert_array_equal(again.numpy(), [1, 1, 1])


def test_what_is_handed_out_is_read_only_and_what_is_handed_in_is_not_kept():
    x = np.arange(3.0)
    t = gt.array(x)
    x[0] = 100.0
    assert t[0] == 0
    for out in (np.asarray(t), t.numpy(), gt.value(t)):
        with pytest.raises(ValueError, match="read-only"):
            out[0] = 1.0
    seen = t.numpy()
    t[0] = 5.0
    assert seen[0] == 0 or not np.shares_memory(seen, t.numpy())


def test_constants_that_change_between_record_and_gradient():
    x = gt.Variable([1.0, 2.0])
    small, big = np.array([3.0, 4.0]), np.full((20_000, 2), 2.0)
    with gt.GradientTape() as tape:
        y = np.sum(x * small)
        small[:] = 0
    np.testing.assert_array_equal(tape.gradient(y, x).numpy(), [3, 4])
    with gt.GradientTape() as tape:
        y = np.sum(x * big)
    big[:] = 0
    with pytest.raises(gt.errors.GradtapeError, match=r"test_tensor\.py:\d+"):
        tape.gradient(y, x)


# -- other classes ------------------------------------------------------------------------------


def watch(x):
    with gt.GradientTape() as tape:
        tape.watch(x)


@pytest.mark.parametrize("compare", [np.less, np.equal, np.isclose, lambda x, m: x == m])
def test_comparing_with_masked_arrays_is_refused(compare):
    mask = np.ma.array([1.0, 2.0], mask=[True, False])
    with pytest.raises(gt.errors.DTypeError, match=r"(?s)masked array.*np\.ma\.getmaskarray"):
        compare(gt.array([1.0, 3.0]), mask)


def test_masked_arrays_are_refused_with_a_replacement():
    m = np.ma.masked_array([1.0, 2.0], [True, False])
    x = gt.Variable([3.0, 4.0])
    for f in (
        lambda: x * m,
        lambda: np.add(m, x),
        lambda: np.where([True, False], x, m),
        lambda: np.concatenate([x, m]),
        lambda: gt.grad(np.sum)(m),
        lambda: watch(m),
    ):
        with pytest.raises(gt.errors.DTypeError, match=r"masked array(.|\n)*np\.where"):
            f()
    mask = np.ma.getmaskarray(m)
    g = gt.grad(lambda x: np.sum(np.where(mask, 0.0, x * m.filled(1.0))))(x.value)
    np.testing.assert_array_equal(g, [0, 2])


def test_matrices_are_refused_since_their_product_is_another():
    x = gt.Variable([3.0, 4.0])
    with pytest.warns(PendingDeprecationWarning):
        m = np.matrix([[1.0, 2.0], [3.0, 4.0]])
    for f in (lambda: x * m, lambda: m * x, lambda: x @ m, lambda: np.dot(m, x), lambda: m + x):
        with pytest.raises(gt.errors.DTypeError, match=r"numpy\.matrix(.|\n)*np\.asarray"):
            f()


def test_subclasses_that_only_carry_attributes_are_arrays():
    class Named(np.ndarray):
        name = "velocity"

    s = np.array([1.0, 2.0]).view(Named)
    x = gt.Variable([3.0, 4.0])
    with gt.GradientTape() as tape:
        loss = np.sum(s * x + x * s + np.multiply(s, x) + np.stack([s, x]) + s @ x)
    np.testing.assert_array_equal(tape.gradient(loss, x).numpy(), 2 * 3 * s + 1 + 4 * s)
    g = gt.grad(lambda v: np.sum(v**2))(s)
    assert type(g) is np.ndarray and g.tolist() == [2, 4]


def test_pandas_objects_as_data_and_as_operands():
    s = pd.Series([1.0, 2.0], index=["a", "b"])
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 5.0]})
    x = np.array([0.5, 1.5])
    for f in (
        lambda x: np.sum((s - x) ** 2),
        lambda x: np.sum((x - s) ** 2),
        lambda x: ((s * x) ** 2).sum(),
        lambda x: np.sum(frame * x) + np.sum(x**2),
        lambda x: np.dot(s, x) ** 2,
        lambda x: np.sum((x @ frame) ** 2),
        lambda x: np.where(s > 1, x, 0).sum() + np.sum(x[s > 1]) ** 2,
        lambda x: np.sum(np.maximum(s, x) * np.asarray(frame.b)),
        lambda x: np.linalg.solve(frame, x).sum(),
        lambda x: np.average(x, weights=s),
        lambda x: np.sum(frame.to_numpy() @ x) ** 2,
    ):
        check(f, x, second=False)
    with pytest.warns(gt.errors.GradientWarning, match="pandas took the value out"):
        gt.grad(lambda x: np.sum(frame @ x))(x)  # DataFrame.__matmul__ asks nobody
    assert type(gt.grad(lambda s: np.sum(s**2))(s)) is np.ndarray
    assert gt.Variable(s).shape == (2,) and gt.array(frame).shape == (2, 2)


def test_series_statistics_take_the_path_of_their_result():
    x = gt.Variable([0.5, 1.5])
    with gt.GradientTape() as tape:
        loss = np.sum(x) * 2.0
    frame = pd.DataFrame({"w": x.numpy(), "g": tape.gradient(loss, x).numpy()})
    assert frame.g.tolist() == [2, 2]


# -- what Python asks of it -----------------------------------------------------------------------


def test_python_functions_see_a_number_or_a_sequence():
    t = gt.array([3.0, 1.0, 2.0])
    assert len(t) == 3 and list(t) == [3, 1, 2] and 1.0 in t and bool(gt.array([0.5]))
    assert math.floor(t[0]) == 3 and round(t[2]) == 2 and int(t[0]) == 3 and complex(t[0]) == 3
    assert f"{t[0]:.2f}" == "3.00" and str(t[0]) == "3.0"
    assert [*t][1] == 1 and max(t) == 3 and sorted(t)[0] == 1 and sum(t) == 6
    assert operator.index(gt.array(3)) == 3 and [10, 20, 30][gt.array(1)] == 20
    assert divmod(t[0], 2.0) == (1, 1) and abs(-t)[0] == 3 and (+t)[0] == 3 and -t[0] == -3
    with pytest.raises(ValueError, match="ambiguous"):
        bool(t)
    with pytest.raises(TypeError):
        hash(np.asarray(t))
    assert hash(t) == hash(t)
    first, *rest = t
    assert first == 3 and len(rest) == 2


def test_copies_are_independent_and_pickles_keep_values():
    t = gt.array(np.arange(4.0).reshape(2, 2))
    for twin in (t.copy(), copy.copy(t), copy.deepcopy(t), pickle.loads(pickle.dumps(t)), +t):
        assert twin.dtype == t.dtype and np.array_equal(twin, t)
        twin[0, 0] = 9.0
        assert t[0, 0] == 0
    both = copy.deepcopy({"a": t, "b": [t]})
    assert both["a"] is both["b"][0]


def test_repr_names_what_a_user_wants_to_know():
    t = gt.array(np.array([[1.0, 2.0]], np.float32))
    text = repr(t)
    assert "Tensor" in text and "float32" in text and "(1, 2)" in text and "watched" not in text
    with gt.GradientTape() as tape:
        tape.watch(t)
        assert "watched" in repr(t * 2) and "1." in repr(t)
    big = repr(gt.zeros((1000, 1000)))
    assert "..." in big and len(big) < 2000


def test_unknown_names_are_refused_as_by_numpy():
    t = gt.array([1.0])
    with pytest.raises(AttributeError, match="requires_grad"):
        t.requires_grad
    with pytest.raises(AttributeError):
        t.colour = 1


def test_an_operator_with_a_foreign_object_gives_way():
    class Metre:
        __array_ufunc__ = None

        def __radd__(self, other):
            return "mine"

    assert gt.array([1.0]) + Metre() == "mine"
    for other in ("a", None, {}, object()):
        with pytest.raises(TypeError):
            gt.array([1.0]) + other


def test_comparing_with_what_is_no_number_is_false_as_for_ndarray():
    for t in (gt.array([1.0, 2.0]), gt.Variable([1.0, 2.0]), gt.array(1.0)):
        for other in ("a", None, {}, object(), b"a", len):
            assert (t == other).shape == (t != other).shape == t.shape
            assert not np.any(t == other) and np.all(t != other)


def _assign(t, v):
    t[0] = v


@pytest.mark.parametrize(
    "f",
    [
        lambda t: t + np.ones(4),
        lambda t: np.maximum(t, np.ones((3, 2))),
        lambda t: t @ np.ones((2, 2)),
        lambda t: t.reshape(4),
        lambda t: np.concatenate([t, np.ones((2, 4))]),
        lambda t: _assign(t, np.ones(5)),
        lambda t: np.stack([t, np.ones(2)]),
        lambda t: t[5],
    ],
)
def test_wrong_shapes_are_refused_in_three_parts(f):
    with pytest.raises((ValueError, IndexError)) as caught:
        f(gt.array(np.ones((2, 3))))
    text = str(caught.value)
    assert len(text.split("\n")) >= 3 and "test_tensor.py" in text


@pytest.mark.parametrize("build", [gt.array, gt.asarray, gt.Variable, gt.stack])
def test_ragged_lists_are_refused_by_us(build):
    with pytest.raises(gt.errors.GradtapeError):
        build([[1.0], [1.0, 2.0]])


# -- which results are views ----------------------------------------------------------------------

LAYOUTS = {
    "whole": lambda b: b,
    "rows": lambda b: b[::2],
    "columns": lambda b: b[:, ::2],
    "one strided row": lambda b: b[1:2, ::2],
    "reversed": lambda b: b[::-1],
    "transposed": lambda b: b.T,
    "one column": lambda b: b[:, :1],
    "a new axis": lambda b: b[None],
    "a row": lambda b: b[2],
    "a column": lambda b: b[:, 1],
}
SHARERS = {
    **{f"ravel {o}": lambda a, o=o: a.ravel(o) for o in "CFAK"},
    **{f"np.ravel {o}": lambda a, o=o: np.ravel(a, order=o) for o in "CFAK"},
    **{f"reshape {o}": lambda a, o=o: a.reshape((2, -1), order=o) for o in "CFA"},
    "flatten": lambda a: a.flatten(),
    "squeeze": np.squeeze,
    "atleast_2d": np.atleast_2d,
    "atleast_3d": np.atleast_3d,
    "astype without copy": lambda a: a.astype(float, copy=False),
    "real": lambda a: a.real,
    "real_if_close": np.real_if_close,
    "swapaxes": lambda a: a.swapaxes(0, -1),
    "moveaxis": lambda a: np.moveaxis(a, 0, -1),
    "flip": np.flip,
    "roll": lambda a: np.roll(a, 1),
    "split": lambda a: np.split(a, [1])[0],
    "array_split": lambda a: np.array_split(a, 2)[1],
    "tile": lambda a: np.tile(a, 1),
    "a list as index": lambda a: a[[0]],
    "a mask as index": lambda a: a[a > -1],
    "new axis": lambda a: a[..., None],
    "empty index": lambda a: a[()],
    "iteration": lambda a: next(iter(a)),
    "einsum": lambda a: np.einsum("...i->i...", a),
    "broadcast_to": lambda a: np.broadcast_to(a, (2, *a.shape)),
    "conj": np.conj,
    "copy": np.copy,
    "sort": np.sort,
    "concatenate": lambda a: np.concatenate([a]),
    "pad by 0": lambda a: np.pad(a, 0),
    "clip": lambda a: a.clip(-99, 99),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", SHARERS)
def test_views_are_views_and_copies_are_copies(name, layout):
    plain, tensor = np.arange(24.0).reshape(4, 6), gt.array(np.arange(24.0).reshape(4, 6))
    try:
        expected = SHARERS[name](LAYOUTS[layout](plain))
    except ValueError:
        with pytest.raises(ValueError):
            SHARERS[name](LAYOUTS[layout](tensor))
        return
    found = SHARERS[name](LAYOUTS[layout](tensor))
    plain += 100
    tensor += 100
    np.testing.assert_array_equal(gt.value(found), expected)
    if np.ndim(expected) and expected.flags.writeable:
        expected[...] = -7
        found[...] = -7
        np.testing.assert_array_equal(gt.value(tensor), plain)
    elif np.ndim(expected):
        with pytest.raises(ValueError, match="read-only"):
            found[...] = -7


def test_the_parts_of_a_complex_array_are_views():
    for z in (np.zeros(3, complex), gt.zeros(3, dtype=complex)):
        part, other = z.real, np.imag(z)
        part += 2.0
        other[1:] = [np.inf, 4.0]
        assert np.array_equal(np.asarray(z).real, [2, 2, 2])
        assert np.array_equal(np.asarray(z).imag, [0, np.inf, 4])
        z[0] = 7.0
        assert part[0] == 7
