"""fit.png: the data with the fitted curve; or, with several predictors, what was predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .problems import require
from .result import Result
from .rows import Block
from .style import CLOSED, DASHES, EARLY, LINE, MUTED, POINTS, figure, plain, ramp, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_fit", "fit_figure"]

Array = NDArray[np.float64]


def fit_figure(result: Result) -> Figure:
    """Return the picture of the data with the fitted curve, or of predictions and residuals."""
    if result.problem.design.curve_variable is not None:
        made, (axes,) = figure(7.2, 4.8, 1)
        draw_fit(axes, result)
        return made
    made, (left, right) = figure(10.8, 4.8, 2)
    with styled():
        made.suptitle(plain(_title(result), 100), x=0.012, ha="left", fontweight="bold")
        if result.problem.loss.labels == "binary":
            _draw_probabilities(left, result)
            _draw_calibration(right, result)
        else:
            _draw_observed(left, result)
            _draw_residuals(right, result)
    return made


def draw_fit(axes: Axes, result: Result) -> None:
    """Draw the data and the curve over it or, with several predictors, observed over predicted."""
    with styled():
        if result.problem.design.curve_variable is None:
            _draw_observed(axes, result)
        else:
            _draw_curve(axes, result, result.problem.design.curve_variable)


def _title(result: Result) -> str:
    score = result.score
    words = result.problem.design.formula
    if score.r2 is not None:
        return f"{words}   (R² = {score.r2:.3f})"
    if score.explained is not None:
        return f"{words}   ({100 * score.explained:.1f} % of the deviance explained)"
    return words


def _means(result: Result, coefficients: Array, X: Array) -> Array:
    """The predicted means of rows in the data's units."""
    problem = result.problem
    parameters = coefficients[: len(problem.model.names)]
    with np.errstate(all="ignore"):
        made = problem.loss.link.mean(problem.model(parameters, X))
    return np.asarray(made, dtype=np.float64)


def _shown(result: Result) -> str:
    """What the label of the points is: how many they are when they are not all."""
    design = result.problem.design
    shown = len(design.sample)
    return "data" if shown == design.n else f"data ({shown:,} of {design.n:,} rows)"


# -- a curve over one variable ----------------------------------------------------------------


def _draw_curve(axes: Axes, result: Result, variable: str) -> None:
    pd = require("pandas")
    problem, design = result.problem, result.problem.design
    x = design.frame[variable].to_numpy(dtype=np.float64)
    grid = np.linspace(x.min(), x.max(), 300)
    X = design.recipe.predictors(pd.DataFrame({variable: grid}))
    final = _means(result, result.final, X)
    reference = result.reference if problem.is_quadratic else None
    closed = None if reference is None else _means(result, reference.coefficients, X)
    # The whole curve is in the picture, unless it would push the data to the edge: an unfinished
    # descent may end far outside.
    y = design.sample.y
    low, high = float(y.min()), float(y.max())
    span = high - low
    shown = final[np.isfinite(final)] if closed is None else np.concatenate([final, closed])
    lines = shown.clip(low - 0.6 * span, high + 0.6 * span)
    bottom = min(low, float(lines.min(initial=low))) - 0.06 * span
    top = max(high, float(lines.max(initial=high))) + 0.06 * span
    early = {epoch: _means(result, result.coefficients[epoch], X) for epoch in _telling(result)}
    early = {e: curve for e, curve in early.items() if np.any((curve > bottom) & (curve < top))}

    _draw_points(axes, result, x)
    colors = ramp()
    for position, curve in enumerate(early.values()):
        axes.plot(grid, curve, color=colors(position / len(early)), linewidth=1.3, alpha=0.9)
    band = _band(result, X)
    if band is not None:
        axes.fill_between(grid, *band, color=LINE, alpha=0.16, linewidth=0)
    who = "gradient descent" if result.plan.optimizer.name == "gd" else result.plan.optimizer.title
    label = f"{who}, epoch {result.epochs:,}" + (", with its 95 % band" if band is not None else "")
    axes.plot(grid, final, color=LINE, linewidth=2.6, label=label)
    if closed is not None:
        axes.plot(grid, closed, color=CLOSED, linewidth=1.2, linestyle=DASHES, label="closed form")
    if early:
        words = f"epoch{'s' * (len(early) > 1)} {', '.join(map(str, early))}"
        axes.plot([], [], color=EARLY[1], linewidth=1.3, label=words)
    axes.set_ylim(bottom, top)
    axes.set(title=plain(design.formula), xlabel=plain(variable), ylabel=plain(_label(result)))
    axes.legend(loc="best")


def _label(result: Result) -> str:
    labels = result.problem.design.labels
    name = result.problem.design.response
    return name if labels is None else f"{name} = {labels.one}"


def _draw_points(axes: Axes, result: Result, x: Array) -> None:
    sample = result.problem.design.sample
    y = sample.y
    if result.problem.loss.labels == "binary":
        # Apart by chance, so that one does not hide the other; and the share of 1 in groups.
        y = y + np.random.default_rng(0).uniform(-0.02, 0.02, len(y))
        groups = _neighbours(x)
        middle = [float(x[group].mean()) for group in groups]
        share = [float(sample.y[group].mean()) for group in groups]
        axes.scatter(
            middle, share, s=46, facecolor="white", edgecolor=POINTS, linewidth=1.4, zorder=3,
            label="share of 1 in groups",
        )  # fmt: skip
    few = len(y) <= 100
    axes.scatter(
        x, y, s=26 if few else 20, color=POINTS, alpha=0.85 if few else 0.4, linewidths=0,
        zorder=2.5 if few else 1, label=_shown(result),
    )  # fmt: skip


def _neighbours(x: Array) -> list[Any]:
    """Rows with the same value or, where there are many values, with values nearby."""
    values = np.unique(x)
    if len(values) <= 12:
        return [np.flatnonzero(x == value) for value in values]
    return np.array_split(np.argsort(x, kind="stable"), max(2, min(10, len(x) // 10)))


def _band(result: Result, X: Array) -> tuple[Array, Array] | None:
    """The 95 % band of the mean along the curve."""
    problem, sure = result.problem, result.uncertainty
    if sure.covariance is None:
        return None
    p = len(problem.model.names)
    with np.errstate(all="ignore"):
        J = problem.model.jacobian(result.final[:p], X)
        middle = np.asarray(problem.model(result.final[:p], X), dtype=np.float64)
        reach = sure.quantile * np.sqrt(np.einsum("ij,jk,ik->i", J, sure.covariance[:p, :p], J))
        ends = (problem.loss.link.mean(middle + sign * reach) for sign in (-1, 1))
        low, high = (np.asarray(end, dtype=np.float64) for end in ends)
    return (low, high) if np.isfinite(low).all() and np.isfinite(high).all() else None


def _telling(result: Result) -> list[int]:
    """Epochs before the last whose curves can be told apart: each two thirds nearer than the last.

    For squares, the root of the excess cost is the root mean square distance of an epoch's
    fitted values from the best ones.
    """
    costs = result.costs
    problem = result.problem
    lowest = problem.lowest_cost if problem.is_quadratic else float(costs.min())
    excess = np.sqrt(np.maximum(costs - lowest, 0.0))
    chosen = [0]
    for epoch in range(1, len(excess) - 1):
        if excess[epoch] < 0.02 * excess[0] or len(chosen) == 9:
            break
        if excess[epoch] <= 0.67 * excess[chosen[-1]]:
            chosen.append(epoch)
    return chosen if len(costs) > 1 else []


# -- several predictors -----------------------------------------------------------------------


def _fitted(result: Result) -> tuple[Block, Array]:
    sample = result.problem.design.sample
    return sample, _means(result, result.final, sample.X)


def _draw_observed(axes: Axes, result: Result) -> None:
    design = result.problem.design
    sample, fitted = _fitted(result)
    ends = np.array([min(fitted.min(), sample.y.min()), max(fitted.max(), sample.y.max())])
    axes.scatter(
        fitted, sample.y, s=20, color=POINTS, alpha=0.4, linewidths=0, label=_shown(result)
    )
    axes.plot(ends, ends, color=LINE, linewidth=2.0, label="true = predicted")
    axes.set(
        title="Predicted against true",
        xlabel=plain(f"predicted {design.response}"),
        ylabel=plain(f"true {design.response}"),
    )
    axes.legend(loc="best")


def _draw_residuals(axes: Axes, result: Result) -> None:
    sample, fitted = _fitted(result)
    residual = sample.y - fitted
    words = "residual"
    if result.problem.loss.labels == "count":
        residual = residual / np.sqrt(np.maximum(fitted, 1e-300))
        words = "residual / root of the mean"
    axes.axhline(0.0, color=LINE, linewidth=2.0)
    axes.scatter(fitted, residual, s=20, color=POINTS, alpha=0.4, linewidths=0)
    groups = _groups(fitted, 12)
    if len(groups) > 2:
        middle = [float(fitted[group].mean()) for group in groups]
        mean = [float(residual[group].mean()) for group in groups]
        axes.plot(
            middle, mean, color=CLOSED, linewidth=1.4, marker="o", markersize=4,
            label="mean of neighbours",
        )  # fmt: skip
        axes.legend(loc="best")
    axes.set(
        title="Residuals",
        xlabel=plain(f"predicted {result.problem.design.response}"),
        ylabel=words,
    )


def _groups(values: Array, count: int) -> list[Any]:
    """Neighbours in groups of at least eight."""
    order = np.argsort(values, kind="stable")
    return np.array_split(order, max(1, min(count, len(values) // 8)))


def _draw_probabilities(axes: Axes, result: Result) -> None:
    sample, fitted = _fitted(result)
    labels = result.problem.design.labels
    names = ("0", "1") if labels is None else (labels.zero, labels.one)
    bins = np.linspace(0, 1, 26).tolist()
    for value, name, color in ((0, names[0], POINTS), (1, names[1], LINE)):
        chosen = (sample.y > 0.5) == bool(value)
        axes.hist(
            fitted[chosen], bins=bins, color=color, alpha=0.55,
            label=plain(f"{result.problem.design.response} = {name}", 40),
        )  # fmt: skip
    axes.set(title="Predicted probabilities", xlabel=plain(f"probability of {names[1]}"),
             ylabel="rows", xlim=(0, 1))  # fmt: skip
    axes.legend(loc="upper center")


def _draw_calibration(axes: Axes, result: Result) -> None:
    sample, fitted = _fitted(result)
    groups = _groups(fitted, 10)
    middle = np.array([float(fitted[group].mean()) for group in groups])
    share = np.array([float(sample.y[group].mean()) for group in groups])
    size = np.array([len(group) for group in groups])
    reach = 1.96 * np.sqrt(np.maximum(middle * (1 - middle), 1e-12) / size)
    axes.plot([0, 1], [0, 1], color=LINE, linewidth=2.0, label="true = predicted")
    axes.errorbar(
        middle, share, yerr=reach, fmt="o", color=POINTS, ecolor=MUTED, elinewidth=1.0,
        markersize=6, label="groups of rows, with what chance explains",
    )  # fmt: skip
    axes.set(title="Predicted against true", xlabel="mean predicted probability",
             ylabel="share of the rows", xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))  # fmt: skip
    axes.legend(loc="upper left")
