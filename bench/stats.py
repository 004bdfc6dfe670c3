"""What several rounds say: the minimum, the median, and the ratio of two interleaved series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Spread:
    """The minimum and the median of several rounds."""

    minimum: float
    median: float


def spread(samples: Sequence[float]) -> Spread:
    """Return the minimum and median of at least one sample."""
    return Spread(min(samples), median(samples))


@dataclass(frozen=True)
class Ratio:
    """Ours over theirs: of the minima, and the median over the pairs measured side by side."""

    of_minima: float
    median: float


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """Return both ratios of two series whose i-th samples were taken one after the other.

    The ratio of minima is the machine at its quietest, the fairest view of the work itself; the
    median of the pairs is what slow drift (another tenant, the clock) cannot move.
    """
    pairs = [mine / yours for mine, yours in zip(ours, theirs, strict=True)]
    return Ratio(min(ours) / min(theirs), median(pairs))
