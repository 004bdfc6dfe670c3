"""`gt.check_numerics`: stops at the first result that is not finite, forward or backward.

While no thread asks, nothing of this runs. While one does, `Tensor.value` is a property that looks
at what is put there and by whom, records keep all their values, and compiled functions run as
Python, so that the line is the user's own.
"""

from __future__ import annotations

import sys
import threading
from types import FrameType
from typing import Any

import numpy as np

from .. import events
from ..core import dispatch, fast, observing
from ..core.card import Card
from ..core.positions import decode, here
from ..core.state import OUT, state
from ..core.tensor import Tensor
from ..core.variable import Variable
from ..errors import NumericsError, three_part
from . import sweeping
from .nonfinite import NonFinite, chain_of, first_of, is_finite, operand_facts, words

__all__ = ["check_numerics"]

_slot: Any = vars(Tensor)["value"]
_lock = threading.Lock()
_asking = 0  # threads that ask
_stops: list[Any] = []
_FILES = (fast.__file__, dispatch.__file__)


class _Thread(threading.local):
    asks = False
    inside = False  # a message is being written


_thread = _Thread()


class check_numerics:
    """Raise NumericsError at the first result in this thread that is NaN or infinite.

    A switch (`gt.check_numerics()`, `gt.check_numerics(False)`) and a context manager that puts
    back what was. Everything is slower meanwhile: each result is looked at, and compiled functions
    run as Python.

    Parameters
    ----------
    enabled : bool
        Whether to look from now on.

    Raises
    ------
    NumericsError
        Later, by the operation itself: a `FloatingPointError` that names the operation, its line,
        the ranges of its operands, and the operations that led there. By `tape.gradient` where a
        derivative is not finite though every value was.

    Notes
    -----
    What NumPy computes of plain arrays alone is not looked at. A value that is masked afterwards
    (`np.where(x > 0, np.log(x), 0.0)`) stops it too; mask the operand instead:
    `np.log(np.where(x > 0, x, 1.0))`.

    Examples
    --------
    >>> import numpy as np, gradtape as gt
    >>> a = gt.Variable(1.0, name="a")
    >>> with gt.check_numerics(), np.errstate(divide="ignore"), gt.GradientTape() as tape:
    ...     loss = np.log(a - 1.0)
    Traceback (most recent call last):
    ...
    gradtape.errors.NumericsError: check_numerics: log gave -inf.
    ...
    """

    def __init__(self, enabled: bool = True) -> None:
        self._before = _thread.asks
        _ask(bool(enabled))

    def __enter__(self) -> check_numerics:
        return self

    def __exit__(self, *_: object) -> None:
        _ask(self._before)


def _ask(on: bool) -> None:
    global _asking
    if _thread.asks is on:
        return
    with _lock:
        _thread.asks = on
        _asking += 1 if on else -1
        if on and _asking == 1:
            setattr(Tensor, "value", property(_slot.__get__, _put))  # noqa: B010
            observing.keep_everything(True)
            observing.eager.asked = _wanted
            _stops.append(events.watch_gradients(_look_back))
            observing.attend()
        elif not on and _asking == 0:
            setattr(Tensor, "value", _slot)  # noqa: B010
            observing.keep_everything(False)
            observing.eager.asked = None
            _stops.pop()()


def _wanted() -> bool:
    return _thread.asks and not _thread.inside


def _put(tensor: Any, value: Any) -> None:
    _slot.__set__(tensor, value)
    if not _thread.asks or _thread.inside or is_finite(value):
        return
    _thread.inside = True
    try:
        _stop(tensor, value)
    finally:
        _thread.inside = False


def _stop(tensor: Any, value: Any) -> None:
    """Raise for a result that is not finite, unless the sweep that made it says more."""
    if isinstance(tensor, Variable):
        name = getattr(tensor, "name", None)  # None: it is being made
        raise _error(NonFinite(
            f"Variable {name!r}" if name else "gt.Variable", "forward", words(value),
            decode(*here()), (), (), None,
        ))  # fmt: skip
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        file, names = frame.f_code.co_filename, frame.f_locals
        if file == sweeping.__file__:  # a gradient: `_look_back` knows which operation
            return
        card = names.get("card")
        if file in _FILES and isinstance(card, Card):
            raise _error(_of_card(card, names, value))
        if not file.startswith(_ROOT):
            break
        frame = frame.f_back
    raise _error(NonFinite("a result", "forward", words(value), decode(*here()), (), (), None))


_ROOT = fast.__file__.rpartition("core")[0]


def _of_card(card: Card, names: dict[str, Any], value: Any) -> NonFinite:
    if "operands" in names:
        operands = list(names["operands"])
    elif "y" in names and card.arity == 2:
        operands = [names["x"], names["y"]]
    else:
        operands = [names[n] for n in ("x", "a") if n in names][:1]
    facts, made = [], None
    for x in operands:
        if isinstance(x, Tensor | np.ndarray | np.generic | float | int | complex):
            facts.append(operand_facts(x.name if isinstance(x, Variable) else "", x))
        if isinstance(x, Tensor) and x.key:
            found = _record_of(x.key)
            made = found if made is None or (found and found[1] > made[1]) else made
    position = decode(*here())
    chain = (*(chain_of(*made) if made is not None else ()), (card.name, position))
    return NonFinite(card.name, "forward", words(value), position, tuple(facts), chain, None)


def _record_of(key: int) -> tuple[Any, int] | None:
    """The recorder and the place of the record that made a value."""
    for tape in state.tapes:
        for index in range(len(tape.ops) - 1, -1, -1):
            if tape.ops[index][OUT] == key:
                return tape, index
    return None


def _look_back(recorder: Any, targets: Any, sources: Any, results: Any, position: Any) -> None:
    """Raise where a gradient is not finite."""
    if not _wanted() or all(r is None or is_finite(_value(r)) for r in results):
        return
    _thread.inside = True
    try:
        found = first_of(recorder, targets, sources, results)
        if found is None or found.position is None:
            bad = next(r for r in results if r is not None and not is_finite(_value(r)))
            found = NonFinite("gradient", "backward", words(_value(bad)), decode(*position), (),
                              (), None)  # fmt: skip
        raise _error(found)
    finally:
        _thread.inside = False


def _value(x: Any) -> Any:
    return x.value if isinstance(x, Tensor) else x


def _error(found: NonFinite) -> NumericsError:
    fact, cause, remedy = found.parts()
    return NumericsError(three_part(f"check_numerics: {fact}", cause, remedy))
