"""The passes in their order. Each is announced on `events` as "pass", with the graphs around it."""

from __future__ import annotations

from collections.abc import Callable

from .. import events
from ..graph.check import verify
from ..graph.ir import Graph
from .algebra import simplify
from .common import merge_common
from .contract import plan_contractions
from .cuts import remove_cuts
from .dead import remove_dead
from .fold import fold_constants
from .inline import inline_calls
from .sink import sink_views
from .spares import remove_spares
from .windows import read_windows

Pass = Callable[[Graph], Graph]

# Behind passes that leave nodes behind, or the same twice.
TIDY: tuple[tuple[str, Pass], ...] = (
    ("merge common", merge_common),
    ("remove dead", remove_dead),
)
PIPELINE: tuple[tuple[str, Pass], ...] = (
    ("remove spares", remove_spares),
    ("inline calls", inline_calls),
    ("remove cuts", remove_cuts),
    ("fold constants", fold_constants),
    ("simplify", simplify),
    ("sink views", sink_views),
    *TIDY,
)
# What native programs have besides: products, whose sums are taken in an order of our own, windows.
NATIVE: tuple[tuple[str, Pass], ...] = (
    ("plan contractions", plan_contractions),
    ("read windows", read_windows),
)
checked = False  # whether every pass is followed by `verify`; tests turn it on


def optimise(graph: Graph) -> Graph:
    """`graph` after all passes: the same results to the last bit, from fewer nodes."""
    return _run(PIPELINE, graph)


def careful(graph: Graph) -> Graph:
    """`graph` after all passes but that it still looks for a NaN beside a cotangent of 0."""
    return _run(PIPELINE[1:], graph)


def prepare(graph: Graph) -> Graph:
    """An optimised graph after the passes for native programs: within the bounds of its sums."""
    made = _run(NATIVE, graph)
    return graph if made is graph else _run(TIDY, made)


@events.stage("passes")
def _run(passes: tuple[tuple[str, Pass], ...], graph: Graph) -> Graph:
    for name, run in passes:
        before, graph = graph, run(graph)
        if checked:
            verify(graph, name)
        if events.listeners:
            events.publish("pass", run=name, before=before, after=graph)
    return graph
