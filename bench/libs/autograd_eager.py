"""Each case as a HIPS autograd user writes it: `value_and_grad` on `autograd.numpy` code."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import autograd
import autograd.numpy as np
import numpy
from autograd import value_and_grad

from bench.cases import (
    CHAIN_LENGTH,
    MLP_RATE,
    SIN_LENGTH,
    TUTORIAL_RATE,
    Arrays,
    Run,
    gmm_triangle,
)

VERSION = version("autograd")


def setup(threads: int) -> None:
    """Nothing: NumPy's BLAS took the number of threads from the environment."""


def to_numpy(x: Any) -> Any:
    return numpy.asarray(x)


def tutorial(data: Arrays) -> Run:
    x, y = data["x"], data["y"]
    state = [numpy.float32(0), numpy.float32(0)]
    step = value_and_grad(lambda p: np.sum((y - (p[0] + p[1] * x)) ** 2))

    def run() -> dict[str, Any]:
        a, b = state
        loss, (da, db) = step((a, b))
        state[:] = a, b = a - TUTORIAL_RATE * da, b - TUTORIAL_RATE * db
        return {"loss": loss, "a": a, "b": b}

    return run


def chain(data: Arrays) -> Run:
    def value(z: Any) -> Any:
        for _ in range(CHAIN_LENGTH):
            z = np.sin(z) * 1.001
        return z

    return _value_and_grad(value, data["s"][()])


def mlp(data: Arrays) -> Run:
    x, labels = data["x"], data["labels"]
    rows = numpy.arange(len(labels))
    names = ("w1", "b1", "w2", "b2", "w3", "b3")
    weights = [data[name] for name in names]

    def loss(w: Any) -> Any:
        w1, b1, w2, b2, w3, b3 = w
        h = np.maximum(np.dot(x, w1) + b1, 0)
        h = np.maximum(np.dot(h, w2) + b2, 0)
        z = np.dot(h, w3) + b3
        shifted = z - np.max(z, axis=1, keepdims=True)
        log_sum = np.log(np.sum(np.exp(shifted), axis=1))
        return np.mean(log_sum - shifted[rows, labels])

    step = value_and_grad(loss)

    def run() -> dict[str, Any]:
        value, gradients = step(weights)
        for w, g in zip(weights, gradients, strict=True):
            w -= MLP_RATE * g
        return {"loss": value, **dict(zip(names, weights, strict=True))}

    return run


def logistic(data: Arrays) -> Run:
    x, y = data["x"], data["y"]

    def value(w: Any) -> Any:
        z = np.dot(x, w)
        softplus = np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))
        return np.mean(softplus - y * z)

    return _value_and_grad(value, data["w"])


def elementwise(data: Arrays) -> Run:
    return _value_and_grad(lambda e: np.sum(np.tanh(e) * np.exp(-e * e)), data["e"])


def sin50(data: Arrays) -> Run:
    def value(z: Any) -> Any:
        for _ in range(SIN_LENGTH):
            z = np.sin(z) * 1.01 + 0.1
        return np.sum(z)

    return _value_and_grad(value, data["x"])


def hessian(data: Arrays) -> Run:
    x = data["x"]

    def rosenbrock(x: Any) -> Any:
        return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    whole = autograd.hessian(rosenbrock)
    return lambda: {"hessian": whole(x)}


def jacobian(data: Arrays) -> Run:
    a, x = data["a"], data["x"]
    values = []

    def value(x: Any) -> Any:
        out = np.tanh(np.dot(a, np.tanh(np.dot(a, x))))
        values[:] = [out._value]
        return out

    whole = autograd.jacobian(value)

    def run() -> dict[str, Any]:
        slopes = whole(x)
        return {"value": values[0], "jacobian": slopes}

    return run


def log_likelihood(alphas: Any, means: Any, icf: Any, x: Any) -> Any:
    n, d = x.shape
    # arrays cannot be written into: every entry is gathered, the empty ones from a column of 0
    index = numpy.zeros((d, d), numpy.intp)
    rows, columns = gmm_triangle(d)
    index[rows, columns] = numpy.arange(1, len(rows) + 1)
    q, below = icf[:, :d], icf[:, d:]
    factor = np.concatenate([np.zeros((len(alphas), 1)), below], axis=1)[:, index]
    centered = x[:, None] - means
    scaled = np.exp(q) * centered + np.einsum("kij,nkj->nki", factor, centered)
    inner = alphas + np.sum(q, axis=1) - 0.5 * np.sum(scaled**2, axis=2)
    prior = 0.5 * (np.sum(np.exp(q) ** 2) + np.sum(below**2))
    constant = 0.5 * n * d * np.log(2 * np.pi)
    return np.sum(_log_sum_exp(inner)) - n * _log_sum_exp(alphas) - constant + prior


def _log_sum_exp(x: Any) -> Any:
    top = np.max(x, axis=-1, keepdims=True)
    return np.log(np.sum(np.exp(x - top), axis=-1)) + top[..., 0]


def gmm(data: Arrays) -> Run:
    names = ("alphas", "means", "icf")
    variables, x = tuple(data[name] for name in names), data["x"]
    both = value_and_grad(lambda v: log_likelihood(*v, x))

    def run() -> dict[str, Any]:
        value, gradient = both(variables)
        return {"value": value, **dict(zip(names, gradient, strict=True))}

    return run


def _value_and_grad(function: Callable[[Any], Any], x: Any) -> Run:
    both = value_and_grad(function)

    def run() -> dict[str, Any]:
        value, gradient = both(x)
        return {"value": value, "gradient": gradient}

    return run


def kernel(data: Arrays) -> Run:
    from bench.npbench import kernels, namespaces

    name = str(data["kernel"])
    arrays = {key: x for key, x in data.items() if key != "kernel"}
    names = kernels.variables(name, arrays)
    places = tuple(list(arrays).index(key) for key in names)
    f, arguments = kernels.loss(name, namespaces.autograd()), list(arrays.values())
    both = value_and_grad(f, places)

    def run() -> dict[str, Any]:
        value, gradient = both(*arguments)
        return {"value": value, **dict(zip(names, gradient, strict=True))}

    return run
