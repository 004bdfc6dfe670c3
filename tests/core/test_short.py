"""Native loops over short rows give the bits of NumPy's, its warnings, and are made once."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gradtape as gt
from gradtape import config
from gradtape.backends.llvm import short as native
from gradtape.backends.llvm.machine import AARCH64, Machine
from gradtape.core import parallel, runs, short
from gradtape.core.registry import HOOKS

UFUNCS = [np.add, np.subtract, np.multiply, np.divide]
# Pairs of shapes: rows of one operand repeated beside the other's, numbers along rows, both.
SHAPES = [
    ((1000, 1, 10), (25, 10)), ((25, 10), (1000, 1, 10)), ((40, 25, 1), (40, 25, 10)),
    ((40, 25, 10), (40, 25, 1)), ((1000, 250), (250,)), ((7,), (3000, 7)), ((3000, 1), (3000, 17)),
    ((31, 1), (1, 33)), ((2, 1, 3, 1), (2, 5, 3, 9)), ((1, 5), (4, 1)), ((6, 1, 2), (6, 8, 2)),
    ((0, 1), (0, 8)), ((3, 1, 64), (3, 100, 64)),
]  # fmt: skip


made = functools.cache(native.loops)


@pytest.fixture
def loops(monkeypatch):
    """As after many such operations; undone afterwards."""
    monkeypatch.setattr(short, "loops", dict(made()))
    return short.loops


def numbers(shape, dtype, seed=0, special=False):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape).astype(dtype)
    if special and x.size:
        tiny = np.finfo(dtype).smallest_subnormal
        odd = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, tiny, np.finfo(dtype).max], dtype)
        x = np.where(rng.random(shape) < 0.3, rng.choice(odd, shape), x)
    return x


def same(x, y):
    """Bit for bit, but for which NaN it is."""
    nan = np.isnan(x)
    np.testing.assert_array_equal(nan, np.isnan(y))
    np.testing.assert_array_equal(np.signbit(x[~nan]), np.signbit(y[~nan]))
    np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("ufunc", UFUNCS)
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_a_loop_gives_the_bits_of_numpy(shapes, ufunc, dtype, loops):
    x, y = (numbers(shape, dtype, seed) for seed, shape in enumerate(shapes))
    expected = ufunc(x, y)
    out = np.full_like(expected, 7)
    done = short.binary(ufunc, x, y, out)
    assert done == (short.layout(x.shape, y.shape) is not None)
    if done:
        same(out, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_so_do_the_loops_of_the_sweep(shapes, dtype, loops):
    x, y = (numbers(shape, dtype, seed) for seed, shape in enumerate(shapes))
    if short.layout(x.shape, y.shape) is None:
        return
    out = np.empty(np.broadcast_shapes(x.shape, y.shape), dtype)
    assert short.named("multiply_twice", x, y, out)
    same(out, x * (y + y))
    total = numbers(out.shape, dtype, 9)
    expected = total + x * y
    assert short.run("multiply_add", x, y, total, total) is not None
    same(total, expected)  # two roundings, as of two operations


@given(
    st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(1, 40)), min_size=1, max_size=4),
    st.sampled_from(UFUNCS),
    st.sampled_from([np.float32, np.float64]),
    st.integers(0, 1 << 30),
)
def test_any_shapes_and_numbers(axes, ufunc, dtype, seed):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(short, "loops", made())
        x, y = (
            numbers(tuple(n if axis[i] else 1 for axis, n in zip(axes, lengths, strict=True)),
                    dtype, seed + i, special=True)
            for i, lengths in enumerate([[n for *_, n in axes]] * 2)
        )  # fmt: skip
        with np.errstate(all="ignore"):
            expected = ufunc(x, y)
            out = np.full_like(expected, 3)
            told = short.run(short._NAMES[ufunc], x, y, None, out)
        if told is not None:
            same(out, expected)
            flags = []
            with np.errstate(all="call", call=lambda kind, flag: flags.append(kind)):
                ufunc(x, y)
            loud = any(kind != "underflow" for kind in flags)
            assert told == (short.LOUD if loud else short.UNDERFLOW if flags else 0)


def test_numpy_warns_and_raises_as_ever(loops):
    x, big = np.full((2000, 1, 3), 1e300), np.full((20, 3), 1e300)
    out = np.empty((2000, 20, 3))
    with pytest.warns(RuntimeWarning, match="overflow encountered in multiply"):
        runs.broadcast(np.multiply, x, big, out)
    assert np.isinf(out).all()
    with pytest.warns(RuntimeWarning, match="divide by zero encountered in divide"):
        runs.broadcast(np.divide, x, np.zeros((20, 3)), out)
    tiny = np.full((20, 3), 1e-300)
    assert not runs.broadcast(np.multiply, 1 / x, tiny, out).any()  # NumPy is silent of these
    with np.errstate(under="raise"), pytest.raises(FloatingPointError, match="underflow"):
        runs.broadcast(np.multiply, 1 / x, tiny, out)


def test_rows_that_are_no_number_of_vectors_leave_what_lies_behind(loops):
    for run in range(1, 40):
        x, y = numbers((5, 1), np.float64), numbers((5, run), np.float64)
        if short.layout(x.shape, y.shape) is None:
            continue
        room = np.full(5 * run + 16, 7.0)
        assert short.binary(np.divide, x, y, room[: 5 * run].reshape(5, run))
        same(room[: 5 * run], (x / y).reshape(-1))
        assert (room[5 * run :] == 7).all()


@pytest.mark.parametrize(
    ("x", "y"), [((3_000_000,), ()), ((4, 5), (4, 5)), ((2, 1, 3, 1, 5), (1, 4, 1, 6, 5)),
                 ((10, 1), (10, 4096)), ((0, 3), (3,))],
)  # fmt: skip
def test_what_numpy_does_as_well_is_left_to_it(x, y, loops):
    assert short.layout(x, y) is None
    assert not short.binary(np.add, np.zeros(x), np.zeros(y), None)


def test_strided_operands_and_other_functions_are_left_to_numpy(loops):
    x, y, out = np.zeros((50, 1, 4)), np.zeros((6, 4)), np.empty((50, 6, 4))
    assert short.binary(np.add, x, y, out)
    assert not short.binary(np.add, np.zeros((50, 1, 8))[..., ::2], y, out)
    assert not short.binary(np.maximum, x, y, out)


SWAPPED = np.dtype(np.float64).newbyteorder()


def test_numbers_of_another_byte_order_are_left_to_numpy(loops):
    x = numbers((2000, 1, 10), np.float64).astype(SWAPPED)
    y = x[:20, 0]
    expected = x * y
    out = np.full(expected.shape, 7, SWAPPED)
    assert short.run("multiply", x, y, None, out) is None and (out == 7).all()
    z = gt.array(x) * gt.array(y)
    assert z.dtype.isnative and expected.dtype.isnative  # as of small arrays
    same(z.numpy(), expected)


def test_several_threads_give_the_same_bits(loops, monkeypatch):
    monkeypatch.setattr(config, "current", config.current._replace(threads=2))
    assert parallel.available() == 2
    for shapes in [((70_000, 1, 5), (3, 5)), ((300_000, 1), (300_000, 6)), ((9,), (200_000, 9)),
                   ((2, 1, 3), (2, 400_000, 3))]:  # fmt: skip
        x, y = (numbers(shape, np.float64, seed) for seed, shape in enumerate(shapes))
        expected = x * y
        assert expected.nbytes >= parallel.SMALLEST
        out = np.empty_like(expected)
        assert short.binary(np.multiply, x, y, out)
        same(out, expected)
        total = expected.copy()
        assert short.run("multiply_add", x, y, total, total) is not None
        same(total, expected + expected)


def mixture(means, scales, x):
    centered = x[:, None] - means
    scaled = 0.3 * (np.exp(-scales) * centered + centered * 0.5)
    return np.sum(np.log(np.sum(np.exp(-0.5 * np.sum(scaled**2, axis=2)), axis=1)))


def weighted(w, v, x):
    return np.sum(np.sum((x[:, None] / v - w) ** 2, axis=2) * 0.25) + np.sum(w * (x[:, None] + v))


def gradients(function, *arguments):
    variables = [gt.Variable(x) for x in arguments[:2]]
    with gt.GradientTape() as tape:
        value = function(*variables, *arguments[2:])
    return [value.numpy(), *(g.numpy() for g in tape.gradient(value, variables))]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("function", [mixture, weighted])
def test_values_and_gradients_keep_their_bits(function, dtype, monkeypatch):
    arguments = [numbers((25, 10), dtype, 1), numbers((25, 10), dtype, 2) / 4 + 2,
                 numbers((900, 10), dtype, 3)]  # fmt: skip
    before = gradients(function, *arguments)
    used = []

    def counting(name, loop):
        return lambda *places: (used.append(name), loop(*places))[1]

    monkeypatch.setattr(
        short, "loops", {key: counting(key[0], loop) for key, loop in made().items()}
    )
    after = gradients(function, *arguments)
    for x, y in zip(before, after, strict=True):
        np.testing.assert_array_equal(x, y)
    wanted = {"subtract", "multiply", "multiply_twice"}
    assert wanted | ({"multiply_add"} if function is mixture else {"divide"}) <= set(used)


@pytest.mark.parametrize("spoilt", [np.inf, np.nan, 0.0])
def test_a_cotangent_of_0_wins_in_native_loops_too(spoilt, loops):
    x = numbers((2000, 10), np.float64, 3)
    x[7, 3] = spoilt
    seen = np.isfinite(x).all(axis=1) & (x != 0).all(axis=1)
    w = gt.Variable(numbers((9, 10), np.float64, 4))

    def loss(w, x, seen):
        both = np.log(np.abs(x))[:, None] * w
        return np.sum(np.sum(both**2, axis=2)[seen])

    with np.errstate(all="ignore"), gt.GradientTape() as tape:
        value = loss(w, x, seen)
    with gt.GradientTape() as other:
        expected = loss(w, x[seen], seen[seen])
    found = tape.gradient(value, w).numpy()
    np.testing.assert_allclose(found, other.gradient(expected, w).numpy(), rtol=1e-12)


def test_an_infinite_factor_is_looked_at_before_it_is_added_in_place(loops):
    v = gt.Variable(numbers((2000, 10), np.float64, 3))
    scale = np.ones(10)
    scale[4] = np.inf
    with gt.GradientTape() as tape:
        wide = v * 1.0
        kept = np.where(np.arange(10) == 4, 0.0, wide * scale)
        value = np.sum(kept) + np.sum(wide * 2.0)
    expected = np.where(np.arange(10) == 4, 2.0, 3.0)
    np.testing.assert_array_equal(tape.gradient(value, v).numpy(), np.tile(expected, (2000, 1)))


# ------------------------------------------------------------------------- when they are made


@pytest.fixture
def fresh(monkeypatch):
    """A process that has not asked for loops yet, whose compiler only notes that it was asked."""
    asked, ended = [], threading.Event()

    def load():
        asked.append(threading.current_thread())
        ended.set()
        return {}

    monkeypatch.setattr(short, "loops", {})
    monkeypatch.setattr(short, "_counted", 0)
    monkeypatch.setattr(short, "_is_asked", False)
    monkeypatch.setitem(HOOKS, "native_loops", load)
    return asked, ended


def many(times):
    x, y, out = np.zeros((1000, 1, 8)), np.zeros((16, 8)), np.empty((1000, 16, 8))
    for _ in range(times):
        runs.broadcast(np.add, x, y, out)
    return out.nbytes


def test_the_compiler_is_asked_once_by_a_thread_after_many_such_results(fresh, monkeypatch):
    asked, ended = fresh
    size = many(0)
    monkeypatch.setattr(config, "current", config.current._replace(native_after=5 * size))
    many(4)
    assert not ended.wait(0.05) and not asked
    many(10)
    assert ended.wait(10) and len(asked) == 1
    assert asked[0] is not threading.current_thread()


def test_0_leaves_them_to_numpy(fresh, monkeypatch):
    asked, ended = fresh
    monkeypatch.setattr(config, "current", config.current._replace(native_after=0))
    many(10)
    assert not ended.wait(0.05) and not asked


def test_without_a_compiler_numpy_goes_on(fresh, monkeypatch):
    def fail():
        raise ImportError("no llvmlite")

    monkeypatch.setitem(HOOKS, "native_loops", fail)
    short.finish()
    assert short.loops == {}
    many(2)


def run(program, **environment):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True,
        timeout=120, env={**os.environ, **environment},
    )  # fmt: skip


STEPS = """
import os, sys, numpy as np, gradtape as gt
gt.configure(native_after=1 << 20)
w, x = gt.Variable(np.full((25, 10), 2.0)), np.ones((1000, 10))
def step():
    with gt.GradientTape() as tape:
        loss = np.sum((x[:, None] - w) ** 2)
    return tape.gradient(loss, w)
"""


def test_users_get_them_and_may_end_or_fork_at_any_moment():
    done = run(
        STEPS
        + """
import time
from gradtape.core import short
step(); step()
if hasattr(os, "fork"):
    child = os.fork()  # most likely while the compiler is being loaded
    if not child:
        short.finish()
        step()
        os._exit(0 if short.loops else 3)
    assert os.waitpid(child, 0)[1] == 0
for _ in range(2000):
    if short.loops: break
    time.sleep(0.01)
assert ("subtract", "d") in short.loops
import threading
assert threading.main_thread().ident == threading.get_ident()
print(float(step()[0, 0]))
"""
    )
    assert done.returncode == 0 and done.stdout.strip() == "2000.0", done.stderr
    for pause in ("0", "0.05", "0.2"):
        done = run(STEPS + f"step(); step(); import time; time.sleep({pause}); print('end')")
        assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "end", "")


def test_the_dialect_has_them_too():
    done = run(
        """
        import numpy as np
        import gradtape.tf as tf
        from gradtape.core import short
        tf.GradientTape()
        short.finish()
        assert ("multiply", "f") in short.loops
        """
    )
    assert done.returncode == 0, done.stderr


def test_nobody_loads_the_compiler_before():
    done = run(
        """
        import sys, numpy as np, gradtape as gt
        w = gt.Variable(np.ones((25, 10)))
        with gt.GradientTape() as tape:
            loss = np.sum((np.ones((1000, 10))[:, None] - w) ** 2)
        tape.gradient(loss, w)
        assert not any(name.startswith("llvmlite") for name in sys.modules)
        """
    )
    assert done.returncode == 0, done.stderr


def test_loops_are_right_for_every_machine():
    import llvmlite.binding as llvm

    machines = [AARCH64, Machine("x86_64-unknown-linux-gnu", "x86-64", "", 128),
                Machine("x86_64-unknown-linux-gnu", "haswell", "+avx2", 256)]  # fmt: skip
    for machine in machines:
        module = llvm.parse_assembly(native.text(machine))
        module.verify()
        assert len(machine.target(2).emit_object(module)) > 1000
