"""model.json and what it predicts: the numbers of the fit, on rows that it has never seen."""

import io
import json

import numpy as np
import pandas as pd
import pytest

from gradtape.cli import main
from gradtape.fit.options import Options
from gradtape.fit.predict import load_model, model_of
from gradtape.fit.problems import FitError
from gradtape.fit.run import fit
from gradtape.fit.sources import read_table, table_of
from tests.fit.helpers import CARS


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch):
    monkeypatch.setattr("gradtape.fit.run.pictures", lambda _result: {})


def written(folder, formula=None, data=CARS, **how):
    result = fit(Options(str(data), formula, out=folder, quiet=True, **how))
    return result, folder / "model.json"


@pytest.mark.parametrize(
    "formula",
    [
        "mpg ~ horsepower",
        "mpg ~ weight + origin",
        "mpg ~ weight + C(cylinders)",
        "mpg ~ C(cylinders, Treatment(6)) * weight",
        "mpg ~ poly(weight, 3) + center(horsepower) + scale(acceleration)",
        "mpg ~ bs(weight, df=5)",
        "mpg ~ 0 + origin + np.log(weight)",
        "mpg ~ I(horsepower > 100) + I(origin == 'usa')",
        "np.log(mpg) ~ np.log(weight)",
        "mpg ~ . - name - horsepower",
    ],
)
def test_predictions_are_those_of_the_design(tmp_path, formula):
    result, path = written(tmp_path, formula, epochs=30)
    saved = load_model(path)
    table = read_table(CARS)
    means, _ = saved.predict(table)
    rows = result.problem.design.frame.index
    expected = result.problem.design.X @ result.final
    np.testing.assert_allclose(means[rows], expected, rtol=1e-12)
    assert np.isnan(np.delete(means, rows)).all()
    # Of a few rows alone, in which not every category occurs and no mean is that of the whole.
    few = rows[[3, 200, 77]]
    alone, _ = saved.predict(table_of(table.frame.loc[few]))
    np.testing.assert_allclose(alone, means[few], rtol=1e-12)
    # Without the label, which is what is not known.
    others, _ = saved.predict(table_of(table.frame.drop(columns="mpg")))
    np.testing.assert_array_equal(others, means)


def test_a_logistic_model_predicts_probabilities_and_a_poisson_model_means(tmp_path):
    frame = read_table(CARS).frame.dropna()
    frame = frame.assign(usa=np.where(frame["origin"] == "usa", "yes", "no"))
    frame.to_csv(tmp_path / "cars.csv", index=False)
    result, path = written(
        tmp_path / "l", "usa ~ weight + mpg", tmp_path / "cars.csv", loss="logistic"
    )
    means, _ = load_model(path).predict(read_table(tmp_path / "cars.csv"))
    z = result.problem.design.X @ result.final
    np.testing.assert_allclose(means, 1 / (1 + np.exp(-z)), rtol=1e-12)
    assert json.loads(path.read_text())["labels"] == {"column": "usa", "zero": "no", "one": "yes"}
    result, path = written(
        tmp_path / "p", "cylinders ~ weight", tmp_path / "cars.csv", loss="poisson"
    )
    means, _ = load_model(path).predict(read_table(tmp_path / "cars.csv"))
    np.testing.assert_allclose(means, np.exp(result.problem.design.X @ result.final), rtol=1e-12)


@pytest.mark.parametrize("loss", ["mse", "nll:normal", "nll:log(s) + abs(y - mu)/s"])
def test_an_expression_predicts(tmp_path, loss):
    x = np.linspace(0, 5, 30)
    pd.DataFrame({"the x": x, "y": 2 * np.exp(-x)}).to_csv(tmp_path / "d.csv", index=False)
    init = "a=1,b=0.5" + (",s=1" if "s" in loss.partition(":")[2][:6] else "")
    result, path = written(
        tmp_path, data=tmp_path / "d.csv", model="y ~ a * exp(-b * `the x`)", init=init, loss=loss,
        epochs=5,
    )  # fmt: skip
    means, _ = load_model(path).predict(table_of({"the x": [0.0, 1.0, np.nan]}))
    a, b = result.final[:2]
    np.testing.assert_allclose(means, [a, a * np.exp(-b), np.nan], rtol=1e-12)


def test_the_command(tmp_path, capsys, monkeypatch):
    result, path = written(tmp_path, "mpg ~ horsepower")
    assert main(["predict", str(path), str(CARS)]) == 0
    out, error = capsys.readouterr()
    frame = pd.read_csv(io.StringIO(out))
    a, b = result.final
    np.testing.assert_allclose(frame["prediction"], a + b * frame["horsepower"], rtol=1e-12)
    assert "5 of 397 rows have no prediction (no value: horsepower in 5)" in error
    assert list(frame.columns[:-1]) == read_table(CARS).columns
    assert main(["predict", str(path), str(CARS), "--out", str(tmp_path / "p.csv")]) == 0
    assert (tmp_path / "p.csv").read_text() == out
    assert capsys.readouterr().out == ""
    # A second time: the column of the first stays.
    assert main(["predict", str(path), str(tmp_path / "p.csv")]) == 0
    assert pd.read_csv(io.StringIO(capsys.readouterr().out)).columns[-2:].tolist() == [
        "prediction",
        "prediction_",
    ]


@pytest.fixture
def model(tmp_path):
    return written(tmp_path, "mpg ~ weight + origin", epochs=5)[1]


@pytest.mark.parametrize(
    ("data", "match"),
    [
        ({"weight": [1.0]}, r"the data has no column 'origin'"),
        ({"Weight": [1.0], "origin": ["usa"]}, r"no column 'weight'.\n.*\nDid you mean Weight"),
        ({"weight": ["a", "2"], "origin": ["usa"] * 2}, "'weight' must be numeric, but row 1 has"),
        (
            {"weight": [1.0, 2.0], "origin": ["usa", "mars"]},
            r"row 2 has origin = 'mars', which the .* not seen.\nIt knows europe, japan, usa",
        ),
    ],
)
def test_data_that_do_not_suit(model, data, match):
    with pytest.raises(FitError, match=match):
        load_model(model).predict(table_of(data))


def test_rows_without_a_value_get_no_prediction(model):
    means, missing = load_model(model).predict(
        table_of({"weight": [3000.0, None, 2000.0], "origin": ["usa", "usa", None]})
    )
    assert np.isnan(means).tolist() == [False, True, True]
    assert missing == {"weight": 1, "origin": 1}


def change(document, **changes):
    return {**document, **changes}


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"formula": "mpg ~ I(__import__('os').system('true'))"}, "may not hold|not on its list"),
        ({"formula": "mpg ~ I(weight.__class__)"}, "may not hold .__class__"),
        ({"formula": "mpg ~ eval('1') + weight"}, "calls eval, which is not on its list"),
        ({"gradtape_model": 99}, "written in format 99"),
        ({"kind": "pickle"}, "holds no model.\nKeyError"),
        ({"parameters": {"weight": 1.0}}, "holds no model"),
        ({"parameters": {"weight": "x"}}, "holds no model"),
        ({"levels": 3}, "holds no model"),
        ({"loss": "zzz"}, "There is no loss 'zzz'"),
    ],
)
def test_a_document_is_not_trusted(model, changes, match):
    document = json.loads(model.read_text())
    with pytest.raises(FitError, match=match):
        model_of(change(document, **changes), model)


def test_no_document(tmp_path):
    with pytest.raises(FitError, match=r"does not exist.\nGive the model.json"):
        load_model(tmp_path / "none.json")
    for text in ("", "{", "[1]", "{}", "[" * 100_000):
        (tmp_path / "m.json").write_text(text)
        with pytest.raises(FitError, match="holds no model"):
            load_model(tmp_path / "m.json")


def test_where_predictions_are_not_written(model, tmp_path):
    data = tmp_path / "d.csv"
    data.write_text("weight,origin\n3000,usa\n")
    with pytest.raises(SystemExit):
        main(["predict", str(model)])
    assert main(["predict", str(model), str(data), "--out", str(data)]) == 2
    assert main(["predict", str(model), str(data), "--out", str(tmp_path / "no" / "p.csv")]) == 2
    assert data.read_text() == "weight,origin\n3000,usa\n"
