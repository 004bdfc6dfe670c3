"""How sure the coefficients are: standard errors and 95 % intervals, or the reason for none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .problem import Problem
from .problems import require

__all__ = ["LEVEL", "Uncertainty", "measure"]

Array = NDArray[np.float64]

LEVEL = 0.95
NORMAL = 1.959963984540054  # the 0.975 quantile of the normal distribution
SINGULAR = 1e-13
"""Curvature along an axis below this part of the largest is none."""


@dataclass(frozen=True)
class Uncertainty:
    """What is known of the error of each coefficient, in the data's units.

    Attributes
    ----------
    covariance : ndarray, (P, P), or None
        Of the coefficients.
    quantile : float
        An interval reaches this many standard errors to either side.
    method : str
        Where the errors come from.
    why : str
        Why there are none, if so.
    note : str
        What else is to be said of them.
    """

    covariance: Array | None
    quantile: float = NORMAL
    method: str = ""
    why: str = ""
    note: str = ""

    @property
    def errors(self) -> Array | None:
        """Standard errors, (P,)."""
        return None if self.covariance is None else np.sqrt(np.diag(self.covariance))

    def intervals(self, coefficients: Array) -> Array | None:
        """Return the lower and upper ends of the intervals, (P, 2)."""
        errors = self.errors
        if errors is None:
            return None
        reach = self.quantile * errors
        return np.column_stack([coefficients - reach, coefficients + reach])


def measure(problem: Problem, u: Array, hessian: Array | None = None) -> Uncertainty:
    """Return how sure the coefficients at `u` (in the descent's units) are.

    Least squares: the inverse of `J.T J`, Gauss and Newton's part of the Hessian, times the
    variance of the residuals, with Student's t. Likelihoods: the inverse Hessian, from nested
    tapes, with the normal distribution. The huber loss is no likelihood: its errors are White's
    sandwich of the inverse Hessian and the spread of the gradients (Huber, 1967). The Hessian of
    the cost at `u` may be given if it is known.
    """
    kind = problem.loss.kind
    if kind == "absolute":
        return Uncertainty(None, why="absolute errors have no curvature to measure them by")
    if kind == "squares":
        return _of_squares(problem, u)
    return _of_hessian(problem, u, problem.objective.hessian(u) if hessian is None else hessian)


def _of_squares(problem: Problem, u: Array) -> Uncertainty:
    p, n = len(problem.model.names), problem.design.n
    factor = problem.objective.linearized(u)
    if not np.isfinite(factor).all():
        return Uncertainty(None, why="the derivatives are not finite at the last epoch")
    R = factor[:p, :p]
    size = np.linalg.norm(R, axis=0)
    # A parameter that moves the predictions by a rounding error of the labels moves nothing.
    labels = np.sqrt(problem.design.summary.square[-1])
    moved = size * np.abs(u) if not problem.model.is_linear else size
    is_flat = (size == 0) if problem.model.is_linear else (moved <= 1e-15 * labels) & (u != 0)
    if is_flat.any() or not size.all():
        return Uncertainty(None, why=_flat(problem.names[int(np.argmin(moved))]))
    values: Any = np.linalg.svd(R / size, compute_uv=False)
    if values[-1] <= SINGULAR * values[0]:
        return Uncertainty(None, why=_alike(problem, R / size))
    inverse = problem.to_data @ (np.linalg.inv(R / size) / size[:, None])
    total = float(np.sum(factor[:, p] ** 2))
    variance = total / (n - p)
    method = "from the variance of the residuals"
    if not problem.model.is_linear:
        method += " and Gauss and Newton's matrix"
    note = _of_rounding(problem, np.sqrt(total))
    return Uncertainty(variance * (inverse @ inverse.T), _student(n - p), method, note=note)


def _of_rounding(problem: Problem, residuals: float) -> str:
    """What is to be said where the residuals are hardly more than the rounding of the labels."""
    summary = problem.design.summary
    labels = np.sqrt(summary.square[-1] + summary.weight * summary.mean[-1] ** 2)
    # A number is rounded by up to half a unit of its last place, in the mean by a fifth of eps.
    rounding = 0.2 * float(np.finfo(np.float64).eps * labels)
    if residuals >= 1e6 * rounding:
        return ""
    digits = int(max(0.0, np.log10(residuals / rounding))) if residuals else 0
    said = "no digit" if digits == 0 else "one digit" if digits == 1 else f"{digits} digits"
    return (
        "The residuals are hardly more than the rounding of the labels: of the standard errors, "
        f"{said} can be trusted."
    )


def _student(freedom: int) -> float:
    return float(require("scipy.special").stdtrit(freedom, 0.5 + 0.5 * LEVEL))


def _of_hessian(problem: Problem, u: Array, hessian: Array) -> Uncertainty:
    # Of the sum over the rows, whatever the cost is divided by.
    hessian = hessian * problem.objective.divisor
    if not np.isfinite(hessian).all():
        return Uncertainty(None, why="the second derivatives are not finite at the last epoch")
    size = np.sqrt(np.abs(np.diag(hessian)))
    if not size.all():
        return Uncertainty(None, why=_flat(problem.names[int(np.argmin(size))]))
    scaled = hessian / np.outer(size, size)
    values, vectors = np.linalg.eigh(scaled)
    if values[0] <= SINGULAR * abs(values[-1]):
        if values[0] < -1e-8 * abs(values[-1]):
            return Uncertainty(None, why="the cost bends down at the last epoch: no minimum")
        return Uncertainty(None, why=_alike(problem, scaled))
    inverse = (vectors / values) @ vectors.T / np.outer(size, size)
    method = "from the inverse Hessian"
    if problem.loss.kind == "robust":
        inverse = inverse @ _spread_of_gradients(problem, u) @ inverse
        method = "robust, from the inverse Hessian and the spread of the gradients"
    return Uncertainty(problem.to_data @ inverse @ problem.to_data.T, NORMAL, method)


def _spread_of_gradients(problem: Problem, u: Array) -> Array:
    objective = problem.objective
    total = np.zeros((objective.count, objective.count))
    for block in objective.rows.blocks():
        slope, _ = objective.prediction_derivatives(u, block)
        weights = 1.0 if block.weights is None else block.weights
        J = objective.model.jacobian(objective.parameters(u), block.X)
        rows = (J if objective.scale is None else J * objective.scale) * (weights * slope)[:, None]
        total += rows.T @ rows
    n, p = problem.design.n, objective.own
    return total * (n / (n - p))


def _flat(name: str) -> str:
    return f"{name} does not move the predictions at the last epoch"


def _alike(problem: Problem, matrix: Array) -> str:
    _, _, vectors = np.linalg.svd(matrix)
    takes_part = [
        name
        for name, part in zip(problem.names, np.abs(vectors[-1]), strict=False)
        if part > 0.1 * np.abs(vectors[-1]).max()
    ]
    return f"{' and '.join(takes_part)} cannot be told apart at the last epoch"
