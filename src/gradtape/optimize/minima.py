"""`minimize`: SciPy's minimizers with the objective's exact gradient and Hessian."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.refusals import ArgumentValueError
from ..core.state import paused
from ..errors import three_part
from . import bfgs
from .constraints import with_derivatives
from .faults import Door
from .functions import Scalar
from .trees import Parameters

_FREE = ("Nelder-Mead", "Powell", "COBYLA", "COBYQA")
_GRADIENT = ("CG", "BFGS", "L-BFGS-B", "TNC", "SLSQP")
_PRODUCT = ("Newton-CG", "trust-ncg", "trust-krylov", "trust-constr")
_HESSIAN = ("dogleg", "trust-exact")
METHODS = {name.lower(): name for name in (*_FREE, *_GRADIENT, *_PRODUCT, *_HESSIAN)}
_DIFFERENCES = ("2-point", "3-point", "cs")


def minimize(
    fun: Callable[..., Any],
    x0: Any,
    args: Any = (),
    method: Any = None,
    jac: Any = None,
    hess: Any = None,
    hessp: Any = None,
    bounds: Any = None,
    constraints: Any = (),
    tol: float | None = None,
    callback: Callable[..., Any] | None = None,
    options: dict[str, Any] | None = None,
    *,
    has_aux: bool = False,
) -> Any:
    """The minimum of a scalar function: `scipy.optimize.minimize` with exact derivatives.

    Parameters
    ----------
    fun : callable
        The objective, `fun(x, *args)`, NumPy code that returns one real number; with `has_aux`
        a pair `(number, anything)`.
    x0 : array_like or tree
        Where to start. A vector, number or list of numbers as in SciPy; or a dict, dataclass,
        tuple or list of arrays, which `fun` then receives in the same structure.
    args : tuple
        Further arguments of `fun`.
    method : str or callable, optional
        As in SciPy. Methods with gradients get the gradient; Newton-CG, trust-ncg, trust-krylov
        and trust-constr products with the Hessian; dogleg and trust-exact the Hessian.
    jac, hess, hessp : optional
        What you give is used as SciPy uses it, "2-point" and its kin included; what you leave out
        is derived from `fun`.
    bounds : optional
        As in SciPy; for an x0 that is a tree also a tree like it with `(low, high)` pairs.
    constraints : optional
        As in SciPy. Jacobians are added to dictionaries without `jac` and to NonlinearConstraints
        whose `jac` is the default "2-point" (ask for "3-point" if you want differences); for
        trust-constr Hessians too, where `hess` is the default `BFGS()`.
    tol, callback, options
        As in SciPy; a callback receives x in the structure of x0.
    has_aux : bool
        Whether `fun` returns something beside its value; `result.aux` is it at the solution.

    Returns
    -------
    scipy.optimize.OptimizeResult
        SciPy's own, with `x` in the structure of x0 and `x_flat`, the vector. `jac`, `hess` and
        their kin are in terms of the vector.

    Raises
    ------
    ShapeError, DTypeError
        If `fun` returns no real number.
    NonFiniteError
        If `fun` is NaN or infinite at x0, or its gradient is anywhere. A step to a point where
        `fun` is NaN or infinite is shortened; `result.message` says how often and where from.
    ExitError, UnsupportedOperationError
        If the gradient, or a part of it, is lost because a value left NumPy's functions.

    Warns
    -----
    GradientWarning
        If a part of the gradient may be missing, or all of it is zero.

    Notes
    -----
    Trees are kept in float64. BFGS on more than 50 numbers is SciPy's algorithm with its line
    search, but the matrix is updated in n^2 operations in place of n^3 (Nocedal and Wright,
    *Numerical Optimization*, 2nd ed., eq. 6.17).

    Examples
    --------
    >>> import numpy as np, gradtape as gt
    >>> def rosenbrock(x):
    ...     return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
    >>> result = gt.minimize(rosenbrock, np.zeros(5), method="trust-ncg")
    >>> result.success, np.round(result.x, 6)
    (True, array([1., 1., 1., 1., 1.]))

    >>> def loss(p):
    ...     return np.sum((p["center"] - np.array([1.0, 2.0])) ** 2) + (p["scale"] - 3) ** 2
    >>> result = gt.minimize(loss, {"center": np.zeros(2), "scale": 1.0})
    >>> np.round(result.x["center"], 6), round(float(result.x["scale"]), 6)
    (array([1., 2.]), 3.0)
    """
    import scipy.optimize

    door = Door("minimize")
    parameters = Parameters(door, x0)
    name = _method(door, method, bounds, constraints)
    jac, hess, hessp, bounds, constraints = _used(
        door, name, {"jac": jac, "hess": hess, "hessp": hessp, "bounds": bounds,
                     "constraints": constraints}
    )  # fmt: skip
    objective = Scalar(door, "the objective", fun, parameters, args, has_aux=has_aux)
    given: dict[str, Any] = {}
    if jac is True:
        pair = _Pair(objective)
        value: Any = pair.value
        given["jac"] = pair.gradient
    elif name in _FREE or jac is not None:
        is_complex = isinstance(jac, str) and jac == "cs"
        value = objective.complex_too if is_complex else objective.value_alone
        if callable(jac):
            given["jac"] = _flat(door, parameters, "jac", jac, objective.args)
        elif jac is not None:  # False, as in SciPy, asks for differences
            given["jac"] = jac
    else:
        value = objective.value
        given["jac"] = objective.gradient
    if hess is not None:
        given["hess"] = _of_tree(parameters, hess, objective.args) if callable(hess) else hess
    if hessp is not None:
        given["hessp"] = _product(door, parameters, hessp, objective.args)
    if hess is None and hessp is None and given.get("jac") not in _DIFFERENCES:
        if name in _PRODUCT or callable(method):
            given["hessp"] = objective.product
        elif name in _HESSIAN:
            given["hess"] = objective.hessian
    if constraints:
        given["constraints"] = with_derivatives(door, parameters, constraints, name.lower())
    if bfgs.suits(name, parameters.size, given, options):
        method = bfgs.minimize
    with paused(), door:
        result = scipy.optimize.minimize(
            value,
            parameters.flat,
            method=method if callable(method) else name,
            bounds=parameters.bounds(door, bounds),
            tol=tol,
            callback=parameters.callback(callback),
            options=options,
            **given,
        )
        return _finished(objective, parameters, result)


def _finished(objective: Scalar, parameters: Parameters, result: Any) -> Any:
    """The result as the user gets it: steps that were turned back told, aux added."""
    if objective.rejected:
        result.message = (
            f"{result.message} {objective.rejected} steps were turned back. {objective.why}"
        )
        if not np.isfinite(objective._number(objective.plain(result.x))):
            result.success = False
    if objective.has_aux:
        result.aux = objective.plain(result.x)[1]
    return parameters.finish(result)


def _method(door: Door, method: Any, bounds: Any, constraints: Any) -> str:
    """The method's name as SciPy spells it; its choice where none is given."""
    if callable(method):
        return "custom"
    if method is None:
        has_constraints = bool(constraints) or hasattr(constraints, "lb")
        return "SLSQP" if has_constraints else "L-BFGS-B" if bounds is not None else "BFGS"
    found = METHODS.get(str(method).lower())
    if found is None:
        near = difflib.get_close_matches(str(method).lower(), METHODS, 1)
        raise ArgumentValueError(
            three_part(
                f"{door.name}: there is no method {method!r}.",
                f"It was asked for at {door.place}; there are {', '.join(METHODS.values())}.",
                f'Pass method="{METHODS[near[0]] if near else "BFGS"}", or leave it out.',
            )
        )
    return found


# What SciPy's methods make no use of; it says so of `return_all` and the like itself.
_USERS = {
    "jac": (*_GRADIENT, *_PRODUCT, *_HESSIAN),
    "hess": (*_PRODUCT, *_HESSIAN),
    "hessp": _PRODUCT,
    "bounds": ("Nelder-Mead", "Powell", "L-BFGS-B", "TNC", "SLSQP", "COBYLA", "COBYQA",
               "trust-constr"),
    "constraints": ("SLSQP", "COBYLA", "COBYQA", "trust-constr"),
}  # fmt: skip


def _used(door: Door, name: str, given: dict[str, Any]) -> list[Any]:
    """`given` without what the method makes no use of, which is warned of."""
    for what, methods in _USERS.items():
        value = given[what]
        is_given = value is not None and value is not False and (
            what != "constraints" or hasattr(value, "lb") or bool(value)
        )  # fmt: skip
        # an objective that returns a pair has to be told apart from one that does not
        is_pair = what == "jac" and value is True
        if is_given and not is_pair and name != "custom" and name not in methods:
            door.warn(
                three_part(
                    f"{door.name}: method {name} makes no use of {what}=; it is left out.",
                    f"It was passed at {door.place}.",
                    f"Leave it out, or choose one of {', '.join(methods)}.",
                ),
                RuntimeWarning,
            )
            given[what] = () if what == "constraints" else None
    return list(given.values())


class _Pair:
    """`jac=True`: the function returns its value and its gradient."""

    def __init__(self, objective: Scalar) -> None:
        self.objective = objective
        self.x: Any = None
        self.pair: Any = None

    def _at(self, x: Any) -> Any:
        if self.x is None or not np.array_equal(x, self.x):
            self.x, self.pair = np.array(x), self.objective.plain(x)
        return self.pair

    def value(self, x: Any) -> Any:
        return self._at(x)[0]

    def gradient(self, x: Any) -> Any:
        objective = self.objective
        return objective.parameters.flatten(objective.door, "the objective", self._at(x)[1])


def _flat(door: Door, parameters: Parameters, what: str, function: Any, args: Any) -> Any:
    """A user's gradient of a tree, as one of a vector."""
    return lambda x: parameters.flatten(
        door, what, function(parameters.unflatten(np.array(x)), *args)
    )


def _of_tree(parameters: Parameters, function: Any, args: Any) -> Any:
    return lambda x: function(parameters.unflatten(np.array(x)), *args)


def _product(door: Door, parameters: Parameters, function: Any, args: Any) -> Any:
    return lambda x, p: parameters.flatten(
        door, "hessp", function(parameters.unflatten(np.array(x)), parameters.unflatten(p), *args)
    )
