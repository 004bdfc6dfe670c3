"""The viewer's server: starlette and uvicorn, read only, on this computer only.

Three things are served: the page's files out of memory, the answers of `answers.py` computed in a
few threads, and the events of `watch.py`. No file is opened because of what a request names. The
outermost layer is `guard.py`.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from .answers import SLOW, Answers
from .guard import App, Guard, Receive, Scope, Send
from .watch import Watch

if TYPE_CHECKING:
    import socket

__all__ = ["Asset", "application", "page", "serve"]

MOST_CONNECTIONS, MOST_HEAD_BYTES = 64, 32_768
HEAD_SECONDS, IDLE_SECONDS, ANSWER_SECONDS, SEND_SECONDS = 10.0, 30, 60.0, 60.0
"""For a whole request to arrive, for the next one to begin, for an answer, for its way back."""

KINDS = {"html": "text/html", "js": "text/javascript", "css": "text/css"}
ASSETS = {"/": "index.html", "/app.js": "app.js", "/app.css": "app.css"}
logger = logging.getLogger("gradtape.viewer")


@dataclass(frozen=True)
class Asset:
    """A file of the page: its bytes, its type, and the tag by which a browser knows it again."""

    body: bytes
    kind: str
    etag: str


def page() -> dict[str, Asset]:
    """Return the files of the built page by the path under which they are served."""
    found = {}
    for path, name in ASSETS.items():
        try:
            body = (files("gradtape.viewer") / "page" / name).read_bytes()
        except OSError:
            body = b""
        kind = KINDS[name.rpartition(".")[2]] + "; charset=utf-8"
        found[path] = Asset(body, kind, '"' + hashlib.sha256(body).hexdigest()[:32] + '"')
    return found


def application(
    answers: Answers,
    watch: Watch,
    *,
    port: int,
    token: str,
    hosts: Sequence[str] = (),
    assets: dict[str, Asset] | None = None,
    touched: Callable[[], None] = lambda: None,
) -> App:
    """Return the whole as an ASGI app: the routes, behind the guard.

    Parameters
    ----------
    answers, watch : Answers, Watch
        What is answered, and what is told.
    port, token, hosts
        See `Guard`.
    assets : dict, optional
        The page; by default the one that is built in.
    touched : callable
        Called for each request that was let through.
    """
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    served = page() if assets is None else assets
    quick = ThreadPoolExecutor(3, "gradtape-answers")
    slow = ThreadPoolExecutor(2, "gradtape-panels")  # what takes seconds holds up nothing else

    async def asset(request: Request) -> Response:
        found = served[request.scope["path"]]
        headers = {"etag": found.etag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == found.etag:
            return Response(status_code=304, headers=headers)
        return Response(found.body, headers=headers, media_type=found.kind)

    async def answer(request: Request) -> Response:
        # As they came: request.url is put together with the Host header, and taken apart again.
        path, query = request.scope["path"], request.scope["query_string"].decode("latin-1")
        threads = slow if path.rpartition("/")[2] in SLOW else quick
        work = asyncio.get_running_loop().run_in_executor(threads, answers.answer, path, query)
        try:
            found = await asyncio.wait_for(asyncio.shield(work), ANSWER_SECONDS)
        except TimeoutError:
            return Response(b"", status_code=503, headers={"retry-after": "5"})
        headers = {"cache-control": "no-store"}
        if found.reason:
            reason = found.reason[:600].encode("ascii", "backslashreplace").decode()
            headers["x-reason"] = re.sub(r"[^ -~]", " ", reason)
        return Response(found.body, found.status, headers, found.kind)

    routes = [Route(path, asset, methods=["GET"]) for path in ASSETS]
    routes += [Route("/api/events", watch), Route("/api/{rest:path}", answer)]
    inner = Starlette(routes=routes)

    async def bounded(scope: Scope, receive: Receive, send: Send) -> None:
        """`inner`, with an end to how long an answer may take to be taken."""

        async def timed(message: Any) -> None:
            async with asyncio.timeout(SEND_SECONDS):
                await send(message)

        touched()
        await inner(scope, receive, timed)

    return Guard(bounded, port=port, token=token, hosts=hosts)


def serve(
    sockets: list[socket.socket],
    app: App,
    watch: Watch,
    *,
    is_over: Callable[[], bool] = lambda: False,
    started: Callable[[], None] = lambda: None,
) -> None:
    """Serve `app` on sockets that listen, until Ctrl-C or until `is_over` says so."""
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Protocol(H11Protocol):
        """HTTP in which a request that does not arrive whole in time is given up."""

        _deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._wait()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            between = self.cycle is None or self.cycle.response_complete
            if not between or self.timeout_keep_alive_task is not None:
                self._stop()
            elif self._deadline is None:
                self._wait()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop()
            super().connection_lost(exc)

        def _wait(self) -> None:
            self._deadline = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

        def _stop(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

    class Server(uvicorn.Server):
        """A server that ends the event streams before it waits for the connections to end."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            started()

        async def on_tick(self, counter: int) -> bool:
            return await super().on_tick(counter) or (counter % 10 == 0 and is_over())

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            watch.close()
            await super().shutdown(sockets)

    config = uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        log_level="critical",  # a traceback may show what a run holds, an address its token
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=2,
        h11_max_incomplete_event_size=MOST_HEAD_BYTES,
    )
    asyncio.run(Server(config).serve(sockets))


def is_idle(seconds: float | None, touched: list[float], watch: Watch) -> bool:
    """Whether nobody has listened or asked for so long."""
    return seconds is not None and not watch.listeners and time.monotonic() - touched[0] > seconds
