"""Where what left a tape may enter it again, after computing that no tape can see.

`follow` is called at an exit: it finds out where the result can go, in the user's frame and, if it
is returned, in those that called it (`flow.py`). `may_arrive` is called where constants enter a
record: it looks whether one of them can be what left, by the instructions at which the frames
stand. Nothing here is certain; each is a *possible* return.

Frames are known by their id and their code. No frame is kept, and a frame of another call that has
the same id and the same code goes the same ways.
"""

from __future__ import annotations

import sys
from itertools import takewhile
from types import CodeType, FrameType
from typing import Any, NamedTuple

import numpy as np

from . import places
from .flow import Flow, leaving
from .machine import Slot
from .positions import is_internal
from .scope import Scope
from .taint import Taint, is_attribute, item, subscript, whole

MOST_FRAMES = 256
_MOST_FRONTS = 32  # in one frame
_MOST_UP = 32  # user's frames between an exit, or a record, and the outermost that is looked at
_CLEAN_KINDS = frozenset(["int", "round"])

ndarray = np.ndarray


class Front(NamedTuple):
    """What left at `exit`, in a frame of `code`."""

    code: CodeType
    flow: Flow
    exit: Any


class _Level(NamedTuple):
    """A user's frame above a record."""

    frame: FrameType
    is_direct: bool  # no library's frame between this one and the next


def follow(fronts: dict[int, dict[Any, Front]], found: Any, frame: FrameType) -> bool:
    """Note where what leaves at `frame` can go; False if that could not be found out."""
    if found.kind in _CLEAN_KINDS or found.is_shown:
        return True
    code = frame.f_code
    flow = leaving(code, places.index_of(code, frame.f_lasti), Scope.of_frame(frame))
    for _ in range(_MOST_UP):
        if flow.is_given_up:
            return False
        if flow.before:
            _note(fronts, frame, Front(code, flow, found))
        if flow.returned is None and not flow.exported:
            break
        above = _user_frame_above(frame)
        if above is None:
            break
        upper = above.frame
        same = upper.f_globals is frame.f_globals
        index = places.index_of(upper.f_code, upper.f_lasti)
        scope = Scope.of_frame(upper)
        flow = flow.into_caller(upper.f_code, index, scope, above.is_direct, same)
        frame, code = upper, upper.f_code
    return True


def _note(fronts: dict[int, dict[Any, Front]], frame: FrameType, front: Front) -> None:
    here = fronts.get(id(frame))
    if here is None:
        if len(fronts) >= MOST_FRAMES:
            del fronts[next(iter(fronts))]
        here = fronts[id(frame)] = {}
    at = id(front.flow), id(front.exit)
    if at not in here and len(here) >= _MOST_FRONTS:
        del here[next(iter(here))]
    here[at] = front


def _user_frame_above(frame: FrameType) -> _Level | None:
    above, is_direct = frame.f_back, True
    while above is not None and not _is_users(above.f_code):
        above, is_direct = above.f_back, False
    return None if above is None else _Level(above, is_direct)


def _is_users(code: CodeType) -> bool:
    return not is_internal(code) and not places.is_library(code.co_filename)


# ------------------------------------------------------------------------------ at a record


def may_arrive(
    fronts: dict[int, dict[Any, Front]], tracked: set[int], operands: Any
) -> list[tuple[Any, CodeType, int]]:
    """(exit, code, lasti) of each value that may have left and entered with these operands."""
    if not any(_carries(x, True, tracked, ()) for x in operands):
        return []
    inner, frame = _entry(sys._getframe(2))
    if frame is None:
        return []
    levels = _levels(frame)
    if not levels:
        return []
    if levels[0].frame is not frame:
        inner = None  # a library's function computes with Tensors
    lowest = levels[0].frame
    found = []
    for depth, level in enumerate(levels):
        for front in tuple(fronts.get(id(level.frame), {}).values()):
            if front.code is not level.frame.f_code:
                continue
            flow = _down(front.flow, levels, depth)
            if flow is None:
                continue
            sink = flow.sink(places.index_of(lowest.f_code, lowest.f_lasti))
            if sink is not None and _takes(
                sink, operands, lowest, inner, tracked, _literals(levels)
            ):
                found.append((front.exit, lowest.f_code, lowest.f_lasti))
    return found


def _entry(frame: FrameType | None) -> tuple[FrameType | None, FrameType | None]:
    """The outermost of our frames at a record, and the frame that called it."""
    inner = None
    while frame is not None and is_internal(frame.f_code):
        inner, frame = frame, frame.f_back
    return inner, frame


def _levels(frame: FrameType) -> list[_Level]:
    """The user's frames from a record upwards."""
    levels: list[_Level] = []
    level = _Level(frame, True) if _is_users(frame.f_code) else _user_frame_above(frame)
    while level is not None and len(levels) < _MOST_UP:
        levels.append(level)
        level = _user_frame_above(level.frame)
    return levels


def _down(flow: Flow | None, levels: list[_Level], depth: int) -> Flow | None:
    """What a flow in frame `depth` makes of the frame at the record."""
    for i in range(depth, 0, -1):
        upper, lower = levels[i].frame, levels[i - 1].frame
        assert flow is not None
        flow = flow.into_callee(
            places.index_of(upper.f_code, upper.f_lasti),
            lower.f_code,
            Scope.of_frame(lower),
            levels[i].is_direct,
            upper.f_globals is lower.f_globals,
        )
        if flow is None:
            return None
    return flow


def _literals(levels: list[_Level]) -> list[Any]:
    """The numbers that are written in the user's functions: the very objects."""
    consts = (const for level in levels for const in level.frame.f_code.co_consts)
    return [const for const in consts if isinstance(const, float | complex)]


def _takes(
    sink: Any, operands: Any, frame: FrameType, inner: FrameType | None, tracked: set[int],
    literals: Any,
) -> bool:  # fmt: skip
    """Whether what is tainted at an instruction is a plain number now."""
    kind, *taints = sink
    if kind == "value":
        return any(_carries(x, taints[0], tracked, literals) for x in operands)
    if kind == "operands":
        return _takes_operand(taints[0], operands, frame, tracked, literals)
    positional, named, spread = taints
    if spread:
        return True
    given, by_name = _arguments(inner)
    for i, taint in enumerate(positional):
        if whole(taint) and (i >= len(given) or _carries(given[i], taint, tracked, literals)):
            return True
    return any(
        whole(taint) and (name not in by_name or _carries(by_name[name], taint, tracked, literals))
        for name, taint in named.items()
    )


def _takes_operand(
    slots: Any, operands: Any, frame: FrameType, tracked: set[int], literals: Any
) -> bool:
    """Whether a tainted operand of an operator is plain.

    `2.0 * x` and `x * 2.0` arrive alike, so it is looked up which of the two a name stands for.
    """
    if len(operands) != 2:
        return True
    for i, x in enumerate(operands):
        if not _carries(x, True, tracked, literals):
            continue
        if i == 1 and hasattr(operands[0], "key"):
            if _is_tensor(frame, slots[0]) or _is_plain(frame, slots[1]):
                sides = slots[1:]
            elif _is_plain(frame, slots[0]) or _is_tensor(frame, slots[1]):
                sides = slots[:1]
            else:
                sides = slots
        else:
            sides = slots[i : i + 1]
        if any(_carries(x, slot.taint, tracked, literals) for slot in sides):
            return True
    return False


def _named(frame: FrameType, slot: Slot) -> Any:
    """What the name stands for that a slot was loaded from, or the object of which it is a part."""
    origin = slot.origin
    if not origin or origin[0] is None:
        return None
    attributes = takewhile(is_attribute, origin[1:])
    (scope, root), names = origin[0], [key[1:] for key in attributes]
    return places.resolve(frame, (scope, root, *names))[1]


def _is_tensor(frame: FrameType, slot: Slot) -> bool:
    return hasattr(_named(frame, slot), "why")


def _is_plain(frame: FrameType, slot: Slot) -> bool:
    if slot.const is not None:
        return True
    return isinstance(_named(frame, slot), float | complex | np.generic | ndarray)


def _arguments(inner: FrameType | None) -> tuple[Any, dict[str, Any]]:
    """What the function that the user called was given, by position and by name."""
    if inner is None:
        return (), {}
    code = inner.f_code
    values = places.locals_of(inner)
    if code.co_name == "__array_function__":
        return values["args"], values["kwargs"]
    if code.co_name == "__array_ufunc__":
        return values["inputs"], values["kwargs"]
    names = code.co_varnames[: code.co_argcount]
    positional = [values.get(name) for name in names if name not in ("self", "cls")]
    count = code.co_argcount + code.co_kwonlyargcount
    if code.co_flags & 0x04:
        positional += values.get(code.co_varnames[count], ())
        count += 1
    if code.co_flags & 0x08:
        values = values | values.get(code.co_varnames[count], {})
    return positional, values


def _carries(x: Any, taint: Taint, tracked: set[int], literals: Any) -> bool:
    """Whether `x` is, where it is tainted, a plain value that a derivative may be missing from."""
    if not whole(taint):
        return False
    if isinstance(x, list | tuple):
        parts = ((part, item(taint, subscript((i,)))) for i, part in enumerate(x))
        return any(_carries(part, tainted, tracked, literals) for part, tainted in parts)
    if hasattr(x, "key") and hasattr(x, "why"):  # a Tensor: one that is not followed may hold it
        if x.key in tracked or hasattr(x, "trainable") or _is_explained(x.why, tracked):
            return False
        x = x.value
    if isinstance(x, float | complex):
        return not any(x is literal for literal in literals)
    kind = getattr(getattr(x, "dtype", None), "kind", "")
    if kind in ("f", "c", "O"):
        return True
    dtypes = getattr(x, "dtypes", None)  # a table
    return dtypes is not None and any(getattr(d, "kind", "") in "fcO" for d in dtypes)


def _is_explained(why: Any, tracked: set[int]) -> bool:
    """Whether a Tensor itself says how it lost a history that this tape has."""
    if why is None:
        return False
    return any(cause[3] in tracked for cause in (why[4] if why[0] == "several" else (why,)))
