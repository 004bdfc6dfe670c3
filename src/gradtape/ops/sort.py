"""Order and sets: sort, partition, unique, and functions that give positions.

A sorted array is its elements read at the positions that argsort gives; equal elements keep their
order. Of equal elements, `unique` and the set operations take the first one, and so the gradient
goes to it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.batched import as_array
from ..core.cards import composite, nondifferentiable
from ..core.dispatch import nondifferentiable_call
from ..core.registry import FUNCTIONS
from ..core.tensor import raw

_INDICES: tuple[Any, ...] = (
    np.argsort, np.argpartition, np.searchsorted, np.digitize, np.nonzero, np.flatnonzero,
    np.argwhere, np.lexsort, np.unravel_index, np.ravel_multi_index, np.ix_,
)  # fmt: skip
for _function in _INDICES:
    nondifferentiable(_function, f"{_function.__name__} gives positions, which change in jumps.")
nondifferentiable(np.isin, "isin gives booleans, which change in jumps.")
if hasattr(np, "in1d"):  # gone from NumPy 2.4
    nondifferentiable(getattr(np, "in1d"), "in1d gives booleans, which change in jumps.")  # noqa: B009


def _shape_query(function: Any) -> None:
    """A function that looks at the shape of an array alone."""
    FUNCTIONS[function] = lambda arr, *args, **kwargs: function(raw(arr), *args, **kwargs)


for _function in (np.diag_indices_from, np.tril_indices_from, np.triu_indices_from):
    _shape_query(_function)


# ------------------------------------------------------------------------------------- sort


def _lines(a: Any, axis: Any) -> tuple[Any, int]:
    """(a, axis) with `axis=None` as the only axis of the flattened array."""
    a = as_array(a)
    if axis is None:
        return np.reshape(a, (-1,)), 0
    return a, np.lib.array_utils.normalize_axis_index(axis, a.ndim)


_NOTHING = np.zeros(1)


@composite(np.sort)
def sort(
    a: Any, axis: Any = -1, kind: Any = None, order: Any = None, *, stable: Any = None,
    **options: Any,
) -> Any:  # fmt: skip
    """`np.sort`; equal elements keep their order, whatever `kind` is.

    The one more option is `descending`, since NumPy 2.5.
    """
    a, axis = _lines(a, axis)
    if options or (kind, order, stable) != (None, None, None):  # NumPy refuses what is none
        np.sort(_NOTHING, kind=kind, order=order, stable=stable, **options)
    return np.take_along_axis(a, np.argsort(raw(a), axis, stable=True, **options), axis)


@composite(np.partition)
def partition(
    a: Any, kth: Any, axis: Any = -1, kind: str = "introselect", order: Any = None
) -> Any:
    """`np.partition`: the order within each part is NumPy's."""
    a, axis = _lines(a, axis)
    if kind != "introselect" or order is not None:
        np.partition(_NOTHING, 0, kind=kind, order=order)  # type: ignore[call-overload]
    values = raw(a)
    done = np.partition(values, raw(kth), axis)
    # the element of rank r stands where the result has rank r
    ranks = np.argsort(np.argsort(done, axis, kind="stable"), axis, kind="stable")
    index = np.take_along_axis(np.argsort(values, axis, kind="stable"), ranks, axis)
    return np.take_along_axis(a, index, axis)


@composite(np.sort_complex)
def sort_complex(a: Any) -> Any:
    """`np.sort_complex`: by the real part, then by the imaginary one."""
    a = as_array(a)
    dtype = np.sort_complex(np.zeros(1, a.dtype)).dtype
    return np.sort(a).astype(dtype)


# ----------------------------------------------------------------------------------- unique


def _at(a: Any, index: Any, axis: Any = None) -> Any:
    return np.take(a, index, axis=axis)


@composite(np.unique)
def unique(
    ar: Any, return_index: bool = False, return_inverse: bool = False,
    return_counts: bool = False, axis: Any = None, **options: Any,
) -> Any:  # fmt: skip
    """`np.unique`: the gradient of a value that occurs several times goes to its first place."""
    ar = as_array(ar)
    ask = nondifferentiable_call(
        "unique (positions and counts)", lambda x: np.unique(x, True, True, True, axis, **options)
    )
    _, index, inverse, counts = ask(ar)
    values = _at(ar, index, axis)
    extra = [
        item
        for item, wanted in (
            (index, return_index), (inverse, return_inverse), (counts, return_counts)
        )
        if wanted
    ]  # fmt: skip
    return (values, *extra) if extra else values


_Result: Any = {name: type(getattr(np, name)(np.zeros(1))) for name in (
    "unique_all", "unique_counts", "unique_inverse"
)}  # fmt: skip
_OPTIONS: dict[str, Any] = {"equal_nan": False}


@composite(np.unique_values)
def unique_values(x: Any, /) -> Any:
    """`np.unique_values`, in NumPy's order."""
    x = as_array(x)
    found = np.unique_values(raw(x))
    values, index = np.unique(raw(x), return_index=True, equal_nan=False)
    # some versions of NumPy do not sort these
    return _at(
        x, index[np.searchsorted(values, found)] if not np.array_equal(values, found) else index
    )


@composite(np.unique_all)
def unique_all(x: Any, /) -> Any:
    """`np.unique_all`."""
    return _Result["unique_all"](*np.unique(as_array(x), True, True, True, **_OPTIONS))


@composite(np.unique_counts)
def unique_counts(x: Any, /) -> Any:
    """`np.unique_counts`."""
    return _Result["unique_counts"](*np.unique(as_array(x), return_counts=True, **_OPTIONS))


@composite(np.unique_inverse)
def unique_inverse(x: Any, /) -> Any:
    """`np.unique_inverse`."""
    return _Result["unique_inverse"](*np.unique(as_array(x), return_inverse=True, **_OPTIONS))


# ------------------------------------------------------------------------------------- sets


def _flat(x: Any) -> Any:
    return np.reshape(as_array(x), (-1,))


@composite(np.union1d)
def union1d(ar1: Any, ar2: Any) -> Any:
    """`np.union1d`: of equal elements that of `ar1` is taken."""
    return np.unique(np.concatenate((_flat(ar1), _flat(ar2))))


@composite(np.intersect1d)
def intersect1d(
    ar1: Any, ar2: Any, assume_unique: bool = False, return_indices: bool = False
) -> Any:
    """`np.intersect1d`: the elements are those of `ar1`."""
    first = _flat(ar1)
    ask = nondifferentiable_call("intersect1d (positions)", np.intersect1d)
    _, left, right = ask(first, _flat(ar2), assume_unique, True)
    values = _at(first, left)
    return (values, left, right) if return_indices else values


@composite(np.setdiff1d)
def setdiff1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    """`np.setdiff1d`: the elements of `ar1` that `ar2` has not."""
    first = _flat(ar1) if assume_unique else np.unique(as_array(ar1))
    return _at(first, np.flatnonzero(np.isin(raw(first), raw(as_array(ar2)), invert=True)))


@composite(np.setxor1d)
def setxor1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    """`np.setxor1d`: the elements that one of the two has."""
    parts = [_flat(x) if assume_unique else np.unique(as_array(x)) for x in (ar1, ar2)]
    both = np.concatenate(parts)
    _, index, counts = np.unique(
        raw(both), return_index=True, return_counts=True, equal_nan=False
    )
    return _at(both, index[counts == 1])


# ---------------------------------------------------------------------------------- editing


@composite(np.append)
def append(arr: Any, values: Any, axis: Any = None) -> Any:
    """`np.append`: the flattened arrays one after the other, or along an axis."""
    arr, values = as_array(arr), as_array(values)
    if axis is None:
        return np.concatenate((np.reshape(arr, (-1,)), np.reshape(values, (-1,))))
    return np.concatenate((arr, values), axis=axis)


@composite(np.delete)
def delete(arr: Any, obj: Any, axis: Any = None) -> Any:
    """`np.delete`: without the entries at `obj`."""
    arr, axis = _lines(arr, axis)
    return _at(arr, np.delete(np.arange(arr.shape[axis]), _plain(obj)), axis)


def _plain(obj: Any) -> Any:
    if isinstance(obj, list | tuple):
        return np.asarray([raw(i) for i in obj]) if obj else np.zeros(0, np.intp)
    return raw(obj)


@composite(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: Any = None) -> Any:
    """`np.insert`: with `values` before the entries at `obj`."""
    arr, axis = _lines(arr, axis)
    obj, values, n = _plain(obj), as_array(values), arr.shape[axis]
    if isinstance(obj, slice):
        obj = np.arange(*obj.indices(n))
    obj = np.asarray(obj)
    if obj.dtype == bool:
        obj = np.flatnonzero(obj)
    if obj.size == 1:  # several values may come before one entry
        values = np.reshape(values, (1,) * (arr.ndim - values.ndim) + values.shape)
        if obj.ndim == 0:
            values = np.moveaxis(values, 0, axis)
        count = values.shape[axis]
        obj = int(obj.reshape(-1)[0])
    else:
        count = obj.size
    # one line of positions: those of arr, and past the end of it those of the values
    order = np.insert(np.arange(n), obj, np.arange(n, n + count))
    slot = (*arr.shape[:axis], count, *arr.shape[axis + 1 :])
    if values.dtype != arr.dtype:
        values = values.astype(arr.dtype)
    return _at(np.concatenate((arr, np.broadcast_to(values, slot)), axis=axis), order, axis)
