"""Networks: layers of a perceptron, convolutions, LeNet."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.cases import Arrays
from bench.npbench.dense import shapes
from bench.npbench.kernels import Random, kernel


def relu(xp: Any, x: Any) -> Any:
    return xp.maximum(x, 0.0)


def _softmax(xp: Any, x: Any) -> Any:
    shifted = xp.exp(x - xp.max(x, axis=-1, keepdims=True))
    return shifted / xp.sum(shifted, axis=-1, keepdims=True)


@kernel(
    "softmax along the last axis of scores", lambda rng: {"x": rng.standard_normal((8, 8, 48, 48))}
)
def softmax(xp: Any, x: Any) -> Any:
    return _softmax(xp, x)


@kernel(
    "three layers and a softmax",
    shapes(x=(64, 96), w1=(96, 256), b1=(256,), w2=(256, 128), b2=(128,), w3=(128, 10), b3=(10,)),
    constants=("x",),
)
def mlp(xp: Any, x: Any, w1: Any, b1: Any, w2: Any, b2: Any, w3: Any, b3: Any) -> Any:
    x = relu(xp, x @ w1 + b1)
    x = relu(xp, x @ w2 + b2)
    return _softmax(xp, x @ w3 + b3)


def convolution(xp: Any, x: Any, weights: Any) -> Any:
    """Images (n, height, width, channels in) with weights (k, k, in, out), valid places alone.

    A sum over the places of the weights, each a product of matrices.
    """
    k, n, height, width = weights.shape[0], x.shape[0], x.shape[1], x.shape[2]
    h, w = height - k + 1, width - k + 1
    total: Any = None
    for i in range(k):
        for j in range(k):
            part = xp.reshape(x[:, i : i + h, j : j + w], (n * h * w, x.shape[3])) @ weights[i, j]
            total = part if total is None else total + part
    return xp.reshape(total, (n, h, w, weights.shape[3]))


@kernel(
    "a convolution of images with its bias",
    shapes(x=(4, 20, 20, 3), weights=(4, 4, 3, 16), bias=(16,)),
)
def conv2d_bias(xp: Any, x: Any, weights: Any, bias: Any) -> Any:
    return convolution(xp, x, weights) + bias


def pool(xp: Any, x: Any) -> Any:
    """The largest of every two by two."""
    n, height, width, channels = x.shape
    return xp.max(xp.reshape(x, (n, height // 2, 2, width // 2, 2, channels)), axis=(2, 4))


def _lenet_data(rng: Random) -> Arrays:
    sizes = {
        "x": (8, 28, 28, 1), "c1": (5, 5, 1, 6), "c1b": (6,), "c2": (5, 5, 6, 16), "c2b": (16,),
        "f1": (256, 120), "f1b": (120,), "f2": (120, 84), "f2b": (84,),
        "f3": (84, 10), "f3b": (10,),
    }  # fmt: skip
    return {
        name: rng.standard_normal(shape) / np.sqrt(max(np.prod(shape[:-1]), 1))
        for name, shape in sizes.items()
    }


@kernel("LeNet-5: two convolutions with pools, three layers", _lenet_data, constants=("x",))
def lenet(
    xp: Any, x: Any, c1: Any, c1b: Any, c2: Any, c2b: Any, f1: Any, f1b: Any, f2: Any, f2b: Any,
    f3: Any, f3b: Any,
) -> Any:  # fmt: skip
    x = pool(xp, relu(xp, convolution(xp, 100.0 * x, c1) + c1b))
    x = pool(xp, relu(xp, convolution(xp, x, c2) + c2b))
    x = xp.reshape(x, (8, 256))
    x = relu(xp, x @ f1 + f1b)
    x = relu(xp, x @ f2 + f2b)
    return x @ f3 + f3b
