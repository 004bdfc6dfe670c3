"""tf.TensorSpec: what is known of a tensor before it is there."""

from __future__ import annotations

from typing import Any, NoReturn

from ...core.positions import decode, here
from ...errors import three_part
from .dtypes import DTYPES, DType, as_dtype
from .errors import RefusedType, RefusedValue
from .names import export
from .shapes import TensorShape
from .tensors import Tensor
from .variables import Variable

float32 = DTYPES["float32"]


@export("TensorSpec")
class TensorSpec:
    """The shape, dtype and name of a tensor; a length that is not known is None.

    Examples
    --------
    >>> import gradtape.tf as tf
    >>> tf.TensorSpec([None, 3])
    TensorSpec(shape=(None, 3), dtype=tf.float32, name=None)
    """

    __slots__ = ("_dtype", "_name", "_shape")

    def __init__(self, shape: Any, dtype: Any = float32, name: str | None = None) -> None:
        self._shape = TensorShape(shape)
        self._dtype = as_dtype(dtype)
        self._name = name

    @classmethod
    def from_spec(cls, spec: Any, name: str | None = None) -> TensorSpec:
        """Another spec, perhaps under another name."""
        return cls(spec.shape, spec.dtype, name or spec.name)

    @classmethod
    def from_tensor(cls, tensor: Any, name: str | None = None) -> TensorSpec:
        """The spec of a tensor."""
        if not isinstance(tensor, Tensor):
            raise RefusedValue(
                three_part(
                    f"`tensor` should be a tf.Tensor, but got type {type(tensor)}.",
                    f"TensorSpec.from_tensor was called at {decode(*here())}.",
                    "Make it one: tf.constant(x).",
                )
            )
        return cls(tensor.shape, tensor.dtype, name)

    @property
    def shape(self) -> TensorShape:
        return self._shape

    @property
    def dtype(self) -> DType:
        return self._dtype

    @property
    def name(self) -> str | None:
        return self._name

    @property
    def value_type(self) -> Any:
        return Tensor

    def is_compatible_with(self, spec_or_tensor: Any) -> bool:
        """Whether a tensor, or what another spec tells, can be what this one tells."""
        other = spec_or_tensor
        if not isinstance(other, TensorSpec | Tensor | Variable):
            return False
        return self.dtype == other.dtype and self.shape.is_compatible_with(other.shape)

    def is_subtype_of(self, other: Any) -> bool:
        """Whether each tensor that fits this spec fits `other`."""
        if not isinstance(other, TensorSpec) or other.dtype != self.dtype:
            return False
        if other.name not in (None, self.name) or not other.shape.known:
            return not other.shape.known
        return self.shape.rank == other.shape.rank and all(
            b is None or a == b
            for a, b in zip(self.shape.as_list(), other.shape.as_list(), strict=True)
        )

    def most_specific_common_supertype(self, others: Any) -> TensorSpec | None:
        """The narrowest spec that this one and `others` fit; None if there is none."""
        shape = self.shape
        for other in others:
            if not isinstance(other, TensorSpec) or other.dtype != self.dtype:
                return None
            shape = common_shape(shape, other.shape)
        return TensorSpec(shape, self.dtype)

    def most_specific_compatible_type(self, other: Any) -> TensorSpec:
        """The narrowest spec that this one and `other` fit; ValueError if there is none."""
        found = self.most_specific_common_supertype([other])
        if found is None:
            raise RefusedValue(
                three_part(
                    f"No TypeSpec is compatible with both {self} and {other}.",
                    f"Asked at {decode(*here())}.",
                    "Give both the same dtype: tf.cast(x, tf.float32).",
                )
            )
        return found

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, TensorSpec)
            and self.shape == other.shape
            and self.dtype == other.dtype
            and self.name == other.name
        )

    def __hash__(self) -> int:
        return hash((self._shape, self._dtype))

    def __repr__(self) -> str:
        return f"TensorSpec(shape={self.shape}, dtype={self.dtype!r}, name={self.name!r})"

    def __reduce__(self) -> Any:
        return TensorSpec, (self.shape, self.dtype, self.name)


def common_shape(a: TensorShape, b: TensorShape) -> TensorShape:
    """What is known of both shapes."""
    if a.rank is None or a.rank != b.rank:
        return TensorShape(None)
    return TensorShape(
        [x if x == y else None for x, y in zip(a.as_list(), b.as_list(), strict=True)]
    )


def needs(found: Any, wanted: Any, what: str) -> NoReturn:
    """Raise: a value of one spec where another is needed."""
    raise RefusedType(
        three_part(
            f"Incompatible {what}: {found!r} vs. {wanted!r}.",
            f"Called at {decode(*here())}.",
            "Bring both to one structure and dtype: ds.map(lambda x: tf.cast(x, tf.float32)).",
        )
    )
