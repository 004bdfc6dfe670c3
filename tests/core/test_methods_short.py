"""`x.sum()` takes the short record that `np.sum(x)` takes, and knows its line."""

import inspect

import numpy as np

import gradtape as gt
from gradtape.core.positions import decode
from gradtape.core.state import CARD, CODE, LASTI


def test_the_method_makes_the_short_record_of_the_function():
    with gt.GradientTape() as tape:
        x = tape.watch(np.arange(6.0).reshape(2, 3))
        line = inspect.currentframe().f_lineno + 1
        y = x.sum()
    record = tape._recorder.ops[-1]
    assert record[CARD].name == "sum_all"
    assert str(decode(record[CODE], record[LASTI])).endswith(f":{line}")
    assert y.value == 15.0
    np.testing.assert_array_equal(tape.gradient(y, x), np.ones((2, 3)))
