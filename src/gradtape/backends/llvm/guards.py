"""Guards of products, which a turn of a loop leaves out unless one of them has something to do.

A cotangent of exactly 0 wins over infinity and NaN: behind every product with one stand two
comparisons and a choice, `select(isnan(p), select(ct == 0, 0, p), p)`, and a gradient has several
of them for each element. As long as no product is NaN, none of them changes anything. So a turn
over vectors computes everything without them, asks once whether any product is NaN, two products in
one comparison, and only if so computes what depends on a guard again, with the guards. What comes
out has the same bits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from .reading import NAME, named, own, renamed

__all__ = ["without_guards"]

_NAN = re.compile(r'^  (%"[^"]+") = fcmp uno (<\d+ x \w+>) (%"[^"]+"), (%"[^"]+")$')
_CHOICE = re.compile(r'^  (%"[^"]+") = select <\d+ x i1> (%"[^"]+"), .*> (%"[^"]+")$')


def without_guards(
    lines: Sequence[str], label: str, needed: Mapping[str, str], new: Callable[[], str]
) -> list[str]:
    """The lines of a turn as blocks that follow each other; the last is `<label>.known`.

    They stay as they are where there is no guard, and where what depends on one is a kernel or
    writes into memory. `needed` are the names that are used outside, with their types; `new` makes
    another name.
    """
    guards, kinds = _guards(lines)
    behind = _behind(lines, guards)
    if not guards or any(
        line.startswith("  call") or ('@"gt.' in line and own(line) in behind) for line in lines
    ):
        return list(lines)
    guarded = {x: named(x, "guarded") for x in behind}
    plain = {x: named(x, "plain") for x in behind}  # the names where guards do nothing
    for guard, product in guards.items():
        plain[guard] = plain.get(product, product)
    live = {*needed, *guards.values()}
    first, again = [], []
    for line in reversed(lines):
        out = own(line)
        is_first = out in live and out not in guards
        if is_first:
            live.update(_used(line))
            first.append(renamed(line, plain))
        if out in behind or not is_first:
            again.append(renamed(line, guarded))
    joined = [
        f'  {x} = phi {kind} [ {plain[x]}, %"{label}.plain" ], '
        f'[ {guarded[x]}, %"{label}.guarded" ]'
        for x, kind in needed.items() if x in behind
    ]  # fmt: skip
    return [
        f'  br label %"{label}.plain"', f"{label}.plain:", *reversed(first),
        *_asked({plain[g]: kinds[p] for g, p in guards.items()}, label, new),
        f"{label}.guarded:", *reversed(again), f'  br label %"{label}.known"',
        f"{label}.known:", *joined,
    ]  # fmt: skip


def _guards(lines: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """What is another value wherever that is a number, and which; the types of those."""
    nans: dict[str, str] = {}
    kinds: dict[str, str] = {}
    found: dict[str, str] = {}
    for line in lines:
        if (test := _NAN.match(line)) and test[3] == test[4]:
            nans[test[1]], kinds[test[3]] = test[3], test[2]
        elif (choice := _CHOICE.match(line)) and nans.get(choice[2]) == choice[3]:
            found[choice[1]] = choice[3]
    return found, kinds


def _behind(lines: Iterable[str], guards: Mapping[str, str]) -> set[str]:
    """What depends on a guard, and the guards themselves."""
    found: set[str] = set()
    for line in lines:
        if own(line) in guards or not found.isdisjoint(_used(line)):
            found.add(own(line))
    return found


def _asked(products: Mapping[str, str], label: str, new: Callable[[], str]) -> list[str]:
    """On to the guards if a product is NaN."""
    lines, any_, bits = [], "", ""
    for kind in dict.fromkeys(products.values()):
        here = [p for p, k in products.items() if k == kind]
        bits = kind[1:].split(" ")[0]
        for x, y in zip(here[::2], [*here[1::2], here[-1]], strict=False):
            is_nan, before = new(), any_
            any_ = is_nan
            lines.append(f"  {is_nan} = fcmp uno {kind} {x}, {y}")
            if before:
                any_ = new()
                lines.append(f"  {any_} = or <{bits} x i1> {before}, {is_nan}")
    word, is_any = new(), new()
    return [
        *lines,
        f"  {word} = bitcast <{bits} x i1> {any_} to i{bits}",
        f"  {is_any} = icmp ne i{bits} {word}, 0",
        f'  br i1 {is_any}, label %"{label}.guarded", label %"{label}.known"',
    ]


def _used(line: str) -> list[str]:
    return NAME.findall(line.partition(" = ")[2])
