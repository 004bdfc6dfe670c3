"""What a finished descent says: coefficients and how sure they are, scores, and the verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..verdict import TOLERANCE, Verdict, judge, relative_distances
from .absolute import least_absolute
from .descent import Plan, State
from .problem import Problem
from .scores import Score, score
from .starts import flat_parameter
from .uncertainty import Uncertainty, measure

__all__ = ["Reference", "Result", "decimals_of"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Reference:
    """Where the cost is lowest, as far as that can be known without the descent.

    Attributes
    ----------
    coefficients : ndarray, (P,)
        In the data's units.
    heading, words : str
        What a table and a sentence call it.
    """

    coefficients: Array
    heading: str
    words: str


@dataclass(frozen=True)
class Result:
    """A finished descent; entry k of each series is the state after k updates.

    Attributes
    ----------
    problem : Problem
        What was fitted.
    plan : Plan
        How.
    state : State
        Where it ended.
    """

    problem: Problem
    plan: Plan
    state: State

    @cached_property
    def costs(self) -> Array:
        """The cost at each epoch, (epochs + 1,)."""
        return np.array(self.state.series.costs)

    @cached_property
    def gradient_norms(self) -> Array:
        """The norm of the gradient, in the descent's units, at each epoch."""
        return np.array(self.state.series.norms[: len(self.costs)])

    @cached_property
    def coefficients(self) -> Array:
        """The coefficients at each epoch, (epochs + 1, P), in the data's units."""
        return self.state.series.rows(self.state.series.coefficients)

    @cached_property
    def gradients(self) -> Array:
        """The gradient at each epoch, (epochs + 1, P), in the data's units."""
        return self.state.series.rows(self.state.series.gradients)

    @property
    def final(self) -> Array:
        """The coefficients at the end, (P,), in the data's units."""
        last: Array = self.coefficients[-1]
        return last

    @property
    def epochs(self) -> int:
        """The number of updates that were made."""
        return len(self.costs) - 1

    @property
    def was_interrupted(self) -> bool:
        """Whether Ctrl-C ended it."""
        return self.state.end == "interrupted"

    @property
    def learning_rate(self) -> float | None:
        """In the descent's units; None where the optimizer has none."""
        return self.plan.rate

    @cached_property
    def u(self) -> Array:
        """The coefficients at the end in the descent's units."""
        return self.problem.from_data @ self.final

    @cached_property
    def decimals(self) -> int:
        """With how many decimals the cost is printed."""
        return decimals_of(self.costs)

    # -- how sure, how good --------------------------------------------------------------------

    @cached_property
    def hessian(self) -> Array:
        """Of the cost at the end, in the descent's units, from nested tapes."""
        return self.problem.objective.hessian(self.u)

    @cached_property
    def uncertainty(self) -> Uncertainty:
        """Standard errors and intervals, or why there are none."""
        has_use = not self.problem.loss.is_squares and self.problem.loss.has_curvature
        return measure(self.problem, self.u, self.hessian if has_use else None)

    @cached_property
    def score(self) -> Score:
        """On the rows that were fitted."""
        return score(self.problem, self.problem.design.rows, self.u)

    @cached_property
    def test_score(self) -> Score | None:
        """On the rows that were kept for the test."""
        test = self.problem.design.test
        return None if test is None else score(self.problem, test, self.u)

    # -- how near ------------------------------------------------------------------------------

    @cached_property
    def reference(self) -> Reference | None:
        """Where the cost is lowest; None where that is not known."""
        problem = self.problem
        if problem.is_quadratic:
            return Reference(problem.closed_form, "closed form", "the closed form")
        if problem.loss.kind == "absolute":
            solved = least_absolute(problem)
            if solved is None:
                return None
            words = "the solution of the linear programme"
            return Reference(solved, "linear programme", words)
        u, hessian = self.u, self.hessian
        if not np.isfinite(hessian).all():
            return None
        size = np.sqrt(np.abs(np.diag(hessian)))
        if not size.all():
            return None
        values, vectors = np.linalg.eigh(hessian / np.outer(size, size))
        if values[0] <= 1e-13 * values[-1]:
            return None
        _, gradient = problem.objective.cost_and_gradient(u)
        step = -(vectors @ ((vectors.T @ (gradient / size)) / values)) / size
        words = "the minimum that Newton's method sees from here"
        return Reference(problem.to_data @ (u + step), "minimum", words)

    @cached_property
    def scales(self) -> Array | None:
        """The size against which a coefficient's distance from its reference counts, (P,).

        The coefficient itself, or its standard error where that is larger: the digits of a
        coefficient that the data cannot tell from 0 say nothing. In an exact fit both can be 0:
        a coefficient counts as no smaller than moves the fitted values by a thousandth of the
        label's standard deviation.
        """
        if self.reference is None:
            return None
        target = self.reference.coefficients
        size = np.abs(target)
        sure = self.uncertainty
        if self.problem.is_quadratic:
            sure = measure(self.problem, self.problem.from_data @ target)
        if sure.errors is not None:
            size = np.maximum(size, sure.errors)
        if self.problem.model.is_linear:
            summary, p = self.problem.design.summary, len(self.problem.model.names)
            column = np.sqrt(summary.square[:p] / summary.weight + summary.mean[:p] ** 2)
            spread = math.sqrt(summary.square[p] / summary.weight)
            size[:p] = np.maximum(size[:p], 1e-3 * spread / column)
        return np.where(size > 0, size, float(size.max()) or 1.0)

    @cached_property
    def distances(self) -> Array | None:
        """The distance of the farthest coefficient from its reference, at each epoch."""
        if self.reference is None or self.scales is None:
            return None
        each = relative_distances(self.coefficients, self.reference.coefficients, self.scales)
        farthest: Array = each.max(axis=1)
        return farthest

    @cached_property
    def obstacle(self) -> str:
        """Why the end is no minimum although the gradient may be small; "" if nothing says so."""
        problem = self.problem
        if not problem.is_quadratic and not problem.model.is_linear:
            flat = flat_parameter(problem, self.final)
            if flat is not None:
                return (
                    f"{flat} no longer moves any prediction, so that the descent has run onto a "
                    "plateau. Start elsewhere"
                )
        if problem.is_quadratic:
            return ""
        if not problem.loss.has_curvature:
            if self.reference is not None:
                return ""
            return (
                "whether this is the minimum is not known. At a minimum of absolute errors no "
                "gradient vanishes, and the data are too many, or the model too bent, for the "
                "linear programme that could tell"
            )
        if self.state.end in ("vanished", "floor") and np.isfinite(self.hessian).all():
            size = np.sqrt(np.abs(np.diag(self.hessian)))
            size = np.where(size > 0, size, 1.0)
            values, vectors = np.linalg.eigh(self.hessian / np.outer(size, size))
            if values[0] < -1e-6 * abs(values[-1]):
                name = problem.names[int(np.abs(vectors[:, 0]).argmax())]
                return f"the cost bends down along {name}: this is a saddle, not a minimum"
        if self.state.end == "epochs" and self.scales is not None:
            quarter = self.coefficients[-max(2, len(self.costs) // 4) :]
            moved = np.abs(quarter[0] - quarter[-1]) / self.scales
            j = int(moved.argmax())
            if moved[j] > TOLERANCE and np.isfinite(moved[j]):
                return (
                    f"the coefficients still move: {problem.names[j]} went from "
                    f"{quarter[0, j]:.4g} to {quarter[-1, j]:.4g} in the last quarter of the run"
                )
        return ""

    @cached_property
    def verdict(self) -> Verdict:
        """What the series say."""
        problem, plan = self.problem, self.plan
        steepest = epochs_to_go = None
        if plan.is_plain and problem.is_quadratic:
            assert plan.rate is not None and self.scales is not None
            steepest = problem.largest_eigenvalue
            epochs_to_go = problem.epochs_to_go(self.final, plan.rate, self.scales)
        elif plan.is_plain and problem.loss.has_curvature and np.isfinite(self.hessian).all():
            steepest = float(np.linalg.eigvalsh(self.hessian)[-1])
        reference = self.reference
        return judge(
            self.costs,
            self.gradient_norms,
            learning_rate=plan.rate or 0.0,
            largest_eigenvalue=steepest,
            coefficients=self.coefficients,
            closed_form=None if reference is None else reference.coefficients,
            reference="" if reference is None else reference.words,
            names=problem.names,
            scales=self.scales,
            epochs_to_go=epochs_to_go,
            decimals=self.decimals,
            obstacle=self.obstacle,
        )


def decimals_of(costs: Array) -> int:
    """Return with how many decimals a cost is printed: two, or four digits of a small one.

    >>> decimals_of(np.array([610.0, 23.9])), decimals_of(np.array([0.7, 0.052]))
    (2, 5)
    """
    size = float(np.abs(costs).min())
    if not 0 < size < 1:
        return 2
    return min(12, 3 - math.floor(math.log10(size)))
