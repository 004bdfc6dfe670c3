"""A model that was written to model.json, and what it predicts.

The file is untrusted: its formula is parsed and looked at like one that is typed, an expression
never reaches `eval`, and numbers are numbers.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import three_part
from .cleaning import Cleaner, Uses
from .document import FORMAT, decoded
from .expression import parse_expression
from .formula import ParsedFormula, parse_formula, unknown_column
from .losses import Link, choose_loss
from .models import ExpressionModel, LinearModel, Model
from .output import replace_file
from .problems import FitError, require
from .recipes import ExpressionRecipe, FormulaRecipe, Recipe
from .sources import STDIN, Table, read_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SavedModel", "load_model", "predict"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SavedModel:
    """A fitted model without the data it was fitted to.

    Attributes
    ----------
    recipe, model, link : Recipe, Model, Link
        From rows to columns, to predictions, to means.
    parameters : ndarray, (p,)
        In the data's units.
    uses : Uses
        What the columns of a table must be.
    levels : dict of str to list
        By column: the categories that the model has seen.
    response : str
        What is predicted.
    document : dict
        All that the file says.
    """

    recipe: Recipe
    model: Model
    link: Link
    parameters: Array
    uses: Uses
    levels: dict[str, list[Any]]
    response: str
    document: Mapping[str, Any]

    def predict(self, table: Table) -> tuple[Array, dict[str, int]]:
        """Return the mean of each row, nan where a predictor is missing; and which are missing.

        Raises
        ------
        FitError
            When a column is not there, holds text for numbers, or a category that is not known.
        """
        columns = self.recipe.columns
        for name in columns:
            if name not in table.columns:
                raise unknown_column(table, name)
        cleaner = Cleaner(table, self.uses, texts=frozenset(self.levels))
        rows = cleaner(table.frame, columns)
        for name, levels in self.levels.items():
            _check_levels(table, rows, name, levels)
        means = np.full(len(table.frame), np.nan)
        if len(rows):
            formulaic = require("formulaic") if isinstance(self.recipe, FormulaRecipe) else None
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                if formulaic is not None:  # a category that is not known would count as none
                    warnings.simplefilter("error", formulaic.errors.DataMismatchWarning)
                X = self.recipe.predictors(rows)
                made = self.link.mean(self.model(self.parameters, X))
            means[rows.index.to_numpy()] = made
        return means, cleaner.missing


def load_model(path: Path) -> SavedModel:
    """Return the model that a file holds.

    Raises
    ------
    FitError
        When there is no such file, or it holds no model.
    """
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FitError(
            three_part(
                f"The file {path} does not exist.",
                "",
                "Give the model.json that `gradtape fit` has written into its folder.",
            )
        ) from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise _no_model(path, f"{type(error).__name__}: {error}".partition("\n")[0]) from None
    return model_of(document, path)


def model_of(document: Any, name: Path | str = "the document") -> SavedModel:
    """Return the model that a document of `model_document` describes."""
    if not isinstance(document, dict) or "gradtape_model" not in document:
        raise _no_model(name, "It lacks the words that every model.json has.")
    if document["gradtape_model"] != FORMAT:
        raise FitError(
            three_part(
                f"{name} is written in format {document['gradtape_model']}.",
                f"This version of gradtape reads format {FORMAT}.",
                "Fit the model again, or install the version that wrote it.",
            )
        )
    try:
        kinds = {"formula": _formula_model, "expression": _expression_model}
        return kinds[document["kind"]](document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, FitError):
            raise
        raise _no_model(name, f"{type(error).__name__}: {error}".partition("\n")[0]) from None


def _no_model(name: Path | str, cause: str) -> FitError:
    return FitError(
        three_part(
            f"{name} holds no model.",
            cause,
            "Give the model.json that `gradtape fit` has written, as it is.",
        )
    )


def _numbers(document: Mapping[str, Any]) -> tuple[tuple[str, ...], Array, Link]:
    names = tuple(str(name) for name in document["names"])
    given = {str(key): float(value) for key, value in document["parameters"].items()}
    own = {key: value for key, value in given.items() if key not in names}
    link = choose_loss(str(document["loss"]), parameters=own).link
    return names, np.array([given[name] for name in names]), link


def _formula_model(document: Mapping[str, Any]) -> SavedModel:
    names, parameters, link = _numbers(document)
    columns = [str(name) for name in document["columns"]]
    empty = Table(require("pandas").DataFrame(columns=columns), "the model")
    formula = parse_formula(empty, str(document["formula"]))
    levels = {str(factor): decoded(values) for factor, values in document["levels"].items()}
    kind = require("formulaic.parser.types").Factor.Kind.CATEGORICAL
    recipe = FormulaRecipe(
        formula,
        {
            "transform_state": decoded(document["transforms"]),
            "encoder_state": {
                factor: (kind, {"categories": values}) for factor, values in levels.items()
            },
        },
    )
    return SavedModel(
        recipe,
        LinearModel(names),
        link,
        parameters,
        Uses.of_formula((), formula.right, label=None, weights=None),
        _levels_of_columns(formula, levels),
        str(document["response"]),
        document,
    )


def _levels_of_columns(
    formula: ParsedFormula, levels: dict[str, list[Any]]
) -> dict[str, list[Any]]:
    """The levels of those categories that are columns as they stand."""
    found = {}
    for factor in formula.right:
        column = factor.names[0] if factor.is_bare else factor.category
        if factor.text in levels and column is not None:
            found[column] = levels[factor.text]
    return found


def _expression_model(document: Mapping[str, Any]) -> SavedModel:
    names, parameters, link = _numbers(document)
    columns = tuple(str(name) for name in document["columns"])
    expression = parse_expression(str(document["model"]), names=[*columns, *names])
    return SavedModel(
        ExpressionRecipe(expression, columns),
        ExpressionModel(expression, names, columns),
        link,
        parameters,
        Uses(columns),
        {},
        str(document["response"]),
        document,
    )


def _check_levels(table: Table, rows: pd.DataFrame, column: str, levels: list[Any]) -> None:
    unknown = rows[column][~rows[column].isin(levels)]
    if not len(unknown):
        return
    shown = ", ".join(map(str, levels[:8])) + (", ..." if len(levels) > 8 else "")
    more = f", and {len(unknown) - 1} more rows" if len(unknown) > 1 else ""
    raise FitError(
        three_part(
            f"{table.place(int(unknown.index[0]))} has {column} = {str(unknown.iloc[0])!r}{more}, "
            "which the model has not seen.",
            f"It knows {shown}.",
            "Leave these rows out, or fit the model to data in which it occurs.",
        )
    )


def predict(path: Path, data: str, out: Path | None = None) -> None:
    """Write the data with a column `prediction` as CSV, into a file or to standard output."""
    saved = load_model(path)
    table = read_table(data)
    means, missing = saved.predict(table)
    frame = table.frame.copy(deep=False)
    name = "prediction"
    while name in frame.columns:
        name += "_"
    frame[name] = means
    text = frame.to_csv(index=False)
    if out is None:
        sys.stdout.write(text)
    else:
        if data != STDIN and out.exists() and out.samefile(data):
            raise FitError(
                three_part(
                    f"Writing {out} would overwrite the data.",
                    "It is the file that is read.",
                    "Give another file: --out predicted.csv",
                )
            )
        if not out.parent.is_dir():
            raise FitError(
                three_part(
                    f"The file {out} cannot be written.",
                    f"Its folder {out.parent} does not exist.",
                    "Give a file in a folder that is there: --out predicted.csv",
                )
            )
        replace_file(out, text.encode())
    left_out = int(np.isnan(means).sum())
    if left_out:
        where = ", ".join(f"{column} in {count:,}" for column, count in missing.items())
        because = f" (no value: {where})" if where else ""
        print(
            f"gradtape predict: {left_out:,} of {len(means):,} rows have no prediction{because}.",
            file=sys.stderr,
        )
