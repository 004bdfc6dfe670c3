"""The methods of ufuncs: `np.add.reduce`, `accumulate`, `reduceat`, `outer`, `at`.

`add`, `multiply`, `maximum` and `minimum` reduce and accumulate as `sum`, `prod`, `max`, `min`,
`cumsum` and `cumprod` do. `logaddexp`, `logaddexp2`, `hypot`, `fmax` and `fmin` reduce with cards
of their own; every other ufunc of two operands folds from the left, one recorded call for each
element along the axis. Ufuncs without a derivative have methods without one.

Ties: a reduction with `maximum`, `minimum`, `fmax` or `fmin` shares the cotangent evenly among
the elements that reach the result; an accumulation gives it to the first of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.aval import Aval, aval_of
from ..core.batched import as_array
from ..core.cards import Card, primitive
from ..core.dispatch import apply, nondifferentiable_call, span, write_out
from ..core.indexing import is_unknown, plain_index
from ..core.positions import decode, here
from ..core.registry import CARDS, HOOKS, UFUNC_METHODS, UFUNCS
from ..core.symbol import is_known_to_hold
from ..core.tensor import Tensor, another, new_tensor, raw
from ..errors import DTypeError, TracingError, three_part

_NO = np._NoValue
_LN2 = math.log(2)

# ------------------------------------------------------------- reductions with their own card


def _axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """`axis` as a tuple of non-negative ints; NumPy lets 0 and -1 stand for no axis of a scalar."""
    if axis is None:
        return tuple(range(ndim))
    if ndim == 0 and axis in (0, -1):
        return ()
    return tuple(sorted(np.lib.array_utils.normalize_axis_tuple(axis, ndim)))


def _reduced(x: Aval, axes: tuple[int, ...], keepdims: bool) -> Aval:
    shape = (1 if i in axes else n for i, n in enumerate(x.shape) if keepdims or i not in axes)
    return Aval(tuple(shape), x.dtype)


def _spread(ct: Any, shape: tuple[int, ...], axes: tuple[int, ...]) -> Any:
    """A result of a reduction over `axes`, with these axes again, of length 1."""
    return np.reshape(ct, tuple(1 if i in axes else n for i, n in enumerate(shape)))


def _exponential_sum(x: Any, axes: Any, keepdims: bool, exp: Any, log: Any) -> Any:
    """log(sum(exp(x))) with the largest element taken out, so that nothing overflows."""
    high = np.max(x, axis=axes, keepdims=True, initial=-np.inf)
    high = np.where(np.isfinite(high), high, 0)
    with np.errstate(divide="ignore", under="ignore", over="ignore"):
        out = log(np.sum(exp(x - high), axis=axes, keepdims=True)) + high
    return out if keepdims else np.squeeze(out, axes)[()]


def _shares(x: Any, out: Any, axes: Any, exp: Any) -> Any:
    finite = np.where(np.isfinite(out), out, 0)
    # an infinite sum has its share at the infinite elements
    top = np.equal(x, out) & np.isinf(out)
    count = np.maximum(np.sum(top, axis=axes, keepdims=True), 1)
    return np.where(np.isinf(out), top / count, exp(x - finite))


def _even_ties(x: Any, out: Any, axes: Any) -> Any:
    tie = np.equal(x, out)
    return tie / np.maximum(np.sum(tie, axis=axes, keepdims=True), 1)


_WEIGHTS: dict[Any, Callable[..., Any]] = {
    np.logaddexp: lambda x, out, axes: _shares(x, out, axes, np.exp),
    np.logaddexp2: lambda x, out, axes: _shares(x, out, axes, np.exp2),
    np.hypot: lambda x, out, _axes: x / np.where(out == 0, 1, out),
    np.fmax: _even_ties,
    np.fmin: _even_ties,
}


def _hypot_reduce(x: Any, axes: Any, keepdims: bool) -> Any:
    """sqrt(sum(x**2)), of elements scaled by the largest, as hypot does."""
    high = np.max(np.abs(x), axis=axes, keepdims=True, initial=0)
    scale = np.where((high > 0) & np.isfinite(high), high, 1)
    out = np.sqrt(np.sum(np.square(x / scale), axis=axes, keepdims=True)) * scale
    return out if keepdims else np.squeeze(out, axes)[()]


_IMPL: dict[Any, Callable[..., Any]] = {
    np.logaddexp: lambda x, axes, keepdims: _exponential_sum(x, axes, keepdims, np.exp, np.log),
    np.logaddexp2: lambda x, axes, keepdims: _exponential_sum(x, axes, keepdims, np.exp2, np.log2),
    np.hypot: _hypot_reduce,
    np.fmax: lambda x, axes, keepdims: np.fmax.reduce(x, axis=axes, keepdims=keepdims),
    np.fmin: lambda x, axes, keepdims: np.fmin.reduce(x, axis=axes, keepdims=keepdims),
}


def _weighted(ufunc: Any) -> Card:
    """A card of a reduction whose derivative is a weight for each element."""
    weights, impl = _WEIGHTS[ufunc], _IMPL[ufunc]

    def weight(x: Any, out: Any, axes: Any, dtype: Any) -> Any:
        w = weights(x, _spread(out, np.shape(x), axes), axes)
        return w if w.dtype == dtype else w.astype(dtype)

    def vjp(ct: Any, out: Any, x: Any, axes: Any, keepdims: bool) -> Any:
        return _spread(ct, np.shape(x), axes) * weight(x, out, axes, ct.dtype)

    def jvp(t: Any, out: Any, x: Any, axes: Any, keepdims: bool) -> Any:
        return np.sum(t * weight(x, out, axes, t.dtype), axis=axes, keepdims=keepdims)

    def batch(_size: int, operands: Any, batch_axes: Any, axes: Any, keepdims: bool) -> Any:
        x = np.moveaxis(operands[0], batch_axes[0], 0)
        return impl(x, axes=tuple(a + 1 for a in axes), keepdims=keepdims), 0

    return primitive(
        None,
        name=f"{ufunc.__name__}.reduce",
        impl=impl,
        vjp=vjp,
        jvp=jvp,
        shape=lambda x, axes, keepdims: _reduced(x, axes, keepdims),
        batch=batch,
        drops=ufunc in (np.fmax, np.fmin),
    )


_CARDS = {ufunc: _weighted(ufunc) for ufunc in _WEIGHTS}
_BY_FUNCTION: dict[Any, Any] = {
    np.add: np.sum, np.multiply: np.prod, np.maximum: np.max, np.minimum: np.min,
}  # fmt: skip
# of integers, none of which is NaN
_OF_INTEGERS = {**{u: u for u in _BY_FUNCTION}, np.fmax: np.maximum, np.fmin: np.minimum}
_NEUTRAL = {
    np.logaddexp: -np.inf, np.logaddexp2: -np.inf, np.hypot: 0.0, np.fmax: np.nan, np.fmin: np.nan,
}  # fmt: skip

# ---------------------------------------------------------------------------------- reduce


def _reduce(ufunc: Any) -> Any:
    def reduce(
        array: Any, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: bool = False,
        initial: Any = _NO, where: Any = True,
    ) -> Any:  # fmt: skip
        x = _as(ufunc, array, dtype)
        _check_reduce(ufunc, x, axis, initial, where)
        axes = _axes(axis, x.ndim)
        function = _BY_FUNCTION.get(_OF_INTEGERS.get(ufunc) if x.dtype.kind in "biu" else ufunc)
        if function is not None:
            given = {} if initial is _NO or initial is None else {"initial": initial}
            if where is not True:
                given["where"] = raw(where)
            result = function(x, axis=axes, keepdims=keepdims, **given)
        elif ufunc in _CARDS:
            result = _reduce_by_card(ufunc, x, axes, keepdims, initial, where)
        else:
            result = _fold(ufunc, x, axes, keepdims, initial, where)
        return write_out(out, result, "unsafe")

    return reduce


def _as(ufunc: Any, array: Any, dtype: Any) -> Any:
    """The operand in `dtype`; integers in the dtype of the results, if these are none."""
    x = as_array(array)
    if dtype is not None:
        ufunc.accumulate(np.ones(1), dtype=dtype)  # NumPy's own error if it has no such loop
    elif x.dtype.kind in "biu":
        result = ufunc.resolve_dtypes((x.dtype, x.dtype, None))[-1]
        dtype = result if result.kind in "fc" else None
    return x if dtype is None or x.dtype == dtype else x.astype(np.dtype(dtype))


def _check_reduce(ufunc: Any, x: Any, axis: Any, initial: Any, where: Any) -> None:
    """NumPy's own errors, from a call on data that costs nothing."""
    options: dict[str, Any] = {} if initial is _NO else {"initial": raw(initial)}
    if where is not True:
        options["where"] = raw(where)
    if x.size == 0 or axis is None or isinstance(axis, tuple) or options:
        with np.errstate(all="ignore"):
            ufunc.reduce(np.ones(x.shape, x.dtype), axis=axis, **options)


def _reduce_by_card(
    ufunc: Any, x: Any, axes: Any, keepdims: bool, initial: Any, where: Any
) -> Any:
    if where is not True:
        # NaN is the neutral element of fmax and fmin, whose ties it can never enter
        x = np.where(raw(where), x, x.dtype.type(_NEUTRAL[ufunc]))
    if ufunc in (np.fmax, np.fmin) and initial is not _NO and not all(x.shape[a] for a in axes):
        shape = _reduced(x.aval, axes, keepdims).shape
        return np.broadcast_to(as_array(initial).astype(x.dtype), shape)
    result = apply(_CARDS[ufunc], (x,), {"axes": axes, "keepdims": bool(keepdims)})
    return result if initial is _NO or initial is None else ufunc(result, initial)


def _fold(ufunc: Any, x: Any, axes: Any, keepdims: bool, initial: Any, where: Any) -> Any:
    """The reduction from the left, element by element along one axis."""
    shape = x.shape
    if not axes:
        if initial is _NO or initial is None:
            return another(x)
        before = np.broadcast_to(as_array(initial).astype(x.dtype), shape)
        after = ufunc(before, x)
        return after if where is True else np.where(raw(where), after, before)
    axis = axes[0]
    items = _slices(x, axis)
    masks = None
    if where is not True:
        masks = _slices(np.broadcast_to(raw(where), shape), axis)
    if initial is _NO or initial is None:
        total, start = items[0], 1
    else:
        total = np.broadcast_to(as_array(initial).astype(x.dtype), shape[:axis] + shape[axis + 1 :])
        start = 0
    for i in range(start, len(items)):
        step = ufunc(total, items[i])
        total = step if masks is None else np.where(masks[i], step, total)
    return np.expand_dims(total, axis) if keepdims else total


def _slices(x: Any, axis: int) -> list[Any]:
    front: Any = (slice(None),) * axis
    return [x[(*front, i)] for i in range(x.shape[axis])]


# ------------------------------------------------------------------------------ accumulate

_ASSOCIATIVE = frozenset([np.logaddexp, np.logaddexp2, np.hypot])
_SELECTING = frozenset([np.maximum, np.minimum, np.fmax, np.fmin])


def _accumulate(ufunc: Any) -> Any:
    def accumulate(array: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        x = _as(ufunc, array, dtype)
        if x.ndim == 0:
            ufunc.accumulate(raw(x))  # raises NumPy's own
        (axis,) = _axes(axis, x.ndim)
        if ufunc is np.add:
            result = np.cumsum(x, axis=axis)
        elif ufunc is np.multiply:
            result = np.cumprod(x, axis=axis)
        elif x.shape[axis] < 2:
            result = another(x)
        elif ufunc in _SELECTING:
            result = x[_winners(ufunc, raw(x), axis)]
        elif ufunc in _ASSOCIATIVE:
            result = _scan(ufunc, x, axis)
        else:
            items = _slices(x, axis)
            for i in range(1, len(items)):
                items[i] = ufunc(items[i - 1], items[i])
            result = np.stack(items, axis=axis)
        return write_out(out, result, "unsafe")

    return accumulate


def _winners(ufunc: Any, x: Any, axis: int) -> Any:
    """The index, for each element, of the one that the accumulation so far has chosen."""
    grid: list[Any] = list(np.ogrid[tuple(slice(n) for n in x.shape)])
    x = np.moveaxis(x, axis, 0)
    best = ufunc.accumulate(x, axis=0)
    changed = best[1:] != best[:-1]
    if ufunc in (np.maximum, np.minimum):  # a NaN wins once and for good
        changed &= ~np.isnan(best[:-1])
    else:  # a NaN loses to the first number
        changed &= ~np.isnan(best[1:])
    index = np.arange(len(x)).reshape((-1,) + (1,) * (x.ndim - 1))
    chosen = np.where(np.concatenate([np.zeros_like(changed[:1]), changed]), index, 0)
    grid[axis] = np.moveaxis(np.maximum.accumulate(chosen, axis=0), 0, axis)
    return tuple(grid)


def _scan(ufunc: Any, x: Any, axis: int) -> Any:
    """An inclusive scan in log2(n) calls on whole arrays (Hillis and Steele, 1986)."""
    front: Any = (slice(None),) * axis
    step = 1
    while step < x.shape[axis]:
        head = x[(*front, slice(None, step))]
        rest = ufunc(x[(*front, slice(None, -step))], x[(*front, slice(step, None))])
        x = np.concatenate([head, rest], axis=axis)
        step *= 2
    return x


# -------------------------------------------------------------------------------- reduceat


def _reduceat(ufunc: Any) -> Any:
    reduce = _reduce(ufunc)

    def reduceat(
        array: Any, indices: Any, axis: int = 0, dtype: Any = None, out: Any = None
    ) -> Any:
        x = _as(ufunc, array, dtype)
        if x.ndim == 0:
            ufunc.reduceat(raw(x), [0])  # raises NumPy's own
        (axis,) = _axes(axis, x.ndim)
        starts = np.asarray(raw(indices), np.intp)
        length = x.shape[axis]
        if starts.ndim != 1 or is_known_to_hold(starts < 0) or is_known_to_hold(starts >= length):
            ufunc.reduceat(np.ones(length), starts)  # raises NumPy's own
        ends = np.append(starts[1:], length)
        lengths = np.maximum(ends - starts, 1)  # an empty range stands for its first element
        front: Any = (slice(None),) * axis
        parts, places = [], []
        for n in np.unique(lengths):  # ranges of one length at a time
            at = np.flatnonzero(lengths == n)
            window = x[(*front, starts[at][:, None] + np.arange(n))]
            # nothing is computed of one element: hypot leaves it its sign
            alone = (*front, slice(None), 0)
            parts.append(window[alone] if n == 1 else reduce(window, axis=axis + 1))
            places.append(at)
        if not parts:
            result = x[(*front, slice(0, 0))]
        elif len(parts) == 1:
            result = parts[0]
        else:
            order = np.argsort(np.concatenate(places))
            result = np.concatenate(parts, axis=axis)[(*front, order)]
        return write_out(out, result, "unsafe")

    return reduceat


# ----------------------------------------------------------------------------------- outer


def _outer(ufunc: Any) -> Any:
    def outer(a: Any, b: Any, /, **kwargs: Any) -> Any:
        a, b = as_array(a), as_array(b)
        return ufunc(np.reshape(a, a.shape + (1,) * b.ndim), b, **kwargs)

    return outer


# -------------------------------------------------------------------------------------- at


def _at(ufunc: Any) -> Any:
    """`ufunc.at`: an element that is named n times takes the operation n times."""

    def at(a: Any, indices: Any, b: Any = _NO) -> None:
        if ufunc.nin == 2 and b is _NO or ufunc.nin == 1 and b is not _NO:
            ufunc.at(np.ones(1), 0, *(() if b is _NO else (1.0,)))  # raises NumPy's own
        if not isinstance(a, Tensor):
            # a plain array cannot be followed: its elements are stored into
            result = _applied(ufunc, np.array(a), indices, b)
            HOOKS["write_plain"](a, result)
            return
        HOOKS["write_tensor"](a, _applied(ufunc, a, indices, b))

    return at


def _applied(ufunc: Any, a: Any, indices: Any, b: Any) -> Any:
    """`a` after `ufunc.at(a, indices, b)`, as a new Tensor."""
    index = plain_index(indices)
    if ufunc in (np.add, np.subtract):
        b = as_array(b)
        if not np.can_cast(b.dtype, a.dtype, "same_kind"):
            raise DTypeError(
                three_part(
                    f"{ufunc.__name__}.at: {b.dtype} cannot be added into {a.dtype}.",
                    "The operation works in place, and the dtype of the array stays.",
                    f"Convert the array first: a = a.astype({str(b.dtype)!r}).",
                )
            )
    if is_unknown(index):
        return _applied_somewhere(ufunc, a, index, b)
    places = np.arange(a.size).reshape(a.shape)[index]
    flat, target = np.reshape(a, (-1,)), places.reshape(-1)
    rest: tuple[Any, ...] = ()
    if b is not _NO:
        rest = (np.reshape(np.broadcast_to(as_array(b), places.shape), (-1,)),)
    if ufunc in (np.add, np.subtract):
        return np.reshape(_added(ufunc, flat, target, rest[0]), a.shape)
    for turn in _turns(target):
        step = ufunc(flat[target[turn]], *(r[turn] for r in rest))
        flat = HOOKS["op:setitem"](flat, step.astype(a.dtype), index=target[turn])
    return np.reshape(flat, a.shape)


def _added(ufunc: Any, a: Any, index: Any, b: Any) -> Any:
    """One place after another, as NumPy: the sum of all of them has other bits."""
    if a.dtype == bool:
        added = HOOKS["op:scatter_add"](b, shape=a.shape, index=index)
        return ufunc(a, added).astype(a.dtype)
    return HOOKS["op:add_at"](a, b if ufunc is np.add else np.negative(b), index=index)


def _applied_somewhere(ufunc: Any, a: Any, index: Any, b: Any) -> Any:
    """`_applied` at an index that is not known while tracing, or another for each example."""
    if type(index) is tuple and len(index) == 1:
        (index,) = index
    if type(index) is not tuple and index.dtype == bool and np.ndim(b) == 0 < a.ndim:
        mask = np.reshape(index, (*index.shape, *(1,) * (a.ndim - index.ndim)))
        return np.where(mask, ufunc(a, *(() if b is _NO else (b,))), a).astype(a.dtype)
    known = a if isinstance(a, Tensor) else new_tensor(a)
    shape = np.shape(known[index])  # an index whose shape is not known is refused
    if ufunc in (np.add, np.subtract):
        return _added(ufunc, a, index, np.broadcast_to(b, shape))
    if math.prod(shape) != 1:
        raise TracingError(
            three_part(
                f"np.{ufunc.__name__}.at of {aval_of(a)!r} at places that are not known.",
                f"Called at {decode(*here())}; a place that is named twice takes it twice.",
                "Take one place after another with gt.fori_loop, whose body writes "
                f"a[i[n]] = np.{ufunc.__name__}(a[i[n]], ...).",
            )
        )
    step = ufunc(known[index], *(() if b is _NO else (np.broadcast_to(b, shape),)))
    return HOOKS["op:setitem"](a, step.astype(a.dtype), index=index)


def _turns(target: Any) -> list[Any]:
    """The positions in `target` in groups, each of which names an element at most once."""
    order = np.argsort(target, kind="stable")
    ordered = target[order]
    new = np.concatenate([[True], ordered[1:] != ordered[:-1]]) if len(ordered) else ordered
    first = np.flatnonzero(new)
    turn = np.arange(len(ordered)) - np.repeat(first, np.diff(np.append(first, len(ordered))))
    return [order[turn == n] for n in range(int(turn.max(initial=-1)) + 1)]


# ------------------------------------------------------------------------------ registration


def _spanned(name: str, body: Any) -> Any:
    def operation(*args: Any, **kwargs: Any) -> Any:
        with span():
            return body(*args, **kwargs)

    operation.__name__ = operation.__qualname__ = name
    return operation


_MAKERS = {"reduce": _reduce, "accumulate": _accumulate, "reduceat": _reduceat}


def _register(ufunc: Any) -> None:
    name = ufunc.__name__
    card = CARDS[name]
    if ufunc.nout != 1:
        return
    UFUNC_METHODS[ufunc, "at"] = _spanned(f"{name}.at", _at(ufunc))
    if ufunc.nin != 2:
        return
    UFUNC_METHODS[ufunc, "outer"] = _spanned(f"{name}.outer", _outer(ufunc))
    for method, make in _MAKERS.items():
        label = f"{name}.{method}"
        if card.kind == "nondifferentiable":
            UFUNC_METHODS[ufunc, method] = nondifferentiable_call(label, getattr(ufunc, method))
        elif ufunc is not np.ldexp:  # of a float and an integer: NumPy cannot reduce with it
            UFUNC_METHODS[ufunc, method] = _spanned(label, make(ufunc))


for _ufunc in list(UFUNCS):
    if _ufunc.signature is None:
        _register(_ufunc)
