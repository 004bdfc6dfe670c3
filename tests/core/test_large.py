"""Arrays large enough for reused buffers, blocks and threads give what small ones give."""

from __future__ import annotations

import gc

import numpy as np
import pytest

import gradtape as gt
from gradtape import config
from gradtape.core import buffers, parallel

SIZES = [1000, buffers.SMALLEST // 8 + 3, parallel.SMALLEST // 8 + 5, 3_000_000]
FUNCTIONS = {
    "sin": lambda x: np.sin(x) * x + x,
    "tanh_exp": lambda x: np.tanh(x) * np.exp(-x * x),
    "divide": lambda x: x / (1.0 + x * x) - 3.0 / (x + 10.0),
    "kinks": lambda x: np.maximum(x, 0.1) + np.abs(x) - np.minimum(x * 2.0, 0.3),
    "power": lambda x: (x + 4.0) ** 1.5 - x**2,
    "singular": lambda x: np.log(np.exp(-x * x * 900.0) + 1e-45) * 0.0 + x,
    "where": lambda x: np.where(x > 0, np.sqrt(np.maximum(x, 0.0)), 0.0),
    "float32_scalar": lambda x: np.sin(x * np.float32(2)) - np.float32(1),
}


FUNCTIONS |= {
    # products that are added to a cotangent that is there already: partials that are arrays,
    # values of the record, masks, and -1
    "added": lambda x: x * x + np.tanh(x) + np.exp(x) - x + np.abs(x) + np.sqrt(x * x + 1.0),
    "added negative": lambda x: np.exp(x) * x + -x,
    "weighted sum": lambda x: x * 0.0 + np.tanh(x) * 1.0,
}


def small_reference(function, x):
    """The same, computed in pieces that are too small for any of this."""
    parts = np.array_split(x, max(1, x.size // 5000))
    gradients = [gt.grad(lambda t: np.sum(function(t)))(part) for part in parts]
    return np.concatenate(gradients)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_value_and_gradient_do_not_depend_on_the_size(name, size, dtype):
    function = FUNCTIONS[name]
    x = np.random.default_rng(1).uniform(-1, 1, size).astype(dtype)
    v = gt.Variable(x)
    with gt.GradientTape() as tape:
        y = function(v)
        loss = np.sum(y)
    g = tape.gradient(loss, v)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(y.read(), function(x))
    tolerance = 4 * np.finfo(dtype).eps
    np.testing.assert_allclose(
        g.read(), small_reference(function, x), rtol=tolerance, atol=tolerance
    )


def test_a_buffer_is_the_base_of_its_array_and_is_given_out_once():
    shape, dtype = (buffers.SMALLEST // 8,), np.dtype(float)
    first = buffers.take(shape, dtype, buffers.SMALLEST)
    second = buffers.take(shape, dtype, buffers.SMALLEST)
    assert isinstance(first.base, buffers.Buffer)
    assert not np.shares_memory(first, second)
    where = first.ctypes.data
    part = first[3:]
    del first
    third = buffers.take(shape, dtype, buffers.SMALLEST)
    assert not np.shares_memory(part, third)  # a view keeps the buffer
    del part
    gc.collect()
    fourth = buffers.take(shape, dtype, buffers.SMALLEST)
    assert fourth.ctypes.data == where


def test_results_that_are_kept_are_not_overwritten():
    x = np.random.default_rng(0).normal(size=buffers.SMALLEST // 4)
    v = gt.Variable(x)
    kept, gradients = [], []
    for k in range(6):
        with gt.GradientTape() as tape:
            y = np.sin(v * float(k + 1))
            loss = np.sum(y)
        kept.append(y)
        gradients.append(tape.gradient(loss, v))
    for k, (y, g) in enumerate(zip(kept, gradients, strict=True)):
        np.testing.assert_array_equal(y.read(), np.sin(x * float(k + 1)))
        np.testing.assert_allclose(g.read(), np.cos(x * float(k + 1)) * (k + 1), rtol=1e-14)


def test_buffers_stay_within_their_limit():
    before = config.current
    try:
        gt.configure(reuse_buffers=4 << 20)
        buffers.release()
        held = [buffers.take((1 << 18,), np.dtype(float), 2 << 20) for _ in range(5)]
        assert sum(isinstance(a.base, buffers.Buffer) for a in held) <= 2
        assert len({a.ctypes.data for a in held}) == 5
    finally:
        gt.configure(reuse_buffers=before.reuse_buffers)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_bits_do_not_depend_on_threads(threads):
    before = config.current.threads
    x = np.random.default_rng(2).normal(size=2_000_003).astype(np.float32)
    v = gt.Variable(x)
    try:
        gt.configure(threads=threads)
        with gt.GradientTape() as tape:
            loss = np.sum(np.tanh(v) * np.exp(-v * v))
        g = tape.gradient(loss, v).read()
        gt.configure(threads=1)
        with gt.GradientTape() as tape:
            loss_1 = np.sum(np.tanh(v) * np.exp(-v * v))
        np.testing.assert_array_equal(tape.gradient(loss_1, v).read(), g)
        assert loss.read() == loss_1.read()
    finally:
        gt.configure(threads=before)


def test_an_exception_in_a_worker_is_raised_here_and_the_context_holds_there():
    seen = []

    def fail(start, stop):
        seen.append((start, stop, np.geterr()["divide"]))
        if start:
            raise KeyError(start)

    before = config.current.threads
    try:
        gt.configure(threads=2)
        with np.errstate(divide="raise"), pytest.raises(KeyError):
            parallel.split(fail, 1000)
    finally:
        gt.configure(threads=before)
    assert sorted(s[:2] for s in seen) == [(0, 512), (512, 1000)]
    assert {s[2] for s in seen} == {"raise"}


# Python 3.12 and later warn of a fork beside threads, which is what is tested here
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_large_arrays_after_a_fork():
    import os

    x = gt.Variable(np.ones(3_000_000))
    np.sin(x)  # the workers of this process run
    pid = os.fork() if hasattr(os, "fork") else None
    if pid is None:
        pytest.skip("no fork here")
    if pid == 0:
        ok = bool((np.sin(x).read() == np.sin(1.0)).all())
        os._exit(0 if ok else 1)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_buffers_are_shared_by_threads():
    import threading

    x = np.random.default_rng(3).normal(size=60_000)
    wrong = []

    def work(k):
        v = gt.Variable(x)
        for i in range(40):
            with gt.GradientTape() as tape:
                loss = np.sum(np.sin(v * float(k)) * v)
            g = tape.gradient(loss, v).read()
            if not np.allclose(g, np.sin(x * k) + x * k * np.cos(x * k)):
                wrong.append((k, i))
            buffers.release()

    workers = [threading.Thread(target=work, args=(k,)) for k in range(1, 5)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


@pytest.mark.parametrize("scale", [0.0, 1.0, -2.0, np.inf])
@pytest.mark.parametrize("size", [1000, parallel.SMALLEST // 8 + 5])
def test_a_sum_of_products_times_any_number(size, scale):
    """The cotangent of a sum is one number: 0 and 1 have ways of their own."""
    x = np.random.default_rng(4).uniform(0.5, 1, size)
    y = np.random.default_rng(5).uniform(0.5, 1, size)
    v, w = gt.Variable(x), gt.Variable(y)
    with gt.GradientTape() as tape:
        product = v * w
        loss = np.sum(product) * scale
    gv, gw = tape.gradient(loss, [v, w])
    np.testing.assert_array_equal(gv.read(), y * scale)
    np.testing.assert_array_equal(gw.read(), x * scale)
    gv[...] = 7.0  # nobody else's memory
    np.testing.assert_array_equal(w.read(), y)
    np.testing.assert_array_equal(product.read(), x * y)


@pytest.mark.parametrize("size", [1000, parallel.SMALLEST // 8 + 5])
def test_zero_cotangents_of_large_infinite_partials_give_zero(size):
    x = np.linspace(0, 1, size)
    taken = np.arange(size) % 3 != 0
    v = gt.Variable(x * taken)
    with gt.GradientTape() as tape, np.errstate(divide="ignore"):
        u = v * 1.0  # its cotangent is added to twice
        loss = np.sum(np.where(taken, np.log(u) + np.sqrt(u), 0.0)) + np.sum(u)
    want = np.ones(size)
    with np.errstate(divide="ignore"):
        want[taken] += (1 / x + 0.5 / np.sqrt(x))[taken]
    np.testing.assert_allclose(tape.gradient(loss, v).read(), want, rtol=1e-14)
