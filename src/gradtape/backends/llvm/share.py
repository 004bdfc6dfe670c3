"""Loops of the same code are one function; many loops are not one function.

A program unrolled by Python (steps of a solver, places of a filter) has the same loop over and
over, on other buffers. A loop's body takes its buffers as arguments, so that such bodies have the
same text, and LLVM compiles one. And where a kernel has many loops, their bodies stay functions:
what LLVM takes for one function grows faster than the function, and `noalias` arguments of inlined
calls become metadata that grows with the square of their number.
"""

from __future__ import annotations

import re
from collections import Counter

__all__ = ["share"]

MANY = 8  # bodies from which on none is inlined; a call takes as long as a few elements

_LOOP = re.compile(r", !llvm\.loop !\d+")  # each loop has a name of its own, that says the same
_BODY = re.compile(r'@"([\w.]+\.body)"')


def share(lines: list[str], instead: dict[str, str] | None = None) -> list[str]:
    """The lines of a module in which bodies of the same text are one.

    `instead` is told by name which body stands for each.
    """
    kept: list[str] = []
    first: dict[str, str] = {}  # by text: the name of the first body that has it
    same: dict[str, str] = {}
    i = 0
    while i < len(lines):
        found = _BODY.search(lines[i]) if lines[i].startswith("define ") else None
        if found is None:
            kept.append(lines[i])
            i += 1
            continue
        end = lines.index("}", i)
        name = found[1]
        text = "\n".join([lines[i].replace(name, ""), *lines[i + 1 : end]])
        text = _LOOP.sub("", text)
        same[name] = first.setdefault(text, name)
        if same[name] == name:
            kept += lines[i : end + 1]
        i = end + 1
    uses = Counter(same.values())
    if instead is not None:
        instead.update(same)
    apart = {name for name, count in uses.items() if count > 1 or len(uses) > MANY}
    return [_named(line, same, apart) if '.body"' in line else line for line in kept]


def _named(line: str, same: dict[str, str], apart: set[str]) -> str:
    """A line that defines or calls a body, by the name that it has now."""
    found = _BODY.search(line)
    if found is None or found[1] not in same:
        return line
    name = same[found[1]]
    if line.startswith("define ") and name in apart:
        return f"{line} noinline"
    return line.replace(f'@"{found[1]}"', f'@"{name}"')
