"""The server as a process: where it listens, what it tells whom, how it ends."""

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from gradtape import cli
from gradtape.viewer import launch, server
from gradtape.viewer.shelf import run_id
from tests.viewer import demo
from tests.viewer.asking import ask, exchange, get

ON_POSIX = pytest.mark.skipif(os.name == "nt", reason="modes of files and signals")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    demo.write(demo.line(), root / "line")
    return root


class Started:
    """`gradtape view` in a process, and what it printed."""

    def __init__(self, root, home, *options):
        environment = {**os.environ, "XDG_RUNTIME_DIR": str(home), "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-m", "gradtape", "view", str(root), "--no-browser", *options]
        self.process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        line = self.process.stdout.readline()
        form = r"gradtape view: http://127\.0\.0\.1:(\d+)/\?token=([\w-]{43}) \(Ctrl-C ends it\)\n"
        match = re.fullmatch(form, line)
        assert match is not None, line + self.process.stderr.read()
        self.port, self.token = int(match[1]), match[2]

    def end(self):
        """Ctrl-C; the exit code and what it wrote after the address."""
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=20)
        return self.process.returncode, out, err


@pytest.fixture(scope="module")
def started(root, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    home.chmod(0o700)
    found = Started(root, home)
    found.home = home
    yield found
    if found.process.poll() is None:
        found.end()


@pytest.fixture(scope="module")
def key(started):
    _, headers, _ = get(started.port, f"/?token={started.token}")
    return headers["set-cookie"].partition(";")[0]


def test_the_page_and_its_answers_arrive(started, key):
    status, headers, body = get(started.port, "/api/runs", cookie=key)
    assert status == 200 and [run["name"] for run in json.loads(body)] == ["line"]
    assert "server" not in headers
    status, _, body = get(started.port, "/", cookie=key)
    assert status == 200 and b"<!doctype html>" in body.lower()
    assert get(started.port, "/api/runs")[0] == 403
    assert get(started.port, "/api/runs", cookie=key, host="evil.example")[0] == 403


@ON_POSIX
def test_only_this_computer_reaches_it(started):
    """The sockets of the process are bound to loopback, so no other address connects."""
    bound = listening(started.process.pid)
    assert bound and all(host in ("127.0.0.1", "::1") for host, _ in bound)
    assert {port for _, port in bound} == {started.port}
    for host in addresses():
        with pytest.raises(OSError), socket.create_connection((host, started.port), timeout=2):
            pass


def listening(pid):
    """The addresses on which a process listens, from /proc."""
    if not Path("/proc/net/tcp").exists():
        pytest.skip("no /proc")
    inodes = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            match = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(entry))
            inodes |= {match[1]} if match else set()
    found = []
    for file, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        path = Path(f"/proc/{pid}/net/{file}")
        for line in path.read_text().splitlines()[1:] if path.exists() else []:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                address, port = fields[1].split(":")
                words = [bytes.fromhex(address[i : i + 8])[::-1] for i in range(0, len(address), 8)]
                found.append((socket.inet_ntop(family, b"".join(words)), int(port, 16)))
    return found


def addresses():
    """Addresses of this computer that are not loopback."""
    with contextlib.suppress(OSError):
        infos = socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)
        return {info[4][0] for info in infos if not info[4][0].startswith("127.")}
    return set()


@ON_POSIX
def test_other_users_find_the_token_nowhere(started):
    """Not in the command line that they can list, not in a file that they can read."""
    path = started.home / "gradtape"
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    (file,) = path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    state = json.loads(file.read_text())
    assert (state["pid"], state["token"]) == (started.process.pid, started.token)
    if Path("/proc").exists():
        line = Path(f"/proc/{started.process.pid}/cmdline").read_bytes()
        environment = Path(f"/proc/{started.process.pid}/environ").read_bytes()
        assert started.token.encode() not in line + environment


@ON_POSIX
def test_the_token_in_the_browsers_command_line_is_no_longer_good(root, monkeypatch):
    """A browser is started with an address that opens the page once."""
    opened, said, app = view(root, monkeypatch, browser=True)
    (address,) = opened
    token = re.search(r"token=([\w-]{43})", "\n".join(said))[1]
    assert token not in address
    base, _, query = address.partition("?")
    host = base.removeprefix("http://").rstrip("/")
    assert ask(app, f"/?{query}", host=host).status == 303
    assert ask(app, f"/?{query}", host=host).status == 403


def view(root, monkeypatch, **options):
    """`view`, up to where it would serve: what it opened, what it said, and its app."""
    opened, said, apps = [], [], []

    def serve(sockets, app, watch, *, is_over, started):
        apps.append(app)
        started()
        for each in sockets:
            each.close()

    monkeypatch.setattr(server, "serve", serve)
    monkeypatch.setattr(launch, "_open", opened.append)
    launch.view(root, say=said.append, **options)
    return opened, said, apps[0]


def test_another_host_is_warned_of_and_keeps_the_token(root, monkeypatch):
    _, said, app = view(root, monkeypatch, host="0.0.0.0", browser=False)
    warning, address = said
    assert "not only on this computer" in warning and "not encrypted" in warning
    url, token = re.search(r"(http://\S+/)\?token=([\w-]{43})", address).groups()
    host = url.removeprefix("http://").rstrip("/")
    assert host.startswith(socket.gethostname().lower())
    assert ask(app, "/api/runs", host=host).status == 403
    assert ask(app, f"/?token={token}", host=host).status == 303
    port = host.rpartition(":")[2]
    for own in (f"10.0.0.7:{port}", f"127.0.0.1:{port}"):
        assert ask(app, f"/?token={token}", host=own, server=("10.0.0.7", int(port))).status == 303
    for foreign in ("evil.example", "10.0.0.8", "0.0.0.0", "*"):
        reply = ask(app, f"/?token={token}", host=f"{foreign}:{port}",
                    server=("10.0.0.7", int(port)))  # fmt: skip
        assert reply.status == 403


def test_loopback_is_not_warned_of(root, monkeypatch):
    for host in ("127.0.0.1", "localhost", "::1"):
        _, said, _ = view(root, monkeypatch, host=host, browser=False)
        assert len(said) == 1


def test_what_listens_where():
    for host in ("127.0.0.1", "localhost"):
        sockets = launch.listen(host, 0)
        try:
            names = [each.getsockname()[:2] for each in sockets]
            assert names[0][0] == "127.0.0.1" and {host for host, _ in names[1:]} <= {"::1"}
            assert len({port for _, port in names}) == 1
        finally:
            for each in sockets:
                each.close()


def test_an_answer_does_not_wait_for_an_acknowledgement():
    """A header and a body that Nagle's algorithm holds back cost 40 ms at each question."""

    async def is_sent_at_once(bound):
        found = asyncio.get_running_loop().create_future()

        class Protocol(asyncio.Protocol):
            def connection_made(self, transport):
                taken = transport.get_extra_info("socket")
                found.set_result(taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
                transport.close()

        async with await asyncio.get_running_loop().create_server(Protocol, sock=bound):
            _, writer = await asyncio.open_connection(*bound.getsockname()[:2])
            writer.close()
            return await found

    for bound in launch.listen("127.0.0.1", 0):
        assert asyncio.run(is_sent_at_once(bound))


def test_a_port_that_is_taken_is_said(root, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert cli.main(["view", str(root), "--no-browser", "--port", str(port)]) == 2
    said = capsys.readouterr().err
    assert f"Cannot listen on 127.0.0.1, port {port}." in said and "Leave --port out" in said


def test_a_folder_that_is_not_there_is_said(tmp_path, capsys):
    assert cli.main(["view", str(tmp_path / "no"), "--no-browser"]) == 2
    assert "There is no run" in capsys.readouterr().err


def test_what_is_not_installed_is_said(root, monkeypatch, capsys):
    monkeypatch.setattr(launch, "find_spec", lambda name: None)
    assert cli.main(["view", str(root), "--no-browser"]) == 2
    assert "pip install 'gradtape[view]'" in capsys.readouterr().err


@ON_POSIX
def test_a_folder_for_the_state_that_others_can_write_is_not_used(tmp_path, root, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    folder = tmp_path / "gradtape"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    state = {"pid": 1, "url": "http://127.0.0.1:1/", "token": "t", "root": str(root)}
    with launch._state_file(root, state):
        assert list(folder.iterdir()) == []
    (folder / f"{run_id(root)}.json").write_text(json.dumps(state))
    assert launch._running(root) is None


@ON_POSIX
def test_a_link_in_place_of_the_state_file_is_not_followed(tmp_path, root, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "gradtape").mkdir(mode=0o700)
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "gradtape" / f"{run_id(root)}.json").symlink_to(victim)
    with launch._state_file(root, {"pid": 1, "token": "t"}):
        assert victim.read_text() == "mine"


def test_requests_that_do_not_arrive_are_given_up(root, tmp_path, monkeypatch):
    """A connection that sends nothing, half a request, or a byte at a time, is closed."""
    from gradtape.viewer.answers import Answers
    from gradtape.viewer.library import Library
    from gradtape.viewer.shelf import Shelf
    from gradtape.viewer.watch import Watch

    monkeypatch.setattr(server, "HEAD_SECONDS", 0.4)
    sockets = launch.listen("127.0.0.1", 0)
    port = sockets[0].getsockname()[1]
    library = Library(Shelf(root))
    watch = Watch(library)
    app = server.application(Answers(library), watch, port=port, token="t")
    over, ready = threading.Event(), threading.Event()
    thread = threading.Thread(
        target=server.serve, args=(sockets, app, watch),
        kwargs={"is_over": over.is_set, "started": ready.set},
    )  # fmt: skip
    thread.start()
    try:
        assert ready.wait(10)
        for raw in (b"", b"GET / HTTP/1.1\r\nHost: 127.0.0.1"):
            begun = time.monotonic()
            with contextlib.suppress(ConnectionResetError):
                assert exchange(port, raw, timeout=5) == b""
            assert time.monotonic() - begun < 4
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            begun = time.monotonic()
            with pytest.raises(OSError):
                for byte in b"GET / HTTP/1.1\r\nX: " + b"a" * 100:
                    connection.sendall(bytes([byte]))
                    time.sleep(0.05)
            assert time.monotonic() - begun < 4
        reply = exchange(port, b"GET / HTTP/1.1\r\n" + b"X: " + b"a" * 70_000 + b"\r\n\r\n", 5)
        assert b"400" in reply.split(b"\r\n")[0] or b"431" in reply.split(b"\r\n")[0]
        whole = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
        assert exchange(port, whole.encode()).startswith(b"HTTP/1.1 403")
    finally:
        over.set()
        thread.join(20)
    assert not thread.is_alive()


@ON_POSIX
def test_sigterm_ends_it_and_leaves_no_state(root, tmp_path):
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    started = Started(root, home)
    assert len(list((home / "gradtape").iterdir())) == 1
    started.process.terminate()
    out, err = started.process.communicate(timeout=20)
    assert (started.process.returncode, out, err) == (0, "", "")
    assert list((home / "gradtape").iterdir()) == []


@ON_POSIX
def test_a_state_file_of_a_server_that_was_killed_is_not_believed(root, tmp_path, monkeypatch):
    """Not even where something else listens on its port now."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home))
    started = Started(root, home)
    assert launch._running(root)["token"] == started.token
    started.process.kill()
    started.process.communicate(timeout=20)
    assert len(list((home / "gradtape").iterdir())) == 1
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", started.port))
        other.listen()
        assert launch._running(root) is None


@ON_POSIX
def test_ctrl_c_ends_it_and_nothing_of_what_was_asked_was_logged(root, tmp_path):
    """Not the token, not an address, not a value; also where a run cannot be read."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    started = Started(root, home)
    _, headers, _ = get(started.port, f"/?token={started.token}")
    key = headers["set-cookie"].partition(";")[0]
    for path in ("/", "/api/runs?secret=1", f"/api/run/{run_id(root / 'line')}/row?step=secret"):
        get(started.port, path, cookie=key)
    exchange(started.port, b"secret nonsense\r\n\r\n")
    code, out, err = started.end()
    assert code == 0
    assert (out, err) == ("", "")
    assert list((home / "gradtape").iterdir()) == []


def test_a_browser_that_does_not_return_holds_nothing_up(monkeypatch):
    over, opened = threading.Event(), []
    monkeypatch.setattr(
        launch.webbrowser, "open", lambda address: opened.append(address) or over.wait(20)
    )
    begun = time.monotonic()
    launch._open("http://127.0.0.1:1/")
    assert time.monotonic() - begun < 5
    while not opened:
        time.sleep(0.01)
    over.set()


@ON_POSIX
@pytest.mark.slow
def test_show_takes_no_module_from_the_folder_it_is_called_in(root, tmp_path):
    (tmp_path / "uvicorn.py").write_text("open('taken', 'w')\nraise SystemExit")
    code = f"""
import sys; sys.path[0] = {str(Path(launch.__file__).parents[2])!r}
from gradtape.viewer import launch
address = launch.show({str(root)!r}, browser=False)
launch._started[0].terminate(); launch._started[0].wait()
print(address.partition("?")[0])
"""
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path),
                   "PYTHONPATH": str(Path(launch.__file__).parents[2])}  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment,
                          capture_output=True, text=True, timeout=60)  # fmt: skip
    assert done.stdout.startswith("http://127.0.0.1:"), done.stderr
    assert not (tmp_path / "taken").exists()


@ON_POSIX
@pytest.mark.slow
def test_show_starts_a_process_and_finds_it_again(root, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    tmp_path.chmod(0o700)
    opened = []
    monkeypatch.setattr(launch, "_open", opened.append)
    address = launch.show(root / "line")
    (process,) = [each for each in launch._started if each.poll() is None]
    try:
        assert len(opened) == 1 and opened[0] != address
        port = int(re.match(r"http://127\.0\.0\.1:(\d+)/", address)[1])
        status, headers, _ = get(port, "/" + address.split("/", 3)[3])
        assert (status, headers["location"]) == (303, f"/#run={run_id(root / 'line')}")
        kept = launch.lasting(root / "line")
        for _ in range(2):
            status, headers, _ = get(port, "/" + kept.split("/", 3)[3])
            assert (status, headers["location"]) == (303, f"/#run={run_id(root / 'line')}")
        again = launch.show(root / "line", browser=False)
        assert again.startswith(f"http://127.0.0.1:{port}/")
        assert [each for each in launch._started if each.poll() is None] == [process]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)
    assert launch._running(root / "line") is None and launch.lasting(root / "line") is None


def test_it_ends_by_itself_when_nobody_looks(root, tmp_path):
    started = Started(root, tmp_path, "--idle", "0.5")
    assert started.process.wait(15) == 0
    started.process.communicate()
