"""`gt.check_numerics`: stops at the first result that is not finite, forward or backward.

While no thread asks, nothing of this runs. While one does, every result is looked at when it is put
into its Tensor (`core/looking.py`), records keep all their values, and compiled functions run as
Python, so that the line is the user's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import FrameType
from typing import Any

import numpy as np

from .. import events
from ..core import dispatch, fast, observing
from ..core.card import Card
from ..core.lift import Batch, Dual, Lift
from ..core.looking import Looker
from ..core.positions import decode, here
from ..core.state import OUT, state
from ..core.tensor import Tensor
from ..core.variable import Variable
from ..errors import NumericsError, three_part
from . import sweeping
from .nonfinite import NonFinite, chain_of, first_of, is_finite, operand_facts, words

__all__ = ["check_numerics"]

_stops: list[Any] = []
_FILES = (fast.__file__, dispatch.__file__)


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
        self._before = _looker.is_asked
        _looker.ask(bool(enabled))

    def __enter__(self) -> check_numerics:
        return self

    def __exit__(self, *_: object) -> None:
        _looker.ask(self._before)


def _switch(on: bool) -> None:
    """What looking needs beside the looker."""
    observing.keep_everything(on)
    observing.eager.asked = _wanted if on else None
    observing.eager.told = _told if on else None
    if on:
        _stops.extend((events.watch_gradients(_look_back), events.subscribe(_heard)))
        observing.attend()
    else:
        while _stops:
            _stops.pop()()


def _told(op: str, results: Any, operands: Any, position: Any) -> None:
    """Raise for what a compiled function has made of plain arrays."""
    bad = next(x for x in results if not is_finite(x))
    at = decode(*position)
    with _looker.apart():
        raise _error(NonFinite(op, "forward", words(bad), at,
                               tuple(operand_facts("", x) for x in operands),
                               ((op, at),), None))  # fmt: skip


def _wanted() -> bool:
    return _looker.is_wanted


def _look(tensor: Any, value: Any, frame: FrameType) -> None:
    for part, way in _parts(value) if isinstance(value, Lift) else ((value, "forward"),):
        if not is_finite(part):
            with _looker.apart():
                _stop(tensor, part, frame, way)
            return


def _parts(value: Any, way: str = "forward") -> Iterator[tuple[Any, str]]:
    """The arrays in what a Tensor holds inside `jvp` and `vmap`, and which of them are tangents."""
    value = _value(value)
    if isinstance(value, Dual):
        yield from _parts(value.primal, way)
        yield from _parts(value.tangent, "tangent")
    elif isinstance(value, Batch):
        yield from _parts(value.inner, way)
    else:
        yield value, way


_looker = Looker(Tensor, _look, _switch)


def _stop(tensor: Any, value: Any, caller: FrameType, way: str) -> None:
    """Raise for a result that is not finite, unless the sweep that made it says more."""
    if isinstance(tensor, Variable):
        name = getattr(tensor, "name", None)  # None: it is being made
        raise _error(NonFinite(
            f"Variable {name!r}" if name else "gt.Variable", "forward", words(value),
            decode(*here()), (), (), None,
        ))  # fmt: skip
    frame: FrameType | None = caller
    while frame is not None:
        file, names = frame.f_code.co_filename, frame.f_locals
        if file == sweeping.__file__:  # a gradient: `_look_back` knows which operation
            return
        card = names.get("card")
        if file in _FILES and isinstance(card, Card):
            raise _error(_of_card(card, names, value, way))
        if not file.startswith(_ROOT):
            break
        frame = frame.f_back
    raise _error(NonFinite("a result", way, words(value), decode(*here()), (), (), None))


_ROOT = fast.__file__.rpartition("core")[0]


def _of_card(card: Card, names: dict[str, Any], value: Any, way: str) -> NonFinite:
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
    return NonFinite(card.name, way, words(value), position, tuple(facts), chain, None)


def _record_of(key: int) -> tuple[Any, int] | None:
    """The recorder and the place of the record that made a value."""
    for tape in state.tapes:
        for index in range(len(tape.ops) - 1, -1, -1):
            if tape.ops[index][OUT] == key:
                return tape, index
    return None


def _look_back(recorder: Any, targets: Any, sources: Any, results: Any, position: Any) -> None:
    """Raise where a gradient is not finite."""
    if not _looker.is_wanted or all(r is None or is_finite(_value(r)) for r in results):
        return
    with _looker.apart():
        found = first_of(recorder, targets, sources, results)
        if found is None or found.position is None:
            bad = next(r for r in results if r is not None and not is_finite(_value(r)))
            found = NonFinite("gradient", "backward", words(_value(bad)), decode(*position), (),
                              (), None)  # fmt: skip
        elif found.position.filename.startswith(_ROOT):  # of gt.grad(np.sqrt), nobody's line
            found = replace(found, position=decode(*here()))
        raise _error(found)


def _heard(name: str, data: dict[str, Any]) -> None:
    """Look at the rows of a Jacobian, which are swept together."""
    if name == "rows":
        told = (data["recorder"], [data["target"]], data["sources"], data["results"])
        _look_back(*told, position=here())


def _value(x: Any) -> Any:
    return x.value if isinstance(x, Tensor) else x


def _error(found: NonFinite) -> NumericsError:
    fact, cause, remedy = found.parts()
    return NumericsError(three_part(f"check_numerics: {fact}", cause, remedy))
