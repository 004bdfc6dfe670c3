"""Each case as a TensorFlow user compiles it: one `tf.function` around the whole step.

`tensorflow_xla` has the same with `jit_compile=True`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from bench.cases import CHAIN_LENGTH, MLP_RATE, SIN_LENGTH, TUTORIAL_RATE, Arrays, Run
from bench.libs.tensorflow_eager import VERSION, log_likelihood, setup, to_numpy

__all__ = ["VERSION", "chain", "elementwise", "gmm", "graph", "hessian", "jacobian", "logistic",
           "mlp", "overhead", "setup", "sin50", "to_numpy", "tutorial"]  # fmt: skip

is_jit = False  # set by tensorflow_xla


def _compiled(f: Callable[..., Any]) -> Any:
    return tf.function(f, jit_compile=True) if is_jit else tf.function(f)


def tutorial(data: Arrays, *, is_value: bool = False) -> Run:
    x, y = tf.constant(data["x"]), tf.constant(data["y"])
    a, b = tf.Variable(0.0), tf.Variable(0.0)

    def loss_of(x: Any, y: Any) -> Any:
        return tf.reduce_sum((y - (a + b * x)) ** 2)

    @_compiled
    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = loss_of(x, y)
        da, db = tape.gradient(loss, (a, b))
        a.assign_sub(TUTORIAL_RATE * da)
        b.assign_sub(TUTORIAL_RATE * db)
        return loss

    if is_value:
        return _value(loss_of, x, y)
    return lambda: {"loss": step(x, y), "a": a, "b": b}


def chain(data: Arrays, *, is_value: bool = False) -> Run:
    def value(z: Any) -> Any:
        for _ in range(CHAIN_LENGTH):
            z = tf.sin(z) * 1.001
        return z

    return _run(value, data["s"], is_value)


def mlp(data: Arrays, *, is_value: bool = False) -> Run:
    x, labels = tf.constant(data["x"]), tf.constant(data["labels"])
    names = ("w1", "b1", "w2", "b2", "w3", "b3")
    weights = [tf.Variable(data[name]) for name in names]
    w1, b1, w2, b2, w3, b3 = weights

    def loss_of(x: Any, labels: Any) -> Any:
        h = tf.nn.relu(x @ w1 + b1)
        h = tf.nn.relu(h @ w2 + b2)
        z = h @ w3 + b3
        return tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=z)
        )

    @_compiled
    def step(x: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = loss_of(x, labels)
        for w, g in zip(weights, tape.gradient(loss, weights), strict=True):
            w.assign_sub(MLP_RATE * g)
        return loss

    if is_value:
        return _value(loss_of, x, labels)
    return lambda: {"loss": step(x, labels), **dict(zip(names, weights, strict=True))}


def logistic(data: Arrays, *, is_value: bool = False) -> Run:
    x, y = tf.constant(data["x"]), tf.constant(data["y"])

    def value(w: Any, x: Any, y: Any) -> Any:
        z = tf.linalg.matvec(x, w)
        softplus = tf.maximum(z, 0.0) + tf.math.log1p(tf.exp(-tf.abs(z)))
        return tf.reduce_mean(softplus - y * z)

    return _run(value, data["w"], is_value, x, y)


def elementwise(data: Arrays, *, is_value: bool = False) -> Run:
    return _run(lambda e: tf.reduce_sum(tf.tanh(e) * tf.exp(-e * e)), data["e"], is_value)


def sin50(data: Arrays, *, is_value: bool = False) -> Run:
    def value(z: Any) -> Any:
        for _ in range(SIN_LENGTH):
            z = tf.sin(z) * 1.01 + 0.1
        return tf.reduce_sum(z)

    return _run(value, data["x"], is_value)


def hessian(data: Arrays) -> Run:
    x = tf.constant(data["x"])

    @_compiled
    def whole(x: Any) -> Any:
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                value = tf.reduce_sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
            gradient = inner.gradient(value, x)
        return outer.jacobian(gradient, x)

    return lambda: {"hessian": whole(x)}


def jacobian(data: Arrays) -> Run:
    a, x = tf.constant(data["a"]), tf.constant(data["x"])

    @_compiled
    def whole(x: Any, a: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = tf.tanh(tf.linalg.matvec(a, tf.tanh(tf.linalg.matvec(a, x))))
        return value, tape.jacobian(value, x)

    def run() -> dict[str, Any]:
        value, slopes = whole(x, a)
        return {"value": value, "jacobian": slopes}

    return run


def gmm(data: Arrays, *, is_value: bool = False) -> Run:
    names = ("alphas", "means", "icf")
    arguments = [tf.constant(data[name]) for name in (*names, "x")]
    if is_value:
        return _value(log_likelihood, *arguments)

    @_compiled
    def both(*arguments: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(arguments[:3])
            value = log_likelihood(*arguments)
        return value, tape.gradient(value, arguments[:3])

    def run() -> dict[str, Any]:
        value, gradient = both(*arguments)
        return {"value": value, **dict(zip(names, gradient, strict=True))}

    return run


def graph(data: Arrays, *, is_value: bool = False) -> Run:
    turns = int(data["turns"])

    def value(z: Any) -> Any:
        for _ in range(turns):
            z = tf.sin(z) * 1.001
        return tf.reduce_sum(z)

    return _run(value, data["x"], is_value)


def overhead(data: Arrays) -> Run:
    arguments = [tf.constant(data[name]) for name in "abcde"]

    @_compiled
    def both(a: Any, b: Any, c: Any, d: Any, e: Any) -> Any:
        return a * b + c, d - e

    def run() -> dict[str, Any]:
        first, second = both(*arguments)
        return {"first": first, "second": second}

    return run


def _run(f: Callable[..., Any], x: Any, is_value: bool, *constants: Any) -> Run:
    x = tf.constant(x)
    if is_value:
        return _value(f, x, *constants)

    @_compiled
    def both(x: Any, *constants: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = f(x, *constants)
        return value, tape.gradient(value, x)

    def run() -> dict[str, Any]:
        value, gradient = both(x, *constants)
        return {"value": value, "gradient": gradient}

    return run


def _value(f: Callable[..., Any], *arguments: Any) -> Run:
    compiled = _compiled(f)
    return lambda: {"value": compiled(*arguments)}
