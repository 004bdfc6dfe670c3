"""The whole of a fit: the bar where somebody looks, and the order of saying and writing."""

import io
from pathlib import Path

import pytest

from gradtape.fit.options import Options
from gradtape.fit.problems import DivergedError
from gradtape.fit.run import FILES, fit

CARS = str(Path(__file__).parents[2] / "examples" / "data" / "cars.csv")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def at_a_terminal(monkeypatch, options):
    # In the test itself: pytest sets sys.stderr anew between its fixtures and the test.
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    fit(options)
    return terminal.getvalue()


def test_a_bar_on_a_terminal_with_the_cost(monkeypatch, tmp_path, capsys):
    shown = at_a_terminal(monkeypatch, Options(CARS, "mpg ~ weight", epochs=10_000, out=tmp_path))
    assert "gradient descent:" in shown
    assert "/10.0k" in shown
    assert "cost 18.8" in shown
    assert "gradient descent:" not in capsys.readouterr().out


def test_no_bar_when_quiet(monkeypatch, tmp_path, capsys):
    options = Options(CARS, "mpg ~ weight", epochs=50, out=tmp_path, quiet=True)
    assert at_a_terminal(monkeypatch, options) == ""
    assert capsys.readouterr().out == ""


def test_where_nobody_looks_no_bar_is_made(monkeypatch, tmp_path):
    """tqdm starts a thread for a bar that it does not show, too."""
    monkeypatch.setattr("tqdm.tqdm", None)
    monkeypatch.setattr("sys.stderr", io.StringIO())
    run = fit(Options(CARS, "mpg ~ weight", epochs=5, out=tmp_path))
    assert run.epochs == 5


def test_divergence_writes_nothing_and_says_what_to_type(tmp_path):
    options = Options(CARS, "mpg ~ weight", learning_rate=5.0, out=tmp_path / "new")
    with pytest.raises(DivergedError, match=r'\n  gradtape fit .* "mpg ~ weight" --out .* auto$'):
        fit(options)
    assert list(tmp_path.iterdir()) == []


def test_the_result_is_the_run_that_was_written(tmp_path):
    run = fit(Options(CARS, "mpg ~ weight", out=tmp_path, quiet=True))
    rows = (tmp_path / "history.csv").read_text().splitlines()
    assert len(rows) == run.epochs + 2
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)
    assert rows[-1].split(",")[1] == repr(float(run.costs[-1]))
