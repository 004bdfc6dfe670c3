"""Elementwise functions that NumPy has no name for and other vocabularies have: sigmoid, ..."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.cards import elementwise


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))  # exp may overflow: then 1 / inf is the 0 that is meant


sigmoid = elementwise(None, lambda out, _x: out * (1 - out), name="sigmoid", impl=_sigmoid)
rsqrt = elementwise(
    None, lambda out, x: -0.5 * out / x, name="rsqrt", impl=lambda x: 1 / np.sqrt(x)
)


def _multiply_no_nan(x: Any, y: Any) -> Any:
    product = x * y
    return np.where(np.equal(y, 0), np.zeros((), product.dtype), product)


# the derivatives are those of the product, also where y is 0, as TensorFlow's
multiply_no_nan = elementwise(
    None, "y", "x", name="multiply_no_nan", impl=_multiply_no_nan, drops=True
)


# The kinks are TensorFlow's: at 0, and at 6, the derivative is 0.
relu = elementwise(
    None, lambda out, _x: np.greater(out, 0), name="relu", impl=lambda x: np.maximum(x, 0)
)
relu6 = elementwise(
    None,
    lambda out, _x: np.logical_and(np.greater(out, 0), np.less(out, 6)),
    name="relu6",
    impl=lambda x: np.minimum(np.maximum(x, 0), 6),
)
