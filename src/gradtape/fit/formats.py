"""The formats of data: how each is read, and what is said of a file that is none.

A format is an entry of `FORMATS`: its endings, the function that reads a source, and the one that
finds the line of a row.
"""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import json
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ..errors import three_part
from .problems import FitError, require

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CSV_OPTIONS", "FORMATS", "Format", "Source", "empty_error", "parquet_error",
           "sniffed", "text_errors"]  # fmt: skip

CSV_OPTIONS: dict[str, Any] = {
    "encoding": "utf-8-sig",
    "index_col": False,
    "skipinitialspace": True,
}
"""How pandas reads text, whole or in pieces."""


@dataclass(frozen=True)
class Source:
    """Bytes with a name: of a file, or those that came through a pipe."""

    name: str
    path: Path | None = None
    content: bytes | None = None

    def open(self) -> IO[bytes]:
        """Return the bytes as a file that is open for reading."""
        return io.BytesIO(self.content or b"") if self.path is None else open(self.path, "rb")


@dataclass(frozen=True)
class Format:
    """A format of data.

    Attributes
    ----------
    title : str
        What it is called.
    endings : tuple of str
        Of the names of its files, in lower case.
    read : callable
        From a source to its rows.
    line_of : callable
        From a source and a row to the line in which the row ends, or None.
    separator : str
        What stands between the cells of a line, in formats that have it.
    """

    title: str
    endings: tuple[str, ...]
    read: Callable[[Source], pd.DataFrame]
    line_of: Callable[[Source, int], int | None]
    separator: str = ""


def sniffed(content: bytes) -> Format:
    r"""Return the format that bytes without a name look like.

    >>> sniffed(b"x,y\n1,2\n").title, sniffed(b'{"x": 1}').title
    ('CSV', 'JSON lines')
    """
    if content.startswith(b"PAR1"):
        return FORMATS["parquet"]
    if content.lstrip().startswith(b"{"):
        return FORMATS["jsonl"]
    first = content.lstrip().partition(b"\n")[0]
    return FORMATS["tsv" if b"\t" in first and b"," not in first else "csv"]


def empty_error(source: Source) -> FitError:
    """Return the error for a source without rows."""
    what = "The file " if source.path is not None else ""
    return FitError(
        three_part(
            f"{what}{source.name} is empty: it has no rows of data.",
            "",
            "The first line names the columns, each further line is one row.",
        )
    )


# -- text -------------------------------------------------------------------------------------


def _text(separator: str) -> Callable[[Source], pd.DataFrame]:
    def read(source: Source) -> pd.DataFrame:
        pandas = require("pandas")
        with text_errors(source), warnings.catch_warnings(), source.open() as file:
            warnings.simplefilter("error")  # rows longer than the header would be cut silently
            frame: pd.DataFrame = pandas.read_csv(
                file,
                sep=separator,
                low_memory=False,  # one type per column, not one per chunk of it
                **CSV_OPTIONS,
            )
            return frame

    return read


@contextlib.contextmanager
def text_errors(source: Source) -> Iterator[None]:
    """Say in our words what pandas has against a text."""
    errors = require("pandas").errors
    try:
        yield
    except errors.EmptyDataError:
        raise empty_error(source) from None
    except UnicodeDecodeError as error:
        raise _encoding_error(source, error) from None
    except (errors.ParserError, errors.ParserWarning) as error:
        raise _ragged_error(source, str(error)) from None


def _line_of_record(separator: str) -> Callable[[Source, int], int | None]:
    def line_of(source: Source, row: int) -> int | None:
        # Empty lines and line breaks inside quotes are common enough that `row + 2` would point
        # at the wrong one.
        with io.TextIOWrapper(source.open(), "utf-8-sig", errors="replace", newline="") as file:
            reader = csv.reader(file, delimiter=separator, skipinitialspace=True)
            records = (reader.line_num for record in reader if any(map(str.strip, record)))
            return next(itertools.islice(records, row + 1, None), None)

    return line_of


def _encoding_error(source: Source, error: UnicodeDecodeError) -> FitError:
    return FitError(
        three_part(
            f"{source.name} is not text in UTF-8: byte {error.start} cannot be read.",
            "It may be a spreadsheet or compressed, or in an older encoding.",
            "Save it as CSV (UTF-8) and give that file.",
        )
    )


def _ragged_error(source: Source, words: str) -> FitError:
    found = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", words)
    name = source.name
    if found:
        expected, line, seen = found.groups()
        fact = f"{name}: line {line} has {seen} cells, where the lines before it have {expected}."
    elif "Length of header" in words:
        fact = f"{name}: its rows have more cells than its first line has names."
    else:
        fact = f"{name} is not a table of separated values."
    return FitError(
        three_part(
            fact,
            "A comma inside a text starts a new cell; a quote that is not closed swallows some.",
            'Put texts with commas in double quotes: "Ford, Pinto".',
        )
    )


# -- JSON lines -------------------------------------------------------------------------------


def _json_records(source: Source) -> Iterator[tuple[int, str]]:
    """The lines that hold a record, with their numbers from 1."""
    with io.TextIOWrapper(source.open(), "utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield number, line


def _read_json_lines(source: Source) -> pd.DataFrame:
    pandas = require("pandas")
    records = []
    try:
        for number, line in _json_records(source):
            try:
                record = json.loads(line)
            except (json.JSONDecodeError, RecursionError) as error:
                why = getattr(error, "msg", "it is nested too deeply")
                raise _json_error(source, number, f"It is not JSON: {why}.") from None
            if not isinstance(record, dict):
                raise _json_error(source, number, f"It holds a {type(record).__name__}.")
            nested = next((k for k, v in record.items() if isinstance(v, dict | list)), None)
            if nested is not None:
                raise _json_error(source, number, f"The value of {nested!r} is not a single one.")
            records.append(record)
    except UnicodeDecodeError as error:
        raise _encoding_error(source, error) from None
    frame: pd.DataFrame = pandas.DataFrame.from_records(records)
    return frame


def _json_line_of(source: Source, row: int) -> int | None:
    found = next(itertools.islice(_json_records(source), row, None), None)
    return found[0] if found else None


def _json_error(source: Source, line: int, cause: str) -> FitError:
    return FitError(
        three_part(
            f"Line {line} of {source.name} is no record.",
            cause,
            'Each line is one row, such as {"x": 1.5, "y": 2, "kind": "a"}.',
        )
    )


# -- Parquet ----------------------------------------------------------------------------------


def _read_parquet(source: Source) -> pd.DataFrame:
    pyarrow, parquet = require("pyarrow"), require("pyarrow.parquet")
    try:
        with source.open() as file:
            table = parquet.read_table(file)
        frame: pd.DataFrame = table.to_pandas()
        # pandas writes an index with a name as a column, and hides it again when it reads.
        return frame.reset_index(drop=frame.index.names == [None])
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise parquet_error(source, error) from None


def parquet_error(source: Source, error: Exception) -> FitError:
    """Return the error for a source that pyarrow cannot read."""
    words = str(error).partition("\n")[0].strip().rstrip(".")
    return FitError(
        three_part(
            f"{source.name} cannot be read as Parquet.",
            f"pyarrow says: {words}.",
            "Write the file again, or give it the ending that says what it is: .csv, .tsv, .jsonl.",
        )
    )


FORMATS = {
    "csv": Format("CSV", (".csv",), _text(","), _line_of_record(","), ","),
    "tsv": Format("TSV", (".tsv", ".tab"), _text("\t"), _line_of_record("\t"), "\t"),
    "parquet": Format("Parquet", (".parquet", ".pq"), _read_parquet, lambda _source, _row: None),
    "jsonl": Format("JSON lines", (".jsonl", ".ndjson"), _read_json_lines, _json_line_of),
}
