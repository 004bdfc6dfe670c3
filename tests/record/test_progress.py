"""The line of progress: in a terminal, a notebook, a log, tqdm or a function of the user's."""

import io
import sys
import types

import pytest

import gradtape as gt
from gradtape.errors import RecordError
from gradtape.record import progress as module
from gradtape.record.progress import line_of, progress_of

NONE = {"cost": float("nan"), "slope": float("nan")}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def descend(run, steps=12):
    w = gt.Variable(4.0, name="w")
    for _ in run.steps(steps):
        with gt.GradientTape() as tape:
            loss = w**2
        w.assign_sub(0.1 * tape.gradient(loss, w))


def test_a_function_sees_every_step(tmp_path):
    seen = []
    with gt.Recording(tmp_path / "run", progress=seen.append) as run:
        descend(run)
    assert [facts["step"] for facts in seen] == list(range(12))
    costs = run.reader.series("cost")[1]
    assert [facts["cost"] for facts in seen] == costs.tolist()
    assert [facts["slope"] for facts in seen] == abs(run.reader.series("grad/w")[1]).tolist()
    assert {facts["steps"] for facts in seen} == {12}
    assert seen[-1]["rate"] > 0


def test_a_terminal_has_one_line_that_is_written_over(tmp_path, monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    with gt.Recording(tmp_path / "run") as run:
        descend(run)
    text = stream.getvalue()
    assert text.count("\n") == 1 and text.endswith("\n")
    lines = text.strip("\n").split("\r")
    assert lines[1].startswith("1/12") and lines[-1].startswith("12/12")
    assert "cost" in lines[-1] and "|grad|" in lines[-1]


def test_a_terminal_is_told_ten_times_a_second_at_most():
    stream = Terminal()
    progress = progress_of(True, stream)
    start = progress._next
    for i in range(1000):
        progress.step(i, start + i / 1000, lambda: NONE)
    progress.end()
    assert 10 <= stream.getvalue().count("\r") <= 12


def test_a_log_gets_a_line_every_few_seconds():
    stream = io.StringIO()
    progress = progress_of(True, stream)
    start = progress._next - module.LOG_SECONDS
    for i in range(31):
        progress.step(i, start + i, lambda: {"cost": 2.0, "slope": 1.0})
    progress.end()
    lines = stream.getvalue().splitlines()
    assert 6 <= len(lines) <= 7 and all("cost 2" in line for line in lines)


def test_a_short_loop_says_nothing_in_a_log(tmp_path, capsys):
    with gt.Recording(tmp_path / "run") as run:
        descend(run)
    assert capsys.readouterr().err == ""


def test_a_notebook_has_one_output_that_is_updated(monkeypatch):
    shown = []

    class Handle:
        def display(self, data, raw):
            shown.append(("display", data["text/plain"], raw))

        def update(self, data, raw):
            shown.append(("update", data["text/plain"], raw))

    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: types.SimpleNamespace(kernel=True)
    ipython.display = types.SimpleNamespace(DisplayHandle=Handle)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    progress = progress_of(True)
    start = progress._next
    for i in range(100):
        progress.step(i, start + i / 50, lambda: NONE)
    progress.end()
    assert shown[0][0] == "display" and all(kind == "update" for kind, _, _ in shown[1:])
    assert 8 <= len(shown) <= 10  # two seconds at four a second, and the end
    assert shown[-1][1].startswith("step 100")


def test_tqdm(tmp_path, monkeypatch):
    pytest.importorskip("tqdm")
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with gt.Recording(tmp_path / "run", progress="tqdm") as run:
        descend(run)
    assert "12/12" in stream.getvalue() and "cost" in stream.getvalue()


def test_tqdm_that_is_not_installed(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(RecordError, match=r"tqdm(.|\n)*pip install tqdm"):
        gt.Recording(tmp_path / "run", progress="tqdm")


def test_what_the_line_says():
    facts = {"step": 9, "steps": 100, "cost": 0.5, "slope": 2.0, "rate": 0.25}
    assert line_of(facts) == "10/100  cost 0.5  |grad| 2  4 s/it  0:06:00 left"
    assert line_of({"step": 9, "steps": None, **NONE}) == "step 10"
