"""What the records of a tape lead to: the keys that each reads, and what depends on what."""

from __future__ import annotations

from typing import Any

from ..core.state import CARD, KX, KY, OUT, RUN, Recorder
from ..core.sweep import run_item
from ..core.tensor import Tensor

# Causes that cut a part out of a gradient that is otherwise there. Of the others, an integer or a
# comparison passes no derivative anyway, and gt.stop_gradient is meant.
_CUTS = frozenset(("unwatched", "stopped", "inactive", "gradient", "objects"))


def input_keys(rec: list[Any]) -> tuple[int, ...]:
    """The keys that a record's output depends on, where its rule has a derivative."""
    card = rec[CARD]
    keys = rec[KX] if type(rec[KX]) is tuple else (rec[KX], rec[KY])
    if card.leads is not None and rec[RUN] is not run_item:
        ways = zip(keys, card.leads(), strict=True)
        return tuple(k for k, way in ways if k > 0 and way == "path")
    if rec[RUN] is run_item or card.vjps is None:
        return tuple(k for k in keys if k > 0)
    return tuple(k for i, k in enumerate(keys) if k > 0 and card.has_vjp(i))


def stopped_in(rec: list[Any]) -> tuple[int, ...]:
    """The keys that a program's results depend on behind `stop_gradient` alone."""
    card = rec[CARD]
    if card.leads is None or rec[RUN] is run_item:
        return ()
    return tuple(k for k, way in zip(rec[KX], card.leads(), strict=True) if way == "stop_gradient")


def name_of(rec: list[Any]) -> str:
    """What the operation of a record is called in NumPy."""
    name = str(rec[CARD].name)
    return "sum" if name == "sum_all" else name


def is_unsupported(rec: list[Any]) -> bool:
    """Whether the op of a record has no rule."""
    card = rec[CARD]
    return card.vjps is None and card.kind != "custom" and rec[RUN] is not run_item


def forward_reach(recorder: Recorder, key: int) -> dict[int, tuple[int, int]]:
    """Every key that depends on `key`, with the record and the input it was reached through."""
    reach: dict[int, tuple[int, int]] = {key: (-1, 0)}
    for index, rec in enumerate(recorder.ops):
        for k in input_keys(rec):
            if k in reach and rec[OUT] not in reach:
                reach[rec[OUT]] = (index, k)
                break
    return reach


def backward_reach(recorder: Recorder, keys: set[int]) -> set[int]:
    """Every key that `keys` depend on, and themselves."""
    reach = set(keys)
    for rec in reversed(recorder.ops):
        if rec[OUT] in reach:
            reach.update(input_keys(rec))
    return reach


def cuts(recorder: Recorder, targets: list[Tensor]) -> list[Any]:
    """The causes in `targets` that name a value which the tape follows elsewhere."""
    return [
        why
        for t in targets
        for why in flatten_why(t.why)
        if len(why) == 5 and why[0] in _CUTS and why[3] in recorder.tracked
    ]


def flatten_why(why: Any) -> list[Any]:
    """The single causes in a `why`."""
    if why is None:
        return []
    if why[0] == "several":
        return list(why[4])
    return [why]
