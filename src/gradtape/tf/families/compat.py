"""tf.compat: text and bytes. Its `v1` is TensorFlow 1 and refused (`base/missing.py`)."""

from __future__ import annotations

import codecs
import numbers
import os
from typing import Any

import numpy as np

from ...core.positions import decode, here
from ...errors import three_part
from ..base.errors import Refused, RefusedType
from ..base.names import NAMES, export

NAMES["compat.bytes_or_text_types"] = (bytes, str)
NAMES["compat.integral_types"] = (numbers.Integral, np.integer)
NAMES["compat.real_types"] = (numbers.Real, np.integer, np.floating)
NAMES["compat.complex_types"] = (numbers.Complex, np.number)


class RefusedName(Refused, LookupError):
    """A name that nothing has."""


def _refused(name: str, x: Any) -> RefusedType:
    return RefusedType(
        three_part(
            f"{name}: Expected binary or unicode string, got {x!r:.100}.",
            f"Called at {decode(*here())}.",
            "Pass str or bytes; str(x) makes text of anything.",
        )
    )


def _codec(encoding: str) -> str:
    try:
        return str(codecs.lookup(encoding).name)
    except LookupError:
        raise RefusedName(
            three_part(
                f"unknown encoding: {encoding}.",
                f"Called at {decode(*here())}; Python has no codec of that name.",
                "Pass 'utf-8', 'latin-1' or 'ascii'.",
            )
        ) from None


@export("compat.as_bytes")
def as_bytes(bytes_or_text: Any, encoding: str = "utf-8") -> bytes:
    """The bytes of text; bytes and bytearrays as bytes."""
    encoding = _codec(encoding)
    if isinstance(bytes_or_text, str):
        return bytes_or_text.encode(encoding)
    if isinstance(bytes_or_text, bytes | bytearray):
        return bytes(bytes_or_text)
    raise _refused("as_bytes", bytes_or_text)


@export("compat.as_text")
def as_text(bytes_or_text: Any, encoding: str = "utf-8") -> str:
    """The text of bytes; text as it is."""
    encoding = _codec(encoding)
    if isinstance(bytes_or_text, str):
        return bytes_or_text
    if isinstance(bytes_or_text, bytes):
        return bytes_or_text.decode(encoding)
    raise _refused("as_text", bytes_or_text)


@export("compat.as_str")
def as_str(bytes_or_text: Any, encoding: str = "utf-8") -> str:
    """The text of bytes; text as it is."""
    return str(as_text(bytes_or_text, encoding))


@export("compat.as_str_any")
def as_str_any(value: Any, encoding: str = "utf-8") -> str:
    """The text of bytes, and `str(value)` of anything else."""
    return as_text(value, encoding) if isinstance(value, bytes) else str(value)


@export("compat.path_to_str")
def path_to_str(path: Any) -> Any:
    """A path object as text; anything else as it is."""
    return as_str_any(os.fspath(path)) if hasattr(path, "__fspath__") else path


@export("compat.dimension_value")
def dimension_value(dimension: Any) -> Any:
    """A length of a shape, which is an int or None here already."""
    return dimension
