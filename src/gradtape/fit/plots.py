"""The two pictures of a run: the data with its line, and the cost with what the verdict says.

Drawn on `matplotlib.figure.Figure` without pyplot: no window, no backend, no global state.
"""

from __future__ import annotations

import io
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .descent import Run
from .problems import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["STYLE", "cost_figure", "draw_cost", "draw_fit", "fit_figure", "png"]

POINTS, LINE, CLOSED, MUTED, GRID = "#35618f", "#d1495b", "#1d2733", "#66717d", "#e6e9ed"
EARLY = ("#f7dfa5", "#edae49", "#d1495b")

STYLE: dict[str, Any] = {
    "font.size": 10.5,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 12,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": "#c4cad1",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "text.color": CLOSED,
}


def fit_figure(run: Run) -> Figure:
    """Return the picture of the data with the fitted line."""
    figure, (axes,) = _figure(7.2, 4.8, 1)
    draw_fit(axes, run)
    return figure


def cost_figure(run: Run) -> Figure:
    """Return the picture of the cost and of the distance from the closed form, epoch by epoch."""
    figure, (left, right) = _figure(10.4, 4.4, 2)
    draw_cost(left, run)
    _draw_distance(right, run)
    return figure


def png(figure: Figure) -> bytes:
    """Return the figure as a PNG file; figures of the same run give the same bytes."""
    buffer = io.BytesIO()
    with require("matplotlib").rc_context(STYLE):
        figure.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
    return buffer.getvalue()


def _figure(width: float, height: float, columns: int) -> tuple[Figure, list[Axes]]:
    matplotlib, figures = require("matplotlib"), require("matplotlib.figure")
    with matplotlib.rc_context(STYLE):
        layout = require("matplotlib.layout_engine").ConstrainedLayoutEngine(wspace=0.06)
        figure: Figure = figures.Figure(figsize=(width, height), layout=layout)
        return figure, [figure.add_subplot(1, columns, i + 1) for i in range(columns)]


def _plain(words: str, width: int = 64) -> str:
    """Words from the data for a label: no mathematics between dollar signs, no endless line."""
    return "\n".join(textwrap.wrap(words, width, max_lines=3)).replace("$", r"\$")


def draw_fit(axes: Axes, run: Run) -> None:
    """Draw the data and the curve over it or, with several predictors, observed over fitted."""
    with require("matplotlib").rc_context(STYLE):
        if run.problem.design.curve_variable is None:
            _draw_observed_over_fitted(axes, run)
        else:
            _draw_curve(axes, run, run.problem.design.curve_variable)


def _draw_curve(axes: Axes, run: Run, variable: str) -> None:
    pd, colors = require("pandas"), require("matplotlib.colors")
    design = run.problem.design
    x = design.frame[variable].to_numpy(dtype=np.float64)
    grid = np.linspace(x.min(), x.max(), 300)
    X = design.recipe.predictors(pd.DataFrame({variable: grid}))
    final, closed = X @ run.coefficients[-1], X @ run.problem.closed_form
    # The whole line is in the picture, unless it would push the data to the edge: an unfinished
    # descent may end far outside.
    low, high = float(design.y.min()), float(design.y.max())
    span = high - low
    lines = np.concatenate([final, closed]).clip(low - 0.6 * span, high + 0.6 * span)
    bottom = min(low, float(lines.min())) - 0.06 * span
    top = max(high, float(lines.max())) + 0.06 * span
    early = {epoch: X @ run.coefficients[epoch] for epoch in _telling_epochs(run)}
    early = {e: y for e, y in early.items() if np.any((y > bottom) & (y < top))}

    axes.scatter(x, design.y, s=20, color=POINTS, alpha=0.4, linewidths=0, label="data")
    ramp = colors.LinearSegmentedColormap.from_list("epochs", EARLY)
    for position, curve in enumerate(early.values()):
        axes.plot(grid, curve, color=ramp(position / len(early)), linewidth=1.3, alpha=0.9)
    label = f"gradient descent, epoch {run.epochs:,}"
    axes.plot(grid, final, color=LINE, linewidth=2.6, label=label)
    dashes: Any = (0, (5, 4))
    axes.plot(grid, closed, color=CLOSED, linewidth=1.2, linestyle=dashes, label="closed form")
    if early:
        shown = ", ".join(map(str, early))
        axes.plot(
            [], [], color=EARLY[1], linewidth=1.3, label=f"epoch{'s' * (len(early) > 1)} {shown}"
        )
    axes.set_ylim(bottom, top)
    axes.set(title=_plain(design.formula), xlabel=_plain(variable), ylabel=_plain(design.response))
    axes.legend(loc="best")


def _telling_epochs(run: Run) -> list[int]:
    """Epochs before the last whose lines can be told apart: each two thirds nearer than the last.

    The root of the excess cost is the root mean square distance of an epoch's fitted values from
    those of the closed form.
    """
    excess = np.sqrt(np.maximum(run.costs - run.problem.lowest_cost, 0.0))
    chosen = [0]
    for epoch in range(1, len(excess) - 1):
        if excess[epoch] < 0.02 * excess[0] or len(chosen) == 9:
            break
        if excess[epoch] <= 0.67 * excess[chosen[-1]]:
            chosen.append(epoch)
    return chosen if len(run.costs) > 1 else []


def _draw_observed_over_fitted(axes: Axes, run: Run) -> None:
    design = run.problem.design
    fitted = design.X @ run.coefficients[-1]
    ends = np.array([min(fitted.min(), design.y.min()), max(fitted.max(), design.y.max())])
    axes.scatter(fitted, design.y, s=20, color=POINTS, alpha=0.4, linewidths=0, label="data")
    axes.plot(ends, ends, color=LINE, linewidth=2.0, label="observed = fitted")
    explained = 1.0 - run.costs[-1] / float(np.var(design.y))
    axes.set(
        title=_plain(f"{design.formula}   (R² = {explained:.3f})"),
        xlabel=_plain(f"fitted {design.response}"),
        ylabel=_plain(f"observed {design.response}"),
    )
    axes.legend(loc="upper left")


def draw_cost(axes: Axes, run: Run) -> None:
    """Draw the cost with the end of its fast phase and the beginning of its standstill."""
    with require("matplotlib").rc_context(STYLE):
        verdict = run.verdict
        _epoch_axis(axes, run)
        _series(axes, run.costs, LINE)
        floor = run.problem.lowest_cost
        top = float(run.costs.max())
        if run.costs.min() > 0 and top > 100 * max(floor, 1e-300):
            axes.set_yscale("log")
        else:
            axes.set_ylim(-0.02 * top, 1.06 * top)
        if floor > 0:
            axes.axhline(floor, color=CLOSED, linewidth=1.0, linestyle=(0, (5, 4)))
            _note(axes, floor, f"closed form {floor:.4g}", on_the_right=True)
        fast, still = verdict.fast_phase.end, verdict.standstill.start
        # Words to the left of their line go above those to the right of theirs, so that lines
        # do not run through words; where they must, the later words cover the earlier line.
        fast_height, still_height = 104, 52
        if still is not None and not _is_on_the_left(axes, still, float(run.costs[still])):
            fast_height, still_height = 52, 104
        _mark(axes, run.costs, still, "printed cost stands still", still_height)
        _mark(axes, run.costs, fast, "fast phase ends", fast_height)
        axes.set(title="Cost", xlabel="epoch", ylabel="mean squared error")


def _draw_distance(axes: Axes, run: Run) -> None:
    with require("matplotlib").rc_context(STYLE):
        convergence = run.verdict.convergence
        _epoch_axis(axes, run)
        shown = np.where(run.distances > 0, run.distances, np.nan)
        _series(axes, shown, POINTS)
        if np.isfinite(shown).any():
            axes.set_yscale("log")
        axes.axhline(convergence.tolerance, color=CLOSED, linewidth=1.0, linestyle=(0, (5, 4)))
        state = "converged" if convergence.converged else "not converged"
        _note(axes, convergence.tolerance, f"three digits right: {state}", on_the_right=False)
        axes.set(
            title="Distance from the closed form",
            xlabel="epoch",
            ylabel="farthest coefficient, relative",
        )


def _note(axes: Axes, height: float, words: str, *, on_the_right: bool) -> None:
    axes.annotate(
        words,
        (1 if on_the_right else 0, height),
        (-2 if on_the_right else 6, 4),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="right" if on_the_right else "left",
        fontsize=9,
        color=CLOSED,
    )


def _epoch_axis(axes: Axes, run: Run) -> None:
    """Epochs on a scale that shows both phases: logarithmic, but for 0, once there are many."""
    if run.epochs > 200:
        ticker = require("matplotlib.ticker")
        axes.set_xscale("symlog", linthresh=1, linscale=0.4)
        axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda epoch, _: f"{epoch:,.0f}"))
    axes.set_xlim(-0.02 * run.epochs if run.epochs <= 200 else -0.3, 1.05 * max(1, run.epochs))


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
