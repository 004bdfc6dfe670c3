"""Rules of a diagnosis about the learning rate: steps that overshoot, and steps that are tiny."""

from __future__ import annotations

from typing import Any

import numpy as np

from .evidence import Evidence
from .findings import Finding

__all__ = ["too_high", "too_low"]

_PEAK = 10.0  # times the first cost
_END = 0.05
_REACH = 0.05  # of the cost
_COSINE, _RATIO = 0.8, 0.7


def too_high(run: Evidence) -> Finding | None:
    """The cost grows from step to step, because each step overshoots."""
    cost = run.cost
    if len(cost) < 4 or run.ascends:  # a cost that is made larger: `uphill`
        return None
    finite = np.isfinite(cost)
    last = len(cost) if finite.all() else int(np.argmin(finite))
    series = cost[:last]
    if last < 3:
        return None
    lowest = int(np.argmin(series))
    tail = series[lowest:]
    grew = np.mean(np.diff(tail) > 0) if len(tail) > 3 else 0.0
    scale = abs(series[lowest]) + 1e-12
    diverged = grew > 0.8 and tail[-1] > max(4 * scale, 2 * abs(series[0]))
    curvature = run.curvature[: last - 1]
    known = curvature[np.isfinite(curvature)]
    unstable = len(known) > 8 and np.mean(known > 2.0) > 0.3 and _end(series) > 1.2 * scale
    thrown = _is_thrown(run, series)
    if not diverged and not unstable and not thrown:
        return None
    over = known[known > 2.0]
    top = None if not len(over) else float(over.max() if thrown else np.median(over))
    if thrown and not diverged:
        peak = int(np.argmax(series))
        lowest = max(peak - 1, 0)
        fact = (
            f"The cost was thrown from {series[0]:.4g} up to {series[peak]:.4g} (step"
            f" {run.steps[peak]:g}), and has come back to {series[-1]:.4g} only."
        )
    else:
        fact = (
            f"The cost grows: {series[lowest]:.4g} at step {run.steps[lowest]:g},"
            f" {series[-1]:.4g} at step {run.steps[last - 1]:g}"
        )
        fact += ", and is not finite after that." if last < len(cost) else "."
    rate = f" {run.rate:.4g}" if run.rate else ""
    cause = f"Each update overshoots: the learning rate{rate} is too large."
    remedy = "Divide the learning rate by 10 and run again."
    if top is not None and run.rate:
        cause = (
            f"Learning rate {run.rate:.4g} x curvature along the step is {top:.3g}; above 2 a"
            " step lands higher than it started."
        )
        remedy = f"Use a learning rate below {_rounded(1.8 * run.rate / top)}."
    return Finding(
        "learning rate too high", fact, cause, remedy, **run.update,
        step=int(run.steps[lowest]),
        evidence={"rate": run.rate, "curvature": top, "first": float(series[0]),
                  "last": float(series[-1])},
    )  # fmt: skip


def _is_thrown(run: Evidence, series: Any) -> bool:
    """Whether a cost of one set of data went far above its first value, and is still high."""
    if not series.min() > 0 or not series.max() > _PEAK * series[0]:
        return False
    return bool(series[-1] > _END * series[0]) and run.is_steady


def too_low(run: Evidence) -> Finding | None:
    """The cost is still on its way down as steeply as at the start, in very small steps."""
    cost = run.cost
    if len(cost) < 10 or not np.isfinite(cost).all():
        return None
    return _slow_along_one_way(run) or _slow_by_curvature(run)


def _slow_by_curvature(run: Evidence) -> Finding | None:
    """Gradient descent on one cost: learning rate x curvature is far below 2."""
    cost, norms = run.cost, run.gradient_norms
    known = run.curvature[np.isfinite(run.curvature)]
    if run.rate is None or run.batches > 1 or len(known) < 5:
        return None
    middle = float(np.median(known))
    share = norms[-1] / norms.max() if norms.max() > 0 else 0.0
    fell = (cost[0] - cost[-1]) / (abs(cost[0]) + 1e-300)
    if not (share > 0.4 and abs(middle) < 0.02 and fell < 0.1 and cost[-1] < cost[0]):
        return None
    factor = min(1e4, 0.5 / max(abs(middle), 5e-5))
    return Finding(
        "learning rate too low",
        f"After {len(cost)} steps the gradient norm is still {share:.0%} of its largest, and the"
        f" cost fell by {fell:.1%} in all.",
        f"Learning rate {run.rate:.4g} x curvature along the step is about {abs(middle):.2g}; a"
        f" step can be about {_rounded(factor)} times longer before it overshoots (2).",
        f"Try a learning rate of {_rounded(run.rate * factor)}.",
        **run.update,
        step=int(run.steps[-1]),
        evidence={"rate": run.rate, "curvature": middle, "gradient_share": float(share)},
    )


def _slow_along_one_way(run: Evidence) -> Finding | None:
    """Any optimizer: all updates together cannot have changed the cost, and the slope is there."""
    cost = run.cost
    scale = abs(float(np.median(cost[: max(1, len(cost) // 4)])))
    if len(cost) < 20 or not run.sources or not 0 < run.reach <= _REACH * scale:
        return None
    cosine, ratio = run.drift
    if not (cosine > _COSINE and ratio > _RATIO):
        return None
    factor = 10.0 ** round(np.log10(min(1e4, max(10.0, 0.5 * scale / run.reach))))
    rate = f" {run.rate:.4g}" if run.rate else ""
    return Finding(
        "learning rate too low",
        f"After {len(cost)} steps the gradient still points the same way as at the start, with"
        f" {min(ratio, 1.0):.0%} of its size; all updates together could lower the cost by"
        f" {run.reach / scale:.1g} of itself at most.",
        f"The steps are too short to get anywhere: the learning rate{rate} is too small.",
        f"Try a learning rate of {_rounded(run.rate * factor)}."
        if run.rate else f"Multiply the learning rate by {factor:,.0f} and run again.",
        **run.update,
        step=int(run.steps[-1]),
        evidence={"rate": run.rate, "reach": run.reach / scale, "cosine": cosine},
    )  # fmt: skip


def _end(series: Any) -> float:
    return float(np.median(series[-max(3, len(series) // 10) :]))


def _rounded(x: float) -> str:
    return f"{x:.1g}"
