"""Looks at every floating result for inf and nan, in the threads that asked for it.

While no thread asks, nothing of this runs: the short ways of `core/fast.py` and `reduce_sum` know
nothing of it. While one does, what they put into a `tf.Tensor` is looked at (`core/looking.py`);
other functions ask `wanted` themselves.
"""

from __future__ import annotations

from types import FrameType
from typing import Any

import numpy as np

from ...core import fast
from ...core import tensor as core
from ...core.looking import Looker
from ...core.positions import decode, here
from ...core.tree import flatten
from .dtypes import kind_of
from .errors import invalid
from .tensors import Tensor, make

ndarray = np.ndarray


# What passes on values that it was given, and is not looked at, by TensorFlow neither.
SAFE = frozenset({
    "concat", "expand_dims", "fill", "identity", "identity_n", "maximum", "minimum", "ones",
    "reshape", "shape", "slice", "squeeze", "strided_slice", "transpose", "unstack", "zeros",
    "zeros_like", "ones_like", "check_numerics", "assert_all_finite",
})  # fmt: skip
_WORDS = {
    "add": "AddV2", "subtract": "Sub", "multiply": "Mul", "truediv": "RealDiv", "true_divide":
    "RealDiv", "negative": "Neg", "power": "Pow", "absolute": "Abs", "matmul": "MatMul",
}  # fmt: skip


def _put(_tensor: Any, value: Any, frame: FrameType) -> None:
    if frame.f_code is make.__code__:
        frame = frame.f_back or frame
    name = _short_way(frame)
    if name:
        look(name, value, [frame.f_locals.get(n) for n in ("x", "y") if n in frame.f_locals])


_looker = Looker(Tensor, _put)
ask = _looker.ask  # starts or stops looking, for the calling thread


def wanted() -> bool:
    """Whether this thread asked for it."""
    return _looker.is_wanted


def _short_way(frame: FrameType) -> str:
    """The operation whose short way puts its result there; "" for all others."""
    code = frame.f_code
    if code.co_filename == fast.__file__ and code.co_name == "op":
        name: str = frame.f_locals["card"].name
        return name
    return "reduce_sum" if code.co_name == "reduce_sum" else ""


def look(name: str, out: Any, inputs: Any = ()) -> None:
    """Raise InvalidArgumentError if `out`, the result of the function `name`, holds inf or nan."""
    last = name.rpartition(".")[2]
    if last in SAFE:
        return
    leaves = flatten(out)[0] if isinstance(out, list | tuple | dict) else [out]
    for place, leaf in enumerate(leaves):
        value = leaf.value if isinstance(leaf, core.Tensor) else leaf
        is_float = isinstance(value, ndarray | np.generic) and kind_of(value.dtype) == "f"
        if is_float and not np.all(np.isfinite(value)):
            with _looker.apart():
                raise _found(last, place, len(leaves), value, inputs)


def _found(name: str, place: int, count: int, value: Any, inputs: Any) -> Any:
    infinite = np.isinf(value)
    numbers = {
        "-Inf": int(np.sum(infinite & (value < 0))),
        "+Inf": int(np.sum(infinite & (value > 0))),
        "NaN": int(np.sum(np.isnan(value))),
    }
    told = ", ".join(f"# of {what} elements: {n}" for what, n in numbers.items() if n)
    parts = name.removeprefix("reduce_").split("_")
    word = _WORDS.get(name) or "".join(map(str.capitalize, parts))
    given = [x for x in inputs if isinstance(x, core.Tensor | ndarray | np.generic | float | int)]
    of = f", of {'; '.join(f'{x!s:.80}' for x in given)}" if given else ""
    return invalid(
        f"!!! Detected Infinity or NaN in output {place} of eagerly-executing op \"{word}\" (# of "
        f"outputs: {count}) !!! dtype: {value.dtype.name}, shape: {value.shape}, {told}.",
        f"Called at {decode(*here())}{of}.",
        "Mend the operands, as with tf.where or tf.maximum(x, 1e-7); "
        "tf.debugging.disable_check_numerics() ends the check.",
    )
