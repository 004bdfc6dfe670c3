"""Each case as a JAX user compiles it: one `jax.jit` around the step, or around `value_and_grad`.

Every run waits for its results: JAX returns before they are computed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from bench.cases import CHAIN_LENGTH, MLP_RATE, SIN_LENGTH, TUTORIAL_RATE, Arrays, Run
from bench.libs.jax_eager import VERSION, log_likelihood, setup, to_numpy

__all__ = ["VERSION", "chain", "elementwise", "gmm", "graph", "hessian", "jacobian", "logistic",
           "mlp", "kernel", "overhead", "setup", "sin50", "to_numpy", "tutorial"]  # fmt: skip


def tutorial(data: Arrays, *, is_value: bool = False) -> Run:
    x, y = jnp.asarray(data["x"]), jnp.asarray(data["y"])
    state = [jnp.float32(0), jnp.float32(0)]

    def loss(a: Any, b: Any, x: Any, y: Any) -> Any:
        return jnp.sum((y - (a + b * x)) ** 2)

    @jax.jit
    def step(a: Any, b: Any, x: Any, y: Any) -> Any:
        value, (da, db) = jax.value_and_grad(loss, argnums=(0, 1))(a, b, x, y)
        return value, a - TUTORIAL_RATE * da, b - TUTORIAL_RATE * db

    def run() -> dict[str, Any]:
        value, a, b = jax.block_until_ready(step(*state, x, y))
        state[:] = a, b
        return {"loss": value, "a": a, "b": b}

    return _value(loss, *state, x, y) if is_value else run


def chain(data: Arrays, *, is_value: bool = False) -> Run:
    def value(z: Any) -> Any:
        for _ in range(CHAIN_LENGTH):
            z = jnp.sin(z) * 1.001
        return z

    return _run(value, data["s"], is_value)


def mlp(data: Arrays, *, is_value: bool = False) -> Run:
    x, labels = jnp.asarray(data["x"]), jnp.asarray(data["labels"])
    rows = jnp.arange(len(labels))
    names = ("w1", "b1", "w2", "b2", "w3", "b3")
    # copies: `step` gives their memory to its results
    state = [{name: jnp.array(data[name], copy=True) for name in names}]

    def loss(w: Any, x: Any, labels: Any) -> Any:
        h = jax.nn.relu(x @ w["w1"] + w["b1"])
        h = jax.nn.relu(h @ w["w2"] + w["b2"])
        log_p = jax.nn.log_softmax(h @ w["w3"] + w["b3"])
        return -jnp.mean(log_p[rows, labels])

    def step(w: Any, x: Any, labels: Any) -> Any:
        value, gradients = jax.value_and_grad(loss)(w, x, labels)
        return value, {name: w[name] - MLP_RATE * gradients[name] for name in names}

    compiled = jax.jit(step, donate_argnums=0)

    def run() -> dict[str, Any]:
        value, state[0] = jax.block_until_ready(compiled(state[0], x, labels))
        return {"loss": value, **state[0]}

    return _value(loss, state[0], x, labels) if is_value else run


def logistic(data: Arrays, *, is_value: bool = False) -> Run:
    x, y = jnp.asarray(data["x"]), jnp.asarray(data["y"])

    def value(w: Any, x: Any, y: Any) -> Any:
        z = x @ w
        softplus = jnp.maximum(z, 0) + jnp.log1p(jnp.exp(-jnp.abs(z)))
        return jnp.mean(softplus - y * z)

    return _run(value, data["w"], is_value, x, y)


def elementwise(data: Arrays, *, is_value: bool = False) -> Run:
    return _run(lambda e: jnp.sum(jnp.tanh(e) * jnp.exp(-e * e)), data["e"], is_value)


def sin50(data: Arrays, *, is_value: bool = False) -> Run:
    def value(z: Any) -> Any:
        for _ in range(SIN_LENGTH):
            z = jnp.sin(z) * 1.01 + 0.1
        return jnp.sum(z)

    return _run(value, data["x"], is_value)


def hessian(data: Arrays) -> Run:
    x = jnp.asarray(data["x"])

    def rosenbrock(x: Any) -> Any:
        return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    whole = jax.jit(jax.hessian(rosenbrock))
    return lambda: {"hessian": jax.block_until_ready(whole(x))}


def jacobian(data: Arrays) -> Run:
    a, x = jnp.asarray(data["a"]), jnp.asarray(data["x"])

    def value(x: Any, a: Any) -> Any:
        out = jnp.tanh(a @ jnp.tanh(a @ x))
        return out, out

    whole = jax.jit(jax.jacrev(value, has_aux=True))

    def run() -> dict[str, Any]:
        slopes, out = jax.block_until_ready(whole(x, a))
        return {"value": out, "jacobian": slopes}

    return run


def gmm(data: Arrays, *, is_value: bool = False) -> Run:
    names = ("alphas", "means", "icf")
    arguments = [jnp.asarray(data[name]) for name in (*names, "x")]
    if is_value:
        return _value(log_likelihood, *arguments)
    both = jax.jit(jax.value_and_grad(log_likelihood, argnums=(0, 1, 2)))

    def run() -> dict[str, Any]:
        value, gradient = jax.block_until_ready(both(*arguments))
        return {"value": value, **dict(zip(names, gradient, strict=True))}

    return run


def graph(data: Arrays, *, is_value: bool = False) -> Run:
    turns = int(data["turns"])

    def value(z: Any) -> Any:
        for _ in range(turns):
            z = jnp.sin(z) * 1.001
        return jnp.sum(z)

    return _run(value, data["x"], is_value)


def overhead(data: Arrays) -> Run:
    arguments = [jnp.asarray(data[name]) for name in "abcde"]

    @jax.jit
    def both(a: Any, b: Any, c: Any, d: Any, e: Any) -> Any:
        return a * b + c, d - e

    def run() -> dict[str, Any]:
        first, second = jax.block_until_ready(both(*arguments))
        return {"first": first, "second": second}

    return run


def kernel(data: Arrays, *, is_value: bool = False) -> Run:
    from bench.npbench import kernels, namespaces

    name = str(data["kernel"])
    arrays = {key: jnp.asarray(x) for key, x in data.items() if key != "kernel"}
    names = kernels.variables(name, arrays)
    places = tuple(list(arrays).index(key) for key in names)
    f, arguments = kernels.loss(name, namespaces.jax()), list(arrays.values())
    if is_value:
        return _value(f, *arguments)
    both = jax.jit(jax.value_and_grad(f, argnums=places))

    def run() -> dict[str, Any]:
        value, gradient = jax.block_until_ready(both(*arguments))
        return {"value": value, **dict(zip(names, gradient, strict=True))}

    return run


def _run(f: Callable[..., Any], x: Any, is_value: bool, *constants: Any) -> Run:
    x = jnp.asarray(x)
    if is_value:
        return _value(f, x, *constants)
    both = jax.jit(jax.value_and_grad(f))

    def run() -> dict[str, Any]:
        value, gradient = jax.block_until_ready(both(x, *constants))
        return {"value": value, "gradient": gradient}

    return run


def _value(f: Callable[..., Any], *arguments: Any) -> Run:
    compiled = jax.jit(f)
    return lambda: {"value": jax.block_until_ready(compiled(*arguments))}
