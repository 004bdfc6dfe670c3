"""The graph of a run, made of the records of a tape: nodes, places, roles, inputs, structure."""

import json
import re

import numpy as np
import pytest

import gradtape as gt
import gradtape.tf as tf
from gradtape.core.registry import CARDS, load
from gradtape.core.state import Recorder
from gradtape.record.graphs import graph_of, inputs_of, numbers_of, structure_of, values_of
from gradtape.record.rules import DIFFERENTIALS, KINDS, WORDS, rule_of

X = np.array([1.0, 2.0, 4.0, 7.0])
Y = 3 * X - 1


class Keeping(Recorder):
    """A recorder that keeps every operand, constants too."""

    __slots__ = ()
    is_general = True

    def __init__(self, *args, **options):
        super().__init__(*args, keep_all=True, **options)


class KeepingTape(gt.GradientTape):
    """A tape of that recorder."""

    _recorder_class = Keeping


BOTH = pytest.mark.parametrize("kind", [gt.GradientTape, KeepingTape], ids=["fast", "general"])


def line(kind, a, b, x=X, y=Y):
    with kind() as tape:
        fitted = a + b * x
        cost = np.sum((y - fitted) ** 2) / (2 * len(x))
    return tape._recorder, cost


def parameters():
    return gt.Variable(0.5, name="a"), gt.Variable(2.0, name="b")


def by_op(graph, op):
    return [n for n in graph["nodes"] if n["op"] == op]


# ------------------------------------------------------------------------------- nodes


@BOTH
def test_nodes_stand_in_the_order_of_execution_with_place_group_and_rule(kind):
    a, b = parameters()
    recorder, cost = line(kind, a, b)
    graph = graph_of(recorder, cost, [a, b], ["a", "b"])
    operations = [n for n in graph["nodes"] if n["kind"] == "op"]
    assert [n["op"] for n in operations[:4]] == ["multiply", "add", "subtract", "square"]
    assert operations[4]["op"] in ("sum", "sum_all")
    assert operations[5]["op"] == "divide"
    assert all(i < n["id"] for n in graph["nodes"] for i in n["in"])
    assert operations[0]["text"] == "fitted = a + b * x"
    assert operations[0]["file"] == __file__
    assert operations[0]["function"] == "line"
    assert operations[0]["group"] == "test_graphs.py/line"
    assert operations[2]["line"] == operations[0]["line"] + 1
    assert operations[0]["rule"] == "d(x * y) = y dx + x dy"
    assert [n["shape"] for n in operations] == [[4]] * 4 + [[]] * 2
    assert graph["target"] == operations[5]["id"]
    assert graph["sources"].keys() == {"value/a", "value/b"}
    (divisor,) = [n for n in graph["nodes"] if n["kind"] == "constant"]
    assert (divisor["value"], divisor["weak"]) == (8, True)
    assert json.loads(json.dumps(graph, allow_nan=False)) == graph


def test_what_the_target_does_not_depend_on_is_left_out():
    a, b = parameters()
    with gt.GradientTape() as tape:
        cost = a * 2.0
        np.sin(b)
    graph = graph_of(tape._recorder, cost, [a, b], ["a", "b"])
    assert [n["op"] for n in graph["nodes"]] == ["variable", "variable", "constant", "multiply"]


def test_several_targets_and_a_leaf_nobody_named():
    a, b = parameters()
    with gt.GradientTape() as tape:
        targets = [a * 2.0, np.exp(b)]
    graph = graph_of(tape._recorder, targets, [a], ["first"])
    assert graph["sources"].keys() == {"value/first", "value/b"}
    assert [graph["nodes"][i]["op"] for i in graph["targets"]] == ["multiply", "exp"]


def test_a_watched_tensor_is_a_source():
    with gt.GradientTape() as tape:
        x = tape.watch(X)
        cost = np.sum(x**2)
    graph = graph_of(tape._recorder, cost, [x], ["source:0"])
    assert graph["nodes"][graph["sources"]["value/source:0"]]["kind"] == "source"


def test_parameters_are_plain_data_and_arrays_in_them_are_inputs():
    w = gt.Variable(np.arange(12.0).reshape(4, 3), name="w")
    rows, columns = np.array([0, 2]), np.array([1, 1])
    with KeepingTape() as tape:
        cost = np.sum(w[rows, columns] ** 2) + np.sum(w, axis=np.int64(0))[1]
    graph = graph_of(tape._recorder, cost, [w], ["w"])
    picked, second = by_op(graph, "getitem")
    assert picked["params"] == ["d", ["index", ["t", ["a", 0], ["a", 1]]]]
    held = [graph["nodes"][i]["tag"] for i in picked["held"]]
    found = inputs_of(tape._recorder, graph)
    assert [found[tag].tolist() for tag in held] == [[0, 2], [1, 1]]
    assert second["params"] == ["d", ["index", 1]]
    assert ["axis", 0] in by_op(graph, "sum")[1]["params"]


def test_operations_with_several_results_have_one_node_for_each():
    w = gt.Variable(np.array([[2.0, 1.0], [0.5, 3.0]]), name="w")
    with gt.GradientTape() as tape:
        cost = np.linalg.slogdet(w)[1]
    graph = graph_of(tape._recorder, cost, [w], ["w"])
    (item,) = by_op(graph, "item")
    assert item["params"] == ["d", ["index", 1]]
    assert graph["nodes"][item["in"][0]]["op"] == "slogdet"


def test_a_compiled_function_is_shown_node_by_node():
    @gt.function
    def model(x, w):
        return np.tanh(x @ w)

    w = gt.Variable(np.ones((2, 3)), name="w")
    x = np.arange(8.0).reshape(4, 2)
    with gt.GradientTape() as tape:
        cost = np.sum(model(x, w) ** 2)
    graph = graph_of(tape._recorder, cost, [w], ["w"])
    operations = [n["op"] for n in graph["nodes"] if n["kind"] == "op"]
    assert operations == ["matmul", "tanh", "square", "sum_all"]
    assert by_op(graph, "tanh")[0]["text"] == "return np.tanh(x @ w)"
    assert by_op(graph, "tanh")[0]["group"].endswith("/model")
    assert inputs_of(tape._recorder, graph)["input/0"].tolist() == x.tolist()


def test_a_rule_of_the_users_own_cannot_be_computed_again_and_says_so():
    @gt.custom_gradient
    def twice(x):
        return 2 * x, lambda ct: 2 * ct

    a, _ = parameters()
    with gt.GradientTape() as tape:
        cost = twice(a * 1.0)
    graph = graph_of(tape._recorder, cost, [a], ["a"])
    assert any("the user's own" in n.get("opaque", "") for n in graph["nodes"])


def test_one_call_of_a_composite_is_a_group():
    w = gt.Variable(np.ones((3, 4)), name="w")
    with KeepingTape() as tape:
        cost = tf.reduce_mean(tf.nn.log_softmax(w * 1.0))
    graph = graph_of(tape._recorder, cost, [w], ["w"])
    groups = {n["group"] for n in graph["nodes"] if n["kind"] == "op"}
    assert any(group.endswith("/log_softmax") for group in groups)


# ------------------------------------------------------------------------------- inputs


def test_the_arrays_that_entered_are_found_where_they_were_kept():
    a, b = parameters()
    recorder, cost = line(KeepingTape, a, b)
    graph = graph_of(recorder, cost, [a, b], ["a", "b"])
    found = inputs_of(recorder, graph)
    assert found.keys() == {"input/0", "input/1"}
    np.testing.assert_array_equal(found["input/0"], X)
    np.testing.assert_array_equal(found["input/1"], Y)
    assert [graph["nodes"][i].get("missing") for i in graph["inputs"].values()] == [None, None]


def test_the_fast_way_keeps_no_constant_that_no_rule_needs_and_kept_gives_it():
    a, b = parameters()
    recorder, cost = line(gt.GradientTape, a, b)
    graph = graph_of(recorder, cost, [a, b], ["a", "b"])
    assert inputs_of(recorder, graph).keys() == {"input/0"}
    assert graph["nodes"][graph["inputs"]["input/1"]]["missing"]
    kept = {(2, 0): Y}
    graph = graph_of(recorder, cost, [a, b], ["a", "b"], kept=kept)
    np.testing.assert_array_equal(inputs_of(recorder, graph, kept)["input/1"], Y)


def test_an_array_that_enters_twice_is_one_input_until_it_is_two():
    a, b = parameters()

    def step(first, second):
        with KeepingTape() as tape:
            cost = np.sum(a * first) + np.sum(b * second)
        return tape._recorder, cost

    recorder, cost = step(X, X)
    graph = graph_of(recorder, cost, [a, b], ["a", "b"])
    assert graph["inputs"].keys() == {"input/0"}
    again, _ = step(Y, Y)
    assert inputs_of(again, graph)["input/0"].tolist() == Y.tolist()
    split, cost = step(X, Y)
    assert inputs_of(split, graph) is None
    assert graph_of(split, cost, [a, b], ["a", "b"])["inputs"].keys() == {"input/0", "input/1"}


def test_a_number_that_changes_from_step_to_step_is_told_and_becomes_an_input():
    a, _ = parameters()

    def step(weight):
        with KeepingTape() as tape:
            cost = a * weight
        return tape._recorder, cost

    recorder, cost = step(0.5)
    graph = graph_of(recorder, cost, [a], ["a"])
    assert numbers_of(recorder, graph) == {}
    later, cost = step(0.25)
    assert numbers_of(later, graph) == {1: 0.25}
    graph = graph_of(later, cost, [a], ["a"], varying={1})
    assert inputs_of(later, graph)["input/0"] == 0.25


@BOTH
def test_forward_values_where_they_are_kept(kind):
    a, b = parameters()
    recorder, cost = line(kind, a, b)
    graph = graph_of(recorder, cost, [a, b], ["a", "b"])
    values = values_of(recorder, graph, {"value/a": 0.5, "value/b": 2.0})
    expected = {"multiply": 2 * X, "add": 0.5 + 2 * X, "subtract": Y - (0.5 + 2 * X)}
    for node, value in zip(graph["nodes"], values, strict=True):
        if node["op"] in expected and (value is not None or kind is KeepingTape):
            np.testing.assert_array_equal(value, expected[node["op"]])
    (difference,) = by_op(graph, "subtract")
    assert values[difference["id"]] is not None  # the square's operand


def test_inputs_are_called_what_the_users_lines_call_them():
    a, b = parameters()
    cars = {"hp": X, "mpg": Y}
    with KeepingTape() as tape:
        cost = np.sum((cars["mpg"] - (a + b * cars["hp"])) ** 2)
    graph = graph_of(tape._recorder, cost, [a, b], ["a", "b"])
    assert [graph["nodes"][i]["name"] for i in graph["inputs"].values()] == ["hp", "mpg"]
    recorder, cost = line(KeepingTape, a, b)
    graph = graph_of(recorder, cost, [a, b], ["a", "b"])
    assert [graph["nodes"][i]["name"] for i in graph["inputs"].values()] == ["x", "y"]


def test_of_an_expression_there_is_no_name():
    a, _ = parameters()
    with KeepingTape() as tape:
        cost = np.sum(a * (X + 1)) + np.sum(np.maximum(np.sin(X), a * np.asarray(Y)))
    graph = graph_of(tape._recorder, cost, [a], ["a"])
    names = [graph["nodes"][i].get("name") for i in graph["inputs"].values()]
    assert names == [None, "Y", None]


# -------------------------------------------------------------------------------- roles

W = np.random.default_rng(0).normal(size=(4, 3))
FEATURES = np.random.default_rng(1).normal(size=(30, 4))
LABELS = np.random.default_rng(2).integers(0, 3, 30)
ONE_HOT = np.eye(3)[LABELS]


def softmax(z):
    e = np.exp(z - np.max(z, axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)


def roles(kind, loss, y):
    """Whether the guess names the features, `y`, and the node made on the line `z = ...`."""
    w = gt.Variable(W, name="w")
    with kind() as tape:
        cost = loss(FEATURES, w)
    graph = graph_of(tape._recorder, cost, [w], ["w"])
    found = graph["roles"]
    assert graph["prediction"] == found["prediction"]
    entered = inputs_of(tape._recorder, graph)
    assert found["x"] is not None
    np.testing.assert_array_equal(entered.get(found["x"], FEATURES), FEATURES)
    assert found["y"] is not None
    np.testing.assert_array_equal(np.ravel(entered.get(found["y"], y)), np.ravel(y))
    return graph["nodes"][found["prediction"]]


def squares(x, w):
    p = np.tanh(x @ w)
    return np.mean((p - ONE_HOT) ** 2) + 0.1 * np.sum(w**2)


def weighted_squares(x, w):
    p = np.tanh(x @ w)
    return np.mean(np.arange(90.0).reshape(30, 3) * (ONE_HOT - p) ** 2)


def absolute(x, w):
    p = np.tanh(x @ w)
    return np.mean(np.abs(ONE_HOT - p))


def cross_entropy(x, w):
    p = softmax(x @ w)
    return -np.mean(np.sum(ONE_HOT * np.log(p + 1e-12), axis=1))


def clipped_cross_entropy(x, w):
    p = softmax(x @ w)
    return -np.sum(ONE_HOT * np.log(np.clip(p, 1e-12, 1.0)))


def binary(x, w):
    p = 1 / (1 + np.exp(-(x @ w)))
    return -np.mean(ONE_HOT * np.log(p) + (1 - ONE_HOT) * np.log(1 - p))


def log_softmax(x, w):
    p = x @ w
    shifted = p - np.max(p, axis=1, keepdims=True)
    logs = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    return -np.mean(np.sum(logs * ONE_HOT, axis=1))


def picked(x, w):
    p = softmax(x @ w)
    return -np.mean(np.log(p[np.arange(30), LABELS]))


def picked_logs(x, w):
    p = softmax(x @ w)
    return -np.mean(np.log(p)[np.arange(30), LABELS])


def hinge(x, w):
    p = x @ w
    return np.mean(np.maximum(0, 1 - (2 * ONE_HOT - 1) * p))


def poisson(x, w):
    p = np.exp(x @ w)
    return np.sum(p - ONE_HOT * np.log(p))


LOSSES = [
    (squares, "p = np.tanh(x @ w)", ONE_HOT),
    (weighted_squares, "p = np.tanh(x @ w)", ONE_HOT),
    (absolute, "p = np.tanh(x @ w)", ONE_HOT),
    (cross_entropy, "return e / np.sum(e, axis=1, keepdims=True)", ONE_HOT),
    (clipped_cross_entropy, "return e / np.sum(e, axis=1, keepdims=True)", ONE_HOT),
    (binary, "p = 1 / (1 + np.exp(-(x @ w)))", ONE_HOT),
    (log_softmax, "p = x @ w", ONE_HOT),
    (picked, "return e / np.sum(e, axis=1, keepdims=True)", LABELS),
    (picked_logs, "return e / np.sum(e, axis=1, keepdims=True)", LABELS),
    (hinge, "p = x @ w", 2 * ONE_HOT - 1),
    (poisson, "p = np.exp(x @ w)", ONE_HOT),
]


@BOTH
@pytest.mark.parametrize(("loss", "text", "y"), LOSSES, ids=[case[0].__name__ for case in LOSSES])
def test_the_prediction_is_what_the_cost_compares_with_a_constant(kind, loss, text, y):
    assert roles(kind, loss, y)["text"] == text


@BOTH
def test_x_of_a_line_is_what_the_slope_multiplies_and_y_what_is_compared(kind):
    a, b = parameters()
    recorder, cost = line(kind, a, b)
    graph = graph_of(recorder, cost, [a, b], ["a", "b"])
    assert graph["roles"]["x"] == "input/0"
    assert graph["roles"]["y"] == "input/1"
    assert graph["nodes"][graph["prediction"]]["op"] == "add"


def test_layers_between_with_a_kink_are_no_prediction():
    u, v = gt.Variable(np.ones((4, 5)), name="u"), gt.Variable(np.ones((5, 3)), name="v")
    with KeepingTape() as tape:
        hidden = FEATURES @ u
        hidden = np.where(np.greater(hidden, 0), hidden, 0.1 * hidden)
        logits = hidden @ v
        cost = tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(labels=LABELS, logits=logits)
        )
    graph = graph_of(tape._recorder, cost, [u, v], ["u", "v"])
    assert graph["nodes"][graph["prediction"]]["text"] == "logits = hidden @ v"
    found = inputs_of(tape._recorder, graph)
    assert graph["nodes"][graph["inputs"][graph["roles"]["y"]]]["name"] == "LABELS"
    np.testing.assert_array_equal(np.ravel(found[graph["roles"]["y"]]), LABELS)
    np.testing.assert_array_equal(found[graph["roles"]["x"]], FEATURES)


def test_the_dialects_cross_entropy_compares_logits():
    w = tf.Variable(W.astype(np.float32), name="w")
    x = tf.constant(FEATURES.astype(np.float32))
    with tf.GradientTape() as tape:
        logits = tf.matmul(x, w)
        cost = tf.reduce_mean(
            tf.nn.softmax_cross_entropy_with_logits(labels=ONE_HOT, logits=logits)
        )
    graph = graph_of(tape._recorder, cost, [w], ["w"])
    assert graph["nodes"][graph["prediction"]]["text"] == "logits = tf.matmul(x, w)"


def test_without_a_comparison_nothing_is_guessed():
    a, b = parameters()
    with gt.GradientTape() as tape:
        cost = (1 - a) ** 2 + 100 * (b - a**2) ** 2
    graph = graph_of(tape._recorder, cost, [a, b], ["a", "b"])
    assert graph["roles"] == {"x": None, "y": None, "prediction": None}


# ---------------------------------------------------------------------------- structure


def test_steps_of_one_structure_are_told_by_it_and_others_are_not():
    a, b = parameters()
    first = structure_of(*line(gt.GradientTape, a, b))
    a.assign(3.0)
    assert structure_of(*line(gt.GradientTape, a, b, Y, X)) == first
    assert structure_of(*line(gt.GradientTape, a, b, X[:3], Y[:3])) != first
    assert structure_of(*line(gt.GradientTape, b, a)) == first  # the parts are the same
    with gt.GradientTape() as tape:
        crossed = a * (b * a)
    with gt.GradientTape() as other:
        straight = a * (b * b)
    assert structure_of(tape._recorder, crossed) != structure_of(other._recorder, straight)


def test_parameters_are_part_of_the_structure():
    w = gt.Variable(np.ones((3, 3)), name="w")
    found = set()
    for axis in (0, 1):
        with gt.GradientTape() as tape:
            cost = np.sum(w, axis=axis)
        found.add(structure_of(tape._recorder, cost))
    assert len(found) == 2


def test_it_is_the_same_after_a_gradient_consumed_the_tape():
    a, b = parameters()
    with gt.GradientTape() as tape:
        cost = np.sum(a * b)
    before = structure_of(tape._recorder, cost)
    tape.gradient(cost, [a, b])
    assert structure_of(tape._recorder, cost) == before


@pytest.mark.parametrize("loss", [case[0] for case in LOSSES], ids=lambda f: f.__name__)
def test_without_places_it_is_the_same_for_both_ways_of_recording(loss):
    w = gt.Variable(W, name="w")
    found = set()
    for kind in (gt.GradientTape, KeepingTape):
        with kind() as tape:
            cost = loss(FEATURES, w)
        found.add(structure_of(tape._recorder, cost, places=False))
    assert len(found) == 1


# -------------------------------------------------------------------------------- rules


def test_every_operation_with_a_derivative_has_a_rule():
    load()
    derived = [c for c in CARDS.values() if c.kind in ("elementwise", "linear", "primitive")]
    assert [c.name for c in derived if c.name not in {**DIFFERENTIALS, **WORDS}] == []
    assert set(DIFFERENTIALS).isdisjoint(WORDS)
    assert {**DIFFERENTIALS, **WORDS}.keys() <= CARDS.keys()
    assert rule_of(CARDS["argmax"]) == KINDS["nondifferentiable"]


FUNCTIONS = ("sin", "cos", "sinh", "cosh", "sqrt", "exp", "exp2", "log", "sign", "trunc", "floor")
NAMES = {"pi": np.pi, **{name: getattr(np, name) for name in FUNCTIONS}}


@pytest.mark.parametrize("name", DIFFERENTIALS)
def test_a_differential_is_what_the_card_computes(name):
    card = CARDS[name]
    right = re.split(r":|, 0 at", DIFFERENTIALS[name].partition(" = ")[2])[0]
    x = np.array([1.3, 2.4]) if name == "arccosh" else np.array([0.3, 0.7])
    y = np.array([1.6, 0.4])
    operands = (x, y)[: card.arity]
    out = card.impl(*operands)
    known = {**NAMES, "x": x, "y": y, "out": out}
    for i, d in enumerate(("dx", "dy")[: card.arity]):
        if not card.has_vjp(i):
            continue
        one = {"dx": 0.0, "dy": 0.0, d: 1.0}
        text = right
        if right not in ("dx + dy", "dx - dy"):  # `cos(x) dx`: a coefficient before each
            parts = re.findall(r"(?: ([+-]) )?(.+?) (d[xy])(?= [+-] |$)", right)
            text = "0 " + " ".join(
                f"{sign or '+'} ({factor}) * {end}" for sign, factor, end in parts
            )
        tangents = [np.ones_like(x) if j == i else None for j in range(card.arity)]
        expected = card.jvp(tangents, out, operands, {})
        np.testing.assert_allclose(
            eval(text, {"__builtins__": {}}, {**known, **one}) + 0 * x, expected, rtol=1e-12
        )


def test_arrays_are_called_what_they_are_said_to_be_called():
    a, _ = parameters()
    with KeepingTape() as tape:
        cost = np.sum(a * (X + 1)) + np.sum(a * Y)
    labels = [(X + 1, "years"), (Y, "euros")]
    graph = graph_of(tape._recorder, cost, [a], ["a"], labels=labels)
    assert [graph["nodes"][i]["name"] for i in graph["inputs"].values()] == ["years", "euros"]
