"""Why a gradient is None, partial, or present: warnings and explanations."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

from ..core.positions import Position
from ..core.state import KX, KY, Recorder
from ..core.sweep import run_unsupported
from ..errors import DTypeError, GradientWarning, three_part


@dataclass(frozen=True)
class Explanation:
    """What is known about the path from a source to a target."""

    kind: str
    certain: bool
    fact: str
    cause: str
    remedy: str
    path: tuple[Position, ...] = field(default=())

    def __str__(self) -> str:
        return three_part(self.fact, self.cause, self.remedy)


def input_keys(rec: list[Any]) -> tuple[int, ...]:
    """The keys a record's output depends on, as the tape follows them."""
    if type(rec[KX]) is tuple:
        return tuple(k for k in rec[KX] if k > 0)
    return tuple(k for k in (rec[KX], rec[KY]) if k > 0)


def is_unsupported(rec: list[Any]) -> bool:
    """Whether the op of a record has no rule."""
    return rec[0] is run_unsupported


def warn(message: str) -> None:
    """Warn at the user's line."""
    warnings.warn(message, GradientWarning, stacklevel=3)


def log_in_context() -> None:
    """Say once that gradients inside a persistent tape's context are recorded."""


def warn_none(recorder: Recorder, targets: Any, source: Any) -> None:
    """Warn that the gradient of `source` is None."""
    warn(str(explain(recorder, targets, source)))


def warn_partial(recorder: Recorder, targets: Any, sources: Any, results: Any, silent: bool) -> None:
    """Warn of gradients that miss the path of a value which left and came back."""


def explain(recorder: Recorder, target: Any, source: Any) -> Explanation:
    """The explanation for one source."""
    return Explanation("no dependence", False, "no path", "", "")


def plain_target(recorder: Recorder, path: str, leaf: Any) -> DTypeError:
    """The error for a target that is no Tensor."""
    return DTypeError(
        three_part(
            f"gradient: {path} is {type(leaf).__name__}, not a Tensor.",
            "A plain value has no history.",
            "Pass the Tensor that was computed inside the tape.",
        )
    )


def plain_source(recorder: Recorder, path: str, leaf: Any) -> DTypeError:
    """The error for a source that is no Tensor."""
    return DTypeError(
        three_part(
            f"gradient: {path} is {type(leaf).__name__}, not a Tensor or Variable.",
            "A plain value cannot be followed.",
            "Pass the Tensor that tape.watch returned: x = tape.watch(x).",
        )
    )
