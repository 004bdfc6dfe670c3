"""A run in a notebook: words, pictures and the whole page in the cell; the widget that follows."""

import base64
import html
import json
import re
import struct
import time

import numpy as np
import pytest

import gradtape as gt
from gradtape.viewer.shelf import run_id
from gradtape.viewer.widget import Conversation, live


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    rng = np.random.default_rng(1)
    x = rng.uniform(0.0, 1.0, 200)
    y = 0.3 + 0.5 * x + rng.normal(0.0, 0.3, 200)
    a, b = gt.Variable(0.0, name="a"), gt.Variable(0.0, name="b")
    with gt.Recording(tmp_path_factory.mktemp("runs") / "line", progress=False) as run:
        for _ in run.steps(70):
            with gt.GradientTape() as tape:
                loss = np.sum((y - (a + b * x)) ** 2)
            da, db = tape.gradient(loss, [a, b])
            a -= 0.001 * da
            b -= 0.001 * db
    return run


def test_the_verdict_is_that_of_the_recorded_numbers(run):
    told = run.verdict()
    costs = run.history()["cost"].to_numpy()
    assert told.lowest.epoch == int(np.argmin(costs))
    assert told.standstill.start is not None
    assert not told.convergence.converged
    assert "Converged" in str(told)


def test_nothing_is_wrong_with_the_tutorial(run):
    assert list(run.diagnose()) == []


def test_a_run_shows_words_pictures_and_its_page(run):
    bundle = run._repr_mimebundle_()
    assert bundle["text/plain"] == repr(run)
    text = bundle["text/html"]
    assert "Fast phase" in text
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', text)
    assert len(pictures) == 2
    assert all(base64.b64decode(p).startswith(b"\x89PNG") for p in pictures)
    frame = r'<iframe sandbox="allow-scripts allow-downloads"[^>]* srcdoc="([^"]*)"'
    (page,) = re.findall(frame, text)
    assert html.unescape(page).startswith("<!doctype html>")
    assert f"/api/run/{run_id(run.path)}/verdict" in html.unescape(page)


def test_a_run_without_a_cost_shows_too(tmp_path):
    with gt.Recording(tmp_path / "<b>empty", progress=False) as run:
        pass
    text = run._repr_mimebundle_()["text/html"]
    assert "<b>empty" not in text
    assert "<iframe" in text


@pytest.mark.parametrize("kind", ["cost", "fit", "path", "flow"])
def test_figures_are_those_of_the_viewer(run, kind):
    figure = run.figure(kind)
    assert figure.axes


def test_to_html_writes_a_file(run, tmp_path):
    path = run.to_html(tmp_path / "run.html")
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")


def ask(conversation, sent, address):
    conversation.hear({"id": 7, "get": address})
    return sent.pop()


def test_the_widget_answers_as_the_server_does(run):
    sent = []
    conversation = Conversation(run.path, lambda content, buffers: sent.append((content, buffers)))
    base = f"/api/run/{run_id(run.path)}"
    content, buffers = ask(conversation, sent, base)
    assert content["json"]["count"] == 70 and content["id"] == 7 and buffers == []
    content, (body,) = ask(conversation, sent, f"{base}/row?step=3")
    (length,) = struct.unpack("<I", body[:4])
    header = json.loads(body[4 : 4 + length])
    values = np.frombuffer(body[4 + length :], "<f8")
    row = run.reader.row(3)
    np.testing.assert_array_equal(values, [row[name] for name in header["names"]])
    content, _ = ask(conversation, sent, f"{base}/regions?step=3&n=9")
    assert content["code"] == 204 and content["error"]
    content, _ = ask(conversation, sent, "/api/run/nothing")
    assert content["code"] in (400, 404)
    conversation.hear("nonsense")
    conversation.hear({"get": 3})
    assert sent == []


def test_the_widget_is_told_of_commits_until_the_run_is_over(tmp_path):
    sent = []
    w = gt.Variable(1.0, name="w")
    with gt.Recording(tmp_path / "run", progress=False) as run:
        conversation = Conversation(run.path, lambda content, _: sent.append(content))
        conversation.start()
        for _ in run.steps(3):
            with gt.GradientTape() as tape:
                loss = w * w
            w -= 0.1 * tape.gradient(loss, w)
    end = time.monotonic() + 20
    while time.monotonic() < end and not (sent and sent[-1]["change"]["status"] == "finished"):
        time.sleep(0.02)
    assert sent[-1]["change"]["status"] == "finished"
    assert sent[-1]["change"]["last"] == 2


def test_live_is_an_anywidget_with_the_page(run):
    pytest.importorskip("anywidget")
    widget = live(run.path)
    assert widget.run == run_id(run.path)
    assert "export default" in str(widget._esm)
    widget.close()


def test_live_without_anywidget_says_what_to_install(run, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "anywidget", None)
    with pytest.raises(gt.errors.RecordError, match="pip install"):
        run.live()
