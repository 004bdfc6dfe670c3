"""A compiled function while its run is recorded: what `tape.gradient` saw becomes results.

The program of a recorded call is that of a twin, traced from a function that runs the user's and
also gives back, for each outermost gradient in it, targets, sources and gradients. Without a
recording nothing of it exists. A gradient in a compiled loop (`gt.scan`) is one of its turns, and
is not told.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import events
from ..core import observing
from ..core.state import state
from ..core.symbol import Symbol
from ..core.tensor import Tensor, new_tensor, new_traced
from ..core.variable import Variable
from ..tape.nested import Gradient, Nested

__all__ = ["Told", "tell", "twin"]


class Told:
    """One gradient in a compiled function: where it is asked for, of what.

    Attributes
    ----------
    position : (code, lasti)
    targets : int
        How many there are.
    sources : list
        Variables; for a watched Tensor one of its shape and dtype.
    missing : list of bool
        Which gradients are None.
    keys : tuple of int
        Of the targets, when the function was traced.
    seen : object
        What the inspector says of the records (`core/observing.py`); None if nobody asked.
    more : int
        How many values it wants to be told.
    """

    def __init__(
        self, position: Any, keys: tuple[int, ...], sources: list[Any], missing: list[bool],
        seen: Any = None, more: int = 0,
    ) -> None:  # fmt: skip
        self.position, self.keys, self.targets = position, keys, len(keys)
        self.sources, self.missing = sources, missing
        self.seen, self.more = seen, more


class _Facts:
    """What is told of all gradients of a program, a result that is no number."""

    def __init__(self) -> None:
        self.told: list[Told] = []


def twin(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` as one that returns (result, what was told, values of it)."""

    @functools.wraps(function)
    def traced(*args: Any, **kwargs: Any) -> Any:
        facts, values = _Facts(), []
        trace, nested = state.tapes[0], Nested()

        def watch(recorder: Any, targets: Any, sources: Any, results: Any, position: Any) -> None:
            tapes: Any = state.tapes
            if not tapes or tapes[0] is not trace:
                return
            gradient = Gradient(targets, sources, results, position)
            if len(tapes) > 1:
                nested.saw(gradient)
                if any(t is not recorder for t in tapes[1:]):
                    return
            gradient = nested.behind(recorder, targets) or gradient
            targets, sources, results, position = gradient
            known = [s if isinstance(s, Variable) else _like(s) for s in sources]
            missing = [r is None for r in results]
            look = observing.inspector.look if observing.Keeping.everything else None
            seen, more = look(recorder, targets, sources) if look is not None else (None, [])
            keys = tuple([t.key for t in targets])
            facts.told.append(Told(position, keys, known, missing, seen, len(more)))
            for x in (*targets, *sources, *(r for r in results if r is not None), *more):
                x = x.read() if isinstance(x, Tensor) else x
                values.append(new_traced(x) if isinstance(x, Symbol) else x)

        stop = events.watch_gradients(watch)
        try:
            result = function(*args, **kwargs)
        finally:
            stop()
        return result, facts, values

    return traced


def _like(source: Any) -> Tensor:
    """A Tensor of the shape and dtype of a source that has no value yet."""
    return new_tensor(np.zeros(source.shape, source.dtype)[()])


def tell(name: str, facts: Any, values: list[Any]) -> None:
    """Publish what a recorded call of a program has told, gradient by gradient."""
    raw = iter([x.value if isinstance(x, Tensor) else x for x in values])
    for told in facts.told:
        targets = [next(raw) for _ in range(told.targets)]
        sources = [next(raw) for _ in told.sources]
        grads = [None if missing else next(raw) for missing in told.missing]
        events.publish(
            "compiled gradient", function=name, told=told, targets=targets, sources=sources,
            results=grads, more=[next(raw) for _ in range(told.more)],
        )  # fmt: skip
