"""tf.random.stateless_*: numbers that are a function of a seed of two whole numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.positions import decode, here
from ...errors import three_part
from ..base import draws, seeds
from ..base.dtypes import DTYPES, as_dtype
from ..base.errors import RefusedValue, invalid
from ..base.making import bare, native, natural, op

float32, int32, int64 = DTYPES["float32"], DTYPES["int32"], DTYPES["int64"]


def _words(seed: Any) -> tuple[int, int]:
    """The two numbers of a seed."""
    value = natural(seed).value
    if value.dtype.char not in draws.WHOLES:
        raise invalid(
            f"a seed of {value.dtype} is not in the list of allowed values: int32, int64.",
            f"Called at {decode(*here())}.",
            "Pass two whole numbers: seed=[1, 2].",
        )
    if value.shape != (2,):
        raise invalid(
            f"seed must have shape [2], not {list(value.shape)}.",
            f"Called at {decode(*here())}.",
            "Pass two whole numbers: seed=[1, 2].",
        )
    return int(value[0]), int(value[1])


@op("random.stateless_normal")
def stateless_normal(
    shape: Any,
    seed: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = float32,
    name: Any = None,
    alg: Any = "auto_select",
) -> Any:
    """Normal numbers; `mean` and `stddev` broadcast over `shape`, and get gradients."""
    return _scaled("normal", draws.normal, shape, seed, mean, stddev, dtype)


@op("random.stateless_truncated_normal")
def stateless_truncated_normal(
    shape: Any,
    seed: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = float32,
    name: Any = None,
    alg: Any = "auto_select",
) -> Any:
    """Normal numbers of which those beyond two standard deviations are drawn again."""
    return _scaled("truncated", draws.truncated, shape, seed, mean, stddev, dtype)


def _scaled(kind: str, draw: Any, shape: Any, seed: Any, mean: Any, stddev: Any, dtype: Any) -> Any:
    lengths, dtype = draws.lengths(shape), as_dtype(dtype)
    mean, stddev = native(mean, dtype), native(stddev, dtype)
    draws.accept(dtype, draws.REALS, False)
    z = draws.tensor(draw(seeds.fresh(kind, *_words(seed)), lengths, dtype), dtype)
    return np.add(np.multiply(native(z), stddev), mean)


@op("random.stateless_uniform")
def stateless_uniform(
    shape: Any,
    seed: Any,
    minval: Any = 0,
    maxval: Any = None,
    dtype: Any = float32,
    name: Any = None,
    alg: Any = "auto_select",
) -> Any:
    """Numbers in [minval, maxval); over the whole range of a whole dtype if both are None."""
    rng = seeds.fresh("uniform", *_words(seed))
    return _uniform(rng, shape, minval, maxval, dtype)


def _uniform(rng: Any, shape: Any, minval: Any, maxval: Any, dtype: Any) -> Any:
    dtype = draws.accept(dtype, draws.FLOATS + draws.FULL)
    lengths = draws.lengths(shape)
    if dtype.is_floating:
        low = bare(0 if minval is None else minval, dtype)
        high = bare(1 if maxval is None else maxval, dtype)
        u = bare(draws.tensor(draws.uniform(rng, lengths, dtype), dtype))
        return np.add(np.multiply(u, np.subtract(high, low)), low)
    if minval is None and maxval is None:
        return draws.tensor(draws.full(rng, lengths, dtype), dtype)
    if minval is None or maxval is None or dtype.is_unsigned:
        raise RefusedValue(
            three_part(
                f"For integer dtype {dtype!r}, minval and maxval must be both `None` or both "
                f"non-`None` and the dtype signed; got minval={minval!r} and maxval={maxval!r}.",
                f"Called at {decode(*here())}.",
                "Pass both, with tf.int32: minval=0, maxval=10, dtype=tf.int32.",
            )
        )
    low, high = native(minval, dtype).value, native(maxval, dtype).value
    return draws.tensor(draws.whole(rng, lengths, low, high, dtype), dtype)


@op("random.stateless_categorical")
def stateless_categorical(
    logits: Any, num_samples: Any, seed: Any, dtype: Any = int64, name: Any = None
) -> Any:
    """Class numbers drawn for each row of unnormalized log-probabilities."""
    dtype = draws.accept(dtype, draws.WHOLES)
    rng = seeds.fresh("categorical", *_words(seed))
    found = draws.choices(rng, natural(logits).value, natural(num_samples).value, dtype)
    return draws.tensor(found, dtype)


def _ends_with(lengths: tuple[int, ...], *parts: tuple[int, ...]) -> None:
    try:
        fits = np.broadcast_shapes(lengths, *parts) == lengths
    except ValueError:
        fits = False
    inner = np.broadcast_shapes(*parts)
    if not fits or (inner and lengths[len(lengths) - len(inner) :] != inner):
        raise invalid(
            "Shape passed in must end with broadcasted shape.",
            f"Called at {decode(*here())}: the parameters have shape {list(inner)}, and the shape "
            f"asked for is {list(lengths)}.",
            f"Pass shape={[2, *inner]} for two rows.",
        )


@op("random.stateless_gamma")
def stateless_gamma(
    shape: Any,
    seed: Any,
    alpha: Any,
    beta: Any = None,
    dtype: Any = float32,
    name: Any = None,
) -> Any:
    """Gamma numbers of shape parameter `alpha` and rate `beta`; `shape` is that of the result."""
    lengths, dtype = draws.lengths(shape), as_dtype(dtype)
    alpha = native(alpha, dtype)
    beta = native(1 if beta is None else beta, dtype)
    draws.accept(dtype, draws.REALS, False)
    _ends_with(lengths, np.broadcast_shapes(alpha.value.shape, beta.value.shape))
    rng = seeds.fresh("gamma", *_words(seed))

    tiny = np.finfo(dtype.held()).tiny
    numbers = draws.moving_gamma(lambda a: draws.gamma(rng, lengths, a, dtype), alpha)
    return np.maximum(np.divide(numbers, beta), tiny)


@op("random.stateless_poisson")
def stateless_poisson(shape: Any, seed: Any, lam: Any, dtype: Any = int32, name: Any = None) -> Any:
    """Counts of rate `lam`; `shape` is that of the result."""
    lengths, dtype = draws.lengths(shape), draws.accept(dtype, draws.REALS + draws.WHOLES)
    rate = natural(lam).value
    _ends_with(lengths, rate.shape)
    return draws.tensor(draws.poisson(seeds.fresh("poisson", *_words(seed)), lengths, rate), dtype)


@op("random.stateless_binomial")
def stateless_binomial(
    shape: Any,
    seed: Any,
    counts: Any,
    probs: Any,
    output_dtype: Any = int32,
    name: Any = None,
) -> Any:
    """Successes among `counts` trials of probability `probs`."""
    rng = seeds.fresh("binomial", *_words(seed))
    return _binomial(rng, shape, counts, probs, output_dtype)


def _binomial(rng: Any, shape: Any, counts: Any, probs: Any, dtype: Any) -> Any:
    lengths, dtype = draws.lengths(shape), draws.accept(dtype, draws.REALS + draws.WHOLES)
    probs = natural(probs).value
    counts = natural(counts).value
    _ends_with(lengths, np.broadcast_shapes(counts.shape, probs.shape))
    n, p = (np.broadcast_to(v, lengths) for v in (counts, probs))
    return draws.tensor(rng.binomial(n.astype(np.int64), np.clip(p, 0, 1)), dtype)


@op("random.experimental.stateless_shuffle")
def stateless_shuffle(value: Any, seed: Any, alg: Any = "auto_select", name: Any = None) -> Any:
    """`value` with its rows in an order that the seed gives."""
    x = native(value)
    words = _words(seed)
    if not x.value.ndim:
        return natural(value)
    return np.take(x, seeds.fresh("shuffle", *words).permutation(len(x.value)), axis=0)


@op("random.split", "random.experimental.stateless_split")
def split(seed: Any, num: Any = 2, alg: Any = "auto_select") -> Any:
    """`num` seeds made from one."""
    dtype = natural(seed).dtype
    rng = seeds.fresh("split", *_words(seed))
    return draws.tensor(draws.full(rng, (int(num), 2), dtype), dtype)


@op("random.fold_in", "random.experimental.stateless_fold_in")
def fold_in(seed: Any, data: Any, alg: Any = "auto_select") -> Any:
    """A seed made from a seed and a whole number, such as the number of a step."""
    dtype, extra = natural(seed).dtype, native(data).value
    first = draws.full(seeds.fresh("fold_in", *_words(seed)), (), dtype)
    return draws.tensor(np.array([int(first), int(extra)]), dtype)
