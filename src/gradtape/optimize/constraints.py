"""Constraints with exact Jacobians: SciPy's dictionaries and its NonlinearConstraint.

A LinearConstraint is its own Jacobian and passes as it is.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from .faults import Door
from .functions import Vector
from .trees import Parameters

_WITH_JACOBIAN = frozenset(("slsqp", "trust-constr"))


def with_derivatives(door: Door, parameters: Parameters, constraints: Any, method: str) -> Any:
    """`constraints` as SciPy takes them, of flat vectors, with what `method` can use."""
    if isinstance(constraints, dict) or hasattr(constraints, "lb"):
        return _one(door, parameters, constraints, method, "the constraint")
    return [_one(door, parameters, c, method, f"constraint {i}") for i, c in enumerate(constraints)]


def _one(door: Door, parameters: Parameters, constraint: Any, method: str, what: str) -> Any:
    if isinstance(constraint, dict):
        return _dictionary(door, parameters, constraint, method, what)
    if not hasattr(constraint, "fun"):
        return constraint
    function = Vector(door, what, constraint.fun, parameters)
    new = copy.copy(constraint)
    new.fun = function.alone
    if callable(constraint.jac):
        if parameters.is_tree:
            new.jac = _of_tree(parameters, constraint.jac)
    elif constraint.jac == "2-point" and method in _WITH_JACOBIAN:  # the default: nothing said
        new.fun, new.jac = function.value, function.jacobian
        if method == "trust-constr" and _is_default(constraint.hess):
            new.hess = _hessian(parameters, function)
    if callable(constraint.hess) and parameters.is_tree:
        new.hess = _of_tree(parameters, constraint.hess)
    return new


def _dictionary(
    door: Door, parameters: Parameters, constraint: dict[str, Any], method: str, what: str
) -> Any:
    new = dict(constraint)
    if not callable(new.get("fun")) or str(new.get("type")).lower() not in ("eq", "ineq"):
        return new  # SciPy says what is wrong with it
    args = new.pop("args", ())
    function = Vector(door, what, new["fun"], parameters, args)
    new["fun"] = function.alone
    if callable(new.get("jac")):
        new["jac"] = _of_tree(parameters, new["jac"], args)
    elif method == "trust-constr" and new.get("jac") is None:
        from scipy.optimize import NonlinearConstraint

        # what SciPy makes of it, with the Hessian that a dictionary has no place for
        upper = 0.0 if str(new.get("type")).lower() == "eq" else np.inf
        return NonlinearConstraint(
            function.value, 0.0, upper, function.jacobian, _hessian(parameters, function)
        )
    elif method in _WITH_JACOBIAN and new.get("jac") is None:
        new["fun"], new["jac"] = function.value, function.jacobian
    return new


def _of_tree(parameters: Parameters, function: Any, args: Any = ()) -> Any:
    return lambda x, *more: function(parameters.unflatten(x), *more, *args)


def _is_default(hess: Any) -> bool:
    """Whether `hess` is the BFGS() that SciPy puts where nothing is given."""
    from scipy.optimize import BFGS

    return type(hess) is BFGS and vars(hess).keys() >= {"min_curvature"} and _settings(
        hess
    ) == _settings(BFGS())  # fmt: skip


def _settings(hess: Any) -> Any:
    return hess.exception_strategy, hess.init_scale, hess.min_curvature


def _hessian(parameters: Parameters, function: Vector) -> Any:
    def hess(x: Any, v: Any) -> Any:
        from scipy.sparse.linalg import LinearOperator

        n = parameters.size
        times = function.product(x, v)
        return LinearOperator((n, n), matvec=times, rmatvec=times, dtype=float)

    return hess
