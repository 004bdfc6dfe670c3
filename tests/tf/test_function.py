"""tf.function on methods, and what it keeps of the function."""

import pytest

import gradtape.tf as tf


class Scaled(tf.Module):
    def __init__(self, k):
        super().__init__()
        self.k = tf.Variable(k)

    @tf.function
    def __call__(self, x):
        """x times k."""
        return x * self.k

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def total(self, x):
        return tf.reduce_sum(x * self.k)


def test_methods_are_bound_to_their_object():
    two, three = Scaled(2.0), Scaled(3.0)
    assert float(two(tf.constant(5.0))) == 10.0
    assert float(three(5.0)) == 15.0
    assert float(three.total([1.0, 2.0])) == 9.0
    assert Scaled.__call__.__doc__ == "x times k."
    with tf.GradientTape() as tape:
        y = three(tf.constant(5.0))
    assert float(tape.gradient(y, three.k)) == 5.0


def test_an_exception_in_the_function_leaves_its_variables_alone():
    v = tf.Variable(1.0)

    @tf.function
    def step(x):
        y = v * x
        raise ValueError("no") if x > 2.0 else v.assign(y)

    with pytest.raises(ValueError, match="no"):
        step(tf.constant(3.0))
    assert float(v) == 1.0
