"""Runs for tests, recorded step by step with the real writer from NumPy code and a tape."""

from __future__ import annotations

import numpy as np

import gradtape as gt
from gradtape.core.state import Recorder
from gradtape.record.graphs import graph_of, inputs_of, structure_of
from gradtape.record.reader import Reader
from gradtape.record.writer import Writer


class Keeping(Recorder):
    """A recorder that keeps every operand, constants too."""

    __slots__ = ()
    is_general = True

    def __init__(self, *args, **options):
        super().__init__(*args, keep_all=True, **options)


class KeepingTape(gt.GradientTape):
    """A tape of that recorder."""

    _recorder_class = Keeping


def recorded(
    folder, loss, variables, steps, rate, *, every=1, config=None, optimizer=None, roles=None,
    predictions=False,
):  # fmt: skip
    """Train by gradient descent, `loss(step)` on a tape, and record what happens; a Reader.

    `every`: at which steps arrays are stored. `optimizer(step, values, gradients)` gives the new
    values in place of gradient descent.
    """
    writer = Writer(folder)
    names = [v.name for v in variables]
    columns = [writer.column("cost", "cost"), writer.column("seconds", "time", unit="s")]
    kinds = []
    for v in variables:
        if v.value.ndim == 0:
            kinds.append(("value", "grad"))
            columns += [writer.column(f"value/{v.name}", "value"),
                        writer.column(f"grad/{v.name}", "gradient")]  # fmt: skip
        else:
            kinds.append(("norm", "gradnorm", "updatenorm", "gradzeros"))
            columns += [writer.column(f"{k}/{v.name}", "norm") for k in kinds[-1]]
    layout = writer.layout(columns)
    tags, graphs, first = {}, {}, True

    def tag(name, kind, array):
        if name not in tags:
            tags[name] = writer.tag(name, kind, array.shape, array.dtype)
        return tags[name]

    held = {}

    def hold(name, kind, step, array):
        array = np.array(array)
        content = (array.shape, array.tobytes())
        if kind != "input" or held.get(name) != content:
            held[name] = content
            writer.array(tag(name, kind, array), step, array)

    for step in range(steps):
        with KeepingTape() as tape, np.errstate(all="ignore"):
            cost = loss(step)
        recorder = tape._recorder
        structure = structure_of(recorder, cost)
        if structure not in graphs:
            graph = graph_of(recorder, cost, variables, names)
            graphs[structure] = (graph, writer.graph(step, graph))
            writer.structure(step, graphs[structure][1])
            if first:
                found = dict(graph["roles"])
                if found["prediction"] is not None:
                    found["prediction"] = "prediction"
                writer.set("roles", {**found, **(roles or {})})
                first = False
        graph, _ = graphs[structure]
        for name, array in inputs_of(recorder, graph).items():
            hold(name, "input", step, array)
        if predictions and graph["prediction"] is not None:
            rec = recorder.ops[graph["nodes"][graph["prediction"]]["record"]]
            out = rec[10] if type(rec[5]) is tuple else rec[11]
            hold("prediction", "prediction", step, out)
        with np.errstate(all="ignore"):
            gradients = [g.value for g in tape.gradient(cost, variables)]
        values = [np.array(v.value) for v in variables]
        if optimizer is not None:
            updated = optimizer(step, values, gradients)
        else:
            with np.errstate(all="ignore"):
                updated = [x - rate * g for x, g in zip(values, gradients, strict=True)]
        row = [step, float(cost.value), 1e-3]
        for v, x, g, new, kind in zip(variables, values, gradients, updated, kinds, strict=True):
            if len(kind) == 2:
                row += [float(x), float(g)]
            else:
                with np.errstate(all="ignore"):
                    row += [np.linalg.norm(x), np.linalg.norm(g), np.linalg.norm(new - x),
                            np.mean(g == 0)]  # fmt: skip
                if step % every == 0:
                    hold(f"value/{v.name}", "variable", step, x)
                    hold(f"grad/{v.name}", "variable", step, g)
            v.assign(new)
        writer.rows(layout, np.array([row], float))
    writer.set("config", config or {})
    writer.close("finished")
    return Reader(folder)
