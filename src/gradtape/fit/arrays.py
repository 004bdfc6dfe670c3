"""Arrays as a design, for the estimators: nothing is read, and nothing refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .columns import gather
from .design import Design
from .formula import INTERCEPT
from .problems import require
from .rows import Block, MemoryRows

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["design_of_arrays"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ArrayRecipe:
    """Columns that are there already."""

    names: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that predictions need."""
        return tuple(name for name in self.names if name != INTERCEPT)

    def predictors(self, rows: pd.DataFrame) -> Array:
        """Return the columns, (n, p)."""
        columns = [np.ones(len(rows)) if name == INTERCEPT else rows[name] for name in self.names]
        return np.column_stack(columns)

    def response(self, rows: pd.DataFrame) -> tuple[str, Array]:
        """Return the name of the label and its values, (n,)."""
        return "y", rows["y"].to_numpy(dtype=np.float64)


def design_of_arrays(X: Array, y: Array, weights: Array | None, *, has_intercept: bool) -> Design:
    """Return the design of columns, (n, p), and labels, (n,); rows of weight 0 do not count."""
    if weights is not None:
        counts = weights > 0
        X, y, weights = X[counts], y[counts], weights[counts]
    names = tuple(f"x{j}" for j in range(X.shape[1]))
    if has_intercept:
        X, names = np.column_stack([np.ones(len(X)), X]), (INTERCEPT, *names)
    block = Block(np.ascontiguousarray(X), y, weights)
    return Design(
        formula=" + ".join(names),
        response="y",
        names=names,
        rows=MemoryRows(block),
        test=None,
        summary=gather(None, block, intercept=0 if has_intercept else None),
        frame=require("pandas").DataFrame(index=range(len(y))),
        sample=block,
        variables=names,
        curve_variable=None,
        rows_read=len(y),
        missing={},
        weightless=0,
        recipe=ArrayRecipe(names),
    )
