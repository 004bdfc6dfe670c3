"""First calls run code that was made in haste, later ones the code that was made with care."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import gradtape as gt
from gradtape.backends import options, schedule
from gradtape.backends.llvm import compile as machine_code
from gradtape.backends.llvm import later, making, pieces, worth
from gradtape.backends.llvm.compile import Program
from gradtape.backends.llvm.machine import host

R = np.random.default_rng(3)
X, LONG, A = R.normal(size=200), R.normal(size=5000), R.normal(size=(37, 53))
ODD = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 5e-324, -1e308, 1e308, 3.0, 709.9, -746.0])
ODD32 = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, -1e38, 1e38, 3.0, 88.9, -104.0], "f4")


@pytest.fixture(autouse=True)
def _in_haste(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(options, "haste", True)
    yield
    later.finish()


def rosenbrock(x: Any) -> Any:
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def layer(a: Any, x: Any) -> Any:
    h = np.tanh(a @ x)
    e = np.exp(h - np.max(h, axis=0))
    return np.sum(np.log(np.sum(e, axis=0)) - h[0]), h


def mixed(x: Any, y: Any) -> Any:
    z = np.where(x > y, np.sqrt(np.abs(x)) / y, np.sin(x) * y)
    return np.cumsum(z), np.maximum(x, y), np.minimum(x, -y), np.sum(z * x), np.prod(1 + x / 7)


CASES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "hessian": (gt.hessian(rosenbrock), (X,)),
    "gradient": (gt.value_and_grad(rosenbrock), (X,)),
    "product": (gt.value_and_grad(lambda a, x: layer(a, x)[0], (0, 1)),
                (A, R.normal(size=(53, 70)))),
    "float32": (gt.value_and_grad(lambda a, x: layer(a, x)[0], (0, 1)),
                (A.astype("f4"), R.normal(size=(53, 70)).astype("f4"))),
    "mixed": (mixed, (LONG, R.normal(size=5000))),
    "odd": (mixed, (np.tile(np.repeat(ODD, 11), 20), np.tile(ODD, 220))),
    "odd float32": (mixed, (np.tile(np.repeat(ODD32, 11), 20), np.tile(ODD32, 220))),
    "gather": (lambda x, i: (np.sum(x[i] * x), np.exp(x)), (LONG, R.integers(0, 5000, 5000))),
}  # fmt: skip


def bits(found: Any) -> list[bytes]:
    return [np.asarray(x).tobytes() for x in gt.core.tree.flatten(found)[0]]


def native(f: Any) -> list[Any]:
    """The native parts of a function's only program."""
    (program,) = f.programs.values()
    return [s.call for s in program.run.steps if isinstance(s, schedule.Native)]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_bits_are_the_same_before_and_after(
    name: str, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gradtape.backends.llvm.compile.available", lambda: threads)
    f, args = CASES[name]
    g = gt.function(f)
    first = g(*args)
    assert any(one.is_hasty for one in native(g))
    before = [one.program.objects for one in native(g)]
    g(*args)
    later.finish()
    assert not any(one.is_hasty for one in native(g))
    assert before != [one.program.objects for one in native(g)]
    for _ in range(3):
        assert bits(g(*args)) == bits(first)


@pytest.mark.parametrize("threads", [1, 2])
def test_what_is_made_with_care_is_what_is_made_without_haste(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gradtape.backends.llvm.compile.available", lambda: threads)
    g = gt.function(gt.hessian(rosenbrock))
    for _ in range(3):
        g(X)
    later.finish()
    monkeypatch.setattr(options, "haste", False)
    h = gt.function(gt.hessian(rosenbrock))
    h(X)
    assert [one.program.objects for one in native(g)] == [one.program.objects for one in native(h)]


def test_one_thread_compiles_one_module_in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worth, "BRIEF_NS", 0.0)
    counts = []
    for threads in (1, 2):
        monkeypatch.setattr("gradtape.backends.llvm.compile.available", lambda n=threads: n)
        g = gt.function(gt.hessian(rosenbrock))
        g(X)
        counts.append([len(one.program.objects) for one in native(g)])
        for one in native(g):
            one.improve_now()
        counts.append([len(one.program.objects) for one in native(g)])
    assert counts == [[1], [2], [2], [2]]


@pytest.mark.skipif(not host().has_avx512, reason="the host has no masks")
@pytest.mark.parametrize("threads", [1, 2])
def test_brief_programs_run_over_single_elements_at_first(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the code; where sums stand, vectors say in which order."""
    made: list[str] = []
    linked = machine_code.linked

    def told(parts: Any, machine: Any) -> Iterator[making.Piece]:
        for piece in linked(parts, machine):
            if '@"loop0' in piece.text:  # and not the pool's
                made.append(piece.text)
            yield piece

    monkeypatch.setattr(machine_code, "linked", told)
    monkeypatch.setattr("gradtape.backends.llvm.compile.available", lambda: threads)
    g = gt.function(gt.hessian(rosenbrock))
    g(X)
    (text,) = made
    assert " x double>" not in text
    (one,) = native(g)
    one.improve_now()
    assert " x double>" in "".join(made[1:]) and len(one.program.objects) == 2
    made.clear()
    h = gt.function(lambda x: (np.sum(np.exp(x) * x), np.exp(-x[:700]) / 3))
    h(LONG[:900])
    (text,) = made
    bodies = {n: b for n, b in pieces.functions(f"\n{text}\n") if n.startswith("loop")}
    assert len(bodies) == 2
    for body in bodies.values():
        assert (" x double>" in body) == (" reassoc " in body)
    made.clear()
    g = gt.function(gt.hessian(rosenbrock))
    g(np.ones(2000))  # four million numbers
    assert " x double>" in made[0]


@pytest.mark.skipif(not host().has_avx512, reason="the host has no masks")
def test_long_texts_of_brief_programs_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    def f(x: Any) -> Any:
        for n in range(40):
            y = np.sin(x[n : n + 9]) if n % 3 else np.exp(x[n : n + 9]) * n
            x = np.concatenate([y / (n + 2), np.sqrt(np.abs(x[9:])) + np.sum(y)])
        return x

    counts = []
    for threads in (1, 2):
        monkeypatch.setattr("gradtape.backends.llvm.compile.available", lambda n=threads: n)
        g = gt.function(f)
        found = g(X)
        (one,) = native(g)
        counts.append(len(one.program.objects))
        one.improve_now()
        assert bits(g(X)) == bits(found)
    assert counts[0] == 1 and counts[1] == 2


def test_programs_of_little_work_are_made_once() -> None:
    g = gt.function(lambda x: np.exp(x) - x)
    g(X)
    assert not any(one.is_hasty for one in native(g))


def test_the_builtin_is_called_by_itself_once_it_has_counted() -> None:
    g = gt.function(lambda x: np.sum(np.sin(x) * x))
    g(LONG)
    (program,) = g.programs.values()
    assert program.direct is None and program.run.hasty
    g(LONG)
    assert program.direct is not None and not program.run.hasty


def test_a_variable_keeps_its_steps_meanwhile() -> None:
    w = gt.Variable(np.ones(200))

    @gt.function
    def step(x: Any) -> Any:
        with gt.GradientTape() as tape:
            loss = np.sum((w * x - 2) ** 2)
        w.assign_sub(0.01 * tape.gradient(loss, w))
        return loss

    plain = np.ones(200)
    for _ in range(8):
        step(X)
        plain = plain - 0.01 * (2 * (plain * X - 2) * X)
    np.testing.assert_allclose(w.numpy(), plain, rtol=1e-12)


def test_a_tape_outside_counts_too() -> None:
    g = gt.function(lambda x: np.sum(np.sin(x) ** 2))
    x = gt.Variable(LONG)
    found = []
    for _ in range(5):
        with gt.GradientTape() as tape:
            y = g(x)
        found.append(bits(tape.gradient(y, x)))
        later.finish()
    assert len({tuple(one) for one in found}) == 1
    (pair,) = next(iter(g.programs.values())).pairs.values()
    assert not pair.forward.hasty and not pair.backward.hasty


def test_long_bodies_are_made_with_care_at_once() -> None:
    a = np.ones((600, 600))
    g = gt.function(lambda a: a @ a)
    g(a)
    assert not any(one.is_hasty for one in native(g))
    assert worth.long_of({"a": 1e7, "b": 1e3}) == {"a"}


def test_what_is_kept_on_disk_is_made_with_care(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("GRADTAPE_CACHE", str(tmp_path))
    g = gt.function(rosenbrock, cache=True)
    g(LONG)
    assert not any(one.is_hasty for one in native(g))


def test_a_report_is_of_the_code_that_stays() -> None:
    g = gt.function(rosenbrock)
    g(LONG)
    assert any(one.is_hasty for one in native(g))
    g.report(LONG)
    assert not any(one.is_hasty for one in native(g))


def test_code_that_cannot_be_made_with_care_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    g = gt.function(lambda x: np.sum(np.exp(x) * x))
    first = g(LONG)

    def fails(self: Any, is_wanted: Any) -> None:
        raise RuntimeError("LLVM has had enough")

    monkeypatch.setattr(Program, "improve", fails)
    for _ in range(5):
        assert bits(g(LONG)) == bits(first)
    later.finish()
    assert any(one.is_hasty for one in native(g))


def test_programs_that_are_gone_are_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    monkeypatch.setattr(making, "give_way", lambda seconds: hold.wait(30))
    hold = threading.Event()
    improve = Program.improve
    monkeypatch.setattr(Program, "improve", lambda self, wanted: made.append(improve(self, wanted)))
    g = gt.function(lambda x: np.sum(np.exp(x) - x))
    for _ in range(3):
        g(LONG)
    del g
    import gc

    gc.collect()
    hold.set()
    later.finish()
    assert not made


def test_threads_call_while_code_is_exchanged() -> None:
    functions = [gt.function(lambda x, k=k: np.sum(np.sin(x * k) * x)) for k in range(6)]
    wanted = [float(np.sum(np.sin(LONG * k) * LONG)) for k in range(6)]
    bad: list[Any] = []

    def work() -> None:
        for _ in range(100):
            for f, y in zip(functions, wanted, strict=True):
                if not np.isclose(f(LONG), y, rtol=1e-9):
                    bad.append(f)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    later.finish()
    assert not bad


SCRIPT = """
import os, sys
import numpy as np, gradtape as gt
fs = [gt.function(lambda x, k=k: np.sum(np.sin(x * k) ** 2 + np.exp(-x) * x)) for k in range(12)]
x = np.linspace(0, 1, 5000)
for f in fs:
    for _ in range(3):
        f(x)
"""


def run(script: str) -> str:
    env = {**os.environ, "PYTHONWARNINGS": "ignore::DeprecationWarning"}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, env=env
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


def test_a_process_may_end_meanwhile() -> None:
    run(SCRIPT)


@pytest.mark.skipif(
    not hasattr(os, "fork") or sys.version_info >= (3, 12), reason="no fork then"
)
def test_a_process_may_fork_at_its_end() -> None:
    run(
        """
import atexit, os
def fork():
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
atexit.register(fork)  # runs after what is registered later
"""
        + SCRIPT
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_goes_on_with_what_waited() -> None:
    child = """
pid = os.fork()
from gradtape.backends.llvm import later
later.finish()
y = [float(f(x)) for f in fs]
from gradtape.backends.schedule import Native
calls = [s.call for f in fs for p in f.programs.values() for s in p.run.steps]
print(any(one.is_hasty for one in calls), flush=True)
if pid:
    assert os.waitpid(pid, 0)[1] == 0
"""
    assert run(SCRIPT + child).split() == ["False", "False"]
