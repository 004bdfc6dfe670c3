"""How much of the gradient each operation on the path from source to target passes on.

`measured` takes the explanation of a path that is there, plays the tape backwards from ones
without using it up, and says what every operation did to the norm of the cotangent: where the
gradient vanishes, explodes, is cut by a kink, or stops being finite.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.positions import Position, decode, record_position
from ..core.state import CARD, OUT, RESIDUALS, RUN, Recorder, paused
from ..core.sweep import quiet, run_item, unpack
from .facts import Explanation, Facts
from .nonfinite import remedy_of
from .reach import input_keys, is_unsupported, name_of
from .sweeping import seeds_of

__all__ = ["PathStep", "measured"]

VANISHING, EXPLODING = 1e-3, 1e3
"""An operation that changes the norm by more than this is named in the table."""


@dataclass(frozen=True)
class PathStep:
    """One operation on the path from a source to a target, in the order of computation.

    Attributes
    ----------
    op : str
        Its name.
    position : Position or None
        File and line of the call.
    shape : tuple of int
        Of its result.
    incoming, outgoing : float
        The 2-norm of the cotangent of its result (d target / d result), and of what the operation
        hands on from it to its operand on the path; nan where they are not known.
    gain : float
        `outgoing / incoming`: what the local derivative does to the norm; nan where not known.
    note : str
        Set where the gradient vanishes, explodes, becomes 0 or stops being finite.
    """

    op: str
    position: Position | None
    shape: tuple[int, ...]
    incoming: float = math.nan
    outgoing: float = math.nan
    gain: float = math.nan
    note: str = ""


def measured(facts: Facts, found: Explanation, consumed: Any) -> Explanation:
    """`found`, the explanation of a path that is there, with what each operation passes on.

    `consumed` is the position of the gradient call that used the tape up, or None. Where the norms
    cannot be had, the steps have none, and `found.remark` says why.
    """
    recorder = facts.recorder
    if not facts.key:
        return found
    obstacle = _obstacle(recorder, consumed)
    cotangents: dict[int, Any] = {}
    if not obstacle:
        try:
            cotangents = _sweep(recorder, facts.targets)
        except Exception as error:  # a rule of the user's
            obstacle = f"a rule on the tape raised {type(error).__name__}: {error}"
    path = _path(facts, cotangents)
    steps = tuple(_step(recorder, index, key, cotangents) for index, key in path)
    paths = _count(facts)
    remark = f"Norms along the path are not known: {obstacle}" if obstacle else ""
    if paths > 1:
        chosen = "the first of them" if obstacle else "the one that carries most"
        remark = f"{paths} paths lead to it; this is {chosen}.{' ' * bool(remark)}{remark}"
    found = replace(found, steps=steps, remark=remark)
    total = cotangents.get(facts.key)
    if obstacle or total is None:
        return found
    if not np.isfinite(total).all():
        return _not_finite(facts, found, total, path)
    if not np.any(total) and np.size(total):
        return _zero(facts, found, path, cotangents)
    return found


def _obstacle(recorder: Recorder, consumed: Any) -> str:
    is_freed = any(len(rec) <= RESIDUALS for rec in recorder.ops)
    if consumed is not None and is_freed:
        return (
            f"gradient was called at {decode(*consumed)} and freed the values. Ask before that"
            " call, or make the tape persistent, gt.GradientTape(persistent=True), or record the"
            " run, with gt.Recording(path)."
        )
    if recorder.is_lifted:
        return "the tape recorded inside gt.jvp or gt.vmap, where there is no single value."
    return "the values of its operations were freed." if is_freed else ""


# ------------------------------------------------------------------------------ the sweep


def _sweep(recorder: Recorder, targets: list[Any]) -> dict[int, Any]:
    """The cotangent of every key that the targets depend on, from ones."""
    found: dict[int, Any] = {}
    with paused(), quiet():
        grads = seeds_of(targets, None, False)
        for rec in reversed(recorder.ops):
            g = grads.pop(rec[OUT], None)
            if g is not None:
                found[rec[OUT]] = g
                if not is_unsupported(rec):
                    rec[RUN](rec, g, grads)
    found.update(grads)
    return found


def _handed_on(rec: list[Any], g: Any) -> dict[int, Any]:
    """What one operation hands on to its operands, by key."""
    local: dict[int, Any] = {}
    with paused(), quiet():
        rec[RUN](rec, g, local)
    return local


def _path(facts: Facts, cotangents: dict[int, Any]) -> list[tuple[int, int]]:
    """(record, key of the operand) along one path, from the source to the target.

    With cotangents it is the path along which the product of the gains is largest.
    """
    recorder = facts.recorder
    came = facts.reach if not cotangents else _strongest(facts, cotangents)
    key = max((k for k in facts.target_keys if k in came), key=lambda k: k != facts.key)
    path: list[tuple[int, int]] = []
    while key != facts.key:
        index, key = came[key]
        path.append((index, key))
    path.reverse()
    return [step for step in path if step[0] < len(recorder.ops)]


def _strongest(facts: Facts, cotangents: dict[int, Any]) -> dict[int, tuple[int, int]]:
    """How each key is reached from the source with the largest product of gains."""
    strength = {facts.key: 0.0}  # the logarithm of the product
    came: dict[int, tuple[int, int]] = {facts.key: (-1, 0)}
    for index, rec in enumerate(facts.recorder.ops):
        choices = [k for k in dict.fromkeys(input_keys(rec)) if k in strength]
        g = cotangents.get(rec[OUT])
        if not choices or rec[OUT] in strength or g is None:
            continue
        if rec[RUN] is run_item:
            strength[rec[OUT]], came[rec[OUT]] = strength[choices[0]], (index, choices[0])
            continue
        local, incoming = _handed_on(rec, g), _weight(g)
        weights = [strength[k] + _log_gain(_weight(local.get(k)), incoming) for k in choices]
        best = max(range(len(choices)), key=weights.__getitem__)
        strength[rec[OUT]], came[rec[OUT]] = weights[best], (index, choices[best])
    return came


def _log_gain(outgoing: float, incoming: float) -> float:
    """The logarithm of a gain; low and finite for 0, so that paths through it still compare."""
    if not outgoing or not incoming:
        return -1e3
    if math.isinf(outgoing):
        return 0.0 if math.isinf(incoming) else 1e3
    return math.log(outgoing) - (math.log(incoming) if math.isfinite(incoming) else 0.0)


def _count(facts: Facts) -> int:
    """How many paths lead from the source to the targets."""
    ways = {facts.key: 1}
    for rec in facts.recorder.ops:
        total = sum(ways.get(k, 0) for k in input_keys(rec))
        if total and rec[OUT] != facts.key:
            ways[rec[OUT]] = total
    return sum(ways.get(k, 0) for k in facts.target_keys)


def _parts(g: Any) -> list[Any]:
    return [part for part in g if part is not None] if isinstance(g, list | tuple) else [g]


def _norm(g: Any) -> float:
    """The 2-norm of a cotangent, of all parts where an operation has several results."""
    if g is None:
        return 0.0
    with np.errstate(all="ignore"):
        return float(
            math.hypot(*(float(np.linalg.norm(np.ravel(part))) for part in _parts(g))) or 0.0
        )


def _weight(g: Any) -> float:
    norm = _norm(g)
    return math.inf if math.isnan(norm) else norm


# ------------------------------------------------------------------------------ the words


def _step(recorder: Recorder, index: int, key: int, cotangents: dict[int, Any]) -> PathStep:
    rec = recorder.ops[index]
    g = cotangents.get(rec[OUT])
    position = record_position(recorder, index)
    if g is None:
        return PathStep(_name(recorder, rec), position, _shape(rec))
    shape = np.shape(_parts(g)[0]) if not isinstance(g, list) else ()
    local = g if rec[RUN] is run_item else _handed_on(rec, g).get(key)
    incoming, outgoing = _norm(g), _norm(local)
    gain = outgoing / incoming if incoming else math.nan
    note = _note(rec, g, local, gain)
    return PathStep(_name(recorder, rec), position, shape, incoming, outgoing, gain, note)


def _name(recorder: Recorder, rec: list[Any]) -> str:
    if rec[RUN] is run_item:
        return f"result {rec[7]}"
    return name_of(rec)


def _shape(rec: list[Any]) -> tuple[int, ...]:
    """The shape of a result, from what outlives the gradient."""
    if rec[RUN] is run_item:
        return ()
    if type(rec[5]) is tuple:
        try:
            aval = rec[CARD].shape(rec[7], rec[8])
        except Exception:  # a shape rule that needs values
            return ()
        return tuple(getattr(aval, "shape", ()))
    shapes = [s or () for s in (rec[7], rec[8])[: rec[CARD].arity]]
    return () if name_of(rec) == "sum" else np.broadcast_shapes(*shapes)


def _note(rec: list[Any], g: Any, local: Any, gain: float) -> str:
    made = [part for part in _parts(local) if part is not None]
    if not all(np.isfinite(part).all() for part in _parts(g)):
        return ""
    if not all(np.isfinite(part).all() for part in made):
        return "not finite from here on"
    if gain == 0 or not made:
        return "nothing passes"
    if gain < VANISHING:
        return "vanishes"
    return "explodes" if gain > EXPLODING else ""


def _operand_of(rec: list[Any], key: int) -> Any:
    """The value of the operand with this key, where the record keeps it."""
    if rec[RUN] is run_item or len(rec) <= RESIDUALS:
        return None
    keys, operands, _, _ = unpack(rec)
    for k, operand in zip(keys, operands, strict=False):
        if k == key and operand is not None and type(operand) is not Aval:
            return np.asarray(operand)
    return None


def _kept(value: Any) -> Any:
    return np.asarray(value) if isinstance(value, np.ndarray | np.generic) else None


def _extent(value: Any) -> str:
    """The range of an array in words."""
    if value is None or not value.size or value.dtype.kind not in "fiu":
        return ""
    finite = value[np.isfinite(value)]
    if not finite.size:
        return "none of them finite"
    low, high = float(finite.min()), float(finite.max())
    said = f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"
    lost = value.size - finite.size
    return f"{said}, {lost} not finite" if lost else said


def _where(position: Position | None) -> str:
    if position is None:
        return ""
    return f"{position}, `{position.source}`" if position.source else f"{position}"


_OTHER = "it takes the other operand at every element"
_FLAT = {
    **dict.fromkeys(("maximum", "minimum", "fmax", "fmin"), _OTHER),
    "clip": "its operand lies outside the limits at every element",
    "where": "it takes the other branch at every element",
    "relu": "its operand is nowhere above 0",
    "getitem": "none of the elements that it reads gets a cotangent other than 0",
}


def _zero(
    facts: Facts, found: Explanation, path: list[tuple[int, int]], cotangents: dict[int, Any]
) -> Explanation:
    """The path is there, and the gradient is exactly 0."""
    fact = (
        f"gradient: {facts.names[0]} depends on {facts.describe()}, and the gradient is exactly 0."
    )
    recorder = facts.recorder
    for (index, key), step in reversed(list(zip(path, found.steps, strict=True))):
        if not step.incoming or step.outgoing:
            continue
        rec = recorder.ops[index]
        if rec[RUN] is not run_item and input_keys(rec).count(key) > 1:
            where = _where(step.position)
            cause = f"The contributions of both operands of {step.op}, {where}, cancel."
            break
        extent = _extent(_operand_of(rec, key))
        held = f" (its operand holds {extent})" if extent else ""
        why = _FLAT.get(step.op, "its slope is 0 at every element")
        cause = f"{step.op} at {_where(step.position)} passes nothing on: {why}{held}."
        remedy = (
            "Move the values off the flat side (initial values, scale of the inputs), or use a"
            " function with a slope there, such as np.where(x > 0, x, 0.01 * x)."
        )
        at = (step.position,) if step.position else ()
        return replace(found, kind="zero", fact=fact, cause=cause, remedy=remedy, path=at)
    else:
        cause = "Every operation passes a gradient on; the contributions of the paths cancel."
    remedy = "Look at the value at which the gradient is taken: it may be a stationary point."
    return replace(found, kind="zero", fact=fact, cause=cause, remedy=remedy)


_Found = tuple[str, str, tuple[Position, ...]]  # cause, remedy, where
_DATA = "Look for it in the data and the initial values: np.isfinite(x).all()."


def _not_finite(
    facts: Facts, found: Explanation, total: Any, path: list[tuple[int, int]]
) -> Explanation:
    """The path is there, and the gradient holds NaN or infinity."""
    array = np.asarray(total)
    nans, infinite = int(np.isnan(array).sum()), int(np.isinf(array).sum())
    held = " and ".join(
        f"{count} {word}" for count, word in ((nans, "NaN"), (infinite, "infinite")) if count
    )
    of = f" of its {array.size} entries" if array.size > 1 else ""
    fact = (
        f"gradient: {facts.names[0]} depends on {facts.describe()}, and the gradient is not"
        f" finite: {held}{of}."
    )
    cause, remedy, at = _first_forward(facts) or _first_backward(facts, found, path)
    return replace(
        found, kind="not finite", fact=fact, cause=cause, path=at,
        remedy=f"{remedy} gt.check_numerics() stops at the first such value.",
    )  # fmt: skip


def _first_forward(facts: Facts) -> _Found | None:
    """The first operation whose result is not finite though its operands are, as far as kept."""
    recorder = facts.recorder
    for index, rec in enumerate(recorder.ops):
        if rec[RUN] is run_item or rec[OUT] not in facts.reached_from:
            continue
        keys, operands, out, params = unpack(rec)
        kept = [(k, np.asarray(v)) for k, v in zip(keys, operands, strict=False)
                if v is not None and type(v) is not Aval]  # fmt: skip
        values = [value for _, value in kept]
        if any(value.dtype.kind not in "fciub" for value in values):
            continue
        position = record_position(recorder, index)
        at, op, where = (position,) if position else (), rec[CARD].name, _where(position)
        for key, value in kept:
            if not np.isfinite(value).all() and (key == 0 or key in recorder.leaves):
                held = f"it holds {_extent(value)}"
                return f"What enters {op} at {where} is not finite already: {held}.", _DATA, at
        if out is None or type(out) is Aval or isinstance(out, tuple):
            with np.errstate(all="ignore"):
                out = _again(rec, values, params)
        if out is None or np.isfinite(out).all() or not all(np.isfinite(v).all() for v in values):
            continue
        extents = ", ".join(filter(None, map(_extent, values)))
        held = f"operands hold {extents}" if values else f"result holds {_extent(_kept(out))}"
        cause = f"The first value that is not finite is made by {op} at {where}; its {held}."
        return cause, remedy_of(op), at
    return None


def _again(rec: list[Any], values: list[Any], params: dict[str, Any]) -> Any:
    """The result of a pointwise operation, computed again where all its operands are kept."""
    if rec[CARD].kind != "elementwise" or len(values) != rec[CARD].arity:
        return None
    return rec[CARD].impl(*values, **params)


def _first_backward(facts: Facts, found: Explanation, path: list[tuple[int, int]]) -> _Found:
    whole = all(np.isfinite(np.asarray(target.value)).all() for target in facts.targets)
    before = "Forwards all is finite." if whole else "What made the target so was not kept."
    start = np.asarray(facts.source.value)
    if not whole and not np.isfinite(start).all():
        return f"{facts.describe()} is not finite itself: it holds {_extent(start)}.", _DATA, ()
    for (index, key), step in reversed(list(zip(path, found.steps, strict=True))):
        if not step.note.startswith("not finite"):
            continue
        rec = facts.recorder.ops[index]
        extent, what = _extent(_operand_of(rec, key)), "operand"
        if not extent and rec[RUN] is not run_item:
            extent, what = _extent(_kept(unpack(rec)[2])), "result"
        held = f"; its {what} holds {extent}" if extent else ""
        cause = f"{before} The slope of {step.op} at {_where(step.position)} is not"
        return f"{cause}{held}.", remedy_of(step.op), (step.position,) if step.position else ()
    cause = "Contributions of several paths overflow, or cancel as infinity - infinity."
    return cause, remedy_of(""), ()
