"""BFGS for many numbers: SciPy's algorithm and line search, the matrix updated in n^2 operations.

SciPy multiplies three n x n matrices per step. That is most of the time of a run once gradients
cost no more than a few evaluations, so `minimize` hands SciPy this method for n > 50.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

_SMALL = 50
_OPTIONS = frozenset(("gtol", "norm", "maxiter", "xrtol", "c1", "c2", "hess_inv0"))
_MESSAGES = {  # by SciPy's status
    0: "Optimization terminated successfully.",
    1: "Maximum number of iterations has been exceeded.",
    2: "Desired error not necessarily achieved due to precision loss.",
    3: "NaN result encountered.",
    99: "`callback` raised `StopIteration`.",
}


def suits(method: str, n: int, given: dict[str, Any], options: Any) -> bool:
    """Whether `minimize` below can stand for SciPy's BFGS in this call."""
    if method != "BFGS" or n <= _SMALL or not callable(given.get("jac")):
        return False
    if given.keys() != {"jac"} or not _OPTIONS.issuperset(options or {}):
        return False
    try:
        from scipy.optimize._optimize import _line_search_wolfe12, _LineSearchError
    except ImportError:  # another SciPy: its own BFGS
        return False
    return callable(_line_search_wolfe12) and issubclass(_LineSearchError, Exception)


def minimize(
    fun: Callable[..., Any],
    x0: Any,
    args: Any = (),
    jac: Any = None,
    callback: Any = None,
    gtol: float = 1e-5,
    norm: float = np.inf,
    maxiter: int | None = None,
    xrtol: float = 0,
    c1: float = 1e-4,
    c2: float = 0.9,
    hess_inv0: Any = None,
    tol: float | None = None,
    **_: Any,
) -> Any:
    """A custom method of `scipy.optimize.minimize`; options and result are those of its BFGS.

    The inverse Hessian H after a step s along which the gradient changed by y (Nocedal and Wright,
    *Numerical Optimization*, 2nd ed., eq. 6.17, multiplied out; rho = 1 / (y @ s)):

        H + (rho + rho^2 y @ H @ y) s s^T - rho (H y s^T + s (H y)^T)
    """
    from scipy.optimize import OptimizeResult
    from scipy.optimize._optimize import _line_search_wolfe12, _LineSearchError

    gtol = gtol if tol is None else tol
    evaluations = [0, 0]

    def value(x: Any) -> Any:
        evaluations[0] += 1
        return fun(x)

    def slope(x: Any) -> Any:
        evaluations[1] += 1
        return jac(x)

    x = np.array(x0, dtype=float)
    n = x.size
    maxiter = 200 * n if maxiter is None else maxiter
    inverse = np.eye(n) if hess_inv0 is None else np.array(hess_inv0, dtype=float)
    f, g = value(x), slope(x)
    before = f + float(np.linalg.norm(g)) / 2  # a first step of about 1
    work = np.empty((n, n))
    k = status = 0
    size = np.linalg.norm(g, norm)
    while size > gtol and k < maxiter:
        p = -(inverse @ g)
        try:
            alpha, _, _, f, before, new = _line_search_wolfe12(
                value, slope, x, p, g, f, before, amin=1e-100, amax=1e100, c1=c1, c2=c2
            )
        except _LineSearchError:
            status = 2
            break
        s = alpha * p
        x = x + s
        new = slope(x) if new is None else new
        y, g = new - g, new
        k += 1
        if callback is not None and _stops(callback, OptimizeResult(x=np.copy(x), fun=f)):
            status = 99
            break
        size = np.linalg.norm(g, norm)
        if size <= gtol or alpha * np.linalg.norm(p) <= xrtol * (xrtol + np.linalg.norm(x)):
            break
        curvature = float(y @ s)
        rho = 1.0 / curvature if curvature else 1000.0
        hy = inverse @ y
        # rho (u s^T + s u^T) with u = (1 + rho y @ H @ y) / 2 s - H y
        u = rho * ((1.0 + rho * float(y @ hy)) / 2 * s - hy)
        np.multiply(u[:, None], s, out=work)
        inverse += work
        inverse += work.T
    if not status:
        status = 1 if size > gtol and k >= maxiter else 0
        if not (np.isfinite(size) and np.isfinite(f) and np.isfinite(x).all()):
            status = 3
    return OptimizeResult(
        fun=f, jac=g, hess_inv=inverse, nfev=evaluations[0], njev=evaluations[1], status=status,
        success=status == 0, message=_MESSAGES[status], x=x, nit=k,
    )  # fmt: skip


def _stops(callback: Callable[..., Any], result: Any) -> bool:
    """Whether the callback, called in the one of SciPy's two ways that it is written for, stops."""
    try:
        if set(inspect.signature(callback).parameters) == {"intermediate_result"}:
            callback(intermediate_result=result)
        else:
            callback(result.x)
    except StopIteration:
        return True
    return False
