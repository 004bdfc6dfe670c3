"""Requests to the viewer as an ASGI app, and over sockets, written out to the byte."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from typing import Any

PORT, TOKEN = 8765, "t" * 43
HOST = f"127.0.0.1:{PORT}"


@dataclass
class Reply:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def __getitem__(self, name: str) -> str | None:
        """The value of a header; that there are not two of it is asserted."""
        found = [value for key, value in self.headers if key.lower() == name]
        assert len(found) <= 1, found
        return found[0] if found else None


async def call(
    app: Any, target: str, method: str = "GET", server: Any = ("127.0.0.1", PORT), **headers: Any
) -> Reply:
    """Ask an app; headers with _ for -, None to leave Host out, a list for one several times."""
    given = {"host": HOST, **{key.replace("_", "-"): value for key, value in headers.items()}}
    pairs = [
        (key.encode(), each.encode("latin-1"))
        for key, value in given.items()
        if value is not None
        for each in (value if isinstance(value, list) else [value])
    ]
    path, _, query = target.partition("?")
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
        "scheme": "http", "path": path, "raw_path": path.encode("latin-1"), "root_path": "",
        "query_string": query.encode("latin-1"), "headers": pairs,
        "client": ("127.0.0.1", 50_000), "server": server,
    }  # fmt: skip
    sent: list[dict[str, Any]] = []

    async def receive():
        if sent and sent[-1].get("type") == "http.response.body":
            return {"type": "http.disconnect"}
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    await app(scope, receive, send)
    start = sent[0]
    names = [(key.decode(), value.decode("latin-1")) for key, value in start["headers"]]
    body = b"".join(each.get("body", b"") for each in sent[1:])
    return Reply(start["status"], names, body)


def ask(app: Any, target: str, method: str = "GET", **headers: Any) -> Reply:
    return asyncio.run(call(app, target, method, **headers))


def cookie(app: Any) -> str:
    """The cookie that the token opens the page with, as a browser sends it back."""
    reply = ask(app, f"/?token={TOKEN}")
    assert reply.status == 303
    return reply["set-cookie"].partition(";")[0]


def exchange(port: int, raw: bytes, timeout: float = 10.0) -> bytes:
    """Send bytes to a server on loopback and return what comes until it closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        connection.sendall(raw)
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
        return b"".join(parts)


def get(port: int, target: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """GET over a socket: status, headers, body."""
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        connection.request("GET", target, headers=named)
        reply = connection.getresponse()
        return reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read()
    finally:
        connection.close()
