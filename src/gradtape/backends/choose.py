"""Which backend compiles a graph, and what is done where the compiler itself fails."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from ..errors import CompileWarning, three_part
from ..graph.ir import Graph
from ..graph.printing import show
from . import numpy

__all__ = ["BACKENDS", "compile_graph"]

BACKENDS = ("llvm", "numpy")


@cache
def _has_llvm() -> bool:
    """Whether llvmlite is installed and this interpreter is one that native code can talk to."""
    if importlib.util.find_spec("llvmlite") is None:
        return False
    from .llvm.entry import is_supported

    return is_supported()


def compile_graph(graph: Graph, backend: str) -> Callable[[Sequence[Any]], list[Any]]:
    """A function from the values of the inputs of `graph` to those of `graph.results`.

    Where the compiler fails, NumPy runs the graph, and a CompileWarning carries what it takes to
    see it fail again.
    """
    if backend == "numpy" or not _has_llvm():
        return numpy.compile_graph(graph)
    try:
        from .llvm import segments

        return segments.compile_graph(graph)
    except Exception as error:
        warnings.warn(
            three_part(
                f"function: {graph.name} could not be compiled: {type(error).__name__}: {error}",
                "This is a fault of gradtape; NumPy runs the program, with the same results.",
                f"Please report it with the graph, and see it fail again with it:\n{show(graph)}",
            ),
            CompileWarning,
            stacklevel=5,
        )
        return numpy.compile_graph(graph)
