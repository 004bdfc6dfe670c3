"""The tutorial's script, unedited, recorded from the command line: every panel has its data."""

import subprocess
import sys
from pathlib import Path

import pytest

import gradtape as gt

TUTORIAL = Path(__file__).parents[1] / "examples" / "tutorial.py"


def recorded(script, folder, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "gradtape", "run", "--record", "run", str(script), *arguments],
        cwd=folder, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return gt.open_run(folder / "run")


@pytest.mark.slow
def test_the_unedited_tutorial_fills_every_panel(tmp_path):
    run = recorded(TUTORIAL, tmp_path, "--no-plots")
    assert len(run) == 70 and run.status == "finished"
    assert {tag.name for tag in run.reader.tags()} == {
        "value/a", "grad/a", "value/b", "grad/b", "input/0", "input/1", "prediction"}  # fmt: skip
    roles = {"x": "input/0", "y": "input/1", "prediction": "prediction"}
    assert run.reader.meta()["roles"] == roles
    assert len(run.graph()["nodes"]) == 9
    assert "although the printed cost stands still: b is 0.4168" in str(run.verdict()).replace(
        "\n" + 16 * " ", " ")  # fmt: skip
    assert list(run.diagnose()) == []
    for kind in ("fit", "cost", "path", "flow"):
        assert run.figure(kind).axes


@pytest.mark.slow
def test_a_learning_rate_of_a_tenth_leads_to_its_cause(tmp_path):
    text = TUTORIAL.read_text(encoding="utf-8")
    broken = tmp_path / "broken.py"
    broken.write_text(
        text.replace("LEARNING_RATE = 0.001", "LEARNING_RATE = 0.1").replace(
            "EPOCHS = 70", "EPOCHS = 200"
        )
    )
    run = recorded(broken, tmp_path, "--no-plots")
    (finding,) = run.diagnose()
    assert finding.kind == "learning rate too high"
    assert "is not finite after that" in finding.fact
    assert finding.text == "model.a -= learning_rate * d_a"
    (first,) = run.reader.events("nonfinite")
    assert first["data"]["line"] and first["data"]["file"].endswith("broken.py")
    assert first["data"]["chain"]


def test_operations_that_are_first_used_while_something_records_keep_their_operands(tmp_path):
    """Closures of the fast path made inside the recording are those of a recording too."""
    script = tmp_path / "late.py"
    script.write_text(
        "import numpy as np, gradtape as gt\n"
        "x = np.arange(5.0)\n"
        "w = gt.Variable(1.0, name='w')\n"
        "for _ in range(3):\n"
        "    with gt.GradientTape() as tape:\n"
        "        loss = np.sum((np.cos(x) - w * x) ** 2)\n"
        "    w.assign_sub(0.01 * tape.gradient(loss, w))\n"
    )
    run = recorded(script, tmp_path)
    assert {"input/0", "input/1", "prediction"} <= {tag.name for tag in run.reader.tags()}
