"""NumPy functions without a card: computed, and an error only when a gradient needs them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .aval import INEXACT
from .card import Card
from .exits import note_exit
from .operands import ended, rewrap, unwrap, why_of
from .positions import user_frame
from .registry import HOOKS
from .state import next_key, state
from .sweep import run_unsupported
from .tensor import Tensor, new_tensor

ndarray = np.ndarray
_UNSUPPORTED: dict[str, Card] = {}


def uncarded_ufunc(ufunc: Any, method: str, inputs: Any, kwargs: Any) -> Any:
    """A ufunc or ufunc method without a card: computed, and unsupported when a gradient asks."""
    name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
    function = ufunc if method == "__call__" else getattr(ufunc, method)
    return unsupported(name, function, inputs, kwargs)


def uncarded(function: Any, args: Any, kwargs: Any) -> Any:
    """A NumPy function without a card."""
    module = getattr(function, "__module__", "numpy") or "numpy"
    return unsupported(f"{module}.{function.__name__}", function, args, kwargs)


def unsupported(name: str, function: Any, args: Any, kwargs: Any) -> Any:
    """Compute `function`; its results are followed, but a gradient through them raises."""
    found: list[Tensor] = []
    values = unwrap(args, found), unwrap(kwargs, found)
    if state.levels and HOOKS["holds_lift"](values):
        return HOOKS["lift_uncarded"](name, function, args, kwargs)
    z = function(*values[0], **values[1])
    keys = [t.key for t in found]
    if z is None:
        HOOKS["plain_effect"](name, args, found)
        return None
    tapes = tuple(t for t in state.tapes if not t.tracked.isdisjoint(keys))
    why = why_of(found)
    if isinstance(z, ndarray) and z.dtype.hasobject and any(keys):  # a ufunc of np.frompyfunc
        numbers = _numbers(z)
        if numbers is None or any(tape.strict for tape in state.tapes):
            for t in found:
                note_exit(t, "numpy.frompyfunc")
        if numbers is None:
            return z
        cause = "objects" if numbers.dtype.kind in "fc" else "integer"
        return new_tensor(numbers, 0, ended(why, cause, keys, name))
    if isinstance(z, float | int | complex) and not isinstance(z, np.generic | bool):
        for t in found:
            note_exit(t, name, z)
        return z
    if not tapes:
        return rewrap(z, ended(why, "no card", keys, name))
    return _followed(z, _card(name, function), found, tapes, why)


def _card(name: str, function: Any) -> Card:
    card = _UNSUPPORTED.get(name)
    if card is None:
        card = _UNSUPPORTED[name] = Card(name, "unsupported", function, -1, False)
        card.keep, card.keep_out = (), False
    return card


def _followed(z: Any, card: Card, found: list[Tensor], tapes: Any, why: Any) -> Any:
    """Every array in `z` as a Tensor with a record of its own, through which no gradient passes."""
    if isinstance(z, tuple | list):
        parts = [_followed(part, card, found, tapes, why) for part in z]
        return type(z)(*parts) if hasattr(z, "_fields") else type(z)(parts)
    keys = [t.key for t in found]
    if not isinstance(z, ndarray | np.generic):
        return z
    if z.dtype.char not in INEXACT:
        return new_tensor(z, 0, ended(why, "integer", keys, f"{card.name} -> {z.dtype}"))
    frame = user_frame()
    kk = next_key()
    for tape in tapes:
        signed = tuple(k if k in tape.tracked else -k for k in keys)
        avals = tuple(t.aval for t in found)
        tape.has_unsupported = True
        tape.record([run_unsupported, card, kk, frame.f_code, frame.f_lasti, signed, 0, avals, {},
                     avals, None, None])  # fmt: skip
        tape.tracked.add(kk)
    return new_tensor(z, kk, why)


def _numbers(objects: Any) -> Any:
    """An array of objects as one of numbers, if it has nothing else; a Tensor is no use without.

    NumPy leaves what a ufunc of `np.frompyfunc` returns an array of objects.
    """
    if not all(isinstance(item, float | int | complex | np.number) for item in objects.flat):
        return None
    numbers = np.array(objects.tolist()).reshape(objects.shape)
    return numbers if numbers.dtype.kind in "biufc" else None


HOOKS["uncarded"] = uncarded
HOOKS["uncarded_ufunc"] = uncarded_ufunc
