"""Each case as an MLX user compiles it, on the CPU: `mx.compile` around `mx.value_and_grad`.

MLX is lazy: every run evaluates its results. On the CPU it calls the system's C++ compiler.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import mlx.core as mx
import numpy as np

from bench.cases import CHAIN_LENGTH, MLP_RATE, SIN_LENGTH, TUTORIAL_RATE, Arrays, Run, gmm_triangle

VERSION = version("mlx")


def setup(threads: int) -> None:
    mx.set_default_device(mx.cpu)


def to_numpy(x: Any) -> Any:
    return np.array(x)


def _array(x: Any) -> Any:
    # without a dtype MLX makes float32 of NumPy's float64
    return mx.array(x, dtype=mx.float64) if x.dtype == np.float64 else mx.array(x)


def tutorial(data: Arrays, *, is_value: bool = False) -> Run:
    x, y = _array(data["x"]), _array(data["y"])
    state = [mx.array(0.0), mx.array(0.0)]

    def loss(a: Any, b: Any, x: Any, y: Any) -> Any:
        return mx.sum(mx.square(y - (a + b * x)))

    @mx.compile
    def step(a: Any, b: Any, x: Any, y: Any) -> Any:
        value, (da, db) = mx.value_and_grad(loss, argnums=(0, 1))(a, b, x, y)
        return value, a - TUTORIAL_RATE * da, b - TUTORIAL_RATE * db

    def run() -> dict[str, Any]:
        value, a, b = step(*state, x, y)
        mx.eval(value, a, b)
        state[:] = a, b
        return {"loss": value, "a": a, "b": b}

    return _value(loss, *state, x, y) if is_value else run


def chain(data: Arrays, *, is_value: bool = False) -> Run:
    def value(z: Any) -> Any:
        for _ in range(CHAIN_LENGTH):
            z = mx.sin(z) * 1.001
        return z

    return _run(value, data["s"], is_value)


def mlp(data: Arrays, *, is_value: bool = False) -> Run:
    x, labels = _array(data["x"]), mx.array(data["labels"])
    names = ("w1", "b1", "w2", "b2", "w3", "b3")
    state = [[_array(data[name]) for name in names]]

    def loss(weights: Any, x: Any, labels: Any) -> Any:
        w1, b1, w2, b2, w3, b3 = weights
        h = mx.maximum(mx.addmm(b1, x, w1), 0)
        h = mx.maximum(mx.addmm(b2, h, w2), 0)
        z = mx.addmm(b3, h, w3)
        picked = mx.take_along_axis(z, labels[:, None], axis=1)[:, 0]
        return mx.mean(mx.logsumexp(z, axis=1) - picked)

    @mx.compile
    def step(weights: Any, x: Any, labels: Any) -> Any:
        value, gradients = mx.value_and_grad(loss)(weights, x, labels)
        return value, [w - MLP_RATE * g for w, g in zip(weights, gradients, strict=True)]

    def run() -> dict[str, Any]:
        value, state[0] = step(state[0], x, labels)
        mx.eval(value, state[0])
        return {"loss": value, **dict(zip(names, state[0], strict=True))}

    return _value(loss, state[0], x, labels) if is_value else run


def logistic(data: Arrays, *, is_value: bool = False) -> Run:
    x, y = _array(data["x"]), _array(data["y"])

    def value(w: Any, x: Any, y: Any) -> Any:
        z = x @ w
        softplus = mx.maximum(z, 0) + mx.log1p(mx.exp(-mx.abs(z)))
        return mx.mean(softplus - y * z)

    return _run(value, data["w"], is_value, x, y)


def elementwise(data: Arrays, *, is_value: bool = False) -> Run:
    return _run(lambda e: mx.sum(mx.tanh(e) * mx.exp(-e * e)), data["e"], is_value)


def sin50(data: Arrays, *, is_value: bool = False) -> Run:
    def value(z: Any) -> Any:
        for _ in range(SIN_LENGTH):
            z = mx.sin(z) * 1.01 + 0.1
        return mx.sum(z)

    return _run(value, data["x"], is_value)


def hessian(data: Arrays) -> Run:
    x = _array(data["x"])

    def rosenbrock(x: Any) -> Any:
        return mx.sum(100 * mx.square(x[1:] - mx.square(x[:-1])) + mx.square(1 - x[:-1]))

    slope, unit = mx.grad(rosenbrock), mx.eye(x.size, dtype=x.dtype)

    @mx.compile
    def whole(x: Any) -> Any:
        return mx.vmap(lambda t: mx.jvp(slope, (x,), (t,))[1][0])(unit)

    def run() -> dict[str, Any]:
        found = whole(x)
        mx.eval(found)
        return {"hessian": found}

    return run


def jacobian(data: Arrays) -> Run:
    a, x = _array(data["a"]), _array(data["x"])
    unit = mx.eye(x.size, dtype=x.dtype)

    def value(x: Any) -> Any:
        return mx.tanh(a @ mx.tanh(a @ x))

    @mx.compile
    def whole(x: Any) -> Any:
        return value(x), mx.vmap(lambda ct: mx.vjp(value, (x,), (ct,))[1][0])(unit)

    def run() -> dict[str, Any]:
        out, slopes = whole(x)
        mx.eval(out, slopes)
        return {"value": out, "jacobian": slopes}

    return run


def log_likelihood(alphas: Any, means: Any, icf: Any, x: Any) -> Any:
    n, d = x.shape
    index = np.zeros((d, d), np.int32)
    rows, columns = gmm_triangle(d)
    index[rows, columns] = np.arange(1, len(rows) + 1)
    q, below = icf[:, :d], icf[:, d:]
    factor = mx.take(mx.pad(below, [(0, 0), (1, 0)]), mx.array(index), axis=1)
    centered = x[:, None] - means
    scaled = mx.exp(q) * centered + mx.einsum("kij,nkj->nki", factor, centered)
    inner = alphas + q.sum(1) - 0.5 * mx.square(scaled).sum(2)
    prior = 0.5 * (mx.square(mx.exp(q)).sum() + mx.square(below).sum())
    constant = 0.5 * n * d * np.log(2 * np.pi)
    return mx.logsumexp(inner, 1).sum() - n * mx.logsumexp(alphas, 0) - constant + prior


def gmm(data: Arrays, *, is_value: bool = False) -> Run:
    names = ("alphas", "means", "icf")
    arguments = [_array(data[name]) for name in (*names, "x")]
    if is_value:
        return _value(log_likelihood, *arguments)
    both = mx.compile(mx.value_and_grad(log_likelihood, argnums=(0, 1, 2)))

    def run() -> dict[str, Any]:
        value, gradient = both(*arguments)
        mx.eval(value, gradient)
        return {"value": value, **dict(zip(names, gradient, strict=True))}

    return run


def graph(data: Arrays, *, is_value: bool = False) -> Run:
    turns = int(data["turns"])

    def value(z: Any) -> Any:
        for _ in range(turns):
            z = mx.sin(z) * 1.001
        return mx.sum(z)

    return _run(value, data["x"], is_value)


def overhead(data: Arrays) -> Run:
    arguments = [_array(data[name]) for name in "abcde"]

    @mx.compile
    def both(a: Any, b: Any, c: Any, d: Any, e: Any) -> Any:
        return a * b + c, d - e

    def run() -> dict[str, Any]:
        first, second = both(*arguments)
        mx.eval(first, second)
        return {"first": first, "second": second}

    return run


def _run(f: Callable[..., Any], x: Any, is_value: bool, *constants: Any) -> Run:
    x = _array(x)
    if is_value:
        return _value(f, x, *constants)
    both = mx.compile(mx.value_and_grad(f))

    def run() -> dict[str, Any]:
        value, gradient = both(x, *constants)
        mx.eval(value, gradient)
        return {"value": value, "gradient": gradient}

    return run


def _value(f: Callable[..., Any], *arguments: Any) -> Run:
    compiled = mx.compile(f)

    def run() -> dict[str, Any]:
        value = compiled(*arguments)
        mx.eval(value)
        return {"value": value}

    return run
