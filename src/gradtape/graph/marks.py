"""Operations that a graph has and NumPy has not: each gives its operand, and says something of it.

`stop(x)`: no derivative leads to where x came from.

`assigned(w, value)`: what is read of the Variable `w` after `value` was assigned to it.

`python_number(x)`: the number as Python's, which takes the dtype of what it meets.

`behind(x, *cts)`: x, known only when the cotangents are. So what `gt.checkpoint` computes again
from it is another value than what was computed before (common subexpressions are not merged), is a
part of the backward program, which needs no more of it than x (`passes/split.py`), and stands in no
loop that runs earlier (`Planner` in `backends/llvm/fuse.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.aval import aval_of
from ..core.card import Card
from ..core.dispatch import apply
from ..core.pythons import PYTHON
from ..core.registry import HOOKS
from ..core.state import state
from ..core.symbol import Symbol
from ..core.tensor import new_traced, raw
from .ir import Plain


def _same(x: Any) -> Any:
    return x


def _results(card: Card, operands: Sequence[Any]) -> tuple[Any, ...]:
    """What `card` gives: inside a further `vmap` it is in a tuple already."""
    found = apply(card, tuple(operands), {})
    return found if type(found) is tuple else (found,)


def _make_assigned() -> Card:
    """As in eager mode, a derivative leads to the Variable, not to where the value came from."""
    card = Card("assigned", "primitive", lambda _w, value: value, 2, False)
    card.keep, card.keep_out = (), False
    card.vjps = (lambda ct, _out, _w, _value: ct, None)
    card.jvps = (lambda t, _out, _w, _value: t, None)
    card.spread = _assigned_spread
    card.shape_rule = lambda _w, value: value
    return card


def _assigned_spread(size: int, xs: Sequence[Any], axes: Sequence[int | None]) -> tuple[Any, Any]:
    function: Any = np.broadcast_to
    every = [
        x if a is not None else function(x, (size, *np.shape(x)))
        for x, a in zip(xs, axes, strict=True)
    ]
    return _results(ASSIGNED, every), (0,)


def _behind(x: Any, cts: Sequence[Any]) -> Any:
    """`x`, not before `cts` are known, where a function is traced; numbers as they are."""
    tapes: Any = state.tapes
    if not (tapes and tapes[0].is_trace and np.ndim(x)):
        return x
    return apply(BEHIND, (x, *cts), {})


def _spread(_size: int, xs: Sequence[Any], axes: Sequence[int | None]) -> tuple[Any, Any]:
    return _results(BEHIND, xs), (axes[0],)


def _make_behind() -> Card:
    card = Card("behind", "primitive", lambda x, *_: x, -1, False)
    card.keep, card.keep_out = (), False
    card.vjps = lambda i, ct, _out, *_: ct if i == 0 else None
    card.push = lambda primals, tangents: (_results(card, primals), tangents[:1])
    card.spread = _spread
    card.shape_rule = lambda x, *_: aval_of(x)
    return card


def _number(x: Any) -> Any:
    return x.item() if isinstance(x, np.generic | np.ndarray) else x


def as_weak(x: Any) -> Any:
    """`x` as a number of Python's: the symbol of one, where it is not known."""
    value = raw(x)
    if type(value) in PYTHON:
        return value
    if type(value) is not Symbol:
        return value.item() if isinstance(value, np.generic) else x
    return x if value.weak else new_traced(value.trace.emit(NUMBER, (value,), {}))


STOP = Plain("stop", _same)
NUMBER = Plain("python_number", _number)
ASSIGNED = _make_assigned()
BEHIND = _make_behind()
HOOKS["behind"] = _behind
