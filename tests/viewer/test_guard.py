"""What the guard refuses and what every answer says: the security list, one test per item."""

import re
import time

import pytest

from gradtape.viewer import guard
from gradtape.viewer.answers import Answers
from gradtape.viewer.library import Library
from gradtape.viewer.server import Asset, application
from gradtape.viewer.shelf import Shelf, run_id
from gradtape.viewer.watch import Watch
from tests.viewer import demo
from tests.viewer.asking import HOST, PORT, TOKEN, ask, call, cookie

ASSETS = {
    "/": Asset(b"<!doctype html>the page", "text/html; charset=utf-8", '"1"'),
    "/app.js": Asset(b"the script", "text/javascript; charset=utf-8", '"2"'),
    "/app.css": Asset(b"the style", "text/css; charset=utf-8", '"3"'),
}
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    demo.write(demo.line(), root / "line")
    return root


@pytest.fixture
def app(root):
    return made(root)


def made(root, **options):
    library = Library(Shelf(root))
    options = {"port": PORT, "token": TOKEN, "assets": ASSETS, **options}
    return application(Answers(library), Watch(library), **options)


@pytest.fixture
def run(root):
    return f"/api/run/{run_id(root / 'line')}"


# -- who may ask ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/app.js", "/app.css", "/api/runs", "/api/events", "/no"])
def test_nothing_is_served_without_the_cookie(app, path):
    for headers in ({}, {"cookie": "gradtape-8765="}, {"cookie": f"gradtape-8765={TOKEN}"},
                    {"cookie": "gradtape-8766=x"}, {"authorization": f"Bearer {TOKEN}"},
                    ):  # fmt: skip
        reply = ask(app, path, **headers)
        assert reply.status == 403
        assert b"address that gradtape view printed" in reply.body
        assert reply["set-cookie"] is None


def test_with_the_cookie_everything_is_served(app, run):
    key = cookie(app)
    for path in ("/", "/app.js", "/app.css", "/api/runs", run, f"{run}/series?names=cost"):
        assert ask(app, path, cookie=key).status == 200
        assert ask(app, path, cookie=f"a=b; {key}; c=d").status == 200
    assert ask(app, "/", cookie=key).body == ASSETS["/"].body
    assert ask(app, "/no", cookie=key).status == 404


def test_the_token_is_256_random_bits():
    tokens = {guard.make_token() for _ in range(50)}
    assert len(tokens) == 50
    assert all(re.fullmatch(r"[\w-]{43}", token) for token in tokens)  # 43 * 6 bits >= 256


def test_the_token_becomes_a_cookie_and_a_clean_address(app):
    reply = ask(app, f"/?token={TOKEN}")
    assert (reply.status, reply["location"], reply.body) == (303, "/", b"")
    name, *attributes = reply["set-cookie"].split("; ")
    assert re.fullmatch(rf"gradtape-{PORT}=[\w-]{{43}}", name)
    assert sorted(attributes) == ["HttpOnly", "Path=/", "SameSite=Strict"]
    assert TOKEN not in name
    assert reply["referrer-policy"] == "no-referrer" and reply["cache-control"] == "no-store"


def test_a_deep_link_goes_on_and_nothing_else_does(app):
    reply = ask(app, f"/?token={TOKEN}&run=0123456789ab&step=41")
    assert reply["location"] == "/#run=0123456789ab&step=41"
    for bad in ("run=//evil.example", "run=%0d%0aSet-Cookie:x=y", "step=1e3", "next=//evil"):
        assert ask(app, f"/?token={TOKEN}&{bad}")["location"] == "/"


@pytest.mark.parametrize(
    "query",
    ["token=", "token=t", f"token={TOKEN}t", f"token={TOKEN[:-1]}", f"token={TOKEN}&token={TOKEN}",
     f"atoken={TOKEN}", f"token={TOKEN.upper()}", "token=%ff%00", "token=.", "token=0.0.0",
     "token=\u00e4"],
)  # fmt: skip
def test_a_wrong_token_opens_nothing(app, query):
    reply = ask(app, f"/?{query}")
    assert reply.status == 403 and reply["set-cookie"] is None


def test_tokens_are_compared_in_constant_time(app, monkeypatch):
    compared = []
    true = guard.hmac.compare_digest
    monkeypatch.setattr(
        guard.hmac, "compare_digest", lambda a, b: compared.append((a, b)) or true(a, b)
    )
    key = cookie(app)
    assert (TOKEN.encode(), TOKEN.encode()) in compared
    secret = key.partition("=")[2].encode()
    ask(app, "/", cookie=key)
    assert compared[-1] == (secret, secret)


def test_a_ticket_opens_the_page_once_and_for_a_minute(app, monkeypatch):
    ticket = guard.make_ticket(TOKEN)
    assert TOKEN not in ticket and ticket != guard.make_ticket(TOKEN)
    assert ask(app, f"/?token={ticket}").status == 303
    assert ask(app, f"/?token={ticket}").status == 403
    for bad in (ticket[:-1] + ("0" if ticket[-1] != "0" else "1"), guard.make_ticket("other")):
        assert ask(app, f"/?token={bad}").status == 403
    old = guard.make_ticket(TOKEN)
    now = time.time()
    monkeypatch.setattr(guard.time, "time", lambda: now + 61)
    assert ask(app, f"/?token={old}").status == 403


def test_the_cookie_names_its_port_because_cookies_do_not_know_ports(root, app):
    other = made(root, port=PORT + 1)
    key = cookie(app)
    assert key.startswith(f"gradtape-{PORT}=")
    reply = ask(other, "/", host=f"127.0.0.1:{PORT + 1}", cookie=key)
    assert reply.status == 403


# -- names: DNS rebinding ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", [HOST, f"localhost:{PORT}", f"LOCALHOST:{PORT}", f"[::1]:{PORT}"]
)
def test_the_names_of_this_server(app, host):
    key = cookie(app)
    assert ask(app, "/api/runs", host=host, cookie=key).status == 200
    assert ask(app, "/api/runs", host=host, cookie=key, origin=f"http://{host}").status == 200


@pytest.mark.parametrize(
    "host",
    [None, "", "evil.example", f"evil.example:{PORT}", "127.0.0.1", "localhost", "[::1]",
     f"127.0.0.1:{PORT + 1}", f"127.0.0.1.evil.example:{PORT}", f"localhost.evil.example:{PORT}",
     f"evil.example@127.0.0.1:{PORT}", f"127.0.0.1:{PORT}@evil.example", f" 127.0.0.1:{PORT}",
     f"127.0.0.1:{PORT}.evil.example", f"127.0.0.1:{PORT}/", f"0.0.0.0:{PORT}", f"::1:{PORT}",
     f"[::1%25lo]:{PORT}", f"127.1:{PORT}", f"2130706433:{PORT}", f"localhost.:{PORT}",
     f"127.0.0.1:0{PORT}", f"127.0.0.1:{PORT},evil.example", [HOST, "evil.example"], [HOST, HOST]],
)  # fmt: skip
def test_a_name_that_was_rebound_to_this_address_is_refused(app, host):
    """The browser has the cookie and says Host: evil.example, which resolves to 127.0.0.1 now."""
    key = cookie(app)
    for target in ("/", "/api/runs", f"/?token={TOKEN}"):
        reply = ask(app, target, host=host, cookie=key)
        assert reply.status in (400, 403), host
        assert reply["set-cookie"] is None and b"line" not in reply.body


def test_the_host_is_not_believed_from_other_headers(app):
    key = cookie(app)
    reply = ask(app, "/api/runs", host="evil.example", x_forwarded_host=HOST, cookie=key)
    assert reply.status == 403


# -- other sites ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "origin",
    ["null", "http://evil.example", f"https://127.0.0.1:{PORT}", "http://127.0.0.1",
     f"http://127.0.0.1:{PORT + 1}", f"http://evil.example:{PORT}", "file://", "",
     f"http://127.0.0.1:{PORT}.evil.example"],
)  # fmt: skip
def test_a_foreign_origin_is_refused(app, origin):
    reply = ask(app, "/api/runs", origin=origin, cookie=cookie(app))
    assert reply.status == 403 and b"Another site" in reply.body


@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything"])
def test_requests_that_a_browser_says_come_from_another_site_are_refused(app, site):
    key = cookie(app)
    for path in ("/", "/app.js", "/api/runs", "/api/events"):
        assert ask(app, path, sec_fetch_site=site, cookie=key).status == 403
    for own in ("none", "same-origin"):
        assert ask(app, "/api/runs", sec_fetch_site=own, cookie=key).status == 200
    twice = ask(app, "/api/runs", sec_fetch_site=["same-origin", site], cookie=key)
    assert twice.status == 400


def test_a_link_with_the_token_on_another_page_opens_and_an_embedded_one_does_not(app):
    """A notebook is another site. What follows a strict cookie must come from our own page."""
    link = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate",
            "sec_fetch_dest": "document"}  # fmt: skip
    reply = ask(app, f"/?token={TOKEN}&run=0123456789ab", **link)
    assert reply.status == 200 and reply["set-cookie"] is not None
    assert b'content="0;url=/#run=0123456789ab"' in reply.body
    assert ask(app, "/?token=wrong", **link).status == 403
    for change in ({"sec_fetch_mode": "no-cors"}, {"sec_fetch_mode": "cors"},
                   {"sec_fetch_dest": "iframe"}, {"sec_fetch_dest": "image"}):  # fmt: skip
        reply = ask(app, f"/?token={TOKEN}", **{**link, **change})
        assert reply.status == 403 and reply["set-cookie"] is None


def test_there_are_no_cors_headers(app, run):
    key = cookie(app)
    for path in ("/", "/api/runs", f"{run}/row"):
        reply = ask(app, path, cookie=key, origin=f"http://{HOST}")
        assert not [name for name, _ in reply.headers if name.startswith("access-control")]
    asked = ask(app, "/api/runs", "OPTIONS", origin=f"http://{HOST}", cookie=key,
                access_control_request_method="GET")  # fmt: skip
    assert asked.status == 405
    assert not [name for name, _ in asked.headers if name.startswith("access-control")]


# -- methods ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "method",
    ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", ""],
)
def test_only_get_and_head(app, run, method):
    key = cookie(app)
    for path in ("/", "/app.js", "/api/runs", run, f"{run}/series", "/api/events", "/no"):
        reply = ask(app, path, method, cookie=key)
        assert (reply.status, reply["allow"]) == (405, "GET, HEAD")


def test_a_request_has_no_body(app):
    key = cookie(app)
    for headers in ({"content_length": "5"}, {"transfer_encoding": "chunked"},
                    {"content_length": "0", "transfer_encoding": "chunked"},
                    {"content_length": "-1"}):  # fmt: skip
        assert ask(app, "/api/runs", cookie=key, **headers).status == 400
    assert ask(app, "/api/runs", cookie=key, content_length="0").status == 200


def test_head_says_what_get_would(app, run):
    key = cookie(app)
    for path in ("/", run, f"{run}/row", "/api/runs"):
        head, whole = (ask(app, path, method, cookie=key) for method in ("HEAD", "GET"))
        assert head.status == whole.status == 200
        assert head["content-length"] == whole["content-length"] == str(len(whole.body))
    assert ask(app, "/api/events", "HEAD", cookie=key).status == 200


def test_there_are_no_websockets(app):
    sent = []

    async def talk():
        async def receive():
            return {"type": "websocket.connect"}

        async def send(message):
            sent.append(message)

        headers = [(b"host", HOST.encode()), (b"cookie", cookie_of.encode())]
        await app({"type": "websocket", "path": "/api/events", "headers": headers}, receive, send)

    import asyncio

    cookie_of = cookie(app)
    asyncio.run(talk())
    assert sent == [{"type": "websocket.close", "code": 1008}]


# -- what every answer says -------------------------------------------------------------------


def test_every_answer_has_the_headers_of_the_policy(app, run):
    key = cookie(app)
    replies = [ask(app, path, cookie=key) for path in
               ("/", "/app.js", "/api/runs", run, f"{run}/row", f"{run}/none", "/no")]  # fmt: skip
    replies += [
        ask(app, "/"), ask(app, "/", "DELETE"), ask(app, "/", host="evil.example"),
        ask(app, f"/?token={TOKEN}"), ask(app, "/?token=x"),
        ask(app, "/api/runs", cookie=key, x=("a" * 20_000)),
        ask(app, "/api/events", "HEAD", cookie=key),
    ]  # fmt: skip
    for reply in replies:
        assert reply["content-security-policy"] == CSP
        assert reply["x-content-type-options"] == "nosniff"
        assert reply["x-frame-options"] == "DENY"
        assert reply["referrer-policy"] == "no-referrer"
        assert reply["cross-origin-resource-policy"] == "same-origin"
        assert reply["cross-origin-opener-policy"] == "same-origin"
        assert reply["server"] is None


def test_answers_are_not_stored_and_assets_are_known_by_their_tag(app, run):
    key = cookie(app)
    for path in ("/api/runs", run, f"{run}/row", "/api/nothing"):
        assert ask(app, path, cookie=key)["cache-control"] == "no-store"
    script = ask(app, "/app.js", cookie=key)
    assert (script["etag"], script["cache-control"]) == ('"2"', "no-cache")
    again = ask(app, "/app.js", cookie=key, if_none_match='"2"')
    assert (again.status, again.body) == (304, b"")
    assert ask(app, "/app.js", cookie=key, if_none_match='"1"').status == 200
    assert ask(app, "/app.js", if_none_match='"2"').status == 403


def test_types_are_said_and_no_range_is_served(app, run):
    key = cookie(app)
    assert ask(app, "/app.js", cookie=key)["content-type"] == "text/javascript; charset=utf-8"
    assert ask(app, "/api/runs", cookie=key)["content-type"] == "application/json"
    reply = ask(app, f"{run}/row", cookie=key, range="bytes=0-3")
    assert (reply.status, reply["content-type"]) == (200, "application/octet-stream")


def test_a_reason_is_one_line_of_ascii_in_its_header(app, run, monkeypatch):
    """It may hold words of the run's: names of operations, files, variables."""
    from gradtape.viewer import panels

    said = "no \u03b1\r\nSet-Cookie: a=b\x00\u2028" + "x" * 5000
    monkeypatch.setattr(panels, "regions", lambda *args: said)
    reply = ask(app, f"{run}/regions", cookie=cookie(app))
    assert reply.status == 204 and reply["set-cookie"] is None
    assert reply["x-reason"].startswith("no \\u03b1  Set-Cookie: a=b")
    assert all(" " <= letter <= "~" for letter in reply["x-reason"])
    assert len(reply["x-reason"]) <= 1000


# -- limits -----------------------------------------------------------------------------------


def test_long_headers_and_addresses_are_refused(app):
    key = cookie(app)
    assert ask(app, "/api/runs", cookie=key, x="a" * 17_000).status == 431
    assert ask(app, "/api/runs", cookie=key, x=["a" * 100] * 200).status == 431
    assert ask(app, "/api/runs?" + "a" * 9_000, cookie=key).status == 414
    assert ask(app, "/" + "a" * 9_000, cookie=key).status == 414


def test_a_path_with_a_question_mark_in_it_is_a_path(app, run):
    """`%3F` is not the beginning of a query, whatever Host stands before it."""
    key = cookie(app)
    for path in (f"{run}%3Fx", f"{run}?/row", "/api/runs#x"):
        decoded = path.replace("%3F", "\x3f")
        assert ask_raw(app, decoded, cookie=key).status == 404


def ask_raw(app, path, **headers):
    """Ask with a path that holds what a target cannot: ?, # and the like, decoded."""
    import asyncio

    async def outer(scope, receive, send):
        await app({**scope, "path": path}, receive, send)

    return asyncio.run(call(outer, "/api/x", **headers))


def test_paths_name_nothing_outside_the_list(app, root):
    """No path of a request is a path of the file system, however it is written."""
    key = cookie(app)
    (root / "secret.txt").write_text("secret")
    for path in ("/../secret.txt", "/secret.txt", "//secret.txt", "/app.js/../secret.txt",
                 "/page/index.html", "/api/run/../../secret.txt", "/api/run/line", "/.",
                 "/api/run/..%2f..%2fsecret.txt", f"/{root}/secret.txt", "/app.js\x00",
                 "/api/run/%2e%2e", "/static/../../secret.txt", "/api/../secret.txt"):  # fmt: skip
        reply = ask(app, path, cookie=key)
        assert reply.status == 404, path
        assert b"secret" not in reply.body
