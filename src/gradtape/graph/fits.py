"""Whether operands fit an operation: NumPy is asked while tracing, on stand-ins.

A shape rule says what comes out and need not notice what NumPy would refuse. A program runs without
asking: a product of matrices that do not go together would read what is not there. So each
operation that is not elementwise is tried on arrays of the same shapes; where these are large, on
small ones, in which sizes that are equal stay equal and 0 to 3 stay what they are. What is tried
once is remembered. Nothing is tried where a rule here sees at a glance that it fits.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from ..core.aval import Aval

__all__ = ["check", "stand_in"]

_PYTHON = {"f": 1.0, "i": 1, "c": 1j, "b": True}
_FEW = 1 << 14  # elements that are tried as they are
_KEPT = 4096
# Their parameters speak of sizes, so small arrays say nothing.
_SIZED = frozenset(["reshape", "broadcast_to", "getitem", "scatter_add", "add_at", "pad_constant",
                    "linspace_card", "repeat_each", "diagonal_embed", "sliding_window_view",
                    "overlap_add", "weighted_counts", "gather_ties", "share_ties",
                    "order_statistics", "roll"])  # fmt: skip
# They speak of values, which a stand-in has not.
_OF_VALUES = ("ingular", "ositive", "converge", "zero-size")
_known: set[Any] = set()


def stand_in(aval: Aval) -> Any:
    """An array (a Python number where weak) of that shape and dtype, all of it one element."""
    if aval.weak:
        return _PYTHON[aval.dtype.kind]
    return np.broadcast_to(np.ones((), aval.dtype), aval.shape)


def check(op: Any, avals: tuple[Aval, ...], params: dict[str, Any]) -> None:
    """Raise what NumPy raises for operands of these shapes and dtypes."""
    sees = _AT_A_GLANCE.get(op.name)
    if sees is not None and all(a.dtype.kind in "fiub" for a in avals) and sees(*avals, **params):
        return
    key: Any = None
    if not _has_arrays(params):
        key = (op, tuple([(a.shape, a.dtype, a.weak) for a in avals]), repr(params))
        if key in _known:
            return
    size = sum(a.size for a in avals)
    if op.name == "setitem":
        _try(_store, avals, params)
    elif size <= _FEW:
        _try(op.impl, avals, params, _typical)
    elif op.name in ("concatenate", "stack"):
        function = np.concatenate if op.name == "concatenate" else np.stack
        _try_small(_joined(function), op.impl, avals, params)
    elif op.name not in _SIZED and not _has_arrays(params):
        _try_small(op.impl, op.impl, avals, params)
    if key is not None:
        if len(_known) >= _KEPT:
            _known.clear()
        _known.add(key)


# ------------------------------------------------------------------------- seen at a glance


def _reduces(x: Aval, axis: Any = None, keepdims: bool = False, **others: Any) -> bool:
    """Whether a reduction goes over axes that there are, none of them empty."""
    axes = axis if type(axis) is tuple else () if axis is None else (axis,)
    places = {int(i) % x.ndim for i in axes if type(i) is int and -x.ndim <= i < x.ndim}
    return not others and 0 not in x.shape and len(places) == len(axes)


def _multiplies(x: Aval, y: Aval, **others: Any) -> bool:
    """Whether rows go with columns; more axes than two go with none, or with the same."""
    if others or not x.ndim or not y.ndim:
        return False
    outer = x.shape[:-2], y.shape[:-2]
    if outer[0] != outer[1] and () not in outer:
        return False
    return x.shape[-1] == y.shape[-2 if y.ndim > 1 else -1]


def _takes(shape: tuple[int, ...], v: Aval, index: Any) -> bool:
    """Whether a slice of the first axis takes what is written there."""
    if type(index) is not slice or not shape:
        return False
    try:
        rows = len(range(*index.indices(shape[0])))
    except (TypeError, ValueError):  # NumPy says which
        return False
    part = (rows, *shape[1:])
    return v.ndim <= len(part) and all(
        n in (1, m) for n, m in zip(v.shape[::-1], part[::-1], strict=False)
    )


_AT_A_GLANCE: dict[str, Any] = {
    "sum": _reduces,
    "mean": _reduces,
    "max": _reduces,
    "min": _reduces,
    "matmul": _multiplies,
    "reshape": lambda x, shape, order: (
        order in ("C", "F") and min(shape, default=0) >= 0 and math.prod(shape) == x.size
    ),
    "transpose": lambda x, axes: sorted(axes) == list(range(x.ndim)),
    "broadcast_to": lambda x, shape: (
        x.ndim <= len(shape)
        and all(n in (1, m) for n, m in zip(x.shape[::-1], shape[::-1], strict=False))
    ),
    "getitem": lambda x, index: type(index) is slice and x.ndim > 0,
    "setitem": lambda x, v, index: _takes(x.shape, v, index),
    "add_at": lambda x, v, index: x.dtype == v.dtype and _takes(x.shape, v, index),
    "scatter_add": lambda v, shape, index: _takes(shape, v, index),
    "where": lambda c, x, y: True,  # the shape rule asks NumPy
}


# --------------------------------------------------------------------------------- tried


def _try(function: Any, avals: tuple[Aval, ...], params: dict[str, Any], make: Any = None) -> None:
    error = _error(function, [(make or stand_in)(a) for a in avals], params)
    if error is not None:
        raise error


def _try_small(function: Any, impl: Any, avals: tuple[Aval, ...], params: dict[str, Any]) -> None:
    if _error(function, [_small(a, avals) for a in avals], params) is not None:
        _try(impl, avals, params)  # which says the same of the real shapes


def _error(function: Any, operands: list[Any], params: dict[str, Any]) -> Exception | None:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            function(*operands, **params)
        except (ValueError, TypeError, IndexError) as error:
            if not any(word in str(error) for word in _OF_VALUES) or _is_empty(error, operands):
                return error
    return None


def _is_empty(error: Exception, operands: list[Any]) -> bool:
    return "zero-size" in str(error) and any(np.size(x) == 0 for x in operands)


def _typical(aval: Aval) -> Any:
    """An array that is regular, positive and in range."""
    if aval.weak:
        return _PYTHON[aval.dtype.kind]
    if aval.dtype.kind in "iu":
        return np.zeros(aval.shape, aval.dtype)
    x = np.ones(aval.shape, aval.dtype)
    if aval.ndim > 1 and aval.dtype.kind in "fc":
        np.einsum("...ii->...i", x[..., : min(x.shape[-2:]), : min(x.shape[-2:])])[...] = 4
    return x


def _small(aval: Aval, avals: tuple[Aval, ...]) -> Any:
    sizes = sorted({n for a in avals for n in a.shape if n > 3})
    shape = tuple(n if n <= 3 else 4 + sizes.index(n) for n in aval.shape)
    if math.prod(shape) > 1 << 20:
        return stand_in(aval)
    return _typical(Aval(shape, aval.dtype, aval.weak))


def _joined(function: Any) -> Any:
    return lambda *arrays, axis=0, **_: function(arrays, axis=axis)


def _store(x: Any, v: Any, index: Any) -> None:
    part = np.shape(x[index])
    np.broadcast_to(v, part if np.ndim(v) else ())


def _has_arrays(params: Any) -> bool:
    if isinstance(params, dict):
        return any(map(_has_arrays, params.values()))
    if isinstance(params, tuple | list):
        return any(map(_has_arrays, params))
    return isinstance(params, np.ndarray)
