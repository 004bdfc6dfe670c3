"""Each case as a JAX user writes it without `jit`: `jax.value_and_grad` on `jax.numpy` code.

Every run waits for its results: JAX returns before they are computed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bench.cases import (
    CHAIN_LENGTH,
    MLP_RATE,
    SIN_LENGTH,
    TUTORIAL_RATE,
    Arrays,
    Run,
    gmm_triangle,
)

VERSION = jax.__version__


def setup(threads: int) -> None:
    # The worker's core affinity is what limits XLA's pool; it has no setting of its own.
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_enable_x64", True)  # sin50 is float64; the others say float32


def to_numpy(x: Any) -> Any:
    return np.asarray(x)


def tutorial(data: Arrays) -> Run:
    x, y = jnp.asarray(data["x"]), jnp.asarray(data["y"])
    state = [jnp.float32(0), jnp.float32(0)]
    step = jax.value_and_grad(lambda a, b: jnp.sum((y - (a + b * x)) ** 2), argnums=(0, 1))

    def run() -> dict[str, Any]:
        a, b = state
        loss, (da, db) = step(a, b)
        state[:] = a, b = a - TUTORIAL_RATE * da, b - TUTORIAL_RATE * db
        jax.block_until_ready(state)
        return {"loss": loss, "a": a, "b": b}

    return run


def chain(data: Arrays) -> Run:
    s = jnp.asarray(data["s"])

    def value(z: Any) -> Any:
        for _ in range(CHAIN_LENGTH):
            z = jnp.sin(z) * 1.001
        return z

    return _value_and_grad(value, s)


def mlp(data: Arrays) -> Run:
    x, labels = jnp.asarray(data["x"]), jnp.asarray(data["labels"])
    rows = jnp.arange(len(labels))
    names = ("w1", "b1", "w2", "b2", "w3", "b3")
    state = [{name: jnp.asarray(data[name]) for name in names}]

    def loss(w: Any) -> Any:
        h = jax.nn.relu(x @ w["w1"] + w["b1"])
        h = jax.nn.relu(h @ w["w2"] + w["b2"])
        log_p = jax.nn.log_softmax(h @ w["w3"] + w["b3"])
        return -jnp.mean(log_p[rows, labels])

    step = jax.value_and_grad(loss)

    def run() -> dict[str, Any]:
        weights = state[0]
        value, gradients = step(weights)
        state[0] = {name: weights[name] - MLP_RATE * gradients[name] for name in names}
        jax.block_until_ready(state)
        return {"loss": value, **state[0]}

    return run


def logistic(data: Arrays) -> Run:
    x, y, w = (jnp.asarray(data[name]) for name in ("x", "y", "w"))

    def value(w: Any) -> Any:
        z = x @ w
        softplus = jnp.maximum(z, 0) + jnp.log1p(jnp.exp(-jnp.abs(z)))
        return jnp.mean(softplus - y * z)

    return _value_and_grad(value, w)


def elementwise(data: Arrays) -> Run:
    return _value_and_grad(lambda e: jnp.sum(jnp.tanh(e) * jnp.exp(-e * e)), jnp.asarray(data["e"]))


def sin50(data: Arrays) -> Run:
    def value(z: Any) -> Any:
        for _ in range(SIN_LENGTH):
            z = jnp.sin(z) * 1.01 + 0.1
        return jnp.sum(z)

    return _value_and_grad(value, jnp.asarray(data["x"]))


def hessian(data: Arrays) -> Run:
    x = jnp.asarray(data["x"])

    def rosenbrock(x: Any) -> Any:
        return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    whole = jax.hessian(rosenbrock)
    return lambda: {"hessian": jax.block_until_ready(whole(x))}


def jacobian(data: Arrays) -> Run:
    a, x = jnp.asarray(data["a"]), jnp.asarray(data["x"])

    def value(x: Any) -> Any:
        out = jnp.tanh(a @ jnp.tanh(a @ x))
        return out, out

    whole = jax.jacrev(value, has_aux=True)

    def run() -> dict[str, Any]:
        slopes, out = jax.block_until_ready(whole(x))
        return {"value": out, "jacobian": slopes}

    return run


def log_likelihood(alphas: Any, means: Any, icf: Any, x: Any) -> Any:
    n, d = x.shape
    rows, columns = gmm_triangle(d)
    q, below = icf[:, :d], icf[:, d:]
    factor = jnp.zeros((len(alphas), d, d), x.dtype).at[:, rows, columns].set(below)
    centered = x[:, None] - means
    scaled = jnp.exp(q) * centered + jnp.einsum("kij,nkj->nki", factor, centered)
    inner = alphas + jnp.sum(q, axis=1) - 0.5 * jnp.sum(scaled**2, axis=2)
    prior = 0.5 * (jnp.sum(jnp.exp(q) ** 2) + jnp.sum(below**2))
    constant = 0.5 * n * d * jnp.log(2 * jnp.pi)
    lse = jax.nn.logsumexp
    return jnp.sum(lse(inner, axis=1)) - n * lse(alphas) - constant + prior


def gmm(data: Arrays) -> Run:
    names = ("alphas", "means", "icf")
    variables, x = [jnp.asarray(data[name]) for name in names], jnp.asarray(data["x"])
    both = jax.value_and_grad(log_likelihood, argnums=(0, 1, 2))

    def run() -> dict[str, Any]:
        value, gradient = jax.block_until_ready(both(*variables, x))
        return {"value": value, **dict(zip(names, gradient, strict=True))}

    return run


def _value_and_grad(function: Callable[[Any], Any], x: Any) -> Run:
    both = jax.value_and_grad(function)

    def run() -> dict[str, Any]:
        value, gradient = jax.block_until_ready(both(x))
        return {"value": value, "gradient": gradient}

    return run
