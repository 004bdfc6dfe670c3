"""Rows of scalars as they are read: chunks decoded and kept, so that only what is new is read.

While all rows fit into the memory that is allowed, they are kept and a column is cut out of them;
beyond that, each question goes through the chunks again and keeps the columns it asks for.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import RunError, three_part
from .database import Database
from .schema import decode

__all__ = ["Rows"]

Floats = np.ndarray[Any, np.dtype[np.float64]]
_KEPT = 512 << 20  # bytes of rows that are kept


class _Layout:
    """The rows of one layout that were read so far."""

    def __init__(self, columns: tuple[int, ...]) -> None:
        self.columns = columns
        self.blocks: list[Floats] = []
        self.last = -np.inf
        self.cut: dict[int, Floats] = {}  # position in a row -> that column, whole
        self.merged = 0  # blocks that `cut` knows

    def column(self, position: int) -> Floats:
        """One entry of every row, contiguous."""
        if self.merged != len(self.blocks):
            self.cut.clear()
            self.merged = len(self.blocks)
        if position not in self.cut:
            parts = [block[:, position] for block in self.blocks] or [np.empty(0)]
            self.cut[position] = np.concatenate(parts)
            self.cut[position].flags.writeable = False
        return self.cut[position]


class Rows:
    """The scalars of a run.

    Parameters
    ----------
    database : Database
        Where the chunks are.
    kept : int
        Bytes of rows that may be kept in memory.
    """

    def __init__(self, database: Database, kept: int = _KEPT) -> None:
        self._database, self._kept = database, kept
        self._layouts: dict[int, _Layout] = {}
        self._seen = 0
        self._bytes = 0
        self._whole = True  # whether all rows are kept

    def refresh(self) -> None:
        """Read what has come since the last time."""
        with self._database.session():
            self._refresh()

    def _refresh(self) -> None:
        for number, text in self._database.ask("SELECT id, columns FROM layout"):
            if number not in self._layouts:
                self._layouts[number] = _Layout(self._columns(text))
        if not self._whole:
            return
        for layout, block, chunk in self._chunks(self._seen):
            held = self._layouts[layout]
            if len(block) and block[0, 0] <= held.last:  # a merged chunk, of rows that are here
                block = block[np.searchsorted(block[:, 0], held.last, side="right") :]
            if len(block):
                held.blocks.append(block)
                held.last = float(block[-1, 0])
                self._bytes += block.nbytes
            self._seen = max(self._seen, chunk)
            if self._bytes > self._kept:
                self._whole = False
                for held in self._layouts.values():
                    held.blocks, held.cut = [], {}
                return

    def read(self, wanted: list[int], everywhere: bool) -> tuple[Floats, list[Floats]]:
        """Return the steps and the wanted columns, NaN where a row has none.

        With `everywhere` all rows count, else those that have one of the columns.
        """
        self.refresh()
        parts: list[tuple[Floats, list[Floats]]] = []
        for number, layout in self._layouts.items():
            places = [
                layout.columns.index(column) + 1 if column in layout.columns else None
                for column in wanted
            ]
            if not everywhere and not any(places):
                continue
            if self._whole:
                steps = layout.column(0)
                values = [None if place is None else layout.column(place) for place in places]
            else:
                steps, values = self._stream(number, places)
            if len(steps):
                parts.append(
                    (
                        steps,
                        [np.full(len(steps), np.nan) if v is None else v for v in values],
                    )
                )
        return _in_order(parts, len(wanted))

    def _stream(self, number: int, places: list[int | None]) -> tuple[Floats, list[Floats | None]]:
        steps: list[Floats] = [np.empty(0)]
        values: list[list[Floats]] = [[np.empty(0)] for _ in places]
        for _, block, _ in self._chunks(0, number):
            steps.append(block[:, 0].copy())
            for place, column in zip(places, values, strict=True):
                if place is not None:
                    column.append(block[:, place].copy())
        return np.concatenate(steps), [
            None if place is None else np.concatenate(column)
            for place, column in zip(places, values, strict=True)
        ]

    def _chunks(self, after: int, layout: int | None = None) -> Iterator[tuple[int, Floats, int]]:
        """Decode the chunks with greater numbers, in the order of their steps."""
        with self._database.session():
            only = "" if layout is None else " AND layout=?"
            found = self._database.ask(
                f"SELECT id, layout, rows FROM chunk WHERE id>?{only} ORDER BY first, id",
                (after,) if layout is None else (after, layout),
            )
            for number, owner, rows in found:
                data = self._database.ask("SELECT data FROM chunk WHERE id=?", (number,))[0][0]
                yield owner, self._decoded(number, owner, rows, data), number

    def _decoded(self, number: object, owner: Any, rows: object, data: object) -> Floats:
        known = self._layouts.get(owner) if isinstance(owner, int) else None
        width = 0 if known is None else len(known.columns) + 1
        if (
            not isinstance(data, bytes)
            or not isinstance(rows, int)
            or not width
            or rows < 0
            or rows * width * 8 != len(data)
        ):
            raise damaged(self._database.folder, f"chunk {number} is not the rows that it says")
        block: Floats = np.frombuffer(data, "<f8").reshape(rows, width)
        return block

    def _columns(self, text: object) -> tuple[int, ...]:
        columns = decode(text, "a layout")
        if not isinstance(columns, list) or not all(type(column) is int for column in columns):
            raise damaged(self._database.folder, "a layout is no list of columns")
        return tuple(columns)


def damaged(folder: Path, what: str) -> RunError:
    """The error of a run that does not hold together."""
    return RunError(
        three_part(
            f"open_run: {folder} is damaged: {what}.",
            "gradtape does not write such a run; it was changed afterwards or made by hand.",
            "Take it from a backup, or record again.",
        )
    )


def _in_order(parts: list[tuple[Floats, list[Floats]]], count: int) -> tuple[Floats, list[Floats]]:
    if not parts:
        return np.empty(0), [np.empty(0) for _ in range(count)]
    if len(parts) == 1:
        return parts[0]
    steps = np.concatenate([part[0] for part in parts])
    values = [np.concatenate([part[1][i] for part in parts]) for i in range(count)]
    if np.all(steps[1:] > steps[:-1]):
        return steps, values
    order = np.argsort(steps, kind="stable")
    return steps[order], [column[order] for column in values]
