"""The command line: what a user types, sees and finds afterwards, good input and bad."""

import atexit
import csv
import dataclasses
import gc
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from gradtape.cli import COMMANDS, main

CARS = Path(__file__).parents[1] / "examples" / "data" / "cars.csv"
WRITTEN = {"history.csv", "fit.png", "cost.png", "path.png", "model.json"}


def read_csv(path):
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def refused(here, capsys):
    """Run `gradtape fit`; it must end with 2, one message, no traceback, and nothing written."""

    def refused(*arguments):
        before = sorted(here.rglob("*"))
        assert main(["fit", *map(str, arguments)]) == 2
        assert sorted(here.rglob("*")) == before
        error = capsys.readouterr().err
        assert error.startswith("gradtape fit: ")
        assert "Traceback" not in error
        return error

    return refused


# ------------------------------------------------------------------ the main job


def test_the_readme_command(here, capsys):
    assert main(["fit", str(CARS), "mpg ~ horsepower"]) == 0
    out = capsys.readouterr().out
    assert "mpg = 39.9359 - 0.157845 * horsepower" in out
    assert "397 rows, 5 dropped (no value: horsepower in 5), 392 used." in out
    for fact in ("Fast phase:", "Printed cost:", "Lowest cost:", "Converged:    yes"):
        assert fact in out
    assert {path.name for path in here.iterdir()} == WRITTEN
    rows = read_csv(here / "history.csv")
    assert float(rows[0]["cost"]) == pytest.approx(610.4738, abs=1e-3)
    assert float(rows[-1]["horsepower"]) == pytest.approx(-0.157845, abs=1e-6)
    for name in ("fit.png", "cost.png"):
        assert (here / name).read_bytes().startswith(b"\x89PNG")


def test_every_option(here, capsys):
    code = main(
        [
            *("fit", str(CARS), "mpg ~ horsepower", "--epochs", "30", "--learning-rate", "0.1"),
            *("--init", "a=40,b=-0.1", "--standardize", "--out", "deep/folder"),
        ]
    )
    assert code == 0
    assert {path.name for path in (here / "deep" / "folder").iterdir()} == WRITTEN
    rows = read_csv(here / "deep" / "folder" / "history.csv")
    assert len(rows) == 31
    assert float(rows[0]["Intercept"]) == pytest.approx(40)
    assert float(rows[0]["horsepower"]) == pytest.approx(-0.1)
    assert "Learning rate: 0.1, in standardised units." in capsys.readouterr().out


def test_auto_and_no_standardize(here, capsys):
    arguments = ["fit", str(CARS), "mpg ~ weight", "--learning-rate", "auto", "--epochs", "9"]
    assert main([*arguments, "--no-standardize"]) == 0
    out = capsys.readouterr().out
    assert "in the data's units (auto:" in out
    assert "NO: " in out
    assert "To get there, type one of" in out


def test_quiet_prints_nothing_and_writes_all_the_same(here, capsys):
    assert main(["fit", str(CARS), "mpg ~ weight", "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert {path.name for path in here.iterdir()} == WRITTEN


def test_running_again_replaces_the_files(here):
    for _ in range(2):
        assert main(["fit", str(CARS), "mpg ~ weight", "-q", "--epochs", "2"]) == 0
    assert len((here / "history.csv").read_text().splitlines()) == 4


def document(capsys, formula, *words):
    assert main(["fit", str(CARS), formula, *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def no_pictures(monkeypatch):
    monkeypatch.setattr("gradtape.fit.run.pictures", lambda _result: {})


@pytest.mark.parametrize(
    ("loss", "formula", "score"),
    [
        *((loss, "mpg ~ weight", "r2") for loss in ("sse", "mse", "mae", "huber", "huber:2")),
        ("nll:laplace", "mpg ~ weight", "log_likelihood"),
        ("nll:log(s) + ((y - mu) / s)**2 / 2", "mpg ~ weight", "log_likelihood"),
        ("logistic", "I(mpg > 20) ~ weight", "deviance"),
        ("poisson", "cylinders ~ weight", "deviance"),
    ],
)
def test_every_loss(here, capsys, no_pictures, loss, formula, score):
    own = ["--init", "s=4"] if "(s)" in loss else []
    made = document(capsys, formula, "--loss", loss, *own)
    assert made["loss"].startswith(loss.partition(":")[0])
    assert made["verdict"]["converged"]
    scores = ("r2", "deviance", "log_likelihood")
    assert [name for name in scores if made["score"][name] is not None] == [score]


@pytest.mark.parametrize("name", ["gd", "momentum", "adam", "lbfgs", "newton", "lm"])
def test_every_optimizer(here, capsys, no_pictures, name):
    made = document(capsys, "mpg ~ weight", "--optimizer", name)
    assert made["optimizer"] == name
    assert made["coefficients"]["weight"] == pytest.approx(-0.0076766, rel=1e-4)


def test_every_option_does_something(here, capsys, no_pictures):
    def last(*words):
        made = document(capsys, "mpg ~ weight", *words)
        return made, read_csv(here / "history.csv")

    plain, epochs = last()
    assert last("--learning-rate", "0.05")[0]["learning_rate"] == 0.05
    short, twenty = last("--epochs", "20")
    assert (short["epochs"], len(twenty), len(epochs)) == (20, 21, plain["epochs"] + 1)
    cosine = last("--epochs", "20", "--schedule", "cosine")[1]
    assert cosine[1] == twenty[1] and float(cosine[20]["cost"]) > float(twenty[20]["cost"])
    one, other, again = (
        last("--batch-size", "64", "--epochs", "2", "--seed", seed)[1] for seed in "121"
    )
    assert one == again != other
    assert last("--tolerance", "0.01")[0]["epochs"] < plain["epochs"] / 3
    assert last("--no-standardize", "--epochs", "20")[0]["learning_rate"] < 1e-6
    assert plain["rows"]["test"] == 0 and plain["test"] is None
    kept, moved = (last("--test-fraction", "0.25", "--seed", seed)[0] for seed in "12")
    assert kept["rows"]["test"] == moved["rows"]["test"] == 99
    assert kept["test"]["r2"] != moved["test"]["r2"]
    weighted = last("--weights", "cylinders")[0]
    table = [row for row in read_csv(CARS) if row["weight"] and row["mpg"]]
    x, y, w = ([float(row[name]) for row in table] for name in ("weight", "mpg", "cylinders"))
    slope, intercept = np.polyfit(x, y, 1, w=np.sqrt(w))
    assert weighted["coefficients"]["weight"] == pytest.approx(slope, rel=1e-6)
    assert weighted["coefficients"]["Intercept"] == pytest.approx(intercept, rel=1e-6)


def test_resume_after_a_kill(here):
    """SIGKILL in the midst of the epochs: what is there is whole, and --resume goes on from it."""
    code = (
        "import sys; from gradtape.fit import checkpoint as c; c.SECONDS = 0.0; c.SHARE = 0.5\n"
        "from gradtape.cli import main; sys.exit(main())"
    )
    words = [str(CARS), "mpg ~ weight", "--learning-rate", "0.01", "--out", "run"]
    command = [sys.executable, "-c", code, "fit", *words, "--epochs", "5000000"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 100
    while not (here / "run" / "model.json").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    left = json.loads((here / "run" / "model.json").read_text())
    reached = left["run"]["epoch"]
    assert not left["finished"]
    before = read_csv(here / "run" / "history.csv")
    assert [int(row["epoch"]) for row in before] == list(range(len(before)))
    assert len(before) > reached
    longer = str(reached + 50)
    assert main(["fit", *words, "--epochs", longer, "--resume", "-q"]) == 0
    assert main(["fit", *words[:-1], "whole", "--epochs", longer, "-q"]) == 0
    files = [(here / folder / "history.csv").read_text() for folder in ("run", "whole")]
    assert files[0] == files[1]


# ------------------------------------------------------------------ predicting


def test_predict(here, capsys):
    assert main(["fit", str(CARS), "mpg ~ weight", "-q", "--out", "run"]) == 0
    (here / "new.csv").write_text("weight\n2000\n3000\n\n")
    assert main(["predict", "run/model.json", "new.csv", "--out", "p.csv"]) == 0
    made = json.loads((here / "run" / "model.json").read_text())["result"]["coefficients"]
    found = [float(row["prediction"]) for row in read_csv(here / "p.csv")]
    expected = [made["Intercept"] + made["weight"] * weight for weight in (2000, 3000)]
    assert found == pytest.approx(expected, rel=1e-12)
    capsys.readouterr()
    (here / "other.csv").write_text("wieght\n2000\n")
    assert main(["predict", "run/model.json", "other.csv", "--out", "q.csv"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("gradtape predict: ") and "Did you mean wieght?" in error
    assert main(["predict", "nothing.json", "new.csv"]) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert not (here / "q.csv").exists()


# ------------------------------------------------------------------ bad input


def test_missing_file(refused):
    assert "The file nowhere.csv does not exist." in refused("nowhere.csv", "y ~ x")


def test_unknown_column(refused):
    error = refused(CARS, "mpg ~ horsepowr")
    assert "has no column 'horsepowr'" in error
    assert "Did you mean horsepower?" in error


def test_text_in_a_numeric_column(refused, here):
    (here / "t.csv").write_text("x,y\n1,2\n2,3\nlots,4\n4,5\n")
    error = refused("t.csv", "y ~ x")
    assert "Column 'x' must be numeric, but row 3 (line 4 of t.csv) has 'lots'." in error


def test_missing_values_are_said_and_the_fit_goes_on(here, capsys):
    (here / "t.csv").write_text("x,y\n1,2\n2,\n,4\n4,5\n5,5\n6,8\n")
    assert main(["fit", "t.csv", "y ~ x"]) == 0
    assert "6 rows, 2 dropped (no value: y in 1, x in 1), 4 used." in capsys.readouterr().out


def test_too_few_rows(refused, here):
    (here / "t.csv").write_text("x,y\n1,2\n")
    assert "too few rows: 1 complete ones for 2 coefficients" in refused("t.csv", "y ~ x")


def test_constant_column(refused, here):
    (here / "t.csv").write_text("x,y\n3,2\n3,3\n3,5\n3,4\n")
    assert "Column x is constant: it is 3 in every row." in refused("t.csv", "y ~ x")


def test_collinear_columns(refused):
    error = refused(CARS, "mpg ~ weight + I(weight*0.45359)")
    assert "Columns I(weight * 0.45359) and weight are collinear." in error
    assert "= 0.45359 * weight," in error


def test_diverging_cost(refused):
    error = refused(CARS, "mpg ~ horsepower", "--learning-rate", "1.1")
    assert "The cost diverges at epoch 1" in error
    assert "1.1 times the largest stable one, 1 (2 / largest eigenvalue" in error
    assert f'gradtape fit {CARS} "mpg ~ horsepower" --learning-rate auto' in error


def test_empty_file(refused, here):
    (here / "t.csv").touch()
    assert "The file t.csv is empty" in refused("t.csv", "y ~ x")


def test_unwritable_folder(refused, here):
    (here / "plain").touch()
    error = refused(CARS, "mpg ~ weight", "--out", "plain")
    assert "The folder plain cannot be written to.\nplain is a file" in error


def test_a_folder_that_the_system_refuses(refused):
    # Where a permission is refused depends on who runs the tests; here it is refused to all.
    error = refused(CARS, "mpg ~ weight", "--out", "x" * 300)
    assert "cannot be written to.\nThe system says: File name too long" in error


def test_the_data_is_not_overwritten(refused, here):
    (here / "history.csv").write_bytes(CARS.read_bytes())
    assert "would overwrite the data" in refused("history.csv", "mpg ~ weight")


def test_a_formula_that_cannot_be_read(refused):
    assert "cannot be read" in refused(CARS, "mpg ~ (weight")


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("mpg ~ __import__('os').getcwd()", "cannot be read"),
        ("mpg ~", "has nothing on the right of ~"),
        ("mpg ~ mpg", "The response mpg is on the right of ~ too"),
        ("mpg ~ weight + mpg", "The response mpg is on the right of ~ too"),
        ("log(mpg) ~ log(mpg)", "The response log(mpg) is on the right of ~ too"),
        ("mpg ~ log(weight - weight)", "The logarithm of what is not positive"),
    ],
)
def test_a_formula_that_says_nothing(refused, formula, message):
    assert message in refused(CARS, formula)


def test_numbers_too_large_to_be_squared(refused, here):
    (here / "d.csv").write_text("x,y\n1,1e300\n2,2e300\n3,4e300\n4,3e300\n")
    error = refused("d.csv", "y ~ x")
    assert "too large to be squared" in error and "Warning" not in error


def test_numbers_too_small_to_be_squared_are_drawn_in_silence(here, capsys):
    (here / "d.csv").write_text("x,y\n1,1e-320\n2,2e-320\n3,4e-320\n4,3e-320\n")
    assert main(["fit", "d.csv", "y ~ x", "-q"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("init", ["a=0,a=1", "a=0,Intercept=1", "weight=1,b=2"])
def test_a_coefficient_that_starts_twice(refused, init):
    error = refused(CARS, "mpg ~ weight", "--init", init)
    assert "is given twice" in error


def test_an_unknown_coefficient(refused):
    assert "no coefficient 'wieght'" in refused(CARS, "mpg ~ weight", "--init", "wieght=1")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit", "d.csv", "y ~ x", "--epochs", "0"], "'0' is not a whole number of at least 1"),
        (["fit", "d.csv", "y ~ x", "--epochs", "many"], "'many' is not a whole number"),
        (["fit", "d.csv", "y ~ x", "--learning-rate", "-1"], "'-1' is neither a number above 0"),
        (["fit", "d.csv", "y ~ x", "--learning-rate", "nan"], "'nan' is neither a number"),
        (["fit"], "required: DATA"),
        (["fitt"], "invalid choice"),
        ([], "required: COMMAND"),
    ],
)
def test_usage_errors(arguments, message, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--loss", "mee"], "Did you mean mse"),
        (["--optimizer", "bfgs"], "Did you mean lbfgs?"),
        (["--optimizer", "lm", "--loss", "mae"], "does not go with --loss mae"),
        (["--schedule", "cos"], "There is no schedule 'cos'"),
        (["--weights", "wieght"], "Did you mean weight?"),
        (["--loss", "logistic"], "The labels in column 'mpg' do not suit --loss logistic"),
        (["--test-fraction", "0.999"], "too few rows"),
        (["--model", "mpg ~ a * weight", "--init", "a=1"], "Both a formula"),
    ],
)
def test_options_that_do_not_suit(refused, arguments, message):
    assert message in refused(CARS, "mpg ~ horsepower", *arguments)


def test_formulas_are_not_python(refused):
    error = refused(CARS, "mpg ~ I(__import__('os').system('touch pwned'))")
    assert "not on its list" in error or "may not hold" in error
    error = refused(CARS, "--model", "mpg ~ a*__import__('os').getpid()", "--init", "a=1")
    assert "is not allowed here" in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mpg ~ np.load(weight)"], "load"),
        (["mpg ~ open(weight)"], "open"),
        (["--model", "mpg ~ a * gamma(weight)", "--init", "a=1"], "gamma"),
        (["--model", "mpg ~ a * exq(weight)", "--init", "a=1"], "Did you mean exp?"),
        (["--model", "mpg ~ a * wieght", "--init", "a=1"], "Did you mean weight?"),
        (["--model", "mpg ~ a * weight.real", "--init", "a=1"], "weight.real"),
    ],
)
def test_functions_and_names_outside_the_list(refused, arguments, message):
    assert message in refused(CARS, *arguments)


def test_unreadable_parquet(refused, here):
    (here / "t.parquet").write_bytes(b"PAR1 and nothing more")
    assert "t.parquet cannot be read as Parquet.\npyarrow says" in refused("t.parquet", "y ~ x")


def test_separated_labels(refused, here):
    (here / "t.csv").write_text("x,y\n1,no\n2,no\n3,no\n4,yes\n5,yes\n")
    error = refused("t.csv", "y ~ x", "--loss", "logistic")
    assert "separated: -3.5 + 1 * x is above 0 where the label is 'yes' and below 0 where" in error


def test_a_start_that_leads_nowhere(refused, here):
    (here / "t.csv").write_text("x,y\n1,2\n2,3\n3,4\n4,6\n")
    error = refused("t.csv", "--model", "y ~ a*exp(b*x)", "--init", "a=0,b=1")
    assert "cannot descend from b=1: there b has no effect" in error
    assert "because a is 0" in error


def test_a_model_from_a_pipe(here, capsys, monkeypatch):
    class Pipe:
        buffer = io.BytesIO(b'{"x": 0, "y": 1}\n{"x": 1, "y": 2}\n{"x": 2, "y": 4.1}\n')

    monkeypatch.setattr("sys.stdin", Pipe)
    arguments = ["fit", "-", "--model", "a*exp(b*x)", "--init", "a=1,b=0.1"]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "y ~ a*exp(b*x), from standard input" in out
    assert "Steps: Levenberg-Marquardt" in out
    assert {path.name for path in here.iterdir()} == WRITTEN


# ------------------------------------------------------------------ the process


def run(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "gradtape", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        **options,
    )


def test_help_lists_every_command_and_option():
    assert all(command.name in run("--help").stdout for command in COMMANDS)
    text = " ".join(run("fit", "--help").stdout.split())
    for option in ("--epochs", "--learning-rate", "--init", "--standardize", "--no-standardize"):
        assert option in text
    assert "a quarter of the largest stable rate" in text
    assert "--out" in text
    listed = {word.strip("[]") for word in text.split() if word.startswith(("--", "[--"))}
    asked = "loss optimizer schedule batch-size tolerance seed test-fraction weights json resume"
    assert {f"--{name}" for name in asked.split()} <= listed


def test_exit_code_and_streams_of_the_process(tmp_path):
    done = run("fit", "none.csv", "y ~ x", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("gradtape fit: The file none.csv does not exist.")
    done = run("fit", CARS, "mpg ~ weight", "--epochs", "5", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")  # no bar where nobody looks


def test_the_command_imports_nothing_heavy_before_it_is_needed():
    code = (
        "import sys, json, gradtape.cli as cli\n"
        "try: cli.main(['fit', '--help'])\n"
        "except SystemExit: pass\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    modules = json.loads(done.stdout.splitlines()[-1])
    heavy = {"numpy", "scipy", "pandas", "matplotlib", "formulaic", "tqdm", "llvmlite"}
    assert heavy.isdisjoint(modules)


@pytest.mark.parametrize(("command", "spared"), [("fit", True), ("predict", True), ("run", False)])
def test_a_process_of_our_own_looks_for_garbage_seldom(command, spared, monkeypatch):
    """Not one that runs code of the user's, nor one that calls `main`."""
    seen, at_the_end = [], []
    place = next(i for i, known in enumerate(COMMANDS) if known.name == command)
    watched = dataclasses.replace(
        COMMANDS[place], run=lambda _: seen.append(gc.get_threshold()) or 0, prepare=None
    )
    monkeypatch.setattr("gradtape.cli.COMMANDS", (watched,))
    monkeypatch.setattr(atexit, "register", at_the_end.append)
    words = {"fit": ["t.csv", "y ~ x"], "predict": ["model.json", "t.csv"], "run": ["train.py"]}
    usual = gc.get_threshold()
    assert main([command, *words[command]]) == 0
    monkeypatch.setattr(sys, "argv", ["gradtape", command, *words[command]])
    assert main() == 0
    assert seen[0] == usual == gc.get_threshold()
    assert (seen[1][0] >= 100 * usual[0], at_the_end) == (spared, [gc.freeze] * spared)


def test_garbage_that_is_not_looked_for_stays_so(monkeypatch):
    """Whoever has switched the collector off in this process, or set it higher, keeps that."""
    usual = gc.get_threshold()
    watched = [known for known in COMMANDS if known.name == "predict"]
    seen = []
    monkeypatch.setattr(
        "gradtape.cli.COMMANDS",
        (dataclasses.replace(watched[0], run=lambda _: seen.append(gc.get_threshold()) or 0),),
    )
    monkeypatch.setattr(atexit, "register", lambda _: None)
    monkeypatch.setattr(sys, "argv", ["gradtape", "predict", "model.json", "t.csv"])
    try:
        for first in (0, 10**9):
            gc.set_threshold(first)
            assert main() == 0
            assert gc.get_threshold()[0] == first
    finally:
        gc.set_threshold(*usual)
    assert [threshold[0] for threshold in seen] == [0, 10**9]


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent as SIGINT")
def test_ctrl_c_ends_with_what_has_been_fitted(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "gradtape", "fit", CARS, "mpg ~ weight", "--epochs", "50000000"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    first = process.stdout.readline()  # printed just before the first epoch
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=120)
    assert process.returncode == 130
    assert first.startswith("mpg ~ weight")
    assert "Ctrl-C ended the descent after" in out
    assert "mpg = 46.3" in out
    assert "Traceback" not in error
    assert {path.name for path in tmp_path.iterdir()} == WRITTEN
    rows = (tmp_path / "history.csv").read_text().splitlines()
    assert f"after {len(rows) - 2:,} epochs" in out


def test_ctrl_c_before_the_first_epoch(here, capsys, monkeypatch):
    def interrupt(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("gradtape.fit.run.open_table", interrupt)
    assert main(["fit", str(CARS), "mpg ~ weight"]) == 130
    assert "stopped by Ctrl-C, before there were results" in capsys.readouterr().err
    assert list(here.iterdir()) == []
