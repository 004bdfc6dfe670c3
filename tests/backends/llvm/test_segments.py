"""Programs in native code: NumPy's results for the same graph, in few loops, bit for bit again."""

import gc
import re
import subprocess
import sys
import tempfile
import threading
import warnings

import numpy as np
import pytest

import gradtape as gt

pytest.importorskip("llvmlite")
from gradtape import config, configure, events
from gradtape.backends import numpy as oracle
from gradtape.backends import reproduce
from gradtape.backends.llvm import emit, rewrites, segments
from gradtape.backends.llvm.fuse import Loop, Step, plan
from gradtape.core.aval import aval_of
from gradtape.core.tensor import raw
from gradtape.errors import CompileWarning
from gradtape.graph.trace import trace
from gradtape.passes.pipeline import optimise, prepare

pytestmark = pytest.mark.slow  # as a file

RNG = np.random.default_rng(0)


def graph_of(f, *args):
    traced, _ = trace(f, [aval_of(x) for x in args], "test")
    sources = [raw(s) for s in traced.sources[len(args) :]]
    return optimise(traced.graph), [*args, *sources]


def check(f, *args, rtol=1e-13, atol=0.0):
    """`f` compiled against NumPy's answers; gives the plan."""
    graph, inputs = graph_of(f, *args)
    expected = oracle.compile_graph(graph)(inputs)
    program = segments.compile_graph(graph)
    for _ in range(2):
        for x, y in zip(program(inputs), expected, strict=True):
            assert type(x) is type(y)
            x, y = np.asarray(x), np.asarray(y)
            assert x.dtype == y.dtype and x.shape == y.shape
            scale = np.max(np.abs(y), initial=0.0) if y.dtype.kind == "f" else 0
            np.testing.assert_allclose(x, y, rtol=rtol, atol=atol + rtol * np.nan_to_num(scale))
    return plan(graph)


def loops(made):
    return [part for part in made.parts if isinstance(part, Loop)]


def steps(made):
    return [part.node.op.name for part in made.parts if isinstance(part, Step)]


# ------------------------------------------------------------------------------ fusion


def test_a_regression_step_is_one_loop_over_the_data():
    a, b = gt.Variable(0.5), gt.Variable(-0.5)

    def step(x, y):
        with gt.GradientTape() as tape:
            loss = np.sum((y - (a + b * x)) ** 2)
        da, db = tape.gradient(loss, [a, b])
        a.assign_sub(0.1 * da)
        b.assign_sub(0.1 * db)
        return loss

    made = check(step, RNG.normal(size=50), RNG.normal(size=50))
    assert steps(made) == []
    assert [loop.space for loop in loops(made)] == [(50,), ()]
    assert len(loops(made)[0].sums) == 3


def test_value_and_gradient_of_an_elementwise_loss_are_one_loop():
    made = check(
        gt.value_and_grad(lambda e: np.sum(np.tanh(e) * np.exp(-e * e))), RNG.normal(size=(7, 9))
    )
    assert [loop.space for loop in loops(made) if loop.space] == [(7, 9)]


def test_what_a_loop_alone_needs_is_not_stored():
    graph, inputs = graph_of(lambda x: np.sum(np.exp(np.sin(x) * 2.0)), np.ones(100_000))
    (segment,) = segments.compile_graph(graph).steps
    assert segment.call.arena < 10_000  # the accumulators of the parts
    assert len(segment.gives) == 1
    assert inputs[0].nbytes == 800_000


def test_an_operation_without_a_lowering_is_a_step_between_loops():
    made = check(lambda x: np.sum(np.sort(x * 2.0) + 1.0), RNG.normal(size=20))
    assert steps(made)
    assert len(loops(made)) == 2


def test_what_runs_in_one_loop_is_published():
    def f(x, w):
        y = np.sin(x) * 2.0
        return np.sum(y), np.sort(y) + 1.0, x @ w

    seen = []
    stop = events.subscribe(lambda name, data: seen.append(data) if name == "pass" else None)
    try:
        gt.function(f)(np.ones(1000), np.ones((1000, 50)))
    finally:
        stop()
    ((before, after),) = [(d["before"], d["after"]) for d in seen if d["run"] == "fuse loops"]
    assert before.split(", ")[:2] == ["sin", "multiply"]
    assert after == (
        "loop over 1000: sin, multiply, sum; numpy: argsort; loop over 1000: getitem, add; "
        "product: contract"
    )


# ------------------------------------------------------------------------------ sums


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [None, 0, 1, 2, -1, (0, 1), (1, 2), (0, 2), (0, 1, 2), ()])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_sums_over_axes(axis, keepdims, dtype):
    x = RNG.normal(size=(3, 4, 5)).astype(dtype)
    rtol = 1e-6 if dtype == "f4" else 1e-13
    check(lambda x: np.sum(x * x, axis=axis, keepdims=keepdims) + 1.0, x, rtol=rtol)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (0, 3), (3, 0), (1, 1, 1), (4, 1, 3)])
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_sums_over_axes_of_length_one_and_none(shape, axis):
    x = RNG.normal(size=shape)
    made = check(lambda x: np.sum(np.exp(x), axis=axis), x)
    assert not steps(made) or axis == 1


@pytest.mark.parametrize("size", [1, 4095, 4096, 4097, 8193, 12_345, 300_001])
def test_a_long_sum_in_float32_keeps_its_digits(size):
    x = RNG.random(size).astype("f4")
    graph, inputs = graph_of(lambda x: np.sum(x), x)
    found = segments.compile_graph(graph)(inputs)[0]
    exact = np.sum(x, dtype="f8")
    assert abs(found - exact) <= 4e-6 * exact


@pytest.mark.parametrize("shape", [(2000, 300), (300, 2000), (100_000, 3), (3, 100_000)])
@pytest.mark.parametrize("axis", [0, 1, None])
def test_large_sums_over_axes_in_parts(shape, axis):
    x = RNG.normal(size=shape)
    check(lambda x: np.sum(np.tanh(x) * x, axis=axis), x, rtol=1e-12)


def test_sums_over_different_axes_in_one_program():
    def f(x):
        y = np.exp(x)
        return [np.sum(y, axis=a) for a in (None, 0, 1, 2, (0, 1), (1, 2), -1, (0, 1, 2))]

    check(f, RNG.normal(size=(3, 4, 5)))
    check(f, RNG.normal(size=(3, 1, 5)))
    check(f, RNG.normal(size=(1, 4, 1)))


# ------------------------------------------------------------------------------ operands

X = RNG.normal(size=(3, 4))
BROADCAST = [
    (X, RNG.normal(size=4)), (X, RNG.normal(size=(3, 1))), (X, np.float64(2.5)), (X, 2.5),
    (RNG.normal(size=(3, 1)), RNG.normal(size=(1, 4))), (RNG.normal(size=(2, 1, 4)), X),
    (np.zeros((0, 4)), RNG.normal(size=4)), (np.float64(1.5), 2.5), (X, np.ones((1, 1))),
    (RNG.normal(size=(2, 3, 1, 5)), RNG.normal(size=(3, 4, 1))),
]  # fmt: skip


@pytest.mark.parametrize("operands", BROADCAST, ids=lambda o: f"{np.shape(o[0])}{np.shape(o[1])}")
def test_operands_are_broadcast(operands):
    check(lambda x, y: (x + y * 2.0, np.sum(x * y), np.maximum(x, y) / 3.0), *operands)


LAYOUTS = {
    "fortran": np.asfortranarray(RNG.normal(size=(5, 6))),
    "transposed": RNG.normal(size=(6, 5)).T,
    "every second": RNG.normal(size=(10, 6))[::2],
    "backwards": RNG.normal(size=(5, 6))[:, ::-1],
    "broadcast": np.broadcast_to(RNG.normal(size=6), (5, 6)),
    "misaligned": np.frombuffer(b"x" + RNG.normal(size=30).tobytes(), np.uint8)[1:]
    .view(np.float64)
    .reshape(5, 6),
    "read only": np.frombuffer(RNG.normal(size=30).tobytes()).reshape(5, 6),
    "another byte order": RNG.normal(size=(5, 6)).astype(">f8"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_arguments_of_every_layout(layout):
    x = LAYOUTS[layout]
    plain = np.array(x, np.float64)
    graph, _ = graph_of(lambda x: (np.exp(x) * 2.0, np.sum(x, axis=0)), plain)
    program = segments.compile_graph(graph)
    for found, wanted in zip(program([x]), program([plain]), strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("pair", [("f4", "f8"), ("f4", "i4"), ("f8", "i8"), ("i4", "i8"),
                                  ("f4", "?"), ("i8", "?"), ("u4", "i8"), ("?", "?")])  # fmt: skip
def test_dtypes_are_promoted_as_numpy_does(pair):
    x, y = ((RNG.random(6) * 5).astype(p) for p in pair)
    made = check(lambda x, y: (x + y, x * y, x > y, np.where(x > y, x, y), x == y), x, y, rtol=1e-6)
    assert steps(made) == []


@pytest.mark.parametrize("dtype", ["f2", "c8", "c16", "i1", "u2"])
def test_dtypes_without_native_code_are_numpys(dtype):
    x = (RNG.random(6) * 5).astype(dtype)
    check(lambda x: (x + x, x * x), x, rtol=1e-3)


def test_results_that_are_inputs_constants_or_twice_the_same():
    check(
        lambda x: (x, x * 1.0, np.reshape(x * 2.0, (2, 3)), np.ones(3), np.ravel(x)), np.arange(6.0)
    )


def test_weak_numbers_stay_weak_between_segments():
    def f(x, w):
        w = w * 2.0
        return np.sort(x)[::-1] * w

    check(f, np.arange(4, dtype="f4"), 0.5)


def test_special_values_go_through():
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e308, 5e-324, -1.0])

    def f(x):
        return (x * 2.0, x - x, 1.0 / x, np.sqrt(x), np.maximum(x, 0.0), np.exp(x), np.log(x),
                np.sum(x), np.where(x > 0, x, -x), np.isnan(x), np.sign(x))  # fmt: skip

    check(f, x)


def test_a_zero_cotangent_wins_as_in_eager_mode():
    def f(x):
        return np.sum(np.where(x > 0, np.sqrt(x), 0.0))

    x = np.array([4.0, 0.0, -1.0])
    check(gt.grad(f), x)


# ------------------------------------------------------------------------------ whole functions


def test_the_same_bits_with_any_number_of_threads():
    x = RNG.normal(size=400_000).astype("f4")
    f = gt.value_and_grad(lambda e: np.sum(np.tanh(e) * np.exp(-e * e)))
    before, found = config.current, []
    try:
        for threads in (1, 2, 3, 2):
            configure(threads=threads)
            graph, inputs = graph_of(f, x)
            found.append(segments.compile_graph(graph)(inputs))
    finally:
        config.current = before
    for one in found[1:]:
        for a, b in zip(one, found[0], strict=True):
            np.testing.assert_array_equal(a, b)


def test_several_python_threads_may_run_one_program():
    @gt.function
    def f(x):
        return np.sum(np.sort(np.exp(x) * 2.0)) + np.sum(np.tanh(x))

    xs = [RNG.normal(size=50_000) for _ in range(4)]
    wanted = [f(x) for x in xs]
    wrong = []

    def run(x, y):
        for _ in range(20):
            if f(x) != y:
                wrong.append(1)

    threads = [threading.Thread(target=run, args=pair) for pair in zip(xs, wanted, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_training_step_is_one_builtin_call_after_the_first():
    w = gt.Variable(np.ones(3))

    @gt.function
    def step(x):
        with gt.GradientTape() as tape:
            loss = np.sum((w * x) ** 2)
        w.assign_sub(0.1 * tape.gradient(loss, w))
        return loss

    x = np.array([1.0, 2.0, 3.0])
    for _ in range(3):
        before = np.array(gt.value(w))
        loss = step(x)
        assert isinstance(loss, gt.Tensor)
        np.testing.assert_allclose(loss.value, np.sum((before * x) ** 2))
        np.testing.assert_allclose(gt.value(w), before - 0.2 * before * x * x)
    assert step._direct is not None
    assert step(x.astype("f4")).dtype == np.float64  # another signature: not the direct way
    assert len(step.programs) == 2
    loss = step(x)
    assert loss.dtype == np.float64 and len(step.programs) == 2


def test_the_direct_way_is_left_where_a_tape_records():
    @gt.function
    def f(x):
        return np.sum(np.sin(x))

    x = np.array([0.5, 1.0])
    f(x)
    f(x)
    with gt.GradientTape() as tape:
        t = tape.watch(x)
        y = f(t)
        z = f(x)
    np.testing.assert_allclose(tape.gradient(y, t), np.cos(x))
    assert z == y.value


def test_a_failure_of_the_compiler_is_said_and_numpy_computes(monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("no such register")

    monkeypatch.setattr(emit.Emitter, "emit", broken)

    @gt.function
    def f(x):
        return np.sin(x) * 2.0

    with pytest.warns(CompileWarning, match=r"(?s)no such register.*graph f\(.*sin\(") as caught:
        found = f(np.array([1.0]))
    assert len(caught) == 1 and caught[0].filename == __file__
    np.testing.assert_allclose(found, [2 * np.sin(1.0)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(f(np.array([1.0])), [2 * np.sin(1.0)])


def test_the_failure_of_the_compiler_is_seen_again_by_what_the_warning_says(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    table = np.arange(3.0)
    w = gt.Variable(np.ones(3))

    @gt.function
    def f(x):
        w.assign_add(x)
        return np.sum(np.where(x > 0.5, np.sin(x), 2.0) * np.sort(table), axis=0) + w[0]

    with monkeypatch.context() as broken:

        def fail(*_, **__):
            raise RuntimeError("no such register")

        broken.setattr(emit.Emitter, "emit", fail)
        with pytest.warns(CompileWarning, match="shows it again: python -m") as said:
            found = f(np.ones(3))
        path = re.search(r"python -m gradtape.backends.reproduce (\S+)", str(said[0].message))[1]
        with pytest.raises(RuntimeError, match="no such register"):  # in a process as broken
            reproduce._main(path)
    command = [sys.executable, "-m", "gradtape.backends.reproduce", path]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "graph f(" in done.stdout and done.stdout.endswith("It is compiled.\n")
    graph = reproduce.read(path)
    again = oracle.compile_graph(graph)([np.ones(3), np.ones(3)][: len(graph.inputs)])
    assert again[0] == gt.value(found)


def test_numpy_is_a_backend_too():
    @gt.function(backend="numpy")
    def f(x):
        return np.sin(x)

    assert f(np.array([1.0])) == np.sin(1.0)
    assert f._direct is None


def test_constants_live_as_long_as_the_builtin():
    table = RNG.normal(size=1000)
    graph, inputs = graph_of(lambda x: x * np.array(table), np.ones(1000))
    call, _, _ = segments.compile_graph(graph).direct
    del graph
    gc.collect()
    junk = [np.full(1000, 7.0) for _ in range(50)]
    np.testing.assert_array_equal(call(inputs[0]), table)
    assert len(junk) == 50


# ------------------------------------------------------------------------------ windows


def put(x, index, v):
    y = x.copy()
    y[index] = v
    return y


@pytest.mark.parametrize(
    ("shape", "index"),
    [
        ((50,), slice(1, -1)),
        ((9, 12), (slice(1, -1), slice(2, None))),
        ((9, 12), slice(1, None)),
        ((7, 8, 9), (slice(1, -1), slice(None, -2), slice(1, None))),
        ((2, 12), -1),
        ((3, 5, 2), (slice(None), slice(None), slice(None))),
        ((9, 12), (slice(3, 3), slice(None))),  # nothing
        ((9, 12), (slice(None, None, 2), slice(None))),  # not side by side
    ],
)
def test_what_is_written_in_a_window_is_as_numpy_has_it(shape, index, monkeypatch):
    monkeypatch.setattr(rewrites, "_COPIED", 0)
    x, base = RNG.standard_normal(shape), RNG.standard_normal(shape)
    check(lambda x, base: put(base, index, np.sin(x[index]) * 2.0), x, base)
    check(lambda x, base: put(np.exp(base), index, x[index]) * 2.0, x, base)
    check(lambda x, base: put(base, index, 1.5), x, base)
    turned = np.ascontiguousarray(base.T)
    check(lambda x, turned: put(turned.T, index, x[index]), x, turned)


def test_a_window_is_written_where_it_is_computed_and_its_base_only_around_it():
    x, base = RNG.standard_normal((60, 50)), RNG.standard_normal((60, 50))
    inner = (slice(1, -1), slice(1, -1))

    def f(x, base):
        return put(base, inner, np.sin(x[inner]) + np.cos(x[inner]))

    spaces = [loop.space for loop in loops(check(f, x, base))]
    assert sorted(spaces) == [(1, 50), (58, 1), (58, 48)]


def test_a_step_of_a_stencil_is_one_loop_forth_and_two_back():
    def f(a, b):
        inner = (slice(1, -1), slice(1, -1))
        for _ in range(2):
            b = put(b, inner, a[:-2, 1:-1] + a[2:, 1:-1] + a[1:-1, :-2] + a[1:-1, 2:])
            a = put(a, inner, b[:-2, 1:-1] + b[2:, 1:-1] + b[1:-1, :-2] + b[1:-1, 2:])
        return np.sum(a * b)

    a, b = RNG.standard_normal((60, 70)), RNG.standard_normal((60, 70))
    gradient = gt.grad(f, argnums=(0, 1))
    check(gradient, a, b, rtol=1e-12)
    made = plan(prepare(graph_of(gradient, a, b)[0]))
    assert len([loop for loop in loops(made) if loop.size > 1000]) <= 4 + 2 * 4


def test_what_fills_a_target_is_written_shortly_before_it_is_read():
    def f(x):
        for _ in range(12):
            x = np.sin(np.pad(x[1:-1] + 1.0, 1))
        return x

    made = check(f, RNG.standard_normal(40))
    filled: dict[object, list[int]] = {}
    for n, loop in enumerate(made.parts):
        for node in loop.nodes:
            if node.outputs[0] in made.placed:
                filled.setdefault(made.placed[node.outputs[0]].source, []).append(n)
    assert len(filled) == 12
    assert all(max(parts) - min(parts) <= 8 for parts in filled.values())
