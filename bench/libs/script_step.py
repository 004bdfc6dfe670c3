"""The step of examples/tutorial_tensorflow.py, whoever serves `import tensorflow`.

The example itself is loaded, so that what is timed is the script that users run.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from bench.cases import TUTORIAL_RATE, Arrays, Run

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "tutorial_tensorflow.py"


def dialect(data: Arrays) -> Run:
    spec = importlib.util.spec_from_file_location("tutorial_tensorflow", EXAMPLE)
    assert spec is not None and spec.loader is not None
    script: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    x, y, model = data["x"], data["y"], script.Line()

    def run() -> dict[str, Any]:
        script.train(model, x, y, TUTORIAL_RATE)
        return {"a": model.a, "b": model.b}

    return run
