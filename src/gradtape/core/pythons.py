"""Python's numbers while tracing: a Tensor whose symbol is weak is used like a float or an int.

Python's operators make Python's numbers of Python's numbers, NumPy's functions make NumPy's. What
Python does otherwise than NumPy, and what it raises, cannot be computed by NumPy's operations, so
it is refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import TracingError, three_part
from .positions import decode, here
from .registry import HOOKS
from .symbol import Symbol

__all__ = ["PYTHON", "Numbers", "is_weak", "strengthened"]

PYTHON = (bool, int, float, complex)


def is_weak(x: Any) -> bool:
    """Whether `x` is a Python number, known or not."""
    if type(x) in PYTHON:
        return True
    symbol = x if type(x) is Symbol else getattr(x, "value", None)
    return type(symbol) is Symbol and symbol.weak


def strengthened(x: Any) -> Any:
    """`x`, but as NumPy's number where it is a Python number that is not known."""
    return x.astype(x.dtype) if type(x) not in PYTHON and is_weak(x) else x


class Numbers:
    """What a Tensor with a symbol does in place of a Tensor where the symbol is weak."""

    __slots__ = ()
    value: Any
    dtype: np.dtype[Any]

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if self.value.weak and all(map(is_weak, inputs)):
            inputs = tuple(map(strengthened, inputs))
        return super().__array_ufunc__(ufunc, method, *inputs, **kwargs)  # type: ignore[misc]

    def __truediv__(self, other: Any) -> Any:
        self._check_divisor(other)
        return super().__truediv__(other)  # type: ignore[misc]

    def __floordiv__(self, other: Any) -> Any:
        self._check_divisor(other)
        return super().__floordiv__(other)  # type: ignore[misc]

    def __mod__(self, other: Any) -> Any:
        self._check_divisor(other)
        return super().__mod__(other)  # type: ignore[misc]

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def _check_divisor(self, other: Any) -> None:
        if self.value.weak and type(other) in PYTHON and not other:
            raise ZeroDivisionError(
                three_part(
                    f"A Python {'integer' if self.dtype.kind == 'i' else 'number'} is divided by "
                    f"{other!r}.",
                    f"Called at {decode(*here())}; Python raises ZeroDivisionError there.",
                    "Divide a number of NumPy's, which gives inf or nan: np.divide(x, y).",
                )
            )

    def __invert__(self) -> Any:
        if self.value.weak and self.dtype == bool:
            raise HOOKS["of_truths"]("invert")
        return super().__invert__()  # type: ignore[misc]

    def conjugate(self, *args: Any, **kwargs: Any) -> Any:
        if self.value.weak and not args and not kwargs:
            return HOOKS["op:conjugate"](self)
        return super().conjugate(*args, **kwargs)  # type: ignore[misc]

    def __round__(self, ndigits: int | None = None) -> Any:
        if self.value.weak and ndigits is not None:
            raise TracingError(
                three_part(
                    "round: a Python number that is not known while tracing.",
                    f"Called at {decode(*here())}; Python rounds by its decimals, NumPy by "
                    "multiplying.",
                    f"Use np.round(x, {ndigits}), there and outside of the compiled function.",
                )
            )
        return super().__round__(ndigits)  # type: ignore[misc]
