"""A cotangent of exactly 0 wins in the dialect too, a deliberate difference from TensorFlow."""

import numpy as np
import pytest

import gradtape.tf as tf


@pytest.mark.parametrize(
    "f",
    [
        lambda x: tf.reduce_sum((tf.math.log(x) ** 2)[1:]),
        lambda x: tf.reduce_sum((tf.sqrt(x) * 1.0)[1:] ** 2) - tf.reduce_sum(tf.sin(x)[1:] ** 2),
        lambda x: tf.reduce_sum(tf.reduce_prod(tf.stack([x, tf.math.log(x)]), axis=0)[1:]),
    ],
)
def test_what_is_left_out_has_no_say(f):
    x, rest = tf.Variable([0.0, 2.0, 3.0]), tf.Variable([2.0, 2.0, 3.0])
    with tf.GradientTape(persistent=True) as tape:
        losses = f(x), f(rest)
    found, expected = (tape.gradient(y, v).numpy() for y, v in zip(losses, (x, rest), strict=True))
    np.testing.assert_array_equal(found, expected)
    assert found[0] == 0
