"""Reshaping, joining, cutting, repeating and padding: elements stay as they are and move."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core import tensor as core
from ...core.dispatch import nondifferentiable_call
from ..base.arguments import (
    attribute,
    axis_of,
    bad,
    bad_type,
    bad_value,
    constant_value,
    lengths,
    whole,
)
from ..base.making import convert, export, native, natural, op, unify
from ..base.promotion import mismatch
from ..base.shapes import TensorShape
from ..base.surface import identity
from ..base.tensors import make
from ..base.variables import Variable

_np: Any = np  # NumPy's functions as they are for Tensors, which its stubs do not know


# ------------------------------------------------------------------------------ the shape


@op("reshape")
def reshape(tensor: Any, shape: Any, name: Any = None) -> Any:
    """The elements in another shape, of which one length may be -1: whatever is left."""
    x: Any = native(tensor)
    if type(shape) in (list, tuple) and all(type(n) is int for n in shape):
        return np.reshape(x, _filled(x.value, tuple(shape)))
    if isinstance(shape, TensorShape) and not shape.is_fully_defined():
        raise bad_value("reshape", f"shape {shape} is not fully known.", "Write -1 for one length.")
    value = whole("reshape", shape, bad)
    if value.ndim > 1:
        raise bad("reshape", f"shape must be a vector, not {value.tolist()}.", "Pass a flat list.")
    return np.reshape(x, _filled(x.value, tuple(value.reshape(-1).tolist())))


def _filled(value: Any, dims: tuple[int, ...]) -> tuple[int, ...]:
    """`dims` with the length that -1 stands for."""
    if min(dims, default=0) >= 0:
        return dims
    if dims.count(-1) > 1 or min(dims) < -1:
        raise bad(
            "reshape",
            f"shape {list(dims)} has more than one unknown length, or a negative one.",
            "Write -1 for one length at most.",
        )
    rest = int(-np.prod(dims, dtype=int))
    if rest == 0 and value.size == 0:
        return tuple(abs(n) for n in dims)  # as TensorFlow, where any length would do
    if rest == 0 or value.size % rest:
        raise bad(
            "reshape",
            f"Input to reshape is a tensor with {value.size} values, but the requested shape "
            f"{list(dims)} requires a multiple of {rest}.",
            f"Its shape is {value.shape}; give lengths whose product divides {value.size}.",
        )
    return tuple(value.size // rest if n == -1 else n for n in dims)


@op("transpose")
def transpose(a: Any, perm: Any = None, conjugate: Any = False, name: Any = "transpose") -> Any:
    """The axes in the order `perm`, reversed by default; conjugated if that is asked."""
    x: Any = native(a)
    if conjugate and x.value.dtype.kind == "c":
        x = np.conjugate(x)
    if perm is None:
        return np.transpose(x) if x.value.ndim > 1 else identity(x)
    axes = whole("transpose", perm, bad, "perm")
    ndim = x.value.ndim
    normal = tuple((axes.reshape(-1) + ndim * (axes.reshape(-1) < 0)).tolist())
    if axes.ndim != 1 or sorted(normal) != list(range(ndim)):
        raise bad(
            "transpose",
            f"perm {axes.tolist()} is no permutation of the {ndim} axes of a tensor of shape "
            f"{x.value.shape}.",
            "Name each axis once, or leave perm out to reverse them.",
        )
    return np.transpose(x, normal)


@op("expand_dims")
def expand_dims(input: Any, axis: Any, name: Any = None) -> Any:
    """Another axis of length 1, which stands at `axis`."""
    x: Any = native(input)
    value = whole("expand_dims", int(axis) if type(axis) is bool else axis, bad, "axis")
    if value.size != 1:
        raise bad("expand_dims", "axis must be a tensor with a single value.", "Pass one int.")
    n, ndim = int(value.reshape(-1)[0]), x.value.ndim
    if not -ndim - 1 <= n <= ndim:
        raise bad(
            "expand_dims",
            f"Tried to expand dim index {n} for tensor with {ndim} dimensions.",
            f"Choose an axis from {-ndim - 1} to {ndim}.",
        )
    at = n % (ndim + 1)
    return np.reshape(x, (*x.value.shape[:at], 1, *x.value.shape[at:]))


@op("squeeze")
def squeeze(input: Any, axis: Any = None, name: Any = None) -> Any:
    """The tensor without its axes of length 1, or without those in `axis`."""
    x: Any = native(input)
    dims = x.value.shape
    if isinstance(axis, list | tuple):
        given = [attribute("squeeze", a, "axis") for a in axis]
    else:
        given = [] if axis is None else [attribute("squeeze", axis, "axis")]
    if not given:
        return np.reshape(x, tuple(n for n in dims if n != 1))
    gone = {axis_of("squeeze", a, len(dims)) for a in given}
    long = [a for a in gone if dims[a] != 1]
    if long:
        raise bad(
            "squeeze",
            f"Can not squeeze dim[{long[0]}], expected a dimension of 1, got {dims[long[0]]}.",
            f"The shape is {dims}; leave axis out to drop all axes of length 1.",
        )
    return np.reshape(x, tuple(n for a, n in enumerate(dims) if a not in gone))


# ------------------------------------------------------------------------------ joining


@op("concat")
def concat(values: Any, axis: Any, name: Any = "concat") -> Any:
    """Tensors one after the other along an axis that they have."""
    if not isinstance(values, list | tuple):
        values = [values]
    kind = bad_type if len(values) == 1 else bad
    where = whole("concat", int(axis) if type(axis) is bool else axis, kind, "axis")
    if len(values) == 1:
        return identity(values[0])
    if not values:
        raise bad("concat", "there are no tensors to join.", "Pass one or more.")
    parts = unify("ConcatV2", values)
    if where.size != 1 or type(axis) is bool:
        raise bad("concat", f"axis must be one integer, not {axis!r}.", "Pass an int.")
    shapes = [t.value.shape for t in parts]
    ndim = len(shapes[0])
    at = axis_of("concat", int(where.reshape(-1)[0]), ndim)
    for i, dims in enumerate(shapes):
        if len(dims) != ndim or any(
            m != n for k, (m, n) in enumerate(zip(dims, shapes[0], strict=True)) if k != at
        ):
            raise bad(
                "concat",
                f"Dimension {at} in both shapes must be equal elsewhere: shape[0] = "
                f"{list(shapes[0])} vs. shape[{i}] = {list(dims)}.",
                "All but the joined axis must be equally long; tf.stack makes a new axis.",
            )
    return _np.concatenate([native(t) for t in parts], at)


@op("stack")
def stack(values: Any, axis: Any = 0, name: Any = "stack") -> Any:
    """Tensors of one shape along a new axis."""
    at = attribute("stack", axis, "axis")
    if at == 0:
        try:
            return native(values)  # a list of plain numbers is one tensor
        except (TypeError, ValueError):
            pass
    if not isinstance(values, list | tuple):
        if values is None or not np.ndim(constant_value(values)):
            raise bad_type("stack", f"expected a list of tensors, got {values!r:.60}.", "[x, y].")
        values = list(values)
    if not values:
        raise bad("stack", "there are no tensors to stack.", "Pass one or more.")
    parts = unify("Pack", values)
    shapes = [t.value.shape for t in parts]
    ndim = len(shapes[0]) + 1
    if not -ndim <= at < ndim:
        raise bad_value(
            "stack",
            f"Argument `axis` = {at} not in range [{-ndim}, {ndim}).",
            f"The result has {ndim} axes.",
        )
    for i, dims in enumerate(shapes):
        if dims != shapes[0]:
            raise bad(
                "stack",
                f"Shapes of all inputs must match: values[0].shape = {list(shapes[0])} != "
                f"values[{i}].shape = {list(dims)}.",
                "tf.concat joins along an axis that the tensors have.",
            )
    return _np.stack([native(t) for t in parts], at)


# ------------------------------------------------------------------------------ cutting


@op("unstack")
def unstack(value: Any, num: Any = None, axis: Any = 0, name: Any = "unstack") -> Any:
    """The slices along an axis, as a list."""
    x: Any = native(value)
    n = None if num is None else attribute("unstack", num, "num")
    at = axis_of("unstack", axis, x.value.ndim, bad_value)
    found = x.value.shape[at]
    if n not in (None, found):
        raise bad(
            "unstack",
            f"Input shape axis {at} must equal {n}, got shape {list(x.value.shape)}.",
            "Leave num out.",
        )
    front = (slice(None),) * at
    return [x[(*front, i)] for i in range(found)]


@op("split")
def split(
    value: Any, num_or_size_splits: Any, axis: Any = 0, num: Any = None, name: Any = "split"
) -> Any:
    """A list of equal parts along an axis, or of parts of the sizes given; one size may be -1."""
    x: Any = native(value)
    sizes = num_or_size_splits
    one = isinstance(sizes, int | np.integer)
    if not one:
        sizes = constant_value(sizes)
        if not sizes.ndim:
            raise bad_value(
                "split",
                f"Rank-0 tensors are not supported as the num_or_size_splits argument, got "
                f"{num_or_size_splits!r:.60}.",
                "Pass an int for equal parts, or a list of sizes.",
            )
        sizes = whole("split", num_or_size_splits, bad, "sizes")
    at = axis_of("split", axis, x.value.ndim)
    total = x.value.shape[at]
    cut = _equal_sizes(int(sizes), total, at) if one else _sizes(sizes, total, at, num)
    front, ends = (slice(None),) * at, np.cumsum([0, *cut]).tolist()
    return [x[(*front, slice(a, b))] for a, b in zip(ends[:-1], ends[1:], strict=True)]


def _equal_sizes(n: int, total: int, axis: int) -> list[int]:
    if n < 1 or total % n:
        raise bad(
            "split",
            f"Number of ways to split should evenly divide the split dimension, but got axis {axis}"
            f" (size = {total}) and num_split {n}.",
            "Pass a list of sizes instead: tf.split(x, [2, -1]).",
        )
    return [total // n] * n


def _sizes(sizes: Any, total: int, axis: int, num: Any) -> list[int]:
    if sizes.ndim != 1 or not sizes.size:
        raise bad("split", f"sizes {sizes.tolist()} are no list of ints.", "Pass [2, 4].")
    cut: list[int] = sizes.tolist()
    if num is not None and num != len(cut):
        raise bad("split", f"num is {num}, and {len(cut)} sizes are given.", "Leave num out.")
    if cut.count(-1) == 1:
        cut[cut.index(-1)] = total - sum(cut) - 1
    if min(cut) < 0 or sum(cut) != total:
        raise bad(
            "split",
            f"Sizes {sizes.tolist()} do not sum to the size {total} of axis {axis}.",
            "Write -1 for one size: whatever is left.",
        )
    return cut


# ------------------------------------------------------------------------------ repeating


@op("tile")
def tile(input: Any, multiples: Any, name: Any = None) -> Any:
    """The tensor repeated as a whole, a number of times along each axis."""
    x: Any = native(input)
    value = whole("tile", multiples, bad, "multiples")
    if value.shape != (x.value.ndim,):
        raise bad(
            "tile",
            f"Expected multiples argument to be a vector of length {x.value.ndim} but got length "
            f"{value.size}.",
            f"Give a number for each axis of shape {x.value.shape}.",
        )
    return np.tile(x, _not_negative("tile", value))


def _not_negative(name: str, value: Any) -> Any:
    if value.size and value.min() < 0:
        raise bad(name, f"{value.tolist()} has a negative number.", "Pass numbers from 0 on.")
    return value.tolist()


@op("repeat")
def repeat(input: Any, repeats: Any, axis: Any = None, name: Any = None) -> Any:
    """Each element repeated a number of times along an axis; of the flat tensor without one."""
    x: Any = native(input)
    if natural(repeats).value.dtype.kind == "f":
        raise bad_type("repeat", f"repeats {repeats!r:.60} are no ints.", "Pass whole numbers.")
    value = whole("repeat", repeats, bad_type, "repeats")
    if value.ndim > 1:
        raise bad_value("repeat", "`repeats` is neither a scalar nor a vector.", "Pass one list.")
    if axis is None:
        x, axis = np.reshape(x, (-1,)), 0
    elif x.value.ndim == 0:
        x = np.reshape(x, (1,))
    at = axis_of("repeat", axis, x.value.ndim, bad_value)
    if value.size not in (1, x.value.shape[at]):
        raise bad_value(
            "repeat",
            f"{value.size} repeats do not fit the {x.value.shape[at]} elements of axis {at}.",
            "Pass one number, or one for each element.",
        )
    times = _not_negative("repeat", value)
    return np.repeat(x, times[0] if value.shape == (1,) else times, axis=at)


@op("broadcast_to")
def broadcast_to(input: Any, shape: Any, name: Any = None) -> Any:
    """The tensor repeated along axes of length 1, and along new ones in front."""
    x, dims = native(input), lengths("broadcast_to", shape)
    if np.ndim(constant_value(shape)) != 1:
        raise bad("broadcast_to", f"shape must be a vector, got {shape!r:.60}.", "Pass a list.")
    return np.broadcast_to(x, dims)


# ------------------------------------------------------------------------------ padding


@op("pad")
def pad(
    tensor: Any,
    paddings: Any,
    mode: Any = "CONSTANT",
    constant_values: Any = 0,
    name: Any = None,
) -> Any:
    """Elements put before and after along each axis: constants, or the tensor's own, mirrored."""
    kind = mode.upper() if isinstance(mode, str) else mode
    if kind not in ("CONSTANT", "REFLECT", "SYMMETRIC"):
        raise bad_value(
            "pad",
            f"unknown padding mode {mode!r}.",
            'The modes are "CONSTANT", "REFLECT" and "SYMMETRIC".',
        )
    x: Any = native(tensor)
    widths = _widths(x.value, paddings)
    if kind != "CONSTANT":
        _check_mirror(x.value.shape, widths, kind)
        return _np.pad(x, widths, kind.lower())
    if isinstance(constant_values, int | float) and constant_values == 0:
        fill: Any = b"" if x.value.dtype.kind == "O" else 0
    else:
        fill = _constant(x, constant_values)
    if x.value.dtype.kind == "O":
        return _padded_text(x.value, widths, fill)
    return _np.pad(x, widths, constant_values=fill)


def _padded_text(value: Any, widths: Any, fill: bytes) -> Any:
    dims = [a + n + b for n, (a, b) in zip(value.shape, widths, strict=True)]
    out = np.full(dims, fill, object)
    out[tuple(slice(a, a + n) for n, (a, _) in zip(value.shape, widths, strict=True))] = value
    return make(out)


def _constant(x: Any, given: Any) -> Any:
    """What to pad with: a scalar of the dtype of `x`; its gradient is None, as TensorFlow's."""
    value = native(given if isinstance(given, core.Tensor | Variable) else convert(given, x.dtype))
    if value.dtype != x.dtype:
        raise mismatch("PadV2", "constant_values", x.dtype, value.dtype, 2)
    if value.value.ndim:
        raise bad(
            "pad",
            f"constant_values must be a scalar, got shape {value.value.shape}.",
            "Pad the axes one after the other, with one number each.",
        )
    if not value.key and value.why is None:
        return value.value.item() if value.dtype.kind != "O" else value.value[()]
    return nondifferentiable_call("pad (constant_values)", np.positive)(value)


def _widths(value: Any, paddings: Any) -> Any:
    widths = whole("pad", paddings, bad, "paddings")
    if widths.shape != (value.ndim, 2):
        raise bad(
            "pad",
            f"paddings must be a matrix with 2 columns and a row for each of the {value.ndim} axes,"
            f" got shape {widths.shape}.",
            "Write [[before, after], ...], one pair for each axis.",
        )
    if widths.size and widths.min() < 0:
        raise bad("pad", "paddings must be non-negative.", "To cut off elements, index: x[1:-1].")
    return widths.tolist()


def _check_mirror(shape: Any, widths: Any, kind: str) -> None:
    edge = kind == "REFLECT"
    for n, pair in zip(shape, widths, strict=True):
        if max(pair) > n - edge:
            raise bad(
                "pad",
                f"paddings must be no greater than {'one less than ' if edge else ''}the dimension "
                f"size: {pair[0]}, {pair[1]} for {n}.",
                "There are no more elements to mirror; pad less, or twice.",
            )


# ------------------------------------------------------------------------------ turning


@op("reverse")
def reverse(tensor: Any, axis: Any, name: Any = None) -> Any:
    """The elements along each axis of the list `axis` in reverse order."""
    x: Any = native(tensor)
    value = whole("reverse", axis, bad, "axis")
    if value.ndim != 1:
        raise bad(
            "reverse",
            f"'dims' must be 1-dimensional, not {value.ndim}.",
            "Pass a list of axes: [0].",
        )
    axes = [axis_of("reverse", a, x.value.ndim) for a in value.tolist()]
    if len(set(axes)) < len(axes):
        raise bad("reverse", f"axis {value.tolist()} names one twice.", "Name each axis once.")
    return _np.flip(x, tuple(axes)) if axes else identity(x)


@op("roll")
def roll(input: Any, shift: Any, axis: Any, name: Any = None) -> Any:
    """The elements moved along an axis; what falls off the end comes back at the start."""
    x: Any = native(input)
    steps, axes = (whole("roll", natural(n), bad, what) for n, what in
                   ((shift, "shift"), (axis, "axis")))  # fmt: skip
    if not x.value.ndim:
        raise bad("roll", "input must be 1-D or higher.", "Pass a vector.")
    if steps.ndim > 1 or steps.shape != axes.shape:
        raise bad(
            "roll",
            f"shift and axis must have the same size, got shapes {steps.shape} and {axes.shape}.",
            "Pass one shift for each axis: tf.roll(x, [1, 2], [0, 1]).",
        )
    where = [axis_of("roll", a, x.value.ndim) for a in axes.reshape(-1).tolist()]
    return _np.roll(x, steps.reshape(-1).tolist(), where)


# ------------------------------------------------------------------------------ broadcasting


@export("broadcast_static_shape")
def broadcast_static_shape(shape_x: Any, shape_y: Any) -> Any:
    """The TensorShape that two TensorShapes broadcast to."""
    for given in (shape_x, shape_y):
        if not isinstance(given, TensorShape):
            raise bad_type(
                "broadcast_static_shape",
                f"expected a TensorShape, got {given!r:.60}.",
                "Pass x.shape, or tf.TensorShape([2, 3]).",
            )
    if not (shape_x.known and shape_y.known):
        return TensorShape(None)
    x, y = shape_x.as_list(), shape_y.as_list()
    ndim = max(len(x), len(y))
    pairs = zip([1] * (ndim - len(x)) + x, [1] * (ndim - len(y)) + y, strict=True)
    return TensorShape([_broadcast_length(a, b, shape_x, shape_y) for a, b in pairs])


def _broadcast_length(a: Any, b: Any, x: Any, y: Any) -> Any:
    if a == b or b == 1:
        return a
    if a == 1:
        return b
    if a is None or b is None:
        return a if b is None else b  # an unknown length is 1 or the known one
    raise bad_value(
        "broadcast_static_shape",
        f"Incompatible shapes for broadcasting: {x} and {y}.",
        "Each axis must be equally long, or 1, in both.",
    )


@op("broadcast_dynamic_shape")
def broadcast_dynamic_shape(shape_x: Any, shape_y: Any) -> Any:
    """The shape, as a tensor, that two shapes broadcast to."""
    x, y = (natural(_no_floats(s)) for s in (shape_x, shape_y))
    for t in (x, y):
        if t.value.dtype.kind not in "iu" and t.value.dtype.kind == "O":
            raise bad_type("broadcast_dynamic_shape", "a shape is no text.", "Pass lists of ints.")
        if t.value.ndim != 1:
            raise bad(
                "broadcast_dynamic_shape",
                f"a shape must be a vector, got {t.value.tolist()}.",
                "Pass lists of ints.",
            )
    x, y = unify("BroadcastArgs", (x, y))
    dims = [lengths("broadcast_dynamic_shape", t) for t in (x, y)]
    return make(np.array(np.broadcast_shapes(*dims), x.value.dtype))


def _no_floats(shape: Any) -> Any:
    return np.zeros(0, np.int32) if isinstance(shape, list | tuple) and not shape else shape
