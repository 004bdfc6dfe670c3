"""Which backend compiles a graph, and what is done where the compiler itself fails."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from ..core.positions import user_level
from ..errors import CompileWarning, UnsupportedOperationError, three_part
from ..graph.ir import Graph
from ..graph.printing import show
from . import numpy, reproduce
from .options import BACKENDS, Options
from .schedule import Schedule

__all__ = ["BACKENDS", "Options", "compile_graph", "load"]


@cache
def missing() -> str | None:
    """Why native code cannot be made here, in a sentence; None where it can.

    A processor that has no fused multiply-add would call a function for each of them, and the
    kernels are made of them; NumPy is faster then.
    """
    if importlib.util.find_spec("llvmlite") is None:
        return "llvmlite is not installed."
    from .llvm import entry, machine

    if not entry.is_supported():
        return "This Python is not the CPython that native code can talk to."
    if not machine.host().has_fma:
        reason = f"This processor ({machine.host().cpu}) has no fused multiply-add."
        warnings.warn(
            three_part(
                "function: compiled functions are run by NumPy.",
                reason,
                'Nothing is lost but speed; gt.function(..., backend="numpy") says that it is '
                "meant.",
            ),
            CompileWarning,
            stacklevel=user_level(),
        )
        return reason
    return None


def load(options: Options) -> None:
    """Import the compiler and wake it, so that a first call has only itself to compile."""
    if options.backend == "llvm" and importlib.util.find_spec("llvmlite") is not None:
        from .llvm import pool

        if not options.cache:  # else it is on the disk, as the rest is
            pool.prepare()
        from .llvm import segments  # noqa: F401 - meanwhile


def compile_graph(
    graph: Graph, options: Options, given: Sequence[int] = ()
) -> Callable[[Sequence[Any]], list[Any]]:
    """A function from the values of the inputs of `graph` to those of `graph.results`.

    `given` are the inputs whose memory the caller gives away.

    Where the compiler fails, NumPy runs the graph, and a CompileWarning carries what it takes to
    see it fail again.
    """
    if options.backend == "numpy" or missing() is not None:
        return numpy.compile_graph(graph)
    try:
        from .llvm import compile, segments

        with compile.kept(options.cache):
            return segments.compile_graph(graph, options.threads, given)
    except Exception as error:
        path = reproduce.write(graph, error)
        again = f"python -m gradtape.backends.reproduce {path}" if path else "the program"
        warnings.warn(
            three_part(
                f"function: {graph.name} could not be compiled: {type(error).__name__}: {error}",
                "This is a fault of gradtape; NumPy runs the program, with the same results.",
                f"Please report it with what shows it again: {again}\n{show(graph)}",
            ),
            CompileWarning,
            stacklevel=user_level(),
        )
        return numpy.compile_graph(graph)


def text(kind: str, program: Any, target: str | None) -> str:
    """The text of a program's native code; `kind` is "llvm" or "assembly"."""
    if not isinstance(program, Schedule):
        raise UnsupportedOperationError(
            three_part(
                f"function: there is no {kind} of a program that NumPy runs.",
                missing() or 'It was made with backend="numpy", or the compiler has failed.',
                "The program itself is the text of .graph(*args).",
            )
        )
    from .llvm import text as texts

    found: str = getattr(texts, kind)(program, target)
    return found
