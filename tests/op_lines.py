"""The op_case lines of tests/ops, and which cards each of them exercises.

Shared by `test_completeness.py`, the mutation check and docs/make_ops_page.py.
"""

import importlib
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import gradtape.core.dispatch as dispatch
import gradtape.core.fast as fast
from gradtape.core.registry import CARDS, FUNCTIONS, UFUNC_METHODS, UFUNCS, load
from gradtape.core.state import CARD
from gradtape.testing import OpCase, Run

load()
FOLDER = Path(__file__).parent / "ops"
# The lists of op_case lines that the test modules keep; all of them are parametrised there.
LISTS = ("CASES", "WRITES")


@dataclass(frozen=True)
class Line:
    """One op_case line, where it stands, and the cards that its calls run through."""

    module: str
    index: int
    case: OpCase
    cards: frozenset[str] = field(default=frozenset(), compare=False)

    def __str__(self) -> str:
        return f"{self.module}: {self.case.name}"


def modules() -> dict[str, Any]:
    """Module name -> module, of every file in tests/ops."""
    names = sorted(path.stem for path in FOLDER.glob("test_*.py"))
    return {name: importlib.import_module(f"tests.ops.{name}") for name in names}


@cache
def lines() -> tuple[Line, ...]:
    """Every op_case line with the cards that it exercises."""
    found = []
    for name, module in modules().items():
        cases = [case for part in LISTS for case in getattr(module, part, ())]
        found += [Line(name, i, case, frozenset(cards_of(case))) for i, case in enumerate(cases)]
    return tuple(found)


@cache
def lines_by_card() -> dict[str, tuple[Line, ...]]:
    """Card name -> the lines that exercise it, those that test its own function first."""
    found: dict[str, list[Line]] = defaultdict(list)
    for line in lines():
        for card in line.cards:
            found[card].append(line)
    return {
        card: tuple(sorted(of, key=lambda line: card_of(line.case.function) != card))
        for card, of in found.items()
    }


def card_of(function: Any) -> str | None:
    """The name of the card that a call of `function` on a Tensor reaches; None if there is none."""
    operation = FUNCTIONS.get(function) if callable(function) else None
    operation = operation or UFUNCS.get(function)
    method = getattr(function, "__self__", None)
    if operation is None and method is not None:
        operation = UFUNC_METHODS.get((method, function.__name__))
    name = getattr(operation, "__name__", None)
    return name if name in CARDS else getattr(function, "__name__", None)


def cards_of(case: OpCase) -> set[str]:
    """The cards of the calls of one case: those recorded, and the composites entered."""
    found: set[str] = set()
    with _composites(found):
        for dtype in (np.float64, *([np.complex128] if case.complex else [])):
            for _, operands, kwargs in case.examples(dtype):
                run = Run(case.function, operands, kwargs, case._wrt(operands))
                found.update(rec[CARD].name for rec in run.recorder.ops)
    return found & set(CARDS)


class _composites:
    """`with _composites(found):` adds the composites that are called."""

    def __init__(self, found: set[str]) -> None:
        self.found = found
        # One function stands before every body; which body, its closure says.
        self.code = FUNCTIONS[np.flip].__code__
        self.bodies = {c.impl: c.name for c in CARDS.values() if c.kind == "composite"}

    def __enter__(self) -> None:
        self.before = sys.getprofile()
        sys.setprofile(self._see)

    def __exit__(self, *_: object) -> None:
        sys.setprofile(self.before)

    def _see(self, frame: Any, event: str, _: Any) -> None:
        if event == "call" and frame.f_code is self.code:
            self.found.add(self.bodies[frame.f_locals["body"]])


class ends:
    """`with ends() as found:` collects the nondifferentiable cards that calls end at."""

    def __enter__(self) -> set[str]:
        found: set[str] = set()
        self.before = dispatch.ended, fast.ended
        real = dispatch.ended

        def ended(why: Any, kind: str, keys: Any, text: str) -> Any:
            if kind == "nondifferentiable":
                found.add(text)
            return real(why, kind, keys, text)

        dispatch.ended = fast.ended = ended
        return found

    def __exit__(self, *_: object) -> None:
        dispatch.ended, fast.ended = self.before
