"""Random numbers of a shape and dtype, from a stream of NumPy's: the distributions of tf.random.

Here are plain arrays; what shifts and scales them is done by the callers, with cards, so that
gradients reach a mean and a standard deviation.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core import tensor as core
from ...core.cards import unbroadcast
from ...core.positions import decode, here
from ...core.registry import HOOKS
from ...core.tensor import raw, settled
from ...core.uncarded import unsupported
from ...errors import three_part
from ...tape.custom import custom_gradient
from .dtypes import BFLOAT16, BY_CHAR, DType, as_dtype
from .errors import KINDS, RefusedValue, invalid
from .promotion import natural
from .tensors import adopt, make

REALS, WHOLES, FULL = "efd", "il", "ilIL"  # dtypes by character; see making.py
FLOATS = REALS + BFLOAT16


def lengths(shape: Any) -> tuple[int, ...]:
    """A `shape` argument as a tuple."""
    value = natural(shape).value
    if value.size == 0 and value.ndim == 1:
        return ()
    if value.dtype.kind not in "iu":
        raise invalid(
            f"a shape is a list of int32 or int64, not of {BY_CHAR[value.dtype.char].name}.",
            f"Called at {decode(*here())}.",
            "Pass whole numbers: [2, 3].",
        )
    if value.ndim != 1:
        raise invalid(
            f"shape must be a vector of {{int32,int64}}, got shape {list(value.shape)}.",
            f"Called at {decode(*here())} with {shape!r:.60}.",
            f"Pass a list: [{shape!r:.60}].",
        )
    found = tuple(int(n) for n in value)
    if min(found) < 0:
        raise invalid(
            f"Dimension {min(found)} must be >= 0.",
            f"Called at {decode(*here())} with the shape {list(found)}.",
            "Pass lengths; tf.shape(x) has those of a tensor.",
        )
    return found


def accept(dtype: Any, chars: str, is_value_error: bool = True) -> DType:
    """The dtype, if it is one of `chars`; otherwise a ValueError, or an InvalidArgumentError."""
    found = as_dtype(dtype)
    if not found.char or found.char not in chars:
        names = ", ".join(f"tf.{BY_CHAR[c].name}" for c in chars)
        fact = f"Argument `dtype` got invalid value {found}. Accepted dtypes are ({names})."
        cause = f"Called at {decode(*here())}."
        first = BY_CHAR["f" if "f" in chars else chars[0]].name
        remedy = f"Draw {first} and tf.cast the result."
        if is_value_error and not (found.char == BFLOAT16 and "f" in chars):
            raise RefusedValue(three_part(fact, cause, remedy))
        raise invalid(fact, cause, remedy)
    return found


def tensor(array: Any, dtype: Any) -> Any:
    """An array as a tf.Tensor of a dtype; what was drawn while something is traced is one."""
    if isinstance(array, core.Tensor):
        return adopt(array)
    with np.errstate(all="ignore"):
        return make(settled(np.asarray(array).astype(dtype.held(), copy=False)))


def normal(rng: np.random.Generator, shape: Any, dtype: DType) -> Any:
    """Standard normal numbers."""
    if dtype.char == "d":
        return np.asarray(rng.standard_normal(shape))
    return np.asarray(rng.standard_normal(shape, dtype=np.float32), dtype.held())


def uniform(rng: np.random.Generator, shape: Any, dtype: DType) -> Any:
    """Numbers in [0, 1); rounding never makes a 1."""
    if dtype.char in "eE":
        bits = 10 if dtype.char == "e" else 7
        return (rng.integers(0, 2**bits, shape) / 2**bits).astype(dtype.held())
    return np.asarray(rng.random(shape, dtype=dtype.held()))


def truncated(rng: np.random.Generator, shape: Any, dtype: DType) -> Any:
    """Standard normal numbers of magnitude at most 2: others are drawn again."""
    out = normal(rng, shape, dtype)
    while True:
        far = np.abs(out) > 2
        missing = int(np.count_nonzero(far))
        if not missing:
            return out
        out[far] = normal(rng, missing, dtype)


def whole(rng: np.random.Generator, shape: Any, low: Any, high: Any, dtype: DType) -> Any:
    """Whole numbers in [low, high), which are 0-d."""
    for which, bound in (("minval", low), ("maxval", high)):
        if bound.ndim:
            raise invalid(
                f"{which} must be 0-D, got shape {list(bound.shape)}.",
                f"Called at {decode(*here())}.",
                "Draw one range at a time, and tf.stack them.",
            )
    if low >= high and np.prod(shape, dtype=int):
        raise invalid(
            f"Need minval < maxval, got {low} >= {high}.",
            f"Called at {decode(*here())}; no whole number is between them.",
            "Pass minval=0, maxval=10 for the ten digits.",
        )
    if low >= high:
        return np.zeros(shape, dtype.held())
    return rng.integers(int(low), int(high), shape, dtype=dtype.held())


def full(rng: np.random.Generator, shape: Any, dtype: DType) -> Any:
    """Whole numbers over the whole range of the dtype."""
    if dtype.char not in FULL:
        raise invalid(
            f"{dtype.name} is not in the list of allowed values: int32, int64, uint32, uint64.",
            f"Called at {decode(*here())}.",
            "Draw whole numbers, or use uniform for floating ones.",
        )
    return rng.integers(dtype.min, dtype.max, shape, dtype=dtype.held(), endpoint=True)


def choices(rng: np.random.Generator, logits: Any, count: Any, dtype: DType) -> Any:
    """`count` class numbers for each row of unnormalized log-probabilities."""
    check_choices(logits, count)
    top = np.max(logits, axis=1, keepdims=True)
    total = np.cumsum(np.exp(logits.astype(float) - top), axis=1)
    points = rng.random((len(logits), int(count))) * total[:, -1:]
    rows = [np.searchsorted(t, p, side="right") for t, p in zip(total, points, strict=True)]
    return np.array(rows, dtype.held()).reshape(len(logits), int(count))


def check_choices(logits: Any, count: Any) -> None:
    """Refuse what has no rows to draw from."""
    if logits.ndim != 2:
        raise invalid(
            f"logits should be a matrix, got shape {list(logits.shape)}.",
            f"Called at {decode(*here())}.",
            "Pass one row for each distribution: logits[None, :] for one.",
        )
    if logits.dtype.char == BFLOAT16:
        logits = logits.astype(np.float32)
    if logits.dtype.char not in REALS:
        raise KINDS["NotFoundError"](
            None,
            None,
            three_part(
                f"There is no sampling of {logits.dtype.name} logits.",
                f"Called at {decode(*here())}; logits are floating numbers.",
                "Cast them: tf.cast(logits, tf.float32).",
            ),
        )
    if count.ndim or count < 0 or not logits.shape[1]:
        what = ("num_samples should be a scalar" if count.ndim
                else f"num_samples should be non-negative, got {count}" if count < 0
                else "num_classes should be positive, got 0")  # fmt: skip
        raise invalid(
            f"{what}.",
            f"Called at {decode(*here())}.",
            "Pass logits of shape [rows, classes] and a number of samples.",
        )


def gamma(rng: np.random.Generator, shape: Any, alpha: Any, dtype: DType) -> Any:
    """Gamma numbers of scale 1; NaN where alpha is negative."""
    alpha = np.broadcast_to(alpha, shape)
    out = rng.standard_gamma(np.where(alpha >= 0, alpha, 1.0))
    return np.where(alpha >= 0, out, np.nan).astype(dtype.held())


def moving_gamma(draw: Any, alpha: Any) -> Any:
    """Gamma numbers of scale 1, `draw(alpha)`, that get a gradient with respect to `alpha`.

    They move with it as the quantiles at which they stand. How that changes in its turn, for a
    second derivative, is refused.
    """

    @custom_gradient
    def drawn(a: Any) -> Any:
        numbers = draw(raw(a))

        def grad(ct: Any) -> Any:
            slope = unsupported(
                "tf.random.gamma, differentiated twice",
                lambda a: HOOKS["gamma_slope"](a, numbers), (a,), {},
            )  # fmt: skip
            return unbroadcast(ct * slope, np.shape(a))

        return numbers, grad

    return drawn(alpha)


def poisson(rng: np.random.Generator, shape: Any, lam: Any) -> Any:
    """Counts; 0 where the rate is negative."""
    return rng.poisson(np.broadcast_to(np.maximum(lam, 0), shape))
