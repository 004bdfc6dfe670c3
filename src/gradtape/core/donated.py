"""Arguments whose memory was given away: what may be, and what reading one afterwards says."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import DonatedError, three_part
from .buffers import owns
from .positions import decode, here
from .refusals import ArgumentValueError
from .state import state
from .tensor import Tensor, raw

__all__ = ["Donated", "check_donated", "give_away"]


class Donated(Tensor):
    """A Tensor without a value. Every read raises DonatedError."""

    __slots__ = ()

    @property
    def value(self) -> Any:
        """Nothing: it was given away."""
        name, position = self.why
        raise DonatedError(
            three_part(
                f"A Tensor is read that was donated to {name}.",
                f"It was passed at {decode(*position)} and is read at {decode(*here())}; its "
                "memory may hold a result of that call.",
                "Read the result, or pass a copy: f(x.copy()).",
            )
        )

    def __repr__(self) -> str:
        return f"<Tensor, donated to {self.why[0]}>"


def give_away(name: str, x: Any) -> None:
    """Mark a Tensor as donated to a function; of a plain array nothing can be marked."""
    if type(x) is Tensor:
        x.value = None
        x.why = (name, here())
        x.__class__ = Donated


def check_donated(name: str, donated: Sequence[Any], others: Sequence[Any]) -> None:
    """Refuse arguments whose memory is not the caller's to give; `others` are what else is read."""
    for n, x in enumerate(donated):
        reason = _reason(x)
        if reason is None:
            rest = [raw(y) for y in (*donated[:n], *donated[n + 1 :], *others)]
            if any(isinstance(y, np.ndarray) and np.may_share_memory(raw(x), y) for y in rest):
                reason = "The program reads the same memory by another argument or Variable"
        if reason is not None:
            raise ArgumentValueError(
                three_part(
                    f"{name}: an argument of donate= cannot be given away: {_say(x)}.",
                    f"{reason}; called at {decode(*here())}.",
                    "Pass a copy (x.copy()), or leave the argument out of donate=.",
                )
            )


def _reason(x: Any) -> str | None:
    """Why an argument cannot be given away; None where it can."""
    if isinstance(x, Tensor):
        if any(x.key in tape.tracked for tape in state.tapes):
            return "A tape follows it, whose gradient needs its value"
        if type(x) is not Tensor:
            return "It is a view: its memory belongs to another Tensor"
        if type(x.value) is np.ndarray and sys.getrefcount(x.value) > _ALONE:
            return "A tape's record, a view or another name holds its value too"
    array = raw(x)
    if type(array) is not np.ndarray:
        return None
    if not owns(array):
        return "It is a view: its memory belongs to another array"
    return None if array.flags.writeable else "It is read-only"


def _probe() -> int:
    x = Tensor.__new__(Tensor)
    x.value = np.empty(2)
    return sys.getrefcount(x.value)


_ALONE = _probe()


def _say(x: Any) -> str:
    array = raw(x)
    kind = "a Tensor" if isinstance(x, Tensor) else "an array"
    return f"{kind} {array.dtype}[{','.join(map(str, array.shape))}]"
