"""Sweeps over a list of records: backward for gradients, forward for tangents.

Backward, `grads` maps keys to cotangents. A record's `run` function pops nothing and returns
nothing: it reads the cotangent of its output and adds to those of its operands. The functions of
fast records are in `products.py`, those of general records here.

While a tape records during a sweep (higher derivatives), the same rules run on Tensors that carry
the keys of the recorded values; `backward` then calls `run_wrapped`.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

import numpy as np

from ..errors import UnsupportedOperationError, three_part
from .alerts import alerts, beware, calm, note_invalid
from .aval import Aval, make_aval
from .buffers import owns
from .card import Card
from .cotangents import accumulate
from .lift import Lift
from .positions import decode
from .registry import HOOKS
from .rows import rows_of, spared, stilled
from .state import (
    AVALS,
    CARD,
    CODE,
    KEYS,
    KX,
    LASTI,
    OUT,
    OUTS,
    PARAMS,
    RESIDUALS,
    RUN,
    Recorder,
    state,
)
from .symbol import Symbol
from .tensor import Tensor, new_traced

_getrefcount = sys.getrefcount
ndarray = np.ndarray
_SIGNS = frozenset([1, -1])
_DOUBLE = np.dtype(np.float64)
_LARGE = 8192  # elements from which a uniform cotangent is not written out


def run_general(rec: list[Any], g: Any, grads: dict[int, Any]) -> None:
    """Backward of a record made by `apply`."""
    card, keys, avals, params, operands, out = rec[1], rec[5], rec[7], rec[8], rec[9], rec[10]
    if rec[11] is not None:
        g = _filled(g, rec[11])
    elif g.dtype.kind == "c":
        g = _real_if_output_is(card, g, avals, params)
    for i, k in enumerate(keys):
        if k <= 0:
            continue
        if card.add_into is not None and i == 0:
            buffer = grads.get(k)
            grads[k] = None
            grads[k] = card.add_into(_own(buffer, avals[0], g), g, *operands, **params)
            continue
        gi = card.vjp(i, g, out, operands, params)
        if gi is None:
            continue
        if card.kind == "primitive" and (alerts or not _is_flagged(card)):
            gi = spared(card, i, gi, g, out, operands, params, avals)
        if gi.dtype.kind == "c" and avals[i].dtype.kind != "c":
            gi = gi.real
        accumulate(grads, k, gi)
        if not gi.size:  # what was broadcast to nothing gets 0
            beware()
    drops = card.drops
    if drops is True or "where" in params or (drops and drops(g, avals, **params)):
        beware()


def _is_flagged(card: Card) -> bool:
    return card.rows is None or card.rows.flagged


def _real_if_output_is(card: Card, g: Any, avals: Any, params: dict[str, Any]) -> Any:
    """The real part of `g` where the output was real: `imag(z) * 1j` hands back a complex one.

    Real operations that are linear in the cotangent may wait until the end, but the adjoint of
    one that is not holomorphic (`imag`, `abs`, norms) is wrong for a complex cotangent.
    """
    if card.kind == "primitive" and card.shape(avals, params).dtype.kind != "c":
        return np.real(g)
    return g


def run_sum_all(rec: list[Any], g: Any, grads: dict[int, Any]) -> None:
    """Backward of a sum over all elements: every element gets the same cotangent."""
    shape = rec[7]
    gi: Any
    if len(shape) == 1 and shape[0] < _LARGE:
        gi = np.empty(shape, g.dtype)
        gi.fill(g)
    else:  # one number seen through zero strides
        try:
            gi = np.ndarray(shape, g.dtype, np.asarray(g).data, 0, (0,) * len(shape))
        except ValueError:  # bfloat16 is in no buffer
            gi = np.broadcast_to(np.asarray(g), shape)
    if not gi.size:
        beware()
    k = rec[5]
    if grads.get(k) is None:
        grads[k] = gi
    else:
        accumulate(grads, k, gi)


def _own(buffer: Any, aval: Aval, g: Any) -> Any:
    """A cotangent buffer that may be written: the accumulated one if nothing else refers to it."""
    if buffer is None:
        return np.zeros(aval.shape, np.result_type(g.dtype))
    dtype = np.result_type(buffer.dtype, g.dtype)
    if (
        type(buffer) is ndarray
        and _getrefcount(buffer) == _OWN
        and owns(buffer)
        and buffer.flags.writeable
        and buffer.dtype == dtype
    ):
        return buffer
    return np.array(buffer, dtype=dtype)


_OWN = 1 << 30


def _calibrate_own() -> int:
    def probe(buffer: Any, aval: Any, g: Any) -> int:
        return _getrefcount(buffer)

    grads: dict[int, Any] = {1: np.zeros(3)}
    buffer = grads.get(1)
    grads[1] = None
    return probe(buffer, None, None)


_OWN = _calibrate_own()


def _filled(g: Any, avals: Any) -> Any:
    """The cotangents of several outputs, with zeros where there is none."""
    return tuple(
        np.zeros(aval.shape, aval.dtype)
        if part is None
        else np.real(part)
        if part.dtype.kind == "c" and aval.dtype.kind != "c"
        else part
        for part, aval in zip(g, avals, strict=True)
    )


def run_item(rec: list[Any], g: Any, grads: dict[int, Any]) -> None:
    """Backward of one output of a record with several: file its cotangent for that record."""
    parts = grads.get(rec[KX])
    if parts is None:
        parts = grads[rec[KX]] = [None] * rec[8]
    parts[rec[7]] = g if parts[rec[7]] is None else parts[rec[7]] + g


def run_unsupported(rec: list[Any], g: Any, grads: dict[int, Any]) -> None:
    """Backward of an op without a rule."""
    raise unsupported_error(rec)


def unsupported_error(rec: list[Any]) -> UnsupportedOperationError:
    """The error for a gradient that needs to pass through the op of `rec`."""
    shapes = ", ".join(map(repr, rec[AVALS]))
    return UnsupportedOperationError(
        three_part(
            f"gradient: {rec[CARD].name}({shapes}) has no derivative rule.",
            f"It was called at {decode(rec[CODE], rec[LASTI])}, on the path from source to target.",
            "Write it with NumPy functions that have one, give it a rule with "
            "@gt.custom_gradient, or cut the path with gt.stop_gradient(...).",
        )
    )


def wrap(value: Any, key: int) -> Any:
    """`value` as a Tensor with the key it was recorded with; constants and avals as they are."""
    if value is None or type(value) is Aval:
        return value
    if key == 0 and not isinstance(value, Symbol | Lift):
        return value
    return new_traced(value, abs(key))


def unpack(rec: list[Any], wrap: Any = None) -> tuple[Any, Any, Any, Any]:
    """(keys, operands, out, params) of any record with residuals."""
    card = rec[CARD]
    keys: Any
    if type(rec[KEYS]) is tuple:
        keys, params, out = rec[KEYS], rec[PARAMS], rec[10]
        operands = rec[9]
        if wrap is not None:
            operands = tuple(wrap(v, k) for v, k in zip(operands, keys, strict=True))
            if rec[11] is None:
                out = wrap(out, rec[OUT])
            elif out is not None:
                out = tuple(wrap(v, k) for v, k in zip(out, rec[6], strict=True))
        return keys, operands, out, params
    shapes = (rec[7], rec[8])[: card.arity]
    keys = (rec[5], rec[6])[: card.arity]
    operands = tuple(
        make_aval(s or (), _DOUBLE) if v is None else v if wrap is None else wrap(v, k)
        for v, s, k in zip((rec[9], rec[10]), shapes, keys, strict=False)
    )
    out = rec[11]
    if out is None:
        first = shapes[0] or ()
        whole = first if len(shapes) == 1 or shapes[1] == shapes[0] else np.broadcast_shapes(
            first, shapes[1] or ()
        )
        out = make_aval(whole, _DOUBLE)
    elif wrap is not None:
        out = wrap(out, rec[OUT])
    return keys, operands, out, {}


# card -> function(rec, held, grads) for cards whose recorded backward writes in place
WRAPPED: dict[Card, Any] = {}


def run_wrapped(rec: list[Any], held: list[Any], grads: dict[int, Any]) -> None:
    """Backward of any record, on Tensors, so that active tapes record it.

    `held` is a list with the cotangent alone, so that a rule can tell whether it is solely owned.
    """
    special = WRAPPED.get(rec[CARD])
    if special is not None and not state.levels:
        special(rec, held, grads)
        return
    g = held.pop()
    if rec[RUN] is run_item or rec[RUN] is run_unsupported or rec[CARD].kind == "custom":
        rec[RUN](rec, g, grads)
        return
    if rec[RUN] is run_sum_all and type(g) is Tensor and not g.key and not state.levels:
        value = g.value  # the seed, mostly: constant, so that no tape has to see it repeated
        if isinstance(value, np.generic):
            spread = new_traced(np.broadcast_to(value, rec[7]), 0, g.why)
            p = grads.get(rec[KX])
            grads[rec[KX]] = spread if p is None else p + spread
            return
    card = rec[CARD]
    if type(rec[KEYS]) is not tuple and card.kind == "elementwise" and _SIGNS.issuperset(
        card.partials
    ):  # sums and differences hand the cotangent on
        for i, sign in enumerate(card.partials):
            k = rec[KX + i]
            if k > 0:
                gi = HOOKS["unbroadcast"](g if sign == 1 else -g, rec[7 + i] or ())
                p = grads.get(k)
                grads[k] = gi if p is None else p + gi
        return
    keys, operands, out, params = unpack(rec, wrap)
    if type(rec[KEYS]) is tuple:
        if rec[11] is not None:
            g = _filled(g, rec[11])
        elif g.dtype.kind == "c":
            g = _real_if_output_is(card, g, rec[AVALS], params)
    for i, k in enumerate(keys):
        if k <= 0 or not card.has_vjp(i):
            continue
        gi = card.vjp(i, g, out, operands, params)
        if gi is None:
            continue
        if card.kind == "primitive":
            gi = spared(card, i, gi, g, out, operands, params, rec[AVALS])
        if gi.dtype.kind == "c" and type(rec[KEYS]) is tuple and rec[AVALS][i].dtype.kind != "c":
            gi = np.real(gi)
        p = grads.get(k)
        grads[k] = gi if p is None else p + gi


def is_recorded(recorder: Recorder) -> bool:
    """Whether a sweep over `recorder` runs on Tensors: a tape records, or it holds lifts."""
    return bool(state.tapes) or recorder.is_lifted


def backward(recorder: Recorder, grads: dict[int, Any], wanted: Any, consume: bool) -> None:
    """Play the records of `recorder` backwards.

    Parameters
    ----------
    recorder : Recorder
    grads : dict
        Cotangents by key; the targets' when called, those of the wanted keys that were reached
        when done. Tensors if the sweep shall be recorded (some tape records in this thread) or
        meets lifts, raw values otherwise.
    wanted : iterable of int
        Keys whose cotangents are asked for; keys that are results of records keep theirs.
    consume : bool
        Delete the residuals of every record as the sweep passes it.
    """
    leaves = recorder.leaves
    inner = [k for k in wanted if k and k not in leaves]
    wrapped = bool(state.tapes) or any(isinstance(seed, Tensor) for seed in grads.values())
    ops = recorder.ops
    pop = grads.pop
    with quiet():
        if not wrapped:
            for seed in grads.values():
                if not (seed.all() and seed.size if type(seed) is ndarray else seed):
                    beware()  # it is 0 somewhere, or what was broadcast to it gets 0
        if wrapped or inner:
            kept: dict[int, Any] = {}
            for index in range(len(ops) - 1, -1, -1):  # ops grows if this tape records
                rec = ops[index]
                g = pop(rec[OUT], None)
                if g is not None:
                    if rec[OUT] in inner:
                        kept[rec[OUT]] = g
                    if wrapped:
                        held = [g]
                        g = None
                        run_wrapped(rec, held, grads)
                    else:
                        rec[RUN](rec, g, grads)
                if consume:
                    del rec[RESIDUALS:]
            grads.update(kept)
        elif consume:
            for rec in reversed(ops):
                g = pop(rec[2], None)
                if g is not None:
                    rec[0](rec, g, grads)
                del rec[9:]
        else:
            for rec in reversed(ops):
                g = pop(rec[2], None)
                if g is not None:
                    rec[0](rec, g, grads)


try:  # NumPy keeps its error state in a context variable; the name is not public
    from numpy._core.umath import _extobj_contextvar as _context
    from numpy._core.umath import _make_extobj

    _ignore = _make_extobj(all="ignore", invalid="call", call=note_invalid)
    _context.reset(_context.set(_ignore))

    def hush() -> Any:
        """Ignore floating-point errors until the returned function is called.

        Invalid operations, 0 times infinity among them, are noted for the products.
        `np.errstate(all="ignore")` with the state made once: a third of its time.
        """
        return functools.partial(_context.reset, _context.set(_ignore))

except (ImportError, TypeError, AttributeError):  # pragma: no cover

    def hush() -> Any:
        """Ignore floating-point errors until the returned function is called."""
        state = np.errstate(all="ignore", invalid="call", call=note_invalid)
        state.__enter__()
        return functools.partial(state.__exit__, None, None, None)


class quiet:
    """`with quiet():` ignores floating-point errors."""

    __slots__ = ("restore",)

    def __enter__(self) -> None:
        self.restore = hush()

    def __exit__(self, *_: object) -> None:
        self.restore()
        calm()


def forward(recorder: Recorder, tangents: dict[int, Any]) -> dict[int, Any]:
    """Play the records of `recorder` forwards from the tangents of its sources, by key.

    The recorder must have kept every operand (`keep_all`).
    """
    tangents = dict(tangents)
    with np.errstate(all="ignore"):
        for rec in recorder.ops:
            if rec[RUN] is run_item:
                t = tangents.get(rec[KX])
                if t is not None:
                    tangents[rec[OUT]] = t[rec[7]]
                continue
            keys, operands, out, params = unpack(rec)
            ts = [tangents.get(k) if k > 0 else None for k in keys]
            if any(t is not None for t in ts):
                if rec[CARD].push is not None:
                    moves = tuple(rec[CARD].push(operands, ts)[1])
                    tangents[rec[OUT]] = moves if rec[OUTS] is not None else moves[0]
                    continue
                if rec[CARD].jvps is None:
                    raise unsupported_error(rec)
                t = rec[CARD].jvp(ts, out, operands, params)
                rows = rows_of(rec[CARD], params)
                if rows is not None and t is not None:
                    t = stilled(rows, ts, rec[AVALS], params, t)
                tangents[rec[OUT]] = t
    return tangents
