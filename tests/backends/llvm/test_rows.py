"""Parts over the same rows run block after block: what joins, and the same results as apart."""

import re

import numpy as np
import pytest

import gradtape as gt

pytest.importorskip("llvmlite")
from gradtape import config, configure, events
from gradtape.backends import numpy as oracle
from gradtape.backends.llvm import accumulators, fuse, rows, segments
from gradtape.backends.llvm.reductions import Reduction
from gradtape.core.aval import aval_of
from gradtape.core.tensor import raw
from gradtape.graph.trace import trace
from gradtape.passes.pipeline import optimise, prepare

pytestmark = pytest.mark.slow  # as a file

RNG = np.random.default_rng(0)


@pytest.fixture
def small(monkeypatch):
    """Groups of any size, in blocks of 16 rows."""
    monkeypatch.setattr(rows, "WORTH", 1)
    monkeypatch.setattr(rows, "MOST_ROWS", 16)


def graph_of(f, *args):
    assert gt.Variable  # loads the operations
    return optimise(trace(f, [aval_of(x) for x in args], "f")[0].graph)


def with_sources(f, *args):
    """The graph of `f`, and the values of all its inputs."""
    assert gt.Variable  # loads the operations
    traced, _ = trace(f, [aval_of(x) for x in args], "f")
    return optimise(traced.graph), [*args, *map(raw, traced.sources[len(args) :])]


def groups(f, *args):
    """For each group of several parts what its members are."""
    made = fuse.plan(prepare(graph_of(f, *args)))
    parts = [p for p in made.parts if not isinstance(p, fuse.Step)]
    found = rows.grouped(parts, made)
    assert sorted(n for g in found for n, _ in g.members) == list(range(len(parts)))
    return [
        [getattr(parts[n], "way", "loop") for n, _ in g.members]
        for g in found
        if len(g.members) > 1
    ]


def check(f, *args, rtol=1e-12):
    graph, args = with_sources(f, *args)
    expected = oracle.compile_graph(graph)(args)
    program = segments.compile_graph(graph)
    first = program(args)
    for x, again, y in zip(first, program(args), expected, strict=True):
        scale = np.max(np.abs(y), initial=1e-300) if y.dtype.kind == "f" else 0
        np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol * np.nan_to_num(scale, posinf=0))
        assert np.array_equal(x, again, equal_nan=y.dtype.kind == "f")


def logistic(w, x, y):
    z = x @ w
    return np.mean(np.logaddexp(0, z) - y * z)


def data(n, k, dtype=np.float64):
    x = RNG.normal(size=(n, k)).astype(dtype)
    return RNG.normal(size=k).astype(dtype), x, (x[:, 0] > 0).astype(dtype)


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-12), (np.float32, 2e-5)])
@pytest.mark.parametrize("n", [20_000, 20_011])
def test_a_logistic_gradient_reads_its_rows_once(n, dtype, rtol):
    both = gt.value_and_grad(logistic)
    args = data(n, 20, dtype)
    assert groups(both, *args) == [["dot", "loop", "tile"]]
    program = segments.compile_graph(graph_of(both, *args))
    # nothing as long as the rows is kept
    native = [p.native for p in segments.segments(fuse.plan(prepare(graph_of(both, *args))))]
    assert all(one.arena < 4 * n for one in native)
    assert program(args)[1].shape == (20,)
    check(both, *args, rtol=rtol)


def check_bits(graph, args):
    """Any number of threads, and any run, gives the same bits."""
    found = []
    before = config.current.threads
    try:
        for threads in (1, 2, 3):
            configure(threads=threads)
            program = segments.compile_graph(graph)
            found += [np.concatenate([np.ravel(x) for x in program(args)]) for _ in range(3)]
    finally:
        configure(threads=before)
    assert all(np.array_equal(x, found[0]) for x in found)


def test_the_number_of_threads_changes_no_bit():
    args = data(100_000, 20)
    check_bits(graph_of(gt.value_and_grad(logistic), *args), args)


def test_parts_share_no_line_of_the_cache():
    """Sums of two threads in one line of the cache made a loop six times as long.

    And where one lay close behind the other, a core fetched what the other one wrote.
    """
    args = data(100_000, 20)
    graph = graph_of(gt.value_and_grad(logistic), *args)
    made = fuse.plan(prepare(graph))
    (native,) = (p.native for p in segments.segments(made))
    text = native.program.source
    body = text[text.index("define internal void @\"rows") :]
    body = body[: body.index("\n}")]
    # what is kept of rows lies in a room that a thread takes, not in one for each part
    assert body.count("@\"take_room\"(") == body.count("@\"leave_room\"(") == 1
    apart = [int(n) for n in re.findall(r" = mul i64 %\"[^\"]+\", (\d+)", body)]
    assert any(n % accumulators.LINES == 0 for n in apart)
    one = accumulators.Sum(made.graph.nodes[0], Reduction("add", (0,), np.dtype("f8")), [0], 1)
    assert one.step * 8 % accumulators.LINES == 0 and one.apart(3) == 3 * 8 * one.step


@pytest.mark.parametrize(("size", "apart"), [(1, 15), (100, 12), (250, 512 + 6)])
def test_many_sums_of_two_parts_lie_pages_apart(size, apart):
    node = graph_of(lambda x: np.sum(x, axis=0), np.ones((3, size))).nodes[-1]
    one = accumulators.Sum(node, Reduction("add", (0,), np.dtype("f8")), [1, 0], 1)
    assert one.size == size
    assert one.step == size + apart


def test_rooms_lie_apart():
    """Close behind each other they made GMM's gradient take a third longer with two threads."""
    args = np.ones((3000, 250)), np.ones(250)

    def f(x, w):
        e = np.exp(x - np.max(x, axis=1, keepdims=True))
        return np.sum(np.tanh(e / np.sum(e, axis=1, keepdims=True)) * w)

    made = fuse.plan(prepare(graph_of(gt.value_and_grad(f, (0, 1)), *args)))
    (native,) = (p.native for p in segments.segments(made))
    text = native.program.source
    room = re.search(r'(%\S+) = call i64 @"take_room"', text)[1]
    (stride,) = {int(n) for n in re.findall(rf" = mul i64 {re.escape(room)}, (\d+)", text)}
    assert stride > rows.FAR + 2 * 8 * 250 * rows.FEWEST_ROWS
    assert stride % 64 == 0


def test_nan_and_infinity_go_through():
    w, x, y = data(20_000, 20)
    x[5, 3], x[19_000, 0] = np.inf, np.nan
    check(gt.value_and_grad(logistic), w, x, y)


def test_a_bias_and_a_function_run_on_the_rows_of_a_product():
    x, w, b = RNG.normal(size=(3000, 8)), RNG.normal(size=(8, 16)), RNG.normal(size=16)

    def f(x, w, b):
        return np.tanh(x @ w + b)

    assert groups(f, x, w, b) == [["tile", "loop"]]
    check(f, x, w, b)


def test_what_needs_no_row_runs_before_the_group():
    """before: x @ w | exp(q) | its product with z. after: exp(q), and the other two together."""
    x, w, q = RNG.normal(size=(3000, 8)), RNG.normal(size=(8, 16)), RNG.normal(size=16)

    def f(x, w, q):
        z = x @ w
        return np.sum((z * np.exp(q) / np.sum(q * q)) ** 2, axis=1)

    made = fuse.plan(prepare(graph_of(f, x, w, q)))
    order = [[n for n, _ in g.members] for g in rows.grouped(made.parts, made)]
    assert order[-1][0] == 0 and len(order[-1]) > 1
    assert all(len(numbers) == 1 and numbers[0] > 0 for numbers in order[:-1])
    check(f, x, w, q)


def test_what_is_written_twice_before_a_group_is_written_in_order(small):
    x, w, q = RNG.normal(size=(300, 8)), RNG.normal(size=(8, 16)), RNG.normal(size=16)

    def f(x, w, q):
        z = x @ w
        y = gt.array(q * 2.0)
        y[3:9] = np.exp(q[:6])
        y[5] += q[0]
        return np.tanh(z * y)

    check(f, x, w, q)


def test_what_is_read_in_a_group_is_not_written_before_it(small):
    x, w, q = RNG.normal(size=(300, 8)), RNG.normal(size=(8, 16)), RNG.normal(size=16)

    def f(x, w, q):
        y = gt.array(np.exp(q))
        u = np.tanh(x @ w * y)
        y[3:9] = q[:6]
        v = np.sum(u * y, axis=1)
        y[::2] = np.cos(q[8:])
        return u, v, np.exp(u + v[:, None]) * y, y * 1.0

    check(f, x, w, q)


def test_a_group_runs_before_what_waits_for_its_sums(small):
    x, w, q = RNG.normal(size=(300, 8)), RNG.normal(size=(8, 16)), RNG.normal(size=16)

    def f(x, w, q):
        z = x @ w
        total = np.sum(z, axis=0)
        scale = np.exp(q) / np.sum(np.abs(q))
        return z * scale, z * total * scale, np.sum(z * scale + 1.0, axis=0) * total

    check(f, x, w, q)


def softmax(w, b, x, y):
    z = x @ w + b
    shifted = z - np.max(z, axis=1, keepdims=True)
    return np.mean(np.log(np.sum(np.exp(shifted), axis=1)) - np.sum(y * shifted, axis=1))


@pytest.mark.parametrize("n", [64, 100, 1000])
def test_rows_with_reductions_of_their_own(n, small):
    x, w, b = RNG.normal(size=(n, 8)), RNG.normal(size=(8, 5)), RNG.normal(size=5)
    y = np.eye(5)[RNG.integers(0, 5, n)]
    assert groups(gt.value_and_grad(softmax, (0, 1)), w, b, x, y)
    check(gt.value_and_grad(softmax, (0, 1)), w, b, x, y)


def test_a_stack_of_products_over_rows(small):
    x, means, m = RNG.normal(size=(200, 3)), RNG.normal(size=(5, 3)), RNG.normal(size=(5, 3, 3))

    def f(means, m, x):
        z = np.einsum("kij,nkj->nki", m, x[:, None, :] - means)
        return np.sum(np.log(np.sum(np.exp(-np.sum(z**2, axis=2)), axis=1)))

    assert groups(gt.value_and_grad(f, (0, 1)), means, m, x)
    check(gt.value_and_grad(f, (0, 1)), means, m, x)


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        # what is known of all rows is there after them
        (lambda x, w: np.sum((x @ w - np.mean(x @ w)) ** 2), [["dot", "loop"]]),
        # another row
        (lambda x, w: np.sum((z := x @ w)[1:] * z[:-1]), []),
        (lambda x, w: (z := x @ w) * z[::-1], []),
        (lambda x, w: (z := x @ w) * z[np.arange(199, -1, -1)], []),
        (lambda x, w: np.cumsum(x @ w), []),
        (lambda x, w: (z := np.tanh(x)) @ z.T, []),
        (lambda x, w: np.tanh(np.tanh(x @ w) @ x), [["dot", "loop", "tile"]]),
        (lambda x, w: np.tanh(x).T @ np.tanh(x), [["loop", "tile"]]),
        (lambda x, w: np.sum(np.tanh(x) * (np.sum(np.tanh(x), axis=1, keepdims=True))),
         [["loop", "loop"]]),
    ],
)  # fmt: skip
def test_what_joins_and_what_does_not(f, expected, small):
    x, w = RNG.normal(size=(200, 4)), RNG.normal(size=4)
    assert groups(f, x, w) == expected
    check(f, x, w)


@pytest.mark.parametrize("seed", range(12))
def test_random_programs_over_rows(seed, small):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(33, 120))
    x, v, w = rng.normal(size=(n, 4)), rng.normal(size=4), rng.normal(size=(4, 4))
    plan = rng.integers(0, 9, 12)

    def f(x, v, w):
        matrices, vectors, numbers = [x], [x[:, 0]], [v[0]]
        for step, pick in zip(plan, rng_picks, strict=True):
            a, b = matrices[pick % len(matrices)], vectors[pick % len(vectors)]
            if step == 0:
                matrices.append(np.tanh(a @ w))
            elif step == 1:
                vectors.append(a @ v)
            elif step == 2:
                matrices.append(a * b[:, None] + 0.5)
            elif step == 3:
                vectors.append(np.max(a, axis=1))
            elif step == 4:
                numbers.append(np.sum(a * a) / n)
            elif step == 5:
                vectors.append(np.sin(b) * numbers[-1])
            elif step == 6:
                matrices.append(a - np.sum(a.T @ a) / n)
            elif step == 7:
                numbers.append(np.sum(np.tanh(b @ a)))
            else:
                vectors.append(np.cumsum(b) / n)
        return np.sum(np.cos(matrices[-1])), vectors[-1], np.sum(np.cos(vectors[-1]))

    rng_picks = rng.integers(0, 100, 12)
    check(f, x, v, w, rtol=1e-10)
    check(gt.grad(lambda x, v, w: f(x, v, w)[0] + f(x, v, w)[2], (0, 1, 2)), x, v, w, rtol=1e-9)


def test_products_that_read_the_same_matrix_read_it_once():
    def f(a, x, y):
        return a @ x, y @ a

    a, x, y = RNG.standard_normal((300, 310)), RNG.standard_normal(310), RNG.standard_normal(300)
    assert groups(f, a, x, y) == [["dot", "tile"]]
    check(f, a, x, y)
    assert groups(f, a[:40, :40], x[:40], y[:40]) == []  # it stays in the cache by itself


@pytest.mark.parametrize("size", [1, 31, 32, 33, 100])
@pytest.mark.parametrize("reduce", [np.sum, np.max, np.min, np.any])
def test_what_is_joined_over_the_rows_begins_with_what_changes_nothing(small, size, reduce):
    x, w = RNG.normal(size=(100, 8)), RNG.normal(size=(8, size))

    def f(x, w):
        z = x @ w
        return reduce(z > 0.5 if reduce is np.any else z - 9.0, axis=0), np.tanh(z)

    assert groups(f, x, w)
    check(f, x, w)


def nearest(means, points):
    """What k-means makes small."""
    apart = np.sum((points[:, None] - means) ** 2, axis=2)
    return -np.sum(np.max(-apart, axis=1))


def test_few_rows_are_work_for_two_threads():
    """All of them fitted in the cache, so they were one block, and one thread had it."""
    args = RNG.random((10, 5)), RNG.random((1000, 5))
    both = gt.value_and_grad(nearest, (0, 1))
    seen = []
    stop = events.subscribe(lambda name, data: seen.append(data) if name == "pass" else None)
    try:
        check(both, *args, rtol=1e-11)
    finally:
        stop()
    (after,) = {d["after"] for d in seen if d["run"] == "partition"}
    assert int(dict(one.split(": ") for one in after.split(", "))["rows0"]) >= 2
    check_bits(graph_of(both, *args), args)


def test_a_group_is_published():
    def f(x, w, y):
        with gt.GradientTape() as tape:
            cost = np.sum((np.tanh(x @ w) - y) ** 2)
        return tape.gradient(cost, w)

    seen = []
    stop = events.subscribe(lambda name, data: seen.append(data) if name == "pass" else None)
    try:
        args = np.ones((10000, 20)), gt.Variable(np.zeros(20)), np.ones(10000)
        gt.function(f)(*args)
    finally:
        stop()
    ((before, after),) = [(d["before"], d["after"]) for d in seen if d["run"] == "group rows"]
    loop = "tanh, subtract, add, multiply, subtract, multiply, guard"
    assert before == f"product: contract; loop over 10000: {loop}; product: contract"
    assert after == f"rows of 10000, block by block: contract, then {loop}, then contract"
