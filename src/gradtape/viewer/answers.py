"""Every answer of the viewer as bytes, from the path and the query that ask for it.

The server sends them and the one-file export writes them down, so that the page finds the same
numbers in both. Nothing here knows HTTP beyond a status. Answers with many numbers are binary
(`encoding.py`); the rest is JSON, in which NaN and infinities are the words "NaN", "Infinity" and
"-Infinity". What a panel cannot show has the status 204 and a reason.

A run folder may come from anybody: whatever it does to the code that reads it becomes an answer
that says so, without the values it holds.
"""

from __future__ import annotations

import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import summaries
from .columns import Columns
from .encoding import as_json, table
from .panels import Panels
from .questions import Query, Refusal
from .reduction import extremes
from .shelf import Shelf, Shelved

__all__ = ["Answer", "Answers", "MOST_NUMBERS"]

Array = NDArray[np.float64]

MOST_NUMBERS = 2_000_000
"""Numbers in one answer: 16 MB."""

MOST_ENTRIES = 1_000_000
"""Entries of an array that are sent; its shape says how many there are."""

MOST_STEPS = 10**15
MOST_EVENTS = 10_000
FIELDS = ("min", "max", "mean", "norm", "nonfinite", "zeros",
          "ct_min", "ct_max", "ct_mean", "ct_norm", "ct_nonfinite", "ct_zeros")  # fmt: skip

BINARY, JSON = "application/octet-stream", "application/json"
logger = logging.getLogger("gradtape.viewer")


@dataclass(frozen=True)
class Answer:
    """What is sent back.

    Attributes
    ----------
    body : bytes
        In the form that `kind` names.
    kind : str
        `application/json` or `application/octet-stream`.
    status : int
        200, 204 with a reason, 400, 404, 413, or 500 if the run cannot be read.
    reason : str
        Why there is nothing to show, in a sentence; for status 204.
    """

    body: bytes
    kind: str = JSON
    status: int = 200
    reason: str = ""


class Answers:
    """The answers about the runs of a shelf. May be asked from several threads at once.

    Parameters
    ----------
    shelf : Shelf
        Which runs there are.
    open : callable, optional
        Path to reader; by default the recorder's own.
    panels : Panels, optional
        What the panels show.
    """

    def __init__(
        self,
        shelf: Shelf,
        *,
        open: Callable[[Any], Any] | None = None,
        panels: Any = None,
    ) -> None:
        self.shelf = shelf
        self._open = _reader if open is None else open
        self._panels = Panels() if panels is None else panels
        self._lock = threading.Lock()
        self._columns: OrderedDict[str, Columns] = OrderedDict()
        self._threads = threading.local()
        self._costs = summaries.Costs()

    def answer(self, path: str, query: str = "") -> Answer:
        """Return the answer to `path?query`."""
        try:
            return self._answer(path, query)
        except Refusal as refusal:
            parts = (refusal.fact, refusal.cause, refusal.remedy)
            error = " ".join(filter(None, parts))
            return Answer(as_json({"error": error}), status=refusal.status)
        except Exception as error:  # whatever a damaged or hostile run makes of a reader
            logger.warning("a run could not be read: %s", type(error).__name__)
            self._threads.readers = OrderedDict()
            words = (
                f"This part of the run cannot be read ({type(error).__name__}). The file is "
                "damaged, or was not written by gradtape. Record the run again."
            )
            return Answer(as_json({"error": words}), status=500)

    def _answer(self, path: str, query: str) -> Answer:
        asked = Query(query)
        if path == "/api/runs":
            return self._runs()
        if path == "/api/compare":
            return self._compare(asked)
        match = re.fullmatch(r"/api/run/([0-9a-f]{16})(?:/([a-z]{1,20}))?", path)
        endpoint = ENDPOINTS.get(match[2] or "run") if match else None
        run = self.shelf.find(match[1]) if match else None
        if run is None or endpoint is None:
            raise Refusal(404, "There is no such answer.", "", "Ask /api/runs for what there is.")
        return endpoint(self, run, self.reader(run), asked)

    # -- readers ----------------------------------------------------------------------------

    def reader(self, run: Shelved) -> Any:
        """Return the reader of a run that belongs to this thread."""
        readers: OrderedDict[str, Any]
        readers = self._threads.__dict__.setdefault("readers", OrderedDict())
        if run.id not in readers:
            readers[run.id] = self._open(run.path)
            if len(readers) > 32:
                _close(readers.popitem(last=False)[1])
        readers.move_to_end(run.id)
        return readers[run.id]

    def _series(self, run: Shelved, reader: Any, names: list[str]) -> list[tuple[Array, Array]]:
        known = {column.name for column in reader.columns()}
        unknown = [name for name in names if name not in known]
        if unknown:
            raise Refusal(
                404, "The run has no such series.", "", "Ask for the run: it lists its columns."
            )
        with self._lock:
            columns = self._columns.setdefault(run.id, Columns())
            self._columns.move_to_end(run.id)
            if len(self._columns) > 8:
                self._columns.popitem(last=False)
        return columns.series(reader, names)

    # -- runs -------------------------------------------------------------------------------

    def _runs(self) -> Answer:
        found = []
        for run in self.shelf.runs():
            try:
                found.append(summaries.line(run, self.reader(run), self._costs))
            except Exception as error:
                logger.warning("a run could not be read: %s", type(error).__name__)
                found.append({
                    "id": run.id, "name": run.name, "status": "unreadable", "steps": 0,
                    "created": None, "cost": None, "best": None, "parent": run.parent,
                })  # fmt: skip
        return Answer(as_json(found))

    def _compare(self, asked: Query) -> Answer:
        runs = []
        for id in asked.names("runs")[:16]:
            run = self.shelf.find(id)
            if run is None:
                raise Refusal(404, "There is no such run.", "", "Ask /api/runs for what there is.")
            runs.append((run, self.reader(run)))
        return Answer(as_json(summaries.compare(runs)))

    def _run(self, run: Shelved, reader: Any, asked: Query) -> Answer:
        return Answer(as_json(summaries.whole(run, reader)))

    # -- numbers ----------------------------------------------------------------------------

    def _series_of(self, run: Shelved, reader: Any, asked: Query) -> Answer:
        names = asked.names("names")
        buckets = asked.integer("px", 1, 16_384)
        share = max(1, MOST_NUMBERS // (4 * max(1, len(names))))
        described, arrays = [], []
        for name, (steps, values) in zip(names, self._series(run, reader, names), strict=True):
            steps, values = _between(steps, values, asked)
            kept = extremes(values, min(buckets or share, share))
            described.append({"name": name, "count": len(kept), "of": len(steps),
                              "reduced": len(kept) < len(steps)})  # fmt: skip
            arrays += [steps[kept], values[kept]]
        return Answer(table({"series": described}, arrays), BINARY)

    def _row(self, run: Shelved, reader: Any, asked: Query) -> Answer:
        row = reader.row(_step(asked, reader))
        if not row:
            raise Refusal(404, "The run has no such step.", "", "Ask for one from first to last.")
        header = {"step": _step(asked, reader), "names": list(row)}
        return Answer(table(header, [np.array(list(row.values()), float)]), BINARY)

    def _rows(self, run: Shelved, reader: Any, asked: Query) -> Answer:
        names = asked.names("names") or [column.name for column in reader.columns()]
        found = [_between(*each, asked) for each in self._series(run, reader, names)]
        steps = np.unique(np.concatenate([each for each, _ in found] or [np.empty(0)]))
        count = min(len(steps), MOST_NUMBERS // (len(names) + 1))
        columns = []
        for own, values in found:
            column = np.full(len(steps), np.nan)
            column[np.searchsorted(steps, own)] = values
            columns.append(column[:count])
        header = {"names": names, "count": count, "of": len(steps)}
        return Answer(table(header, [steps[:count], *columns]), BINARY)

    def _array(self, run: Shelved, reader: Any, asked: Query) -> Answer:
        tag = asked.text("tag")
        array, step = reader.array(tag, _step(asked, reader))
        return _entries(array, {"tag": tag, "step": step})

    # -- the tape ---------------------------------------------------------------------------

    def _graph(self, run: Shelved, reader: Any, asked: Query) -> Answer:
        id = asked.integer("id", 0, MOST_STEPS)
        graph = reader.graph(_step(asked, reader)) if id is None else reader.graph_by_id(id)
        if graph is None:
            return Answer(b"", status=204, reason="No operation was recorded up to this step.")
        return Answer(as_json(graph))

    def _nodes(self, run: Shelved, reader: Any, asked: Query) -> Answer:
        step = _step(asked, reader)
        found = reader.node_values(step)
        if found is None:
            return Answer(b"", status=204, reason="This step was recorded without node values.")
        graph, matrix = found
        header = {"step": step, "graph": graph, "count": len(matrix), "fields": FIELDS}
        return Answer(table(header, [matrix]), BINARY)

    def _node(self, run: Shelved, reader: Any, asked: Query) -> Answer:
        step, node = _step(asked, reader), asked.integer("node", 0, 10**9) or 0
        side = asked.integer("side", 0, 1) or 0
        array = reader.node_array(step, node, side)
        if array is None:
            return Answer(b"", status=204, reason="The values of this node were not recorded.")
        return _entries(array, {"node": node, "side": side, "step": step})

    def _source(self, run: Shelved, reader: Any, asked: Query) -> Answer:
        wanted = asked.integer("file", 0, 10**9)
        for source in summaries.sources(reader):
            if source["id"] == wanted:
                text = reader.source(source["file"])
                return Answer(as_json({"file": source["file"], "text": text}))
        raise Refusal(
            404, "The run has no such source file.", "", "Ask for the run: it lists them."
        )

    # -- words ------------------------------------------------------------------------------

    def _events(self, run: Shelved, reader: Any, asked: Query) -> Answer:
        after = asked.integer("after", 0, MOST_STEPS) or 0
        return Answer(as_json(reader.events(after=after)[:MOST_EVENTS]))

    def _verdict(self, run: Shelved, reader: Any, asked: Query) -> Answer:
        return Answer(as_json(self._panels.verdict(reader)))

    def _diagnosis(self, run: Shelved, reader: Any, asked: Query) -> Answer:
        return Answer(as_json(self._panels.diagnosis(reader)))

    # -- panels -----------------------------------------------------------------------------

    def _fit(self, run: Shelved, reader: Any, asked: Query) -> Answer:
        chosen = asked.integer("slice", 0, 10**6)
        return _drawn(
            self._panels.fit(reader, _step(asked, reader), slice=chosen, at=asked.numbers("x"))
        )

    def _regions(self, run: Shelved, reader: Any, asked: Query) -> Answer:
        n = asked.integer("n", 2, 400) or 100
        return _drawn(self._panels.regions(reader, _step(asked, reader), n))

    def _path(self, run: Shelved, reader: Any, asked: Query) -> Answer:
        return _drawn(self._panels.path(reader))

    def _landscape(self, run: Shelved, reader: Any, asked: Query) -> Answer:
        return _drawn(self._panels.landscape(reader, asked.integer("n", 2, 256) or 64))

    def _flow(self, run: Shelved, reader: Any, asked: Query) -> Answer:
        return _drawn(self._panels.flow(reader, asked.integer("px", 1, 4096) or 600))


ENDPOINTS: dict[str, Callable[[Answers, Shelved, Any, Query], Answer]] = {
    "run": Answers._run,
    "series": Answers._series_of,
    "row": Answers._row,
    "rows": Answers._rows,
    "array": Answers._array,
    "graph": Answers._graph,
    "nodes": Answers._nodes,
    "node": Answers._node,
    "source": Answers._source,
    "events": Answers._events,
    "verdict": Answers._verdict,
    "diagnosis": Answers._diagnosis,
    "fit": Answers._fit,
    "regions": Answers._regions,
    "path": Answers._path,
    "landscape": Answers._landscape,
    "flow": Answers._flow,
}


def _reader(path: Any) -> Any:
    return import_module("gradtape.record.reader").Reader(path)


def _close(reader: Any) -> None:
    close = getattr(reader, "close", None)
    if close is not None:
        close()


def _step(asked: Query, reader: Any) -> int:
    """The step that is asked for, the last one if none is."""
    step = asked.integer("step", 0, MOST_STEPS)
    return int(reader.last or 0) if step is None else step


def _between(steps: Array, values: Array, asked: Query) -> tuple[Array, Array]:
    """The part from `from` to `to`, both included."""
    start, end = asked.integer("from", 0, MOST_STEPS), asked.integer("to", 0, MOST_STEPS)
    first = 0 if start is None else int(np.searchsorted(steps, start, "left"))
    after = len(steps) if end is None else int(np.searchsorted(steps, end, "right"))
    return steps[first:after], values[first:after]


def _entries(array: Any, header: dict[str, Any]) -> Answer:
    """An array with as many of its entries as may be sent; complex ones are pairs of numbers."""
    array = np.asarray(array)
    flat = array.reshape(-1)[:MOST_ENTRIES]
    described = {**header, "dtype": str(array.dtype), "shape": array.shape, "of": array.size}
    if np.iscomplexobj(flat):
        described["complex"] = True
        flat = np.stack([flat.real, flat.imag], axis=1)
    return Answer(table(described, [flat.astype(np.float64)]), BINARY)


def _drawn(found: Any) -> Answer:
    """The answer of a panel: a header and arrays, or the words why there is nothing to draw."""
    if isinstance(found, str):
        return Answer(b"", BINARY, status=204, reason=found)
    header, arrays = found
    return Answer(table(header, arrays), BINARY)
