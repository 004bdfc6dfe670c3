"""Stores what the TensorFlow examples print under TensorFlow itself, as tables/examples.json.

    PYTHON_WITH_TENSORFLOW tests/tf/make_examples.py

Needs tensorflow, scikit-learn and NumPy. tests/tf/test_examples.py compares gradtape's with it.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
EXAMPLES = TOP / "examples"
TABLE = Path(__file__).parent / "tables" / "examples.json"

# name -> the calls, one after the other, in one folder: script, arguments
RUNS = {
    "tutorial": [("tutorial_tensorflow.py", ["--no-plots", "--history", "history.csv"])],
    "logistic_regression": [("tensorflow/logistic_regression.py", [])],
    "digits_mlp": [("tensorflow/digits_mlp.py", [])],
    "second_derivatives": [("tensorflow/second_derivatives.py", [])],
    "checkpointed_loop": [("tensorflow/checkpointed_loop.py", ["--folder", "a"])],
    "checkpointed_loop, killed": [
        ("tensorflow/checkpointed_loop.py", ["--folder", "b", "--die-after", "33"]),
        ("tensorflow/checkpointed_loop.py", ["--folder", "b"]),
    ],
}


def outputs(name: str, *command: str) -> dict:
    """Run an example with `command` in front; its exit codes, lines, and history if it has one."""
    codes, lines = [], []
    with tempfile.TemporaryDirectory() as folder:
        for script, arguments in RUNS[name]:
            done = subprocess.run(
                [*command, str(EXAMPLES / script), *arguments],
                cwd=folder,
                env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
                capture_output=True,
                text=True,
            )
            codes.append(done.returncode)
            lines += done.stdout.splitlines()
            if done.returncode not in (0, 9):
                raise RuntimeError(f"{name}: {done.stderr}")
        found = {"codes": codes, "lines": lines}
        history = Path(folder) / "history.csv"
        if history.exists():
            found["history"] = history.read_text(encoding="utf-8").splitlines()
    return found


if __name__ == "__main__":
    table = {name: outputs(name, sys.executable) for name in RUNS}
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    print(f"{len(table)} examples -> {TABLE.name}")
