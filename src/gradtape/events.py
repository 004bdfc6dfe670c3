"""Publish and subscribe: the tape and the passes publish, a recorder subscribes.

Nothing here knows who listens; with no listener an event costs one truth test of a tuple. Events
that come at every training step (`watch_gradients`) are plain calls, for their price.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

__all__ = [
    "listeners",
    "publish",
    "stage",
    "subscribe",
    "tell_gradient",
    "tell_step",
    "watch_gradients",
    "watchers",
]

P = ParamSpec("P")
R = TypeVar("R")
Listener = Callable[[str, dict[str, Any]], None]
Watcher = Callable[[Any, Any, Any, Any, Any], None]
listeners: tuple[Listener, ...] = ()
watchers: tuple[Watcher, ...] = ()  # of gradients
tell_step: Watcher | None = None  # tells them of a training step: one call, without a loop
_told: tuple[tuple[Watcher, Watcher], ...] = ()  # each watcher, and what is told of steps for it


def subscribe(listener: Listener) -> Callable[[], None]:
    """Call `listener(name, data)` for every event, until the returned function is called.

    >>> seen = []
    >>> stop = subscribe(lambda name, data: seen.append(name))
    >>> publish("gradient", sources=2); stop(); publish("gradient", sources=2); seen
    ['gradient']
    """
    global listeners
    listeners = (*listeners, listener)

    def unsubscribe() -> None:
        global listeners
        listeners = tuple(item for item in listeners if item is not listener)

    return unsubscribe


def publish(name: str, **data: Any) -> None:
    """Tell every listener that `name` happened."""
    for listener in listeners:
        listener(name, data)


def stage(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator: what the function takes is published as a stage of making a program.

    The event "stage" has `run`, the stage's name, and `start` and `end` on `time.perf_counter`; it
    comes in the thread of the call when that has ended, so a stage within one comes before it.

    >>> seen = []
    >>> stop = subscribe(lambda name, data: seen.append((name, data["run"])))
    >>> stage("trace")(len)("abc"); stop(); seen
    3
    [('stage', 'trace')]
    """

    def decorated(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            if not listeners:
                return function(*args, **kwargs)
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                publish("stage", run=name, start=start, end=time.perf_counter())

        return run

    return decorated


def watch_gradients(watcher: Watcher, step: Watcher | None = None) -> Callable[[], None]:
    """Call `watcher(recorder, targets, sources, results, position)` after every gradient.

    Records still hold their residuals then where somebody asked that they keep everything
    (`core/observing.py`). `position` is (code, lasti) of the call; the returned function ends it.
    Where a `step` is given, `step(recorder, target, sources, results, position)` is called in place
    of the watcher for the usual training step: one target, no tape recording in this thread.

    >>> import gradtape as gt
    >>> w, seen = gt.Variable(3.0), []
    >>> stop = watch_gradients(lambda recorder, targets, *rest: seen.append(float(targets[0])))
    >>> with gt.GradientTape() as tape:
    ...     y = w * w
    >>> g = tape.gradient(y, w); stop(); seen
    [9.0]
    """

    def told(recorder: Any, target: Any, sources: Any, results: Any, position: Any) -> None:
        watcher(recorder, (target,), sources, results, position)

    _tell((*_told, (watcher, step or told)))

    def stop() -> None:
        _tell(tuple(one for one in _told if one[0] is not watcher))

    return stop


def _tell(told: tuple[tuple[Watcher, Watcher], ...]) -> None:
    global _told, watchers, tell_step
    _told = told
    watchers = tuple(watcher for watcher, _ in told)
    steps = tuple(step for _, step in told)

    def tell_each(*facts: Any) -> None:
        for step in steps:
            step(*facts)

    tell_step = None if not steps else steps[0] if len(steps) == 1 else tell_each


def tell_gradient(
    recorder: Any, targets: Any, sources: Any, results: Any, position: Any
) -> None:
    """Tell every watcher that a gradient was computed."""
    for watcher in watchers:
        watcher(recorder, targets, sources, results, position)
