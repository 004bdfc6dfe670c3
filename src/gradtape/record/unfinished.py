"""Unfinished: what the step had computed that an exception ended.

No gradient has been asked of its tape, so nobody has been told of it. The tape is found where the
exception passed: in the frames of its traceback. So nothing is paid while nothing happens.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import FrameType, SimpleNamespace
from typing import Any

from ..core import dispatch, fast
from ..core.card import Card
from ..core.state import OUT, Recorder
from ..core.tensor import Tensor
from ..core.variable import Variable
from ..tape.facts import input_keys
from ..tape.nonfinite import operand_facts
from . import details, graphs
from .structures import Snapshot

__all__ = ["failing", "recorder_of", "write"]

_FILES = (fast.__file__, dispatch.__file__)


def recorder_of(error: BaseException, after: int) -> Any:
    """The recorder of the tape that was running or had been left, None if there is none.

    `after` is the key of the newest record of which a gradient has been told.
    """
    found, newest = None, after
    for frame in _frames(error):
        for x in list(frame.f_locals.values()):
            recorder = x if isinstance(x, Recorder) else getattr(x, "_recorder", None)
            if isinstance(recorder, Recorder) and recorder.ops:
                last = recorder.ops[-1][OUT]
                if last > newest and not recorder.is_lifted:
                    found, newest = recorder, last
    return found


def failing(error: BaseException) -> dict[str, Any]:
    """The operation that raised, with its operands, as an event has them; empty if it is none."""
    for frame in reversed(list(_frames(error))):
        names = frame.f_locals
        card = names.get("card")
        if frame.f_code.co_filename in _FILES and isinstance(card, Card):
            if "operands" in names:
                operands = list(names["operands"])
            else:
                operands = [names[n] for n in ("x", "y")[: card.arity] if n in names]
            return {"op": card.name, "operands": [
                operand_facts(x.name if isinstance(x, Variable) else "", x).facts()
                for x in operands if isinstance(x, Tensor) or hasattr(x, "dtype")
            ]}  # fmt: skip
    return {}


def write(capture: Any, recorder: Any, step: int) -> dict[str, Any]:
    """Write graph and values of the records; the numbers of the graph and of its last node."""
    held: Any = Snapshot(recorder)
    read = {key for rec in held.ops for key in input_keys(rec)}
    ends = [SimpleNamespace(key=rec[OUT]) for rec in held.ops if rec[OUT] not in read]
    leaves = [leaf for leaf in held.leaves.values() if isinstance(leaf, Variable)]
    known = {leaf.key: capture.name_of(leaf) for leaf in leaves}
    graph = graphs.graph_of(held, ends, [], [], known=known)
    number = capture.writer.graph(step, graph)
    capture.notices.sources(graph)
    values = graphs.values_of(held, graph)
    details.write_nodes(capture.writer, step, number, [(value, None) for value in values])
    return {"graph": number, "node": len(graph["nodes"]) - 1}


def _frames(error: BaseException) -> Iterator[FrameType]:
    trace = error.__traceback__
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next
