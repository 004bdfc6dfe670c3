"""Order, sets, counts and positions: argmax, sort, unique, searchsorted, bincount, top_k."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np

from ...core.dispatch import nondifferentiable_call
from ...core.registry import HOOKS
from ...core.symbol import is_traced, may_hold
from ..base.arguments import (
    axis_of,
    bad,
    bad_type,
    bad_value,
    count,
    indices_of,
    lengths,
    no_kernel,
    whole,
)
from ..base.dtypes import BFLOAT16, DTYPES, as_dtype
from ..base.making import BOOL, FLOATS, REAL, allow, native, natural, op, unify, wants_float32
from ..base.promotion import mismatch
from ..base.tensors import Tensor, make

_INT32, _INT64 = DTYPES["int32"], DTYPES["int64"]
_np: Any = np  # NumPy's functions as they are for Tensors, which its stubs do not know

Unique = namedtuple("Unique", ["y", "idx"])
UniqueWithCounts = namedtuple("UniqueWithCounts", ["y", "idx", "count"])
TopKV2 = namedtuple("TopKV2", ["values", "indices"])


def _index_dtype(name: str, dtype: Any, allowed: tuple[str, ...] = ("int32", "int64")) -> Any:
    found = as_dtype(dtype)
    if found.name not in allowed:
        raise bad(
            name,
            f"{found.name} is not in the list of allowed values: {', '.join(allowed)}.",
            f"Cast the result: tf.cast(i, {found!r}).",
        )
    return found.held()


# ------------------------------------------------------------------------------ extrema


def _extremum(name: str, largest: bool, doc: str) -> None:
    @op(name, f"math.{name}")
    def run(input: Any, axis: Any = None, output_type: Any = _INT64, name: Any = None) -> Any:
        return _position(title, input, 0 if axis is None else axis, output_type, largest)

    title = name
    run.__name__ = run.__qualname__ = name
    run.__doc__ = doc


def _position(name: str, input: Any, axis: Any, output_type: Any, largest: bool) -> Any:
    x = native(input)
    dtypes = ("int16", "uint16", "int32", "int64") if largest else ("int32", "int64")
    held = _index_dtype(name, output_type, dtypes)
    allow(name, x, REAL + BOOL)
    if isinstance(axis, list | tuple):
        raise bad_type(name, f"axis {axis!r:.60} is no int.", "Take one axis after the other.")
    at = axis_of(name, axis, x.value.ndim)
    if not x.value.shape[at]:
        raise bad(
            name,
            f"Reduction axis {at} is empty in shape {x.value.shape}.",
            "Ask tf.size(x) first: there is nothing to choose from.",
        )

    def find(value: Any) -> Any:
        if value.dtype.kind == "f" and may_hold(np.isnan(value)):  # a NaN is never chosen
            value = np.where(np.isnan(value), -np.inf if largest else np.inf, value)
        found = (np.argmax if largest else np.argmin)(value, axis=at)
        return found.astype(held) if is_traced(found) else np.asarray(found).astype(held)[()]

    return nondifferentiable_call(name, find)(x)


_extremum("argmax", True, "The place of the largest along an axis; the first of equal ones.")
_extremum("argmin", False, "The place of the smallest along an axis; the first of equal ones.")


# ------------------------------------------------------------------------------ sort


def _falls(name: str, direction: Any) -> bool:
    if direction not in ("ASCENDING", "DESCENDING"):
        raise bad_value(
            name,
            f"Argument `direction` should be one of ('ASCENDING', 'DESCENDING'), got "
            f"{direction!r}.",
            "Pass one of the two.",
        )
    return bool(direction == "DESCENDING")


def order_of(value: Any, axis: int, falling: bool) -> Any:
    """The places of the elements in order; equal ones stay as they are."""
    if not falling:
        return np.argsort(value, axis, kind="stable")
    back = np.argsort(np.flip(value, axis), axis, kind="stable")
    return np.flip(value.shape[axis] - 1 - back, axis)


def _lines(name: str, values: Any, axis: Any) -> tuple[Any, int]:
    x = native(values)
    allow(name, x, REAL)
    if axis is None or isinstance(axis, str):
        raise bad_value(name, f"axis {axis!r} is no int.", "Pass -1 for the last axis.")
    return x, axis_of(name, axis, x.value.ndim)


@op("argsort")
def argsort(
    values: Any,
    axis: Any = -1,
    direction: Any = "ASCENDING",
    stable: Any = False,
    name: Any = None,
) -> Any:
    """The places of the elements in order along an axis; equal ones keep theirs."""
    falling = _falls("argsort", direction)
    x, at = _lines("argsort", values, axis)
    find = nondifferentiable_call(
        "argsort", lambda value: order_of(value, at, falling).astype(np.int32)
    )
    return find(x)


@op("sort")
def sort(values: Any, axis: Any = -1, direction: Any = "ASCENDING", name: Any = None) -> Any:
    """The elements in order along an axis."""
    falling = _falls("sort", direction)
    x, at = _lines("sort", values, axis)
    return np.take_along_axis(x, order_of(x.value, at, falling), at)


# ------------------------------------------------------------------------------ unique


def _distinct(name: str, x: Any, out_idx: Any) -> Any:
    """(values in the order in which they first come, place of each, counts)."""
    t: Any = native(x)
    held = _index_dtype(name, out_idx)
    if t.value.ndim != 1:
        raise bad(
            name,
            f"unique expects a 1D vector, got shape {t.value.shape}.",
            "Flatten it: tf.reshape(x, [-1]).",
        )
    if t.value.dtype.kind == "c":
        raise no_kernel(name, "complex numbers are not taken.", "Ask for the parts apart.")
    _, first, inverse, counts = np.unique(t.value, True, True, True, equal_nan=False)
    order = np.argsort(first, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    place, times = rank[inverse.reshape(-1)].astype(held), counts[order].astype(held)
    return t[first[order]], make(place), make(times)


@op("unique")
def unique(x: Any, out_idx: Any = _INT32, name: Any = None) -> Any:
    """`(y, idx)`: the different elements as they first come, and where each of `x` is in `y`."""
    return Unique(*_distinct("unique", x, out_idx)[:2])


@op("unique_with_counts")
def unique_with_counts(x: Any, out_idx: Any = _INT32, name: Any = None) -> Any:
    """`(y, idx, count)`: as `tf.unique`, and how often each comes."""
    return UniqueWithCounts(*_distinct("unique_with_counts", x, out_idx))


# ------------------------------------------------------------------------------ bins


@op("searchsorted")
def searchsorted(
    sorted_sequence: Any,
    values: Any,
    side: Any = "left",
    out_type: Any = _INT32,
    name: Any = None,
) -> Any:
    """Where each value would be put into its sorted row, before or after equal elements."""
    held = _index_dtype("searchsorted", out_type)
    row, new = natural(sorted_sequence), natural(values)
    if side not in ("left", "right"):
        raise bad_value("searchsorted", f"side is {side!r}.", 'Pass "left" or "right".')
    if row.value.dtype != new.value.dtype:
        raise mismatch("UpperBound", "values", row.value.dtype, new.value.dtype, 1)
    wants_float32(row)
    if row.value.dtype.char not in REAL:
        raise no_kernel("searchsorted", f"it takes no {row.dtype.name}.", "Pass real numbers.")
    ends = (row.value.shape[:-1], new.value.shape[:-1])
    if not (row.value.ndim and new.value.ndim) or np.prod(ends[0]) != np.prod(ends[1]):
        raise bad(
            "searchsorted",
            f"Leading dim_size of both tensors must match: {row.value.shape} and "
            f"{new.value.shape}.",
            "Give one row of values for each sorted row: tf.reshape(values, [-1]).",
        )

    def find(row: Any, new: Any) -> Any:
        flat = zip(
            row.reshape(-1, row.shape[-1]), new.reshape(-1, new.shape[-1]), strict=True
        ) if row.size and new.size else ()  # fmt: skip
        found = [np.searchsorted(a, v, side) for a, v in flat]
        return np.array(found, held).reshape(new.shape) if found else np.zeros(new.shape, held)

    return nondifferentiable_call("searchsorted", find)(native(row), native(new))


def _binned(name: str, values: Any, value_range: Any, nbins: Any) -> tuple[Any, int]:
    """The bin of each value, of equally wide ones, and how many there are."""
    x, limits = natural(values), natural(value_range)
    n = count(name, nbins, bad_type, "nbins")
    if x.value.dtype != limits.value.dtype:
        raise mismatch(name, "value_range", x.value.dtype, limits.value.dtype, 1)
    allow(name, x, FLOATS + "il")
    if limits.value.ndim != 1 or limits.value.size < 2:
        raise bad(
            name,
            f"value_range must be two numbers, got {limits.value.tolist()}.",
            "Pass [lowest, highest].",
        )
    if n < 1:
        raise bad(name, f"nbins should be a positive number, but got {n}.", "Pass 1 or more.")
    low, high = limits.value[:2]
    with np.errstate(all="ignore"):
        scaled = np.floor(n * ((x.value - low) / (high - low)))
    return np.clip(np.nan_to_num(scaled), 0, n - 1).astype(np.int64), n


@op("histogram_fixed_width_bins")
def histogram_fixed_width_bins(
    values: Any, value_range: Any, nbins: Any = 100, dtype: Any = _INT32, name: Any = None
) -> Any:
    """The bin of each value, as int32; what is outside the range is in the first or the last."""
    allow("histogram_fixed_width_bins", natural(values), FLOATS + BFLOAT16)
    bins, _ = _binned("histogram_fixed_width_bins", values, value_range, nbins)
    return make(bins.astype(np.int32)[()])


@op("histogram_fixed_width")
def histogram_fixed_width(
    values: Any, value_range: Any, nbins: Any = 100, dtype: Any = _INT32, name: Any = None
) -> Any:
    """How many values are in each bin."""
    held = _index_dtype("histogram_fixed_width", dtype)
    x, limits = unify("histogram_fixed_width", (values, value_range))
    bins, n = _binned("histogram_fixed_width", x, limits, nbins)
    if limits.value.size != 2 or not limits.value[0] < limits.value[1]:
        raise bad(
            "histogram_fixed_width",
            f"value_range should satisfy value_range[0] < value_range[1], but got "
            f"{limits.value.tolist()}.",
            "Pass [lowest, highest].",
        )
    return make(np.bincount(bins.reshape(-1), minlength=n).astype(held))


@op("math.bincount")
def bincount(
    arr: Any,
    weights: Any = None,
    minlength: Any = None,
    maxlength: Any = None,
    dtype: Any = _INT32,
    name: Any = None,
    axis: Any = None,
    binary_output: Any = False,
) -> Any:
    """How often each number from 0 on comes, or the sum of its weights; per row with axis=-1."""
    given = natural(arr)
    numbers = given.value.astype(np.int32) if given.value.dtype.kind == "f" else given.value
    if numbers.dtype.char not in "il":
        raise bad("bincount", f"it takes no {given.dtype.name}.", "Cast it: tf.cast(x, tf.int32).")
    if axis not in (None, 0, -1):
        raise bad_value("bincount", f"Unsupported value for argument axis={axis}.", "0 or -1.")
    if binary_output and weights is not None:
        raise bad_value("bincount", "binary_output takes no weights.", "Leave one of them out.")
    if as_dtype(dtype) == DTYPES["bfloat16"]:
        raise bad("bincount", "it counts in no bfloat16.", "Count, and cast: tf.cast(n, dtype).")
    amounts: Any = native(np.ones(numbers.shape, as_dtype(dtype).held()))
    if weights is not None:
        amounts = native(weights)
    if amounts.value.shape != numbers.shape:
        raise bad(
            "bincount",
            f"weights of shape {amounts.value.shape} do not fit arr of shape {numbers.shape}.",
            "Give one weight for each number.",
        )
    length = _length(numbers, minlength, maxlength)
    rows = numbers.shape[0] if axis == -1 and numbers.ndim > 1 else 1
    flat = numbers.reshape(-1)
    kept = np.flatnonzero(flat < length)
    place = np.repeat(np.arange(rows), flat.size // max(rows, 1))[kept] * length + flat[kept]
    found = HOOKS["op:scatter_add"](
        np.reshape(amounts, (-1,))[kept], shape=(rows * length,), index=(place,)
    )
    if binary_output:
        found = np.minimum(found, 1).astype(found.dtype)
    return np.reshape(found, (rows, length) if axis == -1 and numbers.ndim > 1 else (length,))


def _length(numbers: Any, minlength: Any, maxlength: Any) -> int:
    if numbers.size and numbers.min() < 0:
        raise bad("bincount", "Input arr must be non-negative.", "Add its lowest number to it.")
    length = int(numbers.max(initial=-1)) + 1
    if minlength is not None:
        length = max(length, count("bincount", minlength))
    if maxlength is not None:
        length = min(length, count("bincount", maxlength))
    return length


# ------------------------------------------------------------------------------ the first k


@op("math.top_k", "nn.top_k")
def top_k(
    input: Any, k: Any = 1, sorted: Any = True, index_type: Any = _INT32, name: Any = None
) -> Any:
    """`(values, indices)` of the k largest along the last axis, the largest first."""
    x: Any = native(input)
    n = count("top_k", k, bad, "k")
    held = _index_dtype("top_k", index_type, ("int16", "int32", "int64"))
    allow("top_k", x, REAL)
    if not x.value.ndim:
        raise bad("top_k", "input must be >= 1-D, got shape ().", "Pass a vector.")
    if not 0 <= n <= x.value.shape[-1]:
        raise bad(
            "top_k",
            f"input must have at least k columns. Had {x.value.shape[-1]}, needed {n}.",
            "Pass a smaller k.",
        )
    place = order_of(x.value, x.value.ndim - 1, True)[..., :n]
    indices = nondifferentiable_call("top_k (indices)", lambda _: place.astype(held))(x)
    return TopKV2(np.take_along_axis(x, place, -1), indices)


@op("math.in_top_k", "nn.in_top_k")
def in_top_k(targets: Any, predictions: Any, k: Any, name: Any = None) -> Any:
    """Whether the prediction for each target is among the k largest of its row."""
    n = count("in_top_k", k, bad_type, "k")
    given = natural(predictions)
    if given.dtype == DTYPES["bfloat16"] and isinstance(targets, Tensor | int):
        raise mismatch("in_top_k", "predictions", np.dtype(np.float32), given.value.dtype, 0)
    scores = native(predictions, np.float32).value
    index = indices_of("in_top_k", targets)
    if scores.ndim != 2 or index.shape != scores.shape[:1]:
        raise bad(
            "in_top_k",
            f"predictions must be a matrix with a row for each target, got shapes {scores.shape} "
            f"and {index.shape}.",
            "Pass predictions of shape (batch, classes), targets of shape (batch,).",
        )
    known = (index >= 0) & (index < scores.shape[1])
    own = np.take_along_axis(scores, np.where(known, index, 0)[:, None], 1)
    larger = np.sum(scores > own, axis=1)
    clear = known & np.isfinite(own[:, 0]) & ~np.any(~np.isfinite(scores), axis=1)
    return make(clear & (larger < n))


# ------------------------------------------------------------------------------ positions


@op("math.invert_permutation")
def invert_permutation(x: Any, name: Any = None) -> Any:
    """Where each number from 0 on stands in a permutation."""
    order = whole("invert_permutation", x, bad, "a permutation")
    if order.ndim != 1 or not np.array_equal(np.sort(order), np.arange(order.size)):
        raise bad(
            "invert_permutation",
            f"{order.tolist()} is no permutation of 0 to {order.size - 1}.",
            "Name each number from 0 on once.",
        )
    out = np.empty_like(order)
    out[order] = np.arange(order.size, dtype=order.dtype)
    return make(out)


@op("unravel_index")
def unravel_index(indices: Any, dims: Any, name: Any = None) -> Any:
    """The places, one column for each, of elements of a flat array in one of shape `dims`."""
    place, shape = unify("UnravelIndex", (indices, dims))
    index = indices_of("unravel_index", place)
    if shape.value.ndim != 1 or index.ndim > 1:
        raise bad("unravel_index", "indices and dims must be vectors.", "Pass lists of ints.")
    limits = lengths("unravel_index", shape)
    size = int(np.prod(limits))
    if index.size and (index.min() < 0 or index.max() >= size):
        raise bad(
            "unravel_index",
            f"index is out of bound as with dims: {index.tolist()} of {size} elements.",
            "An index counts from 0.",
        )
    found = np.unravel_index(index, limits)
    return make(np.array(found, index.dtype))
