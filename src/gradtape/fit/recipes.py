"""From rows of a table to the columns of a design, the same way for fitting and for predicting."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import three_part
from .expression import Expression
from .formula import ParsedFormula
from .problems import FitError, require

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ExpressionRecipe", "FormulaRecipe", "Recipe"]

Array = NDArray[np.float64]


class Recipe(Protocol):
    """Makes columns of rows that are clean and complete."""

    @property
    def names(self) -> tuple[str, ...]:
        """What its columns are called."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the table that predictions need."""

    def predictors(self, rows: pd.DataFrame) -> Array:
        """Return the columns, (n, p)."""

    def response(self, rows: pd.DataFrame) -> tuple[str, Array]:
        """Return the name of the label and its values, (n,)."""


@dataclass
class FormulaRecipe:
    """The columns that a formula makes; what it finds in the first rows holds for all others.

    Attributes
    ----------
    formula : ParsedFormula
        What was typed.
    state : dict
        What formulaic must know beforehand, in the words of its `ModelSpec`: the levels of
        categories, the knots of splines, means and scales.
    """

    formula: ParsedFormula
    state: dict[str, Any] = field(default_factory=dict)
    spec: Any = None
    left: Any = None

    @property
    def names(self) -> tuple[str, ...]:
        """What its columns are called."""
        assert self.spec is not None, "the names are known once rows have been seen"
        return tuple(str(name) for name in self.spec.column_names)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the table that predictions need."""
        return self.formula.predictors

    def predictors(self, rows: pd.DataFrame) -> Array:
        """Return the columns, (n, p)."""
        if self.spec is None:
            made = self._make(self.formula.parsed.rhs, rows, **self.state)
            self.spec = made.model_spec
        else:
            made = self._make(self.spec, rows)
        return np.asarray(made, dtype=np.float64).reshape(len(rows), -1)

    def response(self, rows: pd.DataFrame) -> tuple[str, Array]:
        """Return the name of the label and its values, (n,)."""
        made = self._make(self.left or self.formula.parsed.lhs, rows)
        self.left = made.model_spec
        values = np.asarray(made, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] != 1:
            raise FitError(
                three_part(
                    f"The response {self.formula.left[0].text} is a category, not a number.",
                    f"It makes {values.shape[-1]} columns.",
                    "Use a column of numbers on the left of ~.",
                )
            )
        return str(made.columns[0]), values[:, 0]

    def _make(self, spec: Any, rows: pd.DataFrame, **state: Any) -> Any:
        materializer = require("formulaic").materializers.PandasMaterializer
        try:
            with np.errstate(all="ignore"):  # log(0) and the like are reported by row, further on
                return materializer(rows).get_model_matrix(spec, na_action="ignore", **state)
        except KeyboardInterrupt:
            raise
        except Exception as error:  # the formula is Python: anything can come out of it
            cause = error
            while cause.__cause__ is not None and isinstance(cause.__cause__, Exception):
                cause = cause.__cause__
            raise FitError(
                three_part(
                    f"The formula {self.formula.text!r} cannot be computed on this data.",
                    f"{type(cause).__name__}: {cause}".partition("\n")[0],
                    "Try its terms one by one, beginning with the bare names of the columns.",
                )
            ) from None


@dataclass(frozen=True)
class ExpressionRecipe:
    """The columns that an expression reads, as they are.

    Attributes
    ----------
    left : Expression
        The label.
    names : tuple of str
        The columns that the model reads.
    """

    left: Expression
    names: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the table that predictions need."""
        return self.names

    def predictors(self, rows: pd.DataFrame) -> Array:
        """Return the columns, (n, p)."""
        made = rows[list(self.names)].to_numpy(dtype=np.float64)
        return np.ascontiguousarray(made)

    def response(self, rows: pd.DataFrame) -> tuple[str, Array]:
        """Return the name of the label and its values, (n,)."""
        values = {name: rows[name].to_numpy(dtype=np.float64) for name in self.left.names}
        with np.errstate(all="ignore"):
            made = np.asarray(self.left(values), dtype=np.float64)
        return self.left.text, np.broadcast_to(made, (len(rows),)).copy()
