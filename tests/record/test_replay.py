"""A stored graph is computed again: the numbers of NumPy, at any values, within limits."""

import copy
import json
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gradtape as gt
import gradtape.tf as tf
from gradtape.core.state import Recorder
from gradtape.errors import RunError
from gradtape.record.graphs import graph_of, inputs_of
from gradtape.record.replay import Replay

RNG = np.random.default_rng(7)
V = RNG.uniform(0.2, 0.9, (3, 3))
X = RNG.uniform(0.2, 0.9, (5, 3))
Y = RNG.uniform(0.2, 0.9, (5, 3))
LABELS = np.array([0, 2, 1, 1, 0])


class Keeping(Recorder):
    """A recorder that keeps every operand."""

    __slots__ = ()
    is_general = True

    def __init__(self, *args, **options):
        super().__init__(*args, keep_all=True, **options)


class KeepingTape(gt.GradientTape):
    """A tape of that recorder."""

    _recorder_class = Keeping


def stored(function, value=V):
    """(the graph of `function(w)` by way of a file, its inputs)."""
    w = gt.Variable(value, name="w")
    with KeepingTape() as tape:
        cost = function(w)
    graph = graph_of(tape._recorder, cost, [w], ["w"])
    return json.loads(json.dumps(graph, allow_nan=False)), inputs_of(tape._recorder, graph)


# --------------------------------------------------------------- the numbers are NumPy's

FUNCTIONS = {
    "line": lambda w: np.mean((Y - X @ w) ** 2) + 0.1 * np.sum(w**2),
    "elementwise": lambda w: np.sum(np.sin(w) * np.exp(-w) / (1 + w**2) + np.hypot(w, 2.0)),
    "kinks": lambda w: np.sum(np.maximum(X @ w, 0.7)) + np.sum(np.clip(w, 0.3, 0.6)),
    "absolute": lambda w: np.sum(np.abs(w - 0.5)) + np.sum(np.sign(w) * w),
    "reductions": lambda w: np.sum(np.max(w, axis=0) * np.min(w, axis=1)) + np.prod(w) + np.var(w),
    "axes": lambda w: np.sum(np.mean(w, axis=1, keepdims=True) - np.std(w, axis=0)),
    "index": lambda w: w[0, 1] + np.sum(w[:, ::2]) + np.sum(w[[0, 2], [1, 1]]) + np.sum(w[None, 1]),
    "mask": lambda w: np.sum(w[np.eye(3, dtype=bool)] ** 2),
    "shapes": lambda w: np.sum(np.reshape(w, (9,))[2:] * np.ravel(w.T)[:7]),
    "join": lambda w: np.sum(np.concatenate([w, X]) ** 2) + np.sum(np.stack([w, w * 2], axis=1)),
    "split": lambda w: np.sum(np.split(w, 3)[1] * 2) + np.sum(np.pad(w, 1)),
    "write": lambda w: written(w),
    "contract": lambda w: np.sum(np.einsum("ij,jk->ik", X, w)) + np.sum(np.tensordot(X, w, 1)),
    "solve": lambda w: np.sum(np.linalg.solve(w + 3 * np.eye(3), X.T)) + np.linalg.det(w),
    "inverse": lambda w: np.trace(np.linalg.inv(w + 3 * np.eye(3))),
    "logdet": lambda w: np.linalg.slogdet(w @ w.T + np.eye(3))[1],
    "factors": lambda w: np.sum(np.linalg.svdvals(w)),
    "norms": lambda w: np.linalg.norm(w) + np.sum(np.linalg.norm(w, axis=1)),
    "cumulative": lambda w: np.sum(np.cumsum(w, 0) * np.cumprod(w, 1)) + np.sum(np.diff(w)),
    "order": lambda w: np.median(w) + np.sum(np.sort(w, axis=1)[:, 0]) + np.quantile(w, 0.3),
    "convolve": lambda w: np.sum(np.convolve(w[0], X[:, 0])),
    "logsumexp": lambda w: np.sum(np.logaddexp.reduce(X @ w, axis=1)),
    "where": lambda w: np.sum(np.where(X > 0.5, X @ w, 0.1 * (X @ w))),
    "ufunc where": lambda w: np.sum(np.add(w, 1.0, where=V > 0.5, out=np.zeros((3, 3)))),
    "astype": lambda w: np.sum(w.astype(np.float32) * np.float32(0.5)),
    "complex": lambda w: np.sum(np.real(np.exp(1j * w) * (1 + 2j))),
    "repeat": lambda w: np.sum(np.tile(w, 2) * np.repeat(w, 2, axis=1)) + np.sum(np.roll(w, 1)),
    "number": lambda w: w[0, 0] * 2.5 - 3,
    "logits": lambda w: tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=LABELS, logits=np.matmul(X, w))
    ),
}  # fmt: skip


def written(w):
    x = w * 1.0
    x[0] = 2 * x[1]
    x[1, 2] += 1.0
    return np.sum(x**2)


def eager(function, value):
    """The value of `function`, and its constant arrays, computed by NumPy through the tape."""
    w = gt.Variable(value, name="w")
    with KeepingTape() as tape:
        cost = function(w)
    return np.asarray(cost.value), tape._recorder


@pytest.mark.parametrize("name", FUNCTIONS)
def test_at_other_values_it_is_what_the_function_gives(name):
    function = FUNCTIONS[name]
    graph, inputs = stored(function)
    replay = Replay(graph)
    assert replay.reason(replay.targets) == ""
    for value in (V, V[::-1].copy(), V + 0.05):
        expected, recorder = eager(function, value)
        entered = inputs_of(recorder, graph)  # a shift or an order found from the values is new
        found = replay.cost({**(entered or inputs), "value/w": value})
        np.testing.assert_allclose(found, expected, rtol=1e-13)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_batch_is_one_value_after_the_other(name):
    graph, inputs = stored(FUNCTIONS[name])
    replay = Replay(graph)
    batch = V + 0.01 * np.arange(4)[:, None, None]
    found = replay.costs(inputs, {"value/w": batch})
    single = [replay.cost({**inputs, "value/w": value}) for value in batch]
    assert found.shape == (4,)
    tolerance = 1e-5 if name == "astype" else 1e-12
    np.testing.assert_allclose(found, single, rtol=tolerance)


def test_a_batch_larger_than_the_memory_it_may_take_is_computed_in_blocks():
    graph, inputs = stored(FUNCTIONS["line"])
    batch = V + 0.01 * np.arange(100)[:, None, None]
    whole = Replay(graph).costs(inputs, {"value/w": batch})
    blocks = Replay(graph, elements=16 * 15 * 7)
    assert blocks._block(100, blocks.targets) == 7
    np.testing.assert_allclose(blocks.costs(inputs, {"value/w": batch}), whole, rtol=1e-13)


def test_a_singular_matrix_in_a_batch_is_nan_and_the_others_are_not():
    graph, inputs = stored(lambda w: np.sum(np.linalg.inv(w)))
    batch = np.stack([np.eye(3), np.ones((3, 3)), 2 * np.eye(3)])
    found = Replay(graph).costs(inputs, {"value/w": batch})
    np.testing.assert_array_equal(found, [3.0, np.nan, 1.5])


@given(st.lists(st.sampled_from(["sin", "exp", "tanh", "negative", "square"]), max_size=8),
       st.floats(-1.5, 1.5), st.floats(-1.5, 1.5))  # fmt: skip
@settings(max_examples=30, deadline=None)
def test_chains_of_operations(names, first, other):
    def function(w):
        for name in names:
            w = getattr(np, name)(w) * 0.5
        return np.sum(w * X)

    graph, inputs = stored(function, np.full(3, first))
    w = np.full(3, other)
    expected, _ = eager(function, w)
    np.testing.assert_allclose(Replay(graph).cost({**inputs, "value/w": w}), expected, rtol=1e-13)


def test_weak_numbers_and_dtypes_are_those_of_the_run():
    graph, inputs = stored(lambda w: np.sum(w * 0.1 + np.float32(0.1)), V.astype(np.float32))
    replay = Replay(graph)
    found = replay.cost({**inputs, "value/w": V.astype(np.float32)})
    assert found.dtype == np.float32
    assert replay.cost({**inputs, "value/w": V}).dtype == np.float32


def test_a_compiled_function_is_replayed():
    @gt.function
    def model(x, w):
        hidden = np.tanh(x @ w)
        return np.where(hidden > 0.5, hidden, hidden**2), hidden

    def function(w):
        first, second = model(X, w)
        return np.sum(first) + np.mean(second)

    graph, inputs = stored(function)
    replay = Replay(graph)
    expected, _ = eager(function, V - 0.4)
    np.testing.assert_allclose(replay.cost({**inputs, "value/w": V - 0.4}), expected, rtol=1e-13)
    batch = np.stack([V, V - 0.4])
    np.testing.assert_allclose(
        replay.costs(inputs, {"value/w": batch}),
        [eager(function, w)[0] for w in batch],
        rtol=1e-13,
    )


def test_a_script_of_the_dialect_is_replayed_in_float32():
    w = tf.Variable(V.astype(np.float32), name="w")
    b = tf.Variable(np.zeros(3, np.float32), name="b")
    x, y = tf.constant(X.astype(np.float32)), tf.constant(Y.astype(np.float32))

    class Kept(tf.GradientTape):
        _recorder_class = Keeping

    with Kept() as tape:
        cost = tf.reduce_mean(tf.square(tf.nn.sigmoid(tf.matmul(x, w) + b) - y))
    graph = graph_of(tape._recorder, cost, [w, b], ["w", "b"])
    inputs = inputs_of(tape._recorder, graph)
    found = Replay(graph).cost(
        {**inputs, "value/w": w.numpy() + 1, "value/b": np.ones(3, np.float32)}
    )
    z = X.astype(np.float32) @ (w.numpy() + 1) + 1
    np.testing.assert_allclose(found, np.mean((1 / (1 + np.exp(-z)) - Y) ** 2), rtol=1e-5)
    assert found.dtype == np.float32


def test_nodes_in_between_and_what_they_need():
    graph, inputs = stored(lambda w: np.mean((Y - X @ w) ** 2))
    replay = Replay(graph)
    assert replay.needs([replay.prediction]) == {"value/w", graph["roles"]["x"]}
    found = replay.run({**inputs, "value/w": 2 * V}, [replay.prediction])
    np.testing.assert_allclose(found[replay.prediction], X @ (2 * V), rtol=1e-13)


def test_several_targets_are_summed():
    w = gt.Variable(V, name="w")
    with KeepingTape() as tape:
        targets = [np.sum(w), w * 2.0]
    replay = Replay(graph_of(tape._recorder, targets, [w], ["w"]))
    np.testing.assert_allclose(replay.cost({"value/w": V}), 3 * V.sum())
    np.testing.assert_allclose(replay.costs({}, {"value/w": np.stack([V, -V])}),
                               [3 * V.sum(), -3 * V.sum()])  # fmt: skip


# --------------------------------------------------------------------- what it refuses


def refused(graph, match, values=None, **options):
    with pytest.raises(RunError, match=match) as caught:
        replay = Replay(graph, **options)
        replay.cost({"value/w": V, **(values or {})})
    assert len(str(caught.value).splitlines()) == 3


def node(op, *inputs, shape=(3, 3), **facts):
    return {"op": op, "kind": "op", "in": list(inputs), "shape": list(shape),
            "dtype": "float64", **facts}  # fmt: skip


def made(*nodes, target=-1):
    """A graph of the variable w and these nodes."""
    every = [{"op": "variable", "kind": "variable", "tag": "value/w", "in": [], "shape": [3, 3],
              "dtype": "float64"}, *nodes]  # fmt: skip
    for i, entry in enumerate(every):
        entry["id"] = i
    return {"nodes": every, "target": range(len(every))[target], "prediction": None}


def test_a_made_graph_can_be_computed():
    assert Replay(made(node("sin", 0), node("sum_all", 1, shape=()))).cost({"value/w": V}) == (
        np.sum(np.sin(V))
    )


def test_a_rule_of_the_users_own_cannot_be_replayed_and_the_reason_is_told():
    @gt.custom_gradient
    def twice(x):
        return 2 * x, lambda ct: 2 * ct

    graph, inputs = stored(lambda w: np.sum(twice(w * 1.0)))
    replay = Replay(graph)
    assert "twice" in replay.reason(replay.targets)
    refused(graph, "the user's own", inputs)


def test_a_missing_value_is_named():
    graph, _ = stored(lambda w: np.mean((Y - X @ w) ** 2))
    refused(graph, "no value of input/0")


def test_shapes_that_do_not_fit_are_told_with_the_line():
    graph, inputs = stored(lambda w: np.mean((Y - X @ w) ** 2))
    refused(graph, r"matmul at line \d+ fails", {**inputs, "input/0": X[:, :2]})


@pytest.mark.parametrize(
    "name", ["eval", "os.system", "builtins.exec", "numpy.load", "fromfile", "__import__",
             "empty_like", "save", "custom", "apply_along_axis", "linspace", "f2py"],
)  # fmt: skip
def test_a_name_that_is_in_no_table_is_refused(name, tmp_path):
    refused(made(node(name, 0)), "no operation")
    refused(made(node(name, 0, plain=True)), "no operation")


@pytest.mark.parametrize(
    "params",
    [
        ["d", ["axis", ["u", "numpy.load"]]],
        ["d", ["axis", ["u", "os.system"]]],
        ["d", ["axis", ["y", "O"]]],
        ["d", ["axis", ["y", "M8[s]"]]],
        ["d", ["axis", ["p", "eval"]]],
        ["d", ["axis", ["a", 0]]],
        ["d", ["axis", ["a", -1]]],
        ["d", ["axis", ["f", "rm -rf"]]],
        ["d", ["axis", ["h", 99]]],
        ["d", ["nonsense", 1]],
        ["t", 1],
        ["d", 3],
        "axis",
        7,
        [],
        [["d"]],
    ],
    ids=str,
)
def test_parameters_are_plain_data_or_refused(params):
    refused(made(node("sum", 0, params=params)), "replay: ")


def test_parameters_nested_without_end_are_refused():
    deep = ["t"]
    for _ in range(500):
        deep = ["t", deep]
    refused(made(node("sum", 0, params=["d", ["axis", deep]])), "cannot be read")


BAD = {
    "no nodes": lambda g: g.pop("nodes"),
    "nodes of another kind": lambda g: g.update(nodes="abc"),
    "a node that is none": lambda g: g["nodes"].__setitem__(1, 7),
    "another number": lambda g: g["nodes"][1].update(id=9),
    "a wire forward": lambda g: g["nodes"][1].update({"in": [1]}),
    "a wire to nowhere": lambda g: g["nodes"][1].update({"in": [-1]}),
    "a wire of text": lambda g: g["nodes"][1].update({"in": ["0"]}),
    "no wires": lambda g: g["nodes"][1].pop("in"),
    "arrays of parameters from nowhere": lambda g: g["nodes"][1].update(held=[5]),
    "a negative shape": lambda g: g["nodes"][1].update(shape=[-1]),
    "no shape": lambda g: g["nodes"][1].update(shape=None),
    "objects": lambda g: g["nodes"][1].update(dtype="object"),
    "text": lambda g: g["nodes"][1].update(dtype="U5"),
    "no dtype": lambda g: g["nodes"][1].update(dtype=3),
    "no kind": lambda g: g["nodes"][1].update(kind="evil"),
    "a tag that is none": lambda g: g["nodes"][0].update(tag=3),
    "an operation that is none": lambda g: g["nodes"][1].update(op=["sin"]),
    "a constant of text": lambda g: g["nodes"][1].update(kind="constant", value="1"),
    "operands": lambda g: g["nodes"][1].update(operands=4),
    "an item of a number": lambda g: g["nodes"][1].update(op="item", params=["d", ["index", 0]]),
    "an item without a number": lambda g: g["nodes"][1].update(op="item", params=["d"]),
    "too many operands": lambda g: g["nodes"][1].update({"in": [0, 0, 0, 0]}),
    "no operands": lambda g: g["nodes"][1].update({"in": []}),
}


@pytest.mark.parametrize("name", BAD)
def test_a_damaged_graph_is_refused(name):
    graph = made(node("sin", 0), node("sum_all", 1, shape=()))
    BAD[name](graph)
    refused(graph, "replay: ")


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_whatever_is_changed_in_a_graph_it_computes_or_is_refused(data):
    graph = copy.deepcopy(WHOLE)
    entry = data.draw(st.sampled_from(graph["nodes"]))
    field = data.draw(st.sampled_from(sorted(entry)))
    entry[field] = data.draw(
        st.recursive(
            st.none() | st.booleans() | st.integers(-5, 100) | st.text(max_size=5)
            | st.sampled_from(["sin", "matmul", "a", "t", "d", "s", "u", "y", "numpy.load"]),
            lambda inner: st.lists(inner, max_size=4),
            max_leaves=6,
        )
    )  # fmt: skip
    try:
        Replay(graph, seconds=2).cost({**INPUTS, "value/w": V})
    except RunError as error:
        assert len(str(error).splitlines()) == 3


WHOLE, INPUTS = stored(lambda w: np.mean((Y - np.tanh(X @ w)[:, [0, 1, 2]]) ** 2) + np.sum(w, 0)[1])

TOO_LARGE = {
    "a shape": node("broadcast_to", 0, params=["d", ["shape", ["t", 10**6, 10**6, 3, 3]]]),
    "a pad": node("pad_constant", 0, params=["d", ["widths", ["t", ["t", 10**9, 0], ["t", 0, 0]]]]),
    "a contraction": node(
        "einsum", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, shape=(),
        params=["d", ["subscripts", "ab,cd,ef,gh,ij,kl,mn,op,qr,st,uv,wx,yz,AB,CD->"]],
    ),
    "a repetition": node(
        "repeat_each", 0, params=["d", ["repeats", 10**9], ["axis", 0]]
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TOO_LARGE)
def test_what_would_take_too_much_memory_or_work_is_refused_at_once(name):
    start = time.monotonic()
    refused(made(copy.deepcopy(TOO_LARGE[name])), "replay: ")
    assert time.monotonic() - start < 1.0


def test_broadcasting_that_grows_is_refused():
    column = node("reshape", 0, shape=(9, 1), params=["d", ["shape", ["t", 9, 1]], ["order", "C"]])
    nodes = [column]
    for i in range(8):
        shape = (9, *(1,) * (i + 2))
        nodes.append(node("reshape", 0, params=["d", ["shape", ["t", *shape]], ["order", "C"]]))
        nodes.append(node("add", len(nodes) - 1, len(nodes)))
    refused(made(*nodes), "The limits")


def test_a_graph_that_holds_too_much_at_once_is_refused_and_a_long_chain_is_not():
    chain = made(*[node("sin", i) for i in range(300)])
    assert Replay(chain, elements=100).run({"value/w": V}, [300])[300].shape == (3, 3)
    many = Replay(chain, elements=100)
    with pytest.raises(RunError, match="numbers at once"):
        many.run({"value/w": V}, list(range(1, 301)))


def test_a_graph_that_takes_too_long_is_stopped():
    square = {"value/w": np.zeros((400, 400))}
    graph = made(*[node("matmul", i, i) for i in range(2000)])
    start = time.monotonic()
    refused(graph, "more than 0.2 s", square, seconds=0.2)
    assert time.monotonic() - start < 2.0


def test_it_needs_nothing_of_the_script_and_no_tape():
    """A process that has only the file gives the same number."""
    graph, inputs = stored(FUNCTIONS["line"])
    plain = {tag: value.tolist() for tag, value in inputs.items()}
    code = (
        "import json, sys; from gradtape.record.replay import Replay\n"
        "graph, values = json.load(sys.stdin)\n"
        "print(float(Replay(graph).cost(values)).hex())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps([graph, {**plain, "value/w": V.tolist()}]),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    expected, _ = eager(FUNCTIONS["line"], V)
    assert float.fromhex(done.stdout.strip()) == pytest.approx(float(expected), rel=1e-14)
