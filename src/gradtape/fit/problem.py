"""A fit posed: which model, which loss, in which units, and what is known of it beforehand.

The descent runs in units of its own, in which the eigenvalues of the Hessian are alike and few
epochs do: the columns of a linear model centred and divided by their standard deviation, the
parameters of any other measured by their start. Coefficients go in and come out in the data's
units.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..verdict import TOLERANCE
from .columns import Summary
from .design import Design
from .losses import LOSSES, Loss, spread_of
from .models import LinearModel, Model
from .objective import Objective
from .rows import Block, MemoryRows, Rows

__all__ = ["Problem", "pose"]

Array = NDArray[np.float64]

MANY = 1 << 16
"""Rows beyond which least squares are descended by their triangular factor, in memory too."""


@dataclass(frozen=True)
class StandardRows:
    """Rows with their columns centred and divided by their spread."""

    rows: Rows
    centre: Array
    spread: Array

    @property
    def n(self) -> int:
        """How many there are."""
        return self.rows.n

    def blocks(self) -> Iterator[Block]:
        """Yield them in order."""
        for block in self.rows.blocks():
            yield self.changed(block)

    def changed(self, block: Block) -> Block:
        """Return a block in these units."""
        return Block((block.X - self.centre) / self.spread, block.y, block.weights)


@dataclass(frozen=True)
class Problem:
    """What is minimised, in the descent's units, and the way back to the data's.

    Attributes
    ----------
    design : Design
        The rows.
    model, loss : Model, Loss
        What is fitted to them, and how it is judged.
    objective : Objective
        The cost in the descent's units.
    to_data : ndarray, (P, P)
        `to_data @ u` are the coefficients in the data's units, the loss's own last.
    start : ndarray, (P,)
        Where the descent starts if nothing else is said, in the data's units.
    is_standardized : bool
        Whether the two units differ.
    """

    design: Design
    model: Model
    loss: Loss
    objective: Objective
    to_data: Array
    start: Array
    is_standardized: bool
    standard: StandardRows | None = field(default=None, repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """What the coefficients are called, the loss's own last."""
        return (*self.model.names, *(name for name, _ in self.loss.parameters))

    @property
    def X(self) -> Array:
        """The columns in the descent's units, (n, p)."""
        block = self.design.block
        return block.X if self.standard is None else self.standard.changed(block).X

    @property
    def y(self) -> Array:
        """The labels, (n,), in the data's units."""
        return self.design.y

    @cached_property
    def from_data(self) -> Array:
        """The inverse of `to_data`."""
        inverse: Any = np.linalg.inv(self.to_data)
        return np.asarray(inverse, dtype=np.float64)

    @property
    def is_quadratic(self) -> bool:
        """Whether the cost is a quadratic function: least squares of a linear model."""
        return self.model.is_linear and self.loss.is_squares

    def in_units(self, block: Block) -> Block:
        """Return rows as the objective takes them."""
        return block if self.standard is None else self.standard.changed(block)

    # -- the quadratic cost --------------------------------------------------------------------

    @cached_property
    def spectrum(self) -> tuple[Array, Array]:
        """Eigenvalues, ascending, and eigenvectors of the Hessian of a quadratic cost."""
        found: Any = np.linalg.eigh(2.0 / self.objective.divisor * (self.factor.T @ self.factor))
        return found.eigenvalues, found.eigenvectors

    @cached_property
    def factor(self) -> Array:
        """A square matrix of which the columns have the lengths and angles of the rows', (p, p)."""
        return _factor_of(self.design.summary, self.design.intercept, self.standard)[:, :-1]

    @property
    def largest_eigenvalue(self) -> float:
        """The curvature along the steepest axis: rates below 2 over it are stable."""
        return float(self.spectrum[0][-1])

    @cached_property
    def closed_form(self) -> Array:
        """The coefficients of the lowest quadratic cost, (p,), in the data's units.

        Solved in the standardised units whatever the descent's are: there the columns are alike
        in size, and the solution loses fewer digits.
        """
        posed = self._standardized
        if isinstance(self.design.rows, MemoryRows):
            block = posed.in_units(self.design.rows.block)
            root = 1.0 if block.weights is None else np.sqrt(block.weights)
            X, y = (block.X.T * root).T, block.y * root
        else:
            factor = _factor_of(self.design.summary, self.design.intercept, posed.standard)
            X, y = factor[:, :-1], factor[:, -1]
        solution: Any = np.linalg.lstsq(X, y, rcond=None)[0]
        result: Array = posed.to_data @ solution
        return result

    @cached_property
    def _standardized(self) -> Problem:
        if self.is_standardized:
            return self
        return pose(self.design, standardize=True, model=self.model, loss=self.loss)

    @cached_property
    def lowest_cost(self) -> float:
        """The cost of the closed form."""
        return self.objective.cost(self.from_data @ self.closed_form)

    def epochs_to_go(self, coefficients: Array, rate: float, scales: Array) -> int | None:
        """Epochs from `coefficients` to convergence; None when the rate does not get there.

        Exact, because the cost is quadratic: each epoch multiplies the error along eigenvector i
        by `1 - rate * eigenvalue_i`.
        """
        values, vectors = self.spectrum
        factors = 1.0 - rate * values
        if np.abs(factors).max() >= 1.0:
            return None
        modes = vectors.T @ (self.from_data @ (coefficients - self.closed_form))
        back = self.to_data @ vectors

        def is_there(epochs: int) -> bool:
            error = back @ (factors ** float(epochs) * modes)
            return bool(np.abs(error / scales).max() <= TOLERANCE)

        high = 2
        while not is_there(high):
            high *= 2
            if high > 2**60:
                return None
        low = high // 2
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if is_there(middle) else (middle + 1, high)
        return high

    # -- curvature -----------------------------------------------------------------------------

    def steepest(self, u: Array) -> float | None:
        """The largest curvature that a descent from `u` is to meet; None where there is none."""
        if self.is_quadratic:
            return self.largest_eigenvalue
        if not self.loss.has_curvature:
            return None
        if self.model.is_linear and self.loss.curvature is not None:
            return self.loss.curvature * self._steepest_square(lambda block: 1.0)
        if self.model.is_linear and self.loss.labels == "count":
            # The curvature of a row is its mean, which a fit brings near its label.
            return self._steepest_square(lambda block: np.maximum(1.0, block.y))
        hessian = self.objective.hessian(u)
        if not np.isfinite(hessian).all():
            return None
        return float(np.abs(np.linalg.eigvalsh(hessian)).max()) or None

    def _steepest_square(self, curvature: Any) -> float:
        total = np.zeros((len(self.model.names),) * 2)
        for block in self.objective.rows.blocks():
            weights = curvature(block) * (1.0 if block.weights is None else block.weights)
            total += (block.X.T * weights) @ block.X
        return float(np.linalg.eigvalsh(total / self.objective.divisor).max())


def pose(
    design: Design,
    *,
    standardize: bool = True,
    model: Model | None = None,
    loss: Loss = LOSSES["mse"],
    start: Array | None = None,
) -> Problem:
    """Return the fit of a model to a design, in the units in which it will be descended.

    Parameters
    ----------
    design : Design
        The rows.
    standardize : bool
        Centre each column of a linear model (if it has an intercept) and divide it by its
        standard deviation; measure the parameters of any other model by their start.
    model : Model, optional
        By default linear.
    loss : Loss
        What is minimised.
    start : ndarray, (P,), optional
        Of the parameters and the loss's own, in the data's units; by default 0 and what the loss
        says.
    """
    model = LinearModel(design.names) if model is None else model
    p = len(model.names)
    if start is None:
        start = np.array([0.0] * p + [_own_start(value, design) for _, value in loss.parameters])
    to_data = np.eye(len(start))
    standard = scale = None
    if standardize and model.is_linear:
        standard = _standard(design)
        # y = a + sum_j w_j (x_j - c_j) / s_j: slopes are w_j / s_j, and the intercept a - sum of
        # w_j c_j / s_j.
        to_data[:p, :p] = np.diag(1.0 / standard.spread)
        if design.intercept is not None:
            to_data[design.intercept, :p] -= standard.centre / standard.spread
    elif standardize:
        size = np.abs(start[:p])
        scale = np.where(size > 0, size, 1.0)
        to_data[:p, :p] = np.diag(scale)
    objective = Objective(
        model,
        loss,
        _rows(design, model, loss, standard),
        1.0 if loss.is_sum else design.summary.weight,
        scale,
    )
    return Problem(design, model, loss, objective, to_data, start, standardize, standard)


def _own_start(value: float | str, design: Design) -> float:
    return float(np.log(spread_of(design.sample.y))) if isinstance(value, str) else value


def _standard(design: Design) -> StandardRows:
    summary = design.summary
    p = len(design.names)
    if design.intercept is None:
        # No centre: the spread is about 0.
        spread = np.sqrt(summary.square[:p] / summary.weight + summary.mean[:p] ** 2)
        return StandardRows(design.rows, np.zeros(p), np.where(spread > 0, spread, 1.0))
    centre = summary.mean[:p].copy()
    spread = np.sqrt(summary.square[:p] / summary.weight)
    spread = np.where(spread > 0, spread, 1.0)
    centre[design.intercept], spread[design.intercept] = 0.0, 1.0
    return StandardRows(design.rows, centre, spread)


def _rows(design: Design, model: Model, loss: Loss, standard: StandardRows | None) -> Rows:
    """What the objective sums over."""
    is_small = isinstance(design.rows, MemoryRows) and design.n <= MANY
    if model.is_linear and loss.is_squares and not is_small:
        # The triangular factor of all rows has the same sums of squares as the rows themselves.
        factor = _factor_of(design.summary, design.intercept, standard)
        return MemoryRows(Block(np.ascontiguousarray(factor[:, :-1]), factor[:, -1].copy()))
    if isinstance(design.rows, MemoryRows):
        block = design.rows.block
        return MemoryRows(block if standard is None else standard.changed(block))
    return design.rows if standard is None else standard


def _factor_of(summary: Summary, intercept: int | None, standard: StandardRows | None) -> Array:
    """The triangular factor of the rows in the descent's units, (p + 1, p + 1).

    The summary's is that of shifted columns; with an intercept, shifting and centring are
    combinations of columns with the column of ones.
    """
    factor = summary.factor.copy()
    p = factor.shape[1] - 1
    if intercept is not None:
        centre = np.zeros(p) if standard is None else standard.centre
        ones = factor[:, intercept].copy()
        move = summary.shift - np.append(centre, 0.0)
        move[intercept] = 0.0
        factor += np.outer(ones, move)
    if standard is not None:
        factor[:, :p] /= standard.spread
    return factor
