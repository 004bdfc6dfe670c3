"""tf.random: distributions, with the seeding rules of TensorFlow and not its bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.positions import decode, here
from ...errors import three_part
from ..base import draws, seeds
from ..base.dtypes import BFLOAT16, DTYPES, as_dtype
from ..base.errors import RefusedValue
from ..base.making import bare, native, natural, op
from ..base.names import export

float32, int64 = DTYPES["float32"], DTYPES["int64"]
WHOLE_OR_REAL = draws.REALS + draws.WHOLES


@export("random.set_seed")
def set_seed(seed: Any) -> None:
    """Make the random numbers that follow repeatable."""
    seeds.set_seed(seed)


@op("random.normal")
def normal(
    shape: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = float32,
    seed: Any = None,
    name: Any = None,
) -> Any:
    """Normal numbers; `mean` and `stddev` broadcast over `shape`, and get gradients."""
    return _scaled("normal", draws.normal, shape, mean, stddev, dtype, seed)


@op("random.truncated_normal")
def truncated_normal(
    shape: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = float32,
    seed: Any = None,
    name: Any = None,
) -> Any:
    """Normal numbers of which those beyond two standard deviations are drawn again."""
    return _scaled("truncated", draws.truncated, shape, mean, stddev, dtype, seed)


def _scaled(kind: str, draw: Any, shape: Any, mean: Any, stddev: Any, dtype: Any, seed: Any) -> Any:
    lengths, dtype = draws.lengths(shape), as_dtype(dtype)
    mean, stddev = native(mean, dtype), native(stddev, dtype)
    draws.accept(dtype, draws.REALS, False)
    found = seeds.draw(kind, dtype, seed, lambda rng: draw(rng, lengths, dtype), lengths)
    z = native(draws.tensor(found, dtype))
    return np.add(np.multiply(z, stddev), mean)


@op("random.uniform")
def uniform(
    shape: Any,
    minval: Any = 0,
    maxval: Any = None,
    dtype: Any = float32,
    seed: Any = None,
    name: Any = None,
) -> Any:
    """Numbers in [minval, maxval), floating or whole; maxval is 1 for floating ones."""
    dtype = draws.accept(dtype, WHOLE_OR_REAL + BFLOAT16)
    lengths = draws.lengths(shape)
    if dtype.is_floating:
        low, high = bare(minval, dtype), bare(1 if maxval is None else maxval, dtype)
        u = seeds.draw(
            "uniform", dtype, seed, lambda rng: draws.uniform(rng, lengths, dtype), lengths
        )
        return np.add(np.multiply(bare(draws.tensor(u, dtype)), np.subtract(high, low)), low)
    if maxval is None:
        raise RefusedValue(
            three_part(
                f"Must specify maxval for integer dtype {dtype!r}.",
                f"tf.random.uniform was called at {decode(*here())}.",
                "Pass it: tf.random.uniform(shape, 0, 10, tf.int32).",
            )
        )
    low, high = native(minval, dtype).value, native(maxval, dtype).value
    found = seeds.draw(
        "uniform", dtype, seed,
        lambda rng, low, high: draws.whole(rng, lengths, low, high, dtype), lengths, (low, high),
    )  # fmt: skip
    return draws.tensor(found, dtype)


@op("random.shuffle")
def shuffle(value: Any, seed: Any = None, name: Any = None) -> Any:
    """`value` with its rows in random order."""
    x = native(value)
    if not x.value.ndim:
        return natural(value)
    count = len(x.value)
    order = seeds.draw(
        "shuffle", x.value.dtype, seed, lambda rng: rng.permutation(count), (count,), (), np.int64
    )
    return np.take(x, order, axis=0)


@op("random.categorical")
def categorical(
    logits: Any, num_samples: Any, dtype: Any = None, seed: Any = None, name: Any = None
) -> Any:
    """Class numbers drawn for each row of unnormalized log-probabilities."""
    dtype = draws.accept(int64 if dtype is None else dtype, draws.WHOLES)
    rows, count = natural(logits).value, natural(num_samples).value
    draws.check_choices(rows, count)
    found = seeds.draw(
        "categorical", dtype, seed, lambda rng, rows: draws.choices(rng, rows, count, dtype),
        (len(rows), int(count)), (rows,),
    )  # fmt: skip
    return draws.tensor(found, dtype)


@op("random.gamma")
def gamma(
    shape: Any,
    alpha: Any,
    beta: Any = None,
    dtype: Any = float32,
    seed: Any = None,
    name: Any = None,
) -> Any:
    """`shape` numbers for each pair of a shape parameter `alpha` and a rate `beta`.

    Both get gradients; a second derivative with respect to `alpha` is refused.
    """
    lengths, dtype = draws.lengths(shape), as_dtype(dtype)
    alpha = native(alpha, dtype)
    beta = native(1 if beta is None else beta, dtype)
    draws.accept(dtype, draws.REALS, False)
    full = lengths + np.broadcast_shapes(alpha.value.shape, beta.value.shape)

    tiny = np.finfo(dtype.held()).tiny

    def drawn(alpha: Any) -> Any:
        return seeds.draw(
            "gamma", dtype, seed, lambda rng, a: draws.gamma(rng, full, a, dtype), full, (alpha,)
        )

    numbers = draws.moving_gamma(drawn, alpha)
    return np.maximum(np.divide(numbers, beta), tiny)


@op("random.poisson")
def poisson(shape: Any, lam: Any, dtype: Any = float32, seed: Any = None, name: Any = None) -> Any:
    """`shape` counts for each rate `lam`."""
    lengths, dtype = draws.lengths(shape), draws.accept(dtype, WHOLE_OR_REAL, False)
    rate = natural(lam).value
    full = lengths + rate.shape
    found = seeds.draw(
        "poisson", dtype, seed, lambda rng, rate: draws.poisson(rng, full, rate), full, (rate,)
    )
    return draws.tensor(found, dtype)
