"""A backward sweep with many cotangents at once: each has the batch as its first axis.

Records of elementwise operations and of sums run on the arrays as they are, for numbers with a
leading axis broadcast against partials without one. Every other record runs its own rule under a
level of `vmap`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .card import VALUES, select
from .cards import unbroadcast
from .lift import Batch, Level
from .rows import has_nan
from .state import AVALS, CARD, KEYS, KX, OUT, PARAMS, RESIDUALS, RUN, Recorder, next_key
from .sweep import quiet, run_item, run_sum_all, run_unsupported, run_wrapped, unsupported_error
from .tensor import Tensor, new_traced, raw

ndarray = np.ndarray
Grads = dict[int, Any]


def backward_batched(
    recorder: Recorder, target: Any, cts: Any, sources: Any, keys: Any = None, consume: bool = False
) -> list[Any]:
    """The cotangents of `sources` for each of `cts: (size, *target.shape)`, as raw arrays.

    None where there is no path. Nothing records meanwhile, and the record holds no lifts.
    """
    keys = [s.key for s in sources] if keys is None else keys
    size = len(cts)
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
            if type(rec[KEYS]) is not tuple and rec[RUN] is run_sum_all:
                _add(grads, rec[KX], _spread(g, rec[7]))
            elif rec[CARD].kind == "elementwise" and type(g) is ndarray:
                _elementwise(rec, g, grads)
            elif rec[RUN] is run_unsupported:
                raise unsupported_error(rec)
            else:
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
        if g.dtype.kind == "c" and s.dtype.kind != "c":
            g = g.real
        results.append(np.array(np.broadcast_to(g, shape), dtype=s.dtype))
    return results


def _spread(g: Any, shape: Any) -> Any:
    """One number for each of the batch, for every element of `shape`."""
    return np.broadcast_to(g.reshape(g.shape + (1,) * len(shape)), (len(g), *shape))


def _add(grads: Grads, key: int, g: Any) -> None:
    old = grads.get(key)
    grads[key] = g if old is None else old + g


def _elementwise(rec: list[Any], g: Any, grads: Grads) -> None:
    card = rec[CARD]
    if type(rec[KEYS]) is tuple:
        keys, operands, out, params = rec[KEYS], rec[9], rec[10], rec[PARAMS]
        shapes = [a.shape for a in rec[AVALS]]
        dtypes = [a.dtype.kind for a in rec[AVALS]]
        if "where" in params or card.outputs > 1:
            level = Level("vmap", len(g))
            with level:
                _general(level, rec, g, grads)
            return
    else:
        n = card.arity
        keys, shapes = (rec[5], rec[6])[:n], [s or () for s in (rec[7], rec[8])[:n]]
        operands, out = (rec[9], rec[10])[:n], rec[11]
        dtypes = [None] * n
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
    if isinstance(partial, str):
        p = (out, *operands)[VALUES.index(partial)]
    elif callable(partial):
        p = partial(out, *operands)
    elif partial == 0:
        return None
    else:
        return g if partial == 1 else -g if partial == -1 else g * partial
    if np.result_type(p).kind == "b":
        return select(g, np.broadcast_to(p, g.shape))
    if np.iscomplexobj(p):
        p = np.conjugate(p)
    product = g * p
    if has_nan(product):
        product = np.where(g == 0, np.zeros((), product.dtype), product)
    return product


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
