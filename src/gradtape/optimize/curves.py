"""`curve_fit`: SciPy's, with the exact Jacobian of the model and the last digits by `refine`."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.state import paused
from ..core.tensor import Tensor, raw
from ..errors import ConvergenceError, three_part
from .faults import Door
from .functions import Vector
from .refine import Refined, refine
from .residuals import parts_of, solve
from .trees import Parameters

_COVARIANCE = "Covariance of the parameters could not be estimated"


def curve_fit(
    f: Callable[..., Any],
    xdata: Any,
    ydata: Any,
    p0: Any = None,
    sigma: Any = None,
    absolute_sigma: bool = False,
    check_finite: bool | None = None,
    bounds: Any = (-np.inf, np.inf),
    method: str | None = None,
    jac: Any = None,
    *,
    full_output: bool = False,
    nan_policy: str | None = None,
    polish: bool = True,
    **kwargs: Any,
) -> Any:
    """The parameters of a curve: `scipy.optimize.curve_fit` with exact derivatives.

    Parameters
    ----------
    f : callable
        The model, `f(xdata, *parameters)`, NumPy code that returns a vector like `ydata`.
    xdata, ydata : array_like
        As in SciPy. Data of more than double precision may be `numpy.longdouble` arrays; the
        refinement then uses all of it.
    p0, sigma, absolute_sigma, check_finite, bounds, method, full_output, nan_policy, **kwargs
        As in SciPy. With `method` left out, other solvers are tried where the first ends in no
        minimum.
    jac : optional
        Derived from `f` if left out; what you give is used as SciPy uses it, and then nothing is
        refined.
    polish : bool
        Whether the solution is refined to the last digits, as in `gt.least_squares`.

    Returns
    -------
    popt, pcov or popt, pcov, infodict, mesg, ier
        As SciPy's: parameters and their covariance, which is infinite, with an OptimizeWarning,
        where the data do not determine it.

    Raises
    ------
    ConvergenceError
        A RuntimeError, as SciPy's: no minimum was found. The message says why.
    ShapeError, DTypeError, NonFiniteError, ExitError, UnsupportedOperationError
        As `gt.least_squares`, of the model.

    Examples
    --------
    >>> import numpy as np, gradtape as gt
    >>> def decay(t, a, b):
    ...     return a * np.exp(-b * t)
    >>> t = np.linspace(0, 4, 9)
    >>> y = decay(t, 2.0, 0.5) + np.array([3, -1, 2, 0, -2, 1, -1, 2, -1]) / 100
    >>> popt, pcov = gt.curve_fit(decay, t, y)
    >>> np.round(popt, 3), np.round(np.sqrt(np.diag(pcov)), 3)
    (array([2.02 , 0.506]), array([0.014, 0.006]))
    """
    import scipy.optimize

    door = Door("curve_fit")
    model = _Model(door, f, xdata, ydata)
    if nan_policy == "omit":  # done here: not every SciPy leaves out the entries of sigma too
        sigma = model.leave_out(sigma)
        nan_policy, check_finite = None, check_finite or False
    if sigma is not None and np.size(sigma) == 1:  # SciPy takes a number only without a Jacobian
        sigma = np.full(np.shape(model.ydata), np.reshape(sigma, ()))
    options = dict(kwargs, p0=p0, sigma=sigma, absolute_sigma=absolute_sigma, bounds=bounds,
                   check_finite=check_finite, nan_policy=nan_policy, method=method)  # fmt: skip
    given = {"xdata": model.xdata, "ydata": model.ydata}
    if jac is not None:
        with paused(), door:
            return scipy.optimize.curve_fit(f, **given, jac=jac, full_output=full_output, **options)
    found, failure = None, ""
    try:
        with paused(), door, warnings.catch_warnings():
            warnings.filterwarnings("ignore", _COVARIANCE)
            found = scipy.optimize.curve_fit(
                model.values, **given, jac=model.jacobian, full_output=True, **options
            )
    except ConvergenceError as error:
        failure = str(error).partition("\n")[0].removeprefix("curve_fit: ")
    limited = any(kwargs.get(name) for name in ("maxfev", "max_nfev"))
    fit = _Fit(model, sigma, bounds, absolute_sigma, found)
    if polish and kwargs.get("loss", "linear") == "linear" and not (limited and found is None):
        fit.refine(method, kwargs)
    if fit.popt is None or fit.fault:
        fact, cause, remedy = fit.fault or (
            f"curve_fit: {failure}", "", "Start from another p0=, or allow more steps: maxfev=."
        )  # fmt: skip
        raise ConvergenceError(
            three_part(fact, f"{cause} The call is at {door.place}.".lstrip(), remedy)
        )
    if np.isinf(fit.pcov).any():
        door.warn(_COVARIANCE, scipy.optimize.OptimizeWarning)
    if full_output:
        return fit.popt, fit.pcov, fit.info, fit.message, fit.status
    return fit.popt, fit.pcov


class _Model:
    """The model as SciPy calls it: f(x, *parameters), and its Jacobian."""

    def __init__(self, door: Door, f: Callable[..., Any], xdata: Any, ydata: Any) -> None:
        self.door, self.f = door, f
        self.xdata = _array(xdata) if isinstance(xdata, list | tuple | np.ndarray | Tensor) else (
            xdata
        )  # fmt: skip
        self.ydata = _array(ydata)
        self.function: Vector | None = None
        self.x: Any = None

        @functools.wraps(f)
        def values(x: Any, *parameters: Any) -> Any:
            return self._at(x, parameters).value(np.array(parameters, dtype=float))

        def jacobian(x: Any, *parameters: Any) -> Any:
            return self._at(x, parameters).jacobian(np.array(parameters, dtype=float))

        self.values, self.jacobian = values, jacobian

    def leave_out(self, sigma: Any) -> Any:
        """Leave out the data that have a NaN; `sigma` without the entries of those."""
        has_nan = np.isnan(self.xdata)
        has_nan = has_nan.any(axis=tuple(range(has_nan.ndim - 1))) | np.isnan(self.ydata)
        self.xdata, self.ydata = self.xdata[..., ~has_nan], self.ydata[~has_nan]
        sigma = None if sigma is None else np.asarray(sigma)
        if sigma is None or sigma.ndim == 0 or not has_nan.any():
            return sigma
        return sigma[~has_nan] if sigma.ndim == 1 else sigma[~has_nan][:, ~has_nan]

    def _at(self, x: Any, parameters: tuple[Any, ...]) -> Vector:
        """The model as a function of its parameters, each a number of its own; SciPy chooses x."""
        if self.function is None:
            self.x = x
            self.function = self.of_parameters(len(parameters), self._values)
        return self.function

    def _values(self, *parameters: Any) -> Any:
        out = self.f(self.x, *parameters)
        if np.ndim(out) == 0 and isinstance(out, Tensor | np.generic | float | int):
            out = np.broadcast_to(out, self.ydata.shape)  # a constant model
        return out

    def of_parameters(self, n: int, function: Callable[..., Any]) -> Vector:
        """`function` of n numbers as a `Vector`."""
        parameters = Parameters(self.door, {f"parameter {i}": 0.0 for i in range(n)})
        named = functools.wraps(self.f)(lambda tree: function(*tree.values()))
        return Vector(self.door, "the model", named, parameters)


def _array(x: Any) -> Any:
    """Data in float64, or in longdouble as they are."""
    array = np.asarray(raw(x) if isinstance(x, Tensor) else x)
    return array if array.dtype.char == "g" else np.asarray(array, dtype=float)


class _Fit:
    """What SciPy found, refined: popt, pcov, infodict, mesg, ier."""

    def __init__(self, model: _Model, sigma: Any, bounds: Any, absolute: bool, found: Any) -> None:
        self.model, self.absolute, self.found = model, absolute, found
        self.bounds = (bounds.lb, bounds.ub) if hasattr(bounds, "lb") else bounds
        self.fault: tuple[str, str, str] | None = None  # why SciPy's success is none
        self.popt: Any = None
        self.pcov: Any = None
        self.info: Any = None
        self.message, self.status = "", 0
        if found is not None:
            self.popt, self.pcov, self.info, self.message, self.status = found
        x, y, whiten = model.xdata, model.ydata, _whitening(sigma)

        def residuals(*parameters: Any) -> Any:
            r = model.f(x, *parameters) - y
            return r if whiten is None else whiten @ r if np.ndim(whiten) == 2 else r * whiten

        self.residuals = residuals

    def refine(self, method: str | None, options: dict[str, Any]) -> None:
        """Refine what SciPy found; where that is no minimum, solve anew."""
        function = self.model.function
        if function is None or function.size is None:
            return
        n = function.parameters.size
        rows = self.model.of_parameters(n, self.residuals)
        lower, upper = (np.broadcast_to(np.asarray(limit, float), n) for limit in self.bounds)
        found = None
        if self.popt is not None:
            if n > np.size(self.info["fvec"]):
                return
            rows.size, rows.start = np.size(self.info["fvec"]), function.start
            found = refine(rows, self.popt, lower, upper)
            if found is None or not found.is_determined:
                return  # SciPy's word stands
        if found is None or found.fault:
            found = self._anew(rows, method, options, lower, upper)
            if found is None:
                return
        self._take(found)

    def _anew(
        self, rows: Vector, method: str | None, options: dict[str, Any], lower: Any, upper: Any
    ) -> Refined | None:
        """The refined result of `least_squares` with all its solvers, from where SciPy began."""
        start = self.model.function.start if self.model.function is not None else None
        if start is None:
            return None
        rows.parameters.flat = np.array(start)
        names = ("ftol", "xtol", "gtol", "x_scale", "loss", "f_scale")
        given = {name: options[name] for name in names if name in options}
        result = solve(rows, (lower, upper), method, given, True)
        if not result.success:
            self.fault = parts_of(result.message)
            return None
        found = refine(rows, result.x, lower, upper)
        if found is not None:
            self.info = {"nfev": result.nfev, "fvec": result.fun}
            self.message, self.status = result.message, int(result.status)
        return found

    def _take(self, found: Refined) -> None:
        self.popt = found.x.astype(float)
        self.info["fvec"] = found.residuals.astype(float)
        free = found.residuals.size - found.x.size
        covariance = found.covariance()
        if not self.absolute:
            factor = 2 * found.cost / free if free > 0 else np.inf
            covariance = covariance * factor if free > 0 else np.full_like(covariance, np.inf)
        self.pcov = covariance.astype(float)


def _whitening(sigma: Any) -> Any:
    """What residuals are multiplied with: 1 / sigma, or the inverse Cholesky factor."""
    if sigma is None:
        return None
    sigma = np.asarray(sigma, dtype=float)
    if sigma.ndim < 2 or sigma.size == 1:
        return 1.0 / sigma.reshape(-1)
    from scipy.linalg import solve_triangular

    factor = np.linalg.cholesky(sigma)
    return solve_triangular(factor, np.eye(len(factor)), lower=True)
