"""The rows of a fit as numbers: in memory, or in blocks on disk when they are too many.

Whoever sums over rows goes over `blocks()`; in memory there is one.
"""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import three_part
from .problems import FitError

__all__ = ["BLOCK", "Block", "MemoryRows", "Rows", "Spool", "batches", "held_out"]

Array = NDArray[np.float64]

BLOCK = 1 << 16
"""Rows of a block on disk, and of what a mini-batch is drawn from."""


@dataclass(frozen=True)
class Block:
    """Some rows.

    Attributes
    ----------
    X : ndarray, (m, p)
        Columns.
    y : ndarray, (m,)
        Labels.
    weights : ndarray, (m,), or None
        What each row counts; None for 1.
    """

    X: Array
    y: Array
    weights: Array | None = None

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_] | slice) -> Block:
        """Return some of the rows."""
        weights = None if self.weights is None else self.weights[rows]
        return Block(self.X[rows], self.y[rows], weights)


class Rows(Protocol):
    """Rows that can be gone over again and again."""

    @property
    def n(self) -> int:
        """How many there are."""

    def blocks(self) -> Iterator[Block]:
        """Yield them in order."""


@dataclass(frozen=True)
class MemoryRows:
    """Rows in memory: one block."""

    block: Block

    @property
    def n(self) -> int:
        """How many there are."""
        return len(self.block)

    def blocks(self) -> Iterator[Block]:
        """Yield the one block."""
        yield self.block


class Spool:
    """Rows on disk, in a file without a name that vanishes with the process.

    Parameters
    ----------
    columns : int
        Of `X`.
    has_weights : bool
        Whether rows count differently.
    folder : Path or None
        Where the file is; None for the system's folder for temporary files.
    """

    def __init__(self, columns: int, *, has_weights: bool, folder: Path | None) -> None:
        self.columns = columns
        self.has_weights = has_weights
        self._width = columns + 1 + has_weights
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - kept open
        weakref.finalize(self, self._file.close)
        self._n = 0

    @property
    def n(self) -> int:
        """How many rows there are."""
        return self._n

    def add(self, block: Block) -> None:
        """Append the rows of a block."""
        parts = [block.X, block.y[:, None]]
        if self.has_weights:
            assert block.weights is not None
            parts.append(block.weights[:, None])
        try:
            self._file.write(np.ascontiguousarray(np.concatenate(parts, axis=1)).data)
        except OSError as error:
            needed = 8 * self._width * (self._n + len(block)) / 2**30
            raise FitError(
                three_part(
                    f"The rows do not fit on the disk: {needed:.2g} GiB of them.",
                    f"The system says: {error.strerror}. Data that are read in pieces are kept "
                    "as numbers in a file that vanishes with the fit.",
                    "Give a folder on a larger disk: --out FOLDER",
                )
            ) from None
        self._n += len(block)

    def blocks(self) -> Iterator[Block]:
        """Yield the rows in blocks of `BLOCK`."""
        self._file.flush()
        for start in range(0, self._n, BLOCK):
            yield self._block(start, min(BLOCK, self._n - start))

    def _block(self, start: int, count: int) -> Block:
        self._file.seek(8 * start * self._width)
        flat = np.fromfile(self._file, dtype=np.float64, count=count * self._width)
        table = flat.reshape(count, self._width)
        p = self.columns
        weights = table[:, p + 1] if self.has_weights else None
        return Block(np.ascontiguousarray(table[:, :p]), table[:, p].copy(), weights)

    def block_at(self, start: int) -> Block:
        """Return the block whose first row is `start`."""
        return self._block(start, min(BLOCK, self._n - start))


def batches(rows: Rows, size: int, *, seed: int, epoch: int) -> Iterator[Block]:
    """Yield the rows once, shuffled, in mini-batches of at most `size`.

    Blocks of 65,536 rows come in random order, and the rows inside each in random order: the same
    from memory and from disk. The order depends on `seed` and `epoch` alone, so that a run that is
    resumed goes on as it would have.
    """
    rng = np.random.default_rng([seed, epoch])
    starts = np.arange(0, rows.n, BLOCK)
    for start in rng.permutation(starts).tolist():
        if isinstance(rows, Spool):
            block = rows.block_at(start)
        else:
            (whole,) = rows.blocks()
            block = whole if rows.n <= BLOCK else whole.take(slice(start, start + BLOCK))
        order = rng.permutation(len(block))
        for first in range(0, len(block), size):
            yield block.take(order[first : first + size])


def held_out(start: int, count: int, fraction: float, *, seed: int) -> NDArray[np.bool_]:
    """Return which of the rows `start ... start + count - 1` are kept for testing.

    One row at random out of each `1 / fraction` neighbours: the number is right to within one,
    and the choice does not depend on how the rows are cut into pieces.

    >>> int(held_out(0, 392, 0.25, seed=0).sum())
    98
    """
    if fraction > 0.5:
        return ~held_out(start, count, 1.0 - fraction, seed=seed)
    row = np.arange(start, start + count, dtype=np.int64)
    group = np.floor(row * fraction).astype(np.int64)
    first = _first_of(group, fraction)
    size = _first_of(group + 1, fraction) - first
    chance = np.empty(count)
    for part in np.unique(group // _DRAWS):
        here = group // _DRAWS == part
        draws = np.random.default_rng([seed, 1, int(part)]).random(_DRAWS)
        chance[here] = draws[group[here] % _DRAWS]
    result: NDArray[np.bool_] = row == first + np.floor(chance * size).astype(np.int64)
    return result


_DRAWS = 4096


def _first_of(group: NDArray[np.int64], fraction: float) -> NDArray[np.int64]:
    """The first row of each group; rounding is mended by looking one row to either side."""
    row = np.ceil(group / fraction).astype(np.int64)
    row = np.where(np.floor((row - 1) * fraction) >= group, row - 1, row)
    return np.where(np.floor(row * fraction) < group, row + 1, row)
