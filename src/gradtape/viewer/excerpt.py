"""Excerpt: which answers about a run go into one file, within a number of bytes.

A run of the level `full` of a wide model holds gigabytes. The file gets what every panel needs
first (series thinned to the points that a screen shows, of the many variables the first), then
graphs, fits and values of operations at steps evenly chosen, then arrays. Each kind may take half
of what room is left, and what does not fit is said.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlencode

import numpy as np

from ..record.reader import Reader
from ..record.reduction import extremes
from . import panels
from .answers import BINARY, Answer, Answers
from .encoding import as_json, table

__all__ = ["excerpt"]

MOST_ROWS = 400_000
"""Numbers of the table of series."""

MOST_GRAPHS, MOST_REGIONS, MOST_ASKED, MOST_DIFF, MOST_SLICES = 16, 24, 4_000, 100_000, 12
SPECIAL = ("nonfinite", "exception", "none", "warning", "note")
PARTS = ("verdict", "diagnosis", "path", "landscape")

_COLUMN, _TAG, _STRUCTURE = 400, 300, 24  # bytes that one takes in the description of a run, about
_MISSES = 3  # answers of a kind that do not fit, after which no more are computed

WORDS = {
    "series": "series of what was logged now and then",
    "verdict": "the verdict", "diagnosis": "the diagnosis", "path": "the path of the parameters",
    "landscape": "the landscape of the cost", "graph": "graphs", "source": "source files",
    "fit": "fits at steps", "slice": "fits along other inputs",
    "nodes": "values of operations at steps",
    "regions": "decision regions at steps", "array": "arrays", "node": "arrays of operations",
}  # fmt: skip


class _Room:
    """What is kept, and how many bytes are left for more."""

    def __init__(self, most: int) -> None:
        self.kept: dict[str, Any] = {}
        self.left_out: list[str] = []
        self.left = most

    def add(self, address: str, value: Any, share: float = 1.0) -> bool:
        """Keep an answer if it takes no more than a share of what is left."""
        size = _size(value)
        if size > self.left * share:
            return False
        self.kept[address] = value
        self.left -= size
        return True


def excerpt(
    answers: Answers, reader: Reader, id: str, steps: int, most_bytes: int
) -> tuple[dict[str, Any], list[str]]:
    """Return answers by their addresses, as they stand in a file, and what was left out, in words.

    Parameters
    ----------
    answers : Answers
    reader : Reader
        Of the run `id`.
    steps : int
        Of how many steps fits, values and arrays are kept beside those at which something happened.
    most_bytes : int
        How large all that may become.
    """
    base, room = f"/api/run/{id}", _Room(most_bytes)
    whole = json.loads(answers.answer(base).body)
    names = _shortened(whole, room)
    room.left -= _size(whole)
    room.add("/api/runs", _stored(answers.answer("/api/runs")))
    _rows(reader, names, len(whole["columns"]), base, room)
    _events(answers, base, room)
    _flow(reader, base, room)
    for kind, addresses in _kinds(base, reader, steps, names, whole):
        _fill(answers, kind, addresses, room)
    if room.left_out:
        whole["left_out"] = room.left_out
    return {base: whole, **room.kept}, room.left_out


def _size(value: Any) -> int:
    """The bytes of a stored answer in the page, where <, > and & are escaped."""
    if isinstance(value, str):
        return len(value)
    text = as_json(value)
    return len(text) + 5 * sum(text.count(letter) for letter in b"<>&")


def _shortened(whole: dict[str, Any], room: _Room) -> list[str]:
    """Shorten the description of a run to a quarter of the room; the names of its series."""
    most = room.left // 4
    for key, each, words in (
        ("columns", _COLUMN, "series"), ("tags", _TAG, "variables and inputs"),
        ("structures", _STRUCTURE, "changes of the graph"),
    ):  # fmt: skip
        entries, count = whole[key], max(20, most // (3 * each))
        if len(entries) > count:
            room.left_out.append(f"{words} beyond the first {count:,} of {len(entries):,}")
            whole[key] = entries[:count]
    for cost in whole["costs"]:
        cost["structures"] = cost["structures"][: len(whole["structures"])]
    git = whole["meta"].get("git")
    most_diff = min(MOST_DIFF, most)
    if isinstance(git, dict) and len(str(git.get("diff", ""))) > most_diff:
        git["diff"] = f"{git['diff'][:most_diff]}\n... (cut)\n"
        room.left_out.append("the end of the difference from the commit")
    return [column["name"] for column in whole["columns"]]


def _rows(reader: Reader, names: list[str], width: int, base: str, room: _Room) -> None:
    """Every series, whole, or the rows in which one of them has an extreme of its bucket."""
    steps, matrix = reader.table(names)
    of, most = len(steps), MOST_ROWS
    while True:
        kept, rows = np.arange(of), max(2, most // (width + 1))
        if of > rows:
            buckets = max(1, rows // (2 * max(1, len(names))))
            parts = [extremes(matrix[:, i], buckets) for i in range(len(names))]
            kept = np.unique(np.concatenate([np.array([0, of - 1]), *parts]))
            if len(kept) > 2 * rows:  # more series than rows: their extremes are everywhere
                kept = np.unique(np.linspace(0, of - 1, rows).astype(int))
        header = {"names": names, "count": len(kept), "of": of}
        answer = Answer(table(header, [steps[kept], matrix[kept].T]), BINARY)
        if room.add(f"{base}/rows", _stored(answer), 0.5) or most < 2:
            break
        most //= 2
    if len(kept) < of:
        room.left_out.append(f"the scalars of {of - len(kept):,} of {of:,} steps")


def _events(answers: Answers, base: str, room: _Room) -> None:
    """What happened; where that is too much, what alarms first."""
    events = json.loads(answers.answer(f"{base}/events").body)
    kept = sorted(events, key=lambda event: (event["kind"] not in SPECIAL, event["id"]))
    while not room.add(f"{base}/events", sorted(kept, key=lambda e: e["id"]), 0.5) and kept:
        kept = kept[: len(kept) // 2]
    if len(kept) < len(events):
        room.left_out.append(f"{len(events) - len(kept):,} of {len(events):,} events")


def _flow(reader: Reader, base: str, room: _Room) -> None:
    """The gradient flow, of as many steps as fit; without room it says so in its panel."""
    for px in (600, 200, 60, 20):
        found = panels.flow(reader, px)
        answer = (
            Answer(b"", BINARY, 204, found) if isinstance(found, str)
            else Answer(table(*found), BINARY)
        )  # fmt: skip
        if room.add(f"{base}/flow", _stored(answer), 0.5):
            return
    room.left_out.append("the gradient flow")


def _kinds(
    base: str, reader: Reader, count: int, names: list[str], whole: dict[str, Any]
) -> Iterator[tuple[str, Iterable[str]]]:
    """The kinds of answers and the addresses of each, the most important first."""
    for name in PARTS:
        yield name, [f"{base}/{name}"]
    yield "series", _of_some_steps(base, reader, names)
    costs = range(max(1, len(reader.costs())))
    every = [graph for cost in costs for _, graph in reader.structures(cost)]
    graphs = list(dict.fromkeys(every))[:MOST_GRAPHS]
    yield "graph", [f"{base}/graph?id={graph}" for graph in graphs]
    yield "source", [f"{base}/source?file={number}" for number, _ in reader.sources()]
    chosen = _chosen(reader, count)
    spread = _spread(chosen)
    yield "fit", [f"{base}/fit?step={step}" for step in spread]
    yield "nodes", [f"{base}/nodes?step={step}" for step in spread]
    some = _spread(chosen[:: max(1, len(chosen) // MOST_REGIONS)])
    yield "regions", [f"{base}/regions?n=56&step={step}" for step in some]
    for cost in costs[1:]:
        for name in ("verdict", "path", "landscape"):
            yield name, [f"{base}/{name}?cost={cost}"]
        for name in ("fit", "nodes"):
            yield name, [f"{base}/{name}?cost={cost}&step={step}" for step in spread]
        yield "regions", [f"{base}/regions?cost={cost}&n=56&step={step}" for step in some]
    yield "slice", _slices(base, reader, some)
    yield "array", _arrays(base, reader, [tag["name"] for tag in whole["tags"]], chosen)
    nodes = max((len(reader.graph_by_id(graph).get("nodes", ())) for graph in graphs), default=0)
    # Many arrays a step: of few steps, the nearest of which the page shows.
    most = MOST_ASKED // (2 * nodes * len(costs)) if nodes else 0
    yield "node", [
        f"{base}/node?{f'cost={cost}&' if cost else ''}node={node}&side={side}&step={step}"
        for cost in costs for step in _special(reader, chosen)[:most]
        for node in range(nodes) for side in (0, 1)
    ]  # fmt: skip


def _fill(answers: Answers, kind: str, addresses: Iterable[str], room: _Room) -> None:
    """Keep the answers at these addresses, as long as they fit into half of what is left."""
    most, kept, missed = room.left / 2, 0, 0
    for address in addresses:
        path, _, query = address.partition("?")
        value = _stored(answers.answer(path, query))
        if value is None:
            continue
        before = room.left
        if most > 0 and room.add(address, value, min(1.0, most / max(1, room.left))):
            most -= before - room.left
            kept += 1
        else:
            missed += 1
            if missed == _MISSES:
                break
    if missed:
        room.left_out.append(WORDS[kind] if not kept else f"{WORDS[kind]} ({kept:,} kept)")


def _of_some_steps(base: str, reader: Reader, names: list[str]) -> Iterator[str]:
    """In a table a step at which nothing was logged looks like a NaN that was."""
    logged = {column.name for column in reader.columns() if column.kind in ("log", "cost")}
    for name in names:
        if name in logged and len(reader.series(name)[0]) < reader.count():
            yield f"{base}/series?{urlencode({'names': name.replace(',', chr(92) + ',')})}"


def _slices(base: str, reader: Reader, steps: list[int]) -> Iterator[str]:
    """The fit of a model of several inputs along each of them."""
    for cost in range(max(1, len(reader.costs()))):
        found = panels.fit(reader.of_cost(cost) if cost else reader, steps[0]) if steps else ""
        if isinstance(found, str) or found[0]["kind"] != "curve":
            continue
        count, about = len(found[0]["inputs"]), f"cost={cost}&" if cost else ""
        for step in steps if count > 1 else ():
            for k in range(min(count, MOST_SLICES)):
                yield f"{base}/fit?{about}slice={k}&step={step}"


def _arrays(base: str, reader: Reader, tags: list[str], chosen: list[int]) -> Iterator[str]:
    """The array that is there at each step, not the step itself."""
    for tag in tags:
        held = np.array(reader.arrays(tag), np.int64)
        if len(held):
            places = np.searchsorted(held, chosen, side="right") - 1
            for step in np.unique(held[places[places >= 0]]):
                yield f"{base}/array?{urlencode({'step': step, 'tag': tag})}"


def _spread(steps: list[int]) -> list[int]:
    """The same steps so that the first of them lie everywhere: both ends, then middles.

    >>> _spread([0, 1, 2, 3, 4])
    [0, 4, 2, 1, 3]
    """
    found, parts = dict.fromkeys([*steps[:1], *steps[-1:]]), [(0, len(steps))]
    while parts:
        low, high = parts.pop(0)
        if low < high:
            middle = (low + high) // 2
            found[steps[middle]] = None
            parts += [(low, middle), (middle + 1, high)]
    return list(found)


def _chosen(reader: Reader, count: int) -> list[int]:
    """Steps evenly chosen, and those at which something happened: ascending, each once."""
    steps = reader.steps().astype(np.int64)
    if not len(steps):
        return []
    even = steps[np.unique(np.linspace(0, len(steps) - 1, min(count, len(steps))).astype(int))]
    special = [event["step"] for event in reader.events() if event["kind"] in SPECIAL][:count]
    special += [step for step, _ in reader.structures()[:MOST_GRAPHS]]
    known = np.intersect1d(np.array([*special, *_turns(reader)], np.int64), steps)
    return [int(step) for step in np.union1d(even, known)]


def _turns(reader: Reader) -> list[int]:
    """The step of the lowest cost, the first whose cost is not finite, and the one before it."""
    if not any(column.name == "cost" for column in reader.columns()):
        return []
    at, costs = reader.series("cost")
    found = []
    finite = np.flatnonzero(np.isfinite(costs))
    if finite.size:
        found.append(int(at[finite[costs[finite].argmin()]]))
    if finite.size < len(costs):
        first = int(np.argmin(np.isfinite(costs)))
        found += at[max(0, first - 1) : first + 1].astype(int).tolist()
    return found


def _special(reader: Reader, chosen: list[int]) -> list[int]:
    """The few steps at which every node is kept: first, last, and where the cost turns."""
    return list(dict.fromkeys([*chosen[:1], *chosen[-1:], *_turns(reader)]))


def _stored(answer: Answer) -> Any:
    """An answer as it stands in the file; None for what cannot be answered."""
    if answer.status == 204:
        return {"no_answer": answer.reason}
    if answer.status != 200:
        return None
    if answer.kind != BINARY:
        return json.loads(answer.body)
    packed = gzip.compress(answer.body, 6, mtime=0) if len(answer.body) > 600 else answer.body
    return base64.b64encode(min(packed, answer.body, key=len)).decode("ascii")
