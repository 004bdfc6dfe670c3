"""TensorBoard: the scalars of a run as an event file, written without TensorFlow or protobuf.

The file is a sequence of records, each ::

    length (uint64)   masked crc32c of it (uint32)   data   masked crc32c of the data (uint32)

and the data of each is a protobuf message `Event`: field 1 `wall_time` (double), 2 `step` (int64),
3 `file_version` (string) in the first, 5 `summary`, which has repeated `value`: 1 `tag` (string),
2 `simple_value` (float). That field is float32, so values are rounded to seven digits; NaN and
infinities stay. The format: tensorboard/compat/proto/event.proto and tensorflow/core/lib/io/
record_writer.cc.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from ..reader import Reader

__all__ = ["crc32c", "write"]

_BATCH = 8192
_CASTAGNOLI = 0x82F63B78  # the polynomial, reflected


def _table() -> np.ndarray[Any, np.dtype[np.uint32]]:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(_CASTAGNOLI), table >> 1)
    return table


_TABLE = _table()


def crc32c(data: Sequence[bytes]) -> list[int]:
    """The CRC-32C of byte strings of one length, all at once.

    >>> hex(crc32c([b"123456789"])[0])  # the check value of the polynomial
    '0xe3069283'
    """
    columns = np.frombuffer(b"".join(data), np.uint8).reshape(len(data), -1).T
    crc = np.full(len(data), 0xFFFFFFFF, np.uint32)
    for column in np.ascontiguousarray(columns):
        crc = _TABLE[(crc ^ column) & 0xFF] ^ (crc >> 8)
    return [int(value) for value in ~crc]


def write(reader: Reader, target: Path) -> list[Path]:
    """Write an event file into the folder `target`, which TensorBoard shows as a run.

    Tags are the names of the columns of `Reader.history`.
    """
    with reader.session():
        columns = reader.history_columns()
        series = [column.name for column in columns.values()]
        steps, matrix = reader.table(series)
        present = reader.present(series)
        created = _created(reader)
    times = np.full(len(steps), created)
    if "seconds" in series:
        times += np.nancumsum(matrix[:, series.index("seconds")])
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite in it
        values = matrix.astype("<f4")

    target.mkdir(parents=True, exist_ok=True)
    path = target / f"events.out.tfevents.{int(created)}.gradtape"
    tags = [_length_delimited(1, name.encode()) + b"\x15" for name in columns]
    with open(path, "wb") as file:
        version = _double(1, created) + _length_delimited(3, b"brain.Event:2")
        file.write(_records([version]))
        for start in range(0, len(steps), _BATCH):
            batch = []
            for row in range(start, min(start + _BATCH, len(steps))):
                summary = b"".join(
                    _length_delimited(1, tags[i] + values[row, i].tobytes())
                    for i in np.flatnonzero(present[row])
                )
                batch.append(
                    _double(1, times[row])
                    + b"\x10"
                    + _varint(int(steps[row]))
                    + _length_delimited(5, summary)
                )
            file.write(_records(batch))
    return [path]


def _created(reader: Reader) -> float:
    try:
        return datetime.fromisoformat(str(reader.meta()["created"])).timestamp()
    except (KeyError, ValueError, OverflowError):  # a run whose writer died at once
        return reader.path.stat().st_mtime


def _records(batch: Sequence[bytes]) -> bytes:
    """Frame records; checksums are computed for all of one length together."""
    lengths = [struct.pack("<Q", len(data)) for data in batch]
    of_lengths = _masked(lengths, crc32c(lengths))
    by_length: dict[int, list[int]] = {}
    for i, data in enumerate(batch):
        by_length.setdefault(len(data), []).append(i)
    of_data = [b""] * len(batch)
    for places in by_length.values():
        group = [batch[i] for i in places]
        for i, masked in zip(places, _masked(group, crc32c(group)), strict=True):
            of_data[i] = masked
    parts = zip(lengths, of_lengths, batch, of_data, strict=True)
    return b"".join(part for record in parts for part in record)


def _masked(data: Sequence[bytes], crcs: Sequence[int]) -> list[bytes]:
    return [
        struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF) for crc in crcs
    ]


def _varint(value: int) -> bytes:
    value &= 2**64 - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _length_delimited(field: int, data: bytes) -> bytes:
    return bytes([field << 3 | 2]) + _varint(len(data)) + data


def _double(field: int, value: float) -> bytes:
    return bytes([field << 3 | 1]) + struct.pack("<d", value)
