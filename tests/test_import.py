"""What `import gradtape` brings in on top of `import numpy`: little, and nothing heavy.

The time it takes is measured, not asserted here: bench/ holds it to 60 ms.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent

# The rooms that an import loads; every other room waits until something of it is used.
ROOMS = {"errors", "config", "events", "core", "ops", "tape"}

# Standard-library modules that may come with it beyond those NumPy has loaded already (NumPy 2.0
# loads no opcode); what these load in their turn differs from one Python to the next, and is
# allowed too.
STANDARD = "cmath, importlib, opcode"

HEAVY = {"scipy", "llvmlite", "matplotlib", "pandas", "pyarrow", "formulaic", "tqdm", "sklearn",
         "statsmodels", "asyncio", "http", "sqlite3", "unittest"}  # fmt: skip

STEP = """
import numpy as np
a = gradtape.Variable(0.0)
with gradtape.GradientTape() as tape:
    loss = np.sum((np.ones(3) - a * np.arange(3.0)) ** 2)
a.assign_sub(0.01 * tape.gradient(loss, a))
"""

DIALECT = "import gradtape.tf as tf"
DIALECT_STEP = """
a = tf.Variable(0.0)
with tf.GradientTape() as tape:
    loss = tf.reduce_sum(tf.square(tf.nn.relu(tf.constant([1.0, 2.0])) - a * tf.ones(2)))
a.assign_sub(0.01 * tape.gradient(loss, a))
"""

# What a missing gradient is explained with, and what seldom is asked for.
LATER = {"causes", "drawing", "facts", "gathered", "matrices", "reasons", "showing", "slopes",
         "summary"}  # fmt: skip
# And what only exits, rules of the user's, `jvp` and `vmap` need, of all rooms.
SELDOM = {"accumulator", "arrivals", "bfloat16", "console", "custom", "custom_rule", "flow",
          "lifting", "opcodes", "phrases", "places", "recompute", "streams"}  # fmt: skip

LIST = """
import json, sys, numpy
before = set(sys.modules)
{first}
{then}
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def added(then: str = "", first: str = "import gradtape") -> list[str]:
    """Return the modules that `first` and `then` add to a fresh interpreter with NumPy."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LIST.format(then=then, first=first)],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def bare():
    return added()


def test_the_import_alone_loads_nothing(bare):
    """Names are looked up when they are first used (PEP 562)."""
    assert set(bare) <= {"gradtape", "__future__"}


def test_module_list():
    """What the first tape, step and gradient have loaded."""
    loaded = added(STEP)
    others = {name for name in loaded if name.split(".")[0] != "gradtape"}
    assert others <= {"__future__", *added(first=f"import {STANDARD}")}
    assert {name.split(".")[1] for name in loaded if name.startswith("gradtape.")} == ROOMS


@pytest.mark.parametrize(("first", "then"), [("import gradtape", STEP), (DIALECT, DIALECT_STEP)])
def test_a_gradient_loads_nothing_that_explains_gradients(first, then):
    loaded = {name.removeprefix("gradtape.tape.") for name in added(then, first)}
    assert not loaded & LATER
    assert "tape" in loaded
    assert not {name.rpartition(".")[2] for name in loaded} & SELDOM


def test_the_step_of_a_dialect():
    """TensorFlow's names bring nothing else of the standard library."""
    others = {name for name in added(DIALECT_STEP, DIALECT) if name.split(".")[0] != "gradtape"}
    assert others <= {"__future__", *added(first=f"import {STANDARD}")}


def test_a_dialect_is_imported_by_either_statement():
    """`from gradtape import tf` looks for an attribute first, and for no name that is near."""
    loaded = added("tf.Variable", "from gradtape import tf")
    assert "gradtape.tf.base.tapes" in loaded
    assert "difflib" not in loaded


@pytest.mark.parametrize("then", ["", "gradtape.GradientTape, gradtape.Tensor", STEP])
def test_nothing_heavy(then):
    assert not {module.split(".")[0] for module in added(then)} & HEAVY


def test_the_list_would_show_a_heavy_import():
    """The check above is worth something only if an import is seen at all."""
    assert "scipy" in {name.split(".")[0] for name in added("import scipy")}


def test_dir_and_attributes_of_the_package_are_lazy():
    """`dir(gradtape)` names the public surface without loading it; a wrong name says so."""
    assert "matplotlib" not in {name.split(".")[0] for name in added("dir(gradtape)")}


def test_every_public_name_is_there():
    import gradtape

    assert gradtape.__all__
    assert [name for name in gradtape.__all__ if not hasattr(gradtape, name)] == []
    assert set(gradtape.__all__) <= set(dir(gradtape))


def test_a_name_that_does_not_exist():
    import gradtape

    with pytest.raises(AttributeError, match="no_such_name"):
        gradtape.no_such_name


def test_a_name_that_there_is_not_says_the_nearest():
    import gradtape as gt

    with pytest.raises(AttributeError, match=r"Did you mean gt\.GradientTape\?"):
        gt.GradientTap


def test_the_version_stands_in_one_place():
    import tomllib

    import gradtape

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" not in project["project"]
    source = ROOT / project["tool"]["hatch"]["version"]["path"]
    assert f'__version__ = "{gradtape.__version__}"' in source.read_text(encoding="utf-8")
    assert str(Version(gradtape.__version__)) == gradtape.__version__
