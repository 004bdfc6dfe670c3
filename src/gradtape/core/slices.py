"""IndexedSlices: some rows of an array that is zero elsewhere, as the gradient of gathered rows.

Rows may be named twice; they add. `np.asarray`, arithmetic with anything but a number, and NumPy's
functions see the dense array.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ShapeError, three_part
from .positions import decode, here
from .registry import HOOKS
from .symbol import Symbol
from .tensor import Tensor, new_traced, raw


@dataclass(eq=False, repr=False)
class IndexedSlices:
    """Rows of an array: row `indices[i]` is `values[i]`, what is not named is 0.

    Parameters
    ----------
    values : array_like, (n, ...)
        Floating or complex; a Tensor keeps its history.
    indices : array_like of int, (n,)
        May repeat: such rows add.
    dense_shape : sequence of int, optional
        The shape of the whole array; what needs it is refused without.

    Examples
    --------
    >>> import numpy as np, gradtape as gt
    >>> rows = gt.IndexedSlices(np.ones((2, 2)), np.array([2, 2]), (3, 2))
    >>> np.asarray(rows)
    array([[0., 0.],
           [0., 0.],
           [2., 2.]])
    >>> w = gt.Variable(np.zeros((3, 2)))
    >>> w.assign_sub(0.5 * rows)
    Variable('Variable:...', [[ 0.,  0.],
                           [ 0.,  0.],
                           [-1., -1.]], shape=(3, 2), dtype=float64)
    """

    values: Any
    indices: Any
    dense_shape: Any = None

    __array_priority__ = 3000
    __hash__ = object.__hash__

    def lengths(self) -> tuple[int, ...]:
        """The shape of the whole array."""
        if self.dense_shape is None:
            raise ShapeError(
                three_part(
                    "IndexedSlices: without dense_shape the whole array is not known.",
                    f"Asked for at {decode(*here())}.",
                    "Pass it: IndexedSlices(values, indices, dense_shape=x.shape).",
                )
            )
        return tuple(int(n) for n in np.asarray(raw(self.dense_shape)))

    def dense(self) -> Any:
        """The whole array: a Tensor that has the history of `values`, if these are one."""
        if isinstance(self.values, Tensor) or isinstance(raw(self.indices), Symbol):
            add: Any = HOOKS["scatter_add"]
            values = self.values
            values = values if isinstance(values, Tensor) else new_traced(np.asarray(values))
            return add(values, shape=self.lengths(), index=raw(self.indices))
        whole = np.zeros(self.lengths(), raw(self.values).dtype)
        np.add.at(whole, raw(self.indices), np.asarray(self.values))
        return whole

    @property
    def shape(self) -> Any:
        """The shape of the whole array."""
        return self.lengths()

    @property
    def dtype(self) -> Any:
        """The dtype of the values."""
        return self.values.dtype

    def with_values(self, values: Any) -> Any:
        """Other values for the same rows."""
        return type(self)(values, self.indices, self.dense_shape)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.asarray(self.dense(), dtype)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        inputs = tuple(x.dense() if isinstance(x, IndexedSlices) else x for x in inputs)
        return getattr(ufunc, method)(*inputs, **kwargs)

    def __neg__(self) -> Any:
        return self.with_values(-self.values)

    def __mul__(self, other: Any) -> Any:
        return self._scaled(operator.mul, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        return self._scaled(operator.truediv, other)

    def _scaled(self, operation: Any, other: Any) -> Any:
        if not isinstance(other, IndexedSlices) and np.ndim(other) == 0:
            return self.with_values(operation(self.values, other))
        return operation(self.dense(), _whole(other))

    def __add__(self, other: Any) -> Any:
        if (
            isinstance(other, IndexedSlices)
            and None not in (self.dense_shape, other.dense_shape)
            and self.lengths() == other.lengths()
        ):
            return type(self)(
                np.concatenate([self.values, other.values]),
                np.concatenate([self.indices, other.indices]),
                self.dense_shape,
            )
        return self.dense() + _whole(other)

    def __radd__(self, other: Any) -> Any:
        return _whole(other) + self.dense()

    def __sub__(self, other: Any) -> Any:
        return self + -other if isinstance(other, IndexedSlices) else self.dense() - _whole(other)

    def __rsub__(self, other: Any) -> Any:
        return _whole(other) - self.dense()

    def __repr__(self) -> str:
        return (
            f"IndexedSlices(indices={self.indices!s}, values={self.values!s}, "
            f"dense_shape={self.dense_shape!s})"
        )


def _whole(x: Any) -> Any:
    return x.dense() if isinstance(x, IndexedSlices) else x
