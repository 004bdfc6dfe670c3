"""One native part of a program: what it takes, what it gives, and how it is called.

A segment says nothing of the graph that it was made of, so that it can be kept on disk. Its code
holds no address either: what lies outside of it is asked for by *words* (constants, routines of
BLAS's, the pool), whose addresses the builtin hands to the code at each call.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ... import config
from ...core.parallel import available
from ...core.refusals import OutOfRangeError
from ...errors import three_part
from . import blas, later
from .compile import Program, kept
from .entry import Argument, Entry
from .pool import pool

__all__ = ["POOL", "TELLS", "Segment", "Word"]

# ("constant", array): the address of its elements. ("routine", name): that of BLAS's routine.
# ("pool",): three words, see `set_threads`.
# ("tells",): none; the code answers NotImplemented too where an index is out of range.
Word = tuple[Any, ...]
POOL: Word = ("pool",)
TELLS: Word = ("tells",)


@dataclass
class Segment:
    """Native code that one call runs.

    Attributes
    ----------
    program : Program
        The code, with a builtin for these arguments and results.
    arguments, results : list of Argument
        With the arena, if there is one, as the last argument.
    words : list of tuple
        What the code is given besides.
    arena : int
        Bytes of buffers that the caller brings; 0 where they lie on the stack.
    recycled : int
        How many arguments before the arena are the memory of large results.
    threads : int
        The most that it may use; 0: as many as there are.
    """

    program: Program
    arguments: list[Argument]
    results: list[Argument]
    words: list[Word]
    arena: int = 0
    recycled: int = 0
    threads: int = 0
    call: Any = field(init=False)  # the builtin

    def __post_init__(self) -> None:
        extra: list[int] = []
        for word in self.words:
            if word[0] == "constant":
                extra.append(word[1].ctypes.data)
            elif word[0] == "routine":
                extra.append(blas.address(word[1]))
            elif word != TELLS:
                assert word == POOL, word
                self._at_pool = len(extra)
                extra += [0, 0, 1]
        self.is_parallel = POOL in self.words
        end = len(self.arguments) - bool(self.arena)
        self._targets = self.arguments[end - self.recycled : end]
        self._kept: list[list[Any]] = [[] for _ in self._targets]
        entry = Entry(self.program, self.arguments, self.results, extra=extra, keep=self.words)
        self.call, self._extra, self._entry = entry.call, entry.extra, entry

    @property
    def is_hasty(self) -> bool:
        """Whether LLVM has taken little care of some of its code so far."""
        return self.program.is_hasty

    def improve(self, is_wanted: Callable[[], bool] = lambda: True) -> None:
        """Have its code made with care, if it is still wanted between one module and the next."""
        self.program.improve(is_wanted)
        self._entry.renew()

    def improve_now(self) -> None:
        """Have its code made with care before this returns."""
        later.do(self)

    def improve_later(self) -> None:
        """Have its code made with care by another thread."""
        later.ask(self)

    def set_threads(self) -> None:
        """Have as many workers ready as the next call may use, and tell the code."""
        threads, at = available(self.threads), self._at_pool
        if threads > 1:
            with kept(bool(self.program.key)):
                workers = pool()
            workers.ensure(threads)
            self._extra[at], self._extra[at + 1] = workers.block, workers.entry
        self._extra[at + 2] = threads

    @property
    def direct(self) -> Any:
        """The builtin, where a call needs no more than its arguments; None elsewhere."""
        return None if self.is_parallel or self.arena or self.recycled else self.call

    @property
    def used(self) -> int:
        """The number of threads of the last call."""
        return int(self._extra[self._at_pool + 2]) if self.is_parallel else 1

    def __call__(self, values: list[Any]) -> Sequence[Any]:
        """The results for arguments that may still have to be brought into form."""
        if self.is_parallel:
            self.set_threads()
        if self.recycled:
            values = [*values, *map(self._target, range(self.recycled))]
        if self.arena:
            free = _arenas.setdefault(self.arena, [])
            try:
                arena = free.pop()
            except IndexError:
                arena = np.empty(self.arena, np.uint8)
            values = [*values, arena]
        found = self.call(*values)
        if found is NotImplemented:
            values = [_fitted(x, a) for x, a in zip(values, self.arguments, strict=True)]
            found = self.call(*values)
        if self.arena:
            free.append(arena)
        if found is NotImplemented:
            assert TELLS in self.words, "the arguments do not fit the program"
            raise OutOfRangeError(
                three_part(
                    "function: an index is out of range.",
                    "A compiled program was called with it; nothing has been assigned.",
                    "Keep indices within the shape; a negative one counts from the end.",
                )
            )
        return found if type(found) is tuple else (found,)

    def _target(self, number: int) -> Any:
        """Memory for a large result: that of an earlier call, once nobody holds it."""
        kept, target = self._kept[number], self._targets[number]
        for array in kept:
            if sys.getrefcount(array) == _FREE:
                return array
        array = np.empty(target.shape, target.dtype)
        if 4 * array.nbytes <= config.current.reuse_buffers:
            kept[:] = [array, *kept[:1]]
        else:
            kept.clear()
        return array


def _references() -> int:
    """The references to an array of a list that nobody else holds, as `_target` counts them."""
    for array in [np.empty(1)]:
        return sys.getrefcount(array)
    raise AssertionError


_FREE = _references()
_arenas: dict[int, list[Any]] = {}


def _fitted(x: Any, argument: Argument) -> Any:
    """`x` in the form in which the program reads it."""
    if argument.kind == "float":
        return float(x)
    if argument.kind == "scalar":
        return argument.dtype.type(x)
    if type(x) is np.ndarray and x.shape == argument.shape:
        x = np.require(x, argument.dtype, ["C", "A", "W"] if argument.is_written else ["C", "A"])
    else:
        x = np.ascontiguousarray(np.asarray(x, argument.dtype)).reshape(argument.shape)
    return x if x.dtype is argument.dtype else x.view(argument.dtype)
