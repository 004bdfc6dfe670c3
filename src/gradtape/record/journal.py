"""The database of a run opened for writing: in WAL mode where the filesystem can, else TRUNCATE.

WAL needs shared memory between the processes on one machine. Network filesystems and most of what
is mounted through FUSE have none, or only seem to; there the older rollback journal is used, which
readers wait for.
"""

from __future__ import annotations

import re
import sqlite3
import time
from pathlib import Path

from ..errors import RecordError, three_part
from .schema import APPLICATION, DATABASE, TABLES, VERSION

__all__ = ["BUSY_SECONDS", "create", "filesystem", "finish"]

BUSY_SECONDS = 5.0
_PAGE, _JOURNAL = 8192, 64 << 20  # bytes: of a page, of a journal that is kept

# Where locks and shared memory do not reach the other machines, or are not there.
_NO_WAL = re.compile(r"nfs\d*|cifs|smb\w*|9p|afs|ncpfs|lustre|gpfs|beegfs|ceph|glusterfs|fuse\..*")


def filesystem(folder: Path, table: str = "/proc/self/mounts") -> str:
    """The type of the filesystem that a folder lies on, "" where the system does not say."""
    try:
        lines = Path(table).read_text(errors="replace").splitlines()
    except OSError:
        return ""
    best, kind = -1, ""
    path = folder.resolve()
    for line in lines:
        parts = line.split(" ")
        if len(parts) < 3:
            continue
        mount = Path(re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), parts[1]))
        if (path == mount or mount in path.parents) and len(mount.parts) >= best:
            best, kind = len(mount.parts), parts[2]
    return kind


def create(
    folder: Path, *, synchronous: str = "NORMAL", vfs: str = ""
) -> tuple[sqlite3.Connection, str]:
    """Create a run's database; return the connection and which journal it has, with why.

    The second is "wal", or "truncate: ..." with the reason. Raises RecordError where no file can
    be written.
    """
    path = folder / DATABASE
    kind = filesystem(folder)
    reason = f"the filesystem is {kind}" if _NO_WAL.fullmatch(kind) else ""
    modes = ("TRUNCATE",) if reason else ("WAL", "TRUNCATE")
    failure: sqlite3.Error | None = None
    for mode in modes:
        try:
            connection = sqlite3.connect(
                f"{path.resolve().as_uri()}?mode=rwc{f'&vfs={vfs}' if vfs else ''}",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
                timeout=BUSY_SECONDS,
                cached_statements=128,
            )
        except sqlite3.Error as error:
            failure = error
            continue
        try:
            connection.execute(f"PRAGMA page_size={_PAGE}")
            got = connection.execute(f"PRAGMA journal_mode={mode}").fetchone()[0]
            if got.upper() != mode:
                reason = f"SQLite has no WAL there (it stays {got})"
                connection.close()
                continue
            connection.execute(f"PRAGMA synchronous={synchronous}")
            connection.execute("PRAGMA temp_store=MEMORY")
            connection.execute(f"PRAGMA journal_size_limit={_JOURNAL}")
            connection.execute("PRAGMA trusted_schema=OFF")
            connection.execute(f"PRAGMA application_id={APPLICATION}")
            connection.execute(f"PRAGMA user_version={VERSION}")
            connection.execute("BEGIN IMMEDIATE")
            for statement in TABLES.values():
                connection.execute(statement)
            connection.execute("INSERT INTO meta VALUES ('commits', '0')")
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            failure = error
            reason = f"SQLite's WAL fails there ({error})"
            connection.close()
            for name in (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", f"{DATABASE}-journal"):
                (folder / name).unlink(missing_ok=True)
            continue
        return connection, "wal" if mode == "WAL" else f"truncate: {reason}"
    raise RecordError(
        three_part(
            f"Recording: {path} cannot be created: {failure}.",
            "The folder cannot be written, or the disk is full.",
            "Record into another folder, such as one below your home folder.",
        )
    ) from failure


def finish(connection: sqlite3.Connection, seconds: float = 2.0) -> bool:
    """Put all into the one file and leave no journal; whether it could be done.

    Readers that are in the middle of something are waited for.
    """
    deadline = time.monotonic() + seconds
    connection.execute("PRAGMA busy_timeout=100")
    while True:
        try:
            mode = connection.execute("PRAGMA journal_mode=DELETE").fetchone()[0]
            if mode == "delete":
                return True
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _BUSY:
                return False
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)


_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
