"""A backward sweep on Tensors that starts with the identity: a Jacobian that somebody follows.

`batched_sweep.py` does the same on raw arrays. Here a trace, or a tape around, sees what is
computed, so every record runs its own rule: on each diagonal while cotangents are a band, under a
level of `vmap` when they have become a matrix.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from .aval import native
from .bands import BANDED, Bands
from .batched_sweep import elementwise_parts
from .lift import Batch, Level
from .registry import HOOKS
from .state import CARD, KEYS, OUT, PARAMS, RESIDUALS, RUN, Recorder, next_key
from .sweep import quiet, run_item, run_wrapped
from .tensor import Tensor, new_tensor, new_traced, settled

Grads = dict[int, Any]


def backward_banded(
    recorder: Recorder, target: Any, cts: Bands, sources: Any, keys: Any = None,
    consume: bool = False,
) -> list[Any]:  # fmt: skip
    """The cotangents of `sources` for each of `cts`, as Tensors `(rows, *shape)`.

    None where there is no path. The record holds no lifts, and no level is active.
    """
    keys = [s.key for s in sources] if keys is None else keys
    level = Level("jacobian", cts.rows)
    grads: Grads = {target.key: cts.mapped(lambda v: new_tensor(settled(v)))}
    wanted, kept = set(keys), {}
    ops = recorder.ops
    with quiet():
        for n in range(len(ops) - 1, -1, -1):  # ops grows if this tape records
            rec = ops[n]
            g = grads.pop(rec[OUT], None)
            if g is not None:
                if rec[OUT] in wanted:
                    kept[rec[OUT]] = g
                if type(g) is not Bands or not _banded(level, rec, g, grads):
                    _general(level, rec, _lifted(level, g), grads)
            if consume:
                del rec[RESIDUALS:]
        grads.update(kept)
        return [
            _fitted(level, grads.get(k) if k else None, s)
            for s, k in zip(sources, keys, strict=True)
        ]


def _banded(level: Level, rec: list[Any], g: Bands, grads: Grads) -> bool:
    """Play a record on bands; whether that is possible."""
    rule = BANDED.get(rec[CARD])
    if rule is not None:
        found = rule(rec, g)
        for k, gi in (found or {}).items():
            _add(level, grads, k, gi)
        return found is not None
    if not _keeps_bands(rec, g.shape):
        return False
    parts: dict[int, dict[int, Any]] = {}
    for k, v in g.diagonals.items():
        inner: Grads = {}
        run_wrapped(rec, [v], inner)
        for operand, gi in inner.items():
            parts.setdefault(operand, {})[k] = gi
    for operand, diagonals in parts.items():
        _add(level, grads, operand, Bands(g.rows, g.shape, diagonals))
    return True


def _keeps_bands(rec: list[Any], shape: tuple[int, ...]) -> bool:
    """Whether each element of the operands that are followed meets one result, its own."""
    card = rec[CARD]
    if card.kind != "elementwise" or card.outputs > 1:
        return False
    if type(rec[KEYS]) is tuple and "where" in rec[PARAMS]:
        return False
    keys, shapes = elementwise_parts(rec)[:2]
    return all(k <= 0 or s == shape for k, s in zip(keys, shapes, strict=True))


def _general(level: Level, rec: list[Any], g: Any, grads: Grads) -> None:
    with level:
        if rec[RUN] is run_item:
            run_item(rec, g, grads)
            return
        inner: Grads = {}
        held = [g]
        del g
        run_wrapped(rec, held, inner)
    for k, gi in inner.items():
        if type(gi) is list:
            grads[k] = gi
        else:
            _add(level, grads, k, gi)


def _add(level: Level, grads: Grads, key: int, g: Any) -> None:
    old = grads.get(key)
    if old is None:
        grads[key] = g
        return
    if type(old) is Bands and type(g) is Bands:
        total = old.plus(g)
        grads[key] = total if total.is_thin() else _lifted(level, total)
        return
    old, g = _lifted(level, old), _lifted(level, g)
    with level:
        grads[key] = old + g


def _lifted(level: Level, g: Any) -> Any:
    """Cotangents as the rules meet them under `level`."""
    return new_traced(Batch(level, _dense(g)), next_key()) if type(g) is Bands else g


def _fitted(level: Level, g: Any, source: Any) -> Any:
    """Cotangents in the shape and dtype of their source, with the batch in front."""
    if g is None:
        return None
    held = _dense(g) if type(g) is Bands else g
    value = held.read()
    if isinstance(value, Batch) and value.level is level:
        held = value.inner if isinstance(value.inner, Tensor) else new_traced(value.inner)
    dtype, shape = native(source.dtype), (level.size or 0, *source.shape)
    if held.dtype != dtype:
        is_real = dtype.kind != "c" and held.dtype.kind == "c"
        held = (np.real(held) if is_real else held).astype(dtype)
    return held if held.shape == shape else np.broadcast_to(held, shape)


def _dense(g: Bands) -> Any:
    """Bands of Tensors as a Tensor: zeros into which each diagonal is written."""
    size = prod(g.shape)
    dtype = np.result_type(*(v.dtype for v in g.diagonals.values()))
    out: Any = new_tensor(np.zeros(g.rows * size, dtype))
    for k, v in g.diagonals.items():
        first, last = max(0, -k), min(size, g.rows - k)
        if first < last:
            start, step = (first + k) * size + first, size + 1
            there = slice(start, start + (last - first - 1) * step + 1, step)
            part = np.reshape(v, (size,))[first:last]
            out = HOOKS["setitem_op"](out, part, there)
    return np.reshape(out, (g.rows, *g.shape))
