"""Comparisons and predicates: their results are booleans and have no derivative."""

from __future__ import annotations

import numpy as np

from ..core.cards import nondifferentiable

for _ufunc in (np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal):
    nondifferentiable(_ufunc, f"{_ufunc.__name__} gives booleans, which change in jumps.")
for _ufunc in (np.isfinite, np.isnan, np.isinf, np.signbit):
    nondifferentiable(_ufunc, f"{_ufunc.__name__} gives booleans, which change in jumps.")
for _function in (np.all, np.any):
    nondifferentiable(_function, f"{_function.__name__} gives booleans, which change in jumps.")
