"""Every answer of the viewer as bytes, from the path and the query that ask for it.

The server sends them and the one-file export writes them down, so that the page finds the same
numbers in both. Nothing here knows HTTP beyond a status. Answers with many numbers are binary
(`encoding.py`); the rest is JSON, in which NaN and infinities are the words "nan", "inf" and
"-inf". What a panel cannot show has the status 204 and a reason.

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
from typing import Any

import numpy as np

from ..errors import RunError
from ..record.reduction import extremes
from . import panels, summaries
from .encoding import as_json, table
from .library import Library
from .questions import Query, Refusal
from .shelf import Shelved

__all__ = ["SLOW", "Answer", "Answers"]

MOST_NUMBERS = 2_000_000
"""Numbers in one answer: 16 MB."""

MOST_ENTRIES = 1_000_000
"""Entries of an array that are sent; its shape says how many there are."""

MOST_STEPS = 10**15
MOST_EVENTS = 10_000
SLOW = frozenset({"verdict", "diagnosis", "path", "landscape", "flow", "regions"})
"""What is computed from whole runs, and so kept until the run has grown."""

MOST_KEPT = 64
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
    library : Library
        The runs.
    """

    def __init__(self, library: Library) -> None:
        self.library = library
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str | None, str], tuple[int, Answer]] = OrderedDict()

    def answer(self, path: str, query: str = "") -> Answer:
        """Return the answer to `path?query`."""
        try:
            with np.errstate(all="ignore"):
                return self._answer(path, query)
        except Refusal as refusal:
            parts = (refusal.fact, refusal.cause, refusal.remedy)
            error = " ".join(filter(None, parts))
            return Answer(as_json({"error": error}), status=refusal.status)
        except RunError as error:
            return Answer(as_json({"error": " ".join(str(error).split())}), status=404)
        except Exception as error:  # whatever a damaged or hostile run makes of a reader
            logger.warning("a run could not be read: %s", type(error).__name__)
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
        match = re.fullmatch(r"/api/run/([0-9a-f]{12})(?:/([a-z]{1,20}))?", path)
        endpoint = ENDPOINTS.get(match[2] or "run") if match else None
        run = self.library.shelf.find(match[1]) if match else None
        if run is None or endpoint is None:
            raise Refusal(404, "There is no such answer.", "", "Ask /api/runs for what there is.")
        reader: Any = self.library.reader(run)
        cost = asked.integer("cost", 0, 99)
        if cost is not None:  # of a run whose steps descend several
            reader = reader.of_cost(cost)
        name = match[2] if match else None
        if name not in SLOW:
            return endpoint(self, run, reader, asked)
        key, version = (run.id, name, query), reader.version()
        with self._lock:
            kept = self._kept.get(key)
        if kept is None or kept[0] != version:
            kept = version, endpoint(self, run, reader, asked)
        with self._lock:
            self._kept[key] = kept
            self._kept.move_to_end(key)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return kept[1]

    # -- runs -------------------------------------------------------------------------------

    def _runs(self) -> Answer:
        return Answer(as_json([self.library.line(run) for run in self.library.shelf.runs()]))

    def _compare(self, asked: Query) -> Answer:
        runs = []
        for id in asked.names("runs")[:16]:
            run = self.library.shelf.find(id)
            if run is None:
                raise Refusal(404, "There is no such run.", "", "Ask /api/runs for what there is.")
            runs.append((run, self.library.reader(run)))
        return Answer(as_json(summaries.compare(runs)))

    def _run(self, run: Shelved, reader: Any, asked: Query) -> Answer:
        whole = summaries.whole(run, reader)
        # After the last step was read: of a run that is written it may be newer, never older.
        return Answer(as_json({**whole, "best": self.library.costs(run.id, reader)[1]}))

    # -- numbers ----------------------------------------------------------------------------

    def _series_of(self, run: Shelved, reader: Any, asked: Query) -> Answer:
        names = asked.names("names")
        buckets = asked.integer("px", 1, 16_384)
        share = max(1, MOST_NUMBERS // (4 * max(1, len(names))))
        described, arrays = [], []
        start, stop = _range(asked)
        for name in names:
            try:
                steps, values = reader.series(name, start, stop)
            except RunError as error:  # of runs that are compared not all have every column
                return Answer(b"", BINARY, 204, " ".join(str(error).split()))
            kept = extremes(values, min(buckets or share, share))
            described.append({"name": name, "count": len(kept), "of": len(steps),
                              "reduced": len(kept) < len(steps)})  # fmt: skip
            arrays += [steps[kept], values[kept]]
        return Answer(table({"series": described}, arrays), BINARY)

    def _row(self, run: Shelved, reader: Any, asked: Query) -> Answer:
        step = _step(asked, reader)
        row = reader.row(step)
        if not row:
            raise Refusal(404, "The run has no such step.", "", "Ask for one from first to last.")
        header = {"step": step, "names": list(row)}
        return Answer(table(header, [np.array(list(row.values()), float)]), BINARY)

    def _rows(self, run: Shelved, reader: Any, asked: Query) -> Answer:
        names = asked.names("names") or [column.name for column in reader.columns()]
        steps, matrix = reader.table(names, *_range(asked))
        count = min(len(steps), MOST_NUMBERS // (len(names) + 1))
        header = {"names": names, "count": count, "of": len(steps)}
        return Answer(table(header, [steps[:count], matrix[:count].T]), BINARY)

    def _array(self, run: Shelved, reader: Any, asked: Query) -> Answer:
        tag = asked.text("tag")
        array, step = reader.array(tag, _step(asked, reader))
        return _entries(array, {"tag": tag, "step": step})

    # -- the tape ---------------------------------------------------------------------------

    def _graph(self, run: Shelved, reader: Any, asked: Query) -> Answer:
        id = asked.integer("id", 0, MOST_STEPS)
        if id is not None:
            return Answer(as_json(reader.graph_by_id(id)))
        step, structures = _step(asked, reader), reader.structures()
        if not structures or structures[0][0] > step:
            return Answer(b"", status=204, reason="No operation was recorded up to this step.")
        return Answer(as_json(reader.graph(step)))

    def _nodes(self, run: Shelved, reader: Any, asked: Query) -> Answer:
        return _drawn(panels.nodes(reader, _step(asked, reader)))

    def _node(self, run: Shelved, reader: Any, asked: Query) -> Answer:
        step, node = _step(asked, reader), asked.integer("node", 0, 10**9) or 0
        side = asked.integer("side", 0, 1) or 0
        array = panels.node(reader, step, node, side)
        if isinstance(array, str):
            return Answer(b"", status=204, reason=array)
        return _entries(array, {"node": node, "side": side, "step": step})

    def _source(self, run: Shelved, reader: Any, asked: Query) -> Answer:
        wanted = asked.integer("file", 0, 10**9)
        for number, file in reader.sources():
            if number == wanted:
                return Answer(as_json({"file": file, "text": reader.source(number)}))
        raise Refusal(
            404, "The run has no such source file.", "", "Ask for the run: it lists them."
        )

    # -- words ------------------------------------------------------------------------------

    def _events(self, run: Shelved, reader: Any, asked: Query) -> Answer:
        after = asked.integer("after", 0, MOST_STEPS) or 0
        return Answer(as_json(reader.events(after=after)[:MOST_EVENTS]))

    def _verdict(self, run: Shelved, reader: Any, asked: Query) -> Answer:
        return Answer(as_json(panels.judged(panels.verdict(reader))))

    def _diagnosis(self, run: Shelved, reader: Any, asked: Query) -> Answer:
        return Answer(as_json(panels.diagnosis(reader)))

    # -- panels -----------------------------------------------------------------------------

    def _fit(self, run: Shelved, reader: Any, asked: Query) -> Answer:
        chosen = asked.integer("slice", 0, 10**6)
        return _drawn(panels.fit(reader, _step(asked, reader), slice=chosen, at=asked.numbers("x")))

    def _regions(self, run: Shelved, reader: Any, asked: Query) -> Answer:
        n = asked.integer("n", 2, 400) or 100
        return _drawn(panels.regions(reader, _step(asked, reader), n))

    def _path(self, run: Shelved, reader: Any, asked: Query) -> Answer:
        return _drawn(panels.path(reader))

    def _landscape(self, run: Shelved, reader: Any, asked: Query) -> Answer:
        return _drawn(panels.landscape(reader, asked.integer("n", 2, 256) or 64))

    def _flow(self, run: Shelved, reader: Any, asked: Query) -> Answer:
        return _drawn(panels.flow(reader, asked.integer("px", 1, 4096) or 600))


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


def _step(asked: Query, reader: Any) -> int:
    """The step that is asked for, the last one if none is."""
    step = asked.integer("step", 0, MOST_STEPS)
    return int(reader.last or 0) if step is None else step


def _range(asked: Query) -> tuple[int | None, int | None]:
    """The steps from `from` to `to`, both included, as a reader takes them: the end excluded."""
    end = asked.integer("to", 0, MOST_STEPS)
    return asked.integer("from", 0, MOST_STEPS), None if end is None else end + 1


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
