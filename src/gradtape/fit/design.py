"""A table and a formula as numbers: the response, the design matrix, and what was left out.

Everything that can be wrong with data is found here, before the first epoch, and said in terms of
the file: its column, its row, its value.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import three_part
from .data import Table
from .problems import FitError, did_you_mean, require

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Design", "build_design", "weighted_sum"]

INTERCEPT = "Intercept"  # formulaic's name for the column of ones
COLLINEAR = 1e-9
"""A unit column of which less than this is left after the others is a combination of them."""


@dataclass(frozen=True)
class Design:
    """What is fitted: `y` by `X @ coefficients`.

    Attributes
    ----------
    formula : str
        As it was typed.
    response : str
        What is on the left of `~`.
    names : tuple of str
        One name per column of `X`; the intercept's is "Intercept".
    X : ndarray, (n, p), float64
        The design matrix in the data's own units.
    y : ndarray, (n,), float64
        The response.
    frame : pandas.DataFrame
        The n rows that are used, with all columns of the file.
    variables : tuple of str
        The columns of the file that are on the right of `~`.
    curve_variable : str or None
        The one numeric column that all predictors are functions of, if there is just one: then
        the fit is a curve over it.
    rows_read : int
        How many rows the file has.
    missing : dict of str to int
        For each used column with missing values, in how many rows of the file.
    spec : formulaic.ModelSpec
        Builds the same columns from other rows: for the curve of the plot.
    """

    formula: str
    response: str
    names: tuple[str, ...]
    X: NDArray[np.float64]
    y: NDArray[np.float64]
    frame: pd.DataFrame
    variables: tuple[str, ...]
    curve_variable: str | None
    rows_read: int
    missing: dict[str, int]
    spec: Any

    @property
    def intercept(self) -> int | None:
        """The column of ones, or None when the formula has no intercept."""
        return self.names.index(INTERCEPT) if INTERCEPT in self.names else None


@dataclass(frozen=True)
class _Factor:
    """One factor of a formula: what is written, and the names of the table that it reads."""

    text: str
    names: tuple[str, ...]
    functions: tuple[str, ...]
    is_bare: bool  # the name of a column and nothing else

    @property
    def is_categorical(self) -> bool:
        return bool(re.match(r"\s*C\s*\(", self.text))


def build_design(table: Table, formula: str) -> Design:
    """Return the numbers that `formula` makes of `table`, or say why it makes none.

    Rows with a missing value in a column that the formula uses are dropped and counted. A column
    of text is a category; a column of numbers with text in it is an error.

    Raises
    ------
    FitError
        For a formula that cannot be read, a column that is not in the file, text in a numeric
        column, too few rows, and columns that are constant or combinations of others.
    """
    pd = require("pandas")
    left, right, parsed = _parse(table, formula)
    used = _used_columns(table, left + right)
    numeric = _numbers(table, left, right)
    is_missing = numeric[used].isna()
    missing = {str(name): int(count) for name, count in is_missing.sum().items() if count}
    rows = numeric[~is_missing.any(axis=1)]
    # A term makes at least one column; how many a category makes is known further on.
    _check_rows(table, rows, missing, coefficients=len(list(parsed.rhs)))
    response, y, names, X, spec = _materialise(parsed, rows, formula)
    _check_finite(table, rows, np.column_stack([y, X]), (response, *names))
    _check_rows(table, rows, missing, coefficients=X.shape[1])
    _check_response(y, response)
    _check_columns(X, names, formula)
    variables = tuple(name for name in used if any(name in factor.names for factor in right))
    is_curve = (
        len(variables) == 1
        and pd.api.types.is_numeric_dtype(rows[variables[0]].dtype)
        and not pd.api.types.is_bool_dtype(rows[variables[0]].dtype)
        and not any(factor.is_categorical for factor in right)
    )
    return Design(
        formula=formula,
        response=response,
        names=names,
        X=X,
        y=y,
        frame=rows,
        variables=variables,
        curve_variable=variables[0] if is_curve else None,
        rows_read=len(table.frame),
        missing=missing,
        spec=spec,
    )


def weighted_sum(names: Sequence[str], weights: Sequence[float]) -> str:
    """Return the sum as one reads it: the intercept bare, minus signs as signs.

    >>> weighted_sum(["Intercept", "x"], [39.9, -0.15])
    '39.9 - 0.15 * x'
    """
    text = ""
    for name, weight in zip(names, weights, strict=True):
        sign = ("-" if weight < 0 else "") if not text else (" - " if weight < 0 else " + ")
        text += f"{sign}{abs(weight):.6g}" + ("" if name == INTERCEPT else f" * {name}")
    return text


# -- the formula ------------------------------------------------------------------------------


def _parse(table: Table, formula: str) -> tuple[list[_Factor], list[_Factor], Any]:
    formulaic = require("formulaic")
    try:
        parsed = formulaic.Formula.from_spec(
            formula, context={"__formulaic_variables_available__": table.columns}
        )
    except formulaic.errors.FormulaicError as error:
        # formulaic marks the token that it stumbles over in the text of its message.
        marked = re.search(r"⧛(?:\x1b\[[0-9;]*m)?(.*?)(?:\x1b\[[0-9;]*m)?⧚", str(error))
        raise FitError(
            three_part(
                f"The formula {formula!r} cannot be read.",
                f"Near {marked[1]!r}." if marked else "",
                _formula_help(table),
            )
        ) from None
    left: Any = getattr(parsed, "lhs", None)
    right: Any = getattr(parsed, "rhs", None)
    is_simple = isinstance(right, formulaic.SimpleFormula)
    if left is None or len(list(left)) != 1 or not is_simple:
        count = 0 if left is None else len(list(left))
        fact = "has several parts" if count == 1 else f"has {count or 'no'} responses left of ~"
        raise FitError(
            three_part(
                f"The formula {formula!r} {fact}.",
                "A fit needs one response on the left and the predictors on the right.",
                _formula_help(table),
            )
        )
    if not list(right):
        raise FitError(
            three_part(
                f"The formula {formula!r} has nothing to fit on the right of ~.",
                "-1 and 0 take the intercept away, and nothing else is there.",
                _formula_help(table),
            )
        )
    return list(_factors(left)), list(_factors(right)), parsed


def _formula_help(table: Table) -> str:
    numeric = [str(name) for name in table.frame.select_dtypes("number").columns]
    numeric = [name if name.isidentifier() else f"`{name}`" for name in numeric]
    example = f"{numeric[0]} ~ {numeric[1]}" if len(numeric) > 1 else "y ~ x"
    return f'Write it as "{example}"; more predictors with +, and x**2 as I(x**2).'


def _factors(terms: Any) -> Iterator[_Factor]:
    for term in terms:
        for factor in term.factors:
            kind, text = factor.eval_method.value, factor.expr
            if kind == "lookup":
                yield _Factor(text, (text,), (), is_bare=True)
            elif kind == "python":
                yield _python_factor(text)


def _python_factor(text: str) -> _Factor:
    """Names and called functions of an expression; names in backticks may be no identifiers."""
    quoted: list[str] = []

    def stand_in(match: re.Match[str]) -> str:
        quoted.append(match[1])
        return f"_quoted_{len(quoted) - 1}_"

    try:
        tree = ast.parse(re.sub(r"`([^`]*)`", stand_in, text), mode="eval")
    except SyntaxError:
        return _Factor(text, (), (), is_bare=False)
    called = {id(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    modules = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    names: list[str] = []
    functions: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            stand = re.fullmatch(r"_quoted_(\d+)_", node.id)
            name = quoted[int(stand[1])] if stand else node.id
            (functions if id(node) in called | modules else names).append(name)
        elif _is_quote(node):
            names.append(str(node.args[0].value))  # type: ignore[attr-defined]
    return _Factor(text, tuple(names), tuple(functions), is_bare=False)


def _is_quote(node: ast.AST) -> bool:
    """Whether the node is `Q("column name")`."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Q"
        and len(node.args) == 1
        and isinstance(node.args[0], ast.Constant)
    )


def _used_columns(table: Table, factors: list[_Factor]) -> list[str]:
    """Return the columns that the formula reads, in its order; refuse a name that is nothing."""
    transforms = require("formulaic.transforms").TRANSFORMS
    columns = table.columns
    used: list[str] = []
    for factor in factors:
        for name in (*factor.names, *factor.functions):
            if name in columns:
                used.append(name)
            elif name in factor.names and name not in transforms:
                raise _unknown_column(table, name)
            elif name not in transforms and not hasattr(builtins, name):
                raise FitError(
                    three_part(
                        f"The formula calls {name}, which is not known.",
                        "It may use NumPy as np, and "
                        + ", ".join(n for n in sorted(transforms) if n not in ("np", "contr"))
                        + ".",
                        did_you_mean(name, transforms) or f"For a function of NumPy: np.{name}(x).",
                    )
                )
    return list(dict.fromkeys(used))


def _unknown_column(table: Table, name: str) -> FitError:
    columns = table.columns
    shown = ", ".join(columns[:12]) + (", ..." if len(columns) > 12 else "")
    remedy = did_you_mean(name, columns) or "Use one of these names."
    if len(columns) == 1 and any(mark in columns[0] for mark in ";\t|"):
        remedy = "The cells seem to be separated by something else: save it with commas."
    return FitError(
        three_part(f"{table.path} has no column {name!r}.", f"Its columns are: {shown}.", remedy)
    )


# -- the values -------------------------------------------------------------------------------


def _numbers(table: Table, left: list[_Factor], right: list[_Factor]) -> pd.DataFrame:
    """Return the table with its numeric columns as numbers; refuse text where numbers must be."""
    pd = require("pandas")
    frame = table.frame.copy()
    for factor in left + right:
        for name in factor.names:
            column = frame.get(name)
            if column is None or factor.is_categorical and factor not in left:
                continue
            if pd.api.types.is_bool_dtype(column.dtype) and factor in left:
                frame[name] = column.astype(float)
            if pd.api.types.is_numeric_dtype(column.dtype):
                continue
            number = pd.to_numeric(column, errors="coerce")
            is_text = number.isna() & column.notna()
            # Mostly numbers: a column of numbers with a slip in it. Mostly text: a category,
            # which a formula may use by its bare name on the right.
            is_category = int(is_text.sum()) > int(number.notna().sum())
            if is_category and factor.is_bare and factor not in left:
                continue
            if is_text.any():
                raise _text_error(table, name, column, is_text, is_category)
            frame[name] = number
    return frame


def _text_error(
    table: Table, name: str, column: pd.Series[Any], is_text: pd.Series[bool], is_category: bool
) -> FitError:
    rows = [int(row) for row in np.flatnonzero(is_text.to_numpy())]
    value = str(column.iloc[rows[0]])
    more = f", and {len(rows) - 1} more rows" if len(rows) > 1 else ""
    if is_category:
        remedy = f"Use a column of numbers here; C({name}) on the right of ~ makes it a category."
    else:
        remedy = "Write a number there, or leave the cell empty: the row is then left out."
    return FitError(
        three_part(
            f"Column {name!r} must be numeric, but {table.place(rows[0])} has {value!r}{more}.",
            "",
            remedy,
        )
    )


def _check_rows(
    table: Table, rows: pd.DataFrame, missing: dict[str, int], *, coefficients: int
) -> None:
    if len(rows) > coefficients:
        return
    gone = ", ".join(f"{name} in {count}" for name, count in missing.items())
    raise FitError(
        three_part(
            f"{table.path} has too few rows: {len(rows)} complete ones for {coefficients} "
            f"coefficients, where at least {coefficients + 1} are needed.",
            f"Of {len(table.frame)} rows, values are missing: {gone}." if gone else "",
            "Add rows, or take predictors out of the formula. A column of text, or of dates, makes "
            "one coefficient of each of its values but one.",
        )
    )


def _materialise(
    parsed: Any, rows: pd.DataFrame, formula: str
) -> tuple[str, NDArray[np.float64], tuple[str, ...], NDArray[np.float64], Any]:
    try:
        with np.errstate(all="ignore"):  # log(0) and the like are reported by row, further on
            made = parsed.get_model_matrix(rows, na_action="ignore")
            left = np.asarray(made.lhs, dtype=np.float64)
            right = np.asarray(made.rhs, dtype=np.float64)
    except KeyboardInterrupt:
        raise
    except Exception as error:  # the formula is Python: anything can come out of it
        cause = error
        while cause.__cause__ is not None and isinstance(cause.__cause__, Exception):
            cause = cause.__cause__
        raise FitError(
            three_part(
                f"The formula {formula!r} cannot be computed on this data.",
                f"{type(cause).__name__}: {cause}".partition("\n")[0],
                "Try its terms one by one, beginning with the bare names of the columns.",
            )
        ) from None
    if left.shape[1] != 1:
        raise FitError(
            three_part(
                f"The response {list(parsed.lhs)[0]} is a category, not a number.",
                f"It makes {left.shape[1]} columns.",
                "Use a column of numbers on the left of ~.",
            )
        )
    names = tuple(str(name) for name in made.rhs.columns)
    return str(made.lhs.columns[0]), left[:, 0], names, right, made.rhs.model_spec


def _check_finite(
    table: Table, rows: pd.DataFrame, values: NDArray[np.float64], names: tuple[str, ...]
) -> None:
    bad = np.argwhere(~np.isfinite(values))
    if not len(bad):
        return
    row, column = bad[0]
    place = table.place(int(rows.index[row]))
    raise FitError(
        three_part(
            f"{names[column]} is {values[row, column]} in {place}"
            + (f", and not finite in {len(bad) - 1} more places." if len(bad) > 1 else "."),
            "The logarithm of 0, or a number divided by 0, is not finite.",
            "Take that row out of the file, leave its cell empty, or change the formula.",
        )
    )


def _check_response(y: NDArray[np.float64], response: str) -> None:
    if np.ptp(y) <= 1e-12 * np.abs(y).max():
        raise FitError(
            three_part(
                f"The response {response} is constant: it is {y[0]:g} in every row.",
                "There is nothing that predictors could explain.",
                "Use another column on the left of ~, or rows in which it differs.",
            )
        )


# -- columns that are not their own -----------------------------------------------------------


def _check_columns(X: NDArray[np.float64], names: tuple[str, ...], formula: str) -> None:
    """Refuse constant columns and combinations of earlier ones, naming both.

    Gram-Schmidt in the formula's order, twice for accuracy (Giraud and others, 2005, "twice is
    enough"): what is left of a unit column after the columns before it.
    """
    has_intercept = INTERCEPT in names
    basis: list[NDArray[np.float64]] = []
    kept: list[int] = []
    for j, name in enumerate(names):
        column = X[:, j]
        size = np.abs(column).max()
        is_constant = np.ptp(column) <= 1e-12 * size
        if name != INTERCEPT and is_constant and (has_intercept or size == 0):
            raise FitError(
                three_part(
                    f"Column {name} is constant: it is {column[0]:g} in every row.",
                    "Its effect cannot be told from the intercept's." if size else "",
                    f"Take it out of the formula {formula!r}, or use rows in which it differs.",
                )
            )
        centred = column - column.mean() if has_intercept and name != INTERCEPT else column
        rest = centred / np.linalg.norm(centred)
        for _ in range(2):
            for direction in basis:
                rest = rest - (direction @ rest) * direction
        left_over = float(np.linalg.norm(rest))
        if left_over < COLLINEAR:
            raise _collinear(X, names, j, kept, formula)
        basis.append(rest / left_over)
        kept.append(j)


def _collinear(
    X: NDArray[np.float64], names: tuple[str, ...], j: int, kept: list[int], formula: str
) -> FitError:
    earlier = X[:, kept]
    weights = np.linalg.lstsq(earlier, X[:, j], rcond=None)[0]
    share = np.abs(weights) * np.abs(earlier).max(axis=0) / np.abs(X[:, j]).max()
    takes_part = [k for k, part in enumerate(share) if part > 1e-8]
    others = tuple(names[kept[k]] for k in takes_part)
    combination = weighted_sum(others, [float(weights[k]) for k in takes_part])
    named = " and ".join(name for name in others if name != INTERCEPT)
    return FitError(
        three_part(
            f"Columns {names[j]} and {named} are collinear.",
            f"In every row {names[j]} = {combination}, so that no fit can tell them apart.",
            f"Take one of them out of the formula {formula!r}.",
        )
    )
