"""Medians, quantiles and percentiles, as combinations of order statistics.

Whatever the method, a quantile is `lower + gamma * (upper - lower)` with two order statistics and a
number gamma that does not depend on the data: so all methods are differentiable in the data, and
those that interpolate also in q. Elements that tie at an order statistic share its gradient evenly,
as ties of max do (quantile 1 is the maximum). A NaN that makes the result NaN gets the gradient.

Source of the methods: R. J. Hyndman and Y. Fan, Sample Quantiles in Statistical Packages,
The American Statistician 50 (1996), and the documentation of `numpy.quantile`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.axes import reduced_shape, rows
from ..core.batched import as_array
from ..core.cards import Card, composite, nondifferentiable, primitive
from ..core.dispatch import apply, write_out
from ..core.notices import warn_here
from ..core.pythons import is_weak
from ..core.registry import HOOKS
from ..core.symbol import is_known_to_hold, may_hold
from ..core.tensor import Tensor, raw
from ..errors import DTypeError, ShapeError, three_part

_NO = np._NoValue
# A number q takes the dtype of the array; before NumPy 2.4 a float64 scalar is one too, as a
# quantile but not as a percentile.
_OLD = tuple(map(int, np.__version__.split(".")[:2])) < (2, 4)
_NUMBERS = (int, float)
_WEAK: tuple[type, ...] = (int, float, np.float64) if _OLD else _NUMBERS


# ------------------------------------------------------------------------- order statistics
# All along the last axis: x (..., n), kth (..., m) or (m,), picked and shared (..., m).


def _pick(x: Any, kth: Any, skip_nan: bool) -> Any:
    """The elements with rank `kth`; NaN if there is a NaN, unless it is to be skipped."""
    if kth.ndim == 1:
        ordered = np.partition(x, np.unique(np.append(kth, x.shape[-1] - 1)), axis=-1)
        picked = ordered[..., kth]
    else:
        ordered = np.sort(x, axis=-1)  # NaN last
        picked = np.take_along_axis(
            ordered, np.broadcast_to(kth, (*x.shape[:-1], kth.shape[-1])), axis=-1
        )
    last = ordered[..., -1:]
    if not skip_nan and x.dtype.kind in "fc" and may_hold(np.isnan(last)):
        picked = np.where(np.isnan(last), last, picked)
    return picked


def _ties(x: Any, value: Any, skip_nan: bool) -> tuple[Any, Any]:
    """Which elements equal `value` (..., 1), and how many, at least 1."""
    tied = x == value
    if not skip_nan and may_hold(np.isnan(value)):
        tied |= np.isnan(x) & np.isnan(value)
    return tied, np.maximum(tied.sum(axis=-1, keepdims=True), 1)


def _share(ct: Any, x: Any, picked: Any, skip_nan: bool) -> Any:
    """Each cotangent divided among the elements that equal what was picked."""
    lead = np.broadcast_shapes(ct.shape[:-1], x.shape[:-1])
    found = np.zeros((*lead, x.shape[-1]), ct.dtype)
    for j in range(picked.shape[-1]):
        tied, count = _ties(x, picked[..., j : j + 1], skip_nan)
        part = ct[..., j : j + 1] / count.astype(ct.dtype)
        np.add(found, part, out=found, where=tied)
    return found


def _gather(t: Any, x: Any, picked: Any, skip_nan: bool) -> Any:
    """The transpose of `_share`: the mean of `t` over the elements that equal what was picked."""
    lead = np.broadcast_shapes(t.shape[:-1], x.shape[:-1])
    found = np.empty((*lead, picked.shape[-1]), t.dtype)
    for j in range(picked.shape[-1]):
        tied, count = _ties(x, picked[..., j : j + 1], skip_nan)
        total = np.sum(np.where(tied, t, np.zeros((), t.dtype)), axis=-1)
        found[..., j] = total / count[..., 0].astype(t.dtype)
    return found


def _call(card: Card, t: Any, x: Any, picked: Any, skip_nan: bool) -> Any:
    if any(isinstance(v, Tensor) for v in (t, x, picked)):
        return apply(card, (t, x, picked), {"skip_nan": skip_nan})
    return card.impl(t, x, picked, skip_nan)


def _front(x: Any, axis: Any) -> Any:
    """The batch of `x` in front; all operands of these cards have as many axes."""
    return x if axis is None else np.moveaxis(x, axis, 0)


def _linear_in_first(name: str, impl: Any, back: Any) -> Card:
    """A card that is linear in its first operand; the others only say where the ties are."""

    def vjp(i: int, ct: Any, _out: Any, _t: Any, x: Any, picked: Any, skip_nan: bool) -> Any:
        return _call(back(), ct, x, picked, skip_nan) if i == 0 else None

    def jvp(i: int, t: Any, out: Any, _t: Any, x: Any, picked: Any, skip_nan: bool) -> Any:
        return _call(card, t, x, picked, skip_nan) if i == 0 else np.zeros_like(out)

    def shape(t: Any, x: Any, picked: Any, skip_nan: bool) -> Aval:
        last = x.shape[-1] if name == "share_ties" else picked.shape[-1]
        return Aval((*x.shape[:-1], last), t.dtype)

    def batch(size: int, operands: Any, axes: Any, skip_nan: bool) -> Any:
        moved = [_front(v, b) for v, b in zip(operands, axes, strict=True)]
        lead = np.broadcast_shapes(*(v.shape[:-1] for v in moved))
        t = np.broadcast_to(moved[0], (*lead, moved[0].shape[-1]))
        return impl(t, *moved[1:], skip_nan), 0

    card = primitive(
        None, name=name, impl=impl, arity=3, vjp=vjp, jvp=jvp, shape=shape, batch=batch,
        keep=(1, 2), keep_out=False, drops=True,
    )  # fmt: skip
    return card


share_ties: Card = _linear_in_first("share_ties", _share, lambda: gather_ties)
gather_ties: Card = _linear_in_first("gather_ties", _gather, lambda: share_ties)


def _batch_pick(size: int, operands: Any, axes: Any, skip_nan: bool) -> Any:
    (x, kth), (b, c) = operands, axes
    x, kth = _front(x, b), _front(kth, c)
    if b is None:
        x = np.broadcast_to(x, (size, *x.shape))
    if c is not None and kth.ndim < x.ndim:  # one row of places for all rows
        kth = np.reshape(kth, (size, *(1,) * (x.ndim - 2), kth.shape[-1]))
    return _pick(x, kth, skip_nan), 0


order_statistics = primitive(
    None,
    name="order_statistics",
    impl=_pick,
    arity=2,
    vjp=(lambda ct, out, x, _kth, skip_nan: _call(share_ties, ct, x, out, skip_nan), None),
    jvp=(lambda t, out, x, _kth, skip_nan: _call(gather_ties, t, x, out, skip_nan), None),
    shape=lambda x, kth, skip_nan: Aval((*x.shape[:-1], kth.shape[-1]), x.dtype),
    batch=_batch_pick,
    keep=(0,),
    drops=True,
)


def _pick_weighted(x: Any, weights: Any, q: Any) -> Any:
    """The elements at which the running weight reaches q of the whole."""
    found = np.quantile(
        x, q, axis=-1, weights=np.broadcast_to(weights, x.shape), method="inverted_cdf"
    )
    return np.moveaxis(found, 0, -1)


def _batch_weighted(size: int, operands: Any, axes: Any, q: Any) -> Any:
    x, weights = (_front(v, b) for v, b in zip(operands, axes, strict=True))
    x = np.broadcast_to(x, np.broadcast_shapes(x.shape, weights.shape))
    return _pick_weighted(x, weights, q), 0


weighted_quantile = primitive(
    None,
    name="weighted_quantile",
    impl=_pick_weighted,
    arity=2,
    vjp=(lambda ct, out, x, _w, q: _call(share_ties, ct, x, out, False), None),
    jvp=(lambda t, out, x, _w, q: _call(gather_ties, t, x, out, False), None),
    shape=lambda x, _w, q: Aval((*x.shape[:-1], q.size), x.dtype),
    batch=_batch_weighted,
    keep=(0,),
)


# ---------------------------------------------------------------------------------- methods
# The place of quantile q among n sorted elements, counted from 0. Interpolating methods are
# n q + alpha + q (1 - alpha - beta) - 1; the others round it, so that it has no derivative in q.

_INTERPOLATING = {
    "linear": None,  # (n - 1) q, without the rounding of the general formula at alpha = beta = 1
    "interpolated_inverted_cdf": (0.0, 1.0),
    "hazen": (0.5, 0.5),
    "weibull": (0.0, 0.0),
    "median_unbiased": (1 / 3.0, 1 / 3.0),
    "normal_unbiased": (3 / 8.0, 3 / 8.0),
}


def _at_or_after(place: Any, stays: Any) -> Any:
    """The element at the floor of `place` where it stays there, else the next one."""
    return np.maximum(np.where(stays, np.floor(place), np.floor(place) + 1), 0)


def _closest(n: Any, q: Any) -> Any:
    place = n * q - 1.5
    floor = np.floor(place)
    return _at_or_after(place, (place == floor) & (floor % 2 == 1))


def _averaged(n: Any, q: Any) -> Any:
    place = n * q - 1
    floor = np.floor(place)
    return np.where(place == floor, floor + 0.5, floor + 1)


_ROUNDING: dict[str, Callable[[Any, Any], Any]] = {
    "inverted_cdf": lambda n, q: _at_or_after(n * q - 1, n * q - 1 == np.floor(n * q - 1)),
    "averaged_inverted_cdf": _averaged,
    "closest_observation": _closest,
    "lower": lambda n, q: np.floor((n - 1) * q),
    "higher": lambda n, q: np.ceil((n - 1) * q),
    "midpoint": lambda n, q: 0.5 * (np.floor((n - 1) * q) + np.ceil((n - 1) * q)),
    "nearest": lambda n, q: np.rint((n - 1) * q),
}
_AVERAGING = ("averaged_inverted_cdf", "midpoint")  # they may take the middle of two elements

nondifferentiable(
    None,
    "this method of a quantile takes one of the elements or the middle of two, "
    "and changes in jumps with q; method='linear' interpolates.",
    name="quantile's q",
    impl=lambda index, _q: index,
)
nondifferentiable(
    None,
    "a weighted quantile takes one of the elements, and changes in jumps with the weights.",
    name="quantile's weights",
    impl=lambda weights: weights,
)


def _places(name: str, method: str, n: Any, q: Any) -> Any:
    """The place of each quantile: a Tensor where it depends on a q that is one."""
    if method in _INTERPOLATING:
        shift = _INTERPOLATING[method]
        if shift is None:
            return (n - 1) * q
        alpha, beta = shift
        return n * q + (alpha + q * (1 - alpha - beta)) - 1
    if method in _ROUNDING:
        return _ROUNDING[method](n, raw(q))
    raise ValueError(
        three_part(
            f"{name}: {method!r} is not a valid method.",
            f"The methods are {', '.join((*_INTERPOLATING, *_ROUNDING))}.",
            f'Pass np.{name}(a, q, method="linear").',
        )
    )


# -------------------------------------------------------------------------------- quantiles


def _shaped(picked: Any, q_shape: tuple[int, ...], shape: tuple[int, ...], axis: Any,
            keepdims: bool) -> Any:  # fmt: skip
    """Quantiles (..., m) as NumPy returns them: the axes of q first."""
    rest = reduced_shape(shape, axis, keepdims)
    picked = np.moveaxis(picked, -1, 0) if np.ndim(picked) > 1 else picked
    return np.reshape(picked, (*q_shape, *rest))


def _check_axis(a: Any, axis: Any) -> None:
    """Refuse axes that do not exist, those of a scalar too, over which other reductions go."""
    if axis is not None:
        np.lib.array_utils.normalize_axis_tuple(axis, np.ndim(a))


def _is_unknown(q: Any) -> bool:
    """Whether `q` is a Python number that is not known while tracing."""
    return isinstance(q, Tensor) and is_weak(q) and q.dtype != bool


def _quantile(
    name: str, a: Any, q: Any, axis: Any, out: Any, method: str, keepdims: Any, weights: Any,
    skip_nan: bool,
) -> Any:  # fmt: skip
    weak = _NUMBERS if "percentile" in name else _WEAK
    a, is_number, q = as_array(a), type(q) in weak or _is_unknown(q), as_array(q)
    keepdims = keepdims is not _NO and bool(keepdims)
    _check_axis(a, axis)
    if a.dtype.kind == "c":
        raise DTypeError(
            three_part(
                f"{name}: the array is {a.dtype}.",
                "A quantile takes a must be an array of real numbers: complex ones have no order.",
                "Pass np.abs(a), a.real or a.imag.",
            )
        )
    q_shape, values = np.shape(q), raw(q)
    if is_known_to_hold(~((values >= 0) & (values <= 1))):
        percent = "percentile" in name
        raise ValueError(
            three_part(
                f"{name}: q is {values * (100 if percent else 1)}.",
                f"{'Percentiles' if percent else 'Quantiles'} must be in the range "
                f"{'[0, 100]' if percent else '[0, 1]'}.",
                "Pass np.clip(q, 0, 100)." if percent else "Pass np.clip(q, 0, 1).",
            )
        )
    if np.size(a) == 0 and skip_nan:
        if weights is not None and np.shape(weights) != np.shape(a):
            np.nanquantile(np.empty(np.shape(a)), values, axis, weights=raw(weights),
                           method="inverted_cdf")  # NumPy's refusals  # fmt: skip
        return np.nanmean(a, axis=axis, out=out, keepdims=keepdims)
    if weights is not None:
        result = _weighted(name, a, q, axis, method, weights, skip_nan)
    else:
        x, _ = rows(a, axis)
        if np.shape(x)[-1] == 0:
            raise IndexError(
                three_part(
                    f"{name}: there is nothing along axis {axis} of shape {np.shape(a)}.",
                    "A quantile is taken of at least one element.",
                    "Pass more elements, or another axis.",
                )
            )
        result = _interpolated(name, x, np.reshape(q, (-1,)), method, is_number, skip_nan)
    result = _shaped(result, q_shape, np.shape(a), axis, keepdims)
    return result if out is None else write_out(out, result, "unsafe" if skip_nan else "same_kind")


def _counts(x: Any) -> Any:
    """How many elements of each row are not NaN, (..., 1); warns of rows without any."""
    n = np.sum(~np.isnan(raw(x)), axis=-1, keepdims=True)
    if is_known_to_hold(n == 0):
        warn_here("All-NaN slice encountered")
    return np.maximum(n, 1)


def _interpolated(name: str, x: Any, q: Any, method: str, is_weak: bool, skip_nan: bool) -> Any:
    """Quantiles (..., m) of rows (..., n)."""
    n: Any = np.shape(x)[-1]
    if skip_nan and x.dtype.kind == "f":
        n = _counts(x)
        n = n.astype(q.dtype) if q.dtype.kind == "f" else n  # a float32 q decides, as in NumPy
    place = _places(name, method, n, q)
    value = raw(place)
    lower = np.floor(np.clip(value, 0, n - 1)).astype(np.intp)
    if method in _ROUNDING and method not in _AVERAGING:
        return _ordered(x, lower, q, skip_nan)
    if method == "linear" and value.dtype.kind in "iu" and not isinstance(q, Tensor):
        return _ordered(x, lower, None, skip_nan)
    if isinstance(q, Tensor):  # the slope at the upper end of q is the one from the left
        lower = np.where((value == n - 1) & (lower > 0), lower - 1, lower)
    upper = np.where(value < 0, lower, np.minimum(lower + 1, n - 1)).astype(np.intp)
    m = lower.shape[-1]
    both = np.concatenate([lower, upper], axis=-1)
    both = _ordered(x, both, q if method in _ROUNDING else None, skip_nan)
    low, high = both[..., :m], both[..., m:]
    # outside the sample both elements are the same, whatever gamma is: the quantile stands still
    gamma = place - np.where(lower == upper, value, lower).astype(value.dtype)
    if is_weak and gamma.dtype != low.dtype and low.dtype.kind == "f":
        gamma = gamma.astype(low.dtype)
    return low + (high - low) * gamma


def _ordered(x: Any, kth: Any, q: Any, skip_nan: bool) -> Any:
    """Order statistics; a Tensor `q` that chose them leaves its reason in the result."""
    if isinstance(q, Tensor):
        kth = HOOKS["op:quantile's q"](kth, q)
    return apply(order_statistics, (x, kth), {"skip_nan": skip_nan})


def _weighted(
    name: str, a: Any, q: Any, axis: Any, method: str, weights: Any, skip_nan: bool
) -> Any:
    if method != "inverted_cdf":
        raise ValueError(
            three_part(
                f"{name}: weights are given with method {method!r}.",
                "Only method 'inverted_cdf' supports weights.",
                f'Pass np.{name}(a, q, weights=w, method="inverted_cdf").',
            )
        )
    weights = as_array(weights)
    if isinstance(weights, Tensor):
        weights = HOOKS["op:quantile's weights"](weights)
    shape = np.shape(a)
    if np.shape(weights) != shape:
        axes = () if axis is None else np.lib.array_utils.normalize_axis_tuple(axis, len(shape))
        if axis is None:
            raise TypeError(
                three_part(
                    f"{name}: the array has shape {shape}, the weights {np.shape(weights)}.",
                    "Without axis= there is one weight for each element.",
                    f"Pass the axis of the weights: np.{name}(a, q, axis=0, weights=w).",
                )
            )
        if np.shape(weights) != tuple(shape[i] for i in axes):
            raise ShapeError(
                three_part(
                    f"{name}: the weights have shape {np.shape(weights)}, the array {shape}.",
                    f"Along axis {axis} there are {tuple(shape[i] for i in axes)} elements.",
                    "Pass one weight for each element of these axes.",
                )
            )
        weights = np.transpose(weights, tuple(int(i) for i in np.argsort(axes)))
        weights = np.reshape(weights, tuple(m if i in axes else 1 for i, m in enumerate(shape)))
    if is_known_to_hold(raw(weights) < 0):
        raise ValueError(
            three_part(
                f"{name}: a weight is {np.min(raw(weights))}.",
                "Weights must be non-negative.",
                "Pass np.maximum(w, 0).",
            )
        )
    (x, _), (w, _) = rows(a, axis), rows(weights, axis)
    if skip_nan and x.dtype.kind == "f":
        _counts(x)
        # a NaN weighs nothing, and is put where it is never reached; rows of NaN stay
        missing = np.isnan(raw(x))
        missing &= ~missing.all(axis=-1, keepdims=True)
        w = np.where(missing, np.zeros((), w.dtype), w)
        x = np.where(missing, np.full((), np.inf, x.dtype), x)
    if isinstance(q, Tensor):
        w = HOOKS["op:quantile's q"](w, q)
    return apply(weighted_quantile, (x, w), {"q": np.reshape(raw(q), -1)})


@composite(np.quantile)
def quantile(
    a: Any, q: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False,
    method: str = "linear", keepdims: Any = False, *, weights: Any = None,
    interpolation: Any = None,
) -> Any:  # fmt: skip
    """Quantiles by any method; the interpolating ones have a gradient in q too."""
    return _quantile(
        "quantile", a, q, axis, out, interpolation or method, keepdims, weights, False
    )


@composite(np.percentile)
def percentile(
    a: Any, q: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False,
    method: str = "linear", keepdims: Any = False, *, weights: Any = None,
    interpolation: Any = None,
) -> Any:  # fmt: skip
    """Percentiles by any method; the interpolating ones have a gradient in q too."""
    q = _hundredth(q)
    return _quantile(
        "percentile", a, q, axis, out, interpolation or method, keepdims, weights, False
    )


@composite(np.nanquantile)
def nanquantile(
    a: Any, q: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False,
    method: str = "linear", keepdims: Any = _NO, *, weights: Any = None,
    interpolation: Any = None,
) -> Any:  # fmt: skip
    """Quantiles of what is not NaN; a NaN has gradient 0.

    The axes of q come first, as documented for NumPy; NumPy 2.4 itself misplaces them for a q of
    several dimensions with a tuple of axes, and fails on weights of one dimension.
    """
    return _quantile(
        "nanquantile", a, q, axis, out, interpolation or method, keepdims, weights, True
    )


@composite(np.nanpercentile)
def nanpercentile(
    a: Any, q: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False,
    method: str = "linear", keepdims: Any = _NO, *, weights: Any = None,
    interpolation: Any = None,
) -> Any:  # fmt: skip
    """Percentiles of what is not NaN; a NaN has gradient 0."""
    q = _hundredth(q)
    return _quantile(
        "nanpercentile", a, q, axis, out, interpolation or method, keepdims, weights, True
    )


def _hundredth(q: Any) -> Any:
    is_number = type(q) in (int, float) or _is_unknown(q)
    return q / 100 if is_number else np.true_divide(as_array(q), 100)


# ----------------------------------------------------------------------------------- medians


def _median(a: Any, axis: Any, out: Any, keepdims: Any, skip_nan: bool) -> Any:
    a = as_array(a)
    keepdims = keepdims is not _NO and bool(keepdims)
    _check_axis(a, axis)
    x, _ = rows(a, axis)
    n = np.shape(x)[-1]
    if n == 0 or np.size(a) == 0:
        mean = np.nanmean if skip_nan else np.mean
        return mean(a, axis=axis, out=out, keepdims=keepdims)
    if skip_nan and x.dtype.kind in "fc":
        count = _counts(x)
        kth = np.concatenate([(count - 1) // 2, count // 2], axis=-1)
    else:
        kth = np.array([n // 2] if n % 2 else [n // 2 - 1, n // 2])
    middle = np.mean(apply(order_statistics, (x, kth), {"skip_nan": skip_nan}), axis=-1)
    result = np.reshape(middle, reduced_shape(np.shape(a), axis, keepdims))
    return result if out is None else write_out(out, result, "unsafe")


@composite(np.median)
def median(
    a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False,
    keepdims: bool = False,
) -> Any:  # fmt: skip
    """The middle element, or the mean of the two middle ones."""
    return _median(a, axis, out, keepdims, False)


@composite(np.nanmedian)
def nanmedian(
    a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False,
    keepdims: Any = _NO,
) -> Any:  # fmt: skip
    """The median of what is not NaN; a NaN has gradient 0."""
    return _median(a, axis, out, keepdims, True)
