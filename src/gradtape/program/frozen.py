"""Random numbers that a trace froze: generators of NumPy's whose state moved while it ran.

A number that `np.random` gives is a constant of the program, the same at each call. Looked at are
the global generator, Python's `random`, and every `Generator` and `RandomState` that can be reached
from the arguments, the closure, the defaults, the globals that the function and its functions
name, and from there through containers and attributes. Of those that are made inside only the ones
without a seed matter: with one the numbers are the same at each call in eager mode too.
"""

from __future__ import annotations

import dis
import functools
import random
import sys
import threading
import types
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .signature import global_names, read_cell
from .surroundings import is_library, module_of

_SEEDING: Any = getattr(np.random, "bit_generator", None)
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


class _Unseeded:
    """Counts, while somebody asks, the generators of this thread that have a seed of the machine's.

    One that is made with a seed gives the same numbers at each call of a function, traced or not.
    One without a seed asks `secrets` for entropy, by a name in a module of NumPy's.
    """

    def __init__(self) -> None:
        self._asking, self._lock = 0, threading.Lock()
        self._made = threading.local()
        self._draw: Any = None

    @property
    def count(self) -> int:
        count: int = getattr(self._made, "count", 0)
        return count

    def _counted(self, bits: int) -> Any:
        if _has_no_seed(sys._getframe(1)):
            self._made.count = self.count + 1
        return self._draw(bits)

    def ask(self, more: int) -> None:
        """Somebody begins (1) or ends (-1) asking."""
        with self._lock:
            self._asking += more
            if more > 0 and self._asking == 1:
                self._draw = getattr(_SEEDING, "randbits", None)
                if self._draw is not None:
                    _SEEDING.randbits = self._counted
            elif not self._asking and self._draw is not None:
                _SEEDING.randbits = self._draw


_unseeded = _Unseeded()
_CALL = dis.opmap["CALL"]
# gradtape's are given their states; so are those of a copy, and those that were pickled
_GIVEN = frozenset(["gradtape", "copy", "pickle", "numpy.random._pickle"])


def _has_no_seed(frame: types.FrameType) -> bool:
    """Whether what `frame` calls makes a generator whose seed will stay the machine's.

    RandomState(3) takes one of these first, as RandomState() does: where a function names that
    class, only a call without an argument counts.
    """
    module = frame.f_globals.get("__name__", "")
    if module in _GIVEN or module.partition(".")[0] == "gradtape":
        return False
    code, at = frame.f_code, frame.f_lasti
    if code.co_code[at] == _CALL and not code.co_code[at + 1]:
        return True
    known = {**frame.f_globals, **frame.f_locals}
    names = (*code.co_names, *code.co_freevars, *code.co_varnames)
    legacy = np.random.RandomState
    return "RandomState" not in names and not any(known.get(name) is legacy for name in names)


class Witness:
    """The states of the generators before a trace; `moved` says which draws it has frozen.

    The trace is run inside of it: `with witness: ...`.
    """

    def __init__(self, *roots: Any) -> None:
        self._found = dict(_generators(roots))
        self._before = [(name, _state(source)) for name, source in self._sources()]
        self._made = 0

    def __enter__(self) -> Witness:
        _unseeded.ask(1)
        self._made = _unseeded.count
        return self

    def __exit__(self, *_: object) -> None:
        self._made = _unseeded.count - self._made
        _unseeded.ask(-1)

    def _sources(self) -> Iterator[tuple[str, Any]]:
        yield "np.random", None
        yield "Python's random", random
        for source in self._found.values():
            yield type(source).__name__, source

    def moved(self) -> list[str]:
        """The names of those whose state is another one now."""
        now = [_state(source) for _, source in self._sources()]
        moved = [name for (name, old), new in zip(self._before, now, strict=True) if old != new]
        return [*moved, "a generator made inside without a seed"] if self._made else moved


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
    module = module_of(kind)
    path = getattr(sys.modules.get(module), "__file__", None)
    return module == "builtins" or (path is not None and is_library(path))


def _parts(x: Any) -> list[Any]:
    """What `x` holds or names."""
    if module_of(type(x)).partition(".")[0] in ("gradtape", "numpy"):
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
