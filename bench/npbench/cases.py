"""Kernels as cases of the bench, with a reference that central differences have confirmed."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from bench.cases import Arrays, Case, Outcome, Reference
from bench.gradbench import objectives
from bench.npbench import dense, learning, namespaces, science, solvers, stencils
from bench.npbench.kernels import KERNELS, inputs, loss, variables

__all__ = ["KERNELS", "case", "central_slope", "data", "gradient_by_tape", "reference"]

TOLERANCE = 1e-8
ROOMS = (dense, stencils, solvers, learning, science, objectives)  # each enters its kernels


def data(name: str) -> Arrays:
    """Return a kernel's arrays, and its name for the library's one function of all kernels."""
    return {**inputs(name), "kernel": np.asarray(name)}


def central_slope(name: str, arrays: Arrays, direction: dict[str, Any]) -> tuple[Any, Any]:
    """Return the value and its derivative along a direction: differences in longdouble.

    Of steps h and h / 2, combined so that the error is of the fourth power of h; so small that
    next to no entry crosses a kink.
    """
    f = loss(name, namespaces.numpy())
    wide = {key: array.astype(np.longdouble) for key, array in arrays.items()}

    def slope(h: float) -> Any:
        up, down = (
            f(*(x + s * h * direction[key] if key in direction else x for key, x in wide.items()))
            for s in (1, -1)
        )
        return (up - down) / (2 * h)

    return f(*wide.values()), (4 * slope(1e-7) - slope(2e-7)) / 3


def gradient_by_tape(name: str, arrays: Arrays) -> tuple[Any, list[Any]]:
    """Return value and gradient by our tape in eager mode."""
    import gradtape as gt

    names = variables(name, arrays)
    places = tuple(list(arrays).index(key) for key in names)
    value, gradient = gt.value_and_grad(loss(name, namespaces.gradtape()), argnums=places)(
        *arrays.values()
    )
    return value, list(gradient)


def reference(name: str, given: Arrays) -> Reference:
    """Return value and gradient of the tape, when differences along a direction agree with it."""
    arrays = {key: array for key, array in given.items() if key != "kernel"}
    value, gradient = gradient_by_tape(name, arrays)
    names = variables(name, arrays)
    rng = np.random.default_rng(1)
    direction = {key: rng.standard_normal(arrays[key].shape) for key in names}
    expected, slope = central_slope(name, arrays, direction)
    parts = [np.sum(g * direction[key]) for key, g in zip(names, gradient, strict=True)]
    scale = sum(np.sum(np.abs(g * direction[key])) for key, g in zip(names, gradient, strict=True))
    if not abs(float(sum(parts) - slope)) <= 1e-9 * float(scale):
        raise AssertionError(f"{name}: the tape says {sum(parts)}, differences {slope}")
    found: Reference = {"value": Outcome(np.asarray(expected))}
    return found | {key: Outcome(np.asarray(g)) for key, g in zip(names, gradient, strict=True)}


def case(name: str) -> Case:
    """Return a kernel as a case."""
    return Case(
        f"{KERNELS[name].suite}-{name}",
        KERNELS[name].about,
        partial(data, name),
        partial(reference, name),
        TOLERANCE,
    )
