"""Cards of bincount and the histograms: counts have no derivative, weighted ones are linear.

The data choose a bin, in jumps; the weights are added up in it. So a histogram has a gradient in
its weights, with the bins taken as fixed, and none in its data.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.axes import in_dtype
from ..core.batched import as_array
from ..core.cards import composite, linear, nondifferentiable
from ..core.registry import HOOKS
from ..core.tensor import Tensor, raw
from ..errors import DTypeError, three_part

for _name, _function in (
    ("counts of bincount", np.bincount),
    ("counts of histogram", np.histogram),
    ("counts of histogram2d", np.histogram2d),
    ("counts of histogramdd", np.histogramdd),
    ("edges of histogram", np.histogram_bin_edges),
):
    nondifferentiable(
        _function,
        "a histogram counts elements in bins, and counts change in jumps; "
        "its gradient in weights= exists.",
        name=_name,
    )


# --------------------------------------------------------------------------- weighted counts


def _add_up(weights: Any, places: Any, length: int) -> Any:
    return np.bincount(places, weights, length)


def _batch(size: int, operands: Any, axes: Any, places: Any, length: int) -> Any:
    """One count over bins numbered on from one row of the batch to the next."""
    weights = np.moveaxis(operands[0], axes[0], 0)
    rows = places + length * np.arange(size)[:, None]
    found = np.bincount(rows.reshape(-1), weights.reshape(-1), length * size)
    return found.reshape(size, length), 0


def _transpose(ct: Any, weights: Any, places: Any, length: int) -> Any:
    return in_dtype(ct[places], weights.dtype)


weighted_counts = linear(
    None,
    name="weighted_counts",
    impl=_add_up,
    shape=lambda _weights, places, length: Aval((length,), np.float64),
    transpose=_transpose,
    batch=_batch,
)


def _sums(places: Any, weights: Any, length: int) -> Any:
    """The sum of the weights (a Tensor) at each of `length` places."""
    if weights.dtype.kind == "c":
        parts = (_sums(places, part(weights), length) for part in (np.real, np.imag))
        return operator.add(next(parts), next(parts) * 1j)
    return HOOKS["op:weighted_counts"](weights, places=places, length=length)


@composite(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: Any = 0) -> Any:
    """Sums of weights by place, linear in the weights; plain counts have no gradient."""
    if not isinstance(weights, Tensor):
        return HOOKS["op:counts of bincount"](x, weights, minlength)
    if weights.dtype.kind == "c":
        raise DTypeError(
            three_part(
                f"bincount: the weights are {weights.dtype}.",
                "NumPy adds real weights only.",
                "Pass w.real and w.imag apart.",
            )
        )
    places = np.array(raw(x))
    np.bincount(places, raw(weights), minlength)  # raises for what NumPy refuses
    length = max(int(places.max()) + 1 if places.size else 0, int(minlength))
    return _sums(places, weights, length)


# -------------------------------------------------------------------------------- histograms


def _bin(values: Any, edges: Any) -> tuple[Any, Any]:
    """The bin of each value, and which values are in one; the last bin includes its end."""
    place = np.searchsorted(edges, values, side="right") - 1
    place = np.where(values == edges[-1], len(edges) - 2, place)
    return place, (values >= edges[0]) & (values <= edges[-1])


@composite(np.histogram)
def histogram(
    a: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> Any:
    """Weighted sums by bin, linear in the weights; plain counts have no gradient."""
    if not isinstance(weights, Tensor):
        return HOOKS["op:counts of histogram"](a, bins, range, density, weights)
    values = np.asarray(raw(a))
    np.histogram(values, raw(bins), range, weights=raw(weights))  # raises for what NumPy refuses
    edges = np.histogram_bin_edges(values, raw(bins), range, weights=raw(weights))
    place, inside = _bin(values.reshape(-1), edges)
    found = _sums(place[inside], np.reshape(weights, (-1,))[inside], len(edges) - 1)
    if found.dtype != weights.dtype:
        found = found.astype(weights.dtype)
    if density:
        found = found / np.diff(edges) / np.sum(found)
    return found, edges


@composite(np.histogramdd)
def histogramdd(
    sample: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> Any:
    """Weighted sums by cell, linear in the weights; plain counts have no gradient."""
    if not isinstance(weights, Tensor):
        return HOOKS["op:counts of histogramdd"](sample, bins, range, density, weights)
    points = as_array(sample)
    points = np.asarray(raw(points)) if hasattr(sample, "shape") else np.asarray(raw(points)).T
    points = points.reshape(len(points), -1)
    _, edges = np.histogramdd(points, bins, range, weights=raw(weights))
    places, inside = [], np.ones(len(points), bool)
    for column, edge in zip(points.T, edges, strict=True):
        place, within = _bin(column, edge)
        places.append(place)
        inside &= within
    shape = tuple(len(edge) - 1 for edge in edges)
    flat = np.ravel_multi_index([place[inside] for place in places], shape)
    found = _sums(flat, weights[inside], int(np.prod(shape)))
    found = np.reshape(found, shape)
    if density:
        volume = np.diff(edges[0])
        for edge in edges[1:]:
            volume = np.multiply.outer(volume, np.diff(edge))
        found = found / volume / np.sum(found)
    return found, edges


@composite(np.histogram2d)
def histogram2d(
    x: Any, y: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> Any:
    """Weighted sums by cell, linear in the weights; plain counts have no gradient."""
    if not isinstance(weights, Tensor):
        return HOOKS["op:counts of histogram2d"](x, y, bins, range, density, weights)
    if hasattr(bins, "__len__") and len(bins) not in (1, 2):
        bins = [np.asarray(bins), np.asarray(bins)]
    found, (first, second) = np.histogramdd(
        [np.asarray(raw(x)), np.asarray(raw(y))], bins, range, density, weights
    )
    return found, first, second
