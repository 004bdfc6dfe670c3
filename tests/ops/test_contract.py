"""matmul, dot, tensordot, einsum and their kin: rules, options, what is kept, accuracy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gradtape as gt
from gradtape.core.aval import Aval
from gradtape.core.state import CARD
from gradtape.errors import ShapeError
from gradtape.ops import contract
from gradtape.testing import op_case

PAIRS = [
    ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((2, 2, 3), (3, 4)),
    ((2, 3), (2, 3, 2)), ((3,), (2, 3, 2)), ((2, 2, 3), (3,)), ((2, 1, 2, 3), (3, 3, 2)),
    ((0, 3), (3, 2)), ((2, 0), (0, 2)),
]  # fmt: skip
LAST = [((3,), (3,)), ((2, 3), (3,)), ((3,), (2, 3)), ((2, 3), (4, 3)), ((2, 2, 3), (4, 3))]


def einsum(subscripts, **options):
    """np.einsum with the subscripts bound, so that only operands are drawn."""

    def call(*operands):
        return np.einsum(subscripts, *operands, **options)

    call.__name__ = f"einsum {subscripts} {options or ''}"
    return call


def plane_cross(x, y):
    """`np.cross` of vectors some of which have length 2, which NumPy 2.5 takes no more."""
    padded = [np.concatenate([v, np.zeros((*v.shape[:-1], 3 - v.shape[-1]))], -1) for v in (x, y)]
    found = np.cross(*padded)
    return found[..., 2] if x.shape[-1] == y.shape[-1] == 2 else found


EINSUMS = [
    ("i->i", (3,)), ("i->", (3,)), ("ij->ji", (2, 3)), ("ii", (3, 3)), ("ii->i", (3, 3)),
    ("iij->j", (2, 2, 3)),
    ("ijj->ij", (2, 3, 3)), ("iji->ij", (2, 3, 2)), ("iii->i", (2, 2, 2)), ("iijj->ij",
    (2, 2, 3, 3)),
    ("...i->...", (2, 3)), ("...i", (2, 3)), ("i...->...", (2, 3)), ("ba", (2, 3)), ("...", (2, 3)),
    ("i...j->j...i", (2, 3, 4)), ("i,j", (2,), (3,)), ("i,i", (3,), (3,)), ("i,j->", (2,), (3,)),
    ("i,->i", (3,), ()), (",", (), ()), ("ij,jk", (2, 3), (3, 2)), ("ij,jk->ki", (2, 3), (3, 2)),
    ("ij,ij->ij", (2, 3), (2, 3)), ("ij,ij->ij", (1, 3), (2, 3)), ("ij,ij->j", (1, 3), (2, 3)),
    ("ij,ij->", (2, 1), (2, 3)), ("ii,ij->j", (2, 2), (2, 3)), ("ii,jj->ij", (2, 2), (3, 3)),
    ("...ij,...jk->...ik", (2, 2, 3), (3, 2)), ("...,...", (2, 3), (3,)), ("i...,i...", (2, 3),
    (2, 1)),
    ("ij,j,jk->ik", (2, 3), (3,), (3, 2)), ("i,j,k,l->", (2,), (2,), (2,), (2,)),
    ("ij,jk,kl->il", (2, 3), (3, 2), (2, 2)), ("a b , b -> a", (2, 3), (3,)), ("ij->", (0, 3)),
    ("bhqd,bhkd->bhqk", (2, 2, 3, 2), (2, 2, 2, 2)), ("ijk->k", (2, 3, 2)),
]  # fmt: skip

DEPRECATED_ALL = {"variants": "what it is compared with knows these shapes alone"}
LARGE = dict.fromkeys(("second", "kinks", "variants"), "small operands are looked at above")
DEPRECATED = {
    f"variants: operand {i} {what}": "NumPy's warning of vectors with two components"
    for i in (0, 1) for what in ("with one more axis", "without its first axis")
}  # fmt: skip
MISREAD = {"variants: operand 0 with nothing along the first axis":
           "NumPy reads a diagonal that is not there"}  # fmt: skip
CASES = [
    op_case(np.matmul, calls=PAIRS, complex=True),
    op_case(np.dot, calls=[*PAIRS[:5], ((2, 3), (4, 3, 2)), ((2, 2, 3), (2, 3, 2)), ((3,),
                 (2, 3, 2)),
                           ((), (2, 2)), ((2,), ()), ((), ()), (2.5, (3,))], complex=True),
    op_case(np.inner, calls=[*LAST, ((2, 3), (2, 2, 3)), ((), (2, 2)), ((2,), ())], complex=True),
    op_case(np.vdot, calls=[((3,), (3,)), ((2, 3), (2, 3)), ((2, 3), (6,)), ((),
                 ())], complex=True),
    op_case(np.outer, calls=[((3,), (2,)), ((2, 2), (3,)), ((), (3,)), ((0,), (2,))], complex=True),
    op_case(np.kron, calls=[((2,), (3,)), ((2, 3), (2, 2)), ((2, 2), (3,)), ((3,), (2, 2)), ((),
                 (2,)),
                            ((2, 1, 2), (2, 2))], complex=True),
    op_case(np.tensordot, name="tensordot", calls=[((2, 3), (2, 3)), ((4, 2, 3), (2, 3, 2))],
            complex=True),
    *(
        op_case(np.tensordot, name=f"tensordot {axes}", calls=calls, kwargs=[{"axes": axes}],
                complex=axes == 1)
        for axes, calls in [
            (0, [((2,), (3,)), ((), (2,)), ((2, 2), (3,))]), (1, [((3,), (3,)), ((2, 3), (3, 4))]),
            (([1, 0], [0, 1]), [((2, 3), (3, 2)), ((2, 3, 4), (3, 2))]),
            ((-1, 0), [((2, 3), (3, 2, 2))]), (((2, 0), (0, 2)), [((3, 2, 4), (4, 2, 3))]),
            (([], []), [((2,), (2,))]),
        ]
    ),
    op_case(np.vecdot, calls=[*LAST[:3], ((2, 1, 3), (4, 3))], complex=True),
    *(
        op_case(getattr(np, name), calls=calls, complex=True)
        for name, calls in [
            ("matvec", [((2, 3), (3,)), ((2, 2, 3), (3,)), ((2, 3), (4, 3)), ((2, 2, 3), (2, 3))]),
            ("vecmat", [((3,), (3, 2)), ((4, 3), (3, 2)), ((3,), (2, 3, 2)), ((2, 3), (2, 3, 2))]),
        ]
        if hasattr(np, name)
    ),
    op_case(np.matmul, name="matmul axes", calls=[((3, 2), (2, 3, 4))],
            kwargs=[{"axes": [(1, 0), (1, 2), (0, 2)]}, {"axes": [(0, 1), (0, 2), (-1, -2)]}][:1]),
    op_case(np.vecdot, name="vecdot axis", calls=[((3, 2), (3, 2))],
            kwargs=[{"axis": 0}, {"axes": [0, 0]}, {"axis": 0, "keepdims": True}, {"axes": [0, 0,
            ()]}]),
    op_case(np.matmul, name="matmul dtype", calls=[((2, 3), (3, 2))],
            kwargs=[{"dtype": np.complex128}], skip={"float32": "the result is complex128"}),
    op_case(np.cross, calls=[((3,), (3,)), ((2, 3), (3,)), ((3,), (2, 3)), ((2, 1, 3), (4, 3))],
            complex=True),
    op_case(np.cross, name="cross axis", calls=[((3, 2), (3, 2))], kwargs=[{"axis": 0}],
            skip=DEPRECATED),
    op_case(np.cross, name="cross axes", calls=[((3, 2), (2, 3)), ((3, 1), (4, 3))],
            kwargs=[{"axisa": 0}, {"axisa": 0, "axisc": 0}], skip=DEPRECATED),
    op_case(np.cross, name="cross of plane vectors", reference=plane_cross, skip=DEPRECATED_ALL,
            calls=[((2,), (2,)), ((4, 2), (2,)), ((2,), (3,)), ((4, 3), (2,))]),
    op_case(np.matmul, name="matmul of many rows", complex=True, skip=LARGE,
            calls=[((20_003, 4), (4,)), ((20_000, 4), (4, 2))]),
    *(op_case(einsum(s), calls=[tuple(shapes) if len(shapes) > 1 else shapes[0]],
              complex=n % 3 == 0, name=f"einsum {s} {shapes}",
              skip=MISREAD if s in ("ii->i", "iji->ij", "iii->i", "iijj->ij") else {})
      for n, (s, *shapes) in enumerate(EINSUMS)),
    op_case(einsum("ij,jk,kl->il", optimize=True), calls=[((2, 3), (3, 2), (2, 2))]),
    op_case(einsum("ij,jk,kl->il", optimize="greedy"), calls=[((2, 3), (3, 2), (2, 2))]),
    op_case(einsum("ij,jk,kl->il", optimize=["einsum_path", (1, 2), (0, 1)]),
            calls=[((2, 3), (3, 2), (2, 2))]),
    op_case(einsum("ij,j->i", order="F"), calls=[((2, 3), (3,))]),
    op_case(einsum("ij,j->i", dtype=np.float64), calls=[((2, 3), (3,))],
            skip={"float32": "the result is float64"}),
    op_case(lambda x, y: np.einsum(x, [0, 1], y, [1, 2]), name="einsum sublists",
            calls=[((2, 3), (3, 2))]),
    op_case(lambda x, y: np.einsum(x, [Ellipsis, 7], y, [7, 3], [3, Ellipsis]),
            name="einsum sublists with output", calls=[((2, 4, 3), (3, 2))]),
    op_case(lambda x: np.einsum(x, [1, 0]), name="einsum implicit transpose", calls=[(2, 3)]),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_op(case):
    case.check()


@given(data=st.data())
def test_einsum_of_random_subscripts(data):
    """Any two operands with repeated indices and any output: value and both gradients."""
    letters = st.sampled_from("ijk")
    sizes = {"i": 2, "j": 3, "k": 1}
    terms = [
        "".join(data.draw(st.lists(letters, min_size=0, max_size=3))),
        "".join(data.draw(st.lists(letters, min_size=0, max_size=3))),
    ]
    output = "".join(data.draw(st.permutations(sorted(set("".join(terms))))))
    output = output[: data.draw(st.integers(0, len(output)))]
    subscripts = ",".join(terms) + "->" + output
    shapes = tuple(tuple(sizes[c] for c in term) for term in terms)
    op_case(einsum(subscripts), calls=[shapes]).check()


@given(
    batch=st.sampled_from([((), ()), ((2,), ()), ((), (2,)), ((2,), (2,)), ((2, 1), (3,))]),
    n=st.integers(0, 3), k=st.integers(0, 3), m=st.integers(0, 3),
)  # fmt: skip
def test_matmul_of_random_stacks(batch, n, k, m):
    op_case(np.matmul, calls=[((*batch[0], n, k), (*batch[1], k, m))], skip={}).check()


# ------------------------------------------------------------------------------ what is kept


def _kept(function, *operands, watched):
    with gt.GradientTape() as tape:
        operands = [tape.watch(x) if i in watched else x for i, x in enumerate(operands)]
        out = function(*operands)
    records = [
        rec for rec in tape._recorder.ops if rec[CARD].name in ("matmul", "einsum", "tensordot")
    ]
    assert len(records) == 1
    assert out is not None
    return [None if isinstance(x, Aval) else x for x in records[0][9]]


@pytest.mark.parametrize(
    "function",
    [np.matmul, np.dot, lambda x, y: np.einsum("ij,jk", x, y), lambda x, y: np.tensordot(x, y, 1)],
)
def test_only_the_operand_is_kept_that_the_followed_one_needs(function):
    x, y = np.ones((2, 3)), np.ones((3, 2))
    kept = _kept(function, x, y, watched={1})
    assert kept[0] is not None and kept[1] is None
    kept = _kept(function, x, y, watched={0})
    assert kept[0] is None and kept[1] is not None
    assert all(v is not None for v in _kept(function, x, y, watched={0, 1}))


# ---------------------------------------------------------------------- a tall matrix's vjp


@pytest.mark.parametrize("shape", [(), (3,)])
@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
def test_the_product_of_a_tall_matrix_is_accurate(shape, dtype):
    """X^H @ ct in blocks of rows, the leftover rows too, against double precision."""
    rng = np.random.default_rng(0)
    n = 47_123
    x = rng.normal(size=(n, 6)).astype(dtype)
    if np.iscomplexobj(x):
        x += 1j * rng.normal(size=x.shape).astype(np.float32)
    w = gt.Variable(rng.normal(size=(6, *shape)).astype(dtype))
    weights = rng.normal(size=(n, *shape)).astype(np.float32)
    with gt.GradientTape() as tape:
        loss = np.sum(np.real(x @ w) * weights)
    g = tape.gradient(loss, w)
    exact = x.astype(np.complex128).conj().T @ weights.astype(np.float64)
    assert g.dtype == dtype
    assert g.shape == w.shape
    np.testing.assert_allclose(g.value, exact, atol=2e-6 * np.abs(x).sum(axis=0).max())


@pytest.mark.parametrize("shape", [(), (3,)])
def test_no_product_gets_the_broadcast_cotangent_of_a_sum(monkeypatch, shape):
    """It is one number seen through zero strides, which BLAS does not take (50 x slower)."""
    strides = []

    class Watching:
        def __getattr__(self, name):
            return getattr(np, name)

        def matmul(self, x, y):
            strides.extend(x.strides + y.strides)
            return np.matmul(x, y)

    w = gt.Variable(np.ones((20, *shape)))
    with gt.GradientTape() as tape:
        loss = np.sum(np.ones((30_000, 20)) @ w)
    monkeypatch.setattr(contract, "np", Watching())
    np.testing.assert_array_equal(tape.gradient(loss, w).value, 30_000)
    assert strides
    assert 0 not in strides


# ----------------------------------------------------------------------------------- options


def test_out_takes_the_product_and_its_gradient():
    x, w = np.arange(6.0).reshape(2, 3), gt.Variable(np.ones((3, 2)))
    for function in (np.matmul, np.dot):
        target = gt.array(np.zeros((2, 2)))
        with gt.GradientTape() as tape:
            result = function(x, w, out=target)
            loss = np.sum(target)
        assert result is target
        np.testing.assert_array_equal(tape.gradient(loss, w).value, x.T @ np.ones((2, 2)))


def test_out_as_a_plain_array_is_written_and_the_result_is_followed():
    w = gt.Variable(np.ones((3, 2)))
    plain = np.zeros((2, 2))
    with gt.GradientTape() as tape:
        result = np.einsum("ij,jk", np.ones((2, 3)), w, out=plain)
        loss = np.sum(result)
    np.testing.assert_array_equal(plain, 3)
    np.testing.assert_array_equal(tape.gradient(loss, w).value, 2)


def test_matmul_operator_forms():
    x, w = np.arange(6.0).reshape(2, 3), gt.Variable(np.ones((3, 2)))
    with gt.GradientTape(persistent=True) as tape:
        left = np.sum(x @ w)
        right = np.sum(w @ x)
        square = np.ones((2, 2)) @ w[:2]
        square @= w[:2]
    np.testing.assert_array_equal(tape.gradient(left, w).value, x.T @ np.ones((2, 2)))
    np.testing.assert_array_equal(tape.gradient(right, w).value, np.ones((3, 3)) @ x.T)
    np.testing.assert_array_equal(square.value, 4)


def test_lists_that_hold_tensors_are_operands():
    a = gt.Variable(2.0)
    with gt.GradientTape() as tape:
        loss = np.dot(gt.array([1.0, 3.0]), [a, a * a])
    assert tape.gradient(loss, a).value == 1 + 3 * 4


@pytest.mark.parametrize("shapes", [((2,), (2,)), ((4, 2), (2,)), ((2,), (3,)), ((4, 3), (2,))])
def test_cross_of_plane_vectors(shapes):
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=s) for s in shapes)
    np.testing.assert_allclose(np.cross(gt.array(x), y).value, plane_cross(x, y))


def test_integers_have_no_gradient_and_say_so():
    product = gt.array(np.arange(4).reshape(2, 2)) @ np.arange(2)
    assert product.dtype.kind == "i"
    np.testing.assert_array_equal(product.value, [1, 3])
    assert np.matmul(gt.array(np.eye(2, dtype=bool)), np.ones(2, bool)).dtype == bool


def test_einsum_path_is_a_query():
    x = gt.array(np.ones((2, 3)))
    assert np.einsum_path("ij,jk", x, np.ones((3, 2)))[0] == ["einsum_path", (0, 1)]


def test_writing_to_a_diagonal_view_of_einsum_reaches_its_base():
    v = gt.Variable([5.0, 7.0])
    with gt.GradientTape() as tape:
        x = np.zeros((2, 2)) + v
        np.einsum("ii->i", x)[...] = 2 * v
        loss = np.sum(x * np.array([[1.0, 10.0], [100.0, 1000.0]]))
    plain = np.array([[10.0, 7.0], [5.0, 14.0]])
    np.testing.assert_array_equal(x.value, plain)
    np.testing.assert_array_equal(tape.gradient(loss, v).value, [100 + 2, 10 + 2000])


# ------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: x @ np.ones((2, 3)), r"matmul: operands of shapes \(2, 3\) and \(2, 3\)(.|\n)*"
                                        r"test_contract.py:\d+(.|\n)*Transpose"),
        (lambda x: x @ np.ones((4, 3)), "Transpose the second operand"),
        (lambda x: x @ 2.0, r"Multiply by a scalar with \*"),
        (lambda x: np.dot(x, np.ones(5)), "Reshape an operand"),
        (lambda x: np.tensordot(x, np.ones(2), 1), r"tensordot: axes \(1,\) of shape \(2, 3\)"),
        (lambda x: np.cross(x[0], np.ones(4)), "cross: vectors of length 3 and 4"),
        (lambda x: np.einsum("ij,jk", x, np.ones((2, 2))),
                r"einsum 'ij,jk' does not fit(.|\n)*axis 0 of operand 1 has length 2 where"),
        (lambda x: np.einsum("ijk", x), "3 indices for 2 axes"),
        (lambda x: np.einsum("ij->ik", x), "no operand has it"),
        (lambda x: np.einsum("ij->ii", x), "repeated"),
        (lambda x: np.einsum("ij,j", x), "2 terms for 1 operands"),
        (lambda x: np.einsum("...i->i", x), "the output has no ellipsis"),
    ],
)  # fmt: skip
def test_shapes_that_do_not_go_together(call, message):
    with pytest.raises(ShapeError, match=message):
        call(gt.array(np.ones((2, 3))))


@pytest.mark.parametrize("name", ["vecdot", "matvec", "vecmat"])
def test_what_has_too_few_axes_is_refused_as_by_numpy(name):
    if not hasattr(np, name):
        pytest.skip("matvec and vecmat came with NumPy 2.2")
    ufunc = getattr(np, name)
    x, y = (np.ones(3), np.ones(3)) if name != "vecdot" else (np.ones(()), np.ones(3))
    with pytest.raises(ValueError, match="does not have enough dimensions"):
        ufunc(x, y)
    for run in (ufunc, gt.function(ufunc)):
        with pytest.raises(ShapeError, match=rf"{name}: operand \d has shape .* is needed"):
            run(gt.Variable(x), y)
