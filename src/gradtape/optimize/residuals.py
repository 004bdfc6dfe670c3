"""`least_squares`: SciPy's solvers with the exact Jacobian, and the last digits by `refine`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.refusals import ArgumentTypeError
from ..core.state import paused
from ..errors import three_part
from .faults import Door, short
from .functions import Vector
from .refine import OFFSET, Refined, refine
from .trees import Parameters

_TIGHT = {"ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-15}
UNVOUCHED = -3  # the status of a result that SciPy called a success and the refinement did not


def least_squares(
    fun: Callable[..., Any],
    x0: Any,
    jac: Any = None,
    bounds: Any = (-np.inf, np.inf),
    method: str | None = None,
    ftol: float | None = 1e-8,
    xtol: float | None = 1e-8,
    gtol: float | None = 1e-8,
    x_scale: Any = None,
    loss: Any = "linear",
    f_scale: float = 1.0,
    diff_step: Any = None,
    tr_solver: Any = None,
    tr_options: Any = None,
    jac_sparsity: Any = None,
    max_nfev: int | None = None,
    verbose: int = 0,
    args: Any = (),
    kwargs: Any = None,
    callback: Callable[..., Any] | None = None,
    workers: Any = None,
    *,
    polish: bool = True,
) -> Any:
    """The least sum of squares: `scipy.optimize.least_squares` with the exact Jacobian.

    Parameters
    ----------
    fun : callable
        The residuals, `fun(x, *args, **kwargs)`, NumPy code that returns a vector, or a list or
        tuple of numbers; where x0 is a tree also a tree of arrays of any shapes.
    x0 : array_like or tree
        Where to start, as in `gt.minimize`.
    jac : optional
        Derived from `fun` if left out; what you give is used as SciPy uses it, "2-point" and its
        kin included, and then nothing is refined.
    bounds : optional
        As in SciPy; `(lower, upper)` may be trees like x0.
    method : {"trf", "dogbox", "lm"}, optional
        SciPy's solver. Left out, it is "trf", and the others where that ends in no minimum.
    polish : bool
        Whether the solution is refined to the last digits (only with loss="linear", the exact
        Jacobian and as many residuals as parameters): see Notes.

    Other Parameters
    ----------------
    ftol, xtol, gtol, x_scale, loss, f_scale, diff_step, tr_solver, tr_options, jac_sparsity, \
max_nfev, verbose, args, kwargs, callback, workers
        As in SciPy. With the exact Jacobian, which is dense, `diff_step` and `jac_sparsity` have
        no effect.

    Returns
    -------
    scipy.optimize.OptimizeResult
        SciPy's own, with `x` in the structure of x0, `x_flat`, and `relative_offset`, which is
        how much of the residuals the parameters could still remove (NaN where nothing was
        refined). `success` is False, with `status` -3 and the reason in `message`, where the
        solver stopped and the point is no minimum: on a plain where a parameter has no
        influence, at a saddle, or short of a minimum (an offset above 0.001).

    Raises
    ------
    ShapeError, DTypeError
        If `fun` returns no vector of real numbers.
    NonFiniteError
        If it is NaN or infinite at x0, or its Jacobian is anywhere. A step to a point where `fun`
        is NaN or infinite is shortened; `result.message` says how often.
    ExitError, UnsupportedOperationError
        If the Jacobian, or a part of it, is lost because a value left NumPy's functions.

    Notes
    -----
    A solver stops where the cost no longer changes, at half the digits of x. Newton steps by QR
    of the exact Jacobian, computed in `numpy.longdouble` for up to 10,000 residuals, bring the
    rest: on the 27 nonlinear problems of NIST's Statistical Reference Datasets ten digits of the
    certified parameters, from both published starting points. The stopping rule is that of Bates
    and Watts, *Technometrics* 23 (1981) 179-183.

    Examples
    --------
    >>> import numpy as np, gradtape as gt
    >>> t = np.array([0.0, 1.0, 2.0, 3.0])
    >>> y = np.array([2.0, 1.21306132, 0.73575888, 0.44626032])
    >>> result = gt.least_squares(lambda x: x[0] * np.exp(-x[1] * t) - y, [1.0, 1.0])
    >>> result.success, np.round(result.x, 6)
    (True, array([2. , 0.5]))
    """
    door = Door("least_squares")
    parameters = Parameters(door, x0)
    function = Vector(
        door, "the residual", fun, parameters, args, kwargs, any_tree=parameters.is_tree
    )
    options: dict[str, Any] = {"ftol": ftol, "xtol": xtol, "gtol": gtol, "loss": loss,
                               "f_scale": f_scale, "tr_solver": tr_solver, "verbose": verbose,
                               "max_nfev": max_nfev}  # fmt: skip
    optional = {"x_scale": x_scale, "tr_options": tr_options, "diff_step": diff_step,
                "callback": parameters.callback(callback), "workers": workers}  # fmt: skip
    options.update({name: given for name, given in optional.items() if given is not None})
    _check_known(door, optional)
    limits = bounds
    if not hasattr(bounds, "lb"):
        limits = tuple(parameters.limit(door, "bounds", limit) for limit in bounds)
    if jac is not None:
        if callable(jac):
            options["jac"] = _of_tree(parameters, jac, function)
        else:
            options.update(jac=jac, jac_sparsity=jac_sparsity)
        value = function.complex_too if isinstance(jac, str) and jac == "cs" else function.alone
        result = _scipy(function, value, limits, method or "trf", options)
        result.relative_offset = np.nan
    else:
        result = solve(function, limits, method, options, polish and loss == "linear")
    if function.rejected:
        result.message += f" {function.rejected} steps were turned back. {function.why}"
    return parameters.finish(result)


@functools.cache
def _parameters_of(function: Any) -> frozenset[str]:
    return frozenset(inspect.signature(function).parameters)


def _check_known(door: Door, optional: dict[str, Any]) -> None:
    """Older releases of SciPy lack `callback` and `workers`."""
    import scipy.optimize

    known = _parameters_of(scipy.optimize.least_squares)
    for name, given in optional.items():
        if given is not None and name not in known:
            raise ArgumentTypeError(
                three_part(
                    f"{door.name}: {name}= is not known to SciPy {scipy.__version__}.",
                    f"It was passed at {door.place}.",
                    "Take a newer one: pip install -U scipy.",
                )
            )


def _of_tree(parameters: Parameters, jac: Any, function: Vector) -> Any:
    return lambda x: jac(parameters.unflatten(np.array(x)), *function.args, **function.kwargs)


def _scipy(
    function: Vector, value: Any, bounds: Any, method: str, options: dict[str, Any], x0: Any = None
) -> Any:
    import scipy.optimize

    with paused(), function.door:
        return scipy.optimize.least_squares(
            value,
            function.parameters.flat if x0 is None else x0,
            bounds=bounds,
            method=method,
            **options,
        )


def solve(
    function: Vector,
    bounds: Any,
    method: str | None,
    options: dict[str, Any],
    polish: bool,
) -> Any:
    """SciPy's result, refined; with other solvers and tolerances where it is no minimum."""
    options = {**options, "jac": function.jacobian}
    first = method or "trf"
    result = _scipy(function, function.value, bounds, first, options)
    result.relative_offset = np.nan
    if not polish or result.fun.size < result.x.size or result.status == -2:
        return result
    if result.status == 0 and options.get("max_nfev") is not None:
        return result
    lower, upper = _limits(bounds, result.x.size)
    is_free = not (np.isfinite(lower).any() or np.isfinite(upper).any())
    best = _refined(function, result, lower, upper)
    if best.success:
        return best
    scaled = {"x_scale": "jac", **options, **_TIGHT}
    tries: list[tuple[str, dict[str, Any], Any]] = [(first, {**options, **_TIGHT}, best.x)]
    if method is None:
        tries.append(("trf", scaled, None))
        if is_free and options.get("tr_solver") is None:
            scaled.pop("callback", None)
            tries.append(("lm", scaled, None))
        tries.append(("dogbox", scaled, None))
    for name, given, start in tries:
        result = _scipy(function, function.value, bounds, name, given, start)
        result.relative_offset = np.nan
        again = _refined(function, result, lower, upper)
        again.nfev += best.nfev
        again.njev = (again.njev or 0) + (best.njev or 0)
        if again.success:
            return again
        if again.cost < best.cost:
            best = again
        best.nfev, best.njev = again.nfev, again.njev
    return best


def _limits(bounds: Any, n: int) -> tuple[Any, Any]:
    low, high = (bounds.lb, bounds.ub) if hasattr(bounds, "lb") else bounds
    return np.broadcast_to(np.asarray(low, float), n), np.broadcast_to(np.asarray(high, float), n)


def _refined(function: Vector, result: Any, lower: Any, upper: Any) -> Any:
    """`result` at the refined point, with what the refinement says of it."""
    found = refine(function, result.x, lower, upper)
    if found is None:  # SciPy's word stands
        return result
    result.relative_offset = found.offset
    if not found.is_determined:
        result.message += (
            " The residuals do not determine all parameters: the Jacobian has never full rank."
        )
        return result
    result.nfev += found.steps + 1
    result.njev = (result.njev or 0) + found.steps + 1
    take_over(result, found)
    if found.fault:
        result.success, result.status = False, UNVOUCHED
        result.message = fault_of(function.door, found)
    elif not result.success and result.status == 0:  # out of evaluations, and there after all
        result.success, result.status = True, 1
        result.message = "`gtol` termination condition is satisfied."
    return result


def take_over(result: Any, found: Refined) -> None:
    """Put the refined point into a result of SciPy's."""
    result.x = found.x.astype(float)
    result.fun = found.residuals.astype(float)
    result.jac = found.jacobian.astype(float)
    result.cost = float(found.cost)
    result.grad = (found.residuals @ found.jacobian).astype(float)
    held = np.asarray(result.active_mask, dtype=bool)
    result.optimality = float(np.max(np.abs(result.grad[~held]), initial=0.0))


def fault_of(door: Door, found: Refined) -> str:
    """Why the point is no minimum, in three parts."""
    x = short(found.x.astype(float))
    if found.fault == "unused":
        names = ", ".join(f"x[{i}]" for i in found.unused)
        fact = f"{door.name}: at x = {x} no residual depends on {names}."
        cause = "The solver ran onto a plain, where the Jacobian has columns of zeros."
    elif found.fault == "rank":
        fact = f"{door.name}: at x = {x} the residuals no longer determine the parameters."
        cause = "The solver ran onto a plain: the Jacobian, of full rank at the start, lost it."
    elif found.fault == "saddle":
        fact = f"{door.name}: x = {x} is a saddle of the sum of squares, no minimum."
        cause = "Its slope is zero there, but its curvature is not positive in every direction."
    else:
        fact = f"{door.name}: the solver stopped at x = {x}, where the sum of squares still falls."
        cause = f"The relative offset is {found.offset:.1e}; {OFFSET:g} would be a minimum."
    return three_part(fact, cause, "Start elsewhere, or keep x in range with bounds=.")


def parts_of(message: str) -> tuple[str, str, str]:
    """Fact, cause and remedy of the message of a result that is none."""
    fact, _, rest = message.partition("\n")
    cause, _, remedy = rest.partition("\n")
    return fact, cause, remedy or "Start elsewhere, or keep x in range with bounds=."
