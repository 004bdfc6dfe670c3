"""Alarms: the first value of a run that is not finite, and the steps before it in full detail."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.positions import decode
from ..core.variable import Variable
from . import again, details
from .calls import Call, value_of
from .notices import where

__all__ = ["Alarms"]

MOST = 20  # of one run


class Alarms:
    """What a capture says of values that are not finite: once, until they have been again."""

    def __init__(self, capture: Any) -> None:
        self._capture = capture
        self._count = 0
        self._last = -2  # the last step in which something was not finite

    def is_due(self) -> bool:
        """Whether this step, in which something is not finite, is the first one of such."""
        step = self._capture.steps.number
        if step > self._last + 1 and self._count < MOST:
            return True
        self._last = step
        return False

    def _is_news(self, found: list[Any]) -> bool:
        if all(x is None or bool(np.all(np.isfinite(x))) for x in found):
            return False  # (a None gradient is a NaN in its row)
        step, before = self._capture.steps.number, self._last
        self._last = step
        self._count += step > before + 1
        return step > before + 1 and self._count <= MOST

    def not_finite(
        self, call: Call, recorder: Any, targets: Any, sources: Any, results: Any, cost: Any,
        step: int,
    ) -> None:  # fmt: skip
        """Something of this step may be NaN or infinite."""
        found = [cost, *(s.value for s in sources), *(value_of(r) for r in results)]
        if self._is_news(found):
            self._capture.ring.write()
            details.alarm(
                self._capture, call.structure, recorder, targets, sources, results, step,
                decode(call.code, call.lasti),
            )  # fmt: skip

    def inside(
        self, function: str, call: Call, told: Any, cost: Any, sources: list[Any],
        results: list[Any], given: Any,
    ) -> None:  # fmt: skip
        """Something that a compiled function told may not be finite."""
        if not self._is_news([cost, *sources, *results]):
            return
        self._capture.ring.write()
        if again.alarm(self._capture, call, told, sources, results, given):
            return
        named = [("cost", cost), *((f"gradient {i}", r) for i, r in enumerate(results))]
        bad = [what for what, x in named if x is not None and not np.isfinite(x).all()]
        first = (bad or ["a source"])[0]
        self._capture.notices.event("nonfinite", self._capture.steps.number, {
            "op": function, "direction": "backward" if first.startswith("grad") else "forward",
            "what": f"{first} of a compiled function", "graph": None, "node": None,
            "operands": [
                details.range_of(s.name if isinstance(s, Variable) else "", v)
                for s, v in zip(told.sources, sources, strict=True)
            ],
            "chain": [], **where(decode(*told.position)),
        })  # fmt: skip
