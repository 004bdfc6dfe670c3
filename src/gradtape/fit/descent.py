"""The loop: epoch after epoch, what the optimizer does and what is kept of it."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import three_part
from .losses import LOG, LOGIT
from .optimizers import MOMENTUM, Memory, Optimizer, Point, choose_optimizer
from .problem import Problem
from .problems import DivergedError, FitError
from .rows import batches
from .schedules import Schedule, choose_schedule

__all__ = ["AUTO_SHARE", "Plan", "Progress", "Series", "State", "descend", "make_plan"]

AUTO_SHARE = 0.25
"""`--learning-rate auto`, as a part of the largest stable rate, 2 / largest eigenvalue."""

STALLED = 25
"""A descent that finds its own steps ends when so many have not lowered the cost."""

Array = NDArray[np.float64]

Progress = Callable[[range, Callable[[], float]], Iterable[int]]
"""Shows the epochs as they pass: given them and what returns the present cost, returns them."""


@dataclass(frozen=True)
class Plan:
    """How a problem is descended.

    Attributes
    ----------
    optimizer : Optimizer
        What makes the steps.
    rate : float or None
        Its learning rate in the descent's units; None where it has none.
    is_auto : bool
        Whether the rate was found rather than given.
    stable : float or None
        The largest stable rate, where the curvature is known beforehand.
    schedule : Schedule
        How the rate goes down.
    epochs : int
        The last epoch.
    vanished : float or None
        The norm of the gradient at which the descent ends; None to go on to the last epoch.
    batch_size : int or None
        Rows of a mini-batch; None for all.
    seed : int
        Of the batches.
    start : ndarray, (P,)
        In the descent's units.
    """

    optimizer: Optimizer
    rate: float | None
    is_auto: bool
    stable: float | None
    schedule: Schedule
    epochs: int
    vanished: float | None
    batch_size: int | None
    seed: int
    start: Array

    @property
    def is_plain(self) -> bool:
        """Whether it is gradient descent with all rows and one rate: what algebra can predict."""
        return self.optimizer.name == "gd" and self.schedule.is_constant and self.batch_size is None


@dataclass
class Series:
    """What is kept of each epoch; entry k belongs to the state after k updates.

    Attributes
    ----------
    width : int
        How many coefficients there are.
    costs, norms : array of float
        The cost, and the norm of its gradient in the descent's units.
    coefficients, gradients : array of float
        Row after row, in the data's units.
    """

    width: int
    costs: array[float] = field(default_factory=lambda: array("d"))
    norms: array[float] = field(default_factory=lambda: array("d"))
    coefficients: array[float] = field(default_factory=lambda: array("d"))
    gradients: array[float] = field(default_factory=lambda: array("d"))

    def __len__(self) -> int:
        return len(self.costs)

    def add(self, point: Point, norm: float, problem: Problem) -> None:
        """Append an epoch; the cost last, so that what belongs to a cost is complete."""
        self.gradients.extend((problem.from_data.T @ point.gradient).tolist())
        self.coefficients.extend((problem.to_data @ point.u).tolist())
        self.norms.append(norm)
        self.costs.append(point.cost)

    def rows(self, values: array[float]) -> Array:
        """Return the coefficients or gradients of the complete epochs as a table."""
        kept = len(self.costs)
        return np.array(values[: kept * self.width]).reshape(kept, self.width)


@dataclass
class State:
    """Where a descent stands: all that is needed to go on.

    Attributes
    ----------
    point : Point
        The parameters, in the descent's units, and the cost and gradient there.
    memory : dict
        What the optimizer remembers.
    series : Series
        Every epoch so far; the last is that of `point`.
    end : str
        Why it ended: "vanished", "epochs", "floor", "interrupted"; or "" while it goes on.
    """

    point: Point
    memory: Memory
    series: Series
    end: str = ""


def make_plan(
    problem: Problem,
    *,
    optimizer: str | None = None,
    learning_rate: float | None = None,
    schedule: str = "constant",
    epochs: int | None = None,
    tolerance: float | None = None,
    batch_size: int | None = None,
    seed: int = 0,
    init: Array | None = None,
) -> Plan:
    """Return how the problem is descended, or say which options do not go together.

    Parameters
    ----------
    problem : Problem
        What is minimised.
    optimizer : str, optional
        By default what suits the loss: "gd" for squares of a linear model, "lm" for those of
        another, "lbfgs" for absolute errors, "newton" for the rest.
    learning_rate : float, optional
        By default a quarter of the largest stable rate, 2 / largest eigenvalue of the Hessian.
    schedule : str
        How the rate goes down.
    epochs : int, optional
        How many updates; by default as many as it takes for the gradient to vanish.
    tolerance : float, optional
        The gradient counts as vanished at this part of the size of the terms it is summed from;
        by default what the optimizer says.
    batch_size : int, optional
        Rows of a mini-batch.
    seed : int
        Of the batches.
    init : ndarray, (P,), optional
        Where to start, in the data's units.

    Raises
    ------
    FitError
        For an optimizer that does not suit the loss, and for a rate, schedule or batch size given
        to one that takes none.
    """
    chosen = choose_optimizer(optimizer or _default_optimizer(problem))
    how = choose_schedule(schedule)
    _check_suits(problem, chosen)
    if not chosen.uses_rate:
        given = {
            "--learning-rate": learning_rate is not None,
            "--schedule": not how.is_constant,
            "--batch-size": batch_size is not None,
        }
        for option, is_given in given.items():
            if is_given:
                raise FitError(
                    three_part(
                        f"{option} does not go with --optimizer {chosen.name}.",
                        f"{chosen.title} finds its own steps, on all rows at once.",
                        f"Leave {option} out, or choose --optimizer gd, momentum or adam.",
                    )
                )
    start = problem.from_data @ (problem.start if init is None else init)
    steepest = problem.steepest(start) if chosen.uses_rate else None
    stable = None if steepest is None else 2.0 / steepest
    rate = learning_rate
    if rate is None and chosen.uses_rate:
        rate = _auto_rate(problem, chosen, stable, start)
    ends_early = epochs is None or tolerance is not None or not chosen.uses_rate
    vanished = None
    if ends_early:
        part = chosen.vanished if tolerance is None else tolerance
        vanished = part * problem.objective.natural_size(start)
    return Plan(
        chosen,
        rate,
        learning_rate is None,
        stable,
        how,
        chosen.max_epochs if epochs is None else epochs,
        vanished,
        batch_size,
        seed,
        start,
    )


def _default_optimizer(problem: Problem) -> str:
    if problem.model.is_linear:
        return problem.loss.optimizer
    return "lm" if problem.loss.is_squares else "lbfgs"


def _check_suits(problem: Problem, optimizer: Optimizer) -> None:
    loss = problem.loss
    if optimizer.needs == "squares" and not loss.is_squares:
        raise FitError(
            three_part(
                f"--optimizer {optimizer.name} does not go with --loss {loss.name}.",
                f"{optimizer.title} is for squared errors: --loss mse or sse.",
                f"Choose --optimizer {'newton' if loss.has_curvature else 'lbfgs'}.",
            )
        )
    if optimizer.needs == "curvature" and not loss.has_curvature:
        raise FitError(
            three_part(
                f"--optimizer {optimizer.name} does not go with --loss {loss.name}.",
                "Absolute errors have no curvature: their second derivatives are 0.",
                "Choose --optimizer lbfgs.",
            )
        )


def _auto_rate(problem: Problem, optimizer: Optimizer, stable: float | None, start: Array) -> float:
    if optimizer.name == "adam":
        # A step is about as long as the rate: a twentieth of the size that coefficients have.
        has_own_units = problem.loss.link in (LOG, LOGIT) or not problem.model.is_linear
        return 0.05 * (1.0 if has_own_units else float(np.std(problem.design.sample.y)))
    if stable is not None:
        # The ball gathers ten times the step; where the curvature changes on the way, that is far.
        is_heavy = optimizer.name == "momentum" and not problem.model.is_linear
        return AUTO_SHARE * stable * (1.0 - MOMENTUM if is_heavy else 1.0)
    # No curvature to go by: a tenth of the step that would bring the cost to 0 along the slope.
    cost, gradient = problem.objective.cost_and_gradient(start)
    square = float(gradient @ gradient)
    return 0.1 * abs(cost) / square if math.isfinite(cost / square if square else 1.0) else 1e-3


def descend(
    problem: Problem,
    plan: Plan,
    *,
    state: State | None = None,
    progress: Progress | None = None,
    keep: Callable[[State], None] | None = None,
) -> State:
    """Return the state in which the descent ends; Ctrl-C ends it with what there is.

    Parameters
    ----------
    problem, plan : Problem, Plan
        What is descended, and how.
    state : State, optional
        To go on from; by default from the plan's start.
    progress : callable, optional
        Wraps the epochs to show how far they are.
    keep : callable, optional
        Called with the state after each epoch: writes it to disk when it is time.

    Raises
    ------
    DivergedError
        When the cost is no longer finite, or grows without end.
    """
    if state is None:
        cost, gradient = problem.objective.cost_and_gradient(plan.start)
        state = State(Point(plan.start, cost, gradient), {}, Series(len(plan.start)))
    series = state.series
    ahead = state.point, state.memory
    count = range(max(0, len(series) - 1), plan.epochs + 1)
    steps: Iterable[int] = count
    if progress is not None:
        steps = progress(count, lambda: series.costs[-1] if series.costs else math.nan)
    state.end = "epochs"
    try:
        with np.errstate(all="ignore"):  # a cost that overflows is reported as diverged
            for epoch in steps:
                if epoch == len(series):
                    _add(problem, plan, series, ahead[0])
                state.point, state.memory = ahead
                state.end = _end(plan, series, epoch)
                if state.end:
                    break
                if keep is not None:
                    keep(state)
                following = _next(problem, plan, state, epoch)
                if following is None:
                    state.end = "floor"
                    break
                ahead = following
    except KeyboardInterrupt:
        if not len(series):
            raise
        if series.costs[-1] == ahead[0].cost:  # its epoch was kept, and only not noted yet
            state.point, state.memory = ahead
        state.end = "interrupted"
    return state


def _add(problem: Problem, plan: Plan, series: Series, point: Point) -> None:
    norm = float(np.linalg.norm(point.gradient))
    if _has_diverged(problem, plan, point, norm, series):
        raise _diverged(plan, len(series), point, series)
    series.add(point, norm, problem)


def _end(plan: Plan, series: Series, epoch: int) -> str:
    """Why the descent ends at this epoch, or "" if it goes on."""
    if plan.vanished is not None and series.norms[epoch] <= plan.vanished:
        return "vanished"
    if epoch >= plan.epochs:
        return "epochs"
    if not plan.optimizer.uses_rate and _has_stalled(series):
        return "floor"
    return ""


def _next(problem: Problem, plan: Plan, state: State, epoch: int) -> tuple[Point, Memory] | None:
    objective, optimizer = problem.objective, plan.optimizer
    if optimizer.step is not None:
        found, memory = optimizer.step(objective, state.point, state.memory)
        return None if found is None else (found, memory)
    assert optimizer.update is not None and plan.rate is not None
    rate = plan.schedule.rate(plan.rate, epoch, plan.epochs)
    u, gradient, memory = state.point.u, state.point.gradient, state.memory
    if plan.batch_size is None:
        u, memory = optimizer.update(u, gradient, memory, rate)
    else:
        rows = problem.design.rows
        for batch in batches(rows, plan.batch_size, seed=plan.seed, epoch=epoch):
            gradient = objective.batch_gradient(u, problem.in_units(batch))
            u, memory = optimizer.update(u, gradient, memory, rate)
    cost, gradient = objective.cost_and_gradient(u)
    return Point(u, cost, gradient), memory


def _has_stalled(series: Series) -> bool:
    """Whether the last steps lowered neither the cost nor the gradient beyond rounding."""
    costs, norms = series.costs, series.norms
    if len(costs) <= STALLED:
        return False
    before, now = costs[-1 - STALLED], min(costs[-STALLED:])
    is_flat = before - now <= 1e-14 * abs(before)
    return is_flat and min(norms[-STALLED:]) > 0.5 * min(norms[:-STALLED])


# -- divergence -------------------------------------------------------------------------------


def _has_diverged(problem: Problem, plan: Plan, point: Point, norm: float, series: Series) -> bool:
    """Whether the cost grows and will go on growing.

    On a quadratic cost with a rate above the largest stable one, what an epoch adds to the cost
    grows from epoch to epoch while what it takes away shrinks: the first rise is no passing one.
    On any other cost, only what no passing rise explains counts.
    """
    if not (math.isfinite(point.cost) and math.isfinite(norm)):
        return True
    if not len(series) or not plan.optimizer.uses_rate:
        return False
    if problem.is_quadratic and plan.is_plain:
        assert plan.rate is not None and plan.stable is not None
        return plan.rate > plan.stable and point.cost > series.costs[-1] * (1 + 1e-12)
    first, lowest = series.costs[0], min(series.costs[0], series.costs[-1])
    return point.cost > max(1e6 * abs(first), 1e6 * abs(lowest)) + 1e6 * abs(first - lowest)


def _diverged(plan: Plan, epoch: int, point: Point, series: Series) -> DivergedError:
    if not len(series):
        return DivergedError(
            three_part(
                f"The cost is {point.cost} at epoch 0, before the first update.",
                "The numbers in the data or in --init are too large to be squared.",
                "Use other units, such as thousands or millions.",
            )
        )
    since = "" if epoch == 1 else f", after the lowest, {min(series.costs):.4g}"
    fact = (
        f"The cost diverges at epoch {epoch}: it rises from {series.costs[-1]:.4g} to "
        f"{point.cost:.4g}{since}."
    )
    rate, stable = plan.rate, plan.stable
    if rate is None:
        return DivergedError(
            three_part(
                fact,
                f"{plan.optimizer.title} stepped to where it is not finite.",
                "Start elsewhere, with --init, or choose --optimizer lbfgs.",
            )
        )
    if stable is None or plan.optimizer.name == "adam":
        return DivergedError(
            three_part(
                fact,
                f"The learning rate {rate:.4g} is too large.",
                f"Type --learning-rate {rate / 10:.2g}.",
            )
        )
    auto = AUTO_SHARE * stable
    here = "" if plan.is_auto else f" --learning-rate auto, which is {auto:.4g} here, or"
    return DivergedError(
        three_part(
            fact,
            f"The learning rate {rate:.4g} is {rate / stable:.3g} times the largest stable one, "
            f"{stable:.4g} (2 / largest eigenvalue of the Hessian).",
            f"Type{here} a number below {min(stable, rate):.4g}.",
        )
    )
