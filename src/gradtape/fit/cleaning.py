"""Columns as they must be: numbers as numbers, categories as categories, and what is missing.

A column of numbers with text in it is an error that names the row; a column of text is a category,
which a formula may use by its bare name on the right.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import three_part
from .formula import Factor
from .problems import FitError, require
from .sources import Table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Cleaner", "Labels", "Uses", "label_column"]

MAX_LEVELS = 10_000
"""A column of text with more values than this is no category."""


@dataclass(frozen=True)
class Uses:
    """How a model uses the columns of its table.

    Attributes
    ----------
    numeric : tuple of str
        Columns whose values must be numbers.
    bare : tuple of str
        Those of them that may be a category instead.
    categories : tuple of str
        Columns that are made a category whatever they hold.
    label : str or None
        The column that is the label as it stands.
    weights : str or None
        The column of weights.
    """

    numeric: tuple[str, ...]
    bare: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    label: str | None = None
    weights: str | None = None

    @staticmethod
    def of_formula(
        left: Sequence[Factor], right: Sequence[Factor], *, label: str | None, weights: str | None
    ) -> Uses:
        """Return how the factors of a formula use their columns."""
        numeric: dict[str, None] = {}
        strict: set[str] = set()
        categories: dict[str, None] = {}
        for factor in (*left, *right):
            for name in factor.names:
                if factor.is_categorical and factor not in left:
                    categories[name] = None
                elif name not in factor.texts:
                    numeric[name] = None
                    if not factor.is_bare or factor in left:
                        strict.add(name)
        if weights is not None:
            numeric[weights] = None
            strict.add(weights)
        bare = tuple(name for name in numeric if name not in strict)
        return Uses(tuple(numeric), bare, tuple(categories), label, weights)


@dataclass(frozen=True)
class Labels:
    """Two labels as the numbers 0 and 1.

    Attributes
    ----------
    column : str
        The column they stand in.
    zero, one : str
        The labels as text.
    """

    column: str
    zero: str
    one: str

    @property
    def words(self) -> str:
        """What the report says."""
        return f"{self.column} = {self.one} counts as 1, {self.zero} as 0."

    def numbers(self, column: pd.Series[Any]) -> pd.Series[Any]:
        """Return the column as numbers; what is neither label is missing."""
        text = column.map(_label_text, na_action="ignore")
        return text.map({self.zero: 0.0, self.one: 1.0})


def _label_text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float | np.floating) else str(value)


def label_column(frames: Iterable[pd.DataFrame], column: str, loss: str) -> Labels | None:
    """Return the two labels of the column, or None when it holds numbers from 0 to 1 already.

    Raises
    ------
    FitError
        When it has one label only, more than two, or numbers that are no labels.
    """
    pd = require("pandas")
    found: dict[Any, None] = {}
    for frame in frames:
        present = frame[column].dropna()
        is_share = pd.api.types.is_numeric_dtype(present.dtype) and present.between(0, 1).all()
        found.update(dict.fromkeys(present.unique()[: 3 if is_share else MAX_LEVELS + 1].tolist()))
        if len(found) > MAX_LEVELS:
            break
    values = list(found)
    is_number = all(isinstance(value, int | float) for value in values)
    is_share = is_number and all(0 <= value <= 1 for value in values)
    if is_share and not all(isinstance(value, bool) for value in values):
        return None  # 0 and 1, or shares between them
    if len(values) == 2 and not (is_number and any(value % 1 for value in values)):
        zero, one = sorted(values) if is_number else sorted(values, key=str)
        return Labels(column, _label_text(zero), _label_text(one))
    shown = ", ".join(sorted(map(_label_text, values))[:6]) + (", ..." if len(values) > 6 else "")
    count = f"more than {MAX_LEVELS:,}" if len(values) > MAX_LEVELS else str(len(values))
    remedy = (
        f"For one value against the others: I({column} == {values[0]!r}) ~ ..."
        if not is_number and values
        else f"For numbers use --loss mse; for above and below a value: I({column} > 20) ~ ..."
    )
    raise FitError(
        three_part(
            f"The labels in column {column!r} do not suit --loss {loss}, which tells two apart.",
            f"It has {count} different value{'s' * (len(values) != 1)}: {shown}.",
            remedy,
        )
    )


@dataclass
class Cleaner:
    """Makes the columns that a model uses what they must be, frame by frame.

    Attributes
    ----------
    table : Table
        For the places of rows.
    uses : Uses
        What each column must be.
    labels : Labels or None
        The labels to make numbers of.
    texts : frozenset of str
        Columns that are known to hold categories, whatever some of their rows look like.
    rows_read : int
        How many rows have been looked at.
    missing : dict of str to int
        In how many of them each column has no value.
    """

    table: Table
    uses: Uses
    labels: Labels | None = None
    texts: frozenset[str] = frozenset()
    rows_read: int = 0
    missing: dict[str, int] = field(default_factory=dict)

    def __call__(self, frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
        """Return the complete rows of the frame, each column as it must be."""
        frame = self.numbers(frame)
        is_missing = frame[list(columns)].isna()
        self.rows_read += len(frame)
        for name, count in is_missing.sum().items():
            if count:
                self.missing[str(name)] = self.missing.get(str(name), 0) + int(count)
        return frame[~is_missing.any(axis=1)]

    def numbers(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the frame with its numeric columns as numbers; refuse text among them."""
        pd = require("pandas")
        made = frame.copy(deep=False)
        for name in self.uses.numeric:
            column = frame[name]
            if self.labels is not None and name == self.labels.column:
                made[name] = self.labels.numbers(column)
                continue
            if pd.api.types.is_bool_dtype(column.dtype) and name not in self.uses.bare:
                made[name] = column.astype(float)
            if name in self.texts or pd.api.types.is_numeric_dtype(column.dtype):
                continue
            number = self._as_number(name, column)
            if number is not None:
                made[name] = number
        return made

    def _as_number(self, name: str, column: pd.Series[Any]) -> pd.Series[Any] | None:
        """The column as numbers, or None where it is a category."""
        pd = require("pandas")
        if pd.api.types.is_datetime64_any_dtype(column.dtype):
            raise self._date_error(name)
        if isinstance(column.dtype, pd.CategoricalDtype):
            column = column.astype(object)
        number = pd.to_numeric(column, errors="coerce")
        is_text = number.isna() & column.notna()
        # Mostly numbers: a column of numbers with a slip in it. Mostly text: a category.
        is_category = int(is_text.sum()) > int(number.notna().sum())
        if is_category and name in self.uses.bare:
            return None
        if is_text.any():
            raise self._text_error(name, column, is_text, is_category)
        return number  # type: ignore[no-any-return]

    def _text_error(
        self, name: str, column: pd.Series[Any], is_text: pd.Series[bool], is_category: bool
    ) -> FitError:
        rows = column.index[is_text.to_numpy()]
        value = str(column.loc[rows[0]])
        more = f", and {len(rows) - 1} more rows" if len(rows) > 1 else ""
        if is_category and name == self.uses.label:
            remedy = "Use a column of numbers here; to tell two labels apart, --loss logistic."
        elif is_category:
            remedy = f"Use a column of numbers here; C({name}) on the right of ~ is a category."
        else:
            remedy = "Write a number there, or leave the cell empty: the row is then left out."
        place = self.table.place(int(rows[0]))
        return FitError(
            three_part(
                f"Column {name!r} must be numeric, but {place} has {value!r}{more}.", "", remedy
            )
        )

    def _date_error(self, name: str) -> FitError:
        return FitError(
            three_part(
                f"Column {name!r} holds dates, not numbers.",
                "A number of what, and since when, is not known.",
                f"Make a column of numbers in the data, such as days since the first date, or use "
                f"C({name}) for a coefficient of each date.",
            )
        )
