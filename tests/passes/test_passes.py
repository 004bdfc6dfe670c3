"""Passes: before and after as text, the same bits, and what each leaves alone."""

import numpy as np
import pytest

import gradtape as gt
from gradtape import events
from gradtape.core.aval import Aval
from gradtape.core.tensor import raw
from gradtape.graph.check import verify
from gradtape.graph.evaluate import evaluate
from gradtape.graph.ir import Constant
from gradtape.graph.printing import show
from gradtape.graph.trace import trace
from gradtape.passes import windows
from gradtape.passes.algebra import simplify
from gradtape.passes.common import merge_common
from gradtape.passes.cuts import remove_cuts
from gradtape.passes.dead import remove_dead
from gradtape.passes.fold import fold_constants
from gradtape.passes.inline import inline_calls
from gradtape.passes.pipeline import PIPELINE, optimise, prepare
from gradtape.passes.sink import sink_views
from gradtape.passes.spares import has_spares, remove_spares
from gradtape.passes.windows import read_windows

VECTOR = Aval((3,), np.float64)
MATRIX = Aval((2, 3), np.float64)
SPECIAL = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1.5])


def body(graph):
    """The lines of a graph between its first and its last."""
    return [line.strip() for line in show(graph).splitlines()[1:-1]]


def after(run, f, *avals):
    """The lines of the graph of `f` after one pass, which is verified, without dead nodes."""
    traced, _ = trace(f, avals, "f")
    before = show(traced.graph)
    graph = remove_dead(verify(run(traced.graph)))
    assert show(traced.graph) == before, "a pass changes the graph that it is given"
    return body(verify(graph))


def test_remove_cuts():
    w = gt.Variable(np.ones(3))

    def f(x):
        w.assign(gt.stop_gradient(x))
        return np.sin(w)

    assert after(remove_cuts, f, VECTOR) == [
        "v0: float64[3] = sin(x0)", "assign w0 <- x0", "return v0",
    ]  # fmt: skip


def test_remove_spares():
    matrix, vector = Aval((2, 3), np.float64), Aval((3,), np.float64)
    gradient = gt.grad(lambda x, y: np.sum(np.sin(x @ y)), argnums=1)
    traced, _ = trace(gradient, [matrix, vector], "f")
    assert has_spares(traced.graph)
    lines = after(remove_spares, gradient, matrix, vector)
    assert not any("spare" in line for line in lines)
    assert sum("matmul" in line for line in lines) == 2


def test_inline_calls():
    @gt.custom_gradient
    def log1pexp(x):
        e = np.exp(x)
        return np.log(e + 1.0), lambda ct: ct * (1 - 1 / (1 + e))

    @gt.custom_gradient
    def around(x):
        return log1pexp(x) * 2.0, lambda ct: ct

    traced, _ = trace(lambda x: np.sin(around(x)), [VECTOR], "f")
    assert body(traced.graph)[0] == "v0: float64[3] = around(x0)"
    assert after(inline_calls, lambda x: np.sin(around(x)), VECTOR) == [
        "v0: float64[3] = exp(x0)",
        "v1: float64[3] = add(v0, 1.0)",
        "v2: float64[3] = log(v1)",
        "v3: float64[3] = multiply(v2, 2.0)",
        "v4: float64[3] = sin(v3)",
        "return v4",
    ]


def test_remove_dead():
    traced, _ = trace(lambda x: (np.sin(x), np.cos(x)), [VECTOR], "f")
    traced.graph.outputs.pop(0)
    assert body(remove_dead(traced.graph)) == ["v0: float64[3] = cos(x0)", "return v0"]


def test_merge_common():
    assert after(merge_common, lambda x: np.sin(x) * np.sin(x), VECTOR) == [
        "v0: float64[3] = sin(x0)", "v1: float64[3] = multiply(v0, v0)", "return v1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sum(x, axis=0) + np.sum(x, axis=1)[0],
        lambda x: x * 0.0 + x * -0.0,
        lambda x: x[:, [0, 1, 1]] + x[:, [0, 1, 2]],
        lambda x: np.clip(x, 0, 1) + np.clip(x, 0.0, 1.0),
    ],
)
def test_what_differs_in_parameters_or_constants_is_not_merged(f):
    traced, _ = trace(f, [MATRIX], "f")
    assert len(merge_common(traced.graph).nodes) == len(traced.graph.nodes)


def test_constants_are_folded_where_all_operands_are_known():
    traced, _ = trace(lambda x, y: x * (y + 1.0), [VECTOR, Aval((), np.float64)], "f")
    graph = traced.graph
    known = Constant(Aval((), np.float64), np.float64(5.0))
    for node in graph.nodes:
        node.inputs = tuple(known if v is graph.inputs[1] else v for v in node.inputs)
    assert body(remove_dead(fold_constants(graph))) == [
        "v0: float64[3] = multiply(x0, float64(6.0))", "return v0",
    ]  # fmt: skip


def test_what_fails_is_not_folded():
    graph = trace(lambda x: np.linalg.inv(x), [Aval((2, 2), np.float64)], "f")[0].graph
    known = Constant(Aval((2, 2), np.float64), np.zeros((2, 2)))
    graph.nodes[0].inputs = (known,)
    assert len(fold_constants(graph).nodes) == 1


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (lambda x: x * 1.0, []),
        (lambda x: 1.0 * x, []),
        (lambda x: x * np.ones(3), []),
        (lambda x: x / 1.0, []),
        (lambda x: x - 0.0, []),
        (lambda x: x + -0.0, []),
        (lambda x: np.negative(np.negative(x)), []),
        (lambda x: +x, []),
        (lambda x: np.reshape(x, (3,)), []),
        (lambda x: x.astype(float), []),
        (lambda x: np.broadcast_to(x, (3,)), []),
        (lambda x: np.reshape(np.reshape(x, (3, 1)), (1, 3)), ["reshape(x0)"]),
        # the same bits only: these stay
        (lambda x: x + 0.0, ["add(x0, 0.0)"]),
        (lambda x: x - -0.0, ["subtract(x0, -0.0)"]),
        (lambda x: x * 0.0, ["multiply(x0, 0.0)"]),
        (lambda x: x / 2.0, ["divide(x0, 2.0)"]),
        (lambda x: x**2, ["power_of_number(x0, 2)"]),
        (lambda x: 1.0 / x, ["divide(1.0, x0)"]),
        (lambda x: x * np.ones((2, 3)), ["multiply(x0, k0)"]),
        (lambda x: x.astype(np.float32) * np.ones(3), ["astype(x0)", "multiply(v0, k0)"]),
    ],
)
def test_simplify(f, expected):
    lines = after(simplify, f, VECTOR)
    found = [line.partition(" = ")[2].partition(" {")[0] for line in lines[:-1]]
    assert [text for text in found if "(" in text] == expected


def test_transposes_meet_and_undo_each_other():
    assert after(simplify, lambda x: x.T.T, MATRIX) == ["return x0"]
    cube = Aval((2, 3, 4), np.float64)
    assert after(simplify, lambda x: np.transpose(np.transpose(x, (1, 2, 0)), (1, 0, 2)), cube) == [
        "v0: float64[4,3,2] = transpose(x0) {axes=(2, 1, 0)}",
        "return v0",
    ]


def test_sink_views():
    assert after(sink_views, lambda x: np.exp(np.sin(np.reshape(x, 6))), MATRIX) == [
        "v0: float64[2,3] = sin(x0)",
        "v1: float64[2,3] = exp(v0)",
        "v2: float64[6] = reshape(v1) {order='C', shape=(6,)}",
        "return v2",
    ]


def test_a_view_that_is_needed_as_it_is_does_not_sink():
    lines = after(sink_views, lambda x: (np.sin(y := np.reshape(x, 6)), y), MATRIX)
    assert lines[0] == "v0: float64[6] = reshape(x0) {order='C', shape=(6,)}"


def test_a_view_does_not_sink_below_what_broadcasts_it():
    assert after(sink_views, lambda x: np.reshape(x, 6) + np.ones((2, 6)), MATRIX)[1].startswith(
        "v0: float64[6] = reshape"
    )


def gradients(x, y):
    with gt.GradientTape() as tape:
        tape.watch([x, y])
        z = np.reshape(np.tanh(x.T @ y) ** 2, -1) * 1.0
        loss = np.sum(z) + np.sum(np.sin(x) * np.sin(x)) - 0.0
    return [loss, *tape.gradient(loss, [x, y])]


@pytest.mark.parametrize("name", [name for name, _ in PIPELINE])
def test_each_pass_keeps_every_bit(name):
    run = dict(PIPELINE)[name]
    traced, _ = trace(gradients, [MATRIX, MATRIX], "f")
    rng = np.random.default_rng(0)
    values = [rng.normal(size=(2, 3)), rng.normal(size=(2, 3))]
    values += [raw(s) for s in traced.sources[2:]]
    expected, _ = evaluate(traced.graph, values)
    found, _ = evaluate(verify(run(traced.graph), name), values)
    for f, e in zip(found, expected, strict=True):
        np.testing.assert_array_equal(f, e)


def test_the_pipeline_keeps_signed_zeros_nan_and_infinity():
    def f(x):
        return ((x * 1.0 - 0.0) / 1.0 + -0.0) ** 2, np.negative(-x), x + 0.0

    traced, _ = trace(f, [Aval((6,), np.float64)], "f")
    expected, _ = evaluate(traced.graph, [SPECIAL])
    found, _ = evaluate(verify(optimise(traced.graph)), [SPECIAL])
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a.view(np.uint64), b.view(np.uint64))


def test_the_pipeline_leaves_fewer_nodes_and_says_what_it_does():
    seen = []
    traced, _ = trace(gradients, [MATRIX, MATRIX], "f")
    stop = events.subscribe(lambda name, data: seen.append((name, data["run"])))
    try:
        graph = optimise(traced.graph)
    finally:
        stop()
    assert seen == [*(("pass", name) for name, _ in PIPELINE), ("stage", "passes")]
    assert len(graph.nodes) <= len(traced.graph.nodes) - 5


# ------------------------------------------------------------------------------ windows


def test_read_windows():
    def adjoint(p, ct):
        with gt.GradientTape() as tape:
            tape.watch(p)
            y = np.sum((p[:-2] + p[2:]) * ct)
        return tape.gradient(y, p)

    lines = after(read_windows, adjoint, Aval((6,), np.float64), Aval((4,), np.float64))
    assert lines[-6:] == [
        "v1: float64[8] = pad_constant(v0) {constants=-0.0, widths=((2, 2),)}",
        "v2: float64[6] = getitem(v1) {index=(slice(0, 6, None),)}",
        "v3: float64[6] = add(k1, v2)",
        "v4: float64[6] = getitem(v1) {index=(slice(2, 8, None),)}",
        "v5: float64[6] = add(v3, v4)",
        "return v5",
    ]


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sum(np.sin(x[:2])),  # little of the array
        lambda x: np.sum(np.sin(x[1:])),  # one window of a small array
        lambda x: np.sum(np.sin(x[::2]) * x[1::2]),  # by steps
        lambda x: np.sum(np.sin(x[[0, 1, 2, 3, 4]]) * x[:5]),  # once by numbers
    ],
)
def test_additions_that_are_no_large_windows_stay(f):
    graph = trace(gt.grad(f), [Aval((6,), np.float64)], "f")[0].graph
    assert read_windows(graph) is graph or body(read_windows(graph)) == body(graph)


@pytest.mark.parametrize("shape", [(40,), (12, 9), (10, 12, 14)])
def test_windows_keep_the_bits_of_additions(shape, monkeypatch):
    monkeypatch.setattr(windows, "SMALL", 0)

    def f(x):
        inner = tuple(slice(1, -1) for _ in shape)
        total = np.sin(x[inner])
        for axis in range(len(shape)):
            for low, high in ((None, -2), (2, None)):
                total = total + x[(*inner[:axis], slice(low, high), *inner[axis + 1 :])] * total
        return np.sum(total * x[inner])

    x = np.random.default_rng(3).standard_normal(shape)
    x[x > 1] = -0.0
    traced, _ = trace(gt.grad(f), [Aval(shape, np.float64)], "f")
    graph, inputs = optimise(traced.graph), [x, *map(raw, traced.sources[1:])]
    read = read_windows(graph)
    assert not any(node.op.name == "add_at" for node in verify(read).nodes)
    (before, *_), _ = evaluate(graph, inputs)
    (now, *_), _ = evaluate(read, inputs)
    assert before.tobytes() == now.tobytes()


def test_a_border_keeps_the_sign_of_zero():
    def f(p, ct):
        with gt.GradientTape() as tape:
            tape.watch(p)
            y = np.sum((p[:-2] + p[2:]) * ct) + np.sum(p * -0.0)
        return tape.gradient(y, p)

    traced, _ = trace(f, [Aval((6,), np.float64), Aval((4,), np.float64)], "f")
    args = [np.ones(6), np.array([-0.0, -0.0, 1.0, -0.0]), *map(raw, traced.sources[2:])]
    graph = optimise(traced.graph)
    (before, *_), _ = evaluate(graph, args)
    (now, *_), _ = evaluate(read_windows(graph), args)
    assert np.signbit(before).any() and before.tobytes() == now.tobytes()


def test_a_graph_in_which_nothing_changes_stays_the_same():
    traced, _ = trace(lambda x: np.sin(x) * np.cos(x), (VECTOR,), "f")
    for _, run in PIPELINE[:-1]:
        assert run(traced.graph) is traced.graph
    assert prepare(traced.graph) is traced.graph


def test_a_constant_says_which_number_it_holds():
    def number(x):
        return Constant(Aval(np.shape(x), np.asarray(x).dtype), x).uniform

    assert number(2.5) == 2.5 and number(np.full(3, 2, np.int8)) == 2
    assert number(np.broadcast_to(-0.0, (1000, 1000))) == 0 and np.signbit(number(-0.0))
    for mixed in ([1.0, 2.0], [0.0, -0.0], [np.nan, np.nan], []):
        assert number(np.array(mixed)) is None
    assert number(np.ones(3, complex)) is None
    large = Constant(Aval((3,), np.float64), np.ones(3))
    assert large.uniform == 1
    large.data = None
    assert large.uniform == 1  # it has not looked again
