"""A backward sweep with many cotangents at once: each has the batch as its first axis.

Records of elementwise operations and of sums run on the arrays as they are, for numbers with a
leading axis broadcast against partials without one; so do products, by rules that their cards
leave in `STACKED`. Every other record runs its own rule under a level of `vmap`. Cotangents that
are a diagonal, as those are that a Jacobian starts with, stay one while they can (`bands.py`).
"""

from __future__ import annotations

import functools
import operator
import sys
from math import isfinite
from typing import Any

import numpy as np

from .aval import native
from .bands import BANDED, STACKED, Bands, full
from .buffers import owns
from .card import VALUES, select
from .cards import unbroadcast
from .lift import Batch, Level
from .squares import square_sum
from .state import AVALS, CARD, KEYS, KX, OUT, PARAMS, RESIDUALS, RUN, Recorder, next_key
from .sweep import quiet, run_item, run_sum_all, run_unsupported, run_wrapped, unsupported_error
from .tensor import Tensor, new_traced, raw

_getrefcount = sys.getrefcount
ndarray = np.ndarray
_NO_PARAMS: dict[str, Any] = {}
Grads = dict[int, Any]


def backward_batched(
    recorder: Recorder, target: Any, cts: Any, sources: Any, keys: Any = None, consume: bool = False
) -> list[Any]:
    """The cotangents of `sources` for each of `cts: (size, *target.shape)`, as raw arrays.

    `cts` may be Bands. None where there is no path. Nothing records meanwhile, and the record
    holds no lifts.
    """
    keys = [s.key for s in sources] if keys is None else keys
    size = cts.rows if type(cts) is Bands else len(cts)
    shapes = [(size, *s.shape) for s in sources]
    key = target.key if isinstance(target, Tensor) else 0
    grads: Grads = {key: cts} if key and size else {}
    level = Level("vmap", size)
    wanted = set(keys)
    kept: Grads = {}
    with quiet(), level:
        for rec in reversed(recorder.ops):
            g = grads.pop(rec[OUT], None)
            if g is None:
                continue
            if rec[OUT] in wanted:
                kept[rec[OUT]] = g
            if type(g) is Bands:
                if _banded(rec, g, grads):
                    continue
                g = full(g)
            if type(rec[KEYS]) is not tuple and rec[RUN] is run_sum_all:
                _add(grads, rec[KX], _spread(g, rec[7]))
            elif rec[CARD].kind == "elementwise" and type(g) is ndarray:
                _elementwise(rec, g, grads)
            elif rec[RUN] is run_unsupported:
                raise unsupported_error(rec)
            elif rec[CARD] not in STACKED or not _stacked(rec, g, grads):
                _general(level, rec, g, grads)
        if consume:
            for rec in recorder.ops:
                del rec[RESIDUALS:]
    grads.update(kept)
    results: list[Any] = []
    for s, k, shape in zip(sources, keys, shapes, strict=True):
        g = grads.get(k) if k else None
        if g is None:
            results.append(None)
            continue
        g = full(g)
        if g.dtype.kind == "c" and s.dtype.kind != "c":
            g = g.real
        if (
            g.shape == shape
            and g.dtype == native(s.dtype)
            and owns(g)
            and _getrefcount(g) <= _SOLE
        ):  # nothing else refers to it
            results.append(g)
        else:
            results.append(np.array(np.broadcast_to(g, shape), dtype=native(s.dtype)))
    return results


def _calibrate() -> int:
    """The reference count of a cotangent that the sweep alone holds, where results are taken."""
    grads: Grads = {1: np.zeros(1)}
    for k in (1,):
        g = grads.get(k)
        seen = _getrefcount(g)
    return seen


_SOLE = _calibrate()


def _spread(g: Any, shape: Any) -> Any:
    """One number for each of the batch, for every element of `shape`."""
    return np.broadcast_to(g.reshape(g.shape + (1,) * len(shape)), (len(g), *shape))


def _add(grads: Grads, key: int, g: Any) -> None:
    old = grads.get(key)
    if old is None:
        grads[key] = g
    elif type(old) is Bands and type(g) is Bands:
        total = old.plus(g)
        grads[key] = total if total.is_thin() else total.dense()
    else:
        grads[key] = full(old) + full(g)


def _banded(rec: list[Any], g: Bands, grads: Grads) -> bool:
    """Play a record on bands; whether that is possible."""
    card = rec[CARD]
    rule = BANDED.get(card)
    if rule is not None:
        found = rule(rec, g)
        if found is None:
            return False
        for key, gi in found.items():
            _add(grads, key, gi)
        return True
    if card.kind != "elementwise":
        return False
    if type(rec[KEYS]) is not tuple:
        keys, shapes, kinds = (rec[5], rec[6]), (rec[7], rec[8]), None
        operands, out = (rec[9], rec[10])[: card.arity], rec[11]
    else:
        keys, shapes, kinds, operands, out, params = elementwise_parts(rec)
        if "where" in params or card.outputs > 1:
            return False
    shape = g.shape
    for k, s in zip(keys, shapes, strict=True):
        if k > 0 and s != shape:
            return False  # what broadcasts is summed over its copies
    for i, partial in enumerate(card.partials):
        if keys[i] <= 0 or partial is None:
            continue
        if not callable(partial) and not isinstance(partial, str):
            if partial == 1:
                _add(grads, keys[i], g)
            elif partial != 0:
                _add(grads, keys[i], g.mapped(functools.partial(operator.mul, partial)))
            continue
        p = _value_of(partial, out, operands)
        if np.ndim(p) > len(shape):
            return False
        gi = _scaled(g, p)
        if kinds is not None and kinds[i] != "c":
            gi = gi.mapped(lambda v: v.real if v.dtype.kind == "c" else v)
        _add(grads, keys[i], gi)
    return True


def _scaled(g: Bands, p: Any) -> Bands:
    """Bands times the value of a partial."""
    if _is_flat(p) and isfinite(square_sum(p.reshape(-1))):
        return Bands(g.rows, g.shape, {k: v * p for k, v in g.diagonals.items()})
    return g.mapped(functools.partial(_product, p=p))


def _stacked(rec: list[Any], g: Any, grads: Grads) -> bool:
    """Play a record by the rule that its card has for batches; whether that is possible."""
    found = STACKED[rec[CARD]](rec, g)
    if found is None:
        return False
    for key, gi in found.items():
        _add(grads, key, gi)
    return True


def elementwise_parts(rec: list[Any]) -> tuple[Any, Any, Any, Any, Any, Any]:
    """(keys, shapes, kinds of dtypes where known, operands, out, params) of a record."""
    if type(rec[KEYS]) is tuple:
        avals = rec[AVALS]
        shapes, kinds = [a.shape for a in avals], [a.dtype.kind for a in avals]
        return rec[KEYS], shapes, kinds, rec[9], rec[10], rec[PARAMS]
    n = rec[CARD].arity
    shapes = [s or () for s in (rec[7], rec[8])[:n]]
    return (rec[5], rec[6])[:n], shapes, [None] * n, (rec[9], rec[10])[:n], rec[11], _NO_PARAMS


def _elementwise(rec: list[Any], g: Any, grads: Grads) -> None:
    card = rec[CARD]
    keys, shapes, dtypes, operands, out, params = elementwise_parts(rec)
    if "where" in params or card.outputs > 1:
        level = Level("vmap", len(g))
        with level:
            _general(level, rec, g, grads)
        return
    for i, key in enumerate(keys):
        if key <= 0:
            continue
        partial = card.partials[i]
        if partial is None:
            continue
        gi = _times(partial, g, out, operands)
        if gi is None:
            continue
        _add(grads, key, _summed(gi, shapes[i], dtypes[i]))


def _times(partial: Any, g: Any, out: Any, operands: Any) -> Any:
    if callable(partial) or isinstance(partial, str):
        return _product(g, _value_of(partial, out, operands))
    if partial == 0:
        return None
    return g if partial == 1 else -g if partial == -1 else g * partial


def _value_of(partial: Any, out: Any, operands: Any) -> Any:
    if isinstance(partial, str):
        return (out, *operands)[VALUES.index(partial)]
    return partial(out, *operands)


def _product(g: Any, p: Any) -> Any:
    """`g` times the value of a partial, and 0 where `g` is."""
    kind = p.dtype.kind if isinstance(p, ndarray | np.generic) else np.result_type(p).kind
    if kind == "b":
        return select(g, np.broadcast_to(p, g.shape))
    if kind == "c":
        p = np.conjugate(p)
    product = g * p
    # where the partial is finite, a NaN was one before: it is smaller, so look at that
    if not (isfinite(square_sum(p.reshape(-1))) if _is_flat(p) else np.isfinite(p).all()):
        product = np.where(g == 0, np.zeros((), product.dtype), product)
    return product


def _is_flat(p: Any) -> bool:
    return type(p) is ndarray and p.flags.c_contiguous and p.dtype.char in "fd"


def _summed(g: Any, shape: tuple[int, ...], kind: Any) -> Any:
    """`g` without what broadcasting added behind the batch, real where its operand was."""
    if kind is not None and kind != "c" and g.dtype.kind == "c":
        g = g.real
    if g.shape[1:] == shape:
        return g
    extra = g.ndim - 1 - len(shape)
    if extra:
        g = g.sum(axis=tuple(range(1, 1 + extra)))
    return unbroadcast(g, (len(g), *shape))


def _general(level: Level, rec: list[Any], g: Any, grads: Grads) -> None:
    """The record's own rule on batched Tensors."""
    inner: Grads = {}
    if rec[RUN] is run_item:
        parts = grads.get(rec[KX])
        if parts is None:
            parts = grads[rec[KX]] = [None] * rec[8]
        old = parts[rec[7]]
        parts[rec[7]] = g if old is None else old + g
        return
    if type(g) is list:
        held: Any = [None if part is None else _lift(level, part) for part in g]
    else:
        held = _lift(level, g)
    run_wrapped(rec, [held], inner)
    for key, found in inner.items():
        value = raw(found)
        if isinstance(value, Batch):
            _add(grads, key, np.asarray(raw(value.inner)))
        else:
            _add(grads, key, np.broadcast_to(value, (level.size or 0, *np.shape(value))))


def _lift(level: Level, g: Any) -> Any:
    return new_traced(Batch(level, g), next_key())
