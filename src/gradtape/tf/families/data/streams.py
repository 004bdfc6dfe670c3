"""How items are passed on: iterators that shuffle, repeat, batch and window those of another.

An item is an element, or the number of a row: these functions do not look inside.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Stream = Callable[[], Iterator[Any]]


def shuffled(source: Stream, size: int, rng: np.random.Generator) -> Iterator[Any]:
    """The items in an order that a buffer of `size` of them gives."""
    items = source()
    buffer = list(items if size < 0 else itertools.islice(items, size))
    if size < 0 or len(buffer) < size:  # all are in the buffer
        for i in rng.permutation(len(buffer)).tolist():
            yield buffer[i]
        return
    draws: list[float] = []
    for item in items:
        if not draws:
            draws = rng.random(1024).tolist()
        i = int(draws.pop() * size)
        yield buffer[i]
        buffer[i] = item
    for i in rng.permutation(size).tolist():
        yield buffer[i]


def repeated(source: Stream, times: int) -> Iterator[Any]:
    """The items `times` over, for ever if that is negative; a source without any ends it."""
    for _ in itertools.repeat(None) if times < 0 else range(times):
        empty = True
        for item in source():
            empty = False
            yield item
        if empty:
            return


def batched(source: Stream, size: int, drop_remainder: bool) -> Iterator[list[Any]]:
    """Lists of `size` items; the last may be shorter."""
    items = source()
    while batch := list(itertools.islice(items, size)):
        if len(batch) < size and drop_remainder:
            return
        yield batch


def windows(
    source: Stream, size: int, shift: int, stride: int, drop_remainder: bool
) -> Iterator[list[Any]]:
    """Lists of `size` items, `stride` apart, each starting `shift` after the last."""
    span = (size - 1) * stride + 1
    items = source()
    held: list[Any] = []
    while True:
        held.extend(itertools.islice(items, max(0, span - len(held))))
        if not held or (drop_remainder and len(held) < span):
            return
        yield held[:span:stride]
        if shift > len(held):  # items between the windows
            skipped = shift - len(held)
            if sum(1 for _ in itertools.islice(items, skipped)) < skipped:
                return
        held = held[shift:]


class Kept:
    """The items of a source, kept once it has been read to its end."""

    def __init__(self, source: Stream) -> None:
        self._source = source
        self._items: list[Any] | None = None

    def __call__(self) -> Iterator[Any]:
        return iter(self._items) if self._items is not None else self._fill()

    def _fill(self) -> Iterator[Any]:
        items = []
        for item in self._source():
            items.append(item)
            yield item
        self._items = items


def unique(items: Iterator[Any], key: Callable[[Any], Any]) -> Iterator[Any]:
    """The items whose keys were not there before."""
    seen = set()
    for item in items:
        k = key(item)
        if k not in seen:
            seen.add(k)
            yield item
