"""Each case as a MyGrad user writes it: `mg.tensor`, `backward`, updates of `.data`."""

from __future__ import annotations

from typing import Any

import mygrad as mg
import numpy as np
from mygrad.nnet.activations import relu
from mygrad.nnet.losses import softmax_crossentropy

from bench.cases import (
    CHAIN_LENGTH,
    MLP_RATE,
    SIN_LENGTH,
    TUTORIAL_RATE,
    Arrays,
    Run,
    gmm_triangle,
)

VERSION = mg.__version__


def setup(threads: int) -> None:
    """Nothing: NumPy's BLAS took the number of threads from the environment."""


def to_numpy(x: Any) -> Any:
    return np.asarray(x.data if isinstance(x, mg.Tensor) else x)


def tutorial(data: Arrays) -> Run:
    x, y = data["x"], data["y"]
    a, b = mg.tensor(0.0, dtype=np.float32), mg.tensor(0.0, dtype=np.float32)

    def run() -> dict[str, Any]:
        loss = mg.sum((y - (a + b * x)) ** 2)
        loss.backward()
        a.data -= TUTORIAL_RATE * a.grad
        b.data -= TUTORIAL_RATE * b.grad
        return {"loss": loss, "a": a, "b": b}

    return run


def chain(data: Arrays) -> Run:
    s = mg.tensor(data["s"])

    def run() -> dict[str, Any]:
        z = s
        for _ in range(CHAIN_LENGTH):
            z = mg.sin(z) * 1.001
        z.backward()
        return {"value": z, "gradient": s.grad}

    return run


def mlp(data: Arrays) -> Run:
    x, labels = data["x"], data["labels"]
    names = ("w1", "b1", "w2", "b2", "w3", "b3")
    weights = [mg.tensor(data[name]) for name in names]
    w1, b1, w2, b2, w3, b3 = weights

    def run() -> dict[str, Any]:
        h = relu(mg.matmul(x, w1) + b1)
        h = relu(mg.matmul(h, w2) + b2)
        loss = softmax_crossentropy(mg.matmul(h, w3) + b3, labels)
        loss.backward()
        for w in weights:
            w.data -= MLP_RATE * w.grad
        return {"loss": loss, **dict(zip(names, weights, strict=True))}

    return run


def logistic(data: Arrays) -> Run:
    x, y = data["x"], data["y"]
    w = mg.tensor(data["w"])

    def run() -> dict[str, Any]:
        z = mg.matmul(x, w)
        softplus = mg.maximum(z, 0) + mg.log1p(mg.exp(-mg.abs(z)))
        value = mg.mean(softplus - y * z)
        value.backward()
        return {"value": value, "gradient": w.grad}

    return run


def elementwise(data: Arrays) -> Run:
    e = mg.tensor(data["e"])

    def run() -> dict[str, Any]:
        value = mg.sum(mg.tanh(e) * mg.exp(-e * e))
        value.backward()
        return {"value": value, "gradient": e.grad}

    return run


def sin50(data: Arrays) -> Run:
    x = mg.tensor(data["x"])

    def run() -> dict[str, Any]:
        z = x
        for _ in range(SIN_LENGTH):
            z = mg.sin(z) * 1.01 + 0.1
        value = mg.sum(z)
        value.backward()
        return {"value": value, "gradient": x.grad}

    return run


def jacobian(data: Arrays) -> Run:
    a, x = data["a"], mg.tensor(data["x"])
    units = np.eye(len(x))

    def run() -> dict[str, Any]:
        rows = []
        for unit in units:  # a graph plays back once
            value = mg.tanh(mg.matmul(a, mg.tanh(mg.matmul(a, x))))
            value.backward(unit)
            rows.append(x.grad)
        return {"value": value, "jacobian": np.stack(rows)}

    return run


def log_likelihood(alphas: Any, means: Any, icf: Any, x: Any) -> Any:
    n, d = x.shape
    rows, columns = gmm_triangle(d)
    q, below = icf[:, :d], icf[:, d:]
    factor = mg.zeros((len(alphas), d, d))
    factor[:, rows, columns] = below
    centered = x[:, None] - means
    scaled = mg.exp(q) * centered + mg.einsum("kij,nkj->nki", factor, centered)
    inner = alphas + mg.sum(q, axis=1) - 0.5 * mg.sum(scaled**2, axis=2)
    prior = 0.5 * (mg.sum(mg.exp(q) ** 2) + mg.sum(below**2))
    constant = 0.5 * n * d * np.log(2 * np.pi)
    return mg.sum(_log_sum_exp(inner)) - n * _log_sum_exp(alphas) - constant + prior


def _log_sum_exp(x: Any) -> Any:
    top = mg.max(x, axis=-1, keepdims=True)
    return mg.log(mg.sum(mg.exp(x - top), axis=-1)) + top[..., 0]


def gmm(data: Arrays) -> Run:
    names = ("alphas", "means", "icf")
    variables, x = [mg.tensor(data[name]) for name in names], data["x"]

    def run() -> dict[str, Any]:
        value = log_likelihood(*variables, x)
        value.backward()
        return {"value": value, **{n: v.grad for n, v in zip(names, variables, strict=True)}}

    return run
