"""Each case as a gradtape user compiles it: NumPy's own functions inside `@gt.function`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import gradtape as gt
from bench.cases import CHAIN_LENGTH, MLP_RATE, SIN_LENGTH, TUTORIAL_RATE, Arrays, Run
from bench.libs.gradtape_native import log_likelihood, to_numpy

__all__ = ["VERSION", "chain", "elementwise", "gmm", "graph", "hessian", "jacobian", "logistic",
           "mlp", "kernel", "overhead", "setup", "sin50", "to_numpy", "tutorial"]  # fmt: skip

VERSION = gt.__version__

function: Any = gt.function  # gradtape_cached gives it an option


def setup(threads: int) -> None:
    """Nothing: the pool has as many workers as the process may use cores."""


def tutorial(data: Arrays, *, is_value: bool = False) -> Run:
    a, b = gt.Variable(np.float32(0)), gt.Variable(np.float32(0))

    def loss_of(x: Any, y: Any) -> Any:
        return np.sum((y - (a + b * x)) ** 2)

    @function
    def step(x: Any, y: Any) -> Any:
        with gt.GradientTape() as tape:
            loss = loss_of(x, y)
        da, db = tape.gradient(loss, (a, b))
        a.assign_sub(TUTORIAL_RATE * da)
        b.assign_sub(TUTORIAL_RATE * db)
        return loss

    x, y = data["x"], data["y"]
    if is_value:
        return _value(loss_of, x, y)
    return lambda: {"loss": step(x, y), "a": a, "b": b}


def chain(data: Arrays, *, is_value: bool = False) -> Run:
    def value(z: Any) -> Any:
        for _ in range(CHAIN_LENGTH):
            z = np.sin(z) * 1.001
        return z

    return _run(value, data["s"][()], is_value)


def mlp(data: Arrays, *, is_value: bool = False) -> Run:
    rows = np.arange(len(data["labels"]))
    names = ("w1", "b1", "w2", "b2", "w3", "b3")
    weights = [gt.Variable(data[name]) for name in names]
    w1, b1, w2, b2, w3, b3 = weights

    def loss_of(x: Any, labels: Any) -> Any:
        h = np.maximum(x @ w1 + b1, 0)
        h = np.maximum(h @ w2 + b2, 0)
        z = h @ w3 + b3
        shifted = z - np.max(z, axis=1, keepdims=True)
        log_sum = np.log(np.sum(np.exp(shifted), axis=1))
        return np.mean(log_sum - shifted[rows, labels])

    @function
    def step(x: Any, labels: Any) -> Any:
        with gt.GradientTape() as tape:
            loss = loss_of(x, labels)
        for w, g in zip(weights, tape.gradient(loss, weights), strict=True):
            w.assign_sub(MLP_RATE * g)
        return loss

    x, labels = data["x"], data["labels"]
    if is_value:
        return _value(loss_of, x, labels)
    return lambda: {"loss": step(x, labels), **dict(zip(names, weights, strict=True))}


def logistic(data: Arrays, *, is_value: bool = False) -> Run:
    def value(w: Any, x: Any, y: Any) -> Any:
        z = x @ w
        softplus = np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))
        return np.mean(softplus - y * z)

    return _run(value, data["w"], is_value, data["x"], data["y"])


def elementwise(data: Arrays, *, is_value: bool = False) -> Run:
    return _run(lambda e: np.sum(np.tanh(e) * np.exp(-e * e)), data["e"], is_value)


def sin50(data: Arrays, *, is_value: bool = False) -> Run:
    def value(z: Any) -> Any:
        for _ in range(SIN_LENGTH):
            z = np.sin(z) * 1.01 + 0.1
        return np.sum(z)

    return _run(value, data["x"], is_value)


def hessian(data: Arrays) -> Run:
    x = data["x"]

    def rosenbrock(x: Any) -> Any:
        return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    whole = function(gt.hessian(rosenbrock))
    return lambda: {"hessian": whole(x)}


def jacobian(data: Arrays) -> Run:
    a, x = data["a"], data["x"]

    def value(x: Any) -> Any:
        out = np.tanh(a @ np.tanh(a @ x))
        return out, out

    whole = function(gt.jacobian(value, has_aux=True))

    def run() -> dict[str, Any]:
        slopes, out = whole(x)
        return {"value": out, "jacobian": slopes}

    return run


def gmm(data: Arrays, *, is_value: bool = False) -> Run:
    names = ("alphas", "means", "icf")
    arguments = [data[name] for name in (*names, "x")]
    if is_value:
        return _value(log_likelihood, *arguments)
    both = function(gt.value_and_grad(log_likelihood, argnums=(0, 1, 2)))

    def run() -> dict[str, Any]:
        value, gradient = both(*arguments)
        return {"value": value, **dict(zip(names, gradient, strict=True))}

    return run


def graph(data: Arrays, *, is_value: bool = False) -> Run:
    turns = int(data["turns"])

    def value(z: Any) -> Any:
        for _ in range(turns):
            z = np.sin(z) * 1.001
        return np.sum(z)

    return _run(value, data["x"], is_value)


def overhead(data: Arrays) -> Run:
    arguments = [data[name] for name in "abcde"]

    @function
    def both(a: Any, b: Any, c: Any, d: Any, e: Any) -> Any:
        return a * b + c, d - e

    def run() -> dict[str, Any]:
        first, second = both(*arguments)
        return {"first": first, "second": second}

    return run


def kernel(data: Arrays, *, is_value: bool = False) -> Run:
    from bench.npbench import kernels, namespaces

    name = str(data["kernel"])
    arrays = {key: x for key, x in data.items() if key != "kernel"}
    names = kernels.variables(name, arrays)
    places = tuple(list(arrays).index(key) for key in names)
    f, arguments = kernels.loss(name, namespaces.gradtape()), list(arrays.values())
    if is_value:
        return _value(f, *arguments)
    both = function(gt.value_and_grad(f, argnums=places))

    def run() -> dict[str, Any]:
        value, gradient = both(*arguments)
        return {"value": value, **dict(zip(names, gradient, strict=True))}

    return run


def _run(f: Callable[..., Any], x: Any, is_value: bool, *constants: Any) -> Run:
    if is_value:
        return _value(f, x, *constants)
    both = function(gt.value_and_grad(f))

    def run() -> dict[str, Any]:
        value, gradient = both(x, *constants)
        return {"value": value, "gradient": gradient}

    return run


def _value(f: Callable[..., Any], *arguments: Any) -> Run:
    compiled = function(f)
    return lambda: {"value": compiled(*arguments)}
