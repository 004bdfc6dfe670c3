"""ndarray's methods for Tensor, each through the NumPy function of the same meaning."""

from __future__ import annotations

from typing import Any

import numpy as np


class ArrayMethods:
    """The attribute and method surface of ndarray."""

    __slots__ = ()

    def sum(self, axis: Any = None, dtype: Any = None, out: Any = None, **kwargs: Any) -> Any:
        return np.sum(self, axis=axis, dtype=dtype, out=out, **kwargs)  # type: ignore[call-overload]

    def astype(self, dtype: Any, copy: bool = True) -> Any:
        return np.astype(self, dtype)  # type: ignore[call-overload]
