"""Who may ask the server, and what every answer says to a browser: the outermost ASGI layer.

Whatever a request is for, it passes here first, and nothing below needs to know. A request is
refused unless its method is GET or HEAD, it has no body, its one Host is an address of this server
(so a name that an attacker rebinds to 127.0.0.1 does not get through), no other site sent it, and
it brings the cookie. Loopback is no boundary between the users of one computer: the cookie is.

The cookie is handed out for the token of the address that the server prints, or for a *ticket*: a
value made from the token that is good once, for a minute. A browser is started with a ticket,
because other users can read a command line.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from html import escape
from typing import Any
from urllib.parse import parse_qs

__all__ = ["CSP", "Guard", "HEADERS", "make_ticket", "make_token"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

METHODS = ("GET", "HEAD")
MOST_HEADER_BYTES, MOST_TARGET_BYTES = 16_384, 8_192
TICKET_SECONDS = 60

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)

HEADERS = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}

# A page that another site (a notebook, a mail) linked to may set a SameSite=Strict cookie but not
# send it on: a browser sends it once the page itself has asked for the next.
PASS_ON = """\
<!doctype html><html lang="en"><meta charset="utf-8"><title>gradtape</title>
<meta http-equiv="refresh" content="0;url={where}"><p><a href="{where}">Open the run</a></p></html>
"""


def make_token() -> str:
    """Return 256 random bits, to be written into an address."""
    return secrets.token_urlsafe(32)


def make_ticket(token: str) -> str:
    """Return a value that opens the page once, within a minute, and does not tell the token."""
    head = f"{int(time.time())}.{secrets.token_hex(8)}"
    return f"{head}.{_signature(token, head)}"


def _signature(token: str, head: str) -> str:
    return hmac.new(token.encode(), b"ticket:" + head.encode(), hashlib.sha256).hexdigest()


class Refused(Exception):
    """A request that goes no further: its status and what to say."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status, self.words = status, words


class Guard:
    """An ASGI app that lets through to `app` what this browser on this computer asked for.

    Parameters
    ----------
    app : ASGI application
        What is protected.
    port : int
        The port that the server listens on.
    hosts : iterable of str
        Further names or addresses by which it may be addressed, IPv6 in brackets; "*" for the
        address at which a connection has arrived, which no name service can set.
    token : str
        See `make_token`.
    """

    def __init__(self, app: App, *, port: int, token: str, hosts: Iterable[str] = ()) -> None:
        self.app, self.token = app, token
        self.cookie = f"gradtape-{port}"
        self._secret = make_token()
        names = {"127.0.0.1", "localhost", "[::1]", *(host.lower() for host in hosts)}
        self._is_wide = "*" in names
        self.hosts = {f"{name}:{port}" for name in names - {"*"}}
        if port == 80:
            self.hosts |= names - {"*"}
        self._used: dict[str, float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, refuse, or hand on one request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] != "http":  # a WebSocket knows no same-origin rule: there are none
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._request(scope, receive, _stamped(send))

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            headers = self._checked(scope)
            if scope["path"] == "/" and b"token=" in scope["query_string"]:
                await self._enter(scope, headers, send)
                return
            self._check_site(headers)
            if not self._has_cookie(headers):
                words = "This page needs the address that gradtape view printed, with its token."
                raise Refused(403, words)
        except Refused as refused:
            more = {"allow": "GET, HEAD"} if refused.status == 405 else {}
            await _say(scope, send, refused.status, refused.words + "\n", more)
            return
        await self.app(scope, receive, send)

    def _checked(self, scope: Scope) -> dict[str, str]:
        """The headers that matter, of a request whose method, size, Host and Origin will do."""
        if scope["method"] not in METHODS:
            raise Refused(405, "The viewer only reads: GET or HEAD.")
        raw: list[tuple[bytes, bytes]] = list(scope["headers"])
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > MOST_TARGET_BYTES:
            raise Refused(414, "The address is too long.")
        if sum(len(name) + len(value) + 4 for name, value in raw) > MOST_HEADER_BYTES:
            raise Refused(431, "The headers are too long.")
        headers: dict[str, str] = {}
        for name, value in raw:
            key = name.decode("latin-1").lower()
            if key in headers and key in ("host", "origin", "sec-fetch-site"):
                raise Refused(400, "A header is there twice.")
            headers[key] = "; ".join(filter(None, [headers.get(key), value.decode("latin-1")]))
        if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
            raise Refused(400, "The viewer only reads: a request has no body.")
        names = self.hosts | ({_arrival(scope)} if self._is_wide else set())
        if headers.get("host", "").lower() not in names:
            raise Refused(403, "This server has no such name. Open the address that it printed.")
        if headers.get("origin", f"http://{headers['host']}").lower() not in {
            f"http://{name}" for name in names
        }:
            raise Refused(403, "Another site asked for this.")
        return headers

    def _check_site(self, headers: dict[str, str]) -> None:
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            words = "Another site asked for this. Type or paste the address that was printed."
            raise Refused(403, words)

    def _has_cookie(self, headers: dict[str, str]) -> bool:
        found = False
        for part in headers.get("cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == self.cookie:
                found |= hmac.compare_digest(value.encode(), self._secret.encode())
        return found

    async def _enter(self, scope: Scope, headers: dict[str, str], send: Send) -> None:
        """Take a token or a ticket, give the cookie for it, and lead to a clean address."""
        foreign = headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
        is_link = headers.get("sec-fetch-mode") == "navigate"
        if not is_link or headers.get("sec-fetch-dest", "document") != "document":
            self._check_site(headers)
        try:
            query = parse_qs(scope["query_string"].decode("ascii"), max_num_fields=4)
        except ValueError:
            query = {}
        given = query.get("token", [])
        if len(given) != 1 or not self._opens(given[0]):
            words = "This address does not open the page: it was used, is old, or is not whole."
            raise Refused(403, words + " Open the address that gradtape view printed.")
        where = "/" + _place(query)
        cookie = f"{self.cookie}={self._secret}; HttpOnly; SameSite=Strict; Path=/"
        more = {"set-cookie": cookie}
        if foreign:
            await _say(
                scope, send, 200, PASS_ON.format(where=escape(where)), more, kind="text/html"
            )
        else:
            await _say(scope, send, 303, "", {**more, "location": where})

    def _opens(self, given: str) -> bool:
        if hmac.compare_digest(given.encode(), self.token.encode()):
            return True
        head, _, signature = given.rpartition(".")
        if not hmac.compare_digest(signature.encode(), _signature(self.token, head).encode()):
            return False
        now = time.time()
        age = now - int(head.partition(".")[0])
        self._used = {used: until for used, until in self._used.items() if until > now}
        if not -5 <= age <= TICKET_SECONDS or head in self._used:
            return False
        self._used[head] = now + TICKET_SECONDS + 10
        return True


def _arrival(scope: Scope) -> str:
    """The address and port of this computer at which a connection has arrived."""
    host, port = scope["server"]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _place(query: dict[str, list[str]]) -> str:
    """The deep link of an address: a run and a step, as the page writes them behind a #."""
    parts = []
    for key, form in (("run", r"[0-9a-f]{12}"), ("step", r"\d{1,15}")):
        value = query.get(key, [""])[0]
        if re.fullmatch(form, value):
            parts.append(f"{key}={value}")
    return "#" + "&".join(parts) if parts else ""


def _stamped(send: Send) -> Send:
    """`send`, with the headers that every answer has, whoever made it."""

    async def stamped(message: Message) -> None:
        if message["type"] == "http.response.start":
            ours = {name.encode() for name in HEADERS}
            headers = [
                (name, value)
                for name, value in message.get("headers", [])
                if name.lower() not in ours and not name.lower().startswith(b"access-control-")
            ]
            headers += [(name.encode(), value.encode()) for name, value in HEADERS.items()]
            if not any(name.lower() == b"cache-control" for name, _ in headers):
                headers.append((b"cache-control", b"no-store"))
            message = {**message, "headers": headers}
        await send(message)

    return stamped


async def _say(
    scope: Scope,
    send: Send,
    status: int,
    words: str,
    more: dict[str, str],
    kind: str = "text/plain",
) -> None:
    body = words.encode()
    headers = {"content-type": f"{kind}; charset=utf-8", "content-length": str(len(body)), **more}
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
