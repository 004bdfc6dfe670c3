"""Why a gradient is None, partial, or present: warnings and explanations.

`explain` looks at the skeleton of the records, at what left the tape (`core/exits.py`) and at the
`why` that values carry since tracking was lost (`facts.py`), and returns the first reason that
applies (`causes.py`). A `why` is a tuple `(cause, code, lasti, key, detail)`: what happened,
where, and the key of the value whose history ended there.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .. import events
from ..core.aval import INEXACT
from ..core.exits import Return
from ..core.phrases import phrase_of, remedy_for
from ..core.positions import Position, decode, record_position, user_frame
from ..core.state import AVALS, CARD, OUT, Recorder
from ..core.tensor import Tensor
from ..core.tree import flatten
from ..core.variable import Variable
from ..errors import DTypeError, ExitWarning, GradientWarning, three_part
from .causes import REASONS, no_dependence, why_cut
from .facts import SILENCE, Explanation, Facts, returns
from .reach import is_unsupported

__all__ = ["Explanation", "explain"]


# ----------------------------------------------------------------------------- the doors


def warn(message: str, category: type[GradientWarning] = GradientWarning) -> None:
    """Warn at the user's line; the standard filters decide whether it is shown again."""
    frame = user_frame()
    position = decode(frame.f_code, frame.f_lasti)
    assert position is not None
    if events.listeners:
        events.publish(
            "warning", message=message, category=category.__name__, position=position
        )
    warnings.warn_explicit(
        message,
        category,
        position.filename,
        position.line,
        module=frame.f_globals.get("__name__") or "unknown",
        registry=frame.f_globals.setdefault("__warningregistry__", {}),
    )


_logged: set[str] = set()


def log_in_context() -> None:
    """Say once per process that gradients inside a persistent tape's context are recorded."""
    if "in context" not in _logged:
        import logging  # a dozen modules, for what seldom happens

        _logged.add("in context")
        logging.getLogger("gradtape").warning(
            "gradient was called inside the context of a persistent tape: its operations are"
            " recorded too, which costs time and memory and is only needed for second"
            " derivatives. Call it after the `with` block otherwise."
        )


def warn_none(recorder: Recorder, targets: Any, source: Any) -> None:
    """Warn that the gradient of `source` is None, unless the user said that it is meant."""
    found = explain(recorder, targets, source)
    if found.kind in ("connected", "partial"):
        found = _blocked(Facts(recorder, targets, source), found)
    if found.kind not in ("stop_gradient", "meant"):
        warn(recorder.worded(str(found)))


def warn_partial(
    recorder: Recorder, targets: Any, sources: Any, results: Any, silent: bool
) -> None:
    """Warn of gradients that miss a path: a value left and came back, or lost its history."""
    found = [Facts(recorder, targets, s) for s, r in zip(sources, results, strict=True)
             if r is not None]  # fmt: skip
    _tell_partial(found)


def warn_lost(recorder: Recorder, targets: Any, sources: Any, missing: Any) -> None:
    """Warn for `gt.grad` and its kin, where an independent source rightly gives zeros.

    What is told is a path that broke: a value that left, a rule that is missing.
    """
    connected = []
    for i, (source, is_missing) in enumerate(zip(sources, missing, strict=True)):
        name = "the argument" if len(sources) == 1 else f"argument {i}"
        names = ("the result of the function", name)
        if not is_missing:
            connected.append(Facts(recorder, targets, source, names))
            continue
        found = explain(recorder, targets, source, names)
        if found.kind in ("connected", "partial"):
            found = _blocked(Facts(recorder, targets, source, names), found)
        if found.kind not in ("stop_gradient", "meant", "no dependence", "watched after use"):
            meant = "If the break is meant, use gt.stop_gradient(x)."
            remedy = found.remedy.replace(SILENCE, meant)
            told = three_part(found.fact, f"{found.cause} Zeros are returned.", remedy)
            warn(recorder.worded(told))
    _tell_partial(connected)


def _tell_partial(sources: list[Facts]) -> None:
    told: dict[Any, tuple[Return, list[Facts]]] = {}
    for facts in sources:
        if not facts.is_connected:
            continue  # zeros that were asked for
        for back in returns(facts):
            place = back.exit.place
            at = (id(place.code), place.lasti, id(back.code), back.lasti)
            told.setdefault(at, (back, []))[1].append(facts)
    for back, found in told.values():
        names = list(dict.fromkeys(facts.name for facts in found))
        told_of = str(_partial(found[0], back, ", ".join(names)))
        warn(found[0].recorder.worded(told_of), ExitWarning)
    lost: dict[Any, tuple[Any, list[Facts]]] = {}
    for facts in sources:
        for why in facts.cuts if facts.is_connected else ():
            lost.setdefault((why[0], id(why[1]), why[2]), (why, []))[1].append(facts)
    for why, found in lost.values():
        names = list(dict.fromkeys(facts.name for facts in found))
        warn(found[0].recorder.worded(str(_cut(found[0], why, ", ".join(names)))))


def explain(
    recorder: Recorder, target: Any, source: Any, names: tuple[str, str] | None = None
) -> Explanation:
    """The explanation for one source."""
    if not isinstance(source, Tensor):
        return _plain_source(recorder, "source", source)
    leaves = flatten(target)[0]
    plain = [leaf for leaf in leaves if not isinstance(leaf, Tensor)]
    if plain and len(plain) == len(leaves):
        return _plain_target(recorder, "target", plain[0])
    facts = Facts(recorder, target, source, names)
    if any(t is source for t in facts.targets):
        return _connected(facts)
    if facts.is_connected and source.dtype.char in INEXACT:
        return _unsupported(facts) or next(
            (_partial(facts, back, facts.name) for back in returns(facts)), None
        ) or next((_cut(facts, why, facts.name) for why in facts.cuts), None) or _connected(
            facts
        )  # fmt: skip
    for reason in REASONS:
        found = reason(facts)
        if found is not None:
            return found
    return no_dependence(facts)


def plain_target(recorder: Recorder, path: str, leaf: Any) -> DTypeError:
    """The error for a target that is no Tensor."""
    found = _plain_target(recorder, path, leaf)
    return DTypeError(three_part(found.fact, found.cause, found.remedy))


def plain_source(recorder: Recorder, path: str, leaf: Any) -> DTypeError:
    """The error for a source that is no Tensor."""
    found = _plain_source(recorder, path, leaf)
    return DTypeError(three_part(found.fact, found.cause, found.remedy))


# ------------------------------------------------------------------------ there is a path


def _connected(facts: Facts) -> Explanation:
    path: list[Position] = []
    key = next((k for k in facts.target_keys if k in facts.reach), facts.key)
    while key != facts.key:
        index, key = facts.reach[key]
        position = record_position(facts.recorder, index)
        if position is not None and (not path or path[-1] != position):
            path.append(position)
    path.reverse()
    lines = ", ".join(map(str, path[:6])) + (", ..." if len(path) > 6 else "")
    return Explanation(
        "connected",
        True,
        f"gradient: {facts.names[0]} depends on {facts.describe()}.",
        f"One path runs through {lines}." if path else "They are the same value.",
        "The gradient is exact.",
        tuple(path),
    )


def _blocked(facts: Facts, found: Explanation) -> Explanation:
    """There is a path, and its rules gave no derivative (the condition of `np.where`)."""
    where = ", ".join(map(str, found.path[:4]))
    is_inside = any(
        rec[CARD].leads is not None and rec[OUT] in facts.reach and rec[OUT] in facts.reached_from
        for rec in facts.recorder.ops
    )
    return facts.missing(
        "nondifferentiable",
        True,
        f"The compiled function that was called at {where} uses it only for other results, or where"
        " no derivative with respect to it exists: in a comparison, as an index, rounded."
        if is_inside
        else f"It is used only where no derivative with respect to it exists (at {where}), as the"
        " condition of np.where.",
        "Let the values depend on it, not the choice between them.",
        *found.path,
    )


def _unsupported(facts: Facts) -> Explanation | None:
    for index, rec in enumerate(facts.recorder.ops):
        if is_unsupported(rec) and rec[OUT] in facts.reach and rec[OUT] in facts.reached_from:
            position = record_position(facts.recorder, index)
            shapes = ", ".join(map(repr, rec[AVALS]))
            return Explanation(
                "no rule",
                True,
                f"gradient: {rec[CARD].name}({shapes}) has no derivative rule.",
                f"It was called at {position}, on the path from {facts.describe()} to"
                f" {facts.names[0]}.",
                "Write it with NumPy functions that have one, give it a rule with "
                "@gt.custom_gradient, or cut the path with gt.stop_gradient(...).",
                (position,) if position else (),
            )
    return None


def _partial(facts: Facts, back: Return, names: str) -> Explanation:
    left, came = back.exit.place.position, decode(back.code, back.lasti)
    phrase = f"At {left}: {phrase_of(back.exit)}"
    if not back.out_key:
        cause = f"{phrase}; if what was computed from it is in {facts.names[0]}, that path is"
        cause += " not in the gradient."
    elif back.exit.kind == "custom_gradient":
        cause = f"{phrase}; that path is not in the gradient."
    elif back.certain:
        cause = f"{phrase}, and at {came} it came back; that path is not in the gradient."
    elif back.was_followed:
        cause = f"{phrase}, and at {came} a value that was computed from it entered, as far as the"
        cause += " code tells; that path is not in the gradient."
    else:
        cause = f"{phrase}, and at {came} an equal value entered; if it is the same, that path"
        cause += " is not in the gradient."
    may = "is" if back.certain else "may be"
    return Explanation(
        "partial",
        back.certain,
        f"gradient: the gradient of {facts.names[0]} with respect to {names} {may} only a"
        " part of the whole.",
        cause,
        f"{remedy_for(back.exit)} If the value is meant as a constant, take it with"
        " gt.value(...) or gt.stop_gradient(...).",
        tuple(p for p in (left, came if back.out_key else None) if p is not None),
    )


def _cut(facts: Facts, why: Any, names: str) -> Explanation:
    """A part of the target was computed from the source where the tape did not follow it."""
    found = why_cut(facts, why)
    # a Variable keeps its key when it is assigned: what was computed outside may be of an old value
    is_certain = found.kind == "other thread" or not (
        isinstance(facts.source, Variable)
        and why[3] == facts.key
        and why[0] in ("inactive", "gradient")
    )
    made = facts.made_at
    where = f" ({made})" if made is not None else ""
    cause = f"{found.cause} It is in {facts.names[0]}{where}"
    cause += ", and that path is not in the gradient." if is_certain else (
        f"; if {facts.name} was not assigned in between, that path is not in the gradient."
    )  # fmt: skip
    return Explanation(
        "partial",
        is_certain,
        f"gradient: the gradient of {facts.names[0]} with respect to {names}"
        f" {'is' if is_certain else 'may be'} only a part of the whole.",
        cause,
        f"{found.remedy.removesuffix(SILENCE).rstrip()} If the value is meant as a constant, take"
        " it with gt.value(...) or gt.stop_gradient(...).",
        tuple(p for p in (*found.path[:1], made) if p is not None),
    )


# ------------------------------------------------------------------------- plain values


def _plain_target(recorder: Recorder, path: str, leaf: Any) -> Explanation:
    """A target that has no history."""
    fact = f"gradient: {path} is {_kind_of(leaf)}, not a Tensor."
    if isinstance(leaf, str | bytes | bool) or not isinstance(
        leaf, int | float | complex | np.ndarray | np.generic
    ):
        return Explanation(
            "plain target", True, fact, "It is not a number that was computed on the tape.",
            "Pass the Tensor that was computed inside the tape.",
        )  # fmt: skip
    exits = recorder.exits
    if exits is not None:
        entry = exits.scalars.get(id(leaf))
        found = entry[1] if entry is not None else None
        if found is None and isinstance(leaf, np.ndarray):
            root = leaf
            while isinstance(root.base, np.ndarray):
                root = root.base
            known = exits.buffers.get(id(root))
            stored = exits.stores.get(id(root))
            if known is not None and known[0]() is root:
                found = known[1]
            elif stored is not None and stored[0]() is root and stored[1]:
                found = next(reversed(stored[1]))
        certain = found is not None
        if found is None:
            found = next(
                (e for e in reversed(exits.places.values()) if not e.is_shown), None
            )
        if found is not None:
            word = "The" if certain else "Probably the"
            at = found.place.position
            return Explanation(
                "exit",
                certain,
                fact,
                f"A plain value has no history. {word} path ends at {at}: {phrase_of(found)}.",
                remedy_for(found),
                (at,) if at else (),
            )
    dropped = _dropped(recorder, None)
    if dropped is not None:
        at = decode(dropped[2], dropped[3])
        return Explanation(
            "watch result dropped",
            False,
            fact,
            f"An array was watched at {at}, and the Tensor that tape.watch returned was not used;"
            " operations on the array itself are invisible.",
            "Compute inside the tape with what watch returns: x = tape.watch(x).",
            (at,) if at else (),
        )
    return Explanation(
        "plain target", True, fact, "A plain value has no history.",
        "Pass the Tensor that was computed inside the tape.",
    )  # fmt: skip


def _plain_source(recorder: Recorder, path: str, leaf: Any) -> Explanation:
    """A source that no tape can follow."""
    fact = f"gradient: {path} is {_kind_of(leaf)}, not a Tensor or Variable."
    dropped = _dropped(recorder, leaf)
    if dropped is not None:
        at = decode(dropped[2], dropped[3])
        return Explanation(
            "watch result dropped",
            True,
            fact,
            f"The array was watched at {at}, but a plain array cannot be followed itself: watch"
            " returns the Tensor that is.",
            "Compute with what watch returns, and pass that: x = tape.watch(x).",
            (at,) if at else (),
        )
    if isinstance(leaf, list | tuple | dict):  # of gradient each leaf comes here by itself
        return Explanation(
            "plain source", True, fact, "Explained is the way from the target to one source.",
            "Ask for each by itself: for v in variables: print(tape.explain(loss, v)).",
        )  # fmt: skip
    return Explanation(
        "plain source", True, fact, "A plain value cannot be followed.",
        "Pass the Tensor that tape.watch returned: x = tape.watch(x).",
    )  # fmt: skip


def _kind_of(leaf: Any) -> str:
    if isinstance(leaf, np.ndarray):
        return f"a plain ndarray {leaf.dtype}{list(leaf.shape)}"
    return type(leaf).__name__


def _dropped(recorder: Recorder, array: Any) -> Any:
    """The entry of a watched plain array: `array` itself, or any whose Tensor is gone."""
    for entry in recorder.watched_arrays:
        if array is None:
            leaf = recorder.leaves.get(entry[1])
            if type(leaf) is tuple and leaf[0]() is None:
                return entry
        elif entry[0]() is array:
            return entry
    return None
