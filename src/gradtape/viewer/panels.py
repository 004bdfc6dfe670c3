"""The panels that need more than the numbers in a run, in the form in which the page takes them.

Each gives a header and arrays, or a sentence that says why there is nothing to draw.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Drawn", "Panels", "judged"]

Drawn = tuple[dict[str, Any], Sequence[NDArray[np.float64]]] | str


def judged(verdict: Any) -> dict[str, Any]:
    """Return the facts of a Verdict, each with its sentence as `text` beside its numbers."""
    facts = {}
    for field in dataclasses.fields(verdict):
        fact = getattr(verdict, field.name)
        if dataclasses.is_dataclass(fact) and not isinstance(fact, type):
            facts[field.name] = {"text": str(fact), **dataclasses.asdict(fact)}
        else:
            facts[field.name] = fact
    return facts


class Panels:
    """What is drawn and said of a run, from a reader."""

    def verdict(self, reader: Any) -> dict[str, Any]:
        """Return the facts of the verdict."""
        return judged(import_module("gradtape.record.summary").verdict(reader))

    def diagnosis(self, reader: Any) -> list[dict[str, Any]]:
        """Return what is wrong with the run, each finding with its sentences as `text`."""
        found = import_module("gradtape.record.diagnosis").diagnose(reader)
        return [{"text": str(each), **dataclasses.asdict(each)} for each in found]

    def fit(
        self, reader: Any, step: int, *, slice: int | None = None, at: dict[int, float]
    ) -> Drawn:
        """Return the data and the model at a step."""
        return _drawn("fit", reader, step, slice=slice, at=at)

    def regions(self, reader: Any, step: int, n: int) -> Drawn:
        """Return a classifier's output on a grid of its two inputs."""
        return _drawn("regions", reader, step, n)

    def path(self, reader: Any) -> Drawn:
        """Return the way of the parameters, in their own plane or in one laid through it."""
        return _drawn("path", reader)

    def landscape(self, reader: Any, n: int) -> Drawn:
        """Return the loss on a grid of the plane of the path."""
        return _drawn("landscape", reader, n)

    def flow(self, reader: Any, px: int) -> Drawn:
        """Return gradient norms, update to weight ratios and shares of zeros per variable."""
        return _drawn("flow", reader, px)


def _drawn(name: str, *arguments: Any, **keywords: Any) -> Drawn:
    drawn: Drawn = getattr(import_module("gradtape.record.panels"), name)(*arguments, **keywords)
    return drawn
