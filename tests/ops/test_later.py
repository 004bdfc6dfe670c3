"""Operations whose file is imported at their first call: found by every way, and whole.

Each case is a fresh interpreter, since here everything is imported by now.
"""

import subprocess
import sys

import pytest

import gradtape.ops  # noqa: F401 - fills the list
from gradtape.core.registry import LATER

FILES = sorted({file for file in LATER.values() if file.startswith("ops.")})

TABLES = """
import sys
import numpy as np
import gradtape as gt
from gradtape.core import registry
from gradtape.core.registry import CARDS, FUNCTIONS, HOOKS, LATER, UFUNC_METHODS, UFUNCS

TABLES = FUNCTIONS, UFUNCS, UFUNC_METHODS, HOOKS, CARDS
gt.Tensor

def files():
    return {name.removeprefix("gradtape.") for name in sys.modules} & set(LATER.values())
"""

ENTERS = """
FILE = {file!r}
assert not files(), files()
before = [set(table) for table in TABLES]
seen = []
entered = registry._enter
registry._enter = lambda whole: (seen.append([set(table) for table in TABLES]), entered(whole))
registry.load([FILE])
assert seen == [before], "an entry could be used before its file was there"
assert files() == {{FILE}}, "a file that waits imports another"
names = {{
    registry._name_of(key) for table, old in zip(TABLES, before) for key in table if key not in old
}}
listed = {{name for name, file in LATER.items() if file == FILE}}
assert names <= listed, names - listed
assert all(
    not hasattr(np, name) and not hasattr(np.linalg, name) for name in listed - names
), listed - names
"""


def run(code):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", TABLES + code], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("file", FILES)
def test_the_list_has_what_a_file_enters(file):
    run(ENTERS.format(file=file))


@pytest.mark.parametrize(
    ("call", "file"),
    [
        ("np.median(x)", "ops.quantile"),
        ("x.var()", "ops.statistics"),
        ("x.cumsum()", "ops.cumulative"),
        ("x.sort()", "ops.sort"),
        ("np.linalg.norm(x)", "ops.linalg"),
        ("np.linalg.outer(x, x) if hasattr(np.linalg, 'outer') else np.linalg.inv(m)",
         "ops.linalg"),
        ("np.add.outer(x, x)", "ops.ufunc_methods"),
        ("np.maximum.reduce(x)", "ops.ufunc_methods"),
        ("np.einsum('i,i', x, x)", "ops.einsum"),
        ("gt.linspace(0.0, x[0], 3)", "ops.ranges"),
        ("np.fft.fft(x)", "core.uncarded"),
        ("HOOKS['op:erf'](x)", "ops.special"),
        ("CARDS['lgamma']", "ops.special"),
    ],
)  # fmt: skip
def test_a_call_imports_its_file_alone(call, file):
    """Arrays of another shape too; a function that is there imports none."""
    out = run(f"""
x, m = gt.Variable([3.0, 1.0, 2.0]), gt.Variable([[2.0, 0.0], [0.0, 1.0]])
with gt.GradientTape() as tape:
    loss = np.sum(np.sqrt(x) * 2 + x @ x - np.max(x))
tape.gradient(loss, x)
assert not files(), files()
x = gt.array(x)
{call}
print(*sorted(files()))
""")
    assert out.split() == [file]


def test_a_gradient_passes():
    out = run("""
x = gt.Variable([[2.0, 1.0], [0.0, 3.0]])
with gt.GradientTape() as tape:
    loss = np.linalg.det(x) + np.sum(np.cumsum(x)) + np.median(x)
print(tape.gradient(loss, x).tolist())
""")
    assert eval(out) == [[7.5, 3.5], [1.0, 3.0]]


def test_threads_that_ask_at_once_get_the_whole_file():
    """Every thread finds its function, whoever imports its file."""
    run("""
import threading
calls = (np.median, np.cumsum, np.sort, np.var, np.linalg.norm, np.diff, np.percentile, np.std,
         np.convolve, np.pad)
others = {np.percentile: (50,), np.convolve: ([1.0, 2.0],), np.pad: (1,)}
start, failed = threading.Barrier(20), []

def work(function):
    x = gt.Variable([3.0, 1.0, 2.0])
    try:
        start.wait()
        with gt.GradientTape() as tape:
            loss = np.sum(function(x, *others.get(function, ())))
        assert tape.gradient(loss, x) is not None
    except BaseException as error:
        failed.append((function, error))

sys.setswitchinterval(1e-5)
threads = [threading.Thread(target=work, args=(f,)) for f in calls * 2]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert not failed, failed
""")


def test_an_import_that_was_interrupted_is_made_again():
    run("""
class Once:
    def find_spec(self, name, path, target=None):
        if name == "gradtape.core.contraction":
            sys.meta_path.remove(self)
            raise KeyboardInterrupt

sys.meta_path.insert(0, Once())
x = gt.array([1.0, 2.0])
try:
    np.einsum("i,i", x, x)
except KeyboardInterrupt:
    assert np.einsum not in FUNCTIONS
else:
    raise SystemExit("not interrupted")
assert np.einsum("i,i", x, x) == 5.0
""")


def test_a_name_that_is_nowhere():
    run("""
for table in TABLES:
    try:
        table["there is no such name"]
    except KeyError as error:
        assert error.args == ("there is no such name",)
    else:
        raise SystemExit("found")
""")
