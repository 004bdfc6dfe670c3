"""What a kernel is, and the table of them.

A kernel is a function of a namespace and arrays, in plain NumPy: `xp` has NumPy's functions under
their names, and `put(x, index, v)` for `x[index] = v`, which is a new array where a library has no
assignments. Its inputs are float64; those in `constants` are not differentiated. What is measured
is the value and the gradient of half the sum of squares of all its results.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.cases import Arrays

Random = np.random.Generator


@dataclass(frozen=True)
class Kernel:
    """A kernel: what it computes, on which data."""

    name: str
    about: str
    function: Callable[..., Any]
    data: Callable[[Random], Arrays]
    constants: tuple[str, ...] = ()
    suite: str = "npbench"
    is_objective: bool = False  # its result is the value itself, a number


KERNELS: dict[str, Kernel] = {}


def kernel(
    about: str,
    data: Callable[[Random], Arrays],
    constants: tuple[str, ...] = (),
    *,
    suite: str = "npbench",
    is_objective: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter a function into the table under its own name."""

    def enter(function: Callable[..., Any]) -> Callable[..., Any]:
        name = function.__name__
        KERNELS[name] = Kernel(name, about, function, data, constants, suite, is_objective)
        return function

    return enter


def names_of(suite: str) -> list[str]:
    """Return the names of a published set's kernels."""
    return [name for name, one in KERNELS.items() if one.suite == suite]


def inputs(name: str) -> Arrays:
    """Return a kernel's data, the same in every process."""
    found = KERNELS[name].data(np.random.default_rng(len(name)))
    return {key: np.ascontiguousarray(array, np.float64) for key, array in found.items()}


def variables(name: str, data: Arrays) -> list[str]:
    """Return the names of what is differentiated."""
    return [key for key in data if key not in KERNELS[name].constants]


def loss(name: str, xp: Any) -> Callable[..., Any]:
    """Return half the sum of squares of a kernel's results, of its arrays in their order."""
    function = KERNELS[name].function
    if KERNELS[name].is_objective:
        return lambda *arrays: function(xp, *arrays)

    def total(*arrays: Any) -> Any:
        results = function(xp, *arrays)
        if not isinstance(results, tuple):
            results = (results,)
        found = xp.sum(results[0] ** 2)
        for result in results[1:]:
            found = found + xp.sum(result**2)
        return 0.5 * found

    return total
