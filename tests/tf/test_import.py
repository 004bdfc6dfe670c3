"""What `import gradtape.tf` and the first use of its names load: little, and nothing heavy.

The time is measured in bench/ (the row import-dialect), beside TensorFlow's.
"""

import json
import subprocess
import sys

import pytest

from gradtape.tf.base.names import FIRST, HOMES, NAMES, load_all

HEAVY = {"scipy", "llvmlite", "matplotlib", "pandas", "sklearn", "safetensors", "ml_dtypes", "json",
         "pathlib", "asyncio", "http", "unittest", "secrets", "hashlib"}  # fmt: skip
STEP = """
a, b = tf.Variable(0.0), tf.Variable(0.0)
x, y = tf.constant([1.0, 2.0]), np.ones(2)
with tf.GradientTape() as tape:
    loss = tf.reduce_sum(tf.square(tf.subtract(y, tf.add(a, tf.multiply(b, x)))))
da, db = tape.gradient(loss, [a, b])
a.assign_sub(da * 0.01)
print_nothing = repr(a), a.numpy(), f"{loss:.2f}"
"""
CODE = """
import json, sys, numpy as np
before = set(sys.modules)
import gradtape.tf as tf
{then}
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def added(then=""):
    """The modules that the import and `then` add to a fresh interpreter with NumPy."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CODE.format(then=then)],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_the_import_alone_loads_nothing():
    assert set(added()) <= {"gradtape", "gradtape.tf", "__future__"}


def test_a_training_step_loads_two_families():
    loaded = added(STEP)
    assert {m for m in loaded if m.startswith("gradtape.tf.families.")} == {
        "gradtape.tf.families.elementwise", "gradtape.tf.families.reduction"
    }  # fmt: skip
    assert not {m.split(".")[0] for m in loaded} & HEAVY


@pytest.mark.parametrize(
    ("names", "families"),
    [
        ("tf.nn.relu, tf.nn.softmax", {"neural"}),
        ("tf.matmul", {"contract"}),
        ("tf.zeros, tf.ones, tf.range", {"creation"}),
        ("tf.function, tf.print", {"functions"}),
        ("tf.Module", {"modules"}),
        ("tf.random.normal, tf.random.set_seed", {"random"}),
        ("tf.config.list_physical_devices", {"config"}),
        ("tf.debugging.assert_equal", {"debugging"}),
        ("tf.float32, tf.cast, tf.convert_to_tensor, tf.is_tensor, tf.math.log", set()),
    ],
)
def test_a_name_loads_its_own_family(names, families):
    found = {m.split(".")[3] for m in added(names) if m.startswith("gradtape.tf.families.")}
    assert families <= found
    assert len(found - {"elementwise"}) <= max(1, len(families)) + 1


def test_the_hints_are_of_files_and_names_that_are_there():
    load_all()
    assert {home for homes in FIRST.values() for home in homes} <= set(HOMES)
    assert all(n in NAMES or any(k.startswith(f"{n}.") for k in NAMES) for n in FIRST)


def test_a_name_is_found_whatever_was_asked_for_before():
    """From a fresh interpreter, each alone: the last family's names too, and operators work."""
    for name in ("train.Checkpoint", "data.Dataset", "unique", "linalg.inv", "segment"):
        code = f"x = getattr(tf, {name.partition('.')[0]!r}, None); y = tf.constant(1.0) + 1.0"
        assert "gradtape.tf.families.elementwise" in added(code)
