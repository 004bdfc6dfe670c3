"""The examples, unedited and recorded from the command line, fill every panel."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gradtape.record.diagnosis import diagnose
from gradtape.record.panels import cost, fit, flow, landscape, path
from gradtape.record.reader import Reader
from gradtape.record.summary import verdict

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
pytestmark = pytest.mark.slow


def record(folder, name, *arguments):
    words = ["--tensorflow"] if "tensorflow" in name else []
    command = [sys.executable, "-m", "gradtape", "run", "--record", str(folder), *words]
    done = subprocess.run(
        [*command, str(EXAMPLES / name), *arguments], text=True,
        capture_output=True, env={**os.environ, "MPLBACKEND": "agg"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return Reader(folder)


@pytest.mark.parametrize("name", ["tutorial.py", "tutorial_tensorflow.py"])
def test_the_tutorial(tmp_path, name):
    run = record(tmp_path / "run", name, *(["--no-plots"] if name == "tutorial.py" else []))
    assert run.count() == 70
    for step in (0, 34, 69):
        header, (x, y, prediction, grid, curve) = fit(run, step)
        row = run.row(step)
        assert (header["kind"], header["exact"]) == ("curve", True)
        assert len(x) == len(y) == 200
        np.testing.assert_allclose(prediction, row["value/a"] + row["value/b"] * x, rtol=1e-5)
        np.testing.assert_allclose(curve, row["value/a"] + row["value/b"] * grid, rtol=1e-5)
        assert row["cost"] == pytest.approx(np.sum((y - prediction) ** 2), rel=1e-5)
    assert path(run)[0]["axes"] == ["a", "b"]
    header, (losses,) = landscape(run, 15)
    assert header["exact"] is True
    us, vs = np.linspace(*header["u"], 15), np.linspace(*header["v"], 15)
    expected = [np.sum((y - (a + b * x)) ** 2) for b in vs for a in us]
    np.testing.assert_allclose(losses, expected, rtol=1e-4)
    assert flow(run)[0]["names"] == ["a", "b"]
    assert cost(run)[0]["best"] == 69
    assert verdict(run).convergence.converged is False


def test_the_tutorial_at_a_rate_that_is_too_high_leads_to_the_first_infinite_value(tmp_path):
    options = "--no-plots", "--learning-rate", "0.1", "--epochs", "95"
    run = record(tmp_path / "run", "tutorial.py", *options)
    (event,) = run.events("nonfinite")
    assert (event["step"], event["data"]["op"]) == (91, "square")
    lines = (EXAMPLES / "tutorial.py").read_text(encoding="utf-8").splitlines()
    assert "(y - prediction) ** 2" in lines[event["data"]["line"] - 1]
    (warning, *_) = run.events("warning")
    assert Path(warning["data"]["file"]).name == "tutorial.py"
    assert verdict(run).convergence.diverged_at == 91
    assert "learning rate too high" in [each.kind for each in diagnose(run)]


@pytest.mark.parametrize(
    ("name", "classes"),
    [("tensorflow/logistic_regression.py", 2), ("tensorflow/digits_mlp.py", 10)],
)
def test_classifiers(tmp_path, name, classes):
    pytest.importorskip("sklearn")
    run = record(tmp_path / "run", name)
    last = run.last
    drawn = fit(run, last)
    assert not isinstance(drawn, str), drawn
    header, arrays = drawn
    assert header["kind"] == "classes"
    assert len(header["classes"]) == classes
    decided = arrays[2] >= 0.5 if classes == 2 else arrays[2]
    assert np.mean(decided == arrays[1]) > 0.9
    assert path(run)[0]["kind"] == "pca"
    drawn = landscape(run, 9)
    assert not isinstance(drawn, str), drawn
    assert np.isfinite(drawn[1][0]).all()
    assert flow(run)[0]["count"] > 0


def test_a_fit_of_a_table_has_the_tables_columns_at_its_axes(tmp_path):
    rng = np.random.default_rng(0)
    hp, age = rng.uniform(40, 200, 60), rng.uniform(0, 20, 60)
    mpg = 50 - 0.15 * hp - 0.3 * age + rng.normal(0, 2, 60)
    table = tmp_path / "cars.csv"
    rows = np.column_stack([hp, age, mpg])
    np.savetxt(table, rows, delimiter=",", header="hp,age,mpg", comments="")
    command = [sys.executable, "-m", "gradtape", "fit", str(table), "mpg ~ hp + age", "--record"]
    done = subprocess.run(
        [*command, str(tmp_path / "run"), "--out", str(tmp_path / "out")], text=True,
        capture_output=True, env={**os.environ, "MPLBACKEND": "agg"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    run = Reader(tmp_path / "run")
    header, (x, y, prediction, _, _) = fit(run, run.last)
    assert header["inputs"] == ["hp", "age"]
    assert header["names"] == {"x": "hp", "y": "mpg"}
    np.testing.assert_allclose(x, hp)
    np.testing.assert_allclose(y, mpg)
    row = run.row(run.last)
    expected = row["value/Intercept"] + row["value/hp"] * hp + row["value/age"] * age
    np.testing.assert_allclose(prediction, expected, rtol=1e-9)
