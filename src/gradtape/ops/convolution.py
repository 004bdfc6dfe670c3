"""Cards of `convolve` and `correlate`: bilinear in two vectors, in all three modes.

The modes 'same' and 'valid' are parts of the full result. A cotangent of such a part is filled up
with zeros to a cotangent of the full result, for which one rule is enough.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.aval import Aval, weak_result_type
from ..core.batched import as_array
from ..core.cards import primitive
from ..errors import ShapeError, three_part

_MODES = {0: "valid", 1: "same", 2: "full"}


def _signature(name: str, default: str, promote: bool) -> Any:
    def signature(a: Any, v: Any, mode: Any = default) -> Any:
        mode = _MODES.get(mode, mode)
        if mode not in _MODES.values():
            raise ValueError(
                three_part(
                    f"{name}: mode is {mode!r}.",
                    "The modes are 'full', 'same' and 'valid'.",
                    f"Pass np.{name}(a, v, mode={default!r}).",
                )
            )
        operands = []
        for x in (as_array(a), as_array(v)):
            if promote and np.ndim(x) == 0:
                x = np.reshape(x, (1,))
            if np.ndim(x) != 1 or np.size(x) == 0:
                raise ShapeError(
                    three_part(
                        f"{name}: an operand has shape {np.shape(x)}.",
                        "Both operands are vectors with at least one element.",
                        "Pass one row at a time, or scipy.signal for more dimensions.",
                    )
                )
            operands.append(x)
        return tuple(operands), {"mode": mode}

    return signature


def _window(n: int, m: int, mode: str, swaps: bool) -> tuple[int, int]:
    """Where the result of a mode begins within the full one, and how long it is.

    NumPy exchanges operands of which the second is the longer; `correlate` then turns its result
    around, so that the middle of 'same' is rounded the other way.
    """
    short, long = min(n, m), max(n, m)
    if mode == "full":
        return 0, n + m - 1
    if mode == "valid":
        return short - 1, long - short + 1
    return (short // 2 if swaps and n < m else (short - 1) // 2), long


def _full(ct: Any, n: int, m: int, mode: str, swaps: bool) -> Any:
    """A cotangent of the result in `mode`, as one of the full result."""
    if mode == "full":
        return ct
    start, length = _window(n, m, mode, swaps)
    after = n + m - 1 - start - length
    return np.concatenate([np.zeros(start, ct.dtype), ct, np.zeros(after, ct.dtype)])


def _convolve_vjp(i: int, ct: Any, _out: Any, a: Any, v: Any, mode: str) -> Any:
    ct = _full(ct, a.size, v.size, mode, False)
    return np.correlate(ct, a if i else v, "valid")


def _correlate_vjp(i: int, ct: Any, _out: Any, a: Any, v: Any, mode: str) -> Any:
    ct = _full(ct, a.size, v.size, mode, True)
    if i == 0:
        return np.convolve(ct, v, "valid")
    back = np.correlate(ct, a, "valid")[::-1]
    return np.conjugate(back) if back.dtype.kind == "c" else back


def _bilinear_jvp(function: Any) -> Any:
    def jvp(i: int, t: Any, _out: Any, a: Any, v: Any, mode: str) -> Any:
        return function(a, t, mode) if i else function(t, v, mode)

    return jvp


def _shape(swaps: bool) -> Any:
    def shape(a: Any, v: Any, mode: str) -> Aval:
        return Aval((_window(a.size, v.size, mode, swaps)[1],), weak_result_type(a, v))

    return shape


def _batch(swaps: bool) -> Any:
    """Products of the second operand with every window of the padded first one."""

    def batch(size: int, operands: Any, axes: Any, mode: str) -> Any:
        a, v = (
            x[None] if axis is None else np.moveaxis(x, axis, 0)
            for x, axis in zip(operands, axes, strict=True)
        )
        n, m = np.shape(a)[1], np.shape(v)[1]
        kernel = np.conjugate(v) if swaps else v[:, ::-1]
        pad = np.zeros((np.shape(a)[0], m - 1), a.dtype)
        padded = np.concatenate([pad, a, pad], axis=1)
        windows = np.lib.stride_tricks.sliding_window_view(padded, m, axis=1)
        start, length = _window(n, m, mode, swaps)
        return np.matmul(windows[:, start : start + length], kernel[..., None])[..., 0], 0

    return batch


convolve = primitive(
    np.convolve,
    arity=2,
    signature=_signature("convolve", "full", True),
    vjp=_convolve_vjp,
    jvp=_bilinear_jvp(np.convolve),
    shape=_shape(False),
    batch=_batch(False),
    keep={0: (1,), 1: (0,)},
    keep_out=False,
)
correlate = primitive(
    np.correlate,
    arity=2,
    signature=_signature("correlate", "valid", False),
    vjp=_correlate_vjp,
    jvp=_bilinear_jvp(np.correlate),
    shape=_shape(True),
    batch=_batch(True),
    keep={0: (1,), 1: (0,)},
    keep_out=False,
)
