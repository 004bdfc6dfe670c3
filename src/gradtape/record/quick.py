"""Quick: the recording of a step that is like the one before, of numbers alone.

A step of a small model takes some microseconds, and a loop over its two or three sources would
cost as much as all the rest of the recording. So this one function is written out for their
number: `_TEXT` is a template in which lines that name a source are repeated for each.

Called at a gradient, it writes the row of the step before and remembers what the row of this one
will hold. While it serves, nobody hears of assignments: that a Variable has been assigned shows in
its value, which is another object. Wherever `Capture.gradient` has to decide, it hands on to that.
"""

from __future__ import annotations

import functools
import math
import time
from typing import Any

from ..core.state import state
from .calls import Call
from .capture_rows import MOST

__all__ = ["MOST_SOURCES", "make_quick"]

MOST_SOURCES = 16

_TEXT = """
def quick(recorder, targets, sources, results, position):
    if (
        position[0] is not code or position[1] != lasti or len(sources) != {n} or logged
        or len(parts) != 1 or recorder.thread != thread or state.tapes
    ):
        return general(recorder, targets, sources, results, position)
    {s}, = sources
    {r}, = results
    if {differ} or {missing}:
        return general(recorder, targets, sources, results, position)
    part = parts[0]
    if part.call is not call:
        return general(recorder, targets, sources, results, position)
    {v}, = part.entries
    ops = recorder.ops
    if steps.is_explicit:
        if not steps.ends:
            return general(recorder, targets, sources, results, position)
        steps.ends = False
    elif ({same}) or ops[0][2] <= steps.last:  # nothing has been assigned
        return general(recorder, targets, sources, results, position)
    steps.last = ops[-1][2]
    now = clock()
    count = rows.count
    if count == MOST or rows.layout != layout:
        rows.begin(layout, width)
        count = 0
    number = steps.number
    rows.pack(rows.buffer, count * size, number, part.cost, capture.took, {v})
    rows.count = count + 1
    capture.took = now - capture.moment
    capture.moment = now
    if changed:
        changed.clear()
    steps.number = number + 1
    if capture.on_step is not None:
        capture.last = part
        capture.on_step(number, now)
    cost = part.cost = targets[0].value
    entries = part.entries = ({values})
    if looks:
        look(call, recorder, targets, sources, results, number + 1, True)
        if not all(map(isfinite, entries)) or not isfinite(cost):
            not_finite(call, recorder, targets, sources, results, cost, number + 1)
    elif not isfinite(cost):
        not_finite(call, recorder, targets, sources, results, cost, number + 1)
    if not number & 63:  # a sample: what recording costs is itself recorded
        capture.seconds += 64 * (clock() - now)
"""


@functools.cache
def _compiled(n: int) -> Any:
    def each(text: str, between: str = ", ") -> str:
        return between.join(text.format(i=i) for i in range(n))

    text = _TEXT.format(
        n=n, s=each("s{i}"), r=each("r{i}"), differ=each("s{i} is not k{i}", " or "),
        missing=each("r{i} is None", " or "), same=each("s{i}.value is v{i}", " and "),
        v=f"{each('v{i}')}, {each('g{i}')}",
        values=f"{each('s{i}.value')}, {each('r{i}.value')}",
    )  # fmt: skip
    known = each("k{i}")
    words = "code, lasti, thread, parts, logged, changed, clock, steps, rows, layout"
    more = "width, size, call, general, capture, looks, look, not_finite, state, isfinite, MOST"
    body = text.replace("\n", "\n    ")
    source = f"def make({known}, {words}, {more}):{body}\n    return quick\n"
    scope: dict[str, Any] = {}
    exec(compile(source, f"<gradtape quick step of {n} sources>", "exec"), scope)
    return scope["make"]


def make_quick(capture: Any, call: Call) -> Any:
    """The function for a call, whose layout is known; None where it is not for this."""
    if call.sources is None or not 0 < call.count <= MOST_SOURCES or call.layout is None:
        return None
    if capture.writer.durability != "group":  # each row is handed over, and waited for
        return None
    layout, width = call.layout[:2]
    return _compiled(call.count)(
        *call.sources, call.code, call.lasti, capture.thread, capture.parts, capture.logged,
        capture.steps.changed, time.perf_counter, capture.steps, capture.rows, layout, width,
        8 * width, call, capture.watch, capture, capture.looks, capture.look,
        capture.alarms.not_finite, state, math.isfinite, MOST,
    )  # fmt: skip
