"""What is computed of a product in its tiles: what is fused, and the bits of the unfused result."""

import numpy as np
import pytest

import gradtape as gt

pytest.importorskip("llvmlite")
from gradtape import events
from gradtape.backends.llvm import epilogue, fuse, product, segments
from gradtape.backends.llvm.machine import host
from gradtape.core.aval import aval_of
from gradtape.graph.trace import trace
from gradtape.passes.pipeline import optimise, prepare
from tests.backends.llvm.test_rows import check_bits

pytestmark = pytest.mark.skipif(host().width != 512, reason="products go over panels elsewhere too")
RNG = np.random.default_rng(0)


def graph_of(f, *args):
    assert gt.Variable  # loads the operations
    return optimise(trace(f, [aval_of(x) for x in args], "f")[0].graph)


def fused(f, *args):
    """For each product the names of what runs in its tiles; the number of loops."""
    parts = fuse.plan(prepare(graph_of(f, *args))).parts
    products = [p for p in parts if isinstance(p, product.Product)]
    names = [[n.op.name for n in p.after.nodes] if p.after else [] for p in products]
    return names, sum(isinstance(p, fuse.Loop) for p in parts)


def bits(x):
    return x.view(f"u{x.dtype.itemsize}") if x.dtype.kind == "f" else x


def run(graph, args):
    """The results, and the bytes of the buffers between."""
    (native,) = (p.native for p in segments.segments(fuse.plan(prepare(graph))))
    return [np.array(x) for x in segments.compile_graph(graph)(args)], native.arena


def check(f, *args):
    """Fused, the results are those of the unfused program to the last bit, and right."""
    graph = graph_of(f, *args)
    found, _ = run(graph, args)
    again, _ = run(graph, args)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(epilogue, "fuse_epilogues", lambda *_: None)
        apart, _ = run(graph, args)
    expected = f(*args)
    expected = expected if isinstance(expected, tuple) else (expected,)
    for x, y, z, e in zip(found, again, apart, expected, strict=True):
        assert x.dtype == z.dtype and x.shape == z.shape
        assert np.array_equal(bits(x), bits(z)) and np.array_equal(bits(x), bits(y))
        eps = np.finfo(args[0].dtype).eps
        if x.dtype.kind == "f":
            np.testing.assert_allclose(x, e, rtol=200 * eps, atol=2000 * eps)


def arrays(dtype, *shapes):
    return [RNG.normal(size=shape).astype(dtype) for shape in shapes]


EXPRESSIONS = {
    "a bias and a maximum": lambda z, c, b, a: np.maximum(z + b, 0),
    "a function": lambda z, c, b, a: np.tanh(z + b) * 2,
    "two functions": lambda z, c, b, a: np.exp(-np.abs(z)) + np.sin(c),
    "an update": lambda z, c, b, a: c - 0.1 * z,
    "a number that is given": lambda z, c, b, a: c - a * z,
    "a column": lambda z, c, b, a: z * c[:, :1] + c[:, 1:2],
    "a mask": lambda z, c, b, a: np.where(c > 0, z, 0),
    "several results": lambda z, c, b, a: (np.maximum(z, c), z < b, z / 3),
    "the product too": lambda z, c, b, a: (z, z + b),
    "twice the same": lambda z, c, b, a: (z + z) * z - z,
    "a row of a matrix": lambda z, c, b, a: z + c[3],
    "truth values alone": lambda z, c, b, a: (z > 0) | (z + b < c),
    "integers": lambda z, c, b, a: (z > 0).astype(np.int64) + 1,
}


@pytest.mark.parametrize("what", EXPRESSIONS)
def test_a_tile_has_the_bits_of_a_loop_of_its_own(what):
    x, y, c, b, a = arrays(np.float32, (50, 300), (300, 100), (50, 100), 100, ())
    check(lambda x, y, c, b, a: EXPRESSIONS[what](x @ y, c, b, a), x, y, c, b, a)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "size", [(128, 100, 128), (33, 300, 70), (50, 9, 200), (97, 1030, 65)], ids=str
)
def test_tiles_at_the_edges_and_sums_in_several_turns(size, dtype):
    n, k, m = size
    x, y, c, b = arrays(dtype, (n, k), (k, m), (n, m), m)

    def f(x, y, c, b):
        h = np.maximum(x @ y + b, 0)
        return h, h > c, b - 0.1 * (h.T @ c), c * (c @ y.T @ y) + 1

    check(f, x, y, c, b)


def test_products_of_transposed_matrices():
    x, y, c, b = arrays(np.float32, (70, 128), (100, 70), (128, 100), 100)
    check(lambda x, y, c, b: np.where(b < x.T @ y.T, c, 0), x, y, c, b)
    check(lambda x, y, c, b: ((x.T @ y.T).T * 2).T + c, x, y, c, b)


def test_what_runs_in_tiles():
    x, y, c, b = arrays(np.float32, (128, 100), (100, 128), (128, 128), 128)
    assert fused(lambda x, y, b: np.maximum(x @ y + b, 0), x, y, b) == ([["add", "maximum"]], 0)
    assert fused(lambda x, y, c: c - 0.1 * (x @ y), x, y, c) == ([["multiply", "subtract"]], 0)
    names, loops = fused(lambda x, y, b, c: np.tanh(x @ y + b) @ c + b, x, y, b, c)
    assert (names, loops) == ([["add", "tanh"], ["add"]], 0)


def test_a_product_that_nobody_reads_is_not_stored():
    x, y, c = arrays(np.float32, (512, 100), (100, 512), (512, 512))
    for f in (lambda x, y, c: c - 0.1 * (x @ y), lambda x, y, c: np.maximum(x @ y, c) * 2):
        graph = graph_of(f, x, y, c)
        assert run(graph, [x, y, c])[1] == 0
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(epilogue, "fuse_epilogues", lambda *_: None)
            assert run(graph, [x, y, c])[1] >= 0  # the loop may write over the product


def test_sums_stay_loops_and_read_what_is_stored_anyway():
    x, y, c, w = arrays(np.float32, (128, 100), (100, 128), (128, 128), (128, 128))

    def f(x, y, c, w):
        d = np.where(c > 0, x @ y, 0)
        return d @ w, np.sum(d, axis=0)

    assert fused(f, x, y, c, w) == ([["where"], []], 2)
    check(f, x, y, c, w)


def test_what_would_store_more_stays_apart():
    x, y, c = arrays(np.float32, (128, 100), (100, 128), (128, 128))

    def f(x, y, c):  # the sum would need what nobody else does
        return np.sum(np.maximum(x @ y, c), axis=0)

    assert fused(f, x, y, c) == ([[]], 1)
    assert fused(lambda x, y, c: (np.sum(x @ y, axis=1), x @ y + c), x, y, c)[0] == [[]]
    check(f, x, y, c)


def test_two_loops_that_read_a_product_read_it_from_memory():
    x, y, c = arrays(np.float32, (128, 100), (100, 128), (128, 128))

    def f(x, y, c):
        z = x @ y
        return z / np.max(np.abs(z)) + c

    assert fused(f, x, y, c)[0] == [[]]
    check(f, x, y, c)


def test_what_is_known_only_later_is_not_waited_for():
    x, y, c = arrays(np.float32, (128, 100), (100, 128), (128, 128))

    def f(x, y, c):
        z = x @ y
        return z * np.sum(c * x[0, 0])  # the sum is computed behind the product

    check(f, x, y, c)


def test_what_lies_across_the_columns_stays_apart():
    x, y, c = arrays(np.float32, (128, 100), (100, 128), (128, 128))
    assert fused(lambda x, y, c: x @ y + c.T, x, y, c) == ([[]], 1)
    check(lambda x, y, c: x @ y + c.T, x, y, c)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_operands_and_results_may_be_parts_of_other_arrays(dtype):
    x, y, c, b = arrays(dtype, (128, 100), (100, 96), (300, 300), 200)

    def reads(x, y, c, b):
        return (x @ y) * c[7:135, 11:107] + b[3:99]

    def writes(x, y, c, b):
        return np.concatenate([c[:128, :50], x @ y + b[:96], c[:128, 2:9]], axis=1)

    assert fused(reads, x, y, c, b)[0] == [["multiply", "add"]]
    assert fused(writes, x, y, c, b)[0] == [["add", "copy"]]
    check(reads, x, y, c, b)
    check(writes, x, y, c, b)


def test_what_is_written_into_in_between_keeps_its_order():
    x, y, c = arrays(np.float32, (128, 100), (100, 128), (128, 128))

    def f(x, y, c):
        out = gt.array(c * 1.0)
        z = x @ y
        out[:64] = c[:64] * 3
        before = np.exp(out)
        out[:, :] = z + 1
        return before, out

    graph = graph_of(f, x, y, c)
    found, _ = run(graph, [x, y, c])
    before = np.concatenate([c[:64] * 3, c[64:]])
    np.testing.assert_allclose(found[0], np.exp(before), rtol=1e-6)
    np.testing.assert_allclose(found[1], x @ y + 1, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("k", [40, 500])
def test_nan_and_infinity_go_through(k):
    x, y, c, b = arrays(np.float32, (128, k), (k, 128), (128, 128), 128)
    x[3, 5], x[70, 1], y[2, 9] = np.nan, np.inf, -np.inf
    b[100], c[5, 5], c[6, :] = np.nan, np.inf, -0.0
    with np.errstate(all="ignore"):
        check(lambda x, y, c, b: np.maximum(x @ y + b, 0), x, y, c, b)
        check(lambda x, y, c, b: (np.where(c > 0, x @ y, c), np.isnan(x @ y)), x, y, c, b)


def test_the_number_of_threads_changes_no_bit():
    args = arrays(np.float32, (256, 600), (600, 512), (256, 512), 512)
    check_bits(graph_of(lambda x, y, c, b: (np.tanh(x @ y + b), c - 0.1 * (x @ y)), *args), args)


@pytest.mark.parametrize("k", [100, 500])
def test_an_array_that_is_given_away_is_written_in_place_where_sums_need_no_room(k):
    x, g, w = arrays(np.float32, (k, 512), (k, 512), (512, 512))
    step = gt.function(lambda w, x, g: w - 0.1 * (x.T @ g), donate=(0,))
    expected = w - np.float32(0.1) * (x.T @ g)
    given = w.copy()
    new = np.asarray(step(given, x, g))
    np.testing.assert_allclose(new, expected, rtol=1e-4, atol=1e-4)
    assert np.shares_memory(new, given) == (k == 100)


def test_a_variable_that_is_updated_is_read_before():
    x, g, start = arrays(np.float32, (128, 256), (128, 256), (256, 256))
    w = gt.Variable(start)

    @gt.function
    def step(x, g):
        w.assign_sub(0.1 * (x.T @ g))
        return np.sum(w * w)

    expected = start.astype(np.float64)
    for _ in range(3):
        step(x, g)
        expected -= 0.1 * (x.astype(np.float64).T @ g)
    np.testing.assert_allclose(w, expected, rtol=1e-4, atol=1e-4)


def test_batches_of_products():
    x, y, c, b = arrays(np.float32, (3, 64, 200), (3, 200, 96), (3, 64, 96), 96)
    f = lambda x, y, c, b: np.maximum(x @ y + b, c)  # noqa: E731
    assert fused(f, x, y, c, b) == ([["add", "maximum"]], 0)
    check(f, x, y, c, b)


def test_in_the_turns_of_a_scan():
    x, w, b = arrays(np.float32, (64, 96), (96, 96), 96)
    f = gt.function(lambda x, w, b: gt.fori_loop(0, 3, lambda _, h: np.tanh(h @ w + b), x))
    h = x
    for _ in range(3):
        h = np.tanh(h @ w + b)
    np.testing.assert_allclose(np.asarray(f(x, w, b)), h, rtol=1e-4, atol=1e-4)


def test_before_and_after():
    x, y, b = arrays(np.float32, (128, 100), (100, 128), 128)
    seen = []
    stop = events.subscribe(lambda name, data: seen.append(data) if name == "pass" else None)
    try:
        fused(lambda x, y, b: np.maximum(x @ y + b, 0), x, y, b)
    finally:
        stop()
    assert [(d["before"], d["after"]) for d in seen if d["run"] == "fuse epilogues"] == [
        ("contract; add, maximum", "contract, add, maximum")
    ]


def test_the_report_says_what_runs_in_tiles():
    x, y, b = arrays(np.float32, (128, 100), (100, 128), 128)
    f = gt.function(lambda x, y, b: np.maximum(x @ y + b, 0))
    said = " ".join(str(f.report(x, y, b)).split())
    assert "by tiles over panels, then add, maximum in its tiles" in said
    assert "0 buffers inside" in said
