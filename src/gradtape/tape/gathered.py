"""Gradients of Variables of which only rows were gathered: the rows, and which they are.

Where a target sees a Variable in no other way than by rows that were taken of it (an embedding), a
sweep may end at these rows: each gathering stands in for the Variable as a source.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..core.slices import IndexedSlices
from ..core.state import CARD, KEYS, OUT, PARAMS, Recorder
from ..core.symbol import Symbol
from ..core.tensor import Tensor, new_traced, raw
from ..core.variable import Variable


class Gathering(NamedTuple):
    """Rows that were taken of a Variable: their key and shape, and the numbers of the rows."""

    key: int
    rows: Any
    shape: tuple[int, ...]

    def stand_in(self, variable: Variable) -> Tensor:
        """A source for the rows."""
        return new_traced(np.broadcast_to(np.zeros((), variable.dtype), self.shape), self.key)


def gatherings(recorder: Recorder, variable: Variable) -> list[Gathering]:
    """Where rows were taken of `variable`: `w[index]` and `np.take(w, index, axis=0)`."""
    found = []
    for rec in recorder.ops:
        if type(rec[KEYS]) is not tuple or rec[KEYS][0] != variable.key:
            continue
        index = _index(rec[CARD].name, rec[PARAMS])
        if index is not None:
            shape = (*np.shape(index), *variable.shape[1:])
            found.append(Gathering(rec[OUT], index, shape))
    return found


def _index(name: str, params: dict[str, Any]) -> Any:
    """The numbers of rows, or None if something else is taken."""
    if name == "getitem":
        index = params["index"]
        if type(index) is tuple and len(index) == 1:
            index = index[0]
    elif name == "take" and params.get("axis") == 0:
        index = params["indices"]
    else:
        return None
    if not isinstance(index, list | int | np.ndarray | np.generic | Tensor | Symbol):
        return None
    held = raw(index) if isinstance(index, Tensor) else index
    held = held if isinstance(held, Symbol) else np.asarray(held)
    return held if held.dtype.kind in "iu" else None


def seen_by_rows(
    recorder: Recorder, variable: Variable, known: Sequence[Gathering], targets: Sequence[Any]
) -> list[Gathering] | None:
    """Those of the gatherings that the targets use, the last first; None if they use more."""
    needed = {getattr(t, "key", 0) for t in targets}
    if not known or variable.key in needed:
        return None
    used, live = 0, set()
    for rec in reversed(recorder.ops):
        if rec[OUT] not in needed:
            continue
        keys = rec[KEYS] if type(rec[KEYS]) is tuple else (rec[5], rec[6])
        needed.update(keys)
        if variable.key in keys:
            used += 1
            live.add(rec[OUT])
    if not live or not live <= {one.key for one in known} or used != len(live):
        return None
    return [one for one in reversed(known) if one.key in live]  # in the order of the sweep


def joined(variable: Variable, taken: Sequence[Gathering], cts: Sequence[Any]) -> Any:
    """The gradient of `variable` from those of the rows that were taken of it; None if none is."""
    concatenate: Any = np.concatenate
    reshape: Any = np.reshape
    pairs = [(ct, one.rows) for ct, one in zip(cts, taken, strict=True) if ct is not None]
    if not pairs:
        return None
    values = [reshape(ct, (-1, *variable.shape[1:])) for ct, _ in pairs]
    indices = [reshape(_plain(index), -1) for _, index in pairs]
    if len(pairs) == 1:
        return IndexedSlices(values[0], indices[0], variable.shape)
    return IndexedSlices(concatenate(values), concatenate(indices), variable.shape)


def _plain(index: Any) -> Any:
    return new_traced(index) if isinstance(index, Symbol) else index
