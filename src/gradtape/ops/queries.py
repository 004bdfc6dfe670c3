"""Functions that ask about an array and never read its values: never recorded, never exits."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.aval import Aval
from ..core.pythons import is_weak
from ..core.registry import FUNCTIONS
from ..core.tensor import Tensor


def _stand_in(x: Any) -> Any:
    """An array of the same shape and dtype as `x` that holds no data of its own."""
    if isinstance(x, Tensor):
        aval: Aval = x.aval
        if is_weak(x):
            return np.zeros((), aval.dtype).item()
        return np.broadcast_to(np.zeros((), aval.dtype), aval.shape)
    if type(x) in (list, tuple):
        return type(x)(_stand_in(item) for item in x)
    return x


def _query(function: Any) -> None:
    def query(*args: Any, **kwargs: Any) -> Any:
        return function(
            *(_stand_in(a) for a in args), **{k: _stand_in(v) for k, v in kwargs.items()}
        )

    FUNCTIONS[function] = query


for _function in (
    np.shape, np.ndim, np.size, np.result_type, np.can_cast, np.iscomplexobj,
    np.isrealobj, np.common_type,
):  # fmt: skip
    _query(_function)


def _values(function: Any) -> None:
    """A query that looks at values, but gives no number that could come back."""

    def query(*args: Any, **kwargs: Any) -> Any:
        return function(*(_value(a) for a in args), **{k: _value(v) for k, v in kwargs.items()})

    FUNCTIONS[function] = query


def _value(x: Any) -> Any:
    if isinstance(x, Tensor):
        return x.read()
    if type(x) in (list, tuple):
        return type(x)(_value(item) for item in x)
    return x


for _reading in (
    np.array_equal, np.array_equiv, np.allclose, np.array2string, np.array_repr, np.array_str,
    np.min_scalar_type, np.save, np.savez, np.savez_compressed, np.savetxt, np.shares_memory,
    np.may_share_memory,
):  # fmt: skip
    _values(_reading)
