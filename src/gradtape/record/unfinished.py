"""Unfinished: what the step had computed that an exception ended.

No gradient has been asked of its tape, so nobody has been told of it. The tape is found where the
exception passed: in the frames of its traceback. So nothing is paid while nothing happens. The call
of a compiled function is found there too, and computed again as far as it comes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import FrameType, SimpleNamespace
from typing import Any

from ..core import dispatch, fast
from ..core.card import Card
from ..core.console import silent
from ..core.positions import decode
from ..core.state import OUT, Recorder
from ..core.symbol import Symbol
from ..core.tensor import Tensor, raw
from ..core.variable import Variable
from ..graph.evaluate import evaluate, watching
from ..program.program import Program
from ..program.recorded import Given
from ..tape.nonfinite import operand_facts
from ..tape.reach import input_keys
from . import again, details, graphs
from .notices import where
from .structures import Snapshot

__all__ = ["called", "failing", "recorder_of", "write"]

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
                if last > newest and not recorder.is_lifted and not _is_traced(recorder):
                    found, newest = recorder, last
    return found


def _is_traced(recorder: Any) -> bool:
    """Whether it has recorded symbols, in a function that was being traced."""
    kept = [x for rec in recorder.ops for x in rec[9:] if x is not None]
    flat = [part for x in kept for part in (x if type(x) is tuple else (x,))]
    return any(type(raw(x)) is Symbol for x in flat)


class Called:
    """A call of a compiled function that raised: the operation, and what it had computed."""

    def __init__(self, program: Any, given: Any, is_observed: bool) -> None:
        self.program, self.given = program, given
        self.told = program.plan.told if is_observed else []  # gradients that were to be told
        self.node: Any = None
        self.operands: list[Any] = []

    def facts(self) -> dict[str, Any]:
        """The operation as the event of the exception has it."""

        def look(node: Any, operands: list[Any], results: Any) -> None:
            if results is None and self.node is None:
                self.node, self.operands = node, operands

        given = self.given
        given.known = {}
        with contextlib.suppress(Exception), silent(), watching(look):
            evaluate(self.program.traced.graph, given.values, given.known)
        if self.node is None:
            return {}
        known = [*[None] * self.program.arguments, *self.program.sources]
        names = {
            id(value): source.name
            for value, source in zip(self.given.values, known, strict=True)
            if isinstance(source, Variable)
        }
        operands = [
            operand_facts(names.get(id(x), ""), x).facts()
            for x in self.operands[: self.node.operands]
        ]
        return {"op": self.node.op.name, "operands": operands,
                **(where(decode(*self.node.position)) if self.node.position else {})}  # fmt: skip

    def write(self, capture: Any, step: int) -> dict[str, Any]:
        """Write the records that had run, if a gradient was to be told."""
        known = again.Known(self.given)
        for told, _ in self.told:
            held = again.so_far(told.seen, self.given, known)
            if held is not None and held.ops:
                return write(capture, held, step)
        return {}


def called(error: BaseException) -> Called | None:
    """The innermost call of a compiled function that an exception passed; None if there is none."""
    for frame in reversed(list(_frames(error))):
        names = frame.f_locals
        given = names.get("given")
        if isinstance(given, Given):
            return Called(given.program, given, True)
        program, values = names.get("self"), names.get("values")
        if isinstance(program, Program) and "followed" in names and isinstance(values, list):
            return Called(program, Given(program, list(map(raw, values))), False)
    return None


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
                for x in operands
                if (isinstance(x, Tensor) or hasattr(x, "dtype")) and type(raw(x)) is not Symbol
            ]}  # fmt: skip
    return {}


def write(capture: Any, recorder: Any, step: int) -> dict[str, Any]:
    """Write graph and values of the records; the numbers of the graph and of its last node."""
    held: Any = recorder if isinstance(recorder, Snapshot) else Snapshot(recorder)
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
