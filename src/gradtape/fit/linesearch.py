"""How far to go along a direction: far enough down, and to where the slope has eased."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["search"]

DECREASE, EASING = 1e-4, 0.9
ROUNDING = 1e-13
"""Costs that differ by this share of their size are the same."""

P = TypeVar("P", bound=Any)


def search(at: Callable[[float], tuple[P, float]], start: P, slope: float) -> P | None:
    """Return a lower point along a direction, or None when no step lowers the cost.

    Bisection for the weak Wolfe conditions, which works across kinks too (Lewis and Overton,
    2013). Near a minimum, where the cost only rounds, a decrease is asked of the slope instead
    (Hager and Zhang, 2005).

    Parameters
    ----------
    at : callable
        From a step to the point there and the slope along the direction.
    start : Point
        Where the step is 0; it has a `cost`.
    slope : float
        The slope there: below 0.
    """
    if not slope < 0:
        return None
    low, high, step = 0.0, math.inf, 1.0
    reached: P | None = None
    for _ in range(60):
        point, now = at(step)
        if not (math.isfinite(point.cost) and math.isfinite(now)) or not _is_lower(
            start.cost, point.cost, slope, now, step
        ):
            high = step
        elif now < EASING * slope:
            low, reached = step, point
        else:
            return point
        step = 2.0 * low if math.isinf(high) else 0.5 * (low + high)
    # The slope never eased, as on a kink, or the cost falls for ever: the lowest point seen.
    return reached


def _is_lower(before: float, after: float, slope: float, now: float, step: float) -> bool:
    if after < before and after <= before + DECREASE * step * slope:
        return True
    is_same = after <= before + ROUNDING * abs(before)
    return is_same and now <= (2.0 * DECREASE - 1.0) * slope and abs(now) < abs(slope)
