"""Publish and subscribe: the tape and the passes publish, a recorder subscribes.

Nothing here knows who listens; with no listener an event costs one truth test of a tuple.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["listeners", "publish", "subscribe"]

Listener = Callable[[str, dict[str, Any]], None]
listeners: tuple[Listener, ...] = ()


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
