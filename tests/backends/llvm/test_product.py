"""Products in native programs: NumPy's results for any layout, one native call, the same bits."""

import re
import subprocess
import sys
import threading

import numpy as np
import pytest

import gradtape as gt

pytest.importorskip("llvmlite")
from gradtape import config, configure
from gradtape.backends.llvm import blas, fuse, product, segments
from gradtape.backends.llvm.machine import host
from gradtape.backends.schedule import Native
from gradtape.core.aval import aval_of
from gradtape.graph.trace import trace
from gradtape.passes.pipeline import optimise, prepare

pytestmark = pytest.mark.slow  # as a file

RNG = np.random.default_rng(0)
needs_blas = pytest.mark.skipif(not blas.is_available(), reason="SciPy is not installed")


def graph_of(f, *args):
    assert gt.Variable  # loads the operations
    traced, _ = trace(f, [aval_of(x) for x in args], "f")
    return optimise(traced.graph)


def made(f, *args):
    """The parts of the program of `f`."""
    return fuse.plan(prepare(graph_of(f, *args))).parts


def ways(f, *args):
    return [p.way for p in made(f, *args) if isinstance(p, product.Product)]


def check(f, *args, is_mixed=False):
    """`f` compiled is one native call, and as exact as a product of so many terms can be."""
    program = segments.compile_graph(graph_of(f, *args))
    assert is_mixed or all(
        isinstance(part, Native) or part.node.op.name == "reshape" for part in program.steps
    )
    (found,) = program(args)
    again = program(args)[0]
    assert np.array_equal(found, again, equal_nan=True)
    expected = f(*(x.astype(np.longdouble) for x in args))
    bound = f(*(np.abs(x).astype(np.longdouble) for x in args))
    dtype = args[0].dtype
    assert found.dtype == dtype and found.shape == expected.shape
    terms = 2 * sum(x.size for x in args) ** 0.5 + 8
    assert np.all(np.abs(found - expected) <= terms * np.finfo(dtype).eps * bound)


SIZES = [
    (1, 1, 1), (2, 3, 4), (1, 5, 7), (7, 5, 1), (5, 1, 7), (9, 17, 33), (16, 16, 16), (33, 20, 10),
    (65, 130, 70), (3, 3000, 2), (3000, 3, 2), (2, 3, 3000), (130, 70, 300),
]  # fmt: skip
LAYOUTS = {
    "n n": (lambda x, y: x @ y, False, False),
    "t n": (lambda x, y: x.T @ y, True, False),
    "n t": (lambda x, y: x @ y.T, False, True),
    "t t": (lambda x, y: x.T @ y.T, True, True),
    "result": (lambda x, y: (x @ y).T, False, False),
    "all": (lambda x, y: (x.T @ y.T).T, True, True),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_matrices_of_any_size_and_layout(size, layout, dtype):
    n, k, m = size
    f, turned_x, turned_y = LAYOUTS[layout]
    x = RNG.normal(size=(k, n) if turned_x else (n, k)).astype(dtype)
    y = RNG.normal(size=(m, k) if turned_y else (k, m)).astype(dtype)
    check(f, x, y, is_mixed=k == 1)  # NumPy turns the result of an outer product


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [(2, 3), (1, 5), (7, 1), (33, 20), (8, 64), (5, 3000), (3000, 5)])
def test_vectors(size, dtype):
    n, k = size
    x = RNG.normal(size=(n, k)).astype(dtype)
    y, z = RNG.normal(size=k).astype(dtype), RNG.normal(size=n).astype(dtype)
    check(lambda x, y: x @ y, x, y)
    check(lambda x, y: y @ x.T, x, y)
    check(lambda x, z: z @ x, x, z)
    check(lambda x, z: x.T @ z, x, z)


@pytest.mark.parametrize(
    ("subscripts", "sizes"),
    [
        ("abc,dac->dab", (25, 10, 10, 100)), ("abc,abd->bcd", (1000, 5, 10, 10)),
        ("abc,bcd->abd", (100, 5, 10, 10)), ("abc,dbc->ad", (5, 10, 10, 45)),
        ("abc,acd->abd", (3, 40, 50, 60)), ("abcd,ebd->ace", (3, 4, 5, 6, 7)),
        ("abc,ac->ab", (4, 5, 20)), ("abc,abd->cd", (20, 30, 7, 40)),
        ("abc,cbd->ad", (9, 4, 5, 40)), ("abc,bd->acd", (3, 6, 5, 40)),
    ],
)  # fmt: skip
def test_stacks_and_several_inner_axes(subscripts, sizes):
    lengths = dict(zip("abcde", sizes, strict=False))
    terms = subscripts.partition("->")[0].split(",")
    args = [RNG.normal(size=[lengths[n] for n in term]) for term in terms]
    check(lambda x, y: np.einsum(subscripts, x, y), *args)


def test_columns_of_many_rows_are_copied_once():
    """before: each block of rows copies y. after: y has been copied, and tiles read it."""
    x, y = RNG.normal(size=(1000, 25, 10)), RNG.normal(size=(25, 7, 10))
    f = lambda x, y: np.einsum("kij,nkj->nki", y, x)  # noqa: E731
    (copy, only) = made(f, x, y)
    assert copy.space == (25, 10, 7) and only.way == "tile" and not only.is_packed
    check(f, x, y)
    check(lambda x, y: x @ y.T, x[:, 0], y[0])
    check(lambda x, y: (y @ x.T).T, x[:, 0], y[0])
    check(lambda x, y: np.einsum("kij,nkj->nki", np.swapaxes(y, 0, 1), x), x[:, :7], y[:7])
    (few,) = made(f, x[:20], y)
    assert few.is_packed


def test_few_rows_are_one_tile():
    """before: 8 rows, and two by themselves. after: ten."""
    x, y = RNG.normal(size=(300, 10)), RNG.normal(size=(300, 10))
    text = gt.function(lambda x, y: x.T @ y).llvm(x, y)
    body = text.partition(".body(")[2].partition("\n}")[0]
    lanes = host().width // 64
    assert len(re.findall(r"call .*@llvm\.fma\.", body)) == 10 * -(-10 // lanes) or lanes < 8
    check(lambda x, y: x.T @ y, x, y)


# Whole and broken panels, tiles and vectors; one panel and several behind another.
PANELS = [(36, 128, 64), (33, 40, 10), (130, 70, 300), (100, 257, 131), (37, 300, 17), (64, 32, 1)]


@pytest.fixture
def panels(monkeypatch):
    """Every product that is not small goes over panels, also where vectors are shorter."""
    monkeypatch.setattr(product, "_is_for_panels", lambda *_: True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", PANELS, ids=str)
def test_matrices_over_panels(size, layout, dtype, panels, monkeypatch):
    monkeypatch.setattr(product, "_is_small", lambda *_: False)
    n, k, m = size
    f, turned_x, turned_y = LAYOUTS[layout]
    x = RNG.normal(size=(k, n) if turned_x else (n, k)).astype(dtype)
    y = RNG.normal(size=(m, k) if turned_y else (k, m)).astype(dtype)
    if m > 1:
        assert ways(f, x, y) == ["panel"]
    check(f, x, y)


def test_an_operand_of_panels_may_lie_anyhow(panels):
    """BLAS needs an axis whose elements are neighbours."""
    x, y = RNG.normal(size=(70, 40)), RNG.normal(size=(40, 80, 3))
    f = lambda x, y: np.einsum("ac,cde->ead", x, y)  # noqa: E731
    assert ways(f, x, y) == ["panel"]
    check(f, x, y)


def test_panels_need_no_blas(panels, monkeypatch):
    monkeypatch.setattr(blas, "is_available", lambda: False)
    x, y = RNG.normal(size=(128, 300)), RNG.normal(size=(400, 300))
    assert ways(lambda x, y: x @ y.T, x, y) == ["panel"]


def test_products_of_many_sizes_have_their_tiles_in_common(panels):
    def f(x, y, z):
        return np.sum(x @ y) + np.sum(x @ z)

    shapes = (60, 200), (200, 128), (200, 192)
    text = gt.function(f).llvm(*(RNG.normal(size=shape) for shape in shapes))
    assert len(re.findall(r"^define .*@tile\.", text, re.MULTILINE)) == 1


@pytest.mark.parametrize(("rows", "blocks"), [(60, 1), (61, 2)])
def test_code_for_rows_that_are_left_over_is_made_where_there_are_some(rows, blocks, monkeypatch):
    monkeypatch.setattr(product, "_is_for_panels", lambda *_: False)
    monkeypatch.setattr(blas, "is_available", lambda: False)
    x, y = RNG.normal(size=(rows, 64)), RNG.normal(size=(64, 64))
    text = gt.function(lambda x, y: x @ y).llvm(x, y)
    body = text.partition("@product0.body(")[2].partition("\n}")[0]
    assert len(re.findall(r"^loop[.\d]*:", body, re.MULTILINE)) == 2 * blocks
    check(lambda x, y: x @ y, x, y)


def test_rows_that_are_alike_have_the_same_product(monkeypatch):
    """Also the last ones, for which there was code of its own, with another order of sums."""
    monkeypatch.setattr(product, "_is_for_panels", lambda *_: False)
    rows = 64 if host().has_avx512 else 60
    x, y = np.tile(RNG.normal(size=64), (rows, 1)), RNG.normal(size=(64, 64))
    found = gt.function(lambda x, y: x @ y)(x, y)
    assert np.array_equal(found, np.tile(found[0], (rows, 1)))


@pytest.mark.parametrize(("rows", "blocks"), [(128, 1), (131, 2)])
def test_a_matrix_by_a_vector_has_no_code_for_rows_that_nobody_has(rows, blocks):
    x, y = RNG.normal(size=(rows, 20)), RNG.normal(size=20)
    text = gt.function(lambda x, y: x @ y).llvm(x, y)
    body = text.partition("@product0.body(")[2].partition("\n}")[0]
    assert len(re.findall(r"^loop[.\d]*:", body, re.MULTILINE)) == blocks
    check(lambda x, y: x @ y, x, y)


@pytest.mark.parametrize(("terms", "loops"), [(4000, 1), (4001, 2)])
def test_sums_have_no_code_for_terms_that_are_left_over_where_there_are_none(terms, loops):
    x, y = RNG.normal(size=(2, terms)), RNG.normal(size=(terms, 3))
    text = gt.function(lambda x, y: x @ y).llvm(x, y)
    body = text.partition("@product0.body(")[2].partition("\n}")[0]
    assert len(re.findall(r"^sum[.\d]*:", body, re.MULTILINE)) == loops
    check(lambda x, y: x @ y, x, y)


def test_squares_are_transposed_by_one_function(panels):
    """What LLVM makes of its shuffles takes it as long as a tile."""

    def f(x, y, z):
        return np.sum(x @ y.T) + np.sum(x @ z.T)

    shapes = (60, 200), (128, 200), (192, 200)
    text = gt.function(f).llvm(*(RNG.normal(size=shape) for shape in shapes))
    assert len(re.findall(r"^define .*@turn\.", text, re.MULTILINE)) == 1
    assert "shufflevector" not in text.partition("@product0.body(")[2].partition("\n}")[0]


@pytest.mark.parametrize("shapes", [[(200, 300), (300, 900)], [(3000, 200), (200, 70)]], ids=str)
def test_the_number_of_threads_changes_no_bit_over_panels(shapes, panels):
    test_the_number_of_threads_changes_no_bit(lambda x, y: x @ y, shapes)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", [(200, 240, 220), (333, 130, 257), (64, 1000, 129)], ids=str)
def test_pieces_of_rows_and_columns(size, layout, dtype, panels):
    """Also those at the ends, of other sizes; and each element is what it is in one piece."""
    n, k, m = size
    f, turned_x, turned_y = LAYOUTS[layout]
    x = RNG.normal(size=(k, n) if turned_x else (n, k)).astype(dtype)
    y = RNG.normal(size=(m, k) if turned_y else (k, m)).astype(dtype)
    check(f, x, y)
    (found,) = segments.compile_graph(graph_of(f, x, y))([x, y])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(product, "PANEL_PART", 1e12)
        (whole,) = segments.compile_graph(graph_of(f, x, y))([x, y])
    assert np.array_equal(found, whole)


def test_pieces_of_a_stack_and_of_what_runs_in_its_tiles(panels):
    x, y = RNG.normal(size=(3, 200, 140)), RNG.normal(size=(3, 140, 300))
    b = RNG.normal(size=300)
    check(lambda x, y: x @ y, x, y)
    check(lambda x, y, b: np.maximum(x @ y + b, 0), x, y, b)


@needs_blas
def test_large_products_go_to_blas_and_small_ones_do_not(monkeypatch):
    monkeypatch.setattr(product, "_is_for_panels", lambda *_: False)
    x, y = RNG.normal(size=(128, 300)), RNG.normal(size=(300, 400))
    assert ways(lambda x, y: x @ y, x, y) == ["blas"]
    assert ways(lambda x, y: x[:4, :4] @ y[:4, :4], x, y) == ["tile"]
    assert ways(lambda x, y: x @ y, x, y[:, 0]) == ["dot"]


@pytest.mark.parametrize("size", [(9, 17, 33), (130, 70, 300), (40, 20, 1)])
def test_nan_and_infinity_go_through(size):
    n, k, m = size
    x, y = RNG.normal(size=(n, k)), RNG.normal(size=(k, m))
    x[2, 3], x[4, 0], y[1, 0] = np.nan, np.inf, -np.inf
    x[5], x[6, 1] = 0.0, 0.0
    program = segments.compile_graph(graph_of(lambda x, y: x @ y, x, y))
    (found,) = program([x, y])
    expected = np.einsum("ij,jk->ik", x, y)
    assert np.array_equal(np.isnan(found), np.isnan(expected))
    assert np.array_equal(np.isinf(found), np.isinf(expected))
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("f", "shapes"),
    [
        (lambda x, y: x @ y, [(200, 300), (300, 900)]),
        (lambda x, y: x @ y, [(200_000, 20), (20,)]),
        (lambda x, y: x.T @ y, [(200_000, 20), (200_000,)]),
        (lambda x, y: np.einsum("abc,dac->dab", x, y), [(25, 10, 10), (1000, 25, 10)]),
    ],
)
def test_the_number_of_threads_changes_no_bit(f, shapes):
    args = [RNG.normal(size=shape) for shape in shapes]
    graph = graph_of(f, *args)
    found = []
    before = config.current.threads
    try:
        for threads in (1, 2, 3):
            configure(threads=threads)
            program = segments.compile_graph(graph)
            assert program.steps[0].call.is_parallel
            found += [program(args)[0] for _ in range(3)]
    finally:
        configure(threads=before)
    assert all(np.array_equal(x, found[0]) for x in found)


def test_several_python_threads_multiply_at_once():
    x, y = RNG.normal(size=(200, 300)), RNG.normal(size=(300, 900))
    program = segments.compile_graph(graph_of(lambda x, y: np.tanh(x @ y), x, y))
    expected = program([x, y])[0]
    wrong = []

    def work():
        for _ in range(5):
            if not np.array_equal(program([x, y])[0], expected):
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_known_matrix_is_read_from_the_program():
    x, y = RNG.normal(size=(4, 3)), RNG.normal(size=(3, 3))
    np.testing.assert_allclose(
        gt.function(lambda x: x @ np.full((3, 3), 2.0))(x), x @ np.full((3, 3), 2.0), rtol=1e-14
    )
    np.testing.assert_allclose(gt.function(lambda x: x @ y)(x), x @ y, rtol=1e-14)


def test_strided_operands():
    x, y = RNG.normal(size=(8, 6))[::2, ::-1], RNG.normal(size=(5, 6)).T
    step = gt.function(lambda x, y: x @ y)
    np.testing.assert_allclose(step(x, y), x @ y, rtol=1e-13)


def test_a_training_step_of_two_layers_is_one_native_call():
    w, v = gt.Variable(RNG.normal(size=(20, 30))), gt.Variable(RNG.normal(size=(30, 5)))
    x, y = RNG.normal(size=(40, 20)), RNG.normal(size=(40, 5))

    def step(x, y):
        with gt.GradientTape() as tape:
            loss = np.sum((np.maximum(x @ w, 0) @ v - y) ** 2)
        for variable, ct in zip((w, v), tape.gradient(loss, (w, v)), strict=True):
            variable.assign_sub(0.001 * ct)
        return loss

    compiled = gt.function(step)
    first = w.numpy().copy(), v.numpy().copy()
    losses = [float(compiled(x, y)) for _ in range(3)]
    after = w.numpy().copy()
    (program,) = compiled.programs.values()
    assert [type(part) for part in program.run.steps] == [Native]
    w.assign(first[0])
    v.assign(first[1])
    np.testing.assert_allclose([float(step(x, y)) for _ in range(3)], losses, rtol=1e-12)
    np.testing.assert_allclose(w.numpy(), after, rtol=1e-11)


def test_without_scipy_numpy_runs_the_large_products():
    code = """
import sys
sys.modules["scipy"] = sys.modules["scipy.linalg"] = None
import numpy as np, gradtape as gt
from gradtape.backends.llvm import product
product._is_for_panels = lambda *_: False  # as where vectors have fewer than 512 bits
x, y = np.random.default_rng(0).normal(size=(2, 300, 300))
f = gt.function(lambda x, y: np.tanh(x @ y.T) @ y)
np.testing.assert_allclose(f(x, y), np.tanh(x @ y.T) @ y, rtol=1e-11, atol=1e-11)
(program,) = f.programs.values()
print([type(part).__name__ for part in program.run.steps])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['ByNumpy', 'Native', 'ByNumpy']", done.stderr


def test_a_jacobian_through_products_is_the_eager_one_and_one_native_call():
    rng = np.random.default_rng(0)  # an element that cancels is less exact, with some numbers
    a, x = rng.normal(size=(6, 6)), rng.normal(size=6)
    slopes = gt.jacobian(lambda a, x: np.tanh(a @ np.tanh(a @ x)), argnums=1)
    np.testing.assert_allclose(gt.function(slopes)(a, x), slopes(a, x), rtol=1e-12)
    assert not any(isinstance(part, fuse.Step) for part in made(slopes, a, x))


def test_products_of_one_kind_have_one_body():
    rng = np.random.default_rng(0)  # errors grow from product to product, with some numbers
    x, w = rng.normal(size=(30, 5)), rng.normal(size=(5, 5))

    def f(x, w):
        for _ in range(12):
            x = np.tanh(x @ w)
        return x

    check(f, x, w)
    (part,) = segments.segments(fuse.plan(prepare(graph_of(f, x, w))))
    text = part.native.program.source
    bodies = [line for line in text.splitlines() if line.startswith("define") and ".body" in line]
    assert sum("product" in line for line in bodies) == 1


LONG = [(6, 16), (10, 10), (32, 10), (64, 64), (128, 48), (300, 70), (1, 64), (64, 1)]


@pytest.mark.skipif(host().width < 512, reason="BLAS runs these, in an order of its own")
@pytest.mark.parametrize("shape", LONG, ids=str)
@pytest.mark.parametrize(
    ("f", "is_turned"),
    [(lambda x, y: x @ y, (False, False)), (lambda x, y: x.T @ y, (True, False)),
     (lambda x, y: x @ y.T, (False, True))],
    ids=["x @ y", "x.T @ y", "x @ y.T"],
)  # fmt: skip
def test_a_long_inner_axis_is_summed_in_parts(f, is_turned, shape):
    """Positive numbers: a chain of 4096 roundings is dozens of eps away."""
    x, y = RNG.random((shape[0], 4096), np.float32), RNG.random((4096, shape[1]), np.float32)
    truth = x.astype(float) @ y.astype(float)
    x, y = (np.ascontiguousarray(a.T) if t else a for a, t in zip((x, y), is_turned, strict=True))
    found = np.asarray(gt.function(f)(x, y))
    assert np.max(np.abs(found - truth) / truth) < 8 * np.finfo(np.float32).eps
