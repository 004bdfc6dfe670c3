"""Programs on disk: what a compiled function needs to skip tracing, passes and the compiler.

A file holds the schedule of a program, with the nodes that NumPy runs and the keys under which
machine code is kept, which inputs are read from which Variable or array, and how results are built.
It is found by the fingerprint of the function and its arguments; see `fingerprint.py`. A derivative
needs the graph itself, for which the function is traced after all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import events
from ..backends import store
from ..backends.schedule import ByNumpy, Native, Schedule
from ..core.tree import _children
from ..graph.coding import Reader, Uncodable, Writer
from ..graph.trace import is_output
from .fingerprint import Fingerprint

__all__ = ["Stored", "key_of", "load", "save"]


@dataclass
class Stored:
    """What is kept of a program."""

    run: Any  # a Schedule; what NumPy alone runs is not kept
    sources: list[Any]
    arguments: int
    assigned: list[int]  # places among the sources
    count: int
    copies: list[bool]
    result: Any  # the structure, with OUTPUT for each output
    tells: bool = False  # whether NumPy says which index is out of range: it takes the graph
    looks: bool = False  # whether a NaN in a result may be one that eager mode does not have
    # arrays outside that are constants of it, with what they hold
    frozen: list[tuple[Any, Any]] = field(default_factory=list)


class _Output:
    """Stands for an output in the structure of a result."""


OUTPUT = _Output()


def key_of(fingerprint: Fingerprint, options: Any) -> str:
    """The key of a program."""
    from ..backends.llvm.compile import environment

    return store.key_of("program", environment(), options.backend, fingerprint.digest)


@events.stage("write to disk")
def save(key: str, fingerprint: Fingerprint, stored: Stored) -> None:
    """Keep a program; Uncodable or Unknown where something of it cannot be."""
    writer = Writer()
    run: Schedule = stored.run
    steps = []
    for step in run.steps:
        if isinstance(step, ByNumpy):
            steps.append(["numpy", writer.node(step.node), step.reads, step.gives])
        else:
            steps.append(["native", _segment(step.call, writer), step.reads, step.gives, step.weak])
    start = [[i, writer.static(x)] for i, x in enumerate(run.start) if x is not None]
    header = {
        "count": run.count, "places": len(run.start), "start": start, "steps": steps,
        "results": run.results, "sources": [fingerprint.number(s) for s in stored.sources],
        "arguments": stored.arguments, "assigned": stored.assigned, "outputs": stored.count,
        "copies": stored.copies, "result": _tree(stored.result, writer),
        "tells": run.graph is not None, "looks": stored.looks,
        "frozen": [fingerprint.number(x) for x, _ in stored.frozen],
    }  # fmt: skip
    header["arrays"] = [[x.dtype.str, list(x.shape)] for x in writer.arrays]
    store.write(key, header, [np.ascontiguousarray(x).tobytes() for x in writer.arrays])


@events.stage("read from disk")
def load(key: str, fingerprint: Fingerprint, threads: int) -> Stored | None:
    """The program that was kept under `key`, or None."""
    found = store.read(key)
    if found is None:
        return None
    header, blobs = found
    arrays = [
        np.frombuffer(bytearray(blob), np.dtype(dtype)).reshape(shape)
        for blob, (dtype, shape) in zip(blobs, header["arrays"], strict=True)
    ]
    reader = Reader(arrays)
    start: list[Any] = [None] * header["places"]
    for place, said in header["start"]:
        start[place] = reader.static(said)
    steps: list[Native | ByNumpy] = []
    for kind, said, *rest in header["steps"]:
        if kind == "numpy":
            try:
                steps.append(ByNumpy(reader.node(said), *rest))
            except (KeyError, Uncodable):  # an operation that this process does not have
                return None
        else:
            native = _native(said, reader, threads)
            if native is None:
                return None
            steps.append(Native(native, native.direct, *rest))
    run = Schedule(header["count"], start, steps, header["results"])
    return Stored(
        run, [fingerprint.objects[i] for i in header["sources"]], header["arguments"],
        header["assigned"], header["outputs"], header["copies"], _built(header["result"], reader),
        header["tells"], header["looks"],
        # what they hold is part of the fingerprint
        [(x, x.copy()) for x in map(fingerprint.objects.__getitem__, header["frozen"])],
    )  # fmt: skip


# ------------------------------------------------------------------------------ native parts


def _segment(segment: Any, writer: Writer) -> Any:
    if not segment.program.key:
        raise Uncodable("code that is not kept")
    return {
        "key": segment.program.key, "arena": segment.arena, "recycled": segment.recycled,
        "arguments": [_argument(a) for a in segment.arguments],
        "results": [_argument(a) for a in segment.results],
        "words": [[word[0], *map(writer.static, word[1:])] for word in segment.words],
    }  # fmt: skip


def _argument(a: Any) -> Any:
    return [a.dtype.str, list(a.shape), a.kind, a.is_written, a.reuses]


def _native(said: Any, reader: Reader, threads: int) -> Any:
    from ..backends.llvm.compile import Program
    from ..backends.llvm.entry import Argument
    from ..backends.llvm.segment import Segment

    program = Program.load(said["key"])
    if program is None:  # deleted meanwhile
        return None
    arguments, results = (
        [Argument(np.dtype(d), tuple(shape), *rest) for d, shape, *rest in said[name]]
        for name in ("arguments", "results")
    )
    words = [(kind, *map(reader.static, rest)) for kind, *rest in said["words"]]
    sizes = said["arena"], said["recycled"]
    return Segment(program, arguments, results, words, *sizes, threads)


# ------------------------------------------------------------------------------ results


def _tree(x: Any, writer: Writer) -> Any:
    """The structure of a result: lists, tuples and dicts, and what is static in them."""
    kind = type(x)
    if is_output(x):
        return ["output"]
    if kind in (list, tuple):
        return [kind.__name__, *(_tree(part, writer) for part in x)]
    if kind is dict:
        return ["dict", *([writer.static(key), _tree(part, writer)] for key, part in x.items())]
    if _children(x) is not None:
        raise Uncodable(f"a result that holds a {kind.__name__}")
    return ["static", writer.static(x)]


def _built(said: Any, reader: Reader) -> Any:
    kind, *rest = said
    if kind == "output":
        return OUTPUT
    if kind in ("list", "tuple"):
        parts = [_built(part, reader) for part in rest]
        return parts if kind == "list" else tuple(parts)
    if kind == "dict":
        return {reader.static(key): _built(part, reader) for key, part in rest}
    return reader.static(rest[0])

