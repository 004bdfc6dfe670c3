"""Nested gradients: the loss behind a gradient of which a derivative is asked.

Newton's method differentiates twice: an inner gradient of the loss, and derivatives of that. What
such a step descends is the loss. So where a target is made of an inner gradient by operations that
are linear in it (it, one of its elements, its product with a vector), the loss is meant. A penalty
(`loss + slope**2`) is none of these: it is a cost of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..core.state import CARD, OUT
from ..core.tensor import Tensor
from .reach import input_keys

__all__ = ["Gradient", "Nested"]

_MOST = 1024  # results that are remembered
_LINEAR = frozenset(("add", "subtract", "negative", "getitem", "item", "copy"))
_BILINEAR = frozenset(("multiply", "matmul", "tensordot", "einsum"))  # in one operand alone


class Gradient(NamedTuple):
    """A gradient call: what a watcher of gradients is told, after the recorder."""

    targets: Sequence[Any]
    sources: Sequence[Any]
    results: Sequence[Any]
    position: tuple[Any, int]


class Nested:
    """The gradients of scalars that were taken while a tape went on recording.

    Examples
    --------
    >>> import gradtape as gt
    >>> w, nested = gt.Variable(2.0), Nested()
    >>> with gt.GradientTape() as outer:
    ...     with gt.GradientTape() as inner:
    ...         loss = w**3
    ...     slope = inner.gradient(loss, w)
    ...     penalty = slope**2
    >>> nested.saw(Gradient([loss], [w], [slope], (None, 0)))
    >>> float(nested.behind(outer._recorder, [slope]).targets[0])
    8.0
    >>> nested.behind(outer._recorder, [penalty]) is None
    True
    """

    def __init__(self) -> None:
        self._made: dict[int, Gradient] = {}  # by the keys of its results

    def saw(self, told: Gradient) -> None:
        """A gradient was taken that is itself recorded."""
        (target, *others), count = told.targets, len(told.results)
        if others or target.shape or target.dtype.kind != "f":
            return
        if len(self._made) + count > _MOST:
            self._made.clear()
        for result in told.results:
            if isinstance(result, Tensor) and result.key:
                self._made[result.key] = told

    def clear(self) -> None:
        """Forget what was seen: the step is over."""
        self._made.clear()

    def behind(self, recorder: Any, targets: Sequence[Any]) -> Gradient | None:
        """The gradient of a loss of which the targets are linear functions; None if they are not.

        Only that of a loss which `recorder` has recorded too.
        """
        if not self._made:
            return None
        made = {rec[OUT]: rec for rec in recorder.ops}
        found: Gradient | None = None
        open_, seen = [t.key for t in targets], set()
        while open_:
            key = open_.pop()
            if key in seen:
                continue
            seen.add(key)
            if key in self._made:
                found = self._made[key]
                continue
            rec = made.get(key)
            inputs = [k for k in input_keys(rec) if k > 0] if rec is not None else []
            if not inputs or not _is_linear(rec[CARD], len(inputs)):  # type: ignore[index]
                return None
            open_ += inputs
        return found if found is not None and found.targets[0].key in made else None


def _is_linear(card: Any, followed: int) -> bool:
    """Whether a card's operation is linear in the operands that the tape follows."""
    if card.kind == "linear" or card.name in _LINEAR:
        return True
    return followed == 1 and card.name in _BILINEAR
