"""Random numbers that a trace froze: generators of NumPy's whose state moved while it ran.

A number that `np.random` gives is a constant of the program, the same at each call. Looked at are
the global generator, Python's `random`, and every `Generator` and `RandomState` that can be reached
from the arguments, the closure, the defaults, the globals that the function and its functions
name, and from there through containers and attributes.
"""

from __future__ import annotations

import functools
import random
import sys
import types
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .signature import global_names, read_cell
from .surroundings import is_library

_GLOBAL = getattr(np.random.mtrand, "_rand", None)
_DEEPEST = 6
_MOST = 20_000  # objects that are looked at
_MOST_ITEMS = 1000  # of one container
_OTHERS = (str, bytes, int, float, complex, bool, type(None), np.ndarray, np.generic,
           types.ModuleType, types.CodeType)  # fmt: skip
_SOURCES = (np.random.Generator, np.random.RandomState, np.random.BitGenerator)


def are_stale(frozen: Sequence[tuple[Any, Any]]) -> bool:
    """Whether an array outside was written that a graph holds as a constant."""
    return any(not np.array_equal(x, before) for x, before in frozen)


class Witness:
    """The states of the generators before a trace; `moved` says which draws it has frozen."""

    def __init__(self, *roots: Any) -> None:
        self._found = dict(_generators(roots))
        self._before = [(name, _state(source)) for name, source in self._sources()]

    def _sources(self) -> Iterator[tuple[str, Any]]:
        yield "np.random", None
        yield "Python's random", random
        for source in self._found.values():
            yield type(source).__name__, source

    def moved(self) -> list[str]:
        """The names of those whose state is another one now."""
        now = [_state(source) for _, source in self._sources()]
        return [name for (name, old), new in zip(self._before, now, strict=True) if old != new]


def _state(source: Any) -> Any:
    if source is None:
        return _flat(np.random.get_state(legacy=False))  # noqa: NPY002 - to notice its use
    if source is random:
        return random.getstate()
    if isinstance(source, np.random.RandomState):
        return _flat(source.get_state(legacy=False))
    bits = source if isinstance(source, np.random.BitGenerator) else source.bit_generator
    return _flat(bits.state)


def _flat(state: Any) -> Any:
    """A state as something that `==` compares."""
    if isinstance(state, dict):
        return {name: _flat(x) for name, x in state.items()}
    return state.tobytes() if isinstance(state, np.ndarray) else state


def _generators(roots: Any) -> Iterator[tuple[int, Any]]:
    """(id, generator) of all that can be reached."""
    seen: set[int] = set()
    level = list(roots)
    for _ in range(_DEEPEST):
        below: list[Any] = []
        for x in level:
            if id(x) in seen or isinstance(x, _OTHERS) or len(seen) > _MOST:
                continue
            seen.add(id(x))
            if isinstance(x, _SOURCES):
                if x is not _GLOBAL:
                    yield id(x), x
            else:
                below += _parts(x)
        level = below


def _is_library(kind: type) -> bool:
    module = sys.modules.get(kind.__module__)
    path = getattr(module, "__file__", None)
    return kind.__module__ == "builtins" or (path is not None and is_library(path))


def _parts(x: Any) -> list[Any]:
    """What `x` holds or names."""
    if (type(x).__module__ or "").partition(".")[0] in ("gradtape", "numpy"):
        return [vars(x).get("__wrapped__")] if hasattr(x, "__dict__") else []  # a compiled function
    if isinstance(x, type):
        return [] if _is_library(x) else list(vars(x).values())[:_MOST_ITEMS]
    if isinstance(x, types.FunctionType):
        if (x.__module__ or "").partition(".")[0] in ("gradtape", "numpy"):
            return [read_cell(cell) for cell in x.__closure__ or ()]  # a function of the user's
        names = [x.__globals__.get(name) for name in global_names(x.__code__)]
        modules = [m for m in names if isinstance(m, types.ModuleType)]
        names += [vars(m).get(name) for m in modules for name in x.__code__.co_names]
        cells = [read_cell(cell) for cell in x.__closure__ or ()]
        more = [*(x.__defaults__ or ()), *(x.__kwdefaults__ or {}).values()]
        return [*names, *cells, *more, getattr(x, "__wrapped__", None)]
    if isinstance(x, types.MethodType):
        return [x.__func__, x.__self__]
    if isinstance(x, dict):
        return list(x.values())[:_MOST_ITEMS]
    if isinstance(x, list | tuple | set | frozenset):
        return list(x)[:_MOST_ITEMS]
    if isinstance(x, functools.partial):
        return [x.func, *x.args, *x.keywords.values()]
    if callable(x) and "method" in type(x).__name__:  # draw = rng.normal
        return [getattr(x, "__self__", None)]
    found = [vars(kind).get("__call__") for kind in type(x).__mro__]
    for kind in type(x).__mro__:
        slots = vars(kind).get("__slots__", ())
        found += [getattr(x, s, None) for s in ([slots] if isinstance(slots, str) else slots)]
    return [*found, *list((getattr(x, "__dict__", None) or {}).values())[:_MOST_ITEMS]]
