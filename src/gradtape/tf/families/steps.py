"""Functions of bfloat16 that TensorFlow computes in several steps, rounding after each.

`bfloat16.py` calls them in place of the ones of the same name, whose single rounding would differ
by several units in the last place. They are written in functions of the dialect, of which each
rounds. What has a rule of its own in TensorFlow has it here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ..base.bfloat16 import STEPS
from ..base.dtypes import DTYPES
from ..base.making import natural, unify
from ..base.names import lookup
from ..base.slices import IndexedSlices
from ..base.surface import cast
from ..base.tapes import stop_gradient
from .derivatives import custom_gradient


def steps(*names: str) -> Callable[[Any], Any]:
    """Register the function for bfloat16 under `names`, each the first that the function has."""

    def register(function: Any) -> Any:
        for name in names:
            STEPS[name] = function
        return function

    return register


def call(name: str, *args: Any) -> Any:
    """`tf.<name>(*args)`."""
    return lookup(name)(*args)


def _rule(name: str, value: Any, slope: Any) -> None:
    """A function of one tensor, with the cotangent `slope(ct, x)`."""
    ruled = custom_gradient(lambda x: (value(x), lambda ct: _spared(ct, slope(ct, x))))

    @steps(name)
    def run(x: Any = None, name: Any = None, features: Any = None) -> Any:
        return ruled(natural(features if x is None else x))


def _spared(ct: Any, found: Any) -> Any:
    """A cotangent of exactly 0 wins over a slope that is infinite, or NaN."""
    lost = call("logical_and", call("equal", ct, 0.0), call("math.is_nan", found))
    return call("where", lost, call("zeros_like", ct), found)


def _rounded(name: str, x: Any) -> Any:
    """A function in float32, rounded: what it is without these steps."""
    return cast(call(name, cast(x, DTYPES["float32"])), DTYPES["bfloat16"])


# ------------------------------------------------------------------------------ one operand

_THRESHOLD = -2.84375  # log(eps) + 2, each rounded: beyond it softplus is x, or exp(x)


def _softplus(x: Any) -> Any:
    e = call("exp", x)
    small = call("where", x < _THRESHOLD, e, call("math.log1p", e))
    return call("where", x > -_THRESHOLD, x, small)


def _elu(x: Any) -> Any:
    return call("where", x < 0.0, call("exp", x) - 1.0, x)


_SCALE, _SCALE_ALPHA = 1.0507009873554805, 1.7580993408473766


def _selu(x: Any) -> Any:
    return call("where", x < 0.0, _SCALE_ALPHA * (call("exp", x) - 1.0), _SCALE * x)


def _selu_slope(ct: Any, x: Any) -> Any:
    y = _selu(x)
    return call("where", y < 0.0, ct * (y + _SCALE_ALPHA), ct * _SCALE)


def _erf_slope(ct: Any, x: Any) -> Any:
    return ct * (2 / math.sqrt(math.pi)) * call("exp", -call("square", x))


def _slope_of_asin(ct: Any, x: Any) -> Any:
    return ct * call("math.reciprocal", call("sqrt", 1.0 - call("square", x)))


def _rsqrt_slope(ct: Any, x: Any) -> Any:
    y = _rounded("math.rsqrt", x)
    return -0.5 * (ct * y) * (y * y)


def _sigmoid(x: Any) -> Any:
    e = call("exp", x)
    return call("where", call("math.is_inf", e), call("ones_like", e), e / (1.0 + e))


def _sigmoid_slope(ct: Any, x: Any) -> Any:
    y = _sigmoid(x)
    return ct * (y * (1.0 - y))


def _by_reciprocal(name: str, of: Any) -> None:
    _rule(name, lambda x: _rounded(name, x), lambda ct, x: ct * call("math.reciprocal", of(x)))


_by_reciprocal("math.log", lambda x: x)
_by_reciprocal("math.log1p", lambda x: 1.0 + x)
_by_reciprocal("atan", lambda x: 1.0 + call("square", x))
_by_reciprocal("atanh", lambda x: 1.0 - call("square", x))
_rule("sigmoid", _sigmoid, _sigmoid_slope)
_rule("tanh", lambda x: _rounded("tanh", x),
      lambda ct, x: ct * (1.0 - call("square", _rounded("tanh", x))))  # fmt: skip
_rule("math.softplus", _softplus, lambda ct, x: ct * call("sigmoid", x))
_rule("math.softsign", lambda x: x / (1.0 + call("abs", x)),
      lambda ct, x: ct / call("square", 1.0 + call("abs", x)))  # fmt: skip
_rule("nn.elu", _elu, lambda ct, x: call("where", x < 0.0, ct * (_elu(x) + 1.0), ct))
_rule("nn.selu", _selu, _selu_slope)
_rule("math.expm1", lambda x: _rounded("math.expm1", x), lambda ct, x: ct * call("exp", x))
_rule("tan", lambda x: _rounded("tan", x),
      lambda ct, x: ct * call("square", call("math.reciprocal", call("cos", x))))  # fmt: skip
_rule("math.erf", lambda x: _rounded("math.erf", x), _erf_slope)
_rule("math.erfc", lambda x: _rounded("math.erfc", x), lambda ct, x: -_erf_slope(ct, x))
_rule("asinh", lambda x: _rounded("asinh", x),
      lambda ct, x: ct / call("cosh", _rounded("asinh", x)))  # fmt: skip
_rule("asin", lambda x: _rounded("asin", x), _slope_of_asin)
_rule("acos", lambda x: _rounded("acos", x), lambda ct, x: -_slope_of_asin(ct, x))
_rule("sqrt", lambda x: _rounded("sqrt", x), lambda ct, x: ct * (0.5 / _rounded("sqrt", x)))
_rule("acosh", lambda x: _rounded("acosh", x),
      lambda ct, x: ct / call("sinh", _rounded("acosh", x)))  # fmt: skip
_rule("math.rsqrt", lambda x: _rounded("math.rsqrt", x), _rsqrt_slope)


@steps("math.log_sigmoid")
def _log_sigmoid(x: Any, name: Any = None) -> Any:
    return -call("math.softplus", -natural(x))


@steps("nn.leaky_relu")
def _leaky_relu(features: Any, alpha: Any = 0.2, name: Any = None) -> Any:
    x = natural(features)
    return call("where", x > 0.0, x, x * alpha)


@steps("nn.silu")
def _silu(features: Any, beta: Any = 1.0) -> Any:
    return custom_gradient(_swish)(natural(features), natural(features) * beta)


def _swish(x: Any, scaled: Any) -> Any:
    def grad(ct: Any) -> Any:
        s = call("sigmoid", scaled)
        return ct * (s * (1.0 + scaled * (1.0 - s))), None

    return x * call("sigmoid", scaled), grad


@steps("nn.gelu")
def _gelu(features: Any, approximate: Any = False, name: Any = None) -> Any:
    x = natural(features)
    if approximate:
        inner = 0.7978845608028654 * (x + 0.044715 * call("pow", x, 3))
        return 0.5 * x * (1.0 + call("tanh", inner))
    return 0.5 * x * call("math.erfc", -x * 0.7071067811865476)


# ------------------------------------------------------------------------------ two operands


def _zero_first(name: str, function: str) -> None:
    """`x * function(y)`, 0 where `x` is 0."""

    @steps(f"math.{name}")
    def run(x: Any, y: Any, name: Any = None) -> Any:
        x, y = unify(title, (x, y))
        holds = call("not_equal", x, 0.0)
        product = x * call(function, call("where", holds, y, call("ones_like", y)))
        return call("where", holds, product, call("zeros_like", product))

    title = name


_zero_first("xlogy", "math.log")
_zero_first("xlog1py", "math.log1p")


def _pair(title: str, name: str, slopes: Any) -> None:
    """A function of two tensors, with the cotangents `slopes(ct, x, y)`."""

    def value(x: Any, y: Any) -> Any:
        found = call(name, cast(x, DTYPES["float32"]), cast(y, DTYPES["float32"]))
        return cast(found, DTYPES["bfloat16"])

    def run(x: Any, y: Any) -> Any:
        def grad(ct: Any) -> Any:
            ct_x, ct_y = (_spared(ct, part) for part in slopes(ct, x, y))
            return _summed(ct_x, x), _summed(ct_y, y)

        return value(x, y), grad

    steps(title)(custom_gradient(run))


def _angle_slopes(ct: Any, y: Any, x: Any) -> Any:
    share = ct / (call("square", x) + call("square", y))
    return x * share, -y * share


def _summed(ct: Any, x: Any) -> Any:
    """A cotangent in the shape of an operand that was broadcast."""
    extra = len(ct.shape) - len(x.shape)
    axes = [i for i, n in enumerate(ct.shape) if i < extra or n != x.shape[i - extra]]
    return call("reshape", call("reduce_sum", ct, axes), x.shape) if axes else ct


_pair("arctan2", "atan2", _angle_slopes)
_pair("truediv", "truediv", lambda ct, x, y: (ct / y, ct * (-x / y / y)))


# ------------------------------------------------------------------------------ along an axis


def _log_softmax_of(x: Any, axis: Any) -> Any:
    shifted = x - stop_gradient(call("reduce_max", x, axis, True))
    return shifted - call("math.log", call("reduce_sum", call("exp", shifted), axis, True))


@steps("nn.log_softmax")
def _log_softmax(logits: Any, axis: Any = None, name: Any = None) -> Any:
    axis = -1 if axis is None else axis

    def run(x: Any) -> Any:
        def grad(ct: Any) -> Any:
            share = call("exp", _log_softmax_of(x, axis))
            return ct - call("reduce_sum", ct, axis, True) * share

        return _log_softmax_of(x, axis), grad

    return custom_gradient(run)(natural(logits))


@steps("nn.softmax")
def _softmax(logits: Any, axis: Any = None, name: Any = None) -> Any:
    axis = -1 if axis is None else axis

    def value(x: Any) -> Any:
        share = lookup("nn.softmax")(cast(x, DTYPES["float32"]), axis)
        return cast(share, DTYPES["bfloat16"])

    def run(x: Any) -> Any:
        def grad(ct: Any) -> Any:
            share = value(x)
            return (ct - call("reduce_sum", ct * share, axis, True)) * share

        return value(x), grad

    return custom_gradient(run)(natural(logits))


@steps("reduce_logsumexp")
def _log_sum_exp(
    input_tensor: Any, axis: Any = None, keepdims: Any = False, name: Any = None
) -> Any:
    x = natural(input_tensor)
    top = call("reduce_max", x, axis, True)
    top = stop_gradient(call("where", call("math.is_finite", top), top, call("zeros_like", top)))
    total = call("math.log", call("reduce_sum", call("exp", x - top), axis, keepdims))
    return total + (top if keepdims else call("reshape", top, total.shape))


@steps("math.reduce_variance")
def _variance(input_tensor: Any, axis: Any = None, keepdims: Any = False, name: Any = None) -> Any:
    x = natural(input_tensor)
    squares = call("square", x - call("reduce_mean", x, axis, True))
    return call("reduce_mean", squares, axis, keepdims)


@steps("math.reduce_std")
def _deviation(input_tensor: Any, axis: Any = None, keepdims: Any = False, name: Any = None) -> Any:
    return call("sqrt", _variance(input_tensor, axis, keepdims))


@steps("nn.moments")
def _moments(
    x: Any, axes: Any, shift: Any = None, keepdims: Any = False, name: Any = None
) -> Any:
    t = natural(x)
    mean = call("reduce_mean", t, axes, True)
    far = call("math.squared_difference", t, stop_gradient(mean))
    variance = call("reduce_mean", far, axes, True)
    if keepdims:
        return mean, variance
    return call("squeeze", mean, axes), call("squeeze", variance, axes)


@steps("nn.l2_normalize")
def _l2_normalize(
    x: Any, axis: Any = None, epsilon: Any = 1e-12, name: Any = None, dim: Any = None
) -> Any:
    t = natural(x)
    squares = call("reduce_sum", call("square", t), dim if axis is None else axis, True)
    return t * call("math.rsqrt", call("maximum", squares, epsilon))


@steps("clip_by_norm")
def _clip_by_norm(t: Any, clip_norm: Any, axes: Any = None, name: Any = None) -> Any:
    x = natural(t)
    squares = call("reduce_sum", x * x, axes, True)
    positive = squares > 0.0
    safe = call("where", positive, squares, call("ones_like", squares))
    norm = call("where", positive, call("sqrt", safe), squares)
    limit = call("maximum", call("convert_to_tensor", clip_norm, x.dtype), 0.0)
    return x * limit / call("maximum", norm, limit)


@steps("norm")
def _norm(
    tensor: Any, ord: Any = "euclidean", axis: Any = None, keepdims: Any = None, name: Any = None
) -> Any:
    pair = isinstance(axis, list | tuple)
    if ord not in ("euclidean", "fro") and (pair or ord != 2):
        return NotImplemented
    x = natural(tensor)
    return call("sqrt", call("reduce_sum", x * x, axis, bool(keepdims)))


@steps("linalg.global_norm")
def _global_norm(t_list: Any, name: Any = None) -> Any:
    if isinstance(t_list, str) or not isinstance(t_list, Sequence):
        return NotImplemented
    halves = [call("nn.l2_loss", _rows(t)) for t in t_list if t is not None]
    return call("sqrt", call("reduce_sum", call("stack", halves)) * 2.0)


@steps("clipped")
def _clipped(tensors: Any, clip_norm: Any, norm: Any) -> Any:
    """`clip_by_global_norm`, of a norm that is known."""
    if norm.value.ndim:
        return NotImplemented
    one = call("ones_like", norm)
    scale = clip_norm * call("minimum", one / norm, one / clip_norm)
    scale = call("where", call("math.is_finite", norm), scale, norm - norm)

    def scaled(t: Any) -> Any:
        if isinstance(t, IndexedSlices):
            return t.with_values(t.values * scale)
        return natural(t) * scale

    return [None if t is None else scaled(t) for t in tensors]


def _rows(t: Any) -> Any:
    return t.values if isinstance(t, IndexedSlices) else t


# ------------------------------------------------------------------------------ losses, layers


@steps("nn.bias_add")
def _bias_add(value: Any, bias: Any, data_format: Any = None, name: Any = None) -> Any:
    x, b = unify("bias_add", (value, bias))
    if x.value.ndim < 2 or b.value.ndim != 1:
        return NotImplemented
    at = 1 if data_format is not None and str(data_format).startswith("NC") else x.value.ndim - 1
    if x.value.shape[at] != b.value.size:
        return NotImplemented
    around = [-1 if i == at else 1 for i in range(x.value.ndim)]

    def run(x: Any, b: Any) -> Any:
        def grad(ct: Any) -> Any:
            order = [i for i in range(len(ct.shape)) if i != at]
            rows = call("reshape", call("transpose", ct, [*order, at]), [-1, b.shape[0]])
            every = call("zeros", [rows.shape[0]], DTYPES["int32"])
            return ct, call("math.unsorted_segment_sum", rows, every, 1)[0]

        return x + call("reshape", b, around), grad

    return custom_gradient(run)(x, b)


@steps("nn.log_poisson_loss")
def _log_poisson(
    targets: Any, log_input: Any, compute_full_loss: Any = False, name: Any = None
) -> Any:
    z, c = natural(targets), natural(log_input)
    if z.value.shape != c.value.shape:
        return NotImplemented
    loss = call("exp", c) - c * z
    if compute_full_loss:
        stirling = z * call("math.log", z) - z + 0.5 * call("math.log", 2 * math.pi * z)
        within = call("logical_and", z >= 0.0, z <= 1.0)
        loss = loss + call("where", within, call("zeros_like", z), stirling)
    return loss


@steps("nn.batch_normalization")
def _batch_normalization(
    x: Any, mean: Any, variance: Any, offset: Any, scale: Any, variance_epsilon: Any,
    name: Any = None,
) -> Any:  # fmt: skip
    t, mean = natural(x), natural(mean)
    inverse = call("math.rsqrt", natural(variance) + variance_epsilon)
    if scale is not None:
        inverse = inverse * scale
    shift = offset - mean * inverse if offset is not None else -mean * inverse
    return t * cast(inverse, t.dtype) + cast(shift, t.dtype)


@steps("nn.sigmoid_cross_entropy_with_logits")
def _sigmoid_cross_entropy(labels: Any = None, logits: Any = None, name: Any = None) -> Any:
    z, p = natural(logits), natural(labels)
    if z.value.shape != p.value.shape:
        return NotImplemented
    positive = z >= 0.0
    far = call("where", positive, -z, z)
    first = call("where", positive, z, call("zeros_like", z)) - z * p
    return first + call("math.log1p", call("exp", far))


@steps("nn.weighted_cross_entropy_with_logits")
def _weighted_cross_entropy(
    labels: Any = None, logits: Any = None, pos_weight: Any = None, name: Any = None
) -> Any:
    z, p = natural(logits), natural(labels)
    if z.value.shape != p.value.shape:
        return NotImplemented
    weight = 1.0 + (call("convert_to_tensor", pos_weight, z.dtype) - 1.0) * p
    far = call("math.log1p", call("exp", -call("abs", z)))
    return (1.0 - p) * z + weight * (far + call("nn.relu", -z))

