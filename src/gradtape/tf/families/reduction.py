"""Reductions over axes, and the running sums and products."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np

from ...core.observing import Keeping
from ...core.positions import decode, here
from ...core.registry import CARDS
from ...core.state import next_key, state
from ...core.sweep import run_sum_all
from ...core.symbol import is_traced
from ...errors import three_part
from ..base.axes import axes_of
from ..base.dtypes import as_dtype, kind_of
from ..base.errors import RefusedType, RefusedValue, invalid
from ..base.making import (
    BFLOAT16,
    BOOL,
    EVERY,
    FLOATS,
    NUMBER,
    REAL,
    allow,
    bare,
    convert,
    export,
    native,
    natural,
    op,
)
from ..base.quiet import quietly
from ..base.tensors import Tensor, make


def _reduction(
    names: str, dtypes: str, doc: str, body: Any, title: str = "", take: Any = native
) -> Any:
    """A function `f(input_tensor, axis=None, keepdims=False, name=None)`."""
    title = title or names.split()[0]

    def run(input_tensor: Any, axis: Any = None, keepdims: Any = False, name: Any = None) -> Any:
        x = take(input_tensor)
        allow(title, x, dtypes)
        return body(x, axes_of(title, axis, x.value.ndim), bool(keepdims))

    run.__name__ = title.rpartition(".")[2]
    run.__doc__ = doc
    return op(*names.split())(run)


def _as_mean(x: Any, axis: Any, keepdims: bool) -> Any:
    """The mean in the dtype of the operand: whole, rounded towards 0, of integers."""
    if x.value.dtype.kind in "iu":
        count = _count(x.value.shape, axis)
        total = np.sum(x.value, axis=axis, keepdims=keepdims, dtype=x.value.dtype)
        if not count:
            return native(np.zeros_like(total))
        return native(np.trunc(total / count).astype(x.value.dtype))
    return np.mean(x, axis=axis, keepdims=keepdims)


def _count(shape: Any, axis: Any) -> int:
    axes = range(len(shape)) if axis is None else axis
    return math.prod(shape[a] for a in axes)


def _extremum(function: Any, low: bool) -> Any:
    """Maximum or minimum; the neutral element over no elements, as TensorFlow."""

    def body(x: Any, axis: Any, keepdims: bool) -> Any:
        if x.value.size and _count(x.value.shape, axis):
            return function(x, axis=axis, keepdims=keepdims)
        dtype = x.value.dtype
        limits = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
        bound: Any = limits.min if low else limits.max
        if dtype.kind == "f":
            bound = -np.inf if low else np.inf
        shape = np.sum(np.zeros(x.value.shape), axis=axis, keepdims=keepdims).shape
        return native(np.full(shape, bound, dtype)[()])

    return body


def _log_sum_exp(x: Any, axis: Any, keepdims: bool) -> Any:
    """Shifted by the maximum, where that is finite, so that nothing overflows."""
    if not _count(x.value.shape, axis):
        return np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims))
    top = np.max(x.value, axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, np.zeros((), x.value.dtype)).astype(x.value.dtype)
    total = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=keepdims))
    return total + (top if keepdims else np.reshape(top, total.value.shape))


def _variance(x: Any, axis: Any, keepdims: bool) -> Any:
    if x.value.dtype.kind not in "fc":
        raise _not_real("reduce_variance", x)
    return np.var(x, axis=axis, keepdims=keepdims)


def _not_real(name: str, x: Any) -> RefusedType:
    return RefusedType(
        three_part(
            f"{name}: {x.value.dtype.name} is not supported here.",
            f"Called at {decode(*here())}.",
            "Cast it: tf.cast(x, tf.float32).",
        )
    )


def _whole_power(x: Any, axis: Any, keepdims: bool) -> Any:
    return np.prod(x, axis=axis, keepdims=keepdims, dtype=x.value.dtype)


_sum_over = _reduction(
    "", NUMBER, "The sum over `axis`, over all axes by default.",
    lambda x, axis, keepdims: np.sum(x, axis=axis, keepdims=keepdims, dtype=x.value.dtype)
    if x.value.dtype.kind in "iu" or axis is not None or keepdims else np.sum(x),
    "reduce_sum",
)  # fmt: skip
_SUM_ALL = CARDS["sum_all"]
_sum_all = quietly(np.add.reduce, 2)


@export("reduce_sum", "math.reduce_sum")
def reduce_sum(input_tensor: Any, axis: Any = None, keepdims: Any = False, name: Any = None) -> Any:
    """The sum over `axis`, over all axes by default."""
    if axis is None and keepdims is False and type(input_tensor) is Tensor:
        x, k, tape = input_tensor.value, input_tensor.key, state.tape
        if (
            tape is not None
            and k in tape.tracked
            and type(x) is np.ndarray
            and x.nbytes
            and x.dtype.char in FLOATS
        ):  # the end of nearly every loss
            out = make(_sum_all(x, None), next_key(), input_tensor.why)
            tape.tracked.add(out.key)
            f = sys._getframe(1)
            kept = (x, None, out.value) if Keeping.everything else (None, None, None)
            tape.record(
                [run_sum_all, _SUM_ALL, out.key, f.f_code, f.f_lasti, k, 0, x.shape, None, *kept]
            )  # fmt: skip
            return out
    return _sum_over(input_tensor, axis, keepdims)


_reduction("reduce_mean math.reduce_mean", NUMBER, "The mean over `axis`.", _as_mean)
_reduction(
    "reduce_prod math.reduce_prod", NUMBER + BFLOAT16, "The product over `axis`.", _whole_power,
    take=bare,  # of bfloat16 too: TensorFlow multiplies in it
)  # fmt: skip
_reduction(
    "reduce_max math.reduce_max", REAL, "The largest over `axis`; ties share the gradient.",
    _extremum(np.max, True),
)  # fmt: skip
_reduction(
    "reduce_min math.reduce_min", REAL, "The smallest over `axis`; ties share the gradient.",
    _extremum(np.min, False),
)  # fmt: skip
_reduction(
    "reduce_all math.reduce_all", BOOL, "Whether all are true.",
    lambda x, axis, keepdims: np.all(x, axis=axis, keepdims=keepdims),
)  # fmt: skip
_reduction(
    "reduce_any math.reduce_any", BOOL, "Whether any is true.",
    lambda x, axis, keepdims: np.any(x, axis=axis, keepdims=keepdims),
)  # fmt: skip
_reduction(
    "reduce_logsumexp math.reduce_logsumexp", FLOATS,
    "`log(sum(exp(x)))` over `axis`, without overflow.", _log_sum_exp,
)  # fmt: skip
_reduction(
    "math.reduce_euclidean_norm", NUMBER, "`sqrt(sum(x ** 2))` over `axis`.",
    lambda x, axis, keepdims: _euclidean(x, axis, keepdims),
)  # fmt: skip
_reduction("math.reduce_variance", EVERY, "The variance over `axis`.", _variance)
_reduction(
    "math.reduce_std", EVERY, "The standard deviation over `axis`.",
    lambda x, axis, keepdims: np.sqrt(_variance(x, axis, keepdims)),
)  # fmt: skip


def _euclidean(x: Any, axis: Any, keepdims: bool) -> Any:
    if x.value.dtype.kind in "iu":
        total = np.sum(np.square(x.value), axis=axis, keepdims=keepdims, dtype=x.value.dtype)
        return native(np.sqrt(total).astype(x.value.dtype))
    squares = np.real(x * np.conjugate(x)) if x.value.dtype.kind == "c" else np.square(x)
    norm = np.sqrt(np.sum(squares, axis=axis, keepdims=keepdims))
    return norm.astype(x.value.dtype) if x.value.dtype.kind == "c" else norm


@op("math.count_nonzero")
def count_nonzero(
    input: Any, axis: Any = None, keepdims: Any = None, dtype: Any = "int64", name: Any = None
) -> Any:
    """How many elements are not zero (of strings: not empty)."""
    x = natural(input).value
    axis = axes_of("count_nonzero", axis, np.ndim(x))
    if x.dtype == object:
        x = np.reshape([len(item) for item in x.reshape(-1)], x.shape)
    found = np.sum(np.not_equal(x, 0), axis=axis, keepdims=bool(keepdims))
    found = found if is_traced(found) else np.asarray(found)
    return native(found.astype(as_dtype(dtype).held())[()])


@op("math.zero_fraction", "nn.zero_fraction")
def zero_fraction(value: Any, name: Any = None) -> Any:
    """The share of zeros, float32."""
    x = natural(value).value
    if not x.size:
        return native(np.float32(np.nan))
    zeros = np.sum(np.equal(x, 0))
    return native(zeros.astype(np.float32) / np.float32(x.size))


# ------------------------------------------------------------------------------ running


def _axis(name: str, axis: Any, ndim: int) -> int:
    found = int(natural(axis).value)
    if not -ndim <= found < ndim:
        raise invalid(
            f"{name}: Expected scan axis in the range [{-ndim}, {ndim}), but got {found}.",
            f"Called at {decode(*here())}.",
            f"The tensor has {ndim} axes.",
        )
    return found % ndim


def _shifted(x: Any, axis: int, first: Any) -> Any:
    """`x` one place further along `axis`, with `first` in front and without its last."""
    shape = list(x.value.shape)
    if not shape[axis]:
        return x
    shape[axis] = 1
    front = np.full(shape, first, x.value.dtype)
    return np.concatenate([front, np.take(x, np.arange(x.value.shape[axis] - 1), axis)], axis)


def _running(function: Any, neutral: float) -> Any:
    def run(name: str, x: Any, axis: Any, exclusive: bool, reverse: bool) -> Any:
        axis = _axis(name, axis, x.value.ndim)
        if reverse:
            x = np.flip(x, axis)
        if exclusive:
            x = _shifted(x, axis, neutral)
        out = function(x, axis)
        return np.flip(out, axis) if reverse else out

    return run


_sum = _running(lambda x, axis: np.cumsum(x, axis=axis, dtype=x.value.dtype), 0)
_product = _running(lambda x, axis: np.cumprod(x, axis=axis, dtype=x.value.dtype), 1)
_log = _running(lambda x, axis: np.logaddexp.accumulate(x, axis=axis), -np.inf)


@op("cumsum", "math.cumsum")
def cumsum(
    x: Any, axis: Any = 0, exclusive: Any = False, reverse: Any = False, name: Any = None
) -> Any:
    """The sums so far along `axis`; `exclusive` of the element itself, `reverse` from the end."""
    x = bare(x)
    allow("cumsum", x, NUMBER + BFLOAT16)
    return _sum("cumsum", x, axis, exclusive, reverse)


@op("math.cumprod")
def cumprod(
    x: Any, axis: Any = 0, exclusive: Any = False, reverse: Any = False, name: Any = None
) -> Any:
    """The products so far along `axis`."""
    x = bare(x)
    allow("cumprod", x, NUMBER + BFLOAT16)
    return _product("cumprod", x, axis, exclusive, reverse)


@op("math.cumulative_logsumexp")
def cumulative_logsumexp(
    x: Any, axis: Any = 0, exclusive: Any = False, reverse: Any = False, name: Any = None
) -> Any:
    """`log(cumsum(exp(x)))` without overflow."""
    x = bare(x)  # of bfloat16 too: TensorFlow rounds after each
    allow("cumulative_logsumexp", x, FLOATS + BFLOAT16)
    return _log("cumulative_logsumexp", x, axis, exclusive, reverse)


# ------------------------------------------------------------------------------ orders, counts


def _flat(x: Any) -> Any:
    x = natural(x)
    if kind_of(x.value.dtype) not in "iuf":
        raise _not_real("a test of order", x)
    return np.reshape(x.value, -1)


@op("math.is_non_decreasing")
def is_non_decreasing(x: Any, name: Any = None) -> Any:
    """Whether no element is smaller than the one before it."""
    flat = _flat(x)
    return native(np.bool_(np.all(flat[1:] >= flat[:-1])))


@op("math.is_strictly_increasing")
def is_strictly_increasing(x: Any, name: Any = None) -> Any:
    """Whether each element is larger than the one before it."""
    flat = _flat(x)
    return native(np.bool_(np.all(flat[1:] > flat[:-1])))


@op("math.confusion_matrix")
def confusion_matrix(
    labels: Any,
    predictions: Any,
    num_classes: Any = None,
    weights: Any = None,
    dtype: Any = "int32",
    name: Any = None,
) -> Any:
    """How often each label (row) was predicted as each class (column)."""
    rows = natural(labels).value.astype(np.int64)
    columns = natural(predictions).value.astype(np.int64)
    if rows.ndim == 2 == columns.ndim + 1 and rows.shape[1] == 1:
        rows = rows[:, 0]
    if columns.ndim == 2 == rows.ndim + 1 and columns.shape[1] == 1:
        columns = columns[:, 0]
    if rows.ndim != 1 or columns.ndim != 1:
        raise RefusedValue(
            three_part(
                f"Shapes {rows.shape} and {columns.shape} are incompatible.",
                f"tf.math.confusion_matrix was called at {decode(*here())}.",
                "labels and predictions are 1-d and of one length.",
            )
        )
    if num_classes is None:
        n = int(max(rows.max(initial=0), columns.max(initial=0))) + 1
    else:
        n = int(natural(num_classes).value)
    for what, values in (("labels", rows), ("predictions", columns)):
        if np.any(values < 0):
            raise invalid(
                f"`{what}` contains negative values.",
                f"tf.math.confusion_matrix was called at {decode(*here())}.",
                "Classes are numbered from 0.",
            )
        if num_classes is not None and np.any(values >= n):
            raise invalid(
                f"`{what}` out of bound: the largest is {values.max()}, num_classes is {n}.",
                f"tf.math.confusion_matrix was called at {decode(*here())}.",
                "Raise num_classes, or leave it out.",
            )
    if rows.shape != columns.shape:
        raise invalid(
            f"Dimensions of labels and predictions must match: {rows.shape} and {columns.shape}.",
            f"tf.math.confusion_matrix was called at {decode(*here())}.",
            "Give one prediction for each label.",
        )
    dtype = as_dtype(dtype).held()
    counts = np.zeros((n, n), dtype)
    if weights is None:
        np.add.at(counts, (rows, columns), dtype.type(1))
        return native(counts)
    amounts = native(convert(weights).numpy().astype(dtype))
    if amounts.value.shape != rows.shape:
        raise RefusedValue(
            three_part(
                f"weights of shape {amounts.value.shape} do not go with predictions of shape "
                f"{rows.shape}.",
                f"tf.math.confusion_matrix was called at {decode(*here())}.",
                "Give one weight for each prediction.",
            )
        )
    np.add.at(counts, (rows, columns), amounts.value)
    return native(counts)
