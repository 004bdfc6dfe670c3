"""Transactions: what was handed over becomes rows and bytes, all of it or nothing.

This runs on the writer's thread. Each SQLite call gives up the GIL and has to get it back from a
training thread that computes, so rows of one table go in together, many to a statement.
"""

from __future__ import annotations

import functools
import hashlib
import sqlite3
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .chunks import Chunk, Merging
from .schema import INLINE, dtype_name, encode
from .segments import Segments

__all__ = ["Item", "Transactions"]

Tables = dict[str, list[tuple[Any, ...]]]

_CHUNK = 1 << 20  # bytes of rows that are not cut further
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
            tables, replaced = self._rows(items)
            if not replaced and tables.keys() == {"chunk"} and len(tables["chunk"]) == 1:
                # The usual round: one statement is a transaction of its own, and the GIL changes
                # hands once. The chunk's number makes the version grow.
                if self._synced:
                    self.segments.sync()
                self._insert("chunk", tables["chunk"])
            else:
                self._transact(tables, replaced)
        except BaseException:
            self._merging.restore(merging)
            for digest in list(self._known)[known:]:
                del self._known[digest]
            self._arrays = arrays
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            self.segments.cut(*place)
            raise
        while len(self._known) > _KNOWN:
            self._known.popitem(last=False)

    def _transact(self, tables: Tables, replaced: list[int]) -> None:
        self.connection.execute("BEGIN IMMEDIATE")
        for start in range(0, len(replaced), 500):
            numbers = ",".join(map(str, replaced[start : start + 500]))
            self.connection.execute(f"DELETE FROM chunk WHERE id IN ({numbers})")
        for table, rows in tables.items():
            self._insert(table, rows)
        text = "UPDATE meta SET value=? WHERE key='commits'"
        self.connection.execute(text, (str(self._commits + 1),))
        if self._synced:
            self.segments.sync()
        self.connection.execute("COMMIT")
        self._commits += 1

    def _rows(self, items: Iterable[Item]) -> tuple[Tables, list[int]]:
        """The rows of each table in the order in which they came, and the chunks they replace."""
        tables: Tables = {}
        replaced: list[int] = []
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
            height = max(1, _CHUNK // (8 * block.shape[1]))
            written: dict[int, tuple[Any, ...]] = {}
            for start in range(0, len(block), height):
                chunk, gone = self._chunk(layout, block[start : start + height])
                replaced += [number for number in gone if written.pop(number, None) is None]
                written[chunk.id] = (
                    *(chunk.id, layout, chunk.first, chunk.last),
                    *(chunk.rows, chunk.data),
                )
            tables.setdefault("chunk", []).extend(written.values())
        return tables, replaced

    def _chunk(self, layout: int, block: np.ndarray[Any, Any]) -> tuple[Chunk, list[int]]:
        first, last = int(block[0, 0]), int(block[-1, 0])
        return self._merging.add(layout, first, last, len(block), block.tobytes())

    def _array(self, array: np.ndarray[Any, Any], tables: Tables) -> int:
        """The number of an array's content, which is stored if it is new."""
        name, shape, kind = _kind(array.dtype, array.shape)
        flat = np.asarray(array, order="C").reshape(-1)
        data = flat.view(np.uint8).data if flat.size else memoryview(b"")
        digest = hashlib.blake2b(kind, digest_size=16)
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


@functools.lru_cache(1024)
def _kind(dtype: np.dtype[Any], shape: tuple[int, ...]) -> tuple[str, str, bytes]:
    """The name of a dtype, a shape as JSON, and both in the bytes that a digest begins with."""
    name, text = dtype_name(dtype), encode(shape)
    return name, text, f"{name}{text}".encode()
