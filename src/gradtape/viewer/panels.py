"""The panels that need more than the numbers in a run, in the form in which the page takes them.

Each gives a header and arrays, or a sentence that says why there is nothing to draw.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from ..record.diagnosis import diagnose
from ..record.panels import fit, flow, landscape, node, nodes, path, regions
from ..record.summary import verdict
from ..verdict import Verdict

__all__ = ["diagnosis", "fit", "flow", "judged", "landscape", "node", "nodes", "path", "regions",
           "verdict"]  # fmt: skip


def judged(found: Verdict) -> dict[str, Any]:
    """Return the facts of a verdict, each with its sentence as `text` beside its numbers."""
    facts = {}
    for field in dataclasses.fields(found):
        fact = getattr(found, field.name)
        if dataclasses.is_dataclass(fact) and not isinstance(fact, type):
            facts[field.name] = {"text": str(fact), **dataclasses.asdict(fact)}
        else:
            facts[field.name] = fact
    return facts


def diagnosis(reader: Any) -> list[dict[str, Any]]:
    """Return what is wrong with a run, each finding with its sentences as `text`.

    The line of the user's that it is about is `source`. The exception that ended a run is left
    out: its event, with the traceback, is shown already.
    """
    return [
        {**dataclasses.asdict(each), "text": str(each), "source": each.text}
        for each in diagnose(reader)
        if each.kind != "stopped by an exception"
    ]
