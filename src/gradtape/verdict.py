"""What a finished series of costs and gradients says: phases, standstill, lowest cost, convergence.

Pure: numbers in, a frozen dataclass out. Nothing here reads a tape, a file or a clock, so that the
recorder, `gradtape fit` and a user's own loop all get the same words for the same numbers.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import ShapeError, three_part

__all__ = [
    "Coefficient",
    "Convergence",
    "FastPhase",
    "LowestCost",
    "Standstill",
    "Verdict",
    "about",
    "judge",
    "relative_distances",
]

FAST_SHARE = 0.01
"""An epoch belongs to the fast phase while it lowers the cost by this share of the steepest one."""

TOLERANCE = 1e-3
"""Converged: every coefficient agrees with its closed form to three digits."""

CLOSED_FORM = "the closed form"

GRADIENT_TOLERANCE = 1e-6
"""Converged, where no closed form is known: the gradient fell to this share of its largest norm."""


@dataclass(frozen=True)
class FastPhase:
    """Where the fast phase of the cost ended.

    Attributes
    ----------
    end : int or None
        The last epoch that lowered the cost by at least 1 % of the steepest epoch's decrease.
        None when that epoch is the last of the run (the phase goes on) or the cost never fell.
    share : float
        The part of the run's whole decrease (first cost to lowest cost) done by then; nan when
        the cost never fell.
    """

    end: int | None
    share: float

    def __str__(self) -> str:
        if math.isnan(self.share):
            return "there was none: the cost never fell below its first value."
        if self.end is None:
            return "had not ended when the run did: the last epoch still lowered the cost markedly."
        return (
            f"ended at epoch {self.end}, with {_percent(min(self.share, 1.0))} of the whole "
            "decrease done. No later epoch lowered the cost by even 1 % of the steepest step."
        )


@dataclass(frozen=True)
class Standstill:
    """From which epoch the cost, as it is printed, no longer changed.

    Attributes
    ----------
    start : int or None
        First epoch whose printed cost is that of every later epoch; None when the printed cost
        still changed at the last epoch, or there was only one.
    printed : str
        The printed cost of the last epoch.
    epochs : int
        For how many epochs at the end it was this one.
    """

    start: int | None
    printed: str
    epochs: int

    def __str__(self) -> str:
        # A cost that diverged can have hundreds of digits.
        printed = self.printed if len(self.printed) < 20 else f"{float(self.printed):.3g}"
        if self.start is None:
            return f"{printed}, still changing at the last epoch."
        return f"{printed}, unchanged from epoch {self.start} on: the last {self.epochs} epochs."


@dataclass(frozen=True)
class LowestCost:
    """The epoch of the lowest cost.

    Attributes
    ----------
    epoch : int
        The first epoch with the lowest cost.
    cost : float
        That cost.
    last_epoch : int
        The last epoch with a finite cost.
    above : float
        By how much the last cost is above the lowest.
    is_rounding : bool
        The last cost differs from the lowest by no more than rounding explains.
    """

    epoch: int
    cost: float
    last_epoch: int
    above: float
    is_rounding: bool

    def __str__(self) -> str:
        where = f"{self.cost:.6g} at epoch {self.epoch}"
        if self.epoch == self.last_epoch:
            return f"{where}, the last one."
        if self.is_rounding:
            return f"{where}; the last epoch, {self.last_epoch}, equals it within rounding."
        return f"{where}; the last epoch, {self.last_epoch}, is {self.above:.3g} above it."


@dataclass(frozen=True)
class Coefficient:
    """A coefficient beside its closed form, and how far apart they are.

    Attributes
    ----------
    name : str
        As the caller named it.
    value, closed_form : float
        Where the run ended, and where the cost is lowest.
    distance : float
        `|value - closed_form|` over the size that counts for this coefficient: its closed form,
        unless the caller gave another scale.
    reference : str
        What is meant by the closed form, in the words of a sentence.
    """

    name: str
    value: float
    closed_form: float
    distance: float
    reference: str = CLOSED_FORM

    def __str__(self) -> str:
        return (
            f"{self.name} is {self.value:.4g} where {self.reference} is {self.closed_form:.4g}: "
            f"{_percent(self.distance)} away"
        )


@dataclass(frozen=True)
class Convergence:
    """Whether the run has converged, by which numbers, and what is left to do if not.

    Attributes
    ----------
    converged : bool
        True when the step is stable and the farthest coefficient is within `tolerance` of its
        closed form; where no closed form is known, when the gradient norm fell to a millionth of
        its largest value.
    gradient_norm : float
        At the last epoch.
    gradient_share : float
        The same over the largest gradient norm of the run.
    farthest : Coefficient or None
        The coefficient farthest from its closed form; None when no closed form was given.
    stability : float or None
        Learning rate times the largest eigenvalue of the Hessian. Gradient descent on a quadratic
        cost multiplies the error along an eigenvector by `1 - learning_rate * eigenvalue` at each
        epoch: it overshoots above 1 and grows without bound above 2.
    epochs_to_go : int or None
        About how many more epochs bring the run to convergence; 0 when it is there, None when it
        does not get there this way.
    tolerance : float
        The distance that counts as converged.
    diverged_at : int or None
        The first epoch whose cost is not finite.
    stands_still_from : int or None
        The epoch from which the printed cost stands still.
    obstacle : str
        Why this is no minimum, whatever the gradient says; "" if nothing is known against it.
    """

    converged: bool
    gradient_norm: float
    gradient_share: float
    farthest: Coefficient | None
    stability: float | None
    epochs_to_go: int | None
    tolerance: float
    diverged_at: int | None
    stands_still_from: int | None
    obstacle: str = ""

    def __str__(self) -> str:
        parts = [self._answer(), self._gradient()]
        if self.stability is not None:
            parts.append(self._step())
        if not self.converged and not self.obstacle:
            parts.append(self._remaining())
        return " ".join(parts)

    def _answer(self) -> str:
        if self.diverged_at is not None:
            return f"NO, diverged: the cost is not finite from epoch {self.diverged_at} on."
        if self.converged:
            if self.farthest is None:
                return "yes."
            return (
                f"yes: every coefficient agrees with {self.farthest.reference} to "
                f"{_magnitude(self.farthest.distance)} of its size."
            )
        if self.obstacle:
            return f"NO: {self.obstacle}."
        detail = "the gradient has not vanished" if self.farthest is None else str(self.farthest)
        if self.stands_still_from is not None:
            return f"NO, although the printed cost stands still: {detail}."
        return f"NO: {detail}."

    def _gradient(self) -> str:
        if self.gradient_share > 0.999:
            return f"The gradient norm is {self.gradient_norm:.3g}, the largest of the run."
        return (
            f"The gradient norm is {self.gradient_norm:.3g}, {_percent(self.gradient_share)} "
            "of the largest in the run."
        )

    def _step(self) -> str:
        assert self.stability is not None
        fact = f"Learning rate x largest eigenvalue is {self.stability:.3g}"
        if self.stability >= 2:
            return f"{fact}: unstable, it must be below 2."
        if self.stability > 1:
            return f"{fact}: stable (below 2), but each step overshoots along the steepest axis."
        return f"{fact}: stable (below 2)."

    def _remaining(self) -> str:
        if self.epochs_to_go is None:
            if self.stability is not None and self.stability >= 2:
                return "More epochs do not help; a smaller learning rate does."
            return "The run is not getting nearer, so how many more epochs it needs is not known."
        reference = CLOSED_FORM if self.farthest is None else self.farthest.reference
        its = "its closed form" if reference == CLOSED_FORM else reference
        goal = (
            f"until the gradient is {GRADIENT_TOLERANCE:g} of its largest"
            if self.farthest is None
            else f"until every coefficient is within {_percent(self.tolerance)} of {its}"
        )
        return f"It needs about {about(self.epochs_to_go):,} more epochs {goal}."


@dataclass(frozen=True)
class Verdict:
    """Four separate facts about a run; `str` of it is the text that is printed.

    Attributes
    ----------
    fast_phase : FastPhase
        Where the fast phase of the cost ended.
    standstill : Standstill
        From which epoch the printed cost no longer changed.
    lowest : LowestCost
        The epoch of the lowest cost.
    convergence : Convergence
        Whether the run has converged, and about how many more epochs it needs if not.
    missing : str
        What the run does not hold, where the facts are those of a part of it; "" for a whole one.
    """

    fast_phase: FastPhase
    standstill: Standstill
    lowest: LowestCost
    convergence: Convergence
    missing: str = ""

    @property
    def text(self) -> str:
        """The four facts as four paragraphs of plain text, at most 96 columns wide."""
        facts: list[tuple[str, object]] = [
            ("Fast phase", self.fast_phase),
            ("Printed cost", self.standstill),
            ("Lowest cost", self.lowest),
            ("Converged", self.convergence),
        ]
        if self.missing:
            facts.append(("Incomplete", self.missing))
        return "\n".join(
            textwrap.fill(
                str(fact),
                width=96,
                initial_indent=f"  {name + ':':<14}",
                subsequent_indent=" " * 16,
                break_long_words=False,
                break_on_hyphens=False,
            )
            for name, fact in facts
        )

    def __str__(self) -> str:
        return self.text


def judge(
    costs: ArrayLike,
    gradient_norms: ArrayLike,
    *,
    learning_rate: float,
    largest_eigenvalue: float | None = None,
    coefficients: ArrayLike | None = None,
    closed_form: ArrayLike | None = None,
    reference: str = CLOSED_FORM,
    names: Sequence[str] | None = None,
    scales: ArrayLike | None = None,
    epochs_to_go: int | None = None,
    decimals: int = 2,
    tolerance: float = TOLERANCE,
    obstacle: str = "",
) -> Verdict:
    """Return what the costs and gradients of a run of gradient descent say.

    Entry `k` of each series belongs to epoch `k`: the state after `k` updates.

    The end of the fast phase is the last epoch that lowered the cost by at least 1 % of what the
    steepest epoch did. On a quadratic cost the decrease of epoch k is a sum over the eigenvalues
    of the Hessian, `sum_i c_i (1 - r_i**2) r_i**(2 (k - 1))` with `r_i = 1 - learning_rate *
    eigenvalue_i`: the terms of the large eigenvalues die within a few epochs, the terms of the
    small ones hardly change. Where the sum has fallen a hundredfold, the fast terms are gone and
    only the slow ones still move the coefficients. The definition needs no eigenvalue and no
    guess at the final cost, and a longer run does not move the epoch.

    The number of further epochs, unless the caller knows it, follows from the factor per epoch by
    which the distance (without a closed form: the gradient norm) shrank over the last quarter of
    the run. Modes that are slower still come to light only later, so it is a lower estimate.

    Parameters
    ----------
    costs, gradient_norms : array_like, (epochs,)
        The cost, and the Euclidean norm of its gradient, at each epoch.
    learning_rate : float
        The step of the descent.
    largest_eigenvalue : float, optional
        Of the Hessian of the cost, in the units in which the descent ran.
    coefficients : array_like, (epochs, p), optional
        The coefficients at each epoch.
    closed_form : array_like, (p,), optional
        Where the cost is lowest.
    reference : str
        What the text calls the closed form: another way of knowing the minimum may stand for it.
    names : sequence of str, optional
        What the text calls the p coefficients.
    scales : array_like, (p,), optional
        The size against which each coefficient's distance counts; see `relative_distances`.
    epochs_to_go : int, optional
        About how many more epochs convergence takes, when the caller knows better than the series.
    decimals : int
        With how many decimals the cost was printed.
    tolerance : float
        The relative distance from the closed form that counts as converged.
    obstacle : str
        Why the last epoch is no minimum, when the caller knows: the run has not converged then.

    Returns
    -------
    Verdict
        The four facts, frozen.

    Raises
    ------
    ShapeError
        When the series do not belong together, or the first cost is not finite.

    Examples
    --------
    >>> run = [2.0 + 0.5**k for k in range(12)]
    >>> verdict = judge(run, [0.7**k for k in range(12)], learning_rate=0.1)
    >>> verdict.fast_phase.end, verdict.standstill.start, verdict.lowest.epoch
    (7, 8, 11)
    >>> verdict.convergence.converged, verdict.convergence.epochs_to_go
    (False, 28)
    """
    cost, norm = _series(costs, gradient_norms)
    diverged_at = None
    finite = np.isfinite(cost) & np.isfinite(norm)
    if not finite.all():
        diverged_at = int(np.argmin(finite))
        cost, norm = cost[:diverged_at], norm[:diverged_at]
    standstill = _standstill(cost, decimals)
    largest = float(norm.max())
    share = float(norm[-1]) / largest if largest > 0 else 0.0
    stability = None if largest_eigenvalue is None else float(learning_rate * largest_eigenvalue)
    is_stable = diverged_at is None and (stability is None or stability < 2)

    farthest = None
    left, goal, shrinking = share, GRADIENT_TOLERANCE, norm
    if coefficients is not None and closed_form is not None:
        reached = np.atleast_2d(np.asarray(coefficients, dtype=np.float64))[: len(cost)]
        if len(reached) != len(cost):
            raise ShapeError(
                three_part(
                    f"judge: {len(cost)} costs, but coefficients of {len(reached)} epochs.",
                    "",
                    "Record both once per epoch: coefficients has shape (epochs, p).",
                )
            )
        target = np.atleast_1d(np.asarray(closed_form, dtype=np.float64))
        each = relative_distances(reached, target, scales)
        worst = int(each[-1].argmax())
        left, goal, shrinking = float(each[-1, worst]), tolerance, each.max(axis=1)
        farthest = Coefficient(
            names[worst] if names is not None else f"coefficient {worst}",
            float(reached[-1, worst]),
            float(target[worst]),
            left,
            reference,
        )
    converged = is_stable and left <= goal and not obstacle
    if converged:
        epochs_to_go = 0
    elif not is_stable or obstacle:
        epochs_to_go = None
    elif epochs_to_go is None:
        epochs_to_go = _epochs_to_go(shrinking, left / goal)
    return Verdict(
        _fast_phase(cost),
        standstill,
        _lowest(cost),
        Convergence(
            converged,
            float(norm[-1]),
            share,
            farthest,
            stability,
            epochs_to_go,
            tolerance,
            diverged_at,
            standstill.start,
            obstacle,
        ),
    )


def relative_distances(
    coefficients: ArrayLike, closed_form: ArrayLike, scales: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Return how far each coefficient is from its closed form, in units of its own size.

    Parameters
    ----------
    coefficients : array_like, (..., p)
        Any number of states.
    closed_form : array_like, (p,)
        Where the cost is lowest.
    scales : array_like, (p,), optional
        The size of each coefficient; by default the absolute value of its closed form, and for a
        closed form of 0 the largest of them, or 1.

    Returns
    -------
    ndarray, (..., p)
        `|coefficients - closed_form| / scales`.

    Examples
    --------
    >>> relative_distances([[0.0, 0.0], [2.0, 3.0]], [2.0, 4.0])
    array([[1.  , 1.  ],
           [0.  , 0.25]])
    """
    target = np.asarray(closed_form, dtype=np.float64)
    size = np.abs(target) if scales is None else np.asarray(scales, dtype=np.float64)
    size = np.where(size > 0, size, float(size.max()) or 1.0)
    distance: NDArray[np.float64] = np.abs(np.asarray(coefficients) - target) / size
    return distance


def _series(
    costs: ArrayLike, gradient_norms: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    cost = np.asarray(costs, dtype=np.float64)
    norm = np.asarray(gradient_norms, dtype=np.float64)
    if cost.ndim != 1 or cost.shape != norm.shape or cost.size == 0:
        raise ShapeError(
            three_part(
                f"judge: costs has shape {cost.shape}, gradient_norms {norm.shape}.",
                "Both are one number per epoch, of at least one epoch.",
                "Append the cost and the gradient norm to their lists in the same epoch.",
            )
        )
    if not (math.isfinite(cost[0]) and math.isfinite(norm[0])):
        raise ShapeError(
            three_part(
                f"judge: at epoch 0 the cost is {cost[0]}, the gradient norm {norm[0]}.",
                "Nothing can be said about a run that has no finite beginning.",
                "Look for nan or inf in the data and the initial values: np.isfinite(x).all().",
            )
        )
    return cost, norm


def _fast_phase(cost: NDArray[np.float64]) -> FastPhase:
    decrease = cost[:-1] - cost[1:]
    whole = float(cost[0] - cost.min())
    if not whole > 0:
        return FastPhase(None, math.nan)
    fast = np.flatnonzero(decrease >= FAST_SHARE * decrease.max())
    end = int(fast[-1]) + 1  # decrease[k] is what the update to epoch k + 1 did
    share = float(cost[0] - cost[end]) / whole
    return FastPhase(end if end < len(cost) - 1 else None, share)


def _standstill(cost: NDArray[np.float64], decimals: int) -> Standstill:
    printed = [f"{value:.{decimals}f}" for value in cost.tolist()]
    start = len(printed) - 1
    while start > 0 and printed[start - 1] == printed[-1]:
        start -= 1
    epochs = len(printed) - start
    return Standstill(start if epochs > 1 else None, printed[-1], epochs)


def _lowest(cost: NDArray[np.float64]) -> LowestCost:
    epoch = int(cost.argmin())
    lowest, above = float(cost[epoch]), float(cost[-1] - cost[epoch])
    # A cost is a sum of rounded terms: a plateau wobbles by a few units in the last place of
    # the terms, and near an exact fit by that of the cost they cancelled from.
    rounding = max(1e-12 * abs(lowest), 1e-15 * abs(float(cost[0])))
    return LowestCost(epoch, lowest, len(cost) - 1, above, above <= rounding)


def _epochs_to_go(series: NDArray[np.float64], ratio: float) -> int | None:
    """Epochs until the series is `ratio` times smaller, at its pace over the last quarter."""
    back = min(len(series) - 1, max(2, len(series) // 4))
    if back < 1 or not (series[-1] > 0 and series[-1 - back] > 0):
        return None
    pace = math.log(float(series[-1 - back]) / float(series[-1])) / back
    return math.ceil(math.log(ratio) / pace) if pace > 0 else None


def _percent(share: float) -> str:
    """The share in per cent, with three digits and never a rounding up to a false 100 %."""
    percent = 100 * share
    if 99 < percent < 100:
        digits = min(9, max(1, math.ceil(-math.log10(100 - percent))))
        return f"{math.floor(percent * 10**digits) / 10**digits:.{digits}f} %"
    if percent >= 1e5:
        return f"{share:.1e} times its size"
    return f"{percent:,.0f} %" if percent >= 1000 else f"{percent:.3g} %"


def _magnitude(share: float) -> str:
    return "the last digit" if share < 1e-15 else f"{share:.1g}"


def about(count: int) -> int:
    """Return the count rounded up to two digits: what the word "about" may claim.

    >>> about(187), about(7)
    (190, 7)
    """
    unit: int = 10 ** max(0, len(str(count)) - 2)
    return -(-count // unit) * unit
