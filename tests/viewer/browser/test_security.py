"""What a real browser does with hostile pages and hostile runs: other sites, rebinding, script."""

import json
import re
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from gradtape.viewer.shelf import run_id
from gradtape.viewer.static import to_html
from tests.viewer import demo
from tests.viewer.browser.chromium import Viewer
from tests.viewer.test_hostile import change

pytestmark = pytest.mark.slow

# Everything that a page can try without leave: each says what it got.
ATTACK = """<!doctype html><title>attack</title><body><script>
const target = "http://127.0.0.1:PORT";
const got = {};
const until = (start) => new Promise((done) => { start(done); setTimeout(() => done("nothing"), 4000); });
(async () => {
  const inside = { credentials: "include" };
  got.cors = await fetch(target + "/api/runs", inside).then((r) => r.text(), () => "refused");
  got.opaque = await fetch(target + "/api/runs", { ...inside, mode: "no-cors" })
    .then(async (r) => r.type + (await r.text()), () => "refused");
  got.post = await fetch(target + "/api/runs", { ...inside, method: "POST", mode: "no-cors", body: "x" })
    .then(async (r) => r.type + (await r.text()), () => "refused");
  const element = (name, more) => until((done) => {
    const made = Object.assign(document.createElement(name), more);
    made.onload = () => done("loaded");
    made.onerror = () => done("refused");
    document.body.append(made);
  });
  got.script = await element("script", { src: target + "/app.js" });
  got.style = await element("link", { rel: "stylesheet", href: target + "/app.css" });
  got.image = await element("img", { src: target + "/api/runs" });
  got.events = await until((done) => {
    const stream = new EventSource(target + "/api/events", { withCredentials: true });
    stream.onmessage = (event) => done(event.data);
    stream.onerror = () => { stream.close(); done("refused"); };
  });
  got.socket = await until((done) => {
    const socket = new WebSocket(target.replace("http", "ws") + "/api/events");
    socket.onopen = () => done("open");
    socket.onerror = () => done("refused");
  });
  await element("iframe", { src: target + "/" });
  try {
    got.frame = document.querySelector("iframe").contentDocument?.body.innerText ?? "refused";
  } catch { got.frame = "refused"; }
  const opened = window.open(target + "/", "_blank");
  await new Promise((done) => setTimeout(done, 500));
  try { got.opened = opened ? opened.document.body.innerText : "refused"; } catch { got.opened = "refused"; }
  opened?.close();
  globalThis.attack = got;
})();
</script>"""  # noqa: E501


class Attacker:
    """A site of somebody else's: any name, any port of this computer."""

    def __init__(self, page: str) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("content-type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(page.encode())

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def entered(browser, viewer):
    """The port of a viewer whose cookie the browser has."""
    browser.open(url=viewer.url)
    browser.wait(script="document.querySelector('.fact')")
    yield urlsplit(viewer.url).port
    browser.open(url="about:blank")
    browser.forget()


# `localhost` and another port of 127.0.0.1 are of the same site: strict cookies are sent.
@pytest.mark.parametrize("name", ["evil.example", "127.0.0.1", "localhost"])
def test_a_page_of_another_site_gets_nothing(browser, entered, name):
    with closing(Attacker(ATTACK.replace("PORT", str(entered)))) as attacker:
        browser.open(url=f"http://{name}:{attacker.port}/")
        browser.wait(script="globalThis.attack", ms=60_000)
        got = json.loads(browser.evaluate(script="JSON.stringify(globalThis.attack)"))
    text = json.dumps(got)
    assert "cars" not in text and "steps" not in text and "loaded" not in got["script"]
    assert got["cors"] == "refused"
    assert got["opaque"] in ("refused", "opaque") and got["post"] in ("refused", "opaque")
    for kind in ("script", "style", "image", "events", "socket"):
        assert got[kind] == "refused", (kind, got[kind])
    assert "gradtape" not in got["frame"] and "gradtape" not in got["opened"]


@pytest.mark.parametrize("path", ["/", "/api/runs", "/?token={token}"])
def test_a_name_that_was_rebound_to_this_computer_gets_nothing(browser, entered, viewer, path):
    """The attacker's name resolves to 127.0.0.1, so for the browser it is one origin."""
    token = viewer.url.partition("token=")[2]
    browser.open(url=f"http://rebound.example:{entered}{path.format(token=token)}")
    text = browser.text(selector="body")
    assert "This server has no such name" in text and "cars" not in text


def test_a_link_on_another_page_opens_the_viewer(browser, viewer):
    """A notebook is another site; its link with the token has to work, strict cookie and all."""
    page = f'<!doctype html><title>notebook</title><a href="{viewer.url}">the run</a>'
    with closing(Attacker(page)) as notebook:
        browser.open(url=f"http://notebook.example:{notebook.port}/")
        browser.click(selector="a")
        browser.wait(script="document.querySelector('.fact')")
        assert urlsplit(browser.evaluate(script="location.href")).query == ""
    browser.open(url="about:blank")
    browser.forget()


SCRIPT = (
    "</script><script>hit=1</script><img src=x onerror=\"hit=1\"><svg onload=hit=1>'\"`${hit=1}"
)
STYLE = "</style><style>*{display:none}</style>"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A run that holds markup wherever it can hold words."""
    root = tmp_path_factory.mktemp("hostile")
    run = demo.write(demo.diverging(), root / "run")
    told = json.dumps(SCRIPT)
    change(
        run,
        ["UPDATE meta SET value = ? WHERE key IN ('name', 'script')", [json.dumps("run" + SCRIPT)]],
        ["UPDATE meta SET value = ? WHERE key = 'config'", [json.dumps({SCRIPT: SCRIPT + STYLE})]],
        ["UPDATE \"column\" SET unit = ?, tag = ? WHERE kind = 'time'", [SCRIPT, SCRIPT]],
        ["UPDATE tag SET file = ?, info = ?", [SCRIPT, json.dumps({"label": SCRIPT})]],
        ["UPDATE event SET data = ? WHERE kind = 'note'", [json.dumps({"text": SCRIPT + STYLE})]],
        ["UPDATE event SET data = replace(data, 'residual', ?)", [told[1:-1]]],
        ["UPDATE source SET text = ?", [SCRIPT * 3]],
        ["UPDATE graph SET data = replace(replace(data, 'ct / n', ?), 'train.py', ?)",
         [told[1:-1], told[1:-1]]],
    )  # fmt: skip
    return run


def check_text(browser):
    """The page shows the words, and nothing of them became an element or ran."""
    browser.whole()
    browser.wait(script="document.querySelector('.fact')")
    browser.wait(script="document.querySelector('h1').textContent.startsWith('run</script>')")
    browser.evaluate(script="new Promise((done) => setTimeout(done, 1500))")
    browser.evaluate(
        script="document.querySelectorAll('details').forEach((one) => { one.open = true; })"
    )
    assert browser.evaluate(script="typeof globalThis.hit") == "undefined"
    for selector in ("img[src=x]", "svg[onload]", "[onerror]"):
        assert browser.count(selector=selector) == 0
    assert "<img src=x" in browser.text(selector="body")
    policy = [line for line in browser.complaints() if line.startswith(("policy", "error"))]
    assert policy == []


def test_markup_in_a_run_is_text_on_the_page(browser, hostile):
    viewer = Viewer(hostile.parent)
    try:
        browser.forget()
        browser.open(url=viewer.url + f"&run={run_id(hostile)}")
        check_text(browser)
        browser.keep("hostile-names")
    finally:
        viewer.quit()
    browser.open(url="about:blank")
    browser.forget()


def test_markup_in_a_run_is_text_in_its_file(browser, hostile, tmp_path):
    path = to_html(hostile, tmp_path / "run.html")
    browser.forget()
    browser.open(url=path.as_uri())
    check_text(browser)
    asked = [url for url in browser.requests() if not url.startswith(("file:", "data:", "blob:"))]
    assert asked == []
    browser.open(url="about:blank")
    browser.forget()


def test_the_policy_of_a_file_stops_script_that_was_added_to_it(browser, hostile, tmp_path):
    path = to_html(hostile, tmp_path / "run.html")
    text = path.read_text(encoding="utf-8")
    added = "<script>hit=1</script><img src=x onerror=hit=1><style>body{display:none}</style>"
    changed = re.sub(r"(?=<div id=\"gradtape\">)", added, text, count=1)
    assert changed != text
    path.write_text(changed, encoding="utf-8")
    browser.open(url=path.as_uri())
    browser.wait(script="document.querySelector('.fact')")
    assert browser.evaluate(script="typeof globalThis.hit") == "undefined"
    shown = browser.evaluate(script="getComputedStyle(document.body).display")
    assert shown != "none"
    assert len([line for line in browser.complaints() if line.startswith("policy")]) >= 3
    browser.open(url="about:blank")
    browser.forget()


class closing_viewer:
    def __init__(self, path):
        self.viewer = Viewer(path)

    def __enter__(self):
        return self.viewer

    def __exit__(self, *_):
        self.viewer.quit()
