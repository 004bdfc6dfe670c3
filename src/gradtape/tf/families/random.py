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
    z = native(draws.tensor(draw(seeds.stream(kind, dtype, seed), lengths, dtype), dtype))
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
        u = draws.uniform(seeds.stream("uniform", dtype, seed), lengths, dtype)
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
    rng = seeds.stream("uniform", dtype, seed)
    return draws.tensor(draws.whole(rng, lengths, low, high, dtype), dtype)


@op("random.shuffle")
def shuffle(value: Any, seed: Any = None, name: Any = None) -> Any:
    """`value` with its rows in random order."""
    x = native(value)
    rng = seeds.stream("shuffle", x.value.dtype, seed)
    return np.take(x, rng.permutation(len(x.value)), axis=0) if x.value.ndim else natural(value)


@op("random.categorical")
def categorical(
    logits: Any, num_samples: Any, dtype: Any = None, seed: Any = None, name: Any = None
) -> Any:
    """Class numbers drawn for each row of unnormalized log-probabilities."""
    dtype = draws.accept(int64 if dtype is None else dtype, draws.WHOLES)
    rng = seeds.stream("categorical", dtype, seed)
    found = draws.choices(rng, natural(logits).value, natural(num_samples).value, dtype)
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
    rng = seeds.stream("gamma", dtype, seed)
    full = lengths + np.broadcast_shapes(alpha.value.shape, beta.value.shape)

    tiny = np.finfo(dtype.held()).tiny
    numbers = draws.moving_gamma(rng, full, alpha, dtype)
    return np.maximum(np.divide(numbers, beta), tiny)


@op("random.poisson")
def poisson(shape: Any, lam: Any, dtype: Any = float32, seed: Any = None, name: Any = None) -> Any:
    """`shape` counts for each rate `lam`."""
    lengths, dtype = draws.lengths(shape), draws.accept(dtype, WHOLE_OR_REAL, False)
    rate = natural(lam).value
    rng = seeds.stream("poisson", dtype, seed)
    return draws.tensor(draws.poisson(rng, lengths + rate.shape, rate), dtype)
