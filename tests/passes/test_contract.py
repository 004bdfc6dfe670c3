"""Contraction planning: before and after as text, and the same product for any subscripts."""

import numpy as np
import pytest

import gradtape.ops  # noqa: F401 - the cards
from gradtape import events
from gradtape.core.aval import Aval, aval_of
from gradtape.graph.check import verify
from gradtape.graph.evaluate import evaluate
from gradtape.graph.printing import show
from gradtape.graph.trace import trace
from gradtape.passes.contract import plan_contractions
from gradtape.passes.dead import remove_dead
from gradtape.passes.pipeline import NATIVE, TIDY, optimise, prepare

RNG = np.random.default_rng(0)


def lines(f, *shapes):
    """The lines of the graph of `f` after the pass, without dead nodes."""
    graph = trace(f, [Aval(shape, np.float64) for shape in shapes], "f")[0].graph
    before = show(graph)
    found = verify(remove_dead(verify(plan_contractions(graph))))
    assert show(graph) == before, "the pass changes the graph that it is given"
    return [line.strip() for line in show(found).splitlines()[1:-1]]


def ops(f, *shapes):
    """The operations and the labels that are left."""
    found = []
    for line in lines(f, *shapes)[:-1]:
        name = line.partition(" = ")[2].partition("(")[0]
        found.append(line.partition("labels=")[2].strip("'}") or name)
    return found


def test_plan_contractions():
    def f(x, y, z, u):
        v = np.einsum("ab,bc,cd->ad", x, y, z) @ u.T
        return np.einsum("ab,ab->a", v, v)

    assert lines(f, (3, 50), (50, 2), (2, 4), (3, 4)) == [
        "v0: float64[3,2] = contract(x0, x1) {labels='ab,bc->ac'}",
        "v1: float64[3,4] = contract(x2, v0) {labels='cd,ac->ad'}",
        "v2: float64[3,3] = contract(v1, x3) {labels='ab,cb->ac'}",
        "v3: float64[3,3] = multiply(v2, v2)",
        "v4: float64[3] = sum(v3) {axis=(1,), keepdims=False}",
        "return v4",
    ]


@pytest.mark.parametrize(
    ("f", "shapes", "expected"),
    [
        (lambda x, y: x @ y, [(2, 3), (3, 4)], ["ab,bc->ac"]),
        (lambda x, y: x.T @ y.T, [(3, 2), (4, 3)], ["ba,cb->ac"]),
        (lambda x, y: (x @ y).T, [(2, 3), (3, 4)], ["ab,bc->ca"]),
        (lambda x, y: x @ y, [(2, 3), (3,)], ["ab,b->a"]),
        (lambda x, y: x @ y, [(5, 2, 3), (3, 4)], ["dab,bc->dac"]),
        (lambda x, y: x @ y, [(6, 5, 2, 3), (5, 3, 4)], ["deab,ebc->deac"]),
        (lambda x, y: x @ y, [(3,), (3,)], ["multiply", "sum"]),
        (lambda x, y: np.dot(x, y), [(2, 3), (3, 4)], ["ab,bc->ac"]),
        (lambda x, y: np.inner(x, y), [(2, 3), (4, 3)], ["ab,cb->ac"]),
        (lambda x, y: np.vdot(x, y), [(2, 3), (2, 3)], ["reshape", "reshape", "multiply", "sum"]),
        (lambda x, y: np.tensordot(x, y, ([0, 2], [1, 0])), [(2, 3, 4), (4, 2, 5)],
         ["abc,caf->bf"]),
        (lambda x, y: np.outer(x, y), [(2,), (3,)], ["reshape", "reshape", "multiply"]),
        # a product over an axis of length 1 sums nothing
        (lambda x, y: x @ y, [(2, 1), (1, 3)], ["reshape", "reshape", "reshape", "multiply"]),
        # an index that one operand has is summed there
        (lambda x, y: np.einsum("ab,bc->c", x, y), [(2, 3), (3, 4)], ["sum", "b,bc->c"]),
        (lambda x, y: np.einsum("ab,abc->abc", x, y), [(2, 3), (2, 3, 4)], ["reshape", "multiply"]),
        (lambda x: np.einsum("ab->ba", x), [(2, 3)], ["transpose"]),
        (lambda x: np.einsum("ab->b", x), [(2, 3)], ["sum"]),
        (lambda x: np.einsum("aa->a", x), [(3, 3)], ["einsum"]),
        (lambda x, y: np.einsum("ab,b->ab", x, y, dtype=complex), [(2, 3), (3,)], ["einsum"]),
    ],
)  # fmt: skip
def test_what_a_product_becomes(f, shapes, expected):
    assert ops(f, *shapes) == expected


def test_what_is_read_as_it_was_stays_before_it_is_transposed():
    def f(x, y):
        z = x @ y
        return z.T, z

    assert ops(f, (2, 3), (3, 4)) == ["ab,bc->ac", "transpose"]


@pytest.mark.parametrize("dtype", [np.int64, np.complex128])
def test_other_dtypes_are_left_alone(dtype):
    aval = Aval((3, 3), dtype)
    graph = trace(lambda x: x @ x, [aval], "f")[0].graph
    assert [node.op.name for node in plan_contractions(graph).nodes] == ["matmul"]


def test_empty_products_are_left_alone():
    assert ops(lambda x, y: x @ y, (2, 0), (0, 3)) == ["matmul"]


SUBSCRIPTS = [
    "ab,bc->ac", "ab,cb->ca", "abc,dac->dab", "abc,abd->bcd", "abc,dbc->ad", "ab,cd->dbac",
    "ab,ba->", "ab,b,b->a", "abc,c->ba", "ab,bc,cd,de->ea", "abcd,ebd->ace", "a,b,ab->",
    "abc,ac->ab", "ab,c->acb", "ab,ab->b", "abc,cba->b", "ab,ac,ad->bcd", "ab,bc->b",
]  # fmt: skip


@pytest.mark.parametrize("subscripts", SUBSCRIPTS)
@pytest.mark.parametrize("ones", ["", "a", "bc"])
def test_the_result_is_einsums(subscripts, ones):
    sizes = {n: 1 if n in ones else 2 + i for i, n in enumerate("abcde")}
    terms = subscripts.partition("->")[0].split(",")
    args = [RNG.normal(size=[sizes[n] for n in term]) for term in terms]
    traced, _ = trace(lambda *xs: np.einsum(subscripts, *xs), [aval_of(x) for x in args], "f")
    graph = verify(plan_contractions(traced.graph))
    ((found,), _) = evaluate(graph, args)
    expected = np.einsum(subscripts, *args)
    assert type(found) is type(expected[()])
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13)


def test_an_axis_of_length_1_that_einsum_broadcasts():
    x, y = RNG.normal(size=(2, 1)), RNG.normal(size=(3, 4))
    traced, _ = trace(lambda x, y: np.einsum("ab,bc->ac", x, y), [aval_of(x), aval_of(y)], "f")
    ((found,), _) = evaluate(verify(plan_contractions(traced.graph)), [x, y])
    np.testing.assert_allclose(found, np.einsum("ab,bc->ac", x, y), rtol=1e-14)


def test_the_passes_for_native_programs_are_published():
    graph = trace(lambda x: x @ x, [Aval((3, 3), np.float64)], "f")[0].graph
    seen = []
    stop = events.subscribe(lambda name, data: name == "pass" and seen.append(data["run"]))
    prepare(optimise(graph))
    stop()
    wanted = [name for name, _ in (*NATIVE, *TIDY)]
    assert seen[-len(wanted) :] == wanted
    assert NATIVE[0][0] == "plan contractions"
