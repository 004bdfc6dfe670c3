"""The cost as a function of the parameters, and its derivatives, all of them from tapes.

Sums go over the blocks of the rows. The Hessian comes from nested tapes: the inner tape's gradient
is recorded by the outer one and differentiated again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.variable import Variable
from ..tape.tape import GradientTape
from .columns import triangular
from .losses import Loss
from .models import Model
from .rows import Block, Rows

__all__ = ["Objective"]

Array = NDArray[np.float64]


@dataclass
class Objective:
    """The cost of `(parameters of the model, parameters of the loss)`.

    Attributes
    ----------
    model, loss : Model, Loss
        The cost of a row is `loss.value(y, model(parameters, X), ...)`.
    rows : Rows
        What is summed over.
    divisor : float
        The sum is divided by this: the weight of the rows, or 1 for a loss that is a sum.
    scale : ndarray, (p,), or None
        The model's parameters are the descent's times this.
    """

    model: Model
    loss: Loss
    rows: Rows
    divisor: float
    scale: Array | None = None
    _variable: Variable | None = field(default=None, repr=False)

    @property
    def own(self) -> int:
        """How many parameters are the model's; the loss's come after them."""
        return len(self.model.names)

    @property
    def count(self) -> int:
        """How many parameters there are."""
        return self.own + len(self.loss.parameters)

    def parameters(self, u: Any) -> Any:
        """Return the model's parameters, in the model's units."""
        mine = u[: self.own] if self.loss.parameters else u
        return mine if self.scale is None else self.scale * mine

    def losses(self, u: Any, block: Block) -> Any:
        """Return the cost of each row, (m,)."""
        own = [u[j] for j in range(self.own, self.count)]
        made = self.loss.value(block.y, self.model(self.parameters(u), block.X), *own)
        return made if np.shape(made) == block.y.shape else np.broadcast_to(made, block.y.shape)

    def total(self, u: Any, block: Block, divisor: float) -> Any:
        """Return the cost of a block."""
        losses = self.losses(u, block)
        if block.weights is not None:
            losses = block.weights * losses
        return np.sum(losses) / divisor

    def cost(self, u: Array) -> float:
        """Return the cost."""
        with np.errstate(all="ignore"):
            return sum(float(self.total(u, block, self.divisor)) for block in self.rows.blocks())

    def cost_and_gradient(self, u: Array) -> tuple[float, Array]:
        """Return the cost and its gradient, (P,)."""
        cost, gradient = 0.0, np.zeros(self.count)
        with np.errstate(all="ignore"):
            for block in self.rows.blocks():
                part, slope = self._recorded(u, block, self.divisor)
                cost += part
                gradient += slope
        return cost, gradient

    def batch_gradient(self, u: Array, batch: Block) -> Array:
        """Return the gradient of the cost of a mini-batch alone, (P,)."""
        divisor = 1.0
        if not self.loss.is_sum:
            divisor = float(len(batch) if batch.weights is None else batch.weights.sum())
        with np.errstate(all="ignore"):
            return self._recorded(u, batch, divisor)[1]

    def _recorded(self, u: Array, block: Block, divisor: float) -> tuple[float, Array]:
        """Record the cost on a tape and play it backwards."""
        if self._variable is None:
            self._variable = Variable(u, name="coefficients")
        variable = self._variable.assign(u)
        with GradientTape() as tape:
            cost = self.total(variable, block, divisor)
        gradient: Array = tape.gradient(cost, variable, unconnected_gradients="zero").value
        return float(cost), gradient

    def hessian(self, u: Array) -> Array:
        """Return the second derivatives of the cost, (P, P)."""
        hessian = np.zeros((self.count, self.count))
        one_by_one = self.model.is_linear and not self.loss.parameters
        with np.errstate(all="ignore"):
            for block in self.rows.blocks():
                hessian += self._through(u, block) if one_by_one else self._nested(u, block)
        return 0.5 * (hessian + hessian.T)

    def _through(self, u: Array, block: Block) -> Array:
        """By the predictions: each row's loss depends on its own alone, twice differentiated."""
        _, bend = self.prediction_derivatives(u, block)
        if block.weights is not None:
            bend = block.weights * bend
        X: Array = block.X
        return X.T @ (X * bend[:, None]) / self.divisor

    def prediction_derivatives(self, u: Array, block: Block) -> tuple[Array, Array]:
        """Return the first and second derivative of each row's loss by its prediction, (m,)."""
        predictions = Variable(np.asarray(self.model(self.parameters(u), block.X)))
        with GradientTape() as outer:
            with GradientTape() as inner:
                total = np.sum(self.loss.value(block.y, predictions, *u[self.own :]))
            slope = inner.gradient(total, predictions, unconnected_gradients="zero")
            slopes = np.sum(slope)
        bend = outer.gradient(slopes, predictions, unconnected_gradients="zero")
        return np.asarray(slope.value), np.asarray(bend.value)

    def _nested(self, u: Array, block: Block) -> Array:
        variable = Variable(u, name="coefficients")
        with GradientTape(persistent=True) as outer:
            with GradientTape() as inner:
                cost = self.total(variable, block, self.divisor)
            gradient = inner.gradient(cost, variable, unconnected_gradients="zero")
            slopes = [gradient[j] for j in range(self.count)]
        rows = [
            outer.gradient(slope, variable, unconnected_gradients="zero").value for slope in slopes
        ]
        return np.array(rows)

    def linearized(self, u: Array) -> Array:
        """Return the triangular factor of the rows `[J, r]` of a sum of squares, (p + 1, p + 1).

        `r` are the residuals `prediction - y` and `J` their derivatives, each row times the root
        of its weight: what Gauss and Newton's method, and standard errors, need of all rows.
        """
        factor = np.zeros((0, self.own + 1))
        with np.errstate(all="ignore"):
            for block in self.rows.blocks():
                parameters = self.parameters(u)
                J = self.model.jacobian(parameters, block.X)
                if self.scale is not None:
                    J = J * self.scale
                r = np.asarray(self.model(parameters, block.X)) - block.y
                table = np.column_stack([J, r])
                if block.weights is not None:
                    table *= np.sqrt(block.weights)[:, None]
                if not np.isfinite(table).all():
                    return np.full((self.own + 1, self.own + 1), np.nan)
                factor = triangular(table, factor)
        return factor

    def natural_size(self, u: Array) -> float:
        """Return the size of the terms that the gradient is summed from, where they cancel.

        A gradient that is 1e-10 of it has ten digits of cancellation behind it. The terms are
        taken at a prediction of 0, so that a start near the minimum does not shrink them.
        """
        squares, slopes = 0.0, 0.0
        with np.errstate(all="ignore"):
            for block in self.rows.blocks():
                weights = 1.0 if block.weights is None else block.weights
                J = self.model.jacobian(np.asarray(self.parameters(u)), block.X)
                J = J if self.scale is None else J * self.scale
                predictions = Variable(np.zeros(len(block)))
                with GradientTape() as tape:
                    total = np.sum(self.loss.value(block.y, predictions, *u[self.own :]))
                slope = tape.gradient(total, predictions, unconnected_gradients="zero").value
                squares += float(np.sum(weights * np.sum(J**2, axis=1)))
                slopes += float(np.sum(weights * np.asarray(slope) ** 2))
        size = float(np.sqrt(squares) * np.sqrt(slopes)) / self.divisor
        if np.isfinite(size) and size > 0:
            return size
        _, gradient = self.cost_and_gradient(u)
        return float(np.linalg.norm(gradient)) or 1.0
