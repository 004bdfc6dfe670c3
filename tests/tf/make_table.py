"""Writes `tables/<family>.json`: TensorFlow's answers to the cases of each family.

Run with a Python that has TensorFlow: `python tests/tf/make_table.py [FAMILY ...]`.
"""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

from tests.tf import scheme


def line(key, answer):
    return f"{json.dumps(key)}: {json.dumps(answer)}"


def main(families):
    for family in families or scheme.FAMILIES:
        answers = {case.key: scheme.run(tf, case) for case in scheme.cases(family)}
        lines = ",\n".join(line(key, answer) for key, answer in sorted(answers.items()))
        path = scheme.HERE / "tables" / f"{family}.json"
        path.write_text("{\n" + lines + "\n}\n", encoding="utf-8")
        print(f"{family}: {len(answers)} answers of TensorFlow {tf.__version__}")


if __name__ == "__main__":
    main(sys.argv[1:])
