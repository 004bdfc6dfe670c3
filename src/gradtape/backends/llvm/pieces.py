"""A module's text cut into modules: by the passes that its functions take, and by their length.

LLVM makes code of several modules at a time (`making.py`), and what does little of the work need
not be optimised. A module takes a millisecond besides what its functions take, so there are no more
of a kind than threads that make them; a function's code is the same in whichever it is.
"""

from __future__ import annotations

import re

__all__ = ["NAMES", "declared", "functions", "is_cold", "is_whole", "kinds", "pieces"]

MOST = 4  # modules of one kind that a text is cut into
# Characters of functions that are not worth a further module, by the passes that it takes.
SHORT = {"none": 16_000, "few": 9_000, "later": 9_000}
_LITTLE, _LONG = '"gt.work"="little"', '"gt.run"="long"'
NAMES = re.compile(r'@"?([-+\w.$]+)"?')


def functions(text: str) -> list[tuple[str, str]]:
    """The functions of a module, by name."""
    found, end = [], 0
    while (start := text.find("\ndefine ", end)) >= 0:
        end = text.index("\n}\n", start) + 2
        body = text[start + 1 : end + 1]
        name = NAMES.search(body)
        assert name is not None
        found.append((name[1], body))
    return found


def _outside(text: str) -> str:
    """A module's text without its functions."""
    kept, begin, end = [], 0, 0
    while (start := text.find("\ndefine ", end)) >= 0:
        kept.append(text[begin : start + 1])
        end = text.index("\n}\n", start) + 2
        begin = end + 1
    return "".join([*kept, text[begin:]])


def is_whole(name: str, body: str) -> bool:
    """Whether a function is worth the whole of LLVM's code generator: much work, or tiles.

    A product that only copies, and calls the tiles of panels, is not.
    """
    if name.startswith("loop"):
        return '"gt.work"="most"' in body[: body.index("\n")]
    return '@"llvm.fma.' in body


def is_cold(body: str) -> bool:
    """Whether a function says that it runs seldom."""
    return " cold" in body[: body.index("\n")]


def kinds(text: str, left: set[str] | None) -> list[tuple[str, str, str]]:
    """The functions of a module, by name, with the passes that each takes.

    Functions that say `cold` run so seldom that to optimise them takes longer than they ever run:
    "none", and where loops are over vectors those too that do little of the work. Those that are
    `left` to LLVM's vectoriser, every other one where that is not known, and a kernel that loops
    over the others, take "all"; where loops are over vectors already "few" do, and "later" says
    that these may wait, as nobody would notice it if the function ran a few times without them.
    """
    found = functions(f"\n{text}\n")
    is_one = left is None or any(name == "kernel" and not is_cold(body) for name, body in found)
    long: set[str] = set()  # with what they call
    for name, body in found:
        if _LONG in body[: body.index("\n")]:
            long.update(NAMES.findall(body), (name,))

    def passes(name: str, body: str) -> str:
        is_little = left is not None and name not in left and _LITTLE in body[: body.index("\n")]
        if is_cold(body) or is_little:
            return "none"
        if is_one or (left is not None and name in left):
            return "all"
        return "few" if name in long else "later"

    return [(name, body, passes(name, body)) for name, body in found]


def pieces(
    text: str, left: set[str] | None, threads: int = MOST, passes: str = ""
) -> list[tuple[str, str]]:
    """A module's text as modules, each with the passes that it takes: `passes`, or as `kinds` says.

    Of each kind there are no more than `threads` that make their code. A function that takes "all"
    may be put into the one that calls it: these stay in one module.
    """
    known = [] if passes else kinds(text, left)
    text = f"\n{text}\n"
    found = functions(text) if passes else [(name, body) for name, body, _ in known]
    by_kind: dict[str, list[tuple[str, str]]] = {passes: found} if passes else {}
    for name, body, kind in known:
        by_kind.setdefault(kind, []).append((name, body))
    parts = [
        (kind, part)
        for kind, bodies in sorted(by_kind.items())
        for part in ([bodies] if kind == "all" else _parts(bodies, SHORT[kind], threads))
    ]
    if len(parts) <= 1:
        return [(text, parts[0][0] if parts else "none")]
    rest = _outside(text)
    heads = {name: declared(body) for name, body in found}
    made = []
    for kind, part in parts:
        mine = {name for name, _ in part}
        named = set(NAMES.findall("".join(body for _, body in part)))
        lines = [line for line in rest.splitlines() if _is_for(line, named)]
        lines += [head for name, head in heads.items() if name in named and name not in mine]
        lines += [body.replace("define internal", "define", 1) for _, body in part]
        made.append(("\n".join(lines) + "\n", kind))
    return made


def _parts(
    bodies: list[tuple[str, str]], short: int, threads: int
) -> list[list[tuple[str, str]]]:
    """Functions in parts of about one length, each in its order."""
    whole = sum(len(body) for _, body in bodies)
    count = max(1, min(MOST, threads, whole // short, len(bodies)))
    lengths, parts = [0] * count, [[] for _ in range(count)]  # type: ignore[var-annotated]
    for i in sorted(range(len(bodies)), key=lambda i: (-len(bodies[i][1]), i)):
        at = lengths.index(min(lengths))
        lengths[at] += len(bodies[i][1])
        parts[at].append(i)
    return [[bodies[i] for i in sorted(part)] for part in parts if part]


def declared(body: str) -> str:
    """A function's declaration."""
    head = body[: body.index("\n")]
    head = head[: head.rindex(")") + 1].removeprefix("define").replace(" internal", "")
    return f"declare{head}"


def _is_for(line: str, named: set[str]) -> bool:
    """Whether a line outside of functions is for a module in which these names are used."""
    if line.startswith(("declare", "@")):
        found = NAMES.search(line)
        return found is not None and found[1] in named
    return True
