"""Quick: the recording of a step that is like the one before, of numbers alone.

A step of a small model takes some microseconds, and a loop over its two or three sources would
cost as much as all the rest of the recording. So this one function is written out for their
number: `_TEXT` is a template in which `{s}` and its like name something of every source.

It *holds* the step that is running: the capture hands over what it knows of it (`hold`), and takes
it back (`give`) as soon as anybody asks (`running.py`).
So it need not ask each time whether something was logged, or another gradient computed, meanwhile:
`place` is None then. Called at a gradient, it adds the row of the step before and keeps that of
this one. While it serves, nobody hears of assignments: that a Variable has been assigned shows in
its value, which is another object. Wherever `Capture.gradient` has to decide, it hands on to that.

Between two calls a whole step runs, so its instructions come from cold caches and cost several
times what a loop over them would say; that is why they are few. Numbers are added to a list as
they are, and become float64 on the writer's thread. Where a source or a gradient is missing, an
exception says so, for a `try` costs nothing where none is raised. What is kept changes before the
call of `extend`: a signal's handler runs after calls.
"""

from __future__ import annotations

import functools
import itertools
import math
import time
from typing import Any, NamedTuple

import numpy as np

from ..core.state import state
from .calls import Call

__all__ = ["MOST_SOURCES", "Quick", "make_quick"]

MOST_SOURCES = 16
_SAMPLE = 0.01  # seconds between two looks at what recording costs, and at how much waits

_TEXT = """
def make(
    capture, call, known, {known}, thread, rows, extend, steps, general, look, not_finite,
    clock, isfinite, count
):
    place = tick = row = None
    {v}, = [None] * {n}
    last = since = 0
    moment = soon = 0.0

    def step(recorder, target, sources, results, position):
        nonlocal row, {v}, last, moment, soon, since
        try:
            {s}, = sources
            {r}, = results
            {x}, = {s_value},
            ops = recorder.ops
            if position != place or {differ} or recorder.thread != thread or {stays}:
                return general(recorder, (target,), sources, results, position)
            now = clock()
            cost = target.value
            this = (tick(), cost, now - moment, {x}, {r_value})
            last = ops[-1][2]
        except (ValueError, AttributeError, IndexError):
            return general(recorder, (target,), sources, results, position)
        done = row
        row = this
        {keep}
        moment = now
        {begin}
        extend(done)
        {told}
        {look}
        if now > soon:
            soon = now + {sample}
            done = clock()
            capture.seconds += (done - now) * (this[0] - since)
            since = this[0]
            rows.bound()
            capture.seconds += clock() - done

    def hold(number, took, part, began, newest):
        nonlocal place, tick, row, {v}, last, moment, since
        row = (number, part.cost, took, *part.entries)
        {v}, = part.entries[:{n}]
        moment, last, since = began, newest, number
        tick = count(number + 1).__next__
        place = known

    def give():
        nonlocal place
        place = None
        return row, moment, last

    return step, hold, give
"""


class Quick(NamedTuple):
    """What serves one call."""

    watcher: Any  # these two are for `events.watch_gradients`
    step: Any
    hold: Any  # hold(number, took, part, moment, last): from now on the step is held here
    give: Any  # give() -> (row, moment, last): no longer


@functools.cache
def _made(n: int, looks: bool, is_explicit: bool) -> Any:
    def each(text: str, between: str = ", ") -> str:
        return between.join(text.format(i=i) for i in range(n))

    stays = f"{each('x{i} is v{i}', ' and ')} or ops[0][2] <= last"  # nothing has been assigned
    alarm = "not_finite(call, recorder, (target,), sources, results, cost, this[0])"
    # one by one: a sum of them could overflow, and NumPy would warn the user of it
    finite = " and ".join(f"isfinite(this[{i}])" for i in (1, *range(3 + n, 3 + 2 * n)))
    look = f"if not ({finite}): {alarm}"
    if looks:
        look = "look(call, recorder, (target,), sources, results, this[0], True)\n"
        look += f"        if not all(map(isfinite, this)): {alarm}"
    text = _TEXT.format(
        n=n, known=each("known{i}"), v=each("v{i}"), s=each("s{i}"), r=each("r{i}"),
        x=each("x{i}"), s_value=each("s{i}.value"), r_value=each("r{i}.value"),
        differ=each("s{i} is not known{i}", " or "), keep=each("v{i} = x{i}", "; "),
        stays="not steps.ends" if is_explicit else stays,
        begin="steps.ends = False" if is_explicit else "pass",
        told="if capture.on_step is not None: capture.told(call, done, now)" if is_explicit
        else "pass",
        look=look, sample=_SAMPLE,
    )  # fmt: skip
    scope: dict[str, Any] = {}
    exec(compile(text, f"<gradtape quick step of {n} sources>", "exec"), scope)
    return scope["make"]


def make_quick(capture: Any, call: Call, cost: Any, is_explicit: bool) -> Quick | None:
    """What serves a call whose layout is known; None where this is not for it.

    `cost` is what the last one had: one that is complex, or a sum of several, is not for this.
    `is_explicit` says whether the user counts the steps.
    """
    if call.sources is None or not 0 < call.count <= MOST_SOURCES or call.layout is None:
        return None
    if capture.writer.durability != "group":  # each row is handed over, and waited for
        return None
    if not isinstance(cost, np.floating):
        return None
    rows, steps = capture.rows, capture.steps
    step, hold, give = _made(call.count, capture.looks, is_explicit)(
        capture, call, (call.code, call.lasti), *call.sources, capture.thread, rows,
        rows.numbers.extend, steps, capture.watch, capture.look, capture.alarms.not_finite,
        time.perf_counter, math.isfinite, itertools.count,
    )  # fmt: skip

    def watcher(recorder: Any, targets: Any, sources: Any, results: Any, position: Any) -> None:
        if state.tapes or len(targets) != 1:
            capture.watch(recorder, targets, sources, results, position)
        else:
            step(recorder, targets[0], sources, results, position)

    return Quick(watcher, step, hold, give)
