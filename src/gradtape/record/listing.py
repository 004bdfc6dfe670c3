"""The runs below a folder: where they are, how they stand, what they cost."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import RunError
from .pack import SUFFIX
from .reader import Reader
from .schema import DATABASE, plain

__all__ = ["Listed", "find", "listed", "table"]

_DEPTH = 6


@dataclass(frozen=True)
class Listed:
    """One run in a list.

    Attributes
    ----------
    path : Path
        Its folder, or the file it is packed in.
    name, status, created : str
        As in its meta; a run that cannot be read has the status damaged.
    lost : str
        What could not be written, in words; "" if nothing is known to be missing.
    parent : str or None
        The run that its process was forked from.
    steps, size : int
        How many steps it has, and bytes on the disk.
    first, best, last : float or None
        The cost of its first step, the lowest, that of the last.
    """

    path: Path
    name: str
    status: str
    created: str = ""
    parent: str | None = None
    steps: int = 0
    size: int = 0
    first: float | None = None
    best: float | None = None
    last: float | None = None
    lost: str = ""


def find(folder: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield every run below a folder, or the folder itself; links are not followed.

    A packed run is the one run that there is below itself.
    """
    top = Path(folder)
    if top.is_file():
        if zipfile.is_zipfile(top):
            yield top
        return
    for place, folders, files in os.walk(top, followlinks=False):
        here = Path(place)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if len(here.relative_to(top).parts) >= _DEPTH:
            folders.clear()
        if DATABASE in files and not (here / DATABASE).is_symlink():
            yield here
        for name in sorted(files):
            path = here / name
            if name.endswith(SUFFIX) and not path.is_symlink() and zipfile.is_zipfile(path):
                yield path


def listed(path: Path) -> Listed:
    """Return what a list says of a run; one that cannot be read is damaged."""
    size = _size(path)
    try:
        reader = Reader(path)
        try:
            with reader.session():
                meta, status, steps = reader.meta(), reader.status(), reader.count()
                lost = reader.lost()
                names = {column.name for column in reader.columns()}
                costs = reader.series("cost")[1] if "cost" in names else np.empty(0)
        finally:
            reader.close()
    except RunError:
        return Listed(path, path.stem, "damaged", size=size)
    finite = costs[np.isfinite(costs)]
    return Listed(
        path,
        str(meta.get("name", path.stem)),
        status,
        str(meta.get("created", "")),
        str(meta["parent"]) if "parent" in meta else None,
        steps,
        size,
        float(costs[0]) if len(costs) else None,
        float(finite.min()) if len(finite) else None,
        float(costs[-1]) if len(costs) else None,
        "" if lost is None else str(lost),
    )


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(entry.stat().st_size for entry in os.scandir(path) if entry.is_file())


def table(runs: list[Listed], top: Path) -> str:
    """The list as text: a line per run, columns aligned; below it what could not be written.

    >>> print(table([Listed(Path("r/a"), "a", "finished", "2026-01-02T03:04", None, 70, 2048,
    ...                     9.0, 1.5, 1.5)], Path("r")))
    RUN  STATUS    STEPS  FIRST  BEST  LAST  CREATED              SIZE
    a    finished     70      9   1.5   1.5  2026-01-02 03:04  2.0 KiB
    """
    head = ("RUN", "STATUS", "STEPS", "FIRST", "BEST", "LAST", "CREATED", "SIZE")
    lines: list[tuple[str, ...]] = [head]
    for run in runs:
        where = str(run.path if run.path == top else run.path.relative_to(top))
        costs = ["" if c is None else f"{c:.6g}" for c in (run.first, run.best, run.last)]
        created = run.created.replace("T", " ")[:16]
        lines.append((plain(where), run.status, str(run.steps), *costs, plain(created),
                      _bytes(run.size)))  # fmt: skip
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    left = (0, 1, 6)
    told = [f"{line[0]}: {run.lost}" for line, run in zip(lines[1:], runs, strict=True) if run.lost]
    return "\n".join(
        [
            "  ".join(
                entry.ljust(width) if i in left else entry.rjust(width)
                for i, (entry, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
        + told
    )


def _bytes(count: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
