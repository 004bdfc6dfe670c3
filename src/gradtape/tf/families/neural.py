"""`tf.nn`: activations, losses on logits, normalisation, embeddings."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...core.positions import decode, here
from ...core.registry import HOOKS
from ...core.symbol import is_traced
from ...errors import three_part
from ..base.axes import axes_of
from ..base.errors import RefusedValue, invalid
from ..base.graphs import in_range
from ..base.making import (
    FLOAT,
    FLOATS,
    NUMBER,
    REAL,
    allow,
    bare,
    convert,
    export,
    native,
    natural,
    op,
    unary,
    unify,
)
from ..base.names import lookup

_relu = unary("", None, REAL, card="relu")
_relu6 = unary("", None, REAL, card="relu6")


@export("nn.relu")
def relu(features: Any, name: Any = None) -> Any:
    """The larger of `x` and 0; at 0 the derivative is 0."""
    return _relu(features, None, 2)


@export("nn.relu6")
def relu6(features: Any, name: Any = None) -> Any:
    """`x` limited to 0 and 6; at both the derivative is 0."""
    return _relu6(features, None, 2)


def _floating(name: str, features: Any) -> Any:
    x = native(features)
    if x.value.dtype.kind != "f":
        raise RefusedValue(
            three_part(
                f"tf.nn.{name}: `features.dtype` must be a floating point tensor. Received: "
                f"features.dtype={natural(features).dtype!r}.",
                f"Called at {decode(*here())}.",
                "Cast it: tf.cast(x, tf.float32).",
            )
        )
    return x


# ------------------------------------------------------------------------------ activations


@op("nn.leaky_relu")
def leaky_relu(features: Any, alpha: Any = 0.2, name: Any = None) -> Any:
    """`x` where it is positive, else `alpha * x`."""
    x = native(features)
    allow("leaky_relu", x, REAL)
    if x.value.dtype.kind in "iu":
        x = x.astype(np.float32)
    return np.where(np.greater(x, 0), x, x * native(alpha, x.value.dtype))


@op("nn.elu")
def elu(features: Any, name: Any = None) -> Any:
    """`x` where it is positive, else `exp(x) - 1`."""
    x = native(features)
    allow("elu", x, FLOATS)
    return np.where(np.less(x, 0), np.expm1(np.minimum(x, 0)), x)


# Klambauer and others (2017), Self-Normalizing Neural Networks, equation 14
_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


@op("nn.selu")
def selu(features: Any, name: Any = None) -> Any:
    """The self-normalising exponential unit."""
    x = native(features)
    allow("selu", x, FLOATS)
    low = _SELU_SCALE * _SELU_ALPHA * np.expm1(np.minimum(x, 0))
    return np.where(np.less(x, 0), low, _SELU_SCALE * x)


@op("nn.gelu")
def gelu(features: Any, approximate: Any = False, name: Any = None) -> Any:
    """`x` times the normal distribution function of `x`, or its approximation by tanh."""
    x = _floating("gelu", features)
    if approximate:
        inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
        return 0.5 * x * (1 + np.tanh(inner))
    return 0.5 * x * (1 + HOOKS["op:erf"](x / math.sqrt(2)))


@op("nn.silu", "nn.swish")
def silu(features: Any, beta: Any = 1.0) -> Any:
    """`x * sigmoid(beta * x)`."""
    x = native(features)
    allow("silu", x, FLOAT)
    return x * HOOKS["op:sigmoid"](x * native(beta, x.value.dtype))


@op("nn.crelu")
def crelu(features: Any, axis: Any = -1, name: Any = None) -> Any:
    """The positive part and the negative part, one after the other along `axis`."""
    x = native(features)
    allow("crelu", x, REAL)
    return HOOKS["op:relu"](np.concatenate([x, -x], axis=axis))


def _last(name: str, x: Any, axis: Any) -> Any:
    if x.value.ndim == 0:
        raise invalid(
            f"{name}: logits must have at least 1 dimension.",
            f"Called at {decode(*here())} with a scalar.",
            "Give a tensor with a class axis.",
        )
    axis = int(natural(-1 if axis is None else axis).value)
    if not -x.value.ndim <= axis < x.value.ndim:
        raise invalid(
            f"{name}: `dim` must be in the range [{-x.value.ndim}, {x.value.ndim}) where "
            f"{x.value.ndim} is the number of dimensions in the input. Received: dim={axis}.",
            f"Called at {decode(*here())}.",
            "axis=-1 is the last.",
        )
    return axis


def _shifted(x: Any, axis: int) -> Any:
    """`x` less its maximum, so that exp cannot overflow; the shift has no say in the gradient."""
    if not x.value.size:
        return x
    return x - np.max(x.value, axis=axis, keepdims=True)


def _log_softmax(x: Any, axis: int) -> Any:
    shifted = _shifted(x, axis)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


@op("nn.softmax", "math.softmax")
def softmax(logits: Any, axis: Any = None, name: Any = None) -> Any:
    """`exp(x) / sum(exp(x))` along `axis`."""
    x = native(logits)
    allow("softmax", x, FLOATS)
    axis = _last("softmax", x, axis)
    e = np.exp(_shifted(x, axis))
    return e / np.sum(e, axis=axis, keepdims=True)


@op("nn.log_softmax", "math.log_softmax")
def log_softmax(logits: Any, axis: Any = None, name: Any = None) -> Any:
    """The logarithm of softmax."""
    x = native(logits)
    allow("log_softmax", x, FLOATS)
    return _log_softmax(x, _last("log_softmax", x, axis))


# ------------------------------------------------------------------------------ losses


@op("nn.sparse_softmax_cross_entropy_with_logits")
def sparse_softmax_cross_entropy_with_logits(labels: Any, logits: Any, name: Any = None) -> Any:
    """`-log_softmax(logits)` at each label, a class number."""
    title = "sparse_softmax_cross_entropy_with_logits"
    z, classes = native(logits), natural(labels).value
    if z.value.ndim == 0:
        raise RefusedValue(
            three_part(
                "Logits cannot be scalars.",
                f"tf.nn.{title} was called at {decode(*here())}.",
                "The last axis of logits is that of the classes.",
            )
        )
    if np.shape(classes) != z.value.shape[:-1]:
        raise RefusedValue(
            three_part(
                "`labels.shape` must equal `logits.shape` except for the last dimension. Received: "
                f"labels.shape={np.shape(classes)} and logits.shape={z.value.shape}.",
                f"tf.nn.{title} was called at {decode(*here())}.",
                "One-hot labels go to tf.nn.softmax_cross_entropy_with_logits.",
            )
        )
    allow(title, natural(logits), FLOATS)
    allow(title, natural(labels), "il")
    n = z.value.shape[-1]
    if is_traced(classes):
        classes = in_range(classes, n)
    elif np.any(classes < 0) or np.any(classes >= n):
        bad = classes[(classes < 0) | (classes >= n)] if np.ndim(classes) else classes
        raise invalid(
            f"{title}: Received a label value of {np.ravel(bad)[0]} which is outside the valid "
            f"range of [0, {n}).",
            f"Called at {decode(*here())}.",
            "Classes are numbered from 0 to the length of the last axis of logits.",
        )
    picked = np.take_along_axis(_log_softmax(z, -1), np.expand_dims(classes, -1), axis=-1)
    return -np.reshape(picked, z.value.shape[:-1])


@op("nn.softmax_cross_entropy_with_logits")
def softmax_cross_entropy_with_logits(
    labels: Any, logits: Any, axis: Any = -1, name: Any = None
) -> Any:
    """`-sum(labels * log_softmax(logits))` along `axis`."""
    title = "softmax_cross_entropy_with_logits"
    z = native(logits)
    allow(title, z, FLOATS)
    p = native(convert(labels, hint=z.value.dtype))
    if p.value.dtype != z.value.dtype:
        p = p.astype(z.value.dtype)
    axis = _last(title, z, axis)
    try:
        np.broadcast_shapes(p.value.shape, z.value.shape)
    except ValueError:
        raise invalid(
            f"{title}: logits and labels must be broadcastable: logits_size={z.value.shape} "
            f"labels_size={p.value.shape}.",
            f"Called at {decode(*here())}.",
            "Give one probability for each logit.",
        ) from None
    return -np.sum(p * _log_softmax(z, axis), axis=axis)


def _same_shape(title: str, z: Any, p: Any) -> None:
    if z.value.shape != p.value.shape:
        raise RefusedValue(
            three_part(
                f"`logits` and `labels` must have the same shape, received ({z.value.shape} vs "
                f"{p.value.shape}).",
                f"tf.nn.{title} was called at {decode(*here())}.",
                "Reshape one of them: tf.reshape(labels, tf.shape(logits)).",
            )
        )


def _log_one_plus(z: Any) -> Any:
    """`log(1 + exp(-abs(z)))`, with the derivative of the side `z >= 0` at 0."""
    return np.log1p(np.exp(np.where(np.greater_equal(z, 0), -z, z)))


@op("nn.sigmoid_cross_entropy_with_logits")
def sigmoid_cross_entropy_with_logits(
    labels: Any = None, logits: Any = None, name: Any = None
) -> Any:
    """`-labels * log(sigmoid(z)) - (1 - labels) * log(1 - sigmoid(z))`, without overflow."""
    title = "sigmoid_cross_entropy_with_logits"
    both = natural(logits), natural(labels)
    _same_shape(title, *both)
    z, p = map(native, unify(title, both))
    allow(title, z, FLOATS)
    positive = np.where(np.greater_equal(z, 0), z, np.zeros_like(z))
    return positive - z * p + _log_one_plus(z)


@op("nn.weighted_cross_entropy_with_logits")
def weighted_cross_entropy_with_logits(
    labels: Any = None, logits: Any = None, pos_weight: Any = None, name: Any = None
) -> Any:
    """Sigmoid cross entropy whose positive term is multiplied by `pos_weight`."""
    title = "weighted_cross_entropy_with_logits"
    z, p = native(logits), native(convert(labels))
    _same_shape(title, z, p)
    z, p = map(native, unify(title, (logits, labels)))
    weight = 1 + (native(pos_weight, z.value.dtype) - 1) * p
    return (1 - p) * z + weight * (_log_one_plus(z) + HOOKS["op:relu"](-z))


@op("nn.log_poisson_loss")
def log_poisson_loss(
    targets: Any, log_input: Any, compute_full_loss: Any = False, name: Any = None
) -> Any:
    """`exp(log_input) - log_input * targets`, with Stirling's approximation if asked."""
    c = native(log_input)
    z = native(convert(targets))
    if z.value.shape != c.value.shape:
        raise RefusedValue(
            three_part(
                "`log_input` and `targets` must have the same shape, received "
                f"({c.value.shape} vs {z.value.shape}).",
                f"tf.nn.log_poisson_loss was called at {decode(*here())}.",
                "Give one target for each input.",
            )
        )
    c, z = map(native, unify("log_poisson_loss", (log_input, targets)))
    loss = np.exp(c) - c * z
    if compute_full_loss:
        stirling = z * np.log(z) - z + 0.5 * np.log(2 * math.pi * z)
        within = np.logical_and(np.greater_equal(z, 0), np.less_equal(z, 1))
        loss = loss + np.where(within, np.zeros_like(z), stirling)
    return loss


@op("nn.l2_loss")
def l2_loss(t: Any, name: Any = None) -> Any:
    """`sum(t ** 2) / 2`."""
    x = native(t)
    allow("l2_loss", x, FLOATS)
    return np.sum(np.square(x)) * 0.5


# ------------------------------------------------------------------------------ normalisation


@op("nn.l2_normalize", "math.l2_normalize", "linalg.l2_normalize")
def l2_normalize(
    x: Any, axis: Any = None, epsilon: Any = 1e-12, name: Any = None, dim: Any = None
) -> Any:
    """`x / sqrt(max(sum(x ** 2), epsilon))` along `axis`."""
    axis = dim if axis is None else axis
    t = native(x)
    axes = axes_of("l2_normalize", axis, t.value.ndim)
    if t.value.dtype.kind == "c":
        squares = np.sum(np.real(t * np.conjugate(t)), axis=axes, keepdims=True)
        return t * HOOKS["op:rsqrt"](np.maximum(squares, native(epsilon, squares.value.dtype)))
    squares = np.sum(np.square(t), axis=axes, keepdims=True)
    return t * HOOKS["op:rsqrt"](np.maximum(squares, native(epsilon, t.value.dtype)))


@op("nn.bias_add", errors=None)
def bias_add(value: Any, bias: Any, data_format: Any = None, name: Any = None) -> Any:
    """`value + bias`, along the last axis, or the second for "NC..." formats."""
    if data_format is not None and not str(data_format).startswith("N"):
        raise RefusedValue(
            three_part(
                f"`data_format` must be of the form `N...C` or `NC...`. Received: {data_format}.",
                f"tf.nn.bias_add was called at {decode(*here())}.",
                'Leave it out, or give "NHWC" or "NCHW".',
            )
        )
    x, b = map(native, unify("bias_add", (value, bias)))
    allow("bias_add", x, NUMBER)
    first = data_format is not None and str(data_format).startswith("NC")
    if x.value.ndim < 2:
        raise invalid(
            f"bias_add: Input tensor must be at least 2D: {list(x.value.shape)}.",
            f"Called at {decode(*here())}.",
            "Add with + instead.",
        )
    if b.value.ndim != 1:
        raise invalid(
            f"bias_add: Biases must be 1D: {list(b.value.shape)}.",
            f"Called at {decode(*here())}.",
            "Reshape it: tf.reshape(bias, [-1]).",
        )
    length = x.value.shape[1 if first else -1]
    if b.value.shape[0] != length:
        raise invalid(
            "bias_add: Must provide as many biases as the "
            f"{'channel' if first else 'last'} dimension of the input tensor: "
            f"{list(b.value.shape)} vs. {list(x.value.shape)}.",
            f"Called at {decode(*here())}.",
            f"The bias has {length} numbers there.",
        )
    if first:
        b = np.reshape(b, (length, *([1] * (x.value.ndim - 2))))
    return x + b


@op("nn.moments")
def moments(
    x: Any, axes: Any, shift: Any = None, keepdims: Any = False, name: Any = None
) -> Any:
    """Mean and variance over `axes`."""
    t = native(x)
    dtype = t.value.dtype
    if dtype == np.float16:
        t = t.astype(np.float32)
    over = axes_of("moments", axes, t.value.ndim)
    if dtype.kind in "iu":
        mean = lookup("reduce_mean")(t, axes, True)
        squares = lookup("math.squared_difference")(t, mean)
        variance = native(lookup("reduce_mean")(squares, axes, True))
        mean = native(mean)
    else:
        mean = np.mean(t, axis=over, keepdims=True)
        # The derivative of the variance through the mean is 0.
        far = t - native(mean.value)
        variance = np.mean(
            np.real(far * np.conjugate(far)) if dtype.kind == "c" else np.square(far),
            axis=over, keepdims=True,
        )  # fmt: skip
        if dtype.kind == "c":
            variance = variance.astype(dtype)
    if not keepdims:
        mean, variance = (np.squeeze(part, axis=over) for part in (mean, variance))
    if dtype == np.float16:
        mean, variance = mean.astype(dtype), variance.astype(dtype)
    return mean, variance


@op("nn.batch_normalization")
def batch_normalization(
    x: Any, mean: Any, variance: Any, offset: Any, scale: Any, variance_epsilon: Any,
    name: Any = None,
) -> Any:  # fmt: skip
    """`(x - mean) / sqrt(variance + epsilon) * scale + offset`."""
    t = native(x)
    dtype = t.value.dtype
    inverse = HOOKS["op:rsqrt"](native(convert(variance)) + native(variance_epsilon, dtype))
    if scale is not None:
        inverse = inverse * native(convert(scale))
    start = native(convert(mean)) * inverse
    shift = native(convert(offset)) - start if offset is not None else -start
    return t * inverse.astype(dtype) + shift.astype(dtype)


@export("nn.dropout")
def dropout(
    x: Any, rate: Any, noise_shape: Any = None, seed: Any = None, name: Any = None
) -> Any:
    """Zeros with probability `rate`, and the rest divided by `1 - rate`."""
    t = convert(x)
    if isinstance(rate, int | float) and not 0 <= rate < 1:
        raise RefusedValue(
            three_part(
                "`rate` must be a scalar tensor or a float in the range [0, 1). Received: "
                f"rate={rate}.",
                f"tf.nn.dropout was called at {decode(*here())}.",
                "rate is the share that is dropped.",
            )
        )
    if not t.dtype.is_floating:
        raise RefusedValue(
            three_part(
                "`x.dtype` must be a floating point tensor as `x` will be scaled. Received: "
                f"x_dtype={t.dtype!r}.",
                f"tf.nn.dropout was called at {decode(*here())}.",
                "Cast it: tf.cast(x, tf.float32).",
            )
        )
    if isinstance(rate, int | float) and rate == 0:
        return t
    shape = t.shape if noise_shape is None else noise_shape
    uniform = lookup("random.uniform")(shape, seed=seed, dtype=t.dtype)
    return _drop(t, rate, uniform)


@op()
def _drop(x: Any, rate: Any, uniform: Any) -> Any:
    t = native(x)
    rate = native(rate, t.value.dtype).value
    keep = np.greater_equal(uniform.value, rate)
    scaled = t * (1 / (1 - rate))
    return np.where(keep, scaled, np.zeros((), t.value.dtype))


# ------------------------------------------------------------------------------ embeddings


@op("nn.embedding_lookup")
def embedding_lookup(params: Any, ids: Any, max_norm: Any = None, name: Any = None) -> Any:
    """The rows of `params` that `ids` names, clipped to `max_norm` if that is given."""
    if params is None or (isinstance(params, list | tuple) and not params):
        raise RefusedValue(
            three_part(
                "params must be specified.",
                f"tf.nn.embedding_lookup was called at {decode(*here())} without any.",
                "Give a tensor or Variable with one row for each id.",
            )
        )
    if isinstance(params, list | tuple) and len(params) == 1:
        params = params[0]
    table, places = bare(params), natural(ids)
    allow("embedding_lookup", places, "il", place=1)
    n = table.value.shape[0]
    flat = np.reshape(places.value, -1)
    where = in_range(places.value, n)
    if not is_traced(flat) and (np.any(flat < 0) or np.any(flat >= n)):
        k = int(np.flatnonzero((flat < 0) | (flat >= n))[0])
        raise invalid(
            f"embedding_lookup: indices[{k}] = {flat[k]} is not in [0, {n}).",
            f"Called at {decode(*here())}.",
            "An id is the number of a row of params.",
        )
    rows = np.take(table, where, axis=0)
    from ..base.slices import note

    note(params, rows, where)
    if max_norm is None:
        return rows
    axes = tuple(range(np.ndim(places.value), rows.value.ndim))
    return lookup("clip_by_norm")(rows, max_norm, list(axes))

