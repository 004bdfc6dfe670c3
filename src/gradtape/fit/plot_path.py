"""path.png: the descent on the contours of the cost, over two coefficients."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .problem import Problem
from .problems import require
from .result import Result
from .rows import MemoryRows
from .style import CLOSED, LINE, MUTED, figure, plain, ramp, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["path_figure"]

Array = NDArray[np.float64]

FINE, COARSE = 160, 48
"""Points to a side: of a quadratic cost, which is known at once, and of any other."""

ROWS = 1_000
"""Costs that are no quadratic are added up anew at each point, of at most so many rows."""


def path_figure(result: Result) -> Figure:
    """Return the picture of the way that the coefficients took."""
    made, (axes,) = figure(7.2, 5.4, 1)
    with styled():
        if len(result.problem.names) == 1:
            _draw_one(axes, result)
        else:
            _draw_two(axes, result)
    return made


def _travel(result: Result) -> Array:
    """How far each coefficient went, in the units of the descent."""
    u = result.coefficients @ result.problem.from_data.T
    way: Array = np.abs(np.diff(u, axis=0)).sum(axis=0)
    return way


def _pair(result: Result) -> tuple[int, int]:
    """The two coefficients that went farthest, in the order of the table."""
    first, second = sorted(np.argsort(-_travel(result), kind="stable")[:2].tolist())
    return first, second


def _costs(result: Result, moved: Array) -> tuple[Array, int]:
    """The cost at coefficients, (m, P), in the data's units; and of how many rows it is."""
    problem = result.problem
    u = moved @ problem.from_data.T
    if problem.is_quadratic:
        best = problem.from_data @ problem.closed_form
        values, vectors = problem.spectrum
        modes = (u - best) @ vectors
        return problem.lowest_cost + 0.5 * (modes**2) @ values, problem.design.n
    objective, rows = _thinned(problem)
    with np.errstate(all="ignore"):
        return np.array([objective.cost(each) for each in u]), rows


def _thinned(problem: Problem) -> tuple[Any, int]:
    sample = problem.design.sample
    if isinstance(problem.objective.rows, MemoryRows) and problem.design.n <= ROWS:
        return problem.objective, problem.design.n
    every = max(1, len(sample) // ROWS)
    block = sample.take(slice(None, None, every))
    weight = float(len(block) if block.weights is None else block.weights.sum())
    divisor = weight / problem.design.summary.weight if problem.loss.is_sum else weight
    rows = MemoryRows(problem.in_units(block))
    return replace(problem.objective, rows=rows, divisor=divisor, _variable=None), len(block)


def _limits(path: Array, best: float | None) -> tuple[float, float]:
    low, high = float(path.min()), float(path.max())
    if best is not None and low - 2 * (high - low) <= best <= high + 2 * (high - low):
        low, high = min(low, best), max(high, best)
    room = 0.18 * (high - low) or 0.1 * abs(high) or 1.0
    return low - room, high + room


def _draw_two(axes: Axes, result: Result) -> None:
    i, j = _pair(result)
    names = result.problem.names
    path = result.coefficients[:, [i, j]]
    reference = result.reference
    best = None if reference is None else reference.coefficients
    x_ends = _limits(path[:, 0], None if best is None else float(best[i]))
    y_ends = _limits(path[:, 1], None if best is None else float(best[j]))
    side = FINE if result.problem.is_quadratic else COARSE
    x, y = np.linspace(*x_ends, side), np.linspace(*y_ends, side)
    moved = np.tile(result.final, (side**2, 1))
    moved[:, i], moved[:, j] = np.tile(x, side), np.repeat(y, side)
    costs, rows = _costs(result, moved)
    _contours(axes, x, y, costs.reshape(side, side))
    _draw_path(axes, path)
    if best is not None:
        assert reference is not None
        known = result.problem.is_quadratic or result.problem.loss.kind == "absolute"
        label = reference.heading if known else "minimum, by Newton's method"
        axes.plot(best[i], best[j], "x", color=CLOSED, markersize=9, markeredgewidth=2, label=label)
    notes = [] if len(names) == 2 else ["the other coefficients as they are at the end"]
    if rows < result.problem.design.n:
        notes.append(f"cost of {rows:,} of the rows")
    if notes:
        axes.annotate(
            "; ".join(notes), (0, 0), (6, 6), xycoords="axes fraction",
            textcoords="offset points", fontsize=9, color=MUTED, zorder=5,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 2},
        )  # fmt: skip
    axes.set(
        title="The descent on the cost",
        xlabel=plain(names[i]),
        ylabel=plain(names[j]),
        xlim=x_ends,
        ylim=y_ends,
    )
    axes.legend(loc="best", frameon=True, framealpha=0.9, edgecolor="none")


def _contours(axes: Axes, x: Array, y: Array, costs: Array) -> None:
    """Lines of equal cost: close at the bottom, where a linear scale would show none."""
    finite = costs[np.isfinite(costs)]
    if not finite.size or finite.max() <= finite.min():
        return
    low, high = float(finite.min()), float(np.quantile(finite, 0.98))
    steps = (np.linspace(0, 1, 16)[1:]) ** 2.5
    levels = low + (high - low) * steps
    shown = np.ma.masked_invalid(costs)
    colors = require("matplotlib.colors")
    shades = colors.LinearSegmentedColormap.from_list("cost", ["#dfe9f2", "#ffffff"])
    norm = colors.BoundaryNorm([low, *levels], 256)
    axes.contourf(x, y, shown, levels=[low, *levels], cmap=shades, norm=norm, extend="max")
    axes.contour(x, y, shown, levels=levels, colors="#9fb4c8", linewidths=0.7)
    axes.grid(visible=False)


def _draw_path(axes: Axes, path: Array) -> None:
    collections = require("matplotlib.collections")
    last = len(path) - 1
    shown = path if last <= 2_000 else path[_spread(path, 2_000)]
    if len(shown) > 1:
        segments = np.stack([shown[:-1], shown[1:]], axis=1)
        colors = ramp()(np.linspace(0.15, 1.0, len(segments)))
        axes.add_collection(collections.LineCollection(segments, colors=colors, linewidths=2.2))
    dots = path if last <= 60 else path[_spread(path, 60)]
    colors = ramp()(np.linspace(0.15, 1.0, len(dots)))
    axes.scatter(dots[:, 0], dots[:, 1], s=14, c=colors, zorder=3, linewidths=0)
    axes.scatter(
        path[0, 0], path[0, 1], s=60, zorder=4, label="epoch 0",
        facecolor="white", edgecolor=MUTED, linewidth=1.6,
    )  # fmt: skip
    axes.scatter(
        path[-1, 0], path[-1, 1], s=60, color=LINE, zorder=4, label=f"epoch {last:,}", linewidths=0
    )


def _spread(path: Array, count: int) -> NDArray[np.intp]:
    """Epochs at about equal distances along the path."""
    size = np.ptp(path, axis=0)
    steps = np.diff(path / np.where(size > 0, size, 1.0), axis=0)
    along = np.concatenate([[0.0], np.cumsum(np.hypot(steps[:, 0], steps[:, 1]))])
    found = np.searchsorted(along, np.linspace(0, along[-1], count))
    result: NDArray[np.intp] = np.unique(found.clip(0, len(path) - 1))
    return result


def _draw_one(axes: Axes, result: Result) -> None:
    (name,) = result.problem.names
    path = result.coefficients[:, 0]
    reference = result.reference
    best = None if reference is None else float(reference.coefficients[0])
    ends = _limits(path, best)
    x = np.linspace(*ends, 200)
    costs, _ = _costs(result, x[:, None])
    axes.plot(x, costs, color="#9fb4c8", linewidth=1.6, label="cost")
    on_curve, _ = _costs(result, path[:, None]) if len(path) <= 500 else (result.costs, 0)
    colors = ramp()(np.linspace(0.15, 1.0, len(path)))
    axes.scatter(path, on_curve, c=colors, s=26, zorder=3, label="epochs", linewidths=0)
    if best is not None:
        assert reference is not None
        axes.axvline(best, color=CLOSED, linewidth=1.0, linestyle=(0, (5, 4)),
                     label=reference.heading)  # fmt: skip
    axes.set(title="The descent on the cost", xlabel=plain(name), ylabel=result.problem.loss.title)
    axes.legend(loc="best")
