"""A CSV file as a table that still knows which line of the file each row came from."""

from __future__ import annotations

import csv
import itertools
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import three_part
from .problems import FitError, did_you_mean, require

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Table", "read_table"]


@dataclass(frozen=True)
class Table:
    """A table and the file that it came from.

    Attributes
    ----------
    frame : pandas.DataFrame
        One column per column of the file; the index counts the rows from 0.
    path : Path
        The file.
    """

    frame: pd.DataFrame
    path: Path

    def place(self, row: int) -> str:
        """Return where the row stands, as "row 33 (line 34 of cars.csv)"; `row` counts from 0.

        The line is looked up in the file: empty lines and line breaks inside quotes are common
        enough that `row + 2` would point at the wrong one.
        """
        with open(self.path, newline="", encoding="utf-8-sig", errors="replace") as file:
            reader = csv.reader(file, delimiter=_separator(self.path), skipinitialspace=True)
            records = (reader.line_num for record in reader if any(map(str.strip, record)))
            line = next(itertools.islice(records, row + 1, None), None)
        number = f"row {row + 1}"
        return f"{number} (line {line} of {self.path.name})" if line else number

    @property
    def columns(self) -> list[str]:
        """The names of the columns, in the file's order."""
        return [str(name) for name in self.frame.columns]


def read_table(path: str | Path) -> Table:
    """Return the CSV file as a table.

    The first line names the columns. Empty cells, `NA`, `NaN`, `null` and pandas' other usual
    words are missing values. A file that ends in `.tsv` is separated by tabs.

    Raises
    ------
    FitError
        When the file is missing, cannot be read, is empty, or is not a table.
    MissingExtraError
        When pandas is not installed.
    """
    pd = require("pandas")
    path = Path(path)
    _check_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # rows longer than the header would be cut silently
            frame = pd.read_csv(
                path,
                sep=_separator(path),
                encoding="utf-8-sig",
                index_col=False,
                skipinitialspace=True,
                low_memory=False,  # one type per column, not one per chunk of it
            )
    except pd.errors.EmptyDataError:
        raise _empty(path) from None
    except UnicodeDecodeError as error:
        raise FitError(
            three_part(
                f"{path} is not text in UTF-8: byte {error.start} cannot be read.",
                "It may be a spreadsheet or compressed, or in an older encoding.",
                "Save it as CSV (UTF-8) and give that file.",
            )
        ) from None
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        raise _ragged(path, str(error)) from None
    frame.columns = [str(name).strip() for name in frame.columns]
    if frame.empty:
        raise _empty(path)
    return Table(frame, path)


def _separator(path: Path) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else ","


def _check_file(path: Path) -> None:
    if path.is_dir():
        inside = sorted(item.name for item in path.glob("*.csv"))
        raise FitError(
            three_part(
                f"{path} is a folder, not a CSV file.",
                f"In it: {', '.join(inside[:5])}." if inside else "",
                f"Give the file: {path / inside[0]}" if inside else "Give the path of a CSV file.",
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
                near or "Give the path of a CSV file whose first line names the columns.",
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


def _empty(path: Path) -> FitError:
    return FitError(
        three_part(
            f"The file {path} is empty: it has no rows of data.",
            "",
            "The first line names the columns, each further line is one row.",
        )
    )


def _ragged(path: Path, words: str) -> FitError:
    found = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", words)
    if found:
        expected, line, seen = found.groups()
        fact = f"{path}: line {line} has {seen} cells, where the lines before it have {expected}."
    elif "Length of header" in words:
        fact = f"{path}: its rows have more cells than its first line has names."
    else:
        fact = f"{path} is not a table of comma-separated values."
    return FitError(
        three_part(
            fact,
            "A comma inside a text starts a new cell; a quote that is not closed swallows some.",
            'Put texts with commas in double quotes: "Ford, Pinto".',
        )
    )
