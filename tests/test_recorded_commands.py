"""`gradtape fit --record`, `gradtape run --record`, and their pages with --view."""

import sys
import time

import numpy as np
import pytest

from gradtape import cli
from gradtape.runs import Recording, Run, open_run

RNG = np.random.default_rng(0)


@pytest.fixture
def table(folder):
    pytest.importorskip("formulaic")
    return folder


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hp = RNG.uniform(50, 200, 60)
    mpg = 40 - 0.15 * hp + RNG.normal(size=60)
    rows = "\n".join(f"{a!r},{b!r}" for a, b in zip(hp.tolist(), mpg.tolist(), strict=True))
    (tmp_path / "cars.csv").write_text(f"hp,mpg\n{rows}\n", encoding="utf-8")
    return tmp_path


@pytest.mark.usefixtures("table")
def test_a_recorded_fit_has_the_history_of_the_fit(folder, capsys):
    import pandas as pd

    assert cli.main(["fit", "--record", "cars.csv", "mpg ~ hp"]) == 0
    assert "gradtape view" in capsys.readouterr().err
    run = open_run(folder / "runs" / "cars")
    assert run.status == "finished"
    written, recorded = pd.read_csv(folder / "history.csv"), run.history()
    assert len(recorded) == len(written)
    np.testing.assert_array_equal(recorded["cost"], written["cost"])
    for name in ("Intercept", "hp"):
        np.testing.assert_allclose(recorded[name], written[name], rtol=1e-12)
    # the gradients are those of the cost in the data's units
    data = pd.read_csv(folder / "cars.csv")
    step = recorded.iloc[3]
    residual = data.mpg - step["Intercept"] - step["hp"] * data.hp
    np.testing.assert_allclose(step["grad/hp"], -2 * np.mean(residual * data.hp), rtol=1e-6)
    assert run.reader.meta()["config"]["formula"] == "mpg ~ hp"


@pytest.mark.parametrize(
    "words",
    [
        ["mpg ~ hp"],
        ["mpg ~ hp", "--loss", "mae"],
        ["mpg ~ hp", "--loss", "nll:normal"],
        ["--model", "mpg ~ a * exp(-b * hp)", "--init", "a=40,b=0.01"],
    ],
    ids=["mse", "mae", "nll", "model"],
)
@pytest.mark.usefixtures("table")
def test_the_graph_of_a_recorded_fit_gives_its_cost_again(folder, words):
    from gradtape.record.replay import Replay

    arguments = ["fit", "cars.csv", *words, "--record", "here", "--epochs", "20", "-q"]
    assert cli.main(arguments) == 0
    run = open_run(folder / "here")
    graph = run.graph()
    columns = {column.name for column in run.reader.columns()}
    for step in (0, 3):
        row = run.reader.row(step)
        values = {tag: row[tag] for tag in graph["sources"] if tag in columns}
        values |= {tag: run.array(tag, step) for tag in graph["inputs"]}
        (cost,) = Replay(graph).run(values, want=[graph["target"]]).values()
        np.testing.assert_allclose(cost, row["cost"], rtol=1e-9)


@pytest.mark.usefixtures("table")
def test_a_fit_that_diverges_is_a_run_that_failed(folder):
    assert cli.main(["fit", "cars.csv", "mpg ~ hp", "--learning-rate", "9", "--record", "r"]) == 2
    run = open_run(folder / "r")
    assert run.status == "failed"
    (event,) = run.reader.events("exception")
    assert event["data"]["type"] == "DivergedError"


@pytest.mark.usefixtures("table")
def test_a_fit_without_record_writes_no_run(folder):
    assert cli.main(["fit", "cars.csv", "mpg ~ hp", "-q"]) == 0
    assert not (folder / "runs").exists()


@pytest.mark.usefixtures("table")
def test_what_cannot_be_fitted_leaves_no_run(folder):
    assert cli.main(["fit", "--record", "cars.csv", "mpg ~ no_such_column"]) == 2
    assert not (folder / "runs").exists()


SCRIPT = """\
import gradtape as gt
w = gt.Variable(1.0, name="w")
for _ in range(3):
    with gt.GradientTape() as tape:
        loss = w**2
    w -= 0.1 * tape.gradient(loss, w)
"""


@pytest.mark.parametrize("command", ["run", "fit"])
def test_view_shows_the_run_while_it_is_recorded(folder, monkeypatch, capsys, command):
    if command == "fit":
        pytest.importorskip("formulaic")
    shown = []

    def show(self, *, browser=True):
        shown.append((self.path, self.status))
        return "http://127.0.0.1:1/?token=t"

    monkeypatch.setattr(Run, "show", show)
    monkeypatch.setattr(Recording, "show", show)
    monkeypatch.setattr(sys, "argv", ["gradtape"])
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])  # put back
    (folder / "train.py").write_text(SCRIPT, encoding="utf-8")
    words = {"run": ["run", "--view", "train.py"], "fit": ["fit", "--view", "cars.csv", "mpg ~ hp"]}
    assert cli.main(words[command]) == 0
    (entry,) = shown
    assert entry[0].name == {"run": "train", "fit": "cars"}[command] and entry[1] == "running"
    assert "http://127.0.0.1:1/?token=t" in capsys.readouterr().err


@pytest.mark.parametrize("steps", [0, 2])
def test_the_end_says_where_the_run_is_and_whether_it_holds_anything(
    folder, monkeypatch, capsys, steps
):
    def run(path, arguments, *, tensorflow, recording):
        """As a notebook's kernel does, which is told the folder alone."""
        with Recording(recording.path.resolve(), progress=False) as run:
            for step in run.steps(steps):
                run.log(step=step)
        return 0

    monkeypatch.setattr("gradtape.scripts.run", run)
    for name in ("my lesson", "my lesson-2"):  # again: beside the first
        assert cli.main(["run", "--record", "my lesson.ipynb"]) == 0
        said = capsys.readouterr().err
        assert (folder / "runs" / name).exists()
        if steps:
            assert f"recorded; gradtape view 'runs/{name}' shows it" in said
        else:
            assert f"no step was recorded in 'runs/{name}'" in said


@pytest.mark.parametrize("command", ["run", "fit"])
def test_the_start_of_the_server_is_no_part_of_the_first_step(folder, monkeypatch, command):
    if command == "fit":
        pytest.importorskip("formulaic")

    def show(path, browser=True):
        time.sleep(3.0)
        return "http://127.0.0.1:1/?token=t"

    monkeypatch.setattr("gradtape.viewer.launch.show", show)
    monkeypatch.setattr(sys, "argv", ["gradtape"])
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])  # put back
    (folder / "train.py").write_text(SCRIPT, encoding="utf-8")
    words = {"run": ["run", "--view", "train.py"], "fit": ["fit", "--view", "cars.csv", "mpg ~ hp"]}
    assert cli.main(words[command]) == 0
    run = open_run(folder / "runs" / {"run": "train", "fit": "cars"}[command])
    seconds = run.history()["seconds"]
    assert 0 < seconds[0] < 3.0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--record", "train.py"], ["--record=", "train.py"]),
        (["--record", "runs/a", "train.py"], ["--record", "runs/a", "train.py"]),
        (["--record=runs/a", "train.py"], ["--record=runs/a", "train.py"]),
        (["--tensorflow", "--record", "train.py", "x"], ["--tensorflow", "--record=", "train.py",
                                                        "x"]),
        (["train.py", "--record", "other.py"], ["train.py", "--record", "other.py"]),
        (["--view", "train.py", "--record", "a.py"], ["--view", "train.py", "--record", "a.py"]),
    ],
)  # fmt: skip
def test_record_takes_no_script_for_a_folder(words, expected):
    assert cli._prepare_run(words) == expected
