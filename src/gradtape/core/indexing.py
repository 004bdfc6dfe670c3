"""What an index means: its parts, the elements it reaches, and adding at them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .lift import is_lifted
from .refusals import door
from .state import kept_array
from .symbol import is_traced
from .tensor import Tensor, raw


def is_basic(index: Any) -> bool:
    """Whether `index` is made of integers, slices, None and Ellipsis alone (a view results)."""
    return all(map(_is_basic_part, index)) if type(index) is tuple else _is_basic_part(index)


def _is_basic_part(i: Any) -> bool:
    return type(i) in (int, slice) or i is None or i is Ellipsis or isinstance(i, np.integer)


def is_unknown(index: Any) -> bool:
    """Whether a part of `index` is not known while tracing, or another for each example."""
    parts = index if type(index) is tuple else (index,)
    return any(is_traced(i) or is_lifted(i) for i in parts)


def plain_index(index: Any) -> Any:
    """`index` with raw values in place of Tensors, and arrays that the caller may not change."""
    if type(index) is tuple:
        return tuple(_plain_part(i) for i in index)
    return _plain_part(index)


def _plain_part(index: Any) -> Any:
    if isinstance(index, Tensor):
        index = index.read()
    if isinstance(index, np.ndarray):
        return kept_array(index, index.copy())
    if type(index) in (list, tuple):
        with door("index", index):
            return np.asarray(_raw_items(index)) if index else np.zeros(0, np.intp)
    if isinstance(index, slice):
        parts = (index.start, index.stop, index.step)
        if any(isinstance(p, Tensor) for p in parts):
            return slice(*(p if p is None else raw(p).__index__() for p in parts))
    return index


def _raw_items(items: Any) -> Any:
    return [_raw_items(i) if type(i) in (list, tuple) else raw(i) for i in items]


def spelled_out(index: Any, ndim: int) -> tuple[Any, ...]:
    """`index` as a tuple whose ellipsis is written as slices, for an array of `ndim` axes."""
    parts = index if type(index) is tuple else (index,)
    taken = sum(
        i.ndim if isinstance(i, np.ndarray) and i.dtype == bool else
        0 if i is None or i is Ellipsis or isinstance(i, bool | np.bool_) else 1
        for i in parts
    )  # fmt: skip
    at = next((n for n, i in enumerate(parts) if i is Ellipsis), len(parts))
    return (*parts[:at], *(slice(None),) * (ndim - taken), *parts[at + 1 :])


def behind_batch(index: Any) -> tuple[tuple[Any, ...], int]:
    """`index` for an array with a batch axis in front, and where that axis is in the result.

    NumPy puts the axes of advanced indices first when a slice, None or an ellipsis (even one that
    stands for no axis) is between two of them; integers count as such indices.
    """
    parts = index if type(index) is tuple else (index,)
    batched = (slice(None), *parts)
    if is_basic(index):
        return batched, 0
    apart = (None, Ellipsis)  # these and slices come between
    places = [
        n for n, i in enumerate(parts) if type(i) is not slice and not any(i is a for a in apart)
    ]
    if places[-1] - places[0] + 1 == len(places):
        return batched, 0
    ranks = [1 if np.result_type(parts[n]).kind == "b" else np.ndim(parts[n]) for n in places]
    return batched, max(ranks)


def _integer_parts(index: Any) -> list[Any]:
    parts = index if type(index) is tuple else (index,)
    return [i for i in parts if isinstance(i, np.ndarray) and i.dtype != bool]


def _repeats(shape: tuple[int, ...], index: Any) -> bool:
    """Whether `index` reaches an element of an array of `shape` more than once."""
    if all(i.size <= 1 for i in _integer_parts(index)):
        return False
    axis, axes = 0, []
    arrays: list[Any] = []
    for i in spelled_out(index, len(shape)):
        if i is None or isinstance(i, bool | np.bool_):
            continue
        if isinstance(i, np.ndarray):
            many = i.nonzero() if i.dtype == bool else (i,)
            arrays += many
            axes += [shape[axis + n] for n in range(len(many))]
            axis += len(many)
        else:
            axis += 1
    together: Any = tuple(arrays)
    if any(i.shape != arrays[0].shape for i in arrays):
        together = np.broadcast_arrays(*arrays)
    flat = np.ravel_multi_index(together, axes, mode="wrap").ravel()  # from the end: below 0
    flat.sort()
    return bool((flat[1:] == flat[:-1]).any())


def overwritten(shape: tuple[int, ...], index: Any) -> Any:
    """Which elements of a write to `index` a later one of the same write replaces; None if none."""
    if is_basic(index) or not _repeats(shape, index):
        return None
    writer = np.empty(shape, np.intp)
    slot = writer[index].shape
    order = np.arange(np.prod(slot, dtype=np.intp)).reshape(slot)
    writer[index] = order  # as NumPy does: the last one stays
    return writer[index] != order


def add_at(buffer: Any, ct: Any, x: Any, index: Any) -> Any:
    """Add `ct` at `index` of the cotangent buffer of `x`."""
    if is_basic(index) or not _integer_parts(index):
        buffer[index] += ct  # no element is reached twice
    else:
        np.add.at(buffer, index, ct)
    return buffer
