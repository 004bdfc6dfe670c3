"""Explanations, summaries and tapes as text for the terminal and as HTML for a notebook."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from typing import Any

from ..core.aval import Aval
from ..core.positions import Position
from .facts import Explanation
from .slopes import PathStep
from .summary import OpRow, Summary

LONGEST = 60
"""A table that is longer shows its head and its tail."""

_STYLE = (
    "border-collapse:collapse;font-variant-numeric:tabular-nums;margin:0.5em 0;text-align:left"
)
Cell = Callable[[Any], str]


def _number(x: float) -> str:
    return "" if math.isnan(x) else f"{x:.3g}"


def seconds(x: float) -> str:
    """A time with a unit, as `12.5 us`."""
    if math.isnan(x):
        return ""
    for limit, factor, unit in ((1e-6, 1e9, "ns"), (1e-3, 1e6, "us"), (1.0, 1e3, "ms")):
        if x < limit:
            return f"{x * factor:.3g} {unit}"
    return f"{x:.3g} s"


def size(n: int) -> str:
    """A number of bytes with a unit, as `1.5 KiB`."""
    value, unit = float(n), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.4g} {unit}"


def _line(position: Position | None) -> str:
    return "" if position is None else str(position)


def _source(position: Position | None) -> str:
    return "" if position is None else position.source


def _avals(operands: tuple[Aval, ...]) -> str:
    return ", ".join(map(repr, operands))


def _shape(row: OpRow) -> str:
    return f"{row.dtype}{list(row.shape)}" if row.dtype is not None else "several"


# (heading, what stands there, whether it is a number)
_STEP: list[tuple[str, Cell, bool]] = [
    ("operation", lambda s: s.op, False),
    ("line", lambda s: _line(s.position), False),
    ("result", lambda s: str(list(s.shape)), False),
    ("|cotangent|", lambda s: _number(s.incoming), True),
    ("hands on", lambda s: _number(s.outgoing), True),
    ("gain", lambda s: _number(s.gain), True),
    ("", lambda s: s.note, False),
]
_OP: list[tuple[str, Cell, bool]] = [
    ("", lambda r: str(r.index), True),
    ("operation", lambda r: r.op, False),
    ("line", lambda r: _line(r.position), False),
    ("operands", lambda r: _avals(r.operands), False),
    ("result", _shape, False),
    ("run again", lambda r: seconds(r.seconds), True),
    ("kept", lambda r: size(r.bytes), True),
]


def _text(columns: list[tuple[str, Cell, bool]], rows: Sequence[Any]) -> list[str]:
    """The lines of a table; of a long one its head and its tail."""
    half = LONGEST // 2
    left_out = len(rows) - 2 * half if len(rows) > LONGEST else 0
    shown = [*rows[:half], *rows[-half:]] if left_out else list(rows)
    cells = [[heading for heading, _, _ in columns]]
    cells += [[show(row) for _, show, _ in columns] for row in shown]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for number, line in enumerate(cells):
        parts = [
            cell.rjust(width) if is_number else cell.ljust(width)
            for cell, width, (_, _, is_number) in zip(line, widths, columns, strict=True)
        ]
        lines.append("  ".join(parts).rstrip())
        if number == 0:
            lines.append("-" * (sum(widths) + 2 * (len(widths) - 1)))
        if left_out and number == half:
            lines.append(f"... {left_out} more ...")
    return lines


def _html(columns: list[tuple[str, Cell, bool]], rows: Sequence[Any]) -> str:
    half = LONGEST // 2
    left_out = len(rows) - 2 * half if len(rows) > LONGEST else 0
    shown = [*rows[:half], *rows[-half:]] if left_out else list(rows)
    headings = (html.escape(name) for name, _, _ in columns)
    head = "".join(f'<th style="text-align:left">{name}</th>' for name in headings)
    body = []
    for number, row in enumerate(shown):
        if left_out and number == half:
            body.append(f'<tr><td colspan="{len(columns)}">{left_out} more</td></tr>')
        cells = []
        for name, show, is_number in columns:
            align = "right" if is_number else "left"
            title = f' title="{html.escape(_source(row.position))}"' if name == "line" else ""
            cells.append(f'<td style="text-align:{align}"{title}>{html.escape(show(row))}</td>')
        body.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f'<table style="{_STYLE}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table>"
    )


def steps_as_text(steps: tuple[PathStep, ...]) -> str:
    """The operations from source to target as a table."""
    return "\n".join(_text(_STEP, steps))


def explanation_as_html(found: Explanation) -> str:
    """The three parts, and the operations as a table."""
    parts = [f"<p><b>{html.escape(found.fact)}</b><br>{html.escape(found.cause)}<br>"]
    parts.append(f"<i>{html.escape(found.remedy)}</i></p>")
    if found.steps:
        parts.append(_html(_STEP, found.steps))
    if found.remark:
        parts.append(f"<p>{html.escape(found.remark)}</p>")
    return "".join(parts)


def _totals(summary: Summary) -> str:
    count = len(summary.rows)
    watched = ", ".join(summary.sources[:6]) + (", ..." if len(summary.sources) > 6 else "")
    return (
        f"{count} operation{'s' * (count != 1)}, {size(summary.bytes)} kept,"
        f" {seconds(summary.seconds)} to run them again; watched: {watched or 'nothing'}."
    )


def summary_as_text(summary: Summary) -> str:
    """The table with its totals."""
    lines = [*_text(_OP, summary.rows), "", _totals(summary), summary.remark]
    return "\n".join(lines).rstrip()


def summary_as_html(summary: Summary) -> str:
    """The table with its totals."""
    remark = f"<br>{html.escape(summary.remark)}" if summary.remark else ""
    return f"{_html(_OP, summary.rows)}<p>{html.escape(_totals(summary))}{remark}</p>"


def tape_as_html(tape: Any) -> str:
    """A tape in a notebook: its summary, and its graph where that is small."""
    summary = tape.summary()
    drawing = tape.graph()
    picture = drawing.svg if len(drawing.boxes) <= LONGEST else ""
    return f"<p><b>GradientTape</b></p>{summary_as_html(summary)}{picture}"
