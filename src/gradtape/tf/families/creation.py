"""Tensors of zeros, ranges and grids, and what is asked of a tensor's shape."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core import tensor as core
from ...core.dispatch import nondifferentiable_call
from ..base.arguments import (
    bad,
    bad_type,
    bad_value,
    constant_value,
    count,
    lengths,
    no_kernel,
)
from ..base.dtypes import DTYPES, as_dtype, is_bfloat16, kind_of
from ..base.making import bare, convert, export, native, natural, op
from ..base.promotion import mismatch
from ..base.shapes import TensorShape
from ..base.surface import cast
from ..base.tensors import Tensor, make
from ..base.variables import Variable

_FLOAT32 = DTYPES["float32"]
_INT32, _INT64 = DTYPES["int32"], DTYPES["int64"]
# which dtype `range` takes
_BY_WIDTH = [_INT32, _INT64, DTYPES["bfloat16"], _FLOAT32, DTYPES["float64"]]
_STRING = DTYPES["string"]


def _settled(value: Any) -> Tensor:
    return make(core.settled(value))


def _no_ones(name: str) -> Any:
    return bad_type(
        name, "there is no 1 of dtype string.", 'Use tf.fill(shape, "1"), or a numeric dtype.'
    )


# ------------------------------------------------------------------------------ filled tensors


@op("zeros")
def zeros(shape: Any, dtype: Any = _FLOAT32, name: Any = None, layout: Any = None) -> Any:
    """A tensor of zeros; of empty strings for tf.string."""
    held = as_dtype(dtype).held()
    dims = lengths("zeros", shape, bad_type)
    return _settled(np.full(dims, b"", object) if held.kind == "O" else np.zeros(dims, held))


@op("ones")
def ones(shape: Any, dtype: Any = _FLOAT32, name: Any = None, layout: Any = None) -> Any:
    """A tensor of ones; of True for tf.bool."""
    held = as_dtype(dtype).held()
    if held.kind == "O":
        raise _no_ones("ones")
    return _settled(np.ones(lengths("ones", shape, bad_type), held))


@op("zeros_like")
def zeros_like(input: Any, dtype: Any = None, name: Any = None, layout: Any = None) -> Any:
    """Zeros of the shape and, by default, the dtype of `input`."""
    x = native(input)
    held = x.value.dtype if dtype is None else as_dtype(dtype).held()
    if held.kind == "O":
        return _settled(np.full(x.value.shape, b"", object))
    return np.zeros_like(x, dtype=held)


@op("ones_like")
def ones_like(input: Any, dtype: Any = None, name: Any = None, layout: Any = None) -> Any:
    """Ones of the shape and, by default, the dtype of `input`."""
    x = native(input)
    held = x.value.dtype if dtype is None else as_dtype(dtype).held()
    if held.kind == "O":
        raise bad("ones_like", "there is no 1 of dtype string.", "Use tf.fill(shape, '1').")
    return np.ones_like(x, dtype=held)


@op("fill")
def fill(dims: Any, value: Any, name: Any = None, layout: Any = None) -> Any:
    """One value repeated in the shape `dims`."""
    x = native(value)
    shape = lengths("fill", dims)
    if x.value.size != 1:
        raise bad(
            "fill",
            f"value must be a scalar, got shape {x.value.shape}.",
            "Use tf.broadcast_to(value, shape) for more than one number.",
        )
    return np.broadcast_to(np.reshape(x, ()) if x.value.ndim else x, shape)


@op("eye", "linalg.eye")
def eye(
    num_rows: Any,
    num_columns: Any = None,
    batch_shape: Any = None,
    dtype: Any = _FLOAT32,
    name: Any = None,
) -> Any:
    """The identity matrix, or `num_columns` columns of it, repeated over `batch_shape`."""
    rows = _rows(num_rows)
    columns = rows if num_columns is None else _rows(num_columns)
    held = as_dtype(dtype).held()
    if held.kind == "O":
        raise _no_ones("eye")
    if min(rows, columns) < 0:
        raise bad("eye", f"dimension {min(rows, columns)} must be >= 0.", "Pass lengths from 0 on.")
    if batch_shape is not None and np.ndim(constant_value(batch_shape)) != 1:
        raise bad_type("eye", f"batch_shape {batch_shape!r} is no list.", "Pass a list: [3].")
    batch = () if batch_shape is None else lengths("eye", batch_shape, bad_type)
    return _settled(np.broadcast_to(np.eye(rows, columns, dtype=held), (*batch, rows, columns)))


def _rows(n: Any) -> int:
    if n is None or isinstance(n, list | tuple):
        raise bad_type("eye", f"expected a number of rows or columns, got {n}.", "Pass an int.")
    return count("eye", n)


# ------------------------------------------------------------------------------ ranges


@op("range")
def range(
    start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None, name: Any = "range"
) -> Any:
    """Numbers from `start` (0 if there is one argument alone) to before `limit`, `delta` apart."""
    if limit is None:
        start, limit = 0, start
    wanted = None if dtype is None else as_dtype(dtype)
    tensors = [
        natural(x) if wanted is None or isinstance(x, core.Tensor | Variable) else
        convert(x, wanted) for x in (start, limit, delta)
    ]  # fmt: skip
    if wanted is None:
        for t in tensors:
            if t.dtype not in _BY_WIDTH:
                raise bad_type(
                    "range",
                    f"no range of dtype {t.dtype.name} can be inferred.",
                    "Pass ints or floats, or say dtype=.",
                )
        wanted = max((t.dtype for t in tensors), key=_BY_WIDTH.index)
    _check_range_dtype(wanted)
    for t, part in zip(tensors, ("start", "limit", "delta"), strict=True):
        if t.value.ndim:
            raise bad(
                "range", f"{part} must be a scalar, not shape {t.shape}.", "Pass three numbers."
            )
    held = wanted.held()
    return nondifferentiable_call("range", lambda *parts: _range(held, *parts))(
        *map(bare, tensors)
    )


def _check_range_dtype(dtype: Any) -> None:
    if dtype in (*_BY_WIDTH, DTYPES["float16"]):
        return
    remedy = f"Cast the result: tf.cast(tf.range(n), {dtype!r})."
    fact = f"there are no ranges of {dtype.name}; only of int32, int64, float16, float32, float64."
    if dtype.is_bool or not dtype.is_numeric:
        raise bad_type("range", fact, remedy)
    raise (no_kernel if dtype in (DTYPES["int16"], DTYPES["int8"]) else bad)("range", fact, remedy)


def _steps_between(limit: Any, start: Any, delta: Any) -> Any:
    return (limit - start) / delta


def _range(dtype: Any, start: Any, limit: Any, delta: Any) -> Any:
    start, limit, delta = (dtype.type(x) for x in (start, limit, delta))
    if delta == 0:
        raise bad("range", "requires delta != 0.", "Pass the distance of the numbers.")
    if (limit - start) * np.sign(delta) < 0:
        order = "start <= limit when delta > 0" if delta > 0 else "start >= limit when delta < 0"
        raise bad(
            "range",
            f"requires {order}: {start}, {limit}.",
            f"Pass delta={'-' if delta > 0 else ''}1, or exchange the two.",
        )
    if dtype.kind == "i":
        size = -((int(start) - int(limit)) // int(delta))
    else:
        wide = (x if is_bfloat16(dtype) else float(x) for x in (limit, start, delta))
        size = int(np.ceil(np.abs(_steps_between(*wide))))
    return (start + np.arange(size).astype(dtype) * delta).astype(dtype)


@op("linspace")
def linspace(start: Any, stop: Any, num: Any, name: Any = None, axis: Any = 0) -> Any:
    """`num` numbers from `start` to `stop`, both included, along a new axis."""
    n = _number_of(num)
    first = convert(start)
    if first.dtype.is_bool:
        raise bad_type("linspace", "start is a bool.", "Pass numbers: 0.0.")
    last = convert(stop, first.dtype)
    if first.dtype.is_integer:
        first, last = cast(first, DTYPES["float64"]), cast(last, DTYPES["float64"])
    if not (first.dtype.is_floating or first.dtype.is_complex):
        raise bad_type("linspace", f"start is of {first.dtype.name}.", "Pass numbers: 0.0.")
    a: Any = bare(first)  # of bfloat16 too: TensorFlow rounds after each step
    b: Any = bare(last)
    shape = np.broadcast_shapes(a.value.shape, b.value.shape)
    ndim = len(shape)
    where = count("linspace", axis, what="axis")
    where += ndim + 1 if where < 0 else 0
    if not 0 <= where <= ndim:
        raise bad(
            "linspace", f"axis {axis} does not fit {ndim} axes.", f"Choose one from 0 to {ndim}."
        )
    a, b = (np.expand_dims(np.broadcast_to(x, shape), where) for x in (a, b))
    inner = np.arange(1, max(n - 1, 1), dtype=a.dtype)
    inner = inner.reshape((-1,) + (1,) * (ndim - where))
    gaps = np.array(max(n - 1, 1)).astype(a.dtype)[()]
    parts = [a, a + (b - a) / gaps * inner, b]
    return np.concatenate(parts, where)[(slice(None),) * where + (slice(n),)]


def _number_of(num: Any) -> int:
    value = constant_value(num)
    if value.dtype.kind not in "iu":
        raise bad_type("linspace", f"num is {num!r}, no whole number.", "Pass an int.")
    n = int(value.reshape(-1)[0])
    if n < 0:
        raise bad("linspace", f"num is {n}.", "Pass how many numbers there shall be, 0 or more.")
    return n


@export("meshgrid")
def meshgrid(*args: Any, **kwargs: Any) -> Any:
    """The coordinates of a grid, a tensor for each vector; `indexing` is "xy" or "ij"."""
    indexing = kwargs.pop("indexing", "xy")
    kwargs.pop("name", None)
    if kwargs:
        raise bad_type(
            "meshgrid",
            f"'{next(iter(kwargs))}' is an invalid keyword argument for this function.",
            "It takes indexing and name.",
        )
    if indexing not in ("xy", "ij"):
        raise bad_value(
            "meshgrid",
            f"argument `indexing` must be either 'xy' or 'ij', got {indexing!r}.",
            "Pass 'ij' for matrix order, 'xy' for plots.",
        )
    return _meshgrid(args, indexing)


@op()
def _meshgrid(args: Any, indexing: str) -> Any:
    for x in args:
        if x is None:
            raise bad_type("meshgrid", "a coordinate is None.", "Pass vectors of numbers.")
    tensors = [natural(x) for x in args]
    for i, t in enumerate(tensors):
        if kind_of(t.value.dtype) not in "iufc":
            raise bad_type("meshgrid", f"it takes numbers, not {t.dtype.name}.", "Pass numbers.")
        if t.value.dtype != tensors[0].value.dtype:
            raise mismatch("meshgrid", "x", tensors[0].value.dtype, t.value.dtype, i)
    vectors: Any = [np.reshape(native(t), -1) for t in tensors]
    return list(np.meshgrid(*vectors, indexing=indexing))  # type: ignore[call-overload]


# ------------------------------------------------------------------------------ one_hot, masks

_INDICES = "bBil"


@op("one_hot")
def one_hot(
    indices: Any,
    depth: Any,
    on_value: Any = None,
    off_value: Any = None,
    axis: Any = None,
    dtype: Any = None,
    name: Any = None,
) -> Any:
    """`on_value` at each index along a new axis of length `depth`, `off_value` elsewhere."""
    wanted = None if dtype is None else as_dtype(dtype)
    on, off = (None if v is None else convert(v, hint=wanted) for v in (on_value, off_value))
    given = [v.dtype for v in (on, off) if v is not None]
    if wanted is not None and any(d != wanted for d in given):
        raise bad_type(
            "one_hot",
            f"dtype {given[0].name} of on_value or off_value does not match dtype {wanted.name}.",
            "Leave dtype out, or cast the values.",
        )
    wanted = given[0] if given else wanted or _FLOAT32
    on = convert(1, wanted) if on is None else on
    off = convert(0, wanted) if off is None else off
    if on.dtype != off.dtype:
        raise bad_type(
            "one_hot",
            f"dtype {on.dtype.name} of on_value does not match dtype {off.dtype.name} of "
            "off_value.",
            "Give both the same dtype: on_value=1.0, off_value=0.0.",
        )
    return _one_hot(indices, depth, native(on), native(off), -1 if axis is None else axis)


def _one_hot(indices: Any, depth: Any, on: Any, off: Any, axis: Any) -> Any:
    index = constant_value(indices)
    if not index.size and isinstance(indices, list | tuple):
        index = index.astype(np.int32)
    n = count("one_hot", depth, bad_type, "depth")
    axis = count("one_hot", axis, bad_type, "axis")
    if index.dtype.char not in _INDICES:
        raise bad(
            "one_hot",
            f"indices of {natural(indices).dtype.name} are not in the list of allowed values: "
            "uint8, int8, int32, int64.",
            "Cast them: tf.cast(indices, tf.int32).",
        )
    if n < 0:
        raise bad("one_hot", f"depth must be non-negative, got {n}.", "Pass how many classes.")
    if axis < -1 or axis > index.ndim:
        raise bad(
            "one_hot",
            f"expected axis to be -1 or between [0, {index.ndim + 1}), but received: {axis}.",
            "Leave axis out: the new axis comes last.",
        )
    for value, what in ((on, "on_value"), (off, "off_value")):
        if value.value.ndim:
            raise bad(
                "one_hot", f"{what} must be a scalar, got shape {value.value.shape}.",
                "Multiply the result: tf.one_hot(i, depth) * values.",
            )  # fmt: skip
    axis = index.ndim if axis == -1 else axis
    classes = np.arange(n).reshape((-1,) + (1,) * (index.ndim - axis))
    chosen = np.equal(np.expand_dims(index, axis), classes)
    return nondifferentiable_call("one_hot", lambda a, b: _chosen(chosen, a, b))(on, off)


def _chosen(condition: Any, on: Any, off: Any) -> Any:
    return core.settled(np.where(condition, on, off))


@op("sequence_mask")
def sequence_mask(
    lengths: Any, maxlen: Any = None, dtype: Any = DTYPES["bool"], name: Any = None
) -> Any:
    """Rows that are True at the first `lengths` places of `maxlen`, by default the longest."""
    steps: Any = constant_value(lengths)
    wanted = as_dtype(dtype).held()
    if steps.dtype.kind not in "iuf":
        raise bad(
            "sequence_mask",
            f"lengths of {natural(lengths).dtype.name} are no numbers.",
            "Pass ints: [1, 3, 2].",
        )
    if maxlen is None:
        longest = np.max(steps, initial=0)
    else:
        longest = constant_value(maxlen)
        if longest.ndim:
            raise bad_value(
                "sequence_mask", "maxlen must be scalar for sequence_mask.", "Pass one int."
            )
        if longest < 0:
            raise bad("sequence_mask", f"maxlen is {longest}.", "Pass a length from 0 on.")
        steps = steps.astype(longest.dtype)
    places = np.arange(int(np.ceil(longest)))
    return _settled(np.less(places, np.expand_dims(steps, -1)).astype(wanted))


# ------------------------------------------------------------------------------ questions


def _index_dtype(name: str, out_type: Any, default: str = "int32") -> np.dtype[Any]:
    dtype = DTYPES[default] if out_type is None else as_dtype(out_type)
    if dtype not in (_INT32, _INT64):
        raise bad(
            name,
            f"out_type {dtype.name} is not in the list of allowed values: int32, int64.",
            "Cast the result.",
        )
    return dtype.held()


@op("shape")
def shape(input: Any, out_type: Any = None, name: Any = None) -> Any:
    """The shape as a tensor of integers; `x.shape` is the same as a TensorShape."""
    return make(np.array(constant_value(input).shape, _index_dtype("shape", out_type)))


@op("shape_n")
def shape_n(input: Any, out_type: Any = _INT32, name: Any = None) -> Any:
    """The shapes of several tensors of one dtype."""
    values = [constant_value(x) for x in _list_of("shape_n", input)]
    held = _index_dtype("shape_n", out_type)
    for i, value in enumerate(values):
        if value.dtype != values[0].dtype:
            raise mismatch("shape_n", "x", values[0].dtype, value.dtype, i)
    return [make(np.array(value.shape, held)) for value in values]


def _list_of(name: str, tensors: Any) -> list[Any]:
    if not isinstance(tensors, list | tuple) and not (
        isinstance(tensors, core.Tensor | Variable | np.ndarray) and len(tensors.shape)
    ):
        raise bad_type(name, f"expected a list of tensors, got {tensors!r:.60}.", "Pass a list.")
    found = list(tensors)
    if not found:
        raise bad(name, "the list of tensors is empty.", "Pass one tensor or more.")
    return found


@op("rank")
def rank(input: Any, name: Any = None) -> Any:
    """The number of axes, as a tensor."""
    return make(np.int32(constant_value(input).ndim))


@op("size")
def size(input: Any, out_type: Any = None, name: Any = None) -> Any:
    """The number of elements, as a tensor."""
    held = (_INT32 if out_type is None else as_dtype(out_type)).held()
    return make(held.type(constant_value(input).size))


@op("ensure_shape")
def ensure_shape(x: Any, shape: Any, name: Any = None) -> Any:
    """`x` itself, which must fit `shape`; None stands for any length."""
    t = native(x)
    try:
        wanted = TensorShape(shape)
    except ValueError:
        raise bad_value(
            "ensure_shape", f"{shape!r:.60} has a negative length.", "Write None for any length."
        ) from None
    if not wanted.is_compatible_with(t.value.shape):
        raise bad(
            "ensure_shape",
            f"Shape of tensor {TensorShape(t.value.shape)} is not compatible with expected shape "
            f"{wanted}.",
            "Print x.shape where x is made, or tf.reshape(x, shape).",
        )
    return core.another(t)


@op("guarantee_const")
def guarantee_const(input: Any, name: Any = None) -> Any:
    """`input` itself: there is no graph to tell that it never changes."""
    return core.another(native(input))


@op("identity_n")
def identity_n(input: Any, name: Any = None) -> Any:
    """Tensors of the same values and histories."""
    return [core.another(native(x)) for x in _list_of("identity_n", input)]


@op("bitcast")
def bitcast(input: Any, type: Any, name: Any = None) -> Any:
    """The same bytes read as another dtype; a last axis holds those that are shorter."""
    x = bare(input)
    dtype, target = x.value.dtype, as_dtype(type).held()
    if "b" in (dtype.kind, target.kind) or "O" in (dtype.kind, target.kind):
        raise bad(
            "bitcast",
            f"cannot bitcast {dtype.name} to {target.name}.",
            "Use tf.cast, which converts the values.",
        )
    ratio, rest = divmod(dtype.itemsize, target.itemsize)
    joined = target.itemsize // dtype.itemsize
    if not ratio and x.value.shape[-1:] != (joined,):
        raise bad(
            "bitcast",
            f"cannot bitcast from {dtype.name} to {target.name}: shape {x.value.shape}.",
            f"Going to a wider dtype, the last axis must have length {joined}.",
        )
    from ...core.uncarded import unsupported

    return unsupported("bitcast", lambda v: _bits(v, target, ratio), (x,), {})


def _bits(value: Any, target: Any, ratio: int) -> Any:
    array = np.ascontiguousarray(value).reshape(np.shape(value))
    if ratio == 1:
        return array.view(target)[()]
    if ratio:
        return array.reshape(*array.shape, 1).view(target)
    return array.view(target)[..., 0][()]
