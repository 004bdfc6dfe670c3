"""Inside: what a record holds that is a graph itself, a compiled function or a loop or branch.

A tape has one record of it. Its operations are had by evaluating the graph on the operands that the
record keeps, and their cotangents by playing it on a tape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..core.aval import is_differentiable
from ..core.console import silent
from ..core.positions import decode
from ..core.state import CARD, KEYS, OUT, PARAMS
from ..core.sweep import quiet
from ..core.tensor import new_tensor, raw
from ..core.variable import Variable
from ..graph.evaluate import evaluate, watching
from ..graph.ir import Graph, Node, Value
from ..graph.pullback import cotangents
from ..graph.trace import replay
from ..tape import nonfinite
from ..tape.nonfinite import NonFinite, Operand, is_finite, operand_facts, words
from ..tape.sweeping import seeds_of
from ..tape.tape import GradientTape
from .kept import operands_of

__all__ = ["first_of", "graph_in", "sides_of"]

Sides = dict[tuple[int, ...], tuple[Any, Any]]


def graph_in(rec: Sequence[Any]) -> Graph | None:
    """The graph of the compiled function whose call a record is; None for any other."""
    regions = getattr(rec[CARD], "regions", None)
    return regions[1] if regions is not None and regions[0] == "program" else None


def first_of(
    recorder: Any, targets: Sequence[Any], sources: Sequence[Any], results: Sequence[Any] = ()
) -> tuple[NonFinite | None, list[int] | None]:
    """(what `tape/nonfinite.first_of` finds, looked for inside of graphs too; `within` of a graph).

    See `graphs.py` for `within`.
    """
    found = nonfinite.first_of(recorder, targets, sources, results)
    if found is None or found.index is None:
        return found, None
    rec = recorder.ops[found.index]
    if getattr(rec[CARD], "regions", None) is None or type(rec[KEYS]) is not tuple:
        return found, None
    try:
        if found.direction == "forward":
            return _forward(recorder, rec, found)
        return _backward(recorder, rec, found, targets)
    except Exception:  # a function of the user's own, which may not be run once more
        return found, None


def _forward(
    recorder: Any, rec: list[Any], found: NonFinite
) -> tuple[NonFinite, list[int] | None]:
    """The operation inside of a record whose result was the first that is not finite."""
    bad: list[tuple[Node, list[Any], int, Any]] = []

    def look(node: Node, operands: list[Any], results: Any) -> None:
        if not bad and results is not None:
            bad.extend((node, operands, i, x) for i, x in enumerate(results) if not is_finite(x))

    graph, operands = graph_in(rec), list(map(raw, operands_of(rec)))
    with silent(), watching(look), np.errstate(all="ignore"):
        if graph is not None:
            evaluate(graph, operands)
        else:
            rec[CARD].impl(*operands, **rec[PARAMS])
    if not bad:
        return found, None
    node, given, output, value = bad[0]
    position = decode(*node.position) if node.position else found.position
    made = replace(
        found, op=node.op.name, what=words(value), position=position,
        operands=_named(recorder, rec, node, given),
        chain=(*found.chain[:-1], (node.op.name, position)),
    )  # fmt: skip
    for n, one in enumerate(graph.nodes if graph is not None else ()):
        if one is node:
            return made, [found.index or 0, n, output]
    return made, None


def _named(recorder: Any, rec: list[Any], node: Node, given: list[Any]) -> tuple[Operand, ...]:
    """The operands of a node inside, by the names of the Variables that the record reads."""
    names = {}
    for key, x in zip(rec[KEYS], operands_of(rec), strict=False):
        leaf = recorder.leaves.get(abs(key))
        if isinstance(leaf, Variable):
            names[id(raw(x))] = leaf.name
    return tuple(operand_facts(names.get(id(x), ""), x) for x in given[: node.operands])


def _backward(
    recorder: Any, rec: list[Any], found: NonFinite, targets: Sequence[Any]
) -> tuple[NonFinite, list[int] | None]:
    """The operation inside of a compiled function whose rule was the first to give it."""
    graph = graph_in(rec)
    if graph is None:
        return found, None
    grads: dict[int, Any] = seeds_of(list(targets), None, False)
    with quiet():
        for index in range(len(recorder.ops) - 1, found.index or 0, -1):
            after = recorder.ops[index]
            g = grads.pop(after[OUT], None)
            if g is not None:
                after[0](after, g, grads)
    tape, known = _played(graph, rec)
    outs, cts = _seeds(graph, rec, grads.get(rec[OUT]), known)
    recorded: Any = tape._recorder
    inner = nonfinite.first_of(recorded, outs, [], seeds=cts)
    if inner is None or inner.index is None or inner.direction == "forward":
        return found, None
    key = recorded.ops[inner.index][OUT]
    for n, node in enumerate(graph.nodes):
        for i, value in enumerate(node.outputs):
            if known[value].key == key:
                at = decode(*node.position) if node.position else found.position
                chain = (*found.chain[:-1], (inner.op, at))
                made = replace(inner, index=found.index, position=at, chain=chain)
                return made, [found.index or 0, n, i]
    return found, None


def _played(graph: Graph, rec: list[Any]) -> tuple[GradientTape, dict[Value, Any]]:
    """A tape on which the graph was played with the operands of a record; every value of it."""
    with silent(), np.errstate(all="ignore"), GradientTape(persistent=True) as tape:
        given = [
            tape.watch(x) if np.asarray(x).dtype.kind in "fc" else new_tensor(np.asarray(x)[()])
            for x in map(raw, operands_of(rec))
        ]
        values = [*graph.inputs, *(v for node in graph.nodes for v in node.outputs)]
        return tape, dict(zip(values, replay(graph, given, values), strict=True))


def _seeds(
    graph: Graph, rec: list[Any], g: Any, known: Mapping[Value, Any]
) -> tuple[list[Any], list[Any]]:
    """The results that have a cotangent, and these."""
    if g is None:
        return [], []
    smooth = [v for v in graph.outputs if is_differentiable(v.aval.dtype)]
    cts = cotangents(rec, g, [v.aval for v in graph.outputs])
    pairs = [(known[v], raw(ct)) for v, ct in zip(smooth, cts, strict=True) if v in known]
    return [out for out, _ in pairs], [ct for _, ct in pairs]


def sides_of(held: Any, graph: Mapping[str, Any], by_record: Mapping[int, Any]) -> Sides:
    """Value and cotangent of each node of compiled functions, by its `within`.

    `by_record` has the cotangents of the records.
    """
    found: Sides = {}
    for index in sorted({node["within"][0] for node in graph["nodes"] if "within" in node}):
        rec = held.ops[index]
        inner = graph_in(rec)
        if inner is None or len(rec) <= 9:
            continue
        try:
            values, cts = _values(inner, rec, by_record.get(index))
        except Exception:  # a function of the user's own, which may not be run once more
            continue
        for n, node in enumerate(inner.nodes):
            for i, value in enumerate(node.outputs):
                found[index, n, i] = values.get(value), cts.get(value)
    return found


def _values(
    graph: Graph, rec: list[Any], g: Any
) -> tuple[dict[Value, Any], dict[Value, Any]]:
    """(value of each value of the graph, their cotangents)."""
    values: dict[Value, Any] = {}
    with silent():
        evaluate(graph, list(map(raw, operands_of(rec))), values)
    try:
        tape, known = _played(graph, rec)
        outs, cts = _seeds(graph, rec, g, known)
        asked = [v for v in known if is_differentiable(v.aval.dtype)]
        back = tape.gradient(
            outs, [known[v] for v in asked], output_gradients=cts, unconnected_gradients="none"
        )
    except Exception:  # a rule of the user's own
        return values, {}
    return values, {v: raw(ct) for v, ct in zip(asked, back, strict=True) if ct is not None}
