"""A program as one operation that tapes record, with a backward program of its own.

Where a tape records, the program is one of a pair: values and cotangents are traced together, and
the graph is split (`passes/split.py`). The forward program gives the results and the residuals that
the backward program reads. A pair is made for the inputs that are followed, when it is first asked
for; a call that nothing records knows nothing of it.

A sweep that is itself recorded takes another way: a compiled function of the inputs and the
cotangents, whose own derivatives are made as those of any compiled function. So there are
derivatives of every order; each order but the first computes the forward part anew.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..backends.choose import Options, compile_graph
from ..core.aval import Aval, is_differentiable
from ..core.card import Card
from ..core.rows import has_nan
from ..core.state import KEYS, state
from ..core.tensor import Tensor, raw
from ..graph.forward import map_over, push_forward
from ..graph.ir import Constant, Graph
from ..graph.marks import STOP
from ..graph.pullback import (
    cotangents,
    hand_out,
    operands_of,
    pull_back,
    unregistered,
    value_and_pull_back,
)
from ..graph.trace import Traced, trace
from ..passes.pipeline import optimise
from ..passes.spares import has_spares
from ..passes.split import split


class Residuals:
    """What one run of a forward program left for the backward program of its pair."""

    __slots__ = ("pair", "values")

    def __init__(self, pair: Pair, values: list[Any]) -> None:
        self.pair, self.values = pair, values


class Pair:
    """The forward and the backward program for one choice of followed inputs."""

    __slots__ = ("avals", "backward", "count", "forward", "looks", "places", "reads", "saved")

    def __init__(self, traced: Traced, followed: Sequence[bool], options: Options) -> None:
        graph = traced.graph
        n, self.count = len(graph.inputs), len(graph.results)
        self.avals = [v.aval for v in graph.outputs if is_differentiable(v.aval.dtype)]
        self.places: list[int] = []  # of the inputs that get a cotangent

        def run(*flat: Any) -> Any:
            results, found = value_and_pull_back(traced, flat[:n], flat[n:], followed)
            self.places = [i for i, g in enumerate(found) if g is not None]
            return [results, [found[i] for i in self.places]]

        avals = [Aval(v.aval.shape, v.aval.dtype, v.aval.weak) for v in graph.inputs]
        both, _ = trace(run, [*avals, *self.avals], graph.name)
        joint = _closed(both, n + len(self.avals))
        self.looks = has_spares(joint)
        parts = split(optimise(joint), n, len(self.avals), self.count)
        self.reads, self.saved = parts.reads, parts.saved
        self.forward = compile_graph(parts.forward, options)
        self.backward = compile_graph(parts.backward, options)

    def run(self, values: Sequence[Any]) -> tuple[list[Any], Residuals]:
        """The results for these inputs, and the residuals."""
        found = self.forward(values)
        return found[: self.count], Residuals(self, [found[i] for i in self.saved])

    def pull(self, inputs: Sequence[Any], residuals: list[Any], cts: Sequence[Any]) -> list[Any]:
        """The cotangents of all inputs, None where there is none."""
        given = [_like(ct, aval) for ct, aval in zip(cts, self.avals, strict=True)]
        found = self.backward([*(inputs[i] for i in self.reads), *residuals, *given])
        every: list[Any] = [None] * len(inputs)
        for i, g in zip(self.places, found, strict=True):
            every[i] = g
        return every


def is_spoiled(found: Sequence[Any]) -> bool:
    """Whether a result has a NaN; one look at each."""
    for x in found:
        if type(x) is np.ndarray:
            if x.dtype.kind in "fc" and has_nan(x):
                return True
        elif x is not None and x != x:
            return True
    return False


def _closed(traced: Traced, count: int) -> Graph:
    """The graph with the arrays that its replay captured, which are constants, as constants."""
    graph = traced.graph
    constants = {
        value: Constant(value.aval, raw(source))
        for value, source in zip(graph.inputs[count:], traced.sources[count:], strict=True)
    }
    for node in graph.nodes:
        node.inputs = tuple(constants.get(v, v) for v in node.inputs)
    graph.outputs = [constants.get(v, v) for v in graph.outputs]
    del graph.inputs[count:], graph.kinds[count:]
    return graph


def _like(ct: Any, aval: Aval) -> Any:
    """A cotangent of the shape and dtype of its output, as the program takes it."""
    ct = raw(ct)
    if ct.dtype != aval.dtype:
        ct = (ct.real if aval.dtype.kind != "c" else ct).astype(aval.dtype)
    return ct if ct.shape == aval.shape else np.broadcast_to(ct, aval.shape)


def make_card(name: str, traced: Traced, run: Callable[..., Any], compiled: Any) -> Card:
    """The card of one program: `run(*values)` gives the outputs and what Variables are assigned.

    `compiled(function, name)` makes a compiled function; the backward program of a sweep that is
    recorded is one.
    """
    card = unregistered(name, run)
    graph = traced.graph
    avals = [value.aval for value in graph.outputs]
    held: dict[tuple[bool, ...], Any] = {}

    def backward_for(followed: tuple[bool, ...]) -> Any:
        def pull(*flat: Any) -> list[Any]:
            n = len(graph.inputs)
            return pull_back(traced, flat[:n], flat[n:], followed)

        return compiled(pull, f"{name}_backward")

    def run_backward(rec: list[Any], g: Any, grads: dict[int, Any]) -> None:
        kept = rec[10]
        cts = cotangents(rec, g, avals)
        if type(kept) is Residuals and not state.tapes and not any(
            isinstance(ct, Tensor) for ct in cts
        ):  # fmt: skip
            found = kept.pair.pull(rec[9], kept.values, cts)
            if not (kept.pair.looks and is_spoiled(found)):
                hand_out(rec, found, grads)
                return
        followed = tuple(k > 0 for k in rec[KEYS])
        if followed not in held:
            held[followed] = backward_for(followed)
        hand_out(rec, held[followed](*operands_of(rec), *cts), grads)

    pushes: dict[tuple[bool, ...], Any] = {}
    spreads: dict[tuple[int | None, ...], Any] = {}

    def push(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        mask = tuple(t is not None for t in tangents)
        if mask not in pushes:
            pushes[mask] = compiled(functools.partial(_pushed, graph, mask), f"{name}_jvp")
        return pushes[mask](*primals, *(t for t in tangents if t is not None))  # type: ignore[no-any-return]

    def spread(size: int, operands: Sequence[Any], axes: Sequence[int | None]) -> tuple[Any, Any]:
        taken = tuple(axes)
        if taken not in spreads:
            given: list[Any] = []  # where the batch is in the results, which tracing tells
            one = functools.partial(_spread, graph, taken, given)
            spreads[taken] = compiled(one, f"{name}_vmap"), given
        f, given = spreads[taken]
        return tuple(f(*operands)), tuple(given)

    card.run, card.push, card.spread = run_backward, push, spread
    card.leads = functools.cache(functools.partial(_leads, graph))
    card.regions = ("program", graph)  # for whoever shows or replays what is inside
    return card


def _leads(graph: Graph) -> tuple[str, ...]:
    """How each input leads to an output: by a "path", behind "stop_gradient" alone, or not ("")."""
    found: dict[Any, str] = dict.fromkeys(graph.outputs, "path")
    for node in reversed(graph.nodes):
        ways = {found.get(v, "") for v in node.outputs}
        way = "path" if "path" in ways else max(ways)
        if not way:
            continue
        way = "stop_gradient" if node.op == STOP else way
        for v in node.inputs:
            if found.get(v) != "path":
                found[v] = way
    return tuple(found.get(v, "") for v in graph.inputs)


def _pushed(graph: Graph, mask: tuple[bool, ...], *flat: Any) -> Any:
    """(the results of `graph`, their tangents, None for those that do not move)."""
    given = iter(flat[len(mask) :])
    return push_forward(graph, flat[: len(mask)], [next(given) if m else None for m in mask])


def _spread(
    graph: Graph, axes: tuple[int | None, ...], places: list[int | None], *operands: Any
) -> Any:
    """The results of `graph` for each example; `places` becomes their batch axes, 0 or None."""
    size = next(np.shape(x)[0] for x, a in zip(operands, axes, strict=True) if a is not None)
    found, places[:] = map_over(graph, size, operands, axes)
    return found
