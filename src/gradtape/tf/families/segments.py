"""Sums, means, products and extrema of groups of rows, named by numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.positions import decode, here
from ..base.dtypes import BFLOAT16, BY_CHAR
from ..base.errors import invalid
from ..base.making import NUMBER, REAL, allow, bare, native, natural, op


def _wrong(name: str, fact: str, remedy: str) -> Any:
    return invalid(f"{name}: {fact}", f"Called at {decode(*here())}.", remedy)


def _sorted(name: str, x: Any, segment_ids: Any) -> tuple[Any, int]:
    """The checked ids of a sorted segmentation, and how many segments there are."""
    ids = natural(segment_ids)
    allow(name, ids, "il", place=1)
    found = ids.value
    if np.ndim(found) != 1:
        raise _wrong(name, f"segment_ids should be a vector, not of shape {np.shape(found)}.",
                     "Give one number for each row.")  # fmt: skip
    if found.shape[0] != (x.value.shape[0] if x.value.ndim else 0):
        raise _wrong(
            name,
            "segment_ids should be the same size as dimension 0 of input: "
            f"{found.shape[0]} and {x.value.shape[:1]}.",
            "Give one for each row.",
        )
    if found.size and np.any(np.diff(found) < 0):
        raise _wrong(name, "segment ids are not increasing.",
                     f"Use tf.math.unsorted_{name}(data, segment_ids, num_segments).")  # fmt: skip
    if found.size and found[0] < 0:
        raise _wrong(name, f"Segment id {found[0]} out of range.", "Number them from 0.")
    return found, int(found[-1]) + 1 if found.size else 0


def _unsorted(name: str, x: Any, segment_ids: Any, num_segments: Any) -> tuple[Any, Any, int]:
    """`x` with one row for each id, the ids, and how many segments there are."""
    ids = natural(segment_ids)
    allow(name, ids, "il", place=1)
    found, n = ids.value, int(natural(num_segments).value)
    if n < 0:
        raise _wrong(name, f"Input num_segments == {n} must not be negative.", "Give 0 or more.")
    rank = np.ndim(found)
    if x.value.shape[:rank] != np.shape(found):
        raise _wrong(
            name,
            f"data.shape = {list(x.value.shape)} does not start with segment_ids.shape = "
            f"{list(np.shape(found))}.",
            "Give one for each row.",
        )
    flat = np.reshape(found, -1)
    bad = np.flatnonzero(flat >= n)
    if bad.size:
        raise _wrong(name, f"segment_ids[{bad[0]}] = {flat[bad[0]]} is out of range [0, {n}).",
                     "Raise num_segments.")  # fmt: skip
    return np.reshape(x, (flat.size, *x.value.shape[rank:])), flat, n


def _by_group(ufunc: Any, empty: Any) -> Any:
    """A reduction of the rows of each segment; `empty` is the answer where there are none."""

    def run(x: Any, ids: Any, n: int) -> Any:
        shape, dtype = x.value.shape[1:], x.value.dtype
        order = np.argsort(ids, kind="stable")
        limits = np.searchsorted(ids[order], np.arange(n + 1))
        starts, filled = limits[:-1], limits[1:] > limits[:-1]
        nothing = np.full((1, *shape), _value(empty, dtype), dtype)
        if not filled.any():
            return native(np.repeat(nothing, n, axis=0))
        rows = np.take(x, order[: limits[-1]], axis=0)  # ids beyond the last are refused before
        found = ufunc.reduceat(rows, starts[filled], axis=0).astype(dtype)
        if filled.all():
            return found
        place = np.where(filled, np.cumsum(filled) - 1, filled.sum())
        return np.take(np.concatenate([found, nothing]), place, axis=0)

    return run


def _value(empty: Any, dtype: Any) -> Any:
    if empty in ("lowest", "highest"):
        of = BY_CHAR[dtype.char]
        return of.min if empty == "lowest" else of.max
    return empty


def _counts(ids: Any, n: int, x: Any, dtype: Any) -> Any:
    counts = np.maximum(np.bincount(ids[ids >= 0], minlength=n), 1).astype(dtype)
    return np.reshape(counts, (n, *([1] * (x.value.ndim - 1))))


_total = _by_group(np.add, 0)


def _mean(x: Any, ids: Any, n: int) -> Any:
    return _total(x, ids, n) / _counts(ids, n, x, x.value.dtype)


def _sqrt_n(x: Any, ids: Any, n: int) -> Any:
    return _total(x, ids, n) / np.sqrt(_counts(ids, n, x, x.value.dtype))


def _whole_mean(x: Any, ids: Any, n: int) -> Any:
    if x.value.dtype.kind in "iu":
        total = _total(x, ids, n).value
        return native((total // _counts(ids, n, x, total.dtype)).astype(total.dtype))
    return _mean(x, ids, n)


def _wide_mean(x: Any, ids: Any, n: int) -> Any:
    return _mean(x.astype(np.float64) if x.value.dtype.kind in "iu" else x, ids, n)


def _define(
    kind: str, dtypes: str, sorted_by: Any, unsorted_by: Any, take: Any = native
) -> None:
    if sorted_by is not None:
        title = f"segment_{kind}"

        def of_sorted(data: Any, segment_ids: Any, name: Any = None) -> Any:
            x = take(data)
            allow(title, x, dtypes)
            ids, n = _sorted(title, x, segment_ids)
            return sorted_by(x, ids, n)

        of_sorted.__name__ = title
        of_sorted.__doc__ = f"The {kind} of the rows of each segment; ids are sorted."
        op(f"math.{title}")(of_sorted)
    long = f"unsorted_segment_{kind}"

    def of_unsorted(data: Any, segment_ids: Any, num_segments: Any, name: Any = None) -> Any:
        x = take(data)
        allow(long, x, dtypes)
        return unsorted_by(*_unsorted(long, x, segment_ids, num_segments))

    of_unsorted.__name__ = long
    of_unsorted.__doc__ = f"The {kind} of the rows of each segment, in any order; -1 is left out."
    op(f"math.{long}")(of_unsorted)


# Of bfloat16 as it is: TensorFlow adds and multiplies in it here, as far as 256 ones.
_ADDED = NUMBER + BFLOAT16
_define("sum", _ADDED, _total, _total, bare)
_define("mean", _ADDED, _whole_mean, _wide_mean, bare)
_define("prod", _ADDED, _by_group(np.multiply, 1), _by_group(np.multiply, 1), bare)
# These compute nothing, and the lowest float32 would be -inf as bfloat16.
_COMPARED = REAL + BFLOAT16
_define("max", _COMPARED, _by_group(np.maximum, 0), _by_group(np.maximum, "lowest"), bare)
_define("min", _COMPARED, _by_group(np.minimum, 0), _by_group(np.minimum, "highest"), bare)
_define("sqrt_n", _ADDED, None, _sqrt_n, bare)
