"""The last digits of a least-squares solution: Newton's method on the exact Jacobian, by QR.

SciPy stops where the cost no longer changes, which is at half the digits of x. Here the solution
is improved until the *relative offset* (Bates and Watts, *Technometrics* 23 (1981) 179-183) is
rounding: with J = Q R, it is |Q^T r| / |r|, the part of the residuals that parameters could still
remove. A step solves

    (I + R^-T S R^-1) R step = -Q^T r,        S = sum of r_i times the Hessian of r_i,

so that normal equations, which square the condition number, are never formed. Residuals, Jacobian
and QR are computed in float64 first and then, where the function follows, in `numpy.longdouble`.
The small matrix in brackets steers the step: it needs no such precision, and is computed anew only
where steps gain little. It is positive definite at a minimum.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import GradtapeError
from .functions import Vector

LONG_ROWS = 2_000  # residuals up to which longdouble is used: its exp costs 30 times float64's
CURVED = 64  # parameters up to which second derivatives steer the steps
OFFSET = 1e-3  # Bates and Watts: below it, what is left is nothing beside the standard errors
_STEPS = 60
_EPS = np.finfo(float).eps


@dataclass
class Refined:
    """Where the refinement ended.

    Attributes
    ----------
    x, residuals, jacobian
        In the precision that was used.
    offset : float
        The relative offset of the free parameters.
    fault : str
        Why this is no minimum that can be vouched for; empty if it is one.
    unused : list of int
        Parameters on which no residual depends here.
    is_determined : bool
        False where the model has parameters that no data could determine.
    steps : int
        How many steps were taken.
    """

    x: Any
    residuals: Any
    jacobian: Any
    offset: float = np.inf
    fault: str = ""
    unused: tuple[int, ...] = ()
    is_determined: bool = True
    steps: int = 0

    @property
    def cost(self) -> Any:
        """Half the sum of squares."""
        return np.sum(self.residuals**2) / 2

    def covariance(self) -> Any:
        """The inverse of J^T J from the triangle of J, with no product that squares it."""
        scale = np.sqrt(np.sum(self.jacobian**2, axis=0))
        _, triangle = _qr(self.jacobian / scale)
        inverse = _back(triangle, np.eye(len(scale), dtype=triangle.dtype)) / scale[:, None]
        return inverse @ inverse.T


def refine(function: Vector, x: Any, lower: Any, upper: Any) -> Refined | None:
    """Improve the solution `x`; None where the function cannot be evaluated there.

    In float64 and, for no more residuals than `LONG_ROWS`, in longdouble if the function computes
    in it.
    """
    found: Refined | None = None
    bend = _Bend(function)
    is_short = (function.size or 0) <= LONG_ROWS
    for kind in (np.float64, np.longdouble) if is_short else (np.float64,):
        at = _evaluator(function, kind)
        start = at(np.asarray(x if found is None else found.x, dtype=kind))
        if start is None:
            continue
        start.steps = 0 if found is None else found.steps + 1
        found = _descend(function, at, start, lower, upper, bend)
        if found.unused or not found.is_determined or found.fault == "rank":
            break
    return found


def _evaluator(function: Vector, kind: Any) -> Callable[[Any], Refined | None]:
    def at(x: Any) -> Refined | None:
        try:
            with np.errstate(all="ignore"):
                residuals, jacobian = function.both(x)
        except GradtapeError:
            return None
        if residuals.dtype != kind or not (
            np.isfinite(residuals).all() and np.isfinite(jacobian).all()
        ):
            return None
        return Refined(np.array(x), residuals, jacobian)

    return at


def _descend(
    function: Vector,
    at: Callable[[Any], Refined | None],
    here: Refined,
    lower: Any,
    upper: Any,
    bend: _Bend,
) -> Refined:
    before, is_tiny = np.inf, False
    while True:
        free = _free(here, lower, upper)
        norms = np.sqrt(np.sum(here.jacobian**2, axis=0))
        here.unused = tuple(np.flatnonzero(norms == 0).tolist())
        if here.unused:
            here.is_determined = not all(_is_idle(function, here.x, i) for i in here.unused)
            here.fault = "unused" if here.is_determined else ""
            return here
        if not free.any():
            here.offset = 0.0
            return here
        scale = norms[free]
        q, triangle = _projected(here.jacobian[:, free] / scale, here.residuals)
        size = np.abs(np.diag(triangle))
        eps = np.finfo(triangle.dtype).eps
        if size.min() <= eps * max(here.jacobian.shape) * size.max():
            here.is_determined = _had_rank(function)
            here.fault = "rank" if here.is_determined else ""
            return here
        total = np.sqrt(np.sum(here.residuals**2))
        here.offset = float(np.sqrt(np.sum(q**2)) / total) if total else 0.0
        bent, least = bend.at(here, free, scale, triangle, before)
        here.fault = "" if least > 0 else "saddle"
        if not here.offset or here.steps >= _STEPS:
            break
        # far from a minimum the matrix may be indefinite: lift it, so that the step descends
        bent = bent + max(0.0, 0.1 - least) * np.eye(len(q))
        step = np.zeros_like(here.x)
        # solved in float64 around q, whose size is what carries the digits
        step[free] = -_back(triangle, np.linalg.solve(bent, q.astype(float))) / scale
        is_tiny = bool((np.abs(step) <= 2 * _EPS * np.abs(here.x)).all())
        if is_tiny or (here.offset > before / 2 and here.offset < 1e-9):
            break  # what is left is rounding
        before = here.offset
        new = _shortened(at, here, step, lower, upper)
        if new is None:
            break
        new.steps = here.steps + 1
        here = new
    if not here.fault and here.offset > OFFSET and not (is_tiny or _is_noise(here)):
        here.fault = "offset"
    return here


class _Bend:
    """I + R^-T S R^-1, which is how far the cost's curvature is from that of J^T J alone.

    The identity stands for it with many parameters; with many residuals too, where second
    derivatives cost more than they save, as long as steps gain enough without them. (To a saddle
    they gain nothing.)
    """

    def __init__(self, function: Vector) -> None:
        self.function = function
        self.matrix: Any = None
        self.least = 1.0

    def at(
        self, here: Refined, free: Any, scale: Any, triangle: Any, before: float
    ) -> tuple[Any, float]:
        """The matrix, and its least eigenvalue."""
        n = len(scale)
        is_known = self.matrix is not None and len(self.matrix) == n
        is_slow = here.offset > before / 10 and here.offset > 1e-9
        is_asked = here.residuals.size <= LONG_ROWS or (here.offset < 1e-12 and not here.steps)
        if n <= CURVED and (is_slow or (is_asked and not is_known)):
            self.matrix = _bent(self.function, here, free, scale, triangle)
            self.least = float(np.linalg.eigvalsh(self.matrix)[0])
        elif not is_known:
            return np.eye(n), 1.0
        return self.matrix, self.least


def _shortened(
    at: Callable[[Any], Refined | None], here: Refined, step: Any, lower: Any, upper: Any
) -> Refined | None:
    """The point after the longest of step, step / 4, ... that does not raise the cost."""
    noise = 8 * np.sum(np.abs(here.residuals) * _rounding(here))
    for _ in range(12):
        x = np.clip(here.x + step, lower, upper)
        new = at(x)
        if new is not None and new.cost <= here.cost + noise:
            return new
        step = step / 4
    return None


def _free(here: Refined, lower: Any, upper: Any) -> Any:
    """Parameters that are not held at a bound by the slope of the cost."""
    x = here.x.astype(float)
    if not ((x <= lower) | (x >= upper)).any():
        return np.ones(x.shape, dtype=bool)
    g = here.residuals @ here.jacobian
    return ~(((x <= lower) & (g >= 0)) | ((x >= upper) & (g <= 0)))


def _is_idle(function: Vector, x: Any, i: int) -> bool:
    """Whether no residual depends on parameter `i` anywhere, as far as a few values of it tell."""
    x = x.astype(float)
    with np.errstate(all="ignore"):
        expected = function.plain_vector(x)
        for value in (0.0, 1.0, -x[i], 0.5 * x[i], 2 * x[i], 1e-3 * x[i], 1e3 * x[i]):
            moved = x.copy()
            moved[i] = value
            if not np.array_equal(function.plain_vector(moved), expected, equal_nan=True):
                return False
    return True


def _had_rank(function: Vector) -> bool:
    """Whether the Jacobian had full rank where the solver began: then the model has no part in it.

    Of a model with redundant parameters it has full rank nowhere.
    """
    try:
        with np.errstate(all="ignore"):
            jacobian = function.both(np.asarray(function.start, dtype=float))[1]
            jacobian = jacobian / np.sqrt(np.sum(jacobian**2, axis=0))
    except GradtapeError:
        return False
    if not np.isfinite(jacobian).all():
        return False
    return bool(np.linalg.matrix_rank(jacobian.astype(float)) == jacobian.shape[1])


def _rounding(here: Refined) -> Any:
    """How far rounding may move each residual, a difference of things as large as |J| |x|."""
    reach = np.sum(np.abs(here.jacobian * here.x), axis=1) + np.abs(here.residuals)
    return np.finfo(here.residuals.dtype).eps * reach


def _is_noise(here: Refined) -> bool:
    """Whether the residuals are no more than rounding."""
    return bool((np.abs(here.residuals) <= 64 * _rounding(here)).all())


def _bent(function: Vector, here: Refined, free: Any, scale: Any, triangle: Any) -> Any:
    identity = np.eye(len(scale))
    x, r = here.x.astype(float), here.residuals.astype(float)
    try:
        with np.errstate(all="ignore"):
            times = function.product(x, r)
            columns = [times(row)[free] for row in np.eye(len(x))[free]]
    except GradtapeError:
        return identity
    with np.errstate(all="ignore"):
        curvature = np.stack(columns, axis=1) / np.outer(scale, scale).astype(float)
        inverse = _back(triangle.astype(float), identity)
        bent = inverse.T @ ((curvature + curvature.T) / 2) @ inverse
    return identity + bent if np.isfinite(bent).all() else identity


# ---------------------------------------------------------------- QR in any precision
#
# LAPACK has none for longdouble. For float64 too, NumPy's own loops are the better choice here: on
# matrices this slim, BLAS threads that have to wait for a core cost more than the work.


def _projected(a: Any, b: Any) -> tuple[Any, Any]:
    """Q^T b and the triangle of `a`."""
    reflectors, triangle = _qr(a)
    return _rotate(reflectors, b)[: a.shape[1]], triangle


def _qr(a: Any) -> tuple[Any, Any]:
    """Householder reflectors and the triangle of `a`."""
    rows = np.array(a.T, order="C")  # one contiguous row per column
    n = len(rows)
    reflectors = []
    for k in range(n):
        v = rows[k, k:].copy()
        length = np.sqrt(np.sum(v * v))
        v[0] += length if v[0] >= 0 else -length
        square = np.sum(v * v)
        if square:
            rest = rows[k:, k:]
            rest -= (2 * np.sum(rest * v, axis=1) / square)[:, None] * v
        reflectors.append((v, square))
    return reflectors, np.triu(rows[:, :n].T)


def _rotate(reflectors: Any, b: Any) -> Any:
    """Q^T b."""
    b = np.array(b)
    for k, (v, square) in enumerate(reflectors):
        if square:
            b[k:] -= v * (2 * np.sum(v * b[k:]) / square)
    return b


def _back(triangle: Any, b: Any) -> Any:
    """The solution of `triangle @ x = b`."""
    x = np.array(b, dtype=np.result_type(triangle, b))
    for i in range(len(x) - 1, -1, -1):
        x[i] = (x[i] - triangle[i, i + 1 :] @ x[i + 1 :]) / triangle[i, i]
    return x
