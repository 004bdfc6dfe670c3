"""Several classes: the log loss of a softmax of linear predictions, through the tape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.variable import Variable
from ..tape.leaving import stop_gradient
from ..tape.tape import GradientTape

__all__ = ["Softmax"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Softmax:
    """The mean log loss of classes, as a function of the coefficients of all but the first.

    The first class has the prediction 0: coefficients of all classes could be moved together
    without a change.

    Attributes
    ----------
    X : ndarray, (n, p)
        Columns.
    labels : ndarray of bool, (n, k)
        Which class each row has.
    weights : ndarray, (n,)
        What each row counts, together 1.
    """

    X: Array
    labels: NDArray[np.bool_]
    weights: Array

    @property
    def shape(self) -> tuple[int, int]:
        """Of the coefficients: columns and classes but the first."""
        return self.X.shape[1], self.labels.shape[1] - 1

    def cost_and_gradient(self, u: Array) -> tuple[float, Array]:
        """Return the cost and its gradient, from coefficients laid flat."""
        variable = Variable(u)
        with np.errstate(all="ignore"):
            with GradientTape() as tape:
                cost = self._cost(variable)
            gradient: Array = tape.gradient(cost, variable).value
        return float(cost), gradient

    def hessian(self, u: Array) -> Array:
        """Return the second derivatives, from nested tapes.

        Each row's cost depends on its own scores alone, twice differentiated: a block of the
        Hessian for each pair of classes.
        """
        p, k = self.shape
        scores = Variable(self.X @ u.reshape(self.shape))
        with np.errstate(all="ignore"):
            with GradientTape(persistent=True) as outer:
                with GradientTape() as inner:
                    cost = self._cost_of(scores)
                gradient = inner.gradient(cost, scores)
                slopes = [np.sum(gradient[:, j]) for j in range(k)]
            bends = [outer.gradient(slope, scores).value for slope in slopes]
        made = np.empty((p, k, p, k))
        for j in range(k):
            for i in range(k):
                made[:, j, :, i] = self.X.T @ (self.X * bends[j][:, [i]])
        return made.reshape(p * k, p * k)

    def _cost(self, u: Any) -> Any:
        return self._cost_of(self.X @ np.reshape(u, self.shape))

    def _cost_of(self, scores: Any) -> Any:
        first = np.zeros((len(self.X), 1))
        scores = np.concatenate([first, scores], axis=1)
        top = np.max(stop_gradient(scores), axis=1, keepdims=True)  # any number may stand here
        shifted = scores - top
        total = np.log(np.sum(np.exp(shifted), axis=1))
        own = np.sum(np.where(self.labels, shifted, 0.0), axis=1)
        return np.sum(self.weights * (total - own))

    def scores(self, u: Array) -> Array:
        """Return the predictions of every class, (n, k)."""
        made = self.X @ u.reshape(self.shape)
        return np.concatenate([np.zeros((len(self.X), 1)), made], axis=1)
