"""What `core/rows.py` does for a NaN beside a cotangent of 0, in a program.

While a function is traced there is no number to look at. So a node *spare* is put behind each
product that a rule makes inside: it takes the cotangent found and all that the rule read, and plays
the rule again where there is a NaN to be had out of it. A program runs without these nodes
(`passes/spares.py`), and once more with them where a result of it is NaN: data without gaps pay for
one look at the results.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.aval import Aval, aval_of
from ..core.card import Card
from ..core.dispatch import apply
from ..core.registry import HOOKS
from ..core.rows import spared
from ..core.state import state
from ..core.symbol import Symbol
from ..core.tensor import Tensor, raw
from .ir import lift


class Rule:
    """The rule of one operand of a card, and where its arguments stand among a node's operands."""

    __slots__ = ("avals", "card", "i", "layout", "params", "sizes")

    def __init__(self, card: Card, i: int, params: Any, avals: Any) -> None:
        self.card, self.i, self.params, self.avals = card, i, params, avals
        self.layout: list[Any] = []  # for each argument its place, or the aval or None it is
        self.sizes: tuple[bool, int, bool, int] = (False, 0, False, 0)

    def __repr__(self) -> str:
        return f"{self.card.name} {self.i}"

    def play(self, gi: Any, values: Sequence[Any]) -> Any:
        """`gi`, or what the rule gives without what is idle."""
        given = [values[x] if type(x) is int else x for x in self.layout]
        many, n, several, m = self.sizes
        cts, outs, operands = given[:n], given[n : n + m], given[n + m :]
        found = spared(
            self.card, self.i, np.asarray(gi), tuple(cts) if many else cts[0],
            tuple(outs) if several else outs[0], tuple(operands), self.params, self.avals,
        )  # fmt: skip
        return np.asarray(raw(found), gi.dtype)[()]


def _spare(
    card: Any, i: int, gi: Any, ct: Any, out: Any, operands: Any, params: Any, avals: Any
) -> Any:
    """`gi` behind a node that plays the rule again; as it is in a batch, and in a loop's body."""
    if state.tapes[0].parent is not None:  # type: ignore[attr-defined]
        return gi
    rule = Rule(card, i, params, avals)
    cts = list(ct) if type(ct) is tuple else [ct]
    outs = list(out) if type(out) is tuple else [out]
    rule.sizes = (type(ct) is tuple, len(cts), type(out) is tuple, len(outs))
    taken: list[Any] = []
    for x in (*cts, *outs, *operands):
        if x is None or isinstance(x, Aval):
            rule.layout.append(x)
            continue
        rule.layout.append(len(taken))
        taken.append(x)
    if not all(_is_plain(x) for x in (gi, *taken)) or _is_traced_inside(params):
        return gi
    return apply(SPARE, (gi, *taken), {"rule": rule})


def _is_plain(x: Any) -> bool:
    value = raw(x) if isinstance(x, Tensor) else x
    return isinstance(value, Symbol | np.ndarray | np.generic | float | int | complex)


def _is_traced_inside(params: Any) -> bool:
    found: list[Any] = []

    def look(leaf: Any) -> Any:
        if type(raw(leaf)) is Symbol:
            found.append(leaf)
        return leaf

    lift(params, look)
    return bool(found)


def _make() -> Card:
    card = Card("spare", "primitive", lambda gi, *values, rule: rule.play(gi, values), -1, False)
    card.keep, card.keep_out = (), False
    card.vjps = (lambda ct, _out, *_, rule: ct,)
    card.push = lambda primals, tangents: (primals[:1], tangents[:1])
    card.spread = lambda size, xs, axes: (xs[:1], axes[:1])
    card.shape_rule = lambda gi, *_, rule: aval_of(gi)
    return card


SPARE = _make()
HOOKS["spare"] = _spare
