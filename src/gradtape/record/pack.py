"""A run as one file: a zip archive without compression, to keep or to send.

The file holds `run.db` and the segment files under their own names and nothing else. What comes
from elsewhere is taken apart only if it looks exactly so: no other name, no path, no compression
(so that nothing grows), no entry twice.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import tempfile
import zipfile
from pathlib import Path

from ..errors import RunError, three_part
from .database import Database
from .doors import path_of
from .losses import marked
from .schema import DATABASE, encode, segment_name

__all__ = ["SUFFIX", "pack", "unpack"]

SUFFIX = ".gtrun"
_NAME = re.compile(r"run\.db|arrays-[0-9]{4,6}\.bin")
_ENTRIES = 10_000


def pack(run: str | os.PathLike[str], target: str | os.PathLike[str] | None = None) -> Path:
    """Write a run's folder as one file and return its path, `RUN.gtrun` unless `target` says else.

    A run that is still written is packed as it is at this moment; runs of forked children are runs
    of their own. Raises RunError where there is no run, or `target` cannot be written.
    """
    folder = path_of("pack", run)
    path = folder.with_name(folder.name + SUFFIX) if target is None else path_of("pack", target)
    database = Database(folder, seconds=600.0)
    made = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with tempfile.TemporaryDirectory(prefix="gradtape-") as temporary:
            copy = Path(temporary) / DATABASE
            sizes = _copied(database, copy)
            with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
                archive.write(copy, DATABASE)
                for number, size in sizes:
                    _add(archive, folder / segment_name(number), size)
        os.replace(made, path)
    except OSError as error:
        raise RunError(
            three_part(
                f"pack: {path} cannot be written: {error.strerror or error}.",
                f"It gets all that {folder} holds.",
                "Give another place: gradtape pack RUN -o FILE",
            )
        ) from error
    finally:
        made.unlink(missing_ok=True)
        database.close()
    return path


def _copied(database: Database, copy: Path) -> list[tuple[int, int]]:
    """Copy the database as it is now; return how far the segment files belong to it."""
    with database.session() as connection:
        target = sqlite3.connect(copy)
        try:
            connection.backup(target)
            target.execute("PRAGMA journal_mode=DELETE")
            beside = marked(database.folder)
            if beside is not None:  # in the file there is room for what was said beside the run
                said = {"count": beside.count, "error": beside.error}
                target.execute("INSERT OR REPLACE INTO meta VALUES ('lost', ?)", (encode(said),))
                target.commit()
            found = target.execute(
                "SELECT segment, max(offset + length) FROM array WHERE segment > 0 GROUP BY segment"
            ).fetchall()
        finally:
            target.close()
    return [(int(number), int(size)) for number, size in found]


def _add(archive: zipfile.ZipFile, path: Path, size: int) -> None:
    with open(path, "rb") as source, archive.open(path.name, "w", force_zip64=True) as entry:
        while size > 0:
            part = source.read(min(size, 1 << 20))
            if not part:
                raise _bad(path, f"it should have {size} bytes more")
            entry.write(part)
            size -= len(part)


def unpack(path: Path) -> Path:
    """Take a packed run apart into a private folder for the time being, and return that.

    Raises RunError for anything that `pack` does not write.
    """
    folder = Path(tempfile.mkdtemp(prefix="gradtape-"))
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            _check(path, entries)
            for entry in entries:
                with (
                    archive.open(entry) as source,
                    open(folder / entry.filename, "xb") as target,
                ):
                    shutil.copyfileobj(source, target, 1 << 20)
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, RunError):
            raise
        raise _bad(path, str(error)) from error
    return folder


def _check(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    names = [entry.filename for entry in entries]
    for name in names:
        if not _NAME.fullmatch(name):
            raise _bad(path, f"it holds {name[:60]!r}")
    if DATABASE not in names or len(set(names)) < len(names) or len(names) > _ENTRIES:
        raise _bad(path, f"it holds {len(names)} entries: {', '.join(names[:3])}")
    for entry in entries:
        stored = entry.compress_type == zipfile.ZIP_STORED
        if not stored or entry.file_size != entry.compress_size or entry.flag_bits & 1:
            raise _bad(path, f"{entry.filename} is compressed or encrypted")
    if sum(entry.file_size for entry in entries) > path.stat().st_size:
        raise _bad(path, "its entries overlap")


def _bad(path: Path, what: str) -> RunError:
    return RunError(
        three_part(
            f"open_run: {path} is no packed run: {what}.",
            "gradtape writes no such file: it is another archive, was damaged, or was made to "
            "harm its reader.",
            "Open a file that `gradtape pack` has written, or a run's folder.",
        )
    )
