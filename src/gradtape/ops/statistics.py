"""Cards of var, std, average, cov, corrcoef and the nan-versions of the first two.

The standard deviation has gradient 0 where it is 0, as `norm` has at 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.axes import count, in_dtype, kept, mask, reduced_shape, shifted
from ..core.batched import as_array
from ..core.cards import Card, composite, primitive, unbroadcast
from ..core.dispatch import write_out
from ..core.notices import warn_here, warning_here
from ..core.symbol import is_known_to_hold, may_hold
from ..core.tensor import raw
from ..errors import ShapeError, three_part

_NO = np._NoValue


# ------------------------------------------------------------------- variance and deviation


def _degrees(name: str, ddof: Any, correction: Any) -> Any:
    """`ddof`, which may also be called `correction`."""
    if correction is _NO:
        return ddof
    if ddof != 0:
        raise ValueError(
            three_part(
                f"{name}: ddof={ddof} and correction={correction} are both given.",
                "They are two names of one thing.",
                f"Pass correction={correction} alone.",
            )
        )
    return correction


def _signature(name: str) -> Any:
    def signature(
        a: Any, axis: Any = None, dtype: Any = None, ddof: Any = 0, keepdims: Any = _NO, *,
        where: Any = _NO, mean: Any = _NO, correction: Any = _NO,
    ) -> Any:  # fmt: skip
        params = {
            "axis": axis,
            "keepdims": keepdims is not _NO and bool(keepdims),
            "ddof": _degrees(name, ddof, correction),
        }
        if dtype is not None:
            params["dtype"] = np.dtype(dtype)
        if where is not _NO and where is not True:
            params["where"] = mask(where)
        return ((a,) if mean is _NO or mean is None else (a, as_array(mean))), params

    return signature


def _freedom(x: Any, axis: Any, ddof: Any, where: Any, dtype: Any) -> Any:
    """The degrees of freedom, which divide the sum of squares."""
    n = np.maximum(count(np.shape(x), axis, where) - ddof, 0)
    return n.astype(np.zeros((), dtype).real.dtype)


def _deviations(x: Any, mean: Any, axis: Any, dtype: Any, where: Any) -> Any:
    """Distances from the mean; 0 for what `where` leaves out."""
    x = x if dtype is None else x.astype(dtype)
    if mean is None:
        n = np.maximum(count(np.shape(x), axis, where), 1).astype(x.dtype)
        included = x if where is None else np.where(where, x, np.zeros((), x.dtype))
        mean = np.sum(included, axis=axis, keepdims=True) / n
    d = x - mean
    return d if where is None else np.where(where, d, np.zeros((), d.dtype))


def _scale(is_std: bool, out: Any, x: Any, axis: Any) -> Any:
    """What the derivative of a sum of squares is multiplied by: 1 / (2 std), or 1."""
    if not is_std:
        return 1
    out = kept(out, np.shape(x), axis)
    zero = np.equal(out, 0)
    return np.where(zero, np.zeros((), out.dtype), 0.5 / np.where(zero, np.ones_like(out), out))


def _spread(function: Any, is_std: bool) -> Card:
    """The card of var or std. The mean needs no term: deviations sum to 0 around it."""

    def vjp(i: int, ct: Any, out: Any, x: Any, mean: Any = None, *, axis: Any, keepdims: bool,
            ddof: Any, dtype: Any = None, where: Any = None) -> Any:  # fmt: skip
        d = _deviations(x, mean, axis, dtype, where)
        ct = kept(ct, np.shape(x), axis) * _scale(is_std, out, x, axis)
        g = 2 * ct / _freedom(x, axis, ddof, where, d.dtype) * d
        if i == 0:
            return in_dtype(g, x.dtype)
        return in_dtype(unbroadcast(-g, np.shape(mean)), mean.dtype)

    def jvp(i: int, t: Any, out: Any, x: Any, mean: Any = None, *, axis: Any, keepdims: bool,
            ddof: Any, dtype: Any = None, where: Any = None) -> Any:  # fmt: skip
        d = _deviations(x, mean, axis, dtype, where)
        along = np.real(np.conjugate(d) * t) if d.dtype.kind == "c" else d * t
        total = np.sum(along, axis=axis, keepdims=True) * _scale(is_std, out, x, axis)
        total = 2 * total / _freedom(x, axis, ddof, where, d.dtype)
        return np.reshape(-total if i else total, np.shape(out))

    def impl(x: Any, mean: Any = _NO, **params: Any) -> Any:
        if count(x.shape, params["axis"]) <= params["ddof"]:
            return warning_here(function, x, mean=mean, **params)
        return function(x, mean=mean, **params)

    def shape(x: Aval, mean: Any = None, *, axis: Any, keepdims: bool, dtype: Any = None,
              **_: Any) -> Aval:  # fmt: skip
        if dtype is None:
            dtype = x.dtype if x.dtype.kind in "fc" else np.dtype(np.float64)
            dtype = dtype if mean is None else np.result_type(dtype, mean.dtype)
            dtype = np.zeros((), dtype).real.dtype
        return Aval(reduced_shape(x.shape, axis, keepdims), dtype)

    def batch(size: int, operands: Any, axes: Any, axis: Any, **params: Any) -> Any:
        moved = [
            x[None] if b is None else np.moveaxis(x, b, 0)
            for x, b in zip(operands, axes, strict=True)
        ]
        x = np.broadcast_to(moved[0], (size, *np.shape(moved[0])[1:]))
        moved[1:] = [m.reshape(len(m), *(1,) * (x.ndim - m.ndim), *m.shape[1:]) for m in moved[1:]]
        return impl(x, *moved[1:], axis=shifted(axis, np.ndim(x) - 1, 0), **params), 0

    return primitive(
        function,
        impl=impl,
        arity=-1,
        signature=_signature(function.__name__),
        vjp=vjp,
        jvp=jvp,
        shape=shape,
        batch=batch,
        keep_out=is_std,
    )


var = _spread(np.var, False)
std = _spread(np.std, True)


def _shared_out(total: Any, n: Any) -> Any:
    """`total / n`, of which NumPy warns in no case, as it does of all that comes before."""
    with np.errstate(all="ignore"):
        return total / n.astype(total.dtype)


def _nan_var(
    a: Any, axis: Any, dtype: Any, ddof: Any, keepdims: Any, where: Any, mean: Any
) -> Any:
    """The variance of what is not NaN; NaN without degrees of freedom left."""
    valid = np.logical_not(np.isnan(raw(a)))
    if where is not _NO and where is not True:
        valid = np.logical_and(valid, np.broadcast_to(raw(where), np.shape(a)))
    n = np.sum(valid, axis=axis, keepdims=True)
    a = np.where(valid, a, np.zeros((), a.dtype))
    given = mean is not _NO and mean is not None
    if given and np.broadcast_shapes(np.shape(a), np.shape(mean)) != np.shape(a):
        raise ShapeError(
            three_part(
                f"nanvar: the mean has shape {np.shape(mean)}, the array {np.shape(a)}.",
                "The mean is taken off the array, whose shape stays.",
                "Pass mean=np.nanmean(a, axis=axis, keepdims=True).",
            )
        )
    if not given:
        mean = _shared_out(np.sum(a, axis=axis, dtype=dtype, keepdims=True), np.maximum(n, 1))
    d = a - mean
    d = np.where(valid, d, np.zeros((), d.dtype))
    squares = np.real(d * np.conjugate(d)) if d.dtype.kind == "c" else d * d
    total = np.sum(squares, axis=axis, dtype=dtype, keepdims=True)
    free = n - ddof
    result = _shared_out(total, np.where(free > 0, free, 1))
    if is_known_to_hold(free <= 0):
        warn_here("Degrees of freedom <= 0 for slice.")
    if may_hold(free <= 0):
        result = np.where(free > 0, result, np.full((), np.nan, result.dtype))
    if keepdims is _NO or not keepdims:
        result = np.reshape(result, reduced_shape(np.shape(a), axis, False))
    return result


@composite(np.nanvar)
def nanvar(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0,
    keepdims: Any = _NO, *, where: Any = _NO, mean: Any = _NO, correction: Any = _NO,
) -> Any:  # fmt: skip
    """The variance of what is not NaN; a NaN has gradient 0."""
    ddof = _degrees("nanvar", ddof, correction)
    a = as_array(a)
    if a.dtype.kind not in "fc":
        return np.var(a, axis, dtype, out, ddof, keepdims, where=where, mean=mean)
    result = _nan_var(a, axis, dtype, ddof, keepdims, where, mean)
    return result if out is None else write_out(out, result)


@composite(np.nanstd)
def nanstd(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0,
    keepdims: Any = _NO, *, where: Any = _NO, mean: Any = _NO, correction: Any = _NO,
) -> Any:  # fmt: skip
    """The standard deviation of what is not NaN; a NaN has gradient 0, and so has all at 0."""
    ddof = _degrees("nanstd", ddof, correction)
    a = as_array(a)
    if a.dtype.kind not in "fc":
        return np.std(a, axis, dtype, out, ddof, keepdims, where=where, mean=mean)
    square = _nan_var(a, axis, dtype, ddof, keepdims, where, mean)
    zero = np.equal(raw(square), 0)
    root = np.sqrt(np.where(zero, np.ones((), square.dtype), square))
    result = np.where(zero, np.zeros((), square.dtype), root)
    return result if out is None else write_out(out, result)


# --------------------------------------------------------------------------------- averages


def _weights(weights: Any, a: Any, axis: Any) -> Any:
    """Weights in a shape that broadcasts with `a`."""
    weights = as_array(weights)
    shape = np.shape(a)
    if np.shape(weights) == shape:
        return weights
    if axis is None:
        raise TypeError(
            three_part(
                f"average: the array has shape {shape}, the weights {np.shape(weights)}.",
                "Without axis= there is one weight for each element.",
                "Pass the axis of the weights: np.average(a, axis=0, weights=w).",
            )
        )
    axes = tuple(np.lib.array_utils.normalize_axis_tuple(axis, len(shape)))
    if np.shape(weights) != tuple(shape[i] for i in axes):
        raise ShapeError(
            three_part(
                f"average: the weights have shape {np.shape(weights)}, the array {shape}.",
                f"Along axis {axis} there are {tuple(shape[i] for i in axes)} elements.",
                "Pass one weight for each element of these axes.",
            )
        )
    weights = np.transpose(weights, tuple(int(i) for i in np.argsort(axes)))
    return np.reshape(weights, tuple(n if i in axes else 1 for i, n in enumerate(shape)))


@composite(np.average)
def average(
    a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: Any = _NO
) -> Any:
    """The weighted mean; data and weights have gradients."""
    a = as_array(a)
    keepdims = keepdims is not _NO and bool(keepdims)
    if axis is not None:
        axis = np.lib.array_utils.normalize_axis_tuple(axis, a.ndim)  # a scalar has none
    if weights is None:
        result = np.mean(a, axis=axis, keepdims=keepdims)
        total = np.asarray(np.size(a) / np.size(result)).astype(result.dtype)[()]
    else:
        w = _weights(weights, a, axis)
        dtype = np.result_type(a.dtype, w.dtype, *(["f8"] if a.dtype.kind in "iub" else []))
        total = np.sum(w, axis=axis, dtype=dtype, keepdims=keepdims)
        if is_known_to_hold(np.equal(raw(total), 0)):
            raise ZeroDivisionError(
                three_part(
                    "average: the weights sum to zero.",
                    "The weighted sum is divided by their sum.",
                    "Pass weights whose sum is not zero, or use np.sum(a * w).",
                )
            )
        products = np.multiply(*(x if x.dtype == dtype else x.astype(dtype) for x in (a, w)))
        result = np.sum(products, axis=axis, keepdims=keepdims) / total
    if not returned:
        return result
    if np.shape(total) != np.shape(result):
        total = np.broadcast_to(total, np.shape(result))
    return result, total


# ------------------------------------------------------------------------------- covariance


def _observations(m: Any, rowvar: bool, dtype: Any, turn: bool) -> Any:
    """Variables as rows, observations as columns."""
    x = m if m.dtype == dtype else m.astype(dtype)
    x = np.reshape(x, (1, -1)) if np.ndim(x) < 2 else x
    return np.transpose(x) if not rowvar and turn else x


def _sample_weights(name: str, weights: Any, n: int) -> Any:
    """Frequencies or importances: one non-negative number for each observation."""
    if weights is None:
        return None
    weights = as_array(weights)
    weights = weights if weights.dtype.kind == "f" else weights.astype(float)
    if np.shape(weights) != (n,):
        raise RuntimeError(
            three_part(
                f"cov: {name} has shape {np.shape(weights)}.",
                f"There are {n} observations.",
                f"Pass one weight for each, of shape ({n},).",
            )
        )
    values = raw(weights)
    if is_known_to_hold(values < 0):
        raise ValueError(
            three_part(
                f"cov: {name} cannot be negative, and has {values.min()}.",
                "A weight says how often, or how much, an observation counts.",
                "Pass weights of 0 or more.",
            )
        )
    if name == "fweights" and is_known_to_hold(values != np.round(values)):
        raise TypeError(
            three_part(
                "cov: fweights must be integer.",
                "They count how often each observation occurs.",
                "Pass importances as aweights=.",
            )
        )
    return weights


@composite(np.cov)
def cov(
    m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: Any = None,
    fweights: Any = None, aweights: Any = None, *, dtype: Any = None,
) -> Any:  # fmt: skip
    """The covariance matrix; data and `aweights` have gradients."""
    if ddof is not None and ddof != int(ddof):
        raise ValueError(
            three_part(
                f"cov: ddof is {ddof}.", "ddof must be integer.", f"Pass ddof={int(ddof)}."
            )
        )
    data = [as_array(part) for part in (m, y) if part is not None]
    for part in data:
        if np.ndim(part) > 2:
            raise ShapeError(
                three_part(
                    f"cov: the data have shape {np.shape(part)}, more than 2 dimensions.",
                    "Variables are rows and observations columns.",
                    "Pass x.reshape(len(x), -1).",
                )
            )
    if dtype is None:
        dtype = np.result_type(*(part.dtype for part in data), np.float64)
    dtype = np.dtype(dtype)
    x = _observations(data[0], rowvar, dtype, np.ndim(data[0]) != 1)
    if np.shape(x)[0] == 0:
        return np.reshape(x, (-1,))[:0].reshape(0, 0)
    if y is not None:
        second = _observations(data[1], True, dtype, False)
        turn = not rowvar and np.shape(second)[0] != 1
        x = np.concatenate([x, np.transpose(second) if turn else second], axis=0)
    ddof = (0 if bias else 1) if ddof is None else ddof
    n = np.shape(x)[1]
    often = _sample_weights("fweights", fweights, n)
    much = _sample_weights("aweights", aweights, n)
    w = often if much is None else much if often is None else often * much
    if w is None:
        mean, total = np.mean(x, axis=1, keepdims=True), None
        free: Any = n - ddof
    else:
        mean, total = np.average(x, axis=1, weights=w, returned=True, keepdims=True)
        total = np.real(total[0, 0]) if total.dtype.kind == "c" else total[0, 0]
        free = total if ddof == 0 else total - ddof * (
            1 if much is None else np.sum(w * much) / total
        )  # fmt: skip
    if is_known_to_hold(raw(free) <= 0):
        warn_here("Degrees of freedom <= 0 for slice")
        free = 0.0
    d = x - mean
    weighted = d if w is None else d * w
    turned = np.transpose(weighted)
    c = np.matmul(d, np.conjugate(turned) if dtype.kind == "c" else turned)
    c = c * np.true_divide(1, free)
    return np.squeeze(c)


@composite(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    """The correlation matrix. Clipping rounding errors to [-1, 1] does not touch the gradient."""
    c = np.cov(x, y, rowvar, dtype=dtype)
    if np.ndim(c) == 0:
        return c / c
    variances = np.diagonal(c)
    root = np.sqrt(np.real(variances) if c.dtype.kind == "c" else variances)
    c = c / root[:, None] / root[None, :]
    value = raw(c)
    clipped = np.clip(value.real, -1, 1)
    if value.dtype.kind == "c":
        clipped = clipped + 1j * np.clip(value.imag, -1, 1)
    return c + (clipped - value)


