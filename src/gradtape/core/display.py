"""A value as HTML for a notebook: shape, dtype, statistics, a small picture, the entries."""

from __future__ import annotations

import html
from typing import Any

import numpy as np

__all__ = ["as_html"]

_WIDTH, _HEIGHT = 240, 48
_CELLS = 48  # of a heat map, along each axis
_INK = "#2b6cb0"
# From low to high: dark blue over a neutral middle to orange; told apart in every common form of
# colour blindness.
_LOW, _MIDDLE, _HIGH = (33, 102, 172), (247, 247, 247), (179, 88, 6)


def as_html(title: str, value: Any) -> str:
    """The HTML of an array or number, under a line that says what it is."""
    array = np.asarray(value)
    head = f"<b>{html.escape(title)}</b>"
    if array.ndim == 0:
        number = f"{array.dtype} <code>{html.escape(str(value))}</code>"
        return f"<div>{head} {number}</div>"
    facts = [f"{array.dtype}{list(array.shape)}", *_statistics(array)]
    parts = [f"<div>{head} {html.escape(' · '.join(facts))}"]
    picture = _picture(array)
    if picture:
        parts.append(f"<div>{picture}</div>")
    text = np.array2string(array, separator=", ", threshold=200, edgeitems=3)
    parts.append(
        f"<details><summary>entries</summary><pre>{html.escape(text)}</pre></details></div>"
    )
    return "".join(parts)


def _statistics(array: Any) -> list[str]:
    if array.dtype.kind not in "fiu" or not array.size:
        return []
    finite = array[np.isfinite(array)]
    found = []
    if finite.size:
        low, high = finite.min(), finite.max()
        found.append(f"{low:.4g} to {high:.4g}")
        with np.errstate(all="ignore"):
            found.append(f"mean {finite.mean(dtype=float):.4g}")
    for count, word in ((np.isnan(array).sum(), "NaN"), (np.isinf(array).sum(), "infinite")):
        if count:
            found.append(f"{count} {word}")
    return found


def _picture(array: Any) -> str:
    """A line for a vector, a heat map for a matrix; of others nothing."""
    if array.dtype.kind not in "fiu" or array.size < 3 or array.ndim > 2:
        return ""
    values = array.astype(float)
    values = values / 2.0 ** max(0, np.frexp(np.abs(values, where=np.isfinite(values),
                                                    out=np.zeros_like(values)).max())[1] - 1000)
    finite = values[np.isfinite(values)]
    if not finite.size:
        return ""
    low, high = float(finite.min()), float(finite.max())
    if array.ndim == 1:
        return _line(values, low, high)
    return _heat_map(values, max(abs(low), abs(high)) or 1.0)


def _svg(width: float, height: float, label: str, body: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}"'
        f' role="img" aria-label="{label}">{body}</svg>'
    )


def _line(values: Any, low: float, high: float) -> str:
    """The vector over its index; of a long one lowest and highest of each piece."""
    index = np.arange(values.size)
    if values.size > 2 * _WIDTH:
        parts = np.array_split(index, _WIDTH)
        filled = np.where(np.isfinite(values), values, (low + high) / 2)
        index = np.concatenate([
            sorted({int(p[filled[p].argmin()]), int(p[filled[p].argmax()])}) for p in parts
        ])  # fmt: skip
    x = 2 + (_WIDTH - 4) * index / max(values.size - 1, 1)
    y = _HEIGHT - 3 - (_HEIGHT - 6) * (values[index] - low) / ((high - low) or 1.0)
    pieces, pen = [], "M"
    for at, height in zip(x, y, strict=True):
        if np.isfinite(height):
            # h0: of a number alone a round cap is seen
            pieces.append(f"{pen}{at:.1f} {height:.1f}{'h0' if pen == 'M' else ''}")
            pen = "L"
        else:
            pen = "M"
    path = (
        f'<path d="{"".join(pieces)}" fill="none" stroke="{_INK}" stroke-width="1.5"'
        ' stroke-linecap="round"/>'
    )
    return _svg(_WIDTH, _HEIGHT, "values over their index", path)


def _heat_map(values: Any, extent: float) -> str:
    rows = np.linspace(0, values.shape[0], min(values.shape[0], _CELLS) + 1).astype(int)
    columns = np.linspace(0, values.shape[1], min(values.shape[1], _CELLS) + 1).astype(int)
    cell = max(3.0, min(14.0, _WIDTH / (len(columns) - 1)))
    squares: dict[str, list[str]] = {}  # of each colour
    for i, (top, bottom) in enumerate(zip(rows, rows[1:], strict=False)):
        for j, (left, right) in enumerate(zip(columns, columns[1:], strict=False)):
            block = values[top:bottom, left:right]
            finite = np.isfinite(block)
            colour = "#000000" if not finite.all() else _colour(float(block.mean()) / extent)
            squares.setdefault(colour, []).append(f"M{j * cell:g} {i * cell:g}")
    size = (len(columns) - 1) * cell, (len(rows) - 1) * cell
    label = "heat map: blue is negative, orange positive, black not finite"
    square = f"h{cell:g}v{cell:g}h-{cell:g}z"
    paths = (
        f'<path fill="{colour}" d="{square.join(starts)}{square}"/>'
        for colour, starts in squares.items()
    )
    return _svg(*size, label, "".join(paths))


def _colour(share: float) -> str:
    end = _HIGH if share > 0 else _LOW
    mixed = (round(m + (e - m) * abs(share)) for m, e in zip(_MIDDLE, end, strict=True))
    return "#{:02x}{:02x}{:02x}".format(*mixed)
