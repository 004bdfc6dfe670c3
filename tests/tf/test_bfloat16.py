"""bfloat16 is known by name and cannot be held, which is said wherever a value is asked for."""

import pytest

import gradtape.tf as tf


@pytest.mark.parametrize(
    "make",
    [
        lambda: tf.constant(1.0, tf.bfloat16),
        lambda: tf.constant([1.0], dtype="bfloat16"),
        lambda: tf.cast(tf.constant(1.0), tf.bfloat16),
        lambda: tf.zeros([2], tf.bfloat16),
        lambda: tf.Variable(1.0, dtype=tf.bfloat16),
        lambda: tf.random.normal([2], dtype=tf.bfloat16),
        lambda: tf.convert_to_tensor(1.0, tf.bfloat16),
    ],
)
def test_a_value_says_what_to_use(make):
    with pytest.raises(Exception, match="tf.float32|float32") as caught:
        make()
    assert len(str(caught.value).splitlines()) == 3
    assert "bfloat16" in str(caught.value)


def test_the_dtype_itself_answers():
    assert tf.bfloat16.is_floating and tf.bfloat16.size == 2
    assert repr(tf.as_dtype("bfloat16")) == "tf.bfloat16"
