"""Why there is no path: one rule per reason, from what is certain to what is only possible.

Each rule takes the Facts and returns an Explanation, or None where it does not apply. `REASONS`
is their order.
"""

from __future__ import annotations

import ast
import contextlib
import dis
from typing import Any

from ..core import places
from ..core.aval import INEXACT
from ..core.phrases import phrase_of, remedy_for, remedy_of
from ..core.positions import Position, decode, record_position
from ..core.registry import CARDS
from ..core.state import OUT
from ..core.variable import Variable
from .facts import Explanation, Facts, returns
from .reach import backward_reach, flatten_why, stopped_in

# --------------------------------------------------------------------- why there is none


def _of_type(facts: Facts) -> Explanation | None:
    source = facts.source
    if source.dtype.char in INEXACT:
        return None
    late = facts.recorder.late.get(facts.key)
    at = decode(late[1], late[2]) if late is not None else None
    where = f" It was watched at {at}." if at is not None else ""
    return facts.missing(
        "integer dtype",
        True,
        f"{facts.name} is {source.dtype}: only floating and complex values have a gradient.{where}",
        "Write gt.Variable(0.0), or convert before it is watched: x = tape.watch(x.astype(float)).",
        at,
    )


def _by_why(facts: Facts) -> Explanation | None:
    """A target carries the place where the history of the source ended."""
    for why in facts.whys:
        rule = _WHYS.get(why[0])
        found = rule(facts, why, decode(why[1], why[2])) if rule is not None else None
        if found is not None:
            return found
    return None


def _why_stopped(facts: Facts, why: Any, at: Position | None) -> Explanation:
    return facts.missing(
        "recording stopped",
        True,
        f"At {at} the value was computed while recording was stopped (tape.stop_recording()).",
        "Move that line out of the `with tape.stop_recording():` block.",
        at,
    )


def _why_inactive(facts: Facts, why: Any, at: Position | None) -> Explanation:
    if why[4] != facts.recorder.thread and facts.key in facts.recorder.tracked | {facts.key}:
        return facts.missing(
            "other thread",
            True,
            f"At {at} the value was computed in another thread; a tape records the thread that"
            " entered it.",
            "Compute there what the gradient needs, or enter a tape of its own in that thread:"
            " with gt.GradientTape() as tape: ...",
            at,
        )
    return facts.missing(
        "tape not active",
        True,
        f"At {at} the value was computed outside the tape's `with` block.",
        "Move that line into the block: with gt.GradientTape() as tape: ...",
        at,
    )


def _why_unwatched(facts: Facts, why: Any, at: Position | None) -> Explanation | None:
    """A tape was active and did not follow the source: the source itself tells why."""
    found = _unwatched(facts)
    if found is not None:
        return found
    leaf = facts.recorder.leaves.get(facts.key)
    if leaf is None and why[3] == facts.key:
        return None
    auto = isinstance(leaf, Variable) and facts.recorder.auto_watch and leaf.auto
    if auto or why[3] != facts.key:
        return _why_inactive(facts, (*why[:4], facts.recorder.thread), at)
    watched = f" (at {decode(leaf[3], leaf[4])})" if type(leaf) is tuple else ""
    return facts.missing(
        "watched after use",
        True,
        f"{facts.name} was used at {at}, before this tape watched it{watched}.",
        "Watch it first: x = tape.watch(x) above the line that uses it.",
        at,
        decode(leaf[3], leaf[4]) if type(leaf) is tuple else None,
    )


def _why_integer(facts: Facts, why: Any, at: Position | None) -> Explanation:
    return facts.missing(
        "integer dtype",
        True,
        f"At {at} the value became an integer ({why[4]}); integers and booleans have no gradient.",
        "Keep it floating: leave out astype(int), or round only what is shown.",
        at,
    )


def _why_nondifferentiable(facts: Facts, why: Any, at: Position | None) -> Explanation:
    reason = getattr(CARDS.get(why[4]), "reason", "")
    return facts.missing(
        "nondifferentiable",
        True,
        f"The path ends at {at}: {why[4]} has no derivative. {reason}".rstrip(),
        "Use a smooth function in its place (np.where on the values, not the comparison), or give"
        " it a rule with @gt.custom_gradient.",
        at,
    )


def _why_no_rule(facts: Facts, why: Any, at: Position | None) -> Explanation:
    return facts.missing(
        "no rule",
        True,
        f"The path ends at {at}: {why[4]} has no derivative rule.",
        "Write it with NumPy functions that have one, or give it a rule with @gt.custom_gradient.",
        at,
    )


def _why_objects(facts: Facts, why: Any, at: Position | None) -> Explanation:
    found = facts.missing(
        "exit",
        True,
        f"The path ends at {at}: np.frompyfunc calls {why[4]} with plain numbers.",
        remedy_of("numpy.frompyfunc"),
        at,
    )
    return found


def _why_gradient(facts: Facts, why: Any, at: Position | None) -> Explanation:
    return facts.missing(
        "gradient taken outside",
        True,
        f"At {at} a gradient was taken while no tape was recording, so it has no history.",
        "Take the inner gradient inside the outer tape's block: with outer: with inner: ...;"
        " g = inner.gradient(y, x).",
        at,
    )


def _why_stop_gradient(facts: Facts, why: Any, at: Position | None) -> Explanation:
    return facts.missing(
        "stop_gradient", True, f"At {at} gt.stop_gradient cut the path.", "Leave it out.", at
    )


def _by_program(facts: Facts) -> Explanation | None:
    """A compiled function cuts the path inside."""
    for index, rec in enumerate(facts.recorder.ops):
        if rec[OUT] in facts.reached_from and any(k in facts.reach for k in stopped_in(rec)):
            at = record_position(facts.recorder, index)
            return facts.missing(
                "stop_gradient",
                True,
                f"The compiled function that was called at {at} cuts the path by gt.stop_gradient.",
                "Leave it out.",
                at,
            )
    return None


_WHYS = {
    "stopped": _why_stopped,
    "inactive": _why_inactive,
    "unwatched": _why_unwatched,
    "integer": _why_integer,
    "nondifferentiable": _why_nondifferentiable,
    "no card": _why_no_rule,
    "objects": _why_objects,
    "gradient": _why_gradient,
    "stop_gradient": _why_stop_gradient,
}


def why_cut(facts: Facts, why: Any) -> Explanation:
    """What is known of one cause by which a part of the target lost its history."""
    found: Explanation | None = _WHYS[why[0]](facts, why, decode(why[1], why[2]))
    assert found is not None  # it is only None for a source that the tape does not follow
    return found


def _by_return(facts: Facts) -> Explanation | None:
    for back in returns(facts):
        if back.out_key and back.certain:
            left, came = back.exit.place.position, decode(back.code, back.lasti)
            cause = f"The path ends at {left}: {phrase_of(back.exit)}"
            cause += "." if back.exit.kind == "custom_gradient" else f" (used at {came})."
            return facts.missing("exit", True, cause, remedy_for(back.exit), left, came)
    return None


def _unwatched(facts: Facts) -> Explanation | None:
    """The tape does not follow the source."""
    recorder, source, key = facts.recorder, facts.source, facts.key
    if key in recorder.tracked:
        return None
    forgotten = recorder.late.get(0)
    if isinstance(source, Variable):
        if not source.trainable:
            return facts.missing(
                "not trainable",
                True,
                f"{facts.name} was made with trainable=False, which tapes do not watch by"
                " themselves.",
                "Watch it, tape.watch(v), or make it trainable.",
            )
        if not recorder.auto_watch:
            return facts.missing(
                "automatic watching off",
                True,
                "The tape was made with watch_accessed_variables=False and does not watch"
                f" {facts.name}.",
                "Watch it in the tape: tape.watch(v).",
            )
        if forgotten is None:
            return None
    if forgotten is not None and (key and key < forgotten[3]):
        at = decode(forgotten[1], forgotten[2])
        return facts.missing(
            "reset",
            True,
            f"{forgotten[4]} at {at} forgot what was recorded and watched before.",
            "Compute again after it, and watch again: x = tape.watch(x).",
            at,
        )
    if isinstance(source, Variable):
        return None
    for why in flatten_why(source.why):
        at = decode(why[1], why[2])
        if why[0] in ("inactive", "unwatched", "stopped"):
            if places.is_rebinding(at):
                return facts.missing(
                    "rebound",
                    True,
                    f"At {at} the name was bound to a new, plain Tensor"
                    f" ({at.source if at else ''}), which no tape watches.",
                    "Update in place, w -= step or w.assign(...), or watch the new value:"
                    " x = tape.watch(x).",
                    at,
                )
            return facts.missing(
                "never watched",
                True,
                f"{facts.name} was computed at {at}, where this tape did not follow it, and was"
                " not watched afterwards.",
                "Watch it before it is used: x = tape.watch(x).",
                at,
            )
    return facts.missing(
        "never watched",
        True,
        f"{facts.name} was never watched by this tape.",
        "Watch it before it is used, x = tape.watch(x), or make it a gt.Variable.",
    )


def _by_assignment(facts: Facts) -> Explanation | None:
    """A Variable that the target reads holds a value that was computed from the source."""
    for leaf in facts.recorder.leaves.values():
        why = leaf.why if isinstance(leaf, Variable) else None
        if why is not None and why[0] == "assigned" and why[3] in facts.reach:
            if leaf.key not in facts.reached_from:
                continue
            at = decode(why[1], why[2])
            return facts.missing(
                "assigned",
                True,
                f"At {at} {why[4]} put the value into Variable {leaf.name!r}; what is assigned is"
                " not connected to what it was computed from.",
                "Use the value itself in place of the Variable.",
                at,
            )
    return None


def _by_reset(facts: Facts) -> Explanation | None:
    """The target was computed before the tape forgot."""
    forgotten = facts.recorder.late.get(0)
    if forgotten is None:
        return None
    if any(0 < key < forgotten[3] and key not in facts.recorder.tracked
           for key in facts.target_keys):  # fmt: skip
        at = decode(forgotten[1], forgotten[2])
        return facts.missing(
            "reset",
            True,
            f"{facts.names[0]} was computed before {forgotten[4]} at {at}, which forgot it.",
            "Compute the target after it.",
            at,
        )
    return None


def _by_rebinding(facts: Facts) -> Explanation | None:
    """The source was made from a value that the target depends on (`x = x + 1` after use)."""
    index = next((i for i, r in enumerate(facts.recorder.ops) if r[OUT] == facts.key), None)
    if index is None:
        return None
    origin = backward_reach(facts.recorder, {facts.key}) & facts.recorder.leaves.keys()
    at = record_position(facts.recorder, index)
    if not origin & facts.reached_from or at is None or not _rebinds(at, facts.name):
        return None
    return facts.missing(
        "rebound",
        True,
        f"{facts.name} is now the value made at {at} ({at.source if at else ''});"
        f" {facts.names[0]} was computed from the earlier one.",
        "Give the new value a name of its own, and ask for the gradient of the earlier one.",
        at,
    )


def _rebinds(at: Position, name: str) -> bool:
    """Whether a statement on that line makes a name from its own old value (`x = x + 1`).

    Where the line makes `name`, it has to be that one: the line may have several statements.
    """
    found = []
    bound: set[str] = set()  # on this line
    with contextlib.suppress(SyntaxError, ValueError):
        for node in ast.walk(ast.parse(at.source)):
            if not isinstance(node, ast.Assign | ast.AugAssign):
                continue
            goals = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = {n.id for goal in goals for n in ast.walk(goal) if isinstance(n, ast.Name)}
            bound |= names
            used = {n.id for n in ast.walk(node.value) if isinstance(n, ast.Name)}
            if isinstance(node, ast.AugAssign) or names & used:
                found.append(names)
    return any(name in names for names in found) if name in bound else bool(found)


def _by_age(facts: Facts) -> Explanation | None:
    """A Variable that was made after the target (a notebook cell that was run again)."""
    source, target = facts.source, facts.names[0]
    if not isinstance(source, Variable) or len(facts.target_keys) < len(facts.targets):
        return None
    if facts.key in facts.reached_from or any(key > facts.key for key in facts.target_keys):
        return None
    at = decode(*source.position)
    cause = f"{facts.name} was made at {at} and is newer than {target}"
    earlier = _earlier(facts, source)
    if earlier is None:
        return facts.missing(
            "no dependence", True, f"{cause}.",
            f"Make it first, and compute {target} with it.", at,
        )  # fmt: skip
    before = decode(*earlier.position)
    return facts.missing(
        "rebound",
        True,
        f"{cause}, which was computed from an earlier Variable of that name (made at {before}).",
        "Run the tape again with the new one, or change the values in place: v.assign(...).",
        at,
        before,
    )


def _earlier(facts: Facts, source: Variable) -> Variable | None:
    """The Variable that the target reads and that had the name of `source` before."""
    by_default = source.name.startswith("Variable:")
    name = _bound_name(*source.position)
    for leaf in facts.recorder.leaves.values():
        if not isinstance(leaf, Variable) or leaf.key not in facts.reached_from:
            continue
        if source.name == leaf.name and not by_default:
            return leaf
        if name and name == _bound_name(*leaf.position):
            return leaf
    return None


def _bound_name(code: Any, lasti: int) -> str:
    """The name that the result of the call at an instruction is bound to; empty if it is not.

    Read from the bytecode: the source of a cell may be gone.
    """
    later = (ins for ins in dis.get_instructions(code) if ins.offset > lasti)
    ins = next((ins for ins in later if ins.opname != "CACHE"), None)
    if ins is None or not ins.opname.startswith(_BINDS):
        return ""
    return str(ins.argval[0] if isinstance(ins.argval, tuple) else ins.argval)


_BINDS = ("STORE_NAME", "STORE_FAST", "STORE_GLOBAL", "STORE_DEREF")


def _by_exit(facts: Facts) -> Explanation | None:
    """Something that depends on the source left; nothing shows that it came back."""
    found = list(facts.exits())
    if not found:
        return None
    back = next((b.exit for b in returns(facts) if b.exit in found), None)
    left = back or found[-1]
    at = left.place.position
    more = f" (and {len(found) - 1} more places)" if len(found) > 1 else ""
    return facts.missing(
        "exit",
        False,
        f"The path probably ends at {at}: {phrase_of(left)}{more}.",
        remedy_for(left),
        at,
        *(item.place.position for item in reversed(found) if item is not left),
    )


def _by_meaning(facts: Facts) -> Explanation | None:
    exits = facts.recorder.exits
    if exits is None or not any(k in facts.reach for k in list(exits.meant)):
        return None
    return facts.missing("meant", False, "gt.value took the value out.", "Leave gt.value out.")


def _by_late_watch(facts: Facts) -> Explanation | None:
    """Watched, and nothing that was recorded since used it."""
    leaf = facts.recorder.leaves.get(facts.key)
    if type(leaf) is not tuple or len(facts.reach) > 1:
        return None
    before = bool(facts.target_keys) and all(key < leaf[5] for key in facts.target_keys)
    if not before and len(facts.target_keys) == len(facts.targets):
        return None
    at = decode(leaf[3], leaf[4])
    return facts.missing(
        "watched after use",
        before,
        f"{facts.name} was watched at {at}, and no operation that was recorded after that uses it.",
        "Watch it first, and compute with what watch returns: x = tape.watch(x).",
        at,
    )


def no_dependence(facts: Facts) -> Explanation:
    """Nothing broke: the target was computed without the source."""
    name, target = facts.name, facts.names[0]
    exits = facts.recorder.exits
    certain = all(len(flatten_why(t.why)) < 8 for t in facts.targets) and exits is None
    shown = len(facts.reach) - 1
    if shown > 0:
        plural = "s" if shown > 1 else ""
        cause = f"{name} was used in {shown} recorded operation{plural}, but {target} needs none."
    else:
        cause = f"No recorded operation uses {name}."
    return facts.missing(
        "no dependence",
        certain,
        cause,
        f"Look whether {target} is meant to be computed from {name}.",
    )


REASONS = (
    _of_type,
    _by_age,
    _by_why,
    _by_return,
    _by_program,
    _unwatched,
    _by_reset,
    _by_assignment,
    _by_rebinding,
    _by_meaning,
    _by_exit,
    _by_late_watch,
)


