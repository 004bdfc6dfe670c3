"""The table of what a tape has recorded: operation, line, shapes, time, bytes kept."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.aval import Aval, aval_of, make_aval
from ..core.positions import Position, decode, record_position
from ..core.state import (
    AVALS,
    CARD,
    KEYS,
    KX,
    KY,
    OUT,
    PARAMS,
    RESIDUALS,
    RUN,
    SX,
    SY,
    Recorder,
    paused,
)
from ..core.sweep import run_item, unpack
from ..core.variable import Variable
from .reach import name_of

__all__ = ["OpRow", "Summary", "avals_of", "summarize"]

_RERUN = frozenset(("elementwise", "linear", "primitive", "composite"))
_ROUNDS = 3
_LONG = 0.02
"""Seconds of one run beyond which an operation is run once and no more."""
_PATIENCE = 1.0
"""Seconds for all of them."""
_LARGE = 1 << 28
"""Bytes of operands and result beyond which an operation is not run again."""


@dataclass(frozen=True)
class OpRow:
    """One recorded operation.

    Attributes
    ----------
    index : int
        Its place in the order of recording.
    op : str
    position : Position or None
        File and line of the call.
    operands : tuple of Aval
        Shape and dtype of each operand.
    shape : tuple of int
    dtype : dtype or None
        Of its result; None for an operation with several results.
    seconds : float
        Running it again; nan where that is not done.
    bytes : int
        Memory that the tape keeps alive for its backward rule and that no earlier row counts.
    """

    index: int
    op: str
    position: Position | None
    operands: tuple[Aval, ...]
    shape: tuple[int, ...]
    dtype: Any
    seconds: float
    bytes: int


@dataclass(frozen=True)
class Summary:
    """What a tape has recorded, one row for each operation, and the totals.

    Attributes
    ----------
    rows : tuple of OpRow
    sources : tuple of str
        Names of the Variables, and positions of the Tensors, that are watched.
    remark : str
        Set where the gradient call has freed what the rules kept, or where times are missing.
    """

    rows: tuple[OpRow, ...]
    sources: tuple[str, ...]
    remark: str = ""

    @property
    def bytes(self) -> int:
        """Memory that the tape keeps alive, in bytes."""
        return sum(row.bytes for row in self.rows)

    @property
    def seconds(self) -> float:
        """The time of all operations that were run again, in seconds."""
        return math.fsum(row.seconds for row in self.rows if not math.isnan(row.seconds))

    def __str__(self) -> str:
        from .showing import summary_as_text

        return summary_as_text(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from .showing import summary_as_html

        return summary_as_html(self)


def summarize(recorder: Recorder, consumed: Any) -> Summary:
    """The summary of a recorder; `consumed` is the position of the call that used it up."""
    seen: set[int] = set()
    rows = []
    until = time.perf_counter() + _PATIENCE
    for index, (rec, operands, out) in enumerate(avals_of(recorder)):
        if rec[RUN] is run_item:
            continue
        rows.append(
            OpRow(
                index,
                name_of(rec),
                record_position(recorder, index),
                operands,
                tuple(getattr(out, "shape", ())),
                getattr(out, "dtype", None),
                _time(rec, operands, out) if time.perf_counter() < until else math.nan,
                sum(_new_bytes(rec[RESIDUALS:], seen)),
            )
        )
    remarks = []
    if consumed is not None and any(len(rec) <= RESIDUALS for rec in recorder.ops):
        at = decode(*consumed)
        remarks.append(f"gradient was called at {at} and freed what its rules had kept.")
    if time.perf_counter() >= until:
        remarks.append(f"After {_PATIENCE:g} s no more operations were run again for their time.")
    return Summary(tuple(rows), tuple(_sources(recorder)), " ".join(remarks))


def _sources(recorder: Recorder) -> Iterator[str]:
    for leaf in recorder.leaves.values():
        if isinstance(leaf, Variable):
            yield leaf.name
        else:
            yield f"Tensor watched at {decode(leaf[3], leaf[4])}"


# --------------------------------------------------------------------------- shapes and dtypes


def avals_of(recorder: Recorder) -> Iterator[tuple[list[Any], tuple[Aval, ...], Any]]:
    """(record, avals of the operands, aval of the result) of every record, in order.

    The result of an operation with several is a tuple of avals. Also after a gradient call: what
    a record does not say follows from the sources and from the records before.
    """
    known: dict[int, Any] = {}
    for key, leaf in recorder.leaves.items():
        if isinstance(leaf, Variable):
            known[key] = aval_of(leaf.value)
        else:
            known[key] = make_aval(leaf[1], np.dtype(leaf[2]))
    for rec in recorder.ops:
        if rec[RUN] is run_item:
            whole = known.get(rec[KX])
            out = whole[rec[SX]] if isinstance(whole, tuple) else make_aval((), np.dtype(float))
            operands: tuple[Aval, ...] = ()
        elif type(rec[KEYS]) is tuple:
            operands = tuple(rec[AVALS])
            out = _general_result(rec)
        else:
            operands, out = _fast(rec, known)
        known[rec[OUT]] = out
        yield rec, operands, out


def _general_result(rec: list[Any]) -> Any:
    if len(rec) > RESIDUALS + 1 and isinstance(rec[10], np.ndarray | np.generic):
        return aval_of(rec[10])
    try:
        return rec[CARD].shape(rec[AVALS], rec[PARAMS])
    except Exception:  # a rule that needs values, or none
        return None


def _fast(rec: list[Any], known: dict[int, Any]) -> tuple[tuple[Aval, ...], Aval]:
    arity = rec[CARD].arity
    kept = rec[RESIDUALS : RESIDUALS + 3] if len(rec) > RESIDUALS else [None] * 3
    operands: list[Any] = []
    for i in range(arity):
        aval = known.get(abs((rec[KX], rec[KY])[i]))
        if aval is None and kept[i] is not None:
            aval = aval_of(kept[i])
        operands.append(aval)
    told = [aval for aval in operands if aval is not None]
    dtype = told[0].dtype if told else np.dtype(float)
    filled = tuple(
        aval if aval is not None else make_aval(shape or (), dtype)
        for aval, shape in zip(operands, (rec[SX], rec[SY]), strict=False)
    )
    if kept[2] is not None:
        return filled, aval_of(kept[2])
    if name_of(rec) == "sum":
        return filled, make_aval((), filled[0].dtype)
    with np.errstate(all="ignore"):
        probe = rec[CARD].impl(*(np.ones((), aval.dtype)[()] for aval in filled))
    shape = np.broadcast_shapes(*(aval.shape for aval in filled))
    return filled, make_aval(shape, np.asarray(probe).dtype)


# ---------------------------------------------------------------------------- time and memory


def _time(rec: list[Any], operands: tuple[Aval, ...], out: Any) -> float:
    """The least time of a few runs of an operation, in seconds; nan where it is not run.

    Draws, prints and functions of the user's have effects; what is large takes memory and time.
    """
    card = rec[CARD]
    if card.kind not in _RERUN or card.regions is not None or card.push is not None:
        return math.nan
    if sum(_nbytes(aval) for aval in (*operands, out)) > _LARGE:
        return math.nan
    values: list[Any] = list(operands)
    params: dict[str, Any] = {}
    if len(rec) > RESIDUALS:
        _, kept, _, params = unpack(rec)
        values = [
            kept[i] if i < len(kept) and type(kept[i]) is not Aval else aval
            for i, aval in enumerate(operands)
        ]
    elif type(rec[KEYS]) is tuple:
        params = rec[PARAMS]
    if not all(isinstance(v, Aval | np.ndarray | np.generic | int | float) for v in values):
        return math.nan
    best = math.inf
    try:
        made = [np.ones(v.shape, v.dtype) if type(v) is Aval else v for v in values]
        with paused(), np.errstate(all="ignore"):
            for _ in range(_ROUNDS):
                start = time.perf_counter()
                card.impl(*made, **params)
                best = min(best, time.perf_counter() - start)
                if best > _LONG:
                    break
    except Exception:  # ones are not in the domain of every operation
        return math.nan
    return best


def _nbytes(aval: Any) -> int:
    return math.prod(aval.shape) * aval.dtype.itemsize if isinstance(aval, Aval) else 0


def _new_bytes(residuals: Iterable[Any], seen: set[int]) -> Iterator[int]:
    for value in residuals:
        if isinstance(value, tuple | list):
            yield from _new_bytes(value, seen)
        elif isinstance(value, np.ndarray):
            root = value
            while isinstance(root.base, np.ndarray):
                root = root.base
            if id(root) not in seen:
                seen.add(id(root))
                yield root.nbytes
        elif isinstance(value, np.generic):
            yield value.nbytes
