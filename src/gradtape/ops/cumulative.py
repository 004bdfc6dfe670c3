"""Cards along an axis: running sums and products, differences, slopes, areas.

The derivative of a running product is a linear recurrence. It is solved by combining neighbours in
pairs, with multiplications and additions alone: zeros in the data need no special case, and the
rule can itself be differentiated to any order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from ..core.aval import Aval
from ..core.axes import in_dtype
from ..core.batched import as_array
from ..core.cards import composite, linear, mask_singular, primitive
from ..core.dispatch import write_out
from ..core.registry import HOOKS
from ..core.rows import has_nan
from ..core.tensor import Tensor
from ..errors import ShapeError, three_part

_NO = np._NoValue


def _signature(a: Any, axis: Any = None, dtype: Any = None) -> Any:
    if axis is not None:
        axis = normalize_axis_index(axis, max(np.ndim(a), 1))
    return (a,), {"axis": axis} if dtype is None else {"axis": axis, "dtype": np.dtype(dtype)}


def _shape(accumulate: Any) -> Any:
    def shape(x: Any, axis: Any, dtype: Any = None) -> Aval:
        dims = (x.size,) if axis is None or x.ndim == 0 else x.shape
        return Aval(dims, accumulate(np.zeros(1, x.dtype), dtype=dtype).dtype)

    return shape


def _batch(function: Any) -> Any:
    def batch(size: int, operands: Any, axes: Any, axis: Any, **params: Any) -> Any:
        x = np.moveaxis(operands[0], axes[0], 0)
        if axis is None or np.ndim(x) == 1:
            x, axis = np.reshape(x, (size, -1)), 0
        return function(x, axis=axis + 1, **params), 0

    return batch


def _line(x: Any, axis: Any) -> Any:
    """`x` with the running axis last; flattened for axis None."""
    return np.reshape(x, (-1,)) if axis is None or np.ndim(x) == 0 else np.moveaxis(x, axis, -1)


def _unline(x: Any, shape: tuple[int, ...], axis: Any) -> Any:
    """The way back of `_line`."""
    return np.reshape(x, shape) if axis is None or not shape else np.moveaxis(x, -1, axis)


# ----------------------------------------------------------------------------- running sums


def _cumsum_transpose(ct: Any, x: Any, axis: Any, dtype: Any = None) -> Any:
    backwards = np.cumsum(_line(ct, axis if x.shape else None)[..., ::-1], axis=-1)[..., ::-1]
    return in_dtype(_unline(backwards, x.shape, axis), x.dtype)


cumsum = linear(
    np.cumsum,
    signature=_signature,
    shape=_shape(np.cumsum),
    transpose=_cumsum_transpose,
    batch=_batch(np.cumsum),
)


# -------------------------------------------------------------------------- running products


def _recurrence(a: Any, r: Any, times: Any) -> Any:
    """The h along the last axis with `h[i] = r[i] + a[i] * h[i + 1]`, in linear time."""
    n = np.shape(r)[-1]
    if n <= 1:
        return r
    if n % 2:
        pad = np.zeros((*np.shape(r)[:-1], 1), r.dtype)
        a, r = np.concatenate([a, pad], axis=-1), np.concatenate([r, pad], axis=-1)
    shape = np.shape(r)
    a, r = (np.reshape(v, (*shape[:-1], shape[-1] // 2, 2)) for v in (a, r))
    sums = r[..., 0] + times(a[..., 0], r[..., 1])
    even = _recurrence(a[..., 0] * a[..., 1], sums, times)
    later = np.concatenate([even[..., 1:], np.zeros((*shape[:-1], 1), r.dtype)], axis=-1)
    odd = r[..., 1] + times(a[..., 1], later)
    h = np.reshape(np.concatenate([even[..., None], odd[..., None]], axis=-1), shape)
    return h[..., :n] if n % 2 else h


def _with_times(body: Any) -> Any:
    """`body(times)`; where that has a NaN, with a product in which 0 as its second factor wins.

    In a running product not every element meets every result of its row: one that is not finite
    has no say in the results before it.
    """
    found = body(np.multiply)
    return body(lambda a, b: mask_singular(a * b, b)) if has_nan(found) else found


def _before(x: Any) -> Any:
    """For each element the product of those before it along the last axis."""
    one = np.ones((*np.shape(x)[:-1], min(1, np.shape(x)[-1])), x.dtype)
    return np.concatenate([one, np.cumprod(x, axis=-1)[..., :-1]], axis=-1)


def _cumprod_vjp(ct: Any, _out: Any, x: Any, axis: Any, dtype: Any = None) -> Any:
    line = _line(x if dtype is None else x.astype(dtype), axis)
    if line.dtype.kind == "c":
        line = np.conjugate(line)
    # sum over k >= i of ct[k] times the product of x[i+1 .. k], by the recurrence
    follows = np.concatenate([line[..., 1:], line[..., :1]], axis=-1)
    before, ct = _before(line), _line(ct, axis)
    found = _with_times(lambda times: times(before, _recurrence(follows, ct, times)))
    return in_dtype(_unline(found, np.shape(x), axis), x.dtype)


def _cumprod_jvp(t: Any, _out: Any, x: Any, axis: Any, dtype: Any = None) -> Any:
    line = _line(x if dtype is None else x.astype(dtype), axis)
    before, t = _before(line), _line(t, axis)
    sums = _with_times(
        lambda times: _recurrence(line[..., ::-1], times(before, t)[..., ::-1], times)[..., ::-1]
    )
    return sums if axis is None else np.moveaxis(sums, -1, axis)


cumprod = primitive(
    np.cumprod,
    signature=_signature,
    vjp=_cumprod_vjp,
    jvp=_cumprod_jvp,
    shape=_shape(np.cumprod),
    batch=_batch(np.cumprod),
    keep_out=False,
)


def _replaced(a: Any, value: int) -> Any:
    a = as_array(a)
    return np.where(np.isnan(a), np.full((), value, a.dtype), a) if a.dtype.kind in "fc" else a


@composite(np.nancumsum)
def nancumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """The running sum, NaN counting 0; a NaN has gradient 0."""
    return np.cumsum(_replaced(a, 0), axis=axis, dtype=dtype, out=out)


@composite(np.nancumprod)
def nancumprod(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
    """The running product, NaN counting 1; a NaN has gradient 0."""
    return np.cumprod(_replaced(a, 1), axis=axis, dtype=dtype, out=out)


def _cumulative(function: Any, name: str, identity: int) -> Any:
    def cumulative(
        x: Any, /, *, axis: Any = None, dtype: Any = None, out: Any = None,
        include_initial: bool = False,
    ) -> Any:  # fmt: skip
        """A running sum or product by its Array-API name."""
        if np.ndim(x) > 1 and axis is None:
            raise ValueError(
                three_part(
                    f"{name}: axis is not given for an array of {np.ndim(x)} dimensions.",
                    "Only with one dimension the axis goes without saying.",
                    f"Pass it: np.{name}(x, axis=0).",
                )
            )
        axis = 0 if axis is None else axis
        result = function(x, axis=axis, dtype=dtype)
        if include_initial:
            shape = list(np.shape(result))
            shape[axis] = 1
            first = np.full(shape, identity, result.dtype)
            result = np.concatenate([first, result], axis=axis)
        return result if out is None else write_out(out, result)

    return cumulative


if hasattr(np, "cumulative_sum"):  # NumPy 2.1
    cumulative_sum = composite(np.cumulative_sum, name="cumulative_sum")(
        _cumulative(np.cumsum, "cumulative_sum", 0)
    )
    cumulative_prod = composite(np.cumulative_prod, name="cumulative_prod")(
        _cumulative(np.cumprod, "cumulative_prod", 1)
    )


# ------------------------------------------------------------------------------- differences


def _differences_transpose(ct: Any, x: Any, n: int, axis: int) -> Any:
    if x.shape[axis] <= n:
        return np.zeros(x.shape, ct.dtype)
    shape = list(x.shape)
    shape[axis] = n
    pad = np.zeros(shape, ct.dtype)
    back = np.diff(ct, n, axis=axis, prepend=pad, append=pad)
    return -back if n % 2 else back


differences = linear(
    None,
    name="differences",
    impl=lambda x, n, axis: np.diff(x, n, axis=axis),
    shape=lambda x, n, axis: Aval(
        tuple(max(m - n, 0) if i == axis else m for i, m in enumerate(x.shape)), x.dtype
    ),
    transpose=_differences_transpose,
    batch=lambda _size, operands, axes, n, axis: (
        np.diff(np.moveaxis(operands[0], axes[0], 0), n, axis=axis + 1),
        0,
    ),
)


def _end(values: Any, shape: tuple[int, ...], axis: int) -> Any:
    """What `np.diff` puts before or after: a scalar is one element everywhere."""
    values = as_array(values)
    one = tuple(1 if i == axis else m for i, m in enumerate(shape))
    return np.broadcast_to(values, one) if np.ndim(values) == 0 else values


@composite(np.diff)
def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = _NO, append: Any = _NO) -> Any:
    """The n-th difference; `prepend` and `append` have gradients too."""
    if n == 0:
        return a
    if n < 0:
        raise ValueError(
            three_part(
                f"diff: n is {n}, not non-negative.",
                "It counts how often neighbours are subtracted.",
                "Pass n=1 or more.",
            )
        )
    a = as_array(a)
    if np.ndim(a) == 0:
        raise ValueError(
            three_part(
                "diff: the array has no dimension.",
                "A difference needs neighbours.",
                "Pass an array of at least one dimension, x.reshape(-1).",
            )
        )
    axis = normalize_axis_index(axis, np.ndim(a))
    parts = [] if prepend is _NO else [_end(prepend, np.shape(a), axis)]
    parts.append(a)
    if append is not _NO:
        parts.append(_end(append, np.shape(a), axis))
    if len(parts) > 1:
        a = np.concatenate(parts, axis=axis)
    return HOOKS["op:differences"](a, n=int(n), axis=axis)


@composite(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """Differences of the flattened array, between `to_begin` and `to_end`."""
    ary = np.reshape(as_array(ary), (-1,))
    if ary.dtype == bool:
        np.ediff1d(np.zeros(2, bool))  # NumPy's refusal
    parts = [np.diff(ary)]
    for name, part, place in (("to_begin", to_begin, 0), ("to_end", to_end, 2)):
        if part is None:
            continue
        part = as_array(part)
        if not np.can_cast(part, ary.dtype, casting="same_kind"):
            raise TypeError(
                three_part(
                    f"ediff1d: {name} has dtype {part.dtype}, the array {ary.dtype}.",
                    "The result has the dtype of the array, which cannot hold it.",
                    f'Pass ary.astype("{part.dtype}").',
                )
            )
        part = np.reshape(part, (-1,))
        parts.insert(place, part if part.dtype == ary.dtype else part.astype(ary.dtype))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


# ------------------------------------------------------------------------- slopes and areas


def _spacings(f: Any, given: tuple[Any, ...], axes: tuple[int, ...]) -> list[Any]:
    """For each axis the distance of neighbours: one number, or one per interval."""
    if len(given) == 0:
        return [1.0] * len(axes)
    if len(given) == 1 and np.ndim(given[0]) == 0:
        return list(given) * len(axes)
    if len(given) != len(axes):
        raise TypeError(
            three_part(
                f"gradient: {len(given)} spacings are given for {len(axes)} axes.",
                "There is one for all axes, or one for each.",
                "Pass one number, or as many numbers or coordinate arrays as axes.",
            )
        )
    found: list[Any] = []
    for axis, distances in zip(axes, given, strict=True):
        if np.ndim(distances) == 0:
            found.append(distances)
            continue
        distances = as_array(distances)
        if np.shape(distances) != (np.shape(f)[axis],):
            raise ShapeError(
                three_part(
                    f"gradient: the coordinates of axis {axis} have shape {np.shape(distances)}, "
                    f"the samples {np.shape(f)}.",
                    "Coordinates are one number for each place along their axis.",
                    f"Pass a spacing, or an array of shape ({np.shape(f)[axis]},).",
                )
            )
        if distances.dtype.kind in "iu":
            distances = distances.astype(np.float64)
        steps = np.diff(distances)
        # NumPy takes the shorter formula for even steps; coordinates that may be asked for their
        # gradient keep the one in which each of them stands
        even = not isinstance(steps, Tensor) and bool((steps == steps[:1]).all())
        found.append(steps[0] if even and len(steps) else steps)
    return found


def _slope(f: Any, h: Any, axis: int, edge_order: int) -> Any:
    """Central differences inside, one-sided ones of the given order at both ends, along `axis`.

    For uneven steps the weights are those of the parabola through three neighbours (A. Quarteroni,
    R. Sacco, F. Saleri, Numerical Mathematics, section 10.10, which NumPy cites).
    """
    ndim, n = np.ndim(f), np.shape(f)[axis]

    def part(start: int, stop: int) -> Any:
        return f[(slice(None),) * axis + (slice(start, stop),)]

    def column(weights: Any) -> Any:
        return np.reshape(weights, (-1,) + (1,) * (ndim - 1 - axis))

    even = np.ndim(h) == 0
    if even:
        inside = (part(2, n) - part(0, n - 2)) / (2.0 * h)
    else:
        p, q = h[:-1], h[1:]
        inside = (
            column(-q / (p * (p + q))) * part(0, n - 2)
            + column((q - p) / (p * q)) * part(1, n - 1)
            + column(p / (q * (p + q))) * part(2, n)
        )
    if edge_order == 1:
        first = (part(1, 2) - part(0, 1)) / (h if even else h[0])
        last = (part(n - 1, n) - part(n - 2, n - 1)) / (h if even else h[-1])
        return np.concatenate([first, inside, last], axis=axis)
    p, q = (h, h) if even else (h[0], h[1])
    first = (
        -(2.0 * p + q) / (p * (p + q)) * part(0, 1)
        + (p + q) / (p * q) * part(1, 2)
        - p / (q * (p + q)) * part(2, 3)
    )
    p, q = (h, h) if even else (h[-2], h[-1])
    last = (
        q / (p * (p + q)) * part(n - 3, n - 2)
        - (q + p) / (p * q) * part(n - 2, n - 1)
        + (2.0 * q + p) / (q * (p + q)) * part(n - 1, n)
    )
    return np.concatenate([first, inside, last], axis=axis)


@composite(np.gradient)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """Slopes of samples; the samples, the spacings and the coordinates have gradients."""
    f = as_array(f)
    if f.dtype == bool:
        np.gradient(np.zeros(3, bool))  # NumPy's refusal
    axes = tuple(range(np.ndim(f))) if axis is None else normalize_axis_tuple(axis, np.ndim(f))
    spacings = _spacings(f, varargs, axes)
    if edge_order > 2:
        raise ValueError(
            three_part(
                f"gradient: edge_order is {edge_order}.",
                "One-sided differences are of order 1 or 2.",
                "Pass edge_order=2.",
            )
        )
    dtype = f.dtype
    if dtype.kind not in "fc":
        f, dtype = f.astype(np.float64), np.dtype(np.float64)
    found = []
    for place, h in zip(axes, spacings, strict=True):
        if np.shape(f)[place] < edge_order + 1:
            raise ShapeError(
                three_part(
                    f"gradient: axis {place} has {np.shape(f)[place]} samples.",
                    f"With edge_order={edge_order} a slope needs {edge_order + 1}.",
                    "Pass more samples, or name the other axes by axis=.",
                )
            )
        slope = _slope(f, h, place, edge_order)
        found.append(slope if slope.dtype == dtype else slope.astype(dtype))
    return found[0] if len(axes) == 1 else tuple(found)


@composite(np.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """The area under samples by trapezoids; samples and coordinates have gradients."""
    y = as_array(y)
    place = normalize_axis_index(axis, np.ndim(y))
    if x is None:
        d = dx
    else:
        x = as_array(x)
        if np.ndim(x) == 1:
            d = np.reshape(np.diff(x), (-1,) + (1,) * (np.ndim(y) - 1 - place))
        else:
            d = np.diff(x, axis=axis)
    before = (slice(None),) * place
    pairs = y[(*before, slice(1, None))] + y[(*before, slice(None, -1))]
    return np.sum(d * pairs / 2.0, axis=axis)  # axis as it was given: x may have more of them


