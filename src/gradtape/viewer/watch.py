"""Server-sent events: which run is now at which step, while somebody listens.

One thread of its own asks every run several times a second whether anything was committed, which
takes microseconds, and only while a browser listens. What a browser has not taken yet is one entry
per run, the latest: a slow one misses nothing that still holds, and its queue cannot grow.
"""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .encoding import as_json
from .guard import Receive, Scope, Send
from .library import Library

__all__ = ["Watch"]

INTERVAL, HEARTBEAT, STALLED = 0.15, 15.0, 30.0
"""Seconds between looks, between signs of life, and until a browser that takes nothing is left."""

MOST_LISTENERS, MOST_WATCHED = 16, 512


class Listener:
    """One browser: what it has not been told yet, the latest of each run."""

    def __init__(self) -> None:
        self.pending: dict[str, dict[str, Any]] = {}
        self.news = asyncio.Event()

    def put(self, state: dict[str, Any]) -> None:
        """Tell it the state of a run, in place of an earlier state of the same run."""
        self.pending[state["run"]] = state
        while len(self.pending) > MOST_WATCHED:
            self.pending.pop(next(iter(self.pending)))
        self.news.set()


class Watch:
    """Watches the runs for everybody who listens; an ASGI app.

    Parameters
    ----------
    library : Library
        The runs.
    interval : float
        Seconds between looks.
    """

    def __init__(self, library: Library, *, interval: float = INTERVAL) -> None:
        self.library, self.interval = library, interval
        self.listeners: set[Listener] = set()
        self._thread = ThreadPoolExecutor(1, "gradtape-watch")
        self._known: dict[str, dict[str, Any]] = {}
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the state of every run, and with each change until the browser leaves."""
        kind = [(b"content-type", b"text/event-stream; charset=utf-8")]
        if len(self.listeners) >= MOST_LISTENERS or self._closed:
            headers = [*kind, (b"retry-after", b"5")]
            await send({"type": "http.response.start", "status": 503, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        await send({"type": "http.response.start", "status": 200, "headers": kind})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        listener = Listener()
        for state in self._known.values():
            listener.put(state)
        self.listeners.add(listener)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look())
        leaving = asyncio.create_task(_has_left(receive))
        try:
            async with asyncio.timeout(STALLED):
                await send(_chunk(b"retry: 2000\n\n"))
            while not leaving.done() and not self._closed:
                news = asyncio.create_task(listener.news.wait())
                await asyncio.wait(
                    {news, leaving}, timeout=HEARTBEAT, return_when=asyncio.FIRST_COMPLETED
                )
                news.cancel()
                listener.news.clear()
                states, listener.pending = list(listener.pending.values()), {}
                lines = b"".join(b"data: " + as_json(state) + b"\n\n" for state in states)
                async with asyncio.timeout(STALLED):
                    await send(_chunk(lines or b": \n\n"))
            if self._closed:
                await send({"type": "http.response.body", "body": b""})
        except TimeoutError:
            pass  # the connection is cut with the end of this call
        finally:
            self.listeners.discard(listener)
            leaving.cancel()

    def close(self) -> None:
        """End every stream."""
        self._closed = True
        for listener in self.listeners:
            listener.news.set()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        while self.listeners and not self._closed:
            with contextlib.suppress(RuntimeError):  # the thread was shut down meanwhile
                for state in await loop.run_in_executor(self._thread, self.changes):
                    for listener in self.listeners:
                        listener.put(state)
            await asyncio.sleep(self.interval)

    def changes(self) -> list[dict[str, Any]]:
        """Return the state of each run that is not as it was at the last call."""
        found = []
        runs = self.library.shelf.runs()[:MOST_WATCHED]
        for run in runs:
            line = self.library.line(run)
            state = {"run": run.id, "version": line["version"], "last": line["last"],
                     "status": line["status"]}  # fmt: skip
            if state != self._known.get(run.id):
                self._known[run.id] = state
                found.append(state)
        for id in self._known.keys() - {run.id for run in runs}:
            del self._known[id]
            found.append({"run": id, "version": -1, "last": None, "status": "gone"})
        return found


def _chunk(body: bytes) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": True}


async def _has_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
