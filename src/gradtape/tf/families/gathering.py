"""Choosing elements: gather, slices, masks, where, partitions.

All are reads by index of the core, whose backward pass adds into the operand at that index.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.dispatch import nondifferentiable_call
from ...core.symbol import is_traced
from ..base.arguments import (
    attribute,
    axis_of,
    bad,
    bad_type,
    bad_value,
    constant_value,
    count,
    indices_of,
    no_kernel,
    outside,
    policy,
    refused_index,
    whole,
)
from ..base.graphs import in_range
from ..base.making import bare, native, op, unify
from ..base.promotion import mismatch
from ..base.slices import note

_np: Any = np  # NumPy's functions as they are for Tensors, which its stubs do not know
_FULL = slice(None)


def _outside(name: str, index: Any, limit: int, shape: Any) -> Any:
    wrong = np.flatnonzero((index.reshape(-1) < 0) | (index.reshape(-1) >= limit))[0]
    return bad(
        name,
        f"indices[{', '.join(map(str, np.unravel_index(wrong, index.shape)))}] = "
        f"{index.reshape(-1)[wrong]} is not in [0, {limit}), for a tensor of shape {shape}.",
        "An index counts from 0; there are no negative ones here.",
    )


def _along(dims: tuple[int, ...], ndim: int) -> list[Any]:
    """For each of the first `dims`, all of its places, shaped to broadcast over `ndim` axes."""
    return [np.arange(n).reshape((-1,) + (1,) * (ndim - i - 1)) for i, n in enumerate(dims)]


# ------------------------------------------------------------------------------ gather


@op("gather")
def gather(
    params: Any,
    indices: Any,
    validate_indices: Any = None,
    axis: Any = None,
    batch_dims: Any = 0,
    name: Any = None,
) -> Any:
    """The slices at `indices` along an axis; the first `batch_dims` axes go in step."""
    batch = attribute("gather", _axis(batch_dims), "batch_dims")
    x: Any = bare(params)
    index = indices_of("gather", indices, "hil")
    batch = batch + index.ndim if batch < 0 else batch
    dims = x.value.shape
    if not dims:
        raise bad("gather", "params must be at least 1 dimensional.", "Pass a vector.")
    at = axis_of("gather", batch if axis is None else _axis(axis), len(dims))
    if not 0 <= batch <= min(index.ndim, at):
        raise bad(
            "gather",
            f"batch_dims ({batch}) must be between 0 and the rank of indices ({index.ndim}), and "
            f"at most axis ({at}).",
            "Leave batch_dims out if the indices hold for all of params.",
        )
    if dims[:batch] != index.shape[:batch]:
        raise bad(
            "gather",
            f"params.shape[:{batch}] {dims[:batch]} should be equal to indices.shape[:{batch}] "
            f"{index.shape[:batch]}.",
            "The batch axes of both must be equally long.",
        )
    if is_traced(index):
        index = in_range(index, dims[at])
    elif index.size and (index.min() < 0 or index.max() >= dims[at]):
        raise _outside("gather", index, dims[at], dims)
    if not batch:
        rows = x[(_FULL,) * at + (index,)]
        if not at:
            note(params, rows, index)
        return rows
    # all axes up to `at` by index, so that NumPy leaves them where they are
    rest = index.shape[batch:]
    places = index.reshape(index.shape[:batch] + (1,) * (at - batch) + rest)
    return x[(*_along(dims[:at], at + len(rest)), places)]


def _axis(axis: Any) -> Any:
    if isinstance(axis, str | float):
        raise bad("gather", f"axis or batch_dims is {axis!r}, no integer.", "Pass an int.")
    return axis


@op("gather_nd")
def gather_nd(
    params: Any,
    indices: Any,
    batch_dims: Any = 0,
    name: Any = None,
    bad_indices_policy: Any = "",
) -> Any:
    """The elements or slices at the places that the rows of `indices` name."""
    batch = attribute("gather_nd", batch_dims, "batch_dims")
    ignored = policy("gather_nd", bad_indices_policy, no_kernel)
    x: Any = bare(params)
    index = indices_of("gather_nd", indices, "hil")
    dims = x.value.shape
    if not index.ndim:
        raise bad("gather_nd", "indices must be at least a vector.", "Pass [[0], [2]].")
    if not dims:
        raise bad("gather_nd", "params must be at least a vector.", "Pass a vector.")
    if batch < 0 or batch >= index.ndim:
        raise bad_value(
            "gather_nd",
            f"batch_dims = {batch} must be less than rank(`indices`) = {index.ndim}.",
            "Leave batch_dims out if the indices hold for all of params.",
        )
    if dims[:batch] != index.shape[:batch]:
        raise bad(
            "gather_nd",
            f"Batch dimensions of params {dims[:batch]} and indices {index.shape[:batch]} differ.",
            "The batch axes of both must be equally long.",
        )
    depth = index.shape[-1]
    if depth + batch > len(dims):
        raise bad(
            "gather_nd",
            f"index innermost dimension length must be <= params rank; saw: {depth} vs. "
            f"{len(dims) - batch}.",
            "Give no more numbers in a row than params has axes.",
        )
    wrong = outside(index, dims[batch:])
    if wrong is not None:
        if not ignored:
            raise refused_index("gather_nd", index, wrong, dims)
        index = np.where(wrong[..., None], 0, index)
    places = tuple(index[..., i] for i in range(depth))
    if not places:
        found: Any = np.broadcast_to(x, index.shape[:-1] + dims)
    else:
        found = x[(*_along(dims[:batch], index.ndim - 1), *places)]
    if wrong is None:
        return found
    gone = wrong.reshape(wrong.shape + (1,) * (found.value.ndim - wrong.ndim))
    return np.where(gone, np.zeros((), x.dtype), found)


@op("boolean_mask")
def boolean_mask(tensor: Any, mask: Any, axis: Any = None, name: Any = "boolean_mask") -> Any:
    """The elements where the mask is true, along the first axes or those from `axis` on."""
    x: Any = native(tensor)
    chosen = constant_value(mask)
    if not chosen.ndim:
        raise bad_value("boolean_mask", "mask cannot be scalar.", "Pass a mask for the rows.")
    at = 0 if axis is None else count("boolean_mask", axis, bad_type, "axis")
    at = at + x.value.ndim if at < 0 else at
    if x.value.shape[at : at + chosen.ndim] != chosen.shape:
        raise bad_value(
            "boolean_mask",
            f"Shapes {x.value.shape[at : at + chosen.ndim]} and {chosen.shape} are incompatible.",
            "The mask must be as long as the axes that it stands for.",
        )
    return x[(_FULL,) * at + np.nonzero(chosen)]


# ------------------------------------------------------------------------------ where


@op("where")
def where(condition: Any, x: Any = None, y: Any = None, name: Any = None) -> Any:
    """`x` where the condition holds, `y` elsewhere; the places where it does, without them."""
    holds = native(condition, hint=bool)
    if x is None and y is None:
        if not holds.value.ndim or holds.value.dtype.kind == "O":
            raise bad("where", "a condition is a tensor of numbers or truth values, of one axis or "
                      "more.", "Pass a vector: tf.reshape(x, [-1]).")  # fmt: skip
        return nondifferentiable_call("where", _places)(holds)
    if x is None or y is None:
        raise bad_value("where", "x and y must both be non-None or both be None.", "Pass both.")
    if holds.value.dtype != bool:
        if isinstance(condition, list | tuple | float | int):
            raise bad_type("where", f"{condition!r:.60} is no condition.", "Compare: x > 0.")
        raise mismatch("SelectV2", "condition", np.dtype(bool), holds.value.dtype, 0)
    a, b = unify("SelectV2", (x, y))
    return np.where(holds, native(a), native(b))


def _places(value: Any) -> Any:
    return np.argwhere(value).astype(np.int64)


# ------------------------------------------------------------------------------ slices


@op("slice")
def slice_(input_: Any, begin: Any, size: Any, name: Any = None) -> Any:
    """`size` elements from `begin` on along each axis; -1 is all that follow."""
    x: Any = native(input_)
    start, length = (
        whole("slice", t, bad, "a place") for t in unify("Slice", (begin, size), "by_tensor")
    )
    dims = x.value.shape
    if start.shape != (len(dims),) or length.shape != (len(dims),):
        raise bad(
            "slice",
            f"Expected begin and size arguments to be 1-D tensors of size {len(dims)}, but got "
            f"shapes {list(start.shape)} and {list(length.shape)} instead.",
            "Give one number for each axis; x[1:3] needs none for the rest.",
        )
    items = []
    for i, (a, n, total) in enumerate(zip(start.tolist(), length.tolist(), dims, strict=True)):
        n = total - a if n == -1 else n
        if not (0 <= a <= total and 0 <= n <= total - a):
            raise bad(
                "slice",
                f"Expected size[{i}] in [0, {total - a}], but got {n}, with begin[{i}] = {a}.",
                f"Axis {i} has {total} elements.",
            )
        items.append(slice(a, a + n))
    return x[tuple(items)]


@op("strided_slice")
def strided_slice(
    input_: Any,
    begin: Any,
    end: Any,
    strides: Any = None,
    begin_mask: Any = 0,
    end_mask: Any = 0,
    ellipsis_mask: Any = 0,
    new_axis_mask: Any = 0,
    shrink_axis_mask: Any = 0,
    var: Any = None,
    name: Any = None,
) -> Any:
    """`x[begin:end:strides]`; a bit of a mask says of an entry that it is `...`, None or an int."""
    x: Any = native(input_)
    given = unify("StridedSlice", (begin, end) if strides is None else (begin, end, strides))
    parts = [whole("strided_slice", p, bad, "a place") for p in given]
    parts += [np.ones_like(parts[0])] * (3 - len(parts))
    if any(p.ndim != 1 or p.shape != parts[0].shape for p in parts):
        raise bad(
            "strided_slice",
            f"Expected begin, end, and strides to be 1D equal size tensors, but got shapes "
            f"{', '.join(str(list(p.shape)) for p in parts)} instead.",
            "Give one number for each axis.",
        )
    masks = [
        attribute("strided_slice", m, "a mask")
        for m in (begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask)
    ]
    if masks[2] & (masks[2] - 1):
        raise bad("strided_slice", "Multiple ellipses in slice spec not allowed.", "Use one.")
    index = [
        _entry(i, a, b, step, masks)
        for i, (a, b, step) in enumerate(zip(*(p.tolist() for p in parts), strict=True))
    ]
    used = sum(i is not None and i is not Ellipsis for i in index)
    if used > x.value.ndim:
        raise bad(
            "strided_slice",
            f"Index out of range using input dim {x.value.ndim}; input has only {x.value.ndim} "
            "dims.",
            "Give no more entries than the tensor has axes.",
        )
    return x[tuple(index)]


def _entry(i: int, start: int, stop: int, step: int, masks: list[int]) -> Any:
    """One entry of an index of Python's."""
    no_start, no_stop, is_rest, is_new, is_one = (bool(m >> i & 1) for m in masks)
    if is_rest:
        return Ellipsis
    if is_new:
        return None
    if not step:
        raise bad("strided_slice", f"strides[{i}] must be non-zero.", "Pass 1, or -1.")
    if is_one:
        if step < 0:
            raise bad("strided_slice", "only stride 1 allowed on an entry of one.", "Pass 1.")
        return start
    return slice(None if no_start else start, None if no_stop else stop, step)


# ------------------------------------------------------------------------------ partitions


@op("dynamic_partition")
def dynamic_partition(data: Any, partitions: Any, num_partitions: Any, name: Any = None) -> Any:
    """A list of tensors: in the i-th, what stands where `partitions` is i."""
    n = attribute("dynamic_partition", num_partitions, "num_partitions")
    x: Any = native(data)
    part = indices_of("dynamic_partition", partitions, "i", bad_type)
    if n < 1:
        raise bad("dynamic_partition", f"num_partitions {n} is below 1.", "Pass 1 or more.")
    if x.value.shape[: part.ndim] != part.shape:
        raise bad(
            "dynamic_partition",
            f"data.shape must start with partitions.shape, got data.shape = {x.value.shape}, "
            f"partitions.shape = {part.shape}.",
            "Give a number for each row.",
        )
    if part.size and (part.min() < 0 or part.max() >= n):
        raise _outside("dynamic_partition", part, n, x.value.shape)
    rows = np.reshape(x, (part.size, *x.value.shape[part.ndim :]))
    return [rows[np.flatnonzero(part.reshape(-1) == i)] for i in range(n)]


@op("dynamic_stitch")
def dynamic_stitch(indices: Any, data: Any, name: Any = None) -> Any:
    """One tensor of rows from several: each of `data` at the places in its `indices`."""
    for given, what in ((indices, "indices"), (data, "data")):
        if not isinstance(given, list | tuple):
            raise bad_type("dynamic_stitch", f"expected a list of {what}.", "Pass a list of each.")
    if not indices or len(indices) != len(data):
        raise (bad_value if indices else bad)(
            "dynamic_stitch",
            f"{len(indices)} indices and {len(data)} data are given.",
            "Pass as many of one as of the other, and one at least.",
        )
    places = [indices_of("dynamic_stitch", i, "i", bad_type) for i in indices]
    parts = unify("DynamicStitch", data)
    inner = parts[0].value.shape[places[0].ndim :]
    rows = []
    for place, part in zip(places, parts, strict=True):
        if part.value.shape != place.shape + inner:
            raise bad(
                "dynamic_stitch",
                f"data of shape {part.value.shape} does not fit indices of shape {place.shape} and "
                f"rows of shape {inner}.",
                "Give a row for each index, all of one shape.",
            )
        rows.append(np.reshape(native(part), (place.size, *inner)))
    index = np.concatenate([place.reshape(-1) for place in places])
    n = int(index.max(initial=-1)) + 1
    if index.min(initial=0) < 0:
        raise _outside("dynamic_stitch", index, n, inner)
    joined = _np.concatenate([*rows, np.zeros((1, *inner), rows[0].dtype)])
    winner = np.full(n, index.size)  # a row of zeros where there is none
    winner[index] = np.arange(index.size)
    return joined[winner]


@op("reverse_sequence")
def reverse_sequence(
    input: Any,
    seq_lengths: Any,
    seq_axis: Any = None,
    batch_axis: Any = None,
    name: Any = None,
) -> Any:
    """The first `seq_lengths` elements of each entry of the batch in reverse order."""
    title = "reverse_sequence"
    if seq_axis is None:
        raise bad_type(title, "seq_axis must be an int, got None.", "Pass seq_axis=1.")
    x: Any = native(input)
    steps = indices_of(title, seq_lengths)
    along, batch = (attribute(title, 0 if a is None else a, "axis") for a in (seq_axis, batch_axis))
    dims = x.value.shape
    if along == batch or not (0 <= along < len(dims) and 0 <= batch < len(dims)):
        raise bad(
            title,
            f"seq_axis {along} and batch_axis {batch} must be two of the {len(dims)} axes.",
            "Pass seq_axis=1, batch_axis=0.",
        )
    if steps.shape != (dims[batch],):
        raise bad(
            title,
            f"Length of seq_lengths != input.dims({batch}): {steps.shape} vs. {dims[batch]}.",
            "Give one length for each entry of the batch.",
        )
    if steps.size and (steps.min() < 0 or steps.max() > dims[along]):
        raise bad(
            title,
            f"seq_lengths {steps.tolist()} must be from 0 to {dims[along]}.",
            "No sequence is longer than its axis.",
        )
    shape = [1] * len(dims)
    shape[batch] = dims[batch]
    ends = steps.reshape(shape)
    shape[batch], shape[along] = 1, dims[along]
    place = np.arange(dims[along]).reshape(shape)
    index = np.where(place < ends, ends - 1 - place, place)
    grid = _along(dims, len(dims))
    grid[along] = index
    return x[tuple(grid)]
