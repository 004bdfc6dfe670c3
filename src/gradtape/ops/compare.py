"""Functions that change in jumps: comparisons, predicates, logic, bits, integers, roundings."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.cards import nondifferentiable

_BOOLEANS: tuple[Any, ...] = (
    np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal,
    np.isfinite, np.isnan, np.isinf, np.isnat, np.signbit,
    np.logical_and, np.logical_or, np.logical_xor, np.logical_not,
    np.all, np.any, np.isclose, np.isposinf, np.isneginf, np.isreal, np.iscomplex,
)  # fmt: skip
_INTEGERS: tuple[Any, ...] = (
    np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert, np.left_shift, np.right_shift,
    np.bitwise_count, np.gcd, np.lcm,
)  # fmt: skip
_STEPS: tuple[Any, ...] = (
    np.floor, np.ceil, np.trunc, np.rint, np.fix, np.round, np.around, np.floor_divide,
)  # fmt: skip

for _function in _BOOLEANS:
    nondifferentiable(_function, f"{_function.__name__} gives booleans, which change in jumps.")
for _function in _INTEGERS:
    nondifferentiable(_function, f"{_function.__name__} works on integers, which have no gradient.")
for _function in _STEPS:
    nondifferentiable(
        _function, f"{_function.__name__} is constant between its steps and jumps at them."
    )
nondifferentiable(
    np.nextafter, "nextafter gives a neighbour in the floating-point grid, which is no function "
    "of real numbers.",
)  # fmt: skip
nondifferentiable(
    np.spacing, "spacing gives the mesh of the floating-point grid, which changes in jumps."
)
nondifferentiable(
    None, "frexp's exponent is an integer, which changes in jumps.", name="exponent",
    impl=lambda x: np.frexp(x)[1],
)  # fmt: skip
