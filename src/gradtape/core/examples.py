"""Effects of each example: draws and prints inside `vmap`.

An `Effect` is the operation of a graph that draws or prints: a node from (state, operands) to the
state after, which all examples of a batch go through one after the other. So to a state no batch
leads, and an effect is played on a batch as one effect with a further axis.

In a loop or a branch inside `vmap`, a function is traced for one example. Its effects have one
more operand, a truth value: whether this example takes part. For all examples around (`Trace.part`)
it is a batch, by which the node is played for each. Where some examples have ended, or go another
way, `Level.part` says which are left.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .lift import Batch, Dual, Lift
from .registry import HOOKS
from .state import below, next_key, state
from .symbol import Symbol
from .tensor import Tensor, new_traced, raw

_np: Any = np  # NumPy's functions as they are for Tensors, which its stubs do not know


class Effect:
    """What draws and prints have in common.

    `sizes` are those of the `vmap` calls around: operands have these axes in front. With `parted`
    the first operand says which examples take part.
    """

    __slots__ = ("parted", "sizes")
    kind = "plain"  # no derivative leads through it
    shape_rule = True
    sizes: tuple[int, ...]
    parted: bool
    of_a_batch: Any  # the same effect of a number of examples
    impl: Any  # the results for a state and operands

    def play(self, words: Any, operands: Any) -> Any:
        """The results where something is traced, or a batch; None where all are numbers."""
        operands = [raw(primal(x)) for x in operands]
        level = HOOKS["innermost"](operands)
        trace: Any = state.tapes[0] if state.tapes and state.tapes[0].is_trace else None
        if level is None or (trace is not None and trace.level > level.stamp):
            if trace is None and type(words) is Symbol:
                trace = words.trace
            if trace is not None and any(isinstance(x, Symbol | Lift) for x in (words, *operands)):
                return trace.emit(self, (words, *operands), {})
            return None
        with below(level.stamp):
            inner = [raw(_in_front(level, x)) for x in operands]
            if self.parted and level.part is not None:
                shape = (level.size,) + (1,) * len(self.sizes)
                left = _np.reshape(level.part, shape)
                inner[0] = raw(_np.logical_and(_opened(inner[0]), left))
            made = self.of_a_batch(level.size)
            found = made.impl(words, *inner)
        return made.lifted(level, found)

    def lifted(self, level: Any, found: Any) -> Any:
        """The results of all examples as those of one."""
        return found


def part_of(around: Any) -> Any:
    """Which examples of the active `vmap` calls take part, for one of them: a Tensor, or None.

    `around` is the same for the function around this one. None where there is no `vmap`.
    """
    if not state.batches:
        return around
    sizes = tuple(level.size for level in state.batches)
    part = np.ones(sizes, bool)
    if around is not None:
        part = _np.broadcast_to(around, sizes)
    return lifted(part)


def lifted(x: Any, why: Any = None) -> Any:
    """What has the axes of all active `vmap` calls in front, as the value of one example."""
    for level in state.batches:
        x = new_traced(Batch(level, x), next_key(), why)
    return x


def primal(x: Any) -> Any:
    """`x` without the tangents of the levels around."""
    held = x.read() if isinstance(x, Tensor) else x
    while isinstance(held, Dual):
        x = held.primal
        held = x.read() if isinstance(x, Tensor) else x
    return x


def spread(x: Any) -> Any:
    """`x` with the axes of all active `vmap` calls in front, the outermost first."""
    for level in reversed(state.batches):
        x = _in_front(level, primal(x))
    x = primal(x)
    tapes = state.tapes  # a function that is traced takes batches around it as inputs
    assert not isinstance(raw(x), Lift) or (tapes and tapes[0].is_trace)
    return x


def _in_front(level: Any, x: Any) -> Any:
    held = x.read() if isinstance(x, Tensor) else x
    if isinstance(held, Batch) and held.level is level:
        return held.inner
    return _np.broadcast_to(_opened(x), (level.size, *np.shape(x)))


def _opened(x: Any) -> Any:
    return new_traced(x) if isinstance(x, Lift | Symbol) else x
