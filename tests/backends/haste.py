"""A program as its first calls run it, against the one that stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradtape.backends import options
from gradtape.backends.llvm import segments
from gradtape.graph.ir import Graph


def in_both_ways(graph: Graph) -> Callable[[Sequence[Any]], list[Any]]:
    """A compiler that compares the bits of code made in haste with those of code made with care."""
    before, options.haste = options.haste, True
    try:
        program = segments.compile_graph(graph)
    finally:
        options.haste = before

    def run(values: Sequence[Any]) -> list[Any]:
        first = program(values)
        program.improve()
        found = program(values)
        for x, y in zip(first, found, strict=True):
            same_bits(x, y)
        return found

    return run


def same_bits(x: Any, y: Any) -> None:
    """Whether two arrays have the same bits; any NaN is like any other."""
    x, y = np.asarray(x), np.asarray(y)
    assert (x.dtype, x.shape) == (y.dtype, y.shape)
    if x.dtype.kind in "fc":
        parts = ([x], [y]) if x.dtype.kind == "f" else ([x.real, x.imag], [y.real, y.imag])
        for a, b in zip(*parts, strict=True):
            known = ~np.isnan(a)
            np.testing.assert_array_equal(known, ~np.isnan(b))
            assert a[known].tobytes() == b[known].tobytes(), (a, b)
    else:
        np.testing.assert_array_equal(x, y)
