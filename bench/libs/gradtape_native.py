"""Each case as a gradtape user writes it: NumPy's own functions inside `gt.GradientTape`."""

from __future__ import annotations

from typing import Any

import numpy as np

import gradtape as gt
from bench.cases import (
    CHAIN_LENGTH,
    MLP_RATE,
    SIN_LENGTH,
    TUTORIAL_RATE,
    Arrays,
    Run,
    gmm_triangle,
)

VERSION = gt.__version__


def setup(threads: int) -> None:
    """Nothing: NumPy's BLAS took the number of threads from the environment."""


def to_numpy(x: Any) -> Any:
    return np.asarray(gt.value(x))


def tutorial(data: Arrays) -> Run:
    x, y = data["x"], data["y"]
    a, b = gt.Variable(np.float32(0)), gt.Variable(np.float32(0))

    def run() -> dict[str, Any]:
        with gt.GradientTape() as tape:
            loss = np.sum((y - (a + b * x)) ** 2)
        da, db = tape.gradient(loss, (a, b))
        a.assign_sub(TUTORIAL_RATE * da)
        b.assign_sub(TUTORIAL_RATE * db)
        return {"loss": loss, "a": a, "b": b}

    return run


def dialect(data: Arrays) -> Run:
    from bench.libs import script_step
    from gradtape.tf import serving

    serving.install()
    try:
        return script_step.dialect(data)
    finally:
        serving.uninstall()


def chain(data: Arrays) -> Run:
    s = gt.array(data["s"][()])

    def run() -> dict[str, Any]:
        with gt.GradientTape() as tape:
            z = tape.watch(s)
            for _ in range(CHAIN_LENGTH):
                z = np.sin(z) * 1.001
        return {"value": z, "gradient": tape.gradient(z, s)}

    return run


def mlp(data: Arrays) -> Run:
    x, labels = data["x"], data["labels"]
    rows = np.arange(len(labels))
    names = ("w1", "b1", "w2", "b2", "w3", "b3")
    weights = [gt.Variable(data[name]) for name in names]
    w1, b1, w2, b2, w3, b3 = weights

    def run() -> dict[str, Any]:
        with gt.GradientTape() as tape:
            h = np.maximum(x @ w1 + b1, 0)
            h = np.maximum(h @ w2 + b2, 0)
            z = h @ w3 + b3
            shifted = z - np.max(z, axis=1, keepdims=True)
            log_sum = np.log(np.sum(np.exp(shifted), axis=1))
            loss = np.mean(log_sum - shifted[rows, labels])
        for w, g in zip(weights, tape.gradient(loss, weights), strict=True):
            w.assign_sub(MLP_RATE * g)
        return {"loss": loss, **dict(zip(names, weights, strict=True))}

    return run


def logistic(data: Arrays) -> Run:
    x, y, w = data["x"], data["y"], gt.Variable(data["w"])

    def run() -> dict[str, Any]:
        with gt.GradientTape() as tape:
            z = x @ w
            softplus = np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))
            value = np.mean(softplus - y * z)
        return {"value": value, "gradient": tape.gradient(value, w)}

    return run


def elementwise(data: Arrays) -> Run:
    e = gt.array(data["e"])

    def run() -> dict[str, Any]:
        with gt.GradientTape() as tape:
            tape.watch(e)
            value = np.sum(np.tanh(e) * np.exp(-e * e))
        return {"value": value, "gradient": tape.gradient(value, e)}

    return run


def sin50(data: Arrays) -> Run:
    x = gt.array(data["x"])

    def run() -> dict[str, Any]:
        with gt.GradientTape() as tape:
            z = tape.watch(x)
            for _ in range(SIN_LENGTH):
                z = np.sin(z) * 1.01 + 0.1
            value = np.sum(z)
        return {"value": value, "gradient": tape.gradient(value, x)}

    return run


def hessian(data: Arrays) -> Run:
    x = data["x"]

    def rosenbrock(x: Any) -> Any:
        return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    whole = gt.hessian(rosenbrock)
    return lambda: {"hessian": whole(x)}


def jacobian(data: Arrays) -> Run:
    a, x = data["a"], data["x"]

    def value(x: Any) -> Any:
        out = np.tanh(a @ np.tanh(a @ x))
        return out, out

    whole = gt.jacobian(value, has_aux=True)

    def run() -> dict[str, Any]:
        slopes, out = whole(x)
        return {"value": out, "jacobian": slopes}

    return run


def log_likelihood(alphas: Any, means: Any, icf: Any, x: Any) -> Any:
    n, d = x.shape
    rows, columns = gmm_triangle(d)
    q, below = icf[:, :d], icf[:, d:]
    factor = gt.zeros((len(alphas), d, d))
    factor[:, rows, columns] = below
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
    variables, x = [gt.Variable(data[name]) for name in names], data["x"]

    def run() -> dict[str, Any]:
        with gt.GradientTape() as tape:
            value = log_likelihood(*variables, x)
        gradient = tape.gradient(value, variables)
        return {"value": value, **dict(zip(names, gradient, strict=True))}

    return run


def kernel(data: Arrays) -> Run:
    from bench.npbench import kernels, namespaces

    name = str(data["kernel"])
    arrays = {key: x for key, x in data.items() if key != "kernel"}
    names = kernels.variables(name, arrays)
    places = tuple(list(arrays).index(key) for key in names)
    f, arguments = kernels.loss(name, namespaces.gradtape()), list(arrays.values())
    both = gt.value_and_grad(f, argnums=places)

    def run() -> dict[str, Any]:
        value, gradient = both(*arguments)
        return {"value": value, **dict(zip(names, gradient, strict=True))}

    return run
