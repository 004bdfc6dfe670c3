"""Compiled programs on disk: a folder of one's own, trusted by ownership.

The files hold native code, and loading one is running it. So the folder must belong to the user and
be closed to everybody else (mode 0700), a file must belong to the user and be writable by nobody
else, and what it holds must have the checksum that it says. Nothing is unpickled: a file is a
header in JSON and blobs of bytes::

    file ::= MAGIC digest(rest) rest        rest ::= length(header) header blob*

Where a folder or a file is not like that, it is left alone or made anew, and a CompileWarning says
so. Several processes may write at once: each writes a file of its own and puts it in its place in
one step, so a reader sees a whole file or none. Above `gt.configure(cache_bytes=...)` the files
longest unused go.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import stat
import sys
import time
import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from .. import config
from ..core.positions import user_level
from ..errors import CompileWarning, three_part

__all__ = ["clear_cache", "folder", "key_of", "read", "versions", "write"]

MAGIC = b"gradtape program 2\n"
SUFFIX = ".program"
_NAME = re.compile(r"[0-9a-f]{32}\.program")
_LEFT = re.compile(r"\.[0-9a-f]{32}\.[0-9]+\.[0-9a-f]+\.part")
_OLD = 3600.0  # seconds after which a file in the making is one that nobody finishes
_warned: set[str] = set()


def folder() -> Path:
    """Where programs are kept: the setting, GRADTAPE_CACHE, or the user's cache folder."""
    chosen = config.current.cache_folder or os.environ.get("GRADTAPE_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        base = "~/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "gradtape" / "programs"


def read(key: str) -> tuple[Any, list[bytes]] | None:
    """The header and the blobs that were written under `key`, or None."""
    place = _open_folder(make=False)
    if place is None:
        return None
    path = place / (key + SUFFIX)
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | _BINARY)
    except FileNotFoundError:
        return None
    except OSError as error:
        _warn(f"cannot be read ({error.strerror})", path)
        return None
    with open(descriptor, "rb") as file:
        if not _is_own(os.fstat(descriptor)):
            _warn("belongs to another user, or others may write it", path)
            return None
        data = file.read()
    found = _parse(data, key)
    if found is None:
        _warn("is damaged", path)
        return None
    with contextlib.suppress(OSError):
        os.utime(path)
    return found


def write(key: str, header: Any, blobs: Sequence[bytes]) -> bool:
    """Keep a header (what JSON can say) and blobs under `key`; whether that succeeded."""
    place = _open_folder(make=True)
    if place is None:
        return False
    sizes = [len(blob) for blob in blobs]
    head = json.dumps({"key": key, "sizes": sizes, "header": header}).encode()
    rest = b"".join((len(head).to_bytes(8, "little"), head, *blobs))
    if len(rest) > config.current.cache_bytes:
        return False
    part = place / f".{key}.{os.getpid()}.{os.urandom(4).hex()}.part"
    try:
        descriptor = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | _BINARY, 0o600)
        with open(descriptor, "wb") as file:
            file.write(MAGIC + _digest(rest) + rest)
        os.replace(part, place / (key + SUFFIX))
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        _warn(f"cannot be written ({error.strerror})", place, once=True)
        return False
    _shrink(place)
    return True


def clear_cache() -> int:
    """Delete the programs that `gt.function(cache=True)` has kept on disk; their number.

    Only files of ours in the folder of the settings go; programs of this process stay as they are.

    Examples
    --------
    >>> import gradtape as gt
    >>> gt.clear_cache() >= 0
    True
    """
    place = _open_folder(make=False)
    count = 0
    for path, _ in _files(place) if place is not None else ():
        with contextlib.suppress(OSError):
            path.unlink()
            count += path.suffix == SUFFIX
    return count


def key_of(*parts: str) -> str:
    """The name of what depends on these texts."""
    return _digest("\0".join(parts).encode(errors="surrogatepass")).hex()[:32]


def versions() -> str:
    """What every program depends on: this Python, NumPy, and gradtape's own source."""
    python = f"{sys.implementation.cache_tag} {sys.version} {sys.maxsize} {sys.byteorder}"
    return "\n".join((python, np.__version__, _source()))


@cache
def _source() -> str:
    """A digest of gradtape's source: names, sizes and times of the files."""
    root = str(Path(__file__).resolve().parent.parent)
    found: list[str] = []

    def look(place: str) -> None:
        with os.scandir(place) as entries:
            for entry in entries:
                if entry.is_dir():
                    look(entry.path)
                elif entry.name.endswith(".py"):
                    status = entry.stat()
                    name = entry.path[len(root) :]
                    found.append(f"{name} {status.st_size} {status.st_mtime_ns}")

    for room in ("core", "ops", "tape", "graph", "passes", "backends", "program", "transforms"):
        look(os.path.join(root, room))
    return key_of(*sorted(found))


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=32).digest()


# ------------------------------------------------------------------------------------ helpers

_BINARY = getattr(os, "O_BINARY", 0)


def _parse(data: bytes, key: str) -> tuple[Any, list[bytes]] | None:
    """What a file holds; None where it is not what was written."""
    at = len(MAGIC) + 32
    rest = data[at:]
    if data[: len(MAGIC)] != MAGIC or _digest(rest) != data[len(MAGIC) : at]:
        return None
    size = int.from_bytes(rest[:8], "little")
    said = json.loads(rest[8 : 8 + size])
    if said["key"] != key:
        return None
    blobs, start = [], 8 + size
    for length in said["sizes"]:
        blobs.append(rest[start : start + length])
        start += length
    return said["header"], blobs


def _is_own(status: os.stat_result, closed: int = 0o022) -> bool:
    """Whether a file is the user's own, without the `closed` rights of others."""
    if not hasattr(os, "getuid"):  # Windows: the folder lies in the user's profile
        return True
    return status.st_uid == os.getuid() and not stat.S_IMODE(status.st_mode) & closed


def _open_folder(make: bool) -> Path | None:
    """The folder, if it can be trusted; made if asked for."""
    place = folder()
    try:
        if make:
            place.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                place.mkdir(mode=0o700)
        status = os.stat(place)
    except OSError as error:
        if make or not isinstance(error, FileNotFoundError):
            _warn(f"cannot be used ({error.strerror})", place, once=True)
        return None
    if not stat.S_ISDIR(status.st_mode) or not _is_own(status, 0o077):
        _warn("is no folder of yours that is closed to others", place, once=True)
        return None
    return place


def _files(place: Path) -> list[tuple[Path, os.stat_result]]:
    found = []
    with contextlib.suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            if _NAME.fullmatch(entry.name) or _LEFT.fullmatch(entry.name):
                with contextlib.suppress(OSError):
                    found.append((Path(entry.path), entry.stat(follow_symlinks=False)))
    return found


def _shrink(place: Path) -> None:
    """Delete what nobody finished, and the files longest unused while all are too many bytes."""
    files = _files(place)
    total = sum(status.st_size for _, status in files)
    for path, status in sorted(files, key=lambda item: item[1].st_mtime_ns):
        is_left = path.suffix != SUFFIX
        if is_left and time.time() - status.st_mtime < _OLD:
            continue
        if is_left or total > config.current.cache_bytes:
            with contextlib.suppress(OSError):
                path.unlink()
                total -= status.st_size


def _warn(what: str, path: Path, once: bool = False) -> None:
    if once and str(path) in _warned:
        return
    _warned.add(str(path))
    warnings.warn(
        three_part(
            f"function: {path} {what}.",
            "Compiled programs are native code and are taken only from a folder of your own, as "
            "they were written; this one is left out, and the program is compiled.",
            "gt.clear_cache() deletes what is kept; another folder is "
            'gt.configure(cache_folder="..."), made with mode 0700.',
        ),
        CompileWarning,
        stacklevel=user_level(),
    )
