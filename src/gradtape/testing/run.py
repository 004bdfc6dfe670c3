"""A call on Tensors under a recorder, what it gives in both directions, and the rules it used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..core.aval import Aval, aval_of
from ..core.cards import Card
from ..core.state import AVALS, CARD, KEYS, RUN, Recorder, next_key, pop, push, state
from ..core.sweep import backward, forward, run_item, unpack
from ..core.tensor import Tensor, new_tensor
from ..core.tree import flatten
from .numbers import check_close, direction, near, real_dot


class Run:
    """One call of a function on Tensors; the recorder keeps everything unless `keep_all=False`."""

    def __init__(
        self,
        function: Any,
        operands: Sequence[Any],
        kwargs: Mapping[str, Any],
        wrt: Sequence[int],
        keep_all: bool = True,
    ) -> None:
        self.recorder = Recorder(keep_all=keep_all)
        args = list(operands)
        for i in wrt:
            if isinstance(args[i], Tensor):
                args[i] = np.positive(args[i])
                args[i].key = args[i].key or next_key()
            else:
                args[i] = new_tensor(args[i], next_key())
            self.recorder.tracked.add(args[i].key)
            self.recorder.leaves[args[i].key] = None
        push(self.recorder)
        try:
            with np.errstate(all="ignore"):
                out = function(*args, **kwargs)
        finally:
            pop(self.recorder)
        self.inputs = [args[i] for i in wrt]
        outs = [o if isinstance(o, Tensor) else new_tensor(np.asarray(o)) for o in flatten(out)[0]]
        for o in outs:
            o.read()
        self.outs = outs
        self.many = isinstance(out, tuple | list)

    def vjp(self, cts: Sequence[Any]) -> list[Any]:
        """Cotangents of the inputs; Tensors while another recorder is active."""
        seeds: dict[int, Any] = {}
        for o, ct in zip(self.outs, cts, strict=True):
            if ct is None or not o.key:
                continue
            ct = new_tensor(np.array(ct)[()]) if state.tapes else np.asarray(ct)[()]
            seeds[o.key] = ct if o.key not in seeds else seeds[o.key] + ct
        grads = seeds
        backward(self.recorder, grads, {x.key for x in self.inputs}, False)
        found = []
        for x in self.inputs:
            g = grads.get(x.key)
            if g is None:
                g = np.zeros(x.shape, x.dtype)
            elif g.dtype.kind == "c" and x.dtype.kind != "c":
                g = np.real(g)
            found.append(g if g.dtype == x.dtype else g.astype(x.dtype))
        return found

    def jvp(self, tangents: Sequence[Any]) -> list[Any]:
        """Tangents of the outputs."""
        start = {x.key: t for x, t in zip(self.inputs, tangents, strict=True)}
        found = forward(self.recorder, start)
        return [
            found.get(o.key, np.zeros(o.shape)) if o.key else np.zeros(o.shape) for o in self.outs
        ]


class Rules:
    """Checks the rules of the cards in the records of one case, each called directly.

    A card is looked at once for each combination of shapes and parameters.
    """

    def __init__(self, shape: bool, batch: bool) -> None:
        self.shape, self.batch = shape, batch
        self.seen: set[Any] = set()

    def check(self, label: str, recorder: Recorder) -> None:
        """Every record of `recorder`, against the card's own results."""
        for rec in list(recorder.ops):
            if rec[RUN] is not run_item:
                with np.errstate(all="ignore"):
                    self._check(label, rec)

    def _check(self, label: str, rec: list[Any]) -> None:
        card: Card = rec[CARD]
        keys, operands, out, params = unpack(rec)
        general = type(rec[KEYS]) is tuple
        avals = rec[AVALS] if general else [aval_of(x) for x in operands]
        key = card.name, str(avals), str([k != 0 for k in keys]), str(params)
        if key in self.seen:
            return
        self.seen.add(key)
        if not general:
            lost = [type(x) is Aval for x in operands]
            if any(lost):
                operands = [_stand_in(x, out) if type(x) is Aval else x for x in operands]
            out = card.impl(*operands)
            if all(lost) and out.size > 1 and np.all(out == out.flat[0]):  # a step: of two signs
                operands = [x * (-1.0) ** np.arange(x.size).reshape(x.shape) for x in operands]
                out = card.impl(*operands)
            avals = [aval_of(x) for x in operands]
        where = f"{label}: {card.name}"
        if self.shape:
            assert card.shape_rule is not None, f"{where}: no shape rule"
            ruled = card.shape(avals, params)
            results = out if isinstance(out, tuple | list) else (out,)
            rules = ruled if isinstance(ruled, tuple | list) else (ruled,)
            assert len(results) == len(rules), f"{where}: shape rule gives {len(rules)} outputs"
            for r, s in zip(results, rules, strict=True):
                assert s == aval_of(r), f"{where}: shape rule {s!r}, result {aval_of(r)!r}"
        if card.vjps is not None and card.jvps is not None:
            _check_modes(where, card, operands, out, [k > 0 for k in keys], params)
        if self.batch:
            assert card.batch_rule is not None, f"{where}: no batching rule"
            _check_batch(where, card, operands, [k != 0 for k in keys], params)


def _stand_in(aval: Aval, out: Any) -> Any:
    """Positive numbers for an operand whose value was not kept, complex where `out` is."""
    values = np.linspace(0.5, 1.5, aval.size).reshape(aval.shape)
    return values + 0j if out.dtype.kind == "c" else values


def _check_modes(
    where: str, card: Card, operands: Sequence[Any], out: Any, followed: list[bool],
    params: dict[str, Any],
) -> None:  # fmt: skip
    """The dot-product test of the rules of each operand, which sweeps may go around."""
    rng = np.random.default_rng(5)
    outs = out if isinstance(out, tuple | list) else (out,)
    if not all(o.dtype.kind in "fc" for o in outs):
        return
    finite = all(np.isfinite(o).all() for o in outs)
    cts = tuple(direction(rng, o) for o in outs)
    for i, is_followed in enumerate(followed):
        if not (is_followed and card.has_vjp(i) and aval_of(operands[i]).dtype.kind in "fc"):
            continue
        t = direction(rng, operands[i])
        with np.errstate(all="ignore"):
            back = card.vjp(i, cts if card.outputs > 1 else cts[0], out, operands, params)
            on = card.jvp(
                [t if j == i else None for j in range(len(operands))], out, operands, params
            )
        ahead = on if isinstance(on, tuple | list) else (on,)
        left = sum(real_dot(ct, a) for ct, a in zip(cts, ahead, strict=True) if a is not None)
        right = 0.0 if back is None else real_dot(back, t)
        both = np.isfinite(left) and np.isfinite(right)
        if both or finite and np.isfinite(left) != np.isfinite(right):
            assert near(left, right, 1e-9), (
                f"{where}: the jvp of operand {i} gives {left!r} where its vjp gives {right!r}"
            )


def _batches(operands: Sequence[Any], followed: list[bool]) -> Iterator[dict[int, int]]:
    """Operand -> axis of its batch: all that are followed, each of them, and each other one."""
    able = [i for i, f in enumerate(followed) if f]
    others = [
        i for i, x in enumerate(operands)
        if i not in able and isinstance(x, np.ndarray | np.generic) and x.dtype.kind in "biufc"
    ]  # fmt: skip
    alone = [*able, *others] if len(able) + len(others) > 1 else []
    for chosen in (able, *([[*able, *others]] if others else [])):
        last = {i: np.ndim(operands[i]) for i in chosen}
        yield dict.fromkeys(chosen, 0)
        yield last
        if len(chosen) > 1:
            yield {i: 0 if n % 2 else last[i] for n, i in enumerate(chosen)}
    for n, i in enumerate(alone):
        yield {i: 0 if n % 2 else np.ndim(operands[i])}


def _check_batch(
    where: str, card: Card, operands: Sequence[Any], followed: list[bool], params: dict[str, Any]
) -> None:
    for places in _batches(operands, followed):
        slices = _check_batch_at(where, card, operands, places, params, False)
        if all(np.array_equal(s, slices[0], equal_nan=True) for s in slices):  # as of `sign`
            _check_batch_at(where, card, operands, places, params, True)


def _check_batch_at(
    where: str, card: Card, operands: Sequence[Any], places: dict[int, int],
    params: dict[str, Any], turned: bool,
) -> list[Any]:  # fmt: skip
    """Returns the result of each entry: of scaled operands, or of `turned` ones of two signs."""
    size = 3
    rng = np.random.default_rng(7)
    stacked, axes = list(operands), [places.get(i) for i in range(len(operands))]
    for i, axis in places.items():
        x = np.asarray(operands[i])
        if x.dtype.kind in "fc":
            scales = 1 + 0.03 * rng.permutation(size)
            parts = [(x * s).astype(x.dtype) for s in scales]
            if turned and np.any(np.real(x) < 0):  # where all are positive they may have to be
                parts[-1] = -np.roll(parts[-1], 1)
        else:  # the same numbers in other places: they may be indices
            parts = [np.roll(x, n) for n in rng.permutation(size)]
        stacked[i] = np.stack(parts, axis=axis)
    with np.errstate(all="ignore"):
        out, out_axis = card.batch(size, stacked, axes, params)
        slices = []
        for n in range(size):
            one = [
                x if a is None else np.take(x, n, axis=a)
                for x, a in zip(stacked, axes, strict=True)
            ]
            slices.append(card.impl(*one, **params))
    many = isinstance(out, tuple | list)
    for j, (o, a) in enumerate(zip(out, out_axis, strict=True) if many else ((out, out_axis),)):
        expected = np.stack([np.asarray(s[j] if many else s) for s in slices], axis=a)
        check_close(f"{where}: batch rule, batch at {axes}", o, expected, 1e-12)
    return [s[0] if many else s for s in slices]
