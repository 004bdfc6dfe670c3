"""Moving, repeating and selecting elements by place: roll, flip, tile, repeat, diag, tril, ...

Most are made of views and joins; `roll`, `repeat` and the diagonals are linear cards of their own.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.batched import as_operand, batch_first, stand_in
from ..core.cards import composite, linear
from ..core.dispatch import apply
from ..core.positions import decode, here
from ..core.pythons import is_weak
from ..core.registry import FUNCTIONS, HOOKS
from ..core.tensor import Tensor, raw, read_only
from ..errors import DTypeError, ShapeError, three_part

_normal_axes = np.lib.array_utils.normalize_axis_tuple
_np: Any = np  # NumPy's functions as they are for Tensors, which its stubs do not know


def _integer(x: Any) -> int:
    return operator.index(raw(x))


# ------------------------------------------------------------------------------ roll, flip


def _roll_signature(a: Any, shift: Any, axis: Any = None) -> Any:
    shift, axis = raw(shift), raw(axis)
    if axis is None:  # the flattened array is rolled by the sum
        return (as_operand(a),), {"shift": int(np.sum(shift)), "axis": None}
    axes = _normal_axes(axis, np.ndim(a), allow_duplicate=True)
    pairs = np.broadcast(shift, axes)
    if pairs.ndim > 1:
        raise ShapeError(
            three_part(
                "roll: 'shift' and 'axis' should be scalars or 1D sequences.",
                f"Together they have shape {pairs.shape}.",
                "Pass one shift for each axis: np.roll(x, (1, 2), axis=(0, 1)).",
            )
        )
    steps: dict[int, int] = {}
    for s, i in pairs:
        steps[int(i)] = steps.get(int(i), 0) + int(s)
    return (as_operand(a),), {"shift": tuple(steps.values()), "axis": tuple(steps)}


def _roll_batch(size: int, operands: Any, axes: Any, shift: Any, axis: Any) -> Any:
    x = batch_first(operands[0], axes[0], size)
    if axis is None:
        return np.reshape(np.roll(np.reshape(x, (size, -1)), shift, 1), np.shape(x)), 0
    return np.roll(x, shift, tuple(i + 1 for i in axis)), 0


def _back(shift: Any) -> Any:
    return tuple(-s for s in shift) if isinstance(shift, tuple) else -shift


roll = linear(
    np.roll,
    signature=_roll_signature,
    shape=lambda x, shift, axis: Aval(x.shape, x.dtype),
    transpose=lambda ct, _x, shift, axis: np.roll(ct, _back(shift), axis),
    batch=_roll_batch,
)


@composite(np.flip)
def flip(m: Any, axis: Any = None) -> Any:
    """The elements in reverse order along `axis` (all axes by default): a view."""
    m = as_operand(m)
    ndim = np.ndim(m)
    axes = range(ndim) if axis is None else _normal_axes(raw(axis), ndim)
    return m[tuple(slice(None, None, -1) if i in axes else slice(None) for i in range(ndim))]


@composite(np.fliplr)
def fliplr(m: Any) -> Any:
    """Reversed along axis 1."""
    if np.ndim(m) < 2:
        raise ShapeError(
            three_part(
                "fliplr: Input must be >= 2-d.",
                f"It has shape {np.shape(m)}.",
                "Use np.flip(x) for a vector.",
            )
        )
    return np.flip(m, 1)


@composite(np.flipud)
def flipud(m: Any) -> Any:
    """Reversed along axis 0."""
    if np.ndim(m) < 1:
        raise ShapeError(
            three_part(
                "flipud: Input must be >= 1-d.",
                "It is 0-d.",
                "Leave flipud away: there is one value.",
            )
        )
    return np.flip(m, 0)


@composite(np.rot90)
def rot90(m: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    """Rotated by 90 degrees `k` times in the plane of two axes: a view."""
    np.rot90(stand_in(m), 1, axes)  # NumPy's own errors
    i, j = (int(a) % np.ndim(m) for a in axes)
    turns = _integer(k) % 4
    if turns == 0:
        return m[:]
    if turns == 2:
        return np.flip(m, (i, j))
    if turns == 1:
        return np.swapaxes(np.flip(m, j), i, j)
    return np.flip(np.swapaxes(m, i, j), j)


# -------------------------------------------------------------------- tile, repeat, resize


@composite(np.tile)
def tile(A: Any, reps: Any) -> Any:
    """`A` repeated as a whole, `reps` times along each axis."""
    A = as_operand(A)
    reps = raw(reps)
    counts = tuple(map(_integer, reps)) if np.ndim(reps) else (_integer(reps),)
    ndim = max(np.ndim(A), len(counts))
    counts = (1,) * (ndim - len(counts)) + counts
    shape = (1,) * (ndim - np.ndim(A)) + np.shape(A)
    if all(n == 1 for n in counts):
        return np.copy(np.reshape(A, shape))
    spread = np.reshape(A, tuple(n for size in shape for n in (1, size)))
    spread = np.broadcast_to(
        spread, tuple(n for c, size in zip(counts, shape, strict=True) for n in (c, size))
    )
    return np.reshape(spread, tuple(c * n for c, n in zip(counts, shape, strict=True)))


def _repeat_shape(x: Any, repeats: int, axis: int) -> Aval:
    return Aval((*x.shape[:axis], x.shape[axis] * repeats, *x.shape[axis + 1 :]), x.dtype)


def _repeat_transpose(ct: Any, x: Any, repeats: int, axis: int) -> Any:
    blocks = (*x.shape[: axis + 1], repeats, *x.shape[axis + 1 :])
    return np.sum(np.reshape(ct, blocks), axis=axis + 1)


repeat_each = linear(
    None,
    name="repeat_each",
    impl=np.repeat,
    shape=_repeat_shape,
    transpose=_repeat_transpose,
    batch=lambda size, operands, axes, repeats, axis: (
        np.repeat(batch_first(operands[0], axes[0], size), repeats, axis + 1),
        0,
    ),
)


@composite(np.repeat)
def repeat(a: Any, repeats: Any, axis: Any = None) -> Any:
    """Each element `repeats` times, a number for all or one for each along `axis`."""
    a = as_operand(a)
    if axis is None or np.ndim(a) == 0 and axis in (0, -1):
        a, axis = np.ravel(a), 0
    (axis,) = _normal_axes(_integer(axis), np.ndim(a))
    counts = np.asarray(raw(repeats))
    if counts.size == 1:
        count = _integer(counts.reshape(())[()])
        if count < 0:
            raise ValueError(
                three_part(
                    "repeat: repeats may not contain negative values.",
                    f"It is {count}.",
                    "Pass 0 or more.",
                )
            )
        return apply(repeat_each, (a,), {"repeats": count, "axis": axis})
    index = np.repeat(np.arange(np.shape(a)[axis]), counts)
    return a[(slice(None),) * axis + (index,)]


@composite(np.resize)
def resize(a: Any, new_shape: Any) -> Any:
    """The elements in a new shape, repeated or cut off as needed."""
    new_shape = raw(new_shape)
    shape = tuple(int(n) for n in new_shape) if np.ndim(new_shape) else (int(new_shape),)
    if any(n < 0 for n in shape):
        raise ValueError(
            three_part(
                "resize: all elements of `new_shape` must be non-negative.",
                f"It is {shape}.",
                "Use np.reshape(x, -1) for a length that is worked out.",
            )
        )
    size = int(np.prod(shape))
    flat = np.ravel(as_operand(a))
    if size == 0 or flat.size == 0:
        return np.zeros_like(flat, shape=shape)
    copies = -(-size // flat.size)
    return np.reshape(np.tile(flat, copies)[:size], shape)


@composite(np.trim_zeros)
def trim_zeros(filt: Any, trim: Any = "fb", axis: Any = None) -> Any:
    """Without the zeros at the front ("f") and the back ("b"), along `axis` or all axes.

    Where it is cut depends on the values and changes in jumps; what is left is a view.
    """
    trim = trim.lower()
    if trim not in ("fb", "bf", "f", "b"):
        raise ValueError(
            three_part(
                f"trim_zeros: unexpected character(s) in `trim`: {trim!r}.",
                "'f' trims the front, 'b' the back.",
                "Pass 'f', 'b' or 'fb'.",
            )
        )
    filt = as_operand(filt)
    value = np.asarray(raw(filt))
    axes = tuple(range(value.ndim)) if axis is None else _normal_axes(raw(axis), value.ndim)
    where = np.argwhere(value)
    part: list[Any] = [slice(None)] * value.ndim
    for i in axes:
        start, stop = (0, 0) if not len(where) else (where[:, i].min(), where[:, i].max() + 1)
        if not len(where):  # all zeros: nothing is left
            part[i] = slice(0, 0)
        else:
            part[i] = slice(int(start) if "f" in trim else None, int(stop) if "b" in trim else None)
    return filt[tuple(part)]


# -------------------------------------------------------------------------------- diagonals


def _place(shape: tuple[int, ...], offset: int, axis1: int, axis2: int) -> tuple[Any, Any, int]:
    """Rows and columns of the diagonal of a stack of matrices, and its length."""
    rows, columns = shape[axis1], shape[axis2]
    first, second = max(-offset, 0), max(offset, 0)
    n = max(min(rows - first, columns - second), 0)
    return np.arange(first, first + n), np.arange(second, second + n), n


def _diagonal_signature(a: Any, offset: Any = 0, axis1: Any = 0, axis2: Any = 1) -> Any:
    a = as_operand(a)
    np.diagonal(stand_in(a), _integer(offset), _integer(axis1), _integer(axis2))  # NumPy's errors
    ndim = np.ndim(a)
    return (a,), {
        "offset": _integer(offset), "axis1": axis1 % ndim, "axis2": axis2 % ndim,
    }  # fmt: skip


def _diagonal_shape(x: Any, offset: int, axis1: int, axis2: int) -> Aval:
    others = tuple(n for i, n in enumerate(x.shape) if i not in (axis1, axis2))
    return Aval((*others, _place(x.shape, offset, axis1, axis2)[2]), x.dtype)


def _embed_value(ct: Any, shape: Any, offset: int, axis1: int, axis2: int) -> Any:
    out = np.zeros(shape, ct.dtype)
    rows, columns, _ = _place(shape, offset, axis1, axis2)
    np.moveaxis(out, (axis1, axis2), (-2, -1))[..., rows, columns] = ct
    return out


def _embed(ct: Any, shape: Any, **params: Any) -> Any:
    """Zeros of `shape` with `ct` on a diagonal: the adjoint of taking it."""
    if not isinstance(ct, Tensor):
        return _embed_value(ct, shape, **params)
    return apply(diagonal_embed, (ct,), {"shape": shape, **params})


def _diagonal_batch(
    size: int, operands: Any, axes: Any, offset: int, axis1: int, axis2: int
) -> Any:
    return np.diagonal(batch_first(operands[0], axes[0], size), offset, axis1 + 1, axis2 + 1), 0


def _embed_batch(
    size: int, operands: Any, axes: Any, shape: Any, offset: int, axis1: int, axis2: int
) -> Any:
    ct = batch_first(operands[0], axes[0], size)
    return _embed(ct, (size, *shape), offset=offset, axis1=axis1 + 1, axis2=axis2 + 1), 0


diagonal = linear(
    np.diagonal,
    signature=_diagonal_signature,
    shape=_diagonal_shape,
    transpose=lambda ct, x, **params: _embed(ct, x.shape, **params),
    batch=_diagonal_batch,
    unview=read_only,
    drops=True,
)
diagonal_embed = linear(
    None,
    name="diagonal_embed",
    impl=_embed_value,
    shape=lambda ct, shape, **_: Aval(shape, ct.dtype),
    transpose=lambda ct, _x, shape, offset, axis1, axis2: np.diagonal(ct, offset, axis1, axis2),
    batch=_embed_batch,
)


@composite(np.trace)
def trace(
    a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None
) -> Any:
    """The sum along a diagonal."""
    return np.sum(np.diagonal(as_operand(a), offset, axis1, axis2), axis=-1, dtype=dtype, out=out)


@composite(np.diag)
def diag(v: Any, k: int = 0) -> Any:
    """The matrix with the diagonal `v`, or the diagonal of the matrix `v` (a read-only view)."""
    v = as_operand(v)
    k = _integer(k)
    if np.ndim(v) == 2:
        return np.diagonal(v, k)
    if np.ndim(v) != 1:
        raise ShapeError(
            three_part(
                "diag: Input must be 1- or 2-d.",
                f"It has shape {np.shape(v)}.",
                "Use np.diagonal(x, axis1=-2, axis2=-1) for the diagonals of a stack.",
            )
        )
    n = np.shape(v)[0] + abs(k)
    return _embed(v, (n, n), offset=k, axis1=0, axis2=1)


@composite(np.diagflat)
def diagflat(v: Any, k: int = 0) -> Any:
    """The matrix with the flattened `v` as a diagonal."""
    return np.diag(np.ravel(as_operand(v)), k)


def _triangle(m: Any, mask: Any, keep: bool) -> Any:
    zero = np.zeros((), m.dtype)
    return np.where(mask, m, zero) if keep else np.where(mask, zero, m)


@composite(np.tril)
def tril(m: Any, k: int = 0) -> Any:
    """The lower triangle: 0 above the diagonal `k`."""
    m = as_operand(m)
    return _triangle(m, np.tri(*_last_two(m), k=_integer(k), dtype=bool), True)


@composite(np.triu)
def triu(m: Any, k: int = 0) -> Any:
    """The upper triangle: 0 below the diagonal `k`."""
    m = as_operand(m)
    return _triangle(m, np.tri(*_last_two(m), k=_integer(k) - 1, dtype=bool), False)


def _last_two(m: Any) -> tuple[int, int]:
    shape = np.shape(m)[-2:]
    if not shape:
        raise TypeError(
            three_part(
                "tril, triu: the array is 0-d.",
                "A triangle needs rows and columns.",
                "Pass a matrix, or a stack of them.",
            )
        )
    return shape if len(shape) == 2 else (shape[0], shape[0])


# ---------------------------------------------------------------------------- written in place


def _set(x: Any, index: Any, value: Any) -> None:
    """Write `value` at `index` of the Tensor `x`: a new version, which the tape follows."""
    x[index] = value


def _fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    if np.ndim(a) < 2:
        raise ShapeError(
            three_part(
                "fill_diagonal: array must be at least 2-d.",
                f"It has shape {np.shape(a)}.",
                "Pass a matrix.",
            )
        )
    shape, val = np.shape(a), as_operand(val)
    if len(shape) == 2:
        step, end = shape[1] + 1, None if wrap else shape[1] * shape[1]
    else:
        if len(set(shape)) != 1:
            raise ShapeError(
                three_part(
                    "fill_diagonal: All dimensions of input must be of equal length.",
                    f"It has shape {shape}.",
                    "For the diagonals of a stack, index: x[..., i, i] = v with i = np.arange(n).",
                )
            )
        step, end = 1 + int(np.cumprod(shape[:-1]).sum()), None
    where = np.arange(np.size(a))[:end:step]
    if np.ndim(val) and np.size(val) != where.size:
        val = np.resize(val, where.shape)  # NumPy starts again when the values are used up
    elif np.ndim(val):
        val = np.ravel(val)
    if where.size:
        _set(a, np.unravel_index(where, shape), val)


def _copyto(dst: Any, src: Any, casting: Any = "same_kind", where: Any = True) -> None:
    src = as_operand(src)
    weak = is_weak(src)  # a Python number
    source_dtype = np.result_type(src, dst.dtype) if weak else src.dtype
    if not np.can_cast(source_dtype, dst.dtype, casting):
        raise DTypeError(
            three_part(
                f"copyto: cannot cast {source_dtype} to {dst.dtype} by the rule {casting!r}.",
                f"Called at {decode(*here())}.",
                "Convert the source first: src.astype(dst.dtype).",
            )
        )
    if isinstance(dst, Tensor):
        _set(dst, Ellipsis, src if where is True else np.where(where, src, dst))
        return
    np.copyto(dst, raw(src), casting=casting, where=raw(where))
    HOOKS["plain_effect"]("numpy.copyto", (dst,), [x for x in (src, where) if hasattr(x, "key")])


FUNCTIONS[np.fill_diagonal] = _fill_diagonal
FUNCTIONS[np.copyto] = _copyto


# ------------------------------------------------------------------ a function along an axis


@composite(np.apply_along_axis)
def apply_along_axis(func1d: Any, axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    """`func1d` of every line of `arr` along `axis`; what it returns takes the line's place."""
    arr = as_operand(arr)
    ndim = np.ndim(arr)
    (axis,) = _normal_axes(_integer(axis), ndim)
    lines = np.moveaxis(arr, axis, -1)
    places = np.shape(lines)[:-1]
    if 0 in places:
        raise ShapeError(
            three_part(
                "Cannot apply_along_axis when any iteration dimensions are 0.",
                f"The array has shape {np.shape(arr)}, so the function is never called.",
                "Check x.size first.",
            )
        )
    found = [func1d(lines[place], *args, **kwargs) for place in np.ndindex(*places)]
    joined = np.stack([x if isinstance(x, Tensor) else Tensor(x) for x in found])
    inner = np.shape(joined)[1:]
    joined = np.reshape(joined, places + inner)
    # the axes of the result stand where the line was
    order = (*range(axis), *range(ndim - 1, ndim - 1 + len(inner)), *range(axis, ndim - 1))
    return np.transpose(joined, order)


@composite(np.apply_over_axes)
def apply_over_axes(func: Any, a: Any, axes: Any) -> Any:
    """`func(a, axis)` for one axis after another, with the number of axes kept."""
    value = as_operand(a)
    ndim = np.ndim(value)
    for axis in np.atleast_1d(np.asarray(raw(axes))):
        axis = int(axis) + (ndim if axis < 0 else 0)
        result = func(value, axis)
        if np.ndim(result) != np.ndim(value):
            result = np.expand_dims(result, axis)
            if np.ndim(result) != np.ndim(value):
                raise ShapeError(
                    three_part(
                        "apply_over_axes: function is not returning an array of the correct shape.",
                        f"It gave {np.ndim(result)} axes for an array of {np.ndim(value)}.",
                        "Keep the axis, as np.sum(x, axis, keepdims=True) does, or drop it alone.",
                    )
                )
        value = result
    return value
