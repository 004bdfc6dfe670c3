"""A figure of the recording bench: what was measured, and the bar it is held to."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Measure", "measured"]


@dataclass(frozen=True)
class Measure:
    """One figure.

    Attributes
    ----------
    name, unit : str
        What it is, in words, and its unit.
    samples : list of float
        One per round.
    bar : float or None
        What the issue asks for, in the same unit; None where it asks for nothing.
    is_rate : bool
        Whether more is better.
    """

    name: str
    unit: str
    samples: list[float] = field(default_factory=list)
    bar: float | None = None
    is_rate: bool = False

    @property
    def best(self) -> float:
        """The figure of the machine at its quietest."""
        return max(self.samples) if self.is_rate else min(self.samples)

    @property
    def met(self) -> str:
        """Whether the best sample meets the bar."""
        if self.bar is None:
            return ""
        return (
            "met" if (self.best >= self.bar) == self.is_rate or self.best == self.bar else "MISSED"
        )


def measured(
    figures: dict[str, Measure], rounds: int, steps: int,
    one: Callable[[Path, int], dict[str, float]],
) -> list[Measure]:
    """The figures with a sample for each round of `one`, which gets an empty folder."""
    for _ in range(rounds):
        folder = Path(tempfile.mkdtemp())
        try:
            for name, value in one(folder, steps).items():
                figures[name].samples.append(value)
        finally:
            shutil.rmtree(folder)
    return list(figures.values())
