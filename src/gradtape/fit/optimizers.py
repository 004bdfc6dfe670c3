"""The optimizers: one step each, from the state of a descent to the next.

An optimizer is an entry of `OPTIMIZERS`. What it remembers between steps is a dict of numbers and
arrays and nothing else, so that a run can be written to a file and go on from there to the same
digits. Those of the first order take a rate and any gradient; the others find their own step and
answer None when no step lowers the cost any more, which is where rounding ends them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import three_part
from .linesearch import search
from .objective import Objective
from .problems import FitError, did_you_mean

__all__ = ["MOMENTUM", "OPTIMIZERS", "Memory", "Optimizer", "Point", "choose_optimizer"]

Array = NDArray[np.float64]
Memory = dict[str, Any]

MOMENTUM = 0.9
ADAM = (0.9, 0.999, 1e-8)
PAIRS = 20
"""How many steps L-BFGS remembers."""

FULL = 100
"""With so many parameters or fewer it is BFGS in full."""


class Point(NamedTuple):
    """Where a descent is: parameters, cost, gradient."""

    u: Array
    cost: float
    gradient: Array


Update = Callable[[Array, Array, Memory, float], tuple[Array, Memory]]
Step = Callable[[Objective, Point, Memory], tuple[Point | None, Memory]]


@dataclass(frozen=True)
class Optimizer:
    """A way of descending.

    Attributes
    ----------
    name, title : str
        What is typed, and what it is called.
    update : callable or None
        First order: from parameters, gradient, memory and rate to parameters and memory.
    step : callable or None
        The others: from objective, point and memory to a lower point, or None, and memory.
    needs : str
        What the loss must have: "gradient", "curvature" or "squares".
    vanished : float
        A gradient that is this part of the size of the terms it is summed from counts as 0: what
        takes many steps stops at ten digits, what takes few goes on to where rounding ends it.
    max_epochs : int
        Where it ends without `--epochs`.
    """

    name: str
    title: str
    update: Update | None = None
    step: Step | None = None
    needs: str = "gradient"
    vanished: float = 1e-10
    max_epochs: int = 20_000

    @property
    def uses_rate(self) -> bool:
        """Whether it takes a learning rate, a schedule and mini-batches."""
        return self.update is not None


# -- first order ------------------------------------------------------------------------------


def _gd(u: Array, gradient: Array, memory: Memory, rate: float) -> tuple[Array, Memory]:
    return u - rate * gradient, memory


def _momentum(u: Array, gradient: Array, memory: Memory, rate: float) -> tuple[Array, Memory]:
    # Polyak, 1964: the heavy ball.
    velocity = MOMENTUM * memory.get("velocity", 0.0) + gradient
    return u - rate * velocity, {"velocity": velocity}


def _adam(u: Array, gradient: Array, memory: Memory, rate: float) -> tuple[Array, Memory]:
    # Kingma and Ba, 2015, algorithm 1.
    first, second, epsilon = ADAM
    t = int(memory.get("t", 0)) + 1
    m = first * memory.get("m", 0.0) + (1 - first) * gradient
    v = second * memory.get("v", 0.0) + (1 - second) * gradient**2
    step = (m / (1 - first**t)) / (np.sqrt(v / (1 - second**t)) + epsilon)
    return u - rate * step, {"t": t, "m": m, "v": v}


# -- with a step of their own -----------------------------------------------------------------


def _lbfgs(objective: Objective, point: Point, memory: Memory) -> tuple[Point | None, Memory]:
    """Liu and Nocedal, 1989; with few parameters BFGS in full, which kinks do not stop.

    On a kinked cost the whole matrix learns the directions in which it is smooth (Lewis and
    Overton, 2013); a few pairs of steps forget them.
    """
    if len(point.u) <= FULL:
        return _bfgs(objective, point, memory)
    steps, changes = memory.get("steps"), memory.get("changes")
    direction = _down(point.gradient)
    if steps is not None and changes is not None and len(steps):
        direction = -_two_loops(point.gradient, steps, changes)
    found = _along(objective, point, direction)
    if found is None and steps is not None:
        # What is remembered may mislead: once more down the slope.
        steps = changes = None
        found = _along(objective, point, _down(point.gradient))
    if found is None:
        return None, memory
    s, y = found.u - point.u, found.gradient - point.gradient
    if steps is None or changes is None:
        steps, changes = s[None], y[None]
    else:
        steps = np.concatenate([steps, s[None]])[-PAIRS:]
        changes = np.concatenate([changes, y[None]])[-PAIRS:]
    keep = np.einsum("ij,ij->i", steps, changes) > 0  # curvature, without which there is no pair
    return found, {"steps": steps[keep], "changes": changes[keep]}


def _bfgs(objective: Objective, point: Point, memory: Memory) -> tuple[Point | None, Memory]:
    inverse = memory.get("inverse")
    direction = _down(point.gradient) if inverse is None else -(inverse @ point.gradient)
    found = _along(objective, point, direction)
    if found is None and inverse is not None:
        inverse = None
        found = _along(objective, point, _down(point.gradient))
    if found is None:
        return None, memory
    s, y = found.u - point.u, found.gradient - point.gradient
    curvature = float(s @ y)
    if curvature <= 0:
        return found, {} if inverse is None else {"inverse": inverse}
    if inverse is None:
        inverse = np.eye(len(s)) * (curvature / float(y @ y))
    half = np.eye(len(s)) - np.outer(s, y) / curvature
    made = half @ inverse @ half.T + np.outer(s, s) / curvature
    return found, {"inverse": 0.5 * (made + made.T)}


def _down(gradient: Array) -> Array:
    return -gradient / (float(np.linalg.norm(gradient)) or 1.0)


def _two_loops(gradient: Array, steps: Array, changes: Array) -> Array:
    """The inverse Hessian that the pairs imply, times the gradient."""
    q = gradient.copy()
    shares = []
    for s, y in zip(steps[::-1], changes[::-1], strict=True):
        share = float(s @ q) / float(s @ y)
        shares.append(share)
        q -= share * y
    last_s, last_y = steps[-1], changes[-1]
    q *= float(last_s @ last_y) / float(last_y @ last_y)
    for s, y, share in zip(steps, changes, reversed(shares), strict=True):
        q += (share - float(y @ q) / float(s @ y)) * s
    return q


def _newton(objective: Objective, point: Point, memory: Memory) -> tuple[Point | None, Memory]:
    """Newton's method; along an axis where the cost bends down, the step is turned around.

    Eigenvalues are replaced by their size (Greenstadt, 1967), and by no less than a part of the
    largest: the direction always goes down.
    """
    hessian = objective.hessian(point.u)
    if not np.isfinite(hessian).all():
        return None, memory
    values, vectors = np.linalg.eigh(hessian)
    size = np.abs(values)
    largest = float(size.max())
    if largest == 0.0:
        direction = -point.gradient
    else:
        slopes = vectors.T @ point.gradient
        # Where the cost is flat and its slope is rounding, no step is meant.
        is_flat = size <= 1e-12 * largest
        slopes[is_flat & (np.abs(slopes) <= 1e-10 * np.linalg.norm(slopes))] = 0.0
        direction = -vectors @ (slopes / np.maximum(size, 1e-14 * largest))
    if -float(point.gradient @ direction) <= 1e-8 * abs(point.cost):
        # So near that costs tell little: the whole step, if it brings the gradient down.
        u = point.u + direction
        whole = Point(u, *objective.cost_and_gradient(u))
        is_lower = whole.cost <= point.cost + 1e-11 * abs(point.cost)
        if is_lower and np.linalg.norm(whole.gradient) <= 0.5 * np.linalg.norm(point.gradient):
            return whole, memory
    return _along(objective, point, direction), memory


def _along(objective: Objective, point: Point, direction: Array) -> Point | None:
    def at(step: float) -> tuple[Point, float]:
        u = point.u + step * direction
        cost, gradient = objective.cost_and_gradient(u)
        return Point(u, cost, gradient), float(gradient @ direction)

    return search(at, point, float(point.gradient @ direction))


def _lm(objective: Objective, point: Point, memory: Memory) -> tuple[Point | None, Memory]:
    """Levenberg and Marquardt's method, damped as Nielsen (1999) says.

    Each parameter is measured by the largest column of the Jacobian so far (Moré, 1978), and the
    equations are solved by orthogonal factors, which keep the digits that normal equations lose.
    """
    factor = objective.linearized(point.u)
    p = objective.own
    R, z = factor[:p, :p], factor[:p, p]
    if not np.isfinite(factor).all():
        return None, memory
    lengths = np.linalg.norm(R, axis=0)
    measure = np.maximum(memory.get("measure", 0.0), lengths)
    measure = np.where(measure > 0, measure, 1.0)
    damping, growth = float(memory.get("damping", 1e-3)), 2.0
    unit = R / measure
    for _ in range(80):
        rows = np.concatenate([unit, np.sqrt(damping) * np.eye(p)])
        step = np.linalg.lstsq(rows, np.concatenate([-z, np.zeros(p)]), rcond=None)[0]
        # What the linear model promises, of the sum of squares.
        promised = float(np.sum((unit @ step) ** 2) + 2.0 * damping * np.sum(step**2))
        u = point.u + step / measure
        cost, gradient = objective.cost_and_gradient(u)
        found = Point(u, cost, gradient)
        gain = (point.cost - cost) * objective.divisor / promised if promised > 0 else 0.0
        is_rounding = promised / objective.divisor <= 1e-12 * abs(point.cost)
        if is_rounding:
            return _last_digits(objective, point, unit, z, measure), {
                "measure": measure, "damping": damping / 3,
            }  # fmt: skip
        if np.isfinite(cost) and gain > 1e-4:
            calmer = max(1.0 / 3.0, 1.0 - (2.0 * gain - 1.0) ** 3)
            return found, {"measure": measure, "damping": max(damping * calmer, 1e-300)}
        damping *= growth
        growth *= 2.0
    return None, memory


def _last_digits(
    objective: Objective, point: Point, unit: Array, z: Array, measure: Array
) -> Point | None:
    """A whole step, where costs no longer tell whether it is good; None if only rounding is left.

    What tells is how much of the residuals the parameters could still take away: `z`, which is
    measured in no parameter's units (Bates and Watts, 1981). Gauss and Newton's step is taken if
    that halves it; where the residuals bend too much for that, Newton's.
    """

    def gauss_newton() -> Array:
        return np.linalg.lstsq(unit, z, rcond=None)[0] / measure

    def newton() -> Array:
        hessian = objective.hessian(point.u) / np.outer(measure, measure)
        if not np.isfinite(hessian).all():
            return np.zeros_like(measure)
        return np.linalg.lstsq(hessian, point.gradient / measure, rcond=None)[0] / measure

    p = objective.own
    for step in (gauss_newton, newton):
        u = point.u - step()
        cost, gradient = objective.cost_and_gradient(u)
        if not (np.isfinite(cost) and cost <= point.cost * (1 + 1e-9)):
            continue
        left = float(np.linalg.norm(objective.linearized(u)[:p, p]))
        if left < 0.5 * float(np.linalg.norm(z)):
            return Point(u, cost, gradient)
    return None


OPTIMIZERS = {
    optimizer.name: optimizer
    for optimizer in (
        Optimizer("gd", "gradient descent", _gd),
        Optimizer("momentum", "gradient descent with momentum", _momentum),
        Optimizer("adam", "Adam", _adam),
        Optimizer("lbfgs", "L-BFGS", step=_lbfgs, vanished=1e-12, max_epochs=5_000),
        Optimizer(
            "newton",
            "Newton's method",
            step=_newton,
            needs="curvature",
            vanished=1e-15,
            max_epochs=200,
        ),
        Optimizer(
            "lm", "Levenberg-Marquardt", step=_lm, needs="squares", vanished=1e-17, max_epochs=2_000
        ),
    )
}


def choose_optimizer(name: str) -> Optimizer:
    """Return the optimizer of that name.

    Raises
    ------
    FitError
        When there is none; the nearest is named.
    """
    if name not in OPTIMIZERS:
        raise FitError(
            three_part(
                f"There is no optimizer {name!r}.",
                f"The optimizers are {', '.join(OPTIMIZERS)}.",
                did_you_mean(name, OPTIMIZERS) or "Type one of these: --optimizer gd",
            )
        )
    return OPTIMIZERS[name]
