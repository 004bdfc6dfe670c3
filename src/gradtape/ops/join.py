"""Joining and splitting: stack, concatenate and what NumPy builds on them.

Splitting gives views, as in NumPy, each by one basic index: its cotangent is added to its part
of the operand's, and no dense array of zeros is made per part.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.batched import as_operand, batch_first, dims
from ..core.cards import composite, linear
from ..core.positions import decode, here
from ..core.registry import FUNCTIONS
from ..core.tensor import raw
from ..errors import ShapeError, three_part


def _normal(axis: Any, ndim: int) -> int:
    return int(np.lib.array_utils.normalize_axis_index(operator.index(raw(axis)), ndim))


def _options(dtype: Any, casting: Any) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if dtype is not None:
        options["dtype"] = np.dtype(dtype)
    if casting is not None and casting != "same_kind":
        options["casting"] = casting
    return options


def _joined_dtype(arrays: Any, dtype: Any) -> Any:
    # a Python scalar becomes an array first, so that here it is not weak
    return dtype if dtype is not None else np.result_type(*(a.dtype for a in arrays))


def _joined_ct(i: int, ct: Any, x: Any) -> Any:
    return np.real(ct) if ct.dtype.kind == "c" and x.dtype.kind == "f" else ct


# ----------------------------------------------------------------------------------- stack


def _stack_signature(
    arrays: Any, axis: Any = 0, *, dtype: Any = None, casting: Any = "same_kind"
) -> Any:
    operands = tuple(as_operand(x) for x in arrays)
    if not operands:
        raise ShapeError(
            three_part(
                "stack: need at least one array to stack.",
                "The sequence is empty.",
                "Pass one array or more: np.stack([x, y]).",
            )
        )
    shapes = {dims(x) for x in operands}
    if len(shapes) > 1:
        raise ShapeError(
            three_part(
                "stack: all input arrays must have the same shape; there are "
                f"{', '.join(map(str, sorted(shapes)))}.",
                f"Called at {decode(*here())}.",
                "Reshape them, or join them along an axis they have: np.concatenate([...]).",
            )
        )
    axis = _normal(axis, len(shapes.pop()) + 1)
    return operands, {"axis": axis, **_options(dtype, casting)}


def _stack(*arrays: Any, axis: int, dtype: Any = None, casting: Any = "same_kind") -> Any:
    if np.ndim(arrays[0]) == 0 and dtype is None:
        return np.array(arrays)  # np.stack makes three arrays for each number
    return np.stack(arrays, axis=axis, dtype=dtype, casting=casting)


def _stack_batch(size: int, operands: Any, axes: Any, axis: int, **options: Any) -> Any:
    parts = [batch_first(x, b, size) for x, b in zip(operands, axes, strict=True)]
    return np.stack(parts, axis=axis + 1, **options), 0


stack = linear(
    np.stack,
    arity=-1,
    impl=_stack,
    signature=_stack_signature,
    shape=lambda *arrays, axis, dtype=None, **_: Aval(
        (*arrays[0].shape[:axis], len(arrays), *arrays[0].shape[axis:]),
        _joined_dtype(arrays, dtype),
    ),
    transpose=lambda i, ct, *arrays, axis, **_: _joined_ct(
        i, ct[(slice(None),) * axis + (i,)], arrays[i]
    ),
    batch=_stack_batch,
)


# ----------------------------------------------------------------------------- concatenate


def _concatenate_signature(
    arrays: Any, axis: Any = 0, *, dtype: Any = None, casting: Any = "same_kind"
) -> Any:
    operands = tuple(as_operand(x) for x in arrays)
    shapes = [dims(x) for x in operands]
    if axis is None:
        lengths = [math.prod(shape) for shape in shapes]
    else:
        ndims = [len(shape) for shape in shapes]
        if len(set(ndims)) != 1 or 0 in ndims:  # NumPy has an error for each of these
            np.concatenate([np.zeros((1,) * n) for n in ndims], operator.index(raw(axis)))
        axis = _normal(axis, ndims[0])
        lengths = [shape[axis] for shape in shapes]
    # where each part starts; found once, for a sum per part would be quadratic in their number
    starts = (0, *itertools.accumulate(lengths))
    return operands, {"axis": axis, "starts": starts, **_options(dtype, casting)}


def _concatenate(*arrays: Any, axis: Any, starts: Any, **options: Any) -> Any:
    return np.concatenate(arrays, axis=axis, **options)


def _concatenate_transpose(
    i: int, ct: Any, *arrays: Any, axis: Any, starts: Any, **_: Any
) -> Any:
    part = slice(starts[i], starts[i + 1])
    if axis is None:
        return _joined_ct(i, np.reshape(ct[part], arrays[i].shape), arrays[i])
    return _joined_ct(i, ct[(slice(None),) * axis + (part,)], arrays[i])


def _concatenate_batch(
    size: int, operands: Any, axes: Any, axis: Any, starts: Any, **options: Any
) -> Any:
    parts = [batch_first(x, b, size) for x, b in zip(operands, axes, strict=True)]
    if axis is None:
        parts = [np.reshape(x, (size, -1)) for x in parts]
    return np.concatenate(parts, axis=1 if axis is None else axis + 1, **options), 0


def _concatenate_shape(*arrays: Any, axis: Any, starts: Any, dtype: Any = None, **_: Any) -> Aval:
    dtype = _joined_dtype(arrays, dtype)
    if axis is None:
        return Aval((starts[-1],), dtype)
    shape = arrays[0].shape
    return Aval((*shape[:axis], starts[-1], *shape[axis + 1 :]), dtype)


concatenate = linear(
    np.concatenate,
    arity=-1,
    impl=_concatenate,
    signature=_concatenate_signature,
    shape=_concatenate_shape,
    transpose=_concatenate_transpose,
    batch=_concatenate_batch,
)

_concatenated = FUNCTIONS[np.concatenate]


def _concatenate_function(arrays: Any, axis: Any = 0, out: Any = None, **options: Any) -> Any:
    """`np.concatenate`, whose `out` can stand third (it is no Python function that one can ask)."""
    return _concatenated(arrays, axis, out=out, **options)


FUNCTIONS[np.concatenate] = _concatenate_function


# ------------------------------------------------------------------------ built on them


def _each(arrays: Any) -> list[Any]:
    return [as_operand(x) for x in arrays]


def _at_least(function: Any, arrays: Any) -> list[Any]:
    return [np.reshape(x, function(np.broadcast_to(0, np.shape(x))).shape) for x in _each(arrays)]


@composite(np.vstack)
def vstack(tup: Any, *, dtype: Any = None, casting: Any = "same_kind") -> Any:
    """Rows on top of each other: concatenate along axis 0 of arrays with two axes or more."""
    return np.concatenate(_at_least(np.atleast_2d, tup), 0, dtype=dtype, casting=casting)


@composite(np.hstack)
def hstack(tup: Any, *, dtype: Any = None, casting: Any = "same_kind") -> Any:
    """Side by side: concatenate along axis 1, or axis 0 of arrays with one axis."""
    arrays = _at_least(np.atleast_1d, tup)
    axis = 0 if arrays and np.ndim(arrays[0]) == 1 else 1
    return np.concatenate(arrays, axis, dtype=dtype, casting=casting)


@composite(np.dstack)
def dstack(tup: Any) -> Any:
    """Behind each other: concatenate along axis 2 of arrays with three axes or more."""
    return np.concatenate(_at_least(np.atleast_3d, tup), 2)


@composite(np.column_stack)
def column_stack(tup: Any) -> Any:
    """Arrays with one axis as the columns of a matrix."""
    columns = [np.reshape(x, (-1, 1)) if np.ndim(x) < 2 else x for x in _each(tup)]
    return np.concatenate(columns, 1)


def _block_depth(arrays: Any) -> tuple[int, int]:
    """(depth of the lists, number of axes of the result); NumPy's rules for what is allowed."""
    if isinstance(arrays, tuple):
        raise TypeError(
            three_part(
                "block: the nested sequence holds a tuple.",
                "Only lists say how arrays are arranged.",
                "Write lists: np.block([[a, b], [c, d]]).",
            )
        )
    if not isinstance(arrays, list):
        return 0, np.ndim(arrays)
    if not arrays:
        raise ValueError(
            three_part("block: a list is empty.", "It has no shape.", "Leave the list away.")
        )
    depths, ndims = zip(*map(_block_depth, arrays), strict=True)
    if len(set(depths)) > 1:
        raise ValueError(
            three_part(
                f"block: list depths are mismatched: {', '.join(map(str, depths))}.",
                "Every array has to stand at the same depth.",
                "Put single arrays into lists as deep as the others.",
            )
        )
    return 1 + depths[0], max(1 + depths[0], *ndims)


@composite(np.block)
def block(arrays: Any) -> Any:
    """Nested lists of arrays as one: innermost lists along the last axis, and so outwards."""
    depth, ndim = _block_depth(arrays)

    def build(part: Any, level: int) -> Any:
        if isinstance(part, list):
            return np.concatenate([build(p, level + 1) for p in part], axis=level - depth)
        return np.reshape(part, (1,) * (ndim - np.ndim(part)) + np.shape(part))

    return build(arrays, 0) if depth else np.copy(arrays)


# ------------------------------------------------------------------------------- splitting


def _parts(ary: Any, bounds: Any, axis: Any) -> Iterator[Any]:
    axis = _normal(axis, np.ndim(ary))
    for start, stop in bounds:
        yield ary[(slice(None),) * axis + (slice(start, stop),)]


def _bounds(ary: Any, indices_or_sections: Any, axis: Any, equal: bool) -> list[tuple[Any, Any]]:
    """Where the parts start and stop along `axis`, as array_split has it."""
    total = np.shape(ary)[_normal(axis, np.ndim(ary))]
    where = raw(indices_or_sections)
    try:
        cuts = [0, *(operator.index(raw(i)) for i in where), total]
    except TypeError:
        sections = int(where)
        if sections <= 0:
            raise ValueError(
                three_part(
                    "split: number sections must be larger than 0.",
                    f"It is {sections}.",
                    "Pass how many parts there shall be, or a list of the places to cut at.",
                )
            ) from None
        if equal and total % sections:
            raise ValueError(
                three_part(
                    f"split: array split does not result in an equal division: "
                    f"{total} elements into {sections} parts.",
                    f"Called at {decode(*here())}.",
                    f"Use np.array_split(x, {sections}), which allows unequal parts.",
                )
            ) from None
        each, extra = divmod(total, sections)
        cuts = [0, *np.cumsum([each + 1] * extra + [each] * (sections - extra)).tolist()]
    return list(zip(cuts[:-1], cuts[1:], strict=True))


@composite(np.array_split)
def array_split(ary: Any, indices_or_sections: Any, axis: Any = 0) -> list[Any]:
    """Parts of an array along an axis, as views; they may be of unequal length."""
    return list(_parts(ary, _bounds(ary, indices_or_sections, axis, False), axis))


@composite(np.split)
def split(ary: Any, indices_or_sections: Any, axis: Any = 0) -> list[Any]:
    """Equal parts of an array along an axis, or the parts between indices, as views."""
    return list(_parts(ary, _bounds(ary, indices_or_sections, axis, True), axis))


def _split_along(name: str, ary: Any, indices_or_sections: Any, axis: int) -> list[Any]:
    if np.ndim(ary) <= axis and not (axis == 1 and np.ndim(ary) == 1):
        raise ShapeError(
            three_part(
                f"{name} only works on arrays of {axis + 1} or more dimensions.",
                f"This one has shape {np.shape(ary)}.",
                "Use np.split(x, parts, axis=...) with an axis that it has.",
            )
        )
    return np.split(ary, indices_or_sections, min(axis, np.ndim(ary) - 1))


@composite(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Parts along axis 1, or axis 0 of an array with one axis."""
    if np.ndim(ary) == 0:
        raise ShapeError(
            three_part(
                "hsplit only works on arrays of 1 or more dimensions.",
                "This one is 0-d.",
                "Give it an axis first: x[np.newaxis].",
            )
        )
    return _split_along("hsplit", ary, indices_or_sections, 1)


@composite(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Parts along axis 0 of an array with two axes or more."""
    if np.ndim(ary) < 2:
        raise ShapeError(
            three_part(
                "vsplit only works on arrays of 2 or more dimensions.",
                f"This one has shape {np.shape(ary)}.",
                "Use np.split(x, parts) for axis 0 of a vector.",
            )
        )
    return _split_along("vsplit", ary, indices_or_sections, 0)


@composite(np.dsplit)
def dsplit(ary: Any, indices_or_sections: Any) -> list[Any]:
    """Parts along axis 2 of an array with three axes or more."""
    return _split_along("dsplit", ary, indices_or_sections, 2)


if hasattr(np, "unstack"):  # NumPy 2.1

    @composite(np.unstack)
    def unstack(x: Any, /, *, axis: Any = 0) -> tuple[Any, ...]:
        """The slices along an axis, as a tuple of views."""
        if np.ndim(x) == 0:
            raise ShapeError(
                three_part(
                    "unstack: Input array must be at least 1-d.",
                    "This one is 0-d.",
                    "Leave unstack away: there is one value.",
                )
            )
        axis = _normal(axis, np.ndim(x))
        return tuple(x[(slice(None),) * axis + (i,)] for i in range(np.shape(x)[axis]))

