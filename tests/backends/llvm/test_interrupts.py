"""Ctrl-C in a native loop: it ends, hands on the error, and leaves Variables untouched."""

import os
import signal
import threading
import time

import numpy as np
import pytest

import gradtape as gt

pytest.importorskip("llvmlite")
from gradtape.backends.llvm import interrupts

MANY = 2 * 10**8  # turns, which take seconds


def after(seconds):
    """Send SIGINT to this process in a while, which is what Ctrl-C does."""
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    return timer


def scanned(x, n):
    return gt.scan(lambda c, _: (np.sin(c) + x, None), x, length=MANY)[0]


def nested(x, n):
    def turn(i, c):
        return gt.fori_loop(0, 100, lambda j, d: np.sin(d) + x, c)

    return gt.fori_loop(0, n // 100, turn, x)


def counted(x, n):
    return gt.fori_loop(0, n, lambda i, c: np.sin(c) + x, x)


def until(x, n):
    return gt.while_loop(lambda c: c[1] < n, lambda c: (np.sin(c[0]) + x, c[1] + 1), (x, 0))[0]


def gradient(x, n):
    return gt.grad(lambda x: until(x, n // 16))(x)


@pytest.mark.parametrize("f", [scanned, nested, counted, until, gradient])
def test_a_loop_ends_soon_and_nothing_is_assigned(f):
    w = gt.Variable(1.0)

    @gt.function
    def step(x, n):
        w.assign_add(1.0)
        return f(x, n)

    n = np.int64(MANY)
    step.llvm(0.5, n)  # compiled, and not run
    timer = after(0.3)
    start = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        step(0.5, n)
    took = time.perf_counter() - start
    timer.join()
    assert took < 2.0  # the whole takes several seconds
    assert w.numpy() == 1.0


def test_a_program_runs_again_after_it_was_interrupted():
    f = gt.function(until)
    expected = f(0.5, np.int64(5))
    timer = after(0.3)
    with pytest.raises(KeyboardInterrupt):
        f(0.5, np.int64(MANY))
    timer.join()
    assert f(0.5, np.int64(5)) == expected


def test_a_handler_that_does_not_raise_lets_the_loop_go_on():
    f = gt.function(until)
    f(0.5, np.int64(5))
    seen = []
    before = signal.signal(signal.SIGINT, lambda *_: seen.append(time.perf_counter()))
    try:
        timer = after(0.1)
        f(0.5, np.int64(MANY // 5))
        end = time.perf_counter()
        timer.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(seen) == 1 and seen[0] < end - 0.05  # while it ran


def test_other_threads_run_beside_a_long_loop():
    f = gt.function(until)
    f(0.5, np.int64(5))
    ticks = []

    def tick():
        while not done:
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    done = False
    thread = threading.Thread(target=tick)
    thread.start()
    f(0.5, np.int64(MANY // 20))
    done = True
    thread.join()
    assert len(ticks) > 20


@pytest.mark.parametrize(
    ("work", "turns"), [(0, 4096), (1, 4096), (8, 4096), (100, 256), (40_000, 1)]
)
def test_turns_between_looks(work, turns):
    assert interrupts.turns_between(work) == turns


def test_what_never_looks_has_no_code_for_it():
    """A loop of few turns, inside of others or alone, is as it was."""

    assert interrupts.turns_between(2) == 4096
    f = gt.function(lambda x: gt.fori_loop(0, 4095, lambda i, c: c * 0.5 + x, x))
    g = gt.function(lambda x: gt.fori_loop(0, 4096, lambda i, c: c * 0.5 + x, x))
    assert "@interrupted" not in f.llvm(1.0).replace('"', "")
    assert "@interrupted" in g.llvm(1.0).replace('"', "")
