"""Costs that are others at each step, as those of mini-batches: what their means over steps say.

The run is cut into about twenty blocks. The noise of a block's mean comes from the differences of
neighbouring costs in it, which a trend hardly enters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Noise", "is_noisy", "noise_of"]

FEWEST = 20  # costs
BLOCKS = 20
SURE = 3.0  # standard errors
STRETCH = 4  # blocks: of fewer, no trend is seen
RISING, RISE = 0.2, 1e-3


def is_noisy(costs: NDArray[np.float64]) -> bool:
    """Return whether a series of costs goes up and down from step to step in its later half.

    Of a cost that is one function of the parameters this says no more than that it oscillates;
    whether it is, the caller has to know.

    Examples
    --------
    >>> steps = np.arange(100)
    >>> is_noisy(0.9**steps), is_noisy(0.9**steps + 0.1 * np.sin(99.0 * steps**2))
    (False, True)
    """
    late = costs[len(costs) // 2 :]
    if len(costs) < FEWEST or not np.isfinite(late).all():
        return False
    change = np.diff(late)
    rises = change[change > 0]
    if len(rises) < RISING * len(change):
        return False
    return bool(rises.mean() > RISE * np.abs(np.median(late)))


@dataclass(frozen=True)
class Noise:
    """Means of costs over blocks of steps.

    Attributes
    ----------
    window : int
        Steps of a block.
    ends : array of int, (blocks,)
        The last row of each block.
    means, errors : array, (blocks,)
        The mean of each block, and its standard error.
    """

    window: int
    ends: NDArray[np.int64]
    means: NDArray[np.float64]
    errors: NDArray[np.float64]

    def _differ(self, i: int, k: int) -> float:
        """By how much block i is above block k, 0 within the noise."""
        difference = float(self.means[i] - self.means[k])
        noise = SURE * float(np.hypot(self.errors[i], self.errors[k]))
        return difference if abs(difference) > noise else 0.0

    def last_fall(self, share: float) -> int | None:
        """The last block that lowered the mean beyond the noise, by a share of the steepest."""
        falls = [max(self._differ(i - 1, i), 0.0) for i in range(1, len(self.means))]
        steepest = max(falls, default=0.0)
        fast = [i for i, fall in enumerate(falls, 1) if fall and fall >= share * steepest]
        return fast[-1] if fast else None

    def standing_since(self) -> int | None:
        """The first block from which on all means are the last one within the noise.

        One that moves on slowly does not stand still, however small its steps.
        """
        last = first = len(self.means) - 1
        while first > 0 and not self._differ(first - 1, last):
            first -= 1
        while first < last and self._leans(first):
            first += 1
        return first if len(self.means) - first >= STRETCH else None

    def _leans(self, first: int) -> bool:
        """Whether the blocks from one on have a trend: their halves differ beyond the noise."""
        middle = (first + len(self.means)) // 2
        halves = slice(first, middle), slice(middle, None)
        (a, b), (e, f) = (
            [float(values[half].mean()) for half in halves] for values in (self.means, self.errors)
        )
        sizes = middle - first, len(self.means) - middle
        return bool(abs(a - b) > SURE * np.hypot(e / sizes[0] ** 0.5, f / sizes[1] ** 0.5))

    @property
    def lowest(self) -> int:
        """The block with the lowest mean."""
        return int(self.means.argmin())

    def above(self) -> float:
        """By how much the last block is above the lowest; 0 within the noise."""
        return max(self._differ(len(self.means) - 1, self.lowest), 0.0)


def noise_of(costs: NDArray[np.float64]) -> Noise | None:
    """Return the means over blocks; None of fewer than twenty costs."""
    n = len(costs)
    if n < FEWEST:
        return None
    window = max(5, n // BLOCKS)
    starts = np.arange(n - window, -1, -window)[::-1]  # whole blocks, up to the last cost
    blocks = [costs[start : start + window] for start in starts]
    spread = np.array([np.sqrt(np.mean(np.diff(block) ** 2) / 2) for block in blocks])
    return Noise(
        window, starts + window - 1, np.array([block.mean() for block in blocks]),
        spread / np.sqrt(window),
    )  # fmt: skip
