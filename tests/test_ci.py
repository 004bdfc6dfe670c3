"""The checks can be started as they are documented: by bash, from any folder."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parent.parent


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash on this machine")
def test_ci_run_is_a_bash_script_that_starts_a_new_enough_python(tmp_path: Path) -> None:
    """`bash .ci/run` reaches .ci/check.py, whose --list names the steps and runs none."""
    done = subprocess.run(
        ["bash", str(TOP / ".ci" / "run"), "--list"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    steps = done.stdout.splitlines()
    assert [step.split(":")[0] for step in steps] == [
        "clean checkout", "Debian packages", "README command 1", "README command 2", "ruff",
        "mypy --strict",
        "fast suite, Python 3.11", "fast suite, Python 3.12", "fast suite, Python 3.13",
    ]  # fmt: skip


def test_the_slow_checks_say_which_steps_there_are(tmp_path: Path) -> None:
    """A word that is in no step's name runs nothing and leaves the report alone."""
    report = TOP / "docs" / "reports" / "slow.md"
    before = report.read_text(encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(TOP / ".ci" / "slow"), "nonsense"], cwd=tmp_path, capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert "Exhaustive: random programs; Exhaustive: every operation compiled; " in done.stderr
    assert "; Mutation check of the op tests, seed 1;" in done.stderr
    assert report.read_text(encoding="utf-8") == before
