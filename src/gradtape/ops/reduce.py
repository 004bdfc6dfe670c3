"""Cards of the reductions: sum, mean, prod, the extrema, their nan-versions, and the indices.

Ties of max and min share the gradient evenly. Where a NaN makes the result NaN, the NaN elements
are the ones the result was taken from, and share it. Elements that `where=` leaves out, and NaNs
in the nan-versions, have gradient 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.axes import (
    count,
    expand,
    from_rows,
    in_dtype,
    kept,
    mask,
    reduced_shape,
    rows,
    shifted,
)
from ..core.cards import Card, composite, linear, nondifferentiable, primitive
from ..core.dispatch import write_out
from ..core.notices import warn_here, warning_here
from ..core.positions import decode, here
from ..core.pythons import is_weak
from ..core.registry import FUNCTIONS
from ..core.rows import has_nan
from ..core.runs import add_reduce, extremum
from ..core.symbol import is_known_to_hold, may_hold
from ..core.tensor import Tensor, raw
from ..errors import DTypeError, three_part

_NO = np._NoValue


def _signature(
    a: Any, axis: Any = None, dtype: Any = None, keepdims: Any = _NO, initial: Any = _NO,
    where: Any = _NO,
) -> Any:  # fmt: skip
    """Operands and params of a reduction; what has its default value is left out."""
    params: dict[str, Any] = {"axis": axis, "keepdims": keepdims is not _NO and bool(keepdims)}
    if dtype is not None:
        params["dtype"] = np.dtype(dtype)
    if initial is not _NO and initial is not None:
        params["initial"] = initial
    if where is not _NO and where is not True:
        params["where"] = mask(where)
    return (a,), params


def _only(where: Any, ct: Any) -> Any:
    """`ct` where `where` holds (None: everywhere), else 0."""
    return ct if where is None else np.where(where, ct, np.zeros((), ct.dtype))


def _without_dtype(a: Any, axis: Any = None, *args: Any, **kwargs: Any) -> Any:
    return _signature(a, axis, None, *args, **kwargs)


def _batch(reduction: Any) -> Any:
    """The batching rule of a reduction: the same one over axes shifted by the batch in front."""

    def batch(size: int, operands: Any, axes: Any, axis: Any, **params: Any) -> Any:
        x = np.moveaxis(operands[0], axes[0], 0)
        return reduction(x, axis=shifted(axis, np.ndim(x) - 1, 0), **params), 0

    return batch


# ------------------------------------------------------------------------------ sum and mean


def _sum_transpose(
    ct: Any, x: Any, axis: Any, keepdims: bool, dtype: Any = None, initial: Any = 0,
    where: Any = None,
) -> Any:  # fmt: skip
    ct = _only(where, expand(ct, x.shape, axis, keepdims))
    return ct if dtype is None else in_dtype(ct, x.dtype)


sum = linear(
    np.sum,
    impl=add_reduce,
    signature=_signature,
    shape=lambda x, axis, keepdims, dtype=None, **_: Aval(
        reduced_shape(x.shape, axis, keepdims),
        np.add.reduce(np.zeros(1, x.dtype), dtype=dtype).dtype,
    ),
    transpose=_sum_transpose,
    jvp=(lambda t, _out, _x, initial=0, **params: np.sum(t, **params),),
    batch=_batch(np.add.reduce),
    name="sum",
)

# The end of nearly every loss, `np.sum(x)`, has a card without parameters and so a fast record.
sum_all = linear(
    None,
    name="sum_all",
    impl=lambda x: np.add.reduce(x, axis=None),
    shape=lambda x: Aval((), x.dtype),
    transpose=lambda ct, x: np.broadcast_to(ct, x.shape),
    batch=lambda size, operands, axes: (
        np.add.reduce(np.reshape(np.moveaxis(operands[0], axes[0], 0), (size, -1)), axis=1),
        0,
    ),
)


def _mean_share(ct: Any, x: Any, axis: Any, where: Any) -> Any:
    """`ct`, which keeps the axes, divided by the number of elements of each mean."""
    n = count(x.shape, axis, where)
    return ct / max(n, 1) if where is None else ct / np.maximum(n, 1).astype(ct.dtype)


def _mean_transpose(
    ct: Any, x: Any, axis: Any, keepdims: bool, dtype: Any = None, where: Any = None
) -> Any:
    ct = _mean_share(ct if keepdims else kept(ct, x.shape, axis), x, axis, where)
    return in_dtype(_only(where, np.broadcast_to(ct, x.shape)), x.dtype)


def _mean(x: Any, axis: Any, keepdims: bool, **params: Any) -> Any:
    n = count(x.shape, axis)
    if n == 0:
        return warning_here(np.mean, x, axis=axis, keepdims=keepdims, **params)
    if params or x.ndim == 0 or x.dtype.char not in "fdFD":
        return np.mean(x, axis=axis, keepdims=keepdims, **params)
    return add_reduce(x, axis=axis, keepdims=keepdims) / n  # what np.mean does, at half its cost


def _mean_jvp(t: Any, out: Any, x: Any, axis: Any, keepdims: bool, dtype: Any = None,
              where: Any = None) -> Any:  # fmt: skip
    total = np.sum(_only(where, t), axis=axis, keepdims=True, dtype=dtype)
    return np.reshape(_mean_share(total, x, axis, where), np.shape(out))


mean = linear(
    np.mean,
    impl=_mean,
    signature=_signature,
    shape=lambda x, axis, keepdims, dtype=None, **_: Aval(
        reduced_shape(x.shape, axis, keepdims),
        dtype or (x.dtype if x.dtype.kind in "fc" else np.float64),
    ),
    transpose=_mean_transpose,
    jvp=(_mean_jvp,),
    batch=_batch(_mean),
)


# --------------------------------------------------------------------------------- products


def _others(x: Any) -> Any:
    """For each element the product of all others along the last axis.

    A tree of multiplications in linear time: zeros need no special case, to any order.
    """
    n = np.shape(x)[-1]
    if n <= 1:
        return np.ones_like(x)
    if n % 2:
        x = np.concatenate([x, np.ones((*np.shape(x)[:-1], 1), x.dtype)], axis=-1)
    pairs = np.reshape(x, (*np.shape(x)[:-1], (n + 1) // 2, 2))
    around = _others(pairs[..., 0] * pairs[..., 1])
    found = np.reshape(around[..., None] * pairs[..., ::-1], np.shape(x))
    return found[..., :n] if n % 2 else found


def _prod_partial(x: Any, axis: Any, dtype: Any, initial: Any, where: Any) -> Any:
    """The derivative of each product with respect to each of its factors."""
    x = x if dtype is None else x.astype(dtype)
    factors = x if where is None else np.where(where, x, np.ones((), x.dtype))
    flat, axes = rows(factors, axis)
    partial = from_rows(_others(flat), np.shape(x), axes)
    return partial if initial is None else partial * np.asarray(initial).astype(x.dtype)


def _prod_vjp(
    ct: Any, _out: Any, x: Any, axis: Any, keepdims: bool, dtype: Any = None, initial: Any = None,
    where: Any = None,
) -> Any:  # fmt: skip
    partial = _prod_partial(x, axis, dtype, initial, where)
    if partial.dtype.kind == "c":
        partial = np.conjugate(partial)
    ct = expand(ct, np.shape(x), axis, keepdims) * partial
    return in_dtype(_only(where, ct), x.dtype)


def _prod_jvp(
    t: Any, _out: Any, x: Any, axis: Any, keepdims: bool, dtype: Any = None, initial: Any = None,
    where: Any = None,
) -> Any:  # fmt: skip
    t = t * _prod_partial(x, axis, dtype, initial, where)
    return np.sum(_only(where, t), axis=axis, keepdims=keepdims)


prod = primitive(
    np.prod,
    impl=np.multiply.reduce,
    signature=_signature,
    vjp=_prod_vjp,
    jvp=_prod_jvp,
    shape=lambda x, axis, keepdims, dtype=None, **_: Aval(
        reduced_shape(x.shape, axis, keepdims),
        np.multiply.reduce(np.ones(1, x.dtype), dtype=dtype).dtype,
    ),
    batch=_batch(np.multiply.reduce),
    keep_out=False,
)


# ---------------------------------------------------------------------------------- extrema
# Both operand and result are kept, by reference: nothing is computed before a gradient asks. An
# `initial` that equals the extremum takes no share, as the second argument of `maximum`.


def _chosen(out: Any, x: Any, axis: Any, where: Any, takes_nan: bool) -> Any:
    """Which elements of `x` the results were taken from."""
    out = kept(out, np.shape(x), axis)
    chosen = np.equal(x, out)
    if takes_nan and may_hold(np.isnan(out)):
        chosen = np.logical_or(chosen, np.logical_and(np.isnan(x), np.isnan(out)))
    return chosen if where is None else np.logical_and(chosen, where)


def _ties(chosen: Any, axis: Any, dtype: Any) -> Any:
    """How many elements share each result, at least 1."""
    return np.maximum(np.sum(chosen, axis=axis, keepdims=True), 1).astype(dtype)


def _sole(ct: Any, out: Any, x: Any, axis: Any) -> Any:
    """The cotangent of `x` where each result was taken from one element alone; else None.

    Unless it is NaN, each was taken from one at least: so it is enough to count them all.
    """
    shape = reduced_shape(x.shape, axis, True)
    out, ct = np.reshape(out, shape), np.reshape(ct, shape)
    chosen = np.equal(x, out)
    if np.count_nonzero(chosen) != out.size or has_nan(out):
        return None
    rest = len(shape)
    while rest and shape[rest - 1] == 1:
        rest -= 1
    if shape[:rest] != x.shape[:rest] or not chosen.flags.c_contiguous:
        return np.where(chosen, ct, np.zeros((), ct.dtype))
    found = np.zeros(x.size, ct.dtype)  # reduced over the last axes: `ct` is in the order of `x`
    found[chosen.reshape(-1).nonzero()[0]] = ct.reshape(-1)
    return found.reshape(x.shape)


def _extremum(*functions: Any, takes_nan: bool, impl: Any) -> Card:
    """A card for max, min and the like."""

    def vjp(ct: Any, out: Any, x: Any, axis: Any, keepdims: bool, initial: Any = None,
            where: Any = None) -> Any:  # fmt: skip
        if (
            where is None
            and initial is None
            and type(x) is np.ndarray
            and isinstance(ct, np.ndarray | np.generic)
        ):
            found = _sole(ct, out, x, axis)
            if found is not None:
                return found
        chosen = _chosen(out, x, axis, where, takes_nan)
        ct = kept(ct, np.shape(x), axis) / _ties(chosen, axis, ct.dtype)
        return np.where(chosen, ct, np.zeros((), ct.dtype))

    def jvp(t: Any, out: Any, x: Any, axis: Any, keepdims: bool, initial: Any = None,
            where: Any = None) -> Any:  # fmt: skip
        chosen = _chosen(out, x, axis, where, takes_nan)
        total = np.sum(_only(chosen, t), axis=axis, keepdims=True)
        return np.reshape(total / _ties(chosen, axis, t.dtype), np.shape(out))

    card = primitive(
        functions[0],
        impl=impl,
        signature=_without_dtype,
        vjp=vjp,
        jvp=jvp,
        shape=lambda x, axis, keepdims, **_: Aval(reduced_shape(x.shape, axis, keepdims), x.dtype),
        batch=_batch(impl),
        name=functions[0].__name__,
        drops=not takes_nan,
    )
    for function in functions[1:]:
        FUNCTIONS[function] = FUNCTIONS[functions[0]]
    return card


def _ignoring_nan(reduction: Any) -> Any:
    """`np.nanmax` or `np.nanmin`, which would place their warning at our line."""

    def impl(x: Any, axis: Any, keepdims: bool, **params: Any) -> Any:
        found = reduction(x, axis=axis, keepdims=keepdims, **params)
        if np.isnan(found).any():
            warn_here("All-NaN slice encountered")
        return found

    return impl


amax = _extremum(np.max, np.amax, takes_nan=True, impl=extremum(np.maximum.reduce))
amin = _extremum(np.min, np.amin, takes_nan=True, impl=extremum(np.minimum.reduce))
nanmax = _extremum(np.nanmax, takes_nan=False, impl=_ignoring_nan(np.fmax.reduce))
nanmin = _extremum(np.nanmin, takes_nan=False, impl=_ignoring_nan(np.fmin.reduce))


@composite(np.ptp)
def ptp(a: Any, axis: Any = None, out: Any = None, keepdims: Any = _NO) -> Any:
    """The range max - min, with the gradients of both."""
    keepdims = keepdims is not _NO and bool(keepdims)
    result = np.max(a, axis=axis, keepdims=keepdims) - np.min(a, axis=axis, keepdims=keepdims)
    return result if out is None else write_out(out, result)


# ------------------------------------------------------------------- a Tensor as `initial=`


def _with_initial(function: Any, join: Any, neutral: Any) -> None:
    """Let `initial=` of a reduction be a Tensor that has a gradient of its own."""
    plain = FUNCTIONS[function]

    def operation(*args: Any, **kwargs: Any) -> Any:
        initial = kwargs.get("initial") if kwargs else None
        if not isinstance(initial, Tensor):
            return plain(*args, **kwargs)
        out = kwargs.pop("out", None)
        kwargs["initial"] = neutral(raw(args[0] if args else kwargs["a"]))
        result = plain(*args, **kwargs)
        return fit_initial(result, initial, out)

    def fit_initial(result: Any, initial: Any, out: Any) -> Any:
        """The result joined with `initial`, which takes its dtype, as in NumPy."""
        if initial.dtype.kind == "c" and result.dtype.kind != "c":
            raise DTypeError(
                three_part(
                    f"{function.__name__}: initial is {initial.dtype}, the result "
                    f"{result.dtype}.",
                    f"Called at {decode(*here())}; it takes the dtype of the result.",
                    "Pass initial.real, or x.astype(complex).",
                )
            )
        if initial.dtype != result.dtype or is_weak(initial):
            initial = initial.astype(result.dtype)
        result = join(result, initial)
        return result if out is None else write_out(out, result)

    FUNCTIONS[function] = operation


def _extreme(sign: int) -> Any:
    """What is no larger (no smaller) than any number of the dtype of an array."""

    def neutral(x: Any) -> Any:
        dtype = x.dtype if hasattr(x, "dtype") else np.asarray(x).dtype
        if dtype.kind in "iu":
            return np.iinfo(dtype).min if sign < 0 else np.iinfo(dtype).max
        return sign > 0 if dtype.kind == "b" else sign * np.inf

    return neutral


_with_initial(np.sum, np.add, lambda _: 0)
_with_initial(np.prod, np.multiply, lambda _: 1)
for _function in (np.max, np.amax, np.nanmax):
    _with_initial(_function, np.maximum, _extreme(-1))
for _function in (np.min, np.amin, np.nanmin):
    _with_initial(_function, np.minimum, _extreme(1))


# ------------------------------------------------------------------------------ nan-versions


def _replaced(a: Any, value: int) -> Any:
    """`a` with `value` in place of NaN."""
    a = a if isinstance(a, Tensor) else np.asanyarray(a)
    return np.where(np.isnan(a), np.full((), value, a.dtype), a) if a.dtype.kind in "fc" else a


@composite(np.nansum)
def nansum(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = _NO,
    initial: Any = _NO, where: Any = _NO,
) -> Any:  # fmt: skip
    """The sum of what is not NaN; a NaN has gradient 0."""
    return np.sum(
        _replaced(a, 0), axis=axis, dtype=dtype, out=out, keepdims=keepdims, initial=initial,
        where=where,
    )  # fmt: skip


@composite(np.nanprod)
def nanprod(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = _NO,
    initial: Any = _NO, where: Any = _NO,
) -> Any:  # fmt: skip
    """The product of what is not NaN; a NaN has gradient 0."""
    return np.prod(
        _replaced(a, 1), axis=axis, dtype=dtype, out=out, keepdims=keepdims, initial=initial,
        where=where,
    )  # fmt: skip


@composite(np.nanmean)
def nanmean(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = _NO, *,
    where: Any = _NO,
) -> Any:  # fmt: skip
    """The mean of what is not NaN; a NaN has gradient 0."""
    if np.result_type(a).kind not in "fc":
        return np.mean(a, axis=axis, dtype=dtype, out=out, keepdims=keepdims, where=where)
    valid = np.logical_not(np.isnan(raw(a)))
    n = np.sum(valid, axis=axis, keepdims=keepdims, where=raw(where))
    total = np.sum(_replaced(a, 0), axis=axis, dtype=dtype, keepdims=keepdims, where=where)
    with np.errstate(divide="ignore", invalid="ignore"):
        result = total / n.astype(total.dtype)
    if is_known_to_hold(n == 0):
        warn_here("Mean of empty slice")
    return result if out is None else write_out(out, result)


# ------------------------------------------------------------------------------------ indices

for _index in (np.argmax, np.argmin, np.nanargmax, np.nanargmin):
    nondifferentiable(_index, f"{_index.__name__} gives an index, which changes in jumps.")
nondifferentiable(np.count_nonzero, "count_nonzero gives a count, which changes in jumps.")
