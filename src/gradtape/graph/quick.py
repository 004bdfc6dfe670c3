"""The short way of an elementwise operation into a graph: most of what is traced are these.

It does what `dispatch.apply` and `Trace.emit` do for operands that are symbols of the running trace
and numbers, in one function: the types of results are remembered, and the user's frame is looked
for once. What it cannot do it leaves to them, with nothing done.
"""

from __future__ import annotations

from threading import get_ident
from typing import Any

from ..core.aval import INEXACT, Aval, aval_of
from ..core.card import Card
from ..core.dispatch import record
from ..core.operands import MOST_CAUSES, SCALARS, blunted, both, ended, lost_cause
from ..core.positions import user_frame
from ..core.refusals import LOWER
from ..core.state import next_key, state
from ..core.symbol import Symbol
from ..core.tensor import Tensor, Traced
from .ir import Constant, Node
from .shapes import results_of

__all__ = ["quick"]

_new = Traced.__new__
_MOST = 4096
# (card, shape, dtype, whether weak, of the next operand ...) -> the aval of the result
_results: dict[tuple[Any, ...], Aval] = {}


def quick(trace: Any, card: Card, operands: tuple[Any, ...]) -> Tensor | None:
    """The result of an elementwise card, recorded by all tapes that follow an operand.

    None where something is not as it mostly is: an operand that is neither a symbol of this trace
    nor a number, nothing unknown among them, a level of `jvp` or `vmap`.
    """
    if state.levels or card.outputs != 1 or card.unview is not None:
        return None
    values: list[Any] = []
    keys: list[int] = []
    inputs: list[Any] = []
    kinds: list[Any] = [card]
    why: Any = None
    is_known = True
    for i, x in enumerate(operands):
        kind = type(x)
        if kind is Traced:
            value = x.value
            if type(value) is not Symbol or value.trace is not trace:
                return None
            is_known = False
            values.append(value)
            keys.append(x.key)
            node = value.node
            reason = x.why
            if reason is not None and reason is not why:
                if card.vjps is not None and not card.has_vjp(i):
                    reason = blunted(reason)
                why = reason if why is None else both(why, reason)
        elif kind in SCALARS:
            values.append(x)
            keys.append(0)
            node = Constant(aval_of(x), x)
        else:
            return None
        inputs.append(node)
        aval = node.aval
        kinds += (aval.shape, aval.dtype, aval.weak)
    if is_known:
        return None
    signature = tuple(kinds)
    aval = _results.get(signature)
    if aval is None:
        try:
            (aval,), many = results_of(card, inputs, {}, len(inputs))
        except LOWER:  # the long way says where
            return None
        if many:
            return None
        if len(_results) >= _MOST:
            _results.clear()
        _results[signature] = aval
    frame = user_frame()
    position = frame.f_code, frame.f_lasti
    made = Node(card, tuple(inputs), {}, (aval,), position)
    trace.graph.nodes.append(made)
    z = Symbol(aval, made.outputs[0], trace, position)
    out = _new(Traced)
    out.value = z
    tapes = [t for t in state.tapes if not t.tracked.isdisjoint(keys)]
    if not tapes:
        out.key = 0
        if any(keys) and not (why is not None and why[0] == "several" and (
            len(why[4]) >= MOST_CAUSES
        )):  # fmt: skip
            cause, thread = lost_cause(), get_ident()
            for key in keys:
                if key:
                    found = (cause, *position, key, thread)
                    why = found if why is None else both(why, found)
        out.why = why
        return out
    kk = next_key()
    is_passed = aval.dtype.char in INEXACT
    for tape in tapes:
        record(tape, card, kk, keys, values, operands, {}, z, (), frame)
        if is_passed:
            tape.tracked.add(kk)
    if not is_passed:
        out.key = 0
        out.why = ended(why, "integer", keys, f"{card.name} -> {aval.dtype}")
        return out
    out.key, out.why = kk, why
    return out
