"""Each case as a TensorFlow user writes it: eager `tf.GradientTape`, no `tf.function`."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from bench.cases import (
    CHAIN_LENGTH,
    MLP_RATE,
    SIN_LENGTH,
    TUTORIAL_RATE,
    Arrays,
    Run,
    gmm_triangle,
)
from bench.libs import script_step

VERSION = tf.__version__


def setup(threads: int) -> None:
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def to_numpy(x: Any) -> Any:
    return x.numpy()


def tutorial(data: Arrays) -> Run:
    x, y = tf.constant(data["x"]), tf.constant(data["y"])
    a, b = tf.Variable(0.0), tf.Variable(0.0)

    def run() -> dict[str, Any]:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum((y - (a + b * x)) ** 2)
        da, db = tape.gradient(loss, (a, b))
        a.assign_sub(TUTORIAL_RATE * da)
        b.assign_sub(TUTORIAL_RATE * db)
        return {"loss": loss, "a": a, "b": b}

    return run


def dialect(data: Arrays) -> Run:
    return script_step.dialect(data)


def chain(data: Arrays) -> Run:
    s = tf.constant(data["s"])

    def run() -> dict[str, Any]:
        with tf.GradientTape() as tape:
            tape.watch(s)
            z = s
            for _ in range(CHAIN_LENGTH):
                z = tf.sin(z) * 1.001
        return {"value": z, "gradient": tape.gradient(z, s)}

    return run


def mlp(data: Arrays) -> Run:
    x, labels = tf.constant(data["x"]), tf.constant(data["labels"])
    names = ("w1", "b1", "w2", "b2", "w3", "b3")
    weights = [tf.Variable(data[name]) for name in names]
    w1, b1, w2, b2, w3, b3 = weights

    def run() -> dict[str, Any]:
        with tf.GradientTape() as tape:
            h = tf.nn.relu(x @ w1 + b1)
            h = tf.nn.relu(h @ w2 + b2)
            z = h @ w3 + b3
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=z)
            )
        for w, g in zip(weights, tape.gradient(loss, weights), strict=True):
            w.assign_sub(MLP_RATE * g)
        return {"loss": loss, **dict(zip(names, weights, strict=True))}

    return run


def logistic(data: Arrays) -> Run:
    x, y, w = (tf.constant(data[name]) for name in ("x", "y", "w"))

    def run() -> dict[str, Any]:
        with tf.GradientTape() as tape:
            tape.watch(w)
            z = tf.linalg.matvec(x, w)
            softplus = tf.maximum(z, 0.0) + tf.math.log1p(tf.exp(-tf.abs(z)))
            value = tf.reduce_mean(softplus - y * z)
        return {"value": value, "gradient": tape.gradient(value, w)}

    return run


def elementwise(data: Arrays) -> Run:
    e = tf.constant(data["e"])

    def run() -> dict[str, Any]:
        with tf.GradientTape() as tape:
            tape.watch(e)
            value = tf.reduce_sum(tf.tanh(e) * tf.exp(-e * e))
        return {"value": value, "gradient": tape.gradient(value, e)}

    return run


def sin50(data: Arrays) -> Run:
    x = tf.constant(data["x"])

    def run() -> dict[str, Any]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            z = x
            for _ in range(SIN_LENGTH):
                z = tf.sin(z) * 1.01 + 0.1
            value = tf.reduce_sum(z)
        return {"value": value, "gradient": tape.gradient(value, x)}

    return run


def hessian(data: Arrays) -> Run:
    x = tf.constant(data["x"])

    def run() -> dict[str, Any]:
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                value = tf.reduce_sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
            gradient = inner.gradient(value, x)
        return {"hessian": outer.jacobian(gradient, x)}

    return run


def jacobian(data: Arrays) -> Run:
    a, x = tf.constant(data["a"]), tf.constant(data["x"])

    def run() -> dict[str, Any]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = tf.tanh(tf.linalg.matvec(a, tf.tanh(tf.linalg.matvec(a, x))))
        return {"value": value, "jacobian": tape.jacobian(value, x)}

    return run


def log_likelihood(alphas: Any, means: Any, icf: Any, x: Any) -> Any:
    n, d = x.shape
    # tensors cannot be written into: every entry is gathered, the empty ones from a column of 0
    index = np.zeros((d, d), np.int32)
    rows, columns = gmm_triangle(d)
    index[rows, columns] = np.arange(1, len(rows) + 1)
    q, below = icf[:, :d], icf[:, d:]
    factor = tf.gather(tf.pad(below, [[0, 0], [1, 0]]), index, axis=1)
    centered = x[:, None] - means
    scaled = tf.exp(q) * centered + tf.einsum("kij,nkj->nki", factor, centered)
    inner = alphas + tf.reduce_sum(q, 1) - 0.5 * tf.reduce_sum(scaled**2, 2)
    prior = 0.5 * (tf.reduce_sum(tf.exp(q) ** 2) + tf.reduce_sum(below**2))
    constant = 0.5 * n * d * np.log(2 * np.pi)
    lse = tf.reduce_logsumexp
    return tf.reduce_sum(lse(inner, 1)) - n * lse(alphas) - constant + prior


def gmm(data: Arrays) -> Run:
    names = ("alphas", "means", "icf")
    variables, x = [tf.Variable(data[name]) for name in names], tf.constant(data["x"])

    def run() -> dict[str, Any]:
        with tf.GradientTape() as tape:
            value = log_likelihood(*variables, x)
        gradient = tape.gradient(value, variables)
        return {"value": value, **dict(zip(names, gradient, strict=True))}

    return run
