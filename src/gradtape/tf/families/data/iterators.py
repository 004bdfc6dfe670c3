"""What reads a dataset: `iter(ds)` and `ds.as_numpy_iterator()`."""

from __future__ import annotations

from typing import Any

from ....core.positions import decode, here
from ....errors import three_part
from ...base.errors import KINDS
from ...base.names import export
from . import elements


@export("data.Iterator")
class Iterator:
    """An iteration over a dataset; `next(it)` and `it.get_next()` give an element."""

    _dataset: Any
    _items: Any

    @classmethod
    def over(cls, dataset: Any) -> Iterator:
        """An iteration that starts now."""
        out = cls()
        out._dataset, out._items = dataset, dataset._elements()
        return out

    def __iter__(self) -> Iterator:
        return self

    def __next__(self) -> Any:
        return next(self._items)

    def get_next(self, name: Any = None) -> Any:
        """The next element; OutOfRangeError where there is none."""
        for item in self._items:
            return item
        raise KINDS["OutOfRangeError"](
            None,
            None,
            three_part(
                "End of sequence.",
                f"get_next was called at {decode(*here())} after the last element.",
                "Use a for loop, or make the dataset longer: ds.repeat().",
            ),
        )

    @property
    def element_spec(self) -> Any:
        """What is known of each element."""
        return self._dataset.element_spec


@export("data.NumpyIterator")
class NumpyIterator:
    """An iteration over a dataset that gives NumPy arrays."""

    def __init__(self, dataset: Any) -> None:
        self._items = dataset._elements()

    def __iter__(self) -> NumpyIterator:
        return self

    def __next__(self) -> Any:
        return elements.each(_numpy, next(self._items))


def _numpy(leaf: Any) -> Any:
    if hasattr(leaf, "element_spec"):
        return leaf
    value = leaf.value
    if not value.ndim:
        return value[()]
    value = value.view()
    value.flags.writeable = False  # it may be the dataset's own
    return value
