"""The document of --json: what the report says, as numbers."""

import json

import numpy as np
import pytest

from gradtape.cli import main
from gradtape.fit.document import decoded, encoded, plain
from tests.fit.helpers import CARS, asked

pytestmark = pytest.mark.slow  # as a file


def printed(capsys, *arguments):
    assert main(["fit", str(CARS), *arguments, "--json"]) == 0
    out, error = capsys.readouterr()
    assert error == ""
    return json.loads(out)


def test_the_document(tmp_path, capsys):
    found = printed(
        capsys, "mpg ~ horsepower", "--test-fraction", "0.2", "--out", str(tmp_path), "--seed", "2"
    )
    result = asked(CARS, "mpg ~ horsepower", test_fraction=0.2, seed=2)
    assert found["coefficients"] == dict(zip(result.problem.names, result.final, strict=True))
    errors = dict(zip(result.problem.names, result.uncertainty.errors, strict=True))
    assert found["standard_errors"] == errors
    assert (
        found["intervals"]["horsepower"] == result.uncertainty.intervals(result.final)[1].tolist()
    )
    assert found["closed_form"]["Intercept"] == result.problem.closed_form[0]
    assert found["score"]["r2"] == result.score.r2
    assert found["test"]["r2"] == result.test_score.r2
    assert found["rows"] == {"read": 397, "used": 314, "test": 78, "missing": {"horsepower": 5}}
    assert found["cost"]["last"] == result.costs[-1]
    assert found["equation"].startswith("mpg = 40.1131 - 0.158717 * h")
    assert found["verdict"]["converged"]["value"] is True
    assert found["ended_because"] == "the gradient vanished"
    assert [name.rpartition("/")[2] for name in found["files"]] == [
        "history.csv", "fit.png", "cost.png", "path.png", "model.json",
    ]  # fmt: skip
    saved = json.loads((tmp_path / "model.json").read_text())
    assert saved["result"] == {key: value for key, value in found.items() if key != "files"}
    np.testing.assert_allclose(saved["covariance"], result.uncertainty.covariance)


@pytest.mark.parametrize("loss", ["mae", "huber", "poisson", "nll:laplace"])
def test_every_loss_has_a_document(tmp_path, capsys, monkeypatch, loss):
    monkeypatch.setattr("gradtape.fit.run.pictures", lambda _result: {})
    found = printed(capsys, "cylinders ~ weight", "--loss", loss, "--out", str(tmp_path))
    assert found["loss"].startswith(loss)
    assert found["closed_form"] is None
    has_none = loss in ("mae", "nll:laplace")  # of which a kink is the minimum
    assert (found["standard_errors"] is None) == has_none
    assert (found["no_standard_errors_because"] is None) != has_none
    assert (found["score"]["deviance"] is None) == (loss != "poisson")


def test_an_error_is_no_document(tmp_path, capsys):
    assert main(["fit", str(CARS), "mpg ~ horsepowr", "--json", "--out", str(tmp_path)]) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert "Did you mean horsepower?" in error


def test_values_that_json_does_not_have():
    assert plain({1: np.float64(np.inf), "a": (np.int64(3), True, None)}) == {
        "1": None,
        "a": [3, True, None],
    }
    state = {"alpha": {0: np.float64(3.5)}, "knots": [0.0, 1.0], "none": None, "m": np.ones((2, 2))}
    again = decoded(json.loads(json.dumps(encoded(state))))
    assert again["alpha"] == {0: 3.5}
    assert again["knots"] == [0.0, 1.0]
    np.testing.assert_array_equal(again["m"], np.ones((2, 2)))
