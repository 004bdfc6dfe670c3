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
_JOINED = 4 << 20  # bytes up to which blocks are joined
_NOTHING: Floats = np.empty(0)


class _Layout:
    """The rows of one layout that were read so far."""

    def __init__(self, columns: tuple[int, ...]) -> None:
        self.columns = columns
        self.blocks: list[Floats] = []
        self.rows = 0
        self.last = -np.inf
        self._cut: dict[int, Floats] = {}  # position in a row -> that column, contiguous

    def add(self, block: Floats) -> int:
        """Take the rows of a block that are new; return their bytes."""
        if len(block) and block[0, 0] <= self.last:  # a merged chunk, of rows that are here
            block = block[np.searchsorted(block[:, 0], self.last, side="right") :]
        if not len(block):
            return 0
        self.rows += len(block)
        self.last = float(block[-1, 0])
        added = block.nbytes
        # A live run brings a small block every few milliseconds: few blocks are kept, so that
        # joining a column's parts stays cheap.
        while self.blocks and self.blocks[-1].nbytes <= min(2 * block.nbytes, _JOINED):
            block = np.concatenate([self.blocks.pop(), block])
        self.blocks.append(block)
        return added

    def column(self, position: int) -> Floats:
        """One entry of every row, contiguous."""
        known = self._cut.get(position, _NOTHING)
        missing = self.rows - len(known)
        if missing:
            parts = []
            for block in reversed(self.blocks):
                parts.append(block[-missing:, position])
                missing -= len(parts[-1])
                if not missing:
                    break
            known = np.concatenate([known, *reversed(parts)])
            known.flags.writeable = False
            self._cut[position] = known
        return known

    def row(self, step: float) -> Floats | None:
        """The row of a step."""
        for block in reversed(self.blocks):
            if block[0, 0] <= step:
                place = int(np.searchsorted(block[:, 0], step))
                found = place < len(block) and block[place, 0] == step
                return block[place] if found else None
        return None

    def clear(self) -> None:
        """Forget the rows."""
        self.blocks, self._cut, self.rows = [], {}, 0


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

    def _refresh(self) -> None:
        """Read what has come since the last time."""
        for number, text in self._database.ask("SELECT id, columns FROM layout"):
            if number not in self._layouts:
                self._layouts[number] = _Layout(self._columns(text))
        if not self._whole:
            return
        for layout, block, chunk in self._chunks("id>?", self._seen):
            self._bytes += self._layouts[layout].add(block)
            self._seen = max(self._seen, chunk)
            if self._bytes > self._kept:
                self._whole = False
                for held in self._layouts.values():
                    held.clear()
                return

    def at(self, step: float) -> dict[int, float]:
        """Return every column that has a value at a step."""
        with self._database.session():
            self._refresh()
            rows = [(layout, layout.row(step)) for layout in self._layouts.values()]
            if not self._whole:
                for owner, block, _ in self._chunks("first<=?1 AND last>=?1", step):
                    once = _Layout(self._layouts[owner].columns)
                    once.add(block)
                    rows.append((once, once.row(step)))
        found: dict[int, float] = {}
        for layout, row in rows:
            if row is not None:
                found.update(zip(layout.columns, row[1:].tolist(), strict=True))
        return found

    def read(self, wanted: list[int], everywhere: bool) -> tuple[Floats, list[Floats]]:
        """Return the steps and the wanted columns, NaN where a row has none.

        With `everywhere` all rows count, else those that have one of the columns.
        """
        with self._database.session():
            return self._read(wanted, everywhere)

    def _read(self, wanted: list[int], everywhere: bool) -> tuple[Floats, list[Floats]]:
        self._refresh()
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
        for _, block, _ in self._chunks("layout=?", number):
            steps.append(block[:, 0].copy())
            for place, column in zip(places, values, strict=True):
                if place is not None:
                    column.append(block[:, place].copy())
        return np.concatenate(steps), [
            None if place is None else np.concatenate(column)
            for place, column in zip(places, values, strict=True)
        ]

    def _chunks(self, which: str, value: float) -> Iterator[tuple[int, Floats, int]]:
        """Decode some of the chunks, in the order of their steps."""
        with self._database.session():
            found = self._database.ask(
                f"SELECT id, layout, rows FROM chunk WHERE {which} ORDER BY first, id", (value,)
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
