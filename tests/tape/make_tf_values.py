"""Writes `tf_values.json`: what TensorFlow gives for the programs of `test_tf_values.py`.

Run with a Python that has TensorFlow: `python tests/tape/make_tf_values.py`.
"""

import json
import pathlib

import numpy as np
import tensorflow as tf


def gradient(function, *values, dtype=tf.float64):
    """Value and gradients of `function` at constants, as nested lists (None where TF gives it)."""
    xs = [tf.constant(v, dtype=dtype) for v in values]
    with tf.GradientTape() as tape:
        tape.watch(xs)
        y = function(*xs)
    return [plain(y), [plain(g) for g in tape.gradient(y, xs)]]


def plain(t):
    if t is None:
        return None
    a = t.numpy()
    if np.iscomplexobj(a):
        return {"re": np.real(a).tolist(), "im": np.imag(a).tolist()}
    return a.tolist()


def second(function, value):
    x = tf.constant(value, dtype=tf.float64)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = tf.reduce_sum(function(x))
        g = inner.gradient(y, x)
    return plain(outer.gradient(g, x))


V = [1.0, 2.0, 2.0, -0.5]
C = 1 + 2j
c = tf.complex128
CASES = {
    "reduce_max_ties": lambda: gradient(tf.reduce_max, V),
    "reduce_min_ties": lambda: gradient(tf.reduce_min, [1.0, 1.0, 3.0]),
    "maximum_tie": lambda: gradient(tf.maximum, 0.0, 0.0),
    "minimum_tie": lambda: gradient(tf.minimum, 0.0, 0.0),
    "abs_at_0": lambda: gradient(tf.abs, [0.0, -2.0]),
    "sqrt_at_0": lambda: gradient(tf.sqrt, 0.0),
    "where_sqrt": lambda: gradient(
        lambda x: tf.where(x > 1, tf.sqrt(x - 1), tf.zeros_like(x)), [1.0, 5.0]
    ),
    "sign": lambda: gradient(tf.sign, [-1.0, 0.0, 2.0]),
    "prod_zero": lambda: gradient(tf.reduce_prod, [2.0, 0.0, 3.0]),
    "prod_two_zeros": lambda: gradient(tf.reduce_prod, [2.0, 0.0, 0.0]),
    "mean": lambda: gradient(tf.reduce_mean, V),
    "std": lambda: gradient(tf.math.reduce_std, V),
    "cumsum": lambda: gradient(tf.cumsum, V),
    "pow": lambda: gradient(tf.pow, [2.0, 3.0], [3.0, 0.5]),
    "pow_zero_base": lambda: gradient(tf.pow, 0.0, 2.0),
    "divide": lambda: gradient(tf.divide, [1.0, 2.0], [4.0, -2.0]),
    "atan2": lambda: gradient(tf.atan2, [1.0, -2.0], [0.5, 3.0]),
    "clip": lambda: gradient(lambda x: tf.clip_by_value(x, 0.0, 1.0), [-1.0, 0.5, 2.0]),
    "matmul": lambda: gradient(tf.matmul, [[1.0, 2.0], [3.0, 4.0]], [[0.5, 1.0], [2.0, -1.0]]),
    "broadcast": lambda: gradient(tf.multiply, [[1.0], [2.0]], [3.0, 4.0, 5.0]),
    "complex_square": lambda: gradient(tf.square, C, dtype=c),
    "complex_abs": lambda: gradient(tf.abs, C, dtype=c),
    "complex_real": lambda: gradient(tf.math.real, C, dtype=c),
    "complex_imag": lambda: gradient(tf.math.imag, C, dtype=c),
    "complex_conj_product": lambda: gradient(lambda z: z * tf.math.conj(z), C, dtype=c),
    "complex_exp": lambda: gradient(tf.exp, C, dtype=c),
    "second_sin_exp": lambda: second(lambda x: tf.sin(x) * tf.exp(x), [0.3, 1.2]),
    "second_tanh": lambda: second(tf.tanh, [0.3, -1.2]),
    "second_logsumexp": lambda: second(lambda x: tf.math.log(tf.reduce_sum(tf.exp(x))), [0.1, 2.0]),
}

if __name__ == "__main__":
    table = {"tensorflow": tf.__version__, **{name: case() for name, case in CASES.items()}}
    path = pathlib.Path(__file__).with_name("tf_values.json")
    lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in table.items())
    path.write_text("{\n" + lines + "\n}\n")
