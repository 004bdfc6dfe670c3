"""The bench of the optimizers: both sides solve the same problem, rows say what happened."""

from pathlib import Path

import numpy as np
import pytest

from bench import contests, optimizing
from bench.measure import Settings
from bench.results import BARS, judge
from bench.run import NAMES


def test_every_contest_is_a_case_and_bfgs_has_its_bar():
    assert set(optimizing.CONTESTS) <= set(NAMES)
    (bar,) = (bar for bar in BARS if bar.case == "bfgs-200")
    assert (bar.limit, bar.against) == (0.1, optimizing.PEER)


@pytest.mark.parametrize(
    "name",
    [
        "least-squares-1000",
        "least-squares-1000-refined",
        pytest.param("least-squares-100000", marks=pytest.mark.slow),
    ],
)
def test_both_sides_come_to_the_answer(name):
    ours, theirs, answer = optimizing.CONTESTS[name].sides()
    for solve in (ours, theirs):
        error = np.max(np.abs(solve() / answer - 1))
        assert error < optimizing.CONTESTS[name].tolerance


def test_bfgs_solves_the_rosenbrock_function_of_200_variables():
    ours, _, answer = optimizing.CONTESTS["bfgs-200"].sides()
    np.testing.assert_allclose(ours(), answer, rtol=optimizing.CONTESTS["bfgs-200"].tolerance)


def test_a_row_is_measured_in_a_child():
    settings = Settings(Path("unused"), rounds=2, seconds=0.01, threads=1, patience=0.0)
    (row,) = optimizing.rows(["least-squares-1000-refined"], settings)
    assert row.status == "ok", row.reason
    assert row.ours.minimum > 0
    assert row.theirs.minimum > 0
    assert row.our_error < 1e-12 < row.peer_error


def test_a_failure_is_a_row(monkeypatch):
    settings = Settings(Path("unused"), rounds=1, seconds=0.01, threads=1, patience=0.0)
    monkeypatch.setattr(contests.sys, "executable", "/bin/false")
    (row,) = optimizing.rows(["bfgs-200"], settings)
    assert row.status == "ours failed"
    (bar,) = (bar for bar in BARS if bar.case == "bfgs-200")
    assert judge(bar, [row]).met in ("missed", "not measured")
