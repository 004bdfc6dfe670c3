"""One HTML file with the page and a run in it: to be sent to a colleague, or shown in a notebook.

The file holds the answers that the page would have asked the server for, by their addresses:
all series (of very long runs the points that a screen shows), and for steps evenly chosen, and for
those at which something happened, the fit, the values of nodes and the arrays. It asks nothing of
any network, and its policy lets nothing run but the page's own script.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
import os
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np

from ..errors import RunError, three_part
from ..record.doors import path_of, whole_of
from ..record.reader import Reader
from ..record.reduction import extremes
from .answers import BINARY, Answer, Answers
from .encoding import as_json, table
from .library import Library
from .shelf import Shelf, run_id

__all__ = ["as_page", "to_html"]

STEPS, MOST_BYTES, MOST_ROWS = 60, 6 << 20, 400_000
"""Steps of which fits and arrays are kept, bytes of all that, numbers of the table of series."""

POLICY = (
    "default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}'; "
    "img-src data: blob:; base-uri 'none'; form-action 'none'"
)
FORM = """\
<!doctype html>
<html lang="en" class="gt-page">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<div id="gradtape"><noscript>This page draws a recorded run with JavaScript, which is switched \
off here.</noscript></div>
<script type="application/json" id="run-data">{data}</script>
<script>{script}</script>
</body>
</html>
"""


def to_html(
    run: str | os.PathLike[str],
    file: str | os.PathLike[str],
    *,
    steps: int = STEPS,
    most_bytes: int = MOST_BYTES,
) -> Path:
    """Write a run into one HTML file that needs nothing else, and return its path.

    Parameters
    ----------
    run : path
        The folder of a recorded run.
    file : path
        What is written; it is replaced if it is there.
    steps : int
        Of how many steps, evenly chosen, fits, values of nodes and arrays are kept beside those at
        which something happened.
    most_bytes : int
        How large the data may become, compressed; arrays are left out first.

    Raises
    ------
    RunError
        If there is no such run, or the file cannot be written.
    TypeError, ValueError
        If an argument is not one of these.
    """
    path, steps = path_of("to_html", file), whole_of("to_html", "steps", steps, 1)
    page = as_page(run, steps=steps, most_bytes=most_bytes)
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise RunError(
            three_part(
                f"to_html: {path} cannot be written: {error.strerror or error}.",
                f"The page has {len(page)} characters, and becomes one file.",
                'Name a file in a folder that is there: run.to_html("run.html").',
            )
        ) from error
    return path


def as_page(
    run: str | os.PathLike[str], *, steps: int = STEPS, most_bytes: int = MOST_BYTES
) -> str:
    """Return the text of the file that `to_html` writes."""
    shelf = Shelf(run)
    id = run_id(run)
    answers = Answers(Library(shelf))
    found = shelf.find(id)
    reader = Reader(run) if found is None else answers.library.reader(found)
    kept: dict[str, Any] = {}
    size = 0
    try:
        for address in _addresses(f"/api/run/{id}", reader, steps):
            path, _, query = address.partition("?")
            if size > most_bytes and not path.endswith(ESSENTIAL):
                continue
            answer = _rows(reader) if path.endswith("/rows") else answers.answer(path, query)
            value = _stored(answer)
            if value is not None:
                kept[address] = value
                size += len(value) if isinstance(value, str) else len(as_json(value))
        title = f"{reader.meta().get('name') or Path(run).name} - gradtape"
    finally:
        reader.close()
    return _page({"run": id, "answers": kept}, title, _asset("app.js"), _asset("app.css"))


ESSENTIAL = ("/runs", "/rows", "/series", "/events", "/verdict", "/diagnosis", "/path", "/flow",
             "/landscape")  # fmt: skip
MOST_GRAPHS, MOST_REGIONS, MOST_ASKED = 16, 24, 4_000
SPECIAL = ("nonfinite", "exception", "none", "warning", "note")


def _addresses(base: str, reader: Reader, count: int) -> Iterator[str]:
    """What is asked for, the most important first."""
    yield "/api/runs"
    yield base
    for name in ("rows", "events", "verdict", "diagnosis", "path", "flow", "landscape"):
        yield f"{base}/{name}"
    # In a table a step at which nothing was logged looks like a NaN that was.
    for column in reader.columns():
        if column.kind in ("log", "cost") and len(reader.series(column.name)[0]) < reader.count():
            names = column.name.replace(",", "\\,")
            yield f"{base}/series?{urlencode({'names': names})}"
    costs = range(max(1, len(reader.costs())))
    every = [graph for cost in costs for _, graph in reader.structures(cost)]
    graphs = list(dict.fromkeys(every))[:MOST_GRAPHS]
    for graph in graphs:
        yield f"{base}/graph?id={graph}"
    for number, _ in reader.sources():
        yield f"{base}/source?file={number}"
    chosen = _chosen(reader, count)
    for step in chosen:
        yield f"{base}/fit?step={step}"
        yield f"{base}/nodes?step={step}"
    for step in chosen[:: max(1, len(chosen) // MOST_REGIONS)]:
        yield f"{base}/regions?n=56&step={step}"
    for tag in reader.tags():
        held = np.array(reader.arrays(tag.name), np.int64)
        if len(held):  # the array that is there at each step, not the step itself
            places = np.searchsorted(held, chosen, side="right") - 1
            for step in np.unique(held[places[places >= 0]]):
                yield f"{base}/array?{urlencode({'step': step, 'tag': tag.name})}"
    nodes = max((len(reader.graph_by_id(graph).get("nodes", ())) for graph in graphs), default=0)
    # Many arrays a step: of few steps, the nearest of which the page shows.
    for step in _special(reader, chosen)[: MOST_ASKED // (2 * nodes)] if nodes else []:
        for node in range(nodes):
            for side in (0, 1):
                yield f"{base}/node?node={node}&side={side}&step={step}"


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


def _rows(reader: Reader) -> Answer:
    """Every series, whole, or the rows in which one of them has an extreme of its bucket."""
    names = [column.name for column in reader.columns()]
    steps, matrix = reader.table(names)
    of, most = len(steps), max(100, MOST_ROWS // (len(names) + 1))
    if of > most:
        buckets = max(1, most // (2 * max(1, len(names))))
        parts = [extremes(matrix[:, i], buckets) for i in range(len(names))]
        chosen = np.unique(np.concatenate([np.array([0, of - 1]), *parts]))
        steps, matrix = steps[chosen], matrix[chosen]
    header = {"names": names, "count": len(steps), "of": of}
    return Answer(table(header, [steps, matrix.T]), BINARY)


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


def _asset(name: str) -> str:
    return (files("gradtape.viewer") / "page" / name).read_text(encoding="utf-8")


def _page(data: Any, title: str, script: str, style: str) -> str:
    """Put the parts together so that what a run holds cannot end the part that it stands in."""
    # The built page has no such words: the bundler writes them otherwise.
    assert not re.search(r"</script|<!--|</style", script + style, re.IGNORECASE)
    shown = as_json(data).decode("ascii")
    for letter in "<>&":
        shown = shown.replace(letter, f"\\u{ord(letter):04x}")
    policy = POLICY.format(script=_digest(script), style=_digest(style))
    return FORM.format(
        policy=html.escape(policy), title=html.escape(title), style=style, data=shown, script=script
    )


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
