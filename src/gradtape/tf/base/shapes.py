"""TensorShape: a tuple of lengths that knows TensorFlow's questions, with None for unknown ones."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from ...errors import ShapeError, three_part


class TensorShape(tuple[Any, ...]):
    """The shape of a tensor: a tuple of ints (None where unknown), or of unknown rank.

    >>> TensorShape([2, None])[:1], TensorShape([2, 3]).as_list(), TensorShape(None).rank
    (TensorShape([2]), [2, 3], None)
    """

    known: bool = True  # whether the rank is

    def __new__(cls, dims: Any) -> TensorShape:
        if type(dims) is TensorShape:
            return dims
        if dims is None:
            out = super().__new__(cls, ())
            out.known = False
            return out
        if hasattr(dims, "__index__") and not hasattr(dims, "__len__"):
            dims = [dims]
        return super().__new__(cls, [d if d is None else _length(d) for d in dims])

    # ------------------------------------------------------------------ questions

    @property
    def rank(self) -> int | None:
        """The number of axes, None if that is unknown."""
        return tuple.__len__(self) if self.known else None

    ndims = rank

    @property
    def dims(self) -> list[Any] | None:
        return list(tuple.__iter__(self)) if self.known else None

    def as_list(self) -> list[Any]:
        """The lengths as a list."""
        if not self.known:
            raise _unknown("as_list() is not defined on an unknown TensorShape.")
        return list(tuple.__iter__(self))

    def num_elements(self) -> int | None:
        """The product of the lengths, None if one is unknown."""
        return math.prod(tuple.__iter__(self)) if self.is_fully_defined() else None

    def is_fully_defined(self) -> bool:
        return self.known and None not in tuple.__iter__(self)

    def is_compatible_with(self, other: Any) -> bool:
        """Whether some shape is both this one and `other`."""
        other = TensorShape(other)
        if not (self.known and other.known):
            return True
        a, b = self.as_list(), other.as_list()
        return len(a) == len(b) and all(
            x == y or x is None or y is None for x, y in zip(a, b, strict=True)
        )

    # ------------------------------------------------------------------ demands

    def assert_is_compatible_with(self, other: Any) -> None:
        if not self.is_compatible_with(other):
            raise _misfit(f"Shapes {self} and {TensorShape(other)} are incompatible.")

    def assert_has_rank(self, rank: int) -> None:
        if self.rank not in (None, rank):
            raise _misfit(f"Shape {self} must have rank {rank}.")

    def assert_same_rank(self, other: Any) -> None:
        other = TensorShape(other)
        if None not in (self.rank, other.rank) and self.rank != other.rank:
            raise _misfit(f"Shapes {self} and {other} must have the same rank.")

    def assert_is_fully_defined(self) -> None:
        if not self.is_fully_defined():
            raise _misfit(f"Shape {self} is not fully defined.")

    def with_rank(self, rank: int) -> TensorShape:
        """The shape itself, which must have `rank` axes."""
        if not self.known:
            return TensorShape([None] * rank)
        self.assert_has_rank(rank)
        return self

    def with_rank_at_least(self, rank: int) -> TensorShape:
        if self.rank is not None and self.rank < rank:
            raise _misfit(f"Shape {self} must have rank at least {rank}.")
        return self

    def with_rank_at_most(self, rank: int) -> TensorShape:
        if self.rank is not None and self.rank > rank:
            raise _misfit(f"Shape {self} must have rank at most {rank}.")
        return self

    # ------------------------------------------------------------------ other shapes

    def merge_with(self, other: Any) -> TensorShape:
        """What is known of either, if they are compatible."""
        other = TensorShape(other)
        if not self.known:
            return other  # type: ignore[no-any-return]
        if not other.known:
            return self
        self.assert_is_compatible_with(other)
        return TensorShape(
            [a if b is None else b for a, b in zip(self.as_list(), other.as_list(), strict=True)]
        )

    def concatenate(self, other: Any) -> TensorShape:
        other = TensorShape(other)
        if not (self.known and other.known):
            return TensorShape(None)
        return TensorShape([*self.as_list(), *other.as_list()])

    def __add__(self, other: Any) -> TensorShape:
        return self.concatenate(other)

    def __radd__(self, other: Any) -> TensorShape:
        return TensorShape(other).concatenate(self)

    def __getitem__(self, key: Any) -> Any:
        if not self.known:
            return TensorShape(None) if isinstance(key, slice) else None
        if isinstance(key, slice):
            return shape_of(tuple.__getitem__(self, key))
        return tuple.__getitem__(self, key)

    # ------------------------------------------------------------------ as an object

    def __iter__(self) -> Iterator[Any]:
        if not self.known:
            raise _unknown("Cannot iterate over a shape with unknown rank.")
        return tuple.__iter__(self)

    def __len__(self) -> int:
        if not self.known:
            raise _unknown("Cannot take the length of shape with unknown rank.")
        return tuple.__len__(self)

    def __bool__(self) -> bool:
        return self.known

    def __eq__(self, other: object) -> bool:
        if type(other) is TensorShape:
            return self.known == other.known and tuple.__eq__(self, other)
        try:
            return self == TensorShape(other)
        except (TypeError, ValueError):
            return NotImplemented

    def __ne__(self, other: object) -> bool:
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else not equal

    def __hash__(self) -> int:
        return tuple.__hash__(self)

    def __repr__(self) -> str:
        return f"TensorShape({self.as_list()})" if self.known else "TensorShape(None)"

    def __str__(self) -> str:
        return tuple.__repr__(self) if self.known else "<unknown>"

    def __reduce__(self) -> Any:
        return TensorShape, (self.dims,)


_new = tuple.__new__


def shape_of(lengths: tuple[int, ...]) -> TensorShape:
    """A TensorShape of lengths that are known to be ints."""
    return _new(TensorShape, lengths)


def _length(d: Any) -> int:
    value = getattr(d, "value", d) if not hasattr(d, "__index__") else d
    try:
        length = value.__index__()
    except AttributeError:
        raise TypeError(
            three_part(
                f"Dimension value must be integer or None or have an __index__ method, got {d!r}.",
                f"It is of type {type(d).__name__}.",
                "Pass ints: tf.TensorShape([2, None]).",
            )
        ) from None
    if length < 0:
        raise ShapeError(
            three_part(
                f"Dimension {length} must be >= 0.",
                "A shape is made of lengths.",
                "Pass None for a length that is not known: tf.TensorShape([None, 3]).",
            )
        )
    return int(length)


def _unknown(fact: str) -> ShapeError:
    return ShapeError(
        three_part(fact, "It was made from None.", "Ask shape.rank first, which is None then.")
    )


def _misfit(fact: str) -> ShapeError:
    return ShapeError(
        three_part(fact, "", "Print the shapes of both tensors, and tf.reshape one of them.")
    )
