"""`gt.print`: prints at once in eager mode, and at each call of a compiled function.

In a program, a print is a node from (number of prints so far, values) to that number and one. The
number is a Variable, which keeps prints in their order and lets no pass take one away. What is
computed again for a derivative is silent.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import numpy as np

from .aval import Aval
from .examples import Effect, spread
from .state import state
from .streams import Hidden
from .symbol import Symbol
from .tensor import Tensor, raw
from .tree import flatten

_COUNT = Aval((), np.dtype(np.int64))


_printed = Hidden(np.int64(0), trainable=False, name="prints")


class silent:
    """Nothing is printed inside: it is computed a second time."""

    __slots__ = ("holds", "saved")

    def __init__(self, holds: bool = True) -> None:
        self.holds = holds

    def __enter__(self) -> None:
        self.saved = state.is_silent
        if self.holds:
            state.is_silent = True

    def __exit__(self, *_: object) -> None:
        state.is_silent = self.saved


class Print(Effect):
    """One print, as an operation of a graph: `show(*values)` for every example."""

    __slots__ = ("show",)
    name = "print"

    def __init__(
        self, show: Callable[..., None], sizes: tuple[int, ...], parted: bool = False
    ) -> None:
        self.show, self.sizes, self.parted = show, sizes, parted

    def of_a_batch(self, size: int) -> Print:
        """The same print of `size` examples."""
        return Print(self.show, (size, *self.sizes), self.parted)

    def shape(self, avals: Any, params: Any) -> Aval:
        """That of the number of prints."""
        return _COUNT

    def impl(self, count: Any, *values: Any) -> Any:
        """The number of prints after this one."""
        if state.is_silent:
            return count
        found = self.play(count, values)
        if found is not None:
            return found
        part: Any = np.ones(self.sizes, bool)
        if self.parted:
            part, values = values[0], values[1:]
        for i in np.ndindex(self.sizes):
            if part[i]:
                self.show(*(x[i] for x in values) if self.sizes else values)
        return np.int64(count + 1)


def print_when_run(show: Callable[..., None], values: Any) -> None:
    """Call `show(*values)` now; in a compiled function at each call, with its numbers then."""
    if state.is_silent:
        return
    tapes: Any = state.tapes
    part = tapes[0].part if tapes and tapes[0].is_trace else None
    if part is not None:
        values = [part, *values]
    sizes = tuple(level.size for level in state.batches)
    if state.levels:
        values = [spread(x) for x in values]
    made = Print(show, sizes, part is not None)
    if tapes and tapes[0].is_trace:
        trace = tapes[0]
        count = trace.variable(_printed)
        after = trace.emit(made, (count, *map(raw, values)), {}, (count, *values))
        trace.assign(_printed, "print", after, None)
    else:
        made.impl(0, *map(raw, values))


def print(
    *values: Any, sep: str = " ", end: str = "\n", file: Any = None, flush: bool = False
) -> None:
    """Print as Python's `print` does; in a compiled function at each of its calls.

    There Python's own `print` runs while the function is traced, once, and shows no numbers.

    Parameters
    ----------
    *values : array_like, tree or object
        Tensors are shown as NumPy shows their values, also inside lists, dicts and dataclasses.
        Printing is no exit: it does not concern a gradient.
    sep, end, file, flush
        As in Python's `print`. Without `file`, what `sys.stdout` is at that moment.

    Notes
    -----
    Prints of a program keep their order, loops and branches included. What is computed a second
    time for a gradient prints nothing. Inside `gt.vmap` it is one print for each example.

    Examples
    --------
    >>> import numpy as np, gradtape as gt
    >>> @gt.function
    ... def f(x):
    ...     gt.print("x:", x)
    ...     return x.sum()
    >>> for x in np.eye(2):
    ...     _ = f(x)
    x: [1. 0.]
    x: [0. 1.]
    """
    leaves, rebuild = flatten(list(values))
    where = [n for n, x in enumerate(leaves) if _is_number(x)]

    def show(*numbers: Any) -> None:
        filled = list(leaves)
        for n, x in zip(where, numbers, strict=True):
            filled[n] = x
        builtins.print(*rebuild(filled), sep=sep, end=end, file=file, flush=flush)

    print_when_run(show, [leaves[n] for n in where])
    for n in where:
        leaves[n] = None  # a program keeps the rest


def _is_number(x: Any) -> bool:
    return isinstance(x, Tensor | np.ndarray | np.generic | Symbol)
