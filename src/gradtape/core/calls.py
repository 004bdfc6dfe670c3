"""How the arguments of a call become the parameters of a function, and come back from it."""

from __future__ import annotations

from functools import lru_cache
from inspect import CO_VARARGS, CO_VARKEYWORDS
from types import CodeType
from typing import Any

from .machine import Call, Machine, Root
from .taint import Taint, put, whole


@lru_cache(maxsize=1024)
def parameters_of(code: CodeType) -> tuple[str, ...]:
    """The names of all parameters; those of `*args` and `**kwargs` come last."""
    count = code.co_argcount + code.co_kwonlyargcount
    count += bool(code.co_flags & CO_VARARGS) + bool(code.co_flags & CO_VARKEYWORDS)
    return code.co_varnames[:count]


def is_method(code: CodeType) -> bool:
    """Whether the first parameter is the object, by its name."""
    return code.co_varnames[:1] in (("self",), ("cls",)) and code.co_argcount > 0


def is_inside(inner: CodeType, outer: CodeType) -> bool:
    """Whether `inner` is a function written inside `outer`."""
    return any(
        isinstance(const, CodeType) and (const is inner or is_inside(inner, const))
        for const in outer.co_consts
    )


def bound(call: Call, code: CodeType) -> dict[str, Taint]:
    """The taints of the parameters."""
    parameters = parameters_of(code)
    first = is_method(code)
    given = parameters[first : max(code.co_argcount, first)]
    taints = {p: s.taint for p, s in zip(given, call.positional, strict=False)}
    taints.update({p: slot.taint for p, slot in call.named.items() if p in parameters})
    if first:
        taints[parameters[0]] = call.receiver_taint(code.co_name)
    extra = [slot for name, slot in call.named.items() if name not in parameters]
    extra += [call.callee, *call.positional[len(given) :]]
    # what went into *args, or is a default that was made when the function was
    if call.spread or any(whole(slot.taint) for slot in extra):
        taints.update({p: True for p in parameters[first:] if p not in taints or call.spread})
    return {p: taint for p, taint in taints.items() if taint is not None}


def origins(call: Call, code: CodeType) -> dict[str, Any]:
    """Where the caller has what it passed; "result" for the `self` of a constructor."""
    parameters = parameters_of(code)
    first = is_method(code)
    found = {p: s.origin for p, s in zip(parameters[first:], call.positional, strict=False)}
    found.update({p: slot.origin for p, slot in call.named.items() if p in parameters})
    if first:
        found[parameters[0]] = call.owner(code.co_name)
    return found


def outer_names(
    names: dict[Root, Taint], caller: CodeType, callee: CodeType, same_globals: bool
) -> dict[Root, Taint]:
    """What is tainted of the names that a function has from outside."""
    found: dict[Root, Taint] = {}
    for root, taint in names.items():
        scope, name = root
        if scope == "global":
            if same_globals:
                found[root] = taint
        elif name in callee.co_freevars and (scope == "cell" or is_inside(callee, caller)):
            found["local", name] = taint
        elif scope == "cell":
            found[root] = taint
    return found


def come_back(
    exported: dict[Root, Taint], machine: Machine, passed: dict[str, Any], same_globals: bool
) -> Taint:
    """Taint what a function that returned has written; the taint of an object that it made."""
    made: Taint = None
    code = machine.code
    for root, taint in exported.items():
        scope, name = root
        if scope == "global":
            if same_globals:
                machine.names[root] = taint
        elif scope == "cell":
            is_mine = name in code.co_cellvars or name in code.co_freevars
            machine.names["local" if is_mine else "cell", name] = taint
        else:
            origin = passed.get(name)
            if origin == "result":
                made = taint
            elif origin is not None and origin[0] is not None:
                held = put(machine.names.get(origin[0]), origin[1:], taint)
                machine.names[origin[0]] = held
    return made
