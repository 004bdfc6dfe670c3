"""`tf.TensorSpec`: shape and dtype of a tensor that is not there yet."""

from __future__ import annotations

from typing import Any

from ..base.dtypes import as_dtype
from ..base.making import natural
from ..base.names import export
from ..base.shapes import TensorShape


@export("TensorSpec")
class TensorSpec:
    """What a tensor is like: a shape, where None stands for any length, and a dtype.

    Examples
    --------
    >>> import gradtape.tf as tf
    >>> tf.TensorSpec([None, 2], tf.float32)
    TensorSpec(shape=(None, 2), dtype=tf.float32, name=None)
    """

    __slots__ = ("_dtype", "_name", "_shape")

    def __init__(self, shape: Any, dtype: Any = "float32", name: Any = None) -> None:
        self._shape = TensorShape(shape)
        self._dtype = as_dtype(dtype)
        self._name = name

    @property
    def shape(self) -> Any:
        """The shape, perhaps with unknown lengths."""
        return self._shape

    @property
    def dtype(self) -> Any:
        """The dtype."""
        return self._dtype

    @property
    def name(self) -> Any:
        """The name, if it has one."""
        return self._name

    @classmethod
    def from_spec(cls, spec: Any, name: Any = None) -> TensorSpec:
        """A spec of the same shape and dtype."""
        return cls(spec.shape, spec.dtype, name or spec.name)

    @classmethod
    def from_tensor(cls, tensor: Any, name: Any = None) -> TensorSpec:
        """The spec of a tensor."""
        t = natural(tensor)
        return cls(t.shape, t.dtype, name)

    def is_compatible_with(self, spec_or_tensor: Any) -> bool:
        """Whether a tensor, or what another spec stands for, is such a tensor."""
        other = spec_or_tensor if hasattr(spec_or_tensor, "shape") else natural(spec_or_tensor)
        return bool(
            as_dtype(other.dtype) == self.dtype and self.shape.is_compatible_with(other.shape)
        )

    def is_subtype_of(self, other: Any) -> bool:
        """Whether each tensor of this spec is one of `other`."""
        return bool(
            isinstance(other, TensorSpec)
            and self.dtype == other.dtype
            and (
                other.shape.rank is None
                or (
                    self.shape.rank == other.shape.rank
                    and all(
                        m is None or n == m
                        for n, m in zip(
                            self.shape.as_list(), other.shape.as_list(), strict=True
                        )
                    )
                )
            )
        )

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, TensorSpec)
            and repr(self) == repr(other)
        )

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        return f"TensorSpec(shape={self._shape}, dtype={self._dtype!r}, name={self._name!r})"
