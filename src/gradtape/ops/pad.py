"""np.pad in all its modes.

Constant padding by plain numbers is one linear card. The other modes are made of other ops, one
axis after the other, as NumPy does it: those that repeat elements are one read by index, whose
index is NumPy's padding of 0, 1, 2, ...; those that compute something join it to the array.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.batched import as_operand, batch_first
from ..core.cards import composite, linear
from ..core.dispatch import apply
from ..core.tensor import Tensor, raw
from ..errors import DTypeError, ShapeError, three_part

_np: Any = np  # NumPy's functions as they are for Tensors, which its stubs do not know
_INDEXED = ("edge", "reflect", "symmetric", "wrap")
_OPTIONS = {
    "constant": {"constant_values"}, "linear_ramp": {"end_values"}, "empty": set(),
    "maximum": {"stat_length"}, "mean": {"stat_length"}, "median": {"stat_length"},
    "minimum": {"stat_length"}, "reflect": {"reflect_type"}, "symmetric": {"reflect_type"},
    "edge": set(), "wrap": set(),
}  # fmt: skip


def _widths(pad_width: Any, ndim: int) -> tuple[tuple[int, int], ...]:
    """`pad_width` as a pair for each axis."""
    pad_width = raw(pad_width)
    if isinstance(pad_width, dict):
        pairs = [(0, 0)] * ndim
        for axis, width in pad_width.items():
            pairs[operator.index(axis)] = (width, width) if np.ndim(width) == 0 else tuple(width)
        pad_width = pairs
    widths = np.asarray(pad_width)
    if widths.dtype.kind not in "iu" and widths.size:
        raise DTypeError(
            three_part(
                "pad: `pad_width` must be of integral type.",
                f"It is {pad_width!r:.60}.",
                "Pass ints, as in pad_width=((1, 2), (0, 0)).",
            )
        )
    widths = np.broadcast_to(widths, (ndim, 2))
    if (widths < 0).any():
        raise ValueError(
            three_part(
                "pad: index can't contain negative values.",
                f"pad_width is {pad_width!r:.60}.",
                "To cut off elements, index: x[1:-1].",
            )
        )
    return tuple((int(a), int(b)) for a, b in widths)


# -------------------------------------------------------------------------------- constants


def _pad_constant(x: Any, widths: Any, constants: Any) -> Any:
    return np.pad(x, widths, constant_values=constants) if widths else x


def _cut(ct: Any, widths: Any) -> Any:
    return ct[tuple(slice(a, n - b) for (a, b), n in zip(widths, np.shape(ct), strict=True))]


def _constant_batch(size: int, operands: Any, axes: Any, widths: Any, constants: Any) -> Any:
    x = batch_first(operands[0], axes[0], size)
    return _pad_constant(x, ((0, 0), *widths), ((0, 0), *constants)), 0


pad_constant = linear(
    None,
    name="pad_constant",
    impl=_pad_constant,
    shape=lambda x, widths, constants: Aval(
        tuple(a + n + b for n, (a, b) in zip(x.shape, widths, strict=True)), x.dtype
    ),
    transpose=lambda ct, _x, widths, constants: _cut(ct, widths),
    jvp=(lambda t, _out, _x, widths, constants: np.pad(t, widths) if widths else t,),
    batch=_constant_batch,
)


def _ends(values: Any, ndim: int) -> Any:
    """Constants as an array or Tensor of shape (ndim, 2)."""
    values = as_operand(values)
    return _np.broadcast_to(values if isinstance(values, Tensor) else np.asarray(values), (ndim, 2))


def _joined(x: Any, axis: int, before: Any, after: Any) -> Any:
    """`x` between two parts, either of which may be None."""
    parts = [part for part in (before, x, after) if part is not None]
    return np.concatenate(parts, axis) if len(parts) > 1 else x


def _spread(part: Any, like: Any, axis: int, width: int) -> Any:
    """`part` repeated over `width` places of `axis`, shaped like `like` elsewhere."""
    if width == 0:
        return None
    shape = list(np.shape(like))
    shape[axis] = width
    part = _np.broadcast_to(part, tuple(shape))
    return part if part.dtype == like.dtype else part.astype(like.dtype)


def _with_constants(x: Any, axis: int, width: tuple[int, int], ends: Any) -> Any:
    before, after = (
        _spread(ends[axis, i], x, axis, n) if n else None for i, n in enumerate(width)
    )
    return _joined(x, axis, before, after)


# ------------------------------------------------------------------------------ other modes


def _slice(x: Any, axis: int, start: int | None, stop: int | None) -> Any:
    return x[(slice(None),) * axis + (slice(start, stop),)]


def _indexed(x: Any, axis: int, width: tuple[int, int], mode: Any, options: Any) -> Any:
    index = np.pad(np.arange(np.shape(x)[axis]), width, mode, **options)
    return x[(slice(None),) * axis + (index,)]


def _odd(x: Any, axis: int, width: tuple[int, int], mode: Any) -> Any:
    """Reflection through the value at the edge.

    It is linear along the axis, so NumPy's padding of the unit vectors is its matrix; of that only
    the rows outside are needed.
    """
    n = np.shape(x)[axis]
    rows = np.pad(np.eye(n, dtype=x.dtype), (width, (0, 0)), mode, reflect_type="odd")
    outside = np.concatenate([rows[: width[0]], rows[width[0] + n :]])
    found = np.moveaxis(np.tensordot(outside, x, (1, axis)), 0, axis)
    return _joined(
        x, axis, _slice(found, axis, 0, width[0]), _slice(found, axis, width[0], None)
    )


def _linear_ramp(x: Any, axis: int, width: tuple[int, int], ends: Any) -> Any:
    def ramp(edge: Any, end: Any, n: int) -> Any:
        weight = (np.arange(n) / n).reshape((-1,) + (1,) * (np.ndim(x) - axis - 1))
        line = end + (edge - end) * weight
        if x.dtype.kind in "iu":
            line = np.floor(line)
        return line if line.dtype == x.dtype else line.astype(x.dtype)

    last = np.shape(x)[axis]
    before = ramp(_slice(x, axis, 0, 1), ends[axis, 0], width[0]) if width[0] else None
    after = (
        np.flip(ramp(_slice(x, axis, last - 1, last), ends[axis, 1], width[1]), axis)
        if width[1] else None
    )  # fmt: skip
    return _joined(x, axis, before, after)


_STATISTICS = {"maximum": np.max, "minimum": np.min, "mean": np.mean, "median": np.median}


def _statistic(
    x: Any, axis: int, width: tuple[int, int], mode: str, lengths: Any
) -> Any:
    function: Any = _STATISTICS[mode]
    n = np.shape(x)[axis]
    before, after = (n if length is None else min(int(length), n) for length in lengths)
    if (before == 0 or after == 0) and mode in ("maximum", "minimum"):
        raise ValueError(
            three_part(
                "pad: stat_length of 0 yields no value for padding.",
                f"The {mode} of no elements along axis {axis} does not exist.",
                "Pass stat_length=1 or more, or leave it out for the whole axis.",
            )
        )

    def value(start: int, stop: int) -> Any:
        found = function(_slice(x, axis, start, stop), axis=axis, keepdims=True)
        return np.rint(found) if x.dtype.kind in "iu" and mode in ("mean", "median") else found

    left = value(0, before)
    right = left if before == after == n else value(n - after, n)
    return _joined(
        x, axis, _spread(left, x, axis, width[0]), _spread(right, x, axis, width[1])
    )


def _by_function(x: Any, widths: Any, function: Any, options: Any) -> Any:
    """`function(vector, width, axis, options)` fills the ends of each line of the padded array."""
    x = np.pad(x, widths)
    for axis, width in enumerate(widths):
        lines = np.moveaxis(x, axis, -1)
        places = np.shape(lines)[:-1]
        filled = []
        for place in np.ndindex(*places):
            line = np.copy(lines[place])
            function(line, width, axis, options)
            filled.append(line)
        if filled:
            x = np.moveaxis(np.reshape(np.stack(filled), np.shape(lines)), -1, axis)
    return x


@composite(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    """The array with values around it, in all of NumPy's modes.

    `constant_values` and `end_values` may be tracked. In mode "empty" the new elements are 0.
    Statistics take the gradient of the reduction: ties of "maximum" and "minimum" share it evenly.
    """
    x = as_operand(array)
    ndim = np.ndim(x)
    widths = _widths(pad_width, ndim)
    if callable(mode):
        return _by_function(x, widths, mode, kwargs)
    if mode not in _OPTIONS:
        raise ValueError(
            three_part(
                f"pad: mode '{mode}' is not supported.",
                f"The modes are {', '.join(sorted(_OPTIONS))}.",
                "Pass one of them, or a function of (vector, pad_width, axis, kwargs).",
            )
        )
    unknown = set(kwargs) - _OPTIONS[mode]
    if unknown:
        raise ValueError(
            three_part(
                f"pad: unsupported keyword arguments for mode '{mode}': {unknown}.",
                f"This mode takes {', '.join(sorted(_OPTIONS[mode])) or 'none'}.",
                "Leave them out, or choose the mode that they belong to.",
            )
        )
    if mode in ("constant", "empty"):
        return _constants(x, widths, _ends(kwargs.get("constant_values", 0), ndim))
    for axis, width in enumerate(widths):
        if np.shape(x)[axis] == 0 and any(width):
            raise ShapeError(
                three_part(
                    f"pad: can't extend empty axis {axis} using modes other than 'constant' or "
                    "'empty'.",
                    f"The array has shape {np.shape(x)}, so there is no value to repeat.",
                    "Use mode='constant'.",
                )
            )
    lengths: Any = None
    if mode in _STATISTICS:
        lengths = np.asarray(raw(kwargs.get("stat_length")))
        lengths = np.broadcast_to(lengths, (ndim, 2)).tolist()
    ends = _ends(kwargs.get("end_values", 0), ndim)
    odd = kwargs.get("reflect_type", "even") == "odd"
    for axis, width in enumerate(widths):
        if not any(width):
            continue
        if mode == "linear_ramp":
            x = _linear_ramp(x, axis, width, ends)
        elif mode in _STATISTICS:
            x = _statistic(x, axis, width, mode, lengths[axis])
        elif odd and np.shape(x)[axis] > 1:
            x = _odd(x, axis, width, mode)
        else:
            x = _indexed(x, axis, width, mode, kwargs if np.shape(x)[axis] > 1 else {})
    return x if any(map(any, widths)) else np.copy(x)


def _constants(x: Any, widths: Any, ends: Any) -> Any:
    if not isinstance(ends, Tensor):
        constants = tuple((a, b) for a, b in ends.tolist())
        return apply(pad_constant, (x,), {"widths": widths, "constants": constants})
    for axis, width in enumerate(widths):
        x = _with_constants(x, axis, width, ends)
    return x
