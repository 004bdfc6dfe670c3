"""From the series of costs and gradients to the four facts of a verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ShapeError, three_part
from .facts import (
    CLOSED_FORM,
    GRADIENT_TOLERANCE,
    TOLERANCE,
    Coefficient,
    Convergence,
    FastPhase,
    LowestCost,
    Scale,
    Standstill,
    Verdict,
)
from .noise import Noise, noise_of

__all__ = ["FAST_SHARE", "judge", "relative_distances"]

FAST_SHARE = 0.01
"""An epoch belongs to the fast phase while it lowers the cost by this share of the steepest one."""


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
    decimals: int | None = 2,
    tolerance: float = TOLERANCE,
    obstacle: str = "",
    steps: ArrayLike | None = None,
    unit: str = "epoch",
    rises: bool = False,
    is_noisy: bool = False,
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
    decimals : int, optional
        With how many decimals the cost was printed; None for two, and three digits of a last cost
        below 0.1, six of one above 1e5.
    tolerance : float
        The relative distance from the closed form that counts as converged.
    obstacle : str
        Why the last epoch is no minimum, when the caller knows: the run has not converged then.
    steps : array_like of int, (epochs,), optional
        What the entries are called, where not all are there; by default 0, 1, 2, ...
    unit : str
        What the text calls an entry.
    rises : bool
        The series is a gain that is made larger.
    is_noisy : bool
        Each cost is another function of the parameters, as with mini-batches: means over about a
        twentieth of the run are looked at in place of the costs.

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
    at = np.arange(len(finite)) if steps is None else np.asarray(steps).astype(np.int64)
    noise = noise_of(-cost if rises else cost) if is_noisy else None
    scale = Scale(unit, rises, noise.window if noise else 0, len(cost), diverged_at is not None)
    standstill = _standstill(cost, decimals, at, scale, noise)
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
        if epochs_to_go is not None and len(at) > 1:
            epochs_to_go *= max(1, round((at[-1] - at[0]) / (len(at) - 1)))
    # two equal costs at the end of a long run are no standing still
    stands = standstill.start if standstill.epochs >= max(3, len(cost) // 20) else None
    return Verdict(
        _fast_phase(cost, at, scale, noise),
        standstill,
        _lowest(cost, at, scale, noise),
        Convergence(
            converged,
            float(norm[-1]),
            share,
            farthest,
            stability,
            epochs_to_go,
            tolerance,
            None if diverged_at is None else int(at[diverged_at]),
            standstill.start if noise else stands,
            obstacle,
            scale,
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


def _fast_phase(
    cost: NDArray[np.float64], at: NDArray[np.int64], scale: Scale, noise: Noise | None
) -> FastPhase:
    if noise is not None:
        last = noise.last_fall(FAST_SHARE)
        if last is None:
            return FastPhase(None, math.nan, scale)
        means = noise.means
        share = float((means[0] - means[last]) / (means[0] - means.min()))
        ended = last < len(means) - 1
        return FastPhase(int(at[noise.ends[last]]) if ended else None, share, scale)
    falling = -cost if scale.rises else cost
    decrease = falling[:-1] - falling[1:]
    whole = float(falling[0] - falling.min())
    if not whole > 0:
        return FastPhase(None, math.nan, scale)
    fast = np.flatnonzero(decrease >= FAST_SHARE * decrease.max())
    end = int(fast[-1]) + 1  # decrease[k] is what the update to epoch k + 1 did
    share = float(falling[0] - falling[end]) / whole
    return FastPhase(int(at[end]) if end < len(cost) - 1 else None, share, scale)


def _standstill(
    cost: NDArray[np.float64], decimals: int | None, at: NDArray[np.int64], scale: Scale,
    noise: Noise | None,
) -> Standstill:  # fmt: skip
    form = f".{decimals}f"
    if decimals is None:
        last = abs(float(cost[-1]))
        form = ".3g" if 0 < last < 0.1 else ".6g" if last >= 1e5 else ".2f"
    printed = [f"{value:{form}}" for value in cost.tolist()]
    if noise is not None:
        since = noise.standing_since()
        mean = float(-noise.means[-1] if scale.rises else noise.means[-1])
        if since is None:
            return Standstill(None, printed[-1], 1, scale, mean)
        start = int(noise.ends[since]) - noise.window + 1
        return Standstill(int(at[start]), printed[-1], len(cost) - start, scale, mean)
    start = len(printed) - 1
    while start > 0 and printed[start - 1] == printed[-1]:
        start -= 1
    epochs = int(at[len(printed) - 1] - at[start]) + 1
    return Standstill(int(at[start]) if epochs > 1 else None, printed[-1], epochs, scale)


def _lowest(
    cost: NDArray[np.float64], at: NDArray[np.int64], scale: Scale, noise: Noise | None
) -> LowestCost:
    falling = -cost if scale.rises else cost
    k = int(falling.argmin())
    epoch, last, lowest = int(at[k]), int(at[len(cost) - 1]), float(cost[k])
    if noise is not None:
        mean = float(noise.means[noise.lowest])
        where = int(at[noise.ends[noise.lowest]])
        return LowestCost(
            epoch, lowest, last, noise.above(), False, scale, -mean if scale.rises else mean, where
        )
    above = float(falling[-1] - falling[k])
    # A cost is a sum of rounded terms: a plateau wobbles by a few units in the last place of
    # the terms, and near an exact fit by that of the cost they cancelled from.
    rounding = max(1e-12 * abs(lowest), 1e-15 * abs(float(cost[0])))
    return LowestCost(epoch, lowest, last, above, above <= rounding, scale)


def _epochs_to_go(series: NDArray[np.float64], ratio: float) -> int | None:
    """Epochs until the series is `ratio` times smaller, at its pace over the last quarter."""
    back = min(len(series) - 1, max(2, len(series) // 4))
    if back < 1 or not (series[-1] > 0 and series[-1 - back] > 0):
        return None
    pace = math.log(float(series[-1 - back]) / float(series[-1])) / back
    return math.ceil(math.log(ratio) / pace) if pace > 0 else None
