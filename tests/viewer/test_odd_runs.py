"""Every answer about recorded runs of odd shapes: numbers, or a sentence that says why none."""

import json
import re
from contextlib import closing
from urllib.parse import urlencode

import numpy as np
import pytest

from gradtape.record.reader import Reader
from gradtape.viewer.answers import Answers
from gradtape.viewer.encoding import untable
from gradtape.viewer.library import Library
from gradtape.viewer.shelf import Shelf
from gradtape.viewer.static import as_page
from tests.viewer.odd_runs import ODD

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
SENTENCE = re.compile(r"\S.{15,}[.:)]$", re.DOTALL)


def some(values, most=6):
    """The first, the last, and a few between."""
    values = list(values)
    places = np.unique(np.linspace(0, len(values) - 1, min(most, len(values))).astype(int))
    return [values[k] for k in places]


def questions(reader):
    """What the page asks: (endpoint, query)."""
    names = [column.name for column in reader.columns()]
    yield from ((each, "") for each in ("", "rows", "events", "verdict", "diagnosis", "path"))
    yield from (("flow", ""), ("flow", "px=3"), ("landscape", "n=6"))
    for name in some(names, 20):
        yield "series", urlencode({"names": name.replace(",", "\\,"), "px": 50})
        yield "rows", urlencode({"names": name.replace(",", "\\,"), "from": 0, "to": 1})
    for graph in some({number for _, number in reader.structures()}, 3):
        yield "graph", f"id={graph}"
    for number, _ in reader.sources():
        yield "source", f"file={number}"
    last = reader.last or 0
    for step in sorted({reader.first or 0, last // 2, last, last + 1}):
        for endpoint in ("row", "graph", "fit", "nodes"):
            yield endpoint, f"step={step}"
        yield "fit", f"step={step}&slice=1&x0=1e300"
        yield "regions", f"step={step}&n=8"
        for tag in some(reader.tags()):
            yield "array", urlencode({"tag": tag.name, "step": step})
    for node in (0, 1, 2, 5, 10**6):
        for side in (0, 1):
            yield "node", f"node={node}&side={side}&step={last}"


def said(answer):
    """The sentence of an answer without numbers."""
    return answer.reason if answer.status == 204 else json.loads(answer.body)["error"]


@pytest.mark.parametrize("name", ODD)
def test_every_answer_has_numbers_or_says_why_not(tmp_path, name):
    kept = ODD[name](tmp_path / name)  # a writer that is still open stays so
    answers = Answers(Library(Shelf(tmp_path)))
    (listed,) = [
        run for run in json.loads(answers.answer("/api/runs").body) if run["folder"] != "unpacked"
    ]
    assert listed["status"] != "unreadable"
    with closing(Reader(answers.library.shelf.find(listed["id"]).path)) as reader:
        asked = list(questions(reader))
        steps = set(reader.steps())
    bad = []
    for endpoint, query in asked:
        path = f"/api/run/{listed['id']}" + (f"/{endpoint}" if endpoint else "")
        answer = answers.answer(path, query)
        if answer.status == 200:
            if answer.kind == "application/json":
                json.loads(answer.body, parse_constant=bad.append)
            else:
                untable(answer.body)
            continue
        is_missing = endpoint == "row" and int(query.partition("=")[2]) in steps
        if is_missing or answer.status not in (204, 404) or not SENTENCE.fullmatch(said(answer)):
            bad.append((path, query, answer))
    both = f"runs={listed['id']},{listed['id']}"
    assert answers.answer("/api/compare", both).status == 200
    assert not bad, bad
    assert "</html>" in as_page(answers.library.shelf.find(listed["id"]).path, steps=3)
    if kept is not None and hasattr(kept, "flush"):
        kept.close("finished")
