"""Calls: what is recorded of one place at which a gradient is asked for.

A `Call` knows its sources, their names in the run, which of them are numbers (a column each) and
which are arrays (columns of norms), and makes the entries of a row from what a gradient call saw.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.tensor import Tensor
from ..core.variable import Variable
from .costs import Cost
from .norms import NAN, norm, zero_fraction

__all__ = ["NAN", "Call", "Column", "value_of"]

Column = tuple[str, str, str | None]  # name, kind, tag


def value_of(x: Any) -> Any:
    """The raw value of a Tensor, or of what stands for one."""
    return x.value if isinstance(x, Tensor) else x


def is_number(value: Any) -> bool:
    """Whether a value is a real floating number and no array: a column holds it whole."""
    return isinstance(value, float | np.floating)


class Call:
    """What is recorded of gradient calls at one place for one list of sources.

    Attributes
    ----------
    code, lasti : code object and int
        Where it is called.
    sources : list of Variable, or None
        None where a source is no Variable: then there are new ones at each call.
    names : list of str
        What the run calls them.
    keys : frozenset of int
        Keys of the Variables among the sources.
    """

    def __init__(
        self,
        code: Any,
        lasti: int,
        sources: Sequence[Any],
        names: Sequence[str],
        has_variables: bool,
    ) -> None:
        self.code, self.lasti = code, lasti
        self.count = len(sources)
        self.names = list(names)
        held = all(isinstance(s, Variable) for s in sources)
        self.sources = list(sources) if held else None
        self.keys = frozenset(s.key for s in sources if isinstance(s, Variable))
        self.has_variables = has_variables or bool(self.keys)
        values = [s.value for s in sources]
        self.kinds = [type(v) for v in values]
        self.shapes = [np.shape(v) for v in values]
        self.numbers = [i for i, v in enumerate(values) if is_number(v)]
        self.arrays = [i for i in range(len(values)) if i not in self.numbers]
        self.are_numbers = not self.arrays
        self.told_none: set[int] = set()
        self.structure: Any = None  # of its last call: see structures.py
        self.structures: dict[Any, Any] = {}
        self.layout: Any = None
        self.quick: dict[bool, Any] = {}  # by whether the user counts the steps: see quick.py
        self.cost: Cost | None = None  # which one it descends, known at its first step
        self.partners: list[Call] = []  # that ask for other gradients of the same value

    def forget(self) -> None:
        """Forget what was made for its cost and for the names of what feeds it."""
        self.structure = self.layout = None
        self.quick.clear()
        self.structures.clear()

    def asked(self, sources: Sequence[Any]) -> list[tuple[Any, str]]:
        """Each source with its name, those of its partners too."""
        found = list(zip(sources, self.names, strict=True))
        for partner in self.partners:
            found += zip(partner.sources or (), partner.names, strict=False)
        return list({source.key: (source, name) for source, name in found}.values())

    def fits(self, code: Any, lasti: int, sources: Sequence[Any]) -> bool:
        """Whether a gradient call is one of these."""
        if code is not self.code or lasti != self.lasti or len(sources) != self.count:
            return False
        known = self.sources
        if known is not None:
            for mine, theirs in zip(known, sources, strict=True):  # noqa: SIM110 - it is faster
                if mine is not theirs:
                    return False
            return True
        return all(
            not isinstance(s, Variable) and np.shape(s.value) == shape
            for s, shape in zip(sources, self.shapes, strict=True)
        )

    def columns(self) -> list[Column]:
        """The columns of its sources, in the order of `entries`."""
        found: list[Column] = []
        for i in self.numbers:
            found.append((f"value/{self.names[i]}", "value", f"value/{self.names[i]}"))
        for i in self.numbers:
            found.append((f"grad/{self.names[i]}", "gradient", f"value/{self.names[i]}"))
        for i in self.arrays:
            tag = f"value/{self.names[i]}"
            found += [
                (f"{what}/{self.names[i]}", "norm", tag)
                for what in ("norm", "gradnorm", "updatenorm", "gradzeros")
            ]
        return found

    def entries(
        self, values: list[Any], grads: list[Any]
    ) -> tuple[list[Any], list[tuple[int, int]]]:
        """The entries of a row, and (source, entry) of the update norms, for which 0 stands."""
        row = [values[i] for i in self.numbers]
        row += [NAN if grads[i] is None else grads[i] for i in self.numbers]
        updates = []
        for i in self.arrays:
            grad = grads[i]
            row.append(norm(values[i]))
            row.append(norm(grad))
            updates.append((i, len(row)))
            row.append(0.0)
            row.append(zero_fraction(grad))
        return row, updates

    def slope(self, entries: list[Any]) -> float:
        """The norm of all gradients together, from the entries of a row."""
        n = len(self.numbers)
        squares = [float(g) ** 2 for g in entries[n : 2 * n]]
        squares += [float(entries[2 * n + 4 * i + 1]) ** 2 for i in range(len(self.arrays))]
        return math.sqrt(sum(s for s in squares if s == s))
