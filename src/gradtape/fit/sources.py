"""Where the data come from: a file, a pipe, a table in memory; and what is wrong with a path."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import three_part
from .formats import FORMATS, Format, Source, empty_error, sniffed
from .problems import FitError, did_you_mean, require

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["STDIN", "Table", "format_of", "open_source", "read_source", "read_table", "table_of"]

STDIN = "-"
"""What is typed in place of a path to read from a pipe."""


@dataclass(frozen=True)
class Table:
    """A table that still knows where each of its rows stands.

    Attributes
    ----------
    frame : pandas.DataFrame
        One column per column of the data; the index counts the rows from 0.
    name : str
        What messages call the data: a path, or "standard input".
    line_of : callable
        From a row to the line of the file in which it ends, or None where there are no lines.
    """

    frame: pd.DataFrame
    name: str
    line_of: Callable[[int], int | None] = lambda _row: None

    def place(self, row: int) -> str:
        """Return where the row stands, as "row 33 (line 34 of cars.csv)"; `row` counts from 0."""
        line = self.line_of(row)
        number = f"row {row + 1}"
        return f"{number} (line {line} of {Path(self.name).name})" if line else number

    is_streamed = False

    def frames(self, columns: Sequence[str], texts: Sequence[str] = ()) -> Iterator[pd.DataFrame]:
        """Yield the rows: here all of them at once, with all columns."""
        yield self.frame

    @property
    def columns(self) -> list[str]:
        """The names of the columns, in their order."""
        return [str(name) for name in self.frame.columns]


def read_table(data: str | Path) -> Table:
    """Return the data as a table.

    The format goes by the ending of the file's name: `.tsv`, `.parquet` (or `.pq`), `.jsonl` (or
    `.ndjson`), and CSV for every other. What comes through a pipe, `-`, is looked at. In text,
    the first line names the columns; empty cells, `NA`, `NaN`, `null` and pandas' other usual
    words are missing values.

    Raises
    ------
    FitError
        When the file is missing, cannot be read, is empty, or is not a table.
    MissingExtraError
        When pandas or pyarrow is not installed.
    """
    return read_source(open_source(data))


def read_source(source: Source) -> Table:
    """Return a source as a table in memory."""
    form = format_of(source)
    require("pandas")
    frame = form.read(source)
    frame.columns = [str(name).strip() for name in frame.columns]
    if frame.empty:
        raise empty_error(source)
    return Table(frame, source.name, lambda row: form.line_of(source, row))


def table_of(data: Any) -> Table:
    """Return a table in memory (a DataFrame, or what makes one: a dict of columns) as a `Table`.

    Raises
    ------
    FitError
        When no table with rows and columns can be made of it.
    """
    pd = require("pandas")
    try:
        frame = pd.DataFrame(data).reset_index(drop=True)
    except (TypeError, ValueError) as error:
        raise FitError(
            three_part(
                f"A {type(data).__name__} is no table.",
                f"pandas says: {str(error).partition(chr(10))[0]}.",
                'Pass a DataFrame, a dict of columns such as {"x": x, "y": y}, or a path.',
            )
        ) from None
    frame.columns = [str(name) for name in frame.columns]
    if frame.empty:
        raise FitError(
            three_part(
                "The data are empty: they have no rows.",
                "",
                'Pass at least two rows, such as {"x": [1, 2, 3], "y": [2, 3, 5]}.',
            )
        )
    return Table(frame, "the data")


def open_source(data: str | Path) -> Source:
    """Return the source that `data` names, checked that it can be read."""
    if str(data) == STDIN:
        return Source("standard input", content=sys.stdin.buffer.read())
    path = Path(data)
    _check_file(path)
    return Source(str(path), path=path)


def format_of(source: Source) -> Format:
    """Return how the source is read."""
    if source.path is None:
        return sniffed(source.content or b"")
    ending = source.path.suffix.lower()
    return next((form for form in FORMATS.values() if ending in form.endings), FORMATS["csv"])


def _check_file(path: Path) -> None:
    if path.is_dir():
        endings = {ending for form in FORMATS.values() for ending in form.endings}
        inside = sorted(item.name for item in path.iterdir() if item.suffix.lower() in endings)
        raise FitError(
            three_part(
                f"{path} is a folder, not a file of data.",
                f"In it: {', '.join(inside[:5])}." if inside else "",
                f"Give the file: {path / inside[0]}" if inside else "Give the path of a file.",
            )
        )
    try:
        exists = path.exists()
    except (OSError, ValueError):  # a name too long for the system, or with a null byte
        exists = False
    if not exists:
        folder = path.parent
        neighbours = [item.name for item in folder.iterdir()] if folder.is_dir() else []
        near = did_you_mean(path.name, neighbours, likeness=0.75)  # .csv is alike in all
        raise FitError(
            three_part(
                f"The file {path} does not exist.",
                f"Its folder {folder} does not exist either." if not folder.is_dir() else "",
                near or "Give the path of a CSV, TSV, Parquet or JSON lines file.",
            )
        )
    try:
        with open(path, "rb") as file:
            file.read(1)
    except OSError as error:
        raise FitError(
            three_part(
                f"The file {path} cannot be read.",
                f"The system says: {error.strerror}.",
                f"Allow it (chmod u+r {path}), or give a copy of it.",
            )
        ) from None
