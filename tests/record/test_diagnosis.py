"""A diagnosis names what is wrong with a run, with its line, and leaves healthy runs alone."""

import inspect
import warnings

import numpy as np
import pytest

import gradtape as gt
from gradtape.record.diagnosis import diagnose
from gradtape.record.reader import Reader
from gradtape.record.relations import is_unrelated
from tests.record.healthy import KINDS
from tests.record.planted import PLANTED


def diagnosis_of(loop, folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", gt.errors.GradientWarning)
        with gt.Recording(folder, progress=False):
            loop()
    return diagnose(Reader(folder))


def marked_line(loop):
    lines, start = inspect.getsourcelines(loop)
    (at,) = [i for i, text in enumerate(lines) if text.rstrip().endswith("# here")]
    return start + at


@pytest.mark.parametrize("loop", PLANTED, ids=lambda loop: loop.__name__)
def test_what_was_planted_is_named_with_its_line(loop, tmp_path):
    found = diagnosis_of(loop, tmp_path / "run")
    assert PLANTED[loop] in found.kinds, str(found)
    finding = next(f for f in found if f.kind == PLANTED[loop])
    assert finding.line == marked_line(loop), str(found)
    assert finding.file.endswith("planted.py")
    assert finding.text.endswith("# here")
    assert finding.fact and finding.cause and finding.remedy
    others = [kind for kind in found.kinds if kind != PLANTED[loop]]
    assert not others, str(found)


@pytest.mark.slow
def test_of_fifty_healthy_runs_at_most_one_is_told_that_it_is_ill(tmp_path):
    alarms = []
    for kind in KINDS:
        for seed in range(5):
            rng = np.random.default_rng(seed)
            name = f"{kind.__name__}-{seed}"
            found = diagnosis_of(lambda: kind(rng), tmp_path / name)  # noqa: B023
            if found:
                alarms.append((name, found.kinds))
    assert len(alarms) <= 1, alarms


def test_a_diagnosis_prints_and_shows_in_a_notebook(tmp_path):
    loop = next(loop for loop in PLANTED if loop.__name__ == "compared_as_a_table")
    found = diagnosis_of(loop, tmp_path / "run")
    assert "planted.py:" in str(found) and "# here" in str(found)
    assert "<li>" in found._repr_html_()


@pytest.mark.parametrize("seed", range(5))
def test_shuffled_targets_are_unrelated_and_others_are_not(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(200, 3))
    y = np.sin(x[:, 0]) + 0.5 * rng.normal(size=200)
    assert not is_unrelated(x, y)
    assert not is_unrelated(x, (y > 0).astype(int))
    assert not is_unrelated(x[:20], rng.permutation(y[:20]))  # too few to tell


def test_most_shuffled_targets_are_told_to_be_unrelated():
    found = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(200, 3))
        y = np.sin(x[:, 0]) + 0.5 * rng.normal(size=200)
        found += is_unrelated(x, rng.permutation(y))
    assert found >= 16
