"""where, take, put, sort, unique and their kin: rules, ties, options, refusals."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gradtape as gt
from gradtape.core.tensor import Tensor
from gradtape.errors import GradientWarning
from gradtape.testing import op_case
from tests.ops.untraced import CHECKED, SHAPE, untraced
from tests.ops.versions import older

I = np.array  # noqa: E741 - short, for tables
# np.in1d went with NumPy 2.4, and gave warning from 2.0 on
OLD_NAMES = [getattr(np, "in1d")] if hasattr(np, "in1d") else []  # noqa: B009
with warnings.catch_warnings():  # NumPy 2.0 warns that it takes a mask as the numbers 0 and 1
    warnings.simplefilter("ignore")
    INSERTS_BY_MASK = np.insert([5, 6], np.array([False, True]), 7).size == 3
MASK = I([[True, False, True], [False, False, True]])


def calling(function, *rest, name=None, **options):
    """`function` with everything but its first operand bound."""

    def call(x):
        return function(x, *rest, **options)

    shown = ", ".join([*(repr(r) for r in rest), *(f"{k}={v!r}" for k, v in options.items())])
    call.__name__ = f"{name or function.__name__}({shown:.60})"
    return call


TIES = "which of the elements that tie comes first is a matter of convention"
FITS_NOT = {"variants: operand 1 with one more axis":
            "NumPy has a way of its own with what fits no slot"}  # fmt: skip
IMMUTABLE = {"variants: operand 0 0-d": "a Tensor of no axes cannot be written"}


def case(shapes, function, *rest, **options):
    shapes = shapes if isinstance(shapes, list) else [shapes]
    skip = {"kinks": TIES} if function in (np.sort, np.partition) else {}
    return op_case(calling(function, *rest, **options), calls=shapes, skip=skip)


def written(function, *rest, at=None, **options):
    """An in-place function as one that returns a new array; `v` is what is written."""

    def call(x, v):
        y = x * 1
        args = list(rest)
        args.insert(len(rest) if at is None else at, v)
        function(y, *args, **options)
        return y

    call.__name__ = f"{function.__name__} {[*map(str, rest)]!r:.40} {options or ''}"
    return call


ORDER = np.argsort(np.random.default_rng(0).normal(size=(2, 3)), axis=1)
CASES = [
    # where and its kin
    op_case(lambda x, y: np.where(MASK, x, y), name="where", complex=True,
            calls=[((2, 3), (2, 3)), ((3,), (2, 1)), ((), (2, 3)), ((2, 3), 1.5), (0, (3,))]),
    op_case(lambda x, y: np.where(I([[True], [False]]), x, y),
            name="where broadcasting its condition",
            calls=[((3,), ()), ((), ())]),
    op_case(lambda x, y: np.where(True, x, y), name="where of numbers", calls=[((), ()), ((2,),
            ())]),
    op_case(lambda x: np.where(x > 0, x, -x * x), name="where with a condition on x", calls=[(4,)]),
    op_case(lambda x, y: np.select([MASK, ~MASK & (ORDER > 0)], [x, y * y], 7), name="select",
            calls=[((2, 3), (3,)), ((), (2, 3))], complex=True),
    op_case(lambda x, y: np.select([MASK, MASK], [x, y], default=y), name="select, first wins",
            calls=[((2, 3), (2, 3))]),
    op_case(lambda x, y: np.choose(I([0, 1, 1]), [x, y]), name="choose", complex=True,
            calls=[((3,), (3,)), ((2, 1), ()), ((), (2, 3))]),
    op_case(lambda x: np.choose(I([[2, 0], [1, 1]]), x), name="choose from one array", calls=[(3,),
            (3, 2)]),
    op_case(lambda x: np.choose(I([0, 0]), [x]), name="choose from one choice", calls=[(), (2,)]),
    op_case(lambda x, y: np.choose(I([-1, 4, 1]), [x, y], mode="wrap"), name="choose wrap",
            calls=[((3,), (3,))]),
    op_case(lambda x, y: np.choose(I([-1, 4, 1]), [x, y], mode="clip"), name="choose clip",
            calls=[((3,), (3,))]),
    # take and its kin
    *(case([(4,), (2, 3)], np.take, i) for i in (0, -1, [1, 1, 2], I([[0, 3], [3, -2]]), [], True)),
    *(case((3, 4), np.take, i, axis=axis)
      for i in (0, I(-1), [2, 0, 2], I([[0, 1]])) for axis in (0, 1, -1)),
    *(case((3, 2), np.take, [-7, 5, 1], axis=axis, mode=mode)
      for axis in (0, None) for mode in ("wrap", "clip")),
    op_case(calling(np.take, [1, 1], axis=0), calls=[(2, 2)], complex=True),
    *(case((2, 3), np.take_along_axis, ORDER, axis=axis) for axis in (1, -1)),
    case((2, 3), np.take_along_axis, I([[1, 0, 0]]), axis=0),
    case((2, 3), np.take_along_axis, I([5, 5, 0]), axis=None),
    case((2, 3, 2), np.take_along_axis, I([[[1], [0], [1]]]), axis=2),
    case((2, 3, 2), np.take_along_axis, I([[[2, 0]], [[1, 1]]]), axis=1),
    case((2, 3, 2), np.take_along_axis, I([[[1, 0], [0, 0], [1, 1]]]), axis=0),
    op_case(lambda x: np.compress([True, False, True], x), name="compress", calls=[(3,), (2, 2)]),
    op_case(np.compress, calls=[([True, False], (2,))],
            refused=[([[True, False]], (2,), {}), (True, (2,), {})]),
    op_case(lambda x: np.compress([False, True], x, axis=1), name="compress axis", calls=[(2, 2),
            (2, 3)]),
    op_case(lambda x: np.extract(MASK, x), name="extract", calls=[(2, 3)]),
    # in place
    *(op_case(written(np.put, i, mode=mode), calls=[((2, 3), v)], skip=IMMUTABLE)
      for i, mode in (([0, 4], "raise"), ([-1, 2], "raise"), ([[7, 1]], "wrap"), ([9, -9], "clip"))
      for v in ((2,), (), (1,), (3,))),
    op_case(written(np.put, [1, 1, -5]), name="put twice", calls=[((2, 3), (3,)), ((2, 3), (2,))]),
    *(op_case(written(f, MASK), name=f"{f.__name__} {v}", calls=[((2, 3), v)], skip=IMMUTABLE)
      for f in (np.putmask, np.place) for v in ((3,), (2, 3), (1,), (2,))),
    op_case(written(np.put_along_axis, ORDER, axis=1), calls=[((2, 3), (2, 3)), ((2, 3), ()), ((2,
            3), (3,))]),
    op_case(written(np.put_along_axis, ORDER[:, :1], axis=1), name="put_along_axis, one each",
            calls=[((2, 3), (2, 1))]),
    op_case(written(np.put_along_axis, I([4, -6]), axis=None), name="put_along_axis flat",
            calls=[((2, 3), (2,))], skip=older(
                "variants: operand 1 with one more axis", "variants: operand 1 one longer",
                "variants: operand 1 with nothing along the first axis",
                "variants: operand 1 with nothing along the last axis")),
    # order
    case([(5,), (2, 3), (2, 3, 2), (0,)], np.sort), case((2, 3), np.sort, axis=0),
    case([(2, 3), ()], np.sort, axis=None), case((4,), np.sort, kind="mergesort"),
    case((4,), np.sort, stable=True), op_case(np.sort, name="sort complex numbers", calls=[(4,)],
            complex=True, skip={"kinks": TIES}),
    op_case(np.sort_complex, calls=[(3,), (2, 3)], complex=True,
            skip={"float32": "the result is complex128, NumPy's choice", "kinks": TIES}),
    *(case((7,), np.partition, k) for k in (0, 3, -2, [1, 4])),
    case((2, 5), np.partition, 2, axis=0 - 1), case((3, 2), np.partition, 1, axis=0),
    case((2, 3), np.partition, 2, axis=None),
    # sets
    case([(5,), (2, 3), (0,)], np.unique), case((3, 2), np.unique, axis=0), case((2, 3), np.unique,
            axis=1),
    case((4,), np.unique_values), case((4,), np.unique_all), case((2, 3), np.unique_counts),
    case((4,), np.unique_inverse),
    op_case(np.union1d, calls=[((3,), (2,)), ((2, 2), (1,))]),
    op_case(lambda x, y: np.union1d(x, np.concatenate([y, x[:2] * 1])),
            name="union1d with common elements",
            calls=[((3,), (2,))]),
    op_case(lambda x, y: np.intersect1d(x, np.append(y, x[1:])), name="intersect1d", calls=[((3,),
            (2,))],
            skip={"kinks": "an element that moves is common no more",
                  "variants: operand 0 of integers": "common are all of the second then"}),
    op_case(lambda x: np.intersect1d(x, x[::-1], assume_unique=True), name="intersect1d assumed",
            calls=[(3,)],
            skip=dict.fromkeys(
                ("kinks", "variants: operand 0 of zeros", "variants: operand 0 one longer"),
                "what it assumes, that no element is there twice, is not so then")),
    op_case(lambda x, y: np.setdiff1d(x, y), name="setdiff1d", calls=[((3,), (2,))]),
    op_case(lambda x: np.setdiff1d(x, x[:1], assume_unique=True), name="setdiff1d assumed",
            calls=[(3,)]),
    op_case(np.setxor1d, calls=[((3,), (2,)), ((2, 2), (1,))]),
    op_case(lambda x: np.setxor1d(x, x[:2]), name="setxor1d with common elements", calls=[(3,)]),
    # editing
    op_case(np.append, calls=[((2,), (3,)), ((2, 2), (3,)), ((), ()), ((2,), 1.5)], complex=True),
    op_case(np.append, name="append axis", calls=[((2, 2), (1, 2))], kwargs=[{"axis": 0},
            {"axis": -2}]),
    *(case((5,), np.delete, i) for i in (0, -1, [1, 3], slice(None, None, 2), [], [True,
            False] * 2 + [True])),
    *(case((2, 3), np.delete, i, axis=a) for i, a in ((1, 0), ([0, 2], 1), (slice(1, 2), -1), (4,
            None))),
    *(op_case(lambda x, v, i=i: np.insert(x, i, v), name=f"insert {i}", calls=[((4,),
            v) for v in vs])
      for i, vs in ((1, [(), (3,), (1,)]), (-1, [()]), (4, [(2,)]), ([1, 3], [(2,), (), (1,)]),
                    ([2, 2, 0], [(3,)]), ([1], [(), (3,)]), (slice(0, 3), [(3,), ()]),
                    *([(I([False, True, False, True]), [(2,)])] if INSERTS_BY_MASK else []))),
    op_case(lambda x, v: np.insert(x, [], v), name="insert nothing", calls=[((4,), (0,))], nin=2,
            skip={"variants: operand 1 with one more axis": "no axes of nothing are looked at"}),
    *(op_case(lambda x, v, i=i, a=a: np.insert(x, i, v, axis=a), name=f"insert {i} axis {a}",
              calls=[((2, 3), v) for v in vs],
              skip=FITS_NOT if (i, a) == (1, 1) else {})
      for i, a, vs in ((1, 0, [(3,), (), (2, 3), (1, 3)]), (1, 1, [(2,), (), (1, 2)]),
                       ([1], 1, [(2, 1), (2, 2), ()]), ([0, 2], 1, [(2, 2), (2, 1), (2,)]), (3,
                       None, [(2,)]),
                       ([1, 1], 0, [(2, 3), (3,)]))),
]  # fmt: skip
untraced(CASES, SHAPE, r"unique.*", "union1d.*", "intersect1d.*", "setdiff1d.*", "setxor1d.*")
untraced(CASES, CHECKED, r"(putmask|place) .*")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_op(case):
    case.check()


X = I([[0.3, -1.0, 2.0], [0.3, 4.0, -1.0]])
NONDIFFERENTIABLE = [
    (np.argsort, (X,), {}), (np.argsort, (X,), {"axis": 0, "kind": "stable"}), (np.argpartition,
    (X, 1), {}),
    (np.searchsorted, (I([0.0, 1.0, 2.0]), X), {}), (np.digitize, (X, I([0.0, 1.0])), {}),
    (np.nonzero, (X > 0,), {}), (np.nonzero, (X,), {}), (np.flatnonzero, (X,), {}), (np.argwhere,
    (X,), {}),
    *((function, (X, [0.3]), {}) for function in OLD_NAMES),
    (np.lexsort, ((X[0], X[1]),), {}), (np.isin, (X, [0.3]), {}), (np.where, (X,), {}),
 (np.ix_, (I([0, 1]), I([2])), {}),
    (np.unravel_index, (I([0, 5]), (2, 3)), {}), (np.ravel_multi_index, (I([[0, 1], [2, 2]]), (2,
    3)), {}),
]  # fmt: skip


def _tensors(tree):
    if isinstance(tree, np.ndarray):
        x = gt.array(tree)
        return x
    if isinstance(tree, tuple):
        return tuple(_tensors(t) for t in tree)
    return tree


@pytest.mark.filterwarnings("ignore:.in1d. is deprecated")
@pytest.mark.parametrize(("function", "args", "options"), NONDIFFERENTIABLE)
def test_positions_equal_numpys_and_have_no_gradient(function, args, options):
    expected = function(*args, **options)
    watched = []

    def watch(tree):
        if isinstance(tree, Tensor):
            x = tape.watch(tree) if tree.dtype.kind == "f" else tree
            watched.extend([x] if tree.dtype.kind == "f" else [])
            return x
        return tuple(map(watch, tree)) if isinstance(tree, tuple) else tree

    with gt.GradientTape() as tape:
        found = function(*watch(_tensors(args)), **options)
    many = isinstance(expected, tuple)
    for f, e in zip(found if many else [found], expected if many else [expected], strict=True):
        assert isinstance(f, Tensor)
        assert f.dtype == e.dtype
        np.testing.assert_array_equal(f.value, e)
        assert f.key == 0
        assert (f.why is not None) == bool(watched)


def test_a_gradient_through_argsort_is_explained():
    x = gt.Variable([3.0, 1.0])
    with gt.GradientTape() as tape:
        y = np.sum(np.argsort(x) * 1.0)
    with pytest.warns(GradientWarning, match="argsort gives positions"):
        assert tape.gradient(y, x) is None


def test_queries_of_shapes():
    x = gt.array(np.ones((3, 3)))
    for function in (np.diag_indices_from, np.tril_indices_from, np.triu_indices_from):
        for f, e in zip(function(x), function(np.ones((3, 3))), strict=True):
            np.testing.assert_array_equal(f, e)


# -------------------------------------------------------------------------------- special


def test_a_branch_not_taken_never_poisons_the_gradient():
    x = I([0.0, 1.0, 4.0])
    g = gt.grad(lambda x: np.sum(np.where(x > 0, np.sqrt(x), 0.0)))(x)
    np.testing.assert_array_equal(g, [0, 0.5, 0.25])
    with np.errstate(divide="ignore"):
        g = gt.grad(lambda x: np.sum(np.select([x > 0], [np.log(x)], x)))(x)
    np.testing.assert_array_equal(g, [1, 1, 0.25])


def test_equal_elements_keep_their_order_in_a_sort():
    g = gt.grad(lambda x: np.sum(np.sort(x) * I([1.0, 10.0, 100.0])))(I([2.0, 1.0, 2.0]))
    np.testing.assert_array_equal(g, [10, 1, 100])


def test_nan_sorts_last():
    x = I([np.nan, 1.0, 0.0])
    np.testing.assert_array_equal(np.sort(gt.array(x)).value, np.sort(x))


def test_the_gradient_of_unique_goes_to_the_first_occurrence():
    x = I([3.0, 1.0, 3.0, 1.0])
    g = gt.grad(lambda x: np.sum(np.unique(x) * I([1.0, 10.0])))(x)
    np.testing.assert_array_equal(g, [10, 1, 0, 0])


def test_unique_gives_what_is_asked_for():
    x = I([3.0, 1.0, 3.0, np.nan, np.nan])
    for options in ({}, {"equal_nan": False}, {"return_index": True, "return_counts": True},
                    {"return_inverse": True}):  # fmt: skip
        found, expected = np.unique(gt.array(x), **options), np.unique(x, **options)
        assert isinstance(found, tuple) == isinstance(expected, tuple)
        for f, e in zip(*(r if isinstance(r, tuple) else (r,) for r in (found, expected)),
        strict=True):
            np.testing.assert_array_equal(f.value, e)
    for function in (np.unique_all, np.unique_counts, np.unique_inverse):
        found, expected = function(gt.array(x)), function(x)
        assert type(found) is type(expected)
        for f, e in zip(found, expected, strict=True):
            np.testing.assert_array_equal(f.value, e)


def test_set_operations_take_the_first_array_and_tell_positions():
    a, b = gt.Variable([1.0, 2.0, 2.0]), gt.Variable([2.0, 3.0])
    with gt.GradientTape(persistent=True) as tape:
        common, left, right = np.intersect1d(a, b, return_indices=True)
        one, both = np.sum(common), np.sum(np.union1d(a, b))
    assert (left.value, right.value) == (I([1]), I([0]))
    np.testing.assert_array_equal(tape.gradient(one, a).value, [0, 1, 0])
    np.testing.assert_array_equal(tape.gradient(both, a).value, [1, 1, 0])
    np.testing.assert_array_equal(tape.gradient(both, b).value, [0, 1])


def test_take_gives_a_copy():
    x = gt.array(np.arange(6.0).reshape(2, 3))
    row = np.take(x, 1, axis=0)
    row[0] = 100.0
    assert x[1, 0] == 3.0


def test_out_of_take_and_choose():
    x, target, plain = gt.Variable([1.0, 2.0]), gt.array(np.zeros(3)), np.zeros(2)
    with gt.GradientTape() as tape:
        np.take(x, [1, 1, 0], out=target)
        chosen = np.choose([1, 0], [x, x * x], out=plain)
        loss = np.sum(target) + np.sum(chosen)
    np.testing.assert_array_equal(plain, [1, 2])
    np.testing.assert_array_equal(tape.gradient(loss, x).value, [1 + 2, 2 + 1])


def test_positions_that_are_tensors():
    x, i = gt.Variable([[3.0, 1.0, 2.0]]), gt.array([[2, 0, 0]])
    with gt.GradientTape() as tape:
        y = np.take_along_axis(x, np.argsort(x, axis=1), axis=1) * I([1.0, 10.0, 100.0])
        loss = np.sum(y) + np.sum(np.take_along_axis(x, i, axis=1))
    np.testing.assert_array_equal(tape.gradient(loss, x).value, [[100 + 2, 1, 10 + 1]])


def test_a_plain_array_as_target_is_an_exit():
    v = gt.Variable([1.0, 2.0])
    plain = np.zeros(3)
    with gt.GradientTape() as tape:
        np.put(plain, [0, 2], v)
        loss = np.sum(v[0] * plain)
    np.testing.assert_array_equal(plain, [1, 0, 2])
    with pytest.warns(GradientWarning, match="put"):
        tape.gradient(loss, v)


@given(data=st.data())
def test_sorting_along_any_axis(data):
    shape = tuple(data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=3)))
    axis = data.draw(st.one_of(st.none(), st.integers(-len(shape), len(shape) - 1)))
    op_case(calling(np.sort, axis=axis), calls=[shape], skip={"kinks": TIES}).check()


@given(data=st.data())
def test_inserting_anywhere(data):
    n = data.draw(st.integers(0, 4))
    places = data.draw(st.lists(st.integers(-n, n), min_size=0, max_size=4))
    values = [(len(places),), (1,) if places else (0,)]
    op_case(lambda x, v: np.insert(x, I(places, dtype=int), v), name="insert",
            calls=[((n,), v) for v in values],
            skip={"variants": "no axes of nothing are looked at"}).check()  # fmt: skip


# ------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("error", "call", "message"),
    [
        (IndexError, lambda x: np.take(x, 3), r"take: index 3 is out of range for 3(.|\n)*mode="),
        (IndexError, lambda x: np.put(x, [0, 7], 1.0), "put: index 7 is out of range for 3"),
        (ValueError, lambda x: np.choose([0, 2], [x[:2], x[1:]]),
        "choose: index 2 is out of range"),
        (TypeError, lambda x: np.take(x, I([0.5])), None),
        (TypeError, lambda x: np.choose([0.5], [x]), None),
        (TypeError, lambda x: np.select([[1, 0, 1]], [x]), None),
        (ValueError, lambda x: np.select([], [x]), None),
        (ValueError, lambda x: np.take_along_axis(x, I([[0]]), 0), None),
        (IndexError, lambda x: np.take_along_axis(x, I([0.5]), 0), None),
        (ValueError, lambda x: np.compress([[True]], x), None),
        (ValueError, lambda x: np.place(x, x > 0, []), None),
        (IndexError, lambda x: np.delete(x, 9), None),
    ],
)
def test_what_numpy_refuses_is_refused(error, call, message):
    with pytest.raises(error):
        call(np.ones(3))
    with pytest.raises(error, match=message):
        call(gt.array(np.ones(3)))


@pytest.mark.parametrize("mask", [None, np.array([True, False, True])])
def test_place_without_values_is_refused_while_tracing_too(mask):
    """Of a mask that is not known yet it is refused as well: it may hold somewhere."""

    def write(x, v):
        y = x * 1.0
        np.place(y, x > 0 if mask is None else mask, v)
        return y

    for run in (write, gt.function(write)):
        with pytest.raises(ValueError, match="Cannot insert from an empty array"):
            run(gt.array(np.ones(3)), np.zeros(0))


def test_a_python_number_among_the_choices_takes_the_dtype_of_the_others():
    x = np.float32([1.5, 2.5])
    for other in (2.0, 2, 2j, np.float64(2.0)):
        expected = np.choose([0, 1], [x, other])
        for found in (
            np.choose([0, 1], [gt.array(x), other]),
            gt.function(lambda s, other=other: np.choose([0, 1], [s, other]))(x),
        ):
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected)
