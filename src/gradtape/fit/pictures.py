"""All pictures of a result, by the names of their files."""

from __future__ import annotations

from .plot_cost import cost_figure
from .plot_fit import fit_figure
from .plot_path import path_figure
from .result import Result
from .style import png

__all__ = ["pictures"]


def pictures(result: Result) -> dict[str, bytes]:
    """Return fit.png, cost.png and path.png."""
    figures = {"fit.png": fit_figure, "cost.png": cost_figure, "path.png": path_figure}
    return {name: png(make(result)) for name, make in figures.items()}
