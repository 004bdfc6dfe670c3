"""TensorFlow's dtypes: `tf.float32` and its like, no NumPy dtypes but equal to them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.aval import BFLOAT16 as BFLOAT16
from ...errors import DTypeError, three_part
from .errors import RefusedValue

# name: (number in TensorFlow's protocol, NumPy's type or None, what it is)
_TABLE: dict[str, tuple[int, Any, str]] = {
    "float32": (1, np.float32, "f"), "float64": (2, np.float64, "f"), "int32": (3, np.int32, "i"),
    "uint8": (4, np.uint8, "u"), "int16": (5, np.int16, "i"), "int8": (6, np.int8, "i"),
    "string": (7, np.object_, "s"), "complex64": (8, np.complex64, "c"),
    "int64": (9, np.int64, "i"), "bool": (10, np.bool_, "b"), "qint8": (11, None, "q"),
    "quint8": (12, None, "q"), "qint32": (13, None, "q"), "bfloat16": (14, None, "f"),
    "qint16": (15, None, "q"), "quint16": (16, None, "q"), "uint16": (17, np.uint16, "u"),
    "complex128": (18, np.complex128, "c"), "float16": (19, np.float16, "f"),
    "resource": (20, None, "r"), "variant": (21, None, "r"), "uint32": (22, np.uint32, "u"),
    "uint64": (23, np.uint64, "u"),
}  # fmt: skip
_SIZES = {"qint8": 1, "quint8": 1, "qint16": 2, "quint16": 2, "qint32": 4, "bfloat16": 2,
          "resource": 0, "variant": 0}  # fmt: skip
_UNHELD = "gradtape holds its values in NumPy arrays, and NumPy has no such dtype"


class DType:
    """A dtype of TensorFlow's: `tf.float32.name`, `.as_numpy_dtype`, `.is_floating`, `.max`, ...

    Equal to the NumPy dtype, NumPy type and name that mean the same.
    """

    __slots__ = ("_kind", "_number", "_type", "char", "name", "numpy_dtype")

    def __init__(self, name: str, number: int, type_: Any, kind: str) -> None:
        self.name = name
        self._number = number
        self._type = type_
        self._kind = kind
        self.numpy_dtype: Any = None if type_ is None else np.dtype(type_)
        self.char: str = "" if type_ is None else np.dtype(type_).char
        if name == "bfloat16":  # numpy_dtype is there from the first value on
            self.char = BFLOAT16

    @property
    def as_numpy_dtype(self) -> Any:
        """NumPy's type of the same values."""
        return self.held().type

    def held(self) -> np.dtype[Any]:
        """NumPy's dtype of the same values; DTypeError where it has none."""
        if self.numpy_dtype is None and self.char == BFLOAT16:
            self.numpy_dtype = _bfloat16()
        if self.numpy_dtype is None:
            raise DTypeError(
                three_part(
                    f"{self!r} values cannot be made.",
                    f"{_UNHELD}.",
                    "Use a dtype of plain numbers: tf.int8, tf.uint8, tf.float32.",
                )
            )
        dtype: np.dtype[Any] = self.numpy_dtype
        return dtype

    @property
    def as_datatype_enum(self) -> int:
        return self._number

    @property
    def base_dtype(self) -> DType:
        return self

    @property
    def real_dtype(self) -> DType:
        return {"complex64": float32, "complex128": float64}.get(self.name, self)

    @property
    def is_bool(self) -> bool:
        return self._kind == "b"

    @property
    def is_complex(self) -> bool:
        return self._kind == "c"

    @property
    def is_floating(self) -> bool:
        return self._kind == "f"

    @property
    def is_integer(self) -> bool:
        return self._kind in "iu"

    @property
    def is_numeric(self) -> bool:
        return self._kind in "iufcq"

    @property
    def is_numpy_compatible(self) -> bool:
        return self._kind != "r"

    @property
    def is_quantized(self) -> bool:
        return self._kind == "q"

    @property
    def is_unsigned(self) -> bool:
        return self._kind == "u"

    @property
    def size(self) -> int:
        if self._kind == "s":
            return 1
        return _SIZES[self.name] if self.numpy_dtype is None else self.numpy_dtype.itemsize

    @property
    def min(self) -> Any:
        return self._limit("min")

    @property
    def max(self) -> Any:
        return self._limit("max")

    @property
    def limits(self) -> tuple[Any, Any]:
        if self._kind in "iu":
            return 0, self.max
        if self.name in ("float32", "float64"):
            return 0, 1
        if self._kind == "b":
            return 0, True
        raise RefusedValue(
            three_part(
                f"{self!r}.limits: {self.name} has no limits defined.",
                "They are those of pixels: whole numbers, bool, float32 and float64 have them.",
                f"Use {self!r}.min and {self!r}.max.",
            )
        )

    def _limit(self, which: str) -> Any:
        if self._kind in "iu":
            return int(getattr(np.iinfo(self.held()), which))
        if self.char == BFLOAT16:
            return self.held().type({"min": -_LARGEST, "max": _LARGEST}[which])
        if self._kind == "f":
            return getattr(np.finfo(self.held()), which)
        raise DTypeError(
            three_part(
                f"Cannot find {which}imum value of {self}.",
                "Only numbers that are no complex ones have one.",
                f"Ask the dtype of the parts: {self!r}.real_dtype.{which}.",
            )
        )

    def is_compatible_with(self, other: Any) -> bool:
        """Whether a value of dtype `other` can stand for one of this dtype: equality."""
        return self == as_dtype(other)

    def __eq__(self, other: object) -> bool:
        if type(other) is DType:
            return other is self
        if other is None:
            return False
        try:
            return as_dtype(other) is self
        except TypeError:
            return False

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return self._number

    def __int__(self) -> int:
        return self._number

    def __repr__(self) -> str:
        return f"tf.{self.name}"

    def __str__(self) -> str:
        return f"<dtype: {self.name!r}>"

    def __reduce__(self) -> Any:
        return as_dtype, (self.name,)


_LARGEST = (2 - 2**-7) * 2.0**127  # bfloat16 has 8 bits of precision and float32's exponents


def _bfloat16() -> Any:
    """NumPy's dtype of bfloat16, which a package of the extra brings."""
    try:
        from ml_dtypes import bfloat16
    except ImportError:
        raise DTypeError(
            three_part(
                "tf.bfloat16 values cannot be made.",
                "They are held through the package ml_dtypes, which is not installed.",
                'pip install "gradtape[tf]", or use tf.float32 or tf.float16.',
            )
        ) from None
    return np.dtype(bfloat16)


def is_bfloat16(dtype: np.dtype[Any]) -> bool:
    """Whether NumPy's `dtype` is that of bfloat16: other dtypes of ml_dtypes have its character."""
    return dtype.char == BFLOAT16 and dtype.name == "bfloat16"


def kind_of(dtype: np.dtype[Any]) -> str:
    """The kind of a dtype, f for bfloat16 too."""
    return "f" if is_bfloat16(dtype) else dtype.kind


DTYPES = {name: DType(name, *rest) for name, rest in _TABLE.items()}
BY_CHAR = {d.char: d for d in DTYPES.values() if d.char}
BY_CHAR.update({np.dtype(np.longlong).char: DTYPES["int64"],
                np.dtype(np.ulonglong).char: DTYPES["uint64"]})  # fmt: skip
float32, float64 = DTYPES["float32"], DTYPES["float64"]
int32, int64 = DTYPES["int32"], DTYPES["int64"]
bool_, string, complex128 = DTYPES["bool"], DTYPES["string"], DTYPES["complex128"]
_BY_NUMBER = {d.as_datatype_enum: d for d in DTYPES.values()}
_WORDS: dict[Any, DType] = {
    **DTYPES, "float": float32, "double": float64, "half": DTYPES["float16"], float: float32,
    bool: bool_, object: string,
}  # fmt: skip


def as_dtype(type_value: Any) -> DType:
    """`type_value` as a `tf.DType`: one already, a name, a number, a NumPy dtype or type."""
    if type(type_value) is DType:
        return type_value
    try:
        found = _WORDS.get(type_value) or _BY_NUMBER.get(type_value)
    except TypeError:  # not hashable
        found = None
    if found is None and isinstance(type_value, np.dtype):
        found = _of_numpy(type_value)
    elif found is None and isinstance(type_value, type) and issubclass(type_value, np.generic):
        found = _of_numpy(np.dtype(type_value))
    elif found is None and isinstance(getattr(type_value, "dtype", None), DType | np.dtype):
        found = as_dtype(type_value.dtype)
    if found is None:
        raise DTypeError(
            three_part(
                f"Cannot convert the argument `type_value`: {type_value!r} to a TensorFlow DType.",
                "It is neither a dtype of TensorFlow or NumPy nor the name of one.",
                'Pass tf.float32, "float32" or np.float32.',
            )
        )
    return found


def _of_numpy(dtype: np.dtype[Any]) -> DType | None:
    if dtype.kind in "SU":
        return string
    return BY_CHAR.get(dtype.char) if dtype.isnative else BY_CHAR.get(dtype.newbyteorder("=").char)
