"""Write docs/ops.md: every op with its rules, as the cards have them.

    python docs/make_ops_page.py            writes the page
    python docs/make_ops_page.py --check    exits 1 if the page is not what would be written

`tests/test_completeness.py` runs the check, so that the page cannot fall behind.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np

import gradtape.ops as ops
from gradtape.core.cards import Card
from gradtape.core.registry import CARDS, FUNCTIONS, UFUNC_METHODS, UFUNCS, load

load()
PAGE = Path(__file__).resolve().parent / "ops.md"
METHODS = ("reduce", "accumulate", "reduceat", "outer", "at")
INTRODUCTION = """\
# Ops and their rules

Made by `docs/make_ops_page.py` from the cards in `src/gradtape/ops/`; do not edit it. What is
tested of each op, and what is not, stands in `tests/test_completeness.py`.

| rule | meaning |
|---|---|
| vjp | cotangents of the operands (`x`, `y`, … those that have a derivative; `all`: one rule serves any number) |
| jvp | the tangent of the result |
| shape | shape and dtype of the result without computing it |
| batch | the op on a stack of operands, without a Python loop |
| keeps | what a tape holds until the gradient: operands, `out` (the result), or nothing |

A *composite* is a NumPy body made of other ops; its rules are derived by running it. A
*nondifferentiable* op has a reason instead.
"""  # noqa: E501
KINDS = ("elementwise", "linear", "primitive")
LETTERS = "xyzwvu"
FOLDER = Path(ops.__file__).parent


def family(card: Card) -> str:
    """The op file that a card comes from."""
    for function in (card.shape_rule, card.impl, *_all(card.partials), *_all(card.vjps)):
        name = getattr(_written(function), "__module__", None) or ""
        if name.startswith(ops.__name__ + "."):
            return name.removeprefix(ops.__name__ + ".").replace(".", "/")
    # `add` has the partials 1 and 1, no function: the file that names its ufunc
    for path in sorted(FOLDER.glob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "elementwise(" in text and re.search(rf"\bnp\.{card.name}\b(?!\()", text):
            return path.stem
    raise LookupError(f"No file of {FOLDER.name} makes {card.name}")


def _all(rules: Any) -> tuple[Any, ...]:
    return tuple(rules) if isinstance(rules, tuple) else (rules,)


def _written(function: Any) -> Any:
    """The function of an op file behind a rule that a constructor wraps."""
    for cell in getattr(function, "__closure__", None) or ():
        if getattr(cell.cell_contents, "__module__", "").startswith(ops.__name__ + "."):
            return cell.cell_contents
    return function


def callers(card: Card) -> list[str]:
    """NumPy's names for an op, as a user writes them."""
    found = []
    for function, operation in [*FUNCTIONS.items(), *UFUNCS.items()]:
        if getattr(operation, "__name__", None) == card.name:
            found.append(public_name(function))
    known = getattr(np, card.name, None)
    if not found and (known in FUNCTIONS or known in UFUNCS):  # behind an operation of its own
        found.append(f"np.{card.name}")
    return sorted(set(found))


def public_name(function: Any) -> str:
    """`np.linalg.norm` for NumPy's norm."""
    module = getattr(function, "__module__", None) or "numpy"
    short = module.replace("numpy", "np", 1) if "._" not in module else "np"
    return f"{short}.{function.__name__}"


def methods(card: Card) -> list[str]:
    """The ufunc methods that have a rule."""
    ufunc = next((u for u, op in UFUNCS.items() if op.__name__ == card.name), None)
    return [m for m in METHODS if ufunc is not None and (ufunc, m) in UFUNC_METHODS]


def operands(rules: Any) -> str:
    """Which operands have a rule."""
    if callable(rules):
        return "all"
    return ", ".join(LETTERS[i] for i, rule in enumerate(rules) if rule is not None)


def keeps(card: Card) -> str:
    """What the tape holds."""
    if card.keep is None:
        kept = ["operands"]
    elif isinstance(card.keep, dict):  # each followed operand needs some of the others
        needs = {i: tuple(needed) for i, needed in card.keep.items() if needed}
        if card.arity == -1 or len(needs) == card.arity == 2 and needs == {0: (1,), 1: (0,)}:
            kept = ["the other operands" if card.arity == -1 else "the other operand"]
        elif len(set(needs.values())) == 1:
            kept = [LETTERS[i] for i in next(iter(needs.values()))]
        else:
            each = (f"{', '.join(LETTERS[j] for j in of)} for {LETTERS[i]}"
                    for i, of in needs.items())  # fmt: skip
            kept = ["; ".join(each)]
    else:
        kept = [LETTERS[i] for i in card.keep]
    return ", ".join([*filter(None, kept), *(["out"] if card.keep_out else [])]) or "nothing"


def names(card: Card) -> str:
    """The op's cell: its name, its ufunc methods."""
    called = callers(card)
    title = ", ".join(f"`{name}`" for name in called) if called else f"*{card.name}*"
    extra = methods(card)
    return f"{title} ({', '.join(extra)})" if extra else title


def page() -> str:
    """The whole page."""
    lines = [INTRODUCTION]
    cards = [card for card in CARDS.values() if card.vjps is not None and card.kind in KINDS]
    lines += [
        f"## Ops with rules of their own ({len(cards)})",
        "",
        "Names in italics are called by other ops only.",
        "",
        "| op | file | constructor | vjp | jvp | shape | batch | keeps |",
        "|---|---|---|---|---|---|---|---|",
    ]
    rows = [
        f"| {names(card)} | {family(card)} | {card.kind} | {operands(card.vjps)} | "
        f"{operands(card.jvps)} | {'yes' if card.shape_rule else '**no**'} | "
        f"{'yes' if card.batch_rule else '**no**'} | {keeps(card)} |"
        for card in cards
    ]
    lines += sorted(rows, key=lambda row: (row.split("|")[2], row))
    bodies = [card for card in CARDS.values() if card.kind == "composite"]
    lines += ["", f"## Composites ({len(bodies)})", "", "| op | file |", "|---|---|"]
    lines += sorted(
        (f"| {names(card)} | {family(card)} |" for card in bodies),
        key=lambda row: (row.split("|")[2], row),
    )
    steps = [card for card in CARDS.values() if card.kind == "nondifferentiable"]
    lines += ["", f"## Without a derivative ({len(steps)})", "", "| op | reason |", "|---|---|"]
    lines += sorted(f"| {names(card)} | {' '.join(card.reason.split())} |" for card in steps)
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the page, or compare it."""
    text = page()
    if "--check" in sys.argv[1:]:
        same = PAGE.exists() and PAGE.read_text(encoding="utf-8") == text
        print("docs/ops.md is up to date." if same else "docs/ops.md is not what the cards say: "
              "run `python docs/make_ops_page.py`.")  # fmt: skip
        return 0 if same else 1
    PAGE.write_text(text, encoding="utf-8")
    print(f"docs/ops.md: {len(CARDS)} cards, NumPy {np.__version__}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
