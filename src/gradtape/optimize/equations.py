"""`root` and `fixed_point`: equations solved with the exact Jacobian."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.state import paused
from ..errors import ConvergenceError, three_part
from .faults import Door, short, wrong_shape
from .functions import Vector
from .trees import Parameters

_WITH_JACOBIAN = frozenset(("hybr", "lm"))


def root(
    fun: Callable[..., Any],
    x0: Any,
    args: Any = (),
    method: str = "hybr",
    jac: Any = None,
    tol: float | None = None,
    callback: Callable[..., Any] | None = None,
    options: dict[str, Any] | None = None,
) -> Any:
    """A root of as many equations as unknowns: `scipy.optimize.root` with the exact Jacobian.

    Parameters
    ----------
    fun : callable
        `fun(x, *args)`, NumPy code that returns as many numbers as x has: a vector, a list or
        tuple of numbers, or, where x0 is a tree, a tree of arrays.
    x0 : array_like or tree
        Where to start, as in `gt.minimize`.
    args, method, tol, callback, options
        As in SciPy. "hybr" and "lm" use the Jacobian; the other methods use none.
    jac : optional
        Derived from `fun` if left out. What you give is used as SciPy uses it.

    Returns
    -------
    scipy.optimize.OptimizeResult
        SciPy's own, with `x` in the structure of x0 and `x_flat`.

    Raises
    ------
    ShapeError, DTypeError, NonFiniteError, ExitError, UnsupportedOperationError
        As in `gt.least_squares`, of the equations.

    Examples
    --------
    >>> import numpy as np, gradtape as gt
    >>> def equations(x):
    ...     return [x[0] * np.cos(x[1]) - 4, x[1] * x[0] - x[1] - 5]
    >>> np.round(gt.root(equations, [1.0, 1.0]).x, 6)
    array([6.504097, 0.908414])
    """
    import scipy.optimize

    door = Door("root")
    parameters = Parameters(door, x0)
    both = jac is True
    function = _equations(door, "the function", fun, parameters, args, both)
    value: Any = function.alone
    if both:
        value = _pair(function)
    elif callable(jac):
        given = jac

        def jac(x: Any) -> Any:
            return given(parameters.unflatten(np.array(x)), *function.args)

    elif jac is None and method in _WITH_JACOBIAN:
        value, jac = function.value, function.jacobian
    with paused(), door:
        result = scipy.optimize.root(
            value,
            parameters.flat,
            method=method,
            jac=jac,
            tol=tol,
            callback=_callback(parameters, callback),
            options=options,
        )
    if function.rejected:
        result.message += f" {function.rejected} steps were turned back. {function.why}"
    return parameters.finish(result)


def fixed_point(
    func: Callable[..., Any],
    x0: Any,
    args: Any = (),
    xtol: float = 1e-8,
    maxiter: int = 500,
    method: str = "newton",
) -> Any:
    """A point that a function maps to itself: `func(x, *args) == x`.

    Parameters
    ----------
    func : callable
        NumPy code that returns what it is given: a number, an array or a tree of the same shapes.
    x0 : array_like or tree
        Where to start, as in `gt.minimize`.
    args : tuple
        Further arguments of `func`.
    xtol : float
        The relative error of x at which to stop.
    maxiter : int
        How many steps to take at most.
    method : {"newton", "del2", "iteration"}
        "newton" solves `func(x) - x = 0` with the exact Jacobian by SciPy's `root`, which finds
        points that repel too. The others are those of `scipy.optimize.fixed_point`, without
        derivatives.

    Returns
    -------
    array_like or tree
        The point, in the structure of x0.

    Raises
    ------
    ConvergenceError
        A RuntimeError, as SciPy's: none was found.
    ShapeError, DTypeError, NonFiniteError, ExitError, UnsupportedOperationError
        As in `gt.least_squares`, of the function.

    Examples
    --------
    >>> import numpy as np, gradtape as gt
    >>> round(float(gt.fixed_point(np.cos, 1.0)), 9)
    0.739085133
    """
    import scipy.optimize

    door = Door("fixed_point")
    parameters = Parameters(door, x0, scalar_is_vector=False)
    inner = _equations(door, "the function", func, parameters, args)
    if method != "newton":
        with paused(), door:
            x = scipy.optimize.fixed_point(
                inner.alone, parameters.flat, xtol=xtol, maxiter=maxiter, method=method
            )
        return parameters.unflatten(x)
    identity = np.eye(parameters.size)
    with paused(), door:
        result = scipy.optimize.root(
            lambda x: inner.value(x) - x,
            parameters.flat,
            jac=lambda x: inner.jacobian(x) - identity,
            options={"xtol": xtol, "maxfev": maxiter},
        )
    if not result.success:
        raise ConvergenceError(
            three_part(
                f"fixed_point: none was found; the last point was {short(result.x)}.",
                f"SciPy says: {' '.join(result.message.split())} The call is at {door.place}."
                f" {inner.why}".rstrip(),
                'Start nearer to it, or iterate: method="del2" or method="iteration".',
            )
        )
    return parameters.unflatten(result.x)


def _equations(
    door: Door, what: str, function: Any, parameters: Parameters, args: Any, both: bool = False
) -> Vector:
    """`function` as a vector of as many numbers as there are parameters; `both`: with jac=True."""
    shape = parameters.shapes[0] if len(parameters.shapes) == 1 else None
    found = Vector(door, what, function, parameters, args, shape=shape, any_tree=parameters.is_tree)
    if both:
        return found
    size = np.size(found.plain_vector(parameters.flat))
    if size != parameters.size:
        raise wrong_shape(
            door, what, function, (size,), f"({parameters.size},), one number for each of x0's",
            "Give as many equations as unknowns; for more of them use gt.least_squares.",
        )  # fmt: skip
    return found


def _pair(function: Vector) -> Any:
    def pair(x: Any) -> Any:
        value, jacobian = function.plain(x)
        return function._vector(value), jacobian

    return pair


def _callback(parameters: Parameters, callback: Any) -> Any:
    """SciPy calls it with x and the residuals."""
    if callback is None or not parameters.is_tree:
        return callback
    return lambda x, *more: callback(parameters.unflatten(np.asarray(x)), *more)
