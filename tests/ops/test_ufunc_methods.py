"""reduce, accumulate, reduceat, outer and at of every ufunc that has a derivative."""

import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gradtape as gt
from gradtape.core.tensor import Tensor
from gradtape.errors import DTypeError, TracingError
from gradtape.tape.facts import flatten_why
from gradtape.testing import op_case

# ufuncs of two operands with a derivative, and where to draw their operands
DOMAINS = {
    np.add: (-2, 2), np.subtract: (-2, 2), np.multiply: (0.5, 2), np.divide: (0.5, 2),
    np.maximum: (-2, 2), np.minimum: (-2, 2), np.fmax: (-2, 2), np.fmin: (-2, 2),
    np.logaddexp: (-2, 2), np.logaddexp2: (-2, 2), np.hypot: (0.5, 2), np.power: (0.6, 1.4),
    np.float_power: (0.6, 1.4), np.arctan2: (0.5, 2), np.copysign: (0.5, 2),
    np.heaviside: (0.5, 2), np.fmod: (3, 8), np.remainder: (3, 8),
}  # fmt: skip
FLOAT64 = "float_power returns float64 whatever it is given"
REORDERABLE = [np.add, np.multiply, np.maximum, np.minimum, np.fmax, np.fmin, np.logaddexp,
               np.logaddexp2, np.hypot]  # fmt: skip
VALUE = {"value": 1e-13}  # NumPy adds in another order
# On processors with AVX-512 NumPy 2.4 reduces wrongly with these two (its accumulate is right)
MISREDUCED = (np.power, np.arctan2)


def from_the_left(ufunc):
    """`ufunc.reduce`, call by call."""

    def reduce(x, axis=0, keepdims=False, initial=None, where=True):
        masks = np.broadcast_to(where, x.shape)
        x = np.asarray(x, ufunc.resolve_dtypes((x.dtype, x.dtype, None))[-1])
        if x.ndim == 0 and axis in (0, -1):
            return x if initial is None else ufunc(initial, x)
        items, masks = np.moveaxis(x, axis, 0), np.moveaxis(masks, axis, 0)
        total = items[0] if initial is None else np.full(items.shape[1:], initial, x.dtype)
        for i in range(0 if initial is not None else 1, len(items)):
            total = np.where(masks[i], ufunc(total, items[i]), total)
        return np.expand_dims(total, axis) if keepdims else total

    return reduce


def ranges_from_the_left(ufunc, starts):
    """`ufunc.reduceat` along the first axis, call by call."""

    def reduceat(x):
        ends = [*starts[1:], len(x)]
        return np.array([
            from_the_left(ufunc)(x[i:j]) if i < j else x[i]
            for i, j in zip(starts, ends, strict=True)
        ])  # fmt: skip

    return reduceat


def case(function, name, ufunc, **options):
    """An op_case whose expected value is NumPy's, or folded where NumPy errs."""
    if ufunc not in MISREDUCED:
        options.pop("reference", None)
    skip = {"float32": FLOAT64} if ufunc is np.float_power else {}
    if ufunc in (np.power, np.float_power):
        skip["kinks"] = "a power of a power at 0: an infinite slope times one of 0"
    if ufunc is np.copysign:
        skip["kinks"] = "it steps at 0, and has slope 0 there"
    return op_case(function, name=f"{ufunc.__name__}.{name}", domain=DOMAINS[ufunc], nin=1,
                   tolerance=VALUE, skip=skip, **options)  # fmt: skip


CASES = [
    *(case(u.reduce, "reduce", u, calls=[(4,), (3, 2), (1,)],
           kwargs=[{}, {"axis": -1}, {"keepdims": True}], reference=from_the_left(u))
      for u in DOMAINS),
    *(case(u.reduce, "reduce of many axes", u, calls=[(2, 3, 2)],
           kwargs=[{"axis": None}, {"axis": (0, 2)}, {"axis": (), "keepdims": True},
                   {"axis": (-1, 0), "keepdims": True}]) for u in REORDERABLE),
    *(case(u.reduce, "reduce with initial and where", u, calls=[(3, 2), (4, 2)],
           kwargs=[{"initial": 1.5}, {"initial": 0.7, "axis": 1, "keepdims": True},
                   {"initial": 1.2, "where": np.array([True, False])}],
           reference=from_the_left(u))
      for u in DOMAINS if u not in (np.fmod, np.remainder)),
    *(case(u.reduce, "reduce of no axis", u, calls=[(3, 2)],
           kwargs=[{"axis": (), "initial": 1.5, "where": np.array([True, False])},
                   {"axis": (), "initial": 0.7, "keepdims": True}])
      for u in DOMAINS if u not in (np.fmod, np.remainder)),
    op_case(np.hypot.reduce, name="hypot.reduce of negative numbers", domain=(-2, -0.5), nin=1,
            calls=[(4,), (3, 2)], tolerance=VALUE),
    *(op_case(u.reduce, name=f"{u.__name__}.reduce of large numbers", domain=(700, 710), nin=1,
              calls=[(4,), (3, 2)], tolerance=VALUE) for u in (np.logaddexp, np.logaddexp2)),
    *(case(u.accumulate, "accumulate", u, calls=[(5,), (3, 2), (1, 2), (0, 2)],
           kwargs=[{}, {"axis": -1}]) for u in DOMAINS),
    *(case(lambda x, u=u: u.reduceat(x, [0, 2, 1, 4, 4, 3]), "reduceat", u, calls=[(6,), (6, 2)],
           reference=ranges_from_the_left(u, [0, 2, 1, 4, 4, 3])) for u in DOMAINS),
    *(case(lambda x, u=u: u.reduceat(x, np.array([1, 3]), axis=-1), "reduceat along the last axis",
           u, calls=[(2, 5)]) for u in DOMAINS),
    *(op_case(u.outer, name=f"{u.__name__}.outer", domain=DOMAINS[u], nin=2,
              calls=[((3,), (2,)), ((2, 2), (3,)), ((), (2,)), ((2,), 1.5), ((0,), (2,))],
              skip={"float32": FLOAT64} if u is np.float_power else {})
      for u in DOMAINS if u not in (np.fmod, np.remainder)),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_op(case):
    case.check()


def watched(*values):
    tape = gt.GradientTape(persistent=True)
    return tape, [gt.array(v) for v in values]


def gradient(function, value):
    x = gt.array(value)
    with gt.GradientTape() as tape:
        x = tape.watch(x)
        y = function(x)
    return tape.gradient(y, x).numpy()


# ---------------------------------------------------------------------------------- reduce


def test_the_default_axis_is_0():
    x = np.arange(6.0).reshape(3, 2)
    assert np.add.reduce(gt.array(x)).numpy().tolist() == [6, 9]


def test_reduce_of_a_scalar_and_with_a_dtype():
    assert float(np.multiply.reduce(gt.array(3.0))) == 3
    y = np.add.reduce(gt.array([1.0, 2.0]), dtype=np.float32)
    assert y.dtype == np.float32 and float(y) == 3


def test_reduce_into_out():
    out = np.zeros(2)
    x = gt.array([[1.0, 2.0], [3.0, 4.0]])
    with gt.GradientTape() as tape:
        x = tape.watch(x)
        y = np.logaddexp.reduce(x, axis=0, out=out)
    np.testing.assert_allclose(out, np.logaddexp.reduce([[1.0, 2.0], [3.0, 4.0]], axis=0))
    np.testing.assert_allclose(tape.gradient(y, x).numpy().sum(axis=0), [1, 1])


@pytest.mark.parametrize("ufunc", [np.maximum, np.minimum, np.fmax, np.fmin])
def test_ties_of_a_reduction_share_evenly(ufunc):
    assert gradient(ufunc.reduce, [2.0, 2.0]).tolist() == [0.5, 0.5]


@pytest.mark.parametrize("ufunc", [np.maximum, np.minimum, np.fmax, np.fmin])
def test_ties_of_an_accumulation_go_to_the_first(ufunc):
    assert gradient(ufunc.accumulate, [2.0, 2.0, 2.0]).tolist() == [3, 0, 0]


def test_nan_in_accumulations():
    x = np.array([np.nan, 1.0, np.nan, 3.0, 2.0])
    for ufunc in (np.maximum, np.minimum, np.fmax, np.fmin):
        for values in (x, x[1:]):
            found = ufunc.accumulate(gt.array(values)).numpy()
            np.testing.assert_array_equal(found, ufunc.accumulate(values))
    assert gradient(np.fmax.accumulate, x).tolist() == [1, 2, 0, 2, 0]
    assert gradient(np.maximum.accumulate, x[1:]).tolist() == [1, 3, 0, 0]


def test_fmax_reduce_passes_over_nan():
    assert gradient(np.fmax.reduce, [np.nan, 1.0, 3.0]).tolist() == [0, 0, 1]
    masked = np.fmin.reduce(gt.array([1.0, 2.0]), where=[False, True], initial=9.0)
    assert float(masked) == 2


def test_logaddexp_reduce_of_extremes():
    inf = np.inf
    for x in ([-inf, -inf], [inf, 1.0], [inf, inf], [1e4, 1e4 + 1], [-1e4, -1e4 - 1], [-inf, 2.0]):
        found = float(np.logaddexp.reduce(gt.array(x)))
        assert found == pytest.approx(float(np.logaddexp.reduce(np.array(x))), rel=1e-15)
    assert gradient(np.logaddexp.reduce, [-inf, 2.0]).tolist() == [0, 1]
    assert gradient(np.logaddexp.reduce, [inf, 2.0]).tolist() == [1, 0]
    assert gradient(np.logaddexp.reduce, [-inf, -inf]).tolist() == [0.5, 0.5]


def test_hypot_reduce_neither_overflows_nor_is_nan_at_0():
    np.testing.assert_allclose(gradient(np.hypot.reduce, [3e200, 4e200]), [0.6, 0.8])
    assert gradient(np.hypot.reduce, [0.0, 0.0]).tolist() == [0, 0]


def test_an_empty_reduction_is_numpys():
    for ufunc in (np.add, np.multiply, np.logaddexp, np.hypot):
        found = ufunc.reduce(gt.array(np.zeros((0, 2))))
        np.testing.assert_array_equal(found.numpy(), ufunc.reduce(np.zeros((0, 2))))
    for ufunc in (np.maximum, np.fmax, np.subtract):
        with pytest.raises(ValueError, match="nothing to choose from"):
            ufunc.reduce(gt.array(np.zeros((0, 2))))


def test_what_numpy_refuses_is_refused():
    with pytest.raises(ValueError, match="not reorderable"):
        np.subtract.reduce(gt.array(np.ones((2, 2))), axis=(0, 1))
    with pytest.raises(IndexError, match="out-of-bounds"):
        np.add.reduceat(gt.array([1.0, 2.0]), [5])
    with pytest.raises(TypeError, match="scalar"):
        np.add.accumulate(gt.array(1.0))
    with pytest.raises(np.exceptions.AxisError):
        np.logaddexp.accumulate(gt.array([1.0]), axis=1)


@pytest.mark.parametrize("method", ["reduce", "accumulate", "reduceat"])
@pytest.mark.parametrize(("ufunc", "dtype"), [
    (np.logaddexp, complex), (np.logaddexp2, int), (np.hypot, complex), (np.divide, int),
    (np.arctan2, int), (np.copysign, int), (np.float_power, np.float32),
])  # fmt: skip
def test_a_dtype_without_a_loop_is_refused(ufunc, dtype, method):
    rest = ([0],) if method == "reduceat" else ()
    with pytest.raises(TypeError, match="No loop matching"):
        getattr(ufunc, method)(np.ones(2), *rest, dtype=dtype)
    with pytest.raises(DTypeError, match=f"{ufunc.__name__}.{method}: it is not computed in"):
        getattr(ufunc, method)(gt.array(np.ones(2)), *rest, dtype=dtype)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=9))
def test_weights_of_logaddexp_reduce_are_a_softmax(values):
    g = gradient(np.logaddexp.reduce, values)
    e = np.exp(np.array(values) - np.max(values))
    np.testing.assert_allclose(g, e / e.sum(), rtol=1e-12)


# ---------------------------------------------------------------------- steps and integers


def test_methods_of_steps_have_no_gradient_and_say_so():
    x = gt.array([5.5, 2.0])
    with gt.GradientTape() as tape:
        x = tape.watch(x)
        results = {
            "floor_divide.reduce": np.floor_divide.reduce(x),
            "less": np.less.outer(x, x),
            "logical_and.reduce": np.logical_and.reduce(x),
            "equal.accumulate": np.logical_or.accumulate(x),
        }
    for name, y in results.items():
        assert isinstance(y, Tensor) and y.key == 0
        for why in flatten_why(y.why):  # one for each operand
            assert why[0] == "nondifferentiable"
            assert why[4] in (name, "logical_or.accumulate")
    assert results["less"].numpy().tolist() == [[False, False], [True, False]]


def test_integer_reductions_are_numpys():
    i = np.array([6, 4, 10])
    for ufunc in (np.gcd, np.bitwise_or, np.add, np.maximum):
        found = ufunc.reduce(gt.array(i))
        assert int(found) == ufunc.reduce(i) and found.dtype == ufunc.reduce(i).dtype


# -------------------------------------------------------------------------------------- at


@pytest.mark.parametrize("ufunc", [np.add, np.subtract, np.multiply, np.maximum, np.power,
                                   np.divide, np.logaddexp])  # fmt: skip
@pytest.mark.parametrize("indices", [[0, 2], [0, 0, 2, 0], 1, (slice(1, 3),)])
def test_at_writes_a_tensor_and_is_differentiable(ufunc, indices):
    rng = np.random.default_rng(3)
    a, b = rng.uniform(0.6, 1.4, 4), rng.uniform(0.6, 1.4, np.shape(np.zeros(4)[indices]))
    weights = rng.normal(size=4)

    def applied(a, b):
        a = a.copy()
        ufunc.at(a, indices, b)
        return a

    x, y = gt.array(a), gt.array(b)
    with gt.GradientTape() as tape:
        x, y = tape.watch(x), tape.watch(y)
        z = x * 1.0
        assert ufunc.at(z, indices, y) is None
        loss = np.sum(z * weights)
    np.testing.assert_allclose(z.numpy(), applied(a, b), rtol=1e-14)
    gx, gy = tape.gradient(loss, [x, y])
    h = 1e-6
    for d, g, moved in (
        (rng.normal(size=a.shape), gx, lambda t, d: applied(a + t * d, b)),
        (rng.normal(size=np.shape(b)), gy, lambda t, d: applied(a, b + t * d)),
    ):
        numeric = np.sum(weights * (moved(h, d) - moved(-h, d))) / (2 * h)
        assert float(np.sum(g.numpy() * d)) == pytest.approx(numeric, rel=1e-6, abs=1e-8)


def test_at_of_one_operand():
    x = gt.array([1.0, 2.0, 3.0])
    with gt.GradientTape() as tape:
        x = tape.watch(x)
        y = x * 1.0
        np.square.at(y, [1, 1, 2])
    assert y.numpy().tolist() == [1, 16, 9]
    assert tape.gradient(y, x).numpy().tolist() == [1, 32, 6]


@pytest.mark.parametrize("ufunc", [np.add, np.multiply, np.maximum, np.hypot])
def test_at_no_place_changes_nothing(ufunc):
    x = np.array([1.0, 2.0])
    with gt.GradientTape() as tape:
        watched = tape.watch(x)
        y = watched * 3.0
        ufunc.at(y, [], 2.0)
    assert y.numpy().tolist() == [3, 6]
    assert tape.gradient(y, watched).numpy().tolist() == [3, 3]


def test_at_on_a_plain_array_stores_the_value():
    plain = np.zeros(3)
    np.add.at(plain, [0, 0, 2], gt.array([1.0, 2.0, 4.0]))
    assert plain.tolist() == [3, 0, 4]
    np.multiply.at(plain, [2], gt.array(0.5))
    assert plain.tolist() == [3, 0, 2]


def test_at_refuses_a_dtype_that_does_not_fit():
    with pytest.raises(DTypeError, match="complex128 cannot be added into float64"):
        np.add.at(gt.array([1.0]), [0], np.array([1j]))
    with pytest.raises(ValueError, match="second operand"):
        np.add.at(gt.array([1.0]), [0])


def test_at_adds_one_place_after_another_as_numpy_does():
    a, plain = gt.array([0.1, 5.0]), np.array([0.1, 5.0])
    for x in (a, plain):
        np.add.at(x, [0, 0], [0.2, 0.3])
        np.subtract.at(x, [0, 0], [0.7, 0.4])
    assert a.numpy().tobytes() == plain.tobytes()


def at(ufunc, x, index, *values):
    x = x * 1.0
    ufunc.at(x, index, *values)
    return x + 0.0


AT = {
    "add": (np.add, np.array([1, 3, 1, -1]), np.array([0.3, -1.7, 0.2, 4.0])),
    "subtract": (np.subtract, np.array([1, 3, 1, -1]), np.array([0.3, -1.7, 0.2, 4.0])),
    "a number": (np.add, np.array([1, 3, 1, -1]), 0.7),
    "one place": (np.multiply, np.int64(2), 0.7),
    "one place of a list": (np.maximum, np.array([2]), np.array([9.0])),
    "one operand": (np.negative, np.int64(-2)),
    "a mask": (np.hypot, np.array([True, False, True, True, False]), 2.0),
    "a mask, added": (np.add, np.array([True, False, True, True, False]), 2.0),
}


@pytest.mark.parametrize("ufunc, index, values", [(u, i, v) for u, i, *v in AT.values()], ids=AT)
def test_at_places_that_are_not_known_while_tracing(ufunc, index, values):
    x = np.array([0.5, -1.5, 2.5, 0.25, 1.0])
    eager = at(ufunc, x, index, *values)
    for backend in ("llvm", "numpy"):
        compiled = gt.function(functools.partial(at, ufunc), backend=backend)
        for _ in range(3):
            assert compiled(x, index, *values).tobytes() == eager.tobytes()
    several = np.stack([x, x[::-1]]), np.stack([index, np.flip(index)])
    each = [at(ufunc, a, i, *values) for a, i in zip(*several, strict=True)]
    mapped = gt.vmap(lambda a, i: at(ufunc, a, i, *values))
    for function in (mapped, gt.function(mapped)):
        assert function(*several).tobytes() == np.stack(each).tobytes()

    def slope(x, index, *values):
        weights = np.arange(1.0, 6.0)
        return gt.grad(lambda x: np.sum(weights * at(ufunc, x, index, *values) ** 2))(x)

    np.testing.assert_allclose(gt.function(slope)(x, index, *values), slope(x, index, *values))


def test_at_places_that_are_not_known_in_two_axes():
    def f(x, index, v):
        x = x * 1.0
        np.add.at(x, (slice(None), index), v)
        np.subtract.at(x, (index[0], slice(1, 3)), v[:2, 0])
        return x + 0.0

    x, index, v = np.arange(12.0).reshape(3, 4), np.array([1, 1, 0, 2]), np.arange(12.0)[::-1]
    v = v.reshape(3, 4)
    assert gt.function(f)(x, index, v).tobytes() == f(x, index, v).tobytes()


def test_at_many_places_that_are_not_known_says_what_to_write():
    index = np.array([0, 0])
    with pytest.raises(TracingError, match=r"np\.multiply\.at of float64\[3\](?s:.)*fori_loop"):
        gt.function(functools.partial(at, np.multiply))(np.ones(3), index, np.ones(2))

    def instead(x, index, v):
        def body(n, a):
            a = a + 0.0
            a[index[n]] = np.multiply(a[index[n]], v[n])
            return a

        return gt.fori_loop(0, 2, body, x)

    assert gt.function(instead)(np.ones(3), index, np.array([2.0, 3.0])).tolist() == [6, 1, 1]
    with pytest.raises(TracingError, match="depends on values"):
        gt.function(functools.partial(at, np.add))(np.ones(3), np.ones(3, bool), np.ones(3))
    with pytest.raises(IndexError, match=r"index 7 is out of bounds(?s:.)*Indexed at"):
        gt.function(functools.partial(at, np.add))(np.ones(3), np.array([7]), np.ones(1))


def test_outer_passes_its_keywords_on():
    x = gt.array([1.0, 2.0])
    out = np.zeros((2, 2), np.float32)
    y = np.multiply.outer(x, [3.0, 4.0], out=out, dtype=np.float32)
    assert y.dtype == np.float32 and out.tolist() == [[3, 4], [6, 8]]
    assert np.divmod.outer(np.array([5.0, 7.0]), gt.array([2.0]))[1].numpy().tolist() == [[1], [1]]
