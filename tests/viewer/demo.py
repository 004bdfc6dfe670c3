"""Three small trainings as data: a line, a classifier of two inputs, and one that diverges.

`python -m tests.viewer.demo` serves them, for work on the page. The trainings are written out in
plain NumPy, gradients included, so that what a test expects does not come from the tape.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import gradtape as gt
from gradtape.record.graphs import graph_of, inputs_of
from gradtape.record.writer import Writer
from tests.record.making import KeepingTape

TEXT = """\
import numpy as np
import gradtape as gt

x, y = np.load("cars.npy")
slope, intercept = gt.Variable(0.0), gt.Variable(0.0)
with gt.Recording("runs/line") as run:
    for step in run.steps(70):
        with gt.GradientTape() as tape:
            prediction = slope * x + intercept
            residual = prediction - y
            cost = np.mean(residual ** 2)
        d_slope, d_intercept = tape.gradient(cost, [slope, intercept])
        slope.assign_sub(1e-3 * d_slope)
        intercept.assign_sub(1e-3 * d_intercept)
"""


@dataclass
class Demo:
    """What a run holds, before anything writes it.

    `columns`: name -> (kind, tag, unit, values per step). `arrays`: tag -> {step: array}.
    """

    name: str
    columns: dict[str, tuple[str, str | None, str | None, np.ndarray]]
    tags: dict[str, dict[str, Any]] = field(default_factory=dict)
    arrays: dict[str, dict[int, np.ndarray]] = field(default_factory=dict)
    graph: dict[str, Any] | None = None
    node_values: dict[int, np.ndarray] = field(default_factory=dict)
    node_arrays: dict[tuple[int, int, int], np.ndarray] = field(default_factory=dict)
    events: list[tuple[int, str, dict[str, Any]]] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)
    status: str = "finished"

    @property
    def count(self) -> int:
        return len(next(iter(self.columns.values()))[3])


def meta(name: str, **more: Any) -> dict[str, Any]:
    return {
        "format": 2, "name": name, "created": "2026-11-26T07:00:00+00:00", "level": "standard",
        "every": 1, "argv": ["train.py"], "script": "train.py", "python": "3.11.7",
        "packages": {"numpy": "2.4.6", "gradtape": "0.1.0"}, "seed": 0, **more,
    }  # fmt: skip


def statistics(values: list[np.ndarray], cotangents: list[np.ndarray]) -> np.ndarray:
    """(nodes, 12): what is stored of each node's value and cotangent."""
    rows = []
    for each in zip(values, cotangents, strict=True):
        row = []
        for array in each:
            array = np.asarray(array, float)
            with np.errstate(all="ignore"):
                row += [array.min(), array.max(), array.mean(), np.sqrt(np.sum(array**2)),
                        np.sum(~np.isfinite(array)), np.mean(array == 0)]  # fmt: skip
        rows.append(row)
    return np.array(rows, float)


def node(id: int, op: str, inputs: list[int], shape: tuple[int, ...], line: int, **more: Any):
    text = TEXT.splitlines()[line - 1].strip() if line else ""
    return {
        "id": id, "op": op, "in": inputs, "shape": list(shape), "dtype": "float64",
        "file": "train.py" if line else None, "line": line or None, "function": "<module>",
        "text": text, "group": "", "rule": "", "kind": "op", "tag": None, "value": None,
        "params": ["d"], **more,
    }  # fmt: skip


def line(steps: int = 70, rate: float = 1e-3, name: str = "line", n: int = 50) -> Demo:
    """The tutorial: a line through n points, by gradient descent on the mean square."""
    rng = np.random.default_rng(0)
    x = rng.uniform(4, 25, n).round()
    y = 3.9 * x - 17.6 + rng.normal(0, 15, n)
    slope = intercept = 0.0
    rows, node_values = [], {}
    node_arrays: dict[tuple[int, int, int], np.ndarray] = {}
    events: list[tuple[int, str, dict[str, Any]]] = []
    with np.errstate(all="ignore"):
        for step in range(steps):
            product = slope * x
            prediction = product + intercept
            residual = prediction - y
            square = residual**2
            cost = np.mean(square)
            d_square = np.full(n, 1 / n)
            d_residual = 2 * residual * d_square
            d_slope, d_intercept = float(d_residual @ x), float(d_residual.sum())
            rows.append([cost, 2e-4 + 1e-5 * (step % 7), slope, d_slope, intercept, d_intercept])
            values = [slope, intercept, x, y, product, prediction, residual, square, cost]
            cotangents = [d_slope, d_intercept, np.full(n, np.nan), np.full(n, np.nan),
                          d_residual, d_residual, d_residual, d_square, 1.0]  # fmt: skip
            node_values[step] = statistics(values, cotangents)
            if step in (0, steps - 1):
                for id, pair in enumerate(zip(values, cotangents, strict=True)):
                    for side, array in enumerate(pair):
                        node_arrays[step, id, side] = np.asarray(array, float)
            if not np.isfinite(cost) and not any(kind == "nonfinite" for _, kind, _ in events):
                events.append((step, "nonfinite", {
                    "op": "square", "file": "train.py", "line": 11, "node": 7, "graph": 1,
                    "direction": "forward",
                    "operands": [{"name": "residual", "min": float(residual.min()),
                                  "max": float(residual.max()), "shape": [n]}],
                    "chain": [{"op": "subtract", "file": "train.py", "line": 10},
                              {"op": "square", "file": "train.py", "line": 11}],
                }))  # fmt: skip
            slope -= rate * d_slope
            intercept -= rate * d_intercept
    table = np.array(rows)
    graph = {
        "name": "train.py:9",
        "nodes": [
            node(0, "variable", [], (), 0, kind="variable", tag="value/slope"),
            node(1, "variable", [], (), 0, kind="variable", tag="value/intercept"),
            node(2, "input", [], (n,), 0, kind="input", tag="input/0"),
            node(3, "input", [], (n,), 0, kind="input", tag="input/1"),
            node(4, "multiply", [0, 2], (n,), 9, rule="ct * x, ct * slope"),
            node(5, "add", [4, 1], (n,), 9, rule="ct, sum of ct"),
            node(6, "subtract", [5, 3], (n,), 10, rule="ct, -ct"),
            node(7, "square", [6], (n,), 11, rule="2 * residual * ct"),
            node(8, "mean", [7], (), 11, rule="ct / n",
                 params=["d", ["axis", None], ["keepdims", False]]),
        ],
        "target": 8,
        "roles": {"x": "input/0", "y": "input/1", "prediction": 5},
        "prediction": 5,
        "sources": {"value/slope": 0, "value/intercept": 1},
        "inputs": {"input/0": 2, "input/1": 3},
        "code": {},
    }
    predictions = {step: table[step, 2] * x + table[step, 4] for step in (0, steps - 1)}
    return Demo(
        name,
        {
            "cost": ("cost", None, None, table[:, 0]),
            "seconds": ("time", None, "s", table[:, 1]),
            "value/slope": ("value", "value/slope", None, table[:, 2]),
            "grad/slope": ("gradient", "grad/slope", None, table[:, 3]),
            "value/intercept": ("value", "value/intercept", None, table[:, 4]),
            "grad/intercept": ("gradient", "grad/intercept", None, table[:, 5]),
        },
        {
            "value/slope": {"kind": "variable", "shape": [], "dtype": "float64"},
            "value/intercept": {"kind": "variable", "shape": [], "dtype": "float64"},
            "input/0": {"kind": "input", "shape": [n], "dtype": "float64", "label": "x"},
            "input/1": {"kind": "input", "shape": [n], "dtype": "float64", "label": "y"},
            "prediction": {"kind": "prediction", "shape": [n], "dtype": "float64"},
        },
        {"input/0": {0: x}, "input/1": {0: y}, "prediction": predictions},
        graph,
        node_values,
        node_arrays,
        [(0, "note", {"text": "the tutorial's cars"}), *events],
        {"train.py": TEXT},
        meta(name, roles={"x": "input/0", "y": "input/1", "prediction": "prediction"},
             config={"learning_rate": rate, "steps": steps}),
    )  # fmt: skip


def diverging() -> Demo:
    """The same line with a learning rate of 0.1: inf, then NaN."""
    return line(120, 0.1, "diverging")


def moons(n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    t = rng.uniform(0, np.pi, n)
    label = np.arange(n) % 2
    x = np.where(label[:, None] == 0, np.c_[np.cos(t), np.sin(t)],
                 np.c_[1 - np.cos(t), 0.5 - np.sin(t)])  # fmt: skip
    return x + rng.normal(0, 0.12, x.shape), label.astype(float)


def classes(steps: int = 150) -> Demo:
    """Two moons, told apart by a network of eight hidden units."""
    x, y = moons()
    rng = np.random.default_rng(2)
    values = {"w1": rng.normal(0, 1, (2, 8)), "b1": np.zeros(8), "w2": rng.normal(0, 1, 8),
              "b2": np.float64(0)}  # fmt: skip
    arrays = {f"{kind}/{name}": {} for kind in ("value", "grad") for name in ("w1", "b1", "w2")}
    graph, inputs = moons_graph(x, y, values)
    rows, predictions = [], {}
    for step in range(steps):
        hidden = np.tanh(x @ values["w1"] + values["b1"])
        p = 1 / (1 + np.exp(-(hidden @ values["w2"] + values["b2"])))
        cost = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
        dz = (p - y) / len(y)
        dh = np.outer(dz, values["w2"]) * (1 - hidden**2)
        slopes = {"w1": x.T @ dh, "b1": dh.sum(0), "w2": hidden.T @ dz, "b2": dz.sum()}
        row = [cost, 3e-4, np.mean((p > 0.5) == y), values["b2"], slopes["b2"]]
        for name in ("w1", "b1", "w2"):
            value, slope = values[name], slopes[name]
            arrays[f"value/{name}"][step], arrays[f"grad/{name}"][step] = value.copy(), slope
            row += [np.linalg.norm(value), np.linalg.norm(slope), np.linalg.norm(0.5 * slope),
                    np.mean(slope == 0)]  # fmt: skip
        if step % 10 == 0 or step == steps - 1:
            predictions[step] = p
        rows.append(row)
        values = {name: value - 0.5 * slopes[name] for name, value in values.items()}
    table = np.array(rows)
    columns = {
        "cost": ("cost", None, None, table[:, 0]),
        "seconds": ("time", None, "s", table[:, 1]),
        "log/accuracy": ("log", None, None, table[:, 2]),
        "value/b2": ("value", "value/b2", None, table[:, 3]),
        "grad/b2": ("gradient", "grad/b2", None, table[:, 4]),
    }
    for i, name in enumerate(("w1", "b1", "w2")):
        for j, kind in enumerate(("norm", "gradnorm", "updatenorm", "gradzeros")):
            columns[f"{kind}/{name}"] = ("norm", f"value/{name}", None, table[:, 5 + 4 * i + j])
    tags = {
        tag: {"kind": "variable", "shape": list(held[0].shape), "dtype": "float64"}
        for tag, held in arrays.items()
        if tag.startswith("value/")
    }
    for tag, array in inputs.items():
        tags[tag] = {"kind": "input", "shape": list(array.shape), "dtype": "float64"}
    tags["prediction"] = {"kind": "prediction", "shape": list(y.shape), "dtype": "float64"}
    arrays |= {tag: {0: array} for tag, array in inputs.items()} | {"prediction": predictions}
    roles = {**graph["roles"], "prediction": "prediction"}
    return Demo(
        "classes", columns, tags, arrays, graph,
        events=[(3, "warning", {"message": "a warning", "file": "moons.py", "line": 8})],
        sources={"moons.py": "# two moons\n"},
        meta=meta("classes", roles=roles, config={"learning_rate": 0.5, "hidden": 8}),
    )  # fmt: skip


def moons_graph(x: np.ndarray, y: np.ndarray, values: dict[str, Any]) -> tuple[Any, Any]:
    """The graph of the classifier's cost, as the tape sees it, and the arrays that enter it."""
    variables = {name: gt.Variable(value, name=name) for name, value in values.items()}
    with KeepingTape() as tape:
        hidden = np.tanh(x @ variables["w1"] + variables["b1"])
        p = 1 / (1 + np.exp(-(hidden @ variables["w2"] + variables["b2"])))
        cost = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
    graph = graph_of(tape._recorder, cost, list(variables.values()), list(variables))
    return graph, inputs_of(tape._recorder, graph)


def long(steps: int = 1_000_000) -> Demo:
    """Ten scalars over a million steps, with one NaN and one spike to be found again."""
    rng = np.random.default_rng(3)
    columns: dict[str, Any] = {}
    time = np.arange(steps)
    names = [f"{kind}/w{j}" for j in range(4) for kind in ("value", "grad")]
    kinds = {"cost": "cost", "seconds": "time", "value": "value", "grad": "gradient"}
    for i, name in enumerate(["cost", "seconds", *names]):
        values = np.exp(-time / (steps / (i + 2))) + rng.normal(0, 0.01, steps)
        columns[name] = (kinds[name.partition("/")[0]], name if i > 1 else None, None, values)
    columns["cost"][3][steps // 3] = np.nan
    columns["value/w0"][3][steps // 2] = 50.0
    return Demo("long", columns, meta=meta("long"))


ALL = (line, classes, diverging)


# -- as a run -------------------------------------------------------------------------------------


def write(demo: Demo, folder: Path, *, pause: float = 0.0) -> Path:
    """Record a demo with the writer; with a pause after each step, as if it trained."""
    writer = Writer(folder)
    for key, value in demo.meta.items():
        writer.set(key, value)
    for file, text in demo.sources.items():
        writer.source(file, text)
    names = list(demo.columns)
    layout = writer.layout([writer.column(name, *demo.columns[name][:3]) for name in names])
    tags = {
        name: writer.tag(name, about["kind"], tuple(about["shape"]), about["dtype"],
                         **{k: v for k, v in about.items() if k == "label"})
        for name, about in demo.tags.items()
    }  # fmt: skip
    tags |= {
        name: writer.tag(name, "variable", held[min(held)].shape, "float64")
        for name, held in demo.arrays.items()
        if name not in tags
    }
    graph = None
    if demo.graph is not None:
        graph = writer.graph(0, demo.graph)
        writer.structure(0, graph)
    matrix = np.stack([np.arange(demo.count), *(demo.columns[name][3] for name in names)], axis=1)
    if pause or demo.arrays or demo.node_values:
        for step in range(demo.count):
            for name, held in demo.arrays.items():
                if step in held:
                    writer.array(tags[name], step, held[step].copy())
            if step in demo.node_values:
                writer.node_values(step, graph, demo.node_values[step])
            for (at, node, side), array in demo.node_arrays.items():
                if at == step:
                    writer.node_array(step, graph, node, side, array.copy())
            writer.rows(layout, matrix[step : step + 1].copy())
            for at, kind, data in demo.events:
                if at == step:
                    writer.event(step, kind, data)
            if pause:
                time.sleep(pause)
    else:
        for start in range(0, demo.count, 10_000):
            writer.rows(layout, matrix[start : start + 10_000].copy())
    writer.close(demo.status)
    return folder


def main() -> None:
    from gradtape.viewer.answers import Answers
    from gradtape.viewer.launch import listen
    from gradtape.viewer.library import Library
    from gradtape.viewer.server import application, serve
    from gradtape.viewer.shelf import Shelf
    from gradtape.viewer.watch import Watch

    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--token", default="demo")
    parser.add_argument("--long", action="store_true", help="a run of a million steps, too")
    parser.add_argument("--live", action="store_true", help="a run that is written meanwhile, too")
    parser.add_argument("--true-panels", action="store_true", help="does nothing more")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for make in (*ALL, long) if arguments.long else ALL:
            demo = make()
            write(demo, folder / demo.name)
        if arguments.live:
            live = line(3000, name="live")
            threading.Thread(
                target=write, args=(live, folder / "live"), kwargs={"pause": 0.1}, daemon=True
            ).start()
        library = Library(Shelf(folder))
        watch = Watch(library)
        sockets = listen("127.0.0.1", arguments.port)
        port = sockets[0].getsockname()[1]
        app = application(Answers(library), watch, port=port, token=arguments.token)
        print(f"http://127.0.0.1:{port}/?token={arguments.token}", flush=True)
        serve(sockets, app, watch)


if __name__ == "__main__":
    main()
