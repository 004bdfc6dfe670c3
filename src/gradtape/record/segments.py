"""Segment files: large arrays one after the other, each with its place, length and checksum.

The bytes are written first and the row that names them is committed afterwards, so a writer that
dies leaves bytes that nobody reaches, never a row without its bytes. What a failed transaction has
written is cut off again.
"""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Callable
from pathlib import Path

from ..errors import RunError, three_part
from .schema import segment_name

__all__ = ["ROLL", "Segments", "read_segment"]

ROLL = 1 << 30  # bytes after which a new file is begun

_FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class Segments:
    """The segment files of a run that is being written.

    Parameters
    ----------
    folder : Path
        The run's folder.
    roll : int
        Bytes after which a new file is begun.
    write : callable
        What puts bytes into an open file; `os.write`.
    """

    def __init__(
        self,
        folder: Path,
        roll: int = ROLL,
        write: Callable[[int, memoryview], int] = os.write,
    ) -> None:
        self._folder, self._roll, self._write = folder, roll, write
        self._file: int | None = None
        self.number, self.offset = 0, 0

    def append(self, data: memoryview) -> tuple[int, int, int]:
        """Write bytes and return the number of the file, their offset in it and their crc32."""
        if self._file is None or self.offset >= self._roll:
            self._next()
        assert self._file is not None
        place = self.number, self.offset, zlib.crc32(data)
        try:
            while len(data):
                written = self._write(self._file, data)
                self.offset += written
                data = data[written:]
        except OSError:
            self.cut(place[0], place[1])
            raise
        return place

    def cut(self, number: int, offset: int) -> None:
        """Take back what was written after a place: its transaction has failed."""
        while self.number > number:
            self.close()
            (self._folder / segment_name(self.number)).unlink(missing_ok=True)
            self.number -= 1
            self.offset = self._roll  # whatever comes next begins a file
        if self._file is not None and self.number == number:  # a failed write may have left bytes
            os.ftruncate(self._file, offset)
            os.lseek(self._file, offset, os.SEEK_SET)
            self.offset = offset

    def sync(self) -> None:
        """Ask the system to put the bytes on the disk."""
        if self._file is not None:
            os.fsync(self._file)

    def close(self) -> None:
        """Close the present file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _next(self) -> None:
        self.close()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS
        self._file = os.open(self._folder / segment_name(self.number + 1), flags, 0o644)
        self.number, self.offset = self.number + 1, 0


def read_segment(folder: Path, number: int, offset: int, length: int, crc: int) -> bytearray:
    """Read an array's bytes from a segment file.

    Raises RunError where the file is missing, no plain file, too short, or its bytes are others.
    """
    name = segment_name(number)
    try:
        file = os.open(folder / name, os.O_RDONLY | _FLAGS | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise RunError(
            three_part(
                f"open_run: {name} cannot be opened: {error.strerror}.",
                f"The run says that an array of {length} bytes lies in it.",
                "Copy the run's folder as a whole, or use `gradtape pack`.",
            )
        ) from None
    with os.fdopen(file, "rb", buffering=0) as stream:
        found = os.fstat(stream.fileno())
        if not stat.S_ISREG(found.st_mode) or offset + length > found.st_size:
            raise RunError(
                three_part(
                    f"open_run: {name} does not reach to byte {offset + length}.",
                    f"It has {found.st_size} bytes: it was cut short, or is not the run's.",
                    "Take the file from where the run was recorded.",
                )
            )
        stream.seek(offset)
        data = bytearray(length)
        view, filled = memoryview(data), 0
        while filled < length:
            count = stream.readinto(view[filled:])
            if not count:
                break
            filled += count
    if filled < length or zlib.crc32(data) != crc:
        raise RunError(
            three_part(
                f"open_run: an array in {name} has not the checksum that the run has for it.",
                f"Its {length} bytes from byte {offset} on were damaged after they were written.",
                "Take the file from a backup; the other arrays can still be read.",
            )
        )
    return data
