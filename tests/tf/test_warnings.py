"""TensorFlow gives inf and nan without a warning, whatever the size of a tensor."""

import numpy as np
import pytest

import gradtape.tf as tf

SIZES = {"a number": (), "small": (3,), "a reused buffer": (300, 300), "threads": (1200, 1200)}


@pytest.mark.parametrize("shape", SIZES.values(), ids=SIZES)
def test_inf_and_nan_warn_of_nothing(shape):
    zero, large = tf.zeros(shape), tf.fill(shape, 1e30)
    assert np.all(np.isinf(tf.math.log(zero)))
    assert np.all(np.isnan(tf.sqrt(zero - 1.0)))
    assert np.all(np.isinf(1.0 / zero))
    assert np.all(np.isnan(zero / zero))
    assert np.all(np.isinf(large * large))
    assert np.all(np.isinf(tf.exp(large)))
