"""What a function takes from around it: found by running it, not by reading its code.

`gt.checkpoint` runs a function without recording it, and needs to know where derivatives lead
nevertheless: to the arguments, to Variables, and to whatever else the function finds, in its
closure, in an object, in a global name.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..core.lift import is_lifted
from ..core.state import KEYS, RESIDUALS, Recorder, next_key
from ..core.tensor import Tensor, new_traced

__all__ = ["Sieve"]


class _Every(set[int]):
    """All keys, so that every operation on something with a key is seen; it holds none."""

    __slots__ = ()

    def __contains__(self, key: object) -> bool:
        return bool(key)

    def isdisjoint(self, keys: Iterable[Any]) -> bool:
        return not any(keys)

    def add(self, key: int) -> None:
        pass

    def update(self, *keys: Iterable[Any]) -> None:
        pass


class Sieve(Recorder):
    """A recorder that keeps no record, only what is older than itself: Variables and Tensors."""

    __slots__ = ("older", "stamp")

    def __init__(self) -> None:
        super().__init__(keep_all=True)
        self.tracked = _Every()
        self.record = self._look
        self.stamp = next_key()
        self.level = self.stamp  # what is lifted comes as it is
        self.older: dict[int, Any] = {}  # key -> value

    def _look(self, rec: list[Any]) -> None:
        keys = rec[KEYS]
        if type(keys) is tuple and type(rec[RESIDUALS]) is tuple:
            for key, value in zip(keys, rec[RESIDUALS], strict=False):
                if 0 < key < self.stamp:
                    self.older[key] = value

    def meet(self, operands: Iterable[Any]) -> None:
        """Look at the operands of a record that does not hold them."""
        for x in operands:
            if isinstance(x, Tensor) and 0 < x.key < self.stamp:
                self.older[x.key] = x.read()

    def found(self, tapes: Iterable[Recorder]) -> list[Tensor]:
        """Stand-ins for what is no Variable and one of `tapes` follows, or a level lifts."""
        followed = [tape.tracked for tape in tapes]
        return [
            new_traced(value, key)
            for key, value in self.older.items()
            if key not in self.leaves
            and (is_lifted(value) or any(key in keys for keys in followed))
        ]
