"""The lines of LLVM's text that `vectors.py` knows, in their parts.

They are the lines that our own emitter writes, in the words in which it writes them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["ADDRESS", "BINARY", "BRANCH", "CALL", "CAST", "LOAD", "NAME", "PHI", "SELECT", "STORE",
           "UNARY", "Unknown", "named", "own", "parsed", "renamed"]  # fmt: skip

NAME = re.compile(r'%(?:"[^"]+"|[\w.]+)')
PHI = re.compile(r'^  (%\S+) = phi i64 \[(\S+), %"[^"]+"\], \[(\S+), %"[^"]+"\]$')
OF_TWO = ("fadd|fsub|fmul|fdiv|frem|add|sub|mul|sdiv|udiv|srem|urem|and|or|xor|shl|ashr|lshr"
           "|icmp|fcmp")  # fmt: skip
CASTS = "fpext|fptrunc|sitofp|uitofp|fptosi|fptoui|sext|zext|trunc|bitcast"
BINARY = re.compile(
    rf"^  (%\S+) = ((?:{OF_TWO})(?: (?:nuw|nsw|exact|reassoc|[a-z]{{2,3}}))?) "
    r"(i\d+|float|double) (\S+), (\S+)$"
)
UNARY = re.compile(r"^  (%\S+) = fneg (float|double) (\S+)$")
SELECT = re.compile(r"^  (%\S+) = select i1 (\S+), (\w+) (\S+), \w+ (\S+)$")
CAST = re.compile(rf"^  (%\S+) = ({CASTS}) (\w+) (\S+) to (\w+)$")
CALL = re.compile(r'^  (%\S+) = call (\w+) @"((?:llvm|gt)\.[\w.]+)"\((.*)\)$')
LOAD = re.compile(r"^  (%\S+) = load (\w+), (?:ptr|\w+\*) (\S+)$")
STORE = re.compile(r"^  store (\w+) (\S+), (?:ptr|\w+\*) (\S+)$")
ADDRESS = re.compile(r"^  (%\S+) = getelementptr (\w+), (?:ptr|\w+\*) (\S+), i64 (\S+)$")
BRANCH = re.compile(
    r'^  br i1 \S+, label %"([^"]+)", label %"([^"]+)"$', re.MULTILINE
)
PATTERNS = {  # by the word of an instruction
    **dict.fromkeys(OF_TWO.split("|"), BINARY), **dict.fromkeys(CASTS.split("|"), CAST),
    "fneg": UNARY, "select": SELECT, "call": CALL, "load": LOAD, "store": STORE,
    "getelementptr": ADDRESS,
}  # fmt: skip


class Unknown(Exception):
    """The block has something that is not known here."""


def parsed(line: str) -> re.Match[str]:
    """An instruction in its parts; the pattern says which they are."""
    word = line.rpartition(" = ")[2].split(maxsplit=1)[0]
    pattern = PATTERNS.get(word)
    found = None if pattern is None else pattern.match(line)
    if found is None:
        raise Unknown
    return found


def own(line: str) -> str:
    """The name that a line defines; "" if it defines none."""
    name, equals, _ = line.partition(" = ")
    return name.strip() if equals else ""


def named(name: str, suffix: str) -> str:
    """Another name, made of a name."""
    return f'{name[:-1]}.{suffix}"' if name.endswith('"') else f"{name}.{suffix}"


def renamed(line: str, names: Mapping[str, str]) -> str:
    """A line in which other names, or numbers, stand for these."""
    return NAME.sub(lambda m: names.get(m[0], m[0]), line)
