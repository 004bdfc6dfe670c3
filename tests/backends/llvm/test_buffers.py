"""Buffer planning: dead buffers are used again, what is alive is left, memory comes back."""

import random

import numpy as np
import pytest

import gradtape as gt

pytest.importorskip("llvmlite")
from gradtape import config, configure, events
from gradtape.backends.llvm import segments
from gradtape.backends.llvm.buffers import APART, LINE, PAGE, Buffer, Overwriting, place
from gradtape.backends.llvm.fuse import plan
from gradtape.core.aval import aval_of
from gradtape.graph.trace import trace
from gradtape.passes.pipeline import optimise, prepare

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("seed", range(200))
def test_buffers_that_live_at_once_lie_apart(seed):
    rng = random.Random(seed)
    buffers = []
    for _ in range(rng.randrange(1, 30)):
        first = rng.randrange(12)
        buffers.append(Buffer(rng.choice([8, 64, 100, 4096]), first, first + rng.randrange(6)))
    offsets, total = place(buffers)
    for i, (one, at) in enumerate(zip(buffers, offsets, strict=True)):
        assert at % LINE == 0 and at + one.size <= total
        for other, start in zip(buffers[:i], offsets, strict=False):
            alive = one.first <= other.last and other.first <= one.last
            assert not alive or at + one.size <= start or start + other.size <= at
    # no less than what is alive at the worst moment, and no more than all of them
    padded = [-(-b.size // LINE) * LINE for b in buffers]
    padded = [size + APART * (size % PAGE == 0) for size in padded]
    alive = [sum(p for p, b in zip(padded, buffers, strict=True) if b.first <= n <= b.last)
             for n in range(20)]  # fmt: skip
    assert max(alive) <= total <= sum(padded)


def test_buffers_of_whole_pages_do_not_begin_at_one_place_of_a_page():
    """Or what a loop reads of one waits for what it writes to another: by a quarter longer."""
    offsets, _ = place([Buffer(250 * PAGE, 0, 9) for _ in range(6)])
    assert len({at % PAGE for at in offsets}) == 6


def test_a_chain_takes_two_places():
    chain = [Buffer(1000, n, n + 1) for n in range(20)]
    assert place(chain)[1] == 2 * 1024
    assert place([]) == ([], 0)


def compiled(f, *args):
    traced, _ = trace(f, [aval_of(x) for x in args], "f")
    return segments.compile_graph(optimise(traced.graph))


def chain(x):
    for n in range(12):
        x = np.tanh(x / (np.sum(x) + n)) + 1.0
    return x


def test_an_arena_is_as_large_as_what_is_alive():
    x = RNG.random(20_000)
    program = compiled(chain, x)
    (step,) = program.steps
    assert step.call.arena < 3 * x.nbytes  # of eleven values between
    np.testing.assert_allclose(program([x])[0], chain(x), rtol=1e-12)


def test_a_loop_writes_over_what_it_reads_for_the_last_time():
    """before: y in one buffer, exp(y) / s in another. after: one buffer."""
    def f(x):
        y = np.exp(x)  # read again when its sum is known
        z = y / np.sum(y)
        return np.sum(z / np.sum(z))

    x = RNG.random(30_000)
    program = compiled(f, x)
    assert x.nbytes <= program.steps[0].call.arena < 1.5 * x.nbytes
    assert program([x])[0] == pytest.approx(1.0)


def values(f, *args):
    traced, _ = trace(f, [aval_of(x) for x in args], "f")
    made = plan(prepare(optimise(traced.graph)))
    life = Overwriting(made, made.parts, lambda i: i)
    return life, made.graph.inputs, made.results


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (lambda x: x * 2.0, True),
        (lambda x: x - np.sum(x), True),  # read before, and then element by element
        (lambda x: x + x.T, False),
        (lambda x: x[::-1] + x, False),
        (lambda x: x + x[0], False),
        (lambda x: np.tanh(x) @ np.ones((4, 4)), True),  # the product comes after the last read
        (lambda x: x @ np.ones((4, 4)), False),
        (lambda x: x.astype("f4"), False),
        (lambda x: x.reshape(2, 8) * 2.0, False),
        (lambda x: np.cumsum(x, axis=0), False),
    ],
)  # fmt: skip
def test_what_may_be_written_over(f, expected):
    life, (x, *_), (result, *_) = values(f, np.ones((4, 4)))
    assert result in life.writers
    assert life.may(result, x) is expected


def test_the_pass_is_published():
    seen = []
    stop = events.subscribe(lambda name, data: seen.append((name, data)))
    try:
        compiled(chain, RNG.random(1000))
    finally:
        stop()
    found = [d for name, d in seen if name == "pass" and d["run"] == "plan buffers"]
    assert len(found) == 1
    assert found[0]["before"].endswith("bytes") and found[0]["after"].startswith("one arena of")
    before, after = (int(found[0][k].split()[-2]) for k in ("before", "after"))
    assert after < before


# ------------------------------------------------------------------------------- large results


def address(x):
    return x.__array_interface__["data"][0]


def test_a_large_result_gets_memory_back_and_never_what_is_held():
    f = gt.function(lambda x: np.exp(x) * 2.0)
    x = RNG.random(100_000)
    seen = set()
    for _ in range(10):
        seen.add(address(f(x)))
    assert len(seen) <= 2
    kept = [f(x + n) for n in range(5)]
    assert len({address(y) for y in kept}) == 5
    views = [f(x - n)[10:20] for n in range(5)]
    for n in range(5):
        np.testing.assert_allclose(kept[n], np.exp(x + n) * 2.0)
        np.testing.assert_allclose(views[n], np.exp(x[10:20] - n) * 2.0)


def test_a_variable_is_assigned_memory_in_turn_and_readers_keep_theirs():
    w = gt.Variable(np.zeros(50_000))

    @gt.function
    def step(x):
        w.assign_add(x)
        return np.sum(w)

    x = np.ones(50_000)
    seen = set()
    for n in range(8):
        step(x)
        seen.add(address(w.value))
        assert w.value[7] == n + 1
    assert len(seen) <= 3
    held = w.numpy()
    for _ in range(4):
        step(x)
    assert (held == 8.0).all() and w.value[0] == 12.0


def test_what_a_tape_keeps_is_not_given_again():
    f = gt.function(lambda x: np.exp(x))
    x = RNG.random(50_000)
    with gt.GradientTape(persistent=True) as tape:
        t = tape.watch(x)
        losses = [f(t * n) for n in range(1, 5)]
    for n, loss in enumerate(losses, 1):
        np.testing.assert_allclose(tape.gradient(loss, t).value, n * np.exp(n * x))


def test_the_setting_turns_it_off():
    before = config.current
    try:
        configure(reuse_buffers=0)
        f = gt.function(lambda x: x * 2.0)
        f(np.ones(100_000))
        (program,) = f.programs.values()
        assert program.run.steps[0].call._kept == [[]]
    finally:
        config.current = before
