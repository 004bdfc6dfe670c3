"""What all pictures share: colours, type, and how a figure becomes a file.

Drawn on `matplotlib.figure.Figure` without pyplot: no window, no backend, no global state.
"""

from __future__ import annotations

import io
import textwrap
from typing import TYPE_CHECKING, Any

from .problems import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["CLOSED", "DASHES", "EARLY", "GRID", "LINE", "MUTED", "POINTS", "STYLE", "figure",
           "note", "plain", "png", "ramp", "styled"]  # fmt: skip

POINTS, LINE, CLOSED, MUTED, GRID = "#35618f", "#d1495b", "#1d2733", "#66717d", "#e6e9ed"
EARLY = ("#f7dfa5", "#edae49", "#d1495b")
DASHES: Any = (0, (5, 4))

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


def styled() -> Any:
    """Return the context in which everything is drawn."""
    return require("matplotlib").rc_context(STYLE)


def figure(width: float, height: float, columns: int) -> tuple[Figure, list[Axes]]:
    """Return a figure and its axes, side by side."""
    with styled():
        layout = require("matplotlib.layout_engine").ConstrainedLayoutEngine(wspace=0.06)
        made: Figure = require("matplotlib.figure").Figure(figsize=(width, height), layout=layout)
        return made, [made.add_subplot(1, columns, i + 1) for i in range(columns)]


def png(made: Figure) -> bytes:
    """Return the figure as a PNG file; figures of the same result give the same bytes."""
    buffer = io.BytesIO()
    with styled():
        # Drawn once: savefig would draw it a first time to lay it out, and then again.
        made.set_dpi(150)
        canvas = require("matplotlib.backends.backend_agg").FigureCanvasAgg(made)
        canvas.draw()
        require("matplotlib.image").imsave(
            buffer, canvas.buffer_rgba(), format="png", dpi=150,
            metadata={"Software": None}, pil_kwargs={"compress_level": 3},
        )  # fmt: skip
    return buffer.getvalue()


def plain(words: str, width: int = 64) -> str:
    """Return words from the data for a label: no mathematics between dollars, no endless line."""
    return "\n".join(textwrap.wrap(words, width, max_lines=3)).replace("$", r"\$")


def ramp() -> Any:
    """Return the colours of epochs, from early to late."""
    colors = require("matplotlib.colors")
    return colors.LinearSegmentedColormap.from_list("epochs", EARLY)


def note(axes: Axes, height: float, words: str, *, on_the_right: bool) -> None:
    """Write words on a horizontal line."""
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
