"""Writing at indices: into zeros, or into a copy of a tensor."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core import tensor as core
from ...core.registry import HOOKS
from ..base.arguments import bad, indices_of, lengths, no_kernel, outside, policy, refused_index
from ..base.dtypes import BY_CHAR
from ..base.making import BFLOAT16, NUMBER, REAL, bare, natural, op, unify

_np: Any = np  # NumPy's functions as they are for Tensors, which its stubs do not know


def _places(
    name: str, index: Any, updates: Any, shape: tuple[int, ...], ignored: bool
) -> tuple[Any, Any]:
    """(indices, updates) after the checks, as rows of places and what comes there."""
    if index.ndim < 2 or not shape:
        raise bad(
            name,
            "indices must be a matrix or more, and the target a vector or more.",
            "Pass [[0], [2]] for two places of a vector.",
        )
    depth = index.shape[-1]
    if depth > len(shape):
        raise bad(
            name,
            f"the last axis of indices has length {depth}, and the target {len(shape)} axes.",
            "Give no more numbers in a row than the target has axes.",
        )
    wanted = index.shape[:-1] + shape[depth:]
    if updates.value.shape != wanted:
        raise bad(
            name,
            f"updates of shape {updates.value.shape} do not fit indices of shape {index.shape} and "
            f"a target of shape {shape}: it takes {wanted}.",
            "Give one update for each row of indices.",
        )
    wrong = outside(index, shape)
    n = int(np.prod(index.shape[:-1], dtype=int))
    index, updates = index.reshape(n, depth), np.reshape(updates, (n, *shape[depth:]))
    if wrong is not None:
        if not ignored:
            raise refused_index(name, index, wrong.reshape(-1), shape)
        kept = np.flatnonzero(~wrong.reshape(-1))
        index, updates = index[kept], updates[kept]
    return index, updates


def _tuple(index: Any) -> tuple[Any, ...]:
    return tuple(index[:, i] for i in range(index.shape[1]))


_ADDED = NUMBER + BFLOAT16  # TensorFlow adds in it


def _added(index: Any, updates: Any, shape: tuple[int, ...]) -> Any:
    """Zeros of `shape` with the updates added."""
    if not index.shape[1]:  # an empty place is all of it
        return np.sum(updates, axis=0, dtype=updates.dtype)
    return HOOKS["op:scatter_add"](updates, shape=shape, index=_tuple(index))


def _check_dtypes(name: str, t: Any, dtypes: str, index: Any) -> None:
    if index.dtype.char == "h":
        raise no_kernel(name, "indices are int16.", "Cast them: tf.cast(indices, tf.int32).")
    if t.value.dtype.char not in dtypes:
        raise no_kernel(
            name,
            f"a tensor of {BY_CHAR[t.value.dtype.char].name} is not taken.",
            "Cast it: tf.cast(x, tf.int32).",
        )


@op("scatter_nd")
def scatter_nd(
    indices: Any, updates: Any, shape: Any, bad_indices_policy: Any = "", name: Any = None
) -> Any:
    """Zeros of `shape` with `updates` added at the places that the rows of `indices` name."""
    ignored = policy("scatter_nd", bad_indices_policy)
    where, dims = unify("ScatterNd", (indices, shape))
    index = indices_of("scatter_nd", where, "hil")
    target = lengths("scatter_nd", dims)
    x: Any = bare(updates)
    if np.ndim(dims.value) != 1:
        raise bad("scatter_nd", "shape must be a vector.", "Pass a list of lengths.")
    _check_dtypes("scatter_nd", x, _ADDED + "?O", index)
    index, x = _places("scatter_nd", index, x, target, ignored)
    if x.value.dtype.char == "O":
        return _last(core.new_tensor(np.full(target, b"", object)), index, x)
    return _added(index, x, target)


def _last(target: Any, index: Any, updates: Any) -> Any:
    """`target` with the updates written; the last one of a place stays."""
    if not index.shape[1]:
        return updates[-1] if len(index) else target
    return HOOKS["op:setitem"](target, updates, index=_tuple(index))


def _sum_into(sign: int) -> Any:
    def combine(x: Any, index: Any, updates: Any) -> Any:
        added = _added(index, updates, x.value.shape)
        return x + added if sign > 0 else x - added

    return combine


def _extreme(ufunc: Any) -> Any:
    """The extremum of what stands at a place and what comes there; ties share the gradient."""

    def combine(x: Any, index: Any, updates: Any) -> Any:
        shape, depth = x.value.shape, index.shape[1]
        outer, inner = shape[:depth], shape[depth:]
        places: Any = np.zeros(len(index), np.intp)
        if depth:
            places = np.ravel_multi_index(_tuple(index), outer) if len(index) else places
        n = int(np.prod(outer, dtype=int))
        if not len(index) or not n:
            return core.another(x)
        groups = np.concatenate([np.arange(n), places])
        order = np.argsort(groups, kind="stable")
        rows = _np.concatenate([np.reshape(x, (n, *inner)), updates])[order]
        starts = np.searchsorted(groups[order], np.arange(n))
        return np.reshape(ufunc.reduceat(rows, starts, axis=0), shape)

    return combine


def _into(kind: str, doc: str, dtypes: str, combine: Any) -> None:
    title = f"tensor_scatter_nd_{kind}"

    def body(tensor: Any, indices: Any, updates: Any, ignored: bool) -> Any:
        x, u = unify(title, (tensor, updates))
        index = indices_of(title, natural(indices), "hil" if kind == "update" else "il")
        _check_dtypes(title, x, dtypes, index)
        index, rows = _places(title, index, bare(u), x.value.shape, ignored)
        return combine(bare(x), index, rows)

    if kind == "update":

        @op(title)
        def run(tensor: Any, indices: Any, updates: Any, name: Any = None) -> Any:
            return body(tensor, indices, updates, False)
    else:

        @op(title)
        def run(
            tensor: Any,
            indices: Any,
            updates: Any,
            bad_indices_policy: Any = "",
            name: Any = None,
        ) -> Any:
            return body(tensor, indices, updates, policy(title, bad_indices_policy))

    run.__name__ = run.__qualname__ = title
    run.__doc__ = doc


_into("update", "A copy with `updates` written at `indices`.", _ADDED + "?O", _last)
_into("add", "A copy with `updates` added at `indices`.", _ADDED, _sum_into(1))
_into("sub", "A copy with `updates` subtracted at `indices`.", _ADDED, _sum_into(-1))
_into("min", "A copy with what is smaller at `indices`.", REAL + BFLOAT16, _extreme(np.minimum))
_into("max", "A copy with what is larger at `indices`.", REAL + BFLOAT16, _extreme(np.maximum))
