"""cost.png: the cost with what the verdict says of it, and how far the coefficients have to go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .problems import require
from .result import Result
from .style import CLOSED, DASHES, LINE, MUTED, POINTS, figure, logarithmic, note, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["cost_figure", "draw_cost"]


def cost_figure(result: Result) -> Figure:
    """Return the picture of the cost, and of the distance from the minimum, epoch by epoch."""
    made, (left, right) = figure(10.4, 4.4, 2)
    draw_cost(left, result)
    if result.distances is None:
        _draw_gradient(right, result)
    else:
        _draw_distance(right, result)
    return made


def draw_cost(axes: Axes, result: Result) -> None:
    """Draw the cost with the end of its fast phase and the beginning of its standstill."""
    with styled():
        verdict = result.verdict
        _epoch_axis(axes, result)
        _series(axes, result.costs, LINE)
        floor = result.problem.lowest_cost if result.problem.is_quadratic else None
        top = float(result.costs.max())
        lowest = float(result.costs.min()) if floor is None else floor
        if result.costs.min() > 0 and top > 100 * max(lowest, 1e-300):
            logarithmic(axes)
        elif 0 <= lowest < 0.25 * top:
            axes.set_ylim(-0.02 * top, 1.06 * top)
        else:  # the end of the curve near the bottom, with room for words above it
            room = top - min(lowest, float(result.costs.min())) or abs(top) or 1.0
            axes.set_ylim(top - 1.08 * room, top + 0.06 * room)
        if floor is not None and floor > 0:
            axes.axhline(floor, color=CLOSED, linewidth=1.0, linestyle=DASHES)
            note(axes, floor, f"closed form {floor:.4g}", on_the_right=True)
        fast, still = verdict.fast_phase.end, verdict.standstill.start
        # Words to the left of their line go above those to the right of theirs, so that lines
        # do not run through words; where they must, the later words cover the earlier line.
        fast_height, still_height = 104, 52
        if still is not None and not _is_on_the_left(axes, still, float(result.costs[still])):
            fast_height, still_height = 52, 104
        _mark(axes, result.costs, still, "printed cost stands still", still_height)
        _mark(axes, result.costs, fast, "fast phase ends", fast_height)
        axes.set(title="Cost", xlabel="epoch", ylabel=result.problem.loss.title)


def _draw_distance(axes: Axes, result: Result) -> None:
    with styled():
        convergence = result.verdict.convergence
        _epoch_axis(axes, result)
        assert result.distances is not None and result.reference is not None
        shown = np.where(result.distances > 0, result.distances, np.nan)
        _series(axes, shown, POINTS)
        if np.isfinite(shown).any():
            logarithmic(axes)
        axes.axhline(convergence.tolerance, color=CLOSED, linewidth=1.0, linestyle=DASHES)
        state = "converged" if convergence.converged else "not converged"
        note(
            axes,
            convergence.tolerance,
            f"three digits right: {state}",
            on_the_right=convergence.converged,
        )
        axes.set(
            title=_distance_title(result),
            xlabel="epoch",
            ylabel="farthest coefficient, relative",
        )


def _distance_title(result: Result) -> str:
    assert result.reference is not None
    if result.problem.is_quadratic or result.problem.loss.kind == "absolute":
        return f"Distance from the {result.reference.heading}"
    return "Distance from the minimum"


def _draw_gradient(axes: Axes, result: Result) -> None:
    with styled():
        _epoch_axis(axes, result)
        shown = np.where(result.gradient_norms > 0, result.gradient_norms, np.nan)
        _series(axes, shown, POINTS)
        if np.isfinite(shown).any():
            logarithmic(axes)
        axes.set(title="Gradient", xlabel="epoch", ylabel="norm, in the units of the descent")


def _epoch_axis(axes: Axes, result: Result) -> None:
    """Epochs on a scale that shows both phases: logarithmic, but for 0, once there are many."""
    if result.epochs > 200:
        ticker = require("matplotlib.ticker")
        axes.set_xscale("symlog", linthresh=1, linscale=0.4)
        axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda epoch, _: f"{epoch:,.0f}"))
    axes.set_xlim(
        -0.02 * result.epochs if result.epochs <= 200 else -0.3, 1.05 * max(1, result.epochs)
    )


def _series(axes: Axes, values: NDArray[np.float64], color: str) -> None:
    marker = "o" if len(values) <= 60 else ""
    axes.plot(values, color=color, linewidth=2.0, marker=marker, markersize=4)


def _mark(
    axes: Axes, costs: NDArray[np.float64], epoch: int | None, words: str, height: int
) -> None:
    if epoch is None:
        return
    is_left = _is_on_the_left(axes, epoch, float(costs[epoch]))
    axes.annotate(
        f"{words}\nat epoch {epoch:,}",
        (epoch, costs[epoch]),
        (14 if is_left else -14, height),
        textcoords="offset points",
        ha="left" if is_left else "right",
        fontsize=9,
        color=CLOSED,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
        arrowprops={
            "arrowstyle": "-",
            "color": MUTED,
            "linewidth": 0.9,
            "shrinkB": 4,
            "relpos": (0 if is_left else 1, 0),
        },
    )


def _is_on_the_left(axes: Axes, epoch: int, cost: float) -> bool:
    """Whether words that begin at this epoch find room to its right."""
    point = axes.transData.transform((epoch, cost))
    return float(axes.transAxes.inverted().transform(point)[0]) < 0.55
