"""Operations whose rows are short, in native loops once there were enough to be worth a compiler.

NumPy starts its inner loop anew for each run of elements that lie in line, some 10 ns each time:
in `x[:, None] - means` of points with ten coordinates that is most of the work. `runs.py` lays it
out otherwise where that helps; a compiled loop needs no such care. So after the first 256 MB of
such results (`gt.configure(native_after=...)`) a thread loads the compiler and makes the loops,
whose addresses `loops` holds from then on. They round each number as NumPy does, so nobody sees
from a result which of the two computed it; where NumPy would warn, it computes the result again.
"""

from __future__ import annotations

import _thread
import contextlib
import ctypes
import functools
import os
from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

import numpy as np

from .. import config
from . import parallel
from .registry import HOOKS

__all__ = ["LOUD", "UNDERFLOW", "Layout", "binary", "finish", "grouped", "layout", "loops", "named",
           "run"]  # fmt: skip

ndarray = np.ndarray
_LONGEST = 2048  # elements of a row from which NumPy's loop is mostly work
LOUD, UNDERFLOW = 1, 2  # what a loop returns: NumPy would warn; it would if it were asked to

# (name of the operation, dtype character) -> its loop
loops: dict[tuple[str, str], Callable[..., int]] = {}
_NAMES = {np.add: "add", np.subtract: "subtract", np.multiply: "multiply", np.divide: "divide"}


class Layout(NamedTuple):
    """Three axes, outermost first, and the steps of two operands along each, in elements."""

    outer: int
    times: int
    run: int
    xo: int
    xt: int
    xr: int
    yo: int
    yt: int
    yr: int


def binary(ufunc: Any, x: Any, y: Any, out: Any) -> bool:
    """`ufunc(x, y)` into `out` by a native loop; False where there is none, or NumPy would warn.

    All are arrays of one real dtype, `out` contiguous, of the shape of both, and neither of them.
    """
    name = _NAMES.get(ufunc)
    return name is not None and named(name, x, y, out)


def named(name: str, x: Any, y: Any, out: Any) -> bool:
    """What `binary` does, by the name of the loop."""
    told = run(name, x, y, None, out)
    return told == 0 or (told == UNDERFLOW and np.geterr()["under"] == "ignore")


def run(name: str, x: Any, y: Any, z: Any, out: Any) -> int | None:
    """What a loop tells that computed `out`; None where none has, and all is as it was.

    `z` has the shape of `out`, which may be `x`, `y` or `z` itself; all are of one real dtype.
    """
    laid = layout(x.shape, y.shape)
    if laid is None or not (x.flags.c_contiguous and y.flags.c_contiguous and out.dtype.isnative):
        return None
    loop = loops.get((name, out.dtype.char))
    if loop is None:
        _count(out.nbytes)
        return None
    if out.nbytes < parallel.SMALLEST:
        return loop(_at(out), _at(x), _at(y), 0 if z is None else _at(z), *laid)
    return _spread(loop, laid, x, y, z, out)


def _at(x: Any) -> int:
    """The address of an array's numbers, in a fifth of the time that `x.ctypes.data` takes.

    Loops are there only where objects are known to be laid out so.
    """
    return _word(id(x) + _DATA).value


_word = ctypes.c_int64.from_address
_DATA = 16  # bytes before the pointer in an ndarray


def _spread(loop: Callable[..., int], laid: Layout, x: Any, y: Any, z: Any, out: Any) -> int:
    """The loop over several threads, each of which computes some rows."""
    starts, size = (_at(out), _at(x), _at(y), 0 if z is None else _at(z)), out.itemsize
    row = laid.run * (laid.times if laid.outer > 1 else 1) * size
    steps = (row, *(n * size for n in (laid[3::3] if laid.outer > 1 else laid[4::3])), row)
    found = []

    def part(first: int, last: int) -> None:
        places = (start + first * step for start, step in zip(starts, steps, strict=True))
        rows = (last - first, laid.times) if laid.outer > 1 else (1, last - first)
        found.append(loop(*places, *rows, *laid[2:]))

    parallel.split(part, laid.outer if laid.outer > 1 else laid.times)
    return functools.reduce(int.__or__, found)


@functools.lru_cache(maxsize=256)
def layout(x: tuple[int, ...], y: tuple[int, ...]) -> Layout | None:
    """How contiguous operands of these shapes meet; None where rows are long, or axes too many."""
    groups = grouped(x, y)
    if not 2 <= len(groups) <= 3 or groups[-1][2] > _LONGEST or not prod(n for *_, n in groups):
        return None
    steps: tuple[list[int], list[int]] = ([], [])
    for operand in (0, 1):
        step = 1
        for group in reversed(groups):
            steps[operand].insert(0, step if group[operand] else 0)
            step *= group[2] if group[operand] else 1
    lengths = [n for *_, n in groups]
    fill = 3 - len(groups)
    return Layout(
        *(*[1] * fill, *lengths), *(*[0] * fill, *steps[0]), *(*[0] * fill, *steps[1])
    )  # fmt: skip


@functools.lru_cache(maxsize=256)
def grouped(x: tuple[int, ...], y: tuple[int, ...]) -> tuple[tuple[bool, bool, int], ...]:
    """The axes of two shapes that broadcast, neighbours that the same operands have as one.

    Each is (whether x has it, whether y has it, its length).
    """
    ndim = max(len(x), len(y))
    x, y = (1,) * (ndim - len(x)) + x, (1,) * (ndim - len(y)) + y
    groups: list[tuple[bool, bool, int]] = []
    for nx, ny in zip(x, y, strict=True):
        if nx == ny == 1:
            continue
        n, has = nx if nx != 1 else ny, (nx != 1, ny != 1)
        if groups and groups[-1][:2] == has:
            n *= groups.pop()[2]
        groups.append((*has, n))
    return tuple(groups)


# ----------------------------------------------------------------------------- making them

_counted = 0  # bytes of results that loops would have computed
_is_asked = False
_is_closed = False
_making = _thread.allocate_lock()  # while the compiler is loaded and at work


def _count(nbytes: int) -> None:
    global _counted, _is_asked
    _counted += nbytes
    after = config.current.native_after
    if after and _counted >= after and not _is_asked and "native_loops" in HOOKS:
        _is_asked = True
        import atexit
        import threading  # noqa: F401 - it takes the thread that imports it for the main one

        atexit.register(_close)
        with contextlib.suppress(RuntimeError):  # no threads here: NumPy goes on
            _thread.start_new_thread(_make, ())


def _make() -> None:
    with _making:
        if not _is_closed and not loops:
            with contextlib.suppress(Exception):  # no compiler here: NumPy goes on
                loops.update(HOOKS["native_loops"]())


def finish() -> None:
    """Have the loops made now; for tests and measurements."""
    global _is_asked
    _is_asked = True
    _make()


def _close() -> None:
    global _is_closed
    _is_closed = True
    with _making:  # neither an import nor LLVM is interrupted by the end of the process
        pass


def _in_child() -> None:
    global _making, _is_asked
    _making, _is_asked = _thread.allocate_lock(), bool(loops)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=lambda: _making.acquire(), after_in_parent=lambda: _making.release(),
        after_in_child=_in_child,
    )  # fmt: skip
