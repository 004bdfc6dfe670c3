"""`x.flat`: the elements of a Tensor one after the other, read and written tracked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .registry import HOOKS

if TYPE_CHECKING:
    from .tensor import Tensor

_np: Any = np  # NumPy's functions as they are for Tensors, which its stubs do not know


def plain_index(index: Any) -> Any:
    """`index` with raw values in place of Tensors."""
    if isinstance(index, list | tuple):
        return [plain_index(i) for i in index]
    return index.read() if hasattr(index, "read") else index


class Flat:
    """The elements of a Tensor in C order, as `ndarray.flat`: read, iterated and assigned tracked.

    >>> import gradtape as gt
    >>> x = gt.array([[1.0, 2.0], [3.0, 4.0]])
    >>> x.flat[2]
    Tensor(3., shape=(), dtype=float64)
    >>> x.flat[::3] = 0.0
    >>> x
    Tensor([[0., 2.], [3., 0.]], shape=(2, 2), dtype=float64)
    """

    __slots__ = ("_position", "base")

    def __init__(self, base: Tensor) -> None:
        self.base = base
        self._position = 0

    @property
    def index(self) -> int:
        """The position of the next element."""
        return self._position

    @property
    def coords(self) -> tuple[int, ...]:
        """The index of the next element in the array."""
        return tuple(int(i) for i in np.unravel_index(self._position, self.base.shape or (1,)))

    def __len__(self) -> int:
        return self.base.size

    def __iter__(self) -> Iterator[Tensor]:
        return self

    def __next__(self) -> Tensor:
        if self._position >= len(self):
            raise StopIteration
        self._position += 1
        element: Tensor = _np.ravel(self.base)[self._position - 1]
        return element

    def __getitem__(self, index: Any) -> Tensor:
        part: Tensor = _np.ravel(self.base)[index]
        return part if part.ndim == 0 else part.copy()

    def __setitem__(self, index: Any, value: Any) -> None:
        where = np.arange(self.base.size)[plain_index(index)]
        value = HOOKS["from_sequence"](value) if isinstance(value, list | tuple) else value
        self.base._store_flat(where, np.ravel(value) if np.ndim(value) else value)

    def copy(self) -> Tensor:
        """The elements as a new Tensor with one axis."""
        return self.base.flatten()

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.base.flatten().__array__(dtype, copy)

    def __repr__(self) -> str:
        return f"<flat of {self.base!r}>"

    def __eq__(self, other: object) -> Any:
        return self.base.flatten() == other

    def __ne__(self, other: object) -> Any:
        return self.base.flatten() != other

    __hash__ = None  # type: ignore[assignment]
