"""Axes and shapes: reshape, transpose, squeeze, broadcast_to and their kin.

All are linear and most are views, in which a write goes through to the base. `np.broadcast_to`,
`np.diagonal` and `sliding_window_view` give read-only views, as NumPy's are.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.bands import BANDED, Bands
from ..core.batched import as_operand, batch_first, dims, stand_in
from ..core.cards import composite, linear, unbroadcast
from ..core.dispatch import apply
from ..core.layouts import layout, stays
from ..core.lift import is_lifted
from ..core.registry import FUNCTIONS
from ..core.state import AVALS, KEYS, PARAMS
from ..core.symbol import is_traced
from ..core.tensor import Tensor, raw, read_only
from ..errors import ShapeError, TracingError, three_part

_normal_axes = np.lib.array_utils.normalize_axis_tuple


# --------------------------------------------------------------------------------- reshape


def _whole(shape: Any) -> tuple[int, ...]:
    """A shape as a tuple of ints."""
    shape = raw(shape)
    if isinstance(shape, list | tuple):
        return tuple([n if type(n) is int else operator.index(raw(n)) for n in shape])
    return tuple(map(int, shape)) if np.ndim(shape) else (operator.index(shape),)


def _memory_order(a: Any, order: str | None) -> str:
    """The order C or F that `order` means: for A, Fortran's where the array lies so in memory."""
    if order in ("A", "K"):
        flags = raw(a).flags
        return "F" if flags.f_contiguous and not flags.c_contiguous else "C"
    return order or "C"


def _reshape_signature(
    a: Any, /, shape: Any = None, order: str | None = "C", *, newshape: Any = None, copy: Any = None
) -> Any:
    a = as_operand(a)
    new = _whole(newshape if shape is None else shape)
    size = math.prod(dims(a))
    if -1 in new:
        rest = -math.prod(new)
        if rest > 0 and size % rest == 0 and new.count(-1) == 1:
            at = new.index(-1)
            new = (*new[:at], size // rest, *new[at + 1 :])
    if math.prod(new) != size or min(new, default=0) < 0:
        np.broadcast_to(False, dims(a)).reshape(new)  # NumPy's own error
    if copy:
        a = np.copy(a)
    return (a,), {"shape": new, "order": order if order in ("C", "F") else _memory_order(a, order)}


def _reshape_batch(size: int, operands: Any, axes: Any, shape: Any, order: str) -> Any:
    if order == "F":  # the batch goes last, where Fortran order leaves it alone
        x = np.moveaxis(operands[0], axes[0], -1)
        return np.reshape(x, (*shape, size), order="F"), len(shape)
    return np.reshape(np.moveaxis(operands[0], axes[0], 0), (size, *shape)), 0


reshape = linear(
    np.reshape,
    impl=lambda x, shape, order: np.reshape(x, shape, order),  # `shape=` is a name of NumPy 2.1
    signature=_reshape_signature,
    shape=lambda x, shape, order: Aval(shape, x.dtype),
    transpose=lambda ct, x, shape, order: np.reshape(ct, x.shape, order=order),
    batch=_reshape_batch,
    unview=lambda base, new, shape, order: np.reshape(new, base.shape, order=order),
)
reshape.looks = lambda laid, _shape, shape, order: stays(laid, shape, order)


def _banded_reshape(rec: list[Any], g: Bands) -> dict[int, Any] | None:
    """In C order an element keeps its number."""
    if rec[PARAMS]["order"] != "C":
        return None
    shape = rec[AVALS][0].shape
    diagonals = {k: v.reshape(shape) for k, v in g.diagonals.items()}
    return {rec[KEYS][0]: Bands(g.rows, shape, diagonals)}


BANDED[reshape] = _banded_reshape


@composite(np.ravel)
def ravel(a: Any, order: str = "C") -> Any:
    """One axis; "K" reads the elements in the order in which they lie in memory."""
    if order == "K":
        if (is_traced(a) or is_lifted(a)) and np.ndim(a) > 1:
            raise TracingError(
                three_part(
                    f"ravel: order='K' of a value inside a transform or a trace, {a.aval!r}.",
                    "It is the order of the elements in memory, which is not the user's there.",
                    "Pass order='C' or order='F'.",
                )
            )
        strides = getattr(raw(a), "strides", range(np.ndim(a)))
        a = np.transpose(a, sorted(range(np.ndim(a)), key=lambda i: -abs(strides[i])))
        order = "C"
    laid = layout(a) if is_traced(a) or is_lifted(a) else raw(a)
    flags = getattr(laid, "flags", None)
    if flags is not None and not (flags.c_contiguous if order == "C" else flags.forc):
        a = np.copy(a, order="K")  # NumPy's ravel copies where a reshape could still be a view
    return np.reshape(a, -1, order)  # type: ignore[call-overload]


def _reshaped(function: Any) -> Any:
    """A body that gives `a` the shape that `function` gives it, or NumPy's error."""

    def body(a: Any, axis: Any = None) -> Any:
        return np.reshape(a, function(stand_in(a), raw(axis)).shape)

    return body


squeeze = composite(np.squeeze, name="squeeze")(_reshaped(np.squeeze))
expand_dims = composite(np.expand_dims, name="expand_dims")(_reshaped(np.expand_dims))


def _at_least(function: Any) -> Any:
    def body(*arys: Any) -> Any:
        out = tuple(
            np.reshape(x, function(np.broadcast_to(False, np.shape(x))).shape)
            for x in map(as_operand, arys)
        )
        return out[0] if len(out) == 1 else out

    return body


atleast_1d = composite(np.atleast_1d, name="atleast_1d")(_at_least(np.atleast_1d))
atleast_2d = composite(np.atleast_2d, name="atleast_2d")(_at_least(np.atleast_2d))
atleast_3d = composite(np.atleast_3d, name="atleast_3d")(_at_least(np.atleast_3d))


# ------------------------------------------------------------------------------- transpose


def _transpose_signature(a: Any, axes: Any = None) -> Any:
    ndim = len(dims(a))
    if axes is None:
        return (a,), {"axes": tuple(range(ndim))[::-1]}
    if len(axes) != ndim:
        raise ShapeError(
            three_part(
                "transpose: axes don't match array.",
                f"{len(axes)} axes are given for an array of {ndim}.",
                "Name each axis once, or leave axes out to reverse them.",
            )
        )
    return (a,), {"axes": _normal_axes(tuple(map(raw, axes)), ndim)}


def _inverse(axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(range(len(axes)), key=axes.__getitem__))


transpose = linear(
    np.transpose,
    signature=_transpose_signature,
    shape=lambda x, axes: Aval(tuple(x.shape[i] for i in axes), x.dtype),
    transpose=lambda ct, _x, axes: np.transpose(ct, _inverse(axes)),
    batch=lambda size, operands, batch_axes, axes: (
        np.transpose(batch_first(operands[0], batch_axes[0], size), (0, *(i + 1 for i in axes))),
        0,
    ),
    unview=lambda _base, new, axes: np.transpose(new, _inverse(axes)),
)
FUNCTIONS[np.permute_dims] = FUNCTIONS[np.transpose]


@composite(np.moveaxis)
def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    """Axes moved to other places, the others in their order."""
    src = _normal_axes(raw(source), np.ndim(a), "source")
    dst = _normal_axes(raw(destination), np.ndim(a), "destination")
    if len(src) != len(dst):
        raise ValueError(
            three_part(
                "moveaxis: `source` and `destination` arguments must have the same number of "
                "elements.",
                f"They have {len(src)} and {len(dst)}.",
                "Pass one destination for each source.",
            )
        )
    order = [n for n in range(np.ndim(a)) if n not in src]
    for d, s in sorted(zip(dst, src, strict=True)):
        order.insert(d, s)
    return np.transpose(a, order)


@composite(np.swapaxes)
def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    """Two axes exchanged."""
    order = list(range(np.ndim(a)))
    (i,), (j,) = (_normal_axes(operator.index(raw(n)), len(order)) for n in (axis1, axis2))
    order[i], order[j] = order[j], order[i]
    return np.transpose(a, order)


@composite(np.rollaxis)
def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    """One axis moved backwards until it stands before `start`."""
    ndim = np.ndim(a)
    (axis,) = _normal_axes(operator.index(raw(axis)), ndim)
    start = operator.index(raw(start))
    start += ndim if start < 0 else 0
    if not 0 <= start <= ndim:
        raise np.exceptions.AxisError(f"start arg requires {-ndim} <= start < {ndim + 1}")
    order = [n for n in range(ndim) if n != axis]
    order.insert(start - (start > axis), axis)
    return np.transpose(a, order)


@composite(np.matrix_transpose)
def matrix_transpose(x: Any, /) -> Any:
    """The last two axes exchanged."""
    if np.ndim(x) < 2:
        raise ShapeError(
            three_part(
                f"Input array must be at least 2-dimensional, but it is {np.ndim(x)}.",
                "It exchanges the last two axes.",
                "Make a matrix of it: x[np.newaxis].",
            )
        )
    return np.swapaxes(x, -1, -2)


# ------------------------------------------------------------------------------- broadcast


def _broadcast_signature(array: Any, shape: Any, subok: bool = False) -> Any:
    return (as_operand(array),), {"shape": _whole(shape)}


def _broadcast_batch(size: int, operands: Any, axes: Any, shape: Any) -> Any:
    x = np.moveaxis(operands[0], axes[0], 0)
    x = np.reshape(x, (size,) + (1,) * (len(shape) + 1 - np.ndim(x)) + np.shape(x)[1:])
    return np.broadcast_to(x, (size, *shape)), 0


def _broadcast_shape(x: Aval, shape: Any) -> Aval:
    if np.broadcast_shapes(x.shape, shape) != tuple(shape):
        np.broadcast_to(np.empty(x.shape, bool), shape)  # NumPy's own error
    return Aval(shape, x.dtype)


broadcast_to = linear(
    np.broadcast_to,
    signature=_broadcast_signature,
    shape=_broadcast_shape,
    transpose=lambda ct, x, shape: unbroadcast(ct, x.shape),
    batch=_broadcast_batch,
    unview=read_only,
)


@composite(np.broadcast_arrays)
def broadcast_arrays(*args: Any, subok: bool = False) -> Any:
    """All arguments broadcast to their common shape: read-only views."""
    args = tuple(map(as_operand, args))
    shape = np.broadcast_shapes(*map(np.shape, args))
    return tuple(
        x if np.shape(x) == shape and isinstance(x, Tensor) else np.broadcast_to(x, shape)
        for x in args
    )


@composite(np.meshgrid)
def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> Any:
    """Coordinate arrays of a grid, one per coordinate vector."""
    if indexing not in ("xy", "ij"):
        raise ValueError(
            three_part(
                "meshgrid: Valid values for `indexing` are 'xy' and 'ij'.",
                f"It is {indexing!r}.",
                "Pass indexing='ij' for matrix order, 'xy' for plots.",
            )
        )
    ndim = len(xi)
    vectors = [
        np.reshape(x, (1,) * i + (-1,) + (1,) * (ndim - i - 1))
        for i, x in enumerate(map(as_operand, xi))
    ]
    if indexing == "xy" and ndim > 1:  # the first coordinate runs along the second axis
        vectors[0] = np.reshape(vectors[0], (1, -1) + (1,) * (ndim - 2))
        vectors[1] = np.reshape(vectors[1], (-1, 1) + (1,) * (ndim - 2))
    grids = vectors if sparse else np.broadcast_arrays(*vectors)
    return tuple(np.copy(g) if copy else g for g in grids)


# ------------------------------------------------------------------------------------ copy


def _copy_signature(a: Any, order: Any = "K", subok: bool = False) -> Any:
    return (as_operand(a),), {"order": order}


copy = linear(
    np.copy,
    impl=lambda a, order: np.array(a, order=order, copy=True),
    signature=_copy_signature,
    shape=lambda x, order: Aval(x.shape, x.dtype),
    transpose=lambda ct, _x, order: ct,
    batch=lambda _size, operands, axes, order: (np.copy(operands[0], order=order), axes[0]),
)


# ------------------------------------------------------------------------- sliding windows


def _window_signature(
    x: Any, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False
) -> Any:
    window = raw(window_shape)
    window = tuple(map(int, window)) if np.ndim(window) else (int(window),)
    ndim = np.ndim(x)
    axes = tuple(range(ndim)) if axis is None else _normal_axes(raw(axis), ndim, "axis", True)
    np.lib.stride_tricks.sliding_window_view(stand_in(x), window, axes)  # NumPy's own errors
    return (x,), {"window": window, "axes": axes}


def _windows(x: Any, window: Any, axes: Any) -> Any:
    return np.lib.stride_tricks.sliding_window_view(x, window, axes)


def _window_shape(x: Any, window: Any, axes: Any) -> Aval:
    return Aval(_windows(stand_in(x), window, axes).shape, x.dtype)


def _overlap_add(ct: Any, shape: Any, window: Any, axes: Any) -> Any:
    """The adjoint of `_windows`: each place of the window is added where it was read."""
    out = np.zeros(shape, ct.dtype)
    places = np.ndim(ct) - len(window)
    counts = np.shape(ct)[:places]
    for offset in np.ndindex(*window):
        start = [0] * places
        for a, o in zip(axes, offset, strict=True):
            start[a] += o
        part = tuple(slice(s, s + n) for s, n in zip(start, counts, strict=True))
        out[part] += ct[(..., *offset)]
    return out[()]


def _overlap(ct: Any, shape: Any, window: Any, axes: Any) -> Any:
    if not isinstance(ct, Tensor):
        return _overlap_add(ct, shape, window, axes)
    return apply(overlap_add, (ct,), {"shape": shape, "window": window, "axes": axes})


def _window_batch(size: int, operands: Any, batch_axes: Any, window: Any, axes: Any) -> Any:
    x = batch_first(operands[0], batch_axes[0], size)
    return _windows(x, window, tuple(a + 1 for a in axes)), 0


def _overlap_batch(
    size: int, operands: Any, batch_axes: Any, shape: Any, window: Any, axes: Any
) -> Any:
    ct = batch_first(operands[0], batch_axes[0], size)
    return _overlap(ct, (size, *shape), window, tuple(a + 1 for a in axes)), 0


sliding_window_view = linear(
    np.lib.stride_tricks.sliding_window_view,
    impl=_windows,
    signature=_window_signature,
    shape=_window_shape,
    transpose=lambda ct, x, window, axes: _overlap(ct, x.shape, window, axes),
    batch=_window_batch,
    unview=read_only,
)
overlap_add = linear(
    None,
    name="overlap_add",
    impl=_overlap_add,
    shape=lambda ct, shape, window, axes: Aval(shape, ct.dtype),
    transpose=lambda ct, _x, shape, window, axes: np.lib.stride_tricks.sliding_window_view(
        ct, window, axes
    ),
    batch=_overlap_batch,
)
