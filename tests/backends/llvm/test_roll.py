"""Sections of straight-line code that repeat: found, and run as loops with the same results."""

import re

import numpy as np
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

import gradtape as gt
from gradtape import events
from gradtape.backends.llvm import fuse, rolled
from gradtape.backends.llvm.roll import Carried, Fixed, Kept, Numbers, Same, roll
from gradtape.core.aval import Aval
from gradtape.core.tree import flatten
from gradtape.graph.ir import Constant, Graph, Node, Plain

pytestmark = pytest.mark.slow  # as a file


def graph_of(f, *args):
    """The nodes that `f` is traced to."""
    compiled = gt.function(f, backend="numpy")
    compiled(*args)
    (program,) = compiled.programs.values()
    return program.traced.graph


def sections(f, *args):
    graph = graph_of(f, *args)
    nodes = list(graph.nodes)
    return roll(nodes, lambda v: v, number)


def number(value):
    return value.data if isinstance(value, Constant) and np.ndim(value.data) == 0 else None


def shapes(parts):
    return [len(p) if isinstance(p, list) else (len(p.nodes), p.times) for p in parts]


def chain(z):
    for _ in range(100):
        z = np.sin(z) * 1.5
    return z


def test_a_chain_is_one_section():
    (section,) = sections(chain, np.float64(0.5))
    assert (len(section.nodes), section.times) == (2, 100)
    (carried,), (same, fixed) = section.operands
    assert isinstance(carried, Carried)
    assert carried.at == 1
    assert same == Same(0)
    assert isinstance(fixed, Fixed)


def test_the_gradient_walks_back_over_what_was_kept():
    parts = sections(lambda x: gt.grad(chain)(x), np.float64(0.5))
    forward, backward = (p for p in parts if not isinstance(p, list))
    kept = [one for row in backward.operands for one in row if isinstance(one, Kept)]
    assert kept
    assert all(one.section is forward and one.step == -1 for one in kept)
    assert forward.kept == {one.at for one in kept}


def test_numbers_of_each_iteration_are_a_table():
    def f(x):
        for i in range(50):
            x = np.sin(x) + 0.25 * i
        return x

    (section,) = (p for p in sections(f, np.ones(3)) if not isinstance(p, list))
    (table,) = (one for row in section.operands for one in row if isinstance(one, Numbers))
    assert table.numbers == tuple(0.25 * i for i in range(section.times))


def test_what_does_not_repeat_is_left_alone():
    def f(x, y):
        for i in range(50):
            x = np.sin(x) if 0xB7E151628AED2A >> i & 1 else np.cos(x) * y
        return x

    assert sections(f, np.float64(0.5), np.float64(0.5)) is None
    assert sections(lambda x: np.sin(np.cos(x)), np.float64(0.5)) is None


def test_a_jump_in_the_operands_ends_a_section():
    sin = Plain("sin", np.sin)
    graph = Graph("g")
    x = graph.add_input(Aval((), np.float64), "argument")
    values = [x]
    for i in range(120):
        source = values[i] if i != 70 else values[3]
        node = Node(sin, (source,), {}, (Aval((), np.float64),))
        values.append(node.outputs[0])
        graph.nodes.append(node)
    parts = roll(graph.nodes, lambda v: v, number)
    assert shapes(parts) == [(1, 70), (1, 50)]
    assert parts[1].operands[0][0].initial is values[3]


# ------------------------------------------------------------------ what they compute


def check(f, *args, rolls=True):
    """`f` rolled, not rolled and eager."""
    seen = []
    find = rolled.find

    def noted(emitter):
        seen.append(find(emitter))
        return seen[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rolled, "find", noted)
        one = gt.function(f)(*args)
        patch.setattr(rolled, "find", lambda _: None)
        other = gt.function(f)(*args)
    if rolls is not None:
        assert any(x is not None for x in seen) == rolls
    eager = f(*args)
    for a, b, c in zip(flatten(one)[0], flatten(other)[0], flatten(eager)[0], strict=True):
        a, b, c = np.asarray(a), np.asarray(b), np.asarray(c)
        assert (a.dtype, a.shape) == (b.dtype, b.shape) == (c.dtype, c.shape)
        tight = 64 * np.finfo(a.dtype).eps if a.dtype.kind == "f" else 0
        np.testing.assert_allclose(a, b, rtol=tight, atol=tight)
        np.testing.assert_allclose(a, c, rtol=1e4 * tight, atol=1e4 * tight)
    return one, other


ARRAYS = [
    np.float64(0.5), np.float32(0.5), np.linspace(-1, 1, 10), np.zeros((0,)), np.zeros((2, 0)),
    np.linspace(-2, 2, 1037).astype(np.float32), np.linspace(-2, 2, 300).reshape(20, 3, 5),
    np.linspace(-2, 2, 20_000),
]  # fmt: skip


@pytest.mark.parametrize("x", ARRAYS, ids=lambda x: f"{x.dtype}{x.shape}")
def test_values_and_gradients_stay_to_the_last_bit(x):
    def f(x):
        for _ in range(30):
            x = np.sin(x) * 1.25 + 0.125
        return x

    one, other = check(f, x)
    assert one.tobytes() == other.tobytes()
    one, other = check(lambda x: gt.grad(lambda x: np.sum(f(x)))(x), x)
    assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("shapes", [((), ()), ((50,), (50,)), ((5, 1, 7), (4, 7)), ((3,), (4, 3))])
def test_two_carried_values_change_places(shapes):
    def f(x, y):
        for _ in range(25):
            x, y = np.sin(y) + x * 0.25, np.cos(x) - y * 0.125
        return np.sum(x * y)

    x, y = (np.linspace(-1, 1, int(np.prod(s))).reshape(s) for s in shapes)
    check(f, x, y)
    check(lambda x, y: gt.value_and_grad(f, (0, 1))(x, y), x, y)


def test_second_derivatives():
    def f(x):
        for _ in range(30):
            x = np.sin(x) * 1.25
        return x

    check(lambda x: gt.grad(gt.grad(f))(x), np.float64(0.3), rolls=None)


def test_a_result_is_not_written_over_what_a_later_piece_reads(monkeypatch):
    """Long loops go over a block in pieces, and numbers are read where they are used."""
    monkeypatch.setattr(fuse, "MOST_TOUCHED", 16)
    monkeypatch.setattr(rolled, "LONG", 60)
    monkeypatch.setattr(rolled, "PIECE", 25)

    def minors(rows):
        if len(rows) == 1:
            return rows[0][0]
        total = 0.0
        for column, entry in enumerate(rows[0]):
            part = entry * minors([row[:column] + row[column + 1 :] for row in rows[1:]])
            total = total + part if column % 2 == 0 else total - part
        return total

    for shape in ((4, 4), (4, 4, 50)):
        a = np.random.default_rng(0).normal(size=shape)
        f = lambda a: np.sum(minors([[a[i, j] for j in range(4)] for i in range(4)]))  # noqa: E731
        np.testing.assert_allclose(gt.function(gt.grad(f))(a), gt.grad(f)(a), rtol=1e-9)


def test_results_of_every_iteration_are_stored():
    def f(x):
        found = []
        for _ in range(20):
            x = np.sin(x) * 1.5 + 0.1
            found.append(x)
        return found

    check(f, np.linspace(0, 1, 7), rolls=False)  # too many to be worth it
    check(lambda x: [f(x)[3], f(x)[-1]], np.linspace(0, 1, 7))


def test_elements_of_an_array_one_after_the_other():
    def f(x, a, b):
        for i in range(30):
            x = np.tanh(x * a[i] + b[29 - i])
        return np.sum(x)

    a, b = np.linspace(-1, 1, 30), np.linspace(0, 1, 30)
    check(f, np.float64(0.5), a, b)
    check(f, np.linspace(-1, 1, 50), a, b)
    rows = np.linspace(-1, 1, 1500).reshape(30, 50)
    check(f, np.linspace(-1, 1, 50), rows, rows[::-1])


def test_a_condition_and_integers():
    def f(x, n):
        for _ in range(20):
            n = n * 3 + 1
            x = np.where(x > 0.5, np.sin(x), x + 0.25) * 1.5
        return x, n

    check(f, np.linspace(0, 1, 37), np.arange(37))
    check(f, np.float64(0.2), np.int64(5))


def test_rare_arguments_in_a_chain_of_numbers():
    def f(x):
        for _ in range(20):
            x = np.sin(x * 1e6) + np.cos(x * 1e9)
        return x

    for x in (np.float32(2.0), np.float64(3.0)):
        one, other = check_exact(f, x)
        assert one.tobytes() == other.tobytes()


def check_exact(f, x):
    """Chaotic: the rolled program and one without loops, to the last bit."""
    with pytest.MonkeyPatch.context() as patch:
        one = gt.function(f)(x)
        patch.setattr(rolled, "find", lambda _: None)
        return one, gt.function(f)(x)


def test_long_straight_code_goes_in_pieces(monkeypatch):
    monkeypatch.setattr(rolled, "LONG", 60)
    monkeypatch.setattr(rolled, "PIECE", 25)
    found = []
    find = rolled.find

    def noted(emitter):
        found.append(find(emitter))
        return found[-1]

    monkeypatch.setattr(rolled, "find", noted)

    def f(x, y):
        for i in range(50):
            x, y = (np.sin(x), y + x) if 0xB7E151628AED2A >> i & 1 else (np.cos(x) * y, x)
        return np.sum(x), x

    x = np.linspace(0, 1, 300)
    total, last = gt.function(f)(x, x)
    assert len(found[0].parts) > 2
    monkeypatch.setattr(rolled, "find", lambda _: None)
    one, other = gt.function(f)(x, x)
    np.testing.assert_allclose(total, one, rtol=1e-14)
    assert last.tobytes() == other.tobytes()


WORDS = [
    lambda x, _y, c: np.sin(x) * c, lambda x, y, c: x * 0.5 + y * c, lambda x, _y, _c: np.tanh(x),
    lambda x, y, _c: np.where(x > y, x, y * 0.5), lambda x, _y, c: np.exp(-x * x) - c,
    lambda x, y, _c: x / (1.0 + y * y), lambda x, _y, _c: np.abs(x),
    lambda x, y, _c: np.maximum(x, y) - 0.25,
]  # fmt: skip


@settings(max_examples=10, phases=[Phase.explicit, Phase.generate])
@example([(0, 0, 0, 0), (0, 0, 0, 0), (1, 0, 2, 0), (2, 5, 0, 0), (0, 5, 0, 0)], 9, (), False)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from(range(len(WORDS))),
                       st.integers(0, 2), st.integers(0, 2)), min_size=2, max_size=7),
    st.integers(9, 24),
    st.sampled_from([(), (5,), (67,), (3, 11)]),
    st.booleans(),
)  # fmt: skip
def test_any_loop_body(body, times, shape, with_table):
    def f(*state):
        state = list(state)
        for i in range(times):
            for target, word, a, b in body:
                c = 0.5 + 0.01 * i if with_table else 0.75
                state[target] = WORDS[word](state[a], state[b], c)
        return sum(np.sum(x) for x in state)

    rng = np.random.default_rng(0)
    args = [rng.normal(size=shape)[()] for _ in range(3)]
    check_any(lambda *s: gt.value_and_grad(f, (0, 1, 2))(*s), *args)


def check_any(f, *args):
    with pytest.MonkeyPatch.context() as patch:
        one = flatten(gt.function(f)(*args))[0]
        patch.setattr(rolled, "find", lambda _: None)
        other = flatten(gt.function(f)(*args))[0]
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-300)


def test_what_repeats_is_published():
    seen = []
    stop = events.subscribe(lambda name, data: seen.append(data) if name == "pass" else None)
    try:
        gt.function(lambda x: chain(x) + 2.0)(np.ones(20))
    finally:
        stop()
    ((before, after),) = [(d["before"], d["after"]) for d in seen if d["run"] == "roll"]
    assert before == "201 operations in a row"
    assert after == "100 times (sin, multiply); add"


# ------------------------------------------------------------------ behind the end of a block


@pytest.mark.parametrize("n", [1, 7, 8, 9, 31, 33, 100, 129, 4099])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_computed_behind_the_end_is_seen_by_nobody(n, dtype):
    """There lanes hold zeros, of which the logarithm is infinite and the quotient is no number."""
    def f(x, y):
        for _ in range(20):
            x = np.log(x) / x + y / x + 3.0
        return x

    x = np.linspace(1.5, 2.5, n).astype(dtype)
    y = np.linspace(-0.5, 0.5, n).astype(dtype)
    one, other = check(f, x, y)
    assert one.tobytes() == other.tobytes()
    one, other = check(lambda x, y: gt.grad(lambda x, y: np.sum(f(x, y)), (0, 1))(x, y), x, y)
    for a, b in zip(one, other, strict=True):
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("n", [1, 5, 17, 200])
def test_integers_behind_the_end_divide_nothing(n):
    def f(x):
        for _ in range(30):
            x = 1_000_003 // x + x % 7 + 1
        return x

    one, other = check(f, np.arange(1, n + 1))
    assert one.tobytes() == other.tobytes() == f(np.arange(1, n + 1)).tobytes()


def test_iterations_over_buffers_alone_need_no_masks():
    def f(x):
        for _ in range(30):
            x = np.sin(x) * 1.25 + 0.125
        return np.sum(x)

    text = gt.function(gt.grad(f)).llvm(np.linspace(-1, 1, 1000))
    body = text[text.index("loop0.body") :]
    found = re.findall(r"^(lanes|whole|steps|loop)[.\d]*:", body[: body.index("\n}")], re.MULTILINE)
    # zeros; of each block: the argument, sines, what is between, the way back, the result
    assert found == [
        "lanes", "loop", "lanes", "steps", "whole", "whole", "steps", "whole", "lanes",
    ]  # fmt: skip
