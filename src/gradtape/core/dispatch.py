"""Dispatch: how a call becomes a value and, where a tape follows an operand, a record.

Two paths lead to the same records: the *fast path* of `fast.py` for elementwise operations, and
`apply` here for every other card and every other way of calling.

A record is a list whose first nine fields are the skeleton (`state.py` names them) and whose
rest are the residuals, the values its backward rule needs. Fast records keep at SX and SY the
shapes of the operands (None for 0-d) and then x, y, out (or None where the card does not need
them); general records keep the tuple of operands (an Aval where the value is not needed) and out.
In a key field, k > 0 is followed by the tape, -k is known but not followed by this tape (another
one may follow it), 0 is a constant.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from .aval import INEXACT, aval_of, is_differentiable
from .card import Card
from .exits import came_back
from .indexing import is_basic
from .layouts import is_view
from .lift import Lift
from .observing import Keeping
from .operands import (
    blunted,
    both,
    ended,
    keep_constant,
    lost,
    named,
    operand,
    refuse_own_arithmetic,
    rewrap,
    unwrap,
    why_of,
)
from .positions import user_frame
from .refusals import LOWER, refuse
from .registry import HOOKS
from .state import OUT, Recorder, next_key, state
from .sweep import run_general, run_item, run_unsupported
from .symbol import Symbol
from .tensor import Tensor, View, new_tensor, new_traced
from .variable import Variable, VariableSlice, slice_of

ndarray = np.ndarray
_DIFFERENTIABLE = frozenset(np.dtype(c).type for c in "efdgFDG")


def apply(card: Card, operands: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """Run `card` on Tensors and plain values, and record it on every tape that follows one.

    Returns a Tensor, or a tuple of Tensors for a card with several outputs.
    """
    values: list[Any] = []
    keys: list[int] = []
    why: Any = None
    base: Any = None
    lifted = state.levels and params and HOOKS["holds_lift"](params)
    for i, x in enumerate(operands):
        if isinstance(x, Tensor):
            if base is None:
                base = x
            if type(x) is Tensor:
                values.append(x.value)
            else:
                value = x.read()
                values.append(value)
                if isinstance(value, Lift):
                    lifted = True
            keys.append(x.key)
            reason = x.why
            if reason is not None and reason is not why:
                if card.vjps is not None and not card.has_vjp(i):
                    reason = blunted(reason)
                why = reason if why is None else both(why, reason)
        else:
            value, key, reason = operand(x, card.name)
            if isinstance(value, Lift):
                lifted = True
            values.append(value)
            keys.append(key)
            if reason is not None:
                why = why or reason
    tapes: Any = state.tapes
    made: Any = new_tensor
    try:
        if lifted:
            made = new_traced
            z, tapes = HOOKS["lift"](card, values, operands, params)
        elif tapes and tapes[0].is_trace:
            made = new_traced
            z = tapes[0].call(card, values, operands, params)
        else:
            z = card.impl(*values, **params)
    except LOWER as error:
        refuse(error, card.name, operands, params)
    many = type(z) is tuple or type(z) is list
    if many:
        z = tuple(part[()] if type(part) is ndarray and part.ndim == 0 else part for part in z)
    elif type(z) is ndarray and z.ndim == 0:
        z = z[()]  # a 0-d Tensor holds a NumPy scalar, which nobody can write to
    if tapes:
        tapes = [t for t in tapes if not t.tracked.isdisjoint(keys)]
    if not tapes:
        if state.tapes and not all(keys):
            keys = [k or named(x) for k, x in zip(keys, operands, strict=True)]
        if any(keys):
            why = lost(why, *keys)
        if many:
            return tuple(made(part, 0, _carried(part, why)) for part in z)
        if card.unview is not None:
            return _as_view(z, 0, _carried(z, why), base, card, params)
        return made(z, next_key() if lifted else 0, _carried(z, why))
    frame = user_frame()
    kk = next_key()
    items = tuple(next_key() if is_differentiable(part.dtype) else 0 for part in z) if many else ()
    is_passed = not many and (type(z) in _DIFFERENTIABLE or z.dtype.char in INEXACT)
    for tape in tapes:  # all of one before the next: an accumulator plays on those around it
        tape.is_lifted = tape.is_lifted or bool(lifted)
        record(tape, card, kk, keys, values, operands, params, z, items, frame)
        record_items(tape, frame, kk, items)
        if is_passed:
            tape.tracked.add(kk)
    if many:
        return tuple(_item(kk, part, why, key, made) for part, key in zip(z, items, strict=True))
    if not is_passed:
        return made(z, 0, ended(why, "integer", keys, f"{card.name} -> {z.dtype}"))
    if card.unview is not None:
        return _as_view(z, kk, why, base, card, params)
    return made(z, kk, why)


def record_many(
    card: Card, operands: tuple[Any, ...], values: Any, z: tuple[Any, ...], residuals: Any
) -> tuple[Tensor, ...]:
    """Results that were computed elsewhere as Tensors, recorded on every tape that follows.

    `residuals` stands in the record where other records keep their result.
    """
    keys = [x.key if isinstance(x, Tensor) else 0 for x in operands]
    tapes = [t for t in state.tapes if not t.tracked.isdisjoint(keys)]
    frame = user_frame()
    kk = next_key()
    items = tuple(next_key() if is_differentiable(part.dtype) else 0 for part in z)
    for tape in tapes:
        record(tape, card, kk, keys, list(values), operands, {}, z, items, frame)
        if tape.ops and tape.ops[-1][OUT] == kk:
            tape.ops[-1][10] = residuals
        record_items(tape, frame, kk, items)
    why = why_of([x for x in operands if isinstance(x, Tensor)])
    return tuple(_item(kk, part, why, key, new_tensor) for part, key in zip(z, items, strict=True))


def _carried(z: Any, why: Any) -> Any:
    """What a result says of its operands' lost history; an integer passes no derivative on."""
    if why is None or not isinstance(z, ndarray | np.generic) or z.dtype.kind in "fcO":
        return why
    return blunted(why)


def record(
    tape: Recorder,
    card: Card,
    kk: int,
    keys: list[int],
    values: list[Any],
    operands: tuple[Any, ...],
    params: dict[str, Any],
    z: Any,
    items: tuple[int, ...],
    frame: Any,
) -> None:
    """Append what a card was called with, and gave, to a tape."""
    tracked = tape.tracked
    signed = tuple([k if k in tracked else -k for k in keys])
    avals = tuple([aval_of(v) for v in values])
    keeps_all = tape.keep_all or Keeping.everything
    keep: Any = None if tape.keep_all else card.keep
    if type(keep) is dict:  # what the operands that this tape follows need, and no more
        keep = {j for i, k in enumerate(signed) if k > 0 for j in keep.get(i, ())}
    kept: Any = avals
    if keep is None or keep or keeps_all:
        kept = []
        for i, value in enumerate(values):
            if keep is not None and i not in keep:
                kept.append(value if keeps_all else avals[i])
            elif type(value) is ndarray and not isinstance(operands[i], Tensor):
                kept.append(keep_constant(tape, value))
            else:
                kept.append(value)
        kept = tuple(kept)
    if tape.exits is not None:
        numbers = [p for p in params.values() if type(p) is float or _is_floating(p)]
        if numbers or not tracked.issuperset(keys):
            came_back(tape, kk, card, *operands, *numbers)
    run = run_general
    if card.vjps is None:
        run = card.run
        if run is None:
            run = run_unsupported
            tape.has_unsupported = True
    tape.record(
        [
            run, card, kk, frame.f_code, frame.f_lasti, signed, items, avals, params,
            kept, z if card.keep_out or keeps_all else None,
            tuple(map(aval_of, z)) if items else None,
        ]
    )  # fmt: skip


def _is_floating(x: Any) -> bool:
    return isinstance(x, ndarray | np.generic) and x.dtype.char in INEXACT


def record_items(tape: Recorder, frame: Any, kk: int, items: tuple[int, ...]) -> None:
    """A record for each output of a record with several outputs."""
    for i, key in enumerate(items):
        if key:
            tape.record(
                [run_item, ITEM, key, frame.f_code, frame.f_lasti, kk, 0, i, len(items),
                 None, None, None]
            )  # fmt: skip
            tape.tracked.add(key)


def _item(kk: int, part: Any, why: Any, key: int, made: Any) -> Any:
    """One output of a record with several outputs, as a Tensor."""
    if not key:
        return made(part, 0, ended(why, "integer", (kk,), str(part.dtype)))
    return made(part, key, why)


ITEM = Card("item", "primitive", operator.getitem, 1)
ITEM.reason = "output of an operation with several outputs"


def _as_view(z: Any, key: int, why: Any, base: Any, card: Card, params: dict[str, Any]) -> Tensor:
    """`z` as a Tensor; as a View of `base` where NumPy gave a view of its buffer."""
    if isinstance(z, Lift):  # taken for a view where NumPy gives one of an array in C order
        if isinstance(base, Variable | None) or not is_basic(params.get("index", 0)):
            return new_traced(z, key, why)
        if not is_view(z, base, card, params):
            return new_traced(z, key, why)
        base.key = base.key or next_key()
        return _new_view(z, key, why, base, card, params)
    if base is None or (type(z) is not ndarray and type(z) is not Symbol):
        return new_traced(z, key, why)
    buffer = base.value
    if type(z) is Symbol:  # taken for a view where NumPy gives one of an array in C order
        if type(base) is Variable or not is_basic(params.get("index", 0)):
            return new_traced(z, key, why)
        if not is_view(z, base, card, params):
            return new_traced(z, key, why)
    elif z.base is not buffer and not _looks_at(z, base, params):
        return new_traced(z, key, why)
    if isinstance(base, Variable):
        return slice_of(base, z, key, why, card, params)
    return _new_view(z, key, why, base, card, params)


def _new_view(z: Any, key: int, why: Any, base: Any, card: Card, params: dict[str, Any]) -> View:
    view = View.__new__(View)
    view.value, view.key, view.why = z, key, why
    view.base_tensor, view.base_key, view.base_shape = base, base.key, base.value.shape
    view.card, view.params = card, params
    return view


def _looks_at(z: Any, base: Tensor, params: dict[str, Any]) -> bool:
    """Whether NumPy's `z` is a view of the buffer of `base`, by way of another array."""
    buffer, owner = base.value, z.base
    if type(buffer) is not ndarray:  # a Variable of one number: NumPy's would be a 0-d array
        return isinstance(base, Variable) and ("index" not in params or is_basic(params["index"]))
    if owner is None:
        return False
    # as_strided puts an object of its own between a view and the array it looks at
    return owner is buffer.base or (
        type(owner) is not ndarray and getattr(owner, "base", None) is buffer
    )


def rederive(view: View) -> None:
    """Apply the card of a stale view to its base again."""
    fresh = apply(view.card, (view.base_tensor,), view.params)
    view.value, view.key, view.why = fresh.value, fresh.key, fresh.why
    if not view.key:  # a view of this view must see that this is another version
        view.key = next_key()
    view.base_key = view.base_tensor.key


def write_base(view: View) -> None:
    """After a write through `view`: put its new value into its base, which has a new version."""
    if isinstance(view, VariableSlice):
        view.write_through()
        return
    base = view.base_tensor
    current = new_traced(view.value, view.key, view.why)
    view.value = view.value if type(view.value) is not ndarray else view.value[...]
    updated = view.card.unview(base, current, **view.params)
    if updated is not None:  # None: the rule wrote the base itself
        base.become(updated)
    if not base.key:
        base.key = next_key()
    view.base_key = -base.key  # at its next read it looks at the memory of the base again


def write_out(out: Any, result: Any, casting: str = "same_kind") -> Any:
    """Write `result` into `out` and return it.

    A Tensor `out` becomes a new version that has the history of `result`. A plain array gets the
    value, and a tracked Tensor of its dtype is returned, so that `acc += t` rebinds `acc` to one
    that has a gradient. An `out` of None is none. NumPy's reductions and
    copies of entries cast whatever comes to the dtype of `out`: these pass `casting="unsafe"`.
    """
    if isinstance(out, tuple):
        if len(out) == 1 and not isinstance(result, tuple):
            out = out[0]
        else:
            return tuple(
                r if o is None else write_out(o, r, casting)
                for o, r in zip(out, result, strict=True)
            )
    if out is None:
        return result
    if isinstance(out, Tensor):
        HOOKS["write_tensor"](out, result)
        return out
    return HOOKS["write_plain"](out, result, casting)


def nondifferentiable_call(name: str, function: Any) -> Any:
    """`function` on Tensors, with results that no tape follows and that say so."""

    def operation(*args: Any, out: Any = None, **kwargs: Any) -> Any:
        found: list[Tensor] = []
        given = args, kwargs
        args, kwargs = unwrap(args, found), unwrap(kwargs, found)
        if state.levels and HOOKS["holds_lift"]((args, kwargs)):
            lifted = HOOKS["lift_nondifferentiable"](name, function, operation, *given)
            return write_out(out, lifted)
        for x in args:
            if type(x) is not ndarray and isinstance(x, ndarray):
                refuse_own_arithmetic(x, name)
        try:
            z = function(*args, **kwargs)
        except LOWER as error:
            refuse(error, name, args, kwargs)
        why = ended(why_of(found), "nondifferentiable", [t.key for t in found], name)
        return write_out(out, rewrap(z, why))

    operation.__name__ = operation.__qualname__ = name
    return operation


class span:
    """Records made inside `with span():` are made on behalf of the user's line that led here."""

    __slots__ = ("starts",)

    def __enter__(self) -> None:
        self.starts = [(tape, len(tape.ops)) for tape in state.tapes]

    def __exit__(self, *_: object) -> None:
        for tape, start in self.starts:
            if len(tape.ops) > start:
                frame = user_frame()
                tape.spans.append((start, len(tape.ops), frame.f_code, frame.f_lasti))


HOOKS["rederive"] = rederive
HOOKS["write_base"] = write_base
HOOKS["write_out"] = write_out
