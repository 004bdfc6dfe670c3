"""How good the predictions are: R², deviance, the share of right labels; on any rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .problem import Problem
from .rows import Rows

__all__ = ["Score", "score"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """What predictions are worth on some rows.

    Attributes
    ----------
    rows : int
        How many there are.
    cost : float
        The loss on them.
    r2 : float or None
        The share of the variance of the labels that is explained, where predictions are means;
        of their size (about 0) for a linear model without an intercept.
    is_about_zero : bool
        Whether `r2` is about 0.
    deviance, null_deviance : float or None
        Of the model, and of the mean alone.
    accuracy : float or None
        The share of the rows whose label has the larger probability.
    log_likelihood : float or None
        Of the rows, for `nll:` losses.
    """

    rows: int
    cost: float
    r2: float | None = None
    is_about_zero: bool = False
    deviance: float | None = None
    null_deviance: float | None = None
    accuracy: float | None = None
    log_likelihood: float | None = None

    @property
    def explained(self) -> float | None:
        """The share of the null deviance that is explained."""
        if self.deviance is None or not self.null_deviance:
            return None
        return 1.0 - self.deviance / self.null_deviance


def score(problem: Problem, rows: Rows, u: Array) -> Score:
    """Return the score of the parameters at `u` (in the descent's units) on rows of the design."""
    loss, objective = problem.loss, problem.objective
    weight = total = mean = 0.0
    for block in rows.blocks():
        w = np.ones(len(block)) if block.weights is None else block.weights
        weight += float(w.sum())
        mean += float(w @ block.y)
    mean /= weight
    has_intercept = not problem.model.is_linear or problem.design.intercept is not None
    centre = mean if has_intercept else 0.0
    left = spread = deviance = null = right = 0.0
    with np.errstate(all="ignore"):
        for raw in rows.blocks():
            block = problem.in_units(raw)
            w = np.ones(len(block)) if block.weights is None else block.weights
            total += float(np.sum(w * np.asarray(objective.losses(u, block))))
            means = loss.link.mean(problem.model(objective.parameters(u), block.X))
            means = np.asarray(means, dtype=np.float64)
            left += float(w @ (block.y - means) ** 2)
            spread += float(w @ (block.y - centre) ** 2)
            if loss.deviance is not None:
                deviance += float(w @ loss.deviance(block.y, means))
                null += float(w @ loss.deviance(block.y, np.full(len(block), mean)))
            if loss.labels == "binary":
                right += float(w @ ((means > 0.5) == (block.y > 0.5)))
    cost = total if loss.is_sum else total / weight
    if loss.name == "nll":
        return Score(rows.n, cost, log_likelihood=-total)
    if loss.deviance is None:
        r2 = 1.0 - left / spread if spread > 0 else None
        return Score(rows.n, cost, r2=r2, is_about_zero=not has_intercept)
    accuracy = right / weight if loss.labels == "binary" else None
    return Score(rows.n, cost, deviance=deviance, null_deviance=null, accuracy=accuracy)
