"""One HTML file of a run: what it holds, that nothing in it runs but the page, how large it is."""

import base64
import gzip
import hashlib
import json
import re
import shutil
import sqlite3
from html.parser import HTMLParser

import numpy as np
import pytest

import gradtape as gt
from gradtape.errors import RecordWarning
from gradtape.viewer import excerpt, static
from gradtape.viewer.answers import Answers
from gradtape.viewer.encoding import untable
from gradtape.viewer.library import Library
from gradtape.viewer.shelf import Shelf, run_id
from tests.viewer import demo
from tests.viewer.browser import models
from tests.viewer.test_hostile import SCRIPT, change


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    return {make.__name__: demo.write(make(), root / make.__name__) for make in demo.ALL}


class Page(HTMLParser):
    """The elements of a page as a browser takes them apart: tag, attributes, text."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.within = [], False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append([tag, dict(attributes), ""])
        self.within = True

    def handle_endtag(self, tag):
        self.within = False

    def handle_data(self, data):
        if self.within:
            self.elements[-1][2] += data

    def all(self, tag):
        return [element for element in self.elements if element[0] == tag]


def data_of(text):
    (data, _) = Page(text).all("script")
    assert data[1] == {"type": "application/json", "id": "run-data"}
    return json.loads(data[2], parse_constant=lambda word: 1 / 0)


def binary(value):
    content = base64.b64decode(value)
    return untable(gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content)


def test_it_holds_what_the_server_answers(runs):
    run, id = runs["line"], run_id(runs["line"])
    found = data_of(static.as_page(run))
    assert found["run"] == id
    kept, answers = found["answers"], Answers(Library(Shelf(run)))
    base = f"/api/run/{id}"
    for address in ("/api/runs", base, f"{base}/events", f"{base}/graph?id=1",
                    f"{base}/source?file=1"):  # fmt: skip
        path, _, query = address.partition("?")
        assert kept[address] == json.loads(answers.answer(path, query).body)
    header, numbers = binary(kept[f"{base}/rows"])
    line = demo.line()
    assert (header["count"], header["of"]) == (70, 70)
    columns = numbers.reshape(len(header["names"]) + 1, 70)
    np.testing.assert_array_equal(columns[0], range(70))
    for name, column in zip(header["names"], columns[1:], strict=True):
        np.testing.assert_array_equal(column, line.columns[name][3])
    assert binary(kept[f"{base}/nodes?step=69"])[0]["step"] == 69
    header, numbers = binary(kept[f"{base}/node?node=6&side=1&step=69"])
    np.testing.assert_array_equal(numbers, line.node_arrays[69, 6, 1])


def test_addresses_have_their_queries_in_order(runs):
    for run in runs.values():
        for address in data_of(static.as_page(run))["answers"]:
            keys = [part.partition("=")[0] for part in address.partition("?")[2].split("&")]
            assert keys == sorted(keys)


def test_a_run_of_two_costs_holds_the_panels_of_both(tmp_path):
    models.pair(tmp_path / "pair", steps=3)
    kept = data_of(static.as_page(tmp_path / "pair"))["answers"]
    base = f"/api/run/{run_id(tmp_path / 'pair')}"
    for first, second in (
        ("verdict", "verdict?cost=1"), ("fit?step=2", "fit?cost=1&step=2"),
        ("nodes?step=2", "nodes?cost=1&step=2"), ("path", "path?cost=1"),
        ("node?node=3&side=0&step=2", "node?cost=1&node=3&side=0&step=2"),
    ):  # fmt: skip
        assert kept[f"{base}/{first}"] != kept[f"{base}/{second}"], second


def test_a_model_of_several_inputs_holds_its_fit_along_each(tmp_path):
    models.plane(tmp_path / "plane", steps=3)
    kept = data_of(static.as_page(tmp_path / "plane"))["answers"]
    base = f"/api/run/{run_id(tmp_path / 'plane')}"
    along = [binary(kept[f"{base}/fit?slice={k}&step=2"])[0]["slice"] for k in range(3)]
    assert along == [0, 1, 2]


def test_arrays_are_kept_once_where_they_were_stored(runs):
    id = run_id(runs["classes"])
    kept = data_of(static.as_page(runs["classes"], steps=10))["answers"]
    arrays = [address for address in kept if "/array?" in address]
    assert f"/api/run/{id}/array?step=0&tag=input%2F0" in arrays
    assert len([address for address in arrays if "input%2F0" in address]) == 1
    assert len([address for address in arrays if "value%2Fw1" in address]) in range(10, 14)


def test_the_steps_at_which_something_happened_are_there(runs):
    kept = data_of(static.as_page(runs["diverging"], steps=3))["answers"]
    costs = demo.diverging().columns["cost"][3]
    first = int(np.argmin(np.isfinite(costs)))
    steps = {int(re.search(r"step=(\d+)", address)[1]) for address in kept if "/nodes?" in address}
    assert {0, first - 1, first, 119, int(np.nanargmin(costs))} <= steps
    assert len(steps) < 9


def test_a_file_is_the_page_and_its_data_and_asks_nothing_of_a_network(runs, tmp_path):
    path = static.to_html(runs["line"], tmp_path / "run.html")
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    names = {"src", "href", "action", "srcset", "data", "poster", "background"}
    for _, attributes, _ in page.elements:
        assert {attributes[name] for name in names & attributes.keys()} <= {"data:,"}
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
    data = page.all("script")[0][2]
    assert len(text.encode()) - len(data) <= 300_000
    assert page.all("script")[1][2] == static._asset("app.js")


def test_its_policy_lets_only_the_pages_own_script_run(runs):
    page = Page(static.as_page(runs["line"]))
    metas = page.all("meta")
    (policy,) = [m[1]["content"] for m in metas if "http-equiv" in m[1]]
    names = [element[0] for element in page.elements]
    at = page.elements.index(next(m for m in metas if "http-equiv" in m[1]))
    assert not {"script", "style", "link"} & set(names[:at])
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    hashes = {
        kind: base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for kind, text in (("script", page.all("script")[1][2]), ("style", page.all("style")[0][2]))
    }
    assert rules == {
        "default-src": "'none'", "script-src": f"'sha256-{hashes['script']}'",
        "style-src": f"'sha256-{hashes['style']}'", "img-src": "data: blob:",
        "base-uri": "'none'", "form-action": "'none'",
    }  # fmt: skip
    assert "unsafe" not in policy and "http" not in policy


@pytest.mark.parametrize(
    "words",
    [SCRIPT, "</script><script>alert(1)</script>", "</SCRIPT >", "<!--", "<!-- <script>", "-->",
     "]]>", "</title><img src=x onerror=alert(1)>", "\u2028\u2029", "\x00\x1b[31m", "\ud800",
     "&lt;/script&gt;", "</style><style>*{}", "\"'`${alert(1)}"],
)  # fmt: skip
def test_what_a_run_says_stays_text(runs, tmp_path, words):
    """In a name, a source file, an event, a column: never the end of the element it stands in."""
    run = shutil.copytree(runs["line"], tmp_path / "line")
    told = json.dumps(words)
    change(
        run,
        ["UPDATE meta SET value = ? WHERE key IN ('name', 'script', 'config')", [told]],
        ["UPDATE event SET data = ?", [json.dumps({"text": words})]],
        ["UPDATE \"column\" SET unit = ?", [words.encode("utf-8", "replace").decode()]],
        ["UPDATE source SET text = ?", [words.encode("utf-8", "replace").decode()]],
    )  # fmt: skip
    text = static.as_page(run, steps=2)
    clean = static.as_page(runs["line"], steps=2)
    page = Page(text)
    assert [e[:2] for e in page.elements] == [e[:2] for e in Page(clean).elements]
    found = data_of(text)["answers"]
    assert found["/api/runs"][0]["name"] == json.loads(told)
    start = text.index('id="run-data">') + len('id="run-data">')
    data = text[start : text.index("</script>", start)]
    assert data.isascii() and not set("<>&") & set(data)
    assert json.loads(data)["answers"] == found
    title = page.all("title")[0][2]
    assert title.startswith(words[:1]) or not words[:1].isprintable()


def test_a_long_run_keeps_the_points_that_a_screen_shows(tmp_path, monkeypatch):
    monkeypatch.setattr(excerpt, "MOST_ROWS", 20_000)
    run = demo.write(demo.long(100_000), tmp_path / "long")
    found = data_of(static.as_page(run))["answers"]
    header, numbers = binary(found[f"/api/run/{run_id(run)}/rows"])
    assert header["of"] == 100_000 and header["count"] < 4000
    columns = numbers.reshape(len(header["names"]) + 1, -1)
    spike = header["names"].index("value/w0") + 1
    assert columns[spike].max() == 50 and np.isnan(columns[header["names"].index("cost") + 1]).any()
    assert {0, 99_999} <= set(columns[0])


def test_data_beyond_the_limit_is_left_out_arrays_first(runs):
    small = data_of(static.as_page(runs["classes"], most_bytes=30_000))["answers"]
    whole = data_of(static.as_page(runs["classes"]))["answers"]
    base = f"/api/run/{run_id(runs['classes'])}"
    assert f"{base}/rows" in small and f"{base}/events" in small
    assert len(small) < len(whole)


WIDTH, LAYERS = 24, 40


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A run of the level full of a wide model: megabytes of values and cotangents a step."""
    rng = np.random.default_rng(0)
    weights = [
        gt.Variable(rng.normal(size=(WIDTH, WIDTH)) / WIDTH**0.5, name=f"w{i}")
        for i in range(LAYERS)
    ]
    x, y = rng.normal(size=(500, WIDTH)), rng.normal(size=(500, WIDTH))
    folder = tmp_path_factory.mktemp("wide") / "wide"
    with gt.Recording(folder, level="full", progress=False) as run:
        for step in range(12):
            with gt.GradientTape() as tape:
                hidden = x
                for w in weights:
                    hidden = np.tanh(hidden @ w)
                loss = np.mean((hidden - y) ** 2)
            for w, gradient in zip(weights, tape.gradient(loss, weights), strict=True):
                w.assign_sub(0.01 * gradient)
            run.note("long " * 200 * (step % 3))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("most", [6 << 20, 300_000, 60_000])
def test_a_wide_model_in_full_stays_within_the_limit_and_says_what_is_missing(wide, most, tmp_path):
    path = tmp_path / "run.html"
    with pytest.warns(RecordWarning, match="does not hold all of the run") as warned:
        static.to_html(wide, path, most_bytes=most)
    text = path.read_text(encoding="utf-8")
    assert len(text.encode()) <= most + 300_000
    base = f"/api/run/{run_id(wide)}"
    kept = data_of(text)["answers"]
    left_out = kept[base]["left_out"]
    assert all(words in str(warned[0].message) for words in left_out)
    assert any(words.startswith("arrays of operations") for words in left_out)
    header, _ = binary(kept[f"{base}/rows"])
    assert header["names"][0] == "cost" and header["of"] == 12
    assert f"{base}/events" in kept and f"{base}/flow" in kept


def test_what_fits_is_whole_and_nothing_is_said(runs, tmp_path):
    path = static.to_html(runs["line"], tmp_path / "run.html")
    kept = data_of(path.read_text(encoding="utf-8"))["answers"]
    assert "left_out" not in kept[f"/api/run/{run_id(runs['line'])}"]


def test_steps_that_are_left_out_lie_between_those_that_are_kept(runs):
    run = runs["classes"]
    kept = data_of(static.as_page(run, most_bytes=120_000))["answers"]
    steps = sorted(int(re.search(r"step=(\d+)", a)[1]) for a in kept if "/nodes?" in a)
    last = kept[f"/api/run/{run_id(run)}"]["last"]
    assert 2 < len(steps) < 40 and (steps[0], steps[-1]) == (0, last)
    assert max(np.diff(steps)) < last / 2


def test_what_there_is_nothing_to_draw_of_keeps_its_reason(runs):
    found = data_of(static.as_page(runs["line"]))["answers"]
    reason = found[f"/api/run/{run_id(runs['line'])}/regions?n=56&step=0"]
    assert reason["no_answer"].startswith("Decision regions are drawn of a classifier")


def test_a_run_that_is_none_is_said(tmp_path):
    from gradtape.errors import RunError

    with pytest.raises(RunError, match="holds no recorded run"):
        static.as_page(tmp_path)


def test_the_source_database_is_left_as_it_was(runs):
    before = (runs["line"] / "run.db").read_bytes()
    static.as_page(runs["line"])
    assert (runs["line"] / "run.db").read_bytes() == before
    sqlite3.connect(runs["line"] / "run.db").close()
