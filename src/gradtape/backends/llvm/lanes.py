"""Loops over vectors, written from the text of loops over single elements.

The emitter writes the code of one element. Where the elements of a loop do not depend on each
other, it says so by the name of the block, and this makes the code of a vector of them, with a mask
for the elements behind the end, so that there is one copy of the mathematics: LLVM's vectoriser
would write three (vectors, half vectors, single elements), take as long for each as this takes for
one, and needs a pipeline of passes around it. A block with something that is not known here stays
as it is, and LLVM's vectoriser finds it. Masks are an instruction's own only in AVX-512.

`vectors.py` has the loop in the making, `reading.py` knows the lines, `cuts.py` cuts loops over
known numbers of elements, and `guards.py` leaves guards out.
"""

from __future__ import annotations

import re

from .cuts import with_suffix
from .reading import BRANCH, Unknown
from .vectors import How, Loop, Text

__all__ = ["BOUND", "FREE", "WHOLE", "over_vectors"]

# Names of blocks: of a loop whose turns do not depend on each other, and of one whose turns wait
# for each other. Of another ("loop") nothing is known. Where what is behind the end of the first
# kind up to a whole vector may be computed, read and written too, it is a third one.
FREE, BOUND, WHOLE = "lanes", "steps", "whole"

_BLOCK = re.compile(rf"\n(({FREE}|{WHOLE}|loop)[.\d]*):\n((?:  .*\n)*  .*)")
_DEFINE = re.compile(r'define [^\n]*?@"?([-+\w.$]+)"?\(')


def over_vectors(text: str, width: int, only_sums: bool = False) -> tuple[str, set[str]]:
    """`text` with vectors of `width` bits in its loops, and the functions with one left to LLVM.

    With `only_sums`, no others than those whose vectors say in which order numbers are added: the
    rest has the same bits over single elements.
    """
    made = Text()
    left: set[str] = set()
    parts: list[str] = []
    done = 0
    for found in _BLOCK.finditer(text):
        block, label, kind, body = found[0], found[1], found[2], found[3]
        if only_sums and " reassoc " not in body:
            continue
        function = _DEFINE.match(text, text.rfind("\ndefine ", 0, found.start()) + 1)
        assert function is not None
        try:
            if kind != "loop":
                head = text[function.start() : found.start()]
                is_hot, is_short = '"gt.work"="most"' in head, '"gt.work"="little"' in head
                how = How(width, is_hot, is_short, kind == WHOLE)
                block = "\n".join(["", *_in_cuts(made, label, body.split("\n"), how)])
            elif (branch := BRANCH.search(block)) and branch[1] == label:
                left.add(function[1])  # its turns are one block of which nothing is known
        except Unknown:
            left.add(function[1])
        parts += [text[done : found.start()], block]
        done = found.end()
    parts += [text[done:].rstrip("\n"), "\n", *(f"{line}\n" for line in made.declarations.values())]
    return "".join(parts), left


def _in_cuts(made: Text, label: str, block: list[str], how: How) -> list[str]:
    """The text of a loop, or of the pieces into which it is cut."""
    whole = Loop(made, label, block, how)
    cuts = whole.cuts()
    lines: list[str] = []
    for n, cut in enumerate(cuts):
        part = Loop(made, label, with_suffix(block, str(n)) if n else block, how)
        after = f"{label}.cut{n + 1}" if n + 1 < len(cuts) else ""
        part.cut(cut, f"{label}.cut{n}" if n else label, after)
        lines += part.lines()
    return lines or whole.lines()
