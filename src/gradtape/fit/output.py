"""Writing the files of a fit so that either all of them are there and whole, or none."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..errors import three_part
from .problems import FitError

__all__ = ["check_folder", "replace_file", "sweep", "write_files"]


def check_folder(folder: Path, names: tuple[str, ...], *, data: Path | None) -> None:
    """Refuse, before the work, a folder into which the files cannot be written.

    Raises
    ------
    FitError
        When the folder is a file, may not be written to, or when a file of that name is a folder
        or the data itself.
    """
    try:
        _check_can_write(folder)
        for name in names:
            _check_target(folder, name, data)
    except OSError as error:  # what permissions do not tell: a read-only disk, too long a name
        raise _unwritable(folder, f"The system says: {error.strerror}.") from None


def _check_can_write(folder: Path) -> None:
    existing = folder
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir():
        raise _unwritable(folder, f"{existing} is a file, not a folder.")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise _unwritable(folder, f"You have no permission to write into {existing}.")
    made = missing_folders(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    finally:
        remove_folders(made)


def _check_target(folder: Path, name: str, data: Path | None) -> None:
    target = folder / name
    if target.is_dir():
        raise _unwritable(folder, f"{target} is a folder.")
    if data is not None and target.exists() and target.samefile(data):
        raise FitError(
            three_part(
                f"Writing {target} would overwrite the data.",
                f"The fit writes {name} into its folder, and the data has that name.",
                "Give another folder: --out fit",
            )
        )


def replace_file(path: Path, content: bytes) -> None:
    """Write a file beside its place and let it take its name: at no moment is half of it there.

    Raises
    ------
    FitError
        When it cannot be written.
    """
    temporary = _beside(path)
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _unwritable(path.parent, f"The system says: {error.strerror}.") from None
        raise


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def sweep(folder: Path, names: Iterable[str]) -> None:
    """Remove what processes that were killed while writing these files have left beside them."""
    for name in names:
        for path in folder.glob(f".{name}.*.tmp"):
            pid = path.name.split(".")[-2]
            if pid.isdigit() and not _is_running(int(pid)):
                with contextlib.suppress(OSError):
                    path.unlink()


def _is_running(pid: int) -> bool:
    if os.name != "posix":
        return True  # there, asking would end it
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write all files into the folder, which is made if need be; after a failure, none is there.

    Each is written beside its place under a temporary name; only when all are complete do they
    take their names.
    """
    made = missing_folders(folder)
    temporary = {name: _beside(folder / name) for name in files}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            temporary[name].write_bytes(content)
        for name, path in temporary.items():
            path.replace(folder / name)
    except BaseException as error:
        for path in temporary.values():
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        remove_folders(made)
        if isinstance(error, OSError):
            raise _unwritable(folder, f"The system says: {error.strerror}.") from None
        raise


def missing_folders(folder: Path) -> list[Path]:
    """The folders that writing there has to make, the innermost first."""
    return [path for path in (folder, *folder.parents) if not path.exists()]


def remove_folders(made: list[Path]) -> None:
    """Take away the folders that were made, the innermost first, where they are empty."""
    for path in made:  # one in which there is something stays
        with contextlib.suppress(OSError):
            path.rmdir()


def _unwritable(folder: Path, cause: str) -> FitError:
    return FitError(
        three_part(
            f"The folder {folder} cannot be written to.",
            cause,
            "Give another folder: --out fit",
        )
    )
