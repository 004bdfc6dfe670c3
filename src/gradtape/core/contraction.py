"""Einstein sums of raw arrays by BLAS: `contract`, which stands for `np.einsum` inside rules.

`np.einsum` multiplies element by element where an index stays in both operands and the result
(`"kij,nkj->nki"`). Every sum of two operands over a common index is a stack of matrix products,
and `np.matmul` hands those to BLAS with their strides, so that neither the operands nor the result
are transposed in memory where each matrix has one axis of stride 1. Sums of more operands go pair
by pair where NumPy's planner finds that this is less work.
"""

from __future__ import annotations

import functools
from math import prod
from typing import Any, NamedTuple

import numpy as np

from .buffers import SMALLEST, take

ndarray = np.ndarray
_WORTH = 1024  # products below which np.einsum is done before matmul has been prepared
_CHAIN = 32768  # products from which it pays to ask for an order of several operands
_BLAS = frozenset("fdFD")
Labels = tuple[str, ...]


def contract(subscripts: str, *operands: Any, **options: Any) -> Any:
    """`np.einsum` with explicit `subscripts`, within rounding, and faster where sums are large."""
    if options.get("optimize", True) is True and options.keys() <= {"optimize"}:
        dtype = operands[0].dtype
        if dtype.char in _BLAS and all(type(x) is ndarray and x.dtype is dtype for x in operands):
            found = None
            if len(operands) == 2:
                found = _pair(subscripts, *operands)
            elif len(operands) > 2:
                found = _chain(subscripts, operands)
            if found is not None:
                return found
    return np.einsum(subscripts, *operands, **options)


# ------------------------------------------------------------------------------ two operands


class _Plan(NamedTuple):
    """Where the indices of a sum of two operands are, by what becomes of them."""

    batch: Labels
    left: Labels
    right: Labels
    summed: Labels
    x: tuple[int, ...]  # the axes of x as batch, left, summed
    y: tuple[int, ...]  # the axes of y as batch, summed, right
    out: tuple[int, ...]  # the axes of the result as batch, left, right
    is_direct: bool  # BLAS can write the result where it belongs


@functools.lru_cache(maxsize=1024)
def _plan(subscripts: str) -> _Plan | None:
    inputs, out = subscripts.split("->")
    x, y = inputs.split(",")
    if len(set(x)) < len(x) or len(set(y)) < len(y):
        return None
    batch = tuple(n for n in out if n in x and n in y)
    left = tuple(n for n in out if n not in y)
    right = tuple(n for n in out if n not in x)
    summed = tuple(n for n in x if n in y and n not in out)
    if len(batch) + len(left) + len(summed) < len(x) or not summed or not left + right:
        return None  # an index that x alone has is summed; or it is no product of matrices
    if len(batch) + len(right) + len(summed) < len(y):
        return None
    return _Plan(
        batch,
        left,
        right,
        summed,
        tuple(map(x.index, (*batch, *left, *summed))),
        tuple(map(y.index, (*batch, *summed, *right))),
        tuple(map(out.index, (*batch, *left, *right))),
        len(left) < 2 and len(right) < 2 and out[-1] not in batch,
    )


class _Fit(NamedTuple):
    """A plan for operands of certain shapes: what they are as stacks of matrices."""

    plan: _Plan
    x: tuple[int, ...] | None  # the shape of the stack, where it is not the transposed operand's
    y: tuple[int, ...] | None
    shape: tuple[int, ...]  # of the result as batch, left, right
    work: int  # products
    laid: tuple[int, ...]  # of the result


@functools.lru_cache(maxsize=1024)
def _fit(subscripts: str, x: tuple[int, ...], y: tuple[int, ...]) -> _Fit | None:
    """How to sum operands of these shapes; None where no product of matrices does."""
    plan = _plan(subscripts)
    if plan is None:
        return None
    b, m, k = len(plan.batch), len(plan.left), len(plan.summed)
    x, y = tuple(x[n] for n in plan.x), tuple(y[n] for n in plan.y)
    outer, rows, inner, columns = x[:b], x[b : b + m], x[b + m :], y[b + k :]
    n_rows, n_inner, n_columns = prod(rows), prod(inner), prod(columns)
    if y[: b + k] != outer + inner:  # an axis of length 1 that broadcasts
        return None
    shape = outer + rows + columns
    return _Fit(
        plan,
        (*outer, n_rows, n_inner) if m != 1 or k != 1 else None,
        (*outer, n_inner, n_columns) if k != 1 or len(plan.right) != 1 else None,
        shape,
        prod(shape) * n_inner,
        tuple(shape[plan.out.index(n)] for n in range(len(shape))),
    )


def _pair(subscripts: str, x: Any, y: Any) -> Any:
    """The sum of two operands as a stack of matrix products; None where that does not pay."""
    fit = _fit(subscripts, x.shape, y.shape)
    if fit is None or fit.work < _WORTH:
        return None
    plan = fit.plan
    x, y = x.transpose(plan.x), y.transpose(plan.y)
    if fit.x is not None:
        x = x.reshape(fit.x)
    if fit.y is not None:
        y = y.reshape(fit.y)
    if 8 * y.size <= x.size and y.strides[-1] != y.itemsize:
        y = np.ascontiguousarray(y)  # BLAS takes half the time if rows of a small factor are runs
    elif 8 * x.size <= y.size and x.strides[-2] != x.itemsize:
        x = np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2)
    if plan.is_direct:
        out = _empty(fit.laid, x.dtype)
        np.matmul(x, y, _with_places(out.transpose(plan.out), len(plan.left), len(plan.right)))
        return out
    found = np.matmul(x, y).reshape(fit.shape)
    order = [plan.out.index(n) for n in range(len(fit.shape))]
    return np.ascontiguousarray(found.transpose(order))


def _with_places(out: Any, rows: int, columns: int) -> Any:
    """`out` with an axis of length 1 for the rows or columns that the result does not have."""
    if not columns:
        return out[..., None]
    return out if rows else out[..., None, :]


def _empty(shape: tuple[int, ...], dtype: Any) -> Any:
    nbytes = prod(shape) * dtype.itemsize
    return take(shape, dtype, nbytes) if nbytes >= SMALLEST else np.empty(shape, dtype)


# --------------------------------------------------------------------------- several operands


def _chain(subscripts: str, operands: tuple[Any, ...]) -> Any:
    """The sum of several operands, pair by pair; None where that is no less work."""
    steps = _order(subscripts, tuple(x.shape for x in operands))
    if steps is None:
        return None
    left = list(operands)
    for places, step in steps:
        chosen = [left.pop(place) for place in places]
        left.append(contract(step, *chosen))
    return left[0]


@functools.lru_cache(maxsize=256)
def _order(
    subscripts: str, shapes: tuple[tuple[int, ...], ...]
) -> tuple[tuple[tuple[int, ...], str], ...] | None:
    """What to sum when: (places in the list, subscripts) of each step, the result put last."""
    inputs, out = subscripts.split("->")
    terms = inputs.split(",")
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, shapes, strict=True):
        for label, n in zip(term, shape, strict=True):
            if sizes.setdefault(label, n) != n:
                return None  # an axis of length 1 that broadcasts
    if prod(sizes.values()) < _CHAIN:
        return None
    stand_ins = [np.broadcast_to(np.float64(0), shape) for shape in shapes]
    path = np.einsum_path(subscripts, *stand_ins, optimize="greedy")[0][1:]
    if len(path) < 2:
        return None
    steps, work = [], 0
    for pair in path:
        places = tuple(sorted(pair, reverse=True))
        chosen = [terms.pop(place) for place in places]
        met = dict.fromkeys("".join(chosen))
        kept = [n for n in met if n in out or any(n in term for term in terms)]
        made = "".join(kept) if terms else out
        steps.append((places, ",".join(chosen) + "->" + made))
        terms.append(made)
        work += prod(sizes[n] for n in met)
    return tuple(steps) if work < prod(sizes.values()) else None
