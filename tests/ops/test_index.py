"""Reading and writing by index: rules, views, random programs against NumPy, and linear cost."""

import types

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import gradtape as gt
from gradtape.core import indexing, sweep, tensor
from gradtape.core.aval import aval_of
from gradtape.errors import DTypeError, ShapeError, UnsupportedOperationError
from gradtape.ops import index as index_file
from gradtape.testing import op_case


def reading(index):
    """A function that indexes its operand."""

    def read(x):
        return x[index]

    read.__name__ = f"x[{index!r:.50}]"
    return read


def writing(index):
    """A function that writes into a copy of its first operand."""

    def write(x, v):
        y = x * 1
        y[index] = v
        return y

    write.__name__ = f"x[{index!r:.50}] = v"
    return write


S = np.s_
I = np.array  # noqa: E741 - short, for a table
READS = [
    ((4,), [S[0], S[-1], S[1:3], S[::-1], S[3:0:-2], S[...], S[None], S[:, None], S[()], S[1:1],
            S[[0, 2]], S[[1, 1, 1]], S[[-1, 3]], S[[]], S[[True, False, True, False]], S[I([[0,
            1], [1, 0]])],
            S[np.int64(2)], S[I(2)], S[None, 1:3, None], S[True], S[False], S[I([2])], S[[3],
            None]]),
    ((3, 4), [S[0], S[1, 2], S[:, 1], S[..., 0], S[0, ...], S[::2, ::-1], S[None, :, None, 1],
    S[-1:, -2:],
              S[[0, 2]], S[[0, 2], [1, 1]], S[:, [1, 1, 0]], S[..., [0, 3]], S[[0], :], S[[[0],
              [2]], [1, 3]],
              S[1, [0, 0]], S[[2, 0], 1:3], S[1:, [0, 1]], S[None, [1, 0]], S[[0, 1], None, [2, 2]],
              S[I([True, False, True])], S[:, I([True, False, True, True])], S[I([True, False,
              True]), [0, 1]],
              S[np.arange(12).reshape(3, 4) % 3 == 0], S[np.zeros((3, 4), bool)], S[(0, 1), (1, 2)],
              S[np.ix_([0, 2], [1, 3])], S[[-1, 2], [3, -1]]]),
    ((2, 3, 2), [S[0, :, 1], S[:, [0, 2], 0], S[[0, 1], :, [1, 0]], S[..., [1, 1], :], S[[1], ...,
    [0]],
                 S[0, [0, 1], None], S[:, I([True, False, True])], S[[0, 1, 1], 2], S[..., None,
                 -1],
                 S[I([[True, False, True], [False, True, False]])],
                 S[[[0, 1], [1, 1]], :, None, [0]], S[:, [0, 0], ..., 0]]),
    ((0, 2), [S[:], S[:, 0], S[[]]]),
]  # fmt: skip
CASES = [
    op_case(reading(i), calls=[shape], complex=n % 5 == 0)
    for shape, indices in READS for n, i in enumerate(indices)
]  # fmt: skip


@st.composite
def indices(draw, shape):
    """Any valid mixture of integers, slices, None, an ellipsis and arrays for `shape`."""
    parts, axis = [], 0
    together = draw(st.sampled_from([(2,), (1,), (2, 1), (2, 2)]))  # arrays broadcast to this
    while axis < len(shape) and draw(st.integers(0, 5)):
        n = shape[axis]
        kind = draw(st.sampled_from(["int", "slice", "none", "array", "mask", "two-axis mask"]))
        whole = st.integers(-n, n - 1)
        if kind == "none":
            parts.append(None)
            continue
        if kind == "int":
            parts.append(draw(whole))
        elif kind == "slice":
            parts.append(draw(st.slices(n)))
        elif kind == "array":
            size = int(np.prod(together))
            values = draw(st.lists(whole, min_size=size, max_size=size))
            parts.append(np.array(values).reshape(together))
        elif kind == "mask" and together == (2,) and n >= 2:
            mask = np.zeros(n, bool)
            mask[draw(st.permutations(range(n)))[:2]] = True
            parts.append(mask)
        elif kind == "two-axis mask" and together == (2,) and axis + 1 < len(shape):
            mask = np.zeros(shape[axis : axis + 2], bool)
            mask.flat[draw(st.permutations(range(mask.size)))[:2]] = True
            parts.append(mask)
            axis += 1
        else:
            continue
        axis += 1
    if axis == len(shape) or draw(st.booleans()):
        parts.insert(draw(st.integers(0, len(parts))) if axis == len(shape) else len(parts), ...)
    return tuple(parts)


DONE = {"variants": "the lines look there", "kinks": "it is linear"}


@given(data=st.data())
def test_any_mixture_of_indices(data):
    shape = data.draw(st.sampled_from([(3,), (2, 3), (3, 2, 2), (2, 3, 1, 2)]))
    index = data.draw(indices(shape))
    op_case(reading(index), calls=[shape], skip=DONE).check()
    slot = np.zeros(shape)[index].shape
    op_case(writing(index), calls=[(shape, slot)], domain=[(-2, 2), (-1.5, 2.5)],
            skip=DONE).check()  # fmt: skip


def _slot(shape, index):
    return np.zeros(shape)[index].shape


def _values(slot):
    """Shapes of values for a slot: its own, and ones that broadcast to it."""
    found = {slot, (), slot[-1:], (1,) * len(slot), slot[:-1] + (1,) * bool(slot)}
    return sorted(found) if 0 not in slot else [slot]


def _unlike(index, values):
    """What NumPy lets pass, or not, without looking: no elements at all; one in an array; a mask.
    """
    more, less = (f"variants: operand {x}" for x in ("1 with one more axis",
                                                     "0 without its first axis"))
    if 0 in values:
        return {more: "no axes of nothing are looked at"}
    skip = {less: "an array of one element may be stored as a number"} if values == (1,) else {}
    if isinstance(index, list | np.ndarray) and np.asarray(index).dtype == bool:
        skip[more] = "NumPy refuses with a TypeError where the index is a mask"
    return skip


WRITES = [
    op_case(writing(i), calls=[(shape, v)], domain=[(-2, 2), (-1.5, 2.5)], skip=_unlike(i, v))
    for shape, indices in READS for i in indices for v in _values(_slot(shape, i))
]  # fmt: skip
WRITES += [
    op_case(writing(S[1:]), name="leading ones fall away", calls=[((4,), (1, 1, 3)), ((4,), (1, 1,
            1))]),
    op_case(writing(S[:, 1]), name="complex write", calls=[((2, 3), (2,))], complex=True),
]


@pytest.mark.parametrize("case", [*CASES, *WRITES], ids=str)
def test_op(case):
    case.check()


def test_tensors_are_indices():
    x = gt.Variable(np.arange(12.0).reshape(3, 4))
    i, many, mask = gt.array(1), gt.array([2, 0]), gt.array([True, False, True])
    with gt.GradientTape() as tape:
        y = np.sum(x[i]) + np.sum(x[many, i]) + np.sum(x[mask] ** 2) + np.sum(x[i : i + 1, [i, i]])
    expected = np.zeros((3, 4))
    expected[1] += 1
    expected[[2, 0], 1] += 1
    expected[[0, 2]] += 2 * x.value[[0, 2]]
    expected[1, 1] += 2
    np.testing.assert_array_equal(tape.gradient(y, x).value, expected)


def test_an_index_array_that_changes_later_does_not_change_the_gradient():
    x, i = gt.Variable(np.zeros(3)), np.array([0, 1])
    with gt.GradientTape() as tape:
        y = np.sum(x[i])
        i[:] = 2
    np.testing.assert_array_equal(tape.gradient(y, x).value, [1, 1, 0])


def test_the_last_of_several_writes_to_one_element_gets_the_gradient():
    v = gt.Variable([1.0, 2.0, 4.0])
    with gt.GradientTape() as tape:
        x = gt.array(np.zeros(3))
        x[[0, -3, 1]] = v
        y = np.sum(x * np.array([10.0, 100.0, 1000.0]))
    np.testing.assert_array_equal(x.value, [2, 4, 0])
    np.testing.assert_array_equal(tape.gradient(y, v).value, [0, 10, 100])


# ------------------------------------------------------------------------ views and writes


def test_views_and_bases_see_each_other():
    for make in (np.array, gt.array):
        x = make(np.arange(6.0).reshape(2, 3))
        row, column, flat, turned = x[1], x[:, 0], np.reshape(x, -1), np.transpose(x)
        tail = flat[2:][::-1]
        row[0] = 30.0
        column[0] = 10.0
        tail[0] = 50.0
        turned[1, 0] = 20.0
        x += 1
        row *= 2
        assert np.array_equal(x, [[11, 21, 3], [62, 10, 102]])
        assert np.array_equal(row, [62, 10, 102])
        assert np.array_equal(column, [11, 62])
        assert np.array_equal(flat, [11, 21, 3, 62, 10, 102])
        assert np.array_equal(turned, [[11, 62], [21, 10], [3, 102]])
        assert np.array_equal(tail, [102, 10, 62, 3])


def test_what_was_read_before_a_write_keeps_its_value_and_gradient():
    w = gt.Variable([1.0, 2.0])
    with gt.GradientTape() as tape:
        x = w * 3
        square = x * x
        x[0] = 100.0
        y = np.sum(square) + np.sum(x)
    np.testing.assert_array_equal(tape.gradient(y, w).value, [18, 36 + 3])


def test_advanced_reading_gives_a_copy():
    x = gt.array([1.0, 2.0, 3.0])
    y = x[[0, 1]]
    y[0] = 9.0
    x[1] = 7.0
    assert np.array_equal(x, [1, 7, 3])
    assert np.array_equal(y, [9, 2])


START = np.array([[0.3, -0.7, 1.1], [0.9, 0.2, -1.3]])
VIEWS = [
    lambda a: a[0], lambda a: a[-1:], lambda a: a[..., 1:], lambda a: a[..., ::-1],
    lambda a: a[None],
    lambda a: np.reshape(a, -1), lambda a: np.transpose(a), lambda a: a[..., None],
    lambda a: a[::2],
    lambda a: a[...], lambda a: np.moveaxis(a, 0, -1),
]  # fmt: skip
COPIES = [lambda a: a[[0, 0]], lambda a: a * a, lambda a: np.sum(a) + a,
lambda a: a[np.array([-1])]]
PLACES = [S[...], S[0], S[-1:], S[[0, 0]], S[..., :1], S[None], S[[-1, 0]], S[::-1]]


def _write(a, place, how, source):
    if how == "set":
        a[place] = source
    elif how == "add":
        a[place] += source
    elif how == "in place":
        a *= source
    else:
        a[place] = a[place][..., ::-1] * source


def run(program, x, numbers):
    """Run a program of views, copies and writes; returns a scalar that depends on everything."""
    arrays = [x * 1.0]
    for step in program:
        kind, which, *rest = step
        a = arrays[which % len(arrays)]
        if a.ndim == 0 or a.ndim > 5:
            continue
        if kind == "view":
            arrays.append(VIEWS[rest[0]](a))
        elif kind == "copy":
            arrays.append(COPIES[rest[0]](a))
        else:
            place, how, source = rest
            other = arrays[source % len(arrays)]
            value = numbers[source] if source < 3 else np.sum(other) * 0.3
            _write(a, PLACES[place], how, value)
    return sum(np.sum(np.sin(a) * (n + 1)) for n, a in enumerate(arrays)), arrays


steps = st.one_of(
    st.tuples(st.just("view"), st.integers(0, 9), st.integers(0, len(VIEWS) - 1)),
    st.tuples(st.just("copy"), st.integers(0, 9), st.integers(0, len(COPIES) - 1)),
    st.tuples(
        st.just("write"),
        st.integers(0, 9),
        st.integers(0, len(PLACES) - 1),
        st.sampled_from(["set", "add", "in place", "reversed"]),
        st.integers(0, 8),
    ),
)


@given(program=st.lists(steps, max_size=7))
@example(program=[("view", 0, 0), ("view", 1, 3), ("write", 2, 0, "in place", 0), ("write", 0, 1,
"add", 1)])
@example(program=[("view", 0, 6), ("view", 1, 5), ("write", 2, 0, "set", 0)])
def test_random_programs_of_views_and_writes(program):
    numbers = np.array([0.5, -1.2, 0.8])
    expected, plain = run(program, START, numbers)
    x, n = gt.Variable(START), gt.Variable(numbers)
    with gt.GradientTape() as tape:
        found, arrays = run(program, x, n)
    for a, b in zip(arrays, plain, strict=True):
        np.testing.assert_allclose(a.read(), b, rtol=1e-13)
    assert found.value == pytest.approx(expected, rel=1e-12)
    for a, b in zip(run(program, gt.array(START), numbers)[1], plain, strict=True):
        np.testing.assert_allclose(a.read(), b, rtol=1e-13)  # no tape follows these
    gradients = tape.gradient(found, [x, n], unconnected_gradients="zero")
    rng = np.random.default_rng(0)
    dx, dn = rng.normal(size=START.shape), rng.normal(size=3)
    exact = np.sum(gradients[0].value * dx) + np.sum(gradients[1].value * dn)

    def difference(h):
        up = run(program, START + h * dx, numbers + h * dn)[0]
        return (up - run(program, START - h * dx, numbers - h * dn)[0]) / (2 * h)

    numeric = (4 * difference(1e-4) - difference(2e-4)) / 3
    assert exact == pytest.approx(numeric, rel=1e-6, abs=1e-6)


# ------------------------------------------------------------------------------------ cost


class Counting(types.SimpleNamespace):
    """Stands in for the `np` of a module and counts what it allocates."""

    def __init__(self):
        super().__init__(elements=0)

    def __getattr__(self, name):
        function = getattr(np, name)
        if name not in ("zeros", "array", "empty", "zeros_like", "full", "copy", "where"):
            return function

        def counted(*args, **kwargs):
            result = function(*args, **kwargs)
            self.elements += np.size(result)
            return result

        return counted


@pytest.fixture
def allocations(monkeypatch):
    counting = Counting()
    for module in (sweep, tensor, indexing, index_file):
        monkeypatch.setattr(module, "np", counting)
    return counting


N = 10_000


def test_ten_thousand_reads_allocate_one_buffer(allocations):
    x = gt.Variable(np.linspace(0, 1, N))
    with gt.GradientTape() as tape:
        total = 0.0
        for i in range(N):
            total = total + x[i] * x[i - 1]
    g = tape.gradient(total, x)
    np.testing.assert_allclose(g.value, np.roll(x.value, 1) + np.roll(x.value, -1))
    assert allocations.elements < 10 * N


def test_ten_thousand_writes_allocate_one_buffer(allocations):
    w = gt.Variable(2.0)
    with gt.GradientTape() as tape:
        x = np.zeros(N) * w
        for i in range(1, N):
            x[i] = x[i - 1] + w
        loss = np.sum(x)
    assert tape.gradient(loss, w).value == pytest.approx(N * (N - 1) / 2)
    assert allocations.elements < 10 * N


def test_writes_through_views_cost_the_view_and_not_its_base(allocations):
    w = gt.Variable(2.0)
    x = gt.array(np.zeros((1000, 4)))
    with gt.GradientTape() as tape:
        for i in range(1000):
            row = x[i]
            row[1] = w * i
        loss = np.sum(x)
    assert tape.gradient(loss, w).value == pytest.approx(999 * 500)
    assert allocations.elements < 20 * x.size


def _second_order(loss, x, d):
    """The gradient of <gradient of loss, d>, both by tapes."""
    with gt.GradientTape() as outer:
        with gt.GradientTape() as inner:
            y = loss(x)
        g = inner.gradient(y, x)
        along = np.sum(g * d)
    return outer.gradient(along, x)


def test_second_derivatives_of_many_reads_allocate_one_buffer(allocations):
    n = N // 4
    x, d = gt.Variable(np.linspace(0, 1, n)), np.sin(np.arange(n))

    def loss(x):
        total = 0.0
        for i in range(n):
            total = total + x[i] * x[i - 1]
        return total

    h = _second_order(loss, x, d)
    np.testing.assert_allclose(h.value, np.roll(d, 1) + np.roll(d, -1))
    assert allocations.elements < 20 * n


def test_second_derivatives_of_many_writes_allocate_one_buffer(allocations):
    w, n = gt.Variable(0.999), N // 4

    def loss(w):
        x = np.ones(n) * w
        for i in range(1, n):
            x[i] = x[i - 1] * w
        return x[-1]

    assert _second_order(loss, w, 1.0).value == pytest.approx(n * (n - 1) * 0.999 ** (n - 2))
    assert allocations.elements < 20 * n


def _written_then_added(x):
    a = x * x
    a[0] = x[1]
    return np.sum(np.sin(a + x * x * x))


def _read_before_added(x):
    a, b = x * x, x * x * x
    return a[0] * x[1] + np.sum(np.sin(a + b))


def _sliced_before_added(x):
    a, b = x * x, x * x * x
    c = a[1:] * x[0]
    a[1:] = c * x[1:]
    return np.sum(c) + np.sum(np.sin(a + b))


@pytest.mark.parametrize("loss", [_written_then_added, _read_before_added, _sliced_before_added])
def test_a_cotangent_with_two_owners_is_not_written_in_place(loss):
    """A sum hands one cotangent to both operands; what is done to one must not reach the other."""
    x = np.array([0.5, -0.8, 1.3])
    d, e = np.random.default_rng(0).normal(size=(2, 3))
    exact = np.sum(_second_order(loss, gt.Variable(x), d).value * e)
    gradient = gt.grad(loss)
    h = 1e-5
    numeric = np.sum((gradient(x + h * e) - gradient(x - h * e)) / (2 * h) * d)
    assert exact == pytest.approx(numeric, rel=1e-7)
    values = [loss(x + s * h * d) for s in (1, -1)]
    assert np.sum(gradient(x) * d) == pytest.approx((values[0] - values[1]) / (2 * h), rel=1e-7)


@given(program=st.lists(steps, max_size=6))
def test_second_derivatives_of_random_programs(program):
    numbers = np.array([0.5, -1.2, 0.8])
    rng = np.random.default_rng(0)
    d, e = rng.normal(size=(2, *START.shape))

    def gradient(x):
        return gt.grad(lambda x: run(program, x, numbers)[0])(x)

    exact = np.sum(_second_order(lambda x: run(program, x, numbers)[0], gt.Variable(START),
    d).value * e)

    def difference(h):
        return np.sum((gradient(START + h * e) - gradient(START - h * e)) / (2 * h) * d)

    numeric = (4 * difference(1e-4) - difference(2e-4)) / 3
    assert exact == pytest.approx(numeric, rel=1e-6, abs=1e-5)


# ---------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (5, r"float64\[2,3\] with \[5\]: index 5 is out(.|\n)*test_index.py(.|\n)*shape \(2, 3\)"),
        ((0, 0, 0), "too many indices"),
        (1.0, "only integers(.|\n)*integer and boolean arrays"),
        ("a", "only integers"),
        (np.array([True, False, True]), "boolean index did not match"),
    ],
)  # fmt: skip
def test_a_bad_index_is_an_index_error(index, message):
    x = gt.array(np.ones((2, 3)))
    with pytest.raises(IndexError, match=message):
        x[index]
    with pytest.raises(IndexError, match=message):
        x[index] = 1.0


def test_a_value_that_does_not_fit_is_refused():
    x = gt.array(np.ones((2, 3)))
    with pytest.raises(ShapeError, match=r"shape \(2, 3\) does not fit a slot of shape \(3,\)"):
        x[0] = np.ones((2, 3))
    with pytest.raises(DTypeError, match="imaginary part would be lost"):
        x[0] = 1j
    with pytest.raises(DTypeError, match="0-d Tensors are immutable"):
        gt.array(1.0)[...] = 2.0


@pytest.mark.filterwarnings("ignore:you are shuffling:UserWarning")
def test_shuffling_a_tensor_in_place_is_refused():
    with pytest.raises(UnsupportedOperationError, match=r"x\[rng.permutation"):
        np.random.default_rng(0).shuffle(gt.array(np.arange(4.0)))


def test_an_index_that_reads_everything_drops_nothing():
    """The sweep need not look at each product after it, as it does once an entry was dropped."""
    drops = index_file.getitem_card.drops
    ct, x = np.zeros((4, 3)), (aval_of(np.zeros((4, 3))),)
    for index in (..., None, slice(None), (slice(None), None), (..., slice(None, None, -1))):
        assert not drops(ct, x, index=index)
    assert drops(ct[:, :2], x, index=(slice(None), slice(2)))
    assert drops(ct, x, index=np.arange(4))  # some may come twice, and others not at all
    assert drops(ct[0, 0], (aval_of(np.zeros(1)),), index=0)
