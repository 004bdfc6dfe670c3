"""Creation: gt.array and its kin, NumPy's `like=`, ranges with tracked ends."""

import numpy as np
import pytest

import gradtape as gt
from gradtape.testing import op_case
from tests.ops.untraced import SHAPE, untraced


def nested(a, b):
    return gt.array([[a, 2.0], [b * b, 3]])


# where NumPy has NaN throughout, ends of two signs or one of them NaN, the ends stay exact
EXACT_ENDS = {
    **{f"variants: operand {i} {what}": "the ends are exact, NaN or not"
       for i in (0, 1) for what in ("with a NaN", "of NaN")},
    "kinks": "there is no real geometric sequence between ends of two signs",
}  # fmt: skip
NO_INTEGER = {f"variants: operand 0 {what}": "a NaN is no integer"
              for what in ("with a NaN", "of NaN")}  # fmt: skip
CASES = [
    op_case(np.linspace, nin=2, calls=[((), ()), ((2,), ()), ((2, 1), (3,))], complex=True,
            kwargs=[{}, {"num": 4, "endpoint": False}, {"num": 1}, {"num": 3, "axis": -1},
                    {"num": 0}]),
    op_case(np.linspace, name="linspace dtype", nin=2, calls=[((), ()), ((2,), ())],
            kwargs=[{"num": 4, "dtype": np.complex128}], complex=True,
            skip={"float32": "the result is complex128"}),
    op_case(lambda a: a * np.linspace(0 * a - 2.5, 0 * a + 5, 7, dtype=int), calls=[()],
            name="linspace of integers", skip=NO_INTEGER),
    op_case(np.linspace, name="linspace of a real and a complex end", nin=2,
            calls=[((), np.array([1 + 2j, 0.5j])), (np.array([1 + 2j, 0.5j]), (2,))],
            kwargs=[{"num": 4}], skip={"float32": "the other end stays complex128"}),
    op_case(np.linspace, name="linspace retstep", nin=2, calls=[((), ()), ((2,), ())],
            kwargs=[{"num": 4, "retstep": True}, {"num": 2, "retstep": True}]),
    op_case(np.geomspace, nin=2, domain=[(0.5, 1.0), (2.0, 3.0)], calls=[((), ()), ((2,), ())],
            kwargs=[{}, {"num": 5, "endpoint": False}, {"num": 3, "axis": -1}, {"num": 1}],
            complex=True, skip=EXACT_ENDS,
            tolerance={"value": 1e-13}),  # 10 ** log10 loses digits in NumPy's
    op_case(np.geomspace, name="geomspace negative", nin=2, domain=[(-1.0, -0.5), (-4.0, -2.0)],
            calls=[((), ()), ((), -3.0), (-0.5, (2,))], kwargs=[{"num": 6}, {"num": 2}],
            tolerance={"value": 1e-13}, skip=EXACT_ENDS),
    op_case(np.logspace, nin=2, domain=(-1, 1), calls=[((), ()), ((2,), ())],
            kwargs=[{"num": 4}, {"num": 4, "endpoint": False, "base": 2.0},
                    {"num": 3, "axis": -1}]),
    op_case(lambda a, b, base: np.logspace(a, b, 4, base=base), name="logspace base", nin=3,
            domain=[(-1, 1), (-1, 1), (1.5, 3.0)],
            calls=[((), (), ()), ((2,), (), (2,)), ((), (), (2,))]),
    op_case(lambda a, b, base: np.logspace(a, b, 4, base=base, axis=-1),
            name="logspace base axis", nin=3, domain=[(-1, 1), (-1, 1), (1.5, 3.0)],
            calls=[((2, 1), (), (3,)), ((), (), (2,))]),
    op_case(np.vander, calls=[(3,), ((3,), 2), ((3,), 5), ((3,), 0)], complex=True,
            kwargs=[{}, {"increasing": True}]),
    op_case(nested, nin=2, calls=[((), ())],
            reference=lambda a, b: np.array([[a, 2.0], [b * b, 3]])),
    op_case(gt.full, name="full", calls=[([3], ()), ([2, 3], (3,))], reference=np.full),
    op_case(lambda a, b: gt.arange(a, 4.0, b), name="arange", nin=2,
            domain=[(0.1, 0.2), (0.5, 0.6)], calls=[((), ())],
            reference=lambda a, b: np.arange(a, 4.0, b)),
]  # fmt: skip
untraced(CASES, SHAPE, "arange")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_op(case):
    case.check()


def gradient(function, value):
    x = gt.Variable(value)
    with gt.GradientTape() as tape:
        y = function(x)
        loss = np.sum(y * y)
    return y, tape.gradient(loss, x)


# ------------------------------------------------------------------------- gt.array


def test_array_takes_tensors_at_any_depth():
    y, g = gradient(lambda x: gt.array([[x[0], (1.0, x[1])[1]], [[2.0, 3.0][0], x[0] * x[1]]]),
                    [3.0, 5.0])  # fmt: skip
    np.testing.assert_array_equal(y.numpy(), [[3.0, 5.0], [2.0, 15.0]])
    # d/dx of 9 + 25 + 4 + (xy)^2
    np.testing.assert_allclose(g.numpy(), [2 * 3 + 2 * 15 * 5, 2 * 5 + 2 * 15 * 3])


def test_array_takes_object_arrays_of_tensors():
    def build(x):
        holder = np.empty(2, object)
        holder[0], holder[1] = x[1], x[0]
        return gt.array(holder)

    y, g = gradient(build, [3.0, 5.0])
    np.testing.assert_array_equal(y.numpy(), [5.0, 3.0])
    np.testing.assert_allclose(g.numpy(), [6.0, 10.0])


@pytest.mark.parametrize(
    "value",
    [3, 2.5, 1j, True, [1, 2], [[1.0], [2.0]], [], np.arange(3), np.float32(1), (1, 2.5), range(3)],
    ids=str,
)
def test_array_of_plain_values_is_numpys(value):
    expected, found = np.array(value), gt.array(value)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_array_equal(found.numpy(), expected)


def test_array_copies_and_asarray_does_not_copy_a_tensor():
    plain = np.ones(2)
    x = gt.array(plain)
    plain[0] = 5.0
    assert x.tolist() == [1.0, 1.0]
    y = gt.array(x)
    y[0] = 7.0
    assert x.tolist() == [1.0, 1.0]
    assert gt.asarray(x) is x
    assert gt.asarray(x, dtype=np.float32).dtype == np.float32
    plain = np.ones(2)
    z = gt.asarray(plain)
    plain[0] = 5.0  # must not reach what a tape may have recorded
    assert z.tolist() == [1.0, 1.0]


def test_array_options():
    x = gt.array([[1.0, 2.0], [3.0, 4.0]])
    assert gt.array(x, ndmin=3).shape == (1, 2, 2)
    assert gt.array([1.0], ndmin=2).shape == (1, 1)
    assert gt.array(x, order="F").flags.f_contiguous
    assert gt.array(np.ones((2, 2)), order="F").flags.f_contiguous
    assert gt.array(x, dtype=complex).dtype == complex
    assert gt.array(x, copy=False) is x


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: gt.array([gt.array(1.0), gt.ones(2)]), gt.errors.ShapeError, "different shapes"),
        (lambda: gt.array("text"), gt.errors.DTypeError, "holds no numbers"),
        (lambda: gt.array([None]), gt.errors.DTypeError, "holds no numbers"),
        (lambda: gt.array(np.ones(2), copy=False), ValueError, "copy=False cannot be kept"),
        (lambda: gt.array(gt.ones(2), int, copy=False), ValueError, "copy=False cannot be kept"),
        (lambda: gt.zeros(2, device="gpu"), ValueError, "Device not understood"),
        (lambda: gt.zeros(2, dtype="U3"), gt.errors.DTypeError, "holds no numbers"),
        (lambda: np.geomspace(gt.array(0.0), 1.0), ValueError, "cannot include zero"),
        (lambda: np.linspace(gt.array(0.0), 1.0, -1), ValueError, "non-negative"),
        (lambda: np.vander(gt.ones((2, 2))), ValueError, "one-dimensional"),
    ],
)  # fmt: skip
def test_refusals(call, error, said):
    with pytest.raises(error, match=said):
        call()


def test_array_keeps_the_dtype_asked_for_and_its_gradient():
    y, g = gradient(lambda x: gt.array([x[0], 2.0], dtype=np.float32), [3.0, 5.0])
    assert y.dtype == np.float32
    np.testing.assert_allclose(g.numpy(), [6.0, 0.0])


# ------------------------------------------------------------------------- from a shape


@pytest.mark.parametrize("name", ["zeros", "ones", "empty"])
@pytest.mark.parametrize("shape", [(), 3, (2, 0), [2, 3]], ids=str)
@pytest.mark.parametrize("dtype", [None, np.float32, int, bool, complex])
def test_filled(name, shape, dtype):
    options = {} if dtype is None else {"dtype": dtype}
    found, expected = getattr(gt, name)(shape, **options), getattr(np, name)(shape, **options)
    assert isinstance(found, gt.Tensor)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    if name != "empty":
        np.testing.assert_array_equal(found.numpy(), expected)


def test_full_eye_arange_linspace_equal_numpys():
    for found, expected in [
        (gt.full((2, 2), 3), np.full((2, 2), 3)),
        (gt.full(2, [1.0, 2.0], np.float32), np.full(2, [1.0, 2.0], np.float32)),
        (gt.eye(3), np.eye(3)),
        (gt.eye(2, 3, 1, dtype=int), np.eye(2, 3, 1, dtype=int)),
        (gt.arange(5), np.arange(5)),
        (gt.arange(1, 2, 0.25), np.arange(1, 2, 0.25)),
        (gt.arange(5, 0, -2), np.arange(5, 0, -2)),
        (gt.arange(3, dtype=np.float32), np.arange(3, dtype=np.float32)),
        (gt.linspace(0, 1), np.linspace(0, 1)),
        (gt.linspace(0, 5, 3, dtype=int), np.linspace(0, 5, 3, dtype=int)),
        (gt.linspace([0, 1], 5, 3, axis=1), np.linspace([0, 1], 5, 3, axis=1)),
        (gt.concatenate([[1, 2], [3]]), np.concatenate([[1, 2], [3]])),
        (gt.stack([[1.0], [2.0]], axis=1), np.stack([[1.0], [2.0]], axis=1)),
    ]:
        assert isinstance(found, gt.Tensor)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found.numpy(), expected)


def test_a_shape_may_come_from_tensors():
    n = gt.array(3)
    assert gt.zeros(n).shape == (3,)
    assert gt.zeros((n, 2)).shape == (3, 2)
    assert gt.full((2, n), gt.array(1.0)).shape == (2, 3)


def test_writes_into_created_tensors_are_followed():
    for make in (gt.zeros, gt.ones, gt.empty):
        w = gt.Variable(3.0)
        with gt.GradientTape() as tape:
            y = make(2)
            y[0], y[1] = w * w, 2 * w
            loss = np.sum(y)
        assert float(tape.gradient(loss, w)) == 8.0


def test_the_stop_of_an_arange_has_no_gradient():
    stop = gt.Variable(3.0)
    with gt.GradientTape() as tape:
        loss = np.sum(gt.arange(stop))
    with pytest.warns(gt.errors.GradientWarning, match="arange, whose length changes in jumps"):
        assert tape.gradient(loss, stop) is None


def test_a_range_of_whole_numbers_has_no_gradient():
    start = gt.Variable(0.0)
    with gt.GradientTape():
        y = gt.arange(start, 3.0, dtype=int)
    assert y.dtype == int
    assert y.key == 0 and y.why is not None


# ------------------------------------------------------------------------- like another


@pytest.mark.parametrize("function", [np.zeros_like, np.ones_like, np.empty_like])
def test_like_gives_a_tensor_with_nothing_to_explain(function):
    x = gt.Variable(np.ones((2, 3), np.float32))
    with gt.GradientTape():
        y = function(x)
        z = function(x, dtype=int, shape=(4,))
        s = function(x[0, 0])
    assert isinstance(y, gt.Tensor) and (y.shape, y.dtype) == ((2, 3), np.float32)
    assert (z.shape, z.dtype) == ((4,), np.dtype(int))
    assert y.key == 0 and y.why is None
    assert isinstance(s.value, np.float32)


def test_full_like_follows_its_fill():
    y, g = gradient(lambda x: np.full_like(gt.zeros((2, 2)), x), 3.0)
    np.testing.assert_array_equal(y.numpy(), np.full((2, 2), 3.0))
    assert float(g) == 4 * 2 * 3.0
    assert np.full_like(gt.zeros(2), 1, dtype=int).dtype == int
    assert np.full_like(gt.zeros(2), 1, shape=(3,)).shape == (3,)
    assert np.full_like(gt.zeros(2, np.float32), 1).dtype == np.float32


def test_numpys_creation_functions_with_like():
    t = gt.Variable([1.0, 2.0])
    for found, expected in [
        (np.zeros(2, like=t), np.zeros(2)), (np.ones((2, 1), int, like=t), np.ones((2, 1), int)),
        (np.full(2, 3, like=t), np.full(2, 3)), (np.eye(2, like=t), np.eye(2)),
        (np.identity(2, like=t), np.eye(2)), (np.arange(3, like=t), np.arange(3)),
        (np.arange(stop=3, like=t), np.arange(3)),
        (np.tri(2, k=1, like=t), np.tri(2, k=1)), (np.array([1, 2], like=t), np.array([1, 2])),
        (np.asarray([1, 2], float, like=t), np.array([1.0, 2.0])),
        (np.asanyarray([1], like=t), np.array([1])),
        (np.ascontiguousarray(3.0, like=t), np.ascontiguousarray(3.0)),
        (np.asfortranarray([[1, 2]], like=t), np.asfortranarray([[1, 2]])),
        (np.require([1, 2], float, "F", like=t), np.require([1, 2], float, "F")),
        (np.fromfunction(lambda i, j: i + 2 * j, (2, 2), like=t),
         np.fromfunction(lambda i, j: i + 2 * j, (2, 2))),
        (np.fromiter(range(4), float, 3, like=t), np.arange(3.0)),
        (np.frombuffer(b"\1\2", np.uint8, like=t), np.array([1, 2], np.uint8)),
        (np.fromstring("1 2", sep=" ", like=t), np.array([1.0, 2.0])),
        (np.loadtxt(["1 2", "3 4"], like=t), np.array([[1.0, 2.0], [3.0, 4.0]])),
        (np.genfromtxt(["1 2"], like=t), np.array([1.0, 2.0])),
    ]:  # fmt: skip
        assert isinstance(found, gt.Tensor)
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
        np.testing.assert_array_equal(found.numpy(), expected)
    assert np.empty(3, like=t).shape == (3,)


@pytest.mark.parametrize(
    "build",
    [
        lambda x: np.array([x[0], x[1]], like=x),
        lambda x: np.asarray([x[0], x[1]], like=x),
        lambda x: np.full(2, x, like=x),
        lambda x: np.fromiter((x[i] for i in range(2)), float, like=x),
        lambda x: np.fromfunction(lambda i: x * (i >= 0), (2,), like=x),
        lambda x: np.ascontiguousarray(x, like=x),
        lambda x: np.require(x, float, like=x),
        lambda x: gt.asarray([x[0], x[1]]),
        lambda x: gt.stack([x[0], x[1]]),
        lambda x: gt.concatenate([[x[0]], x[1:]]),
    ],
)
def test_what_is_built_from_tracked_values_is_tracked(build):
    y, g = gradient(build, [3.0, 5.0])
    np.testing.assert_array_equal(y.numpy(), [3.0, 5.0])
    np.testing.assert_allclose(g.numpy(), [6.0, 10.0])


def test_linspace_equals_numpy_bit_for_bit():
    a, b = gt.array(0.1), gt.array(0.7)
    for n in (0, 1, 2, 7, 50):
        np.testing.assert_array_equal(np.linspace(a, b, n).numpy(), np.linspace(0.1, 0.7, n))


def test_vander_at_zero_has_a_finite_gradient():
    x = gt.Variable([0.0, 2.0])
    with gt.GradientTape() as tape:
        loss = np.sum(np.vander(x, 3))
    np.testing.assert_allclose(tape.gradient(loss, x).numpy(), [1.0, 2 * 2.0 + 1.0])


def test_geomspace_of_float32_is_of_float64_as_in_numpy():
    x = np.float32([1.0, 2.0])
    for stop, options in ((x + 1, {}), (4.0, {}), (4.0, {"dtype": np.float32})):
        expected = np.geomspace(x, stop, 3, **options)
        found = np.geomspace(gt.array(x), stop, 3, **options)
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=1e-15)
