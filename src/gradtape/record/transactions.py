"""Transactions: what was handed over becomes rows and bytes, all of it or nothing.

This runs on the writer's thread. Each SQLite call gives up the GIL and has to get it back from a
training thread that computes, so rows of one table go in together, many to a statement.
"""

from __future__ import annotations

import hashlib
import sqlite3
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .chunks import Merging
from .schema import INLINE, dtype_name, encode
from .segments import Segments

__all__ = ["Item", "Transactions"]

_KNOWN = 200_000  # digests of arrays that are remembered
_TOGETHER = (64, 8, 1)  # rows of a statement


class Item(NamedTuple):
    """One thing handed over: the table it is for, and its values.

    `define` is for what later items refer to by number; it is kept until it is committed.
    """

    table: str
    values: tuple[Any, ...]
    define: bool = False


class Transactions:
    """The writing side of a run's folder.

    Parameters
    ----------
    folder : Path
        The run's folder.
    connection : sqlite3.Connection
        Its database, opened for writing.
    segments : Segments
        Its files of large arrays.
    synced : bool
        Whether segment files are synced to the disk before each commit.
    """

    def __init__(
        self,
        folder: Path,
        connection: sqlite3.Connection,
        segments: Segments,
        synced: bool = False,
    ) -> None:
        self.folder, self.connection, self.segments = folder, connection, segments
        self._synced = synced
        self._merging = Merging()
        self._known: OrderedDict[bytes, int] = OrderedDict()
        self._arrays = 0
        self._commits = 0

    def commit(self, items: Sequence[Item]) -> None:
        """Write items in one transaction; where that fails, nothing of it is there, and it raises.

        OSError and sqlite3.Error are what a full disk raises.
        """
        merging, known = self._merging.state(), len(self._known)
        place, arrays = (self.segments.number, self.segments.offset), self._arrays
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            for table, rows in self._rows(items).items():
                self._insert(table, rows)
            self.connection.execute(
                "UPDATE meta SET value=? WHERE key='commits'", (str(self._commits + 1),)
            )
            if self._synced:
                self.segments.sync()
            self.connection.execute("COMMIT")
        except BaseException:
            self._merging.restore(merging)
            for digest in list(self._known)[known:]:
                del self._known[digest]
            self._arrays = arrays
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            self.segments.cut(*place)
            raise
        self._commits += 1
        while len(self._known) > _KNOWN:
            self._known.popitem(last=False)

    def _rows(self, items: Iterable[Item]) -> dict[str, list[tuple[Any, ...]]]:
        """The rows of each table, in the order in which they were handed over."""
        tables: dict[str, list[tuple[Any, ...]]] = {}
        blocks: dict[int, list[np.ndarray[Any, Any]]] = {}
        meta: dict[str, str] = {}
        for table, values, _ in items:
            if table == "chunk":
                blocks.setdefault(values[0], []).append(values[1])
                continue
            if table == "meta":
                meta[values[0]] = values[1]
                continue
            if table in ("held", "node_array"):
                values = (*values[:-1], self._array(values[-1], tables))
            elif table == "node_values":
                values = (*values[:-1], values[-1].tobytes())
            tables.setdefault(table, []).append(values)
        if meta:
            tables["meta"] = list(meta.items())
        for layout, parts in blocks.items():
            block = parts[0] if len(parts) == 1 else np.concatenate(parts)
            chunk, replaced = self._merging.add(
                layout, int(block[0, 0]), int(block[-1, 0]), len(block), block.tobytes()
            )
            if replaced:
                self.connection.execute(
                    f"DELETE FROM chunk WHERE id IN ({','.join(map(str, replaced))})"
                )
            tables.setdefault("chunk", []).append(
                (chunk.id, layout, chunk.first, chunk.last, chunk.rows, chunk.data)
            )
        return tables

    def _array(self, array: np.ndarray[Any, Any], tables: dict[str, list[tuple[Any, ...]]]) -> int:
        """The number of an array's content, which is stored if it is new."""
        name = dtype_name(array.dtype)
        flat = np.asarray(array, order="C").reshape(-1)
        data = flat.view(np.uint8).data if flat.size else memoryview(b"")
        shape = encode(array.shape)
        digest = hashlib.blake2b(f"{name}{shape}".encode(), digest_size=16)
        digest.update(data)
        key = digest.digest()
        known = self._known.get(key)
        if known is not None:
            return known
        if self._arrays > len(self._known):  # some were forgotten
            found = self.connection.execute(
                "SELECT id FROM array WHERE digest=?", (key,)
            ).fetchone()
            if found:
                return int(found[0])
        if len(data) > INLINE:
            segment, offset, crc = self.segments.append(data)
            place: tuple[Any, ...] = (segment, offset, len(data), crc, None)
        else:
            place = (0, 0, len(data), zlib.crc32(data), bytes(data))
        self._arrays += 1
        self._known[key] = self._arrays
        tables.setdefault("array", []).append((self._arrays, key, name, shape, *place))
        return self._arrays

    def _insert(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        width, start = len(rows[0]), 0
        for together in _TOGETHER:
            one = f"({','.join('?' * width)})"
            text = f'INSERT OR REPLACE INTO "{table}" VALUES {",".join([one] * together)}'
            while len(rows) - start >= together:
                part = rows[start : start + together]
                self.connection.execute(text, [value for row in part for value in row])
                start += together
