"""A run that is ended and gone on with: the same numbers; files that are whole at any moment."""

import contextlib
import csv
import json
import os
import random
import signal
import subprocess
import sys

import numpy as np
import pytest

from gradtape.fit import checkpoint
from gradtape.fit.options import Options
from gradtape.fit.problems import DivergedError, FitError
from gradtape.fit.run import fit
from tests.fit.helpers import CARS

FORMULA = "mpg ~ horsepower + weight + acceleration"
HOW = [
    {"epochs": 60},
    {"optimizer": "momentum", "epochs": 60},
    {"optimizer": "adam", "epochs": 60, "schedule": "cosine"},
    {"optimizer": "lbfgs"},
    {"optimizer": "lbfgs", "loss": "mae"},
    {"optimizer": "newton", "loss": "huber"},
    {"optimizer": "lm"},
    {"epochs": 30, "batch_size": 64, "seed": 5, "learning_rate": 0.05},
    {"loss": "nll:normal", "optimizer": "lbfgs"},
    {"standardize": False, "epochs": 50},
    {"test_fraction": 0.3, "weights": "cylinders", "epochs": 40},
]


@pytest.fixture(autouse=True)
def _no_pictures(request, monkeypatch):
    if "slow" not in request.keywords:
        monkeypatch.setattr("gradtape.fit.run.pictures", lambda _result: {})


def options(out, **how):
    return Options(str(CARS), FORMULA, out=out, quiet=True, **how)


def rows(folder):
    with open(folder / "history.csv", newline="") as file:
        return list(csv.reader(file))


def interrupted_after(monkeypatch, epochs):
    """Let Ctrl-C come when the run has made so many epochs."""
    original = checkpoint.Keeper.__call__

    def call(self, state):
        original(self, state)
        if len(state.series) > epochs:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.Keeper, "__call__", call)


@pytest.mark.parametrize("how", HOW, ids=lambda how: "-".join(map(str, how.values())))
def test_going_on_gives_the_numbers_of_one_run(tmp_path, monkeypatch, how):
    whole = fit(options(tmp_path / "whole", **how))
    for epochs in (0, 2):
        folder = tmp_path / str(epochs)
        with monkeypatch.context() as patch:
            interrupted_after(patch, epochs)
            first = fit(options(folder, **how))
        assert first.was_interrupted or first.epochs == whole.epochs
        second = fit(options(folder, **how, resume=True))
        assert rows(folder) == rows(tmp_path / "whole")  # to the last bit
        np.testing.assert_array_equal(second.final, whole.final)
        assert second.verdict.text == whole.verdict.text
        models = [json.loads((f / "model.json").read_text()) for f in (folder, tmp_path / "whole")]
        assert models[0]["finished"] and models[1]["finished"]
        assert models[0]["parameters"] == models[1]["parameters"]
        assert models[0]["result"]["standard_errors"] == models[1]["result"]["standard_errors"]


def test_ctrl_c_at_any_line_leaves_a_run_to_go_on_with(tmp_path, monkeypatch):
    whole = fit(options(tmp_path / "whole", epochs=12))
    rng = random.Random(0)
    for attempt in range(25):
        folder = tmp_path / str(attempt)
        countdown = rng.randrange(50, 4000)
        left = [countdown]

        def trace(frame, event, _argument, left=left):
            if "descent.py" in frame.f_code.co_filename and left[0] == 0:
                left[0] = -1
                raise KeyboardInterrupt
            left[0] -= left[0] > 0
            return trace

        from gradtape.fit import specify as module

        original = module.descend

        def descend(*arguments, trace=trace, original=original, **more):
            sys.settrace(trace)
            try:
                return original(*arguments, **more)
            finally:
                sys.settrace(None)

        with monkeypatch.context() as patch:
            patch.setattr(module, "descend", descend)
            # Before the first epoch there is nothing to keep.
            with contextlib.suppress(KeyboardInterrupt):
                fit(options(folder, epochs=12))
        result = fit(options(folder, epochs=12, resume=True))
        np.testing.assert_array_equal(result.coefficients, whole.coefficients)
        np.testing.assert_array_equal(result.costs, whole.costs)


def test_a_run_may_be_made_longer(tmp_path):
    fit(options(tmp_path / "a", epochs=20))
    fit(options(tmp_path / "a", epochs=50, resume=True))
    fit(options(tmp_path / "b", epochs=50))
    assert rows(tmp_path / "a") == rows(tmp_path / "b")
    fit(options(tmp_path / "a", epochs=30, resume=True))  # it has got further already
    assert rows(tmp_path / "a") == rows(tmp_path / "b")


def test_nothing_to_go_on_with_is_said_and_begun(tmp_path, capsys):
    fit(Options(str(CARS), FORMULA, out=tmp_path, resume=True, epochs=3))
    assert "it begins at epoch 0." in capsys.readouterr().out
    fit(Options(str(CARS), FORMULA, out=tmp_path, resume=True, epochs=5))
    assert "Going on from epoch 3." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"formula": "mpg ~ horsepower"}, r"is another one.\nThe data have changed; formula was"),
        ({"loss": "huber:3"}, r"is another one.\nLoss was 'mse', is 'huber:3'"),
        ({"learning_rate": 0.1}, r"Learning_rate was 0.107\d*, is 0.1"),
        ({"optimizer": "momentum"}, "Optimizer was 'gd', is 'momentum'"),
        ({"seed": 4}, "Seed was 0, is 4"),
        ({"init": "a=3"}, "The start has changed"),
        ({"data": "other.csv"}, "The data have changed"),
    ],
)
def test_another_run_is_not_gone_on_with(tmp_path, change, match):
    fit(options(tmp_path, epochs=5))
    if "data" in change:
        text = CARS.read_text().replace("18.0,8,307.0", "18.5,8,307.0", 1)
        (tmp_path / "other.csv").write_text(text)
        change = {"data": str(tmp_path / "other.csv")}
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(FitError, match=match):
        fit(options(tmp_path, epochs=9).but(resume=True, **change))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("model.json", "{"),
        ("model.json", "[]"),
        ("model.json", "{}"),
        ("history.csv", "epoch,cost\n0,1\n"),
        ("history.csv", ""),
        ("history.csv", "other"),
    ],
)
def test_damaged_files_are_told(tmp_path, name, text):
    fit(options(tmp_path, epochs=5))
    if text == "other":
        fit(options(tmp_path / "other", epochs=5, learning_rate=0.01))
        text = (tmp_path / "other" / "history.csv").read_text()
    (tmp_path / name).write_text(text)
    with pytest.raises(FitError, match=r"cannot be gone on with.\n.*\nStart anew, without"):
        fit(options(tmp_path, epochs=9, resume=True))


def test_the_state_is_written_from_time_to_time(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    seen = []
    original = checkpoint.replace_file

    def replace(path, content):
        original(path, content)
        if path.name == "model.json":
            document = json.loads(path.read_text())
            history = rows(tmp_path)
            assert document["run"]["epoch"] == len(history) - 2
            assert not document["finished"]
            seen.append(document["run"]["epoch"])

    monkeypatch.setattr(checkpoint, "replace_file", replace)
    fit(options(tmp_path, epochs=4000))
    assert len(seen) >= 2
    assert seen == sorted(set(seen))


def test_what_diverges_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    folder = tmp_path / "new"
    how = {"loss": "poisson", "optimizer": "gd", "learning_rate": 1e4, "epochs": 50}
    with pytest.raises(DivergedError):
        fit(options(folder, **how))
    assert not folder.exists()


def test_what_a_killed_process_left_beside_the_files_is_swept(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (tmp_path / f".history.csv.{dead.pid}.tmp").write_text("half")
    (tmp_path / f".model.json.{os.getpid()}x.tmp").write_text("another's")
    fit(options(tmp_path, epochs=50))
    assert not (tmp_path / f".history.csv.{dead.pid}.tmp").exists()
    assert (tmp_path / f".model.json.{os.getpid()}x.tmp").exists()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
@pytest.mark.parametrize(
    "how",
    [
        ["--epochs", "10000"],
        ["--epochs", "5000", "--optimizer", "adam"],
        ["--epochs", "300", "--batch-size", "32", "--learning-rate", "0.01"],
    ],
    ids=["gd", "adam", "batches"],
)
def test_killed_at_random_moments(tmp_path, how):
    """Whenever it is killed, every file is whole; in the end the numbers are those of one run."""
    program = (
        "import sys; from gradtape.fit import checkpoint as c; c.SECONDS = 0.02; c.SHARE = 0.9\n"
        "from gradtape.cli import main; sys.exit(main())"
    )
    command = [sys.executable, "-c", program, "fit", str(CARS), FORMULA, "-q", *how, "--out"]
    subprocess.run([*command, str(tmp_path / "whole")], check=True)
    rng, folder, kills = random.Random(1), tmp_path / "killed", 0
    for attempt in range(16):
        process = subprocess.Popen([*command, str(folder), "--resume"])
        patience = 120.0 if attempt == 15 else rng.uniform(0.8, 1.8)
        try:
            code = process.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
            check_whole(folder)
            continue
        assert code == 0
        break
    assert kills >= 1
    assert rows(folder) == rows(tmp_path / "whole")
    parameters = [
        json.loads((f / "model.json").read_text())["parameters"]
        for f in (folder, tmp_path / "whole")
    ]
    assert parameters[0] == parameters[1]


def check_whole(folder):
    if not folder.exists():
        return
    for path in folder.iterdir():
        if path.name == "history.csv":
            history = rows(folder)
            assert len({len(row) for row in history}) == 1
            assert [row[0] for row in history[1:]] == [str(k) for k in range(len(history) - 1)]
        elif path.name == "model.json":
            document = json.loads(path.read_text())
            assert document["run"]["epoch"] < len(rows(folder)) - 1 + 1
        elif path.suffix == ".png":
            content = path.read_bytes()
            assert content.startswith(b"\x89PNG") and content.endswith(b"IEND\xaeB`\x82")
        else:
            assert path.name.startswith(".") and path.name.endswith(".tmp")


def test_what_fails_late_leaves_no_folder_that_it_made(monkeypatch, tmp_path):
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    (tmp_path / "mine").mkdir()
    for out in (tmp_path / "a" / "b", tmp_path / "mine"):
        with pytest.raises(DivergedError):
            fit(options(out, learning_rate=5.0))
    assert [path.name for path in tmp_path.rglob("*")] == ["mine"]
