"""Rows: which entries of an operand meet which results, so that a cotangent of 0 has no say.

A rule that multiplies inside (`prod`, `var`, `norm`) makes NaN of a cotangent that is exactly 0 and
a number that is not finite. The entries that meet only results with such cotangents are *idle*:
whatever stands there changes nothing. Where a NaN came out, the rule is played again with harmless
numbers in their place.

A card says how its axes run by a `Rows`; one that has `axis` or `axes` among its parameters works
along these, and its other axes are rows (`along`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from .aval import INEXACT, Aval
from .axes import normalized
from .lift import bottom, holds
from .registry import HOOKS
from .squares import square_sum
from .symbol import is_traced
from .tensor import raw

Places = tuple[int | None, ...]
ndarray = np.ndarray
_SMALL = 4096  # elements up to which all are looked at: finding out where to look costs more


class Rows(NamedTuple):
    """How the axes of a card's operands run along those of its results.

    Attributes
    ----------
    places : callable
        `places(i, avals, ndim, params)`: for each axis of operand `i` the axis of the results (the
        first of which has `ndim`) that it runs along, or None for an axis that is mixed.
    matrices : bool
        Whether the last two axes are a matrix, for which the identity is harmless and 1 is not.
    flagged : bool
        Whether the rule computes with ufuncs, which tell of the NaN that they make (see
        `products.py`); LAPACK and `einsum` do not.
    sums : bool
        Whether the card multiplies its operands and sums. Then what is not finite in one of them
        spoils whole lines of the cotangents of the others, which are looked at in one place.
    """

    places: Callable[[int, Sequence[Any], int, dict[str, Any]], Places]
    matrices: bool = False
    flagged: bool = True
    sums: bool = False


class OfBatch(NamedTuple):
    """The rows of the batching of a card, whose parameters speak of the axes of one example."""

    card: Any
    axes: tuple[int | None, ...]  # 0 for an operand that has the batch in front

    @property
    def flagged(self) -> bool:
        return self.card.rows is None or bool(self.card.rows.flagged)


def _behind_batch(
    places: Any, axes: Any, i: int, avals: Sequence[Any], ndim: int, params: dict[str, Any]
) -> Places:
    single = [
        a if axis is None else Aval(a.shape[1:], a.dtype)
        for a, axis in zip(avals, axes, strict=True)
    ]
    found = tuple(None if p is None else p + 1 for p in places(i, single, ndim - 1, params))
    return found if axes[i] is None else (0, *found)


def _pointwise(i: int, avals: Sequence[Any], ndim: int, _params: dict[str, Any]) -> Places:
    return tuple(range(ndim - avals[i].ndim, ndim))


def _along(i: int, avals: Sequence[Any], ndim: int, params: dict[str, Any]) -> Places:
    full = avals[0].ndim
    reduced = normalized(params["axis"] if "axis" in params else params["axes"], full)
    rest = [n for n in range(full) if n not in reduced]
    if ndim == full:
        found: Places = tuple(n if n in rest else None for n in range(full))
    else:
        found = tuple(rest.index(n) if n in rest else None for n in range(full))
    return found[full - avals[i].ndim :]


pointwise = Rows(_pointwise)
along = Rows(_along)


def cores(n: int) -> Rows:
    """The rows of a card for stacks: the last `n` axes of an operand belong together."""

    def places(i: int, avals: Sequence[Any], _ndim: int, _params: dict[str, Any]) -> Places:
        outer = [max(a.ndim - n, 0) for a in avals]
        shift = max(outer) - outer[i]
        return (*range(shift, shift + outer[i]), *(None,) * (avals[i].ndim - outer[i]))

    return Rows(places, matrices=n == 2, flagged=n < 2)


def rows_of(card: Any, params: dict[str, Any]) -> Rows | None:
    """The rows of a card that multiplies inside; None where they are not known."""
    if card.kind != "primitive":
        return None
    found: Rows | None = card.rows
    if type(card.rows) is OfBatch:
        one = rows_of(card.rows.card, params)
        if one is None:
            return None
        return one._replace(places=partial(_behind_batch, one.places, card.rows.axes))
    return along if found is None and ("axis" in params or "axes" in params) else found


# ---------------------------------------------------------------------------------- backward


def spared(
    card: Any, i: int, gi: Any, ct: Any, out: Any, operands: Any, params: Any, avals: Any
) -> Any:
    """`gi = card.vjp(i, ...)`, played again without what is idle where there is a NaN in it."""
    rows = rows_of(card, params)
    if rows is None:
        return gi
    if is_traced(bottom(gi)):  # no number that could be looked at: the program looks
        return HOOKS["spare"](card, i, gi, ct, out, operands, params, avals)
    cts = ct if type(ct) is tuple else (ct,)
    if rows.sums and gi.size > _SMALL:
        places = _all_places(rows, avals, cts[0].ndim, params)
        if not has_nan(raw(gi)[_line(i, places)]):
            return gi
    elif not has_nan(gi) and not (rows.matrices and any(map(_is_infinite, operands))):
        return gi  # the second: LAPACK may make 0 of infinity, and the next derivative NaN of that
    zeros = [np.equal(raw(c), 0) for c in cts]
    if not any(map(holds, zeros)):
        return gi
    places = _all_places(rows, avals, zeros[0].ndim, params)
    operands = tuple(_harmless(rows, x, p, zeros) for x, p in zip(operands, places, strict=True))
    used = {n for place in places for n in place}

    def harmless(result: Any) -> Any:
        along = tuple(n if n in used else None for n in range(result.ndim))
        return _harmless(rows, result, along, zeros)

    if type(out) is tuple:
        out = tuple(map(harmless, out))
    elif out is not None:
        out = harmless(out)
    return card.vjp(i, ct, out, operands, params)


def _all_places(rows: Rows, avals: Any, ndim: int, params: Any) -> list[Places]:
    return [rows.places(i, avals, ndim, params) for i in range(len(avals))]


def _line(i: int, places: list[Places]) -> tuple[slice, ...]:
    """Where to look for what the others spoil in operand `i`: not along axes they do not have."""
    whole = {None, *(p for j, place in enumerate(places) if j != i for p in place)}
    return tuple(slice(None if p in whole else 1) for p in places[i])


def _total(x: Any) -> Any:
    """The sum of the squares where BLAS can have it, else of the elements: NaN if one is."""
    x = bottom(raw(x))
    if type(x) is ndarray and x.ndim and x.flags.c_contiguous:
        return square_sum(x.reshape(-1))
    return np.add.reduce(x, axis=None)


def has_nan(x: Any) -> bool:
    """Whether there is a NaN in an array or a Tensor, for a fifth of what `np.isnan` costs."""
    total = _total(x)
    return holds(total != total)


def _is_infinite(x: Any) -> bool:
    return hasattr(x, "__array__") and not holds(abs(_total(x)) < np.inf)


def _idle(zeros: list[Any], places: Places, shape: tuple[int, ...]) -> Any:
    """Where an operand of `shape` meets only results at which `zeros` hold; broadcasts to it."""
    runs: dict[int, int] = {}  # axis of the result -> axis of the operand
    for k, p in enumerate(places):
        if p is not None and shape[k] == zeros[0].shape[p]:
            runs.setdefault(p, k)
    idle: Any = True
    for zero in zeros:
        mixed = tuple(n for n in range(zero.ndim) if n not in runs)
        idle = np.logical_and(idle, np.all(zero, axis=mixed) if mixed else zero)
    return _laid(idle, runs, len(shape))


def _laid(mask: Any, runs: dict[int, int], ndim: int) -> Any:
    """`mask`, whose axes are the keys of `runs` in order, with these at `runs[key]` of `ndim`."""
    order = [runs[p] for p in sorted(runs)]
    mask = np.transpose(mask, sorted(range(len(order)), key=order.__getitem__))
    sizes = dict(zip(sorted(order), mask.shape, strict=True))
    return mask.reshape([sizes.get(n, 1) for n in range(ndim)])


def _harmless(rows: Rows, x: Any, places: Places, zeros: list[Any]) -> Any:
    """`x` with 1, or with the identity matrix, where it is idle."""
    if not hasattr(x, "__array__") or x.dtype.char not in INEXACT:  # not kept, or no number
        return x
    idle = _idle(zeros, places, x.shape)
    if not holds(idle):
        return x
    one: Any = np.ones((), x.dtype)
    if rows.matrices and places[-2:] == (None, None):
        one = np.eye(*x.shape[-2:], dtype=x.dtype)
    replaced = np.where(idle, one, x)
    return replaced if replaced.ndim else replaced[()]


# ----------------------------------------------------------------------------------- forward


def stilled(rows: Rows, tangents: Sequence[Any], avals: Any, params: Any, found: Any) -> Any:
    """`found`, the tangent of a result; where it has a NaN, 0 where all met tangents are 0."""
    if type(found) is tuple:
        return tuple(_stilled(rows, tangents, avals, params, t, found[0].ndim) for t in found)
    return _stilled(rows, tangents, avals, params, found, found.ndim)


def _stilled(
    rows: Rows, tangents: Sequence[Any], avals: Any, params: Any, found: Any, ndim: int
) -> Any:
    if found.dtype.char not in INEXACT or is_traced(found) or not has_nan(found):
        return found
    still: Any = True
    for i, t in enumerate(tangents):
        if t is None:
            continue
        zero = np.equal(t, 0)
        runs: dict[int, int] = {}
        for k, p in enumerate(rows.places(i, avals, ndim, params)):
            if p is not None and p not in runs.values():
                runs[k] = p
        mixed = tuple(n for n in range(zero.ndim) if n not in runs)
        still = np.logical_and(
            still, _laid(np.all(zero, axis=mixed) if mixed else zero, runs, found.ndim)
        )
    return np.where(still, np.zeros((), found.dtype), found)[()]
