"""What recording costs the training thread: the tutorial's loop with and without, in turns.

The model is that of `examples/tutorial.py`: two scalar Variables, 200 points. The difference of
wall clock holds everything, the writer's thread too, with which the loop shares the interpreter,
and what other processes do to the two; processor time is that of the training thread alone;
"in handlers" is the time inside what recording is called by, less that of the clock.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.recording.measures import Measure, measured

POINTS, RATE = 200, 0.001
TURNS = 30
LEVELS = {"scalars": 3.0, "standard": 25.0, "full": None}
_clock = time.perf_counter


def measures(rounds: int, quick: bool) -> list[Measure]:
    """Measure `rounds` times; `quick` takes a tenth of the steps."""
    steps = 300 if quick else 3000
    figures = {"plain": Measure("a step of the tutorial, not recorded", "us")}
    figures["ufunc"] = Measure("one NumPy call on its 200 points, np.square(x)", "us")
    for level, bar in LEVELS.items():
        figures[level] = Measure(f"{level}: longer by, wall clock", "us", bar=bar)
        figures[f"{level} cpu"] = Measure(
            f"{level}: longer by, processor time of the training thread", "us", bar=bar
        )
        if level != "full":
            figures[f"{level} inside"] = Measure(f"{level}: in handlers", "us", bar=bar)
    figures["compiled"] = Measure("standard: a compiled step is longer by, wall clock", "us")
    figures["bytes"] = Measure("standard: on disk, a step", "B")
    return measured(figures, rounds, steps, _round)


def tutorial(compiled: bool = False) -> Callable[[int], None]:
    """The loop of the tutorial over a number of steps."""
    import gradtape as gt

    rng = np.random.default_rng(1)
    x = rng.uniform(0.0, 1.0, size=POINTS)
    y = 0.3 + 0.5 * x + rng.normal(0.0, 0.3, size=POINTS)
    a, b = gt.Variable(0.0, name="a"), gt.Variable(0.0, name="b")

    def step() -> None:
        with gt.GradientTape() as tape:
            loss = np.sum((y - (a + b * x)) ** 2)
        d_a, d_b = tape.gradient(loss, [a, b])
        a.assign_sub(RATE * d_a)
        b.assign_sub(RATE * d_b)

    if compiled:
        step = gt.function(step)

        def loop_compiled(steps: int) -> None:
            for _ in range(steps):
                step()

        return loop_compiled

    def loop(steps: int) -> None:
        for _ in range(steps):
            with gt.GradientTape() as tape:
                loss = np.sum((y - (a + b * x)) ** 2)
            d_a, d_b = tape.gradient(loss, [a, b])
            a.assign_sub(RATE * d_a)
            b.assign_sub(RATE * d_b)

    return loop


def _round(folder: Path, steps: int) -> dict[str, float]:
    import gradtape as gt

    loop = tutorial()
    loop(200)
    found: dict[str, float] = {}
    times: dict[str, list[float]] = {"plain": [], "plain cpu": []}
    for turn in range(TURNS):
        busy = time.thread_time()
        times["plain"].append(_timed(loop, steps))
        times["plain cpu"].append((time.thread_time() - busy) / steps * 1e6)
        for level in LEVELS:
            some = steps // 10 if level == "full" else steps
            with gt.Recording(folder / f"{level}-{turn}", level=level, progress=False) as run:
                loop(20)
                busy = time.thread_time()
                times.setdefault(level, []).append(_timed(loop, some))
                busy = (time.thread_time() - busy) / some * 1e6
                times.setdefault(f"{level} cpu", []).append(busy)
            if level == "standard":
                size = run.reader.meta()["overhead"]["bytes"]
                found["bytes"] = size / (some + 20)
    plain = found["plain"] = min(times["plain"])
    for level in LEVELS:
        found[level] = min(times[level]) - plain
        found[f"{level} cpu"] = min(times[f"{level} cpu"]) - min(times["plain cpu"])
    for level in ("scalars", "standard"):
        with gt.Recording(folder / f"{level}-inside", level=level, progress=False):
            loop(20)
            with _watched() as spent:
                loop(steps)
            found[f"{level} inside"] = spent[0] / steps * 1e6
    compiled = tutorial(compiled=True)
    compiled(20)
    alone, recorded = [], []
    for turn in range(TURNS):
        alone.append(_timed(compiled, steps))
        with gt.Recording(folder / f"compiled-{turn}", progress=False):
            compiled(20)
            recorded.append(_timed(compiled, steps))
    found["compiled"] = min(recorded) - min(alone)
    x = np.random.default_rng(0).random(POINTS)
    found["ufunc"] = min(_timed(lambda n: [np.square(x) for _ in range(n)], 2000) for _ in range(5))
    return found


def _timed(loop: Callable[[int], Any], steps: int) -> float:
    begin = _clock()
    loop(steps)
    return (_clock() - begin) / steps * 1e6


@contextlib.contextmanager
def _watched() -> Iterator[list[float]]:
    """Measure what recording is called by: [seconds]."""
    from gradtape import events
    from gradtape.core import observing

    spent = [0.0]
    pause = min(-_clock() + _clock() for _ in range(1000))

    def timed(function: Any) -> Any:
        def call(*arguments: Any) -> None:
            begin = _clock()
            function(*arguments)
            spent[0] += _clock() - begin - pause

        return call

    before = events.watchers, events.tell_step, observing.observers
    events.watchers = tuple(map(timed, before[0]))
    events.tell_step = timed(before[1])
    observing.observers = tuple(map(timed, before[2]))
    try:
        yield spent
    finally:
        events.watchers, events.tell_step, observing.observers = before
