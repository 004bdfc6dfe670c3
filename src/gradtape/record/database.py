"""The database of a run opened for reading: it may come from anybody, and a writer may be at work.

A connection cannot write, runs no view, trigger or function of the file's, and gives up after a
time. The schema must be the one that gradtape writes, to the letter. While a process writes the
run, a connection is opened for each question and closed again, so that the writer can put the
run's files together when it ends.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import stat
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import RunError, three_part
from .lock import is_held
from .schema import APPLICATION, DATABASE, TABLES, VERSION, plain

__all__ = ["Database"]

# A message of SQLite's can hold bytes of the file, which need not be text.
_FAULTS = (sqlite3.Error, UnicodeError, OverflowError, MemoryError)
_BLOB = 1 << 28  # bytes of the largest value that is read


class Database:
    """The database in a run's folder, for questions.

    Parameters
    ----------
    folder : Path
        The run's folder.
    seconds : float
        How long a question may take.

    Raises
    ------
    RunError
        There is no run, or it is not one that gradtape has written.
    """

    def __init__(self, folder: Path, seconds: float = 20.0) -> None:
        self.folder, self._seconds = folder, seconds
        self._guard = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._depth = 0
        self._deadline = 0.0
        self._stays = False
        with self.session():
            pass  # whatever is wrong with it is said at once

    def ask(self, text: str, values: Any = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a question."""
        with self.session() as connection:
            try:
                return connection.execute(text, values).fetchall()
            except _FAULTS as error:
                raise self._failed(error) from error

    @contextlib.contextmanager
    def session(self) -> Iterator[sqlite3.Connection]:
        """A connection; questions within one session see the same state of the run."""
        with self._guard:
            if self._depth == 0:
                self._begin()
            self._depth += 1
            try:
                assert self._connection is not None
                yield self._connection
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self._end()

    def close(self) -> None:
        """Close what is open; the next question opens it again."""
        with self._guard:
            if self._connection is not None and self._depth == 0:
                self._connection.close()
                self._connection = None
            self._stays = False

    def __del__(self) -> None:
        if getattr(self, "_connection", None) is not None:
            self.close()

    def _begin(self) -> None:
        self._deadline = time.monotonic() + self._seconds
        if self._connection is None:
            self._open()
        assert self._connection is not None
        try:
            self._connection.execute("BEGIN")
        except _FAULTS as error:
            raise self._failed(error) from error

    def _end(self) -> None:
        assert self._connection is not None
        with contextlib.suppress(sqlite3.Error):
            self._connection.execute("ROLLBACK")
        if not self._stays:
            self._connection.close()
            self._connection = None

    def _open(self) -> None:
        path = self.folder / DATABASE
        try:
            found = path.lstat()
        except PermissionError as error:
            raise RunError(
                three_part(
                    f"open_run: {self.folder} may not be entered: {error.strerror}.",
                    "It, or a folder on the way to it, belongs to somebody else.",
                    "Ask for a packed run (`gradtape pack RUN`), or for the right to read it.",
                )
            ) from None
        except OSError:
            found = None
        if found is None or not stat.S_ISREG(found.st_mode):
            raise RunError(
                three_part(
                    f"open_run: {self.folder} holds no recorded run.",
                    f"A run is a folder with a file {DATABASE}, and there is none.",
                    "`gradtape runs DIR` lists the runs below a folder.",
                )
            )
        held = is_held(self.folder)
        journal = any((self.folder / f"{DATABASE}{end}").exists() for end in ("-wal", "-journal"))
        how = "mode=ro" if held or journal else "mode=ro&immutable=1"
        try:
            self._connection = self._connect(path, how)
        except RunError:
            if held or not journal:
                raise
            # Its writer was killed, and the folder is not ours to write. SQLite has
            # to put it in order, which our copy is for.
            self._connection = self._connect(self._copied() / DATABASE, "mode=rw")
        self._stays = not held

    def _copied(self) -> Path:
        copy = Path(tempfile.mkdtemp(prefix="gradtape-"))
        weakref.finalize(self, shutil.rmtree, copy, ignore_errors=True)
        for end in ("", "-wal", "-journal"):
            source = self.folder / f"{DATABASE}{end}"
            if source.is_file() and not source.is_symlink():
                shutil.copyfile(source, copy / f"{DATABASE}{end}")
        return copy

    def _connect(self, path: Path, how: str) -> sqlite3.Connection:
        connection = None
        try:
            connection = sqlite3.connect(
                f"{path.resolve().as_uri()}?{how}",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
                timeout=5.0,
            )
            connection.set_progress_handler(lambda: time.monotonic() > self._deadline, 20_000)
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _BLOB)
            connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
            connection.setlimit(sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH, 1)
            if sys.version_info >= (3, 12):
                connection.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, True)
                connection.setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_TRIGGER, False)
                connection.setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_VIEW, False)
            for pragma in ("trusted_schema=OFF", "query_only=ON", "cell_size_check=ON",
                           "mmap_size=0", "temp_store=MEMORY"):  # fmt: skip
                connection.execute(f"PRAGMA {pragma}")
            self._check(connection)
        except BaseException as error:
            if connection is not None:
                connection.close()
            if isinstance(error, _FAULTS):
                raise self._failed(error) from error
            raise
        return connection

    def _check(self, connection: sqlite3.Connection) -> None:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if application != APPLICATION:
            raise RunError(
                three_part(
                    f"open_run: {self.folder / DATABASE} is not a recorded run.",
                    f"It is a database of another kind (application_id {application:#x}).",
                    "Open a folder that gt.Recording has written.",
                )
            )
        if version > VERSION:
            raise RunError(
                three_part(
                    f"open_run: {self.folder} has format {version}, newer than {VERSION}.",
                    "It was recorded by a newer gradtape.",
                    "Install that one: pip install --upgrade gradtape",
                )
            )
        if version < VERSION:
            raise RunError(
                three_part(
                    f"open_run: {self.folder} has format {version}, older than {VERSION}.",
                    "It was recorded by a gradtape from before the first release.",
                    "Read it with that one, or record the run again.",
                )
            )
        known = {("table", name, text) for name, text in TABLES.items()}
        strange = []
        for kind, name, text in connection.execute("SELECT type, name, sql FROM sqlite_schema"):
            index = kind == "index" and text is None and str(name).startswith("sqlite_autoindex_")
            if (kind, name, text) in known:
                known.discard((kind, name, text))
            elif not index:
                strange.append(f"{str(kind)[:20]} {str(name)[:40]!r}")
        if strange or known:
            missing = [f"table {name!r} is missing" for _, name, _ in sorted(known)]
            raise RunError(
                three_part(
                    f"open_run: {self.folder / DATABASE} has not the tables of a run: "
                    f"{', '.join([*strange, *missing][:3])}.",
                    "gradtape has not made it so; such a file can be made to harm its reader.",
                    "Open only what gt.Recording has written.",
                )
            )

    def _failed(self, error: BaseException) -> RunError:
        words = plain(str(error))[:200] or type(error).__name__
        if "interrupted" in words:
            words = f"no answer within {self._seconds:g} s"
        return RunError(
            three_part(
                f"open_run: {self.folder / DATABASE} cannot be read: {words}.",
                "It is damaged, was made to look like a run, or its disk fails.",
                "Take it from a backup, or record again.",
            )
        )
