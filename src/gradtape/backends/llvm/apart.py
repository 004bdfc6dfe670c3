"""What of the kernels a module reaches, and what of that goes into another module.

A kernel's text has functions over vectors of every length, of which a module calls one. And the
functions of rare arguments, which are written to be called and hardly ever are, need not be made
beside the loops that call them: there they would be half of what LLVM has to do for a sine. So
they go into the module that is not optimised, which is made meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .pieces import NAMES, declared, functions

__all__ = ["used", "with_seldom"]


def used(
    text: str, outside: Mapping[str, str], defined: Iterable[str], seldom: dict[str, str]
) -> str:
    """The text with what it reaches of `defined`; functions of rare arguments are declared.

    `outside` are declarations and tables by name. `seldom` is told by name what another module
    has to define for this one.
    """
    source = "\n".join(["", *defined, ""]).replace("\ndefine weak_odr", "\ndefine internal")
    bodies = dict(functions(source))
    rare = {name for name, body in bodies.items() if " optnone" in body[: body.index("\n")]}

    def reached(names: list[str], heads: set[str]) -> dict[str, str]:
        parts: dict[str, str] = {}
        while names:
            name = names.pop()
            if name in parts:
                continue
            if name in heads:
                parts[name] = declared(bodies[name])
            elif name in bodies:
                parts[name] = bodies[name]
                names += NAMES.findall(bodies[name])
            elif name in outside:
                parts[name] = outside[name]
        return parts

    parts = reached(NAMES.findall(text), rare)
    called = [name for name in parts if name in rare]
    for name, part in reached(list(called), set()).items():
        if name in called:
            seldom[name] = part.replace("define internal", "define", 1)
        else:
            seldom.setdefault(name, part)
    return "\n".join([text, *parts.values()]) + "\n"


def with_seldom(text: str, seldom: Mapping[str, str]) -> str:
    """A module's text with what others have left to it."""
    for name, body in functions(f"\n{text}\n"):
        if name in seldom:
            text = text.replace(body, "", 1)

    def is_kept(line: str) -> bool:
        found = NAMES.search(line) if line.startswith(("declare", "@")) else None
        return found is None or found[1] not in seldom

    return "\n".join([*filter(is_kept, text.split("\n")), *seldom.values()]) + "\n"
