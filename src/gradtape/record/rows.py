"""Rows of scalars as they are read: chunks decoded and kept, so that only what is new is read.

While all rows fit into the memory that is allowed, they are kept and columns are cut out of them;
beyond that, each question reads the chunks again.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import RunError, three_part
from .database import Database
from .schema import decode

__all__ = ["Rows", "between", "damaged"]

Floats = np.ndarray[Any, np.dtype[np.float64]]
_KEPT = 512 << 20  # bytes of rows that are kept
_JOINED = 4 << 20  # bytes up to which blocks are joined
_CACHED = 2048  # rows
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

    def part(self, places: list[int | None], low: int, high: int) -> Floats:
        """Some entries of the rows `low` to `high`, one series a row; NaN where a place is None."""
        if len(places) == 1 and places[0] is not None:
            return self.column(places[0])[None, low:high]
        out = np.full((len(places), high - low), np.nan)
        wanted = [(i, place) for i, place in enumerate(places) if place is not None]
        start = 0
        for block in self.blocks if wanted else ():
            first, last = max(low - start, 0), min(high - start, len(block))
            if first < last:  # all series of a block while it is in the cache
                for at in range(first, last, _CACHED):
                    rows = block[at : min(at + _CACHED, last)]
                    here = out[:, start + at - low : start + at - low + len(rows)]
                    for i, place in wanted:
                        here[i] = rows[:, place]
            start += len(block)
        return out

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
                for owner, block, _ in self._chunks("? BETWEEN first AND last", step):
                    once = _Layout(self._layouts[owner].columns)
                    once.add(block)
                    rows.append((once, once.row(step)))
        found: dict[int, float] = {}
        for layout, row in rows:
            if row is not None:
                found.update(zip(layout.columns, row[1:].tolist(), strict=True))
        return found

    def read(
        self,
        wanted: list[int],
        everywhere: bool,
        start: float | None = None,
        stop: float | None = None,
    ) -> tuple[Floats, Floats]:
        """Return the steps (n,) and the wanted columns (len(wanted), n), NaN where there is none.

        With `everywhere` all rows count, else those that have one of the columns; only
        `start <= step < stop` where these are given.
        """
        parts = []
        with self._database.session():
            self._refresh()
            for number, layout in self._layouts.items():
                places = [
                    layout.columns.index(column) + 1 if column in layout.columns else None
                    for column in wanted
                ]
                if everywhere or any(places):
                    held = layout if self._whole else self._again(number)
                    steps = held.column(0)
                    low, high = between(steps, start, stop)
                    if low < high:
                        parts.append((steps[low:high], held.part(places, low, high)))
        return _in_order(parts, len(wanted))

    def _again(self, number: int) -> _Layout:
        """Read a layout that is too large to be kept."""
        layout = _Layout(self._layouts[number].columns)
        for _, block, _ in self._chunks("layout=?", number):
            layout.add(block)
        return layout

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
        steps = block[:, 0]
        if not (np.all(steps[1:] > steps[:-1]) and np.all(np.abs(steps) < 2**53)):
            raise damaged(self._database.folder, f"the steps of chunk {number} do not increase")
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


def between(steps: Floats, start: float | None, stop: float | None) -> tuple[int, int]:
    """The range of indices for which `start <= step < stop`."""
    low = 0 if start is None else int(np.searchsorted(steps, start))
    high = len(steps) if stop is None else int(np.searchsorted(steps, stop))
    return low, max(low, high)


def _in_order(parts: list[tuple[Floats, Floats]], count: int) -> tuple[Floats, Floats]:
    if not parts:
        return np.empty(0), np.empty((count, 0))
    if len(parts) == 1:
        return parts[0]
    steps = np.concatenate([part[0] for part in parts])
    values = np.concatenate([part[1] for part in parts], axis=1)
    if np.all(steps[1:] > steps[:-1]):
        return steps, values
    order = np.argsort(steps, kind="stable")
    return steps[order], values[:, order]
