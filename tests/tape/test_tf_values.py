"""Gradients equal TensorFlow's, at kinks, ties and complex numbers too (stored values)."""

from __future__ import annotations

import json
import pathlib

import numpy as np
import pytest

import gradtape as gt

TABLE = json.loads(pathlib.Path(__file__).with_name("tf_values.json").read_text())
PROGRAMS = {
    "reduce_max_ties": (np.max, [1.0, 2.0, 2.0, -0.5]),
    "reduce_min_ties": (np.min, [1.0, 1.0, 3.0]),
    "maximum_tie": (np.maximum, 0.0, 0.0),
    "minimum_tie": (np.minimum, 0.0, 0.0),
    "abs_at_0": (np.abs, [0.0, -2.0]),
    "sqrt_at_0": (np.sqrt, 0.0),
    "where_sqrt": (lambda x: np.where(x > 1, np.sqrt(x - 1), np.zeros_like(x)), [1.0, 5.0]),
    "sign": (np.sign, [-1.0, 0.0, 2.0]),
    "prod_zero": (np.prod, [2.0, 0.0, 3.0]),
    "prod_two_zeros": (np.prod, [2.0, 0.0, 0.0]),
    "mean": (np.mean, [1.0, 2.0, 2.0, -0.5]),
    "std": (np.std, [1.0, 2.0, 2.0, -0.5]),
    "cumsum": (np.cumsum, [1.0, 2.0, 2.0, -0.5]),
    "pow": (np.power, [2.0, 3.0], [3.0, 0.5]),
    "pow_zero_base": (np.power, 0.0, 2.0),
    "divide": (np.divide, [1.0, 2.0], [4.0, -2.0]),
    "atan2": (np.arctan2, [1.0, -2.0], [0.5, 3.0]),
    "clip": (lambda x: np.clip(x, 0.0, 1.0), [-1.0, 0.5, 2.0]),
    "matmul": (np.matmul, [[1.0, 2.0], [3.0, 4.0]], [[0.5, 1.0], [2.0, -1.0]]),
    "broadcast": (np.multiply, [[1.0], [2.0]], [3.0, 4.0, 5.0]),
    "complex_square": (np.square, 1 + 2j),
    "complex_abs": (np.abs, 1 + 2j),
    "complex_real": (np.real, 1 + 2j),
    "complex_imag": (np.imag, 1 + 2j),
    "complex_conj_product": (lambda z: z * np.conj(z), 1 + 2j),
    "complex_exp": (np.exp, 1 + 2j),
}
SECOND = {
    "second_sin_exp": (lambda x: np.sin(x) * np.exp(x), [0.3, 1.2]),
    "second_tanh": (np.tanh, [0.3, -1.2]),
    "second_logsumexp": (lambda x: np.log(np.sum(np.exp(x))), [0.1, 2.0]),
}


def decoded(stored):
    if isinstance(stored, dict):
        return np.asarray(stored["re"]) + 1j * np.asarray(stored["im"])
    return np.asarray(stored)


def test_every_stored_program_is_compared():
    assert set(TABLE) == {"tensorflow", *PROGRAMS, *SECOND}


@pytest.mark.parametrize("name", PROGRAMS)
def test_value_and_gradients(name):
    function, *values = PROGRAMS[name]
    value, gradients = TABLE[name]
    with gt.GradientTape() as tape:
        xs = [tape.watch(np.array(v)) for v in values]
        y = function(*xs)
    np.testing.assert_allclose(y.read(), decoded(value), rtol=1e-14)
    for g, stored in zip(tape.gradient(y, xs), gradients, strict=True):
        np.testing.assert_allclose(g.read(), decoded(stored), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("name", SECOND)
def test_second_derivatives(name):
    function, value = SECOND[name]
    with gt.GradientTape() as outer:
        x = outer.watch(np.array(value))
        with gt.GradientTape() as inner:
            inner.watch(x)
            y = np.sum(function(x))
        g = inner.gradient(y, x)
    np.testing.assert_allclose(outer.gradient(g, x).read(), decoded(TABLE[name]), rtol=1e-12)
