"""Writes `src/gradtape/tf/base/names.json` and `tables/signatures.json`: TensorFlow's public names
by namespace, and the parameters of those that are functions.

Run with a Python that has TensorFlow: `python tests/tf/make_names.py`.
"""

import inspect
import json
import os
import types
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

HERE = Path(__file__).resolve().parent
DATA = HERE.parents[1] / "src" / "gradtape" / "tf" / "base" / "names.json"
SKIPPED = {"compat.v1", "compat.v2", "keras", "lite", "tpu", "mlir", "raw_ops", "estimator",
           "initializers", "losses", "metrics", "optimizers"}  # fmt: skip


def spaces(module, path, found, depth):
    names = [n for n in dir(module) if not n.startswith("_") or n == "__version__"]
    found[path] = names
    for name in names:
        child = getattr(module, name, None)
        full = f"{path}.{name}" if path else name
        theirs = isinstance(child, types.ModuleType) and child.__name__.startswith("tensorflow")
        if theirs and full not in SKIPPED and depth < 2:
            spaces(child, full, found, depth + 1)


def signature(thing):
    try:
        parameters = inspect.signature(thing).parameters.values()
    except (TypeError, ValueError):
        return None
    return [f"*{p.name}" if p.kind is p.VAR_POSITIONAL else p.name for p in parameters
            if p.kind is not p.VAR_KEYWORD]  # fmt: skip


def main():
    found = {}
    spaces(tf, "", found, 0)
    DATA.write_text(json.dumps(found, separators=(",", ":"), sort_keys=True) + "\n")
    lines = []
    for path, names in sorted(found.items()):
        for name in names:
            full = f"{path}.{name}" if path else name
            thing = tf
            for part in full.split("."):
                thing = getattr(thing, part, None)
            if callable(thing) and not isinstance(thing, types.ModuleType):
                given = signature(thing)
                if given is not None and path.split(".")[0] not in SKIPPED:
                    lines.append(f"{json.dumps(full)}: {json.dumps(given)}")
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    (HERE / "tables" / "signatures.json").write_text(text)
    print(f"{sum(map(len, found.values()))} names, {len(lines)} signatures, "
          f"TensorFlow {tf.__version__}")  # fmt: skip


if __name__ == "__main__":
    main()
