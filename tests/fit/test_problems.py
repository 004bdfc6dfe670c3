"""Nearest names, and libraries that are not installed."""

import importlib

import pytest

from gradtape.fit.problems import MissingExtraError, did_you_mean, require


@pytest.mark.parametrize(
    ("word", "known", "said"),
    [
        ("horsepowr", ["mpg", "horsepower"], "Did you mean horsepower?"),
        ("MPG", ["mpg"], "Did you mean mpg?"),
        ("polly", ["Poly", "poly"], "Did you mean poly?"),
        ("zzz", ["mpg"], ""),
        ("x", [], ""),
    ],
)
def test_did_you_mean(word, known, said):
    assert did_you_mean(word, known) == said


@pytest.mark.parametrize("missing", ["pandas", "formulaic", "matplotlib", "tqdm"])
def test_a_missing_library_names_the_extra(missing, monkeypatch, tmp_path, capsys):
    from gradtape.cli import main

    original = importlib.import_module

    def import_module(name, *arguments):
        if name.partition(".")[0] == missing:
            raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)
        return original(name, *arguments)

    monkeypatch.setattr(importlib, "import_module", import_module)
    with pytest.raises(
        MissingExtraError, match=rf'needs {missing}, .*\n.*\n.*pip install "gradtape\[fit\]"'
    ):
        require(missing)
    data = tmp_path / "t.csv"
    data.write_text("x,y\n1,1\n2,2\n3,4\n")
    assert main(["fit", str(data), "y ~ x", "--out", str(tmp_path)]) == 2
    assert 'pip install "gradtape[fit]"' in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [data]


def test_a_library_that_is_broken_is_not_called_missing(monkeypatch):
    def import_module(_name):
        raise ModuleNotFoundError("No module named 'inner'", name="inner")

    monkeypatch.setattr(importlib, "import_module", import_module)
    with pytest.raises(ModuleNotFoundError, match="inner") as caught:
        require("pandas")
    assert not isinstance(caught.value, MissingExtraError)
