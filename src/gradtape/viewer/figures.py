"""`run.figure(kind)`: the page's pictures of cost, fit, path and gradient flow, by matplotlib.

Each is drawn from the panel of the same name, so that page and figure show the same numbers.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import RunError, three_part
from ..fit.problems import MissingExtraError, require
from ..fit.style import (
    CLOSED,
    DASHES,
    EARLY,
    GRID,
    LINE,
    MUTED,
    POINTS,
    figure,
    plain,
    png,
    ramp,
    styled,
)
from ..record.doors import choice_of
from ..record.panels import validation_of
from ..record.reader import Reader
from ..record.reduction import extremes
from . import panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["KINDS", "draw"]

Array = NDArray[np.float64]

SMALL = 9.0
OTHERS = ("#2f7d5b", "#7a4fa3", "#b9770e", "#66717d")  # lines of further costs
POINTS_DRAWN, STEPS_DRAWN, SIDE = 2_000, 600, 80


def draw(
    run: str | os.PathLike[str] | Reader,
    kind: str,
    *,
    step: int | None = None,
    cost: int | str | None = None,
) -> Figure:
    """Return a figure of a recorded run.

    Parameters
    ----------
    run : path or Reader
        The run.
    kind : str
        "cost": with the end of its fast phase, its standstill and its lowest value. "fit": the
        data and the model at a step, with earlier ones. "path": the way of the parameters on the
        contours of the loss. "flow": gradient norms and relative updates of each variable.
    step : int, optional
        For "fit": the step, by default the last.
    cost : int or str, optional
        Of a run whose steps descend several costs, the one that is meant, by number or name: by
        default "cost" and "flow" draw all, "fit" and "path" the first.

    Raises
    ------
    ValueError or TypeError
        If there is no such kind.
    RunError
        If the run does not hold what the figure shows; it says why.
    ImportError
        If matplotlib is not installed.
    """
    choice_of("figure", "kind", kind, tuple(KINDS))
    if find_spec("matplotlib") is None:
        raise MissingExtraError(
            three_part(
                "run.figure needs matplotlib, which is not installed.",
                "",
                'Install it: pip install "gradtape[fit]"',
            )
        )
    reader: Any = run if isinstance(run, Reader) else Reader(run)
    if cost is not None:
        reader = reader.of_cost(cost)
    with styled():
        made: Figure = KINDS[kind](reader, step)
    return shows_itself(made)


def shows_itself(made: Figure) -> Figure:
    """The figure, of a class that a notebook shows as a picture without `%matplotlib inline`."""
    kind = type(made)
    if not hasattr(kind, "_repr_png_"):
        made.__class__ = type(kind.__name__, (kind,), {"_repr_png_": png, "__module__": __name__})
    return made


def _shown(reader: Reader, kind: str, drawn: Any) -> tuple[dict[str, Any], list[Array]]:
    """A panel's header and arrays; why there are none is an error."""
    if isinstance(drawn, str):
        raise RunError(
            three_part(
                f"figure: the run {reader.path} has no {kind} to draw.",
                drawn,
                "Name the data if it was not recognized: run.roles(x=..., y=..., prediction=...)"
                if kind == "fit" and reader.count()
                else 'Record the training loop, at level="standard": with gt.Recording(path): ...',
            )
        )
    header, arrays = drawn
    return header, [np.asarray(each, float) for each in arrays]


def _axis(ends: Any, n: int) -> Array:
    low, high = map(float, ends)
    return np.linspace(low, high, n)


# -- cost -------------------------------------------------------------------------------------


def _cost(reader: Reader, step: int | None) -> Figure:
    names = {column.name for column in reader.columns()}
    if "cost" not in names:
        _shown(reader, "cost", "No cost was recorded: no gradient of a number was asked for.")
    made, (axes,) = figure(7.2, 4.6, 1)
    steps, costs = reader.series("cost")
    kept = extremes(costs, POINTS_DRAWN)
    drawn = [costs[np.isfinite(costs)]]
    validation = validation_of(reader)
    marker = "o" if len(costs) <= 60 else ""
    first, *others = [cost.name for cost in reader.costs()] or ["cost"]
    lines = [(steps[kept], costs[kept], LINE, first if others else "training")]
    for other, color in zip(reader.costs()[1:], OTHERS, strict=False):
        at, values = reader.series(other.column)
        inner = extremes(values, POINTS_DRAWN)
        lines.append((at[inner], values[inner], color, other.name))
        drawn.append(values[np.isfinite(values)])
    if validation is not None:
        at, values = reader.series(validation)
        inner = extremes(values, POINTS_DRAWN)
        lines.append((at[inner], values[inner], POINTS, "validation"))
        drawn.append(values[np.isfinite(values)])
    for at, values, color, label in lines:
        shown = np.where(np.isfinite(values), values, np.nan)
        axes.plot(at, shown, color=color, linewidth=2.0, marker=marker, markersize=4, label=label)
    _cost_axes(axes, reader, np.concatenate(drawn))
    _marks(axes, _verdict(reader), steps, costs)
    _not_finite(axes, steps, costs)
    axes.set(title="Cost", xlabel="step", ylabel="cost")
    if len(lines) > 1:
        axes.legend(loc="center right")
    return made


def _cost_axes(axes: Axes, reader: Reader, finite: Array) -> None:
    if not finite.size:
        return
    low, high = float(finite.min()), float(finite.max())
    if low > 0 and high > 100 * low:
        span = np.log10(high) - np.log10(low)
        ends = np.log10(low) - 0.05 * span, min(np.log10(high) + 0.08 * span, 307.5)
        axes.set_ylim(10 ** ends[0], 10 ** ends[1])  # first: margins of 1e300 overflow
        axes.set_yscale("log")
        if span > 30:
            ticker = require("matplotlib.ticker")
            powers = ticker.MaxNLocator(7, integer=True).tick_values(*ends)
            inside = powers[(powers >= ends[0]) & (powers <= ends[1])]
            axes.yaxis.set_major_locator(ticker.FixedLocator((10.0**inside).tolist()))
            axes.yaxis.set_minor_locator(ticker.NullLocator())
    elif 0 <= low < 0.25 * high:
        axes.set_ylim(-0.02 * high, 1.06 * high)
    else:
        room = high - low or abs(high) or 1.0
        axes.set_ylim(high - 1.08 * room, high + 0.06 * room)
    first, last = float(reader.first or 0), float(reader.last or 0)
    if last - first > 200:
        ticker = require("matplotlib.ticker")
        axes.set_xscale("symlog", linthresh=1, linscale=0.4)
        axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda at, _: f"{at:,.0f}"))
        axes.set_xlim(first - 0.3, 1.15 * last)
    else:
        axes.set_xlim(first - 0.02 * (last - first or 1), last + 0.04 * (last - first or 1))


def _verdict(reader: Reader) -> dict[str, Any]:
    """The facts of the verdict; none where it cannot be given."""
    try:
        return panels.judged(panels.verdict(reader))
    except RunError:
        return {}


def _marks(axes: Axes, verdict: dict[str, Any], steps: Array, costs: Array) -> None:
    """Where the fast phase ends, where the printed cost stands still, and the lowest cost."""
    places = [
        ("fast phase ends", (verdict.get("fast_phase") or {}).get("end")),
        ("printed cost stands still", (verdict.get("standstill") or {}).get("start")),
    ]
    finite = np.flatnonzero(np.isfinite(costs))
    if finite.size:
        best = finite[costs[finite].argmin()]
        places.append((f"lowest, {costs[best]:.4g},", float(steps[best])))
        axes.plot(steps[best], costs[best], "o", markersize=9, markerfacecolor="none",
                  markeredgecolor=CLOSED, markeredgewidth=1.4, zorder=4)  # fmt: skip
    told = [(words, at) for words, at in places if at is not None]
    across = axes.get_xaxis_transform()
    for i, (words, at) in enumerate(sorted(told, key=lambda each: each[1])):
        where = axes.transData.transform((at, 1.0))
        is_left = float(axes.transAxes.inverted().transform(where)[0]) < 0.5
        axes.axvline(at, color=MUTED, linewidth=0.9, linestyle=DASHES, zorder=1)
        axes.annotate(
            f"{words} at step {int(at):,}", (at, 0.88 - 0.085 * i), (6 if is_left else -6, 0),
            xycoords=across, textcoords="offset points", ha="left" if is_left else "right",
            va="center", fontsize=SMALL, color=CLOSED, zorder=5,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5, "alpha": 0.9},
        )  # fmt: skip


def _not_finite(axes: Axes, steps: Array, costs: Array) -> None:
    """Crosses at the upper edge where the cost is NaN or infinite: it is not left out silently."""
    bad = np.flatnonzero(~np.isfinite(costs))
    if not bad.size:
        return
    few = bad[np.unique(np.linspace(0, bad.size - 1, min(bad.size, 60)).astype(int))]
    across = axes.get_xaxis_transform()
    axes.plot(steps[few], np.full(len(few), 0.985), "x", color=LINE, markersize=6,
              transform=across, clip_on=False)  # fmt: skip
    kind = "NaN" if np.isnan(costs[bad[0]]) else "infinite"
    is_right = bad[0] > len(steps) / 3
    axes.annotate(
        f"{kind} from step {int(steps[bad[0]]):,}", (steps[bad[0]], 0.985),
        (-10 if is_right else 0, -2 if is_right else -16), xycoords=across,
        textcoords="offset points", ha="right" if is_right else "left", va="center",
        fontsize=SMALL, color=LINE, fontweight="bold",
    )  # fmt: skip


# -- fit --------------------------------------------------------------------------------------


def _fit(reader: Reader, step: int | None) -> Figure:
    at = int(reader.last or 0) if step is None else int(step)
    header, arrays = _shown(reader, "fit", panels.fit(reader, at))
    made, (axes,) = figure(7.2, 4.8, 1)
    x, y, prediction, grid, curve = arrays[:5]
    names = header["names"]
    if header["kind"] == "classes":
        _classes(axes, header, panels.regions(reader, at, SIDE), x, grid, y, prediction)
        return made
    if header["kind"] == "scatter" or not len(grid):
        _predicted(axes, header, y, prediction)
        return made
    low, high = float(np.min(y)), float(np.max(y))
    room = 0.6 * (high - low or 1.0)
    near = (prediction > low - room) & (prediction < high + room)
    axes.vlines(x[near], y[near], prediction[near], color=MUTED, linewidth=0.8, alpha=0.35,
                zorder=1)  # fmt: skip
    _points(axes, x, y)
    told = []
    for early in _earlier(reader, at):
        drawn = panels.fit(reader, early)
        if not isinstance(drawn, str) and len(drawn[1][4]) == len(grid):
            ghost = np.asarray(drawn[1][4], float)
            if np.any((ghost > low - room) & (ghost < high + room)):
                told.append((early, np.asarray(drawn[1][3], float), ghost))
    colors = ramp()
    for i, (_, along, ghost) in enumerate(told):
        axes.plot(along, ghost, color=colors(i / len(told)), linewidth=1.3, alpha=0.9)
    axes.plot(grid, curve, color=LINE, linewidth=2.6, label=f"model at step {at:,}")
    if told:
        words = f"at step{'s' * (len(told) > 1)} {', '.join(f'{early:,}' for early, *_ in told)}"
        axes.plot([], [], color=EARLY[1], linewidth=1.3, label=words)
    seen = curve[np.isfinite(curve) & (curve > low - room) & (curve < high + room)]
    if not seen.size:
        words = f"The model at step {at:,} is outside of the picture."
        axes.annotate(words, (0.98, 0.03), xycoords="axes fraction", ha="right", fontsize=SMALL,
                      color=LINE)  # fmt: skip
    bottom, top = min(low, float(seen.min(initial=low))), max(high, float(seen.max(initial=high)))
    axes.set_ylim(bottom - 0.06 * (top - bottom or 1), top + 0.06 * (top - bottom or 1))
    axes.set(title="Fit", xlabel=plain(str(names["x"])), ylabel=plain(str(names["y"])))
    axes.legend(loc="best")
    return made


def _points(axes: Axes, x: Array, y: Array) -> None:
    few = len(y) <= 100
    axes.scatter(x, y, s=26 if few else 20, color=POINTS, alpha=0.85 if few else 0.4,
                 linewidths=0, zorder=2.5 if few else 1, label="data")  # fmt: skip


def _earlier(reader: Reader, at: int) -> list[int]:
    """A few steps before one, closer together where training moves faster: at its beginning."""
    steps = reader.steps()
    before = steps[steps < at].astype(int)
    if not len(before):
        return []
    places = np.unique(np.geomspace(1, len(before), 6).astype(int)) - 1
    return [int(before[place]) for place in places][:5]


def _predicted(axes: Axes, header: dict[str, Any], y: Array, prediction: Array) -> None:
    _points(axes, y, prediction)
    both = np.concatenate([y, prediction])
    both = both[np.isfinite(both)]
    if both.size:
        ends = [both.min(), both.max()]
        axes.plot(ends, ends, color=CLOSED, linewidth=1.0, linestyle=DASHES, label="right")
    name = plain(str(header["names"]["y"]))
    axes.set(title=f"Predictions at step {header['step']:,}", xlabel=name,
             ylabel=f"prediction of {name}")  # fmt: skip
    axes.legend(loc="best")


def _classes(
    axes: Axes, header: dict[str, Any], regions: Any, x: Array, second: Array, y: Array,
    prediction: Array,
) -> None:  # fmt: skip
    """The data by their classes over the regions of the model; what it has wrong is circled."""
    labels = [f"{label:g}" if isinstance(label, float) else str(label)
              for label in header.get("classes") or []]  # fmt: skip
    count = max(2, len(labels), int(np.nanmax(y, initial=1)) + 1)
    colors = _class_colors(count)
    right = np.round(prediction) == y
    if not isinstance(regions, str):
        about, (values, *_) = regions
        n = about["n"]
        grid = np.asarray(values, float).reshape(n, n)
        u, v = _axis(about["x"], n), _axis(about["y"], n)
        if count == 2:
            axes.contourf(u, v, grid, levels=np.linspace(0, 1, 11), cmap=_between(colors),
                          alpha=0.5)  # fmt: skip
            axes.contour(u, v, grid, levels=[0.5], colors=CLOSED, linewidths=1.2)
        else:
            shades = require("matplotlib.colors").ListedColormap(colors)
            axes.pcolormesh(u, v, grid, cmap=shades, vmin=-0.5, vmax=count - 0.5, alpha=0.3,
                            rasterized=True)  # fmt: skip
        axes.grid(visible=False)
    down = second if np.isfinite(second).any() else y
    for i in range(count):
        of = y == i
        axes.scatter(x[of], down[of], s=24, color=colors[i], edgecolor="white", linewidth=0.6,
                     label=plain(labels[i] if i < len(labels) else str(i)), zorder=3)  # fmt: skip
    if not right.all():
        axes.scatter(x[~right], down[~right], s=70, facecolor="none", edgecolor=CLOSED,
                     linewidth=1.1, label="wrong", zorder=4)  # fmt: skip
    inputs = [plain(str(name)) for name in header["inputs"]]
    title = f"Classes at step {header['step']:,}: {100 * right.mean():.4g} % right"
    axes.set(title=title, xlabel=inputs[0], ylabel=inputs[1] if len(inputs) > 1 else "class")
    axes.legend(loc="best", frameon=True, framealpha=0.9, edgecolor="none")


def _class_colors(count: int) -> list[Any]:
    if count == 2:
        return [POINTS, LINE]
    colormap = require("matplotlib").colormaps["tab10"]
    return [colormap(i % 10) for i in range(count)]


def _between(colors: list[Any]) -> Any:
    mixed = [colors[0], "#ffffff", colors[1]]
    return require("matplotlib.colors").LinearSegmentedColormap.from_list("classes", mixed)


# -- path -------------------------------------------------------------------------------------


def _path(reader: Reader, step: int | None) -> Figure:
    header, arrays = _shown(reader, "path", panels.path(reader))
    steps, u, v, gu, gv = arrays[:5]
    made, (axes,) = figure(7.2, 5.4, 1)
    landscape = panels.landscape(reader, SIDE)
    notes = []
    if isinstance(landscape, str):
        notes.append(f"no contours: {landscape}")
    else:
        about, (losses, *_) = landscape
        _contours(axes, about, np.asarray(losses, float))
        if about.get("note"):
            notes.append(about["note"])
        ends = [*axes.get_xlim(), *axes.get_ylim()]
        if len(u) and not (ends[0] <= u[-1] <= ends[1] and ends[2] <= v[-1] <= ends[3]):
            notes.append("the way leaves the picture")
    fine = np.isfinite(u) & np.isfinite(v)
    _way(axes, steps[fine], u[fine], v[fine])
    _arrows(axes, *(each[fine] for each in (u, v, gu, gv)))
    labels = [plain(str(name)) for name in header["axes"]]
    if header["kind"] == "pca":
        shares = header.get("explained") or []
        labels = [f"{name} ({100 * share:.3g} % of the way)" for name, share
                  in zip(labels, shares, strict=False)] or labels  # fmt: skip
        notes.append("a plane laid through the way of all parameters")
    if notes:
        axes.set_title("\n".join(plain(note, 90) for note in notes), fontsize=SMALL, color=MUTED,
                       loc="left", fontweight="normal")  # fmt: skip
        made.suptitle("Parameter path", x=0.012, ha="left", fontweight="bold")
    else:
        axes.set_title("Parameter path")
    axes.set(xlabel=labels[0], ylabel=labels[1] if len(labels) > 1 else "")
    axes.legend(loc="best", frameon=True, framealpha=0.9, edgecolor="none")
    return made


def _contours(axes: Axes, about: dict[str, Any], losses: Array) -> None:
    """Lines of equal loss: close at the bottom, where a linear scale would show none."""
    n = about["n"]
    losses = losses.reshape(n, n)
    u, v = _axis(about["u"], n), _axis(about["v"], n)
    finite = losses[np.isfinite(losses)]
    if not finite.size or finite.max() <= finite.min():
        return
    low, high = float(finite.min()), float(np.quantile(finite, 0.98))
    levels = low + (high - low) * np.linspace(0, 1, 16)[1:] ** 2.5
    colors = require("matplotlib.colors")
    shades = colors.LinearSegmentedColormap.from_list("loss", ["#dfe9f2", "#ffffff"])
    norm = colors.BoundaryNorm([low, *levels], 256)
    shown = np.ma.masked_invalid(losses)
    axes.contourf(u, v, shown, levels=[low, *levels], cmap=shades, norm=norm, extend="max")
    axes.contour(u, v, shown, levels=levels, colors="#9fb4c8", linewidths=0.7)
    axes.grid(visible=False)
    axes.set(xlim=about["u"], ylim=about["v"])


def _way(axes: Axes, steps: Array, u: Array, v: Array) -> None:
    collections = require("matplotlib.collections")
    path = np.stack([u, v], axis=1)
    if not len(path):
        return
    kept = np.unique(np.linspace(0, len(path) - 1, min(len(path), POINTS_DRAWN)).astype(int))
    shown = path[kept]
    if len(shown) > 1:
        segments = np.stack([shown[:-1], shown[1:]], axis=1)
        colors = ramp()(np.linspace(0.15, 1.0, len(segments)))
        axes.add_collection(collections.LineCollection(segments, colors=colors, linewidths=2.2))
    if len(path) <= 200:
        colors = ramp()(np.linspace(0.15, 1.0, len(path)))
        axes.scatter(u, v, s=12, c=colors, zorder=3, linewidths=0)
    axes.scatter(u[0], v[0], s=60, zorder=4, label=f"step {int(steps[0]):,}", facecolor="white",
                 edgecolor=MUTED, linewidth=1.6)  # fmt: skip
    axes.scatter(u[-1], v[-1], s=60, color=LINE, zorder=4, linewidths=0,
                 label=f"step {int(steps[-1]):,}")  # fmt: skip


def _arrows(axes: Axes, u: Array, v: Array, gu: Array, gv: Array) -> None:
    """The direction of steepest descent at a few points that lie apart, all of one length."""
    size = np.hypot(np.ptp(u), np.ptp(v)) if len(u) else 0.0
    if not size or not np.isfinite(size):
        return
    along = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(u), np.diff(v)))])
    places = np.unique(np.searchsorted(along, np.linspace(0, 0.9 * along[-1], 6)))
    norm = np.hypot(gu[places], gv[places])
    fine = np.isfinite(norm) & (norm > 0)
    if not fine.any():
        return
    places, norm = places[fine], norm[fine]
    axes.quiver(
        u[places], v[places], -gu[places] / norm, -gv[places] / norm, angles="xy", color=CLOSED,
        width=0.0035, scale=14, scale_units="width", zorder=3.5,
    )  # fmt: skip

    axes.plot([], [], color=CLOSED, linestyle="none", marker=r"$\rightarrow$", markersize=14,
              label="steepest descent")  # fmt: skip


# -- flow -------------------------------------------------------------------------------------


def _flow(reader: Reader, step: int | None) -> Figure:
    header, arrays = _shown(reader, "gradient flow", panels.flow(reader, STEPS_DRAWN))
    steps, names, rows = arrays[0], header["names"], header["rows"]
    series = np.array(arrays[1:]).reshape(len(names), len(rows), len(steps))
    made, axes = figure(10.8, max(2.6, 1.7 + 0.42 * len(names)), 2)
    shown = (
        ("gradnorm", "Gradient norm", "viridis", None),
        ("ratio", "Size of an update, relative to the variable", "RdBu_r", (-6.0, 0.0)),
    )
    for place, (row, title, colors, limits) in zip(axes, shown, strict=True):
        _heat(made, place, steps, names, series[:, rows.index(row)], title, colors, limits)
    axes[1].set_yticklabels([])
    return made


def _heat(
    made: Figure, axes: Axes, steps: Array, names: list[str], values: Array, title: str,
    colors: str, limits: tuple[float, float] | None,
) -> None:  # fmt: skip
    """Variables by steps, by the power of ten; grey is 0 or not known, red is not finite."""
    with np.errstate(all="ignore"):
        powers = np.where(values > 0, np.log10(values), np.nan)
    finite = powers[np.isfinite(powers)]
    low, high = limits or ((float(finite.min()), float(finite.max())) if finite.size else (0, 1))
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    first = float(2 * steps[0] - steps[1]) if len(steps) > 1 else float(steps[0]) - 1
    edges = np.concatenate([[first], steps]) + 1
    mesh = axes.pcolormesh(edges, np.arange(len(names) + 1), np.ma.masked_invalid(powers),
                           cmap=colors, vmin=low, vmax=high, rasterized=True)  # fmt: skip
    axes.set_facecolor(GRID)
    wrong = np.ma.masked_where(np.isfinite(values), np.ones_like(values))
    if limits is None and not np.ma.getmaskarray(wrong).all():
        red = require("matplotlib.colors").ListedColormap([LINE])
        axes.pcolormesh(edges, np.arange(len(names) + 1), wrong, cmap=red, rasterized=True)
    axes.set_yticks(np.arange(len(names)) + 0.5, [plain(str(name), 24) for name in names])
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.tick_params(length=0)
    ticker = require("matplotlib.ticker")
    whole = high - low >= 2
    bar = made.colorbar(
        mesh, ax=axes, pad=0.02, fraction=0.05, ticks=ticker.MaxNLocator(6, integer=whole),
        format=ticker.FuncFormatter(lambda p, _: f"1e{p:.0f}" if whole else f"{10.0**p:.2g}"),
    )  # fmt: skip
    bar.outline.set_visible(False)
    axes.set(title=title, xlabel="step")


KINDS: dict[str, Any] = {"cost": _cost, "fit": _fit, "path": _path, "flow": _flow}
