"""A call as a graph: what it computes, and its gradient, are eager mode's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..core.aval import aval_of
from ..core.tensor import Tensor, raw
from ..core.tree import flatten
from ..graph.check import verify
from ..graph.evaluate import evaluate
from ..graph.ir import Graph
from ..graph.trace import trace
from ..passes.pipeline import optimise
from .numbers import check_close
from .run import Run

# What makes a program of a graph: each is compared too. Tests of a compiler put theirs here.
COMPILERS: list[Callable[[Graph], Callable[[Sequence[Any]], list[Any]]]] = []


def check_traced(
    label: str,
    function: Any,
    operands: Sequence[Any],
    kwargs: Mapping[str, Any],
    wrt: Sequence[int],
    outs: Sequence[Any],
    cts: Sequence[Any],
    gradients: Sequence[Any],
) -> None:
    """The graphs of the call and of its backward sweep, against `outs` and `gradients`."""

    def whole(*tensors: Any) -> list[Any]:
        args = list(operands)
        for i, t in zip(wrt, tensors, strict=True):
            args[i] = t
        leaves = flatten(function(*args, **kwargs))[0]
        return [leaf if isinstance(leaf, Tensor) else np.asarray(leaf)[()] for leaf in leaves]

    def back(*tensors: Any) -> list[Any]:
        args = list(operands)
        for i, t in zip(wrt, tensors, strict=True):
            args[i] = t
        return Run(function, args, kwargs, wrt).vjp(cts)

    values = [operands[i] for i in wrt]
    _compare(f"{label}: traced", whole, values, [raw(o) for o in outs])
    _compare(f"{label}: traced vjp", back, values, [raw(g) for g in gradients])


def _compare(label: str, function: Any, values: list[Any], expected: list[Any]) -> None:
    traced, _ = trace(function, [aval_of(x) for x in values], "case")
    graph = verify(traced.graph)
    sources = [raw(s) for s in traced.sources[len(values) :]]
    found, _ = evaluate(graph, [*values, *sources])
    after, _ = evaluate(verify(optimise(graph), "all passes"), [*values, *sources])
    for value, f in zip(found, after, strict=True):
        assert np.array_equal(value, f, equal_nan=True), f"{label}: {f} after passes, not {value}"
    assert len(found) == len(expected), f"{label}: {len(found)} results, not {len(expected)}"
    for value, f, e in zip(graph.outputs, found, expected, strict=True):
        assert value.aval == aval_of(f), f"{label}: the graph says {value.aval!r}, not {f!r}"
        assert f.dtype == e.dtype, f"{label}: {f.dtype}, not {e.dtype}"
        check_close(label, f, e, 1e-12)
    for compiler in COMPILERS:
        program = compiler(graph)
        for again in ("", " again"):
            values_ = program([*values, *sources])[: len(expected)]
            for f, e in zip(values_, expected, strict=True):
                assert (f.dtype, f.shape) == (e.dtype, e.shape), f"{label}: compiled to {f!r}"
                single = np.dtype(e.dtype).itemsize <= (8 if e.dtype.kind == "c" else 4)
                check_close(f"{label}: compiled{again}", f, e, 2e-6 if single else 1e-12)
