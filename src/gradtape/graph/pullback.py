"""The cotangents of a graph's inputs: a replay under a recorder, and a sweep.

Under a trace this makes the backward graph; while a tape records, it is itself recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.alerts import beware
from ..core.card import Card
from ..core.console import silent
from ..core.cotangents import accumulate
from ..core.lift import Lift, is_lifted
from ..core.state import AVALS, KEYS, Recorder, next_key, pop, push, state
from ..core.sweep import backward, is_recorded
from ..core.symbol import Symbol, is_traced
from ..core.tensor import Tensor, new_traced, raw
from .trace import Traced, np_scalar, replay
from .weak import is_smooth


def unregistered(name: str, impl: Any) -> Card:
    """A card of any number of operands that is no operation of NumPy's; its kind is "custom"."""
    return Card(name, "custom", impl, -1, False)


def pull_back(
    traced: Traced, primals: Sequence[Any], cts: Sequence[Any], wanted: Sequence[bool] | None = None
) -> list[Any]:
    """The cotangents of `primals`, None where there is none.

    `cts` has one for each differentiable output, in their order, or None. `wanted` says
    which primals are asked for; all are, if it is not given.
    """
    return value_and_pull_back(traced, primals, cts, wanted, quiet=True)[1]


def value_and_pull_back(
    traced: Traced,
    primals: Sequence[Any],
    cts: Sequence[Any],
    wanted: Sequence[bool] | None = None,
    quiet: bool = False,
) -> tuple[list[Any], list[Any]]:
    """(the results of the graph, the cotangents of `primals`); `quiet` without its prints."""
    recorder = Recorder(auto_watch=False)
    sources = []
    for n, x in enumerate(primals):
        if not isinstance(x, Tensor):
            x = new_traced(np.asarray(x)[()] if not is_traced(x) else x)
        source: Any = x
        if is_smooth(x) and (wanted is None or wanted[n]):
            source = np.positive(x)  # a version of its own, which what records outside follows too
            source.key = source.key or next_key()
            recorder.tracked.add(source.key)
            recorder.leaves[source.key] = None
        sources.append(source)
    push(recorder)
    try:
        with silent(quiet):
            results = replay(traced.graph, sources, traced.graph.results)
    finally:
        pop(recorder)
    recorder.is_lifted = recorder.is_lifted or any(map(is_lifted, cts))
    seeds: dict[int, Any] = {}
    given = iter(cts)
    for value, out in zip(traced.graph.outputs, results, strict=False):
        if not is_smooth(value.aval):
            continue
        ct = next(given)
        if ct is None:
            continue
        if not is_recorded(recorder):
            ct = np.asarray(raw(ct))[()]
        elif not isinstance(ct, Tensor):
            ct = new_traced(np_scalar(ct))
        if isinstance(out, Tensor) and out.key in recorder.tracked:
            seeds[out.key] = ct if out.key not in seeds else seeds[out.key] + ct
    backward(recorder, seeds, {s.key for s in sources}, True)
    found = [seeds.get(s.key) if s.key in recorder.tracked else None for s in sources]
    return results, found


def cotangents(rec: list[Any], g: Any, avals: Sequence[Any]) -> list[Any]:
    """Those of a record's differentiable outputs, with zeros where there is none."""
    parts = (g if type(g) in (list, tuple) else [g])[: len(avals)]
    return [
        np.zeros(aval.shape, aval.dtype)[()] if ct is None else ct
        for aval, ct in zip(avals, parts, strict=True)
        if is_smooth(aval)
    ]


def operands_of(rec: list[Any]) -> list[Any]:
    """The operands of a record; Tensors with their keys while something records."""
    values, keys = rec[9], rec[KEYS]
    if not state.tapes:
        return [new_traced(v, abs(k)) if isinstance(v, Lift) else v
                for v, k in zip(values, keys, strict=True)]  # fmt: skip
    return [new_traced(v, abs(k)) if k or isinstance(v, Lift | Symbol) else v
            for v, k in zip(values, keys, strict=True)]  # fmt: skip


def results_of(rec: list[Any]) -> list[Any]:
    """The results of a record that kept them; Tensors with their keys while something records."""
    return [
        new_traced(v, k) if state.tapes or isinstance(v, Lift | Symbol) else v
        for v, k in zip(rec[10], rec[6], strict=True)
    ]


def hand_out(rec: list[Any], found: Sequence[Any], grads: dict[int, Any]) -> None:
    """Add the cotangents that a rule found to those of the operands of `rec`."""
    recorded = bool(state.tapes) or any(map(is_lifted, found))
    for k, gi, aval in zip(rec[KEYS], found, rec[AVALS], strict=True):
        if k <= 0 or gi is None:
            continue
        if gi.dtype.kind == "c" and aval.dtype.kind != "c":
            gi = np.real(gi)
        if recorded:
            gi = gi if isinstance(gi, Tensor) else new_traced(gi)
            grads[k] = gi if grads.get(k) is None else grads[k] + gi
        else:
            accumulate(grads, k, raw(gi))
    beware()  # entries may have been dropped inside

