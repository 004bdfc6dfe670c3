"""`gt.fit.regress`: the same contents as the command's, and what a notebook shows."""

import base64
import json
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

import gradtape as gt
from gradtape.cli import main
from gradtape.fit.problems import FitError
from tests.fit.helpers import CARS


@pytest.fixture(scope="module")
def fit():
    return gt.fit.regress(CARS, "mpg ~ horsepower + weight")


def test_it_has_what_the_command_has(fit, tmp_path, capsys):
    assert (
        main(["fit", str(CARS), "mpg ~ horsepower + weight", "--json", "--out", str(tmp_path)]) == 0
    )
    said = json.loads(capsys.readouterr().out)
    assert {**fit.to_dict(), "files": said["files"]} == said
    written = pd.read_csv(tmp_path / "history.csv", index_col="epoch")
    pd.testing.assert_frame_equal(fit.history, written, check_exact=False, rtol=1e-12)
    fit.save(tmp_path / "again")
    for name in ("history.csv", "fit.png", "cost.png", "path.png", "model.json"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / name).read_bytes()


def test_its_attributes(fit):
    result = fit.result
    assert fit.coefficients["weight"] == result.final[2]
    assert fit.standard_errors["weight"] == result.uncertainty.errors[2]
    low, high = fit.intervals["weight"]
    assert low < fit.coefficients["weight"] < high
    assert fit.closed_form["weight"] == pytest.approx(fit.coefficients["weight"], rel=1e-6)
    assert fit.r2 == pytest.approx(0.7064, abs=1e-4)
    assert (fit.deviance, fit.test_score, fit.no_errors_because) == (None, None, "")
    assert fit.converged and fit.verdict.convergence.converged
    assert fit.epochs == len(fit.history) - 1
    assert fit.cost == fit.history["cost"].iloc[-1]
    assert fit.equation == "mpg = 45.6402 - 0.0473029 * horsepower - 0.00579416 * weight"
    text = repr(fit)
    assert "R² 0.7064." in text and "Converged:    yes" in text


def test_tables_in_memory():
    frame = pd.read_csv(CARS)
    whole = gt.fit.regress(frame, "mpg ~ weight")
    assert whole.coefficients == gt.fit.regress(CARS, "mpg ~ weight").coefficients
    columns = {"a": np.arange(5.0), "b": np.arange(5.0) ** 2}
    assert "gradtape fit" not in repr(gt.fit.regress(columns, "b ~ a", epochs=2))
    with pytest.raises(FitError, match="A NoneType is no table|are empty"):
        gt.fit.regress(None, "b ~ a")
    with pytest.raises(FitError, match="the data has no column 'c'"):
        gt.fit.regress(columns, "c ~ a")


def test_predictions(fit):
    frame = pd.read_csv(CARS)
    found = fit.predict(frame)
    a, b, c = fit.coefficients.values()
    np.testing.assert_allclose(found, a + b * frame["horsepower"] + c * frame["weight"])
    np.testing.assert_array_equal(fit.predict(CARS), found)
    assert fit.predict({"horsepower": [100.0], "weight": [3000.0]}).shape == (1,)


def test_a_model_and_its_start():
    x = np.linspace(0, 3, 20)
    data = {"x": x, "y": 2 * np.exp(-0.5 * x)}
    fit = gt.fit.regress(data, model="y ~ a * exp(-b * x)", init={"a": 1, "b": 0.1})
    assert fit.coefficients == pytest.approx({"a": 2, "b": 0.5})
    assert fit.closed_form is None
    np.testing.assert_allclose(fit.predict({"x": [1.0]}), 2 * np.exp(-0.5))
    same = gt.fit.regress(data, model="y ~ a * exp(-b * x)", init="a=1,b=0.1")
    assert same.coefficients == fit.coefficients


def test_every_option_is_the_command_s():
    import inspect

    from gradtape.fit.options import Options

    theirs = set(Options.__dataclass_fields__)
    ours = set(inspect.signature(gt.fit.regress).parameters)
    assert theirs - ours == {"resume", "json", "quiet"}
    assert ours <= theirs
    for name, parameter in inspect.signature(gt.fit.regress).parameters.items():
        if name not in ("data", "out", "init"):
            assert parameter.default == Options.__dataclass_fields__[name].default


def test_files_are_written_where_it_is_told(tmp_path):
    gt.fit.regress(CARS, "mpg ~ weight", epochs=3, out=tmp_path / "here")
    names = {path.name for path in (tmp_path / "here").iterdir()}
    assert names == {"history.csv", "fit.png", "cost.png", "path.png", "model.json"}


class Reader(HTMLParser):
    void = {"img", "br"}

    def __init__(self):
        super().__init__()
        self.open, self.text, self.images, self.cells = [], "", [], []

    def handle_starttag(self, tag, attrs):
        if tag not in self.void:
            self.open.append(tag)
        if tag == "img":
            self.images.append(dict(attrs)["src"])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.cells.append(data)
        if self.open and self.open[-1] != "style":
            self.text += data


def read(html):
    reader = Reader()
    reader.feed(html)
    assert reader.open == []
    return reader


def test_a_notebook_shows_the_table_the_verdict_and_the_pictures(fit):
    page = read(fit._repr_html_())
    assert page.cells[:3] == ["coefficient", "value", "std. error"]
    assert "closed form" in page.cells and "weight" in page.cells
    assert "converged" in page.text and "Fast phase" in page.text and "R² 0.7064." in page.text
    pictures = [base64.b64decode(src.partition(",")[2]) for src in page.images]
    assert len(pictures) == 3
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)


def test_names_from_the_data_are_no_html():
    name = "<script>alert(1)</script>"
    data = {"y": [1.0, 2, 4, 4], name: [1.0, 2, 3, 5]}
    html = gt.fit.regress(data, f"y ~ `{name}`")._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    read(html)


def test_a_name_that_does_not_exist():
    with pytest.raises(AttributeError, match="nothing"):
        gt.fit.nothing
    assert {"regress", "TapeRegressor", "TapeClassifier"} <= set(dir(gt.fit))
