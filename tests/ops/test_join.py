"""Joining and splitting: against NumPy, and by op_case."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gradtape as gt
from gradtape.testing import op_case


def joined(function, **fixed):
    """`function([x, y, ...])` as a function of its parts."""

    def call(*arrays, **kwargs):
        return function(list(arrays), **fixed, **kwargs)

    call.__name__ = f"{function.__name__}{fixed or ''}"
    return call


PAIR = [((2, 3), (2, 3)), ((0, 2), (0, 2)), ((2, 1, 2), (2, 1, 2))]
CASES = [
    *(op_case(lambda a, f=f: f([a]), name=f"{f.__name__} of one", calls=[(3,), (2, 2)])
      for f in (np.stack, np.concatenate)),
    op_case(joined(np.stack), calls=[((), ()), ((3,), (3,), (3,)), *PAIR], complex=True, nin=2),
    *(op_case(lambda x, y, f=f: f([x, y * (1 + 2j)]), name=f"{f.__name__} of real and complex",
              nin=2, calls=[((3,), (3,))])
      for f in (np.stack, np.concatenate)),
    op_case(joined(np.stack, axis=-1), calls=[((3,), (3,)), *PAIR], nin=2),
    op_case(joined(np.stack, axis=1, dtype=np.float64), calls=[((2, 2), (2, 2))], nin=2,
            skip={"float32": "dtype= asks for float64"}),
    op_case(joined(np.concatenate), nin=2, complex=True,
            calls=[((3,), (2,)), ((2, 3), (1, 3), (0, 3)), ((2, 1, 2), (1, 1, 2))]),
    op_case(joined(np.concatenate, axis=-1), nin=2, calls=[((2, 3), (2, 1)), ((0, 3), (0, 2))]),
    op_case(joined(np.concatenate, axis=None), nin=2, calls=[((2, 3), (4,), ()), ((0,), (2, 1))]),
    op_case(joined(np.concat), nin=2, calls=[((3,), (2,))]),
    op_case(joined(np.vstack), nin=2, calls=[((3,), (3,)), ((2, 3), (3,)), ((), ())]),
    op_case(joined(np.hstack), nin=2, calls=[((3,),), ((3,), (2,)), ((2, 3), (2, 1)), ((), ())]),
    op_case(joined(np.dstack), nin=2,
            calls=[((3,), (3,)), ((2, 3), (2, 3)), ((2, 1, 2), (2, 1, 1))]),
    op_case(joined(np.column_stack), nin=2, calls=[((3,), (3,)), ((3, 2), (3,))]),
    op_case(lambda a, b, c, d: np.block([[a, b], [c, d]]), name="block", nin=4,
            calls=[((2, 2), (2, 1), (1, 2), (1, 1)), ((1, 2), (1, 1), (2,), (1,))]),
    op_case(lambda a, b: np.block([[[a, b]], [[b, 2 * a]]]), name="block of depth 3", nin=2,
            calls=[((2,), (2,)), ((), ()), ((1, 2), (2,)), ((2, 1, 2), (2, 1, 2))]),
    op_case(lambda a, b: np.block([a, b]), name="block of depth 1", nin=2,
            calls=[((2,), (3,)), ((2, 1), (2, 2))]),
    op_case(lambda a: np.block(a), name="block of depth 0", calls=[(), (2,)]),
    op_case(np.array_split, calls=[((7,), 3), ((7, 2), 4), ((2, 3), [1], 1), ((0,), 2)]),
    op_case(np.split, calls=[((6,), 3), ((6, 2), [1, 4]), ((2, 4), 2, 1), ((2, 4), [3], -1)],
            complex=True),
    op_case(np.hsplit, calls=[((4,), 2), ((2, 4), 2), ((2, 4), [1, 3])]),
    op_case(np.vsplit, calls=[((4, 2), 2), ((4, 2), [3])]),
    op_case(np.dsplit, calls=[((1, 2, 4), 2)]),
]  # fmt: skip
if hasattr(np, "unstack"):
    CASES += [op_case(np.unstack, calls=[(3,), (2, 3)], kwargs=[{}, {"axis": -1}])]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_op(case):
    case.check()


def test_the_parts_of_a_join_may_be_plain_numbers_lists_and_tensors():
    x = gt.Variable([1.0, 2.0])
    with gt.GradientTape() as tape:
        a = np.stack([x[0], 3.0, x[1] * x[1]])
        b = np.concatenate([x, [5.0, x[0]], np.ones(1)])
        loss = np.sum(a * a) + np.sum(b * b)
    np.testing.assert_array_equal(a.numpy(), [1.0, 3.0, 4.0])
    np.testing.assert_array_equal(b.numpy(), [1.0, 2.0, 5.0, 1.0, 1.0])
    # a: 2 a0 + d(x1^4); b: 2 x0 + 2 x1, and x0 a second time
    np.testing.assert_allclose(tape.gradient(loss, x).numpy(), [6.0, 4 * 8.0 + 4.0])


@given(hnp.array_shapes(min_dims=1, max_dims=3, max_side=4, min_side=0), st.data())
def test_splitting_undoes_joining(shape, data):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    lengths = data.draw(st.lists(st.integers(0, 3), min_size=1, max_size=4))
    rng = np.random.default_rng(0)
    parts = [
        rng.normal(size=(*shape[: axis % len(shape)], n, *shape[axis % len(shape) + 1 :]))
        for n in lengths
    ]
    variables = [gt.Variable(part) for part in parts]
    with gt.GradientTape() as tape:
        joined = np.concatenate(variables, axis)
        pieces = np.split(joined, np.cumsum(lengths)[:-1], axis)
        loss = sum(np.sum(piece * piece) / 2 for piece in pieces)
    np.testing.assert_array_equal(joined.numpy(), np.concatenate(parts, axis))
    for piece, part, g in zip(pieces, parts, tape.gradient(loss, variables), strict=True):
        np.testing.assert_array_equal(piece.numpy(), part)
        np.testing.assert_array_equal(g.numpy(), part)


def test_joins_follow_numpys_promotion():
    f32, i64 = gt.array(np.ones(2, np.float32)), gt.array([1, 2])
    assert np.concatenate([f32, i64]).dtype == np.float64
    assert np.stack([f32, f32]).dtype == np.float32
    assert np.concatenate([f32, i64], dtype=np.float32).dtype == np.float32
    with pytest.raises(TypeError, match="same_kind"):
        np.concatenate([f32, i64], dtype=np.int8)


def test_a_gradient_flows_into_the_float_part_of_a_mixed_join():
    x = gt.Variable(np.ones(2, np.float32))
    with gt.GradientTape() as tape:
        loss = np.sum(np.concatenate([x, np.arange(2)]) ** 2)
    g = tape.gradient(loss, x)
    assert g.dtype == np.float32
    np.testing.assert_array_equal(g.numpy(), [2.0, 2.0])


def test_a_real_part_of_a_complex_join_has_a_real_gradient():
    x = gt.Variable([1.0, 2.0])
    with gt.GradientTape() as tape:
        z = np.concatenate([x, [1j]])
        loss = np.sum(np.real(z * np.conj(z)))
    g = tape.gradient(loss, x)
    assert g.dtype == np.float64
    np.testing.assert_allclose(g.numpy(), [2.0, 4.0])


def test_concatenate_into_out():
    x, out = gt.Variable([1.0, 2.0]), gt.zeros(3)
    with gt.GradientTape() as tape:
        np.concatenate([x, [3.0]], out=out)
        loss = np.sum(out * out)
        np.concatenate([x, [7.0]], 0, out)
    assert out[2] == 7.0
    np.testing.assert_allclose(tape.gradient(loss, x).numpy(), [2.0, 4.0])


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda x: np.stack([x, x[:1]]), ValueError, "same shape"),
        (lambda x: np.stack([x, x], axis=5), ValueError, "axis 5 does not exist"),
        (lambda x: np.concatenate([x, x[None]]), ValueError, "same number of dimensions"),
        (lambda x: np.concatenate([x[0], x[0]]), ValueError, "zero-dimensional"),
        (lambda x: np.concatenate([x, x], axis=1), ValueError, "axis 1 does not exist"),
        (lambda x: np.split(x, 2), ValueError, "equal division"),
        (lambda x: np.array_split(x, 0), ValueError, "larger than 0"),
        (lambda x: np.vsplit(x, 1), ValueError, "2 or more"),
        (lambda x: np.dsplit(x, 1), ValueError, "3 or more"),
        (lambda x: np.hsplit(x[0], 1), ValueError, "1 or more"),
        (lambda x: np.block([[x], x]), ValueError, "depths are mismatched"),
        (lambda x: np.block([x, []]), ValueError, "empty"),
        (lambda x: np.block((x, x)), TypeError, "tuple"),
    ],
)  # fmt: skip
def test_what_numpy_refuses_is_refused_in_the_same_class(call, error, said):
    plain = np.array([1.0, 2.0, 3.0])
    with pytest.raises(error):
        call(plain)
    with pytest.raises(error, match=said):
        call(gt.array(plain))


@pytest.mark.skipif(not hasattr(np, "unstack"), reason="np.unstack came with NumPy 2.1")
def test_unstack_refuses_a_number():
    with pytest.raises(ValueError, match="at least 1-d"):
        np.unstack(gt.array(1.0))


def test_parts_of_a_split_are_views():
    x = gt.array(np.arange(6.0))
    first, second = np.split(x, 2)
    second[0] = 10.0
    np.testing.assert_array_equal(x.numpy(), [0, 1, 2, 10, 4, 5])
    x[0] = -1.0
    np.testing.assert_array_equal(first.numpy(), [-1, 1, 2])


def test_many_parts_cost_linear_work():
    """A stack of n elements is one record, and its gradient adds each element once."""
    n = 2000
    x = gt.Variable(np.arange(float(n)))
    with gt.GradientTape() as tape:
        y = gt.stack([x[i] for i in range(n)])
        z = np.concatenate([y[i : i + 1] for i in range(n)])
        loss = np.sum(z * z)
    np.testing.assert_allclose(tape.gradient(loss, x).numpy(), 2 * np.arange(float(n)))
