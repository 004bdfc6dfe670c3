"""The options of `@gt.function`: threads, donate, and where there is no native code."""

import numpy as np
import pytest

import gradtape as gt
from gradtape import config, configure
from gradtape.backends import choose
from gradtape.errors import CompileWarning

RNG = np.random.default_rng(0)


@pytest.fixture
def settings():
    before = config.current
    yield configure
    config.current = before


# ------------------------------------------------------------------------------- threads


def work(e):
    """Sums in several parts, over all elements and over the first axis."""
    y = np.tanh(e) * np.exp(-e * e)
    return np.sum(y), np.sum(y, axis=0), y


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_the_bits_do_not_depend_on_the_threads(dtype, settings):
    pytest.importorskip("llvmlite")
    settings(threads=4)
    x = RNG.normal(size=(20_000, 20)).astype(dtype)
    for f in (work, lambda x: gt.value_and_grad(lambda e: work(e)[0])(x)):
        results = [gt.function(f, threads=n)(x) for n in (1, 2, 3, None)]
        for other in results[1:]:
            for a, b in zip(results[0], other, strict=True):
                assert np.asarray(a).tobytes() == np.asarray(b).tobytes()


def test_threads_is_the_most_that_a_program_uses(settings):
    pytest.importorskip("llvmlite")
    x = RNG.normal(size=400_000)

    def used(f):
        f(x)
        (program,) = f.programs.values()
        (step,) = program.run.steps
        assert step.call.is_parallel
        return step.call.used

    one, two, free = (gt.function(lambda x: np.sum(np.tanh(x)), threads=n) for n in (1, 2, None))
    settings(threads=3)
    assert [used(f) for f in (one, two, free)] == [1, 2, 3]
    settings(threads=1)
    assert [used(f) for f in (one, two, free)] == [1, 1, 1]


def test_a_program_on_one_thread_starts_no_workers(settings):
    pool = pytest.importorskip("gradtape.backends.llvm.pool")
    settings(threads=4)
    before = pool._pool.workers if pool._pool else 0
    f = gt.function(lambda x: np.sum(np.tanh(x)), threads=1)
    f(RNG.normal(size=400_000))
    assert (pool._pool.workers if pool._pool else 0) == before


def test_the_backward_program_has_the_option_too(settings):
    pytest.importorskip("llvmlite")
    settings(threads=3)
    x = RNG.normal(size=400_000)
    seen = []
    for threads in (1, 2):
        f = gt.function(lambda x: np.sum(np.tanh(x)), threads=threads)
        with gt.GradientTape() as tape:
            t = tape.watch(x)
            loss = f(t)
        seen.append(np.asarray(tape.gradient(loss, t)).tobytes())
    assert seen[0] == seen[1]


@pytest.mark.parametrize("threads", [0, -1, 2.0, "2", True])
def test_threads_that_cannot_be_are_refused(threads):
    with pytest.raises(ValueError, match=r"threads=.* is no whole number from 1 on"):
        gt.function(lambda x: x, threads=threads)


# ------------------------------------------------------------------------------- no native code


def test_without_fused_multiply_add_numpy_computes_and_says_so(monkeypatch):
    machine = pytest.importorskip("gradtape.backends.llvm.machine")
    poor = machine.Machine("x86_64-unknown-linux-gnu", "nocona", "+sse2", 128)
    monkeypatch.setattr(machine, "host", lambda: poor)
    choose.missing.cache_clear()
    try:
        f = gt.function(lambda x: np.sin(x))
        with pytest.warns(CompileWarning, match=r"(?s)run by NumPy.*nocona\) has no fused") as said:
            assert f(np.array([1.0])) == np.sin(1.0)
        assert said[0].filename == __file__
        assert f(np.array([1.0, 2.0])).shape == (2,)  # said once
        assert f._direct is None
    finally:
        choose.missing.cache_clear()
