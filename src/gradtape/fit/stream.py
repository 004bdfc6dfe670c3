"""Tables that are read in pieces: CSV and TSV by rows, Parquet by row groups.

What a whole column says about itself in memory (is it a category, and of which levels) is asked
of the file in a pass of its own, and only for the columns where it can matter.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import three_part
from .cleaning import MAX_LEVELS, Uses
from .formats import CSV_OPTIONS, FORMATS, Format, Source, empty_error, parquet_error, text_errors
from .formula import ParsedFormula
from .problems import FitError, require
from .sources import Table, format_of, open_source, read_source

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LARGE", "PIECE", "StreamedTable", "categories", "is_large", "open_table", "stream"]

LARGE = 200 * 2**20
"""Bytes beyond which a file is read in pieces: in memory it takes several times as many."""

PIECE = 1 << 16
"""Rows that are read at once."""

HEAD = 1_000
"""Rows that are looked at for the names and kinds of columns."""


@dataclass(frozen=True)
class StreamedTable(Table):
    """A table of which only the first rows are in memory.

    Attributes
    ----------
    source : Source
        The file.
    form : Format
        How it is read.
    """

    source: Source = Source("")
    form: Format = FORMATS["csv"]
    is_streamed = True

    def frames(self, columns: Sequence[str], texts: Sequence[str] = ()) -> Iterator[pd.DataFrame]:
        """Yield the rows in pieces, some of the columns; those in `texts` as text."""
        read = _parquet_pieces if self.form.title == "Parquet" else _text_pieces
        yield from read(self.source, self.form, list(columns), list(texts))


def open_table(data: str | Path, *, in_pieces: bool | None = None) -> Table:
    """Return the data as a table, in memory or read in pieces.

    Parameters
    ----------
    data : path or "-"
        What `read_table` takes.
    in_pieces : bool, optional
        By default whether the file is larger than 200 MiB.
    """
    source = open_source(data)
    form = format_of(source)
    require("pandas")
    if in_pieces or (in_pieces is None and is_large(source, form)):
        return stream(source, form)
    return read_source(source)


def is_large(source: Source, form: Format) -> bool:
    """Whether the source is better read in pieces."""
    if source.path is None:
        return False
    if form.title == "Parquet":
        with source.open() as file:
            try:
                found = require("pyarrow.parquet").ParquetFile(file).metadata
            except (require("pyarrow").ArrowException, OSError, ValueError) as error:
                raise parquet_error(source, error) from None
            sizes = [found.row_group(i).total_byte_size for i in range(found.num_row_groups)]
            return int(sum(sizes)) > LARGE
    return form.separator != "" and source.path.stat().st_size > LARGE


def stream(source: Source, form: Format) -> StreamedTable:
    """Return the source as a table that is read in pieces.

    Raises
    ------
    FitError
        When its format is read as a whole only, and when it is empty or no table.
    """
    if source.path is None or not (form.separator or form.title == "Parquet"):
        raise FitError(
            three_part(
                f"{source.name} cannot be read in pieces.",
                "Files of CSV, TSV and Parquet can be; pipes and JSON lines cannot.",
                "Leave --stream out, or write the data as Parquet.",
            )
        )
    if form.title == "Parquet":
        head = next(_parquet_pieces(source, form, None, [], HEAD), None)
    else:
        head = next(_text_pieces(source, form, None, [], HEAD), None)
    if head is None or head.empty:
        raise empty_error(source)
    return StreamedTable(
        head, source.name, lambda row: form.line_of(source, row), source=source, form=form
    )


def _text_pieces(
    source: Source, form: Format, columns: list[str] | None, texts: list[str], rows: int = 0
) -> Iterator[pd.DataFrame]:
    pandas = require("pandas")
    # Names are stripped of spaces when they are read: find the file's own spelling.
    with text_errors(source):
        names = _header(source, form)
    spelled = {name.strip(): name for name in names}
    wanted = None if columns is None else [spelled[name] for name in columns]
    with text_errors(source), warnings.catch_warnings(), source.open() as file:
        warnings.simplefilter("error")
        pieces = pandas.read_csv(
            file,
            sep=form.separator,
            usecols=wanted,
            dtype={spelled[name]: str for name in texts},
            chunksize=rows or PIECE,
            **CSV_OPTIONS,
        )
        for piece in pieces:
            piece.columns = [str(name).strip() for name in piece.columns]
            yield piece


def _header(source: Source, form: Format) -> list[str]:
    pandas = require("pandas")
    with source.open() as file:
        frame = pandas.read_csv(file, sep=form.separator, nrows=0, **CSV_OPTIONS)
    return [str(name) for name in frame.columns]


def _parquet_pieces(
    source: Source, form: Format, columns: list[str] | None, texts: list[str], rows: int = 0
) -> Iterator[pd.DataFrame]:
    pyarrow, parquet = require("pyarrow"), require("pyarrow.parquet")
    pandas = require("pandas")
    start = 0
    try:
        with source.open() as file:
            # Small buffers: a row group may be as large as the file.
            whole = parquet.ParquetFile(file, buffer_size=1 << 20, pre_buffer=False)
            pieces = whole.iter_batches(rows or PIECE, columns=columns, use_threads=False)
            for batch in pieces:
                piece = batch.to_pandas().reset_index(drop=True)
                piece.index = pandas.RangeIndex(start, start + len(piece))
                start += len(piece)
                yield piece if columns is None else piece[columns]
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        if isinstance(error, FitError):
            raise
        raise parquet_error(source, error) from None


# -- categories -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Categories:
    """What the columns of a streamed table hold that may be categories.

    Attributes
    ----------
    levels : dict of str to list
        By column, the levels of each that is one.
    texts : tuple of str
        Those that are read as text.
    """

    levels: dict[str, list[Any]]
    texts: tuple[str, ...]


def categories(table: StreamedTable, formula: ParsedFormula, uses: Uses) -> Categories:
    """Return which columns of a formula are categories, and of which levels.

    Raises
    ------
    FitError
        For what a formula cannot ask of data that are read in pieces.
    """
    for factor in (*formula.left, *formula.right):
        if factor.is_stateful or (factor.is_categorical and factor.category is None):
            raise FitError(
                three_part(
                    f"{factor.text} cannot be used on data that are read in pieces.",
                    "It needs the whole column at once.",
                    f"Make the column in the file, or read {table.name} whole: --no-stream",
                )
            )
    pd = require("pandas")
    asked = list(uses.categories)
    for name in uses.bare:
        if not pd.api.types.is_numeric_dtype(table.frame[name].dtype):
            asked.append(name)
    asked = list(dict.fromkeys(asked))
    if not asked:
        return Categories({}, ())
    counts = {name: _Count() for name in asked}
    as_text = asked if table.form.separator else []
    for piece in table.frames(asked, as_text):
        for name, count in counts.items():
            count.add(piece[name])
            if len(count.values) > MAX_LEVELS:
                raise _too_many(table, name)
    levels, texts = {}, []
    for name, count in counts.items():
        is_number = count.is_number()
        if is_number and name not in uses.categories:
            continue  # numbers after all, or mostly: the slip in them is found where it stands
        levels[name] = count.levels(is_number)
        if as_text and not is_number:
            texts.append(name)
    return Categories(levels, tuple(texts))


class _Count:
    """The values of a column, gathered piece by piece."""

    def __init__(self) -> None:
        self.values: dict[Any, int] = {}
        self.has_missing = False

    def add(self, column: pd.Series[Any]) -> None:
        self.has_missing = self.has_missing or bool(column.isna().any())
        for value, count in column.value_counts().items():
            self.values[value] = self.values.get(value, 0) + int(count)

    def _numbers(self) -> pd.Series[float]:
        pandas = require("pandas")
        made: pd.Series[float] = pandas.to_numeric(
            pandas.Series(list(self.values), dtype=object), errors="coerce"
        )
        return made

    def is_number(self) -> bool:
        """Whether numbers are at least half of it, as in a column that is read as a whole."""
        counts = np.array(list(self.values.values()), dtype=float)
        is_text = self._numbers().isna().to_numpy()
        return float(counts[is_text].sum()) <= float(counts[~is_text].sum())

    def levels(self, is_number: bool) -> list[Any]:
        if not is_number:
            return sorted(self.values, key=str)
        numbers = self._numbers().dropna().unique()
        if not self.has_missing and (numbers % 1 == 0).all():
            return sorted(int(value) for value in numbers)
        return sorted(float(value) for value in numbers)


def _too_many(table: Table, name: str) -> FitError:
    return FitError(
        three_part(
            f"Column {name!r} has more than {MAX_LEVELS:,} different values.",
            "As a category it makes a coefficient of each of them but one.",
            "Use a column of numbers, or one with fewer values.",
        )
    )
