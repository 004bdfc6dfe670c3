"""Quick: steps of numbers alone that are like the one before, recorded by one short function."""

from __future__ import annotations

import threading
import time
import warnings

import numpy as np
import pytest

import gradtape as gt
from gradtape.record import quick
from gradtape.record.capture_rows import MOST, Rows


def recorded(folder, step, steps=8, **options):
    """What a run holds of `steps` calls of `step(a, b)`: (costs, values of a)."""
    a, b = gt.Variable(1.0, name="a"), gt.Variable(2.0, name="b")
    with gt.Recording(folder / "run", progress=False, **options) as run:
        for _ in range(steps):
            step(a, b)
    return run.reader.series("cost")[1], run.reader.series("value/a")[1]


def test_the_cost_of_several_targets_is_their_sum(tmp_path):
    seen = []

    def step(a, b):
        with gt.GradientTape() as tape:
            one, two = a * a, a * b
        seen.append(float(one.value + two.value))
        for v, g in zip((a, b), tape.gradient([one, two], [a, b]), strict=True):
            v.assign_sub(0.1 * g)

    costs, _ = recorded(tmp_path, step, level="scalars")
    assert costs.tolist() == seen


def test_the_cost_of_a_complex_target_is_its_real_part(tmp_path):
    seen = []

    def step(a, b):
        with gt.GradientTape() as tape:
            loss = (a * b) * (1.0 + 2.0j)
        seen.append(float(loss.value.real))
        for v, g in zip((a, b), tape.gradient(loss, [a, b]), strict=True):
            v.assign_sub(0.01 * g)

    costs, _ = recorded(tmp_path, step, level="scalars")
    assert costs.tolist() == seen


def test_a_gradient_of_another_thread_is_no_step(tmp_path):
    def gradient(a, b):
        with gt.GradientTape() as tape:
            loss = a * b
        d_a, d_b = tape.gradient(loss, [a, b])
        a.assign_sub(0.01 * d_a)

    turn = iter(range(8))

    def step(a, b):
        if next(turn) == 6:
            other = threading.Thread(target=gradient, args=(a, b))
            other.start()
            other.join()
        else:
            gradient(a, b)

    costs, _ = recorded(tmp_path, step, level="scalars")
    assert len(costs) == 7


def test_the_general_way_is_recorded_as_the_short_one(tmp_path):
    """A dict of sources, and a transform, which do not go through the tape's short way."""
    def step(a, b):
        with gt.GradientTape() as tape:
            loss = a * a + b * b
        found = tape.gradient(loss, {"a": a, "b": b})
        a.assign_sub(0.1 * found["a"])
        b.assign_sub(0.1 * found["b"])

    costs, values = recorded(tmp_path, step, level="scalars")
    np.testing.assert_allclose(values, 0.8 ** np.arange(8))
    np.testing.assert_allclose(costs, 5.0 * 0.64 ** np.arange(8))


class Slow:
    """A writer that remembers the blocks that it was handed."""

    def __init__(self):
        self.blocks = []

    def rows(self, layout, block):
        self.blocks.append((layout, len(block)))


def test_rows_that_nobody_collects_are_handed_over_by_the_training_thread():
    writer = Slow()
    rows = Rows(writer)
    for step in range(MOST + 10):
        rows.add(1, 2, [step, 0.0])
    assert writer.blocks == [(1, MOST)] and len(rows.numbers) == 20


def test_steps_that_nobody_collects_are_handed_over_too(tmp_path):
    """The writer's thread is kept from collecting: what waits stays bounded."""
    a, b = gt.Variable(1.0, name="a"), gt.Variable(2.0, name="b")
    most = 0
    with gt.Recording(tmp_path / "run", level="scalars", progress=False) as run:
        run._capture.writer.collect = None
        for _ in range(MOST + 200):
            with gt.GradientTape() as tape:
                loss = a * b
            d_a, d_b = tape.gradient(loss, [a, b])
            a.assign_sub(1e-6 * d_a)
            rows = run._capture.rows
            most = max(most, len(rows.numbers) // max(rows.width, 1))
    assert MOST <= most < 2 * MOST
    assert len(run.reader.series("cost")[0]) == MOST + 200


def gradients(tape, loss, variables):
    return tape.gradient(loss, variables)


def anything(run, seed):
    """A loop that does at random what can come between the gradients of a step and of the next."""
    rng = np.random.default_rng(seed)
    a, b, c = (gt.Variable(x, name=n) for x, n in ((1.0, "a"), (2.0, "b"), (3.0, "c")))

    def update(pairs):
        for v, g in pairs:
            if g is not None:
                v.assign_sub(0.01 * g)

    def other(target):
        thread = threading.Thread(target=target)
        thread.start()
        thread.join()

    for i in range(300):
        chance = rng.integers(40)
        with gt.GradientTape() as tape:
            loss = a * a + b * b + c
            if chance == 1:
                loss = loss * (np.nan if i > 200 else 2.0)
            if chance == 2:
                loss = a * a  # b has no gradient
            if chance == 3:  # a tape that begins before the one around it ends
                with gt.GradientTape() as inner:
                    late = a * b
        variables = [a, b] if chance != 4 else [a, c]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = gradients(tape, loss, variables)
        if chance != 5:  # nothing is assigned: the next gradient belongs to this step
            update(zip(variables, found, strict=True))
        if chance == 3:
            update(zip([a, b], gradients(inner, late, [a, b]), strict=True))
        if chance == 6:
            run.note("here")
        if chance == 7:
            run.log(accuracy=float(i))
        if chance == 8:
            other(lambda: run.note("elsewhere"))
        if chance == 9:
            other(lambda i=i: run.log(accuracy=float(i)))
        if chance == 10:
            with gt.GradientTape() as tape:
                check = c * a
            tape.gradient(check, c)
        if chance == 11:
            run.roles(x=np.ones(3))
        if chance == 12:
            c.assign_add(0.5)
        if chance == 13:
            for _ in run.steps(5):
                with gt.GradientTape() as tape:
                    loss = a * b
                update(zip([a, b], tape.gradient(loss, [a, b]), strict=True))
        if chance == 14:
            other(lambda: None)
        if chance == 15:
            a.assign(a.value)  # the same object


@pytest.mark.parametrize("level", ["scalars", "standard"])
@pytest.mark.parametrize("seed", range(4))
def test_the_short_way_records_what_the_long_one_does(tmp_path, monkeypatch, level, seed):
    found = []
    for name, most in (("short", quick.MOST_SOURCES), ("long", 0)):
        monkeypatch.setattr(quick, "MOST_SOURCES", most)
        with gt.Recording(tmp_path / name, level=level, progress=False) as run:
            anything(run, seed)
        reader = run.reader
        names = sorted(c.name for c in reader.columns() if c.name != "seconds")
        events = [(e["step"], e["kind"], e["data"].get("text")) for e in reader.events()]
        found.append((names, reader.table(["cost"])[0], reader.table(names)[1], events))
        assert (reader.table(["seconds"])[1] > 0).all()
    short, long = found
    assert short[0] == long[0] and short[3] == long[3]
    np.testing.assert_array_equal(short[1], long[1])
    np.testing.assert_array_equal(short[2], long[2])


def test_the_short_way_is_taken(tmp_path):
    """While it holds the step, the long one is not called."""
    with gt.Recording(tmp_path / "run", level="scalars", progress=False) as run:
        anything(run, 0)
        a = gt.Variable(1.0, name="a")
        calls = []
        long = run._capture.gradient
        run._capture.gradient = lambda *args: (calls.append(1), long(*args))
        for _ in run.steps(50):
            with gt.GradientTape() as tape:
                loss = a * a
            (d_a,) = tape.gradient(loss, [a])
            a.assign_sub(0.01 * d_a)
    assert len(calls) < 6


def test_what_is_paused_is_not_in_the_time_of_a_step(tmp_path):
    def step(a, b):
        with gt.GradientTape() as tape:
            loss = a * b
        d_a, d_b = tape.gradient(loss, [a, b])
        a.assign_sub(0.01 * d_a)

    with gt.Recording(tmp_path / "run", level="scalars", progress=False) as run:
        a, b = gt.Variable(1.0, name="a"), gt.Variable(2.0, name="b")
        for i in range(9):
            step(a, b)
            if i == 6:
                time.sleep(0.2)
                run._capture.moment += 0.2
    assert run.reader.series("seconds")[1].max() < 0.15
