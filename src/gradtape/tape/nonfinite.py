"""The first value of a tape that is not finite: the operation, its operands, and the way there.

Forward, records are looked at in the order in which they ran; backward, in the order of the sweep,
which is played once more. What the records did not keep is not known, and the finding says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.lift import bottom
from ..core.positions import Position, record_position
from ..core.state import CARD, KEYS, OUT, RUN
from ..core.sweep import quiet, run_item
from ..core.tensor import raw
from ..core.variable import Variable
from .reach import input_keys
from .sweeping import seeds_of

__all__ = ["NonFinite", "Operand", "chain_of", "first_of", "is_finite",
           "operand_facts", "words"]  # fmt: skip

LONGEST = 12  # operations of a chain


def is_finite(x: Any) -> bool:
    """Whether every element of a value is finite; True for what is no floating number."""
    if isinstance(x, np.ndarray | np.generic):
        return x.dtype.kind not in "fc" or bool(np.isfinite(x).all())
    return not isinstance(x, float | complex) or bool(np.isfinite(x))


@dataclass(frozen=True)
class Operand:
    """What an operation was given: its name where it has one, its shape and its range."""

    name: str
    shape: tuple[int, ...]
    low: float
    high: float
    bad: str = ""  # what of it is not finite

    def facts(self) -> dict[str, Any]:
        """The operand as an event of a run has it."""
        return {"name": self.name, "min": _number(self.low), "max": _number(self.high),
                "shape": list(self.shape)}  # fmt: skip

    def __str__(self) -> str:
        name = f"{self.name} = " if self.name else ""
        if not self.shape:
            return f"{name}{self.low:g}"
        bad = f" ({self.bad})" if self.bad else ""
        return f"{name}{list(self.shape)} in [{self.low:g}, {self.high:g}]{bad}"


def operand_facts(name: str, value: Any) -> Operand:
    """The range of a value, of its finite elements where it has some."""
    array = np.asarray(bottom(raw(value)))
    if array.dtype.kind == "c":
        array = np.abs(array)
    if array.dtype.kind not in "fiub" or not array.size:
        return Operand(name, array.shape, np.nan, np.nan)
    seen = array[np.isfinite(array)] if array.dtype.kind == "f" else array
    bad = words(array) if seen.size < array.size and array.ndim else ""
    seen = seen if seen.size and array.ndim else array
    return Operand(name, array.shape, float(seen.min()), float(seen.max()), bad)


@dataclass(frozen=True)
class NonFinite:
    """A value that is not finite: what made it."""

    op: str
    direction: str  # forward, backward, or tangent
    what: str  # "3 of 4 elements are nan"
    position: Position | None
    operands: tuple[Operand, ...]
    chain: tuple[tuple[str, Position | None], ...]  # from the source to this operation
    index: int | None  # of the record

    def facts(self) -> dict[str, Any]:
        """The finding as an event of a run."""
        place = self.position
        return {
            "op": self.op, "direction": self.direction, "what": self.what,
            "file": place.filename if place else None, "line": place.line if place else None,
            "operands": [o.facts() for o in self.operands],
            "chain": [
                {"op": op, "file": p.filename if p else None, "line": p.line if p else None}
                for op, p in self.chain
            ],
        }  # fmt: skip

    def parts(self) -> tuple[str, str, str]:
        """Fact, cause and remedy."""
        of = f", of {'; '.join(map(str, self.operands))}" if self.operands else ""
        way = "" if self.direction == "forward" else f", in its {self.direction} rule"
        chain = " -> ".join(f"{op} ({p})" for op, p in self.chain)
        led = f" What led there: {chain}." if len(self.chain) > 1 else ""
        return (
            f"{self.op} gave {self.what}{way}.",
            f"It stands at {self.position}{of}.{led}",
            remedy_of(self.op),
        )


def _number(x: float) -> float | str:
    """A float for JSON, which has no NaN."""
    return x if np.isfinite(x) else str(x)


_REMEDIES = {
    **dict.fromkeys(
        ("log", "log2", "log10"),
        "Keep the operand above 0: np.log(np.maximum(x, 1e-12)), or np.log1p where it is 1 + x.",
    ),
    **dict.fromkeys(
        ("divide", "true_divide", "reciprocal"),
        "Keep the divisor away from 0, or choose with np.where before dividing.",
    ),
    "sqrt": "Keep the operand above 0: np.sqrt(np.maximum(x, 0.0)), or add a small number.",
    **dict.fromkeys(
        ("exp", "exp2", "expm1", "sinh", "cosh"),
        "Bound the exponent, or subtract its maximum first, as in a softmax.",
    ),
    "power": "Bound the base away from 0, or write the product out.",
}


def remedy_of(op: str) -> str:
    """What to write where an operation makes what is not finite."""
    said = _REMEDIES.get(op)
    return said or "Look at the operands' ranges; a smaller learning rate keeps them bounded."


def words(value: Any) -> str:
    """How many elements are not finite, and of which kind."""
    array = np.asarray(raw(value))
    nans = int(np.count_nonzero(np.isnan(array)))
    infs = int(np.count_nonzero(np.isinf(array)))
    if not array.ndim:
        return "nan" if nans else str(array[()])
    parts = [f"{n} {kind}" for n, kind in ((nans, "nan"), (infs, "inf")) if n]
    return f"{' and '.join(parts)} among {array.size} elements"


def first_of(
    recorder: Any, targets: Sequence[Any], sources: Sequence[Any], results: Sequence[Any] = (),
    seeds: Any = None,
) -> NonFinite | None:  # fmt: skip
    """The first value that is not finite, of a tape whose records hold their values.

    `seeds` are the cotangents of the targets, 1 without them.

    Examples
    --------
    >>> import numpy as np, gradtape as gt
    >>> a = gt.Variable(0.0, name="a")
    >>> with np.errstate(divide="ignore"), gt.GradientTape(persistent=True) as tape:
    ...     loss = np.log(a) * 2.0
    >>> found = first_of(tape._recorder, [loss], [a])
    >>> found.op, found.direction, [o.name for o in found.operands]
    ('log', 'forward', ['a'])
    """
    ops = recorder.ops
    values = _known(recorder, sources, targets)
    names = _names(recorder)
    for source in sources:
        if not is_finite(source.value):
            name = getattr(source, "name", "a watched value")
            return NonFinite(
                str(name), "forward", words(source.value), None, (), (), None
            )
    for index, rec in enumerate(ops):
        out = values.get(rec[OUT])
        if out is None:
            out = values[rec[OUT]] = _computed(rec, values)
        for part in out if type(out) is tuple else (out,):
            if part is not None and not is_finite(part):
                if rec[RUN] is run_item:
                    index = _maker(ops, index)
                return _found(recorder, index, "forward", words(part), values, names)
    try:
        backward = _backward(recorder, targets, seeds, values, names)
    except Exception:  # a rule of the user's own, or residuals that are gone
        backward = None
    if backward is not None:
        return backward
    for result in results:
        if result is not None and not is_finite(raw(result)):
            return NonFinite("gradient", "backward", words(result), None, (), (), None)
    return None


def _maker(ops: list[list[Any]], index: int) -> int:
    """The record whose output `index` stands for."""
    wanted = ops[index][KEYS]
    return next((n for n in range(index) if ops[n][OUT] == wanted), index)


def _computed(rec: list[Any], values: dict[int, Any]) -> Any:
    """The result of a record that did not keep it, where its operands are known."""
    if rec[CARD].kind != "elementwise":
        return None
    given = [
        value if value is not None and not isinstance(value, Aval) else values.get(abs(key))
        for key, value in _inputs(rec)
    ]
    if any(value is None for value in given):
        return None
    with np.errstate(all="ignore"):
        return rec[CARD].impl(*given, **(rec[8] if type(rec[KEYS]) is tuple else {}))


def _backward(
    recorder: Any, targets: Sequence[Any], seeds: Any, values: dict[int, Any],
    names: dict[int, str],
) -> NonFinite | None:  # fmt: skip
    grads: dict[int, Any] = seeds_of(list(targets), seeds, False)
    with quiet():
        for index in range(len(recorder.ops) - 1, -1, -1):
            rec = recorder.ops[index]
            g = grads.pop(rec[OUT], None)
            if g is None or len(rec) <= 9:
                continue
            rec[0](rec, g, grads)
            for key in input_keys(rec):
                ct = grads.get(key) if key > 0 else None
                if ct is not None and not is_finite(ct):
                    made = _found(recorder, index, "backward", words(ct), values, names)
                    cotangent = operand_facts("cotangent", g) if not isinstance(g, list) else None
                    extra = (cotangent,) if cotangent is not None else ()
                    return NonFinite(made.op, made.direction, made.what, made.position,
                                     (*made.operands, *extra), made.chain, made.index)  # fmt: skip
    return None


def _found(
    recorder: Any, index: int, direction: str, what: str, values: dict[int, Any],
    names: dict[int, str],
) -> NonFinite:  # fmt: skip
    rec = recorder.ops[index]
    return NonFinite(
        rec[CARD].name, direction, what, record_position(recorder, index),
        tuple(_operands(rec, values, names)), tuple(chain_of(recorder, index)), index,
    )  # fmt: skip


def _operands(rec: list[Any], values: dict[int, Any], names: dict[int, str]) -> list[Operand]:
    found = []
    for key, value in _inputs(rec):
        if value is None or isinstance(value, Aval):
            value = values.get(abs(key)) if key else None
        if value is not None:
            found.append(operand_facts(names.get(abs(key), ""), value))
    return found


def _inputs(rec: list[Any]) -> list[tuple[int, Any]]:
    """(key, kept value) of each operand of a record."""
    if type(rec[KEYS]) is tuple:
        kept = rec[9] if len(rec) > 9 and type(rec[9]) is tuple else (None,) * len(rec[KEYS])
        return list(zip(rec[KEYS], kept, strict=False))
    fast = rec[9:11] if len(rec) > 9 else [None, None]
    return list(zip(rec[5:7], fast, strict=False))[: max(rec[CARD].arity, 1)]


def _known(recorder: Any, sources: Sequence[Any], targets: Sequence[Any]) -> dict[int, Any]:
    """Every value that a record kept, by its key."""
    values: dict[int, Any] = {s.key: s.value for s in sources}
    for t in targets:
        values[t.key] = t.value
    for rec in recorder.ops:
        for key, value in _inputs(rec):
            if key and value is not None and not isinstance(value, Aval):
                values.setdefault(abs(key), value)
        if len(rec) > 9:
            out = rec[10] if type(rec[KEYS]) is tuple else rec[11]
            if out is not None and not isinstance(out, Aval):
                values[rec[OUT]] = out
    return values


def _names(recorder: Any) -> dict[int, str]:
    return {k: v.name for k, v in recorder.leaves.items() if isinstance(v, Variable)}


def chain_of(recorder: Any, index: int) -> list[tuple[str, Position | None]]:
    """The operations from a source to record `index`: at each, the operand that was made last."""
    made = {rec[OUT]: i for i, rec in enumerate(recorder.ops[: index + 1])}
    chain: list[tuple[str, Position | None]] = []
    at: int | None = index
    while at is not None and len(chain) < LONGEST:
        rec = recorder.ops[at]
        chain.append((rec[CARD].name, record_position(recorder, at)))
        before = [made[k] for k in input_keys(rec) if k in made]
        at = max(before) if before else None
    return chain[::-1]
