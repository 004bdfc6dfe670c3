"""`graph`, `llvm`, `assembly`: the text of each stage, the same everywhere; some in tests/golden.

After a change that is meant: GOLDEN=1 python -m pytest tests/program/test_text.py
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gradtape as gt
from gradtape.errors import UnsupportedOperationError

llvmlite = pytest.importorskip("llvmlite.binding")
GOLDEN = Path(__file__).resolve().parent.parent / "golden"
LLVM = 22  # the version of LLVM, and so of llvmlite, that wrote the goldens
X, Y = np.linspace(0.0, 1.0, 50), np.linspace(-1.0, 1.0, 50)
WRITTEN_BY_LLVM = pytest.mark.skipif(
    llvmlite.llvm_version_info[0] != LLVM, reason=f"text of LLVM {LLVM}"
)


def make():
    """The tutorial's step, and a function with a part for NumPy, as they are new."""
    a, b = gt.Variable(0.5, name="a"), gt.Variable(-0.5, name="b")

    @gt.function
    def step(x, y):
        with gt.GradientTape() as tape:
            loss = np.sum((y - (a + b * x)) ** 2)
        da, db = tape.gradient(loss, [a, b])
        a.assign_sub(0.001 * da)
        b.assign_sub(0.001 * db)
        return loss

    @gt.function
    def mixed(x):
        return np.sort(x * 2.0) + 1.0

    return step, mixed


def check(name, text):
    path = GOLDEN / name
    if os.environ.get("GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


def test_graph():
    step, mixed = make()
    check("step.graph", step.graph(X, Y) + "\n" + mixed.graph(X) + "\n")


@WRITTEN_BY_LLVM
def test_llvm_as_it_is_written():
    step, mixed = make()
    check("step.ll", step.llvm(X, Y))
    check("mixed.ll", mixed.llvm(X))


@WRITTEN_BY_LLVM
@pytest.mark.parametrize("target", ["x86-64-v3", "aarch64"])
def test_llvm_and_assembly_for_a_target(target):
    step, _ = make()
    assert "fmul <" in step.llvm(X, Y, target=target)
    check(f"step.{target}.s", step.assembly(X, Y, target=target))


@pytest.mark.parametrize("target", ["x86-64-v3", "x86-64-v4", "aarch64", "host", None])
def test_every_target_is_code_of_its_own_kind(target):
    _, mixed = make()
    x = np.linspace(0.0, 1.0, 4000)
    text = mixed.assembly(x, target=target)
    assert "part 0: native code" in text and "NumPy runs" in text and "kernel:" in text
    wanted = {"x86-64-v3": r"%ymm\d", "x86-64-v4": r"%zmm\d", "aarch64": r"\bv\d+\.2d\b"}
    if target in wanted:
        assert re.search(wanted[target], text)
    assert "entry" not in re.findall(r"^(\w+):", text, re.MULTILINE)


def test_text_is_the_same_again():
    one, other = make()[0], make()[0]
    for kind in ("llvm", "assembly", "graph"):
        first = getattr(one, kind)(X, Y)
        assert first == getattr(one, kind)(X, Y) == getattr(other, kind)(X + 1, Y)


def test_text_is_the_same_in_another_process():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from test_text import *\n"
        "step, mixed = make(); print(hash('x')); print(step.llvm(X, Y) + mixed.llvm(X))"
    )
    here = str(Path(__file__).resolve().parent)
    texts = [
        subprocess.run(
            [sys.executable, "-c", code, here], capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout.partition("\n")[2]
        for seed in ("1", "2")
    ]  # fmt: skip
    assert texts[0] == texts[1]


def test_another_target_is_refused():
    step, _ = make()
    with pytest.raises(ValueError, match=r"no target 'z80'[\s\S]*'aarch64'[\s\S]*target=\"host\""):
        step.assembly(X, Y, target="z80")


def test_what_numpy_runs_has_no_native_text():
    f = gt.function(lambda x: x * 2.0, backend="numpy")
    with pytest.raises(UnsupportedOperationError, match=r'no llvm[\s\S]*backend="numpy"'):
        f.llvm(X)


def test_a_kept_program_has_its_text_too(tmp_path):
    before = gt.config.current
    try:
        gt.configure(cache_folder=str(tmp_path / "programs"))

        def f(x):
            return np.sum(x * 2.0)

        texts = [gt.function(f, cache=True).llvm(X) for _ in range(2)]
        assert texts[0] == texts[1] == gt.function(f).llvm(X)
    finally:
        gt.config.current = before
