"""A compiled step computed again, node by node: its records with the values of one call.

The program of a step gives back what is asked of it and no more. What led there is computed when
somebody wants it: from what the call was given (`program/recorded.py`), the graph of the program is
evaluated with NumPy, with every value kept. These take the place of the symbols in the records that
the tape in the function made while it was traced; so the step is then like any other. Values are
those of the step within what is said of backends (the order of sums, the last place).
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.console import silent
from ..core.symbol import Symbol
from ..core.tensor import Tensor, new_traced, raw
from ..core.variable import Variable
from ..graph.evaluate import evaluate
from ..graph.ir import Constant
from . import details
from .structures import Snapshot

__all__ = ["Known", "alarm", "records_of", "so_far", "write"]


class Known:
    """What is known of the values of one call: all of them, or as far as it came."""

    def __init__(self, given: Any) -> None:
        traced = given.program.traced
        if given.known is None:
            given.known = {}
            with silent():
                evaluate(traced.graph, given.values, given.known)
        self._known, self._constants = given.known, traced.constants

    def of(self, symbol: Symbol) -> Any:
        """The value of a symbol; its aval where it was not computed."""
        value: Any = symbol.node
        value = self._constants.get(value, value)
        if isinstance(value, Constant):
            return value.data
        if value in self._known:
            return raw(self._known[value])
        return Aval(symbol.shape, symbol.dtype)

    def filled(self, x: Any) -> Any:
        """`x` with values in place of symbols."""
        kind = type(x)
        if kind is Symbol:
            return self.of(x)
        if isinstance(x, Tensor):
            return self.filled(x.read())
        if kind is tuple or kind is list:
            return kind(self.filled(part) for part in x)
        if kind is dict:
            return {name: self.filled(part) for name, part in x.items()}
        if kind is slice:
            return slice(*(self.filled(part) for part in (x.start, x.stop, x.step)))
        return x


def records_of(seen: Any, known: Known) -> Snapshot:
    """The records of a gradient (`traced.Traced`) with the values of one call."""
    made = Snapshot.__new__(Snapshot)
    made.leaves, made.spans = seen.records.leaves, seen.records.spans
    made.ops = [[*rec[:7], *map(known.filled, rec[7:])] for rec in seen.records.ops]
    return made


def _step(seen: Any, given: Any) -> tuple[Snapshot, list[Tensor]]:
    """The records of a step, and its targets."""
    known = Known(given)
    targets = [new_traced(np.asarray(known.filled(x))[()], key) for key, x in seen.targets]
    return records_of(seen, known), targets


def write(capture: Any, call: Any, told: Any, sources: list[Any], given: Any, step: int) -> None:
    """Write the values and cotangents of all nodes of a compiled step."""
    made = capture.records.graph_of(call, told.seen)
    if made is None:
        return
    capture.records.now(call, step, made.number)
    held, targets = _step(told.seen, given)
    named = [
        (name, key, value)
        for name, (key, _), value in zip(call.names, told.seen.sources, sources, strict=True)
    ]
    details.write(capture, step, made, held, targets, named)


def alarm(
    capture: Any, call: Any, told: Any, sources: list[Any], results: list[Any], given: Any
) -> bool:
    """Write the event that names the first value that is not finite; whether it was found."""
    held, targets = _step(told.seen, given)
    named = [
        SimpleNamespace(key=key, value=value, name=_name(source))
        for source, (key, _), value in zip(told.sources, told.seen.sources, sources, strict=True)
    ]
    made = capture.records.graph_of(call, told.seen)
    return details.alarm(capture, made, held, targets, named, results, capture.steps.number)


def _name(source: Any) -> str:
    return source.name if isinstance(source, Variable) else "a watched value"


def so_far(seen: Any, given: Any, known: Known) -> Snapshot | None:
    """The records of a gradient whose operations had run when a call raised; None if all had."""
    alive = {value for node in given.program.traced.graph.nodes for value in node.outputs}
    for n, rec in enumerate(seen.records.ops):
        out = rec[10] if len(rec) > 10 else None
        made = [x for x in (out if type(out) is tuple else (out,)) if type(x) is Symbol]
        if any(x.node in alive and isinstance(known.of(x), Aval) for x in made):
            held = records_of(seen, known)
            held.ops = held.ops[:n]
            return held
    return None
