"""No reference cycles, nothing pinned, linear cost: counted, not timed."""

from __future__ import annotations

import gc
import tracemalloc
import weakref

import numpy as np
import pytest

import gradtape as gt
from gradtape.core import buffers


@pytest.fixture(autouse=True)
def no_reuse():
    """Reused buffers would blur what is counted here; `tests/core/test_large.py` has them."""
    before = gt.config.current.reuse_buffers
    gt.configure(reuse_buffers=0)
    buffers.release()
    yield
    gt.configure(reuse_buffers=before)


@pytest.fixture
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_ten_thousand_steps_grow_nothing_without_the_collector(no_collector):
    x = np.linspace(0, 1, 20)
    a, b = gt.Variable(0.0), gt.Variable(0.0)

    def step():
        with gt.GradientTape() as tape:
            loss = np.sum((x - (a + b * x)) ** 2)
        da, db = tape.gradient(loss, [a, b])
        a.assign_sub(1e-3 * da)
        b.assign_sub(1e-3 * db)
        return loss

    for _ in range(200):
        step()
    tracemalloc.start()
    before = len(gc.get_objects())
    start, _ = tracemalloc.get_traced_memory()
    for _ in range(10_000):
        step()
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(gc.get_objects()) - before < 50
    assert grown - start < 20_000


def test_no_cycles_in_nested_persistent_and_failing_tapes(no_collector):
    v = gt.Variable([1.0, 2.0])

    def work():
        with gt.GradientTape(persistent=True) as outer:
            with gt.GradientTape() as inner:
                y = np.sum(v * v * v)
                w = y * 1.0
            g = inner.gradient(w, v)
            loss = np.sum(g * g)
        outer.gradient(loss, v)
        outer.gradient(y, v)
        gt.grad(lambda t: np.sum(np.sin(t) * t))(np.ones(3))
        try:
            with gt.GradientTape() as broken:
                v * 2.0
                raise KeyError
        except KeyError:
            pass
        del broken

    for _ in range(20):
        work()
    before = len(gc.get_objects())
    for _ in range(300):
        work()
    assert len(gc.get_objects()) - before < 50


def test_a_tape_is_freed_by_its_last_reference(no_collector):
    x = gt.Variable(np.ones(10))
    with gt.GradientTape() as tape:
        hidden = x * 2.0
        loss = np.sum(hidden * hidden)
    gone = weakref.ref(tape._recorder)
    del tape
    assert gone() is None
    assert loss.key


def test_keeping_every_loss_pins_no_activations(no_collector):
    w = gt.Variable(np.ones(100_000))
    losses = []
    tracemalloc.start()
    for _ in range(10):
        with gt.GradientTape() as tape:
            losses.append(np.sum(np.sin(w) * w))
        tape.gradient(losses[-1], w)
    del tape
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size < 3 * w.value.nbytes


def test_a_consuming_gradient_frees_residuals_and_keeps_the_skeleton():
    w = gt.Variable(np.ones(100_000))
    with gt.GradientTape() as tape:
        hidden = np.exp(w)
        kept = weakref.ref(hidden.value)
        loss = np.sum(hidden * hidden)
    del hidden
    assert kept() is not None
    tape.gradient(loss, w)
    assert kept() is None
    names = [rec[1].name for rec in tape._recorder.ops]
    assert names == ["exp", "multiply", "sum_all"]


def test_residuals_are_freed_while_the_sweep_goes_on():
    """The peak of a deep backward pass stays near that of the forward pass."""
    w = gt.Variable(np.ones(50_000))

    def run(with_gradient):
        tracemalloc.start()
        with gt.GradientTape() as tape:
            z = w
            for _ in range(20):
                z = np.sin(z)
            loss = np.sum(z)
        del z
        if with_gradient:
            tape.gradient(loss, w)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    assert run(True) < run(False) + 5 * w.value.nbytes


def test_ops_that_need_only_shapes_keep_only_shapes():
    w = gt.Variable(np.ones(100_000))
    with gt.GradientTape() as tape:
        z = w + 1.0
        kept = weakref.ref(z.value)
        y = z + 2.0
        del z
        assert kept() is None  # addition needs no value
        loss = np.sum(y)
    assert tape.gradient(loss, w).shape == w.shape


def test_reading_ten_thousand_elements_is_linear():
    n = 10_000
    x = gt.Variable(np.linspace(0, 1, n))
    with gt.GradientTape() as tape:
        total = 0.0
        for i in range(n):
            total = total + x[i] * float(i)
    tracemalloc.start()
    g = tape.gradient(total, x)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    np.testing.assert_array_equal(g.read(), np.arange(n, dtype=float))
    assert peak < 100 * n  # not n dense arrays of n


def test_writing_ten_thousand_elements_is_linear():
    n = 3_000
    x = gt.Variable(np.linspace(0, 1, n))
    copies = 0
    with gt.GradientTape() as tape:
        y = gt.zeros(n)
        buffer = None
        for i in range(n):
            y[i] = x[i] * 2.0
            now = y.value.__array_interface__["data"][0]
            copies += now != buffer
            buffer = now
        loss = np.sum(y * y)
    assert copies <= 2
    tracemalloc.start()
    g = tape.gradient(loss, x)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    np.testing.assert_allclose(g.read(), 8 * np.linspace(0, 1, n))
    assert peak < 1000 * n


def test_cotangents_are_not_written_when_they_are_shared():
    x, y = gt.Variable(np.ones(3)), gt.Variable(np.ones(3))
    with gt.GradientTape() as tape:
        s = x + y  # one cotangent for both
        t = s + x  # and again
        loss = np.sum(t * np.array([1.0, 2.0, 3.0])) + np.sum(x)
    gx, gy = tape.gradient(loss, [x, y])
    np.testing.assert_array_equal(gx.read(), [3.0, 5.0, 7.0])
    np.testing.assert_array_equal(gy.read(), [1.0, 2.0, 3.0])


def test_the_users_output_gradients_are_not_written():
    x = gt.Variable(np.ones(3))
    seed = gt.array([1.0, 2.0, 3.0])
    plain = np.array([1.0, 2.0, 3.0])
    with gt.GradientTape(persistent=True) as tape:
        y = x * 1.0
        z = y + y
    for given in (seed, plain):
        tape.gradient([z, y], x, [given, given])
        np.testing.assert_array_equal(gt.array(given).read(), [1.0, 2.0, 3.0])


def test_small_constants_may_be_changed_before_the_gradient():
    data = np.array([1.0, 2.0])
    w = gt.Variable([3.0, 4.0])
    with gt.GradientTape() as tape:
        loss = np.sum(w * data)
    data[:] = 100.0
    np.testing.assert_array_equal(tape.gradient(loss, w).read(), [1.0, 2.0])


def test_large_constants_that_were_changed_are_noticed():
    data = np.ones(20_000)
    w = gt.Variable(np.ones(20_000))
    with gt.GradientTape() as tape:
        loss = np.sum(w * data)
    data *= 2
    with pytest.raises(gt.errors.TapeStateError, match=r"(?s)written to.*test_memory.py.*copy"):
        tape.gradient(loss, w)


def test_updates_of_a_variable_are_in_place_when_nobody_else_holds_its_value():
    w = gt.Variable(np.ones((50, 50)))
    buffer = w.value.ctypes.data
    with gt.GradientTape() as tape:
        loss = np.sum(w * w)
    w -= 0.1 * tape.gradient(loss, w)
    w.assign_add(np.ones((50, 50)))
    assert w.value.ctypes.data == buffer
    kept = w.numpy()
    w.assign_sub(np.ones((50, 50)))
    assert w.value.ctypes.data != buffer
    np.testing.assert_allclose(kept, 1.8)
    np.testing.assert_allclose(w.value, 0.8)


def test_a_product_with_a_constant_keeps_the_constant_and_not_the_operand():
    w = gt.Variable(np.ones(100_000))
    with gt.GradientTape() as tape:
        h = np.sin(w)
        kept = weakref.ref(h.value)
        y = h * 2.0
        del h
        assert kept() is None
        loss = np.sum(y)
    np.testing.assert_allclose(tape.gradient(loss, w).read(), 2 * np.cos(1.0))
