"""Creation: arrays from nothing, from sequences that hold Tensors, and like another array."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.cards import nondifferentiable
from ..core.tensor import Tensor


def array(value: Any, dtype: Any = None) -> Tensor:
    """A new Tensor with a copy of `value`."""
    return Tensor(value, dtype)


for _function in (np.zeros_like, np.ones_like, np.empty_like):
    nondifferentiable(_function, f"{_function.__name__} does not read the values of its operand.")
