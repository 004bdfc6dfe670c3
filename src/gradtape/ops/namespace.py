"""`gt.numpy`: NumPy's functions for Tensors, as an Array-API namespace (standard 2024.12).

Every function returns Tensors, also where no argument is one, and takes nested lists that hold
Tensors: `gt.numpy.sum([x[0], x[1]])` is tracked, where `np.sum([x[0], x[1]])` takes the values
out. `x.__array_namespace__()` is this module. Names of the standard come first; every other
function of NumPy is here too. What a name does is written in NumPy's documentation.

>>> import gradtape as gt
>>> xp = gt.numpy
>>> x = gt.Variable([3.0, 4.0])
>>> with gt.GradientTape() as tape:
...     loss = xp.sqrt(xp.sum([x[0] * x[0], x[1] * x[1]]))
>>> tape.gradient(loss, x)
Tensor([0.6, 0.8], shape=(2,), dtype=float64)
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.refusals import LOWER, refuse
from ..core.registry import FUNCTIONS, HOOKS
from ..core.tensor import Tensor, new_tensor
from ..errors import three_part

__array_api_version__ = "2024.12"
VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12")

CONSTANTS = ("e", "inf", "nan", "newaxis", "pi")
DTYPES = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
          "float32", "float64", "complex64", "complex128")  # fmt: skip


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


STANDARD = _names("""
    arange asarray empty empty_like eye from_dlpack full full_like linspace meshgrid ones ones_like
    tril triu zeros zeros_like
    astype can_cast finfo iinfo isdtype result_type
    abs acos acosh add asin asinh atan atan2 atanh bitwise_and bitwise_left_shift bitwise_invert
    bitwise_or bitwise_right_shift bitwise_xor ceil clip conj copysign cos cosh divide equal exp
    expm1 floor floor_divide greater greater_equal hypot imag isfinite isinf isnan less less_equal
    log log1p log2 log10 logaddexp logical_and logical_not logical_or logical_xor maximum minimum
    multiply negative nextafter not_equal positive pow real reciprocal remainder round sign signbit
    sin sinh square sqrt subtract tan tanh trunc
    take take_along_axis
    matmul matrix_transpose tensordot vecdot
    broadcast_arrays broadcast_to concat expand_dims flip moveaxis permute_dims repeat reshape roll
    squeeze stack tile unstack
    argmax argmin count_nonzero nonzero searchsorted where
    unique_all unique_counts unique_inverse unique_values
    argsort sort
    cumulative_prod cumulative_sum max mean min prod std sum var
    all any diff
    """)
EXTENSIONS = {
    "linalg": _names("""
        cholesky cross det diagonal eigh eigvalsh inv matmul matrix_norm matrix_power matrix_rank
        matrix_transpose outer pinv qr slogdet solve svd svdvals tensordot trace vecdot vector_norm
        """),
    "fft": _names("""
        fft ifft fftn ifftn rfft irfft rfftn irfftn hfft ihfft fftfreq rfftfreq fftshift ifftshift
        """),
}

# Functions of a sequence of arrays, which is not one array.
_OF_SEQUENCES = _names("""
    concat concatenate stack vstack hstack dstack column_stack block select choose lexsort
    linalg.multi_dot
    """)
# Functions that NumPy dispatches for `like=` alone, or that have a body of their own for Tensors.
_CREATION = _names("""
    arange array asarray asanyarray empty eye full identity ones tri zeros ascontiguousarray
    asfortranarray require fromiter full_like zeros_like ones_like empty_like
    """)
_HIDDEN = frozenset(["test", "show_config", "show_runtime", "get_include", "info"])

if hasattr(np, "__array_namespace_info__"):  # NumPy 2.1
    __array_namespace_info__: Any = np.__array_namespace_info__


def _argument(x: Any) -> Any:
    """A list that holds Tensors as one Tensor; anything else as it is."""
    return HOOKS["from_sequence"](x) if isinstance(x, list | tuple) and _holds_tensor(x) else x


def _holds_tensor(x: Any) -> bool:
    return isinstance(x, Tensor) or (isinstance(x, list | tuple) and any(map(_holds_tensor, x)))


def _result(z: Any) -> Any:
    """Arrays in `z` as Tensors; one that may share the user's memory is copied."""
    if isinstance(z, np.ndarray):
        return new_tensor(z[()] if z.ndim == 0 else z if z.base is None else z.copy())
    if isinstance(z, np.generic):
        return new_tensor(z)
    if isinstance(z, tuple) and hasattr(z, "_fields"):
        return type(z)(*map(_result, z))
    return type(z)(map(_result, z)) if type(z) in (tuple, list) else z


def _wrap(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` that takes Tensors in lists and returns Tensors."""
    target = FUNCTIONS[function] if name in _CREATION else function
    of_sequence = name in _OF_SEQUENCES

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if of_sequence and args and isinstance(args[0], list | tuple):
            args = (type(args[0])(map(_argument, args[0])), *map(_argument, args[1:]))
        else:
            args = tuple(map(_argument, args))
        kwargs = {k: _argument(v) for k, v in kwargs.items()}
        try:
            return _result(target(*args, **kwargs))
        except LOWER as error:
            refuse(error, name, args, kwargs)

    wrapped.__module__ = __name__
    return wrapped


def _find(module: Any, name: str, path: str) -> Any:
    found = getattr(module, name)
    if isinstance(found, type) or not callable(found):
        return found
    return _wrap(path, found)


class Extension:
    """`gt.numpy.linalg` and `gt.numpy.fft`: the functions of NumPy's module, for Tensors."""

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __getattr__(self, name: str) -> Any:
        module = getattr(np, self.__name__)
        if name.startswith("_") or not hasattr(module, name):
            raise AttributeError(f"gradtape.numpy.{self.__name__} has no attribute {name!r}")
        found = _find(module, name, f"{self.__name__}.{name}")
        setattr(self, name, found)
        return found

    def __dir__(self) -> list[str]:
        return sorted(n for n in dir(getattr(np, self.__name__)) if not n.startswith("_"))

    def __repr__(self) -> str:
        return f"<gradtape.numpy.{self.__name__}>"


linalg = Extension("linalg")
fft = Extension("fft")


def from_dlpack(x: Any, /, *, device: str | None = None, copy: bool | None = None) -> Tensor:
    """A Tensor with the values of an array of another library; a Tensor as it is."""
    if isinstance(x, Tensor):
        return x.copy() if copy else x
    options: Any = {k: v for k, v in (("device", device), ("copy", copy)) if v is not None}
    return Tensor(np.from_dlpack(x, **options))


def finfo(type: Any, /) -> Any:
    """The limits of a floating dtype, or of that of an array."""
    return np.finfo(type.dtype if isinstance(type, Tensor) else type)


def iinfo(type: Any, /) -> Any:
    """The limits of an integer dtype, or of that of an array."""
    return np.iinfo(type.dtype if isinstance(type, Tensor) else type)


def isdtype(dtype: Any, kind: Any) -> bool:
    """Whether a dtype is of a kind, such as "real floating"."""
    return np.isdtype(np.dtype(dtype), kind)


def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: str | None = None) -> Tensor:
    """`x` in another dtype."""
    if device not in (None, "cpu"):
        raise ValueError(
            three_part(
                f"astype: Device not understood: {device!r}.",
                "NumPy arrays live in main memory.",
                "Leave device out.",
            )
        )
    tensor: Tensor = x if isinstance(x, Tensor) else Tensor(x)
    return tensor.astype(dtype, copy=copy)


_found: dict[str, Any] = {}


def __getattr__(name: str) -> Any:
    if name.startswith("_") or name in _HIDDEN or not hasattr(np, name):
        raise AttributeError(f"module 'gradtape.numpy' has no attribute {name!r}")
    found = _found.get(name)  # not in globals(), where `sum` and `any` would hide Python's
    if found is None:
        found = _found[name] = _find(np, name, name)
    return found


def __dir__() -> list[str]:
    own = {*CONSTANTS, *DTYPES, *STANDARD, *EXTENSIONS, "__array_namespace_info__"}
    return sorted(name for name in own if name in globals() or hasattr(np, name))


def namespace(api_version: str | None = None) -> Any:
    """`gt.numpy`, if it implements that version of the standard."""
    import sys

    if api_version is not None and api_version not in VERSIONS:
        raise ValueError(
            three_part(
                f'Version "{api_version}" of the Array API Standard is not supported.',
                f"gradtape follows {__array_api_version__} and knows {', '.join(VERSIONS)}.",
                "Call x.__array_namespace__() without a version.",
            )
        )
    return sys.modules[__name__]


HOOKS["namespace"] = namespace
