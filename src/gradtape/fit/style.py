"""What all pictures share: colours, type, and how a figure becomes a file.

Drawn on `matplotlib.figure.Figure` without pyplot: no window, no backend, no global state.
"""

from __future__ import annotations

import io
import re
import textwrap
from typing import TYPE_CHECKING, Any

from .problems import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["CLOSED", "DASHES", "EARLY", "GRID", "LINE", "MUTED", "POINTS", "STYLE", "figure",
           "logarithmic", "note", "plain", "png", "ramp", "styled"]  # fmt: skip

POINTS, LINE, CLOSED, MUTED, GRID = "#35618f", "#d1495b", "#1d2733", "#66717d", "#e6e9ed"
EARLY = ("#f7dfa5", "#edae49", "#d1495b")
DASHES: Any = (0, (5, 4))
_POWER = re.compile(r"\$\\mathdefault\{(.*\\times)?10\^\{(-?\d+)\}\}\$")
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

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


def logarithmic(axes: Axes) -> None:
    """Make the scale of y logarithmic, with its powers of ten in plain characters.

    matplotlib sets them as mathematics, whose parser takes a tenth of the time of all pictures. So
    it does here with a font that somebody has chosen, which may not have raised digits.
    """
    axes.set_yscale("log")
    settings = require("matplotlib").rcParams
    font = (*settings["font.family"], *settings["font.sans-serif"])
    if font[:2] != ("sans-serif", "DejaVu Sans") or settings["text.usetex"]:
        return
    usual = require("matplotlib.ticker").LogFormatterSciNotation

    class Powers(usual):  # type: ignore[misc, valid-type]
        def __call__(self, x: float, pos: int | None = None) -> str:
            said = str(super().__call__(x, pos))
            found = _POWER.fullmatch(said)
            if found is None:
                return said
            times = found[1].replace(r"\times", "×") if found[1] else ""
            return f"{times}10{found[2].translate(_RAISED)}"

    axes.yaxis.set_major_formatter(Powers())
    axes.yaxis.set_minor_formatter(Powers())


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
