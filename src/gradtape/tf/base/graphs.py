"""What the dialect knows of compiled functions: whether one is being traced, and its switch."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.positions import decode, here
from ...core.state import state
from ...core.symbol import Symbol
from ...errors import TracingError, three_part
from .errors import invalid

switches = {"eagerly": False}  # tf.config.run_functions_eagerly


def is_tracing() -> bool:
    """Whether the body of a `tf.function` is being made into a program."""
    tapes = state.tapes
    return bool(tapes) and tapes[0].is_trace


class _InRange:
    """Indices as they are, if they are at least 0 and below `stop`: an operation of a graph."""

    __slots__ = ("stop",)
    kind = "plain"
    name = "in_range"
    shape_rule = True

    def __init__(self, stop: int) -> None:
        self.stop = stop

    def shape(self, avals: Any, params: Any) -> Any:
        """That of the indices."""
        return avals[0]

    def impl(self, index: Any) -> Any:
        """`index`, or the error of NumPy's."""
        if type(index) is Symbol:
            return index.trace.emit(self, (index,), {})
        if np.any(index < 0) or np.any(index >= self.stop):
            raise IndexError(
                three_part(
                    f"An index is not in [0, {self.stop}).",
                    "It was computed in a compiled function.",
                    "Look at the indices: tf.print(indices).",
                )
            )
        return index


def in_range(index: Any, stop: int) -> Any:
    """`index`, which a program looks at when it runs; what is known is left to the caller."""
    return _InRange(stop).impl(index) if type(index) is Symbol else index


class Claimed:
    """A predicate as it is, if so many of several hold: an operation of a graph."""

    __slots__ = ("called", "least", "most", "what")
    kind = "plain"
    name = "claimed"
    shape_rule = True

    def __init__(self, what: str, least: int, most: int, called: str) -> None:
        self.what, self.least, self.most, self.called = what, least, most, called

    def shape(self, avals: Any, params: Any) -> Any:
        """That of the predicate."""
        return avals[0]

    def look(self, count: int) -> None:
        """Raise where too few or too many hold."""
        if count < self.least:
            raise invalid(
                f"{self.what}: none of the conditions evaluated as True.",
                f"Called at {self.called} without a default.",
                "Pass default=function.",
            )
        if count > self.most:
            raise invalid(
                f"{self.what}: More than one condition evaluated as True: {count}.",
                f"Called at {self.called} with exclusive=True.",
                "Make the conditions exclude each other, or leave exclusive out.",
            )

    def impl(self, pred: Any, count: Any) -> Any:
        """`pred`, or InvalidArgumentError."""
        for x in (pred, count):
            if type(x) is Symbol:
                return x.trace.emit(self, (pred, count), {})
        self.look(int(count))
        return pred


class CreatesVariable(TracingError):
    """A Variable is made inside a function that is traced."""


def no_new_variable(name: Any) -> None:
    """Called where a Variable is made."""
    if is_tracing():
        raise CreatesVariable(
            three_part(
                f"The Variable {name or 'Variable'!r} is made inside a compiled function.",
                f"It is made at {decode(*here())}; a program assigns Variables that there are.",
                "Make it outside of the function, or at its first call alone: "
                "if self.v is None: self.v = tf.Variable(...).",
            )
        )
