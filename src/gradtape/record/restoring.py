"""Restoring: the value that a variable held at a step, from its column or from the arrays kept."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import RunError, three_part
from .reader import Reader

__all__ = ["restored"]


def restored(reader: Reader, name: str, step: int | None = None) -> Any:
    """The value of the variable `name` before its update at `step`, the last by default.

    Raises RunError where the run has no such variable, or did not keep its array at that step.
    """
    tag = f"value/{name}"
    if any(column.name == tag for column in reader.columns()):
        steps, values = reader.series(tag)
        if step is None and len(steps):
            step = int(steps[-1])
        place = int(np.searchsorted(steps, step)) if step is not None else len(steps)
        if place < len(steps) and steps[place] == step:
            return float(values[place])
        raise _missing(reader, f"{name!r} at step {step}", f"steps {_range(steps)}")
    tags = {known.name for known in reader.tags()}
    if tag not in tags:
        known = sorted(t.removeprefix("value/") for t in tags if t.startswith("value/"))
        raise _missing(reader, f"a variable {name!r}", ", ".join(map(repr, known)) or "none")
    stored = reader.arrays(tag)
    if step is None and stored:
        step = stored[-1]
    if step not in stored:
        near = min(stored, key=lambda s: abs(s - (step or 0))) if stored else None
        raise _missing(reader, f"{name!r} at step {step}", f"it at steps {_range(stored)}"
                       f"{f', the nearest being {near}' if near is not None else ''}")  # fmt: skip
    return reader.array(tag, step)[0]


def _range(steps: Any) -> str:
    if not len(steps):
        return "none"
    return f"{int(steps[0])} to {int(steps[-1])} ({len(steps)} of them)"


def _missing(reader: Reader, what: str, there: str) -> RunError:
    return RunError(
        three_part(
            f"restore: the run has not {what}.",
            f"{reader.path} has {there}.",
            "Ask for one of these, or record with every=1 and smaller arrays.",
        )
    )
