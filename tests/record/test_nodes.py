"""Values and cotangents of every operation: as they were recorded, or computed again."""

from importlib import import_module

import numpy as np
import pytest

import gradtape as gt
from gradtape.record.details import statistics
from gradtape.record.panels import node, nodes
from gradtape.record.reader import Reader
from gradtape.record.schema import FIELDS
from gradtape.record.writer import Writer
from tests.record.making import recorded

RNG = np.random.default_rng(8)
X = RNG.normal(size=(30, 3))
Y = (X[:, 0] > 0).astype(float)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    w = gt.Variable(RNG.normal(size=3), name="w")
    b = gt.Variable(0.25, name="b")

    def loss(_):
        p = 1 / (1 + np.exp(-(X @ w + b)))
        return -np.mean(Y * np.log(p) + (1 - Y) * np.log(1 - p))

    return recorded(tmp_path_factory.mktemp("runs") / "network", loss, [w, b], 9, 0.5)


def side_of(graph, matrix, op, side):
    """Statistics of the first node of an operation, by field."""
    (id, *_) = [n["id"] for n in graph["nodes"] if n["op"] == op]
    row = matrix[id].reshape(2, -1)[side]
    return dict(zip(FIELDS[:6], row, strict=True))


@pytest.mark.parametrize("step", [0, 4, 8])
def test_what_was_not_stored_is_computed_again_from_the_values_of_the_step(network, step):
    header, (matrix,) = nodes(network, step)
    graph = network.graph(step)
    assert (header["step"], header["computed"], header["count"]) == (step, True, len(matrix))
    assert header["fields"] == list(FIELDS) and header["note"] == ""
    w, b = network.array("value/w", step)[0], network.row(step)["value/b"]
    product = X @ w
    p = 1 / (1 + np.exp(-(product + b)))
    found = side_of(graph, matrix, "matmul", 0)
    assert (found["min"], found["max"]) == (product.min(), product.max())
    assert found["norm"] == pytest.approx(np.linalg.norm(product), rel=1e-14)
    cost = matrix[graph["target"]]
    assert cost[FIELDS.index("mean")] == network.row(step)["cost"]
    assert cost[FIELDS.index("ct_mean")] == 1
    ct = (p - Y) / len(Y)  # of the product, by hand
    found = side_of(graph, matrix, "matmul", 1)
    assert found["norm"] == pytest.approx(np.linalg.norm(ct), rel=1e-12)
    for name in ("w", "b"):
        id = graph["sources"][f"value/{name}"]
        gradient = node(network, step, id, 1)
        stored = network.array("grad/w", step)[0] if name == "w" else network.row(step)["grad/b"]
        np.testing.assert_allclose(gradient, stored, rtol=1e-12)


def test_an_input_has_no_cotangent(network):
    graph = network.graph(3)
    (id,) = [i for tag, i in graph["inputs"].items() if network.array(tag, 3)[0].shape == X.shape]
    np.testing.assert_array_equal(node(network, 3, id, 0), X)
    assert "does not hold" in node(network, 3, id, 1)
    _, (matrix,) = nodes(network, 3)
    assert np.isnan(matrix[id, 6:]).all()


def test_what_was_stored_is_given_as_it_is(network, tmp_path):
    graph = network.graph(0)
    matrix = RNG.normal(size=(len(graph["nodes"]), len(FIELDS)))
    writer = Writer(tmp_path / "run")
    number = writer.graph(0, graph)
    writer.structure(0, number)
    writer.node_values(0, number, matrix.copy())
    writer.node_array(0, number, 2, 1, np.arange(3.0))
    writer.rows(writer.layout([writer.column("cost", "cost")]), np.array([[0, 1.0]]))
    writer.close("finished")
    reader = Reader(tmp_path / "run")
    header, (found,) = nodes(reader, 0)
    assert (header["computed"], header["graph"]) == (False, number)
    np.testing.assert_array_equal(found, matrix)
    np.testing.assert_array_equal(node(reader, 0, 2, 1), np.arange(3.0))


def test_a_cotangent_stops_where_the_gradient_does(tmp_path):
    v = gt.Variable(2.0, name="v")

    def loss(_):
        return np.square(v) * gt.stop_gradient(np.sin(v))

    reader = recorded(tmp_path / "run", loss, [v], 2, 0.1)
    _, (matrix,) = nodes(reader, 0)
    graph = reader.graph(0)
    assert side_of(graph, matrix, "square", 1)["mean"] == np.sin(2.0)
    (id,) = [n["id"] for n in graph["nodes"] if n["kind"] == "constant"]
    assert matrix[id, 0] == np.sin(2.0) and np.isnan(matrix[id, 6:]).all()
    assert node(reader, 0, graph["sources"]["value/v"], 1) == pytest.approx(4 * np.sin(2.0))


def test_values_that_are_not_finite_are_counted(tmp_path):
    v = gt.Variable(np.array([1.0, 0.0, -1.0]), name="v")
    reader = recorded(tmp_path / "run", lambda _: np.sum(np.log(v)), [v], 1, 0.0)
    _, (matrix,) = nodes(reader, 0)
    found = side_of(reader.graph(0), matrix, "log", 0)
    assert (found["nonfinite"], found["min"], found["max"]) == (2, 0, 0)


def test_a_run_without_operations_says_so(tmp_path):
    writer = Writer(tmp_path / "run")
    writer.rows(writer.layout([writer.column("cost", "cost")]), np.array([[0, 1.0]]))
    writer.close("finished")
    reader = Reader(tmp_path / "run")
    assert nodes(reader, 0) == node(reader, 0, 0, 0)
    assert nodes(reader, 0).startswith("The operations were not recorded.")


def test_values_are_there_where_no_cotangents_can_be_computed(tmp_path, monkeypatch):
    def fails(*_):
        raise TypeError("a rule of the user's own")

    v = gt.Variable(2.0, name="v")
    reader = recorded(tmp_path / "run", lambda _: np.square(v), [v], 1, 0.1)
    monkeypatch.setattr(import_module("gradtape.record.panels.nodes"), "apply", fails)
    _, (matrix,) = nodes(reader, 0)
    assert side_of(reader.graph(0), matrix, "square", 0)["mean"] == 4
    assert np.isnan(matrix[:, 6:]).all()


def test_statistics_of_nothing_are_unknown():
    assert all(np.isnan(statistics(None)))
    assert all(np.isnan(statistics(np.empty(0))))
    assert statistics(np.array([np.nan, np.inf]))[4:] == [2.0, 0.0]


def test_an_infinite_number_is_not_taken_for_a_nan(tmp_path):
    w = gt.Variable(1e200, name="w")
    with np.errstate(over="ignore"):
        run = recorded(tmp_path / "run", lambda _: np.square(w), [w], 2, 0.0)
        _, (matrix,) = nodes(run, 0)
    cost = dict(zip(FIELDS, matrix[run.graph(0)["target"]], strict=True))
    assert cost["mean"] == run.row(0)["cost"] == np.inf and cost["nonfinite"] == 1
