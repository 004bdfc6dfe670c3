"""Chunks: blocks of rows, merged as they accumulate, so that a million steps stay few rows.

Each commit brings a small block. Where sixty-four of one size lie behind each other, or a megabyte,
they become one, and a larger block takes the smaller ones before it along; what has a quarter of a
megabyte stays as it is. So each number is written about three times in all, and a run of any length
has few rows in the table, in the order of their steps.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Chunk", "Merging"]

_BOUNDS = (1 << 10, 1 << 14, 1 << 18)  # bytes
_MANY, _MUCH = 64, 1 << 20


@dataclass(frozen=True)
class Chunk:
    """Rows of one layout: row-major float64 bytes, and the steps of the first and the last."""

    id: int
    layout: int
    first: int
    last: int
    rows: int
    data: bytes

    @property
    def size(self) -> int:
        """The class of its size: 0, 1, 2, or 3 for one that stays as it is."""
        return sum(len(self.data) >= bound for bound in _BOUNDS)


class Merging:
    """Which chunks of each layout may still be merged, and what a new block makes of them."""

    def __init__(self) -> None:
        self._stacks: dict[int, list[Chunk]] = {}
        self._next = 1

    def add(
        self, layout: int, first: int, last: int, rows: int, data: bytes
    ) -> tuple[Chunk, list[int]]:
        """Return the chunk to write for a block, and the numbers of those that it replaces."""
        stack = self._stacks.setdefault(layout, [])
        new = Chunk(self._next, layout, first, last, rows, data)
        self._next += 1
        start = len(stack)
        while start and stack[start - 1].size < new.size:
            start -= 1
        new, replaced = self._join(stack, start, new)
        while True:
            start, size = len(stack), len(new.data)
            while start and stack[start - 1].size == new.size:
                start -= 1
                size += len(stack[start].data)
            if start == len(stack) or (len(stack) - start < _MANY - 1 and size < _MUCH):
                break
            new, more = self._join(stack, start, new)
            replaced += more
        if new.size == len(_BOUNDS):
            stack.clear()
        else:
            stack.append(new)
        return new, replaced

    def _join(self, stack: list[Chunk], start: int, new: Chunk) -> tuple[Chunk, list[int]]:
        parts = stack[start:]
        if not parts:
            return new, []
        del stack[start:]
        joined = Chunk(
            new.id,
            new.layout,
            parts[0].first,
            new.last,
            sum(part.rows for part in parts) + new.rows,
            b"".join([*(part.data for part in parts), new.data]),
        )
        return joined, [part.id for part in parts]

    def state(self) -> dict[int, list[Chunk]]:
        """Return what `restore` takes, should the transaction fail."""
        return {layout: list(stack) for layout, stack in self._stacks.items()}

    def restore(self, state: dict[int, list[Chunk]]) -> None:
        """Go back to an earlier state; numbers are not given again."""
        self._stacks = state
