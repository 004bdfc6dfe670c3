"""Tracing: what becomes a node, an input, a constant; what is refused."""

import numpy as np
import pytest

import gradtape as gt
from gradtape.core.aval import Aval
from gradtape.core.registry import HOOKS
from gradtape.core.state import state
from gradtape.core.tensor import raw
from gradtape.errors import TracingError
from gradtape.graph.check import verify
from gradtape.graph.evaluate import evaluate
from gradtape.graph.printing import show
from gradtape.graph.trace import replay, trace

VECTOR = Aval((3,), np.float64)
X = np.array([0.3, -1.2, 0.7])


def graph_of(f, *avals):
    traced, _ = trace(f, avals, "f")
    return verify(traced.graph), traced.sources


def value(f, *args):
    graph, sources = graph_of(f, *(Aval(np.shape(x), np.asarray(x).dtype) for x in args))
    outputs, _ = evaluate(graph, [*args, *map(raw, sources[len(args) :])])
    return outputs


def test_a_graph_is_the_cards_in_their_order():
    graph, _ = graph_of(lambda x: np.sum(np.sin(x) * 2.0), VECTOR)
    assert show(graph) == (
        "graph f(x0: float64[3] argument) {\n"
        "  v0: float64[3] = sin(x0)\n"
        "  v1: float64[3] = multiply(v0, 2.0)\n"
        "  v2: float64[] = sum(v1) {axis=None, keepdims=False}\n"
        "  return v2\n"
        "}"
    )


def test_positions_are_the_users_lines():
    graph, _ = graph_of(lambda x: np.sin(x), VECTOR)
    assert "= sin(x0)  # test_trace.py:" in show(graph, positions=True)


def test_what_no_result_needs_is_left_out():
    def f(x):
        np.cos(x)
        return x + 1.0

    graph, _ = graph_of(f, VECTOR)
    assert [node.op.name for node in graph.nodes] == ["add"]


def test_a_gradient_inside_is_traced():
    def f(x):
        with gt.GradientTape() as tape:
            tape.watch(x)
            loss = np.sum(np.exp(x) * x)
        return tape.gradient(loss, x)

    np.testing.assert_allclose(value(f, X)[0], np.exp(X) * (1 + X), rtol=1e-14)


def test_second_derivatives_inside_are_traced():
    def f(x):
        return gt.grad(lambda y: np.sum(gt.grad(lambda z: np.sum(z**4))(y) ** 2))(x)

    np.testing.assert_allclose(value(f, X)[0], 2 * 4 * X**3 * 12 * X**2, rtol=1e-13)


def test_an_array_that_somebody_holds_is_read_at_each_call():
    held = np.array([1.0, 2.0, 3.0])
    graph, sources = graph_of(lambda x: x * held, VECTOR)
    assert graph.kinds == ["argument", "captured"]
    assert sources[1] is held


def test_an_array_that_was_made_inside_is_a_constant():
    graph, _ = graph_of(lambda x: x * np.arange(3.0), VECTOR)
    assert graph.kinds == ["argument"]
    assert "k0: float64[3] = [0., 1., 2.]" in show(graph)


def test_a_view_of_an_array_that_somebody_holds_is_read_at_each_call():
    held = np.arange(6.0)
    graph, sources = graph_of(lambda x: x * held[::2], VECTOR)
    assert graph.kinds == ["argument", "captured"]
    held[2] = 7.0
    assert sources[1][1] == 7.0


def test_a_tensor_from_outside_is_read_when_called():
    outside = gt.array([1.0, 2.0, 3.0])
    graph, sources = graph_of(lambda x: x + outside, VECTOR)
    assert graph.kinds == ["argument", "captured"]
    assert sources[1] is outside


def test_variables_are_inputs_and_assignments_are_effects_in_order():
    w = gt.Variable([1.0, 2.0, 3.0])

    def f(x):
        w.assign_add(x)
        first = w * 1.0
        w.assign(first * 2.0)
        w[0] = 0.0
        return first, w

    graph, sources = graph_of(f, VECTOR)
    assert graph.kinds == ["argument", "variable"]
    assert sources[1] is w
    outputs, assigned = evaluate(graph, [X, w.value])
    np.testing.assert_array_equal(outputs[0], X + [1, 2, 3])
    expected = np.append(0.0, 2 * (X + [1, 2, 3])[1:])
    np.testing.assert_array_equal(outputs[1], expected)
    np.testing.assert_array_equal(assigned[0], expected)
    np.testing.assert_array_equal(w.value, [1.0, 2.0, 3.0])  # nothing happened yet


def test_a_variable_of_one_number_takes_no_short_way_past_the_trace():
    w, other = gt.Variable(1.0), gt.Variable(3.0)

    def f(x):
        w.assign_sub(gt.array(0.25))
        return w * other + x

    graph, _ = graph_of(f, Aval((), np.float64))
    assert len(graph.effects) == 1
    assert float(w) == 1.0


def _element(y):
    y[0] = 5.0


def _slice(y):
    y[1:] = y[:2] * 1


def _added(y):
    part = y[1:]
    part += 1.0


def _backwards(y):
    y[::-1][0] = 9.0


def _reshaped(y):
    column = np.reshape(y, (3, 1))
    column *= 2.0


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (_element, [5.0, -1.2, 0.7]),
        (_slice, [0.3, 0.3, -1.2]),
        (_added, [0.3, -0.2, 1.7]),
        (_backwards, [0.3, -1.2, 9.0]),
        (_reshaped, [0.6, -2.4, 1.4]),
    ],
)
def test_writes_go_through_views_as_in_numpy(write, expected):
    def f(x):
        y = x * 1.0
        write(y)
        return y

    np.testing.assert_allclose(value(f, X)[0], expected)
    eager = f(gt.array(X))
    np.testing.assert_allclose(eager.numpy(), expected)


def test_an_index_may_be_computed():
    def f(x):
        return x[np.argmax(x)] * 2.0, x[np.argsort(x)]

    top, ordered = value(f, X)
    assert top == 1.4
    np.testing.assert_array_equal(ordered, np.sort(X))


def test_a_python_float_stays_weak():
    single = Aval((3,), np.float32)
    graph, _ = graph_of(lambda x, a: x * (a * 2), single, Aval((), np.float64, True))
    assert graph.outputs[0].aval.dtype == np.float32


@pytest.mark.parametrize(
    ("f", "said"),
    [
        (lambda x: 1.0 if x.sum() > 0 else 2.0, "bool .*\n.*test_trace.py.*\n.*np.where"),
        (lambda x: float(x[0]), "float .*"),
        (lambda x: np.asarray(x), "array .*"),
        (lambda x: range(int(x[0])), "int .*"),
        (lambda x: x[x > 0], "shape of the result depends on values"),
        (lambda x: np.nonzero(x), "shape of the result depends on values"),
        (lambda x: np.ravel(np.reshape(x, (3, 1)), "K"), "order='K'"),
        (lambda x: x.tolist(), "array|float"),
    ],
)
def test_what_needs_a_number_is_refused(f, said):
    with pytest.raises(TracingError, match=said):
        trace(f, [VECTOR], "f")
    assert not state.tapes
    assert state.tape is None


def test_a_value_that_outlives_its_trace_says_where_it_is_from():
    kept = []
    trace(lambda x: kept.append(x * 2.0), [VECTOR], "f")
    with pytest.raises(TracingError, match="earlier trace.*\n.*test_trace.py"):
        trace(lambda x: x + kept[0], [VECTOR], "g")


def test_showing_a_traced_tensor_is_no_exit():
    seen = []
    trace(lambda x: seen.append(f"{x} {x!r}"), [VECTOR], "f")
    assert seen == ["<traced float64[3]> Tensor(<traced float64[3]>)"]


@pytest.mark.parametrize("cut", [gt.stop_gradient, gt.value])
def test_no_derivative_leads_through_what_was_cut(cut):
    traced, _ = trace(lambda x: np.sum(x * cut(x)), [VECTOR], "f")
    x = gt.array(X)
    with gt.GradientTape() as tape:
        tape.watch(x)
        (y,) = replay(traced.graph, [x])
    np.testing.assert_allclose(tape.gradient(y, x).numpy(), X)


def test_a_replayed_graph_has_the_derivatives_of_the_function():
    def f(x, y):
        return np.sum(np.tanh(x @ y) ** 2 + np.maximum(x, y)[np.argmax(y)])

    traced, _ = trace(f, [VECTOR, VECTOR], "f")
    args = gt.array(X), gt.array(X[::-1] * 2)
    with gt.GradientTape(persistent=True) as tape:
        for t in args:
            tape.watch(t)
        (replayed,) = replay(traced.graph, args)
        direct = f(*args)
    for t in args:
        np.testing.assert_allclose(
            tape.gradient(replayed, t).numpy(), tape.gradient(direct, t).numpy(), rtol=1e-14
        )


def test_a_cotangent_of_zero_wins_in_a_traced_gradient():
    def f(x):
        return gt.grad(lambda x: np.sum(np.where(x > 0, np.sqrt(x), 0.0)))(x)

    found = value(f, np.array([0.0, 4.0, -1.0]))[0]
    np.testing.assert_array_equal(found, [0.0, 0.25, 0.0])


def test_a_product_with_a_number_needs_no_guard():
    graph, _ = graph_of(gt.grad(lambda x: np.sum(np.sin(x) * 1.001)), VECTOR)
    assert [n.op.name for n in graph.nodes].count("guard") == 0
    graph, _ = graph_of(gt.grad(lambda x: np.sum(np.sin(x) ** 2 * np.inf)), VECTOR)
    assert [n.op.name for n in graph.nodes].count("guard") >= 1


def test_guard_gives_zero_where_the_cotangent_is_zero_and_is_linear_in_the_product():
    guard = HOOKS["op:guard"]
    product, ct = gt.array([np.nan, 2.0, np.inf]), np.array([0.0, 1.0, 3.0])
    assert guard(product, ct).tolist() == [0.0, 2.0, np.inf]
    with gt.GradientTape() as tape:
        tape.watch(product)
        y = guard(product, ct)
    assert tape.gradient(y, product).tolist() == [0.0, 1.0, 1.0]


def test_verify_refuses_what_is_wrong():
    graph, _ = graph_of(lambda x: np.sum(np.sin(x)), VECTOR)
    graph.nodes.reverse()
    with pytest.raises(AssertionError, match="f, after swapping: node 0, sum: .*before it is def"):
        verify(graph, "swapping")
    graph.nodes.reverse()
    graph.nodes[0].outputs[0].aval = Aval((4,), np.float64)
    with pytest.raises(AssertionError, match="the rule gives"):
        verify(graph)


@pytest.mark.parametrize("make", [np.zeros_like, np.ones_like, np.empty_like])
def test_what_is_made_like_a_traced_value_is_traced(make):
    """The fast path must not take it for a Tensor with numbers: it would be cut off derivatives."""
    seen = []

    def f(x):
        seen.append(type(make(x)) is type(x))
        return np.ones(40_000) + make(x) * 2.0

    gt.function(f)(np.ones(40_000))
    assert seen == [True]
