"""Loops of any shape, drawn at random: what is recorded is what the loop itself has seen.

A loop is drawn (how its step asks for gradients, compiled or not, numbers or arrays), and what
happens in it (a value that is not finite, an exception, a note of the user's). The same loop runs
without a recording too, and has to end with the same bits.
"""

import contextlib
import tempfile
import warnings
from dataclasses import dataclass, field

import hypothesis
import hypothesis.strategies as st
import numpy as np

import gradtape as gt

X = np.linspace(0.5, 1.5, 7)
Y = 2.0 * X - 0.3
COSTS = {"two": ("cost", "cost/second"), "two, updates last": ("cost", "cost/second")}


class Stop(Exception):
    """What ends a loop."""


@dataclass
class Loop:
    """A loop in the making: its Variables, and what it sees."""

    kind: str
    compiled: str
    is_array: bool
    count: int
    stops: tuple | None = None  # (step, place)
    bad: int | None = None  # the step whose cost is not finite
    seen: list = field(default_factory=list)
    costs: list = field(default_factory=list)

    def __post_init__(self):
        start = np.array([0.5, -0.25]) if self.is_array else 0.5
        self.a, self.b = gt.Variable(start, name="a"), gt.Variable(start, name="b")
        self.step = 0
        compiled = self.compiled == "model" and self.kind != "newton"
        self.model, self.turn = self.plain, self.body
        if compiled:
            self.model = gt.function(self.plain, backend="numpy")
        if self.compiled == "step":
            self.turn = gt.function(self.body, backend="numpy")

    def plain(self, x):
        return np.tanh(x * np.sum(self.a)) + np.sum(self.b)

    def place(self, name):
        if self.stops == (self.step, name):
            raise Stop(name)

    def cost(self, factor):
        return np.mean((self.model(X) - Y) ** 2) * factor

    def update(self, variable, gradient):
        variable.assign_sub(0.05 * gradient)

    def body(self, factor):
        a, b = self.a, self.b
        if self.kind == "plain":
            with gt.GradientTape() as tape:
                first = self.cost(factor)
                self.place("forward")
            self.place("tape")
            ga, gb = tape.gradient(first, [a, b])
            self.place("gradient")
            self.update(a, ga)
            self.update(b, gb)
            return [first], [ga, gb]
        if self.kind == "persistent":
            with gt.GradientTape(persistent=True) as tape:
                first = self.cost(factor)
                self.place("forward")
            self.place("tape")
            ga, gb = tape.gradient(first, a), tape.gradient(first, [b])[0]
            self.place("gradient")
            self.update(a, ga)
            self.update(b, gb)
            return [first], [ga, gb]
        if self.kind == "newton":
            with gt.GradientTape() as outer:
                with gt.GradientTape() as inner:
                    first = self.cost(factor)
                    self.place("forward")
                ga, gb = inner.gradient(first, [a, b])
            self.place("tape")
            curvature = outer.gradient(ga, a)
            self.place("gradient")
            self.update(a, ga / (1.0 + np.abs(curvature)))
            self.update(b, gb)
            return [first], [ga, gb]
        if self.kind == "accumulated":
            total = 0.0
            for part in (slice(None, 3), slice(3, None)):
                with gt.GradientTape() as tape:
                    first = np.mean((self.model(X[part]) - Y[part]) ** 2) * factor
                    self.place("forward")
                self.place("tape")
                ga, gb = tape.gradient(first, [a, b])
                total = total + ga
            self.place("gradient")
            self.update(a, total)
            return [first], [ga, gb]
        with gt.GradientTape() as tape:
            first = self.cost(factor)
            self.place("forward")
        self.place("tape")
        ga = tape.gradient(first, a)
        if self.kind == "two":
            self.update(a, ga)
        with gt.GradientTape() as tape:
            second = np.mean(np.square(self.model(X) + Y)) * factor
        gb = tape.gradient(second, b)
        self.place("gradient")
        if self.kind != "two":
            self.update(a, ga)
        self.update(b, gb)
        return [first, second], [ga, gb]

    def run(self, run=None, explicit=False, logged=()):
        turns = run.steps(self.count) if run is not None and explicit else range(self.count)
        for step in turns:
            self.step = step
            values = [self.a.numpy().copy(), self.b.numpy().copy()]
            costs, gradients = self.turn(np.nan if step == self.bad else 1.0)
            self.seen.append([*values, *(g.numpy().copy() for g in gradients)])
            self.costs.append([float(c) for c in costs])
            if run is not None and step in logged:
                run.log(mark=step)
            self.place("updated")


PLACES = ("forward", "tape", "gradient", "updated")
STEPS = st.integers(0, 6)


@hypothesis.settings(max_examples=25, deadline=None)
@hypothesis.given(
    kind=st.sampled_from(["plain", "persistent", "newton", "accumulated", *COSTS]),
    compiled=st.sampled_from(["no", "no", "model", "step"]),
    is_array=st.booleans(),
    count=st.integers(1, 7),
    stops=st.none() | st.tuples(STEPS, st.sampled_from(PLACES)),
    bad=st.none() | STEPS,
    level=st.sampled_from(["scalars", "standard", "full"]),
    every=st.sampled_from([1, 1, 2, 3]),
    ring=st.sampled_from([None, 0, 2]),
    explicit=st.booleans(),
    logged=st.sets(STEPS, max_size=2),
)
def test_a_record_is_what_the_loop_has_seen(
    kind, compiled, is_array, count, stops, bad, level, every, ring, explicit, logged
):
    if compiled == "step":
        stops = None  # an exception in a function that is traced is no step's
    facts = {"kind": kind, "compiled": compiled, "is_array": is_array, "count": count,
             "stops": stops, "bad": bad}  # fmt: skip
    alone, loop = Loop(**facts), Loop(**facts)
    with np.errstate(all="ignore"), contextlib.suppress(Stop):
        alone.run()
    folder = tempfile.mkdtemp()
    with np.errstate(all="ignore"), contextlib.suppress(Stop), warnings.catch_warnings():
        warnings.simplefilter("error")  # RecordWarning: an error of the recording's own
        with gt.Recording(
            f"{folder}/run", level=level, every=every, ring=ring, progress=False
        ) as run:  # fmt: skip
            loop.run(run, explicit, logged)
    # nothing of the training changes
    for mine, theirs in zip((loop.a, loop.b), (alone.a, alone.b), strict=True):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())
    assert not run.reader.events("lost")
    is_stopped = stops is not None and stops[0] < count
    assert run.status == ("failed" if is_stopped else "finished")
    # each step that was descended has its row, and no other
    done = len(loop.costs)
    begun = done + (is_stopped and stops[1] == "gradient")
    first = next((s for s in range(begun) if s == bad), None)
    known = {s for s in range(begun) if s % every == 0 or s == first}
    halfway = is_stopped and kind == "accumulated" and stops[1] in ("forward", "tape")
    marks = {s for s in logged if s < done}
    steps, costs = run.reader.series("cost") if known else (np.empty(0), np.empty(0))
    assert steps.tolist() == sorted(known)
    assert set(run.reader.steps().tolist()) == known | marks
    assert not halfway or done == begun
    # and the numbers are those of the loop
    columns = [c.name for c in run.reader.columns()]
    whole = np.array([s for s in sorted(known) if s < done], int)
    for place, name in enumerate(COSTS.get(kind, ("cost",))):
        if len(whole):
            steps, costs = run.reader.series(name)
            expected = np.array([row[place] for row in loop.costs])
            here = np.isin(steps, whole)
            np.testing.assert_array_equal(costs[here], expected[steps[here].astype(int)])
            assert here.sum() == len(whole) or bad is not None
    for place, name in enumerate(("a", "b")):
        for s in whole:
            row = run.reader.row(s)
            value, gradient = loop.seen[s][place], loop.seen[s][2 + place]
            if f"value/{name}" in row and not is_array:
                np.testing.assert_array_equal(row[f"value/{name}"], value)
                np.testing.assert_array_equal(row[f"grad/{name}"], gradient)
            elif f"norm/{name}" in row:
                np.testing.assert_allclose(row[f"norm/{name}"], np.linalg.norm(value))
                np.testing.assert_allclose(row[f"gradnorm/{name}"], np.linalg.norm(gradient))
                if level != "scalars":
                    np.testing.assert_array_equal(run.array(f"value/{name}", s), value)
            else:
                assert s == first and kind in COSTS
    if marks:
        assert run.reader.series("log/mark")[0].tolist() == sorted(marks)
    # what went wrong is told, at its step, with the steps before it
    found = [event["step"] for event in run.reader.events("nonfinite")]
    assert found == ([first] if first is not None else [])
    if is_stopped:
        (event,) = run.reader.events("exception")
        assert event["step"] == stops[0]
        has_ring = (ring is None and level != "scalars") or bool(ring)
        if has_ring and compiled != "step" and stops[1] != "updated":
            assert run.reader.node_values(stops[0]) is not None
    assert "cost" in columns or not known
