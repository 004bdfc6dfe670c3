"""Starts the server: `gradtape view` in this process, `run.show()` in one of its own.

The address with the token is printed, and written with the process's number into a file of the
user's that nobody else can read, so that a second call opens the same page again. A browser is
started with a ticket in place of the token (`guard.py`): other users can read command lines.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import three_part
from ..record.pack import SUFFIX
from ..record.schema import DATABASE
from .answers import Answers
from .guard import make_ticket, make_token
from .library import Library
from .shelf import Shelf, run_id
from .watch import Watch

__all__ = ["is_loopback", "lasting", "show", "state_folder", "view"]

LOOPBACK = "127.0.0.1"
IDLE_SECONDS = 900.0
"""A server that `show` started ends when nobody has looked for so long."""

WARNING = """\
gradtape view: listening on {host}, not only on this computer.
Whoever on the network has the address below with its token can read these runs, and what is sent
is not encrypted. An SSH tunnel needs no --host: ssh -L {port}:127.0.0.1:{port} HERE
"""


def view(
    path: str | os.PathLike[str],
    *,
    host: str = LOOPBACK,
    port: int = 0,
    browser: bool = True,
    idle: float | None = None,
    say: Callable[[str], None] | None = None,
) -> int:
    """Serve a run, or the runs below a folder, until Ctrl-C; return the exit code.

    Parameters
    ----------
    path : path
        A recorded run, packed or not, or a folder with runs in it.
    host : str
        An address or name of this computer to listen on. Any other than loopback is warned of, and
        asks for the token all the same.
    port : int
        0 for any that is free.
    browser : bool
        Whether to open a browser.
    idle : float, optional
        End by itself when nobody has looked for so many seconds.
    say : callable
        Takes what is printed; `print` by default.

    Raises
    ------
    FileNotFoundError
        If there is no such run or folder.
    ModuleNotFoundError
        If `gradtape[view]` is not installed.
    OSError
        If the port is taken.
    """
    root, say = _checked(path), say or _say
    from .server import application, is_idle, serve

    sockets = listen(host, port)
    port = sockets[0].getsockname()[1]
    token = make_token()
    shown = LOOPBACK if is_loopback(host) else f"[{host}]" if ":" in host else host
    if not is_loopback(host):
        say(WARNING.format(host=host, port=port))
        if host in ("0.0.0.0", "::"):
            shown = socket.gethostname().lower()
    base = f"http://{shown}:{port}/"
    shelf = Shelf(root)
    library = Library(shelf)
    watch = Watch(library)
    touched = [time.monotonic()]

    def touch() -> None:
        touched[0] = time.monotonic()

    hosts = _names(host)
    app = application(Answers(library), watch, port=port, token=token, hosts=hosts, touched=touch)
    state = {"pid": os.getpid(), "url": base, "token": token, "root": str(shelf.root)}

    def started() -> None:
        say(f"gradtape view: {base}?token={token} (Ctrl-C ends it)")
        if browser:
            _open(f"{base}?token={make_ticket(token)}{_deep_link(root)}")

    with _state_file(shelf.root, state), _ended(), contextlib.suppress(KeyboardInterrupt):
        serve(sockets, app, watch, started=started,
              is_over=lambda: is_idle(idle, touched, watch))  # fmt: skip
    library.close()
    return 0


def show(path: str | os.PathLike[str], *, browser: bool = True) -> str:
    """Open the page of a run, from a server in a process of its own, and return its address.

    A server of this user's that shows the same folder already is used again. Raises as `view`.
    """
    root = _checked(path)
    state = _running(root)
    if state is None:
        # -P: no module is taken from the folder that the user happens to be in
        command = [sys.executable, "-P", "-m", "gradtape", "view", str(root.resolve()),
                   "--no-browser", "--idle", str(IDLE_SECONDS)]  # fmt: skip
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, start_new_session=True,
        )  # fmt: skip
        assert process.stdout is not None
        with process.stdout:
            address = re.search(r"(http://\S+/)\?token=(\S+)", process.stdout.readline())
        if address is None:
            raise RuntimeError(
                three_part(
                    "The viewer did not start.",
                    "",
                    f"See what it says: gradtape view {root}",
                )
            )
        _started.append(process)
        state = {"url": address[1], "token": address[2]}
    if browser:
        _open(f"{state['url']}?token={make_ticket(state['token'])}{_deep_link(root)}")
    return f"{state['url']}?token={make_ticket(state['token'])}{_deep_link(root)}"


def lasting(path: str | os.PathLike[str]) -> str | None:
    """Return an address that is good as long as the server which `show` started, for a terminal.

    What `show` returns is good once, for a minute, as notebooks keep what is returned. None where
    no such server is known.
    """
    root = Path(path)
    state = _running(root)
    return None if state is None else f"{state['url']}?token={state['token']}{_deep_link(root)}"


@contextlib.contextmanager
def _ended() -> Iterator[None]:
    """Have SIGTERM end what is within as an exception does: the state file is taken away."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _open(address: str) -> None:
    """Start the browser from a thread: some do not return before they end."""
    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()


def _say(words: str) -> None:
    print(words, flush=True)


_started: list[Any] = []  # kept, so that Python does not warn of processes left running


def listen(host: str, port: int) -> list[socket.socket]:
    """Return sockets bound to a host; to both loopback addresses if it is one of them."""
    wanted = [LOOPBACK, "::1"] if is_loopback(host) else [host]
    made: list[socket.socket] = []
    for each in wanted:
        family = socket.AF_INET6 if ":" in each else socket.AF_INET
        # Named by its protocol, asyncio sends at once: else an answer waits 40 ms for an ACK.
        bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            if os.name != "nt":  # on Windows it would let another process share the port
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            bound.bind((each, made[0].getsockname()[1] if made else port))
        except OSError as error:
            bound.close()
            if made:
                break  # no IPv6 here, or its port is taken: the first address will do
            raise OSError(
                three_part(
                    f"Cannot listen on {host}, port {port}.",
                    f"{error.strerror}.",
                    "Leave --port out to take one that is free.",
                )
            ) from None
        made.append(bound)
    return made


def is_loopback(host: str) -> bool:
    """Whether a host is this computer alone.

    >>> [is_loopback(host) for host in ("localhost", "127.0.0.1", "::1", "0.0.0.0", "example.org")]
    [True, True, True, False, False]
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _names(host: str) -> list[str]:
    """By which further names a server that listens on `host` may be asked for."""
    if is_loopback(host):
        return []
    if host not in ("0.0.0.0", "::"):
        return [f"[{host}]" if ":" in host else host]
    return sorted({"*", socket.gethostname().lower(), socket.getfqdn().lower()})


def _checked(path: str | os.PathLike[str]) -> Path:
    root = Path(path)
    if not root.is_dir() and not (root.suffix == SUFFIX and root.is_file()):
        raise FileNotFoundError(
            three_part(
                f"There is no run {root}.",
                "",
                "Name a recorded run, or a folder with runs in it: gradtape view runs",
            )
        )
    missing = [name for name in ("starlette", "uvicorn") if find_spec(name) is None]
    if missing:
        raise ModuleNotFoundError(
            three_part(
                f"The viewer needs {' and '.join(missing)}.",
                "",
                "Install it: pip install 'gradtape[view]'",
            )
        )
    return root


def _deep_link(root: Path) -> str:
    is_one = root.is_file() or (root / DATABASE).is_file()
    return f"&run={run_id(root)}" if is_one else ""


# -- the file that says where a server is ---------------------------------------------------------


def state_folder() -> Path:
    """Return the folder, closed to everybody else, in which servers say where they are."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    if base:
        return Path(base) / "gradtape"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home()) / "gradtape" / "viewer"
    user = os.getuid() if hasattr(os, "getuid") else 0
    return Path(tempfile.gettempdir()) / f"gradtape-{user}"


def _is_private(path: Path, mode: int) -> bool:
    """Whether a file or folder is the user's own, no link, and closed to all others."""
    try:
        found = os.lstat(path)
    except OSError:
        return False
    if os.name == "nt":
        return True
    return (
        not stat.S_ISLNK(found.st_mode)
        and found.st_uid == os.getuid()
        and stat.S_IMODE(found.st_mode) & ~mode == 0
    )


@contextlib.contextmanager
def _state_file(root: Path, state: dict[str, Any]) -> Iterator[None]:
    """Keep `state` in a file of mode 0600 while the server runs; without one where it cannot be."""
    folder = state_folder()
    path = folder / f"{run_id(root)}.json"
    written = False
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _is_private(folder, 0o700):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
            with open(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
                json.dump(state, file)
            written = True
    try:
        yield
    finally:
        with contextlib.suppress(OSError, ValueError):
            if written and json.loads(path.read_text(encoding="utf-8"))["pid"] == state["pid"]:
                path.unlink()


def _running(root: Path) -> dict[str, Any] | None:
    """The state of a server of this user's that shows `root` and answers."""
    real = Path(os.path.realpath(root))
    path = state_folder() / f"{run_id(real)}.json"
    if not _is_private(path.parent, 0o700) or not _is_private(path, 0o600):
        return None
    try:
        state: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        port = int(state["url"].rstrip("/").rpartition(":")[2])
        if os.name != "nt":  # there, the signal 0 is Ctrl-C
            os.kill(state["pid"], 0)
        with socket.create_connection((LOOPBACK, port), timeout=1):
            return state
    except (OSError, ValueError, KeyError, TypeError):
        return None
