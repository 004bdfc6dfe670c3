"""Gradient descent through the tape on a least-squares problem, and what mathematics knows of it.

The descent runs in units of its own, the columns of the design centred and divided by their
standard deviation, where the eigenvalues of the Hessian are alike and few epochs do; coefficients
go in and come out in the data's units.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import ops  # noqa: F401 - the cards register themselves on import
from ..core.variable import Variable
from ..errors import three_part
from ..tape.tape import GradientTape
from ..verdict import TOLERANCE, Verdict, judge, relative_distances
from .design import Design
from .problems import DivergedError

__all__ = ["AUTO_SHARE", "MAX_EPOCHS", "Problem", "Progress", "Run", "descend", "pose"]

AUTO_SHARE = 0.25
"""`--learning-rate auto`, as a part of the largest stable rate, 2 / largest eigenvalue."""

MAX_EPOCHS = 20_000
"""Without `--epochs`, the descent ends here at the latest."""

VANISHED = 1e-10
"""Without `--epochs`, the descent ends when the gradient is this part of its natural size."""

Array = NDArray[np.float64]

Progress = Callable[[range, Callable[[], float]], Iterable[int]]
"""Shows the epochs as they pass: given them and what returns the present cost, returns them."""


@dataclass(frozen=True)
class Problem:
    """Mean squared error of `X @ w`, in the descent's units, and the way back to the data's.

    Attributes
    ----------
    design : Design
        What the columns are.
    X : ndarray, (n, p)
        The design matrix in the descent's units.
    to_data : ndarray, (p, p)
        `to_data @ w` are the coefficients in the data's units.
    is_standardized : bool
        Whether the two units differ.
    """

    design: Design
    X: Array
    to_data: Array
    is_standardized: bool

    @property
    def y(self) -> Array:
        """The response, (n,), in the data's units."""
        return self.design.y

    @cached_property
    def spectrum(self) -> tuple[Array, Array]:
        """Eigenvalues, ascending, and eigenvectors of the Hessian of the cost, `2 X.T X / n`."""
        hessian: Array = 2.0 / len(self.y) * (self.X.T @ self.X)
        values: Any
        vectors: Any
        values, vectors = np.linalg.eigh(hessian)
        return values, vectors

    @property
    def largest_eigenvalue(self) -> float:
        """The curvature along the steepest axis: rates below 2 over it are stable."""
        return float(self.spectrum[0][-1])

    @cached_property
    def closed_form(self) -> Array:
        """The coefficients of the lowest cost, (p,), in the data's units.

        Solved in the standardised units whatever the descent's are: there the columns are alike
        in size, and the solution loses fewer digits.
        """
        posed = self._standardized
        solution: Any = np.linalg.lstsq(posed.X, self.y, rcond=None)[0]
        result: Array = posed.to_data @ solution
        return result

    @cached_property
    def _standardized(self) -> Problem:
        return self if self.is_standardized else pose(self.design, standardize=True)

    @cached_property
    def lowest_cost(self) -> float:
        """The cost of the closed form."""
        return float(np.mean((self.y - self.design.X @ self.closed_form) ** 2))

    @cached_property
    def scales(self) -> Array:
        """The size against which a coefficient's distance from its closed form counts, (p,).

        The coefficient itself, or its standard error where that is larger: the digits of a
        coefficient that the data cannot tell from 0 say nothing. In an exact fit both can be 0:
        a coefficient counts as no smaller than moves the fitted values by a thousandth of the
        response's standard deviation.
        """
        n, p = self.design.X.shape
        posed = self._standardized
        inverse = np.linalg.inv(posed.X.T @ posed.X)
        variance = n * self.lowest_cost / (n - p)
        errors = np.sqrt(variance * np.diag(posed.to_data @ inverse @ posed.to_data.T))
        reach = np.std(self.y) / np.sqrt(np.mean(self.design.X**2, axis=0))
        size: Array = np.maximum.reduce([np.abs(self.closed_form), errors, 1e-3 * reach])
        return size

    def epochs_to_go(self, coefficients: Array, rate: float) -> int | None:
        """Epochs from `coefficients` to convergence; None when the rate does not get there.

        Exact, because the cost is quadratic: each epoch multiplies the error along eigenvector i
        by `1 - rate * eigenvalue_i`.
        """
        values, vectors = self.spectrum
        factors = 1.0 - rate * values
        if np.abs(factors).max() >= 1.0:
            return None
        modes = vectors.T @ np.linalg.solve(self.to_data, coefficients - self.closed_form)
        back = self.to_data @ vectors

        def is_there(epochs: int) -> bool:
            error = back @ (factors ** float(epochs) * modes)
            return bool(np.abs(error / self.scales).max() <= TOLERANCE)

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


@dataclass(frozen=True)
class Run:
    """A finished descent; entry k of each series is the state after k updates.

    Attributes
    ----------
    problem : Problem
        What was fitted.
    learning_rate : float
        In the descent's units.
    costs, gradient_norms : ndarray, (epochs + 1,)
        The mean squared error, and the norm of its gradient in the descent's units.
    coefficients : ndarray, (epochs + 1, p)
        In the data's units.
    was_interrupted : bool
        Whether Ctrl-C ended it.
    """

    problem: Problem
    learning_rate: float
    costs: Array
    gradient_norms: Array
    coefficients: Array
    was_interrupted: bool

    @property
    def epochs(self) -> int:
        """The number of updates that were made."""
        return len(self.costs) - 1

    @cached_property
    def distances(self) -> Array:
        """The distance of the farthest coefficient from its closed form, at each epoch."""
        each = relative_distances(self.coefficients, self.problem.closed_form, self.problem.scales)
        farthest: Array = each.max(axis=1)
        return farthest

    @cached_property
    def verdict(self) -> Verdict:
        """What the series say."""
        problem = self.problem
        return judge(
            self.costs,
            self.gradient_norms,
            learning_rate=self.learning_rate,
            largest_eigenvalue=problem.largest_eigenvalue,
            coefficients=self.coefficients,
            closed_form=problem.closed_form,
            names=problem.design.names,
            scales=problem.scales,
            epochs_to_go=problem.epochs_to_go(self.coefficients[-1], self.learning_rate),
        )


def pose(design: Design, *, standardize: bool) -> Problem:
    """Return the least-squares problem of a design, in the units in which it will be descended.

    With an intercept, standardising centres each column and divides it by its standard deviation;
    without one nothing could take up the centre, and each column is divided by its root mean
    square.
    """
    n, p = design.X.shape
    centre, scale = np.zeros(p), np.ones(p)
    if standardize:
        if design.intercept is not None:
            centre = design.X.mean(axis=0)
            centre[design.intercept] = 0.0
        scale = np.sqrt(np.mean((design.X - centre) ** 2, axis=0))
    # y = a + sum_j w_j (x_j - c_j) / s_j: slopes are w_j / s_j, the intercept gives c_j w_j / s_j.
    to_data = np.diag(1.0 / scale)
    if design.intercept is not None:
        to_data[design.intercept] -= centre / scale
    return Problem(design, (design.X - centre) / scale, to_data, standardize)


def descend(
    problem: Problem,
    *,
    learning_rate: float | None = None,
    epochs: int | None = None,
    init: Array | None = None,
    progress: Progress | None = None,
) -> Run:
    """Return the run of gradient descent on the problem; Ctrl-C ends it with what there is.

    Parameters
    ----------
    problem : Problem
        From `pose`.
    learning_rate : float, optional
        By default a quarter of the largest stable rate, 2 / largest eigenvalue.
    epochs : int, optional
        How many updates; by default as many as it takes for the gradient to vanish (1e-10 of the
        size of the terms it is summed from), at most 20,000.
    init : ndarray, (p,), optional
        Where to start, in the data's units; by default 0.
    progress : callable, optional
        Wraps the epochs to show how far they are.

    Raises
    ------
    DivergedError
        When the cost rises with a rate above the largest stable one, or is not finite.
    """
    X, y = problem.X, problem.y
    stable = 2.0 / problem.largest_eigenvalue
    rate = AUTO_SHARE * stable if learning_rate is None else learning_rate
    start = np.zeros(X.shape[1]) if init is None else np.linalg.solve(problem.to_data, init)
    natural_size = 2.0 / len(y) * float(np.linalg.norm(X) * np.linalg.norm(y))
    costs, norms, flat = array("d"), array("d"), array("d")
    weights = Variable(start, name="coefficients")

    count = range((MAX_EPOCHS if epochs is None else epochs) + 1)
    steps = count if progress is None else progress(count, lambda: costs[-1] if costs else math.nan)
    was_interrupted = False
    try:
        with np.errstate(all="ignore"):  # a cost that overflows is reported as diverged
            for epoch in steps:
                cost, gradient = _cost_and_gradient(X, y, weights)
                norm = float(np.linalg.norm(gradient))
                if _has_diverged(cost, norm, costs, rate, stable):
                    raise _diverged(epoch, cost, costs, rate, stable)
                flat.extend(weights.value)
                norms.append(norm)
                costs.append(cost)
                if epoch == count[-1] or (epochs is None and norm <= VANISHED * natural_size):
                    break
                weights.assign_sub(rate * gradient)
    except KeyboardInterrupt:
        was_interrupted = True
    kept = len(costs)  # the cost is appended last: what belongs to it is complete
    if kept == 0:
        raise KeyboardInterrupt
    p = X.shape[1]
    coefficients = np.array(flat[: kept * p]).reshape(kept, p) @ problem.to_data.T
    return Run(
        problem, rate, np.array(costs), np.array(norms[:kept]), coefficients, was_interrupted
    )


def _cost_and_gradient(X: Array, y: Array, weights: Variable) -> tuple[float, Array]:
    """Record the mean squared error on a tape and play it backwards."""
    with GradientTape() as tape:
        cost = np.mean((y - X @ weights) ** 2)
    gradient: Array = tape.gradient(cost, weights).value
    return float(cost), gradient


def _has_diverged(
    cost: float, norm: float, costs: array[float], rate: float, stable: float
) -> bool:
    """Whether the cost grows and will go on growing.

    On a quadratic cost with a rate above the largest stable one, what an epoch adds to the cost
    grows from epoch to epoch while what it takes away shrinks: the first rise is no passing one.
    """
    if not (math.isfinite(cost) and math.isfinite(norm)):
        return True
    return rate > stable and len(costs) > 0 and cost > costs[-1] * (1 + 1e-12)


def _diverged(
    epoch: int, cost: float, costs: array[float], rate: float, stable: float
) -> DivergedError:
    if not costs:
        return DivergedError(
            three_part(
                f"The cost is {cost} at epoch 0, before the first update.",
                "The numbers in the data or in --init are too large to be squared.",
                "Use other units, such as thousands or millions.",
            )
        )
    since = "" if epoch == 1 else f", after the lowest, {min(costs):.4g}"
    return DivergedError(
        three_part(
            f"The cost diverges at epoch {epoch}: it rises from {costs[-1]:.4g} to {cost:.4g}"
            f"{since}.",
            f"The learning rate {rate:.4g} is {rate / stable:.3g} times the largest stable one, "
            f"{stable:.4g} (2 / largest eigenvalue of the Hessian).",
            f"Type --learning-rate auto, which is {AUTO_SHARE * stable:.4g} here, or a number "
            f"below {stable:.4g}.",
        )
    )
