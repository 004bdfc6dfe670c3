"""A table and a model as numbers: labels, columns, and what was left out.

Everything that can be wrong with data is found here, before the first epoch, and said in terms of
the file: its column, its row, its value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import three_part
from .cleaning import Cleaner, Labels, Uses, label_column
from .columns import Summary, check_columns, gather
from .expression import Expression
from .formula import INTERCEPT, ParsedFormula, parse_formula, unknown_column
from .losses import LOSSES, Loss
from .problems import FitError, require
from .recipes import ExpressionRecipe, FormulaRecipe, Recipe
from .rows import Block, MemoryRows, Rows, Spool, held_out
from .sources import Table
from .stream import StreamedTable, categories

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SHOWN", "Choice", "Design", "build_design", "build_expression_design"]

Array = NDArray[np.float64]

SHOWN = 5_000
"""A picture shows at most this many rows: more are one blot, and take long to draw."""


@dataclass(frozen=True)
class Choice:
    """Which rows count, and how much.

    Attributes
    ----------
    loss : Loss
        For the labels that it takes.
    weights : str or None
        The column of weights.
    test_fraction : float
        The part of the rows that is kept for the test.
    seed : int
        Of their choice.
    folder : Path or None
        Where rows go that do not fit into memory; None for the system's folder.
    """

    loss: Loss = LOSSES["mse"]
    weights: str | None = None
    test_fraction: float = 0.0
    seed: int = 0
    folder: Path | None = None


@dataclass(frozen=True)
class Design:
    """What is fitted: labels by a model of columns.

    Attributes
    ----------
    formula : str
        As it was typed.
    response : str
        What is on the left of `~`.
    names : tuple of str
        One name per column of `X`; the intercept's is "Intercept".
    rows, test : Rows
        The rows that are fitted, and those that are kept for the test, if any.
    summary : Summary
        Sums over the rows that are fitted.
    frame : pandas.DataFrame
        Rows of the table for the pictures: all that are fitted, or 5,000 of them.
    sample : Block
        Columns and labels of the same rows.
    variables : tuple of str
        The columns of the table that predict.
    curve_variable : str or None
        The one numeric column that all predictors are functions of, if there is just one: then
        the fit is a curve over it.
    rows_read : int
        How many rows the table has.
    missing : dict of str to int
        For each used column with missing values, in how many rows.
    weightless : int
        How many rows were left out because their weight is 0.
    recipe : Recipe
        Makes the same columns from other rows.
    labels : Labels or None
        Which label counts as 1, where they are no numbers.
    weights : str or None
        The column of weights.
    """

    formula: str
    response: str
    names: tuple[str, ...]
    rows: Rows
    test: Rows | None
    summary: Summary
    frame: pd.DataFrame
    sample: Block
    variables: tuple[str, ...]
    curve_variable: str | None
    rows_read: int
    missing: dict[str, int]
    weightless: int
    recipe: Recipe
    labels: Labels | None = None
    weights: str | None = None

    @property
    def intercept(self) -> int | None:
        """The column of ones, or None when the formula has no intercept."""
        return self.names.index(INTERCEPT) if INTERCEPT in self.names else None

    @property
    def n(self) -> int:
        """How many rows are fitted."""
        return self.rows.n

    @property
    def block(self) -> Block:
        """All rows that are fitted, in memory."""
        if isinstance(self.rows, MemoryRows):
            return self.rows.block
        blocks = list(self.rows.blocks())
        weights = [block.weights for block in blocks if block.weights is not None]
        return Block(
            np.concatenate([block.X for block in blocks]),
            np.concatenate([block.y for block in blocks]),
            np.concatenate(weights) if weights else None,
        )

    @property
    def X(self) -> Array:
        """The columns in the data's own units, (n, p)."""
        return self.block.X

    @property
    def y(self) -> Array:
        """The labels, (n,)."""
        return self.block.y


def build_design(table: Table, formula: str, choice: Choice = Choice()) -> Design:
    """Return the numbers that `formula` makes of `table`, or say why it makes none.

    Rows with a missing value in a column that the formula uses are dropped and counted. A column
    of text is a category; a column of numbers with text in it is an error.

    Raises
    ------
    FitError
        For a formula that cannot be read, a column that is not in the table, text in a numeric
        column, labels that do not suit the loss, too few rows, and columns that are constant or
        combinations of others.
    """
    pd = require("pandas")
    parsed = parse_formula(table, formula)
    labels = _labels(table, parsed.response_column, choice)
    uses = Uses.of_formula(
        parsed.left, parsed.right, label=parsed.response_column, weights=choice.weights
    )
    _check_weights_column(table, choice)
    recipe, texts = FormulaRecipe(parsed), tuple[str, ...]()
    if isinstance(table, StreamedTable):
        recipe, texts, uses = _foreseen(table, parsed, uses)
    gathered = _gather(
        table,
        recipe,
        Cleaner(table, uses, labels, frozenset(texts)),
        used=parsed.columns,
        choice=choice,
        formula=formula,
        # A term makes at least one column; how many a category makes is known further on.
        coefficients=lambda recipe: len(recipe.names) if recipe else len(list(parsed.parsed.rhs)),
    )
    check_columns(gathered.summary, gathered.recipe.names, formula)
    variables = parsed.predictors
    dtype = gathered.frame[variables[0]].dtype if len(variables) == 1 else None
    is_curve = (
        dtype is not None
        and pd.api.types.is_numeric_dtype(dtype)
        and not pd.api.types.is_bool_dtype(dtype)
        and not any(factor.is_categorical for factor in parsed.right)
    )
    return gathered.design(
        formula=formula,
        variables=variables,
        curve_variable=variables[0] if is_curve else None,
        labels=labels,
        weights=choice.weights,
    )


def build_expression_design(
    table: Table,
    left: Expression,
    model: Expression,
    parameters: Sequence[str],
    choice: Choice = Choice(),
) -> Design:
    """Return the numbers that an expression reads from `table`: its columns and the labels.

    Raises
    ------
    FitError
        For text in a numeric column, labels that do not suit the loss, and too few rows.
    """
    columns = tuple(name for name in model.names if name not in parameters)
    used = tuple(dict.fromkeys((*left.names, *columns)))
    formula = f"{left.text} ~ {model.text}"
    labels, label = None, None
    if left.root.kind == "name":
        label = left.names[0]
        labels = _labels(table, label, choice)
    _check_weights_column(table, choice)
    numeric = (*used, *([choice.weights] if choice.weights else []))
    gathered = _gather(
        table,
        ExpressionRecipe(left, columns),
        Cleaner(table, Uses(numeric, label=label, weights=choice.weights), labels),
        used=used,
        choice=choice,
        formula=formula,
        coefficients=lambda _recipe: len(parameters),
    )
    return gathered.design(
        formula=formula,
        variables=columns,
        curve_variable=columns[0] if len(columns) == 1 else None,
        labels=labels,
        weights=choice.weights,
    )


# -- gathering --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Gathered:
    recipe: Recipe
    response: str
    rows: Rows
    test: Rows | None
    summary: Summary
    frame: pd.DataFrame
    sample: Block
    cleaner: Cleaner
    weightless: int

    def design(self, **known: Any) -> Design:
        return Design(
            response=self.response,
            names=self.recipe.names,
            rows=self.rows,
            test=self.test,
            summary=self.summary,
            frame=self.frame,
            sample=self.sample,
            rows_read=self.cleaner.rows_read,
            missing=self.cleaner.missing,
            weightless=self.weightless,
            recipe=self.recipe,
            **known,
        )


def _labels(table: Table, column: str | None, choice: Choice) -> Labels | None:
    """The two labels of the column, where the loss tells two apart."""
    if choice.loss.labels != "binary" or column is None:
        return None
    return label_column(table.frames([column]), column, choice.loss.name)


def _check_weights_column(table: Table, choice: Choice) -> None:
    if choice.weights is not None and choice.weights not in table.columns:
        raise unknown_column(table, choice.weights)


def _foreseen(
    table: StreamedTable, parsed: ParsedFormula, uses: Uses
) -> tuple[FormulaRecipe, tuple[str, ...], Uses]:
    """What the first piece of a table cannot say: which columns are categories, of which levels."""
    found = categories(table, parsed, uses)
    kind = require("formulaic.parser.types").Factor.Kind.CATEGORICAL
    state = {
        factor.text: (kind, {"categories": found.levels[column]})
        for factor in parsed.right
        for column in (factor.text if factor.is_bare else factor.category,)
        if column in found.levels
    }
    bare = tuple(name for name in uses.bare if name in found.levels)
    numeric = tuple(name for name in uses.numeric if name not in bare)
    recipe = FormulaRecipe(parsed, {"encoder_state": state} if state else {})
    return recipe, found.texts, replace(uses, numeric=numeric, bare=())


def _gather(
    table: Table,
    recipe: Recipe,
    cleaner: Cleaner,
    *,
    used: tuple[str, ...],
    choice: Choice,
    formula: str,
    coefficients: Callable[[Recipe | None], int],
) -> _Gathered:
    """Clean the rows, make the columns, check what is in them, piece by piece."""
    if choice.weights is not None:
        used = tuple(dict.fromkeys((*used, choice.weights)))
    check = _RowCheck(table, cleaner)
    gathering = _Gathering(table, recipe, choice)
    for frame in table.frames(used, tuple(cleaner.texts)):
        rows = cleaner(frame, used)
        if not table.is_streamed:
            check(len(rows), coefficients(None))
        if len(rows):
            gathering.add(rows)
    check(gathering.fitted, coefficients(recipe if gathering.fitted else None), kept=gathering.kept)
    summary = gathering.summary
    assert summary is not None
    _check_response(summary, gathering.response)
    frame, sample = gathering.shown.rows()
    return _Gathered(
        recipe,
        gathering.response,
        gathering.rows(gathering.fit_blocks),
        gathering.rows(gathering.test_blocks) if gathering.kept else None,
        summary,
        frame,
        sample,
        cleaner,
        gathering.weightless,
    )


class _Gathering:
    """Rows as they come: in memory the one block, from pieces on disk."""

    def __init__(self, table: Table, recipe: Recipe, choice: Choice) -> None:
        self.table, self.recipe, self.choice = table, recipe, choice
        self.response = ""
        self.summary: Summary | None = None
        self.weightless = self.fitted = self.kept = 0
        self.fit_blocks: list[Block] | Spool = []
        self.test_blocks: list[Block] | Spool = []
        self.shown = _Shown(choice.seed)

    def add(self, rows: pd.DataFrame) -> None:
        choice, weights = self.choice, None
        if choice.weights is not None:
            weights = _weights(self.table, rows, choice.weights)
            self.weightless += int((weights == 0).sum())
            rows, weights = rows[weights > 0], weights[weights > 0]
            if not len(rows):
                return
        self.response, y = self.recipe.response(rows)
        X = self.recipe.predictors(rows)
        names = (self.response, *self.recipe.names)
        _check_finite(self.table, rows, np.column_stack([y, X]), names)
        _check_labels(self.table, rows, y, self.response, choice.loss)
        whole = Block(X, y, weights)
        if not choice.test_fraction:
            self._fit(rows, whole)
            return
        first = self.fitted + self.kept
        is_test = held_out(first, len(y), choice.test_fraction, seed=choice.seed)
        self.test_blocks = self._kept(self.test_blocks, whole.take(np.flatnonzero(is_test)))
        self.kept += int(is_test.sum())
        self._fit(rows[~is_test], whole.take(np.flatnonzero(~is_test)))

    def _fit(self, rows: pd.DataFrame, block: Block) -> None:
        if not len(block):
            return
        names = self.recipe.names
        intercept = names.index(INTERCEPT) if INTERCEPT in names else None
        self.summary = gather(self.summary, block, intercept=intercept)
        self.fit_blocks = self._kept(self.fit_blocks, block)
        self.fitted += len(block)
        self.shown.add(rows, block)

    def _kept(self, blocks: list[Block] | Spool, block: Block) -> list[Block] | Spool:
        if self.table.is_streamed and not isinstance(blocks, Spool):
            has_weights = block.weights is not None
            folder = self.choice.folder
            blocks = Spool(block.X.shape[1], has_weights=has_weights, folder=folder)
        if isinstance(blocks, Spool):
            blocks.add(block)
            return blocks
        return [*blocks, block]

    @staticmethod
    def rows(blocks: list[Block] | Spool) -> Rows:
        if isinstance(blocks, Spool):
            return blocks
        (block,) = blocks
        return MemoryRows(block)


class _Shown:
    """The rows of the pictures, drawn as the rows come: each has the same chance."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng([seed, 2])
        self._kept: list[tuple[Array, pd.DataFrame, Block]] = []
        self._count = 0

    def add(self, rows: pd.DataFrame, block: Block) -> None:
        self._kept.append((self._rng.random(len(block)), rows, block))
        self._count += len(block)
        if self._count > SHOWN:
            chance = np.concatenate([chance for chance, _, _ in self._kept])
            last = np.partition(chance, SHOWN - 1)[SHOWN - 1]
            self._kept = [
                (chance[chance <= last], rows[chance <= last], block.take(chance <= last))
                for chance, rows, block in self._kept
            ]
            self._count = SHOWN

    def rows(self) -> tuple[pd.DataFrame, Block]:
        if len(self._kept) == 1:
            return self._kept[0][1:]
        blocks = [block for _, _, block in self._kept]
        weights = [block.weights for block in blocks if block.weights is not None]
        return require("pandas").concat([rows for _, rows, _ in self._kept]), Block(
            np.concatenate([block.X for block in blocks]),
            np.concatenate([block.y for block in blocks]),
            np.concatenate(weights) if weights else None,
        )


# -- what is in the rows ----------------------------------------------------------------------


def _weights(table: Table, rows: pd.DataFrame, column: str) -> Array:
    weights: Array = rows[column].to_numpy(dtype=np.float64)
    bad = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(bad):
        place = table.place(int(rows.index[bad[0]]))
        more = f", and {len(bad) - 1} more like it" if len(bad) > 1 else ""
        raise FitError(
            three_part(
                f"The weight in column {column!r} is {weights[bad[0]]:g} in {place}{more}.",
                "A weight says how much a row counts: 0 not at all, 2 as much as two rows.",
                "Use a column of numbers that are 0 or larger.",
            )
        )
    return weights


@dataclass(frozen=True)
class _RowCheck:
    table: Table
    cleaner: Cleaner

    def __call__(self, rows: int, coefficients: int, *, kept: int = 0) -> None:
        if rows > coefficients:
            return
        missing = self.cleaner.missing
        gone = ", ".join(f"{name} in {count}" for name, count in missing.items())
        causes = []
        if gone:
            causes.append(f"Of {self.cleaner.rows_read} rows, values are missing: {gone}.")
        if kept:
            causes.append(f"{kept} are kept for the test.")
        raise FitError(
            three_part(
                f"{self.table.name} has too few rows: {rows} complete ones for {coefficients} "
                f"coefficients, where at least {coefficients + 1} are needed.",
                " ".join(causes),
                "Add rows, or take predictors out of the formula. A column of text, or of dates, "
                "makes one coefficient of each of its values but one.",
            )
        )


def _check_finite(table: Table, rows: pd.DataFrame, values: Array, names: tuple[str, ...]) -> None:
    bad = np.argwhere(~np.isfinite(values))
    if not len(bad):
        return
    row, column = bad[0]
    place = table.place(int(rows.index[row]))
    raise FitError(
        three_part(
            f"{names[column]} is {values[row, column]} in {place}"
            + (f", and not finite in {len(bad) - 1} more places." if len(bad) > 1 else "."),
            "The logarithm of what is not positive, or a number divided by 0, is not finite.",
            "Take that row out of the file, leave its cell empty, or change the formula.",
        )
    )


_SUITS: dict[str, tuple[Callable[[Array], NDArray[np.bool_]], str, str]] = {
    "binary": (
        lambda y: (y >= 0) & (y <= 1),
        "They must be 0 and 1, or shares between them.",
        "For one value against the others: I(kind == 'a') ~ ...; for numbers use --loss mse.",
    ),
    "count": (
        lambda y: y >= 0,
        "They must be counts, or rates: 0 or larger.",
        "For numbers of either sign use --loss mse.",
    ),
}


def _check_labels(table: Table, rows: pd.DataFrame, y: Array, response: str, loss: Loss) -> None:
    if loss.labels not in _SUITS:
        return
    suits, cause, remedy = _SUITS[loss.labels]
    bad = np.flatnonzero(~suits(y))
    if len(bad):
        place = table.place(int(rows.index[bad[0]]))
        more = f", and {len(bad) - 1} more do not suit it" if len(bad) > 1 else ""
        raise FitError(
            three_part(
                f"The label {response} is {y[bad[0]]:g} in {place}{more}: not for --loss "
                f"{loss.name}.",
                cause,
                remedy,
            )
        )


def _check_response(summary: Summary, response: str) -> None:
    low, high = float(summary.low[-1]), float(summary.high[-1])
    if high - low <= 1e-12 * max(abs(low), abs(high)):
        raise FitError(
            three_part(
                f"The response {response} is constant: it is {low:g} in every row.",
                "There is nothing that predictors could explain.",
                "Use another column on the left of ~, or rows in which it differs.",
            )
        )
