"""No reference cycles, nothing pinned, linear cost: counted, not timed."""

from __future__ import annotations

import gc
import sys
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


class Blocks:
    """The most blocks of memory that there were while a chain of operations was computed."""

    def __init__(self):
        gc.collect()
        self.before = self.most = sys.getallocatedblocks()

    def chain(self, x, turns=10_000):
        for i in range(turns):
            x = np.sin(x)
            if i % 50 == 0:
                self.look()
        self.look()
        return x

    def look(self):
        self.most = max(self.most, sys.getallocatedblocks())

    @property
    def grown(self):
        return self.most - self.before


ROW = np.full(50, 0.5)
FEW = 5_000  # ten thousand operations are 20 000 or more, if what they give is kept


def _accumulated(function, x):
    with gt.ForwardAccumulator(x, np.ones_like(ROW)) as acc:
        return acc.jvp(function(x))


def test_forward_mode_holds_no_tape(no_collector):
    x, blocks = gt.array(ROW), Blocks()
    gt.jvp(blocks.chain, (ROW,), (ROW,))
    assert blocks.grown < FEW
    _accumulated(blocks.chain, x)
    assert blocks.grown < FEW
    with gt.ForwardAccumulator(x, np.ones_like(ROW)):
        _accumulated(blocks.chain, x)
    assert blocks.grown < 2 * FEW


def test_forward_mode_around_tapes_holds_what_these_hold(no_collector):
    x, blocks = gt.array(ROW), Blocks()

    def many(x):
        for _ in range(1_000):
            with gt.GradientTape() as tape:
                tape.watch(x)
                y = blocks.chain(x, 10)
            x = tape.gradient(y, x)
        return x

    gt.jvp(many, (ROW,), (ROW,))
    assert blocks.grown < FEW
    _accumulated(many, x)
    assert blocks.grown < FEW
    with gt.GradientTape() as tape:  # one that follows nothing of it
        tape.watch(gt.array(1.0))
        _accumulated(blocks.chain, x)
        gt.jvp(blocks.chain, (ROW,), (ROW,))
    assert blocks.grown < FEW


def test_a_linearization_keeps_what_it_needs_and_no_more(no_collector):
    blocks = Blocks()
    gt.linearize(blocks.chain, ROW)
    assert blocks.grown < 12 * 10_000  # a record with its place, an array, a key
    _, push = gt.linearize(lambda x: blocks.chain(x, 100), ROW)
    _, tangent = gt.jvp(lambda x: blocks.chain(x, 100), (ROW,), (ROW,))
    np.testing.assert_allclose(push(ROW), tangent)


def test_tangents_that_only_a_tape_asks_for_are_there():
    x, w = gt.Variable(0.3), gt.Variable(2.0)
    with gt.ForwardAccumulator(x, 1.0) as acc:
        y = np.exp(x)
        with gt.GradientTape() as tape:
            z = w * np.sin(y)
            y = Blocks().chain(y, 100)  # the value that the tape kept is gone, but for it
            for _ in range(100):
                z = z * 1.0
        g = tape.gradient(z, w)  # sin(exp(x))
    expected = np.cos(np.exp(0.3)) * np.exp(0.3)
    assert acc.jvp(g) == pytest.approx(expected, rel=1e-14)
